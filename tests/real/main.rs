//! What Wheelhouse does to Kubernetes, proved against Kubernetes itself.
//!
//! `tests/real/controlplane/build` makes the control plane once (minutes, from Go modules), then
//! `cargo test --test real` starts one on 127.0.0.1 and runs everything against it: a namespace a
//! test, and a plane of its own for a test that kills parts of it. Plain `cargo test` leaves all
//! this out. To look around by hand: `cargo test --test real -- --ignored --exact --nocapture
//! smoke::hold_a_plane`.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::print_stderr,
    dead_code,
    reason = "tests; the plane offers more than each revision of the tests uses"
)]

mod cockpit;
#[path = "../contract/mod.rs"]
mod contract;
#[path = "../support/estate.rs"]
mod estate;
mod first_run;
mod fleet;
mod github;
mod kept;
mod monitoring;
mod nested;
mod operations;
#[path = "../support/operator.rs"]
mod operator;
mod plane;
mod policy;
#[path = "../../benches/budgets/proxy.rs"]
mod proxy;
#[path = "../support/pty.rs"]
mod pty;
#[path = "../support/relay.rs"]
mod relay;
#[path = "../clients/server.rs"]
mod server;
mod shipped;
mod smoke;
mod viewer;
