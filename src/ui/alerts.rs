//! Alerts: what fires, what is pending, what somebody silenced, and whether monitoring is alive.

use ratatui::layout::Rect;

use super::canvas::{Canvas, Text, column, fit, right, wrapped};
use super::pairs;
use super::theme::{Mark, Role, Theme, colour_role};
use super::words;
use crate::app::{Panel, State, lists};
use crate::estate::alerts::{AlertView, Alerts, Standing};
use crate::estate::{Currency, Safe, Verdict};

/// The most lines of one reason.
const REASON: usize = 3;

/// `Alerts  1 firing · 1 pending · 1 silenced`, or UNKNOWN.
pub fn title(state: &State, theme: &Theme) -> Text {
    let mut text = Text::plain("Alerts");
    let Some(alerts) = &state.estate().alerts else {
        return text;
    };
    if let Currency::Waiting = alerts.rules.currency(state.now.at) {
        return text.add(
            format!("  {} waiting", theme.mark(Mark::Waiting)),
            Role::Dim,
        );
    }
    let views = alerts.views();
    let count = |wanted| views.iter().filter(|v| v.standing == wanted).count();
    let mut parts = Vec::new();
    for (wanted, kind) in [
        (Standing::Firing, Mark::Bad),
        (Standing::Pending, Mark::Waiting),
        (Standing::Silenced, Mark::Silenced),
        (Standing::Inhibited, Mark::Silenced),
    ] {
        match count(wanted) {
            0 => {}
            n => parts.push((format!("{n} {}", standing(wanted)), kind)),
        }
    }
    for (place, (words, kind)) in parts.into_iter().enumerate() {
        let lead = if place == 0 { "  " } else { " · " };
        text.push(lead, Role::Dim);
        text.push(words, Theme::role(kind));
    }
    if is_unknown(state, alerts) {
        text.push(
            format!("  {} UNKNOWN", theme.mark(Mark::Unknown)),
            Role::Warn,
        );
    }
    text
}

/// The mark beside the panel's name where nobody may take it for calm: UNKNOWN, or not answered yet.
pub fn doubt(state: &State) -> Option<Mark> {
    let alerts = state.estate().alerts.as_ref()?;
    match alerts.rules.currency(state.now.at) {
        Currency::Waiting => Some(Mark::Waiting),
        Currency::Live | Currency::Stale => is_unknown(state, alerts).then_some(Mark::Unknown),
    }
}

fn is_unknown(state: &State, alerts: &Alerts) -> bool {
    !believed(state, alerts).is_ok()
}

fn believed(state: &State, alerts: &Alerts) -> Verdict {
    state.estate().monitoring_verdict(alerts, state.now)
}

/// What is wrong with the sources, a sentence each.
fn faults(state: &State, alerts: &Alerts, theme: &Theme) -> Vec<String> {
    let mut lines = Vec::new();
    let unknown = theme.mark(Mark::Unknown);
    let verdict = believed(state, alerts);
    if let Verdict::Unknown(why) = &verdict
        && alerts.rules.listed | alerts.rules.fault.is_some()
    {
        let age = alerts
            .rules
            .age(state.now.at)
            .map(|ms| i64::try_from(ms / 1_000).unwrap_or(0));
        let age = age.map_or("NO DATA".to_owned(), |s| {
            format!("as of {} ago", words::age(s))
        });
        lines.push(format!("{unknown} UNKNOWN, {age}: {why}"));
    }
    let is_told = |warning: &&Safe| {
        verdict
            .why()
            .is_some_and(|why| why.contains(warning.as_str()))
    };
    for warning in alerts.rules.value.warnings.iter().filter(|it| !is_told(it)) {
        lines.push(format!("{unknown} partial: {warning}"));
    }
    if let Some(fault) = &alerts.handling.fault {
        lines.push(format!("{unknown} silences unknown: {}", fault.what));
    }
    let others = [
        alerts.broken(),
        alerts.broken_elsewhere(),
        alerts.unscraped(),
    ];
    lines.extend(
        others
            .into_iter()
            .flatten()
            .map(|it| format!("{unknown} {it}")),
    );
    let gaps = alerts.rules.value.gaps.iter().chain(&alerts.gaps);
    lines.extend(gaps.map(|gap| format!("{unknown} partial: {gap}")));
    let skew = state.estate().monitoring_skew(alerts, state.now);
    lines.extend(skew.map(|it| format!("{unknown} {it}")));
    lines
}

/// What is wrong with the sources, above the list; returns the rows used. What fires keeps its rows, a pair each, so
/// that a note never takes its place; a note that is cut for that says so.
fn notes(
    state: &State,
    alerts: &Alerts,
    canvas: &mut Canvas<'_>,
    area: Rect,
    firing: usize,
) -> u16 {
    let theme = canvas.theme;
    let columns = area.width.saturating_sub(3);
    let room = usize::from(columns);
    // A reason that is cut off is none.
    let parts = |said: String| wrapped(&said, room).into_iter().take(REASON);
    let mut lines: Vec<String> = (faults(state, alerts, &theme).into_iter())
        .flat_map(parts)
        .collect();
    let kept = firing.saturating_mul(2).max(1);
    let most = usize::from(area.height).saturating_sub(kept).max(1);
    if lines.len() > most {
        lines.truncate(most);
        if let Some(last) = lines.last_mut() {
            *last = fit(last, room.saturating_sub(2), &theme);
            last.push_str(&format!(" {}", theme.mark(Mark::More)));
        }
    }
    for (y, said) in (area.y..).zip(&lines) {
        let said = Text::default().add(said.as_str(), Role::Warn);
        canvas.text(area.x + 2, y, columns, &said);
    }
    u16::try_from(lines.len()).unwrap_or(area.height)
}

