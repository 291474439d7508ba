//! Port-forwarding over a websocket: two channels a port, data and error, as `v4.channel.k8s.io` has it.

use super::api::Call;
use super::estate::Estate;
use super::pods::{Sim, Stage};
use super::refusal::Refusal;
use super::{app, logs};
use axum::body::Body;
use axum::http::request::Parts;
use axum::http::{HeaderValue, Request, header};
use axum::response::Response;
use futures::{SinkExt as _, StreamExt as _};
use hyper::upgrade::{OnUpgrade, Upgraded};
use hyper_util::rt::TokioIo;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::handshake::server::create_response_with_body;
use tokio_tungstenite::tungstenite::protocol::Role;
use tokio_tungstenite::tungstenite::{Error, Message};

/// The most that a request to an application may be.
const REQUEST_LIMIT: usize = 1024 * 1024;

/// What it may be called, the first that is offered.
const PROTOCOLS: [&str; 2] = ["v4.channel.k8s.io", "portforward.k8s.io"];

type Socket = WebSocketStream<TokioIo<Upgraded>>;

/// A request that asks to go on as a websocket, and the answer that lets it.
pub(super) struct Upgrade {
    on: OnUpgrade,
    answer: Response,
}

impl Upgrade {
    /// None where it asks for nothing like it.
    pub(super) fn of(parts: &mut Parts) -> Option<Self> {
        let mut request = Request::new(());
        request.method_mut().clone_from(&parts.method);
        *request.version_mut() = parts.version;
        request.headers_mut().clone_from(&parts.headers);
        let mut answer = create_response_with_body(&request, Body::empty).ok()?;
        let offered = parts.headers.get_all(header::SEC_WEBSOCKET_PROTOCOL);
        let offered = offered.iter().filter_map(|value| value.to_str().ok());
        let offered: Vec<&str> = offered
            .flat_map(|all| all.split(','))
            .map(str::trim)
            .collect();
        if let Some(chosen) = PROTOCOLS.into_iter().find(|name| offered.contains(name)) {
            let chosen = HeaderValue::from_static(chosen);
            let headers = answer.headers_mut();
            headers.insert(header::SEC_WEBSOCKET_PROTOCOL, chosen);
        }
        let on = parts.extensions.remove()?;
        Some(Self { on, answer })
    }
}

/// One forwarded port and what was sent to it so far.
struct Port {
    number: u16,
    buffer: Vec<u8>,
}

/// Answers `GET …/pods/{name}/portforward`.
pub(super) fn answer(
    estate: &Estate,
    call: &Call,
    upgrade: Option<Upgrade>,
) -> Result<Response, Refusal> {
    let sim = estate.with(|world| logs::sim_of(world, call))?;
    let numbers: Option<Vec<u16>> = call
        .params
        .text("ports")
        .split(',')
        .map(|port| port.parse().ok())
        .collect();
    let numbers = numbers.filter(|numbers| !numbers.is_empty() && numbers.len() < 100);
    let numbers = numbers.ok_or_else(|| {
        Refusal::bad_request("query parameter \"ports\" is missing or no list of ports")
    })?;
    if !matches!(sim.stage, Stage::Running | Stage::Ending) && sim.bound.is_some() {
        return Err(Refusal::bad_request(format!(
            "unable to forward port because pod is not running. Current status={:?}",
            "Pending"
        )));
    }
    let upgrade = upgrade.ok_or_else(|| Refusal::bad_request("Upgrade request required"))?;
    let (estate, call) = (estate.clone(), call.clone());
    tokio::spawn(async move {
        let visit = estate.visit();
        if let Ok(upgraded) = upgrade.on.await {
            let way = TokioIo::new(upgraded);
            let socket = Socket::from_raw_socket(way, Role::Server, None).await;
            // The client went away: nobody is left to tell.
            let _ = carry(&estate, &call, sim, numbers, socket).await;
        }
        drop(visit);
    });
    Ok(upgrade.answer)
}

async fn carry(
    estate: &Estate,
    call: &Call,
    sim: Sim,
    numbers: Vec<u16>,
    mut socket: Socket,
) -> Result<(), Error> {
    let mut ports: Vec<Port> = numbers
        .into_iter()
        .map(|number| Port {
            number,
            buffer: Vec::new(),
        })
        .collect();
    for (index, port) in ports.iter().enumerate() {
        for channel in [index * 2, index * 2 + 1] {
            send(&mut socket, channel, &port.number.to_le_bytes()).await?;
        }
    }
    while let Some(message) = socket.next().await {
        let data = match message? {
            Message::Binary(data) => data,
            Message::Close(_) => break,
            _ => continue,
        };
        let Some((channel, rest)) = data.split_first() else {
            continue;
        };
        let index = usize::from(*channel) / 2;
        let Some(port) = ports.get_mut(index).filter(|_| channel % 2 == 0) else {
            continue;
        };
        if port.number != listening(&sim) {
            let error = connection_refused(&sim, port.number);
            send(&mut socket, index * 2 + 1, error.as_bytes()).await?;
            break;
        }
        port.buffer.extend_from_slice(rest);
        if !answer_all(estate, call, &sim, index * 2, port, &mut socket).await? {
            break;
        }
    }
    socket.send(Message::Close(None)).await
}

/// Answers every whole request in the buffer; says whether the connection goes on.
async fn answer_all(
    estate: &Estate,
    call: &Call,
    sim: &Sim,
    channel: usize,
    port: &mut Port,
    socket: &mut Socket,
) -> Result<bool, Error> {
    loop {
        // Nothing where the pod ended, or another took its name.
        let answer = estate.with(|world| {
            let now = logs::sim_of(world, call)
                .ok()
                .filter(|now| now.uid == sim.uid)?;
            Some(app::answer(world, &now, &mut port.buffer))
        });
        match answer {
            None => return Ok(false),
            Some(None) => return Ok(port.buffer.len() <= REQUEST_LIMIT),
            Some(Some((bytes, closes))) => {
                send(socket, channel, &bytes).await?;
                if closes {
                    return Ok(false);
                }
            }
        }
    }
}

/// The only port on which the application of a pod listens.
fn listening(sim: &Sim) -> u16 {
    if sim.container() == "frontend" {
        3000
    } else {
        8000
    }
}

fn connection_refused(sim: &Sim, number: u16) -> String {
    format!(
        "error forwarding port {number} to pod {}, uid : failed to execute portforward in network namespace: \
         failed to connect to localhost:{number} inside namespace: dial tcp4 127.0.0.1:{number}: connect: \
         connection refused",
        sim.uid
    )
}

async fn send(socket: &mut Socket, channel: usize, bytes: &[u8]) -> Result<(), Error> {
    let mut frame = vec![u8::try_from(channel).unwrap_or(u8::MAX)];
    frame.extend_from_slice(bytes);
    socket.send(Message::Binary(frame.into())).await
}
