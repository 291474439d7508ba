//! One other person's approval: when the gate opens, and what closes it again.

use super::*;
use crate::estate::{Approver, Change, Fault, FaultKind, Record};
use crate::ops::approval::tests::{object, paper};
use crate::ops::approval::{Decision, Paper};

/// The bastion's clock, and the server's.
fn clock() -> jiff::Timestamp {
    now(AT).wall
}

/// What `author` decided on `bound` a minute ago.
fn decided(decision: Decision, author: &str, bound: &Safe) -> Paper {
    let minute = jiff::SignedDuration::from_mins(1);
    Paper {
        id: "01jabcdefghjkmnpqrstvwxyz1".into(),
        plan: bound.clone(),
        created: clock() - minute,
        since: clock() - minute,
        expires: clock() + jiff::SignedDuration::from_mins(59),
        ..paper(decision, author)
    }
}

/// dave's request for what `record` decides on.
fn request_for(record: &Record) -> Option<Record> {
    let plan = Safe::new(record.data.get("plan")?);
    let asked = Paper {
        id: "01jabcdefghjkmnpqrstvwxyz0".into(),
        ..decided(Decision::Asked, "dave", &plan)
    };
    let is_here = record
        .labels
        .iter()
        .any(|(_, value)| value.as_str() == "production");
    is_here.then(|| object(&asked, &[]))
}

/// An estate that asks for one other person, with these objects and the request for the first of them in it, seen by
/// `user`.
fn asking(parts: Parts, user: Option<&str>, mut records: Vec<Record>) -> Estate {
    let request = records.first().and_then(request_for);
    records.extend(request);
    unasked(parts, user, records)
}

/// The same without the request.
fn unasked(parts: Parts, user: Option<&str>, records: Vec<Record>) -> Estate {
    let mut estate = parts.estate();
    estate.scope.approval.by = Approver::Other;
    estate.user = user.map(Safe::from);
    let server = Some(clock());
    estate.apply(Seen::Pulse { server }, now(AT));
    for seen in [
        Seen::Records(Delta::Began),
        Seen::Records(Delta::Page(records)),
        Seen::Records(Delta::Ended),
    ] {
        estate.apply(seen, now(AT));
    }
    estate
}

/// What an approval of `parts` is bound to.
fn bound(parts: Parts) -> Safe {
    asked(Cutover, parts).unwrap().bound
}

fn judged(estate: &Estate) -> Result<Plan, (RefusalKind, String)> {
    let judged = check(&request(Cutover), estate, now(AT));
    judged.map_err(|refusal| (refusal.kind, refusal.why.to_string()))
}

fn found(plan: &Plan) -> Option<(Finding, String)> {
    let gate = plan
        .gates
        .iter()
        .find(|gate| gate.name.as_str() == "approval");
    gate.map(|gate| (gate.finding, gate.said.to_string()))
}

#[test]
fn i_48_another_persons_approval_opens_the_gate_and_nobody_elses_does() {
    let bound = bound(parts());
    let by = |author: &str, user: Option<&str>| {
        let yes = object(&decided(Decision::Approved, author, &bound), &[]);
        judged(&asking(parts(), user, vec![yes]))
    };
    let plan = by("erin", Some("frank")).unwrap();
    let (finding, said) = found(&plan).unwrap();
    assert_eq!(finding, Finding::Ok);
    assert!(said.starts_with("by erin until "), "{said}");
    // Who looks at a screen is not asked; the worker is, anew.
    assert_eq!(found(&by("erin", None).unwrap()).unwrap().0, Finding::Noted);
    for (author, user, kind, said) in [
        (
            "erin",
            Some("erin"),
            RefusalKind::Approval,
            "erin approved it and may not carry it out",
        ),
        (
            "dave",
            Some("frank"),
            RefusalKind::Approval,
            "dave asked for it and may not approve it",
        ),
        (
            "system:serviceaccount:ci:bot",
            Some("frank"),
            RefusalKind::Approval,
            "is a program and no other person",
        ),
        (
            "erin",
            Some(""),
            RefusalKind::Unknown,
            "does not say who you are",
        ),
    ] {
        let (found, why) = by(author, user).unwrap_err();
        assert_eq!(found, kind, "{why}");
        assert!(why.starts_with("approval: ") && why.contains(said), "{why}");
    }
}

