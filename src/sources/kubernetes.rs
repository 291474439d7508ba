//! One environment's namespace, observed for ever.
//!
//! What is sent, and when:
//! 1. While no credential can be had: `NoPulse`, again after a pause. Then `Connected`, where the
//!    configuration names no context.
//! 2. `Pulse` when the API server answers (and `Version` when it says another one), `NoPulse` when it
//!    does not; every 10 s of the clock, and at once when a watch opened that was not open.
//! 3. For each kind what `clients::kubernetes::watch` tells: `Began`, `Page`s and `Ended` of a list,
//!    `Changes`, `Failed`. `Opened` is sent when the kind was not open: not again on each re-opening.
//! 4. After `NoPulse`: `Failed` with the same fault for each kind that was open. With the first pulse
//!    that is answered the watches are opened anew on new connections, where they left off, so each
//!    kind's next `Opened` means that nothing is missing.
//!
//! So the fold's rule is: a kind is open from `Opened` to `Failed`; `Pulse` and `Opened` confirm what is
//! open and listed. All goes through one bounded channel and one task: the order is the order of
//! events, and while the loop does not take, nothing is fetched.

use std::any::Any;
use std::panic::AssertUnwindSafe;
use std::time::Duration;

use futures::FutureExt as _;
use futures::stream::{BoxStream, SelectAll, Stream, StreamExt as _};
use tokio::sync::mpsc::Sender;
use tokio::time::Instant;

pub use super::log::{Shared, log};
use super::{Pace, Selectors, period};
use crate::clients::kubernetes::{self, Backoff, Cluster, Pulse, Target, Watch};
use crate::estate::{Fault, FaultKind, Kind, Moment, Observation, Safe, Seen};

/// Kinds open one after the other: one pulse confirms them together.
const SETTLE: Duration = Duration::from_millis(100);

/// The clock that counts suspend (CLOCK_BOOTTIME).
pub fn boottime() -> Moment {
    let now = rustix::time::clock_gettime(rustix::time::ClockId::Boottime);
    let seconds = u64::try_from(now.tv_sec).unwrap_or(0);
    let nanos = u64::try_from(now.tv_nsec).unwrap_or(0);
    Moment(seconds * 1_000 + nanos / 1_000_000)
}

/// Observes `target` until the receiver is gone or the task is aborted; the connection is shared
/// with the logs of the environment.
pub async fn run(
    environment: usize,
    target: Target,
    selectors: Selectors,
    shared: Shared,
    out: Sender<Observation>,
    clock: fn() -> Moment,
) {
    let outlet = Outlet {
        environment,
        out,
        clock,
    };
    observe(Pace::default(), target, selectors, &shared, outlet).await;
}

/// As [`run`], at a pace of the caller's.
pub async fn run_at(
    pace: Pace,
    environment: usize,
    target: Target,
    selectors: Selectors,
    out: Sender<Observation>,
    clock: fn() -> Moment,
) {
    let outlet = Outlet {
        environment,
        out,
        clock,
    };
    observe(pace, target, selectors, &Shared::default(), outlet).await;
}

async fn observe(
    pace: Pace,
    target: Target,
    selectors: Selectors,
    shared: &Shared,
    outlet: Outlet,
) {
    // Gone: the receiver does not exist any more, and neither does anybody to tell.
    if let Ok(cluster) = connect(&pace, &target, &outlet).await {
        shared.publish(&cluster);
        let _ = Observing::new(pace, cluster, selectors, outlet).run().await;
    }
}

/// The receiver is gone.
struct Gone;

struct Outlet {
    environment: usize,
    out: Sender<Observation>,
    clock: fn() -> Moment,
}

impl Outlet {
    async fn send(&self, seen: Seen) -> Result<(), Gone> {
        let observation = Observation {
            environment: self.environment,
            at: (self.clock)(),
            seen,
        };
        self.out.send(observation).await.map_err(|_| Gone)
    }
}

async fn connect(pace: &Pace, target: &Target, outlet: &Outlet) -> Result<Cluster, Gone> {
    let mut backoff = Backoff::new(pace.pauses[0], pace.pauses[1]);
    loop {
        match kubernetes::connect(target).await {
            Ok(cluster) => {
                if target.context.is_none() {
                    let found = Safe::new(&cluster.context());
                    outlet.send(Seen::Connected(found)).await?;
                }
                return Ok(cluster);
            }
            Err(fault) => outlet.send(Seen::NoPulse(fault)).await?,
        }
        tokio::select! {
            () = tokio::time::sleep(backoff.pause()) => {}
            () = outlet.out.closed() => return Err(Gone),
        }
    }
}

