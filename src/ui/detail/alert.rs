//! An alert: labels, annotations, expression, value, who silenced it.

use super::{Page, Text};
use crate::estate::alerts::{AlertView, Standing};
use crate::estate::{Labels, Safe};
use crate::ui::alerts::{mark, standing};
use crate::ui::canvas::column;
use crate::ui::theme::{Role, Theme};
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
    page.heading("Rule");
    page.fact("expression", view.rule.expression.to_string());
    page.fact("value", words::value(&view.alert.value));
    page.fact("for", format!("{} s", view.rule.hold));
    let health = view
        .rule
        .error
        .as_ref()
        .map_or(view.rule.health.to_string(), |e| {
            format!("{}: {e}", view.rule.health)
        });
    page.fact("rule health", health);
    page.heading("Labels");
    pairs(page, &view.alert.labels);
    page.heading("Annotations");
    pairs(page, &view.alert.annotations);
    let age = words::age_of(view.alert.since, state.estate(), state.now);
    Text::default()
        .add(format!("Alert  {name}"), Role::Focus)
        .add(format!("  {age}"), Role::Dim)
}

fn head(page: &mut Page<'_>, view: &AlertView<'_>) {
    let state = mark(view.standing);
    let said = format!("{} {}", page.theme.mark(state), standing(view.standing));
    page.line(Text::default().add(said, Theme::role(state)));
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
}

fn pairs(page: &mut Page<'_>, labels: &Labels) {
    for (key, value) in labels.iter() {
        let line = Text::default()
            .add(column(key, 18, &page.theme), Role::Dim)
            .add(format!(" {value}"), Role::Plain);
        page.line(line);
    }
}
