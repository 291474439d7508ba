//! The first screen below Traffic: Pods, and room for Runs, Alerts, Timeline and Operation.

use ratatui::layout::Rect;

use super::canvas::{Canvas, Text};
use super::pods;
use super::theme::Role;
use crate::app::{Panel, State};

/// From here on the panels that say why they are empty stand beside each other below Pods.
const WIDE: (u16, u16) = (100, 20);

/// The panels whose sources come with a later version, and what they will say.
const UNCONNECTED: [(Panel, &str, &str, &str); 3] = [
    (Panel::Runs, "1", "Runs", "GitHub workflow runs"),
    (Panel::Alerts, "3", "Alerts", "Prometheus alerts"),
    (
        Panel::Timeline,
        "4",
        "Timeline",
        "what changed, in one list",
    ),
];

/// Draws them into `area`, whose first row is the divider below Traffic.
pub fn draw(state: &State, canvas: &mut Canvas<'_>, area: Rect) {
    if area.height < 4 {
        return;
    }
    match area.width + 2 >= WIDE.0 && area.height >= WIDE.1 {
        true => wide(state, canvas, area),
        false => tabs(state, canvas, area),
    }
}

/// Pods over the whole width; the unconnected panels as titles with their reasons.
fn wide(state: &State, canvas: &mut Canvas<'_>, area: Rect) {
    let strips = 3;
    canvas.divider(
        area.y,
        &title(state, Panel::Pods, "2", pods::title(state, &canvas.theme)),
    );
    let list = Rect {
        y: area.y + 1,
        height: area.height - 1 - strips,
        ..area
    };
    pods::draw(state, canvas, list);
    let top = list.bottom();
    canvas.divider(top, &Text::default());
    let borders = canvas.theme.borders();
    let third = area.width / 3;
    for (place, (panel, key, name, what)) in (0u16..).zip(UNCONNECTED) {
        let x = area.x + place * third;
        if place > 0 {
            canvas.symbol(x, top, borders.tees[0]);
            canvas.symbol(x, top + 1, borders.inner[1]);
        }
        canvas.titled(
            x + 1,
            top,
            third - 2,
            &title(state, panel, key, Text::plain(name)),
        );
        let said = Text::default().add(format!("not connected: {what}"), Role::Dim);
        canvas.text(x + 2, top + 1, third - 3, &said);
    }
    operation(canvas, top + 2);
}

/// One panel of choice, the others as tabs in its title.
fn tabs(state: &State, canvas: &mut Canvas<'_>, area: Rect) {
    let mut tabs = Text::default();
    let own = match state.panel {
        Panel::Traffic | Panel::Pods => Panel::Pods,
        other => other,
    };
    for (panel, key, name) in [
        (Panel::Runs, "1", "Runs"),
        (Panel::Pods, "2", "Pods"),
        (Panel::Alerts, "3", "Alerts"),
        (Panel::Timeline, "4", "Time"),
    ] {
        let (open, close) = if panel == own { ("[", "]") } else { ("", "") };
        let role = if panel == state.panel {
            Role::Focus
        } else {
            Role::Title
        };
        let role = if panel == own { role } else { Role::Dim };
        let gap = if tabs.is_empty() { "" } else { "  " };
        tabs.push(format!("{gap}{open}{key} {name}{close}"), role);
    }
    canvas.divider(area.y, &Text::default());
    let room = area.width.saturating_sub(2);
    let said = pods::title(state, &canvas.theme);
    let used = u16::try_from(tabs.width()).unwrap_or(0) + 2;
    canvas.titled(area.x + 1, area.y, room, &tabs);
    let said_room = room.saturating_sub(used + 2);
    if usize::from(said_room) >= said.width() + 2 {
        let right = area.x + 1 + room - u16::try_from(said.width() + 2).unwrap_or(0);
        canvas.titled(right, area.y, said_room, &said);
    }
    let has_foot = area.height >= 10;
    let list = Rect {
        y: area.y + 1,
        height: area.height - 1 - u16::from(has_foot),
        ..area
    };
    match UNCONNECTED.iter().find(|(panel, ..)| *panel == own) {
        None => pods::draw(state, canvas, list),
        Some((_, _, name, what)) => {
            let said = format!("{name} is not connected in this version: {what} come later.");
            canvas.text(
                list.x + 1,
                list.y,
                list.width - 2,
                &Text::default().add(said, Role::Dim),
            );
        }
    }
    if has_foot {
        operation(canvas, list.bottom());
    }
}

fn operation(canvas: &mut Canvas<'_>, y: u16) {
    let said = Text::default()
        .add("Operation", Role::Title)
        .add("  none: this version only watches", Role::Dim);
    canvas.divider(y, &said);
}

/// A panel's number and title, bright if it has the focus.
fn title(state: &State, panel: Panel, key: &str, rest: Text) -> Text {
    let role = if state.panel == panel {
        Role::Focus
    } else {
        Role::Title
    };
    let mut pieces = rest.0.into_iter();
    let first = pieces.next().map(|p| p.0).unwrap_or_default();
    let mut text = Text::default().add(format!("{key} {first}"), role);
    text.0.extend(pieces);
    text
}
