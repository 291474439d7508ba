//! Where a rollback goes, and where it does not.

use super::*;
use crate::estate::{Image, ReplicaSet};
use crate::ops::OperationKind::{Cutover, Repair, Rollback};

/// GREEN is live by a cutover that left BLUE with `left`, and BLUE runs `has` now.
fn after_a_cutover(left: &[&str], has: &str) -> Parts {
    let mut parts = parts();
    parts.services = vec![service("green")];
    marked(
        &mut parts.services[0],
        marks::FLIP,
        serde_json::json!({
            "at": "2026-11-26T02:00:00Z", "by": "alice", "from": "blue", "to": "green", "what": "cutover",
            "why": null, "operation": "01op", "images": ["v2"], "left": left,
        }),
    );
    for pod in parts.pods.iter_mut().filter(|p| p.name.contains("blue")) {
        for container in &mut pod.containers {
            container.image = Image::named(format!("shop/wall:{has}").into());
        }
    }
    parts
}

/// Somebody who wrote the colour's key.
fn manager(name: &str, at: &str) -> crate::estate::FieldManager {
    crate::estate::FieldManager {
        name: name.into(),
        at: at.parse().ok(),
        operation: "Update".into(),
        selector_keys: vec!["version".into()],
        owns_spec: false,
    }
}

#[test]
fn i_30_a_rollback_does_not_bring_live_what_was_deployed_since_traffic_left() {
    assert_eq!(
        asked(Rollback, after_a_cutover(&["v1"], "v1"))
            .unwrap()
            .to
            .as_str(),
        "blue"
    );
    // Another digest of the same tag is no reason to leave traffic where it is.
    assert!(asked(Rollback, after_a_cutover(&["v1 2b7496319c0d"], "v1")).is_ok());
    // Whoever moved the colour past Wheelhouse since may have had traffic anywhere.
    let mut past = after_a_cutover(&["v1"], "v9");
    past.services[0]
        .managers
        .push(manager("kubectl-patch", "2026-11-26T03:00:00Z"));
    assert!(asked(Rollback, past).is_ok());
    let (kind, why) = refused(Rollback, after_a_cutover(&["v1"], "v9"));
    assert_eq!(kind, RefusalKind::Invalid);
    for part in [
        "BLUE was never live as it is",
        "it runs v9",
        "ran v1",
        "--to blue",
    ] {
        assert!(why.contains(part), "{part} in {why}");
    }
    // Whoever names the colour means it.
    let named = Request {
        to: Some("blue".into()),
        ..request(Rollback)
    };
    let estate = after_a_cutover(&["v1"], "v9").estate();
    assert!(check(&named, &estate, now(AT)).is_ok());
}

#[test]
fn a_cutover_that_goes_back_to_what_traffic_left_says_so() {
    let said = |left: &[&str], has: &str| {
        let plan = asked(Cutover, after_a_cutover(left, has)).unwrap();
        let way = plan.way_back()?;
        assert_eq!(way.finding, Finding::Noted);
        Some(way.said.to_string())
    };
    let way = said(&["v1"], "v1").unwrap();
    let by = "traffic left BLUE at 2026-11-26T02:00:00Z by cutover 01op of alice";
    assert!(way.starts_with(by), "{way}");
    assert_eq!(said(&["v1"], "v9"), None);
    assert_eq!(said(&[], "v1"), None);
    // Somebody moved it since: what that flip left is over.
    let mut moved = after_a_cutover(&["v1"], "v1");
    moved.services[0].selector = service("blue").selector;
    assert!(asked(Cutover, moved).unwrap().way_back().is_none());
}

#[test]
fn i_30_a_meshs_proxy_before_the_application_hides_nothing_of_what_was_deployed() {
    let meshed = |has: &str| {
        let mut parts = after_a_cutover(&["v1"], has);
        for pod in &mut parts.pods {
            let mut proxy = pod.containers[0].clone();
            proxy.name = "linkerd-proxy".into();
            proxy.image = Image::named("cr.l5d.io/linkerd/proxy:2.14".into());
            pod.containers.insert(0, proxy);
        }
        asked(Rollback, parts)
    };
    assert!(meshed("v1").is_ok());
    let why = meshed("v9").unwrap_err().why;
    assert!(why.contains("it runs v9"), "{why}");
}

