//! What went wrong, in words that name the host: from kube's, hyper's and rustls' errors to a `Fault`.
//!
//! Remote words are cleaned by `Safe` and shortened; what looks like a bearer token is left out.

use std::error::Error;
use std::fmt;
use std::time::Duration;

use jiff::Timestamp;
use rustls::CertificateError as Cert;

use crate::estate::{Fault, FaultKind, Safe};

/// The most characters of a stranger's words in a fault.
const WORDS: usize = 300;

/// A fault that travels through the error types of kube and hyper and is found again by [`of`].
#[derive(Debug)]
pub(super) struct Trouble(pub(super) Fault);

impl fmt::Display for Trouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.what.fmt(f)
    }
}

impl Error for Trouble {}

/// A fault in those words.
pub(in crate::clients) fn words(kind: FaultKind, what: impl fmt::Display) -> Fault {
    let what = Safe::from(redact(&what.to_string()));
    let short = what.chars().take(2 * WORDS).collect::<String>();
    Fault {
        kind,
        what: if short.len() < what.len() {
            format!("{short}…").into()
        } else {
            what
        },
    }
}

/// No answer in time.
pub(in crate::clients) fn slow(host: &str, limit: Duration) -> Fault {
    let seconds = limit.as_secs_f64();
    words(
        FaultKind::Slow,
        format_args!("no answer from {host} within {seconds:.0} s"),
    )
}

/// An answer that is not the JSON that was asked for.
pub(in crate::clients) fn not_json(host: &str, error: &serde_json::Error) -> Fault {
    let how = if error.is_eof() {
        "with truncated JSON"
    } else {
        "with something that is not the JSON asked for"
    };
    words(
        FaultKind::Malformed,
        format_args!("{host} answered {how}: {error}"),
    )
}

/// An answer that is a web page.
pub(in crate::clients) fn web_page(host: &str, status: u16) -> Fault {
    words(
        FaultKind::Malformed,
        format_args!(
            "{host} answered {status} with a web page, not with JSON: a proxy or login page?"
        ),
    )
}

/// An answer that is larger than can be meant.
pub(in crate::clients) fn too_large(host: &str, limit: usize) -> Fault {
    let mib = limit as f64 / f64::from(1 << 20);
    words(
        FaultKind::Malformed,
        format_args!("{host} sent more than {mib:.1} MiB at once: cut off"),
    )
}

/// What kube reports.
pub(super) fn of(host: &str, error: &kube::Error) -> Fault {
    if let kube::Error::Api(status) = error {
        return by_status(host, status.code, &status.message);
    }
    of_error(host, error)
}

