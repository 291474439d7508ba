//! Each gate, seen to open and to close.

mod approval;
mod back;
mod ci;
mod deploy;
mod helm;
mod in_place;
mod tested;

use super::*;
use crate::estate::fold::tests::now;
use crate::estate::pods::tests::{labels, pod, scope};
use crate::estate::{
    Autoscaler, Delta, Deployment, Endpoint, Granted, Kind, Lease, Need, Seen, Service, Slice,
    TargetPort, Verdict,
};
use crate::ops::marks;

const AT: u64 = 1_000;

fn deployment(part: &str, colour: &str) -> Deployment {
    Deployment {
        name: format!("digital-wall-{colour}-{part}").into(),
        uid: "u".into(),
        resource_version: "1".into(),
        marks: Labels::default(),
        has_annotations: true,
        match_labels: Labels::default(),
        template_labels: labels(&[("part", part), ("version", colour)]),
        created: None,
        generation: 3,
        observed_generation: 3,
        desired: 1,
        replicas: 1,
        updated: 1,
        ready: 1,
        available: 1,
        paused: false,
        conditions: Vec::new(),
        images: Vec::new(),
        revision: None,
        helm_release: None,
        owners: Vec::new(),
    }
}

fn service(colour: &str) -> Service {
    Service {
        name: "digital-wall-service".into(),
        uid: "service-uid".into(),
        resource_version: "1".into(),
        selector: labels(&[("part", "frontend"), ("version", colour)]),
        kind: "ClusterIP".into(),
        ports: Vec::new(),
        targets: Vec::new(),
        marks: Labels::default(),
        has_annotations: true,
        owners: Vec::new(),
        created: None,
        managers: Vec::new(),
    }
}

/// What an estate is made of, to be changed before it is.
struct Parts {
    pods: Vec<crate::estate::Pod>,
    services: Vec<Service>,
    deployments: Vec<Deployment>,
    autoscalers: Vec<Autoscaler>,
    leases: Vec<Lease>,
}

/// BLUE is live, GREEN is as large and as well.
fn parts() -> Parts {
    let each = |of: fn(&str, &str) -> crate::estate::Pod| {
        ["blue", "green"]
            .map(|c| ["frontend", "backend"].map(|p| of(p, c)))
            .concat()
    };
    let both = ["blue", "green"].map(|c| ["frontend", "backend"].map(|p| deployment(p, c)));
    Parts {
        pods: each(|part, colour| pod(&format!("{colour}-{part}"), part, colour, true)),
        services: vec![service("blue")],
        deployments: both.into_iter().flatten().collect(),
        autoscalers: Vec::new(),
        leases: Vec::new(),
    }
}

impl Parts {
    fn estate(self) -> Estate {
        let mut estate = Estate::new(scope(), None);
        let endpoint = |uid: &str| Endpoint {
            ready: true,
            serving: true,
            terminating: false,
            target: Some(uid.into()),
            address: "10.0.0.1".into(),
        };
        let slices = vec![Slice {
            name: "s".into(),
            service: "digital-wall-service".into(),
            managed_by: None,
            endpoints: vec![endpoint("uid-blue-frontend")],
        }];
        for seen in [
            Seen::Pods(Delta::Page(self.pods)),
            Seen::Pods(Delta::Ended),
            Seen::Services(Delta::Page(self.services)),
            Seen::Services(Delta::Ended),
            Seen::Deployments(Delta::Page(self.deployments)),
            Seen::Deployments(Delta::Ended),
            Seen::Slices(Delta::Page(slices)),
            Seen::Slices(Delta::Ended),
            Seen::Autoscalers(Delta::Page(self.autoscalers)),
            Seen::Autoscalers(Delta::Ended),
            Seen::Leases(Delta::Page(self.leases)),
            Seen::Leases(Delta::Ended),
            Seen::Policies(Delta::Ended),
        ] {
            estate.apply(seen, now(AT));
        }
        for kind in Kind::ALL {
            estate.apply(Seen::Opened(kind), now(AT));
        }
        estate
    }
}

fn request(kind: OperationKind) -> Request {
    Request {
        reason: Some("release 42".into()),
        ..Request::new(kind)
    }
}

