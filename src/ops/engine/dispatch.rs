//! A deploy by a workflow: dispatched once, found again by the operation's id, followed to its end.
//!
//! It cannot be fenced. What it left in the cluster is judged by the steps behind it (I-3), and a run that was
//! skipped, cancelled or is neutral is no success (I-54).

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use serde_json::json;
use tokio::time::Instant;

use super::flip::{failed, passed};
use super::wait::Woken;
use super::{Ended, Found, Run};
use crate::clients::github::{self, Github, Undispatched};
use crate::estate::runs::{Conclusion, Progress, Run as Seen};
use crate::estate::{Fault, FaultKind, Safe};
use crate::ops::entry::{Step, What};
use crate::ops::machine::{REVIEW, UNSURE, WAITS, is_review};
use crate::ops::plan::{How, Revisions, Workflow, demands_review};

/// GitHub's word for a review that lets a run go on.
const APPROVED: &str = "approved";
/// Between two looks at a run.
pub(super) const LOOKS: Duration = Duration::from_secs(5);
/// The same of the last of GitHub's hourly budget, which is to last until the run's end and for what stops it.
const SCARCE: Duration = Duration::from_secs(60);

impl Run {
    /// Starts the workflow, once.
    pub(super) async fn dispatch(&mut self, step: &Step) -> Result<Vec<What>, Ended> {
        let (wanted, github) = match self.workflow().await {
            Ok(both) => both,
            Err(why) => return Ok(vec![failed(step, why)]),
        };
        // A record tells nobody what to start: whoever takes one over has the same workflow configured.
        if self.bastion.how != How::Workflow(wanted.clone()) {
            let said = "its workflow is not the one that is configured here: it is not started";
            return Ok(vec![failed(step, said)]);
        }
        let inputs = self.inputs(&wanted);
        // The last look at the Lease: nothing but the request lies behind it.
        self.believe()?;
        let sent = json!({ "dispatch": wanted.file, "ref": wanted.reference, "inputs": inputs });
        self.note("sent", sent);
        let sent = github.dispatch(&wanted.file, &wanted.reference, &inputs);
        Ok(match sent.await {
            Ok(Some(run)) => {
                let mut results =
                    vec![What::Dispatched { run }, passed(step, format!("run {run}"))];
                // Nobody follows the run of what was aborted meanwhile.
                results.extend(self.cancelled(run, &github).await?);
                results
            }
            Ok(None) => vec![What::Unknown {
                step: step.clone(),
                reason: "GitHub took it and did not say which run it is".into(),
            }],
            Err(Undispatched::Refused(fault)) => vec![failed(step, fault.what)],
            Err(Undispatched::Unknown(fault)) => vec![What::Unknown {
                step: step.clone(),
                reason: fault.what,
            }],
        })
    }

    /// Looks for the run that names this operation. None is started in its place: one that was may show late.
    pub(super) async fn settle_dispatch(&mut self, step: &Step) -> Result<Found, Ended> {
        let (wanted, github) = match self.workflow().await {
            Ok(both) => both,
            // It may run all the same, and then under these Leases: whoever can ask GitHub goes on.
            Err(why) => {
                let said = format!("whether the run was started cannot be asked here: {why}");
                return Err(Ended::Interrupted(said.into()));
            }
        };
        let began = Instant::now();
        let seconds = u64::from(wanted.timeout_s);
        let moved = self.bastion.timing.moved;
        let timeout = Duration::from_secs(seconds).max(moved);
        let mut answered = None;
        loop {
            let id = self.id().clone();
            let (why, is_over) = match github.dispatched(&wanted.file, &id).await {
                Ok(Some(run)) => {
                    let said = format!("run {}, found by its name", run.id);
                    let dispatched = What::Dispatched { run: run.id };
                    let mut results = vec![dispatched, passed(step, said)];
                    results.extend(self.cancelled(run.id, &github).await?);
                    return Ok(Found::Known(results));
                }
                Ok(None) => {
                    let said = format!("no run of {} names operation {id}", wanted.file);
                    let since: &mut Instant = answered.get_or_insert_with(Instant::now);
                    (Safe::from(said), since.elapsed() >= moved)
                }
                // I-56: nothing was found out, and a run that was started goes on meanwhile.
                Err(fault) => (fault.what, began.elapsed() >= timeout),
            };
            self.hear();
            let abort = self.kept.operation.abort.as_ref();
            // A run that was started may show late, and an abort is to stop that, too.
            let is_late = answered.unwrap_or(began).elapsed() >= moved;
            if is_over || (is_late && abort.is_some()) {
                let asked = abort.map_or_else(String::new, |(by, reason)| {
                    format!("aborted by {by}: {reason}; ")
                });
                let said = format!(
                    "{asked}{why}; it is not dispatched again: look there, cancel a run that begins yet, and deploy anew"
                );
                return Ok(Found::Known(vec![failed(step, said)]));
            }
            // Not a mere pause: an abort is seen meanwhile.
            let next = Instant::now() + self.bastion.timing.pause;
            while Instant::now() < next {
                self.wait(Some(next)).await?;
            }
        }
    }

