//! Operations as a process over the embedded estate: bad input, records that were tampered with, replies
//! that are lost or wrong, exit codes and the shapes of JSON. On the real control plane: tests/real/operations.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "tests: a failure is a panic"
)]

#[path = "support/estate.rs"]
mod estate;
#[path = "operations/freeze.rs"]
mod freeze;
#[path = "operations/input.rs"]
mod input;
#[path = "operations/kept.rs"]
mod kept;
#[path = "support/operator.rs"]
mod operator;
#[path = "support/relay.rs"]
mod relay;
#[path = "operations/replies.rs"]
mod replies;
#[path = "operations/stopped.rs"]
mod stopped;

use estate::Served;
use operator::{Operator, QUICK, SERVICES, wait};
use serde_json::Value;

/// An embedded estate, and somebody who operates on it.
struct Bench {
    served: Served,
    dave: Operator,
}

impl Bench {
    fn new() -> Self {
        let served = Served::start(&[]);
        let kubeconfig = served.home.write(
            "admin.kubeconfig",
            &format!(
                "apiVersion: v1\nkind: Config\ncurrent-context: demo\n\
                 contexts:\n- name: demo\n  context: {{cluster: demo, user: demo}}\n\
                 clusters:\n- name: demo\n  cluster: {{server: \"http://{}\"}}\n\
                 users:\n- name: demo\n  user: {{}}\n",
                served.addr
            ),
        );
        let dave = Operator::new(&kubeconfig, "production", "production", QUICK);
        Self { served, dave }
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

    fn record_path(id: &str) -> String {
        format!("/api/v1/namespaces/production/configmaps/wheelhouse-{id}")
    }
}
