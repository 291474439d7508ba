//! The plan of a deploy by helm: what helm found, what it renders, and what its gates decide.

use std::collections::BTreeMap;

use super::*;
use crate::estate::helm::{AskedHelm, Helm, ReleaseStatus, Rendered, RenderedKind, Revision};
use crate::ops::OperationKind::{Deploy, Rollback};

pub(super) fn by_helm(recovers: bool) -> Request {
    Request {
        how: How::Helm(crate::ops::plan::Helm {
            program: "helm".into(),
            chart: "/srv/wall".into(),
            release: "wall-{colour}".into(),
            version: None,
            values: Vec::new(),
            set: BTreeMap::new(),
            timeout_s: 60,
            recovers,
        }),
        ..request(Deploy)
    }
}

pub(super) fn revision(number: u32, status: &str) -> Revision {
    Revision {
        number,
        status: ReleaseStatus::of(status),
        updated: "2026-11-27T08:00:00Z".parse().ok(),
        chart: "wall-1".into(),
        description: "".into(),
    }
}

pub(super) fn said(history: &[Revision], renders: Result<Vec<Rendered>, Safe>) -> AskedHelm {
    AskedHelm::Said(Box::new(Helm {
        version: "v3.19.0".into(),
        release: "wall-green".into(),
        history: history.to_vec(),
        renders,
    }))
}

fn rendered(kind: RenderedKind, name: &str, pairs: &[(&str, &str)]) -> Rendered {
    Rendered {
        kind,
        name: name.into(),
        namespace: None,
        labels: labels(pairs),
        targets: Vec::new(),
    }
}

fn planned(parts: Parts, asked: Option<AskedHelm>, recovers: bool) -> Result<Plan, Refusal> {
    let mut estate = parts.estate();
    estate.helm = asked;
    check(&by_helm(recovers), &estate, now(AT))
}

fn finding(plan: &Plan, name: &str) -> Option<Finding> {
    let gate = plan.gates.iter().find(|gate| gate.name.as_str() == name);
    gate.map(|gate| gate.finding)
}

#[test]
fn what_helm_finds_is_no_part_of_the_hash_that_is_confirmed() {
    let screen = planned(parts(), None, false).unwrap();
    assert_eq!(finding(&screen, "helm"), Some(Finding::Noted));
    assert_eq!(screen.release, None);
    let asked = said(&[revision(7, "deployed")], Ok(Vec::new()));
    let worker = planned(parts(), Some(asked), false).unwrap();
    assert_eq!(finding(&worker, "helm"), Some(Finding::Ok));
    assert_eq!(worker.hash, screen.hash);
    let release = worker.release.unwrap();
    assert_eq!(
        (release.name.as_str(), release.before),
        ("wall-green", Some(7))
    );
    // Which revision a recovery goes back to is confirmed.
    let recovery = |good| {
        let history = [revision(good, "deployed"), revision(9, "pending-upgrade")];
        planned(parts(), Some(said(&history, Ok(Vec::new()))), true).unwrap()
    };
    assert_ne!(recovery(7).hash, recovery(8).hash);
    assert_eq!(recovery(7).release.unwrap().back_to, Some(7));
}

#[test]
fn i_51_only_a_release_that_stands_is_upgraded_and_only_one_that_does_not_is_recovered() {
    for (status, upgraded, recovered) in [
        ("deployed", true, false),
        ("failed", true, true),
        ("uninstalled", true, false),
        ("pending-upgrade", false, true),
        ("pending-rollback", false, true),
        ("pending-install", false, true),
        ("uninstalling", false, false),
        ("unknown", false, false),
    ] {
        let old = revision(5, "superseded");
        let history = [old, revision(6, "deployed"), revision(7, status)];
        let may = |recovers| {
            let asked = said(&history, Ok(Vec::new()));
            planned(parts(), Some(asked), recovers).is_ok()
        };
        assert_eq!((may(false), may(true)), (upgraded, recovered), "{status}");
    }
    for asked in [
        AskedHelm::Unfit("no helm".into()),
        AskedHelm::Silent("no answer".into()),
        said(&[revision(1, "deployed")], Err("no chart".into())),
    ] {
        assert!(planned(parts(), Some(asked), false).is_err());
    }
}

