//! An expression over time: what a small chart of it needs, gaps included.

use jiff::Timestamp;
use serde::Serialize;

use super::{Labels, Safe};

/// The values of an expression on an even grid of times.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Chart {
    /// The time of the first point, by the server's clock.
    pub start: Timestamp,
    /// Seconds between two points.
    pub step: u32,
    /// The series, in the server's order.
    pub series: Vec<Series>,
    /// How many more series there were than are kept.
    pub more: usize,
    /// What the server warns of: the answer is partial.
    pub warnings: Vec<Safe>,
}

/// One series.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Series {
    /// Its labels.
    pub labels: Labels,
    /// Its points; none where there is no sample, and where it is no number (NaN, Inf).
    pub points: Vec<Option<f64>>,
}

/// A series' value at one moment.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Sample {
    /// Its labels.
    pub labels: Labels,
    /// The value as Prometheus spells it.
    pub text: Safe,
    /// The value; none where it is no number (NaN, Inf): no gate may pass on it.
    pub number: Option<f64>,
}

/// The answer to an instant query. None at all is no data, which is UNKNOWN and not zero.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Measured {
    /// The samples.
    pub samples: Vec<Sample>,
    /// What the server warns of: the answer is partial.
    pub warnings: Vec<Safe>,
}

/// The one number that a rule's expression compares with, where it ends in that: `… > 0.1`. Anything less
/// plain has no threshold that could be drawn.
pub fn threshold(expression: &str) -> Option<(&str, f64)> {
    let compares = |c: char| c == '<' || c == '>';
    // A label's value may hold anything.
    let outside: String = expression.split('"').step_by(2).collect();
    if outside.chars().filter(|c| compares(*c)).count() != 1 {
        return None;
    }
    let (_, tail) = expression.rsplit_once(compares)?;
    let at = expression.len() - tail.len() - 1;
    let sign = match tail.starts_with('=') {
        true => &expression[at..at + 2],
        false => &expression[at..=at],
    };
    let number: f64 = tail.trim_start_matches('=').trim().parse().ok()?;
    number.is_finite().then_some((sign, number))
}

impl Chart {
    /// The series that an alert with those labels stems from; an alert adds its rule's labels to them.
    pub fn of(&self, alert: &Labels) -> Option<&Series> {
        let one = |s: &&Series| {
            (s.labels.iter())
                .filter(|(key, _)| key.as_str() != "__name__")
                .all(|(key, value)| alert.get(key) == Some(value))
        };
        self.series.iter().find(one)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_threshold_is_the_one_number_at_the_end() {
        for (expression, wanted) in [
            ("a / b > 0.1", Some((">", 0.1))),
            ("x{le=\"<5\"} <= 2e3", Some(("<=", 2_000.0))),
            ("a\n  > 2\n", Some((">", 2.0))),
            ("a > b", None),
            ("a > 1 and b < 2", None),
            ("(a > 1)", None),
            ("a > +Inf", None),
            ("vector(1)", None),
        ] {
            assert_eq!(threshold(expression), wanted, "{expression}");
        }
    }
}
