//! The timeline on the screen: what it tells, what it hides, where it leads, and as text.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    dead_code,
    missing_docs,
    reason = "tests; the world offers what other tests use"
)]

#[path = "support/world.rs"]
mod world;

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use wheelhouse::app::{Command, Event, Look, State, View, settle, update};
use wheelhouse::estate::alerts::AlertsSeen;
use wheelhouse::estate::runs::RunsSeen;
use wheelhouse::estate::spells::{Spell, Spells};
use wheelhouse::estate::*;
use wheelhouse::ui;
use world::*;

fn screen(state: &mut State, (columns, rows): (u16, u16)) -> String {
    update(state, Event::Resized(columns, rows));
    settle(state);
    let area = Rect::new(0, 0, columns, rows);
    let mut buffer = Buffer::empty(area);
    ui::draw(state, area, &mut buffer);
    let row = |y| (0..columns).map(move |x| (x, y));
    let text = |y| row(y).map(|at| buffer[at].symbol()).collect::<String>();
    (0..rows).map(text).collect::<Vec<_>>().join("\n")
}

const WIDE: (u16, u16) = (160, 50);

/// An alert that fired from 50 to 40 minutes ago, and the history's end now.
fn spells() -> Seen {
    let spell = Spell {
        labels: labels(&[("alertname", "HighErrorRate"), ("colour", "green")]),
        from: ago(3_000),
        to: ago(2_400).unwrap(),
    };
    Seen::Alerts(AlertsSeen::Spells(Spells::of(
        vec![spell],
        ago(0),
        Vec::new(),
    )))
}

/// A warning about a pod that is gone.
fn of_a_gone_pod() -> Seen {
    let mut event = unhealthy(&pod("green", "backend", "zzzzz", 900));
    event.last = ago(700);
    Seen::Events(Delta::Page(vec![event]))
}

fn told() -> State {
    let mut state = full(Look::default());
    observe(&mut state, vec![spells(), of_a_gone_pod()]);
    press(&mut state, "4");
    state
}

#[test]
fn a_topic_hides_the_others_and_says_how_many() {
    let mut state = told();
    let all = screen(&mut state, WIDE);
    assert!(!all.contains("hidden"), "{all}");
    for (word, shown, hidden) in [
        ("rollouts", "rolls to 9b1e07d", "run #1480"),
        ("pods", "GREEN backend x2k1m not ready", "run #1480"),
        ("alerts", "HighErrorRate ended", "run #1480"),
        ("runs", "run #1480", "HighErrorRate ended"),
    ] {
        // Traffic, the first topic, has no flip that is dated in this world.
        while state.picks.topic.is_none_or(|topic| topic.word() != word) {
            press(&mut state, "t");
        }
        let text = screen(&mut state, WIDE);
        let title = format!("4 Timeline  {word} only  ");
        assert!(text.contains(&title) && text.contains(" hidden"), "{text}");
        assert!(
            text.contains(shown) && !text.contains(hidden),
            "{word}: {text}"
        );
        let small = screen(&mut state, (80, 24));
        assert!(small.contains(&format!("4 Time: {word} only]")), "{small}");
    }
    press(&mut state, "t");
    assert_eq!(screen(&mut state, WIDE), all);
}

#[test]
fn the_filter_knows_topics_by_their_words_and_hides_no_pods() {
    let mut state = told();
    press(&mut state, "/ a l e r t");
    let text = screen(&mut state, WIDE);
    assert!(
        text.contains("alerts only") && text.contains("HighErrorRate ended"),
        "{text}"
    );
    assert!(
        !text.contains("no pod matches"),
        "what is typed for the timeline is no filter of pods"
    );
    press(&mut state, "space E r r o r");
    let text = screen(&mut state, WIDE);
    assert!(text.contains("HighErrorRate ended"), "{text}");
    assert!(text.contains("alerts only  17 hidden"), "{text}");
}

