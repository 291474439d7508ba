//! What a worker asks of monitoring: Prometheus' rules with their alerts, what Alertmanager does with them, and
//! the queries that are gates. Each is asked once an interval and no more; an answer that does not come is a
//! fault in its place, never a good one.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use futures::future::{self, BoxFuture, FutureExt as _};
use futures::stream::{self, BoxStream, StreamExt as _};
use serde::{Deserialize, Serialize};
use tokio::sync::watch;

use super::bastion::{Bastion, Planted};
use crate::clients::alertmanager::{Alertmanager, Handling};
use crate::clients::http::Target;
use crate::clients::prometheus::Prometheus;
use crate::estate::alerts::{AlertScope, Alerts, AlertsSeen, RulesSeen};
use crate::estate::chart::Measured;
use crate::estate::gates::{Query, Reading, about};
use crate::estate::{Estate, Fault, Moment, Safe, Seen};

/// Where an environment's monitoring is and how it is read; goes to workers, so it holds no secret.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Monitors {
    /// How its alerts are read, and which are gates.
    pub scope: AlertScope,
    /// Prometheus.
    pub prometheus: Target,
    /// Alertmanager, where there is one.
    pub alertmanager: Option<Target>,
}

/// A question, and its answer.
#[derive(Clone, Debug, PartialEq)]
pub enum Question {
    /// The rules with their alerts.
    Rules,
    /// What Alertmanager does with them.
    Handling,
    /// The value of an expression.
    Value(String),
}

/// What was answered.
#[derive(Clone, Debug, PartialEq)]
pub enum Answer {
    /// The rules with their alerts.
    Rules(RulesSeen),
    /// What Alertmanager does with them.
    Handling(Handling),
    /// The value of an expression.
    Value(Measured),
}

/// Answers of the caller's: a simulation has values, and no wire.
type Told = Arc<dyn Fn(&Question) -> BoxFuture<'static, Result<Answer, Fault>> + Send + Sync>;

/// Monitoring as it is asked.
#[derive(Clone)]
pub struct Monitoring {
    /// How its alerts are read, and which are gates.
    pub scope: AlertScope,
    asked: Asked,
}

#[derive(Clone)]
enum Asked {
    Servers(Arc<Prometheus>, Option<Arc<Alertmanager>>),
    Told(Told),
}

impl fmt::Debug for Monitoring {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Monitoring")
    }
}

impl Monitoring {
    /// By its servers; nothing is asked yet.
    pub fn of(monitors: &Monitors) -> Self {
        let alertmanager = monitors.alertmanager.as_ref();
        Self {
            scope: monitors.scope.clone(),
            asked: Asked::Servers(
                Arc::new(Prometheus::new(&monitors.prometheus)),
                alertmanager.map(|target| Arc::new(Alertmanager::new(target))),
            ),
        }
    }

    /// With answers of the caller's.
    pub fn told(
        scope: AlertScope,
        answer: impl Fn(&Question) -> BoxFuture<'static, Result<Answer, Fault>> + Send + Sync + 'static,
    ) -> Self {
        Self {
            scope,
            asked: Asked::Told(Arc::new(answer)),
        }
    }

    /// Alerts of which nothing was seen yet, as old as they may be at the pace at which they are asked for.
    pub(super) fn unseen(&self) -> Alerts {
        let mut alerts = Alerts::new(self.scope.clone());
        let pace = 1_000 * self.scope.gates.interval_s;
        (alerts.rules.pace_ms, alerts.handling.pace_ms) = (pace, pace);
        alerts
    }

    async fn answer(&self, bastion: &Bastion, question: Question) -> Result<Answer, Fault> {
        let (cluster, limit) = (Some(&bastion.cluster), bastion.timing.answer);
        match (&self.asked, question) {
            (Asked::Told(answer), question) => answer(&question).await,
            (Asked::Servers(prometheus, _), Question::Rules) => {
                prometheus.rules(cluster, limit).await.map(Answer::Rules)
            }
            (Asked::Servers(prometheus, _), Question::Value(expression)) => {
                let value = prometheus.query(cluster, &expression, limit).await;
                value.map(Answer::Value)
            }
            (Asked::Servers(_, Some(alertmanager)), Question::Handling) => {
                let handling = alertmanager.handling(cluster, limit).await;
                handling.map(Answer::Handling)
            }
            // Nobody asks what is not configured.
            (Asked::Servers(_, None), Question::Handling) => {
                Ok(Answer::Handling(Handling::default()))
            }
        }
    }

    async fn rules(&self, bastion: &Bastion) -> Vec<AlertsSeen> {
        vec![match self.answer(bastion, Question::Rules).await {
            Ok(Answer::Rules(mut rules)) => {
                rules.keep(&self.scope.belongs, self.scope.watchdog.as_ref());
                AlertsSeen::Rules(rules)
            }
            Ok(_) => AlertsSeen::RulesFailed(misfit()),
            Err(fault) => AlertsSeen::RulesFailed(fault),
        }]
    }

    async fn handling(&self, bastion: &Bastion) -> Vec<AlertsSeen> {
        if self.scope.alertmanager.is_none() {
            return Vec::new();
        }
        match self.answer(bastion, Question::Handling).await {
            Ok(Answer::Handling(all)) => vec![
                AlertsSeen::Handling(all.handled, all.silences),
                AlertsSeen::HandlingGaps(all.gaps),
            ],
            Ok(_) => vec![AlertsSeen::HandlingFailed(misfit())],
            Err(fault) => vec![AlertsSeen::HandlingFailed(fault)],
        }
    }

