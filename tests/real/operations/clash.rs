//! Two people, or a person and a tool, at the same Services at the same time.

use super::Stage;
use crate::fleet;
use crate::operator::{CUTOVER, Operator, ROLLBACK, SERVICES, wait, wait_within};
use crate::plane::Plane;
use crate::plane::pods::Health;
use crate::relay::{Asked, Fate};
use rustix::process::{Signal, kill_process};
use serde_json::json;
use std::time::Duration;

/// The intent of the first flip is written, its answer held.
fn intent_of_the_flip(it: &Asked) -> bool {
    it.records(r#""began":{"step":{"flip":"digital-wall-service"#)
}

/// The watch after the flips has begun.
fn watching(it: &Asked) -> bool {
    it.records(r#""began":{"step":"watch""#)
}

/// dave's worker at the beginning of its watch, which is to last.
fn watched_for(stage: &Stage<'_>, seconds: u32) -> (Operator, String) {
    watched(stage, seconds, 5)
}

/// The same with some patience for those who change what it works on.
fn watched(stage: &Stage<'_>, seconds: u32, patience: u32) -> (Operator, String) {
    let dave = stage.operator("dave");
    dave.edit("watch = 2", &format!("watch = {seconds}"));
    dave.edit("patience = 5", &format!("patience = {patience}"));
    let trap = dave.relay.trap(Fate::HeldAfter, 1, watching);
    let id = dave.detach(&CUTOVER);
    trap.wait("the watch");
    trap.let_go();
    (dave, id)
}

#[test]
fn x01_of_two_cutovers_in_the_same_second_one_wins_and_the_other_is_told_who_and_what() {
    let stage = Stage::new("ops-x01");
    let (dave, erin) = (stage.operator("dave"), stage.operator("erin"));
    // Both have looked, and found nobody there, before either takes a Lease.
    let lease = |it: &Asked| it.is_write() && it.path.contains("/leases");
    let traps = [&dave, &erin].map(|it| it.relay.trap(Fate::HeldBefore, 1, lease));
    let both = [&dave, &erin].map(|it| it.start(&CUTOVER));
    for trap in &traps {
        trap.wait("a Lease");
    }
    for trap in traps {
        trap.let_go();
    }
    let said = both.map(|it| it.end());
    let winner = said
        .iter()
        .position(|it| it.code == 0)
        .expect("one of them");
    let (won, lost) = (&said[winner], &said[1 - winner]);
    won.assert(0, &["done: GREEN is live"]);
    lost.assert(6, &["digital-wall-api is held by ", &won.id(), "watch it"]);
    stage.await_live("green");
    for service in SERVICES {
        assert_eq!(stage.flips_to(service, &won.id()).len(), 1);
    }
    assert_eq!(stage.operations(), [won.id()]);
}

#[test]
fn x06_the_same_person_on_the_same_host_is_somebody_else_in_another_process() {
    let stage = Stage::new("ops-x06");
    let (dave, id) = watched_for(&stage, 20);
    let holder = stage.lease(SERVICES[0]).unwrap().0;

    let again = dave.run(&CUTOVER);

    again.assert(6, &["is held by", &holder, &id]);
    dave.run(&["op", "list"]).assert(0, &["at watch"]);
    dave.run(&ROLLBACK).assert(0, &["done: BLUE is live"]);
    let entries = dave.entries(&stage.operations()[1]);
    let mut locked = entries.iter().filter_map(|it| it["what"].get("locked"));
    let other = &locked.next().expect("its Leases")["holder"];
    assert_ne!(other, &json!(holder));
}

#[test]
fn x02_a_worker_that_slept_while_another_took_over_is_fenced_whatever_it_had_sent() {
    let stage = Stage::open(Plane::shared(), "ops-x02");
    let (dave, erin) = (stage.operator("dave"), stage.operator("erin"));
    let trap = dave.relay.trap(Fate::HeldBefore, 1, Asked::is_flip);
    let id = dave.detach(&CUTOVER);
    trap.wait("the flip");
    let worker = dave.worker().unwrap();
    kill_process(worker, Signal::STOP).unwrap();

    erin.run(&["op", "adopt", &id])
        .assert(0, &["done: GREEN is live"]);
    // Back to what the old patch tests, but for the epoch.
    let back = erin.run(&ROLLBACK);
    back.assert(0, &["done: BLUE is live"]);
    // What was under way all the while arrives, and its sender wakes.
    trap.let_go();
    let late = || {
        dave.relay
            .asked()
            .into_iter()
            .find(|it| it.is_flip() && it.status != 0)
    };
    assert_eq!(wait("its answer", late).status, 422);
    kill_process(worker, Signal::CONT).unwrap();
    dave.await_no_worker();

    assert_eq!(dave.relay.count(Asked::is_flip), 1);
    assert_eq!(stage.colours(), ["blue", "blue"]);
    assert!(dave.home.log().contains("fenced"), "{}", dave.home.log());
    let epochs = epochs_of(&erin, &id);
    assert!(
        epochs.windows(2).all(|it| it[0] < it[1]) && epochs.len() == 2,
        "{epochs:?}"
    );
}

#[test]
fn p12_p13_a_worker_that_slept_before_it_sent_the_patch_never_sends_it() {
    let stage = Stage::new("ops-p13");
    let (dave, erin) = (stage.operator("dave"), stage.operator("erin"));
    let trap = dave.relay.trap(Fate::HeldAfter, 1, intent_of_the_flip);
    let id = dave.detach(&CUTOVER);
    trap.wait("the intent");
    let worker = dave.worker().unwrap();
    kill_process(worker, Signal::STOP).unwrap();
    trap.let_go();

    // Nothing but the Lease and the epoch is another when it wakes.
    erin.run(&["op", "abandon", &id, "--reason", "dave is away"])
        .assert(0, &["abandoned as it stands"]);
    kill_process(worker, Signal::CONT).unwrap();
    dave.await_no_worker();

    assert_eq!(dave.relay.count(Asked::is_flip), 0);
    assert_eq!(stage.colours(), ["blue", "blue"]);
    erin.run(&CUTOVER).assert(0, &["done: GREEN is live"]);
}

#[test]
fn x07_a_takeover_from_somebody_who_is_alive_stops_them_within_a_renewal() {
    let stage = Stage::new("ops-x07");
    let (dave, id) = watched_for(&stage, 30);
    let erin = stage.operator("erin");
    erin.edit("watch = 2", "watch = 6");

    let adopted = erin.start(&["op", "adopt", &id]);
    wait("the new holder", || {
        (epochs_of(&erin, &id).len() == 2).then_some(())
    });
    // A renewal is due each second, and the watch would go on for 30; a busy machine gets a few more.
    wait_within(Duration::from_secs(12), "dave's worker to stop", || {
        dave.worker().is_none().then_some(())
    });

    adopted.end().assert(0, &["done: GREEN is live"]);
    let epochs = epochs_of(&erin, &id);
    assert!(epochs[0] < epochs[1], "{epochs:?}");
    assert!(dave.home.log().contains("fenced"), "{}", dave.home.log());
    for service in SERVICES {
        assert_eq!(stage.flips_to(service, &id).len(), 1);
    }
}

#[test]
fn x03_a_rollback_seizes_what_a_cutover_holds_and_goes_through_in_two_round_trips() {
    let stage = Stage::new("ops-x03");
    let (dave, id) = watched_for(&stage, 30);
    let erin = stage.operator("erin");

    let back = erin.run(&ROLLBACK);

    back.assert(0, &["done: BLUE is live"]);
    stage.await_live("blue");
    dave.await_no_worker();
    assert_eq!(dave.relay.count(Asked::is_flip), 2);
    for service in SERVICES {
        let flips = stage.flips_to(service, &back.id());
        assert_eq!(flips.len(), 2, "{flips:?}");
    }
    // The cutover says what became of it.
    let story = erin.story(&id);
    assert!(
        story.contains(&format!("cut off by rollback {}", back.id())),
        "{story}"
    );
    // Behind the reads: the Leases and the record at once, then the patches; but for renewals, and what met one of them.
    let is_renewal =
        |it: &Asked| it.path.contains("/leases") && it.body.contains("wheelhouse.dev/watched");
    let writes: Vec<Asked> = erin
        .relay
        .asked()
        .into_iter()
        .filter(|it| it.is_write() && it.status < 300 && !is_renewal(it))
        .collect();
    let first = writes.iter().position(Asked::is_flip).unwrap();
    let before: Vec<_> = writes[..first].iter().map(|it| it.path.clone()).collect();
    assert_eq!(before.len(), 3, "two Leases and the record: {before:?}");
    assert!(
        writes[first + 1].records("passed"),
        "{:?}",
        writes[first + 1].path
    );
}

#[test]
fn k10_x04_a_selector_put_back_by_another_is_an_alarm_and_a_pause_and_never_a_fight() {
    let stage = Stage::new("ops-k10");
    let (dave, id) = watched(&stage, 30, 40);
    let to = |colour| json!({"spec": {"selector": {"version": colour}}});

    stage.patch_by("argocd-controller", SERVICES[0], &to("blue"));

    wait_within(Duration::from_secs(15), "the alarm", || {
        let story = dave.story(&id);
        story.contains("PAUSED: REVERTED: digital-wall-service selects part=frontend version=blue, by argocd-controller at").then_some(())
    });
    dave.run(&["op", "list"]).assert(0, &["PAUSED: REVERTED"]);
    assert_eq!(stage.colours(), ["blue", "green"]);
    // Put right by whoever did it, it goes on.
    stage.patch_by("argocd-controller", SERVICES[0], &to("green"));
    wait_within(Duration::from_secs(15), &dave.story(&id), || {
        dave.story(&id).contains("  goes on").then_some(())
    });
    assert_eq!(dave.relay.count(Asked::is_flip), 2);
    dave.run(&ROLLBACK).assert(0, &["done: BLUE"]);
}

#[test]
fn k10_a_selector_that_nobody_puts_right_ends_the_operation_and_the_other_service_goes_back() {
    let stage = Stage::new("ops-k10-ends");
    let (dave, id) = watched_for(&stage, 30);

    let to_blue = json!({"spec": {"selector": {"version": "blue"}}});
    stage.patch_by("argocd-controller", SERVICES[0], &to_blue);
    dave.await_no_worker();

    let story = dave.story(&id);
    for part in [
        "watch FAILED: REVERTED",
        "argocd-controller",
        "undo digital-wall-api done",
    ] {
        assert!(story.contains(part), "{part} in {story}");
    }
    // What is somebody else's is left alone: no flip of ours follows theirs.
    stage.await_live("blue");
    let flips = stage.flips(SERVICES[0]);
    assert!(
        flips.last().unwrap().contains("outside of Wheelhouse"),
        "{flips:?}"
    );
    // What was meant is not one colour any more, so there is no repair; a cutover with its checks is the way on.
    let repair = [
        "repair",
        "production",
        "--write",
        "--yes",
        "--reason",
        "again",
    ];
    dave.run(&repair)
        .assert(2, &["GREEN was meant for digital-wall-service", "cut over"]);
    dave.run(&CUTOVER).assert(0, &["done: GREEN is live"]);
}

#[test]
fn i_46_what_another_puts_elsewhere_after_the_end_is_repaired_by_a_plan_that_a_person_confirms() {
    let stage = Stage::new("ops-repair");
    let dave = stage.operator("dave");
    dave.run(&CUTOVER).assert(0, &["done"]);
    let to_blue = json!({"spec": {"selector": {"version": "blue"}}});
    stage.patch_by("argocd-controller", SERVICES[1], &to_blue);

    dave.run(&["repair", "production", "--plan"]).assert(
        0,
        &[
            "digital-wall-api  part=backend  version  blue → green",
            "argocd-controller",
        ],
    );
    assert_eq!(stage.colours(), ["green", "blue"], "a plan changes nothing");
    let repair = [
        "repair",
        "production",
        "--write",
        "--yes",
        "--reason",
        "put back",
    ];
    dave.run(&repair).assert(0, &["done: GREEN is live"]);
    stage.await_live("green");
    dave.run(&repair)
        .assert(2, &["nothing to repair: every selector is what was meant"]);
}

#[test]
fn k09_pods_that_turn_ill_between_the_confirmation_and_the_patch_stop_it() {
    let stage = Stage::new("ops-k09");
    let dave = stage.operator("dave");
    let trap = dave.relay.trap(Fate::HeldAfter, 1, intent_of_the_flip);
    let running = dave.start(&CUTOVER);
    trap.wait("the intent");
    fleet::colour_is(stage.plane, stage.namespace, "green", Health::Unready);
    stage.await_unready("green");
    trap.let_go();

    running.end().assert(
        1,
        &["flip digital-wall-service FAILED", "no ready pod of GREEN"],
    );
    assert_eq!(dave.relay.count(Asked::is_flip), 0);
    // K08: and nobody begins it anew.
    let again = dave.run(&CUTOVER);
    again.assert(
        5,
        &["refused: match: no ready pod of GREEN matches the whole selector"],
    );
    assert_eq!(stage.colours(), ["blue", "blue"]);
}

#[test]
fn k11_a_service_that_was_deleted_and_made_again_is_another_object() {
    let stage = Stage::new("ops-k11");
    let dave = stage.operator("dave");
    let trap = dave.relay.trap(Fate::HeldAfter, 1, intent_of_the_flip);
    let running = dave.start(&CUTOVER);
    trap.wait("the intent");
    stage.remake_services();
    trap.let_go();

    running.end().assert(1, &["flip digital-wall-service FAILED: Service digital-wall-service was deleted and made again"]);
    assert_eq!(dave.relay.count(Asked::is_flip), 0);

    // The same where the patch is on its way already: its uid is tested.
    let trap = dave.relay.trap(Fate::HeldBefore, 1, Asked::is_flip);
    let running = dave.start(&CUTOVER);
    trap.wait("the flip");
    stage.remake_services();
    trap.let_go();

    running
        .end()
        .assert(1, &["was deleted and made again: it is another object now"]);
    assert_eq!(stage.colours(), ["blue", "blue"]);
}

#[test]
fn k12_a_selector_key_that_the_plan_did_not_show_fails_the_whole_test_and_the_difference_is_shown()
{
    let stage = Stage::new("ops-k12");
    let dave = stage.operator("dave");
    let trap = dave.relay.trap(Fate::HeldBefore, 1, Asked::is_flip);
    let running = dave.start(&CUTOVER);
    trap.wait("the flip");
    stage.patch_by(
        "carols-editor",
        SERVICES[0],
        &json!({"spec": {"selector": {"tier": "web"}}}),
    );
    trap.let_go();

    let said = running.end();

    said.assert(
        1,
        &[
            "tier unset → web",
            "last written by carols-editor at",
            "version=blue",
        ],
    );
    let selector = stage.service(SERVICES[0]).spec.unwrap().selector.unwrap();
    assert_eq!(
        (selector["tier"].as_str(), selector["version"].as_str()),
        ("web", "blue")
    );
}

#[test]
fn k17_a_record_or_a_lease_deleted_by_hand_stops_the_worker_and_there_is_a_way_on() {
    let stage = Stage::new("ops-k17");
    let (dave, id) = watched_for(&stage, 2);
    stage.delete_record(&id);
    dave.await_no_worker();
    assert!(
        dave.home.log().contains("its record was deleted"),
        "{}",
        dave.home.log()
    );
    assert_eq!(stage.operations(), [""; 0], "nobody made it again");
    // Traffic is where it was brought; whoever goes on waits for the Lease's end at most.
    let again = [&CUTOVER[..], &["--to", "green"]].concat();
    wait("the way on", || (dave.run(&again).code == 0).then_some(()));

    dave.run(&ROLLBACK).assert(0, &["done"]);
    let before = stage.lease(SERVICES[1]).unwrap().1;
    let (dave, id) = watched_for(&stage, 20);
    stage.delete_lease(SERVICES[1]);
    dave.await_no_worker();
    assert!(
        dave.home.log().contains("nobody: the Lease was deleted"),
        "{}",
        dave.home.log()
    );
    dave.run(&["op", "list"]).assert(0, &[&id, "at watch"]);
    let erin = stage.operator("erin");
    erin.run(&["op", "adopt", &id])
        .assert(0, &["done: GREEN is live"]);
    // A new Lease starts above what the Service says: the old worker stays fenced.
    assert!(stage.lease(SERVICES[1]).unwrap().1 > before + 1);
}

/// The epochs of `digital-wall-service` under which an operation was carried out, in their order.
fn epochs_of(operator: &Operator, id: &str) -> Vec<u64> {
    let entries = operator.entries(id);
    let all = entries.iter().filter_map(|it| {
        let taken = it["what"].get("locked").or(it["what"].get("adopted"))?;
        taken["epochs"][SERVICES[0]].as_u64()
    });
    all.collect()
}
