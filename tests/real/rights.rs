//! What a viewer sees with the shipped Role, and with less.

use std::time::Duration;

use k8s_openapi::api::core::v1::Pod;
use kube::api::{Api, ListParams};

use crate::estate::{Home, program};
use crate::fleet;
use crate::plane::Plane;
use crate::pty::{Pty, text_of};

const SIZE: (u16, u16) = (140, 40);
const LONG: Duration = Duration::from_secs(60);

/// A configuration for one namespace of the plane, seen by `user`.
fn config(home: &Home, plane: &Plane, namespace: &str, user: &str) -> String {
    let kubeconfig = plane.kubeconfig_for(user).display().to_string();
    let text = format!(
        r#"title = "digital-wall"
[[environment]]
name = "{namespace}"
tier = "production"
kubeconfig = "{kubeconfig}"
namespace = "{namespace}"
selector = "{part_of}"
[environment.traffic]
key = "version"
colours = ["blue", "green"]
services = ["digital-wall-service", "digital-wall-api"]
[[environment.workload]]
name = "frontend"
labels = {{ part = "frontend" }}
[[environment.workload]]
name = "backend"
labels = {{ part = "backend" }}
"#,
        part_of = fleet::PART_OF
    );
    home.write("config.toml", &text).display().to_string()
}

/// The cockpit on `namespace`, as `user`.
struct Cockpit {
    pty: Pty,
    home: Home,
    config: String,
}

impl Cockpit {
    fn start(plane: &Plane, namespace: &str, user: &str) -> Self {
        let home = Home::new();
        let config = config(&home, plane, namespace, user);
        let (name, value) = home.env();
        let pty = Pty::spawn(&program(), &["--config", &config], &[(name, &value)], SIZE);
        Self { pty, home, config }
    }

    /// Waits until everything of `words` is on the screen at once.
    fn sees(&self, words: &[&str]) {
        self.pty.wait_for(&words.join(" + "), LONG, |screen, _| {
            let text = text_of(screen);
            words.iter().all(|word| text.contains(word))
        });
    }

    /// `status --json` of the same configuration.
    fn status(&self) -> (serde_json::Value, Option<i32>) {
        let args = ["--config", &self.config, "status", "--json"];
        let output: std::process::Output = self.home.command(&args).output().unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        (serde_json::from_str(&text).unwrap(), output.status.code())
    }
}

fn digital_wall(plane: &Plane, namespace: &str) {
    fleet::digital_wall(plane, namespace);
    fleet::wait_available(plane, namespace);
}

fn pods_of(plane: &Plane, namespace: &str, labels: &str) -> Vec<String> {
    let pods: Api<Pod> = Api::namespaced(plane.client(), namespace);
    let found = plane.run(async { pods.list(&ListParams::default().labels(labels)).await });
    found
        .unwrap()
        .items
        .into_iter()
        .filter_map(|p| p.metadata.name)
        .collect()
}

#[test]
fn a_viewer_with_the_shipped_role_sees_all_of_it_and_asks_for_nothing_else() {
    let plane = Plane::shared();
    let here = "cockpit-viewer";
    digital_wall(plane, here);
    let cockpit = Cockpit::start(plane, here, "viewer");
    cockpit.sees(&[
        "● LIVE   ready 5/5",
        "endpoints 3+2",
        "k8s live",
        "10 pods",
        "HPA",
    ]);
    let pod = pods_of(plane, here, "part=backend,version=blue").remove(0);
    cockpit.pty.send(format!("/{pod}\r\ro"));
    cockpit.sees(&["Log  ", "ready"]);

    let log = std::fs::read_to_string(plane.audit_log()).unwrap();
    let lines: Vec<serde_json::Value> = log
        .lines()
        .filter_map(|l| serde_json::from_str(l).ok())
        .collect();
    let asked: Vec<_> = lines
        .iter()
        .filter(|l| {
            l["user"]["username"] == "viewer"
                && l["userAgent"]
                    .as_str()
                    .is_some_and(|a| a.contains("heelhouse"))
        })
        .collect();
    assert!(
        asked.iter().any(|l| l["objectRef"]["namespace"] == here),
        "the audit log names us"
    );
    for line in asked.iter().filter(|l| l["objectRef"]["namespace"] == here) {
        assert_ne!(line["responseStatus"]["code"], 403, "{line:#}");
    }
    // Nothing of the cluster but its version, which every authenticated user may ask for.
    for line in asked
        .iter()
        .filter(|l| l["objectRef"]["namespace"].is_null())
    {
        assert_eq!(line["requestURI"], "/version", "{line:#}");
    }
}

#[test]
fn what_a_viewer_may_not_see_is_named_and_the_rest_works() {
    let plane = Plane::shared();
    let here = "cockpit-less";
    digital_wall(plane, here);
    // The shipped Role without autoscalers.
    let shipped = include_str!("../../assets/kubernetes/viewer.yaml");
    let less = shipped.replace(
        "resources: [horizontalpodautoscalers]",
        "resources: [nothing]",
    );
    assert_ne!(less, shipped);
    plane.apply_yaml(here, &less);
    let cockpit = Cockpit::start(plane, here, "viewer");
    cockpit.sees(&["● LIVE   ready 5/5", "endpoints 3+2"]);
    let (status, code) = cockpit.status();
    let feeds = status["environments"][0]["feeds"].as_array().unwrap();
    let of = |kind: &str| feeds.iter().find(|f| f["kind"] == kind).unwrap();
    let fault = &of("horizontalpodautoscalers")["fault"];
    assert_eq!(fault["kind"], "forbidden", "{status:#}");
    let words = fault["what"].as_str().unwrap();
    assert!(
        words.contains("horizontalpodautoscalers") && words.contains("list"),
        "{words}"
    );
    assert_eq!(of("pods")["currency"], "live");
    assert_eq!(code, Some(0), "health does not hang on autoscalers");
}
