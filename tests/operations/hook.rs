//! Programs that are told of operations, and that nothing waits for.

use std::fs;

use crate::Bench;
use crate::operator::{CUTOVER, Operator, ROLLBACK};

/// A program that is told of everything, and writes it down; one that hangs beside it.
fn telling(bench: &Bench) -> (Operator, std::path::PathBuf) {
    let erin = bench.colleague();
    let file = erin.home.path().join("told");
    let script = format!(
        "echo \"$WHEELHOUSE_EVENT $WHEELHOUSE_KIND $WHEELHOUSE_ENVIRONMENT $WHEELHOUSE_COLOUR $WHEELHOUSE_WORDS\" >> {}",
        file.display()
    );
    let hooks = format!(
        "[[environment.hook]]\non = [\"start\", \"held\", \"end\"]\ncommand = [\"/bin/sh\", \"-c\", '''{script}''']\n\
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
