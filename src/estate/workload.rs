//! Kubernetes objects as far as the cockpit looks at them. Field names are the API's own.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{Keyed, Safe};

/// Labels or a selector: sorted pairs, shared by the many objects that carry the same.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(transparent)]
pub struct Labels(Arc<[(Safe, Safe)]>);

impl<'de> Deserialize<'de> for Labels {
    fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        Ok(Vec::<(Safe, Safe)>::deserialize(from)?
            .into_iter()
            .collect())
    }
}

impl FromIterator<(Safe, Safe)> for Labels {
    fn from_iter<I: IntoIterator<Item = (Safe, Safe)>>(pairs: I) -> Self {
        Self(
            pairs
                .into_iter()
                .collect::<BTreeMap<_, _>>()
                .into_iter()
                .collect(),
        )
    }
}

impl Labels {
    /// The value of `key`.
    pub fn get(&self, key: &str) -> Option<&Safe> {
        let place = self.0.binary_search_by(|(k, _)| k.as_str().cmp(key)).ok()?;
        Some(&self.0[place].1)
    }

    /// Whether every pair of `self`, read as a selector, is among `labels`. An empty one selects nothing,
    /// as a Service without a selector does.
    pub fn selects(&self, labels: &Self) -> bool {
        !self.0.is_empty() && self.0.iter().all(|(k, v)| labels.get(k) == Some(v))
    }

    /// The same map with `key` set to `value`.
    pub fn with(&self, key: &Safe, value: &Safe) -> Self {
        let pairs = self.0.iter().cloned();
        pairs.chain([(key.clone(), value.clone())]).collect()
    }

    /// The pairs, sorted by key.
    pub fn iter(&self) -> impl Iterator<Item = &(Safe, Safe)> {
        self.0.iter()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// Named ports of a pod's containers, shared by the many pods that have the same.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(transparent)]
pub struct Ports(Arc<[(Safe, u16)]>);

impl FromIterator<(Safe, u16)> for Ports {
    fn from_iter<I: IntoIterator<Item = (Safe, u16)>>(ports: I) -> Self {
        Self(ports.into_iter().collect())
    }
}

impl Ports {
    /// The number behind `name`, of the first container that has it, as the API resolves it.
    pub fn get(&self, name: &str) -> Option<u16> {
        let named = self.0.iter().find(|(known, _)| known.as_str() == name);
        named.map(|(_, number)| *number)
    }

    /// Names and numbers, in the order of the spec.
    pub fn iter(&self) -> impl Iterator<Item = &(Safe, u16)> {
        self.0.iter()
    }
}

/// An image as it runs: what was asked for and what was pulled.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub struct Image {
    /// As in the spec: repository, tag or digest.
    pub name: Safe,
    /// `sha256:…` as pulled, once it was.
    pub digest: Option<Safe>,
}

/// Digits of a commit's hash that are enough to know it by.
const HASH: usize = 7;
/// What some builders put before the hash in a tag.
const PREFIX: &str = "sha-";

impl Image {
    /// What a spec names; which digest that is nobody knows yet.
    pub fn named(name: Safe) -> Self {
        Self { name, digest: None }
    }

    /// The tag, or the digest's head where the spec names nothing but a digest, or `latest`.
    pub fn tag(&self) -> &str {
        match self.parts() {
            (Some(tag), _) => tag,
            (None, Some(digest)) => digest,
            (None, None) => "latest",
        }
    }

    /// The tag and the digest's head that the spec names: `v42@sha256:…` names both.
    pub fn parts(&self) -> (Option<&str>, Option<&str>) {
        let (_, tag, digest) = image_parts(&self.name);
        (tag, digest.map(short_digest))
    }

    /// The commit's hash that the tag is; none where it is something else, or a digest.
    pub fn commit(&self) -> Option<&str> {
        let tag = self.parts().0?;
        let hash = tag.strip_prefix(PREFIX).unwrap_or(tag);
        let is_hash = hash.len() >= HASH && hash.bytes().all(|b| b.is_ascii_hexdigit());
        is_hash.then_some(hash)
    }

    /// The tag as people say it: a commit's hash by its first 7 digits, anything else whole.
    pub fn short_tag(&self) -> &str {
        let tag = self.tag();
        let is_hash = tag.len() >= 12 && tag.bytes().all(|b| b.is_ascii_hexdigit());
        if is_hash { &tag[..7] } else { tag }
    }

