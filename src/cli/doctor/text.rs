//! The text of `doctor`: a line a check, words only. Neighbours that say the same share a line.

use std::fmt::Write as _;

use super::finding::{Finding, Section};
use crate::estate::Verdict;

/// All of it, with a line at the end that counts.
pub(super) fn render(sections: &[Section]) -> String {
    let mut out = String::new();
    for section in sections {
        let _ = writeln!(out, "{}", section.title);
        for (finding, of) in joined(&section.findings) {
            let _ = writeln!(out, "{}", line(finding, &of));
        }
        out.push('\n');
    }
    let count = |word: &str| {
        let findings = sections.iter().flat_map(|section| &section.findings);
        findings.filter(|f| f.verdict.word() == word).count()
    };
    let (bad, unknown, ok) = (count("BAD"), count("UNKNOWN"), count("OK"));
    let _ = writeln!(out, "{bad} BAD, {unknown} UNKNOWN, {ok} OK");
    out
}

/// Findings that follow each other and differ only in what they are of, as one.
fn joined(findings: &[Finding]) -> Vec<(&Finding, String)> {
    let mut lines: Vec<(&Finding, String)> = Vec::new();
    for finding in findings {
        match lines.last_mut() {
            Some((last, of)) if says_the_same(last, finding) => {
                let _ = write!(of, ", {}", finding.of);
            }
            _ => lines.push((finding, finding.of.to_string())),
        }
    }
    lines
}

fn says_the_same(a: &Finding, b: &Finding) -> bool {
    (a.name, &a.verdict, &a.value, &a.advice) == (b.name, &b.verdict, &b.value, &b.advice)
}

fn line(finding: &Finding, of: &str) -> String {
    let word = finding.verdict.word();
    let mut out = format!("  {word:<8} {}", finding.name);
    if !of.is_empty() {
        let _ = write!(out, " {of}");
    }
    let _ = write!(out, ": {}", finding.found());
    if let (Some(advice), true) = (&finding.advice, finding.verdict != Verdict::Ok) {
        let _ = write!(out, "; {advice}");
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_has_verdict_name_what_was_found_and_what_to_do() {
        let right = |of| Finding::ok("access", of, "get, list, watch");
        let section = Section {
            place: "production".into(),
            title: "production: prod-eu, namespace shop".into(),
            findings: vec![
                right("pods"),
                right("services"),
                Finding::bad("access", "events", "may not list", "apply the Role"),
                Finding::unknown("watchdog", "", "no answer", "ask again"),
            ],
        };
        let wanted = "production: prod-eu, namespace shop\n  \
            OK       access pods, services: get, list, watch\n  \
            BAD      access events: may not list; apply the Role\n  \
            UNKNOWN  watchdog: no answer; ask again\n\n\
            1 BAD, 1 UNKNOWN, 2 OK\n";
        assert_eq!(render(&[section]), wanted);
    }
}
