//! What is asked when a soak is over: an answer that is wrong brings traffic back, no answer moves nothing.

use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::sync::Arc;
use std::sync::atomic::{AtomicU16, Ordering::SeqCst};
use std::thread;

use crate::Bench;
use crate::operator::{CUTOVER, wait};

/// A site on loopback that answers with a status and its colour.
struct Site {
    port: u16,
    status: Arc<AtomicU16>,
}

impl Site {
    fn on(listener: TcpListener) -> Self {
        let port = listener.local_addr().unwrap().port();
        let status = Arc::new(AtomicU16::new(200));
        let says = status.clone();
        thread::spawn(move || {
            for mut stream in listener.incoming().flatten() {
                let _ = stream.read(&mut [0; 4_096]);
                let (status, body) = (says.load(SeqCst), "green is here \u{1b}[31m");
                let length = body.len();
                let reply = format!(
                    "HTTP/1.1 {status} X\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{body}"
                );
                let _ = stream.write_all(reply.as_bytes());
            }
        });
        Self { port, status }
    }

    fn start() -> Self {
        Self::on(TcpListener::bind("127.0.0.1:0").unwrap())
    }
}

fn verifying(port: u16, more: &str) -> Bench {
    let bench = Bench::ready();
    let table = format!(
        "[[environment.verify]]\nurl = \"http://127.0.0.1:{port}/{{colour}}\"\ncontains = [\"{{colour}}\"]\n{more}[operations]\n"
    );
    bench.dave.edit("[operations]\n", &table);
    bench
}

#[test]
fn a_cutover_is_verified_when_its_soak_is_over() {
    let site = Site::start();
    let bench = verifying(site.port, "");
    let asks = format!(
        "GET http://127.0.0.1:{}/{{colour}} once, 200 within 2000 ms",
        site.port
    );
    bench
        .dave
        .run(&["cutover", "production", "--plan"])
        .assert(0, &["NOTE     verify", &asks]);
    bench
        .dave
        .run(&CUTOVER)
        .assert(0, &["verified by 1 question", "done: GREEN is live"]);
}

#[test]
fn an_address_whose_answer_has_no_end_is_judged_by_its_beginning() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            let _ = stream.read(&mut [0; 4_096]);
            let mut said: Vec<u8> = b"HTTP/1.1 200 X\r\nConnection: close\r\n\r\ngreen".into();
            while stream.write_all(&said).is_ok() {
                said = vec![b'x'; 1 << 16];
            }
        }
    });
    let bench = verifying(port, "");
    bench
        .dave
        .run(&CUTOVER)
        .assert(0, &["verified by 1 question", "done: GREEN is live"]);
}

#[test]
fn an_answer_that_is_wrong_at_the_end_of_the_soak_brings_traffic_back() {
    let site = Site::start();
    site.status.store(503, SeqCst);
    let bench = verifying(site.port, "");
    bench.dave.run(&CUTOVER).assert(
        8,
        &[
            "watch FAILED: GET http://127.0.0.1:",
            "503 in place of 200: green is here",
        ],
    );
    assert_eq!(bench.colours(), ["blue", "blue"]);
    site.status.store(200, SeqCst);
    let purple = "contains = [\"purple\"]";
    bench.dave.edit("contains = [\"{colour}\"]", purple);
    bench
        .dave
        .run(&CUTOVER)
        .assert(8, &["purple is not in its answer"]);
}

#[test]
fn i_34_with_hold_an_answer_that_is_wrong_calls_a_person_and_traffic_stays() {
    let site = Site::start();
    site.status.store(503, SeqCst);
    let bench = verifying(site.port, "");
    let gates = "[environment.gates]\non_failure = \"hold\"\n[environment.traffic]\n";
    bench.dave.edit("[environment.traffic]\n", gates);
    let cutover = bench.dave.start(&CUTOVER);
    let id = bench.await_said("PAUSED: HELD: GET http://127.0.0.1:");
    assert_eq!(bench.colours(), ["green", "green"]);
    bench
        .dave
        .run(&["op", "abort", &id, "--reason", "seen"])
        .assert(0, &[]);
    cutover.end().assert(8, &["rolled back"]);
}

