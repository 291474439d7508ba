//! How many pods of the new colour serve while it is watched: what is gone is told, does not count, and fails the soak when
//! it is more than a drained node takes away.

use crate::Bench;
use crate::gates::await_soak;
use crate::operator::{CUTOVER, wait};

/// So many pods of the new frontend go, and none comes in their place.
fn lose(bench: &Bench, many: u32) {
    let of = r#""deployment":"digital-wall-green-frontend""#;
    bench
        .served
        .act(&format!(r#"{{"do":"unschedulable",{of},"for":"5m"}}"#));
    bench
        .served
        .act(&format!(r#"{{"do":"delete-pod",{of},"count":{many}}}"#));
}

#[test]
fn i_5_most_of_the_new_pods_that_stay_away_in_the_soak_bring_traffic_back() {
    let bench = Bench::ready();
    bench.dave.edit("watch = 2", "watch = 40");
    bench.dave.edit("moved = 20", "moved = 6");
    let running = bench.dave.start(&CUTOVER);
    await_soak(&bench);

    lose(&bench, 2);

    running.end().assert(
        8,
        &[
            "no second counts: digital-wall-service has 1 of 3 ready endpoints of GREEN",
            "watch FAILED: digital-wall-service has 1 of 3 ready endpoints of GREEN, for",
        ],
    );
    assert_eq!(bench.colours(), ["blue", "blue"]);
}

#[test]
fn i_25_a_single_pod_that_is_away_moves_nothing_and_no_second_counts_without_it() {
    let bench = Bench::ready();
    bench.dave.edit("watch = 2", "watch = 8");
    // It is told when what would be too few is wrong already.
    bench.dave.edit("moved = 20", "moved = 4");
    let running = bench.dave.start(&CUTOVER);
    let id = await_soak(&bench);

    lose(&bench, 1);

    let words = "no second counts: digital-wall-service has 2 of 3 ready endpoints of GREEN";
    wait("the word", || {
        bench.dave.story(&id).contains(words).then_some(())
    });
    bench.served.act(r#"{"do":"heal"}"#);
    running.end().assert(0, &["done: GREEN is live"]);
    assert_eq!(bench.colours(), ["green", "green"]);
}
