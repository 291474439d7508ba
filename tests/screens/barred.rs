//! Keys that would be refused: dim in help and palette, with the reason; and beside the idle colour, what bars it.

use std::collections::BTreeMap;

use ratatui::style::Modifier;
use wheelhouse::app::{Look, Overlay, State};
use wheelhouse::estate::*;
use wheelhouse::ops::{OperationKind, Step};

use super::freeze::freeze;
use super::operations::{mend, open_window, operating, plan_of, until};
use super::{drawn, rows, text};
use crate::world::*;

/// The line of the idle colour.
fn idle(state: &mut State, size: (u16, u16)) -> String {
    let screen = text(state, size);
    let line = screen.lines().find(|line| line.contains("○ idle"));
    line.unwrap_or_else(|| panic!("{screen}")).to_owned()
}

/// The line of the help that says `name`, and whether it is dim.
fn helped(state: &mut State, name: &str) -> (String, bool) {
    press(state, "?");
    let buffer = drawn(state, (160, 80));
    press(state, "esc");
    let rows = rows(&buffer);
    let name = format!("  :{name} ");
    let y = rows.iter().position(|row| row.contains(&name));
    let y = y.unwrap_or_else(|| panic!("no {name} in {rows:?}"));
    // The last letter of what it does.
    let end = rows[y].find(&name).unwrap();
    let x = rows[y][..end].chars().count() - 1;
    let cell = &buffer[(u16::try_from(x).unwrap(), u16::try_from(y).unwrap())];
    (rows[y].clone(), cell.modifier.contains(Modifier::DIM))
}

/// The palette's line of `name`.
fn offered(state: &mut State, name: &str) -> String {
    press(state, ":");
    super::operations::type_in(state, name);
    let screen = text(state, (80, 24));
    press(state, "esc");
    let line = screen
        .lines()
        .find(|line| line.contains(&format!("║ {name} ")));
    line.unwrap_or_else(|| panic!("{screen}")).to_owned()
}

/// GREEN is whole, and the alerts that fire for it are gates.
fn alarmed() -> State {
    let mut state = open_window();
    let production = state.selected;
    let alerts = state.environments[production].estate.alerts.as_mut();
    alerts.unwrap().scope.gates.alerts = vec![gates::Fit(BTreeMap::from([(
        "alertname".into(),
        vec!["HighResponseTime".into()],
    )]))];
    state
}

#[test]
fn what_may_be_done_is_not_dim_and_says_no_reason() {
    let mut state = open_window();
    assert!(idle(&mut state, (160, 50)).contains("C cuts over to it"));
    for name in ["cutover", "rollback", "deploy", "release", "freeze"] {
        let (said, is_dim) = helped(&mut state, name);
        assert!(!is_dim, "{name}: {said}");
        assert!(!offered(&mut state, name).contains(" ! "), "{name}");
    }
    let (said, is_dim) = helped(&mut state, "abort");
    assert!(
        is_dim && said.contains("! no operation is under way"),
        "{said}"
    );
}

#[test]
fn k02_the_keys_of_silences_say_so_where_the_api_server_lets_nobody_through_to_alertmanager() {
    let mut state = open_window();
    let asked = |need, of: &str, verdict| Granted {
        need,
        of: of.into(),
        verdict,
    };
    let of = "create services/proxy alertmanager:9093 in monitoring";
    let no = || Verdict::Bad("no RBAC policy matched".into());
    let rights = vec![
        asked(Need::Silences, of, no()),
        asked(Need::Expires, "delete", Verdict::Ok),
    ];
    observe(&mut state, vec![Seen::Rights(rights)]);
    for (name, is_barred) in [
        ("silence", true),
        ("extend-silence", true),
        ("expire-silence", false),
        ("cutover", false),
    ] {
        let (said, is_dim) = helped(&mut state, name);
        assert_eq!(
            (is_dim, said.contains("! you may not create services/proxy")),
            (is_barred, is_barred),
            "{said}"
        );
    }
    press(&mut state, "3 S");
    let screen = text(&mut state, (120, 30));
    assert!(
        screen.contains("Refused: you may not create services/proxy alertmanager:9093 in"),
        "{screen}"
    );
    press(&mut state, "esc");
    // One of two replicas lets us through, or nobody can tell: the act itself will.
    for other in [Verdict::Ok, Verdict::Unknown("no answer".into())] {
        let rights = vec![
            asked(Need::Silences, of, no()),
            asked(Need::Silences, of, other),
        ];
        observe(&mut state, vec![Seen::Rights(rights)]);
        let (said, is_dim) = helped(&mut state, "silence");
        assert!(!is_dim, "{said}");
    }
}

