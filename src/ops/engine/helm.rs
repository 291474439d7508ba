//! The release of a deploy by helm: upgraded or brought back once, and found again when its worker is gone (I-51).
//!
//! Helm cannot be fenced. What it was found to be is asked again right before the act, so that another helm's revision is not
//! undone; and whoever adopts the operation waits while it is `pending`, for as long as its step may take (rule 5). Success
//! of helm is not readiness: the steps behind this one judge (I-3). The Secret of a release is never touched.

use std::time::Duration;

use serde_json::json;
use tokio::time::Instant;

use super::flip::{failed, passed};
use super::program::{Ran, noted};
use super::{Ended, Found, Run};
use crate::clients::helm::Helm;
use crate::estate::Safe;
use crate::estate::helm::{ReleaseStatus, Revision};
use crate::ops::entry::{Step, What};
use crate::ops::helm::{HIDE_NOTES, here, without_notes};
use crate::ops::plan::helm::{About, described};
use crate::ops::plan::{self, How, Release};

/// What was found of a release whose worker is gone.
enum Became {
    /// It was applied in full.
    Done(Safe),
    /// It was not, and why.
    Not(Safe),
    /// A helm may still be at it.
    Pending(Safe),
}

impl Run {
    /// Has helm upgrade the release, or bring it back.
    pub(super) async fn helm(
        &mut self,
        step: &Step,
        wanted: &plan::Helm,
    ) -> Result<Vec<What>, Ended> {
        if let Some(stopped) = self.until_clear(step, wanted).await? {
            return Ok(vec![stopped]);
        }
        let (helm, release, words) = match self.told(wanted).await {
            Ok(told) => told,
            Err(why) => return Ok(vec![failed(step, why)]),
        };
        // The last look at the Lease: nothing but the start lies behind it.
        self.believe()?;
        self.note("sent", json!({ "run": helm.argv(&words) }));
        let (ran, tail) = match helm.start(&words) {
            Ok(running) => self.ran(step, running, wanted.timeout_s).await?,
            Err(fault) => (Ran::Lost(failed(step, fault.what)), Vec::new()),
        };
        let after = helm
            .history(&release.name, self.bastion.timing.answer)
            .await;
        let last = after.ok().and_then(|mut revisions| revisions.pop());
        // An older helm prints the chart's notes when it is done, and whatever secrets they hold.
        let is_quiet = words.iter().any(|word| word.as_str() == HIDE_NOTES);
        let mut results = match ran {
            Ran::Well if !is_quiet && !wanted.recovers => Vec::new(),
            _ => noted(&tail),
        };
        match ran {
            Ran::Well => results.push(passed(step, well(last.as_ref()))),
            Ran::Not(result) | Ran::Lost(result) => {
                results.extend(last.map(|last| What::Noted {
                    fact: left(&release.name, &last, &self.environment()),
                }));
                results.push(result);
            }
        }
        Ok(results)
    }

    /// The helm of a deploy that a rollback cut off is asked to end by its worker, and marks its release then: that is waited
    /// for, as long as it may take (SAFETY, rule 5). A result if somebody wants it stopped meanwhile.
    async fn until_clear(
        &mut self,
        step: &Step,
        wanted: &plan::Helm,
    ) -> Result<Option<What>, Ended> {
        let release = self.plan().and_then(|plan| plan.release.clone());
        let (Some(helm), Some(release)) = (here(&self.bastion), release) else {
            return Ok(None);
        };
        if !self.is_rollback() || !self.lock.was_deploying {
            return Ok(None);
        }
        let limit = Instant::now() + Duration::from_secs(u64::from(wanted.timeout_s));
        while Instant::now() < limit {
            let answer = self.bastion.timing.answer;
            let asked = helm.history(&release.name, answer).await;
            let last = asked.ok().and_then(|mut revisions| revisions.pop());
            if !last.is_some_and(|last| last.status.is_pending()) {
                break;
            }
            if let Some(stopped) = self.stopped(step) {
                return Ok(Some(stopped));
            }
            self.pause().await?;
        }
        Ok(None)
    }

    /// Helm, the release as it was found, and the words that it is told; or why nothing is run.
    async fn told(&self, wanted: &plan::Helm) -> Result<(Helm, Release, Vec<Safe>), Safe> {
        let own = match &self.bastion.how {
            How::Helm(own) if own.is_same(wanted) => here(&self.bastion),
            _ => None,
        };
        let helm = own
            .ok_or("its chart and values are not those that are configured here: nothing is run")?;
        let plan = self.plan().ok_or("there is no plan")?;
        let release = (plan.release.clone()).ok_or("its plan was made without asking helm")?;
        let limit = self.bastion.timing.answer;
        let history = helm.history(&release.name, limit).await;
        let history = history.map_err(|fault| fault.what)?;
        let fits: fn(&ReleaseStatus) -> bool = match (wanted.recovers, self.is_rollback()) {
            (true, true) => |it| it.may_go_back(),
            (true, false) => |it| it.is_stuck(),
            (false, _) => |it| !it.is_pending() && *it != ReleaseStatus::Uninstalling,
        };
        is_as_found(&release, fits, &history)?;
        let version = helm.version(limit).await.map_err(|fault| fault.what)?;
        let mut words = match (wanted.recovers, release.back_to) {
            (false, _) => {
                let about = About {
                    operation: Some(self.id()),
                    environment: &plan.environment,
                    namespace: &plan.namespace,
                    colour: &plan.to,
                    images: &release.images,
                };
                without_notes(wanted.upgrade(&about), &version)
            }
            (true, Some(revision)) => wanted.rollback(&release.name, revision),
            (true, None) => return Err("its plan names no revision to go back to".into()),
        };
        if version.is_at_least(4, 0) && release.before.is_some() {
            let asked = helm.is_server_side(&release.name, limit).await;
            if asked.map_err(|fault| fault.what)? {
                // A colour that was cleaned up has its replicas from us: Helm 3 writes over them, and so may 4.
                words.push("--force-conflicts".into());
            }
        }
        Ok((helm, release, words))
    }

