//! Pods: workloads with blue and green side by side, then every pod, trouble first and why in words.

use ratatui::layout::Rect;

use super::canvas::{Canvas, Text, column, fit, right, width};
use super::theme::{Mark, Role, Theme, colour_role};
use super::words;
use crate::app::rows::Row;
use crate::app::{Environment, Panel, State};
use crate::estate::{Autoscaler, Currency, Estate, Group, Kind, Pod, Safe, why};

/// `Pods  blue 5/5 · green 4/5   2 not ready`, or why there is nothing.
pub fn title(state: &State, theme: &Theme) -> Text {
    let estate = state.estate();
    let mut text = Text::plain("Pods");
    text.push("  ", Role::Plain);
    let (mark, said) = words::currency(estate, &[Kind::Pods], state.now);
    if let Some(mark) = mark {
        text.push(format!("{} {said}  ", theme.mark(mark)), Theme::role(mark));
    }
    let count = estate.pods.value.len();
    match estate.is_listed(Kind::Pods) {
        true => text.push(format!("{count} pods"), Role::Dim),
        false if count > 0 => text.push(format!("{count} pods so far"), Role::Dim),
        false => {}
    }
    match estate.index.trouble() {
        0 => {}
        n => text.push(
            format!("  {} {n} not ready", theme.mark(Mark::Bad)),
            Role::Bad,
        ),
    }
    text
}

/// Draws the list into `area`.
pub fn draw(state: &State, canvas: &mut Canvas<'_>, area: Rect) {
    let environment = state.environment();
    let theme = canvas.theme;
    let mut top = area.y;
    if environment.narrowed.is_none() {
        let heads = workloads(state, canvas, area);
        top += heads + u16::from(area.height >= heads + 6);
    }
    let list = Rect {
        y: top,
        height: area.bottom().saturating_sub(top),
        ..area
    };
    if environment.pod_count() == 0 {
        let said = emptiness(state, &theme);
        canvas.text(list.x + 1, list.y, list.width.saturating_sub(2), &said);
    } else {
        pods(state, canvas, list);
    }
    if state.estate().currency(Kind::Pods, state.now.at) == Currency::Stale {
        canvas.dim(area);
    }
}

/// Missing is never empty: nothing is said to be absent before a whole listing was seen.
fn emptiness(state: &State, theme: &Theme) -> Text {
    let estate = state.estate();
    if estate.is_listed(Kind::Pods) {
        let scope = &estate.scope;
        return match state.filter.text() {
            "" => Text::plain(format!(
                "no pods in {} with the configured labels",
                scope.namespace
            )),
            filter => Text::plain(format!("no pod matches {filter:?}")),
        };
    }
    match estate.fault(Kind::Pods) {
        Some(fault) => {
            let said = format!(
                "{} no pods seen yet: {}",
                theme.mark(Mark::Unknown),
                fault.what
            );
            Text::default().add(said, Role::Warn)
        }
        None => Text::default().add("waiting for the first pods", Role::Dim),
    }
}

/// A line a workload, with its colours beside each other. Returns the rows used.
fn workloads(state: &State, canvas: &mut Canvas<'_>, area: Rect) -> u16 {
    let environment = state.environment();
    let estate = &environment.estate;
    let theme = canvas.theme;
    let name = (estate.scope.workloads.iter())
        .map(|w| super::canvas::width(&w.name))
        .max()
        .unwrap_or(0)
        .clamp(8, 18);
    let colours: Vec<Option<usize>> = match estate.scope.traffic {
        Some(_) => vec![Some(0), Some(1)],
        None => vec![None],
    };
    let left = area.x + 2;
    let columns = u16::try_from(colours.len()).unwrap_or(1);
    let start = left + u16::try_from(name).unwrap_or(0) + 2;
    let each = (area.right().saturating_sub(start + 1) / columns).min(56);
    let mut y = area.y;
    if estate.scope.traffic.is_some() {
        for (place, colour) in (0u16..).zip(colours.iter().flatten()) {
            let word =
                Text::default().add(words::colour_word(estate, *colour), colour_role(*colour));
            canvas.text(start + place * each, y, each, &word);
        }
        y += 1;
    }
    let group = |row, colour: &Option<usize>| Group {
        workload: Some(row),
        colour: *colour,
    };
    let room = usize::from(each.saturating_sub(2));
    // What an autoscaler says stands in all cells, or in none: one alone reads as if the others had none.
    let all = (0..estate.scope.workloads.len())
        .flat_map(|row| colours.iter().map(move |colour| group(row, colour)));
    let cells: Vec<(Text, [String; 2])> = all
        .map(|group| (cell(state, group, room, &theme), scaled(estate, group)))
        .collect();
    let fits = |form: &usize| {
        let wide = |(text, said): &(Text, [String; 2])| text.width() + width(&said[*form]);
        cells.iter().all(|cell| wide(cell) <= room)
    };
    let form = (0..2).find(fits);
    let mut cells = cells.into_iter().map(|(text, said)| match form {
        Some(form) => text.add(said[form].clone(), Role::Dim),
        None => text,
    });
    for (row, workload) in estate.scope.workloads.iter().enumerate() {
        canvas.text(
            left,
            y,
            each,
            &Text::plain(column(&workload.name, name, &theme)),
        );
        for (place, colour) in (0u16..).zip(&colours) {
            let x = start + place * each;
            let width = each.saturating_sub(2);
            canvas.text(x, y, width, &cells.next().unwrap_or_default());
            let is_here = environment.cursor.colour == colour.unwrap_or(0);
            if is_here && is_on(state, &Row::Workload(row)) {
                canvas.select(Rect::new(x, y, width, 1));
            }
        }
        y += 1;
    }
    y - area.y
}