#[test]
fn i_52_a_service_that_helm_would_delete_or_reselect_stops_it() {
    let may = |parts: Parts, rendered: &[Rendered]| {
        let asked = said(&[revision(1, "deployed")], Ok(rendered.to_vec()));
        planned(parts, Some(asked), false)
            .map(drop)
            .map_err(|it| it.why.to_string())
    };
    let name = parts().services[0].name.to_string();
    let selector = parts().services[0].selector.clone();
    let mut same = rendered(RenderedKind::Service, &name, &[]);
    same.labels = selector.clone();
    assert_eq!(may(parts(), &[same.clone()]), Ok(()));
    let mut other = same.clone();
    other.labels = selector.with(&"version".into(), &"green".into());
    assert!(
        may(parts(), &[other.clone()])
            .unwrap_err()
            .contains("version=green")
    );
    // Another namespace's is another Service.
    other.namespace = Some("elsewhere".into());
    assert_eq!(may(parts(), &[other]), Ok(()));
    let mut owned = parts();
    owned.services[0].owners = vec!["Helm release wall-green".into()];
    assert!(
        may(owned, &[])
            .unwrap_err()
            .contains("helm would delete it")
    );
}

#[test]
fn a_deployment_that_is_missing_is_installed_if_the_chart_renders_it() {
    let without = || {
        let mut parts = parts();
        parts
            .deployments
            .retain(|d| !d.name.contains("green-frontend"));
        parts
    };
    let asked = |rendered: Vec<Rendered>| Some(said(&[], Ok(rendered)));
    let labels = [("part", "frontend"), ("version", "green")];
    let new = rendered(RenderedKind::Deployment, "brand-new", &labels);
    let plan = planned(without(), asked(vec![new]), false).unwrap();
    assert_eq!(finding(&plan, "deployments"), Some(Finding::Noted));
    assert!(plan.rolls.contains(&"brand-new".into()), "{:?}", plan.rolls);
    for asked in [asked(Vec::new()), None] {
        let refusal = planned(without(), asked, false).unwrap_err();
        assert!(refusal.why.contains("install it first"), "{}", refusal.why);
    }
}

/// A rollback without colours.
fn restored(history: &[Revision]) -> Result<Plan, Refusal> {
    let mut estate = parts().estate();
    estate.scope.traffic = None;
    estate.helm = Some(said(history, Ok(Vec::new())));
    let request = Request {
        kind: Rollback,
        ..by_helm(true)
    };
    check(&request, &estate, now(AT))
}

#[test]
fn without_colours_helm_goes_back_to_the_revision_before_the_one_that_runs() {
    let back_to = |history: &[Revision]| restored(history).unwrap().release.unwrap().back_to;
    let described = |number, description: &str| Revision {
        description: description.into(),
        ..revision(number, "deployed")
    };
    let old = [revision(5, "superseded"), revision(6, "superseded")];
    let with = |last: Revision| [&old[..], &[last]].concat();
    assert_eq!(back_to(&with(revision(7, "deployed"))), Some(6));
    // Neither a failed revision nor one that is stuck ran: back is what was deployed before it.
    let deployed = [revision(6, "deployed"), revision(7, "failed")];
    assert_eq!(back_to(&deployed), Some(6));
    let stuck = [revision(6, "deployed"), revision(7, "pending-upgrade")];
    assert_eq!(back_to(&stuck), Some(6));
    // O06: and not a second time.
    let why = restored(&with(described(7, "Rollback to 5")))
        .unwrap_err()
        .why;
    assert!(why.contains("is a rollback already"), "{why}");
    for history in [
        &[][..],
        &[revision(1, "deployed")],
        &[revision(1, "uninstalled")],
    ] {
        assert!(restored(history).is_err(), "{history:?}");
    }
    let plan = restored(&with(revision(7, "deployed"))).unwrap();
    let steps: Vec<_> = plan.steps().iter().map(ToString::to_string).collect();
    assert_eq!(steps[0], "run", "{steps:?}");
    assert_eq!(steps.last().unwrap(), "restore", "{steps:?}");
}