/// Puts the cursor on the entry that says `words`, and presses Enter.
fn enter(state: &mut State, words: &str) {
    press(state, "g");
    for _ in 0..40 {
        let on = state.picks.happening.clone();
        if on.is_some_and(|(_, what)| what.contains(words)) {
            press(state, "enter");
            return;
        }
        press(state, "j");
    }
    panic!("no entry says {words:?}");
}

#[test]
fn enter_jumps_to_the_source_of_an_entry() {
    for (words, is_there) in [
        (
            "run #1480",
            (|v| matches!(v, View::Run(_))) as fn(&View) -> bool,
        ),
        ("rolls to 9b1e07d", |v| matches!(v, View::Deployment(_))),
        ("x2k1m not ready", |v| matches!(v, View::Pod(_))),
        ("HighResponseTime firing", |v| matches!(v, View::Alert(_))),
    ] {
        let mut state = told();
        enter(&mut state, words);
        assert!(
            state.view().is_some_and(is_there),
            "{words}: {:?}",
            state.view()
        );
        press(&mut state, "esc");
        assert!(
            state
                .picks
                .happening
                .is_some_and(|(_, what)| what.contains(words))
        );
    }
}

#[test]
fn a_source_that_is_gone_is_said_to_be() {
    for (words, said) in [
        ("zzzzz", "zzzzz is gone"),
        ("HighErrorRate ended", "HighErrorRate does not fire now"),
    ] {
        let mut state = told();
        enter(&mut state, words);
        assert_eq!(state.view(), None);
        let text = screen(&mut state, WIDE);
        assert!(text.contains(said), "{words}: {text}");
    }
}

fn copied(state: &mut State) -> String {
    match press(state, "Y").pop() {
        Some(Command::Copy(text)) => text,
        other => panic!("{other:?}"),
    }
}

#[test]
fn the_timeline_is_copied_as_text_with_dates_the_environment_and_what_is_not_shown() {
    let mut state = told();
    let whole = copied(&mut state);
    let head = "digital-wall production @ prod-eu, namespace production\ntimeline as of ";
    assert!(whole.starts_with(head), "{whole}");
    assert!(whole.contains("all times UTC"), "{whole}");
    for line in [
        "BAD   pods      GREEN backend x2k1m not ready",
        "BAD   alerts    HighErrorRate fired",
        "ok    alerts    HighErrorRate ended GREEN (after 10 m)",
        "look  runs      run #1482 main waits for approval",
    ] {
        assert!(whole.contains(line), "{line:?} in {whole}");
    }
    let dated =
        |line: &&str| line.len() > 22 && line.as_bytes()[19] == b'Z' && line.starts_with("20");
    assert!(whole.lines().filter(dated).count() > 10, "{whole}");
    assert!(!whole.contains("entries: topics"), "{whole}");
    press(&mut state, "/ r u n s enter");
    let runs = copied(&mut state);
    assert!(
        runs.contains("entries: topics runs, filter \"runs\""),
        "{runs}"
    );
    assert!(!runs.contains("HighErrorRate"), "{runs}");
    // What was copied is told for a while, in the place of how the filter is left.
    let mut calm = told();
    press(&mut calm, "/ r u n s enter");
    let text = screen(&mut calm, (120, 30));
    assert!(text.contains("Esc clears"), "{text}");
}

#[test]
fn a_copy_says_what_was_not_known_then() {
    let mut state = told();
    let fault = Fault {
        kind: FaultKind::Unreachable,
        what: "prometheus refuses connections".into(),
    };
    observe(
        &mut state,
        vec![Seen::Alerts(AlertsSeen::RulesFailed(fault.clone()))],
    );
    let at = state.now.at;
    update(&mut state, Event::Repository(at, RunsSeen::Failed(fault)));
    let text = copied(&mut state);
    assert!(
        text.contains("UNKNOWN: alerts: prometheus refuses connections"),
        "{text}"
    );
    assert!(text.contains("UNKNOWN: runs: prometheus refuses"), "{text}");
}

