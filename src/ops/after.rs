//! Who waits to clean up the colour that traffic left, as the Services say it. The waiting is `follow`'s.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::approval::is_approval;
use super::warm::last_operation;
use super::{kept, marks};
use crate::estate::{Estate, Record, Safe};

/// On the first Service of a switch: who waits to clean up the idle colour, JSON of [`Follower`].
pub const CLEANUP: &str = "wheelhouse.dev/cleanup";

/// Who waits to clean up, and after which operation.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Follower {
    /// The operation whose flip it follows: after another one it means nothing.
    pub operation: Safe,
    /// OS user and host.
    pub by: Safe,
    /// Since when, by that bastion's clock.
    pub since: Timestamp,
    /// Until when at most, by that clock, where requests still go to the colour that is kept no longer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub drains: Option<Timestamp>,
}

impl Follower {
    /// Whether it waits at `now` for the last requests to go.
    pub fn is_draining(&self, now: Timestamp) -> bool {
        self.drains.is_some_and(|until| now < until)
    }
}

/// Who waits to clean up after the last change of traffic, as far as the Services say; nobody does any more where another
/// operation came since.
pub fn follower(estate: &Estate) -> Option<Follower> {
    let switch = estate.scope.traffic.as_ref()?;
    let services = switch.services.iter();
    let read = |name: &Safe| {
        let mark = estate.services.value.get(name)?.marks.get(CLEANUP)?;
        serde_json::from_str::<Follower>(mark).ok()
    };
    let newest = services.filter_map(read).max_by_key(|it| it.since)?;
    let is_of_it = last_operation(estate).as_ref() == Some(&newest.operation);
    (is_of_it && newer(estate, &newest.operation).is_none()).then_some(newest)
}

/// An operation on our Services that began after that one, by the server's clock; one that cannot be read may be.
pub(super) fn newer<'a>(estate: &'a Estate, after: &Safe) -> Option<&'a Safe> {
    let here =
        |it: &&Record| !is_approval(it) && kept::namespace(it) == Some(&estate.scope.namespace);
    let records: Vec<&Record> = estate.records.value.iter().filter(here).collect();
    let name = marks::record_name(after);
    let own = records.iter().find(|it| it.name.as_str() == name)?;
    let order = |it: &Record| (it.created, it.name.clone());
    let may_be_ours = |it: &Record| {
        let plan = kept::read(it).ok().and_then(|kept| kept.operation.plan);
        plan.is_none_or(|plan| plan.is_behind(&estate.scope))
    };
    let newer = (records.iter()).find(|it| order(it) > order(own) && may_be_ours(it))?;
    Some(&newer.name)
}
