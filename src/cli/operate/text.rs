//! Plans, entries and operations as lines of text.

use std::fmt::Write as _;

use crate::cli::output::shown;
use crate::estate::{Labels, Safe};
use crate::ops::machine::pause_in_words;
use crate::ops::patch;
use crate::ops::plan::{Update, in_words, reviewed};
use crate::ops::{Entry, Finding, Kept, Next, OperationKind, Plan, What};

/// A plan.
pub(in crate::cli) fn plan(plan: &Plan) -> String {
    let mut out = format!("{}   plan {}\n\n", plan.title(), plan.hash);
    for flip in &plan.flips {
        let rest = words(&flip.from, &plan.key);
        let of = |labels: &Labels| {
            labels
                .get(&plan.key)
                .map_or_else(|| "unset".into(), ToString::to_string)
        };
        let _ = writeln!(
            out,
            "  {}  {rest}  {}  {} → {}",
            flip.service,
            plan.key,
            of(&flip.from),
            of(&flip.to)
        );
    }
    for update in &plan.updates {
        let _ = writeln!(out, "  {}  {}", update.deployment, changed(update));
    }
    if plan.is_only_verified() {
        let what = match plan.kind {
            OperationKind::Deploy | OperationKind::Smoke => "nothing",
            _ => "no selector",
        };
        let _ = writeln!(out, "  {what} is changed: it is verified only");
    }
    for change in &plan.images {
        let words = |images: &[Safe]| match images.is_empty() {
            true => "nothing".to_owned(),
            false => images
                .iter()
                .map(ToString::to_string)
                .collect::<Vec<_>>()
                .join(", "),
        };
        let _ = writeln!(
            out,
            "  {}  {} → {}",
            change.workload,
            words(&change.from),
            words(&change.to)
        );
    }
    out.push('\n');
    for gate in &plan.gates {
        let mark = match gate.finding {
            Finding::Ok => "OK     ",
            Finding::Noted => "NOTE   ",
            Finding::Bad => "BAD    ",
            Finding::Unknown => "UNKNOWN",
        };
        let _ = writeln!(out, "  {mark}  {:<12} {}", gate.id(), gate.said);
    }
    for (gate, reason) in &plan.overridden {
        let _ = writeln!(out, "  {gate} is overridden: {reason}");
    }
    out.push('\n');
    for other in &plan.others {
        let _ = writeln!(out, "  who:   {other}");
    }
    let steps: Vec<String> = plan.steps().iter().map(ToString::to_string).collect();
    let _ = writeln!(out, "  steps: {}", steps.join(" · "));
    let _ = writeln!(out, "  back:  {}", plan.back);
    shown(out)
}

/// The requests of a plan.
pub(in crate::cli) fn requests(plan: &Plan) -> String {
    let requests = patch::requests(plan);
    let mut out = match requests.is_empty() {
        true => String::new(),
        false => "  requests, with <what is known when it starts>:\n".to_owned(),
    };
    for sent in requests {
        for line in sent.lines() {
            let _ = writeln!(out, "    {line}");
        }
    }
    out
}

/// `frontend REPOSITORY:v1 → REPOSITORY:v2, replicas 0 → 3`
fn changed(update: &Update) -> String {
    let containers = update.containers.iter().filter(|c| c.from != c.to);
    let mut words: Vec<String> = containers
        .map(|c| format!("{} {} → {}", c.name, c.from, c.to))
        .collect();
    if update.replicas != update.to_replicas {
        words.push(format!(
            "replicas {} → {}",
            update.replicas, update.to_replicas
        ));
    }
    words.join(", ")
}

/// The selector, but for the key that names the colour.
fn words(labels: &Labels, key: &str) -> String {
    let rest = labels.iter().filter(|(k, _)| k.as_str() != key);
    rest.map(|(k, v)| format!("{k}={v}"))
        .collect::<Vec<_>>()
        .join(" ")
}