    async fn value(&self, bastion: &Bastion, expression: String) -> Result<Measured, Fault> {
        match self.answer(bastion, Question::Value(expression)).await? {
            Answer::Value(mut measured) => {
                if bastion.has(Planted::NanPasses) {
                    let samples = measured.samples.iter_mut();
                    samples.for_each(|sample| sample.number = sample.number.or(Some(0.0)));
                }
                Ok(measured)
            }
            Answer::Rules(_) | Answer::Handling(_) => Err(misfit()),
        }
    }

    async fn query(&self, bastion: &Bastion, query: &Query, colour: &Safe) -> Vec<AlertsSeen> {
        let requests = query.traffic.as_ref().map(|t| about(&t.expression, colour));
        let counted = async {
            match requests {
                Some(requests) => Some(self.value(bastion, requests).await),
                None => None,
            }
        };
        let value = self.value(bastion, about(&query.expression, colour));
        let (value, requests) = futures::join!(value, counted);
        vec![AlertsSeen::Read(Reading::of(
            query, colour, value, requests,
        ))]
    }

    /// Everything that is a gate of traffic to `colour`, asked once and at once.
    async fn ask(&self, bastion: &Bastion, queries: &[Query], colour: &Safe) -> Vec<AlertsSeen> {
        let queries = queries.iter();
        let queries = queries.map(|query| self.query(bastion, query, colour));
        let (rules, handling, read) = future::join3(
            self.rules(bastion),
            self.handling(bastion),
            future::join_all(queries),
        )
        .await;
        [rules, handling, read.concat()].concat()
    }
}

fn misfit() -> Fault {
    Fault {
        kind: crate::estate::FaultKind::Malformed,
        what: "an answer to another question".into(),
    }
}

/// Asks monitoring what the gates of traffic to `colour` stand on, and puts it down in `estate`. What was
/// asked within an interval is not asked again, unless the policy that was read since makes other gates.
pub(super) async fn look(bastion: &Bastion, estate: &mut Estate, colour: &Safe) {
    let Some(monitoring) = &bastion.monitoring else {
        return;
    };
    let now = bastion.clock.boot();
    let within =
        |age: Option<u64>| age.is_some_and(|age| age <= 1_000 * monitoring.scope.gates.interval_s);
    let is_recent = (estate.alerts.as_ref()).is_some_and(|alerts| {
        let (rules, handling) = (&alerts.rules, &alerts.handling);
        let is_heard = |age, is_well| within(age) && is_well;
        // What is silenced is as old as Alertmanager's last word, whatever Prometheus says.
        let is_told = alerts.scope.alertmanager.is_none()
            || is_heard(handling.age(now), handling.fault.is_none());
        is_heard(rules.age(now), rules.fault.is_none()) && is_told
    });
    let known = std::mem::take(&mut estate.alerts);
    let was = known.as_ref().map(|alerts| alerts.scope.gates.clone());
    estate.alerts = known.or_else(|| Some(monitoring.unseen()));
    estate.tighten();
    let Some(seen) = &estate.alerts else { return };
    if is_recent && was.as_ref() == Some(&seen.scope.gates) {
        return;
    }
    let asked = bastion.clock.now();
    let mut alerts = monitoring.unseen();
    alerts.scope.gates = seen.scope.gates.clone();
    for seen in monitoring
        .ask(bastion, &alerts.scope.gates.queries, colour)
        .await
    {
        alerts.apply(seen, asked.at);
    }
    estate.alerts = Some(alerts);
}

/// Asks how many requests still go to `colour`, where a query says that, and puts it down in `estate`.
pub(super) async fn look_at_rate(bastion: &Bastion, estate: &mut Estate, colour: &Safe) {
    let Some(monitoring) = &bastion.monitoring else {
        return;
    };
    let Some(query) = &monitoring.scope.gates.draining else {
        return;
    };
    let asked = bastion.clock.now();
    let mut alerts = monitoring.unseen();
    for seen in monitoring.query(bastion, query, colour).await {
        alerts.apply(seen, asked.at);
    }
    estate.alerts = Some(alerts);
}

/// The same for ever, once an interval, from now on or an interval later; `queries` are those that are gates then.
pub(super) fn asked_for_ever(
    bastion: &Bastion,
    colour: Safe,
    queries: watch::Receiver<Vec<Query>>,
    is_at_once: bool,
) -> Option<BoxStream<'static, (Option<Moment>, Seen)>> {
    let monitoring = bastion.monitoring.clone()?;
    let pause = Duration::from_secs(monitoring.scope.gates.interval_s);
    let ask = move |(bastion, is_at_once): (Bastion, bool)| {
        let (monitoring, colour, queries) = (monitoring.clone(), colour.clone(), queries.clone());
        async move {
            if !is_at_once {
                tokio::time::sleep(pause).await;
            }
            let at = bastion.clock.boot();
            let queries = queries.borrow().clone();
            let seen = monitoring.ask(&bastion, &queries, &colour).await;
            let seen = seen
                .into_iter()
                .map(move |seen| (Some(at), Seen::Alerts(seen)));
            Some((stream::iter(seen), (bastion, false)))
        }
        .boxed()
    };
    Some(
        stream::unfold((bastion.clone(), is_at_once), ask)
            .flatten()
            .boxed(),
    )
}
