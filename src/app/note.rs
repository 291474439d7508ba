//! The timeline as text, for the note that an incident gets: what is on the screen, and of what.

use super::state::State;
use super::{Command, Panel, lists};
use crate::estate::timeline::{CLIPBOARD, Topic, note, utc};
use crate::estate::{Currency, Kind};

/// Hands what the timeline shows to the terminal's clipboard.
pub(super) fn copy(state: &mut State) -> Command {
    let story = lists::story(state);
    let text = note(&head(state, &story), &story.shown, CLIPBOARD);
    let (count, bytes) = (story.shown.len(), text.len());
    state.tell(&format!(
        "sent {count} timeline entries ({bytes} bytes) to the terminal's clipboard; status prints them as well"
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
    head.extend(gaps(state).into_iter().map(|gap| format!("UNKNOWN: {gap}")));
    head
}

/// What the timeline is made from and is not current, or is away.
pub(super) fn gaps(state: &State) -> Vec<String> {
    let estate = state.estate();
    let mut gaps = Vec::new();
    let kinds = Kind::ALL.into_iter();
    let stale = kinds.filter(|kind| estate.currency(*kind, state.now.at) != Currency::Live);
    let stale: Vec<_> = stale.map(Kind::plural).collect();
    if !stale.is_empty() {
        let why = estate
            .cluster
            .fault
            .as_ref()
            .map(|f| format!(": {}", f.what));
        let (names, why) = (stale.join(", "), why.unwrap_or_default());
        gaps.push(format!("{names} are not current{why}"));
    }
    if let Some(alerts) = &estate.alerts {
        for fault in [&alerts.rules.fault, &alerts.spells.fault]
            .into_iter()
            .flatten()
        {
            gaps.push(format!("alerts: {}", fault.what));
        }
    }
    if let Some(fault) = state
        .repository
        .as_ref()
        .and_then(|r| r.runs.fault.as_ref())
    {
        gaps.push(format!("runs: {}", fault.what));
    }
    gaps
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
