//! Which alerts and queries of monitoring are gates, and what a query gave. NaN, nothing, more than one
//! number, and a part of the whole are no answer: no gate passes on them (I-9).

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::chart::Measured;
use super::{Estate, Fault, Labels, Moment, Safe};

/// What stands for the colour that traffic is to go to, in the text of a query.
pub const COLOUR: &str = "$colour";

/// The gates of an environment, by configuration.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct GateScope {
    /// An alert is a gate if its labels fit one of these.
    pub alerts: Vec<Fit>,
    /// Queries that are gates.
    pub queries: Vec<Query>,
    /// Seconds between two questions.
    pub interval_s: u64,
    /// Seconds that a soak may be UNKNOWN before it holds and calls.
    pub unknown_s: u64,
    /// The requests a second that `$colour` gets: no gate, but what tells whether a colour that traffic left still serves.
    #[serde(default)]
    pub draining: Option<Query>,
}

/// The name of the query of requests a second; no gate may have it, since it has a blank.
pub const DRAINING: &str = "requests a second";
/// Fewer requests a second are about none.
const DRAINED: f64 = 0.05;

impl Default for GateScope {
    fn default() -> Self {
        let critical = [("severity".into(), vec!["critical".into()])];
        Self {
            alerts: vec![Fit(critical.into_iter().collect())],
            queries: Vec::new(),
            interval_s: 10,
            unknown_s: 60,
            draining: None,
        }
    }
}

/// Labels, and for each the values that it may have: all of them must fit.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Fit(pub BTreeMap<Safe, Vec<Safe>>);

impl Fit {
    /// Whether `labels` fit.
    pub fn takes(&self, labels: &Labels) -> bool {
        (self.0.iter()).all(|(key, values)| labels.get(key).is_some_and(|v| values.contains(v)))
    }
}

impl std::fmt::Display for Fit {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let word = |(key, values): (&Safe, &Vec<Safe>)| {
            let values: Vec<&str> = values.iter().map(Safe::as_str).collect();
            format!("{key}={}", values.join("|"))
        };
        let words: Vec<String> = self.0.iter().map(word).collect();
        f.write_str(&words.join(" "))
    }
}

impl GateScope {
    /// Whether an alert with `labels` is a gate.
    pub fn takes(&self, labels: &Labels) -> bool {
        self.alerts.iter().any(|fit| fit.takes(labels))
    }

    /// The queries that are asked: those that are gates, and that of the requests.
    pub fn asked(&self) -> impl Iterator<Item = &Query> {
        self.queries.iter().chain(&self.draining)
    }

    /// Whether monitoring is asked for nothing that is a gate.
    pub fn is_empty(&self) -> bool {
        self.alerts.is_empty() && self.queries.is_empty()
    }

    /// Which alerts are gates, in words.
    pub fn alerts_in_words(&self) -> String {
        let words: Vec<String> = self.alerts.iter().map(ToString::to_string).collect();
        words.join(" or ")
    }
}

/// A query that is a gate.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Query {
    /// What people call it.
    pub name: Safe,
    /// PromQL that gives one number; `$colour` stands for the colour that traffic is to go to.
    pub expression: Safe,
    /// The number must be below it.
    pub below: Option<f64>,
    /// The number must be above it.
    pub above: Option<f64>,
    /// How much traffic it needs to mean something.
    pub traffic: Option<Traffic>,
}

/// How much traffic a query needs to mean something.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Traffic {
    /// PromQL that gives the number of requests; `$colour` as above.
    pub expression: Safe,
    /// The fewest that are enough.
    pub least: f64,
    /// What less of them means.
    pub quiet: Quiet,
}

/// What too little traffic means.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Quiet {
    /// UNKNOWN: it blocks a cutover, and holds a soak.
    Hold,
    /// It is noted before a cutover; a soak waits for traffic, its seconds do not count.
    Extend,
    /// It is noted.
    Pass,
}

/// What a query gave.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Reading {
    /// The query's name.
    pub gate: Safe,
    /// The colour that stood in it; none where it names none.
    pub colour: Option<Safe>,
    /// Its number, or why there is none.
    pub value: Result<f64, Safe>,
    /// The number of requests, where that was asked.
    pub requests: Option<Result<f64, Safe>>,
}

/// What the queries gave last, and when.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Readings(BTreeMap<(Safe, Option<Safe>), (Moment, Reading)>);

impl Readings {
    /// Takes what was read at `at`.
    pub fn take(&mut self, reading: Reading, at: Moment) {
        let key = (reading.gate.clone(), reading.colour.clone());
        self.0.insert(key, (at, reading));
    }

    /// What `query` gave about `colour`, and when.
    pub fn of(&self, query: &Query, colour: &Safe) -> Option<&(Moment, Reading)> {
        let key = (query.name.clone(), query.colour(colour).cloned());
        self.0.get(&key)
    }
}

