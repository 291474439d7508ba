//! The tasks that the loop owns: sources, the log on the screen, the demo's control. Each speaks
//! through the one bounded channel, and a panic in one ends that one only.

use std::collections::HashMap;
use std::path::PathBuf;
use std::time::Duration;

use tokio::sync::mpsc::{self, Sender};
use tokio::sync::oneshot;
use tokio::task::{AbortHandle, Id, JoinError, JoinSet};

use super::worker::{self, Desk, Go};
use super::{act, clock};
use crate::app::chart::Wanted;
use crate::app::operate::{self, Heard, Wish};
use crate::app::{Access, Environment, Event, Permit};
use crate::clients::demo::Control;
use crate::clients::github;
use crate::clients::kubernetes::{Right, Target};
use crate::estate::act::{Doing, Outcome};
use crate::estate::alerts::AlertsSeen;
use crate::estate::gates::GateScope;
use crate::estate::runs::{RunLog, RunsSeen};
use crate::estate::{Fault, FaultKind, LogTarget, Moment, Need, Observation, Safe, Seen};
use crate::ops::bastion::Place;
use crate::ops::rights;
use crate::sources::{self, Selectors, alerts};

/// How an environment is reached.
#[derive(Clone, Debug)]
pub struct Wire {
    /// The cluster and namespace.
    pub target: Target,
    /// What is watched of it.
    pub selectors: Selectors,
}

/// Everything outside the process that the cockpit may speak to.
#[derive(Clone, Debug, Default)]
pub struct Outside {
    /// One wire an environment, in the order of the configuration.
    pub wires: Vec<Wire>,
    /// Where each environment's operations are done, in the order of the configuration.
    pub places: Vec<Place>,
    /// The demo's estate.
    pub control: Option<Control>,
    /// The repository whose workflow runs are shown.
    pub github: Option<github::Target>,
    /// How each environment's alerts are asked for, in the order of the configuration.
    pub monitoring: Vec<alerts::Target>,
    /// Where acts are written down; none: nothing may be changed.
    pub journal: Option<PathBuf>,
}

/// Answers of one source that may wait.
const QUEUE: usize = 16;
/// How long a source that stopped by a defect rests before it is started again.
const REST: Duration = Duration::from_secs(5);

/// A source that is started again when it stops by a defect.
#[derive(Clone, Copy, Debug)]
enum Source {
    /// An environment's objects.
    Objects(usize),
    /// An environment's alerts.
    Alerts(usize),
    /// The repository's runs.
    Runs,
    /// No source: an act, by its number. It is never started again.
    Act(u64),
    /// No source either: what serves a proposal of an operation, by its number and environment.
    Proposal(u64, usize),
}

/// The tasks under way.
pub(super) struct Tasks {
    outside: Outside,
    set: JoinSet<()>,
    /// Which source a task is.
    sources: HashMap<Id, Source>,
    running: HashMap<usize, AbortHandle>,
    shared: HashMap<usize, sources::kubernetes::Shared>,
    log: Option<AbortHandle>,
    repository: sources::github::Shared,
    runs: Option<AbortHandle>,
    alerting: HashMap<usize, AbortHandle>,
    chart: Option<(Wanted, AbortHandle)>,
    /// What is asked of our rights, and where.
    rights: HashMap<usize, (Vec<(Need, Right)>, AbortHandle)>,
    /// The worker that waits for a confirmation: its proposal, and the way to tell it.
    worker: Option<(operate::Wanted, oneshot::Sender<Go>)>,
    is_looked_at: bool,
    out: Sender<Observation>,
    told: Sender<Event>,
    /// What the sources date by.
    clock: fn() -> Moment,
}

impl Tasks {
    pub(super) fn new(outside: Outside, out: Sender<Observation>, told: Sender<Event>) -> Self {
        Self {
            outside,
            set: JoinSet::new(),
            sources: HashMap::new(),
            running: HashMap::new(),
            shared: HashMap::new(),
            log: None,
            repository: sources::github::Shared::default(),
            runs: None,
            alerting: HashMap::new(),
            chart: None,
            rights: HashMap::new(),
            worker: None,
            is_looked_at: true,
            out,
            told,
            clock: clock::boot,
        }
    }

