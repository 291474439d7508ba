//! What becomes of entries: written to the record as one write, told to whoever listens, and what others wrote folded in.

use serde_json::json;

use super::{Ended, Run, Tell};
use crate::estate::{Record, Safe};
use crate::ops::entry::{Entry, What};
use crate::ops::hook::{self, Event};
use crate::ops::machine::Next;
use crate::ops::plan::Plan;
use crate::ops::record::{NotWritten, Room};
use crate::ops::{kept, marks, record};

impl Run {
    /// Writes results and what follows from them, as one write, and tells what that is.
    pub(super) async fn commit(&mut self, results: Vec<What>) -> Result<Next, Ended> {
        loop {
            self.hear();
            let mut after = self.kept.operation.clone();
            let mut whats = results.clone();
            for what in &results {
                after.take(&self.entry(what.clone()));
            }
            let next = after.next();
            match &next {
                Next::Begin(step) => {
                    self.boundary()?;
                    whats.push(What::Began {
                        step: step.clone(),
                        attempt: 1,
                    });
                }
                Next::Close(outcome, reason) => whats.push(What::Closed {
                    outcome: *outcome,
                    reason: reason.clone(),
                }),
                Next::Settle(_) | Next::Nothing => {}
            }
            if whats.is_empty() || self.try_write(whats).await? {
                return Ok(match next {
                    Next::Close(..) => Next::Nothing,
                    next => next,
                });
            }
        }
    }

    /// Writes entries as they are, whatever others write meanwhile.
    pub(super) async fn write(&mut self, whats: Vec<What>) -> Result<(), Ended> {
        while !self.try_write(whats.clone()).await? {}
        Ok(())
    }

    /// Writes entries unless somebody else wrote meanwhile: then theirs are folded in, and false is the answer.
    async fn try_write(&mut self, whats: Vec<What>) -> Result<bool, Ended> {
        let entries: Vec<Entry> = whats.into_iter().map(|what| self.entry(what)).collect();
        for entry in &entries {
            self.note("entry", json!(entry));
        }
        if let Some(number) = self.joined {
            self.tell_host(number, entries.clone()).await?;
            self.tell(&entries);
            return Ok(true);
        }
        let is_optional = entries.iter().all(|it| it.what.is_optional());
        let room = if is_optional { Room::Spare } else { Room::All };
        let is_last = (entries.iter()).any(|it| matches!(it.what, What::Closed { .. }));
        loop {
            self.believe()?;
            let hurried = (self.is_rollback() && !is_last).then(|| self.bastion.hurried());
            let bastion = hurried.as_ref().unwrap_or(&self.bastion);
            let written = record::append(bastion, &mut self.kept, entries.clone(), room).await;
            match written {
                Ok(()) => {
                    self.tell(&entries);
                    return Ok(true);
                }
                Err(NotWritten::Conflict) => return self.catch_up(&entries).await,
                Err(_) if self.is_rollback() => {
                    // Exempt (rule 9): the next write that goes through carries these along.
                    self.tell(&entries);
                    self.kept.take(entries);
                    return Ok(true);
                }
                Err(NotWritten::Gone) => {
                    return Err(Ended::Interrupted(
                        "its record was deleted: nothing more is done without one".into(),
                    ));
                }
                Err(NotWritten::Full) if is_optional => {
                    tracing::warn!(id = %self.kept.id, "the record has no room for a note or a pause");
                    self.tell(&entries);
                    // Known here, so that it is not said again at every tick.
                    entries.iter().for_each(|it| self.kept.operation.take(it));
                    return Ok(true);
                }
                Err(NotWritten::Full) => {
                    return Err(Ended::Interrupted(
                        "its record has no room left: nothing more is done without one".into(),
                    ));
                }
                Err(NotWritten::Fault(_)) => self.pause().await?,
            }
        }
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

    /// Reads what others wrote. True if our entries turned out to be there.
    async fn catch_up(&mut self, ours: &[Entry]) -> Result<bool, Ended> {
        loop {
            match record::read(&self.bastion, &self.kept.id).await {
                Ok(Some(read)) => {
                    let is_there = read.entries.ends_with(ours);
                    self.kept.become_read(read);
                    return Ok(is_there);
                }
                Ok(None) => {
                    return Err(Ended::Interrupted(
                        "its record was deleted: nothing more is done without one".into(),
                    ));
                }
                Err(_) if self.is_rollback() => return Ok(false),
                Err(_) => self.pause().await?,
            }
        }
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
