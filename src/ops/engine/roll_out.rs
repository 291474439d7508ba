//! Waiting until a Deployment runs what it was given, and that the live Services were left alone.
//!
//! Rolled out is I-2: the generation observed, updated = ready = available = wanted, no old pod left. What cannot
//! get well by itself ends it early, in the words of whoever knows.

use std::collections::BTreeSet;

use tokio::time::Instant;

use super::flip::{failed, passed, words};
use super::update::{gone, has_images};
use super::wait::Woken;
use super::{Ended, Run};
use crate::estate::health::rollout;
use crate::estate::{
    Condition, ContainerState, Deployment, Estate, Pod, ReplicaSet, Safe, Verdict, why,
};
use crate::ops::entry::{Step, What};
use crate::ops::plan::{Plan, revisions};
use crate::ops::{marks, reads};

/// Restarts from which a crash is no bad start any more.
const CRASHES: u32 = 2;

/// How far a Deployment is.
enum Progress {
    /// By all that was seen nothing is awaited any more: what is read now decides.
    Settled,
    /// Not yet; what it waits for.
    Waits(Safe),
    /// It will not be, for sure.
    Failed(Safe),
    /// A pod will not get well by itself: it will not be, if that pod is of the template that it has now.
    Stuck {
        /// The ReplicaSet of the pod.
        set: Option<Safe>,
        /// Why.
        why: Safe,
    },
}

/// What of a Deployment is older than what is waited for.
#[derive(Default)]
struct Past {
    /// ReplicaSets of another template. The same images may be in both.
    sets: BTreeSet<Safe>,
    /// Whether the deadline was over when it was first looked at: that is said until there is progress.
    is_late: Option<bool>,
}

impl Run {
    /// Waits until the Deployment `name` is rolled out.
    pub(super) async fn rolled_out(
        &mut self,
        step: &Step,
        name: &Safe,
    ) -> Result<Vec<What>, Ended> {
        let Some(plan) = self.plan().cloned() else {
            return Ok(vec![failed(step, "there is no plan")]);
        };
        let limit = Instant::now() + self.bastion.timing.rollout;
        let mut past = Past::default();
        loop {
            let seen = match self.seen(&plan, name, &mut past) {
                Progress::Stuck { set: Some(set), .. } if self.is_of_before(name, &set).await => {
                    past.sets.insert(set);
                    continue;
                }
                // The watch may be behind, or ahead of a read a moment ago: what is read now decides.
                Progress::Settled => self.read_rolled_out(&plan, name).await,
                seen => seen,
            };
            let why = match seen {
                Progress::Settled => {
                    let said = self.evidence(name).await;
                    return Ok(vec![passed(step, said)]);
                }
                Progress::Waits(why) => why,
                Progress::Failed(why) | Progress::Stuck { why, .. } => {
                    return Ok(vec![failed(step, why)]);
                }
            };
            if let Some(stopped) = self.stopped(step) {
                return Ok(vec![stopped]);
            }
            if let Woken::Late = self.wait(Some(limit)).await? {
                let seconds = self.bastion.timing.rollout.as_secs();
                return Ok(vec![failed(step, format!("not within {seconds} s: {why}"))]);
            }
        }
    }

    /// Whether a ReplicaSet is known to be of another template than the Deployment has now.
    async fn is_of_before(&self, name: &Safe, set: &Safe) -> bool {
        let (cluster, answer) = (&self.bastion.cluster, self.bastion.timing.answer);
        let now = cluster.get::<Deployment>(name, answer).await;
        let set = cluster.get::<ReplicaSet>(set, answer).await;
        let (Ok(Some(now)), Ok(Some(set))) = (now, set) else {
            return false;
        };
        set.revision.is_some() && now.revision.is_some() && set.revision != now.revision
    }

