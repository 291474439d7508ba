//! The six rules of the reference system put right, the Watchdog, and their evaluation.

use super::alertmanager::Received;
use super::measure::labels;
use super::parser::{Expr, parse};
use super::{INTERVAL, Labels, eval, text, vector::nameless};
use crate::demo::random::hex_of;
use crate::demo::world::World;
use std::collections::BTreeMap;

/// How long a rule holds before it fires: minutes in production, which nobody would sit through here.
const HOLD: i64 = 30_000;
/// After this time without news Alertmanager takes an alert for resolved.
const FORGOTTEN: i64 = 4 * 60_000;
/// How long an alert takes to Alertmanager.
const DELIVERY: i64 = 3_000;

/// A rule and its alerts.
#[derive(Debug)]
pub(super) struct Rule {
    pub(super) name: &'static str,
    pub(super) group: &'static str,
    pub(super) query: &'static str,
    /// In milliseconds.
    pub(super) hold: i64,
    pub(super) severity: &'static str,
    pub(super) summary: &'static str,
    pub(super) description: &'static str,
    expr: Option<Expr>,
    pub(super) alerts: BTreeMap<Labels, Active>,
    pub(super) evaluated: i64,
}

/// An alert that is pending or fires.
#[derive(Debug, Clone)]
pub(super) struct Active {
    pub(super) since: i64,
    pub(super) fired: Option<i64>,
    pub(super) value: f64,
}

/// A rule that has fired for nothing yet.
fn rule(
    name: &'static str,
    group: &'static str,
    severity: &'static str,
    query: &'static str,
    (summary, description): (&'static str, &'static str),
) -> Rule {
    Rule {
        name,
        group,
        query,
        hold: HOLD,
        severity,
        summary,
        description,
        expr: parse(query).ok(),
        alerts: BTreeMap::new(),
        evaluated: i64::MIN,
    }
}

/// The rule that fires once for each filler.
pub(super) fn storm() -> Rule {
    let words = (
        "{{ $labels.instance }} is down",
        "{{ $labels.instance }} of {{ $labels.service }} {{ $labels.colour }} does not answer.",
    );
    rule(
        "InstanceDown",
        "digital-wall",
        "warning",
        "filler_is_down > 0",
        words,
    )
}

/// All rules.
pub(super) fn all() -> Vec<Rule> {
    let mut watchdog = rule(
        "Watchdog",
        "meta",
        "none",
        "vector(1)",
        (
            "Alerting works",
            "This alert always fires: where it does not, nothing else can.",
        ),
    );
    watchdog.hold = 0;
    vec![
        rule(
            "HighErrorRate",
            "digital-wall",
            "critical",
            "sum by (namespace, service, colour) (rate(http_requests_total{status=~\"5..\"}[1m])) / sum by (namespace, service, colour) (rate(http_requests_total[1m])) > 0.1",
            (
                "{{ $labels.service }} {{ $labels.colour }} fails too often",
                "{{ $value | humanizePercentage }} of the requests to {{ $labels.service }} {{ $labels.colour }} in {{ $labels.namespace }} fail.",
            ),
        ),
        rule(
            "HighResponseTime",
            "digital-wall",
            "warning",
            "histogram_quantile(0.95, sum by (le, namespace, service, colour) (rate(http_request_duration_seconds_bucket[1m]))) > 2",
            (
                "{{ $labels.service }} {{ $labels.colour }} is slow",
                "The 95th percentile of {{ $labels.service }} {{ $labels.colour }} in {{ $labels.namespace }} is {{ $value }} s.",
            ),
        ),
        rule(
            "DatabaseConnectionsHigh",
            "digital-wall",
            "warning",
            "sum by (namespace, service) (pg_stat_activity_count) > 80",
            (
                "PostgreSQL has many connections",
                "{{ $value }} connections to the database of {{ $labels.namespace }}; 100 is all there are.",
            ),
        ),
        rule(
            "RedisMemoryUsageHigh",
            "digital-wall",
            "warning",
            "sum by (namespace, service) (redis_memory_used_bytes) / (sum by (namespace, service) (redis_memory_max_bytes) > 0) > 0.8",
            (
                "Redis is nearly full",
                "Redis of {{ $labels.namespace }} uses {{ $value | humanizePercentage }} of its memory.",
            ),
        ),
        rule(
            "PodCrashLooping",
            "kubernetes",
            "critical",
            "sum by (namespace, service, colour, pod) (increase(kube_pod_container_status_restarts_total{namespace=~\"production|staging|development\"}[5m])) >= 2",
            (
                "{{ $labels.pod }} restarts again and again",
                "{{ $labels.pod }} of {{ $labels.service }} {{ $labels.colour }} restarted {{ $value }} times in 5 minutes.",
            ),
        ),
        rule(
            "NodeDiskSpaceWarning",
            "kubernetes",
            "warning",
            "node_filesystem_avail_bytes{mountpoint=\"/\"} / node_filesystem_size_bytes{mountpoint=\"/\"} < 0.1",
            (
                "{{ $labels.node }} runs out of disk space",
                "{{ $value | humanizePercentage }} of {{ $labels.mountpoint }} on {{ $labels.node }} is free.",
            ),
        ),
        watchdog,
    ]
}

impl Rule {
    /// Labels that the rule adds to each alert.
    pub(super) fn own_labels(&self) -> Labels {
        labels(&[("severity", self.severity)])
    }