#[test]
fn no_answer_at_the_end_of_the_soak_holds_and_moves_nothing_until_there_is_one() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    drop(listener);
    let bench = verifying(port, "");
    let cutover = bench.dave.start(&CUTOVER);
    bench.await_said("PAUSED: UNKNOWN");
    assert_eq!(bench.colours(), ["green", "green"]);
    let _site = Site::on(TcpListener::bind(("127.0.0.1", port)).unwrap());
    cutover.end().assert(
        0,
        &["goes on", "verified by 1 question", "done: GREEN is live"],
    );
    assert_eq!(bench.colours(), ["green", "green"]);
}

#[test]
fn rule_6_a_program_that_says_nothing_at_the_end_of_the_soak_holds_and_moves_nothing() {
    // One that cannot be started, one that is killed for its time, and one that somebody kills.
    for (command, why) in [
        ("command = [\"/nowhere/verify\"]", "/nowhere/verify"),
        (
            "command = [\"sh\", \"-c\", \"echo so far; sleep 60\"]\ntimeout = 1",
            "not within 1 s: it was killed",
        ),
        (
            "command = [\"sh\", \"-c\", \"kill -9 $$\"]",
            "it ended with signal: 9",
        ),
    ] {
        let bench = Bench::ready();
        // Behind one that has something to say.
        let well = "[[environment.verify]]\ncommand = [\"true\"]\n";
        let table = format!("{well}[[environment.verify]]\n{command}\n[operations]\n");
        bench.dave.edit("[operations]\n", &table);
        let cutover = bench.dave.start(&CUTOVER);
        let id = bench.await_said("PAUSED: UNKNOWN");
        let story = bench.dave.story(&id);
        assert!(story.contains(why), "{why} in {story}");
        // It is asked again every few seconds, and what it says is told once.
        std::thread::park_timeout(std::time::Duration::from_secs(8));
        let entries = bench.dave.entries(&id).len();
        std::thread::park_timeout(std::time::Duration::from_secs(7));
        assert_eq!(bench.dave.entries(&id).len(), entries);
        assert_eq!(bench.colours(), ["green", "green"]);
        bench
            .dave
            .run(&["op", "abort", &id, "--reason", "seen"])
            .assert(0, &[]);
        cutover.end().assert(8, &["rolled back"]);
    }
    // One that says no has said something.
    let bench = Bench::ready();
    let table = "[[environment.verify]]\ncommand = [\"sh\", \"-c\", \"exit 1\"]\n[operations]\n";
    bench.dave.edit("[operations]\n", table);
    bench
        .dave
        .run(&CUTOVER)
        .assert(8, &["watch FAILED: sh: it ended with exit status: 1"]);
}

#[test]
fn i_28_what_was_verified_while_pods_changed_is_verified_again() {
    let bench = Bench::ready();
    let (began, go) = (
        bench.dave.home.path().join("began"),
        bench.dave.home.path().join("go"),
    );
    let script = format!(
        "touch {}; while [ ! -e {} ]; do sleep 0.1; done",
        began.display(),
        go.display()
    );
    let table =
        format!("[[environment.verify]]\ncommand = [\"sh\", \"-c\", {script:?}]\n[operations]\n");
    bench.dave.edit("[operations]\n", &table);
    let cutover = bench.dave.start(&CUTOVER);
    wait("the program", || began.exists().then_some(()));
    bench
        .served
        .act(r#"{"do": "delete-pod", "deployment": "digital-wall-green-backend", "count": 1}"#);
    std::fs::write(&go, "").unwrap();
    bench.await_said("PAUSED: UNKNOWN");
    cutover.end().assert(
        0,
        &[
            "the pods changed while it was verified",
            "verified by 1 question",
            "done",
        ],
    );
}

#[test]
fn a_smoke_test_may_ask_an_address_of_a_preview() {
    let site = Site::start();
    let bench = Bench::ready();
    let table = format!(
        "[[environment.smoke]]\nurl = \"http://127.0.0.1:{}/\"\ncontains = [\"{{colour}}\"]\n[operations]\n",
        site.port
    );
    bench.dave.edit("[operations]\n", &table);
    let smoke = ["smoke", "production", "--yes"];
    bench.dave.run(&smoke).assert(
        0,
        &["1 address answered", "done: GREEN passed its smoke test"],
    );
    site.status.store(404, SeqCst);
    bench.dave.run(&smoke).assert(
        1,
        &["smoke FAILED: GET http://127.0.0.1:", "404 in place of 200"],
    );
}
