//! What the foot of the screen answers to a key: each gets its own answer, whole, and none stays as another's.

use wheelhouse::app::{Event, Look, State, update};
use wheelhouse::estate::Safe;

use super::text;
use crate::world::*;

const UNBOUND: &str = "`b` does nothing here: ? lists the keys";

fn notice(state: &State) -> &str {
    state
        .notice
        .as_ref()
        .map_or("", |notice| notice.text.as_str())
}

#[test]
fn a_key_that_means_nothing_here_says_so_and_the_next_key_ends_that() {
    let mut state = full(Look::default());
    press(&mut state, "b");
    assert!(text(&mut state, (80, 24)).contains(UNBOUND));
    press(&mut state, "j");
    assert_eq!(notice(&state), "");
    press(&mut state, "/ a");
    assert_eq!(notice(&state), "", "it is typed");
}

#[test]
fn t05_the_keys_of_a_torn_sequence_are_answered_once() {
    let mut state = full(Look::default());
    press(&mut state, "b ; < >");
    assert_eq!(notice(&state), UNBOUND);
}

#[test]
fn what_was_told_unasked_outlives_the_next_key() {
    let mut state = full(Look::default());
    update(&mut state, Event::Told(Safe::new("the silence is set")));
    press(&mut state, "j k");
    assert_eq!(notice(&state), "the silence is set");
    press(&mut state, "b j");
    assert_eq!(notice(&state), "");
}

#[test]
fn enter_where_there_is_nothing_to_go_into_says_so() {
    let mut state = full(Look::default());
    press(&mut state, "3 / z z z enter enter");
    assert_eq!(notice(&state), "no alert here to go into");
    press(&mut state, "esc enter enter");
    assert_eq!(
        notice(&state),
        "nothing here to go into: Esc is a level back"
    );
}

#[test]
fn a_refusal_is_told_whole_over_as_many_rows_as_it_needs() {
    let mut state = full(Look::default());
    press(&mut state, "H");
    let screen = text(&mut state, (80, 24));
    assert!(
        screen.contains("KEEP WARM") && screen.contains("Refused: "),
        "{screen}"
    );
    press(&mut state, "esc");
    let said = "refused: nobody knows which colour is idle: the Services do not agree, and none was flipped by anybody whom this cockpit heard of";
    update(&mut state, Event::Told(Safe::new(said)));
    for size in [(60, 15), (80, 24)] {
        let screen = text(&mut state, size);
        let foot: Vec<&str> = screen.lines().rev().take(5).collect();
        let foot = foot.into_iter().rev().collect::<Vec<_>>().join(" ");
        for word in said.split(' ') {
            assert!(foot.contains(word), "{word} of {said} in\n{screen}");
        }
    }
}

#[test]
fn what_became_of_an_act_is_told_while_a_filter_stands_and_while_it_is_typed() {
    let said = "roll back by hand";
    for keys in ["/ b l u e", "/ b l u e enter"] {
        let mut state = full(Look::default());
        press(&mut state, keys);
        update(&mut state, Event::Told(Safe::new(said)));
        let screen = text(&mut state, (80, 24));
        assert!(screen.contains(said), "{keys}: {screen}");
        assert_eq!(screen.contains("/blue_"), state.is_filtering, "{screen}");
        pass(&mut state, 7);
        let screen = text(&mut state, (80, 24));
        assert!(screen.contains("/blue"), "{screen}");
    }
}
