//! From a request to a worker that holds the Leases: the plan, the locks, the record; and the takeover.

use std::collections::{BTreeMap, BTreeSet};
use std::io;

use futures::future;
use tokio::sync::watch;

use super::hold::{all_held, evidence};
use super::wait::watched;
use super::{Ended, Run};
use crate::estate::{Estate, Fault, FaultKind, Lasting, Lease, Safe, Tier};
use crate::ops::bastion::{Bastion, Planted};
use crate::ops::entry::{Entry, OperationKind, Outcome, Step, What};
use crate::ops::eyes::Eyes;
use crate::ops::hook::Hooks;
use crate::ops::journal::Journal;
use crate::ops::kept::{self, Kept};
use crate::ops::lock::{self, HeldFor, Lock, NotLocked, Taking};
use crate::ops::machine::{Next, Operation};
use crate::ops::plan::{
    Flip, Gate, Plan, Refusal, RefusalKind, Request, Update, check, flip_of, is_glass, left, target,
};
use crate::ops::record::{self, NotWritten, Room, Unamended};
use crate::ops::{helm, marks, monitoring, outside, policy, reads};

/// Why there is no worker.
#[derive(Clone, Debug, PartialEq)]
pub enum Refused {
    /// It may not be done.
    Refusal(Refusal),
    /// The decisive facts are others than those that were confirmed; what is planned now.
    Moved(Box<Plan>),
    /// The disk, the record, or what the API server said to it.
    Trouble(Safe),
    /// The API server could not be asked, or gave no answer that is one: what is true is not known.
    Away(Safe),
}

impl From<Fault> for Refused {
    fn from(fault: Fault) -> Self {
        match fault.kind {
            FaultKind::Forbidden | FaultKind::Missing | FaultKind::Config => {
                Self::Trouble(fault.what)
            }
            _ => Self::Away(fault.what),
        }
    }
}

impl From<Refused> for Safe {
    fn from(refused: Refused) -> Self {
        policy::words(&refused)
    }
}

/// A worker that is connected, looks, and waits for the confirmation.
#[derive(Debug)]
pub struct Prepared {
    pub(super) bastion: Bastion,
    pub(super) request: Request,
    pub(super) eyes: Eyes,
    plan: Result<Plan, Refusal>,
    /// What a rollback without colours was shown to bring back, as soon as there was a plan.
    shown: Option<String>,
}

/// Reads what the plan hangs on, and starts to look.
///
/// # Errors
/// The API's fault.
pub async fn prepare(bastion: &Bastion, request: Request) -> Result<Prepared, Refused> {
    if let Some(within) = request.joins() {
        super::join::host(bastion, within).await?;
        if request.kind.cuts_over() {
            super::join::reviewed(bastion, within).await?;
        }
    }
    let mut estate = match request.kind {
        OperationKind::Rollback => {
            let mut estate = reads::least(bastion).await?;
            reads::epochs(bastion, &mut estate).await;
            // What it would cost to have a cold colour back, what was deployed there since, and, without colours, what ran
            // before only they know.
            reads::past(bastion, &mut estate).await;
            helm::look(bastion, &mut estate, &request).await;
            estate
        }
        OperationKind::Cutover
        | OperationKind::Repair
        | OperationKind::Deploy
        | OperationKind::Smoke
        | OperationKind::Cleanup
        | OperationKind::Release => {
            let mut estate = reads::for_plan(bastion, request.kind).await?;
            reads::rights(bastion, &mut estate, request.kind).await;
            helm::look(bastion, &mut estate, &request).await;
            estate
        }
    };
    let colour = target(&request, &estate);
    if let Some(colour) = &colour {
        outside::look_for(bastion, &mut estate, &request, colour).await;
    }
    let idle = estate.live_colour().map(|live| 1 - live);
    let idle = idle.filter(|_| request.kind == OperationKind::Cleanup);
    let switch = estate.scope.traffic.as_ref();
    if let Some(idle) = switch.zip(idle).map(|(it, idle)| it.colours[idle].clone()) {
        monitoring::look_at_rate(bastion, &mut estate, &idle).await;
    }
    let plan = check(&request, &estate, bastion.clock.now());
    let request = pinned(request, &plan);
    let mut eyes = Eyes::open(bastion);
    // What was read is what is known until the watches have listed for themselves.
    eyes.estate = estate;
    if let Some(colour) = &colour {
        eyes.ask_monitoring(colour);
    }
    Ok(Prepared {
        bastion: bastion.clone(),
        request,
        eyes,
        shown: plan.as_ref().ok().map(Plan::brings_back),
        plan,
    })
}

