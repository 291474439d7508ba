//! Row 72: no cutover of a commit that the workflow did not find well. And the credential of whoever watches it.

use std::sync::Arc;

use super::*;
use crate::estate::Lasting;
use crate::estate::runs::{Conclusion, Progress, Run};

/// A run of the commit that the pods of the tests run.
fn run(number: u64, progress: Progress) -> Run {
    Run {
        id: number,
        number,
        attempt: 1,
        title: "Fix cart rounding".into(),
        branch: Some("main".into()),
        sha: "4f2a91c0037bc5626b1f0a28f60c127d5b6e99ca".into(),
        event: "push".into(),
        actor: None,
        progress,
        started: None,
        updated: None,
        url: "".into(),
    }
}

fn ended(number: u64, conclusion: Conclusion) -> Run {
    run(number, Progress::Done(conclusion))
}

/// An estate that demands a green run, of which GitHub says so.
fn demanding(runs: Option<Result<Vec<Run>, &str>>) -> Estate {
    let mut estate = parts().estate();
    estate.scope.needs_ci = true;
    estate.user = Some("dave".into());
    estate.ci = runs.map(|runs| runs.map(Arc::new).map_err(Into::into));
    estate
}

fn gate_of(estate: &Estate, name: &str) -> Option<(Finding, String)> {
    let plan = match check(&request(Cutover), estate, now(AT)) {
        Ok(plan) => plan,
        Err(refusal) => *refusal.plan.unwrap(),
    };
    let gate = plan.gates.iter().find(|gate| gate.name.as_str() == name)?;
    Some((gate.finding, gate.said.to_string()))
}

#[test]
fn row_72_only_a_green_run_of_the_commit_opens_the_gate_and_silence_does_not() {
    use Finding::{Bad, Ok as Fine, Unknown};
    let other = Run {
        sha: "0000000".into(),
        ..ended(9, Conclusion::Success)
    };
    for (runs, finding, words) in [
        (
            Some(Ok(vec![ended(12, Conclusion::Success)])),
            Fine,
            "4f2a91c #12 main is green",
        ),
        (
            Some(Ok(vec![ended(12, Conclusion::Failure)])),
            Bad,
            "4f2a91c #12 main failed",
        ),
        (
            Some(Ok(vec![ended(12, Conclusion::Skipped)])),
            Bad,
            "#12 main skipped",
        ),
        (
            Some(Ok(vec![ended(12, Conclusion::Neutral)])),
            Bad,
            "#12 main neutral",
        ),
        // One that is over decides before one that is under way.
        (
            Some(Ok(vec![
                run(13, Progress::Running),
                ended(12, Conclusion::Success),
            ])),
            Fine,
            "#12",
        ),
        (
            Some(Ok(vec![run(13, Progress::Running)])),
            Unknown,
            "#13 main is not over",
        ),
        (Some(Ok(vec![other])), Unknown, "no run of 4f2a91c"),
        (Some(Err("GitHub is away")), Unknown, "GitHub is away"),
        (None, Unknown, "was not asked"),
    ] {
        let (found, said) = gate_of(&demanding(runs), "ci").unwrap();
        assert_eq!(found, finding, "{said}");
        assert!(said.contains(words), "{words} in {said}");
    }
    let green = demanding(Some(Ok(vec![ended(12, Conclusion::Success)])));
    let plan = check(&request(Cutover), &green, now(AT)).unwrap();
    let runs: Vec<Safe> = vec!["#12 main".into()];
    assert_eq!(plan.runs, runs, "for whoever looks at the flip");
    let mut undemanding = demanding(None);
    undemanding.scope.needs_ci = false;
    assert_eq!(gate_of(&undemanding, "ci"), None);
}

#[test]
fn row_72_a_tag_that_is_no_commit_is_unknown_and_may_be_overridden_with_a_reason() {
    let mut parts = parts();
    for pod in &mut parts.pods {
        pod.containers[0].image.name = "registry/shop:v43".into();
    }
    let mut estate = parts.estate();
    estate.scope.needs_ci = true;
    estate.user = Some("dave".into());
    estate.ci = Some(Ok(Arc::default()));
    let refusal = check(&request(Cutover), &estate, now(AT)).expect_err("it is allowed");
    assert_eq!(refusal.kind, RefusalKind::Unknown);
    assert!(
        refusal.why.starts_with("ci: v43 names no commit"),
        "{}",
        refusal.why
    );
    let over = Request {
        overrides: [("ci".into(), "built by hand, ticket 7".into())].into(),
        ..request(Cutover)
    };
    let plan = check(&over, &estate, now(AT)).unwrap();
    assert!(plan.is_overridden(&"ci".into()));
}

