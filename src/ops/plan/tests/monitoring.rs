//! Gates of monitoring: what they say before a flip, and what counts as proof after it.

use super::*;
use crate::estate::Fault;
use crate::estate::FaultKind;
use crate::estate::Safe;
use crate::estate::alerts::{
    Alert, AlertScope, Alerts, AlertsSeen, Handled, Rule, RulesSeen, Silence,
};
use crate::estate::gates::{GateScope, Query, Quiet, Reading, Traffic};
use crate::ops::plan::{Soaked, open, soaked};

pub(super) fn scope() -> AlertScope {
    AlertScope {
        watchdog: Some("Watchdog".into()),
        colour_label: Some("colour".into()),
        service_label: Some("service".into()),
        alertmanager: Some("here".into()),
        belongs: Labels::default(),
        gates: GateScope::default(),
    }
}

fn query(quiet: Option<Quiet>) -> Query {
    Query {
        name: "errors".into(),
        expression: "errors{colour=\"$colour\"}[1m]".into(),
        below: Some(0.05),
        above: None,
        traffic: quiet.map(|quiet| Traffic {
            expression: "requests{colour=\"$colour\"}".into(),
            least: 100.0,
            quiet,
        }),
    }
}

fn with_query(quiet: Option<Quiet>) -> AlertScope {
    let mut scope = scope();
    scope.gates.queries.push(query(quiet));
    scope
}

fn rule(name: &str, severity: &str, alerts: Vec<Alert>) -> Rule {
    Rule {
        name: name.into(),
        group: "g".into(),
        health: "ok".into(),
        error: None,
        evaluated: Some(now(AT).wall),
        interval: 15.0,
        expression: "rate(x[1m]) > 1".into(),
        hold: 30.0,
        labels: labels(&[("severity", severity)]),
        alerts,
    }
}

fn alert(name: &str, severity: &str, more: &[(&str, &str)]) -> Alert {
    let own = [("alertname", name), ("severity", severity)];
    Alert {
        labels: labels(&[&own[..], more].concat()),
        annotations: Labels::default(),
        is_firing: true,
        since: Some(now(AT).wall - jiff::SignedDuration::from_secs(600)),
        value: "0.31".into(),
    }
}

fn ago(seconds: i64) -> Option<jiff::Timestamp> {
    Some(now(AT).wall - jiff::SignedDuration::from_secs(seconds))
}

fn watchdog() -> Rule {
    rule("Watchdog", "none", vec![alert("Watchdog", "none", &[])])
}

/// Alerts as seen: the Watchdog and these rules.
pub(super) fn seen(scope: AlertScope, rules: Vec<Rule>) -> Alerts {
    let mut alerts = Alerts::new(scope);
    let rules = [vec![watchdog()], rules].concat();
    let rules = RulesSeen {
        rules,
        server: Some(now(AT).wall),
        ..RulesSeen::default()
    };
    alerts.apply(AlertsSeen::Rules(rules), now(AT).at);
    alerts.apply(AlertsSeen::Handling(Vec::new(), Vec::new()), now(AT).at);
    alerts
}

fn errors(severity: &str, more: &[(&str, &str)]) -> Rule {
    let name = "HighErrorRate";
    rule(name, severity, vec![alert(name, severity, more)])
}

fn estate(alerts: Alerts) -> Estate {
    let mut estate = parts().estate();
    estate.scope.soak.watch_s = 120;
    estate.alerts = Some(alerts);
    estate
}

fn cutover(alerts: Alerts) -> Result<Plan, Refusal> {
    check(&request(Cutover), &estate(alerts), now(AT))
}

/// A critical alert about GREEN.
pub(super) fn errors_fire() -> Rule {
    errors("critical", &[("colour", "green")])
}

/// A cutover under a policy that says so, with a soak of 120 s by configuration.
pub(super) fn cutover_under(
    alerts: Option<Alerts>,
    pairs: &[(&str, &str)],
) -> Result<Plan, Refusal> {
    let mut estate = match pairs {
        [] => parts().estate(),
        pairs => under(parts(), pairs),
    };
    estate.scope.soak.watch_s = 120;
    estate.alerts = alerts;
    estate.tighten();
    check(&request(Cutover), &estate, now(AT))
}

