//! Everything that can happen to the state.

use serde::Serialize;

use super::Key;
use super::chart::Wanted;
use super::operate::Heard;
use crate::estate::act::Outcome;
use crate::estate::chart::Chart;
use crate::estate::runs::RunsSeen;
use crate::estate::{Fault, LogChunk, Moment, Now, Observation, Safe};

/// Something that happened.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub enum Event {
    /// A key.
    Key(Key),
    /// Text pasted in one piece: never keys.
    Paste(Safe),
    /// The terminal's size in columns and rows.
    Resized(u16, u16),
    /// The time.
    Tick(Now),
    /// A source saw something.
    Observed(Observation),
    /// Something was seen of the repository.
    Repository(Moment, RunsSeen),
    /// Part of a job's log, by the job's id.
    JobLog(u64, LogChunk),
    /// The chart of an expression as asked for at that moment, or why there is none.
    Charted(Wanted, Moment, Result<Chart, Fault>),
    /// What became of an act, by its number.
    Acted(u64, Outcome),
    /// What a worker says of a proposal, by its number, about the environment at that place.
    Heard(u64, usize, Heard),
    /// Something worth a line at the foot of the screen.
    Told(Safe),
    /// What the demo's estate can break: name and description.
    Faults(Vec<(Safe, Safe)>),
}
