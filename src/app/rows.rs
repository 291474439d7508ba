//! The rows of the Pods panel and the cursor among them. The cursor remembers what it is on, not where.

use serde::Serialize;

use super::filter;
use super::state::{Environment, Panel, State};
use crate::estate::{Estate, Group, Safe};

/// A row that the cursor can be on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub enum Row {
    /// A workload's line, in both colours.
    Workload(usize),
    /// A pod.
    Pod(Safe),
}

/// The cursor: an identity, and where it was last found.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Cursor {
    /// What it is on; none while there is nothing.
    pub on: Option<Row>,
    /// Where that was last found: when it goes, the cursor stays in its place.
    pub index: usize,
    /// The colour's column, on a workload's line.
    pub colour: usize,
}

impl Environment {
    /// How many rows there are.
    pub fn row_count(&self) -> usize {
        self.workload_rows() + self.pod_count()
    }

    /// Workload lines are not narrowed away while there is no filter.
    pub fn workload_rows(&self) -> usize {
        match self.narrowed {
            Some(_) => 0,
            None => self.estate.scope.workloads.len(),
        }
    }

    /// How many pods the list has.
    pub fn pod_count(&self) -> usize {
        (self.narrowed.as_ref()).map_or(self.estate.pods.value.len(), Vec::len)
    }

    /// The pods from the `skip`th on, in order.
    pub fn pods_from(&self, skip: usize) -> Box<dyn Iterator<Item = &Safe> + '_> {
        match &self.narrowed {
            Some(names) => Box::new(names.iter().skip(skip)),
            None => Box::new(self.estate.index.ordered().skip(skip)),
        }
    }

    /// The row at `index`.
    pub fn row(&self, index: usize) -> Option<Row> {
        let workloads = self.workload_rows();
        match index.checked_sub(workloads) {
            None => Some(Row::Workload(index)),
            Some(pod) => self.pods_from(pod).next().cloned().map(Row::Pod),
        }
    }

    /// Where `row` is.
    fn position(&self, row: &Row) -> Option<usize> {
        match row {
            Row::Workload(n) => (*n < self.workload_rows()).then_some(*n),
            Row::Pod(name) => {
                let at = self.pods_from(0).position(|p| p == name)?;
                Some(at + self.workload_rows())
            }
        }
    }

    /// Finds the cursor again after the rows changed.
    pub fn settle_cursor(&mut self) {
        let Some(on) = &self.cursor.on else {
            self.cursor.on = self.row(0);
            return;
        };
        match self.position(on) {
            Some(index) => self.cursor.index = index,
            None => {
                self.cursor.index = self.cursor.index.min(self.row_count().saturating_sub(1));
                self.cursor.on = self.row(self.cursor.index);
            }
        }
    }

    /// Moves the cursor by `by` rows, or to the ends.
    pub fn move_cursor(&mut self, by: i64) {
        let last = self.row_count().saturating_sub(1);
        let index = i64::try_from(self.cursor.index).unwrap_or(i64::MAX);
        let index = usize::try_from(index.saturating_add(by).max(0)).unwrap_or(last);
        self.cursor.index = index.min(last);
        self.cursor.on = self.row(self.cursor.index);
    }

    /// The group that a workload's line and column stand for.
    pub fn group_under(&self, workload: usize) -> Group {
        Group {
            workload: Some(workload),
            colour: self
                .estate
                .scope
                .traffic
                .as_ref()
                .map(|_| self.cursor.colour),
        }
    }
}

/// Narrows the pods of the environment on the screen to the filter, when there is one and it is theirs:
/// what is typed for another panel must not make pods vanish.
pub fn narrow(state: &mut State) {
    let text = state.filter.text().to_owned();
    let is_theirs = matches!(state.panel, Panel::Traffic | Panel::Pods) && state.levels.is_empty();
    let environment = state.environment_mut();
    environment.narrowed = match text.is_empty() || !is_theirs {
        true => None,
        false => Some(matching(&environment.estate, &text)),
    };
}

fn matching(estate: &Estate, text: &str) -> Vec<Safe> {
    let names = estate
        .index
        .ordered()
        .map(|name| (name.clone(), name.as_str()));
    // The pair borrows from the index only, so that the kept names can be cloned out of it.
    filter::matching(text, names)
}
