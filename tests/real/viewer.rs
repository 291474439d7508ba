//! Somebody with nothing but the shipped Roles: in one namespace (assets/kubernetes/viewer.yaml), and where
//! the records of its operations are kept (assets/kubernetes/records.yaml).

use crate::cockpit::{Cockpit, LONG, line_of, names_of, records_of, row_of};
use crate::estate::Home;
use crate::fleet;
use crate::plane::Plane;
use crate::shipped;
use k8s_openapi::api::authentication::v1::{TokenRequest, TokenRequestSpec};
use k8s_openapi::api::core::v1::ServiceAccount;
use kube::api::{Api, PostParams};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::path::PathBuf;

pub const ROLE: &str = include_str!("../../assets/kubernetes/viewer.yaml");

/// A Digital Wall and somebody new who may do in its namespace what `role` says, and nothing else.
pub struct Watcher {
    plane: &'static Plane,
    namespace: &'static str,
    pub kubeconfig: PathBuf,
    _home: Home,
}

impl Watcher {
    pub fn new(namespace: &'static str, role: &str) -> Self {
        let plane = Plane::shared();
        fleet::digital_wall(plane, namespace);
        fleet::wait_available(plane, namespace);
        fleet::await_all_traffic(plane, namespace);
        plane.apply_yaml(
            namespace,
            "apiVersion: v1\nkind: ServiceAccount\nmetadata: {name: watcher}\n",
        );
        plane.apply_yaml(namespace, &bound(role, namespace));
        let records = records_of(namespace);
        plane.namespace(&records);
        plane.apply_yaml(&records, &bound(&shipped::records_viewer(), namespace));
        let home = Home::new();
        let kubeconfig = home.write("kubeconfig", &kubeconfig(plane, namespace));
        Self {
            plane,
            namespace,
            kubeconfig,
            _home: home,
        }
    }

    fn cockpit(&self) -> Cockpit {
        Cockpit::start(&self.kubeconfig, self.namespace)
    }

    /// Every request of theirs that the API server has answered.
    fn asked(&self) -> Vec<Value> {
        let user = format!("system:serviceaccount:{}:watcher", self.namespace);
        let asked = self.plane.audited_of(&user).into_iter();
        asked.map(|it| it.line).collect()
    }
}

/// The file with that subject instead of the group that it ships with, as its head asks.
fn bound(role: &str, namespace: &str) -> String {
    let shipped =
        "  - kind: Group\n    apiGroup: rbac.authorization.k8s.io\n    name: release-watch\n";
    assert!(role.contains(shipped), "the subject has changed");
    role.replace(
        shipped,
        &format!("  - {{kind: ServiceAccount, name: watcher, namespace: {namespace}}}\n"),
    )
}

/// With a token of the account's own.
fn kubeconfig(plane: &Plane, namespace: &str) -> String {
    let accounts: Api<ServiceAccount> = Api::namespaced(plane.client(), namespace);
    let request = TokenRequest {
        spec: TokenRequestSpec::default(),
        ..TokenRequest::default()
    };
    let made = plane.run(async {
        let params = PostParams::default();
        accounts
            .create_token_request("watcher", &params, &request)
            .await
    });
    let token = made.unwrap().status.unwrap().token;
    let file = kube::config::Kubeconfig::from_yaml(&plane.kubeconfig_yaml("viewer")).unwrap();
    let mut file = serde_json::to_value(file).unwrap();
    file["users"][0]["user"] = json!({"token": token});
    file.to_string()
}

/// `get pods`, or the path of what is no resource.
fn words_of(asked: &Value) -> String {
    let word = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let object = &asked["objectRef"];
    match object["subresource"].as_str() {
        _ if object.is_null() => word(&asked["requestURI"]),
        Some(sub) => format!(
            "{} {}/{sub}",
            word(&asked["verb"]),
            word(&object["resource"])
        ),
        None => format!("{} {}", word(&asked["verb"]), word(&object["resource"])),
    }
}

#[test]
fn the_shipped_role_is_enough_for_every_screen_and_nothing_beyond_it_is_asked() {
    let watcher = Watcher::new("viewer-all", ROLE);
    let cockpit = watcher.cockpit();
    cockpit.wait_whole();
    let name = names_of(
        watcher.plane,
        watcher.namespace,
        "digital-wall-blue-frontend-",
    )
    .remove(0);
    cockpit.wait("HPAs, endpoints, ages and revisions", LONG, |text| {
        let blue = line_of(text, "BLUE");
        text.contains("HPA ") && blue.contains("endpoints 3+2") && text.contains("revision 1")
    });
    cockpit.pty.send("0g\r");
    cockpit.wait_words(&["─ Service  digital-wall-service", "Field managers", &name]);
    cockpit.pty.send("q2g\r");
    cockpit.wait_words(&[
        "─ Deployment  digital-wall-blue-frontend",
        "ScalingReplicaSet",
    ]);
    cockpit.pty.send("q");
    cockpit.select_pod(&name);
    cockpit.pty.send("\r");
    cockpit.wait_words(&[&format!("─ Pod  {name}"), "Scheduled"]);
    cockpit.pty.send("o");
    cockpit.wait_words(&[&format!("─ Log  {name}"), "listening on :8000"]);
    let (status, code) = cockpit.status();
    assert_eq!(
        (status["verdict"].as_str(), code),
        (Some("OK"), 0),
        "{status:#}"
    );
    assert!(
        !cockpit.pty.text().contains("forbid"),
        "{}",
        cockpit.pty.text()
    );

    let asked = watcher.asked();
    for line in &asked {
        let (object, code) = (&line["objectRef"], &line["responseStatus"]["code"]);
        assert!(code.as_u64().unwrap() < 400, "refused: {line:#}");
        let is_record = object["resource"] == "configmaps";
        let place = match is_record {
            true => records_of(watcher.namespace),
            false => watcher.namespace.to_owned(),
        };
        assert!(
            object["namespace"] == place.as_str() || line["requestURI"] == "/version",
            "beyond the namespace: {line:#}"
        );
    }
    let words: BTreeSet<_> = asked.iter().map(words_of).collect();
    let kinds = ["pods", "services", "events", "deployments", "replicasets"];
    let kinds = kinds
        .into_iter()
        .chain(["endpointslices", "horizontalpodautoscalers"])
        .chain(["leases", "configmaps"]);
    let both = kinds.flat_map(|kind| [format!("list {kind}"), format!("watch {kind}")]);
    let others = ["get pods/log", "/version"].map(str::to_owned);
    assert_eq!(words, both.chain(others).collect());
}

