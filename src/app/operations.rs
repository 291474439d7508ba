//! The operations of an environment, read from their records once when these change: which is under way,
//! whether anybody carries it out, and which was the last.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};

use super::approvals;
use crate::estate::timeline::{Happening, Source, Weight};
use crate::estate::{Check, Currency, Estate, Kind, Labels, Lease, Now, Safe, Verdict};
use crate::ops::approval::is_approval;
use crate::ops::machine::WAITS;
use crate::ops::marks::Flipped;
use crate::ops::plan::is_glass;
use crate::ops::{Entry, Kept, Outcome, Step, StepState, What, kept, marks};

/// An operation that ended stays on the screen for so long.
const FRESH: SignedDuration = SignedDuration::from_mins(5);
/// A record is written before its Lease is seen, and closed before that is released.
const GRACE_S: i64 = 10;

/// The operations about this environment, by their records' names.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Operations {
    read: BTreeMap<Safe, (Safe, Result<Kept, Safe>)>,
}

/// How long an operation's steps take, by this cockpit's configuration.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Pace {
    /// Seconds that traffic may take to move.
    pub moved_s: u64,
    /// Seconds after which a worker says anew how long it watched.
    pub renew_s: u64,
}

/// Whether anybody carries an operation out.
#[derive(Clone, Debug, PartialEq)]
pub enum Hold {
    /// Its worker renews the Lease; the last time so many seconds ago.
    Alive {
        /// The worker.
        holder: Safe,
        /// Seconds.
        beat: i64,
    },
    /// Nobody does.
    Orphaned {
        /// Seconds since the last sign of life, where there was one.
        beat: Option<i64>,
    },
    /// Not known, and why.
    Unknown(Safe),
}

impl Operations {
    /// The operations about the environment of `estate`.
    pub fn of(estate: &Estate) -> Self {
        let mut all = Self::default();
        all.take(estate);
        all
    }

    /// Reads the records that changed.
    pub fn take(&mut self, estate: &Estate) {
        let mut before = std::mem::take(&mut self.read);
        for record in estate.records.value.iter() {
            let is_here = kept::namespace(record) == Some(&estate.scope.namespace);
            if !is_here || is_approval(record) {
                continue;
            }
            let known = before
                .remove(&record.name)
                .filter(|(version, _)| *version == record.resource_version);
            let read = known.map_or_else(|| kept::read(record), |(_, read)| read);
            if read.as_ref().is_ok_and(|kept| !touches(estate, kept)) {
                continue;
            }
            let version = record.resource_version.clone();
            self.read.insert(record.name.clone(), (version, read));
        }
    }

    /// All that can be read, the newest first.
    pub fn all(&self) -> impl Iterator<Item = &Kept> {
        let read = self.read.values().rev();
        read.filter_map(|(_, read)| read.as_ref().ok())
    }

    /// Why others cannot be read.
    pub fn unreadable(&self) -> impl Iterator<Item = &Safe> {
        let read = self.read.values();
        read.filter_map(|(_, read)| read.as_ref().err())
    }

    /// The one of that id.
    pub fn get(&self, id: &str) -> Option<&Kept> {
        let (_, read) = self.read.get(marks::record_name(id).as_str())?;
        read.as_ref().ok()
    }

    /// The newest that is not over.
    pub fn open(&self) -> Option<&Kept> {
        self.all().find(|kept| kept.operation.closed.is_none())
    }

    /// Those whose glass is broken and not followed up, the newest first.
    pub fn open_glass(&self) -> Vec<&Kept> {
        let is_open = |kept: &&Kept| kept.operation.open_glass().is_some();
        self.all().filter(is_open).collect()
    }

    /// The newest that is over.
    pub fn last(&self) -> Option<&Kept> {
        self.all().find(|kept| kept.operation.closed.is_some())
    }

