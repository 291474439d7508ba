//! Smoke tests: every ready pod of the idle colour, past every Service.

use serde_json::json;

use crate::Bench;
use crate::operator::{CUTOVER, Operator, QUICK};

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