    /// The first 12 digits of the digest that runs.
    pub fn short_digest(&self) -> Option<&str> {
        self.digest.as_ref().map(|d| short_digest(d))
    }
}

/// An image's repository, tag and digest. A colon before the last slash is a port's.
pub fn image_parts(image: &str) -> (&str, Option<&str>, Option<&str>) {
    let (rest, digest) = match image.split_once('@') {
        Some((rest, digest)) => (rest, Some(digest)),
        None => (image, None),
    };
    match rest.rsplit_once(':') {
        Some((repository, tag)) if !tag.contains('/') => (repository, Some(tag), digest),
        _ => (rest, None, digest),
    }
}

/// The first 12 digits of `sha256:…`.
fn short_digest(digest: &str) -> &str {
    let hex = digest.rsplit(':').next().unwrap_or(digest);
    hex.char_indices()
        .nth(12)
        .map_or(hex, |(end, _)| &hex[..end])
}

/// A pod.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Pod {
    /// Its name.
    pub name: Safe,
    /// Its uid.
    pub uid: Safe,
    /// Its labels.
    pub labels: Labels,
    /// When it was created.
    pub created: Option<Timestamp>,
    /// When it was asked to go.
    pub deleting: Option<Timestamp>,
    /// The node that runs it.
    pub node: Option<Safe>,
    /// `status.phase`: Pending, Running, Succeeded, Failed, Unknown.
    pub phase: Safe,
    /// The condition Ready.
    pub ready: bool,
    /// When Ready last changed.
    pub ready_changed: Option<Timestamp>,
    /// `status.reason` and `status.message` (Evicted and the like).
    pub reason: Option<Safe>,
    /// Why the scheduler found no node (condition PodScheduled).
    pub unschedulable: Option<Safe>,
    /// Readiness gates that are not True.
    pub gates: Vec<Safe>,
    /// The controller's name (a ReplicaSet's, as a rule).
    pub owner: Option<Safe>,
    /// Init containers first, then containers, as in the spec.
    pub containers: Vec<Container>,
    /// The container that the annotation `kubectl.kubernetes.io/default-container` names.
    pub default_container: Option<Safe>,
    /// The named ports of its containers, those of init containers apart that are no sidecars.
    pub ports: Ports,
}

/// A container of a pod.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Container {
    /// Its name.
    pub name: Safe,
    /// Whether it is an init container.
    pub init: bool,
    /// Whether it is an init container that goes on beside the others (`restartPolicy: Always`): its pod is not
    /// ready without it.
    pub sidecar: bool,
    /// Its image.
    pub image: Image,
    /// Whether it is ready.
    pub ready: bool,
    /// How often it was restarted.
    pub restarts: u32,
    /// What it does now.
    pub state: ContainerState,
    /// How its previous run ended.
    pub last: Option<Ended>,
    /// The readiness probe in words: `GET /ready :8000 every 5s`.
    pub probe: Option<Safe>,
}

/// What a container does now.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum ContainerState {
    /// No status yet.
    Unknown,
    /// Not running, because.
    Waiting {
        /// `ImagePullBackOff`, `CrashLoopBackOff`, …
        reason: Safe,
        /// The kubelet's words.
        message: Option<Safe>,
    },
    /// Running since.
    Running {
        /// `startedAt`.
        since: Option<Timestamp>,
    },
    /// Ended.
    Terminated(Ended),
}

/// How a container ended.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Ended {
    /// `OOMKilled`, `Error`, `Completed`, …
    pub reason: Safe,
    /// The exit code.
    pub exit_code: i32,
    /// When.
    pub at: Option<Timestamp>,
    /// The termination message.
    pub message: Option<Safe>,
}

/// What meshes call the proxies that they inject into pods: Istio, Linkerd, Consul (new and old), Kuma, Dapr.
const INJECTED: [&str; 6] = [
    "istio-proxy",
    "linkerd-proxy",
    "consul-dataplane",
    "envoy-sidecar",
    "kuma-sidecar",
    "daprd",
];

/// Why a pod ends that its node has no room for, or that goes with its node.
const WENT: [&str; 6] = [
    "Evicted",
    "Terminated",
    "Shutdown",
    "NodeShutdown",
    "NodeLost",
    "Preempting",
];