/// A rollback goes where it was said to go when it was planned, whatever is live by the time somebody confirms it.
fn pinned(request: Request, plan: &Result<Plan, Refusal>) -> Request {
    match plan {
        Ok(plan) => request.pinned_to(&plan.to),
        Err(_) => request,
    }
}

/// Opens as many connections as a rollback's first round trip has requests: the watches keep those that the
/// reads opened, and a handshake between the word and the patch is a round trip of its own. Whatever fails
/// here is met there again.
pub async fn warm(bastion: &Bastion) {
    let services = (bastion.scope.traffic.as_ref()).map_or(0, |switch| switch.services.len());
    // For each Service its Lease and itself; the record, the pods, the list of Leases.
    let requests = 2 * services + 3;
    let pulse = |_| bastion.cluster.pulse(bastion.timing.answer);
    future::join_all((0..requests).map(pulse)).await;
}

impl Prepared {
    /// What it was planned over.
    pub fn estate(&self) -> &Estate {
        &self.eyes.estate
    }

    /// What is asked for, with where a rollback goes.
    pub fn request(&self) -> &Request {
        &self.request
    }

    /// The plan, or why there is none.
    pub fn plan(&self) -> &Result<Plan, Refusal> {
        &self.plan
    }

    /// How much friction it deserves, by configuration and policy.
    pub fn tier(&self) -> Tier {
        self.eyes.estate.tier()
    }

    /// Takes the reason, which is said after the facts were read. It decides nothing.
    pub fn because(&mut self, reason: Safe) {
        // Where glass is to be broken that is asked for first, and why it is comes with the confirmation.
        if let Some(why) = &mut self.request.break_glass {
            *why = reason.clone();
        }
        if let Ok(plan) = &mut self.plan {
            plan.reason = Some(reason.clone());
        }
        self.request.reason = Some(reason);
    }

    /// Takes the reason why the gates that are overridden do not count, where none was said yet.
    pub fn override_because(&mut self, reason: &Safe) {
        let unsaid = self.request.overrides.values_mut();
        unsaid
            .filter(|why| why.is_empty())
            .for_each(|why| *why = reason.clone());
    }

    /// Looks on while the person reads. May be given up on and called again.
    pub async fn look(&mut self) {
        self.eyes.next().await;
        self.plan = check(&self.request, &self.eyes.estate, self.bastion.clock.now());
        if let (None, Ok(plan)) = (&self.shown, &self.plan) {
            self.shown = Some(plan.brings_back());
        }
    }

    /// Starts, if the plan is still the confirmed one, whose hash is `confirmed`; none confirms what it is.
    ///
    /// # Errors
    /// Why not.
    pub async fn start(
        self,
        confirmed: Option<&str>,
        stop: watch::Receiver<bool>,
    ) -> Result<Run, Refused> {
        if let Some(within) = self.request.joins().cloned() {
            return self.join(&within, confirmed, stop).await;
        }
        match self.request.kind {
            OperationKind::Rollback => self.roll_back(stop).await,
            OperationKind::Cutover
            | OperationKind::Repair
            | OperationKind::Deploy
            | OperationKind::Smoke
            | OperationKind::Cleanup
            | OperationKind::Release => self.move_forward(confirmed, stop).await,
        }
    }

