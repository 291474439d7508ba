//! Operations that somebody takes over: who may, what is voided first, and what came meanwhile.

use std::time::Duration;

use rustix::process::Signal;
use serde_json::json;

use crate::kept::{orphan, orphan_at};
use crate::operator::{CUTOVER, DEPLOY, ROLLBACK, wait};
use crate::relay::{Asked, Fate};
use crate::{Bench, freeze};

#[test]
fn p12_a_worker_that_slept_past_its_lease_stops_by_itself_though_nobody_took_over() {
    let bench = Bench::ready();
    let dave = &bench.dave;
    // Asleep while the intent of its first flip is written: when it wakes, the answer is there, and so is the API server.
    let is_intent = |it: &Asked| it.method == "PUT" && it.records(r#""passed":{"step":"hold""#);
    let intent = dave.relay.trap(Fate::HeldAfter, 1, is_intent);
    let running = dave.start(&CUTOVER);
    intent.wait("the intent of the flip");
    running.send(Signal::STOP);
    std::thread::park_timeout(Duration::from_secs(5));
    intent.let_go();
    running.send(Signal::CONT);

    let said = running.end();

    said.assert(7, &["the Lease was not renewed for", "op adopt"]);
    assert_eq!(dave.relay.count(Asked::is_flip), 0);
    assert_eq!(bench.colours(), ["blue", "blue"]);
    // A person goes on with it.
    let id = said.id();
    wait("the end of its Lease", || {
        let adopted = bench.colleague().run(&["op", "adopt", &id]);
        (adopted.code == 0).then_some(())
    });
    assert_eq!(bench.colours(), ["green", "green"]);
}

#[test]
fn i_43_whoever_is_alive_is_cut_off_only_by_somebody_who_says_so_and_may_write() {
    let bench = Bench::ready();
    bench.dave.edit("watch = 2", "watch = 40");
    let trap = bench.dave.relay.trap(Fate::HeldAfter, 1, |it| {
        it.records(r#""began":{"step":"watch""#)
    });
    let running = bench.dave.start(&CUTOVER);
    trap.wait("the watch");
    trap.let_go();
    let id = bench.await_said("watch …");
    let erin = bench.colleague();
    for verb in [
        &["op", "adopt", &id][..],
        &["op", "abandon", &id, "--reason", "mine"],
    ] {
        erin.run_bare(verb)
            .assert(2, &["production is read-only: say --write too"]);
        let writes = [verb, &["--write"]].concat();
        erin.run_bare(&writes)
            .assert(6, &["is at it", "say --yes to cut that worker off"]);
    }
    assert_eq!(erin.relay.count(Asked::is_write), 0);
    let sure = ["op", "abandon", &id, "--reason", "mine", "--write", "--yes"];
    erin.run_bare(&sure).assert(0, &["abandoned as it stands"]);
    assert_ne!(running.end().code, 0);
}

#[test]
fn p13_what_cannot_be_fenced_is_not_taken_over() {
    let bench = Bench::ready();
    let id = orphan(&bench);
    // Somebody who may have the Lease and the record, and not patch the Service.
    let no = json!({"kind": "Status", "status": "Failure", "code": 403, "reason": "Forbidden",
        "message": "services is forbidden"});
    for verb in [
        &["op", "adopt", &id][..],
        &["op", "abandon", &id, "--reason", "mine"],
    ] {
        let erin = bench.colleague();
        let _refused = erin
            .relay
            .ever_after(Fate::Said(403, no.to_string()), |it| {
                it.method == "PATCH" && it.path.contains("/services/")
            });
        let said = erin.run(verb);
        assert_ne!(said.code, 0, "{said}");
        said.assert(
            said.code,
            &["could not be cut off", "services is forbidden"],
        );
    }
    assert_eq!(bench.colours(), ["blue", "blue"]);
    // Who may goes on.
    bench
        .colleague()
        .run(&["op", "adopt", &id])
        .assert(0, &["done: GREEN is live"]);
}

#[test]
fn i_44_a_deploy_that_is_taken_over_under_a_freeze_changes_nothing_more() {
    let bench = Bench::ready();
    let id = orphan_at(&bench, &DEPLOY, Asked::is_update);
    freeze::by_bob(&bench, None);
    let erin = bench.colleague();
    erin.run(&["op", "adopt", &id])
        .assert(1, &["FAILED: freeze: frozen by bob"]);
    assert_eq!(erin.relay.count(Asked::is_update), 0);
}

#[test]
fn rule_11_the_next_service_does_not_follow_one_that_was_put_back() {
    let bench = Bench::ready();
    // The second flip is about to be judged when somebody puts the first Service back.
    let trap = bench.dave.relay.trap(Fate::HeldAfter, 1, |it| {
        it.records(r#""began":{"step":{"flip":"digital-wall-api""#)
    });
    let running = bench.dave.start(&CUTOVER);
    trap.wait("the second flip");
    let path = "/api/v1/namespaces/production/services/digital-wall-service";
    let patch = json!({"spec": {"selector": {"version": "blue"}}});
    bench.ask("PATCH", path, Some(&patch));
    trap.let_go();
    let said = running.end();
    assert_ne!(said.code, 0, "{said}");
    said.assert(
        said.code,
        &["flip digital-wall-api FAILED: REVERTED: digital-wall-service selects"],
    );
    assert_eq!(bench.colours(), ["blue", "blue"]);
}

#[test]
fn what_stands_at_0_is_lifted_before_a_program_deploys() {
    let bench = Bench::ready();
    bench.idle_at_0();
    crate::command::runs(&bench.dave, "exit 0", 60);
    bench.dave.run(&DEPLOY).assert(
        0,
        &[
            "update digital-wall-green-frontend done: replicas 0 → 3",
            "run done: it ended well",
            "roll out digital-wall-green-frontend done: 3/3",
        ],
    );
    wait("GREEN", || {
        let [(_, frontend), (_, backend)] = bench.runs("green");
        (frontend > 0 && backend > 0).then_some(())
    });
}

#[test]
fn x03_i_43_whoever_takes_over_what_a_living_rollback_cut_off_does_not_cut_that_off() {
    let bench = Bench::ready();
    let id = orphan(&bench);
    let erin = bench.colleague();
    let half = erin.relay.trap(Fate::HeldBefore, 1, Asked::is_flip);
    let to_green = [&ROLLBACK[..], &["--to", "green"]].concat();
    let back = erin.start(&to_green);
    half.wait("the first flip of the rollback");
    let carol = bench.colleague();
    carol
        .run(&["op", "adopt", &id])
        .assert(6, &["operation ", "which is at work"]);
    let given_up = carol.run(&["op", "abandon", &id, "--reason", "mine"]);
    given_up.assert(6, &["which is at work: watch that one"]);
    assert_eq!(carol.relay.count(Asked::is_write), 0);
    half.let_go();
    back.end().assert(0, &["done: GREEN is live"]);
}