impl Pod {
    /// Restarts of all its containers.
    pub fn restarts(&self) -> u32 {
        self.containers
            .iter()
            .map(|c| c.restarts)
            .fold(0, u32::saturating_add)
    }

    /// Whether it ran to its end on purpose (a finished Job): neither ready nor in trouble.
    pub fn is_finished(&self) -> bool {
        self.phase.as_str() == "Succeeded"
    }

    /// Whether it stopped for good because its node had no room or went away, and its ReplicaSet made another in its place: it runs
    /// nothing, and stays listed until it is collected. One that no kubelet admits is refused again and again: that is told.
    pub fn is_replaced(&self) -> bool {
        let reason = self.reason.as_ref().map_or("", Safe::as_str);
        // Its message stands behind it.
        let word = reason.split(|c: char| !c.is_alphanumeric()).next();
        let went = word.is_some_and(|word| WENT.contains(&word));
        self.is_dead() && went && self.template_hash().is_some()
    }

    /// Whether it stopped for good in failure: it runs nothing.
    pub fn is_dead(&self) -> bool {
        self.phase.as_str() == "Failed"
    }

    /// Which revision of its workload it is: the label `pod-template-hash`.
    pub fn template_hash(&self) -> Option<&Safe> {
        self.labels.get("pod-template-hash")
    }

    /// The Deployment that it is of, where it is of one: a ReplicaSet's name is the Deployment's with the revision behind it.
    pub fn deployment(&self) -> Option<&str> {
        let (owner, hash) = (self.owner.as_ref()?, self.template_hash()?);
        owner.strip_suffix(hash.as_str())?.strip_suffix('-')
    }

    /// The container that the pod is there for: the one that its annotation names, as for `kubectl logs`; else
    /// the first that no mesh is known to inject; else the first. Init containers never are.
    ///
    /// A mesh may put its proxy before the application's container (Linkerd does, Istio with
    /// `holdApplicationUntilProxyStarts`): the first one's image would be the same in both colours.
    pub fn main_container(&self) -> Option<&Container> {
        let own = || self.containers.iter().filter(|c| !c.init);
        let named = self.default_container.as_ref();
        let named = named.and_then(|name| own().find(|c| c.name == *name));
        named
            .or_else(|| own().find(|c| !INJECTED.contains(&c.name.as_str())))
            .or_else(|| own().next())
    }
}

/// A Deployment.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Deployment {
    /// Its name.
    pub name: Safe,
    /// Its uid.
    pub uid: Safe,
    /// `metadata.resourceVersion`.
    pub resource_version: Safe,
    /// Its annotations that start with [`mark::PREFIX`](super::mark::PREFIX).
    pub marks: Labels,
    /// Whether it has any annotations: a JSON Patch has to add the map first where it has none.
    pub has_annotations: bool,
    /// `spec.selector.matchLabels`.
    pub match_labels: Labels,
    /// The labels of its pod template.
    pub template_labels: Labels,
    /// When it was created.
    pub created: Option<Timestamp>,
    /// `metadata.generation`.
    pub generation: i64,
    /// `status.observedGeneration`.
    pub observed_generation: i64,
    /// `spec.replicas` (1 where it is not set).
    pub desired: u32,
    /// `status.replicas`.
    pub replicas: u32,
    /// `status.updatedReplicas`.
    pub updated: u32,
    /// `status.readyReplicas`.
    pub ready: u32,
    /// `status.availableReplicas`.
    pub available: u32,
    /// `spec.paused`.
    pub paused: bool,
    /// The conditions.
    pub conditions: Vec<Condition>,
    /// Container name and image of the template.
    pub images: Vec<(Safe, Image)>,
    /// The annotation `deployment.kubernetes.io/revision`.
    pub revision: Option<Safe>,
    /// The annotation `meta.helm.sh/release-name`.
    pub helm_release: Option<Safe>,
    /// Who would put it back as it was, in words: `Helm release shop`, `Argo CD shop`.
    pub owners: Vec<Safe>,
}

