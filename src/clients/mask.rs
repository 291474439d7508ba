//! Secrets in logs and in what programs print. GitHub masks what it knows to be one (`***`); this masks what looks like one.

use crate::estate::Safe;

/// What stands in a secret's place, as in GitHub's own logs.
const MASK: &str = "***";
/// Beginnings of tokens, and how many characters at least follow in a real one.
const TOKENS: [(&str, usize); 15] = [
    ("github_pat_", 20),
    ("ghp_", 20),
    ("gho_", 20),
    ("ghu_", 20),
    ("ghs_", 20),
    ("ghr_", 20),
    ("AKIA", 16),
    ("ASIA", 16),
    ("eyJ", 40),
    ("glpat-", 20),
    ("npm_", 30),
    ("xoxb-", 20),
    ("xoxp-", 20),
    ("sk_live_", 20),
    ("AIza", 30),
];
/// Ends of names whose value is a secret, as variables and settings spell them.
const NAMES: [&str; 8] = [
    "password",
    "passwd",
    "secret",
    "token",
    "api_key",
    "apikey",
    "access_key",
    "private_key",
];
/// Words after which a credential comes.
const SCHEMES: [&str; 3] = ["bearer ", "basic ", "token "];
/// A credential is longer than a word of prose ("bearer token", "token expired").
const LONG: usize = 16;

/// How a private key begins and ends in PEM, but for its kind.
const BEGIN: &str = "-----BEGIN ";
const END: &str = "-----END ";
const PRIVATE: &str = "PRIVATE KEY";

/// Masks line after line: a private key goes over several.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Masks {
    is_in_key: bool,
}

impl Masks {
    /// The next line with each secret replaced.
    pub(super) fn line(&mut self, line: &Safe) -> Safe {
        let text = line.as_str();
        if let Some(at) = text.find(BEGIN).filter(|at| text[*at..].contains(PRIVATE)) {
            // What is written in one line ends in it, or goes over.
            let end = text[at..].find(END).map(|end| at + end);
            self.is_in_key = end.is_none();
            let tail = end.map_or("", |end| &text[end..]);
            return masked(&format!("{}{BEGIN}{PRIVATE}-----{MASK}{tail}", &text[..at]).into());
        }
        if !self.is_in_key {
            return masked(line);
        }
        if let Some(end) = text.find(END) {
            self.is_in_key = false;
            return format!("{MASK}{}", &text[end..]).into();
        }
        // Whatever is no part of a key ends it: it was cut off.
        self.is_in_key = is_of_a_key(text);
        match self.is_in_key {
            true => MASK.into(),
            false => masked(line),
        }
    }

    /// All of a text whose beginning may be cut off, in the middle of a key.
    pub(super) fn all(lines: impl IntoIterator<Item = Safe>) -> Vec<Safe> {
        let mut lines: Vec<Safe> = lines.into_iter().collect();
        let mut is_in_key = false;
        for place in (0..lines.len()).rev() {
            let text = lines[place].as_str();
            let is_end = text.contains(END) && text.contains(PRIVATE);
            let is_begin = text.contains(BEGIN);
            let is_key = is_in_key && is_of_a_key(text);
            is_in_key = !is_begin && (is_end || is_key);
            if is_key && !is_begin && !is_end {
                lines[place] = MASK.into();
            }
        }
        let mut masks = Self::default();
        lines.iter().map(|line| masks.line(line)).collect()
    }
}

/// Whether a line may stand in a key: base64, a header of an encrypted one, or nothing.
fn is_of_a_key(line: &str) -> bool {
    let is_header = ["Proc-Type:", "DEK-Info:"];
    let line = line.trim();
    let is_base64 = |c: char| c.is_ascii_alphanumeric() || "+/=*".contains(c);
    is_header.iter().any(|it| line.starts_with(it)) || line.chars().all(is_base64)
}

/// The line with each secret replaced.
pub(crate) fn masked(line: &Safe) -> Safe {
    let mut out = String::new();
    let mut rest = line.as_str();
    let mut before = None;
    while let Some(first) = rest.chars().next() {
        match secret(rest, before) {
            Some((kept, end)) => {
                out.push_str(&rest[..kept]);
                out.push_str(MASK);
                before = rest[..end].chars().next_back();
                rest = &rest[end..];
            }
            None => {
                out.push(first);
                before = Some(first);
                rest = &rest[first.len_utf8()..];
            }
        }
    }
    match out == line.as_str() {
        true => line.clone(),
        false => Safe::from(out),
    }
}