impl Query {
    /// `colour`, if it stands in the query.
    pub fn colour<'a>(&self, colour: &'a Safe) -> Option<&'a Safe> {
        let names = |text: &Safe| text.contains(COLOUR);
        let is_named = names(&self.expression) || self.traffic.iter().any(|t| names(&t.expression));
        is_named.then_some(colour)
    }
}

impl Reading {
    /// Of `query` about `colour`, by what was answered.
    pub fn of(
        query: &Query,
        colour: &Safe,
        value: Result<Measured, Fault>,
        requests: Option<Result<Measured, Fault>>,
    ) -> Self {
        let one = |answer: Result<Measured, Fault>| match answer {
            Ok(measured) => number(&measured),
            Err(fault) => Err(fault.what),
        };
        Self {
            gate: query.name.clone(),
            colour: query.colour(colour).cloned(),
            value: one(value),
            requests: requests.map(one),
        }
    }
}

/// Whether a colour that traffic left still serves: its connections stay where they are (I-18).
#[derive(Clone, Debug, PartialEq)]
pub enum Draining {
    /// So many requests a second still go there.
    Still(f64),
    /// About none does.
    Drained,
    /// It was not asked yet.
    Waiting,
    /// It was not told lately; why.
    Unknown(Safe),
}

impl std::fmt::Display for Draining {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Still(rate) if *rate < 10.0 => write!(f, "draining, {rate:.1} requests/s"),
            Self::Still(rate) => write!(f, "draining, {rate:.0} requests/s"),
            Self::Drained => f.write_str("drained"),
            Self::Waiting => f.write_str("draining? not asked yet"),
            Self::Unknown(why) => write!(f, "draining? {why}"),
        }
    }
}

impl Estate {
    /// Whether the colour that no Service of the switch selects still serves, by the configured query; none where there is
    /// none, or no such colour.
    pub fn draining(&self, now: Moment) -> Option<Draining> {
        let (switch, alerts) = (self.scope.traffic.as_ref()?, self.alerts.as_ref()?);
        let idle = 1 - self.live_colour()?;
        let gates = &alerts.scope.gates;
        let query = gates.draining.as_ref()?;
        let Some((at, reading)) = alerts.readings.of(query, &switch.colours[idle]) else {
            return Some(Draining::Waiting);
        };
        if now.since(*at) > 3_000 * gates.interval_s {
            return Some(Draining::Unknown("not told lately".into()));
        }
        Some(match &reading.value {
            Ok(rate) if *rate < DRAINED => Draining::Drained,
            Ok(rate) => Draining::Still(*rate),
            Err(why) => Draining::Unknown(why.clone()),
        })
    }
}

/// The text of an expression about `colour`. A colour is a label's value: it needs no escape.
pub fn about(expression: &str, colour: &str) -> String {
    expression.replace(COLOUR, colour)
}

/// The one number that a query gave.
///
/// # Errors
/// Why there is none: a part of it is missing, nothing, several, or no number.
pub fn number(measured: &Measured) -> Result<f64, Safe> {
    if let Some(warning) = measured.warnings.first() {
        return Err(format!("the answer is partial: {warning}").into());
    }
    match &measured.samples[..] {
        [] => Err("no data: the query gives nothing".into()),
        [one] => one
            .number
            .ok_or_else(|| format!("{} is no number", one.text).into()),
        many => Err(format!("{} series where one number is wanted", many.len()).into()),
    }
}

/// The longest window of an expression in seconds: `rate(x[5m])` has 300; 0 where it has none.
pub fn window_s(expression: &str) -> f64 {
    // What stands in quotes may hold anything.
    let outside = expression.split('"').step_by(2);
    let ranges = outside.flat_map(|text| text.split('[').skip(1));
    let range = |text: &str| {
        let range = text.split([']', ':']).next().unwrap_or_default();
        seconds(range.trim())
    };
    ranges.filter_map(range).fold(0.0, f64::max)
}

