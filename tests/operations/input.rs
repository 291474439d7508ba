//! What is typed, and what comes out.

use serde_json::{Value, json};

use crate::Bench;
use crate::operator::{CUTOVER, DEPLOY, ROLLBACK, SERVICES};
use crate::relay::{Asked, Fate};

#[test]
fn what_cannot_be_meant_is_said_with_a_way_on_and_changes_nothing() {
    let bench = Bench::ready();
    let dave = &bench.dave;
    dave.run(&["cutover", "prodution", "--plan"]).assert(
        2,
        &["there is no environment \"prodution\"; expected one of production"],
    );
    dave.run(&["cutover", "production", "--to", "purple", "--plan"])
        .assert(2, &["there is no colour purple; there are blue and green"]);
    dave.run(&["cutover", "production", "--yes", "--reason", "x"])
        .assert(
            2,
            &["production is read-only: say --write too, or look with --plan"],
        );
    dave.run(&["cutover", "production", "--write", "--yes"])
        .assert(2, &["needs --reason TEXT"]);
    dave.run(&["cutover", "production", "--write", "--reason", "x"])
        .assert(
            2,
            &["no terminal to confirm it on: say --yes, or look with --plan"],
        );
    dave.run(&["repair", "production", "--plan"])
        .assert(2, &["nothing is known to be wrong", "cut over"]);
    dave.run(&["rollback", "production", "--to", "blue", "--yes"])
        .assert(2, &["nothing to roll back: BLUE is live on every Service"]);
    dave.run(&["op", "show", "../secrets"])
        .assert(2, &["is no operation's id", "op list"]);
    dave.run(&["op", "adopt", "01j00000000000000000000000"])
        .assert(
            2,
            &["there is no operation 01j00000000000000000000000 in any environment"],
        );
    assert_eq!(bench.colours(), ["blue", "blue"]);
    assert_eq!(
        dave.relay
            .count(|it| it.is_write() && !it.path.contains("/selfsubject")),
        0
    );

    dave.edit(SERVICES[1], "digital-wall-apj");
    dave.run(&["cutover", "production", "--plan"]).assert(
        2,
        &["there is no Service digital-wall-apj in production: create it, or mend `services`"],
    );
}

#[test]
fn i_20_a_cutover_to_what_is_live_verifies_and_flips_nothing() {
    let bench = Bench::ready();
    let args = [&CUTOVER[..], &["--to", "blue"]].concat();
    bench
        .dave
        .run(&args)
        .assert(0, &["BLUE was live on", "already, and is verified"]);
    assert_eq!(bench.dave.relay.count(crate::relay::Asked::is_flip), 0);
}

#[test]
fn i_1_a_selector_without_the_colour_key_matches_both_and_is_refused() {
    let bench = Bench::ready();
    let path = format!("/api/v1/namespaces/production/services/{}", SERVICES[0]);
    let patch = serde_json::json!({"spec": {"selector": {"version": null}}});
    bench.ask("PATCH", &path, Some(&patch));
    bench
        .dave
        .run(&CUTOVER)
        .assert(2, &["which colour?", "--to"]);
    let to = [&CUTOVER[..], &["--to", "green"]].concat();
    bench
        .dave
        .run(&to)
        .assert(5, &["selects both colours or none", "repair it first"]);
}