    /// How far it is by the watches.
    fn seen(&self, plan: &Plan, name: &Safe, past: &mut Past) -> Progress {
        let estate = &self.eyes.estate;
        let Some(deployment) = estate.deployments.value.get(name) else {
            // I-41; missing is not absent before a whole listing was seen.
            return match self.eyes.has_seen() {
                true => Progress::Failed(gone(name)),
                false => Progress::Waits(format!("{name} was not seen yet").into()),
            };
        };
        if plan.how.is_image()
            && plan.update(name).is_some()
            && marks::operation(&deployment.marks).as_ref() != Some(self.id())
        {
            return match self.is_newer(deployment) {
                true => Progress::Failed(format!("another operation changed {name} since").into()),
                false => Progress::Waits(format!("the change of {name} was not seen yet").into()),
            };
        }
        match changed(plan, deployment) {
            // Or not seen yet: a job that joined writes in the name of its host, who may have lifted it from 0.
            Some(_) => Progress::Settled,
            None => progress(estate, deployment, past),
        }
    }

    /// Whether another operation wrote to it after ours.
    fn is_newer(&self, deployment: &Deployment) -> bool {
        let is_later = |there| there > self.highest_epoch();
        marks::operation(&deployment.marks).is_some()
            && marks::epoch(&deployment.marks).is_some_and(is_later)
    }

    async fn read_rolled_out(&self, plan: &Plan, name: &Safe) -> Progress {
        let answer = self.bastion.timing.answer;
        match (self.bastion.cluster).get::<Deployment>(name, answer).await {
            Ok(None) => Progress::Failed(gone(name)),
            Err(fault) => Progress::Waits(fault.what),
            Ok(Some(read)) => match (changed(plan, &read), whole(&read)) {
                (Some(why), _) => Progress::Failed(why),
                (None, Verdict::Ok) => Progress::Settled,
                (None, Verdict::Bad(why)) if read.desired == 0 => Progress::Failed(why),
                (None, Verdict::Bad(why) | Verdict::Unknown(why)) => Progress::Waits(why),
            },
        }
    }

    /// What runs now, by digest: the watch of the pods may be behind that of the Deployments.
    async fn evidence(&self, name: &Safe) -> String {
        match reads::fresh(&self.bastion).await {
            Ok(estate) => evidence(&estate, name),
            Err(_) => evidence(&self.eyes.estate, name),
        }
    }

    /// Reads the Services once more: what they select is what they selected before (I-52), and the colour that was
    /// deployed to is still whole.
    pub(super) async fn verify(&mut self) -> Result<Vec<What>, Ended> {
        let step = Step::Verify;
        let Some(plan) = self.plan().cloned() else {
            return Ok(vec![failed(&step, "there is no plan")]);
        };
        let limit = Instant::now() + self.bastion.timing.moved;
        loop {
            let why = match reads::fresh(&self.bastion).await {
                Ok(estate) => match still_so(&plan, self.id(), &estate) {
                    Ok(said) => {
                        // What was reviewed is what is there now: another template has another review to come (I-13).
                        let by = self.kept.operation.reviewers();
                        let reviewed = (!by.is_empty()).then(|| What::Reviewed {
                            by: by.to_vec(),
                            revisions: revisions(&estate, plan.place(&estate)),
                        });
                        let passed = passed(&step, said);
                        return Ok(reviewed.into_iter().chain([passed]).collect());
                    }
                    Err(Not::Any(why)) => return Ok(vec![failed(&step, why)]),
                    Err(Not::Yet(why)) => why,
                },
                Err(fault) => fault.what,
            };
            if limit <= Instant::now() {
                return Ok(vec![failed(&step, why)]);
            }
            self.pause().await?;
        }
    }
}

/// Why something is not as the plan wants it at the end.
#[derive(Debug, PartialEq)]
enum Not {
    /// It will not be by itself.
    Any(Safe),
    /// It may come round: an autoscaler had a word.
    Yet(Safe),
}

