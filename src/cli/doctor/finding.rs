//! One check of `doctor`: what was looked at, what was found, and what to do about it.

use crate::estate::{Fault, FaultKind, Safe, Verdict};

/// A check and what it found.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Finding {
    /// A stable name, such as `access`.
    pub name: &'static str,
    /// What was checked, such as `pods`; empty where the name says it all.
    pub of: Safe,
    /// The verdict; its reason is what was found where that is not OK.
    pub verdict: Verdict,
    /// What was found, where it is OK.
    pub value: Safe,
    /// What to do, where it is not.
    pub advice: Option<Safe>,
}

/// Findings about one thing: this machine, the repository, an environment.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Section {
    /// A stable name: `machine`, `github`, or the environment's.
    pub place: Safe,
    /// What it is, in words.
    pub title: Safe,
    pub findings: Vec<Finding>,
}

impl Finding {
    /// As it should be.
    pub fn ok(name: &'static str, of: &str, value: &str) -> Self {
        Self::of(name, of, Verdict::Ok, value, None)
    }

    /// Wrong.
    pub fn bad(name: &'static str, of: &str, why: &str, advice: &str) -> Self {
        Self::of(name, of, Verdict::Bad(Safe::new(why)), "", Some(advice))
    }

    /// Not known.
    pub fn unknown(name: &'static str, of: &str, why: &str, advice: &str) -> Self {
        Self::of(name, of, Verdict::Unknown(Safe::new(why)), "", Some(advice))
    }

    /// What a question ended with. Who cannot be reached may be well: that is UNKNOWN; a refusal is BAD.
    pub fn fault(name: &'static str, of: &str, fault: &Fault, advice: &str) -> Self {
        match fault.kind {
            FaultKind::Unreachable
            | FaultKind::Slow
            | FaultKind::Busy
            | FaultKind::Server
            | FaultKind::Stopped => Self::unknown(name, of, &fault.what, advice),
            FaultKind::Tls
            | FaultKind::LoginNeeded
            | FaultKind::Forbidden
            | FaultKind::Missing
            | FaultKind::Expired
            | FaultKind::Malformed
            | FaultKind::Config => Self::bad(name, of, &fault.what, advice),
        }
    }

    /// What could not be asked, because something else is wrong.
    pub fn unasked(name: &'static str, because: &str) -> Self {
        let why = format!("not asked: {because}");
        Self::unknown(name, "", &why, "see above")
    }

    fn of(
        name: &'static str,
        of: &str,
        verdict: Verdict,
        value: &str,
        advice: Option<&str>,
    ) -> Self {
        Self {
            name,
            of: Safe::new(of),
            verdict,
            value: Safe::new(value),
            advice: advice.map(Safe::new),
        }
    }

    /// What was found, whatever the verdict.
    pub fn found(&self) -> &Safe {
        self.verdict.why().unwrap_or(&self.value)
    }
}

/// The gravest of all.
pub(super) fn gravest(sections: &[Section]) -> Verdict {
    let findings = sections.iter().flat_map(|section| &section.findings);
    findings
        .map(|finding| finding.verdict.clone())
        .fold(Verdict::Ok, Verdict::and)
}
