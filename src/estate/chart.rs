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