/// What any client of HTTP reports: the way to the server, TLS, or a body that is not understood.
pub(in crate::clients) fn of_error(host: &str, error: &(dyn Error + 'static)) -> Fault {
    let links = chain(error);
    for link in &links {
        if let Some(Trouble(fault)) = link.downcast_ref() {
            return fault.clone();
        }
        if let Some(kube::Error::Api(status)) = link.downcast_ref() {
            return by_status(host, status.code, &status.message);
        }
        if let Some(error) = link.downcast_ref::<rustls::Error>() {
            return tls(host, error);
        }
        if let Some(error) = link.downcast_ref::<serde_json::Error>() {
            return not_json(host, error);
        }
    }
    connection(host, &links)
}

/// What the watcher reports.
pub(super) fn of_watch(host: &str, error: &kube::runtime::watcher::Error) -> Fault {
    use kube::runtime::watcher::Error as E;
    match error {
        E::InitialListFailed(e) | E::WatchStartFailed(e) | E::WatchFailed(e) => of(host, e),
        E::WatchError(status) => by_status(host, status.code, &status.message),
        E::NoResourceVersion => words(
            FaultKind::Malformed,
            format_args!("{host} sent a list or an object without a resourceVersion"),
        ),
    }
}

/// An HTTP status with the server's words.
pub(in crate::clients) fn by_status(host: &str, status: u16, message: &str) -> Fault {
    if message.trim_start().starts_with('<') && status != 401 {
        return web_page(host, status);
    }
    let said: String = message.chars().take(WORDS).collect();
    let said = if said.trim().is_empty() {
        "no reason given"
    } else {
        said.trim()
    };
    let (kind, what) = match status {
        401 => (
            FaultKind::LoginNeeded,
            format!("login needed: {host} says {said}"),
        ),
        403 => (
            FaultKind::Forbidden,
            denied(host, message).unwrap_or_else(|| format!("{host} forbids it: {said}")),
        ),
        404 => (FaultKind::Missing, format!("not there on {host}: {said}")),
        407 => (
            FaultKind::Unreachable,
            format!("the proxy before {host} asks for a login: {said}"),
        ),
        410 => (
            FaultKind::Expired,
            format!("{host} lost the history: {said}"),
        ),
        429 => (FaultKind::Busy, format!("{host} asks to slow down: {said}")),
        408 | 504 => (
            FaultKind::Slow,
            format!("{host} gave up ({status}): {said}"),
        ),
        500.. => (
            FaultKind::Server,
            format!("{host} failed ({status}): {said}"),
        ),
        _ => (
            FaultKind::Malformed,
            format!("{host} refused ({status}): {said}"),
        ),
    };
    words(kind, what)
}

/// What RBAC denied, the verb and the resource first, so that they are read where a line is short. Its
/// message is `pods is forbidden: User "U" cannot list resource "pods" in API group "" in the namespace "N"`.
fn denied(host: &str, message: &str) -> Option<String> {
    let (head, tail) = message.split_once(" cannot ")?;
    let (_, user) = head.rsplit_once("User \"")?;
    let (verb, tail) = tail.split_once(" resource \"")?;
    let (resource, tail) = tail.split_once('"')?;
    let place = match tail.split_once("in the namespace \"") {
        Some((_, name)) => format!(" in {}", name.trim_end_matches('"')),
        None => String::new(),
    };
    let (user, verb) = (user.trim_end_matches('"'), verb.trim());
    let said = format!("forbidden: {verb} {resource}{place}, says {host} to {user}");
    Some(said.chars().take(WORDS).collect())
}

/// A refusal whose body may be a `Status`, a web page or plain text.
pub(super) fn by_body(host: &str, status: u16, body: &[u8]) -> Fault {
    #[derive(serde::Deserialize)]
    struct Status {
        message: Option<String>,
    }
    let message = serde_json::from_slice::<Status>(body)
        .ok()
        .and_then(|status| status.message)
        .unwrap_or_else(|| String::from_utf8_lossy(&body[..body.len().min(4 * WORDS)]).into());
    by_status(host, status, &message)
}

/// An error and its causes. `io::Error` hides what it wraps from `source()`.
fn chain<'a>(error: &'a (dyn Error + 'static)) -> Vec<&'a (dyn Error + 'static)> {
    let mut links = vec![error];
    while let Some(last) = links.last().copied().filter(|_| links.len() < 16) {
        let inner = (last.downcast_ref::<std::io::Error>())
            .and_then(|io| io.get_ref())
            .map(|inner| inner as &(dyn Error + 'static));
        match inner.or_else(|| last.source()) {
            Some(next) => links.push(next),
            None => break,
        }
    }
    links
}

/// Trouble on the way to the server.
fn connection(host: &str, links: &[&(dyn Error + 'static)]) -> Fault {
    use std::io::ErrorKind as Io;
    let text = |link: &&(dyn Error + 'static)| link.to_string();
    let all = links.iter().map(text).collect::<Vec<_>>().join(": ");
    let io = (links.iter())
        .filter_map(|link| link.downcast_ref::<std::io::Error>())
        .map(std::io::Error::kind)
        .next_back();
    let last = links.last().map(text).unwrap_or_default();
    let (kind, what) = if all.contains("dns error") {
        (
            FaultKind::Unreachable,
            format!("cannot resolve {host}: {last}"),
        )
    } else if all.contains("proxy authorization required") {
        (
            FaultKind::Unreachable,
            format!("the proxy before {host} asks for a login (407)"),
        )
    } else if all.contains("tunnel error") || all.contains("SOCKS") {
        (
            FaultKind::Unreachable,
            format!("the proxy does not reach {host}: {last}"),
        )
    } else {
        match io {
            Some(Io::ConnectionRefused) => (
                FaultKind::Unreachable,
                format!("{host} refuses connections"),
            ),
            Some(Io::TimedOut) => (FaultKind::Unreachable, format!("{host} does not answer")),
            Some(
                Io::ConnectionReset | Io::BrokenPipe | Io::UnexpectedEof | Io::ConnectionAborted,
            ) => (
                FaultKind::Unreachable,
                format!("{host} broke the connection"),
            ),
            _ if all.contains("before message completed") || all.contains("end of file") => (
                FaultKind::Unreachable,
                format!("{host} broke the connection"),
            ),
            _ if all.contains("invalid HTTP") || all.contains("parse") => (
                FaultKind::Malformed,
                format!("{host} does not speak HTTP: {last}"),
            ),
            _ => (
                FaultKind::Unreachable,
                format!("no connection to {host}: {last}"),
            ),
        }
    };
    words(kind, what)
}

/// A failed handshake, with the date where a certificate has expired.
pub(super) fn tls(host: &str, error: &rustls::Error) -> Fault {
    let day = |time: u64| {
        i64::try_from(time)
            .ok()
            .and_then(|s| Timestamp::from_second(s).ok())
            .map_or_else(String::new, |t| format!(" ({t})"))
    };
    let what = match error {
        rustls::Error::InvalidCertificate(cert) => match cert {
            Cert::ExpiredContext { not_after, .. } => {
                format!(
                    "has expired{}; or this machine's clock is wrong",
                    day(not_after.as_secs())
                )
            }
            Cert::Expired => "has expired".into(),
            Cert::NotValidYetContext { not_before, .. } => {
                format!(
                    "is not valid yet{}: is this machine's clock wrong?",
                    day(not_before.as_secs())
                )
            }
            Cert::NotValidYet => "is not valid yet: is this machine's clock wrong?".into(),
            // What a cluster that was set up anew under its old names looks like.
            Cert::BadSignature => {
                "is not signed by the authority of the kubeconfig: is the cluster a new one?".into()
            }
            Cert::UnknownIssuer => "is from an unknown authority".into(),
            Cert::NotValidForName => "is for another name".into(),
            Cert::NotValidForNameContext { presented, .. } => {
                format!("is for another name: {}", presented.join(", "))
            }
            other => format!("is not accepted: {other:?}"),
        },
        other => {
            return words(
                FaultKind::Tls,
                format_args!("TLS with {host} failed: {other}"),
            );
        }
    };
    words(
        FaultKind::Tls,
        format_args!("the certificate of {host} {what}"),
    )
}

/// Leaves out what follows `Bearer` or `Basic`, should a server or plugin echo a credential.
fn redact(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((at, word)) = ["earer ", "asic "]
        .iter()
        .filter_map(|word| rest.find(word).map(|at| (at, word.len())))
        .min()
    {
        let (head, tail) = rest.split_at(at + word);
        out.push_str(head);
        let end = tail
            .find(|c: char| c.is_whitespace() || c == '"' || c == '\'')
            .unwrap_or(tail.len());
        // Prose ("bearer token") stays; a credential is long.
        out.push_str(if end > 15 { "…" } else { &tail[..end] });
        rest = &tail[end..];
    }
    out.push_str(rest);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_credential_that_is_echoed_is_left_out() {
        let fault = words(
            FaultKind::Server,
            "echo: Authorization: Bearer eyJhbGciOiJSUzI1NiJ9.payload.signature, bearer token bad",
        );
        assert_eq!(
            fault.what.as_str(),
            "echo: Authorization: Bearer … bearer token bad"
        );
    }

    #[test]
    fn every_refusal_has_its_kind_and_names_the_host() {
        for (status, kind) in [
            (401, FaultKind::LoginNeeded),
            (403, FaultKind::Forbidden),
            (404, FaultKind::Missing),
            (407, FaultKind::Unreachable),
            (410, FaultKind::Expired),
            (429, FaultKind::Busy),
            (500, FaultKind::Server),
            (504, FaultKind::Slow),
            (400, FaultKind::Malformed),
        ] {
            let fault = by_status("api.shop:6443", status, "\u{1b}[31mwords");
            assert_eq!(fault.kind, kind, "{status}");
            assert!(fault.what.contains("api.shop:6443"), "{}", fault.what);
            assert!(fault.what.ends_with("words"), "{}", fault.what);
        }
    }

    #[test]
    fn a_denial_says_verb_and_resource_first() {
        let message = "pods \"a\" is forbidden: User \"system:serviceaccount:shop:eve\" cannot get \
            resource \"pods/log\" in API group \"\" in the namespace \"shop\"";
        let fault = by_status("h:1", 403, message);
        assert_eq!(fault.kind, FaultKind::Forbidden);
        assert_eq!(
            fault.what.as_str(),
            "forbidden: get pods/log in shop, says h:1 to system:serviceaccount:shop:eve"
        );
        let cluster =
            "User \"eve\" cannot list resource \"nodes\" in API group \"\" at the cluster scope";
        let fault = by_status("h:1", 403, cluster);
        assert_eq!(
            fault.what.as_str(),
            "forbidden: list nodes, says h:1 to eve"
        );
    }

    #[test]
    fn n05_a_refusal_as_web_page_is_named_so() {
        let fault = by_body("h:1", 502, b"<html>\x1b]0;x\x07bad gateway</html>");
        assert_eq!(fault.kind, FaultKind::Malformed);
        assert!(fault.what.contains("web page"), "{}", fault.what);
    }
}
