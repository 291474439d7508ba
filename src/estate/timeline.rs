//! One list of what changed: traffic, rollouts, pods, alerts and runs, the newest first.
//!
//! It is derived from what the APIs still know (Events, ReplicaSets, managed fields, runs, alerts), not
//! from what this process happened to see: a restarted cockpit shows the same.

use jiff::Timestamp;
use serde::Serialize;

use super::alerts::{Alerts, Standing};
use super::runs::{Conclusion, Progress, Repository};
use super::{Estate, Safe, why};

/// The most entries that are kept.
const MOST: usize = 200;
/// An alert this many seconds after a flip or a rollout says so.
const NEAR_SECONDS: i64 = 3_600;
/// Two clocks tell the same flip within so many seconds.
const SAME_SECONDS: i64 = 5;

/// Something that changed.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Happening {
    /// When.
    pub at: Timestamp,
    /// How it is to be read.
    pub weight: Weight,
    /// What changed, in words.
    pub what: Safe,
    /// By whom or by what, and how long after the change before it that may have caused it.
    pub note: Option<Safe>,
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
pub enum Source {
    /// A Service.
    Service(Safe),
    /// A Deployment.
    Deployment(Safe),
    /// A pod.
    Pod(Safe),
    /// An alert, by its place among [`Alerts::views`].
    Alert(usize),
    /// A run, by id.
    Run(u64),
    /// An operation, by id.
    Operation(Safe),
}

/// What changed, the newest first; `operations` is what these did, who flips the traffic by name.
pub fn timeline(
    estate: &Estate,
    repository: Option<&Repository>,
    operations: Vec<Happening>,
) -> Vec<Happening> {
    // What an operation tells with its author needs no second line by a field manager.
    let is_told = |flip: &Happening| {
        let near = |h: &Happening| (h.at.as_second() - flip.at.as_second()).abs() <= SAME_SECONDS;
        let by_us = flip.note.as_deref() == Some("by wheelhouse");
        by_us
            && operations
                .iter()
                .any(|h| h.weight == Weight::Traffic && near(h))
    };
    let mut all = flips(estate);
    all.retain(|flip| !is_told(flip));
    all.extend(operations);
    all.extend(rollouts(estate));
    let causes: Vec<(Timestamp, &'static str)> = (all.iter())
        .map(|h| {
            (
                h.at,
                if h.weight == Weight::Traffic {
                    "the flip"
                } else {
                    "the rollout"
                },
            )
        })
        .collect();
    all.extend(pods(estate));
    if let Some(alerts) = &estate.alerts {
        all.extend(alerting(alerts, &causes));
    }
    if let Some(repository) = repository {
        all.extend(runs(repository));
    }
    all.sort_by(|a, b| b.at.cmp(&a.at).then_with(|| a.what.cmp(&b.what)));
    all.truncate(MOST);
    all
}

fn flips(estate: &Estate) -> Vec<Happening> {
    let Some(switch) = &estate.scope.traffic else {
        return Vec::new();
    };
    let views = estate.service_views();
    let happening = |view: &super::ServiceView<'_>| {
        let manager = view.changed?;
        let value = view.service?.selector.get(&switch.key)?;
        Some(Happening {
            at: manager.at?,
            weight: Weight::Traffic,
            what: Safe::new(&format!("{} selects {}={value}", view.name, switch.key)),
            note: Some(Safe::new(&format!("by {}", manager.name))),
            source: Source::Service(view.name.clone()),
        })
    };
    views.iter().filter_map(happening).collect()
}

fn rollouts(estate: &Estate) -> Vec<Happening> {
    let sets = estate.replica_sets.value.iter();
    let happening = |set: &super::ReplicaSet| {
        let owner = set.owner.clone()?;
        let tags: Vec<_> = set.images.iter().map(|i| i.short_tag()).collect();
        let revision = set.revision.as_ref().map(|r| format!("revision {r}"));
        Some(Happening {
            at: set.created?,
            weight: Weight::Change,
            what: Safe::new(&format!("{owner} rolls to {}", tags.join(" "))),
            note: revision.map(|r| Safe::new(&r)),
            source: Source::Deployment(owner),
        })
    };
    sets.filter_map(happening).collect()
}