#[test]
fn i_30_a_pod_that_was_evicted_and_replaced_says_nothing_of_what_runs_there() {
    let mut parts = after_a_cutover(&["v1"], "v1");
    let blue = parts
        .pods
        .iter()
        .find(|p| p.name.as_str() == "blue-frontend");
    let mut evicted = blue.unwrap().clone();
    (evicted.name, evicted.uid) = ("blue-old".into(), "uid-blue-old".into());
    evicted.labels = (evicted.labels).with(&"pod-template-hash".into(), &"6f".into());
    evicted.containers[0].image = Image::named("shop/wall:v0".into());
    evicted.ready = false;
    evicted.phase = "Failed".into();
    evicted.reason = Some("Evicted: low on memory".into());
    parts.pods.push(evicted);
    let estate = parts.estate();
    assert!(!estate.colour_view(Some(0)).is_mixed());
    let plan = check(&request(Rollback), &estate, now(AT)).unwrap();
    assert_eq!(plan.to.as_str(), "blue");
}

#[test]
fn i_30_what_was_deployed_to_the_idle_colour_and_never_took_traffic_is_no_way_back() {
    let with = |what: &str, to: &str, has_flipped: bool| {
        let mut parts = parts();
        if has_flipped {
            let flip = serde_json::json!({
                "at": "2026-11-26T01:00:00Z", "by": "alice", "from": null, "to": "blue", "what": "cutover",
                "why": null, "operation": "00op", "images": ["v1"],
            });
            marked(&mut parts.services[0], marks::FLIP, flip);
        }
        let idle = parts
            .deployments
            .iter_mut()
            .find(|d| d.name.contains("green-frontend"));
        let idle = idle.unwrap();
        idle.images = vec![("frontend".into(), Image::named("shop/frontend:v2".into()))];
        let of = |tag: &str| [("frontend".into(), format!("shop/frontend:{tag}").into())].into();
        let mark = mark_of(&deployed_by_alice(what, of("v1"), of(to)));
        idle.marks = [mark].into_iter().collect();
        asked(Rollback, parts)
    };
    let why = with("deploy", "v2", true).unwrap_err().why;
    assert!(why.contains("no traffic was there since"), "{why}");
    // Where nobody flipped by Wheelhouse that is not known: it is said, and stops nobody.
    let plan = with("deploy", "v2", false).unwrap();
    let words: Vec<&str> = plan.gates.iter().map(|gate| gate.said.as_str()).collect();
    let words = words.join("; ");
    assert!(
        words.contains("whether traffic was there since is not known"),
        "{words}"
    );
    // Brought up as it was, cleaned up, or changed by somebody else since: that mark says nothing of what is there.
    assert!(with("deploy", "v1", true).is_ok());
    assert!(with("cleanup", "v2", true).is_ok());
}

/// BLUE is live since `moved`, by hand; GREEN's frontend ran `before`, and since 02:00 what its template says, with a sidecar.
fn by_hand(moved: Option<&str>, before: &[(&str, &str)]) -> Estate {
    let mut parts = parts();
    let by = |at| manager("kubectl-patch", at);
    parts.services[0].managers.extend(moved.map(by));
    let image = |words: &str| Image::named(format!("shop/{words}").into());
    let set = |revision: u64, images: &[(&str, &str)]| ReplicaSet {
        name: format!("green-frontend-{revision}").into(),
        owner: Some("digital-wall-green-frontend".into()),
        revision: Some(revision.to_string().into()),
        is_reused: false,
        desired: 0,
        ready: 0,
        available: 0,
        created: format!("2026-11-26T0{revision}:00:00Z").parse().ok(),
        images: (images.iter())
            .map(|(name, words)| ((*name).into(), image(words)))
            .collect(),
    };
    for deployment in &mut parts.deployments {
        deployment.revision = Some("2".into());
    }
    let mut estate = parts.estate();
    let sets = vec![
        set(1, before),
        set(2, &[("frontend", "wall:v9"), ("proxy", "proxy:1")]),
    ];
    estate.apply(Seen::ReplicaSets(Delta::Page(sets)), now(AT));
    estate.apply(Seen::ReplicaSets(Delta::Ended), now(AT));
    estate
}

