//! What a cutover may demand, as others left it there: a smoke test that passed, and a colleague's approval; and
//! somebody who gives the idle colour another revision since.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde_json::{Value, json};
use wheelhouse::estate::{Approval, Approver, Scope};
use wheelhouse::ops::engine;
use wheelhouse::ops::{OperationKind, Plan};

use super::process::Process;
use super::script::request;
use super::world::{Demand, NAMESPACE, RECORDS, World, lock};

/// An id before all that are made meanwhile.
const ID: &str = "01kaaaaaaaaaaaaaaaaaaaaaaa";

impl World {
    /// A bastion's scope with what is demanded.
    pub fn demanding(&self, scope: Scope) -> Scope {
        let demand = lock(&self.demands).as_ref().map(|(demand, _)| *demand);
        let meets = *lock(&self.meets);
        meets.demanding(Scope {
            needs_smoke: demand == Some(Demand::Smoke),
            needs_ci: false,
            holds_returned: false,
            approval: Approval {
                by: match demand {
                    Some(Demand::Approval) => Approver::Other,
                    _ => Approver::Nobody,
                },
                ..Approval::default()
            },
            ..scope
        })
    }

    /// The template hash and the digests of each ready pod of GREEN, by workload.
    async fn green(&self) -> BTreeMap<String, BTreeSet<String>> {
        let path = format!("/api/v1/namespaces/{NAMESPACE}/pods?labelSelector=version%3Dgreen");
        let mut all: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        for pod in self.list(&path).await {
            let labels = &pod["metadata"]["labels"];
            let mut words = vec![text(&labels["pod-template-hash"])];
            let statuses = pod["status"]["containerStatuses"].as_array();
            words.extend(statuses.into_iter().flatten().map(|status| {
                let id = text(&status["imageID"]);
                id.rsplit('@').next().unwrap_or_default().to_owned()
            }));
            let of = all.entry(text(&labels["part"])).or_default();
            of.insert(words.join(" "));
        }
        all
    }

    /// The templates of GREEN.
    pub async fn templates(&self) -> BTreeSet<String> {
        let all = self.green().await.into_values().flatten();
        all.map(|revision| revision.split(' ').next().unwrap_or_default().to_owned())
            .collect()
    }
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

/// Whatever stands in its way, the plan of a cutover.
async fn planned(world: &Arc<World>) -> Plan {
    let process = Process::new(world, "carol");
    process.spare();
    let bastion = process.bastion();
    let prepared = engine::prepare(&bastion, request(OperationKind::Cutover, Vec::new())).await;
    match prepared.unwrap().plan() {
        Ok(plan) => plan.clone(),
        Err(refusal) => *refusal.plan.clone().unwrap(),
    }
}

/// From now on a cutover demands this; it is there for what is there.
pub async fn demand(world: &Arc<World>, demand: Demand) {
    let templates = world.templates().await;
    *lock(&world.demands) = Some((demand, templates));
    let plan = planned(world).await;
    let now = world.epoch.to_string();
    let (name, labels, data) = match demand {
        Demand::Smoke => {
            let mut smoke = json!(plan);
            smoke["kind"] = json!("smoke");
            let whats = [
                json!({ "planned": smoke }),
                json!({ "tested": { "revisions": world.green().await } }),
                json!({ "closed": { "outcome": "done", "reason": "it answered" } }),
            ];
            let entry = |what: Value| json!({ "at": now, "by": "carol", "what": what }).to_string();
            let entries: Vec<String> = whats.into_iter().map(entry).collect();
            let data = json!({ "schema": "1", "entries": entries.join("\n") });
            let labels =
                json!({ "wheelhouse.dev/record": "operation", "wheelhouse.dev/kind": "smoke" });
            (format!("wheelhouse-{ID}"), labels, data)
        }
        Demand::Approval => {
            let labels = json!({ "wheelhouse.dev/record": "approval" });
            let asked = paper(world, &plan, ("asked", ID, "alice"));
            let path = format!("/api/v1/namespaces/{RECORDS}/configmaps");
            let name = format!("wheelhouse-approval-{ID}");
            world
                .ask("POST", &path, configmap(&name, &labels, asked))
                .await;
            let other = ID.replace("01k", "01m");
            let yes = paper(world, &plan, ("approved", ID, "carol"));
            (format!("wheelhouse-approval-{other}"), labels, yes)
        }
    };
    let path = format!("/api/v1/namespaces/{RECORDS}/configmaps");
    world
        .ask("POST", &path, configmap(&name, &labels, data))
        .await;
}

fn configmap(name: &str, labels: &Value, data: Value) -> Value {
    let mut labels = labels.clone();
    labels["wheelhouse.dev/namespace"] = json!(NAMESPACE);
    json!({
        "apiVersion": "v1", "kind": "ConfigMap",
        "metadata": { "name": name, "namespace": RECORDS, "labels": labels },
        "data": data,
    })
}

fn paper(world: &World, plan: &Plan, (decision, request, author): (&str, &str, &str)) -> Value {
    let hour = jiff::SignedDuration::from_hours(1);
    json!({
        "schema": "1", "decision": decision, "request": request, "author": author,
        "seat": format!("{author}@bastion"), "requester": "alice", "environment": "production",
        "namespace": NAMESPACE, "colour": "green", "plan": plan.bound, "runs": "frontend e4d909c",
        "reason": "simulated", "created": world.epoch.to_string(),
        "expires": (world.epoch + hour).to_string(),
    })
}

/// Somebody gives GREEN another image, past Wheelhouse.
pub async fn change(world: &World) {
    let name = "digital-wall-green-frontend";
    let path = format!("/apis/apps/v1/namespaces/{NAMESPACE}/deployments/{name}");
    let image = "ghcr.io/acme/digitalwall-frontend:other";
    let patch = json!([{
        "op": "replace", "path": "/spec/template/spec/containers/0/image", "value": image,
    }]);
    world.say(format!("somebody gives {name} another image"));
    world.ask("PATCH", &path, patch).await;
}
