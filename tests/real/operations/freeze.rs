//! A freeze by somebody else, as the shipped Role of release managers allows it and under the admission policy.

use super::Stage;
use crate::operator::{CUTOVER, Operator, QUICK, ROLLBACK};
use crate::relay::{Asked, Fate};
use crate::shipped::{MANAGERS, RECORDS};
use k8s_openapi::api::core::v1::ConfigMap;
use kube::api::{Api, Patch, PatchParams};
use serde_json::{Value, json};

const FREEZE: [&str; 8] = [
    "freeze",
    "production",
    "--write",
    "--yes",
    "--for",
    "2h",
    "--reason",
    "Black Friday",
];
const THAW: [&str; 6] = ["thaw", "production", "--write", "--yes", "--reason", "over"];

impl Stage<'_> {
    /// Somebody who may freeze and thaw, and nothing else.
    pub(super) fn manager(&self, name: &str) -> Operator {
        let kubeconfig = self.plane.identity(name, MANAGERS);
        Operator::new(&kubeconfig, self.namespace, RECORDS, QUICK)
    }
}

#[test]
fn i_44_a_freeze_by_another_in_mid_release_stops_a_headless_cutover_and_not_a_rollback() {
    let stage = Stage::new("ops-freeze");
    let (dave, mona) = (stage.operator("dave"), stage.manager("mona"));
    let trap = dave.relay.trap(Fate::HeldBefore, 1, |it| {
        it.records("\"began\":{\"step\":{\"flip\"")
    });
    let running = dave.start(&CUTOVER);
    trap.wait("the intent of the flip");
    mona.run(&FREEZE).assert(
        0,
        &["production is frozen by mona", "Black Friday; read back"],
    );
    trap.let_go();
    running.end().assert(
        1,
        &[
            "flip digital-wall-service FAILED: freeze: frozen by mona",
            "Black Friday",
        ],
    );
    assert_eq!(dave.relay.count(Asked::is_flip), 0);
    assert_eq!(stage.colours(), ["blue", "blue"]);
    dave.run(&CUTOVER)
        .assert(5, &["refused: freeze: frozen by mona"]);
    // Whoever may operate may not freeze: it is another Role.
    dave.run(&THAW).assert(1, &["forbidden"]);
    mona.run(&THAW).assert(0, &["production is thawed"]);

    dave.run(&CUTOVER).assert(0, &["done: GREEN is live"]);
    mona.run(&FREEZE)
        .assert(0, &["production is frozen by mona"]);
    dave.run(&ROLLBACK).assert(0, &["done: BLUE is live"]);
    stage.await_live("blue");
    mona.run(&THAW).assert(0, &["production is thawed"]);
}

#[test]
fn a_freeze_under_somebody_elses_name_is_denied_and_so_is_a_thaw_of_nobodys() {
    let stage = Stage::new("ops-freeze-names");
    let mona = stage.manager("nina");
    mona.run(&FREEZE)
        .assert(0, &["production is frozen by nina"]);
    let client = stage.plane.run(stage.plane.client_for("nina"));
    let maps: Api<ConfigMap> = Api::namespaced(client, RECORDS);
    let patch = |data: Value| {
        let patch = Patch::Merge(json!({ "data": data }));
        let params = PatchParams::default();
        let sent = stage
            .plane
            .run(maps.patch("wheelhouse-policy", &params, &patch));
        match sent {
            Ok(_) => String::new(),
            Err(kube::Error::Api(why)) => why.message.clone(),
            Err(other) => panic!("{other}"),
        }
    };
    let key = "freeze.ops-freeze-names";
    let theirs = json!({"who": "dave", "why": "says \"who\":\"nina\""}).to_string();
    assert!(patch(json!({ key: theirs })).contains("\"who\" must be nina"));
    assert!(patch(json!({ key: null })).contains("use wheelhouse thaw"));
    mona.run(&THAW).assert(0, &["production is thawed"]);
}
