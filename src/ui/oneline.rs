//! A window too small for panels still says who is live: `PROD shop: BLUE live | resize to 60x15`.

use super::canvas::{Canvas, Text};
use super::theme::{Mark, Role, Theme};
use super::words;
use crate::app::State;
use crate::estate::{Kind, Standing};

/// Draws the one line.
pub fn draw(state: &State, canvas: &mut Canvas<'_>) {
    let estate = state.estate();
    let demo = if state.demo.is_some() { "DEMO " } else { "" };
    let badge = words::tier_badge(estate.tier());
    let live = words::live_word(estate);
    let mut text = Text::default()
        .add(format!("{demo}{badge} "), Role::Focus)
        .add(format!("{}: {live}", state.title), Role::Plain);
    let kinds = [Kind::Services, Kind::Pods];
    if let (Some(mark), said) = words::currency(estate, &kinds, state.now) {
        text.push(
            format!(" {} {said}", canvas.theme.mark(mark)),
            Theme::role(mark),
        );
    }
    match estate.index.trouble() {
        0 => {}
        n => text.push(format!(" {} {n}", canvas.theme.mark(Mark::Bad)), Role::Bad),
    }
    if let Standing::Frozen(_) = estate.standing(state.now) {
        text.push(" FROZEN", Role::Warn);
    }
    if !state.environment().operations.open_glass().is_empty() {
        text.push(" BREAK-GLASS", Role::Bad);
    }
    if let Some(word) = super::operation::word(state) {
        text.push(format!(" | {word}"), Role::Focus);
    }
    text.push(" | resize to 60x15", Role::Dim);
    let area = canvas.area;
    canvas.text(area.x, area.y, area.width, &text);
}