/// What one of the streams gave.
enum Given {
    Seen(Kind, Seen),
    /// The stream ended: by a panic, as it has no other end.
    Ended(Kind, String),
}

struct Observing {
    pace: Pace,
    cluster: Cluster,
    selectors: Selectors,
    outlet: Outlet,
    streams: SelectAll<BoxStream<'static, Given>>,
    /// Which kinds were told to be open.
    open: [bool; Kind::ALL.len()],
    backoff: Backoff,
    version: Option<Safe>,
    /// No pulse since the last one that was answered.
    is_lost: bool,
    /// When the next pulse is due.
    due: Instant,
    /// Both clocks at the last pulse: they part when the machine was suspended.
    last: (Instant, Moment),
}

impl Observing {
    fn new(pace: Pace, cluster: Cluster, selectors: Selectors, outlet: Outlet) -> Self {
        let now = Instant::now();
        Self {
            backoff: Backoff::new(pace.pauses[0], pace.pauses[1]),
            pace,
            cluster,
            selectors,
            streams: SelectAll::new(),
            open: [false; Kind::ALL.len()],
            version: None,
            is_lost: false,
            due: now,
            last: (now, (outlet.clock)()),
            outlet,
        }
    }

    async fn run(mut self) -> Result<(), Gone> {
        for kind in Kind::ALL {
            self.start(kind, Duration::ZERO);
        }
        loop {
            let (cluster, answer, due) = (self.cluster.clone(), self.pace.answer, self.due);
            let pulse = async move {
                tokio::time::sleep_until(due).await;
                cluster.pulse(answer).await
            };
            self.until(pulse).await?;
        }
    }

    /// Passes on what the streams give until the pulse is in.
    async fn until(
        &mut self,
        pulse: impl Future<Output = Result<Pulse, Fault>>,
    ) -> Result<(), Gone> {
        let mut pulse = std::pin::pin!(pulse);
        loop {
            tokio::select! {
                biased;
                () = self.outlet.out.closed() => return Err(Gone),
                beat = &mut pulse => return self.beat(beat).await,
                Some(given) = self.streams.next() => {
                    let soon = Instant::now() + SETTLE;
                    // Something opened that was not: the pulse that confirms it is due. One that is
                    // under way confirms it as well.
                    if self.pass(given).await? && soon < self.due {
                        self.due = soon;
                        return Ok(());
                    }
                }
            }
        }
    }

    async fn beat(&mut self, beat: Result<Pulse, Fault>) -> Result<(), Gone> {
        self.due = self.next_pulse();
        let slept = self.has_slept();
        match beat {
            Ok(pulse) => self.answered(pulse, slept).await,
            Err(fault) => self.unanswered(fault).await,
        }
    }

    async fn answered(&mut self, pulse: Pulse, slept: bool) -> Result<(), Gone> {
        if pulse.version.is_some() && pulse.version != self.version {
            self.version = pulse.version.clone();
            let version = pulse.version.unwrap_or_else(|| Safe::new(""));
            self.outlet.send(Seen::Version(version)).await?;
        }
        if std::mem::take(&mut self.is_lost) || slept {
            // The old connections may be dead without having said so.
            self.open = [false; Kind::ALL.len()];
            self.cluster.resume_watches();
        }
        let server = pulse.server;
        self.outlet.send(Seen::Pulse { server }).await
    }

    async fn unanswered(&mut self, fault: Fault) -> Result<(), Gone> {
        self.is_lost = true;
        if matches!(fault.kind, FaultKind::Slow | FaultKind::Unreachable) {
            self.cluster.drop_connections().await;
        }
        self.outlet.send(Seen::NoPulse(fault.clone())).await?;
        for kind in Kind::ALL {
            if std::mem::take(&mut self.open[kind as usize]) {
                let failed = Seen::Failed(kind, fault.clone());
                self.outlet.send(failed).await?;
            }
        }
        Ok(())
    }

    /// When the next pulse is due: at the moments at which the loop looks at ages, so that both wake the
    /// machine together.
    fn next_pulse(&self) -> Instant {
        let period = u64::try_from(self.pace.pulse.as_millis()).unwrap_or(u64::MAX);
        let into = (self.outlet.clock)().0.checked_rem(period).unwrap_or(0);
        Instant::now() + self.pace.pulse.saturating_sub(Duration::from_millis(into))
    }

    /// Whether the machine was suspended since the last pulse.
    fn has_slept(&mut self) -> bool {
        let now = (Instant::now(), (self.outlet.clock)());
        let awake = (now.0 - self.last.0).as_millis();
        let passed = u128::from(now.1.since(self.last.1));
        self.last = now;
        passed > awake + self.pace.pulse.as_millis()
    }

