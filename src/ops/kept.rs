//! A record as it is read: the ConfigMap's data, checked, and the operation that they fold to.

use jiff::Timestamp;

use crate::estate::{Lease, Record, Safe};

use super::entry::{self, Entry, SCHEMA};
use super::machine::Operation;
use super::marks;

/// The key of the data that holds the entries, one JSON a line.
pub const ENTRIES: &str = "entries";
/// The key of the data that holds the version of their shape.
pub const SCHEMA_KEY: &str = "schema";
/// The most bytes of a record.
pub const LIMIT: usize = 256 << 10;
/// The label that says which namespace's objects an operation is about.
pub const NAMESPACE: &str = "wheelhouse.dev/namespace";
/// The label that says what it does.
pub const KIND: &str = "wheelhouse.dev/kind";

/// A record that can be read.
#[derive(Clone, Debug, PartialEq)]
pub struct Kept {
    /// The operation's id.
    pub id: Safe,
    /// The ConfigMap's uid and resourceVersion.
    pub version: (Safe, Safe),
    /// Its entries.
    pub entries: Vec<Entry>,
    /// What they fold to.
    pub operation: Operation,
    /// Lines that could not be read.
    pub torn: usize,
}

/// Reads `record`.
///
/// # Errors
/// Why it cannot be acted on: it is no record of ours, too large, or of a newer version.
pub fn read(record: &Record) -> Result<Kept, Safe> {
    let id = id_of(record)?;
    let of = |key: &str| record.data.get(key).map(|text| text.as_ref());
    let size: usize = record.data.values().map(|text| text.len()).sum();
    if size > LIMIT {
        return Err(format!(
            "record {} has {size} bytes, more than {LIMIT}: it was not written by Wheelhouse",
            record.name
        )
        .into());
    }
    match of(SCHEMA_KEY).and_then(|text| text.trim().parse::<u32>().ok()) {
        Some(schema) if schema <= SCHEMA => {}
        Some(schema) => {
            return Err(format!(
                "record {} is of version {schema}; this program knows {SCHEMA}: use a newer one",
                record.name
            )
            .into());
        }
        None => {
            return Err(format!(
                "record {} has no version: it was edited, or is not ours",
                record.name
            )
            .into());
        }
    }
    let (entries, torn) = entry::read(of(ENTRIES).unwrap_or_default());
    let operation = Operation::fold(&entries);
    if operation.plan.is_none() {
        return Err(format!(
            "record {} holds no plan that can be read: it was edited",
            record.name
        )
        .into());
    }
    Ok(Kept {
        id,
        version: (record.uid.clone(), record.resource_version.clone()),
        entries,
        operation,
        torn,
    })
}

/// A record that cannot be read, and what that leaves unknown.
#[derive(Clone, Debug, PartialEq)]
pub struct Unread {
    /// Why.
    pub why: Safe,
    /// Whether its operation may be open: nothing in it says that it ended.
    pub may_be_open: bool,
}

impl Unread {
    /// `record`, which cannot be read for that reason. Only its words are left to go by.
    pub fn of(record: &Record, why: Safe) -> Self {
        let ends = ["\"closed\":", "\"abandoned\":"];
        let entries = record.data.get(ENTRIES).map_or("", |text| text.as_ref());
        let is_over = |line: &str| ends.iter().any(|end| line.contains(end));
        Self {
            why: format!(
                "{why}; when what it did is judged, delete it: `kubectl delete configmap {}` in the namespace of the records",
                record.name
            )
            .into(),
            may_be_open: !entries.lines().any(is_over),
        }
    }
}

/// The id that the record's name holds.
fn id_of(record: &Record) -> Result<Safe, Safe> {
    let prefix = marks::record_name("");
    let id = record
        .name
        .strip_prefix(prefix.as_str())
        .filter(|id| is_id(id));
    id.map(Safe::from)
        .ok_or_else(|| format!("{} is no record's name", record.name).into())
}

/// Whether `text` can be an operation's id: what is typed reaches a request's path.
pub fn is_id(text: &str) -> bool {
    text.len() == 26
        && text
            .bytes()
            .all(|b| b.is_ascii_digit() || b.is_ascii_lowercase())
}

/// The namespace whose objects the record's operation is about.
pub fn namespace(record: &Record) -> Option<&Safe> {
    record.labels.get(NAMESPACE)
}

impl Kept {
    /// When whoever carries it out wrote last: what others ask for is no sign of life.
    pub fn worked(&self) -> Option<Timestamp> {
        use entry::What::{AbortAsked, GlassClosed};
        let is_asked = |e: &Entry| matches!(e.what, AbortAsked { .. } | GlassClosed { .. });
        let mut entries = self.entries.iter().rev();
        entries.find(|e| !is_asked(e)).map(|e| e.at)
    }

    /// Whether another worker wrote before: an intent without a result may have been acted on.
    pub fn is_resumed(&self) -> bool {
        let adopted = |e: &Entry| matches!(e.what, entry::What::Adopted { .. });
        self.entries.iter().any(adopted)
    }

    /// Whether nobody carries it out: it is not over, and no live Lease of `leases` names it. `server` is the
    /// server's time.
    pub fn is_orphaned<'a>(
        &self,
        leases: impl IntoIterator<Item = &'a Lease>,
        server: Timestamp,
    ) -> bool {
        let holds = |lease: &Lease| {
            let is_held = lease.holder.as_ref().is_some_and(|it| !it.is_empty());
            is_held
                && marks::operation(&lease.marks).as_ref() == Some(&self.id)
                && marks::is_alive(lease, server)
        };
        self.operation.closed.is_none() && !leases.into_iter().any(holds)
    }

    /// Folds entries in that are not written yet.
    pub(super) fn take(&mut self, entries: Vec<Entry>) {
        for entry in &entries {
            self.operation.take(entry);
        }
        self.entries.extend(entries);
    }

    /// Takes over what was read, with those of our entries that were never written behind it.
    pub(super) fn become_read(&mut self, read: Kept) {
        let unwritten: Vec<Entry> = (self.entries.iter())
            .filter(|entry| !read.entries.contains(entry))
            .cloned()
            .collect();
        *self = read;
        self.take(unwritten);
    }
}

impl Kept {
    /// A record that could not be written yet.
    pub(super) fn unwritten(id: &Safe, entries: Vec<Entry>) -> Self {
        Self {
            id: id.clone(),
            version: ("".into(), "".into()),
            operation: Operation::fold(&entries),
            entries,
            torn: 0,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn p10_a_record_that_cannot_be_read_may_be_open_unless_its_words_say_that_it_ended() {
        let may_be_open = |entries: &str| {
            let record = Record {
                name: "wheelhouse-01j".into(),
                uid: "u".into(),
                resource_version: "1".into(),
                created: None,
                deleting: None,
                labels: Default::default(),
                data: [(ENTRIES.to_owned(), entries.into())].into(),
            };
            let unread = Unread::of(&record, "why".into());
            assert!(
                unread
                    .why
                    .contains("kubectl delete configmap wheelhouse-01j")
            );
            unread.may_be_open
        };
        let closed = r#"{"what":{"closed":{"outcome":"done","reason":"x"}}}"#;
        assert!(may_be_open(""));
        assert!(may_be_open("so long"));
        // A reason that somebody typed is text within a string.
        assert!(may_be_open(r#"{"what":{"noted":{"fact":"\"closed\":"}}}"#));
        assert!(!may_be_open(&format!("x\n{closed}\n")));
    }
}
