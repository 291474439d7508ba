//! The text of `doctor`: a line a check, words only. Neighbours that say the same share a line.

use std::fmt::Write as _;

use super::finding::{Finding, Section};
use crate::estate::Verdict;

/// Where the second line of a check begins, and the third.
const INDENT: usize = 11;

/// How it is printed.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Manner {
    /// The width of the terminal; none where lines stay whole.
    pub width: Option<usize>,
    /// Whether what is OK is left out.
    pub is_quiet: bool,
}

/// All of it, with a line at the end that counts.
pub(super) fn render(sections: &[Section], manner: Manner) -> String {
    let mut out = String::new();
    for section in sections {
        let lines = joined(&section.findings);
        let is_told = |finding: &Finding| !manner.is_quiet || !finding.verdict.is_ok();
        let told: Vec<_> = lines
            .iter()
            .filter(|(finding, _)| is_told(finding))
            .collect();
        if told.is_empty() {
            continue;
        }
        let _ = writeln!(out, "{}", section.title);
        for (finding, of) in told {
            let _ = writeln!(out, "{}", wrapped(&line(finding, of), manner.width));
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

/// Broken between words, so that the verdicts stay a column of their own.
fn wrapped(line: &str, width: Option<usize>) -> String {
    let Some(width) = width.filter(|width| *width > 3 * INDENT) else {
        return line.to_owned();
    };
    let (head, text) = line.split_at(INDENT.min(line.len()));
    let mut out = head.to_owned();
    let mut used = INDENT;
    for (place, word) in text.split(' ').enumerate() {
        let length = word.chars().count();
        if used + 1 + length > width && used > INDENT {
            let _ = write!(out, "\n{:INDENT$}", "");
            used = INDENT;
        } else if place > 0 {
            out.push(' ');
            used += 1;
        }
        out.push_str(word);
        used += length;
    }
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
        let sections = [section];
        assert_eq!(render(&sections, Manner::default()), wanted);
        let quiet = Manner {
            is_quiet: true,
            ..Manner::default()
        };
        let quiet = render(&sections, quiet);
        assert!(!quiet.contains("OK       ") && quiet.contains("BAD      "));
    }

    #[test]
    fn on_a_terminal_a_line_is_broken_between_words() {
        let line = "  BAD      access events: may not list in production; apply the Role there";
        let wanted = "  BAD      access events: may not list in\n           production; apply the Role there";
        assert_eq!(wrapped(line, Some(46)), wanted);
        assert_eq!(wrapped(line, None), line);
        let long = format!("  BAD      {}", "x".repeat(80));
        assert_eq!(wrapped(&long, Some(46)), long, "a long word stays whole");
    }
}
