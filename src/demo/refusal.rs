//! Errors in the words and shape of the API server: `Status` objects.

use super::kind::Kind;
use serde_json::{Map, Value, json};

/// A request that was turned down.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Refusal {
    pub(super) code: u16,
    reason: &'static str,
    message: String,
    details: Option<Value>,
    /// The `Retry-After` header, in seconds.
    pub(super) retry_after: Option<u64>,
    /// A token to go on with, beside a 410 on a list.
    go_on: Option<String>,
}

impl Refusal {
    pub(super) fn new(code: u16, reason: &'static str, message: impl Into<String>) -> Self {
        let message = message.into();
        Self {
            code,
            reason,
            message,
            details: None,
            retry_after: None,
            go_on: None,
        }
    }

    fn about(mut self, kind: Kind, name: &str) -> Self {
        let facts = kind.facts();
        self.details = Some(details(name, facts.group, facts.plural));
        self
    }

    pub(super) fn bad_request(message: impl Into<String>) -> Self {
        Self::new(400, "BadRequest", message)
    }

    pub(super) fn unauthorized() -> Self {
        Self::new(401, "Unauthorized", "Unauthorized")
    }

    /// A path that nothing answers.
    pub(super) fn no_such_path() -> Self {
        let refusal = Self::new(
            404,
            "NotFound",
            "the server could not find the requested resource",
        );
        Self {
            details: Some(json!({})),
            ..refusal
        }
    }

    pub(super) fn method_not_allowed() -> Self {
        let message = "the server does not allow this method on the requested resource";
        Self {
            details: Some(json!({})),
            ..Self::new(405, "MethodNotAllowed", message)
        }
    }

    pub(super) fn not_found(kind: Kind, name: &str) -> Self {
        Self::new(
            404,
            "NotFound",
            format!("{} {name:?} not found", kind.resource()),
        )
        .about(kind, name)
    }

    pub(super) fn already_exists(kind: Kind, name: &str) -> Self {
        Self::new(
            409,
            "AlreadyExists",
            format!("{} {name:?} already exists", kind.resource()),
        )
        .about(kind, name)
    }

    /// The object moved on since the caller read it.
    pub(super) fn conflict(kind: Kind, name: &str) -> Self {
        let why = "the object has been modified; please apply your changes to the latest version and try again";
        Self::conflict_because(kind, name, why)
    }

    pub(super) fn conflict_because(kind: Kind, name: &str, why: &str) -> Self {
        let message = format!(
            "Operation cannot be fulfilled on {} {name:?}: {why}",
            kind.resource()
        );
        Self::new(409, "Conflict", message).about(kind, name)
    }

    /// A field manager that applies what another owns.
    pub(super) fn apply_conflict(owners: &[(String, String)]) -> Self {
        let word = if owners.len() == 1 {
            "conflict"
        } else {
            "conflicts"
        };
        let causes: Vec<Value> = owners.iter().map(|(manager, field)| {
            json!({"reason": "FieldManagerConflict", "message": format!("conflict with {manager:?}"), "field": field})
        }).collect();
        let list: Vec<String> = owners
            .iter()
            .map(|(manager, field)| format!("conflict with {manager:?}: {field}"))
            .collect();
        let count = owners.len();
        let message = format!("Apply failed with {count} {word}: {}", list.join("\n"));
        Self {
            details: Some(json!({"causes": causes})),
            ..Self::new(409, "Conflict", message)
        }
    }

    /// A field that validation refuses; `why` begins as the API does: `Required value`, `Invalid value: …`.
    pub(super) fn invalid(kind: Kind, name: &str, field: &str, why: &str) -> Self {
        let facts = kind.facts();
        let message = format!("{} {name:?} is invalid: {field}: {why}", kind.qualified());
        let reason = match why.split(':').next().unwrap_or_default() {
            "Required value" => "FieldValueRequired",
            "Too long" => "FieldValueTooLong",
            "Forbidden" => "FieldValueForbidden",
            _ => "FieldValueInvalid",
        };
        let mut details = details(name, facts.group, facts.kind);
        details["causes"] = json!([{"reason": reason, "message": why, "field": field}]);
        Self {
            details: Some(details),
            ..Self::new(422, "Invalid", message)
        }
    }

