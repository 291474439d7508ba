//! One other person's approval: asked for, given, rejected, over, void; what it lifts, and what it never touches.

use serde_json::{Value, json};

use crate::Bench;
use crate::estate::Served;
use crate::operator::{CUTOVER, DEPLOY, Operator, REQUEST, ROLLBACK, SERVICES, decide, wait};
use crate::relay::{Asked, Fate};
use wheelhouse::ops::bastion::{Bastion, Place};
use wheelhouse::ops::{approve, policy};

const CONFIGS: &str = "/api/v1/namespaces/production/configmaps";
const PLAN: [&str; 3] = ["cutover", "production", "--plan"];

/// An estate whose production asks for one other person, and that person.
fn asking() -> (Bench, Operator) {
    let bench = Bench::ready();
    let erin = bench.erin();
    for person in [&bench.dave, &erin] {
        person.edit(
            "[environment.traffic]",
            "[environment.gates]\napproval = \"one other person\"\n[environment.traffic]",
        );
    }
    (bench, erin)
}

/// The same, where what dave asked for was approved.
fn approved() -> (Bench, Operator) {
    let (bench, erin) = asking();
    bench.dave.run(&REQUEST).assert(0, &[]);
    decide(&erin, "approve", "production").assert(0, &[]);
    (bench, erin)
}

/// Every approval that stands there, with its data changed by `change`, in place of what it was.
fn forge(bench: &Bench, decision: &str, change: Value) {
    for item in papers(bench) {
        if item["data"]["decision"] != decision {
            continue;
        }
        let name = item["metadata"]["name"].as_str().unwrap();
        let patch = json!({ "data": change });
        bench.ask("PATCH", &format!("{CONFIGS}/{name}"), Some(&patch));
    }
}

fn papers(bench: &Bench) -> Vec<Value> {
    let selector = "?labelSelector=wheelhouse.dev%2Frecord%3Dapproval";
    let list = bench.ask("GET", &format!("{CONFIGS}{selector}"), None);
    list["items"].as_array().cloned().unwrap_or_default()
}

