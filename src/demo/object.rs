//! One version of an object as bytes, with what selectors and controllers ask of it.

use super::kind::Kind;
use super::tree;
use axum::body::Bytes;
use serde_json::Value;

/// The place of an object: namespace (empty for the cluster's own) and name.
pub(super) type Key = (String, String);

/// One version of an object: its JSON, and what selectors and controllers ask of it.
#[derive(Debug)]
pub(super) struct Object {
    pub(super) kind: Kind,
    pub(super) namespace: String,
    pub(super) name: String,
    pub(super) uid: String,
    pub(super) version: u64,
    pub(super) labels: Vec<(String, String)>,
    fields: Vec<(&'static str, String)>,
    pub(super) owners: Vec<String>,
    pub(super) is_deleting: bool,
    pub(super) is_ready: bool,
    /// The JSON without kind and version, as the members of a list are sent.
    pub(super) bytes: Bytes,
}

impl Object {
    /// The index and the bytes of `value`.
    pub(super) fn new(kind: Kind, value: &Value) -> Self {
        Self::cut(kind, value, Bytes::from(bare(value)))
    }

    /// As [`Object::new`], with the bytes of [`bare`] at hand.
    pub(super) fn cut(kind: Kind, value: &Value, bytes: Bytes) -> Self {
        let owners = tree::list(value, "/metadata/ownerReferences");
        let conditions = tree::list(value, "/status/conditions");
        let is = |condition: &Value, wanted| {
            tree::text(condition, "/type") == wanted && condition["status"] == "True"
        };
        Self {
            kind,
            namespace: tree::text(value, "/metadata/namespace").to_owned(),
            name: tree::text(value, "/metadata/name").to_owned(),
            uid: tree::text(value, "/metadata/uid").to_owned(),
            version: tree::text(value, "/metadata/resourceVersion")
                .parse()
                .unwrap_or(0),
            labels: tree::strings(value, "/metadata/labels"),
            fields: fields(kind, value),
            owners: owners
                .iter()
                .map(|owner| tree::text(owner, "/uid").to_owned())
                .collect(),
            is_deleting: value
                .pointer("/metadata/deletionTimestamp")
                .is_some_and(|time| !time.is_null()),
            is_ready: conditions.iter().any(|condition| is(condition, "Ready")),
            bytes,
        }
    }

    pub(super) fn key(&self) -> Key {
        (self.namespace.clone(), self.name.clone())
    }

    /// The object as a tree of its own.
    pub(super) fn value(&self) -> Value {
        let mut value: Value = serde_json::from_slice(&self.bytes).unwrap_or(Value::Null);
        tree::set(&mut value, "/kind", self.kind.facts().kind);
        tree::set(&mut value, "/apiVersion", self.kind.api_version());
        value
    }

    /// The JSON of the object on its own: kind and version, then [`Object::bytes`] without its brace.
    pub(super) fn write(&self, out: &mut Vec<u8>) {
        let (kind, version) = (self.kind.facts().kind, self.kind.api_version());
        out.extend_from_slice(
            format!("{{\"kind\":\"{kind}\",\"apiVersion\":\"{version}\",").as_bytes(),
        );
        out.extend_from_slice(self.bytes.get(1..).unwrap_or_default());
    }

    pub(super) fn label(&self, key: &str) -> Option<&str> {
        self.labels
            .iter()
            .find(|(label, _)| label == key)
            .map(|(_, value)| value.as_str())
    }

    /// The value that a field selector sees; empty where there is none.
    pub(super) fn field(&self, field: &str) -> &str {
        match field {
            "metadata.name" => &self.name,
            "metadata.namespace" => &self.namespace,
            _ => self
                .fields
                .iter()
                .find(|(name, _)| *name == field)
                .map_or("", |(_, value)| value),
        }
    }

    /// Whether the labels hold all of `wanted`.
    pub(super) fn carries(&self, wanted: &[(String, String)]) -> bool {
        wanted
            .iter()
            .all(|(key, value)| self.label(key) == Some(value))
    }
}

/// The JSON of an object without its kind and version.
pub(super) fn bare(value: &Value) -> String {
    let members = value
        .as_object()
        .into_iter()
        .flatten()
        .filter(|(key, _)| *key != "kind" && *key != "apiVersion");
    let members: Vec<String> = members
        .map(|(key, value)| format!("{key:?}:{value}"))
        .collect();
    format!("{{{}}}", members.join(","))
}

fn fields(kind: Kind, value: &Value) -> Vec<(&'static str, String)> {
    let paths: &[(&'static str, &str)] = match kind {
        Kind::Pod => &[
            ("status.phase", "/status/phase"),
            ("spec.nodeName", "/spec/nodeName"),
            ("status.podIP", "/status/podIP"),
            ("spec.restartPolicy", "/spec/restartPolicy"),
            ("spec.serviceAccountName", "/spec/serviceAccountName"),
        ],
        Kind::Event => &[
            ("involvedObject.kind", "/involvedObject/kind"),
            ("involvedObject.name", "/involvedObject/name"),
            ("involvedObject.namespace", "/involvedObject/namespace"),
            ("involvedObject.uid", "/involvedObject/uid"),
            ("involvedObject.apiVersion", "/involvedObject/apiVersion"),
            ("involvedObject.fieldPath", "/involvedObject/fieldPath"),
            ("reason", "/reason"),
            ("type", "/type"),
            ("source", "/source/component"),
        ],
        Kind::Secret => &[("type", "/type")],
        Kind::Namespace => &[("status.phase", "/status/phase")],
        _ => &[],
    };
    paths
        .iter()
        .map(|(name, pointer)| (*name, tree::text(value, pointer).to_owned()))
        .collect()
}
