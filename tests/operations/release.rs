//! A release: a deploy, its smoke test, an approval and a cutover as one operation with one plan.

use serde_json::{Value, json};

use crate::Bench;
use crate::operator::{CUTOVER, Operator, QUICK, REQUEST, ROLLBACK, Said, decide, wait};
use crate::relay::{Asked, Fate};

const RELEASE: [&str; 10] = [
    "release",
    "production",
    "--write",
    "--yes",
    "--reason",
    "v3 is due",
    "--image",
    "frontend=:v3",
    "--image",
    "backend=:v3",
];
const PLAN: [&str; 7] = [
    "release",
    "production",
    "--plan",
    "--image",
    "frontend=:v3",
    "--image",
    "backend=:v3",
];

/// An estate whose releases are tested by that script.
fn testing(script: &str) -> Bench {
    let bench = Bench::ready();
    test_by(&bench.dave, script);
    bench
}

fn test_by(who: &Operator, script: &str) {
    let smoke =
        format!("[[environment.smoke]]\ncommand = [\"sh\", \"-c\", {script:?}]\n[operations]\n");
    who.edit("[operations]\n", &smoke);
}

/// One in which another person approves.
fn asking() -> (Bench, Operator) {
    let bench = testing("exit 0");
    let kubeconfig = crate::kubeconfig(&bench.served, "/as/demo-manager");
    let erin = Operator::new(&kubeconfig, "production", "production", QUICK);
    test_by(&erin, "exit 0");
    for who in [&bench.dave, &erin] {
        gate(who, "approval = \"one other person\"");
    }
    (bench, erin)
}

/// Sets a gate of production.
fn gate(who: &Operator, line: &str) {
    let gates = format!("[environment.gates]\n{line}\n[environment.traffic]\n");
    who.edit("[environment.traffic]\n", &gates);
}

fn tag(bench: &Bench, colour: &str) -> [String; 2] {
    bench
        .runs(colour)
        .map(|(image, _)| image.rsplit(':').next().unwrap_or_default().to_owned())
}

#[test]
fn a_release_deploys_tests_cuts_over_and_watches_as_one_operation_with_one_plan() {
    let bench = testing("exit 0");
    bench.idle_at_0();
    let (dave, blue) = (&bench.dave, bench.runs("blue"));
    let plan = dave.run(&PLAN);
    plan.assert(
        0,
        &[
            "release production by GREEN",
            "digital-wall-service  part=frontend  version  blue → green",
            "replicas 0 → 3",
            "asked before the flip: ready, capacity, the smoke test",
            "verify · smoke · plan · hold · flip digital-wall-service",
            "until the flip none is needed, BLUE stays live",
        ],
    );

    let said = dave.run(&RELEASE);

    said.assert(
        0,
        &[
            "roll out digital-wall-green-backend done: 2/2",
            "tested: backend ",
            "cut over production to GREEN, as planned over what is there",
            "watched for 2 s",
            "done: GREEN is live on digital-wall-api, digital-wall-service",
        ],
    );
    assert_eq!(bench.colours(), ["green", "green"]);
    assert_eq!(tag(&bench, "green"), ["v3", "v3"]);
    assert_eq!(bench.runs("blue"), blue, "the live colour was touched");
    let entries = dave.entries(&said.id());
    let kinds = |kind: &str| {
        entries
            .iter()
            .filter(|it| !it["what"][kind].is_null())
            .count()
    };
    assert_eq!(
        (kinds("planned"), kinds("cutover"), kinds("closed")),
        (1, 1, 1)
    );
    assert_eq!(dave.relay.count(Asked::is_flip), 2);
    // What was done by whom stands on the Service, and the way back is that of a cutover.
    dave.run(&["status", "production"]).assert(0, &["release"]);
    dave.run(&ROLLBACK).assert(0, &["done: BLUE is live"]);
}

