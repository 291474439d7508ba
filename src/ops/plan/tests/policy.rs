//! SAFETY, rule 13: gates that the policy beside the target demands, whatever the configuration of the bastion says.

use super::monitoring::{cutover_under, errors_fire, gate, scope, seen};
use super::*;
use crate::estate::alerts::AlertsSeen;
use crate::estate::gates::Reading;

const QUERIES: &str =
    r#"{"queries": [{"name": "errors", "query": "errors{colour=\"$colour\"}", "below": 0.05}]}"#;

fn demanding(gates: &str) -> [(&str, &str); 2] {
    [("schema", "1"), ("gates", gates)]
}

#[test]
fn rule_13_an_alert_that_only_the_policy_makes_a_gate_stops_a_cutover() {
    let mut lax = scope();
    lax.gates.alerts.clear();
    let fires = || seen(lax.clone(), vec![errors_fire()]);
    cutover_under(Some(fires()), &[]).unwrap();

    let gates = r#"{"alerts": [{"severity": ["critical", "page"]}]}"#;
    let refusal = cutover_under(Some(fires()), &demanding(gates)).unwrap_err();
    assert_eq!(refusal.kind, RefusalKind::Gate);
    assert!(
        refusal.why.starts_with("alert:HighErrorRate"),
        "{}",
        refusal.why
    );
    // Of another namespace it says nothing.
    let elsewhere = [("schema", "1"), ("gates.elsewhere", gates)];
    cutover_under(Some(fires()), &elsewhere).unwrap();
}

#[test]
fn rule_13_a_query_of_the_policy_is_unknown_until_it_was_asked_and_its_bound_holds() {
    let quiet = || seen(scope(), Vec::new());
    let refusal = cutover_under(Some(quiet()), &demanding(QUERIES)).unwrap_err();
    assert_eq!(refusal.kind, RefusalKind::Unknown);
    assert!(
        refusal.why.starts_with("query:errors: not asked yet"),
        "{}",
        refusal.why
    );
    for (value, is_allowed) in [(0.01, true), (0.31, false)] {
        let mut alerts = quiet();
        let reading = Reading {
            gate: "errors".into(),
            colour: Some("green".into()),
            value: Ok(value),
            requests: None,
        };
        alerts.apply(AlertsSeen::Read(reading), now(AT).at);
        let asked = cutover_under(Some(alerts), &demanding(QUERIES));
        assert_eq!(asked.is_ok(), is_allowed, "{value}");
    }
}

#[test]
fn rule_13_a_bastion_without_a_prometheus_does_not_pass_what_the_policy_demands_of_it() {
    cutover_under(None, &[]).unwrap();
    let refusal = cutover_under(None, &demanding(QUERIES)).unwrap_err();
    assert_eq!(refusal.kind, RefusalKind::Unknown);
    assert!(
        refusal.why.contains("no Prometheus is configured here"),
        "{}",
        refusal.why
    );
}

#[test]
fn rule_13_the_longer_soak_and_the_smoke_test_are_demanded_and_the_hash_moves_with_them() {
    let plan = |gates: &str| cutover_under(None, &demanding(gates));
    let shorter = plan(r#"{"soak": 30}"#).unwrap();
    let longer = plan(r#"{"soak": 600}"#).unwrap();
    assert_eq!((shorter.soak.watch_s, longer.soak.watch_s), (120, 600));
    assert_ne!(shorter.hash, longer.hash);
    let refusal = plan(r#"{"smoke": true}"#).unwrap_err();
    assert!(refusal.why.starts_with("smoke: "), "{}", refusal.why);
}

#[test]
fn rule_13_where_the_policy_allows_no_override_none_is_taken_or_offered() {
    let mut over = request(Cutover);
    over.overrides = [("alert:HighErrorRate".into(), "known".into())].into();
    let fires = || seen(scope(), vec![errors_fire()]);
    let asked = |pairs: &[(&str, &str)]| {
        let mut estate = under(parts(), pairs);
        estate.alerts = Some(fires());
        estate.tighten();
        check(&over, &estate, now(AT))
    };
    asked(&[("schema", "1")]).unwrap();
    let strict = demanding(r#"{"overrides": false}"#);
    let refusal = asked(&strict).unwrap_err();
    assert_eq!(refusal.kind, RefusalKind::Invalid);
    assert!(
        refusal.why.contains("the policy beside the target"),
        "{}",
        refusal.why
    );
    let plan = cutover_under(Some(fires()), &strict)
        .unwrap_err()
        .plan
        .unwrap();
    assert_eq!(gate(&plan, "alert:HighErrorRate").0, Finding::Bad);
    assert_eq!(plan.overridable(), None);
    let offered = cutover_under(Some(fires()), &[]).unwrap_err().plan.unwrap();
    assert_eq!(
        offered.overridable(),
        Some(vec!["alert:HighErrorRate".into()])
    );
}
