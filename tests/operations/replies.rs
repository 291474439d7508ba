//! What a reply to the one act that moves traffic means, when it is lost, wrong or a refusal.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use serde_json::json;

use crate::Bench;
use crate::kept::{orphan, orphan_at};
use crate::operator::{CUTOVER, Operator, ROLLBACK, SERVICES, Said, wait};
use crate::relay::{Asked, Fate};

fn status(code: u16) -> String {
    json!({"kind": "Status", "apiVersion": "v1", "status": "Failure", "code": code, "message": "so it said"}).to_string()
}

#[test]
fn k06_i_16_a_patch_answered_by_an_error_of_the_server_is_read_back_applied_or_not() {
    for code in [500, 503, 504] {
        let bench = Bench::ready();
        let dave = &bench.dave;
        let _applied = dave
            .relay
            .trap(Fate::Applied(code, status(code)), 1, Asked::is_flip);
        let _lost = dave.relay.trap(Fate::Said(code, status(code)), 1, |it| {
            it.is_flip() && it.path.ends_with(SERVICES[1])
        });
        let said = dave.run(&CUTOVER);
        said.assert(
            0,
            &[
                "flip digital-wall-service done: found done by reading it back",
                "done: GREEN is live",
            ],
        );
        said.assert(0, &["flip digital-wall-api … (try 2)"]);
        let sent = |service: &'static str| {
            dave.relay
                .count(move |it| it.is_flip() && it.path.ends_with(service))
        };
        // What was applied is not sent again; what was not is, behind a fence.
        assert_eq!((sent(SERVICES[0]), sent(SERVICES[1])), (1, 2), "{code}");
    }
}

#[test]
fn i_16_what_was_written_unheard_is_the_workers_own_when_it_is_seen() {
    let bench = Bench::ready();
    let dave = &bench.dave;
    // Neither the answer to the write of the first intent and of the end is heard, nor the reading behind it.
    for words in [r#""passed":{"step":"hold""#, r#""closed":"#] {
        let is_it = move |it: &Asked| it.method == "PUT" && it.records(words);
        let is_sent = AtomicBool::new(false);
        let unread = move |it: &Asked| {
            let is_behind = is_sent.fetch_or(is_it(it), Ordering::Relaxed);
            is_behind && it.method == "GET" && it.path.contains("/configmaps/wheelhouse-0")
        };
        let _ = dave.relay.trap(Fate::Said(503, status(503)), 1, unread);
        let _ = dave.relay.trap(Fate::Applied(503, status(503)), 1, is_it);
    }

    let said = dave.run(&CUTOVER);

    said.assert(0, &["done: GREEN is live"]);
    let closed = said.out.matches("done: GREEN is live").count();
    let story = dave.story(&said.id());
    assert!(!story.contains("(try 2)"), "{story}");
    assert_eq!(story.matches("hold done").count(), 1, "{story}");
    assert!(closed > 0, "{said:?}");
    for service in SERVICES {
        let leases = "/apis/coordination.k8s.io/v1/namespaces/production/leases";
        let lease = bench.ask("GET", &format!("{leases}/wheelhouse-{service}"), None);
        let holder = lease["spec"]["holderIdentity"].as_str().unwrap_or_default();
        assert_eq!(holder, "", "{lease}");
    }
}

/// A cutover whose first flip is done, and whose answer never comes; `meanwhile` the worker waits for it.
fn unheard(bench: &Bench, meanwhile: impl FnOnce()) -> Said {
    let dave = &bench.dave;
    dave.edit("lease = 6", "lease = 60");
    dave.edit("give_up = 4", "give_up = 40");
    let trap = dave.relay.trap(Fate::HeldAfter, 1, Asked::is_flip);
    let running = dave.start(&CUTOVER);
    trap.wait("the flip");
    meanwhile();
    // Nothing comes until the worker gives the answer up.
    let said = running.end();
    drop(trap);
    said
}

#[test]
fn n03_a_patch_whose_answer_never_comes_is_done_once() {
    let bench = Bench::ready();
    let dave = &bench.dave;
    let said = unheard(&bench, || {});
    said.assert(
        0,
        &[
            "flip digital-wall-service UNKNOWN",
            "found done by reading it back",
            "done: GREEN",
        ],
    );
    assert_eq!(dave.relay.count(Asked::is_flip), 2, "one for each Service");
}

/// Somebody puts the first Service back to BLUE, past everything.
fn put_back(bench: &Bench) {
    let path = format!(
        "/api/v1/namespaces/production/services/{}?fieldManager=argocd-controller",
        SERVICES[0]
    );
    let blue = json!({"spec": {"selector": {"version": "blue"}}});
    bench.ask("PATCH", &path, Some(&blue));
}

