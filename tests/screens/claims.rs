//! What the screen claims is so: it names what it does not know, and what was done has one name and one doer.

use serde_json::json;
use wheelhouse::app::operate::{Heard, hear};
use wheelhouse::app::{Action, Demo, Event, Look, State, update};
use wheelhouse::estate::*;
use wheelhouse::ops::marks::{self, Flipped};
use wheelhouse::ops::{Entry, Next, Operation, OperationKind, Outcome, Plan, Step, What, patch};

use super::operations::{
    ID, entry_at, mend, open_window, operating, over, plan_of, type_in, until,
};
use super::text;
use crate::world::*;

fn away() -> Fault {
    Fault {
        kind: FaultKind::Unreachable,
        what: "refuses connections".into(),
    }
}

#[test]
fn that_there_is_no_operation_is_not_said_where_nobody_could_look() {
    let mut state = full(Look::default());
    press(&mut state, "5");
    assert!(text(&mut state, (80, 24)).contains("there is no operation of this environment"));
    let mut state = empty(Look::default(), false);
    observe(&mut state, vec![Seen::Failed(Kind::Records, away())]);
    press(&mut state, "5");
    let screen = text(&mut state, (120, 30));
    assert!(!screen.contains("there is no operation"), "{screen}");
    let said = "whether there is an operation is not known: refuses connections";
    assert!(screen.contains(said), "{screen}");
}

#[test]
fn what_of_the_list_of_approvals_is_not_known_is_named() {
    let mut state = full(Look::default());
    press(&mut state, "6");
    let screen = text(&mut state, (80, 24));
    assert!(screen.contains("nothing waits for an approval"), "{screen}");
    observe(&mut state, vec![Seen::Failed(Kind::Records, away())]);
    let screen = text(&mut state, (80, 24));
    assert!(!screen.contains("nothing waits"), "{screen}");
    let said = "? production    not known: refuses connections";
    assert!(screen.contains(said), "{screen}");
}

/// Production after its operation took the flip to GREEN back by itself.
fn brought_back() -> State {
    let mut state = full(Look::default());
    mend(&mut state);
    let green = state.estate().colour_view(Some(1));
    let of = |(image, _): &(Image, u32)| {
        let digest = image.short_digest().unwrap();
        format!("{} {digest}", image.short_tag()).into()
    };
    let left: Vec<Safe> = (green.images.iter().flat_map(|(_, all)| all))
        .map(of)
        .collect();
    let parts = [
        ("digital-wall-service", "frontend"),
        ("digital-wall-api", "backend"),
    ];
    let changes = parts.map(|(name, part)| {
        let mut service = service(name, part, "blue");
        let flip = Flipped {
            at: ago(40).unwrap(),
            by: "carol (carol@bastion-2)".into(),
            from: Some("green".into()),
            to: "blue".into(),
            what: marks::COMPENSATION.into(),
            why: Some("HighErrorRate fires".into()),
            operation: ID.into(),
            images: vec!["4f2a91c".into()],
            left: left.clone(),
            runs: Vec::new(),
        };
        let meant = format!("{{\"part\":\"{part}\",\"version\":\"blue\"}}");
        service.marks = labels(&[
            (marks::FLIP, &serde_json::to_string(&flip).unwrap()),
            (marks::MEANT, &meant),
            (marks::EPOCH, "1"),
        ]);
        service.managers[1].name = "wheelhouse".into();
        service.managers[1].at = ago(40);
        Change::Applied(service)
    });
    observe(
        &mut state,
        vec![Seen::Services(Delta::Changes(changes.into()))],
    );
    state
}

#[test]
fn row_49_a_colour_that_traffic_was_brought_back_from_is_not_offered_for_a_cutover() {
    let mut state = brought_back();
    press(&mut state, ": w r i t e space 1 5 m enter");
    for (size, green, service) in [
        ((80, 24), "! rolled back", "40s ago"),
        (
            (160, 50),
            "! rolled back 40s ago: HighErrorRate fires",
            "rolled back 40s ago  green → blue, HighErrorRate fires",
        ),
    ] {
        let screen = text(&mut state, size);
        let line = |of: &str| screen.lines().find(|it| it.contains(of)).unwrap_or("");
        assert!(line("○ idle").contains(green), "{green}: {screen}");
        assert!(!screen.contains("cuts over"), "{screen}");
        let of = line("digital-wall-service  ");
        assert!(of.contains(service) && !of.contains("carol"), "{screen}");
    }
    for word in ["compensation", "taken back"] {
        press(&mut state, "tab");
        let screen = text(&mut state, (160, 50));
        assert!(!screen.contains(word), "{word}: {screen}");
    }
    // Another revision is another matter.
    let mut other = state
        .estate()
        .pods
        .value
        .iter()
        .find(|p| p.name.contains("green-frontend"))
        .unwrap()
        .clone();
    other.containers[0].image = image("frontend", "7c0ffee");
    observe(
        &mut state,
        vec![Seen::Pods(Delta::Changes(vec![Change::Applied(other)]))],
    );
    assert!(!text(&mut state, (160, 50)).contains("! rolled back 40s ago:"));
}

