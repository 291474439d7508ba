//! `draw(&State)`: what the screen says, as a pure function of the state. No clock, no I/O.
//!
//! One file a panel. Everything is laid out in a frame of borders; Traffic is on the screen at every
//! size; a panel with nothing to say shrinks to its title with the reason.

pub mod theme;

mod alerts;
mod approvals;
mod canvas;
mod chart;
mod detail;
mod dialog;
mod frame;
mod log;
mod oneline;
mod operation;
mod overlay;
mod pairs;
mod panels;
mod pods;
mod policy;
mod runs;
mod timeline;
mod traffic;
mod words;

pub use words::age;

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use crate::app::state::SMALLEST;
use crate::app::{State, View};
use canvas::Canvas;
use theme::Theme;

/// Draws `state` into `buf`, whatever the size of `area`. Returns the number of the last line that is shown of a log: only
/// the frame knows how many have room.
pub fn draw(state: &State, area: Rect, buf: &mut Buffer) -> Option<usize> {
    let area = area.intersection(buf.area);
    if area.is_empty() {
        return None;
    }
    let theme = Theme::of(state);
    let mut canvas = Canvas::new(buf, area, theme);
    if area.width < SMALLEST.0 || area.height < SMALLEST.1 {
        oneline::draw(state, &mut canvas);
        return None;
    }
    frame::draw(state, &mut canvas);
    let inner = canvas.area.inner(ratatui::layout::Margin::new(1, 1));
    let used = traffic::draw(state, &mut canvas, inner);
    let below = Rect {
        y: inner.y + used,
        height: inner.height.saturating_sub(used),
        ..inner
    };
    let foot = operation::draw(state, &mut canvas, below);
    let below = Rect {
        height: below.height - foot,
        ..below
    };
    let mut last = None;
    match state.levels.last() {
        None => panels::draw(state, &mut canvas, below),
        Some(level) => match &level.view {
            View::Log(view) => last = log::draw(state, view, level.scroll, &mut canvas, below),
            _ => detail::draw(state, level, &mut canvas, below),
        },
    }
    frame::overflow(state, &mut canvas, foot);
    overlay::draw(state, &mut canvas);
    last
}

/// The terminal window's title: plain ASCII, production in capitals.
pub fn window_title(state: &State) -> String {
    let estate = state.estate();
    let live = words::live_word(estate);
    let title = format!(
        "{}{} {} - {live}",
        if state.demo.is_some() { "DEMO " } else { "" },
        words::tier_badge(estate.tier()),
        estate.scope.name,
    );
    title
        .chars()
        .filter(|c| (' '..='~').contains(c))
        .take(80)
        .collect()
}