#[test]
fn i_30_where_nobody_flipped_by_wheelhouse_the_replica_sets_tell_what_was_never_live() {
    let asked = |moved: Option<&str>, before: &[(&str, &str)]| {
        check(&request(Rollback), &by_hand(moved, before), now(AT)).map_err(|refusal| refusal.why)
    };
    let old = [("frontend", "wall:v8"), ("proxy", "proxy:1")];
    let why = asked(Some("2026-11-26T01:30:00Z"), &old).unwrap_err();
    for part in [
        "GREEN was never live as it is",
        "green-frontend",
        "02:00:00Z",
        "01:30:00Z",
        "--to green",
    ] {
        assert!(why.contains(part), "{part} in {why}");
    }
    // Moved since: it may have been live.
    assert!(asked(Some("2026-11-26T02:30:00Z"), &old).is_ok());
    // What cannot be told is no reason to leave traffic where it is.
    assert!(asked(None, &old).is_ok());
    // The same application: another sidecar, another digest of its tag.
    let sidecar = [("frontend", "wall:v9"), ("proxy", "proxy:0")];
    assert!(asked(Some("2026-11-26T01:30:00Z"), &sidecar).is_ok());
    let digest = [("frontend", "wall:v9@sha256:aa"), ("proxy", "proxy:1")];
    assert!(asked(Some("2026-11-26T01:30:00Z"), &digest).is_ok());
    // Whoever means it says so.
    let named = Request {
        to: Some("green".into()),
        ..request(Rollback)
    };
    let estate = by_hand(Some("2026-11-26T01:30:00Z"), &old);
    assert!(check(&named, &estate, now(AT)).is_ok());
}

#[test]
fn i_1_a_named_port_that_no_pod_has_is_no_target_of_a_rollback_either() {
    let with = |targets: &[&str], ports: &[(&str, u16)]| {
        let mut parts = parts();
        for target in targets {
            parts.services[0].targets.push(crate::estate::PortTarget {
                name: None,
                port: 80,
                target: TargetPort::Named((*target).into()),
            });
        }
        for pod in parts.pods.iter_mut().filter(|p| p.name.contains("green")) {
            let ports = ports.iter().map(|(name, port)| (Safe::from(*name), *port));
            pod.ports = ports.collect();
        }
        asked(Rollback, parts)
    };
    assert!(with(&["web"], &[("web", 8080)]).is_ok());
    let why = with(&["web"], &[("http", 8080)]).unwrap_err().why;
    assert!(why.contains("has a port named web"), "{why}");
    // One port that only the newer pods have is left out by Kubernetes: that is said, and keeps nobody from the others.
    let plan = with(&["web", "metrics"], &[("web", 8080)]).unwrap();
    let gate = plan.gates.iter().find(|gate| gate.name.as_str() == "ports");
    assert_eq!(gate.unwrap().finding, Finding::Noted);
}

#[test]
fn a_repair_is_not_planned_where_its_patch_would_be_refused() {
    let mut parts = reverted();
    let colour = |d: &&mut Deployment| d.name.contains("green") && d.name.contains("frontend");
    for deployment in parts.deployments.iter_mut().filter(|d| colour(d)) {
        deployment.updated = 0;
    }
    let (_, why) = refused(Repair, parts);
    assert!(why.starts_with("ready"), "{why}");
}

#[test]
fn i_13_a_repair_does_not_bring_live_what_was_deployed_since_it_was_meant() {
    let was = |images: &[&str]| {
        let mut parts = parts();
        meant(&mut parts.services[0], "green", images);
        parts
    };
    assert!(asked(Repair, was(&["v1", "4f2a91c 2b7496319c0d"])).is_ok());
    let (kind, why) = refused(Repair, was(&["v1"]));
    assert_eq!(kind, RefusalKind::Gate);
    for part in ["GREEN runs 4f2a91c", "ran v1", "cut over instead"] {
        assert!(why.contains(part), "{part} in {why}");
    }
    // The same tag, and another digest.
    let mut moved = was(&["4f2a91c 2b7496319c0d"]);
    for container in moved.pods.iter_mut().flat_map(|pod| &mut pod.containers) {
        container.image.digest = Some("sha256:0000000000000000".into());
    }
    assert!(refused(Repair, moved).1.starts_with("images:"));
    // Nobody passes over what is known.
    let over = |gate: &str| Request {
        overrides: [(gate.into(), "seen".into())].into(),
        ..request(Repair)
    };
    let estate = was(&["v1"]).estate();
    let refusal = check(&over("images"), &estate, now(AT)).unwrap_err();
    assert_eq!(refusal.kind, RefusalKind::Invalid, "{}", refusal.why);
    // What was not written down is not known.
    let estate = was(&[]).estate();
    let refusal = check(&request(Repair), &estate, now(AT)).unwrap_err();
    assert_eq!(refusal.kind, RefusalKind::Unknown, "{}", refusal.why);
    assert!(check(&over("digests"), &estate, now(AT)).is_ok());
    // Nobody is sent elsewhere.
    let mut keys = was(&["v1"]);
    keys.services[0].selector = labels(&[("app", "x"), ("version", "green")]);
    assert!(asked(Repair, keys).is_ok());
}

