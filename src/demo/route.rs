//! Paths and methods: which resource, and which verb.

use super::access::User;
use super::api::{Params, header, json};
use super::discovery;
use super::kind::Kind;
use axum::http::request::Parts;
use axum::http::{Method, header as names};
use axum::response::{IntoResponse, Response};
use serde_json::Value;

/// Where a path leads.
pub(super) enum Target {
    Open(Response),
    Document(Value),
    Review {
        group: String,
        plural: String,
    },
    /// A Service, by the API server's proxy: its name with the port, and the path there.
    Proxy {
        namespace: String,
        service: String,
        path: String,
    },
    Resource {
        kind: Kind,
        namespace: String,
        name: String,
        part: String,
    },
}

/// Where the path of a request leads; nothing where it leads nowhere.
pub(super) fn target(parts: &Parts) -> Option<Target> {
    let (_, path) = User::in_path(parts.uri.path());
    let path: Vec<&str> = path
        .split('/')
        .filter(|segment| !segment.is_empty())
        .collect();
    match path.as_slice() {
        ["version"] => {
            return Some(Target::Open(json(
                200,
                discovery::version().to_string().into_bytes(),
            )));
        }
        ["healthz" | "livez" | "readyz"] => return Some(Target::Open("ok".into_response())),
        _ => {}
    }
    if let Some(document) = discovery::answer(&path, header(parts, &names::ACCEPT)) {
        return Some(Target::Document(document));
    }
    let (group, version, rest) = match path.as_slice() {
        ["api", version, rest @ ..] => ("", *version, rest),
        ["apis", group, version, rest @ ..] => (*group, *version, rest),
        _ => return None,
    };
    if let ([plural], "POST") = (rest, parts.method.as_str())
        && discovery::REVIEWS
            .iter()
            .any(|(known, name, _)| known == &group && name == plural)
    {
        return Some(Target::Review {
            group: group.to_owned(),
            plural: (*plural).to_owned(),
        });
    }
    if let (
        "",
        "v1",
        [
            "namespaces",
            namespace,
            "services",
            service,
            "proxy",
            rest @ ..,
        ],
    ) = (group, version, rest)
    {
        return Some(Target::Proxy {
            namespace: (*namespace).to_owned(),
            service: (*service).to_owned(),
            path: format!("/{}", rest.join("/")),
        });
    }
    resource_at(group, version, rest)
}

fn resource_at(group: &str, version: &str, rest: &[&str]) -> Option<Target> {
    let (namespace, rest) = match rest {
        ["namespaces", namespace, rest @ ..]
            if !rest.is_empty() && !matches!(rest, ["status" | "finalize"]) =>
        {
            (*namespace, rest)
        }
        rest => ("", rest),
    };
    let (plural, name, part) = match rest {
        [plural] => (*plural, "", ""),
        [plural, name] => (*plural, *name, ""),
        [plural, name, part] => (*plural, *name, *part),
        _ => return None,
    };
    let kind = Kind::find(group, version, plural)?;
    let facts = kind.facts();
    let is_placed = facts.namespaced || namespace.is_empty();
    let has_part = match part {
        "" => true,
        "status" => facts.status,
        "scale" => facts.scale,
        "log" | "portforward" | "eviction" => kind == Kind::Pod,
        _ => false,
    };
    let (namespace, name, part) = (namespace.to_owned(), name.to_owned(), part.to_owned());
    (is_placed && has_part).then_some(Target::Resource {
        kind,
        namespace,
        name,
        part,
    })
}

/// The verb of a request, as access rules name it.
pub(super) fn verb(parts: &Parts, params: &Params, target: Option<&Target>) -> &'static str {
    let is_named = matches!(target, Some(Target::Resource { name, .. }) if !name.is_empty());
    let is_resource = matches!(target, Some(Target::Resource { .. }));
    match (&parts.method, is_named) {
        (&Method::GET, _) if is_resource && params.is_set("watch") => "watch",
        (&Method::GET | &Method::HEAD, true) => "get",
        (&Method::GET | &Method::HEAD, false) if is_resource => "list",
        (&Method::POST, _) => "create",
        (&Method::PUT, _) => "update",
        (&Method::PATCH, _) => "patch",
        (&Method::DELETE, true) => "delete",
        (&Method::DELETE, false) => "deletecollection",
        _ => "get",
    }
}

/// The plural of the resource that a path leads to; empty where it leads to none.
pub(super) fn plural(target: Option<&Target>) -> &'static str {
    match target {
        Some(Target::Resource { kind, .. }) => kind.facts().plural,
        Some(Target::Proxy { .. }) => "services",
        _ => "",
    }
}
