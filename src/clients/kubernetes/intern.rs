//! Equal texts of many objects kept once: 50,000 pods carry a few hundred different label values.

use std::collections::HashSet;

use crate::estate::{Ended, Labels, Ports, Safe};

/// More different texts than this are not remembered: names that are never met again cost nothing.
const LIMIT: usize = 8192;

/// The texts met so far on one stream.
#[derive(Default)]
pub(super) struct Interner {
    texts: HashSet<Safe>,
    labels: HashSet<Labels>,
    ports: HashSet<Ports>,
}

impl Interner {
    /// Makes `text` share its memory with an equal one.
    pub(super) fn text(&mut self, text: &mut Safe) {
        if let Some(known) = self.texts.get(text.as_str()) {
            *text = known.clone();
        } else if self.texts.len() < LIMIT {
            self.texts.insert(text.clone());
        }
    }

    /// The same, where there is one.
    pub(super) fn maybe(&mut self, text: &mut Option<Safe>) {
        if let Some(text) = text {
            self.text(text);
        }
    }

    /// The same for a whole map.
    pub(super) fn labels(&mut self, labels: &mut Labels) {
        if let Some(known) = self.labels.get(labels) {
            *labels = known.clone();
            return;
        }
        let pairs = labels.iter().cloned().map(|(mut key, mut value)| {
            self.text(&mut key);
            self.text(&mut value);
            (key, value)
        });
        *labels = pairs.collect();
        if self.labels.len() < LIMIT {
            self.labels.insert(labels.clone());
        }
    }

    /// The same for named ports: all pods of a template have the same.
    pub(super) fn ports(&mut self, ports: &mut Ports) {
        if let Some(known) = self.ports.get(ports) {
            *ports = known.clone();
        } else if self.ports.len() < LIMIT {
            self.ports.insert(ports.clone());
        }
    }

    /// The same for how a container ended.
    pub(super) fn ended(&mut self, ended: &mut Ended) {
        self.text(&mut ended.reason);
        self.maybe(&mut ended.message);
    }
}
