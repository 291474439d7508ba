//! What Prometheus says, and what is made of it.

use std::time::Duration;

use serde_json::json;
use wheelhouse::clients::prometheus::Prometheus;
use wheelhouse::estate::alerts::RulesSeen;
use wheelhouse::estate::{Fault, FaultKind, Labels, Safe};

use super::cockpit::connect;
use super::said::{LIMIT, alert, at, behind_both, nobody, rule, rules, success, to};
use super::server::{Answer, Asked, Server, json as said, refused};

const HOUR: Duration = Duration::from_secs(3_600);

async fn seen(script: impl Fn(&Asked) -> Answer + Send + Sync + 'static) -> RulesSeen {
    let server = Server::start(script).await;
    Prometheus::new(&at(&server))
        .rules(None, LIMIT)
        .await
        .unwrap()
}

async fn query_fault(answer: fn() -> Answer) -> Fault {
    let server = Server::start(move |_| answer()).await;
    let prometheus = Prometheus::new(&at(&server));
    prometheus.query(None, "up", LIMIT).await.unwrap_err()
}

#[tokio::test]
async fn rules_come_with_their_health_alerts_and_the_servers_clock() {
    let seen = seen(|asked| {
        assert_eq!(
            (asked.path.as_str(), asked.query.as_str()),
            ("/api/v1/rules", "type=alert")
        );
        rules(&[rule(
            "X",
            &[
                alert("X", "firing", &json!({"colour": "green"})),
                alert("X", "pending", &json!({})),
            ],
        )])
    })
    .await;
    assert_eq!(seen.server, "2026-11-23T20:00:00Z".parse().ok());
    let [rule] = &seen.rules[..] else {
        panic!("{seen:?}")
    };
    assert_eq!(
        (
            rule.name.as_str(),
            rule.group.as_str(),
            rule.health.as_str()
        ),
        ("X", "g", "ok")
    );
    assert_eq!(
        rule.evaluated,
        "2026-11-23T19:59:50.123456789Z".parse().ok()
    );
    assert_eq!((rule.interval, rule.hold), (15.0, 300.0));
    let [firing, pending] = &rule.alerts[..] else {
        panic!("{rule:?}")
    };
    assert!(firing.is_firing && !pending.is_firing);
    assert_eq!(firing.labels.get("colour"), Some(&"green".into()));
    assert_eq!(firing.since, "2026-11-23T19:50:00Z".parse().ok());
    assert_eq!(firing.value.as_str(), "1e+00");
}

#[tokio::test]
async fn what_other_servers_leave_out_or_invent_is_borne() {
    let seen = seen(|_| {
        success(&json!({"groups": [
            {"name": "g", "rules": [
                {"name": "bare"},
                {"name": "null", "alerts": null, "labels": null, "lastEvaluation": "0001-01-01T00:00:00Z", "lastError": ""},
                {"name": "odd", "health": "confused", "state": "?", "alerts": [
                    {"labels": {"alertname": "odd", "n": 3}, "state": "recovering", "activeAt": "soon", "value": 0.5},
                    {"state": "inactive"}
                ]},
                {"name": "recorded", "type": "recording"}
            ]},
            {"name": "empty", "rules": null}
        ]}))
    })
    .await;
    let names: Vec<_> = seen.rules.iter().map(|r| r.name.as_str()).collect();
    assert_eq!(names, ["bare", "null", "odd"]);
    assert_eq!(seen.rules[0].health.as_str(), "unknown");
    assert_eq!(
        (seen.rules[1].evaluated, &seen.rules[1].error),
        (None, &None)
    );
    let [odd] = &seen.rules[2].alerts[..] else {
        panic!("{seen:?}")
    };
    assert!(odd.is_firing, "a state that nobody knows is not silent");
    assert_eq!((odd.value.as_str(), odd.since), ("0.5", None));
    assert_eq!(odd.labels.get("n"), Some(&"3".into()));
}

