//! Operations on the screen: plans before anything is changed, the panel, the alarm, who flipped last.

use std::collections::BTreeMap;
use std::sync::Arc;

use wheelhouse::app::operate::{Heard, Wanted, wanted};
use wheelhouse::app::{Action, Command, Event, Look, Overlay, State, operate, update};
use wheelhouse::estate::*;
use wheelhouse::ops::machine::Operation;
use wheelhouse::ops::marks::{self, Flipped};
use wheelhouse::ops::plan::{Helm, How};
use wheelhouse::ops::{
    Entry, Next, OperationKind, Outcome, Plan, Request, Step, What, check, entry, kept,
};

use super::text;
use crate::world::*;

pub(super) const ID: &str = "01jdsx0000abcdefghjkmnpqrs";

/// Production with GREEN whole.
fn ready() -> State {
    let mut state = full(Look::default());
    mend(&mut state);
    state
}

pub(super) fn mend(state: &mut State) {
    let mut well = ill_pod();
    well.ready = true;
    well.containers[0].ready = true;
    let name: Safe = "digital-wall-green-backend".into();
    let mut deployment = state.estate().deployments.value.get(&name).unwrap().clone();
    (deployment.ready, deployment.available) = (2, 2);
    observe(
        state,
        vec![
            Seen::Pods(Delta::Changes(vec![Change::Applied(well)])),
            Seen::Deployments(Delta::Changes(vec![Change::Applied(deployment)])),
        ],
    );
}

/// The same with a window for changes.
pub(super) fn open_window() -> State {
    let mut state = ready();
    press(&mut state, ": w r i t e space 1 5 m enter");
    state
}

pub(super) fn type_in(state: &mut State, words: &str) -> Vec<Command> {
    let keys: Vec<String> = words
        .chars()
        .map(|c| {
            if c == ' ' {
                "space".to_owned()
            } else {
                c.to_string()
            }
        })
        .collect();
    press(state, &keys.join(" "))
}

/// The plan of a cutover with its reason typed, and its prompt listening.
fn asked() -> State {
    let mut state = open_window();
    press(&mut state, "C");
    type_in(&mut state, "release 42");
    press(&mut state, "enter");
    pass(&mut state, 1);
    state
}

fn word() -> &'static str {
    "production/digital-wall-service"
}

fn is_open(state: &State) -> bool {
    matches!(state.overlay, Some(Overlay::Plan(_)))
}

pub(super) fn plan_of(state: &State, kind: OperationKind) -> Plan {
    let request = Request {
        reason: Some("release 42".into()),
        ..Request::new(kind)
    };
    check(&request, state.estate(), state.now).unwrap()
}

pub(super) fn entry_at(seconds: i64, what: What) -> Entry {
    Entry {
        at: ago(seconds).unwrap(),
        by: "carol (carol@bastion-2)".into(),
        what,
    }
}

/// A record with these entries.
pub(super) fn record(entries: &[Entry], version: &str) -> Record {
    let mut data = BTreeMap::new();
    data.insert("schema".to_owned(), Arc::from("1"));
    data.insert(
        "entries".to_owned(),
        Arc::from(entry::write(entries).unwrap()),
    );
    Record {
        name: format!("wheelhouse-{ID}").into(),
        uid: "uid-record".into(),
        resource_version: version.into(),
        created: ago(60),
        deleting: None,
        labels: labels(&[(kept::NAMESPACE, "production")]),
        data,
    }
}

/// Entries up to the beginning of `last`.
pub(super) fn until(plan: &Plan, last: &Step) -> Vec<Entry> {
    let holder: Safe = "carol@bastion-2/boot/1".into();
    let mut entries = vec![
        entry_at(40, What::Planned(Box::new(plan.clone()))),
        entry_at(
            40,
            What::Locked {
                epochs: BTreeMap::new(),
                holder,
                credential: None,
            },
        ),
    ];
    while let Next::Begin(step) = Operation::fold(&entries).next() {
        entries.push(entry_at(
            20,
            What::Began {
                step: step.clone(),
                attempt: 1,
            },
        ));
        if step == *last {
            break;
        }
        let evidence = "as it should be".into();
        entries.push(entry_at(20, What::Passed { step, evidence }));
    }
    entries
}

pub(super) fn lease(service: &str, renewed: i64) -> Lease {
    Lease {
        name: marks::lease_name(service).into(),
        uid: "uid-lease".into(),
        resource_version: "1".into(),
        holder: Some("carol@bastion-2/boot/1".into()),
        duration_s: 60,
        acquired: ago(40),
        renewed: ago(renewed),
        taken: None,
        transitions: 1,
        marks: labels(&[(marks::OPERATION, ID), (marks::WATCHED, "17")]),
    }
}

/// As many of these entries with the text at each place replaced, one at a time.
fn poisoned(entries: &[Entry], poison: &str) -> Vec<String> {
    let lines: Vec<serde_json::Value> = (entries.iter())
        .map(|entry| serde_json::to_value(entry).unwrap())
        .collect();
    let whole = serde_json::Value::from(lines);
    let written = |whole: &serde_json::Value| {
        let lines = whole.as_array().unwrap().iter();
        let lines: Vec<_> = lines.map(ToString::to_string).collect();
        lines.join("\n")
    };
    let mut all = Vec::new();
    let mut left = vec![String::new()];
    while let Some(place) = left.pop() {
        let key = |key: &str| format!("{place}/{}", key.replace('~', "~0").replace('/', "~1"));
        match whole.pointer(&place).unwrap() {
            serde_json::Value::String(_) => {
                let mut one = whole.clone();
                *one.pointer_mut(&place).unwrap() = poison.into();
                all.push(written(&one));
            }
            serde_json::Value::Array(items) => {
                left.extend((0..items.len()).map(|n| key(&n.to_string())));
            }
            serde_json::Value::Object(fields) => left.extend(fields.keys().map(|it| key(it))),
            _ => {}
        }
    }
    all
}

#[test]
fn k14_hostile_text_in_any_field_of_a_record_stays_text() {
    let poison = format!("\u{1b}]0;evil\u{7}\u{202e}\u{9b}31m{}", "w".repeat(1 << 14));
    let plan = plan_of(&ready(), OperationKind::Cutover);
    let entries = until(&plan, &Step::Watch);
    let all = poisoned(&entries, &poison);
    assert!(all.len() > 40, "{}", all.len());
    let mut state = ready();
    press(&mut state, "5");
    for (n, written) in all.into_iter().enumerate() {
        let mut hostile = record(&entries, &format!("{}", n + 10));
        hostile.data.insert("entries".to_owned(), written.into());
        let changes = vec![Change::Applied(hostile)];
        observe(&mut state, vec![Seen::Records(Delta::Changes(changes))]);
        let screen = text(&mut state, (120, 30));
        let obeyed = |c: char| c != '\n' && (c.is_control() || c == '\u{202e}');
        assert!(!screen.contains(obeyed), "{n}: {screen}");
        assert!(!screen.contains("evil"), "{n}: {screen}");
    }
}