    /// Starts watching an environment, after `rest`; a source of it that runs is ended.
    pub(super) fn watch(&mut self, environment: usize, rest: Option<Duration>) {
        let Some(wire) = self.outside.wires.get(environment).cloned() else {
            return;
        };
        if let Some(old) = self.running.remove(&environment) {
            old.abort();
        }
        if let Some((_, old)) = self.rights.remove(&environment) {
            old.abort();
        }
        let shared = sources::kubernetes::Shared::default();
        self.shared.insert(environment, shared.clone());
        let (out, clock) = (self.out.clone(), self.clock);
        let handle = self.set.spawn(async move {
            pause(rest).await;
            sources::kubernetes::run(environment, wire.target, wire.selectors, shared, out, clock)
                .await;
        });
        self.sources
            .insert(handle.id(), Source::Objects(environment));
        self.running.insert(environment, handle);
        self.watch_alerts(environment, None);
    }

    /// Starts asking for an environment's alerts, if it has any; over its own connection where they
    /// are behind its API server.
    fn watch_alerts(&mut self, environment: usize, rest: Option<Duration>) {
        if let Some(old) = self.alerting.remove(&environment) {
            old.abort();
        }
        let target = self.outside.monitoring.get(environment).cloned();
        let (Some(target), Some(shared)) = (target, self.shared.get(&environment).cloned()) else {
            return;
        };
        if target.prometheus.is_none() && target.alertmanager.is_none() {
            return;
        }
        let (out, mut seen) = mpsc::channel(QUEUE);
        let (told, clock) = (self.told.clone(), self.clock);
        let handle = self.set.spawn(async move {
            pause(rest).await;
            let forward = async {
                while let Some(alerts::Observed {
                    environment,
                    at,
                    seen,
                }) = seen.recv().await
                {
                    let seen = Seen::Alerts(seen);
                    let observation = Observation {
                        environment,
                        at,
                        seen,
                    };
                    if told.send(Event::Observed(observation)).await.is_err() {
                        return;
                    }
                }
            };
            tokio::join!(
                alerts::run(environment, target, shared, out, clock),
                forward
            );
        });
        self.sources
            .insert(handle.id(), Source::Alerts(environment));
        self.alerting.insert(environment, handle);
    }

    /// The queries that are gates of an environment: those that the policy demands came to be known, or changed.
    pub(super) fn ask(&mut self, environment: usize, gates: &GateScope) {
        let Some(target) = self.outside.monitoring.get_mut(environment) else {
            return;
        };
        if target.queries.iter().eq(gates.asked()) {
            return;
        }
        target.queries = gates.asked().cloned().collect();
        if self.alerting.contains_key(&environment) {
            self.watch_alerts(environment, None);
        }
    }

    /// Connects anew to an environment, and to the repository unless its rate limit shuts us out.
    pub(super) fn reconnect(&mut self, environment: usize) {
        self.watch(environment, None);
        let github = self.repository.now();
        if github.is_none_or(|github| github.pause().is_none()) {
            self.repository.connect_anew();
        }
    }

    /// Starts watching the repository's runs, if there is one; a source of them that runs is ended.
    pub(super) fn watch_repository(&mut self, rest: Option<Duration>) {
        if let Some(old) = self.runs.take() {
            old.abort();
        }
        let Some(target) = self.outside.github.clone() else {
            return;
        };
        let (out, mut seen) = mpsc::channel(QUEUE);
        let (told, shared) = (self.told.clone(), self.repository.clone());
        let clock = self.clock;
        let handle = self.set.spawn(async move {
            pause(rest).await;
            let forward = async {
                while let Some((at, seen)) = seen.recv().await {
                    if told.send(Event::Repository(at, seen)).await.is_err() {
                        return;
                    }
                }
            };
            tokio::join!(sources::github::run(target, shared, out, clock), forward);
        });
        self.sources.insert(handle.id(), Source::Runs);
        self.runs = Some(handle);
    }

