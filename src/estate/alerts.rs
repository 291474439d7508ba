//! Alerts as Prometheus and Alertmanager tell them, and whether what they tell can be believed.

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use super::gates::{GateScope, Reading, Readings};
use super::spells::{Spell, Spells};
use super::{Currency, Estate, Fault, Feed, Labels, Moment, Now, Safe, Verdict};

mod gone;
mod pairs;

use pairs::ByPair;

/// Intervals below so many seconds count as this: a server that is busy for a moment has not stopped.
const SHORT_S: f64 = 5.0;

/// What is known of an environment's alerts.
#[derive(Clone, Debug, PartialEq)]
pub struct Alerts {
    /// How it is asked, by configuration; the gates are also those that the policy demands.
    pub scope: AlertScope,
    /// The gates by configuration alone.
    pub configured: GateScope,
    /// They stay as they are, whatever the policy comes to say.
    pub is_settled: bool,
    /// What Prometheus says.
    pub rules: Feed<RulesSeen>,
    /// What Alertmanager says of the alerts that concern the environment.
    pub handling: Feed<Vec<Handled>>,
    /// What it says of all others: a silence of ours may touch them.
    pub others: Vec<Handled>,
    /// The silences that are active or pending.
    pub silences: Vec<Silence>,
    /// The replicas of Alertmanager that did not answer while another did, in words.
    pub gaps: Vec<Safe>,
    /// Scrape targets that are down.
    pub targets: Feed<Targets>,
    /// When alerts fired lately, also those that do not any more.
    pub spells: Feed<Spells>,
    /// Those that were seen to end here, the newest first.
    gone: Vec<Spell>,
    /// What the queries that are gates gave.
    pub readings: Readings,
    /// Every alert but the Watchdog, in the order of [`Alerts::views`].
    order: Vec<Place>,
}

/// Where an alert is, and how it stands.
#[derive(Clone, Debug, PartialEq)]
struct Place {
    rule: usize,
    alert: usize,
    standing: Standing,
    /// The place of its silence.
    silence: Option<usize>,
    /// What inhibits it, in words.
    inhibited_by: Vec<Safe>,
    /// Alertmanager has several that may be it, and only some of them are quiet.
    is_disputed: bool,
}

/// How alerts are asked for and read.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct AlertScope {
    /// The alert that always fires while monitoring is alive; it never counts as firing itself.
    pub watchdog: Option<Safe>,
    /// The label that names the colour, such as `colour`.
    pub colour_label: Option<Safe>,
    /// The label that names the service or workload.
    pub service_label: Option<Safe>,
    /// Where Alertmanager is, by configuration; none where none is.
    pub alertmanager: Option<Safe>,
    /// The labels that tie alerts and rules to the environment.
    #[serde(default)]
    pub belongs: Labels,
    /// Which alerts and queries are gates.
    #[serde(default)]
    pub gates: GateScope,
}

/// One answer of the rules API.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct RulesSeen {
    /// Alerting rules with their alerts.
    pub rules: Vec<Rule>,
    /// Warnings of the server: the answer is partial.
    pub warnings: Vec<Safe>,
    /// What is wrong with the replicas of Prometheus, in words, while one of them answered in whole.
    pub gaps: Vec<Safe>,
    /// The server's clock, by the reply's Date header.
    pub server: Option<Timestamp>,
}

/// An alerting rule.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Rule {
    /// Its name.
    pub name: Safe,
    /// Its group.
    pub group: Safe,
    /// `ok`, `err`, `unknown`.
    pub health: Safe,
    /// Why the last evaluation failed.
    pub error: Option<Safe>,
    /// When it was last evaluated.
    pub evaluated: Option<Timestamp>,
    /// Seconds between evaluations.
    pub interval: f64,
    /// The PromQL expression.
    pub expression: Safe,
    /// `for`, in seconds.
    pub hold: f64,
    /// The labels that it gives to each of its alerts.
    pub labels: Labels,
    /// Its alerts that are pending or firing.
    pub alerts: Vec<Alert>,
}

/// An alert of a rule.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Alert {
    /// Its labels, `alertname` among them.
    pub labels: Labels,
    /// Its annotations.
    pub annotations: Labels,
    /// Whether it fires; else it is pending.
    pub is_firing: bool,
    /// Since when its condition holds: it was pending first, for as long as its rule holds it.
    pub since: Option<Timestamp>,
    /// The expression's value, as Prometheus spells it.
    pub value: Safe,
}

