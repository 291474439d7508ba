//! The record: the ConfigMap in which an operation's entries are, written with optimistic concurrency.
//!
//! Several write to it: its worker, and whoever wants it aborted, adopted or abandoned. A conflict is read
//! again, folded again, and decided again: what follows may be another step.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::bastion::Bastion;
use super::entry::{self, Entry, SCHEMA, What};
use super::hook::{self, Hooks};
use super::kept::{self, ENTRIES, KIND, Kept, LIMIT, NAMESPACE, SCHEMA_KEY, Unread};
use super::{OperationKind, marks};
use crate::clients::kubernetes::Unwritten;
use crate::estate::{Fault, FaultKind, Record, Safe};

/// What of a record's room is for what an operation needs to go on and to end: notes and pauses end before it.
const RESERVE: usize = 32 << 10;
/// Closed operations of one target that are kept.
const KEPT: usize = 20;
/// How often a note is tried beside others who write.
const NOTES: u32 = 20;
/// How often one entry is tried.
const ADDS: u32 = 5;

/// How much of a record's room entries may use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Room {
    /// What an operation does not need to go on and to end: for what it can do without.
    Spare,
    /// All.
    All,
}

/// Why an entry was not written.
#[derive(Clone, Debug, PartialEq)]
pub enum NotWritten {
    /// Somebody wrote meanwhile: read, fold and decide again.
    Conflict,
    /// There is no such record any more.
    Gone,
    /// It has no room for that.
    Full,
    /// The API will not have it written by us; why.
    Refused(Fault),
    /// The API is away or busy, or nobody knows: try again, or stop.
    Fault(Fault),
}

/// Why a record of which nothing was known but its id was not amended.
#[derive(Clone, Debug, PartialEq)]
pub enum Unamended {
    /// There is no such record, or not any more.
    Absent(Safe),
    /// It is there, and may not be amended so; why.
    Forbidden(Safe),
    /// The API refused, or nobody knows: it may be tried again.
    Failed(Safe),
}

impl From<Unamended> for Safe {
    fn from(unamended: Unamended) -> Self {
        match unamended {
            Unamended::Absent(why) | Unamended::Forbidden(why) | Unamended::Failed(why) => why,
        }
    }
}

/// Writes the first entries of operation `id`.
///
/// # Errors
/// The API's fault. One that may have been written is looked up, and may hold fewer entries than these.
pub async fn create(
    bastion: &Bastion,
    id: &Safe,
    kind: OperationKind,
    entries: Vec<Entry>,
) -> Result<Kept, Fault> {
    let data = data(&entries, LIMIT).ok_or_else(full)?;
    let body = json!({
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {
            "name": marks::record_name(id),
            "labels": {
                marks::RECORD: marks::OF_OPERATION,
                NAMESPACE: bastion.scope.namespace,
                KIND: kind.word(),
            },
        },
        "data": data,
    });
    match bastion
        .cluster
        .create::<Record>(body, bastion.timing.answer)
        .await
    {
        Ok(record) => kept::read(&record).map_err(malformed),
        // Nobody else makes one of this name: if it is there, it is ours, by a request whose answer was lost.
        Err(Unwritten::Refused { status: 409, fault } | Unwritten::Unknown(fault)) => {
            match read(bastion, id).await {
                Ok(Some(kept)) => Ok(kept),
                Ok(None) | Err(_) => Err(fault),
            }
        }
        Err(Unwritten::Refused { fault, .. }) => Err(fault),
    }
}

/// The record of operation `id`; none where there is none.
///
/// # Errors
/// The API's fault, or why it cannot be read.
pub async fn read(bastion: &Bastion, id: &str) -> Result<Option<Kept>, Fault> {
    let name = marks::record_name(id);
    let record = bastion
        .cluster
        .get::<Record>(&name, bastion.timing.answer)
        .await?;
    record
        .map(|record| {
            let read = kept::read(&record);
            read.map_err(|why| malformed(Unread::of(&record, why).why))
        })
        .transpose()
}

