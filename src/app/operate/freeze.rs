//! Freeze, thaw and the follow-up of broken glass from the screen: what each would do, and may it?

use jiff::SignedDuration;

use super::{Edit, Field, Input, Proposal, Wish, because, open, permit};
use crate::app::dialog::{Dialog, Line, Sheet};
use crate::app::facts::Facts;
use crate::app::operations;
use crate::app::state::State;
use crate::app::{Action, Ask};
use crate::estate::{Freeze, Safe, Standing};
use crate::ops::freeze::{Draft, Wanted, check, own};
use crate::ops::{OperationKind, Plan, Refusal};

/// How long a freeze may last from now on: words, minutes; the last has no end.
const LASTS: [(&str, i64); 6] = [
    ("1h", 60),
    ("4h", 240),
    ("8h", 480),
    ("24h", 1_440),
    ("72h", 4_320),
    ("no end", 0),
];
/// What stands there first.
const FIRST: usize = 1;

/// Opens the plan of a freeze or of its end.
pub fn propose_freeze(state: &mut State, wanted: Wanted) {
    let estate = state.estate();
    let ask = Ask::of(estate.tier(), estate.scope.name.clone());
    let before = own(estate).cloned();
    let mut fields = vec![reason("reason")];
    if let Wanted::Freeze(_) = wanted {
        fields.push(Field {
            name: "for",
            input: Input::Choice(LASTS.iter().map(|(words, _)| *words).collect(), FIRST),
            is_required: true,
        });
    }
    open(state, Wish::Policy { wanted, before }, ask, fields, false);
}

/// Opens the plan of a cutover that passes over a freeze.
pub fn propose_glass(state: &mut State) {
    match state.estate().standing(state.now) {
        Standing::Free => {
            let key = state.keymap.key_of(Action::Cutover);
            state.tell(&format!("nothing is frozen here: {key} cuts over"));
        }
        Standing::Frozen(_) | Standing::Wrong(_) | Standing::Unseen(_) => {
            let ask = Ask::Word("break-glass".into());
            let wish = Wish::Start(OperationKind::Cutover);
            open(state, wish, ask, vec![reason("reason")], true);
        }
    }
}

/// Opens the follow-up of the newest broken glass.
pub fn propose_follow_up(state: &mut State) {
    let environment = state.environment();
    let glass = environment.operations.open_glass();
    let Some(id) = glass.first().map(|kept| kept.id.clone()) else {
        let name = &environment.estate.scope.name;
        let said = format!("no broken glass of {name} waits for anybody");
        state.tell(&said);
        return;
    };
    let ask = Ask::of(environment.estate.tier(), "close-glass".into());
    open(
        state,
        Wish::CloseGlass(id),
        ask,
        vec![reason("note")],
        false,
    );
}

fn reason(name: &'static str) -> Field {
    Field {
        name,
        input: Input::Text(Edit::default()),
        is_required: true,
    }
}

/// What would be written, as far as the screen knows; who says so, the API tells when it is done.
fn draft(state: &State, at: usize, wanted: &Wanted, why: &str) -> Result<Draft, Refusal> {
    let because = because(state, why);
    check(wanted, &because, &state.environments[at].estate, state.now)
}

/// Why it may not be, before anything is filled in.
pub(super) fn refused(state: &State, wanted: &Wanted) -> Option<Safe> {
    let drafted = draft(state, state.selected, wanted, "");
    drafted.err().map(|refusal| refusal.why)
}

/// What is wanted, with the end that was chosen, by the server's clock.
pub(super) fn chosen(
    state: &State,
    proposal: &Proposal,
    wanted: &Wanted,
    dialog: &Dialog,
) -> Wanted {
    let Wanted::Freeze(_) = wanted else {
        return Wanted::Thaw;
    };
    let server = state.environments[proposal.environment]
        .estate
        .server_time(state.now);
    let value = dialog.value("for");
    let minutes = LASTS.iter().find(|(words, _)| *words == value);
    let minutes = minutes.map(|(_, minutes)| *minutes).filter(|it| *it > 0);
    let end = |minutes| server.checked_add(SignedDuration::from_mins(minutes)).ok();
    Wanted::Freeze(minutes.and_then(end))
}