/// What Alertmanager does with an alert.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Handled {
    /// Its labels there (with Prometheus' external labels).
    pub labels: Labels,
    /// The ids of the silences that keep it quiet.
    pub silenced_by: Vec<Safe>,
    /// The alerts that inhibit it: name and labels in words, or the fingerprint of one that is not told of.
    pub inhibited_by: Vec<Safe>,
}

/// A silence.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Silence {
    /// Its id.
    pub id: Safe,
    /// Its matchers in words: `alertname="X"`.
    pub matchers: Vec<Safe>,
    /// Who made it.
    pub author: Safe,
    /// Why.
    pub comment: Safe,
    /// From when.
    pub starts: Option<Timestamp>,
    /// Until when.
    pub ends: Option<Timestamp>,
}

/// Scrape targets.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Targets {
    /// How many are up.
    pub up: usize,
    /// Those that are down: job, instance, and why.
    pub down: Vec<(Safe, Safe, Safe)>,
}

/// Something seen of an environment's alerts.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub enum AlertsSeen {
    /// The rules, with their alerts.
    Rules(RulesSeen),
    /// Prometheus did not answer, or not well.
    RulesFailed(Fault),
    /// What Alertmanager does with all alerts that it has, and its silences.
    Handling(Vec<Handled>, Vec<Silence>),
    /// The replicas of Alertmanager that are missing from that, in words; none when it is whole again.
    HandlingGaps(Vec<Safe>),
    /// Alertmanager did not answer, or not well.
    HandlingFailed(Fault),
    /// Scrape targets.
    Targets(Targets),
    /// Their list failed.
    TargetsFailed(Fault),
    /// When alerts fired lately.
    Spells(Spells),
    /// Prometheus' history of alerts cannot be read.
    SpellsFailed(Fault),
    /// What a query that is a gate gave.
    Read(Reading),
}

/// The label that says in whose namespace something is.
const NAMESPACE: &str = "namespace";

impl RulesSeen {
    /// The newest evaluation of all; none that is dated after the answer (the clock of one of several rulers is ahead).
    pub fn newest(&self) -> Option<Timestamp> {
        let newest = self.rules.iter().filter_map(|rule| rule.evaluated).max()?;
        Some(self.server.map_or(newest, |server| newest.min(server)))
    }

    /// Leaves out the alerts of other environments; every rule stays, for its health. `ours` are the labels
    /// that tie alerts to the environment.
    ///
    /// The `watchdog` proves that Prometheus lives, in whatever namespace its rule is kept (OpenShift gives it
    /// `namespace="openshift-monitoring"`). That of another cluster proves nothing: its other labels must be ours.
    pub fn keep(&mut self, ours: &Labels, watchdog: Option<&Safe>) {
        let anywhere = ours.iter().filter(|(key, _)| key.as_str() != NAMESPACE);
        let anywhere: Labels = anywhere.cloned().collect();
        for rule in &mut self.rules {
            let is_watchdog = Some(&rule.name) == watchdog;
            let ours = if is_watchdog { &anywhere } else { ours };
            rule.alerts.retain(|alert| belongs(&alert.labels, ours));
        }
    }
}

/// Whether something with `labels` concerns the environment of `ours`: one that carries another value belongs
/// elsewhere; one that lacks the label concerns everybody.
pub fn belongs(labels: &Labels, ours: &Labels) -> bool {
    (ours.iter()).all(|(key, value)| labels.get(key).is_none_or(|has| has == value))
}

impl Rule {
    /// Whether more than three of its intervals lie between `last` and `now`; one that is not told is a minute, as
    /// Prometheus has it where nobody says.
    fn is_late(&self, last: Timestamp, now: Timestamp) -> bool {
        let interval = match self.interval > 0.0 {
            true => self.interval.max(SHORT_S),
            false => 60.0,
        };
        #[expect(clippy::cast_precision_loss, reason = "seconds of an age")]
        let age = (now.as_second() - last.as_second()) as f64;
        age > 3.0 * interval
    }

