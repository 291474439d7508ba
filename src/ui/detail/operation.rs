//! An operation, entry by entry.

use super::Page;
use crate::app::operations::{self, Hold, Shown};
use crate::estate::Safe;
use crate::ops::machine::WAITS;
use crate::ops::plan::{in_words, is_glass, reviewed};
use crate::ops::{Entry, Kept, Plan, What};
use crate::ui::canvas::Text;
use crate::ui::theme::{Mark, Role, Theme};
use crate::ui::words;

/// Its page.
pub(super) fn page(page: &mut Page<'_>, id: &Safe) -> Text {
    let state = page.state;
    let Some(kept) = state.environment().operations.get(id) else {
        return page.gone("operation", id);
    };
    let operation = &kept.operation;
    page.fact("operation", id.to_string());
    if let Some(plan) = &operation.plan {
        page.fact("what", plan.title());
        if let Some(reason) = &plan.reason {
            page.fact("reason", reason.to_string());
        }
    }
    if let Some(by) = &operation.by {
        page.fact("by", by.to_string());
    }
    if operation.closed.is_none() {
        page.fact("worker", worker(page, kept));
        if let Some(shown) = operations::shown(state.estate(), kept, state.now, state.pace) {
            page.credential(&shown);
        }
    }
    if kept.torn > 0 {
        let said = format!("{} lines of its record cannot be read", kept.torn);
        page.line(Text::default().add(said, Role::Warn));
    }
    page.heading("Entries, the newest first");
    for entry in kept.entries.iter().rev() {
        page.entry(entry);
    }
    let what = operation.plan.as_ref().map_or("?".to_owned(), Plan::title);
    Text::default().add(format!("Operation  {what}"), Role::Focus)
}

fn worker(page: &Page<'_>, kept: &Kept) -> String {
    let state = page.state;
    match operations::hold(state.estate(), kept, state.now) {
        Hold::Alive { holder, beat } => format!("{holder}, beat {} ago", words::age(beat)),
        Hold::Orphaned { beat: Some(beat) } => {
            format!("ORPHANED: last beat {} ago", words::age(beat))
        }
        Hold::Orphaned { beat: None } => "ORPHANED: nobody holds its Leases".to_owned(),
        Hold::Unknown(why) => format!("not known: {why}"),
    }
}

impl Page<'_> {
    /// Until when the worker can show who it is; loud where that is too short.
    fn credential(&mut self, shown: &Shown) {
        let until = format!("until {}", words::soon(shown.until, self.state));
        if !shown.is_short {
            return self.fact("credential", until);
        }
        let said = format!("{} {until}, {}", self.theme.mark(Mark::Look), shown.words());
        let line = Text::default().add(format!("{:<14}", "credential"), Role::Dim);
        self.line(line.add(said, Role::Warn));
    }

    /// `14:02:11  ✓ flip digital-wall-service: version blue → green`
    fn entry(&mut self, entry: &Entry) {
        let (mark, said) = said(entry);
        let at = words::moment(entry.at, self.state);
        let at = at.split(' ').next_back().unwrap_or_default().to_owned();
        let mut parts =
            crate::ui::canvas::wrapped(&said, self.width.saturating_sub(13)).into_iter();
        let role = Theme::role(mark);
        let first = Text::default()
            .add(format!("{at:<9} "), Role::Dim)
            .add(format!("{} ", self.theme.mark(mark)), role)
            .add(parts.next().unwrap_or_default(), role);
        self.line(first);
        for part in parts {
            self.line(Text::plain(" ".repeat(12)).add(part, role));
        }
    }
}

fn said(entry: &Entry) -> (Mark, String) {
    let by = operations::who(&entry.by);
    match &entry.what {
        What::Planned(plan) => (Mark::Dot, format!("planned: {}, by {by}", plan.title())),
        What::Locked { epochs, holder, .. } => {
            (Mark::Dot, format!("locked by {holder}: {}", list(epochs)))
        }
        What::Began { step, attempt: 1 } => (Mark::Running, format!("{step}")),
        What::Began { step, attempt } => (Mark::Running, format!("{step}, try {attempt}")),
        What::Dispatched { run } => (Mark::Dot, format!("dispatched run {run}")),
        What::Noted { fact } => (Mark::Dot, fact.to_string()),
        What::Cutover(plan) => {
            let said = format!("planned over what is there: {}", plan.title());
            (Mark::Dot, said)
        }
        What::Tested { revisions } => (Mark::Dot, format!("tested: {}", in_words(revisions))),
        What::Reviewed { by, revisions } => (Mark::Ok, reviewed(by, revisions)),
        What::Passed { step, evidence } => (Mark::Ok, format!("{step}: {evidence}")),
        What::Failed { step, reason } => (Mark::Bad, format!("{step}: {reason}")),
        What::Unknown { step, reason } => (Mark::Unknown, format!("{step}: {reason}")),
        What::Overridden { gate, reason } if is_glass(gate) => (
            Mark::Bad,
            format!("BREAK-GLASS by {by}, passing {gate}: {reason}"),
        ),
        What::GlassClosed { note } => (
            Mark::Ok,
            format!("broken glass followed up by {by}: {note}"),
        ),
        What::Overridden { gate, reason } => {
            (Mark::Look, format!("{gate} overridden by {by}: {reason}"))
        }
        What::AbortAsked { reason } => (Mark::Look, format!("abort asked by {by}: {reason}")),
        What::Paused { reason } => match reason.strip_prefix(WAITS) {
            Some(why) => (Mark::Look, format!("waits: {why}")),
            None => (Mark::Bad, format!("paused: {reason}")),
        },
        What::Resumed => (Mark::Running, "goes on".to_owned()),
        What::Adopted { epochs, holder, .. } => (
            Mark::Look,
            format!("adopted by {by} ({holder}): {}", list(epochs)),
        ),
        What::Abandoned { reason } => (Mark::Look, format!("abandoned by {by}: {reason}")),
        What::Closed { outcome, reason } => {
            let mark = match outcome {
                crate::ops::Outcome::Done => Mark::Ok,
                _ => Mark::Look,
            };
            (mark, format!("{}: {reason}", outcome.word()))
        }
        What::Newer(_) => (
            Mark::Unknown,
            "something that a newer version wrote".to_owned(),
        ),
    }
}

fn list(epochs: &std::collections::BTreeMap<Safe, u64>) -> String {
    let words = epochs
        .iter()
        .map(|(service, epoch)| format!("{service} epoch {epoch}"));
    words.collect::<Vec<_>>().join(", ")
}
