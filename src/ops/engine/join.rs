//! A job of a workflow run that joins the operation which dispatched it (`--within`).
//!
//! It acts under that operation's Leases and epochs, which it neither takes nor renews but looks at as often as their
//! holder renews them. Its patches test the same as ever, so a takeover of the operation voids them too. Its entries
//! are notes in the operation's record; a record that is over, or names another run, lets nobody in.

use tokio::sync::watch;

use super::start::{Prepared, Refused, entry, held_for, journal, run, told_to};
use super::{Ended, Run};
use crate::estate::{Estate, Safe};
use crate::ops::bastion::Bastion;
use crate::ops::entry::{Entry, Step, What};
use crate::ops::journal::Journal;
use crate::ops::kept::Kept;
use crate::ops::machine::{Next, Operation};
use crate::ops::plan::{Refusal, RefusalKind, Within, check, demands_review, target};
use crate::ops::record::Unamended;
use crate::ops::{lock, outside, policy, reads, record};

/// How often the record is read for the run's id, which is written there when GitHub has said it.
const LOOKS: u32 = 60;

/// The operation that `within` names, if its record is open and names that run.
pub(super) async fn host(bastion: &Bastion, within: &Within) -> Result<Kept, Refused> {
    let id = &within.operation;
    let refuse = |why: String| {
        Err(Refused::Refusal(Refusal {
            kind: RefusalKind::Held,
            why: why.into(),
            plan: None,
        }))
    };
    for _ in 0..LOOKS {
        let Some(kept) = record::read(bastion, id).await? else {
            return refuse(format!(
                "there is no operation {id} here: run it without --within"
            ));
        };
        if let Some((outcome, _)) = &kept.operation.closed {
            return refuse(format!(
                "operation {id} is over ({}): nothing joins it",
                outcome.word()
            ));
        }
        match kept.operation.run {
            Some(run) if run == within.run => match kept.operation.open_step() {
                Some(Step::Follow) => return Ok(kept),
                Some(Step::Dispatch) => tokio::time::sleep(bastion.timing.pause).await,
                // Its Leases guard what it does itself by now.
                step => {
                    let at =
                        step.map_or_else(|| "between two steps".to_owned(), |s| format!("at {s}"));
                    return refuse(format!(
                        "operation {id} is {at}: a job of its run joins it only while it follows the run"
                    ));
                }
            },
            Some(run) => {
                return refuse(format!(
                    "operation {id} dispatched run {run}, and this is run {}: only the run that it dispatched joins it",
                    within.run
                ));
            }
            // The job may be faster than the answer that names its run.
            None if kept.operation.open_step() == Some(&Step::Dispatch) => {
                tokio::time::sleep(bastion.timing.pause).await;
            }
            None => {
                return refuse(format!(
                    "operation {id} dispatched no run: nothing joins it"
                ));
            }
        }
    }
    refuse(format!("operation {id} names no run: it is not joined"))
}

/// Waits until the operation that `within` names tells who of GitHub's reviewers let its run go on, where the policy demands a
/// review: its worker asks now and then, and a job of the run is faster.
pub(super) async fn reviewed(bastion: &Bastion, within: &Within) -> Result<(), Refused> {
    let mut estate = Estate::new(bastion.scope.clone(), None);
    policy::put(bastion, &mut estate, policy::read(bastion).await).await;
    if !demands_review(&estate) {
        return Ok(());
    }
    for _ in 0..LOOKS {
        let kept = record::read(bastion, &within.operation).await?;
        if kept.is_none_or(|kept| !kept.operation.reviewers().is_empty()) {
            break;
        }
        tokio::time::sleep(bastion.timing.pause).await;
    }
    Ok(())
}

