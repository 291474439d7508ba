//! A container's log.

use ratatui::layout::Rect;

use super::canvas::{Canvas, Text, wrapped};
use super::theme::{Mark, Role};
use crate::app::State;
use crate::app::logs::{LogSource, LogView};
use crate::estate::{Fault, Safe};

/// Draws `log` into `area`, whose first row is its divider; `shift` columns are scrolled away to the left. Returns the number
/// of the last line that is shown.
pub fn draw(
    state: &State,
    log: &LogView,
    shift: i32,
    canvas: &mut Canvas<'_>,
    area: Rect,
) -> Option<usize> {
    if area.height < 3 {
        return None;
    }
    let filter = state.filter.text();
    let kept = log.kept(filter);
    let pinned = notes(log, canvas, area);
    let list = Rect {
        y: area.y + 1 + pinned,
        height: area.height - 1 - pinned,
        ..area
    };
    let last = match kept.is_empty() {
        true => {
            none(log, filter, canvas, list);
            None
        }
        false => Some(lines(log, &kept, shift, canvas, list)),
    };
    let below = kept.len() - last.map_or(0, |last| last + 1);
    canvas.divider(area.y, &title(log, below, canvas));
    last.map(|last| kept[last].0)
}

/// What holds for all of the log, above its lines and at most half of them; returns the rows used.
fn notes(log: &LogView, canvas: &mut Canvas<'_>, area: Rect) -> u16 {
    let columns = usize::from(area.width - 2);
    let rows = log.notes.iter().flat_map(|note| wrapped(note, columns));
    let mut used = 0;
    for row in rows.take(usize::from((area.height - 1) / 2)) {
        let row = Text::default().add(row, Role::Warn);
        canvas.text(area.x + 1, area.y + 1 + used, area.width - 2, &row);
        used += 1;
    }
    used
}

/// Why there is no line.
fn none(log: &LogView, filter: &str, canvas: &mut Canvas<'_>, list: Rect) {
    let said = match (&log.ended, filter.is_empty()) {
        (_, false) => "no line matches".to_owned(),
        (Some(None), true) => "the log is empty".to_owned(),
        (Some(Some(fault)), true) => failed(log, fault),
        (None, true) => "waiting for the first line".to_owned(),
    };
    let lines = wrapped(&said, usize::from(list.width - 2));
    for (y, line) in (list.y..list.bottom()).zip(lines) {
        let line = Text::default().add(line, Role::Dim);
        canvas.text(list.x + 1, y, list.width - 2, &line);
    }
}

/// The lines that have room, whole or cut; returns the place of the last one.
fn lines(
    log: &LogView,
    kept: &[(usize, &Safe)],
    shift: i32,
    canvas: &mut Canvas<'_>,
    list: Rect,
) -> usize {
    let (place, height) = (log.place(kept), usize::from(list.height));
    if log.is_wrapped {
        let (rows, last) = rows(kept, place, height, usize::from(list.width - 2));
        for (y, row) in (list.y..).zip(rows) {
            canvas.text(list.x + 1, y, list.width - 2, &Text::plain(row));
        }
        return last;
    }
    let end = (place + 1).max(height).min(kept.len());
    let start = end.saturating_sub(height);
    let shift = usize::try_from(shift).unwrap_or(0);
    for (y, (_, line)) in (list.y..).zip(&kept[start..end]) {
        let shown: String = line.chars().skip(shift).collect();
        canvas.text(list.x + 1, y, list.width - 2, &Text::plain(shown));
    }
    end - 1
}

/// Why there is none, and what brings it: nothing asks for it again by itself.
fn failed(log: &LogView, fault: &Fault) -> String {
    match &log.source {
        LogSource::Container(it) if it.previous && fault.what.contains("previous terminated") => {
            "no previous run: this container was never restarted, or its log is gone".to_owned()
        }
        LogSource::Container(_) => fault.what.to_string(),
        LogSource::Job { .. } => format!("{}. Esc, then Enter asks again", fault.what),
    }
}

/// The rows of whole lines up to the one at `place`; at the log's beginning those that follow it, too. And the place of the
/// last line that is whole.
fn rows(
    lines: &[(usize, &Safe)],
    place: usize,
    height: usize,
    columns: usize,
) -> (Vec<String>, usize) {
    let mut shown: Vec<String> = Vec::new();
    for (_, line) in lines[..=place].iter().rev() {
        if shown.len() >= height {
            break;
        }
        shown.splice(0..0, wrapped(line, columns));
    }
    shown.drain(..shown.len().saturating_sub(height));
    let mut last = place;
    for (_, line) in &lines[place + 1..] {
        if shown.len() >= height {
            break;
        }
        shown.extend(wrapped(line, columns));
        last += usize::from(shown.len() <= height);
    }
    shown.truncate(height);
    (shown, last)
}

fn title(log: &LogView, below: usize, canvas: &Canvas<'_>) -> Text {
    let mut text = match &log.source {
        LogSource::Container(target) => Text::default()
            .add(format!("Log  {}", target.pod), Role::Focus)
            .add(format!("  {}", target.container), Role::Plain),
        LogSource::Job { run, name, .. } => Text::default()
            .add(format!("Log  #{run}"), Role::Focus)
            .add(format!("  {name}"), Role::Plain),
    };
    if matches!(&log.source, LogSource::Container(target) if target.previous) {
        text.push("  previous run", Role::Warn);
    }
    match &log.ended {
        Some(Some(fault)) => {
            let said = format!("  {} {}", canvas.theme.mark(Mark::Unknown), fault.what);
            text.push(said, Role::Warn);
        }
        Some(None) => text.push("  ended", Role::Dim),
        None if log.is_following => text.push("  following", Role::Dim),
        None => text.push(format!("  held, {below} below"), Role::Warn),
    }
    if log.dropped > 0 {
        text.push(format!("  {} older lines not kept", log.dropped), Role::Dim);
    }
    text
}