#[test]
fn a_filter_finds_runs_by_their_branch_and_by_what_became_of_them() {
    let found = |keys: &str| {
        let mut state = full(Look::default());
        press(&mut state, &format!("1 / {keys}"));
        let runs = wheelhouse::app::lists::runs(&state).into_iter();
        runs.map(|run| run.words().to_string()).collect::<Vec<_>>()
    };
    assert_eq!(found("m a i n"), ["#1482 main"]);
    assert_eq!(found("w a i t i n g"), ["#1482 main"]);
    assert_eq!(found("f a i l e d"), ["#1480 feat/q"]);
    assert_eq!(found("f a i l u r e"), ["#1480 feat/q"]);
    // What the program calls it inside is nobody's word.
    for word in ["d o n e", "O t h e r", "R u n n i n g ("] {
        assert_eq!(found(word), [""; 0], "{word}");
    }
    use wheelhouse::estate::runs::{Conclusion, Progress};
    let mut state = full(Look::default());
    for (progress, word) in [
        (Progress::Running, "in_progress"),
        (Progress::Done(Conclusion::TimedOut), "timed_out"),
        (
            Progress::Done(Conclusion::ActionRequired),
            "action_required",
        ),
        (
            Progress::Done(Conclusion::StartupFailure),
            "startup_failure",
        ),
    ] {
        state.repository.as_mut().unwrap().runs.value[0].progress = progress;
        press(&mut state, "1 /");
        type_in(&mut state, word);
        assert_eq!(wheelhouse::app::lists::runs(&state).len(), 1, "{word}");
        press(&mut state, "enter esc");
    }
}

#[test]
fn a_colour_that_scales_up_is_not_called_mixed() {
    let mut state = full(Look::default());
    mend(&mut state);
    let mut new = pod("blue", "frontend", "n3w0n", 2);
    (new.ready, new.containers[0].ready) = (false, false);
    new.containers[0].image.digest = None;
    let mut other = new.clone();
    observe(
        &mut state,
        vec![Seen::Pods(Delta::Changes(vec![Change::Applied(new)]))],
    );
    let blue = state.estate().colour_view(Some(0));
    assert_eq!(blue.images[0].1.len(), 1, "{blue:?}");
    assert_eq!(blue.images[0].1[0].1, 4, "{blue:?}");
    assert!(!text(&mut state, (160, 50)).contains("mixed"));
    other.containers[0].image = image("frontend", "7c0ffee");
    observe(
        &mut state,
        vec![Seen::Pods(Delta::Changes(vec![Change::Applied(other)]))],
    );
    assert!(text(&mut state, (160, 50)).contains("! mixed"));
}

#[test]
fn a_deploy_waits_for_the_new_pods_and_does_not_count_the_old_ones() {
    let mut state = full(Look::default());
    mend(&mut state);
    let mut plan = plan_of(&state, OperationKind::Cutover);
    let name: Safe = "digital-wall-green-frontend".into();
    (plan.kind, plan.rolls) = (OperationKind::Release, vec![name.clone()]);
    let flips = plan.flips.iter();
    plan.keeps = flips.map(|f| (f.service.clone(), f.from.clone())).collect();
    let of = |it: &&Deployment| it.name == name;
    let mut rolling = state
        .estate()
        .deployments
        .value
        .iter()
        .find(of)
        .unwrap()
        .clone();
    rolling.replicas = 4;
    let of = |it: &&ReplicaSet| it.owner.as_ref() == Some(&name);
    let mut set = state
        .estate()
        .replica_sets
        .value
        .iter()
        .find(of)
        .unwrap()
        .clone();
    set.ready = 2;
    observe(
        &mut state,
        vec![
            Seen::Deployments(Delta::Changes(vec![Change::Applied(rolling.clone())])),
            Seen::ReplicaSets(Delta::Changes(vec![Change::Applied(set)])),
        ],
    );
    operating(&mut state, &until(&plan, &Step::RollOut(name)), 3);
    let screen = text(&mut state, (160, 50));
    let said = "waiting: digital-wall-green-frontend: 9b1e07d ready 2/3, 1 old pod left";
    assert!(screen.contains(said), "{screen}");
    rolling.generation += 1;
    observe(
        &mut state,
        vec![Seen::Deployments(Delta::Changes(vec![Change::Applied(
            rolling,
        )]))],
    );
    let screen = text(&mut state, (160, 50));
    assert!(
        screen.contains("is not seen by its controller yet"),
        "{screen}"
    );
}