/// What the gate of that id found, and its words.
#[track_caller]
pub(super) fn gate(plan: &Plan, id: &str) -> (Finding, String) {
    let gate = plan.gates.iter().find(|gate| gate.id().as_str() == id);
    let gate = gate.unwrap_or_else(|| panic!("no {id} in {:#?}", plan.gates));
    (gate.finding, gate.said.to_string())
}

#[track_caller]
fn refused_by(alerts: Alerts, id: &str) -> (RefusalKind, Plan) {
    let refusal = cutover(alerts).expect_err("it is allowed");
    assert!(refusal.why.starts_with(id), "{}", refusal.why);
    (refusal.kind, *refusal.plan.unwrap())
}

fn read(alerts: &mut Alerts, value: Result<f64, &str>, requests: Option<f64>) {
    let reading = Reading {
        gate: "errors".into(),
        colour: Some("green".into()),
        value: value.map_err(Safe::from),
        requests: requests.map(Ok),
    };
    alerts.apply(AlertsSeen::Read(reading), now(AT).at);
}

#[test]
fn an_alert_about_the_colour_or_about_everything_stops_a_cutover_and_is_named() {
    for about in [&[("colour", "green")][..], &[][..]] {
        let alerts = seen(scope(), vec![errors("critical", about)]);
        let (kind, plan) = refused_by(alerts, "alert:HighErrorRate: fires: critical");
        assert_eq!(kind, RefusalKind::Gate);
        assert_eq!(gate(&plan, "alert:HighErrorRate").0, Finding::Bad);
        assert!(gate(&plan, "alert:HighErrorRate").1.contains("value 0.31"));
    }
}

#[test]
fn an_alert_that_is_silenced_lesser_or_of_the_colour_that_is_left_is_no_obstacle() {
    let plan = cutover(seen(scope(), vec![errors("warning", &[])])).unwrap();
    assert_eq!(gate(&plan, "alerts").0, Finding::Ok, "not of that severity");
    let left = seen(scope(), vec![errors("critical", &[("colour", "blue")])]);
    let plan = cutover(left).unwrap();
    let (finding, said) = gate(&plan, "alert:HighErrorRate");
    assert_eq!(finding, Finding::Noted);
    assert!(said.contains("traffic leaves"), "{said}");
    let mut alerts = seen(scope(), vec![errors("critical", &[])]);
    let handled = Handled {
        labels: alert("HighErrorRate", "critical", &[("cluster", "eu")]).labels,
        silenced_by: vec!["s1".into()],
        inhibited_by: Vec::new(),
    };
    let silence = Silence {
        id: "s1".into(),
        matchers: Vec::new(),
        author: "bob".into(),
        comment: "ticket 12".into(),
        starts: None,
        ends: None,
    };
    alerts.apply(
        AlertsSeen::Handling(vec![handled], vec![silence]),
        now(AT).at,
    );
    let (finding, said) = gate(&cutover(alerts).unwrap(), "alert:HighErrorRate");
    assert_eq!(finding, Finding::Noted);
    assert!(said.contains("silenced by bob: ticket 12"), "{said}");
}