#[test]
fn i_48_an_approval_counts_only_as_the_answer_to_a_request_of_whoever_it_says_asked() {
    let bound = bound(parts());
    // Whom it names as the one who asked its author chose: dave approves his own with another's name in it.
    let forged = Paper {
        requester: "somebody".into(),
        ..decided(Decision::Approved, "dave", &bound)
    };
    let unknown = Paper {
        request: "01jabcdefghjkmnpqrstvwxyz7".into(),
        ..decided(Decision::Approved, "erin", &bound)
    };
    let estates =
        [&forged, &unknown].map(|paper| asking(parts(), Some("frank"), vec![object(paper, &[])]));
    let honest = object(&decided(Decision::Approved, "erin", &bound), &[]);
    let alone = unasked(parts(), Some("frank"), vec![honest]);
    for estate in estates.iter().chain([&alone]) {
        let (kind, why) = judged(estate).unwrap_err();
        assert_eq!(kind, RefusalKind::Approval, "{why}");
        assert!(why.contains("answers no request that is there"), "{why}");
    }
}

#[test]
fn i_11_whoever_adopts_it_asks_what_the_plan_stood_on_whatever_their_configuration_says() {
    let bound = bound(parts());
    let yes = object(&decided(Decision::Approved, "erin", &bound), &[]);
    let plan = judged(&asking(parts(), Some("frank"), vec![yes.clone()])).unwrap();
    let mut elsewhere = asking(parts(), Some("frank"), vec![yes]);
    elsewhere.scope.approval.by = Approver::Nobody;
    let approved = super::super::approval::approved;
    assert_eq!(approved(&plan, None, &elsewhere, now(AT)), Ok(()));
    let mut gone = asking(parts(), Some("frank"), Vec::new());
    gone.scope.approval.by = Approver::Nobody;
    let why = approved(&plan, None, &gone, now(AT)).unwrap_err();
    assert!(
        why.contains("approval: one other person's is needed"),
        "{why}"
    );
}

#[test]
fn i_13_an_approval_is_for_one_revision_and_one_flip_and_not_for_a_number_of_replicas() {
    let first = bound(parts());
    let with = |change: fn(&mut Parts)| {
        let mut parts = parts();
        change(&mut parts);
        bound(parts)
    };
    let template = with(|parts| {
        for pod in &mut parts.pods {
            pod.labels = pod.labels.with(&"pod-template-hash".into(), &"6f9c".into());
        }
    });
    assert_ne!(template, first, "another template");
    let epoch = with(|parts| parts.services[0].marks = labels(&[(marks::EPOCH, "7")]));
    assert_ne!(epoch, first, "another flip: this one was done before");
    let uid = with(|parts| parts.services[0].uid = "made-again".into());
    assert_ne!(uid, first, "another Service");
    let scaled = with(|parts| {
        for deployment in &mut parts.deployments {
            (deployment.desired, deployment.replicas) = (2, 2);
            (deployment.updated, deployment.ready, deployment.available) = (2, 2, 2);
        }
    });
    assert_eq!(scaled, first, "an autoscaler is none of its business");
    let churned = with(|parts| parts.services[0].resource_version = "99".into());
    assert_eq!(churned, first);
}

#[test]
fn o03_who_approved_is_not_among_the_decisive_facts() {
    let bound = bound(parts());
    let yes = |author| object(&decided(Decision::Approved, author, &bound), &[]);
    let hash = |user, author| {
        let estate = asking(parts(), user, vec![yes(author)]);
        judged(&estate).unwrap().hash
    };
    assert_eq!(hash(None, "erin"), hash(Some("dave"), "frank"));
    assert_eq!(hash(None, "erin"), asked(Cutover, parts()).unwrap().hash);
}

