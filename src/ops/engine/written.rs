//! What becomes of entries: written to the record as one write, told to whoever listens, and what others wrote folded in.

use serde_json::json;
use tokio::time::Instant;

use super::cancel::is_to_be_cancelled;
use super::{Ended, Run, Tell};
use crate::estate::{Fault, Record, Safe};
use crate::ops::entry::{Entry, Step, What};
use crate::ops::hook::{self, Event};
use crate::ops::lock::Belief;
use crate::ops::machine::{Next, Operation};
use crate::ops::plan::{Flip, Plan};
use crate::ops::record::{NotWritten, Room};
use crate::ops::{kept, marks, record};

/// What became of entries.
pub(super) enum Written {
    /// They are in the record, or as good as that.
    Done,
    /// Somebody else wrote meanwhile: theirs are folded in, these are not written.
    Not,
    /// The API has refused them for so long that it will not take them; in words.
    Never(Safe),
}

impl Run {
    /// Writes results and what follows from them, as one write, and tells what that is.
    pub(super) async fn commit(&mut self, mut results: Vec<What>) -> Result<Next, Ended> {
        loop {
            self.hear();
            let mut after = self.kept.operation.clone();
            let mut whats = results.clone();
            for what in &results {
                after.take(&self.entry(what.clone()));
            }
            let next = after.next();
            if let (Next::Close(..), Some(run)) = (&next, after.followed())
                && self.joined.is_none()
                && !is_to_be_cancelled(&after, run)
            {
                // Somebody wanted it stopped in the very moment in which it was started: nobody follows it to its end.
                if !results.is_empty() {
                    self.write(std::mem::take(&mut results)).await?;
                }
                results.push(self.stop_run(run).await?);
                continue;
            }
            match &next {
                Next::Begin(step) => match self.boundary() {
                    Ok(()) => whats.push(What::Began {
                        step: step.clone(),
                        attempt: 1,
                    }),
                    Err(asked) if whats.is_empty() => return Err(asked),
                    // What was found out is nothing that whoever goes on should have to find out again.
                    Err(asked) => match self.try_write(whats).await? {
                        Written::Not => continue,
                        Written::Done | Written::Never(_) => return Err(asked),
                    },
                },
                Next::Close(outcome, reason) => whats.push(What::Closed {
                    outcome: *outcome,
                    reason: reason.clone(),
                }),
                Next::Settle(_) | Next::Nothing => {}
            }
            let written = match whats.is_empty() {
                true => Written::Done,
                false => self.try_write(whats).await?,
            };
            match (written, next) {
                (Written::Done, Next::Close(..)) => return Ok(Next::Nothing),
                (Written::Done, next) => return Ok(next),
                (Written::Not, _) => {}
                // Half of the Services is worse than either: they go back, as after any flip that cannot be done.
                (Written::Never(reason), Next::Begin(step)) if is_half_way(&after) => {
                    results.push(What::Failed { step, reason });
                }
                // What became of it is asked all the same, and the next write that goes through carries this along.
                (Written::Never(_), Next::Settle(step)) if is_half_way(&after) => {
                    let entries: Vec<Entry> =
                        results.into_iter().map(|it| self.entry(it)).collect();
                    self.tell(&entries);
                    self.kept.take(entries);
                    return Ok(Next::Settle(step));
                }
                (Written::Never(why), _) => return Err(Ended::Interrupted(why)),
            }
        }
    }

    /// Writes entries as they are, whatever others write meanwhile.
    pub(super) async fn write(&mut self, whats: Vec<What>) -> Result<(), Ended> {
        loop {
            match self.try_write(whats.clone()).await? {
                Written::Done => return Ok(()),
                Written::Not => {}
                Written::Never(why) => return Err(Ended::Interrupted(why)),
            }
        }
    }

