//! What is laid over the screen: help, palette, environments, and what the demo can break.

use ratatui::layout::Rect;

use super::canvas::{Canvas, Text, column, fit, width, wrapped};
use super::theme::{Mark, Role, Theme};
use super::words;
use crate::app::keymap::Context;
use crate::app::operate::{Barred, barred, barred_here};
use crate::app::operations::stuck;
use crate::app::palette::{Choice, Palette, unmatched};
use crate::app::{Key, Overlay, State, View, plan, update};

/// The most columns of a binding's keys in the help.
const KEYS: usize = 16;
/// Columns for why a key is barred, beside what it does.
const REASON: usize = 44;

/// Draws what is open.
pub fn draw(state: &State, canvas: &mut Canvas<'_>) {
    match &state.overlay {
        None => {}
        Some(Overlay::Plan(open)) => {
            let sheet = plan::sheet(state, open);
            super::dialog::draw(&sheet, &open.dialog, state.now.at, canvas);
        }
        Some(Overlay::Help(line)) => help(state, *line, canvas),
        Some(Overlay::Palette(open)) => palette(state, open, canvas),
        Some(Overlay::Environments(chosen)) => {
            let lines = environments(state, &canvas.theme);
            list(
                canvas,
                &Text::default().add("Environment", Role::Focus),
                &lines,
                *chosen,
            );
        }
        Some(Overlay::Approvals(_)) => super::approvals::draw(state, canvas),
        Some(Overlay::Faults(chosen)) => {
            let faults = state
                .demo
                .as_ref()
                .map(|d| d.faults.as_slice())
                .unwrap_or_default();
            let theme = canvas.theme;
            let lines: Vec<Text> = (faults.iter())
                .map(|(name, what)| {
                    Text::plain(column(name, 22, &theme)).add(format!("  {what}"), Role::Dim)
                })
                .collect();
            list(
                canvas,
                &Text::default().add("DEMO: break what?", Role::Focus),
                &lines,
                *chosen,
            );
        }
    }
}

/// A window in the middle, as large as it needs to be.
fn middle(canvas: &Canvas<'_>, columns: usize, rows: usize) -> Rect {
    let area = canvas.area;
    let width = u16::try_from(columns + 4)
        .unwrap_or(u16::MAX)
        .min(area.width.saturating_sub(4));
    let height = u16::try_from(rows + 2)
        .unwrap_or(u16::MAX)
        .min(area.height.saturating_sub(2));
    Rect {
        x: area.x + (area.width - width) / 2,
        y: area.y + (area.height - height) / 2,
        width,
        height,
    }
}

pub(super) fn list(canvas: &mut Canvas<'_>, title: &Text, lines: &[Text], chosen: usize) {
    let columns = lines
        .iter()
        .map(Text::width)
        .max()
        .unwrap_or(0)
        .max(title.width() + 4);
    let window = middle(canvas, columns, lines.len());
    let inside = canvas.window(window, title);
    let height = usize::from(inside.height).max(1);
    let first = chosen
        .saturating_sub(height / 2)
        .min(lines.len().saturating_sub(height));
    for (y, (place, line)) in (inside.y..inside.bottom()).zip(lines.iter().enumerate().skip(first))
    {
        canvas.text(inside.x, y, inside.width, line);
        if place == chosen {
            canvas.select(Rect {
                y,
                height: 1,
                ..inside
            });
        }
    }
    below(window, lines.len().saturating_sub(first + height), canvas);
}

/// How many lines there are below those of `window`.
fn below(window: Rect, hidden: usize, canvas: &mut Canvas<'_>) {
    if hidden > 0 {
        let more = Text::default().add(format!(" {hidden} more below "), Role::Warn);
        let room = window.width.saturating_sub(4);
        canvas.text_right(window.x + 2, window.bottom() - 1, room, &more);
    }
}

