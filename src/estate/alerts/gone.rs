//! Alerts that were seen to end. Prometheus' own history tells of them minutes later, and of short ones often not at all:
//! what brought traffic back may have fired for less than the time between two looks.

use jiff::Timestamp;

use super::{Alerts, Rule, RulesSeen, fires_since};
use crate::estate::spells::{MOST, STEP_SECONDS, Spell};
use crate::estate::{Feed, Moment};

/// The longest time between two answers, in milliseconds, after which it is still known when an alert ended.
const NEAR_MS: u64 = 120_000;

/// Those that fired by the last answer, and do not by the `new` one.
pub(super) fn gone(old: &Feed<RulesSeen>, new: &RulesSeen, at: Moment) -> Vec<Spell> {
    let seen = old.seen.is_some_and(|seen| at.since(seen) <= NEAR_MS);
    // Another replica, or a part of an answer, may lack what fires.
    let is_whole = |it: &RulesSeen| it.warnings.is_empty() && it.gaps.is_empty();
    let whole = is_whole(&old.value) && is_whole(new);
    let Some(to) = new.server.filter(|_| seen && whole) else {
        return Vec::new();
    };
    let mut all = Vec::new();
    for (place, rule) in old.value.rules.iter().enumerate() {
        let is_it = |it: &&Rule| (&it.name, &it.group) == (&rule.name, &rule.group);
        let there = (new.rules.get(place).filter(is_it)).or_else(|| new.rules.iter().find(is_it));
        let now = there.map_or(&[][..], |rule| &rule.alerts);
        for (place, alert) in rule.alerts.iter().enumerate() {
            let goes_on = |labels| labels == &alert.labels;
            let same = now.get(place).filter(|it| goes_on(&it.labels));
            let same = same.or_else(|| now.iter().find(|it| goes_on(&it.labels)));
            if alert.is_firing && !same.is_some_and(|it| it.is_firing) {
                let from = fires_since(rule, alert).map(|from| from.min(to));
                let labels = alert.labels.clone();
                all.push(Spell { labels, from, to });
            }
        }
    }
    all
}

impl Alerts {
    /// Alerts that are over, and whether it is known to the second when: those that were seen to end, and what
    /// Prometheus' history has besides.
    pub fn ended(&self) -> impl Iterator<Item = (&Spell, bool)> {
        let is_seen = |spell: &&Spell| {
            let same = |it: &&Spell| it.labels == spell.labels && overlap(it, spell);
            let seen = || self.gone.iter().filter(same);
            let step = i64::from(2 * STEP_SECONDS);
            let first = seen().filter_map(|it| it.from).min();
            let begins = spell.from.is_none_or(|from| {
                first.is_some_and(|first| first.as_second() <= from.as_second() + step)
            });
            begins && seen().any(|it| it.to.as_second() + step >= spell.to.as_second())
        };
        let told = self.spells.value.ended();
        let told = told.filter(move |spell| !is_seen(spell));
        (self.gone.iter().map(|it| (it, true))).chain(told.map(|it| (it, false)))
    }

    /// Keeps the newest of those that were seen to end.
    pub(super) fn keep_gone(&mut self, gone: Vec<Spell>) {
        self.gone.splice(0..0, gone);
        self.gone.truncate(MOST);
    }
}

/// Whether both are of the same time, but for what lies between two looks.
fn overlap(seen: &Spell, told: &Spell) -> bool {
    let step = i64::from(STEP_SECONDS);
    let from = |at: Option<Timestamp>| at.map_or(i64::MIN, Timestamp::as_second);
    from(seen.from) <= told.to.as_second().saturating_add(step)
        && from(told.from) <= seen.to.as_second().saturating_add(step)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::estate::Labels;
    use crate::estate::alerts::{Alert, AlertScope, AlertsSeen};
    use crate::estate::spells::Spells;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap_or(Timestamp::UNIX_EPOCH)
    }

    fn named(name: &str) -> Labels {
        [("alertname".into(), name.into())].into_iter().collect()
    }

    /// An answer at that second, in which these alerts fire since second 1,000.
    fn answer(second: i64, firing: &[&str]) -> RulesSeen {
        let alert = |name: &&str| Alert {
            labels: named(name),
            annotations: Labels::default(),
            is_firing: true,
            since: Some(at(1_000)),
            value: "1".into(),
        };
        let rule = Rule {
            name: "X".into(),
            group: "g".into(),
            health: "ok".into(),
            error: None,
            evaluated: Some(at(second)),
            interval: 15.0,
            expression: "up".into(),
            hold: 0.0,
            labels: Labels::default(),
            alerts: firing.iter().map(alert).collect(),
        };
        RulesSeen {
            rules: vec![rule],
            server: Some(at(second)),
            ..RulesSeen::default()
        }
    }

    fn told(alerts: &Alerts) -> Vec<(String, Option<i64>, i64, bool)> {
        let words = |labels: &Labels| labels.get("alertname").map(ToString::to_string);
        let told = alerts.ended().map(|(spell, is_exact)| {
            let name = words(&spell.labels).unwrap_or_default();
            let from = spell.from.map(Timestamp::as_second);
            (name, from, spell.to.as_second(), is_exact)
        });
        told.collect()
    }

    fn heard(answers: Vec<(RulesSeen, u64)>) -> Alerts {
        let mut alerts = Alerts::new(AlertScope::default());
        for (answer, at) in answers {
            alerts.apply(AlertsSeen::Rules(answer), Moment(at));
        }
        alerts
    }

    #[test]
    fn an_alert_that_was_seen_to_end_is_told_at_once_and_to_the_second() {
        let alerts = heard(vec![
            (answer(1_010, &["a", "b"]), 10_000),
            (answer(1_020, &["b"]), 20_000),
        ]);
        assert_eq!(told(&alerts), [("a".into(), Some(1_000), 1_020, true)]);
    }

    #[test]
    fn an_answer_that_is_partial_or_comes_late_ends_none() {
        let mut partial = answer(1_020, &[]);
        partial.warnings.push("a replica did not answer".into());
        let mut gap = answer(1_020, &[]);
        gap.gaps.push("prometheus-1 refuses connections".into());
        for (second, seen_at) in [
            (partial, 20_000),
            (gap, 20_000),
            (answer(1_400, &[]), 400_000),
        ] {
            let alerts = heard(vec![(answer(1_010, &["a"]), 10_000), (second, seen_at)]);
            assert_eq!(told(&alerts), []);
        }
    }

    #[test]
    fn what_history_tells_of_the_same_time_is_told_once() {
        let mut alerts = heard(vec![
            (answer(1_030, &["a"]), 10_000),
            (answer(1_040, &[]), 20_000),
        ]);
        let spell = |name: &str, from: i64, to: i64| Spell {
            labels: named(name),
            from: Some(at(from)),
            to: at(to),
        };
        let history = vec![
            spell("a", 1_020, 1_020),
            spell("a", 400, 520),
            spell("b", 900, 1_020),
        ];
        let spells = Spells::of(history, Some(at(2_000)), Vec::new());
        alerts.apply(AlertsSeen::Spells(spells), Moment(30_000));
        let expected = [
            ("a".into(), Some(1_000), 1_040, true),
            ("b".into(), Some(900), 1_020, false),
            ("a".into(), Some(400), 520, false),
        ];
        assert_eq!(told(&alerts), expected);
    }
}
