//! The timeline as text, for the note that an incident gets: what is on the screen, and of what; and what is missing from it.

use super::state::State;
use super::{Command, Panel, lists};
use crate::estate::timeline::{CLIPBOARD, Topic, note, utc};
use crate::estate::{Currency, Estate, Feed, Kind, Moment, Safe};

/// Hands what the timeline shows to the terminal's clipboard.
pub(super) fn copy(state: &mut State) -> Command {
    let story = lists::story(state);
    let text = note(&head(state, &story), &story.shown, CLIPBOARD);
    let (count, bytes) = (story.shown.len(), text.len());
    state.tell(&format!(
        "sent {count} timeline entries ({bytes} bytes) to the terminal's clipboard; status prints them"
    ));
    Command::Copy(text)
}

/// Of what, when, what is not shown, and what was not current then.
fn head(state: &State, story: &lists::Story) -> Vec<String> {
    let estate = state.estate();
    let scope = &estate.scope;
    let now = utc(estate.server_time(state.now));
    let (title, name, place) = (&state.title, &scope.name, estate.context());
    let mut head = vec![
        format!("{title} {name} @ {place}, namespace {}", scope.namespace),
        format!("timeline as of {now}, all times UTC, newest first"),
    ];
    if story.hidden > 0 {
        let (topics, _) = lists::hidden(state);
        let topics: Vec<_> = topics.iter().map(|t| t.word()).collect();
        let typed = match state.panel {
            Panel::Timeline => state.filter.text(),
            _ => "",
        };
        head.push(format!(
            "{} of {} entries: topics {}, filter {typed:?}",
            story.shown.len(),
            story.shown.len() + story.hidden,
            if topics.is_empty() {
                "all".to_owned()
            } else {
                topics.join(" ")
            },
        ));
    }
    if story.left_out > 0 {
        head.push(format!("{} older entries are not kept", story.left_out));
    }
    let gaps = gaps(state).into_iter();
    head.extend(gaps.map(|gap| format!("UNKNOWN: {}", gap.said)));
    head
}

/// Something that the timeline is made from and that is not current, or not whole.
pub struct Gap {
    /// In a word or two: `k8s`, `GitHub`.
    pub of: &'static str,
    /// How current it is; what is current is not whole.
    pub currency: Currency,
    /// Milliseconds since it was current; none if it never was.
    pub age: Option<u64>,
    /// A sentence.
    pub said: String,
}

/// The kinds of the cluster that the timeline is made from; operations last.
const KINDS: [Kind; 7] = [
    Kind::Services,
    Kind::Deployments,
    Kind::ReplicaSets,
    Kind::Pods,
    Kind::Events,
    Kind::Records,
    Kind::Policy,
];

/// What the timeline is made from and is not current, or not whole.
pub fn gaps(state: &State) -> Vec<Gap> {
    let (estate, now) = (state.estate(), state.now.at);
    let mut gaps: Vec<Gap> = cluster(estate, now).into_iter().collect();
    if let Some(alerts) = &estate.alerts {
        gaps.extend(feed("alerts", "alerts", &alerts.rules, now));
        gaps.extend(partial("alerts", &alerts.rules.value.warnings));
        // That what is over was not told yet is no gap.
        let spells = &alerts.spells;
        let fault = spells.fault.as_ref();
        gaps.extend(fault.and_then(|_| feed("ended alerts", "alerts", spells, now)));
        gaps.extend(partial("ended alerts", &spells.value.warnings));
    }
    let runs = state.repository.as_ref().map(|it| &it.runs);
    gaps.extend(runs.and_then(|runs| feed("GitHub", "runs", runs, now)));
    gaps
}

fn cluster(estate: &Estate, now: Moment) -> Option<Gap> {
    let is_away = |kind: &Kind| estate.currency(*kind, now) != Currency::Live;
    let away: Vec<Kind> = KINDS.into_iter().filter(is_away).collect();
    let is_waiting = |kind: &Kind| estate.currency(*kind, now) == Currency::Waiting;
    let fault = estate.cluster.fault.as_ref();
    // One kind may be refused while the server answers.
    let fault = fault.or_else(|| away.iter().find_map(|kind| estate.fault(*kind)));
    let why = fault.map_or_else(String::new, |fault| format!(": {}", fault.what));
    let names: Vec<&str> = away.iter().map(|kind| kind.word()).collect();
    Some(Gap {
        of: match away[..] {
            [] => return None,
            [Kind::Records | Kind::Policy, ..] => "operations",
            [kind] => kind.plural(),
            _ => "k8s",
        },
        currency: match away.iter().all(is_waiting) {
            true => Currency::Waiting,
            false => Currency::Stale,
        },
        age: away.iter().filter_map(|kind| estate.age(*kind, now)).max(),
        said: format!("{} are not current{why}", names.join(", ")),
    })
}

fn feed<T>(of: &'static str, called: &str, feed: &Feed<T>, now: Moment) -> Option<Gap> {
    let currency = feed.currency(now);
    let why = match (&feed.fault, currency) {
        (Some(fault), _) => fault.what.as_str(),
        (None, Currency::Waiting) => "no answer yet",
        (None, Currency::Stale) => "no sign of life",
        (None, Currency::Live) => return None,
    };
    Some(Gap {
        of,
        currency,
        age: feed.age(now),
        said: format!("{called}: {why}"),
    })
}

fn partial(of: &'static str, warnings: &[Safe]) -> Option<Gap> {
    Some(Gap {
        of,
        currency: Currency::Live,
        age: None,
        said: format!("{of} are partial: {}", warnings.first()?),
    })
}

/// The topic after that one; after the last all.
pub(super) fn next(topic: Option<Topic>) -> Option<Topic> {
    match topic {
        None => Topic::ALL.first().copied(),
        Some(shown) => {
            let place = Topic::ALL.iter().position(|t| *t == shown)?;
            Topic::ALL.get(place + 1).copied()
        }
    }
}
