//! A run that waits for a review of its deployment at GitHub.

use wheelhouse::app::{Event, State, settle, update};
use wheelhouse::estate::review::{Decided, Pending, Reviews};
use wheelhouse::estate::runs::RunsSeen;

/// The run of [`world`](crate::world) that waits.
pub const RUN: u64 = 82;
/// What it waits for.
pub const ID: u64 = 7;

pub fn pending(environment: &str, may: Option<bool>) -> Pending {
    Pending {
        id: ID,
        environment: environment.into(),
        may,
        reviewers: vec!["carol".into(), "erin".into()],
        timer_min: 0,
        since: None,
    }
}

pub fn by_erin(word: &str) -> Decided {
    Decided {
        environments: vec!["production".into()],
        who: "erin".into(),
        word: word.into(),
        comment: "read the diff".into(),
    }
}

/// What GitHub says of it now.
pub fn reviews(state: &mut State, pending: Vec<Pending>, decided: Vec<Decided>) {
    let at = state.now.at;
    let seen = RunsSeen::Reviews(
        RUN,
        Reviews {
            pending,
            decided,
            unseen: None,
        },
    );
    update(state, Event::Repository(at, seen));
    settle(state);
}
