//! The plan that is laid over the screen: its subject, and the dialog about it.
//!
//! To ask about something new: a [`Subject`], and an arm in [`sheet`], [`facts`] and `confirmed`. The
//! friction, the dead time and the void plan come from [`Dialog`] and [`Confirm`](super::confirm::Confirm).

use serde::Serialize;

use super::acts::{self, Proposal};
use super::dialog::{Dialog, Field, Reply, Sheet};
use super::facts::Facts;
use super::operate::{self, Worker};
use super::reviews;
use super::state::{Overlay, SMALLEST, State};
use super::{Ask, Command, Key, KeyCode};
use crate::estate::Safe;

/// What a plan is for, by identity: a list that is sorted under the cursor cannot retarget it (I-47).
#[derive(Clone, Debug, PartialEq, Serialize)]
pub enum Subject {
    /// An act.
    Act(Proposal),
    /// A review of a deployment at GitHub: an act, too.
    Review(reviews::Proposal),
    /// An operation.
    Operation(Box<operate::Proposal>),
}

/// A subject and the dialog about it.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Plan {
    /// What it is for.
    pub subject: Subject,
    /// What was filled in and typed.
    pub dialog: Dialog,
}

/// What the dialog says, from the state as it is now.
pub fn sheet(state: &State, plan: &Plan) -> Sheet {
    match &plan.subject {
        Subject::Act(proposal) => acts::sheet(state, proposal, &plan.dialog),
        Subject::Review(proposal) => reviews::sheet(state, proposal),
        Subject::Operation(proposal) => operate::sheet(state, proposal, &plan.dialog),
    }
}

/// What the plan stands on, as it is now.
fn facts(state: &State, subject: &Subject) -> Facts {
    match subject {
        Subject::Act(proposal) => acts::facts(state, proposal),
        Subject::Review(proposal) => reviews::facts(state, proposal),
        Subject::Operation(proposal) => operate::facts(state, proposal),
    }
}

/// Does what was confirmed.
fn confirmed(state: &mut State, plan: &mut Plan) -> Result<Command, Safe> {
    match &mut plan.subject {
        Subject::Act(proposal) => acts::begin(state, proposal, &plan.dialog),
        Subject::Review(proposal) => reviews::begin(state, proposal, &plan.dialog),
        Subject::Operation(proposal) => operate::begin(state, proposal, &plan.dialog),
    }
}

/// Lays a plan over the screen.
pub fn open(state: &mut State, subject: Subject, fields: Vec<Field>, ask: Ask) {
    let facts = facts(state, &subject);
    let dialog = Dialog::new(fields, ask, facts, state.now.at);
    state.overlay = Some(Overlay::Plan(Box::new(Plan { subject, dialog })));
}

/// Takes a key, if a plan is open and the key is not one that closes or repaints.
pub fn key(state: &mut State, key: Key) -> Option<Option<Command>> {
    let is_everywhere = key.code == KeyCode::Esc || key.ctrl && "clz".contains(char_of(key));
    if is_everywhere || !matches!(state.overlay, Some(Overlay::Plan(_))) {
        return None;
    }
    if state.size.0 < SMALLEST.0 || state.size.1 < SMALLEST.1 {
        // What nobody can see nobody can have meant.
        state.tell("a plan waits behind this small window: make it larger, or Esc");
        return Some(None);
    }
    let Some(Overlay::Plan(mut plan)) = state.overlay.take() else {
        return None;
    };
    if let Subject::Operation(proposal) = &mut plan.subject {
        match (&proposal.worker, key.code) {
            // What is sent is sent: Esc leaves it to its worker.
            (Worker::Sent, _) => {
                state.overlay = Some(Overlay::Plan(plan));
                return Some(None);
            }
            (Worker::Refused(_), KeyCode::Enter) => {
                operate::again(state, proposal);
                let facts = operate::facts(state, proposal);
                plan.dialog.restart(facts, state.now.at);
                operate::refill(state, proposal, &plan.dialog);
                state.overlay = Some(Overlay::Plan(plan));
                return Some(None);
            }
            _ => {}
        }
    }
    let facts = facts(state, &plan.subject);
    let sheet = sheet(state, &plan);
    if key == Key::ctrl('x') {
        plan.dialog.shows_requests = sheet.has_requests && !plan.dialog.shows_requests;
        plan.dialog.scroll = 0;
        state.overlay = Some(Overlay::Plan(plan));
        return Some(None);
    }
    let is_refused = sheet.refusal.is_some();
    match plan.dialog.key(key, state.now.at, facts, is_refused) {
        Reply::Stay => {
            if let Subject::Operation(proposal) = &mut plan.subject {
                operate::refill(state, proposal, &plan.dialog);
            }
            state.overlay = Some(Overlay::Plan(plan));
        }
        Reply::Close => state.tell("cancelled: nothing was done"),
        Reply::Go => match confirmed(state, &mut plan) {
            Ok(command) => {
                if matches!(plan.subject, Subject::Operation(_)) {
                    state.overlay = Some(Overlay::Plan(plan));
                }
                return Some(Some(command));
            }
            Err(refusal) => state.tell(&format!("refused: {refusal}")),
        },
    }
    Some(None)
}

fn char_of(key: Key) -> char {
    match key.code {
        KeyCode::Char(c) => c,
        _ => '\0',
    }
}

/// Takes pasted text; says whether it went into a field.
pub fn paste(state: &mut State, text: &Safe) -> bool {
    let Some(Overlay::Plan(mut plan)) = state.overlay.take_if(|o| matches!(o, Overlay::Plan(_)))
    else {
        return false;
    };
    let is_taken = plan.dialog.paste(text);
    if let Subject::Operation(proposal) = &mut plan.subject {
        operate::refill(state, proposal, &plan.dialog);
    }
    state.overlay = Some(Overlay::Plan(plan));
    is_taken
}

/// Voids the open plan when what it stands on is not so any more.
pub fn compare(state: &mut State) {
    let Some(Overlay::Plan(mut plan)) = state.overlay.take_if(|o| matches!(o, Overlay::Plan(_)))
    else {
        return;
    };
    if let Subject::Operation(proposal) = &mut plan.subject {
        if proposal.worker == Worker::Sent {
            state.overlay = Some(Overlay::Plan(plan));
            return;
        }
        operate::want(state, proposal);
    }
    let facts = facts(state, &plan.subject);
    plan.dialog.compare(&facts, state.now.at);
    state.overlay = Some(Overlay::Plan(plan));
}
