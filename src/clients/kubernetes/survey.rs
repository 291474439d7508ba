//! A look around a cluster that nothing is known of yet: its namespaces, Services and Deployments, as
//! far as one may see them. Read once, page by page; nothing is watched.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use futures::stream::{StreamExt as _, TryStreamExt as _, iter};
use http::Method;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer};

use super::Cluster;
use super::kubeconfig::read_file;
use crate::estate::{Fault, FaultKind, Labels, Safe};

/// Objects of a page.
const PAGE: usize = 500;
/// Namespaces that are asked at once, and at most, where one may not ask for all of them together.
const AT_ONCE: usize = 8;
const NAMESPACES: usize = 200;

/// A context of the kubeconfig.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Context {
    /// Its name.
    pub name: String,
    /// Its own namespace.
    pub namespace: Option<String>,
    /// Its server, as the kubeconfig has it.
    pub server: String,
    /// Whether it is the current one.
    pub is_current: bool,
}

/// What there is, as far as one may see it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Survey {
    /// Names and uids; a uid is empty where the namespaces may not be listed.
    pub namespaces: Vec<(Safe, Safe)>,
    /// Services.
    pub services: Vec<FoundService>,
    /// Deployments.
    pub deployments: Vec<FoundDeployment>,
    /// What could not be seen, in words.
    pub unseen: Vec<Safe>,
}

/// A Service.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct FoundService {
    /// Its namespace.
    pub namespace: Safe,
    /// Its name.
    pub name: Safe,
    /// Its labels.
    pub labels: Labels,
    /// Its selector.
    pub selector: Labels,
    /// Names and numbers of its ports.
    pub ports: Vec<(Safe, u16)>,
    /// Whether it is headless.
    pub is_headless: bool,
}

/// A Deployment.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct FoundDeployment {
    /// Its namespace.
    pub namespace: Safe,
    /// Its name.
    pub name: Safe,
    /// The labels of its pods.
    pub pod_labels: Labels,
    /// The images of its containers.
    pub images: Vec<Safe>,
}

/// The contexts of the kubeconfig; none for `$KUBECONFIG` or `~/.kube/config`. Blocks: files only.
///
/// # Errors
/// Why the kubeconfig cannot be read.
pub fn contexts(kubeconfig: Option<&Path>) -> Result<Vec<Context>, Fault> {
    let read = read_file(kubeconfig)?;
    let server = |cluster: &str| {
        let named = read.clusters.iter().find(|c| c.name == cluster);
        let server = named.and_then(|c| c.cluster.as_ref()?.server.clone());
        server.unwrap_or_default()
    };
    let context = |named: &kube::config::NamedContext| {
        let context = named.context.as_ref()?;
        Some(Context {
            name: named.name.clone(),
            namespace: context.namespace.clone().filter(|n| !n.is_empty()),
            server: server(&context.cluster),
            is_current: read.current_context.as_ref() == Some(&named.name),
        })
    };
    Ok(read.contexts.iter().filter_map(context).collect())
}

impl Cluster {
    /// Looks around: everywhere where that is allowed, else in the namespace of this connection.
    ///
    /// # Errors
    /// Where nothing can be seen at all: why.
    pub async fn survey(&self, limit: Duration) -> Result<Survey, Fault> {
        let mut survey = Survey::default();
        match self.all::<Named>("/api/v1/namespaces", limit).await {
            Ok(found) => {
                let named = |n: Named| (n.metadata.name, n.metadata.uid);
                survey.namespaces = found.into_iter().map(named).collect();
            }
            Err(fault) if fault.kind == FaultKind::Forbidden => {
                let own = Safe::new(self.namespace());
                let words = format!("namespaces may not be listed: only {own} was looked at");
                survey.unseen.push(Safe::new(&words));
                survey.namespaces.push((own, "".into()));
            }
            Err(fault) => return Err(fault),
        }
        let services = self.everywhere(&survey.namespaces, "/api/v1", "services", limit);
        let deployments =
            self.everywhere(&survey.namespaces, "/apis/apps/v1", "deployments", limit);
        let (services, deployments) = futures::join!(services, deployments);
        let (services, deployments) = match (services, deployments) {
            (Err(fault), Err(_)) => return Err(fault),
            both => both,
        };
        let mut seen = Vec::new();
        survey.services = told(services, &mut seen)
            .into_iter()
            .map(Service::found)
            .collect();
        survey.deployments = told(deployments, &mut seen)
            .into_iter()
            .map(Deployment::found)
            .collect();
        survey.unseen.append(&mut seen);
        Ok(survey)
    }