#[tokio::test]
async fn no_groups_at_all_are_no_rules_and_no_fault() {
    for data in [json!({"groups": null}), json!({"groups": []}), json!({})] {
        assert!(seen(move |_| success(&data)).await.rules.is_empty());
    }
}

#[tokio::test]
async fn m02_one_replica_of_two_that_is_down_is_named_and_the_other_is_shown() {
    let server = Server::start(|_| rules(&[rule("X", &[alert("X", "firing", &json!({}))])])).await;
    let gone = nobody();
    for target in [to(&[&server.url, &gone]), to(&[&gone, &server.url])] {
        let seen = Prometheus::new(&target).rules(None, LIMIT).await.unwrap();
        assert_eq!(seen.rules[0].alerts.len(), 1);
        let place = gone.strip_prefix("http://").unwrap();
        let words = format!("of 2 replicas {place} is missing: {place} refuses connections");
        assert_eq!(seen.gaps, [Safe::new(&words)]);
        assert!(seen.warnings.is_empty(), "what one answers is whole");
        let chart = Prometheus::new(&target)
            .targets(None, |_| true, LIMIT)
            .await;
        assert!(chart.is_ok(), "{chart:?}");
    }
    let fault = Prometheus::new(&to(&[&gone, &gone]))
        .rules(None, LIMIT)
        .await
        .unwrap_err();
    assert_eq!(fault.kind, FaultKind::Unreachable);
}

#[tokio::test]
async fn m02_one_of_two_services_behind_the_api_server_that_is_down_is_named() {
    let server = Server::start(|asked| match asked.path.as_str() {
        path if path.contains("/services/prometheus-0:9090/proxy/") => {
            rules(&[rule("X", &[alert("X", "firing", &json!({}))])])
        }
        path if path.contains("/proxy/") => refused(503, "no endpoints available"),
        _ => super::server::calm(asked),
    })
    .await;
    let cluster = connect(&server.url).await;
    for names in [
        ["prometheus-0", "prometheus-1"],
        ["prometheus-1", "prometheus-0"],
    ] {
        let prometheus = Prometheus::new(&behind_both(names, "9090"));
        let seen = prometheus.rules(Some(&cluster), LIMIT).await.unwrap();
        assert_eq!(seen.rules[0].alerts.len(), 1);
        let [gap] = &seen.gaps[..] else {
            panic!("{:?}", seen.gaps)
        };
        let words = "of 2 replicas monitoring/prometheus-1:9090";
        assert!(
            gap.starts_with(words) && gap.contains("no endpoints"),
            "{gap}"
        );
    }
}

#[tokio::test]
async fn m02_warnings_of_a_partial_answer_are_kept() {
    let seen = seen(|_| {
        said(json!({"status": "success", "data": {"groups": []}, "warnings": ["No StoreAPIs matched"]}))
    })
    .await;
    assert!(
        seen.warnings[0].ends_with(": No StoreAPIs matched"),
        "{:?}",
        seen.warnings
    );
}

#[tokio::test]
async fn m03_nan_inf_and_gaps_are_no_numbers_and_nothing_is_no_sample() {
    let server = Server::start(|asked| match asked.query.contains("empty") {
        true => success(&json!({"resultType": "vector", "result": []})),
        false => success(&json!({"resultType": "vector", "result": [
            {"metric": {"colour": "blue"}, "value": [1_800_000_000.5, "NaN"]},
            {"metric": {"colour": "green"}, "value": [1_800_000_000.5, "+Inf"]},
            {"metric": {}, "value": [1_800_000_000.5, "0.25"]}
        ]})),
    })
    .await;
    let prometheus = Prometheus::new(&at(&server));
    let measured = prometheus.query(None, "x", LIMIT).await.unwrap();
    let numbers: Vec<_> = measured
        .samples
        .iter()
        .map(|s| (s.text.as_str(), s.number))
        .collect();
    assert_eq!(
        numbers,
        [("NaN", None), ("+Inf", None), ("0.25", Some(0.25))]
    );
    let nothing = prometheus.query(None, "empty", LIMIT).await.unwrap();
    assert!(nothing.samples.is_empty());
}

