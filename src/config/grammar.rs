//! What the text of each kind of value may look like, with the words that say so.

use super::problem::is_printable;

/// A rule for text: what it accepts, and the words for what it expects.
#[derive(Clone, Copy)]
pub(super) struct Grammar {
    pub(super) expected: &'static str,
    pub(super) accepts: fn(&str) -> bool,
}

pub(super) const TITLE: Grammar = Grammar {
    expected: "1 to 64 printable characters",
    accepts: |text| is_line(text, 64),
};

pub(super) const LINE: Grammar = Grammar {
    expected: "1 to 253 printable characters without a space at either end",
    accepts: |text| is_line(text, 253),
};

/// PromQL, on as many lines as it needs; a comment would swallow what is joined behind it.
pub(super) const EXPRESSION: Grammar = Grammar {
    expected: "PromQL: 1 to 4000 printable characters, without comments",
    accepts: |text| {
        let joined = text.split_whitespace().collect::<Vec<_>>().join(" ");
        let outside = joined.split('"').step_by(2);
        is_line(&joined, 4000) && outside.into_iter().all(|part| !part.contains('#'))
    },
};

/// RFC 1123 label: namespaces, and the names that people type in confirmations.
pub(super) const NAME: Grammar = Grammar {
    expected: "lower-case letters, digits and `-`, at most 63, with a letter or digit at both ends",
    accepts: is_dns_label,
};

/// RFC 1035 label: Services must begin with a letter.
pub(super) const SERVICE: Grammar = Grammar {
    expected: "the name of a Service: lower-case letters, digits and `-`, at most 63, beginning with a letter",
    accepts: |text| {
        is_dns_label(text) && text.starts_with(|first: char| first.is_ascii_lowercase())
    },
};

/// RFC 1123 subdomain: most other objects.
pub(super) const OBJECT: Grammar = Grammar {
    expected: "the name of an object: lower-case letters, digits, `-` and `.`, at most 253",
    accepts: is_dns_subdomain,
};

pub(super) const LABEL_KEY: Grammar = Grammar {
    expected: "a label key, such as `version` or `app.kubernetes.io/name`",
    accepts: is_label_key,
};

pub(super) const LABEL_VALUE: Grammar = Grammar {
    expected: "a label value: letters, digits, `-`, `_` and `.`, at most 63, with a letter or digit at both ends",
    accepts: is_label_name,
};

/// Absolute, since `~` and variables are for shells and a relative path depends on where one stands.
pub(super) const PATH: Grammar = Grammar {
    expected: "an absolute path (`~` and variables are not expanded)",
    accepts: |text| text.starts_with('/') && is_line(text, 4095),
};

/// A Helm chart: never a name of a repository, which another machine may know as another one.
pub(super) const CHART: Grammar = Grammar {
    expected: "an absolute path of a chart, or `oci://…`",
    accepts: |text| {
        (PATH.accepts)(text) || (text.len() > 6 && text.starts_with("oci://") && is_line(text, 253))
    },
};

/// A program that is found on PATH, or an absolute path.
pub(super) const PROGRAM: Grammar = Grammar {
    expected: "the name of a program on PATH, such as `helm`, or an absolute path",
    accepts: |text| (PATH.accepts)(text) || (is_line(text, 253) && !text.contains('/')),
};

/// A Helm release: what is filled in aside, as Helm wants it. It begins no option.
pub(super) const RELEASE: Grammar = Grammar {
    expected: "the name of a release, at most 53 lower-case letters, digits and `-`, with `{colour}`, `{environment}` or `{namespace}` in it as needed",
    accepts: |text| {
        let filled = ["{colour}", "{environment}", "{namespace}"]
            .iter()
            .fold(text.to_owned(), |text, word| text.replace(word, "x"));
        filled.len() <= 53 && is_dns_label(&filled)
    },
};

/// Where a value of a chart is: `image.tag`. What `--set-string` reads is not in it.
pub(super) const VALUE_PATH: Grammar = Grammar {
    expected: "the path of a value, such as `image.tag`, without spaces, `=` and `,`",
    accepts: |text| is_line(text, 253) && !text.contains(['=', ',', ' ']) && !text.starts_with('-'),
};

pub(super) const LINK: Grammar = Grammar {
    expected: "a scheme and host, such as `https://github.com`, without a path",
    accepts: is_origin,
};