/// A duration as PromQL writes it: `1h30m`, `90s`.
fn seconds(text: &str) -> Option<f64> {
    let (mut all, mut digits, mut unit) = (0.0, String::new(), String::new());
    let unit_s = |unit: &str| match unit {
        "ms" => Some(0.001),
        "s" => Some(1.0),
        "m" => Some(60.0),
        "h" => Some(3_600.0),
        "d" => Some(86_400.0),
        "w" => Some(604_800.0),
        "y" => Some(31_536_000.0),
        _ => None,
    };
    for letter in text.chars().chain(['0']) {
        match (letter.is_ascii_digit(), unit.is_empty()) {
            (true, true) => digits.push(letter),
            (true, false) => {
                let count: f64 = digits.parse().ok()?;
                all += count * unit_s(&unit)?;
                (digits, unit) = (letter.to_string(), String::new());
            }
            (false, _) => unit.push(letter),
        }
    }
    (all > 0.0).then_some(all)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::estate::chart::Sample;

    fn measured(values: &[Option<f64>]) -> Measured {
        let sample = |number: &Option<f64>| Sample {
            labels: Labels::default(),
            text: "NaN".into(),
            number: *number,
        };
        Measured {
            samples: values.iter().map(sample).collect(),
            warnings: Vec::new(),
        }
    }

    #[test]
    fn i_18_the_colour_that_traffic_left_is_draining_until_about_no_request_goes_there() {
        use super::super::alerts::{AlertScope, Alerts, AlertsSeen};
        use super::super::fold::tests::now;
        use super::super::health::tests::service;
        use super::super::pods::tests::scope;
        use super::super::{Delta, Seen};
        let query = Query {
            name: DRAINING.into(),
            expression: "sum(rate(requests{colour=\"$colour\"}[1m]))".into(),
            below: None,
            above: None,
            traffic: None,
        };
        let mut estate = Estate::new(scope(), None);
        let mut alerts = AlertScope::default();
        alerts.gates.draining = Some(query.clone());
        estate.alerts = Some(Alerts::new(alerts));
        assert_eq!(
            estate.draining(now(0).at),
            None,
            "which colour is idle is not known"
        );
        let live = service(&[("version", "green")]);
        for delta in [Delta::Began, Delta::Page(vec![live]), Delta::Ended] {
            estate.apply(Seen::Services(delta), now(0));
        }
        let at = now(60_000).at;
        assert_eq!(estate.draining(at), Some(Draining::Waiting));
        let read = |estate: &mut Estate, value: Result<f64, Safe>| {
            let reading = Reading {
                gate: DRAINING.into(),
                colour: Some("blue".into()),
                value,
                requests: None,
            };
            let alerts = estate.alerts.as_mut();
            if let Some(alerts) = alerts {
                alerts.apply(AlertsSeen::Read(reading), at);
            }
        };
        for (value, said) in [
            (Ok(41.7), "draining, 42 requests/s"),
            (Ok(0.31), "draining, 0.3 requests/s"),
            (Ok(0.01), "drained"),
            (
                Err("no data: the query gives nothing".into()),
                "draining? no data: the query gives nothing",
            ),
        ] {
            read(&mut estate, value);
            let words = estate.draining(at).map(|it| it.to_string());
            assert_eq!(words.as_deref(), Some(said));
        }
        read(&mut estate, Ok(3.0));
        let later = now(120_000).at;
        assert!(
            matches!(estate.draining(later), Some(Draining::Unknown(_))),
            "old news"
        );
    }

    #[test]
    fn i_9_nothing_several_and_nan_are_no_number() {
        assert_eq!(number(&measured(&[Some(0.5)])), Ok(0.5));
        for (values, said) in [
            (&[][..], "no data"),
            (&[None][..], "NaN is no number"),
            (&[Some(1.0), Some(2.0)][..], "2 series"),
        ] {
            let why = number(&measured(values)).err().unwrap_or_else(|| "".into());
            assert!(why.contains(said), "{why}");
        }
    }

    #[test]
    fn i_9_a_number_that_the_server_warns_of_is_unknown_in_its_words() {
        let mut partial = measured(&[Some(0.0)]);
        partial.warnings = vec!["store eu-2 did not answer".into()];
        let why = number(&partial).err().unwrap_or_else(|| "".into());
        assert!(why.contains("partial: store eu-2"), "{why}");
    }

    #[test]
    fn i_10_the_longest_window_of_an_expression_is_found() {
        for (expression, wanted) in [
            ("rate(a[5m]) / rate(b[1h30m]) > 0.1", 5_400.0),
            ("max_over_time(x{le=\"[9h]\"}[90s:15s])", 90.0),
            ("up == 0", 0.0),
        ] {
            assert!((window_s(expression) - wanted).abs() < 1e-9, "{expression}");
        }
    }

    #[test]
    fn every_label_of_a_fit_must_have_one_of_its_values() {
        let fit = Fit([
            ("severity".into(), vec!["critical".into(), "page".into()]),
            ("team".into(), vec!["wall".into()]),
        ]
        .into_iter()
        .collect());
        let labels = |pairs: &[(&str, &str)]| -> Labels {
            pairs
                .iter()
                .map(|(k, v)| ((*k).into(), (*v).into()))
                .collect()
        };
        assert!(fit.takes(&labels(&[("severity", "page"), ("team", "wall")])));
        assert!(!fit.takes(&labels(&[("severity", "page")])));
        assert!(!fit.takes(&labels(&[("severity", "info"), ("team", "wall")])));
        assert_eq!(fit.to_string(), "severity=critical|page team=wall");
    }
}
