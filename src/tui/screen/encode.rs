//! Cells into the fewest bytes that every terminal understands: cursor moves, `SGR` of the sixteen
//! colours, text. Own code and not crossterm's, because that one reads `NO_COLOR` by itself and
//! then writes `CSI m`, which takes the attributes away as well.

use std::io::Write;

use ratatui::{
    buffer::Cell,
    style::{Color, Modifier},
};
use unicode_width::UnicodeWidthStr;

const SYNC_BEGIN: &[u8] = b"\x1b[?2026h";
const SYNC_END: &[u8] = b"\x1b[?2026l";
const CLEAR: &[u8] = b"\x1b[0m\x1b[2J";

/// How the next text will look.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Pen {
    fg: Color,
    bg: Color,
    modifier: Modifier,
}

const PLAIN: Pen = Pen {
    fg: Color::Reset,
    bg: Color::Reset,
    modifier: Modifier::empty(),
};

/// Appends the frame that paints `cells`, after a clearing when it is the `whole` screen; nothing
/// when nothing changed.
pub(super) fn frame<'a>(
    out: &mut Vec<u8>,
    whole: bool,
    cells: impl Iterator<Item = (u16, u16, &'a Cell)>,
) {
    let mut cells = cells.peekable();
    if !whole && cells.peek().is_none() {
        return;
    }
    out.extend_from_slice(SYNC_BEGIN);
    if whole {
        out.extend_from_slice(CLEAR);
    }
    let mut pen = PLAIN;
    // Where the cursor surely stands.
    let mut cursor = None;
    for (x, y, cell) in cells {
        if cursor != Some((x, y)) {
            move_to(out, x, y);
        }
        let wanted = Pen {
            fg: cell.fg,
            bg: cell.bg,
            modifier: cell.modifier,
        };
        select(out, pen, wanted);
        pen = wanted;
        let symbol = cell.symbol();
        out.extend_from_slice(symbol.as_bytes());
        // Terminals disagree about the width of what is not one plain column.
        let is_plain = symbol.chars().count() == 1 && symbol.width() == 1;
        cursor = is_plain.then(|| (x.saturating_add(1), y));
    }
    select(out, pen, PLAIN);
    out.extend_from_slice(SYNC_END);
}

fn move_to(out: &mut Vec<u8>, x: u16, y: u16) {
    // Writing to a Vec cannot fail.
    let _ = match (x, y) {
        (0, 0) => write!(out, "\x1b[H"),
        (0, _) => write!(out, "\x1b[{}H", u32::from(y) + 1),
        _ => write!(out, "\x1b[{};{}H", u32::from(y) + 1, u32::from(x) + 1),
    };
}

/// The `SGR` that turns `from` into `to`.
fn select(out: &mut Vec<u8>, from: Pen, to: Pen) {
    if from == to {
        return;
    }
    out.extend_from_slice(b"\x1b[");
    // Bold and dim share one off code, and on some terminals one place, of which the last one said
    // wins: whatever loses an attribute or changes these two starts from nothing.
    let intensity = Modifier::BOLD.union(Modifier::DIM);
    let (was, becomes) = (from.modifier & intensity, to.modifier & intensity);
    let loses =
        to == PLAIN || !to.modifier.contains(from.modifier) || (was != becomes && !was.is_empty());
    let from = if loses { PLAIN } else { from };
    let mut codes = loses
        .then_some(0)
        .into_iter()
        .chain(changes(from, to))
        .peekable();
    while let Some(code) = codes.next() {
        let _ = write!(out, "{code}");
        if codes.peek().is_some() {
            out.push(b';');
        }
    }
    out.push(b'm');
}

fn changes(from: Pen, to: Pen) -> impl Iterator<Item = u8> {
    const ATTRIBUTES: [(Modifier, u8); 9] = [
        (Modifier::BOLD, 1),
        (Modifier::DIM, 2),
        (Modifier::ITALIC, 3),
        (Modifier::UNDERLINED, 4),
        (Modifier::SLOW_BLINK, 5),
        (Modifier::RAPID_BLINK, 6),
        (Modifier::REVERSED, 7),
        (Modifier::HIDDEN, 8),
        (Modifier::CROSSED_OUT, 9),
    ];
    let gained = to.modifier.difference(from.modifier);
    let attributes = ATTRIBUTES
        .into_iter()
        .filter(move |(bit, _)| gained.contains(*bit))
        .map(|(_, code)| code);
    let fg = (from.fg != to.fg).then(|| colour(to.fg));
    let bg = (from.bg != to.bg).then(|| colour(to.bg) + 10);
    attributes.chain(fg).chain(bg)
}

/// The code of a foreground; a background's is 10 more.
const fn colour(colour: Color) -> u8 {
    match colour {
        Color::Black => 30,
        Color::Red => 31,
        Color::Green => 32,
        Color::Yellow => 33,
        Color::Blue => 34,
        Color::Magenta => 35,
        Color::Cyan => 36,
        Color::Gray => 37,
        Color::DarkGray => 90,
        Color::LightRed => 91,
        Color::LightGreen => 92,
        Color::LightYellow => 93,
        Color::LightBlue => 94,
        Color::LightMagenta => 95,
        Color::LightCyan => 96,
        Color::White => 97,
        Color::Indexed(n @ 0..=7) => 30 + n,
        Color::Indexed(n @ 8..=15) => 82 + n,
        // The depth let none of these through.
        Color::Reset | Color::Indexed(_) | Color::Rgb(..) => 39,
    }
}
