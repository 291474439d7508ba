//! Alertmanager's API v2: what it received, what it keeps quiet, and its silences.

use super::rules::fingerprint;
use super::selector::Matcher;
use super::{Asked, Labels, text};
use crate::demo::api::{self, Params};
use crate::demo::world::World;
use axum::http::{Method, StatusCode};
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};

/// An alert as it arrived.
#[derive(Debug, Clone)]
pub(super) struct Received {
    pub(super) labels: Labels,
    pub(super) annotations: Labels,
    pub(super) query: &'static str,
    pub(super) starts: i64,
    /// From when on it is shown: it takes a while to arrive.
    pub(super) seen: i64,
    pub(super) updated: i64,
    pub(super) ends: i64,
}

/// What a graver alert keeps quiet: the same service and colour need no second word.
const INHIBITS: (&str, &str) = ("HighErrorRate", "HighResponseTime");

/// Answers a request by its path.
pub(super) fn answer(world: &mut World, asked: &Asked) -> Response {
    let path: Vec<&str> = asked
        .path
        .split('/')
        .filter(|word| !word.is_empty())
        .collect();
    match (path.as_slice(), &asked.method) {
        (["api", "v2", "status"], &Method::GET) => show(&status(world)),
        (["api", "v2", "receivers"], &Method::GET) => show(&json!([{"name": "team"}])),
        (["api", "v2", "alerts"], &Method::GET) => {
            with_filter(&asked.params, |filter| alerts(world, &asked.params, filter))
        }
        (["api", "v2", "silences"], &Method::GET) => {
            with_filter(&asked.params, |filter| world.silences(filter))
        }
        (["api", "v2", "silences"], &Method::POST) => post(world, asked),
        (["api", "v2", "silence", id], &Method::GET) => match world.silence(id) {
            Some(silence) => show(&silence),
            None => StatusCode::NOT_FOUND.into_response(),
        },
        (["api", "v2", "silence", id], &Method::DELETE) => expire(world, id),
        (["api", "v2", ..], _) => {
            let body =
                json!({"code": 404, "message": format!("path {} was not found", asked.path)});
            api::json(404, body.to_string().into_bytes())
        }
        _ => (StatusCode::NOT_FOUND, "404 page not found\n").into_response(),
    }
}

fn show(value: &Value) -> Response {
    api::json(200, value.to_string().into_bytes())
}

/// A refusal: a JSON string, as Alertmanager sends it.
fn refuse(code: u16, why: &str) -> Response {
    api::json(code, json!(why).to_string().into_bytes())
}

fn with_filter(params: &Params, make: impl FnOnce(&[Matcher]) -> Value) -> Response {
    let mut matchers = Vec::new();
    for said in params.all("filter") {
        match Matcher::parse(said) {
            Some(matcher) => matchers.push(matcher),
            None => return refuse(400, &format!("bad matcher format: {said}")),
        }
    }
    show(&make(&matchers))
}

fn alerts(world: &World, params: &Params, filter: &[Matcher]) -> Value {
    let wants = |key: &str| params.text(key) != "false";
    let now = world.now;
    let all = world.monitoring.received.values();
    let seen: Vec<&Received> = all
        .filter(|one| one.seen <= now && one.ends > now)
        .collect();
    let shown = seen.iter().filter_map(|one| {
        let silenced = world.silenced_by(&one.labels);
        let inhibited = inhibited_by(&seen, one);
        let is_quiet = !silenced.is_empty() || !inhibited.is_empty();
        let is_wanted = filter.iter().all(|matcher| matcher.fits(&one.labels))
            && (is_quiet || wants("active"))
            && (silenced.is_empty() || wants("silenced"))
            && (inhibited.is_empty() || wants("inhibited"));
        is_wanted.then(|| {
            json!({
                "labels": one.labels, "annotations": one.annotations, "fingerprint": fingerprint(&one.labels), "receivers": [{"name": "team"}],
                "startsAt": text::short_time(world, one.starts), "endsAt": text::short_time(world, one.ends),
                "updatedAt": text::short_time(world, one.updated), "generatorURL": generator(one.query),
                "status": {"state": if is_quiet { "suppressed" } else { "active" }, "silencedBy": silenced, "inhibitedBy": inhibited, "mutedBy": []},
            })
        })
    });
    shown.collect()
}

fn generator(query: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte);
    let escaped: String = query
        .bytes()
        .map(|byte| {
            if plain(byte) {
                char::from(byte).to_string()
            } else {
                format!("%{byte:02X}")
            }
        })
        .collect();
    format!("http://prometheus.monitoring:9090/graph?g0.expr={escaped}&g0.tab=1")
}

fn inhibited_by(seen: &[&Received], one: &Received) -> Vec<String> {
    let named =
        |labels: &Labels, name: &str| labels.get("alertname").is_some_and(|found| found == name);
    if !named(&one.labels, INHIBITS.1) {
        return Vec::new();
    }
    let is_same = |other: &&&Received| {
        let equal = ["namespace", "service", "colour"];
        named(&other.labels, INHIBITS.0)
            && equal
                .iter()
                .all(|key| other.labels.get(*key) == one.labels.get(*key))
    };
    seen.iter()
        .filter(is_same)
        .map(|other| fingerprint(&other.labels))
        .collect()
}

fn post(world: &mut World, asked: &Asked) -> Response {
    let said = match serde_json::from_slice::<Value>(&asked.body) {
        Ok(said) => said,
        Err(error) => {
            let body = json!({"code": 400, "message": format!("parsing silence body from \"\" failed, because {error}")});
            return api::json(400, body.to_string().into_bytes());
        }
    };
    match world.make_silence(&said) {
        Ok(id) => show(&json!({"silenceID": id})),
        Err((code, why)) => refuse(code, &why),
    }
}

fn expire(world: &mut World, id: &str) -> Response {
    match world.expire_silence(id) {
        Ok(()) => StatusCode::OK.into_response(),
        Err((404, _)) => StatusCode::NOT_FOUND.into_response(),
        Err((code, why)) => refuse(code, &why),
    }
}

fn status(world: &World) -> Value {
    json!({
        "cluster": {"name": "01JDEMO0000000000000000000", "peers": [], "status": "disabled"},
        "config": {"original": "route:\n  receiver: team\ninhibit_rules:\n- source_matchers: [alertname=\"HighErrorRate\"]\n  target_matchers: [alertname=\"HighResponseTime\"]\n  equal: [namespace, service, colour]\nreceivers:\n- name: team\n"},
        "uptime": text::short_time(world, -9 * 86_400_000),
        "versionInfo": {"branch": "HEAD", "buildDate": "20250307-15:05:18", "buildUser": "root@fa3ca569dfe4", "goVersion": "go1.23.7",
            "revision": "b2099eaa2c9ebc25edb26517cb9c732738e93910", "version": "0.28.1"},
    })
}