    /// Says whether anybody looks: a repository is asked less often when nobody does.
    pub(super) fn look(&mut self, is_looked_at: bool) {
        self.is_looked_at = is_looked_at;
        self.repository.look(is_looked_at);
    }

    /// Says which run's page is open.
    pub(super) fn open_run(&self, run: Option<u64>) {
        self.repository.open(run);
    }

    /// Streams a log; the one streamed before ends.
    pub(super) fn open_log(&mut self, environment: usize, target: LogTarget) {
        self.close_log();
        let Some(shared) = self.shared.get(&environment).cloned() else {
            return;
        };
        let out = self.out.clone();
        let log = self.set.spawn(sources::kubernetes::log(
            environment,
            shared,
            target,
            out,
            clock::boot,
        ));
        self.log = Some(log);
    }

    /// Fetches a job's log; the one streamed before ends.
    pub(super) fn open_job_log(&mut self, wanted: RunLog) {
        self.close_log();
        let (out, mut chunks) = mpsc::channel(QUEUE);
        let (told, shared, job) = (self.told.clone(), self.repository.clone(), wanted.job.id);
        let log = self.set.spawn(async move {
            let forward = async {
                while let Some((_, chunk)) = chunks.recv().await {
                    if told.send(Event::JobLog(job, chunk)).await.is_err() {
                        return;
                    }
                }
            };
            tokio::join!(
                sources::github::log(shared, wanted, out, clock::boot),
                forward
            );
        });
        self.log = Some(log);
    }

    /// Ends the log that is streamed.
    pub(super) fn close_log(&mut self) {
        if let Some(log) = self.log.take() {
            log.abort();
        }
    }

    /// Asks whether we may do what operations do in an environment, while they may be done there at all and somebody
    /// looks. Whether what was known of it is over: nobody asks any more, or it is asked anew.
    pub(super) fn rights(&mut self, environment: usize, of: &Environment, is_shown: bool) -> bool {
        let is_open = is_shown && of.access.at((self.clock)()) != Access::ReadOnly;
        // They are asked together, by the names of what they are about.
        let autoscalers = &of.estate.autoscalers;
        let is_known = autoscalers.listed || autoscalers.fault.is_some();
        let wire = self.outside.wires.get(environment);
        let wanted = match wire.filter(|_| is_open && is_known) {
            Some(wire) => {
                let target = &wire.target;
                let records = target.records.as_ref().unwrap_or(&target.namespace);
                let mut wanted = rights::wanted(&of.estate, &of.probes, records);
                let monitoring = self.outside.monitoring.get(environment);
                let silenced = monitoring.and_then(|m| m.alertmanager.as_ref());
                wanted.extend(silenced.map_or_else(Vec::new, rights::silencing));
                wanted
            }
            None if is_open => return false,
            None => Vec::new(),
        };
        let asked = self.rights.get(&environment);
        let asked = asked.filter(|(_, task)| !task.is_finished());
        if asked.map_or(&[][..], |(asked, _)| asked) == wanted {
            return false;
        }
        if let Some((_, old)) = self.rights.remove(&environment) {
            old.abort();
        }
        let shared = self.shared.get(&environment).cloned();
        let Some(shared) = shared.filter(|_| !wanted.is_empty()) else {
            return true;
        };
        let (out, clock) = (self.out.clone(), self.clock);
        let handle = self.set.spawn(sources::rights::run(
            environment,
            shared,
            wanted.clone(),
            out,
            clock,
        ));
        self.rights.insert(environment, (wanted, handle));
        true
    }