#[test]
fn i_12_monitoring_that_is_away_stale_or_dead_closes_the_gate() {
    let away = Fault {
        kind: FaultKind::Unreachable,
        what: "connection refused".into(),
    };
    let mut alerts = seen(scope(), Vec::new());
    alerts.apply(AlertsSeen::RulesFailed(away), now(AT).at);
    let (kind, _) = refused_by(alerts, "monitoring: connection refused");
    assert_eq!(kind, RefusalKind::Unknown);
    let mut silent = estate(seen(scope(), Vec::new()));
    for kind in Kind::ALL {
        silent.apply(Seen::Opened(kind), now(AT + 30_000));
    }
    let refusal = check(&request(Cutover), &silent, now(AT + 30_000)).unwrap_err();
    assert!(
        refusal.why.contains("last answered 30 s ago"),
        "{}",
        refusal.why
    );
    let mut dead = Alerts::new(scope());
    dead.apply(AlertsSeen::Rules(RulesSeen::default()), now(AT).at);
    refused_by(dead, "monitoring: the Watchdog");
    let never = Alerts::new(scope());
    refused_by(never, "monitoring: no answer yet");
    // It goes on to say that its Watchdog fires.
    let mut stalled = seen(scope(), Vec::new());
    stalled.rules.value.rules[0].evaluated = ago(46);
    refused_by(
        stalled,
        "monitoring: the Watchdog Watchdog was last evaluated 46 s ago",
    );
    let mut alone = rule("HighErrorRate", "critical", Vec::new());
    alone.evaluated = ago(46);
    let alone = seen(scope(), vec![alone]);
    let (kind, _) = refused_by(
        alone.clone(),
        "rule:HighErrorRate: was not evaluated for 46 s",
    );
    assert_eq!(kind, RefusalKind::Unknown);
    let plan = cutover(seen(scope(), Vec::new())).unwrap();
    let holds = soaked(&plan, &estate(alone), now(AT));
    assert!(matches!(holds, Soaked::Unknown(_)), "{holds:?}");
    let mut broken = errors("critical", &[]);
    (broken.health, broken.error, broken.alerts) =
        ("err".into(), Some("many-to-many".into()), Vec::new());
    broken.labels = broken.labels.with(&"namespace".into(), &"billing".into());
    refused_by(
        seen(scope(), vec![broken.clone()]),
        "rule:HighErrorRate: cannot be evaluated",
    );
    // Its alerts would be another environment's.
    let ours = AlertScope {
        belongs: labels(&[("namespace", "shop")]),
        ..scope()
    };
    assert!(cutover(seen(ours, vec![broken])).is_ok());
}

#[test]
fn m02_a_partial_answer_is_unknown_and_a_replica_that_is_missing_beside_a_whole_one_is_noted() {
    let mut partial = seen(scope(), Vec::new());
    partial.rules.value.warnings.push("no store".into());
    let (kind, _) = refused_by(partial.clone(), "monitoring: partial: no store");
    assert_eq!(kind, RefusalKind::Unknown);
    let mut missing = seen(scope(), Vec::new());
    missing.rules.value.gaps.push("one of 2 is missing".into());
    let plan = cutover(missing.clone()).unwrap();
    let (finding, said) = gate(&plan, "monitoring");
    assert_eq!(
        (finding, said.as_str()),
        (Finding::Noted, "alive, but one of 2 is missing")
    );
    for (alerts, is_known) in [(partial, false), (missing, true)] {
        let estate = estate(alerts);
        let soak = soaked(&plan, &estate, now(AT));
        assert_eq!(matches!(soak, Soaked::Well(_)), is_known, "{soak:?}");
        assert_eq!(matches!(soak, Soaked::Unknown(_)), !is_known, "{soak:?}");
        // `status` says the same.
        let checks = estate.checks(now(AT));
        let of = checks.iter().find(|check| check.name == "monitoring");
        assert_eq!(of.map(|it| it.verdict.is_ok()), Some(is_known));
    }
}

#[test]
fn i_24_neither_alerts_nor_a_prometheus_that_is_away_stand_before_a_rollback() {
    let fires = estate(seen(scope(), vec![errors("critical", &[])]));
    let never = estate(Alerts::new(scope()));
    for estate in [fires, never] {
        let plan = check(&request(Rollback), &estate, now(AT)).unwrap();
        let of = |gate: &&Gate| super::super::monitoring::is_of_monitoring(&gate.name);
        assert_eq!(plan.gates.iter().find(of), None);
    }
}

#[test]
fn without_a_prometheus_the_plan_says_that_no_alert_stops_it() {
    let plan = asked(Cutover, parts()).unwrap();
    let (finding, said) = gate(&plan, "monitoring");
    assert_eq!(finding, Finding::Noted);
    assert!(said.contains("no Prometheus is configured"), "{said}");
}

