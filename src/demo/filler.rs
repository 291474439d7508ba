//! Thousands of pods that are simply there: how a large estate weighs on a client, and its churn.

use super::clock;
use super::kind::Kind;
use super::object::{Key, Object, bare};
use super::pods::image_id;
use super::queue::Task;
use super::random::hex_of;
use super::seed;
use super::world::World;
use super::{deployments, tree};
use axum::body::Bytes;
use serde_json::{Value, json};
use std::sync::Arc;

/// Pods of one filler Deployment.
const REPLICAS: usize = 20;
/// How often churn comes, in milliseconds.
const BEAT: i64 = 20;
/// When the fillers were made.
const AGE: i64 = 5 * 3_600_000;

impl World {
    /// Adds fillers to production until there are about `pods` pods.
    pub(super) fn fill(&mut self, pods: usize) {
        let missing = pods.saturating_sub(self.store.list(Kind::Pod, "").count());
        for number in 0..missing.div_ceil(REPLICAS) {
            let replicas = REPLICAS.min(missing - number * REPLICAS);
            self.fill_deployment(&format!("filler-{number:02}"), replicas);
        }
    }

    fn fill_deployment(&mut self, name: &str, replicas: usize) {
        let labels = json!({"app.kubernetes.io/part-of": "digital-wall", "app.kubernetes.io/instance": name, "part": "filler"});
        let container = seed::container("production", name, "backend", 8000);
        let template = json!({"metadata": {"labels": labels}, "spec": {
            "containers": [container], "volumes": volumes(name), "restartPolicy": "Always",
            "terminationGracePeriodSeconds": 30, "serviceAccountName": "default",
        }});
        let hash = deployments::template_hash(&template);
        let selector = json!({"app.kubernetes.io/instance": name});
        let status = json!({"replicas": replicas, "readyReplicas": replicas, "availableReplicas": replicas, "observedGeneration": 1});
        let since = clock::rfc3339(self.epoch, -AGE);
        let revision = json!({"deployment.kubernetes.io/revision": "1"});
        let mut deployment = json!({
            "apiVersion": "apps/v1", "kind": "Deployment",
            "metadata": {"name": name, "namespace": "production", "labels": labels, "annotations": revision},
            "spec": {
                "replicas": replicas, "selector": {"matchLabels": selector}, "template": template,
                "progressDeadlineSeconds": 600, "revisionHistoryLimit": 10,
                "strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": "25%", "maxUnavailable": "25%"}},
            },
            "status": status,
        });
        tree::set(&mut deployment, "/status/updatedReplicas", replicas);
        tree::set(
            &mut deployment,
            "/status/conditions",
            json!([
                {"type": "Available", "status": "True", "reason": "MinimumReplicasAvailable",
                    "message": "Deployment has minimum availability.", "lastTransitionTime": since, "lastUpdateTime": since},
                {"type": "Progressing", "status": "True", "reason": "NewReplicaSetAvailable",
                    "message": format!("ReplicaSet \"{name}-{hash}\" has successfully progressed."),
                    "lastTransitionTime": since, "lastUpdateTime": since},
            ]),
        );
        let deployment = self.place(Kind::Deployment, deployment, &since);
        let mut marked = template.clone();
        tree::set(
            &mut marked,
            "/metadata/labels/pod-template-hash",
            hash.clone(),
        );
        let set = json!({
            "apiVersion": "apps/v1", "kind": "ReplicaSet",
            "metadata": {"name": format!("{name}-{hash}"), "namespace": "production", "annotations": revision,
                "labels": marked["metadata"]["labels"], "ownerReferences": [deployments::owner(&deployment)]},
            "spec": {"replicas": replicas, "template": marked, "selector": {"matchLabels": {
                "app.kubernetes.io/instance": name, "pod-template-hash": hash}}},
            "status": status,
        });
        let set = self.place(Kind::ReplicaSet, set, &since);
        self.fill_pods(&set, &marked, replicas, &since);
    }

    /// Stores an object as it is, past the controllers.
    fn place(&mut self, kind: Kind, mut value: Value, since: &str) -> Arc<Object> {
        tree::set(&mut value, "/metadata/uid", self.random.uuid());
        tree::set(&mut value, "/metadata/generation", 1);
        tree::set(&mut value, "/metadata/creationTimestamp", since);
        tree::set(
            &mut value,
            "/metadata/resourceVersion",
            self.store.next_version().to_string(),
        );
        let object = Object::new(kind, &value);
        let change = self.store.put(object);
        change
            .after
            .unwrap_or_else(|| Arc::new(Object::new(kind, &value)))
    }

    /// Pods from one text with holes: thousands must not take seconds to make.
    fn fill_pods(&mut self, set: &Object, template: &Value, replicas: usize, since: &str) {
        let mut pod = pod(set, template, since);
        let text = bare(&pod);
        for _ in 0..replicas {
            let (name, uid) = (
                format!("{}-{}", set.name, self.random.suffix(5)),
                self.random.uuid(),
            );
            let (address, version) = (self.address(), self.store.next_version().to_string());
            let node = format!("worker-{}", self.random.range(1, 4));
            let holes = [
                ("@NAME@", &name),
                ("@UID@", &uid),
                ("@IP@", &address),
                ("@VERSION@", &version),
                ("@NODE@", &node),
            ];
            let bytes = holes.iter().fold(text.clone(), |text, (hole, value)| {
                text.replace(hole, value)
            });
            for (pointer, value) in [
                ("/metadata/name", &name),
                ("/metadata/uid", &uid),
                ("/status/podIP", &address),
                ("/metadata/resourceVersion", &version),
                ("/spec/nodeName", &node),
            ] {
                tree::set(&mut pod, pointer, value.clone());
            }
            self.fillers.push(("production".to_owned(), name));
            self.store
                .put(Object::cut(Kind::Pod, &pod, Bytes::from(bytes)));
        }
    }

    /// Touches so many random fillers that the wanted rate comes out.
    pub(super) fn churn_pods(&mut self) {
        let beats = 1000 / BEAT;
        let (whole, rest) = (i64::from(self.churn) / beats, i64::from(self.churn) % beats);
        let count = whole + i64::from(self.random.range(0, beats) < rest);
        for _ in 0..count {
            let index =
                usize::try_from(self.random.next() % self.fillers.len().max(1) as u64).unwrap_or(0);
            if let Some(key) = self.fillers.get(index).cloned() {
                self.touch(&key);
            }
        }
        self.later(self.now + BEAT, Task::Churn);
    }

    fn touch(&mut self, key: &Key) {
        let Some(pod) = self.store.get(Kind::Pod, &key.0, &key.1) else {
            return;
        };
        let mut value = pod.value();
        let time = self.time();
        let salt = self.random.hex(8);
        for condition in tree::list_mut(&mut value, "/status/conditions") {
            if condition["type"] == "ContainersReady" {
                tree::set(condition, "/lastProbeTime", time.clone());
                tree::set(condition, "/message", format!("probe {salt}"));
            }
        }
        self.keep(Kind::Pod, value, false);
    }
}

