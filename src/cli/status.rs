//! `status`: what the cockpit shows, as text or as JSON, and the verdict as the exit code.
//!
//! The JSON is versioned: `"schema": "wheelhouse.status/v1"`. Fields may be added to v1, none is
//! renamed or removed; the README documents it.

mod approvals;
mod json;
pub(super) mod look;
mod text;

use std::time::Duration;

use super::exit::Exit;
use super::output::{complain, say};
use super::runtime;
use super::setup::Loaded;
use crate::estate::Safe;
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
    let runtime = match runtime(2) {
        Ok(runtime) => runtime,
        Err(exit) => return exit,
    };
    // Ten seconds also where `--plain` comes here without its own arguments.
    let limit = Duration::from_secs(if arguments.timeout == 0 {
        10
    } else {
        arguments.timeout
    });
    let looked = runtime.block_on(look::look(loaded, &wanted, limit));
    runtime.shutdown_timeout(Duration::from_millis(300));
    let now = clock::now();
    for warning in loaded.warnings() {
        complain(&format!("{warning}\n"));
    }
    match arguments.json {
        true => say(&json::render(loaded.title(), &looked, now)),
        false => say(&text::render(loaded.title(), &looked, now)),
    }
    let verdict = looked.verdict(now);
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
