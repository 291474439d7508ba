//! Prometheus and Alertmanager: series measured from the world every 15 s, rules evaluated on them by a
//! small PromQL, and the alerts that come of it.

use super::api::{self, Params};
use super::estate::Estate;
use super::faults::{Effect, Side};
use super::queue::Task;
use super::stream;
use super::world::World;
use axum::body::{Bytes, to_bytes};
use axum::extract::{Request, State};
use axum::http::{Method, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use serde_json::json;
use std::collections::BTreeMap;
use tokio::time::Duration;

mod alertmanager;
mod eval;
mod filler;
mod http;
mod lexer;
mod measure;
mod parser;
mod pattern;
mod rules;
mod selector;
mod series;
mod silences;
mod target;
mod text;
mod vector;

/// Labels of a series or an alert.
pub(super) type Labels = BTreeMap<String, String>;

/// How often is scraped and evaluated.
pub(super) const INTERVAL: i64 = 15_000;
/// How far the series reach back at the start.
const PAST: i64 = 30 * 60_000;
/// The most that a request may send.
const BODY_LIMIT: usize = 1024 * 1024;

/// Something that a person or a scenario does to what is measured.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Twist {
    /// One of [`Twist::NAMES`].
    pub(super) name: String,
    pub(super) namespace: String,
    /// Empty means any.
    pub(super) colour: String,
    /// Empty means any.
    pub(super) part: String,
    /// Percent, milliseconds or connections.
    pub(super) value: i64,
}

impl Twist {
    /// What can be twisted.
    pub(super) const NAMES: [&str; 6] =
        ["errors", "strain", "latency", "database", "redis", "disk"];
}

/// Everything that Prometheus and Alertmanager know.
#[derive(Debug)]
pub(super) struct Monitoring {
    series: series::Database,
    rules: Vec<rules::Rule>,
    /// Alerts as Alertmanager has them, by fingerprint.
    received: BTreeMap<String, alertmanager::Received>,
    silences: silences::Silences,
    twists: Vec<(Twist, i64)>,
    stalled_until: i64,
    /// How many alerts fire on purpose.
    filled: usize,
    counters: measure::Counters,
}

impl Monitoring {
    pub(super) fn new(seed: u64) -> Self {
        Self {
            series: series::Database::default(),
            rules: rules::all(),
            received: BTreeMap::new(),
            silences: silences::Silences::new(seed),
            twists: Vec::new(),
            stalled_until: i64::MIN,
            filled: 0,
            counters: measure::Counters::default(),
        }
    }

    /// Ends every twist and stall.
    pub(super) fn calm(&mut self) {
        self.twists.clear();
        self.stalled_until = i64::MIN;
    }

    /// Neither scrapes nor evaluations until then.
    pub(super) fn stall(&mut self, until: i64) {
        self.stalled_until = until;
    }
}

impl World {
    /// Makes the series that lie before the start, as if the cluster had always been as it is.
    pub(super) fn recall_metrics(&mut self) {
        let now = self.now;
        for back in (0..=PAST / INTERVAL).rev() {
            let at = now - back * INTERVAL;
            self.measure(at);
            if back < 4 {
                self.evaluate(at);
            }
        }
        self.later(now + INTERVAL, Task::Scrape);
    }

    /// Scrapes and evaluates, unless Prometheus is stalled.
    pub(super) fn scrape(&mut self) {
        let now = self.now;
        self.monitoring.twists.retain(|(_, until)| *until > now);
        if self.monitoring.stalled_until <= now {
            self.measure(now);
            self.evaluate(now);
        }
        self.later(now + INTERVAL, Task::Scrape);
    }

    pub(super) fn twist(&mut self, twist: Twist, lasting: Option<i64>) {
        let until = lasting.map_or(i64::MAX, |lasting| self.now + lasting);
        self.monitoring.twists.push((twist, until));
    }
}

/// One of the two servers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Server {
    Prometheus,
    Alertmanager,
}

impl Server {
    /// The server behind the name of a Service: `prometheus:9090`, `alertmanager:http-web`.
    pub(super) fn named(name: &str) -> Option<Self> {
        let name = name.trim_start_matches("http:");
        match name.split_once(':').unwrap_or((name, "")) {
            ("prometheus", "" | "9090" | "http-web") => Some(Server::Prometheus),
            ("alertmanager", "" | "9093" | "http-web") => Some(Server::Alertmanager),
            _ => None,
        }
    }

    fn side(self) -> Side {
        match self {
            Server::Prometheus => Side::Prometheus,
            Server::Alertmanager => Side::Alertmanager,
        }
    }
}

/// A request to one of the servers, without what led to it.
pub(super) struct Asked {
    pub(super) method: Method,
    /// `/api/v1/rules`
    pub(super) path: String,
    pub(super) params: Params,
    pub(super) body: Bytes,
}

/// Answers any request below `/prometheus`.
pub(super) async fn prometheus(State(estate): State<Estate>, request: Request) -> Response {
    direct(estate, request, Server::Prometheus, "/prometheus").await
}

/// Answers any request below `/alertmanager`.
pub(super) async fn alertmanager(State(estate): State<Estate>, request: Request) -> Response {
    direct(estate, request, Server::Alertmanager, "/alertmanager").await
}

async fn direct(estate: Estate, request: Request, server: Server, prefix: &str) -> Response {
    let visit = estate.visit();
    let (parts, body) = request.into_parts();
    let Ok(body) = to_bytes(body, BODY_LIMIT).await else {
        return StatusCode::PAYLOAD_TOO_LARGE.into_response();
    };
    let asked = Asked {
        path: parts.uri.path().trim_start_matches(prefix).to_owned(),
        params: params(&parts, &body),
        method: parts.method,
        body,
    };
    let answer = answer(&estate, server, asked).await;
    drop(visit);
    // Nobody listens there.
    answer.unwrap_or_else(stream::broken)
}

/// The parameters of the query, and of a form that was posted.
pub(super) fn params(parts: &axum::http::request::Parts, body: &[u8]) -> Params {
    let mut params = Params::of(parts);
    let content = api::header(parts, &header::CONTENT_TYPE);
    if content.starts_with("application/x-www-form-urlencoded") {
        let form = String::from_utf8_lossy(body);
        if let Ok(uri) = format!("/?{form}").parse::<Uri>() {
            params.extend(&uri);
        }
    }
    params
}

/// What a server answers; nothing where it is away.
pub(super) async fn answer(estate: &Estate, server: Server, asked: Asked) -> Option<Response> {
    let what = asked.path.rsplit('/').next().unwrap_or_default().to_owned();
    let effects = estate.with(|world| world.faults.meet(server.side(), "get", &what));
    for effect in &effects {
        match effect {
            Effect::Slow(late) => tokio::time::sleep(Duration::from_millis(*late)).await,
            Effect::Status { code, .. } => {
                let body = json!({"status": "error", "errorType": "unavailable", "error": "the estate was told to fail"});
                return Some(api::json(*code, body.to_string().into_bytes()));
            }
            _ => return None,
        }
    }
    let is_root = matches!(asked.path.as_str(), "/-/ready" | "/-/healthy");
    Some(match server {
        Server::Prometheus if is_root => "Prometheus Server is Ready.\n".into_response(),
        Server::Alertmanager if is_root => "OK".into_response(),
        Server::Prometheus => estate.with(|world| http::answer(world, &asked)),
        Server::Alertmanager => estate.with(|world| alertmanager::answer(world, &asked)),
    })
}
