//! The API's JSON as far as it is read, turned into the estate's types object by object.
//!
//! An object is first kept as raw text and read by itself: one that cannot be read is told apart and
//! does not take its list with it. What the estate does not ask for is skipped unread.

mod annotations;
mod event;
mod kept;
mod pod;
mod traffic;
mod workload;

use std::borrow::Cow;
use std::collections::BTreeMap;

use jiff::Timestamp;
use k8s_openapi::NamespaceResourceScope;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;

use super::intern::Interner;
use crate::estate::{Change, Condition, Keyed, Kind, Labels, Safe};
use annotations::Annotations;
pub(in crate::clients) use traffic::targets;

/// Where a kind lives in the API.
pub(super) struct Place {
    pub(super) group: &'static str,
    pub(super) version: &'static str,
    pub(super) kind: &'static str,
    /// As which it is watched: its plural, and the label that it must carry.
    pub(super) watched: Kind,
}

impl Place {
    /// The resource's plural.
    pub(super) fn plural(&self) -> &'static str {
        self.watched.plural()
    }

    /// `group/version`, as objects carry it.
    pub(super) fn api_version(&self) -> String {
        match self.group {
            "" => self.version.to_owned(),
            group => format!("{group}/{}", self.version),
        }
    }
}

/// A type of the estate that is read from the wire.
pub(super) trait Projected: Keyed + Clone + Send + 'static {
    /// Where it lives.
    const PLACE: Place;
    /// Its JSON.
    type Wire: for<'de> Deserialize<'de>;
    /// What it is known by.
    fn meta(wire: &mut Self::Wire) -> Meta;
    /// What the estate keeps of it; none where it is not of interest.
    fn project(meta: Meta, wire: Self::Wire) -> Option<Self>;
    /// Shares texts with other objects.
    fn intern(&mut self, _: &mut Interner) {}
    /// Drops from a batch what is too much.
    fn sift(_: &mut super::recent::Recent, changes: Vec<Change<Self>>) -> Vec<Change<Self>> {
        changes
    }
    /// Whether a listing is told only as a whole, sifted.
    const IS_SIFTED: bool = false;
}

/// One object as it came.
#[derive(Clone)]
pub(super) struct Row<P> {
    /// Name and resourceVersion, for the watcher. Boxed: it has room for much else.
    meta: Box<ObjectMeta>,
    /// The object, none if it is not of interest, or why it cannot be read.
    pub(super) read: Result<Option<P>, String>,
}

impl<P> Row<P> {
    /// Its name, cleaned.
    pub(super) fn name(&self) -> Safe {
        self.meta.name.as_deref().unwrap_or_default().into()
    }
}

impl<P> std::fmt::Debug for Row<P> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:?}", self.meta.name)
    }
}

impl<'de, P: Projected> Deserialize<'de> for Row<P> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let raw = Box::<RawValue>::deserialize(from)?;
        Ok(Self::read(raw.get()))
    }
}

impl<P: Projected> Row<P> {
    pub(super) fn read(raw: &str) -> Self {
        match serde_json::from_str::<P::Wire>(raw) {
            Ok(mut wire) => {
                let meta = P::meta(&mut wire);
                Self {
                    meta: known_by(&meta.name, &meta.resource_version),
                    read: named(&meta).map(|()| P::project(meta, wire)),
                }
            }
            Err(e) => {
                let bare = serde_json::from_str::<Bare>(raw).unwrap_or_default();
                let meta = bare.metadata.unwrap_or_default();
                Self {
                    meta: known_by(&meta.name, &meta.resource_version),
                    read: Err(e.to_string()),
                }
            }
        }
    }
}

fn named(meta: &Meta) -> Result<(), String> {
    if meta.name.as_deref().unwrap_or_default().is_empty() {
        return Err("it has no name".into());
    }
    Ok(())
}

fn known_by(name: &Option<Safe>, version: &Option<Safe>) -> Box<ObjectMeta> {
    Box::new(ObjectMeta {
        name: name.as_ref().map(ToString::to_string),
        resource_version: version.as_ref().map(ToString::to_string),
        ..ObjectMeta::default()
    })
}

