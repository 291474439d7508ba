//! Evaluating PromQL at one time.

use super::Labels;
use super::parser::Expr;
use super::series::Database;
use super::vector::{Value, Vector, binary, nameless};
use std::collections::BTreeMap;

/// What an expression yields at `at`; `now` in wall-clock seconds is what `time()` says.
pub(super) fn eval(expr: &Expr, series: &Database, at: i64, now: f64) -> Value {
    match expr {
        Expr::Number(number) => Value::Scalar(*number),
        Expr::Text(text) => Value::Text(text.clone()),
        Expr::Select { range: Some(_), .. } => Value::Vector(Vector::new()),
        Expr::Select { offset, .. } => {
            let found = selected(expr, series);
            let samples = found.filter_map(|one| Some((one.labels.clone(), one.at(at - offset)?)));
            Value::Vector(samples.collect())
        }
        Expr::Aggregate {
            name,
            by,
            labels,
            of,
        } => {
            let of = eval(of, series, at, now).vector();
            Value::Vector(aggregate(name, *by, labels, of))
        }
        Expr::Binary {
            operator,
            is_bool,
            sides,
        } => {
            let (left, right) = (
                eval(&sides.0, series, at, now),
                eval(&sides.1, series, at, now),
            );
            binary(operator, *is_bool, left, right)
        }
        Expr::Call(name, arguments) => call(name, arguments, series, at, now),
    }
}

/// The series that a selector picks.
fn selected<'a>(
    expr: &'a Expr,
    series: &'a Database,
) -> impl Iterator<Item = &'a super::series::Series> {
    let (metric, matchers) = match expr {
        Expr::Select {
            metric, matchers, ..
        } => (metric.as_str(), matchers.as_slice()),
        _ => ("", &[][..]),
    };
    let names = series
        .names()
        .filter(move |name| metric.is_empty() || *name == metric);
    names
        .flat_map(|name| series.of(name))
        .filter(move |one| matchers.iter().all(|matcher| matcher.fits(&one.labels)))
}

fn call(name: &str, arguments: &[Expr], series: &Database, at: i64, now: f64) -> Value {
    let argument = |index: usize| {
        arguments
            .get(index)
            .map_or(Value::Scalar(f64::NAN), |expr| eval(expr, series, at, now))
    };
    match (name, arguments.first()) {
        ("time", _) => Value::Scalar(now),
        ("vector", _) => Value::Vector(vec![(Labels::new(), argument(0).scalar())]),
        ("scalar", _) => Value::Scalar(argument(0).scalar()),
        ("absent", Some(of)) => match argument(0).vector().is_empty() {
            true => Value::Vector(vec![(told(of), 1.0)]),
            false => Value::Vector(Vector::new()),
        },
        ("abs", _) => {
            let samples = argument(0).vector().into_iter();
            Value::Vector(
                samples
                    .map(|(labels, value)| (nameless(&labels), value.abs()))
                    .collect(),
            )
        }
        ("histogram_quantile", _) => {
            Value::Vector(quantile(argument(0).scalar(), argument(1).vector()))
        }
        (
            _,
            Some(
                of @ Expr::Select {
                    range: Some(range),
                    offset,
                    ..
                },
            ),
        ) => {
            let to = at - offset;
            let made = selected(of, series).filter_map(|one| {
                let samples = one.within(to - range, to);
                Some((
                    nameless(&one.labels),
                    over(name, &samples, (to - range, to))?,
                ))
            });
            Value::Vector(made.collect())
        }
        _ => Value::Vector(Vector::new()),
    }
}

/// The labels that an absent series would have had for sure.
fn told(expr: &Expr) -> Labels {
    match expr {
        Expr::Select { matchers, .. } => {
            let equal = matchers
                .iter()
                .filter(|one| one.is_equal && !one.is_regex());
            equal
                .map(|one| (one.name.clone(), one.value.clone()))
                .collect()
        }
        _ => Labels::new(),
    }
}

