//! Monitoring as a gate: what stops a cutover, what brings its traffic back, and what only holds. Prometheus is a
//! stand-in here that says what a test wants; the real one is in tests/real/operations/gates.rs.

use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex, MutexGuard};
use std::thread;
use std::time::Duration;

use serde_json::{Value, json};

use super::Bench;
use crate::deploy::{IN_PLACE, await_quiet, without_colours};
use crate::estate::Served;
use crate::operator::{CUTOVER, wait};
use crate::relay::{Asked, Fate};

/// What a Prometheus says.
struct Says {
    /// The names of the alerts that fire, and the colour that each is about.
    fires: Vec<(&'static str, &'static str)>,
    /// What every query gives, as Prometheus spells it; none: nothing.
    value: Option<&'static str>,
    /// It takes connections and closes them.
    is_away: bool,
    /// It takes connections and keeps them, without a word.
    hangs: bool,
    /// How often the rules were asked for.
    asked: usize,
    /// How often the value of an expression was.
    queried: usize,
}

/// A Prometheus on loopback that says what a test wants.
struct Prometheus {
    url: String,
    says: Arc<Mutex<Says>>,
}

impl Prometheus {
    fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let says = Arc::new(Mutex::new(Says {
            fires: Vec::new(),
            value: Some("0.01"),
            is_away: false,
            hangs: false,
            asked: 0,
            queried: 0,
        }));
        let told = says.clone();
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let told = told.clone();
                thread::spawn(move || answer(stream, &told));
            }
        });
        Self { url, says }
    }

    fn says(&self) -> MutexGuard<'_, Says> {
        self.says.lock().unwrap()
    }
}

/// Answers one request and closes.
fn answer(mut stream: TcpStream, says: &Mutex<Says>) {
    let mut head = Vec::new();
    let mut byte = [0];
    while !head.ends_with(b"\r\n\r\n") {
        match stream.read(&mut byte) {
            Ok(1) => head.push(byte[0]),
            _ => return,
        }
    }
    let head = String::from_utf8_lossy(&head).to_lowercase();
    let length = head
        .lines()
        .find_map(|line| line.strip_prefix("content-length: "));
    let length: usize = length.map_or(0, |text| text.trim().parse().unwrap());
    let mut body = vec![0; length];
    if stream.read_exact(&mut body).is_err() {
        return;
    }
    let mut says = says.lock().unwrap();
    if says.hangs {
        drop(says);
        let _ = stream.read(&mut byte);
        return;
    }
    if says.is_away {
        return;
    }
    let data = match head.contains("/api/v1/rules") {
        true => {
            says.asked += 1;
            rules(&says)
        }
        false => {
            says.queried += 1;
            value(&says)
        }
    };
    let body = json!({ "status": "success", "data": data }).to_string();
    let reply = format!(
        "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
        body.len()
    );
    let _ = stream.write_all(reply.as_bytes());
}

fn rules(says: &Says) -> Value {
    let rule = |name: &str, severity: &str, colours: &[&str]| {
        let alert = |colour: &&str| {
            json!({
                "labels": { "alertname": name, "severity": severity, "colour": colour },
                "annotations": {}, "state": "firing", "activeAt": "2026-11-26T14:00:00Z", "value": "0.31",
            })
        };
        let alerts: Vec<Value> = colours.iter().map(alert).collect();
        json!({
            "name": name, "query": "rate(x[1s]) > 0.1", "duration": 0, "labels": { "severity": severity },
            "alerts": alerts, "health": "ok", "type": "alerting", "lastEvaluation": jiff::Timestamp::now().to_string(),
        })
    };
    let mut all = vec![
        rule("Watchdog", "none", &["none"]),
        rule("Quiet", "critical", &[]),
    ];
    all.extend(
        says.fires
            .iter()
            .map(|(name, colour)| rule(name, "critical", &[colour])),
    );
    json!({ "groups": [{ "name": "shop", "interval": 1, "rules": all }] })
}