    async fn move_forward(
        self,
        confirmed: Option<&str>,
        stop: watch::Receiver<bool>,
    ) -> Result<Run, Refused> {
        let bastion = &self.bastion;
        let mut estate = reads::for_plan(bastion, self.request.kind).await?;
        if let Some(colour) = target(&self.request, &estate) {
            estate.alerts = self.eyes.estate.alerts.clone();
            outside::look_for(bastion, &mut estate, &self.request, &colour).await;
        }
        helm::look(bastion, &mut estate, &self.request).await;
        // What was passed over then is on record with its reason.
        estate.rights.clone_from(&self.eyes.estate.rights);
        let plan = check(&self.request, &estate, bastion.clock.now()).map_err(Refused::Refusal)?;
        if let Some(gate) =
            (plan.overridden.iter()).find_map(|(id, why)| why.trim().is_empty().then_some(id))
        {
            return Err(Refused::Refusal(Refusal {
                kind: RefusalKind::Invalid,
                why: format!("{gate} is overridden without a reason: say why it does not count")
                    .into(),
                plan: Some(Box::new(plan.clone())),
            }));
        }
        if confirmed.is_some_and(|hash| hash != plan.hash.as_str()) {
            return Err(Refused::Moved(Box::new(plan)));
        }
        unfinished(bastion, &plan).await?;
        let id = bastion.clock.operation_id();
        let mut journal = journal(bastion, &id).map_err(no_room)?;
        let services = plan.locks();
        let left = left(&estate, bastion.clock.now());
        let server = estate.server_time(bastion.clock.now());
        let taking = Taking::Free {
            left: &left,
            server,
        };
        let held_for = held_for(&id, &plan);
        let floor = floor(&estate, &plan);
        let lock = lock::acquire(bastion, &held_for, &services, &floor, taking).await;
        let lock = lock.map_err(|not| not_locked(&plan, not))?;
        let mut entries = planned(bastion, &plan, &lock, &estate);
        entries.extend(broken(bastion, &self.request, &plan));
        for what in [
            What::Began {
                step: Step::Check,
                attempt: 1,
            },
            What::Passed {
                step: Step::Check,
                evidence: evidence(&plan.gates).into(),
            },
        ] {
            entries.push(entry(bastion, what));
        }
        if let Next::Begin(step) = Operation::fold(&entries).next() {
            entries.push(entry(bastion, What::Began { step, attempt: 1 }));
        }
        if let Err(error) = told_to(&mut journal, bastion, &entries) {
            // Nothing was written but the Lease: whoever has room is not kept waiting for it.
            lock.release().await;
            return Err(no_room(error));
        }
        match record::create(bastion, &id, plan.kind, entries).await {
            Ok(kept) => {
                let mut run = run(bastion.clone(), kept, lock, self.eyes, journal, stop, 0);
                if run.lock.was_seized
                    && let Some(why) = run.fence().await.map_err(ended)?
                {
                    let reason = unfenced(&why);
                    let what = What::Abandoned {
                        reason: reason.clone(),
                    };
                    let _ = record::add(bastion, &id, what).await;
                    // The Lease runs out held: whoever comes next seizes it, and has to fence.
                    return Err(Refused::Trouble(reason));
                }
                Ok(run)
            }
            Err(fault) => {
                lock.give_up().await;
                Err(fault.into())
            }
        }
    }

    /// Two round trips: here the first, all at once; the patch is the second (rule 9).
    async fn roll_back(self, stop: watch::Receiver<bool>) -> Result<Run, Refused> {
        let bastion = &self.bastion;
        let plan = self.plan.map_err(Refused::Refusal)?;
        // Somebody deployed while it was read: what would be taken away now nobody was shown.
        if self.shown.is_some_and(|shown| shown != plan.brings_back()) {
            return Err(Refused::Moved(Box::new(plan)));
        }
        let id = bastion.clock.operation_id();
        let known = leases(&self.eyes.estate, &plan);
        let plan = whole(plan, &known, &self.eyes.estate);
        let epochs = next_epochs(&known, &floor(&self.eyes.estate, &plan), &plan);
        let mut entries = vec![entry(bastion, What::Planned(Box::new(plan.clone())))];
        if let Next::Begin(step) = Operation::fold(&entries).next() {
            entries.push(entry(bastion, What::Began { step, attempt: 1 }));
        }
        let (services, held_for) = (plan.locks(), held_for(&id, &plan));
        if bastion.has(Planted::RollbackWaits) {
            let nobody = BTreeSet::new();
            let taking = Taking::Free {
                left: &nobody,
                server: bastion.clock.wall(),
            };
            let free = lock::acquire(bastion, &held_for, &services, &epochs, taking).await;
            free.map_err(|not| not_locked(&plan, not))?.release().await;
        }
        let began = bastion.clock.boot();
        let (locked, kept, read) = future::join3(
            lock::seize(bastion, &held_for, &services, &known, &epochs),
            record::create(&bastion.hurried(), &id, plan.kind, entries.clone()),
            reads::least(bastion),
        )
        .await;
        // Neither stands in the way: the patch's own tests decide. What is missing is written afterwards.
        let kept = kept.unwrap_or_else(|_| Kept::unwritten(&id, entries));
        let journal = journal_beside(bastion, &id);
        let mut run = run(bastion.clone(), kept, locked, self.eyes, journal, stop, 0);
        run.read = read.ok().map(|estate| (estate, began));
        run.beforehand.push(What::Locked {
            epochs: run.lock.epochs.clone(),
            holder: bastion.person.holder.clone(),
            // It guards nothing, and is not looked for: that may be on a disk that hangs.
            credential: None,
        });
        if run.lock.was_deploying
            && !known
                .values()
                .any(|it| is_past_deploy(it, &run.eyes.estate))
        {
            run.void_the_deploy().await;
        }
        Ok(run)
    }
}

