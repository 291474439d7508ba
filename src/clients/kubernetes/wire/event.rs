//! Events of the kinds that are watched. The core API shows those of `events.k8s.io`, too.

use jiff::Timestamp;
use serde::Deserialize;

use super::super::recent::Recent;
use super::{Interner, Meta, Place, Projected, empty};
use crate::estate::{Change, Event, Kind, Safe};

/// Events about anything else are dropped at once.
const KINDS: [&str; 6] = [
    "Pod",
    "ReplicaSet",
    "Deployment",
    "HorizontalPodAutoscaler",
    "Service",
    "EndpointSlice",
];

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(in super::super) struct WireEvent {
    metadata: Option<Meta>,
    involved_object: Option<Involved>,
    #[serde(rename = "type")]
    kind: Option<Safe>,
    reason: Option<Safe>,
    message: Option<Safe>,
    count: Option<u32>,
    first_timestamp: Option<Timestamp>,
    last_timestamp: Option<Timestamp>,
    event_time: Option<Timestamp>,
    series: Option<Series>,
}

#[derive(Default, Deserialize)]
struct Involved {
    kind: Option<Safe>,
    name: Option<Safe>,
    uid: Option<Safe>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Series {
    count: Option<u32>,
    last_observed_time: Option<Timestamp>,
}

impl Projected for Event {
    const PLACE: Place = Place {
        group: "",
        version: "v1",
        kind: "Event",
        watched: Kind::Events,
    };
    const IS_SIFTED: bool = true;
    type Wire = WireEvent;

    fn meta(wire: &mut WireEvent) -> Meta {
        wire.metadata.take().unwrap_or_default()
    }

    fn project(meta: Meta, wire: WireEvent) -> Option<Self> {
        let object = wire.involved_object.unwrap_or_default();
        let kind = object.kind.unwrap_or_else(empty);
        if !KINDS.contains(&kind.as_str()) {
            return None;
        }
        let series = wire.series.as_ref();
        let seen = [
            series.and_then(|s| s.last_observed_time),
            wire.last_timestamp,
            wire.event_time,
            wire.first_timestamp,
            meta.creation_timestamp,
        ];
        Some(Self {
            name: meta.name(),
            object_kind: kind,
            object: object.name.unwrap_or_else(empty),
            object_uid: object.uid.unwrap_or_else(empty),
            is_warning: wire.kind.as_deref() == Some("Warning"),
            reason: wire.reason.unwrap_or_else(empty),
            message: wire.message.unwrap_or_else(empty),
            count: (series.and_then(|s| s.count)).or(wire.count).unwrap_or(1),
            last: seen.into_iter().flatten().max(),
        })
    }

    fn intern(&mut self, interner: &mut Interner) {
        interner.text(&mut self.object_kind);
        interner.text(&mut self.reason);
    }

    fn sift(recent: &mut Recent, changes: Vec<Change<Self>>) -> Vec<Change<Self>> {
        recent.sift(changes)
    }
}