    /// What they did that changed something or needs a person, with who did it; and flips whose records are gone,
    /// by the marks on the Services.
    pub fn happenings(&self, estate: &Estate) -> Vec<Happening> {
        let mut all: Vec<Happening> = self.all().flat_map(told).collect();
        for flip in estate.services.value.iter().filter_map(marks::flipped) {
            if self.get(&flip.operation).is_none() {
                all.push(marked(&flip));
            }
        }
        all.extend(policed(estate));
        all.extend(approvals::told(estate));
        all.dedup();
        all
    }

    /// What is on the screen: the one that is not over, else the last one for a while.
    pub fn shown(&self, at: Timestamp) -> Option<&Kept> {
        let is_fresh = |kept: &&Kept| {
            let ended = kept.operation.last;
            ended.is_some_and(|ended| at.duration_since(ended) < FRESH)
        };
        self.open().or_else(|| self.last().filter(is_fresh))
    }
}

/// Until when a worker can show who it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shown {
    /// Until then.
    pub until: Timestamp,
    /// Whether that is over, or is before what it watches is.
    pub is_short: bool,
    /// Whether it is over.
    pub is_over: bool,
}

impl Shown {
    /// What follows where it is too short.
    pub fn words(self) -> &'static str {
        match self.is_over {
            true => "which is over: nobody guards it",
            false => "before the soak ends: nobody guards it",
        }
    }
}

/// Until when the worker that carries `kept` out can show who it is; none where that has no end, nobody said, or nobody
/// carries it out (SAFETY, model 2).
pub fn shown(estate: &Estate, kept: &Kept, now: Now, pace: Pace) -> Option<Shown> {
    let until = kept.operation.credential?;
    if matches!(hold(estate, kept, now), Hold::Orphaned { .. }) {
        return None;
    }
    let at = estate.server_time(now);
    let is_watched = kept.operation.steps().contains(&Step::Watch);
    let soak = match (&kept.operation.plan, is_watched) {
        (Some(plan), true) if !kept.operation.has_passed(&Step::Watch) => plan.soak.watch_s,
        _ => 0,
    };
    let left = soak.saturating_sub(watched(estate, kept, now, pace));
    let left = SignedDuration::from_secs(i64::try_from(left).unwrap_or(i64::MAX));
    Some(Shown {
        until,
        is_short: until.duration_since(at) <= left,
        is_over: until <= at,
    })
}

/// Whether the operation is about Services of this environment's switch or, without one, about its Deployments.
fn touches(estate: &Estate, kept: &Kept) -> bool {
    let is_ours = |lock: &Safe| match (&estate.scope.traffic, marks::locked_deployment(lock)) {
        (Some(switch), None) => switch.services.contains(lock),
        (None, Some(name)) => {
            let deployment = estate.deployments.value.get(name);
            deployment.is_none_or(|d| estate.deployment_group(d).workload.is_some())
        }
        (Some(_), Some(_)) | (None, None) => false,
    };
    let plan = kept.operation.plan.as_ref();
    plan.is_some_and(|plan| plan.locks().iter().any(is_ours))
}

/// Whether anybody carries `kept` out, by the Leases of its Services.
pub fn hold(estate: &Estate, kept: &Kept, now: Now) -> Hold {
    let unseen = [Kind::Leases, Kind::Records]
        .into_iter()
        .find(|kind| estate.currency(*kind, now.at) != Currency::Live);
    if let Some(kind) = unseen {
        let why = estate.fault(kind).map(|fault| fault.what.clone());
        return Hold::Unknown(
            why.unwrap_or_else(|| format!("{} are not seen", kind.plural()).into()),
        );
    }
    let at = estate.server_time(now);
    let beat = |lease: &Lease| {
        marks::beat(lease).map(|renewed| at.duration_since(renewed).as_secs().max(0))
    };
    let mine: Vec<&Lease> = leases(estate, kept);
    let alive = mine.iter().find(|lease| marks::is_alive(lease, at));
    if let Some((holder, beat)) = alive.and_then(|l| Some((l.holder.clone()?, beat(l)?))) {
        return Hold::Alive { holder, beat };
    }
    let written = kept.worked();
    match written.is_some_and(|last| at.duration_since(last).as_secs().abs() < GRACE_S) {
        true => Hold::Unknown("its Lease is not seen yet".into()),
        false => Hold::Orphaned {
            beat: mine.into_iter().find_map(beat),
        },
    }
}