fn value(says: &Says) -> Value {
    let sample = |text| json!({ "metric": {}, "value": [1_790_000_000, text] });
    let result: Vec<Value> = says.value.iter().map(sample).collect();
    json!({ "resultType": "vector", "result": result })
}

/// The estate, whoever operates on it, and the Prometheus that they ask every second.
fn bench(gates: &str) -> (Bench, Prometheus) {
    let (bench, prometheus) = (Bench::new(), Prometheus::start());
    let settings = format!(
        "[prometheus]\nurl = {:?}\nwatchdog = \"Watchdog\"\n[operations]",
        prometheus.url
    );
    bench.dave.edit("[operations]", &settings);
    let gates =
        format!("[environment.gates]\ninterval = 1\nunknown = 2\n{gates}\n[environment.traffic]");
    bench.dave.edit("[environment.traffic]", &gates);
    wait("a plan", || {
        (bench.dave.run(&["cutover", "production", "--plan"]).code == 0).then_some(())
    });
    (bench, prometheus)
}

const QUERY: &str = "[[environment.gates.query]]\nname = \"errors\"\nquery = \"errors{colour='$colour'}\"\nbelow = 0.05";

/// The query of [`QUERY`], as a policy has it.
fn errors() -> Value {
    json!({"name": "errors", "query": "errors{colour=\"$colour\"}", "below": 0.05})
}

/// Has the policy beside the target demand those gates.
fn demand(bench: &Bench, key: &str, gates: &Value) {
    let policy = json!({
        "metadata": {"name": "wheelhouse-policy"},
        "data": {"schema": "1", key: gates.to_string()},
    });
    let path = "/api/v1/namespaces/production/configmaps";
    bench.ask("POST", path, Some(&policy));
}

/// Waits until the soak of the operation has begun.
pub fn await_soak(bench: &Bench) -> String {
    wait("the soak", || {
        let said = bench.dave.run(&["op", "list", "production", "--json"]);
        let line: Value = serde_json::from_str(said.out.lines().next()?).ok()?;
        let is_watching = line["operation"]["state"].as_str()?.contains("watch");
        is_watching.then(|| line["id"].as_str().unwrap().to_owned())
    })
}

fn state(bench: &Bench, id: &str) -> String {
    let story = bench.dave.story(id);
    story.lines().last().unwrap_or_default().to_owned()
}

#[test]
fn i_27_a_new_alert_in_the_soak_brings_traffic_back_by_itself_and_is_named() {
    let (bench, prometheus) = bench("soak = 30");
    let cutover = bench.dave.start(&CUTOVER);
    let id = await_soak(&bench);
    assert_eq!(bench.colours(), ["green", "green"]);

    prometheus.says().fires.push(("HighErrorRate", "green"));

    let said = cutover.end();
    said.assert(
        8,
        &[
            "watch FAILED: HighErrorRate fires: critical GREEN",
            "value 0.31",
        ],
    );
    assert_eq!(bench.colours(), ["blue", "blue"]);
    assert!(
        bench
            .dave
            .story(&id)
            .contains("rolled back: watch failed: HighErrorRate")
    );
}

#[test]
fn i_27_what_fired_before_is_overridden_with_a_reason_and_brings_nothing_back() {
    let (bench, prometheus) = bench("soak = 3");
    prometheus.says().fires.push(("HighErrorRate", "green"));
    bench.dave.run(&CUTOVER).assert(
        5,
        &[
            "alert:HighErrorRate: fires: critical GREEN",
            "--override alert:HighErrorRate=REASON goes ahead",
        ],
    );
    // As the timeline tells alerts of one rule apart.
    (bench.dave.run(&["status", "production"]))
        .assert(1, &["alert HighErrorRate critical GREEN: firing for"]);
    let twice = [&CUTOVER[..], &["--override", "alert:HighErrorRate"]].concat();
    bench.dave.run(&twice).assert(2, &["expected GATE=REASON"]);
    let never = [&CUTOVER[..], &["--override", "match=because"]].concat();
    bench.dave.run(&never).assert(
        2,
        &["match may not be overridden; what may: monitoring, alert:NAME"],
    );

    let overriding = [
        &CUTOVER[..],
        &["--override", "alert:HighErrorRate=known since noon"],
    ]
    .concat();
    let said = bench.dave.run(&overriding);

    said.assert(
        0,
        &["alert:HighErrorRate overridden by", "known since noon"],
    );
    assert_eq!(bench.colours(), ["green", "green"]);
    let entries = bench.dave.entries(&said.id());
    let overridden = entries
        .iter()
        .find(|entry| !entry["what"]["overridden"].is_null());
    let what = &overridden.expect("an entry")["what"]["overridden"];
    assert_eq!(what["reason"], "known since noon");
}

