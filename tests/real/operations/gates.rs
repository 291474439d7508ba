//! Monitoring as a gate, on the real control plane and with real Prometheus and Alertmanager: errors that rise in
//! the soak bring traffic back, a Prometheus that is killed moves nothing.

use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::SeqCst};
use std::thread;

use super::Stage;
use crate::monitoring::Monitoring;
use crate::operator::{CUTOVER, Operator, wait};

const RULES: &str = r#"
groups:
- name: shop
  rules:
  - {alert: Watchdog, expr: vector(1)}
  - alert: HighErrorRate
    expr: >-
      sum by (colour) (rate(http_requests_total{status="500"}[4s]))
      / sum by (colour) (rate(http_requests_total[4s])) > 0.1
    for: 1s
    labels: {severity: critical}
"#;

/// A query of the same, which needs no alert.
const QUERY: &str = r#"
[[environment.gates.query]]
name = "errors"
query = 'sum(rate(http_requests_total{status="500", colour="$colour"}[4s])) / sum(rate(http_requests_total{colour="$colour"}[4s]))'
below = 0.05
requests = 'sum(increase(http_requests_total{colour="$colour"}[4s]))'
min_requests = 20
"#;

/// GREEN as it is scraped: a hundred requests between two scrapes, of which some fail when it is ill.
pub(super) struct Green {
    port: u16,
    is_ill: Arc<AtomicBool>,
}

impl Green {
    fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let is_ill = Arc::new(AtomicBool::new(false));
        let told = is_ill.clone();
        let (good, bad) = (AtomicU64::new(0), AtomicU64::new(0));
        thread::spawn(move || {
            for mut stream in listener.incoming().flatten() {
                let mut head = [0; 4_096];
                let _ = stream.read(&mut head);
                let failing = if told.load(SeqCst) { 40 } else { 0 };
                bad.fetch_add(failing, SeqCst);
                good.fetch_add(100 - failing, SeqCst);
                let line = |status, count: &AtomicU64| {
                    let labels = format!("colour=\"green\",status=\"{status}\"");
                    format!("http_requests_total{{{labels}}} {}\n", count.load(SeqCst))
                };
                let body = line("200", &good) + &line("500", &bad);
                let head = "HTTP/1.1 200 OK\r\nContent-Type: text/plain; version=0.0.4";
                let length = body.len();
                let reply = format!(
                    "{head}\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{body}"
                );
                let _ = stream.write_all(reply.as_bytes());
            }
        });
        Self { port, is_ill }
    }

    pub(super) fn falls_ill(&self) {
        self.is_ill.store(true, SeqCst);
    }
}

/// Prometheus that scrapes GREEN, and an operator who asks it every second.
pub(super) fn watched(stage: &Stage<'_>, name: &str, gates: &str) -> (Operator, Monitoring, Green) {
    let green = Green::start();
    let scrapes = format!(
        "- {{job_name: green, static_configs: [{{targets: ['127.0.0.1:{}']}}]}}\n",
        green.port
    );
    let monitoring = Monitoring::with(RULES, &scrapes);
    let operator = stage.operator(name);
    let [prometheus, alertmanager] = monitoring.urls();
    let settings = format!(
        "[prometheus]\nurl = {prometheus:?}\nwatchdog = \"Watchdog\"\n[alertmanager]\nurl = {alertmanager:?}\n[operations]"
    );
    operator.edit("[operations]", &settings);
    let gates =
        format!("[environment.gates]\ninterval = 1\nunknown = 3\n{gates}\n[environment.traffic]");
    operator.edit("[environment.traffic]", &gates);
    wait("a plan", || {
        (operator.run(&["cutover", "production", "--plan"]).code == 0).then_some(())
    });
    (operator, monitoring, green)
}

/// Waits until the watch of the operation on this stage has begun.
pub(super) fn await_soak(stage: &Stage<'_>, operator: &Operator) -> String {
    wait("the soak", || {
        let id = stage.operations().pop()?;
        operator.story(&id).contains("watch …").then_some(id)
    })
}

#[test]
fn i_27_errors_that_rise_in_the_soak_fire_the_alert_and_bring_traffic_back() {
    let stage = Stage::new("ops-gates-alert");
    let (dave, _monitoring, green) = watched(&stage, "dave", "soak = 60");
    let cutover = dave.start(&CUTOVER);
    await_soak(&stage, &dave);
    stage.await_live("green");

    green.falls_ill();

    cutover
        .end()
        .assert(8, &["watch FAILED: HighErrorRate fires: critical GREEN"]);
    stage.await_live("blue");
    assert_eq!(stage.colours(), ["blue", "blue"]);
    dave.run(&["cutover", "production", "--plan"])
        .assert(5, &["BAD", "alert:HighErrorRate"]);
}

#[test]
fn i_9_a_query_whose_value_rises_in_the_soak_brings_traffic_back_with_it() {
    let stage = Stage::new("ops-gates-query");
    let (erin, _monitoring, green) =
        watched(&stage, "erin", &format!("soak = 60\nalerts = []{QUERY}"));
    let cutover = erin.start(&CUTOVER);
    await_soak(&stage, &erin);

    green.falls_ill();

    cutover
        .end()
        .assert(8, &["watch FAILED: query:errors is 0.", "to be below 0.05"]);
    assert_eq!(stage.colours(), ["blue", "blue"]);
}

#[test]
fn i_25_a_prometheus_that_is_killed_in_the_soak_holds_and_never_moves_traffic() {
    let stage = Stage::new("ops-gates-killed");
    let (mara, mut monitoring, _green) = watched(&stage, "mara", &format!("soak = 8{QUERY}"));
    let cutover = mara.start(&CUTOVER);
    let id = await_soak(&stage, &mara);

    monitoring.kill_prometheus();

    wait("the call", || {
        mara.story(&id).contains("PAUSED: UNKNOWN").then_some(())
    });
    assert_eq!(stage.colours(), ["green", "green"]);
    monitoring.start_prometheus();
    cutover
        .end()
        .assert(0, &["goes on", "watched for 8 s: it stayed; no new alert"]);
    assert_eq!(stage.colours(), ["green", "green"]);
}

#[test]
fn restarts_of_one_pod_in_the_soak_bring_traffic_back_though_others_serve() {
    let stage = Stage::new("ops-restarts");
    let dave = stage.operator("dave");
    let gates = "[environment.gates]\nrestarts = 1\n[environment.traffic]";
    dave.edit("[environment.traffic]", gates);
    dave.edit("watch = 2", "watch = 60");
    let cutover = dave.start(&CUTOVER);
    await_soak(&stage, &dave);
    let start = "digital-wall-green-backend-";
    let pod = crate::cockpit::names_of(stage.plane, stage.namespace, start).remove(0);

    crate::cockpit::trouble::run_out_of_memory(stage.plane, stage.namespace, &pod);

    cutover.end().assert(
        8,
        &[
            "watch FAILED: restarts: containers of GREEN restarted 3 times since it was planned, and 1 are borne",
            &pod,
            "OOMKilled",
        ],
    );
    stage.await_live("blue");
}
