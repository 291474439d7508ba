//! Who asks the plane for something, and what they may.

use super::{Plane, settings};
use kube::config::{KubeConfigOptions, Kubeconfig};
use std::path::{Path, PathBuf};

impl Plane {
    /// A kubeconfig file of somebody who may do everything.
    pub fn kubeconfig_admin(&self) -> PathBuf {
        self.kubeconfig_for("admin")
    }

    /// A kubeconfig file of `viewer`, `operator`, `other` or a made `identity`, who may do what
    /// `grant` or a Role's binding gave them.
    pub fn kubeconfig_for(&self, user: &str) -> PathBuf {
        let path = kubeconfig(&self.folder, user);
        assert!(path.exists(), "nobody is called {user}");
        path
    }

    /// The text of that file.
    pub fn kubeconfig_yaml(&self, user: &str) -> String {
        std::fs::read_to_string(self.kubeconfig_for(user)).unwrap()
    }

    /// A client of that user's, on the runtime of the caller.
    pub async fn client_for(&self, user: &str) -> kube::Client {
        client_of(&self.folder, user).await
    }

    /// Somebody new with a client certificate of their own, as two operators on two bastions have;
    /// in a group, since that is what the shipped Roles are bound to. The same name gives the same
    /// person, who may do nothing until something is bound to them or their group.
    pub fn identity(&self, name: &str, group: &str) -> PathBuf {
        let path = kubeconfig(&self.folder, name);
        if !path.exists() {
            settings::write_person(&self.folder, &self.pki, self.ports, name, group);
            std::fs::write(path.with_extension("group"), group).unwrap();
        }
        if let Ok(known) = std::fs::read_to_string(path.with_extension("group")) {
            assert_eq!(
                known, group,
                "{name} is of another group already: take another name"
            );
        }
        path
    }

    /// Gives a user a ClusterRole (`view` and `edit` are always there) in one namespace.
    pub fn grant(&self, user: &str, role: &str, namespace: &str) {
        self.apply_yaml(
            namespace,
            &format!(
                "apiVersion: rbac.authorization.k8s.io/v1\nkind: RoleBinding\n\
                 metadata: {{name: {user}-{role}}}\n\
                 roleRef: {{apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: {role}}}\n\
                 subjects: [{{apiGroup: rbac.authorization.k8s.io, kind: User, name: {user}}}]\n"
            ),
        );
    }
}

fn kubeconfig(folder: &Path, user: &str) -> PathBuf {
    folder.join(format!("{user}.kubeconfig"))
}

/// A client of whoever has a kubeconfig there, on the runtime of the caller.
pub async fn client_of(folder: &Path, user: &str) -> kube::Client {
    let file = Kubeconfig::read_from(kubeconfig(folder, user)).unwrap();
    let options = KubeConfigOptions::default();
    let mut config = kube::Config::from_custom_kubeconfig(file, &options)
        .await
        .unwrap();
    // kube repeats even a POST up to 15 times; a test wants to see the answer.
    config.default_retry = false;
    config.proxy_url = None;
    kube::Client::try_from(config).unwrap()
}
