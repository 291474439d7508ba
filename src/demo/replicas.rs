//! The ReplicaSet controller: as many pods as wanted, and their count in the status.

use super::deployments::owner;
use super::fields::Author;
use super::kind::Kind;
use super::queue::Task;
use super::store::{Key, Object};
use super::tree;
use super::world::World;
use super::write::{Door, Farewell};
use serde_json::{Value, json};
use std::sync::Arc;

const CONTROLLER: &str = "kube-controller-manager";

impl World {
    /// Makes or ends pods, and counts them.
    pub(super) fn reconcile_replicas(&mut self, key: &Key) {
        let Some(set) = self
            .store
            .get(Kind::ReplicaSet, &key.0, &key.1)
            .filter(|set| !set.is_deleting)
        else {
            return;
        };
        let value = set.value();
        let wanted =
            usize::try_from(tree::number(&value, "/spec/replicas").unwrap_or(1)).unwrap_or(0);
        let mut pods = self.pods_of(&set);
        if pods.len() < wanted {
            for _ in pods.len()..wanted {
                self.make_pod(&set, &value);
            }
        } else if pods.len() > wanted {
            // Those that serve least go first; among equals the youngest.
            pods.sort_by_key(|pod| (pod.is_ready, std::cmp::Reverse(pod.version)));
            for pod in pods.iter().take(pods.len() - wanted) {
                self.end_replica(&set, pod);
            }
        }
        self.show_replicas(&set, &value);
    }

    fn pods_of(&self, set: &Object) -> Vec<Arc<Object>> {
        let is_active = |pod: &Arc<Object>| {
            pod.kind == Kind::Pod
                && !pod.is_deleting
                && !matches!(pod.field("status.phase"), "Failed" | "Succeeded")
        };
        self.store
            .owned(&set.uid)
            .into_iter()
            .filter(is_active)
            .collect()
    }

    fn make_pod(&mut self, set: &Object, value: &Value) {
        let template = &value["spec"]["template"];
        let mut body = json!({"metadata": template["metadata"], "spec": template["spec"]});
        tree::set(
            &mut body,
            "/metadata/generateName",
            format!("{}-", set.name),
        );
        tree::set(&mut body, "/metadata/ownerReferences", json!([owner(set)]));
        if let Ok(pod) = self.create(Kind::Pod, &set.namespace, body, &Author::named(CONTROLLER)) {
            let message = format!("Created pod: {}", pod.name);
            self.tell(
                set,
                "Normal",
                "SuccessfulCreate",
                &message,
                "replicaset-controller",
            );
        }
    }

    fn end_replica(&mut self, set: &Object, pod: &Object) {
        let message = format!("Deleted pod: {}", pod.name);
        if self
            .delete(Kind::Pod, &pod.key(), &Farewell::default())
            .is_ok()
        {
            self.tell(
                set,
                "Normal",
                "SuccessfulDelete",
                &message,
                "replicaset-controller",
            );
        }
    }

    fn show_replicas(&mut self, set: &Object, value: &Value) {
        let pods = self.pods_of(set);
        let ready: Vec<&Arc<Object>> = pods.iter().filter(|pod| pod.is_ready).collect();
        let patience = tree::number(value, "/spec/minReadySeconds").unwrap_or(0);
        let mut available = ready.len();
        if patience > 0 {
            let since = self.time_at(self.now - patience * 1000);
            available = ready
                .iter()
                .filter(|pod| ready_since(pod).is_some_and(|time| time <= since))
                .count();
            if available < ready.len() {
                self.later(self.now + 1_000, Task::ReplicaSet(set.key()));
            }
        }
        let mut status =
            json!({"replicas": pods.len(), "observedGeneration": value["metadata"]["generation"]});
        let fields = [
            ("fullyLabeledReplicas", pods.len()),
            ("readyReplicas", ready.len()),
            ("availableReplicas", available),
        ];
        for (field, count) in fields.into_iter().filter(|(_, count)| *count > 0) {
            status[field] = json!(count);
        }
        self.modify(
            Kind::ReplicaSet,
            &set.key(),
            CONTROLLER,
            Door::Status,
            |value| {
                tree::set(value, "/status", status);
            },
        );
    }
}

fn ready_since(pod: &Object) -> Option<String> {
    let value = pod.value();
    let conditions = tree::list(&value, "/status/conditions");
    let ready = conditions
        .iter()
        .find(|condition| condition["type"] == "Ready")?;
    Some(tree::text(ready, "/lastTransitionTime").to_owned())
}