/// An operation of carol's on the screen, its Lease renewed so many seconds ago.
pub(super) fn operating(state: &mut State, entries: &[Entry], renewed: i64) {
    let leases =
        ["digital-wall-service", "digital-wall-api"].map(|s| Change::Applied(lease(s, renewed)));
    observe(
        state,
        vec![
            Seen::Leases(Delta::Changes(leases.into())),
            Seen::Records(Delta::Changes(vec![Change::Applied(record(entries, "1"))])),
        ],
    );
}

pub(super) fn over(mut entries: Vec<Entry>, outcome: Outcome, reason: &str) -> Vec<Entry> {
    let reason = reason.into();
    entries.push(entry_at(10, What::Closed { outcome, reason }));
    entries
}

/// Traffic is on GREEN, as carol's cutover meant it.
pub(super) fn flipped(state: &mut State, selector: &str, manager: &str) {
    flipped_by(state, selector, manager, "cutover");
}

/// The same by an operation of that kind.
fn flipped_by(state: &mut State, selector: &str, manager: &str, what: &str) {
    let changes = [
        ("digital-wall-service", "frontend"),
        ("digital-wall-api", "backend"),
    ]
    .map(|(name, part)| {
        let mut service = service(name, part, selector);
        let flip = Flipped {
            at: ago(172_800).unwrap(),
            by: "carol (carol@bastion-2)".into(),
            from: Some("blue".into()),
            to: "green".into(),
            what: what.into(),
            why: Some("release 42".into()),
            operation: ID.into(),
            images: vec!["9b1e07d".into()],
            left: Vec::new(),
            runs: Vec::new(),
        };
        let meant = format!("{{\"part\":\"{part}\",\"version\":\"green\"}}");
        service.marks = labels(&[
            (marks::FLIP, &serde_json::to_string(&flip).unwrap()),
            (marks::MEANT, &meant),
            (marks::EPOCH, "1"),
        ]);
        service.managers[1].name = manager.into();
        service.managers[1].at = if manager == "wheelhouse" {
            ago(172_800)
        } else {
            ago(60)
        };
        Change::Applied(service)
    });
    let green = |part: &str| -> Vec<Pod> {
        let all = state.estate().pods.value.iter();
        all.filter(|p| p.name.contains(&format!("{selector}-{part}")))
            .cloned()
            .collect()
    };
    let slices = [
        slice("digital-wall-service", &green("frontend")),
        slice("digital-wall-api", &green("backend")),
    ];
    observe(
        state,
        vec![
            Seen::Services(Delta::Changes(changes.into())),
            Seen::Slices(Delta::Changes(slices.map(Change::Applied).into())),
        ],
    );
}

#[test]
fn the_plan_of_a_cutover_says_from_to_checks_and_the_way_back() {
    let mut state = asked();
    seen!("plan-80x24", text(&mut state, (80, 24)));
    seen!("plan-120x30", text(&mut state, (120, 30)));
}

#[test]
fn what_is_refused_is_shown_with_its_checks_and_the_reason_in_words() {
    let mut state = full(Look::default());
    press(&mut state, "C");
    let screen = text(&mut state, (120, 30));
    assert!(screen.contains("✗ ready"), "{screen}");
    assert!(
        screen.contains("Refused: match") || screen.contains("Refused: ready"),
        "{screen}"
    );
    assert_eq!(
        wanted(&state),
        None,
        "no worker is started for what is refused"
    );
    mend(&mut state);
    press(&mut state, "esc : w r i t e space 1 5 m enter C");
    assert!(wanted(&state).is_some(), "it is not refused any more");
}

#[test]
fn a_worker_is_wanted_with_the_dialog_and_ends_with_it() {
    let mut state = open_window();
    press(&mut state, "C");
    let Some(Wanted { request, .. }) = wanted(&state) else {
        panic!("no worker");
    };
    assert_eq!(request.kind, OperationKind::Cutover);
    press(&mut state, "esc");
    assert_eq!(wanted(&state), None);
}

#[test]
fn o01_a_double_enter_and_keys_typed_ahead_confirm_nothing() {
    let mut state = open_window();
    press(&mut state, "C");
    type_in(&mut state, "release 42");
    let mut commands = press(&mut state, "enter enter enter");
    commands.extend(type_in(&mut state, word()));
    commands.extend(press(&mut state, "enter"));
    assert!(commands.is_empty() && is_open(&state), "{commands:?}");
}

#[test]
fn o01_what_was_sent_is_sent_once() {
    let mut state = asked();
    type_in(&mut state, word());
    let commands = press(&mut state, "enter enter enter");
    assert_eq!(commands.len(), 1, "{commands:?}");
    assert!(text(&mut state, (80, 24)).contains("sent;"));
    let Command::Go {
        number,
        environment,
        hash,
        reason,
        permit,
        ..
    } = &commands[0]
    else {
        panic!("{commands:?}");
    };
    assert_eq!(reason.as_deref(), Some("release 42"));
    assert_eq!(*hash, plan_of(&state, OperationKind::Cutover).hash);
    assert!(permit.is_some(), "the gate is in the executor too");
    update(
        &mut state,
        Event::Heard(*number, *environment, Heard::Began(ID.into())),
    );
    assert!(!is_open(&state));
    assert!(state.notice.as_ref().unwrap().text.contains(ID));
}

#[test]
fn o02_the_wrong_word_a_trailing_space_and_another_case_do_nothing() {
    for wrong in [
        "production",
        "production/digital-wall-service ",
        "Production/digital-wall-service",
    ] {
        let mut state = asked();
        type_in(&mut state, wrong);
        assert!(press(&mut state, "enter").is_empty(), "{wrong:?}");
        assert!(is_open(&state), "{wrong:?}");
    }
}

#[test]
fn o02_a_long_word_is_shown_whole_in_a_small_window() {
    let word = "production-europe-west1/digitalwall-web-frontend-active";
    let long = |mut state: State| {
        if let Some(Overlay::Plan(plan)) = &mut state.overlay {
            plan.dialog.confirm.ask = wheelhouse::app::Ask::Word(word.into());
        }
        state
    };
    let whole = |state: &mut State| -> String {
        let screen = text(state, (60, 15));
        let rows = screen.lines().map(|row| row.trim_matches(['║', ' ']));
        rows.collect()
    };
    let mut first = open_window();
    press(&mut first, "C");
    let said = whole(&mut long(first));
    assert!(said.contains(word), "before it is asked for: {said}");
    let mut state = long(asked());
    let said = whole(&mut state);
    assert!(said.contains(word), "{said}");
    type_in(&mut state, word);
    let screen = text(&mut state, (60, 15));
    assert!(screen.contains("frontend-active_"), "{screen}");
    assert_eq!(press(&mut state, "enter").len(), 1, "it can be typed");
}

#[test]
fn o02_an_empty_reason_is_come_back_to_in_production() {
    let mut state = open_window();
    press(&mut state, "C enter");
    assert!(text(&mut state, (80, 24)).contains("reason must not be empty"));
}

