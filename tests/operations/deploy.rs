//! Deploys by image: to the idle colour, and in place where there are no colours.

use std::fs;
use std::path::Path;

use serde_json::json;
use wheelhouse::ops::bastion::{Bastion, Place};
use wheelhouse::ops::{OperationKind, Request, engine};

use crate::Bench;
use crate::operator::{CUTOVER, DEPLOY, Operator, QUICK, ROLLBACK, wait};
use crate::relay::{Asked, Fate};

fn status(code: u16) -> String {
    json!({"kind": "Status", "apiVersion": "v1", "status": "Failure", "code": code, "message": "so it said"}).to_string()
}

/// A bench whose GREEN stands at 0.
fn at_0() -> Bench {
    let bench = Bench::ready();
    bench.idle_at_0();
    bench
}

#[test]
fn i_6_i_52_a_deploy_brings_the_idle_colour_up_and_leaves_the_live_one_and_its_services_alone() {
    let bench = at_0();
    let (blue, services) = (bench.runs("blue"), bench.colours());
    let plan = bench
        .dave
        .run(&["deploy", "production", "--plan", "--image", "frontend=:v3"]);
    plan.assert(
        0,
        &[
            "deploy to GREEN of production",
            "digital-wall-green-frontend  frontend",
            "replicas 0 → 3",
            "backend is not named: digital-wall-green-backend gets what is live",
            "Helm release digital-wall-green manages digital-wall-green-frontend",
            "back:  no way back is needed, BLUE stays live",
        ],
    );
    assert_eq!(bench.dave.relay.count(Asked::is_update), 0);

    let said = bench.dave.run(&DEPLOY);

    said.assert(
        0,
        &[
            "roll out digital-wall-green-frontend done: 3/3",
            "sha256:",
            "verify done: digital-wall-api, digital-wall-service select what they did before",
            "done: GREEN runs frontend v3, backend v3, rolled out; BLUE is live as before",
        ],
    );
    let green = bench.runs("green");
    assert!(
        green.iter().all(|(image, _)| image.ends_with(":v3")),
        "{green:?}"
    );
    assert_eq!((green[0].1, green[1].1), (3, 2));
    assert_eq!((bench.runs("blue"), bench.colours()), (blue, services));
    assert_eq!(
        bench.dave.relay.count(Asked::is_update),
        2,
        "one for each Deployment"
    );
    assert_eq!(bench.dave.relay.count(Asked::is_flip), 0);
    // What was deployed is what a cutover brings live; and then the other colour is the idle one.
    bench.dave.run(&CUTOVER).assert(0, &["done: GREEN is live"]);
    bench
        .dave
        .run(&["deploy", "production", "--plan", "--image", "frontend=:v4"])
        .assert(0, &["deploy to BLUE of production"]);
    // The same once more changes nothing.
    bench.dave.run(&ROLLBACK).assert(0, &["done: BLUE is live"]);
    wait("GREEN to drain", || {
        let again = bench.dave.run(&DEPLOY);
        (again.code == 0).then(|| again.assert(0, &["done: GREEN runs"]))
    });
    assert_eq!(bench.dave.relay.count(Asked::is_update), 2);
}

#[test]
fn what_cannot_be_deployed_is_said_with_a_way_on_and_changes_nothing() {
    let bench = Bench::ready();
    let dave = &bench.dave;
    let plan = |image: &str| dave.run(&["deploy", "production", "--plan", "--image", image]);
    dave.run(&["deploy", "production", "--plan"])
        .assert(2, &["which image? Name at least one: --image frontend="]);
    plan("mobile=:v3").assert(
        2,
        &["there is no workload mobile; there are frontend and backend"],
    );
    plan("frontend").assert(2, &["WORKLOAD=REFERENCE is expected"]);
    plan("frontend=a b").assert(2, &["is no image"]);
    dave.run(&[
        "deploy",
        "production",
        "--plan",
        "--to",
        "blue",
        "--image",
        "frontend=:v3",
    ])
    .assert(
        2,
        &["BLUE is live: a deploy goes to the idle colour, GREEN"],
    );
    dave.run(&[
        "deploy",
        "production",
        "--yes",
        "--reason",
        "x",
        "--image",
        "frontend=:v3",
    ])
    .assert(2, &["production is read-only"]);
    assert_eq!(dave.relay.count(Asked::is_update), 0);
}

