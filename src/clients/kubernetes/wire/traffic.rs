//! Services and EndpointSlices: who gets the traffic, and who says so.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::Deserialize;
use serde_json::Value;

use super::annotations::{Annotations, owners};
use super::{Meta, Pairs, Place, PortName, Projected, empty};
use crate::estate::{
    Endpoint, FieldManager, Kind, Labels, PortTarget, Safe, Service, Slice, TargetPort,
};

#[derive(Deserialize)]
pub(in super::super) struct WireService {
    metadata: Option<ServiceMeta>,
    spec: Option<ServiceSpec>,
}

/// `metadata` with the field managers, which are read of Services alone.
#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct ServiceMeta {
    name: Option<Safe>,
    uid: Option<Safe>,
    resource_version: Option<Safe>,
    creation_timestamp: Option<Timestamp>,
    #[serde(default)]
    labels: Pairs,
    annotations: Option<Annotations>,
    managed_fields: Option<Vec<Managed>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Managed {
    manager: Option<Safe>,
    operation: Option<Safe>,
    time: Option<Timestamp>,
    fields_v1: Option<Fields>,
}

#[derive(Deserialize)]
struct Fields {
    #[serde(rename = "f:spec")]
    spec: Option<BTreeMap<String, Value>>,
}

/// When the server last took a write of `field` of the `spec`, by its own clock.
pub(super) fn taken(managed: &[Managed], field: &str) -> Option<Timestamp> {
    let has = |entry: &&Managed| {
        let spec = entry.fields_v1.as_ref().and_then(|it| it.spec.as_ref());
        spec.is_some_and(|spec| spec.contains_key(field))
    };
    managed.iter().filter(has).filter_map(|it| it.time).max()
}

#[derive(Default, Deserialize)]
struct ServiceSpec {
    #[serde(default)]
    selector: Pairs,
    #[serde(rename = "type")]
    kind: Option<Safe>,
    ports: Option<Vec<ServicePort>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ServicePort {
    name: Option<Safe>,
    port: Option<i64>,
    target_port: Option<PortName>,
}

impl Projected for Service {
    const PLACE: Place = Place {
        group: "",
        version: "v1",
        kind: "Service",
        watched: Kind::Services,
    };
    type Wire = WireService;

    fn meta(wire: &mut WireService) -> Meta {
        let meta = wire.metadata.get_or_insert_default();
        Meta {
            name: meta.name.clone(),
            uid: meta.uid.take(),
            resource_version: meta.resource_version.clone(),
            creation_timestamp: meta.creation_timestamp,
            labels: std::mem::take(&mut meta.labels),
            annotations: meta.annotations.take(),
            ..Meta::default()
        }
    }