#[test]
fn o03_decisive_facts_void_the_plan_and_status_churn_does_not() {
    let mut state = asked();
    let name: Safe = "digital-wall-green-backend".into();
    let mut churned = state.estate().deployments.value.get(&name).unwrap().clone();
    churned.resource_version = "9999".into();
    observe(
        &mut state,
        vec![Seen::Deployments(Delta::Changes(vec![Change::Applied(
            churned.clone(),
        )]))],
    );
    assert!(
        !text(&mut state, (120, 30)).contains("Void"),
        "a resourceVersion decides nothing"
    );
    let mut other = service("digital-wall-api", "backend", "blue");
    other.marks = labels(&[(marks::EPOCH, "7")]);
    observe(
        &mut state,
        vec![Seen::Services(Delta::Changes(vec![Change::Applied(other)]))],
    );
    assert!(text(&mut state, (120, 30)).contains("Void: the plan was"));
    type_in(&mut state, word());
    assert!(press(&mut state, "enter").is_empty());
}

#[test]
fn o04_what_goes_on_is_said_when_the_cockpit_ends() {
    let mut state = asked();
    type_in(&mut state, word());
    let commands = press(&mut state, "enter");
    assert!(
        operate::farewell(&state)[0].contains("op list"),
        "just confirmed"
    );
    let Command::Go {
        number,
        environment,
        ..
    } = &commands[0]
    else {
        panic!()
    };
    update(
        &mut state,
        Event::Heard(*number, *environment, Heard::Began(ID.into())),
    );
    let said = operate::farewell(&state);
    assert!(
        said[0].contains(&format!("wheelhouse op watch {ID}")),
        "{said:?}"
    );
    let plan = plan_of(&state, OperationKind::Cutover);
    operating(
        &mut state,
        &over(until(&plan, &Step::Watch), Outcome::Done, "GREEN is live"),
        1,
    );
    assert!(operate::farewell(&state).is_empty(), "it is over");
}

#[test]
fn o04_what_is_sent_and_not_answered_is_left_only_when_asked_twice_and_named() {
    let mut state = open_window();
    let plan = plan_of(&state, OperationKind::Cutover);
    operating(&mut state, &until(&plan, &Step::Watch), 2);
    press(&mut state, "B");
    type_in(&mut state, "wrong release");
    press(&mut state, "enter");
    pass(&mut state, 1);
    type_in(&mut state, "abort");
    let commands = press(&mut state, "enter");
    let [
        Command::Operate {
            number,
            environment,
            ..
        },
    ] = &commands[..]
    else {
        panic!("{commands:?}");
    };
    assert!(text(&mut state, (80, 24)).contains("stay until it is answered"));
    assert!(press(&mut state, "esc q").is_empty(), "it may end with it");
    let screen = text(&mut state, (120, 30));
    assert!(screen.contains("not answered yet"), "{screen}");
    let said = operate::farewell(&state);
    assert!(
        said[0].starts_with("abort of production: just confirmed"),
        "{said:?}"
    );
    assert_eq!(
        press(&mut state.clone(), "q"),
        [Command::Quit],
        "asked twice"
    );
    let done = Heard::Done("abort asked".into());
    update(&mut state, Event::Heard(*number, *environment, done));
    assert!(operate::farewell(&state).is_empty());
    assert_eq!(press(&mut state, "q"), [Command::Quit], "it is answered");
}

/// B on a cutover in its watch, confirmed: what the dialog showed, and what is to be done.
fn aborts(state: &mut State) -> (String, Vec<Command>) {
    let plan = plan_of(state, OperationKind::Cutover);
    operating(state, &until(&plan, &Step::Watch), 2);
    press(state, "B");
    let screen = text(state, (80, 24));
    type_in(state, "wrong release");
    press(state, "enter");
    pass(state, 1);
    type_in(state, "abort");
    (screen, press(state, "enter"))
}

#[test]
fn o05_an_abort_is_asked_for_and_the_step_is_told_to_end_first() {
    let mut state = open_window();
    let (screen, commands) = aborts(&mut state);
    assert!(screen.contains("stops at the next boundary"), "{screen}");
    assert!(
        matches!(&commands[..], [Command::Operate { reason, .. }] if reason.as_str() == "wrong release"),
        "{commands:?}"
    );
}

/// No pod of GREEN is ready by what the screen saw last.
fn without_green() -> State {
    let mut state = full(Look::default());
    let gone = [Change::Applied(ill_pod())];
    let mut ill: Vec<Change<Pod>> = gone.into();
    let name: Safe = "digital-wall-green-backend-6b9f7c5d48-j7k8l".into();
    let mut pod = state.estate().pods.value.get(&name).unwrap().clone();
    pod.ready = false;
    ill.push(Change::Applied(pod));
    observe(&mut state, vec![Seen::Pods(Delta::Changes(ill))]);
    state
}

#[test]
fn o06_a_rollback_with_nothing_to_roll_back_to_is_refused_with_the_reason() {
    let mut state = without_green();
    press(&mut state, "R");
    assert_eq!(wanted(&state), None, "what is seen now is known");
    let screen = text(&mut state, (80, 24));
    assert!(
        screen.contains("Refused: match: no ready pod of GREEN"),
        "{screen}"
    );
    assert!(screen.contains("lesser evil"), "{screen}");
    pass(&mut state, 1);
    type_in(&mut state, "rollback");
    assert!(press(&mut state, "enter").is_empty());
}

/// The same, and the API server lets nobody look any more.
fn blind() -> State {
    let mut state = without_green();
    let fault = Fault {
        kind: FaultKind::Busy,
        what: "too many requests".into(),
    };
    observe(&mut state, vec![Seen::Failed(Kind::Pods, fault)]);
    state
}

#[test]
fn i_45_a_rollback_that_an_old_view_refuses_is_for_its_workers_fresh_plan_to_allow() {
    let mut state = blind();
    press(&mut state, "R");
    let Some(Wanted {
        number,
        environment,
        request,
    }) = wanted(&state)
    else {
        panic!("no worker");
    };
    assert_eq!(request.to, None, "nobody knows where back is");
    seen!("rollback-blind-80x24", text(&mut state, (80, 24)));
    // What was typed before there was anything to be seen confirms nothing.
    pass(&mut state, 1);
    type_in(&mut state, "rollback");
    assert!(press(&mut state, "enter").is_empty());
    let plan = plan_of(&ready(), OperationKind::Rollback);
    let heard = Heard::Ready(Box::new(plan.clone()));
    update(&mut state, Event::Heard(number, environment, heard));
    let screen = text(&mut state, (80, 24));
    assert!(screen.contains("ROLL BACK production to GREEN"), "{screen}");
    for words in ["Refused", "no ready pod", "Void"] {
        assert!(!screen.contains(words), "{words} in {screen}");
    }
    assert!(press(&mut state, "enter").is_empty());
    assert_eq!(wanted(&state).unwrap().number, number, "the same worker");
    pass(&mut state, 1);
    type_in(&mut state, "rollback");
    let commands = press(&mut state, "enter");
    let [Command::Go { hash, .. }] = &commands[..] else {
        panic!("{commands:?}")
    };
    assert_eq!(*hash, plan.hash, "what was shown");
}

