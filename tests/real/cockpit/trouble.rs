//! What goes wrong on the plane is loud on the screen, and says why.

use super::{Cockpit, LONG, line_of, names_of, row_of};
use crate::plane::Plane;
use k8s_openapi::api::core::v1::Pod;
use kube::api::{Api, DeleteParams, LogParams, Patch, PatchParams};
use serde_json::json;
use std::io::Write;

/// A kubelet's word on a container that was killed for its memory for the third time.
pub fn run_out_of_memory(plane: &Plane, namespace: &str, name: &str) {
    let pods: Api<Pod> = Api::namespaced(plane.client(), namespace);
    let killed = json!({"exitCode": 137, "reason": "OOMKilled",
        "startedAt": "2026-01-01T00:00:00Z", "finishedAt": "2026-01-01T00:00:10Z"});
    let patch = json!({"status": {
        "conditions": [
            {"type": "Ready", "status": "False", "reason": "ContainersNotReady"},
            {"type": "ContainersReady", "status": "False", "reason": "ContainersNotReady"},
        ],
        "containerStatuses": [{
            "name": "backend", "image": "wall:v1", "imageID": "", "ready": false,
            "started": false, "restartCount": 3,
            "state": {"waiting": {"reason": "CrashLoopBackOff", "message": "back-off 40s"}},
            "lastState": {"terminated": killed},
        }],
    }});
    let patch = Patch::Strategic(patch);
    plane
        .run(pods.patch_status(name, &PatchParams::default(), &patch))
        .unwrap();
}

#[test]
fn a_container_out_of_memory_is_loud_in_the_list_and_told_in_the_detail() {
    let plane = Plane::shared();
    let here = "cockpit-memory";
    let cockpit = Cockpit::on_digital_wall(plane, here);
    let name = names_of(plane, here, "digital-wall-blue-backend-").remove(0);
    run_out_of_memory(plane, here, &name);
    cockpit.wait("the trouble", LONG, |text| {
        let (row, blue) = (row_of(text, &name), line_of(text, "BLUE"));
        row.contains("✗")
            && row.contains("CrashLoopBackOff")
            && row.contains("↺   3")
            && text.contains("backend OOMKilled (exit 137), 3 restarts")
            && text.contains("✗ 1 not ready")
            && blue.contains("ready 4/5")
            && blue.contains("endpoints 3+1")
    });
    let (status, code) = cockpit.status();
    assert_eq!((status["verdict"].as_str(), code), (Some("BAD"), 1));
    let told = &status["pods"]["not_ready"];
    assert_eq!(told[0]["name"], name);
    assert_eq!(told[0]["reason"], "CrashLoopBackOff");
    assert_eq!(told.as_array().unwrap().len(), 1);

    cockpit.select_pod(&name);
    cockpit.pty.send("\r");
    let title = format!("─ Pod  {name}  BLUE");
    cockpit.wait_words(&[&title, "last run: OOMKilled (exit 137)", "↺ 3", "node-"]);
}

#[test]
fn pods_that_cannot_start_say_what_they_wait_for() {
    let plane = Plane::shared();
    let here = "cockpit-fates";
    let cockpit = Cockpit::on_digital_wall(plane, here);
    for fate in ["unready", "crash-loop", "image-missing"] {
        plane.apply_yaml(
            here,
            &format!(
                "apiVersion: v1\nkind: Pod\nmetadata:\n  name: fate-{fate}\n\
                 \x20 annotations: {{wheelhouse.test/fate: {fate}}}\n  labels: {{app.kubernetes.io/part-of: \
                 digital-wall, part: backend, version: green}}\n\
                 spec: {{containers: [{{name: main, image: 'registry:5000/wall:v1'}}]}}\n"
            ),
        );
    }
    for (fate, words) in [
        ("crash-loop", ["CrashLoopBackOff", "main Error (exit 1)"]),
        (
            "image-missing",
            ["ImagePullBackOff", "registry:5000/wall:v1"],
        ),
        ("unready", ["starting", "main is not ready yet"]),
    ] {
        cockpit.wait(fate, LONG, |text| {
            row_of(text, &format!("fate-{fate}")).contains(words[0]) && text.contains(words[1])
        });
    }
    // The live colour is well: what is idle does not make production BAD.
    let (status, code) = cockpit.status();
    assert_eq!((status["verdict"].as_str(), code), (Some("OK"), 0));
}

#[test]
fn a_deleted_pod_leaves_the_screen_and_its_successor_comes() {
    let plane = Plane::shared();
    let here = "cockpit-deleted";
    let cockpit = Cockpit::on_digital_wall(plane, here);
    let start = "digital-wall-green-frontend-";
    let before = names_of(plane, here, start);
    let gone = &before[0];
    let pods: Api<Pod> = Api::namespaced(plane.client(), here);
    plane.run(async { pods.delete(gone, &DeleteParams::default()).await.unwrap() });
    plane.until("the successor", || async {
        let names: Vec<_> = pods.list(&Default::default()).await.ok()?.items;
        let names = names.into_iter().filter_map(|pod| pod.metadata.name);
        let names: Vec<_> = names.filter(|name| name.starts_with(start)).collect();
        (names.len() == 3 && !names.contains(gone)).then_some(())
    });
    let after = names_of(plane, here, start);
    cockpit.wait("the successor on the screen", LONG, |text| {
        let is_there = |name: &String| row_of(text, name).contains("✓");
        row_of(text, gone).is_empty() && after.iter().all(is_there) && text.contains("10 pods")
    });
    cockpit.wait_whole();
}

#[test]
fn the_log_of_a_pod_is_read_and_followed() {
    let plane = Plane::shared();
    let here = "cockpit-log";
    let cockpit = Cockpit::on_digital_wall(plane, here);
    let name = names_of(plane, here, "digital-wall-blue-frontend-").remove(0);
    plane.pod_says(here, &name, &["one line", "only this pod says this"]);
    cockpit.select_pod(&name);
    // kwok takes a moment to learn of the words, and follows what it knew when it was asked.
    let pods: Api<Pod> = Api::namespaced(plane.client(), here);
    plane.until("the words", || async {
        let said = pods.logs(&name, &LogParams::default()).await.ok()?;
        said.contains("only this pod says this").then_some(())
    });
    cockpit.pty.send("o");
    let title = format!("─ Log  {name}");
    cockpit.wait_words(&[&title, "only this pod says this", "following"]);
    let said = plane.folder().join("said").join(format!("{here}.{name}"));
    let mut said = std::fs::File::options().append(true).open(said).unwrap();
    let now = jiff::Timestamp::now();
    writeln!(said, "{now} stdout F and this came later").unwrap();
    cockpit.wait_words(&["only this pod says this", "and this came later"]);
}
