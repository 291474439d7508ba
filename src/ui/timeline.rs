//! Timeline: what changed, in one list.

use jiff::tz::TimeZone;
use ratatui::layout::Rect;

use super::canvas::{Canvas, Text};
use super::theme::{Mark, Role, Theme};
use super::words;
use crate::app::{Gap, Panel, State, gaps, lists};
use crate::estate::timeline::{Happening, Weight};
use crate::estate::{Currency, Kind};

/// `Timeline  ? k8s 4m, GitHub unknown  alerts only  23 hidden`
pub fn title(state: &State, theme: &Theme) -> Text {
    let (topics, hidden) = lists::hidden(state);
    let mut text = Text::plain("Timeline");
    let gaps = gaps(state);
    match doubt(&gaps) {
        None => {}
        Some(Mark::Waiting) => text.push(
            format!("  {} waiting", theme.mark(Mark::Waiting)),
            Role::Dim,
        ),
        Some(mark) => {
            let said: Vec<String> = gaps.iter().map(gap).collect();
            let said = format!("  {} {}", theme.mark(mark), said.join(", "));
            text.push(said, Role::Warn);
        }
    }
    let topics: Vec<_> = topics.iter().map(|t| t.word()).collect();
    if !topics.is_empty() {
        text.push(format!("  {} only", topics.join(" ")), Role::Focus);
    }
    if hidden > 0 {
        text.push(format!("  {hidden} hidden"), Role::Dim);
    }
    text
}

/// The mark of a list from which something is missing: UNKNOWN, or not answered yet.
pub fn doubt(gaps: &[Gap]) -> Option<Mark> {
    let is_waiting = |gap: &Gap| gap.currency == Currency::Waiting;
    match gaps.iter().all(is_waiting) {
        true => gaps.first().map(|_| Mark::Waiting),
        false => Some(Mark::Unknown),
    }
}

/// `k8s 4m`
fn gap(gap: &Gap) -> String {
    let how = match (gap.currency, gap.age) {
        (Currency::Live, _) => "partial".to_owned(),
        (Currency::Waiting, _) => "waiting".to_owned(),
        // Below the first step of ages it is not known better.
        (Currency::Stale, Some(ms @ 10_000..)) => {
            words::age(i64::try_from(ms / 1_000).unwrap_or(i64::MAX))
        }
        (Currency::Stale, _) => "unknown".to_owned(),
    };
    format!("{} {how}", gap.of)
}

/// Draws the list into `area`.
pub fn draw(state: &State, canvas: &mut Canvas<'_>, area: Rect) {
    let theme = canvas.theme;
    let story = lists::story(state);
    let all = &story.shown;
    if all.is_empty() {
        let (said, role) = match (story.hidden, doubt(&gaps(state))) {
            (0, None) => ("nothing is known to have changed".to_owned(), Role::Dim),
            (0, Some(Mark::Waiting)) => ("waiting for the first answers".to_owned(), Role::Dim),
            (0, Some(_)) => (
                "whether anything changed is not known".to_owned(),
                Role::Warn,
            ),
            (hidden, _) => (
                format!("nothing of that; {hidden} other entries are hidden"),
                Role::Dim,
            ),
        };
        let said = Text::default().add(said, role);
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
    if state.estate().currency(Kind::Pods, state.now.at) == Currency::Stale {
        canvas.dim(area);
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
        "%m-%d"
    };
    at.strftime(form).to_string()
}
