//! The lists that a repository's runs come from, as one.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use crate::clients::github::OF_BRANCH;
use crate::estate::runs::Run;

/// The newest runs of all, and those of the branches of which these are too few: on a busy repository pull requests push
/// what is deployed out of the first.
#[derive(Default)]
pub(super) struct Lists {
    newest: Vec<Run>,
    of: BTreeMap<String, Vec<Run>>,
    /// Whether what was put in last is still to be told.
    pub(super) is_news: bool,
}

impl Lists {
    /// Takes the newest runs of all.
    pub(super) fn put(&mut self, runs: Vec<Run>) {
        self.newest = runs;
        self.is_news = true;
    }

    /// Takes the newest runs of `branch`.
    pub(super) fn put_of(&mut self, branch: &str, runs: Vec<Run>) {
        self.of.insert(branch.to_owned(), runs);
        self.is_news = true;
    }

    /// Whether the newest runs of all hold fewer of `branch` than are looked at.
    pub(super) fn lack(&self, branch: &str) -> bool {
        let of_it = |run: &&Run| run.branch.as_ref().is_some_and(|it| it.as_str() == branch);
        self.newest.iter().filter(of_it).count() < OF_BRANCH
    }

    /// Whether there is a list of `branch`, by which a later one may be unchanged.
    pub(super) fn hold(&self, branch: &str) -> bool {
        self.of.contains_key(branch)
    }

    /// All of them, each once and as it was seen last, newest first.
    pub(super) fn merged(&self) -> Vec<Run> {
        let mut by_id: BTreeMap<u64, &Run> = BTreeMap::new();
        for run in self.newest.iter().chain(self.of.values().flatten()) {
            let age = |run: &Run| (run.attempt, run.updated);
            let kept = by_id.entry(run.id).or_insert(run);
            if age(kept) < age(run) {
                *kept = run;
            }
        }
        let mut runs: Vec<Run> = by_id.into_values().cloned().collect();
        runs.sort_by_key(|run| Reverse((run.number, run.id)));
        runs
    }
}
