//! Creating, changing and deleting: what the API server checks, fills in and counts up.

use super::fields::{self, Author};
use super::kind::Kind;
use super::refusal::Refusal;
use super::store::{Key, Object};
use super::world::World;
use super::{defaults, tree};
use serde_json::{Value, json};
use std::sync::Arc;

/// Which part of an object a write may touch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Door {
    Main,
    Status,
    Scale,
}

/// The options of a deletion.
#[derive(Debug, Clone, Default)]
pub(super) struct Farewell {
    pub(super) uid: Option<String>,
    pub(super) version: Option<String>,
    pub(super) grace: Option<i64>,
    pub(super) orphans: bool,
    pub(super) is_dry_run: bool,
}

impl World {
    /// Creates what `body` says in `namespace`.
    pub(super) fn create(
        &mut self,
        kind: Kind,
        namespace: &str,
        mut body: Value,
        author: &Author,
    ) -> Result<Arc<Object>, Refusal> {
        defaults::check_identity(kind, &mut body)?;
        if !tree::text(&body, "/metadata/resourceVersion").is_empty() {
            return Err(Refusal::bad_request(
                "resourceVersion should not be set on objects to be created",
            ));
        }
        self.check_namespace(kind, namespace, &mut body)?;
        let name = self.name_of(kind, &mut body)?;
        if self.store.get(kind, namespace, &name).is_some() {
            return Err(Refusal::already_exists(kind, &name));
        }
        self.fill_in(kind, &mut body);
        defaults::check(kind, &name, &Value::Null, &body)?;
        let uid = self.random.uuid();
        tree::set(&mut body, "/metadata/uid", uid);
        tree::set(&mut body, "/metadata/creationTimestamp", self.time());
        if kind.facts().generation {
            tree::set(&mut body, "/metadata/generation", 1);
        }
        tree::remove(&mut body, "/metadata", "managedFields");
        fields::record(&Value::Null, &mut body, author, "", &self.time());
        Ok(self.keep(kind, body, author.is_dry_run))
    }

    /// Puts `next` where `current` stands, through `door`.
    pub(super) fn put(
        &mut self,
        current: &Arc<Object>,
        mut next: Value,
        door: Door,
        author: &Author,
    ) -> Result<Arc<Object>, Refusal> {
        let (kind, name) = (current.kind, current.name.as_str());
        defaults::check_identity(kind, &mut next)?;
        check_same(current, &next)?;
        let old = current.value();
        hold_metadata(&old, &mut next);
        let subresource = match door {
            Door::Main if kind.facts().status => {
                keep_member(&old, &mut next, "status");
                ""
            }
            Door::Main => "",
            Door::Status => {
                next = with_status(&old, &next);
                "status"
            }
            Door::Scale => "scale",
        };
        defaults::check(kind, name, &old, &next)?;
        if next == old {
            return Ok(Arc::clone(current));
        }
        if kind.facts().generation && old["spec"] != next["spec"] {
            let generation = tree::number(&old, "/metadata/generation").unwrap_or(0);
            tree::set(&mut next, "/metadata/generation", generation + 1);
        }
        fields::record(&old, &mut next, author, subresource, &self.time());
        let is_last = current.is_deleting
            && tree::list(&next, "/metadata/finalizers").is_empty()
            && kind != Kind::Pod;
        if is_last && !author.is_dry_run {
            self.remove(kind, &current.key());
            return Ok(Arc::clone(current));
        }
        Ok(self.keep(kind, next, author.is_dry_run))
    }

    /// Deletes, gracefully where it is a pod; the answer is the object that still stands, if it does.
    pub(super) fn delete(
        &mut self,
        kind: Kind,
        key: &Key,
        farewell: &Farewell,
    ) -> Result<Option<Arc<Object>>, Refusal> {
        let object = self
            .store
            .get(kind, &key.0, &key.1)
            .ok_or_else(|| Refusal::not_found(kind, &key.1))?;
        check_farewell(&object, farewell)?;
        if farewell.is_dry_run {
            return Ok(Some(object));
        }
        if farewell.orphans {
            self.orphan(&object.uid);
        }
        let mut value = object.value();
        let has_finalizers = !tree::list(&value, "/metadata/finalizers").is_empty();
        let is_bound = kind == Kind::Pod
            && !object.field("spec.nodeName").is_empty()
            && self.sims.contains_key(&object.uid);
        let grace = farewell
            .grace
            .or_else(|| tree::number(&value, "/spec/terminationGracePeriodSeconds"))
            .unwrap_or(30);
        if !has_finalizers && (!is_bound || grace == 0) {
            self.remove(kind, key);
            return Ok(None);
        }
        if object.is_deleting {
            return Ok(Some(object));
        }
        tree::set(
            &mut value,
            "/metadata/deletionTimestamp",
            self.time_at(self.now + grace * 1000),
        );
        tree::set(&mut value, "/metadata/deletionGracePeriodSeconds", grace);
        let object = self.keep(kind, value, false);
        if kind == Kind::Pod {
            self.end_pod(&object);
        }
        Ok(Some(object))
    }

    /// Takes an object out at once.
    pub(super) fn remove(&mut self, kind: Kind, key: &Key) {
        let Some(object) = self.store.get(kind, &key.0, &key.1) else {
            return;
        };
        let mut value = object.value();
        tree::set(
            &mut value,
            "/metadata/resourceVersion",
            self.store.next_version().to_string(),
        );
        let change = self.store.take(Object::new(kind, &value));
        self.react(kind, &change);
    }

