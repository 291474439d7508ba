//! Getting and listing.

use super::api::{Call, json};
use super::estate::Estate;
use super::refusal::Refusal;
use super::select::Selector;
use super::shape::Shape;
use super::store::{Key, Object};
use super::tree;
use super::world::World;
use axum::response::Response;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json as value};
use std::sync::Arc;

/// Answers a GET of one object.
pub(super) fn get(estate: &Estate, call: &Call) -> Result<Response, Refusal> {
    let object = estate
        .with(|world| world.store.get(call.kind, &call.namespace, &call.name))
        .ok_or_else(|| Refusal::not_found(call.kind, &call.name))?;
    if call.part == "scale" {
        return Ok(json(200, scale(&object).to_string().into_bytes()));
    }
    Ok(answer(call, 200, &object))
}

/// One object in the form that was asked for.
pub(super) fn answer(call: &Call, code: u16, object: &Object) -> Response {
    let mut out = Vec::with_capacity(object.bytes.len() + 64);
    Shape::of(&call.accept).write(object, &mut out);
    json(code, out)
}

/// The `Scale` of a workload.
pub(super) fn scale(object: &Object) -> Value {
    let whole = object.value();
    let selector: Vec<String> = tree::strings(&whole, "/spec/selector/matchLabels")
        .into_iter()
        .map(|(key, value)| format!("{key}={value}"))
        .collect();
    let metadata = &whole["metadata"];
    value!({
        "kind": "Scale", "apiVersion": "autoscaling/v1",
        "metadata": {"name": object.name, "namespace": object.namespace, "uid": object.uid,
            "resourceVersion": object.version.to_string(), "creationTimestamp": metadata["creationTimestamp"]},
        "spec": {"replicas": tree::number(&whole, "/spec/replicas").unwrap_or(1)},
        "status": {"replicas": tree::number(&whole, "/status/replicas").unwrap_or(0), "selector": selector.join(",")},
    })
}

/// The page of a list that a request asks for.
struct Page {
    objects: Vec<Arc<Object>>,
    version: u64,
    /// How many more there are, and after which they begin.
    rest: Option<(usize, Key)>,
}

/// Answers a list, by pages where a limit says so.
pub(super) fn list(estate: &Estate, call: &Call) -> Result<Response, Refusal> {
    let selector = Selector::parse(call.params.text("labelSelector"), &fields(call))?;
    let page = estate.with(|world| page(world, call, &selector))?;
    let mut meta = value!({"resourceVersion": page.version.to_string()});
    if let Some((count, after)) = &page.rest {
        meta["continue"] = value!(token(i64::try_from(page.version).unwrap_or(-1), after));
        if selector.is_open() {
            meta["remainingItemCount"] = value!(count);
        }
    }
    let objects = page.objects.iter().map(Arc::as_ref);
    Ok(json(
        200,
        Shape::of(&call.accept).list(call.kind, &meta, objects),
    ))
}

/// The field selector; a watch or list of one named object selects by that name.
pub(super) fn fields(call: &Call) -> String {
    let said = call.params.text("fieldSelector");
    match (call.name.is_empty(), said.is_empty()) {
        (true, _) => said.to_owned(),
        (false, true) => format!("metadata.name={}", call.name),
        (false, false) => format!("{said},metadata.name={}", call.name),
    }
}

fn page(world: &World, call: &Call, selector: &Selector) -> Result<Page, Refusal> {
    let current = world.store.version();
    let go_on = call.params.text("continue");
    let asked = call.params.number("resourceVersion").unwrap_or(0);
    if asked > current {
        return Err(Refusal::too_large(asked, current));
    }
    let is_exact = call.params.text("resourceVersionMatch") == "Exact";
    let (version, after) = match read_token(go_on)? {
        Some((version, after)) => (version.unwrap_or(current), Some(after)),
        None => (if is_exact { asked } else { current }, None),
    };
    let objects = world
        .store
        .list_at(call.kind, &call.namespace, after.as_ref(), version);
    let objects = objects.ok_or_else(|| match &after {
        Some(after) => Refusal::page_expired(token(-1, after)),
        None => Refusal::expired(version, world.store.floor(call.kind)),
    })?;
    let mut objects: Vec<Arc<Object>> = objects
        .into_iter()
        .filter(|object| selector.matches(object))
        .collect();
    let limit = call
        .params
        .number("limit")
        .filter(|limit| *limit > 0)
        .and_then(|limit| usize::try_from(limit).ok());
    let rest = limit.filter(|limit| *limit < objects.len()).map(|limit| {
        let rest = objects.split_off(limit);
        (
            rest.len(),
            objects.last().map(|last| last.key()).unwrap_or_default(),
        )
    });
    Ok(Page {
        objects,
        version,
        rest,
    })
}

fn token(version: i64, after: &Key) -> String {
    let inner =
        value!({"v": "meta.k8s.io/v1", "rv": version, "start": format!("{}/{}", after.0, after.1)});
    URL_SAFE_NO_PAD.encode(inner.to_string())
}

/// The version (nothing: any) and the place of a `continue` token.
fn read_token(token: &str) -> Result<Option<(Option<u64>, Key)>, Refusal> {
    if token.is_empty() {
        return Ok(None);
    }
    let bad = || Refusal::bad_request("continue key is not valid: couldn't decode the token");
    let bytes = URL_SAFE_NO_PAD.decode(token).map_err(|_| bad())?;
    let inner: Value = serde_json::from_slice(&bytes).map_err(|_| bad())?;
    let (namespace, name) = tree::text(&inner, "/start")
        .split_once('/')
        .ok_or_else(bad)?;
    let version = tree::number(&inner, "/rv").ok_or_else(bad)?;
    Ok(Some((
        u64::try_from(version).ok(),
        (namespace.to_owned(), name.to_owned()),
    )))
}