fn is_on(state: &State, row: &Row) -> bool {
    state.panel == Panel::Pods
        && state.levels.is_empty()
        && state.environment().cursor.on.as_ref() == Some(row)
}

/// `3/3  ↺ 0   2d  HPA 3 (3–10) cpu 41/70 %`
fn cell(state: &State, group: Group, room: usize, theme: &Theme) -> Text {
    let estate = state.estate();
    let desired: u32 = estate.deployments_of(group).map(|d| d.desired).sum();
    let Some(deployment) = estate.deployments_of(group).next() else {
        let said = if estate.is_listed(Kind::Deployments) {
            "none"
        } else {
            ""
        };
        return Text::default().add(said, Role::Dim);
    };
    let (ready, restarts) = (estate.index.tally(group)).map_or((0, 0), |t| (t.ready, t.restarts));
    let is_known = estate.is_listed(Kind::Pods);
    let shown = if is_known {
        ready.to_string()
    } else {
        "?".to_owned()
    };
    let ready_role = if is_known && ready < desired {
        Role::Bad
    } else {
        Role::Plain
    };
    let mut text = Text::default()
        .add(column(&format!("{shown}/{desired}"), 6, theme), ready_role)
        .add(format!("{} ", theme.mark(Mark::Restarts)), Role::Dim)
        .add(
            right(&restarts.to_string(), 2, theme),
            if restarts > 0 { Role::Warn } else { Role::Dim },
        );
    let age = words::age_of(estate.revision_made(deployment), estate, state.now);
    text.push(right(&age, 5, theme), Role::Dim);
    if deployment.observed_generation < deployment.generation {
        text.push(
            format!("  {} not observed", theme.mark(Mark::Waiting)),
            Role::Warn,
        );
    } else if deployment.updated < deployment.desired {
        let word = if room < 30 { "" } else { "rolling " };
        let (mark, updated) = (theme.mark(Mark::Waiting), deployment.updated);
        let said = format!("  {mark} {word}{updated}/{desired}");
        text.push(said, Role::Warn);
    }
    text
}

/// `HPA 3 (3–10) cpu 41/70 %`, and the same without the metric; empty where nothing scales it.
fn scaled(estate: &Estate, group: Group) -> [String; 2] {
    let deployment = estate.deployments_of(group).next();
    let is_its = |a: &&Autoscaler| {
        a.target_kind.as_str() == "Deployment" && deployment.is_some_and(|d| a.target == d.name)
    };
    let Some(hpa) = estate.autoscalers.value.iter().find(is_its) else {
        return [String::new(), String::new()];
    };
    let short = format!("   HPA {} ({}–{})", hpa.current, hpa.min, hpa.max);
    let mut long = short.clone();
    for (name, current, target) in hpa.metrics.iter().take(1) {
        let value = |v: &Option<i32>| v.map_or("?".to_owned(), |v| v.to_string());
        long.push_str(&format!(" {name} {}/{} %", value(current), value(target)));
    }
    [long, short]
}

/// What a row of the list is drawn from.
struct Drawn<'a> {
    name: &'a Safe,
    /// The reason's line, for a pod in trouble.
    reason: Option<why::Why>,
}

impl Drawn<'_> {
    fn height(&self) -> u16 {
        1 + u16::from(self.reason.is_some())
    }
}

