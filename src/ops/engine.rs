//! Carries an operation out: what the machine says is next, one intent and one result after the other.
//!
//! Result n and intent n+1 are one write to the record. Before every outward write the Lease is believed
//! or nothing is sent. What is not known is read, never sent again. A rollback needs neither the record nor the
//! Lease to be writable: what could not be written is written afterwards.

mod cancel;
mod dispatch;
mod flip;
mod freeze;
mod helm;
mod hold;
mod join;
mod program;
mod release;
mod roll_out;
mod smoke;
mod soak;
mod start;
mod update;
mod verify;
mod wait;
mod written;

use std::any::Any;
use std::panic::AssertUnwindSafe;
use std::sync::Mutex;
use std::time::Duration;

use futures::FutureExt as _;
use serde_json::json;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::Instant;

use super::bastion::Bastion;
use super::entry::{Entry, OperationKind, Outcome, Step, What};
use super::eyes::Eyes;
use super::hook::Hooks;
use super::journal::Journal;
use super::kept::Kept;
use super::lock::{Belief, Lock};
use super::machine::{Next, StepState};
use super::patch::Draft;
use super::{plan::Plan, record};
use crate::clients::kubernetes::{Kept as Object, Unwritten};
use crate::estate::ci::Runs;
use crate::estate::{Estate, Moment, Safe};
use written::{Written, is_half_way};

pub use start::{Prepared, Refused, abandon, adopt, prepare, warm};

/// How long the end of a rollback waits for a journal that is written beside it.
const SETTLES: Duration = Duration::from_secs(2);

/// How often an act that was found not done is tried.
const ATTEMPTS: u32 = 3;

/// How a worker ended.
#[derive(Clone, Debug, PartialEq)]
pub enum Ended {
    /// The operation is over.
    Closed(Outcome, Safe),
    /// The worker is; the operation can be adopted.
    Interrupted(Safe),
    /// Somebody else has the Lease; who.
    Fenced(Safe),
}

/// An operation in the hands of its worker.
#[derive(Debug)]
pub struct Run {
    bastion: Bastion,
    kept: Kept,
    lock: Lock,
    eyes: Eyes,
    journal: Journal,
    watched: watch::Sender<u64>,
    keeper: JoinHandle<()>,
    /// Somebody asked the worker itself to end at the next boundary.
    stop: watch::Receiver<bool>,
    tell: Option<Tell>,
    hooks: Hooks,
    /// The workflow run that it is a job of, where it is a part of another operation.
    joined: Option<u64>,
    /// Whether the hooks were told that it began.
    has_begun: bool,
    /// Whether all that it may touch carries its epoch, as a rollback that cut somebody off makes sure.
    is_fenced: bool,
    /// Whether what was sent for the step that is open was not answered: it may arrive whenever it likes.
    is_unsettled: bool,
    /// Whether a line of its journal could not be written.
    is_unjournaled: bool,
    /// Since when no write of the record went through.
    unwritten: Option<Instant>,
    /// What goes before the first result: a rollback's record was written beside its Leases.
    beforehand: Vec<What>,
    /// What a rollback read in its first round trip, and when: its patches need no other.
    read: Option<(Estate, Moment)>,
    /// What GitHub said last of the commits: what is green is not asked again.
    runs: Mutex<Option<Runs>>,
}

/// Told of each entry as it is written.
struct Tell(Box<dyn Fn(&Entry) + Send + Sync>);

impl std::fmt::Debug for Tell {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Tell")
    }
}

impl Drop for Run {
    fn drop(&mut self) {
        self.keeper.abort();
    }
}

/// What was found out about a step whose result is not known.
enum Found {
    /// Its results.
    Known(Vec<What>),
    /// It was not done, for sure, and cannot be any more: it may be tried again.
    NotDone,
}

impl Run {
    /// The operation's id.
    pub fn id(&self) -> &Safe {
        &self.kept.id
    }

    /// The record as it was last written or read.
    pub fn kept(&self) -> &Kept {
        &self.kept
    }

    /// Where it is done.
    pub fn bastion(&self) -> &Bastion {
        &self.bastion
    }

    /// Whether it is a part of another operation, and has no record of its own: nobody can go on with it.
    pub fn is_joined(&self) -> bool {
        self.joined.is_some()
    }

