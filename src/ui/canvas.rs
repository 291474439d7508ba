//! A piece of the screen to write on: text that knows its role, cut to fit, and borders.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Modifier;
use unicode_width::UnicodeWidthChar;

use super::theme::{Mark, Role, Theme};

/// Some text with its role.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Piece(pub String, pub Role);

/// A line of pieces.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Text(pub Vec<Piece>);

impl Text {
    /// A line of one plain piece.
    pub fn plain(text: impl Into<String>) -> Self {
        Self::default().add(text, Role::Plain)
    }

    /// The line with a piece more.
    pub fn add(mut self, text: impl Into<String>, role: Role) -> Self {
        self.push(text, role);
        self
    }

    /// Adds a piece.
    pub fn push(&mut self, text: impl Into<String>, role: Role) {
        self.0.push(Piece(text.into(), role));
    }

    /// The line with another after it.
    pub fn append(mut self, other: Self) -> Self {
        self.0.extend(other.0);
        self
    }

    /// Columns that the line takes.
    pub fn width(&self) -> usize {
        self.0.iter().map(|p| width(&p.0)).sum()
    }

    /// The line without spaces at its end.
    pub fn trim(mut self) -> Self {
        while let Some(Piece(words, _)) = self.0.last_mut() {
            words.truncate(words.trim_end().len());
            if !words.is_empty() {
                break;
            }
            self.0.pop();
        }
        self
    }

    /// The line, filled with spaces up to `columns`.
    pub fn pad(mut self, columns: usize) -> Self {
        let missing = columns.saturating_sub(self.width());
        self.push(" ".repeat(missing), Role::Plain);
        self
    }

    /// Whether there is nothing to see.
    pub fn is_empty(&self) -> bool {
        self.0.iter().all(|p| p.0.is_empty())
    }
}

/// Columns that `text` takes.
pub fn width(text: &str) -> usize {
    text.chars().map(|c| c.width().unwrap_or(0)).sum()
}

/// `text` cut to `columns`, with a mark where something is missing.
pub fn fit(text: &str, columns: usize, theme: &Theme) -> String {
    if width(text) <= columns {
        return text.to_owned();
    }
    let mut out = String::new();
    let mut used = 0;
    for c in text.chars() {
        let w = c.width().unwrap_or(0);
        if used + w + 1 > columns {
            break;
        }
        used += w;
        out.push(c);
    }
    if columns > 0 {
        out.push_str(theme.mark(Mark::More));
    }
    out
}

/// `text` cut to `columns` at its beginning, with a mark where something is missing: `…production`.
pub fn fit_end(text: &str, columns: usize, theme: &Theme) -> String {
    if width(text) <= columns {
        return text.to_owned();
    }
    let mut kept: Vec<char> = Vec::new();
    let mut used = 0;
    for c in text.chars().rev() {
        used += c.width().unwrap_or(0);
        if used + 1 > columns {
            break;
        }
        kept.push(c);
    }
    let mark = if columns > 0 {
        theme.mark(Mark::More)
    } else {
        ""
    };
    mark.chars().chain(kept.into_iter().rev()).collect()
}

/// `text` on as many lines as it needs; a word that is longer than a line is broken.
pub fn wrapped(text: &str, columns: usize) -> Vec<String> {
    let columns = columns.max(8);
    let mut lines = vec![String::new()];
    let mut used = 0;
    for word in text.split(' ') {
        let wide = width(word);
        if used > 0 && used + 1 + wide > columns {
            lines.push(String::new());
            used = 0;
        }
        let space = if used > 0 { " " } else { "" };
        for c in space.chars().chain(word.chars()) {
            let w = c.width().unwrap_or(0);
            if used + w > columns {
                lines.push(String::new());
                used = 0;
            }
            if let Some(line) = lines.last_mut() {
                line.push(c);
            }
            used += w;
        }
    }
    lines
}

/// `text` cut or filled to exactly `columns`.
pub fn column(text: &str, columns: usize, theme: &Theme) -> String {
    let cut = fit(text, columns, theme);
    let missing = columns.saturating_sub(width(&cut));
    cut + &" ".repeat(missing)
}

