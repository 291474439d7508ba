//! The plan of a deploy, and of the way back where there are no colours.

use std::collections::BTreeMap;

use super::*;
use crate::estate::{Image, ReplicaSet};
use crate::ops::OperationKind::Deploy;
use crate::ops::marks::Deployed;

fn image(name: &str) -> Image {
    Image {
        name: name.into(),
        digest: None,
    }
}

/// As `parts`, with images: BLUE runs v1 of both, GREEN an older one and nothing of it.
fn versions() -> Parts {
    let mut parts = parts();
    for deployment in &mut parts.deployments {
        let is_blue = deployment.name.contains("blue");
        let part = if deployment.name.contains("front") {
            "frontend"
        } else {
            "backend"
        };
        let tag = if is_blue { "v1" } else { "v0" };
        deployment.images = vec![(part.into(), image(&format!("shop/{part}:{tag}")))];
        deployment.revision = Some("4".into());
        let many = if is_blue { 3 } else { 0 };
        let d = deployment;
        (d.desired, d.replicas, d.updated, d.ready, d.available) = (many, many, many, many, many);
    }
    parts.pods.retain(|pod| pod.name.contains("blue"));
    parts
}

fn wants(images: &[(&str, &str)]) -> Request {
    let images = images.iter().map(|(k, v)| ((*k).into(), (*v).into()));
    Request {
        images: images.collect(),
        ..request(Deploy)
    }
}

fn planned(images: &[(&str, &str)], parts: Parts) -> Plan {
    check(&wants(images), &parts.estate(), now(AT)).unwrap()
}

#[track_caller]
fn not_planned(request: &Request, parts: Parts) -> (RefusalKind, String) {
    let refusal = check(request, &parts.estate(), now(AT)).expect_err("it is allowed");
    (refusal.kind, refusal.why.to_string())
}

fn gate<'a>(plan: &'a Plan, words: &str) -> Option<&'a Gate> {
    plan.gates.iter().find(|gate| gate.said.contains(words))
}

#[test]
fn i_6_a_deploy_is_to_the_idle_colour_whichever_that_is_and_leaves_the_live_one_alone() {
    for (live, idle) in [("blue", "green"), ("green", "blue")] {
        let mut parts = versions();
        parts.services = vec![service(live)];
        parts.pods.retain(|_| live == "blue");
        let plan = planned(&[("frontend", ":v2"), ("backend", ":v2")], parts);
        assert_eq!(plan.to.as_str(), idle);
        assert!(!plan.updates.is_empty());
        for update in &plan.updates {
            assert!(update.deployment.contains(idle), "{}", update.deployment);
        }
        // I-52: what the Services select is written down, to be read again at the end.
        let kept: Vec<&str> = (plan.keeps.values())
            .filter_map(|s| Some(s.get("version")?.as_str()))
            .collect();
        assert_eq!(kept, [live]);
    }
    let to_blue = Request {
        to: Some("blue".into()),
        ..wants(&[("frontend", ":v2")])
    };
    let (kind, why) = not_planned(&to_blue, versions());
    assert_eq!(kind, RefusalKind::Invalid);
    assert!(
        why.contains("BLUE is live: a deploy goes to the idle colour, GREEN"),
        "{why}"
    );
}

#[test]
fn i_6_without_one_live_colour_nothing_is_idle() {
    let mut parts = versions();
    parts.services[0].selector = labels(&[("part", "frontend")]);
    let (kind, why) = not_planned(&wants(&[("frontend", ":v2")]), parts);
    assert_eq!(kind, RefusalKind::Invalid);
    assert!(why.contains("which colour is idle?"), "{why}");
}