    /// Asks for the chart that is wanted now, and for no other; for none while nobody looks.
    pub(super) fn chart(&mut self, wanted: Option<Wanted>) {
        let wanted = wanted.filter(|_| self.is_looked_at);
        if self.chart.as_ref().map(|(of, _)| of) == wanted.as_ref() {
            return;
        }
        if let Some((_, old)) = self.chart.take() {
            old.abort();
        }
        let Some(of) = wanted else { return };
        let target = self.outside.monitoring.get(of.environment);
        let target = target.and_then(|m| m.prometheus.clone());
        let shared = self.shared.get(&of.environment).cloned();
        let (Some(target), Some(shared)) = (target, shared) else {
            return;
        };
        let (out, mut charts) = mpsc::channel(1);
        let (told, wanted, expression) = (self.told.clone(), of.clone(), of.expression.to_string());
        let handle = self.set.spawn(async move {
            let forward = async {
                while let Some((at, answer)) = charts.recv().await {
                    let event = Event::Charted(wanted.clone(), at, answer);
                    if told.send(event).await.is_err() {
                        return;
                    }
                }
            };
            tokio::join!(
                sources::chart::run(target, shared, expression, out, clock::boot),
                forward
            );
        });
        self.chart = Some((of, handle));
    }

    /// Carries out an act.
    pub(super) fn act(&mut self, doing: Doing, name: Safe, permit: Permit) {
        let number = doing.number;
        let monitoring = self.outside.monitoring.get(doing.environment);
        let order = act::Order {
            alertmanager: monitoring.and_then(|m| m.alertmanager.clone()),
            shared: self.shared.get(&doing.environment).cloned(),
            repository: self.repository.clone(),
            journal: self.outside.journal.clone(),
            doing,
            name,
            permit,
        };
        let handle = self.set.spawn(act::carry_out(order, self.told.clone()));
        self.sources.insert(handle.id(), Source::Act(number));
    }

    /// Has the worker prepared that is wanted now, and no other: one whose dialog was closed ends.
    pub(super) fn prepare(&mut self, wanted: Option<operate::Wanted>) {
        if self.worker.as_ref().map(|(of, _)| of) == wanted.as_ref() {
            return;
        }
        self.worker = None;
        let Some(of) = wanted else { return };
        let Some(place) = self.place(of.environment) else {
            return;
        };
        let (confirm, go) = oneshot::channel();
        let desk = self.desk(of.number, of.environment);
        let handle = (self.set).spawn(worker::prepare(desk, place, of.clone(), go));
        let source = Source::Proposal(of.number, of.environment);
        self.sources.insert(handle.id(), source);
        self.worker = Some((of, confirm));
    }

    /// Where the environment's operations are done: in the very cluster that is on the screen, also where nothing could be
    /// pinned when the configuration was read (I-47).
    fn place(&self, environment: usize) -> Option<Place> {
        let mut place = self.outside.places.get(environment).cloned()?;
        if let Some(cluster) = self.shared.get(&environment).and_then(|it| it.now()) {
            let (kubeconfig, context) = cluster.way();
            place.kubeconfig = kubeconfig.map(Into::into);
            place.context = context.map(Into::into);
        }
        Some(place)
    }

    fn desk(&self, number: u64, environment: usize) -> Desk {
        Desk {
            number,
            environment,
            told: self.told.clone(),
        }
    }

    /// Tells the prepared worker to go, if the permit still holds. From here on it is not ours to end.
    pub(super) fn go(&mut self, desk: (u64, usize), name: &str, go: Go, permit: Option<&Permit>) {
        let (number, environment) = desk;
        let worker = self.worker.take().filter(|(of, _)| of.number == number);
        let why = worker::lapsed(permit, name).or_else(|| match worker {
            Some((_, confirm)) => confirm.send(go).err().map(|_| "the worker is gone".into()),
            None => Some("there is no worker: plan again".into()),
        });
        if let Some(why) = why {
            let desk = self.desk(number, environment);
            self.set
                .spawn(async move { desk.say(Heard::Refused(why)).await });
        }
    }

    /// Aborts, adopts or abandons an operation, if the permit still holds.
    pub(super) fn operate(
        &mut self,
        (number, environment): (u64, usize),
        name: &str,
        (wish, reason): (Wish, Safe),
        permit: Option<&Permit>,
    ) {
        let desk = self.desk(number, environment);
        let place = self.place(environment);
        let lapsed = worker::lapsed(permit, name);
        let handle = self.set.spawn(async move {
            match (lapsed, place) {
                (None, Some(place)) => worker::settle(desk, place, wish, reason).await,
                (Some(why), _) => desk.say(Heard::Refused(why)).await,
                (None, None) => {
                    let why = "its place is not known".into();
                    desk.say(Heard::Refused(why)).await;
                }
            }
        });
        self.sources
            .insert(handle.id(), Source::Proposal(number, environment));
    }

