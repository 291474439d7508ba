//! A dialog: the plan's lines, its fields and its prompt. The prompt never scrolls away.

use ratatui::layout::Rect;

use super::canvas::{Canvas, Text, column, width, wrapped};
use super::theme::{Mark, Role, Theme};
use super::words;
use crate::app::confirm::Ask;
use crate::app::dialog::{Dialog, Input, Line, Sheet};
use crate::estate::{Moment, Verdict};
use crate::ops::Finding;

/// As wide as a dialog gets.
const WIDEST: u16 = 76;
/// Rows of the window below which what stands in the way goes before all else: nothing else may be seen.
const ROOMY: u16 = 18;
/// Columns of the names of facts, checks and fields.
const NAMES: usize = 13;

/// Draws `dialog` with what it says in the middle of the screen.
pub fn draw(sheet: &Sheet, dialog: &Dialog, now: Moment, canvas: &mut Canvas<'_>) {
    let area = canvas.area;
    let columns = WIDEST.min(area.width.saturating_sub(2));
    let room = usize::from(columns.saturating_sub(4));
    let theme = canvas.theme;
    let mut said: Vec<&Line> = sheet.lines.iter().collect();
    if !sheet.requests.is_empty() {
        // What wants a look stays.
        said.retain(|line| line.is_loud());
        said.extend(&sheet.requests);
    }
    let head = sheet.head.clone().map(Line::Words);
    if area.height < ROOMY {
        said.sort_by_key(|line| !line.is_loud());
        said.splice(..0, &head);
    }
    // Each with whether something begins there that wants a look.
    let lines: Vec<(bool, Text)> = (said.into_iter())
        .flat_map(|line| {
            let parts = line_of(line, room, &theme).into_iter().enumerate();
            parts.map(|(place, part)| (place == 0 && line.is_loud(), part))
        })
        .collect();
    let mut foot = fields(dialog, room, &theme);
    foot.push(Text::default());
    foot.extend(prompt(sheet, dialog, now, room, &theme));
    let wanted = u16::try_from(lines.len() + foot.len() + 4).unwrap_or(u16::MAX);
    let height = wanted.min(area.height.saturating_sub(2));
    let window = Rect {
        x: area.x + (area.width - columns) / 2,
        y: area.y + (area.height - height) / 2,
        width: columns,
        height,
    };
    let inside = canvas.window(
        window,
        &Text::default().add(sheet.title.clone(), Role::Focus),
    );
    let tag = sheet.tag.clone().unwrap_or_else(|| dialog.facts.tag());
    let tag = Text::default().add(format!(" plan {tag} "), Role::Dim);
    if usize::from(columns) > sheet.title.len() + tag.width() + 8 {
        canvas.text_right(window.x + 2, window.y, columns - 4, &tag);
    }
    let feet = u16::try_from(foot.len()).unwrap_or(u16::MAX);
    let split = inside.bottom().saturating_sub(feet).max(inside.y);
    let body = Rect {
        height: split - inside.y,
        ..inside
    };
    let keys = keys(sheet, dialog);
    let wide = keys.iter().map(Text::width).sum::<usize>() + 1;
    let mut left = usize::from(columns - 4);
    left = left.saturating_sub(scrolled(&lines, dialog.scroll, body, window, wide, canvas));
    // Whole ones only.
    let below = keys.into_iter().fold(Text::plain(" "), |below, key| {
        match below.width() + key.width() <= left {
            true => below.append(key),
            false => below,
        }
    });
    canvas.text(window.x + 2, window.bottom() - 1, columns - 4, &below);
    for (y, line) in (split..inside.bottom()).zip(&foot) {
        canvas.text(inside.x, y, inside.width, line);
    }
}

/// The lines as far as there is room, and how many there are below, in short where keys as wide as `keys` stand beside
/// that; how wide it is.
fn scrolled(
    lines: &[(bool, Text)],
    scroll: usize,
    body: Rect,
    window: Rect,
    keys: usize,
    canvas: &mut Canvas<'_>,
) -> usize {
    // One row of air under the title, where there is room for everything.
    let air = u16::from(usize::from(body.height) > lines.len());
    let height = usize::from(body.height - air);
    let hidden = lines.len().saturating_sub(height);
    let first = scroll.min(hidden);
    for (y, (_, line)) in (body.y + air..body.bottom()).zip(lines.iter().skip(first)) {
        canvas.text(body.x, y, body.width, line);
    }
    if hidden <= first {
        return 0;
    }
    let (room, more) = (window.width - 4, hidden - first);
    let below = lines.iter().skip(first + height);
    let (long, short) = match below.filter(|(is_loud, _)| *is_loud).count() {
        0 => (String::new(), String::new()),
        loud => (
            format!(", {loud} to look at"),
            format!(", {loud} {}", canvas.theme.mark(Mark::Look)),
        ),
    };
    let mut said = format!(" pgdn: {more} more lines{long} ");
    if keys + width(&said) > usize::from(room) {
        said = format!(" pgdn: {more} more{short} ");
    }
    let more = Text::default().add(said, Role::Warn);
    usize::from(canvas.text_right(window.x + 2, window.bottom() - 1, room, &more))
}