/// A condition of an object's status.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Condition {
    /// Its type, such as `Progressing`.
    pub kind: Safe,
    /// `True`, `False` or `Unknown`.
    pub status: Safe,
    /// A word for why.
    pub reason: Option<Safe>,
    /// A sentence for why.
    pub message: Option<Safe>,
    /// When it last changed.
    pub since: Option<Timestamp>,
    /// When its reason last changed, or there was progress (`lastUpdateTime`).
    pub updated: Option<Timestamp>,
}

/// A ReplicaSet.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ReplicaSet {
    /// Its name.
    pub name: Safe,
    /// The Deployment that owns it.
    pub owner: Option<Safe>,
    /// The annotation `deployment.kubernetes.io/revision`.
    pub revision: Option<Safe>,
    /// Whether it was another revision before (`deployment.kubernetes.io/revision-history`): its Deployment came back to it.
    pub is_reused: bool,
    /// `spec.replicas`.
    pub desired: u32,
    /// `status.readyReplicas`.
    pub ready: u32,
    /// `status.availableReplicas`.
    pub available: u32,
    /// When it was created.
    pub created: Option<Timestamp>,
    /// The images of its template's containers, by their names.
    pub images: Vec<(Safe, Image)>,
}

/// A Service.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Service {
    /// Its name.
    pub name: Safe,
    /// Its uid.
    pub uid: Safe,
    /// `metadata.resourceVersion`.
    pub resource_version: Safe,
    /// The whole selector.
    pub selector: Labels,
    /// `ClusterIP`, `NodePort`, `LoadBalancer`, `ExternalName`.
    pub kind: Safe,
    /// Its ports in words: `http 80→http`.
    pub ports: Vec<Safe>,
    /// Its ports, and where they lead.
    pub targets: Vec<PortTarget>,
    /// Its annotations that start with [`mark::PREFIX`](super::mark::PREFIX).
    pub marks: Labels,
    /// Whether it has any annotations: a JSON Patch has to add the map first where it has none.
    pub has_annotations: bool,
    /// Who would put it back as it was, in words: `Helm release shop`, `Argo CD shop`.
    pub owners: Vec<Safe>,
    /// When it was created.
    pub created: Option<Timestamp>,
    /// Who manages what, from `metadata.managedFields`.
    pub managers: Vec<FieldManager>,
}

/// A port of a Service.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct PortTarget {
    /// Its name.
    pub name: Option<Safe>,
    /// Its number.
    pub port: u16,
    /// The port of the pods.
    pub target: TargetPort,
}

/// The port of the pods that a Service's port leads to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum TargetPort {
    /// By number.
    Number(u16),
    /// By name: each pod may give it another number, or lack it.
    Named(Safe),
}

/// A field manager's entry. The API records when a manager last wrote any of its fields, not who
/// the person was (SAFETY, Platform facts).
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct FieldManager {
    /// The manager's name, such as `kubectl-patch` or `helm`.
    pub name: Safe,
    /// `Apply` or `Update`.
    pub operation: Safe,
    /// When it last wrote.
    pub at: Option<Timestamp>,
    /// The selector keys that it owns.
    pub selector_keys: Vec<Safe>,
    /// Whether it owns anything else of `spec`.
    pub owns_spec: bool,
}

impl FieldManager {
    /// What it did then: one that owns more than the selector may have written anything.
    pub fn did(&self) -> &'static str {
        match self.owns_spec {
            true => "written",
            false => "changed",
        }
    }
}

/// An EndpointSlice.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Slice {
    /// Its name.
    pub name: Safe,
    /// The Service, by the label `kubernetes.io/service-name`.
    pub service: Safe,
    /// Who maintains it, by the label `endpointslice.kubernetes.io/managed-by`.
    pub managed_by: Option<Safe>,
    /// Its endpoints.
    pub endpoints: Vec<Endpoint>,
}

/// An endpoint. An unset `ready` counts as ready (SAFETY, rule 10).
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Endpoint {
    /// Takes new connections.
    pub ready: bool,
    /// Serves, be it terminating.
    pub serving: bool,
    /// Is going.
    pub terminating: bool,
    /// The pod behind it, by uid.
    pub target: Option<Safe>,
    /// The first address.
    pub address: Safe,
}

