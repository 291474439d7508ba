//! What a worker sees while it waits: the same watches that the screen has, folded into the same estate.

use std::time::Duration;

use futures::stream::{self, BoxStream, SelectAll, StreamExt as _};

use tokio::sync::watch;

use super::bastion::Bastion;
use super::monitoring;
use crate::clients::kubernetes::{self, Watch};
use crate::estate::gates::Query;
use crate::estate::{Currency, Estate, Kind, Moment, Now, Safe, Seen};

/// The kinds that an operation looks at.
const KINDS: [Kind; 7] = [
    Kind::Services,
    Kind::EndpointSlices,
    Kind::Pods,
    Kind::Deployments,
    Kind::Leases,
    Kind::Records,
    Kind::Policy,
];
/// Those without which a second does not count as watched.
const VITAL: [Kind; 3] = [Kind::Services, Kind::EndpointSlices, Kind::Pods];
/// Seconds after which the server closes a watch.
const PERIOD: u32 = 30;
/// The pauses after a failure.
const PAUSES: [Duration; 2] = [Duration::from_millis(500), Duration::from_secs(5)];
/// Between two signs of life, and for the answer to one.
const PULSE: [Duration; 2] = [Duration::from_secs(10), Duration::from_secs(5)];

/// Open eyes.
pub struct Eyes {
    bastion: Bastion,
    /// With the moment of the question, where the answer may have taken its time.
    seen: SelectAll<BoxStream<'static, (Option<Moment>, Seen)>>,
    /// The queries that are gates, by configuration and policy.
    queries: watch::Sender<Vec<Query>>,
    /// What they saw.
    pub estate: Estate,
}

impl std::fmt::Debug for Eyes {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Eyes")
    }
}

impl Eyes {
    /// Starts to look.
    pub fn open(bastion: &Bastion) -> Self {
        let mut seen: SelectAll<_> = (KINDS.into_iter())
            .map(|kind| kubernetes::watch(&bastion.cluster, kind, &how(bastion, kind)))
            .map(now)
            .collect();
        seen.push(now(pulses(bastion.clone())));
        Self {
            estate: Estate::new(bastion.scope.clone(), None),
            bastion: bastion.clone(),
            queries: watch::Sender::new(Vec::new()),
            seen,
        }
    }

    /// Asks monitoring too, for what the gates of traffic to `colour` stand on: from now on, or an interval
    /// later where the estate knows it already.
    pub(super) fn ask_monitoring(&mut self, colour: &Safe) {
        let is_known = self.estate.alerts.is_some();
        if let (false, Some(monitoring)) = (is_known, &self.bastion.monitoring) {
            self.estate.alerts = Some(monitoring.unseen());
            self.estate.tighten();
        }
        self.tell_queries();
        let queries = self.queries.subscribe();
        let asking = monitoring::asked_for_ever(&self.bastion, colour.clone(), queries, !is_known);
        self.seen.extend(asking);
    }

    /// Waits for the next thing to see, and folds it in. May be given up on and called again.
    pub async fn next(&mut self) {
        match self.seen.next().await {
            Some((asked, seen)) => {
                let now = self.bastion.clock.now();
                let at = asked.unwrap_or(now.at);
                self.estate.apply(seen, Now { at, ..now });
                self.tell_queries();
            }
            // The watches have no end.
            None => std::future::pending().await,
        }
    }

    /// Makes no other gates of what the policy comes to say, once that was seen: an alert that becomes a gate only now may
    /// have fired all along (I-27).
    pub(super) fn settle_gates(&mut self) {
        let is_wrong = matches!(self.estate.terms(), Some(Err(_)));
        let is_seen = self.estate.policies.listed && !is_wrong;
        if let Some(alerts) = &mut self.estate.alerts {
            alerts.is_settled |= is_seen;
        }
    }

    /// Why it is not known which gates there are, where monitoring is asked.
    pub(super) fn unsettled(&self) -> Option<Safe> {
        let is_open = self.estate.alerts.as_ref().is_some_and(|it| !it.is_settled);
        let why = self.estate.unread(self.bastion.clock.now());
        let said = why.unwrap_or_else(|| "it was not seen yet".into());
        is_open.then(|| format!("policy: which gates it demands is not known: {said}").into())
    }

    /// The policy may have made others of them.
    fn tell_queries(&self) {
        let Some(alerts) = &self.estate.alerts else {
            return;
        };
        let now = &alerts.scope.gates.queries;
        self.queries.send_if_modified(|told| {
            let is_other = told != now;
            if is_other {
                told.clone_from(now);
            }
            is_other
        });
    }

    /// Whether what a soak hangs on is current.
    pub fn is_current(&self) -> bool {
        let now = self.bastion.clock.boot();
        VITAL
            .iter()
            .all(|kind| self.estate.currency(*kind, now) == Currency::Live)
    }

    /// Milliseconds since the API gave the last sign of life for what a soak hangs on.
    pub(super) fn silence(&self) -> u64 {
        let now = self.bastion.clock.boot();
        let ages = VITAL.iter().map(|kind| self.estate.age(*kind, now));
        ages.map(|age| age.unwrap_or(u64::MAX))
            .max()
            .unwrap_or(u64::MAX)
    }

    /// Asks for a sign of life now.
    pub(super) async fn prove(&mut self) {
        if let Ok(pulse) = self.bastion.cluster.pulse(PULSE[1]).await {
            let server = pulse.server;
            (self.estate).apply(Seen::Pulse { server }, self.bastion.clock.now());
        }
    }

    /// Whether a first listing of all of it is there.
    pub fn has_seen(&self) -> bool {
        KINDS[..5].iter().all(|kind| self.estate.is_listed(*kind))
    }
}

/// What is seen as it happens.
fn now(
    seen: impl futures::Stream<Item = Seen> + Send + 'static,
) -> BoxStream<'static, (Option<Moment>, Seen)> {
    seen.map(|seen| (None, seen)).boxed()
}

fn how(bastion: &Bastion, kind: Kind) -> Watch {
    Watch {
        selector: match kind {
            Kind::Pods | Kind::Deployments => bastion.selector.clone(),
            Kind::EndpointSlices => bastion.scope.slices(),
            _ => String::new(),
        },
        period: PERIOD,
        pauses: PAUSES,
        jitter: bastion.timing.jitter,
    }
}

/// Signs of life: silence of a watch proves nothing.
fn pulses(bastion: Bastion) -> BoxStream<'static, Seen> {
    let ask = |(bastion, is_first): (Bastion, bool)| async move {
        if !is_first {
            tokio::time::sleep(PULSE[0]).await;
        }
        let seen = match bastion.cluster.pulse(PULSE[1]).await {
            Ok(pulse) => Seen::Pulse {
                server: pulse.server,
            },
            Err(fault) => {
                bastion.cluster.resume_watches();
                Seen::NoPulse(fault)
            }
        };
        Some((seen, (bastion, false)))
    };
    stream::unfold((bastion, true), ask).boxed()
}
