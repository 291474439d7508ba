//! Between a process and the API server: where requests get lost, and processes with them.

use std::future::pending;
use std::io::{self, ErrorKind};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use axum::body::Body;
use http::{Request, Response};
use serde_json::{Value, json};
use tokio::time::Instant;

use super::asked::Asked;
use super::fault::Fault;
use super::law::{Sender, Sent};
use super::process::Process;

type Answer = io::Result<Response<Body>>;

/// A request on its way.
struct Letter {
    process: Arc<Process>,
    asked: Asked,
    request: Request<Body>,
    sender: Sender,
    /// How it was when it left.
    sent: Sent,
}

/// Sends what `process` asks, with whatever happens to it.
pub async fn send(process: Arc<Process>, request: Request<kube::client::Body>) -> Answer {
    let (parts, body) = request.into_parts();
    let bytes = body.collect_bytes().await.map_err(io::Error::other)?;
    let asked = Asked::read(&parts, &bytes);
    if process.state().is_dead {
        return pending().await;
    }
    process.running().await;
    if process
        .state()
        .cut_until
        .is_some_and(|until| until > Instant::now())
    {
        process.note_outcome(&asked, None);
        return lost(&process).await;
    }
    process.note_epoch(&asked);
    let sender = Sender::of(&process, &asked);
    process.world.law().sent(&sender, &asked);
    let sent = Sent {
        ready: process.world.ready_for(&asked).await,
        is_meant: process.world.is_meant(&asked).await,
        is_live: process.world.is_live(&asked).await,
        is_tested: process.world.is_tested(&asked).await,
        frozen: process.world.frozen_for(&asked),
    };
    let fault = choose(&process, &asked);
    let letter = Letter {
        sent,
        request: Request::from_parts(parts, Body::from(bytes)),
        process: process.clone(),
        asked,
        sender,
    };
    letter.meet(fault).await
}

fn choose(process: &Process, asked: &Asked) -> Option<Fault> {
    let (stage, rate) = {
        let state = process.state();
        if state.is_spared {
            return None;
        }
        (state.stage, state.rate)
    };
    let fits = |fault: Fault| fault.fits(asked);
    let fault = match process.world.strike(stage, fits) {
        Some(fault) => Some(fault),
        // Watches are many; they get their share by being cut off and stopped.
        None if asked.is_watch || !process.chance.permille(rate) => None,
        None => Some(process.chance.one_of(&Fault::ALL)).filter(|fault| fits(*fault)),
    }?;
    process.world.hit(fault, stage);
    let words = format!(
        "{process:?} {stage}: {} {} {}: {}",
        asked.method,
        asked.kind,
        asked.name,
        fault.word()
    );
    process.world.say(words);
    Some(fault)
}

/// What a client sees of a request that got lost: a reset at once, or nothing at all.
async fn lost(process: &Process) -> Answer {
    match process.chance.permille(500) {
        true => Err(io::Error::from(ErrorKind::ConnectionReset)),
        false => pending().await,
    }
}

impl Letter {
    async fn meet(self, fault: Option<Fault>) -> Answer {
        let process = self.process.clone();
        let seconds = |from, to| Duration::from_secs(process.chance.between(from, to));
        match fault {
            None => self.deliver().await,
            Some(Fault::Lost) => {
                process.note_outcome(&self.asked, None);
                lost(&process).await
            }
            Some(Fault::LostReply) => {
                process.note_outcome(&self.asked, None);
                self.arrive().await;
                lost(&process).await
            }
            Some(Fault::Conflict) => self.refused(409, "Conflict"),
            Some(Fault::Invalid) => self.refused(422, "Invalid"),
            Some(Fault::TooMany) => self.refused(429, "TooManyRequests"),
            Some(Fault::Broken) => self.broken(),
            Some(Fault::BrokenApplied) => {
                let answer = self.broken();
                self.arrive().await;
                answer
            }
            Some(Fault::Late) => {
                process.note_outcome(&self.asked, None);
                let (late, world) = (seconds(1, 50), process.world.clone());
                world.late.fetch_add(1, Ordering::SeqCst);
                tokio::spawn(async move {
                    tokio::time::sleep(late).await;
                    self.arrive().await;
                    world.late.fetch_sub(1, Ordering::SeqCst);
                });
                lost(&process).await
            }
            Some(Fault::CrashBefore) => {
                process.kill();
                pending().await
            }
            Some(Fault::CrashAfter) => {
                process.kill();
                self.arrive().await;
                pending().await
            }
            Some(Fault::Stop | Fault::Freeze) => {
                let is_frozen = fault == Some(Fault::Freeze);
                process.halt(seconds(3, 100), is_frozen);
                process.running().await;
                self.deliver().await
            }
            Some(Fault::Ahead | Fault::Behind) => {
                let hour = 3_600_000;
                let jump = if fault == Some(Fault::Ahead) {
                    hour
                } else {
                    -hour
                };
                process.state().wall_ms += jump;
                self.deliver().await
            }
            Some(Fault::CutOff) => {
                process.note_outcome(&self.asked, None);
                process.cut(seconds(2, 60));
                lost(&process).await
            }
        }
    }

