//! What operations leave: Leases, and ConfigMaps that are records. What they obey: the policy.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::Timestamp;
use serde::Deserialize;

use super::traffic::{Managed, taken};
use super::{Meta, Place, Projected, empty};
use crate::estate::{Kind, Lease, Policy, Record, Safe, policy};

#[derive(Deserialize)]
pub(in super::super) struct WireLease {
    metadata: Option<LeaseMeta>,
    spec: Option<LeaseSpec>,
}

/// `metadata` with the field managers: what the holder's clock says is not the server's word.
#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct LeaseMeta {
    #[serde(flatten)]
    meta: Meta,
    managed_fields: Option<Vec<Managed>>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct LeaseSpec {
    holder_identity: Option<Safe>,
    lease_duration_seconds: Option<u32>,
    acquire_time: Option<Timestamp>,
    renew_time: Option<Timestamp>,
    lease_transitions: Option<u64>,
}

impl Projected for Lease {
    const PLACE: Place = Place {
        group: "coordination.k8s.io",
        version: "v1",
        kind: "Lease",
        watched: Kind::Leases,
    };
    type Wire = WireLease;

    fn meta(wire: &mut WireLease) -> Meta {
        std::mem::take(&mut wire.metadata.get_or_insert_default().meta)
    }

    fn project(mut meta: Meta, wire: WireLease) -> Option<Self> {
        let spec = wire.spec.unwrap_or_default();
        let managed = wire.metadata.and_then(|meta| meta.managed_fields);
        Some(Self {
            marks: meta.marks().0,
            name: meta.name(),
            uid: meta.uid.unwrap_or_else(empty),
            resource_version: meta.resource_version.unwrap_or_else(empty),
            taken: taken(&managed.unwrap_or_default(), "f:renewTime"),
            holder: spec.holder_identity.filter(|holder| !holder.is_empty()),
            duration_s: spec.lease_duration_seconds.unwrap_or(0),
            acquired: spec.acquire_time,
            renewed: spec.renew_time,
            transitions: spec.lease_transitions.unwrap_or(0),
        })
    }
}

#[derive(Deserialize)]
pub(in super::super) struct WireRecord {
    metadata: Option<Meta>,
    data: Option<BTreeMap<String, Option<Arc<str>>>>,
}

impl Projected for Record {
    const PLACE: Place = Place {
        group: "",
        version: "v1",
        kind: "ConfigMap",
        watched: Kind::Records,
    };
    type Wire = WireRecord;

    fn meta(wire: &mut WireRecord) -> Meta {
        wire.metadata.take().unwrap_or_default()
    }

    fn project(meta: Meta, wire: WireRecord) -> Option<Self> {
        let data = wire.data.into_iter().flatten();
        Some(Self {
            name: meta.name(),
            uid: meta.uid.unwrap_or_else(empty),
            resource_version: meta.resource_version.unwrap_or_else(empty),
            created: meta.creation_timestamp,
            deleting: meta.deletion_timestamp,
            labels: meta.labels.0,
            data: data.filter_map(|(k, v)| Some((k, v?))).collect(),
        })
    }
}

#[derive(Deserialize)]
pub(in super::super) struct WirePolicy {
    metadata: Option<Meta>,
    data: Option<BTreeMap<String, Option<String>>>,
}

impl Projected for Policy {
    const PLACE: Place = Place {
        group: "",
        version: "v1",
        kind: "ConfigMap",
        watched: Kind::Policy,
    };
    type Wire = WirePolicy;

    fn meta(wire: &mut WirePolicy) -> Meta {
        wire.metadata.take().unwrap_or_default()
    }

    fn project(meta: Meta, wire: WirePolicy) -> Option<Self> {
        let name = meta.name();
        // A server that knows no field selectors tells of all ConfigMaps.
        if name.as_str() != policy::NAME {
            return None;
        }
        let uid = meta.uid.unwrap_or_else(empty);
        let version = meta.resource_version.unwrap_or_else(empty);
        let data = wire.data.into_iter().flatten();
        let data = data.filter_map(|(k, v)| Some((k, v?))).collect();
        Some(Self::read([name, uid, version], &data))
    }
}