#[test]
fn k06_a_patch_of_a_deployment_whose_answer_is_an_error_is_read_back_applied_or_not() {
    let bench = at_0();
    let relay = &bench.dave.relay;
    let _applied = relay.trap(Fate::Applied(504, status(504)), 1, Asked::is_update);
    let _lost = relay.trap(Fate::Said(503, status(503)), 1, |it| {
        it.is_update() && it.path.ends_with("-backend")
    });

    let said = bench.dave.run(&DEPLOY);

    said.assert(
        0,
        &[
            "update digital-wall-green-frontend UNKNOWN",
            "update digital-wall-green-frontend done: found done by reading it back",
            "update digital-wall-green-backend … (try 2)",
            "done: GREEN runs frontend v3, backend v3",
        ],
    );
    let sent = |end: &'static str| relay.count(move |it| it.is_update() && it.path.ends_with(end));
    assert_eq!((sent("-frontend"), sent("-backend")), (1, 2));
}

#[test]
fn k03_a_patch_that_is_refused_because_the_object_moved_is_looked_at_again() {
    let bench = at_0();
    let relay = &bench.dave.relay;
    let _ours = relay.trap(Fate::Applied(409, status(409)), 1, Asked::is_update);
    let _moved = relay.trap(Fate::Said(422, status(422)), 1, |it| {
        it.is_update() && it.path.ends_with("-backend")
    });
    bench.dave.run(&DEPLOY).assert(
        0,
        &[
            "update digital-wall-green-frontend done: found done by reading it back",
            "done: GREEN runs frontend v3, backend v3",
        ],
    );
}