    /// It arrives, and so does its answer, unless its sender is stopped meanwhile.
    async fn deliver(self) -> Answer {
        let (process, asked) = (self.process.clone(), self.asked.clone());
        let answer = self.arrive().await;
        process.note_outcome(&asked, Some(answer.status().as_u16()));
        process.running().await;
        Ok(answer)
    }

    /// It arrives at the API server.
    async fn arrive(self) -> Response<Body> {
        let world = &self.process.world;
        if self.asked.is_watch || !self.asked.is_write() {
            return world.send(self.request).await;
        }
        let uncounted = self.process.uncounted();
        // Between its reads and this: by its own clock it has just looked.
        let sent = match self.process.was_frozen() {
            true => Sent {
                ready: usize::MAX,
                is_meant: true,
                is_live: false,
                is_tested: true,
                frozen: 0,
            },
            false => self.sent,
        };
        let before = world.before(&self.asked, sent, uncounted).await;
        let response = world.send(self.request).await;
        let (parts, body) = response.into_parts();
        let bytes = axum::body::to_bytes(body, usize::MAX).await.unwrap();
        let answer: Value = serde_json::from_slice(&bytes).unwrap_or(Value::Null);
        let status = parts.status.as_u16();
        world
            .judge(&self.sender, &self.asked, before, status, &answer)
            .await;
        Response::from_parts(parts, Body::from(bytes))
    }

    fn refused(&self, status: u16, reason: &str) -> Answer {
        self.process.note_outcome(&self.asked, Some(status));
        let said = json!({
            "kind": "Status", "apiVersion": "v1", "status": "Failure",
            "message": "by the simulation", "reason": reason, "code": status,
        });
        let mut response = Response::builder()
            .status(status)
            .header("content-type", "application/json");
        if status == 429 {
            response = response.header("retry-after", "1");
        }
        response
            .body(Body::from(said.to_string()))
            .map_err(io::Error::other)
    }

    fn broken(&self) -> Answer {
        let status = self.process.chance.one_of(&[500, 503, 504]);
        self.refused(status, "InternalError")
    }
}

impl Process {
    /// Nothing of it gets through for so long.
    fn cut(&self, lasting: Duration) {
        let now = self.world.now();
        let until = now + u64::try_from(lasting.as_millis()).unwrap_or(0);
        let mut state = self.state();
        state.cut_until = Some(Instant::now() + lasting);
        state.cut.push((now, until));
    }

    /// The epoch that it gives to a Service is the one that it goes by from there on, whatever its record says yet.
    fn note_epoch(&self, asked: &Asked) {
        let epoch: Option<u64> = asked.marks("epoch").and_then(|epoch| epoch.parse().ok());
        if let Some(epoch) = epoch.filter(|_| asked.kind == "services") {
            let mut state = self.state();
            if let Some(known) = state.epochs.get_mut(&asked.name) {
                *known = epoch.max(*known);
            }
        }
    }

    /// Notes what its sender knows of an act: an answer, or nothing.
    fn note_outcome(&self, asked: &Asked, status: Option<u16>) {
        let is_known = status.is_some_and(|status| status < 500);
        let mut state = self.state();
        if asked.is_act() && !is_known {
            let intent = format!("{}/{}", state.stage, state.attempt);
            state.unsure.insert(asked.name.clone(), intent);
        }
        let reads = asked.method == "GET"
            && matches!(asked.kind.as_str(), "services" | "deployments")
            && !asked.is_watch;
        if reads && status == Some(200) {
            let name = asked.name.clone();
            state
                .unread
                .retain(|service| !name.is_empty() && *service != name);
        }
        if asked.is_act() && !is_known {
            state.unread.insert(asked.name.clone());
        }
    }
}
