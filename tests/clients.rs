//! What the clients and the sources make of what servers really say: the N and K rows of the fault
//! matrix, at the socket.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::unimplemented,
    missing_docs,
    reason = "tests"
)]

#[path = "clients/cockpit.rs"]
mod cockpit;
#[path = "clients/credentials.rs"]
mod credentials;
#[path = "clients/hostile.rs"]
mod hostile;
#[path = "clients/kinds.rs"]
mod kinds;
#[path = "clients/logs.rs"]
mod logs;
#[path = "clients/network.rs"]
mod network;
#[path = "clients/refusals.rs"]
mod refusals;
#[path = "clients/server.rs"]
mod server;
#[path = "clients/source.rs"]
mod source;
#[path = "clients/tls.rs"]
mod tls;
#[path = "clients/writes.rs"]
mod writes;