    /// A JSON patch that does not apply, be it a failed `test`: the server tells no more than this.
    pub(super) fn unprocessable() -> Self {
        let message = "the server rejected our request due to an error in our request";
        Self {
            details: Some(json!({})),
            ..Self::new(422, "Invalid", message)
        }
    }

    /// `user` may not do `verb`.
    pub(super) fn forbidden(
        user: &str,
        verb: &str,
        group: &str,
        resource: &str,
        namespace: &str,
        name: &str,
    ) -> Self {
        let plural = resource.split('/').next().unwrap_or_default();
        let qualified = if group.is_empty() {
            plural.to_owned()
        } else {
            format!("{plural}.{group}")
        };
        let what = if name.is_empty() {
            qualified
        } else {
            format!("{qualified} {name:?}")
        };
        let place = match namespace {
            "" => "at the cluster scope".to_owned(),
            namespace => format!("in the namespace {namespace:?}"),
        };
        let message = format!(
            "{what} is forbidden: User {user:?} cannot {verb} resource {resource:?} in API group {group:?} {place}"
        );
        Self {
            details: Some(details(name, group, plural)),
            ..Self::new(403, "Forbidden", message)
        }
    }

    /// History that is no longer kept.
    pub(super) fn expired(asked: u64, oldest: u64) -> Self {
        Self::new(
            410,
            "Expired",
            format!("too old resource version: {asked} ({oldest})"),
        )
    }

    /// A page of a list that is no longer kept; `go_on` starts again after the last page, inconsistently.
    pub(super) fn page_expired(go_on: String) -> Self {
        let message = "The provided continue parameter is too old to display a consistent list result. You can start \
            a new list without the continue parameter, or use the continue token in this response to retrieve the \
            remainder of the results. Continuing with the provided token results in an inconsistent list - objects \
            that were created, modified, or deleted between the time the first chunk was returned and now may show \
            up in the list.";
        Self {
            go_on: Some(go_on),
            ..Self::new(410, "Expired", message)
        }
    }

    /// A resource version from the future.
    pub(super) fn too_large(asked: u64, current: u64) -> Self {
        let message = format!("Timeout: Too large resource version: {asked}, current: {current}");
        let causes =
            json!([{"reason": "ResourceVersionTooLarge", "message": "Too large resource version"}]);
        let details = json!({"causes": causes, "retryAfterSeconds": 1});
        Self {
            details: Some(details),
            retry_after: Some(1),
            ..Self::new(504, "Timeout", message)
        }
    }

    /// What a fault answers: the status `code` and its usual reason.
    pub(super) fn fault(code: u16, retry_after: Option<u64>) -> Self {
        let (reason, message) = match code {
            401 => return Self::unauthorized(),
            403 => ("Forbidden", "forbidden: the demo refuses this request"),
            409 => (
                "Conflict",
                "Operation cannot be fulfilled: the demo refuses this request",
            ),
            410 => (
                "Expired",
                "The resourceVersion for the provided watch is too old.",
            ),
            429 => (
                "TooManyRequests",
                "the server has received too many requests and has asked us to try again later",
            ),
            500 => (
                "InternalError",
                "Internal error occurred: etcdserver: request timed out",
            ),
            503 => (
                "ServiceUnavailable",
                "the server is currently unable to handle the request",
            ),
            504 => (
                "Timeout",
                "Timeout: request did not complete within the allotted timeout",
            ),
            _ => ("Unknown", "the demo answers with a fault"),
        };
        let details = retry_after.map(|seconds| json!({"retryAfterSeconds": seconds}));
        Self {
            details,
            retry_after,
            ..Self::new(code, reason, message)
        }
    }

    /// The `Status` object.
    pub(super) fn body(&self) -> Value {
        let mut metadata = Map::new();
        if let Some(token) = &self.go_on {
            metadata.insert("continue".to_owned(), json!(token));
        }
        let mut body = json!({
            "kind": "Status", "apiVersion": "v1", "metadata": metadata, "status": "Failure",
            "message": self.message, "reason": self.reason, "code": self.code,
        });
        if let Some(details) = &self.details {
            body["details"] = details.clone();
        }
        body
    }
}

fn details(name: &str, group: &str, kind: &str) -> Value {
    let mut details = json!({"kind": kind});
    if !name.is_empty() {
        details["name"] = json!(name);
    }
    if !group.is_empty() {
        details["group"] = json!(group);
    }
    details
}
