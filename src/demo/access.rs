//! Who may do what: three users, one rule each, asked alike by requests and by reviews.

use super::discovery::REVIEWS;
use super::estate::Estate;
use super::refusal::Refusal;
use super::tree;
use serde_json::{Value, json};

/// The token of an `Authorization` header, as `Bearer` or in GitHub's older way.
pub(super) fn bearer(authorization: &str) -> Option<&str> {
    let (scheme, token) = authorization.split_once(' ')?;
    let is_known = scheme.eq_ignore_ascii_case("bearer") || scheme.eq_ignore_ascii_case("token");
    is_known.then_some(token.trim())
}

/// A user of the estate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum User {
    Operator,
    /// A second person who may do everything: approvals take two.
    Manager,
    Viewer,
}

impl User {
    /// The user behind an `Authorization` header. Where there is none it is whom the path names, or the
    /// operator: client-go, and so kubectl, sends no credentials to a server without TLS, and the
    /// estate has nothing to protect from the machine that it runs on.
    pub(super) fn of(
        estate: &Estate,
        authorization: Option<&str>,
        named: Option<User>,
    ) -> Result<Self, Refusal> {
        let Some(authorization) = authorization else {
            return Ok(named.unwrap_or(User::Operator));
        };
        let token = authorization
            .strip_prefix("Bearer ")
            .unwrap_or_default()
            .trim();
        match token {
            _ if token == estate.operator_token() => Ok(User::Operator),
            _ if token == estate.viewer_token() => Ok(User::Viewer),
            _ => Err(Refusal::unauthorized()),
        }
    }

    /// Takes `/as/{user}` off the front of a path.
    pub(super) fn in_path(path: &str) -> (Option<User>, &str) {
        for user in [User::Operator, User::Manager, User::Viewer] {
            if let Some(rest) = path
                .strip_prefix("/as/")
                .and_then(|rest| rest.strip_prefix(user.name()))
            {
                return (Some(user), rest);
            }
        }
        (None, path)
    }

    pub(super) fn name(self) -> &'static str {
        match self {
            User::Operator => "demo-operator",
            User::Manager => "demo-manager",
            User::Viewer => "demo-viewer",
        }
    }

    /// Whether the user may `verb` the resource; subresources that open a connection count as writes.
    pub(super) fn may(self, verb: &str, subresource: &str) -> bool {
        match self {
            User::Operator | User::Manager => true,
            User::Viewer => {
                matches!(verb, "get" | "list" | "watch") && subresource != "portforward"
            }
        }
    }
}

/// Answers the review `plural` of `group` about `user`; nothing where there is no such review.
pub(super) fn review(user: User, group: &str, plural: &str, body: &Value) -> Option<Value> {
    let (_, _, kind) = REVIEWS
        .into_iter()
        .find(|(known, name, _)| *known == group && *name == plural)?;
    let mut answer = body.clone();
    tree::set(&mut answer, "/kind", kind);
    tree::set(&mut answer, "/apiVersion", format!("{group}/v1"));
    tree::default(&mut answer, "/metadata", json!({}));
    let status = match kind {
        "SelfSubjectAccessReview" => {
            let verb = tree::text(body, "/spec/resourceAttributes/verb");
            let subresource = tree::text(body, "/spec/resourceAttributes/subresource");
            let verb = if verb.is_empty() {
                tree::text(body, "/spec/nonResourceAttributes/verb")
            } else {
                verb
            };
            match user.may(verb, subresource) {
                true => {
                    json!({"allowed": true, "reason": format!("RBAC: allowed by ClusterRoleBinding \"{}\"", user.name())})
                }
                false => json!({"allowed": false}),
            }
        }
        "SelfSubjectRulesReview" => {
            let verbs: &[&str] = match user {
                User::Operator | User::Manager => &["*"],
                User::Viewer => &["get", "list", "watch"],
            };
            json!({"incomplete": false, "resourceRules": [{"verbs": verbs, "apiGroups": ["*"], "resources": ["*"]}],
                "nonResourceRules": [{"verbs": ["get"], "nonResourceURLs": ["/healthz", "/livez", "/readyz", "/version", "/api", "/apis"]}]})
        }
        _ => {
            json!({"userInfo": {"username": user.name(), "uid": super::random::hex_of(user.name(), 32),
            "groups": ["digital-wall", "system:authenticated"]}})
        }
    };
    tree::set(&mut answer, "/status", status);
    Some(answer)
}
