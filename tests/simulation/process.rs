//! A process of an operator's: its clocks, its person, what it is at, and how it is stopped or killed.

use std::collections::{BTreeMap, BTreeSet};
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use tokio::time::{Instant, Sleep};
use wheelhouse::clients::kubernetes::Cluster;
use wheelhouse::estate::Moment;
use wheelhouse::ops::bastion::{Bastion, Clock, Person, Timing};
use wheelhouse::ops::{Entry, Kept, Step, What};

use super::chance::Chance;
use super::law::Test;
use super::release;
use super::sky;
use super::wire;
use super::world::{NAMESPACE, RECORDS, World, lock, scope};

/// What a process is known to be at.
#[derive(Debug, Default)]
pub struct State {
    pub stage: &'static str,
    pub operation: String,
    pub attempt: u32,
    pub epochs: BTreeMap<String, u64>,
    /// Of a thousand requests, so many meet a fault.
    pub rate: u64,
    /// It meets no fault any more.
    pub is_spared: bool,
    /// The Services that its plan patches.
    pub planned: Vec<String>,
    /// When it was in the watch after a flip, from when to when, in milliseconds.
    pub watched: Vec<(u64, Option<u64>)>,
    pub is_dead: bool,
    pub is_over: bool,
    /// It is not polled until then.
    pub held: Option<Instant>,
    /// When it was frozen, from when to when, in milliseconds.
    pub frozen: Vec<(u64, u64)>,
    /// When it did not run, from when to when, in milliseconds.
    pub halted: Vec<(u64, u64)>,
    pub cut_until: Option<Instant>,
    pub wall_ms: i64,
    /// The Services whose selector it patched without learning what became of it.
    pub unsure: BTreeMap<String, String>,
    /// Those of them that it has not read since.
    pub unread: BTreeSet<String>,
    /// When nothing of it got through, from when to when, in milliseconds.
    pub cut: Vec<(u64, u64)>,
}

/// A process.
pub struct Process {
    pub world: Arc<World>,
    pub number: usize,
    pub who: &'static str,
    pub chance: Chance,
    state: Mutex<State>,
    waker: Mutex<Option<Waker>>,
}

impl std::fmt::Debug for Process {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}/{}", self.who, self.number)
    }
}

impl Process {
    pub fn new(world: &Arc<World>, who: &'static str) -> Arc<Self> {
        let number = world.number();
        let process = Arc::new(Self {
            number,
            who,
            chance: Chance::of(world.seed, &format!("process {number}")),
            state: Mutex::new(State {
                stage: "plan",
                rate: world.rate(),
                ..State::default()
            }),
            waker: Mutex::default(),
            world: world.clone(),
        });
        world.enlist(&process);
        process
    }

    pub fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Where it does operations from.
    pub fn bastion(self: &Arc<Self>) -> Bastion {
        let process = self.clone();
        let service = tower::service_fn(move |request| wire::send(process.clone(), request));
        let (wall, boot, chance) = (self.clone(), self.clone(), self.clone());
        let seat = format!("{}@bastion", self.who);
        let cluster = Cluster::over(service, NAMESPACE, Some(RECORDS));
        let asking = self.clone();
        let probes = lock(&self.world.meets).probes();
        Bastion {
            cluster: match probes.is_empty() {
                true => cluster,
                false => cluster.told(move |pod, _, _| release::answer(&asking, pod)),
            },
            // Each bastion has a configuration of its own, which may call the environment otherwise.
            scope: self.world.demanding(scope(match self.who {
                "alice" => "production",
                _ => "prod",
            })),
            selector: "app.kubernetes.io/part-of=digital-wall".to_owned(),
            clock: Clock::new(
                move || wall.wall(),
                move || Moment(boot.boot()),
                move || chance.chance.bits(),
            ),
            person: Person {
                user: self.who.into(),
                // The bastions have one name, as cloned machines do (X06).
                holder: format!("{seat}/boot/{}", self.number).into(),
                seat: seat.into(),
            },
            timing: timing(),
            monitoring: sky::monitoring(self),
            journals: None,
            github: None,
            how: Default::default(),
            probes,
            hooks: Vec::new(),
            planted: self.world.planted,
        }
    }

    fn wall(&self) -> Timestamp {
        let jumped = self.state().wall_ms;
        let at = i64::try_from(self.world.now()).unwrap_or(0) + jumped;
        self.world.epoch + SignedDuration::from_millis(at)
    }

    fn boot(&self) -> u64 {
        self.world.now() - self.uncounted()
    }

    /// Whether it was frozen within the seconds that its reads may be old at an act.
    pub fn was_frozen(&self) -> bool {
        let now = self.world.now();
        let is_new = |(_, until): &(u64, u64)| until + 5_000 >= now;
        self.state().frozen.iter().any(is_new)
    }

    /// Whether nothing of it got through within the time for which a rollback tries to write its end.
    pub fn was_cut_off(&self) -> bool {
        let since = self.world.now().saturating_sub(45_000);
        self.state().cut.iter().any(|(_, until)| *until >= since)
    }

    /// Milliseconds for which it was frozen.
    pub fn uncounted(&self) -> u64 {
        let now = self.world.now();
        let lost = |(from, until): &(u64, u64)| now.min(*until).saturating_sub(*from);
        self.state().frozen.iter().map(lost).sum()
    }

    /// It is at another stage now.
    pub fn enter(&self, stage: &'static str) {
        self.state().stage = stage;
    }

