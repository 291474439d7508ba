//! What the simulated pods say, where their ports lead, and how they fare. kwok takes the first two
//! from objects; of a pod that runs it writes no status any more, so that a test may.

use super::{Plane, pki::write};
use k8s_openapi::api::core::v1::Pod;
use kube::api::{Api, Patch, PatchParams};
use serde_json::{Value, json};
use std::net::SocketAddr;

/// How a pod that has run fares from now on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Health {
    /// Its readiness probe passes.
    Ready,
    /// It runs, and the probe does not pass.
    Unready,
    /// Its containers end as soon as they start.
    Crashing,
}

/// What every pod says unless a test gives it something else to say.
const USUAL: [&str; 3] = ["starting", "listening on :8000", "ready"];

impl Plane {
    /// Gives every pod something to say; done once, when the plane starts.
    pub(super) fn speak(&self) {
        self.write_log("usual", &USUAL);
        self.apply_yaml(
            "kube-system",
            &format!(
                "apiVersion: kwok.x-k8s.io/v1alpha1\nkind: ClusterLogs\nmetadata: {{name: usual}}\n\
                 spec: {{logs: [{{logsFile: {:?}, previousLogsFile: {0:?}, follow: true}}]}}\n",
                self.log_file("usual")
            ),
        );
    }

    /// Lets one pod say these lines, from now on, in each of its containers.
    pub fn pod_says(&self, namespace: &str, pod: &str, lines: &[&str]) {
        let name = format!("{namespace}.{pod}");
        self.write_log(&name, lines);
        self.apply_yaml(
            namespace,
            &format!(
                "apiVersion: kwok.x-k8s.io/v1alpha1\nkind: Logs\nmetadata: {{name: {pod}}}\n\
                 spec: {{logs: [{{logsFile: {:?}, previousLogsFile: {0:?}, follow: true}}]}}\n",
                self.log_file(&name)
            ),
        );
    }

    /// Lets every port of one pod lead to an address, for `port-forward`.
    pub fn pod_leads(&self, namespace: &str, pod: &str, to: SocketAddr) {
        self.apply_yaml(
            namespace,
            &format!(
                "apiVersion: kwok.x-k8s.io/v1alpha1\nkind: PortForward\nmetadata: {{name: {pod}}}\n\
                 spec: {{forwards: [{{target: {{address: {}, port: {}}}}}]}}\n",
                to.ip(),
                to.port()
            ),
        );
    }

    /// Lets one pod fare so, as its kubelet would report it. The endpoints follow.
    pub fn pod_is(&self, namespace: &str, pod: &str, health: Health) {
        let pods: Api<Pod> = Api::namespaced(self.client(), namespace);
        let read = self.run(async { pods.get_status(pod).await }).unwrap();
        let read = serde_json::to_value(read).unwrap();
        let patch = Patch::Merge(json!({ "status": fared(&read["status"], health) }));
        let params = PatchParams::default();
        self.run(async { pods.patch_status(pod, &params, &patch).await })
            .unwrap();
    }

    fn log_file(&self, name: &str) -> std::path::PathBuf {
        self.folder().join("said").join(name)
    }

    /// In the format of container runtimes, which is what kubelets read.
    fn write_log(&self, name: &str, lines: &[&str]) {
        let text: String = lines
            .iter()
            .map(|line| format!("{} stdout F {line}\n", jiff::Timestamp::now()))
            .collect();
        let file = self.log_file(name);
        std::fs::create_dir_all(file.parent().unwrap()).unwrap();
        write(&file, &text);
    }
}

/// The parts of a status that health is seen by. A merge patch replaces lists whole.
fn fared(status: &Value, health: Health) -> Value {
    let now = jiff::Timestamp::now()
        .strftime("%Y-%m-%dT%H:%M:%SZ")
        .to_string();
    let is_ready = health == Health::Ready;
    let mut conditions = status["conditions"].clone();
    for condition in conditions.as_array_mut().into_iter().flatten() {
        if condition["type"] == "Ready" || condition["type"] == "ContainersReady" {
            condition["status"] = if is_ready { "True" } else { "False" }.into();
            condition["lastTransitionTime"] = now.as_str().into();
        }
    }
    let mut containers = status["containerStatuses"].clone();
    for container in containers.as_array_mut().into_iter().flatten() {
        container["ready"] = is_ready.into();
        container["state"] = json!({"running": {"startedAt": now}});
        if health == Health::Crashing {
            let restarts = container["restartCount"].as_u64().unwrap_or_default();
            container["restartCount"] = (restarts + 1).into();
            container["state"] = json!({"waiting": {"reason": "CrashLoopBackOff"}});
            container["lastState"] = json!({"terminated": {
                "exitCode": 1, "reason": "Error", "startedAt": now, "finishedAt": now,
            }});
        }
    }
    json!({"conditions": conditions, "containerStatuses": containers})
}
