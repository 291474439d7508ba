//! What comes next, as a pure function of what was written.
//!
//! ```text
//! cutover   check ─ hold ─ flip a ─ move a ─ flip b ─ move b ─ watch ─ restore ─▶ done
//!                     └──── failed or aborted ────┘
//!           undo b ─ undo a ─ return a ─ return b ─ restore ─▶ rolled back
//! rollback  flip b ─ flip a ─ move b ─ move a ─ restore ─▶ done     nothing undoes it
//! repair    check ─ flip a ─ move a ─▶ done                         nothing undoes it
//! deploy    check ─ update x ─ update y ─ roll out x ─ roll out y ─ verify ─▶ done    nothing undoes it
//!           check ─ dispatch ─ follow ─ roll out x ─ roll out y ─ verify ─▶ done      by a workflow
//!           check ─ run ─ roll out x ─ roll out y ─ verify ─▶ done                    by a program
//! smoke     check ─ smoke ─▶ done
//! cleanup   check ─ update x ─ update y ─ verify ─▶ done           nothing undoes it
//! release   check ─ a deploy's ─ smoke ─ plan ─ a cutover's from hold on ─▶ done, or rolled back as a cutover
//! ```
//!
//! Without colours a rollback updates and rolls out in place of flips and moves; where helm deploys it is `run`, which has
//! helm go back a revision, and rolls out.
//!
//! An intent without a result is settled by reading the world, never by acting again.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::Serialize;

use super::entry::{Entry, OperationKind, Outcome, Step, What};
use super::plan::{Plan, Revisions, is_glass};
use crate::estate::Safe;

/// How a pause begins that only a person ends: whoever takes the operation over holds, too (I-12, I-34).
pub const HELD: &str = "HELD: ";
/// How a pause begins that ends when what is waited for comes: an approval, a gate that opens.
pub const WAITS: &str = "WAITS ";
/// How what is waited for begins where that is GitHub's review of its environment.
pub const REVIEW: &str = "GitHub's reviewers";
/// How a pause begins that ends when it is known again whether all is well.
pub const UNSURE: &str = "UNKNOWN ";

/// A pause as people are told of it: `WAITS: …`, `PAUSED: …`.
pub fn pause_in_words(reason: &str) -> String {
    match reason.strip_prefix(WAITS) {
        Some(why) => format!("WAITS: {why}"),
        None => format!("PAUSED: {reason}"),
    }
}

/// Whether what is waited for is decided at GitHub.
pub fn is_review(why: &str) -> bool {
    why.starts_with(REVIEW)
}

/// How far a step is.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum StepState {
    /// Its turn has not come.
    Waiting,
    /// Its intent is written.
    Running {
        /// Since when.
        since: Timestamp,
        /// From 1.
        attempt: u32,
    },
    /// Done.
    Passed {
        /// When.
        at: Timestamp,
        /// What was seen.
        evidence: Safe,
    },
    /// Not done, for sure.
    Failed {
        /// Why.
        reason: Safe,
    },
    /// Not known: the world must be read.
    Unknown {
        /// Why.
        reason: Safe,
    },
}

