//! The terminal layer on real pseudo-terminals and against every byte: rows T of the fault matrix.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "tests: a failure is a panic"
)]

#[path = "../support/estate.rs"]
mod estate;
#[path = "../support/pty.rs"]
mod pty;

mod decoder;
mod device;
mod jobs;
mod keys;
mod probe;
mod program;
mod screen;