/// A rollback that cuts somebody off flips every Service of the switch: the patch of one that stands where it is to go
/// may be under way. Those come last, as traffic waits for the others.
fn whole(mut plan: Plan, known: &BTreeMap<Safe, Lease>, estate: &Estate) -> Plan {
    let is_held = |lease: &Lease| lease.holder.as_ref().is_some_and(|it| !it.is_empty());
    let Some(switch) = &estate.scope.traffic else {
        return plan;
    };
    if plan.flips.is_empty() || !known.values().any(is_held) {
        return plan;
    }
    let Some(to) = switch.colour(&plan.to) else {
        return plan;
    };
    let services = (switch.services.iter()).filter_map(|name| estate.services.value.get(name));
    let others: Vec<Flip> = services
        .filter(|service| plan.flip(&service.name).is_none())
        .map(|service| Flip {
            from: service.selector.with(&switch.key, &switch.colours[1 - to]),
            ..flip_of(service, service.selector.clone())
        })
        .collect();
    plan.flips.extend(others);
    plan
}

/// Takes over the operation `id`, whoever holds it: explicit, recorded, under a new epoch.
///
/// # Errors
/// There is none, it is over, it cannot be read, or the API's fault.
pub async fn adopt(
    bastion: &Bastion,
    id: &str,
    stop: watch::Receiver<bool>,
) -> Result<Run, Refused> {
    match take_over(bastion, id, stop).await? {
        Taken::Over(run) => Ok(*run),
        Taken::Overtaken(by) => {
            let reason = moved_on(&by);
            let why = match record::abandon(bastion, id, reason.clone()).await {
                Ok((_, hooks)) => {
                    hooks.end().await;
                    format!("{reason}; {id} is closed as abandoned")
                }
                Err(why) => format!("{reason}; that could not be recorded: {}", Safe::from(why)),
            };
            Err(Refused::Refusal(Refusal {
                kind: RefusalKind::Invalid,
                why: why.into(),
                plan: None,
            }))
        }
    }
}

/// What came of taking an operation over.
enum Taken {
    /// It is ours.
    Over(Box<Run>),
    /// That operation moved traffic since: going on would undo half of what it did, and what this one held
    /// was given back by it.
    Overtaken(Safe),
}

fn moved_on(by: &Safe) -> Safe {
    format!("operation {by} moved traffic since: there is nothing to go on with").into()
}

fn over(id: &str, outcome: Outcome) -> Safe {
    format!("operation {id} is over: {}", outcome.word()).into()
}

