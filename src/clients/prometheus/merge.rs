//! Several replicas as one: whatever one of them sees is seen, and the graver word stands.

use std::collections::{BTreeMap, BTreeSet};

use jiff::{SignedDuration, Timestamp};

use super::wire::Seen;
use crate::estate::alerts::{Alert, Rule, RulesSeen, Targets};
use crate::estate::{Labels, Safe};

/// Clocks that differ by more than this are told.
const SKEW: SignedDuration = SignedDuration::from_secs(5);

/// The rules of all, by the clock of the first.
pub(super) fn rules(answers: Vec<RulesSeen>) -> RulesSeen {
    let mut answers = answers.into_iter();
    let mut all = answers.next().unwrap_or_default();
    for mut other in answers {
        let skew = match (all.server, other.server) {
            (Some(here), Some(there)) => there.duration_until(here),
            _ => SignedDuration::ZERO,
        };
        if skew.abs() > SKEW {
            let seconds = skew.abs().as_secs();
            let told = format!("the clocks of the replicas of Prometheus differ by {seconds} s");
            all.gaps.push(Safe::new(&told));
            // Else a replica whose clock is ahead would look alive for as long after its end.
            other.rules.iter_mut().for_each(|rule| shift(rule, skew));
        }
        all.warnings.append(&mut other.warnings);
        all.rules = union(all.rules, other.rules);
    }
    all
}

fn shift(rule: &mut Rule, by: SignedDuration) {
    let shifted = |time: Timestamp| time.checked_add(by).unwrap_or(time);
    rule.evaluated = rule.evaluated.map(shifted);
    for alert in &mut rule.alerts {
        alert.since = alert.since.map(shifted);
    }
}

/// Two rules are the same where all that is configured of them is; their file may differ.
fn union(ours: Vec<Rule>, theirs: Vec<Rule>) -> Vec<Rule> {
    let key = |rule: &Rule| {
        let (name, group) = (rule.name.clone(), rule.group.clone());
        (group, name, rule.expression.clone(), rule.hold.to_bits())
    };
    // A key may stand twice in one replica, with other labels: the nth is merged with the nth.
    let mut places: BTreeMap<_, Vec<usize>> = BTreeMap::new();
    for (place, rule) in ours.iter().enumerate().rev() {
        places.entry(key(rule)).or_default().push(place);
    }
    let mut all = ours;
    for rule in theirs {
        match places.get_mut(&key(&rule)).and_then(Vec::pop) {
            Some(place) => fold(&mut all[place], rule),
            None => all.push(rule),
        }
    }
    all
}

fn fold(rule: &mut Rule, other: Rule) {
    if health_rank(&other.health) > health_rank(&rule.health) {
        rule.health = other.health;
    }
    rule.error = rule.error.take().or(other.error);
    rule.evaluated = rule.evaluated.max(other.evaluated);
    let mut alerts: BTreeMap<Labels, Alert> = BTreeMap::new();
    for alert in std::mem::take(&mut rule.alerts)
        .into_iter()
        .chain(other.alerts)
    {
        match alerts.get_mut(&alert.labels) {
            None => drop(alerts.insert(alert.labels.clone(), alert)),
            Some(had) => {
                let since = [had.since, alert.since].into_iter().flatten().min();
                if alert.is_firing && !had.is_firing {
                    *had = alert;
                }
                had.since = since;
            }
        }
    }
    rule.alerts = alerts.into_values().collect();
}

fn health_rank(health: &str) -> u8 {
    match health {
        "ok" => 0,
        "err" => 2,
        _ => 1,
    }
}

/// The targets of all: down where one cannot scrape it.
pub(super) fn targets(answers: Vec<Seen>) -> Targets {
    let (mut up, mut down) = (BTreeSet::new(), BTreeMap::new());
    for seen in answers {
        up.extend(seen.up);
        for (job, instance, why) in seen.down {
            down.entry((job, instance)).or_insert(why);
        }
    }
    up.retain(|place| !down.contains_key(place));
    let down = down
        .into_iter()
        .map(|((job, instance), why)| (job, instance, why));
    Targets {
        up: up.len(),
        down: down.collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rule(health: &str, evaluated: i64, alerts: Vec<Alert>) -> Rule {
        Rule {
            name: "X".into(),
            group: "g".into(),
            health: health.into(),
            error: None,
            evaluated: Timestamp::from_second(evaluated).ok(),
            interval: 15.0,
            expression: "up".into(),
            hold: 0.0,
            labels: Labels::default(),
            alerts,
        }
    }

    fn alert(colour: &str, is_firing: bool, since: i64) -> Alert {
        Alert {
            labels: [("colour".into(), colour.into())].into_iter().collect(),
            annotations: Labels::default(),
            is_firing,
            since: Timestamp::from_second(since).ok(),
            value: "1".into(),
        }
    }

    fn seen(server: i64, rules: Vec<Rule>) -> RulesSeen {
        RulesSeen {
            rules,
            warnings: Vec::new(),
            gaps: Vec::new(),
            server: Timestamp::from_second(server).ok(),
        }
    }

    #[test]
    fn what_one_replica_sees_is_seen_once() {
        let one = rule(
            "ok",
            100,
            vec![alert("green", false, 50), alert("blue", true, 60)],
        );
        let two = rule("err", 90, vec![alert("green", true, 70)]);
        let all = rules(vec![seen(101, vec![one]), seen(102, vec![two])]);
        let [merged] = &all.rules[..] else {
            unreachable!("one rule: {all:?}")
        };
        assert_eq!(merged.health.as_str(), "err");
        assert_eq!(merged.evaluated, Timestamp::from_second(100).ok());
        assert_eq!(
            merged.alerts,
            [alert("blue", true, 60), alert("green", true, 50)]
        );
        assert!(all.warnings.is_empty() && all.gaps.is_empty());
    }

    #[test]
    fn m07_a_replica_whose_clock_is_ahead_does_not_look_alive_for_longer() {
        let (now, ahead) = (1_000, 1_300);
        // Its rules were last evaluated 200 s ago, by its own clock.
        let stuck = seen(ahead, vec![rule("ok", ahead - 200, Vec::new())]);
        let all = rules(vec![seen(now, Vec::new()), stuck]);
        assert_eq!(
            all.rules[0].evaluated,
            Timestamp::from_second(now - 200).ok()
        );
        assert!(all.gaps[0].contains("300 s"), "{:?}", all.gaps);
    }

    #[test]
    fn a_rule_that_stands_twice_stays_twice() {
        let twice = || {
            seen(
                1,
                vec![rule("ok", 1, Vec::new()), rule("ok", 1, Vec::new())],
            )
        };
        assert_eq!(rules(vec![twice(), twice()]).rules.len(), 2);
    }

    #[test]
    fn a_target_is_down_where_one_replica_cannot_scrape_it() {
        let place = || ("job".into(), "a:1".into());
        let one = Seen {
            up: vec![place(), ("job".into(), "b:1".into())],
            down: Vec::new(),
        };
        let two = Seen {
            up: Vec::new(),
            down: vec![("job".into(), "a:1".into(), "refused".into())],
        };
        let all = targets(vec![one, two]);
        assert_eq!((all.up, all.down.len()), (1, 1));
    }
}