/// Pods in trouble, and the last end of each container that was restarted.
fn pods(estate: &Estate) -> Vec<Happening> {
    let mut all = Vec::new();
    let troubled = estate
        .index
        .ordered()
        .take(estate.index.trouble().min(MOST));
    for pod in troubled.filter_map(|name| estate.pods.value.get(name)) {
        let Some(why) = why::not_ready(pod, estate.events.value.iter()) else {
            continue;
        };
        if let Some(at) = why.since {
            all.push(Happening {
                at,
                weight: Weight::Bad,
                what: Safe::new(&format!("{} {}", called(estate, pod), why.short)),
                note: Some(why.detail),
                source: Source::Pod(pod.name.clone()),
            });
        }
        for (container, last) in pod
            .containers
            .iter()
            .filter_map(|c| Some((c, c.last.as_ref()?)))
        {
            if let Some(at) = last.at {
                all.push(Happening {
                    at,
                    weight: Weight::Bad,
                    what: Safe::new(&format!("{} {}", called(estate, pod), why::exit(last))),
                    note: Some(Safe::new(&format!("{} restarts", container.restarts))),
                    source: Source::Pod(pod.name.clone()),
                });
            }
        }
    }
    all
}

/// A pod as people call it: its colour, its workload and the last part of its name.
fn called(estate: &Estate, pod: &super::Pod) -> String {
    let Some(group) = estate.index.group(&pod.name) else {
        return pod.name.to_string();
    };
    let Some(workload) = group.workload.and_then(|w| estate.scope.workloads.get(w)) else {
        return pod.name.to_string();
    };
    let colour = group.colour.zip(estate.scope.traffic.as_ref());
    let colour = colour.map(|(c, t)| format!("{} ", t.colours[c].to_uppercase()));
    let suffix = pod.name.rsplit('-').next().unwrap_or_default();
    format!("{}{} {suffix}", colour.unwrap_or_default(), workload.name)
}

fn alerting(alerts: &Alerts, causes: &[(Timestamp, &'static str)]) -> Vec<Happening> {
    let views = alerts.views();
    let happening = |(place, view): (usize, &super::alerts::AlertView<'_>)| {
        let at = view.alert.since?;
        let (weight, word) = match view.standing {
            Standing::Firing => (Weight::Bad, "firing"),
            Standing::Silenced => (Weight::Look, "silenced"),
            Standing::Inhibited => (Weight::Look, "inhibited"),
            Standing::Pending => (Weight::Look, "pending"),
        };
        Some(Happening {
            at,
            weight,
            what: Safe::new(&format!("{} {word}", view.rule.name)),
            note: after(at, causes).map(|words| Safe::new(&words)),
            source: Source::Alert(place),
        })
    };
    views.iter().enumerate().filter_map(happening).collect()
}

/// `41 s after the flip`, for the last flip or rollout before `at`.
fn after(at: Timestamp, causes: &[(Timestamp, &'static str)]) -> Option<String> {
    let before = causes.iter().filter(|(cause, _)| *cause <= at);
    let (cause, name) = before.max_by_key(|(cause, _)| *cause)?;
    let seconds = at.as_second() - cause.as_second();
    let said = if seconds < 120 {
        format!("{seconds} s")
    } else {
        format!("{} m", seconds / 60)
    };
    (seconds <= NEAR_SECONDS).then(|| format!("{said} after {name}"))
}

fn runs(repository: &Repository) -> Vec<Happening> {
    let happening = |run: &super::runs::Run| {
        let (weight, word) = match &run.progress {
            Progress::Done(Conclusion::Success) => match repository.missing_deploy(run) {
                Some(_) => (Weight::Look, "passed without its deploy"),
                None => (Weight::Good, "passed"),
            },
            Progress::Done(Conclusion::Cancelled) => (Weight::Look, "cancelled"),
            Progress::Done(Conclusion::Skipped) => (Weight::Look, "skipped"),
            Progress::Done(_) => (Weight::Bad, "failed"),
            Progress::Waiting => (Weight::Look, "waits for approval"),
            Progress::Queued | Progress::Running | Progress::Other(_) => {
                (Weight::Change, "started")
            }
        };
        let at = match run.progress {
            Progress::Done(_) => run.updated.or(run.started),
            _ => run.started,
        };
        let branch = run.branch.as_ref().map_or("no branch", |b| b.as_str());
        Some(Happening {
            at: at?,
            weight,
            what: Safe::new(&format!("run #{} {branch} {word}", run.number)),
            note: run.actor.as_ref().map(|a| Safe::new(&format!("by {a}"))),
            source: Source::Run(run.id),
        })
    };
    repository.runs.value.iter().filter_map(happening).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap_or(Timestamp::UNIX_EPOCH)
    }

    #[test]
    fn an_alert_says_how_long_after_the_flip_it_began() {
        let causes = [(at(100), "the rollout"), (at(1_000), "the flip")];
        assert_eq!(
            after(at(1_041), &causes).as_deref(),
            Some("41 s after the flip")
        );
        assert_eq!(
            after(at(400), &causes).as_deref(),
            Some("5 m after the rollout")
        );
        assert_eq!(after(at(99), &causes), None);
        assert_eq!(after(at(9_000), &causes), None);
    }
}
