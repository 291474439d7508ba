//! The Kubernetes API: from a request to what it means, and back to a response.

use super::access::{self, User};
use super::discovery;
use super::estate::Estate;
use super::faults::{Effect, Side};
use super::forward::{self, Upgrade};
use super::kind::Kind;
use super::refusal::Refusal;
use super::route::{Target, plural, target, verb};
use super::{change, logs, monitoring, read, stream, watch};
use axum::body::{Body, Bytes};
use axum::extract::{Query, Request, State};
use axum::http::request::Parts;
use axum::http::{HeaderName, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use serde_json::Value;
use tokio::time::Duration;

/// The most that a request may send, as the API server's limit.
const BODY_LIMIT: usize = 3 * 1024 * 1024;

/// A request for a resource.
#[derive(Debug, Clone)]
pub(super) struct Call {
    pub(super) verb: &'static str,
    pub(super) kind: Kind,
    pub(super) namespace: String,
    pub(super) name: String,
    pub(super) part: String,
    pub(super) params: Params,
    pub(super) accept: String,
    pub(super) content: String,
    agent: String,
}

/// Query parameters.
#[derive(Debug, Clone, Default)]
pub(super) struct Params(Vec<(String, String)>);

impl Params {
    pub(super) fn of(parts: &Parts) -> Self {
        Query::try_from_uri(&parts.uri)
            .map(|Query(pairs)| Self(pairs))
            .unwrap_or_default()
    }

    pub(super) fn text(&self, key: &str) -> &str {
        self.0
            .iter()
            .find(|(name, _)| name == key)
            .map_or("", |(_, value)| value)
    }

    /// Takes the parameters of another query in.
    pub(super) fn extend(&mut self, uri: &Uri) {
        if let Ok(Query(pairs)) = Query::<Vec<(String, String)>>::try_from_uri(uri) {
            self.0.extend(pairs);
        }
    }

    /// All values of a key that may come more than once.
    pub(super) fn all(&self, key: &str) -> impl Iterator<Item = &str> {
        self.pairs()
            .filter(move |(name, _)| *name == key)
            .map(|(_, value)| value)
    }

    pub(super) fn pairs(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_str()))
    }

    pub(super) fn is_set(&self, key: &str) -> bool {
        matches!(self.text(key), "true" | "1" | "True")
    }

    pub(super) fn number(&self, key: &str) -> Option<u64> {
        self.text(key).parse().ok()
    }
}

impl Call {
    /// Who the write will be attributed to.
    pub(super) fn manager(&self) -> String {
        let named = self.params.text("fieldManager");
        let name = if named.is_empty() {
            self.agent.split('/').next().unwrap_or_default()
        } else {
            named
        };
        if name.is_empty() {
            "unknown".to_owned()
        } else {
            name.chars().take(128).collect()
        }
    }
}

/// Answers any request of the Kubernetes API.
pub(super) async fn answer(State(estate): State<Estate>, request: Request) -> Response {
    let visit = estate.visit();
    let answer = serve(&estate, request).await;
    drop(visit);
    answer.unwrap_or_else(|refusal| refuse(&refusal))
}

async fn serve(estate: &Estate, request: Request) -> Result<Response, Refusal> {
    let (mut parts, body) = request.into_parts();
    let params = Params::of(&parts);
    let target = target(&parts);
    let (verb, plural) = (
        verb(&parts, &params, target.as_ref()),
        plural(target.as_ref()),
    );
    if estate.with(|world| world.faults.is_away(world.now)) {
        return Ok(stream::broken());
    }
    let effects = estate.with(|world| world.faults.meet(Side::Kubernetes, verb, plural));
    if let Some(response) = before(&effects).await {
        return Ok(response);
    }
    let response = match target.ok_or_else(Refusal::no_such_path)? {
        Target::Open(response) => response,
        target => {
            let authorization = parts
                .headers
                .get(header::AUTHORIZATION)
                .map(|value| value.to_str().unwrap_or_default());
            let user = User::of(estate, authorization, User::in_path(parts.uri.path()).0)?;
            allow(user, verb, &target)?;
            let upgrade = Upgrade::of(&mut parts);
            let bytes = axum::body::to_bytes(body, BODY_LIMIT).await.map_err(|_| {
                Refusal::new(
                    413,
                    "RequestEntityTooLarge",
                    "Request entity too large: limit is 3145728",
                )
            })?;
            if let Target::Proxy {
                namespace,
                service,
                path,
            } = target
            {
                let asked = monitoring::Asked {
                    params: monitoring::params(&parts, &bytes),
                    method: parts.method,
                    path,
                    body: bytes,
                };
                return proxy(estate, &namespace, &service, asked).await;
            }
            perform(
                estate,
                user,
                verb,
                target,
                Asked {
                    parts,
                    params,
                    bytes,
                    upgrade,
                },
            )?
        }
    };
    Ok(after(&effects, response).await)
}

/// Carries a request to a Service, as the API server does.
async fn proxy(
    estate: &Estate,
    namespace: &str,
    service: &str,
    asked: monitoring::Asked,
) -> Result<Response, Refusal> {
    let name = service.trim_start_matches("http:");
    let name = name.split(':').next().unwrap_or_default();
    let away = || {
        let why = format!("no endpoints available for service {service:?}");
        Refusal::new(503, "ServiceUnavailable", why)
    };
    let is_there = estate.with(|world| world.store.get(Kind::Service, namespace, name).is_some());
    if !is_there {
        return Err(Refusal::not_found(Kind::Service, name));
    }
    let server = monitoring::Server::named(service).filter(|_| namespace == "monitoring");
    let answer = match server {
        Some(server) => monitoring::answer(estate, server, asked).await,
        None => None,
    };
    answer.ok_or_else(away)
}

