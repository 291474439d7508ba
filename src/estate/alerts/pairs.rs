//! Alertmanager's alerts by their labels.

use std::collections::HashMap;

use super::Handled;
use crate::estate::{Labels, Safe};

/// What Alertmanager handles, by each pair of labels: else a storm of alerts would be compared each
/// with each.
pub(super) struct ByPair<'a> {
    all: &'a [Handled],
    places: HashMap<&'a (Safe, Safe), Vec<usize>>,
}

impl<'a> ByPair<'a> {
    pub(super) fn of(all: &'a [Handled]) -> Self {
        let mut places: HashMap<_, Vec<usize>> = HashMap::new();
        for (place, handled) in all.iter().enumerate() {
            for pair in handled.labels.iter() {
                places.entry(pair).or_default().push(place);
            }
        }
        Self { all, places }
    }

    /// The first that carries `labels`: Alertmanager's are Prometheus' own and the external ones.
    pub(super) fn find(&self, labels: &Labels) -> Option<&'a Handled> {
        let mut rarest: Option<&Vec<usize>> = None;
        for pair in labels.iter() {
            let places = self.places.get(pair)?;
            if rarest.is_none_or(|least| places.len() < least.len()) {
                rarest = Some(places);
            }
        }
        let candidates = rarest?.iter().map(|place| &self.all[*place]);
        candidates.into_iter().find(|h| labels.selects(&h.labels))
    }
}