async fn take_over(
    bastion: &Bastion,
    id: &str,
    stop: watch::Receiver<bool>,
) -> Result<Taken, Refused> {
    let kept = record::read(bastion, id).await?;
    let mut kept =
        kept.ok_or_else(|| Refused::Trouble(format!("there is no operation {id} here").into()))?;
    if let Some((outcome, _)) = &kept.operation.closed {
        return Err(Refused::Trouble(over(id, *outcome)));
    }
    let Some(plan) = kept.operation.plan.clone() else {
        return Err(Refused::Trouble(
            format!("the record of {id} holds no plan").into(),
        ));
    };
    let is_rollback = plan.kind == OperationKind::Rollback;
    // A way back waits for no disk, and asks for no more than it needs (rule 9).
    let journal = match is_rollback {
        true => {
            bastion.cluster.urge();
            journal_beside(bastion, &kept.id)
        }
        false => journal(bastion, &kept.id).unwrap_or_else(|_| Journal::none()),
    };
    let estate = match is_rollback && plan.updates.is_empty() {
        true => {
            let mut estate = reads::least(bastion).await?;
            reads::epochs(bastion, &mut estate).await;
            estate
        }
        false => reads::fresh(bastion).await?,
    };
    // Before anything is seized: whoever overtook it may be at work.
    if let Some(by) = overtaken(&kept, &plan, &estate) {
        return Ok(Taken::Overtaken(by));
    }
    let services = plan.locks();
    let known = leases(&estate, &plan);
    not_at_work(bastion, &kept, &known, &estate)?;
    let soaked = known
        .values()
        .map(|lease| watched(lease, id))
        .min()
        .unwrap_or(0);
    let floor = floor(&estate, &plan);
    let lock = lock::acquire(
        bastion,
        &held_for(&kept.id, &plan),
        &services,
        &floor,
        Taking::Seize,
    )
    .await;
    let lock = lock.map_err(|not| not_locked(&plan, not))?;
    let adopted = What::Adopted {
        epochs: lock.epochs.clone(),
        holder: bastion.person.holder.clone(),
        credential: estate.credential.as_ref().and_then(Lasting::end),
    };
    loop {
        let entry = entry(bastion, adopted.clone());
        match record::append(bastion, &mut kept, vec![entry.clone()], Room::All).await {
            Ok(()) => break,
            // A way back waits for no record (rule 9): the next write that goes through carries this along.
            Err(NotWritten::Full | NotWritten::Refused(_) | NotWritten::Fault(_))
                if is_rollback =>
            {
                kept.take(vec![entry]);
                break;
            }
            Err(NotWritten::Conflict) => match record::read(bastion, id).await? {
                Some(read) => {
                    if let Some((outcome, _)) = &read.operation.closed {
                        lock.give_up().await;
                        return Err(Refused::Trouble(over(id, *outcome)));
                    }
                    kept = read;
                }
                None => {
                    return Err(Refused::Trouble(
                        format!("the record of {id} was deleted").into(),
                    ));
                }
            },
            Err(NotWritten::Gone) => {
                return Err(Refused::Trouble(
                    format!("the record of {id} was deleted").into(),
                ));
            }
            Err(NotWritten::Full) => {
                lock.give_up().await;
                return Err(Refused::Trouble(
                    "its record has no room left: delete it when its work is judged".into(),
                ));
            }
            Err(NotWritten::Refused(fault) | NotWritten::Fault(fault)) => {
                lock.give_up().await;
                return Err(fault.into());
            }
        }
    }
    let mut eyes = Eyes::open(bastion);
    if plan.kind.cuts_over() {
        // The gates that the policy makes hold for whoever goes on, too.
        policy::put(bastion, &mut eyes.estate, policy::read(bastion).await).await;
        eyes.ask_monitoring(&plan.to);
    }
    let broken = journal.broken().map(|why| What::Noted {
        fact: format!("its journal on this machine cannot be believed to its end ({why}): another one is begun beside it").into(),
    });
    let mut run = run(bastion.clone(), kept, lock, eyes, journal, stop, soaked);
    run.beforehand.extend(broken);
    if let Some(why) = run.fence().await.map_err(ended)? {
        // The Lease runs out held: whoever comes next seizes it, and has to fence.
        return Err(Refused::Trouble(unfenced(&why)));
    }
    // Nobody can any more; somebody may have between the read and the fence.
    let estate = reads::least(bastion).await?;
    if let Some(by) = overtaken(&run.kept, &plan, &estate) {
        run.lock.release().await;
        return Ok(Taken::Overtaken(by));
    }
    Ok(Taken::Over(Box::new(run)))
}

