//! The levels that Enter goes down and Esc comes back from.

use serde::Serialize;

use super::logs::LogView;
use crate::estate::{Estate, Safe};

/// What a level shows.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub enum View {
    /// A pod: containers, events.
    Pod(Safe),
    /// A Service: selector, endpoints, managers.
    Service(Safe),
    /// A Deployment: its rollout, by generation.
    Deployment(Safe),
    /// A log.
    Log(LogView),
}

/// A level below the first screen.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Level {
    /// What it shows.
    pub view: View,
    /// The item under the cursor, by identity.
    pub cursor: Option<Item>,
    /// Lines scrolled down from where the cursor's line would be shown anyway.
    pub scroll: i32,
}

/// Something in a detail that Enter can go into.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub enum Item {
    /// A container of the pod: its log.
    Container(Safe),
    /// A pod.
    Pod(Safe),
}

impl Level {
    /// A level at its top.
    pub fn new(view: View) -> Self {
        Self {
            view,
            cursor: None,
            scroll: 0,
        }
    }

    /// Where the cursor is among `items`: by identity, else at the first.
    pub fn position(&self, items: &[Item]) -> usize {
        let at = self.cursor.as_ref();
        items.iter().position(|i| Some(i) == at).unwrap_or(0)
    }
}

/// What Enter can go into in `view`.
pub fn items(estate: &Estate, view: &View) -> Vec<Item> {
    match view {
        View::Pod(name) => {
            let pod = estate.pods.value.get(name);
            let containers = pod.into_iter().flat_map(|p| &p.containers);
            containers
                .map(|c| Item::Container(c.name.clone()))
                .collect()
        }
        View::Deployment(name) => {
            let Some(deployment) = estate.deployments.value.get(name) else {
                return Vec::new();
            };
            let group = estate.deployment_group(deployment);
            let pods = estate
                .index
                .ordered()
                .filter(|p| estate.index.group(p) == Some(group));
            pods.cloned().map(Item::Pod).collect()
        }
        View::Service(name) => {
            let slices = estate.slices.value.iter().filter(|s| s.service == *name);
            let uids = slices
                .flat_map(|s| &s.endpoints)
                .filter_map(|e| e.target.as_ref());
            let pods = uids.filter_map(|uid| estate.index.name_of(uid));
            pods.cloned().map(Item::Pod).collect()
        }
        View::Log(_) => Vec::new(),
    }
}
