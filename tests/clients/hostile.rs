//! Objects that are wrong, huge or written to be obeyed by a terminal.

use serde_json::{Value, json};
use wheelhouse::estate::{Delta, FaultKind, Kind, Seen, policy};

use super::cockpit::{Telling, connect};
use super::kinds::pod;
use super::server::{Answer, Server, calm, event, list};

/// The object with every text replaced, and every `*` in a key, but what `kept` names and what other requests are made of.
fn poisoned(value: &Value, poison: &str, kept: &str) -> Value {
    const VERSIONS: [&str; 2] = ["resourceVersion", "creationTimestamp"];
    match value {
        Value::String(_) => json!(poison),
        Value::Array(items) => items.iter().map(|v| poisoned(v, poison, kept)).collect(),
        Value::Object(fields) => fields
            .iter()
            .map(|(key, v)| match key.as_str() {
                it if VERSIONS.contains(&it) || it == kept => (key.clone(), v.clone()),
                _ => (key.replace('*', poison), poisoned(v, poison, kept)),
            })
            .collect(),
        other => other.clone(),
    }
}

/// Every field that is read of an object's metadata.
fn hostile_metadata() -> Value {
    json!({"name": "x", "uid": "x", "resourceVersion": "9", "labels": {"a": "x", "*": "x", "app.kubernetes.io/managed-by": "x",
        "kubernetes.io/service-name": "x", "endpointslice.kubernetes.io/managed-by": "x", "helm.toolkit.fluxcd.io/name": "x"},
        "annotations": {"b": "x", "deployment.kubernetes.io/revision": "x", "meta.helm.sh/release-name": "x",
            "argocd.argoproj.io/tracking-id": "x", "wheelhouse.dev/epoch": "x", "wheelhouse.dev/*": "x"},
        "ownerReferences": [{"name": "x"}],
        "managedFields": [{"manager": "x", "operation": "x", "fieldsV1": {"f:spec": {"f:selector": {"f:*": {}}, "f:*": {}}}}]})
}

/// Of each kind an object with every field that is read, and the one that cannot be anything.
fn hostile() -> Vec<(Kind, Value, &'static str)> {
    let conditions = json!([{"type": "x", "status": "x", "reason": "x", "message": "x"}]);
    let template = json!({"metadata": {"labels": {"a": "x", "*": "x"}}, "spec": {"containers": [{"name": "x", "image": "x"}]}});
    let workload = json!({"spec": {"selector": {"matchLabels": {"a": "x", "*": "x"}}, "template": template},
        "status": {"conditions": conditions}});
    let utilisation = json!({"averageUtilization": 1});
    vec![
        (
            Kind::Pods,
            json!({"spec": {"nodeName": "x", "readinessGates": [{"conditionType": "x"}],
                "containers": [{"name": "x", "image": "x", "readinessProbe": {"exec": {"command": ["x"]}},
                    "ports": [{"name": "x", "containerPort": 1}]}]},
            "status": {"phase": "x", "reason": "x", "message": "x", "conditions": conditions,
                "containerStatuses": [{"name": "x", "imageID": "x", "state": {"waiting": {"reason": "x", "message": "x"}},
                    "lastState": {"terminated": {"reason": "x", "message": "x", "exitCode": 1}}}]}}),
            "",
        ),
        (
            Kind::Services,
            json!({"spec": {"type": "x", "selector": {"a": "x", "*": "x"},
                "ports": [{"name": "x", "port": 80, "targetPort": "x"}]}}),
            "",
        ),
        (
            Kind::EndpointSlices,
            json!({"endpoints": [{"addresses": ["x"], "targetRef": {"kind": "x", "name": "x", "uid": "x"}}]}),
            "",
        ),
        (Kind::Deployments, workload.clone(), ""),
        (Kind::ReplicaSets, workload, ""),
        (
            Kind::HorizontalPodAutoscalers,
            json!({"spec": {"scaleTargetRef": {"kind": "x", "name": "x"}, "maxReplicas": 2,
                "metrics": [{"type": "x", "resource": {"name": "x", "target": utilisation}}]},
            "status": {"conditions": conditions, "currentMetrics": [{"type": "x", "resource": {"name": "x", "current": utilisation}}]}}),
            "",
        ),
        // One of another kind of object is dropped.
        (
            Kind::Events,
            json!({"type": "x", "reason": "x", "message": "x", "involvedObject": {"kind": "Pod", "name": "x", "uid": "x"}}),
            "kind",
        ),
        (
            Kind::Leases,
            json!({"spec": {"holderIdentity": "x", "leaseDurationSeconds": 60, "leaseTransitions": 1}}),
            "",
        ),
        // What their data say is cleaned by whoever reads an entry.
        (Kind::Records, json!({"data": {"*": "x", "x": "x"}}), ""),
        (
            Kind::Policy,
            json!({"data": {"*": "x", "freeze": "x", "tier": "x", "last": "x", "shop": "x"}}),
            "name",
        ),
    ]
}