    /// All of a kind with one question, or, where that is forbidden, namespace by namespace.
    async fn everywhere<T: DeserializeOwned>(
        &self,
        namespaces: &[(Safe, Safe)],
        group: &str,
        plural: &str,
        limit: Duration,
    ) -> Result<Vec<T>, Fault> {
        let has_all = namespaces.iter().all(|(_, uid)| !uid.is_empty());
        if has_all {
            match self.all(&format!("{group}/{plural}"), limit).await {
                Err(fault) if fault.kind == FaultKind::Forbidden => {}
                done => return done,
            }
        }
        let parts = namespaces.iter().take(NAMESPACES).map(|(name, _)| {
            let path = format!("{group}/namespaces/{name}/{plural}");
            async move {
                match self.all::<T>(&path, limit).await {
                    // One of many namespaces: what one may not see there is not shown.
                    Err(fault) if fault.kind == FaultKind::Forbidden && has_all => Ok(Vec::new()),
                    done => done,
                }
            }
        });
        let parts: Vec<Vec<T>> = iter(parts).buffered(AT_ONCE).try_collect().await?;
        Ok(parts.into_iter().flatten().collect())
    }

    async fn all<T: DeserializeOwned>(&self, path: &str, limit: Duration) -> Result<Vec<T>, Fault> {
        let (mut all, mut next) = (Vec::new(), String::new());
        loop {
            let page = reqwest::Url::parse_with_params(
                "http://here",
                [("limit", PAGE.to_string()), ("continue", next)],
            );
            let query = page.ok().and_then(|url| url.query().map(str::to_owned));
            let path = format!("{path}?{}", query.unwrap_or_default());
            let answer = self.ask(Method::GET, &path, Vec::new(), limit).await?;
            let mut list: List<T> = self.parsed(&answer)?;
            all.append(&mut list.items);
            next = list.metadata.next;
            if next.is_empty() {
                return Ok(all);
            }
        }
    }
}

fn told<T>(seen: Result<Vec<T>, Fault>, unseen: &mut Vec<Safe>) -> Vec<T> {
    seen.unwrap_or_else(|fault| {
        unseen.push(fault.what);
        Vec::new()
    })
}

#[derive(Deserialize)]
struct List<T> {
    #[serde(default)]
    metadata: ListMeta,
    #[serde(
        deserialize_with = "nullable",
        bound(deserialize = "T: Deserialize<'de>")
    )]
    items: Vec<T>,
}

#[derive(Default, Deserialize)]
struct ListMeta {
    #[serde(default, rename = "continue", deserialize_with = "nullable")]
    next: String,
}

#[derive(Deserialize)]
struct Named {
    metadata: Meta,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Meta {
    name: Safe,
    namespace: Safe,
    uid: Safe,
    #[serde(deserialize_with = "nullable")]
    labels: BTreeMap<Safe, Safe>,
}

#[derive(Deserialize)]
struct Service {
    metadata: Meta,
    #[serde(default)]
    spec: ServiceSpec,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct ServiceSpec {
    #[serde(deserialize_with = "nullable")]
    selector: BTreeMap<Safe, Safe>,
    #[serde(deserialize_with = "nullable")]
    ports: Vec<Port>,
    #[serde(rename = "clusterIP")]
    cluster_ip: Option<String>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Port {
    name: Safe,
    port: u16,
}

#[derive(Deserialize)]
struct Deployment {
    metadata: Meta,
    #[serde(default)]
    spec: DeploymentSpec,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct DeploymentSpec {
    template: Template,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Template {
    metadata: Meta,
    spec: PodSpec,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct PodSpec {
    #[serde(deserialize_with = "nullable")]
    containers: Vec<Container>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Container {
    image: Safe,
}

/// Go sends null for what is empty.
fn nullable<'de, D: Deserializer<'de>, T: Deserialize<'de> + Default>(
    from: D,
) -> Result<T, D::Error> {
    Ok(Option::deserialize(from)?.unwrap_or_default())
}

impl Service {
    fn found(self) -> FoundService {
        let ports = self.spec.ports.into_iter();
        FoundService {
            namespace: self.metadata.namespace,
            name: self.metadata.name,
            labels: self.metadata.labels.into_iter().collect(),
            selector: self.spec.selector.into_iter().collect(),
            ports: ports.map(|port| (port.name, port.port)).collect(),
            is_headless: self.spec.cluster_ip.as_deref() == Some("None"),
        }
    }
}

impl Deployment {
    fn found(self) -> FoundDeployment {
        let template = self.spec.template;
        let containers = template.spec.containers.into_iter();
        FoundDeployment {
            namespace: self.metadata.namespace,
            name: self.metadata.name,
            pod_labels: template.metadata.labels.into_iter().collect(),
            images: containers.map(|container| container.image).collect(),
        }
    }
}
