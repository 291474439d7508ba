//! Traffic: who is live, by the Services' selectors and by what serves. On the screen at every size.

use ratatui::layout::Rect;

use super::canvas::{Canvas, Text, column};
use super::theme::{Mark, Role, Theme, colour_role};
use super::words;
use crate::app::{Panel, State};
use crate::estate::{ColourView, Currency, Estate, Kind, Live, ServiceView};

/// The kinds that this panel is made of.
const KINDS: [Kind; 4] = [
    Kind::Services,
    Kind::EndpointSlices,
    Kind::Deployments,
    Kind::Pods,
];

/// Draws it at the top of `area`; returns the rows used.
pub fn draw(state: &State, canvas: &mut Canvas<'_>, area: Rect) -> u16 {
    let estate = state.estate();
    let theme = canvas.theme;
    let views = estate.service_views();
    let is_small = area.height < 18;
    let mut lines = Vec::new();
    if is_small && estate.live_colour().is_some() {
        lines.push(small(estate, &theme));
    } else {
        let width = views
            .iter()
            .map(|v| super::canvas::width(v.name))
            .max()
            .unwrap_or(0);
        for view in &views {
            lines.push(service_line(state, view, width.min(32), area.width, &theme));
        }
        if estate.scope.traffic.is_some() {
            lines.extend((0..2).map(|colour| colour_line(state, Some(colour), area.width, &theme)));
        } else {
            lines.push(colour_line(state, None, area.width, &theme));
        }
    }
    lines.extend(troubles(state, &views, &theme));
    let most = usize::from(area.height.saturating_sub(6).max(2));
    lines.truncate(most);
    for (row, line) in (area.y..).zip(&lines) {
        canvas.text(area.x + 1, row, area.width.saturating_sub(2), line);
    }
    let used = u16::try_from(lines.len()).unwrap_or(area.height);
    if is_stale(state) {
        canvas.dim(Rect {
            height: used,
            ..area
        });
    }
    if state.panel == Panel::Traffic && state.levels.is_empty() && !is_small && !views.is_empty() {
        let chosen = u16::try_from(state.environment().service).unwrap_or(0);
        canvas.select(Rect {
            y: area.y + chosen,
            height: 1,
            x: area.x + 1,
            width: area.width.saturating_sub(2),
        });
    }
    used
}

fn is_stale(state: &State) -> bool {
    let at = state.now.at;
    KINDS
        .iter()
        .any(|k| state.estate().currency(*k, at) == Currency::Stale)
}

/// `digital-wall-service  part=frontend  version=blue  endpoints BLUE 3 GREEN 0  changed 2d ago by kubectl-patch`
fn service_line(
    state: &State,
    view: &ServiceView<'_>,
    name: usize,
    room: u16,
    theme: &Theme,
) -> Text {
    let estate = state.estate();
    let Some(switch) = &estate.scope.traffic else {
        return Text::default();
    };
    let mut text = Text::plain(column(view.name, name, theme)).add("  ", Role::Plain);
    if view.service.is_none() {
        let (mark, said) = match view.live {
            Live::Absent => (Mark::Bad, "there is no such Service"),
            _ => (Mark::Waiting, "waiting for the first answer"),
        };
        return text.add(format!("{} {said}", theme.mark(mark)), Theme::role(mark));
    }
    for (key, value) in view.rest_of_selector(&switch.key).iter() {
        text.push(format!("{key}={value}  "), Role::Dim);
    }
    match &view.live {
        Live::Colour(colour) => {
            text.push(format!("{}=", switch.key), Role::Plain);
            text.push(switch.colours[*colour].to_string(), colour_role(*colour));
        }
        Live::Foreign(value) => text.push(
            format!(
                "{} {}={value} is neither colour",
                theme.mark(Mark::Bad),
                switch.key
            ),
            Role::Bad,
        ),
        _ => text.push(
            format!(
                "{} no {} in the selector",
                theme.mark(Mark::Bad),
                switch.key
            ),
            Role::Bad,
        ),
    }
    text.push("  endpoints", Role::Dim);
    for colour in 0..2 {
        text.push(
            format!(" {} ", switch.colours[colour].to_uppercase()),
            Role::Dim,
        );
        text.push(view.ready[colour].to_string(), endpoint_role(view, colour));
    }
    if view.foreign > 0 {
        text.push(format!(" other {}", view.foreign), Role::Bad);
    }
    if let Some(manager) = view.changed {
        let age = words::age_of(manager.at, estate, state.now);
        let said = Text::default().add(
            format!("  changed {age} ago by {}", manager.name),
            Role::Dim,
        );
        if text.width() + said.width() <= usize::from(room) - 2 {
            return text.pad(usize::from(room) - 2 - said.width()).append(said);
        }
        let short = format!("  {age} {}", manager.name);
        if text.width() + short.len() <= usize::from(room) - 2 {
            text.push(short, Role::Dim);
        }
    }
    text
}

fn endpoint_role(view: &ServiceView<'_>, colour: usize) -> Role {
    let is_live = view.live == Live::Colour(colour);
    match (is_live, view.ready[colour]) {
        (true, 0) => Role::Bad,
        (false, 1..) => Role::Warn,
        _ => Role::Plain,
    }
}