/// Of each kind the object with its metadata.
fn whole() -> Vec<(Kind, Value, &'static str)> {
    let mut all = hostile();
    for (kind, full, _) in &mut all {
        full["metadata"] = hostile_metadata();
        if *kind == Kind::Policy {
            full["metadata"]["name"] = json!(policy::NAME);
        }
    }
    all
}

fn poison(bytes: usize) -> String {
    format!("\u{1b}]0;evil\u{7}\u{202e}\u{9b}31m{}", "w".repeat(bytes))
}

/// What is told of these objects, as it is shown; of the data of records whoever reads an entry cleans what it holds.
async fn told(kind: Kind, items: Vec<Value>) -> String {
    let server = Server::start(move |asked| match asked.lists(kind.plural()) {
        true => list("100", &items),
        false => calm(asked),
    })
    .await;
    let mut telling = Telling::of(&connect(&server.url).await, kind);
    telling.opened().await;
    for seen in &mut telling.seen {
        if let Seen::Records(Delta::Page(records)) = seen {
            records.iter_mut().for_each(|it| it.data.clear());
        }
    }
    serde_json::to_string(&telling.seen).unwrap()
}

fn assert_clean(shown: &str, what: &str) {
    let is_clean =
        !shown.contains("evil") && !shown.contains('\u{1b}') && !shown.contains("\\u001b");
    assert!(is_clean, "{what}");
    assert!(shown.len() < 40 * 4096, "{what}: {} bytes", shown.len());
}

#[tokio::test]
async fn k14_escape_sequences_and_much_text_in_all_fields_at_once_come_out_clean_and_short() {
    for (kind, full, kept) in whole() {
        let item = poisoned(&full, &poison(1 << 16), kept);
        let shown = told(kind, vec![item]).await;
        assert!(
            shown.contains("<U+202E>"),
            "hidden characters are shown: {kind:?}"
        );
        assert_clean(&shown, kind.word());
    }
}

/// The places of all texts of an object that may be replaced.
fn places(value: &Value, kept: &str) -> Vec<String> {
    let of = |key: &str, value: &Value| {
        let key = key.replace('~', "~0").replace('/', "~1");
        let below = places(value, kept).into_iter();
        below
            .map(|place| format!("/{key}{place}"))
            .collect::<Vec<_>>()
    };
    match value {
        Value::String(_) => vec![String::new()],
        Value::Array(items) => (items.iter().enumerate())
            .flat_map(|(n, item)| of(&n.to_string(), item))
            .collect(),
        Value::Object(fields) => (fields.iter())
            .filter(|(key, _)| {
                !["resourceVersion", "creationTimestamp", kept].contains(&key.as_str())
            })
            .flat_map(|(key, value)| of(key, value))
            .collect(),
        _ => Vec::new(),
    }
}