    /// Its worker is gone: what became of it helm knows, or will when it is not pending any more.
    pub(super) async fn settle_helm(
        &mut self,
        step: &Step,
        wanted: &plan::Helm,
    ) -> Result<Found, Ended> {
        let release = self.plan().and_then(|plan| plan.release.clone());
        let (Some(helm), Some(release)) = (here(&self.bastion), release) else {
            // Its helm may live on: it is given its time all the same (rule 5).
            self.until_over(wanted.timeout_s).await?;
            let said = "its worker is gone, and no helm is configured here that could be asked: look with `helm history`";
            return Ok(Found::Known(vec![failed(step, said)]));
        };
        // From now on: when it began is told by a clock of another bastion.
        let until = Instant::now() + Duration::from_secs(wanted.timeout_s.into());
        loop {
            let asked = helm
                .history(&release.name, self.bastion.timing.answer)
                .await;
            let why = match asked {
                Ok(history) => match self.became(&release, &history) {
                    Became::Done(said) => return Ok(Found::Known(vec![passed(step, said)])),
                    Became::Not(why) => return Ok(Found::Known(vec![failed(step, why)])),
                    Became::Pending(why) => why,
                },
                Err(fault) => fault.what,
            };
            if until <= Instant::now() {
                let said = format!("its worker is gone, and its time is over: {why}");
                return Ok(Found::Known(vec![failed(step, said)]));
            }
            if let Some(stopped) = self.stopped(step) {
                let fact = Safe::from(format!("not waited for any longer: {why}"));
                return Ok(Found::Known(vec![What::Noted { fact }, stopped]));
            }
            self.pause().await?;
        }
    }

    /// What became of the release by its history.
    fn became(&self, release: &Release, history: &[Revision]) -> Became {
        let name = &release.name;
        let news = history.last().filter(|it| Some(it.number) > release.before);
        let Some(last) = news else {
            return Became::Pending(
                format!("helm wrote no revision of {name}: nothing was upgraded, as far as it can be told").into(),
            );
        };
        let said = format!("{name} revision {} {}", last.number, last.status.word());
        let back = release.back_to.map(|it| format!("Rollback to {it}"));
        let ours = [Some(described(Some(self.id()))), back.map(Safe::from)];
        match &last.status {
            ReleaseStatus::Deployed if ours.contains(&Some(last.description.clone())) => {
                Became::Done(format!("found deployed as revision {}", last.number).into())
            }
            ReleaseStatus::Deployed => Became::Not(
                format!(
                    "{said} is not of this operation ({}): somebody else's helm was there",
                    last.description
                )
                .into(),
            ),
            ReleaseStatus::Pending(_) => Became::Pending(left(name, last, &self.environment())),
            ReleaseStatus::Failed
            | ReleaseStatus::Superseded
            | ReleaseStatus::Uninstalling
            | ReleaseStatus::Uninstalled
            | ReleaseStatus::Other(_) => {
                Became::Not(format!("{said}: {}", last.description).into())
            }
        }
    }

    fn environment(&self) -> Safe {
        self.plan()
            .map_or_else(Safe::default, |plan| plan.environment.clone())
    }
}

/// Whether a release is as it was when the plan was made.
fn is_as_found(
    release: &Release,
    fits: fn(&ReleaseStatus) -> bool,
    history: &[Revision],
) -> Result<(), Safe> {
    let last = history.last();
    // One that is not there yet is installed.
    let is_fit = last.is_none_or(|it| fits(&it.status));
    if last.map(|it| it.number) == release.before && is_fit {
        return Ok(());
    }
    let now = last.map_or_else(
        || "is gone".to_owned(),
        |it| format!("is at revision {} {}", it.number, it.status.word()),
    );
    let name = &release.name;
    Err(format!("somebody else's helm was at {name} since the plan: it {now}; plan again").into())
}

fn well(last: Option<&Revision>) -> String {
    let revision = last.filter(|it| it.status == ReleaseStatus::Deployed);
    let said = revision.map_or_else(
        || "it ended well".to_owned(),
        |it| format!("revision {} deployed", it.number),
    );
    format!("{said}; what runs now is looked at next")
}

/// How a release was left, and the way on.
fn left(name: &Safe, last: &Revision, environment: &Safe) -> Safe {
    let said = format!(
        "{name} is at revision {} {}",
        last.number,
        last.status.word()
    );
    let way = format!(
        "`wheelhouse deploy {environment} --recover --write --reason …` goes back to the last revision that was applied in full"
    );
    match &last.status {
        ReleaseStatus::Pending(_) => {
            format!("{said}: the helm that was at it died, or was ended; {way}")
        }
        ReleaseStatus::Failed => format!("{said}: the next deploy upgrades over it, or {way}"),
        _ => said,
    }
    .into()
}
