//! Smoke tests: every ready pod of the idle colour, past every Service.

use serde_json::json;

use crate::Bench;
use crate::operator::{CUTOVER, DEPLOY, Operator, QUICK, ROLLBACK, wait};

/// Both parts say their colour and their digest.
const QUESTIONS: &str = "[[environment.smoke]]\nworkload = \"frontend\"\nport = \"http\"\npath = \"/api/health\"\n\
    contains = [\"{colour}\", \"{digest}\"]\n[[environment.smoke]]\nworkload = \"backend\"\nport = 8000\n\
    path = \"/ready\"\nwithin = 20000\n[operations]\n";

const SMOKE: [&str; 3] = ["smoke", "production", "--yes"];

/// Somebody who asks that, by a way on which a connection may be upgraded.
fn asking(bench: &Bench, questions: &str) -> Operator {
    let kubeconfig = bench.served.home.path().join("admin.kubeconfig");
    let erin = Operator::new(&kubeconfig, "production", "production", QUICK);
    let leads = erin.home.path().join("kubeconfig");
    erin.edit(leads.to_str().unwrap(), kubeconfig.to_str().unwrap());
    erin.edit("[operations]\n", questions);
    erin
}

#[test]
fn i_8_a_smoke_test_asks_every_ready_pod_of_the_idle_colour_itself_and_names_what_was_tested() {
    let bench = Bench::ready();
    let erin = asking(&bench, QUESTIONS);
    erin.run(&["smoke", "production", "--plan"]).assert(
        0,
        &[
            "smoke test GREEN of production",
            "frontend: GET /api/health of 3 pods, 200 within 2000 ms",
            "it does not prove the Service, the NetworkPolicy or the Ingress",
        ],
    );
    // Whatever the Services do: they lead nowhere, and nobody asks them.
    for name in crate::operator::SERVICES {
        let path = format!("/api/v1/namespaces/production/services/{name}");
        let nowhere = json!({"spec": {"ports": [{"name": "http", "port": 80, "targetPort": 9}]}});
        bench.ask("PATCH", &path, Some(&nowhere));
    }

    let said = erin.run(&SMOKE);

    said.assert(
        0,
        &[
            "smoke done: 5 answers of 5 pods: digital-wall-green-backend-",
            "sha256:",
            "not proved: Service, NetworkPolicy, Ingress",
            "done: every ready pod of GREEN answered as it should",
        ],
    );
    assert!(!said.out.contains("digital-wall-blue"), "{said}");
}

#[test]
fn i_7_a_smoke_test_that_is_not_answered_as_it_should_be_is_no_pass() {
    let bench = Bench::ready();
    for (from, to, words) in [
        (
            "path = \"/ready\"",
            "path = \"/nowhere\"",
            "404 in place of 200",
        ),
        ("\"{colour}\"", "\"purple\"", "purple is not in its answer"),
        ("port = 8000", "port = 8001", "connection refused"),
    ] {
        let erin = asking(&bench, &QUESTIONS.replace(from, to));
        erin.run(&SMOKE).assert(1, &["smoke FAILED", words]);
    }
    let erin = asking(
        &bench,
        &QUESTIONS.replace("port = 8000", "port = \"metrics\""),
    );
    erin.run(&SMOKE).assert(5, &["have no port named metrics"]);
    bench
        .dave
        .run(&SMOKE)
        .assert(2, &["production has no [[environment.smoke]]"]);
}

#[test]
fn i_2_half_a_colour_is_not_tested() {
    let bench = Bench::ready();
    bench.idle_at_0();
    let erin = asking(&bench, QUESTIONS);
    erin.run(&SMOKE).assert(5, &["refused"]);
    bench.dave.run(&CUTOVER).assert(5, &["refused"]);
}

/// Somebody whose smoke test is that script, for at most so many seconds.
fn running(bench: &Bench, script: &str, timeout: u32) -> Operator {
    let said = format!(
        "[[environment.smoke]]\ncommand = [\"sh\", \"-c\", {script:?}, \"smoke\", \"{{colour}}\"]\n\
         url = \"https://{{colour}}.preview.example/\"\ntimeout = {timeout}\n[operations]\n"
    );
    asking(bench, &said)
}

#[test]
fn a_program_is_told_the_colour_the_address_and_what_runs_there_and_its_output_is_in_the_record() {
    let bench = Bench::ready();
    let script = "echo to $1, $WHEELHOUSE_COLOUR at $WHEELHOUSE_URL: $WHEELHOUSE_IMAGE_BACKEND \
                  $WHEELHOUSE_DIGEST_FRONTEND, secret [$CARGO_MANIFEST_DIR]; \
                  printf '\\033[31mred ghp_0123456789abcdefghijklmnopqrstuv\\n'";
    let erin = running(&bench, script, 60);
    erin.run(&["smoke", "production", "--plan"])
        .assert(0, &["is run for at most 60 s; cut short it is no pass"]);

    let said = erin.run(&SMOKE);

    said.assert(
        0,
        &[
            "note: output: to green, green at https://green.preview.example/: ",
            "backend:",
            "sha256:",
            "secret [] | red ***",
            "done: GREEN passed its smoke test",
            "smoke done: 1 program ended well beside 5 pods; sha256:",
        ],
    );
    assert!(!said.out.contains("not proved"), "{said}");
}

