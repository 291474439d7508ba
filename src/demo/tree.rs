//! Reading and changing JSON by path, without a panic where the shape is not as expected.

use serde_json::{Map, Value};

/// The text at `pointer`, or nothing.
pub(super) fn text<'a>(value: &'a Value, pointer: &str) -> &'a str {
    value
        .pointer(pointer)
        .and_then(Value::as_str)
        .unwrap_or_default()
}

/// The whole number at `pointer`.
pub(super) fn number(value: &Value, pointer: &str) -> Option<i64> {
    value.pointer(pointer).and_then(Value::as_i64)
}

/// The members of the list at `pointer`.
pub(super) fn list<'a>(value: &'a Value, pointer: &str) -> &'a [Value] {
    value
        .pointer(pointer)
        .and_then(Value::as_array)
        .map_or(&[], Vec::as_slice)
}

/// The map of strings at `pointer` (labels, selectors), in key order.
pub(super) fn strings(value: &Value, pointer: &str) -> Vec<(String, String)> {
    let map = value.pointer(pointer).and_then(Value::as_object);
    let pairs = map.into_iter().flatten();
    pairs
        .filter_map(|(key, value)| Some((key.clone(), value.as_str()?.to_owned())))
        .collect()
}

/// The object behind `value`, made one first where it is something else.
pub(super) fn object(value: &mut Value) -> &mut Map<String, Value> {
    if !value.is_object() {
        *value = Value::Object(Map::new());
    }
    match value {
        Value::Object(map) => map,
        // Replaced just above: nothing else is left.
        _ => unreachable!(),
    }
}

/// The place at `pointer` (`/spec/replicas`, `~1` for a slash), its parents made on the way.
pub(super) fn place<'a>(value: &'a mut Value, pointer: &str) -> &'a mut Value {
    pointer.split('/').skip(1).fold(value, |value, key| {
        object(value)
            .entry(key.replace("~1", "/").replace("~0", "~"))
            .or_insert(Value::Null)
    })
}

/// Puts `new` at `pointer`.
pub(super) fn set(value: &mut Value, pointer: &str, new: impl Into<Value>) {
    *place(value, pointer) = new.into();
}

/// Puts `new` at `pointer` where nothing stands yet.
pub(super) fn default(value: &mut Value, pointer: &str, new: impl Into<Value>) {
    let place = place(value, pointer);
    if place.is_null() {
        *place = new.into();
    }
}

/// Takes `key` out of the map at `pointer`.
pub(super) fn remove(value: &mut Value, pointer: &str, key: &str) -> Option<Value> {
    value
        .pointer_mut(pointer)
        .and_then(Value::as_object_mut)
        .and_then(|map| map.remove(key))
}

/// The list at `pointer`, made one first where it is something else.
pub(super) fn list_mut<'a>(value: &'a mut Value, pointer: &str) -> &'a mut Vec<Value> {
    let place = place(value, pointer);
    if !place.is_array() {
        *place = Value::Array(Vec::new());
    }
    match place {
        Value::Array(list) => list,
        // Replaced just above: nothing else is left.
        _ => unreachable!(),
    }
}