    /// Follows the run to its end.
    pub(super) async fn followed(&mut self, step: &Step) -> Result<Vec<What>, Ended> {
        let Some(id) = self.kept.operation.run else {
            return Ok(vec![failed(step, "its record names no run")]);
        };
        let (wanted, github) = match self.workflow().await {
            Ok(both) => both,
            Err(why) => return Ok(vec![failed(step, why)]),
        };
        let timeout = Duration::from_secs(u64::from(wanted.timeout_s));
        // GitHub's reviewers have as long as those here, and that is none of the run's time.
        let review =
            Duration::from_secs(u64::from(self.bastion.scope.approval.lasts_s)).max(timeout);
        let mut limit = Instant::now() + timeout;
        let mut asked: Option<Instant> = None;
        let mut next = Instant::now();
        let mut why = Safe::from("it was not seen yet");
        let mut is_review_known = false;
        loop {
            if next <= Instant::now() {
                let seen = github.run(id).await;
                next = Instant::now() + github.pause().map_or(LOOKS, |_| SCARCE);
                self.may_look(id, &seen).await?;
                if let Ok(run) = &seen {
                    self.reviewed(run).await?;
                    is_review_known = match run.progress {
                        Progress::Waiting | Progress::Queued => false,
                        // A job of it may be asked for its review before it is over.
                        Progress::Running if !is_review_known => {
                            self.who_reviewed(id, &github, false).await?
                        }
                        Progress::Done(Conclusion::Success) => {
                            self.who_reviewed(id, &github, true).await?
                        }
                        _ => is_review_known,
                    };
                    match run.progress {
                        Progress::Waiting => asked = asked.or_else(|| Some(Instant::now())),
                        _ => limit += asked.take().map_or(Duration::ZERO, |at| at.elapsed()),
                    }
                }
                match seen {
                    Ok(run) => match run.progress {
                        Progress::Done(Conclusion::Success) => {
                            let said = format!("run {id} succeeded: {}", run.url);
                            return Ok(vec![passed(step, said)]);
                        }
                        Progress::Done(other) => {
                            let said = format!("run {id} ended {}: {}", ended(&other), run.url);
                            return Ok(vec![failed(step, said)]);
                        }
                        Progress::Waiting => why = "it waits for GitHub's reviewers".into(),
                        Progress::Queued | Progress::Running | Progress::Other(_) => {
                            why = "it is under way".into();
                        }
                    },
                    Err(fault) if fault.kind == FaultKind::Missing => {
                        return Ok(vec![failed(step, format!("run {id}: {}", fault.what))]);
                    }
                    // I-56: GitHub may be away for a while; the run goes on.
                    Err(fault) => why = fault.what,
                }
            }
            if let Some(stopped) = self.stopped(step) {
                let noted = self.cancelled(id, &github).await?;
                return Ok(noted.into_iter().chain([stopped]).collect());
            }
            let (until, allowed) = match asked {
                Some(at) => (at + review, review),
                None => (limit, timeout),
            };
            if let Woken::Late = self.wait(Some(until)).await? {
                let said = format!("run {id} not within {} s: {why}", allowed.as_secs());
                // Nobody holds the locks any more when it deploys at last (I-6).
                let noted = self.cancel(id, &github).await?;
                return Ok(vec![noted, failed(step, said)]);
            }
        }
    }

    /// Writes down who let the run go on, and when it is over, that nobody had to; whether it need not be asked again before it
    /// waits for somebody. Where the policy demands a review, a job of the run may be waiting for this.
    async fn who_reviewed(
        &mut self,
        id: u64,
        github: &Github,
        is_over: bool,
    ) -> Result<bool, Ended> {
        let decided = match github.decided(id).await {
            Ok(decided) => decided,
            Err(fault) => {
                tracing::warn!(run = id, what = %fault.what, "who reviewed it is not told");
                return Ok(false);
            }
        };
        let approved = decided
            .into_iter()
            .filter(|it| it.word.as_str() == APPROVED);
        let by: BTreeSet<Safe> = approved.map(|it| it.who).collect();
        let by: Vec<Safe> = by.into_iter().collect();
        let is_known = !by.is_empty() || !demands_review(&self.eyes.estate);
        if (is_over || !by.is_empty()) && self.kept.operation.reviewed.as_ref() != Some(&by) {
            let revisions = Revisions::new();
            self.write(vec![What::Reviewed { by, revisions }]).await?;
        }
        Ok(is_known)
    }

