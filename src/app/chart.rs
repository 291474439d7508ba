//! The chart of the alert whose page is open: which is wanted, and what came.

use serde::Serialize;

use super::state::State;
use super::view::View;
use crate::estate::chart::Chart;
use crate::estate::{Fault, Moment, Safe};

/// Which chart is wanted: it is asked for as long as somebody looks at it, and not longer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Wanted {
    /// The environment's place in the configuration.
    pub environment: usize,
    /// The rule's expression.
    pub expression: Safe,
}

/// What came of it.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Charted {
    /// Which chart it is.
    pub of: Wanted,
    /// The last one that came, and when it was asked for.
    pub last: Option<(Moment, Chart)>,
    /// Why there is no newer one.
    pub fault: Option<Fault>,
}

/// The chart that the screen shows, or would if it were there.
pub fn wanted(state: &State) -> Option<Wanted> {
    let Some(View::Alert(labels)) = state.view() else {
        return None;
    };
    let rules = &state.estate().alerts.as_ref()?.rules.value.rules;
    let rule = rules
        .iter()
        .find(|rule| rule.alerts.iter().any(|alert| alert.labels == *labels))?;
    Some(Wanted {
        environment: state.selected,
        expression: rule.expression.clone(),
    })
}

/// Takes an answer: a bad one leaves what was seen, and says why it ages.
pub fn take(state: &mut State, of: Wanted, at: Moment, answer: Result<Chart, Fault>) {
    if wanted(state).as_ref() != Some(&of) {
        return;
    }
    let had = state.chart.take().filter(|had| had.of == of);
    let last = had.and_then(|had| had.last);
    let (last, fault) = match answer {
        Ok(chart) => (Some((at, chart)), None),
        Err(fault) => (last, Some(fault)),
    };
    state.chart = Some(Charted { of, last, fault });
}
