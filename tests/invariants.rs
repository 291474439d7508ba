//! The table of invariants names tests that exist, and leaves none of the invariants out.
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

const TABLE: &str = include_str!("invariants.md");

/// The cells of the rows of a table whose first cells start so.
fn rows(start: &str) -> Vec<Vec<&'static str>> {
    let cells = |line: &'static str| line.trim_matches('|').split('|').map(str::trim).collect();
    let lines = TABLE
        .lines()
        .filter(|line| line.starts_with(&format!("| {start}")));
    lines.map(cells).collect()
}

/// The tests that a cell names.
fn tests(cell: &'static str) -> impl Iterator<Item = &'static str> {
    cell.split('`').skip(1).step_by(2)
}

/// The name of every test in a folder's sources that is run.
fn tests_in(folder: &Path, into: &mut BTreeSet<String>) {
    for entry in fs::read_dir(folder).unwrap().flatten() {
        let path = entry.path();
        if path.is_dir() {
            tests_in(&path, into);
        } else if path.extension().is_some_and(|it| it == "rs") {
            let text = fs::read_to_string(&path).unwrap();
            let (mut is_test, mut is_run) = (false, true);
            for line in text.lines().map(str::trim) {
                is_test |=
                    line.ends_with("test]") || line.contains("::test(") || line == "proptest! {";
                is_run &= !line.starts_with("#[ignore");
                let Some((_, rest)) = line.split_once("fn ") else {
                    continue;
                };
                if is_test && is_run {
                    into.insert(rest.split(['(', '<']).next().unwrap().to_owned());
                }
                (is_test, is_run) = (false, true);
            }
        }
    }
}

#[test]
fn every_invariant_has_a_row_that_names_a_test_or_what_it_waits_for() {
    let rows = rows("I-");
    let numbers: Vec<String> = (1..=60).map(|it| format!("I-{it}")).collect();
    let named: Vec<&str> = rows.iter().map(|row| row[0]).collect();
    assert_eq!(named, numbers);
    for row in rows {
        assert!(row.len() == 3 && !row[2].is_empty(), "{row:?}");
        let waits = row[1].starts_with("not yet: ");
        assert!(waits || tests(row[1]).next().is_some(), "{row:?}");
    }
}

#[test]
fn every_fault_of_operations_has_a_row() {
    let mut wanted = vec!["T02".to_owned(), "N03".to_owned()];
    let numbered = |letter: char, numbers: &[u32]| {
        let one = |number: &u32| format!("{letter}{number:02}");
        numbers.iter().map(one).collect::<Vec<_>>()
    };
    wanted.extend(numbered('P', &(1..=13).collect::<Vec<_>>()));
    wanted.extend(numbered('K', &[3, 6, 8, 9, 10, 11, 12, 17]));
    wanted.extend(numbered('O', &(1..=7).collect::<Vec<_>>()));
    wanted.extend(numbered('X', &(1..=7).collect::<Vec<_>>()));
    for fault in wanted {
        let rows = rows(&format!("{fault} "));
        let names = rows.iter().flat_map(|row| tests(row[1])).count();
        assert!(names > 0, "{fault} has no row that names a test");
    }
}

#[test]
fn every_test_that_is_named_exists_and_proves_three_invariants_at_most() {
    let mut known = BTreeSet::new();
    for folder in ["src", "tests"] {
        tests_in(
            &Path::new(env!("CARGO_MANIFEST_DIR")).join(folder),
            &mut known,
        );
    }
    let mut proves: BTreeMap<&str, usize> = BTreeMap::new();
    for start in ["I-", "T", "O", "P", "N", "K", "X", "M", "G"] {
        for row in rows(start) {
            for test in tests(row[1]) {
                assert!(known.contains(test), "{}: there is no test {test}", row[0]);
                if start == "I-" {
                    *proves.entry(test).or_default() += 1;
                }
            }
        }
    }
    let most: Vec<_> = proves.iter().filter(|(_, count)| **count > 3).collect();
    assert!(most.is_empty(), "{most:?}");
}