/// What the plan of a freeze or of its end stands on.
pub(super) fn facts(state: &State, proposal: &Proposal, facts: Facts) -> Facts {
    let estate = &state.environments[proposal.environment].estate;
    let words = own(estate).map_or_else(|| "none".to_owned(), Freeze::words);
    facts.with("the freeze", words)
}

/// What the dialog says of a freeze or of its end.
pub(super) fn sheet(state: &State, proposal: &Proposal, wanted: &Wanted, dialog: &Dialog) -> Sheet {
    let estate = &state.environments[proposal.environment].estate;
    let wanted = chosen(state, proposal, wanted, dialog);
    let drafted = draft(state, proposal.environment, &wanted, dialog.value("reason"));
    let mut sheet = Sheet {
        title: format!("{} {}", wanted.word().to_uppercase(), estate.scope.name),
        verb: match wanted {
            Wanted::Freeze(_) => "freeze it",
            Wanted::Thaw => "thaw it",
        },
        ..Sheet::default()
    };
    match drafted {
        Ok(draft) => {
            let (before, after) = draft.change();
            sheet.lines = vec![
                Line::Fact("is", before),
                Line::Fact("then", after),
                Line::Blank,
                Line::Words(draft.consequence().to_owned()),
            ];
            sheet.refusal = super::refused(state, proposal, None);
        }
        Err(refusal) => sheet.refusal = super::refused(state, proposal, Some(refusal.why)),
    }
    sheet
}

/// What the dialog says of the follow-up of operation `id`.
pub(super) fn follow_up(state: &State, proposal: &Proposal, id: &Safe) -> Sheet {
    let environment = &state.environments[proposal.environment];
    let mut sheet = Sheet {
        title: format!(
            "CLOSE the broken glass of {}",
            environment.estate.scope.name
        ),
        verb: "close it",
        refusal: super::refused(state, proposal, closed(state, proposal, id)),
        ..Sheet::default()
    };
    let Some(kept) = environment.operations.get(id) else {
        return sheet;
    };
    sheet.lines.push(Line::Fact("operation", id.to_string()));
    if let Some(plan) = &kept.operation.plan {
        sheet.lines.push(Line::Fact("what", Plan::title(plan)));
    }
    if let Some(glass) = &kept.operation.glass {
        let by = operations::who(&glass.by);
        let said = format!("by {by} at {:.0}: {}", glass.at, glass.reason);
        sheet.lines.push(Line::Fact("broken", said));
    }
    let said = "The red line goes from every screen; the note stays in the record.";
    sheet
        .lines
        .extend([Line::Blank, Line::Words(said.to_owned())]);
    sheet
}

/// Why it cannot be followed up.
pub(super) fn closed(state: &State, proposal: &Proposal, id: &Safe) -> Option<Safe> {
    let environment = &state.environments[proposal.environment];
    let Some(kept) = environment.operations.get(id) else {
        return Some("its record is gone".into());
    };
    let (by, note) = kept.operation.glass.as_ref()?.closed.as_ref()?;
    Some(format!("{} closed it already: {note}", operations::who(by)).into())
}

/// Whether it may be sent.
///
/// # Errors
/// Why not.
pub(super) fn begin(
    state: &State,
    proposal: &Proposal,
    wanted: &Wanted,
    before: Option<&Freeze>,
    dialog: &Dialog,
) -> Result<Wish, Safe> {
    permit(state, proposal)?;
    let wanted = chosen(state, proposal, wanted, dialog);
    let drafted = draft(state, proposal.environment, &wanted, dialog.value("reason"));
    drafted.map_err(|refusal| refusal.why)?;
    Ok(Wish::Policy {
        wanted,
        before: before.cloned(),
    })
}
