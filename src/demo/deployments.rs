//! The Deployment controller: ReplicaSets by revision, rolling updates, status and conditions.

use super::fields::Author;
use super::kind::Kind;
use super::queue::Task;
use super::random::fnv64;
use super::rollout::{Counts, Wish};
use super::store::{Key, Object};
use super::tree;
use super::world::World;
use super::write::Door;
use serde_json::{Value, json};
use std::sync::Arc;

const REVISION: &str = "/metadata/annotations/deployment.kubernetes.io~1revision";
const CONTROLLER: &str = "kube-controller-manager";

/// A ReplicaSet as the Deployment sees it.
struct Set {
    object: Arc<Object>,
    value: Value,
}

impl Set {
    fn wanted(&self) -> i64 {
        tree::number(&self.value, "/spec/replicas").unwrap_or(0)
    }

    fn status(&self, field: &str) -> i64 {
        tree::number(&self.value, &format!("/status/{field}")).unwrap_or(0)
    }

    fn revision(&self) -> i64 {
        tree::text(&self.value, REVISION).parse().unwrap_or(0)
    }
}

impl World {
    /// Brings ReplicaSets and status nearer to what the Deployment asks for.
    pub(super) fn reconcile_deployment(&mut self, key: &Key) {
        let Some(deployment) = self.store.get(Kind::Deployment, &key.0, &key.1) else {
            return;
        };
        let value = deployment.value();
        if deployment.is_deleting {
            return;
        }
        let hash = template_hash(&value["spec"]["template"]);
        let mut sets = self.sets_of(&deployment);
        if !sets
            .iter()
            .any(|set| set.object.label("pod-template-hash") == Some(&hash))
        {
            self.new_revision(&deployment, &value, &sets, &hash);
            return;
        }
        self.renew_revision(&deployment, &mut sets, &hash);
        let (new, old): (Vec<Set>, Vec<Set>) = sets
            .into_iter()
            .partition(|set| set.object.label("pod-template-hash") == Some(&hash));
        let Some(new) = new.into_iter().next() else {
            return;
        };
        let is_paused = value["spec"]["paused"] == true;
        if !is_paused {
            self.roll(&deployment, &Wish::of(&value), &new, &old);
        }
        self.show_deployment(&deployment, &value);
        self.drop_old_sets(&value, &old);
    }

    fn sets_of(&self, deployment: &Object) -> Vec<Set> {
        let owned = self.store.owned(&deployment.uid).into_iter();
        owned
            .filter(|object| object.kind == Kind::ReplicaSet && !object.is_deleting)
            .map(|object| Set {
                value: object.value(),
                object,
            })
            .collect()
    }

    fn new_revision(&mut self, deployment: &Arc<Object>, value: &Value, sets: &[Set], hash: &str) {
        if value["spec"]["paused"] == true {
            return self.show_deployment(deployment, value);
        }
        let revision = sets.iter().map(Set::revision).max().unwrap_or(0) + 1;
        let wish = Wish::of(value);
        let total: i64 = sets.iter().map(Set::wanted).sum();
        let room = (wish.replicas + wish.surge - total).max(0);
        let first = match (sets.is_empty(), wish.recreates && total > 0) {
            (true, _) => wish.replicas,
            (false, true) => 0,
            (false, false) => wish.replicas.min(room),
        };
        let mut template = value["spec"]["template"].clone();
        tree::set(&mut template, "/metadata/labels/pod-template-hash", hash);
        let mut selector = value["spec"]["selector"].clone();
        tree::set(&mut selector, "/matchLabels/pod-template-hash", hash);
        let mut annotations = value["metadata"]["annotations"].clone();
        tree::set(
            &mut annotations,
            "/deployment.kubernetes.io~1revision",
            revision.to_string(),
        );
        tree::set(
            &mut annotations,
            "/deployment.kubernetes.io~1desired-replicas",
            wish.replicas.to_string(),
        );
        tree::set(
            &mut annotations,
            "/deployment.kubernetes.io~1max-replicas",
            (wish.replicas + wish.surge).to_string(),
        );
        let body = json!({
            "metadata": {
                "name": format!("{}-{hash}", deployment.name), "annotations": annotations,
                "labels": template["metadata"]["labels"], "ownerReferences": [owner(deployment)],
            },
            "spec": {"replicas": first, "selector": selector, "template": template,
                "minReadySeconds": value["spec"]["minReadySeconds"].as_i64().unwrap_or(0)},
        });
        if let Ok(set) = self.create(
            Kind::ReplicaSet,
            &deployment.namespace,
            body,
            &Author::named(CONTROLLER),
        ) {
            self.tell_scaled(deployment, "up", &set.name, 0, first);
        }
        self.set_revision(deployment, revision);
        self.soon(Task::Deployment(deployment.key()));
    }

    /// A template that came back takes the newest revision again: that is what undo means.
    fn renew_revision(&mut self, deployment: &Arc<Object>, sets: &mut [Set], hash: &str) {
        let newest = sets.iter().map(Set::revision).max().unwrap_or(0);
        let current = sets
            .iter_mut()
            .find(|set| set.object.label("pod-template-hash") == Some(hash));
        if let Some(set) = current.filter(|set| set.revision() < newest) {
            let revision = newest + 1;
            self.modify(
                Kind::ReplicaSet,
                &set.object.key(),
                CONTROLLER,
                Door::Main,
                |value| {
                    tree::set(value, REVISION, revision.to_string());
                },
            );
            self.set_revision(deployment, revision);
        }
    }