fn line_of(line: &Line, room: usize, theme: &Theme) -> Vec<Text> {
    match line {
        Line::Blank => vec![Text::default()],
        Line::Words(words) => (wrapped(words, room).into_iter())
            .map(Text::plain)
            .collect(),
        Line::Fact(name, value) => named("  ", Role::Plain, name, value, room, theme),
        Line::Check(name, verdict, value) => {
            let mark = words::verdict_mark(verdict);
            let value = match verdict {
                Verdict::Ok => value.clone(),
                Verdict::Bad(why) | Verdict::Unknown(why) if value.is_empty() => why.to_string(),
                Verdict::Bad(why) | Verdict::Unknown(why) => format!("{value}: {why}"),
            };
            let lead = format!("{} ", theme.mark(mark));
            named(&lead, Theme::role(mark), name, &value, room, theme)
        }
        Line::Gate(gate) => {
            let (mark, role) = match gate.finding {
                Finding::Ok => (Mark::Ok, Role::Plain),
                Finding::Noted => (Mark::Look, Role::Warn),
                Finding::Bad => (Mark::Bad, Role::Bad),
                Finding::Unknown => (Mark::Unknown, Role::Warn),
            };
            let lead = format!("{} ", theme.mark(mark));
            let said = match &gate.of {
                Some(of) => format!("{of} {}", gate.said),
                None => gate.said.to_string(),
            };
            named(&lead, role, &gate.name, &said, room, theme)
        }
        Line::Look(name, value) => {
            let lead = format!("{} ", theme.mark(Mark::Look));
            named(&lead, Role::Warn, name, value, room, theme)
        }
    }
}

/// A mark, a name, and a value that goes on under itself.
fn named(lead: &str, role: Role, name: &str, value: &str, room: usize, theme: &Theme) -> Vec<Text> {
    let indent = 2 + NAMES + 1;
    (wrapped(value, room.saturating_sub(indent)).into_iter())
        .enumerate()
        .map(|(place, part)| match place {
            0 => Text::default()
                .add(lead, role)
                .add(column(name, NAMES, theme), Role::Dim)
                .add(format!(" {part}"), Role::Plain),
            _ => Text::plain(" ".repeat(indent)).add(part, Role::Plain),
        })
        .collect()
}

fn fields(dialog: &Dialog, room: usize, theme: &Theme) -> Vec<Text> {
    let mut lines = Vec::new();
    for (place, field) in dialog.fields.iter().enumerate() {
        let is_here = place == dialog.focus;
        let lead = if is_here { "> " } else { "  " };
        let mut line = Text::default()
            .add(lead, Role::Focus)
            .add(column(field.name, NAMES, theme), Role::Dim)
            .add(" ", Role::Plain);
        match &field.input {
            Input::Text(edit) => {
                // The end is where it is typed.
                let room = room.saturating_sub(line.width() + 1);
                line.push(end_of(edit.text(), room, theme), Role::Plain);
                if is_here {
                    line.push("_", Role::Focus);
                }
            }
            Input::Choice(options, at) => {
                for (n, option) in options.iter().enumerate() {
                    let (said, role) = match n == *at {
                        true => (format!("[{option}] "), Role::Focus),
                        false => (format!(" {option}  "), Role::Dim),
                    };
                    line.push(said, role);
                }
            }
        }
        lines.push(line);
    }
    if let Some(name) = dialog.missing {
        let said = format!("{} {name} must not be empty", theme.mark(Mark::Look));
        lines.push(Text::default().add(said, Role::Warn));
    }
    lines
}