#[test]
fn i_16_a_flip_that_landed_unheard_and_was_taken_back_by_another_is_not_sent_again() {
    let bench = Bench::ready();
    let dave = &bench.dave;

    let said = unheard(&bench, || put_back(&bench));

    said.assert(
        1,
        &[
            "flip digital-wall-service UNKNOWN",
            "flip digital-wall-service FAILED: REVERTED: digital-wall-service selects",
            "by argocd-controller",
        ],
    );
    assert_eq!(dave.relay.count(Asked::is_flip), 1);
    assert_eq!(bench.colours(), ["blue", "blue"]);
}

#[test]
fn i_16_whoever_adopts_does_not_send_again_what_landed_and_was_taken_back_by_another() {
    let bench = Bench::ready();
    let dave = &bench.dave;
    let trap = dave.relay.trap(Fate::HeldAfter, 1, Asked::is_flip);
    let id = dave.detach(&CUTOVER);
    trap.wait("what its worker dies at");
    dave.kill_worker();
    put_back(&bench);

    let said = dave.run(&["op", "adopt", &id]);

    said.assert(1, &["FAILED: REVERTED: digital-wall-service selects"]);
    assert_eq!(dave.relay.count(Asked::is_flip), 1);
    assert_eq!(bench.colours(), ["blue", "blue"]);
}

#[test]
fn x03_what_a_rollback_took_back_is_not_gone_on_with_though_traffic_stands_where_it_was_before() {
    let bench = Bench::ready();
    let dave = &bench.dave;
    let trap = dave.relay.trap(Fate::HeldAfter, 1, Asked::is_flip);
    let id = dave.detach(&CUTOVER);
    trap.wait("what its worker dies at");
    dave.kill_worker();
    // Whoever rolls back cannot end the other one's record.
    let erin = bench.colleague();
    let is_its = {
        let end = format!("/configmaps/wheelhouse-{id}");
        move |it: &Asked| it.is_write() && it.path.ends_with(&end)
    };
    let _refused = erin.relay.ever_after(Fate::Said(403, status(403)), is_its);
    erin.run(&ROLLBACK).assert(0, &["done: BLUE is live"]);

    let said = dave.run(&["op", "adopt", &id]);

    said.assert(2, &["moved traffic since: there is nothing to go on with"]);
    assert_eq!(dave.relay.count(Asked::is_flip), 1);
    assert_eq!(bench.colours(), ["blue", "blue"]);
}

#[test]
fn k03_a_failed_test_or_a_conflict_is_read_back_and_the_difference_is_shown() {
    for code in [409, 422] {
        let bench = Bench::ready();
        let dave = &bench.dave;
        // It was ours all along: applied, and answered so by something on the way.
        let _ours = dave
            .relay
            .trap(Fate::Applied(code, status(code)), 1, Asked::is_flip);
        // And this one was not.
        let _not = dave.relay.trap(Fate::Said(code, status(code)), 1, |it| {
            it.is_flip() && it.path.ends_with(SERVICES[1])
        });
        let said = dave.run(&CUTOVER);
        said.assert(
            8,
            &["flip digital-wall-service done: found done by reading it back"],
        );
        said.assert(
            8,
            &[
                "flip digital-wall-api FAILED",
                "the selector is still part=backend version=blue",
            ],
        );
        assert_eq!(bench.colours(), ["blue", "blue"], "undone together");
    }
}

#[test]
fn k03_whatever_a_flip_is_refused_by_it_is_read_back_first() {
    for code in [400, 401, 403, 404, 405, 429] {
        let bench = Bench::ready();
        let dave = &bench.dave;
        // Something on the way says no to what went through.
        let _done = dave
            .relay
            .trap(Fate::Applied(code, status(code)), 1, Asked::is_flip);
        let _not = dave.relay.ever_after(Fate::Said(code, status(code)), |it| {
            it.is_flip() && it.path.ends_with(SERVICES[1])
        });
        let said = dave.run(&CUTOVER);
        said.assert(
            8,
            &[
                "flip digital-wall-service done: found done by reading it back",
                "flip digital-wall-api FAILED",
                "so it said",
                "undo digital-wall-service done",
            ],
        );
        assert_eq!(bench.colours(), ["blue", "blue"], "{code}");
    }
}

