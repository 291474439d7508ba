//! Watches: changes of a kind as they come, bookmarks, and the ways in which a watch ends.

use super::api::Call;
use super::clock::wall;
use super::estate::{Estate, Visit};
use super::kind::Kind;
use super::refusal::Refusal;
use super::select::Selector;
use super::shape::Shape;
use super::store::{Change, Object};
use super::world::World;
use super::{read, stream, tree};
use axum::body::Bytes;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};
use std::io;
use std::sync::Arc;
use tokio::sync::watch::Receiver;
use tokio::time::{Duration, Instant};

/// How often a bookmark comes.
const BOOKMARKS: Duration = Duration::from_secs(60);

/// An open watch.
struct Watch {
    estate: Estate,
    _visit: Visit,
    number: u64,
    kind: Kind,
    namespace: String,
    selector: Selector,
    shape: Shape,
    /// Up to here the client has seen everything.
    cursor: u64,
    latest: Receiver<u64>,
    /// What stood at the beginning, where the client asked from no version on.
    first: Option<Vec<u8>>,
    bookmark: Option<Instant>,
    deadline: Instant,
    /// It is time for a bookmark or for the end.
    rings: bool,
    is_over: bool,
}

/// What a look at the history yields.
enum Look {
    Events(Vec<u8>),
    Nothing,
    Silence,
    Last(Vec<u8>),
    End,
    Broken,
}

/// Opens a watch.
pub(super) fn answer(estate: &Estate, call: &Call) -> Result<Response, Refusal> {
    if !call.params.text("sendInitialEvents").is_empty() {
        let why = "ListOptions.meta.k8s.io \"\" is invalid: sendInitialEvents: Forbidden: sendInitialEvents is \
            forbidden for watch unless the WatchList feature gate is enabled";
        return Err(Refusal::new(422, "Invalid", why));
    }
    let selector = Selector::parse(call.params.text("labelSelector"), &read::fields(call))?;
    let version = call.params.text("resourceVersion");
    let asked: u64 = match version {
        "" => 0,
        text => text
            .parse()
            .map_err(|_| Refusal::bad_request(format!("invalid resource version {text:?}")))?,
    };
    let watch = estate.with(|world| open(estate, world, call, selector, asked));
    let body = stream::body(watch, next);
    Ok(([(header::CONTENT_TYPE, "application/json")], body).into_response())
}

fn open(estate: &Estate, world: &mut World, call: &Call, selector: Selector, asked: u64) -> Watch {
    let shape = Shape::of(&call.accept, wall(world.epoch, world.now));
    let matching = |object: &&Arc<Object>| selector.matches(object);
    let first = (asked == 0).then(|| {
        let mut out = Vec::new();
        let objects = world
            .store
            .list(call.kind, &call.namespace)
            .filter(matching);
        objects.for_each(|object| event("ADDED", object, shape, &mut out));
        out
    });
    let seconds = call
        .params
        .number("timeoutSeconds")
        .filter(|seconds| *seconds > 0);
    let seconds =
        seconds.unwrap_or_else(|| u64::try_from(world.random.range(1_800, 3_600)).unwrap_or(1_800));
    let now = Instant::now();
    Watch {
        estate: estate.clone(),
        _visit: estate.visit(),
        number: world.faults.number_watch(),
        kind: call.kind,
        namespace: call.namespace.clone(),
        selector,
        shape,
        cursor: if asked == 0 {
            world.store.version()
        } else {
            asked
        },
        latest: world.store.follow(call.kind),
        first,
        bookmark: call
            .params
            .is_set("allowWatchBookmarks")
            .then_some(now + BOOKMARKS),
        deadline: now + Duration::from_secs(seconds),
        rings: false,
        is_over: false,
    }
}

async fn next(mut watch: Watch) -> Option<(io::Result<Bytes>, Watch)> {
    if watch.is_over {
        return None;
    }
    loop {
        if let Some(first) = watch.first.take().filter(|first| !first.is_empty()) {
            return Some((Ok(Bytes::from(first)), watch));
        }
        match watch.look() {
            Look::Events(bytes) => return Some((Ok(Bytes::from(bytes)), watch)),
            Look::Last(bytes) => {
                watch.is_over = true;
                return Some((Ok(Bytes::from(bytes)), watch));
            }
            Look::End => return None,
            Look::Broken => {
                watch.is_over = true;
                return Some((Err(stream::reset()), watch));
            }
            Look::Silence => std::future::pending().await,
            Look::Nothing => watch.wait().await,
        }
    }
}