#[test]
fn m05_an_alert_that_begins_to_fire_between_the_confirmation_and_the_first_flip_moves_nothing() {
    let (bench, prometheus) = bench("soak = 3");
    let is_intent = |it: &Asked| it.records(r#""began":{"step":{"flip""#);
    let intent = bench.dave.relay.trap(Fate::HeldBefore, 1, is_intent);
    let cutover = bench.dave.start(&CUTOVER);
    intent.wait("the intent of the first flip");
    prometheus.says().fires.push(("HighErrorRate", "green"));

    // What is as old as an interval is asked anew.
    thread::sleep(Duration::from_millis(1_500));
    intent.let_go();

    let said = cutover.end();
    let why = "flip digital-wall-service FAILED: alert:HighErrorRate: fires: critical GREEN";
    said.assert(1, &[why]);
    assert_eq!(bench.colours(), ["blue", "blue"]);
    assert_eq!(bench.dave.relay.count(Asked::is_flip), 0);
}

#[test]
fn what_is_overridden_goes_ahead_although_each_question_to_prometheus_hangs() {
    let (bench, prometheus) = bench("soak = 3");
    prometheus.says().hangs = true;
    let overriding = [
        &CUTOVER[..],
        &["--override", "monitoring=it hangs, and we look"],
    ]
    .concat();
    let running = bench.dave.start(&overriding);
    wait("GREEN", || {
        (bench.colours() == ["green", "green"]).then_some(())
    });
    // Its soak cannot pass: whether all is well is not known, and that is said.
    let id = await_soak(&bench);
    wait("the call", || {
        let said = state(&bench, &id);
        (said.contains("PAUSED: UNKNOWN") && said.contains("has not answered")).then_some(())
    });
    bench
        .dave
        .run(&["op", "abort", &id, "--reason", "seen"])
        .assert(0, &[]);
    running.end().assert(8, &["rolled back"]);
}

#[test]
fn a_soak_whose_environment_has_no_gate_of_monitorings_does_not_wait_for_it() {
    let (bench, prometheus) = bench("soak = 1\nalerts = []");
    prometheus.says().is_away = true;
    bench.dave.run(&CUTOVER).assert(0, &["done: GREEN is live"]);
}

#[test]
fn i_34_with_hold_traffic_stays_a_person_is_called_and_an_abort_brings_it_back() {
    let (bench, prometheus) = bench("soak = 30\non_failure = \"hold\"");
    let cutover = bench.dave.start(&CUTOVER);
    let id = await_soak(&bench);
    prometheus.says().fires.push(("HighErrorRate", "green"));
    wait("the call", || {
        state(&bench, &id)
            .contains("PAUSED: HELD: HighErrorRate")
            .then_some(())
    });
    assert_eq!(bench.colours(), ["green", "green"]);
    bench
        .dave
        .run(&["status", "production"])
        .assert(1, &["BAD operation", "a person is needed"]);
    // An alert that ends does not decide it: a person does.
    prometheus.says().fires.clear();
    let asked = prometheus.says().asked;
    wait("two more looks", || {
        (prometheus.says().asked >= asked + 2).then_some(())
    });
    assert!(state(&bench, &id).contains("PAUSED: HELD"));

    bench
        .dave
        .run(&["op", "abort", &id, "--reason", "not worth it"])
        .assert(0, &[]);

    cutover.end().assert(8, &["rolled back: aborted by"]);
    assert_eq!(bench.colours(), ["blue", "blue"]);
}

#[test]
fn i_25_a_prometheus_that_is_away_in_the_soak_holds_and_calls_and_moves_nothing() {
    let (bench, prometheus) = bench("soak = 6");
    let cutover = bench.dave.start(&CUTOVER);
    let id = await_soak(&bench);

    prometheus.says().is_away = true;

    wait("the call", || {
        state(&bench, &id).contains("PAUSED: UNKNOWN").then_some(())
    });
    assert_eq!(bench.colours(), ["green", "green"]);
    bench
        .dave
        .run(&["status", "production"])
        .assert(1, &["BAD operation", "PAUSED"]);
    prometheus.says().is_away = false;
    cutover.end().assert(
        0,
        &[
            "goes on",
            "watch done: watched for 6 s: it stayed; no new alert",
        ],
    );
    assert_eq!(bench.colours(), ["green", "green"]);
}

#[test]
fn a_gate_is_asked_once_an_interval() {
    let (bench, prometheus) = bench(&format!("soak = 8\n{QUERY}"));
    // One look at a time: the second would wait for the first to be over.
    let told = || {
        let says = prometheus.says();
        [says.asked, says.queried]
    };
    let before = told();
    let began = std::time::Instant::now();
    bench.dave.run(&CUTOVER).assert(0, &["done: GREEN is live"]);
    let took = usize::try_from(began.elapsed().as_secs()).unwrap() + 1;
    // Once an interval, which is a second, and as often as the plan is made and looked at again: by the command, at the
    // start, before the first flip.
    for (now, before) in told().into_iter().zip(before) {
        let many = now - before;
        assert!((4..=took + 3).contains(&many), "{many} in {took} s");
    }
}

#[test]
fn i_18_a_clean_up_says_how_many_requests_still_go_there() {
    let (bench, prometheus) = bench("draining = \"sum(rate(requests{colour='$colour'}[1m]))\"");
    prometheus.says().value = Some("41.7");
    let plan = ["cleanup", "production", "--plan"];
    bench
        .dave
        .run(&plan)
        .assert(0, &["NOTE     draining     draining, 42 requests/s"]);
    bench
        .dave
        .run(&["status", "production"])
        .assert(0, &["; draining, 42 requests/s"]);
    prometheus.says().value = Some("0");
    bench
        .dave
        .run(&plan)
        .assert(0, &["NOTE     draining     drained"]);
}

#[test]
fn rule_13_a_query_that_only_the_policy_makes_a_gate_is_asked_and_brings_traffic_back() {
    let (bench, prometheus) = bench("soak = 30");
    let demanded = json!({ "queries": [errors()], "overrides": false });
    demand(&bench, "gates.production", &demanded);
    prometheus.says().value = Some("0.31");
    let refused = bench.dave.run(&CUTOVER);
    refused.assert(5, &["query:errors: 0.31, to be below 0.05"]);
    assert!(!refused.err.contains("--override"), "{}", refused.err);
    let overriding = [&CUTOVER[..], &["--override", "query:errors=known"]].concat();
    bench
        .dave
        .run(&overriding)
        .assert(2, &["query:errors may not be overridden"]);

    prometheus.says().value = Some("0.01");
    let cutover = bench.dave.start(&CUTOVER);
    let _id = await_soak(&bench);
    prometheus.says().value = Some("0.31");

    cutover
        .end()
        .assert(8, &["watch FAILED: query:errors is 0.31"]);
    assert_eq!(bench.colours(), ["blue", "blue"]);
}

#[test]
fn rule_13_whoever_adopts_in_the_soak_is_held_to_the_policys_gates_too() {
    let (bench, prometheus) = bench("soak = 60");
    demand(&bench, "gates", &json!({ "queries": [errors()] }));
    let id = bench.dave.detach(&CUTOVER);
    await_soak(&bench);
    bench.dave.kill_worker();
    let adopted = bench.dave.start(&["op", "adopt", &id]);
    wait("the watch to be taken up", || {
        bench
            .dave
            .story(&id)
            .contains("taken over by")
            .then_some(())
    });

    prometheus.says().value = Some("0.31");

    adopted
        .end()
        .assert(8, &["watch FAILED: query:errors is 0.31"]);
    assert_eq!(bench.colours(), ["blue", "blue"]);
}

#[test]
fn i_9_nan_nothing_and_silence_are_exit_code_3_and_a_bound_is_5() {
    let (bench, prometheus) = bench(QUERY);
    for (value, code, said) in [
        (Some("NaN"), 3, "query:errors: NaN is no number"),
        (None, 3, "query:errors: no data"),
        (Some("0.31"), 5, "query:errors: 0.31, to be below 0.05"),
        (
            Some("0.01"),
            0,
            "OK       query:errors 0.01, to be below 0.05",
        ),
    ] {
        prometheus.says().value = value;
        bench
            .dave
            .run(&["cutover", "production", "--plan"])
            .assert(code, &[said]);
    }
    let said = bench
        .dave
        .run(&["cutover", "production", "--plan", "--json"]);
    let plan: Value = serde_json::from_str(&said.out).unwrap();
    let gates = plan["plan"]["gates"].as_array().unwrap();
    let gate = gates.iter().find(|gate| gate["of"] == "errors").unwrap();
    assert_eq!(
        (&gate["name"], &gate["finding"]),
        (&"query".into(), &"OK".into())
    );
    prometheus.says().is_away = true;
    bench
        .dave
        .run(&["cutover", "production", "--plan"])
        .assert(3, &["monitoring"]);
    bench
        .dave
        .run(&["rollback", "production", "--plan", "--to", "green"])
        .assert(0, &["roll back production to GREEN"]);
}

#[test]
fn i_9_a_query_out_of_its_bounds_in_the_soak_brings_traffic_back_with_its_value() {
    let (bench, prometheus) = bench(&format!("soak = 30\n{QUERY}"));
    let cutover = bench.dave.start(&CUTOVER);
    await_soak(&bench);

    prometheus.says().value = Some("0.31");

    cutover
        .end()
        .assert(8, &["watch FAILED: query:errors is 0.31, to be below 0.05"]);
    assert_eq!(bench.colours(), ["blue", "blue"]);
}

#[test]
fn a_colour_that_fails_its_users_only_is_cut_over_to_and_left_again_by_itself() {
    // The demo as the README has it: its own Prometheus, which looks every 15 s.
    let served = Served::start(&["--scenario", "bad-colour"]);
    let config = served.config.to_str().unwrap();
    let run = |args: &[&str]| {
        let command = &[&["--config", config], args].concat();
        let out = served.home.command(command).output().unwrap();
        (
            out.status.code(),
            String::from_utf8_lossy(&out.stdout).into_owned(),
        )
    };
    wait("a plan", || {
        let (code, said) = run(&["cutover", "production", "--plan"]);
        let is_seen = said.contains("monitoring   alive: Watchdog fires")
            && said.contains("query:latency too little traffic to tell");
        (code == Some(0) && is_seen).then_some(())
    });

    let (code, said) = run(&CUTOVER);

    assert_eq!(code, Some(8), "{said}");
    assert!(
        said.contains("watch FAILED: HighErrorRate fires: critical GREEN"),
        "{said}"
    );
}

#[test]
fn i_18_the_clean_up_that_follows_waits_until_the_colour_is_drained_and_says_so() {
    let (bench, prometheus) = bench("draining = \"sum(rate(requests{colour='$colour'}[1m]))\"");
    let keep = "[environment.traffic]\nkeep_warm = 2\nclean_up = true\n";
    bench.dave.edit("[environment.traffic]\n", keep);
    prometheus.says().value = Some("4.5");
    let (dave, blue) = (&bench.dave, || {
        bench.runs("blue").map(|(_, replicas)| replicas)
    });
    dave.run(&CUTOVER)
        .assert(0, &["done: GREEN is live", "a worker waits to clean up"]);
    let says = |part: &str| {
        let said = dave.run(&["status", "production"]).out;
        said.contains(part).then_some(())
    };
    wait("it to be said", || says(" when it is drained"));
    assert_eq!(blue(), [3, 2], "requests still go there");
    prometheus.says().value = None;
    let asked = prometheus.says().queried;
    wait("it to be asked again", || {
        (prometheus.says().queried > asked + 2).then_some(())
    });
    assert_eq!(blue(), [3, 2], "whether requests go there is not known");

    prometheus.says().value = Some("0");

    wait("the clean-up", || (blue() == [0, 0]).then_some(()));
    dave.await_no_worker();
}

#[test]
fn the_exact_requests_of_a_plan_are_those_that_are_sent() {
    let bench = Bench::ready();
    let dave = &bench.dave;
    let plan = ["cutover", "production", "--plan"];
    dave.run(&plan).assert(
        0,
        &[
            "    PATCH /api/v1/namespaces/production/services/digital-wall-api",
            r#""path":"/spec/selector","value":{"part":"backend","version":"green"}"#,
        ],
    );
    let said = dave.run(&[&plan[..], &["--json"]].concat());
    let said: Value = serde_json::from_str(&said.out).unwrap();
    let is_flip = |it: &&Value| it["path"].as_str().unwrap().contains("/services/");
    let planned = said["requests"].as_array().unwrap().iter().filter(is_flip);
    let planned: Vec<Value> = planned.cloned().collect();
    dave.run(&CUTOVER).assert(0, &["done: GREEN is live"]);
    let sent = dave.relay.asked();
    let sent: Vec<_> = sent.iter().filter(|it| it.is_flip()).collect();
    assert_eq!((planned.len(), sent.len()), (2, 2));
    for (planned, sent) in planned.iter().zip(sent) {
        assert_eq!(planned["method"], sent.method);
        assert_eq!(planned["path"], sent.path);
        let body: Value = serde_json::from_str(&sent.body).unwrap();
        let (planned, body) = (
            planned["patch"].as_array().unwrap(),
            body.as_array().unwrap(),
        );
        assert_eq!(planned.len(), body.len(), "{planned:?} {body:?}");
        for (planned, sent) in planned.iter().zip(body) {
            let is_open = planned["value"]
                .as_str()
                .is_some_and(|it| it.starts_with('<'));
            match is_open {
                true => assert_eq!(planned["path"], sent["path"]),
                false => assert_eq!(planned, sent),
            }
        }
    }
}

#[test]
fn i_12_a_deploy_in_place_that_is_adopted_asks_its_gates_again_before_it_begins() {
    let (bench, prometheus) = (Bench::new(), Prometheus::start());
    let erin = without_colours(&bench);
    let settings = format!(
        "[prometheus]\nurl = {:?}\nwatchdog = \"Watchdog\"\n[operations]",
        prometheus.url
    );
    erin.edit("[operations]", &settings);
    let gates = "[environment.gates]\ninterval = 1\n[[environment.workload]]\nname = \"frontend\"";
    erin.edit("[[environment.workload]]\nname = \"frontend\"", gates);
    await_quiet(&erin);
    let name = "digital-wall-staging-backend";
    let before = bench.deployment("staging", name)["metadata"]["generation"].clone();
    let trap = erin.relay.trap(Fate::HeldBefore, 1, Asked::is_update);
    let id = erin.detach(&IN_PLACE);
    trap.wait("the patch");
    erin.kill_worker();
    // It fires while nobody carries it out.
    prometheus.says().fires.push(("HighErrorRate", "none"));

    let adopted = erin.run(&["op", "adopt", &id]);

    adopted.assert(1, &["FAILED: alert:HighErrorRate: fires: critical"]);
    let after = &bench.deployment("staging", name)["metadata"]["generation"];
    assert_eq!(*after, before);
}
