//! SAFETY, rule 13: gates that the policy beside the target demands, whatever the configuration of the bastion says.

use super::monitoring::{cutover_under, errors_fire, gate, scope, seen};
use super::*;
use crate::estate::alerts::AlertsSeen;
use crate::estate::gates::Reading;
use crate::ops::plan::approval::approved;

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

/// A deploy to GREEN, the `n`th, that was done so.
fn deployed(n: usize, how: &How) -> crate::estate::Record {
    deploy_of(n, how, "digital-wall-service", true)
}

/// A deploy behind that Service, whose last step is over or not.
fn deploy_of(n: usize, how: &How, service: &'static str, is_over: bool) -> crate::estate::Record {
    use crate::ops::{Step, What, kept};
    let mut plan = crate::ops::machine::tests::plan(OperationKind::Deploy, &[service]);
    (plan.to, plan.how) = ("green".into(), how.clone());
    let steps = match how.is_image() {
        true => vec![Step::Update("digital-wall-green-frontend".into())],
        false => vec![Step::Dispatch, Step::Follow],
    };
    let began = |step: &Step| What::Began {
        step: step.clone(),
        attempt: 1,
    };
    let passed = |step: &Step| What::Passed {
        step: step.clone(),
        evidence: "as it should be".into(),
    };
    let done = steps.iter().flat_map(|step| [began(step), passed(step)]);
    let mut whats: Vec<What> = [What::Planned(Box::new(plan))]
        .into_iter()
        .chain(done)
        .collect();
    if !how.is_image() {
        let reviewed = |revisions| What::Reviewed {
            by: vec!["erin".into()],
            revisions,
        };
        let last = whats.len() - 1;
        whats.insert(last, reviewed(BTreeMap::new()));
        whats.push(reviewed(super::super::revisions(
            &parts().estate(),
            Some(1),
        )));
    }
    let entry = |what| crate::ops::Entry {
        at: now(AT).wall,
        by: "carol".into(),
        what,
    };
    let mut entries: Vec<_> = whats.into_iter().map(entry).collect();
    if !is_over {
        entries.pop();
        if !how.is_image() {
            entries.pop();
        }
    }
    let mut record = record(&entries);
    record.name = format!("wheelhouse-01jabcdefghjkmnpqrstvwxy{n:02}").into();
    record.labels = labels(&[(kept::KIND, "deploy"), (kept::NAMESPACE, "production")]);
    record
}

#[test]
fn rule_13_a_review_that_the_policy_demands_is_unknown_where_no_run_of_the_workflow_deployed_it() {
    let workflow = How::Workflow(crate::ops::plan::Workflow {
        file: "deploy.yml".into(),
        reference: "main".into(),
        inputs: BTreeMap::new(),
        timeout_s: 60,
    });
    let github = [("schema", "1"), ("approval", "github review")];
    let after = |deploys: &[&How]| {
        let mut estate = under(parts(), &github);
        let deploys = deploys.iter().enumerate();
        let records = deploys.map(|(n, how)| deployed(n, how)).collect();
        for delta in [Delta::Began, Delta::Page(records), Delta::Ended] {
            estate.apply(Seen::Records(delta), now(AT));
        }
        estate
    };
    let asked = |estate: &Estate| check(&request(Cutover), estate, now(AT));
    let plan = asked(&after(&[&How::Image, &workflow])).unwrap();
    let said = plan
        .gates
        .iter()
        .find(|gate| gate.name.as_str() == "approval");
    let said = said.unwrap();
    assert_eq!(said.finding, Finding::Noted);
    assert!(
        said.said.contains("reviewed at GitHub by erin"),
        "{}",
        said.said
    );
    for deploys in [&[][..], &[&How::Image], &[&workflow, &How::Image]] {
        let estate = after(deploys);
        let refusal = asked(&estate).unwrap_err();
        assert_eq!(refusal.kind, RefusalKind::Unknown, "{deploys:?}");
        assert!(
            refusal.why.starts_with("review: the policy demands"),
            "{}",
            refusal.why
        );
        let over = Request {
            overrides: [("review".into(), "erin saw it".into())].into(),
            ..request(Cutover)
        };
        let plan = check(&over, &estate, now(AT)).unwrap();
        // The flip asks once more.
        assert_eq!(approved(&plan, None, &estate, now(AT)), Ok(()));
        let bare = Plan {
            overridden: BTreeMap::new(),
            ..plan
        };
        assert!(approved(&bare, None, &estate, now(AT)).is_err());
    }
    // A job of the run whose review let it begin cuts over by itself, and no other one does.
    let with = |newest: crate::estate::Record| {
        let mut estate = under(parts(), &github);
        let records = vec![deployed(0, &workflow), newest];
        for delta in [Delta::Began, Delta::Page(records), Delta::Ended] {
            estate.apply(Seen::Records(delta), now(AT));
        }
        estate
    };
    let own = "digital-wall-service";
    let under_way = with(deploy_of(1, &workflow, own, false));
    let id = crate::ops::kept::read(&deployed(1, &workflow)).unwrap().id;
    let within = |operation: &Safe| Request {
        within: Some(crate::ops::plan::Within {
            operation: operation.clone(),
            run: 7,
        }),
        ..request(Cutover)
    };
    let plan = check(&within(&id), &under_way, now(AT)).unwrap();
    assert_eq!(approved(&plan, Some(&id), &under_way, now(AT)), Ok(()));
    assert!(approved(&plan, None, &under_way, now(AT)).is_err());
    for refused in [request(Cutover), within(&"01jother".into())] {
        assert!(check(&refused, &under_way, now(AT)).is_err());
    }
    // A deploy behind another environment's Service says nothing of this one, and one that nobody can read nothing good.
    assert!(asked(&with(deploy_of(1, &How::Image, "other", true))).is_ok());
    assert!(asked(&after(&[])).is_err());
    let mut unread = deployed(1, &workflow);
    unread.data.insert("schema".into(), "99".into());
    assert!(asked(&with(unread)).is_err());
    // A run that nobody had to review, and another template than the one that was reviewed, were not.
    let mut unasked = deployed(1, &workflow);
    let entries = unasked.data["entries"].replace("\"reviewed\":", "\"told\":");
    unasked.data.insert("entries".into(), entries.into());
    let refusal = asked(&with(unasked.clone())).unwrap_err();
    assert!(refusal.why.contains("is not recorded"), "{}", refusal.why);
    let entries = deployed(1, &workflow).data["entries"].replace("[\"erin\"]", "[]");
    unasked.data.insert("entries".into(), entries.into());
    let refusal = asked(&with(unasked)).unwrap_err();
    assert!(
        refusal.why.contains("without anybody's review"),
        "{}",
        refusal.why
    );
    let mut rolled = parts();
    for pod in rolled
        .pods
        .iter_mut()
        .filter(|pod| pod.name.starts_with("green"))
    {
        let hash = ("pod-template-hash".into(), "abc".into());
        pod.labels = pod.labels.iter().cloned().chain([hash]).collect();
    }
    let mut rolled = under(rolled, &github);
    for delta in [
        Delta::Began,
        Delta::Page(vec![deployed(1, &workflow)]),
        Delta::Ended,
    ] {
        rolled.apply(Seen::Records(delta), now(AT));
    }
    let refusal = asked(&rolled).unwrap_err();
    assert!(
        refusal
            .why
            .contains("backend and frontend changed since run"),
        "{}",
        refusal.why
    );
    // Whoever configures it knows who reviews.
    let mut own = parts().estate();
    own.scope.approval.by = crate::estate::Approver::Github;
    assert!(asked(&own).is_ok());
}
