//! What an operation costs the API server: its record is written once a step, the result of one with the intent of
//! the next. (How soon it acts, on the real control plane: tests/real/operations/speed.rs.)

use crate::Bench;
use crate::operator::CUTOVER;
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
    let name = format!("wheelhouse-{id}");
    let is_write = |it: &Asked| {
        let is_record = it.path.ends_with("/configmaps") || it.path.ends_with(&name);
        let is_done = (200..300).contains(&it.status) && !it.query.contains("dryRun");
        is_record && is_done && it.is_write() && it.body.contains(&name)
    };
    let writes = bench.dave.relay.count(is_write);
    assert_eq!(writes, MADE + (steps - 1), "{entries:#?}");
}
