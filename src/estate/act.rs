//! An act: a single request that changes something and is no operation, and what became of it.

use jiff::Timestamp;
use serde::Serialize;

use super::silence::Draft;
use super::{Labels, Safe};

/// What is asked for, whole: nothing is looked up or filled in when it is done.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Act {
    /// Set a silence.
    Silence(Draft),
    /// Let a silence last longer.
    Extend {
        /// Its id.
        silence: Safe,
        /// Until when.
        until: Timestamp,
        /// Who says so.
        author: Safe,
        /// Why.
        comment: Safe,
    },
    /// End a silence now.
    Expire {
        /// Its id.
        silence: Safe,
    },
}

impl Act {
    /// What it does, as a noun: `the silence`.
    pub fn noun(&self) -> &'static str {
        match self {
            Self::Silence(_) => "the silence",
            Self::Extend { .. } => "the longer silence",
            Self::Expire { .. } => "the end of the silence",
        }
    }
}

/// What became of an act. What is not known stays so: it is never sent again (SAFETY, "What a reply
/// means to a mutation").
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "snake_case", tag = "outcome", content = "words")]
pub enum Outcome {
    /// Done, and read back.
    Done(Safe),
    /// Not done, and why.
    NotDone(Safe),
    /// It may have been done.
    Unknown(Safe),
}

impl Outcome {
    /// Its words.
    pub fn words(&self) -> &Safe {
        match self {
            Self::Done(words) | Self::NotDone(words) | Self::Unknown(words) => words,
        }
    }
}

/// An act of this cockpit, for the screen.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Doing {
    /// Counts the acts of this cockpit.
    pub number: u64,
    /// The environment's place in the configuration.
    pub environment: usize,
    /// The labels of the alert that it is about.
    pub alert: Labels,
    /// What is done.
    pub act: Act,
    /// When it was confirmed.
    pub at: Timestamp,
    /// What became of it; none: it is under way.
    pub outcome: Option<Outcome>,
}
