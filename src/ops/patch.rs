//! The patches: each tests the object's uid, its epoch and, for a flip, the whole old selector.
//!
//! A test that fails is 422 and nothing is changed: whoever was thought dead and wakes up writes into the
//! void. Annotations are added one by one: `add /metadata/annotations` would wipe a map that exists.

use std::collections::BTreeMap;

use json_patch::{Patch, PatchOperation, jsonptr::PointerBuf};
use serde::Serialize;
use serde_json::{Value, json};

use super::marks;
use super::plan::{Flip, Plan, Update};
use crate::estate::{Labels, Safe};

/// What an object must be for a write to count.
#[derive(Clone, Debug)]
pub struct Must<'a> {
    /// Its uid.
    pub uid: &'a Safe,
    /// Its epoch; where it has none, the resourceVersion stands in for it.
    pub epoch: Option<u64>,
    /// Its resourceVersion.
    pub version: &'a Safe,
    /// Whether the resourceVersion is tested though there is an epoch: a second try must void a first one
    /// that is still under way.
    pub is_strict: bool,
    /// Whether it has annotations.
    pub has_annotations: bool,
    /// Whether nothing but the uid is tested: the simulation's bug.
    pub is_careless: bool,
}

/// Builds a patch.
#[derive(Debug, Default)]
pub struct Draft(Vec<Value>);

impl Draft {
    /// One that tests what must be so.
    pub fn of(must: &Must<'_>) -> Self {
        let mut draft = Self::default();
        draft.test("/metadata/uid", json!(must.uid));
        if let Some(epoch) = must.epoch.filter(|_| !must.is_careless) {
            draft.test(&annotation(marks::EPOCH), json!(epoch.to_string()));
        }
        if (must.epoch.is_none() || must.is_strict) && !must.is_careless {
            draft.test("/metadata/resourceVersion", json!(must.version));
        }
        if !must.has_annotations {
            draft.add("/metadata/annotations", json!({}));
        }
        draft
    }

    /// Tests that `path` has `value`.
    pub fn test(&mut self, path: &str, value: Value) {
        self.0
            .push(json!({ "op": "test", "path": path, "value": value }));
    }

    /// Replaces what is at `path`.
    pub fn replace(&mut self, path: &str, value: Value) {
        self.0
            .push(json!({ "op": "replace", "path": path, "value": value }));
    }

    /// Adds what is at `path`, or puts it in the place of what is there.
    pub fn add(&mut self, path: &str, value: Value) {
        self.0
            .push(json!({ "op": "add", "path": path, "value": value }));
    }

    /// Removes what is at `path`, which must be there.
    pub fn remove(&mut self, path: &str) {
        self.0.push(json!({ "op": "remove", "path": path }));
    }

    /// Sets one annotation.
    pub fn mark(&mut self, key: &str, value: &str) {
        self.add(&annotation(key), json!(value));
    }

    /// Removes one annotation, which must be there.
    pub fn unmark(&mut self, key: &str) {
        self.remove(&annotation(key));
    }

    /// The patch.
    pub fn finish(self) -> Patch {
        let read = |op: Value| serde_json::from_value::<PatchOperation>(op).ok();
        Patch(self.0.into_iter().filter_map(read).collect())
    }
}

/// By whom it is written, which no plan knows yet.
#[derive(Clone, Copy, Debug)]
pub struct Signed<'a> {
    /// The epoch of the lock.
    pub epoch: &'a str,
    /// The operation's id.
    pub operation: &'a str,
    /// Who, when, from what to what, and why, as JSON.
    pub said: &'a str,
}

impl Draft {
    fn sign(&mut self, by: Signed<'_>, key: &str) {
        self.mark(marks::EPOCH, by.epoch);
        self.mark(marks::OPERATION, by.operation);
        self.mark(key, by.said);
    }
}

/// A Service's: the whole selector that it must have, and the one that it gets.
pub fn flip(must: &Must<'_>, flip: &Flip, by: Signed<'_>) -> Draft {
    let mut draft = Draft::of(must);
    draft.test("/spec/selector", selector(&flip.from));
    draft.replace("/spec/selector", selector(&flip.to));
    draft.sign(by, marks::FLIP);
    draft.mark(marks::MEANT, &selector(&flip.to).to_string());
    draft
}

/// A Service's that has that selector already, and that is to keep it: what it changes is what a late patch tests.
pub fn stay(must: &Must<'_>, flip: &Flip, by: Signed<'_>) -> Draft {
    let mut draft = Draft::of(must);
    draft.test("/spec/selector", selector(&flip.to));
    draft.sign(by, marks::FENCE);
    draft.mark(marks::MEANT, &selector(&flip.to).to_string());
    draft
}