    /// Whether a clean-up follows it where it ends well: it brings traffic to the other colour, by itself, and the
    /// configuration says so.
    pub fn is_followed(&self) -> bool {
        let is_forward = |plan: &Plan| plan.kind.cuts_over() && !plan.flips.is_empty();
        let switch = self.bastion.scope.traffic.as_ref();
        self.joined.is_none()
            && self.plan().is_some_and(is_forward)
            && switch.is_some_and(|switch| switch.clean_up)
    }

    /// Has `tell` told of each entry that was written, those before included.
    #[must_use]
    pub fn told_by(mut self, tell: impl Fn(&Entry) + Send + Sync + 'static) -> Self {
        self.kept.entries.iter().for_each(&tell);
        self.tell = Some(Tell(Box::new(tell)));
        self
    }

    fn plan(&self) -> Option<&Plan> {
        self.kept.operation.plan.as_ref()
    }

    /// Who does it, and for whom, where somebody else began it.
    fn doer(&self) -> Safe {
        let ours = self.bastion.person.words();
        match &self.kept.operation.by {
            Some(by) if *by != ours => format!("{ours}, for {by}").into(),
            _ => ours,
        }
    }

    fn is_rollback(&self) -> bool {
        self.plan()
            .is_some_and(|plan| plan.kind == OperationKind::Rollback)
    }

    /// Goes on until the operation is over or the worker must stop. A panic on the way is written down as what
    /// it is to everybody else: nobody knows whether the step was done (P04).
    pub async fn carry_out(self) -> Ended {
        let (bastion, id) = (self.bastion.clone(), self.kept.id.clone());
        match AssertUnwindSafe(self.carry()).catch_unwind().await {
            Ok(ended) => ended,
            Err(panic) => broken(&bastion, &id, &*panic).await,
        }
    }

    async fn carry(mut self) -> Ended {
        let ended = self.work().await;
        if let (Some(number), Ended::Interrupted(why)) = (self.joined, &ended) {
            self.tell_host_of_end(number, why).await;
        }
        std::mem::take(&mut self.hooks).end().await;
        self.journal.settle(SETTLES);
        ended
    }

    async fn work(&mut self) -> Ended {
        match self.go_on().await {
            Ok(closed) => {
                self.keeper.abort();
                self.lock.release().await;
                if self.joined.is_none() {
                    record::prune(&self.bastion).await;
                }
                closed
            }
            Err(ended) => {
                // Asked to end, nothing is under way: whoever goes on need not wait for the Lease. Where a patch still is, it
                // runs out held: whoever comes next cuts this worker off, and fences (rule 5).
                let is_asked = matches!(ended, Ended::Interrupted(_)) && *self.stop.borrow();
                if is_asked && !self.is_unsettled {
                    self.keeper.abort();
                    self.lock.release().await;
                }
                ended
            }
        }
    }

    async fn go_on(&mut self) -> Result<Ended, Ended> {
        let mut next = self.first();
        // Whoever was asked to end left results, and no intent behind them.
        if matches!(&next, Next::Begin(step) if self.kept.operation.open_step() != Some(step)) {
            next = self.commit(Vec::new()).await?;
        }
        loop {
            // A way back is as exempt as a rollback is from what an overloaded server asks for (rule 9).
            if self.kept.operation.is_going_back() {
                self.bastion.cluster.urge();
            }
            let results = match next {
                Next::Nothing => return Ok(self.over()),
                Next::Close(..) => Vec::new(),
                Next::Begin(step) => self.act(&step).await?,
                Next::Settle(step) => match self.settle(&step).await? {
                    Found::Known(results) => results,
                    Found::NotDone => {
                        self.hear();
                        match self.must_not_try(&step) {
                            true => vec![not_tried(&step)],
                            false => self.again(&step).await?,
                        }
                    }
                },
            };
            if !results.is_empty() {
                let is_open = |what: &What| matches!(what, What::Unknown { .. });
                self.is_unsettled = results.iter().any(is_open);
            }
            let mut whats = std::mem::take(&mut self.beforehand);
            whats.extend(results);
            next = self.commit(whats).await?;
        }
    }

    /// The first step: its intent may have been written with the plan.
    fn first(&self) -> Next {
        let operation = &self.kept.operation;
        match operation.open_step() {
            Some(step) if !self.kept.is_resumed() => Next::Begin(step.clone()),
            _ => operation.next(),
        }
    }