#[test]
fn i_45_a_rollback_that_an_old_view_allows_goes_where_its_worker_finds_that_back_is() {
    let mut state = ready();
    let fault = Fault {
        kind: FaultKind::Busy,
        what: "too many requests".into(),
    };
    observe(&mut state, vec![Seen::Failed(Kind::Pods, fault)]);
    press(&mut state, "R");
    assert_eq!(
        wanted(&state).unwrap().request.to,
        None,
        "nothing is pinned"
    );
    let screen = text(&mut state, (80, 24));
    assert!(screen.contains("this screen is not current"), "{screen}");
    pass(&mut state, 1);
    type_in(&mut state, "rollback");
    assert!(
        press(&mut state, "enter").is_empty(),
        "before its plan is there"
    );
}

#[test]
fn i_47_a_rollback_by_helm_is_confirmed_as_its_worker_planned_it_which_asked_helm() {
    let mut state = ready();
    let environment = state.environment_mut();
    environment.estate.scope.traffic = None;
    environment.how = How::Helm(Helm {
        program: "helm".into(),
        chart: "/srv/wall".into(),
        release: "wall".into(),
        version: None,
        values: Vec::new(),
        set: Default::default(),
        timeout_s: 60,
        recovers: false,
    });
    press(&mut state, "R");
    let worker = wanted(&state).unwrap();
    let screen = text(&mut state, (80, 24));
    assert!(screen.contains("helm is asked"), "{screen}");
    pass(&mut state, 1);
    type_in(&mut state, "rollback");
    assert!(press(&mut state, "enter").is_empty());
    // It goes past helm, by the images before.
    let plan = plan_of(&ready(), OperationKind::Rollback);
    let heard = Heard::Ready(Box::new(plan.clone()));
    update(
        &mut state,
        Event::Heard(worker.number, worker.environment, heard),
    );
    pass(&mut state, 1);
    type_in(&mut state, "rollback");
    let commands = press(&mut state, "enter");
    let [Command::Go { hash, .. }] = &commands[..] else {
        panic!("{commands:?}")
    };
    assert_eq!(*hash, plan.hash, "what was shown");
}

#[test]
fn i_45_what_may_never_be_seen_here_makes_no_view_old() {
    for (kind, is_known) in [
        (FaultKind::Forbidden, true),
        (FaultKind::Missing, true),
        (FaultKind::Busy, false),
    ] {
        let mut state = ready();
        for of in [Kind::ReplicaSets, Kind::Leases] {
            let what = "no".into();
            observe(&mut state, vec![Seen::Failed(of, Fault { kind, what })]);
        }
        press(&mut state, "R");
        let to = wanted(&state).unwrap().request.to;
        assert_eq!(to.is_some(), is_known, "{kind:?}");
    }
}

#[test]
fn o07_what_a_worker_refuses_of_a_rollback_stands_whatever_an_old_view_says() {
    let mut state = blind();
    press(&mut state, "R");
    let Some(Wanted {
        number,
        environment,
        ..
    }) = wanted(&state)
    else {
        panic!("no worker");
    };
    let heard = Heard::Refused("match: no ready pod of GREEN by now".into());
    update(&mut state, Event::Heard(number, environment, heard));
    let screen = text(&mut state, (80, 24));
    let said = "Refused: match: no ready pod of GREEN by now. Enter plans again.";
    assert!(screen.contains(said), "{screen}");
    pass(&mut state, 1);
    assert!(press(&mut state, "enter").is_empty());
    assert!(wanted(&state).unwrap().number > number, "another worker");
}

#[test]
fn i_47_a_rollback_goes_where_it_was_shown_to_go_whatever_is_live_by_then() {
    let mut state = ready();
    press(&mut state, "R");
    let to = |state: &State| wanted(state).unwrap().request.to;
    assert_eq!(to(&state), Some("green".into()));
    // Somebody brings traffic there by hand while it is read: the key is not for the way back from that.
    flipped(&mut state, "green", "kubectl-patch");
    assert_eq!(
        wanted(&state).and_then(|it| it.request.to),
        Some("green".into())
    );
    let screen = text(&mut state, (120, 40));
    assert!(
        screen.contains("nothing to roll back: GREEN is live"),
        "{screen}"
    );
}

#[test]
fn i_24_a_rollback_is_not_asked_anew_because_the_cutover_that_it_cuts_off_flips_on() {
    let mut state = ready();
    press(&mut state, "R");
    pass(&mut state, 1);
    type_in(&mut state, "roll");
    let moved = service("digital-wall-service", "frontend", "green");
    let moved = Delta::Changes(vec![Change::Applied(moved)]);
    observe(&mut state, vec![Seen::Services(moved)]);
    type_in(&mut state, "back");
    let commands = press(&mut state, "enter");
    assert!(
        matches!(&commands[..], [Command::Go { .. }]),
        "{commands:?} {}",
        text(&mut state, (120, 40))
    );
}

#[test]
fn i_47_nothing_that_is_switched_or_sorted_behind_an_open_plan_retargets_it() {
    let mut state = asked();
    let shown = (
        state.selected,
        state.environment().estate.scope.name.clone(),
    );
    let hash = plan_of(&state, OperationKind::Cutover).hash;
    // A pod that sorts before all others comes, and one goes.
    let first = Pod {
        name: "a-first".into(),
        ..pod("blue", "frontend", "aaaaa", 5)
    };
    observe(
        &mut state,
        vec![Seen::Pods(Delta::Changes(vec![Change::Applied(first)]))],
    );
    // Whatever switched the environment behind it.
    state.selected = (0..state.environments.len())
        .find(|it| *it != shown.0)
        .unwrap();
    let screen = text(&mut state, (120, 40));
    assert!(screen.contains(word()), "{screen}");
    type_in(&mut state, word());

    let commands = press(&mut state, "enter");

    let [
        Command::Go {
            environment,
            name,
            hash: sent,
            ..
        },
    ] = &commands[..]
    else {
        panic!("{commands:?}");
    };
    assert_eq!((*environment, name.clone()), shown);
    assert_eq!(*sent, hash);
}

#[test]
fn i_47_the_keys_of_the_screen_are_letters_of_an_open_plan() {
    let mut state = open_window();
    let shown = state.selected;
    press(&mut state, "C");
    press(&mut state, "e 1 2 j k / ] [");
    assert_eq!(state.selected, shown);
    let screen = text(&mut state, (120, 40));
    assert!(screen.contains("e12jk/]["), "{screen}");
}

#[test]
fn o07_an_abort_needs_no_window_for_changes() {
    let mut state = ready();
    let (screen, commands) = aborts(&mut state);
    assert!(screen.contains("READ-ONLY"), "{screen}");
    assert!(!screen.contains("Refused"), "{screen}");
    assert!(
        matches!(&commands[..], [Command::Operate { permit: None, .. }]),
        "{commands:?}"
    );
}

#[test]
fn o07_read_only_refuses_all_but_a_rollback() {
    let mut state = ready();
    press(&mut state, "C");
    let screen = text(&mut state, (80, 24));
    assert!(
        screen.contains("read-only: `:write 15m` opens a window"),
        "{screen}"
    );
    press(&mut state, "esc R");
    seen!("rollback-80x24", text(&mut state, (80, 24)));
    pass(&mut state, 1);
    type_in(&mut state, "rollback");
    let commands = press(&mut state, "enter");
    assert!(
        matches!(&commands[..], [Command::Go { permit: None, .. }]),
        "{commands:?}"
    );
}