/// The part of the list around the cursor: what is above it takes at most half of the room.
fn pods(state: &State, canvas: &mut Canvas<'_>, area: Rect) {
    let environment = state.environment();
    let heads = environment.workload_rows();
    let cursor = environment.cursor.index.saturating_sub(heads);
    let first = cursor.saturating_sub(usize::from(area.height));
    let window: Vec<Drawn<'_>> = (environment.pods_from(first))
        .take(usize::from(area.height) * 2)
        .map(|name| Drawn {
            name,
            reason: reason(&environment.estate, name),
        })
        .collect();
    let mut start = cursor - first;
    let mut above = 0;
    let budget = area.height / 2;
    let remaining: u16 = (window.iter().skip(start))
        .map(Drawn::height)
        .fold(0, u16::saturating_add);
    let budget = budget.max(area.height.saturating_sub(remaining));
    while start > 0 && above + window[start - 1].height() <= budget {
        start -= 1;
        above += window[start].height();
    }
    let mut y = area.y;
    for drawn in window.iter().skip(start) {
        if y >= area.bottom() {
            break;
        }
        pod_row(
            state,
            environment,
            canvas,
            Rect {
                y,
                height: 1,
                ..area
            },
            drawn,
        );
        if let Some(reason) = &drawn.reason
            && y + 1 < area.bottom()
        {
            canvas.text(
                area.x + 5,
                y + 1,
                area.width.saturating_sub(6),
                &Text::plain(reason.detail.to_string()),
            );
        }
        y += drawn.height();
    }
}

fn reason(estate: &Estate, name: &Safe) -> Option<why::Why> {
    estate.why_not_ready(estate.pods.value.get(name)?)
}

/// `✗ backend-6b9f-x2k1   GREEN  not ready 4m   ↺ 3   10m   node-2`
fn pod_row(
    state: &State,
    environment: &Environment,
    canvas: &mut Canvas<'_>,
    area: Rect,
    drawn: &Drawn<'_>,
) {
    let estate = &environment.estate;
    let theme = canvas.theme;
    let Some(pod) = estate.pods.value.get(drawn.name) else {
        return;
    };
    let text = pod_line(state, pod, drawn.reason.as_ref(), area.width, &theme);
    canvas.text(area.x + 2, area.y, area.width.saturating_sub(3), &text);
    let row = Row::Pod(drawn.name.clone());
    if is_on(state, &row) {
        canvas.select(Rect {
            x: area.x + 1,
            width: area.width.saturating_sub(2),
            ..area
        });
    }
}

fn pod_line(
    state: &State,
    pod: &Pod,
    reason: Option<&why::Why>,
    width: u16,
    theme: &Theme,
) -> Text {
    let estate = state.estate();
    let mark = match reason {
        Some(why) if matches!(why.short.as_str(), "terminating" | "starting" | "pending") => {
            Mark::Waiting
        }
        Some(_) if pod.is_replaced() => Mark::Dot,
        Some(_) => Mark::Bad,
        None if pod.is_finished() => Mark::Dot,
        None => Mark::Ok,
    };
    let words_room = if width < 78 { 18 } else { 24 };
    let name = usize::from(width)
        .saturating_sub(words_room + 27)
        .clamp(14, 48);
    let mut text = Text::default()
        .add(format!("{} ", theme.mark(mark)), Theme::role(mark))
        .add(
            column(&shown_name(estate, pod, name), name, theme),
            Role::Plain,
        )
        .add("  ", Role::Plain);
    if estate.scope.traffic.is_some() {
        let colour = estate.index.group(&pod.name).and_then(|g| g.colour);
        let word = colour.map_or_else(String::new, |c| words::colour_word(estate, c));
        text.push(
            column(&word, 7, theme),
            colour.map_or(Role::Dim, colour_role),
        );
    }
    let said = match reason {
        Some(why) => {
            let age = words::age_of(why.since, estate, state.now);
            fit(&format!("{} {age}", why.short), words_room - 1, theme)
        }
        None if pod.is_finished() => "finished".to_owned(),
        None => "ready".to_owned(),
    };
    text.push(
        column(&said, words_room, theme),
        if reason.is_some() {
            Theme::role(mark)
        } else {
            Role::Plain
        },
    );
    text.push(format!("{} ", theme.mark(Mark::Restarts)), Role::Dim);
    let restarts = pod.restarts();
    text.push(
        right(&restarts.to_string(), 3, theme),
        if restarts > 0 { Role::Warn } else { Role::Dim },
    );
    text.push(
        right(&words::age_of(pod.created, estate, state.now), 5, theme),
        Role::Dim,
    );
    if let Some(node) = &pod.node
        && width >= 110
    {
        text.push(format!("   {}", fit(node, 20, theme)), Role::Dim);
    }
    if let Some(image) = pod.main_container().map(|c| &c.image)
        && width >= 130
    {
        text.push(
            format!("   {}", fit(image.short_tag(), 16, theme)),
            Role::Dim,
        );
    }
    text
}

/// A name that does not fit is told by its workload and its own last part: `frontend…k9n9q`.
fn shown_name(estate: &Estate, pod: &Pod, room: usize) -> String {
    let group = estate.index.group(&pod.name).and_then(|g| g.workload);
    let suffix = pod.name.rsplit('-').next();
    match (group, suffix) {
        (Some(workload), Some(suffix)) if super::canvas::width(&pod.name) > room => {
            format!("{} {suffix}", estate.scope.workloads[workload].name)
        }
        _ => pod.name.to_string(),
    }
}