/// A server whose clock says 2027-01-15T08:00:00Z, hours from the bastion's.
fn charted(asked: &Asked) -> Answer {
    match asked.path.as_str() {
        "/api/v1/query" => {
            success(&json!({"resultType": "scalar", "result": [1_800_000_000.7, "1800000000.7"]}))
        }
        _ => said(
            json!({"status": "success", "warnings": ["partial"], "data": {"resultType": "matrix", "result": [
                {"metric": {"__name__": "x", "colour": "green"}, "values": [
                    [1_799_996_400, "1"], [1_799_996_460, "NaN"], [1_799_996_580, "3.5"], [1_800_000_000, "4"], [1_800_000_999, "9"]
                ]}
            ]}}),
        ),
    }
}

#[tokio::test]
async fn m07_a_chart_ends_at_the_servers_now_and_shows_its_gaps() {
    let server = Server::start(charted).await;
    let prometheus = Prometheus::new(&at(&server));
    let chart = prometheus
        .chart(None, "x{a=\"b c\"}", HOUR, LIMIT)
        .await
        .unwrap();
    let asked = server.asked();
    let form = &asked[1].query;
    assert!(
        form.contains("start=1799996400&end=1800000000&step=60"),
        "{form}"
    );
    assert!(form.contains("query=x%7Ba%3D%22b+c%22%7D"), "{form}");
    assert_eq!(
        (chart.start.as_second(), chart.step, chart.more),
        (1_799_996_400, 60, 0)
    );
    let points = &chart.series[0].points;
    assert_eq!(points.len(), 61);
    assert_eq!(points[..4], [Some(1.0), None, None, Some(3.5)]);
    assert_eq!(points[60], Some(4.0));
    assert!(chart.warnings[0].ends_with(": partial"));
    let labels = [("alertname", "X"), ("colour", "green")].map(|(k, v)| (k.into(), v.into()));
    assert!(chart.of(&labels.into_iter().collect()).is_some());
    let other: Labels = [("colour".into(), "blue".into())].into_iter().collect();
    assert!(chart.of(&other).is_none());
}

#[tokio::test]
async fn what_is_asked_goes_by_get_as_readers_may_and_only_what_no_address_holds_is_posted() {
    let server = Server::start(charted).await;
    let prometheus = Prometheus::new(&at(&server));
    let long = format!("x{{a=\"{}\"}}", "b".repeat(3_000));
    for (expression, method) in [("x", "GET"), (&long, "POST")] {
        prometheus.query(None, expression, LIMIT).await.unwrap();
        let chart = prometheus.chart(None, expression, HOUR, LIMIT).await;
        chart.unwrap();
        let asked = server.asked();
        let last = &asked[asked.len() - 3..];
        // In between its clock is asked.
        let methods: Vec<&str> = last.iter().map(|it| it.method.as_str()).collect();
        assert_eq!(methods, [method, "GET", method]);
    }
}

#[tokio::test]
async fn m04_an_answer_that_does_not_come_is_slow() {
    let server = Server::start(|_| Answer::Silence).await;
    let prometheus = Prometheus::new(&at(&server));
    let soon = Duration::from_millis(200);
    for fault in [
        prometheus.query(None, "up", soon).await.unwrap_err(),
        prometheus.rules(None, soon).await.unwrap_err(),
    ] {
        assert_eq!(fault.kind, FaultKind::Slow, "{}", fault.what);
    }
}

