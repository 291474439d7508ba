//! How soon a confirmed rollback is at the API server, and how soon the endpoints are the other colour's,
//! side by side with a bare `kubectl patch`. The limits hold for a release build (BUDGETS_BIN); a debug build
//! on a busy machine only says its figures. And how much memory a worker takes for it all.

use super::Stage;
use super::release::{RELEASE, tested};
use crate::cockpit::{LONG, SIZE, line_of};
use crate::estate::{Home, is_measured, program};
use crate::fleet;
use crate::operator::{CUTOVER, Operator, SERVICES, wait};
use crate::plane::audit::Audited;
use crate::pty::{Pty, text_of};
use crate::relay::{Asked, Fate};
use crate::shipped::{OPERATORS, RECORDS};
use jiff::Timestamp;
use serde_json::{Value, json};
use std::io::{BufRead as _, BufReader, Lines, Write as _};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

const TIMES: usize = 5;
/// How long a prompt takes no keys after it appeared.
const DEAF: Duration = Duration::from_millis(400);

/// What one way took: to the API server, and to the endpoints.
#[derive(Default)]
struct Took {
    patch: Vec<Duration>,
    moved: Vec<Duration>,
}

/// A worker that is connected and waits for the confirmation of a rollback to BLUE, as behind the cockpit's dialog.
struct Waiting {
    worker: Child,
    told: ChildStdin,
    said: Lines<BufReader<ChildStdout>>,
    hash: Value,
}

