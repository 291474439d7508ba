//! What the simulated applications log. A line depends on its pod and its time alone, so a log of
//! days is neither kept nor made: only the lines that somebody asks for.

use super::api::Call;
use super::clock::wall;
use super::estate::{Estate, Visit};
use super::kind::Kind;
use super::pods::{Mood, Run, Sim};
use super::random::{Random, hex_of};
use super::refusal::Refusal;
use super::stream;
use super::world::World;
use axum::body::{Body, Bytes};
use axum::http::header;
use axum::response::{IntoResponse, Response};
use jiff::Timestamp;
use std::io;
use tokio::sync::watch::Receiver;

/// The mean time between two lines.
const PACE: i64 = 1_400;
/// Older lines were rotated away.
const KEPT: i64 = 4_000;

/// A line and its time.
type Line = (i64, String);

/// A log being followed.
struct Follow {
    estate: Estate,
    _visit: Visit,
    uid: String,
    run: u32,
    /// Everything up to here was sent.
    cursor: i64,
    pods: Receiver<u64>,
    with_times: bool,
    epoch: Timestamp,
    first: Option<String>,
}

/// Answers `GET …/pods/{name}/log`.
pub(super) fn answer(estate: &Estate, call: &Call) -> Result<Response, Refusal> {
    let (sim, run, now, epoch, pods) = estate.with(|world| {
        let sim = sim_of(world, call)?;
        let run = run_of(&sim, call)?;
        Ok::<_, Refusal>((
            sim,
            run,
            world.now,
            world.epoch,
            world.store.follow(Kind::Pod),
        ))
    })?;
    let with_times = call.params.is_set("timestamps");
    let mut lines = lines(&sim, &run, since(call, epoch, now), now);
    if let Some(tail) = call
        .params
        .number("tailLines")
        .and_then(|tail| usize::try_from(tail).ok())
    {
        lines.drain(..lines.len().saturating_sub(tail));
    }
    let mut text = write(&lines, epoch, with_times);
    if let Some(limit) = call
        .params
        .number("limitBytes")
        .and_then(|limit| usize::try_from(limit).ok())
    {
        let end = (0..=limit.min(text.len()))
            .rev()
            .find(|end| text.is_char_boundary(*end))
            .unwrap_or(0);
        text.truncate(end);
    }
    let body = if call.params.is_set("follow") && run.ended.is_none() {
        let visit = estate.visit();
        let (uid, run) = (sim.uid, run.number);
        let first = Some(text);
        stream::body(
            Follow {
                estate: estate.clone(),
                _visit: visit,
                uid,
                run,
                cursor: now,
                pods,
                with_times,
                epoch,
                first,
            },
            next,
        )
    } else {
        Body::from(text)
    };
    Ok(([(header::CONTENT_TYPE, "text/plain")], body).into_response())
}

async fn next(mut follow: Follow) -> Option<(io::Result<Bytes>, Follow)> {
    if let Some(first) = follow.first.take().filter(|first| !first.is_empty()) {
        return Some((Ok(Bytes::from(first)), follow));
    }
    loop {
        let clock = follow.estate.clock();
        let (sim, now, is_away) = follow.estate.with(|world| {
            follow.pods.mark_unchanged();
            (
                world
                    .sims
                    .get(&follow.uid)
                    .cloned()
                    .or_else(|| filler(world, &follow.uid)),
                world.now,
                world.faults.is_away(world.now),
            )
        });
        if is_away {
            return Some((Err(stream::reset()), follow));
        }
        // Where the run is over its last lines are still due; then the log ends.
        let sim = sim?;
        let runs = [sim.run.as_ref(), sim.last.as_ref()];
        let run = runs
            .into_iter()
            .flatten()
            .find(|run| run.number == follow.run)?
            .clone();
        let lines: Vec<Line> = lines(&sim, &run, follow.cursor + 1, now);
        follow.cursor = now;
        if !lines.is_empty() {
            let text = write(&lines, follow.epoch, follow.with_times);
            return Some((Ok(Bytes::from(text)), follow));
        }
        if run.ended.is_some() {
            return None;
        }
        tokio::select! {
            () = tokio::time::sleep_until(clock.instant(next_line(&sim, &run, now))) => {}
            _ = follow.pods.changed() => {}
        }
    }
}

