//! GitHub's REST API of one repository, as far as a cockpit uses it: runs, jobs, logs, reviews, the workflow.
//!
//! Everything is derived from the plans of [`story`] and the clock; a `304` costs nothing, as there.

use super::access::bearer;
use super::api::{self, Params};
use super::clock::wall;
use super::estate::Estate;
use super::faults::{Effect, Side};
use super::random::hex_of;
use super::stream;
use super::world::World;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::request::Parts;
use axum::http::{HeaderValue, Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};
use tokio::time::Duration;

mod filler;
mod log;
mod page;
mod past;
mod people;
mod plan;
mod run;
mod story;
mod wire;

pub(super) use story::{Push, Repository};

/// The token that the estate's GitHub takes.
pub(super) const TOKEN: &str = "demo-github";
/// Requests an hour.
const LIMIT: u64 = 5_000;
const HOUR: i64 = 3_600_000;
/// The most that is read of a request.
const MOST: usize = 64 << 10;
const DOCS: &str = "https://docs.github.com/rest";

/// The workflow as it stands in the repository.
pub(super) const WORKFLOW: &str = include_str!("../../assets/scenarios/digital-wall-ci-cd.yml");

/// What a request asks for, and from where.
struct Asked<'a> {
    world: &'a mut World,
    /// `http://127.0.0.1:4000/github`
    base: String,
    path: Vec<&'a str>,
    /// The path as it came, for links.
    whole: &'a str,
    params: Params,
}

impl<'a> Asked<'a> {
    fn new(world: &'a mut World, base: String, path: &'a str, params: Params) -> Self {
        Self {
            world,
            base,
            path: path.split('/').filter(|word| !word.is_empty()).collect(),
            whole: path,
            params,
        }
    }
}

/// What is answered before headers are added.
enum Answer {
    Json(Value),
    Page(Value, Option<String>),
    Elsewhere(String),
    Refused(u16, Value),
}

/// Answers any request below `/github`.
pub(super) async fn answer(State(estate): State<Estate>, request: Request) -> Response {
    let visit = estate.visit();
    let (parts, body) = request.into_parts();
    let body = axum::body::to_bytes(body, MOST).await.unwrap_or_default();
    let path = parts.uri.path();
    let path = path.strip_prefix("/github").unwrap_or(path);
    // GitHub takes the slashes of a file's path escaped as well: its own clients send them so.
    let path = path.replace("%2F", "/");
    let is_word = |word: &&str| {
        let is_lower = |byte: u8| byte.is_ascii_lowercase() || byte == b'_';
        !word.is_empty() && word.bytes().all(is_lower)
    };
    let what = path.split('/').rfind(is_word).unwrap_or_default();
    let effects = estate.with(|world| world.faults.meet(Side::GitHub, "get", what));
    let response = match ailing(&estate, &effects).await {
        Some(response) => response,
        None => estate.with(|world| serve(world, &parts, &path, &body)),
    };
    drop(visit);
    response
}

fn serve(world: &mut World, parts: &Parts, path: &str, body: &[u8]) -> Response {
    let host = api::header(parts, &header::HOST);
    let host = if host.is_empty() { "127.0.0.1" } else { host };
    let base = format!("http://{host}/github");
    let params = Params::of(parts);
    if let Some(job) = path.strip_prefix("/logs/") {
        return download(&mut Asked::new(world, base, path, params), job);
    }
    let token = bearer(api::header(parts, &header::AUTHORIZATION));
    if token.is_some_and(|token| token != TOKEN) {
        let body =
            json!({"message": "Bad credentials", "documentation_url": DOCS, "status": "401"});
        return api::json(401, body.to_string().into_bytes());
    }
    let is_free = path == "/rate_limit";
    let answer = match (token, &parts.method) {
        // A private repository does not exist for those who do not say who they are.
        (None, _) if !is_free => missing(),
        (_, &Method::GET | &Method::HEAD) => get(&mut Asked::new(world, base, path, params)),
        (_, &Method::POST) => post(&mut Asked::new(world, base, path, params), body),
        _ => missing(),
    };
    let known = api::header(parts, &header::IF_NONE_MATCH);
    respond(world, answer, known, is_free)
}