    /// Why nothing fires of it, whatever is wrong: it cannot be evaluated, or it is not, while others were
    /// ([`RulesSeen::newest`]). One that never was is new.
    pub fn unevaluated(&self, newest: Option<Timestamp>) -> Option<String> {
        if self.health.as_str() == "err" {
            let why = self.error.as_ref().map_or("", |why| why.as_str());
            return Some(format!("cannot be evaluated: {why}"));
        }
        let (last, newest) = (self.evaluated?, newest?);
        let behind = newest.as_second() - last.as_second();
        (self.is_late(last, newest))
            .then(|| format!("was not evaluated for {behind} s, while others were"))
    }

    /// Whether the labels that it gives to each of its alerts say that those belong elsewhere than `ours`. A label that
    /// is a template (`{{ $labels.namespace }}`) tells that of no alert before it is there.
    pub fn is_elsewhere(&self, ours: &Labels) -> bool {
        let is_fixed = |value: &Safe| !value.contains("{{");
        let fixed = self.labels.iter().filter(|(_, value)| is_fixed(value));
        !belongs(&fixed.cloned().collect(), ours)
    }
}

/// How an alert is to be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Standing {
    /// Fires, and somebody is told.
    Firing,
    /// Fires, and a silence keeps it quiet.
    Silenced,
    /// Fires, and another alert inhibits it.
    Inhibited,
    /// Not long enough yet.
    Pending,
}

/// An alert with its rule and standing.
#[derive(Clone, Debug, PartialEq)]
pub struct AlertView<'a> {
    /// The rule.
    pub rule: &'a Rule,
    /// The alert.
    pub alert: &'a Alert,
    /// How it is to be read.
    pub standing: Standing,
    /// The silence, where there is one that is known.
    pub silence: Option<&'a Silence>,
    /// The alerts that inhibit it, in words.
    pub inhibited_by: &'a [Safe],
    /// Alertmanager has several alerts that may be it, and only some of them are quiet: it counts as firing.
    pub is_disputed: bool,
}

impl AlertView<'_> {
    /// Since when it stands as it does: one that fires was pending first, for as long as its rule says. No later than
    /// the rule was evaluated: `for` may have been another then.
    pub fn since(&self) -> Option<Timestamp> {
        match self.standing {
            Standing::Pending => self.alert.since,
            _ => fires_since(self.rule, self.alert),
        }
    }
}

/// Since when an alert that fires does.
fn fires_since(rule: &Rule, alert: &Alert) -> Option<Timestamp> {
    let began = alert.since?;
    #[expect(clippy::cast_possible_truncation, reason = "seconds of a rule")]
    let hold = SignedDuration::from_secs(rule.hold as i64);
    let fires = began.checked_add(hold).unwrap_or(began);
    let latest = rule.evaluated.unwrap_or(fires);
    Some(fires.min(latest).max(began))
}

impl Alerts {
    /// Alerts of which nothing was seen yet.
    pub fn new(scope: AlertScope) -> Self {
        Self {
            configured: scope.gates.clone(),
            is_settled: false,
            scope,
            rules: Feed::default(),
            handling: Feed::default(),
            others: Vec::new(),
            silences: Vec::new(),
            gaps: Vec::new(),
            targets: Feed::default(),
            spells: Feed::default(),
            gone: Vec::new(),
            readings: Readings::default(),
            order: Vec::new(),
        }
    }

    /// Folds in what was seen at `at`.
    pub fn apply(&mut self, seen: AlertsSeen, at: Moment) {
        match seen {
            AlertsSeen::Rules(rules) => {
                self.keep_gone(gone::gone(&self.rules, &rules, at));
                take(&mut self.rules, rules, at);
                self.arrange();
            }
            AlertsSeen::RulesFailed(fault) => self.rules.fail(fault),
            AlertsSeen::Handling(handled, silences) => {
                // One Alertmanager may serve several Prometheus, and one Prometheus several environments.
                let is_ours = |it: &Handled| belongs(&it.labels, &self.scope.belongs);
                let (ours, others) = handled.into_iter().partition(is_ours);
                take(&mut self.handling, ours, at);
                (self.others, self.silences) = (others, silences);
                self.arrange();
            }
            AlertsSeen::HandlingGaps(gaps) => self.gaps = gaps,
            AlertsSeen::HandlingFailed(fault) => self.handling.fail(fault),
            AlertsSeen::Targets(targets) => take(&mut self.targets, targets, at),
            AlertsSeen::TargetsFailed(fault) => self.targets.fail(fault),
            AlertsSeen::Spells(spells) => take(&mut self.spells, spells, at),
            AlertsSeen::SpellsFailed(fault) => self.spells.fail(fault),
            AlertsSeen::Read(reading) => self.readings.take(reading, at),
        }
    }

