//! Clean-up of the colour that traffic left: never what takes traffic, and not while it is kept.

use serde_json::json;

use crate::Bench;
use crate::operator::{CUTOVER, DEPLOY, ROLLBACK, SERVICES, wait};
use crate::relay::{Asked, Fate};

const CLEANUP: [&str; 6] = [
    "cleanup",
    "production",
    "--write",
    "--yes",
    "--reason",
    "over",
];

/// `warm` with a reason, without questions.
fn warm<'a>(verb: &'a str, more: &[&'a str]) -> Vec<&'a str> {
    let words = [
        "warm",
        verb,
        "production",
        "--write",
        "--yes",
        "--reason",
        "a demo",
    ];
    [&words[..], more].concat()
}

/// Keeps the colour that traffic left for so many seconds.
fn keeping(seconds: &str) -> Bench {
    let bench = Bench::ready();
    let key = format!("[environment.traffic]\nkeep_warm = {seconds}\n");
    bench.dave.edit("[environment.traffic]\n", &key);
    bench
}

/// The same, and then a clean-up follows by itself.
fn followed(seconds: &str) -> Bench {
    let bench = keeping(seconds);
    let keep = format!("keep_warm = {seconds}\n");
    bench.dave.edit(&keep, &format!("{keep}clean_up = true\n"));
    bench
}

/// The line of the newest operation.
fn newest(bench: &Bench) -> serde_json::Value {
    let said = bench.dave.run(&["op", "list", "production", "--json"]);
    serde_json::from_str(said.out.lines().next().unwrap()).unwrap()
}

fn replicas(bench: &Bench, colour: &str) -> [i64; 2] {
    bench.runs(colour).map(|(_, replicas)| replicas)
}

#[test]
fn i_35_a_clean_up_scales_the_idle_colour_to_0_and_leaves_what_takes_traffic_alone() {
    let bench = Bench::ready();
    let (dave, blue) = (&bench.dave, bench.runs("blue"));
    let plan = dave.run(&["cleanup", "production", "--plan"]);
    plan.assert(
        0,
        &[
            "clean up GREEN of production",
            "digital-wall-green-frontend  replicas 3 → 0",
            "digital-wall-green-backend  replicas 2 → 0",
            "`deploy production --same` brings its pods up again (about",
            "Helm release digital-wall-green manages digital-wall-green-frontend",
        ],
    );
    assert_eq!(dave.relay.count(Asked::is_update), 0);

    dave.run(&CLEANUP).assert(
        0,
        &[
            "update digital-wall-green-frontend done: replicas 3 → 0",
            "done: GREEN is at 0; BLUE is live as before",
        ],
    );

    assert_eq!(replicas(&bench, "green"), [0, 0]);
    assert_eq!(bench.runs("blue"), blue);
    assert_eq!(bench.colours(), ["blue", "blue"]);
    assert_eq!(dave.relay.count(Asked::is_update), 2, "one for each");
    assert_eq!(dave.relay.count(Asked::is_flip), 0);
    dave.run(&CLEANUP)
        .assert(2, &["nothing to clean up: GREEN is at 0 already"]);
    dave.run(&["cleanup", "production", "--to", "blue", "--plan"])
        .assert(2, &["BLUE is live"]);
}

#[test]
fn i_29_a_rollback_to_a_colour_that_was_cleaned_up_says_what_brings_it_back_and_how_long_that_takes()
 {
    let bench = Bench::ready();
    let dave = &bench.dave;
    dave.run(&CUTOVER).assert(0, &["done: GREEN is live"]);
    let images = bench.runs("blue").map(|(image, _)| image);
    wait("BLUE to drain", || {
        (dave.run(&CLEANUP).code == 0).then_some(())
    });
    assert_eq!(replicas(&bench, "blue"), [0, 0]);
    wait("no pod of BLUE", || {
        let path = "/api/v1/namespaces/production/pods?labelSelector=version%3Dblue";
        let pods = bench.ask("GET", path, None)["items"].as_array().cloned();
        pods.is_some_and(|pods| pods.is_empty()).then_some(())
    });

    dave.run(&ROLLBACK).assert(
        5,
        &[
            "BLUE is cold, at 0, cleaned up by",
            "`deploy production --same` brings",
            "about",
            "staying on GREEN",
        ],
    );
    assert_eq!(bench.colours(), ["green", "green"]);

    dave.run(&[
        "deploy",
        "production",
        "--write",
        "--yes",
        "--reason",
        "back",
        "--same",
    ])
    .assert(0, &["replicas 0 → ", "done: BLUE runs"]);
    assert_eq!(bench.runs("blue").map(|(image, _)| image), images);
    dave.run(&ROLLBACK).assert(0, &["done: BLUE is live"]);
}

#[test]
fn i_36_i_39_what_is_kept_is_not_cleaned_up_and_every_flip_begins_the_delay_anew() {
    let bench = keeping("3600");
    let dave = &bench.dave;
    dave.run(&CUTOVER).assert(0, &["done: GREEN is live"]);
    let kept = [
        "refused: warm: kept until",
        "`wheelhouse warm release production --write --reason …` lets it go",
    ];
    dave.run(&CLEANUP).assert(5, &kept);
    // A deploy there would end the way back, and says so.
    let deploy = [&DEPLOY[..], &["--plan"]].concat();
    dave.run(&deploy)
        .assert(0, &["BLUE is what a rollback goes back to, kept until"]);
    // A rollback, and forward again: another flip, another delay.
    let release = warm("release", &[]);
    dave.run(&release)
        .assert(0, &["BLUE of production is not kept"]);
    dave.run(&["cleanup", "production", "--plan"])
        .assert(0, &["let go by", "a demo"]);
    dave.run(&ROLLBACK).assert(0, &["done: BLUE is live"]);
    wait("GREEN to drain", || {
        let said = dave.run(&CUTOVER);
        (said.code == 0).then_some(())
    });
    dave.run(&CLEANUP).assert(5, &kept);
    dave.run(&["status", "production"])
        .assert(0, &["kept until"]);
    // What nobody keeps nobody speaks of.
    dave.run(&warm("release", &[])).assert(0, &["is not kept"]);
    let said = dave.run(&deploy);
    assert!(!said.out.contains("what a rollback goes back to"), "{said}");
    assert_eq!(replicas(&bench, "blue"), [3, 2]);
}

#[test]
fn what_is_held_is_kept_until_it_is_let_go_whatever_the_configuration_says() {
    let bench = keeping("0");
    let dave = &bench.dave;
    dave.run(&warm("hold", &[]))
        .assert(2, &["no operation of Wheelhouse moved traffic last"]);
    dave.run(&CUTOVER).assert(0, &["done: GREEN is live"]);
    dave.run(&warm("hold", &[]))
        .assert(0, &["held until somebody lets it go"]);
    dave.run(&CLEANUP)
        .assert(5, &["refused: warm: held by", "a demo"]);
    dave.run(&warm("extend", &["--for", "2h"]))
        .assert(0, &["kept until 20"]);
    dave.run(&CLEANUP)
        .assert(5, &["refused: warm: kept until 20"]);
    dave.run(&warm("extend", &["--until", "2020-01-01T00:00Z"]))
        .assert(2, &["is over: the server's clock says"]);
    dave.run(&warm("extend", &["--for", "5m"]))
        .assert(2, &["it is kept until 20", "which is longer"]);
    // Beyond the last year that a clock knows nothing is let go.
    dave.run(&warm("extend", &["--for", "4000000d"]))
        .assert(0, &["held until somebody lets it go"]);
    let json = dave.run(&[
        "warm",
        "release",
        "production",
        "--plan",
        "--json",
        "--reason",
        "x",
    ]);
    let json: serde_json::Value = serde_json::from_str(&json.out).unwrap();
    assert_eq!(json["schema"], json!("wheelhouse.warm/v1"));
    assert_eq!(json["change"]["colour"], json!("blue"));
    let journal = dave.journal("warm");
    assert!(
        journal.contains("intent") && journal.contains("outcome"),
        "{journal}"
    );
}

#[test]
fn i_35_a_colour_that_becomes_live_between_the_plan_and_the_patch_is_not_scaled_down() {
    let bench = Bench::ready();
    let trap = bench.dave.relay.trap(Fate::HeldAfter, 1, |it| {
        it.records(r#""began":{"step":{"update":"digital-wall-green-frontend"#)
    });
    let running = bench.dave.start(&CLEANUP);
    trap.wait("the intent");
    let path = format!("/api/v1/namespaces/production/services/{}", SERVICES[0]);
    let green = json!({"spec": {"selector": {"version": "green"}}});
    bench.ask("PATCH", &path, Some(&green));
    trap.let_go();

    let never = "digital-wall-service selects GREEN now: what takes traffic is never scaled down";
    running.end().assert(1, &[never]);
    assert_eq!(replicas(&bench, "green"), [3, 2]);
}

#[test]
fn i_36_what_is_held_between_the_check_and_the_patch_is_not_scaled_down_by_whoever_adopts() {
    let bench = Bench::ready();
    let dave = &bench.dave;
    dave.run(&CUTOVER).assert(0, &["done: GREEN is live"]);
    wait("BLUE to drain", || {
        (dave.run(&["cleanup", "production", "--plan"]).code == 0).then_some(())
    });
    let trap = dave.relay.trap(Fate::HeldBefore, 1, Asked::is_update);
    let id = dave.detach(&CLEANUP);
    trap.wait("the first patch");
    dave.kill_worker();
    bench
        .colleague()
        .run(&warm("hold", &[]))
        .assert(0, &["held until somebody lets it go"]);

    let adopted = dave.run(&["op", "adopt", &id]);

    adopted.assert(1, &["warm: held by", "a demo"]);
    assert_eq!(replicas(&bench, "blue"), [3, 2]);
}

#[test]
fn i_37_i_38_a_clean_up_and_a_cutover_or_a_deploy_do_not_run_beside_each_other() {
    let bench = Bench::ready();
    let carol = bench.colleague();
    // In the watch after the flip: nothing is decided yet.
    let trap = bench.dave.relay.trap(Fate::HeldAfter, 1, |it| {
        it.records(r#""began":{"step":"watch""#)
    });
    let running = bench.dave.start(&CUTOVER);
    trap.wait("the watch");
    carol.run(&CLEANUP).assert(6, &["refused", "digital-wall-"]);
    assert_eq!(replicas(&bench, "blue"), [3, 2]);
    trap.let_go();
    running.end().assert(0, &["done: GREEN is live"]);

    let trap = bench.dave.relay.trap(Fate::HeldBefore, 1, Asked::is_update);
    wait("BLUE to drain", || {
        (bench.dave.run(&["cleanup", "production", "--plan"]).code == 0).then_some(())
    });
    let running = bench.dave.start(&CLEANUP);
    trap.wait("the first patch");
    carol.run(&DEPLOY).assert(6, &["refused", "digital-wall-"]);
    trap.let_go();
    running.end().assert(0, &["done: BLUE is at 0"]);
}

#[test]
fn a_clean_up_follows_a_cutover_by_itself_when_the_colour_is_kept_no_longer() {
    let bench = followed("6");
    let dave = &bench.dave;
    dave.run(&["cutover", "production", "--plan"]).assert(
        0,
        &["NOTE     cleanup      when all went well and BLUE was kept for 6 s, it is scaled to 0"],
    );
    let said = dave.run(&CUTOVER);
    said.assert(0, &["done: GREEN is live", "a worker waits to clean up"]);
    wait("who waits on the Service", || {
        let said = dave.run(&["status", "production"]).out;
        said.contains(", then cleaned up by ").then_some(())
    });
    assert_eq!(replicas(&bench, "blue"), [3, 2], "it is kept");

    wait("the clean-up", || {
        (replicas(&bench, "blue") == [0, 0]).then_some(())
    });

    dave.await_no_worker();
    assert_eq!(bench.colours(), ["green", "green"]);
    assert_eq!(replicas(&bench, "green"), [3, 2]);
    let line = newest(&bench);
    let story = dave.story(line["id"].as_str().unwrap());
    assert!(story.contains("clean up BLUE of production"), "{story}");
    assert!(story.contains(&format!("follows {}", said.id())), "{story}");
}

#[test]
fn what_is_held_is_not_cleaned_up_by_itself_until_it_is_let_go() {
    let bench = followed("4");
    let dave = &bench.dave;
    // The worker of a key goes on itself.
    let id = dave.detach(&CUTOVER);
    wait("the end of the soak", || {
        dave.story(&id)
            .contains("done: GREEN is live")
            .then_some(())
    });
    dave.run(&warm("hold", &[]))
        .assert(0, &["held until somebody lets it go"]);
    let left = std::time::Instant::now();
    wait("twice as long as it is kept without a word", || {
        assert_eq!(replicas(&bench, "blue"), [3, 2]);
        (left.elapsed().as_secs() >= 8).then_some(())
    });

    dave.run(&warm("release", &[]))
        .assert(0, &["BLUE of production is not kept"]);

    wait("the clean-up", || {
        (replicas(&bench, "blue") == [0, 0]).then_some(())
    });
    dave.await_no_worker();
}

#[test]
fn whatever_comes_between_ends_the_waiting_and_nothing_is_cleaned_up() {
    let bench = followed("3600");
    let dave = &bench.dave;
    dave.run(&CUTOVER)
        .assert(0, &["a worker waits to clean up"]);
    assert!(dave.worker().is_some());
    dave.run(&ROLLBACK).assert(0, &["done: BLUE is live"]);
    dave.await_no_worker();

    // The next release is on its way to the colour that was left.
    wait("GREEN to drain", || {
        (dave.run(&CUTOVER).code == 0).then_some(())
    });
    assert!(dave.worker().is_some());
    wait("BLUE to drain", || {
        (dave.run(&DEPLOY).code == 0).then_some(())
    });
    dave.await_no_worker();

    assert_eq!(replicas(&bench, "green"), [3, 2]);
    assert_eq!(replicas(&bench, "blue"), [3, 2]);
    let kinds = dave.run(&["op", "list", "production", "--json"]).out;
    assert!(!kinds.contains(r#""kind":"cleanup""#));
}