fn asked(kind: OperationKind, parts: Parts) -> Result<Plan, Refusal> {
    check(&request(kind), &parts.estate(), now(AT))
}

#[track_caller]
fn refused(kind: OperationKind, parts: Parts) -> (RefusalKind, String) {
    let refusal = asked(kind, parts).expect_err("it is allowed");
    (refusal.kind, refusal.why.to_string())
}

use OperationKind::{Cutover, Repair, Rollback};

mod monitoring;
mod policy;

#[test]
fn i_15_a_cutover_changes_the_colour_key_alone() {
    let plan = asked(Cutover, parts()).unwrap();
    let flip = &plan.flips[0];
    assert_eq!(
        flip.to,
        labels(&[("part", "frontend"), ("version", "green")])
    );
    assert_eq!(
        (plan.from.as_deref(), plan.to.as_str()),
        (Some("blue"), "green")
    );
    assert_eq!(plan.least.values().copied().collect::<Vec<_>>(), [1]);
}

#[test]
fn i_1_no_cutover_to_a_colour_without_ready_pods_behind_the_whole_selector() {
    let mut ill = parts();
    ill.pods.retain(|p| p.name.as_str() != "green-frontend");
    let (kind, why) = refused(Cutover, ill);
    assert_eq!(kind, RefusalKind::Gate);
    assert!(
        why.contains("no ready pod of GREEN matches the whole selector"),
        "{why}"
    );
}

#[test]
fn k08_a_ready_pod_that_lacks_one_key_of_the_selector_does_not_count() {
    let mut other = parts();
    for pod in &mut other.pods {
        if pod.name.as_str() == "green-frontend" {
            pod.labels = labels(&[("part", "elsewhere"), ("version", "green")]);
        }
    }
    assert!(refused(Cutover, other).1.starts_with("match:"));
}

#[test]
fn i_2_no_cutover_before_the_generation_is_observed_and_saturated() {
    let mut late = parts();
    late.deployments[2].generation = 4;
    assert_eq!(refused(Cutover, late).0, RefusalKind::Unknown);
    let mut old = parts();
    old.deployments[2].replicas = 2;
    let (kind, why) = refused(Cutover, old);
    assert_eq!(kind, RefusalKind::Gate);
    assert!(why.contains("1 old pods left"), "{why}");
}

#[test]
fn i_5_no_cutover_to_a_colour_that_is_smaller_than_what_is_live() {
    let mut small = parts();
    (small.deployments[0].ready, small.deployments[0].desired) = (3, 3);
    let (_, why) = refused(Cutover, small);
    assert!(why.contains("frontend 1 for 3"), "{why}");
}

/// One of the Deployment of that name, with at least 2 pods.
fn autoscaler(name: &str, max: u32) -> Autoscaler {
    Autoscaler {
        name: name.into(),
        uid: "u".into(),
        resource_version: "1".into(),
        marks: Labels::default(),
        has_annotations: false,
        target_kind: "Deployment".into(),
        target: name.into(),
        min: 2,
        max,
        current: 4,
        desired: 4,
        metrics: Vec::new(),
        conditions: Vec::new(),
    }
}

#[test]
fn i_5_both_autoscalers_are_held_at_what_runs_now() {
    let mut scaled = parts();
    for deployment in &mut scaled.deployments {
        let d = deployment;
        (d.ready, d.desired, d.replicas, d.updated, d.available) = (4, 4, 4, 4, 4);
        scaled.autoscalers.push(autoscaler(&d.name, 10));
    }
    let plan = asked(Cutover, scaled).unwrap();
    let held: Vec<(u32, u32)> = plan.holds.iter().map(|h| (h.from, h.to)).collect();
    assert_eq!(held, [(2, 4); 4]);
}

