//! A world that is not well: pods, disk, rights, credentials, the API server itself.

use super::Stage;
use crate::cockpit::{LONG, SIZE};
use crate::estate::program;
use crate::fleet;
use crate::operator::{CUTOVER, Operator, PATIENT, ROLLBACK, SERVICES, wait};
use crate::plane::Plane;
use crate::plane::pods::Health;
use crate::pty::{Pty, text_of};
use crate::relay::{Asked, Fate};
use crate::shipped::RECORDS;

#[test]
fn i_21_all_new_pods_crash_after_the_promotion_and_the_rollback_goes_through() {
    let stage = Stage::new("ops-i21");
    let dave = stage.operator("dave");
    dave.run(&CUTOVER).assert(0, &["done"]);
    fleet::colour_is(stage.plane, stage.namespace, "green", Health::Crashing);
    stage.await_unready("green");

    dave.run(&ROLLBACK).assert(0, &["done: BLUE is live"]);

    stage.await_live("blue");
}

#[test]
fn i_17_a_patch_that_was_accepted_is_not_traffic_that_moved() {
    let stage = Stage::new("ops-i17");
    let dave = stage.operator("dave");
    dave.edit("moved = 20", "moved = 10");
    // An endpoint that nobody knows, beside those of the controller.
    stage.plane.apply_yaml(
        stage.namespace,
        "apiVersion: discovery.k8s.io/v1\nkind: EndpointSlice\naddressType: IPv4\n\
         metadata: {name: by-hand, labels: {kubernetes.io/service-name: digital-wall-service}}\n\
         ports: [{name: http, port: 3000}]\nendpoints: [{addresses: [10.9.9.9], conditions: {ready: true}}]\n",
    );

    let said = dave.run(&CUTOVER);

    said.assert(
        1,
        &[
            "move digital-wall-service FAILED: not within 10 s: 3 ready endpoints of GREEN",
            "1 of no colour",
        ],
    );
    assert_eq!(stage.colours(), ["blue", "blue"]);
}

#[test]
fn i_22_a_rollback_to_a_colour_that_is_ill_is_refused_and_names_the_lesser_evil() {
    let stage = Stage::new("ops-i22");
    let dave = stage.operator("dave");
    dave.run(&CUTOVER).assert(0, &["done"]);
    fleet::colour_is(stage.plane, stage.namespace, "blue", Health::Unready);
    stage.await_unready("blue");

    let words = [
        "no ready pod of BLUE",
        "staying on GREEN (5/5 ready) is the lesser evil",
    ];
    dave.run(&ROLLBACK).assert(5, &words);

    assert_eq!(stage.colours(), ["green", "green"]);
}

