//! Workers that are asked to end, or break: what they leave, and that somebody can go on.

use rustix::process::Signal;

use crate::Bench;
use crate::operator::{CUTOVER, wait};
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
fn p04_a_panic_in_a_worker_is_recorded_as_unknown_and_somebody_goes_on() {
    let bench = Bench::ready();
    let detached = [&CUTOVER[..], &["--detach"]].concat();
    let started = bench
        .dave
        .start_with(&detached, "WHEELHOUSE_DEFECT", "flip")
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
