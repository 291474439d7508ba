//! What monitoring says, as values over virtual time: a seed knows in advance when an alert fires, when a query
//! gives NaN, and when nothing answers.

use std::sync::Arc;

use futures::FutureExt as _;
use futures::future::BoxFuture;
use jiff::{SignedDuration, Timestamp};
use wheelhouse::clients::alertmanager::Handling;
use wheelhouse::estate::alerts::{Alert, AlertScope, Rule, RulesSeen};
use wheelhouse::estate::chart::{Measured, Sample};
use wheelhouse::estate::gates::{GateScope, Query};
use wheelhouse::estate::{Fault, FaultKind, Labels};
use wheelhouse::ops::monitoring::{Answer, Monitoring, Question};

use super::chance::Chance;
use super::plot::{Plot, Shape};
use super::process::Process;

/// What monitoring says for a while.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Says {
    /// Nothing is wrong.
    Well,
    /// A critical alert fires for GREEN.
    Fires,
    /// The query gives NaN.
    Nan,
    /// Nothing, since it is away.
    Away,
}

/// What monitoring says from when on, in milliseconds; in order.
#[derive(Clone, Debug, Default)]
pub struct Sky(Vec<(u64, Says)>);

impl Sky {
    /// That of a seed; none where the plot knows no monitoring.
    pub fn of(seed: u64, shape: &Shape) -> Option<Self> {
        let (plot, meets) = (shape.plot, shape.meets);
        let chance = Chance::of(seed, "sky");
        let is_ill = chance.permille(600);
        let chance = Chance::of(seed, "sky");
        let (from, until) = match plot {
            // A deploy takes about twenty seconds, and so does the soak after it.
            Plot::Released if meets.comes_back => (chance.between(24_000, 38_000), 400_000),
            Plot::Released if meets.has_sky && is_ill => {
                let from = chance.one_of(&[0, chance.between(1, 60_000)]);
                (from, from + chance.between(10_000, 120_000))
            }
            Plot::Released if meets.has_sky => return Some(Self::default()),
            // In the soak as a rule, and now and then from the beginning.
            Plot::Alarmed if chance.permille(150) => (0, 400_000),
            Plot::Alarmed => (chance.between(4_000, 22_000), 400_000),
            Plot::Blind => {
                let from = chance.one_of(&[0, chance.between(1, 30_000)]);
                (from, from + chance.between(10_000, 90_000))
            }
            _ => return None,
        };
        let says = match plot {
            Plot::Alarmed => Says::Fires,
            Plot::Released if meets.comes_back => Says::Fires,
            Plot::Released => chance.one_of(&[Says::Fires, Says::Fires, Says::Nan, Says::Away]),
            _ => chance.one_of(&[Says::Nan, Says::Away]),
        };
        let before = (from > 0).then_some((0, Says::Well));
        let then = [(from, says), (until, Says::Well)];
        Some(Self(before.into_iter().chain(then).collect()))
    }

    /// What it says at `at`.
    pub fn at(&self, at: u64) -> Says {
        let before = self.0.iter().rev().find(|(from, _)| *from <= at);
        before.map_or(Says::Well, |(_, says)| *says)
    }

    /// Whether it said nothing but `says` in the `lasting` milliseconds before `at`, or since the beginning.
    pub fn has_said(&self, says: Says, at: u64, lasting: u64) -> bool {
        let from = at.saturating_sub(lasting);
        let mut changes = self
            .0
            .iter()
            .filter(|(since, _)| *since > from && *since <= at);
        self.at(from) == says && changes.all(|(_, it)| *it == says)
    }

    fn answer(&self, at: u64, epoch: Timestamp, question: &Question) -> Result<Answer, Fault> {
        let now = epoch + SignedDuration::from_millis(i64::try_from(at).unwrap_or(0));
        let says = self.at(at);
        if says == Says::Away {
            return Err(Fault {
                kind: FaultKind::Unreachable,
                what: "prometheus: connection refused".into(),
            });
        }
        Ok(match question {
            Question::Rules => Answer::Rules(RulesSeen {
                rules: vec![
                    rule("Watchdog", "none", now, true),
                    rule("HighErrorRate", "critical", now, says == Says::Fires),
                ],
                warnings: Vec::new(),
                gaps: Vec::new(),
                server: Some(now),
            }),
            Question::Handling => Answer::Handling(Handling::default()),
            Question::Value(_) => Answer::Value(Measured {
                samples: vec![Sample {
                    labels: Labels::default(),
                    text: if says == Says::Nan { "NaN" } else { "0.01" }.into(),
                    number: (says != Says::Nan).then_some(0.01),
                }],
                warnings: Vec::new(),
            }),
        })
    }
}

fn rule(name: &str, severity: &str, now: Timestamp, fires: bool) -> Rule {
    let own: Labels = [
        ("alertname".into(), name.into()),
        ("severity".into(), severity.into()),
        ("colour".into(), "green".into()),
    ]
    .into_iter()
    .collect();
    let alert = Alert {
        labels: own.clone(),
        annotations: Labels::default(),
        is_firing: true,
        since: Some(now),
        value: "1".into(),
    };
    Rule {
        name: name.into(),
        group: "g".into(),
        health: "ok".into(),
        error: None,
        evaluated: Some(now),
        interval: 5.0,
        expression: "x > 1".into(),
        hold: 0.0,
        labels: own,
        alerts: if fires { vec![alert] } else { Vec::new() },
    }
}

/// Monitoring as `process` reaches it.
pub fn monitoring(process: &Arc<Process>) -> Option<Monitoring> {
    process.world.sky.as_ref()?;
    let scope = AlertScope {
        watchdog: Some("Watchdog".into()),
        colour_label: Some("colour".into()),
        gates: GateScope {
            queries: vec![Query {
                name: "errors".into(),
                expression: "errors".into(),
                below: Some(0.05),
                above: None,
                traffic: None,
            }],
            interval_s: 5,
            unknown_s: 15,
            ..GateScope::default()
        },
        ..AlertScope::default()
    };
    let process = process.clone();
    Some(Monitoring::told(scope, move |question| {
        let (process, question) = (process.clone(), question.clone());
        let answer = async move {
            let world = &process.world;
            let cut = process.state().cut_until;
            if cut.is_some_and(|until| until > tokio::time::Instant::now()) {
                return Err(Fault {
                    kind: FaultKind::Slow,
                    what: "prometheus: no answer".into(),
                });
            }
            let sky = world.sky.clone().unwrap_or_default();
            sky.answer(world.now(), world.epoch, &question)
        };
        answer.boxed() as BoxFuture<'static, _>
    }))
}
