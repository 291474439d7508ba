//! The alerts of one environment, asked for ever: Prometheus' rules and targets, and what Alertmanager
//! does with the alerts. Each is asked every 10 s, targets every 60 s; none knows of a condition that would spare the answer.
//!
//! What is sent, and when:
//! 1. `Rules`, `Targets` and `Handling` after each good answer; a replica that is missing from it is
//!    named, in the rules' warnings or in `HandlingGaps` (sent when they change).
//! 2. `RulesFailed`, `TargetsFailed` and `HandlingFailed` after each bad one; the next question follows
//!    after a pause that doubles up to 30 s, with jitter. A Prometheus that has no list of targets is asked
//!    for it every ten minutes.
//!
//! 3. `Spells`, or `SpellsFailed`, at the start, soon after an alert began or ended to fire, and every
//!    ten minutes: when alerts fired in the last hours. The latter alone where it did not come in time again and again,
//!    and at once when the rules come again after a failure.
//!
//! 4. `Read` for each query that is a gate and each colour, once an interval, whatever came of it.
//!
//! They fail apart: an Alertmanager that is gone leaves the rules alone.

use std::collections::BTreeSet;
use std::time::Duration;

use tokio::sync::Notify;
use tokio::sync::mpsc::Sender;

use super::Pace;
use super::log::Shared;
use crate::clients::alertmanager::Alertmanager;
use crate::clients::http;
use crate::clients::kubernetes::{Backoff, Cluster};
use crate::clients::prometheus::Prometheus;
use crate::estate::alerts::{AlertsSeen, RulesSeen, belongs};
use crate::estate::chart::Measured;
use crate::estate::gates::{Query, Reading, about};
use crate::estate::spells::STEP_SECONDS;
use crate::estate::{Fault, FaultKind, Labels, Moment, Safe};

/// Between two looks at the history of alerts while nothing changes, and at targets that are not told.
const RARE: Duration = Duration::from_secs(600);
/// Targets are asked for so many times more seldom than rules: of a large Prometheus they are megabytes, and little depends
/// on them.
const SELDOM: u32 = 6;
/// Failures in a row after which a history that does not come in time, or is too long, is asked for rarely.
const PATIENCE: u32 = 2;
/// How long after an alert's end Prometheus' history tells it for certain.
const CERTAIN: Duration = Duration::from_secs(3 * STEP_SECONDS as u64);

/// What to ask for an environment.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Target {
    /// Prometheus; without one nothing is asked.
    pub prometheus: Option<http::Target>,
    /// Alertmanager, where there is one.
    pub alertmanager: Option<http::Target>,
    /// The labels that tie alerts and targets to the environment. One that carries another value
    /// belongs elsewhere; one that lacks the label concerns everybody, and is shown.
    pub belongs: Labels,
    /// The alert that always fires while monitoring is alive.
    pub watchdog: Option<Safe>,
    /// Queries that are gates.
    pub queries: Vec<Query>,
    /// The colours that those are asked about: either may be the next to get traffic.
    pub colours: Vec<Safe>,
    /// Seconds between two questions of one of them.
    pub interval_s: u64,
}

/// Something seen of an environment's alerts.
#[derive(Clone, Debug, PartialEq)]
pub struct Observed {
    /// The environment's place in the configuration.
    pub environment: usize,
    /// When it was seen.
    pub at: Moment,
    /// What was seen.
    pub seen: AlertsSeen,
}

/// Observes until the receiver is gone or the task is aborted. `shared` is the environment's
/// connection, for what is reached through its API server.
pub async fn run(
    environment: usize,
    target: Target,
    shared: Shared,
    out: Sender<Observed>,
    clock: fn() -> Moment,
) {
    run_at(Pace::default(), environment, target, shared, out, clock).await;
}