    /// It has Leases.
    pub fn took(&self, kept: &Kept) {
        let mut state = self.state();
        state.operation = kept.id.to_string();
        let epochs = kept.operation.epochs.iter();
        state.epochs = epochs.map(|(s, e)| (s.to_string(), *e)).collect();
        let is_watching = kept.operation.open_step() == Some(&Step::Watch);
        drop(state);
        if is_watching {
            self.watches(true);
        }
    }

    fn watches(&self, does: bool) {
        let now = self.world.now();
        let mut state = self.state();
        match (does, state.watched.last_mut()) {
            (true, _) => state.watched.push((now, None)),
            (false, Some((_, until @ None))) => *until = Some(now),
            (false, _) => {}
        }
    }

    /// Milliseconds of the watch that it really kept.
    pub fn kept_watch(&self) -> u64 {
        let state = self.state();
        let within = |spans: &[(u64, u64)], from: u64, until: u64, grace: u64| -> u64 {
            let part = |(a, b): &(u64, u64)| {
                (b.min(&until).saturating_sub(*a.max(&from))).saturating_sub(grace)
            };
            spans.iter().map(part).sum()
        };
        let span = |(from, until): &(u64, Option<u64>)| {
            let until = until.unwrap_or(*from);
            // A stop of two ticks is not told from a slow one; an outage shows when a pulse stays out.
            let lost = within(&state.halted, *from, until, 2_000)
                + within(&state.cut, *from, until, 12_000);
            (until - from).saturating_sub(lost)
        };
        state.watched.iter().map(span).sum()
    }

    /// It wrote an entry.
    pub fn heard(&self, entry: &Entry) {
        let mut state = self.state();
        match &entry.what {
            What::Began { step, attempt } => {
                state.stage = match step {
                    // That before all is called so too.
                    Step::Plan => "middle",
                    step => step.word(),
                };
                state.attempt = *attempt;
            }
            What::Closed { .. } => state.stage = "close",
            // A rollback goes beyond an epoch that somebody else wrote.
            What::Locked { epochs, .. } => {
                for (service, epoch) in epochs {
                    let known = state.epochs.entry(service.to_string()).or_default();
                    *known = (*known).max(*epoch);
                }
            }
            _ => {}
        }
        drop(state);
        if let What::Began {
            step: Step::Smoke,
            attempt,
        } = &entry.what
        {
            // Whoever takes it over hears all of it again.
            let operation = self.state().operation.clone();
            let mut law = self.world.law();
            let test = law.tests.entry(operation).or_default();
            if *attempt > test.attempt {
                *test = Test::of(*attempt);
            }
        }
        match &entry.what {
            What::Began { step, .. } => self.watches(*step == Step::Watch),
            What::Passed { .. } | What::Failed { .. } => self.watches(false),
            _ => {}
        }
    }

    /// A test that somebody else was at begins from zero.
    pub fn tests_anew(&self) {
        let operation = self.state().operation.clone();
        let mut law = self.world.law();
        if let Some(test) = law.tests.get_mut(&operation) {
            *test = Test::of(test.attempt);
        }
    }

    /// Nothing more happens to it.
    pub fn spare(&self) {
        let mut state = self.state();
        (state.is_spared, state.cut_until) = (true, None);
    }

    pub fn kill(&self) {
        self.watches(false);
        self.state().is_dead = true;
        let waker = self.waker.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(waker) = &*waker {
            waker.wake_by_ref();
        }
    }

    /// Stops it for so long; a frozen one does not notice.
    pub fn halt(&self, lasting: Duration, is_frozen: bool) {
        let now = self.world.now();
        let until = now + u64::try_from(lasting.as_millis()).unwrap_or(0);
        let mut state = self.state();
        state.held = Some(Instant::now() + lasting);
        state.halted.push((now, until));
        if is_frozen {
            state.frozen.push((now, until));
        }
    }

    /// Waits until it runs again.
    pub async fn running(&self) {
        loop {
            let held = self.state().held;
            match held.filter(|until| *until > Instant::now()) {
                Some(until) => tokio::time::sleep_until(until).await,
                None => return,
            }
        }
    }

    /// Runs `work` as this process; none if it was killed.
    pub async fn run<T>(self: &Arc<Self>, work: impl Future<Output = T>) -> Option<T> {
        let ended = Running {
            process: self.clone(),
            work: Some(Box::pin(work)),
            sleep: None,
        }
        .await;
        self.watches(false);
        self.state().is_over = true;
        ended
    }
}

/// Work that is done only while its process runs.
struct Running<F> {
    process: Arc<Process>,
    work: Option<Pin<Box<F>>>,
    sleep: Option<Pin<Box<Sleep>>>,
}

impl<F: Future> Future for Running<F> {
    type Output = Option<F::Output>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = &mut *self;
        *(this.process.waker.lock()).unwrap_or_else(PoisonError::into_inner) =
            Some(cx.waker().clone());
        loop {
            let (is_dead, held) = {
                let state = this.process.state();
                (state.is_dead, state.held)
            };
            if is_dead {
                this.work = None;
                return Poll::Ready(None);
            }
            if let Some(until) = held.filter(|until| *until > Instant::now()) {
                let sleep = this.sleep.insert(Box::pin(tokio::time::sleep_until(until)));
                if sleep.as_mut().poll(cx).is_pending() {
                    return Poll::Pending;
                }
                continue;
            }
            let Some(work) = &mut this.work else {
                return Poll::Ready(None);
            };
            return work.as_mut().poll(cx).map(Some);
        }
    }
}

/// As in production, but for what only makes a seed longer.
pub fn timing() -> Timing {
    Timing {
        patience: Duration::from_secs(45),
        moved: Duration::from_secs(30),
        jitter: false,
        ..Timing::default()
    }
}