/// Whether everything is as the plan wants it at the end.
fn still_so(plan: &Plan, id: &Safe, estate: &Estate) -> Result<Safe, Not> {
    let mut moved = Vec::new();
    for (name, selector) in &plan.keeps {
        let Some(service) = estate.services.value.get(name) else {
            return Err(Not::Any(
                format!("Service {name} was deleted meanwhile").into(),
            ));
        };
        let is_ours = marks::operation(&service.marks).as_ref() == Some(id);
        if service.selector != *selector && is_ours {
            // A job of its run that joined it moved traffic, with every check of a cutover.
            moved.push(name.as_str());
            continue;
        }
        if service.selector != *selector {
            let who = service.selector_writer().map_or("somebody", |m| &m.name);
            let (has, had) = (words(&service.selector), words(selector));
            return Err(Not::Any(
                format!("{name} selects {has} and not {had} any more, by {who}").into(),
            ));
        }
    }
    for name in &plan.rolls {
        let deployment = estate.deployments.value.get(name);
        let deployment = deployment.ok_or_else(|| Not::Any(gone(name)))?;
        if let Verdict::Bad(why) | Verdict::Unknown(why) = whole(deployment) {
            return Err(Not::Yet(format!("it did not stay whole: {why}").into()));
        }
    }
    for update in plan.updates.iter().filter(|u| u.to_replicas == 0) {
        let deployment = estate.deployments.value.get(&update.deployment);
        // Whoever deleted it meanwhile did the same.
        let left = deployment.map_or(0, |d| d.replicas.max(d.desired));
        if left > 0 {
            let name = &update.deployment;
            return Err(Not::Yet(format!("{name} has {left} pods still").into()));
        }
    }
    if !moved.is_empty() {
        return Ok(format!("{} moved by a job that joined it", moved.join(", ")).into());
    }
    let names: Vec<&str> = plan.keeps.keys().map(Safe::as_str).collect();
    Ok(format!("{} select what they did before", names.join(", ")).into())
}

/// Somebody else's hand in a Deployment of the plan.
fn changed(plan: &Plan, deployment: &Deployment) -> Option<Safe> {
    // What somebody else's program gives it no plan says.
    let update = plan
        .update(&deployment.name)
        .filter(|_| plan.how.is_image())?;
    let name = &deployment.name;
    if deployment.uid != update.uid {
        return Some(format!("{name} was deleted and made again: it is another object now").into());
    }
    let has: Vec<&str> = deployment
        .images
        .iter()
        .map(|(_, i)| i.name.as_str())
        .collect();
    (!has_images(deployment, &update.containers, |c| &c.to)).then(|| {
        format!(
            "somebody changed {name} meanwhile: it is to run {}",
            has.join(", ")
        )
        .into()
    })
}

/// Rolled out, and not more pods than are wanted: those that an autoscaler lets go are counted until they went.
fn whole(deployment: &Deployment) -> Verdict {
    let (name, more) = (&deployment.name, deployment.replicas > deployment.desired);
    match rollout(deployment) {
        Verdict::Ok if more => Verdict::Bad(
            format!(
                "{name}: {} of {} pods",
                deployment.replicas, deployment.desired
            )
            .into(),
        ),
        verdict => verdict,
    }
}

/// How far `deployment` is, and why it will never be.
fn progress(estate: &Estate, deployment: &Deployment, past: &mut Past) -> Progress {
    let waits = match whole(deployment) {
        Verdict::Ok => return Progress::Settled,
        Verdict::Bad(why) | Verdict::Unknown(why) => why,
    };
    if deployment.observed_generation < deployment.generation {
        return Progress::Waits(waits);
    }
    if deployment.desired == 0 {
        // Nothing will come of it, unless the watch is behind whoever scaled it.
        return Progress::Settled;
    }
    if let Some(why) = condemned(deployment, past) {
        return Progress::Failed(why);
    }
    let mut pods = pods(estate, deployment);
    pods.retain(|pod| {
        pod.owner
            .as_ref()
            .is_none_or(|set| !past.sets.contains(set))
    });
    if let Some((pod, why)) = pods.iter().find_map(|pod| Some((pod, hopeless(pod)?))) {
        let set = pod.owner.clone();
        return Progress::Stuck { set, why };
    }
    let reason = pods.iter().find_map(|pod| {
        let why = estate.why_not_ready(pod)?;
        Some(format!("{} {}: {}", pod.name, why.short, why.detail))
    });
    Progress::Waits(match reason {
        Some(reason) => format!("{waits} ({reason})").into(),
        None => waits,
    })
}

