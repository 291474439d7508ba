//! The estate's own remote control: which scenario plays, and what to break next.

use super::action::Action;
use super::catalogue;
use super::estate::Estate;
use super::scenario::Scenario;
use axum::Json;
use axum::extract::{Path, Request, State};
use axum::http::{StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};

/// Lets only requests through that name this machine: a web page elsewhere must not steer the demo.
pub(super) async fn only_loopback(request: Request, next: Next) -> Response {
    let host = request
        .headers()
        .get(header::HOST)
        .and_then(|host| host.to_str().ok());
    let name = host.map(|host| {
        host.rsplit_once(':')
            .filter(|(_, port)| port.bytes().all(|byte| byte.is_ascii_digit()))
            .map_or(host, |(name, _)| name)
    });
    // Requests made in process have no host.
    match name {
        None | Some("127.0.0.1" | "localhost" | "[::1]") => next.run(request).await,
        Some(_) => problem(StatusCode::FORBIDDEN, "only for this machine"),
    }
}

pub(super) async fn state(State(estate): State<Estate>) -> Json<Value> {
    let scenarios: Vec<Value> = Scenario::embedded()
        .into_iter()
        .map(|scenario| json!({"name": scenario.name, "description": scenario.description}))
        .collect();
    Json(estate.with(|world| {
        json!({
            "name": "wheelhouse-demo", "scenario": world.scenario.name, "description": world.scenario.description,
            "started": world.time_at(world.scenario_began), "now": world.time(), "scenarios": scenarios,
        })
    }))
}

pub(super) async fn scenario(State(estate): State<Estate>, Path(name): Path<String>) -> Response {
    match Scenario::choose(&name, None) {
        Ok(scenario) => {
            estate.with(|world| world.play(scenario));
            state(State(estate)).await.into_response()
        }
        Err(fault) => problem(StatusCode::NOT_FOUND, &fault.to_string()),
    }
}

pub(super) async fn fault(State(estate): State<Estate>, body: String) -> Response {
    let action = serde_json::from_str::<Value>(&body).map_err(|error| error.to_string());
    match action.and_then(|value| Action::parse(&value)) {
        Ok(action) => {
            estate.with(|world| world.act(&action));
            Json(json!({"done": true})).into_response()
        }
        Err(why) => problem(StatusCode::BAD_REQUEST, &why),
    }
}

pub(super) async fn faults() -> Json<Value> {
    Json(catalogue::menu())
}

pub(super) async fn quit(State(estate): State<Estate>) -> Json<Value> {
    estate.quit();
    Json(json!({"done": true}))
}

fn problem(status: StatusCode, why: &str) -> Response {
    (status, Json(json!({"error": why}))).into_response()
}
