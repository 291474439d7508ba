//! A deploy by a program of the user's.
//!
//! It cannot be fenced (SAFETY, rule 5): whoever takes the operation over waits until its time is over, unless
//! somebody states that it is dead by abandoning the operation. It is never started twice, and only where the
//! configuration here names it: a record tells nobody what to run.

use std::time::Duration;

use serde_json::json;
use tokio::time::Instant;

use super::flip::{failed, passed};
use super::wait::Woken;
use super::{Ended, Found, Run};
use crate::clients::program;
use crate::estate::Safe;
use crate::ops::entry::{Step, What};
use crate::ops::machine::StepState;
use crate::ops::plan::{Command, How};

/// What one note of a record holds of its output.
const NOTE: usize = 4_000;

impl Run {
    /// Runs it, once.
    pub(super) async fn command(&mut self, step: &Step) -> Result<Vec<What>, Ended> {
        let command = match self.configured() {
            Ok(command) => command,
            Err(why) => return Ok(vec![failed(step, why)]),
        };
        let argv: Vec<Safe> = command.argv.iter().map(|word| self.filled(word)).collect();
        // The last look at the Lease: nothing but the start lies behind it.
        self.believe()?;
        self.note("sent", json!({ "run": argv }));
        let mut running = match program::start(&argv, &self.variables()) {
            Ok(running) => running,
            Err(fault) => return Ok(vec![failed(step, fault.what)]),
        };
        let timeout = Duration::from_secs(u64::from(command.timeout_s));
        let limit = Instant::now() + timeout;
        let result = loop {
            let woken = tokio::select! {
                status = running.ended() => break match status {
                    Ok(status) if status.success() => passed(step, "it ended well; what runs now is looked at next"),
                    Ok(status) => failed(step, format!("it ended with {status}")),
                    Err(error) => failed(step, format!("how it ended is not known: {error}")),
                },
                woken = self.wait(Some(limit)) => woken?,
            };
            if let Woken::Late = woken {
                break failed(
                    step,
                    format!("not within {} s: it was killed", timeout.as_secs()),
                );
            }
            if let Some(stopped) = self.stopped(step) {
                break stopped;
            }
        };
        let mut results = noted(&running.tail());
        results.push(result);
        Ok(results)
    }

    /// Its worker is gone: whether it still runs nobody can tell, so it gets the time that it had.
    pub(super) async fn settle_command(&mut self, step: &Step) -> Result<Found, Ended> {
        let seconds = match self.plan().map(|plan| &plan.how) {
            Some(How::Command(command)) => i64::from(command.timeout_s),
            _ => 0,
        };
        let since = match self.kept.operation.state(step) {
            StepState::Running { since, .. } => since,
            _ => self.bastion.clock.wall(),
        };
        let left = |now: jiff::Timestamp| seconds - now.duration_since(since).as_secs();
        while left(self.bastion.clock.wall()) > 0 && self.kept.operation.abort.is_none() {
            self.wait(None).await?;
            self.hear();
        }
        let said = "its worker is gone, and what became of it is not known: look at what it left, and deploy anew";
        Ok(Found::Known(vec![failed(step, said)]))
    }

    /// The command of the plan, if it is the one that is configured here.
    fn configured(&self) -> Result<Command, Safe> {
        match self.plan().map(|plan| &plan.how) {
            Some(how @ How::Command(command)) if *how == self.bastion.how => Ok(command.clone()),
            Some(How::Command(_)) => {
                Err("its command is not the one that is configured here: it is not run".into())
            }
            _ => Err("its plan names no command".into()),
        }
    }

    /// What the program is told beside its words.
    fn variables(&self) -> Vec<(String, Safe)> {
        let Some(plan) = self.plan() else {
            return Vec::new();
        };
        let mut variables = vec![
            ("WHEELHOUSE_OPERATION".to_owned(), self.id().clone()),
            (
                "WHEELHOUSE_ENVIRONMENT".to_owned(),
                plan.environment.clone(),
            ),
            ("WHEELHOUSE_NAMESPACE".to_owned(), plan.namespace.clone()),
            ("WHEELHOUSE_COLOUR".to_owned(), plan.to.clone()),
        ];
        for (workload, image) in &plan.wanted {
            let fits = |c: char| {
                if c.is_ascii_alphanumeric() {
                    c.to_ascii_uppercase()
                } else {
                    '_'
                }
            };
            let name: String = workload.chars().map(fits).collect();
            variables.push((format!("WHEELHOUSE_IMAGE_{name}"), image.clone()));
        }
        variables
    }
}

/// The tail of what it printed, in as few notes as hold it.
fn noted(lines: &[Safe]) -> Vec<What> {
    let mut facts: Vec<String> = Vec::new();
    for line in lines {
        match facts.last_mut() {
            Some(fact) if fact.len() + line.len() + 3 <= NOTE => {
                fact.push_str(" | ");
                fact.push_str(line);
            }
            _ => facts.push(format!("output: {line}")),
        }
    }
    let notes = facts
        .into_iter()
        .map(|fact| What::Noted { fact: fact.into() });
    notes.collect()
}