#[test]
fn what_wants_a_look_is_seen_before_all_else_in_a_small_window() {
    let mut state = open_window();
    press(&mut state, "C");
    type_in(&mut state, "release 42");
    press(&mut state, "enter");
    pass(&mut state, 1);
    let screen = text(&mut state, (60, 15));
    assert!(screen.contains("! soak"), "{screen}");
    let screen = text(&mut state, (80, 24));
    assert!(screen.contains("pgdn: 5 more lines ═"), "{screen}");
}

#[test]
fn what_is_sent_stands_in_the_dialog_word_for_word_as_in_the_plan_of_the_command() {
    let mut state = open_window();
    press(&mut state, "C");
    let screen = text(&mut state, (120, 50));
    assert!(screen.contains("ctrl-x requests"), "{screen}");
    assert!(!screen.contains("PATCH"), "{screen}");
    press(&mut state, "ctrl-x");
    let plan = plan_of(&state, OperationKind::Cutover);
    let screen = text(&mut state, (120, 60));
    let said: String = (screen.lines())
        .filter_map(|line| Some(line.split('║').nth(2)?.trim()))
        .collect();
    let sent = patch::requests(&plan);
    assert_eq!(sent.len(), 2);
    let path = &sent[0].path;
    assert!(said.replace(' ', "").contains(path.as_str()), "{screen}");
    for operation in &sent[0].patch.0 {
        let words = json!(operation).to_string().replace(' ', "");
        assert!(said.replace(' ', "").contains(&words), "{words}: {screen}");
    }
    press(&mut state, "ctrl-x");
    assert!(!text(&mut state, (120, 50)).contains("PATCH"));
}

#[test]
fn what_is_told_hides_no_row_of_an_operation_that_is_under_way() {
    for size in [(60, 15), (80, 24)] {
        let mut state = open_window();
        let plan = plan_of(&state, OperationKind::Cutover);
        operating(&mut state, &until(&plan, &Step::Watch), 3);
        let before = text(&mut state, size);
        let rows = |screen: &str| -> Vec<String> {
            let foot = if size.1 < 18 { 2 } else { 4 };
            let lines: Vec<&str> = screen.lines().collect();
            let from = lines.len() - foot;
            lines[from..lines.len() - 1]
                .iter()
                .map(|it| (*it).to_owned())
                .collect()
        };
        assert!(rows(&before).concat().contains("watch"), "{before}");
        let long = "a cutover of production to GREEN is approved until 17:18Z by somebody who said a lot about why";
        state.tell(long);
        let screen = text(&mut state, size);
        assert_eq!(rows(&screen), rows(&before), "{screen}");
        for word in long.split(' ') {
            assert!(screen.contains(word), "{word}: {screen}");
        }
    }
}

#[test]
fn what_is_done_of_an_operation_that_goes_back_is_told_in_its_order_the_way_back_too() {
    let mut state = open_window();
    let plan = plan_of(&state, OperationKind::Cutover);
    let mut entries = until(&plan, &Step::Watch);
    let failed = What::Failed {
        step: Step::Watch,
        reason: "an alert fires".into(),
    };
    entries.push(entry_at(19, failed));
    while let Next::Begin(step) = Operation::fold(&entries).next() {
        let began = What::Began {
            step: step.clone(),
            attempt: 1,
        };
        entries.push(entry_at(18, began));
        if let Step::Return(_) = step {
            break;
        }
        let evidence = "as it should be".into();
        entries.push(entry_at(18, What::Passed { step, evidence }));
    }
    operating(&mut state, &entries, 3_600);
    let adopt = state.keymap.key_of(Action::Adopt).to_owned();
    press(&mut state, &adopt);
    let screen = text(&mut state, (160, 50));
    let words: Vec<&str> = screen
        .split(['║', ' ', '\n'])
        .filter(|it| !it.is_empty())
        .collect();
    let said = words.join(" ");
    assert!(said.contains("ADOPT the cutover"), "{screen}");
    let done = said
        .split("Done so far: check, hold, flip digital-wall-service")
        .nth(1);
    let done = done.unwrap_or_else(|| panic!("{screen}"));
    assert!(done.contains("undo digital-wall-api"), "{screen}");
}