#[test]
fn i_30_a_rollback_by_helm_that_got_half_way_is_gone_on_with_and_brings_back_nothing_that_it_left()
{
    let (upgrade, install, failed) = (
        "Upgrade \"wall\" failed: x",
        "Release \"wall\" failed: x",
        "Rollback \"wall\" failed: x",
    );
    let history = |of: &[(u32, &str, &str)]| {
        let revision = |&(number, status, said): &(u32, &str, &str)| Revision {
            description: said.into(),
            ..revision(number, status)
        };
        of.iter().map(revision).collect::<Vec<_>>()
    };
    let good = [(6, "superseded", ""), (7, "superseded", "")];
    let stuck: &[&[(u32, &str, &str)]] = &[
        // Its hook failed, or it was killed.
        &[
            (8, "deployed", ""),
            (9, "pending-rollback", "Rollback to 7"),
        ],
        // What it was to apply was refused: then helm marks what it left as superseded.
        &[(8, "superseded", ""), (9, "failed", failed)],
        &[(8, "superseded", upgrade), (9, "failed", failed)],
        // Several in a row.
        &[
            (8, "superseded", ""),
            (9, "superseded", failed),
            (10, "failed", failed),
        ],
        &[
            (8, "deployed", ""),
            (9, "superseded", "Rollback to 7"),
            (10, "failed", failed),
        ],
        // By hand, and waited for in vain.
        &[(8, "deployed", ""), (9, "failed", install)],
    ];
    for last in stuck {
        let all = history(&[&good[..], last].concat());
        let back_to = restored(&all).unwrap().release.unwrap().back_to;
        assert_eq!(back_to, Some(7), "{last:?}");
        // I-51: nor does a recovery.
        let recovery = planned(parts(), Some(said(&all, Ok(Vec::new()))), true).unwrap();
        assert_eq!(recovery.release.unwrap().back_to, Some(7), "{last:?}");
    }
    let back_to = |of: &[(u32, &str, &str)]| {
        let plan = restored(&history(&[&good[..], of].concat())).unwrap();
        plan.release.unwrap().back_to
    };
    // Whoever went further back, or forward again, is not followed to anything newer than both.
    let further = (8, "pending-rollback", "Rollback to 6");
    assert_eq!(back_to(&[further]), Some(6));
    let to_itself = (8, "pending-rollback", "Rollback to 7");
    assert_eq!(back_to(&[to_itself]), Some(7));
    let (undone, redone) = (
        (9, "superseded", "Rollback to 7"),
        (10, "pending-rollback", "Rollback to 8"),
    );
    assert_eq!(back_to(&[(8, "superseded", ""), undone, redone]), Some(7));
    // Upgraded over since: what is superseded was not all applied in full.
    let half = [(8, "superseded", ""), (9, "superseded", failed)];
    assert_eq!(back_to(&[half[0], half[1], (10, "deployed", "")]), Some(7));
    let whole = (9, "superseded", "Rollback to 7");
    assert_eq!(back_to(&[half[0], whole, (10, "deployed", "")]), Some(9));
    assert!(restored(&history(&[(1, "superseded", install), (2, "deployed", "")])).is_err());
}

#[test]
fn i_6_a_chart_that_has_the_live_service_lead_to_another_port_stops_it() {
    use crate::estate::PortTarget;
    let led = |port, target| PortTarget {
        name: None,
        port,
        target,
    };
    let named = || TargetPort::Named("web".into());
    let may = |targets: Vec<PortTarget>| {
        let mut parts = parts();
        parts.services[0].targets = vec![led(80, TargetPort::Number(8080)), led(81, named())];
        let service = &parts.services[0];
        let mut same = rendered(RenderedKind::Service, &service.name, &[]);
        (same.labels, same.targets) = (service.selector.clone(), targets);
        let asked = said(&[revision(1, "deployed")], Ok(vec![same]));
        (planned(parts, Some(asked), false).map(drop)).map_err(|it| it.why.to_string())
    };
    let web = || led(81, named());
    let plain = |port| led(80, TargetPort::Number(port));
    assert_eq!(may(vec![web(), plain(8080)]), Ok(()));
    assert_eq!(may(vec![web(), plain(8080), led(82, named())]), Ok(()));
    for (targets, words) in [
        (
            vec![web(), plain(9090)],
            "port 80 leading to 9090, and it leads to 8080 now",
        ),
        (vec![web()], "port 80 leading nowhere"),
        (
            vec![plain(8080), led(81, TargetPort::Named("metrics".into()))],
            "port 81 leading to metrics",
        ),
    ] {
        let why = may(targets).unwrap_err();
        assert!(why.contains(words), "{words} in {why}");
    }
}
