//! The source as the loop meets it: what is sent, and how it comes back from trouble.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::time::Duration;

use serde_json::json;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use wheelhouse::estate::alerts::{AlertScope, Alerts, AlertsSeen, Standing};
use wheelhouse::estate::{Moment, Verdict};
use wheelhouse::sources::alerts::{Observed, Target, run_at};
use wheelhouse::sources::kubernetes::{Shared, boottime};

use super::cockpit::{LIMIT, PACE};
use super::said::{alert, at, behind, handled, nobody, rule, rules, silence, success, to};
use super::server::{Answer, Asked, Server, json as said};

/// A running source, and everything that it told, folded.
pub struct Source {
    out: mpsc::Receiver<Observed>,
    task: JoinHandle<()>,
    pub alerts: Alerts,
    pub seen: Vec<AlertsSeen>,
}

impl Drop for Source {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Source {
    pub fn start(target: Target, watchdog: Option<&str>) -> Self {
        let (sender, out) = mpsc::channel(1);
        let shared = Shared::default();
        let scope = AlertScope {
            watchdog: watchdog.map(Into::into),
            belongs: target.belongs.clone(),
            ..AlertScope::default()
        };
        let task = tokio::spawn(run_at(PACE, 7, target, shared, sender, boottime));
        Self {
            out,
            task,
            alerts: Alerts::new(scope),
            seen: Vec::new(),
        }
    }

    /// Folds until `is` holds.
    pub async fn until(&mut self, is: impl Fn(&Alerts) -> bool) {
        while !is(&self.alerts) {
            self.next().await;
        }
    }

    async fn next(&mut self) {
        let next = tokio::time::timeout(LIMIT, self.out.recv()).await;
        let next = next.unwrap_or_else(|_| panic!("{:#?}", self.seen));
        let observed = next.expect("the source ended");
        assert_eq!(observed.environment, 7);
        self.seen.push(observed.seen.clone());
        self.alerts.apply(observed.seen, Moment(1));
    }