#[test]
fn i_40_a_deploy_whose_image_cannot_be_pulled_ends_early_and_leaves_the_idle_colour_unselected() {
    let bench = at_0();
    bench
        .served
        .act(r#"{"do": "image-pull-failure", "deployment": "digital-wall-green-backend"}"#);

    let said = bench.dave.run(&DEPLOY);

    said.assert(
        1,
        &[
            "roll out digital-wall-green-backend FAILED",
            "ImagePullBackOff",
            "failed: roll out digital-wall-green-backend failed",
        ],
    );
    assert_eq!(bench.colours(), ["blue", "blue"]);
    // Nothing is in the way of the next one.
    bench
        .served
        .act(r#"{"do": "heal", "namespace": "production"}"#);
    bench
        .dave
        .run(&["deploy", "production", "--plan", "--image", "backend=:v4"])
        .assert(0, &[]);
}

#[test]
fn i_41_a_deployment_that_is_deleted_meanwhile_ends_it_with_a_message() {
    let bench = at_0();
    bench
        .served
        .act(r#"{"do": "readiness-failure", "deployment": "digital-wall-green-backend"}"#);
    let trap = bench.dave.relay.trap(Fate::HeldAfter, 1, |it| {
        it.records(r#""passed":{"step":{"update":"digital-wall-green-backend"#)
    });
    let running = bench.dave.start(&DEPLOY);
    trap.wait("both patches");
    let path = "/apis/apps/v1/namespaces/production/deployments/digital-wall-green-backend";
    bench.ask("DELETE", path, None);
    trap.let_go();

    running
        .end()
        .assert(1, &["Deployment digital-wall-green-backend was deleted"]);
}

#[test]
fn i_6_a_colour_that_becomes_live_between_the_plan_and_the_patch_is_not_touched() {
    let bench = at_0();
    let trap = bench.dave.relay.trap(Fate::HeldAfter, 1, |it| {
        it.records(r#""began":{"step":{"update":"digital-wall-green-frontend"#)
    });
    let running = bench.dave.start(&DEPLOY);
    trap.wait("the intent");
    let path = format!(
        "/api/v1/namespaces/production/services/{}",
        crate::operator::SERVICES[0]
    );
    bench.ask(
        "PATCH",
        &path,
        Some(&json!({"spec": {"selector": {"version": "green"}}})),
    );
    trap.let_go();

    running.end().assert(
        1,
        &["digital-wall-service selects GREEN now: what takes traffic is not deployed to"],
    );
    assert_eq!(bench.dave.relay.count(Asked::is_update), 0);
}

#[test]
fn i_52_a_selector_that_somebody_changes_meanwhile_is_named_at_the_end() {
    let bench = at_0();
    let trap = bench.dave.relay.trap(Fate::HeldAfter, 1, |it| {
        it.records(r#""began":{"step":"verify""#)
    });
    let running = bench.dave.start(&DEPLOY);
    trap.wait("the last step");
    bench
        .served
        .act(r#"{"do": "flip", "to": "green", "manager": "helm"}"#);
    trap.let_go();

    running
        .end()
        .assert(1, &["verify FAILED", "version=green and not", "by helm"]);
}

#[test]
fn p02_a_deploy_that_is_killed_at_its_patch_is_adopted_and_patches_once() {
    for fate in [Fate::HeldBefore, Fate::HeldAfter] {
        let bench = at_0();
        let trap = bench.dave.relay.trap(fate.clone(), 1, Asked::is_update);
        let id = bench.dave.detach(&DEPLOY);
        trap.wait("the patch");
        bench.dave.kill_worker();

        let adopted = bench.dave.run(&["op", "adopt", &id]);

        adopted.assert(0, &["done: GREEN runs frontend v3, backend v3"]);
        let name = "digital-wall-green-frontend";
        let before = bench.deployment("production", name)["metadata"]["generation"].clone();
        trap.let_go();
        wait("what was under way", || {
            let asked = bench.dave.relay.asked();
            let late = asked.into_iter().find(Asked::is_update)?;
            let wanted = if fate == Fate::HeldBefore { 422 } else { 200 };
            (late.status == wanted).then_some(())
        });
        let after = &bench.deployment("production", name)["metadata"]["generation"];
        assert_eq!(*after, before, "{fate:?}");
    }
}

/// A deploy of one part in place without questions.
pub const IN_PLACE: [&str; 8] = [
    "deploy",
    "production",
    "--write",
    "--yes",
    "--reason",
    "v3",
    "--image",
    "backend=:v3",
];

/// Waits until nothing stands in the way of that.
pub fn await_quiet(erin: &Operator) {
    wait("a quiet estate", || {
        let plan = [&IN_PLACE[..2], &["--plan"], &IN_PLACE[6..]].concat();
        (erin.run(&plan).code == 0).then_some(())
    });
}

/// Somebody whose environment has no colours.
pub fn without_colours(bench: &Bench) -> Operator {
    let kubeconfig = bench.served.home.path().join("admin.kubeconfig");
    let erin = Operator::new(&kubeconfig, "staging", "staging", QUICK);
    let config = fs::read_to_string(erin.home.path().join("config.toml")).unwrap();
    let from = config.find("[environment.traffic]").unwrap();
    let to = config.find("[[environment.workload]]").unwrap();
    erin.edit(&config[from..to], "");
    erin
}

#[test]
fn without_colours_a_deploy_is_in_place_and_its_rollback_needs_nothing_but_the_api() {
    let bench = Bench::new();
    let erin = without_colours(&bench);
    let image = || {
        let found = bench.deployment("staging", "digital-wall-staging-backend");
        found["spec"]["template"]["spec"]["containers"][0]["image"].clone()
    };
    let before = image();
    // Before Wheelhouse deployed anything the ReplicaSets know what ran.
    erin.run(&["rollback", "production", "--plan"]).assert(
        0,
        &["as the ReplicaSets tell it", "only the images go back"],
    );
    await_quiet(&erin);

    erin.run(&IN_PLACE).assert(
        0,
        &[
            "deploy to production",
            "done: production runs",
            "backend v3, rolled out",
        ],
    );
    assert!(image().as_str().unwrap().ends_with(":v3"));
    erin.run(&["cutover", "production", "--plan"])
        .assert(2, &["has no [environment.traffic]"]);

    // The records are gone: the Deployment itself remembers.
    let all = "/api/v1/namespaces/staging/configmaps";
    bench.ask(
        "DELETE",
        &format!("{all}?labelSelector=wheelhouse.dev%2Frecord"),
        None,
    );
    let back = erin.run(&ROLLBACK);
    back.assert(
        0,
        &[
            "roll back production to what ran before",
            "done: production runs",
        ],
    );
    assert_eq!(image(), before);
    erin.run(&ROLLBACK)
        .assert(2, &["rolled production back at", "deploy them"]);
    erin.run(&["op", "list"]).assert(0, &[&back.id()]);

    // Somebody else deploys: what Wheelhouse knew is not what ran before.
    let path = "/apis/apps/v1/namespaces/staging/deployments/digital-wall-staging-backend";
    let image = |tag: &str| {
        let image = format!("ghcr.io/acme/digitalwall-backend:{tag}");
        let patch = json!([{ "op": "replace", "path": "/spec/template/spec/containers/0/image", "value": image }]);
        let kind = "application/json-patch+json";
        let body = patch.to_string();
        let answer = crate::estate::request(bench.served.addr, "PATCH", path, kind, &body);
        assert!(answer.unwrap().contains(" 200"));
        wait("the roll-out", || {
            let found = bench.deployment("staging", "digital-wall-staging-backend");
            let status = &found["status"];
            let is_whole = status["observedGeneration"] == found["metadata"]["generation"]
                && status["updatedReplicas"] == status["replicas"]
                && status["availableReplicas"] == status["replicas"];
            is_whole.then_some(())
        });
    };
    image("v8");
    image("v9");
    erin.run(&ROLLBACK).assert(0, &["done: production runs"]);
    let found = bench.deployment("staging", "digital-wall-staging-backend");
    let runs = &found["spec"]["template"]["spec"]["containers"][0]["image"];
    assert!(runs.as_str().unwrap().ends_with(":v8"), "{runs}");
}

/// Staging without colours, as a screen's worker connects to it.
fn place(kubeconfig: &Path) -> Place {
    let seconds = |n: u64| json!({"secs": n, "nanos": 0});
    let place = json!({
        "kubeconfig": kubeconfig, "context": null, "records": "staging",
        "selector": "app.kubernetes.io/part-of=digital-wall",
        "scope": {
            "name": "production", "tier": "production", "context": "", "namespace": "staging", "traffic": null,
            "workloads": [
                {"name": "frontend", "labels": [["part", "frontend"]], "deployments": []},
                {"name": "backend", "labels": [["part", "backend"]], "deployments": []},
            ],
            "approval": {"by": "nobody", "lasts_s": 3600},
        },
        "timing": {
            "lease": seconds(60), "renew": seconds(10), "give_up": seconds(40), "answer": seconds(10),
            "moved": seconds(60), "watch": seconds(2), "patience": seconds(5), "pause": seconds(1), "jitter": true,
        },
        "monitors": null, "journals": null,
    });
    serde_json::from_value(place).unwrap()
}

#[test]
fn i_47_an_in_place_rollback_takes_away_what_was_shown_or_nothing() {
    let bench = Bench::new();
    let erin = without_colours(&bench);
    let deploy = |tag: &str| {
        let image = format!("backend=:{tag}");
        let words = [
            "deploy",
            "production",
            "--write",
            "--yes",
            "--reason",
            tag,
            "--image",
            &image,
        ];
        wait("a deploy", || (erin.run(&words).code == 0).then_some(()));
    };
    deploy("v3");
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    runtime.unwrap().block_on(async {
        let place = place(&erin.home.path().join("kubeconfig"));
        let bastion = Bastion::connect(&place).await.unwrap();
        let request = Request::new(OperationKind::Rollback);
        let mut prepared = engine::prepare(&bastion, request).await.unwrap();
        let brings_back = |prepared: &engine::Prepared| match prepared.plan() {
            Ok(plan) => plan.brings_back(),
            Err(refusal) => refusal.why.to_string(),
        };
        let shown = brings_back(&prepared);
        assert!(shown.contains("digitalwall-backend:v3 → "), "{shown}");

        // While the word is typed a colleague deploys what mends it.
        deploy("v4");
        let limit = tokio::time::Instant::now() + std::time::Duration::from_secs(20);
        while !brings_back(&prepared).contains(":v4 → ") {
            let look = tokio::time::timeout_at(limit, prepared.look()).await;
            assert!(look.is_ok(), "{}", brings_back(&prepared));
        }
        let (_stop, stopped) = tokio::sync::watch::channel(false);
        let started = prepared.start(None, stopped).await;
        assert!(matches!(started, Err(engine::Refused::Moved(_))));
    });
    let found = bench.deployment("staging", "digital-wall-staging-backend");
    let runs = &found["spec"]["template"]["spec"]["containers"][0]["image"];
    assert!(runs.as_str().unwrap().ends_with(":v4"), "{runs}");
}

#[test]
fn rule_13_a_deploy_in_place_is_refused_where_the_policy_demands_an_approval_and_a_rollback_is_not()
{
    let bench = Bench::new();
    let erin = without_colours(&bench);
    let deploy = ["deploy", "production", "--image", "backend=:v3"];
    let plan = [&deploy[..], &["--plan"]].concat();
    wait("a quiet estate", || {
        (erin.run(&plan).code == 0).then_some(())
    });
    let policy = json!({
        "metadata": {"name": "wheelhouse-policy"},
        "data": {
            "schema": "1",
            "approval.staging": "one other person",
            "gates.staging": "{\"ci\": true}",
        },
    });
    let all = "/api/v1/namespaces/staging/configmaps";
    bench.ask("POST", all, Some(&policy));
    let said = ["can be asked none", "UNKNOWN  ci"];
    erin.run(&plan).assert(5, &said);
    let over = [
        "--write",
        "--yes",
        "--reason",
        "v3",
        "--override",
        "ci=built by hand",
    ];
    erin.run(&[&deploy[..], &over].concat())
        .assert(5, &["refused: unapproved: one other person's approval"]);
    erin.run(&["rollback", "production", "--plan"])
        .assert(0, &["only the images go back"]);
    let path = format!("{all}/wheelhouse-policy");
    let lax = json!({"data": {"approval.staging": "none"}});
    bench.ask("PATCH", &path, Some(&lax));
    erin.run(&[&deploy[..], &over].concat())
        .assert(0, &["ci overridden by", "done: production runs"]);
}

#[test]
fn rule_9_without_colours_a_rollback_waits_for_an_api_that_is_away() {
    let bench = Bench::new();
    let erin = without_colours(&bench);
    erin.edit("patience = 5", "patience = 60");
    let plan = ["rollback", "production", "--plan"];
    wait("a plan", || (erin.run(&plan).code == 0).then_some(()));
    let is_read = |it: &Asked| it.method == "GET" && it.path.contains("/deployments/");
    // As many as there were tries before it was given up, and one.
    for _ in 0..9 {
        let _away = erin.relay.trap(Fate::Said(503, status(503)), 1, is_read);
    }
    erin.run(&ROLLBACK).assert(0, &["done: production runs"]);
}
