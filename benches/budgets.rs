//! The budgets: what the program may cost, measured on a pseudo-terminal against the embedded
//! estate in a process of its own. Every figure is printed with its limit; one over it is exit code 1.
//!
//! The raw list is harsh here: the estate keeps its pods as text and hands 41 MB out in 60 ms, where
//! a real API server takes 350 to 600 ms (TERMINAL.md); what is compared is nearly our reading alone.
//!
//! `cargo bench --bench budgets`, with `-- --huge` for 50,000 pods as well, with `-- idle` for the
//! groups of that name only (paint, fleet, idle, keys, storm, log, operation, hang). BUDGETS_BIN names another binary.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    missing_docs,
    reason = "a program of its own that measures and prints; a failure is a panic"
)]

#[path = "../tests/support/estate.rs"]
mod estate;
#[path = "../tests/support/pty.rs"]
mod pty;

#[path = "budgets/busy.rs"]
mod busy;
#[path = "budgets/cockpit.rs"]
mod cockpit;
#[path = "budgets/figure.rs"]
mod figure;
#[path = "budgets/fleet.rs"]
mod fleet;
#[path = "budgets/idle.rs"]
mod idle;
#[path = "budgets/keys.rs"]
mod keys;
#[path = "budgets/paint.rs"]
mod paint;
#[path = "budgets/proxy.rs"]
mod proxy;
#[path = "budgets/storm.rs"]
mod storm;

use std::process::ExitCode;

use figure::Report;

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args()
        .skip(1)
        .filter(|a| a != "--bench")
        .collect();
    let names: Vec<&String> = args.iter().filter(|a| !a.starts_with('-')).collect();
    let is_wanted = |name: &str| names.is_empty() || names.iter().any(|n| *n == name);
    println!("{}", estate::program().display());
    // Whoever else works on this machine is in the figures, too: the tail of the keys above all.
    let load = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
    println!("load of the machine before: {}", load.trim());
    let mut report = Report::default();
    if is_wanted("paint") {
        paint::measure(&mut report);
    }
    if is_wanted("fleet") {
        fleet::measure(&mut report, 5_000);
    }
    if is_wanted("idle") {
        idle::measure(&mut report, 5_000);
    }
    if is_wanted("keys") {
        keys::measure(&mut report, 5_000, 500);
    }
    if is_wanted("storm") {
        storm::measure(&mut report, 500, 2_000);
    }
    if is_wanted("log") {
        busy::log(&mut report);
    }
    if is_wanted("operation") {
        busy::operation(&mut report);
    }
    if is_wanted("hang") {
        busy::hang(&mut report, 5_000);
    }
    if args.iter().any(|a| a == "--huge") {
        fleet::measure(&mut report, 50_000);
        idle::measure(&mut report, 50_000);
        keys::measure(&mut report, 50_000, 500);
    }
    report.end()
}