    /// Writes entries, unless somebody else wrote meanwhile.
    pub(super) async fn try_write(&mut self, whats: Vec<What>) -> Result<Written, Ended> {
        let entries: Vec<Entry> = whats.into_iter().map(|what| self.entry(what)).collect();
        for entry in &entries {
            self.note("entry", json!(entry));
        }
        if let Some(number) = self.joined {
            self.tell_host(number, entries.clone()).await?;
            self.tell(&entries);
            return Ok(Written::Done);
        }
        let is_optional = entries.iter().all(|it| it.what.is_optional());
        let room = if is_optional { Room::Spare } else { Room::All };
        let is_last = (entries.iter()).any(|it| matches!(it.what, What::Closed { .. }));
        let mut after = self.kept.operation.clone();
        entries.iter().for_each(|it| after.take(it));
        // A way back is as exempt as a rollback is from what the API will not take (rule 9). Its end is not.
        let is_way_back = after.is_going_back() && !is_last;
        if is_last {
            self.unwritten = None;
        }
        let mut is_told = false;
        loop {
            self.believe()?;
            let hurried = (self.is_rollback() && !is_last).then(|| self.bastion.hurried());
            let bastion = hurried.as_ref().unwrap_or(&self.bastion);
            let written = record::append(bastion, &mut self.kept, entries.clone(), room).await;
            let not = match written {
                Ok(()) => {
                    self.unwritten = None;
                    self.tell(&entries);
                    return Ok(Written::Done);
                }
                Err(NotWritten::Conflict) => match self.catch_up(&entries).await? {
                    Ok(written) => {
                        self.unwritten = None;
                        if let Written::Done = written {
                            self.tell(&entries);
                        }
                        return Ok(written);
                    }
                    Err(fault) => NotWritten::Fault(fault),
                },
                Err(not) => not,
            };
            let lasts = (self.unwritten.get_or_insert_with(Instant::now)).elapsed();
            let timing = &self.bastion.timing;
            // What the API will not take it does not take later either; a fault may pass, and is waited for so long.
            let is_fault = matches!(not, NotWritten::Fault(_));
            let is_final = |limit| !is_fault || lasts >= limit;
            // An API that renews the Leases all the while is not away: it will not have this record written.
            let patience = match self.lock.belief() {
                Belief::Held => timing.patience.min(2 * timing.give_up),
                Belief::Lost(_) | Belief::Fenced(_) => timing.patience,
            };
            let is_exempt = match self.is_rollback() {
                true => !is_last || is_final(patience),
                false => {
                    let is_out = match not {
                        NotWritten::Gone => true,
                        // There is room for the way back, and for nothing else.
                        NotWritten::Full => is_optional,
                        _ => false,
                    };
                    is_way_back && !is_out && is_final(timing.give_up)
                }
            };
            let is_dispensable = is_optional && is_final(timing.give_up / 2);
            let (why, is_worth_a_word) = match not {
                _ if is_exempt => {
                    // Exempt (rule 9): the next write that goes through carries these along.
                    self.tell(&entries);
                    self.kept.take(entries);
                    return Ok(Written::Done);
                }
                NotWritten::Gone => {
                    return Err(Ended::Interrupted(
                        "its record was deleted: nothing more is done without one".into(),
                    ));
                }
                _ if is_dispensable => {
                    tracing::warn!(id = %self.kept.id, "the record takes no note and no pause");
                    self.unwritten = None;
                    self.tell(&entries);
                    // Known here, so that it is not said again at every tick.
                    entries.iter().for_each(|it| self.kept.operation.take(it));
                    return Ok(Written::Done);
                }
                NotWritten::Full | NotWritten::Conflict => {
                    return Err(Ended::Interrupted(
                        "its record has no room left: nothing more is done without one".into(),
                    ));
                }
                NotWritten::Refused(fault) => (self.refused(&fault), true),
                NotWritten::Fault(fault) => {
                    let why = format!("its record cannot be written: {}", fault.what);
                    (why.into(), lasts >= 3 * timing.pause)
                }
            };
            if is_worth_a_word && !std::mem::replace(&mut is_told, true) {
                let reason = format!("{why}; nothing more is done until it is").into();
                let paused = self.entry(What::Paused { reason });
                self.note("unwritten", json!(paused));
                self.tell(&[paused]);
            }
            if !self.is_rollback() && lasts >= self.bastion.timing.give_up {
                let said = format!("{why}; whoever may adopts or abandons it, or roll back");
                return Ok(Written::Never(said.into()));
            }
            let next = Instant::now() + self.bastion.timing.pause;
            while Instant::now() < next {
                self.wait(Some(next)).await?;
            }
            // An abort needs no write of ours; and what was seen may be ours, of which no answer came.
            let known = (self.kept.version.clone(), self.kept.entries.len());
            self.hear();
            if self.kept.version != known.0 {
                if !are_behind(&self.kept.entries, known.1, &entries) {
                    return Ok(Written::Not);
                }
                self.unwritten = None;
                self.tell(&entries);
                return Ok(Written::Done);
            }
        }
    }

