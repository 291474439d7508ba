//! What Prometheus and those who speak like it (Thanos, Mimir, VictoriaMetrics) send. Everything that
//! some of them leave out may be missing here.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Deserializer};
use serde_json::Value;

use super::named;
use crate::clients::kubernetes::fault;
use crate::estate::alerts::{Alert, Rule, RulesSeen};
use crate::estate::chart::{Chart, Measured, Sample, Series};
use crate::estate::spells::{STEP_SECONDS, Spell};
use crate::estate::{Fault, FaultKind, Labels, Safe};

/// Series of a chart that are kept: more cannot be told apart.
const SERIES: usize = 20;

/// What is said of an answer that calls itself partial and says no more.
const PARTIAL: &str = "some of its stores did not answer";

/// Every answer.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Answer<T> {
    status: Option<String>,
    data: Option<T>,
    error_type: Option<String>,
    error: Option<String>,
    #[serde(default, deserialize_with = "nullable")]
    warnings: Vec<String>,
    /// A cluster of VictoriaMetrics says it beside the data when some of its stores did not answer.
    #[serde(default)]
    is_partial: Value,
}

#[derive(Deserialize)]
pub(super) struct Built {
    version: Option<Safe>,
}

#[derive(Deserialize)]
pub(super) struct Groups {
    #[serde(default, deserialize_with = "nullable")]
    groups: Vec<Group>,
}

