//! Asking for an approval, approving and rejecting from the screen: what each would do, and may it?

use super::barred::plain;
use super::{Edit, Field, Input, Proposal, Wish, open, sheet};
use crate::app::approvals::{self, Listed};
use crate::app::dialog::{Line, Sheet};
use crate::app::facts::Facts;
use crate::app::state::State;
use crate::app::{Action, Ask};
use crate::estate::Safe;
use crate::ops::approval::{Decision, Paper, Papers, Standing, clock};
use crate::ops::{Finding, OperationKind, Plan, Request};

/// Opens the plan of a request for another person's approval.
pub fn propose_request(state: &mut State) {
    let estate = state.estate();
    if !approvals::is_asked_for(estate) {
        let name = &estate.scope.name;
        let said = match estate.unread(state.now) {
            Some(why) => {
                format!("whether a cutover of {name} needs an approval is not known: {why}")
            }
            None => {
                let key = state.keymap.key_of(Action::Cutover);
                format!("a cutover of {name} needs nobody's approval here: {key} cuts over")
            }
        };
        state.tell(&said);
        return;
    }
    let (to, bound) = planned(state);
    propose(state, Wish::AskApproval { to, bound });
}

/// Why it may not be asked for.
pub(super) fn refused(state: &State) -> Option<Safe> {
    let (to, bound) = planned(state);
    misplaced(state, &plain(state, Wish::AskApproval { to, bound }))
}

/// What would be asked for. Without a plan there is nothing, which the dialog says.
fn planned(state: &State) -> (Safe, Safe) {
    match super::judged(state, state.selected, Ok(cutover(state))) {
        (Some(plan), _) => (plan.to, plan.bound),
        (None, _) => Default::default(),
    }
}

/// The cutover that is asked for, as nothing was said about it yet.
fn cutover(state: &State) -> Request {
    super::plain(state, OperationKind::Cutover)
}

/// Opens the plan of a decision on what the list's cursor is on, in its environment, which must be on the screen.
pub fn propose_decision(state: &mut State, listed: &Listed, decision: Decision) {
    let id = listed.asked.id.clone();
    propose(state, Wish::Decide { id, decision });
}

fn propose(state: &mut State, wish: Wish) {
    let estate = state.estate();
    let ask = Ask::of(estate.tier(), estate.scope.name.clone());
    let reason = Field {
        name: "reason",
        input: Input::Text(Edit::default()),
        is_required: true,
    };
    open(state, wish, ask, vec![reason], false);
}

/// The request of that id, and how it stands.
fn asked(state: &State, proposal: &Proposal, id: &Safe) -> Option<(Paper, Result<(), Safe>)> {
    let estate = &state.environments[proposal.environment].estate;
    let papers = Papers::in_estate(estate);
    let asked = papers.requests().find(|it| it.id == *id)?;
    let server = estate.server_time(state.now);
    let open = match papers.standing(asked, estate.scope.approval.lasts_s, server) {
        Standing::Rejected(no) => Err(format!("it was {}", no.words()).into()),
        Standing::Over => Err("it is over: have it asked for anew".into()),
        Standing::Approved(_) | Standing::Waits => Ok(()),
    };
    Some((asked.clone(), open))
}

/// Why it may not be asked for, or decided on, as far as the screen can tell.
pub(super) fn misplaced(state: &State, proposal: &Proposal) -> Option<Safe> {
    let estate = &state.environments[proposal.environment].estate;
    match &proposal.wish {
        Wish::AskApproval { bound, .. } => {
            let (plan, why) = super::judged_of(state, proposal, OperationKind::Cutover);
            match (plan, why) {
                (Some(plan), _) if plan.bound != *bound => {
                    Some("what would go live changed: look, and ask again".into())
                }
                (Some(plan), _) if plan.may_be_asked_for() => None,
                (_, Some(why)) => Some(why),
                (_, None) => {
                    let key = state.keymap.key_of(Action::Cutover);
                    Some(format!("it is approved: {key} cuts over").into())
                }
            }
        }
        Wish::Decide { id, decision } => {
            let Some((asked, open)) = asked(state, proposal, id) else {
                return Some("the request is gone".into());
            };
            let void = match decision {
                Decision::Approved => approvals::void(&asked, estate, state.now),
                Decision::Asked | Decision::Rejected => None,
            };
            open.err().or(void)
        }
        _ => None,
    }
}

