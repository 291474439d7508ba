//! Reviews of deployments at GitHub on the screen: the page of the run, the list of what waits, the plan.

use wheelhouse::app::{Look, State};

use super::reviewing::{by_erin, pending, reviews};
use super::text;
use crate::world::*;

/// On the page of the run that waits, production writable.
fn on_the_run() -> State {
    let mut state = full(Look::default());
    press(&mut state, ": w r i t e space 1 5 m enter 1 j enter");
    reviews(
        &mut state,
        vec![pending("production", Some(true))],
        Vec::new(),
    );
    state
}

#[test]
fn row_9_the_page_of_a_run_says_what_it_waits_for_and_the_list_does() {
    let mut state = on_the_run();
    seen!("review-80x24", text(&mut state, (80, 24)));
    press(&mut state, "6");
    seen!("reviews-80x24", text(&mut state, (80, 24)));
    press(&mut state, "Y");
    seen!("review-plan-80x24", text(&mut state, (80, 24)));
    press(&mut state, "esc J");
    seen!("review-rejection-80x24", text(&mut state, (80, 24)));
    for size in [(60, 15), (40, 5), (20, 5), (200, 50)] {
        text(&mut state, size);
    }
    press(&mut state, "esc");
    reviews(&mut state, Vec::new(), vec![by_erin("approved")]);
    let screen = text(&mut state, (120, 30));
    assert!(
        screen.contains("✓ production approved by erin: read the diff"),
        "{screen}"
    );
    assert!(!screen.contains("Y approve"), "{screen}");
}

#[test]
fn g11_a_review_in_hostile_words_stays_text() {
    let mut state = on_the_run();
    let hostile = "prod\u{202e}\u{1b}[31mX\u{7}";
    reviews(
        &mut state,
        vec![pending(hostile, None)],
        vec![by_erin(hostile)],
    );
    for keys in ["", "Y", "esc 6"] {
        if !keys.is_empty() {
            press(&mut state, keys);
        }
        let screen = text(&mut state, (120, 30));
        let is_hostile = |c: char| c != '\n' && (c.is_control() || c == '\u{202e}');
        assert!(!screen.contains(is_hostile), "{screen}");
    }
}