#[test]
fn o07_a_stale_screen_refuses_a_cutover() {
    let mut state = open_window();
    let fault = Fault {
        kind: FaultKind::Unreachable,
        what: "connection refused".into(),
    };
    observe(&mut state, vec![Seen::NoPulse(fault)]);
    press(&mut state, "C");
    let screen = text(&mut state, (80, 24));
    assert!(screen.contains("Refused: current"), "{screen}");
    assert!(screen.contains("reconnect"), "{screen}");
}

#[test]
fn what_the_worker_refuses_stands_in_the_dialog_and_enter_plans_again() {
    let mut state = asked();
    let Some(Wanted {
        number,
        environment,
        ..
    }) = wanted(&state)
    else {
        panic!()
    };
    update(
        &mut state,
        Event::Heard(
            number,
            environment,
            Heard::Refused("no room on the disk".into()),
        ),
    );
    let screen = text(&mut state, (80, 24));
    assert!(
        screen.contains("Refused: no room on the disk. Enter plans again."),
        "{screen}"
    );
    assert!(press(&mut state, "enter").is_empty());
    let again = wanted(&state).unwrap();
    assert!(again.number > number, "another worker");
}

#[test]
fn the_operation_panel_at_every_size() {
    for (name, step, renewed) in [("running", Step::Watch, 3), ("orphaned", Step::Watch, 300)] {
        for size in [(60, 15), (80, 24), (120, 30)] {
            let mut state = ready();
            let plan = plan_of(&state, OperationKind::Cutover);
            flipped(&mut state, "green", "wheelhouse");
            operating(&mut state, &until(&plan, &step), renewed);
            seen!(
                format!("operation-{name}-{}x{}", size.0, size.1),
                text(&mut state, size)
            );
        }
    }
}

#[test]
fn an_operation_that_waits_for_a_person_is_bad_in_the_list_of_environments() {
    let mut state = ready();
    let at = state.selected;
    state.environments[at].is_watched = true;
    let plan = plan_of(&state, OperationKind::Cutover);
    let mut entries = until(&plan, &Step::Watch);
    operating(&mut state, &entries, 3);
    press(&mut state, "e");
    let screen = text(&mut state, (120, 30));
    assert!(!screen.contains("a person is needed"), "{screen}");
    operating(&mut state, &entries, 300);
    let screen = text(&mut state, (120, 30));
    let row = screen.lines().find(|row| row.contains("PROD    "));
    assert!(row.is_some_and(|it| it.contains("✗")), "{screen}");
    assert!(screen.contains("ORPHANED, a person is needed"), "{screen}");
    let reason = "the soak cannot be told".into();
    entries.push(entry_at(5, What::Paused { reason }));
    let paused = Seen::Records(Delta::Changes(vec![Change::Applied(record(&entries, "2"))]));
    observe(&mut state, vec![paused]);
    let screen = text(&mut state, (120, 30));
    assert!(screen.contains("PAUSED, a person is needed"), "{screen}");
}

#[test]
fn c06_hints_name_the_keys_that_the_configuration_gave() {
    let moved = [("R", "reconnect"), ("ctrl-b", "rollback"), ("A", "help")];
    let keymap = wheelhouse::app::Keymap::with(moved.into_iter()).unwrap();
    let mut state = open_window();
    state.keymap = keymap;
    let plan = plan_of(&state, OperationKind::Cutover);
    flipped(&mut state, "green", "wheelhouse");
    operating(&mut state, &until(&plan, &Step::Watch), 300);
    let screen = text(&mut state, (120, 30));
    for said in [
        ":adopt adopt  ctrl-b roll back  D abandon",
        "ctrl-b rolls back to it",
    ] {
        assert!(screen.contains(said), "{said} in {screen}");
    }
    press(&mut state, "B");
    let screen = text(&mut state, (120, 30));
    assert!(screen.contains("(:adopt), or roll back"), "{screen}");
}

#[test]
fn an_operation_is_on_the_screen_in_one_line_too() {
    let mut state = ready();
    let plan = plan_of(&state, OperationKind::Cutover);
    operating(&mut state, &until(&plan, &Step::Watch), 3);
    assert!(text(&mut state, (59, 10)).contains("| cutover: watch"));
}

#[test]
fn x08_a_selector_that_is_not_what_was_meant_is_an_alarm_that_names_who() {
    for size in [(60, 15), (80, 24), (120, 30)] {
        let mut state = ready();
        let plan = plan_of(&state, OperationKind::Cutover);
        flipped(&mut state, "blue", "helm");
        let mut entries = until(&plan, &Step::Watch);
        let reason = "REVERTED: digital-wall-service selects version=blue, by helm".into();
        entries.push(entry_at(5, What::Paused { reason }));
        operating(&mut state, &entries, 3);
        let screen = text(&mut state, size);
        assert!(screen.contains("REVERTED by helm"), "{screen}");
        seen!(format!("operation-reverted-{}x{}", size.0, size.1), screen);
        let verdict = state.estate().verdict(state.now);
        assert!(
            matches!(&verdict, Verdict::Bad(why) if why.contains("REVERTED by helm")),
            "{verdict:?}"
        );
        press(&mut state, "0");
        let screen = text(&mut state, size);
        let alarm = screen
            .lines()
            .find(|line| line.contains("REVERTED by helm"));
        let key = state.keymap.key_of(Action::Repair);
        assert!(
            alarm.is_some_and(|line| line.contains(&format!("ago: {key} repairs"))),
            "{screen}"
        );
        assert!(
            screen.contains("part=frontend  version=blue")
                && screen.to_lowercase().contains("paused"),
            "{screen}"
        );
    }
}

#[test]
fn x08_who_went_round_wheelhouse_is_named_although_the_selector_is_as_meant() {
    let mut state = ready();
    flipped(&mut state, "green", "kubectl-patch");
    assert!(text(&mut state, (120, 30)).contains("changed 1m ago by kubectl-patch"));
    // Whoever manages more than the selector may have written anything.
    let services = state.estate().services.value.iter().cloned();
    let services = services.map(|mut service| {
        service.managers[1].owns_spec = true;
        Change::Applied(service)
    });
    let changes = Seen::Services(Delta::Changes(services.collect()));
    observe(&mut state, vec![changes]);
    assert!(text(&mut state, (120, 30)).contains("written 1m ago by kubectl-patch"));
    press(&mut state, "4");
    let screen = text(&mut state, (160, 50));
    assert!(screen.contains("written by kubectl-patch"), "{screen}");
}