#[test]
fn o07_read_only_is_said_of_what_would_change_something_and_not_of_a_rollback() {
    let mut state = full(Look::default());
    mend(&mut state);
    assert!(idle(&mut state, (160, 50)).contains("C cut over: read-only: :write 15m"));
    assert!(idle(&mut state, (80, 24)).contains("C read-only"));
    for name in ["cutover", "deploy", "release", "silence", "freeze"] {
        let (said, is_dim) = helped(&mut state, name);
        assert!(is_dim && said.contains("! read-only: :write 15m"), "{said}");
        let line = offered(&mut state, name);
        assert!(line.contains("! read-only: :write 15m"), "{line}");
    }
    for name in ["rollback", "help"] {
        let (said, is_dim) = helped(&mut state, name);
        assert!(!is_dim && !said.contains("read-only"), "{said}");
    }
    press(&mut state, "C");
    assert!(
        matches!(state.overlay, Some(Overlay::Plan(_))),
        "the dialog explains"
    );
}

#[test]
fn a_firing_alert_that_is_a_gate_bars_a_cutover_by_its_name() {
    let mut state = alarmed();
    let line = idle(&mut state, (160, 50));
    assert!(
        line.contains("C cut over: HighResponseTime fires"),
        "{line}"
    );
    let line = idle(&mut state, (80, 24));
    assert!(line.contains("C alert fires"), "{line}");
    let (said, is_dim) = helped(&mut state, "cutover");
    assert!(
        is_dim && said.contains("! alert:HighResponseTime: "),
        "{said}"
    );
    assert!(offered(&mut state, "cutover").contains("! HighResponseTime fires"));
    // It is asked before the flip alone.
    assert!(!offered(&mut state, "deploy").contains(" ! "));
}

#[test]
fn i_44_a_freeze_bars_what_moves_forward() {
    let mut state = open_window();
    freeze(&mut state, "carol", "sale", None);
    for name in ["cutover", "deploy", "release"] {
        let (said, is_dim) = helped(&mut state, name);
        assert!(
            is_dim && said.contains("! freeze: frozen by carol"),
            "{said}"
        );
        assert!(offered(&mut state, name).contains("! frozen"), "{name}");
    }
    assert!(idle(&mut state, (80, 24)).contains("C frozen"));
    for name in ["rollback", "break-glass", "thaw"] {
        let (said, is_dim) = helped(&mut state, name);
        assert!(!is_dim, "{said}");
    }
}

#[test]
fn pods_that_are_not_ready_bar_a_cutover_and_a_deploy_to_them_does_not_stand_in_its_way() {
    let mut state = full(Look::default());
    press(&mut state, ": w r i t e space 1 5 m enter");
    let line = idle(&mut state, (160, 50));
    assert!(line.contains("C cut over: not ready 4/5"), "{line}");
    let (said, is_dim) = helped(&mut state, "cutover");
    assert!(is_dim && said.contains("! ready: "), "{said}");
    assert!(offered(&mut state, "cutover").contains("! not ready 4/5"));
    let (said, is_dim) = helped(&mut state, "deploy");
    assert!(!is_dim, "{said}");
}