#[test]
fn k03_a_way_back_that_is_refused_for_what_decides_nothing_goes_on() {
    for code in [409, 422] {
        let bench = Bench::ready();
        let dave = &bench.dave;
        let _second = dave.relay.trap(Fate::Said(code, status(code)), 1, |it| {
            it.is_flip() && it.path.ends_with(SERVICES[1])
        });
        // Somebody wrote a note on the first one while it was taken back.
        let _back = dave.relay.trap(Fate::Said(code, status(code)), 2, |it| {
            it.is_flip() && it.path.ends_with(SERVICES[0])
        });

        let said = dave.run(&CUTOVER);

        said.assert(8, &["undo digital-wall-service done"]);
        assert_eq!(bench.colours(), ["blue", "blue"]);
        let sent = |it: &Asked| it.is_flip() && it.path.ends_with(SERVICES[0]);
        assert_eq!(dave.relay.count(sent), 3);
    }
}

#[test]
fn i_24_a_rollback_waits_for_no_lease_and_no_record_whose_answer_hangs() {
    let bench = Bench::ready();
    let dave = &bench.dave;
    dave.run(&CUTOVER).assert(0, &["done: GREEN is live"]);
    let is_record = |it: &Asked| it.method == "POST" && it.path.ends_with("/configmaps");
    let is_lease = |it: &Asked| it.is_write() && it.path.contains("/leases");
    let record = dave.relay.trap(Fate::HeldBefore, 1, is_record);
    let leases = [0, 1].map(|_| dave.relay.trap(Fate::HeldBefore, 1, is_lease));

    let back = dave.start(&ROLLBACK);
    record.wait("the record");
    let began = Instant::now();
    wait("the flips", || {
        (bench.colours() == ["blue", "blue"]).then_some(())
    });
    let took = began.elapsed();

    // Without an answer they were waited for 10 s, and once more between the two Services.
    assert!(took < Duration::from_secs(9), "{took:?}");
    record.let_go();
    leases.into_iter().for_each(crate::relay::Trap::let_go);
    let back = back.end();
    back.assert(0, &["done: BLUE is live"]);
    dave.run(&["op", "list"]).assert(
        0,
        &[
            &back.id(),
            "  roll back production to BLUE  ",
            "done: BLUE is live",
        ],
    );
}

#[test]
fn i_24_a_rollback_does_not_wait_long_for_its_name_and_for_epochs() {
    let bench = Bench::ready();
    let dave = &bench.dave;
    dave.run(&CUTOVER).assert(0, &["done: GREEN is live"]);
    bench.tidy_leases();
    let held = |is_it: fn(&Asked) -> bool| dave.relay.trap(Fate::HeldBefore, 1, is_it);
    let name = held(|it| it.path.ends_with("/selfsubjectreviews"));
    let records = held(|it| it.is("GET", "/configmaps"));
    let began = Instant::now();

    let back = dave.start(&ROLLBACK);
    wait("the flips", || {
        (bench.colours() == ["blue", "blue"]).then_some(())
    });
    let took = began.elapsed();

    // Each was waited for 10 s.
    assert!(name.is_caught() && records.is_caught());
    assert!(took < Duration::from_secs(13), "{took:?}");
    back.end().assert(0, &["done: BLUE is live"]);
}

#[test]
fn k05_i_24_a_rollback_goes_on_where_an_overloaded_server_asks_to_wait() {
    let bench = Bench::ready();
    let dave = &bench.dave;
    dave.run(&CUTOVER).assert(0, &["done: GREEN is live"]);
    bench.served.act(
        r#"{"do": "status:429", "verbs": ["list"], "resource": "configmaps", "retry-after": 100, "times": 1}"#,
    );
    let began = Instant::now();

    let back = dave.run(&ROLLBACK);

    back.assert(0, &["done: BLUE is live"]);
    let told = dave.relay.count(|it| it.status == 429);
    assert_eq!(told, 1);
    assert_eq!(bench.colours(), ["blue", "blue"]);
    // By every read of that time it was waited for.
    assert!(began.elapsed() < Duration::from_secs(60));
}

/// One list of `resource` is answered so.
fn overloaded(bench: &Bench, resource: &str) {
    let what = json!({"do": "status:429", "verbs": ["list"], "resource": resource, "retry-after": 100, "times": 1});
    bench.served.act(&what.to_string());
}

#[test]
fn k05_i_24_a_rollback_that_is_adopted_goes_on_where_an_overloaded_server_asks_to_wait() {
    let bench = Bench::ready();
    let dave = &bench.dave;
    dave.run(&CUTOVER).assert(0, &["done: GREEN is live"]);
    let id = orphan_at(&bench, &ROLLBACK, Asked::is_flip);
    overloaded(&bench, "configmaps");
    let began = Instant::now();

    dave.run(&["op", "adopt", &id])
        .assert(0, &["done: BLUE is live"]);

    assert_eq!(dave.relay.count(|it| it.status == 429), 1);
    assert!(began.elapsed() < Duration::from_secs(60));
}