/// Whether a secret begins here: how much of it may be shown, and where it ends.
fn secret(text: &str, before: Option<char>) -> Option<(usize, usize)> {
    if text.starts_with("://") {
        return password(text);
    }
    if let Some(named) = named(text) {
        return Some(named);
    }
    if before.is_some_and(|c| c.is_ascii_alphanumeric()) {
        return None;
    }
    for (lead, least) in TOKENS {
        if let Some(tail) = text.strip_prefix(lead) {
            let length = span(tail, |c| c.is_ascii_alphanumeric() || "_-.".contains(c));
            if length >= least {
                return Some((0, lead.len() + length));
            }
        }
    }
    for scheme in SCHEMES {
        let lead = text.get(..scheme.len());
        if lead.is_some_and(|lead| lead.eq_ignore_ascii_case(scheme)) {
            let length = span(&text[scheme.len()..], |c| {
                c.is_ascii_alphanumeric() || "_-.~+/=".contains(c)
            });
            if length >= LONG {
                return Some((scheme.len(), scheme.len() + length));
            }
        }
    }
    None
}

/// `DB_PASSWORD=…`, `"api_key": "…"`: the value of a name that ends so. Behind a colon without quotes only what no word of prose
/// looks like.
fn named(text: &str) -> Option<(usize, usize)> {
    let is_it = |name: &&&str| {
        let lead = text.get(..name.len());
        lead.is_some_and(|lead| lead.eq_ignore_ascii_case(name))
    };
    let name = NAMES.iter().find(is_it)?;
    let between = span(&text[name.len()..], |c| "\"' :=".contains(c));
    let (sign, value) = text[name.len()..].split_at(between);
    let is_given = sign.contains('=');
    if !is_given && !sign.contains(':') {
        return None;
    }
    let length = span(value, |c| !c.is_whitespace() && !"\"',;&)}]".contains(c));
    let (word, is_quoted) = (&value[..length], sign.ends_with(['"', '\'']));
    let is_prose = word
        .chars()
        .all(|c| c.is_ascii_alphabetic() || ".*<>$".contains(c));
    let least = if is_given { 4 } else { 6 };
    // The scheme's own rule has what follows it.
    let is_scheme = (SCHEMES.iter()).any(|it| it.trim_end().eq_ignore_ascii_case(word));
    let is_secret = length >= least
        && (is_given || is_quoted || !is_prose)
        && word != MASK
        && !is_scheme
        && !is_setting(name, word);
    is_secret.then_some((name.len() + between, name.len() + between + length))
}

/// `use_secret=true`, `max_token=4096`, `secret="prod/tls-cert"`: what explains something, and hides nothing.
fn is_setting(name: &str, word: &str) -> bool {
    let is_of_a_name = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "-./".contains(c);
    let is_object = name == "secret" && word.contains('/') && word.chars().all(is_of_a_name);
    let is_number = word.len() <= 6 && word.chars().all(|c| c.is_ascii_digit());
    is_object || is_number || matches!(word, "true" | "false" | "null" | "none")
}

/// `://user:password@host`: the password.
fn password(text: &str) -> Option<(usize, usize)> {
    let tail = &text[3..];
    let authority = &tail[..span(tail, |c| !c.is_whitespace() && !"/?#\"'".contains(c))];
    let (user, _) = authority.rsplit_once('@')?;
    let (name, password) = user.split_once(':')?;
    (!password.is_empty()).then_some((3 + name.len() + 1, 3 + user.len()))
}

