//! When alerts fired, by Prometheus' own series of them: what a cockpit that was started later knows.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use serde_json::{Value, json};
use wheelhouse::estate::FaultKind;
use wheelhouse::estate::spells::STEP_SECONDS;
use wheelhouse::sources::alerts::Target;

use super::said::{at, rule, rules, success};
use super::server::{Answer, Asked, Server};
use super::source::Source;

const NOW: i64 = 1_795_464_000;

/// Points from one second to another, a step apart.
fn points(from: i64, to: i64) -> Vec<Value> {
    let steps = (from..=to).step_by(STEP_SECONDS as usize);
    steps.map(|at| json!([at, "1"])).collect()
}

fn fired(labels: &[(&str, &str)], values: Vec<Value>) -> Value {
    let mut metric = json!({"__name__": "ALERTS", "alertstate": "firing"});
    for (key, value) in labels {
        metric[*key] = json!(value);
    }
    json!({"metric": metric, "values": values})
}

fn answer(asked: &Asked, history: impl Fn() -> Answer) -> Answer {
    match asked.path.as_str() {
        "/api/v1/rules" => rules(&[rule("X", &[])]),
        "/api/v1/query" => {
            success(&json!({"resultType": "scalar", "result": [NOW, NOW.to_string()]}))
        }
        "/api/v1/query_range" => history(),
        _ => success(&json!({"activeTargets": []})),
    }
}

fn prometheus(server: &Server) -> Target {
    Target {
        prometheus: Some(at(server)),
        belongs: [("namespace".into(), "production".into())]
            .into_iter()
            .collect(),
        ..Target::default()
    }
}

#[tokio::test]
async fn alerts_that_ended_before_the_cockpit_was_started_are_told_with_their_times() {
    let server = Server::start(|asked| {
        answer(asked, || {
            let twice = [points(NOW - 3_600, NOW - 3_000), points(NOW - 600, NOW)].concat();
            success(&json!({"resultType": "matrix", "result": [
                fired(&[("alertname", "Ours"), ("namespace", "production")], twice),
                fired(&[("alertname", "Theirs"), ("namespace", "staging")], points(NOW - 900, NOW - 600)),
                fired(&[("alertname", "Early")], points(NOW - 21_600, NOW - 21_000)),
            ]}))
        })
    })
    .await;
    let mut source = Source::start(prometheus(&server), None);
    source.until(|alerts| alerts.spells.listed).await;
    let spells = &source.alerts.spells.value;
    let ended: Vec<_> = spells
        .ended()
        .map(|s| {
            let name = s.labels.get("alertname").unwrap().to_string();
            let ago = |at: jiff::Timestamp| NOW - at.as_second();
            (name, s.from.map(ago), ago(s.to))
        })
        .collect();
    let expected = [
        // Its second spell reaches the end of what was looked at: it may go on.
        ("Ours".to_owned(), Some(3_600), 3_000),
        ("Early".to_owned(), None, 21_000),
    ];
    assert_eq!(ended, expected);
    assert!(
        spells
            .spells
            .iter()
            .all(|s| s.labels.get("alertstate").is_none())
    );
}

#[tokio::test]
async fn a_history_that_cannot_be_read_is_a_fault_of_its_own_and_not_of_the_alerts() {
    let server = Server::start(|asked| {
        answer(asked, || {
            Answer::Full(
                422,
                "",
                r#"{"status":"error","errorType":"execution","error":"too many samples"}"#.into(),
            )
        })
    })
    .await;
    let mut source = Source::start(prometheus(&server), None);
    source
        .until(|alerts| alerts.spells.fault.is_some() && alerts.rules.listed)
        .await;
    let fault = source.alerts.spells.fault.clone().unwrap();
    assert!(fault.what.contains("too many samples"), "{}", fault.what);
    assert_ne!(fault.kind, FaultKind::Unreachable);
    assert!(source.alerts.rules.fault.is_none());
}

#[tokio::test]
async fn of_a_prometheus_that_is_shared_no_history_of_others_is_asked_for() {
    let server = Server::start(|asked| {
        answer(asked, || {
            success(&json!({"resultType": "matrix", "result": []}))
        })
    })
    .await;
    let mut target = prometheus(&server);
    let odd = "a.b|c\"d\\e";
    target.belongs = [("namespace", "shop-eu"), ("team", odd)]
        .map(|(label, value)| (label.into(), value.into()))
        .into_iter()
        .collect();
    let mut source = Source::start(target, None);
    source.until(|alerts| alerts.spells.listed).await;
    let all = server.asked();
    let asked = all.iter().find(|it| it.path.ends_with("query_range"));
    let url = format!("http://here/?{}", asked.unwrap().query);
    let url = reqwest::Url::parse(&url).unwrap();
    let (_, query) = url.query_pairs().find(|(key, _)| key == "query").unwrap();
    assert_eq!(
        query,
        r#"ALERTS{alertstate="firing",namespace=~"shop-eu|",team=~"a\\.b\\|c\"d\\\\e|"}"#
    );
}

#[tokio::test]
async fn a_history_that_never_comes_in_time_is_asked_for_rarely_and_targets_more_seldom_than_rules()
{
    let server =
        Server::start(|asked| answer(asked, || Answer::Full(200, "", "no JSON".into()))).await;
    let mut source = Source::start(prometheus(&server), None);
    let count = |path: &str| server.count(|asked| asked.path.ends_with(path));
    source.until(|_| count("rules") > 40).await;
    let (rules, targets) = (count("rules"), count("targets"));
    assert!(targets > 1 && targets < rules / 3, "{targets} of {rules}");
    assert_eq!(count("query_range"), 3);
}

#[tokio::test]
async fn a_history_that_was_away_as_its_prometheus_was_is_asked_for_as_soon_as_that_is_back() {
    let is_away = Arc::new(AtomicBool::new(true));
    let away = is_away.clone();
    let server = Server::start(move |asked| match away.load(Ordering::SeqCst) {
        true => Answer::Full(200, "", "no JSON".into()),
        false => answer(asked, || {
            success(&json!({"resultType": "matrix", "result": []}))
        }),
    })
    .await;
    let mut source = Source::start(prometheus(&server), None);
    let count = |path: &str| server.count(|asked| asked.path.ends_with(path));
    // By then it is asked for rarely.
    source.until(|_| count("rules") > 20).await;
    is_away.store(false, Ordering::SeqCst);
    let back = source.until(|alerts| alerts.spells.fault.is_none() && alerts.spells.seen.is_some());
    // Ten minutes later it would be asked for in any case.
    tokio::time::timeout(super::said::LIMIT, back)
        .await
        .unwrap();
}
