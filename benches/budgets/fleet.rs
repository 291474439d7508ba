//! Thousands of pods on the screen, against a raw list of the same pods from the same estate.

use std::{
    io::{Read, Write},
    net::TcpStream,
    process::Command,
    time::{Duration, Instant},
};

use crate::{
    cockpit,
    estate::Served,
    figure::{Report, median, millis},
};

/// Alternations of the two.
const ROUNDS: usize = 7;

pub fn measure(report: &mut Report, pods: usize) {
    let estate = Served::start(&["--pods", &pods.to_string()]);
    let path = "/api/v1/namespaces/production/pods?labelSelector=app.kubernetes.io%2Fpart-of%3Ddigital-wall";
    let count = count(&estate, path);
    let (mut raw, mut first, mut screen) = (vec![], vec![], vec![]);
    let (mut live, mut memory) = (vec![], vec![]);
    for _ in 0..ROUNDS {
        raw.push(list(&estate, path));
        let started = Instant::now();
        let pty = cockpit::start(&estate.home, &estate.config);
        cockpit::wait_rows(&pty);
        first.push(started.elapsed());
        cockpit::wait_pods(&pty, count);
        screen.push(started.elapsed());
        cockpit::wait_live(&pty);
        live.push(started.elapsed());
        memory.push(pty.process().resident());
        cockpit::quit(pty);
    }
    let (raw, screen) = (median(&raw), median(&screen));
    report.note(
        &format!("raw list of {count} pods, median of {ROUNDS}"),
        millis(raw),
        "ms",
    );
    report.note(
        &format!("first rows of {count} pods, median of {ROUNDS}"),
        millis(median(&first)),
        "ms",
    );
    report.note(
        &format!("{count} pods on the screen, median of {ROUNDS}"),
        millis(screen),
        "ms",
    );
    report.note(
        &format!("every feed of {count} pods live, median of {ROUNDS}"),
        millis(median(&live)),
        "ms",
    );
    // Told, not limited: this estate has its answers ready as bytes, five times as fast as a real API
    // server. The limit of 1.3 holds there: tests/real/cockpit/load.rs.
    let ratio = screen.as_secs_f64() / raw.as_secs_f64();
    report.note(
        &format!("{count} pods on the screen, to the raw list of this estate"),
        ratio,
        "times",
    );
    let most = memory.into_iter().max().unwrap_or(0) as f64 / f64::from(1 << 20);
    report.limit(
        &format!("resident with {count} pods, at most"),
        most,
        100.0,
        "MiB",
    );
}

/// The operator's token, as the kubeconfig has it.
fn token(estate: &Served) -> String {
    let file = estate.config.with_file_name("kubeconfig.yaml");
    let text = std::fs::read_to_string(file).expect("a kubeconfig");
    let line = text.lines().find_map(|l| l.trim().strip_prefix("token:"));
    line.expect("a token").trim().to_owned()
}

/// How many pods the list has.
fn count(estate: &Served, path: &str) -> usize {
    let answer = get(estate, path);
    let at = answer
        .windows(4)
        .position(|w| w == b"\r\n\r\n")
        .expect("a body")
        + 4;
    let list: serde_json::Value = serde_json::from_slice(&answer[at..]).expect("a list");
    list["items"].as_array().expect("items").len()
}

/// How long curl takes for it, or a plain GET of our own where there is no curl.
fn list(estate: &Served, path: &str) -> Duration {
    let started = Instant::now();
    let url = format!("http://{}{path}", estate.addr);
    let bearer = format!("Authorization: Bearer {}", token(estate));
    let curl = Command::new("curl")
        .args(["-s", "-f", "-o", "/dev/null", "-H", &bearer, &url])
        .status();
    if !curl.is_ok_and(|status| status.success()) {
        get(estate, path);
    }
    started.elapsed()
}

/// The whole answer, head and body. HTTP/1.0, so that nothing is chunked.
fn get(estate: &Served, path: &str) -> Vec<u8> {
    let mut stream = TcpStream::connect(estate.addr).expect("the estate");
    let (addr, token) = (estate.addr, token(estate));
    write!(
        stream,
        "GET {path} HTTP/1.0\r\nHost: {addr}\r\nAuthorization: Bearer {token}\r\n\r\n"
    )
    .expect("a request");
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).expect("an answer");
    answer
}

/// How many pods the estate has where the cockpit looks.
pub fn pods(estate: &Served) -> usize {
    count(
        estate,
        "/api/v1/namespaces/production/pods?labelSelector=app.kubernetes.io%2Fpart-of%3Ddigital-wall",
    )
}
