//! The status of a pod as the API shows it, derived from what its kubelet knows.

use super::pods::{Run, Sim, Stage, back_off_seconds, image_id, pull_error, unschedulable};
use super::random::hex_of;
use super::tree;
use serde_json::{Map, Value, json};

/// The whole status; conditions that stay as they were keep their times.
pub(super) fn status(
    sim: &Sim,
    pod: &Value,
    nodes: usize,
    now: &str,
    at: &impl Fn(i64) -> String,
) -> Value {
    let phase = match sim.stage {
        Stage::Unscheduled | Stage::Creating | Stage::Pulling | Stage::PullFailed { .. } => {
            "Pending"
        }
        Stage::Running | Stage::Exited | Stage::Crashed | Stage::Ending => "Running",
    };
    let mut status = json!({"phase": phase, "qosClass": "Burstable", "conditions": conditions(sim, pod, nodes, now)});
    let Some(bound) = sim.bound else {
        return status;
    };
    let node: u64 = sim
        .node
        .bytes()
        .fold(0, |sum, byte| (sum * 7 + u64::from(byte)) % 200);
    let host = format!("10.0.1.{}", node + 10);
    tree::set(&mut status, "/hostIP", host.clone());
    tree::set(&mut status, "/hostIPs", json!([{"ip": host}]));
    tree::set(&mut status, "/startTime", at(bound));
    if !sim.address.is_empty() {
        tree::set(&mut status, "/podIP", sim.address.clone());
        tree::set(&mut status, "/podIPs", json!([{"ip": sim.address}]));
    }
    let containers = sim
        .containers
        .iter()
        .map(|(name, image)| container(sim, name, image, at));
    tree::set(
        &mut status,
        "/containerStatuses",
        containers.collect::<Vec<_>>(),
    );
    status
}

fn conditions(sim: &Sim, pod: &Value, nodes: usize, now: &str) -> Vec<Value> {
    let names: Vec<&str> = sim
        .containers
        .iter()
        .map(|(name, _)| name.as_str())
        .collect();
    let unready = (!sim.is_ready).then(|| {
        (
            "ContainersNotReady".to_owned(),
            format!("containers with unready status: [{}]", names.join(" ")),
        )
    });
    let wanted = match sim.bound {
        None => vec![(
            "PodScheduled",
            false,
            Some(("Unschedulable".to_owned(), unschedulable(nodes))),
        )],
        Some(_) => vec![
            ("PodReadyToStartContainers", !sim.address.is_empty(), None),
            ("Initialized", true, None),
            ("Ready", sim.is_ready, unready.clone()),
            ("ContainersReady", sim.is_ready, unready),
            ("PodScheduled", true, None),
        ],
    };
    let old = tree::list(pod, "/status/conditions");
    wanted
        .into_iter()
        .map(|(name, holds, why)| condition(old, name, holds, why, now))
        .collect()
}

fn condition(
    old: &[Value],
    name: &str,
    holds: bool,
    why: Option<(String, String)>,
    now: &str,
) -> Value {
    let status = if holds { "True" } else { "False" };
    let before = old
        .iter()
        .find(|condition| condition["type"] == name && condition["status"] == status);
    let since = before.map_or(now, |condition| {
        tree::text(condition, "/lastTransitionTime")
    });
    let mut condition =
        json!({"type": name, "status": status, "lastProbeTime": null, "lastTransitionTime": since});
    if let Some((reason, message)) = why {
        tree::set(&mut condition, "/reason", reason);
        tree::set(&mut condition, "/message", message);
    }
    condition
}

fn container(sim: &Sim, name: &str, image: &str, at: &impl Fn(i64) -> String) -> Value {
    let waiting = |reason: &str, message: String| {
        let mut waiting = json!({"reason": reason});
        if !message.is_empty() {
            tree::set(&mut waiting, "/message", message);
        }
        json!({"waiting": waiting})
    };
    let state = match sim.stage {
        Stage::Unscheduled | Stage::Creating | Stage::Pulling if sim.run.is_none() => {
            waiting("ContainerCreating", String::new())
        }
        Stage::PullFailed {
            is_backing_off: false,
        } => waiting("ErrImagePull", pull_error(image)),
        Stage::PullFailed {
            is_backing_off: true,
        } => waiting(
            "ImagePullBackOff",
            format!(
                "Back-off pulling image {image:?}: ErrImagePull: {}",
                pull_error(image)
            ),
        ),
        Stage::Crashed => {
            let seconds = back_off_seconds(sim.crashes);
            let wait = if seconds < 60 {
                format!("{seconds}s")
            } else {
                format!("{}m{}s", seconds / 60, seconds % 60)
            };
            let (namespace, pod) = (&sim.key.0, &sim.key.1);
            let uid = &sim.uid;
            let message = format!(
                "back-off {wait} restarting failed container={name} pod={pod}_{namespace}({uid})"
            );
            waiting("CrashLoopBackOff", message)
        }
        Stage::Exited => sim
            .run
            .as_ref()
            .map_or(json!({}), |run| terminated(sim, name, run, at)),
        _ => sim.run.as_ref().map_or(
            json!({}),
            |run| json!({"running": {"startedAt": at(run.started)}}),
        ),
    };
    let last = match sim.stage {
        Stage::Crashed => sim.run.as_ref(),
        _ => sim.last.as_ref(),
    };
    let is_running = matches!(sim.stage, Stage::Running | Stage::Ending);
    let id = sim
        .run
        .as_ref()
        .map_or(String::new(), |run| container_id(sim, name, run));
    json!({
        "name": name, "image": image, "imageID": if sim.run.is_some() { image_id(image) } else { String::new() },
        "containerID": id, "ready": sim.is_ready, "started": is_running, "restartCount": sim.restarts,
        "state": state, "lastState": last.map_or(Value::Object(Map::new()), |run| terminated(sim, name, run, at)),
    })
}

fn terminated(sim: &Sim, name: &str, run: &Run, at: &impl Fn(i64) -> String) -> Value {
    let (reason, code) = if run.is_oom {
        ("OOMKilled", 137)
    } else {
        ("Error", 1)
    };
    json!({"terminated": {
        "exitCode": code, "reason": reason, "startedAt": at(run.started), "finishedAt": at(run.ended.unwrap_or(run.started)),
        "containerID": container_id(sim, name, run),
    }})
}

fn container_id(sim: &Sim, name: &str, run: &Run) -> String {
    format!(
        "containerd://{}",
        hex_of(&format!("{}{name}{}", sim.uid, run.number), 64)
    )
}
