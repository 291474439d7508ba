//! The embedded estate's Prometheus and Alertmanager over plain HTTP; long stories in paused time.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    missing_docs,
    reason = "tests"
)]

use axum::body::{Body, to_bytes};
use jiff::Timestamp;
use reqwest::{Client, Method, Response};
use serde_json::{Value, json};
use std::time::Duration;
use tokio::time::timeout;
use tower::ServiceExt;
use wheelhouse::demo::{self, Options, Serving, serve};

const LIMIT: Duration = Duration::from_secs(40);
const PROXY: &str = "/api/v1/namespaces/monitoring/services";

fn still() -> Options {
    Options {
        scenario_file: Some("tests/data/still.json".into()),
        ..Options::default()
    }
}

/// A served estate and a client of its monitoring.
struct Tower {
    serving: Serving,
    client: Client,
}

impl Drop for Tower {
    fn drop(&mut self) {
        self.serving.stop();
    }
}

impl Tower {
    async fn new() -> Self {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let client = Client::builder().tls_certs_only([]).build().unwrap();
        Self {
            serving: serve(still()).await.unwrap(),
            client,
        }
    }

    async fn send(&self, method: Method, url: &str, body: &Value) -> reqwest::Result<Response> {
        let mut request = self.client.request(method, url);
        if !body.is_null() {
            request = request
                .header("content-type", "application/json")
                .body(body.to_string());
        }
        timeout(LIMIT, request.send()).await.unwrap()
    }

    async fn get(&self, path: &str) -> Response {
        let url = format!("http://{}{path}", self.serving.addr);
        self.send(Method::GET, &url, &Value::Null).await.unwrap()
    }

    async fn json(&self, path: &str) -> Value {
        let response = self.get(path).await;
        assert_eq!(response.status(), 200, "{path}");
        response.json().await.unwrap()
    }

    async fn query(&self, query: &str) -> Value {
        let url = format!("{}/api/v1/query", self.serving.prometheus_url());
        let request = self.client.get(url).query(&[("query", query)]);
        let answer: Value = request.send().await.unwrap().json().await.unwrap();
        assert_eq!(answer["status"], "success", "{query}: {answer}");
        answer["data"].clone()
    }

    async fn refused(&self, query: &str) -> (u16, Value) {
        let url = format!("{}/api/v1/query", self.serving.prometheus_url());
        let request = self.client.get(url).query(&[("query", query)]);
        let answer = request.send().await.unwrap();
        (answer.status().as_u16(), answer.json().await.unwrap())
    }

    async fn act(&self, action: Value) {
        let url = format!("http://{}/demo/fault", self.serving.addr);
        let response = self.send(Method::POST, &url, &action).await.unwrap();
        assert_eq!(response.status(), 200);
    }
}

/// An estate in process and in paused time.
struct Paused {
    router: axum::Router,
}

impl Paused {
    fn new(options: &Options) -> Self {
        let estate = demo::Estate::new(options, "2026-11-23T12:00:00Z".parse().unwrap()).unwrap();
        tokio::spawn(estate.clone().drive());
        Self {
            router: demo::router(&estate),
        }
    }

    fn playing(scenario: &str) -> Self {
        Self::new(&Options {
            scenario: scenario.to_owned(),
            ..Options::default()
        })
    }

    async fn ask(&self, method: &str, path: &str, body: &Value) -> (u16, Value) {
        let request = http::Request::builder()
            .method(method)
            .uri(path)
            .body(Body::from(body.to_string()))
            .unwrap();
        let answer = self.router.clone().oneshot(request).await.unwrap();
        let status = answer.status().as_u16();
        // A connection that breaks has no body.
        let bytes = to_bytes(answer.into_body(), usize::MAX)
            .await
            .unwrap_or_default();
        (status, serde_json::from_slice(&bytes).unwrap_or_default())
    }

    async fn get(&self, path: &str) -> Value {
        self.ask("GET", path, &Value::Null).await.1
    }

    async fn act(&self, action: Value) {
        let (status, answer) = self.ask("POST", "/demo/fault", &action).await;
        assert_eq!(status, 200, "{answer}");
    }