#[test]
fn i_48_a_release_asks_for_the_approval_itself_waits_and_goes_on_when_it_comes() {
    let (bench, erin) = asking();
    let keep = "[environment.traffic]\nkeep_warm = 3\nclean_up = true\n";
    bench.dave.edit("[environment.traffic]\n", keep);
    let release = bench.dave.start(&RELEASE);
    let id = bench.await_said("WAITS: a cutover of production to GREEN waits");
    assert_eq!(bench.dave.relay.count(Asked::is_flip), 0);
    erin.run(&["approval", "list"])
        .assert(4, &["v3 is due", "frontend v3 "]);
    // I-48: whoever began it is whoever asked.
    decide(&bench.dave, "approve", "production").assert(5, &["asked for it and may not"]);

    decide(&erin, "approve", "production").assert(0, &["to GREEN is approved until"]);

    release.end().assert(
        0,
        &[
            "plan done: ",
            "approval by demo-manager",
            "done: GREEN is live",
        ],
    );
    assert_eq!(bench.colours(), ["green", "green"]);
    let story = bench.dave.story(&id);
    assert_eq!(story.matches("WAITS: ").count(), 1, "{story}");
    // The request for its approval is nothing that came since.
    wait("the clean-up that follows", || {
        (bench.runs("blue").map(|(_, replicas)| replicas) == [0, 0]).then_some(())
    });
    bench.dave.await_no_worker();
}

#[test]
fn i_48_a_release_asks_beside_another_who_asked_for_the_same_and_may_not_approve_that() {
    let (bench, erin) = asking();
    erin.run(&REQUEST).assert(0, &["to GREEN waits"]);
    let same = [&RELEASE[..6], &["--same"]].concat();
    let release = bench.dave.start(&same);
    let id = bench.await_said("WAITS: a cutover of production to GREEN waits");
    // Two requests wait for one cutover: which is meant is said, and erin may approve dave's.
    decide(&erin, "approve", "production").assert(2, &["several requests wait"]);
    let story = bench.dave.story(&id);
    let asked = story.split("approval approve ").nth(1).unwrap();
    decide(&erin, "approve", &asked[..26]).assert(0, &["to GREEN is approved until"]);
    release.end().assert(0, &["done: GREEN is live"]);
}

#[test]
fn i_48_a_rejection_ends_a_release_and_nothing_is_flipped() {
    let (bench, erin) = asking();
    let release = bench.dave.start(&RELEASE);
    bench.await_said("WAITS:");
    decide(&erin, "reject", "production").assert(0, &["is rejected"]);
    release.end().assert(
        1,
        &[
            "plan FAILED: rejected: by demo-manager",
            "failed: plan failed",
        ],
    );
    assert_eq!(bench.dave.relay.count(Asked::is_flip), 0);
    assert_eq!(bench.colours(), ["blue", "blue"]);
    assert_eq!(
        tag(&bench, "green"),
        ["v3", "v3"],
        "it is there to be looked at"
    );
}

#[test]
fn i_32_a_release_that_waits_is_aborted_and_nothing_is_flipped() {
    let (bench, _) = asking();
    let release = bench.dave.start(&RELEASE);
    let id = bench.await_said("WAITS:");
    let abort = ["op", "abort", &id, "--reason", "not today"];
    bench.dave.run(&abort).assert(0, &[]);
    release.end().assert(1, &["aborted by", "not today"]);
    assert_eq!(bench.dave.relay.count(Asked::is_flip), 0);
}

#[test]
fn i_7_a_release_whose_smoke_test_fails_ends_before_the_flip() {
    let bench = testing("echo no; exit 3");
    bench.dave.run(&RELEASE).assert(
        1,
        &["smoke FAILED: sh: it ended with exit status: 3", "failed"],
    );
    assert_eq!(bench.dave.relay.count(Asked::is_flip), 0);
    assert_eq!(bench.colours(), ["blue", "blue"]);
}