    /// Asks the demo's estate what it can break.
    pub(super) fn ask_faults(&mut self) {
        let Some(control) = self.outside.control.clone() else {
            return;
        };
        let told = self.told.clone();
        self.set.spawn(async move {
            if let Ok(faults) = control.faults().await {
                let _ = told.send(Event::Faults(faults)).await;
            }
        });
    }

    /// Has the demo's estate break something.
    pub(super) fn inject(&mut self, name: String) {
        let Some(control) = self.outside.control.clone() else {
            return;
        };
        let told = self.told.clone();
        self.set.spawn(async move {
            let text = match control.inject(&name).await {
                Ok(()) => format!("the demo's estate was told: {name}"),
                Err(fault) => format!("the demo's estate refused: {}", fault.what),
            };
            let _ = told.send(Event::Told(Safe::new(&text))).await;
        });
    }

    /// Waits for a task to end; what it means for the state, if anything.
    pub(super) async fn ended(&mut self) -> Option<Event> {
        let ended = self.set.join_next_with_id().await;
        let Some(ended) = ended else {
            return std::future::pending().await;
        };
        let id = match &ended {
            Ok((id, ())) => *id,
            Err(error) => error.id(),
        };
        if let Some((of, _)) = self.chart.as_ref().filter(|(_, h)| h.id() == id)
            && ended.as_ref().is_err_and(JoinError::is_panic)
        {
            tracing::error!(?ended, "a chart stopped");
            let what =
                "the chart stopped by a defect of Wheelhouse (see the log): open the page anew";
            let fault = Fault {
                kind: FaultKind::Stopped,
                what: what.into(),
            };
            return Some(Event::Charted(of.clone(), clock::boot(), Err(fault)));
        }
        let source = self.sources.remove(&id)?;
        if let Source::Act(number) = source {
            let why =
                "its task stopped by a defect of Wheelhouse (see the log); it is not sent again";
            let outcome = Outcome::Unknown(why.into());
            return ended.is_err().then_some(Event::Acted(number, outcome));
        }
        if let Source::Proposal(number, environment) = source {
            let why = "its task stopped by a defect of Wheelhouse (see the log); `wheelhouse op list` says what became of it";
            let heard = Event::Heard(number, environment, Heard::Refused(why.into()));
            return ended.is_err().then_some(heard);
        }
        if ended.as_ref().is_err_and(JoinError::is_cancelled) {
            return None;
        }
        tracing::error!(?source, ?ended, "a source stopped and is started again");
        let at = clock::boot();
        let seen = |environment, seen| {
            Event::Observed(Observation {
                environment,
                at,
                seen,
            })
        };
        Some(match source {
            Source::Objects(environment) => {
                self.watch(environment, Some(REST));
                seen(environment, Seen::NoPulse(stopped()))
            }
            Source::Alerts(environment) => {
                self.watch_alerts(environment, Some(REST));
                let failed = AlertsSeen::RulesFailed(stopped());
                seen(environment, Seen::Alerts(failed))
            }
            Source::Act(_) | Source::Proposal(..) => return None,
            Source::Runs => {
                self.watch_repository(Some(REST));
                Event::Repository(at, RunsSeen::Failed(stopped()))
            }
        })
    }

    /// Ends them all.
    pub(super) fn abort(&mut self) {
        self.set.abort_all();
    }
}

async fn pause(rest: Option<Duration>) {
    if let Some(rest) = rest {
        tokio::time::sleep(rest).await;
    }
}

fn stopped() -> Fault {
    Fault {
        kind: FaultKind::Stopped,
        what: "the source stopped by a defect of Wheelhouse; it starts again (see the log)".into(),
    }
}

#[cfg(test)]
#[allow(clippy::panic, clippy::unwrap_used, reason = "tests")]
mod tests;
