//! Workers that are asked to end, or break: what they leave, and that somebody can go on.

use std::io::Read as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use rustix::process::Signal;

use serde_json::json;

use crate::Bench;
use crate::operator::{CUTOVER, DEPLOY, Operator, ROLLBACK, SERVICES, wait};
use crate::relay::{Asked, Fate};

/// The watch after the flips has begun.
fn watching(it: &Asked) -> bool {
    it.records(r#""began":{"step":"watch""#)
}

#[test]
fn p03_a_signal_stops_at_the_next_step_and_whoever_comes_next_is_told() {
    let bench = Bench::ready();
    bench.dave.edit("watch = 2", "watch = 40");
    let trap = bench.dave.relay.trap(Fate::HeldAfter, 1, watching);
    let running = bench.dave.start(&CUTOVER);
    trap.wait("the watch");
    trap.let_go();
    running.send(Signal::TERM);

    let said = running.end();

    said.assert(7, &["stops at the next step", "interrupted: ", "op adopt"]);
    // Nobody needs to wait for a Lease that was given back.
    bench.dave.edit("watch = 40", "watch = 1");
    let listed = bench.dave.run(&["op", "list", "production"]);
    listed.assert(
        0,
        &["ORPHANED at watch", &format!("op adopt {}", said.id())],
    );
    let adopted = bench.dave.run(&["op", "adopt", &said.id()]);
    adopted.assert(0, &["done: GREEN is live"]);
}

#[test]
fn p10_a_worker_whose_program_is_replaced_by_an_update_goes_on_to_its_end() {
    let bench = Bench::ready();
    let dave = &bench.dave;
    let installed = dave.home.path().join("wheelhouse");
    std::fs::copy(crate::estate::program(), &installed).unwrap();
    let trap = dave.relay.trap(Fate::HeldBefore, 1, Asked::is_flip);
    let args = [&CUTOVER[..], &["--detach"]].concat();
    let said = dave.start_by(&installed, &args).end();
    said.assert(0, &[]);
    trap.wait("the first flip");

    // As a package manager does it: another file under the same name.
    let update = dave.home.write("update", "#!/bin/sh\nexit 9\n");
    std::fs::rename(update, &installed).unwrap();
    trap.let_go();

    let id = said.id();
    wait("its end", || {
        dave.story(&id)
            .contains("done: GREEN is live")
            .then_some(())
    });
    assert_eq!(bench.colours(), ["green", "green"]);
}

#[test]
fn leases_that_cannot_be_read_orphan_nobody() {
    let bench = Bench::ready();
    bench.dave.edit("watch = 2", "watch = 40");
    let trap = bench.dave.relay.trap(Fate::HeldAfter, 1, watching);
    let running = bench.dave.start(&CUTOVER);
    trap.wait("the watch");
    let erin = bench.erin();
    let is_list = |it: &Asked| it.is("GET", "/leases");
    let said = r#"{"kind":"Status","status":"Failure","message":"no leases for erin","reason":"Forbidden","code":403}"#;
    let denied = erin.relay.ever_after(Fate::Said(403, said.into()), is_list);

    let listed = erin.run(&["op", "list", "production"]);

    listed.assert(3, &["carries it out is UNKNOWN", "no leases for erin"]);
    assert!(!listed.out.contains("ORPHANED"), "{listed:?}");
    let shown = erin.run(&["op", "list", "production", "--json"]);
    shown.assert(3, &[r#""orphaned":null"#]);
    drop((denied, trap));
    drop(running);
}

#[test]
fn whoever_watches_and_lost_the_api_server_orphans_nobody() {
    let bench = Bench::ready();
    bench.dave.edit("watch = 2", "watch = 600");
    let running = bench.dave.start(&CUTOVER);
    let id = bench.await_said("watch …");
    let erin = bench.erin();
    let watcher = erin.start(&["op", "watch", &id]);
    wait("its first look", || {
        watcher.so_far().contains("watch …").then_some(())
    });

    // It sees the Leases, and two beats of them.
    wait("its eyes", || {
        let is_seen = |it: &Asked| it.path.ends_with("/leases") && it.status == 200;
        (erin.relay.count(is_seen) > 0).then_some(())
    });
    let beats = || {
        let is_beat = |it: &Asked| it.is_write() && it.path.contains("/leases/");
        bench.dave.relay.count(is_beat)
    };
    let before = beats();
    wait("two beats", || {
        (beats() >= before + 2 * SERVICES.len()).then_some(())
    });

    let Operator {
        home: _home, relay, ..
    } = erin;
    drop(relay);

    wait("the fault", || {
        let is_told = watcher.complaints().contains("cannot see production: ");
        is_told.then_some(())
    });
    // Its worker's Lease, of six seconds, runs out for whoever counts on by the clock alone, and two more questions for a
    // sign of life fail.
    let told = Instant::now();
    wait("the Lease to be old", || {
        (told.elapsed() > Duration::from_secs(21)).then_some(())
    });
    let said = watcher.complaints();
    assert!(!said.contains("ORPHANED"), "{said}");
    assert_eq!(said.matches("cannot see").count(), 1, "{said}");
    drop((watcher, running));
}

#[test]
fn p03_a_second_signal_ends_at_once_and_what_was_under_way_is_settled_by_reading() {
    let bench = Bench::ready();
    let trap = bench.dave.relay.trap(Fate::HeldAfter, 1, Asked::is_flip);
    let running = bench.dave.start(&CUTOVER);
    trap.wait("the flip");
    running.send(Signal::TERM);
    wait("the first to be heard", || {
        running
            .complaints()
            .contains("stops at the next step")
            .then_some(())
    });
    running.send(Signal::TERM);

    let said = running.end();

    said.assert(143, &["ended at once", "op adopt"]);
    drop(trap);
    wait("the Lease to run out", || {
        let listed = bench.dave.run(&["op", "list", "production"]);
        listed.out.contains("ORPHANED at flip").then_some(())
    });
    let adopted = bench.dave.run(&["op", "adopt", &said.id()]);
    adopted.assert(0, &["found done by reading it back", "done: GREEN is live"]);
    assert_eq!(bench.dave.relay.count(Asked::is_flip), 2, "one a Service");
}

#[test]
fn p03_i_43_a_worker_that_ends_before_its_flip_is_settled_is_cut_off_by_a_rollback() {
    let bench = Bench::ready();
    let dave = &bench.dave;
    // Both Services have an epoch: a flip tests that, and not the version, which any note moves.
    dave.run(&CUTOVER).assert(0, &["done: GREEN is live"]);
    dave.run(&ROLLBACK).assert(0, &["done: BLUE is live"]);
    let flip = |it: &Asked| it.is_flip() && it.path.ends_with(SERVICES[1]);
    let late = dave.relay.trap(Fate::HeldBefore, 1, flip);
    let away = r#"{"kind":"Status","status":"Failure","message":"away","code":503}"#;
    let _unread = dave.relay.ever_after(Fate::Said(503, away.into()), |it| {
        it.is("GET", "/services/digital-wall-api")
    });
    let running = dave.start(&CUTOVER);
    late.wait("the second flip");
    wait("it to be given up", || {
        let said = running.so_far();
        said.contains("flip digital-wall-api UNKNOWN").then_some(())
    });
    running.send(Signal::TERM);
    running.end().assert(7, &["interrupted: "]);
    assert_eq!(bench.colours(), ["green", "blue"]);

    let erin = bench.colleague();
    erin.run(&ROLLBACK).assert(0, &["done: BLUE is live"]);
    late.let_go();

    wait("its answer", || {
        let asked = dave.relay.asked().into_iter().rev().find(flip)?;
        (asked.status != 0).then_some(())
    });
    assert_eq!(bench.colours(), ["blue", "blue"]);
}

#[test]
fn p04_a_panic_in_a_worker_is_recorded_as_unknown_and_somebody_goes_on() {
    let bench = Bench::ready();
    let detached = [&CUTOVER[..], &["--detach"]].concat();
    let started = bench
        .dave
        .start_with(&[("WHEELHOUSE_DEFECT", "flip")], &detached)
        .end();
    started.assert(0, &[]);
    let id = started.id();
    bench.dave.await_no_worker();
    let story = bench.dave.story(&id);
    let words = "flip digital-wall-service UNKNOWN: the worker broke: asked for a defect";
    assert!(story.contains(words), "{story}");
    assert_eq!(bench.colours(), ["blue", "blue"]);

    let adopted = bench.dave.run(&["op", "adopt", &id]);

    adopted.assert(0, &["done: GREEN is live"]);
    assert_eq!(bench.dave.relay.count(Asked::is_flip), 2, "one a Service");
}

#[test]
fn i_32_a_record_that_is_full_of_notes_still_takes_an_abort_and_an_end() {
    let bench = Bench::ready();
    let dave = &bench.dave;
    dave.edit("watch = 2", "watch = 60");
    let id = dave.detach(&CUTOVER);
    wait("the soak", || {
        dave.story(&id).contains("watch …").then_some(())
    });
    let path = format!("/api/v1/namespaces/production/configmaps/wheelhouse-{id}");
    let entries = bench.ask("GET", &path, None)["data"]["entries"].clone();
    let fact = "x".repeat(1_000);
    let note =
        json!({"at": "2026-11-26T14:02:00Z", "by": "a job", "what": {"noted": {"fact": fact}}});
    // Up to what is kept for the operation itself, and no further than that.
    let room = (256 - 32) * 1_024 - entries.as_str().unwrap().len();
    let notes = format!("\n{note}").repeat(room / (note.to_string().len() + 1));
    let full = json!({"data": {"entries": format!("{}{notes}", entries.as_str().unwrap())}});
    bench.ask("PATCH", &path, Some(&full));
    // A pause has no room any more, and the operation goes on all the same.
    let service = format!("/api/v1/namespaces/production/services/{}", SERVICES[0]);
    let blue = json!({"spec": {"selector": {"version": "blue"}}});
    bench.ask("PATCH", &service, Some(&blue));
    wait("the alarm", || {
        let said = dave.run(&["status", "production"]);
        (said.code == 1).then_some(())
    });
    let green = json!({"spec": {"selector": {"version": "green"}}});
    bench.ask("PATCH", &service, Some(&green));
    wait("GREEN again", || {
        let said = dave.run(&["status", "production"]);
        (said.code == 0).then_some(())
    });

    dave.run(&["op", "abort", &id, "--reason", "enough"])
        .assert(0, &[]);

    dave.await_no_worker();
    let story = dave.story(&id);
    let end = story.lines().filter(|line| !line.contains("xxxx"));
    let end = end.collect::<Vec<_>>().join("\n");
    assert!(end.contains("rolled back: "), "{end}");
    assert_eq!(bench.colours(), ["blue", "blue"]);
    assert!(!end.contains("PAUSED: REVERTED"), "{end}");
}

/// From the write on that `begins`, dave's writes of the record are answered so.
fn answered_from(bench: &Bench, code: u16, begins: &'static str) -> crate::relay::Trap {
    let said =
        format!(r#"{{"kind":"Status","status":"Failure","message":"not any more","code":{code}}}"#);
    let relay = &bench.dave.relay;
    relay.ever_after(Fate::Said(code, said), move |it| {
        it.method == "PUT" && it.records(begins)
    })
}

/// From the write on that `begins`, the record is not to be written by dave any more.
fn refused_from(bench: &Bench, begins: &'static str) -> crate::relay::Trap {
    answered_from(bench, 403, begins)
}

/// Between its two Services the record is answered so: that is said in `words`, and traffic goes back.
fn goes_back_half_way(code: u16, words: &str) {
    let bench = Bench::ready();
    let begins = r#""passed":{"step":{"flip":"digital-wall-service""#;
    let _answered = answered_from(&bench, code, begins);

    let said = bench.dave.run(&CUTOVER);

    said.assert(
        7,
        &[
            words,
            "move digital-wall-service FAILED: its record",
            "undo digital-wall-service done",
            "not any more; whoever may adopts or abandons it",
        ],
    );
    assert_eq!(bench.colours(), ["blue", "blue"]);
}

#[test]
fn i_41_a_record_that_is_refused_half_way_is_said_and_traffic_goes_back() {
    let words = "PAUSED: its record cannot be written: update configmaps wheelhouse-";
    goes_back_half_way(403, words);
}

#[test]
fn i_41_a_record_whose_writes_fail_half_way_is_not_waited_for_for_ever() {
    goes_back_half_way(500, "PAUSED: its record cannot be written: ");
}

#[test]
fn i_41_a_record_that_is_refused_while_the_second_flip_is_unknown_leaves_no_half() {
    let bench = Bench::ready();
    let away = || r#"{"kind":"Status","status":"Failure","message":"away","code":503}"#.into();
    let relay = &bench.dave.relay;
    let flip = |it: &Asked| it.is_flip() && it.path.ends_with(SERVICES[1]);
    let _lost = relay.trap(Fate::Said(503, away()), 1, flip);
    let is_back = Arc::new(AtomicBool::new(false));
    let seen = is_back.clone();
    let _unread = relay.ever_after(Fate::Said(503, away()), move |it| {
        it.is("GET", "/services/digital-wall-api") && !seen.load(Ordering::Relaxed)
    });
    let _refused = refused_from(&bench, r#""unknown":{"step":{"flip":"digital-wall-api""#);
    let running = bench.dave.start(&CUTOVER);
    wait("the refusal", || {
        running
            .so_far()
            .contains("PAUSED: its record")
            .then_some(())
    });
    assert_eq!(bench.colours(), ["green", "blue"]);
    is_back.store(true, Ordering::Relaxed);

    running.end().assert(
        7,
        &[
            "flip digital-wall-api FAILED: its record",
            "undo digital-wall-service done",
        ],
    );
    assert_eq!(bench.colours(), ["blue", "blue"]);
}

#[test]
fn i_32_an_abort_is_heard_while_the_record_is_refused() {
    let bench = Bench::ready();
    bench.dave.edit("lease = 6", "lease = 60");
    bench.dave.edit("give_up = 4", "give_up = 50");
    let _refused = refused_from(&bench, r#""began":{"step":"watch""#);
    let running = bench.dave.start(&CUTOVER);
    wait("the refusal", || {
        running
            .so_far()
            .contains("PAUSED: its record")
            .then_some(())
    });
    assert_eq!(bench.colours(), ["green", "green"]);
    let id = bench.await_said("move digital-wall-api");

    let erin = bench.colleague();
    erin.run(&["op", "abort", &id, "--reason", "no"])
        .assert(0, &[]);

    wait("BLUE", || {
        (bench.colours() == ["blue", "blue"]).then_some(())
    });
}

/// Its pods fall ill in the soak, in which its record is spoilt so.
fn falls_ill(spoil: impl Fn(&Bench, &str) -> Option<crate::relay::Trap>) {
    let bench = Bench::ready();
    bench.dave.edit("watch = 2", "watch = 60");
    let trap = bench.dave.relay.trap(Fate::HeldAfter, 1, watching);
    let running = bench.dave.start(&CUTOVER);
    trap.wait("the watch");
    trap.let_go();
    let id = bench.await_said("watch …");
    let _spoilt = spoil(&bench, &id);
    let ill = r#"{"do":"readiness-failure","deployment":"digital-wall-green-backend","for":"2m"}"#;
    bench.served.act(ill);

    let said = running.end();

    said.assert(
        7,
        &[
            "watch FAILED",
            "has no ready endpoint",
            "undo digital-wall-service done",
        ],
    );
    assert_eq!(bench.colours(), ["blue", "blue"]);
}

#[test]
fn i_23_pods_that_fall_ill_bring_traffic_back_though_the_record_is_refused() {
    falls_ill(|bench, _| Some(refused_from(bench, r#""began":{"step":"watch""#)));
}

#[test]
fn i_23_pods_that_fall_ill_bring_traffic_back_though_no_write_of_the_record_goes_through() {
    falls_ill(|bench, _| Some(answered_from(bench, 500, r#""began":{"step":"watch""#)));
}

#[test]
fn p06_i_23_pods_that_fall_ill_bring_traffic_back_though_the_record_was_edited() {
    falls_ill(|bench, id| {
        let edited = json!({"data": {"schema": "what was here?"}});
        bench.ask("PATCH", &Bench::record_path(id), Some(&edited));
        None
    });
}

#[test]
fn i_26_a_worker_that_is_asked_to_end_in_the_soak_leaves_the_seconds_that_were_watched() {
    let bench = Bench::ready();
    bench.dave.edit("watch = 2", "watch = 60");
    let running = bench.dave.start(&CUTOVER);
    let leases = "/apis/coordination.k8s.io/v1/namespaces/production/leases";
    let path = format!("{leases}/wheelhouse-service-{}", SERVICES[0]);
    let watched = || {
        let lease = bench.ask("GET", &path, None);
        let seconds = lease["metadata"]["annotations"]["wheelhouse.dev/watched"].clone();
        seconds.as_str().and_then(|it| it.parse::<u64>().ok())
    };
    bench.await_said("watch …");
    let before = wait("some seconds", || watched().filter(|seconds| *seconds > 1));

    running.send(Signal::TERM);

    running.end().assert(7, &["interrupted: "]);
    assert!(watched() >= Some(before), "{:?} of {before}", watched());
}

#[test]
fn p03_what_came_of_the_step_is_written_before_the_worker_ends() {
    let bench = Bench::ready();
    let trap = bench.dave.relay.trap(Fate::HeldAfter, 1, Asked::is_flip);
    let running = bench.dave.start(&CUTOVER);
    trap.wait("the flip");
    running.send(Signal::TERM);
    wait("it to be heard", || {
        let said = running.complaints();
        said.contains("stops at the next step").then_some(())
    });
    trap.let_go();

    let said = running.end();

    said.assert(7, &["interrupted: ", "flip digital-wall-service done"]);
    let story = bench.dave.story(&said.id());
    assert!(story.contains("flip digital-wall-service done"), "{story}");
    let adopted = bench.dave.run(&["op", "adopt", &said.id()]);
    adopted.assert(0, &["done: GREEN is live"]);
}

#[test]
fn p02_p03_whoever_adopts_what_was_asked_to_end_writes_the_intent_before_the_patch() {
    let bench = Bench::ready();
    bench.idle_at_0();
    let dave = &bench.dave;
    let first = dave.relay.trap(Fate::HeldAfter, 1, Asked::is_update);
    let running = dave.start(&DEPLOY);
    first.wait("the first patch");
    running.send(Signal::TERM);
    wait("it to be heard", || {
        let said = running.complaints();
        said.contains("stops at the next step").then_some(())
    });
    first.let_go();
    let said = running.end();
    said.assert(
        7,
        &["interrupted: ", "update digital-wall-green-frontend done"],
    );
    assert!(!said.out.contains("green-backend …"), "{said:?}");

    // Whoever goes on is killed when the patch arrived, and before its result is written.
    let second = dave.relay.trap(Fate::HeldAfter, 1, Asked::is_update);
    let adopting = dave.start(&["op", "adopt", &said.id()]);
    second.wait("the second patch");
    let intent = "update digital-wall-green-backend …";
    let story = bench.erin().story(&said.id());
    assert!(story.contains(intent), "{story}");
    adopting.send(Signal::KILL);
    adopting.end();

    let adopted = dave.run(&["op", "adopt", &said.id(), "--yes"]);
    adopted.assert(0, &["found done by reading it back", "done: GREEN runs"]);
    assert_eq!(dave.relay.count(Asked::is_update), 2, "one a Deployment");
}

#[test]
fn p03_a_rollback_that_is_asked_to_end_says_that_it_goes_on_and_does() {
    let bench = Bench::ready();
    bench.dave.run(&CUTOVER).assert(0, &["done: GREEN is live"]);
    let trap = bench.dave.relay.trap(Fate::HeldAfter, 1, Asked::is_flip);
    let running = bench.dave.start(&ROLLBACK);
    trap.wait("the flip");
    running.send(Signal::INT);
    wait("it to be heard", || {
        let said = running.complaints();
        said.contains("a rollback goes on to its end").then_some(())
    });
    trap.let_go();
    running.end().assert(0, &["done: BLUE is live"]);
}

#[test]
fn t04_a_reader_that_does_not_read_holds_no_operation_up_and_one_that_is_slow_reads_its_end() {
    let bench = Bench::ready();
    let (running, mut reader) = bench
        .dave
        .start_unread(&[&CUTOVER[..], &["--json"]].concat());
    wait("its end", || {
        let is_over = running.complaints().contains("done: GREEN is live");
        is_over.then_some(())
    });
    assert_eq!(bench.colours(), ["green", "green"]);
    let mut said = String::new();
    reader.read_to_string(&mut said).unwrap();
    let last = said.lines().last().unwrap_or_default();
    assert!(last.contains(r#""closed":"#), "{last}");
    assert_eq!(running.end().code, 0);

    // A pager that nobody scrolls is left by a signal.
    let (running, _unread) = bench.dave.start_unread(&ROLLBACK);
    wait("its end", || {
        let is_over = running.complaints().contains("done: BLUE is live");
        is_over.then_some(())
    });
    running.send(Signal::TERM);
    assert_eq!(running.end().code, 0);
}