#[test]
fn whether_the_way_back_is_warm_and_until_when_is_on_the_screen_and_l_plans_its_end() {
    let mut state = ready();
    let at = state.selected;
    let switch = state.environments[at].estate.scope.traffic.as_mut();
    switch.unwrap().keep_warm = Some(3 * 86_400);
    flipped(&mut state, "green", "wheelhouse");
    let screen = text(&mut state, (160, 50));
    let warm = "R rolls back to it: warm 5/5, kept until ";
    assert!(screen.contains(warm), "{screen}");
    // The delay ends by the server's clock alone.
    press(&mut state, "L");
    let screen = text(&mut state, (160, 50));
    assert!(screen.contains("clock is not known"), "{screen}");
    press(&mut state, "esc");
    state.environments[at].estate.cluster.skew_ms = Some(0);
    press(&mut state, "L");
    let screen = text(&mut state, (160, 50));
    for said in [
        "CLEAN UP BLUE of production",
        "Refused: warm: kept until",
        "`wheelhouse warm release production --write --reason",
        "(H on the screen)",
    ] {
        assert!(screen.contains(said), "{said}: {screen}");
    }
    press(&mut state, "esc");
    press(&mut state, "H");
    let screen = text(&mut state, (160, 50));
    for said in [
        "HOLD BLUE OF PRODUCTION",
        "kept until",
        "held until somebody lets it go",
    ] {
        assert!(screen.contains(said), "{said}: {screen}");
    }
}

#[test]
fn i_47_what_is_said_of_a_warm_colour_is_sent_with_what_was_shown_and_void_when_that_changed() {
    let mut state = open_window();
    flipped(&mut state, "green", "wheelhouse");
    press(&mut state, "H");
    type_in(&mut state, "a demo");
    press(&mut state, "enter enter");
    pass(&mut state, 1);
    let mut held = state.clone();
    type_in(&mut state, "production");
    let commands = press(&mut state, "enter");
    let [
        Command::Operate {
            wish: operate::Wish::Warm { shown, .. },
            ..
        },
    ] = &commands[..]
    else {
        panic!("{commands:?}");
    };
    assert!(
        shown.starts_with(&format!("BLUE, left by {ID}, ")),
        "{shown}"
    );
    // A colleague holds it meanwhile.
    let services: Vec<_> = held.estate().services.value.iter().cloned().collect();
    let word = format!(
        r#"{{"at":"2026-11-23T14:01:00Z","by":"bo","why":"x","operation":"{ID}","keep":"held"}}"#
    );
    let changes = services.into_iter().map(|mut service| {
        let marks = service.marks.iter();
        let marks: Vec<_> = marks.map(|(k, v)| (k.to_string(), v.to_string())).collect();
        let mut marks: Vec<_> = marks.iter().map(|(k, v)| (&k[..], &v[..])).collect();
        marks.push((wheelhouse::ops::warm::WARM, &word));
        service.marks = labels(&marks);
        Change::Applied(service)
    });
    let changes = Seen::Services(Delta::Changes(changes.collect()));
    observe(&mut held, vec![changes]);
    let screen = text(&mut held, (120, 30));
    assert!(screen.contains("Void: what is idle was BLUE"), "{screen}");
}

#[test]
fn who_flipped_last_from_what_to_what_and_why_is_on_the_screen() {
    let mut state = ready();
    flipped(&mut state, "green", "wheelhouse");
    let screen = text(&mut state, (160, 50));
    assert!(
        screen.contains("flipped 2d ago  blue → green  by carol  cutover, release 42"),
        "{screen}"
    );
    assert!(screen.contains("R rolls back to it: warm 5/5"), "{screen}");
    press(&mut state, "0 enter");
    seen!("service-flipped-80x24", text(&mut state, (80, 24)));
}

#[test]
fn the_run_that_built_what_was_flipped_is_the_one_that_was_asked_for_then() {
    let mut state = ready();
    flipped(&mut state, "green", "wheelhouse");
    press(&mut state, "0 enter");
    // Nobody asked then: as GitHub tells now.
    let screen = text(&mut state, (120, 30));
    assert!(screen.contains("run           #1481 develop"), "{screen}");
    let name: Safe = "digital-wall-service".into();
    let mut service = state.estate().services.value.get(&name).unwrap().clone();
    let asked = Flipped {
        runs: vec!["#1477 main".into()],
        ..marks::flipped(&service).unwrap()
    };
    let asked = serde_json::to_string(&asked).unwrap();
    service.marks = service
        .marks
        .with(&marks::FLIP.into(), &asked.as_str().into());
    let told = Seen::Services(Delta::Changes(vec![Change::Applied(service)]));
    observe(&mut state, vec![told]);
    let screen = text(&mut state, (120, 30));
    assert!(screen.contains("run           #1477 main"), "{screen}");
    assert!(!screen.contains("run           #1481"), "{screen}");
    // Neither asked nor known.
    state.repository = None;
    flipped(&mut state, "green", "wheelhouse");
    let screen = text(&mut state, (120, 30));
    assert!(!screen.contains("run           #"), "{screen}");
}

/// Carol's cutover at its watch, by a worker whose credential ends in so many seconds.
fn watched_until(ends: Option<i64>) -> State {
    let mut state = ready();
    let plan = plan_of(&state, OperationKind::Cutover);
    let mut entries = until(&plan, &Step::Watch);
    if let What::Locked { credential, .. } = &mut entries[1].what {
        *credential = ends.and_then(|seconds| ago(-seconds));
    }
    flipped(&mut state, "green", "wheelhouse");
    operating(&mut state, &entries, 3);
    state
}

#[test]
fn model_2_until_when_the_workers_credential_is_valid_stands_beside_its_beat() {
    let mut state = watched_until(Some(4_080));
    let screen = text(&mut state, (160, 50));
    assert!(
        screen.contains("· worker carol@bastion-2 · beat 3s · credential until 15:10Z ─"),
        "{screen}"
    );
    assert!(!screen.contains("nobody guards it"), "{screen}");
    press(&mut state, "5");
    let screen = text(&mut state, (80, 24));
    assert!(screen.contains("credential    until 15:10Z"), "{screen}");
    let screen = text(&mut watched_until(None), (160, 50));
    assert!(!screen.contains("credential"), "{screen}");
}

#[test]
fn model_2_a_credential_that_ends_before_the_soak_can_is_loud() {
    // 20 of 30 s are watched.
    for (ends, is_loud) in [(5, true), (10, true), (11, false)] {
        let mut state = watched_until(Some(ends));
        let screen = text(&mut state, (80, 24));
        assert_eq!(
            screen.contains("! its credential ends 14:02Z, before the soak ends"),
            is_loud,
            "{ends}: {screen}"
        );
    }
    let mut state = watched_until(Some(5));
    seen!("operation-credential-80x24", text(&mut state, (80, 24)));
    press(&mut state, "5");
    let screen = text(&mut state, (120, 30));
    assert!(
        screen.contains("credential    ! until 14:02Z, before the soak ends"),
        "{screen}"
    );
    let screen = text(&mut watched_until(Some(-60)), (80, 24));
    assert!(
        screen.contains("! its credential ends 14:01Z, which is over"),
        "{screen}"
    );
}

#[test]
fn after_a_release_the_way_back_is_on_the_screen_as_after_a_cutover() {
    let mut state = ready();
    flipped_by(&mut state, "green", "wheelhouse", "release");
    let screen = text(&mut state, (160, 50));
    assert!(screen.contains("R rolls back to it: warm 5/5"), "{screen}");
}

