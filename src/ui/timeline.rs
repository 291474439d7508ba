//! Timeline: what changed, in one list.

use jiff::tz::TimeZone;
use ratatui::layout::Rect;

use super::canvas::{Canvas, Text};
use super::theme::{Mark, Role, Theme};
use crate::app::{Panel, State, lists};
use crate::estate::timeline::{Happening, Weight};

/// The title.
pub fn title() -> Text {
    Text::plain("Timeline")
}

/// Draws the list into `area`.
pub fn draw(state: &State, canvas: &mut Canvas<'_>, area: Rect) {
    let theme = canvas.theme;
    let all = lists::happenings(state);
    if all.is_empty() {
        let said = Text::default().add("nothing seen yet", Role::Dim);
        canvas.text(area.x + 2, area.y, area.width.saturating_sub(3), &said);
        return;
    }
    let (_, at) = lists::place(state, Panel::Timeline);
    let rows = usize::from(area.height).max(1);
    let first = at
        .saturating_sub(rows / 2)
        .min(all.len().saturating_sub(rows));
    for (y, (place, happening)) in (area.y..area.bottom()).zip(all.iter().enumerate().skip(first)) {
        let room = area.width.saturating_sub(3);
        canvas.text(
            area.x + 2,
            y,
            room,
            &line(state, happening, usize::from(room), &theme),
        );
        if place == at && state.panel == Panel::Timeline && state.levels.is_empty() {
            canvas.select(Rect {
                x: area.x + 1,
                y,
                width: area.width.saturating_sub(2),
                height: 1,
            });
        }
    }
}

/// `13:58  ✗ HighResponseTime firing    8 m after the rollout`
fn line(state: &State, happening: &Happening, room: usize, theme: &Theme) -> Text {
    let (kind, role) = match happening.weight {
        Weight::Traffic => (Mark::Live, Role::Focus),
        Weight::Change => (Mark::Running, Role::Plain),
        Weight::Good => (Mark::Ok, Role::Plain),
        Weight::Bad => (Mark::Bad, Role::Bad),
        Weight::Look => (Mark::Look, Role::Warn),
    };
    let text = Text::default()
        .add(when(state, happening), Role::Dim)
        .add(format!("  {} ", theme.mark(kind)), role)
        .add(happening.what.to_string(), Role::Plain);
    let Some(note) = &happening.note else {
        return text;
    };
    let said = Text::default().add(format!("  {note}"), Role::Dim);
    match text.width() + said.width() <= room {
        true => text.pad(room - said.width()).append(said),
        false => text,
    }
}

/// The time of day; of another day, the date.
fn when(state: &State, happening: &Happening) -> String {
    let zone = if state.look.local_time {
        state.zone.clone()
    } else {
        TimeZone::UTC
    };
    let now = state.estate().server_time(state.now).to_zoned(zone.clone());
    let at = happening.at.to_zoned(zone);
    let form = if at.date() == now.date() {
        "%H:%M"
    } else {
        "%d.%m"
    };
    at.strftime(form).to_string()
}