#[test]
fn i_40_a_release_whose_pods_do_not_come_up_ends_before_the_flip() {
    let bench = testing("exit 0");
    bench
        .served
        .act(r#"{"do": "image-pull-failure", "deployment": "digital-wall-green-backend"}"#);
    bench.dave.run(&RELEASE).assert(
        1,
        &["roll out digital-wall-green-", "FAILED", "ImagePullBackOff"],
    );
    assert_eq!(bench.dave.relay.count(Asked::is_flip), 0);
    assert_eq!(bench.colours(), ["blue", "blue"]);
}

#[test]
fn i_44_a_freeze_by_another_in_mid_release_is_waited_for_and_a_thaw_lets_it_go_on() {
    let bench = testing("exit 0");
    let erin = bench.erin();
    bench.dave.edit("patience = 5\n", "patience = 60\n");
    // The freeze comes while it deploys.
    let trap = bench.dave.relay.trap(Fate::HeldBefore, 1, Asked::is_update);
    let release = bench.dave.start(&RELEASE);
    trap.wait("the first patch of a Deployment");
    let words = ["production", "--write", "--yes", "--reason", "sale"];
    erin.run(&[&["freeze"][..], &words].concat()).assert(0, &[]);
    trap.let_go();
    bench.await_said("WAITS: freeze: frozen by demo-manager");
    assert_eq!(bench.dave.relay.count(Asked::is_flip), 0);
    erin.run(&[&["thaw"][..], &words].concat()).assert(0, &[]);
    release.end().assert(0, &["done: GREEN is live"]);
    bench
        .dave
        .run(&["freeze", "production", "--write", "--yes", "--reason", "x"])
        .assert(0, &[]);
    bench.dave.run(&RELEASE).assert(5, &["refused: freeze"]);
}

#[test]
fn i_44_a_freeze_that_is_not_ended_ends_a_release_before_the_flip() {
    let bench = testing("exit 0");
    let trap = bench.dave.relay.trap(Fate::HeldBefore, 1, Asked::is_update);
    let release = bench.dave.start(&RELEASE);
    trap.wait("the first patch of a Deployment");
    let words = [
        "freeze",
        "production",
        "--write",
        "--yes",
        "--reason",
        "sale",
    ];
    bench.erin().run(&words).assert(0, &[]);
    trap.let_go();
    release.end().assert(
        1,
        &["plan FAILED: waited long enough: freeze: frozen by demo-manager"],
    );
    assert_eq!(bench.colours(), ["blue", "blue"]);
}

#[test]
fn i_13_what_was_changed_after_the_smoke_test_is_not_released() {
    let bench = testing("exit 0");
    gate(&bench.dave, "smoke = true");
    let release = changed_after_its_test(&bench);
    release.assert(1, &["plan FAILED: smoke: backend changed since the test"]);
    bench
        .dave
        .run(&CUTOVER)
        .assert(5, &["smoke: backend changed"]);
}

#[test]
fn i_13_a_releases_own_test_binds_it_though_no_cutover_demands_one() {
    let bench = testing("exit 0");
    let release = changed_after_its_test(&bench);
    release.assert(
        1,
        &["plan FAILED: smoke: what is there changed since its test"],
    );
}

/// Rolls a part of GREEN anew by hand, and waits until that is over.
fn rolled_by_hand(bench: &Bench, patch: &Value) {
    let before = bench.deployment("production", "digital-wall-green-backend");
    bench.patch_json("digital-wall-green-backend", patch);
    wait("its rollout", || {
        let now = bench.deployment("production", "digital-wall-green-backend");
        let is_observed = now["status"]["observedGeneration"] == now["metadata"]["generation"];
        let is_new = now["metadata"]["generation"] != before["metadata"]["generation"];
        let whole = now["status"]["availableReplicas"] == now["spec"]["replicas"]
            && now["status"]["updatedReplicas"] == now["spec"]["replicas"]
            && now["status"]["replicas"] == now["spec"]["replicas"];
        (is_new && is_observed && whole).then_some(())
    });
}

/// A template by another hand: the same images.
fn by_hand() -> Value {
    json!([{"op": "add", "path": "/spec/template/metadata/annotations", "value": {"by": "hand"}}])
}

#[test]
fn i_13_without_any_test_a_release_brings_live_what_it_deployed_and_nothing_else() {
    let path = "/spec/template/spec/containers/0/image";
    let image =
        json!([{"op": "replace", "path": path, "value": "ghcr.io/acme/digitalwall-backend:v4"}]);
    for (patch, why) in [
        (image, ":v4 by now, and not "),
        (by_hand(), "what is there changed since it was deployed"),
    ] {
        let bench = Bench::ready();
        bench.dave.edit("patience = 5\n", "patience = 60\n");
        let erin = bench.erin();
        let trap = bench.dave.relay.trap(Fate::HeldBefore, 1, Asked::is_update);
        let release = bench.dave.start(&RELEASE);
        trap.wait("the first patch of a Deployment");
        let words = ["production", "--write", "--yes", "--reason", "sale"];
        erin.run(&[&["freeze"][..], &words].concat()).assert(0, &[]);
        trap.let_go();
        bench.await_said("WAITS: freeze: frozen by demo-manager");
        // Meanwhile somebody deploys past everything.
        rolled_by_hand(&bench, &patch);
        erin.run(&[&["thaw"][..], &words].concat()).assert(0, &[]);

        let said = release.end();

        said.assert(1, &["plan FAILED: ", why]);
        assert_eq!(bench.dave.relay.count(Asked::is_flip), 0);
    }
}

#[test]
fn i_45_what_is_rolled_between_the_plan_and_the_patch_is_not_sent_live_though_no_test_is_demanded()
{
    let bench = Bench::ready();
    bench.dave.edit("moved = 20", "moved = 60");
    let trap = bench.dave.relay.trap(Fate::HeldBefore, 1, |it| {
        it.records("\"began\":{\"step\":{\"flip\"")
    });
    let running = bench.dave.start(&CUTOVER);
    trap.wait("the intent of the flip");
    rolled_by_hand(&bench, &by_hand());
    trap.let_go();

    let said = running.end();

    said.assert(
        1,
        &["flip digital-wall-service FAILED: backend changed since it was planned"],
    );
    assert_eq!(bench.dave.relay.count(Asked::is_flip), 0);
    assert_eq!(bench.colours(), ["blue", "blue"]);
}

/// A release between whose test and whose plan of the cutover somebody rolls the colour anew.
fn changed_after_its_test(bench: &Bench) -> Said {
    let trap = (bench.dave.relay).trap(Fate::HeldBefore, 1, |it| {
        it.records("\"began\":{\"step\":\"plan\"")
    });
    // The write is given up and comes again before the rollout is over: then it waits for what rolls.
    bench.dave.edit("patience = 5\n", "patience = 60\n");
    let release = bench.dave.start(&RELEASE);
    trap.wait("the plan of the cutover");
    rolled_by_hand(bench, &by_hand());
    trap.let_go();
    let said = release.end();
    assert_eq!(bench.dave.relay.count(Asked::is_flip), 0);
    said
}

#[test]
fn a_cutover_accepts_the_smoke_test_of_a_release_that_ended_before_its_flip() {
    let (bench, erin) = asking();
    for who in [&bench.dave, &erin] {
        who.edit(
            "[environment.gates]\n",
            "[environment.gates]\nsmoke = true\n",
        );
    }
    let release = bench.dave.start(&RELEASE);
    let id = bench.await_said("WAITS:");
    let abort = ["op", "abort", &id, "--reason", "not now"];
    bench.dave.run(&abort).assert(0, &[]);
    release.end().assert(1, &["aborted by"]);
    decide(&erin, "approve", "production").assert(0, &[]);
    bench.dave.run(&CUTOVER).assert(
        0,
        &[
            "smoke passed at ",
            "for what is there",
            "done: GREEN is live",
        ],
    );
}

#[test]
fn p02_a_release_whose_worker_is_killed_while_it_waits_is_adopted_and_asks_for_the_flip_that_it_would_make()
 {
    let (bench, erin) = asking();
    let id = bench.dave.detach(&RELEASE);
    wait("its wait", || {
        bench.dave.story(&id).contains("WAITS:").then_some(())
    });
    bench.dave.kill_worker();
    let adopting = bench.dave.start(&["op", "adopt", &id, "--write"]);
    // Whoever adopts writes another epoch: what was asked for before is another flip.
    wait("another request", || {
        let path = "/api/v1/namespaces/production/configmaps";
        let all = bench.ask("GET", path, None);
        let is_asked = |it: &&Value| it["data"]["decision"] == "asked";
        (all["items"].as_array()?.iter().filter(is_asked).count() == 2).then_some(())
    });
    decide(&erin, "approve", "production").assert(0, &["to GREEN is approved until"]);
    adopting.end().assert(0, &["done: GREEN is live"]);
    assert_eq!(bench.dave.relay.count(Asked::is_flip), 2);
}

#[test]
fn i_30_a_release_that_flipped_nothing_is_no_reason_to_go_to_what_it_deploys() {
    let (bench, _) = asking();
    let release = bench.dave.start(&RELEASE);
    let id = bench.await_said("WAITS:");
    bench.dave.run(&ROLLBACK).assert(
        2,
        &["has flipped nothing, and BLUE is live as before; abort it"],
    );
    assert_eq!(bench.colours(), ["blue", "blue"]);
    // Whoever means it names the colour, and nothing is in their way.
    let to_green = [&ROLLBACK[..], &["--to", "green"]].concat();
    bench
        .dave
        .run(&to_green)
        .assert(0, &["done: GREEN is live"]);
    release.end();
    assert!(bench.dave.story(&id).contains("cut off by rollback"));
}

#[test]
fn i_49_a_program_that_deploys_nothing_is_no_release() {
    let bench = testing("exit 0");
    let deployment = "[environment.deployment]\nstrategy = \"command\"\ncommand = [\"true\"]\n[environment.traffic]\n";
    bench.dave.edit("[environment.traffic]\n", deployment);
    bench
        .dave
        .run(&RELEASE[..6])
        .assert(1, &["run done", "plan FAILED: its deploy changed nothing"]);
    assert_eq!(bench.colours(), ["blue", "blue"]);
}

#[test]
fn what_cannot_be_released_is_said_with_a_way_on() {
    let bench = Bench::ready();
    let dave = &bench.dave;
    dave.run(&RELEASE[..6])
        .assert(2, &["which image? Name at least one"]);
    let to_live = [&RELEASE[..], &["--to", "blue"]].concat();
    dave.run(&to_live).assert(
        2,
        &["BLUE is live: a release goes to the idle colour, GREEN"],
    );
    let glass = [&RELEASE[..], &["--break-glass", "the till is down"]].concat();
    dave.run(&glass)
        .assert(2, &["a release may wait for hours"]);
    let overriding = [&RELEASE[..], &["--override", "ready=x"]].concat();
    dave.run(&overriding)
        .assert(2, &["ready may not be overridden"]);
    assert_eq!(dave.relay.count(Asked::is_update), 0);
}

#[test]
fn i_48_a_release_whose_request_for_an_approval_fails_once_asks_again() {
    let (bench, erin) = asking();
    let is_request = |it: &Asked| {
        let is_record = it.body.contains("wheelhouse.dev/record\":\"operation");
        it.method == "POST" && it.path.ends_with("/configmaps") && !is_record
    };
    let busy = json!({"kind": "Status", "status": "Failure", "code": 429, "message": "busy"});
    let fate = Fate::Said(429, busy.to_string());
    let failed = bench.dave.relay.trap(fate, 1, is_request);
    let release = bench.dave.start(&RELEASE);
    failed.wait("the request for the approval");

    bench.await_said("WAITS: a cutover of production to GREEN waits");

    decide(&erin, "approve", "production").assert(0, &["to GREEN is approved until"]);
    let said = release.end();
    said.assert(0, &["could not be asked for", "done: GREEN is live"]);
}

#[test]
fn i_48_a_release_whose_request_for_an_approval_is_deleted_asks_again() {
    let (bench, erin) = asking();
    let release = bench.dave.start(&RELEASE);
    bench.await_said("WAITS: a cutover of production to GREEN waits");
    let all = "/api/v1/namespaces/production/configmaps";
    let list = format!("{all}?labelSelector=wheelhouse.dev%2Frecord%3Dapproval");
    let requests = || {
        let items = bench.ask("GET", &list, None)["items"].clone();
        let items = items.as_array().unwrap().iter();
        let names = items.map(|it| it["metadata"]["name"].as_str().unwrap().to_owned());
        names.collect::<Vec<_>>()
    };
    let [first] = &requests()[..] else {
        panic!("{:?}", requests());
    };
    bench.ask("DELETE", &format!("{all}/{first}"), None);

    wait("another request", || {
        let now = requests();
        (now.len() == 1 && !now.contains(first)).then_some(())
    });

    decide(&erin, "approve", "production").assert(0, &["to GREEN is approved until"]);
    release.end().assert(0, &["done: GREEN is live"]);
}
