//! What is laid over the screen: help, palette, environments, and what the demo can break.

use ratatui::layout::Rect;

use super::canvas::{Canvas, Text, column};
use super::theme::{Role, Theme};
use super::words;
use crate::app::keymap::Context;
use crate::app::palette::Palette;
use crate::app::{Overlay, State, View, plan, update};

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
}

fn environments(state: &State, theme: &Theme) -> Vec<Text> {
    (state.environments.iter())
        .map(|environment| {
            let estate = &environment.estate;
            let badge = words::tier_badge(estate.tier());
            let mut text = Text::plain(column(&estate.scope.name, 16, theme))
                .add(format!("  {badge:<8}"), Role::Title);
            if environment.is_watched {
                let verdict = estate.verdict(state.now);
                let mark = words::verdict_mark(&verdict);
                text.push(format!("{} ", theme.mark(mark)), Theme::role(mark));
                text.push(column(&words::live_word(estate), 20, theme), Role::Plain);
                if let Some(why) = verdict.why() {
                    text.push(super::canvas::fit(why, 40, theme), Role::Dim);
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
    let mut lines: Vec<Text> = (state
        .keymap
        .bindings(context, state.demo.is_some())
        .into_iter())
    .map(|(binding, keys)| {
        let keys: Vec<_> = keys.iter().map(ToString::to_string).collect();
        Text::plain(column(&keys.join(" "), 16, &canvas.theme))
            .add(binding.help, Role::Plain)
            .add(format!("  :{}", binding.action.name()), Role::Dim)
    })
    .collect();
    for warning in &state.warnings {
        lines.push(Text::default().add(warning.to_string(), Role::Warn));
    }
    let columns = lines.iter().map(Text::width).max().unwrap_or(0);
    let window = middle(canvas, columns, lines.len());
    let title = Text::default()
        .add("Keys of this view", Role::Focus)
        .add("  Esc closes", Role::Dim);
    let inside = canvas.window(window, &title);
    let hidden = lines.len().saturating_sub(usize::from(inside.height));
    let first = line.min(hidden);
    for (y, line) in (inside.y..inside.bottom()).zip(lines.iter().skip(first)) {
        canvas.text(inside.x, y, inside.width, line);
    }
    if hidden > first {
        let more = Text::default().add(format!(" {} more below ", hidden - first), Role::Warn);
        canvas.text_right(
            window.x + 2,
            window.bottom() - 1,
            window.width.saturating_sub(4),
            &more,
        );
    }
}

fn palette(state: &State, open: &Palette, canvas: &mut Canvas<'_>) {
    let offers = update::offers(state);
    let rows = 12.min(usize::from(canvas.area.height).saturating_sub(5));
    let window = middle(canvas, 64, rows + 1);
    let title = Text::default()
        .add("Command", Role::Focus)
        .add("  Tab completes, Enter runs", Role::Dim);
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
        let text = Text::plain(column(&offer.name, 24, &canvas.theme))
            .add(column(key, 8, &canvas.theme), Role::Dim)
            .add(offer.help.clone(), Role::Dim);
        canvas.text(inside.x, y, inside.width, &text);
        if place == chosen {
            canvas.select(Rect {
                y,
                height: 1,
                ..inside
            });
        }
    }
    if offers.is_empty() {
        canvas.text(
            inside.x,
            inside.y + 1,
            inside.width,
            &Text::default().add("no such command", Role::Warn),
        );
    }
}
