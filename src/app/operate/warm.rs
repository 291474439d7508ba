//! How long the idle colour is kept warm, from the screen: what would be said, and may it?

use jiff::SignedDuration;

use super::{Field, Input, Proposal, Wish, because, open, permit, reason};
use crate::app::Ask;
use crate::app::dialog::{Dialog, Line, Sheet};
use crate::app::facts::Facts;
use crate::app::state::State;
use crate::estate::{Safe, Tier};
use crate::ops::Refusal;
use crate::ops::warm::{Draft, Wanted, check, warmth};

/// What may be said: words, minutes; none: until somebody lets it go.
const KEEP: [(&str, Option<i64>); 6] = [
    ("hold", None),
    ("1h", Some(60)),
    ("4h", Some(240)),
    ("24h", Some(1_440)),
    ("72h", Some(4_320)),
    ("let go", Some(0)),
];

/// Opens the plan.
pub fn propose_warm(state: &mut State) {
    let shown = stands_on(state, state.selected);
    let estate = state.estate();
    let ask = Ask::of(estate.tier(), estate.scope.name.clone());
    let fields = vec![
        reason(Tier::Production),
        Field {
            name: "keep",
            input: Input::Choice(KEEP.iter().map(|(words, _)| *words).collect(), 0),
            is_required: true,
        },
    ];
    let wanted = Wanted::Hold;
    open(state, Wish::Warm { wanted, shown }, ask, fields, false);
}

/// What would be written, as far as the screen knows; who says so, the API tells when it is done.
fn draft(state: &State, at: usize, wanted: Wanted, why: &str) -> Result<Draft, Refusal> {
    let because = because(state, why);
    check(wanted, &because, &state.environments[at].estate, state.now)
}

/// Why nothing may be said, before anything is filled in.
pub(super) fn refused(state: &State) -> Option<Safe> {
    let drafted = draft(state, state.selected, Wanted::Hold, "…");
    drafted.err().map(|refusal| refusal.why)
}

/// What was chosen, by the server's clock.
fn chosen(state: &State, proposal: &Proposal, dialog: &Dialog) -> Wanted {
    let estate = &state.environments[proposal.environment].estate;
    let value = dialog.value("keep");
    let minutes = KEEP.iter().find(|(words, _)| *words == value);
    match minutes.and_then(|(_, minutes)| *minutes) {
        None => Wanted::Hold,
        Some(0) => Wanted::Release,
        Some(minutes) => {
            let end = estate.server_time(state.now);
            let end = end.checked_add(SignedDuration::from_mins(minutes));
            end.map_or(Wanted::Hold, Wanted::Extend)
        }
    }
}

/// What the plan stands on.
pub(super) fn facts(state: &State, proposal: &Proposal, facts: Facts) -> Facts {
    facts.with("what is idle", stands_on(state, proposal.environment))
}

/// What is idle there, or why nothing may be said of it.
fn stands_on(state: &State, at: usize) -> Safe {
    let drafted = draft(state, at, Wanted::Hold, "…");
    drafted.map_or_else(|refusal| refusal.why, |draft| draft.stands_on())
}

/// What the dialog says.
pub(super) fn sheet(state: &State, proposal: &Proposal, dialog: &Dialog) -> Sheet {
    let estate = &state.environments[proposal.environment].estate;
    let wanted = chosen(state, proposal, dialog);
    let drafted = draft(state, proposal.environment, wanted, dialog.value("reason"));
    let now = warmth(estate, Some(estate.server_time(state.now)));
    let mut sheet = Sheet {
        title: format!("KEEP WARM {}", estate.scope.name),
        verb: "say so",
        ..Sheet::default()
    };
    sheet
        .lines
        .extend(now.map(|warmth| Line::Fact("is", warmth.words())));
    match drafted {
        Ok(draft) => {
            sheet.title = draft.title().to_uppercase();
            sheet.lines.push(Line::Fact("then", draft.then()));
            sheet.lines.push(Line::Blank);
            let said = "It is about the last flip alone: after another one the delay begins anew.";
            sheet.lines.push(Line::Words(said.to_owned()));
            sheet.refusal = super::refused(state, proposal, None);
        }
        Err(refusal) => sheet.refusal = super::refused(state, proposal, Some(refusal.why)),
    }
    sheet
}

/// Whether it may be sent.
///
/// # Errors
/// Why not.
pub(super) fn begin(state: &State, proposal: &Proposal, dialog: &Dialog) -> Result<Wish, Safe> {
    permit(state, proposal)?;
    let wanted = chosen(state, proposal, dialog);
    let drafted = draft(state, proposal.environment, wanted, dialog.value("reason"));
    let draft = drafted.map_err(|refusal| refusal.why)?;
    let shown = draft.stands_on();
    Ok(Wish::Warm { wanted, shown })
}