/// The address of a server, with its path prefix.
pub(super) const URL: Grammar = Grammar {
    expected: "an address, such as `https://prometheus.example:9090`, with the path prefix where there is one",
    accepts: |text| {
        let Some((scheme, rest)) = text.split_once("://") else {
            return false;
        };
        let (host, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
        (is_origin(&format!("{scheme}://{host}")) || is_numbered(scheme, host)) && is_path(path)
    },
};

/// A Service behind the API server, with its path prefix.
pub(super) const SERVICE_ADDRESS: Grammar = Grammar {
    expected: "`namespace/service:port`, such as `monitoring/prometheus:9090`, with the path prefix where there is one",
    accepts: |text| {
        let parts = text.split_once('/').and_then(|(namespace, rest)| {
            let (name, rest) = rest.split_once(':')?;
            let (port, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
            Some((namespace, name, port, path))
        });
        parts.is_some_and(|(namespace, name, port, path)| {
            is_dns_label(namespace) && is_dns_label(name) && is_dns_label(port) && is_path(path)
        })
    },
};

/// The name of a label of a metric, which knows no `-` and no prefix.
pub(super) const METRIC_LABEL: Grammar = Grammar {
    expected: "a label of alerts: letters, digits and `_`, not beginning with a digit",
    accepts: is_identifier,
};

/// The name of an environment variable.
pub(super) const VARIABLE: Grammar = Grammar {
    expected: "the name of an environment variable: letters, digits and `_`",
    accepts: is_identifier,
};

fn is_identifier(text: &str) -> bool {
    let is_part = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    text.len() <= 253
        && text.bytes().all(is_part)
        && text
            .bytes()
            .next()
            .is_some_and(|byte| !byte.is_ascii_digit())
}

/// Nothing, or a path that needs no escape.
fn is_path(text: &str) -> bool {
    let is_part = |byte: u8| byte.is_ascii_alphanumeric() || b"/-_.~".contains(&byte);
    text.len() <= 253
        && text.bytes().all(is_part)
        && !text.split('/').any(|part| part == "." || part == "..")
}

/// An IPv6 address in brackets, with or without a port.
fn is_numbered(scheme: &str, host: &str) -> bool {
    let address = host.strip_prefix('[').and_then(|rest| rest.split_once(']'));
    address.is_some_and(|(number, port)| {
        number.parse::<std::net::Ipv6Addr>().is_ok() && is_origin(&format!("{scheme}://h{port}"))
    })
}

fn is_line(text: &str, longest: usize) -> bool {
    !text.is_empty()
        && text.trim() == text
        && text.chars().count() <= longest
        && text.chars().all(is_printable)
}

fn is_dns_label(text: &str) -> bool {
    text.len() <= 63
        && is_framed(
            text,
            |byte| byte.is_ascii_lowercase() || byte.is_ascii_digit(),
            |byte| byte == b'-',
        )
}

fn is_dns_subdomain(text: &str) -> bool {
    text.len() <= 253 && text.split('.').all(is_dns_label)
}

pub(super) fn is_label_key(text: &str) -> bool {
    match text.split_once('/') {
        Some((prefix, name)) => is_dns_subdomain(prefix) && is_label_name(name),
        None => is_label_name(text),
    }
}

/// The part of a label key after the prefix, and every value but the empty one.
pub(super) fn is_label_name(text: &str) -> bool {
    text.len() <= 63
        && is_framed(
            text,
            |byte| byte.is_ascii_alphanumeric(),
            |byte| b"-_.".contains(&byte),
        )
}

/// Not empty, `end` at both ends, `end` or `between` elsewhere.
fn is_framed(text: &str, end: fn(u8) -> bool, between: fn(u8) -> bool) -> bool {
    let bytes = text.as_bytes();
    bytes.first().copied().is_some_and(end)
        && bytes.last().copied().is_some_and(end)
        && bytes.iter().all(|byte| end(*byte) || between(*byte))
}

fn is_origin(text: &str) -> bool {
    let Some(rest) = text
        .strip_prefix("https://")
        .or_else(|| text.strip_prefix("http://"))
    else {
        return false;
    };
    let (host, port) = match rest.split_once(':') {
        Some((host, port)) => (host, Some(port)),
        None => (rest, None),
    };
    let is_port = |port: &str| {
        port.bytes().all(|byte| byte.is_ascii_digit())
            && port.parse::<u16>().is_ok_and(|port| port > 0)
    };
    is_dns_subdomain(&host.to_ascii_lowercase()) && port.is_none_or(is_port)
}