/// An operation as its entries tell it.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Operation {
    /// What is to be done.
    pub plan: Option<Plan>,
    /// Who wrote the plan.
    pub by: Option<Safe>,
    /// When the plan was written.
    pub since: Option<Timestamp>,
    /// When the last entry was written.
    pub last: Option<Timestamp>,
    /// The steps that were begun, and how far each is.
    pub states: BTreeMap<Step, StepState>,
    /// The epochs that its writes carry, by Service.
    pub epochs: BTreeMap<Safe, u64>,
    /// Who holds the Leases.
    pub holder: Option<Safe>,
    /// Until when the holder can show who they are, where that ends.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub credential: Option<Timestamp>,
    /// Who wants it stopped, and why.
    pub abort: Option<(Safe, Safe)>,
    /// The first step that failed on the way forward, and why.
    pub failure: Option<(Step, Safe)>,
    /// Why it waits for a person.
    pub paused: Option<Safe>,
    /// Gates that were overridden, and why.
    pub overridden: Vec<(Safe, Safe)>,
    /// The freeze that was passed over, if one was.
    pub glass: Option<Glass>,
    /// What was worth knowing, the latest last.
    pub notes: Vec<Safe>,
    /// The workflow run that it started.
    pub run: Option<u64>,
    /// Who approved at GitHub that the run goes on, by login: nobody where nobody had to; none where nobody knows.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reviewed: Option<Vec<Safe>>,
    /// What was deployed under that review, when it was rolled out.
    #[serde(skip_serializing_if = "Revisions::is_empty")]
    pub reviewed_revisions: Revisions,
    /// How it ended, and in words.
    pub closed: Option<(Outcome, Safe)>,
}

/// A freeze was passed over.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Glass {
    /// Who did.
    pub by: Safe,
    /// When.
    pub at: Timestamp,
    /// Why.
    pub reason: Safe,
    /// Who followed it up, and what they noted; none: it is open.
    pub closed: Option<(Safe, Safe)>,
}

/// What a worker does next.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub enum Next {
    /// Write the intent of the step, then act.
    Begin(Step),
    /// Find out by reading whether the step's act was done.
    Settle(Step),
    /// Write the end.
    Close(Outcome, Safe),
    /// It is closed.
    Nothing,
}

impl Operation {
    /// The fold of `entries`.
    pub fn fold(entries: &[Entry]) -> Self {
        let mut operation = Self::default();
        for entry in entries {
            operation.take(entry);
        }
        operation
    }

    /// Folds one entry in. What comes after the end changes nothing, but for the follow-up of broken glass.
    pub fn take(&mut self, entry: &Entry) {
        if let What::GlassClosed { note } = &entry.what {
            if let Some(glass) = &mut self.glass {
                let closed = (entry.by.clone(), note.clone());
                glass.closed.get_or_insert(closed);
            }
            return;
        }
        if self.closed.is_some() {
            return;
        }
        self.last = Some(entry.at);
        match &entry.what {
            What::Planned(plan) => {
                if self.plan.is_none() {
                    self.plan = Some((**plan).clone());
                    self.by = Some(entry.by.clone());
                    self.since = Some(entry.at);
                }
            }
            What::Locked {
                epochs,
                holder,
                credential,
            }
            | What::Adopted {
                epochs,
                holder,
                credential,
            } => {
                self.epochs
                    .extend(epochs.iter().map(|(k, v)| (k.clone(), *v)));
                self.holder = Some(holder.clone());
                self.credential = *credential;
            }
            What::AbortAsked { reason } => {
                self.abort
                    .get_or_insert_with(|| (entry.by.clone(), reason.clone()));
            }
            What::Overridden { gate, reason } => {
                if is_glass(gate) {
                    self.glass.get_or_insert_with(|| Glass {
                        by: entry.by.clone(),
                        at: entry.at,
                        reason: reason.clone(),
                        closed: None,
                    });
                }
                self.overridden.push((gate.clone(), reason.clone()));
            }
            What::Dispatched { run } => self.run = Some(*run),
            What::Reviewed { by, revisions } => {
                self.reviewed = Some(by.clone());
                self.reviewed_revisions.clone_from(revisions);
            }
            What::Cutover(next) => {
                let has_flipped = self.states.keys().any(|step| matches!(step, Step::Flip(_)));
                if let Some(plan) = self.plan.as_mut().filter(|_| !has_flipped) {
                    plan.go_on_with(next);
                }
            }
            What::Noted { fact } => self.notes.push(fact.clone()),
            What::Paused { reason } => self.paused = Some(reason.clone()),
            What::Resumed => self.paused = None,
            What::Abandoned { reason } => {
                self.closed = Some((Outcome::Abandoned, reason.clone()));
            }
            What::Closed { outcome, reason } => self.closed = Some((*outcome, reason.clone())),
            What::Began { .. }
            | What::Passed { .. }
            | What::Failed { .. }
            | What::Unknown { .. } => {
                self.step(entry);
            }
            What::Tested { .. } | What::GlassClosed { .. } | What::Newer(_) => {}
        }
    }