/// The Leases of an operation that was cut off may be held for another one by now, above all for a rollback that is half
/// way: whoever takes the former over does not cut off the latter.
fn not_at_work(
    bastion: &Bastion,
    kept: &Kept,
    leases: &BTreeMap<Safe, Lease>,
    estate: &Estate,
) -> Result<(), Refused> {
    let server = estate.server_time(bastion.clock.now());
    let other = leases.iter().find_map(|(service, lease)| {
        let holder = lease.holder.as_ref().filter(|it| !it.is_empty())?;
        let by = marks::operation(&lease.marks).filter(|by| *by != kept.id)?;
        marks::is_alive(lease, server).then_some((service, holder, by))
    });
    match other {
        None => Ok(()),
        Some((service, holder, by)) => Err(Refused::Refusal(Refusal {
            kind: RefusalKind::Held,
            why: format!(
                "{service} is held by {holder}, operation {by}, which is at work: watch that one, or wait for its end"
            )
            .into(),
            plan: None,
        })),
    }
}

/// The operation that moved traffic after this one did, if one has: going on would undo half of what it did.
fn overtaken(kept: &Kept, plan: &Plan, estate: &Estate) -> Option<Safe> {
    let by = |flip: &Flip| {
        let service = estate.services.value.get(&flip.service)?;
        let by = marks::operation(&service.marks).filter(|by| *by != kept.id)?;
        let ours = kept.operation.epochs.get(&flip.service).copied();
        let is_later = marks::epoch(&service.marks) > ours.or(flip.epoch);
        let has_flipped = kept.operation.has_passed(&Step::Flip(flip.service.clone()));
        // Where traffic is says nothing: whoever brought it back from a flip of ours put it where it was. A rollback that did
        // not come so far as to write its epochs down may be the later one.
        let is_moved = ours.is_some() || service.selector != flip.from;
        let is_since = is_later && is_moved && flip.last.as_ref() != Some(&by);
        (has_flipped || is_since).then_some(by)
    };
    let updated = |update: &Update| {
        let deployment = estate.deployments.value.get(&update.deployment)?;
        let by = marks::operation(&deployment.marks).filter(|by| *by != kept.id)?;
        let has_updated = kept
            .operation
            .has_passed(&Step::Update(update.deployment.clone()));
        has_updated.then_some(by)
    };
    let flipped = plan.flips.iter().find_map(by);
    flipped.or_else(|| plan.updates.iter().find_map(updated))
}

/// Ends the operation `id` as it stands, under a new epoch; what it leaves, and those who are being told.
///
/// # Errors
/// As [`adopt`].
pub async fn abandon(bastion: &Bastion, id: &str, reason: Safe) -> Result<(Safe, Hooks), Refused> {
    let (_never, stop) = watch::channel(false);
    let trouble = |why: Unamended| Refused::Trouble(why.into());
    let run = match take_over(bastion, id, stop).await? {
        Taken::Over(run) => run,
        Taken::Overtaken(by) => {
            let (_, hooks) = (record::abandon(bastion, id, reason).await).map_err(trouble)?;
            return Ok((moved_on(&by), hooks));
        }
    };
    let held = all_held(bastion).await;
    if !held.is_empty() {
        // Whoever held them: nobody gives them back before the next operation does.
        let fact = format!("left as it is: minReplicas of {}", held.join(", ")).into();
        let noted = record::add(bastion, id, What::Noted { fact }).await;
        noted.map_err(Refused::Trouble)?;
    }
    let (kept, hooks) = (record::abandon(bastion, id, reason).await).map_err(trouble)?;
    run.lock.release().await;
    let open: Vec<String> = (kept.operation.states.keys())
        .filter(|step| kept.operation.has_passed(step))
        .map(ToString::to_string)
        .collect();
    let mut said = match open.is_empty() {
        true => "it had done nothing".to_owned(),
        false => format!("done and left so: {}", open.join(", ")),
    };
    if !held.is_empty() {
        said = format!("{said}; still held: {}", held.join(", "));
    }
    if let Some(run) = kept.operation.followed() {
        said = format!("{said}; run {run} goes on: cancel it at GitHub");
    }
    Ok((said.into(), hooks))
}

