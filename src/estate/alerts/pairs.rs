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

    /// What is done with the alert of those `labels`: Alertmanager's are Prometheus' own and the external ones. Several may
    /// fit, of other Prometheus that share this Alertmanager, and nobody here knows which labels are external: it is quiet
    /// only if all of them are.
    pub(super) fn find(&self, labels: &Labels) -> Found<'a> {
        let all = self.all(labels);
        let same = all.iter().find(|h| h.labels == *labels);
        let loud = all.iter().find(|h| !h.is_quiet());
        let handled = loud.or(same).or(all.first()).copied();
        let is_disputed = loud.is_some() && all.iter().any(|h| h.is_quiet());
        Found {
            handled,
            is_disputed,
        }
    }

    fn all(&self, labels: &Labels) -> Vec<&'a Handled> {
        let mut rarest: Option<&Vec<usize>> = None;
        for pair in labels.iter() {
            let Some(places) = self.places.get(pair) else {
                return Vec::new();
            };
            if rarest.is_none_or(|least| places.len() < least.len()) {
                rarest = Some(places);
            }
        }
        let candidates = rarest.into_iter().flatten().map(|place| &self.all[*place]);
        candidates.filter(|h| labels.selects(&h.labels)).collect()
    }
}

/// What Alertmanager does with an alert of ours.
pub(super) struct Found<'a> {
    pub(super) handled: Option<&'a Handled>,
    /// Several may be it, and only some of them are quiet.
    pub(super) is_disputed: bool,
}

impl Handled {
    fn is_quiet(&self) -> bool {
        !self.silenced_by.is_empty() || !self.inhibited_by.is_empty()
    }
}