    /// Who approved at GitHub that the run goes on, as far as that is known.
    pub fn reviewers(&self) -> &[Safe] {
        self.reviewed.as_deref().unwrap_or_default()
    }

    /// A step that passed stays passed: a late or repeated entry does not take it back.
    fn step(&mut self, entry: &Entry) {
        let (step, state) = match &entry.what {
            What::Began { step, attempt } => {
                let (since, attempt) = (entry.at, *attempt);
                (step, StepState::Running { since, attempt })
            }
            What::Passed { step, evidence } => {
                let (at, evidence) = (entry.at, evidence.clone());
                (step, StepState::Passed { at, evidence })
            }
            What::Failed { step, reason } => {
                if !is_backward(step) {
                    (self.failure).get_or_insert_with(|| (step.clone(), reason.clone()));
                }
                let reason = reason.clone();
                (step, StepState::Failed { reason })
            }
            What::Unknown { step, reason } => {
                let reason = reason.clone();
                (step, StepState::Unknown { reason })
            }
            _ => return,
        };
        self.paused = None;
        if !self.is_over(step) {
            self.states.insert(step.clone(), state);
        }
    }

    /// How far `step` is.
    pub fn state(&self, step: &Step) -> StepState {
        self.states.get(step).cloned().unwrap_or(StepState::Waiting)
    }

    /// The glass that was broken and that nobody followed up yet.
    pub fn open_glass(&self) -> Option<&Glass> {
        self.glass.as_ref().filter(|glass| glass.closed.is_none())
    }

    /// Whether `step` passed.
    pub fn has_passed(&self, step: &Step) -> bool {
        matches!(self.states.get(step), Some(StepState::Passed { .. }))
    }

    fn has_failed(&self, step: &Step) -> bool {
        matches!(self.states.get(step), Some(StepState::Failed { .. }))
    }

    /// Passed or failed: nothing follows.
    fn is_over(&self, step: &Step) -> bool {
        matches!(
            self.states.get(step),
            Some(StepState::Passed { .. } | StepState::Failed { .. })
        )
    }

    /// Whether the way is back: something failed, or somebody wants it stopped.
    pub fn is_going_back(&self) -> bool {
        self.abort.is_some() || (self.failure.is_some() && !self.is_rollback())
    }

    fn is_rollback(&self) -> bool {
        self.plan
            .as_ref()
            .is_some_and(|p| p.kind == OperationKind::Rollback)
    }

    /// Whether it is paused for a person to decide what becomes of traffic that stays where it is.
    pub fn is_for_a_person(&self) -> bool {
        let is_so = |why: &Safe| why.starts_with(HELD) || why.starts_with(UNSURE);
        self.paused.as_ref().is_some_and(is_so)
    }

    /// What it waits for and goes on by itself when that comes: an approval, a gate that opens.
    pub fn awaits(&self) -> Option<&str> {
        self.paused.as_ref()?.strip_prefix(WAITS)
    }

    /// The run of GitHub's that it started and has not seen the end of.
    pub fn followed(&self) -> Option<u64> {
        self.run.filter(|_| !self.is_over(&Step::Follow))
    }

    /// The step whose intent is written and whose result is not.
    pub fn open_step(&self) -> Option<&Step> {
        let is_open = |state: &StepState| {
            matches!(state, StepState::Running { .. } | StepState::Unknown { .. })
        };
        self.states
            .iter()
            .find(|(_, s)| is_open(s))
            .map(|(step, _)| step)
    }