impl Prepared {
    /// Starts as a part of the operation that `within` names.
    pub(super) async fn join(
        self,
        within: &Within,
        confirmed: Option<&str>,
        stop: watch::Receiver<bool>,
    ) -> Result<Run, Refused> {
        let bastion = self.bastion.clone();
        let kept = host(&bastion, within).await?;
        let mut estate = reads::fresh(&bastion).await?;
        if let Some(colour) = target(&self.request, &estate) {
            estate.alerts = self.eyes.estate.alerts.clone();
            outside::look(&bastion, &mut estate, &colour).await;
        }
        estate.rights.clone_from(&self.eyes.estate.rights);
        let plan = check(&self.request, &estate, bastion.clock.now()).map_err(Refused::Refusal)?;
        if confirmed.is_some_and(|hash| hash != plan.hash.as_str()) {
            return Err(Refused::Moved(Box::new(plan)));
        }
        let epochs = &kept.operation.epochs;
        let (held_for, server) = (
            held_for(&kept.id, &plan),
            estate.server_time(bastion.clock.now()),
        );
        let lock = lock::borrow(&bastion, &held_for, &plan.locks(), epochs, server).await;
        let lock = lock.map_err(|why| {
            Refused::Refusal(Refusal {
                kind: RefusalKind::Held,
                why,
                plan: Some(Box::new(plan.clone())),
            })
        })?;
        let mut journal: Journal = journal(&bastion, &kept.id).unwrap_or_else(|_| Journal::none());
        let check = Step::Check;
        let overridden = (plan.overridden.iter()).map(|(gate, reason)| What::Overridden {
            gate: gate.clone(),
            reason: reason.clone(),
        });
        let planned = What::Planned(Box::new(plan.clone()));
        let checked = [
            What::Began {
                step: check.clone(),
                attempt: 1,
            },
            What::Passed {
                step: check,
                evidence: format!("within run {}", within.run).into(),
            },
        ]
        .into_iter()
        .filter(|_| plan.steps().contains(&Step::Check));
        let whats = [planned].into_iter().chain(overridden).chain(checked);
        let mut entries: Vec<Entry> = whats.map(|what| entry(&bastion, what)).collect();
        if let Next::Begin(step) = Operation::fold(&entries).next() {
            entries.push(entry(&bastion, What::Began { step, attempt: 1 }));
        }
        let _ = told_to(&mut journal, &bastion, &entries);
        let facts = facts(within.run, &entries);
        let noted = record::note(&bastion, &kept.id, facts).await;
        noted.map_err(|why| Refused::Trouble(why.into()))?;
        let ours = Kept::unwritten(&kept.id, entries);
        let mut run = run(bastion, ours, lock, self.eyes, journal, stop, 0);
        run.joined = Some(within.run);
        Ok(run)
    }
}

impl Run {
    /// Tells the operation that was joined what is done. Its end, or an abort of it, is heard here.
    pub(super) async fn tell_host(
        &mut self,
        number: u64,
        entries: Vec<Entry>,
    ) -> Result<(), Ended> {
        let facts = facts(number, &entries);
        loop {
            self.believe()?;
            match record::note(&self.bastion, &self.kept.id, facts.clone()).await {
                Ok(kept) => {
                    self.kept.take(entries);
                    if let (Some((by, reason)), None) =
                        (kept.operation.abort, &self.kept.operation.abort)
                    {
                        let what = What::AbortAsked { reason };
                        self.kept.take(vec![Entry {
                            by,
                            ..self.entry(what)
                        }]);
                    }
                    return Ok(());
                }
                // It is over, or there is none any more: nothing is done for nobody.
                Err(Unamended::Absent(why) | Unamended::Forbidden(why)) => {
                    return Err(Ended::Interrupted(why));
                }
                Err(Unamended::Failed(_)) => self.pause().await?,
            }
        }
    }
}

impl Run {
    /// Tells the operation that was joined that nobody goes on with what is done here, if its record can be written.
    pub(super) async fn tell_host_of_end(&self, number: u64, why: &str) {
        let fact = format!("run {number}: interrupted: {why}; what it did stands").into();
        let told = record::note(&self.bastion, &self.kept.id, vec![fact]).await;
        if let Err(unamended) = told {
            tracing::warn!(why = %Safe::from(unamended), "the operation that was joined is not told");
        }
    }
}

/// What of the entries the record of another operation is told, in words.
fn facts(run: u64, entries: &[Entry]) -> Vec<Safe> {
    let words = |entry: &Entry| {
        let words = match &entry.what {
            What::Planned(plan) => plan.title(),
            What::Began { step, attempt: 1 } => format!("{step} …"),
            What::Began { step, attempt } => format!("{step} … (try {attempt})"),
            What::Passed { step, evidence } => format!("{step} done: {evidence}"),
            What::Failed { step, reason } => format!("{step} FAILED: {reason}"),
            What::Unknown { step, reason } => format!("{step} UNKNOWN: {reason}"),
            What::Noted { fact } => fact.to_string(),
            What::Closed { outcome, reason } => format!("{}: {reason}", outcome.word()),
            What::Paused { reason } => format!("paused: {reason}"),
            What::Resumed => "goes on".to_owned(),
            What::Overridden { gate, reason } => format!("overridden {gate}: {reason}"),
            What::Locked { .. }
            | What::Dispatched { .. }
            | What::Tested { .. }
            | What::Reviewed { .. }
            | What::Cutover(_)
            | What::GlassClosed { .. }
            | What::AbortAsked { .. }
            | What::Adopted { .. }
            | What::Abandoned { .. }
            | What::Newer(_) => return None,
        };
        Some(format!("run {run}: {words}").into())
    };
    entries.iter().filter_map(words).collect()
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn rule_6_what_a_job_overrides_is_told_to_the_record_that_it_joins() {
        let what = What::Overridden {
            gate: "alert:HighErrorRate".into(),
            reason: "known".into(),
        };
        let entry = Entry {
            at: "2026-11-26T14:02:00Z".parse().unwrap(),
            by: "a job".into(),
            what,
        };
        let said = ["run 77: overridden alert:HighErrorRate: known".into()];
        assert_eq!(facts(77, &[entry]), said);
    }
}