/// All records about this namespace, the oldest first; those that cannot be read are told apart.
///
/// # Errors
/// The API's fault.
pub async fn list(bastion: &Bastion) -> Result<(Vec<Kept>, Vec<Unread>), Fault> {
    let selector = super::record_selector(bastion);
    let records = bastion
        .cluster
        .list::<Record>(&selector, bastion.timing.answer)
        .await?;
    let (mut good, mut bad) = (Vec::new(), Vec::new());
    for record in &records {
        match kept::read(record) {
            Ok(kept) => good.push(kept),
            Err(why) => bad.push(Unread::of(record, why)),
        }
    }
    good.sort_by(|a, b| a.id.cmp(&b.id));
    Ok((good, bad))
}

/// Appends `new` to `kept`, which must be as it was read.
///
/// # Errors
/// Why not. Where nobody knows whether it was written, the record is read: our own entries are ours.
pub async fn append(
    bastion: &Bastion,
    kept: &mut Kept,
    new: Vec<Entry>,
    room: Room,
) -> Result<(), NotWritten> {
    let mut entries = kept.entries.clone();
    entries.extend(new.iter().cloned());
    let room = match room {
        Room::Spare => LIMIT - RESERVE,
        Room::All => LIMIT,
    };
    if kept.version.1.is_empty() {
        // A rollback's record that could not be written when it began.
        let kind = kept
            .operation
            .plan
            .as_ref()
            .map_or(OperationKind::Rollback, |plan| plan.kind);
        let made = create(bastion, &kept.id, kind, entries.clone()).await;
        let made = made.map_err(|fault| match fault.kind {
            FaultKind::Forbidden | FaultKind::LoginNeeded | FaultKind::Missing => {
                NotWritten::Refused(fault)
            }
            _ => NotWritten::Fault(fault),
        })?;
        if made.entries.starts_with(&entries) {
            *kept = made;
            return Ok(());
        }
        if !entries.starts_with(&made.entries) {
            return Err(NotWritten::Conflict);
        }
        // The first ones were written after all. What is only known here stays known.
        kept.version = made.version;
    }
    let name = marks::record_name(&kept.id);
    let kind = kept
        .operation
        .plan
        .as_ref()
        .map_or("", |plan| plan.kind.word());
    let body = json!({
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {
            "name": name,
            "uid": kept.version.0,
            "resourceVersion": kept.version.1,
            "labels": {
                marks::RECORD: marks::OF_OPERATION,
                NAMESPACE: bastion.scope.namespace,
                KIND: kind,
            },
        },
        "data": data(&entries, room).ok_or(NotWritten::Full)?,
    });
    match bastion
        .cluster
        .replace::<Record>(&name, body, bastion.timing.answer)
        .await
    {
        Ok(record) => {
            kept.version = (record.uid, record.resource_version);
            for entry in &new {
                kept.operation.take(entry);
            }
            kept.entries = entries;
            Ok(())
        }
        Err(Unwritten::Refused { status: 404, .. }) => Err(NotWritten::Gone),
        Err(Unwritten::Refused { status: 409, .. }) => match read(bastion, &kept.id).await {
            Ok(None) => Err(NotWritten::Gone),
            Ok(Some(_)) => Err(NotWritten::Conflict),
            Err(fault) => Err(NotWritten::Fault(fault)),
        },
        Err(Unwritten::Refused { status: 429, fault }) => Err(NotWritten::Fault(fault)),
        Err(Unwritten::Refused { fault, .. }) => Err(NotWritten::Refused(fault)),
        Err(Unwritten::Unknown(fault)) => match read(bastion, &kept.id).await {
            Ok(Some(read)) if read.entries.starts_with(&entries) => {
                *kept = read;
                Ok(())
            }
            Ok(Some(read)) if read.version != kept.version => Err(NotWritten::Conflict),
            Ok(None) => Err(NotWritten::Gone),
            Ok(Some(_)) | Err(_) => Err(NotWritten::Fault(fault)),
        },
    }
}

/// Appends one entry to a record of which nothing is known yet but its id: an abort, an end.
///
/// # Errors
/// There is no such record, it is closed, or the API's fault.
pub async fn add(bastion: &Bastion, id: &str, what: What) -> Result<Kept, Safe> {
    let added = amend(bastion, id, ADDS, vec![what], is_open).await;
    added.map_err(Safe::from)
}

/// Ends an operation as it stands, and tells whoever is to be told of an end: whoever carried it out does not.
///
/// # Errors
/// As [`amend`].
pub async fn abandon(
    bastion: &Bastion,
    id: &str,
    reason: Safe,
) -> Result<(Kept, Hooks), Unamended> {
    let what = What::Abandoned { reason };
    let kept = amend(bastion, id, ADDS, vec![what.clone()], is_open).await?;
    let hooks = hook::tell(bastion, &kept, &what);
    Ok((kept, hooks))
}

