//! Approvals on the screen: what waits, the list of it, the plans of asking, approving and rejecting.

use std::collections::BTreeMap;
use std::sync::Arc;

use wheelhouse::app::operate::{Heard, Wish, wanted};
use wheelhouse::app::{Command, Event, Look, Overlay, State, update};
use wheelhouse::estate::*;
use wheelhouse::ops::approval::{Decision, PREFIX, Paper};
use wheelhouse::ops::{OperationKind, kept};

use super::operations::{open_window, plan_of, type_in};
use super::text;
use crate::world::*;

const ASKED: &str = "01jdsx0000abcdefghjkmnpqrs";

/// Production with GREEN whole, where one other person is asked for, and a window for changes.
fn asking() -> State {
    let mut state = open_window();
    let production = state.selected;
    state.environments[production].estate.scope.approval.by = Approver::Other;
    let server = Some(wall());
    observe(&mut state, vec![Seen::Pulse { server }]);
    state
}

/// What dave asked for, of what would go live now.
fn asked(state: &State) -> Paper {
    let mut free = state.clone();
    let production = free.selected;
    free.environments[production].estate.scope.approval.by = Approver::Nobody;
    let plan = plan_of(&free, OperationKind::Cutover);
    Paper {
        id: ASKED.into(),
        decision: Decision::Asked,
        request: ASKED.into(),
        author: "dave".into(),
        seat: "dave@bastion-1".into(),
        requester: "dave".into(),
        environment: "production".into(),
        namespace: "production".into(),
        colour: "green".into(),
        plan: plan.bound,
        runs: "frontend 9b1e07d, backend 9b1e07d".into(),
        overrides: [("alert:HighErrorRate".into(), "the exporter lies".into())].into(),
        reason: "v42 is due".into(),
        created: ago(600).unwrap(),
        expires: ago(-3_000).unwrap(),
        version: ("u".into(), "1".into()),
        since: ago(600).unwrap(),
    }
}

fn tell(state: &mut State, paper: &Paper) {
    let data: BTreeMap<String, Arc<str>> = (paper.data().into_iter())
        .map(|(key, value)| (key.to_owned(), value.into()))
        .collect();
    let record = Record {
        name: format!("{PREFIX}{}", paper.id).into(),
        uid: "u".into(),
        resource_version: "1".into(),
        created: Some(paper.since),
        deleting: None,
        labels: labels(&[
            (mark::RECORD, mark::OF_APPROVAL),
            (kept::NAMESPACE, "production"),
        ]),
        data,
    };
    observe(
        state,
        vec![Seen::Records(Delta::Changes(vec![Change::Applied(record)]))],
    );
}

/// The same where dave's request waits.
fn waiting() -> State {
    let mut state = asking();
    let paper = asked(&state);
    tell(&mut state, &paper);
    state
}

fn decided(state: &mut State, decision: Decision) {
    let paper = Paper {
        id: "01jdsx0000abcdefghjkmnpqrt".into(),
        decision,
        author: "erin".into(),
        reason: "read the diff".into(),
        ..asked(state)
    };
    tell(state, &paper);
}

#[test]
fn what_waits_stands_under_traffic_and_in_a_list_of_every_environment() {
    let mut state = waiting();
    for (columns, rows) in [(80, 24), (160, 50)] {
        let size = (columns, rows);
        seen!(
            format!("approval-waits-{columns}x{rows}"),
            text(&mut state, size)
        );
        press(&mut state, "6");
        seen!(
            format!("approvals-{columns}x{rows}"),
            text(&mut state, size)
        );
        press(&mut state, "esc");
    }
    for size in [(60, 15), (40, 5), (20, 5)] {
        press(&mut state, "6");
        text(&mut state, size);
        press(&mut state, "esc");
    }
    decided(&mut state, Decision::Approved);
    let screen = text(&mut state, (120, 30));
    assert!(!screen.contains("APPROVAL waits"), "{screen}");
    press(&mut state, "6");
    let screen = text(&mut state, (120, 30));
    assert!(screen.contains("approved by erin until"), "{screen}");
}

#[test]
fn an_empty_list_says_so_and_its_keys_do_nothing() {
    let mut state = asking();
    press(&mut state, "6");
    let screen = text(&mut state, (80, 24));
    assert!(screen.contains("nothing waits for an approval"), "{screen}");
    for key in ["Y", "J", "enter"] {
        press(&mut state, &format!("6 {key}"));
        assert!(!matches!(state.overlay, Some(Overlay::Plan(_))), "{key}");
    }
    // Nor where no list is open: they are about what its cursor is on.
    press(&mut state, "esc J");
    assert!(!matches!(state.overlay, Some(Overlay::Plan(_))));
}

#[test]
fn the_key_of_a_cutover_says_who_is_waited_for_and_no_worker_is_started() {
    let mut state = asking();
    press(&mut state, "C");
    let screen = text(&mut state, (120, 30));
    assert!(
        screen.contains("Refused: approval: one other person's is needed"),
        "{screen}"
    );
    assert!(screen.contains("6 shows what waits"), "{screen}");
    assert_eq!(wanted(&state), None);
    let request = asked(&state);
    tell(&mut state, &request);
    // X05: the dialog that is open says so when it is approved.
    decided(&mut state, Decision::Approved);
    let screen = text(&mut state, (120, 30));
    assert!(screen.contains("by erin until"), "{screen}");
    assert!(wanted(&state).is_some(), "a worker, who asks for itself");
    press(&mut state, "esc R");
    let screen = text(&mut state, (120, 30));
    assert!(
        screen.contains("ROLL BACK") && !screen.contains("✗ approval"),
        "a rollback is free: {screen}"
    );
}