#[test]
fn row_72_a_tag_that_is_a_commit_is_found_where_a_digest_stands_behind_it() {
    let mut parts = parts();
    for pod in &mut parts.pods {
        let digest = "0".repeat(64);
        pod.containers[0].image.name = format!("registry/shop:4f2a91c@sha256:{digest}").into();
    }
    let mut estate = parts.estate();
    estate.scope.needs_ci = true;
    estate.user = Some("dave".into());
    estate.ci = Some(Ok(Arc::new(vec![ended(12, Conclusion::Success)])));
    let (finding, said) = gate_of(&estate, "ci").unwrap();
    assert_eq!(finding, Finding::Ok, "{said}");
}

#[test]
fn a_credential_that_ends_before_the_soak_does_is_no_guard() {
    let lasting = |minutes: i64, is_renewed| {
        let mut estate = parts().estate();
        estate.scope.soak.watch_s = 600;
        estate.credential = Some(Lasting {
            way: "token".into(),
            until: Some(now(AT).wall + jiff::SignedDuration::from_mins(minutes)),
            is_renewed,
        });
        estate
    };
    let (finding, said) = gate_of(&lasting(5, false), "credential").unwrap();
    assert_eq!(finding, Finding::Bad);
    assert!(
        said.contains("token ends at") && said.contains("up to 13 min"),
        "{said}"
    );
    assert_eq!(
        gate_of(&lasting(30, false), "credential").unwrap().0,
        Finding::Ok
    );
    assert_eq!(
        gate_of(&lasting(5, true), "credential"),
        None,
        "it renews by itself"
    );
    assert_eq!(
        gate_of(&lasting(9_000, false), "credential"),
        None,
        "it lasts for days"
    );
    // I-24: whatever it is, a rollback goes.
    assert!(check(&request(Rollback), &lasting(-5, false), now(AT)).is_ok());
}

#[test]
fn what_the_screen_does_not_ask_does_not_move_the_hash_that_it_confirms() {
    let mut screen = parts().estate();
    screen.scope.needs_ci = true;
    let mut worker = demanding(Some(Ok(vec![ended(12, Conclusion::Success)])));
    worker.credential = Some(Lasting {
        way: "token".into(),
        until: Some(now(AT).wall + jiff::SignedDuration::from_mins(30)),
        is_renewed: false,
    });
    let hash = |estate: &Estate| check(&request(Cutover), estate, now(AT)).unwrap().hash;
    assert!(gate_of(&worker, "ci").is_some() && gate_of(&worker, "credential").is_some());
    assert_eq!(gate_of(&screen, "ci"), None);
    assert_eq!(hash(&screen), hash(&worker));
}

#[test]
fn restarts_of_the_new_colour_in_the_soak_are_borne_up_to_their_number() {
    use crate::ops::plan::restarted;
    let mut bearing = parts().estate();
    bearing.scope.soak.restarts = Some(1);
    let plan = check(&request(Cutover), &bearing, now(AT)).unwrap();
    let after = |colour: &str, more: u32| {
        let mut parts = parts();
        for pod in &mut parts.pods {
            if pod.name.starts_with(colour) && pod.name.ends_with("backend") {
                pod.containers[0].restarts += more;
                pod.ready = false;
            }
        }
        restarted(&plan, &parts.estate())
    };
    assert_eq!(after("green", 1), None);
    let why = after("green", 2).unwrap();
    assert!(
        why.contains("restarted 2 times since it was planned, and 1 are borne; green-backend"),
        "{why}"
    );
    assert_eq!(after("blue", 9), None, "the other colour's are not counted");
    let uncounted = Plan {
        soak: crate::estate::Soak::default(),
        ..plan.clone()
    };
    assert_eq!(restarted(&uncounted, &bearing), None);
}
