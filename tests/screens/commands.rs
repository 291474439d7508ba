//! The palette: what it does not know it says, and it opens no window for changes by half a word.

use wheelhouse::app::{Access, Look, Overlay, State};

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