/// A pod that no kubelet simulates runs since long ago.
fn filler(world: &World, uid: &str) -> Option<Sim> {
    let pod = world.store.find(uid)?;
    let mut sim = Sim::new(&pod, pod.name.clone());
    sim.is_ready = pod.is_ready;
    sim.run = Some(Run {
        number: 0,
        started: -3_600_000,
        ended: None,
        is_oom: false,
        moods: Vec::new(),
    });
    Some(sim)
}

/// What the kubelet knows of the pod that a request names.
pub(super) fn sim_of(world: &World, call: &Call) -> Result<Sim, Refusal> {
    let pod = world
        .store
        .get(Kind::Pod, &call.namespace, &call.name)
        .ok_or_else(|| Refusal::not_found(Kind::Pod, &call.name))?;
    let sim = world
        .sims
        .get(&pod.uid)
        .cloned()
        .or_else(|| filler(world, &pod.uid));
    sim.ok_or_else(|| Refusal::not_found(Kind::Pod, &call.name))
}

fn run_of(sim: &Sim, call: &Call) -> Result<Run, Refusal> {
    let asked = call.params.text("container");
    let pod = &call.name;
    if !asked.is_empty() && !sim.containers.iter().any(|(name, _)| name == asked) {
        return Err(Refusal::bad_request(format!(
            "container {asked} is not valid for pod {pod}"
        )));
    }
    let container = if asked.is_empty() {
        sim.container()
    } else {
        asked
    };
    if call.params.is_set("previous") {
        let last = match &sim.run {
            Some(run) if run.ended.is_some() => Some(run),
            _ => sim.last.as_ref(),
        };
        let none = || {
            Refusal::bad_request(format!(
                "previous terminated container {container:?} in pod {pod:?} not found"
            ))
        };
        return last.cloned().ok_or_else(none);
    }
    sim.run.clone().ok_or_else(|| {
        Refusal::bad_request(format!(
            "container {container:?} in pod {pod:?} is waiting to start: ContainerCreating"
        ))
    })
}

fn since(call: &Call, epoch: Timestamp, now: i64) -> i64 {
    let seconds = call
        .params
        .number("sinceSeconds")
        .and_then(|seconds| i64::try_from(seconds).ok());
    let time: Option<Timestamp> = call.params.text("sinceTime").parse().ok();
    let from = time.map(|time| time.as_millisecond() - epoch.as_millisecond());
    from.or_else(|| seconds.map(|seconds| now - seconds.saturating_mul(1000)))
        .unwrap_or(i64::MIN)
}

fn write(lines: &[Line], epoch: Timestamp, with_times: bool) -> String {
    let written = lines.iter().map(|(at, line)| {
        let time = if with_times {
            wall(epoch, *at)
                .strftime("%Y-%m-%dT%H:%M:%S.%9fZ ")
                .to_string()
        } else {
            String::new()
        };
        format!("{time}{line}\n")
    });
    written.collect()
}

/// The lines of a run with times in `from..=to`.
fn lines(sim: &Sim, run: &Run, from: i64, to: i64) -> Vec<Line> {
    let end = run.ended.unwrap_or(i64::MAX).min(to);
    let mut lines: Vec<Line> = Vec::new();
    for (index, text) in greeting(sim).into_iter().enumerate() {
        lines.push((
            run.started + 20 + 35 * i64::try_from(index).unwrap_or(0),
            text,
        ));
    }
    let last = (end - run.started).max(0) / PACE;
    let first = ((from.max(run.started) - run.started) / PACE - 1)
        .max(last - KEPT)
        .max(0);
    for index in first..=last {
        let at = time_of(sim, run, index);
        lines.push((at, line(sim, run, index, at)));
    }
    if let Some(ended) = run.ended {
        lines.push((ended, farewell(run)));
    }
    lines.retain(|(at, _)| (from..=end).contains(at));
    lines
}