#[test]
fn i_5_autoscalers_that_may_not_be_read_are_unknown_and_an_api_without_them_has_none() {
    use crate::estate::{Fault, FaultKind};
    let unread = |kind| {
        let mut estate = parts().estate();
        let what = "horizontalpodautoscalers is forbidden".into();
        let fault = Fault { kind, what };
        estate.apply(Seen::Failed(Kind::HorizontalPodAutoscalers, fault), now(AT));
        estate
    };
    let forbidden = unread(FaultKind::Forbidden);
    let refusal = check(&request(Cutover), &forbidden, now(AT)).unwrap_err();
    assert_eq!(refusal.kind, RefusalKind::Unknown);
    assert!(
        refusal.why.starts_with("autoscalers: cannot be seen"),
        "{}",
        refusal.why
    );
    let over = Request {
        overrides: [("autoscalers".into(), "there are none".into())].into(),
        ..request(Cutover)
    };
    assert!(check(&over, &forbidden, now(AT)).is_ok());
    assert!(check(&request(Rollback), &forbidden, now(AT)).is_ok());
    let missing = unread(FaultKind::Missing);
    let plan = check(&request(Cutover), &missing, now(AT)).unwrap();
    let gate = plan
        .gates
        .iter()
        .find(|gate| gate.name.as_str() == "autoscalers");
    assert_eq!(gate.unwrap().finding, Finding::Noted);
}

#[test]
fn a_named_port_that_the_pods_do_not_have_is_refused() {
    let mut named = parts();
    named.services[0].targets.push(crate::estate::PortTarget {
        name: None,
        port: 80,
        target: TargetPort::Named("web".into()),
    });
    assert!(refused(Cutover, named).1.contains("no port named web"));
}

#[test]
fn i_20_a_cutover_to_the_live_colour_patches_nothing_and_verifies() {
    let to_blue = Request {
        to: Some("BLUE".into()),
        ..request(Cutover)
    };
    let plan = check(&to_blue, &parts().estate(), now(AT)).unwrap();
    assert!(plan.flips.is_empty());
    let steps: Vec<String> = plan.steps().iter().map(ToString::to_string).collect();
    assert_eq!(
        steps,
        [
            "check",
            "hold",
            "move digital-wall-service",
            "watch",
            "restore"
        ]
    );
}

#[test]
fn a_selector_that_matches_both_or_neither_is_refused() {
    for selector in [
        labels(&[("part", "frontend")]),
        labels(&[("part", "frontend"), ("version", "red")]),
    ] {
        let mut wrong = parts();
        wrong.services[0].selector = selector;
        let to_green = Request {
            to: Some("green".into()),
            ..request(Cutover)
        };
        let refusal = check(&to_green, &wrong.estate(), now(AT)).unwrap_err();
        assert!(refusal.why.contains("repair it first"), "{}", refusal.why);
    }
}

#[test]
fn o07_what_is_stale_is_unknown_and_refused_but_for_a_rollback() {
    let estate = parts().estate();
    let later = now(AT + 60_000);
    let refusal = check(&request(Cutover), &estate, later).unwrap_err();
    assert_eq!(refusal.kind, RefusalKind::Unknown);
    assert!(refusal.why.contains("reconnect"), "{}", refusal.why);
    assert!(check(&request(Rollback), &estate, later).is_ok());
}

fn lease(renewed_ms_ago: i64) -> Lease {
    let at = now(AT).wall - jiff::SignedDuration::from_millis(renewed_ms_ago);
    Lease {
        name: marks::lease_name("digital-wall-service").into(),
        uid: "l".into(),
        resource_version: "1".into(),
        holder: Some("bob@bastion-1/1/2".into()),
        duration_s: 60,
        acquired: Some(at),
        renewed: Some(at),
        taken: None,
        transitions: 4,
        marks: [(marks::OPERATION.into(), "01op".into())]
            .into_iter()
            .collect(),
    }
}

#[test]
fn i_42_who_holds_the_lease_is_named_and_a_rollback_goes_through() {
    for (age, words) in [(5_000, "is held by bob"), (90_000, "left locked by bob")] {
        let mut locked = parts();
        locked.leases.push(lease(age));
        let (kind, why) = refused(Cutover, locked);
        assert_eq!(kind, RefusalKind::Held);
        assert!(why.contains(words) && why.contains("01op"), "{why}");
    }
    let mut locked = parts();
    locked.leases.push(lease(5_000));
    let plan = asked(Rollback, locked).unwrap();
    assert!(
        plan.gates
            .iter()
            .any(|g| g.said.contains("will be cut off"))
    );
}

