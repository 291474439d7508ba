use super::*;
use crate::estate::fold::tests::now;
use crate::estate::pods::tests::{pod, scope};
use crate::estate::{Delta, Seen};
use crate::ops::OperationKind;
use crate::ops::machine::tests::plan;

fn estate(pods: Vec<Pod>) -> Estate {
    let mut estate = Estate::new(scope(), None);
    estate.apply(Seen::Pods(Delta::Page(pods)), now(0));
    estate
}

fn asking() -> Plan {
    let mut plan = plan(OperationKind::Smoke, &["shop"]);
    plan.probes = vec![Probe::Ask(Question {
        workload: "frontend".into(),
        port: "3000".into(),
        path: "/".into(),
        status: 200,
        within_ms: 100,
        contains: Vec::new(),
    })];
    plan
}

#[test]
fn i_7_a_pod_that_restarts_goes_or_comes_meanwhile_voids_the_test() {
    let plan = asking();
    let all = || {
        vec![
            pod("a", "frontend", "green", true),
            pod("b", "frontend", "green", true),
        ]
    };
    let was = tested(&plan, &estate(all()));
    assert_eq!(was.len(), 2);
    assert_eq!(tested(&plan, &estate(all())), was);
    let mut restarted = all();
    restarted[0].containers[0].restarts += 1;
    assert_ne!(tested(&plan, &estate(restarted)), was);
    let mut unready = all();
    unready[1].ready = false;
    assert_ne!(tested(&plan, &estate(unready)), was);
    let mut more = all();
    more.push(pod("c", "frontend", "green", true));
    assert_ne!(tested(&plan, &estate(more)), was);
    // I-13: the same pods by name, of another revision.
    let mut other = all();
    other[0].containers[0].image.digest = Some("sha256:ff".into());
    assert_ne!(tested(&plan, &estate(other)), was);
    // What is live is not tested; every part of the colour is, whatever was asked of it.
    let mut live = all();
    live.push(pod("d", "frontend", "blue", true));
    assert_eq!(tested(&plan, &estate(live)), was);
    let mut part = all();
    part.push(pod("e", "backend", "green", true));
    assert_ne!(tested(&plan, &estate(part)), was);
}

#[test]
fn i_60_a_secret_in_the_answer_of_an_application_is_not_told() {
    let token = "ghp_0123456789abcdefghijklmnopqrstuv";
    // Wherever it stands, and where what is shown is cut.
    for before in [0, SHOWN - 10, SHOWN] {
        let body = format!("{} token {token}, password=hunter2", "x".repeat(before));
        let said = Said {
            status: 500,
            body: body.into_bytes(),
            took: Duration::ZERO,
        };
        let why = judged(&said, (200, 1_000), std::iter::empty());
        let why = why.err().unwrap_or_default();
        assert!(why.starts_with("500 in place of 200: "), "{why}");
        assert!(!why.contains("ghp_") && !why.contains("hunter2"), "{why}");
    }
}