fn time_of(sim: &Sim, run: &Run, index: i64) -> i64 {
    run.started
        + 300
        + index * PACE
        + Random::of(u64::try_from(index).unwrap_or(0), &sim.uid).range(0, PACE * 3 / 4)
}

fn next_line(sim: &Sim, run: &Run, now: i64) -> i64 {
    let index = ((now - run.started) / PACE - 1).max(0);
    (index..index + 4)
        .map(|index| time_of(sim, run, index))
        .find(|at| *at > now)
        .unwrap_or(now + PACE)
}

fn greeting(sim: &Sim) -> Vec<String> {
    let tag = sim.image().rsplit_once(':').map_or("", |(_, tag)| tag);
    match sim.container() {
        "frontend" => vec![
            "   ▲ Next.js 14.2.15".to_owned(),
            "   - Local:        http://localhost:3000".to_owned(),
            format!(
                " ✓ Starting digitalwall-frontend {}",
                tag.get(..7).unwrap_or(tag)
            ),
            " ✓ Ready in 412ms".to_owned(),
        ],
        _ => vec![
            "INFO:     Started server process [1]".to_owned(),
            "INFO:     Waiting for application startup.".to_owned(),
            format!(
                "INFO:     digitalwall-backend {} starting",
                tag.get(..7).unwrap_or(tag)
            ),
            "INFO:     Application startup complete.".to_owned(),
            "INFO:     Uvicorn running on http://0.0.0.0:8000 (Press CTRL+C to quit)".to_owned(),
        ],
    }
}

fn farewell(run: &Run) -> String {
    match run.is_oom {
        true => "INFO:     rendering wall 3840x2160, 412 tiles in memory".to_owned(),
        false => "CRITICAL: unhandled exception in worker: ConnectionRefusedError: [Errno 111] Connect call failed".to_owned(),
    }
}

fn line(sim: &Sim, run: &Run, index: i64, at: i64) -> String {
    let mood = run
        .moods
        .iter()
        .rev()
        .find(|(since, _)| *since <= at)
        .map_or(Mood::Fine, |(_, mood)| *mood);
    let mut random = Random::of(u64::try_from(index).unwrap_or(0), &hex_of(&sim.uid, 8));
    let client = format!("10.244.{}.{}", random.range(0, 9), random.range(2, 250));
    let took = random.range(2, 90);
    if mood == Mood::RedisRefused {
        return match index % 2 {
            0 => "ERROR:    redis.exceptions.ConnectionError: Error 111 connecting to redis.internal:6379. Connection refused.".to_owned(),
            _ => format!("INFO:     {client}:{} - \"GET /ready HTTP/1.1\" 503 Service Unavailable", random.range(30_000, 60_000)),
        };
    }
    let paths: &[&str] = match sim.container() {
        "frontend" => &[
            "/",
            "/walls/12",
            "/walls/7/edit",
            "/login",
            "/_next/static/chunks/main.js",
            "/api/session",
        ],
        _ => &[
            "/health",
            "/ready",
            "/api/walls",
            "/api/walls/12/posts",
            "/api/uploads",
            "/metrics",
        ],
    };
    let path = paths[usize::try_from(random.next() % paths.len() as u64).unwrap_or(0)];
    let verb = if path.contains("uploads") {
        "POST"
    } else {
        "GET"
    };
    match sim.container() {
        "frontend" => format!(" {verb} {path} 200 in {took}ms"),
        _ => format!(
            "INFO:     {client}:{} - \"{verb} {path} HTTP/1.1\" 200 OK",
            random.range(30_000, 60_000)
        ),
    }
}