/// A record of the Lease's operation whose entries are these.
fn record(entries: &[crate::ops::Entry]) -> crate::estate::Record {
    let text = crate::ops::entry::write(entries).unwrap();
    let data = [("schema", "1".to_owned()), ("entries", text)];
    crate::estate::Record {
        name: marks::record_name("01jabcdefghjkmnpqrstvwxyz0").into(),
        uid: "r".into(),
        resource_version: "1".into(),
        labels: Labels::default(),
        created: None,
        deleting: None,
        data: data.map(|(key, text)| (key.into(), text.into())).into(),
    }
}

/// I-31: GitOps puts a selector back by itself; that it leaves it alone only a flip that stood shows.
#[test]
fn i_31_a_selector_that_gitops_manages_is_unknown_until_a_flip_of_ours_stood() {
    let judged = |owner: &str, flipped_ago: Option<i64>| {
        let mut parts = parts();
        let at = now(AT).wall;
        for service in &mut parts.services {
            service.owners = vec!["Helm release wall".into(), owner.into()];
            let Some(ago) = flipped_ago else { continue };
            let flip = marks::Flipped {
                at: at - jiff::SignedDuration::from_secs(ago),
                by: "alice".into(),
                from: Some("green".into()),
                to: "blue".into(),
                what: "cutover".into(),
                why: None,
                operation: "01op".into(),
                images: Vec::new(),
                left: Vec::new(),
                runs: Vec::new(),
            };
            service.marks = labels(&[
                (marks::FLIP, &serde_json::to_string(&flip).unwrap()),
                (
                    marks::MEANT,
                    &crate::ops::patch::selector(&service.selector).to_string(),
                ),
            ]);
        }
        check(&request(Cutover), &parts.estate(), now(AT))
    };
    let refusal = judged("Argo CD shop", None).unwrap_err();
    assert!(
        refusal.why.contains("owner: Argo CD shop manages"),
        "{}",
        refusal.why
    );
    assert_eq!(
        refusal.plan.unwrap().overridable(),
        Some(vec!["owner".into()])
    );
    assert!(judged("Flux Kustomization apps", Some(120)).is_err());
    let found = |plan: Plan| {
        let gate = plan.gates.iter().find(|gate| gate.name.as_str() == "owner");
        gate.map(|gate| (gate.finding, gate.said.to_string()))
            .unwrap()
    };
    let (finding, said) = found(judged("Argo CD shop", Some(7_200)).unwrap());
    assert_eq!(finding, Finding::Noted);
    assert!(said.contains("has left its selector alone since"), "{said}");
    let (finding, said) = found(judged("Helm release other", None).unwrap());
    assert_eq!(finding, Finding::Noted);
    assert!(said.contains("its next sync or upgrade"), "{said}");
}

#[test]
fn i_43_a_lease_whose_operation_is_over_or_never_began_is_taken_over_once_it_ran_out() {
    use crate::ops::What;
    let plan = asked(Cutover, parts()).unwrap();
    let entry = |what| crate::ops::Entry {
        at: now(AT).wall,
        by: "bob".into(),
        what,
    };
    let open = vec![entry(What::Planned(Box::new(plan)))];
    let mut over = open.clone();
    over.push(entry(What::Closed {
        outcome: crate::ops::Outcome::Done,
        reason: "green is live".into(),
    }));
    let answer = |age, records: Option<Vec<crate::estate::Record>>| {
        let mut locked = parts();
        let mut lease = lease(age);
        let id = "01jabcdefghjkmnpqrstvwxyz0";
        lease.marks = [(marks::OPERATION.into(), id.into())].into_iter().collect();
        locked.leases.push(lease);
        let mut estate = locked.estate();
        if let Some(records) = records {
            estate.apply(Seen::Records(Delta::Began), now(AT));
            estate.apply(Seen::Records(Delta::Page(records)), now(AT));
            estate.apply(Seen::Records(Delta::Ended), now(AT));
        }
        let is_left = !left(&estate, now(AT)).is_empty();
        let may = check(&request(Cutover), &estate, now(AT)).is_ok();
        assert_eq!(is_left, may);
        may
    };
    assert!(answer(90_000, Some(vec![])), "it never began");
    assert!(answer(90_000, Some(vec![record(&over)])), "it is over");
    assert!(!answer(5_000, Some(vec![record(&over)])), "it is alive");
    assert!(
        !answer(90_000, Some(vec![record(&open)])),
        "it can be adopted"
    );
    assert!(!answer(90_000, None), "nobody knows its record");
    let mut newer = record(&over);
    newer.data = [("schema".into(), "2".into())].into();
    assert!(
        !answer(90_000, Some(vec![newer])),
        "a newer version knows more"
    );
}

