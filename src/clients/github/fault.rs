//! What GitHub refuses, in a sentence that says whose turn it is.

use std::fmt::Display;

use http::{HeaderMap, Uri};

use super::{Target, TokenFrom, token};
pub(super) use crate::clients::kubernetes::fault::words;
use crate::clients::kubernetes::fault::{by_status, web_page};
use crate::estate::{Fault, FaultKind};

/// The most bytes of a refusal that are looked at.
const SAID: usize = 4096;
/// The most workflows that are named.
const NAMED: usize = 12;

/// Something of ours cannot be used.
pub(super) fn config(error: impl std::error::Error) -> Fault {
    let mut what = error.to_string();
    let mut cause = error.source();
    while let Some(inner) = cause {
        what = format!("{what}: {inner}");
        cause = inner.source();
    }
    words(FaultKind::Config, format_args!("no HTTP client: {what}"))
}

/// GitHub's words for a refusal, or the first of what came in their place.
pub(super) fn message(body: &[u8]) -> String {
    #[derive(serde::Deserialize)]
    struct Said {
        message: Option<String>,
    }
    let said = serde_json::from_slice::<Said>(body).ok();
    said.and_then(|said| said.message)
        .unwrap_or_else(|| String::from_utf8_lossy(&body[..body.len().min(SAID)]).into())
}

/// A refusal that is no rate limit.
pub(super) fn refusal(
    host: &str,
    target: &Target,
    status: u16,
    headers: &HeaderMap,
    said: &str,
) -> Fault {
    if said.trim_start().starts_with('<') {
        return web_page(host, status);
    }
    let said = if said.trim().is_empty() {
        "no reason given"
    } else {
        said.trim()
    };
    let source = token::source(&target.token);
    if let Some(sso) = text(headers, "x-github-sso").filter(|_| status == 403 || status == 401) {
        return words(FaultKind::LoginNeeded, sso_words(&source, sso));
    }
    match status {
        401 if target.token == TokenFrom::None => words(
            FaultKind::LoginNeeded,
            format_args!("{host} asks for a token and the configuration names none: {said}"),
        ),
        401 => words(
            FaultKind::LoginNeeded,
            format_args!("{host} does not accept {source}: {said} (mistyped, revoked or expired?)"),
        ),
        403 => words(
            FaultKind::Forbidden,
            format_args!("{host} forbids it to {source}: {said}{}", wanted(headers)),
        ),
        _ => by_status(host, status, said),
    }
}

fn text<'h>(headers: &'h HeaderMap, name: &str) -> Option<&'h str> {
    let value = headers.get(name)?.to_str().ok()?.trim();
    (!value.is_empty()).then_some(value)
}

/// `X-GitHub-SSO: required; url=…`, or `partial-results; organizations=…`.
fn sso_words(source: &str, sso: &str) -> String {
    let url = sso
        .split(';')
        .find_map(|part| part.trim().strip_prefix("url="));
    let at = url.map_or_else(String::new, |url| format!(" at {url}"));
    format!("the organisation asks for single sign-on: authorise {source}{at}")
}

/// What the token would have to be allowed, where GitHub says it.
fn wanted(headers: &HeaderMap) -> String {
    let permissions = text(headers, "x-accepted-github-permissions")
        .map(|names| format!("; the token needs the permission {names}"));
    let scopes = || {
        let names = text(headers, "x-accepted-oauth-scopes")?;
        let has = text(headers, "x-oauth-scopes").unwrap_or("none");
        Some(format!(
            "; the token needs one of the scopes {names} and has {has}"
        ))
    };
    permissions.or_else(scopes).unwrap_or_default()
}

/// The repository is not there, or hidden: GitHub says the same for both.
pub(super) fn no_repository(host: &str, target: &Target) -> Fault {
    let (name, source) = (&target.repository, token::source(&target.token));
    words(
        FaultKind::Missing,
        format_args!("there is no repository {name} on {host}, or it is hidden from {source}"),
    )
}

/// The repository has another name or another host by now, and what was to be done was not.
pub(super) fn moved(host: &str, repository: &str, to: Option<&Uri>) -> Fault {
    let to = to.map_or_else(String::new, |to| format!(", to {to}"));
    words(
        FaultKind::Missing,
        format_args!(
            "{host} says that {repository} has moved{to}: nothing was done; write its new name into [github] repository"
        ),
    )
}

/// The workflow is not there; these are.
pub(super) fn no_workflow(target: &Target, names: &[String]) -> Fault {
    let (workflow, repository) = (&target.workflow, &target.repository);
    let there = match names {
        [] => "it has none".to_owned(),
        names => {
            let more = match names.len().saturating_sub(NAMED) {
                0 => String::new(),
                more => format!(" and {more} more"),
            };
            let shown = &names[..names.len().min(NAMED)];
            format!("it has {}{more}", shown.join(", "))
        }
    };
    words(
        FaultKind::Missing,
        format_args!("{repository} has no workflow {workflow} (renamed?): {there}"),
    )
}

/// The workflow's file cannot be read.
pub(super) fn workflow(name: &str, why: &dyn Display) -> Fault {
    words(
        FaultKind::Malformed,
        format_args!("the workflow {name} cannot be read: {why}"),
    )
}

/// The log is not there.
pub(super) fn no_log(status: u16) -> Fault {
    let why = match status {
        410 => "was deleted, as old logs are",
        _ => "is not there: it comes when the job has ended, and is deleted after some months",
    };
    words(
        FaultKind::Missing,
        format_args!("the log of this job {why}"),
    )
}
