//! A list of entries of two lines each, around the one under the cursor.

use ratatui::layout::Rect;

use super::canvas::{Canvas, Text};
use crate::app::{Panel, State, lists};

/// Draws `entries` of `panel` into `area`; `lines` says an entry's first and second line.
pub fn draw<T>(
    state: &State,
    panel: Panel,
    canvas: &mut Canvas<'_>,
    area: Rect,
    entries: &[T],
    lines: impl Fn(&T) -> (Text, Text),
) {
    let (_, at) = lists::place(state, panel);
    let rows = usize::from(area.height / 2).max(1);
    let first = (at.saturating_sub(rows / 2)).min(entries.len().saturating_sub(rows));
    let is_focused = state.panel == panel && state.levels.is_empty();
    let mut y = area.y;
    for (place, entry) in entries.iter().enumerate().skip(first) {
        if y >= area.bottom() {
            break;
        }
        let (head, below) = lines(entry);
        canvas.text(area.x + 2, y, area.width.saturating_sub(3), &head);
        if place == at && is_focused {
            let width = area.width.saturating_sub(2);
            canvas.select(Rect::new(area.x + 1, y, width, 1));
        }
        if y + 1 < area.bottom() {
            canvas.text(area.x + 4, y + 1, area.width.saturating_sub(5), &below);
        }
        y += 2;
    }
}
