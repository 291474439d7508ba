//! Programs of the user's: one that deploys, and those of a smoke test.
//!
//! A deploy by one cannot be fenced (SAFETY, rule 5): whoever takes the operation over waits until its time is over, unless
//! somebody states that it is dead by abandoning the operation. It is never started twice, and only where the
//! configuration here names it: a record tells nobody what to run.

use std::time::Duration;

use serde_json::json;
use tokio::time::Instant;

use super::flip::{failed, passed};
use super::wait::Woken;
use super::{Ended, Found, Run};
use crate::clients::program::{self, Program};
use crate::estate::Safe;
use crate::ops::entry::{Step, What};
use crate::ops::hook;
use crate::ops::plan::{Command, How};

/// What one note of a record holds of its output.
const NOTE: usize = 4_000;
/// After so many notes of a program that is not over they come half as often: a record has room for those of a whole day.
const OFTEN: u32 = 5;
/// How many lines, and characters, such a note has.
const LINES: usize = 3;
const LONG: usize = 400;

/// What a program that runs for long is known by meanwhile: should its worker die, that is left.
struct News {
    pace: Pace,
    due: Instant,
    last: Safe,
}

/// How often it is told.
struct Pace {
    every: Duration,
    /// How often it was, at this pace.
    told: u32,
}

impl Pace {
    fn told(&mut self) {
        self.told += 1;
        if self.told == OFTEN {
            (self.told, self.every) = (0, 2 * self.every);
        }
    }
}

impl News {
    fn new(every: Duration) -> Self {
        Self {
            pace: Pace { every, told: 0 },
            due: Instant::now() + every,
            last: Safe::default(),
        }
    }

    /// The newest of its lines, now and then, if there is a new one.
    fn of(&mut self, running: &Program) -> Option<Safe> {
        if Instant::now() < self.due {
            return None;
        }
        self.due = Instant::now() + self.pace.every;
        let tail = running.tail();
        let last = tail.last().filter(|line| **line != self.last)?.clone();
        let newest = &tail[tail.len().saturating_sub(LINES)..];
        let words: Vec<&str> = newest.iter().map(Safe::as_str).collect();
        let fact = format!("output so far: {}", words.join(" | "));
        let fact: String = fact.chars().take(LONG).collect();
        self.last = last;
        self.pace.told();
        Some(fact.into())
    }
}

/// How a program ended.
pub(super) enum Ran {
    /// Well.
    Well,
    /// Not so, and why: the result of its step.
    Not(What),
    /// It never began, was killed, or nobody knows how it ended: it proves nothing. The result of a step that it is.
    Lost(What),
}

impl Run {
    /// Runs what deploys, once: a command, or helm.
    pub(super) async fn run_program(&mut self, step: &Step) -> Result<Vec<What>, Ended> {
        match self.plan().map(|plan| plan.how.clone()) {
            Some(How::Helm(wanted)) => self.helm(step, &wanted).await,
            _ => self.command(step).await,
        }
    }

    /// What became of it, when its worker is gone.
    pub(super) async fn settle_program(&mut self, step: &Step) -> Result<Found, Ended> {
        match self.plan().map(|plan| plan.how.clone()) {
            Some(How::Helm(wanted)) => self.settle_helm(step, &wanted).await,
            _ => self.settle_command(step).await,
        }
    }

    /// Runs a command, once.
    async fn command(&mut self, step: &Step) -> Result<Vec<What>, Ended> {
        let command = match self.configured() {
            Ok(command) => command,
            Err(why) => return Ok(vec![failed(step, why)]),
        };
        let variables = self.variables();
        let (ran, tail) = self.run(step, &command, &variables).await?;
        let mut results = noted(&tail);
        results.push(match ran {
            Ran::Well => passed(step, "it ended well; what runs now is looked at next"),
            Ran::Not(result) | Ran::Lost(result) => result,
        });
        Ok(results)
    }

    /// Runs `command` to its end, or until its time is over, it is aborted, or the Lease is gone: then it is killed with
    /// all that it started. What it printed last comes with it.
    pub(super) async fn run(
        &mut self,
        step: &Step,
        command: &Command,
        variables: &[(String, Safe)],
    ) -> Result<(Ran, Vec<Safe>), Ended> {
        let argv: Vec<Safe> = command.argv.iter().map(|word| self.filled(word)).collect();
        // The last look at the Lease: nothing but the start lies behind it.
        self.believe()?;
        self.note("sent", json!({ "run": argv }));
        match program::start(&argv, variables) {
            Ok(running) => self.ran(step, running, command.timeout_s).await,
            Err(fault) => Ok((Ran::Lost(failed(step, fault.what)), Vec::new())),
        }
    }