    fn project(mut meta: Meta, wire: WireService) -> Option<Self> {
        let spec = wire.spec.unwrap_or_default();
        let (marks, has_annotations) = meta.marks();
        let ports = spec.ports.unwrap_or_default();
        let managed = wire
            .metadata
            .and_then(|m| m.managed_fields)
            .unwrap_or_default();
        Some(Self {
            name: meta.name(),
            uid: meta.uid.unwrap_or_else(empty),
            resource_version: meta.resource_version.unwrap_or_else(empty),
            kind: spec.kind.unwrap_or_else(|| "ClusterIP".into()),
            targets: ports.iter().filter_map(target).collect(),
            ports: ports.into_iter().map(port).collect(),
            owners: owners(&meta.labels.0, meta.annotations.as_ref()),
            marks,
            has_annotations,
            created: meta.creation_timestamp,
            managers: (managed.into_iter())
                .map(|entry| manager(entry, &spec.selector.0))
                .collect(),
            selector: spec.selector.0,
        })
    }
}

/// The ports of a Service that is written down, such as a chart renders it.
pub(in crate::clients) fn targets(ports: &Value) -> Vec<PortTarget> {
    let ports = Vec::<ServicePort>::deserialize(ports).unwrap_or_default();
    ports.iter().filter_map(target).collect()
}

/// A port and where it leads: to its own number where nothing else is set. Impossible numbers lead nowhere.
fn target(wire: &ServicePort) -> Option<PortTarget> {
    let port = u16::try_from(wire.port?).ok()?;
    let target = match &wire.target_port {
        None | Some(PortName::Number(0)) => TargetPort::Number(port),
        Some(PortName::Number(number)) => TargetPort::Number(u16::try_from(*number).ok()?),
        Some(PortName::Name(name)) => TargetPort::Named(name.clone()),
    };
    Some(PortTarget {
        name: wire.name.clone(),
        port,
        target,
    })
}

fn port(wire: ServicePort) -> Safe {
    let name = wire
        .name
        .map_or_else(String::new, |name| format!("{name} "));
    let port = wire.port.unwrap_or(0);
    match wire.target_port {
        Some(target) => format!("{name}{port}→{target}").into(),
        None => format!("{name}{port}").into(),
    }
}

/// A Service's selector is an atomic map: whoever wrote it last owns all of it, and `f:selector` names
/// no keys. Where a server does name them, they count.
fn manager(wire: Managed, selector: &Labels) -> FieldManager {
    let spec = wire.fields_v1.and_then(|fields| fields.spec);
    let spec = spec.unwrap_or_default();
    let fields = spec.get("f:selector").and_then(Value::as_object);
    let named: Vec<Safe> = (fields.into_iter().flat_map(|map| map.keys()))
        .filter_map(|key| key.strip_prefix("f:"))
        .map(Safe::from)
        .collect();
    let whole = fields.filter(|_| named.is_empty()).into_iter();
    let whole = whole.flat_map(|_| selector.iter().map(|(key, _)| key.clone()));
    FieldManager {
        name: wire.manager.unwrap_or_else(empty),
        operation: wire.operation.unwrap_or_else(empty),
        at: wire.time,
        selector_keys: whole.chain(named.clone()).collect(),
        owns_spec: spec.keys().any(|key| key != "f:selector"),
    }
}

#[derive(Deserialize)]
pub(in super::super) struct WireSlice {
    metadata: Option<Meta>,
    endpoints: Option<Vec<WireEndpoint>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct WireEndpoint {
    addresses: Option<Vec<Safe>>,
    conditions: Option<EndpointConditions>,
    target_ref: Option<TargetRef>,
}

#[derive(Default, Deserialize)]
struct EndpointConditions {
    ready: Option<bool>,
    serving: Option<bool>,
    terminating: Option<bool>,
}

#[derive(Deserialize)]
struct TargetRef {
    uid: Option<Safe>,
}

impl Projected for Slice {
    const PLACE: Place = Place {
        group: "discovery.k8s.io",
        version: "v1",
        kind: "EndpointSlice",
        watched: Kind::EndpointSlices,
    };
    type Wire = WireSlice;

    fn meta(wire: &mut WireSlice) -> Meta {
        wire.metadata.take().unwrap_or_default()
    }

    fn project(meta: Meta, wire: WireSlice) -> Option<Self> {
        let label = |key: &str| meta.labels.0.get(key).cloned();
        Some(Self {
            name: meta.name(),
            service: label("kubernetes.io/service-name").unwrap_or_else(empty),
            managed_by: label("endpointslice.kubernetes.io/managed-by"),
            endpoints: (wire.endpoints.into_iter().flatten().map(endpoint)).collect(),
        })
    }
}

fn endpoint(wire: WireEndpoint) -> Endpoint {
    let conditions = wire.conditions.unwrap_or_default();
    // Unset counts as ready, and serving as ready (the API's own rule; SAFETY, rule 10).
    let ready = conditions.ready.unwrap_or(true);
    Endpoint {
        ready,
        serving: conditions.serving.unwrap_or(ready),
        terminating: conditions.terminating.unwrap_or(false),
        target: wire.target_ref.and_then(|target| target.uid),
        address: (wire.addresses.into_iter().flatten().next()).unwrap_or_else(empty),
    }
}
