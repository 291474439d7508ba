//! Prometheus' HTTP API.

use super::lexer::span;
use super::parser::parse;
use super::rules::Rule;
use super::vector::Value;
use super::{Asked, Labels, eval, text};
use crate::demo::api;
use crate::demo::clock::wall;
use crate::demo::world::World;
use axum::http::{Method, StatusCode};
use axum::response::{IntoResponse, Response};
use jiff::Timestamp;
use serde_json::{Value as Json, json};
use std::collections::BTreeMap;

/// The most points of a series that one query may ask for.
const POINTS: i64 = 11_000;

/// Answers a request by its path.
pub(super) fn answer(world: &World, asked: &Asked) -> Response {
    let is_read = matches!(asked.method, Method::GET | Method::HEAD);
    let is_query = asked.path.starts_with("/api/v1/query") && asked.method == Method::POST;
    if !is_read && !is_query {
        return (StatusCode::METHOD_NOT_ALLOWED, "Method Not Allowed\n").into_response();
    }
    let data = match asked.path.as_str() {
        "/api/v1/rules" => Ok(rules(world, asked)),
        "/api/v1/alerts" => Ok(json!({"alerts": alerts(world)})),
        "/api/v1/targets" => Ok(targets(world)),
        "/api/v1/query" => query(world, asked),
        "/api/v1/query_range" => query_range(world, asked),
        "/api/v1/alertmanagers" => Ok(
            json!({"activeAlertmanagers": [{"url": "http://alertmanager:9093/api/v2/alerts"}], "droppedAlertmanagers": []}),
        ),
        "/api/v1/status/buildinfo" => Ok(json!({
            "version": "3.5.0", "revision": "8be3a9560fbdd18a94dedec4b747c35178177202", "branch": "HEAD", "buildUser": "root@4451b64cb451",
            "buildDate": "20250714-16:15:23", "goVersion": "go1.24.5",
        })),
        _ => return (StatusCode::NOT_FOUND, "404 page not found\n").into_response(),
    };
    match data {
        Ok(data) => api::json(
            200,
            json!({"status": "success", "data": data})
                .to_string()
                .into_bytes(),
        ),
        Err(why) => {
            let body = json!({"status": "error", "errorType": "bad_data", "error": why});
            api::json(400, body.to_string().into_bytes())
        }
    }
}

fn rules(world: &World, asked: &Asked) -> Json {
    let wanted: Vec<&str> = asked.params.all("rule_name[]").collect();
    if asked.params.text("type") == "record" {
        return json!({"groups": []});
    }
    let mut groups: BTreeMap<&str, Vec<&Rule>> = BTreeMap::new();
    for rule in &world.monitoring.rules {
        if wanted.is_empty() || wanted.contains(&rule.name) {
            groups.entry(rule.group).or_default().push(rule);
        }
    }
    let groups = groups.into_iter().map(|(name, rules)| {
        let took: f64 = rules.iter().map(|rule| World::took(rule)).sum();
        let last = rules.iter().map(|rule| rule.evaluated).max().unwrap_or(0);
        let shown: Vec<Json> = rules.iter().map(|rule| shown(world, rule)).collect();
        json!({"name": name, "file": format!("/etc/prometheus/rules/{name}.yml"), "rules": shown, "interval": super::INTERVAL / 1_000,
            "limit": 0, "evaluationTime": took, "lastEvaluation": text::time(world, last)})
    });
    json!({"groups": groups.collect::<Vec<_>>()})
}

fn shown(world: &World, rule: &Rule) -> Json {
    json!({
        "state": rule.state(), "name": rule.name, "query": rule.query, "duration": rule.hold / 1_000, "keepFiringFor": 0,
        "labels": rule.own_labels(), "annotations": rule.annotations(), "alerts": alerts_of(world, rule), "health": "ok",
        "evaluationTime": World::took(rule), "lastEvaluation": text::time(world, rule.evaluated), "type": "alerting",
    })
}

fn alerts(world: &World) -> Vec<Json> {
    let rules = world.monitoring.rules.iter();
    rules.flat_map(|rule| alerts_of(world, rule)).collect()
}

fn alerts_of(world: &World, rule: &Rule) -> Vec<Json> {
    let alerts = rule.alerts.iter().map(|(labels, alert)| {
        let state = if alert.fired.is_some() {
            "firing"
        } else {
            "pending"
        };
        json!({"labels": labels, "annotations": rule.told(labels, alert.value), "state": state,
            "activeAt": text::time(world, alert.since), "value": text::exponent(alert.value)})
    });
    alerts.collect()
}

