//! Reviews of GitHub's environments: what a run waits for before it deploys, who may decide, and who did.
//!
//! A review is a person's word at GitHub; it is no approval of this program's own (SAFETY, "Approval").

use jiff::Timestamp;
use serde::Serialize;

use super::Safe;
use super::runs::{Progress, Repository, Run};

/// What a run waits for, and what was decided about it.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Reviews {
    /// The environments that wait.
    pub pending: Vec<Pending>,
    /// What was decided, in GitHub's order.
    pub decided: Vec<Decided>,
    /// Why none of it is known, where that is so.
    pub unseen: Option<Safe>,
}

/// An environment that a run waits for.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Pending {
    /// The environment's id at GitHub.
    pub id: u64,
    /// Its name there.
    pub environment: Safe,
    /// Whether whoever the token is of may decide; none where GitHub does not say.
    pub may: Option<bool>,
    /// Who may: logins, and teams as `team NAME`. None of them: it waits for its timer alone.
    pub reviewers: Vec<Safe>,
    /// How long its timer lasts, in minutes; 0: it has none.
    pub timer_min: u64,
    /// Since when the timer runs.
    pub since: Option<Timestamp>,
}

/// What somebody decided.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Decided {
    /// Of which environments.
    pub environments: Vec<Safe>,
    /// Who, by login.
    pub who: Safe,
    /// GitHub's word: `approved`, `rejected`, or one that this version does not know.
    pub word: Safe,
    /// Why.
    pub comment: Safe,
}

/// A review as it is to be sent.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Review {
    /// The run, by id.
    pub run: u64,
    /// The attempt of it that was shown.
    pub attempt: u32,
    /// The environment's id at GitHub.
    pub id: u64,
    /// Its name there.
    pub environment: Safe,
    /// Whether it is approved, or rejected.
    pub is_approved: bool,
    /// Why.
    pub comment: Safe,
}

impl Review {
    /// GitHub's word for it.
    pub fn word(&self) -> &'static str {
        if self.is_approved {
            "approved"
        } else {
            "rejected"
        }
    }
}

impl Pending {
    /// Who may decide, in words; what it waits for where nobody may.
    pub fn reviewers(&self) -> String {
        if !self.reviewers.is_empty() {
            let names: Vec<&str> = self.reviewers.iter().map(Safe::as_str).collect();
            return names.join(", ");
        }
        match self.timer_min {
            0 => "nobody that GitHub names".to_owned(),
            minutes => format!("nobody: it waits for its timer of {minutes} min"),
        }
    }
}

impl Decided {
    /// `production approved by erin: v2 is due`
    pub fn words(&self) -> String {
        let names: Vec<&str> = self.environments.iter().map(Safe::as_str).collect();
        let names = match names.as_slice() {
            [] => "?".to_owned(),
            names => names.join(", "),
        };
        let (word, who) = (&self.word, &self.who);
        match self.comment.is_empty() {
            true => format!("{names} {word} by {who}"),
            false => format!("{names} {word} by {who}: {}", self.comment),
        }
    }
}

impl Reviews {
    /// The environment of that id, while it waits.
    pub fn pending(&self, id: u64) -> Option<&Pending> {
        self.pending.iter().find(|it| it.id == id)
    }

    /// What was decided about the environment of that name. Of several words GitHub says no times.
    pub fn decided(&self, environment: &str) -> Option<&Decided> {
        let is_of = |it: &&Decided| it.environments.iter().any(|name| **name == *environment);
        self.decided.iter().find(is_of)
    }
}

impl Repository {
    /// What that run waits for, and what was decided; nothing where nobody asked.
    pub fn reviews_of(&self, run: u64) -> Option<&Reviews> {
        self.reviews.get(&run)
    }

    /// What the run waits for now. What is over waits for nothing, whatever was seen of it last.
    pub fn pending_of(&self, run: &Run) -> &[Pending] {
        match (&run.progress, self.reviews.get(&run.id)) {
            (Progress::Done(_), _) | (_, None) => &[],
            (_, Some(reviews)) => &reviews.pending,
        }
    }
}
