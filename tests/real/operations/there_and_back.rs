//! Blue to green and back, when nothing is in the way.

use super::Stage;
use crate::operator::{CUTOVER, ROLLBACK, SERVICES};
use serde_json::Value;

/// A Service as JSON, but for its colour, what we wrote to it, and what the API server counts.
fn foreign(stage: &Stage<'_>, service: &str) -> Value {
    let mut service = serde_json::to_value(stage.service(service)).unwrap();
    let counted = service["metadata"].as_object_mut().unwrap();
    counted.remove("resourceVersion");
    counted.remove("managedFields");
    let notes = service["metadata"]["annotations"].as_object_mut().unwrap();
    notes.retain(|key, _| !key.starts_with("wheelhouse.dev/"));
    service["spec"]["selector"]["version"] = "".into();
    service
}

#[test]
fn i_15_ports_annotations_and_all_the_rest_of_a_service_are_as_they_were_after_a_flip() {
    let stage = Stage::new("ops-untouched");
    let dave = stage.operator("dave");
    let odd = serde_json::json!({
        "metadata": {"annotations": {"team/note": "a \"b\"\n\u{00e9}  ", "empty": ""}, "labels": {"x/y": ""}},
        "spec": {"sessionAffinity": "ClientIP", "publishNotReadyAddresses": false},
    });
    stage.patch(SERVICES[0], &odd);
    let before = SERVICES.map(|it| foreign(&stage, it));
    assert!(
        before[0]["spec"]["ports"][0]["port"].is_number(),
        "{}",
        before[0]
    );
    assert_eq!(before[0]["metadata"]["annotations"]["empty"], "");

    dave.run(&CUTOVER).assert(0, &["done: GREEN is live"]);

    assert_eq!(stage.colours(), ["green", "green"]);
    assert_eq!(SERVICES.map(|it| foreign(&stage, it)), before);
}

#[test]
fn a_cutover_and_a_rollback_move_the_traffic_and_say_who_why_and_what() {
    let stage = Stage::new("ops-there-and-back");
    let dave = stage.operator("dave");
    dave.run(&["cutover", "production", "--plan"])
        .assert(0, &["blue → green", "OK       ready", "5/5", "match"]);

    let there = dave.run(&CUTOVER);

    there.assert(
        0,
        &["done: GREEN is live on digital-wall-api, digital-wall-service"],
    );
    stage.await_live("green");
    let flipped: Value = serde_json::from_str(&stage.mark(SERVICES[0], "flip").unwrap()).unwrap();
    assert_eq!(flipped["why"], "v2");
    assert!(
        flipped["by"].as_str().unwrap().starts_with("dave ("),
        "{flipped}"
    );
    assert_eq!(
        (&flipped["from"], &flipped["to"]),
        (&"blue".into(), &"green".into())
    );
    assert!(flipped["images"].to_string().contains("v2"), "{flipped}");
    let verified = stage.mark(SERVICES[1], "verified").unwrap();
    assert!(verified.contains("\"colour\":\"green\""), "{verified}");

    let back = dave.run(&ROLLBACK);

    back.assert(0, &["done: BLUE is live on"]);
    stage.await_live("blue");
    for service in SERVICES {
        let flips = stage.flips_to(service, &back.id());
        let wanted = [
            format!(
                "dave: from version=blue to version=green by operation {}",
                there.id()
            ),
            format!(
                "dave: from version=green to version=blue by operation {}",
                back.id()
            ),
        ];
        assert_eq!(flips, wanted);
        // Given back, each time with another epoch.
        let (holder, epoch) = stage.lease(service).unwrap();
        assert_eq!((holder.as_str(), epoch), ("", 3));
    }
    dave.run(&["op", "list"])
        .assert(0, &[&there.id(), &back.id()]);
}