#[test]
fn plans_and_operations_have_their_shapes_in_json() {
    let bench = Bench::ready();
    let dave = &bench.dave;
    let plan = dave.run(&["cutover", "production", "--plan", "--json"]);
    let plan: Value = serde_json::from_str(&plan.out).unwrap();
    assert_eq!(plan["schema"], "wheelhouse.plan/v1");
    assert!(plan["refused"].is_null());
    for key in [
        "kind",
        "environment",
        "flips",
        "gates",
        "least",
        "back",
        "hash",
        "others",
        "images",
    ] {
        assert!(!plan["plan"][key].is_null(), "{key} in {plan}");
    }
    let done = dave.run(&[&CUTOVER[..], &["--json"]].concat());
    let entries: Vec<Value> = done
        .out
        .lines()
        .map(|it| serde_json::from_str(it).unwrap())
        .collect();
    assert_eq!(entries[0]["what"]["planned"]["kind"], "cutover");
    assert_eq!(entries.last().unwrap()["what"]["closed"]["outcome"], "done");
    let listed = dave.run(&["op", "list", "--json"]);
    let listed: Value = serde_json::from_str(listed.out.lines().next().unwrap()).unwrap();
    assert_eq!(listed["schema"], "wheelhouse.operation/v1");
    assert_eq!(
        (&listed["environment"], &listed["operation"]["orphaned"]),
        (&"production".into(), &false.into())
    );
    assert_eq!(listed["operation"]["outcome"], "done");
    let id = listed["id"].as_str().unwrap();
    dave.run(&["op", "watch", id])
        .assert(0, &["done: GREEN is live"]);
    dave.run(&["op", "abort", id, "--reason", "late"])
        .assert(1, &["is over: done"]);
    dave.run(&ROLLBACK).assert(0, &["done: BLUE is live"]);
    // O06: once more changes nothing.
    dave.run(&ROLLBACK)
        .assert(2, &["rolled back to BLUE at", "cut over with its checks"]);
}

#[test]
fn a_job_that_cuts_over_twice_takes_nothing_back() {
    let bench = Bench::ready();
    let dave = &bench.dave;
    dave.run(&CUTOVER).assert(0, &["done: GREEN is live"]);

    // A retry means what it did, and not the other colour.
    dave.run(&CUTOVER).assert(
        5,
        &[
            "NOTE     back         traffic left BLUE at",
            "refused: back: traffic left BLUE at",
            "say --to blue, or `wheelhouse rollback production`",
        ],
    );
    let detached = [&CUTOVER[..], &["--detach", "--json"]].concat();
    let said = dave.run(&detached);
    said.assert(5, &[r#""refused":"back: traffic left BLUE at"#]);
    assert_eq!(bench.colours(), ["green", "green"]);
    dave.run(&["cutover", "production", "--plan"])
        .assert(0, &["by cutover", "this is a way back"]);

    // What was deployed there since is a release; whoever names the colour means it.
    dave.run(&DEPLOY).assert(0, &["done: BLUE runs"]);
    let plan = dave.run(&["cutover", "production", "--plan"]);
    assert!(!plan.out.contains("a way back"), "{plan}");
    dave.run(&CUTOVER).assert(0, &["done: BLUE is live"]);
    let to = [&CUTOVER[..], &["--to", "green"]].concat();
    dave.run(&to).assert(0, &["done: GREEN is live"]);
}

#[test]
fn an_api_server_that_is_away_is_unknown_whatever_is_asked() {
    let mut bench = Bench::new();
    bench.served.end();
    let write = ["production", "--write", "--yes", "--reason", "x"];
    let of = |verb: &'static str| [&[verb][..], &write].concat();
    let request = [&["approval", "request"][..], &write].concat();
    let hold = [&["warm", "hold"][..], &write].concat();
    let all = ["cutover", "deploy", "rollback", "freeze", "thaw"].map(of);
    for args in all.into_iter().chain([request, hold]) {
        let mut args = args.clone();
        if args[0] == "deploy" {
            args.extend(["--image", ":v3"]);
        }
        let said = bench.dave.run(&[&args[..], &["--json"]].concat());
        said.assert(3, &["wheelhouse: "]);
        let told: Value = serde_json::from_str(&said.out).unwrap();
        assert!(told["refused"].is_string(), "{args:?}: {said}");
        assert!(told["schema"].is_string(), "{args:?}: {said}");
    }
}

#[test]
fn an_api_server_that_goes_away_behind_the_plan_is_unknown_as_well() {
    let bench = Bench::ready();
    let dave = &bench.dave;
    let said = json!({"kind": "Status", "status": "Failure", "code": 503, "message": "so it said"});
    let fate = Fate::Said(503, said.to_string());
    let locks = |it: &Asked| it.is_write() && it.path.contains("/leases");
    let _away = dave.relay.ever_after(fate, locks);
    for way in [&CUTOVER[..], &[&CUTOVER[..], &["--detach"]].concat()] {
        dave.run(way).assert(3, &["so it said"]);
    }
    assert_eq!(dave.relay.count(Asked::is_flip), 0);
}