#[derive(Deserialize)]
struct Group {
    #[serde(default, deserialize_with = "nullable")]
    name: String,
    #[serde(default, deserialize_with = "nullable")]
    interval: f64,
    #[serde(default, deserialize_with = "nullable")]
    rules: Vec<WireRule>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", default)]
#[derive(Default)]
struct WireRule {
    #[serde(deserialize_with = "nullable")]
    name: String,
    #[serde(deserialize_with = "nullable")]
    query: String,
    #[serde(deserialize_with = "nullable")]
    duration: f64,
    #[serde(deserialize_with = "nullable")]
    labels: BTreeMap<String, Value>,
    #[serde(deserialize_with = "nullable")]
    alerts: Vec<WireAlert>,
    health: Option<String>,
    last_error: Option<String>,
    last_evaluation: Option<String>,
    r#type: Option<String>,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
struct WireAlert {
    #[serde(deserialize_with = "nullable")]
    labels: BTreeMap<String, Value>,
    #[serde(deserialize_with = "nullable")]
    annotations: BTreeMap<String, Value>,
    state: Option<String>,
    active_at: Option<String>,
    value: Value,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ActiveTargets {
    #[serde(default, deserialize_with = "nullable")]
    active_targets: Vec<WireTarget>,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
struct WireTarget {
    #[serde(deserialize_with = "nullable")]
    labels: BTreeMap<String, Value>,
    scrape_pool: Option<String>,
    scrape_url: Option<String>,
    last_error: Option<String>,
    health: Option<String>,
}

/// What a query gives, by its type.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Result {
    #[serde(default)]
    result_type: String,
    #[serde(default)]
    result: Value,
}

#[derive(Deserialize)]
struct WireSeries {
    #[serde(default, deserialize_with = "nullable")]
    metric: BTreeMap<String, Value>,
    value: Option<(f64, Value)>,
    #[serde(default, deserialize_with = "nullable")]
    values: Vec<(f64, Value)>,
}

/// Go sends null for what is empty.
pub(super) fn nullable<'de, D: Deserializer<'de>, T: Deserialize<'de> + Default>(
    from: D,
) -> std::result::Result<T, D::Error> {
    Ok(Option::deserialize(from)?.unwrap_or_default())
}

impl<T> Answer<T> {
    /// The data and the warnings, or the error that came with a 200. Its `infos` are advice on how a query is written:
    /// nothing is missing, and no gate is unknown for one.
    fn open(self, site: &str) -> std::result::Result<(T, Vec<Safe>), Fault> {
        let partial = (self.is_partial == Value::Bool(true)).then_some(PARTIAL);
        let warnings = self.warnings.iter().map(String::as_str).chain(partial);
        let warnings = warnings.map(|w| named(site, w)).collect();
        match (self.status.as_deref(), self.data) {
            (Some("success") | None, Some(data)) if self.error.is_none() => Ok((data, warnings)),
            _ => {
                let kind = self.error_type.map(|kind| format!("{kind}: "));
                let error = self
                    .error
                    .unwrap_or_else(|| "an answer without data".into());
                let what = format!("{site} refused: {}{error}", kind.unwrap_or_default());
                Err(fault::words(FaultKind::Malformed, what))
            }
        }
    }
}

impl Answer<Built> {
    pub(super) fn version(self, site: &str) -> std::result::Result<Option<Safe>, Fault> {
        Ok(self.open(site)?.0.version.filter(|v| !v.is_empty()))
    }
}

impl Answer<Groups> {
    pub(super) fn rules(
        self,
        site: &str,
        server: Option<Timestamp>,
    ) -> std::result::Result<RulesSeen, Fault> {
        let (data, warnings) = self.open(site)?;
        let mut rules = Vec::new();
        for group in data.groups {
            let name = Safe::new(&group.name);
            let alerting = group
                .rules
                .into_iter()
                .filter(|r| r.r#type.as_deref() != Some("recording"));
            rules.extend(alerting.map(|rule| rule.rule(&name, group.interval)));
        }
        Ok(RulesSeen {
            rules,
            warnings,
            gaps: Vec::new(),
            server,
        })
    }
}

impl WireRule {
    fn rule(self, group: &Safe, interval: f64) -> Rule {
        Rule {
            name: self.name.into(),
            group: group.clone(),
            health: self.health.unwrap_or_else(|| "unknown".into()).into(),
            error: self.last_error.filter(|e| !e.is_empty()).map(Safe::from),
            evaluated: self.last_evaluation.as_deref().and_then(time),
            interval,
            expression: self.query.into(),
            hold: self.duration,
            labels: labels(self.labels),
            alerts: self
                .alerts
                .into_iter()
                .filter_map(WireAlert::alert)
                .collect(),
        }
    }
}

impl WireAlert {
    /// A state that this version does not know is taken for firing: rather too loud than silent.
    fn alert(self) -> Option<Alert> {
        let state = self.state.as_deref().unwrap_or_default();
        (state != "inactive").then(|| Alert {
            labels: labels(self.labels),
            annotations: (self.annotations.into_iter())
                .map(|(key, value)| (Safe::from(key), text(&value)))
                .collect(),
            is_firing: state != "pending",
            since: self.active_at.as_deref().and_then(time),
            value: text(&self.value),
        })
    }
}

impl Answer<ActiveTargets> {
    pub(super) fn targets(
        self,
        site: &str,
        is_ours: &impl Fn(&Labels) -> bool,
    ) -> std::result::Result<Seen, Fault> {
        let mut seen = Seen::default();
        for target in self.open(site)?.0.active_targets {
            let labels = labels(target.labels);
            if !is_ours(&labels) {
                continue;
            }
            let or = |key: &str, other: Option<String>| {
                labels
                    .get(key)
                    .cloned()
                    .unwrap_or_else(|| other.unwrap_or_default().into())
            };
            let (job, instance) = (
                or("job", target.scrape_pool),
                or("instance", target.scrape_url),
            );
            match target.health.as_deref() {
                // Not scraped yet is not down.
                Some("up" | "unknown") => seen.up.push((job, instance)),
                _ => seen
                    .down
                    .push((job, instance, target.last_error.unwrap_or_default().into())),
            }
        }
        Ok(seen)
    }
}

/// One replica's targets.
#[derive(Default)]
pub(super) struct Seen {
    pub(super) up: Vec<(Safe, Safe)>,
    pub(super) down: Vec<(Safe, Safe, Safe)>,
}

impl Answer<Result> {
    pub(super) fn measured(self, site: &str) -> std::result::Result<Measured, Fault> {
        let (data, warnings) = self.open(site)?;
        let samples = match data.result_type.as_str() {
            "scalar" => vec![(BTreeMap::new(), read::<(f64, Value)>(site, data.result)?)],
            "vector" => (read::<Vec<WireSeries>>(site, data.result)?.into_iter())
                .filter_map(|series| Some((series.metric, series.value?)))
                .collect(),
            other => return Err(unfit(site, other)),
        };
        let sample = |(metric, (_, value)): (_, (f64, Value))| Sample {
            labels: labels(metric),
            number: number(&value),
            text: text(&value),
        };
        Ok(Measured {
            samples: samples.into_iter().map(sample).collect(),
            warnings,
        })
    }