#[test]
fn i_9_nan_no_data_and_errors_are_unknown_and_no_go() {
    for why in ["NaN is no number", "no data", "connection refused"] {
        let mut alerts = seen(with_query(None), Vec::new());
        read(&mut alerts, Err(why), None);
        let (kind, _) = refused_by(alerts, &format!("query:errors: {why}"));
        assert_eq!(kind, RefusalKind::Unknown);
    }
    let unasked = seen(with_query(None), Vec::new());
    refused_by(unasked, "query:errors: not asked yet");
    let mut bad = seen(with_query(None), Vec::new());
    read(&mut bad, Ok(0.31), None);
    let (kind, _) = refused_by(bad, "query:errors: 0.31, to be below 0.05");
    assert_eq!(kind, RefusalKind::Gate);
    let mut good = seen(with_query(None), Vec::new());
    read(&mut good, Ok(0.012), None);
    let (finding, said) = gate(&cutover(good).unwrap(), "query:errors");
    assert_eq!(
        (finding, said.as_str()),
        (Finding::Ok, "0.012, to be below 0.05")
    );
}

#[test]
fn i_9_too_little_traffic_follows_the_policy_and_is_said() {
    let asked = |quiet| {
        let mut alerts = seen(with_query(Some(quiet)), Vec::new());
        // What so few requests give means nothing, whatever it is.
        read(&mut alerts, Err("NaN is no number"), Some(3.0));
        alerts
    };
    let (kind, _) = refused_by(asked(Quiet::Hold), "query:errors: too little traffic");
    assert_eq!(kind, RefusalKind::Unknown);
    for quiet in [Quiet::Extend, Quiet::Pass] {
        let (finding, said) = gate(&cutover(asked(quiet)).unwrap(), "query:errors");
        assert_eq!(finding, Finding::Noted);
        assert!(said.contains("3 of 100 requests"), "{said}");
    }
    let plan = cutover(asked(Quiet::Extend)).unwrap();
    let waits = soaked(&plan, &estate(asked(Quiet::Extend)), now(AT));
    assert!(matches!(waits, Soaked::Waiting(_)), "{waits:?}");
    let passes = soaked(&plan, &estate(asked(Quiet::Pass)), now(AT));
    assert!(matches!(passes, Soaked::Well(_)), "{passes:?}");
    let holds = soaked(&plan, &estate(asked(Quiet::Hold)), now(AT));
    assert!(matches!(holds, Soaked::Unknown(_)), "{holds:?}");
}

#[test]
fn i_10_a_soak_that_is_too_short_says_what_it_cannot_see() {
    let rules = || vec![rule("HighErrorRate", "critical", Vec::new())];
    let plan = cutover(seen(scope(), rules())).unwrap();
    assert_eq!(gate(&plan, "soak").0, Finding::Ok, "60 + 30 + 2 × 15 s fit");
    let mut short = estate(seen(scope(), rules()));
    short.scope.soak.watch_s = 60;
    let plan = check(&request(Cutover), &short, now(AT)).unwrap();
    let (finding, said) = gate(&plan, "soak");
    assert_eq!(finding, Finding::Noted);
    assert!(
        said.contains("60 s cannot see HighErrorRate, which needs 120 s"),
        "{said}"
    );
    // Where nobody says how long, it is as long as that.
    short.scope.soak.is_unsaid = true;
    let plan = check(&request(Cutover), &short, now(AT)).unwrap();
    assert_eq!(
        (plan.soak.watch_s, gate(&plan, "soak").0),
        (120, Finding::Ok)
    );
    // A rule that looks back for hours is named, and not waited for.
    let mut slow = rules();
    slow[0].hold = 7_200.0;
    let mut slow = estate(seen(scope(), slow));
    (slow.scope.soak.watch_s, slow.scope.soak.is_unsaid) = (30, true);
    let plan = check(&request(Cutover), &slow, now(AT)).unwrap();
    assert_eq!(
        (plan.soak.watch_s, gate(&plan, "soak").0),
        (900, Finding::Noted)
    );
    let none = cutover(seen(scope(), Vec::new())).unwrap();
    assert!(gate(&none, "soak").1.contains("no rule says that it gives"));
}

