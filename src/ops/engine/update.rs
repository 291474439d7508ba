//! The act of a deploy: one patch of one Deployment, and how a lost reply is settled.
//!
//! It tests uid, epoch and generation, so that it applies to the very template that was planned. Right before it
//! the Services are read: what they select is never touched (I-6, I-35).

use std::collections::BTreeMap;

use serde_json::json;
use tokio::time::Instant;

use super::flip::{failed, passed, text};
use super::{Ended, Found, Run};
use crate::clients::kubernetes::Unwritten;
use crate::estate::{Deployment, Estate, FaultKind, Kind, Safe, Seen, Service};
use crate::ops::bastion::Planted;
use crate::ops::entry::{OperationKind, Step, What};
use crate::ops::marks::{self, Deployed};
use crate::ops::patch::{self, Draft, Must, Signed};
use crate::ops::plan::cleanup::kept;
use crate::ops::plan::{ContainerImage, Finding, Update};
use crate::ops::{policy, reads};

/// How often a read, and a patch that the server put off or refused because the status had moved, is tried.
const TRIES: u32 = 8;
/// How often a fence is tried against what moves meanwhile.
const FENCES: u32 = 10;

impl Run {
    /// Patches images and replicas of the Deployment `name`, once.
    pub(super) async fn update(&mut self, step: &Step, name: &Safe) -> Result<Vec<What>, Ended> {
        let Some(update) = self.plan().and_then(|plan| plan.update(name)).cloned() else {
            return Ok(vec![failed(step, "it is not in the plan")]);
        };
        let mut why = Safe::from("the API server did not answer");
        let (mut tries, began) = (0, Instant::now());
        while tries < TRIES {
            let answer = self.bastion.timing.answer;
            let read = match (self.bastion.cluster).get::<Deployment>(name, answer).await {
                Ok(Some(read)) => read,
                Ok(None) => return Ok(vec![failed(step, gone(name))]),
                Err(fault) => {
                    // As with a flip: on the way back an API that is away is waited for, as nobody else goes back.
                    let is_waited_for = self.is_rollback()
                        && fault.kind != FaultKind::Forbidden
                        && began.elapsed() < self.bastion.timing.patience;
                    tries += u32::from(!is_waited_for);
                    why = fault.what;
                    if let Some(stopped) = self.breathe(step).await? {
                        return Ok(vec![stopped]);
                    }
                    continue;
                }
            };
            tries += 1;
            if self.is_updated(&update, &read) {
                return Ok(vec![passed(step, "found done by reading it back")]);
            }
            self.not_later(&read)?;
            match self.may_update(&update, &read).await {
                Ok(Ok(())) => {}
                Ok(Err(no)) => return Ok(vec![failed(step, no)]),
                Err(away) => {
                    why = away;
                    self.pause().await?;
                    continue;
                }
            }
            let draft = self.update_patch(step, &update, &read);
            let images = ("images", json!(update.containers));
            match self.send::<Deployment>(name, draft, images).await? {
                Ok(after) => return Ok(vec![passed(step, said(&update, after.generation))]),
                // Refused, for sure: the next look says whether it was ours after all, or still may be done.
                Err(Unwritten::Refused {
                    status: 409 | 422 | 429,
                    fault,
                }) => {
                    why = fault.what;
                    self.pause().await?;
                }
                Err(Unwritten::Refused { fault, .. }) => return Ok(vec![failed(step, fault.what)]),
                Err(Unwritten::Unknown(_)) if self.bastion.has(Planted::BlindResend) => {}
                Err(Unwritten::Unknown(fault)) => {
                    return Ok(vec![What::Unknown {
                        step: step.clone(),
                        reason: fault.what,
                    }]);
                }
            }
        }
        Ok(vec![failed(step, format!("it was not applied: {why}"))])
    }