#[test]
fn a_deploy_scales_from_0_to_what_is_live_and_gives_parts_that_are_not_named_what_is_live() {
    let plan = planned(&[("frontend", ":v2")], versions());
    let told: Vec<_> = (plan.updates.iter())
        .map(|u| {
            (
                u.containers[0].from.as_str(),
                u.containers[0].to.as_str(),
                u.to_replicas,
            )
        })
        .collect();
    // In the order of the configuration: the frontend first.
    let wanted = [
        ("shop/frontend:v0", "shop/frontend:v2", 3),
        ("shop/backend:v0", "shop/backend:v1", 3),
    ];
    assert_eq!(told, wanted);
    assert!(gate(&plan, "backend is not named").is_some());
    assert!(gate(&plan, "digital-wall-green-frontend 0 → 3").is_some());
    let steps: Vec<String> = plan.steps().iter().map(ToString::to_string).collect();
    let wanted = [
        "check",
        "update digital-wall-green-frontend",
        "update digital-wall-green-backend",
        "roll out digital-wall-green-frontend",
        "roll out digital-wall-green-backend",
        "verify",
    ];
    let mut sorted = [steps.clone(), Vec::from(wanted.map(String::from))];
    sorted.iter_mut().for_each(|all| all.sort());
    assert_eq!(sorted[0], sorted[1]);
    assert_eq!((steps[0].as_str(), steps[5].as_str()), ("check", "verify"));
    assert_eq!(plan.locks(), [Safe::from("digital-wall-service")]);
}

#[test]
fn i_40_a_colour_that_still_serves_is_not_deployed_to() {
    let mut parts = versions();
    parts
        .pods
        .push(pod("green-frontend", "frontend", "green", true));
    let mut estate = parts.estate();
    let draining = Slice {
        name: "other".into(),
        service: "digital-wall-service".into(),
        managed_by: None,
        endpoints: vec![Endpoint {
            ready: false,
            serving: true,
            terminating: true,
            target: Some("uid-green-frontend".into()),
            address: "10.0.0.2".into(),
        }],
    };
    estate.apply(Seen::Slices(Delta::Page(vec![draining])), now(AT));
    let refusal = check(&wants(&[("frontend", ":v2")]), &estate, now(AT)).unwrap_err();
    assert_eq!(refusal.kind, RefusalKind::Gate);
    assert!(
        refusal.why.contains("1 endpoints of GREEN still serve"),
        "{}",
        refusal.why
    );
}

#[test]
fn a_container_is_named_where_a_pod_has_several() {
    let several = || {
        let mut parts = versions();
        for deployment in &mut parts.deployments {
            deployment
                .images
                .push(("proxy".into(), image("mesh/proxy:7")));
        }
        parts
    };
    let (_, why) = not_planned(&wants(&[("frontend", ":v2")]), several());
    assert!(
        why.contains("containers frontend, proxy: say which, as frontend/frontend="),
        "{why}"
    );
    let (_, why) = not_planned(&wants(&[("frontend/web", ":v2")]), several());
    assert!(
        why.contains("frontend has no container web; it has frontend, proxy"),
        "{why}"
    );
    let plan = planned(&[("frontend/proxy", ":8")], several());
    let front = plan.update("digital-wall-green-frontend").unwrap();
    let images: Vec<&str> = front.containers.iter().map(|c| c.to.as_str()).collect();
    assert_eq!(images, ["shop/frontend:v1", "mesh/proxy:8"]);
}

#[test]
fn what_cannot_be_deployed_is_told_with_what_there_is() {
    let of = |images: &[(&str, &str)]| not_planned(&wants(images), versions()).1;
    assert!(of(&[]).contains("which image?"));
    assert!(
        of(&[("mobile", ":v2")])
            .contains("there is no workload mobile; there are frontend and backend")
    );
    assert!(of(&[("frontend", "a b")]).contains("is no image"));
    let mut gone = versions();
    gone.deployments
        .retain(|d| d.name.as_str() != "digital-wall-green-backend");
    let (kind, why) = not_planned(&wants(&[("frontend", ":v2")]), gone);
    assert_eq!(kind, RefusalKind::Gate);
    assert!(why.contains("no Deployment of backend in GREEN"), "{why}");
    let mut paused = versions();
    paused.deployments[2].paused = true;
    assert!(
        not_planned(&wants(&[("frontend", ":v2")]), paused)
            .1
            .contains("is paused")
    );
}

