//! Deploys and smoke tests on the screen: which images, what is known of their run, what is refused.

use std::collections::BTreeMap;

use wheelhouse::app::operate::{Heard, wanted};
use wheelhouse::app::{Command, Event, State, update};
use wheelhouse::estate::Safe;
use wheelhouse::estate::runs::{Conclusion, Deploys, Progress, RunsSeen};
use wheelhouse::ops::OperationKind;
use wheelhouse::ops::plan::{How, Probe, Question};

use super::operations::{open_window, plan_of, type_in};
use super::text;
use crate::world::*;

/// Production with a window for changes, deployed by runs of `develop`.
fn deployed_from(branch: &str) -> State {
    let mut state = open_window();
    let deploys = Deploys {
        environment: "production".into(),
        job: "deploy-production".into(),
        branch: branch.into(),
    };
    state.repository.as_mut().unwrap().scope.deploys = vec![deploys];
    state
}

fn images(state: &State) -> Option<BTreeMap<Safe, Safe>> {
    wanted(state).map(|wanted| wanted.request.images)
}

fn both(tag: &str) -> BTreeMap<Safe, Safe> {
    ["backend", "frontend"]
        .map(|workload| (workload.into(), tag.into()))
        .into()
}

/// Other images in the field, which has the focus.
fn fill(state: &mut State, words: &str) {
    press(state, "ctrl-u");
    if !words.is_empty() {
        type_in(state, words);
    }
}

#[test]
fn a_deploy_begins_with_the_newest_green_run_of_its_branch_and_says_what_is_known_of_it() {
    let mut state = deployed_from("develop");
    press(&mut state, "N");
    let screen = text(&mut state, (80, 24));
    for part in ["DEPLOY to GREEN of production", "images        :9b1e07d"] {
        assert!(screen.contains(part), "{part} in {screen}");
    }
    seen!("plan-deploy-80x24", screen);
    fill(&mut state, ":9b1e07d backend=:v3");
    seen!("plan-deploy-120x30", text(&mut state, (120, 30)));
}

#[test]
fn what_no_green_run_built_is_asked_for_and_a_red_one_is_called_out() {
    let mut state = deployed_from("main");
    press(&mut state, "N");
    let screen = text(&mut state, (80, 24));
    assert!(screen.contains("Refused: which images?"), "{screen}");
    seen!("plan-deploy-nothing-80x24", screen);
    let mut runs = runs();
    if let RunsSeen::Runs(all) = &mut runs[0] {
        all.retain(|run| run.progress == Progress::Done(Conclusion::Failure));
    }
    let at = state.now.at;
    update(&mut state, Event::Repository(at, runs.remove(0)));
    type_in(&mut state, ":9b1e07d");
    let screen = text(&mut state, (80, 24));
    assert!(
        screen.contains("! run           #1480 feat/q failed"),
        "{screen}"
    );
}

#[test]
fn i_13_i_55_a_green_commit_that_is_newer_than_what_a_cutover_brings_live_is_announced() {
    let mut state = deployed_from("develop");
    press(&mut state, "C");
    let screen = text(&mut state, (160, 50));
    assert!(!screen.contains("is green too"), "{screen}");
    press(&mut state, "esc");
    let mut runs = runs();
    if let RunsSeen::Runs(all) = &mut runs[0] {
        let mut newer = all[0].clone();
        (newer.id, newer.number) = (99, 1_490);
        (newer.branch, newer.sha) = (Some("develop".into()), "5".repeat(40).as_str().into());
        newer.progress = Progress::Done(Conclusion::Success);
        newer.event = "push".into();
        all.insert(0, newer);
    }
    let at = state.now.at;
    update(&mut state, Event::Repository(at, runs.remove(0)));
    press(&mut state, "C");
    let screen = text(&mut state, (160, 50));
    let said = "! newer         #1490 develop is green too, and not in GREEN:";
    assert!(screen.contains(said), "{screen}");
}

#[test]
fn i_13_what_is_of_none_of_the_runs_that_were_asked_for_is_said_to_be() {
    let mut state = deployed_from("develop");
    let mut runs = runs();
    if let RunsSeen::Runs(all) = &mut runs[0] {
        for run in all.iter_mut() {
            run.sha = "5".repeat(40).as_str().into();
        }
    }
    let at = state.now.at;
    update(&mut state, Event::Repository(at, runs.remove(0)));
    press(&mut state, "C");
    let screen = text(&mut state, (160, 50));
    let said = "! newer         9b1e07d, which GREEN runs, is of none of the";
    assert!(screen.contains(said), "{screen}");
}

#[test]
fn a_worker_is_prepared_for_images_that_are_filled_in_and_for_no_others() {
    let mut state = deployed_from("develop");
    press(&mut state, "N");
    fill(&mut state, ":v3");
    assert_eq!(images(&state), None, "it may not be the whole word yet");
    press(&mut state, "enter");
    assert_eq!(images(&state), Some(both(":v3")));
    let first = wanted(&state).unwrap().number;
    press(&mut state, "shift-tab");
    assert_eq!(images(&state), Some(both(":v3")), "nothing is changed yet");
    type_in(&mut state, "0");
    assert_eq!(images(&state), None);
    // What the first one says is not about this.
    let environment = state.selected;
    let plan = plan_of(&state, OperationKind::Cutover);
    let ready = Heard::Ready(Box::new(plan));
    update(&mut state, Event::Heard(first, environment, ready));
    press(&mut state, "enter");
    assert_eq!(images(&state), Some(both(":v30")));
    assert!(wanted(&state).unwrap().number > first);
}