#[test]
fn an_operation_that_is_over_shrinks_to_a_line_and_goes() {
    for size in [(60, 15), (80, 24), (120, 30)] {
        let mut state = ready();
        let plan = plan_of(&state, OperationKind::Cutover);
        let done = over(
            until(&plan, &Step::Restore),
            Outcome::Done,
            "GREEN is live on digital-wall-service",
        );
        operating(&mut state, &done, 300);
        seen!(
            format!("operation-closed-{}x{}", size.0, size.1),
            text(&mut state, size)
        );
        if size == (80, 24) {
            press(&mut state, "5");
            seen!("operation-80x24", text(&mut state, size));
            press(&mut state, "esc");
            pass(&mut state, 400);
            let at = Some(state.now.wall);
            observe(&mut state, vec![Seen::Pulse { server: at }]);
            assert!(
                text(&mut state, size).contains("none; the last: cutover by carol, done 6m ago")
            );
        }
    }
}

#[test]
fn p10_a_record_of_a_newer_version_is_said_and_never_acted_on() {
    let mut state = open_window();
    let plan = plan_of(&state, OperationKind::Cutover);
    let mut newer = record(&until(&plan, &Step::Watch), "1");
    newer.data.insert("schema".to_owned(), Arc::from("9"));
    observe(
        &mut state,
        vec![Seen::Records(Delta::Changes(vec![Change::Applied(newer)]))],
    );
    let screen = text(&mut state, (120, 30));
    assert!(
        screen.contains("is of version 9; this program knows 1"),
        "{screen}"
    );
    press(&mut state, "B");
    assert!(!is_open(&state), "there is nothing to abort");
}

#[test]
fn records_that_may_not_be_read_are_said_to_be_unknown() {
    let mut state = ready();
    let fault = Fault {
        kind: FaultKind::Forbidden,
        what: "configmaps: forbidden to list".into(),
    };
    observe(&mut state, vec![Seen::Failed(Kind::Records, fault)]);
    let screen = text(&mut state, (120, 30));
    assert!(
        screen.contains("UNKNOWN: configmaps: forbidden to list"),
        "{screen}"
    );
}

#[test]
fn p09_another_cockpit_sees_the_same_operation_and_is_refused_a_second_one() {
    let mut state = open_window();
    let plan = plan_of(&state, OperationKind::Cutover);
    operating(&mut state, &until(&plan, &Step::Hold), 2);
    press(&mut state, "C");
    let screen = text(&mut state, (80, 24));
    assert!(
        screen.contains("Refused: lock: digital-wall-service is held by"),
        "{screen}"
    );
    assert_eq!(wanted(&state), None, "no second worker");
}

/// Production in which a critical alert fires for GREEN.
fn alarmed() -> State {
    let mut state = open_window();
    observe(&mut state, alarm());
    state
}

/// A critical alert begins to fire for GREEN.
fn alarm() -> Vec<Seen> {
    use wheelhouse::estate::alerts::AlertsSeen;
    let mut alarm = Vec::new();
    for seen in alerts() {
        let Seen::Alerts(AlertsSeen::Rules(mut rules)) = seen else {
            continue;
        };
        let rule = &mut rules.rules[1];
        rule.name = "HighErrorRate".into();
        rule.labels = labels(&[("severity", "critical")]);
        rule.alerts[0].labels = labels(&[
            ("alertname", "HighErrorRate"),
            ("severity", "critical"),
            ("colour", "green"),
            ("service", "backend"),
        ]);
        rule.alerts[0].value = "3.3819241982507287e-01".into();
        alarm.push(Seen::Alerts(AlertsSeen::Rules(rules)));
    }
    alarm
}

#[test]
fn m05_an_alert_that_begins_to_fire_while_it_is_confirmed_stops_it_and_the_way_on_is_said() {
    let mut state = asked();
    type_in(&mut state, word());
    observe(&mut state, alarm());
    let screen = text(&mut state, (120, 40));
    for part in [
        "Refused: alert:HighErrorRate: fires: critical GREEN",
        "Esc, then C: there a reason passes",
    ] {
        assert!(screen.contains(part), "{part} in {screen}");
    }
    assert!(press(&mut state, "enter").is_empty(), "it was not meant so");
}

#[test]
fn an_alert_that_stops_a_cutover_is_named_and_overridden_with_a_reason_of_its_own() {
    let mut state = alarmed();
    press(&mut state, "C");
    let gate: Safe = "alert:HighErrorRate".into();
    let overrides = wanted(&state).unwrap().request.overrides;
    assert!(overrides.keys().eq([&gate]), "{overrides:?}");
    let screen = text(&mut state, (80, 24));
    for part in [
        "HighErrorRate fires: critical GREEN backend",
        "value 0.3382",
    ] {
        assert!(screen.contains(part), "{part} in {screen}");
    }
    seen!("plan-alert-80x24".to_owned(), screen);
    type_in(&mut state, "release 42");
    press(&mut state, "enter enter");
    let screen = text(&mut state, (80, 24));
    assert!(screen.contains("override must not be empty"), "{screen}");
    type_in(&mut state, "known");
    press(&mut state, "enter");
    pass(&mut state, 1);
    type_in(&mut state, word());
    let commands = press(&mut state, "enter");
    let [Command::Go { overridden, .. }] = &commands[..] else {
        panic!("{commands:?}")
    };
    assert_eq!(overridden.as_deref(), Some("known"));
}

#[test]
fn a_run_that_waits_for_githubs_reviewers_is_in_the_list_of_approvals() {
    let mut state = open_window();
    let plan = plan_of(&state, OperationKind::Cutover);
    let mut entries = until(&plan, &Step::Watch);
    let reason = "WAITS GitHub's reviewers of run 77: https://github.example/runs/77".into();
    entries.push(entry_at(5, What::Paused { reason }));
    operating(&mut state, &entries, 3);
    press(&mut state, "6");
    let screen = text(&mut state, (120, 30));
    assert!(screen.contains("GitHub's reviewers of run 77"), "{screen}");
    assert!(
        !screen.contains("nothing waits for an approval"),
        "{screen}"
    );
}

#[test]
fn without_a_prometheus_a_gate_is_overridden_all_the_same() {
    let mut state = open_window();
    let selected = state.selected;
    state.environments[selected].estate.alerts = None;
    let name: Safe = "digital-wall-green-backend".into();
    let mut deployment = state.estate().deployments.value.get(&name).unwrap().clone();
    (deployment.desired, deployment.replicas, deployment.updated) = (1, 1, 1);
    (deployment.ready, deployment.available) = (1, 1);
    // No autoscaler may bring up the rest.
    let scalers = state.estate().autoscalers.value.iter();
    let mut scalers: Vec<Autoscaler> = scalers.filter(|it| it.target == name).cloned().collect();
    scalers.iter_mut().for_each(|it| it.max = 1);
    let scalers = scalers.into_iter().map(Change::Applied).collect();
    let seen = [
        Seen::Deployments(Delta::Changes(vec![Change::Applied(deployment)])),
        Seen::Autoscalers(Delta::Changes(scalers)),
    ];
    observe(&mut state, seen.into());
    press(&mut state, "C");
    let overrides = wanted(&state).unwrap().request.overrides;
    assert!(
        overrides.keys().eq([&Safe::from("capacity")]),
        "{overrides:?}"
    );
    let screen = text(&mut state, (80, 24));
    assert!(screen.contains("override"), "{screen}");
}

