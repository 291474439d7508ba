//! What the client and the source of workflow runs make of what GitHub really says: the G rows of the
//! fault matrix, at the socket.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::unimplemented,
    dead_code,
    missing_docs,
    reason = "tests; the server of tests/clients offers more than is used here"
)]

#[path = "github/configured.rs"]
mod configured;
#[path = "github/dispatch.rs"]
mod dispatch;
#[path = "github/limits.rs"]
mod limits;
#[path = "github/logs.rs"]
mod logs;
#[path = "github/network.rs"]
mod network;
#[path = "github/refusals.rs"]
mod refusals;
#[path = "github/repository.rs"]
mod repository;
#[path = "github/runs.rs"]
mod runs;
#[path = "clients/server.rs"]
mod server;
#[path = "github/source.rs"]
mod source;
#[path = "github/watching.rs"]
mod watching;
