//! Where a rollback without colours goes, where there are several Deployments and somebody else deploys too.

use std::collections::BTreeMap;

use super::helm::{by_helm, revision, said};
use super::*;
use crate::estate::helm::Revision;
use crate::estate::{Image, ReplicaSet};
use crate::ops::OperationKind::Rollback;
use crate::ops::marks::Deployed;

fn image(part: &str, tag: &str) -> Image {
    Image::named(format!("shop/{part}:{tag}").into())
}

/// What Wheelhouse left on the part that it gave `to` in place of `from` at that time of the day.
fn left(what: &str, part: &str, (from, to): (&str, &str), at: &str) -> Deployed {
    let of = |tag: &str| BTreeMap::from([(part.into(), image(part, tag).name)]);
    Deployed {
        at: format!("2026-11-26T{at}Z").parse().unwrap(),
        operation: format!("{part}-{at}").into(),
        ..deployed_by_alice(what, of(from), of(to))
    }
}

/// A part, what Wheelhouse left on it, and its ReplicaSets: tag and when it was made, the last is the one that runs.
type Of<'a> = (&'a str, Option<Deployed>, &'a [(&'a str, &'a str)]);

fn in_place(parts_of: &[Of<'_>]) -> Estate {
    let mut parts = parts();
    parts.deployments.retain(|d| d.name.contains("blue"));
    let mut sets = Vec::new();
    for (part, mark, made) in parts_of {
        let deployment = parts.deployments.iter_mut().find(|d| d.name.contains(part));
        let deployment = deployment.unwrap();
        for (revision, (tag, at)) in (1..).zip(*made) {
            sets.push(ReplicaSet {
                name: format!("{part}-{revision}").into(),
                owner: Some(deployment.name.clone()),
                revision: Some(revision.to_string().into()),
                is_reused: false,
                desired: 1,
                ready: 1,
                available: 1,
                created: format!("2026-11-26T{at}Z").parse().ok(),
                images: vec![((*part).into(), image(part, tag))],
            });
            deployment.images = vec![((*part).into(), image(part, tag))];
            deployment.revision = Some(revision.to_string().into());
        }
        deployment.marks = mark.iter().map(mark_of).collect();
    }
    let mut estate = parts.estate();
    estate.scope.traffic = None;
    estate.apply(Seen::ReplicaSets(Delta::Page(sets)), now(AT));
    estate
}

/// What a rollback brings back, or why it is refused.
fn back(parts_of: &[Of<'_>]) -> String {
    match check(&request(Rollback), &in_place(parts_of), now(AT)) {
        Ok(plan) => images_of(&plan),
        Err(refusal) => refusal.why.to_string(),
    }
}

fn images_of(plan: &Plan) -> String {
    let all = plan.updates.iter().flat_map(|update| &update.containers);
    let images: Vec<&str> = all.map(|c| c.to.as_str()).collect();
    images.join(" ")
}

#[test]
fn i_30_what_somebody_else_deployed_last_goes_back_and_not_what_wheelhouse_deployed_before_that() {
    let ours = Some(left("deploy", "frontend", ("v1", "v2"), "02:00:00"));
    let undone = Some(left("rollback", "frontend", ("v2", "v1"), "02:30:00"));
    let two: &[(&str, &str)] = &[("v1", "01:00:00"), ("v2", "02:00:00")];
    let back_again: &[(&str, &str)] = &[("v0", "00:30:00"), ("v2", "02:00:00"), ("v1", "01:00:00")];
    let by_another = |at| [("v4", "01:00:00"), ("v5", at)];
    let frontends = [(ours.clone(), two), (undone.clone(), back_again)];

    for (mark, sets) in &frontends {
        let frontend = ("frontend", mark.clone(), *sets);
        let with = |mark, at| back(&[frontend.clone(), ("backend", mark, &by_another(at))]);
        assert_eq!(with(None, "05:00:00"), "shop/backend:v4");
        // What Wheelhouse did there long ago does not stand any more.
        let old = left("deploy", "backend", ("v3", "v4"), "01:00:00");
        assert_eq!(with(Some(old), "05:00:00"), "shop/backend:v4");
    }
    let with = |mark: &Option<Deployed>, sets, backend, at| {
        let other = ("backend", backend, &by_another(at)[..]);
        back(&[("frontend", mark.clone(), sets), other])
    };
    // Within ten minutes they were changed together.
    assert_eq!(
        with(&ours, two, None, "02:05:00"),
        "shop/backend:v4 shop/frontend:v1"
    );
    // What was there before is nothing that was deployed last.
    assert_eq!(with(&ours, two, None, "01:30:00"), "shop/frontend:v1");
    let why = with(&undone, back_again, None, "01:30:00");
    assert!(why.contains("that runs"), "{why}");
    // Half of what was changed together is gone on with, and no more than that.
    let half = undone.map(|mark| Deployed {
        undoes: Some("frontend-02:00:00".into()),
        ..mark
    });
    assert_eq!(with(&half, back_again, None, "02:05:00"), "shop/backend:v4");
    for at in ["01:58:00", "02:15:00"] {
        let why = with(&half, back_again, None, at);
        assert!(why.contains("that runs"), "{why}");
    }
    let own = Some(left("deploy", "backend", ("v4", "v5"), "02:04:00"));
    let why = with(&half, back_again, own, "02:05:00");
    assert!(why.contains("that runs"), "{why}");
    // The clocks of two machines differ: what Wheelhouse did there itself was done when it says so.
    let own = Some(left("deploy", "backend", ("v4", "v5"), "01:59:58"));
    assert_eq!(with(&ours, two, own, "02:00:01"), "shop/frontend:v1");
}

#[test]
fn o06_what_was_taken_back_by_hand_is_the_last_change_and_not_one_of_long_before() {
    let ours = Some(left("deploy", "frontend", ("v1", "v2"), "02:00:00"));
    // `kubectl rollout undo`: the older ReplicaSet has the newest revision.
    let undone: &[(&str, &str)] = &[("v0", "00:30:00"), ("v2", "02:00:00"), ("v1", "01:00:00")];
    // Helm: where the template is another each time the set is a new one, with the images of before.
    let anew: &[(&str, &str)] = &[("v1", "01:00:00"), ("v2", "02:00:00"), ("v1", "02:20:00")];
    for (mark, sets) in [(ours, undone), (None, undone), (None, anew)] {
        let with = |at| {
            let backend: &[(&str, &str)] = &[("v4", "00:10:00"), ("v5", at)];
            let frontend = ("frontend", mark.clone(), sets);
            back(&[frontend, ("backend", None, backend)])
        };
        for long_before in ["01:30:00", "00:55:00"] {
            let why = with(long_before);
            assert!(why.contains("was rolled back already"), "{why}");
        }
        // What came together with what was taken back, or later, was not.
        for at in ["02:01:00", "05:00:00"] {
            assert_eq!(with(at), "shop/backend:v4");
        }
    }
}

#[test]
fn i_24_a_rollback_that_helm_could_not_do_is_done_past_it() {
    let planned = |history: &[Revision]| {
        let sets: &[(&str, &str)] = &[("v8", "03:00:00"), ("v9", "04:00:00")];
        let mut estate = in_place(&[("frontend", None, sets)]);
        estate.helm = Some(said(history, Ok(Vec::new())));
        let request = Request {
            kind: Rollback,
            ..by_helm(true)
        };
        check(&request, &estate, now(AT)).unwrap()
    };
    let of = |number, status, said: &str, at: &str| Revision {
        updated: format!("2026-11-26T{at}Z").parse().ok(),
        description: said.into(),
        ..revision(number, status)
    };
    let failed = "Rollback \"wall\" failed: conflict";
    let with = |at, last: &[Revision]| {
        let known = [
            of(7, "superseded", "", "02:59:50"),
            of(8, "deployed", "", at),
        ];
        planned(&[&known[..], last].concat())
    };
    let pending = |number| of(number, "pending-rollback", "Rollback to 7", "04:30:00");
    let once = [of(9, "failed", failed, "04:30:00")];
    let twice = [pending(9), pending(10)];
    for last in [&once[..], &twice] {
        let plan = with("03:59:50", last);
        assert!(plan.how.is_image(), "{last:?}");
        assert_eq!(images_of(&plan), "shop/frontend:v8");
        let gate = plan.gates.iter().find(|gate| gate.name.as_str() == "helm");
        let said = &gate.unwrap().said;
        assert!(said.contains("images alone go back, past helm"), "{said}");
        // What it was to take away brought no images: those of before are older than what it goes back to.
        assert!(!with("04:10:00", last).how.is_image(), "{last:?}");
    }
    // One that did not end may be at it still: helm goes on with it.
    let plan = with("03:59:50", &twice[..1]);
    assert_eq!(plan.release.unwrap().back_to, Some(7));
}
