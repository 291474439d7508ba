//! `metadata.managedFields`: who set which field last, kept as the API server keeps it.

use super::tree;
use serde_json::{Map, Value, json};
use std::collections::BTreeSet;

/// Who writes, and through which door.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Author {
    pub(super) manager: String,
    /// Server-side apply: the author owns what it sent, changed or not.
    pub(super) is_apply: bool,
    pub(super) is_forced: bool,
    pub(super) is_dry_run: bool,
}

impl Author {
    /// A controller of the estate itself, or a person's tool.
    pub(super) fn named(manager: &str) -> Self {
        Self {
            manager: manager.to_owned(),
            is_apply: false,
            is_forced: false,
            is_dry_run: false,
        }
    }
}

/// Metadata that nobody owns.
const UNOWNED: [&str; 8] = [
    "managedFields",
    "resourceVersion",
    "uid",
    "creationTimestamp",
    "generation",
    "name",
    "namespace",
    "selfLink",
];

/// Lists whose members have a key of their own, and that key.
fn member_key(list: &str) -> Option<&'static [&'static str]> {
    match list {
        "containers" | "initContainers" | "env" | "volumes" => Some(&["name"]),
        "conditions" => Some(&["type"]),
        "ports" => Some(&["port", "containerPort", "protocol"]),
        "ownerReferences" => Some(&["uid"]),
        "volumeMounts" => Some(&["mountPath"]),
        "podIPs" | "hostIPs" => Some(&["ip"]),
        _ => None,
    }
}

/// Brings the entries of `new` up to date with what `author` changed from `old`.
pub(super) fn record(old: &Value, new: &mut Value, author: &Author, subresource: &str, time: &str) {
    let mut changed = Map::new();
    differ(old, new, &mut changed, "");
    let mut entries = tree::list(old, "/metadata/managedFields").to_vec();
    for entry in &mut entries {
        strip(tree::object(tree::place(entry, "/fieldsV1")), &changed);
    }
    let operation = if author.is_apply { "Apply" } else { "Update" };
    let is_own = |entry: &Value| {
        entry["manager"] == author.manager.as_str()
            && entry["operation"] == operation
            && tree::text(entry, "/subresource") == subresource
    };
    if !changed.is_empty() {
        if !entries.iter().any(is_own) {
            let mut entry = json!({
                "manager": author.manager, "operation": operation, "apiVersion": new["apiVersion"],
                "fieldsType": "FieldsV1", "fieldsV1": {},
            });
            if !subresource.is_empty() {
                entry["subresource"] = json!(subresource);
            }
            entries.push(entry);
        }
        for entry in entries.iter_mut().filter(|entry| is_own(entry)) {
            entry["time"] = json!(time);
            let mut present = Map::new();
            differ(&Value::Null, new, &mut present, "");
            merge(
                tree::object(tree::place(entry, "/fieldsV1")),
                &changed,
                &present,
            );
        }
    }
    entries.retain(|entry| {
        entry["fieldsV1"]
            .as_object()
            .is_some_and(|fields| !fields.is_empty())
    });
    entries.sort_by_key(|entry| tree::text(entry, "/time").to_owned());
    tree::set(new, "/metadata/managedFields", entries);
}

/// Fields of `applied` that differ from `live` and belong to another manager, as `(manager, path)`.
pub(super) fn rivals(live: &Value, next: &Value, manager: &str) -> Vec<(String, String)> {
    let mut changed = Map::new();
    differ(live, next, &mut changed, "");
    let mut found = Vec::new();
    for entry in tree::list(live, "/metadata/managedFields") {
        let owner = tree::text(entry, "/manager");
        if owner != manager {
            let mut paths = Vec::new();
            common(&changed, &entry["fieldsV1"], "", &mut paths);
            found.extend(paths.into_iter().map(|path| (owner.to_owned(), path)));
        }
    }
    found
}

/// The tree of fields in which the two differ; `at` is the field that they stand in, empty at the top.
fn differ(old: &Value, new: &Value, out: &mut Map<String, Value>, at: &str) {
    let empty = Map::new();
    let (before, after) = (
        old.as_object().unwrap_or(&empty),
        new.as_object().unwrap_or(&empty),
    );
    let keys: BTreeSet<&String> = before.keys().chain(after.keys()).collect();
    for key in keys {
        let is_unowned = match at {
            "" => key == "kind" || key == "apiVersion",
            "metadata" => UNOWNED.contains(&key.as_str()),
            _ => false,
        };
        let (one, two) = (
            before.get(key).unwrap_or(&Value::Null),
            after.get(key).unwrap_or(&Value::Null),
        );
        if !is_unowned && one != two {
            let fields = member(key, one, two);
            if !(key == "metadata" && at.is_empty() && fields.is_empty()) {
                out.insert(format!("f:{key}"), Value::Object(fields));
            }
        }
    }
}