impl<P: Projected> kube::Resource for Row<P> {
    type DynamicType = ();
    type Scope = NamespaceResourceScope;

    fn kind(_: &()) -> Cow<'_, str> {
        P::PLACE.kind.into()
    }
    fn group(_: &()) -> Cow<'_, str> {
        P::PLACE.group.into()
    }
    fn version(_: &()) -> Cow<'_, str> {
        P::PLACE.version.into()
    }
    fn plural(_: &()) -> Cow<'_, str> {
        P::PLACE.plural().into()
    }
    fn meta(&self) -> &ObjectMeta {
        &self.meta
    }
    fn meta_mut(&mut self) -> &mut ObjectMeta {
        &mut self.meta
    }
}

/// The least of an object that cannot be read.
#[derive(Default, Deserialize)]
struct Bare {
    metadata: Option<BareMeta>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct BareMeta {
    name: Option<Safe>,
    resource_version: Option<Safe>,
}

/// `metadata`.
#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Meta {
    name: Option<Safe>,
    uid: Option<Safe>,
    resource_version: Option<Safe>,
    generation: Option<i64>,
    creation_timestamp: Option<Timestamp>,
    deletion_timestamp: Option<Timestamp>,
    #[serde(default)]
    labels: Pairs,
    annotations: Option<Annotations>,
    owner_references: Option<Vec<Owner>>,
}

impl Meta {
    fn name(&self) -> Safe {
        self.name.clone().unwrap_or_else(empty)
    }

    /// Our annotations, and whether there are any at all.
    fn marks(&mut self) -> (Labels, bool) {
        let marks = (self.annotations.as_mut()).map(|all| std::mem::take(&mut all.marks));
        let has_annotations = marks.is_some();
        (
            marks.unwrap_or_default().into_iter().collect(),
            has_annotations,
        )
    }

    fn owner(&self) -> Option<Safe> {
        let owners = self.owner_references.as_deref().unwrap_or_default();
        let controller = owners.iter().find(|o| o.controller == Some(true));
        controller.or(owners.first()).and_then(|o| o.name.clone())
    }
}

#[derive(Deserialize)]
struct Owner {
    name: Option<Safe>,
    controller: Option<bool>,
}

/// A map of texts, null or absent included.
#[derive(Default)]
struct Pairs(Labels);

impl<'de> Deserialize<'de> for Pairs {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let map = Option::<BTreeMap<Safe, Option<Safe>>>::deserialize(from)?;
        let pairs = map.into_iter().flatten();
        Ok(Self(
            pairs.map(|(k, v)| (k, v.unwrap_or_else(empty))).collect(),
        ))
    }
}

/// An entry of `status.conditions`.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct WireCondition {
    #[serde(rename = "type")]
    kind: Option<Safe>,
    status: Option<Safe>,
    reason: Option<Safe>,
    message: Option<Safe>,
    last_transition_time: Option<Timestamp>,
    last_update_time: Option<Timestamp>,
}

impl From<WireCondition> for Condition {
    fn from(wire: WireCondition) -> Self {
        Self {
            kind: wire.kind.unwrap_or_else(empty),
            status: wire.status.unwrap_or_else(empty),
            reason: wire.reason.filter(|r| !r.is_empty()),
            message: wire.message.filter(|m| !m.is_empty()),
            since: wire.last_transition_time,
            updated: wire.last_update_time,
        }
    }
}

/// The template of a Deployment or ReplicaSet.
#[derive(Default, Deserialize)]
struct Template {
    metadata: Option<TemplateMeta>,
    spec: Option<TemplateSpec>,
}

#[derive(Default, Deserialize)]
struct TemplateMeta {
    #[serde(default)]
    labels: Pairs,
}

#[derive(Default, Deserialize)]
struct TemplateSpec {
    containers: Option<Vec<TemplateContainer>>,
}

#[derive(Deserialize)]
struct TemplateContainer {
    name: Option<Safe>,
    image: Option<Safe>,
}

/// A port by number or by name.
#[derive(Deserialize)]
#[serde(untagged)]
enum PortName {
    Number(i64),
    Name(Safe),
}

