//! What operations leave in the cluster: marks on objects, Leases, records.
//!
//! A mark is an annotation of ours. Its value is [`Safe`] like all text from outside: what a stranger
//! wrote there with escapes, or longer than 4 KiB, is changed and then does not read as what we write.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use jiff::Timestamp;
use serde::Serialize;

use super::{Keyed, Labels, Safe};

/// The keys of our annotations and labels.
pub mod mark {
    /// What all of them start with.
    pub const PREFIX: &str = "wheelhouse.dev/";
    /// Whom the API records as the writer of what we write: the field manager.
    pub const MANAGER: &str = "wheelhouse";
    /// The fence: the epoch of whoever may write, as a number (SAFETY, rule 5).
    pub const EPOCH: &str = "wheelhouse.dev/epoch";
    /// The id of the operation that wrote last.
    pub const OPERATION: &str = "wheelhouse.dev/operation";
    /// Who flipped, from what, to what, why, when; JSON.
    pub const FLIP: &str = "wheelhouse.dev/flip";
    /// The whole selector that was meant; a JSON object.
    pub const MEANT: &str = "wheelhouse.dev/meant";
    /// The colours last verified live; JSON.
    pub const VERIFIED: &str = "wheelhouse.dev/verified";
    /// The label of ConfigMaps that are records.
    pub const RECORD: &str = "wheelhouse.dev/record";
    /// The label of Leases that operations hold.
    pub const LEASE: &str = "wheelhouse.dev/lease";
    /// The value of both labels.
    pub const OF_OPERATION: &str = "operation";
    /// The value of the record's label where it asks for an approval, or is one.
    pub const OF_APPROVAL: &str = "approval";
}

/// A Lease: who may change an object, until when.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Lease {
    /// Its name.
    pub name: Safe,
    /// Its uid.
    pub uid: Safe,
    /// `metadata.resourceVersion`.
    pub resource_version: Safe,
    /// `spec.holderIdentity`; none where it was released.
    pub holder: Option<Safe>,
    /// `spec.leaseDurationSeconds`; 0 where it is not set.
    pub duration_s: u32,
    /// `spec.acquireTime`.
    pub acquired: Option<Timestamp>,
    /// `spec.renewTime`, by the holder's clock.
    pub renewed: Option<Timestamp>,
    /// When the API server took that, by its own clock and in whole seconds: `metadata.managedFields` of whoever
    /// wrote `spec.renewTime` last. None where the server keeps no managed fields.
    pub taken: Option<Timestamp>,
    /// `spec.leaseTransitions`: the epoch.
    pub transitions: u64,
    /// Its annotations that start with [`mark::PREFIX`].
    pub marks: Labels,
}

/// The record of an operation: a ConfigMap whose data hold its entries.
#[derive(Clone, PartialEq, Serialize)]
pub struct Record {
    /// Its name.
    pub name: Safe,
    /// Its uid.
    pub uid: Safe,
    /// `metadata.resourceVersion`.
    pub resource_version: Safe,
    /// When it was created.
    pub created: Option<Timestamp>,
    /// When it was asked to go.
    pub deleting: Option<Timestamp>,
    /// Its labels.
    pub labels: Labels,
    /// `data` as it came, not cleaned: whoever reads an entry cleans what it holds.
    pub data: BTreeMap<String, Arc<str>>,
}

/// Entries do not belong into a log: their number and size do.
impl fmt::Debug for Record {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let bytes: usize = self.data.iter().map(|(k, v)| k.len() + v.len()).sum();
        f.debug_struct("Record")
            .field("name", &self.name)
            .field("uid", &self.uid)
            .field("resource_version", &self.resource_version)
            .field("keys", &self.data.len())
            .field("bytes", &bytes)
            .finish_non_exhaustive()
    }
}

impl Keyed for Lease {
    fn key(&self) -> &Safe {
        &self.name
    }
}
impl Keyed for Record {
    fn key(&self) -> &Safe {
        &self.name
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_in_a_log_tells_its_size_and_nothing_of_its_entries() {
        let record = Record {
            name: "op-1".into(),
            uid: "u".into(),
            resource_version: "7".into(),
            created: None,
            deleting: None,
            labels: Labels::default(),
            data: [("0".to_owned(), Arc::from("a secret \u{1b}[2J"))].into(),
        };
        let said = format!("{record:?}");
        assert!(said.contains("keys: 1, bytes: 14"), "{said}");
        assert!(
            !said.contains("secret") && !said.contains('\u{1b}'),
            "{said}"
        );
    }
}