#[test]
fn k05_the_way_back_of_a_cutover_goes_on_where_an_overloaded_server_asks_to_wait() {
    let bench = Bench::ready();
    let dave = &bench.dave;
    dave.edit("watch = 2", "watch = 60");
    let running = dave.start(&CUTOVER);
    let id = bench.await_said("watch …");
    overloaded(&bench, "endpointslices");
    bench
        .colleague()
        .run(&["op", "abort", &id, "--reason", "no"])
        .assert(0, &[]);

    running.end().assert(8, &["rolled back: "]);

    assert_eq!(dave.relay.count(|it| it.status == 429), 1);
}

#[test]
fn i_24_a_rollback_whose_leases_are_tidied_away_goes_on() {
    let bench = Bench::ready();
    let dave = &bench.dave;
    dave.run(&CUTOVER).assert(0, &["done: GREEN is live"]);
    let half = dave.relay.trap(Fate::HeldAfter, 1, Asked::is_flip);
    let back = dave.start(&ROLLBACK);
    half.wait("the first flip");
    bench.tidy_leases();
    wait("renewals in vain", || {
        let is_it = |it: &Asked| it.path.contains("/leases/") && it.status == 404;
        // More than one round of them: what the first one found was heard.
        (dave.relay.count(|it| it.method == "GET" && is_it(it)) > 2).then_some(())
    });
    half.let_go();
    back.end().assert(0, &["done: BLUE is live"]);
    assert_eq!(bench.colours(), ["blue", "blue"]);
}

/// It ends, its record says so, and nothing of it is left open: the next one begins.
fn rolls_back_to_the_end(dave: &Operator) {
    let back = dave.run(&ROLLBACK);

    back.assert(0, &["done: BLUE is live"]);
    let story = dave.story(&back.id());
    assert!(story.contains("done: BLUE is live"), "{story}");
    dave.run(&CUTOVER).assert(0, &["done: GREEN is live"]);
}

#[test]
fn i_24_a_rollbacks_record_that_was_written_unheard_is_gone_on_with() {
    let bench = Bench::ready();
    let dave = &bench.dave;
    dave.run(&CUTOVER).assert(0, &["done: GREEN is live"]);
    let is_record = |it: &Asked| it.method == "POST" && it.path.ends_with("/configmaps");
    let is_read = |it: &Asked| it.method == "GET" && it.path.contains("/configmaps/wheelhouse-0");
    let _done = dave
        .relay
        .trap(Fate::Applied(503, status(503)), 1, is_record);
    let _unread = dave.relay.trap(Fate::Said(503, status(503)), 1, is_read);

    rolls_back_to_the_end(dave);
}