#[test]
fn i_22_a_rollback_to_a_colour_without_ready_pods_names_the_lesser_evil() {
    let mut ill = parts();
    ill.pods.retain(|p| p.name.as_str() != "green-frontend");
    let (kind, why) = refused(Rollback, ill);
    assert_eq!(kind, RefusalKind::Gate);
    assert!(
        why.contains("staying on BLUE") && why.contains("lesser evil"),
        "{why}"
    );
}

#[test]
fn i_21_a_rollback_does_not_ask_how_the_failing_colour_is() {
    let mut broken = parts();
    broken.pods.retain(|p| !p.name.starts_with("blue"));
    for deployment in &mut broken.deployments[..2] {
        (deployment.ready, deployment.available) = (0, 0);
    }
    let plan = asked(Rollback, broken).unwrap();
    assert_eq!(plan.to.as_str(), "green");
}

fn marked(service: &mut Service, key: &str, value: serde_json::Value) {
    let mark = (Safe::from(key), Safe::from(value.to_string()));
    service.marks = service.marks.iter().cloned().chain([mark]).collect();
}

/// What alice's deploy or rollback `01op` left on a Deployment that had `from` and got `to`.
fn deployed_by_alice(
    what: &str,
    from: BTreeMap<Safe, Safe>,
    to: BTreeMap<Safe, Safe>,
) -> marks::Deployed {
    marks::Deployed {
        at: "2026-11-26T02:00:00Z".parse().unwrap(),
        by: "alice".into(),
        what: what.into(),
        why: None,
        operation: "01op".into(),
        from,
        to,
        undoes: None,
    }
}

fn mark_of(deployed: &marks::Deployed) -> (Safe, Safe) {
    let text = serde_json::json!(deployed).to_string();
    (marks::DEPLOY.into(), text.into())
}

#[test]
fn o06_a_second_rollback_does_not_bring_back_what_the_first_took_away() {
    let mut back = parts();
    let flipped = serde_json::json!({
        "at": "2026-11-26T02:00:00Z", "by": "alice", "from": "green", "to": "blue", "what": "rollback",
        "why": null, "operation": "01op", "images": [],
    });
    marked(&mut back.services[0], marks::FLIP, flipped);
    let (kind, why) = refused(Rollback, back);
    assert_eq!(kind, RefusalKind::Invalid);
    assert!(why.contains("alice rolled back to BLUE"), "{why}");
    assert!(
        why.ends_with(", or `wheelhouse rollback production --to green`"),
        "{why}"
    );
}

/// What a flip to that colour left on a Service, which ran these images then.
fn meant(service: &mut Service, to: &str, images: &[&str]) {
    let flipped = serde_json::json!({
        "at": "2026-11-26T02:00:00Z", "by": "alice", "from": null, "to": to, "what": "cutover",
        "why": null, "operation": "01op", "images": images,
    });
    let selector = serde_json::json!({ "part": "frontend", "version": to });
    marked(service, marks::FLIP, flipped);
    marked(service, marks::MEANT, selector);
}

#[test]
fn i_46_a_repair_brings_back_the_whole_selector_that_was_meant() {
    let mut wrong = parts();
    wrong.services[0].selector = labels(&[("app", "x"), ("version", "green")]);
    meant(&mut wrong.services[0], "blue", &["4f2a91c"]);
    let plan = asked(Repair, wrong).unwrap();
    assert_eq!(
        plan.flips[0].to,
        labels(&[("part", "frontend"), ("version", "blue")])
    );
    let (kind, why) = refused(Repair, parts());
    assert_eq!(kind, RefusalKind::Invalid);
    assert!(why.contains("never written"), "{why}");
}