/// What it stands on.
pub(super) fn facts(state: &State, proposal: &Proposal, facts: Facts) -> Facts {
    let estate = &state.environments[proposal.environment].estate;
    let request = approvals_request(state, proposal);
    let bound = match &request {
        Some(asked) => approvals::planned(asked, estate, state.now).map(|plan| plan.bound),
        None => super::judged_of(state, proposal, OperationKind::Cutover)
            .0
            .map(|plan| plan.bound)
            .ok_or_else(|| "no plan".into()),
    };
    let said = misplaced(state, proposal).unwrap_or_else(|| "open".into());
    (facts.with("what would go live", bound.unwrap_or_else(|why| why))).with("the request", said)
}

fn approvals_request(state: &State, proposal: &Proposal) -> Option<Paper> {
    match &proposal.wish {
        Wish::Decide { id, .. } => asked(state, proposal, id).map(|(asked, _)| asked),
        _ => None,
    }
}

/// What the dialog says of a request that would be made.
pub(super) fn request(state: &State, proposal: &Proposal) -> Sheet {
    let estate = &state.environments[proposal.environment].estate;
    let (plan, _) = super::judged_of(state, proposal, OperationKind::Cutover);
    let to = (plan.as_ref()).map_or_else(String::new, |plan| {
        format!(" to {}", Plan::colour_in_words(&plan.to))
    });
    let mut sheet = Sheet {
        title: format!("ASK FOR APPROVAL: cut over {}{to}", estate.scope.name),
        refusal: super::refused(state, proposal, misplaced(state, proposal)),
        verb: "ask for it",
        ..Sheet::default()
    };
    let minutes = estate.scope.approval.lasts_s / 60;
    let said = format!(
        "One other person is asked, for {minutes} minutes. It lets this revision and this flip through, and lifts no other check."
    );
    sheet.lines.extend([Line::Words(said), Line::Blank]);
    if let Some(plan) = &plan {
        sheet::full(&mut sheet, plan, estate);
        without_approval(&mut sheet);
    }
    sheet
}

/// That it is not approved yet is what this is about.
fn without_approval(sheet: &mut Sheet) {
    let is_it = |line: &Line| matches!(line, Line::Gate(gate) if gate.name.as_str() == "approval" && gate.finding == Finding::Bad);
    sheet.lines.retain(|line| !is_it(line));
}

/// What the dialog says of a decision.
pub(super) fn decision(state: &State, proposal: &Proposal, id: &Safe, decision: Decision) -> Sheet {
    let estate = &state.environments[proposal.environment].estate;
    let (word, verb) = match decision {
        Decision::Rejected => ("REJECT", "reject it"),
        Decision::Asked | Decision::Approved => ("APPROVE", "approve it"),
    };
    let mut sheet = Sheet {
        title: format!("{word} a cutover of {}", estate.scope.name),
        refusal: super::refused(state, proposal, misplaced(state, proposal)),
        verb,
        ..Sheet::default()
    };
    let Some((asked, _)) = asked(state, proposal, id) else {
        return sheet;
    };
    let to = Plan::colour_in_words(&asked.colour);
    sheet.title = format!("{} to {to}", sheet.title);
    let until = clock(asked.ends(estate.scope.approval.lasts_s));
    sheet.lines.extend([
        Line::Fact(
            "by",
            format!("{} ({}), until {until}", asked.author, asked.seat),
        ),
        Line::Fact("why", asked.reason.to_string()),
        Line::Fact("runs", asked.runs.to_string()),
    ]);
    let passes_over = asked.passes_over();
    (sheet.lines).extend(passes_over.map(|gates| Line::Fact("passes over", gates)));
    sheet.lines.push(Line::Blank);
    match (decision, approvals::planned(&asked, estate, state.now)) {
        (Decision::Approved, Ok(plan)) => {
            sheet::full(&mut sheet, &plan, estate);
            without_approval(&mut sheet);
            let head = sheet.head.take().unwrap_or_default();
            sheet.head = Some(format!("{} asks: {head}", asked.author));
        }
        _ => sheet.lines.push(Line::Words(
            "The request is ended, whoever approved it. What is asked for anew is another one."
                .to_owned(),
        )),
    }
    sheet
}