#[test]
fn in_a_small_window_what_would_change_stands_before_what_wants_a_look() {
    let mut state = open_window();
    press(&mut state, "C");
    let screen = text(&mut state, (60, 15));
    let head = "BLUE → GREEN  4f2a91c → 9b1e07d";
    assert!(screen.contains(head), "{screen}");
    assert!(screen.contains("! soak"), "{screen}");
    assert!(!text(&mut state, (80, 24)).contains(head));
}

#[test]
fn how_much_is_below_and_the_keys_beside_it_stand_whole_at_the_foot_of_a_small_window() {
    let mut state = full(Look::default());
    press(&mut state, "C");
    let screen = text(&mut state, (60, 18));
    let foot = screen.lines().rev().nth(1).unwrap();
    assert!(foot.contains("╚═ Esc close  Tab next field  ═"), "{screen}");
    assert!(foot.contains("═ pgdn: 18 more, 2 ! ═╝"), "{screen}");
}

#[test]
fn that_an_operation_began_is_not_said_when_it_is_over() {
    let begun = |entries: &dyn Fn(&Plan) -> Vec<Entry>| {
        let mut state = open_window();
        let plan = plan_of(&state, OperationKind::Cutover);
        let here = state.selected;
        hear(&mut state, 1, here, Heard::Began(ID.into()));
        operating(&mut state, &entries(&plan), 3);
        state
    };
    let mut state = begun(&|plan| until(plan, &Step::Watch));
    let screen = text(&mut state, (60, 15));
    assert!(screen.contains(&format!("begun: {ID}")), "{screen}");
    // In a small window it leaves the operation's row alone.
    assert!(screen.contains("watched "), "{screen}");
    let end = |plan: &Plan| over(until(plan, &Step::Watch), Outcome::Done, "it stayed");
    assert_eq!(begun(&end).notice, None);
}

#[test]
fn why_there_is_no_log_is_told_whole_and_what_asks_again() {
    let mut state = full(Look::default());
    press(&mut state, "1 G enter enter");
    let Some(wheelhouse::app::View::Log(log)) = state.view() else {
        panic!("no log is open");
    };
    let wheelhouse::app::logs::LogSource::Job { id, .. } = log.source else {
        panic!("it is no job's");
    };
    let fault = Fault {
        kind: FaultKind::Busy,
        what: "GitHub asks to slow down (secondary rate limit): waiting 60 s".into(),
    };
    update(&mut state, Event::JobLog(id, LogChunk::Ended(Some(fault))));
    let screen = text(&mut state, (60, 15));
    assert!(screen.contains("then Enter asks again"), "{screen}");

    let mut state = cockpit(Look::default());
    press(&mut state, "j j p");
    let target = LogTarget {
        pod: ill_pod().name,
        container: "backend".into(),
        previous: true,
    };
    let fault = Fault {
        kind: FaultKind::Missing,
        what: "previous terminated container \"backend\" in pod \"x\" not found".into(),
    };
    let seen = Seen::Log(target, LogChunk::Ended(Some(fault)));
    observe(&mut state, vec![seen]);
    assert!(text(&mut state, (80, 24)).contains("no previous run"));
}

#[test]
fn a_list_that_goes_on_below_says_so() {
    let mut state = empty(Look::default(), true);
    let faults = (0..40).map(|n| (format!("fault-{n}").into(), "breaks".into()));
    state.demo = Some(Demo {
        faults: faults.collect(),
    });
    press(&mut state, "F");
    let screen = text(&mut state, (80, 24));
    assert!(screen.contains(" 20 more below "), "{screen}");
    press(&mut state, "G");
    assert!(!text(&mut state, (80, 24)).contains("more below"));
}
