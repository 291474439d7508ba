//! What the estate is about to do, in the order of its times: sleeping until the next is all it costs.

use super::store::Key;
use std::collections::BTreeMap;

/// Something that the world does by itself.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Task {
    Deployment(Key),
    ReplicaSet(Key),
    Endpoints(Key),
    /// The next step in the life of the pod with this uid.
    Pod(String),
    /// The garbage left by the owner with this uid.
    Collect(String),
    /// Load moves, and autoscalers with it.
    Traffic,
    Churn,
    /// A step of the scenario that was chosen as the nth.
    Step(u64, usize),
    /// The API goes away for so many milliseconds.
    Leave(i64),
    /// A trouble of this number ends.
    Mend(u64),
    /// The deploy of the run with this id reaches its environment.
    Deploy(u64),
    /// The pipeline moves production's traffic.
    Switch,
    /// Prometheus scrapes, and evaluates its rules.
    Scrape,
}

/// Tasks by time; one that waits already keeps the earlier time.
#[derive(Debug, Clone, Default)]
pub(super) struct Queue {
    by_time: BTreeMap<(i64, u64), Task>,
    waiting: BTreeMap<Task, (i64, u64)>,
    drawn: u64,
}

impl Queue {
    pub(super) fn push(&mut self, at: i64, task: Task) {
        if let Some(slot) = self.waiting.get(&task) {
            if slot.0 <= at {
                return;
            }
            self.by_time.remove(slot);
        }
        self.drawn += 1;
        self.by_time.insert((at, self.drawn), task.clone());
        self.waiting.insert(task, (at, self.drawn));
    }

    /// Drops what is of no interest.
    pub(super) fn retain(&mut self, keep: impl Fn(&Task) -> bool) {
        self.by_time.retain(|_, task| keep(task));
        self.waiting.retain(|task, _| keep(task));
    }

    /// When the next task is due.
    pub(super) fn next(&self) -> Option<i64> {
        self.by_time.keys().next().map(|(at, _)| *at)
    }

    /// The next task that is due at `now`, and its time.
    pub(super) fn pop(&mut self, now: i64) -> Option<(i64, Task)> {
        let slot = self
            .by_time
            .first_entry()
            .filter(|slot| slot.key().0 <= now)?;
        let ((at, _), task) = slot.remove_entry();
        self.waiting.remove(&task);
        Some((at, task))
    }
}
