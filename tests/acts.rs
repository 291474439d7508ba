//! Acts: what a key may bring about and what it may not, and how one is carried out at the socket.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::unimplemented,
    dead_code,
    missing_docs,
    reason = "tests; the server offers what the tests of the clients use"
)]

#[path = "acts/carried_out.rs"]
mod carried_out;
#[path = "acts/reviewed.rs"]
mod reviewed;
#[path = "support/reviews.rs"]
mod reviews;
#[path = "clients/server.rs"]
mod server;
#[path = "support/world.rs"]
mod world;

use wheelhouse::app::{Command, Event, Look, Overlay, State, update};
use wheelhouse::estate::act::{Act, Outcome, Silencing};
use wheelhouse::estate::alerts::{Alert, AlertsSeen, Handled, Rule, Standing};
use wheelhouse::estate::*;
use world::*;

/// On the first alert, in an environment of that tier that may be changed.
fn on_an_alert(tier: Tier) -> State {
    let mut state = full(Look::default());
    state.environment_mut().estate.scope.tier = tier;
    press(&mut state, "3 : w r i t e space 1 5 m enter");
    state
}

/// With the plan of a silence open, filled in, its prompt listening.
fn at_the_prompt(tier: Tier) -> State {
    let mut state = on_an_alert(tier);
    press(&mut state, "S x enter enter");
    pass(&mut state, 1);
    state
}

fn is_open(state: &State) -> bool {
    matches!(state.overlay, Some(Overlay::Plan(_)))
}

fn void(state: &State) -> Option<String> {
    match &state.overlay {
        Some(Overlay::Plan(plan)) => plan.dialog.void.as_ref().map(ToString::to_string),
        _ => None,
    }
}

fn notice(state: &State) -> String {
    state
        .notice
        .as_ref()
        .map_or(String::new(), |n| n.text.to_string())
}

/// Why the open plan may not be carried out.
fn refused(state: &State) -> String {
    let Some(Overlay::Plan(open)) = &state.overlay else {
        panic!("no plan is open: {}", notice(state));
    };
    let sheet = wheelhouse::app::plan::sheet(state, open);
    sheet.refusal.map_or(String::new(), |why| why.to_string())
}

fn labels_of(name: &str) -> Labels {
    labels(&[
        ("alertname", name),
        ("severity", "warning"),
        ("colour", "green"),
        ("service", "backend"),
    ])
}

/// What Alertmanager says now: these alerts, and who keeps them quiet.
fn handled(state: &mut State, alerts: &[(&Labels, Option<&str>)]) {
    let silenced: AlertsSeen = {
        let all = alerts.iter().map(|(labels, by)| Handled {
            labels: (*labels).clone(),
            silenced_by: by.iter().map(|by| Safe::new(by)).collect(),
            inhibited_by: Vec::new(),
        });
        AlertsSeen::Handling(all.collect(), Vec::new())
    };
    observe(state, vec![Seen::Alerts(silenced)]);
    wheelhouse::app::settle(state);
}

/// What was confirmed is one silence of exactly these labels.
fn assert_silences(commands: &[Command], labels: &Labels) {
    let [Command::Act { doing, .. }] = commands else {
        panic!("{commands:?}");
    };
    assert!(
        matches!(&doing.act, Act::Silencing(Silencing::Silence(draft)) if draft.matchers == *labels)
    );
}

const PRODUCTION: &str = "p r o d u c t i o n enter";

#[test]
fn what_is_confirmed_is_one_command_with_the_right_to_it_and_exactly_the_labels_shown() {
    for (tier, yes) in [
        (Tier::Development, "enter"),
        (Tier::Staging, "y"),
        (Tier::Production, PRODUCTION),
    ] {
        let mut state = at_the_prompt(tier);
        let commands = press(&mut state, yes);
        let [
            Command::Act {
                doing,
                name,
                permit,
            },
        ] = &commands[..]
        else {
            panic!("{tier:?}: {commands:?}");
        };
        let now = state.now.at;
        assert!(permit.holds("production", now) && name.as_str() == "production");
        assert!(!permit.holds("production", Moment(now.0 + 15 * 60_000)));
        let Act::Silencing(Silencing::Silence(draft)) = &doing.act else {
            panic!("{doing:?}");
        };
        assert_eq!(draft.matchers, labels_of("HighResponseTime"));
        assert_eq!(
            (draft.author.as_str(), draft.comment.as_str()),
            ("ann@bastion", "x")
        );
        assert!(!is_open(&state));
        // The same once more, while the first is under way.
        press(&mut state, "S");
        assert!(refused(&state).contains("under way"));
    }
}

#[test]
fn o01_keys_typed_ahead_do_not_confirm() {
    for (tier, yes) in [
        (Tier::Development, "enter enter"),
        (Tier::Staging, "y y"),
        (Tier::Production, PRODUCTION),
    ] {
        let mut state = on_an_alert(tier);
        press(&mut state, "S x enter enter");
        assert!(press(&mut state, yes).is_empty(), "{tier:?}");
        assert!(is_open(&state));
    }
}

