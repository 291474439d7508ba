//! What the policy forbids, and the glass that was broken all the same: lines that stand at every size.

use super::canvas::{Text, fit, width};
use super::theme::{Mark, Role, Theme};
use super::words;
use crate::app::{Action, State, approvals, operations};
use crate::estate::{Freeze, Standing};
use crate::ops::Kept;

/// Lines of broken glass; more are counted.
const MOST: usize = 2;
/// Columns under which a line says no key.
const ROOMY: usize = 98;

/// The lines, for `room` columns.
pub(super) fn lines(state: &State, room: usize, theme: &Theme) -> Vec<Text> {
    let mut lines = glass(state, room, theme);
    lines.extend(waiting(state, room, theme));
    match state.estate().standing(state.now) {
        Standing::Free | Standing::Unseen(_) => {}
        Standing::Frozen(freeze) => lines.push(frozen(state, &freeze, room, theme)),
        Standing::Wrong(why) => {
            let said = format!(
                "{} policy UNKNOWN, no cutover: {why}",
                theme.mark(Mark::Unknown)
            );
            lines.push(Text::default().add(fit(&said, room, theme), Role::Warn));
        }
    }
    lines
}

/// `! FROZEN by carol until Fri 18:00Z: Black Friday`
fn frozen(state: &State, freeze: &Freeze, room: usize, theme: &Theme) -> Text {
    let lead = format!("{} FROZEN ", theme.mark(Mark::Look));
    let until = match freeze.until {
        Some(until) => format!("until {}", words::soon(until, state)),
        None => "until thawed".to_owned(),
    };
    let since = freeze.since.map_or_else(String::new, |since| {
        format!(
            ", {} ago",
            words::age_of(Some(since), state.estate(), state.now)
        )
    });
    let forms = [
        format!("by {}{since}, {until}: {}", freeze.by(), freeze.why),
        format!("by {} {until}: {}", freeze.who, freeze.why),
    ];
    let fits = |form: &&String| width(&lead) + width(form) <= room;
    let said = forms.iter().find(fits).unwrap_or(&forms[1]);
    let text = Text::default().add(lead.clone(), Role::Warn).add(
        fit(said, room.saturating_sub(width(&lead)), theme),
        Role::Warn,
    );
    with_key(state, text, Action::Thaw, "thaws", room)
}

/// `‖ APPROVAL waits until 15:02Z, asked by dave: v2 is due   6 shows it`
fn waiting(state: &State, room: usize, theme: &Theme) -> Option<Text> {
    let estate = state.estate();
    let waiting = approvals::waiting(estate, state.now);
    let asked = waiting.first()?;
    let more = match waiting.len() {
        1 => String::new(),
        many => format!(" (and {} more)", many - 1),
    };
    let until = words::soon(asked.ends(estate.scope.approval.lasts_s), state);
    let said = format!(
        "{} APPROVAL waits until {until}{more}, asked by {}: {}",
        theme.mark(Mark::Approval),
        asked.author,
        asked.reason
    );
    let text = Text::default().add(fit(&said, room, theme), Theme::role(Mark::Approval));
    Some(with_key(state, text, Action::Approvals, "shows it", room))
}

/// `✗ BREAK-GLASS by dave 5m ago: hotfix for the till   K closes it with a note`
fn glass(state: &State, room: usize, theme: &Theme) -> Vec<Text> {
    let open = state.environment().operations.open_glass();
    let mut lines: Vec<Text> = (open.iter().take(MOST))
        .map(|kept| broken(state, kept, room, theme))
        .collect();
    let more = open.len().saturating_sub(MOST);
    if more > 0 {
        let said = format!("{} and {more} more broken glasses", theme.mark(Mark::Bad));
        lines.push(Text::default().add(said, Role::Bad));
    }
    lines
}

fn broken(state: &State, kept: &Kept, room: usize, theme: &Theme) -> Text {
    let Some(glass) = kept.operation.open_glass() else {
        return Text::default();
    };
    let age = words::age_of(Some(glass.at), state.estate(), state.now);
    let by = operations::who(&glass.by);
    let said = format!(
        "{} BREAK-GLASS by {by} {age} ago: {}",
        theme.mark(Mark::Bad),
        glass.reason
    );
    let text = Text::default().add(fit(&said, room, theme), Role::Bad);
    with_key(
        state,
        text,
        Action::CloseGlass,
        "closes it with a note",
        room,
    )
}

fn with_key(state: &State, text: Text, action: Action, what: &str, room: usize) -> Text {
    let key = state.keymap.key_of(action);
    let hint = Text::default()
        .add(format!("   {key}"), Role::Title)
        .add(format!(" {what}"), Role::Dim);
    match room >= ROOMY && text.width() + hint.width() <= room {
        true => text.append(hint),
        false => text,
    }
}