#[test]
fn i_46_a_selector_of_neither_colour_is_repaired_whatever_was_deployed_since_and_it_is_said() {
    let found = |selector: &[(&'static str, &'static str)]| {
        let mut wrong = parts();
        meant(&mut wrong.services[0], "blue", &["3e1b80d"]);
        wrong.services[0].selector = labels(selector);
        asked(Repair, wrong)
    };
    // Somebody's helm renders it without the colour key, or with another value: no cutover begins from there.
    for selector in [
        &[("part", "frontend")][..],
        &[("part", "frontend"), ("version", "mauve")],
    ] {
        let plan = found(selector).unwrap();
        let gate = plan.gates.iter().find(|it| it.name.as_str() == "images");
        let gate = gate.unwrap();
        assert_eq!(gate.finding, Finding::Noted);
        assert!(gate.said.contains("ran 3e1b80d when it was meant: look"));
    }
    let refusal = found(&[("part", "frontend"), ("version", "green")]).unwrap_err();
    assert!(refusal.why.starts_with("images: "), "{}", refusal.why);
    assert!(refusal.why.contains("cut over instead"), "{}", refusal.why);
}

#[test]
fn k02_a_right_that_is_missing_is_named_by_verb_and_resource() {
    let mut estate = parts().estate();
    estate.rights.push(Granted {
        need: Need::Always,
        of: "patch services digital-wall-service in production".into(),
        verdict: Verdict::Bad("forbidden".into()),
    });
    let refusal = check(&request(Cutover), &estate, now(AT)).unwrap_err();
    assert!(
        refusal
            .why
            .contains("you may not patch services digital-wall-service"),
        "{}",
        refusal.why
    );
}

#[test]
fn k02_a_right_that_nobody_could_ask_for_is_unknown_where_traffic_moves_and_goes_with_a_reason() {
    let unasked = |need| {
        let mut estate = parts().estate();
        estate.rights.push(Granted {
            need,
            of: "patch services digital-wall-service in production".into(),
            verdict: Verdict::Unknown("no answer within 5 s".into()),
        });
        estate
    };
    let refusal = check(&request(Cutover), &unasked(Need::Always), now(AT)).unwrap_err();
    assert_eq!(refusal.kind, RefusalKind::Unknown);
    assert!(refusal.why.starts_with("rights: "), "{}", refusal.why);
    let over = Request {
        overrides: [("rights".into(), "the Role is there".into())].into(),
        ..request(Cutover)
    };
    assert!(check(&over, &unasked(Need::Always), now(AT)).is_ok());
    // What is denied stays so.
    let mut denied = unasked(Need::Always);
    denied.rights[0].verdict = Verdict::Bad("forbidden".into());
    assert!(check(&over, &denied, now(AT)).is_err());
    // Nobody asks for what a rollback needs.
    assert!(check(&request(Rollback), &unasked(Need::Always), now(AT)).is_ok());
}

#[test]
fn o03_the_hash_moves_with_what_decides_and_not_with_a_resource_version() {
    let hash = |parts: Parts| asked(Cutover, parts).unwrap().hash;
    let first = hash(parts());
    let mut churned = parts();
    churned.services[0].resource_version = "99".into();
    assert_eq!(hash(churned), first);
    let mut other = parts();
    other.services[0].uid = "another".into();
    assert_ne!(hash(other), first);
    let mut rolled = parts();
    for pod in &mut rolled.pods {
        let hash = ("pod-template-hash".into(), "abc".into());
        pod.labels = pod.labels.iter().cloned().chain([hash]).collect();
    }
    assert_ne!(hash(rolled), first);
}

#[test]
fn unknown_names_are_told_with_those_there_are() {
    let to_red = Request {
        to: Some("red".into()),
        ..request(Cutover)
    };
    let refusal = check(&to_red, &parts().estate(), now(AT)).unwrap_err();
    assert_eq!(
        (refusal.kind, refusal.why.as_str()),
        (
            RefusalKind::Invalid,
            "there is no colour red; there are blue and green"
        )
    );
    let mut gone = parts();
    gone.services.clear();
    assert!(
        refused(Cutover, gone)
            .1
            .contains("there is no Service digital-wall-service in production")
    );
}