#[test]
fn what_can_not_be_overridden_is_refused_whatever_fires_beside_it() {
    let mut state = alarmed();
    let mut deployment = (state.estate().deployments.value)
        .get(&Safe::from("digital-wall-green-backend"))
        .unwrap()
        .clone();
    deployment.observed_generation -= 1;
    let seen = Seen::Deployments(Delta::Changes(vec![Change::Applied(deployment)]));
    observe(&mut state, vec![seen]);
    press(&mut state, "C");
    assert_eq!(wanted(&state), None);
    assert!(text(&mut state, (120, 40)).contains("Refused: alert:HighErrorRate"));
}

#[test]
fn i_34_a_soak_that_holds_for_a_person_shouts_and_names_the_three_ways() {
    let mut state = ready();
    let plan = plan_of(&state, OperationKind::Cutover);
    flipped(&mut state, "green", "wheelhouse");
    let mut entries = until(&plan, &Step::Watch);
    let reason = "HELD: HighErrorRate fires: critical GREEN since 14:01Z, value 0.34; traffic stays until a person decides: abort, roll back, or abandon".into();
    entries.push(entry_at(5, What::Paused { reason }));
    operating(&mut state, &entries, 3);
    let screen = text(&mut state, (80, 24));
    for part in [
        "paused: HELD: HighErrorRate",
        "B abort",
        "R roll back",
        "D abandon",
    ] {
        assert!(screen.contains(part), "{part} in {screen}");
    }
    seen!("operation-held-80x24".to_owned(), screen);
}

#[test]
fn i_25_a_soak_that_cannot_be_told_says_that_no_second_counts_and_why() {
    use wheelhouse::estate::alerts::AlertsSeen;
    let mut state = ready();
    let plan = plan_of(&state, OperationKind::Cutover);
    flipped(&mut state, "green", "wheelhouse");
    let away = Fault {
        kind: FaultKind::Unreachable,
        what: "connection refused".into(),
    };
    observe(
        &mut state,
        vec![Seen::Alerts(AlertsSeen::RulesFailed(away))],
    );
    operating(&mut state, &until(&plan, &Step::Watch), 3);
    let screen = text(&mut state, (80, 24));
    let said = "watched 17 of 30 s, none counts now: monitoring: connection refused";
    assert!(screen.contains(said), "by its worker's count: {screen}");
}

#[test]
fn i_25_no_second_after_the_last_word_of_a_worker_that_is_gone_is_shown_as_watched() {
    let mut state = ready();
    let plan = plan_of(&state, OperationKind::Cutover);
    flipped(&mut state, "green", "wheelhouse");
    let mut entries = until(&plan, &Step::Watch);
    entries.last_mut().unwrap().at = ago(58).unwrap();
    // Its worker was killed right after it said that 17 seconds counted.
    for (age, said) in [(3, "20 of 30"), (9, "26 of 30"), (55, "27 of 30")] {
        operating(&mut state, &entries, age);
        let screen = text(&mut state, (80, 24));
        let said = format!("watched {said} s");
        assert!(screen.contains(&said), "{said} in {screen}");
    }
}

#[test]
fn i_26_the_seconds_of_a_soak_never_go_back_while_its_leases_are_renewed_one_after_the_other() {
    let mut state = ready();
    let plan = plan_of(&state, OperationKind::Cutover);
    flipped(&mut state, "green", "wheelhouse");
    operating(&mut state, &until(&plan, &Step::Watch), 8);
    let screen = text(&mut state, (80, 24));
    let said = "watched 25 of 30 s";
    assert!(screen.contains(said), "{screen}");
    // The first of the two says it already, the other not yet.
    let mut renewed = lease("digital-wall-api", 0);
    renewed.marks = labels(&[(marks::OPERATION, ID), (marks::WATCHED, "25")]);
    let change = Delta::Changes(vec![Change::Applied(renewed)]);
    observe(&mut state, vec![Seen::Leases(change)]);
    let screen = text(&mut state, (80, 24));
    assert!(screen.contains(said), "{screen}");
}

#[test]
fn a_release_at_every_size_shows_where_it_is_and_what_it_waits_for() {
    for size in [(60, 15), (80, 24), (120, 30)] {
        let mut state = ready();
        let mut plan = plan_of(&state, OperationKind::Cutover);
        plan.kind = OperationKind::Release;
        plan.rolls = vec!["digital-wall-green-frontend".into()];
        let flips = plan.flips.iter();
        plan.keeps = flips.map(|f| (f.service.clone(), f.from.clone())).collect();
        let mut entries = until(&plan, &Step::Plan);
        let reason = "WAITS a cutover of production to GREEN waits for one other person";
        let reason = reason.into();
        entries.push(entry_at(10, What::Paused { reason }));
        operating(&mut state, &entries, 3);
        let screen = text(&mut state, size);
        assert!(screen.contains("waits: a cutover of"), "{screen}");
        // Nothing is flipped: an abort is the way out.
        assert!(!screen.contains("R roll back"), "{screen}");
        if size.0 >= 80 {
            assert!(screen.contains("6 approvals  B abort"), "{screen}");
        }
        seen!(format!("release-waits-{}x{}", size.0, size.1), screen);

        let mut state = ready();
        operating(&mut state, &until(&plan, &Step::Watch), 3);
        let screen = text(&mut state, size);
        // Where there is no room for all steps, the one that it is at is shown.
        if size.0 >= 80 {
            assert!(screen.contains("watch ▶"), "{screen}");
            assert!(screen.contains("R roll back"), "{screen}");
        }
    }
}

#[test]
fn a_rule_that_cannot_be_evaluated_and_targets_that_are_down_are_sentences_on_the_panel() {
    use wheelhouse::estate::alerts::{AlertsSeen, Targets};
    let mut state = ready();
    let mut rules = state.estate().alerts.as_ref().unwrap().rules.value.clone();
    let rule = rules.rules.last_mut().unwrap();
    rule.health = "err".into();
    rule.error = Some("parse error: unexpected end of input".into());
    let name = rule.name.clone();
    let down = (
        "backend".into(),
        "10.0.0.9:8000".into(),
        "connection refused".into(),
    );
    let targets = Targets {
        up: 3,
        down: vec![down],
    };
    observe(
        &mut state,
        vec![
            Seen::Alerts(AlertsSeen::Rules(rules)),
            Seen::Alerts(AlertsSeen::Targets(targets)),
        ],
    );
    let screen = text(&mut state, (160, 50));
    for said in [
        format!("rule {name} cannot be evaluated: parse error"),
        "1 of 4 targets down: backend 10.0.0.9:8000: connection".into(),
    ] {
        assert!(screen.contains(&said), "{said}: {screen}");
    }
}
