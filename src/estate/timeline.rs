//! One list of what changed: traffic, rollouts, pods, alerts and runs, the newest first.
//!
//! It is derived from what the APIs still know (Events, ReplicaSets, managed fields, runs, alerts), not
//! from what this process happened to see: a restarted cockpit shows the same.

use jiff::Timestamp;
use serde::Serialize;

use super::runs::Repository;
use super::{Estate, Labels, Safe};

mod cause;
mod note;
mod seen;

use cause::Causes;
pub use note::{CLIPBOARD, note, utc};
pub use seen::{about, ending};

/// The most happenings of one topic that are kept, the newest.
const MOST: usize = 200;
/// Two clocks tell the same flip within so many seconds.
const SAME_SECONDS: i64 = 5;

/// What changed, and how much of it is not kept.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Timeline {
    /// The newest first.
    pub happenings: Vec<Happening>,
    /// How many older ones are known of and left out.
    pub left_out: usize,
}

/// Something that changed.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Happening {
    /// When.
    pub at: Timestamp,
    /// How it is to be read.
    pub weight: Weight,
    /// What changed, in words.
    pub what: Safe,
    /// By whom or by what.
    pub note: Option<Safe>,
    /// How long after the flip or the rollout that may have caused it: `41 s after the flip`.
    pub after: Option<Safe>,
    /// Where Enter jumps to.
    pub source: Source,
}

/// How a happening is to be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Weight {
    /// Traffic moved.
    Traffic,
    /// Something new is there.
    Change,
    /// Something went well.
    Good,
    /// Something is wrong.
    Bad,
    /// Worth a look.
    Look,
}

/// What a happening is about.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Source {
    /// A Service.
    Service(Safe),
    /// A Deployment.
    Deployment(Safe),
    /// A pod.
    Pod(Safe),
    /// An alert, by its labels.
    Alert(Labels),
    /// A run, by id.
    Run(u64),
    /// An operation, by id.
    Operation(Safe),
    /// The policy.
    Policy,
}

/// What happenings are sorted into.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Topic {
    /// Flips.
    Traffic,
    /// New revisions.
    Rollouts,
    /// Pods in trouble.
    Pods,
    /// Alerts that began or ended.
    Alerts,
    /// Workflow runs.
    Runs,
}

impl Topic {
    /// In the order in which the key goes through them.
    pub const ALL: [Self; 5] = [
        Self::Traffic,
        Self::Rollouts,
        Self::Pods,
        Self::Alerts,
        Self::Runs,
    ];

    /// Its word, which the filter understands, too.
    pub fn word(self) -> &'static str {
        match self {
            Self::Traffic => "traffic",
            Self::Rollouts => "rollouts",
            Self::Pods => "pods",
            Self::Alerts => "alerts",
            Self::Runs => "runs",
        }
    }

    /// The topic of that word, in the singular as well.
    pub fn named(word: &str) -> Option<Self> {
        let is_it = |t: &&Self| t.word() == word || t.word().strip_suffix('s') == Some(word);
        Self::ALL.iter().find(is_it).copied()
    }
}

impl Weight {
    /// Its word, for text without marks.
    pub fn word(self) -> &'static str {
        match self {
            Self::Traffic => "FLIP",
            Self::Change => "new",
            Self::Good => "ok",
            Self::Bad => "BAD",
            Self::Look => "look",
        }
    }
}

impl Happening {
    /// What it is sorted into.
    pub fn topic(&self) -> Topic {
        match self.source {
            Source::Service(_) | Source::Operation(_) | Source::Policy => Topic::Traffic,
            Source::Deployment(_) => Topic::Rollouts,
            Source::Pod(_) => Topic::Pods,
            Source::Alert(_) => Topic::Alerts,
            Source::Run(_) => Topic::Runs,
        }
    }

    /// The nearest delta in few columns, and in the fewest: `+24 s rollout`, `+24 s`.
    pub fn deltas(&self) -> Option<[String; 2]> {
        let nearest = self.after.as_ref()?.split(',').next()?;
        let (delta, cause) = nearest.split_once(" after the ")?;
        Some([format!("+{delta} {cause}"), format!("+{delta}")])
    }

    /// Note and delta in one: `CrashLoopBackOff, 24 s after the rollout`.
    pub fn tail(&self) -> Option<String> {
        let both = [&self.note, &self.after].map(|part| part.as_deref().unwrap_or_default());
        let said: Vec<&str> = both.into_iter().filter(|part| !part.is_empty()).collect();
        (!said.is_empty()).then(|| said.join(", "))
    }
}

/// What changed, the newest first; `operations` is what these did, who flips the traffic by name.
pub fn timeline(
    estate: &Estate,
    repository: Option<&Repository>,
    operations: Vec<Happening>,
) -> Timeline {
    let mut left_out = 0;
    // What an operation tells with its author needs no second line by a field manager.
    let is_told = |flip: &Happening| {
        let near = |h: &Happening| (h.at.as_second() - flip.at.as_second()).abs() <= SAME_SECONDS;
        let flipped = |h: &Happening| h.weight == Weight::Traffic && near(h);
        flip.note.as_deref() == Some("by wheelhouse") && operations.iter().any(flipped)
    };
    let mut happenings = seen::flips(estate);
    happenings.retain(|flip| !is_told(flip));
    happenings.extend(operations);
    happenings.extend(seen::rollouts(estate, &mut left_out));
    let causes = Causes::of(&happenings);
    happenings.extend(seen::pods(estate, &causes, &mut left_out));
    if let Some(alerts) = &estate.alerts {
        happenings.extend(seen::alerting(estate, alerts, &causes, &mut left_out));
        happenings.extend(seen::ended(estate, alerts, &causes, &mut left_out));
    }
    if let Some(repository) = repository {
        happenings.extend(seen::runs(repository, &mut left_out));
    }
    happenings.sort_by(|a, b| b.at.cmp(&a.at).then_with(|| a.what.cmp(&b.what)));
    Timeline {
        happenings,
        left_out,
    }
}

/// The newest of a topic; the others are counted, and no words are made for them.
fn newest<T>(mut all: Vec<(Timestamp, T)>, left_out: &mut usize) -> Vec<(Timestamp, T)> {
    all.sort_by_key(|(at, _)| std::cmp::Reverse(*at));
    *left_out += all.len().saturating_sub(MOST);
    all.truncate(MOST);
    all
}

#[cfg(test)]
mod tests;