#[test]
fn i_49_an_approval_lifts_no_gate_but_its_own() {
    let bound = bound(parts());
    let yes = object(&decided(Decision::Approved, "erin", &bound), &[]);
    let mut ill = parts();
    ill.deployments.iter_mut().for_each(|d| d.available = 0);
    let (kind, why) = judged(&asking(ill, Some("dave"), vec![yes])).unwrap_err();
    assert_eq!(kind, RefusalKind::Gate);
    assert!(why.starts_with("ready: "), "{why}");
    // Where more than an approval lacks, it is not an approval that is waited for.
    let mut ill = parts();
    ill.deployments.iter_mut().for_each(|d| d.available = 0);
    let refusal = check(
        &request(Cutover),
        &asking(ill, Some("dave"), Vec::new()),
        now(AT),
    );
    let refusal = refusal.unwrap_err();
    assert_eq!(refusal.kind, RefusalKind::Gate);
    let plan = refusal.plan.unwrap();
    assert!(!plan.lacks_approval_alone() && plan.overridable().is_none());
}

#[test]
fn i_49_autoscalers_that_nobody_may_see_keep_nobody_from_asking() {
    let mut unseen = asking(parts(), Some("dave"), Vec::new());
    let fault = Fault {
        kind: FaultKind::Forbidden,
        what: "horizontalpodautoscalers is forbidden".into(),
    };
    unseen.apply(Seen::Failed(Kind::HorizontalPodAutoscalers, fault), now(AT));
    let refusal = check(&request(Cutover), &unseen, now(AT)).unwrap_err();
    let plan = refusal.plan.unwrap();
    assert!(plan.may_be_asked_for());
    // The cutover passes over them, with a reason of its own.
    assert!(!plan.lacks_approval_alone());
}

#[test]
fn i_12_an_approval_that_cannot_be_reached_or_dated_is_unknown() {
    let bound = bound(parts());
    let yes = object(&decided(Decision::Approved, "erin", &bound), &[]);
    let mut away = asking(parts(), Some("dave"), vec![yes.clone()]);
    let fault = Fault {
        kind: FaultKind::Forbidden,
        what: "configmaps are forbidden".into(),
    };
    away.apply(Seen::Failed(Kind::Records, fault), now(AT));
    let (kind, why) = judged(&away).unwrap_err();
    assert_eq!(kind, RefusalKind::Unknown);
    assert!(
        why.contains("is not known: configmaps are forbidden"),
        "{why}"
    );

    let mut timeless = asking(parts(), Some("dave"), vec![yes]);
    timeless.cluster.skew_ms = None;
    let (kind, why) = judged(&timeless).unwrap_err();
    assert_eq!(kind, RefusalKind::Unknown);
    assert!(why.contains("the server's clock is not"), "{why}");

    // What a newer version wrote of this very plan may be a rejection.
    let newer = object(
        &decided(Decision::Approved, "erin", &bound),
        &[("schema", Some("2"))],
    );
    let (kind, why) = judged(&asking(parts(), Some("dave"), vec![newer])).unwrap_err();
    assert_eq!(kind, RefusalKind::Unknown);
    assert!(why.contains("is of version 2"), "{why}");
}

#[test]
fn an_approval_holds_as_long_as_the_configuration_here_has_it_at_most() {
    let bound = bound(parts());
    let yes = object(&decided(Decision::Approved, "erin", &bound), &[]);
    let mut strict = asking(parts(), Some("dave"), vec![yes]);
    assert!(judged(&strict).is_ok());
    strict.scope.approval.lasts_s = 60;
    let (kind, why) = judged(&strict).unwrap_err();
    assert_eq!(kind, RefusalKind::Approval);
    assert!(why.contains("the approval by erin is over since"), "{why}");
}

#[test]
fn a_request_of_another_environment_in_the_same_place_is_none_of_ours() {
    let bound = bound(parts());
    let elsewhere = Paper {
        namespace: "shop".into(),
        ..decided(Decision::Approved, "erin", &bound)
    };
    let estate = asking(parts(), Some("dave"), vec![object(&elsewhere, &[])]);
    let (kind, why) = judged(&estate).unwrap_err();
    assert_eq!(kind, RefusalKind::Approval);
    assert!(
        why.contains("one other person's is needed: ask for it"),
        "{why}"
    );
}