#[test]
fn o03_the_hash_of_a_deploy_moves_with_the_template_and_not_with_a_resource_version() {
    let hash = |tag: &str, parts: Parts| planned(&[("frontend", tag)], parts).hash;
    let first = hash(":v2", versions());
    let mut churned = versions();
    churned.deployments[2].resource_version = "99".into();
    assert_eq!(hash(":v2", churned), first);
    assert_ne!(hash(":v3", versions()), first);
    let mut other = versions();
    other.deployments[2].revision = Some("5".into());
    assert_ne!(hash(":v2", other), first);
}

#[test]
fn k02_a_deploy_says_who_would_put_the_image_back() {
    let mut parts = versions();
    for deployment in &mut parts.deployments {
        deployment.owners = vec!["Argo CD shop".into()];
    }
    let plan = planned(&[("frontend", ":v2")], parts);
    assert!(gate(&plan, "Argo CD shop manages digital-wall-green-frontend").is_some());
}

/// The same without colours: only what was BLUE is there.
fn in_place() -> Estate {
    let mut parts = versions();
    parts.deployments.retain(|d| d.name.contains("blue"));
    let mut estate = parts.estate();
    estate.scope.traffic = None;
    estate
}

#[test]
fn without_colours_a_deploy_is_in_place_and_locks_the_deployments() {
    let estate = in_place();
    let plan = check(&wants(&[("frontend", ":v2")]), &estate, now(AT)).unwrap();
    assert!(plan.is_in_place());
    assert_eq!(plan.updates.len(), 1, "what is not named stays");
    assert_eq!(plan.updates[0].to_replicas, 3);
    assert_eq!(plan.title(), "deploy to production");
    let mut leases: Vec<String> = plan.locks().iter().map(|l| marks::lease_name(l)).collect();
    leases.sort();
    assert_eq!(
        leases,
        [
            "wheelhouse-deployment-digital-wall-blue-backend",
            "wheelhouse-deployment-digital-wall-blue-frontend"
        ]
    );
    assert!(plan.back.contains("rollback production"), "{}", plan.back);
}

/// What a deploy of v1 in place of v0, or its rollback, left on the frontend.
fn deployed(what: &str) -> (Safe, Safe) {
    let of =
        |tag: &str| BTreeMap::from([("frontend".into(), format!("shop/frontend:{tag}").into())]);
    mark_of(&deployed_by_alice(what, of("v0"), of("v1")))
}

#[test]
fn without_colours_a_rollback_restores_the_images_that_the_deployment_remembers() {
    let with = |what: Option<&str>| {
        let mut estate = in_place();
        let mut all: Vec<Deployment> = estate.deployments.value.iter().cloned().collect();
        for deployment in all.iter_mut().filter(|d| d.name.contains("frontend")) {
            deployment.marks = what.map(deployed).into_iter().collect();
        }
        estate.apply(Seen::Deployments(Delta::Page(all)), now(AT));
        check(&request(Rollback), &estate, now(AT))
    };
    let plan = with(Some("deploy")).unwrap();
    assert_eq!(plan.updates.len(), 1);
    assert_eq!(
        plan.updates[0].containers[0].to.as_str(),
        "shop/frontend:v0"
    );
    assert_eq!(plan.title(), "roll back production to what ran before");
    // O06: and not a second time.
    let why = with(Some("rollback")).unwrap_err().why;
    assert!(why.contains("alice rolled production back at"), "{why}");
    let why = with(None).unwrap_err().why;
    assert!(why.contains("Wheelhouse deployed nothing there"), "{why}");
}

/// A ReplicaSet of the frontend in place.
fn set(revision: u32, tag: &str, made: &str) -> ReplicaSet {
    ReplicaSet {
        name: format!("set-{revision}").into(),
        owner: Some("digital-wall-blue-frontend".into()),
        revision: Some(revision.to_string().into()),
        is_reused: false,
        desired: 3,
        ready: 3,
        available: 3,
        created: made.parse().ok(),
        images: vec![(
            "frontend".into(),
            Image::named(format!("shop/frontend:{tag}").into()),
        )],
    }
}

