//! Label and field selectors, as query parameters carry them.

use super::refusal::Refusal;
use super::store::Object;

/// One clause of a label selector.
#[derive(Debug, Clone, PartialEq)]
enum Clause {
    In(String, Vec<String>),
    NotIn(String, Vec<String>),
    Exists(String),
    Absent(String),
}

/// What a list or a watch asks for.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Selector {
    labels: Vec<Clause>,
    /// Field, value, and whether it must be equal.
    fields: Vec<(String, String, bool)>,
}

impl Selector {
    /// Reads `labelSelector` and `fieldSelector`.
    pub(super) fn parse(labels: &str, fields: &str) -> Result<Self, Refusal> {
        let clauses = split(labels).into_iter().map(|clause| {
            label(&clause).ok_or_else(|| {
                Refusal::bad_request(format!(
                    "unable to parse requirement: invalid label selector {clause:?}"
                ))
            })
        });
        let pairs = split(fields).into_iter().map(|clause| {
            field(&clause).ok_or_else(|| {
                Refusal::bad_request(format!("invalid selector: {clause:?}; can't understand"))
            })
        });
        Ok(Self {
            labels: clauses.collect::<Result<_, _>>()?,
            fields: pairs.collect::<Result<_, _>>()?,
        })
    }

    /// Whether everything matches.
    pub(super) fn is_open(&self) -> bool {
        self.labels.is_empty() && self.fields.is_empty()
    }

    pub(super) fn matches(&self, object: &Object) -> bool {
        self.labels.iter().all(|clause| clause.matches(object))
            && self
                .fields
                .iter()
                .all(|(field, value, equal)| (object.field(field) == value) == *equal)
    }
}

impl Clause {
    fn matches(&self, object: &Object) -> bool {
        match self {
            Clause::In(key, values) => object
                .label(key)
                .is_some_and(|label| values.iter().any(|value| value == label)),
            Clause::NotIn(key, values) => object
                .label(key)
                .is_none_or(|label| values.iter().all(|value| value != label)),
            Clause::Exists(key) => object.label(key).is_some(),
            Clause::Absent(key) => object.label(key).is_none(),
        }
    }
}

/// Splits at commas that stand outside of parentheses.
fn split(text: &str) -> Vec<String> {
    let mut depth = 0;
    let mut clauses = vec![String::new()];
    for letter in text.chars() {
        match letter {
            '(' => depth += 1,
            ')' => depth -= 1,
            _ => {}
        }
        if letter == ',' && depth == 0 {
            clauses.push(String::new());
        } else if let Some(clause) = clauses.last_mut() {
            clause.push(letter);
        }
    }
    clauses
        .iter()
        .map(|clause| clause.trim().to_owned())
        .filter(|clause| !clause.is_empty())
        .collect()
}

fn label(clause: &str) -> Option<Clause> {
    let one = |text: &str| vec![text.trim().to_owned()];
    if let Some((key, value)) = clause.split_once("!=") {
        return Some(Clause::NotIn(key_of(key)?, one(value)));
    }
    if let Some((key, value)) = clause.split_once("==").or_else(|| clause.split_once('=')) {
        return Some(Clause::In(key_of(key)?, one(value)));
    }
    if let Some((head, values)) = clause.split_once('(') {
        let values = values
            .strip_suffix(')')?
            .split(',')
            .map(|value| value.trim().to_owned())
            .collect();
        let mut words = head.split_whitespace();
        return match (words.next(), words.next(), words.next()) {
            (Some(key), Some("in"), None) => Some(Clause::In(key_of(key)?, values)),
            (Some(key), Some("notin"), None) => Some(Clause::NotIn(key_of(key)?, values)),
            _ => None,
        };
    }
    match clause.strip_prefix('!') {
        Some(key) => Some(Clause::Absent(key_of(key)?)),
        None => Some(Clause::Exists(key_of(clause)?)),
    }
}

fn key_of(text: &str) -> Option<String> {
    let key = text.trim();
    let fits = |letter: char| letter.is_ascii_alphanumeric() || "-_./".contains(letter);
    (!key.is_empty() && key.chars().all(fits)).then(|| key.to_owned())
}

fn field(clause: &str) -> Option<(String, String, bool)> {
    let (key, value, equal) = match clause.split_once("!=") {
        Some((key, value)) => (key, value, false),
        None => {
            let (key, value) = clause.split_once("==").or_else(|| clause.split_once('='))?;
            (key, value, true)
        }
    };
    Some((key.trim().to_owned(), value.trim().to_owned(), equal))
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use crate::demo::kind::Kind;
    use serde_json::json;

    fn pod() -> Object {
        let labels = json!({"part": "frontend", "version": "blue"});
        let value = json!({"metadata": {"name": "a", "namespace": "n", "labels": labels}, "status": {"phase": "Running"}});
        Object::new(Kind::Pod, &value)
    }

    #[test]
    fn selectors_of_equality_and_of_sets_match_as_the_api_does() {
        let matches = |labels, fields| Selector::parse(labels, fields).unwrap().matches(&pod());
        assert!(matches("part=frontend,version in (blue, green)", ""));
        assert!(matches(
            "part==frontend,!canary,version",
            "status.phase=Running"
        ));
        assert!(matches("canary!=yes,tier notin (db)", "metadata.name!=b"));
        assert!(!matches("version notin (blue)", ""));
        assert!(!matches("part=backend", ""));
        assert!(!matches("", "metadata.namespace=other"));
    }

    #[test]
    fn a_selector_that_makes_no_sense_is_refused() {
        assert_eq!(Selector::parse("a in blue", "").unwrap_err().code, 400);
        assert_eq!(Selector::parse("", "metadata.name").unwrap_err().code, 400);
    }
}
