//! The embedded estate: a loopback HTTP server with a simulated world behind the APIs of Kubernetes,
//! GitHub, Prometheus and Alertmanager.
//!
//! ```text
//! request ─▶ api ─▶ read · watch · change ─▶ World { store, controllers, troubles, scenario } ◀─ drive
//!      └──▶ github · monitoring ─────────▶       { runs, series, rules, silences }
//! ```
//!
//! It writes the wire's JSON itself and shares no type with the rest of the crate: else our parser
//! would only agree with itself. Time comes from Tokio and chance from a seed, so that the same
//! requests make the same world, in a test with paused time as on a screen.

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

mod access;
mod act;
mod action;
mod api;
mod app;
mod autoscale;
mod catalogue;
mod change;
mod clock;
mod control;
mod defaults;
mod deployments;
mod discovery;
mod endpoints;
mod estate;
mod faults;
mod fields;
mod filler;
mod forward;
mod github;
mod kind;
mod logs;
mod monitoring;
mod object;
mod patch;
mod pod_status;
mod pods;
mod queue;
mod random;
mod read;
mod refusal;
mod replicas;
mod rollout;
mod route;
mod scenario;
mod seed;
mod select;
mod serve;
mod shape;
mod store;
mod stream;
mod table;
#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests;
mod tree;
mod trouble;
mod watch;
mod world;
mod write;

pub use estate::Estate;
pub use serve::{Serving, serve};

/// What kind of estate to make.
#[derive(Debug, Clone, PartialEq)]
pub struct Options {
    /// The name of an embedded scenario.
    pub scenario: String,
    /// A scenario file to play instead.
    pub scenario_file: Option<PathBuf>,
    /// The seed of all chance.
    pub seed: u64,
    /// About how many pods there are in all; 0 means just the world.
    pub pods: usize,
    /// Status changes a second on random filler pods.
    pub churn: u32,
    /// Runs of 20 jobs on top of the repository's past.
    pub runs: usize,
    /// Alerts that fire from the start.
    pub alerts: usize,
    /// The port to listen on; 0 means any.
    pub port: u16,
    /// End after so long without a request or an open watch.
    pub idle_exit: Option<Duration>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            scenario: "calm".to_owned(),
            scenario_file: None,
            seed: 1,
            pods: 0,
            churn: 0,
            runs: 0,
            alerts: 0,
            port: 0,
            idle_exit: None,
        }
    }
}

/// Why there is no estate.
#[derive(Debug)]
pub enum Fault {
    /// No scenario has this name.
    UnknownScenario {
        /// The name asked for.
        name: String,
        /// The names there are.
        known: Vec<String>,
    },
    /// A scenario file that does not read.
    BadScenario {
        /// The file.
        file: String,
        /// The line; 0 where the file could not be opened.
        line: usize,
        /// What is wrong there.
        why: String,
    },
    /// The port cannot be had.
    Bind {
        /// The address asked for.
        addr: SocketAddr,
        /// What the system says.
        source: io::Error,
    },
}

impl fmt::Display for Fault {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Fault::UnknownScenario { name, known } => {
                write!(
                    out,
                    "there is no scenario {name:?}; there are {}",
                    known.join(", ")
                )
            }
            Fault::BadScenario { file, line: 0, why } => {
                write!(out, "cannot read the scenario {file}: {why}")
            }
            Fault::BadScenario { file, line, why } => {
                write!(out, "the scenario {file} is wrong in line {line}: {why}")
            }
            Fault::Bind { addr, source } => write!(out, "cannot listen on {addr}: {source}"),
        }
    }
}

impl std::error::Error for Fault {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Fault::Bind { source, .. } => Some(source),
            Fault::UnknownScenario { .. } | Fault::BadScenario { .. } => None,
        }
    }
}

/// The name and the description of each embedded scenario.
pub fn scenarios() -> Vec<(String, String)> {
    scenario::Scenario::embedded()
        .into_iter()
        .map(|scenario| (scenario.name, scenario.description))
        .collect()
}

/// The API of an estate and its remote control, for a server or for requests in process.
pub fn router(estate: &Estate) -> axum::Router {
    use axum::routing::{any, get, post};
    let control = axum::Router::new()
        .route("/demo/state", get(control::state))
        .route("/demo/scenario/{name}", post(control::scenario))
        .route("/demo/fault", post(control::fault))
        .route("/demo/faults", get(control::faults))
        .route("/demo/quit", post(control::quit))
        .layer(axum::middleware::from_fn(control::only_loopback));
    control
        .route("/github/{*path}", any(github::answer))
        .route("/prometheus/{*path}", any(monitoring::prometheus))
        .route("/alertmanager/{*path}", any(monitoring::alertmanager))
        .fallback(api::answer)
        .with_state(estate.clone())
}
