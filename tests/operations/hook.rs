//! Programs that are told of operations, and that nothing waits for.

use std::fs;

use serde_json::json;

use crate::Bench;
use crate::operator::{CUTOVER, Operator, REQUEST, ROLLBACK, SERVICES, wait};

/// A program that is told of everything, and writes it down; one that hangs beside it.
fn telling(bench: &Bench) -> (Operator, std::path::PathBuf) {
    let erin = bench.colleague();
    let file = erin.home.path().join("told");
    let script = format!(
        "echo \"$WHEELHOUSE_EVENT $WHEELHOUSE_KIND $WHEELHOUSE_ENVIRONMENT $WHEELHOUSE_COLOUR $WHEELHOUSE_WORDS\" >> {}",
        file.display()
    );
    let hooks = format!(
        "[[environment.hook]]\non = [\"start\", \"approval\", \"held\", \"end\"]\ncommand = [\"/bin/sh\", \"-c\", '''{script}''']\n\
         [[environment.hook]]\non = [\"start\"]\ncommand = [\"/bin/sleep\", \"600\"]\ntimeout = 1\n\
         [[environment.hook]]\non = [\"end\"]\ncommand = [\"/nowhere/pager\"]\n[operations]\n"
    );
    erin.edit("[operations]\n", &hooks);
    (erin, file)
}

#[test]
fn who_is_to_be_told_is_told_and_one_that_hangs_fails_or_is_missing_changes_nothing() {
    let bench = Bench::ready();
    let (erin, file) = telling(&bench);

    erin.run(&CUTOVER).assert(0, &["done: GREEN is live"]);

    let told = fs::read_to_string(&file).unwrap();
    let lines: Vec<&str> = told.lines().collect();
    assert_eq!(lines.len(), 2, "{told}");
    assert_eq!(
        lines[0],
        "start cutover production green cut over production to GREEN"
    );
    assert!(
        lines[1].starts_with("end cutover production green done: GREEN is live"),
        "{told}"
    );

    erin.run(&ROLLBACK).assert(0, &["done: BLUE is live"]);
    let told = fs::read_to_string(&file).unwrap();
    assert!(
        told.lines()
            .nth(3)
            .unwrap()
            .starts_with("end rollback production blue done: BLUE"),
        "{told}"
    );
}

#[test]
fn who_is_to_be_told_is_told_that_somebody_asks_for_an_approval() {
    let bench = Bench::ready();
    let (erin, file) = telling(&bench);
    erin.edit(
        "[environment.traffic]",
        "[environment.gates]\napproval = \"one other person\"\n[environment.traffic]",
    );
    erin.run(&REQUEST).assert(0, &["waits"]);
    let told = fs::read_to_string(&file).unwrap();
    assert_eq!(told, "approval cutover production green v2 is due\n");
}

#[test]
fn who_is_to_be_told_is_told_that_an_operation_waits_for_a_person() {
    let bench = Bench::ready();
    let (erin, file) = telling(&bench);
    erin.edit("watch = 2", "watch = 60");
    erin.edit("patience = 5", "patience = 60");
    let id = erin.detach(&CUTOVER);
    wait("the soak", || {
        erin.story(&id).contains("watch …").then_some(())
    });
    let path = format!("/api/v1/namespaces/production/services/{}", SERVICES[0]);
    let blue = json!({"spec": {"selector": {"version": "blue"}}});
    bench.ask("PATCH", &path, Some(&blue));

    let is_held = |line: &str| line.starts_with("held cutover production green REVERTED");
    wait("the call", || {
        let told = fs::read_to_string(&file).unwrap_or_default();
        told.lines().any(is_held).then_some(())
    });

    let green = json!({"spec": {"selector": {"version": "green"}}});
    bench.ask("PATCH", &path, Some(&green));
    erin.run(&["op", "abort", &id, "--reason", "seen"])
        .assert(0, &[]);
    erin.await_no_worker();
    let told = fs::read_to_string(&file).unwrap();
    let last = told.lines().last().unwrap_or_default();
    assert!(last.starts_with("end cutover production green"), "{told}");
}

#[test]
fn who_is_to_be_told_of_an_end_is_told_that_somebody_abandoned_it_or_cut_it_off() {
    let bench = Bench::ready();
    let (erin, file) = telling(&bench);
    erin.edit("watch = 2", "watch = 60");
    let told = || fs::read_to_string(&file).unwrap_or_default();
    let cut_off = erin.detach(&CUTOVER);
    wait("the soak", || {
        erin.story(&cut_off).contains("watch …").then_some(())
    });
    erin.run(&ROLLBACK).assert(0, &["done: BLUE is live"]);
    wait("the end of what was cut off", || {
        told()
            .contains("end cutover production green abandoned: cut off by rollback")
            .then_some(())
    });
    erin.await_no_worker();

    let id = erin.detach(&CUTOVER);
    wait("the soak", || {
        erin.story(&id).contains("watch …").then_some(())
    });
    erin.run(&["op", "abandon", &id, "--reason", "left so"])
        .assert(0, &["abandoned as it stands"]);
    let told = told();
    assert!(
        told.contains("end cutover production green abandoned: left so"),
        "{told}"
    );
}