/// Draws the list into `area`.
pub fn draw(state: &State, canvas: &mut Canvas<'_>, area: Rect) {
    let Some(alerts) = &state.estate().alerts else {
        return;
    };
    let theme = canvas.theme;
    let views = lists::alerts(state);
    let firing = views.iter().filter(|v| v.standing == Standing::Firing);
    let y = area.y + notes(state, alerts, canvas, area, firing.count());
    if views.is_empty() {
        let said = match lists::typed(state, Panel::Alerts) {
            "" => quiet(state, alerts),
            filter => Text::default().add(format!("no alert matches {filter:?}"), Role::Dim),
        };
        canvas.text(area.x + 2, y, area.width.saturating_sub(3), &said);
        return;
    }
    let list = Rect {
        y,
        height: area.bottom().saturating_sub(y),
        ..area
    };
    pairs::draw(state, Panel::Alerts, canvas, list, &views, |view| {
        let head = line(state, alerts, view, area.width, &theme);
        (head, below(state, view))
    });
    if alerts.rules.currency(state.now.at) == Currency::Stale {
        canvas.dim(area);
    }
}

/// `no alerts; 14 rules healthy, evaluated 10s ago`: said only while monitoring is alive.
fn quiet(state: &State, alerts: &Alerts) -> Text {
    if !alerts.rules.listed {
        let said = if alerts.rules.fault.is_some() {
            ""
        } else {
            "waiting for the first answer"
        };
        return Text::default().add(said, Role::Dim);
    }
    if is_unknown(state, alerts) {
        return Text::default().add("whether anything fires is not known", Role::Warn);
    }
    let rules = &alerts.rules.value.rules;
    let healthy = rules.iter().filter(|r| r.health.as_str() == "ok").count();
    let last = rules.iter().filter_map(|r| r.evaluated).max();
    let age = age(state, alerts, last);
    let up = match alerts.targets.listed {
        true => format!(", {} targets up", alerts.targets.value.up),
        false => String::new(),
    };
    let said = format!(
        "no alerts; {healthy} of {} rules healthy, evaluated {age} ago{up}",
        rules.len()
    );
    Text::default().add(said, Role::Dim)
}

/// `✗ HighResponseTime   warning  GREEN backend       4m`
fn line(state: &State, alerts: &Alerts, view: &AlertView<'_>, width: u16, theme: &Theme) -> Text {
    let kind = mark(view.standing);
    let labels = &view.alert.labels;
    let severity = labels.get("severity").map_or("-", |s| s.as_str());
    let name = usize::from(width).saturating_sub(36).clamp(14, 40);
    let mut text = Text::default()
        .add(format!("{} ", theme.mark(kind)), Theme::role(kind))
        .add(column(&view.rule.name, name, theme), Role::Plain)
        .add(" ", Role::Plain)
        .add(column(severity, 9, theme), Role::Plain);
    let switch = state.estate().scope.traffic.as_ref();
    let colour = alerts
        .scope
        .colour_label
        .as_ref()
        .and_then(|key| labels.get(key));
    let colour = colour.and_then(|value| switch?.colour(value));
    let word = colour.map_or_else(String::new, |c| words::colour_word(state.estate(), c));
    text.push(
        column(&word, 7, theme),
        colour.map_or(Role::Plain, colour_role),
    );
    let service = alerts
        .scope
        .service_label
        .as_ref()
        .and_then(|key| labels.get(key));
    let room = usize::from(width).saturating_sub(3 + text.width() + 6);
    text.push(
        column(service.map_or("", |s| s.as_str()), room, theme),
        Role::Plain,
    );
    let age = age(state, alerts, view.since());
    text.add(right(&age, 6, theme), Role::Dim)
}

/// An age of what Prometheus dated; a dash where it is not known.
pub fn age(state: &State, alerts: &Alerts, at: Option<jiff::Timestamp>) -> String {
    let now = state.estate().monitoring_time(alerts, state.now);
    at.map_or_else(
        || "-".to_owned(),
        |at| words::age(now.as_second() - at.as_second()),
    )
}

/// Why it fires, or who silenced it.
fn below(state: &State, view: &AlertView<'_>) -> Text {
    if let Some(silence) = view.silence {
        let until = silence.ends.map(|at| {
            words::age(at.as_second() - state.estate().server_time(state.now).as_second())
        });
        let until = until.map_or_else(String::new, |left| format!(", {left} left"));
        return Text::default().add(
            format!("silenced by {}{until}: {}", silence.author, silence.comment),
            Role::Dim,
        );
    }
    let annotations = &view.alert.annotations;
    let summary = ["summary", "description", "message"]
        .iter()
        .find_map(|key| annotations.get(key));
    match summary {
        Some(summary) => Text::plain(summary.to_string()),
        None => Text::default().add(
            format!(
                "{} = {}",
                view.rule.expression,
                words::value(&view.alert.value)
            ),
            Role::Dim,
        ),
    }
}

/// The mark of a standing.
pub fn mark(standing: Standing) -> Mark {
    match standing {
        Standing::Firing => Mark::Bad,
        Standing::Silenced | Standing::Inhibited => Mark::Silenced,
        Standing::Pending => Mark::Waiting,
    }
}

/// The word of a standing.
pub fn standing(standing: Standing) -> &'static str {
    match standing {
        Standing::Firing => "firing",
        Standing::Silenced => "silenced",
        Standing::Inhibited => "inhibited",
        Standing::Pending => "pending",
    }
}