#[test]
fn a_deploy_is_confirmed_by_the_tiers_word_and_sent_with_its_hash() {
    let mut state = deployed_from("develop");
    press(&mut state, "N");
    update(&mut state, Event::Paste(" backend=:v3".into()));
    press(&mut state, "enter");
    type_in(&mut state, "release 42");
    press(&mut state, "enter");
    let images = images(&state).unwrap();
    assert_eq!(images.get(&Safe::from("backend")).unwrap().as_str(), ":v3");
    pass(&mut state, 1);
    type_in(&mut state, "production/digital-wall-service");
    let commands = press(&mut state, "enter");
    let [Command::Go { reason, permit, .. }] = &commands[..] else {
        panic!("{commands:?}")
    };
    assert_eq!(reason.as_deref(), Some("release 42"));
    assert!(permit.is_some());
}

#[test]
fn a_gate_that_its_worker_alone_finds_closed_says_how_it_is_overridden() {
    for (why, is_liftable) in [
        ("ci: no green run of 4f2a91c", true),
        ("alert:HighErrorRate: it fires", true),
        ("lock: somebody holds it", false),
    ] {
        let mut state = deployed_from("develop");
        press(&mut state, "N");
        update(&mut state, Event::Paste(" backend=:v3".into()));
        press(&mut state, "enter");
        let worker = wanted(&state).unwrap();
        state.environment_mut().estate.scope.traffic = None;
        let heard = Heard::Refused(why.into());
        update(
            &mut state,
            Event::Heard(worker.number, worker.environment, heard),
        );
        let screen = text(&mut state, (160, 40));
        assert!(screen.contains(&format!("Refused: {why}")), "{screen}");
        let words = "GATE=REASON` passes over it; Enter plans again.";
        assert_eq!(screen.contains(words), is_liftable, "{screen}");
    }
}

#[test]
fn what_cannot_be_deployed_is_said_while_it_is_typed_and_no_key_sends_it() {
    let mut state = deployed_from("develop");
    press(&mut state, "N");
    for (words, said) in [
        ("", "which images? :TAG for every workload"),
        ("v3", "v3 is no image of a workload"),
        (
            "mobile=:v3",
            "there is no workload mobile; there are frontend",
        ),
        ("frontend=:v;3", ":v;3 is no image"),
        (":v1 :v2", "every workload is named twice"),
    ] {
        fill(&mut state, words);
        let screen = text(&mut state, (120, 30));
        assert!(
            screen.contains(&format!("Refused: {said}")),
            "{said} in {screen}"
        );
    }
    press(&mut state, "enter r enter");
    pass(&mut state, 1);
    type_in(&mut state, "production/digital-wall-service");
    assert!(press(&mut state, "enter").is_empty());
    assert_eq!(wanted(&state), None);
}

#[test]
fn a_workflow_is_asked_for_no_images_and_read_only_refuses_it() {
    use wheelhouse::ops::plan::Workflow;
    let mut state = deployed_from("develop");
    state.environment_mut().how = How::Workflow(Workflow {
        file: "deploy.yml".into(),
        reference: "main".into(),
        inputs: [("operation".into(), "{operation}".into())].into(),
        timeout_s: 60,
    });
    press(&mut state, "N");
    let screen = text(&mut state, (80, 24));
    assert!(screen.contains("deploy.yml at main is started"), "{screen}");
    assert!(!screen.contains("> images"), "{screen}");
    assert!(wanted(&state).is_some());
    press(&mut state, "esc : w r i t e space o f f enter N");
    assert!(text(&mut state, (120, 30)).contains("Refused: production is read-only"));
}

#[test]
fn a_smoke_test_takes_an_enter_and_no_window_and_says_where_nothing_is_asked() {
    let mut state = open_window();
    press(&mut state, "esc : w r i t e space o f f enter V");
    let screen = text(&mut state, (80, 24));
    assert!(
        screen.contains("production has no [[environment.smoke]]"),
        "{screen}"
    );
    assert_eq!(wanted(&state), None);
    state.environment_mut().probes = vec![Probe::Ask(Question {
        workload: "frontend".into(),
        port: "8080".into(),
        path: "/api/health".into(),
        status: 200,
        within_ms: 2_000,
        contains: Vec::new(),
    })];
    press(&mut state, "esc V");
    let wanted = wanted(&state).unwrap();
    assert_eq!(wanted.request.kind, OperationKind::Smoke);
    seen!("plan-smoke-80x24", text(&mut state, (80, 24)));
    assert!(press(&mut state, "enter").is_empty(), "it is deaf at first");
    pass(&mut state, 1);
    let commands = press(&mut state, "enter");
    assert!(
        matches!(&commands[..], [Command::Go { permit: None, .. }]),
        "{commands:?}"
    );
}