/// The estate without colours, its frontend at revision 4, with what Wheelhouse left there and the ReplicaSets.
fn at_revision_4(tag: &str, mark: Option<(Safe, Safe)>, sets: Vec<ReplicaSet>) -> Estate {
    let mut estate = in_place();
    let mut all: Vec<Deployment> = estate.deployments.value.iter().cloned().collect();
    for deployment in all.iter_mut().filter(|d| d.name.contains("frontend")) {
        deployment.revision = Some("4".into());
        deployment.marks = mark.clone().into_iter().collect();
        for (_, image) in &mut deployment.images {
            *image = Image::named(format!("shop/frontend:{tag}").into());
        }
    }
    estate.apply(Seen::Deployments(Delta::Page(all)), now(AT));
    estate.apply(Seen::ReplicaSets(Delta::Page(sets)), now(AT));
    estate
}

#[test]
fn without_colours_what_others_deployed_goes_back_to_the_revision_before_and_not_to_what_wheelhouse_knew()
 {
    let sets = || {
        vec![
            set(2, "v1", "2026-11-26T02:00:00Z"),
            set(3, "v8", "2026-11-26T03:00:00Z"),
            set(4, "v9", "2026-11-26T04:00:00Z"),
        ]
    };
    // Wheelhouse once deployed v1 in place of v0; since then somebody else did v8 and v9.
    for mark in [Some(deployed("deploy")), Some(deployed("rollback")), None] {
        let estate = at_revision_4("v9", mark, sets());
        let plan = check(&request(Rollback), &estate, now(AT)).unwrap();
        assert_eq!(plan.updates.len(), 1);
        assert_eq!(
            plan.updates[0].containers[0].to.as_str(),
            "shop/frontend:v8"
        );
        let words = plan.gates.iter().map(|gate| gate.said.as_str());
        let words = words.collect::<Vec<_>>().join("; ");
        assert!(
            words.contains("digital-wall-blue-frontend to revision 3"),
            "{words}"
        );
    }
    // A restart is a revision, and none with other images.
    let mut restarted = sets();
    restarted[1] = set(3, "v9", "2026-11-26T03:00:00Z");
    let estate = at_revision_4("v9", None, restarted);
    let plan = check(&request(Rollback), &estate, now(AT)).unwrap();
    assert_eq!(
        plan.updates[0].containers[0].to.as_str(),
        "shop/frontend:v1"
    );
    // Other containers are another template.
    let mut other = sets();
    other[1]
        .images
        .push(("sidecar".into(), Image::named("proxy:1".into())));
    let estate = at_revision_4("v9", None, other);
    let why = check(&request(Rollback), &estate, now(AT)).unwrap_err().why;
    assert!(why.contains("had other containers in revision 3"), "{why}");
    // Without helm's word the images alone go back, past it.
    let mut estate = at_revision_4("v9", None, sets());
    estate.helm = Some(crate::estate::helm::AskedHelm::Unfit("no helm".into()));
    let by_helm = Request {
        kind: Rollback,
        ..super::helm::by_helm(true)
    };
    let plan = check(&by_helm, &estate, now(AT)).unwrap();
    assert_eq!(plan.how, How::Image);
    assert_eq!(plan.updates.len(), 1);
    assert!(
        plan.gates
            .iter()
            .any(|gate| gate.said.contains("no helm; the images alone go back"))
    );
    // Who went back already has the older set as the newest revision.
    let mut undone = sets();
    undone[2].created = "2026-11-26T01:00:00Z".parse().ok();
    let estate = at_revision_4("v9", None, undone);
    let why = check(&request(Rollback), &estate, now(AT)).unwrap_err().why;
    assert!(why.contains("was rolled back already"), "{why}");
}