#[test]
fn k12_a_selector_that_is_not_the_planned_one_is_not_patched_key_by_key() {
    let plan = asked(Cutover, parts()).unwrap();
    let mut changed = parts();
    changed.services[0].selector = labels(&[
        ("part", "frontend"),
        ("version", "blue"),
        ("app", "left-over"),
    ]);
    let why = still(&plan, &plan.flips[0], &changed.estate(), true).unwrap_err();
    assert!(why.contains("app=left-over"), "{why}");
    let mut remade = parts();
    remade.services[0].uid = "another".into();
    let why = still(&plan, &plan.flips[0], &remade.estate(), true).unwrap_err();
    assert!(why.contains("deleted and made again"), "{why}");
}

#[test]
fn k09_pods_that_fall_ill_between_confirm_and_patch_stop_it() {
    let plan = asked(Cutover, parts()).unwrap();
    let mut ill = parts();
    ill.pods.retain(|p| p.name.as_str() != "green-frontend");
    assert!(still(&plan, &plan.flips[0], &ill.estate(), true).is_err());
    assert!(still(&plan, &plan.flips[0], &parts().estate(), true).is_ok());
}

/// The estate of `parts` under a policy that says so.
fn under(parts: Parts, pairs: &[(&str, &str)]) -> Estate {
    let mut estate = parts.estate();
    let data = pairs
        .iter()
        .map(|(k, v)| ((*k).to_owned(), (*v).to_owned()));
    let named = [
        crate::estate::policy::NAME.into(),
        "uid-policy".into(),
        "7".into(),
    ];
    let policy = crate::estate::Policy::read(named, &data.collect());
    let change = vec![crate::estate::Change::Applied(policy)];
    estate.apply(Seen::Policies(Delta::Changes(change)), now(AT));
    estate
}

