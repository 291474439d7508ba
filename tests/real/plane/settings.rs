//! The files that the programs of a plane read when they start, and the ports between them.

use super::pki::{Identity, PEOPLE, Pki, write};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// The script that builds the programs, and says in which folder they are.
const BUILD: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/real/controlplane/build");

/// One line for each request, whoever made it, once it is answered.
const AUDIT: &str = "apiVersion: audit.k8s.io/v1\nkind: Policy\n\
                     omitStages: [RequestReceived]\nrules: [{level: Metadata}]\n";

/// The ports of one plane.
#[derive(Clone, Copy)]
pub struct Ports {
    /// etcd's clients.
    pub etcd: u16,
    /// The API server.
    pub api: u16,
    /// Every kubelet.
    pub kubelet: u16,
}

impl Ports {
    /// Three that nobody listens on.
    pub fn free() -> Ports {
        // All are held until all are known, so that they differ.
        let held = [(); 3].map(|()| TcpListener::bind("127.0.0.1:0").unwrap());
        let [etcd, api, kubelet] = held.each_ref().map(|it| it.local_addr().unwrap().port());
        Ports { etcd, api, kubelet }
    }

    /// Where the API server listens, as a kubeconfig names it.
    pub fn api_url(self) -> String {
        format!("https://127.0.0.1:{}", self.api)
    }
}

/// The folder with the programs. To build takes minutes, so that is never done behind your back.
pub fn programs() -> PathBuf {
    let found = Command::new(BUILD)
        .arg("--find")
        .stderr(Stdio::inherit())
        .output()
        .unwrap_or_else(|why| panic!("{BUILD}: {why}"));
    assert!(
        found.status.success(),
        "the control plane is not built; build it with:\n\n    tests/real/controlplane/build\n"
    );
    PathBuf::from(String::from_utf8(found.stdout).unwrap().trim_end())
}

/// Writes the audit policy and a kubeconfig for each program and person.
pub fn write_settings(folder: &Path, pki: &Pki, ports: Ports) {
    write(&folder.join("audit-policy.yaml"), AUDIT);
    let programs = [
        ("admin", "admin", Some("system:masters")),
        ("kwok", "kwok", Some("system:masters")),
        ("scheduler", "system:kube-scheduler", None),
        ("controller-manager", "system:kube-controller-manager", None),
    ];
    for (file, user, group) in programs {
        let login = certificate_login(&pki.client(user, group));
        write_kubeconfig(folder, pki, ports, file, &login);
    }
    for person in PEOPLE {
        let login = format!("token: {}", Pki::token(person));
        write_kubeconfig(folder, pki, ports, person, &login);
    }
}

/// Writes the kubeconfig of one more person, who has a certificate and is of a group.
pub fn write_person(folder: &Path, pki: &Pki, ports: Ports, name: &str, group: &str) {
    let login = certificate_login(&pki.client(name, Some(group)));
    write_kubeconfig(folder, pki, ports, name, &login);
}

fn certificate_login(identity: &Identity) -> String {
    format!(
        "client-certificate-data: {}, client-key-data: {}",
        BASE64.encode(&identity.certificate),
        BASE64.encode(&identity.key)
    )
}

fn write_kubeconfig(folder: &Path, pki: &Pki, ports: Ports, user: &str, login: &str) {
    let text = format!(
        "apiVersion: v1\nkind: Config\ncurrent-context: real\n\
         contexts:\n- name: real\n  context: {{cluster: real, user: {user}}}\n\
         clusters:\n- name: real\n  cluster: {{server: {}, certificate-authority-data: {}}}\n\
         users:\n- name: {user}\n  user: {{{login}}}\n",
        quoted(&ports.api_url()),
        BASE64.encode(pki.authority()),
    );
    // Whole or not at all: tests that share a plane may name the same person at the same time.
    let new = folder.join(format!("{user}.{:?}.new", std::thread::current().id()));
    write(&new, &text);
    std::fs::rename(new, folder.join(format!("{user}.kubeconfig"))).unwrap();
}

fn quoted(text: &str) -> String {
    format!("{text:?}")
}

/// Packs the data of an ended etcd into a file, whole or not at all.
pub fn pack(folder: &Path, into: &Path) {
    let new = into.with_extension(format!("new-{}", std::process::id()));
    tar("-czf", &new, folder);
    std::fs::rename(new, into).unwrap();
}

/// Puts packed data where etcd will look for it.
pub fn unpack(data: &Path, folder: &Path) {
    tar("-xzf", data, folder);
}

fn tar(what: &str, file: &Path, folder: &Path) {
    let mut tar = Command::new("tar");
    tar.arg(what).arg(file).arg("-C").arg(folder).arg("etcd");
    assert!(tar.status().unwrap().success(), "{tar:?}");
}