    /// Sends on what a stream gave. Returns whether its kind opened.
    async fn pass(&mut self, given: Given) -> Result<bool, Gone> {
        let (kind, seen) = match given {
            Given::Seen(kind, seen) => (kind, seen),
            Given::Ended(kind, why) => {
                let pause = self.backoff.pause();
                self.start(kind, pause);
                let what = format!("the source of {} stopped: {why}", kind.plural()).into();
                (
                    kind,
                    Seen::Failed(
                        kind,
                        Fault {
                            kind: FaultKind::Stopped,
                            what,
                        },
                    ),
                )
            }
        };
        let is_open = &mut self.open[kind as usize];
        let opened = match &seen {
            Seen::Opened(_) if *is_open => return Ok(false),
            Seen::Opened(_) => true,
            Seen::Failed(..) => {
                *is_open = false;
                false
            }
            _ => false,
        };
        *is_open |= opened;
        self.outlet.send(seen).await?;
        Ok(opened)
    }

    /// Adds the stream of `kind`, which ends with how it ended.
    fn start(&mut self, kind: Kind, pause: Duration) {
        let how = Watch {
            selector: self.selectors.of(kind).to_owned(),
            period: period(kind),
            pauses: self.pace.pauses,
            ..Watch::default()
        };
        let cluster = self.cluster.clone();
        let seen = async move {
            tokio::time::sleep(pause).await;
            kubernetes::watch(&cluster, kind, &how)
        };
        self.streams
            .push(caught(kind, seen.into_stream().flatten()));
    }
}

/// The stream with its panic, if it comes to one, as its last word.
fn caught(
    kind: Kind,
    seen: impl Stream<Item = Seen> + Send + 'static,
) -> BoxStream<'static, Given> {
    let seen = AssertUnwindSafe(seen).catch_unwind();
    seen.map(move |seen| match seen {
        Ok(seen) => Given::Seen(kind, seen),
        Err(panic) => Given::Ended(kind, words(panic.as_ref())),
    })
    .boxed()
}

/// The words of a panic.
fn words(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(ToString::to_string);
    text.or_else(|| panic.downcast_ref::<String>().cloned())
        .unwrap_or_else(|| "panicked".into())
}

#[cfg(test)]
#[allow(clippy::panic, clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use futures::stream;

    #[tokio::test]
    async fn a_panic_in_one_stream_leaves_the_others_running() {
        let breaking = stream::iter(0..2).map(|n| match n {
            0 => Seen::Opened(Kind::Events),
            _ => panic!("a defect of ours"),
        });
        let mut streams = SelectAll::new();
        streams.push(caught(Kind::Events, breaking));
        streams.push(caught(
            Kind::Pods,
            stream::iter([0; 3]).map(|_| Seen::Opened(Kind::Pods)),
        ));
        let given: Vec<Given> = streams.collect().await;
        let of = |kind: Kind| {
            given
                .iter()
                .filter(move |g| matches!(g, Given::Seen(k, _) if *k == kind))
        };
        assert_eq!((of(Kind::Events).count(), of(Kind::Pods).count()), (1, 3));
        let is_told =
            |g: &Given| matches!(g, Given::Ended(Kind::Events, why) if why == "a defect of ours");
        assert!(given.iter().any(is_told));
    }

    #[tokio::test]
    async fn a_stream_that_stopped_is_told_and_started_again() {
        let (out, mut sent) = tokio::sync::mpsc::channel(8);
        let target = Target::default();
        let folder = std::env::temp_dir().join(format!("wheelhouse-{}", std::process::id()));
        std::fs::write(&folder, "current-context: a\ncontexts: [{name: a, context: {cluster: c}}]\nclusters: [{name: c, cluster: {server: 'http://127.0.0.1:9'}}]").unwrap();
        let target = Target {
            kubeconfig: Some(folder.clone()),
            ..target
        };
        let cluster = kubernetes::connect(&target).await.unwrap();
        std::fs::remove_file(folder).unwrap();
        let outlet = Outlet {
            environment: 0,
            out,
            clock: boottime,
        };
        let mut observing = Observing::new(Pace::default(), cluster, Selectors::default(), outlet);
        let ended = Given::Ended(Kind::Pods, "a defect".into());
        assert!(matches!(observing.pass(ended).await, Ok(false)));
        assert_eq!(observing.streams.len(), 1);
        let told = sent.recv().await.unwrap().seen;
        assert!(matches!(told, Seen::Failed(Kind::Pods, f) if f.kind == FaultKind::Stopped));
    }
}
