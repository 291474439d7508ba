//! Deploys by a program of the user's.

use std::fs;

use crate::Bench;
use crate::operator::{Operator, wait};

const BY_COMMAND: [&str; 8] = [
    "deploy",
    "production",
    "--write",
    "--yes",
    "--reason",
    "v3",
    "--image",
    "frontend=:v3",
];

/// Has `operator` deploy by that script, which may take so many seconds.
pub fn runs(operator: &Operator, script: &str, timeout: u32) {
    operator.edit(
        "[environment.traffic]",
        &format!(
            "[environment.deployment]\nstrategy = \"command\"\ncommand = [\"sh\", \"-c\", {script:?}, \"deploy\", \"{{colour}}\"]\n\
             timeout = {timeout}\n[environment.traffic]"
        ),
    );
}

#[test]
fn a_program_is_told_what_to_deploy_and_what_it_prints_is_in_the_record() {
    let bench = Bench::ready();
    let dave = &bench.dave;
    runs(
        dave,
        "echo to $1, $WHEELHOUSE_COLOUR, frontend $WHEELHOUSE_IMAGE_FRONTEND; env | wc -l",
        60,
    );
    dave.run(&["deploy", "production", "--plan"]).assert(
        0,
        &[
            "is run for at most 60 s; it is not fenced",
            "steps: check · run ·",
        ],
    );

    dave.run(&BY_COMMAND).assert(
        0,
        &[
            "note: output: to green, green, frontend :v3",
            "run done: it ended well",
            "roll out digital-wall-green-frontend done",
            "verify done",
        ],
    );
}

#[test]
fn what_comes_back_as_it_was_is_a_patch_whatever_deploys_otherwise() {
    let bench = Bench::ready();
    bench.idle_at_0();
    runs(&bench.dave, "exit 4", 60);
    let same = [
        "deploy",
        "production",
        "--write",
        "--yes",
        "--reason",
        "back",
        "--same",
    ];
    bench.dave.run(&same).assert(
        0,
        &[
            "digital-wall-green-frontend done: replicas 0 → 3",
            "done: GREEN runs",
        ],
    );
    let mixed = [&BY_COMMAND[..], &["--image", "backend=="]].concat();
    bench
        .dave
        .run(&mixed)
        .assert(2, &["backend== beside other images"]);
}

#[test]
fn a_program_that_fails_or_takes_too_long_is_no_deploy() {
    let bench = Bench::ready();
    runs(&bench.dave, "echo no rights 1>&2; exit 4", 60);
    bench.dave.run(&BY_COMMAND).assert(
        1,
        &[
            "output: no rights",
            "run FAILED: it ended with exit status: 4",
        ],
    );

    let bench = Bench::ready();
    runs(&bench.dave, "echo begun; sleep 600", 2);
    bench.dave.run(&BY_COMMAND).assert(
        1,
        &["output: begun", "run FAILED: not within 2 s: it was killed"],
    );
}

#[test]
fn i_51_a_program_whose_worker_was_killed_is_given_its_time_and_never_started_again() {
    let bench = Bench::ready();
    let dave = &bench.dave;
    let begun = dave.home.path().join("begun");
    runs(dave, &format!("echo x >> {}; sleep 3", begun.display()), 8);
    let id = dave.detach(&BY_COMMAND);
    wait("the program", || begun.exists().then_some(()));
    dave.kill_worker();

    let adopted = dave.run(&["op", "adopt", &id]);

    adopted.assert(
        1,
        &["run FAILED: its worker is gone, and what became of it is not known"],
    );
    assert_eq!(fs::read_to_string(&begun).unwrap().lines().count(), 1);
}

#[test]
fn what_a_program_printed_so_far_is_in_the_record_though_its_worker_is_killed() {
    let bench = Bench::ready();
    let dave = &bench.dave;
    runs(dave, "echo the first half is done; sleep 30", 60);
    let id = dave.detach(&BY_COMMAND);
    wait("its words", || {
        let story = dave.story(&id);
        story
            .contains("output so far: the first half is done")
            .then_some(())
    });
    dave.kill_worker();
    assert!(dave.story(&id).contains("output so far: the first half"));
}
