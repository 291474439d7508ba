//! Tables as `kubectl get` prints them.

use super::kind::Kind;
use super::shape;
use super::store::Object;
use super::tree;
use serde_json::{Value, json};

/// The table of `objects`.
pub(super) fn table(kind: Kind, objects: &[&Object], version: &str) -> Value {
    let columns = columns(kind).iter().map(|name| {
        let format = if *name == "Name" { "name" } else { "" };
        let column = if matches!(*name, "Age" | "Last Seen") {
            "date"
        } else {
            "string"
        };
        json!({"name": name, "type": column, "format": format, "description": "", "priority": 0})
    });
    let rows = objects
        .iter()
        .map(|object| json!({"cells": cells(object), "object": shape::metadata(object)}));
    json!({
        "kind": "Table", "apiVersion": "meta.k8s.io/v1", "metadata": {"resourceVersion": version},
        "columnDefinitions": columns.collect::<Vec<_>>(), "rows": rows.collect::<Vec<_>>(),
    })
}

fn columns(kind: Kind) -> &'static [&'static str] {
    match kind {
        Kind::Pod => &["Name", "Ready", "Status", "Restarts", "IP", "Node", "Age"],
        Kind::Deployment => &["Name", "Ready", "Up-to-date", "Available", "Age"],
        Kind::ReplicaSet => &["Name", "Desired", "Current", "Ready", "Age"],
        Kind::Service => &["Name", "Type", "Cluster-IP", "Selector", "Ports", "Age"],
        Kind::Autoscaler => &["Name", "Reference", "MinPods", "MaxPods", "Replicas", "Age"],
        Kind::Event => &["Name", "Last Seen", "Type", "Reason", "Object", "Message"],
        Kind::Lease => &["Name", "Holder", "Age"],
        _ => &["Name", "Age"],
    }
}

fn cells(object: &Object) -> Vec<Value> {
    let value = object.value();
    let text = |pointer: &str| json!(tree::text(&value, pointer));
    let count = |pointer: &str| json!(tree::number(&value, pointer).unwrap_or(0).to_string());
    let (name, age) = (json!(object.name), text("/metadata/creationTimestamp"));
    match object.kind {
        Kind::Pod => {
            let states = tree::list(&value, "/status/containerStatuses");
            let ready = states.iter().filter(|state| state["ready"] == true).count();
            let total = tree::list(&value, "/spec/containers").len();
            let restarts: i64 = states
                .iter()
                .filter_map(|state| tree::number(state, "/restartCount"))
                .sum();
            let ready = json!(format!("{ready}/{total}"));
            let (address, node) = (text("/status/podIP"), text("/spec/nodeName"));
            vec![
                name,
                ready,
                json!(pod_status(object, &value)),
                json!(restarts.to_string()),
                address,
                node,
                age,
            ]
        }
        Kind::Deployment => {
            let ready = tree::number(&value, "/status/readyReplicas").unwrap_or(0);
            let wanted = tree::number(&value, "/spec/replicas").unwrap_or(0);
            let ready = json!(format!("{ready}/{wanted}"));
            vec![
                name,
                ready,
                count("/status/updatedReplicas"),
                count("/status/availableReplicas"),
                age,
            ]
        }
        Kind::ReplicaSet => {
            vec![
                name,
                count("/spec/replicas"),
                count("/status/replicas"),
                count("/status/readyReplicas"),
                age,
            ]
        }
        Kind::Service => {
            let selector = tree::strings(&value, "/spec/selector");
            let selector: Vec<String> = selector
                .iter()
                .map(|(key, value)| format!("{key}={value}"))
                .collect();
            let ports = tree::list(&value, "/spec/ports").iter();
            let ports: Vec<String> = ports
                .map(|port| format!("{}/{}", port["port"], tree::text(port, "/protocol")))
                .collect();
            let selector = json!(selector.join(","));
            vec![
                name,
                text("/spec/type"),
                text("/spec/clusterIP"),
                selector,
                json!(ports.join(",")),
                age,
            ]
        }
        Kind::Autoscaler => {
            let reference = json!(format!(
                "Deployment/{}",
                tree::text(&value, "/spec/scaleTargetRef/name")
            ));
            let (least, most) = (count("/spec/minReplicas"), count("/spec/maxReplicas"));
            vec![
                name,
                reference,
                least,
                most,
                count("/status/currentReplicas"),
                age,
            ]
        }
        Kind::Event => {
            let about = format!(
                "{}/{}",
                tree::text(&value, "/involvedObject/kind").to_lowercase(),
                tree::text(&value, "/involvedObject/name")
            );
            vec![
                name,
                text("/lastTimestamp"),
                text("/type"),
                text("/reason"),
                json!(about),
                text("/message"),
            ]
        }
        Kind::Lease => vec![name, text("/spec/holderIdentity"), age],
        _ => vec![name, age],
    }
}

fn pod_status(object: &Object, value: &Value) -> String {
    if object.is_deleting {
        return "Terminating".to_owned();
    }
    let reason = tree::list(value, "/status/containerStatuses")
        .iter()
        .find_map(|state| {
            ["/state/waiting/reason", "/state/terminated/reason"]
                .into_iter()
                .find_map(|pointer| state.pointer(pointer).and_then(Value::as_str))
        });
    reason
        .unwrap_or_else(|| tree::text(value, "/status/phase"))
        .to_owned()
}
