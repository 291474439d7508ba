//! What the plan of an act says and what it stands on.

use super::{Kind, Proposal, at_words, matchers, refused, silence_of, span, touched, view_of};
use crate::app::Action;
use crate::app::dialog::{Dialog, Line, Sheet};
use crate::app::facts::Facts;
use crate::app::state::State;
use crate::estate::alerts::{AlertView, Alerts, Silence, Standing};
use crate::estate::{Labels, Verdict};

/// What the plan stands on. An alert's value and its rule's evaluation move all the time, and stay out.
pub fn facts(state: &State, proposal: &Proposal) -> Facts {
    let environment = &state.environments[proposal.environment];
    let facts = Facts::default().with("environment", &environment.estate.scope.name);
    let Some(alerts) = &environment.estate.alerts else {
        return facts;
    };
    match &proposal.kind {
        Kind::Silence => {
            let facts = facts.with("the alert", in_words(&proposal.alert));
            let touched = touched(alerts, &matchers(alerts, &proposal.alert));
            let touched: Vec<_> = touched.concat().into_iter().map(in_words).collect();
            let touched = match touched.is_empty() {
                true => "nothing".to_owned(),
                false => touched.join(" and "),
            };
            match view_of(environment, &proposal.alert) {
                None => facts.with("the alert's state", "resolved"),
                Some(view) => (facts.with("the alert's state", state_words(&view)))
                    .with("what it touches", touched),
            }
        }
        Kind::Extend(id) | Kind::Expire(id) => {
            let facts = facts.with("the silence", id);
            match silence_of(alerts, proposal) {
                None => facts.with("its state", "over"),
                Some(silence) => (facts.with("its state", "active"))
                    .with("its end", at_words(silence.ends))
                    .with("its author", &silence.author)
                    .with("its comment", &silence.comment)
                    .with("its matchers", silence.matchers.join(", ")),
            }
        }
    }
}

fn in_words(labels: &Labels) -> String {
    let pairs: Vec<_> = labels.iter().map(|(k, v)| format!("{k}={v}")).collect();
    pairs.join(" ")
}

fn state_words(view: &AlertView<'_>) -> String {
    match (view.standing, view.silence) {
        (Standing::Silenced, Some(silence)) => format!("silenced by {}", silence.author),
        (Standing::Silenced, None) => "silenced".to_owned(),
        (Standing::Firing, _) => "firing".to_owned(),
        (Standing::Pending, _) => "pending".to_owned(),
        (Standing::Inhibited, _) => "inhibited".to_owned(),
    }
}

/// What the dialog says.
pub fn sheet(state: &State, proposal: &Proposal, dialog: &Dialog) -> Sheet {
    let environment = &state.environments[proposal.environment];
    let place = &environment.estate.scope.name;
    let name = proposal.alert.get("alertname").map_or("?", |n| n.as_str());
    let (word, verb) = match &proposal.kind {
        Kind::Silence => ("SILENCE", "set the silence"),
        Kind::Extend(_) => ("EXTEND the silence of", "extend the silence"),
        Kind::Expire(_) => ("EXPIRE the silence of", "end the silence now"),
    };
    let mut sheet = Sheet {
        title: format!("{word} {name} in {place}"),
        lines: Vec::new(),
        refusal: refused(state, proposal, dialog),
        verb,
        ..Sheet::default()
    };
    if let Some(alerts) = &environment.estate.alerts {
        let goes_to = (alerts.scope.alertmanager.as_ref())
            .map_or(String::new(), |a| format!("Alertmanager {a}"));
        sheet.lines.push(Line::Fact("goes to", goes_to));
        match silence_of(alerts, proposal) {
            Some(silence) => changed(&mut sheet, state, proposal, dialog, (alerts, silence)),
            None if proposal.kind == Kind::Silence => {
                new(&mut sheet, state, proposal, dialog, alerts);
            }
            None => {}
        }
    }
    sheet
}