#[test]
fn i_48_dave_asks_erin_approves_and_dave_cuts_over() {
    let (bench, erin) = asking();
    let dave = &bench.dave;
    dave.run(&CUTOVER).assert(
        4,
        &[
            "refused: approval: one other person's is needed: ask for it",
            "`wheelhouse approval request production --write --reason …`",
        ],
    );
    assert_eq!(dave.relay.count(Asked::is_flip), 0);
    erin.run(&["approval", "list"])
        .assert(0, &["nothing waits for an approval"]);

    let closed = [
        "approval",
        "request",
        "production",
        "--yes",
        "--reason",
        "x",
    ];
    dave.run(&closed).assert(2, &["production is read-only"]);
    dave.run(&REQUEST)
        .assert(0, &["to GREEN waits for one other person until"]);
    dave.run(&REQUEST).assert(
        4,
        &[
            "it is asked by demo-operator at",
            "v2 is due; it waits until",
        ],
    );
    dave.run(&CUTOVER).assert(
        4,
        &["one other person's is waited for: asked by demo-operator"],
    );
    erin.run(&["approval", "list"]).assert(
        4,
        &["cut over production to GREEN", "v2 is due", "waits until"],
    );
    let listed = erin.run(&["approval", "list", "production", "--json"]).out;
    let listed: Value = serde_json::from_str(listed.trim()).unwrap();
    assert_eq!(listed["schema"], "wheelhouse.approval/v1");
    assert_eq!(listed["state"], "waits");
    assert_eq!(listed["request"]["requester"], "demo-operator");

    // I-48: not by oneself, by any route.
    decide(dave, "approve", "production")
        .assert(5, &["demo-operator asked for it and may not approve it"]);
    let plan = [
        "approval",
        "approve",
        "production",
        "--plan",
        "--reason",
        "x",
    ];
    erin.run(&plan)
        .assert(0, &["approve a cutover of production to GREEN", "capacity"]);
    let id = listed["request"]["id"].as_str().unwrap();
    decide(&erin, "approve", id).assert(0, &["to GREEN is approved until"]);
    decide(&erin, "approve", id).assert(0, &["approved by demo-manager", "already"]);
    erin.run(&["approval", "list"])
        .assert(0, &["approved by demo-manager at"]);
    // Whoever approved may not carry it out.
    erin.run(&CUTOVER)
        .assert(4, &["demo-manager approved it and may not carry it out"]);
    let journal = erin.journal("approvals");
    assert!(
        journal.contains("intent") && journal.contains("outcome"),
        "{journal}"
    );

    dave.run(&PLAN)
        .assert(0, &["OK       approval     by demo-manager until"]);
    let said = dave.run(&CUTOVER);
    said.assert(0, &["done: GREEN is live"]);
    // It was for that flip, and for no other one.
    let listed = erin.run(&["approval", "list", "--json"]);
    listed.assert(0, &[r#""state":"void""#, "GREEN is live already"]);
    dave.run(&["status", "production"])
        .assert(0, &["void: it is live already"]);
    // Who approved stands in the record.
    dave.run(&["op", "show", &said.id()])
        .assert(0, &["approval by demo-manager until"]);

    // One approval is for one flip: back, and forward again takes another.
    dave.run(&ROLLBACK).assert(0, &["done: BLUE is live"]);
    dave.run(&CUTOVER).assert(
        4,
        &["demo-manager approved another revision or another flip"],
    );
}

#[test]
fn i_24_a_rollback_asks_for_no_approval() {
    let (bench, erin) = approved();
    let dave = &bench.dave;
    dave.run(&CUTOVER).assert(0, &["done: GREEN is live"]);
    decide(&erin, "reject", "production").assert(0, &["is rejected"]);
    dave.run(&ROLLBACK).assert(0, &["done: BLUE is live"]);
    // Nor is a repair, which makes the selectors what was meant.
    let by_hand = json!({"spec": {"selector": {"version": "green"}}});
    let service = "/api/v1/namespaces/production/services/digital-wall-service";
    bench.ask("PATCH", service, Some(&by_hand));
    dave.run(&["repair", "production", "--write", "--yes", "--reason", "x"])
        .assert(0, &["done: BLUE is live"]);
}

#[test]
fn i_48_one_rejection_ends_a_request_and_what_is_asked_anew_is_another() {
    let (bench, erin) = approved();
    let dave = &bench.dave;
    dave.run(&PLAN).assert(0, &[]);
    decide(&erin, "reject", "production").assert(0, &["to GREEN is rejected"]);
    decide(&erin, "reject", "production").assert(0, &["rejected by demo-manager", "already"]);
    dave.run(&CUTOVER).assert(
        5,
        &[
            "refused: rejected: by demo-manager at",
            "looked at it; what is asked for anew",
        ],
    );
    decide(&erin, "approve", "production").assert(5, &["have it asked for anew"]);
    assert_eq!(dave.relay.count(Asked::is_flip), 0);
    dave.run(&REQUEST).assert(0, &[]);
    dave.run(&CUTOVER).assert(4, &["is waited for"]);
    decide(&erin, "approve", "production").assert(0, &[]);
    dave.run(&CUTOVER).assert(0, &["done: GREEN is live"]);
}

#[test]
fn i_13_a_new_revision_on_the_idle_colour_voids_request_and_approval() {
    let (bench, erin) = approved();
    let dave = &bench.dave;
    dave.run(&PLAN).assert(0, &[]);
    let deploy = |tag: &str| {
        let image = format!("frontend=:{tag}");
        let deploy = ["deploy", "production", "--write", "--yes", "--reason", "x"];
        let said = dave.run(&[&deploy[..], &["--image", &image]].concat());
        said.assert(0, &["done: GREEN runs"]);
    };
    deploy("v3");
    dave.run(&CUTOVER).assert(
        4,
        &["demo-manager approved another revision or another flip"],
    );
    dave.run(&REQUEST).assert(0, &[]);
    deploy("v4");
    erin.run(&["approval", "list"])
        .assert(0, &["VOID: demo-operator asked for another revision"]);
    decide(&erin, "approve", "production")
        .assert(5, &["demo-operator asked for another revision", "v4"]);
    assert_eq!(dave.relay.count(Asked::is_flip), 0);
}

#[test]
fn i_13_a_rejection_between_the_start_and_the_first_flip_stops_it() {
    let (bench, erin) = approved();
    let dave = &bench.dave;
    let trap = dave.relay.trap(Fate::HeldBefore, 1, |it| {
        it.records("\"began\":{\"step\":{\"flip\"")
    });
    let running = dave.start(&CUTOVER);
    trap.wait("the intent of the flip");
    decide(&erin, "reject", "production").assert(0, &[]);
    trap.let_go();
    running.end().assert(
        1,
        &["flip digital-wall-service FAILED: rejected: by demo-manager"],
    );
    assert_eq!(dave.relay.count(Asked::is_flip), 0);
    assert_eq!(bench.colours(), ["blue", "blue"]);
}

#[test]
fn i_11_an_approval_that_ended_while_nobody_carried_it_out_stops_whoever_adopts() {
    let (bench, erin) = approved();
    let dave = &bench.dave;
    let trap = dave.relay.trap(Fate::HeldBefore, 1, |it| {
        it.records("\"began\":{\"step\":{\"flip\"")
    });
    let id = dave.detach(&CUTOVER);
    trap.wait("the intent of the flip");
    dave.kill_worker();
    decide(&erin, "reject", "production").assert(0, &[]);
    let adopted = dave.run(&["op", "adopt", &id]);
    adopted.assert(1, &["FAILED: rejected: by demo-manager"]);
    assert_eq!(bench.colours(), ["blue", "blue"]);
}

#[test]
fn an_approved_cutover_whose_worker_was_killed_goes_on_under_the_approval_that_it_began_with() {
    let (bench, _) = approved();
    let dave = &bench.dave;
    let trap = dave.relay.trap(Fate::HeldBefore, 1, |it| {
        it.records("\"began\":{\"step\":{\"flip\"")
    });
    let id = dave.detach(&CUTOVER);
    trap.wait("the intent of the flip");
    dave.kill_worker();
    // The Leases are seized, so the Services carry another epoch than the approval is bound to.
    dave.run(&["op", "adopt", &id])
        .assert(0, &["done: GREEN is live"]);
}

#[test]
fn i_49_an_approval_lifts_no_other_gate_and_none_is_asked_for_while_one_is_closed() {
    let (bench, erin) = approved();
    let dave = &bench.dave;
    let policy = json!({
        "metadata": {"name": "wheelhouse-policy"},
        "data": {"schema": "1", "freeze": r#"{"who":"bob","why":"sale"}"#},
    });
    bench.ask("POST", CONFIGS, Some(&policy));
    dave.run(&CUTOVER)
        .assert(5, &["refused: freeze: frozen by bob"]);
    decide(&erin, "reject", "production").assert(0, &[]);
    dave.run(&REQUEST).assert(
        5,
        &[
            "freeze: frozen by bob",
            "an approval would lift no gate but its own",
        ],
    );
    // Nor does broken glass lift this one.
    let glass = [&CUTOVER[..], &["--break-glass", "the till is down"]].concat();
    dave.run(&glass).assert(5, &["refused: rejected: by"]);
}

#[test]
fn status_names_what_waits_for_an_approval_who_asked_what_would_go_live_and_until_when() {
    let (bench, erin) = asking();
    let of_json = || {
        let said = erin.run(&["status", "production", "--json"]).out;
        let status: Value = serde_json::from_str(&said).unwrap();
        status["environments"][0]["approvals"].clone()
    };
    assert_eq!(of_json(), json!({"requests": [], "unread": []}));
    bench.dave.run(&REQUEST).assert(0, &[]);
    let listed = erin.run(&["approval", "list", "production", "--json"]).out;
    let request: Value = serde_json::from_str::<Value>(listed.trim()).unwrap()["request"].clone();

    let status = erin.run(&["status", "production"]);

    let runs = request["runs"].as_str().unwrap();
    let line = format!("approval of a cutover to GREEN ({runs}), asked by demo-operator at ");
    for part in [
        &line[..],
        ": v2 is due; waits until ",
        "`wheelhouse approval approve production --write --reason ...` by one other person",
    ] {
        assert!(status.out.contains(part), "{part:?} in {status}");
    }
    let waiting = of_json()["requests"][0].clone();
    for key in ["id", "requester", "seat", "runs", "reason"] {
        assert_eq!(waiting[key], request[key], "{key}");
    }
    assert_eq!(
        (&waiting["state"], &waiting["to"], &waiting["until"]),
        (&json!("waits"), &json!("green"), &request["expires"])
    );
    decide(&erin, "approve", "production").assert(0, &[]);
    erin.run(&["status", "production"])
        .assert(0, &["v2 is due; approved by demo-manager until "]);
    assert_eq!(of_json()["requests"][0]["state"], "approved");
    // One of a newer version may wait: it is no proof that nothing does.
    forge(&bench, "asked", json!({"schema": "9"}));
    let status = erin.run(&["status", "production"]);
    assert!(status.out.contains("UNKNOWN approval: "), "{status}");
    assert!(!of_json()["unread"].as_array().unwrap().is_empty());
}

#[test]
fn i_12_approvals_that_cannot_be_read_close_the_gate() {
    let (bench, _) = approved();
    let dave = &bench.dave;
    let away = dave.relay.ever_after(Fate::Said(503, String::new()), |it| {
        it.method == "GET" && it.path.ends_with("/configmaps")
    });
    dave.run(&PLAN)
        .assert(3, &["approval: whether it is approved is not known"]);
    drop(away);
}

#[test]
fn a_request_of_a_newer_version_is_no_proof_that_nothing_waits() {
    let (bench, erin) = asking();
    bench.dave.run(&REQUEST).assert(0, &[]);
    erin.run(&["approval", "list"]).assert(4, &["v2 is due"]);
    let labels = "labelSelector=wheelhouse.dev%2Frecord%3Dapproval";
    let all = bench.ask("GET", &format!("{CONFIGS}?{labels}"), None);
    let name = all["items"][0]["metadata"]["name"]
        .as_str()
        .unwrap()
        .to_owned();
    let newer = json!({"data": {"schema": "2"}});
    bench.ask("PATCH", &format!("{CONFIGS}/{name}"), Some(&newer));
    let said = erin.run(&["approval", "list"]);
    said.assert(3, &["it is of version 2"]);
    assert!(!said.out.contains("nothing waits"), "{said}");
}

#[test]
fn approvals_that_are_forged_malformed_dated_or_over_do_not_count_and_say_why() {
    let (bench, _) = approved();
    let dave = &bench.dave;
    for (change, code, words) in [
        (
            json!({"author": "demo-operator"}),
            4,
            "demo-operator asked for it and may not approve it",
        ),
        (
            json!({"author": "system:serviceaccount:ci:bot"}),
            4,
            "is a program and no other person",
        ),
        (
            json!({"author": "demo-manager", "votes": "2"}),
            3,
            "a key \"votes\", which is not known",
        ),
        (
            json!({"votes": null, "expires": "2001-01-01T00:00:00Z"}),
            3,
            "before it begins",
        ),
        (
            json!({"created": "2001-01-01T00:00:00Z", "expires": "2001-01-01T01:00:00Z"}),
            4,
            "the approval by demo-manager is over since 01:00Z",
        ),
        (
            json!({"created": "2101-01-01T00:00:00Z", "expires": "2101-01-01T01:00:00Z"}),
            3,
            "after the server created it",
        ),
        (
            json!({"created": "2001-01-01T00:00:00Z", "expires": "2101-01-01T01:00:00Z"}),
            3,
            "at most 24 hours",
        ),
        (
            json!({"expires": "2001-01-01T01:00:00Z", "plan": "0123456789abcdef"}),
            4,
            "is waited for",
        ),
    ] {
        forge(&bench, "approved", change);
        dave.run(&PLAN).assert(code, &[words]);
    }
    assert_eq!(dave.relay.count(Asked::is_flip), 0);
}

/// What a cockpit sends when `W` is confirmed: what it showed, and by the worker's own fresh reads whether it is so.
fn asks_as_shown(bench: &Bench, to: &str, bound: &str) -> Result<String, String> {
    let seconds = |n: u64| json!({"secs": n, "nanos": 0});
    let place = json!({
        "kubeconfig": bench.dave.home.path().join("kubeconfig"), "context": null,
        "records": "production", "selector": "app.kubernetes.io/part-of=digital-wall",
        "scope": {
            "name": "production", "tier": "production", "context": "", "namespace": "production",
            "traffic": {"key": "version", "colours": ["blue", "green"], "services": SERVICES},
            "workloads": [
                {"name": "frontend", "labels": [["part", "frontend"]], "deployments": []},
                {"name": "backend", "labels": [["part", "backend"]], "deployments": []},
            ],
            "approval": {"by": "other", "lasts_s": 3600},
        },
        "timing": {
            "lease": seconds(60), "renew": seconds(10), "give_up": seconds(40), "answer": seconds(10),
            "moved": seconds(60), "watch": seconds(2), "patience": seconds(5), "pause": seconds(1),
            "jitter": true,
        },
        "monitors": null, "journals": null,
    });
    let place: Place = serde_json::from_value(place).unwrap();
    let wanted = approve::Wanted {
        to: Some(to.into()),
        bound: Some(bound.into()),
        reason: "v2 is due".into(),
        ..Default::default()
    };
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    runtime.unwrap().block_on(async {
        let bastion = Bastion::connect(&place).await.unwrap();
        let words = |refused| policy::words(&refused).to_string();
        let draft = approve::ask(&bastion, &wanted).await.map_err(words)?;
        let done = approve::carry_out(&bastion, &draft).await.map_err(words)?;
        Ok(done.to_string())
    })
}

#[test]
fn i_47_what_is_asked_for_by_a_key_is_what_was_shown_or_nothing() {
    let (bench, _) = asking();
    // What the screen shows is what a plan says of itself.
    let plan = bench.dave.run(&[&PLAN[..], &["--json"]].concat()).out;
    let plan: Value = serde_json::from_str(&plan).unwrap();
    let bound = plan["plan"]["bound"].as_str().unwrap().to_owned();
    bench
        .dave
        .run(&DEPLOY)
        .assert(0, &["done: GREEN runs frontend v3"]);

    let refused = asks_as_shown(&bench, "green", &bound).unwrap_err();

    assert!(
        refused.contains("is not what was shown any more, now GREEN with")
            && refused.contains("v3"),
        "{refused}"
    );
    assert_eq!(papers(&bench).len(), 0);
    let other = asks_as_shown(&bench, "blue", &bound).unwrap_err();
    assert!(other.contains("BLUE is live"), "{other}");
    let plan = bench.dave.run(&[&PLAN[..], &["--json"]].concat()).out;
    let plan: Value = serde_json::from_str(&plan).unwrap();
    let now = plan["plan"]["bound"].as_str().unwrap();
    let done = asks_as_shown(&bench, "green", now).unwrap();
    assert!(done.contains("waits for one other person"), "{done}");
    assert_eq!(papers(&bench).len(), 1);
}

#[test]
fn the_policy_may_ask_for_more_than_the_configuration_and_github_is_never_asked_silently() {
    let bench = Bench::ready();
    let dave = &bench.dave;
    let policy = json!({
        "metadata": {"name": "wheelhouse-policy"},
        "data": {"schema": "1", "approval.production": "one other person"},
    });
    dave.run(&REQUEST).assert(2, &["needs nobody's approval"]);
    bench.ask("POST", CONFIGS, Some(&policy));
    dave.run(&CUTOVER)
        .assert(4, &["one other person's is needed"]);
    let path = format!("{CONFIGS}/wheelhouse-policy");
    let github = json!({"data": {"approval.production": "github review"}});
    bench.ask("PATCH", &path, Some(&github));
    dave.run(&REQUEST)
        .assert(2, &["GitHub's review", "ask there"]);
    // Nobody here knows of one: no run of a workflow deployed it.
    dave.run(&PLAN).assert(
        3,
        &[
            "UNKNOWN  review       the policy demands a review of GitHub's environment, and nothing here says that there was one",
            "--override review=REASON",
        ],
    );
    dave.run(&CUTOVER)
        .assert(3, &["review: the policy demands"]);
    let over = ["--override", "review=erin looked at the run"];
    dave.run(&[&CUTOVER[..], &over].concat())
        .assert(0, &["review overridden by", "done: GREEN is live"]);
}

#[test]
fn an_approval_that_the_servers_clock_has_ended_is_over() {
    let (bench, _) = approved();
    let dave = &bench.dave;
    dave.run(&PLAN).assert(0, &[]);
    // Without the server's time nobody knows.
    let unknown = dave.relay.ever_after(Fate::Said(503, String::new()), |it| {
        it.is("GET", "/version")
    });
    dave.run(&PLAN)
        .assert(3, &["whether the approval still holds is not known"]);
    drop(unknown);
}

#[test]
fn without_a_reason_nothing_is_asked_for_or_decided() {
    let (bench, _) = asking();
    let request = ["approval", "request", "production", "--write", "--yes"];
    bench.dave.run(&request).assert(2, &["--reason"]);
    bench
        .dave
        .run(&[&request[..], &["--reason", " "]].concat())
        .assert(2, &["it needs a reason"]);
    decide(&bench.dave, "approve", "production").assert(2, &["nothing in production waits"]);
    decide(&bench.dave, "approve", "01jabcdefghjkmnpqrstvwxyz0")
        .assert(2, &["there is no request 01j"]);
    wait("nothing was written", || {
        papers(&bench).is_empty().then_some(())
    });
}

#[test]
fn in_the_demo_a_colleague_asks_cuts_over_when_approved_and_approves_what_is_asked_for() {
    let served = Served::start(&["--scenario", "approval"]);
    let config = served.config.to_str().unwrap().to_owned();
    let run = |args: &[&str]| {
        let mut command = served
            .home
            .command(&[&["--config", &config], args].concat());
        let done = command.output().unwrap();
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        (done.status.code(), text(&done.stdout) + &text(&done.stderr))
    };
    wait("the colleague's request", || {
        let (code, said) = run(&["approval", "list", "production"]);
        (code == Some(4) && said.contains("asked by demo-manager")).then_some(())
    });
    let approve = ["--write", "--yes", "--reason", "looked at it"];
    let (code, said) = run(&[&["approval", "approve", "production"][..], &approve].concat());
    assert_eq!(code, Some(0), "{said}");
    wait("the colleague's cutover", || {
        let (_, said) = run(&["op", "list", "production"]);
        said.contains("cut over production to GREEN  by demo-manager")
            .then_some(())
    });
}
