//! Deployments, ReplicaSets and HorizontalPodAutoscalers.

use serde::Deserialize;

use super::annotations::owners;
use super::{
    Interner, Meta, Pairs, Place, Projected, Template, TemplateContainer, WireCondition, empty,
};
use crate::estate::{Autoscaler, Deployment, Image, Kind, ReplicaSet, Safe};

#[derive(Deserialize)]
pub(in super::super) struct WireWorkload {
    metadata: Option<Meta>,
    spec: Option<Spec>,
    status: Option<Status>,
}

#[derive(Default, Deserialize)]
struct Spec {
    replicas: Option<u32>,
    paused: Option<bool>,
    selector: Option<LabelSelector>,
    template: Option<Template>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct LabelSelector {
    #[serde(default)]
    match_labels: Pairs,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Status {
    observed_generation: Option<i64>,
    replicas: Option<u32>,
    updated_replicas: Option<u32>,
    ready_replicas: Option<u32>,
    available_replicas: Option<u32>,
    conditions: Option<Vec<WireCondition>>,
}

/// Name and image of each container of a template.
fn images(containers: Option<Vec<TemplateContainer>>) -> impl Iterator<Item = (Safe, Image)> {
    containers.into_iter().flatten().map(|container| {
        let image = Image::named(container.image.unwrap_or_else(empty));
        (container.name.unwrap_or_else(empty), image)
    })
}

impl Projected for Deployment {
    const PLACE: Place = Place {
        group: "apps",
        version: "v1",
        kind: "Deployment",
        watched: Kind::Deployments,
    };
    type Wire = WireWorkload;

    fn meta(wire: &mut WireWorkload) -> Meta {
        wire.metadata.take().unwrap_or_default()
    }

    fn project(mut meta: Meta, wire: WireWorkload) -> Option<Self> {
        let spec = wire.spec.unwrap_or_default();
        let status = wire.status.unwrap_or_default();
        let template = spec.template.unwrap_or_default();
        let (marks, has_annotations) = meta.marks();
        let annotations = meta.annotations.as_ref();
        Some(Self {
            name: meta.name(),
            revision: annotations.and_then(|a| a.revision.clone()),
            helm_release: annotations.and_then(|a| a.helm_release.clone()),
            owners: owners(&meta.labels.0, annotations),
            uid: meta.uid.unwrap_or_else(empty),
            resource_version: meta.resource_version.unwrap_or_else(empty),
            marks,
            has_annotations,
            match_labels: spec.selector.unwrap_or_default().match_labels.0,
            template_labels: template.metadata.unwrap_or_default().labels.0,
            created: meta.creation_timestamp,
            generation: meta.generation.unwrap_or(0),
            observed_generation: status.observed_generation.unwrap_or(0),
            desired: spec.replicas.unwrap_or(1),
            replicas: status.replicas.unwrap_or(0),
            updated: status.updated_replicas.unwrap_or(0),
            ready: status.ready_replicas.unwrap_or(0),
            available: status.available_replicas.unwrap_or(0),
            paused: spec.paused.unwrap_or(false),
            conditions: (status.conditions.into_iter().flatten().map(Into::into)).collect(),
            images: images(template.spec.unwrap_or_default().containers).collect(),
        })
    }

    fn intern(&mut self, interner: &mut Interner) {
        interner.labels(&mut self.match_labels);
        interner.labels(&mut self.template_labels);
    }
}

impl Projected for ReplicaSet {
    const PLACE: Place = Place {
        group: "apps",
        version: "v1",
        kind: "ReplicaSet",
        watched: Kind::ReplicaSets,
    };
    type Wire = WireWorkload;

    fn meta(wire: &mut WireWorkload) -> Meta {
        wire.metadata.take().unwrap_or_default()
    }

    fn project(meta: Meta, wire: WireWorkload) -> Option<Self> {
        let spec = wire.spec.unwrap_or_default();
        let status = wire.status.unwrap_or_default();
        let template = spec.template.unwrap_or_default().spec.unwrap_or_default();
        let annotations = meta.annotations.as_ref();
        Some(Self {
            name: meta.name(),
            owner: meta.owner(),
            is_reused: annotations.is_some_and(|a| a.has_history),
            revision: annotations.and_then(|a| a.revision.clone()),
            desired: spec.replicas.unwrap_or(1),
            ready: status.ready_replicas.unwrap_or(0),
            available: status.available_replicas.unwrap_or(0),
            created: meta.creation_timestamp,
            images: images(template.containers).collect(),
        })
    }

    fn intern(&mut self, interner: &mut Interner) {
        interner.maybe(&mut self.owner);
        interner.maybe(&mut self.revision);
        for image in &mut self.images {
            interner.text(&mut image.1.name);
        }
    }
}

#[derive(Deserialize)]
pub(in super::super) struct WireAutoscaler {
    metadata: Option<Meta>,
    spec: Option<ScaleSpec>,
    status: Option<ScaleStatus>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct ScaleSpec {
    scale_target_ref: Option<ScaleTarget>,
    min_replicas: Option<u32>,
    max_replicas: Option<u32>,
    metrics: Option<Vec<Metric>>,
}

#[derive(Default, Deserialize)]
struct ScaleTarget {
    kind: Option<Safe>,
    name: Option<Safe>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct ScaleStatus {
    current_replicas: Option<u32>,
    desired_replicas: Option<u32>,
    current_metrics: Option<Vec<Metric>>,
    conditions: Option<Vec<WireCondition>>,
}

/// A metric of the spec (`target`) or of the status (`current`).
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Metric {
    resource: Option<Resource>,
    container_resource: Option<Resource>,
}

#[derive(Deserialize)]
struct Resource {
    name: Option<Safe>,
    target: Option<Utilisation>,
    current: Option<Utilisation>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Utilisation {
    average_utilization: Option<i32>,
}

/// Pairs each metric that is asked for with what is measured.
fn metrics(
    asked: Option<Vec<Metric>>,
    measured: Option<Vec<Metric>>,
) -> Vec<(Safe, Option<i32>, Option<i32>)> {
    let resource = |metric: Metric| metric.resource.or(metric.container_resource);
    let percent = |u: &Option<Utilisation>| u.as_ref().and_then(|u| u.average_utilization);
    let measured: Vec<Resource> = measured
        .into_iter()
        .flatten()
        .filter_map(resource)
        .collect();
    (asked.into_iter().flatten().filter_map(resource))
        .map(|asked| {
            let current = measured.iter().find(|m| m.name == asked.name);
            let name = asked.name.unwrap_or_else(empty);
            (
                name,
                current.and_then(|m| percent(&m.current)),
                percent(&asked.target),
            )
        })
        .collect()
}

impl Projected for Autoscaler {
    const PLACE: Place = Place {
        group: "autoscaling",
        version: "v2",
        kind: "HorizontalPodAutoscaler",
        watched: Kind::HorizontalPodAutoscalers,
    };
    type Wire = WireAutoscaler;

    fn meta(wire: &mut WireAutoscaler) -> Meta {
        wire.metadata.take().unwrap_or_default()
    }

    fn project(mut meta: Meta, wire: WireAutoscaler) -> Option<Self> {
        let (marks, has_annotations) = meta.marks();
        let spec = wire.spec.unwrap_or_default();
        let status = wire.status.unwrap_or_default();
        let target = spec.scale_target_ref.unwrap_or_default();
        Some(Self {
            name: meta.name(),
            uid: meta.uid.unwrap_or_else(empty),
            resource_version: meta.resource_version.unwrap_or_else(empty),
            marks,
            has_annotations,
            target_kind: target.kind.unwrap_or_else(empty),
            target: target.name.unwrap_or_else(empty),
            min: spec.min_replicas.unwrap_or(1),
            max: spec.max_replicas.unwrap_or(0),
            current: status.current_replicas.unwrap_or(0),
            desired: status.desired_replicas.unwrap_or(0),
            metrics: metrics(spec.metrics, status.current_metrics),
            conditions: (status.conditions.into_iter().flatten().map(Into::into)).collect(),
        })
    }
}