#[test]
fn i_24_a_rollbacks_end_that_is_not_taken_at_once_is_written_afterwards() {
    let bench = Bench::ready();
    let dave = &bench.dave;
    dave.run(&CUTOVER).assert(0, &["done: GREEN is live"]);
    dave.edit("patience = 5", "patience = 60");
    let is_end = |it: &Asked| it.method == "PUT" && it.records(r#""closed":"#);
    let _busy = dave.relay.trap(Fate::Said(429, status(429)), 1, is_end);
    let _away = dave.relay.trap(Fate::Said(503, status(503)), 1, is_end);

    rolls_back_to_the_end(dave);
}

#[test]
fn i_24_a_rollback_whose_record_is_not_to_be_written_at_all_ends_all_the_same() {
    for code in [403, 503] {
        let bench = Bench::ready();
        let dave = &bench.dave;
        dave.run(&CUTOVER).assert(0, &["done: GREEN is live"]);
        let fate = Fate::Said(code, status(code));
        let _refused = dave
            .relay
            .ever_after(fate, |it| it.is_write() && it.path.contains("/configmaps"));
        dave.run(&ROLLBACK).assert(0, &["done: BLUE is live"]);
        assert_eq!(bench.colours(), ["blue", "blue"]);
    }
}

#[test]
fn i_24_a_rollback_that_is_adopted_waits_for_no_record_either() {
    let bench = Bench::ready();
    let dave = &bench.dave;
    dave.run(&CUTOVER).assert(0, &["done: GREEN is live"]);
    let id = orphan_at(&bench, &ROLLBACK, Asked::is_flip);
    // The record is refused until both Services are back.
    let is_half = AtomicBool::new(true);
    let is_record = move |it: &Asked| {
        if it.is_flip() && it.path.ends_with(SERVICES[1]) {
            is_half.store(false, Ordering::Relaxed);
        }
        is_half.load(Ordering::Relaxed) && it.method == "PUT" && it.path.contains("/configmaps/")
    };
    let erin = bench.colleague();
    let refused = erin
        .relay
        .ever_after(Fate::Said(403, status(403)), is_record);

    let adopted = erin.run(&["op", "adopt", &id]);

    assert!(refused.is_caught());
    adopted.assert(0, &["done: BLUE is live"]);
    assert_eq!(bench.colours(), ["blue", "blue"]);
    let story = dave.story(&id);
    assert!(
        story.contains("taken over by") && story.contains("done: BLUE is live"),
        "{story}"
    );
}

#[test]
fn p06_a_rollback_whose_record_was_edited_ends_while_its_leases_are_renewed() {
    let bench = Bench::ready();
    let dave = &bench.dave;
    dave.run(&CUTOVER).assert(0, &["done: GREEN is live"]);
    dave.edit("patience = 5", "patience = 600");
    let end = dave.relay.trap(Fate::HeldBefore, 1, |it| {
        it.method == "PUT" && it.records(r#""closed":"#)
    });
    let back = dave.start(&ROLLBACK);
    end.wait("its end");
    let id = bench.await_said("restore …");
    let edited = json!({"data": {"schema": "what was here?"}});
    bench.ask("PATCH", &Bench::record_path(&id), Some(&edited));
    let began = Instant::now();
    end.let_go();
    back.end().assert(0, &["done: BLUE is live"]);
    assert!(began.elapsed() < Duration::from_secs(60));
}

#[test]
fn x03_who_is_over_by_itself_is_not_told_as_open_by_the_rollback_that_cut_it_off() {
    let bench = Bench::ready();
    let id = orphan(&bench);
    let dave = &bench.dave;
    let path = Bench::record_path(&id);
    let own = path.clone();
    let reading = (dave.relay).trap(Fate::HeldBefore, 1, move |it| it.is("GET", &own));
    let to_green = [&ROLLBACK[..], &["--to", "green"]].concat();
    let back = dave.start(&to_green);
    reading.wait("the record of what was cut off");
    let entries = bench.ask("GET", &path, None)["data"]["entries"].clone();
    let closed = json!({"closed": {"outcome": "failed", "reason": "so it ended"}});
    let last = json!({"at": "2026-11-26T14:02:00Z", "by": "dave", "what": closed});
    let over = format!("{}\n{last}", entries.as_str().unwrap().trim_end());
    bench.ask("PATCH", &path, Some(&json!({"data": {"entries": over}})));
    reading.let_go();
    let said = back.end();
    said.assert(0, &["done: GREEN is live"]);
    assert!(!said.out.contains("open still"), "{said:?}");
}

#[test]
fn x03_who_was_cut_off_by_a_rollback_is_ended_though_the_records_are_listed_at_the_second_try() {
    let bench = Bench::ready();
    let id = orphan(&bench);
    let dave = &bench.dave;
    let has_flipped = AtomicBool::new(false);
    let away = dave.relay.trap(Fate::Said(503, status(503)), 1, move |it| {
        let is_behind = has_flipped.fetch_or(it.is_flip(), Ordering::Relaxed);
        is_behind && it.is("GET", "/configmaps") && it.query.contains("record%3Doperation")
    });
    let to_green = [&ROLLBACK[..], &["--to", "green"]].concat();
    dave.run(&to_green).assert(0, &["done: GREEN is live"]);
    assert!(away.is_caught());
    let story = dave.story(&id);
    assert!(story.contains("cut off by rollback"), "{story}");
}

#[test]
fn i_32_an_abort_that_comes_while_a_lost_flip_is_settled_is_no_second_try() {
    let bench = Bench::ready();
    let dave = &bench.dave;
    let _lost = dave
        .relay
        .trap(Fate::Said(503, status(503)), 1, Asked::is_flip);
    let again = dave.relay.trap(Fate::HeldBefore, 1, |it| {
        it.method == "PUT" && it.records(r#""attempt":2"#)
    });
    let running = dave.start(&CUTOVER);
    again.wait("the second intent");
    let id = bench.await_said("flip digital-wall-service UNKNOWN");
    let erin = bench.colleague();
    erin.run(&["op", "abort", &id, "--reason", "no"])
        .assert(0, &[]);
    again.let_go();
    let said = running.end();
    said.assert(1, &["is not tried again on the way back", "aborted by"]);
    assert_eq!(dave.relay.count(Asked::is_flip), 1);
    assert_eq!(bench.colours(), ["blue", "blue"]);
}
