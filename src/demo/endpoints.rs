//! The EndpointSlice controller, and the garbage collector.

use super::fields::Author;
use super::kind::Kind;
use super::store::{Key, Object};
use super::tree;
use super::world::World;
use super::write::{Door, Farewell};
use serde_json::{Value, json};
use std::sync::Arc;

const CONTROLLER: &str = "kube-controller-manager";

impl World {
    /// Makes the slice of a Service say which pods its selector picks, and how they are.
    pub(super) fn reconcile_endpoints(&mut self, key: &Key) {
        let Some(service) = self.store.get(Kind::Service, &key.0, &key.1) else {
            return;
        };
        let value = service.value();
        let selector = tree::strings(&value, "/spec/selector");
        if selector.is_empty() {
            return;
        }
        let is_picked =
            |pod: &&Arc<Object>| pod.carries(&selector) && !pod.field("status.podIP").is_empty();
        let pods: Vec<Arc<Object>> = self
            .store
            .list(Kind::Pod, &key.0)
            .filter(is_picked)
            .cloned()
            .collect();
        let endpoints: Vec<Value> = pods.iter().map(|pod| endpoint(pod)).collect();
        let spec = pods.first().map(|pod| pod.value());
        let ports: Vec<Value> = tree::list(&value, "/spec/ports")
            .iter()
            .map(|port| port_of(port, spec.as_ref()))
            .collect();
        let ports = if pods.is_empty() { Vec::new() } else { ports };
        let slice = self
            .store
            .owned(&service.uid)
            .into_iter()
            .find(|object| object.kind == Kind::EndpointSlice);
        let Some(slice) = slice else {
            let body = slice_of(&service, endpoints, ports);
            // A Service that is being deleted gets no slice: the collector takes what it owns.
            let _ = self.create(
                Kind::EndpointSlice,
                &key.0,
                body,
                &Author::named(CONTROLLER),
            );
            return;
        };
        self.modify(
            Kind::EndpointSlice,
            &slice.key(),
            CONTROLLER,
            Door::Main,
            |value| {
                tree::set(value, "/endpoints", endpoints);
                tree::set(value, "/ports", ports);
            },
        );
    }

    /// Deletes what the owner with this uid leaves behind.
    pub(super) fn collect(&mut self, uid: &str) {
        for object in self.store.owned(uid) {
            let has_other = object
                .owners
                .iter()
                .any(|owner| owner != uid && self.store.find(owner).is_some());
            if !has_other {
                let _ = self.delete(object.kind, &object.key(), &Farewell::default());
            }
        }
    }

    /// Lets the dependents of `uid` stand without their owner.
    pub(super) fn orphan(&mut self, uid: &str) {
        for object in self.store.owned(uid) {
            self.modify(
                object.kind,
                &object.key(),
                CONTROLLER,
                Door::Main,
                |value| {
                    tree::list_mut(value, "/metadata/ownerReferences")
                        .retain(|owner| owner["uid"] != uid);
                },
            );
        }
    }
}

fn slice_of(service: &Object, endpoints: Vec<Value>, ports: Vec<Value>) -> Value {
    json!({
        "metadata": {
            "generateName": format!("{}-", service.name),
            "labels": {
                "kubernetes.io/service-name": service.name,
                "endpointslice.kubernetes.io/managed-by": "endpointslice-controller.k8s.io",
            },
            "ownerReferences": [super::deployments::owner(service)],
        },
        "addressType": "IPv4", "endpoints": endpoints, "ports": ports,
    })
}

fn endpoint(pod: &Object) -> Value {
    json!({
        "addresses": [pod.field("status.podIP")],
        "conditions": {
            "ready": pod.is_ready && !pod.is_deleting, "serving": pod.is_ready, "terminating": pod.is_deleting,
        },
        "nodeName": pod.field("spec.nodeName"),
        "targetRef": {"kind": "Pod", "namespace": pod.namespace, "name": pod.name, "uid": pod.uid},
    })
}

/// The port of a slice: a named target port is looked up in the pod.
fn port_of(port: &Value, pod: Option<&Value>) -> Value {
    let number = match &port["targetPort"] {
        Value::String(name) => {
            let containers = pod.map_or(&[][..], |pod| tree::list(pod, "/spec/containers"));
            let mut ports = containers
                .iter()
                .flat_map(|container| tree::list(container, "/ports"));
            ports
                .find(|port| port["name"] == name.as_str())
                .map_or(Value::Null, |port| port["containerPort"].clone())
        }
        number => number.clone(),
    };
    let name = port.get("name").cloned().unwrap_or_else(|| json!(""));
    json!({"name": name, "port": number, "protocol": port["protocol"]})
}