    fn standings(&self) -> Vec<(String, Standing)> {
        let views = self.alerts.views();
        views
            .iter()
            .map(|v| (v.rule.name.to_string(), v.standing))
            .collect()
    }
}

fn has_rules(alerts: &Alerts) -> bool {
    alerts.rules.listed && alerts.rules.fault.is_none()
}

/// Prometheus and Alertmanager at one address, in a state that the test turns.
async fn both(script: fn(usize, &Asked) -> Answer) -> (Arc<AtomicUsize>, Server) {
    let state = Arc::new(AtomicUsize::new(0));
    let now = state.clone();
    (
        state,
        Server::start(move |asked| script(now.load(SeqCst), asked)).await,
    )
}

fn prometheus(server: &Server) -> Target {
    Target {
        prometheus: Some(at(server)),
        ..Target::default()
    }
}

#[tokio::test]
async fn m01_no_alerts_without_the_watchdog_are_unknown_and_with_it_all_is_well() {
    let (state, server) = both(|state, asked| match (asked.path.as_str(), state) {
        ("/api/v1/rules", 0) => rules(&[rule("X", &[])]),
        ("/api/v1/rules", _) => rules(&[
            rule("X", &[]),
            rule("Watchdog", &[alert("Watchdog", "firing", &json!({}))]),
        ]),
        _ => success(&json!({"activeTargets": []})),
    })
    .await;
    let mut source = Source::start(prometheus(&server), Some("Watchdog"));
    source.until(has_rules).await;
    assert!(source.alerts.views().is_empty());
    let now = source.alerts.rules.value.server.unwrap();
    let verdict = source.alerts.is_alive(now);
    assert!(
        matches!(&verdict, Verdict::Unknown(why) if why.contains("Watchdog")),
        "{verdict:?}"
    );
    state.store(1, SeqCst);
    source
        .until(|alerts| alerts.is_alive(now) == Verdict::Ok)
        .await;
    assert!(
        source.alerts.views().is_empty(),
        "the Watchdog itself is no alert"
    );
}

#[tokio::test]
async fn m01_a_prometheus_that_is_gone_is_unknown_and_keeps_what_was_seen() {
    let (state, server) = both(|state, asked| match (state, asked.path.as_str()) {
        (1, _) => Answer::Full(503, "", "starting".into()),
        (_, "/api/v1/rules") => rules(&[rule("X", &[alert("X", "firing", &json!({}))])]),
        _ => success(&json!({"activeTargets": []})),
    })
    .await;
    let mut source = Source::start(prometheus(&server), None);
    source.until(has_rules).await;
    let now = source.alerts.rules.value.server.unwrap();
    assert_eq!(source.alerts.is_alive(now), Verdict::Ok);
    state.store(1, SeqCst);
    source
        .until(|alerts| alerts.rules.fault.is_some() && alerts.targets.fault.is_some())
        .await;
    assert!(matches!(source.alerts.is_alive(now), Verdict::Unknown(_)));
    assert_eq!(source.standings(), [("X".into(), Standing::Firing)]);
    state.store(2, SeqCst);
    source
        .until(|alerts| has_rules(alerts) && alerts.targets.fault.is_none())
        .await;
    assert_eq!(source.alerts.is_alive(now), Verdict::Ok);
}

#[tokio::test]
async fn m02_a_missing_replica_is_told_once_and_again_when_it_is_back() {
    let server = Server::start(|asked| match asked.path.as_str() {
        "/api/v1/rules" => rules(&[rule("X", &[])]),
        "/api/v1/targets" => success(&json!({"activeTargets": []})),
        _ => said("[]"),
    })
    .await;
    let (state, second) = both(|state, _| match state {
        0 => Answer::Full(502, "", "bad gateway".into()),
        _ => said("[]"),
    })
    .await;
    let target = Target {
        prometheus: Some(to(&[&server.url, &nobody()])),
        alertmanager: Some(to(&[&server.url, &second.url])),
        ..Target::default()
    };
    let mut source = Source::start(target, None);
    source
        .until(|alerts| has_rules(alerts) && !alerts.gaps.is_empty())
        .await;
    assert_eq!(source.alerts.rules.value.gaps.len(), 1);
    assert!(source.alerts.handling.fault.is_none());
    // Still missing in the next answers, which is no news.
    let handled = |s: &&AlertsSeen| matches!(s, AlertsSeen::Handling(..));
    while source.seen.iter().filter(handled).count() < 4 {
        source.next().await;
    }
    state.store(1, SeqCst);
    source.until(|alerts| alerts.gaps.is_empty()).await;
    let gaps = |s: &&AlertsSeen| matches!(s, AlertsSeen::HandlingGaps(_));
    assert_eq!(source.seen.iter().filter(gaps).count(), 2);
}

#[tokio::test]
async fn m05_an_alert_that_begins_to_fire_is_in_the_next_answer() {
    let (state, server) = both(|state, asked| match asked.path.as_str() {
        "/api/v1/rules" => rules(&[rule(
            "X",
            &[alert("X", ["pending", "firing"][state], &json!({}))],
        )]),
        _ => success(&json!({"activeTargets": []})),
    })
    .await;
    let mut source = Source::start(prometheus(&server), None);
    source.until(has_rules).await;
    assert_eq!(source.standings(), [("X".into(), Standing::Pending)]);
    state.store(1, SeqCst);
    source
        .until(|alerts| {
            alerts
                .views()
                .iter()
                .any(|v| v.standing == Standing::Firing)
        })
        .await;
}

#[tokio::test]
async fn firing_silenced_inhibited_and_pending_are_told_apart() {
    let (_, server) = both(|_, asked| match asked.path.as_str() {
        "/api/v1/rules" => rules(&[
            rule("P", &[alert("P", "pending", &json!({}))]),
            rule("I", &[alert("I", "firing", &json!({}))]),
            rule("S", &[alert("S", "firing", &json!({}))]),
            rule("F", &[alert("F", "firing", &json!({}))]),
        ]),
        "/api/v1/targets" => success(&json!({"activeTargets": []})),
        "/api/v2/alerts" => said(json!([
            handled("S", &["s1"], &[]),
            handled("I", &[], &["f"]),
            handled("F", &[], &[])
        ])),
        _ => said(json!([silence("s1", "active")])),
    })
    .await;
    let target = Target {
        alertmanager: Some(at(&server)),
        ..prometheus(&server)
    };
    let mut source = Source::start(target, None);
    source
        .until(|alerts| has_rules(alerts) && alerts.handling.listed)
        .await;
    let standings = [
        ("F".to_owned(), Standing::Firing),
        ("S".into(), Standing::Silenced),
        ("I".into(), Standing::Inhibited),
        ("P".into(), Standing::Pending),
    ];
    assert_eq!(source.standings(), standings);
    let views = source.alerts.views();
    assert_eq!(views[1].silence.unwrap().author.as_str(), "ann");
}

#[tokio::test]
async fn alertmanager_may_be_gone_while_the_rules_are_live() {
    let (_, server) = both(|_, asked| match asked.path.as_str() {
        "/api/v1/rules" => rules(&[rule("X", &[])]),
        _ => success(&json!({"activeTargets": []})),
    })
    .await;
    let target = Target {
        alertmanager: Some(to(&[&nobody()])),
        ..prometheus(&server)
    };
    let mut source = Source::start(target, None);
    source
        .until(|alerts| has_rules(alerts) && alerts.handling.fault.is_some())
        .await;
    assert!(source.alerts.rules.fault.is_none());
}

#[tokio::test]
async fn alerts_of_another_environment_are_left_out_and_those_of_all_are_kept() {
    let (_, server) = both(|_, asked| match asked.path.as_str() {
        "/api/v1/rules" => rules(&[
            rule(
                "Ours",
                &[alert("Ours", "firing", &json!({"namespace": "production"}))],
            ),
            rule(
                "Theirs",
                &[alert("Theirs", "firing", &json!({"namespace": "staging"}))],
            ),
            rule("Everybodys", &[alert("Everybodys", "firing", &json!({}))]),
            rule(
                "Watchdog",
                &[alert(
                    "Watchdog",
                    "firing",
                    &json!({"namespace": "openshift-monitoring"}),
                )],
            ),
        ]),
        _ => success(&json!({"activeTargets": [
            {"labels": {"namespace": "staging", "job": "j", "instance": "i"}, "health": "down"}
        ]})),
    })
    .await;
    let target = Target {
        belongs: [("namespace".into(), "production".into())]
            .into_iter()
            .collect(),
        watchdog: Some("Watchdog".into()),
        ..prometheus(&server)
    };
    let mut source = Source::start(target, Some("Watchdog"));
    source
        .until(|alerts| has_rules(alerts) && alerts.targets.listed)
        .await;
    let mut names: Vec<_> = source
        .standings()
        .into_iter()
        .map(|(name, _)| name)
        .collect();
    names.sort();
    assert_eq!(names, ["Everybodys", "Ours"]);
    assert_eq!(
        source.alerts.rules.value.rules.len(),
        4,
        "every rule stays, for its health"
    );
    let now = source.alerts.rules.value.server.unwrap();
    assert_eq!(source.alerts.is_alive(now), Verdict::Ok);
    assert!(source.alerts.targets.value.down.is_empty());
}

#[tokio::test]
async fn targets_that_a_prometheus_does_not_tell_are_no_wrong_address_and_are_not_asked_for_again_and_again()
 {
    let server = Server::start(|asked| match asked.path.as_str() {
        "/api/v1/rules" => rules(&[rule("X", &[])]),
        _ => Answer::Full(404, "", "404 page not found\n".into()),
    })
    .await;
    let mut source = Source::start(prometheus(&server), None);
    source.until(|alerts| alerts.targets.fault.is_some()).await;
    let told = source.alerts.unscraped().unwrap();
    assert_eq!(
        told.as_str(),
        "targets unknown: this Prometheus tells none (404)"
    );
    let rules_seen = |server: &Server| server.count(|a| a.path == "/api/v1/rules");
    let before = rules_seen(&server);
    while rules_seen(&server) < before + 3 {
        source.next().await;
    }
    assert_eq!(server.count(|a| a.path == "/api/v1/targets"), 1);
}

#[tokio::test]
async fn m05_what_alertmanager_does_with_the_alerts_of_another_environment_is_left_out() {
    let (_, server) = both(|_, asked| match asked.path.as_str() {
        "/api/v1/rules" => rules(&[rule("X", &[alert("X", "firing", &json!({}))])]),
        // It carries what only the other Prometheus adds: cluster="eu".
        "/api/v2/alerts" => said(json!([handled("X", &["s1"], &[])])),
        "/api/v2/silences" => said(json!([silence("s1", "active")])),
        _ => success(&json!({"activeTargets": []})),
    })
    .await;
    for (cluster, wanted) in [("us", Standing::Firing), ("eu", Standing::Silenced)] {
        let target = Target {
            alertmanager: Some(at(&server)),
            belongs: [("cluster".into(), cluster.into())].into_iter().collect(),
            ..prometheus(&server)
        };
        let mut source = Source::start(target, None);
        source
            .until(|alerts| has_rules(alerts) && alerts.handling.listed)
            .await;
        assert_eq!(source.standings(), [("X".into(), wanted)], "{cluster}");
    }
}

#[tokio::test]
async fn a_service_of_a_cluster_that_is_not_connected_is_a_fault_after_a_while() {
    let target = Target {
        prometheus: Some(behind("prometheus", "9090", "")),
        ..Target::default()
    };
    let mut source = Source::start(target, None);
    source.until(|alerts| alerts.rules.fault.is_some()).await;
    let fault = source.alerts.rules.fault.clone().unwrap();
    assert!(fault.what.contains("not connected yet"), "{}", fault.what);
}

#[tokio::test]
async fn the_source_ends_when_nobody_listens() {
    let (_, server) = both(|_, _| Answer::Silence).await;
    let mut source = Source::start(prometheus(&server), None);
    super::server::eventually("a question", || server.count(|_| true) > 0).await;
    source.out.close();
    let ended = tokio::time::timeout(Duration::from_secs(5), &mut source.task).await;
    assert!(ended.is_ok(), "it waits for an answer that nobody wants");
}

#[tokio::test]
async fn i_9_a_query_that_is_a_gate_is_read_about_each_colour_and_its_failure_is_no_number() {
    use wheelhouse::estate::gates::{Query, Quiet, Traffic};
    let (_, server) = both(|_, asked| match asked.path.as_str() {
        "/api/v1/query" if asked.query.contains("requests") => success(&json!({
            "resultType": "vector", "result": [{"metric": {}, "value": [1, "250"]}],
        })),
        "/api/v1/query" if asked.query.contains("blue") => success(&json!({
            "resultType": "vector", "result": [{"metric": {}, "value": [1, "NaN"]}],
        })),
        "/api/v1/query" => success(&json!({
            "resultType": "vector", "result": [{"metric": {}, "value": [1, "0.02"]}],
        })),
        _ => rules(&[]),
    })
    .await;
    let query = Query {
        name: "errors".into(),
        expression: "errors{colour=\"$colour\"}".into(),
        below: Some(0.05),
        above: None,
        traffic: Some(Traffic {
            expression: "requests".into(),
            least: 100.0,
            quiet: Quiet::Extend,
        }),
    };
    let target = Target {
        queries: vec![query.clone()],
        colours: vec!["blue".into(), "green".into()],
        interval_s: 1,
        ..prometheus(&server)
    };
    let mut source = Source::start(target, None);
    let colours = ["blue".into(), "green".into()];
    source
        .until(|alerts| {
            let mut colours = colours.iter();
            colours.all(|colour| alerts.readings.of(&query, colour).is_some())
        })
        .await;
    let [blue, green] = colours.map(|colour| {
        let (_, reading) = source.alerts.readings.of(&query, &colour).unwrap();
        reading.clone()
    });
    assert_eq!(green.value, Ok(0.02));
    assert_eq!(blue.value, Err("NaN is no number".into()));
    assert_eq!(green.requests, Some(Ok(250.0)));
}