#[allow(
    clippy::cast_precision_loss,
    reason = "milliseconds and counts of a demo"
)]
fn over(name: &str, samples: &[(i64, f64)], span: (i64, i64)) -> Option<f64> {
    let values = || samples.iter().map(|(_, value)| *value);
    let count = samples.len() as f64;
    match name {
        _ if samples.is_empty() => None,
        "rate" => Some(increase(samples, span)? / ((span.1 - span.0) as f64 / 1_000.0)),
        "increase" => increase(samples, span),
        "irate" => {
            let last = samples.get(samples.len().checked_sub(2)?..)?;
            Some(grown(last) / ((last[1].0 - last[0].0) as f64 / 1_000.0))
        }
        "delta" => Some(samples.last()?.1 - samples.first()?.1),
        "sum_over_time" => Some(values().sum()),
        "avg_over_time" => Some(values().sum::<f64>() / count),
        "min_over_time" => values().reduce(f64::min),
        "max_over_time" => values().reduce(f64::max),
        "count_over_time" => Some(count),
        _ => None,
    }
}

/// How far a counter went; one that fell began again.
fn grown(samples: &[(i64, f64)]) -> f64 {
    let steps = samples.windows(2).map(|pair| match pair[1].1 < pair[0].1 {
        true => pair[1].1,
        false => pair[1].1 - pair[0].1,
    });
    steps.sum()
}

/// The increase, extrapolated to the ends of the window as Prometheus does (`extrapolatedRate`).
#[allow(clippy::cast_precision_loss, reason = "milliseconds of a demo")]
fn increase(samples: &[(i64, f64)], (from, to): (i64, i64)) -> Option<f64> {
    let (first, last) = (samples.first()?, samples.last()?);
    if samples.len() < 2 {
        return None;
    }
    let grown = grown(samples);
    let sampled = (last.0 - first.0) as f64;
    let mean = sampled / (samples.len() - 1) as f64;
    let limit = mean * 1.1;
    let mut before = (first.0 - from) as f64;
    if before >= limit {
        before = mean / 2.0;
    }
    // A counter was never below zero.
    if grown > 0.0 && first.1 >= 0.0 {
        before = before.min(sampled * first.1 / grown);
    }
    let mut after = (to - last.0) as f64;
    if after >= limit {
        after = mean / 2.0;
    }
    Some(grown * (sampled + before + after) / sampled)
}

#[allow(clippy::cast_precision_loss, reason = "counts of a demo")]
fn aggregate(name: &str, by: bool, labels: &[String], of: Vector) -> Vector {
    let mut groups: BTreeMap<Labels, Vec<f64>> = BTreeMap::new();
    for (all, value) in of {
        let mut kept = nameless(&all);
        kept.retain(|key, _| labels.contains(key) == by);
        groups.entry(kept).or_default().push(value);
    }
    let one = |values: &[f64]| {
        let values = values.iter().copied();
        let count = values.len() as f64;
        match name {
            "sum" => values.sum(),
            "avg" => values.sum::<f64>() / count,
            "min" => values.fold(f64::NAN, f64::min),
            "max" => values.fold(f64::NAN, f64::max),
            "count" => count,
            _ => 1.0,
        }
    };
    groups
        .into_iter()
        .map(|(labels, values)| (labels, one(&values)))
        .collect()
}

/// The quantile of each histogram, by linear interpolation within its bucket.
fn quantile(wanted: f64, buckets: Vector) -> Vector {
    let mut histograms: BTreeMap<Labels, Vec<(f64, f64)>> = BTreeMap::new();
    for (all, count) in buckets {
        let mut labels = nameless(&all);
        let bound = labels
            .remove("le")
            .and_then(|bound| bound.parse::<f64>().ok());
        if let Some(bound) = bound {
            histograms.entry(labels).or_default().push((bound, count));
        }
    }
    let made = histograms.into_iter().filter_map(|(labels, mut buckets)| {
        buckets.sort_by(|a, b| a.0.total_cmp(&b.0));
        Some((labels, quantile_of(wanted, &buckets)?))
    });
    made.collect()
}

fn quantile_of(wanted: f64, buckets: &[(f64, f64)]) -> Option<f64> {
    let (top, total) = *buckets.last()?;
    if !top.is_infinite() {
        return None;
    }
    if total <= 0.0 {
        return Some(f64::NAN);
    }
    let rank = wanted * total;
    let index = buckets.iter().position(|(_, count)| *count >= rank)?;
    let (bound, count) = buckets[index];
    let (below, before) = index
        .checked_sub(1)
        .map_or((0.0, 0.0), |index| buckets[index]);
    match bound.is_infinite() {
        true => Some(below),
        false => Some(below + (bound - below) * (rank - before) / (count - before)),
    }
}