#[test]
fn without_colours_a_rollback_that_got_half_way_is_gone_on_with() {
    let mut estate = in_place();
    let mut all: Vec<Deployment> = estate.deployments.value.iter().cloned().collect();
    for deployment in &mut all {
        let (name, _) = deployment.images[0].clone();
        let is_done = name.contains("frontend");
        let image = |tag: &str| Safe::from(format!("shop/{name}:{tag}"));
        let has = if is_done { "v0" } else { "v1" };
        deployment.images = vec![(name.clone(), Image::named(image(has)))];
        let of = |tag: &str| BTreeMap::from([(name.clone(), image(tag))]);
        let deploy = deployed_by_alice("deploy", of("v0"), of("v1"));
        let mark = match is_done {
            false => deploy,
            true => Deployed {
                at: "2026-11-26T03:00:00Z".parse().unwrap(),
                operation: "02back".into(),
                undoes: Some("01op".into()),
                ..deployed_by_alice("rollback", of("v1"), of("v0"))
            },
        };
        deployment.marks = [mark_of(&mark)].into_iter().collect();
    }
    estate.apply(Seen::Deployments(Delta::Page(all)), now(AT));
    let plan = check(&request(Rollback), &estate, now(AT)).unwrap();
    let to: Vec<&str> = plan
        .updates
        .iter()
        .map(|u| u.containers[0].to.as_str())
        .collect();
    assert_eq!(to, ["shop/backend:v0"]);
}

#[test]
fn without_colours_half_a_rollback_by_revisions_is_gone_on_with() {
    let of = |part: &str, tag: &str| Image::named(format!("shop/{part}:{tag}").into());
    let set_of = |part: &str, revision: u32, tag: &str, made: &str| ReplicaSet {
        name: format!("{part}-{revision}").into(),
        owner: Some(format!("digital-wall-blue-{part}").into()),
        images: vec![(part.into(), of(part, tag))],
        ..set(revision, tag, made)
    };
    // Somebody gave both v9; R took the frontend back, and its worker died.
    let mut estate = in_place();
    let mut all: Vec<Deployment> = estate.deployments.value.iter().cloned().collect();
    for deployment in &mut all {
        let is_done = deployment.name.contains("frontend");
        let part = if is_done { "frontend" } else { "backend" };
        let has = of(part, if is_done { "v8" } else { "v9" });
        deployment.revision = Some(if is_done { "5" } else { "4" }.into());
        deployment.images = vec![(part.into(), has)];
        let image = |tag: &str| BTreeMap::from([(part.into(), of(part, tag).name)]);
        let mark = Deployed {
            at: "2026-11-26T05:00:00Z".parse().unwrap(),
            ..deployed_by_alice("rollback", image("v9"), image("v8"))
        };
        let mark = mark_of(&mark);
        deployment.marks = is_done.then_some(mark).into_iter().collect();
    }
    estate.apply(Seen::Deployments(Delta::Page(all)), now(AT));
    let sets = |made: &str| {
        vec![
            set_of("frontend", 5, "v8", "2026-11-26T02:00:00Z"),
            set_of("frontend", 4, "v9", "2026-11-26T04:00:00Z"),
            set_of("backend", 3, "v8", "2026-11-26T02:00:00Z"),
            set_of("backend", 4, "v9", made),
        ]
    };
    let planned = |made: &str| {
        let mut estate = estate.clone();
        estate.apply(Seen::ReplicaSets(Delta::Page(sets(made))), now(AT));
        check(&request(Rollback), &estate, now(AT))
    };
    let plan = planned("2026-11-26T04:01:00Z").unwrap();
    let to: Vec<&str> = (plan.updates.iter())
        .map(|u| u.containers[0].to.as_str())
        .collect();
    assert_eq!(to, ["shop/backend:v8"]);
    // What was changed at another time is nothing that this one was to take back.
    let why = planned("2026-11-26T01:00:00Z").unwrap_err().why;
    assert!(why.contains("that runs"), "{why}");
}