    /// The result of a patch whose reply was lost, by reading alone. Where it was not done, a fence makes sure
    /// that it never will be by the request that may still be under way.
    pub(super) async fn settle_update(&mut self, step: &Step, name: &Safe) -> Result<Found, Ended> {
        let Some(update) = self.plan().and_then(|plan| plan.update(name)).cloned() else {
            return Ok(Found::Known(vec![failed(step, "it is not in the plan")]));
        };
        for _ in 0..FENCES {
            let answer = self.bastion.timing.answer;
            let read = match (self.bastion.cluster).get::<Deployment>(name, answer).await {
                Ok(Some(read)) => read,
                Ok(None) => return Ok(Found::Known(vec![failed(step, gone(name))])),
                Err(_) => {
                    self.pause().await?;
                    continue;
                }
            };
            if self.is_updated(&update, &read) {
                let done = passed(step, "found done by reading it back");
                return Ok(Found::Known(vec![done]));
            }
            self.not_later(&read)?;
            if let Err(why) = is_planned(&update, &read) {
                return Ok(Found::Known(vec![failed(step, why)]));
            }
            match self
                .fence_deployment(&read, self.highest_epoch(), true)
                .await?
            {
                Ok(_) => return Ok(Found::NotDone),
                Err(_) => self.pause().await?,
            }
        }
        self.pause().await?;
        Ok(Found::Known(Vec::new()))
    }

    /// The epoch of this operation's writes to Deployments and autoscalers, which belong to all its locks.
    pub(super) fn highest_epoch(&self) -> u64 {
        self.lock.epochs.values().max().copied().unwrap_or(0)
    }

    fn not_later(&self, read: &Deployment) -> Result<(), Ended> {
        let is_later = marks::epoch(&read.marks).is_some_and(|there| there > self.highest_epoch());
        match is_later && !self.bastion.has(Planted::NoEpochTest) {
            true => Err(Ended::Fenced("somebody with a later epoch".into())),
            false => Ok(()),
        }
    }

    /// Whether `read` is as this operation's patch makes it.
    fn is_updated(&self, update: &Update, read: &Deployment) -> bool {
        read.uid == update.uid
            && marks::operation(&read.marks).as_ref() == Some(self.id())
            && has_images(read, &update.containers, |c| &c.to)
    }

    /// Why it may not be done at this instant. The error is that it could not be looked.
    async fn may_update(
        &self,
        update: &Update,
        read: &Deployment,
    ) -> Result<Result<(), Safe>, Safe> {
        if let Err(why) = is_planned(update, read) {
            return Ok(Err(why));
        }
        let Some(plan) = self.plan().filter(|plan| !plan.is_in_place()) else {
            return Ok(Ok(()));
        };
        if read.template_labels.get(&plan.key) != Some(&plan.to) {
            let said = format!(
                "{} is not of {} any more",
                read.name,
                plan.to.to_uppercase()
            );
            return Ok(Err(said.into()));
        }
        let mut estate = Estate::new(self.bastion.scope.clone(), None);
        if plan.kind == OperationKind::Cleanup {
            policy::ask_clock(&self.bastion, &mut estate).await;
        }
        // The last read: nothing but the request lies behind it.
        let services = reads::services(&self.bastion).await;
        let services = services.map_err(|fault| fault.what)?;
        let taking = services
            .iter()
            .find(|s| s.selector.selects(&read.template_labels))
            .filter(|_| !self.bastion.has(Planted::RecordedColour));
        Ok(match taking {
            Some(service) => Err(format!(
                "{} selects {} now: what takes traffic is {}",
                service.name,
                plan.to.to_uppercase(),
                match plan.kind {
                    OperationKind::Cleanup => "never scaled down",
                    _ => "not deployed to",
                }
            )
            .into()),
            None if services.len() < plan.keeps.len() => {
                Err("a Service of the switch was deleted: which colour is live is not known".into())
            }
            None if plan.kind == OperationKind::Cleanup => self.let_go(estate, services)?,
            None => Ok(()),
        })
    }

    /// Whether the colour is kept no longer, by the clock that `estate` was told and the Services as they were just read: whoever adopts a clean-up may do so
    /// long after its check, and a hold waits for no Lease. The error is that it is not known.
    fn let_go(&self, mut estate: Estate, services: Vec<Service>) -> Result<Result<(), Safe>, Safe> {
        let kind = Kind::Services;
        reads::tell(&self.bastion, &mut estate, kind, Seen::Services, services);
        let gate = kept(&estate, self.bastion.clock.now());
        let why = Safe::from(format!("{}: {}", gate.name, gate.said));
        match gate.finding {
            Finding::Unknown => Err(why),
            Finding::Bad => Ok(Err(why)),
            Finding::Ok | Finding::Noted => Ok(Ok(())),
        }
    }