fn environments(state: &State, theme: &Theme) -> Vec<Text> {
    (state.environments.iter())
        .map(|environment| {
            let estate = &environment.estate;
            let badge = words::tier_badge(estate.tier());
            let mut text = Text::plain(column(&estate.scope.name, 16, theme))
                .add(format!("  {badge:<8}"), Role::Title);
            if environment.is_watched {
                let stuck = stuck(estate, &environment.operations, state.now);
                let verdict = estate.verdict(state.now);
                let verdict = (stuck.into_iter()).fold(verdict, |all, it| all.and(it.verdict));
                let mark = words::verdict_mark(&verdict);
                text.push(format!("{} ", theme.mark(mark)), Theme::role(mark));
                text.push(column(&words::live_word(estate), 20, theme), Role::Plain);
                if let Some(why) = verdict.why() {
                    text.push(fit(why, 40, theme), Role::Dim);
                }
            } else {
                text.push(format!("not watched yet ({})", estate.context()), Role::Dim);
            }
            text
        })
        .collect()
}

fn help(state: &State, line: usize, canvas: &mut Canvas<'_>) {
    let context = match state.view() {
        None => Context::Home,
        Some(View::Log(_)) => Context::Log,
        Some(_) => Context::Detail,
    };
    let widest = usize::from(canvas.area.width.saturating_sub(8));
    let mut lines = keys(state, context, widest, &canvas.theme);
    for warning in &state.warnings {
        let parts = wrapped(warning, widest).into_iter();
        lines.extend(parts.map(|part| Text::default().add(part, Role::Warn)));
    }
    let columns = lines.iter().map(Text::width).max().unwrap_or(0);
    let window = middle(canvas, columns, lines.len());
    let mut title = Text::default()
        .add("Keys of this view", Role::Focus)
        .add("  Esc closes", Role::Dim);
    if let Some(barred) = barred_here(state) {
        let said = format!("  {} {}", canvas.theme.mark(Mark::Look), barred.brief);
        title.push(said, Role::Warn);
    }
    let inside = canvas.window(window, &title);
    let hidden = lines.len().saturating_sub(usize::from(inside.height));
    let first = line.min(hidden);
    for (y, line) in (inside.y..inside.bottom()).zip(lines.iter().skip(first)) {
        canvas.text(inside.x, y, inside.width, line);
    }
    below(window, hidden - first, canvas);
}

/// A line a binding, at most `room` wide. What would be refused is dim and says why: behind it where there is room
/// for that, else below it, once for those in a row that it is said of; that all is read-only the title says.
fn keys(state: &State, context: Context, room: usize, theme: &Theme) -> Vec<Text> {
    let bindings = state.keymap.bindings(context, state.demo.is_some());
    let spelled = |keys: &[Key]| {
        let keys: Vec<_> = keys.iter().map(ToString::to_string).collect();
        keys.join(" ")
    };
    let keys = bindings.iter().map(|(_, keys)| width(&spelled(keys)));
    let lead = keys.max().unwrap_or(0).min(KEYS) + 2;
    let all: Vec<(Text, Option<Barred>)> = (bindings.iter())
        .map(|(binding, keys)| {
            let barred = barred(state, binding.action);
            let role = match barred {
                Some(_) => Role::Dim,
                None => Role::Plain,
            };
            let line = Text::default()
                .add(column(&spelled(keys), lead, theme), role)
                .add(binding.help, role)
                .add(format!("  :{}", binding.action.name()), Role::Dim);
            (line, barred)
        })
        .collect();
    let widest = all.iter().map(|(line, _)| line.width()).max().unwrap_or(0);
    match room >= widest + 2 + REASON {
        true => beside(all, widest + 2, theme),
        false => under(all, lead, widest.min(room), theme),
    }
}

