//! What the simulated pods say and where their ports lead: kwok takes both from objects.

use super::{Plane, pki::write};
use std::net::SocketAddr;

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