#[test]
fn i_27_an_alert_that_fired_before_is_no_proof_and_a_new_or_graver_one_is() {
    let before = vec![
        errors("critical", &[("service", "api")]),
        rule("Slow", "critical", Vec::new()),
    ];
    let overridden = Request {
        overrides: [("alert:HighErrorRate".into(), "known".into())].into(),
        ..request(Cutover)
    };
    let plan = check(&overridden, &estate(seen(scope(), before.clone())), now(AT)).unwrap();
    let said = |rules| soaked(&plan, &estate(seen(scope(), rules)), now(AT));
    assert!(matches!(said(before), Soaked::Well(_)), "it fired before");
    let lesser = vec![errors("error", &[("service", "api")])];
    assert!(matches!(said(lesser), Soaked::Well(_)), "it is no gate");
    let new = vec![errors("critical", &[("service", "web")])];
    let Soaked::Bad(why) = said(new) else {
        panic!("a new series")
    };
    assert!(why.contains("HighErrorRate fires: critical web"), "{why}");
    let left = vec![errors("critical", &[("colour", "blue")])];
    assert!(matches!(said(left), Soaked::Well(_)), "about what was left");
    // Before, the same series was an error; it is graver now.
    let mut both = scope();
    let word = |word: &str| -> Safe { word.into() };
    both.gates.alerts[0].0 = [(word("severity"), vec![word("error"), word("critical")])].into();
    let error = vec![errors("error", &[("service", "api")])];
    let plan = check(&overridden, &estate(seen(both.clone(), error)), now(AT)).unwrap();
    let graver = vec![errors("critical", &[("service", "api")])];
    let graver = soaked(&plan, &estate(seen(both, graver)), now(AT));
    assert!(matches!(graver, Soaked::Bad(_)), "{graver:?}");
}

#[test]
fn i_27_where_monitoring_was_passed_over_what_fires_later_is_neither_proof_nor_calm() {
    let blind = |more: &[&str]| Request {
        overrides: (more.iter().chain(&["monitoring"]))
            .map(|gate| (Safe::new(gate), "it is away".into()))
            .collect(),
        ..request(Cutover)
    };
    let away = estate(Alerts::new(scope()));
    let plan = check(&blind(&[]), &away, now(AT)).unwrap();
    assert_eq!(plan.fired, None);
    let said = |plan: &Plan, colour: &str| {
        let rule = errors("critical", &[("colour", colour)]);
        soaked(plan, &estate(seen(scope(), vec![rule])), now(AT))
    };
    // A Prometheus that starts anew has forgotten since when it fires.
    let unsure = said(&plan, "green");
    assert!(
        matches!(&unsure, Soaked::Unknown(why) if why.contains("before traffic moved is not known")),
        "{unsure:?}"
    );
    let left = said(&plan, "blue");
    assert!(matches!(left, Soaked::Well(_)), "{left:?}");
    // Somebody who knew of it said so when nothing else was known.
    let known = check(&blind(&["alert:HighErrorRate"]), &away, now(AT)).unwrap();
    let known = said(&known, "green");
    assert!(matches!(known, Soaked::Well(_)), "{known:?}");
}

