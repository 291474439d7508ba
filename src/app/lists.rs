//! The lists of the panels beside Pods, narrowed by the filter, and the cursor in them by identity.

use super::state::{Panel, State};
use super::{View, filter};
use crate::estate::alerts::AlertView;
use crate::estate::runs::Run;
use crate::estate::timeline::{Happening, Source, Topic, timeline};

/// The runs that are shown, newest first.
pub fn runs(state: &State) -> Vec<&Run> {
    let runs = state
        .repository
        .as_ref()
        .map(|r| r.runs.value.as_slice())
        .unwrap_or_default();
    let words = |run: &&Run| {
        // What became of it, in the screen's words and in GitHub's.
        let (state, word) = (run.progress.words(), run.progress.api_words());
        format!("{} {} {} {state} {word}", run.words(), run.sha, run.title)
    };
    narrowed(typed(state, Panel::Runs), runs.iter().collect(), words)
}

/// The alerts that are shown, the gravest first.
pub fn alerts(state: &State) -> Vec<AlertView<'_>> {
    let views = state
        .estate()
        .alerts
        .as_ref()
        .map(|a| a.views())
        .unwrap_or_default();
    let words = |view: &AlertView<'_>| {
        let labels = view.alert.labels.iter();
        let labels: Vec<_> = labels.map(|(k, v)| format!("{k}={v}")).collect();
        labels.join(" ")
    };
    narrowed(typed(state, Panel::Alerts), views, words)
}

/// The timeline as it is shown.
pub struct Story {
    /// What is shown, the newest first.
    pub shown: Vec<Happening>,
    /// How many the topic and the filter hide.
    pub hidden: usize,
    /// How many older ones are known of and not kept.
    pub left_out: usize,
}

impl Story {
    /// Which entry the cursor is on.
    pub fn place(&self, state: &State) -> usize {
        let Some((at, what)) = &state.picks.happening else {
            return 0;
        };
        let is_it = |h: &Happening| h.at == *at && h.what == *what;
        self.shown.iter().position(is_it).unwrap_or(0)
    }
}

/// What changed, as far as the topic and the filter leave it. In the filter the words of topics
/// (`alerts`, `runs`) choose; what else is typed narrows.
pub fn story(state: &State) -> Story {
    let operations = state.environment().operations.happenings(state.estate());
    let all = timeline(state.estate(), state.repository.as_ref(), operations);
    let (topics, rest) = chosen(state);
    let count = all.happenings.len();
    let of_topic = (all.happenings.into_iter())
        .filter(|h| topics.is_empty() || topics.contains(&h.topic()))
        .collect();
    let words = |h: &Happening| format!("{} {}", h.what, h.tail().unwrap_or_default());
    let shown = narrowed(&rest, of_topic, words);
    Story {
        hidden: count - shown.len(),
        left_out: all.left_out,
        shown,
    }
}

/// The topics that are shown; none: all.
pub fn topics(state: &State) -> Vec<Topic> {
    chosen(state).0
}

/// The topics that are shown (none: all), and how many entries they and the filter hide. Where nothing is chosen
/// nothing is hidden, and no story is made for that: the titles of every frame ask.
pub fn hidden(state: &State) -> (Vec<Topic>, usize) {
    match chosen(state) {
        (topics, rest) if topics.is_empty() && rest.is_empty() => (topics, 0),
        (topics, _) => (topics, story(state).hidden),
    }
}

/// The topics that the key and the filter's words choose, and what else is typed.
fn chosen(state: &State) -> (Vec<Topic>, String) {
    let (words, rest): (Vec<&str>, Vec<&str>) = typed(state, Panel::Timeline)
        .split_whitespace()
        .partition(|word| Topic::named(word).is_some());
    let mut topics: Vec<Topic> = words.into_iter().filter_map(Topic::named).collect();
    topics.extend(state.picks.topic);
    (topics, rest.join(" "))
}

/// What the filter says, if it is this panel's.
pub fn typed(state: &State, panel: Panel) -> &str {
    match state.panel == panel && state.levels.is_empty() {
        true => state.filter.text(),
        false => "",
    }
}

/// What `text` leaves of a list; words are made only where something is typed.
fn narrowed<T>(text: &str, all: Vec<T>, words: impl Fn(&T) -> String) -> Vec<T> {
    if text.is_empty() {
        return all;
    }
    let words: Vec<String> = all.iter().map(words).collect();
    let mut all: Vec<Option<T>> = all.into_iter().map(Some).collect();
    let kept = filter::matching(text, words.iter().enumerate().map(|(n, w)| (n, w.as_str())));
    kept.into_iter().filter_map(|n| all[n].take()).collect()
}

/// How many rows the filter leaves of how many in the panel that it narrows, and what they are.
pub fn counts(state: &State) -> (usize, usize, &'static str) {
    let shown = place(state, state.panel).0;
    match state.panel {
        Panel::Traffic | Panel::Pods => {
            let environment = state.environment();
            let all = environment.estate.pods.value.len();
            (environment.pod_count(), all, "pods")
        }
        Panel::Runs => {
            let all = state.repository.as_ref().map_or(0, |r| r.runs.value.len());
            (shown, all, "runs")
        }
        Panel::Alerts => {
            let all = state
                .estate()
                .alerts
                .as_ref()
                .map_or(0, |a| a.views().len());
            (shown, all, "alerts")
        }
        Panel::Timeline => {
            let story = story(state);
            (shown, shown + story.hidden, "entries")
        }
    }
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
            let story = story(state);
            (story.shown.len(), story.place(state))
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
            let story = story(state);
            state.picks.happening = story.shown.get(to).map(|h| (h.at, h.what.clone()));
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
        Panel::Timeline => Some(match &story(state).shown.get(at)?.source {
            Source::Service(name) => View::Service(name.clone()),
            Source::Deployment(name) => View::Deployment(name.clone()),
            Source::Pod(name) => View::Pod(name.clone()),
            Source::Run(id) => View::Run(*id),
            Source::Alert(labels) => View::Alert(labels.clone()),
            Source::Operation(id) => View::Operation(id.clone()),
            // All that there is of it stands beside Traffic.
            Source::Policy => return None,
        }),
        Panel::Traffic | Panel::Pods => None,
    }
}

/// Why there is nothing to go into, where what the timeline tells of is not there any more.
pub fn gone(state: &State, view: &View) -> Option<String> {
    let estate = state.estate();
    match view {
        View::Pod(name) => (estate.pods.value.get(name).is_none())
            .then(|| format!("pod {name} is gone; what is known of it stands in the timeline")),
        View::Service(name) => (estate.services.value.get(name).is_none())
            .then(|| format!("Service {name} is gone, or was not seen")),
        View::Deployment(name) => (estate.deployments.value.get(name).is_none())
            .then(|| format!("Deployment {name} is gone, or not of this application")),
        View::Alert(labels) => {
            let views = estate.alerts.as_ref().map(|a| a.views());
            let is_it = |view: &AlertView<'_>| view.alert.labels == *labels;
            let fires = views.unwrap_or_default().iter().any(is_it);
            let name = labels.get("alertname").map_or("the alert", |n| n.as_str());
            (!fires).then(|| format!("{name} does not fire now; the timeline says when it did"))
        }
        View::Run(id) => (super::view::run_of(state, *id).is_none())
            .then(|| "the run is not among the newest any more".to_owned()),
        View::Operation(id) => (state.environment().operations.get(id).is_none())
            .then(|| format!("the record of operation {id} is gone: the last 20 are kept")),
        View::Log(_) => None,
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
