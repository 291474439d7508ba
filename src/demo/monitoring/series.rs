//! Series and their samples: as much of a time series database as an hour of a demo needs.

use super::Labels;
use std::collections::{BTreeMap, VecDeque};

/// Older samples are forgotten.
const KEPT: i64 = 3_600_000;
/// A sample counts for so long, unless its series ended.
const LOOKBACK: i64 = 300_000;

/// A series; a sample that is NaN marks where it ended.
#[derive(Debug)]
pub(super) struct Series {
    pub(super) labels: Labels,
    samples: VecDeque<(i64, f64)>,
}

/// All series by metric name and by what identifies them there.
#[derive(Debug, Default)]
pub(super) struct Database {
    metrics: BTreeMap<&'static str, BTreeMap<String, Series>>,
}

impl Series {
    /// The value that counts at `at`.
    pub(super) fn at(&self, at: i64) -> Option<f64> {
        let end = self.samples.partition_point(|(time, _)| *time <= at);
        let (time, value) = *self.samples.get(end.checked_sub(1)?)?;
        (at - time < LOOKBACK && !value.is_nan()).then_some(value)
    }

    /// The samples after `from` and up to `to`.
    pub(super) fn within(&self, from: i64, to: i64) -> Vec<(i64, f64)> {
        let begin = self.samples.partition_point(|(time, _)| *time <= from);
        let end = self.samples.partition_point(|(time, _)| *time <= to);
        let samples = self.samples.range(begin..end.max(begin)).copied();
        samples.filter(|(_, value)| !value.is_nan()).collect()
    }
}

impl Database {
    /// Adds a sample; `labels` are made where the series is new.
    pub(super) fn push(
        &mut self,
        metric: &'static str,
        id: &str,
        sample: (i64, f64),
        labels: impl FnOnce() -> Labels,
    ) {
        let shelf = self.metrics.entry(metric).or_default();
        if let Some(series) = shelf.get_mut(id) {
            series.samples.push_back(sample);
            return;
        }
        let mut labels = labels();
        labels.insert("__name__".to_owned(), metric.to_owned());
        let samples = VecDeque::from([sample]);
        shelf.insert(id.to_owned(), Series { labels, samples });
    }

    /// Ends the series that got no sample at `at`, and forgets what is old.
    pub(super) fn settle(&mut self, at: i64) {
        for shelf in self.metrics.values_mut() {
            for series in shelf.values_mut() {
                let last = series.samples.back().copied();
                if last.is_some_and(|(time, value)| time < at && !value.is_nan()) {
                    series.samples.push_back((at, f64::NAN));
                }
                while series
                    .samples
                    .front()
                    .is_some_and(|(time, _)| *time < at - KEPT)
                {
                    series.samples.pop_front();
                }
            }
            shelf.retain(|_, series| !series.samples.is_empty());
        }
    }

    /// The series of a metric.
    pub(super) fn of(&self, metric: &str) -> impl Iterator<Item = &Series> {
        self.metrics
            .get(metric)
            .into_iter()
            .flat_map(BTreeMap::values)
    }

    pub(super) fn names(&self) -> impl Iterator<Item = &'static str> {
        self.metrics.keys().copied()
    }
}
