//! The world as observed, as plain data: what runs, what is ready and why not, who gets the traffic.
//!
//! Nothing here reads a clock, a file or a socket. Sources send [`Observation`]s; they are folded
//! into an estate; views and checks read. A feed that failed keeps its last good value and ages.

pub mod feed;
pub mod observation;
pub mod safe;
pub mod scope;
pub mod table;
pub mod verdict;
pub mod workload;

pub use feed::{Currency, Fault, FaultKind, Feed, Moment, Now};
pub use observation::{Change, Delta, Kind, LogChunk, LogTarget, Observation, Seen};
pub use safe::Safe;
pub use scope::{Scope, Tier, TrafficSwitch, WorkloadScope};
pub use table::{Keyed, Table, Turnover};
pub use verdict::{Check, Verdict};
pub use workload::*;