#[test]
fn a_cockpit_that_is_started_later_tells_the_same() {
    let timeline = |state: &State| {
        timeline::timeline(state.estate(), state.repository.as_ref(), Vec::new()).happenings
    };
    let first = told();
    // Another process: it has seen nothing but what the APIs say now.
    let again = told();
    assert_eq!(timeline(&first), timeline(&again));
    let words: Vec<String> = timeline(&again)
        .iter()
        .map(|h| h.what.to_string())
        .collect();
    for said in [
        "HighErrorRate fired",
        "HighErrorRate ended",
        "zzzzz Unhealthy",
    ] {
        assert!(
            words.iter().any(|w| w.contains(said)),
            "{said} in {words:?}"
        );
    }
}

/// The live colour's backend rolls to a revision whose only pod crashes.
fn stuck() -> State {
    let mut state = cockpit(Look::default());
    let estate = state.estate();
    let name = "digital-wall-blue-backend";
    let mut deployment = estate.deployments.value.get(name).unwrap().clone();
    (deployment.revision, deployment.replicas, deployment.updated) = (Some("4".into()), 3, 1);
    let old = format!("{name}-6b9f7c5d48");
    let mut set = estate.replica_sets.value.get(&old).unwrap().clone();
    set.name = format!("{name}-bad5eed").into();
    (set.revision, set.desired, set.ready) = (Some("4".into()), 1, 0);
    set.images = vec![("backend".into(), image("backend", "bad5eed"))];
    let mut ill = ill_pod();
    ill.name = format!("{name}-bad5eed-q").into();
    ill.uid = "uid-ill".into();
    ill.labels = labels(&[("part", "backend"), ("version", "blue")]);
    ill.owner = Some(set.name.clone());
    observe(
        &mut state,
        vec![
            Seen::Deployments(Delta::Changes(vec![Change::Applied(deployment)])),
            Seen::ReplicaSets(Delta::Changes(vec![Change::Applied(set)])),
            Seen::Pods(Delta::Changes(vec![Change::Applied(ill)])),
        ],
    );
    state
}

#[test]
fn a_rollout_that_is_stuck_is_beside_the_ready_pods_of_the_old_revision_at_every_size() {
    let mut state = stuck();
    for (size, said) in [
        ((200, 50), "! rollout of bad5eed not ready 0/2"),
        ((120, 30), "! rollout of bad5eed not ready 0/2"),
        ((80, 24), "! bad5eed not ready 0/2"),
        ((60, 15), "5/5  ! new 0/2"),
    ] {
        let text = screen(&mut state, size);
        let live = text.lines().find(|line| line.contains("LIVE")).unwrap();
        assert!(live.contains(said), "{size:?}: {text}");
    }
}

#[test]
fn the_current_context_is_named_once_it_was_found() {
    let mut state = cockpit(Look::default());
    observe(&mut state, vec![Seen::Connected("prod-us".into())]);
    let text = screen(&mut state, WIDE);
    assert!(text.contains("production @ prod-us"), "{text}");
}

#[test]
fn g05_what_github_refuses_is_a_whole_sentence_on_the_panel() {
    let what = "acme/wall has no workflow ci.yml (renamed?): it has build.yml, deploy.yml, nightly.yml, \
                release-to-production.yml";
    for size in [(120, 30), (80, 24), (60, 15)] {
        let mut state = full(Look::default());
        let at = state.now.at;
        let fault = Fault {
            kind: FaultKind::Missing,
            what: what.into(),
        };
        update(&mut state, Event::Repository(at, RunsSeen::Failed(fault)));
        press(&mut state, "1");
        let text = screen(&mut state, size);
        for word in ["has no workflow ci.yml", "release-to-production.yml"] {
            assert!(text.contains(word), "{size:?}: {text}");
        }
    }
}