impl Waiting {
    fn new(stage: &Stage<'_>, home: &Home, kubeconfig: &Path) -> Self {
        let mut worker = home
            .command(&["worker"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let (mut told, said) = (worker.stdin.take().unwrap(), worker.stdout.take().unwrap());
        let mut said = BufReader::new(said).lines();
        writeln!(told, "{}", job(stage, kubeconfig)).unwrap();
        assert_eq!(said.next().unwrap().unwrap(), "\"up\"");
        let ready: Value = serde_json::from_str(&said.next().unwrap().unwrap()).unwrap();
        let hash = ready["ready"]["hash"].clone();
        assert!(hash.is_string(), "{ready}");
        // Nobody can confirm sooner, and the worker gets its connections meanwhile.
        std::thread::sleep(DEAF);
        Self {
            worker,
            told,
            said,
            hash,
        }
    }

    fn go(&mut self) {
        let go = json!({"go": {"hash": self.hash, "reason": null}});
        writeln!(self.told, "{go}").unwrap();
    }

    fn end(mut self) {
        let confirmed: Value = serde_json::from_str(&self.said.next().unwrap().unwrap()).unwrap();
        assert!(confirmed["began"].is_string(), "{confirmed}");
        self.worker.wait().unwrap();
    }
}

fn rollback(stage: &Stage<'_>, home: &Home, took: &mut Took) {
    let mut waiting = Waiting::new(stage, home, &stage.plane.identity("dave", OPERATORS));
    let (began, at) = (Instant::now(), Timestamp::now());
    waiting.go();
    await_moved(stage, began, took);
    let patch = first_flip(stage, at, "dave");
    took.patch
        .push(patch.received.duration_since(at).unsigned_abs());
    waiting.end();
}

fn job(stage: &Stage<'_>, kubeconfig: &Path) -> Value {
    let seconds = |n: u64| json!({"secs": n, "nanos": 0});
    json!({
        "place": {
            "kubeconfig": kubeconfig,
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
        kubectl.stdout(Stdio::null()).stderr(Stdio::null());
        let done = kubectl.status().unwrap_or_else(|e| {
            panic!(
                "kubectl cannot be run ({e}); install it: https://kubernetes.io/docs/tasks/tools"
            )
        });
        assert!(done.success(), "kubectl: {done}");
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
        !is_measured() || patch < Duration::from_millis(100),
        "{patch:?}"
    );
    assert!(
        !is_measured() || moved.as_secs_f64() <= 1.2 * bare.as_secs_f64(),
        "{moved:?} against {bare:?}"
    );
}

/// A cockpit of an operator's, which goes to the API server itself, without the relay.
fn cockpit(stage: &Stage<'_>, who: &Operator) -> Pty {
    let kubeconfig = stage.plane.identity("dave", OPERATORS);
    std::fs::copy(kubeconfig, who.home.path().join("kubeconfig")).unwrap();
    let config = who.home.path().join("config.toml");
    let (name, value) = who.home.env();
    let args = ["--config", config.to_str().unwrap()];
    Pty::spawn(&program(), &args, &[(name, &value)], SIZE)
}

fn await_screen(pty: &Pty, what: &str, is_so: impl Fn(&str) -> bool) {
    pty.wait_for(what, LONG, |screen, _| is_so(&text_of(screen)));
}

/// Rolls back to BLUE by keys; how long the first patch took from the last of them.
fn rollback_by_keys(stage: &Stage<'_>, pty: &Pty) -> Duration {
    await_screen(pty, "GREEN live", |text| {
        line_of(text, "GREEN").contains("LIVE")
    });
    pty.send("R");
    await_screen(pty, "the prompt", |text| {
        let is_asking = text.contains("type  ") && !text.contains("then type  ");
        is_asking && text.contains("ROLL BACK production to BLUE")
    });
    pty.send("rollback");
    await_screen(pty, "the word", |text| text.contains(": rollback_"));
    let at = Timestamp::now();
    pty.send("\r");
    stage.await_live("blue");
    let patch = first_flip(stage, at, "dave");
    await_screen(pty, "its end", |text| text.contains("✓ done: BLUE is live"));
    patch.received.duration_since(at).unsigned_abs()
}

#[test]
fn from_the_last_key_of_a_rollback_to_the_api_server_is_less_than_a_tenth_of_a_second() {
    let stage = Stage::new("ops-speed-keys");
    let (dave, watching) = (stage.operator("dave"), stage.operator("dave"));
    let pty = cockpit(&stage, &watching);
    let mut took = Vec::new();
    for _ in 0..TIMES {
        wait("nobody at it", || {
            (dave.run(&CUTOVER).code == 0).then_some(())
        });
        stage.await_live("green");
        took.push(rollback_by_keys(&stage, &pty));
    }
    println!("from the last key to the API server: {took:.1?}");
    let middle = median(took);
    assert!(
        !is_measured() || middle < Duration::from_millis(100),
        "{middle:?}"
    );
}

#[test]
fn a_rollback_is_two_round_trips_all_that_it_asks_at_once_and_then_the_patch() {
    let stage = Stage::new("ops-trips");
    let dave = stage.operator("dave");
    dave.run(&CUTOVER).assert(0, &["done"]);
    let mut waiting = Waiting::new(&stage, &dave.home, &dave.home.path().join("kubeconfig"));
    let is_watch =
        |it: &Asked| it.query.contains("watch=") || it.query.contains("sendInitialEvents");
    // Behind its word the worker opens its eyes, and the connections that it will need.
    wait("the worker to be quiet", || {
        let all = dave.relay.asked();
        let seen = all.iter().filter(|it| is_watch(it) && it.status != 0);
        let is_asking = all.iter().any(|it| !is_watch(it) && it.status == 0);
        (seen.count() >= 7 && !is_asking).then_some(())
    });
    let known = dave.relay.asked().len();
    let trap = dave
        .relay
        .ever_after(Fate::HeldAfter, move |it| !is_watch(it));
    let asked = || {
        let all = dave.relay.asked().into_iter().skip(known);
        all.filter(|it| !is_watch(it)).collect::<Vec<_>>()
    };
    waiting.go();
    // Nothing is answered yet: both Leases and both Services, the pods, the list of Leases, the record.
    wait("the first round trip", || {
        (asked().len() == 7).then_some(())
    });
    trap.let_go();
    stage.await_live("blue");
    waiting.end();
    let all = asked();
    let order: Vec<String> = all
        .iter()
        .map(|it| format!("{} {}", it.method, it.path))
        .collect();
    let flip = all.iter().position(Asked::is_flip).unwrap();
    assert_eq!(flip, 7, "{order:#?}");
}

/// The most that a worker may ever have held in memory, in KiB.
const MEMORY_KIB: u64 = 40 << 10;

/// The most that a process held in memory so far, in KiB.
fn peak_kib(pid: rustix::process::Pid) -> u64 {
    let status = format!("/proc/{}/status", pid.as_raw_nonzero());
    let status = std::fs::read_to_string(status).unwrap();
    let line = status.lines().find_map(|it| it.strip_prefix("VmHWM:"));
    let kib = line.unwrap().trim().trim_end_matches(" kB");
    kib.parse().unwrap()
}

#[test]
fn a_worker_holds_little_memory_through_a_whole_release() {
    let stage = Stage::new("ops-memory-release");
    let dave = stage.operator("dave");
    tested(&dave);
    holds_little(&dave, &RELEASE);
}

#[test]
fn a_worker_holds_little_memory_through_a_whole_cutover() {
    let stage = Stage::new("ops-memory");
    holds_little(&stage.operator("dave"), &CUTOVER);
}

fn holds_little(dave: &Operator, args: &[&str]) {
    let what = args[0];
    let trap = (dave.relay).trap(Fate::HeldBefore, 1, |it| it.records("\"closed\""));
    let id = dave.detach(args);
    trap.wait(&format!("the end of the {what}"));
    // Everything is behind it: its watches, its patches, its soak.
    let peak = peak_kib(wait("the worker", || dave.worker()));
    trap.let_go();
    dave.await_no_worker();
    let story = dave.story(&id);
    assert!(story.contains("done: GREEN is live"), "{story}");
    println!("a worker's most, through a {what}: {peak} KiB");
    assert!(!is_measured() || peak < MEMORY_KIB, "{peak} KiB");
}
