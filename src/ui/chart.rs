//! A small chart of one series: dots of braille, or stars where only ASCII may be drawn. What has no value
//! is a gap, and is said.

use super::canvas::{Text, fit, right};
use super::theme::{Role, Theme};
use super::words;
use crate::app::State;
use crate::estate::chart::{Chart, Series};

/// Rows of a chart.
const ROWS: usize = 5;
/// The lowest of them.
const FOOT: usize = ROWS - 1;
/// Columns of the labels at its left.
const LABELS: usize = 9;
/// Dots of a cell of braille: across, down.
const DOTS: [usize; 2] = [2, 4];
/// The bit of each dot of a cell, by row and column.
const BITS: [[u8; 2]; 4] = [[0x01, 0x08], [0x02, 0x10], [0x04, 0x20], [0x40, 0x80]];

/// The lowest and the highest value that is drawn.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Range {
    low: f64,
    high: f64,
}

/// The lines of the chart of `series`, with its axes; `threshold` is drawn where there is one.
pub fn lines(
    state: &State,
    chart: &Chart,
    series: &Series,
    threshold: Option<(&str, f64)>,
    room: usize,
    theme: &Theme,
) -> Vec<Text> {
    let columns = series.points.len().min(room.saturating_sub(LABELS + 2));
    let values = series.points.iter().flatten().copied();
    let flat = flat(series.points.iter().flatten().copied());
    let Some(range) = range(values, threshold.map(|(_, number)| number)) else {
        let said = "no value in the last hour: no sample, or none that is a number";
        return vec![Text::default().add(said, Role::Warn)];
    };
    let cells = match theme.is_ascii() {
        true => stars(&series.points, range, columns),
        false => braille(&series.points, range, columns),
    };
    let line_at = threshold.map(|(_, number)| row_of(number, range, ROWS));
    let mut lines = Vec::new();
    for (row, cells) in cells.into_iter().enumerate() {
        let label = match row {
            _ if flat.is_some_and(|value| row_of(value, range, ROWS) == row) => {
                words::value(&flat.unwrap_or_default().to_string())
            }
            // Where the threshold is the bound itself, its sign says so.
            _ if line_at == Some(row) => threshold.map_or(String::new(), |(sign, number)| {
                format!("{sign} {}", words::value(&number.to_string()))
            }),
            0 | FOOT if flat.is_some() && threshold.is_none() => String::new(),
            0 => words::value(&range.high.to_string()),
            FOOT => words::value(&range.low.to_string()),
            _ => String::new(),
        };
        lines.push(
            Text::default()
                .add(right(&label, LABELS, theme), Role::Dim)
                .add(format!(" {}", theme.borders().inner[1]), Role::Dim)
                .append(row_text(cells, line_at == Some(row), theme)),
        );
    }
    lines.push(axis(state, chart, columns));
    lines.extend(gaps(series, theme, room));
    lines
}

/// A row, with the threshold's line where nothing else is.
fn row_text(cells: Vec<char>, is_threshold: bool, theme: &Theme) -> Text {
    let blank = if theme.is_ascii() { ' ' } else { '\u{2800}' };
    let line = theme.borders().inner[0];
    let mut text = Text::default();
    for cell in cells {
        match (cell == blank, is_threshold) {
            (true, true) => text.push(line, Role::Dim),
            (true, false) => text.push(" ", Role::Plain),
            (false, _) => text.push(cell.to_string(), Role::Plain),
        }
    }
    text
}

/// The range of the values, with the threshold in it, and never empty.
fn range(values: impl Iterator<Item = f64>, threshold: Option<f64>) -> Option<Range> {
    let mut range: Option<Range> = None;
    for value in values {
        let had = range.unwrap_or(Range {
            low: value,
            high: value,
        });
        range = Some(Range {
            low: had.low.min(value),
            high: had.high.max(value),
        });
    }
    let Range { mut low, mut high } = range?;
    if let Some(number) = threshold {
        (low, high) = (low.min(number), high.max(number));
    }
    if high - low < f64::EPSILON * high.abs().max(1.0) {
        // A flat line lies in the middle.
        let around = if high == 0.0 { 1.0 } else { high.abs() / 2.0 };
        (low, high) = (low - around, high + around);
    }
    Some(Range { low, high })
}

/// The value of a line that is flat.
fn flat(mut values: impl Iterator<Item = f64>) -> Option<f64> {
    let first = values.next()?;
    #[expect(clippy::float_cmp, reason = "the same value, sent again")]
    values.all(|value| value == first).then_some(first)
}

/// Which of `rows` a value is in, from the top.
fn row_of(value: f64, range: Range, rows: usize) -> usize {
    let part = (range.high - value) / (range.high - range.low);
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        clippy::cast_precision_loss,
        reason = "a row of a few"
    )]
    let row = (part.clamp(0.0, 1.0) * (rows - 1) as f64).round() as usize;
    row.min(rows - 1)
}

