//! `status`: what the cockpit shows, as text or as JSON, and the verdict as the exit code.
//!
//! The JSON is versioned: `"schema": "wheelhouse.status/v1"`. Fields may be added to v1, none is
//! renamed or removed; the README documents it.

mod json;
mod text;

use std::time::Duration;

use tokio::sync::mpsc;

use super::exit::Exit;
use super::output::{complain, say};
use super::runtime;
use super::setup::Loaded;
use crate::estate::{Currency, Estate, Kind, Safe, Seen, Verdict};
use crate::sources;
use crate::sources::kubernetes::{Shared, run as observe};
use crate::tui::clock;

#[derive(Clone, Debug, Default, clap::Args)]
pub(super) struct Arguments {
    /// Only these environments (all of them by default).
    environments: Vec<String>,
    /// JSON of the shape `wheelhouse.status/v1`.
    #[arg(long)]
    json: bool,
    /// Seconds to wait for answers.
    #[arg(long, value_name = "SECONDS", default_value_t = 10)]
    timeout: u64,
}

/// Observes once and prints.
pub(super) fn run(loaded: &Loaded, arguments: &Arguments) -> Exit {
    let wanted = match chosen(loaded, &arguments.environments) {
        Ok(wanted) => wanted,
        Err(words) => {
            complain(&words);
            return Exit::Usage;
        }
    };
    let runtime = match runtime() {
        Ok(runtime) => runtime,
        Err(exit) => return exit,
    };
    // Ten seconds also where `--plain` comes here without its own arguments.
    let limit = Duration::from_secs(if arguments.timeout == 0 {
        10
    } else {
        arguments.timeout
    });
    let estates = runtime.block_on(look(loaded, &wanted, limit));
    runtime.shutdown_timeout(Duration::from_millis(300));
    let now = clock::now();
    for warning in loaded.warnings() {
        complain(&format!("{warning}\n"));
    }
    match arguments.json {
        true => say(&json::render(loaded.title(), &estates, now)),
        false => say(&text::render(loaded.title(), &estates, now)),
    }
    let verdict = estates
        .iter()
        .map(|e| e.verdict(now))
        .fold(Verdict::Ok, Verdict::and);
    Exit::from(&verdict)
}

/// The places of the environments that are asked for.
pub(super) fn chosen(loaded: &Loaded, names: &[String]) -> Result<Vec<usize>, String> {
    if names.is_empty() {
        return Ok((0..loaded.wires.len()).collect());
    }
    let places = names.iter().map(|name| {
        let place = loaded.scopes().position(|s| s.name.as_str() == name);
        place.ok_or_else(|| {
            let known: Vec<_> = loaded.scopes().map(|s| s.name.as_str()).collect();
            let name = Safe::new(name);
            format!(
                "wheelhouse: there is no environment {name:?}; expected one of {}\n",
                known.join(", ")
            )
        })
    });
    places.collect()
}

/// Observes the environments until each has answered in full, for at most `limit`.
pub(super) async fn look(loaded: &Loaded, wanted: &[usize], limit: Duration) -> Vec<Estate> {
    let (out, mut observations) = mpsc::channel(64);
    let scopes = loaded
        .scopes()
        .cloned()
        .zip(loaded.alert_scopes().iter().cloned());
    let mut estates: Vec<Estate> = scopes.map(|(s, alerts)| Estate::new(s, alerts)).collect();
    let (told, mut alerts) = mpsc::channel(64);
    let mut tasks = Vec::new();
    for place in wanted {
        let (wire, shared) = (loaded.wires[*place].clone(), Shared::default());
        let monitoring = loaded.monitoring()[*place].clone();
        let asked = sources::alerts::run(
            *place,
            monitoring,
            shared.clone(),
            told.clone(),
            clock::boot,
        );
        tasks.push(tokio::spawn(asked));
        let seen = observe(
            *place,
            wire.target,
            wire.selector,
            shared,
            out.clone(),
            clock::boot,
        );
        tasks.push(tokio::spawn(seen));
    }
    let deadline = tokio::time::Instant::now() + limit;
    let answered = async {
        loop {
            let (environment, seen) = tokio::select! {
                Some(observation) = observations.recv() => (observation.environment, observation.seen),
                Some(told) = alerts.recv() => (told.environment, Seen::Alerts(told.seen)),
            };
            let now = clock::now();
            estates[environment].apply(seen, now);
            if wanted
                .iter()
                .all(|place| has_answered(&estates[*place], now.at))
            {
                return;
            }
        }
    };
    let _ = tokio::time::timeout_at(deadline, answered).await;
    tasks.iter().for_each(tokio::task::JoinHandle::abort);
    let mut all: Vec<Option<Estate>> = estates.into_iter().map(Some).collect();
    wanted
        .iter()
        .filter_map(|place| all[*place].take())
        .collect()
}

/// Whether nothing more is to be waited for: each kind is listed or failed, and the server gave its time.
fn has_answered(estate: &Estate, now: crate::estate::Moment) -> bool {
    let is_asked = estate.cluster.answered.is_some() || estate.cluster.fault.is_some();
    is_asked
        && Kind::ALL
            .iter()
            .all(|kind| estate.currency(*kind, now) != Currency::Waiting)
}