#[test]
fn without_events_their_place_says_forbidden_and_the_rest_is_live() {
    let role = ROLE.replace("[pods, services, events]", "[pods, services]");
    assert_ne!(role, ROLE);
    let watcher = Watcher::new("viewer-no-events", &role);
    let cockpit = watcher.cockpit();
    cockpit.wait("Digital Wall without events", LONG, |text| {
        let is_whole = |word| line_of(text, word).contains("ready 5/5");
        is_whole("BLUE") && is_whole("GREEN") && line_of(text, "BLUE").contains("endpoints 3+2")
    });
    cockpit.wait_words(&["k8s live ? events unseen"]);
    let text = cockpit.pty.text();
    assert!(
        !text.contains("NO DATA") && !text.contains("STALE"),
        "{text}"
    );
    let name = names_of(
        watcher.plane,
        watcher.namespace,
        "digital-wall-blue-frontend-",
    )
    .remove(0);
    assert!(row_of(&text, &name).contains("✓"), "{text}");
    cockpit.select_pod(&name);
    cockpit.pty.send("\r");
    cockpit.wait_words(&[
        &format!("─ Pod  {name}"),
        "running",
        "forbidden: list events",
    ]);
    // Health does not hang on events.
    let (status, code) = cockpit.status();
    assert_eq!(
        (status["verdict"].as_str(), code),
        (Some("OK"), 0),
        "{status:#}"
    );
    let feeds = status["feeds"].as_array().unwrap().iter();
    let forbidden = feeds.filter(|feed| feed["fault"]["kind"] == "forbidden");
    let forbidden: Vec<_> = forbidden.map(|feed| feed["kind"].clone()).collect();
    assert_eq!(forbidden, [json!("events")]);
}

#[test]
fn without_the_records_and_leases_the_rest_is_live_and_well() {
    let rule = "  - apiGroups: [coordination.k8s.io]\n    resources: [leases]\n    verbs: [get, list, watch]\n";
    let role = ROLE.replace(rule, "");
    assert_ne!(role, ROLE);
    let watcher = Watcher::new("viewer-no-records", &role);
    let records = records_of(watcher.namespace);
    let none = shipped::records_viewer().replace("verbs: [get, list, watch]", "verbs: [create]");
    watcher
        .plane
        .apply_yaml(&records, &bound(&none, watcher.namespace));
    let cockpit = watcher.cockpit();
    cockpit.wait_whole();
    cockpit.wait_words(&["k8s live ? leases +2 unseen"]);
    let (status, code) = cockpit.status();
    assert_eq!(
        (status["verdict"].as_str(), code),
        (Some("OK"), 0),
        "{status:#}"
    );
    let feeds = status["feeds"].as_array().unwrap().iter();
    let forbidden = feeds.filter(|feed| feed["fault"]["kind"] == "forbidden");
    let forbidden: Vec<_> = forbidden.map(|feed| feed["kind"].clone()).collect();
    let unread = ["leases", "records", "policy"];
    assert_eq!(forbidden, unread.map(|kind| json!(kind)));
}

#[test]
fn without_logs_the_log_says_forbidden_and_the_rest_is_live() {
    let rule = "  - apiGroups: [\"\"]\n    resources: [pods/log]\n    verbs: [get]\n";
    let role = ROLE.replace(rule, "");
    assert_ne!(role, ROLE);
    let watcher = Watcher::new("viewer-no-logs", &role);
    let cockpit = watcher.cockpit();
    cockpit.wait_whole();
    let name = names_of(
        watcher.plane,
        watcher.namespace,
        "digital-wall-blue-frontend-",
    )
    .remove(0);
    cockpit.select_pod(&name);
    cockpit.pty.send("o");
    cockpit.wait_words(&[
        &format!("─ Log  {name}"),
        "forbidden: get pods/log",
        "k8s live",
    ]);
}

#[test]
fn without_pods_their_panel_says_forbidden_and_what_is_live_is_still_told() {
    let role = ROLE.replace("[pods, services, events]", "[services, events]");
    assert_ne!(role, ROLE);
    let watcher = Watcher::new("viewer-no-pods", &role);
    let cockpit = watcher.cockpit();
    cockpit.wait_words(&["forbidden: list pods", "version=blue", "? pods unseen"]);
    cockpit.wait("who is live", LONG, |text| {
        // Not 0: what may not be seen is not missing.
        line_of(text, "BLUE").contains("● LIVE   ready ?/5    endpoints ?")
            && line_of(text, "frontend").starts_with("frontend  ?/3")
    });
    let text = cockpit.pty.text();
    assert!(!text.contains("no ready endpoint"), "{text}");
    let (status, code) = cockpit.status();
    assert_eq!(
        (status["verdict"].as_str(), code),
        (Some("UNKNOWN"), 3),
        "{status:#}"
    );
}