pub(super) fn run(
    bastion: Bastion,
    kept: Kept,
    lock: Lock,
    eyes: Eyes,
    journal: Journal,
    stop: watch::Receiver<bool>,
    soaked: u64,
) -> Run {
    let watched = watch::Sender::new(soaked);
    let (keeping, progress) = (lock.clone(), watched.subscribe());
    Run {
        keeper: tokio::spawn(async move { keeping.keep(progress).await }),
        bastion,
        kept,
        lock,
        eyes,
        journal,
        watched,
        stop,
        tell: None,
        hooks: Default::default(),
        has_begun: false,
        read: None,
        runs: Default::default(),
        joined: None,
        is_fenced: false,
        is_unsettled: false,
        is_unjournaled: false,
        unwritten: None,
        beforehand: Vec::new(),
    }
}

pub(super) fn entry(bastion: &Bastion, what: What) -> Entry {
    Entry {
        at: bastion.clock.wall(),
        by: bastion.person.words(),
        what,
    }
}

fn planned(bastion: &Bastion, plan: &Plan, lock: &Lock, estate: &Estate) -> Vec<Entry> {
    let locked = What::Locked {
        epochs: lock.epochs.clone(),
        holder: bastion.person.holder.clone(),
        credential: estate.credential.as_ref().and_then(Lasting::end),
    };
    let overridden = (plan.overridden.iter()).map(|(gate, reason)| What::Overridden {
        gate: gate.clone(),
        reason: reason.clone(),
    });
    let whats = [What::Planned(Box::new(plan.clone())), locked];
    (whats.into_iter().chain(overridden))
        .map(|what| entry(bastion, what))
        .collect()
}

/// The glass that was broken for it, for everybody to see until somebody follows it up.
fn broken(bastion: &Bastion, request: &Request, plan: &Plan) -> Vec<Entry> {
    let Some(reason) = &request.break_glass else {
        return Vec::new();
    };
    let passed = plan.gates.iter().filter(|gate| is_glass(&gate.name));
    let what = |gate: &Gate| What::Overridden {
        gate: gate.name.clone(),
        reason: reason.clone(),
    };
    passed.map(|gate| entry(bastion, what(gate))).collect()
}

/// The epochs on the Services and the Deployments and in the records, by lock: a Lease that was deleted starts
/// above them. An operation that died before its first patch left its epoch in its record alone; a Lease that is
/// there has gone beyond all of those, and a rollback waits for no reading of records.
fn floor(estate: &Estate, plan: &Plan) -> BTreeMap<Safe, u64> {
    let deployments = estate.deployments.value.iter();
    let highest = deployments.filter_map(|d| marks::epoch(&d.marks)).max();
    let locks = plan.locks();
    let is_there = |lock: &Safe| {
        let name = marks::lease_name(lock);
        estate.leases.value.get(name.as_str()).is_some()
    };
    let kept: Vec<Kept> = match locks.iter().all(is_there) {
        true => Vec::new(),
        false => (estate.records.value.iter())
            .filter_map(|it| kept::read(it).ok())
            .collect(),
    };
    let of = |lock: Safe| {
        let service = estate.services.value.get(&lock);
        let own = service.and_then(|s| marks::epoch(&s.marks));
        let written = kept
            .iter()
            .filter_map(|it| it.operation.epochs.get(&lock).copied());
        Some((lock.clone(), own.max(highest).max(written.max())?))
    };
    locks.into_iter().filter_map(of).collect()
}

pub(super) fn held_for(id: &Safe, plan: &Plan) -> HeldFor {
    HeldFor {
        operation: id.clone(),
        kind: plan.kind,
    }
}

fn leases(estate: &Estate, plan: &Plan) -> BTreeMap<Safe, Lease> {
    let of = |service: &Safe| {
        let lease = estate
            .leases
            .value
            .get(marks::lease_name(service).as_str())?;
        Some((service.clone(), lease.clone()))
    };
    plan.locks().iter().filter_map(of).collect()
}

fn next_epochs(
    known: &BTreeMap<Safe, Lease>,
    floor: &BTreeMap<Safe, u64>,
    plan: &Plan,
) -> BTreeMap<Safe, u64> {
    let next = |service: &Safe| {
        let lease = known.get(service).map_or(0, |lease| lease.transitions);
        (
            service.clone(),
            lease.max(floor.get(service).copied().unwrap_or(0)) + 1,
        )
    };
    plan.locks().iter().map(next).collect()
}