impl Watch {
    /// What happened since the last look.
    fn look(&mut self) -> Look {
        let estate = self.estate.clone();
        estate.with(|world| {
            self.latest.mark_unchanged();
            if world.faults.is_away(world.now) {
                return Look::Broken;
            }
            if self.number < world.faults.closed_below {
                return Look::End;
            }
            if self.number < world.faults.silent_below {
                return Look::Silence;
            }
            let floor = world.store.floor(self.kind);
            let gone = Look::Last(expired(self.cursor, floor));
            if self.number < world.faults.expired_below {
                return gone;
            }
            let Some(changes) = world.store.since(self.kind, self.cursor) else {
                return gone;
            };
            if let Shape::Table(now) = &mut self.shape {
                *now = wall(world.epoch, world.now);
            }
            let mut out = Vec::new();
            changes.for_each(|change| self.show(change, &mut out));
            self.cursor = self.cursor.max(world.store.version());
            if std::mem::take(&mut self.rings) {
                self.ring(&mut out);
            }
            match (out.is_empty(), self.is_over) {
                (true, false) => Look::Nothing,
                (true, true) => Look::End,
                (false, _) => Look::Events(out),
            }
        })
    }

    /// Waits for a change, a bookmark's time or the end.
    async fn wait(&mut self) {
        let wake = self
            .bookmark
            .map_or(self.deadline, |at| at.min(self.deadline));
        tokio::select! {
            biased;
            _ = self.latest.changed() => {}
            () = tokio::time::sleep_until(wake) => self.rings = true,
        }
    }

    /// Says how far the client has seen, where it wants to know; the end comes with it.
    fn ring(&mut self, out: &mut Vec<u8>) {
        let now = Instant::now();
        self.is_over = now >= self.deadline;
        if let Some(at) = &mut self.bookmark {
            *at = now + BOOKMARKS;
            out.extend_from_slice(&bookmark(self.kind, self.cursor));
        }
    }

    fn show(&self, change: &Change, out: &mut Vec<u8>) {
        let is_seen = |object: &&Arc<Object>| {
            (self.namespace.is_empty() || object.namespace == self.namespace)
                && self.selector.matches(object)
        };
        let before = change.before.as_ref().filter(is_seen);
        let after = change.after.as_ref().filter(is_seen);
        match (before, after) {
            (None, Some(after)) => event("ADDED", after, self.shape, out),
            (Some(_), Some(after)) => event("MODIFIED", after, self.shape, out),
            (Some(before), None) => {
                let last = change
                    .last
                    .clone()
                    .unwrap_or_else(|| Arc::new(at_version(before, change.version)));
                event("DELETED", &last, self.shape, out);
            }
            (None, None) => {}
        }
    }
}

/// An object that stopped matching is shown as it matched, under the version of that change.
fn at_version(object: &Object, version: u64) -> Object {
    let mut value = object.value();
    tree::set(&mut value, "/metadata/resourceVersion", version.to_string());
    Object::new(object.kind, &value)
}

fn event(name: &str, object: &Object, shape: Shape, out: &mut Vec<u8>) {
    out.extend_from_slice(format!("{{\"type\":\"{name}\",\"object\":").as_bytes());
    shape.write(object, out);
    out.extend_from_slice(b"}\n");
}

fn bookmark(kind: Kind, version: u64) -> Vec<u8> {
    let object = json!({"kind": kind.facts().kind, "apiVersion": kind.api_version(),
        "metadata": {"resourceVersion": version.to_string(), "creationTimestamp": null}});
    line(&json!({"type": "BOOKMARK", "object": object}))
}

fn expired(asked: u64, floor: u64) -> Vec<u8> {
    line(&json!({"type": "ERROR", "object": Refusal::expired(asked, floor.max(asked)).body()}))
}

fn line(value: &Value) -> Vec<u8> {
    format!("{value}\n").into_bytes()
}
