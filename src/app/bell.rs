//! The terminal's bell: once for each new reason that a person is needed, in whichever environment (TERMINAL.md,
//! "Bell for needs you"). What was so when it was listed first rings nothing, and nothing rings twice.

use std::collections::BTreeSet;

use super::command::Command;
use super::operations::{Hold, Operations, hold};
use super::state::State;
use crate::estate::{Currency, Estate, Kind, Now, Safe, Seen};
use crate::ops::{Outcome, marks};

/// Beyond so many reasons those are forgotten that hold no longer.
const REMEMBERED: usize = 1_000;

/// Why a person is needed.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Need {
    /// An operation waits, for this reason.
    Paused(Safe, Safe),
    /// Nobody carries it out any more; the last who did.
    Orphaned(Safe, Option<Safe>),
    /// It was under way, and failed or went back.
    Ended(Safe),
    /// Selectors are not what the operation of that id meant: the one who put them elsewhere.
    Reverted(Option<Safe>, Safe),
}

impl Need {
    /// What it is seen by.
    fn kinds(&self) -> &'static [Kind] {
        match self {
            Self::Paused(..) | Self::Ended(_) => &[Kind::Records],
            Self::Orphaned(..) => &[Kind::Records, Kind::Leases],
            Self::Reverted(..) => &[Kind::Services],
        }
    }
}

/// What an environment was rung for.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Bell {
    told: BTreeSet<Need>,
    listed: BTreeSet<Kind>,
}

impl Bell {
    /// Whether a person is needed for a reason that is new.
    fn is_due(&mut self, estate: &Estate, operations: &Operations, now: Now) -> bool {
        let listed = [Kind::Records, Kind::Leases, Kind::Services];
        let is_seen = |kind: &Kind| estate.currency(*kind, now.at) == Currency::Live;
        let listed = listed.into_iter().filter(is_seen);
        self.hear(needs(estate, operations, now), listed.collect())
    }

    /// Whether one of `needs` is new: it was not told, and is no part of the first listing.
    fn hear(&mut self, needs: BTreeSet<Need>, listed: BTreeSet<Kind>) -> bool {
        let is_known = |need: &Need| need.kinds().iter().all(|kind| self.listed.contains(kind));
        let is_new = |need: &Need| is_known(need) && !self.told.contains(need);
        let is_due = needs.iter().any(is_new);
        if self.told.len() > REMEMBERED {
            self.told.retain(|need| needs.contains(need));
        }
        self.told.extend(needs);
        self.listed.extend(listed);
        is_due
    }
}

/// Looks at every environment, and has the bell rung where a person is newly needed.
pub fn listen(state: &mut State) -> Option<Command> {
    let now = state.now;
    let mut is_due = false;
    for it in &mut state.environments {
        is_due |= it.bell.is_due(&it.estate, &it.operations, now);
    }
    is_due.then_some(Command::Ring)
}

/// Whether somebody may be needed by what is seen.
pub fn is_told_by(seen: &Seen) -> bool {
    matches!(
        seen,
        Seen::Records(_) | Seen::Leases(_) | Seen::Services(_) | Seen::Opened(_)
    )
}

fn needs(estate: &Estate, operations: &Operations, now: Now) -> BTreeSet<Need> {
    let mut needs = BTreeSet::new();
    for kept in operations.all() {
        let (id, operation) = (&kept.id, &kept.operation);
        match &operation.closed {
            Some((Outcome::Failed | Outcome::RolledBack, _)) => {
                needs.insert(Need::Ended(id.clone()));
            }
            Some(_) => {}
            None => {
                let why = operation.paused.as_ref();
                needs.extend(why.map(|why| Need::Paused(id.clone(), uncounted(why))));
                if let Hold::Orphaned { .. } = hold(estate, kept, now) {
                    needs.insert(Need::Orphaned(id.clone(), operation.holder.clone()));
                }
            }
        }
    }
    needs.extend(estate.service_views().into_iter().filter_map(|view| {
        let (who, _) = view.reverted()?;
        let meant = marks::operation(&view.service?.marks);
        Some(Need::Reverted(meant, who))
    }));
    needs
}

/// Why, without what counts on: that is no new reason.
fn uncounted(why: &Safe) -> Safe {
    let rest: String = why.chars().filter(|c| !c.is_ascii_digit()).collect();
    rest.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn paused(why: &str) -> Need {
        Need::Paused("01j".into(), uncounted(&why.into()))
    }

    fn orphaned(holder: &str) -> Need {
        Need::Orphaned("01j".into(), Some(holder.into()))
    }

    fn all() -> BTreeSet<Kind> {
        [Kind::Records, Kind::Leases, Kind::Services].into()
    }

    #[test]
    fn what_was_so_when_it_was_listed_first_rings_nothing() {
        let mut bell = Bell::default();
        assert!(!bell.hear([paused("HELD")].into(), [Kind::Records].into()));
        // Whether it is carried out is known once both are listed, in whichever order.
        let needs: BTreeSet<Need> = [paused("HELD"), orphaned("a")].into();
        assert!(!bell.hear(needs.clone(), all()));
        assert!(!bell.hear(needs, all()));
        assert!(bell.hear([paused("WAITS for an approval")].into(), all()));
    }

    #[test]
    fn each_reason_rings_once_however_often_it_comes_and_goes() {
        let mut bell = Bell::default();
        assert!(!bell.hear(BTreeSet::new(), all()));
        let needs: BTreeSet<Need> = [paused("UNKNOWN for 120 s, Prometheus is away")].into();
        assert!(bell.hear(needs, all()));
        assert!(!bell.hear(BTreeSet::new(), all()));
        let later: BTreeSet<Need> = [paused("UNKNOWN for 130 s, Prometheus is away")].into();
        assert!(!bell.hear(later.clone(), all()), "seconds are no reason");
        assert!(!bell.hear(later, all()));
        assert!(bell.hear([orphaned("a")].into(), all()));
        assert!(!bell.hear([orphaned("a")].into(), all()));
        // It was adopted, and that worker is gone, too.
        assert!(bell.hear([orphaned("b")].into(), all()));
        assert!(bell.hear([Need::Ended("01j".into())].into(), all()));
    }

    #[test]
    fn what_is_so_is_remembered_however_much_there_was() {
        let mut bell = Bell::default();
        bell.hear(BTreeSet::new(), all());
        let ended = |n: usize| Need::Ended(format!("{n}").into());
        let needs: BTreeSet<Need> = (0..2 * REMEMBERED).map(ended).collect();
        assert!(bell.hear(needs.clone(), all()));
        assert!(!bell.hear(needs.clone(), all()));
        assert!(!bell.hear([ended(0)].into(), all()));
        assert_eq!(bell.told.len(), 1, "the others are over");
    }
}
