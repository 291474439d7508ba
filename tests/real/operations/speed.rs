//! How soon a confirmed rollback is at the API server, and how soon the endpoints are the other colour's,
//! side by side with a bare `kubectl patch`. The limits hold for a release build (BUDGETS_BIN); a debug build
//! on a busy machine only says its figures.

use super::Stage;
use crate::estate::Home;
use crate::fleet;
use crate::operator::{CUTOVER, SERVICES, wait};
use crate::plane::audit::Audited;
use crate::shipped::{OPERATORS, RECORDS};
use jiff::Timestamp;
use serde_json::{Value, json};
use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

const TIMES: usize = 5;

/// What one way took: to the API server, and to the endpoints.
#[derive(Default)]
struct Took {
    patch: Vec<Duration>,
    moved: Vec<Duration>,
}

/// A rollback to BLUE by a worker that is connected and waits, as behind the cockpit's dialog.
fn rollback(stage: &Stage<'_>, home: &Home, took: &mut Took) {
    let mut worker = home.command(&["worker"]);
    let mut worker = worker
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let (mut told, said) = (worker.stdin.take().unwrap(), worker.stdout.take().unwrap());
    let mut said = BufReader::new(said).lines();
    writeln!(told, "{}", job(stage)).unwrap();
    let ready: Value = serde_json::from_str(&said.next().unwrap().unwrap()).unwrap();
    let hash = &ready["ready"]["hash"];
    assert!(hash.is_string(), "{ready}");
    let (began, at) = (Instant::now(), Timestamp::now());
    writeln!(told, "{}", json!({"go": {"hash": hash, "reason": null}})).unwrap();
    let confirmed: Value = serde_json::from_str(&said.next().unwrap().unwrap()).unwrap();
    assert!(confirmed["began"].is_string(), "{confirmed}");
    await_moved(stage, began, took);
    let patch = first_flip(stage, at, "dave");
    took.patch
        .push(patch.received.duration_since(at).unsigned_abs());
    // Two round trips: between the word and the first patch nothing was answered before another was asked.
    let asked = stage.plane.audited_of("dave").into_iter();
    let between: Vec<Audited> = asked
        .filter(|it| it.received >= at && it.received < patch.received)
        .filter(|it| it.line["verb"] != "watch" && it.line["objectRef"]["resource"].is_string())
        .collect();
    let last_asked = between.iter().map(|it| it.received).max().unwrap();
    let first_answered = between.iter().map(|it| it.answered).min().unwrap();
    assert!(
        last_asked <= first_answered || !is_release(),
        "one round trip before the patch: {between:#?}"
    );
    worker.wait().unwrap();
}

fn job(stage: &Stage<'_>) -> Value {
    let seconds = |n: u64| json!({"secs": n, "nanos": 0});
    json!({
        "place": {
            "kubeconfig": stage.plane.identity("dave", OPERATORS),
            "context": null,
            "records": RECORDS,
            "selector": fleet::PART_OF,
            "scope": {
                "name": "production",
                "tier": "production",
                "context": "",
                "namespace": stage.namespace,
                "traffic": {"key": "version", "colours": ["blue", "green"], "services": SERVICES},
                "workloads": [
                    {"name": "frontend", "labels": [["part", "frontend"]], "deployments": []},
                    {"name": "backend", "labels": [["part", "backend"]], "deployments": []},
                ],
            },
            "timing": {
                "lease": seconds(60), "renew": seconds(10), "give_up": seconds(40), "answer": seconds(10),
                "moved": seconds(60), "watch": seconds(2), "patience": seconds(5), "pause": seconds(1),
                "jitter": true,
            },
            "journals": null,
        },
        "wanted": {"start": {"kind": "rollback", "to": "blue", "reason": null, "seize": false}},
    })
}

/// The same by hand, for each Service.
fn kubectl(stage: &Stage<'_>, took: &mut Took) {
    let (began, at) = (Instant::now(), Timestamp::now());
    for service in SERVICES.iter().rev() {
        let mut kubectl = Command::new("kubectl");
        kubectl.env("KUBECONFIG", stage.plane.kubeconfig_for("erin"));
        kubectl.args([
            "--namespace",
            stage.namespace,
            "patch",
            "service",
            service,
            "--patch",
        ]);
        kubectl.arg(r#"{"spec":{"selector":{"version":"blue"}}}"#);
        assert!(
            kubectl
                .stdout(Stdio::null())
                .stderr(Stdio::null())
                .status()
                .unwrap()
                .success()
        );
    }
    await_moved(stage, began, took);
    let patch = first_flip(stage, at, "erin");
    took.patch
        .push(patch.received.duration_since(at).unsigned_abs());
}

fn await_moved(stage: &Stage<'_>, began: Instant, took: &mut Took) {
    stage.await_live("blue");
    took.moved.push(began.elapsed());
}

fn first_flip(stage: &Stage<'_>, since: Timestamp, by: &str) -> Audited {
    let which = ("patch", "services", stage.namespace);
    stage.plane.await_audited(which, |it| {
        let is_flip = it.annotation("flips.wheelhouse.dev/flip").is_some();
        is_flip && it.user == by && it.received >= since
    })
}

fn is_release() -> bool {
    !cfg!(debug_assertions) || std::env::var_os("BUDGETS_BIN").is_some()
}

fn median(mut times: Vec<Duration>) -> Duration {
    times.sort();
    times[times.len() / 2]
}

#[test]
fn a_confirmed_rollback_is_at_the_api_server_at_once_and_moves_as_fast_as_kubectl() {
    let stage = Stage::new("ops-speed");
    let (dave, home) = (stage.operator("dave"), Home::new());
    stage.plane.identity("erin", OPERATORS);
    let (mut ours, mut bare) = (Took::default(), Took::default());
    let forth = || {
        wait("nobody at it", || {
            let to_green = [&CUTOVER[..], &["--to", "green"]].concat();
            (dave.run(&to_green).code == 0).then_some(())
        });
        stage.await_live("green");
    };
    for _ in 0..TIMES {
        forth();
        rollback(&stage, &home, &mut ours);
        forth();
        kubectl(&stage, &mut bare);
    }
    println!(
        "rollback at the API server: {:.1?}; kubectl: {:.1?}",
        ours.patch, bare.patch
    );
    println!(
        "endpoints moved: {:.1?}; after kubectl: {:.1?}",
        ours.moved, bare.moved
    );
    let [patch, moved, bare] = [ours.patch, ours.moved, bare.moved].map(median);
    println!("medians: patch {patch:.1?}, moved {moved:.1?} against {bare:.1?}");
    assert!(
        !is_release() || patch < Duration::from_millis(100),
        "{patch:?}"
    );
    assert!(
        !is_release() || moved.as_secs_f64() <= 1.2 * bare.as_secs_f64(),
        "{moved:?} against {bare:?}"
    );
}