    /// Every alert but the Watchdog: firing before silenced before pending, the gravest first, then
    /// the newest.
    pub fn views(&self) -> Vec<AlertView<'_>> {
        let all = self.order.iter().filter_map(|place| {
            let rule = self.rules.value.rules.get(place.rule)?;
            Some(AlertView {
                rule,
                alert: rule.alerts.get(place.alert)?,
                standing: place.standing,
                silence: place.silence.and_then(|s| self.silences.get(s)),
                inhibited_by: &place.inhibited_by,
                is_disputed: place.is_disputed,
            })
        });
        all.collect()
    }

    /// Puts the alerts in order, once an answer: a storm has thousands, and every frame reads them.
    fn arrange(&mut self) {
        let handled = ByPair::of(&self.handling.value);
        let mut order = Vec::new();
        let rules = self.rules.value.rules.iter().enumerate();
        for (rule, of) in rules.filter(|(_, r)| Some(&r.name) != self.scope.watchdog.as_ref()) {
            for (place, alert) in of.alerts.iter().enumerate() {
                let found = handled.find(&alert.labels);
                let handled = found.handled;
                let silenced = handled.and_then(|h| h.silenced_by.first());
                order.push(Place {
                    rule,
                    alert: place,
                    standing: standing(alert, handled),
                    silence: silenced.and_then(|id| self.silences.iter().position(|s| s.id == *id)),
                    inhibited_by: handled.map_or_else(Vec::new, |h| h.inhibited_by.clone()),
                    is_disputed: found.is_disputed,
                });
            }
        }
        order.sort_by_cached_key(|place| {
            let alert = &self.rules.value.rules[place.rule].alerts[place.alert];
            let severity = severity_rank(alert.labels.get("severity"));
            (place.standing, severity, std::cmp::Reverse(alert.since))
        });
        self.order = order;
    }

    /// Whether Alertmanager, where there is one, was told of an alert with `labels`: before that nobody knows
    /// whether it is silenced.
    pub fn is_told(&self, labels: &Labels) -> bool {
        let knows = |handled: &Handled| labels.selects(&handled.labels);
        self.scope.alertmanager.is_none() || self.handling.value.iter().any(knows)
    }

    /// Whether Alertmanager's alert of the labels `there` is the one of `labels`, as far as they tell: it has all of
    /// them, and there is no other alert of ours that has more of its labels.
    pub fn is_it(&self, labels: &Labels, there: &Labels) -> bool {
        let is_closer = |other: &Alert| {
            other.labels != *labels && labels.selects(&other.labels) && other.labels.selects(there)
        };
        let mut ours = (self.rules.value.rules.iter()).flat_map(|rule| &rule.alerts);
        labels.selects(there) && !ours.any(is_closer)
    }

    /// Whether all of Alertmanager tells what it does with the alerts: else nobody knows what is silenced.
    pub fn is_handling_known(&self, now: Moment) -> Verdict {
        let unknown = |why: &str| Verdict::Unknown(Safe::new(&format!("silences unknown: {why}")));
        match (self.handling.currency(now), &self.handling.fault) {
            (_, Some(fault)) => unknown(&fault.what),
            (Currency::Waiting, None) => unknown("no answer yet"),
            (Currency::Stale, None) => unknown("no sign of life"),
            (Currency::Live, None) => match self.gaps.first() {
                Some(gap) => Verdict::Unknown(Safe::new(&format!("partial: {gap}"))),
                None => Verdict::Ok,
            },
        }
    }

    /// Rules that are not evaluated: nothing fires of them, whatever is wrong.
    pub fn broken(&self) -> Option<Safe> {
        self.unevaluated("rule", |rule| !self.is_elsewhere(rule))
    }

    /// The same of rules that belong elsewhere: their alerts would be another environment's.
    pub fn broken_elsewhere(&self) -> Option<Safe> {
        self.unevaluated("another's rule", |rule| self.is_elsewhere(rule))
    }

    /// Those that are not evaluated and of which `is` holds, in words.
    fn unevaluated(&self, called: &str, is: impl Fn(&Rule) -> bool) -> Option<Safe> {
        let (rules, newest) = (&self.rules.value.rules, self.rules.value.newest());
        let mut broken = rules
            .iter()
            .filter(|rule| is(rule))
            .filter_map(|rule| Some((rule, rule.unevaluated(newest)?)));
        let (rule, why) = broken.next()?;
        let more = more(broken.count());
        Some(Safe::new(&format!("{called} {}{more} {why}", rule.name)))
    }

    /// Whether the alerts of a rule belong elsewhere, as far as its own labels tell.
    pub fn is_elsewhere(&self, rule: &Rule) -> bool {
        rule.is_elsewhere(&self.scope.belongs)
    }

    /// Targets that are down, or why they are not known: what is not scraped fires nothing either.
    pub fn unscraped(&self) -> Option<Safe> {
        let targets = &self.targets.value;
        if let Some(fault) = &self.targets.fault {
            return Some(Safe::new(&format!("targets unknown: {}", fault.what)));
        }
        let (job, instance, why) = targets.down.first()?;
        let down = targets.down.len();
        let (all, more) = (targets.up + down, more(down - 1));
        let said = format!("{down} of {all} targets down: {job} {instance}{more}: {why}");
        Some(Safe::new(&said))
    }

    /// Whether monitoring is alive (SAFETY, rule 6): the Watchdog fires and was evaluated lately; or, without one, any rule
    /// was. Lately is within three intervals before `answered`, by Prometheus' own time ([`Estate::monitoring_answered`]).
    pub fn is_alive(&self, answered: Timestamp) -> Verdict {
        if let Some(fault) = &self.rules.fault {
            return Verdict::Unknown(fault.what.clone());
        }
        if !self.rules.listed {
            return Verdict::Unknown("no answer yet".into());
        }
        let unknown = |why: String| Verdict::Unknown(Safe::new(&why));
        let watchdog = self.scope.watchdog.as_ref();
        let is_proof = |rule: &&Rule| match watchdog {
            Some(name) => rule.name == *name && rule.alerts.iter().any(|a| a.is_firing),
            None => true,
        };
        let proofs: Vec<&Rule> = self.rules.value.rules.iter().filter(is_proof).collect();
        let subject = match watchdog {
            Some(name) if proofs.is_empty() => {
                return unknown(format!("the Watchdog {name} does not fire"));
            }
            // A Prometheus that evaluates nothing any more goes on to say that it fires.
            Some(name) => format!("the Watchdog {name} was"),
            None => "rules were".to_owned(),
        };
        let last = proofs.into_iter().max_by_key(|rule| rule.evaluated);
        match last.and_then(|rule| Some((rule, rule.evaluated?))) {
            Some((rule, last)) if rule.is_late(last, answered) => {
                let age = answered.as_second() - last.as_second();
                unknown(format!("{subject} last evaluated {age} s ago"))
            }
            // Some that speak like Prometheus do not tell when.
            None if watchdog.is_none() => unknown("no rule was ever evaluated".to_owned()),
            Some(_) | None => Verdict::Ok,
        }
    }
}

