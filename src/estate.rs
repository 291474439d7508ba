//! The world as observed, as plain data: what runs, what is ready and why not, who gets the traffic.
//!
//! Nothing here reads a clock, a file or a socket. Sources send [`Observation`]s; they are folded
//! into an estate; views and checks read. A feed that failed keeps its last good value and ages.

pub mod act;
pub mod alerts;
pub mod chart;
pub mod ci;
pub mod feed;
pub mod gates;
pub mod health;
pub mod helm;
pub mod kept;
pub mod link;
pub mod observation;
pub mod policy;
pub mod review;
pub mod runs;
pub mod safe;
pub mod scope;
pub mod silence;
pub mod spells;
pub mod table;
pub mod timeline;
pub mod traffic;
pub mod verdict;
pub mod why;
pub mod workload;

pub(crate) mod fold;
pub(crate) mod pods;
mod rollout;

pub use feed::{Currency, Fault, FaultKind, Feed, Moment, Now};
pub use fold::{Cluster, Estate, Lasting, SKEW_SHOWN_MS};
pub use kept::{Lease, Record, mark};
pub use observation::{Change, Delta, Kind, LogChunk, LogTarget, Observation, Seen};
pub use pods::{Group, PodIndex, Tally};
pub use policy::{Freeze, Policy, Standing, Terms};
pub use rollout::Rollout;
pub use safe::Safe;
pub use scope::{Approval, Approver, OnFailure, Scope, Soak, Tier, TrafficSwitch, WorkloadScope};
pub use table::{Keyed, Table, Turnover};
pub use traffic::{ColourView, Live, ServiceView, Turn};
pub use verdict::{Check, Granted, Need, Verdict};
pub use workload::*;