    /// Waits for the end of what was started, as [`Self::run`] does.
    pub(super) async fn ran(
        &mut self,
        step: &Step,
        mut running: Program,
        timeout_s: u32,
    ) -> Result<(Ran, Vec<Safe>), Ended> {
        let timeout = Duration::from_secs(u64::from(timeout_s));
        let limit = Instant::now() + timeout;
        let mut news = News::new(3 * self.bastion.timing.renew);
        let ran = loop {
            let woken = tokio::select! {
                status = running.ended() => break match status {
                    Ok(status) if status.success() => Ran::Well,
                    // By a signal: whoever sent that said nothing of what it found.
                    Ok(status) if status.code().is_none() => {
                        Ran::Lost(failed(step, format!("it ended with {status}")))
                    }
                    Ok(status) => Ran::Not(failed(step, format!("it ended with {status}"))),
                    Err(error) => Ran::Lost(failed(step, format!("how it ended is not known: {error}"))),
                },
                woken = self.wait(Some(limit)) => woken,
            };
            let woken = match woken {
                Ok(woken) => woken,
                // Whatever ends the worker: what it started is asked to end first.
                Err(ended) => {
                    running.end().await;
                    return Err(ended);
                }
            };
            if let Woken::Late = woken {
                let said = format!("not within {} s: it was killed", timeout.as_secs());
                running.end().await;
                break Ran::Lost(failed(step, said));
            }
            if let Some(stopped) = self.stopped(step) {
                running.end().await;
                break Ran::Not(stopped);
            }
            if let Some(fact) = news.of(&running) {
                let written = self.write(vec![What::Noted { fact }]).await;
                if let Err(ended) = written {
                    running.end().await;
                    return Err(ended);
                }
            }
        };
        Ok((ran, running.tail()))
    }

    /// Its worker is gone: whether it still runs nobody can tell, so it gets the time that it had.
    async fn settle_command(&mut self, step: &Step) -> Result<Found, Ended> {
        let seconds = match self.plan().map(|plan| &plan.how) {
            Some(How::Command(command)) => i64::from(command.timeout_s),
            _ => 0,
        };
        self.until_over(u32::try_from(seconds).unwrap_or(0)).await?;
        let said = "its worker is gone, and what became of it is not known: look at what it left, and deploy anew";
        Ok(Found::Known(vec![failed(step, said)]))
    }

    /// Waits for as long as it was given, from now on, or until somebody wants it stopped. When it began is told by a clock of
    /// another bastion: what that and ours differ by would be the time in which two of them run.
    pub(super) async fn until_over(&mut self, seconds: u32) -> Result<(), Ended> {
        let until = Instant::now() + Duration::from_secs(seconds.into());
        while Instant::now() < until && self.kept.operation.abort.is_none() {
            self.wait(None).await?;
            self.hear();
        }
        Ok(())
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
        let mut variables = self.about();
        let images = self.plan().into_iter().flat_map(|plan| &plan.wanted);
        variables.extend(images.map(|(of, image)| variable("IMAGE", of, image)));
        variables
    }

    /// What every program is told.
    pub(super) fn about(&self) -> Vec<(String, Safe)> {
        hook::about(&self.kept)
    }
}

/// `WHEELHOUSE_IMAGE_FRONTEND` and its like.
pub(super) fn variable(what: &str, workload: &str, value: &Safe) -> (String, Safe) {
    let fits = |c: char| match c.is_ascii_alphanumeric() {
        true => c.to_ascii_uppercase(),
        false => '_',
    };
    let name: String = workload.chars().map(fits).collect();
    (format!("WHEELHOUSE_{what}_{name}"), value.clone())
}

/// The tail of what it printed, in as few notes as hold it.
pub(super) fn noted(lines: &[Safe]) -> Vec<What> {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_program_prints_for_a_day_is_told_to_its_end_and_fits_into_a_record() {
        let day = Duration::from_secs(86_400);
        let mut pace = Pace {
            every: Duration::from_secs(30),
            told: 0,
        };
        let (mut passed, mut times) = (Duration::ZERO, 0);
        while passed < day {
            passed += pace.every;
            pace.told();
            times += 1;
        }
        assert!(times * LONG < 32 << 10, "{times}");
        // Within an hour's third, and then not less than every few hours.
        assert!(
            times > 40 && pace.every < day / 4,
            "{times} {:?}",
            pace.every
        );
    }
}