/// A Deployment's, of that generation: images, and replicas where they change.
pub fn update(
    must: &Must<'_>,
    update: &Update,
    generation: Value,
    replicas: Option<u32>,
    by: Signed<'_>,
) -> Draft {
    let mut draft = Draft::of(must);
    draft.test("/metadata/generation", generation);
    for (place, container) in update.containers.iter().enumerate() {
        let path = format!("/spec/template/spec/containers/{place}");
        draft.test(&format!("{path}/name"), json!(container.name));
        draft.test(&format!("{path}/image"), json!(container.from));
        if container.from != container.to {
            draft.replace(&format!("{path}/image"), json!(container.to));
        }
    }
    if let Some(replicas) = replicas {
        draft.replace("/spec/replicas", json!(replicas));
    }
    draft.sign(by, marks::DEPLOY);
    draft
}

/// An autoscaler's.
pub fn hold(must: &Must<'_>, min: u32) -> Draft {
    let mut draft = Draft::of(must);
    draft.replace("/spec/minReplicas", json!(min));
    draft
}

/// A request of a plan.
#[derive(Clone, Debug, Serialize)]
pub struct Sent {
    /// `PATCH`.
    pub method: &'static str,
    /// At the API server.
    pub path: String,
    /// The JSON Patch.
    pub patch: Patch,
}

impl Sent {
    /// The request, and below it each operation of its patch.
    pub fn lines(&self) -> Vec<String> {
        let operations = self.patch.0.iter().map(|it| format!("  {}", json!(it)));
        let request = format!("{} {}", self.method, self.path);
        std::iter::once(request).chain(operations).collect()
    }
}

/// The patches of `plan` as they are sent; what stands in `<>` is known when it starts.
pub fn requests(plan: &Plan) -> Vec<Sent> {
    let by = Signed {
        epoch: "<epoch>",
        operation: "<operation>",
        said: "<who, when, from what to what, why>",
    };
    let version = Safe::from("<resourceVersion>");
    let must = |uid| Must {
        uid,
        epoch: None,
        version: &version,
        is_strict: true,
        has_annotations: true,
        is_careless: false,
    };
    let sent = |group: &str, kind: &str, name: &Safe, draft: Draft| Sent {
        method: "PATCH",
        path: format!("/{group}/namespaces/{}/{kind}/{name}", plan.namespace),
        patch: draft.finish(),
    };
    let updates = plan.updates.iter().map(|it| {
        let replicas = (it.replicas != it.to_replicas).then_some(it.to_replicas);
        let draft = update(&must(&it.uid), it, json!("<generation>"), replicas, by);
        sent("apis/apps/v1", "deployments", &it.deployment, draft)
    });
    let holds = plan.holds.iter().map(|it| {
        let mut draft = hold(&must(&it.uid), it.to);
        draft.mark(marks::HELD, "<what it had>");
        let kind = "horizontalpodautoscalers";
        sent("apis/autoscaling/v2", kind, &it.autoscaler, draft)
    });
    let flips = plan.flips.iter().map(|it| {
        let must = Must {
            epoch: it.epoch,
            version: &it.resource_version,
            is_strict: false,
            has_annotations: it.has_annotations,
            ..must(&it.uid)
        };
        sent("api/v1", "services", &it.service, flip(&must, it, by))
    });
    updates.chain(holds).chain(flips).collect()
}

/// Where an annotation is.
fn annotation(key: &str) -> String {
    let tokens = ["metadata", "annotations", key];
    PointerBuf::from_tokens(tokens).to_string()
}

/// A selector as the API spells it.
pub fn selector(labels: &Labels) -> Value {
    let pairs: BTreeMap<&str, &str> = labels
        .iter()
        .map(|(k, v)| (k.as_str(), v.as_str()))
        .collect();
    json!(pairs)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn must(epoch: Option<u64>, is_strict: bool) -> Vec<Value> {
        let (uid, version) = ("u".into(), "7".into());
        let must = Must {
            uid: &uid,
            epoch,
            version: &version,
            is_strict,
            has_annotations: true,
            is_careless: false,
        };
        Draft::of(&must).0
    }

    #[test]
    fn i_14_a_write_tests_uid_and_epoch_and_where_there_is_none_the_resource_version() {
        let paths = |ops: Vec<Value>| -> Vec<String> {
            ops.iter()
                .map(|op| op["path"].as_str().unwrap_or_default().to_owned())
                .collect()
        };
        let epoch = "/metadata/annotations/wheelhouse.dev~1epoch";
        assert_eq!(paths(must(Some(3), false)), ["/metadata/uid", epoch]);
        assert_eq!(
            paths(must(None, false)),
            ["/metadata/uid", "/metadata/resourceVersion"]
        );
        assert_eq!(
            paths(must(Some(3), true)),
            ["/metadata/uid", epoch, "/metadata/resourceVersion"]
        );
    }

    #[test]
    fn every_operation_of_a_draft_reaches_the_patch() {
        let (uid, version) = ("u".into(), "7".into());
        let mut draft = Draft::of(&Must {
            uid: &uid,
            epoch: None,
            version: &version,
            is_strict: false,
            has_annotations: false,
            is_careless: false,
        });
        draft.replace("/spec/selector", json!({ "a": "b" }));
        draft.mark("wheelhouse.dev/epoch", "4");
        draft.unmark("wheelhouse.dev/held");
        assert_eq!(draft.finish().0.len(), 6);
    }
}
