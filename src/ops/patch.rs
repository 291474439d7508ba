//! The patches: each tests the object's uid, its epoch and, for a flip, the whole old selector.
//!
//! A test that fails is 422 and nothing is changed: whoever was thought dead and wakes up writes into the
//! void. Annotations are added one by one: `add /metadata/annotations` would wipe a map that exists.

use std::collections::BTreeMap;

use json_patch::{Patch, PatchOperation, jsonptr::PointerBuf};
use serde_json::{Value, json};

use super::marks;
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
