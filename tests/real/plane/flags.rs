//! The command lines of the five programs. Everything listens on 127.0.0.1; every path is absolute.

use super::pki::Pki;
use super::settings::Ports;
use std::path::Path;

/// Where and as whom the programs run.
pub struct Ground<'a> {
    /// The plane's folder.
    pub folder: &'a Path,
    /// The folder with the programs.
    pub bin: &'a Path,
    /// Its certificates.
    pub pki: &'a Pki,
    /// Its ports.
    pub ports: Ports,
}

impl Ground<'_> {
    /// One member, and no `fsync`: a plane need not survive the machine.
    pub fn etcd(&self) -> Vec<String> {
        let url = format!("http://127.0.0.1:{}", self.ports.etcd);
        let peer = "http://127.0.0.1:0";
        vec![
            "--name=default".into(),
            format!("--data-dir={}", self.file("etcd")),
            format!("--listen-client-urls={url}"),
            format!("--advertise-client-urls={url}"),
            format!("--listen-peer-urls={peer}"),
            format!("--initial-advertise-peer-urls={peer}"),
            format!("--initial-cluster=default={peer}"),
            "--unsafe-no-fsync".into(),
            "--quota-backend-bytes=8589934592".into(),
            "--log-level=warn".into(),
        ]
    }

    /// RBAC, certificates and tokens, and a line of audit for each request.
    pub fn api_server(&self) -> Vec<String> {
        let pki = |file| self.pki.path(file).display().to_string();
        vec![
            format!("--etcd-servers=http://127.0.0.1:{}", self.ports.etcd),
            "--bind-address=127.0.0.1".into(),
            "--advertise-address=127.0.0.1".into(),
            format!("--secure-port={}", self.ports.api),
            // There is one API server; the lease of its endpoint would outlive a kill.
            "--endpoint-reconciler-type=none".into(),
            "--service-cluster-ip-range=10.96.0.0/16".into(),
            "--authorization-mode=RBAC".into(),
            format!("--client-ca-file={}", pki("ca.pem")),
            format!("--tls-cert-file={}", pki("serving.pem")),
            format!("--tls-private-key-file={}", pki("serving.key")),
            format!("--token-auth-file={}", pki("tokens.csv")),
            "--service-account-issuer=https://kubernetes.default.svc".into(),
            format!("--service-account-key-file={}", pki("accounts.pem")),
            format!("--service-account-signing-key-file={}", pki("accounts.key")),
            "--kubelet-preferred-address-types=InternalIP".into(),
            format!("--audit-policy-file={}", self.file("audit-policy.yaml")),
            format!("--audit-log-path={}", self.file("audit.log")),
            // Rotated away, a line would be missing: 4 GB come first.
            "--audit-log-maxsize=4096".into(),
            "--profiling=false".into(),
        ]
    }

    /// Every loop as its own service account, as in a real cluster, so that audit names it.
    pub fn controller_manager(&self) -> Vec<String> {
        vec![
            format!("--kubeconfig={}", self.kubeconfig("controller-manager")),
            "--leader-elect=false".into(),
            "--bind-address=127.0.0.1".into(),
            "--secure-port=0".into(),
            "--use-service-account-credentials=true".into(),
            format!(
                "--service-account-private-key-file={}",
                self.pki.path("accounts.key").display()
            ),
            format!("--root-ca-file={}", self.pki.path("ca.pem").display()),
            "--kube-api-qps=500".into(),
            "--kube-api-burst=1000".into(),
            "--concurrent-deployment-syncs=20".into(),
            "--concurrent-replicaset-syncs=20".into(),
        ]
    }

    /// Places pods as fast as it can.
    pub fn scheduler(&self) -> Vec<String> {
        vec![
            format!("--kubeconfig={}", self.kubeconfig("scheduler")),
            "--leader-elect=false".into(),
            "--bind-address=127.0.0.1".into(),
            "--secure-port=0".into(),
            "--kube-api-qps=500".into(),
            "--kube-api-burst=1000".into(),
        ]
    }

    /// The kubelet of every node.
    pub fn kwok(&self) -> Vec<String> {
        let port = self.ports.kubelet;
        vec![
            format!("--kubeconfig={}", self.kubeconfig("kwok")),
            format!("--config={}", self.bin.join("kwok.yaml").display()),
            "--manage-all-nodes=true".into(),
            "--node-ip=127.0.0.1".into(),
            format!("--node-port={port}"),
            format!("--server-address=127.0.0.1:{port}"),
            format!("--tls-cert-file={}", self.pki.path("serving.pem").display()),
            format!(
                "--tls-private-key-file={}",
                self.pki.path("serving.key").display()
            ),
            "--cidr=10.64.0.1/10".into(),
            "--node-lease-duration-seconds=40".into(),
            "--enable-crds=Logs,ClusterLogs,PortForward,ClusterPortForward".into(),
        ]
    }

    fn file(&self, name: &str) -> String {
        self.folder.join(name).display().to_string()
    }

    fn kubeconfig(&self, user: &str) -> String {
        self.file(&format!("{user}.kubeconfig"))
    }
}
