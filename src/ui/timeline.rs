//! Timeline: what changed, in one list.

use jiff::tz::TimeZone;
use ratatui::layout::Rect;

use super::canvas::{Canvas, Text};
use super::theme::{Mark, Role, Theme};
use crate::app::{Panel, State, lists};
use crate::estate::timeline::{Happening, Weight};

/// `Timeline  alerts only, 23 hidden`, and what of it cannot be known.
pub fn title(state: &State, theme: &Theme) -> Text {
    let (topics, hidden) = lists::hidden(state);
    let mut text = Text::plain("Timeline");
    let topics: Vec<_> = topics.iter().map(|t| t.word()).collect();
    if !topics.is_empty() {
        text.push(format!("  {} only", topics.join(" ")), Role::Focus);
    }
    if hidden > 0 {
        text.push(format!("  {hidden} hidden"), Role::Dim);
    }
    let alerts = state.estate().alerts.as_ref();
    if alerts.is_some_and(|a| a.spells.fault.is_some()) {
        let said = format!("  {} ended alerts unknown", theme.mark(Mark::Unknown));
        text.push(said, Role::Warn);
    }
    text
}

/// Draws the list into `area`.
pub fn draw(state: &State, canvas: &mut Canvas<'_>, area: Rect) {
    let theme = canvas.theme;
    let story = lists::story(state);
    let all = &story.shown;
    if all.is_empty() {
        let said = match story.hidden {
            0 => "nothing is known to have changed".to_owned(),
            hidden => format!("nothing of that; {hidden} other entries are hidden"),
        };
        let said = Text::default().add(said, Role::Dim);
        canvas.text(area.x + 2, area.y, area.width.saturating_sub(3), &said);
        return;
    }
    let at = story.place(state);
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
    // All of it, else the delta, which nothing else on the screen says, else who or what it was.
    let [named, bare] = happening.deltas().map_or([None, None], |d| d.map(Some));
    let parts = [
        happening.tail(),
        happening.after.as_ref().map(ToString::to_string),
        named,
        bare,
        happening.note.as_ref().map(ToString::to_string),
    ];
    for said in parts.into_iter().flatten() {
        let said = Text::default().add(format!("  {said}"), Role::Dim);
        if text.width() + said.width() <= room {
            return text.pad(room - said.width()).append(said);
        }
    }
    text
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