/// `BLUE   ● LIVE   ready 5/5   ↺ 0   frontend 4f2a91c   backend 4f2a91c   2d`
fn colour_line(state: &State, colour: Option<usize>, room: u16, theme: &Theme) -> Text {
    let estate = state.estate();
    let view = estate.colour_view(colour);
    let mut text = Text::plain(" ");
    if let Some(colour) = colour {
        let is_live = estate.live_colour() == Some(colour);
        let name = words::colour_word(estate, colour);
        text.push(column(&name, 8, theme), colour_role(colour));
        let (mark, said) = match (is_live, estate.live_colour()) {
            (true, _) => (Mark::Live, "LIVE"),
            (false, Some(_)) => (Mark::Idle, "idle"),
            (false, None) => (Mark::Unknown, "?"),
        };
        let role = if is_live { Role::Focus } else { Role::Plain };
        text.push(format!("{} ", theme.mark(mark)), Role::Plain);
        text.push(said, role);
        text.push("   ", Role::Plain);
    } else {
        text.push("in place   ", Role::Plain);
    }
    text.push("ready ", Role::Dim);
    let ready = format!("{}/{}", view.ready, view.desired);
    text.push(column(&ready, 7, theme), ready_role(&view));
    text.push(format!("{} ", theme.mark(Mark::Restarts)), Role::Dim);
    text.push(
        column(&view.restarts.to_string(), 4, theme),
        if view.restarts > 0 {
            Role::Warn
        } else {
            Role::Dim
        },
    );
    if view.is_mixed() {
        text.push(format!("{} mixed ", theme.mark(Mark::Look)), Role::Warn);
    }
    let since = words::age_of(view.since, estate, state.now);
    let left = usize::from(room).saturating_sub(2 + text.width() + since.len() + 2);
    text = text.append(images(&view, left, theme));
    text.pad(usize::from(room).saturating_sub(2 + since.len()))
        .add(since, Role::Dim)
}

fn ready_role(view: &ColourView) -> Role {
    match (view.ready, view.desired) {
        (ready, desired) if ready < desired => Role::Bad,
        _ => Role::Plain,
    }
}

/// Each workload's tag and digest; where there is no room, tags alone.
fn images(view: &ColourView, room: usize, theme: &Theme) -> Text {
    let say = |with_digest: bool, with_name: bool| {
        let mut text = Text::default();
        for (workload, images) in &view.images {
            if with_name {
                text.push(format!("{workload} "), Role::Dim);
            }
            for (image, pods) in images {
                text.push(super::canvas::fit(image.tag(), 12, theme), Role::Plain);
                if with_digest && let Some(digest) = image.short_digest() {
                    text.push(format!(" {digest}"), Role::Dim);
                }
                if images.len() > 1 {
                    text.push(format!(" ×{pods}"), Role::Warn);
                }
                text.push("  ", Role::Plain);
            }
        }
        text
    };
    let tags = Estate::tags(view);
    let long = say(true, true);
    if long.width() <= room {
        return long;
    }
    if let [(tag, _)] = tags.iter().collect::<Vec<_>>()[..] {
        let digests = say(true, false);
        let same = Text::plain(super::canvas::fit(tag, 12, theme));
        return if digests.width() <= room {
            digests
        } else {
            same
        };
    }
    let middle = say(false, true);
    if middle.width() <= room {
        middle
    } else {
        say(false, false)
    }
}

/// The whole panel in a line: `BLUE ● LIVE 5/5  4f2a91c     GREEN ○ idle 4/5  9b1e07d`.
fn small(estate: &Estate, theme: &Theme) -> Text {
    let mut text = Text::default();
    for colour in 0..2 {
        let view = estate.colour_view(Some(colour));
        let is_live = estate.live_colour() == Some(colour);
        let (mark, said) = if is_live {
            (Mark::Live, "LIVE")
        } else {
            (Mark::Idle, "idle")
        };
        text.push(words::colour_word(estate, colour), colour_role(colour));
        text.push(format!(" {} {said} ", theme.mark(mark)), Role::Plain);
        text.push(
            format!("{}/{}", view.ready, view.desired),
            ready_role(&view),
        );
        let tags: Vec<_> = Estate::tags(&view).into_keys().collect();
        text.push(
            format!("  {}     ", super::canvas::fit(&tags.join(" "), 8, theme)),
            Role::Plain,
        );
    }
    text
}

/// What needs a person, in words: Services that disagree, and why data is stale.
fn troubles(state: &State, views: &[ServiceView<'_>], theme: &Theme) -> Vec<Text> {
    let estate = state.estate();
    let mut lines = Vec::new();
    if estate.scope.traffic.is_some()
        && estate.live_colour().is_none()
        && views.len() > 1
        && views.iter().all(|v| v.service.is_some())
    {
        let said = format!(
            "{} the Services do not agree on one colour",
            theme.mark(Mark::Bad)
        );
        lines.push(Text::default().add(said, Role::Bad));
    }
    if is_stale(state)
        && let Some(cause) = words::cause(estate, &KINDS)
    {
        let (_, said) = words::currency(estate, &KINDS, state.now);
        let said = format!("{} {said}: {cause}", theme.mark(Mark::Unknown));
        lines.push(Text::default().add(said, Role::Warn));
    }
    lines
}