fn beside(all: Vec<(Text, Option<Barred>)>, lead: usize, theme: &Theme) -> Vec<Text> {
    let mut lines = Vec::new();
    for (line, barred) in all {
        let mut line = line;
        for said in barred.iter().flat_map(|it| reason(it, REASON, theme)) {
            lines.push(std::mem::take(&mut line).pad(lead).append(said));
        }
        if barred.is_none() {
            lines.push(line);
        }
    }
    lines
}

fn under(all: Vec<(Text, Option<Barred>)>, lead: usize, room: usize, theme: &Theme) -> Vec<Text> {
    let mut lines = Vec::new();
    let mut all = all.into_iter().peekable();
    while let Some((line, barred)) = all.next() {
        lines.push(line);
        let next = all.peek().and_then(|(_, next)| next.as_ref());
        let is_last = next != barred.as_ref();
        if let Some(barred) = barred.filter(|it| is_last && !it.is_read_only) {
            let said = reason(&barred, room.saturating_sub(lead), theme).into_iter();
            lines.extend(said.map(|said| Text::default().pad(lead).append(said)));
        }
    }
    lines
}

/// `! ready: digital-wall-green-backend: ready 1/2`, on as many lines as it needs.
fn reason(barred: &Barred, room: usize, theme: &Theme) -> Vec<Text> {
    let look = theme.mark(Mark::Look);
    let whole = format!("{look} {}", barred.why);
    let said = match barred.is_read_only && width(&whole) > room {
        true => format!("{look} {}", barred.brief),
        false => whole,
    };
    let parts = wrapped(&said, room).into_iter();
    parts
        .map(|it| Text::default().add(it, Role::Warn))
        .collect()
}

fn palette(state: &State, open: &Palette, canvas: &mut Canvas<'_>) {
    let offers = update::offers(state);
    let (most, names, title, keys) = match open.is_menu {
        true => (
            24,
            16,
            "Actions",
            "  Enter or its key plans it, typing narrows",
        ),
        false => (12, 24, "Command", "  Tab completes, Enter runs"),
    };
    let rows = most.min(usize::from(canvas.area.height).saturating_sub(5));
    let window = middle(canvas, 64, rows + 1);
    let title = Text::default().add(title, Role::Focus).add(keys, Role::Dim);
    let inside = canvas.window(window, &title);
    let input = Text::plain(format!(":{}_", open.input.text()));
    canvas.text(inside.x, inside.y, inside.width, &input);
    let chosen = open.chosen.min(offers.len().saturating_sub(1));
    let height = usize::from(inside.height.saturating_sub(1)).max(1);
    let first = chosen
        .saturating_sub(height / 2)
        .min(offers.len().saturating_sub(height));
    for (y, (place, offer)) in
        (inside.y + 1..inside.bottom()).zip(offers.iter().enumerate().skip(first))
    {
        let key = offer.key.as_deref().unwrap_or_default();
        let barred = match offer.choice {
            Choice::Act(action) => barred(state, action),
            Choice::Environment(_) | Choice::Write(_) => None,
        };
        let theme = canvas.theme;
        let (role, said) = match barred {
            None => (Role::Plain, Text::default().add(&offer.help, Role::Dim)),
            Some(Barred { brief, .. }) => {
                let said = format!("{} {brief}", theme.mark(Mark::Look));
                (Role::Dim, Text::default().add(said, Role::Warn))
            }
        };
        let text = Text::default()
            .add(column(&offer.name, names, &theme), role)
            .add(column(key, 8, &theme), Role::Dim)
            .append(said);
        canvas.text(inside.x, y, inside.width, &text);
        if place == chosen {
            canvas.select(Rect {
                y,
                height: 1,
                ..inside
            });
        }
    }
    if open.is_menu {
        below(window, offers.len().saturating_sub(first + height), canvas);
    }
    if offers.is_empty() {
        canvas.text(
            inside.x,
            inside.y + 1,
            inside.width,
            &Text::default().add(unmatched(open.input.text()), Role::Warn),
        );
    }
}