    /// Stores `value` under the next version; a dry run only says what would stand.
    pub(super) fn keep(&mut self, kind: Kind, mut value: Value, is_dry_run: bool) -> Arc<Object> {
        if is_dry_run {
            return Arc::new(Object::new(kind, &value));
        }
        tree::set(
            &mut value,
            "/metadata/resourceVersion",
            self.store.next_version().to_string(),
        );
        let change = self.store.put(Object::new(kind, &value));
        self.react(kind, &change);
        let Some(object) = change.after else {
            return Arc::new(Object::new(kind, &value));
        };
        object
    }

    fn check_namespace(
        &self,
        kind: Kind,
        namespace: &str,
        body: &mut Value,
    ) -> Result<(), Refusal> {
        if !kind.facts().namespaced {
            return Ok(());
        }
        let said = tree::text(body, "/metadata/namespace");
        if !said.is_empty() && said != namespace {
            let why = "the namespace of the provided object does not match the namespace sent on the request";
            return Err(Refusal::bad_request(why));
        }
        tree::set(body, "/metadata/namespace", namespace);
        match self.store.get(Kind::Namespace, "", namespace) {
            Some(_) => Ok(()),
            None => Err(Refusal::not_found(Kind::Namespace, namespace)),
        }
    }

    fn name_of(&mut self, kind: Kind, body: &mut Value) -> Result<String, Refusal> {
        let name = tree::text(body, "/metadata/name").to_owned();
        let stem = tree::text(body, "/metadata/generateName").to_owned();
        let name = match (name.is_empty(), stem.is_empty()) {
            (false, _) => name,
            (true, false) => format!("{stem}{}", self.random.suffix(5)),
            (true, true) => {
                let why = "Required value: name or generateName is required";
                return Err(Refusal::invalid(kind, "", "metadata.name", why));
            }
        };
        defaults::check_name(kind, &name)?;
        tree::set(body, "/metadata/name", name.clone());
        Ok(name)
    }
}

fn check_farewell(object: &Object, farewell: &Farewell) -> Result<(), Refusal> {
    let wrong = |what: &str, wanted: &str, found: &str| {
        let why = format!(
            "the {what} in the precondition ({wanted}) does not match the {what} in record ({found}). \
             The object might have been deleted and then recreated"
        );
        Refusal::conflict_because(object.kind, &object.name, &why)
    };
    if let Some(uid) = farewell.uid.as_ref().filter(|uid| **uid != object.uid) {
        return Err(wrong("UID", uid, &object.uid));
    }
    let version = object.version.to_string();
    match farewell
        .version
        .as_ref()
        .filter(|wanted| **wanted != version)
    {
        Some(wanted) => Err(wrong("ResourceVersion", wanted, &version)),
        None => Ok(()),
    }
}

fn check_same(current: &Object, next: &Value) -> Result<(), Refusal> {
    let (kind, name) = (current.kind, current.name.as_str());
    let said = tree::text(next, "/metadata/name");
    if said != name {
        let why =
            format!("the name of the object ({said}) does not match the name on the URL ({name})");
        return Err(Refusal::bad_request(why));
    }
    let namespace = tree::text(next, "/metadata/namespace");
    if !namespace.is_empty() && namespace != current.namespace {
        let why =
            "the namespace of the provided object does not match the namespace sent on the request";
        return Err(Refusal::bad_request(why));
    }
    let uid = tree::text(next, "/metadata/uid");
    if !uid.is_empty() && uid != current.uid {
        let why = format!(
            "Precondition failed: UID in precondition: {uid}, UID in object meta: {}",
            current.uid
        );
        return Err(Refusal::conflict_because(kind, name, &why));
    }
    let version = tree::text(next, "/metadata/resourceVersion");
    if !version.is_empty() && version != current.version.to_string() {
        return Err(Refusal::conflict(kind, name));
    }
    Ok(())
}

/// Metadata that belongs to the server stays as it is.
fn hold_metadata(old: &Value, next: &mut Value) {
    let held = [
        "uid",
        "creationTimestamp",
        "generation",
        "resourceVersion",
        "managedFields",
        "namespace",
        "deletionTimestamp",
        "deletionGracePeriodSeconds",
        "selfLink",
        "generateName",
    ];
    for key in held {
        match old["metadata"].get(key) {
            Some(value) => tree::set(next, &format!("/metadata/{key}"), value.clone()),
            None => drop(tree::remove(next, "/metadata", key)),
        }
    }
    for key in ["labels", "annotations", "finalizers", "ownerReferences"] {
        let is_empty = match &next["metadata"][key] {
            Value::Null => true,
            Value::Object(map) => map.is_empty(),
            Value::Array(list) => list.is_empty(),
            _ => false,
        };
        if is_empty && old["metadata"].get(key).is_none() {
            drop(tree::remove(next, "/metadata", key));
        }
    }
}

fn keep_member(old: &Value, next: &mut Value, member: &str) {
    match old.get(member) {
        Some(value) => tree::set(next, &format!("/{member}"), value.clone()),
        None => drop(tree::remove(next, "", member)),
    }
}

fn with_status(old: &Value, next: &Value) -> Value {
    let mut value = old.clone();
    tree::set(
        &mut value,
        "/status",
        next.get("status").cloned().unwrap_or_else(|| json!({})),
    );
    value
}