#[test]
fn o02_another_word_another_case_and_the_cancel_in_focus_do_nothing() {
    for wrong in [
        "P r o d u c t i o n enter",
        "p r o d u c t i o n space enter",
        "p r o d enter",
        "y",
        "enter",
    ] {
        let mut state = at_the_prompt(Tier::Production);
        assert!(press(&mut state, wrong).is_empty(), "{wrong}");
        assert!(is_open(&state));
    }
    let mut state = at_the_prompt(Tier::Staging);
    assert!(press(&mut state, "enter").is_empty());
    assert!(!is_open(&state) && notice(&state).contains("nothing was done"));
}

#[test]
fn o03_the_plan_is_void_when_somebody_else_silences_the_alert_and_not_by_churn() {
    let alert = labels_of("HighResponseTime");
    let mut state = on_an_alert(Tier::Production);
    handled(&mut state, &[(&alert, None)]);
    press(&mut state, "S x enter enter");
    pass(&mut state, 1);
    // The same news again, another alert, a value that moved: churn.
    handled(&mut state, &[(&alert, None), (&labels_of("Other"), None)]);
    observe(&mut state, alerts().into_iter().take(1).collect());
    handled(&mut state, &[(&alert, None)]);
    assert_eq!(void(&state), None);
    handled(&mut state, &[(&alert, Some("s9"))]);
    let why = void(&state).unwrap();
    assert!(why.contains("state was firing, is now silenced"), "{why}");
    pass(&mut state, 1);
    assert!(press(&mut state, PRODUCTION).is_empty());
}

#[test]
fn o03_the_plan_is_void_when_the_alert_resolves() {
    let mut state = at_the_prompt(Tier::Production);
    let none = wheelhouse::estate::alerts::RulesSeen::default();
    observe(&mut state, vec![Seen::Alerts(AlertsSeen::Rules(none))]);
    assert!(press(&mut state, PRODUCTION).is_empty());
    let why = void(&state).unwrap();
    assert!(why.contains("is now resolved"), "{why}");
}

#[test]
fn o07_read_only_stale_or_without_an_alertmanager_it_is_refused_and_how_to_proceed_is_said() {
    let mut state = full(Look::default());
    press(&mut state, "3 S r e d i s");
    assert!(refused(&state).contains("`:write 15m` opens a window"));
    let mut state = on_an_alert(Tier::Production);
    pass(&mut state, 60);
    press(&mut state, "S");
    assert!(refused(&state).contains("not current: wait until they are, or ctrl-r"));
    let mut state = on_an_alert(Tier::Production);
    let alerts = state.environment_mut().estate.alerts.as_mut().unwrap();
    alerts.scope.alertmanager = None;
    press(&mut state, "S");
    assert!(refused(&state).contains("[alertmanager]"));
    // The window closes while the plan is open.
    let mut state = at_the_prompt(Tier::Production);
    state.write(None);
    assert!(press(&mut state, PRODUCTION).is_empty());
    // On another panel there is no alert to be meant.
    let mut state = on_an_alert(Tier::Production);
    press(&mut state, "2 S");
    assert!(notice(&state).contains("choose an alert first"));
}

#[test]
fn t12_a_paste_fills_a_field_and_never_the_prompt() {
    let mut state = on_an_alert(Tier::Production);
    press(&mut state, "S");
    update(&mut state, Event::Paste("ticket 12".into()));
    press(&mut state, "enter enter");
    pass(&mut state, 1);
    update(&mut state, Event::Paste("production".into()));
    assert!(press(&mut state, "enter").is_empty());
    assert!(is_open(&state));
}

#[test]
fn a_label_that_cannot_be_repeated_exactly_is_not_silenced_by_guess() {
    let mut state = on_an_alert(Tier::Production);
    let hostile = labels_of("HighResponseTime").with(&"path".into(), &"a\u{202e}b".into());
    handled(&mut state, &[(&hostile, None)]);
    press(&mut state, "S x enter enter");
    pass(&mut state, 1);
    assert!(press(&mut state, PRODUCTION).is_empty());
    assert!(is_open(&state));
}

#[test]
fn external_labels_make_the_silence_narrower_and_what_else_it_touches_is_said() {
    let mut state = on_an_alert(Tier::Staging);
    let here = labels_of("HighResponseTime").with(&"cluster".into(), &"eu".into());
    handled(&mut state, &[(&here, None)]);
    press(&mut state, "S x enter enter");
    pass(&mut state, 1);
    let commands = press(&mut state, "y");
    assert_silences(&commands, &here);
    let mut state = on_an_alert(Tier::Staging);
    let there = labels_of("HighResponseTime").with(&"cluster".into(), &"us".into());
    handled(&mut state, &[(&here, None), (&there, None)]);
    press(&mut state, "S");
    let Some(Overlay::Plan(plan)) = &state.overlay else {
        panic!("no plan");
    };
    let said = format!("{:?}", wheelhouse::app::plan::sheet(&state, plan).lines);
    assert!(said.contains("2 alerts now"), "{said}");
}

