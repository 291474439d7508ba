//! Requests that change something.

use super::api::{Call, json};
use super::clock::wall;
use super::estate::Estate;
use super::fields::Author;
use super::kind::Kind;
use super::read;
use super::refusal::Refusal;
use super::select::Selector;
use super::store::{Key, Object};
use super::world::World;
use super::write::{Door, Farewell};
use super::{patch, tree};
use axum::response::Response;
use serde_json::{Value, json as value};
use std::sync::Arc;

/// Answers a POST, PUT, PATCH or DELETE.
pub(super) fn answer(estate: &Estate, call: &Call, body: &[u8]) -> Result<Response, Refusal> {
    let is_dry_run = match call.params.text("dryRun") {
        "" => false,
        "All" => true,
        other => {
            return Err(Refusal::bad_request(format!(
                "invalid dryRun value {other:?}: supported: All"
            )));
        }
    };
    let is_apply = call.content == "application/apply-patch+yaml";
    let is_forced = call.params.is_set("force");
    if is_apply && call.params.text("fieldManager").is_empty() {
        return Err(Refusal::bad_request(
            "PatchOptions.meta.k8s.io \"\" is invalid: fieldManager: Required value: is required for apply patch",
        ));
    }
    let author = Author {
        manager: call.manager(),
        is_apply,
        is_forced,
        is_dry_run,
    };
    match (call.verb, call.part.as_str()) {
        ("create", "eviction") => delete(estate, call, &[], is_dry_run),
        ("create", "") if call.name.is_empty() => create(estate, call, body, &author),
        ("update" | "patch", part) if !call.name.is_empty() => {
            let door = match part {
                "status" => Door::Status,
                "scale" => Door::Scale,
                _ => Door::Main,
            };
            replace(estate, call, body, door, &author)
        }
        ("delete", "") => delete(estate, call, body, is_dry_run),
        ("deletecollection", "") => delete_all(estate, call, body, is_dry_run),
        _ => Err(Refusal::method_not_allowed()),
    }
}

fn create(estate: &Estate, call: &Call, body: &[u8], author: &Author) -> Result<Response, Refusal> {
    let body = parse(call, body)?;
    let object = estate.with(|world| world.create(call.kind, &call.namespace, body, author))?;
    Ok(read::answer(call, 201, &object, estate.wall()))
}

fn parse(call: &Call, body: &[u8]) -> Result<Value, Refusal> {
    if !matches!(call.content.as_str(), "application/json" | "") {
        let why = format!(
            "the body of the request was in an unknown format - accepted media types include: application/json, got {:?}",
            call.content
        );
        return Err(Refusal::new(415, "UnsupportedMediaType", why));
    }
    serde_json::from_slice(body).map_err(|error| {
        let name = call.kind.facts().kind;
        Refusal::bad_request(format!(
            "{name} in version {:?} cannot be handled as a {name}: {error}",
            call.kind.api_version()
        ))
    })
}

fn replace(
    estate: &Estate,
    call: &Call,
    body: &[u8],
    door: Door,
    author: &Author,
) -> Result<Response, Refusal> {
    let sent = if call.verb == "update" {
        Some(parse(call, body)?)
    } else {
        None
    };
    estate.with(|world| {
        if let Some(next) = &sent {
            check_version(call, next)?;
        }
        let Some(current) = world.store.get(call.kind, &call.namespace, &call.name) else {
            return create_by_apply(world, call, body, author);
        };
        let object = match door {
            Door::Scale => rescale(world, call, &current, sent, body, author)?,
            Door::Main | Door::Status => {
                let next = match sent {
                    Some(next) => next,
                    None => patch::apply(&call.content, &current.value(), body, author)?,
                };
                world.put(&current, next, door, author)?
            }
        };
        Ok(match door {
            Door::Scale => json(200, read::scale(&object).to_string().into_bytes()),
            Door::Main | Door::Status => {
                read::answer(call, 200, &object, wall(world.epoch, world.now))
            }
        })
    })
}

/// Some kinds take no update from a client that does not say what it read.
fn check_version(call: &Call, next: &Value) -> Result<(), Refusal> {
    let is_strict = matches!(call.kind, Kind::Lease | Kind::Autoscaler);
    if is_strict && tree::text(next, "/metadata/resourceVersion").is_empty() {
        let why = "Invalid value: 0x0: must be specified for an update";
        return Err(Refusal::invalid(
            call.kind,
            &call.name,
            "metadata.resourceVersion",
            why,
        ));
    }
    Ok(())
}