fn volumes(name: &str) -> Value {
    let volumes = (0..4).map(
        |number| json!({"name": format!("cache-{number}"), "emptyDir": {"sizeLimit": "256Mi"}}),
    );
    let config = json!({"name": "config", "configMap": {"name": format!("{name}-config"), "defaultMode": 420}});
    let token = json!({"name": "kube-api-access", "projected": {"defaultMode": 420, "sources": [
        {"serviceAccountToken": {"expirationSeconds": 3607, "path": "token"}},
        {"configMap": {"name": "kube-root-ca.crt", "items": [{"key": "ca.crt", "path": "ca.crt"}]}},
        {"downwardAPI": {"items": [{"path": "namespace", "fieldRef": {"apiVersion": "v1", "fieldPath": "metadata.namespace"}}]}},
    ]}});
    Value::Array(volumes.chain([config, token]).collect())
}

fn pod(set: &Object, template: &Value, since: &str) -> Value {
    let image = tree::text(template, "/spec/containers/0/image").to_owned();
    let condition = |name: &str| json!({"type": name, "status": "True", "lastProbeTime": null, "lastTransitionTime": since});
    let names = [
        "PodReadyToStartContainers",
        "Initialized",
        "Ready",
        "ContainersReady",
        "PodScheduled",
    ];
    let conditions = names.map(condition).to_vec();
    let mut spec = template["spec"].clone();
    tree::set(&mut spec, "/nodeName", "@NODE@");
    let mounts = (0..4).map(|number| json!({"name": format!("cache-{number}"), "mountPath": format!("/var/cache/{number}")}));
    if let Some(container) = tree::list_mut(&mut spec, "/containers").first_mut() {
        tree::set(container, "/volumeMounts", mounts.collect::<Vec<_>>());
        let env = tree::list_mut(container, "/env");
        env.extend((0..6).map(|number| json!({"name": format!("FEATURE_{number:02}"), "value": hex_of(&number.to_string(), 24)})));
    }
    let mut pod = json!({
        "apiVersion": "v1", "kind": "Pod",
        "metadata": {
            "name": "@NAME@", "generateName": format!("{}-", set.name), "namespace": "production", "uid": "@UID@",
            "resourceVersion": "@VERSION@", "generation": 1, "creationTimestamp": since,
            "labels": template["metadata"]["labels"], "ownerReferences": [deployments::owner(set)],
        },
        "spec": spec,
        "status": {
            "phase": "Running", "qosClass": "Burstable", "podIP": "@IP@", "podIPs": [{"ip": "@IP@"}], "startTime": since,
            "hostIP": "10.0.1.11",
            "conditions": conditions,
            "containerStatuses": [{
                "name": "backend", "image": image, "imageID": image_id(&image), "ready": true, "started": true,
                "containerID": format!("containerd://{}", hex_of(&set.uid, 64)), "restartCount": 0,
                "state": {"running": {"startedAt": since}}, "lastState": {},
            }],
        },
    });
    super::fields::record(
        &Value::Null,
        &mut pod,
        &super::fields::Author::named("kube-controller-manager"),
        "",
        since,
    );
    pod
}