fn span(text: &str, is: impl Fn(char) -> bool) -> usize {
    text.find(|c| !is(c)).unwrap_or(text.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_private_key_is_masked_whole_and_what_comes_after_it_is_not() {
        let body = "MIIEvQIBADANBgkqhkiG9w0BAQEFAASCBKcwggSjAgEAAoIBAQC7";
        let shown = |text: &str| {
            let mut masks = Masks::default();
            let lines = text.lines().map(|line| masks.line(&Safe::new(line)));
            let by_line: Vec<String> = lines.map(|it| it.to_string()).collect();
            let all = Masks::all(text.lines().map(Safe::new));
            let all: Vec<String> = all.iter().map(ToString::to_string).collect();
            (by_line, all)
        };
        for kind in ["", "RSA ", "EC ", "OPENSSH ", "ENCRYPTED "] {
            let text = format!(
                "key: -----BEGIN {kind}PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\n\n{body}\nab==\n-----END {kind}PRIVATE KEY----- x\nhello"
            );
            let (by_line, all) = shown(&text);
            assert_eq!(by_line, all);
            assert_eq!(by_line[0], "key: -----BEGIN PRIVATE KEY-----***");
            assert!(
                by_line[1..5].iter().all(|line| line == "***"),
                "{by_line:?}"
            );
            let end = format!("***-----END {kind}PRIVATE KEY----- x");
            assert_eq!(by_line[5..], [end.as_str(), "hello"]);
        }
        // In one line, as a variable holds it.
        let text =
            format!("K=\"-----BEGIN PRIVATE KEY-----\\n{body}\\n-----END PRIVATE KEY-----\" y\nz");
        let (by_line, _) = shown(&text);
        assert_eq!(
            by_line,
            [
                "K=\"-----BEGIN PRIVATE KEY-----***-----END PRIVATE KEY-----\" y",
                "z"
            ]
        );
        // Cut off: what is no part of it is shown again.
        let (by_line, _) = shown(&format!(
            "-----BEGIN PRIVATE KEY-----\n{body}\nthe server starts\nok"
        ));
        assert_eq!(by_line[1..], ["***", "the server starts", "ok"]);
        // Its beginning is left out.
        let (_, all) = shown(&format!(
            "{body}\n{body}\n-----END RSA PRIVATE KEY-----\nok"
        ));
        assert_eq!(all, ["***", "***", "-----END RSA PRIVATE KEY-----", "ok"]);
        // A certificate is none.
        let text = format!("-----BEGIN CERTIFICATE-----\n{body}\n-----END CERTIFICATE-----");
        assert_eq!(shown(&text).0.join("\n"), text);
    }

    #[test]
    fn secrets_are_masked_and_prose_is_not() {
        let long = "a1B2".repeat(9);
        for (line, shown) in [
            (format!("x ghp_{long} y"), "x *** y"),
            (format!("GH=gho_{long}"), "GH=***"),
            (format!("github_pat_11{long}_x,"), "***,"),
            ("id AKIAIOSFODNN7EXAMPLE.".into(), "id ***"),
            (
                format!("authorization: Bearer {long}"),
                "authorization: Bearer ***",
            ),
            (
                format!("Authorization: bAsIc {long}=="),
                "Authorization: bAsIc ***",
            ),
            (format!("ghp_\u{1b}[0m{long}"), "***"),
            (
                "git clone https://me:hunter2@host/x".into(),
                "git clone https://me:***@host/x",
            ),
            ("password: ***".into(), "password: ***"),
            ("DB_PASSWORD=hunter22 x".into(), "DB_PASSWORD=*** x"),
            (
                "{\"api_key\": \"abcdefgh\", \"n\": 1}".into(),
                "{\"api_key\": \"***\", \"n\": 1}",
            ),
            ("client-secret: s3cr3t-v4lue".into(), "client-secret: ***"),
            (
                "aws_secret_access_key=wJalrXUtnFEMI/K7MDENG".into(),
                "aws_secret_access_key=***",
            ),
            (format!("AUTH_TOKEN=Bearer {long}"), "AUTH_TOKEN=Bearer ***"),
            (
                format!("\"token\": \"basic {long}\""),
                "\"token\": \"basic ***\"",
            ),
            (
                "secret=\"prod/tls-cert\" is missing".into(),
                "secret=\"prod/tls-cert\" is missing",
            ),
            (
                "use_secret=true max_token=4096".into(),
                "use_secret=true max_token=4096",
            ),
            ("token: expired".into(), "token: expired"),
            ("the token is missing".into(), "the token is missing"),
            (format!("xoxb-{long}"), "***"),
            (
                "the bearer token is missing".into(),
                "the bearer token is missing",
            ),
            (
                "ghp_ is how tokens begin".into(),
                "ghp_ is how tokens begin",
            ),
            (
                "see https://host:8080/a@b".into(),
                "see https://host:8080/a@b",
            ),
        ] {
            assert_eq!(masked(&Safe::new(&line)).as_str(), shown, "{line}");
        }
    }
}