    /// Templates of its annotations.
    pub(super) fn annotations(&self) -> Labels {
        let runbook = format!("https://runbooks.digitalwall.app/{}", self.name);
        labels(&[
            ("summary", self.summary),
            ("description", self.description),
            ("runbook_url", &runbook),
        ])
    }

    /// An alert's annotations.
    pub(super) fn told(&self, labels: &Labels, value: f64) -> Labels {
        let templates = self.annotations().into_iter();
        templates
            .map(|(key, template)| (key, text::fill(&template, labels, value)))
            .collect()
    }

    /// `inactive`, `pending`, `firing`.
    pub(super) fn state(&self) -> &'static str {
        match self
            .alerts
            .values()
            .map(|alert| alert.fired.is_some())
            .max()
        {
            None => "inactive",
            Some(false) => "pending",
            Some(true) => "firing",
        }
    }

    /// Takes what the expression yields; answers with the alerts that ended.
    fn fold(&mut self, found: Vec<(Labels, f64)>, at: i64) -> Vec<Labels> {
        let mut next = BTreeMap::new();
        for (mut labels, value) in found {
            labels.extend(self.own_labels());
            labels.insert("alertname".to_owned(), self.name.to_owned());
            let before = self.alerts.remove(&labels);
            let since = before.as_ref().map_or(at, |alert| alert.since);
            let fires = at - since >= self.hold;
            let fired = before.and_then(|alert| alert.fired).or(fires.then_some(at));
            next.insert(
                labels,
                Active {
                    since,
                    fired,
                    value,
                },
            );
        }
        let ended = std::mem::replace(&mut self.alerts, next);
        self.evaluated = at;
        ended
            .into_iter()
            .filter(|(_, alert)| alert.fired.is_some())
            .map(|(labels, _)| labels)
            .collect()
    }
}

impl World {
    /// Evaluates every rule at `at` and tells Alertmanager.
    pub(super) fn evaluate(&mut self, at: i64) {
        let mut rules = std::mem::take(&mut self.monitoring.rules);
        for rule in &mut rules {
            let Some(expr) = &rule.expr else { continue };
            #[allow(clippy::cast_precision_loss, reason = "seconds of this century")]
            let now = crate::demo::clock::wall(self.epoch, at).as_millisecond() as f64 / 1_000.0;
            let found = eval::eval(expr, &self.monitoring.series, at, now).vector();
            let found = found
                .into_iter()
                .map(|(labels, value)| (nameless(&labels), value))
                .collect();
            for labels in rule.fold(found, at) {
                self.resolve(&labels, at);
            }
            for (labels, alert) in &rule.alerts {
                self.send(rule, labels, alert, at);
            }
        }
        self.monitoring.rules = rules;
    }

    /// Alertmanager learns of an alert that fires; `ALERTS` tells of every one.
    fn send(&mut self, rule: &Rule, labels: &Labels, alert: &Active, at: i64) {
        let state = if alert.fired.is_some() {
            "firing"
        } else {
            "pending"
        };
        let id = format!("{}/{state}", fingerprint(labels));
        self.monitoring.series.push("ALERTS", &id, (at, 1.0), || {
            let mut labels = labels.clone();
            labels.insert("alertstate".to_owned(), state.to_owned());
            labels
        });
        let Some(fired) = alert.fired else { return };
        let sent = outside(labels);
        let id = fingerprint(&sent);
        let known = self.monitoring.received.get(&id);
        // One that comes back after its end is a new one.
        let starts = known
            .filter(|known| known.ends > at)
            .map_or(fired, |known| known.starts);
        let seen = known
            .filter(|known| known.ends > at)
            .map_or(at + DELIVERY, |known| known.seen);
        let received = Received {
            annotations: rule.told(labels, alert.value),
            query: rule.query,
            labels: sent,
            starts,
            seen,
            updated: at + DELIVERY,
            ends: at + FORGOTTEN,
        };
        self.monitoring.received.insert(id, received);
        let oldest = at - 2 * FORGOTTEN;
        self.monitoring
            .received
            .retain(|_, received| received.ends > oldest);
    }

    fn resolve(&mut self, labels: &Labels, at: i64) {
        let id = fingerprint(&outside(labels));
        if let Some(received) = self.monitoring.received.get_mut(&id) {
            (received.ends, received.updated) = (at + DELIVERY, at + DELIVERY);
        }
    }

    /// How long an evaluation took, in seconds: a little, never the same.
    #[allow(clippy::cast_precision_loss, reason = "microseconds")]
    pub(super) fn took(rule: &Rule) -> f64 {
        let micros =
            (rule.evaluated / INTERVAL).unsigned_abs() % 97 + 180 + rule.query.len() as u64;
        micros as f64 / 1_000_000.0
    }
}

/// Labels as they leave Prometheus: with its external ones.
pub(super) fn outside(labels: &Labels) -> Labels {
    let mut labels = labels.clone();
    labels.insert("cluster".to_owned(), "demo-eu".to_owned());
    labels
}

/// What identifies an alert.
pub(super) fn fingerprint(labels: &Labels) -> String {
    hex_of(&format!("{labels:?}"), 16)
}

#[cfg(test)]
mod tests {
    use super::all;

    #[test]
    fn every_rule_reads() {
        assert!(all().iter().all(|rule| rule.expr.is_some()));
    }
}