#[test]
fn i_7_a_program_that_fails_hangs_is_killed_or_is_missing_is_no_pass() {
    let bench = Bench::ready();
    for (script, words) in [
        ("echo 502 1>&2; exit 4", "sh: it ended with exit status: 4"),
        ("echo begun; sleep 600", "sh: not within 2 s: it was killed"),
        ("echo dying; kill -9 $$", "sh: it ended with signal: 9"),
    ] {
        let said = running(&bench, script, 2).run(&SMOKE);
        said.assert(1, &["note: output: ", "smoke FAILED", words]);
    }
    let missing = "[[environment.smoke]]\ncommand = [\"/nowhere/smoke\"]\n[operations]\n";
    asking(&bench, missing).run(&SMOKE).assert(
        1,
        &["smoke FAILED: /nowhere/smoke cannot be started: No such file"],
    );
}

#[test]
fn i_7_a_hundred_mebibytes_of_output_leave_a_short_record() {
    let bench = Bench::ready();
    let erin = running(&bench, "yes | head -c 104857600; echo last word", 60);
    let said = erin.run(&SMOKE);
    said.assert(0, &["last word", "smoke done"]);
    assert!(said.out.len() < 8_000, "{} bytes", said.out.len());
}

#[test]
fn i_7_pods_that_change_while_a_program_runs_void_its_test() {
    let bench = Bench::ready();
    let [begun, go] = ["begun", "go"].map(|name| bench.served.home.path().join(name));
    let (begun_at, go_at) = (begun.display(), go.display());
    let script = format!("touch {begun_at}; while [ ! -e {go_at} ]; do sleep 0.1; done");
    let erin = running(&bench, &script, 60);
    let under_way = erin.start(&SMOKE);
    wait("the program", || begun.exists().then_some(()));
    let path = "/api/v1/namespaces/production/pods?labelSelector=version%3Dgreen";
    let pods = bench.ask("GET", path, None);
    let gone = pods["items"][0]["metadata"]["name"]
        .as_str()
        .unwrap()
        .to_owned();
    bench.ask(
        "DELETE",
        &format!("/api/v1/namespaces/production/pods/{gone}"),
        None,
    );
    std::fs::write(&go, "").unwrap();
    under_way
        .end()
        .assert(1, &["smoke FAILED: the colour is not whole any more: "]);
}

#[test]
fn i_7_a_test_whose_worker_was_killed_is_no_pass_and_its_program_is_not_started_again() {
    let bench = Bench::ready();
    let begun = bench.served.home.path().join("begun");
    let script = format!("echo x >> {}; sleep 5", begun.display());
    let erin = running(&bench, &script, 60);
    let id = erin.detach(&SMOKE);
    wait("the program", || begun.exists().then_some(()));
    erin.kill_worker();
    erin.run(&["op", "adopt", &id])
        .assert(1, &["a test that was cut short is no pass"]);
    assert_eq!(std::fs::read_to_string(&begun).unwrap().lines().count(), 1);
}

#[test]
fn i_13_a_cutover_that_demands_a_smoke_test_waits_for_one_of_what_is_there() {
    let bench = Bench::ready();
    let demand = format!("[environment.gates]\nsmoke = true\n{QUESTIONS}");
    let erin = asking(&bench, &demand);
    let plan = || erin.run(&["cutover", "production", "--plan"]);
    plan().assert(5, &["smoke: GREEN was not tested"]);
    erin.run(&CUTOVER)
        .assert(5, &["smoke: GREEN was not tested"]);
    erin.run(&SMOKE)
        .assert(0, &["tested: backend ", "smoke done"]);
    plan().assert(0, &["OK       smoke        passed at "]);

    // Another revision of the idle colour.
    erin.run(&DEPLOY).assert(0, &["done: GREEN runs"]);

    let changed = "smoke: backend and frontend changed since the test";
    plan().assert(5, &[changed]);
    erin.run(&CUTOVER).assert(5, &[changed]);
    assert_eq!(bench.colours(), ["blue", "blue"]);
    // A later test that failed stands, whatever passed before.
    erin.run(&SMOKE).assert(0, &["smoke done"]);
    erin.edit("path = \"/ready\"", "path = \"/nowhere\"");
    erin.run(&SMOKE).assert(1, &["smoke FAILED"]);
    plan().assert(5, &["smoke: the last test, by ", "failed: "]);
    erin.edit("path = \"/nowhere\"", "path = \"/ready\"");
    erin.run(&SMOKE).assert(0, &["smoke done"]);

    erin.run(&CUTOVER).assert(0, &["done: GREEN is live"]);

    // BLUE was never tested: the way back asks for nothing.
    erin.run(&ROLLBACK).assert(0, &["done: BLUE is live"]);
}

#[test]
fn whoever_adopts_a_smoke_test_asks_no_address_that_only_the_record_names() {
    let bench = Bench::ready();
    // Somebody who is asked there and never answers.
    let inside = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = inside.local_addr().unwrap().port();
    let page = format!(
        "[[environment.smoke]]\nurl = \"http://127.0.0.1:{port}/meta-data\"\n[operations]\n"
    );
    let erin = asking(&bench, &page);
    let id = erin.detach(&SMOKE);
    erin.kill_worker();
    bench.dave.run(&["op", "adopt", &id]).assert(
        1,
        &["its test is not the one that is configured here: it is not run"],
    );
}