/// As [`run`], at a pace of the caller's.
pub async fn run_at(
    pace: Pace,
    environment: usize,
    target: Target,
    shared: Shared,
    out: Sender<Observed>,
    clock: fn() -> Moment,
) {
    let outlet = Outlet {
        environment,
        out,
        clock,
    };
    let asking = Asking {
        pace,
        shared,
        belongs: target.belongs,
        watchdog: target.watchdog,
        queries: target.queries,
        colours: target.colours,
        interval: Duration::from_secs(target.interval_s),
        turned: Notify::new(),
        returned: Notify::new(),
    };
    let targets = [&target.prometheus, &target.alertmanager];
    if targets
        .into_iter()
        .flatten()
        .any(http::Target::needs_cluster)
    {
        // Connecting is no fault yet.
        let _ = tokio::time::timeout(pace.answer, asking.shared.cluster()).await;
    }
    let prometheus = target.prometheus.as_ref().map(Prometheus::new);
    let alertmanager = target.alertmanager.as_ref().map(Alertmanager::new);
    let told = async {
        futures::join!(
            until_gone(prometheus.as_ref().map(|it| asking.rules(it, &outlet))),
            until_gone(prometheus.as_ref().map(|it| asking.targets(it, &outlet))),
            until_gone(prometheus.as_ref().map(|it| asking.spells(it, &outlet))),
            until_gone(prometheus.as_ref().map(|it| asking.readings(it, &outlet))),
            until_gone(alertmanager.as_ref().map(|it| asking.handling(it, &outlet))),
        )
    };
    tokio::select! {
        _ = told => {}
        // An answer that is waited for is of no use any more.
        () = outlet.out.closed() => {}
    }
}

async fn until_gone(asking: Option<impl Future<Output = Result<(), Gone>>>) {
    if let Some(asking) = asking {
        let _ = asking.await;
    }
}

/// The receiver is gone.
struct Gone;

struct Outlet {
    environment: usize,
    out: Sender<Observed>,
    clock: fn() -> Moment,
}

impl Outlet {
    /// Sends what was seen of a question that was put at `at`: the answer is no older.
    async fn send(&self, at: Moment, seen: AlertsSeen) -> Result<(), Gone> {
        let observed = Observed {
            environment: self.environment,
            at,
            seen,
        };
        self.out.send(observed).await.map_err(|_| Gone)
    }
}

struct Asking {
    pace: Pace,
    shared: Shared,
    belongs: Labels,
    watchdog: Option<Safe>,
    queries: Vec<Query>,
    colours: Vec<Safe>,
    interval: Duration,
    /// Another set of alerts fires than before.
    turned: Notify,
    /// Prometheus answers again.
    returned: Notify,
}

impl Asking {
    async fn rules(&self, prometheus: &Prometheus, outlet: &Outlet) -> Result<(), Gone> {
        let mut backoff = self.backoff();
        let mut fired = BTreeSet::new();
        let mut is_away = false;
        loop {
            let (at, cluster) = ((outlet.clock)(), self.cluster());
            let answer = prometheus.rules(cluster.as_ref(), self.pace.answer).await;
            let pause = self.pause(&mut backoff, answer.as_ref().err());
            if std::mem::replace(&mut is_away, answer.is_err()) && !is_away {
                self.returned.notify_one();
            }
            let seen = match answer {
                Ok(mut rules) => {
                    rules.keep(&self.belongs, self.watchdog.as_ref());
                    let fires = firing(&rules);
                    if std::mem::replace(&mut fired, fires) != fired {
                        self.turned.notify_one();
                    }
                    AlertsSeen::Rules(rules)
                }
                Err(fault) => AlertsSeen::RulesFailed(fault),
            };
            outlet.send(at, seen).await?;
            tokio::time::sleep(pause).await;
        }
    }

    async fn targets(&self, prometheus: &Prometheus, outlet: &Outlet) -> Result<(), Gone> {
        let mut backoff = self.backoff();
        loop {
            let (at, cluster) = ((outlet.clock)(), self.cluster());
            let is_ours = |labels: &Labels| belongs(labels, &self.belongs);
            let answer = prometheus
                .targets(cluster.as_ref(), is_ours, self.pace.answer)
                .await;
            let pause = self.pause(&mut backoff, answer.as_ref().err());
            let (seen, pause) = match answer {
                Ok(Some(targets)) => (AlertsSeen::Targets(targets), SELDOM * pause),
                Ok(None) => (AlertsSeen::TargetsFailed(untold()), RARE),
                Err(fault) => (AlertsSeen::TargetsFailed(fault), pause),
            };
            outlet.send(at, seen).await?;
            tokio::time::sleep(pause).await;
        }
    }