#[test]
fn rule_6_a_silence_that_only_a_stale_alertmanager_tells_of_keeps_nothing_quiet() {
    let handled = Handled {
        labels: errors_fire().alerts[0].labels.clone(),
        silenced_by: vec!["s1".into()],
        inhibited_by: Vec::new(),
    };
    let later = now(AT + 120_000);
    let mut stale = seen(scope(), vec![errors_fire()]);
    let handling = || AlertsSeen::Handling(vec![handled.clone()], Vec::new());
    stale.apply(handling(), now(AT).at);
    let mut rule = errors_fire();
    rule.evaluated = Some(later.wall);
    let mut watchdog = watchdog();
    watchdog.evaluated = Some(later.wall);
    let fresh = RulesSeen {
        rules: vec![watchdog, rule],
        server: Some(later.wall),
        ..RulesSeen::default()
    };
    stale.apply(AlertsSeen::Rules(fresh), later.at);
    let judged = |alerts: &Alerts| {
        let estate = estate(alerts.clone());
        let switch = estate.scope.traffic.clone().unwrap();
        let gates = super::super::monitoring::gates(&estate, &switch, 1, later);
        let mut gates = gates.into_iter();
        gates.find(|gate| gate.name.as_str() == "alert").unwrap()
    };
    let gate = judged(&stale);
    assert_eq!(gate.finding, Finding::Bad);
    assert!(
        gate.said.contains("whether it still is is not known"),
        "{}",
        gate.said
    );
    let plan = cutover(seen(scope(), Vec::new())).unwrap();
    let soak = soaked(&plan, &estate(stale.clone()), later);
    assert!(
        matches!(&soak, Soaked::Unknown(why) if why.contains("still quiet")),
        "{soak:?}"
    );
    // Told again, it is quiet.
    stale.apply(handling(), later.at);
    assert_eq!(judged(&stale).finding, Finding::Noted);
    let soak = soaked(&plan, &estate(stale), later);
    assert!(matches!(soak, Soaked::Well(_)), "{soak:?}");
}

#[test]
fn i_27_an_alert_that_a_silence_may_be_waiting_for_is_unknown_until_that_is_told() {
    let plan = cutover(seen(scope(), Vec::new())).unwrap();
    let mut fresh = errors("critical", &[]);
    fresh.alerts[0].since = Some(now(AT).wall - jiff::SignedDuration::from_secs(32));
    let unsure = soaked(&plan, &estate(seen(scope(), vec![fresh.clone()])), now(AT));
    assert!(
        matches!(&unsure, Soaked::Unknown(why) if why.contains("silenced")),
        "{unsure:?}"
    );
    let mut told = seen(scope(), vec![fresh.clone()]);
    let handled = |by: &[&str]| Handled {
        labels: fresh.alerts[0].labels.clone(),
        silenced_by: by.iter().map(|id| (*id).into()).collect(),
        inhibited_by: Vec::new(),
    };
    told.apply(
        AlertsSeen::Handling(vec![handled(&[])], Vec::new()),
        now(AT).at,
    );
    assert!(matches!(
        soaked(&plan, &estate(told.clone()), now(AT)),
        Soaked::Bad(_)
    ));
    told.apply(
        AlertsSeen::Handling(vec![handled(&["s1"])], Vec::new()),
        now(AT).at,
    );
    assert!(matches!(
        soaked(&plan, &estate(told), now(AT)),
        Soaked::Well(_)
    ));
}

#[test]
fn i_25_what_is_stale_is_no_evidence_and_a_prometheus_that_is_away_is_unknown() {
    let plan = cutover(seen(scope(), Vec::new())).unwrap();
    let fires = estate(seen(scope(), vec![errors("critical", &[])]));
    assert!(matches!(soaked(&plan, &fires, now(AT)), Soaked::Bad(_)));
    let later = soaked(&plan, &fires, now(AT + 30_000));
    assert!(matches!(later, Soaked::Unknown(_)), "{later:?}");
    let mut elsewhere = parts().estate();
    elsewhere.alerts = None;
    let blind = soaked(&plan, &elsewhere, now(AT));
    assert!(
        matches!(&blind, Soaked::Unknown(why) if why.contains("on this bastion")),
        "{blind:?}"
    );
}