#[test]
fn a_plan_that_nobody_can_see_is_not_confirmed() {
    let mut state = at_the_prompt(Tier::Development);
    update(&mut state, Event::Resized(40, 10));
    assert!(press(&mut state, "enter").is_empty());
    update(&mut state, Event::Resized(80, 24));
    assert_eq!(press(&mut state, "enter").len(), 1);
}

#[test]
fn o04_who_leaves_while_an_act_is_under_way_is_told_so_first() {
    let mut state = at_the_prompt(Tier::Development);
    press(&mut state, "enter");
    assert!(press(&mut state, "q").is_empty());
    assert!(
        notice(&state).contains("not answered yet"),
        "{}",
        notice(&state)
    );
    assert_eq!(press(&mut state, "q"), [Command::Quit]);
    let mut state = at_the_prompt(Tier::Development);
    press(&mut state, "enter");
    update(
        &mut state,
        Event::Acted(1, Outcome::Unknown("no answer within 10 s".into())),
    );
    assert!(
        notice(&state).contains("UNKNOWN: no answer"),
        "{}",
        notice(&state)
    );
    assert_eq!(press(&mut state, "q"), [Command::Quit]);
}

/// What the plan that is open says.
fn lines(state: &State) -> String {
    let Some(Overlay::Plan(plan)) = &state.overlay else {
        panic!("no plan");
    };
    format!("{:?}", wheelhouse::app::plan::sheet(state, plan).lines)
}

/// On the first alert, where the Alertmanager is shared with staging.
fn sharing() -> State {
    let mut state = on_an_alert(Tier::Staging);
    let alerts = state.environment_mut().estate.alerts.as_mut().unwrap();
    alerts.scope.belongs = labels(&[("namespace", "production")]);
    state
}

#[test]
fn what_a_silence_touches_of_other_environments_is_counted_and_voids_the_plan_when_it_changes() {
    let mut state = sharing();
    let ours = labels_of("HighResponseTime");
    let theirs = ours.with(&"namespace".into(), &"staging".into());
    handled(&mut state, &[(&ours, None)]);
    press(&mut state, "S x enter enter");
    assert!(lines(&state).contains("one alert now: this one"));
    handled(&mut state, &[(&ours, None), (&theirs, None)]);
    let said = lines(&state);
    assert!(
        said.contains("2 alerts now, 1 of other environments"),
        "{said}"
    );
    assert!(void(&state).is_some(), "it was planned as one alert");
    press(&mut state, "esc");
    handled(&mut state, &[(&theirs, None)]);
    press(&mut state, "S");
    let said = lines(&state);
    assert!(
        said.contains("one alert now, of another environment"),
        "{said}"
    );
}

#[test]
fn an_alert_of_ours_with_more_labels_is_not_taken_for_the_one_that_is_silenced() {
    let mut state = on_an_alert(Tier::Staging);
    let alerts = state.environment_mut().estate.alerts.as_mut().unwrap();
    let mut both = alerts.rules.value.clone();
    let here = labels_of("HighResponseTime");
    let other = here.with(&"instance".into(), &"a".into());
    let is_it = |rule: &&mut Rule| rule.name.as_str() == "HighResponseTime";
    let firing = &mut both.rules.iter_mut().find(is_it).unwrap().alerts;
    let second = firing[0].clone();
    firing.push(Alert {
        labels: other.clone(),
        ..second
    });
    // Nobody else has those labels: they are external ones, and make the silence narrower.
    handled(&mut state, &[(&other, None)]);
    press(&mut state, "S");
    assert!(lines(&state).contains("one alert now: this one"));
    press(&mut state, "esc");
    // Alertmanager has not heard of the alert that is chosen, but of another of ours.
    observe(&mut state, vec![Seen::Alerts(AlertsSeen::Rules(both))]);
    handled(&mut state, &[(&other, None)]);
    press(&mut state, "S x enter enter");
    let said = lines(&state);
    assert!(
        said.contains("one alert now, another than this one"),
        "{said}"
    );
    pass(&mut state, 1);
    let commands = press(&mut state, "y");
    assert_silences(&commands, &here);
}

#[test]
fn m05_what_an_act_reads_back_of_other_environments_disputes_nothing() {
    let mut state = sharing();
    let ours = labels_of("HighResponseTime");
    let theirs = ours.with(&"namespace".into(), &"staging".into());
    handled(&mut state, &[(&ours, Some("s9")), (&theirs, None)]);
    let alerts = state.environment_mut().estate.alerts.as_ref().unwrap();
    let views = alerts.views();
    let view = views.iter().find(|v| v.alert.labels == ours).unwrap();
    assert_eq!(
        (view.standing, view.is_disputed),
        (Standing::Silenced, false)
    );
}