    /// I-32: a flip or an update that was not done is not made up for when somebody wants it stopped.
    fn must_not_try(&self, step: &Step) -> bool {
        matches!(step, Step::Flip(_) | Step::Update(_)) && self.kept.operation.is_going_back()
    }

    fn over(&self) -> Ended {
        match &self.kept.operation.closed {
            Some((outcome, why)) => Ended::Closed(*outcome, why.clone()),
            None => Ended::Interrupted("it has no end yet".into()),
        }
    }

    /// Writes another intent for a step that was found not done, and acts.
    async fn again(&mut self, step: &Step) -> Result<Vec<What>, Ended> {
        let attempt = 1 + match self.kept.operation.state(step) {
            StepState::Running { attempt, .. } => attempt,
            _ => self.attempts(step),
        };
        if attempt > ATTEMPTS {
            return Ok(vec![What::Failed {
                step: step.clone(),
                reason: format!("it was tried {ATTEMPTS} times and never done").into(),
            }]);
        }
        let began = What::Began {
            step: step.clone(),
            attempt,
        };
        loop {
            match self.try_write(vec![began.clone()]).await? {
                Written::Done => break,
                // An abort among it: what was not done by then is not done any more.
                Written::Not if self.must_not_try(step) => return Ok(vec![not_tried(step)]),
                Written::Not => {}
                // It was not done: the others go back.
                Written::Never(reason) if is_half_way(&self.kept.operation) => {
                    let step = step.clone();
                    return Ok(vec![What::Failed { step, reason }]);
                }
                Written::Never(why) => return Err(Ended::Interrupted(why)),
            }
        }
        if self.kept.operation.open_step() != Some(step) {
            return Ok(Vec::new());
        }
        self.act(step).await
    }

    fn attempts(&self, step: &Step) -> u32 {
        let began =
            |entry: &&Entry| matches!(&entry.what, What::Began { step: s, .. } if s == step);
        u32::try_from(self.kept.entries.iter().filter(began).count()).unwrap_or(u32::MAX)
    }

    async fn act(&mut self, step: &Step) -> Result<Vec<What>, Ended> {
        #[cfg(debug_assertions)]
        defect(step);
        if let Some(stopped) = self.frozen_meanwhile(step).await? {
            return Ok(vec![stopped]);
        }
        match step {
            Step::Check => self.check().await,
            Step::Hold => self.hold().await,
            Step::Flip(service) | Step::Undo(service) => self.flip(step, service).await,
            Step::Move(service) | Step::Return(service) => {
                self.fence_the_rest().await?;
                self.moved(step, service).await
            }
            Step::Watch => self.watch().await,
            Step::Restore => self.restore().await,
            Step::Run => self.run_program(step).await,
            Step::Dispatch => self.dispatch(step).await,
            Step::Follow => self.followed(step).await,
            Step::Update(name) => self.update(step, name).await,
            Step::RollOut(name) => self.rolled_out(step, name).await,
            Step::Verify => self.verify().await,
            Step::Smoke => self.smoke(step).await,
            Step::Plan => self.plan_cutover(step).await,
        }
    }

    async fn settle(&mut self, step: &Step) -> Result<Found, Ended> {
        match step {
            Step::Flip(service) | Step::Undo(service) => self.settle_flip(step, service).await,
            Step::Run => self.settle_program(step).await,
            Step::Dispatch => self.settle_dispatch(step).await,
            Step::Update(name) => self.settle_update(step, name).await,
            Step::Smoke => self.settle_smoke(step).await,
            // These only look, or test each object before they write it: doing them is finding out.
            Step::Check
            | Step::Hold
            | Step::Move(_)
            | Step::Return(_)
            | Step::Watch
            | Step::Restore
            | Step::Follow
            | Step::RollOut(_)
            | Step::Verify
            | Step::Plan => Ok(Found::Known(self.act(step).await?)),
        }
    }

    fn entry(&self, what: What) -> Entry {
        Entry {
            at: self.bastion.clock.wall(),
            by: self.bastion.person.words(),
            what,
        }
    }