/// What faults make of a request.
async fn ailing(estate: &Estate, effects: &[Effect]) -> Option<Response> {
    for effect in effects {
        match effect {
            Effect::Slow(late) => tokio::time::sleep(Duration::from_millis(*late)).await,
            Effect::Status {
                code, retry_after, ..
            } => {
                let mut response = api::json(
                    *code,
                    json!({"message": "Server Error"}).to_string().into_bytes(),
                );
                retry(&mut response, *retry_after);
                return Some(response);
            }
            Effect::Html => {
                let page = "<!DOCTYPE html><html><body><p>Sign in to continue</p></body></html>";
                return Some(
                    ([(header::CONTENT_TYPE, "text/html; charset=utf-8")], page).into_response(),
                );
            }
            Effect::Cut { .. } | Effect::Truncate => return Some(stream::broken()),
            Effect::Primary => return Some(estate.with(primary)),
            Effect::Secondary(seconds) => {
                return Some(estate.with(|world| secondary(world, *seconds)));
            }
        }
    }
    None
}

fn retry(response: &mut Response, seconds: Option<u64>) {
    if let Some(seconds) = seconds {
        response
            .headers_mut()
            .insert(header::RETRY_AFTER, seconds.into());
    }
}

/// The limit of the hour is used up.
fn primary(world: &mut World) -> Response {
    world.count(0);
    world.github.used = LIMIT;
    let body = json!({
        "message": "API rate limit exceeded for user ID 583231. If you reach out to GitHub Support for help, please include the request ID 9C1E:3B2A:1F0D52:24A1B7:66F1A2C3.",
        "documentation_url": format!("{DOCS}/overview/rate-limits-for-the-rest-api"), "status": "403",
    });
    let mut response = api::json(403, body.to_string().into_bytes());
    world.budget(&mut response);
    response
}

/// Too much at once, whatever the hour's limit says.
fn secondary(world: &mut World, seconds: u64) -> Response {
    world.count(0);
    let body = json!({
        "documentation_url": "https://docs.github.com/free-pro-team@latest/rest/overview/rate-limits-for-the-rest-api#about-secondary-rate-limits",
        "message": "You have exceeded a secondary rate limit. Please wait a few minutes before you try again. For more on scraping GitHub and how it may affect your rights, please review our Terms of Service (https://docs.github.com/en/site-policy/github-terms/github-terms-of-service) If you reach out to GitHub Support for help, please include the request ID 9C1E:3B2A:1F0D52:24A1B7:66F1A2C3.",
    });
    let mut response = api::json(403, body.to_string().into_bytes());
    world.budget(&mut response);
    retry(&mut response, Some(seconds).filter(|seconds| *seconds > 0));
    response
}

fn missing() -> Answer {
    Answer::Refused(
        404,
        json!({"message": "Not Found", "documentation_url": DOCS, "status": "404"}),
    )
}

fn get(asked: &mut Asked) -> Answer {
    let path = asked.path.clone();
    match path.as_slice() {
        ["rate_limit"] => Answer::Json(asked.world.rate_limit()),
        ["repos", "acme", "digital-wall", rest @ ..] => repository(asked, rest),
        _ => missing(),
    }
}

