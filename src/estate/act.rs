//! An act: a single request that changes something and is no operation, and what became of it.

use jiff::Timestamp;
use serde::Serialize;

use super::review::Review;
use super::silence::Draft;
use super::{Labels, Safe};

/// What is asked for, whole: nothing is looked up or filled in when it is done.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Act {
    /// Review a deployment of a workflow run to one of GitHub's environments.
    Review(Review),
    /// Do something about a silence.
    #[serde(untagged)]
    Silencing(Silencing),
}

/// What is done about a silence.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Silencing {
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
            Self::Silencing(Silencing::Silence(_)) => "the silence",
            Self::Silencing(Silencing::Extend { .. }) => "the longer silence",
            Self::Silencing(Silencing::Expire { .. }) => "the end of the silence",
            Self::Review(review) if review.is_approved => "the approval at GitHub",
            Self::Review(_) => "the rejection at GitHub",
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

/// What an act is about.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum About {
    /// An alert, by its labels.
    Alert(Labels),
    /// A workflow run, by id.
    Run(u64),
}

/// An act of this cockpit, for the screen.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Doing {
    /// Counts the acts of this cockpit.
    pub number: u64,
    /// The environment's place in the configuration.
    pub environment: usize,
    /// What it is about.
    pub about: About,
    /// What is done.
    pub act: Act,
    /// When it was confirmed.
    pub at: Timestamp,
    /// What became of it; none: it is under way.
    pub outcome: Option<Outcome>,
}