    fn update_patch(&self, step: &Step, update: &Update, read: &Deployment) -> Draft {
        let (there, ours) = (marks::epoch(&read.marks), self.highest_epoch());
        let of = (&update.uid, &read.resource_version);
        let must = Must {
            // Where our own epoch is there already it voids nothing of ours that is still under way.
            is_strict: self.attempts(step) > 1 || there == Some(ours),
            ..self.must(of, &read.marks, read.has_annotations)
        };
        let is_scaled = match self.plan().map(|plan| plan.kind) {
            Some(OperationKind::Cleanup) => read.desired > update.to_replicas,
            _ => read.desired < update.to_replicas,
        };
        let replicas = is_scaled.then_some(update.to_replicas);
        let by = Signed {
            epoch: &ours.to_string(),
            operation: self.id(),
            said: &text(json!(self.deployed(update, read))),
        };
        patch::update(&must, update, json!(read.generation), replicas, by)
    }

    /// Who, from what to what, and why: for whoever looks at the Deployment, and for the way back.
    fn deployed(&self, update: &Update, read: &Deployment) -> Deployed {
        let plan = self.plan();
        let of = |side: fn(&ContainerImage) -> &Safe| -> BTreeMap<Safe, Safe> {
            let all = update.containers.iter();
            all.map(|c| (c.name.clone(), side(c).clone())).collect()
        };
        Deployed {
            at: self.bastion.clock.wall(),
            by: self.doer(),
            what: plan
                .map_or(OperationKind::Deploy, |plan| plan.kind)
                .word()
                .into(),
            why: plan.and_then(|plan| plan.reason.clone().map(marks::brief)),
            operation: self.id().clone(),
            from: of(|c| &c.from),
            to: of(|c| &c.to),
            // What somebody else changed since is not taken back by it.
            undoes: marks::deployed(read)
                .filter(|before| self.is_rollback() && before.stands(read))
                .map(|before| before.operation),
        }
    }
}

/// Whether it is the template that was planned: the revision tells, once the last generation is observed.
fn is_planned(update: &Update, read: &Deployment) -> Result<(), Safe> {
    let name = &update.deployment;
    if read.uid != update.uid {
        return Err(format!("{name} was deleted and made again: it is another object now").into());
    }
    let is_same = has_images(read, &update.containers, |c| &c.from);
    let is_observed = read.observed_generation >= read.generation;
    match is_same && (read.revision == update.revision || !is_observed) {
        true => Ok(()),
        false => {
            let has: Vec<&str> = read.images.iter().map(|(_, i)| i.name.as_str()).collect();
            Err(format!(
                "somebody changed {name} since the plan (revision {}, {}): look, and plan again",
                read.revision.as_ref().map_or("none", |r| r.as_str()),
                has.join(", ")
            )
            .into())
        }
    }
}

/// Whether the template has these containers with these images, in order.
pub(super) fn has_images(
    read: &Deployment,
    containers: &[ContainerImage],
    side: fn(&ContainerImage) -> &Safe,
) -> bool {
    let wanted = containers.iter().map(|c| (&c.name, side(c)));
    let there = read.images.iter().map(|(name, image)| (name, &image.name));
    wanted.eq(there)
}

pub(super) fn gone(name: &Safe) -> Safe {
    format!("Deployment {name} was deleted").into()
}

/// What was changed, in words.
fn said(update: &Update, generation: i64) -> String {
    let changed = update.containers.iter().filter(|c| c.from != c.to);
    let mut words: Vec<String> = changed
        .map(|c| format!("{} {} → {}", c.name, c.from, c.to))
        .collect();
    if update.replicas != update.to_replicas {
        words.push(format!(
            "replicas {} → {}",
            update.replicas, update.to_replicas
        ));
    }
    format!("{} (generation {generation})", words.join(", "))
}
