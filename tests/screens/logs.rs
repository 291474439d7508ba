//! Logs: long lines go on below on a key, and the footer offers what applies.

use wheelhouse::app::{Event, Look, State, update};
use wheelhouse::estate::*;

use super::text;
use crate::world::*;

/// The log of a pod with short lines around a long one.
fn log() -> State {
    let mut state = cockpit(Look::default());
    press(&mut state, "j j o");
    let target = LogTarget {
        pod: ill_pod().name,
        container: "backend".into(),
        previous: false,
    };
    let mut lines: Vec<Safe> = (0..40).map(|n| format!("line {n}").into()).collect();
    lines[0] = format!("first {}the beginning's end", "x ".repeat(60)).into();
    lines.push(format!("last {}the end", "y ".repeat(60)).into());
    observe(&mut state, vec![Seen::Log(target, LogChunk::Lines(lines))]);
    state
}

#[test]
fn w_shows_long_lines_whole_from_the_first_to_the_last() {
    let mut state = log();
    let screen = text(&mut state, (80, 24));
    assert!(
        screen.contains("last y y") && !screen.contains("the end"),
        "{screen}"
    );
    assert!(screen.contains("w wrap"), "{screen}");
    press(&mut state, "w");
    let screen = text(&mut state, (80, 24));
    assert!(
        screen.contains("last y y") && screen.contains("the end"),
        "{screen}"
    );
    press(&mut state, "g");
    let screen = text(&mut state, (80, 24));
    assert!(
        screen.contains("first x x") && screen.contains("the beginning's end"),
        "{screen}"
    );
    assert!(screen.contains("line 3"), "the page is full: {screen}");
    press(&mut state, "w");
    assert!(!text(&mut state, (80, 24)).contains("the beginning's end"));
}

#[test]
fn from_the_beginning_of_a_log_one_key_goes_one_line_on() {
    let mut state = log();
    for wraps in [false, true] {
        press(&mut state, "g");
        let screen = text(&mut state, (80, 24));
        let first = |screen: &str| screen.contains("first x x");
        assert!(first(&screen), "{screen}");
        press(&mut state, "j");
        let screen = text(&mut state, (80, 24));
        assert!(wraps || !first(&screen), "{screen}");
        assert!(screen.contains("║ line 1 "), "{screen}");
        press(&mut state, "k");
        let screen = text(&mut state, (80, 24));
        assert!(first(&screen), "{screen}");
        press(&mut state, "w");
    }
}

#[test]
fn a_held_log_with_a_filter_stays_where_it_is_while_other_lines_come() {
    let mut state = log();
    let shown = |state: &mut State| -> Vec<String> {
        let screen = text(state, (80, 24));
        let lines = screen.lines().filter(|line| line.contains("║ line "));
        lines.map(str::to_owned).collect()
    };
    press(&mut state, "/ l i n e space enter k k k");
    let before = shown(&mut state);
    assert!(before.last().unwrap().contains("line 36 "), "{before:?}");
    let target = LogTarget {
        pod: ill_pod().name,
        container: "backend".into(),
        previous: false,
    };
    let more = vec![Safe::new("something else"); 500];
    observe(&mut state, vec![Seen::Log(target, LogChunk::Lines(more))]);
    assert_eq!(shown(&mut state), before);
    assert!(text(&mut state, (80, 24)).contains("held, 3 below"));
    press(&mut state, "j");
    let after = shown(&mut state);
    assert!(after.last().unwrap().contains("line 37 "), "{after:?}");
}

#[test]
fn what_holds_for_all_of_a_jobs_log_stands_above_its_lines_whatever_is_looked_at() {
    let mut state = full(Look::default());
    press(&mut state, "1 G enter enter");
    let wheelhouse::app::View::Log(log) = &state.levels.last().unwrap().view else {
        panic!("no log");
    };
    let wheelhouse::app::logs::LogSource::Job { id, .. } = log.source else {
        panic!("no log of a job");
    };
    let note = "the lines of this step cannot be told apart: this is the whole job's log";
    let lines = |range: std::ops::Range<usize>| {
        let lines = range.map(|n| format!("line {n}").into());
        LogChunk::Lines(lines.collect())
    };
    let chunks = [LogChunk::Note(note.into()), lines(0..4_000)];
    for chunk in chunks.into_iter().chain([lines(4_000..9_000)]) {
        update(&mut state, Event::JobLog(id, chunk));
    }
    for keys in ["g", "G", "k k", "/ 8 9 9 9 enter"] {
        press(&mut state, keys);
        for size in [(60, 15), (80, 24)] {
            let screen = text(&mut state, size);
            assert!(screen.contains("cannot be told apart"), "{screen}");
            assert!(screen.contains("whole job's log"), "{screen}");
            assert!(screen.contains("║ line "), "{screen}");
        }
    }
}

#[test]
fn the_log_of_a_job_offers_no_other_log() {
    let mut state = full(Look::default());
    press(&mut state, "1 G enter enter");
    let screen = text(&mut state, (120, 30));
    assert!(screen.contains("Log  #1480"), "{screen}");
    assert!(
        !screen.contains("o log") && !screen.contains("p previous"),
        "{screen}"
    );
    press(&mut state, "o");
    assert!(text(&mut state, (120, 30)).contains("a job has this log alone"));
    assert!(text(&mut log(), (160, 50)).contains("p previous log"));
}