fn member(key: &str, old: &Value, new: &Value) -> Map<String, Value> {
    let mut fields = Map::new();
    // A selector is atomic: it has one owner, whoever wrote any of its keys last.
    if matches!(key, "selector" | "nodeSelector") {
        return fields;
    }
    match (member_key(key), old, new) {
        (Some(names), old, new) if old.is_array() || new.is_array() => {
            let lists = [old, new].map(|list| list.as_array().map_or(&[][..], Vec::as_slice));
            for (index, item) in lists.iter().flat_map(|list| list.iter()).enumerate() {
                let name = key_of(item, names);
                let Some(name) = name else { return Map::new() };
                let same = |item: &&Value| key_of(item, names).as_ref() == Some(&name);
                let null = Value::Null;
                let [one, two] = lists.map(|list| list.iter().find(same).unwrap_or(&null));
                if one == two || (index >= lists[0].len() && !one.is_null()) {
                    continue;
                }
                let mut inner = Map::new();
                differ(one, two, &mut inner, "item");
                if one.is_null() || two.is_null() {
                    inner.insert(".".to_owned(), json!({}));
                }
                fields.insert(format!("k:{name}"), Value::Object(inner));
            }
        }
        (_, old, new) if old.is_object() || new.is_object() => differ(old, new, &mut fields, key),
        _ => {}
    }
    fields
}

fn key_of(item: &Value, names: &[&str]) -> Option<String> {
    let parts = names
        .iter()
        .filter_map(|name| Some(((*name).to_owned(), item.get(*name)?.clone())));
    let map: Map<String, Value> = parts.collect();
    (!map.is_empty()).then(|| Value::Object(map).to_string())
}

/// Takes the leaves of `changed` out of `fields`: somebody else set them since.
fn strip(fields: &mut Map<String, Value>, changed: &Map<String, Value>) {
    for (key, inner) in changed {
        let Some(Value::Object(inner)) = changed.get(key).filter(|_| !inner.is_null()) else {
            continue;
        };
        if inner.is_empty() {
            fields.remove(key);
        } else if let Some(Value::Object(own)) = fields.get_mut(key) {
            if own.is_empty() {
                continue;
            }
            strip(own, inner);
            if own.is_empty() || own.keys().all(|key| key == ".") {
                fields.remove(key);
            }
        }
    }
}

/// Adds the leaves of `changed` that are still `present`.
fn merge(
    fields: &mut Map<String, Value>,
    changed: &Map<String, Value>,
    present: &Map<String, Value>,
) {
    for (key, inner) in changed {
        let Some(there) = present.get(key) else {
            continue;
        };
        let slot = tree::object(fields.entry(key.clone()).or_insert_with(|| json!({})));
        if let (Value::Object(inner), Value::Object(there)) = (inner, there) {
            merge(slot, inner, there);
        }
    }
}

fn common(changed: &Map<String, Value>, owned: &Value, path: &str, out: &mut Vec<String>) {
    for (key, inner) in changed {
        let Some(theirs) = owned.get(key) else {
            continue;
        };
        let path = format!("{path}.{}", key.trim_start_matches("f:"));
        match inner.as_object() {
            Some(inner) if !inner.is_empty() => common(inner, theirs, &path, out),
            _ => out.push(path),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn service(version: &str) -> Value {
        json!({"apiVersion": "v1", "kind": "Service", "metadata": {"name": "s", "uid": "u", "resourceVersion": "1"},
            "spec": {"selector": {"part": "frontend", "version": version}}})
    }

    fn entry<'a>(value: &'a Value, manager: &str) -> Option<&'a Value> {
        tree::list(value, "/metadata/managedFields")
            .iter()
            .find(|entry| entry["manager"] == manager)
    }

    #[test]
    fn the_last_to_change_the_selector_owns_it_and_nobody_else() {
        let mut first = service("blue");
        record(
            &Value::Null,
            &mut first,
            &Author::named("helm"),
            "",
            "2026-11-01T00:00:00Z",
        );
        let mut second = service("green");
        record(
            &first,
            &mut second,
            &Author::named("kubectl-patch"),
            "",
            "2026-11-02T00:00:00Z",
        );
        let selector = |manager| {
            entry(&second, manager).map(|entry| entry["fieldsV1"]["f:spec"]["f:selector"].clone())
        };
        assert_eq!(selector("kubectl-patch"), Some(json!({})));
        // helm's entry had nothing else, and went.
        assert_eq!(selector("helm"), None);
        assert_eq!(
            entry(&second, "kubectl-patch").map(|entry| &entry["time"]),
            Some(&json!("2026-11-02T00:00:00Z"))
        );
    }

    #[test]
    fn what_nobody_may_own_stays_out() {
        let mut value = service("blue");
        record(
            &Value::Null,
            &mut value,
            &Author::named("helm"),
            "",
            "2026-11-01T00:00:00Z",
        );
        assert_eq!(
            value["metadata"]["managedFields"][0]["fieldsV1"],
            json!({"f:spec": {"f:selector": {}}})
        );
    }
}
