//! The palette: what it does not know it says, and it opens no window for changes by half a word. And the menu of actions.

use wheelhouse::app::keymap::BINDINGS;
use wheelhouse::app::{Access, Action, Look, Overlay, State, update};

use super::operations::type_in;
use super::text;
use crate::world::*;

/// The palette with `words` typed and Enter pressed.
fn entered(words: &str) -> State {
    let mut state = full(Look::default());
    press(&mut state, ":");
    type_in(&mut state, words);
    press(&mut state, "enter");
    state
}

fn is_open(state: &State) -> bool {
    matches!(state.overlay, Some(Overlay::Palette(_)))
}

#[test]
fn a_window_that_is_too_long_is_refused_with_what_is_taken() {
    let mut state = entered("write 9h");
    let form = "write takes a time such as 15m or 1h, at most 8h, or off";
    let screen = text(&mut state, (80, 24));
    assert!(
        screen.contains(form) && screen.contains(":write 9h_"),
        "{screen}"
    );
    assert!(!screen.contains("no such command"), "{screen}");
    assert!(is_open(&state), "what was typed can be mended");
    let mut state = entered("zzz");
    assert!(is_open(&state));
    assert!(text(&mut state, (80, 24)).contains("no such command: zzz"));
}

#[test]
fn o07_the_beginning_of_write_opens_no_window() {
    for words in ["writ", "write", "write 1"] {
        let state = entered(words);
        assert_eq!(state.environment().access, Access::ReadOnly, "{words}");
        assert!(is_open(&state), "{words}");
    }
    let mut state = entered("writ");
    press(&mut state, "tab enter");
    assert!(matches!(state.environment().access, Access::Window(_)));
    let mut state = entered("writ");
    press(&mut state, "down up enter");
    assert!(matches!(state.environment().access, Access::Window(_)));
    let state = entered("write 20m");
    assert!(matches!(state.environment().access, Access::Window(_)));
}

/// Whether the plan on the screen is of that.
fn plans(state: &mut State, words: &str) -> bool {
    matches!(state.overlay, Some(Overlay::Plan(_))) && text(state, (120, 30)).contains(words)
}

#[test]
fn the_menu_lists_what_changes_something_and_why_it_may_not_be_done_now() {
    let mut state = full(Look::default());
    press(&mut state, "a");
    for (columns, rows) in [(80, 24), (60, 15)] {
        seen!(
            format!("actions-{columns}x{rows}"),
            text(&mut state, (columns, rows))
        );
    }
    let offered: Vec<String> = update::offers(&state).into_iter().map(|o| o.name).collect();
    let decisions = [Action::Approve, Action::Reject];
    let wanted: Vec<&str> = (BINDINGS.iter())
        .filter(|b| b.action.mutates() && !decisions.contains(&b.action))
        .map(|b| b.action.name())
        .collect();
    assert_eq!(offered, wanted, "in the order of the table");
}

#[test]
fn the_menu_runs_what_is_chosen_or_whose_key_is_pressed_and_esc_closes_it() {
    let mut state = full(Look::default());
    press(&mut state, "a");
    type_in(&mut state, "rollb");
    press(&mut state, "enter");
    assert!(plans(&mut state, "ROLL BACK production"));
    press(&mut state, "esc a R");
    assert!(plans(&mut state, "ROLL BACK production"));
    press(&mut state, "esc a down down down enter");
    assert!(plans(&mut state, "CUT OVER production"));
    press(&mut state, "esc a");
    assert!(is_open(&state));
    press(&mut state, "esc");
    assert!(state.overlay.is_none());
    // What changes nothing is no action of the menu, nor by its key.
    press(&mut state, "a");
    type_in(&mut state, "help");
    press(&mut state, "enter");
    assert!(is_open(&state));
    assert!(text(&mut state, (80, 24)).contains("no such command: help"));
}
