//! What an operation costs the API server: its record is written once a step, the result of one with the intent of
//! the next. (How soon it acts, on the real control plane: tests/real/operations/speed.rs.)

use crate::Bench;
use crate::operator::{CUTOVER, DEPLOY};
use crate::relay::Asked;

/// The write that makes the record: the plan, the Leases, the check that it stands on, and the intent to hold.
const MADE: usize = 1;

#[test]
fn a_cutover_is_one_write_to_its_record_for_its_plan_and_check_and_one_for_each_step_after_it() {
    let bench = Bench::ready();
    let said = bench.dave.run(&CUTOVER);
    said.assert(0, &["done: GREEN is live"]);
    let id = said.id();
    let entries = bench.dave.entries(&id);
    let count = |kind: &str| {
        let of_kind = entries.iter().filter(|it| !it["what"][kind].is_null());
        of_kind.count()
    };
    let steps = count("began");
    // Check, hold, flip and move of both Services, watch, restore: each begun once, and each passed.
    assert_eq!((steps, count("passed")), (8, 8), "{entries:#?}");
    assert_eq!(writes_of(&bench, &id), MADE + (steps - 1), "{entries:#?}");
}

/// Writes to the record of that operation which were done.
fn writes_of(bench: &Bench, id: &str) -> usize {
    let name = format!("wheelhouse-{id}");
    let is_write = |it: &Asked| {
        let is_record = it.path.ends_with("/configmaps") || it.path.ends_with(&name);
        let is_done = (200..300).contains(&it.status) && !it.query.contains("dryRun");
        is_record && is_done && it.is_write() && it.body.contains(&name)
    };
    bench.dave.relay.count(is_write)
}

#[test]
fn a_release_is_at_most_one_write_to_its_record_a_step() {
    let bench = Bench::ready();
    bench.dave.edit(
        "[operations]\n",
        "[[environment.smoke]]\ncommand = [\"true\"]\n[operations]\n",
    );
    let said = bench.dave.run(&[&["release"][..], &DEPLOY[1..]].concat());
    said.assert(0, &["done: GREEN is live"]);
    let id = said.id();
    let entries = bench.dave.entries(&id);
    let began = entries.iter().filter(|it| !it["what"]["began"].is_null());
    let steps = began.count();
    assert!(steps > 12, "deploy, smoke test and cutover: {entries:#?}");
    // What it waited for, while the old pods drained, is a pause and its end.
    let paused = ["paused", "resumed"].map(|kind| {
        let is_it = |it: &&serde_json::Value| {
            !it["what"][kind].is_null() || it["what"].as_str() == Some(kind)
        };
        entries.iter().filter(is_it).count()
    });
    let most = MADE + (steps - 1) + paused.iter().sum::<usize>();
    let writes = writes_of(&bench, &id);
    assert!(writes <= most, "{writes} of {most}: {entries:#?}");
}
