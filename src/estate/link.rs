//! The links of an alert: only what is plainly an address of the web, and only as text.

use super::alerts::Alert;

/// Annotations that hold links, by use, and what they lead to.
const LINKS: [(&str, &str); 6] = [
    ("runbook_url", "runbook"),
    ("runbook", "runbook"),
    ("dashboard_url", "dashboard"),
    ("dashboard", "dashboard"),
    ("grafana_url", "dashboard"),
    ("grafana", "dashboard"),
];

impl Alert {
    /// Where the runbook and the dashboard are: what it is, and its address. `javascript:`, `file:` and
    /// whatever else is no http(s) address is none (it is still shown as an annotation).
    pub fn links(&self) -> Vec<(&'static str, &str)> {
        let mut links: Vec<(&'static str, &str)> = Vec::new();
        for (key, what) in LINKS {
            let found = (self.annotations.get(key)).filter(|text| is_web(text));
            if let Some(url) = found
                && !links.iter().any(|(had, _)| *had == what)
            {
                links.push((what, url.as_str()));
            }
        }
        links
    }
}

/// http or https, a host, no user or password, nothing that is not plain ASCII, nothing that was cut.
pub fn is_web(text: &str) -> bool {
    let Some(rest) = (text.strip_prefix("https://")).or_else(|| text.strip_prefix("http://"))
    else {
        return false;
    };
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    let is_host = |b: u8| b.is_ascii_alphanumeric() || b"-._:[]".contains(&b);
    let is_plain = |b: u8| b.is_ascii_graphic() && !b"\"'<>\\^`{|}".contains(&b);
    !authority.is_empty() && authority.bytes().all(is_host) && rest.bytes().all(is_plain)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::estate::{Labels, Safe};

    #[test]
    fn m06_only_addresses_of_the_web_are_links() {
        for (text, is) in [
            ("https://runbooks.example/HighErrorRate#steps", true),
            ("http://[::1]:3000/d/x?var=a%20b", true),
            ("javascript:alert(1)", false),
            ("JAVASCRIPT:alert(1)//https://x", false),
            ("file:///etc/passwd", false),
            ("https://me:secret@evil.example/", false),
            ("https://good.example\u{202e}/", false),
            ("https://", false),
            ("https://a b/", false),
            ("https://x/\u{1b}]8;;https://evil\u{7}", false),
        ] {
            assert_eq!(is_web(text), is, "{text:?}");
        }
    }

    #[test]
    fn m06_an_osc_8_link_is_gone_at_ingest() {
        let hostile = "\u{1b}]8;;javascript:x\u{1b}\\https://runbooks.example/x\u{1b}]8;;\u{1b}\\";
        let annotations = [("runbook_url", hostile), ("grafana_url", "javascript:x")];
        let alert = Alert {
            labels: Labels::default(),
            annotations: (annotations.map(|(k, v)| (Safe::new(k), Safe::new(v))))
                .into_iter()
                .collect(),
            is_firing: true,
            since: None,
            value: "1".into(),
        };
        assert_eq!(alert.links(), [("runbook", "https://runbooks.example/x")]);
    }
}
