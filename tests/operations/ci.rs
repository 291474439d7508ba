//! Rows 72 and 49: no cutover of what the workflow did not find well, by the embedded estate's GitHub, nor of what traffic
//! was brought back from, unasked.

use crate::Bench;
use crate::operator::{CUTOVER, DEPLOY, ROLLBACK, Said, wait};

const TOKEN: [(&str, &str); 1] = [("GITHUB_TOKEN", "demo-github")];
const PLAN: [&str; 3] = ["cutover", "production", "--plan"];

/// One whose cutovers demand a green run.
fn demanding() -> Bench {
    let bench = Bench::ready();
    let github = format!(
        "[github]\nrepository = \"acme/digital-wall\"\nworkflow = \"digital-wall-ci-cd.yml\"\n\
         token = {{ env = \"GITHUB_TOKEN\" }}\napi = \"http://{}/github\"\n[operations]\n",
        bench.served.addr
    );
    bench.dave.edit("[operations]\n", &github);
    let gates = "[environment.gates]\nci = true\n[environment.traffic]\n";
    bench.dave.edit("[environment.traffic]\n", gates);
    bench
}

fn with_token(bench: &Bench, args: &[&str]) -> Said {
    bench.dave.start_with(&TOKEN, args).end()
}

#[test]
fn row_72_a_cutover_asks_github_for_the_run_of_its_commit_and_goes_on_when_that_is_green() {
    let bench = demanding();
    with_token(&bench, &PLAN).assert(0, &["OK       ci           e4d909c #", "is green"]);
    let said = with_token(&bench, &CUTOVER);
    said.assert(0, &["ci e4d909c #", "done: GREEN is live"]);
}

#[test]
fn row_72_a_github_that_does_not_tell_and_a_tag_that_is_no_commit_are_unknown() {
    let bench = demanding();
    // Without a token nobody answers.
    let blind = bench.dave.start_with(&[("GITHUB_TOKEN", "")], &PLAN).end();
    blind.assert(3, &["refused: ci: "]);
    wait("GREEN to be deployed", || {
        (bench.dave.run(&DEPLOY).code == 0).then_some(())
    });
    with_token(&bench, &CUTOVER).assert(
        3,
        &[
            "refused: ci: v3 names no commit",
            "--override ci=REASON goes ahead all the same",
        ],
    );
    let over = [&CUTOVER[..], &["--override", "ci=built by hand"]].concat();
    with_token(&bench, &over).assert(0, &["ci overridden by", "done: GREEN is live"]);
}

#[test]
fn row_72_a_release_of_a_tag_that_is_no_commit_is_refused_before_anything_is_deployed() {
    let bench = demanding();
    bench.dave.edit(
        "[operations]\n",
        "[[environment.smoke]]\ncommand = [\"true\"]\n[operations]\n",
    );
    let release = [&["release"][..], &DEPLOY[1..]].concat();
    with_token(&bench, &release).assert(5, &[":v3 names no commit", "--override ci=REASON"]);
    let over = [&release[..], &["--override", "ci=built by hand"]].concat();
    with_token(&bench, &over).assert(0, &["ci overridden by", "done: GREEN is live"]);
}

#[test]
fn row_49_what_traffic_was_brought_back_from_goes_live_again_only_with_a_reason() {
    let bench = Bench::ready();
    let dave = &bench.dave;
    dave.run(&CUTOVER).assert(0, &["done: GREEN is live"]);
    dave.run(&ROLLBACK).assert(0, &["done: BLUE is live"]);
    dave.run(&PLAN)
        .assert(0, &["NOTE     returned     ", "rolled back from GREEN"]);
    let gates = "[environment.gates]\nreturned = true\n[environment.traffic]\n";
    dave.edit("[environment.traffic]\n", gates);

    dave.run(&CUTOVER).assert(
        5,
        &[
            "refused: returned: ",
            "it runs the same images",
            "--override returned=REASON goes ahead",
        ],
    );

    let over = [
        &CUTOVER[..],
        &["--override", "returned=the database was it"],
    ]
    .concat();
    dave.run(&over).assert(0, &["done: GREEN is live"]);
    dave.run(&ROLLBACK).assert(0, &["done: BLUE is live"]);
    // Other images are another matter.
    wait("GREEN to be deployed", || {
        (dave.run(&DEPLOY).code == 0).then_some(())
    });
    dave.run(&CUTOVER).assert(0, &["done: GREEN is live"]);
}