    /// A line in the journal. A disk that is full does not stop what runs.
    fn note(&mut self, phase: &str, what: serde_json::Value) {
        if let Err(error) = self.journal.write(self.bastion.clock.wall(), phase, what) {
            tracing::warn!(%error, "the journal could not be written");
            // Said once, where whoever is at it looks (P05).
            if !std::mem::replace(&mut self.is_unjournaled, true) {
                let fact = format!("its journal on this machine cannot be written: {error}");
                self.beforehand.push(What::Noted { fact: fact.into() });
            }
        }
    }

    /// Sends a patch, once: behind a line in the journal that says so (rule 8).
    async fn send<P: Object>(
        &mut self,
        name: &str,
        draft: Draft,
        (what, value): (&str, serde_json::Value),
    ) -> Result<Result<P, Unwritten>, Ended> {
        self.announce(name, what, value)?;
        self.patched(name, draft).await
    }

    /// The line in the journal, and behind it, however long the disk took, the last look at the Lease: nothing but the request
    /// comes after that.
    fn announce(&mut self, name: &str, what: &str, value: serde_json::Value) -> Result<(), Ended> {
        self.believe()?;
        self.note("sent", json!({ "patch": name, (what): value }));
        self.believe()
    }

    /// Sends a patch that was announced.
    async fn patched<P: Object>(
        &mut self,
        name: &str,
        draft: Draft,
    ) -> Result<Result<P, Unwritten>, Ended> {
        let (cluster, answer) = (&self.bastion.cluster, self.bastion.timing.answer);
        let sent = cluster.patch::<P>(name, &draft.finish(), answer).await;
        self.is_unsettled |= matches!(sent, Err(Unwritten::Unknown(_)));
        Ok(sent)
    }

    /// Whether the worker may write now.
    fn believe(&self) -> Result<(), Ended> {
        // The record may say it before the Lease does: somebody ended it, or took it over.
        let operation = &self.kept.operation;
        if let Some((outcome, why)) = &operation.closed {
            return Err(Ended::Closed(*outcome, why.clone()));
        }
        let ours = &self.bastion.person.holder;
        if let Some(holder) = operation.holder.as_ref().filter(|holder| *holder != ours) {
            return Err(Ended::Fenced(holder.clone()));
        }
        match self.lock.belief() {
            Belief::Held => Ok(()),
            Belief::Fenced(holder) => Err(Ended::Fenced(holder)),
            Belief::Lost(_) if self.is_rollback() => Ok(()),
            Belief::Lost(why) => Err(Ended::Interrupted(why)),
        }
    }

    /// Whether the worker itself was asked to end: between two steps it may.
    fn boundary(&self) -> Result<(), Ended> {
        match *self.stop.borrow() && !self.is_rollback() {
            true => Err(Ended::Interrupted("the worker was asked to end".into())),
            false => Ok(()),
        }
    }

    /// A pause between two tries, as long as the Leases are believed.
    async fn pause(&mut self) -> Result<(), Ended> {
        self.believe()?;
        self.boundary()?;
        tokio::time::sleep(self.bastion.timing.pause).await;
        self.believe()
    }
}

fn not_tried(step: &Step) -> What {
    let said = "it was not done, and it is not tried again on the way back";
    flip::failed(step, said)
}

/// What is left of a worker that panicked: its open step is UNKNOWN, and its Lease runs out.
async fn broken(bastion: &Bastion, id: &Safe, panic: &(dyn Any + Send)) -> Ended {
    let said = (panic.downcast_ref::<&str>().copied())
        .or_else(|| panic.downcast_ref::<String>().map(String::as_str));
    let why = format!("the worker broke: {}", said.unwrap_or("a panic"));
    let reason = Safe::new(&why);
    let open = record::read(bastion, id).await.ok().flatten();
    let step = open.and_then(|kept| kept.operation.open_step().cloned());
    let what = match step {
        Some(step) => What::Unknown {
            step,
            reason: reason.clone(),
        },
        None => What::Noted {
            fact: reason.clone(),
        },
    };
    if let Err(error) = record::add(bastion, id, what).await {
        tracing::error!(%error, %reason, "the worker broke, and that could not be recorded");
    }
    Ended::Interrupted(reason)
}

/// A panic on purpose, for P04's test; release builds do not contain it.
#[cfg(debug_assertions)]
#[expect(clippy::panic, reason = "the test wants one")]
fn defect(step: &Step) {
    if std::env::var("WHEELHOUSE_DEFECT").is_ok_and(|wanted| wanted == step.word()) {
        panic!("asked for a defect at {step}");
    }
}