/// All that may be changed: what a run waits for may be reviewed.
fn post(asked: &mut Asked, body: &[u8]) -> Answer {
    let path = asked.path.clone();
    let [
        "repos",
        "acme",
        "digital-wall",
        "actions",
        "runs",
        id,
        "pending_deployments",
    ] = path.as_slice()
    else {
        return missing();
    };
    let run = id.parse().ok().and_then(|id| asked.world.github.run(id));
    let Some(run) = run.cloned() else {
        return missing();
    };
    let said: Value = serde_json::from_slice(body).unwrap_or_default();
    let ids = said["environment_ids"].as_array();
    let is_ours = |id: &Value| id.as_u64() == Some(wire::PRODUCTION_ID);
    let is_known = ids.is_some_and(|ids| !ids.is_empty() && ids.iter().all(is_ours));
    let (Some(word @ ("approved" | "rejected")), Some(comment), true) =
        (said["state"].as_str(), said["comment"].as_str(), is_known)
    else {
        return unprocessable("Invalid request.");
    };
    let deployment = wire::deployment(asked.world, &asked.base, &run);
    let is_approved = word == "approved";
    match asked
        .world
        .review(run.id, "production", is_approved, comment)
    {
        true => Answer::Json(json!([deployment])),
        false => unprocessable("There are no pending deployment requests to approve or reject."),
    }
}

fn unprocessable(message: &str) -> Answer {
    let body = json!({"message": message, "documentation_url": DOCS, "status": "422"});
    Answer::Refused(422, body)
}

fn repository(asked: &mut Asked, rest: &[&str]) -> Answer {
    match rest {
        [] => Answer::Json(wire::repository(&asked.base)),
        ["actions", rest @ ..] => actions(asked, rest),
        ["contents", ".github", "workflows", wire::FILE] => {
            Answer::Json(wire::contents(&asked.base, asked.params.text("ref")))
        }
        ["commits"] => page::commits(asked),
        ["commits", name] => page::commit(asked, name),
        ["compare", span] => page::compare(asked, span),
        _ => missing(),
    }
}

fn actions(asked: &mut Asked, rest: &[&str]) -> Answer {
    match rest {
        ["workflows"] => Answer::Json(
            json!({"total_count": 1, "workflows": [wire::workflow(asked.world, &asked.base)]}),
        ),
        ["workflows", name] if wire::is_workflow(name) => {
            Answer::Json(wire::workflow(asked.world, &asked.base))
        }
        ["workflows", name, "runs"] if wire::is_workflow(name) => page::runs(asked),
        ["runs"] => page::runs(asked),
        ["runs", id, rest @ ..] => run(asked, id, rest),
        ["jobs", id] => page::job(asked, id),
        ["jobs", id, "logs"] => ticket(asked, id),
        _ => missing(),
    }
}

fn run(asked: &Asked, id: &str, rest: &[&str]) -> Answer {
    let (world, base) = (&*asked.world, &asked.base);
    let Some(run) = id.parse().ok().and_then(|id| world.github.run(id)) else {
        return missing();
    };
    match rest {
        [] => Answer::Json(wire::run(world, base, run)),
        ["jobs"] => page::jobs(asked, run, run.attempt()),
        ["attempts", attempt, "jobs"] => page::jobs(asked, run, attempt.parse().unwrap_or(0)),
        ["attempts", attempt] if attempt.parse() == Ok(run.attempt()) => {
            Answer::Json(wire::run(world, base, run))
        }
        ["pending_deployments"] => Answer::Json(wire::pending(world, base, run)),
        ["approvals"] => Answer::Json(wire::approvals(world, base, run)),
        _ => missing(),
    }
}

/// Sends the client to the log of a job that is over, by a token that works once.
fn ticket(asked: &mut Asked, id: &str) -> Answer {
    let Some(id) = id
        .parse()
        .ok()
        .filter(|id| log::of(asked.world, *id).is_some())
    else {
        return missing();
    };
    let token = asked.world.github.random.hex(32);
    let tickets = &mut asked.world.github.tickets;
    // Tokens that nobody came for end some day.
    if tickets.len() >= 64 {
        tickets.remove(0);
    }
    tickets.push((token.clone(), id));
    Answer::Elsewhere(format!("{}/logs/{id}?token={token}", asked.base))
}

