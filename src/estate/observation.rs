//! What a source saw: plain data that can be logged, compared, recorded and replayed.

use jiff::Timestamp;
use serde::Serialize;

use super::alerts::AlertsSeen;
use super::workload::*;
use super::{Fault, Granted, Lease, Moment, Policy, Record, Safe, mark, policy};

/// Something seen of one environment.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Observation {
    /// The environment's place in the configuration.
    pub environment: usize,
    /// When it was seen.
    pub at: Moment,
    /// What was seen.
    pub seen: Seen,
}

/// What was seen.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub enum Seen {
    /// Pods.
    Pods(Delta<Pod>),
    /// Deployments.
    Deployments(Delta<Deployment>),
    /// ReplicaSets.
    ReplicaSets(Delta<ReplicaSet>),
    /// Services.
    Services(Delta<Service>),
    /// EndpointSlices.
    Slices(Delta<Slice>),
    /// HorizontalPodAutoscalers.
    Autoscalers(Delta<Autoscaler>),
    /// Events.
    Events(Delta<Event>),
    /// Leases of operations.
    Leases(Delta<Lease>),
    /// Records of operations.
    Records(Delta<Record>),
    /// The policy: one object or none.
    Policies(Delta<Policy>),
    /// The watch of that kind was accepted by the server.
    Opened(Kind),
    /// The list or watch of that kind failed; it is tried again.
    Failed(Kind, Fault),
    /// The API server answered: every open watch of this environment is current.
    Pulse {
        /// The server's clock, by the reply's Date header (whole seconds).
        server: Option<Timestamp>,
    },
    /// The API server did not answer, or refused.
    NoPulse(Fault),
    /// The cluster was found, by the context of that name: sent where the configuration names none.
    Connected(Safe),
    /// The server's version.
    Version(Safe),
    /// What we may do, by access reviews.
    Rights(Vec<Granted>),
    /// Alerts, or why there are none.
    Alerts(AlertsSeen),
    /// Part of a container's log.
    Log(LogTarget, LogChunk),
}

/// Part of a listing or of a watch.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub enum Delta<T> {
    /// A listing begins.
    Began,
    /// Some of its objects.
    Page(Vec<T>),
    /// It ended: what was not in it is gone.
    Ended,
    /// Changes since.
    Changes(Vec<Change<T>>),
}

/// One change.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub enum Change<T> {
    /// Added or modified.
    Applied(T),
    /// Deleted, by name.
    Deleted(Safe),
}

/// The kinds that are watched.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// Services.
    Services,
    /// EndpointSlices.
    EndpointSlices,
    /// Deployments.
    Deployments,
    /// Pods.
    Pods,
    /// ReplicaSets.
    ReplicaSets,
    /// HorizontalPodAutoscalers.
    HorizontalPodAutoscalers,
    /// Events.
    Events,
    /// Leases that operations hold.
    Leases,
    /// ConfigMaps that are records of operations, or approvals.
    Records,
    /// The ConfigMap that is the policy.
    Policy,
}

impl Kind {
    /// Every kind, the most important first.
    pub const ALL: [Self; 10] = [
        Self::Services,
        Self::EndpointSlices,
        Self::Deployments,
        Self::Pods,
        Self::ReplicaSets,
        Self::HorizontalPodAutoscalers,
        Self::Events,
        Self::Leases,
        Self::Records,
        Self::Policy,
    ];

    /// The resource's plural, as the API spells it.
    pub fn plural(self) -> &'static str {
        match self {
            Self::Services => "services",
            Self::EndpointSlices => "endpointslices",
            Self::Deployments => "deployments",
            Self::Pods => "pods",
            Self::ReplicaSets => "replicasets",
            Self::HorizontalPodAutoscalers => "horizontalpodautoscalers",
            Self::Events => "events",
            Self::Leases => "leases",
            Self::Records | Self::Policy => "configmaps",
        }
    }

    /// As people are told of it: two kinds may be of one resource.
    pub fn word(self) -> &'static str {
        match self {
            Self::Policy => "policy",
            other => other.plural(),
        }
    }

    /// The name of the one object that is of interest; none where all are.
    pub fn only(self) -> Option<&'static str> {
        match self {
            Self::Policy => Some(policy::NAME),
            Self::Services
            | Self::EndpointSlices
            | Self::Deployments
            | Self::Pods
            | Self::ReplicaSets
            | Self::HorizontalPodAutoscalers
            | Self::Events
            | Self::Leases
            | Self::Records => None,
        }
    }

    /// The label that tells ours from all others of the resource, and the values that it may have; none where all are
    /// of interest. Approvals come by the watch of the records: one more would cost every environment a stream.
    pub fn label(self) -> Option<(&'static str, &'static [&'static str])> {
        match self {
            Self::Leases => Some((mark::LEASE, &[mark::OF_OPERATION])),
            Self::Records => Some((mark::RECORD, &[mark::OF_APPROVAL, mark::OF_OPERATION])),
            Self::Services
            | Self::EndpointSlices
            | Self::Deployments
            | Self::Pods
            | Self::ReplicaSets
            | Self::HorizontalPodAutoscalers
            | Self::Events
            | Self::Policy => None,
        }
    }
}

/// Which log.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct LogTarget {
    /// The pod.
    pub pod: Safe,
    /// The container.
    pub container: Safe,
    /// The container's previous run instead of this one.
    pub previous: bool,
}

/// Part of a log.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub enum LogChunk {
    /// What holds for all of it: what is left out before its first line, say. Comes before that.
    Note(Safe),
    /// Lines, oldest first.
    Lines(Vec<Safe>),
    /// The stream ended, by itself or because.
    Ended(Option<Fault>),
}