impl Estate {
    /// Prometheus' own time, as well as it is known: evaluations and alerts are dated by it, not by the API server (M07).
    pub fn monitoring_time(&self, alerts: &Alerts, now: Now) -> Timestamp {
        let age = alerts.rules.age(now.at);
        let age = age.and_then(|ms| i64::try_from(ms).ok());
        let told = (alerts.rules.value.server.zip(age)).and_then(|(server, age)| {
            let age = SignedDuration::from_millis(age);
            server.checked_add(age).ok()
        });
        told.unwrap_or_else(|| self.server_time(now))
    }

    /// When it last answered, by that time.
    pub fn monitoring_answered(&self, alerts: &Alerts, now: Now) -> Timestamp {
        let age = alerts.rules.age(now.at).unwrap_or(0);
        let age = SignedDuration::from_millis(i64::try_from(age).unwrap_or(0));
        let now = self.monitoring_time(alerts, now);
        now.checked_sub(age).unwrap_or(now)
    }

    /// Whether what Prometheus says of alerts can be believed (SAFETY, rule 6): it answers, it is alive, and it told the
    /// whole. What is missing may be an alert that fires; a replica that is missing beside one that is whole is nothing of it.
    pub fn monitoring_verdict(&self, alerts: &Alerts, now: Now) -> Verdict {
        let rules = &alerts.rules;
        let alive = match rules.currency(now.at) {
            Currency::Stale if rules.fault.is_none() => {
                let age = rules.age(now.at).unwrap_or(0) / 1_000;
                Verdict::Unknown(format!("Prometheus last answered {age} s ago").into())
            }
            _ => alerts.is_alive(self.monitoring_answered(alerts, now)),
        };
        let partial = (rules.value.warnings.first())
            .map(|warning| Verdict::Unknown(Safe::new(&format!("partial: {warning}"))));
        alive.and(partial.unwrap_or(Verdict::Ok))
    }

