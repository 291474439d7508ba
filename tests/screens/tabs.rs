//! The row of tabs: what is not known, what is under way and what is hidden stand in it also where titles have no room.

use wheelhouse::app::{Event, Look, State, settle, update};
use wheelhouse::estate::alerts::{AlertsSeen, RulesSeen};
use wheelhouse::estate::runs::RunsSeen;
use wheelhouse::estate::*;

use super::text;
use crate::world::*;

/// The row of tabs.
fn tabs(state: &mut State, size: (u16, u16)) -> String {
    let screen = text(state, size);
    let line = screen.lines().find(|line| line.contains(" Time"));
    line.unwrap_or_else(|| panic!("{screen}")).to_owned()
}

/// Prometheus answers with no rule at all: the Watchdog does not fire.
fn blind() -> State {
    let mut state = full(Look::default());
    let nothing = AlertsSeen::Rules(RulesSeen::default());
    observe(&mut state, vec![Seen::Alerts(nothing)]);
    state
}

#[test]
fn m01_monitoring_that_is_not_alive_is_no_calm_tab() {
    for size in [(60, 15), (80, 24), (100, 24)] {
        let mut state = blind();
        press(&mut state, "2");
        assert!(tabs(&mut state, size).contains("3 Alerts ?"), "{size:?}");
        press(&mut state, "3");
        let line = tabs(&mut state, size);
        let is_said = line.contains("[3 Alerts ?]") || line.contains("UNKNOWN");
        assert!(is_said, "{line}");
    }
    let mut calm = full(Look::default());
    assert!(!tabs(&mut calm, (80, 24)).contains('?'));
}

#[test]
fn runs_that_are_stale_say_so_in_every_small_window() {
    let mut state = full(Look::default());
    let fault = Fault {
        kind: FaultKind::Unreachable,
        what: "api.github.example: connection refused".into(),
    };
    let at = state.now.at;
    update(&mut state, Event::Repository(at, RunsSeen::Failed(fault)));
    pass(&mut state, 50);
    settle(&mut state);
    assert!(tabs(&mut state, (60, 15)).contains("1 Runs ?✗1"));
    press(&mut state, "1");
    assert!(tabs(&mut state, (60, 15)).contains("[1 Runs ?✗1"));
    let line = tabs(&mut state, (80, 24));
    assert!(
        line.contains("? STALE 50s"),
        "cut, and not left out: {line}"
    );
}

#[test]
fn runs_that_are_under_way_and_those_that_wait_for_a_review_are_counted_where_there_is_room() {
    let mut state = full(Look::default());
    assert!(tabs(&mut state, (80, 24)).contains("1 Runs ✗1▶1‖1"));
    assert!(tabs(&mut state, (60, 15)).contains("1 Runs ✗1"));
}

#[test]
fn what_the_key_and_the_filter_hide_of_the_timeline_its_tab_says() {
    let mut state = full(Look::default());
    press(&mut state, "4 / a l e r t s enter");
    let line = tabs(&mut state, (80, 24));
    assert!(line.contains("4 Time: alerts only"), "{line}");
}
