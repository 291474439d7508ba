//! Operations: what changes traffic or what runs, step by step, and outlives the terminal that started it.
//!
//! ```text
//! Request ─▶ plan::check ─▶ Plan ─▶ engine ─▶ Entry, Entry, … ─▶ record (ConfigMap) + journal (file)
//!                                     ▲                               │
//!                         machine::next(Operation) ◀── Operation::fold ┘
//! ```
//!
//! [`entry`], [`plan`], [`freeze`], [`warm`], [`after`], [`approval`] and [`machine`] are pure: an operation is the fold of its entries, and what comes
//! next is a function of it. [`engine`] and what it uses do it, with clock, chance and journal as
//! arguments. The contract is SAFETY.md's; `tests/invariants.md` names the test of each rule.

pub mod after;
pub mod approval;
pub mod approve;
pub mod bastion;
pub mod engine;
pub mod entry;
pub mod eyes;
pub mod follow;
pub mod freeze;
pub mod helm;
pub mod hook;
pub mod journal;
pub mod keep;
pub mod kept;
pub mod lock;
pub mod machine;
pub mod marks;
pub mod monitoring;
pub mod patch;
pub mod placement;
pub mod plan;
pub mod policy;
pub mod record;
pub mod rights;
pub mod warm;
pub mod worker;

mod outside;
mod reads;

pub use entry::{Entry, OperationKind, Outcome, Step, What};
pub use kept::Kept;
pub use machine::{Next, Operation, StepState};
pub use plan::{Finding, Flip, Gate, Plan, Refusal, RefusalKind, Request, check};

/// The label selector of Leases that operations hold.
pub fn lease_selector() -> String {
    format!("{}={}", marks::LEASE, marks::OF_OPERATION)
}

/// The label selector of all that is kept of a bastion's namespace: records, and approvals.
fn kept_selector(bastion: &bastion::Bastion) -> String {
    let namespace = &bastion.scope.namespace;
    format!(
        "{} in ({},{}),{}={namespace}",
        marks::RECORD,
        marks::OF_APPROVAL,
        marks::OF_OPERATION,
        kept::NAMESPACE
    )
}

/// The label selector of the records of operations on a bastion's namespace.
fn record_selector(bastion: &bastion::Bastion) -> String {
    let namespace = &bastion.scope.namespace;
    format!(
        "{}={},{}={namespace}",
        marks::RECORD,
        marks::OF_OPERATION,
        kept::NAMESPACE
    )
}
