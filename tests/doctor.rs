//! `wheelhouse doctor` against servers that say exactly what a test wants said: each kind of bad input
//! is a sentence with what to do, and hides nothing else.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    dead_code,
    missing_docs,
    reason = "tests; the servers and the harness offer more than is used here"
)]

#[path = "doctor/cluster.rs"]
mod cluster;
#[path = "support/estate.rs"]
mod estate;
#[path = "doctor/github.rs"]
mod github;
#[path = "doctor/monitoring.rs"]
mod monitoring;
#[path = "clients/server.rs"]
mod server;
#[path = "doctor/world.rs"]
mod world;