impl std::fmt::Display for PortName {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Number(number) => write!(f, "{number}"),
            Self::Name(name) => write!(f, "{name}"),
        }
    }
}

fn empty() -> Safe {
    Safe::new("")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clients::made_up::made_up;
    use crate::estate::{Autoscaler, Deployment, Event, Pod, ReplicaSet, Service, Slice};

    const ANY: &str = r#"{"metadata": {"name": "n", "namespace": "ns", "uid": "u", "resourceVersion": "7", "generation": 2,
        "creationTimestamp": "2026-11-23T20:00:00Z", "deletionTimestamp": null, "labels": {"version": "blue"},
        "annotations": {"deployment.kubernetes.io/revision": "3", "wheelhouse.dev/epoch": "4", "wheelhouse.dev/flip": "{}"},
        "ownerReferences": [{"kind": "ReplicaSet", "name": "r", "uid": "v", "controller": true}],
        "managedFields": [{"manager": "helm", "operation": "Update", "time": "2026-11-23T20:00:00Z",
        "fieldsV1": {"f:spec": {"f:selector": {"f:version": {}}}}}]},
        "spec": {"replicas": 3, "paused": false, "minReplicas": 1, "maxReplicas": 9, "holderIdentity": "a", "leaseDurationSeconds": 60,
        "renewTime": "2026-11-23T20:00:00.000000Z", "leaseTransitions": 2, "selector": {"version": "blue", "matchLabels": {"a": "b"}},
        "ports": [{"name": "http", "port": 80, "targetPort": "web"}], "nodeName": "node", "progressDeadlineSeconds": 600,
        "scaleTargetRef": {"kind": "Deployment", "name": "n"}, "containers": [{"name": "c", "image": "a/b:v1@sha256:0",
        "ports": [{"name": "web", "containerPort": 8080}], "readinessProbe": {"httpGet": {"path": "/ready", "port": "web"}}}],
        "initContainers": [{"name": "i", "image": "x", "restartPolicy": "Always"}],
        "template": {"metadata": {"labels": {"a": "b"}}, "spec": {"containers": [{"name": "c", "image": "a"}]}}},
        "status": {"phase": "Running", "replicas": 3, "updatedReplicas": 3, "readyReplicas": 2, "availableReplicas": 2,
        "observedGeneration": 2, "currentReplicas": 3, "desiredReplicas": 4, "reason": "Evicted", "message": "m",
        "conditions": [{"type": "Ready", "status": "False", "reason": "x", "message": "y", "lastTransitionTime": "2026-11-23T20:00:00Z"}],
        "containerStatuses": [{"name": "c", "image": "a", "imageID": "a@sha256:1", "ready": false, "restartCount": 4,
        "state": {"waiting": {"reason": "CrashLoopBackOff", "message": "back-off"}}, "lastState": {"terminated": {"exitCode": 137,
        "reason": "OOMKilled", "finishedAt": "2026-11-23T20:00:00Z"}}}]},
        "addressType": "IPv4", "endpoints": [{"addresses": ["10.0.0.1"], "conditions": {"ready": true, "serving": null},
        "targetRef": {"kind": "Pod", "name": "p", "uid": "w"}}], "ports": [{"name": "http", "port": 8080}],
        "type": "Warning", "reason": "Unhealthy", "message": "probe", "count": 3, "lastTimestamp": "2026-11-23T20:00:00Z",
        "involvedObject": {"kind": "Pod", "name": "p", "uid": "w"}, "regarding": {"kind": "Pod", "name": "p", "uid": "w"},
        "note": "n", "series": {"count": 3, "lastObservedTime": "2026-11-23T20:00:00.000000Z"}, "eventTime": null}"#;

    proptest::proptest! {
        #[test]
        fn made_up_objects_of_kubernetes_never_panic(text in made_up(ANY)) {
            let _ = (Row::<Pod>::read(&text), Row::<Service>::read(&text), Row::<Deployment>::read(&text));
            let _ = (Row::<ReplicaSet>::read(&text), Row::<Slice>::read(&text));
            let _ = (Row::<Autoscaler>::read(&text), Row::<Event>::read(&text));
        }
    }
}
