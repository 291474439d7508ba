//! A freeze on the screen: who, until when, why; the keys that plan it; the red line of broken glass.

use std::collections::BTreeMap;

use wheelhouse::app::operate::{Wish, wanted};
use wheelhouse::app::{Command, Look, State};
use wheelhouse::estate::policy::NAME;
use wheelhouse::estate::*;
use wheelhouse::ops::freeze::Wanted;
use wheelhouse::ops::{Entry, OperationKind, Outcome, Step, What};

use super::operations::{ID, entry_at, open_window, operating, over, plan_of, type_in, until};
use super::text;
use crate::world::*;

/// A policy that says so of production.
fn policy(pairs: &[(&str, &str)]) -> Seen {
    let data: BTreeMap<String, String> = (pairs.iter())
        .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()))
        .collect();
    let policy = Policy::read([NAME.into(), "uid-policy".into(), "7".into()], &data);
    Seen::Policies(Delta::Changes(vec![Change::Applied(policy)]))
}

pub(super) fn freeze(state: &mut State, who: &str, why: &str, ends: Option<i64>) {
    let until = ends.map(|seconds| ago(-seconds).unwrap());
    let freeze = Freeze {
        who: who.into(),
        seat: Some(format!("{who}@bastion-2").into()),
        why: why.into(),
        since: ago(7_200),
        until,
    };
    let text = serde_json::to_string(&freeze).unwrap();
    let server = Some(wall());
    observe(
        state,
        vec![
            Seen::Pulse { server },
            policy(&[("schema", "1"), ("freeze.production", &text)]),
        ],
    );
}

fn frozen(look: Look) -> State {
    let mut state = full(look);
    super::operations::mend(&mut state);
    freeze(
        &mut state,
        "carol",
        "Black Friday, no releases",
        Some(14_400),
    );
    state
}

#[test]
fn i_44_a_freeze_stands_on_the_screen_with_who_until_when_and_why() {
    for (columns, rows) in [(60, 15), (80, 24), (120, 30)] {
        let mut state = frozen(Look::default());
        seen!(
            format!("frozen-{columns}x{rows}"),
            text(&mut state, (columns, rows))
        );
    }
    let ascii = Look {
        ascii: true,
        ..Look::default()
    };
    let screen = text(&mut frozen(ascii), (80, 24));
    assert!(screen.contains("! FROZEN by carol until"), "{screen}");
    assert!(screen.is_ascii(), "{screen}");
    let screen = text(&mut frozen(Look::default()), (40, 5));
    assert!(screen.contains("FROZEN"), "{screen}");
}

#[test]
fn i_44_many_services_in_a_small_window_push_no_freeze_off_it() {
    let mut state = frozen(Look::default());
    let more = ["a", "b", "c", "d"]
        .map(|name| service(&format!("digital-wall-{name}"), "backend", "blue"));
    let at = state.selected;
    let switch = state.environments[at]
        .estate
        .scope
        .traffic
        .as_mut()
        .unwrap();
    switch
        .services
        .extend(more.iter().map(|it| it.name.clone()));
    let more = more.map(Change::Applied).into();
    observe(&mut state, vec![Seen::Services(Delta::Changes(more))]);
    let screen = text(&mut state, (60, 15));
    assert!(screen.contains("FROZEN by carol"), "{screen}");
    assert!(screen.contains("and 2 more Services"), "{screen}");
    let screen = text(&mut state, (80, 24));
    assert!(screen.contains("digital-wall-d"), "{screen}");
}

#[test]
fn i_44_the_key_of_a_cutover_says_that_it_is_frozen_and_no_worker_is_started() {
    let mut state = open_window();
    freeze(&mut state, "carol", "sale", None);
    press(&mut state, "C");
    let screen = text(&mut state, (120, 30));
    assert!(
        screen.contains("Refused: freeze: frozen by carol (carol@bastion-2)"),
        "{screen}"
    );
    assert!(screen.contains("ctrl-g breaks the glass"), "{screen}");
    assert_eq!(wanted(&state), None);
    press(&mut state, "esc R");
    let screen = text(&mut state, (120, 30));
    assert!(
        !screen.contains("frozen by carol (carol"),
        "a rollback is free: {screen}"
    );
}