/// `text` at the right of `columns`.
pub fn right(text: &str, columns: usize, theme: &Theme) -> String {
    let cut = fit(text, columns, theme);
    " ".repeat(columns.saturating_sub(width(&cut))) + &cut
}

/// As [`wrapped`], on `most` lines at most; what does not fit on them is marked as cut.
pub fn wrapped_to(text: &str, columns: usize, most: usize, theme: &Theme) -> Vec<String> {
    let mut lines = wrapped(text, columns);
    if lines.len() > most.max(1) {
        let rest = lines.split_off(most.max(1) - 1).join(" ");
        lines.push(fit(&rest, columns, theme));
    }
    lines
}

/// A piece of the screen to write on.
pub struct Canvas<'a> {
    /// The whole screen.
    pub area: Rect,
    /// How things look.
    pub theme: Theme,
    buf: &'a mut Buffer,
}

impl<'a> Canvas<'a> {
    /// A canvas over `area` of `buf`.
    pub fn new(buf: &'a mut Buffer, area: Rect, theme: Theme) -> Self {
        Self { area, theme, buf }
    }

    /// Writes `text` from column `x` of row `y`, at most `columns` wide; returns the columns used.
    pub fn text(&mut self, x: u16, y: u16, columns: u16, text: &Text) -> u16 {
        if y < self.area.y || y >= self.area.bottom() {
            return 0;
        }
        let end = x.saturating_add(columns).min(self.area.right());
        let mut at = x;
        let mut pieces = text.0.iter().peekable();
        while let Some(Piece(words, role)) = pieces.next() {
            let room = usize::from(end.saturating_sub(at));
            if room == 0 {
                break;
            }
            let rest: usize = pieces.clone().map(|p| width(&p.0)).sum();
            // Only the last piece that fits is marked as cut.
            let words = match width(words) > room || (width(words) == room && rest > 0) {
                true => fit(&format!("{words}~"), room, &self.theme),
                false => words.clone(),
            };
            let words = if self.theme.is_ascii() {
                ascii(&words)
            } else {
                words
            };
            let style = self.theme.style(*role);
            let (next, _) = self.buf.set_stringn(at, y, &words, room, style);
            at = next;
        }
        at.saturating_sub(x)
    }

    /// Writes at the right end of `columns`.
    pub fn text_right(&mut self, x: u16, y: u16, columns: u16, text: &Text) -> u16 {
        let needs = u16::try_from(text.width()).unwrap_or(u16::MAX).min(columns);
        self.text(x + (columns - needs), y, needs, text)
    }

    /// Shows that the cursor is on this stretch.
    pub fn select(&mut self, area: Rect) {
        let area = area.intersection(self.area);
        for position in area.positions() {
            if let Some(cell) = self.buf.cell_mut(position) {
                cell.modifier.insert(Modifier::REVERSED);
                cell.modifier.remove(Modifier::DIM);
            }
        }
    }

    /// Dims a stretch: what is there is stale.
    pub fn dim(&mut self, area: Rect) {
        for position in area.intersection(self.area).positions() {
            if let Some(cell) = self.buf.cell_mut(position) {
                cell.modifier.insert(Modifier::DIM);
            }
        }
    }

    /// Empties a stretch, for what is laid over it.
    pub fn clear(&mut self, area: Rect) {
        for position in area.intersection(self.area).positions() {
            if let Some(cell) = self.buf.cell_mut(position) {
                cell.reset();
            }
        }
    }

    /// A line across, of the symbol `line`.
    pub fn across(&mut self, x: u16, y: u16, columns: u16, line: &str) {
        let style = self.theme.style(Role::Dim);
        for x in x..x.saturating_add(columns).min(self.area.right()) {
            self.buf.set_stringn(x, y, line, 1, style);
        }
    }

    /// One symbol of a border.
    pub fn symbol(&mut self, x: u16, y: u16, symbol: &str) {
        if self.area.contains((x, y).into()) {
            let style = self.theme.style(Role::Dim);
            self.buf.set_stringn(x, y, symbol, 1, style);
        }
    }