    /// Which write of the record is refused to whom, and why.
    fn refused(&self, fault: &Fault) -> Safe {
        let name = marks::record_name(self.id());
        let (who, why) = (self.bastion.person.words(), &fault.what);
        let what = format!("update configmaps {name} is refused to {who}: {why}");
        format!("its record cannot be written: {what}").into()
    }

    pub(super) fn tell(&mut self, entries: &[Entry]) {
        if let Some(Tell(tell)) = &self.tell {
            entries.iter().for_each(tell);
        }
        if self.bastion.hooks.is_empty() || self.joined.is_some() {
            return;
        }
        // Not before the first patch of a rollback: nothing is in its way.
        if !std::mem::replace(&mut self.has_begun, true) && !self.kept.is_resumed() {
            let title = self.plan().map_or_else(String::new, Plan::title);
            self.call(Event::Start, title.into());
        }
        for (event, words) in entries.iter().filter_map(|entry| Event::of(&entry.what)) {
            self.call(event, words);
        }
    }

    /// Tells whoever is to be told. Nothing waits for them before the end.
    fn call(&mut self, event: Event, words: Safe) {
        let told = hook::told(&self.bastion, &self.kept, words);
        self.hooks.tell(&self.bastion.hooks, event, &told);
    }

    /// Reads what others wrote. Our entries may turn out to be there; the error is that it could not be read.
    async fn catch_up(&mut self, ours: &[Entry]) -> Result<Result<Written, Fault>, Ended> {
        Ok(match record::read(&self.bastion, &self.kept.id).await {
            Ok(Some(read)) => {
                let is_there = are_behind(&read.entries, self.kept.entries.len(), ours);
                self.kept.become_read(read);
                Ok(match is_there {
                    true => Written::Done,
                    false => Written::Not,
                })
            }
            Ok(None) => {
                return Err(Ended::Interrupted(
                    "its record was deleted: nothing more is done without one".into(),
                ));
            }
            Err(fault) => Err(fault),
        })
    }

    /// Folds in what the watch saw others write to the record.
    pub(super) fn hear(&mut self) {
        let name = marks::record_name(&self.kept.id);
        let record = self.eyes.estate.records.value.get(name.as_str());
        let is_news = |it: &&Record| it.resource_version != self.kept.version.1;
        let Some(record) = record.filter(is_news).cloned() else {
            return;
        };
        if self.joined.is_some() {
            return self.hear_host(&record);
        }
        if let Ok(read) = kept::read(&record)
            && read.entries.len() > self.kept.entries.len()
            && read.entries.starts_with(&self.kept.entries)
        {
            self.kept.become_read(read);
        }
    }

    /// An abort of the operation that was joined.
    fn hear_host(&mut self, record: &Record) {
        let abort = kept::read(record)
            .ok()
            .and_then(|read| read.operation.abort);
        if self.kept.operation.abort.is_none() {
            self.kept.operation.abort = abort;
        }
    }
}

/// Whether `ours` are what follows the first `known` of `all`: others may have written behind them.
fn are_behind(all: &[Entry], known: usize, ours: &[Entry]) -> bool {
    all.get(known..).is_some_and(|new| new.starts_with(ours))
}

/// Whether one Service is flipped, and another one is not yet.
pub(super) fn is_half_way(operation: &Operation) -> bool {
    let plan = operation.plan.as_ref().filter(|it| it.kind.cuts_over());
    let is_flipped = |it: &Flip| operation.has_passed(&Step::Flip(it.service.clone()));
    plan.is_some_and(|it| it.flips.iter().any(is_flipped) && !it.flips.iter().all(is_flipped))
}