fn targets(world: &World) -> Json {
    let last = world
        .monitoring
        .rules
        .first()
        .map_or(0, |rule| rule.evaluated);
    let shown = |labels: Labels, address: &str, error: Option<String>| {
        let job = labels.get("job").cloned().unwrap_or_default();
        let url = format!("http://{address}/metrics");
        json!({
            "discoveredLabels": {"__address__": address, "__metrics_path__": "/metrics", "__scheme__": "http", "job": job},
            "labels": labels, "scrapePool": job, "scrapeUrl": url, "globalUrl": url, "lastError": error.clone().unwrap_or_default(),
            "lastScrape": text::time(world, last), "lastScrapeDuration": 0.007_214, "health": if error.is_some() { "down" } else { "up" },
            "scrapeInterval": "15s", "scrapeTimeout": "10s",
        })
    };
    let pods = world.targets().into_iter().map(|pod| {
        let url = format!("http://{}/metrics", pod.address);
        let refused = format!(
            "Get {url:?}: dial tcp {}: connect: connection refused",
            pod.address
        );
        shown(pod.labels(), &pod.address, (!pod.is_up).then_some(refused))
    });
    // Exporters are always there: their series are what tells of them.
    let exporters = world
        .monitoring
        .series
        .of("up")
        .filter(|series| !series.labels.contains_key("pod"));
    let exporters = exporters.map(|series| {
        let mut labels = series.labels.clone();
        labels.remove("__name__");
        let address = labels.get("instance").cloned().unwrap_or_default();
        shown(labels, &address, None)
    });
    let active: Vec<Json> = pods.chain(exporters).collect();
    json!({"activeTargets": active, "droppedTargets": [], "droppedTargetCounts": {}})
}

/// A time parameter: seconds, or RFC 3339; in milliseconds since the start.
fn moment(world: &World, asked: &Asked, key: &str) -> Result<i64, String> {
    let said = asked.params.text(key);
    let invalid =
        || format!("invalid parameter {key:?}: cannot parse {said:?} to a valid timestamp");
    let seconds = said.parse::<f64>().ok().and_then(millis);
    let parsed = seconds.or_else(|| {
        said.parse::<Timestamp>()
            .ok()
            .map(Timestamp::as_millisecond)
    });
    Ok(parsed.ok_or_else(invalid)? - world.epoch.as_millisecond())
}

/// Seconds as whole milliseconds; nothing where they are no time at all.
#[allow(clippy::cast_possible_truncation, reason = "the range is checked")]
fn millis(seconds: f64) -> Option<i64> {
    let is_sane = seconds.is_finite() && seconds.abs() < 1e12;
    is_sane.then(|| (seconds * 1_000.0).round() as i64)
}

/// A sample's time in seconds.
#[allow(clippy::cast_precision_loss, reason = "milliseconds of this century")]
fn seconds(world: &World, at: i64) -> f64 {
    wall(world.epoch, at).as_millisecond() as f64 / 1_000.0
}

fn query(world: &World, asked: &Asked) -> Result<Json, String> {
    let at = match asked.params.text("time") {
        "" => world.now,
        _ => moment(world, asked, "time")?,
    };
    let expr = parse(asked.params.text("query"))
        .map_err(|why| format!("invalid parameter \"query\": {why}"))?;
    let time = seconds(world, at);
    Ok(
        match eval::eval(&expr, &world.monitoring.series, at, time) {
            Value::Scalar(value) => {
                json!({"resultType": "scalar", "result": [time, text::number(value)]})
            }
            Value::Text(said) => json!({"resultType": "string", "result": [time, said]}),
            Value::Vector(vector) => {
                let samples = vector.iter().map(|(labels, value)| json!({"metric": labels, "value": [time, text::number(*value)]}));
                json!({"resultType": "vector", "result": samples.collect::<Vec<_>>()})
            }
        },
    )
}

fn query_range(world: &World, asked: &Asked) -> Result<Json, String> {
    let (start, end) = (moment(world, asked, "start")?, moment(world, asked, "end")?);
    let said = asked.params.text("step");
    let step = said
        .parse::<f64>()
        .ok()
        .and_then(millis)
        .or_else(|| span(said));
    let step = step.ok_or_else(|| {
        format!("invalid parameter \"step\": cannot parse {said:?} to a valid duration")
    })?;
    if end < start {
        return Err(
            "invalid parameter \"end\": end timestamp must not be before start time".to_owned(),
        );
    }
    if step <= 0 {
        return Err("invalid parameter \"step\": zero or negative query resolution step widths are not accepted. Try a positive integer".to_owned());
    }
    if (end - start) / step > POINTS {
        return Err("exceeded maximum resolution of 11,000 points per timeseries. Try decreasing the query resolution (?step=XX)".to_owned());
    }
    let expr = parse(asked.params.text("query"))
        .map_err(|why| format!("invalid parameter \"query\": {why}"))?;
    let mut rows: BTreeMap<Labels, Vec<Json>> = BTreeMap::new();
    let mut at = start;
    while at <= end {
        let time = seconds(world, at);
        // Before the first sample and after the last one there is nothing to evaluate.
        let is_known = at >= world.now - 2 * 3_600_000 && at <= world.now + 300_000;
        let value = if is_known {
            eval::eval(&expr, &world.monitoring.series, at, time)
        } else {
            Value::Vector(Vec::new())
        };
        let samples = match value {
            Value::Scalar(value) => vec![(Labels::new(), value)],
            value => value.vector(),
        };
        for (labels, value) in samples {
            rows.entry(labels)
                .or_default()
                .push(json!([time, text::number(value)]));
        }
        at += step;
    }
    let rows = rows
        .into_iter()
        .map(|(labels, values)| json!({"metric": labels, "values": values}));
    Ok(json!({"resultType": "matrix", "result": rows.collect::<Vec<_>>()}))
}
