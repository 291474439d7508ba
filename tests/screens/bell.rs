//! When the terminal's bell rings: once for each new reason that a person is needed, wherever that is.

use wheelhouse::app::{Command, Event, State, update};
use wheelhouse::estate::*;
use wheelhouse::ops::{OperationKind, Outcome, Step, What};

use super::operations::{entry_at, flipped, lease, open_window, over, plan_of, record, until};

/// How often it rings while `seen` is folded in, about the environment at that place.
fn rings(state: &mut State, environment: usize, seen: Vec<Seen>) -> usize {
    let at = state.now.at;
    let commands = seen.into_iter().map(|seen| {
        let observation = Observation {
            environment,
            at,
            seen,
        };
        update(state, Event::Observed(observation))
    });
    commands.filter(|it| *it == Some(Command::Ring)).count()
}

fn records(entries: &[wheelhouse::ops::Entry], version: &str) -> Seen {
    Seen::Records(Delta::Changes(vec![Change::Applied(record(
        entries, version,
    ))]))
}

fn leases(renewed: i64) -> Seen {
    let all = ["digital-wall-service", "digital-wall-api"];
    let leases = all.map(|service| Change::Applied(lease(service, renewed)));
    Seen::Leases(Delta::Changes(leases.into()))
}

fn paused(reason: &str) -> What {
    What::Paused {
        reason: reason.into(),
    }
}

#[test]
fn an_operation_that_needs_a_person_rings_once_for_each_reason_also_where_nobody_looks() {
    let mut state = open_window();
    let plan = plan_of(&state, OperationKind::Cutover);
    let production = state.selected;
    let mut entries = until(&plan, &Step::Watch);
    // Another environment is on the screen.
    state.selected = (production + 1) % state.environments.len();
    let seen = vec![leases(3), records(&entries, "1")];
    assert_eq!(rings(&mut state, production, seen), 0, "it goes well");
    entries.push(entry_at(
        15,
        paused("UNKNOWN for 120 s, Prometheus is away"),
    ));
    let is_paused = records(&entries, "2");
    assert_eq!(rings(&mut state, production, vec![is_paused.clone()]), 1);
    assert_eq!(rings(&mut state, production, vec![is_paused]), 0);
    entries.push(entry_at(14, What::Resumed));
    entries.push(entry_at(
        13,
        paused("UNKNOWN for 130 s, Prometheus is away"),
    ));
    let again = records(&entries, "3");
    assert_eq!(rings(&mut state, production, vec![again]), 0, "churn");
    entries.push(entry_at(12, paused("WAITS for an approval")));
    let waits = records(&entries, "4");
    assert_eq!(rings(&mut state, production, vec![waits]), 1);
    assert_eq!(rings(&mut state, production, vec![leases(300)]), 1, "gone");
    assert_eq!(rings(&mut state, production, vec![leases(301)]), 0);
    let back = over(entries, Outcome::RolledBack, "it failed");
    let ended = records(&back, "5");
    assert_eq!(rings(&mut state, production, vec![ended.clone()]), 1);
    assert_eq!(rings(&mut state, production, vec![ended]), 0);
}

#[test]
fn an_operation_that_is_done_rings_nothing() {
    let mut state = open_window();
    let plan = plan_of(&state, OperationKind::Cutover);
    let (production, entries) = (state.selected, until(&plan, &Step::Watch));
    let done = over(entries.clone(), Outcome::Done, "GREEN is live");
    let seen = vec![leases(3), records(&entries, "1"), records(&done, "2")];
    assert_eq!(rings(&mut state, production, seen), 0);
}

#[test]
fn a_worker_that_says_nothing_more_rings_as_time_goes_by() {
    let mut state = open_window();
    let plan = plan_of(&state, OperationKind::Cutover);
    let (production, entries) = (state.selected, until(&plan, &Step::Watch));
    let seen = vec![leases(3), records(&entries, "1")];
    assert_eq!(rings(&mut state, production, seen), 0);
    let mut count = 0;
    for _ in 0..120 {
        let at = state.now.at;
        let server = Some(state.now.wall);
        count += rings(&mut state, production, vec![Seen::Pulse { server }]);
        let wall = state
            .now
            .wall
            .checked_add(jiff::SignedDuration::from_secs(1))
            .unwrap();
        let now = Now {
            wall,
            at: Moment(at.0 + 1_000),
        };
        count += usize::from(update(&mut state, Event::Tick(now)) == Some(Command::Ring));
    }
    assert_eq!(count, 1);
}

#[test]
fn a_selector_that_somebody_reverts_rings_once_for_all_services() {
    let mut state = open_window();
    flipped(&mut state, "green", "wheelhouse");
    let production = state.selected;
    let elsewhere = state.clone();
    flipped(&mut state, "blue", "helm");
    let services: Vec<Change<Service>> = (state.estate().services.value.iter())
        .map(|service| Change::Applied(service.clone()))
        .collect();
    let mut state = elsewhere;
    let one_by_one: Vec<Seen> = (services.into_iter())
        .map(|service| Seen::Services(Delta::Changes(vec![service])))
        .collect();
    assert_eq!(rings(&mut state, production, one_by_one.clone()), 1);
    assert_eq!(rings(&mut state, production, one_by_one), 0);
}