#[test]
fn i_5_no_repair_to_a_colour_that_shrank_since_it_was_meant() {
    let mut small = reverted();
    for deployment in &mut small.deployments {
        if deployment.name.contains("blue-frontend") {
            (deployment.ready, deployment.desired) = (3, 3);
        }
    }
    let (kind, why) = refused(Repair, small);
    assert_eq!(kind, RefusalKind::Gate);
    assert!(
        why.starts_with("capacity:") && why.contains("frontend 1 for 3"),
        "{why}"
    );
}

#[test]
fn i_5_what_a_held_autoscaler_brings_up_is_awaited_and_what_none_does_is_refused() {
    let with = |max: Option<u32>, desired: u32| {
        let mut parts = parts();
        for deployment in &mut parts.deployments {
            if deployment.name.contains("frontend") {
                let many = if deployment.name.contains("blue") {
                    3
                } else {
                    desired
                };
                for of in [
                    &mut deployment.desired,
                    &mut deployment.replicas,
                    &mut deployment.updated,
                    &mut deployment.ready,
                    &mut deployment.available,
                ] {
                    *of = many;
                }
            }
        }
        parts.autoscalers = max
            .map(|max| autoscaler("digital-wall-green-frontend", max))
            .into_iter()
            .collect();
        asked(Cutover, parts)
    };
    let plan = with(Some(5), 1).unwrap();
    let gate = plan
        .gates
        .iter()
        .find(|gate| gate.name.as_str() == "capacity");
    assert_eq!(gate.unwrap().finding, Finding::Noted);
    assert_eq!(plan.holds.len(), 1);
    assert_eq!(plan.holds[0].to, 3);
    for (max, desired) in [(None, 1), (Some(2), 1)] {
        let why = with(max, desired).unwrap_err().why;
        assert!(why.contains("frontend 1 for 3"), "{why}");
    }
}

#[test]
fn i_24_a_service_that_was_deleted_keeps_the_others_from_no_way_back() {
    let estate = |parts: Parts| {
        let mut estate = parts.estate();
        let switch = estate.scope.traffic.as_mut().unwrap();
        switch.services.insert(0, "digital-wall-api".into());
        estate
    };
    let live = estate(after_a_cutover(&["v1"], "v1"));
    let plan = check(&request(Rollback), &live, now(AT)).unwrap();
    let flipped: Vec<&str> = plan.flips.iter().map(|f| f.service.as_str()).collect();
    assert_eq!(flipped, ["digital-wall-service"]);
    assert_eq!(
        (plan.from.as_deref(), plan.to.as_str()),
        (Some("green"), "blue")
    );
    assert_eq!(plan.locks(), [Safe::from("digital-wall-service")]);
    let gate = (plan.gates.iter()).find(|gate| gate.name.as_str() == "absent");
    let said = &gate.unwrap().said;
    assert!(
        said.starts_with("there is no Service digital-wall-api"),
        "{said}"
    );
    // What is refused with all of them there is refused without one.
    let other = estate(after_a_cutover(&["v1"], "v9"));
    let why = check(&request(Rollback), &other, now(AT)).unwrap_err().why;
    assert!(why.contains("it runs v9"), "{why}");
    // Forward all of them move, or none.
    let why = check(&request(Cutover), &live, now(AT)).unwrap_err().why;
    assert!(why.contains("create it"), "{why}");
    let mut none = parts();
    none.services.clear();
    let why = check(&request(Rollback), &estate(none), now(AT))
        .unwrap_err()
        .why;
    assert!(
        why.contains("there is no Service digital-wall-api"),
        "{why}"
    );
}

/// Nobody can tell which of two revisions a tag means that both colours run with another digest each.
#[test]
fn a_tag_that_is_another_digest_in_the_other_colour_is_noted() {
    let gate = |green: &str| {
        let mut parts = parts();
        for pod in &mut parts.pods {
            let is_green = pod
                .labels
                .get("version")
                .is_some_and(|it| it.as_str() == "green");
            let digest = if is_green {
                green
            } else {
                "sha256:aaaaaaaaaaaaaaaa"
            };
            for container in &mut pod.containers {
                container.image.digest = Some(digest.into());
            }
        }
        let plan = asked(Cutover, parts).unwrap();
        let mut gates = plan.gates.into_iter();
        gates.find(|gate| gate.name.as_str() == "digests")
    };
    assert_eq!(gate("sha256:aaaaaaaaaaaaaaaa"), None);
    let gate = gate("sha256:bbbbbbbbbbbbbbbb").unwrap();
    assert_eq!(gate.finding, Finding::Noted);
    let words = "is bbbbbbbbbbbb here and aaaaaaaaaaaa in the other colour";
    assert!(gate.said.contains(words), "{}", gate.said);
}