/// The point that stands in place `at` of `of`: the nearest, so that no gap is bridged.
fn point(points: &[Option<f64>], at: usize, of: usize) -> Option<f64> {
    let last = points.len().checked_sub(1)?;
    let nearest = match of {
        0 | 1 => last,
        of => (at * last + (of - 1) / 2) / (of - 1),
    };
    points.get(nearest).copied().flatten()
}

fn braille(points: &[Option<f64>], range: Range, columns: usize) -> Vec<Vec<char>> {
    let (across, down) = (columns * DOTS[0], ROWS * DOTS[1]);
    let mut cells = vec![vec![0_u8; columns]; ROWS];
    let mut before: Option<usize> = None;
    for x in 0..across {
        let Some(value) = point(points, x, across) else {
            before = None;
            continue;
        };
        let y = row_of(value, range, down);
        // A step is a line down or up, so that the eye can follow.
        let from = before.unwrap_or(y);
        for y in from.min(y)..=from.max(y) {
            cells[y / DOTS[1]][x / DOTS[0]] |= BITS[y % DOTS[1]][x % DOTS[0]];
        }
        before = Some(y);
    }
    let draw = |bits: u8| char::from_u32(0x2800 + u32::from(bits)).unwrap_or(' ');
    (cells.into_iter())
        .map(|row| row.into_iter().map(draw).collect())
        .collect()
}

fn stars(points: &[Option<f64>], range: Range, columns: usize) -> Vec<Vec<char>> {
    let mut cells = vec![vec![' '; columns]; ROWS];
    let rows = (0..columns).map(|x| {
        let value = point(points, x, columns);
        value.map(|value| row_of(value, range, ROWS))
    });
    for (x, row) in rows.enumerate() {
        if let Some(row) = row {
            cells[row][x] = '*';
        }
    }
    cells
}

/// The times below: the first, the middle, the last, by the server's clock.
fn axis(state: &State, chart: &Chart, columns: usize) -> Text {
    let points = chart.series.first().map_or(1, |s| s.points.len());
    let last = i64::try_from(points.saturating_sub(1)).unwrap_or(0);
    let at = |n: i64| {
        let seconds = n * i64::from(chart.step);
        let at = chart
            .start
            .saturating_add(jiff::SignedDuration::from_secs(seconds));
        at.map_or_else(|_| String::new(), |at| words::hour(at, state))
    };
    let (first, middle, end) = (at(0), at(last / 2), at(last));
    let half = columns / 2;
    let text = match columns {
        0..18 => end,
        _ => {
            let left = format!(
                "{first:<width$}",
                width = half.saturating_sub(middle.len() / 2)
            );
            let head = format!("{left}{middle}");
            let room = columns.saturating_sub(head.len());
            format!("{head}{end:>room$}")
        }
    };
    Text::plain(" ".repeat(LABELS + 2)).add(text, Role::Dim)
}

fn gaps(series: &Series, theme: &Theme, room: usize) -> Option<Text> {
    let (all, missing) = (
        series.points.len(),
        series.points.iter().filter(|p| p.is_none()).count(),
    );
    let said = format!(
        "gaps: {missing} of {all} points have no value: not true then, no sample, NaN or Inf"
    );
    (missing > 0).then(|| Text::default().add(fit(&said, room, theme), Role::Dim))
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    fn drawn(points: &[Option<f64>], columns: usize) -> Vec<String> {
        let range = range(points.iter().flatten().copied(), None).unwrap();
        let rows = braille(points, range, columns);
        rows.into_iter()
            .map(|row| row.into_iter().collect())
            .collect()
    }

    #[test]
    fn a_rising_line_rises_and_a_gap_is_not_bridged() {
        let rising: Vec<_> = (0..8).map(|n| Some(f64::from(n))).collect();
        assert_eq!(drawn(&rising, 4), ["⠀⠀⠀⣸", "⠀⠀⢰⠃", "⠀⢀⡏⠀", "⠀⡼⠀⠀", "⣸⠁⠀⠀"]);
        let mut torn = rising;
        (torn[3], torn[4]) = (None, None);
        let empty = |column: usize| {
            drawn(&torn, 8)
                .iter()
                .all(|row| row.chars().nth(column) == Some('\u{2800}'))
        };
        assert!(empty(3) && !empty(1) && !empty(7));
    }

    #[test]
    fn a_flat_line_has_a_range_and_a_threshold_is_in_it() {
        let flat = range([2.0, 2.0].into_iter(), None).unwrap();
        assert_eq!((flat.low, flat.high), (1.0, 3.0));
        let with = range([2.0, 4.0].into_iter(), Some(0.5)).unwrap();
        assert_eq!((with.low, with.high), (0.5, 4.0));
        assert_eq!(
            range([0.0].into_iter(), None).unwrap(),
            Range {
                low: -1.0,
                high: 1.0
            }
        );
        assert_eq!(range(std::iter::empty(), Some(1.0)), None);
        assert_eq!((row_of(4.0, with, 5), row_of(0.5, with, 5)), (0, 4));
    }
}