/// The rest of a request.
struct Asked {
    parts: Parts,
    params: Params,
    bytes: Bytes,
    upgrade: Option<Upgrade>,
}

fn perform(
    estate: &Estate,
    user: User,
    verb: &'static str,
    target: Target,
    asked: Asked,
) -> Result<Response, Refusal> {
    let accept = header(&asked.parts, &header::ACCEPT).to_owned();
    match target {
        Target::Open(response) => Ok(response),
        // Carried on before.
        Target::Proxy { .. } => Err(Refusal::no_such_path()),
        Target::Document(document) => {
            let is_aggregated = document["kind"] == "APIGroupDiscoveryList";
            let content = if is_aggregated {
                discovery::AGGREGATED
            } else {
                "application/json"
            };
            Ok(([(header::CONTENT_TYPE, content)], document.to_string()).into_response())
        }
        Target::Review { group, plural } => {
            let body: Value = serde_json::from_slice(&asked.bytes).map_err(|error| {
                Refusal::bad_request(format!("error decoding the review: {error}"))
            })?;
            let review =
                access::review(user, &group, &plural, &body).ok_or_else(Refusal::no_such_path)?;
            Ok(json(201, review.to_string().into_bytes()))
        }
        Target::Resource {
            kind,
            namespace,
            name,
            part,
        } => {
            let content = header(&asked.parts, &header::CONTENT_TYPE);
            let content = content
                .split(';')
                .next()
                .unwrap_or_default()
                .trim()
                .to_owned();
            let agent = header(&asked.parts, &header::USER_AGENT).to_owned();
            let call = Call {
                verb,
                kind,
                namespace,
                name,
                part,
                params: asked.params,
                accept,
                content,
                agent,
            };
            resource(estate, &call, &asked.bytes, asked.upgrade)
        }
    }
}

fn resource(
    estate: &Estate,
    call: &Call,
    body: &[u8],
    upgrade: Option<Upgrade>,
) -> Result<Response, Refusal> {
    match (call.kind, call.part.as_str(), call.verb) {
        (Kind::Pod, "log", "get") => logs::answer(estate, call),
        (Kind::Pod, "portforward", _) => forward::answer(estate, call, upgrade),
        (_, _, "watch") => watch::answer(estate, call),
        (_, _, "list") => read::list(estate, call),
        (_, _, "get") => read::get(estate, call),
        _ => change::answer(estate, call, body),
    }
}

fn allow(user: User, verb: &str, target: &Target) -> Result<(), Refusal> {
    let (kind, namespace, name, part) = match target {
        Target::Resource {
            kind,
            namespace,
            name,
            part,
        } => (kind, namespace, name, part.as_str()),
        Target::Proxy {
            namespace, service, ..
        } => (&Kind::Service, namespace, service, "proxy"),
        Target::Open(_) | Target::Document(_) | Target::Review { .. } => return Ok(()),
    };
    if user.may(verb, part) {
        return Ok(());
    }
    let facts = kind.facts();
    let resource = if part.is_empty() {
        facts.plural.to_owned()
    } else {
        format!("{}/{part}", facts.plural)
    };
    Err(Refusal::forbidden(
        user.name(),
        verb,
        facts.group,
        &resource,
        namespace,
        name,
    ))
}

/// What faults do instead of the request.
async fn before(effects: &[Effect]) -> Option<Response> {
    for effect in effects {
        match effect {
            Effect::Slow(late) => tokio::time::sleep(Duration::from_millis(*late)).await,
            Effect::Status {
                code,
                retry_after,
                is_applied: false,
            } => {
                return Some(refuse(&Refusal::fault(*code, *retry_after)));
            }
            Effect::Cut { is_applied: false } => return Some(stream::broken()),
            Effect::Html => {
                let page = "<!DOCTYPE html><html><body><h1>Sign in to continue</h1></body></html>";
                return Some(
                    ([(header::CONTENT_TYPE, "text/html; charset=utf-8")], page).into_response(),
                );
            }
            _ => {}
        }
    }
    None
}

/// What faults do to the answer of a request that took effect.
async fn after(effects: &[Effect], response: Response) -> Response {
    let mut response = response;
    for effect in effects {
        match effect {
            Effect::Status {
                code,
                retry_after,
                is_applied: true,
            } => {
                return refuse(&Refusal::fault(*code, *retry_after));
            }
            Effect::Cut { is_applied: true } => return stream::broken(),
            Effect::Truncate => response = stream::truncated(response).await,
            _ => {}
        }
    }
    response
}

pub(super) fn header<'a>(parts: &'a Parts, name: &HeaderName) -> &'a str {
    parts
        .headers
        .get(name)
        .and_then(|value| value.to_str().ok())
        .unwrap_or_default()
}

/// A JSON response.
pub(super) fn json(code: u16, body: Vec<u8>) -> Response {
    let status = StatusCode::from_u16(code).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    (
        status,
        [(header::CONTENT_TYPE, "application/json")],
        Body::from(body),
    )
        .into_response()
}

/// The response that a refusal is.
pub(super) fn refuse(refusal: &Refusal) -> Response {
    let mut response = json(refusal.code, refusal.body().to_string().into_bytes());
    if let Some(seconds) = refusal.retry_after {
        response
            .headers_mut()
            .insert(header::RETRY_AFTER, seconds.into());
    }
    response
}