/// Appends notes to the record of an operation that goes on.
///
/// # Errors
/// There is no such record, it is closed, or the API's fault.
pub async fn note(bastion: &Bastion, id: &str, facts: Vec<Safe>) -> Result<Kept, Unamended> {
    let notes = facts.into_iter().map(|fact| What::Noted { fact });
    amend(bastion, id, NOTES, notes.collect(), is_open).await
}

/// Appends what `may` be appended to the record as it is, whoever else writes to it meanwhile.
///
/// # Errors
/// There is no such record, why it may not be, or the API's fault.
pub async fn amend(
    bastion: &Bastion,
    id: &str,
    tries: u32,
    whats: Vec<What>,
    may: fn(&Kept) -> Result<(), Safe>,
) -> Result<Kept, Unamended> {
    let failed = |fault: Fault| Unamended::Failed(fault.what);
    for _ in 0..tries {
        let Some(mut kept) = read(bastion, id).await.map_err(failed)? else {
            let said = format!("there is no operation {id} here");
            return Err(Unamended::Absent(said.into()));
        };
        may(&kept).map_err(Unamended::Forbidden)?;
        let entry = |what: &What| Entry {
            at: bastion.clock.wall(),
            by: bastion.person.words(),
            what: what.clone(),
        };
        let entries = whats.iter().map(entry).collect();
        match append(bastion, &mut kept, entries, Room::All).await {
            Ok(()) => return Ok(kept),
            Err(NotWritten::Conflict) => {}
            Err(NotWritten::Gone) => {
                let said = format!("the record of {id} was deleted");
                return Err(Unamended::Absent(said.into()));
            }
            Err(NotWritten::Full) => return Err(Unamended::Forbidden(full().what)),
            Err(NotWritten::Refused(fault) | NotWritten::Fault(fault)) => {
                return Err(failed(fault));
            }
        }
    }
    let said = format!("the record of {id} changes faster than it can be written");
    Err(Unamended::Failed(said.into()))
}

fn is_open(kept: &Kept) -> Result<(), Safe> {
    match &kept.operation.closed {
        Some((outcome, _)) => {
            Err(format!("operation {} is over: {}", kept.id, outcome.word()).into())
        }
        None => Ok(()),
    }
}

/// Deletes what is beyond the last closed operations of each target in this namespace: a neighbour that is busy takes nobody's
/// last test away. What cannot be deleted stays.
pub async fn prune(bastion: &Bastion) {
    let Ok((records, _)) = list(bastion).await else {
        return;
    };
    let mut closed: BTreeMap<Option<Safe>, Vec<Kept>> = BTreeMap::new();
    // One whose glass is broken is what keeps the line on every screen.
    for kept in (records.into_iter())
        .filter(|k| k.operation.closed.is_some() && k.operation.open_glass().is_none())
    {
        let plan = kept.operation.plan.as_ref();
        let target = plan.and_then(|plan| plan.locks().into_iter().min());
        closed.entry(target).or_default().push(kept);
    }
    let beyond = closed.into_values().flat_map(|of| {
        let many = of.len().saturating_sub(KEPT);
        of.into_iter().take(many)
    });
    for old in beyond.collect::<Vec<_>>() {
        let (uid, version) = &old.version;
        let name = marks::record_name(&old.id);
        let answer = bastion.timing.answer;
        let _ = bastion
            .cluster
            .delete::<Record>(&name, Some(uid), Some(version), answer)
            .await;
    }
}

/// The data of a record with these entries. They are only ever appended to: the shipped admission policy
/// refuses a record that became shorter. None where they need more than `room`.
fn data(entries: &[Entry], room: usize) -> Option<BTreeMap<&'static str, Value>> {
    let text = entry::write(entries).ok()?;
    (text.len() <= room - 1_024).then(|| {
        BTreeMap::from([
            (SCHEMA_KEY, json!(SCHEMA.to_string())),
            (ENTRIES, json!(text)),
        ])
    })
}

fn full() -> Fault {
    malformed("its record has no room for that: it would be larger than 256 KiB".into())
}

fn malformed(what: Safe) -> Fault {
    Fault {
        kind: FaultKind::Malformed,
        what,
    }
}