#[test]
fn i_24_neither_a_rollback_nor_a_repair_asks_for_an_approval() {
    for (kind, parts) in [(Rollback, parts()), (Repair, reverted())] {
        let estate = asking(parts, Some("dave"), Vec::new());
        let plan = check(&request(kind), &estate, now(AT)).unwrap();
        assert_eq!((found(&plan), plan.bound.as_str()), (None, ""), "{kind:?}");
    }
}

#[test]
fn what_is_live_already_needs_no_approval() {
    let mut live = parts();
    live.services[0].selector = labels(&[("part", "frontend"), ("version", "green")]);
    let wanted = Request {
        to: Some("green".into()),
        ..request(Cutover)
    };
    let estate = asking(live, Some("dave"), Vec::new());
    let plan = check(&wanted, &estate, now(AT)).unwrap();
    assert_eq!(found(&plan), None);
}

#[test]
fn a_rejection_that_is_told_later_by_the_watch_closes_the_gate() {
    let bound = bound(parts());
    let yes = object(&decided(Decision::Approved, "erin", &bound), &[]);
    let mut estate = asking(parts(), Some("dave"), vec![yes]);
    assert!(judged(&estate).is_ok());
    let no = Paper {
        id: "01jabcdefghjkmnpqrstvwxyz9".into(),
        ..decided(Decision::Rejected, "frank", &bound)
    };
    let change = vec![Change::Applied(object(&no, &[]))];
    estate.apply(Seen::Records(Delta::Changes(change)), now(AT));
    let (kind, why) = judged(&estate).unwrap_err();
    assert_eq!(kind, RefusalKind::Gate);
    assert!(why.starts_with("rejected: by frank"), "{why}");
}

/// Whoever approves reads what is passed over: what nobody told them of is not.
#[test]
fn i_49_an_approval_covers_the_overrides_that_were_asked_for_and_no_other() {
    let bound = bound(parts());
    let over = |gates: &[&str]| -> std::collections::BTreeMap<Safe, Safe> {
        let told = gates.iter().map(|gate| ((*gate).into(), "seen".into()));
        told.collect()
    };
    let told = |gates: &[&str]| Paper {
        overrides: over(gates),
        ..decided(Decision::Approved, "erin", &bound)
    };
    let approved = |paper: &Paper, gates: &[&str]| {
        let asked = Paper {
            id: paper.request.clone(),
            author: "dave".into(),
            decision: Decision::Asked,
            ..paper.clone()
        };
        let records = vec![object(paper, &[]), object(&asked, &[])];
        let estate = unasked(parts(), Some("frank"), records);
        let plan = Plan {
            overridden: over(gates),
            ..judged(&estate).unwrap()
        };
        super::super::approval::approved(&plan, None, &estate, now(AT))
    };
    assert_eq!(approved(&told(&[]), &[]), Ok(()));
    assert_eq!(approved(&told(&["restarts", "ci"]), &["ci"]), Ok(()));
    let why = approved(&told(&["restarts"]), &["ci", "restarts"]).unwrap_err();
    assert!(
        why.contains("passes over no ci, which is overridden"),
        "{why}"
    );
    // That the approval itself is passed over needs nobody's approval.
    assert_eq!(approved(&told(&[]), &["approval"]), Ok(()));
    // One that says more than was asked for answers another request.
    let more = told(&["ci"]);
    let asked = Paper {
        id: more.request.clone(),
        author: "dave".into(),
        decision: Decision::Asked,
        overrides: over(&[]),
        ..more.clone()
    };
    let records = vec![object(&more, &[]), object(&asked, &[])];
    let (_, why) = judged(&unasked(parts(), Some("frank"), records)).unwrap_err();
    assert!(why.contains("answers no request that is there"), "{why}");
}