    pub(super) fn chart(
        self,
        site: &str,
        start: i64,
        step: u32,
        points: usize,
    ) -> std::result::Result<Chart, Fault> {
        let (data, warnings) = self.open(site)?;
        if data.result_type != "matrix" {
            return Err(unfit(site, &data.result_type));
        }
        let all: Vec<WireSeries> = read(site, data.result)?;
        let more = all.len().saturating_sub(SERIES);
        let series = all.into_iter().take(SERIES).map(|series| Series {
            points: grid(&series.values, start, step, points),
            labels: labels(series.metric),
        });
        Ok(Chart {
            start: Timestamp::from_second(start).unwrap_or_default(),
            step,
            series: series.collect(),
            more,
            warnings,
        })
    }
}

/// Spells, until when was looked, and warnings.
pub(super) type SpellsRead = (Vec<Spell>, Option<Timestamp>, Vec<Safe>);

impl Answer<Result> {
    /// The spells that the points make: a gap ends one.
    pub(super) fn spells(
        self,
        site: &str,
        (start, end): (i64, i64),
    ) -> std::result::Result<SpellsRead, Fault> {
        let (data, warnings) = self.open(site)?;
        if data.result_type != "matrix" {
            return Err(unfit(site, &data.result_type));
        }
        let mut spells = Vec::new();
        for mut series in read::<Vec<WireSeries>>(site, data.result)? {
            for own in ["__name__", "alertstate"] {
                series.metric.remove(own);
            }
            let labels = labels(series.metric);
            spells.extend(runs(&series.values).filter_map(|(from, to)| {
                Some(Spell {
                    labels: labels.clone(),
                    from: Timestamp::from_second(from).ok().filter(|_| from > start),
                    to: Timestamp::from_second(to).ok()?,
                })
            }));
        }
        Ok((spells, Timestamp::from_second(end).ok(), warnings))
    }
}

/// The first and the last second of each run of points that follow each other.
fn runs(values: &[(f64, Value)]) -> impl Iterator<Item = (i64, i64)> {
    #[expect(clippy::cast_possible_truncation, reason = "seconds of a clock")]
    let times = values.iter().map(|(at, _)| at.round() as i64);
    let mut runs: Vec<(i64, i64)> = Vec::new();
    for at in times {
        match runs.last_mut() {
            Some((_, to)) if at.saturating_sub(*to) <= i64::from(STEP_SECONDS) * 3 / 2 => *to = at,
            _ => runs.push((at, at)),
        }
    }
    runs.into_iter()
}

/// The values at their places; a place without a number stays empty.
#[expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "seconds, and a place that was checked to be on the grid"
)]
fn grid(values: &[(f64, Value)], start: i64, step: u32, points: usize) -> Vec<Option<f64>> {
    let mut grid = vec![None; points];
    for (at, value) in values {
        let place = ((at - start as f64) / f64::from(step.max(1))).round();
        if place >= 0.0 && place < points as f64 {
            grid[place as usize] = number(value);
        }
    }
    grid
}

fn read<T: serde::de::DeserializeOwned>(site: &str, value: Value) -> std::result::Result<T, Fault> {
    serde_json::from_value(value).map_err(|e| fault::not_json(site, &e))
}

fn unfit(site: &str, kind: &str) -> Fault {
    let what = format_args!("{site}: the expression gives a {kind:?}, which cannot be shown");
    fault::words(FaultKind::Malformed, what)
}

/// A sample's value; NaN, which stale series and 0/0 give, and Inf are no numbers.
fn number(value: &Value) -> Option<f64> {
    let number = match value {
        Value::String(text) => text.parse().ok()?,
        other => other.as_f64()?,
    };
    number.is_finite().then_some(number)
}

fn text(value: &Value) -> Safe {
    match value {
        Value::String(text) => Safe::new(text),
        Value::Null => Safe::new(""),
        other => Safe::new(&other.to_string()),
    }
}

/// What a silence repeats: what of it was left out is marked.
pub(super) fn labels(pairs: BTreeMap<String, Value>) -> Labels {
    let exact = |value: Value| match value {
        Value::String(text) => Safe::exact(&text),
        other => text(&other),
    };
    let pair = |(key, value): (String, Value)| (Safe::exact(&key), exact(value));
    pairs.into_iter().map(pair).collect()
}

/// A time; the zero time of Go means never.
fn time(text: &str) -> Option<Timestamp> {
    let time: Timestamp = text.parse().ok()?;
    (time.as_second() > 0).then_some(time)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use crate::clients::made_up::made_up;

    #[test]
    fn advice_on_how_a_query_is_written_is_no_warning() {
        let text = r#"{"status":"success","warnings":["no store"],"infos":["PromQL info: no counter"],
            "data":{"resultType":"vector","result":[]}}"#;
        let answer: Answer<Result> = serde_json::from_str(text).unwrap();
        let measured = answer.measured("p").unwrap();
        assert_eq!(measured.warnings, [Safe::new("p: no store")]);
    }

