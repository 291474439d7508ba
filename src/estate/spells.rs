//! When alerts fired lately, by Prometheus' own `ALERTS` series: also those that have ended, and those
//! that ended before this cockpit was started.

use jiff::Timestamp;
use serde::Serialize;

use super::{Labels, Safe};

/// How far back is looked.
pub const REACH_SECONDS: u32 = 6 * 3_600;
/// Seconds between two looks: beginnings and ends are known as well as that.
pub const STEP_SECONDS: u32 = 60;
/// The most spells that are kept, the newest.
pub const MOST: usize = 500;

/// The times in which alerts fired.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Spells {
    /// The newest first.
    pub spells: Vec<Spell>,
    /// How many older ones there were than are kept.
    pub more: usize,
    /// The end of what was looked at, by the server's clock.
    pub until: Option<Timestamp>,
    /// What the server warns of: the answer is partial.
    pub warnings: Vec<Safe>,
}

/// A time in which an alert fired.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Spell {
    /// The alert's labels.
    pub labels: Labels,
    /// The first look at which it fired; none if it did so at the very first.
    pub from: Option<Timestamp>,
    /// The last look at which it fired.
    pub to: Timestamp,
}

impl Spells {
    /// The spells that are over. One that reaches the end of what was looked at may go on, and is
    /// among the alerts then.
    pub fn ended(&self) -> impl Iterator<Item = &Spell> {
        let until = self.until.map(Timestamp::as_second);
        let last = until.map(|second| second - 2 * i64::from(STEP_SECONDS));
        let is_over = move |spell: &&Spell| last.is_some_and(|last| spell.to.as_second() < last);
        self.spells.iter().filter(is_over)
    }

    /// Keeps the newest, and counts the others.
    pub fn of(mut spells: Vec<Spell>, until: Option<Timestamp>, warnings: Vec<Safe>) -> Self {
        spells.sort_by(|a, b| b.to.cmp(&a.to).then_with(|| a.labels.cmp(&b.labels)));
        let more = spells.len().saturating_sub(MOST);
        spells.truncate(MOST);
        Self {
            spells,
            more,
            until,
            warnings,
        }
    }
}
