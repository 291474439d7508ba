//! Answers as a hostile server, or one of the future, may shape them: a document of which some values are replaced, or that
//! is cut anywhere. For tests.

use proptest::prelude::*;
use proptest::sample::Index;
use serde_json::{Value, json};

/// Such answers, made of `document`.
pub(super) fn made_up(document: &'static str) -> impl Strategy<Value = String> {
    let other = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        ".{0,24}".prop_map(Value::from),
        Just(json!("-009999-01-01T00:00:00Z")),
        Just(json!("9999-12-31T23:59:59Z")),
        Just(json!([])),
        Just(json!({})),
        Just(json!([[null], {}])),
        Just(json!({"": {"a": []}})),
    ];
    let changes = proptest::collection::vec((any::<Index>(), other), 0..6);
    let cut = proptest::option::weighted(0.2, any::<Index>());
    (changes, cut).prop_map(move |(changes, cut)| {
        let mut whole: Value = serde_json::from_str(document).unwrap_or_default();
        for (index, other) in changes {
            let mut all = Vec::new();
            places(&whole, "", &mut all);
            if let Some(place) = whole.pointer_mut(index.get::<String>(&all)) {
                *place = other;
            }
        }
        let text = whole.to_string();
        match cut {
            Some(cut) => text.chars().take(cut.index(text.len() + 1)).collect(),
            None => text,
        }
    })
}

/// Where every value stands, as JSON pointers.
fn places(value: &Value, at: &str, all: &mut Vec<String>) {
    all.push(at.to_owned());
    match value {
        Value::Object(map) => {
            for (key, value) in map {
                let key = key.replace('~', "~0").replace('/', "~1");
                places(value, &format!("{at}/{key}"), all);
            }
        }
        Value::Array(items) => {
            for (place, value) in items.iter().enumerate() {
                places(value, &format!("{at}/{place}"), all);
            }
        }
        _ => {}
    }
}

#[test]
fn every_value_of_a_document_may_be_another() {
    let mut all = Vec::new();
    places(&json!({"a/b": [1, {"c": null}]}), "", &mut all);
    assert_eq!(all, ["", "/a~1b", "/a~1b/0", "/a~1b/1", "/a~1b/1/c"]);
}
