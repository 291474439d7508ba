//! The lists of the panels beside Pods, narrowed by the filter, and the cursor in them by identity.

use super::state::{Panel, State};
use super::{View, filter};
use crate::estate::alerts::AlertView;
use crate::estate::runs::Run;
use crate::estate::timeline::{Happening, Source, timeline};

/// The runs that are shown, newest first.
pub fn runs(state: &State) -> Vec<&Run> {
    let runs = state
        .repository
        .as_ref()
        .map(|r| r.runs.value.as_slice())
        .unwrap_or_default();
    let words = runs.iter().map(|run| {
        let branch = run.branch.as_ref().map_or("", |b| b.as_str());
        (
            run,
            format!("#{} {} {branch} {}", run.number, run.sha, run.title),
        )
    });
    narrowed(state, Panel::Runs, words)
}

/// The alerts that are shown, the gravest first.
pub fn alerts(state: &State) -> Vec<AlertView<'_>> {
    let views = state
        .estate()
        .alerts
        .as_ref()
        .map(|a| a.views())
        .unwrap_or_default();
    let words = views.into_iter().map(|view| {
        let labels: Vec<_> = view
            .alert
            .labels
            .iter()
            .map(|(k, v)| format!("{k}={v}"))
            .collect();
        (view, labels.join(" "))
    });
    narrowed(state, Panel::Alerts, words)
}

/// What changed, newest first.
pub fn happenings(state: &State) -> Vec<Happening> {
    let operations = state.environment().operations.happenings(state.estate());
    let all = timeline(state.estate(), state.repository.as_ref(), operations);
    let words = all.into_iter().map(|h| {
        let words = format!("{} {}", h.what, h.note.as_deref().unwrap_or_default());
        (h, words)
    });
    narrowed(state, Panel::Timeline, words)
}

/// What the filter leaves, if it is this panel's.
fn narrowed<T>(state: &State, panel: Panel, all: impl Iterator<Item = (T, String)>) -> Vec<T> {
    let text = state.filter.text();
    if text.is_empty() || state.panel != panel || !state.levels.is_empty() {
        return all.map(|(it, _)| it).collect();
    }
    let (mut all, words): (Vec<Option<T>>, Vec<String>) =
        all.map(|(it, words)| (Some(it), words)).unzip();
    let kept = filter::matching(text, words.iter().enumerate().map(|(n, w)| (n, w.as_str())));
    kept.into_iter().filter_map(|n| all[n].take()).collect()
}

/// How many rows the panel's list has, and which the cursor is on.
pub fn place(state: &State, panel: Panel) -> (usize, usize) {
    match panel {
        Panel::Runs => {
            let runs = runs(state);
            let at = runs.iter().position(|r| Some(r.id) == state.picks.run);
            (runs.len(), at.unwrap_or(0))
        }
        Panel::Alerts => {
            let alerts = alerts(state);
            let at = alerts
                .iter()
                .position(|v| Some(&v.alert.labels) == state.picks.alert.as_ref());
            (alerts.len(), at.unwrap_or(0))
        }
        Panel::Timeline => {
            let all = happenings(state);
            let is_it = |h: &Happening| {
                state
                    .picks
                    .happening
                    .as_ref()
                    .is_some_and(|(at, what)| h.at == *at && h.what == *what)
            };
            (all.len(), all.iter().position(is_it).unwrap_or(0))
        }
        Panel::Traffic | Panel::Pods => (0, 0),
    }
}

/// Puts the cursor of the panel on row `to`.
pub fn pick(state: &mut State, panel: Panel, to: usize) {
    match panel {
        Panel::Runs => state.picks.run = runs(state).get(to).map(|r| r.id),
        Panel::Alerts => state.picks.alert = alerts(state).get(to).map(|v| v.alert.labels.clone()),
        Panel::Timeline => {
            state.picks.happening = happenings(state).get(to).map(|h| (h.at, h.what.clone()))
        }
        Panel::Traffic | Panel::Pods => {}
    }
}

/// What Enter goes into from the cursor of the panel.
pub fn target(state: &State, panel: Panel) -> Option<View> {
    let (_, at) = place(state, panel);
    match panel {
        Panel::Runs => runs(state).get(at).map(|r| View::Run(r.id)),
        Panel::Alerts => alerts(state)
            .get(at)
            .map(|v| View::Alert(v.alert.labels.clone())),
        Panel::Timeline => match &happenings(state).get(at)?.source {
            Source::Service(name) => Some(View::Service(name.clone())),
            Source::Deployment(name) => Some(View::Deployment(name.clone())),
            Source::Pod(name) => Some(View::Pod(name.clone())),
            Source::Run(id) => Some(View::Run(*id)),
            Source::Operation(id) => Some(View::Operation(id.clone())),
            Source::Alert(place) => {
                let alerts = state.estate().alerts.as_ref()?;
                alerts
                    .views()
                    .get(*place)
                    .map(|v| View::Alert(v.alert.labels.clone()))
            }
        },
        Panel::Traffic | Panel::Pods => None,
    }
}

/// Whether the panel has a source.
pub fn is_connected(state: &State, panel: Panel) -> bool {
    match panel {
        Panel::Runs => state.repository.is_some(),
        Panel::Alerts => state.estate().alerts.is_some(),
        Panel::Traffic | Panel::Pods | Panel::Timeline => true,
    }
}
