//! What the screen claims is so: it names what it does not know, and what was done has one name and one doer.

use wheelhouse::app::operate::{Heard, hear};
use wheelhouse::app::{Demo, Event, Look, State, update};
use wheelhouse::estate::*;
use wheelhouse::ops::marks::{self, Flipped};
use wheelhouse::ops::{Entry, OperationKind, Outcome, Plan, Step};

use super::operations::{ID, mend, open_window, operating, over, plan_of, type_in, until};
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
