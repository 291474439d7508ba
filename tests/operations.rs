//! Operations as a process over the embedded estate: bad input, records that were tampered with, replies
//! that are lost or wrong, exit codes and the shapes of JSON. On the real control plane: tests/real/operations.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "tests: a failure is a panic"
)]

#[path = "operations/approval.rs"]
mod approval;
#[path = "operations/ci.rs"]
mod ci;
#[path = "operations/cleanup.rs"]
mod cleanup;
#[path = "operations/command.rs"]
mod command;
#[path = "operations/deploy.rs"]
mod deploy;
#[path = "support/estate.rs"]
mod estate;
#[path = "operations/freeze.rs"]
mod freeze;
#[path = "operations/gates.rs"]
mod gates;
#[path = "operations/held.rs"]
mod held;
#[path = "operations/helm.rs"]
mod helm;
#[path = "operations/hook.rs"]
mod hook;
#[path = "operations/input.rs"]
mod input;
#[path = "operations/kept.rs"]
mod kept;
#[path = "operations/killed.rs"]
mod killed;
#[path = "support/operator.rs"]
mod operator;
#[path = "support/relay.rs"]
mod relay;
#[path = "operations/release.rs"]
mod release;
#[path = "operations/replies.rs"]
mod replies;
#[path = "operations/smoke.rs"]
mod smoke;
#[path = "operations/soak.rs"]
mod soak;
#[path = "operations/speed.rs"]
mod speed;
#[path = "operations/stopped.rs"]
mod stopped;
#[path = "operations/taken.rs"]
mod taken;
#[path = "operations/verify.rs"]
mod verify;
#[path = "operations/workflow.rs"]
mod workflow;

use estate::Served;
use operator::{Operator, QUICK, SERVICES, wait};
use serde_json::Value;

/// A kubeconfig that leads to the estate as the user whom its path names; the operator where it names none.
fn kubeconfig(served: &Served, path: &str) -> std::path::PathBuf {
    served.home.write(
        &format!("admin{}.kubeconfig", path.replace('/', "-")),
        &format!(
            "apiVersion: v1\nkind: Config\ncurrent-context: demo\n\
             contexts:\n- name: demo\n  context: {{cluster: demo, user: demo}}\n\
             clusters:\n- name: demo\n  cluster: {{server: \"http://{}{path}\"}}\n\
             users:\n- name: demo\n  user: {{}}\n",
            served.addr
        ),
    )
}

/// An embedded estate, and somebody who operates on it.
struct Bench {
    served: Served,
    dave: Operator,
}

impl Bench {
    fn new() -> Self {
        let served = Served::start(&[]);
        let kubeconfig = kubeconfig(&served, "");
        let dave = Operator::new(&kubeconfig, "production", "production", QUICK);
        Self { served, dave }
    }

    /// Another person, at another bastion.
    fn erin(&self) -> Operator {
        let kubeconfig = kubeconfig(&self.served, "/as/demo-manager");
        Operator::new(&kubeconfig, "production", "production", QUICK)
    }

    /// A request of an admin, past everything.
    fn ask(&self, method: &str, path: &str, body: Option<&Value>) -> Value {
        let body = body.map(ToString::to_string).unwrap_or_default();
        let kind = match method {
            "PATCH" => "application/merge-patch+json",
            _ => "application/json",
        };
        let answer = estate::request(self.served.addr, method, path, kind, &body).unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        assert!(head.contains(" 20"), "{method} {path}: {answer}");
        serde_json::from_str(body).unwrap_or(Value::Null)
    }

    fn service(&self, name: &str) -> Value {
        self.ask(
            "GET",
            &format!("/api/v1/namespaces/production/services/{name}"),
            None,
        )
    }

    /// The colour that each Service selects.
    fn colours(&self) -> [String; 2] {
        SERVICES.map(|name| {
            let colour = &self.service(name)["spec"]["selector"]["version"];
            colour.as_str().unwrap_or_default().to_owned()
        })
    }

    /// Waits until the estate is as a cutover wants it.
    fn ready() -> Self {
        let bench = Self::new();
        wait("a plan", || {
            (bench.dave.run(&["cutover", "production", "--plan"]).code == 0).then_some(())
        });
        bench
    }

    /// Somebody else, at another bastion.
    fn colleague(&self) -> Operator {
        let kubeconfig = self.served.home.path().join("admin.kubeconfig");
        Operator::new(&kubeconfig, "production", "production", QUICK)
    }

    /// Patches a Deployment of production by a JSON Patch, past everything.
    fn patch_json(&self, name: &str, patch: &Value) {
        let path = format!("/apis/apps/v1/namespaces/production/deployments/{name}");
        let kind = "application/json-patch+json";
        let body = patch.to_string();
        let answer = estate::request(self.served.addr, "PATCH", &path, kind, &body).unwrap();
        assert!(answer.contains(" 200"), "{answer}");
    }

    fn deployment(&self, namespace: &str, name: &str) -> Value {
        let path = format!("/apis/apps/v1/namespaces/{namespace}/deployments/{name}");
        self.ask("GET", &path, None)
    }

    /// Scales both parts of GREEN to nothing, as an idle colour stands.
    fn idle_at_0(&self) {
        for part in ["frontend", "backend"] {
            let path = format!(
                "/apis/apps/v1/namespaces/production/deployments/digital-wall-green-{part}"
            );
            let patch = serde_json::json!({"spec": {"replicas": 0}});
            self.ask("PATCH", &path, Some(&patch));
        }
        wait("nothing of GREEN", || {
            let path = "/api/v1/namespaces/production/pods?labelSelector=version%3Dgreen";
            let pods = self.ask("GET", path, None)["items"].as_array().cloned();
            pods.is_some_and(|pods| pods.is_empty()).then_some(())
        });
    }

    /// Image and replicas of a Deployment of that colour, each part.
    fn runs(&self, colour: &str) -> [(String, i64); 2] {
        ["frontend", "backend"].map(|part| {
            let spec =
                &self.deployment("production", &format!("digital-wall-{colour}-{part}"))["spec"];
            let image = &spec["template"]["spec"]["containers"][0]["image"];
            (
                image.as_str().unwrap_or_default().to_owned(),
                spec["replicas"].as_i64().unwrap_or(-1),
            )
        })
    }

    /// The id of the newest operation, once its story says that.
    fn await_said(&self, words: &str) -> String {
        wait(words, || {
            let said = self.dave.run(&["op", "list", "production", "--json"]);
            let line: Value = serde_json::from_str(said.out.lines().next()?).ok()?;
            let id = line["id"].as_str()?.to_owned();
            self.dave.story(&id).contains(words).then_some(id)
        })
    }

    /// Deletes the Leases of both Services.
    fn tidy_leases(&self) {
        for service in SERVICES {
            let leases = "/apis/coordination.k8s.io/v1/namespaces/production/leases";
            let path = format!("{leases}/wheelhouse-service-{service}");
            self.ask("DELETE", &path, None);
        }
    }

    fn record_path(id: &str) -> String {
        format!("/api/v1/namespaces/production/configmaps/wheelhouse-{id}")
    }
}