    /// History changes when an alert begins or ends to fire, and is asked for then: it is the one
    /// answer here that can be large.
    async fn spells(&self, prometheus: &Prometheus, outlet: &Outlet) -> Result<(), Gone> {
        let mut backoff = self.backoff();
        let mut hard = 0;
        loop {
            let (at, cluster) = ((outlet.clock)(), self.cluster());
            let answer = prometheus
                .spells(cluster.as_ref(), &self.belongs, self.pace.answer)
                .await;
            let pause = self.pause(&mut backoff, answer.as_ref().err());
            // What is too much for the way is so the next time, too; a server that is away may be back soon.
            let is_hard =
                |fault: &Fault| matches!(fault.kind, FaultKind::Slow | FaultKind::Malformed);
            hard = match answer.as_ref().err().is_some_and(is_hard) {
                true => hard + 1,
                false => 0,
            };
            let is_over = answer.is_ok() || hard > PATIENCE;
            let seen = answer.map_or_else(AlertsSeen::SpellsFailed, AlertsSeen::Spells);
            outlet.send(at, seen).await?;
            tokio::time::sleep(pause).await;
            if is_over {
                tokio::select! {
                    () = tokio::time::sleep(RARE) => {}
                    // It was no more than away.
                    () = self.returned.notified(), if hard > 0 => {}
                    () = self.turned.notified() => tokio::time::sleep(CERTAIN).await,
                }
            }
        }
    }

    /// A gate that cannot be read is read again all the same: it is as current as it can be.
    async fn readings(&self, prometheus: &Prometheus, outlet: &Outlet) -> Result<(), Gone> {
        if self.queries.is_empty() {
            return Ok(());
        }
        loop {
            for (query, colour) in self.asked() {
                let at = (outlet.clock)();
                let value = self.value(prometheus, &query.expression, &colour).await;
                let requests = match &query.traffic {
                    Some(of) => Some(self.value(prometheus, &of.expression, &colour).await),
                    None => None,
                };
                let reading = Reading::of(&query, &colour, value, requests);
                outlet.send(at, AlertsSeen::Read(reading)).await?;
            }
            tokio::time::sleep(self.interval).await;
        }
    }

    /// Each query with each colour; one that names none once.
    fn asked(&self) -> Vec<(Query, Safe)> {
        let mut all = Vec::new();
        for query in &self.queries {
            let names = |colour: &Safe| query.colour(colour).is_some();
            let many = if self.colours.iter().any(names) {
                self.colours.len()
            } else {
                1
            };
            let colours = self.colours.iter().take(many);
            all.extend(colours.map(|colour| (query.clone(), colour.clone())));
        }
        all
    }

    async fn value(
        &self,
        prometheus: &Prometheus,
        expression: &str,
        colour: &str,
    ) -> Result<Measured, Fault> {
        let (cluster, limit) = (self.cluster(), self.pace.answer);
        let expression = about(expression, colour);
        prometheus.query(cluster.as_ref(), &expression, limit).await
    }

    async fn handling(&self, alertmanager: &Alertmanager, outlet: &Outlet) -> Result<(), Gone> {
        let mut backoff = self.backoff();
        let mut gaps: Vec<Safe> = Vec::new();
        loop {
            let (at, cluster) = ((outlet.clock)(), self.cluster());
            let answer = alertmanager
                .handling(cluster.as_ref(), self.pace.answer)
                .await;
            let pause = self.pause(&mut backoff, answer.as_ref().err());
            match answer {
                Ok(all) => {
                    // Before the answer itself: who has that has all of it.
                    if gaps != all.gaps {
                        gaps.clone_from(&all.gaps);
                        outlet.send(at, AlertsSeen::HandlingGaps(all.gaps)).await?;
                    }
                    outlet
                        .send(at, AlertsSeen::Handling(all.handled, all.silences))
                        .await?;
                }
                Err(fault) => outlet.send(at, AlertsSeen::HandlingFailed(fault)).await?,
            }
            tokio::time::sleep(pause).await;
        }
    }

    /// The connection as it is now: another one after the environment's source was started anew.
    fn cluster(&self) -> Option<Cluster> {
        self.shared.now()
    }

    fn backoff(&self) -> Backoff {
        Backoff::new(self.pace.pauses[0], self.pace.pauses[1])
    }

    fn pause(&self, backoff: &mut Backoff, fault: Option<&Fault>) -> Duration {
        match fault.map(|fault| fault.kind) {
            None => {
                *backoff = self.backoff();
                self.pace.pulse
            }
            // Asked to slow down.
            Some(FaultKind::Busy) => self.pace.pauses[1],
            Some(_) => backoff.pause(),
        }
    }
}

/// What scrapes for this Prometheus is another: Mimir, say, has no list of targets.
fn untold() -> Fault {
    Fault {
        kind: FaultKind::Missing,
        what: "this Prometheus tells none (404)".into(),
    }
}

/// The alerts that fire.
fn firing(seen: &RulesSeen) -> BTreeSet<Labels> {
    let alerts = seen.rules.iter().flat_map(|rule| &rule.alerts);
    let fires = alerts.filter(|alert| alert.is_firing);
    fires.map(|alert| alert.labels.clone()).collect()
}