    /// An inner line across the whole frame at row `y`, with a title in it.
    pub fn divider(&mut self, y: u16, title: &Text) {
        let (area, borders) = (self.area, self.theme.borders());
        if y >= area.bottom() {
            return;
        }
        self.symbol(area.x, y, borders.sides[0]);
        self.across(
            area.x + 1,
            y,
            area.width.saturating_sub(2),
            borders.inner[0],
        );
        self.symbol(area.right() - 1, y, borders.sides[1]);
        if !title.is_empty() {
            self.titled(area.x + 2, y, area.width.saturating_sub(4), title);
        }
    }

    /// A title in a line across: a space before and after.
    pub fn titled(&mut self, x: u16, y: u16, columns: u16, title: &Text) -> u16 {
        let mut framed = Text::plain(" ");
        framed.0.extend(title.0.iter().cloned());
        framed.push(" ", Role::Plain);
        self.text(x, y, columns, &framed)
    }

    /// A box with a title, emptied, for what is laid over the screen. Returns what is inside.
    pub fn window(&mut self, area: Rect, title: &Text) -> Rect {
        let area = area.intersection(self.area);
        self.clear(area);
        if area.width < 4 || area.height < 3 {
            return area;
        }
        let borders = self.theme.borders();
        let (last_x, last_y) = (area.right() - 1, area.bottom() - 1);
        for y in area.y..area.bottom() {
            self.symbol(area.x, y, borders.outer[1]);
            self.symbol(last_x, y, borders.outer[1]);
        }
        self.across(area.x, area.y, area.width, borders.outer[0]);
        self.across(area.x, last_y, area.width, borders.outer[0]);
        for (place, (x, y)) in [
            (area.x, area.y),
            (last_x, area.y),
            (area.x, last_y),
            (last_x, last_y),
        ]
        .into_iter()
        .enumerate()
        {
            self.symbol(x, y, borders.corners[place]);
        }
        self.titled(area.x + 2, area.y, area.width - 4, title);
        area.inner(ratatui::layout::Margin::new(2, 1))
    }
}

/// What an ASCII terminal can show of `text`.
fn ascii(text: &str) -> String {
    text.chars()
        .map(|c| match c {
            ' '..='~' => c,
            '–' | '—' => '-',
            '→' => '>',
            '·' => '-',
            '…' => '~',
            '“' | '”' => '"',
            '‘' | '’' => '\'',
            _ => '?',
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::app::Look;
    use crate::app::{Keymap, Setup, State};

    fn theme() -> Theme {
        Theme::of(&State::new(Setup {
            title: "t".into(),
            environments: vec![(
                crate::estate::Scope {
                    name: "x".into(),
                    tier: crate::estate::Tier::Staging,
                    context: "c".into(),
                    namespace: "n".into(),
                    workloads: Vec::new(),
                    traffic: None,
                    approval: Default::default(),
                    soak: crate::estate::Soak::default(),
                    needs_smoke: false,
                    needs_ci: false,
                    holds_returned: false,
                },
                false,
            )],
            alerts: Vec::new(),
            hows: Vec::new(),
            probes: Vec::new(),
            repository: None,
            keymap: Keymap::default(),
            look: Look::default(),
            zone: jiff::tz::TimeZone::UTC,
            is_demo: false,
            author: "ann@bastion".into(),
            pace: crate::app::operations::Pace::default(),
            ends_with_logout: false,
            warnings: Vec::new(),
        }))
    }

    #[test]
    fn cut_text_says_that_it_is_cut() {
        assert_eq!(fit("abcdef", 4, &theme()), "abc…");
        assert_eq!(fit("abcd", 4, &theme()), "abcd");
        assert_eq!(fit("日本語", 4, &theme()), "日…");
        assert_eq!(fit("abc", 0, &theme()), "");
        assert_eq!(fit_end("abcdef", 4, &theme()), "…def");
        assert_eq!(fit_end("日本語", 4, &theme()), "…語");
        assert_eq!(fit_end("abc", 0, &theme()), "");
        assert_eq!(column("日", 4, &theme()), "日  ");
    }

    #[test]
    fn long_words_are_broken_and_nothing_is_lost() {
        assert_eq!(wrapped("one two three", 9), ["one two", "three"]);
        assert_eq!(wrapped("a 123456789012", 8), ["a", "12345678", "9012"]);
        assert_eq!(wrapped("", 8), [""]);
    }
}