    /// How far Prometheus' clock is from the API server's, in words; none where that is little.
    pub fn monitoring_skew(&self, alerts: &Alerts, now: Now) -> Option<Safe> {
        let theirs = self.monitoring_time(alerts, now);
        let ahead = theirs.as_second() - self.server_time(now).as_second();
        let word = if ahead > 0 { "ahead of" } else { "behind" };
        let said = format!(
            "Prometheus' clock is {} s {word} the API server's",
            ahead.abs()
        );
        (ahead.abs() >= SKEW_SHOWN_S).then(|| Safe::new(&said))
    }
}

/// Prometheus' clock is told in whole seconds, and an answer takes its time: less than this is no skew worth a word.
const SKEW_SHOWN_S: i64 = 30;

fn more(count: usize) -> String {
    match count {
        0 => String::new(),
        more => format!(" (and {more} more)"),
    }
}

fn standing(alert: &Alert, handled: Option<&Handled>) -> Standing {
    match (alert.is_firing, handled) {
        (false, _) => Standing::Pending,
        (true, Some(h)) if !h.silenced_by.is_empty() => Standing::Silenced,
        (true, Some(h)) if !h.inhibited_by.is_empty() => Standing::Inhibited,
        (true, _) => Standing::Firing,
    }
}

fn take<T>(feed: &mut Feed<T>, value: T, at: Moment) {
    feed.value = value;
    feed.listed = true;
    feed.confirm(at);
}