/// A HorizontalPodAutoscaler.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Autoscaler {
    /// Its name.
    pub name: Safe,
    /// Its uid.
    pub uid: Safe,
    /// `metadata.resourceVersion`.
    pub resource_version: Safe,
    /// Its annotations that start with [`mark::PREFIX`](super::mark::PREFIX).
    pub marks: Labels,
    /// Whether it has any annotations: a JSON Patch has to add the map first where it has none.
    pub has_annotations: bool,
    /// `spec.scaleTargetRef`'s kind.
    pub target_kind: Safe,
    /// `spec.scaleTargetRef`'s name.
    pub target: Safe,
    /// `spec.minReplicas` (1 where it is not set).
    pub min: u32,
    /// `spec.maxReplicas`.
    pub max: u32,
    /// `status.currentReplicas`.
    pub current: u32,
    /// `status.desiredReplicas`.
    pub desired: u32,
    /// Resource metrics: name, current and target utilisation in per cent.
    pub metrics: Vec<(Safe, Option<i32>, Option<i32>)>,
    /// The conditions.
    pub conditions: Vec<Condition>,
}

/// An Event.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Event {
    /// Its name.
    pub name: Safe,
    /// `involvedObject`'s kind.
    pub object_kind: Safe,
    /// `involvedObject`'s name.
    pub object: Safe,
    /// `involvedObject`'s uid.
    pub object_uid: Safe,
    /// Whether its type is `Warning`.
    pub is_warning: bool,
    /// A word for why.
    pub reason: Safe,
    /// In words.
    pub message: Safe,
    /// How often.
    pub count: u32,
    /// When it was last seen.
    pub last: Option<Timestamp>,
}

impl Keyed for Pod {
    fn key(&self) -> &Safe {
        &self.name
    }
}
impl Keyed for Deployment {
    fn key(&self) -> &Safe {
        &self.name
    }
}
impl Keyed for ReplicaSet {
    fn key(&self) -> &Safe {
        &self.name
    }
}
impl Keyed for Service {
    fn key(&self) -> &Safe {
        &self.name
    }
}
impl Keyed for Slice {
    fn key(&self) -> &Safe {
        &self.name
    }
}
impl Keyed for Autoscaler {
    fn key(&self) -> &Safe {
        &self.name
    }
}
impl Keyed for Event {
    fn key(&self) -> &Safe {
        &self.name
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::super::pods::tests::pod;

    #[test]
    fn an_image_by_tag_and_digest_has_both() {
        let image = |name: &str| super::Image::named(name.into());
        let digest = format!("@sha256:0123456789abcdef{}", "0".repeat(48));
        let (both, bare) = (
            format!("r:5000/a/b:4f2a91c{digest}"),
            format!("r:5000/a/b{digest}"),
        );
        assert_eq!(image(&both).tag(), "4f2a91c");
        assert_eq!(image(&both).commit(), Some("4f2a91c"));
        assert_eq!(image(&both).parts().1, Some("0123456789ab"));
        assert_eq!(image(&bare).tag(), "0123456789ab");
        assert_eq!(image(&bare).commit(), None, "a digest is no commit");
        let plain = image("r:5000/a/b:sha-4f2a91c");
        assert_eq!(
            (plain.tag(), plain.commit()),
            ("sha-4f2a91c", Some("4f2a91c"))
        );
        assert_eq!(image("r:5000/a/b").tag(), "latest");
    }

    #[test]
    fn a_proxy_that_a_mesh_injects_is_not_what_a_pod_is_there_for() {
        let mut pod = pod("a", "backend", "green", true);
        let main = |pod: &super::Pod| pod.main_container().unwrap().name.to_string();
        for mesh in ["linkerd-proxy", "istio-proxy"] {
            let mut proxy = pod.containers.last().unwrap().clone();
            proxy.name = mesh.into();
            pod.containers.insert(0, proxy);
            assert_eq!(main(&pod), "backend");
        }
        pod.containers[0].name = "cache".into();
        assert_eq!(main(&pod), "cache");
        pod.default_container = Some("backend".into());
        assert_eq!(main(&pod), "backend");
        pod.containers[2].init = true;
        assert_eq!(
            main(&pod),
            "cache",
            "named, but no more than an init container"
        );
        pod.containers
            .retain(|c| c.name.as_str() == "linkerd-proxy");
        assert_eq!(main(&pod), "linkerd-proxy", "a gateway is nothing else");
    }
}