/// The log behind a ticket.
fn download(asked: &mut Asked, job: &str) -> Response {
    let token = asked.params.text("token").to_owned();
    let tickets = &mut asked.world.github.tickets;
    let ticket = tickets
        .iter()
        .position(|(known, id)| *known == token && id.to_string() == job);
    let id = ticket.map(|place| tickets.remove(place).1);
    match id.and_then(|id| log::of(asked.world, id)) {
        Some(text) => ([(header::CONTENT_TYPE, "text/plain; charset=utf-8")], text).into_response(),
        None => (
            StatusCode::FORBIDDEN,
            "Server failed to authenticate the request.",
        )
            .into_response(),
    }
}

fn respond(world: &mut World, answer: Answer, known: &str, is_free: bool) -> Response {
    let cost = u64::from(!is_free);
    let (code, body, link) = match answer {
        Answer::Json(body) => (200, body, None),
        Answer::Page(body, link) => (200, body, link),
        Answer::Refused(code, body) => (code, body, None),
        Answer::Elsewhere(to) => {
            let to = HeaderValue::from_str(&to).unwrap_or(HeaderValue::from_static("/"));
            let mut response = (StatusCode::FOUND, [(header::LOCATION, to)]).into_response();
            world.count(cost);
            world.budget(&mut response);
            return response;
        }
    };
    let text = body.to_string();
    let tag = format!("W/\"{}\"", hex_of(&text, 64));
    let is_known = code == 200
        && known
            .split(',')
            .any(|one| one.trim().trim_start_matches("W/") == tag.trim_start_matches("W/"));
    world.count(if is_known { 0 } else { cost });
    let mut response = match is_known {
        true => StatusCode::NOT_MODIFIED.into_response(),
        false => api::json(code, text.into_bytes()),
    };
    world.budget(&mut response);
    let headers = response.headers_mut();
    if code == 200 {
        insert(headers, "etag", &tag);
        insert(headers, "cache-control", "private, max-age=60, s-maxage=60");
    }
    if let Some(link) = link {
        insert(headers, "link", &link);
    }
    if !is_known {
        insert(headers, "content-type", "application/json; charset=utf-8");
    }
    insert(headers, "x-github-media-type", "github.v3; format=json");
    response
}

fn insert(headers: &mut axum::http::HeaderMap, name: &'static str, value: &str) {
    // Our own values are ASCII; one that were not would be left out.
    if let Ok(value) = HeaderValue::from_str(value) {
        headers.insert(name, value);
    }
}

impl World {
    /// Counts a request of the hour's limit.
    fn count(&mut self, cost: u64) {
        let hour = self.now.div_euclid(HOUR) * HOUR;
        if hour > self.github.hour {
            (self.github.hour, self.github.used) = (hour, 0);
        }
        self.github.used = (self.github.used + cost).min(LIMIT);
    }

    fn reset(&self) -> i64 {
        wall(self.epoch, self.github.hour + HOUR).as_second()
    }

    /// What is left of the limit, as every answer says it.
    fn budget(&self, response: &mut Response<Body>) {
        let used = self.github.used;
        let values = [
            ("x-ratelimit-limit", LIMIT.to_string()),
            ("x-ratelimit-remaining", (LIMIT - used).to_string()),
            ("x-ratelimit-reset", self.reset().to_string()),
            ("x-ratelimit-used", used.to_string()),
            ("x-ratelimit-resource", "core".to_owned()),
        ];
        for (name, value) in values {
            insert(response.headers_mut(), name, &value);
        }
    }

    fn rate_limit(&mut self) -> Value {
        self.count(0);
        let used = self.github.used;
        let core = json!({"limit": LIMIT, "used": used, "remaining": LIMIT - used, "reset": self.reset(), "resource": "core"});
        let other = |name: &str, limit: u64| json!({"limit": limit, "used": 0, "remaining": limit, "reset": self.reset(), "resource": name});
        json!({"resources": {"core": core, "search": other("search", 30), "graphql": other("graphql", 5_000)}, "rate": core})
    }
}