/// The operation that is not over, where it goes on by nobody but a person: paused, or carried out by nobody.
pub fn stuck(estate: &Estate, operations: &Operations, now: Now) -> Option<Check> {
    let kept = operations.open()?;
    let operation = &kept.operation;
    let why: Safe = match (&operation.paused, hold(estate, kept, now)) {
        // What goes on by itself when an approval comes needs nobody here.
        (Some(why), _) if operation.awaits().is_none() => {
            format!("PAUSED, a person is needed: {why}").into()
        }
        (_, Hold::Orphaned { .. }) => "ORPHANED, a person is needed: nobody carries it out".into(),
        _ => return None,
    };
    Some(Check {
        name: "operation",
        of: kept.id.clone(),
        verdict: Verdict::Bad(why),
    })
}

/// The Leases that name the operation and that somebody holds.
fn leases<'a>(estate: &'a Estate, kept: &Kept) -> Vec<&'a Lease> {
    let locks = kept.operation.plan.iter().flat_map(|plan| plan.locks());
    let of = |lock: Safe| estate.leases.value.get(marks::lease_name(&lock).as_str());
    let is_its = |lease: &&Lease| {
        let is_held = lease.holder.as_ref().is_some_and(|h| !h.is_empty());
        is_held && marks::operation(&lease.marks).as_ref() == Some(&kept.id)
    };
    locks.filter_map(of).filter(is_its).collect()
}

/// Seconds that its watch has lasted: what its worker counted, and what went by since it said so, as far as it may be
/// about to say that too; its Leases are renewed one after the other. A worker that is gone counts nothing (I-25).
pub fn watched(estate: &Estate, kept: &Kept, now: Now, pace: Pace) -> u64 {
    let at = estate.server_time(now);
    let seconds = |since| u64::try_from(at.duration_since(since).as_secs().max(0)).unwrap_or(0);
    let step = match kept.operation.state(&Step::Watch) {
        StepState::Running { since, .. } => seconds(since).min(pace.renew_s),
        _ => 0,
    };
    let of = |lease: &Lease| match mark(lease)? {
        // Until it said that any counts none may.
        0 => Some(0),
        said => Some(said + marks::beat(lease).map_or(step, seconds).min(step)),
    };
    let held = leases(estate, kept).into_iter();
    held.filter_map(of).min().unwrap_or(0)
}

/// Seconds that it was watched, as its worker last said beside its Leases.
pub fn counted(estate: &Estate, kept: &Kept) -> u64 {
    let held = leases(estate, kept).into_iter();
    held.filter_map(mark).min().unwrap_or(0)
}

fn mark(lease: &Lease) -> Option<u64> {
    lease.marks.get(marks::WATCHED)?.parse().ok()
}

