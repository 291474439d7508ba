//! What the cockpit makes of what Prometheus and Alertmanager really say: the M rows of the fault
//! matrix, at the socket.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::unimplemented,
    dead_code,
    missing_docs,
    reason = "tests; the server and the cockpit offer what the tests of the clients use"
)]

#[path = "alerts/alertmanager.rs"]
mod alertmanager;
#[path = "clients/cockpit.rs"]
mod cockpit;
#[path = "alerts/history.rs"]
mod history;
#[path = "alerts/prometheus.rs"]
mod prometheus;
#[path = "alerts/said.rs"]
mod said;
#[path = "clients/server.rs"]
mod server;
#[path = "alerts/source.rs"]
mod source;
#[path = "alerts/ways.rs"]
mod ways;