const FROZEN: [(&str, &str); 2] = [("schema", "1"), ("freeze", r#"{"who":"al","why":"sale"}"#)];

/// What somebody made of a Service that was meant otherwise.
fn reverted() -> Parts {
    let mut parts = parts();
    meant(&mut parts.services[0], "green", &["4f2a91c"]);
    parts
}

#[test]
fn i_44_a_freeze_stops_a_cutover_and_a_repair_and_no_rollback() {
    for (kind, parts) in [(Cutover, parts()), (Repair, reverted())] {
        let estate = under(parts, &FROZEN);
        let refusal = check(&request(kind), &estate, now(AT)).expect_err("it is allowed");
        assert_eq!(refusal.kind, RefusalKind::Gate, "{kind:?}");
        assert_eq!(
            refusal.why.as_str(),
            "freeze: frozen by al until somebody thaws it: sale"
        );
    }
    let free = check(&request(Rollback), &parts().estate(), now(AT)).unwrap();
    let frozen = check(&request(Rollback), &under(parts(), &FROZEN), now(AT)).unwrap();
    assert_eq!(free, frozen, "it does not even say so");
    let wrong = under(parts(), &[("schema", "9")]);
    assert_eq!(check(&request(Rollback), &wrong, now(AT)).unwrap(), free);
}

#[test]
fn a_policy_that_is_not_understood_is_unknown_and_stops_what_moves_forward() {
    let wrong = under(parts(), &[("schema", "1"), ("freeze", "soon")]);
    let refusal = check(&request(Cutover), &wrong, now(AT)).expect_err("it is allowed");
    assert_eq!(refusal.kind, RefusalKind::Unknown);
    assert!(
        refusal.why.starts_with("policy: key `freeze`"),
        "{}",
        refusal.why
    );
}

#[test]
fn broken_glass_passes_a_freeze_is_loud_and_decides() {
    let glass = Request {
        break_glass: Some("the till is down".into()),
        ..request(Cutover)
    };
    let plan = check(&glass, &under(parts(), &FROZEN), now(AT)).unwrap();
    assert!(plan.breaks_glass());
    let said = |plan: &Plan| {
        let gate = plan.gates.iter().find(|gate| is_glass(&gate.name));
        gate.map(|gate| gate.said.to_string())
    };
    assert!(
        said(&plan)
            .unwrap()
            .starts_with("BREAK-GLASS, the till is down")
    );
    // Where nothing is frozen there is no glass to break.
    let free = check(&glass, &parts().estate(), now(AT)).unwrap();
    assert!(!free.breaks_glass() && said(&free).is_none());
    assert_ne!(plan.hash, free.hash);
}

#[test]
fn i_12_broken_glass_passes_over_no_policy_that_cannot_be_read() {
    let glass = |kind| Request {
        break_glass: Some("the till is down".into()),
        ..request(kind)
    };
    let forbidden = || {
        let mut estate = parts().estate();
        let fault = crate::estate::Fault {
            kind: crate::estate::FaultKind::Forbidden,
            what: "configmaps is forbidden".into(),
        };
        estate.apply(Seen::Failed(crate::estate::Kind::Policy, fault), now(AT));
        estate
    };
    let malformed = under(parts(), &[("schema", "1"), ("freeze", "soon")]);
    let newer = under(parts(), &[("schema", "9")]);
    for (estate, why) in [
        (malformed, "key `freeze`"),
        (newer, "of a newer version"),
        (forbidden(), "is forbidden"),
    ] {
        let refusal = check(&glass(Cutover), &estate, now(AT)).expect_err("it is allowed");
        assert_eq!(refusal.kind, RefusalKind::Unknown, "{}", refusal.why);
        let plan = refusal.plan.unwrap();
        assert!(!plan.breaks_glass());
        for name in ["policy", "approval"] {
            let gate = plan.gates.iter().find(|gate| gate.name.as_str() == name);
            let gate = gate.unwrap_or_else(|| panic!("no gate {name}"));
            assert_eq!(gate.finding, Finding::Unknown, "{name}");
            for part in [why, "put ConfigMap wheelhouse-policy right"] {
                assert!(gate.said.contains(part), "{part:?} in {}", gate.said);
            }
        }
        // I-24: the way back does not even look.
        check(&request(Rollback), &estate, now(AT)).unwrap();
    }
    // What asks for more than anything else is known without it.
    let mut asking = forbidden();
    asking.scope.approval.by = crate::estate::Approver::Other;
    let plan = check(&request(Cutover), &asking, now(AT)).unwrap_err().plan;
    let gates = plan.unwrap().gates;
    let approval = gates.iter().find(|gate| gate.name.as_str() == "approval");
    let said = &approval.unwrap().said;
    assert!(said.starts_with("whether it is approved"), "{said}");
}

#[test]
fn i_44_a_freeze_that_nobody_knows_the_end_of_is_known_and_its_glass_may_be_broken() {
    let until = format!(r#"{{"who":"al","why":"sale","until":"{}"}}"#, now(1).wall);
    let estate = under(parts(), &[("schema", "1"), ("freeze", &until)]);
    let bare = check(&request(Cutover), &estate, now(AT)).unwrap_err();
    assert_eq!(bare.kind, RefusalKind::Unknown, "{}", bare.why);
    let glass = Request {
        break_glass: Some("the till is down".into()),
        ..request(Cutover)
    };
    assert!(check(&glass, &estate, now(AT)).unwrap().breaks_glass());
}

#[test]
fn o03_what_the_policy_says_is_among_the_decisive_facts_and_whose_object_it_is_is_not() {
    let hash = |pairs: &[(&str, &str)]| {
        let estate = under(parts(), pairs);
        check(&request(Cutover), &estate, now(AT)).unwrap().hash
    };
    let none = asked(Cutover, parts()).unwrap().hash;
    assert_eq!(hash(&[("schema", "1")]), none, "it says nothing");
    let other = ("freeze.elsewhere", r#"{"who":"al","why":"sale"}"#);
    assert_eq!(hash(&[("schema", "1"), other]), none, "of others");
    let last = (
        "last",
        r#"{"who":"al","what":"thaw","why":"over","at":"2026-01-01T00:00:00Z"}"#,
    );
    assert_eq!(hash(&[("schema", "1"), last]), none);
    assert_ne!(hash(&[("schema", "1"), ("tier", "production")]), none);
}