/// One entry in a line.
pub(in crate::cli) fn entry(entry: &Entry) -> String {
    let at = entry.at.strftime("%H:%M:%SZ");
    let words = match &entry.what {
        What::Planned(plan) => {
            let why = (plan.reason.as_ref()).map_or_else(String::new, |why| format!(": {why}"));
            format!("{}, by {}{why}", plan.title(), entry.by)
        }
        What::Locked {
            epochs, credential, ..
        } => format!("locked: {}{}", list(epochs), until(*credential)),
        What::Began { step, attempt: 1 } => format!("{step} …"),
        What::Began { step, attempt } => format!("{step} … (try {attempt})"),
        What::Dispatched { run } => format!("dispatched run {run}"),
        What::Noted { fact } => format!("note: {fact}"),
        What::Cutover(plan) => format!("{}, as planned over what is there", plan.title()),
        What::Tested { revisions } => format!("tested: {}", in_words(revisions)),
        What::Reviewed { by, revisions } => reviewed(by, revisions),
        What::Passed { step, evidence } => format!("{step} done: {evidence}"),
        What::Failed { step, reason } => format!("{step} FAILED: {reason}"),
        What::Unknown { step, reason } => format!("{step} UNKNOWN: {reason}"),
        What::Overridden { gate, reason } => format!("{gate} overridden by {}: {reason}", entry.by),
        What::GlassClosed { note } => format!("broken glass followed up by {}: {note}", entry.by),
        What::AbortAsked { reason } => format!("abort asked by {}: {reason}", entry.by),
        What::Paused { reason } => pause_in_words(reason),
        What::Resumed => "goes on".to_owned(),
        What::Adopted {
            epochs,
            holder,
            credential,
        } => {
            let (epochs, until) = (list(epochs), until(*credential));
            format!("taken over by {} ({holder}): {epochs}{until}", entry.by)
        }
        What::Abandoned { reason } => format!("abandoned by {}: {reason}", entry.by),
        What::Closed { outcome, reason } => format!("{}: {reason}", outcome.word()),
        What::Newer(_) => "something that a newer version wrote".to_owned(),
    };
    shown(format!("{at}  {words}\n"))
}

/// How long whoever holds the Leases can show who they are, where that ends.
fn until(credential: Option<jiff::Timestamp>) -> String {
    credential.map_or_else(String::new, |at| format!(", credential until {at:.0}"))
}

fn list(epochs: &std::collections::BTreeMap<Safe, u64>) -> String {
    let words = epochs
        .iter()
        .map(|(service, epoch)| format!("{service} epoch {epoch}"));
    words.collect::<Vec<_>>().join(", ")
}

/// Whether anybody carries an operation out, as far as the Leases tell.
pub(in crate::cli) enum Carried {
    /// Somebody does, or it is over.
    Out,
    /// Nobody does.
    Orphaned,
    /// Not known, and why.
    Unknown(Safe),
}

/// An operation in a line: id, since when, what, state.
pub(in crate::cli) fn operation(kept: &Kept, carried: &Carried) -> String {
    let operation = &kept.operation;
    let title = operation
        .plan
        .as_ref()
        .map_or_else(|| "?".to_owned(), Plan::title);
    let by = operation.by.as_ref().map_or("?", |by| by.as_str());
    let since = operation
        .since
        .map_or_else(|| "?".to_owned(), |at| format!("{at:.0}"));
    let state = state(kept, carried);
    shown(format!("{}  {since}  {title}  by {by}  {state}\n", kept.id))
}

/// How far it is, and what to do where nobody carries it out (P02).
pub(in crate::cli) fn state(kept: &Kept, carried: &Carried) -> String {
    let operation = &kept.operation;
    if let Some((outcome, why)) = &operation.closed {
        return format!("{}: {why}", outcome.word());
    }
    let place = match (&operation.paused, operation.next()) {
        (Some(why), _) => pause_in_words(why),
        (None, Next::Begin(step) | Next::Settle(step)) => format!("at {step}"),
        (None, Next::Close(..) | Next::Nothing) => "about to end".to_owned(),
    };
    match carried {
        Carried::Out => place,
        Carried::Unknown(why) => {
            format!("{place}; whether anybody carries it out is UNKNOWN: {why}")
        }
        Carried::Orphaned => format!(
            "ORPHANED {place}: nobody carries it out; `wheelhouse op adopt {0} --write` goes on, `wheelhouse op abandon {0} --write \
             --reason …` ends it as it stands, a rollback brings traffic back",
            kept.id
        ),
    }
}