/// What the controller itself says will not be.
fn condemned(deployment: &Deployment, past: &mut Past) -> Option<Safe> {
    const LATE: &str = "ProgressDeadlineExceeded";
    let name = &deployment.name;
    let is_late = |c: &Condition| c.reason.as_ref().is_some_and(|r| r.as_str() == LATE);
    let is_late = deployment.conditions.iter().any(is_late);
    // A deadline of before is over until a pod of what it has now is there.
    let was_late = past.is_late.get_or_insert(is_late);
    *was_late &= is_late;
    let was_late = *was_late;
    for condition in &deployment.conditions {
        let message = condition.message.as_ref().map_or("", |m| m.as_str());
        let reason = condition.reason.as_ref().map_or("", |r| r.as_str());
        if reason == LATE && !was_late {
            return Some(format!("{name}: {reason}: {message}").into());
        }
        let is_refused = ["exceeded quota", "forbidden"]
            .iter()
            .any(|w| message.contains(w));
        if condition.kind.as_str() == "ReplicaFailure"
            && condition.status.as_str() == "True"
            && is_refused
        {
            return Some(format!("{name}: its pods are refused: {message}").into());
        }
    }
    None
}

/// The pods of its template, by what they run.
fn pods<'a>(estate: &'a Estate, deployment: &Deployment) -> Vec<&'a Pod> {
    let is_of = |pod: &&Pod| {
        let main: Vec<_> = pod.containers.iter().filter(|c| !c.init).collect();
        deployment.match_labels.selects(&pod.labels)
            && pod.deleting.is_none()
            && deployment.images.iter().all(|(name, image)| {
                main.iter()
                    .any(|c| c.name == *name && c.image.name == image.name)
            })
    };
    estate.pods.value.iter().filter(is_of).collect()
}

/// Why a pod will not get well by itself.
fn hopeless(pod: &Pod) -> Option<Safe> {
    let stuck = |container: &crate::estate::Container| match &container.state {
        ContainerState::Waiting { reason, message } => {
            let is_hopeless = match reason.as_str() {
                "ImagePullBackOff"
                | "InvalidImageName"
                | "ErrImageNeverPull"
                | "CreateContainerConfigError" => true,
                "CrashLoopBackOff" => container.restarts >= CRASHES,
                _ => false,
            };
            let why = match (&container.last, message) {
                (Some(last), _) if reason.as_str() == "CrashLoopBackOff" => {
                    format!("{}, {} restarts", why::exit(last), container.restarts)
                }
                (_, Some(message)) => message.to_string(),
                (_, None) => "the kubelet says no more".to_owned(),
            };
            is_hopeless.then(|| format!("{}: {} {reason}: {why}", pod.name, container.name))
        }
        _ => None,
    };
    pod.containers.iter().find_map(stuck).map(Safe::from)
}

/// `3/3, generation 8, sha256:0a1b…`
fn evidence(estate: &Estate, name: &Safe) -> String {
    let Some(deployment) = estate.deployments.value.get(name) else {
        return "rolled out".to_owned();
    };
    let mut digests: Vec<String> = (pods(estate, deployment).iter())
        .flat_map(|pod| &pod.containers)
        .filter(|c| !c.init)
        .filter_map(|c| Some(format!("{} {}", c.name, c.image.digest.as_ref()?)))
        .collect();
    digests.sort();
    digests.dedup();
    let (ready, desired) = (deployment.ready, deployment.desired);
    let generation = deployment.observed_generation;
    format!(
        "{ready}/{desired}, generation {generation}, {}",
        digests.join(", ")
    )
}

#[cfg(test)]
#[allow(clippy::panic, reason = "tests")]
mod tests;