/// The order of severities: the words in common use, then anything else, then none.
pub fn severity_rank(severity: Option<&Safe>) -> u8 {
    match severity.map(Safe::as_str) {
        Some("critical" | "page") => 0,
        Some("error" | "high") => 1,
        Some("warning") => 2,
        Some("info" | "none") => 4,
        Some(_) => 3,
        None => 5,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rule(name: &str, alerts: Vec<Alert>) -> Rule {
        Rule {
            name: name.into(),
            group: "g".into(),
            health: "ok".into(),
            error: None,
            evaluated: Timestamp::from_second(1_000).ok(),
            interval: 15.0,
            expression: "up".into(),
            hold: 300.0,
            labels: Labels::default(),
            alerts,
        }
    }

    fn alert(severity: &str, is_firing: bool) -> Alert {
        Alert {
            labels: [
                ("alertname".into(), "X".into()),
                ("severity".into(), severity.into()),
            ]
            .into_iter()
            .collect(),
            annotations: Labels::default(),
            is_firing,
            since: None,
            value: "1".into(),
        }
    }

    fn seen(scope: AlertScope, rules: Vec<Rule>) -> Alerts {
        let mut alerts = Alerts::new(scope);
        let rules = RulesSeen {
            rules,
            ..RulesSeen::default()
        };
        alerts.apply(AlertsSeen::Rules(rules), Moment(1));
        alerts
    }

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap_or(Timestamp::UNIX_EPOCH)
    }

    #[test]
    fn m01_no_alerts_are_unknown_without_the_watchdog_and_when_rules_are_old() {
        let scope = AlertScope {
            watchdog: Some("Watchdog".into()),
            ..AlertScope::default()
        };
        assert!(matches!(
            seen(scope.clone(), Vec::new()).is_alive(at(1_010)),
            Verdict::Unknown(_)
        ));
        let alive = seen(scope, vec![rule("Watchdog", vec![alert("none", true)])]);
        assert_eq!(alive.is_alive(at(1_010)), Verdict::Ok);
        assert!(
            alive.views().is_empty(),
            "the Watchdog is never a firing alert"
        );
        let plain = seen(AlertScope::default(), vec![rule("X", Vec::new())]);
        assert_eq!(plain.is_alive(at(1_044)), Verdict::Ok);
        assert!(matches!(plain.is_alive(at(1_046)), Verdict::Unknown(_)));
        assert!(matches!(
            seen(AlertScope::default(), Vec::new()).is_alive(at(1)),
            Verdict::Unknown(_)
        ));
    }

    #[test]
    fn m01_a_watchdog_that_fires_and_is_not_evaluated_any_more_is_unknown() {
        let scope = AlertScope {
            watchdog: Some("Watchdog".into()),
            ..AlertScope::default()
        };
        let verdict = |evaluated: Option<i64>, answered: i64| {
            let mut watchdog = rule("Watchdog", vec![alert("none", true)]);
            watchdog.evaluated = evaluated.map(at);
            // What else is evaluated is no proof.
            let mut other = rule("X", Vec::new());
            other.evaluated = Some(at(answered));
            seen(scope.clone(), vec![watchdog, other]).is_alive(at(answered))
        };
        assert_eq!(verdict(Some(1_000), 1_045), Verdict::Ok);
        let stalled = "the Watchdog Watchdog was last evaluated 46 s ago";
        assert_eq!(
            verdict(Some(1_000), 1_046),
            Verdict::Unknown(stalled.into())
        );
        assert_eq!(verdict(Some(1_000), 400), Verdict::Ok, "a clock behind");
        assert_eq!(verdict(None, 9_000), Verdict::Ok, "not told by everybody");
    }

    #[test]
    fn m01_a_rule_that_alone_stands_still_is_told_and_no_slow_or_new_one() {
        let told = |evaluated: Option<i64>, interval: f64, server: Option<i64>| {
            let mut one = rule("X", Vec::new());
            (one.evaluated, one.interval) = (evaluated.map(at), interval);
            let mut alerts = seen(AlertScope::default(), vec![rule("Y", Vec::new()), one]);
            alerts.rules.value.server = server.map(at);
            alerts.broken().map(|it| it.to_string())
        };
        let late = "rule X was not evaluated for 46 s, while others were";
        assert_eq!(told(Some(954), 15.0, None).as_deref(), Some(late));
        assert_eq!(told(Some(955), 15.0, None), None);
        assert_eq!(told(Some(954), 60.0, None), None, "it is seldom evaluated");
        assert_eq!(told(Some(830), 0.0, None), None, "how often is not told");
        assert_eq!(told(None, 15.0, None), None, "it was never evaluated yet");
        let ahead = told(Some(1_300), 15.0, Some(1_005));
        assert_eq!(ahead, None, "by the clock of another ruler");
    }

    #[test]
    fn the_gravest_comes_first_and_silenced_after_firing() {
        let mut alerts = seen(
            AlertScope::default(),
            vec![rule(
                "X",
                vec![
                    alert("warning", true),
                    alert("critical", false),
                    alert("critical", true),
                ],
            )],
        );
        let handled = Handled {
            labels: alert("critical", true)
                .labels
                .with(&"cluster".into(), &"eu".into()),
            silenced_by: vec!["s1".into()],
            inhibited_by: Vec::new(),
        };
        alerts.apply(AlertsSeen::Handling(vec![handled], Vec::new()), Moment(2));
        let order: Vec<_> = (alerts.views().iter())
            .map(|v| {
                (
                    v.standing,
                    v.alert
                        .labels
                        .get("severity")
                        .map(Safe::to_string)
                        .unwrap_or_default(),
                )
            })
            .collect();
        assert_eq!(
            order,
            [
                (Standing::Firing, "warning".to_owned()),
                (Standing::Silenced, "critical".to_owned()),
                (Standing::Pending, "critical".to_owned()),
            ]
        );
    }

    fn handled(cluster: &str, silenced_by: &[&str]) -> Handled {
        Handled {
            labels: (alert("critical", true).labels).with(&"cluster".into(), &cluster.into()),
            silenced_by: silenced_by.iter().map(|id| (*id).into()).collect(),
            inhibited_by: Vec::new(),
        }
    }

    #[test]
    fn m05_a_silence_of_another_prometheus_with_the_same_alert_is_not_ours() {
        let mut alerts = seen(
            AlertScope::default(),
            vec![rule("X", vec![alert("critical", true)])],
        );
        let mut standing = |handled: Vec<Handled>| {
            alerts.apply(AlertsSeen::Handling(handled, Vec::new()), Moment(2));
            let view = &alerts.views()[0];
            (view.standing, view.is_disputed)
        };
        let (quiet, loud) = (handled("us", &["s1"]), handled("eu", &[]));
        assert_eq!(
            standing(vec![quiet.clone(), loud]),
            (Standing::Firing, true)
        );
        let both = vec![quiet.clone(), handled("eu", &["s2"])];
        assert_eq!(standing(both), (Standing::Silenced, false));
        // One without external labels may be ours, or that of a Prometheus that has none.
        let mut own = quiet.clone();
        own.labels = alert("critical", true).labels;
        assert_eq!(standing(vec![own.clone()]), (Standing::Silenced, false));
        let others = vec![handled("us", &[]), own];
        assert_eq!(standing(others), (Standing::Firing, true));
    }

    #[test]
    fn what_fires_is_as_old_as_its_firing_and_no_older_than_the_rule_was_evaluated() {
        let since = |began: i64, is_firing| {
            let mut one = alert("critical", is_firing);
            one.since = Some(at(began));
            let alerts = seen(AlertScope::default(), vec![rule("X", vec![one])]);
            alerts.views()[0].since()
        };
        // Held for 300 s, evaluated at 1,000.
        assert_eq!(since(100, true), Some(at(400)));
        assert_eq!(since(100, false), Some(at(100)), "pending");
        assert_eq!(
            since(900, true),
            Some(at(1_000)),
            "it was held shorter then"
        );
    }

    #[test]
    fn m07_prometheus_own_clock_tells_how_old_an_evaluation_is() {
        let mut estate = Estate::new(crate::estate::pods::tests::scope(), None);
        estate.alerts = Some(seen(
            AlertScope::default(),
            vec![rule("X", vec![alert("warning", true)])],
        ));
        let now = Now {
            wall: at(1_010),
            at: Moment(1),
        };
        let told = |estate: &mut Estate, server: i64| {
            let mut alerts = estate
                .alerts
                .take()
                .unwrap_or_else(|| seen(AlertScope::default(), Vec::new()));
            alerts.rules.value.server = Some(at(server));
            let is_alive = alerts
                .is_alive(estate.monitoring_time(&alerts, now))
                .is_ok();
            let skew = estate.monitoring_skew(&alerts, now);
            estate.alerts = Some(alerts);
            (is_alive, skew.map(|it| it.to_string()))
        };
        assert_eq!(told(&mut estate, 1_012), (true, None));
        let (is_alive, skew) = told(&mut estate, 1_500);
        assert!(!is_alive, "evaluated 500 s ago by its own clock");
        assert!(skew.is_some_and(|it| it.contains("490 s ahead of")));
    }

    #[test]
    fn m01_the_watchdog_lives_in_any_namespace_and_in_no_other_cluster() {
        let scope = AlertScope {
            watchdog: Some("Watchdog".into()),
            ..AlertScope::default()
        };
        let alive = |namespace: &str, cluster: &str| {
            let mut own = alert("none", true);
            own.labels = (own.labels)
                .with(&"namespace".into(), &namespace.into())
                .with(&"cluster".into(), &cluster.into());
            let mut all = RulesSeen {
                rules: vec![rule("Watchdog", vec![own.clone()]), rule("X", vec![own])],
                ..RulesSeen::default()
            };
            let ours = [("namespace", "shop"), ("cluster", "eu")];
            let ours = ours.map(|(key, value)| (key.into(), value.into()));
            all.keep(&ours.into_iter().collect(), scope.watchdog.as_ref());
            let alerts = seen(scope.clone(), all.rules);
            (alerts.is_alive(at(1_010)), alerts.views().len())
        };
        assert_eq!(alive("shop", "eu"), (Verdict::Ok, 1));
        assert_eq!(alive("openshift-monitoring", "eu"), (Verdict::Ok, 0));
        let (verdict, _) = alive("openshift-monitoring", "us");
        assert!(matches!(verdict, Verdict::Unknown(_)));
    }

    #[test]
    fn a_rule_belongs_elsewhere_only_where_a_label_of_its_own_says_so_for_certain() {
        let ours = [("namespace".into(), "shop".into())].into_iter().collect();
        let is_elsewhere = |label: Option<&str>| {
            let mut rule = rule("X", Vec::new());
            let label = label.map(|it| ("namespace".into(), it.into()));
            rule.labels = label.into_iter().collect();
            rule.is_elsewhere(&ours)
        };
        assert!(is_elsewhere(Some("billing")));
        let may_be_ours = [None, Some("shop"), Some("{{ $labels.exported_namespace }}")];
        assert!(!may_be_ours.into_iter().any(is_elsewhere));
    }
}