#[tokio::test]
async fn k14_escape_sequences_and_a_mebibyte_in_every_field_come_out_clean_and_short() {
    let text = json!(poison(1 << 20));
    for (kind, full, kept) in whole() {
        for some in places(&full, kept).chunks(8) {
            let one = |place: &String| {
                let mut item = full.clone();
                *item.pointer_mut(place).unwrap() = text.clone();
                item
            };
            let shown = told(kind, some.iter().map(one).collect()).await;
            assert_clean(&shown, &format!("{} {some:?}", kind.word()));
        }
    }
}

#[tokio::test]
async fn one_object_that_cannot_be_read_does_not_take_its_list_along() {
    for wrong in [
        json!({"metadata": {"name": "bad", "resourceVersion": "9"}, "spec": {"containers": "none"}}),
        json!({"metadata": {"name": "bad", "resourceVersion": "9"}, "status": {"containerStatuses": [{"restartCount": -1}]}}),
        json!({"metadata": {"name": "bad", "creationTimestamp": "yesterday"}}),
        json!({"metadata": {"resourceVersion": "9"}}),
        json!({"metadata": null}),
        json!({"metadata": ["bad"]}),
        json!("bad"),
        json!(null),
    ] {
        let items = [pod("a"), wrong.clone(), pod("b")];
        let server = Server::start(move |asked| match asked.lists("pods") {
            true => list("100", &items),
            false => calm(asked),
        })
        .await;
        let mut pods = Telling::of(&connect(&server.url).await, Kind::Pods);
        let fault = pods.fault().await;
        assert_eq!(fault.kind, FaultKind::Malformed, "{wrong}");
        assert!(
            fault.what.starts_with("1 of the pods cannot be read"),
            "{}",
            fault.what
        );
        assert!(
            matches!(&pods.seen[1], Seen::Pods(Delta::Page(page)) if page.len() == 2),
            "{wrong}: {:?}",
            pods.seen
        );
        assert_eq!(pods.seen[2], Seen::Pods(Delta::Ended));
    }
}

#[tokio::test]
async fn a_feed_with_an_object_that_cannot_be_read_opens_once_it_can() {
    let bad = json!({"metadata": {"name": "a", "resourceVersion": "101"}, "spec": 5});
    let mut good = pod("a");
    good["metadata"]["resourceVersion"] = json!("102");
    let lines = [event("MODIFIED", &bad), event("MODIFIED", &good)];
    let server = Server::start(move |asked| match asked.watches("pods") {
        true if asked.count == 1 => Answer::Lines(lines[..1].to_vec()),
        true => Answer::Lines(lines[1..].to_vec()),
        false => calm(asked),
    })
    .await;
    let cluster = connect(&server.url).await;
    let mut pods = Telling::of(&cluster, Kind::Pods);
    assert_eq!(pods.fault().await.kind, FaultKind::Malformed);
    pods.seen.clear();
    cluster.resume_watches();
    pods.opened().await;
    assert!(
        matches!(
            &pods.seen[..],
            [Seen::Pods(Delta::Changes(_)), Seen::Opened(_)]
        ),
        "the re-opened watch alone heals nothing: {:?}",
        pods.seen
    );
}

#[tokio::test]
async fn nulls_stand_for_absent() {
    let bare = json!({"metadata": {"name": "a", "resourceVersion": "9", "labels": null, "annotations": null, "ownerReferences": null,
        "creationTimestamp": null}, "spec": {"containers": null, "nodeName": null}, "status": {"conditions": null, "containerStatuses": null}});
    let server = Server::start(move |asked| match asked.lists("pods") {
        true => list("100", &[bare.clone(), json!({"metadata": {"name": "b"}})]),
        false => calm(asked),
    })
    .await;
    let mut pods = Telling::of(&connect(&server.url).await, Kind::Pods);
    pods.opened().await;
    assert!(matches!(&pods.seen[1], Seen::Pods(Delta::Page(page)) if page.len() == 2));
}