/// `text` without what does not fit before its end.
fn end_of(text: &str, room: usize, theme: &Theme) -> String {
    if width(text) <= room {
        return text.to_owned();
    }
    let fits = |(at, _): &(usize, char)| width(&text[*at..]) < room;
    let start = text
        .char_indices()
        .find(fits)
        .map_or("", |(at, _)| &text[at..]);
    format!("{}{start}", theme.mark(Mark::More))
}

/// The prompt, or why there is none.
fn prompt(sheet: &Sheet, dialog: &Dialog, now: Moment, room: usize, theme: &Theme) -> Vec<Text> {
    let in_words = |words: String, role: Role| {
        (wrapped(&words, room).into_iter())
            .map(|line| Text::default().add(line, role))
            .collect::<Vec<_>>()
    };
    if let Some(words) = &sheet.pending {
        let said = format!("{} {words}", theme.mark(Mark::Running));
        return in_words(said, Role::Focus);
    }
    if let Some(refusal) = &sheet.refusal {
        let way_on = sheet
            .way_on
            .as_ref()
            .map_or_else(String::new, |words| format!(". {words}"));
        let said = format!("{} Refused: {refusal}{way_on}", theme.mark(Mark::Bad));
        return in_words(said, Role::Bad);
    }
    if let Some(why) = &dialog.void {
        let said = format!("{} Void: {why}. Enter plans again.", theme.mark(Mark::Look));
        return in_words(said, Role::Warn);
    }
    let verb = sheet.verb;
    if !dialog.is_asking() {
        let said = match &dialog.confirm.ask {
            Ask::Word(word) => format!("then type  {word}  to {verb}"),
            Ask::Yes => format!("then y to {verb}"),
            Ask::Enter => format!("then Enter to {verb}"),
        };
        // Wrapping takes the air round the word, so only where it must.
        return match width(&said) <= room {
            true => vec![Text::default().add(said, Role::Dim)],
            false => in_words(said, Role::Dim),
        };
    }
    if !dialog.confirm.listens(now) {
        return vec![Text::default().add("one moment: read it first", Role::Dim)];
    }
    match &dialog.confirm.ask {
        Ask::Enter => vec![Text::plain("Enter  ").add(verb, Role::Focus)],
        Ask::Yes => vec![
            Text::plain("y  ")
                .add(verb, Role::Plain)
                .add("      Enter  ", Role::Plain)
                .add("[Cancel]", Role::Focus),
        ],
        Ask::Word(word) => {
            let typed = dialog.confirm.typed.text();
            let asked = Text::plain("type  ")
                .add(word.to_string(), Role::Focus)
                .add(format!("  to {verb}: "), Role::Plain);
            let lead = "      ";
            let end = end_of(typed, room.saturating_sub(lead.len() + 1), theme);
            let end = Text::plain(lead)
                .add(end, Role::Plain)
                .add("_", Role::Focus);
            // As long as the whole word has room behind it: what is typed must be seen.
            let mut lines = match asked.width() {
                wide if wide + width(word) < room => {
                    vec![asked.add(typed, Role::Plain).add("_", Role::Focus)]
                }
                wide if wide <= room => vec![asked, end],
                // A word that is cut is not to be typed.
                _ => {
                    let mut lines = vec![Text::plain(format!("to {verb} type"))];
                    lines.extend(in_words(word.to_string(), Role::Focus));
                    lines.push(end);
                    lines
                }
            };
            if dialog.confirm.is_wrong {
                let said = format!(
                    "{} that is not it, letter by letter: nothing was done",
                    theme.mark(Mark::Look)
                );
                lines.extend(in_words(said, Role::Warn));
            }
            lines
        }
    }
}

fn keys(sheet: &Sheet, dialog: &Dialog) -> Vec<Text> {
    let other = match dialog.shows_requests {
        true => "plan",
        false => "requests",
    };
    let mut keys = Vec::new();
    for (key, what) in [
        ("Esc", "close"),
        ("Tab", "next field"),
        ("left right", "choose"),
        ("shift-tab", "fields"),
        ("ctrl-x", other),
    ] {
        let applies = match key {
            "Tab" => !dialog.is_asking(),
            "left right" => (dialog.fields.get(dialog.focus))
                .is_some_and(|f| matches!(f.input, Input::Choice(..))),
            "ctrl-x" => sheet.has_requests,
            "shift-tab" => dialog.is_asking() && !dialog.fields.is_empty(),
            _ => true,
        };
        if applies {
            let key = Text::default().add(key, Role::Title);
            keys.push(key.add(format!(" {what}  "), Role::Dim));
        }
    }
    keys
}