#[tokio::test]
async fn m04_a_body_that_stops_half_way_is_slow() {
    let half = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 999\r\n\r\n{\"status\":";
    let server = Server::start(|_| Answer::Stalled(half.to_vec())).await;
    let fault = Prometheus::new(&at(&server))
        .rules(None, Duration::from_millis(200))
        .await;
    assert_eq!(fault.unwrap_err().kind, FaultKind::Slow);
}

#[tokio::test]
async fn m04_a_refused_expression_is_told_in_prometheus_words() {
    for (status, kind, words) in [
        (
            422,
            FaultKind::Malformed,
            "execution: query processing would load too many samples",
        ),
        (
            400,
            FaultKind::Malformed,
            "bad_data: 1:4: parse error: unexpected end of input",
        ),
        (
            503,
            FaultKind::Server,
            "timeout: query timed out in expression evaluation",
        ),
    ] {
        let server = Server::start(move |_| {
            let (kind, error) = words.split_once(": ").unwrap();
            let body = json!({"status": "error", "errorType": kind, "error": error});
            Answer::Full(status, "", body.to_string())
        })
        .await;
        let fault = Prometheus::new(&at(&server))
            .query(None, "up{", LIMIT)
            .await
            .unwrap_err();
        assert_eq!(fault.kind, kind);
        assert!(fault.what.ends_with(words), "{}", fault.what);
    }
    let in_200 =
        query_fault(|| said(json!({"status": "error", "errorType": "execution", "error": "no"})))
            .await;
    assert!(
        in_200.what.ends_with("refused: execution: no"),
        "{}",
        in_200.what
    );
    let text = query_fault(|| success(&json!({"resultType": "string", "result": [1, "x"]}))).await;
    assert!(text.what.contains("cannot be shown"), "{}", text.what);
}

#[tokio::test]
async fn m06_hostile_annotations_are_text_and_no_links() {
    let seen = seen(|_| {
        let mut hostile = alert("X", "firing", &json!({"colour": "\u{1b}[31mgreen"}));
        hostile["annotations"] = json!({
            "runbook_url": "\u{1b}]8;;https://evil\u{1b}\\javascript:alert(1)\u{1b}]8;;\u{1b}\\",
            "dashboard_url": "https://grafana.example/d/x",
            "summary": "x".repeat(1 << 20)
        });
        rules(&[rule("X\u{202e}", &[hostile])])
    })
    .await;
    let rule = &seen.rules[0];
    assert_eq!(rule.name.as_str(), "X<U+202E>");
    let alert = &rule.alerts[0];
    assert_eq!(
        alert.labels.get("colour"),
        Some(&"<U+001B>[31mgreen".into())
    );
    assert_eq!(
        alert.annotations.get("runbook_url"),
        Some(&"javascript:alert(1)".into())
    );
    assert_eq!(
        alert.links(),
        [("dashboard", "https://grafana.example/d/x")]
    );
    assert!(alert.annotations.get("summary").unwrap().len() <= 4_096);
}

#[tokio::test]
async fn targets_are_counted_and_those_that_are_down_say_why() {
    let server = Server::start(|asked| {
        assert_eq!(asked.query, "state=active");
        let target = |instance: &str, health: &str, error: &str| {
            json!({"labels": {"job": "backend", "instance": instance, "namespace": "shop"},
                   "discoveredLabels": {"__address__": instance}, "scrapePool": "p",
                   "scrapeUrl": "http://x/metrics", "lastError": error, "health": health})
        };
        success(&json!({"activeTargets": [
            target("a:1", "up", ""), target("b:1", "down", "connection refused"), target("c:1", "unknown", ""),
            {"labels": {"namespace": "other"}, "health": "down"}, {"health": "down", "scrapePool": "bare", "scrapeUrl": "u"}
        ], "droppedTargets": []}))
    })
    .await;
    let ours = |labels: &Labels| labels.get("namespace").is_none_or(|n| n.as_str() == "shop");
    let targets = Prometheus::new(&at(&server))
        .targets(None, ours, LIMIT)
        .await
        .unwrap()
        .unwrap();
    assert_eq!(targets.up, 2);
    let down: Vec<_> = targets
        .down
        .iter()
        .map(|(j, i, w)| (j.as_str(), i.as_str(), w.as_str()))
        .collect();
    assert_eq!(
        down,
        [("backend", "b:1", "connection refused"), ("bare", "u", "")]
    );
}