    /// The alerts of a rule as Prometheus has them.
    async fn alerts(&self, rule: &str) -> Vec<Value> {
        let answer = self.get("/prometheus/api/v1/alerts").await;
        let all = answer["data"]["alerts"]
            .as_array()
            .cloned()
            .unwrap_or_default();
        all.into_iter()
            .filter(|alert| alert["labels"]["alertname"] == rule)
            .collect()
    }

    /// The alerts of a rule as Alertmanager has them.
    async fn handled(&self, rule: &str, query: &str) -> Vec<Value> {
        let answer = self
            .get(&format!("/alertmanager/api/v2/alerts?{query}"))
            .await;
        let all = answer.as_array().cloned().unwrap_or_default();
        all.into_iter()
            .filter(|alert| alert["labels"]["alertname"] == rule)
            .collect()
    }

    /// Lets time go by until an alert of `rule` is in `state`; answers with it and the seconds that took.
    async fn until(&self, rule: &str, state: &str) -> (Value, u64) {
        for second in 0..300 {
            let alerts = self.alerts(rule).await;
            if let Some(alert) = alerts.iter().find(|alert| alert["state"] == state) {
                return (alert.clone(), second);
            }
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
        panic!("{rule} was never {state}");
    }
}

fn seconds(time: &Value) -> i64 {
    time.as_str()
        .unwrap()
        .parse::<Timestamp>()
        .unwrap()
        .as_second()
}

#[tokio::test]
async fn the_six_rules_and_the_watchdog_are_evaluated_and_only_it_fires() {
    let tower = Tower::new().await;
    let response = tower.get("/prometheus/api/v1/rules?type=alert").await;
    assert!(
        response.headers().contains_key("date"),
        "the server's clock"
    );
    let answer: Value = response.json().await.unwrap();
    let groups = answer["data"]["groups"].as_array().unwrap();
    let rules: Vec<&Value> = groups
        .iter()
        .flat_map(|group| group["rules"].as_array().unwrap())
        .collect();
    let names: Vec<&str> = rules
        .iter()
        .map(|rule| rule["name"].as_str().unwrap())
        .collect();
    for name in [
        "HighErrorRate",
        "HighResponseTime",
        "DatabaseConnectionsHigh",
        "RedisMemoryUsageHigh",
        "PodCrashLooping",
        "NodeDiskSpaceWarning",
    ] {
        let rule = rules[names.iter().position(|one| *one == name).unwrap()];
        assert_eq!(
            (&rule["state"], &rule["health"]),
            (&json!("inactive"), &json!("ok")),
            "{name}"
        );
        assert!(
            rule["annotations"]["runbook_url"]
                .as_str()
                .unwrap()
                .starts_with("https://")
        );
        let age = Timestamp::now().as_second() - seconds(&rule["lastEvaluation"]);
        assert!((0..=60).contains(&age), "{age}");
    }
    assert_eq!(names.len(), 7);
    let alerts = tower.json("/prometheus/api/v1/alerts").await;
    let alerts = alerts["data"]["alerts"].as_array().unwrap();
    assert_eq!(alerts.len(), 1);
    assert_eq!(
        (&alerts[0]["labels"]["alertname"], &alerts[0]["state"]),
        (&json!("Watchdog"), &json!("firing"))
    );
    assert_eq!(alerts[0]["value"], "1e+00");
}

#[tokio::test]
async fn every_rules_own_expression_can_be_asked() {
    let tower = Tower::new().await;
    let answer = tower.json("/prometheus/api/v1/rules").await;
    for group in answer["data"]["groups"].as_array().unwrap() {
        for rule in group["rules"].as_array().unwrap() {
            let expression = rule["query"].as_str().unwrap();
            let found = tower.query(expression).await;
            let fires = rule["state"] == "firing";
            assert_eq!(
                !found["result"].as_array().unwrap().is_empty(),
                fires,
                "{expression}"
            );
        }
    }
}

#[tokio::test]
async fn metrics_tell_the_colours_apart_and_a_chart_has_a_past() {
    let tower = Tower::new().await;
    let found = tower
        .query("sum by (colour) (rate(http_requests_total{namespace=\"production\"}[1m]))")
        .await;
    let rate = |colour: &str| -> f64 {
        let rows = found["result"].as_array().unwrap();
        let row = rows
            .iter()
            .find(|row| row["metric"]["colour"] == colour)
            .unwrap();
        row["value"][1].as_str().unwrap().parse().unwrap()
    };
    assert!(rate("blue") > 20.0 * rate("green"), "{found}");
    let share = tower.query("sum(rate(http_requests_total{status=~\"5..\"}[5m])) / sum(rate(http_requests_total[5m])) * 100 < bool 1").await;
    assert_eq!(share["result"][0]["value"][1], "1");
    assert_eq!(tower.query("up == 0").await["result"], json!([]));
    assert_eq!(tower.query("no_such_metric").await["result"], json!([]));
    let now = Timestamp::now().as_second();
    let url = format!("{}/api/v1/query_range", tower.serving.prometheus_url());
    let query = "histogram_quantile(0.95, sum by (le, colour) (rate(http_request_duration_seconds_bucket{colour=\"blue\"}[1m])))";
    let (start, end) = ((now - 1_200).to_string(), now.to_string());
    let form = [
        ("query", query),
        ("start", &start),
        ("end", &end),
        ("step", "30s"),
    ];
    let chart: Value = tower
        .client
        .get(url)
        .query(&form)
        .send()
        .await
        .unwrap()
        .json()
        .await
        .unwrap();
    let row = &chart["data"]["result"][0];
    assert_eq!(
        (&chart["data"]["resultType"], &row["metric"]),
        (&json!("matrix"), &json!({"colour": "blue"}))
    );
    let values = row["values"].as_array().unwrap();
    assert!((39..=41).contains(&values.len()), "{}", values.len());
    let latency = |value: &Value| -> f64 { value[1].as_str().unwrap().parse().unwrap() };
    assert!(
        values
            .iter()
            .all(|value| (0.05..1.0).contains(&latency(value))),
        "{values:?}"
    );
}

#[tokio::test]
async fn m04_a_query_that_is_none_is_bad_data_and_says_why() {
    let tower = Tower::new().await;
    for (query, why) in [
        ("sum(", "unexpected end of input"),
        ("", "no expression found"),
        ("up{job=~\"(\"}", "error parsing regexp"),
        ("frobnicate(up)", "unknown function"),
        ("rate(up)", "expected type range vector"),
        ("up up", "unexpected identifier"),
        ("\"open", "unterminated quoted string"),
    ] {
        let (status, answer) = tower.refused(query).await;
        assert_eq!(
            (status, &answer["errorType"]),
            (400, &json!("bad_data")),
            "{query}"
        );
        assert!(
            answer["error"].as_str().unwrap().contains(why),
            "{query}: {answer}"
        );
    }
    let url = "/prometheus/api/v1/query_range?query=up&start=0&end=20000&step=1";
    let answer: Value = tower.get(url).await.json().await.unwrap();
    assert!(answer["error"].as_str().unwrap().contains("11,000 points"));
}

#[tokio::test]
async fn both_are_reached_through_the_service_proxy_where_the_viewer_may_only_read() {
    let tower = Tower::new().await;
    let services = tower.json("/api/v1/namespaces/monitoring/services").await;
    assert_eq!(services["items"].as_array().unwrap().len(), 2);
    let rules = tower
        .json(&format!("{PROXY}/prometheus:9090/proxy/api/v1/rules"))
        .await;
    assert_eq!(rules["status"], "success");
    let alerts = tower
        .json(&format!("{PROXY}/alertmanager:9093/proxy/api/v2/alerts"))
        .await;
    assert!(alerts.is_array());
    assert_eq!(
        tower
            .get(&format!("{PROXY}/grafana:3000/proxy/"))
            .await
            .status(),
        404
    );
    let silences = format!(
        "http://{}/as/demo-viewer{PROXY}/alertmanager:9093/proxy/api/v2/silences",
        tower.serving.addr
    );
    let read = tower
        .send(Method::GET, &silences, &Value::Null)
        .await
        .unwrap();
    assert_eq!(read.status(), 200);
    let write = tower
        .send(Method::POST, &silences, &json!({}))
        .await
        .unwrap();
    assert_eq!(write.status(), 403);
    let answer: Value = write.json().await.unwrap();
    assert!(
        answer["message"]
            .as_str()
            .unwrap()
            .contains("services/proxy"),
        "{answer}"
    );
    tower
        .act(json!({"do": "prometheus-away", "times": 1}))
        .await;
    let away = tower
        .get(&format!("{PROXY}/prometheus:9090/proxy/api/v1/rules"))
        .await;
    assert_eq!(away.status(), 503);
    let answer: Value = away.json().await.unwrap();
    assert_eq!(
        answer["message"],
        "no endpoints available for service \"prometheus:9090\""
    );
}

#[tokio::test]
async fn m01_prometheus_away_is_no_answer_at_all_while_alertmanager_answers() {
    let tower = Tower::new().await;
    assert_eq!(tower.get("/prometheus/-/ready").await.status(), 200);
    tower.act(json!({"do": "prometheus-away"})).await;
    let rules = format!("{}/api/v1/rules", tower.serving.prometheus_url());
    assert!(tower.send(Method::GET, &rules, &Value::Null).await.is_err());
    let status = tower.json("/alertmanager/api/v2/status").await;
    assert_eq!(status["cluster"]["status"], "disabled");
    tower.act(json!({"do": "heal"})).await;
    assert_eq!(
        tower.json("/prometheus/api/v1/rules").await["status"],
        "success"
    );
}

#[tokio::test]
async fn targets_are_the_scraped_pods_and_the_exporters() {
    let tower = Tower::new().await;
    let answer = tower.json("/prometheus/api/v1/targets?state=active").await;
    let targets = answer["data"]["activeTargets"].as_array().unwrap();
    let count = |job: &str| {
        targets
            .iter()
            .filter(|target| target["labels"]["job"] == job)
            .count()
    };
    assert!(targets.iter().all(|target| target["health"] == "up"));
    assert_eq!((count("postgres-exporter"), count("node-exporter")), (2, 3));
    let pods = tower.json("/api/v1/namespaces/production/pods").await;
    let pods = pods["items"].as_array().unwrap().len();
    let scraped = targets.iter().filter(|target| {
        target["labels"]["namespace"] == "production" && target["labels"]["pod"].is_string()
    });
    assert_eq!(scraped.count(), pods);
}

#[tokio::test]
async fn a_silence_is_made_changed_and_expired_and_a_bad_one_is_refused() {
    let tower = Tower::new().await;
    let url = format!("{}/api/v2/silences", tower.serving.alertmanager_url());
    let now = Timestamp::now();
    let at = |hours: i64| (now + jiff::SignedDuration::from_hours(hours)).to_string();
    let matcher =
        json!({"name": "alertname", "value": "Watchdog", "isRegex": false, "isEqual": true});
    let silence = json!({"matchers": [matcher], "startsAt": at(0), "endsAt": at(1), "createdBy": "bob", "comment": "known"});
    let bad = |key: &str, value: Value| {
        let mut bad = silence.clone();
        bad[key] = value;
        bad
    };
    for wrong in [
        bad("matchers", json!([])),
        bad("endsAt", json!(at(-1))),
        bad(
            "matchers",
            json!([{"name": "a", "value": "(", "isRegex": true}]),
        ),
        bad(
            "matchers",
            json!([{"name": "a", "value": ".*", "isRegex": true}]),
        ),
    ] {
        let answer = tower.send(Method::POST, &url, &wrong).await.unwrap();
        assert_eq!(answer.status(), 400, "{wrong}");
        assert!(answer.json::<Value>().await.unwrap().is_string());
    }
    let unknown = tower
        .send(Method::POST, &url, &bad("id", json!("none")))
        .await
        .unwrap();
    assert_eq!(unknown.status(), 404);
    let made = tower.send(Method::POST, &url, &silence).await.unwrap();
    let id = made.json::<Value>().await.unwrap()["silenceID"]
        .as_str()
        .unwrap()
        .to_owned();
    let one = format!("/alertmanager/api/v2/silence/{id}");
    assert_eq!(tower.json(&one).await["status"]["state"], "active");
    let longer = json!({"id": id, "matchers": [matcher], "startsAt": at(0), "endsAt": at(2), "createdBy": "bob", "comment": "longer"});
    let changed = tower.send(Method::POST, &url, &longer).await.unwrap();
    assert_eq!(
        changed.json::<Value>().await.unwrap()["silenceID"],
        id.as_str()
    );
    let all = tower.json("/alertmanager/api/v2/silences").await;
    assert_eq!(
        (all.as_array().unwrap().len(), &all[0]["comment"]),
        (1, &json!("longer"))
    );
    let silence = format!("http://{}{one}", tower.serving.addr);
    let ended = tower
        .send(Method::DELETE, &silence, &Value::Null)
        .await
        .unwrap();
    assert_eq!(ended.status(), 200);
    assert_eq!(tower.json(&one).await["status"]["state"], "expired");
    let again = tower
        .send(Method::DELETE, &silence, &Value::Null)
        .await
        .unwrap();
    assert_eq!(again.status(), 500);
}

#[tokio::test(start_paused = true)]
async fn rising_errors_make_a_rule_pending_then_firing_and_alertmanager_hears_of_it_after() {
    let tower = Paused::new(&still());
    tower.act(json!({"do": "metric", "name": "errors", "colour": "green", "part": "backend", "value": 40, "for": "4m"})).await;
    let (pending, _) = tower.until("HighErrorRate", "pending").await;
    assert_eq!(
        (&pending["labels"]["colour"], &pending["labels"]["service"]),
        (&json!("green"), &json!("backend"))
    );
    assert_eq!(
        (
            &pending["labels"]["severity"],
            &pending["labels"]["namespace"]
        ),
        (&json!("critical"), &json!("production"))
    );
    let (firing, held) = tower.until("HighErrorRate", "firing").await;
    assert!((15..=46).contains(&held), "{held}");
    assert_eq!(firing["activeAt"], pending["activeAt"]);
    assert!(
        firing["annotations"]["summary"]
            .as_str()
            .unwrap()
            .starts_with("backend green")
    );
    assert!(
        tower.handled("HighErrorRate", "").await.is_empty(),
        "it takes a while to get there"
    );
    tokio::time::sleep(Duration::from_secs(4)).await;
    let handled = tower.handled("HighErrorRate", "").await;
    assert_eq!(handled.len(), 1, "blue has nothing");
    assert_eq!(handled[0]["status"]["state"], "active");
    assert_eq!(handled[0]["labels"]["cluster"], "demo-eu");
    assert_eq!(handled[0]["fingerprint"].as_str().unwrap().len(), 16);
    tokio::time::sleep(Duration::from_secs(330)).await;
    assert!(tower.alerts("HighErrorRate").await.is_empty());
    assert!(tower.handled("HighErrorRate", "").await.is_empty());
}

#[tokio::test(start_paused = true)]
async fn the_graver_alert_inhibits_the_slow_one_and_a_silence_quiets_both_flags_apart() {
    let tower = Paused::new(&still());
    for (name, value) in [("errors", 50), ("latency", 4_000)] {
        tower.act(json!({"do": "metric", "name": name, "colour": "blue", "part": "frontend", "value": value})).await;
    }
    tower.until("HighErrorRate", "firing").await;
    tower.until("HighResponseTime", "firing").await;
    tokio::time::sleep(Duration::from_secs(5)).await;
    let grave = tower.handled("HighErrorRate", "").await[0].clone();
    let slow = tower.handled("HighResponseTime", "").await[0].clone();
    assert_eq!(slow["status"]["state"], "suppressed");
    assert_eq!(slow["status"]["inhibitedBy"], json!([grave["fingerprint"]]));
    assert!(
        tower
            .handled("HighResponseTime", "inhibited=false")
            .await
            .is_empty()
    );
    let silence = json!({
        "matchers": [{"name": "alertname", "value": "High(ErrorRate|Nothing)", "isRegex": true}], "comment": "known", "createdBy": "bob",
        "startsAt": "2026-11-23T12:00:00Z", "endsAt": "2026-11-23T13:00:00Z",
    });
    let (status, made) = tower
        .ask("POST", "/alertmanager/api/v2/silences", &silence)
        .await;
    assert_eq!(status, 200, "{made}");
    let grave = tower.handled("HighErrorRate", "").await[0].clone();
    assert_eq!(grave["status"]["silencedBy"], json!([made["silenceID"]]));
    assert!(
        tower
            .handled("HighErrorRate", "silenced=false")
            .await
            .is_empty()
    );
    assert!(tower.handled("HighErrorRate", "active=false").await.len() == 1);
    assert!(
        tower
            .handled("HighErrorRate", "filter=colour%3D%22green%22")
            .await
            .is_empty()
    );
    assert_eq!(tower.handled("Watchdog", "active=false").await.len(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_bad_release_makes_greens_errors_and_crashes_fire_and_nothing_of_blue() {
    let tower = Paused::playing("bad-release");
    let (errors, after) = tower.until("HighErrorRate", "firing").await;
    assert_eq!(errors["labels"]["colour"], "green");
    assert!(after <= 120, "{after} s are too long to sit through");
    let (crash, more) = tower.until("PodCrashLooping", "firing").await;
    assert!(after + more <= 180, "{after} s and {more} s");
    assert_eq!(
        (&crash["labels"]["colour"], &crash["labels"]["service"]),
        (&json!("green"), &json!("backend"))
    );
    assert!(
        crash["labels"]["pod"]
            .as_str()
            .unwrap()
            .starts_with("digital-wall-green-backend-")
    );
    let all = tower.get("/prometheus/api/v1/alerts").await;
    let all = all["data"]["alerts"].as_array().unwrap();
    assert!(
        all.iter().all(|alert| alert["labels"]["colour"] != "blue"),
        "{all:?}"
    );
}

#[tokio::test(start_paused = true)]
async fn calm_stays_calm_for_ten_minutes() {
    let tower = Paused::playing("calm");
    for _ in 0..40 {
        tokio::time::sleep(Duration::from_secs(15)).await;
        let answer = tower.get("/prometheus/api/v1/alerts").await;
        let alerts = answer["data"]["alerts"].as_array().unwrap();
        assert_eq!(alerts.len(), 1, "only the Watchdog: {alerts:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn noisy_alerts_are_noisy() {
    let tower = Paused::playing("noisy-alerts");
    tokio::time::sleep(Duration::from_secs(140)).await;
    let answer = tower.get("/prometheus/api/v1/alerts").await;
    let alerts = answer["data"]["alerts"].as_array().unwrap();
    let mut firing: Vec<&str> = alerts
        .iter()
        .filter(|alert| alert["state"] == "firing")
        .map(|alert| alert["labels"]["alertname"].as_str().unwrap())
        .collect();
    firing.sort_unstable();
    firing.dedup();
    assert!(firing.len() >= 6, "{firing:?}");
}

#[tokio::test(start_paused = true)]
async fn m01_a_stalled_prometheus_answers_with_old_evaluations() {
    let tower = Paused::new(&still());
    let last = async || {
        let answer = tower.get("/prometheus/api/v1/rules").await;
        seconds(&answer["data"]["groups"][0]["lastEvaluation"])
    };
    tower
        .act(json!({"do": "prometheus-stall", "for": "2m"}))
        .await;
    let before = last().await;
    tokio::time::sleep(Duration::from_secs(100)).await;
    assert_eq!(last().await, before);
    tokio::time::sleep(Duration::from_secs(40)).await;
    assert!(last().await > before);
}

#[tokio::test(start_paused = true)]
async fn prometheus_away_goes_and_comes_back_as_its_scenario_says() {
    let tower = Paused::playing("prometheus-away");
    let is_there = async || tower.get("/prometheus/api/v1/rules").await["status"] == "success";
    assert!(is_there().await);
    tokio::time::sleep(Duration::from_secs(30)).await;
    assert!(!is_there().await);
    tokio::time::sleep(Duration::from_secs(60)).await;
    assert!(is_there().await);
    assert_eq!(
        tower.alerts("HighErrorRate").await.len(),
        2,
        "it went on evaluating meanwhile"
    );
    tokio::time::sleep(Duration::from_secs(20)).await;
    assert_eq!(tower.get("/alertmanager/api/v2/alerts").await, Value::Null);
}