#[test]
fn i_24_a_release_without_a_revision_to_go_back_to_keeps_nobody_from_the_images_before() {
    use super::helm::{by_helm, revision, said};
    let request = Request {
        kind: Rollback,
        ..by_helm(true)
    };
    let sets = || {
        vec![
            set(3, "v8", "2026-11-26T03:00:00Z"),
            set(4, "v9", "2026-11-26T04:00:00Z"),
        ]
    };
    let planned = |history: &[crate::estate::helm::Revision]| {
        let mut estate = at_revision_4("v9", None, sets());
        estate.helm = Some(said(history, Ok(Vec::new())));
        check(&request, &estate, now(AT))
    };
    for history in [
        &[][..],
        &[revision(8, "deployed")],
        &[revision(8, "superseded")],
        &[revision(8, "uninstalled")],
    ] {
        let plan = planned(history).unwrap();
        assert!(plan.how.is_image(), "{history:?}");
        assert_eq!(
            plan.updates[0].containers[0].to.as_str(),
            "shop/frontend:v8"
        );
        let gate = plan.gates.iter().find(|gate| gate.name.as_str() == "helm");
        let said = &gate.unwrap().said;
        assert!(
            said.contains("the images alone go back, past helm"),
            "{said}"
        );
    }
    // What is there to go back to is gone back to, and not twice.
    let both = [revision(7, "superseded"), revision(8, "deployed")];
    assert!(!planned(&both).unwrap().how.is_image());
    let mut back = both;
    back[1].description = "Rollback to 6".into();
    let why = planned(&back).unwrap_err().why;
    assert!(why.contains("is a rollback already"), "{why}");
}

#[test]
fn rule_13_a_deploy_in_place_is_asked_what_a_cutover_is_asked() {
    use super::monitoring::{errors_fire, scope, seen};
    use crate::estate::Approver;
    let asked = |over: &[&str], change: &dyn Fn(&mut Estate)| {
        let mut estate = in_place();
        estate.user = Some("dave".into());
        change(&mut estate);
        let over = over.iter().map(|gate| ((*gate).into(), "known".into()));
        let request = Request {
            overrides: over.collect(),
            ..wants(&[("frontend", ":v2")])
        };
        check(&request, &estate, now(AT)).map_err(|it| (it.kind, it.why.to_string()))
    };
    let free = asked(&[], &|_| {}).unwrap();
    let fires = |estate: &mut Estate| estate.alerts = Some(seen(scope(), vec![errors_fire()]));
    let (kind, why) = asked(&[], &fires).unwrap_err();
    assert_eq!(kind, RefusalKind::Gate);
    assert!(why.starts_with("alert:HighErrorRate"), "{why}");
    let plan = asked(&["alert:HighErrorRate"], &fires).unwrap();
    assert!(plan.is_overridden(&"alert:HighErrorRate".into()));
    assert_eq!(plan.hash, free.hash, "it is asked anew each time");

    let smoke = |estate: &mut Estate| estate.scope.needs_smoke = true;
    let plan = asked(&[], &smoke).unwrap();
    let said = plan
        .gates
        .iter()
        .find(|gate| gate.name.as_str() == "unwatched")
        .unwrap();
    assert!(
        said.said
            .starts_with("a smoke test before traffic comes is demanded"),
        "{}",
        said.said
    );
    assert!(
        !free
            .gates
            .iter()
            .any(|gate| gate.name.as_str() == "unwatched")
    );

    let ci = |estate: &mut Estate| estate.scope.needs_ci = true;
    let (kind, why) = asked(&[], &ci).unwrap_err();
    assert_eq!(kind, RefusalKind::Unknown);
    assert!(why.starts_with("ci: v2 names no commit"), "{why}");
    assert!(asked(&["ci"], &ci).is_ok());

    let other = |estate: &mut Estate| estate.scope.approval.by = Approver::Other;
    for over in [&[][..], &["unapproved"]] {
        let (_, why) = asked(over, &other).unwrap_err();
        assert!(why.contains("can be asked none"), "{why}");
    }
}

#[test]
fn rule_13_nothing_is_asked_of_the_way_back_in_place() {
    use super::monitoring::{errors_fire, scope, seen};
    let sets = vec![
        set(3, "v8", "2026-11-26T03:00:00Z"),
        set(4, "v9", "2026-11-26T04:00:00Z"),
    ];
    let mut estate = at_revision_4("v9", None, sets);
    estate.alerts = Some(seen(scope(), vec![errors_fire()]));
    estate.scope.approval.by = crate::estate::Approver::Other;
    estate.scope.needs_ci = true;
    estate.user = Some("dave".into());
    assert!(check(&request(Rollback), &estate, now(AT)).is_ok());
}