#[test]
fn w_plans_a_request_that_needs_a_reason_and_the_typed_name() {
    let mut state = open_window();
    press(&mut state, "W");
    let notice = state.notice.as_ref().unwrap();
    assert!(notice.text.contains("nobody's approval"), "{}", notice.text);
    let mut state = asking();
    press(&mut state, "W");
    seen!("approval-request-80x24", text(&mut state, (80, 24)));
    press(&mut state, "enter enter");
    assert!(text(&mut state, (80, 24)).contains("reason must not be empty"));
    type_in(&mut state, "v42 is due");
    press(&mut state, "enter");
    pass(&mut state, 1);
    type_in(&mut state, "production");
    let commands = press(&mut state, "enter");
    assert!(
        matches!(&commands[..], [Command::Operate { wish: Wish::AskApproval { to, bound }, reason, permit: Some(_), .. }]
            if reason.as_str() == "v42 is due" && to.as_str() == "green" && !bound.is_empty()),
        "{commands:?}"
    );
}

#[test]
fn i_49_nothing_is_asked_for_while_another_gate_is_closed() {
    let mut state = full(Look::default());
    let production = state.selected;
    state.environments[production].estate.scope.approval.by = Approver::Other;
    press(&mut state, "W");
    let screen = text(&mut state, (120, 30));
    assert!(
        screen.contains("Refused: match") || screen.contains("Refused: ready"),
        "{screen}"
    );
}

#[test]
fn y_approves_and_n_rejects_what_the_cursor_is_on_with_a_reason_and_the_typed_name() {
    for (key, decision) in [("Y", Decision::Approved), ("J", Decision::Rejected)] {
        let mut state = waiting();
        press(&mut state, &format!("6 {key}"));
        let word = decision.word();
        let small = text(&mut state, (60, 15));
        let who = "dave asks: BLUE → GREEN  4f2a91c → 9b1e07d";
        assert_eq!(
            small.contains(who),
            decision == Decision::Approved,
            "{small}"
        );
        seen!(format!("approval-{word}-80x24"), text(&mut state, (80, 24)));
        type_in(&mut state, "read the diff");
        press(&mut state, "enter");
        pass(&mut state, 1);
        assert!(type_in(&mut state, "production").is_empty());
        let commands = press(&mut state, "enter");
        let [
            Command::Operate {
                number,
                environment,
                wish,
                reason,
                ..
            },
        ] = &commands[..]
        else {
            panic!("{commands:?}");
        };
        let id = ASKED.into();
        assert_eq!(*wish, Wish::Decide { id, decision });
        assert_eq!(reason.as_str(), "read the diff");
        // Who we are only the API knows: what it says stands in the dialog.
        let why = "dave asked for it and may not approve it".into();
        let heard = Event::Heard(*number, *environment, Heard::Refused(why));
        update(&mut state, heard);
        let screen = text(&mut state, (80, 24));
        assert!(screen.contains("Refused: dave asked for it"), "{screen}");
    }
}

#[test]
fn i_13_a_new_revision_voids_what_waits_and_the_plan_that_is_open() {
    let mut state = waiting();
    press(&mut state, "6 Y");
    type_in(&mut state, "read the diff");
    press(&mut state, "enter");
    pass(&mut state, 1);
    let mut pod = (state.estate().pods.value.iter())
        .find(|pod| pod.name.contains("green-frontend"))
        .cloned()
        .unwrap();
    pod.labels = pod
        .labels
        .with(&"pod-template-hash".into(), &"another".into());
    let change = vec![Change::Applied(pod)];
    observe(&mut state, vec![Seen::Pods(Delta::Changes(change))]);
    type_in(&mut state, "production");
    assert!(press(&mut state, "enter").is_empty(), "it is void");
    let screen = text(&mut state, (120, 30));
    assert!(
        screen.contains("another revision, or another flip"),
        "{screen}"
    );
    press(&mut state, "esc 6");
    let screen = text(&mut state, (120, 30));
    assert!(screen.contains("void: another revision"), "{screen}");
}

#[test]
fn i_48_what_was_rejected_meanwhile_is_not_approved() {
    let mut state = waiting();
    press(&mut state, "6 Y");
    decided(&mut state, Decision::Rejected);
    let screen = text(&mut state, (120, 30));
    assert!(
        screen.contains("Refused: it was rejected by erin"),
        "{screen}"
    );
    press(&mut state, "esc 6");
    let screen = text(&mut state, (120, 30));
    assert!(screen.contains("nothing waits for an approval"), "{screen}");
}

#[test]
fn who_asked_approved_and_rejected_stands_in_the_timeline() {
    let mut state = waiting();
    decided(&mut state, Decision::Approved);
    press(&mut state, "4");
    let screen = text(&mut state, (160, 50));
    for part in [
        "cutover to GREEN approved: read the diff",
        "by erin",
        "waits for an approval: v42",
    ] {
        assert!(screen.contains(part), "{part:?} in\n{screen}");
    }
}

#[test]
fn x05_an_approval_that_comes_while_the_plan_is_open_is_seen_in_it() {
    let mut state = waiting();
    press(&mut state, "C");
    let screen = text(&mut state, (120, 40));
    assert!(screen.contains("Refused: "), "{screen}");
    decided(&mut state, Decision::Approved);
    let screen = text(&mut state, (120, 40));
    assert!(
        !screen.contains("Refused: ") && screen.contains("by erin until"),
        "{screen}"
    );
}