    #[test]
    fn an_answer_that_calls_itself_partial_is_not_the_whole() {
        let warnings = |partial: &str| {
            let text = format!(
                r#"{{"status":"success",{partial}"data":{{"resultType":"vector","result":[]}}}}"#
            );
            let answer: Answer<Result> = serde_json::from_str(&text).unwrap();
            answer.measured("vm").unwrap().warnings
        };
        let said = [Safe::new("vm: some of its stores did not answer")];
        assert_eq!(warnings(r#""isPartial":true,"#), said);
        for whole in ["", r#""isPartial":false,"#, r#""isPartial":null,"#] {
            assert_eq!(warnings(whole), []);
        }
    }

    const RULES: &str = r#"{"status": "success", "warnings": ["x"], "data": {"groups": [{"name": "g", "interval": 15, "rules": [
        {"name": "A", "query": "up == 0", "duration": 300, "health": "ok", "lastError": "", "lastEvaluation": "2026-11-23T20:00:00Z",
        "labels": {"severity": "critical"}, "type": "alerting", "alerts": [{"labels": {"alertname": "A"}, "annotations": {"a": "b"},
        "state": "firing", "activeAt": "2026-11-23T20:00:00.123Z", "value": "1e+00"}]}]}],
        "activeTargets": [{"labels": {"job": "j", "instance": "i"}, "scrapePool": "p", "scrapeUrl": "u", "health": "up",
        "lastError": ""}], "version": "2.42.0"}}"#;
    const RESULT: &str = r#"{"status": "success", "isPartial": false, "data": {"resultType": "matrix", "result": [
        {"metric": {"__name__": "ALERTS", "alertname": "A"}, "value": [1795464000, "NaN"],
        "values": [[1795464000, "1"], [1795464060.5, "+Inf"]]}]}}"#;

    proptest::proptest! {
        #[test]
        fn made_up_answers_of_prometheus_never_panic(rules in made_up(RULES), result in made_up(RESULT), start in -9_000_000_000_i64..9_000_000_000) {
            let read = |text: &str| serde_json::from_str::<Answer<Groups>>(text);
            let _ = read(&rules).map(|answer| answer.rules("p", None));
            let targets = serde_json::from_str::<Answer<ActiveTargets>>(&rules);
            let _ = targets.map(|answer| answer.targets("p", &|_: &Labels| true));
            let _ = serde_json::from_str::<Answer<Built>>(&rules).map(|answer| answer.version("p"));
            let vector = result.replace("matrix", "vector");
            for text in [&result, &vector] {
                let read = || serde_json::from_str::<Answer<Result>>(text);
                let _ = read().map(|answer| answer.measured("p"));
                let _ = read().map(|answer| answer.chart("p", start, 15, 240));
                let _ = read().map(|answer| answer.spells("p", (start, start + 21_600)));
            }
        }
    }
}
