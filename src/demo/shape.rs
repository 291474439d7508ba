//! The forms in which objects are answered: whole, metadata only, or as a table for people.

use super::kind::Kind;
use super::store::Object;
use super::table;
use serde_json::{Value, json};

/// What the `Accept` header asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Shape {
    Full,
    Metadata,
    Table,
}

impl Shape {
    /// The first of the accepted media types that we know.
    pub(super) fn of(accept: &str) -> Self {
        for media in accept.split(',') {
            let is = |wanted: &str| media.split(';').any(|part| part.trim() == wanted);
            if is("as=PartialObjectMetadata") || is("as=PartialObjectMetadataList") {
                return Shape::Metadata;
            }
            if is("as=Table") {
                return Shape::Table;
            }
            if is("application/json") || is("*/*") {
                return Shape::Full;
            }
        }
        Shape::Full
    }

    /// One object on its own.
    pub(super) fn write(self, object: &Object, out: &mut Vec<u8>) {
        match self {
            Shape::Full => object.write(out),
            Shape::Metadata => out.extend_from_slice(metadata(object).to_string().as_bytes()),
            Shape::Table => {
                let table = table::table(object.kind, &[object], &object.version.to_string());
                out.extend_from_slice(table.to_string().as_bytes());
            }
        }
    }

    /// A list under `meta`.
    pub(super) fn list<'a>(
        self,
        kind: Kind,
        meta: &Value,
        objects: impl Iterator<Item = &'a Object>,
    ) -> Vec<u8> {
        let (name, version) = match self {
            Shape::Full => (format!("{}List", kind.facts().kind), kind.api_version()),
            Shape::Metadata => (
                "PartialObjectMetadataList".to_owned(),
                "meta.k8s.io/v1".to_owned(),
            ),
            Shape::Table => {
                let objects: Vec<&Object> = objects.collect();
                let version = meta["resourceVersion"].as_str().unwrap_or_default();
                let mut table = table::table(kind, &objects, version);
                table["metadata"] = meta.clone();
                return table.to_string().into_bytes();
            }
        };
        let head = format!(
            "{{\"kind\":\"{name}\",\"apiVersion\":\"{version}\",\"metadata\":{meta},\"items\":["
        );
        let mut out = head.into_bytes();
        for (index, object) in objects.enumerate() {
            if index > 0 {
                out.push(b',');
            }
            match self {
                Shape::Full => out.extend_from_slice(&object.bytes),
                _ => self.write(object, &mut out),
            }
        }
        out.extend_from_slice(b"]}");
        out
    }
}

/// The metadata of an object as an object of its own.
pub(super) fn metadata(object: &Object) -> Value {
    let metadata = object.value()["metadata"].take();
    json!({"kind": "PartialObjectMetadata", "apiVersion": "meta.k8s.io/v1", "metadata": metadata})
}