    fn set_revision(&mut self, deployment: &Object, revision: i64) {
        self.modify(
            Kind::Deployment,
            &deployment.key(),
            CONTROLLER,
            Door::Main,
            |value| {
                tree::set(value, REVISION, revision.to_string());
            },
        );
    }

    /// One step of the rollout: new pods within the surge, old ones away as new ones are available.
    fn roll(&mut self, deployment: &Arc<Object>, wish: &Wish, new: &Set, old: &[Set]) {
        let old_wanted: i64 = old.iter().map(Set::wanted).sum();
        let room = (wish.replicas + wish.surge - old_wanted - new.wanted()).max(0);
        let waits = wish.recreates
            && old
                .iter()
                .any(|set| set.wanted() > 0 || set.status("replicas") > 0);
        let target = match (old_wanted == 0, new.wanted() > wish.replicas) {
            (true, _) | (_, true) => wish.replicas,
            (false, false) => new.wanted() + room.min(wish.replicas - new.wanted()),
        };
        if target != new.wanted() && !waits {
            self.scale_set(deployment, new, target);
        }
        if wish.recreates {
            old.iter()
                .filter(|set| set.wanted() > 0)
                .for_each(|set| self.scale_set(deployment, set, 0));
            return;
        }
        let new_missing = (new.wanted() - new.status("availableReplicas")).max(0);
        let mut spare =
            old_wanted + new.wanted() - (wish.replicas - wish.unavailable) - new_missing;
        for set in old.iter().filter(|set| set.wanted() > 0) {
            let ill = (set.wanted() - set.status("availableReplicas")).clamp(0, spare.max(0));
            let well = (spare - ill).clamp(0, set.wanted() - ill);
            let down = ill
                + well.min((self.available(old, new) - (wish.replicas - wish.unavailable)).max(0));
            if down > 0 {
                spare -= down;
                self.scale_set(deployment, set, set.wanted() - down);
            }
        }
    }

    fn available(&self, old: &[Set], new: &Set) -> i64 {
        old.iter()
            .chain([new])
            .map(|set| set.status("availableReplicas"))
            .sum()
    }

    fn scale_set(&mut self, deployment: &Arc<Object>, set: &Set, to: i64) {
        let from = set.wanted();
        self.modify(
            Kind::ReplicaSet,
            &set.object.key(),
            CONTROLLER,
            Door::Main,
            |value| {
                tree::set(value, "/spec/replicas", to);
            },
        );
        self.tell_scaled(
            deployment,
            if to > from { "up" } else { "down" },
            &set.object.name,
            from,
            to,
        );
    }

    fn tell_scaled(&mut self, deployment: &Object, way: &str, set: &str, from: i64, to: i64) {
        let message = format!("Scaled {way} replica set {set} from {from} to {to}");
        self.tell(
            deployment,
            "Normal",
            "ScalingReplicaSet",
            &message,
            "deployment-controller",
        );
    }

    fn drop_old_sets(&mut self, value: &Value, old: &[Set]) {
        let limit = tree::number(value, "/spec/revisionHistoryLimit")
            .and_then(|limit| usize::try_from(limit).ok());
        let mut empty: Vec<&Set> = old
            .iter()
            .filter(|set| set.wanted() == 0 && set.status("replicas") == 0)
            .collect();
        empty.sort_by_key(|set| std::cmp::Reverse(set.revision()));
        for set in empty.into_iter().skip(limit.unwrap_or(10)) {
            self.remove(Kind::ReplicaSet, &set.object.key());
        }
    }

    fn show_deployment(&mut self, deployment: &Arc<Object>, value: &Value) {
        let sets = self.sets_of(deployment);
        let hash = template_hash(&value["spec"]["template"]);
        let sum = |field: &str| -> i64 { sets.iter().map(|set| set.status(field)).sum() };
        let new = sets
            .iter()
            .find(|set| set.object.label("pod-template-hash") == Some(&hash));
        let counts = Counts {
            wanted: tree::number(value, "/spec/replicas").unwrap_or(1),
            total: sum("replicas"),
            updated: new.map_or(0, |set| set.status("replicas")),
            ready: sum("readyReplicas"),
            available: sum("availableReplicas"),
            set: new.map_or(String::new(), |set| set.object.name.clone()),
        };
        let now = self.time();
        let deadline = tree::number(value, "/spec/progressDeadlineSeconds").unwrap_or(600);
        let late = self.time_at(self.now - deadline * 1000);
        let status = counts.status(value, &now, &late);
        let is_moving = tree::list(&status, "/conditions").iter().any(|condition| {
            matches!(
                tree::text(condition, "/reason"),
                "ReplicaSetUpdated" | "NewReplicaSetCreated"
            )
        });
        if is_moving {
            let at = self.now + deadline * 1000 + 1_000;
            self.later(at, Task::Deployment(deployment.key()));
        }
        self.modify(
            Kind::Deployment,
            &deployment.key(),
            CONTROLLER,
            Door::Status,
            |value| {
                tree::set(value, "/status", status);
            },
        );
    }
}

/// A reference to the controller `object`.
pub(super) fn owner(object: &Object) -> Value {
    json!({"apiVersion": object.kind.api_version(), "kind": object.kind.facts().kind, "name": object.name,
        "uid": object.uid, "controller": true, "blockOwnerDeletion": true})
}

/// `pod-template-hash`: letters that stand for the digits of a hash, as the real controller draws them.
pub(super) fn template_hash(template: &Value) -> String {
    let hash = fnv64(template.to_string().as_bytes()) & 0xffff_ffff;
    let letters = b"bcdfghjklmnpqrstvwxz2456789";
    hash.to_string()
        .bytes()
        .map(|digit| char::from(letters[usize::from(digit) % letters.len()]))
        .collect()
}
