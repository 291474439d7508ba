//! The lists that a repository's runs come from, as one.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use crate::clients::github::OF_BRANCH;
use crate::estate::runs::Run;

/// Runs that are kept of what fell out of a page.
const BRIDGED: usize = 500;

fn is_in(list: &[Run], run: &Run) -> bool {
    list.iter().any(|it| it.id == run.id)
}

/// The newest runs of all, and those of the branches of which these are too few: on a busy repository pull requests push
/// what is deployed out of the first.
#[derive(Default)]
pub(super) struct Lists {
    newest: Vec<Run>,
    of: BTreeMap<String, Vec<Run>>,
    /// Later pages, by their number; at 0 what fell out of the newest since these were asked for.
    older: BTreeMap<u32, Vec<Run>>,
    /// The last of them that there is; what is kept beyond it is what it was when it was unchanged last.
    last: u32,
    /// Whether what was put in last is still to be told.
    pub(super) is_news: bool,
}

impl Lists {
    /// Takes the newest runs of all; whether one of those before is still among them, so that what fell out is known.
    pub(super) fn put(&mut self, runs: Vec<Run>) -> bool {
        let before = std::mem::replace(&mut self.newest, runs);
        let is_joined = before.iter().any(|run| is_in(&self.newest, run));
        self.bridge(before, 1);
        self.is_news = true;
        is_joined
    }

    /// Takes the runs of a later page.
    pub(super) fn put_older(&mut self, page: u32, runs: Vec<Run>) {
        let before = self.older.insert(page, runs);
        self.bridge(before.unwrap_or_default(), page);
        self.is_news = true;
    }

    /// Keeps what stood on that page before and does not now: one that came moved it to the next, which is not asked for yet.
    fn bridge(&mut self, before: Vec<Run>, page: u32) {
        if self.last < 2 {
            return;
        }
        let now = match page {
            1 => Some(&self.newest),
            _ => self.older.get(&page),
        };
        let now = now.map_or(&[][..], |runs| runs);
        let fell: Vec<Run> = (before.into_iter().filter(|run| !is_in(now, run))).collect();
        let kept = self.older.entry(0).or_default();
        kept.extend(fell);
        // As many as are shown at the most, however long the later pages cannot be had.
        kept.sort_by_key(|run| Reverse((run.number, run.id)));
        kept.dedup_by_key(|run| run.id);
        kept.truncate(BRIDGED);
    }

    /// Whether there may be runs behind that page.
    pub(super) fn goes_on(&self, page: u32) -> bool {
        let last = match page {
            1 => Some(&self.newest),
            _ => self.older.get(&page),
        };
        last.is_some_and(|runs| !runs.is_empty())
    }

    /// All later pages up to `last` are as they are now: what stands behind them, or fell out meanwhile, is gone.
    pub(super) fn settle(&mut self, last: u32) {
        let fell = self.older.remove(&0);
        self.is_news |= fell.is_some_and(|runs| !runs.is_empty()) || self.last != last;
        self.last = last;
    }

    /// The runs of the later pages.
    fn behind(&self) -> impl Iterator<Item = &Run> {
        self.older.range(..=self.last).flat_map(|(_, runs)| runs)
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
        let all = self.newest.iter().chain(self.of.values().flatten());
        for run in all.chain(self.behind()) {
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
