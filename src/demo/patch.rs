//! The four kinds of patch.

use super::fields::{self, Author};
use super::refusal::Refusal;
use super::tree;
use json_patch::{AddOperation, PatchOperation};
use serde_json::{Map, Value};

/// `current` changed by `body` as its content type says.
pub(super) fn apply(
    content: &str,
    current: &Value,
    body: &[u8],
    author: &Author,
) -> Result<Value, Refusal> {
    let mut next = current.clone();
    match content {
        "application/json-patch+json" => {
            let patch: json_patch::Patch = serde_json::from_slice(body)
                .map_err(|error| Refusal::bad_request(format!("error decoding patch: {error}")))?;
            for step in patch.0 {
                let step = as_the_server_reads_it(step, &next);
                json_patch::patch(&mut next, &[step]).map_err(|_| Refusal::unprocessable())?;
            }
        }
        "application/merge-patch+json" => json_patch::merge(&mut next, &read(body)?),
        "application/strategic-merge-patch+json" => strategic(&mut next, &read(body)?, ""),
        "application/apply-patch+yaml" => {
            let applied = without_server_fields(read(body)?);
            strategic(&mut next, &applied, "");
            let rivals = fields::rivals(current, &next, &author.manager);
            if !rivals.is_empty() && !author.is_forced {
                return Err(Refusal::apply_conflict(&rivals));
            }
        }
        other => {
            let why = format!(
                "the body of the request was in an unknown format - accepted media types include: \
                 application/json-patch+json, application/merge-patch+json, application/apply-patch+yaml, got {other:?}"
            );
            return Err(Refusal::new(415, "UnsupportedMediaType", why));
        }
    }
    Ok(next)
}

/// The real server adds what a `replace` does not find, so a patch that means to replace tests first.
fn as_the_server_reads_it(step: PatchOperation, at: &Value) -> PatchOperation {
    match step {
        PatchOperation::Replace(replace) if at.pointer(replace.path.as_str()).is_none() => {
            PatchOperation::Add(AddOperation {
                path: replace.path,
                value: replace.value,
            })
        }
        other => other,
    }
}

fn read(body: &[u8]) -> Result<Value, Refusal> {
    let value: Value = serde_json::from_slice(body)
        .map_err(|error| Refusal::bad_request(format!("error decoding patch: {error}")))?;
    if value.is_object() {
        Ok(value)
    } else {
        Err(Refusal::bad_request("a patch must be an object"))
    }
}

/// An apply sends no field that the server sets; `managedFields` must be absent.
fn without_server_fields(mut applied: Value) -> Value {
    for field in ["managedFields", "creationTimestamp"] {
        drop(tree::remove(&mut applied, "/metadata", field));
    }
    applied
}

/// Merges maps key by key, and the lists of maps that have a merge key member by member.
fn strategic(target: &mut Value, patch: &Value, field: &str) {
    match patch {
        Value::Object(changes) => {
            if changes
                .get("$patch")
                .is_some_and(|directive| directive == "replace")
            {
                let rest = changes.iter().filter(|(key, _)| *key != "$patch");
                *target = Value::Object(
                    rest.map(|(key, value)| (key.clone(), value.clone()))
                        .collect(),
                );
                return;
            }
            let map = tree::object(target);
            for (key, change) in changes.iter().filter(|(key, _)| !key.starts_with('$')) {
                merge_member(map, key, change);
            }
        }
        Value::Array(changes) => match merge_key(field) {
            Some(key) if changes.iter().all(|change| change.get(key).is_some()) => {
                merge_list(target, changes, key)
            }
            _ => *target = patch.clone(),
        },
        other => *target = other.clone(),
    }
}

fn merge_member(map: &mut Map<String, Value>, key: &str, change: &Value) {
    if change.is_null() {
        map.remove(key);
    } else {
        strategic(
            map.entry(key.to_owned()).or_insert(Value::Null),
            change,
            key,
        );
    }
}

fn merge_list(target: &mut Value, changes: &[Value], key: &str) {
    let list = tree::list_mut(target, "");
    for change in changes {
        let is_gone = change
            .get("$patch")
            .is_some_and(|directive| directive == "delete");
        match list
            .iter()
            .position(|member| member.get(key) == change.get(key))
        {
            Some(index) if is_gone => drop(list.remove(index)),
            Some(index) => strategic(&mut list[index], change, "member"),
            None if is_gone => {}
            None => list.push(change.clone()),
        }
    }
}

fn merge_key(field: &str) -> Option<&'static str> {
    match field {
        "containers" | "initContainers" | "env" | "volumes" | "imagePullSecrets" => Some("name"),
        "conditions" => Some("type"),
        "volumeMounts" => Some("mountPath"),
        "ownerReferences" => Some("uid"),
        _ => None,
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use serde_json::json;

    fn patched(content: &str, current: &Value, patch: &Value) -> Result<Value, Refusal> {
        apply(
            content,
            current,
            patch.to_string().as_bytes(),
            &Author::named("test"),
        )
    }

    #[test]
    fn a_strategic_patch_merges_containers_by_name() {
        let current = json!({"spec": {"containers": [{"name": "a", "image": "1"}, {"name": "b", "image": "1"}]}});
        let patch = json!({"spec": {"containers": [{"name": "b", "image": "2"}, {"name": "a", "$patch": "delete"}]}});
        let next = patched("application/strategic-merge-patch+json", &current, &patch).unwrap();
        assert_eq!(
            next,
            json!({"spec": {"containers": [{"name": "b", "image": "2"}]}})
        );
    }

    #[test]
    fn a_failed_test_of_a_json_patch_is_unprocessable() {
        let patch = json!([{"op": "test", "path": "/a", "value": 2}, {"op": "replace", "path": "/a", "value": 3}]);
        let refusal = patched("application/json-patch+json", &json!({"a": 1}), &patch).unwrap_err();
        assert_eq!(refusal, Refusal::unprocessable());
    }
}