    /// The steps of the way that it is on, in order.
    pub fn steps(&self) -> Vec<Step> {
        let Some(plan) = &self.plan else {
            return Vec::new();
        };
        // Only a rollback goes on after a flip that failed: there is nothing to wait for then.
        let mut forward = plan.steps();
        forward.retain(|step| match step {
            Step::Move(service) => !self.has_failed(&Step::Flip(service.clone())),
            Step::RollOut(name) => {
                !self.has_failed(&Step::Run) && !self.has_failed(&Step::Update(name.clone()))
            }
            _ => true,
        });
        if !self.is_going_back() {
            return forward;
        }
        let mut steps: Vec<Step> = (forward.into_iter())
            .filter(|step| self.states.contains_key(step) && *step != Step::Restore)
            .collect();
        let flipped: Vec<Safe> = match plan.kind {
            OperationKind::Cutover | OperationKind::Release => (steps.iter().rev())
                .filter(|step| matches!(step, Step::Flip(_)) && self.has_passed(step))
                .filter_map(|step| step.service().cloned())
                .collect(),
            OperationKind::Rollback
            | OperationKind::Repair
            | OperationKind::Deploy
            | OperationKind::Smoke
            | OperationKind::Cleanup => Vec::new(),
        };
        steps.extend(flipped.iter().cloned().map(Step::Undo));
        let undone = flipped
            .into_iter()
            .filter(|s| self.has_passed(&Step::Undo(s.clone())));
        steps.extend(undone.map(Step::Return));
        if self.states.contains_key(&Step::Hold) || self.is_rollback() {
            steps.push(Step::Restore);
        }
        steps
    }

    /// What a worker does next.
    pub fn next(&self) -> Next {
        if self.closed.is_some() {
            return Next::Nothing;
        }
        let Some(plan) = &self.plan else {
            return Next::Close(Outcome::Failed, "its record holds no plan".into());
        };
        if let Some(step) = self.open_step() {
            return Next::Settle(step.clone());
        }
        let waiting = (self.steps().into_iter()).find(|step| !self.is_over(step));
        match waiting {
            Some(step) => Next::Begin(step),
            None => self.end(plan),
        }
    }

    fn end(&self, plan: &Plan) -> Next {
        let undone = self
            .states
            .keys()
            .any(|s| matches!(s, Step::Undo(_)) && self.has_passed(s));
        let stuck = self.states.iter().find_map(|(step, state)| match state {
            StepState::Failed { reason } if is_backward(step) => Some((step, reason)),
            _ => None,
        });
        let why = match (&self.abort, &self.failure) {
            (Some((by, reason)), _) => format!("aborted by {by}: {reason}"),
            (None, Some((step, reason))) => format!("{step} failed: {reason}"),
            (None, None) => plan.done_in_words(),
        };
        if let Some((step, reason)) = stuck {
            let cause = match self.is_going_back() {
                true => format!("; it went back because: {why}"),
                false => String::new(),
            };
            let words = format!("{step} failed: {reason}{cause}; the rest is as the steps say");
            return Next::Close(Outcome::Failed, words.into());
        }
        // An idle colour that was half deployed takes no traffic.
        let touches = |s: &Step| match s {
            Step::Flip(_) => true,
            Step::Update(_) | Step::Run => plan.is_in_place(),
            _ => false,
        };
        let has_flipped = self.states.keys().any(|s| touches(s) && self.has_passed(s));
        let outcome = match (&self.failure, &self.abort) {
            _ if undone => Outcome::RolledBack,
            (Some(_), _) => Outcome::Failed,
            // A rollback or a repair that had moved traffic already is not taken back.
            (None, Some(_)) if has_flipped => Outcome::Failed,
            (None, Some(_)) => Outcome::Aborted,
            (None, None) => Outcome::Done,
        };
        Next::Close(outcome, why.into())
    }
}

/// Whether a step belongs to the way back.
fn is_backward(step: &Step) -> bool {
    matches!(step, Step::Undo(_) | Step::Return(_) | Step::Restore)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::panic, reason = "tests")]
pub(crate) mod tests;