#[test]
fn i_44_with_an_operation_under_way_no_advice_is_given_that_would_not_help() {
    let mut state = open_window();
    let plan = plan_of(&state, OperationKind::Cutover);
    operating(&mut state, &until(&plan, &Step::Hold), 3);
    freeze(&mut state, "carol", "sale", None);
    press(&mut state, "C");
    let screen = text(&mut state, (120, 40));
    assert!(screen.contains("Refused: lock: "), "{screen}");
    assert!(!screen.contains("breaks the glass"), "{screen}");
}

#[test]
fn a_freeze_that_is_over_is_gone_from_the_screen() {
    let mut state = frozen(Look::default());
    assert!(text(&mut state, (80, 24)).contains("FROZEN by carol"));
    pass(&mut state, 14_500);
    let server = Some(wall() + jiff::SignedDuration::from_secs(14_500));
    observe(&mut state, vec![Seen::Pulse { server }]);
    let screen = text(&mut state, (80, 24));
    assert!(!screen.contains("FROZEN"), "{screen}");
}

#[test]
fn a_policy_that_is_not_understood_is_told_where_traffic_is() {
    let mut state = full(Look::default());
    observe(&mut state, vec![policy(&[("schema", "2")])]);
    let screen = text(&mut state, (120, 30));
    assert!(
        screen.contains("policy UNKNOWN, no cutover: key `schema`"),
        "{screen}"
    );
}

#[test]
fn z_plans_a_freeze_that_needs_a_reason_and_the_typed_name() {
    let mut state = open_window();
    press(&mut state, "Z");
    seen!("freeze-80x24", text(&mut state, (80, 24)));
    press(&mut state, "enter enter");
    assert!(text(&mut state, (80, 24)).contains("reason must not be empty"));
    type_in(&mut state, "sale");
    press(&mut state, "enter right enter");
    pass(&mut state, 1);
    type_in(&mut state, "production");
    let commands = press(&mut state, "enter");
    let [
        Command::Operate {
            wish,
            reason,
            permit,
            ..
        },
    ] = &commands[..]
    else {
        panic!("{commands:?}");
    };
    assert_eq!((reason.as_str(), permit.is_some()), ("sale", true));
    let Wish::Policy {
        wanted: Wanted::Freeze(Some(until)),
        before: None,
    } = wish
    else {
        panic!("{wish:?}");
    };
    let hours = until
        .duration_since(state.estate().server_time(state.now))
        .as_hours();
    assert_eq!(hours, 8);
}

#[test]
fn t_plans_the_end_of_a_freeze_and_names_whose_it_was() {
    let mut state = open_window();
    press(&mut state, "T");
    // What is typed next is typed into its plan, and is no key.
    let commands = type_in(&mut state, "sale ends B");
    assert!(commands.is_empty(), "{commands:?}");
    let screen = text(&mut state, (120, 30));
    assert!(screen.contains("THAW production"), "{screen}");
    assert!(screen.contains("there is nothing to thaw"), "{screen}");
    press(&mut state, "esc");
    freeze(&mut state, "carol", "sale", None);
    press(&mut state, "T");
    let screen = text(&mut state, (120, 30));
    assert!(
        screen.contains("frozen by carol (carol@bastion-2)"),
        "{screen}"
    );
    // A colleague's is not overwritten.
    press(&mut state, "esc Z");
    let screen = text(&mut state, (120, 30));
    assert!(screen.contains("FREEZE production"), "{screen}");
    let words = screen.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(
        words.contains("Refused: ") && words.contains("thaw it first"),
        "{screen}"
    );
}

#[test]
fn o03_a_colleagues_freeze_voids_the_plan_of_ones_own() {
    let mut state = open_window();
    press(&mut state, "Z");
    type_in(&mut state, "sale");
    press(&mut state, "enter enter");
    freeze(&mut state, "carol", "night", None);
    type_in(&mut state, "production");
    assert!(press(&mut state, "enter").is_empty());
    let screen = text(&mut state, (120, 30));
    assert!(screen.contains("frozen by carol"), "{screen}");
}