#[test]
fn a_rollout_that_is_not_done_is_not_called_ready_though_all_pods_are() {
    let mut state = open_window();
    let name: Safe = "digital-wall-green-backend".into();
    let mut deployment = state.estate().deployments.value.get(&name).unwrap().clone();
    deployment.updated = 1;
    let change = Change::Applied(deployment);
    observe(
        &mut state,
        vec![Seen::Deployments(Delta::Changes(vec![change]))],
    );
    for size in [(80, 24), (120, 30), (160, 50), (200, 50)] {
        let line = idle(&mut state, size);
        assert!(!line.contains("C ready"), "{line}");
    }
    let line = idle(&mut state, (200, 50));
    assert!(
        line.contains("C cut over: not ready: digital-wall"),
        "{line}"
    );
    assert!(offered(&mut state, "cutover").contains("! not ready: "));
}

#[test]
fn help_says_a_reason_whole_at_every_size() {
    let mut state = full(Look::default());
    press(&mut state, ": w r i t e space 1 5 m enter ?");
    for size in [(80, 60), (160, 80)] {
        let screen = text(&mut state, size);
        let words = "! ready: digital-wall-green-backend";
        let from = screen.find(words).unwrap_or_else(|| panic!("{screen}"));
        let part: String = screen[from..].chars().take(300).collect();
        assert!(!part.lines().next().unwrap().contains('…'), "{part}");
    }
}

#[test]
fn an_operation_that_is_under_way_bars_the_next_one_but_for_a_rollback() {
    let mut state = open_window();
    let plan = plan_of(&state, OperationKind::Cutover);
    let entries = until(&plan, &Step::Hold);
    operating(&mut state, &entries, 3);
    let line = idle(&mut state, (160, 50));
    assert!(
        line.contains("C cut over: an operation is under way"),
        "{line}"
    );
    assert!(offered(&mut state, "deploy").contains("! an operation is under way"));
    for name in ["rollback", "abort"] {
        let (said, is_dim) = helped(&mut state, name);
        assert!(!is_dim, "{said}");
    }
    let (said, is_dim) = helped(&mut state, "adopt");
    assert!(
        is_dim && said.contains("! carol@bastion-2/boot/1 carries it out"),
        "{said}"
    );
}

#[test]
fn an_approval_that_is_missing_bars_a_cutover() {
    let mut state = open_window();
    let production = state.selected;
    state.environments[production].estate.scope.approval.by = Approver::Other;
    let line = idle(&mut state, (160, 50));
    assert!(
        line.contains("C cut over: an approval is missing"),
        "{line}"
    );
}

#[test]
fn the_help_and_the_palette_of_a_barred_environment() {
    let mut state = full(Look::default());
    press(&mut state, "?");
    for (columns, rows) in [(80, 24), (160, 50)] {
        seen!(
            format!("help-barred-{columns}x{rows}"),
            text(&mut state, (columns, rows))
        );
    }
    press(&mut state, "esc : r e");
    seen!("palette-barred-80x24", text(&mut state, (80, 24)));
}

/// As many pods of somebody else as make the estate a large one.
fn crowd(state: &mut State) {
    let pods = (0..600).map(|n| {
        let mut pod = ill_pod();
        pod.name = format!("crowd-{n}").into();
        pod.labels = labels(&[("part", "crowd")]);
        pod.ready = true;
        Change::Applied(pod)
    });
    observe(state, vec![Seen::Pods(Delta::Changes(pods.collect()))]);
}

#[test]
fn a_small_estate_is_asked_for_every_frame_and_a_large_one_once_a_second() {
    let said = |state: &mut State| text(state, (120, 30)).contains("C cut over: not ready 4/5");
    let mut state = full(Look::default());
    assert!(said(&mut state));
    mend(&mut state);
    assert!(!said(&mut state), "at once");
    let mut state = full(Look::default());
    crowd(&mut state);
    assert!(said(&mut state));
    mend(&mut state);
    assert!(said(&mut state), "as it was asked");
    pass(&mut state, 1);
    assert!(!said(&mut state), "a second later");
}