/// Whether the release that holds `lease` has planned its cutover by all that was seen: its deploy is over.
fn is_past_deploy(lease: &Lease, estate: &Estate) -> bool {
    let Some(id) = marks::operation(&lease.marks) else {
        return false;
    };
    let record = estate.records.value.get(marks::record_name(&id).as_str());
    let kept = record.and_then(|record| kept::read(record).ok());
    kept.is_some_and(|kept| kept.operation.has_passed(&Step::Plan))
}

/// An operation of these Services that was left unfinished stands in the way of another one.
async fn unfinished(bastion: &Bastion, plan: &Plan) -> Result<(), Refused> {
    let (records, unread) = record::list(bastion).await?;
    let ours = plan.locks();
    let touches = |kept: &&Kept| {
        let theirs = kept.operation.plan.as_ref();
        kept.operation.closed.is_none()
            && theirs.is_some_and(|p| p.locks().iter().any(|lock| ours.contains(lock)))
    };
    let Some(open) = records.iter().find(touches) else {
        // Which Services it is about is not known either.
        return match unread.into_iter().find(|it| it.may_be_open) {
            None => Ok(()),
            Some(unread) => Err(Refused::Refusal(Refusal {
                kind: RefusalKind::Unknown,
                why: format!(
                    "whether an operation is under way is not known: {}",
                    unread.why
                )
                .into(),
                plan: Some(Box::new(plan.clone())),
            })),
        };
    };
    let by = open
        .operation
        .by
        .clone()
        .unwrap_or_else(|| "somebody".into());
    let what = open
        .operation
        .plan
        .as_ref()
        .map_or("operation", |p| p.kind.word());
    Err(Refused::Refusal(Refusal {
        kind: RefusalKind::Held,
        why: format!(
            "{what} {} by {by} is not over: watch it, adopt it, abandon it, or roll back",
            open.id
        )
        .into(),
        plan: Some(Box::new(plan.clone())),
    }))
}

pub(super) fn journal(bastion: &Bastion, id: &str) -> io::Result<Journal> {
    match &bastion.journals {
        Some(folder) => Journal::open(folder, id),
        None => Ok(Journal::none()),
    }
}

/// The same for a way back, which waits for no disk.
fn journal_beside(bastion: &Bastion, id: &str) -> Journal {
    match &bastion.journals {
        Some(folder) => Journal::beside(folder, id),
        None => Journal::none(),
    }
}

pub(super) fn told_to(
    journal: &mut Journal,
    bastion: &Bastion,
    entries: &[Entry],
) -> io::Result<()> {
    for entry in entries {
        let line = serde_json::to_value(entry).unwrap_or_default();
        journal.write(bastion.clock.wall(), "entry", line)?;
    }
    Ok(())
}

fn no_room(error: io::Error) -> Refused {
    Refused::Trouble(
        format!(
            "the journal cannot be written, so nothing new is begun (a rollback still is): {error}"
        )
        .into(),
    )
}

fn not_locked(plan: &Plan, not: NotLocked) -> Refused {
    match not {
        NotLocked::Fault(fault) => fault.into(),
        NotLocked::Held {
            service,
            holder,
            operation,
            is_alive,
        } => {
            let what = operation.map_or_else(String::new, |id| format!(", operation {id}"));
            let way = match is_alive {
                true => "watch it, or wait for its end",
                false => "adopt it, abandon it, or roll back",
            };
            Refused::Refusal(Refusal {
                kind: RefusalKind::Held,
                why: format!("{service} is held by {holder}{what}: {way}").into(),
                plan: Some(Box::new(plan.clone())),
            })
        }
    }
}

/// Whoever had it before may still write.
fn unfenced(why: &Safe) -> Safe {
    format!(
        "whoever held it before could not be cut off ({why}): a patch of theirs may still be under way, so nothing is begun here; \
         somebody who may patch these objects adopts or abandons it"
    )
    .into()
}

fn ended(ended: Ended) -> Refused {
    Refused::Trouble(match ended {
        Ended::Closed(_, why) | Ended::Interrupted(why) => why,
        Ended::Fenced(holder) => format!("{holder} took it over").into(),
    })
}