fn new(sheet: &mut Sheet, state: &State, proposal: &Proposal, dialog: &Dialog, alerts: &Alerts) {
    let environment = &state.environments[proposal.environment];
    let matchers = matchers(alerts, &proposal.alert);
    let (_, until) = span(environment, state, dialog);
    for (place, (key, value)) in matchers.iter().enumerate() {
        let name = if place == 0 { "silences" } else { "" };
        sheet
            .lines
            .push(Line::Fact(name, format!("{key}={:?}", value.as_str())));
    }
    let touched = touched(alerts, &matchers);
    let counted = counted(&touched);
    sheet.lines.push(match (&touched[0][..], &touched[1][..]) {
        ([], []) => Line::Look("touches", "no alert that Alertmanager has now".to_owned()),
        ([one], []) if alerts.is_it(&proposal.alert, one) => {
            Line::Check("touches", Verdict::Ok, format!("{counted}: this one"))
        }
        ([_], []) => Line::Look("touches", format!("{counted}, another than this one")),
        (_, []) => Line::Look(
            "touches",
            format!("{counted}, all of them with these labels"),
        ),
        (_, _) => Line::Look("touches", counted),
    });
    let until = at_words(Some(until));
    let lasts = dialog.value("for");
    let said = format!("now, until {until} ({lasts})");
    sheet.lines.push(Line::Fact("from", said));
    sheet
        .lines
        .push(Line::Fact("author", state.author.to_string()));
    sheet.lines.push(Line::Fact(
        "back",
        format!(
            "{} on the alert ends it",
            state.keymap.key_of(Action::ExpireSilence)
        ),
    ));
}

fn changed(
    sheet: &mut Sheet,
    state: &State,
    proposal: &Proposal,
    dialog: &Dialog,
    (alerts, silence): (&Alerts, &Silence),
) {
    for (place, matcher) in silence.matchers.iter().enumerate() {
        let name = if place == 0 { "silences" } else { "" };
        sheet.lines.push(Line::Fact(name, matcher.to_string()));
    }
    let quiet = kept_quiet(alerts, silence);
    let said = counted(&quiet);
    sheet.lines.push(match (quiet[0].len(), quiet[1].len()) {
        (0 | 1, 0) => Line::Fact("keeps quiet", said),
        _ => Line::Look("keeps quiet", said),
    });
    let set = format!("by {}: {}", silence.author, silence.comment);
    sheet.lines.push(Line::Fact("set", set));
    let ends = at_words(silence.ends);
    let environment = &state.environments[proposal.environment];
    match proposal.kind {
        Kind::Extend(_) => {
            let (_, until) = span(environment, state, dialog);
            let lasts = dialog.value("for");
            let said = format!("{ends} → {} ({lasts} from now)", at_words(Some(until)));
            sheet.lines.push(Line::Fact("until", said));
            let said = format!("{}, with the comment below", state.author);
            sheet.lines.push(Line::Fact("author", said));
        }
        Kind::Expire(_) | Kind::Silence => {
            sheet
                .lines
                .push(Line::Fact("until", format!("{ends} → now")));
            let key = state.keymap.key_of(Action::Silence);
            let back = format!("{key} sets a new one; whoever is told of alerts is told again");
            sheet.lines.push(Line::Fact("back", back));
        }
    }
}

/// The alerts that a silence keeps quiet now: ours, and other environments'.
fn kept_quiet<'a>(alerts: &'a Alerts, silence: &Silence) -> [Vec<&'a Labels>; 2] {
    [&alerts.handling.value, &alerts.others].map(|all| {
        let by_it = all.iter().filter(|h| h.silenced_by.contains(&silence.id));
        by_it.map(|h| &h.labels).collect()
    })
}

fn counted([ours, others]: &[Vec<&Labels>; 2]) -> String {
    match (ours.len() + others.len(), others.len()) {
        (1, 0) => "one alert now".to_owned(),
        (1, _) => "one alert now, of another environment".to_owned(),
        (all, 0) => format!("{all} alerts now"),
        (all, others) => format!("{all} alerts now, {others} of other environments"),
    }
}
