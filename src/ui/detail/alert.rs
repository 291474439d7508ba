//! An alert: who silenced or what inhibits it, what this cockpit did about it, its expression over the last hour, labels,
//! annotations, links.

use super::{Page, Text};
use crate::app::chart;
use crate::estate::act::About;
use crate::estate::alerts::{AlertView, Standing};
use crate::estate::chart::threshold;
use crate::estate::{Labels, Safe};
use crate::ui::alerts::{age, mark, standing};
use crate::ui::canvas::column;
use crate::ui::chart as small;
use crate::ui::theme::{Mark, Role, Theme};
use crate::ui::words;

/// The page of the alert with these labels; returns its title.
pub(super) fn page(page: &mut Page<'_>, labels: &Labels) -> Text {
    let state = page.state;
    let name = labels
        .get("alertname")
        .cloned()
        .unwrap_or_else(|| Safe::new("?"));
    let alerts = state.estate().alerts.as_ref();
    let views = alerts.map(|a| a.views()).unwrap_or_default();
    let Some(view) = views.iter().find(|v| v.alert.labels == *labels) else {
        let title = page.gone("Alert", &name);
        page.line(Text::default().add("it resolved, or its labels changed", Role::Dim));
        return title;
    };
    head(page, view);
    let about = About::Alert(labels.clone());
    page.acts(&about, "Alertmanager");
    last_hour(page, view);
    page.heading("Rule");
    page.wrapped(0, &view.rule.expression, Role::Plain);
    page.fact("for", format!("{} s", view.rule.hold));
    let health = view
        .rule
        .error
        .as_ref()
        .map_or(view.rule.health.to_string(), |e| {
            format!("{}: {e}", view.rule.health)
        });
    page.fact("rule health", health);
    // What is not evaluated any more goes on to fire, or to be silent.
    let age_of = |at| alerts.map_or_else(String::new, |it| age(state, it, at));
    let every = view.rule.interval;
    let evaluated = match view.rule.evaluated {
        Some(at) => format!("{} ago, every {every} s", age_of(Some(at))),
        None => "not told when".to_owned(),
    };
    page.fact("evaluated", evaluated);
    for (what, url) in view.alert.links() {
        page.fact(what, url);
    }
    page.heading("Labels");
    pairs(page, &view.alert.labels);
    page.heading("Annotations");
    pairs(page, &view.alert.annotations);
    Text::default()
        .add(format!("Alert  {name}"), Role::Focus)
        .add(format!("  {}", age_of(view.since())), Role::Dim)
}

fn head(page: &mut Page<'_>, view: &AlertView<'_>) {
    let state = mark(view.standing);
    let said = format!("{} {}", page.theme.mark(state), standing(view.standing));
    let value = format!("   value {}", words::value(&view.alert.value));
    page.line(
        Text::default()
            .add(said, Theme::role(state))
            .add(value, Role::Plain),
    );
    if view.is_disputed {
        let said = "Alertmanager has several that may be it, of which only some are quiet";
        page.wrapped(2, said, Role::Warn);
    }
    if view.standing == Standing::Silenced {
        let words = match view.silence {
            Some(silence) => {
                let until = silence
                    .ends
                    .map_or_else(|| "?".to_owned(), |at| words::moment(at, page.state));
                format!(
                    "silenced by {} until {until}: {}",
                    silence.author, silence.comment
                )
            }
            None => "silenced; the silence is not known".to_owned(),
        };
        page.wrapped(2, &words, Role::Plain);
    }
    if view.standing == Standing::Inhibited {
        for by in view.inhibited_by {
            page.wrapped(2, &format!("inhibited by {by}"), Role::Plain);
        }
    }
}

/// The chart of the rule's expression, or in its place why there is none.
fn last_hour(page: &mut Page<'_>, view: &AlertView<'_>) {
    let state = page.state;
    page.heading("Last hour");
    let wanted = chart::wanted(state);
    let Some(charted) = (state.chart.as_ref()).filter(|c| Some(&c.of) == wanted.as_ref()) else {
        page.line(Text::default().add("asked for", Role::Dim));
        return;
    };
    let unknown = page.theme.mark(Mark::Unknown);
    if let Some(fault) = &charted.fault {
        let age = charted
            .last
            .as_ref()
            .map(|(at, _)| state.now.at.since(*at) / 1_000);
        let age = age.map_or("no chart".to_owned(), |seconds| {
            let age = words::age(i64::try_from(seconds).unwrap_or(i64::MAX));
            format!("as of {age} ago")
        });
        page.wrapped(0, &format!("{unknown} {age}: {}", fault.what), Role::Warn);
    }
    let Some((_, chart)) = &charted.last else {
        return;
    };
    for warning in &chart.warnings {
        page.wrapped(0, &format!("{unknown} partial: {warning}"), Role::Warn);
    }
    let ours = chart.of(&view.alert.labels);
    let Some(series) = ours.or(chart.series.first()) else {
        let said = "the expression returned nothing in the last hour";
        page.line(Text::default().add(said, Role::Warn));
        return;
    };
    if ours.is_none() {
        let labels: Vec<_> = (series.labels.iter())
            .map(|(k, v)| format!("{k}={v}"))
            .collect();
        let said = format!(
            "not this alert's series, which is not among them: {}",
            labels.join(" ")
        );
        page.wrapped(0, &said, Role::Warn);
    }
    let threshold = threshold(&view.rule.expression);
    let room = page.width;
    for line in small::lines(state, chart, series, threshold, room, &page.theme) {
        page.line(line);
    }
    let others = chart.series.len() - 1 + chart.more;
    if others > 0 {
        let said = format!("{others} more series of this expression are not shown");
        page.line(Text::default().add(said, Role::Dim));
    }
}

fn pairs(page: &mut Page<'_>, labels: &Labels) {
    for (key, value) in labels.iter() {
        let line = Text::default()
            .add(column(key, 18, &page.theme), Role::Dim)
            .add(format!(" {value}"), Role::Plain);
        page.line(line);
    }
}
