//! The words of a refusal: Prometheus, Alertmanager, the API server and the proxies between put them
//! in different places.

use serde_json::Value;

use crate::clients::kubernetes::fault;
use crate::estate::{Fault, FaultKind, Safe};

/// A refusal by its status, with the words that stand in its body.
pub(in crate::clients) fn refusal(host: &str, status: u16, body: &[u8]) -> Fault {
    let head = &body[..body.len().min(16 << 10)];
    let text = String::from_utf8_lossy(head);
    hint(fault::by_status(host, status, &said(&text, 2)))
}

/// The words in `text`; the API server wraps those of whoever stands behind a Service.
fn said(text: &str, depth: u8) -> String {
    let Ok(value) = serde_json::from_str::<Value>(text) else {
        return text.trim().to_owned();
    };
    let word = |key: &str| value[key].as_str();
    let inner = match (&value, word("error"), word("message")) {
        (Value::String(words), ..) => return words.clone(),
        (_, Some(words), _) => {
            let kind = word("errorType").map(|kind| format!("{kind}: "));
            return format!("{}{words}", kind.unwrap_or_default());
        }
        (_, None, Some(words)) => words,
        _ => return text.trim().to_owned(),
    };
    match depth {
        0 => inner.to_owned(),
        _ => said(inner, depth - 1),
    }
}

/// Adds what probably helps: a path prefix that was left out, a name that only the cluster knows.
pub(super) fn hint(fault: Fault) -> Fault {
    let advice = match fault.kind {
        FaultKind::Missing if !is_no_route(&fault) => {
            "is the Service called otherwise, or in another namespace?"
        }
        FaultKind::Missing => "is it under a path prefix? The configured address must hold it",
        FaultKind::Malformed if fault.what.contains("web page") => {
            "a path prefix that the configured address lacks?"
        }
        FaultKind::Unreachable if fault.what.contains("cannot resolve") => {
            "a name that only the cluster knows? Then configure service = \"namespace/name:port\""
        }
        _ => return fault,
    };
    Fault {
        what: Safe::new(&format!("{}; {advice}", fault.what)),
        ..fault
    }
}

/// Whether whoever answered does not know the path. The API server's own words, of the Service that it is to lead to,
/// are another matter.
pub(in crate::clients) fn is_no_route(fault: &Fault) -> bool {
    fault.kind == FaultKind::Missing && !fault.what.contains("services \"")
}

/// What all replicas said together: the answers, and what is missing in words.
///
/// # Errors
/// The first fault, where not one answered.
pub(in crate::clients) fn partly<T>(
    all: Vec<(&str, Result<T, Fault>)>,
) -> Result<(Vec<T>, Vec<Safe>), Fault> {
    let (count, mut answers, mut missing, mut first) = (all.len(), Vec::new(), Vec::new(), None);
    for (name, answer) in all {
        match answer {
            Ok(answer) => answers.push(answer),
            Err(fault) => {
                let of = format!("of {count} replicas {name} is missing: {}", fault.what);
                missing.push(Safe::new(&of));
                first.get_or_insert(fault);
            }
        }
    }
    match first {
        Some(fault) if answers.is_empty() => Err(fault),
        _ => Ok((answers, missing)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_words_of_each_server_are_found() {
        for (body, words) in [
            (
                r#"{"status":"error","errorType":"bad_data","error":"parse error"}"#,
                "bad_data: parse error",
            ),
            (
                r#"{"code":602,"message":"matchers in body is required"}"#,
                "matchers in body is required",
            ),
            (r#""silence already expired""#, "silence already expired"),
            ("404 page not found\n", "404 page not found"),
            (
                r#"{"kind":"Status","code":400,"message":"{\"status\":\"error\",\"error\":\"wrapped\"}"}"#,
                "wrapped",
            ),
            ("[1]", "[1]"),
        ] {
            let fault = refusal("h:1", 400, body.as_bytes());
            assert_eq!(fault.what.as_str(), format!("h:1 refused (400): {words}"));
        }
    }

    #[test]
    fn a_service_that_is_not_there_is_told_from_a_path_that_is_not() {
        let said = r#"{"kind":"Status","code":404,"message":"services \"prom\" not found"}"#;
        let fault = refusal("h:1", 404, said.as_bytes());
        assert!(fault.what.contains("called otherwise"), "{}", fault.what);
        assert!(!fault.what.contains("prefix"), "{}", fault.what);
    }

    #[test]
    fn a_404_asks_for_the_path_prefix() {
        let fault = refusal("h:1", 404, b"404 page not found");
        assert!(fault.what.contains("path prefix"), "{}", fault.what);
    }
}
