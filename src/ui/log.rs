//! A container's log.

use ratatui::layout::Rect;

use super::canvas::{Canvas, Text, wrapped};
use super::theme::{Mark, Role};
use crate::app::State;
use crate::app::logs::{LogSource, LogView};
use crate::estate::{Fault, Safe};

/// Draws `log` into `area`, whose first row is its divider; `shift` columns are scrolled away to the left.
pub fn draw(state: &State, log: &LogView, shift: i32, canvas: &mut Canvas<'_>, area: Rect) {
    if area.height < 3 {
        return;
    }
    canvas.divider(area.y, &title(log, canvas));
    let list = Rect {
        y: area.y + 1,
        height: area.height - 1,
        ..area
    };
    let filter = state.filter.text().to_lowercase();
    let kept: Vec<&Safe> = (log.lines.iter())
        .filter(|line| filter.is_empty() || line.to_lowercase().contains(&filter))
        .collect();
    if kept.is_empty() {
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
        return;
    }
    let height = usize::from(list.height);
    if log.is_wrapped {
        let rows = rows(&kept, log.above, height, usize::from(list.width - 2));
        for (y, row) in (list.y..).zip(rows) {
            canvas.text(list.x + 1, y, list.width - 2, &Text::plain(row));
        }
        return;
    }
    let above = log.above.min(kept.len().saturating_sub(height));
    let end = kept.len() - above;
    let start = end.saturating_sub(height);
    let shift = usize::try_from(shift).unwrap_or(0);
    for (y, line) in (list.y..).zip(&kept[start..end]) {
        let shown: String = line.chars().skip(shift).collect();
        canvas.text(list.x + 1, y, list.width - 2, &Text::plain(shown));
    }
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

/// The rows of whole lines that end `above` lines before the last one; at the log's beginning those that follow it.
fn rows(lines: &[&Safe], above: usize, height: usize, columns: usize) -> Vec<String> {
    let end = lines.len() - above.min(lines.len().saturating_sub(1));
    let mut shown: Vec<String> = Vec::new();
    for line in lines[..end].iter().rev() {
        if shown.len() >= height {
            break;
        }
        shown.splice(0..0, wrapped(line, columns));
    }
    shown.drain(..shown.len().saturating_sub(height));
    for line in &lines[end..] {
        if shown.len() >= height {
            break;
        }
        shown.extend(wrapped(line, columns));
    }
    shown.truncate(height);
    shown
}

fn title(log: &LogView, canvas: &Canvas<'_>) -> Text {
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
        None => text.push(format!("  held, {} below", log.above), Role::Warn),
    }
    if log.dropped > 0 {
        text.push(format!("  {} older lines not kept", log.dropped), Role::Dim);
    }
    text
}
