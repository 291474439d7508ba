//! A rollout of the plane's own Deployment controller, stuck half-way and then through.

use super::{Cockpit, LONG, line_of};
use crate::fleet;
use crate::plane::Plane;
use k8s_openapi::api::apps::v1::Deployment;
use kube::api::{Api, Patch, PatchParams};
use serde_json::json;

const NAME: &str = "digital-wall-green-backend";

/// Rolls the Deployment to an image; with a fate, its new pods never become ready.
fn roll(plane: &Plane, namespace: &str, tag: &str, fate: Option<&str>) -> Deployment {
    let deployments: Api<Deployment> = Api::namespaced(plane.client(), namespace);
    let image = format!("ghcr.io/example/digitalwall-backend:{tag}");
    let patch = Patch::Strategic(json!({"spec": {"template": {
        "metadata": {"annotations": {"wheelhouse.test/fate": fate}},
        "spec": {"containers": [{"name": "backend", "image": image}]},
    }}}));
    plane
        .run(deployments.patch(NAME, &PatchParams::default(), &patch))
        .unwrap()
}

#[test]
fn a_rollout_is_followed_by_generation_while_it_is_stuck_and_to_its_end() {
    let plane = Plane::shared();
    let here = "cockpit-rollout";
    let cockpit = Cockpit::on_digital_wall(plane, here);

    let stuck = roll(plane, here, "v3", Some("unready"))
        .metadata
        .generation
        .unwrap();
    cockpit.wait("a colour that rolls", LONG, |text| {
        let green = line_of(text, "GREEN");
        green.contains("rolls to v3 0/2")
            && green.contains("ready 5/5")
            && text.contains("rolling 1/2")
    });
    cockpit.pty.send(format!("/{NAME}\r"));
    cockpit.wait_words(&["3/11 pods"]);
    cockpit.pty.send("\x1b");
    // Onto the Deployment: the second workload, the second colour.
    cockpit.wait("the filter's end", LONG, |text| !text.contains("3/11 pods"));
    cockpit.pty.send("2gjl\r");
    let title = format!("─ Deployment  {NAME}");
    let wanted = format!("{stuck} wanted, {stuck} observed");
    cockpit.wait_words(&[
        &title,
        &wanted,
        "updated 1/2",
        "2 wanted · 3 there · 1 updated",
    ]);
    cockpit.wait_words(&["●   2  v3", "○   1  v2", "is not ready yet"]);

    let freed = roll(plane, here, "v4", None).metadata.generation.unwrap();
    assert!(freed > stuck);
    fleet::wait_available(plane, here);
    let wanted = format!("{freed} wanted, {freed} observed");
    cockpit.wait_words(&[
        &wanted,
        "✓ rolled out",
        "●   3  v4",
        "2 wanted · 2 there · 2 updated",
    ]);
    cockpit.wait("one version again", LONG, |text| {
        let green = line_of(text, "GREEN");
        green.contains("ready 5/5") && !green.contains("rolls to") && green.contains("v4")
    });
}
