//! The far end of a port-forward: a tiny HTTP/1.1 application as Digital Wall's parts are one.

use super::kind::Kind;
use super::pods::{Sim, Stage, image_id};
use super::tree;
use super::world::World;
use serde_json::{Value, json};

/// What the application of a pod answers: a request that is complete is taken out of `buffer`.
/// The second value says whether the connection ends with it.
pub(super) fn answer(world: &World, sim: &Sim, buffer: &mut Vec<u8>) -> Option<(Vec<u8>, bool)> {
    let end = buffer.windows(4).position(|window| window == b"\r\n\r\n")? + 4;
    let head = String::from_utf8_lossy(buffer.get(..end)?).into_owned();
    let length = header(&head, "content-length")
        .and_then(|length| length.parse().ok())
        .unwrap_or(0);
    if buffer.len() < end + length {
        return None;
    }
    buffer.drain(..end + length);
    let mut words = head.split_whitespace();
    let (method, target) = (
        words.next().unwrap_or_default(),
        words.next().unwrap_or_default(),
    );
    let path = target.split('?').next().unwrap_or_default();
    let closes = header(&head, "connection")
        .is_some_and(|value| value.eq_ignore_ascii_case("close"))
        || head.contains("HTTP/1.0\r\n");
    let (status, body) = respond(world, sim, method, path);
    let content = if body.is_object() {
        "application/json"
    } else {
        "text/html; charset=utf-8"
    };
    let body = body
        .as_str()
        .map_or_else(|| body.to_string(), str::to_owned);
    let connection = if closes { "close" } else { "keep-alive" };
    let sent = if method == "HEAD" { "" } else { body.as_str() };
    let text = format!(
        "HTTP/1.1 {status}\r\ncontent-type: {content}\r\ncontent-length: {}\r\nconnection: {connection}\r\n\r\n{sent}",
        body.len()
    );
    Some((text.into_bytes(), closes))
}

fn header<'a>(head: &'a str, name: &str) -> Option<&'a str> {
    let lines = head.lines().filter_map(|line| line.split_once(':'));
    lines
        .into_iter()
        .find(|(key, _)| key.trim().eq_ignore_ascii_case(name))
        .map(|(_, value)| value.trim())
}

fn respond(world: &World, sim: &Sim, method: &str, path: &str) -> (&'static str, Value) {
    if !matches!(method, "GET" | "HEAD") {
        return (
            "405 Method Not Allowed",
            json!({"detail": "Method Not Allowed"}),
        );
    }
    let facts = facts(world, sim);
    let with = |status: &str| {
        let mut body = facts.clone();
        body["status"] = json!(status);
        body
    };
    match path {
        "/health" | "/api/health" => ("200 OK", with("ok")),
        "/ready" | "/api/ready" if sim.is_ready => ("200 OK", with("ready")),
        "/ready" | "/api/ready" => {
            let mut body = with("unready");
            body["checks"] = json!({"database": "ok", "redis": "connection refused"});
            ("503 Service Unavailable", body)
        }
        "/version" | "/api/version" => ("200 OK", version(world, sim, facts)),
        "/" if sim.container() == "frontend" => (
            "200 OK",
            json!(
                "<!DOCTYPE html><html><head><title>Digital Wall</title></head><body>Digital Wall</body></html>"
            ),
        ),
        _ => ("404 Not Found", json!({"detail": "Not Found"})),
    }
}

/// Colour and digest of a pod.
fn facts(world: &World, sim: &Sim) -> Value {
    let colour = world
        .store
        .find(&sim.uid)
        .and_then(|pod| pod.label("version").map(str::to_owned));
    let image = sim.image();
    let digest = image_id(image)
        .rsplit_once('@')
        .map(|(_, digest)| digest.to_owned());
    json!({
        "part": sim.container(), "colour": colour, "image": image, "digest": digest, "pod": sim.key.1,
        "commit": image.rsplit_once(':').map(|(_, tag)| tag),
    })
}

/// A frontend also tells which backend it talks to: that of its own colour.
fn version(world: &World, sim: &Sim, mut facts: Value) -> Value {
    if sim.container() == "frontend" {
        let service = format!("{}-backend", sim.deployment.trim_end_matches("-frontend"));
        let selector = world.store.get(Kind::Service, &sim.key.0, &service);
        let selector = selector
            .map(|service| tree::strings(&service.value(), "/spec/selector"))
            .unwrap_or_default();
        let mut pods = world
            .store
            .list(Kind::Pod, &sim.key.0)
            .filter(|pod| pod.carries(&selector));
        let backend = pods.find_map(|pod| {
            world
                .sims
                .get(&pod.uid)
                .filter(|sim| sim.stage == Stage::Running && sim.is_ready)
        });
        facts["backend"] = backend
            .filter(|_| !selector.is_empty())
            .map_or(Value::Null, |sim| self::facts(world, sim));
    }
    facts
}
