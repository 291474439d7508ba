//! Autoscalers that an operation holds: whose they are, and what somebody sets meanwhile.

use serde_json::{Value, json};

use crate::Bench;
use crate::kept::orphan;
use crate::operator::{CUTOVER, wait};

const SCALERS: &str = "/apis/autoscaling/v2/namespaces/production/horizontalpodautoscalers";
const GREEN: &str = "digital-wall-green-frontend";
const BLUE: &str = "digital-wall-blue-frontend";

fn scaler(bench: &Bench, name: &str) -> Value {
    bench.ask("GET", &format!("{SCALERS}/{name}"), None)
}

fn held(scaler: &Value) -> Option<&str> {
    scaler["metadata"]["annotations"]["wheelhouse.dev/held"].as_str()
}

fn set_least(bench: &Bench, name: &str, least: u32) {
    let patch = json!({"spec": {"minReplicas": least}});
    bench.ask("PATCH", &format!("{SCALERS}/{name}"), Some(&patch));
}

#[test]
fn i_5_what_somebody_sets_meanwhile_stays_and_another_environments_hold_is_left_alone() {
    let bench = Bench::ready();
    bench.dave.edit("watch = 2", "watch = 12");
    for name in [GREEN, BLUE] {
        set_least(&bench, name, 2);
    }
    // Held by an operation of an environment whose Deployments ours does not find, under a later epoch.
    let theirs = r#"{"min":1,"to":4,"operation":"01jdsx0000abcdefghjkmnpqrs"}"#;
    let pay = json!({
        "metadata": {
            "name": "pay", "annotations": {"wheelhouse.dev/held": theirs, "wheelhouse.dev/epoch": "99"},
        },
        "spec": {
            "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "pay"},
            "minReplicas": 4, "maxReplicas": 9,
        },
    });
    bench.ask("POST", SCALERS, Some(&pay));

    let running = bench.dave.start(&CUTOVER);
    wait("both to be held", || {
        let is_held = |name| held(&scaler(&bench, name)).is_some();
        (is_held(GREEN) && is_held(BLUE)).then_some(())
    });
    wait("the flip", || {
        (bench.colours() == ["green", "green"]).then_some(())
    });
    // Load: somebody wants more, and nobody takes that back.
    set_least(&bench, GREEN, 5);
    let said = running.end();

    said.assert(
        0,
        &[
            "done: GREEN is live",
            "minReplicas of digital-wall-green-frontend at 5, as somebody set it meanwhile (it had 2)",
            "digital-wall-blue-frontend back at 2",
        ],
    );
    for (name, least) in [(GREEN, 5), (BLUE, 2)] {
        let after = scaler(&bench, name);
        assert_eq!(
            (held(&after), &after["spec"]["minReplicas"]),
            (None, &json!(least))
        );
    }
    let after = scaler(&bench, "pay");
    assert_eq!(
        (held(&after), &after["spec"]["minReplicas"]),
        (Some(theirs), &json!(4))
    );
}

#[test]
fn rule_8_every_patch_that_goes_out_has_its_line_in_the_journal() {
    let bench = Bench::ready();
    let dave = &bench.dave;
    for name in [GREEN, BLUE] {
        set_least(&bench, name, 2);
    }
    let id = orphan(&bench);
    let adopted = dave.run(&["op", "adopt", &id]);
    adopted.assert(0, &["done: GREEN is live", "back at 2"]);

    let journal = dave.journal(&id);
    let lines = journal.lines().map(|line| -> Value {
        let line: Value = serde_json::from_str(line).unwrap();
        line["what"]["patch"].clone()
    });
    let mut told: Vec<String> = (lines.filter_map(|it| Some(it.as_str()?.to_owned()))).collect();
    let asked = dave.relay.asked().into_iter();
    let names = asked.filter(|it| it.method == "PATCH" && it.path.contains("/namespaces/"));
    let mut sent: Vec<String> = names
        .map(|it| it.path.rsplit('/').next().unwrap().to_owned())
        .collect();
    // Fences, what is given back and what was verified among them.
    assert!(sent.len() > 10, "{sent:?}");
    told.sort();
    sent.sort();
    assert_eq!(told, sent);
}

#[test]
fn p06_a_journal_tells_what_was_done_without_the_cluster_and_how_far_it_can_be_believed() {
    let mut bench = Bench::ready();
    let id = orphan(&bench);
    let file = bench.dave.journal_file(&id);
    let whole = std::fs::read_to_string(&file).unwrap();
    let changed = whole.replacen("cutover", "cut0ver", 1);
    assert_ne!(changed, whole);
    std::fs::write(&file, &changed).unwrap();
    let words = "its journal on this machine cannot be believed to its end";
    let adopted = bench.dave.run(&["op", "adopt", &id]);
    adopted.assert(0, &[words, "done: GREEN is live"]);
    assert_eq!(
        std::fs::read_to_string(&file).unwrap(),
        changed,
        "it is evidence"
    );

    bench.served.end();
    let told = bench.dave.run(&["op", "journal", &id]);
    told.assert(
        1,
        &[
            "nothing behind it is believed",
            "sent: {\"patch\":\"digital-wall-service\"",
            "done: GREEN is live",
        ],
    );
    let none = bench
        .dave
        .run(&["op", "journal", "01jabcdefghjkmnpqrstvwxyz0"]);
    none.assert(2, &["it is on the machine that its worker ran on"]);
}