/// When and as what an entry says `words`.
fn entry(state: &State, words: &str) -> (i64, timeline::Weight, Option<String>) {
    let all = timeline::timeline(state.estate(), state.repository.as_ref(), Vec::new());
    let mut of = all.happenings.iter().filter(|h| h.what.contains(words));
    let first = of.next().unwrap_or_else(|| panic!("{words}: {all:#?}"));
    assert_eq!(of.next(), None, "{words} is told once");
    let age = wall().as_second() - first.at.as_second();
    (
        age,
        first.weight,
        first.note.as_ref().map(ToString::to_string),
    )
}

#[test]
fn a_silenced_alert_fired_when_it_fired_and_was_silenced_when_somebody_did() {
    use timeline::Weight;
    let mut state = full(Look::default());
    let fired = entry(&state, "RedisMemoryUsageHigh firing");
    assert_eq!(fired, (7_200, Weight::Bad, None));
    let by = Some("by bob".to_owned());
    let silenced = entry(&state, "RedisMemoryUsageHigh silenced");
    assert_eq!(silenced, (600, Weight::Look, by));
    // A silence that was there before, and what another alert inhibits.
    for (silenced_by, inhibited_by, note) in [
        (vec!["gone".into()], Vec::new(), "silenced now"),
        (Vec::new(), vec!["f".into()], "inhibited by another now"),
    ] {
        let views = state.estate().alerts.as_ref().unwrap().views();
        let redis = views.iter().find(|v| v.rule.name.contains("Redis"));
        let handled = alerts::Handled {
            labels: redis.unwrap().alert.labels.clone(),
            silenced_by,
            inhibited_by,
        };
        let handling = AlertsSeen::Handling(vec![handled], Vec::new());
        observe(&mut state, vec![Seen::Alerts(handling)]);
        let said = entry(&state, "RedisMemoryUsageHigh");
        assert_eq!(said, (7_200, Weight::Look, Some(note.to_owned())));
    }
}

#[test]
fn a_run_that_never_ran_is_not_said_to_have_failed_and_one_that_waits_waits_since_then() {
    use runs::{Conclusion, Progress};
    use timeline::Weight;
    let mut state = full(Look::default());
    let waits = entry(&state, "run #1482 main waits for approval");
    assert_eq!(waits.0, 300, "it began a minute before");
    let run = state.repository.as_ref().unwrap().runs.value[3].clone();
    for (conclusion, weight, words) in [
        (Conclusion::Failure, Weight::Bad, "failed"),
        (Conclusion::TimedOut, Weight::Bad, "timed out"),
        (Conclusion::StartupFailure, Weight::Bad, "failed to start"),
        (Conclusion::ActionRequired, Weight::Look, "action required"),
        (Conclusion::Neutral, Weight::Look, "neutral"),
        (Conclusion::Stale, Weight::Look, "stale"),
        (
            Conclusion::Other("odd".into()),
            Weight::Look,
            "unknown conclusion odd",
        ),
    ] {
        let mut run = run.clone();
        run.progress = Progress::Done(conclusion);
        let at = state.now.at;
        update(&mut state, Event::Repository(at, RunsSeen::Runs(vec![run])));
        let said = entry(&state, &format!("run #1480 feat/q {words}"));
        assert_eq!(said.1, weight);
    }
}

#[test]
fn the_timeline_says_what_is_missing_from_it_at_every_size() {
    let mut state = told();
    assert!(!screen(&mut state, WIDE).contains("4 Timeline  ?"));
    let away = |what: &str| Fault {
        kind: FaultKind::Unreachable,
        what: what.into(),
    };
    let at = state.now.at;
    let fault = away("no route to host");
    update(&mut state, Event::Repository(at, RunsSeen::Failed(fault)));
    let text = screen(&mut state, WIDE);
    assert!(text.contains("4 Timeline  ? GitHub unknown "), "{text}");
    observe(&mut state, vec![Seen::NoPulse(away("refused"))]);
    pass(&mut state, 240);
    for (size, said) in [
        (WIDE, "4 Timeline  ? k8s 4m, alerts 4m, GitHub 4m"),
        ((120, 30), "4 Timeline  ? k8s 4m, alerts 4m, GitHub 4m"),
        ((80, 24), "? k8s 4m, alerts 4m…"),
        ((60, 15), "4 Time ?]"),
    ] {
        let text = screen(&mut state, size);
        assert!(text.contains(said), "{size:?}: {text}");
        press(&mut state, "2");
        let other = screen(&mut state, size);
        let is_grid = size.0 >= 120;
        assert!(is_grid || other.contains("4 Time ?"), "{size:?}: {other}");
        press(&mut state, "4");
    }
}

