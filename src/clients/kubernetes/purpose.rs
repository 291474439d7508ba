//! What a request is for, by its looks: kube's watcher does not tell.

use http::{Method, Request};
use kube::client::Body;

use crate::estate::Kind;

/// What a request is for; its limits follow from it.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Purpose {
    /// A watch, of one of our kinds or of something else.
    Watch(Option<Kind>),
    /// A container's log.
    Log,
    /// A list or a get.
    Read,
    /// A question to what stands behind a Service: its refusals are not the API server's.
    Proxied,
    /// A write, an upgrade or a pulse.
    Other,
}

impl Purpose {
    /// By method, path and query.
    pub(super) fn of<B>(request: &Request<B>) -> Self {
        let path = request.uri().path();
        let query = request.uri().query().unwrap_or_default();
        if path.contains("/services/") && path.contains("/proxy/") {
            Self::Proxied
        } else if request.method() != Method::GET
            || request.headers().contains_key(http::header::UPGRADE)
        {
            Self::Other
        } else if query
            .split('&')
            .any(|pair| pair == "watch=true" || pair == "watch=1")
        {
            Self::Watch(watched(path, query))
        } else if path == "/version" {
            // A pulse is never held back: it would look like a server that does not answer.
            Self::Other
        } else if path.ends_with("/log") {
            Self::Log
        } else {
            Self::Read
        }
    }
}

/// The kind that is watched. Two may be of one resource: one of them is asked for by its object's name.
fn watched(path: &str, query: &str) -> Option<Kind> {
    let last = path.rsplit('/').next().unwrap_or_default();
    let is_it = |kind: &Kind| {
        let is_named = |name: &str| query.contains("fieldSelector=") && query.contains(name);
        kind.plural() == last && kind.only().is_none_or(is_named)
    };
    // The one of a name, where there is one, comes last.
    Kind::ALL.into_iter().rev().find(is_it)
}

/// The same request once more, for after a 401 and nothing else: that says that it was not applied, even
/// where it is a write (SAFETY, "What a reply means to a mutation").
pub(super) fn copy(request: &Request<Body>) -> Option<Request<Body>> {
    let mut again = Request::new(request.body().try_clone()?);
    *again.method_mut() = request.method().clone();
    *again.uri_mut() = request.uri().clone();
    *again.headers_mut() = request.headers().clone();
    Some(again)
}