/// What of an operation is worth a line in the list of what changed.
fn told(kept: &Kept) -> Vec<Happening> {
    let Some(plan) = &kept.operation.plan else {
        return Vec::new();
    };
    let (kind, by) = (plan.kind.word(), kept.operation.by.as_ref());
    let by = by.map_or("somebody", |by| who(by));
    let happening = |entry: &Entry| {
        let (weight, what, note) = match &entry.what {
            What::Passed {
                step: step @ (Step::Flip(service) | Step::Undo(service)),
                ..
            } => {
                let flip = plan.flip(service)?;
                let value =
                    |labels: &Labels| labels.get(&plan.key).map_or("unset".into(), Safe::clone);
                let (from, to) = match step {
                    Step::Undo(_) => (value(&flip.to), value(&flip.from)),
                    _ => (value(&flip.from), value(&flip.to)),
                };
                let note = match step {
                    Step::Undo(_) => format!("{}, {kind} by {by}", Outcome::RolledBack.word()),
                    _ => format!("by {by}"),
                };
                let what = format!("{service} {from} → {to}");
                (Weight::Traffic, what, note)
            }
            What::Passed {
                step: Step::Update(name),
                ..
            } => {
                let change = plan
                    .update(name)?
                    .containers
                    .iter()
                    .find(|c| c.from != c.to)?;
                let image = crate::estate::Image::named(change.to.clone());
                let what = format!("{name} gets {}", image.short_tag());
                (Weight::Change, what, format!("by {by}"))
            }
            What::Planned(plan) => (Weight::Change, plan.title(), format!("by {by}")),
            What::Overridden { gate, reason } if is_glass(gate) => (
                Weight::Bad,
                format!("BREAK-GLASS for the {kind}: {reason}"),
                format!("by {}", who(&entry.by)),
            ),
            What::GlassClosed { note } => (
                Weight::Good,
                format!("broken glass followed up: {note}"),
                format!("by {}", who(&entry.by)),
            ),
            What::AbortAsked { reason } => (
                Weight::Look,
                format!("abort of the {kind}: {reason}"),
                format!("by {}", who(&entry.by)),
            ),
            What::Paused { reason } if reason.starts_with(WAITS) => {
                let why = reason.trim_start_matches(WAITS).to_owned();
                (Weight::Look, why, format!("{kind} waits"))
            }
            What::Paused { reason } => (Weight::Bad, reason.to_string(), format!("{kind} paused")),
            What::Adopted { .. } => (
                Weight::Look,
                format!("{kind} adopted"),
                format!("by {}", who(&entry.by)),
            ),
            What::Closed {
                outcome: Outcome::Done,
                ..
            } => (Weight::Good, format!("{kind} done"), format!("by {by}")),
            What::Closed { outcome, reason } => (
                Weight::Look,
                format!("{kind} {}: {reason}", outcome.word()),
                format!("by {by}"),
            ),
            What::Abandoned { reason } => (
                Weight::Look,
                format!("{kind} abandoned: {reason}"),
                format!("by {}", who(&entry.by)),
            ),
            _ => return None,
        };
        Some(Happening {
            at: entry.at,
            weight,
            what: Safe::new(&what),
            note: Some(Safe::new(&note)),
            after: None,
            source: Source::Operation(kept.id.clone()),
        })
    };
    kept.entries.iter().filter_map(happening).collect()
}

/// Who froze or thawed last, and why.
fn policed(estate: &Estate) -> Option<Happening> {
    let last = estate.terms()?.ok()?.last?;
    let (weight, word) = match last.what.as_str() {
        "freeze" => (Weight::Look, "frozen"),
        "thaw" => (Weight::Good, "thawed"),
        _ => return None,
    };
    Some(Happening {
        at: last.at,
        weight,
        what: Safe::new(&format!("{word}: {}", last.why)),
        note: Some(Safe::new(&format!("by {}", last.who))),
        after: None,
        source: Source::Policy,
    })
}

/// A flip whose record is gone.
fn marked(flip: &Flipped) -> Happening {
    let from = flip.from.as_ref().map_or("unset", |from| from.as_str());
    let word = match flip.is_compensation() {
        true => format!("{}, operation", flip.word()),
        false => flip.word().to_owned(),
    };
    Happening {
        at: flip.at,
        weight: Weight::Traffic,
        what: Safe::new(&format!("{from} → {}", flip.to)),
        note: Some(Safe::new(&format!("{word} by {}", who(&flip.by)))),
        after: None,
        source: Source::Operation(flip.operation.clone()),
    }
}

/// Somebody as people know them: the API's user, without seat and host.
pub fn who(by: &str) -> &str {
    by.split(" (").next().unwrap_or(by)
}