#[test]
fn i_12_the_gates_are_asked_again_when_the_first_service_is_about_to_be_flipped() {
    let plan = cutover(seen(scope(), Vec::new())).unwrap();
    let well = estate(seen(scope(), Vec::new()));
    assert_eq!(open(&plan, &well, now(AT)), Ok(()));
    let fires = estate(seen(scope(), vec![errors("critical", &[])]));
    assert!(
        open(&plan, &fires, now(AT))
            .unwrap_err()
            .contains("HighErrorRate")
    );
    let gone = estate(Alerts::new(scope()));
    assert!(
        open(&plan, &gone, now(AT))
            .unwrap_err()
            .contains("monitoring")
    );
}

#[test]
fn i_1_only_what_monitoring_says_can_be_overridden_and_with_a_reason() {
    let overriding = |gate: &str| Request {
        overrides: [(gate.into(), "drill".into())].into(),
        ..request(Cutover)
    };
    let fires = || estate(seen(scope(), vec![errors("critical", &[])]));
    let plan = check(&overriding("alert:HighErrorRate"), &fires(), now(AT)).unwrap();
    let overridden: Vec<_> = plan.overridden.iter().collect();
    assert_eq!(
        overridden,
        [(&"alert:HighErrorRate".into(), &"drill".into())]
    );
    assert_eq!(
        gate(&plan, "alert:HighErrorRate").0,
        Finding::Bad,
        "it stays what it is"
    );
    assert!(check(&overriding("alert:Other"), &fires(), now(AT)).is_err());
    let mut nobody = parts();
    nobody.pods.retain(|pod| {
        pod.labels
            .get("version")
            .is_some_and(|v| v.as_str() == "blue")
    });
    let refusal = check(&overriding("match"), &nobody.estate(), now(AT)).unwrap_err();
    assert!(
        refusal.why.contains("may not be overridden"),
        "{}",
        refusal.why
    );
    let both = check(&request(Cutover), &fires(), now(AT))
        .unwrap_err()
        .plan
        .unwrap();
    assert_eq!(both.overridable(), Some(vec!["alert:HighErrorRate".into()]));
}

#[test]
fn o03_an_alert_that_begins_to_fire_voids_the_confirmation() {
    let before = cutover(seen(scope(), Vec::new())).unwrap();
    let silent = seen(scope(), vec![errors("critical", &[("colour", "blue")])]);
    let after = cutover(silent).unwrap();
    assert_ne!(before.hash, after.hash, "a noted one, too");
}

#[test]
fn where_nothing_of_monitoring_is_a_gate_a_prometheus_that_is_away_stops_nothing() {
    let mut none = scope();
    none.gates.alerts.clear();
    let plan = cutover(Alerts::new(none.clone())).unwrap();
    let (finding, said) = gate(&plan, "monitoring");
    assert_eq!(finding, Finding::Noted);
    assert!(said.contains("by configuration"), "{said}");
    let well = soaked(&plan, &estate(Alerts::new(none)), now(AT));
    assert!(matches!(well, Soaked::Well(_)), "{well:?}");
}

#[test]
fn rule_6_a_query_that_was_passed_over_as_not_known_still_counts_when_it_is_bad_under_traffic() {
    let overriding = Request {
        overrides: [("query:errors".into(), "no series yet".into())].into(),
        ..request(Cutover)
    };
    let with = |value: Result<f64, &str>| {
        let mut alerts = seen(with_query(None), Vec::new());
        read(&mut alerts, value, None);
        estate(alerts)
    };
    let unread = with(Err("no data"));
    let plan = check(&overriding, &unread, now(AT)).unwrap();
    let well = |estate: &Estate| matches!(soaked(&plan, estate, now(AT)), Soaked::Well(_));
    assert!(well(&unread));
    assert!(well(&with(Ok(0.001))));
    let bad = soaked(&plan, &with(Ok(0.9)), now(AT));
    assert!(
        matches!(&bad, Soaked::Bad(why) if why.contains("errors")),
        "{bad:?}"
    );

    // What was passed over as BAD was known, and somebody said why it does not count.
    let known = check(&overriding, &with(Ok(0.9)), now(AT)).unwrap();
    let still = soaked(&known, &with(Ok(0.9)), now(AT));
    assert!(matches!(still, Soaked::Well(_)), "{still:?}");
}
