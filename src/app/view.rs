//! The levels that Enter goes down and Esc comes back from.

use std::collections::BTreeSet;

use serde::Serialize;

use super::State;
use super::logs::LogView;
use crate::estate::runs::{Repository, Run};
use crate::estate::{Labels, Safe};

/// What a level shows.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub enum View {
    /// A pod: containers, events.
    Pod(Safe),
    /// A Service: selector, endpoints, managers.
    Service(Safe),
    /// A Deployment: its rollout, by generation.
    Deployment(Safe),
    /// A workflow run, by id: jobs and steps.
    Run(u64),
    /// An alert, by its labels.
    Alert(Labels),
    /// An operation, by id: its entries.
    Operation(Safe),
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
    /// A job of a run, by id: its log.
    Job(u64),
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
pub fn items(state: &State, view: &View) -> Vec<Item> {
    let estate = state.estate();
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
            let mut seen = BTreeSet::new();
            // A pod with two addresses is one item: the cursor knows it by its name.
            let pods = uids.filter_map(|uid| estate.index.name_of(uid));
            let pods = pods.filter(|name| seen.insert(*name));
            pods.cloned().map(Item::Pod).collect()
        }
        View::Run(id) => {
            let Some((repository, run)) = run_of(state, *id) else {
                return Vec::new();
            };
            let jobs = repository.jobs_of(run).unwrap_or_default();
            jobs.into_iter().map(|j| Item::Job(j.id)).collect()
        }
        View::Alert(_) | View::Operation(_) | View::Log(_) => Vec::new(),
    }
}

/// The run of that id, with its repository.
pub fn run_of(state: &State, id: u64) -> Option<(&Repository, &Run)> {
    let repository = state.repository.as_ref()?;
    let run = repository.runs.value.iter().find(|r| r.id == id)?;
    Some((repository, run))
}
