//! One look at everything that the configuration names, for as long as the answers take.

use std::time::Duration;

use tokio::sync::mpsc;

use crate::app::Operations;
use crate::app::operations::stuck;
use crate::cli::setup::Loaded;
use crate::clients::github::{PAGE, Target};
use crate::estate::gates::Draining;
use crate::estate::runs::{Progress, Repository, Run};
use crate::estate::{Check, Currency, Estate, Kind, Moment, Now, Seen, Verdict};
use crate::sources;
use crate::sources::kubernetes::{Shared, run as observe};
use crate::tui::clock;

/// Runs whose jobs are waited for: those whose jobs the source asks for.
const RUNS: usize = 10;

/// What was seen.
pub(super) struct Looked {
    /// The environments that were asked for.
    pub(super) estates: Vec<Estate>,
    /// The workflow's runs; none where no GitHub is configured.
    pub(super) repository: Option<Repository>,
}

impl Looked {
    /// The gravest of all.
    pub(super) fn verdict(&self, now: Now) -> Verdict {
        let runs = self.repository.iter().map(|r| r.verdict(now.at));
        let all = self.estates.iter().map(|e| verdict(e, now)).chain(runs);
        all.fold(Verdict::Ok, Verdict::and)
    }
}

/// Every check of an environment, and the operation there that waits for a person.
pub(super) fn checks(estate: &Estate, now: Now) -> Vec<Check> {
    let mut checks = estate.checks(now);
    checks.extend(stuck(estate, &Operations::of(estate), now));
    checks
}

/// The gravest of them.
pub(super) fn verdict(estate: &Estate, now: Now) -> Verdict {
    let stuck = stuck(estate, &Operations::of(estate), now);
    let verdict = estate.verdict(now);
    stuck
        .into_iter()
        .fold(verdict, |all, it| all.and(it.verdict))
}

/// Observes the environments and the repository until each has answered in full, for at most `limit`.
pub(super) async fn look(loaded: &Loaded, wanted: &[usize], limit: Duration) -> Looked {
    let repository = loaded.repository().cloned().map(Repository::new);
    look_at(loaded, wanted, repository, limit).await
}

/// As [`look`], of the environments alone: GitHub's budget is spared.
pub(in crate::cli) async fn estates(
    loaded: &Loaded,
    wanted: &[usize],
    limit: Duration,
) -> Vec<Estate> {
    look_at(loaded, wanted, None, limit).await.estates
}

async fn look_at(
    loaded: &Loaded,
    wanted: &[usize],
    mut repository: Option<Repository>,
    limit: Duration,
) -> Looked {
    let (out, mut observations) = mpsc::channel(64);
    let (told, mut alerts) = mpsc::channel(64);
    let (ran, mut runs) = mpsc::channel(64);
    let scopes = loaded
        .scopes()
        .cloned()
        .zip(loaded.alert_scopes().iter().cloned());
    let mut estates: Vec<Estate> = scopes.map(|(s, alerts)| Estate::new(s, alerts)).collect();
    let mut tasks = Vec::new();
    if let Some(target) = loaded.github().filter(|_| repository.is_some()) {
        let shared = sources::github::Shared::default();
        // Of the first page: the others come later, and are history.
        let target = Target {
            runs: target.runs.min(PAGE),
            ..target.clone()
        };
        let asked = sources::github::run(target, shared, ran, clock::boot);
        tasks.push(tokio::spawn(asked));
    }
    for place in wanted {
        let (wire, shared) = (loaded.wires[*place].clone(), Shared::default());
        let monitoring = loaded.monitoring()[*place].clone();
        let (shared_too, told) = (shared.clone(), told.clone());
        let asked = sources::alerts::run(*place, monitoring, shared_too, told, clock::boot);
        tasks.push(tokio::spawn(asked));
        let (target, selectors) = (wire.target, wire.selectors);
        let seen = observe(*place, target, selectors, shared, out.clone(), clock::boot);
        tasks.push(tokio::spawn(seen));
    }
    let deadline = tokio::time::Instant::now() + limit;
    let answered = async {
        loop {
            let (environment, seen) = tokio::select! {
                Some(observation) = observations.recv() => (observation.environment, observation.seen),
                Some(told) = alerts.recv() => (told.environment, Seen::Alerts(told.seen)),
                Some((at, seen)) = runs.recv() => {
                    if let Some(repository) = &mut repository {
                        repository.apply(seen, at);
                    }
                    if is_whole(&estates, wanted, repository.as_ref()) {
                        return;
                    }
                    continue;
                }
            };
            estates[environment].apply(seen, clock::now());
            if is_whole(&estates, wanted, repository.as_ref()) {
                return;
            }
        }
    };
    let _ = tokio::time::timeout_at(deadline, answered).await;
    tasks.iter().for_each(tokio::task::JoinHandle::abort);
    let mut all: Vec<Option<Estate>> = estates.into_iter().map(Some).collect();
    let estates = wanted.iter().filter_map(|place| all[*place].take());
    Looked {
        estates: estates.collect(),
        repository,
    }
}

fn is_whole(estates: &[Estate], wanted: &[usize], repository: Option<&Repository>) -> bool {
    let now = clock::now().at;
    let mut wanted = wanted.iter().map(|place| &estates[*place]);
    wanted.all(|estate| has_answered(estate, now)) && repository.is_none_or(has_told)
}

/// Whether nothing more is to be waited for: each kind is listed or failed, the server gave its time,
/// and monitoring said what it knows.
fn has_answered(estate: &Estate, now: Moment) -> bool {
    let is_asked = estate.cluster.answered.is_some() || estate.cluster.fault.is_some();
    let mut kinds = Kind::ALL.iter();
    let alerts = estate.alerts.as_ref().is_none_or(|alerts| {
        let rules = alerts.rules.listed || alerts.rules.fault.is_some();
        let handling = alerts.handling.listed || alerts.handling.fault.is_some();
        let targets = alerts.targets.listed || alerts.targets.fault.is_some();
        let spells = alerts.spells.listed || alerts.spells.fault.is_some();
        let is_rate_asked = estate.draining(now) != Some(Draining::Waiting);
        is_rate_asked
            && rules
            && targets
            && spells
            && (handling || alerts.scope.alertmanager.is_none())
    });
    is_asked && alerts && kinds.all(|kind| estate.currency(*kind, now) != Currency::Waiting)
}

/// Whether the runs were told, the jobs of the newest, which say what was not deployed, and what these wait for.
fn has_told(repository: &Repository) -> bool {
    let runs = &repository.runs;
    let is_whole = |run: &Run| {
        let has_reviews = repository.reviews_of(run.id).is_some();
        let is_asked = run.progress != Progress::Waiting || has_reviews;
        repository.jobs_of(run).is_some() && is_asked
    };
    let is_known = runs.value.iter().take(RUNS).all(is_whole);
    runs.fault.is_some() || (runs.listed && is_known)
}
