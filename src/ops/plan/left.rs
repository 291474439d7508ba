//! Leases that nobody will come back for: their holder died before its record was written, or between the
//! end that it wrote there and the release.

use std::collections::BTreeSet;

use crate::estate::{Estate, Kind, Lease, Now, Safe};
use crate::ops::{kept, marks};

/// Whether `lease` ran out and its operation is over or never began. While records were not seen, none is
/// left; one that cannot be read is of somebody who knows more.
pub(super) fn is_left(lease: &Lease, estate: &Estate, now: Now) -> bool {
    let is_held = lease.holder.as_ref().is_some_and(|it| !it.is_empty());
    if !is_held
        || marks::is_alive(lease, estate.server_time(now))
        || !estate.is_listed(Kind::Records)
    {
        return false;
    }
    let Some(id) = marks::operation(&lease.marks) else {
        return false;
    };
    let record = (estate.records.value).get(marks::record_name(&id).as_str());
    record.is_none_or(|record| kept::read(record).is_ok_and(|kept| kept.operation.closed.is_some()))
}

/// The resourceVersions of such Leases: one that was renewed since has another.
pub(in crate::ops) fn left(estate: &Estate, now: Now) -> BTreeSet<Safe> {
    let leases = estate.leases.value.iter();
    leases
        .filter(|lease| is_left(lease, estate, now))
        .map(|lease| lease.resource_version.clone())
        .collect()
}