/// Server-side apply creates what is not there; any other write is refused.
fn create_by_apply(
    world: &mut World,
    call: &Call,
    body: &[u8],
    author: &Author,
) -> Result<Response, Refusal> {
    if !author.is_apply {
        return Err(Refusal::not_found(call.kind, &call.name));
    }
    let mut next = patch::apply(&call.content, &value!({}), body, author)?;
    tree::set(&mut next, "/metadata/name", call.name.clone());
    let object = world.create(call.kind, &call.namespace, next, author)?;
    Ok(read::answer(
        call,
        201,
        &object,
        wall(world.epoch, world.now),
    ))
}

fn rescale(
    world: &mut World,
    call: &Call,
    current: &Arc<Object>,
    sent: Option<Value>,
    body: &[u8],
    author: &Author,
) -> Result<Arc<Object>, Refusal> {
    let scale = match sent {
        Some(scale) => scale,
        None => patch::apply(&call.content, &read::scale(current), body, author)?,
    };
    let version = tree::text(&scale, "/metadata/resourceVersion");
    if !version.is_empty() && version != current.version.to_string() {
        return Err(Refusal::conflict(call.kind, &call.name));
    }
    let mut next = current.value();
    tree::set(
        &mut next,
        "/spec/replicas",
        tree::number(&scale, "/spec/replicas").unwrap_or(0),
    );
    world.put(current, next, Door::Scale, author)
}

fn farewell(call: &Call, body: &[u8], is_dry_run: bool) -> Farewell {
    let options: Value = serde_json::from_slice(body).unwrap_or(Value::Null);
    let text = |pointer: &str| {
        Some(tree::text(&options, pointer).to_owned()).filter(|text| !text.is_empty())
    };
    let is_dry = options["dryRun"]
        .as_array()
        .is_some_and(|list| list.contains(&value!("All")));
    let policy = text("/propagationPolicy")
        .unwrap_or_else(|| call.params.text("propagationPolicy").to_owned());
    let grace = call
        .params
        .number("gracePeriodSeconds")
        .and_then(|grace| i64::try_from(grace).ok());
    Farewell {
        uid: text("/preconditions/uid"),
        version: text("/preconditions/resourceVersion"),
        grace: tree::number(&options, "/gracePeriodSeconds").or(grace),
        orphans: policy == "Orphan" || options["orphanDependents"] == true,
        is_dry_run: is_dry_run || is_dry,
    }
}

fn delete(
    estate: &Estate,
    call: &Call,
    body: &[u8],
    is_dry_run: bool,
) -> Result<Response, Refusal> {
    let farewell = farewell(call, body, is_dry_run);
    let key: Key = (call.namespace.clone(), call.name.clone());
    let (uid, left) = estate.with(|world| {
        let uid = world
            .store
            .get(call.kind, &key.0, &key.1)
            .map(|object| object.uid.clone());
        world
            .delete(call.kind, &key, &farewell)
            .map(|left| (uid, left))
    })?;
    match left {
        Some(object) if call.kind == Kind::Pod || object.is_deleting => {
            Ok(read::answer(call, 200, &object, estate.wall()))
        }
        _ => Ok(json(
            200,
            success(call, &uid.unwrap_or_default())
                .to_string()
                .into_bytes(),
        )),
    }
}

fn success(call: &Call, uid: &str) -> Value {
    let facts = call.kind.facts();
    let mut details = value!({"name": call.name, "kind": facts.plural, "uid": uid});
    if !facts.group.is_empty() {
        details["group"] = value!(facts.group);
    }
    value!({"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success", "details": details})
}

fn delete_all(
    estate: &Estate,
    call: &Call,
    body: &[u8],
    is_dry_run: bool,
) -> Result<Response, Refusal> {
    let selector = Selector::parse(
        call.params.text("labelSelector"),
        call.params.text("fieldSelector"),
    )?;
    let farewell = farewell(call, body, is_dry_run);
    estate.with(|world| {
        let objects = world.store.list(call.kind, &call.namespace);
        let keys: Vec<Key> = objects
            .filter(|object| selector.matches(object))
            .map(|object| object.key())
            .collect();
        keys.iter()
            .try_for_each(|key| world.delete(call.kind, key, &farewell).map(drop))
    })?;
    Ok(json(200, success(call, "").to_string().into_bytes()))
}