    /// Says that a token does not let the run be looked at any more, and that it does again, once each: nobody here would know what
    /// it waits for (G05).
    async fn may_look(&mut self, id: u64, seen: &Result<Seen, Fault>) -> Result<(), Ended> {
        let start = format!("{UNSURE}how run {id} goes");
        let is_said =
            (self.kept.operation.paused.as_ref()).is_some_and(|it| it.starts_with(&start));
        match seen {
            Err(fault)
                if matches!(fault.kind, FaultKind::LoginNeeded | FaultKind::Forbidden)
                    && !is_said =>
            {
                let reason = format!(
                    "{start}: {}; it is looked at again as soon as that is mended",
                    fault.what
                );
                self.write(vec![What::Paused {
                    reason: reason.into(),
                }])
                .await
            }
            Ok(_) if is_said => self.write(vec![What::Resumed]).await,
            _ => Ok(()),
        }
    }

    /// Says that the run waits for a review of GitHub's, and that it goes on, once each: a review is asked for there, and
    /// nobody here would know.
    async fn reviewed(&mut self, run: &Seen) -> Result<(), Ended> {
        let is_said = self.kept.operation.awaits().is_some_and(is_review);
        match (&run.progress, is_said) {
            (Progress::Waiting, false) => {
                let reason = format!("{WAITS}{REVIEW} of run {}: {}", run.id, run.url);
                let reason = reason.into();
                self.write(vec![What::Paused { reason }]).await
            }
            (Progress::Queued | Progress::Running | Progress::Other(_), true) => {
                self.write(vec![What::Resumed]).await
            }
            _ => Ok(()),
        }
    }

    /// The workflow of the plan, if it is the one that is configured here, and the way to it.
    async fn workflow(&self) -> Result<(Workflow, Github), Safe> {
        let How::Workflow(wanted) = self.plan().map(|plan| plan.how.clone()).unwrap_or_default()
        else {
            return Err("its plan names no workflow".into());
        };
        Ok((wanted, self.github().await?))
    }

    /// The way to the GitHub that is configured here.
    pub(super) async fn github(&self) -> Result<Github, Safe> {
        let target = self.bastion.github.as_ref();
        let target = target.ok_or("there is no [github] in the configuration here")?;
        github::connect(target).await.map_err(|fault| fault.what)
    }

    /// The inputs with what is known now in them.
    fn inputs(&self, wanted: &Workflow) -> BTreeMap<Safe, Safe> {
        let inputs = wanted.inputs.iter();
        inputs
            .map(|(name, value)| (name.clone(), self.filled(value)))
            .collect()
    }

    /// A text of the configuration with what is known now in it.
    pub(super) fn filled(&self, text: &Safe) -> Safe {
        let plan = self.plan();
        let colour = plan.map_or("", |plan| plan.to.as_str());
        let environment = plan.map_or("", |plan| plan.environment.as_str());
        let namespace = plan.map_or("", |plan| plan.namespace.as_str());
        let text = text.replace("{operation}", self.id());
        let text = text.replace("{colour}", colour);
        let text = text.replace("{environment}", environment);
        Safe::from(text.replace("{namespace}", namespace))
    }
}

/// How a run ended, behind `ended`.
pub(super) fn ended(conclusion: &Conclusion) -> String {
    match conclusion {
        Conclusion::Success => "well".to_owned(),
        Conclusion::Failure => "in failure".to_owned(),
        Conclusion::Cancelled => "cancelled".to_owned(),
        Conclusion::Skipped => "skipped: nothing was deployed".to_owned(),
        Conclusion::TimedOut => "timed out".to_owned(),
        Conclusion::ActionRequired => "for want of an action of somebody's".to_owned(),
        Conclusion::Neutral => "neutral, which is no success".to_owned(),
        Conclusion::Stale => "stale".to_owned(),
        Conclusion::StartupFailure => "before it began".to_owned(),
        Conclusion::Other(word) => format!("as {word}"),
    }
}