#[test]
fn nothing_is_said_to_have_changed_before_the_first_answers() {
    let mut state = empty(Look::default(), false);
    press(&mut state, "4");
    let text = screen(&mut state, (80, 24));
    assert!(text.contains("waiting for the first answers"), "{text}");
    let fault = Fault {
        kind: FaultKind::Unreachable,
        what: "refused".into(),
    };
    observe(&mut state, vec![Seen::NoPulse(fault)]);
    let text = screen(&mut state, (80, 24));
    assert!(text.contains("? k8s unknown"), "{text}");
    assert!(
        text.contains("whether anything changed is not known"),
        "{text}"
    );
}

#[test]
fn m02_a_history_of_alerts_that_is_partial_is_said_to_be_on_the_screen_and_in_a_copy() {
    let mut state = told();
    let warnings = vec!["store eu-2 did not answer".into()];
    let spells = Spells::of(Vec::new(), ago(0), warnings);
    observe(&mut state, vec![Seen::Alerts(AlertsSeen::Spells(spells))]);
    let text = screen(&mut state, WIDE);
    assert!(text.contains("? ended alerts partial"), "{text}");
    let text = copied(&mut state);
    let said = "UNKNOWN: ended alerts are partial: store eu-2 did not answer";
    assert!(text.contains(said), "{text}");
}

#[test]
fn a_rollout_to_an_older_replica_set_is_told_when_it_was_and_scaling_or_a_slow_one_is_none() {
    let name = "digital-wall-green-backend";
    let set = format!("{name}-6b9f7c5d48");
    let told = |is_reused: bool, progressed: &str| {
        let mut state = full(Look::default());
        let estate = state.estate();
        let mut sets = estate.replica_sets.value.get(&set).unwrap().clone();
        (sets.is_reused, sets.created) = (is_reused, ago(259_200));
        let mut deployment = estate.deployments.value.get(name).unwrap().clone();
        deployment.conditions.push(Condition {
            kind: "Progressing".into(),
            status: "True".into(),
            reason: Some("NewReplicaSetAvailable".into()),
            message: Some(
                format!("ReplicaSet \"{progressed}\" has successfully progressed.").into(),
            ),
            since: ago(259_200),
            updated: ago(60),
        });
        observe(
            &mut state,
            vec![
                Seen::Deployments(Delta::Changes(vec![Change::Applied(deployment.clone())])),
                Seen::ReplicaSets(Delta::Changes(vec![Change::Applied(sets)])),
            ],
        );
        let made = state.estate().revision_made(&deployment);
        (state, made)
    };
    let (state, made) = told(true, &set);
    let back = entry(&state, "green-backend goes back to 9b1e07d");
    let change = timeline::Weight::Change;
    assert_eq!(back, (60, change, Some("revision 3".to_owned())));
    let first = entry(&state, "green-backend rolls to 9b1e07d");
    assert_eq!(first, (259_200, change, None), "its number is the later");
    assert_eq!(made, ago(60));
    for (is_reused, progressed) in [(false, set.as_str()), (true, "another")] {
        let (state, made) = told(is_reused, progressed);
        let all = timeline::timeline(state.estate(), None, Vec::new()).happenings;
        assert!(!all.iter().any(|h| h.what.contains("goes back")));
        assert_eq!(made, ago(259_200));
    }
}