#[test]
fn i_23_new_pods_that_crash_while_it_is_watched_bring_traffic_back_before_anything_else() {
    let stage = Stage::new("ops-i23");
    stage.shrinking_autoscalers();
    let dave = stage.operator("dave");
    dave.edit("watch = 2", "watch = 30");
    let trap = dave.relay.trap(Fate::HeldAfter, 1, |it| {
        it.records(r#""began":{"step":"watch""#)
    });
    let running = dave.start(&CUTOVER);
    trap.wait("the watch");
    trap.let_go();
    fleet::colour_is(stage.plane, stage.namespace, "green", Health::Crashing);

    let said = running.end();

    said.assert(8, &["has no ready endpoint of GREEN left", "rolled back"]);
    stage.await_live("blue");
    stage.assert_autoscalers_restored("after it");
    // Traffic first: no autoscaler is given back before the last flip.
    let writes: Vec<Asked> = dave
        .relay
        .asked()
        .into_iter()
        .filter(Asked::is_write)
        .collect();
    let last_flip = writes.iter().rposition(Asked::is_flip).unwrap();
    let given_back = |it: &Asked| it.path.contains("autoscalers") && it.body.contains("remove");
    assert!(writes.iter().position(given_back).unwrap() > last_flip);
}

#[test]
fn p05_without_room_on_the_disk_nothing_new_begins_a_running_one_goes_on_and_a_rollback_works() {
    let stage = Stage::new("ops-p05");
    let dave = stage.operator("dave");
    let full = dave.start_short_of_room(&CUTOVER, true).end();
    full.assert(
        1,
        &["the journal cannot be written, so nothing new is begun (a rollback still is)"],
    );
    assert_eq!(
        (stage.colours(), stage.operations().len()),
        (["blue", "blue"].map(String::from), 0)
    );
    // What it had taken is given back.
    assert!(stage.lease(SERVICES[0]).is_none_or(|it| it.0.is_empty()));

    let trap = dave.relay.trap(Fate::HeldBefore, 1, Asked::is_flip);
    let running = dave.start_short_of_room(&CUTOVER, false);
    trap.wait("the flip");
    running.fill_disk();
    trap.let_go();
    let said = running.end();
    let words = "its journal on this machine cannot be written";
    said.assert(0, &[words, "done: GREEN is live"]);
    let id = said.id();
    let (record, journal) = (dave.entries(&id), dave.journal(&id));
    assert!(record.len() > journal.lines().count(), "{journal}");
    assert!(
        journal.contains("\"flip\":\"digital-wall-service\""),
        "the intent: {journal}"
    );

    dave.start_short_of_room(&ROLLBACK, true)
        .end()
        .assert(0, &["done: BLUE is live"]);
    stage.await_live("blue");
}

/// Somebody who may patch the first Service and not the second.
fn narrow(stage: &Stage<'_>) -> Operator {
    let group = "narrow-operators";
    let role = include_str!("../../../assets/kubernetes/operator.yaml");
    let whole = "    resources: [services]\n    verbs: [patch]\n";
    let only = format!(
        "    resources: [services]\n    resourceNames: [{}]\n    verbs: [patch]\n",
        SERVICES[0]
    );
    assert!(role.contains(whole));
    let records = include_str!("../../../assets/kubernetes/records.yaml");
    let mut parts = records
        .split("---\n")
        .filter(|it| it.contains("kind: RoleBinding"));
    let binding = parts
        .find(|it| it.contains("name: wheelhouse-records-operator"))
        .unwrap();
    let ours = |text: &str| {
        text.replace("release-operators", group)
            .replace("name: wheelhouse-operator", "name: narrow-operator")
    };
    stage
        .plane
        .apply_yaml(stage.namespace, &ours(&role.replace(whole, &only)));
    let binding = ours(binding).replacen(
        "name: wheelhouse-records-operator",
        "name: narrow-records",
        1,
    );
    stage.plane.apply_yaml(RECORDS, &binding);
    Operator::new(
        &stage.plane.identity("nick", group),
        stage.namespace,
        RECORDS,
        crate::operator::QUICK,
    )
}

#[test]
fn k02_no_permission_for_one_of_several_services_is_said_before_anything_is_changed() {
    let stage = Stage::new("ops-k02");
    let nick = narrow(&stage);

    let said = nick.run(&CUTOVER);

    said.assert(
        5,
        &[
            "you may not patch services digital-wall-api in ops-k02",
            "operator.yaml",
        ],
    );
    assert_eq!(
        nick.relay
            .count(|it| it.is_write() && !it.path.contains("selfsubject")),
        0
    );
    // A rollback asks nobody: it does what it may, and says by verb, resource and user what it may not.
    stage.operator("dave").run(&CUTOVER).assert(0, &["done"]);
    let back = nick.run(&ROLLBACK);
    back.assert(
        1,
        &["flip digital-wall-api FAILED", "nick", "patch", "services"],
    );
    assert_eq!(stage.colours(), ["blue", "green"]);
    // The way on: somebody who may presses R again, and it goes on to where it went.
    stage
        .operator("dave")
        .run(&ROLLBACK)
        .assert(0, &["done: BLUE is live"]);
}

#[test]
fn a_token_that_expires_meanwhile_stops_before_the_flip_and_says_so() {
    let stage = Stage::new("ops-expired");
    let dave = stage.operator("dave");
    let status = r#"{"kind":"Status","apiVersion":"v1","status":"Failure","reason":"Unauthorized","message":"Unauthorized","code":401}"#;
    let trap = dave.relay.trap(Fate::HeldBefore, 1, Asked::is_flip);
    let running = dave.start(&CUTOVER);
    trap.wait("the flip");
    let _expired = dave
        .relay
        .ever_after(Fate::Said(401, status.into()), |it| !it.is_flip());
    let _that = dave
        .relay
        .ever_after(Fate::Said(401, status.into()), Asked::is_flip);
    drop(trap);

    let said = running.end();

    assert_eq!(said.code, 7, "{said}");
    said.assert(7, &["interrupted", "op adopt"]);
    assert_eq!(stage.colours(), ["blue", "blue"]);
    let erin = stage.operator("erin");
    erin.run(&["op", "adopt", &said.id()])
        .assert(0, &["done: GREEN is live"]);
}

#[test]
fn k06_the_api_server_is_killed_in_mid_flip_and_the_read_back_decides() {
    let plane = Plane::start();
    let stage = Stage::on(&plane, "ops-killed-api");
    let dave = stage.operator_with("dave", PATIENT);
    for (fate, to) in [(Fate::HeldAfter, "green"), (Fate::HeldBefore, "blue")] {
        let (is_done, known) = (fate == Fate::HeldAfter, stage.flips(SERVICES[0]).len());
        let trap = dave.relay.trap(fate, 1, Asked::is_flip);
        let running = dave.start(&[&CUTOVER[..], &["--to", to]].concat());
        trap.wait("the flip");
        if is_done {
            // The line in the audit log comes after the answer.
            wait("its audit line", || {
                (stage.flips(SERVICES[0]).len() > known).then_some(())
            });
        }
        plane.stop_api_server();
        drop(trap);
        // That the result is not known is written before anything is read: it meets nobody at first.
        let away = |it: &Asked| it.records(r#""unknown""#) && it.status == 502;
        let known = dave.relay.count(away);
        wait("a write in vain", || {
            (dave.relay.count(away) > known).then_some(())
        });
        plane.start_api_server();

        let said = running.end();

        said.assert(
            0,
            &[
                "flip digital-wall-service UNKNOWN",
                "flip digital-wall-service done",
                "done: ",
            ],
        );
        stage.await_live(to);
        assert_eq!(
            stage.flips_to(SERVICES[0], &said.id()).len(),
            if to == "green" { 1 } else { 2 }
        );
    }
}

/// The right that they lack.
const MORE: &str = "\
apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata: {name: more}
rules: [{apiGroups: [''], resources: [services], verbs: [patch]}]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {name: more}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: Role, name: more}
subjects: [{kind: Group, apiGroup: rbac.authorization.k8s.io, name: narrow-operators}]
";

#[test]
fn k02_the_key_of_what_one_may_not_do_says_so_before_it_is_pressed() {
    let stage = Stage::new("ops-k02-key");
    let nick = narrow(&stage);
    let config = nick.home.path().join("config.toml");
    let (name, value) = nick.home.env();
    let args = ["--config", config.to_str().unwrap()];
    let pty = Pty::spawn(&program(), &args, &[(name, &value)], SIZE);
    let shows = |what: &str, is_so: &dyn Fn(&str) -> bool| {
        pty.wait_for(what, LONG, |screen, _| is_so(&text_of(screen)));
    };

    // Who only looks is not asked about.
    shows("both colours", &|text| {
        text.contains("C cut over: read-only")
    });
    let asked = || nick.relay.count(|it| it.path.contains("selfsubject"));
    assert_eq!(asked(), 0);
    pty.send(":write 15m\r");
    shows("why C is barred", &|text| text.contains("C no right"));
    // The whole reason, and nobody else had to be asked for it.
    let before = asked();
    pty.send("C");
    shows("the refusal", &|text| {
        text.contains("you may not patch services digital-wall-api")
    });
    assert_eq!(asked(), before);
    // Behind a window that is closed nobody knows any more what one may do.
    pty.send("\x1b");
    shows("no dialog", &|text| !text.contains("you may not patch"));
    pty.send(":write off\r");
    shows("read-only", &|text| text.contains("C cut over: read-only"));
    pty.send(":write 15m\r");
    shows("why C is barred", &|text| text.contains("C no right"));
    // Somebody gives it: the key is free again without a restart.
    stage.plane.apply_yaml(stage.namespace, MORE);
    shows("a free key", &|text| !text.contains("no right"));
}