#[test]
fn breaking_the_glass_is_typed_and_loud() {
    let mut state = open_window();
    press(&mut state, "ctrl-g");
    let notice = state.notice.as_ref().unwrap();
    assert!(notice.text.contains("nothing is frozen"), "{}", notice.text);
    freeze(&mut state, "carol", "sale", None);
    press(&mut state, "ctrl-g");
    assert!(
        wanted(&state).is_some_and(|it| it.request.break_glass.is_some()),
        "a worker that passes over it"
    );
    type_in(&mut state, "the till is down");
    press(&mut state, "enter");
    pass(&mut state, 1);
    seen!("break-glass-80x24", text(&mut state, (80, 24)));
    type_in(&mut state, "production/digital-wall-service");
    assert!(press(&mut state, "enter").is_empty(), "another word");
    let mut state = open_window();
    freeze(&mut state, "carol", "sale", None);
    press(&mut state, "ctrl-g");
    type_in(&mut state, "the till is down");
    press(&mut state, "enter");
    pass(&mut state, 1);
    type_in(&mut state, "break-glass");
    let commands = press(&mut state, "enter");
    assert!(
        matches!(&commands[..], [Command::Go { reason: Some(why), .. }] if why.as_str() == "the till is down"),
        "{commands:?}"
    );
}

#[test]
fn who_froze_or_thawed_last_stands_in_the_timeline() {
    let mut state = full(Look::default());
    let at = ago(30).unwrap();
    let last = format!(r#"{{"who":"carol","what":"thaw","why":"it is over","at":"{at}"}}"#);
    let said = policy(&[("schema", "1"), ("last.production", &last)]);
    observe(&mut state, vec![said]);
    press(&mut state, "4");
    let screen = text(&mut state, (120, 30));
    let line = screen
        .lines()
        .find(|line| line.contains("thawed: it is over"));
    assert!(
        line.is_some_and(|line| line.contains("by carol")),
        "{screen}"
    );
    press(&mut state, "enter");
    assert!(state.levels.is_empty(), "there is nothing to go into");
}

/// A cutover of carol's that passed over a freeze, and is over.
fn broken(state: &State) -> Vec<Entry> {
    let plan = plan_of(state, OperationKind::Cutover);
    let mut entries = until(&plan, &wheelhouse::ops::Step::Restore);
    let glass = What::Overridden {
        gate: "freeze".into(),
        reason: "the till is down".into(),
    };
    entries.insert(2, entry_at(40, glass));
    over(entries, Outcome::Done, "GREEN is live")
}

#[test]
fn broken_glass_stands_red_until_it_is_closed_with_a_note() {
    let mut state = open_window();
    let mut entries = broken(&state);
    operating(&mut state, &entries, 100);
    for size in [(60, 15), (80, 24), (120, 30)] {
        let screen = text(&mut state, size);
        assert!(
            screen.contains("✗ BREAK-GLASS by carol"),
            "{size:?}\n{screen}"
        );
    }
    press(&mut state, "K");
    type_in(&mut state, "reviewed");
    press(&mut state, "enter");
    pass(&mut state, 1);
    seen!("close-glass-80x24", text(&mut state, (80, 24)));
    type_in(&mut state, "close-glass");
    let commands = press(&mut state, "enter");
    assert!(
        matches!(&commands[..], [Command::Operate { wish: Wish::CloseGlass(id), reason, .. }]
            if id.as_str() == ID && reason.as_str() == "reviewed"),
        "{commands:?}"
    );
    let note = "reviewed".into();
    entries.push(entry_at(1, What::GlassClosed { note }));
    let mut state = open_window();
    operating(&mut state, &entries, 100);
    let screen = text(&mut state, (120, 30));
    assert!(!screen.contains("✗ BREAK-GLASS by carol"), "{screen}");
    press(&mut state, "K");
    let notice = state.notice.as_ref().unwrap();
    assert!(notice.text.contains("no broken glass"), "{}", notice.text);
}
