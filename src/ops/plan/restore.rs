//! The way back of an environment without colours: the images before the last deploy, as the Deployments themselves remember
//! them, or those of the revision before, as the ReplicaSets keep it, where somebody else deployed last. It needs nothing but
//! the Kubernetes API (SAFETY, rule 9). Where helm deploys, it is helm that goes back a revision.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;

use super::deploy::helm as release;
use super::deploy::{Draft, Target, changes, gets, owned, parts};
use super::helm::Helm;
use super::rollback::seized;
use super::{ContainerImage, Finding, Gate, How, Plan, Refusal, Request, Update};
use crate::estate::helm::AskedHelm;
use crate::estate::{Deployment, Estate, Image, Now, ReplicaSet, Safe, image_parts};
use crate::ops::OperationKind;
use crate::ops::marks::{self, Deployed};

pub(super) fn restore(request: &Request, estate: &Estate, now: Now) -> Result<Plan, Refusal> {
    if request.to.is_some() {
        return Err(Refusal::invalid(format!(
            "{} has no colours: it is rolled back to what ran before, without --to",
            estate.scope.name
        )));
    }
    if let How::Helm(helm) = &request.how {
        return revision(request, helm, estate, now);
    }
    images(request, estate, now, None)
}

/// The images before, by the API alone.
fn images(
    request: &Request,
    estate: &Estate,
    now: Now,
    worth: Option<Gate>,
) -> Result<Plan, Refusal> {
    let way = way(estate)?;
    let back = &way.back;
    let mut updates: Vec<Update> = back.iter().map(|it| update(estate, it)).collect();
    let locks: Vec<Safe> = (updates.iter())
        .map(|u| marks::lock_of_deployment(&u.deployment))
        .collect();
    let mut gates: Vec<Gate> = way.worth.into_iter().chain(worth).collect();
    for back in back {
        // Rule 9: it is brought back past whoever owns it, who may not know.
        gates.extend(owned(back.deployment));
        gates.extend(paused(back.deployment));
    }
    gates.extend(seized(estate, &locks, now));
    let rolls = updates.iter().map(|u| u.deployment.clone()).collect();
    let changed = changes(&updates);
    updates.retain(|u| u.containers.iter().any(|c| c.from != c.to));
    if updates.is_empty() {
        return Err(Refusal::invalid(format!(
            "nothing to roll back: every Deployment has the images from before; {}",
            elsewhere(estate)
        )));
    }
    let draft = Draft {
        kind: OperationKind::Rollback,
        updates,
        rolls,
        keeps: BTreeMap::new(),
        locks,
        gates,
        others: vec![way.said],
        images: changed,
        back: "a deploy of the newer images, with all its checks".into(),
        release: None,
    };
    Ok(draft.finish(request, estate, None, None))
}

/// What a Deployment had.
struct Back<'a> {
    deployment: &'a Deployment,
    /// Images by container.
    images: BTreeMap<Safe, Safe>,
}

/// Where back is, and who says so.
struct Way<'a> {
    back: Vec<Back<'a>>,
    /// Who says so, where it is not Wheelhouse.
    worth: Option<Gate>,
    said: Safe,
}

fn ours(estate: &Estate) -> impl Iterator<Item = &Deployment> {
    let all = estate.deployments.value.iter();
    all.filter(|d| estate.deployment_group(d).workload.is_some())
}

/// What Wheelhouse deployed last, while that stands; else what the ReplicaSets keep of the revision before.
fn way(estate: &Estate) -> Result<Way<'_>, Refusal> {
    let known: Vec<(&Deployment, Deployed)> = (ours(estate))
        .filter_map(|d| Some((d, marks::deployed(d)?)))
        .collect();
    let newest = known.iter().map(|(_, deployed)| deployed);
    let Some(newest) = newest.max_by_key(|deployed| deployed.at) else {
        return revisions(estate);
    };
    let of = |operation: &Safe| {
        let of = known.iter().filter(|(_, it)| it.operation == *operation);
        of.collect::<Vec<_>>()
    };
    let stands = |(deployment, deployed): &&(&Deployment, Deployed)| deployed.stands(deployment);
    let newest_ones = of(&newest.operation);
    // Another one was changed since by somebody else: that was deployed last.
    let is_known = |it: &Changed<'_>| {
        let mut of = known
            .iter()
            .filter(|known| known.0.name == it.deployment.name);
        of.any(|known| known.1.operation == newest.operation || stands(&known))
    };
    let is_later = |it: &Changed<'_>| !it.is_older && it.at > newest.at && !is_known(it);
    if all_changed(estate).iter().any(is_later) {
        return revisions(estate);
    }
    if newest.is_rollback() && newest_ones.iter().all(stands) {
        // One that got half-way is gone on with, whoever presses R again.
        let mut left = newest.undoes.as_ref().map_or_else(Vec::new, of);
        left.retain(|it| stands(it));
        if !left.is_empty() {
            return Ok(by_marks(&left));
        }
        let half = half(estate, &newest_ones);
        return match half.is_empty() {
            true => Err(already_back(newest, estate)),
            false => told(half),
        };
    }
    match newest_ones.iter().all(stands) {
        true => Ok(by_marks(&newest_ones)),
        // What was deployed last was not deployed by us: what we found there is older than the revision before.
        false => revisions(estate),
    }
}

/// A second rollback by a tired hand would bring back what the first one took away (O06).
fn already_back(last: &Deployed, estate: &Estate) -> Refusal {
    Refusal::invalid(format!(
        "{} rolled {} back at {:.0}: that runs. To have the newer images all the same, deploy them",
        last.by, estate.scope.name, last.at
    ))
}

fn by_marks<'a>(of: &[&(&'a Deployment, Deployed)]) -> Way<'a> {
    let back = |(deployment, deployed): &&(&'a Deployment, Deployed)| Back {
        deployment,
        images: deployed.from.clone(),
    };
    let said = of.first().map_or_else(Safe::default, |(_, last)| {
        format!(
            "deployed by {} at {:.0}, operation {}",
            last.by, last.at, last.operation
        )
        .into()
    });
    Way {
        back: of.iter().map(back).collect(),
        worth: None,
        said,
    }
}

/// Deployments that were changed within so many seconds were changed together.
const TOGETHER_S: i64 = 600;

/// The images of the revision before, of what was changed last, as the ReplicaSets keep them.
fn revisions(estate: &Estate) -> Result<Way<'_>, Refusal> {
    let name = &estate.scope.name;
    let Some(newest) = last_change(estate) else {
        return Err(Refusal::invalid(format!(
            "what ran in {name} before is not known: Wheelhouse deployed nothing there, and no ReplicaSet of a revision before is \
             left; {}",
            elsewhere(estate)
        )));
    };
    let mut changed = all_changed(estate);
    changed.retain(|it| newest.duration_since(it.at).as_secs() <= TOGETHER_S);
    told(changed)
}

/// What was changed, of all Deployments.
fn all_changed(estate: &Estate) -> Vec<Changed<'_>> {
    ours(estate).filter_map(|d| changed(estate, d)).collect()
}

/// When something was changed last.
fn last_change(estate: &Estate) -> Option<Timestamp> {
    all_changed(estate).iter().map(|it| it.at).max()
}

/// What was changed together with what a rollback by revisions took back already, and was not taken back yet.
fn half<'a>(estate: &'a Estate, done: &[&(&'a Deployment, Deployed)]) -> Vec<Changed<'a>> {
    let came = |(deployment, deployed): &&(&'a Deployment, Deployed)| {
        let had = |set: &&ReplicaSet| {
            let mut images = set.images.iter();
            images.all(|(name, image)| deployed.from.get(name) == Some(&image.name))
        };
        let of = estate.replica_sets.value.iter();
        let of = of.filter(|set| set.owner.as_ref() == Some(&deployment.name));
        of.filter(had).filter_map(|set| set.created).max()
    };
    let Some(at) = done.iter().filter_map(came).max() else {
        return Vec::new();
    };
    let is_done = |d: &Deployment| done.iter().any(|(done, _)| done.name == d.name);
    // A deploy of Wheelhouse's is taken back by itself, unless another one came after it.
    let is_ours = done.iter().any(|(_, deployed)| deployed.undoes.is_some());
    let was_to = |it: &Changed<'_>| {
        let later = it.at.duration_since(at).as_secs();
        let stands = marks::deployed(it.deployment).is_some_and(|own| own.stands(it.deployment));
        !it.is_older && later.abs() <= TOGETHER_S && (!is_ours || later > 0 && !stands)
    };
    let left = ours(estate).filter(|d| !is_done(d));
    let left = left.filter_map(|d| changed(estate, d));
    left.filter(was_to).collect()
}

/// The way back of what was changed together.
fn told(changed: Vec<Changed<'_>>) -> Result<Way<'_>, Refusal> {
    let newest = changed.iter().map(|it| it.at).max().unwrap_or_default();
    // What went back of them has done so already, and keeps the others from nothing.
    let (older, changed): (Vec<_>, Vec<_>) = changed.into_iter().partition(|it| it.is_older);
    if let Some(back) = older.first().filter(|_| changed.is_empty()) {
        return Err(Refusal::invalid(format!(
            "{} was rolled back already: what it runs is older than what it ran before. To have that all the same, deploy it",
            back.deployment.name
        )));
    }
    if let Some(other) = changed.iter().find(|it| it.is_another_template()) {
        return Err(Refusal::invalid(format!(
            "{} had other containers in revision {}, and images alone do not bring those back: `kubectl rollout undo` each Deployment",
            other.deployment.name, other.revision
        )));
    }
    let words: Vec<String> = (changed.iter())
        .map(|it| format!("{} to revision {}", it.deployment.name, it.revision))
        .collect();
    let said = format!(
        "as the ReplicaSets tell it, {}: only the images go back, whatever else was changed stays",
        words.join(", ")
    );
    Ok(Way {
        worth: Some(Gate::new("revision", Finding::Noted, said)),
        said: format!("last changed at {newest:.0}, not by a deploy of images by Wheelhouse")
            .into(),
        back: changed.into_iter().map(Changed::back).collect(),
    })
}

/// A Deployment that ran other images before.
struct Changed<'a> {
    deployment: &'a Deployment,
    /// When the images that it has came; where it went back already, those that it went back from.
    at: Timestamp,
    /// The revision before them.
    revision: u64,
    images: &'a [(Safe, Image)],
    /// Whether it had what it has before what it had last: somebody went back already.
    is_older: bool,
}

impl<'a> Changed<'a> {
    fn back(self) -> Back<'a> {
        let images = self.images.iter();
        Back {
            deployment: self.deployment,
            images: images
                .map(|(name, image)| (name.clone(), image.name.clone()))
                .collect(),
        }
    }

    /// Another set of containers is another template, of which the images alone are nothing.
    fn is_another_template(&self) -> bool {
        fn names(images: &[(Safe, Image)]) -> BTreeSet<&Safe> {
            images.iter().map(|(name, _)| name).collect()
        }
        names(self.images) != names(&self.deployment.images)
    }
}

/// When the application of a Deployment got a tag that it had not before, as its ReplicaSets tell it; none where that is not known,
/// or where it went back to one. Another digest of a tag, or another sidecar, is the same application.
pub(super) fn replaced(estate: &Estate, deployment: &Deployment) -> Option<Timestamp> {
    let pods = estate.pods.value.iter();
    let mut pods = pods.filter(|pod| deployment.match_labels.selects(&pod.labels));
    let own = pods.find_map(|pod| pod.main_container()).map(|c| &c.name);
    let changed = changed_by(estate, deployment, |a, b| tag(a, own) == tag(b, own))?;
    (!changed.is_older).then_some(changed.at)
}

/// The tag of the container `own`, of the first where there is none of that name; the whole image where it names no tag.
fn tag<'a>(set: &'a ReplicaSet, own: Option<&Safe>) -> Option<&'a str> {
    let is_own = |(name, _): &&(Safe, Image)| Some(name) == own;
    let (_, image) = set.images.iter().find(is_own).or(set.images.first())?;
    let (_, tag, _) = image_parts(&image.name);
    Some(tag.unwrap_or(&image.name))
}

/// A restart has a revision of its own, and no other images.
fn changed<'a>(estate: &'a Estate, deployment: &'a Deployment) -> Option<Changed<'a>> {
    changed_by(estate, deployment, |a, b| a.images == b.images)
}

/// What was changed last, where two revisions that run the `same` are one.
fn changed_by<'a>(
    estate: &'a Estate,
    deployment: &'a Deployment,
    same: impl Fn(&ReplicaSet, &ReplicaSet) -> bool,
) -> Option<Changed<'a>> {
    let now: u64 = deployment.revision.as_ref()?.parse().ok()?;
    let numbered = |set: &'a ReplicaSet| Some((set.revision.as_ref()?.parse::<u64>().ok()?, set));
    let all = estate.replica_sets.value.iter();
    let sets: BTreeMap<u64, &ReplicaSet> = all
        .filter(|set| set.owner.as_ref() == Some(&deployment.name))
        .filter_map(numbered)
        .filter(|(number, _)| *number <= now)
        .collect();
    let current = sets.get(&now)?;
    let mut earlier = sets.iter().rev();
    let (revision, before) = earlier.find(|(_, set)| !same(set, current))?;
    let (_, first) = sets.range(revision + 1..).next()?;
    // It has its old set again, or a new one with the old images where more than those was changed.
    let is_older = first.created < before.created || earlier.any(|(_, set)| same(set, current));
    Some(Changed {
        deployment,
        at: if is_older { before } else { first }.created?,
        revision: *revision,
        images: &before.images,
        is_older,
    })
}

/// Helm goes back to the revision before.
fn revision(request: &Request, helm: &Helm, estate: &Estate, now: Now) -> Result<Plan, Refusal> {
    if let Some(AskedHelm::Unfit(why) | AskedHelm::Silent(why)) = &estate.helm {
        return past_helm(request, estate, now, why);
    }
    let target = Target {
        switch: None,
        to: None,
    };
    let none = BTreeMap::new();
    let about = release::about(estate, target, &none);
    let name = helm.name(&about);
    let found = release::release(helm, estate, BTreeMap::new());
    let parts = parts(estate, target);
    let restores = release::restores(estate, &name, now);
    // Its history lacks a revision, and the API may know what ran before.
    if restores.finding == Finding::Bad
        && !release::is_back(estate)
        && let Ok(plan) = past_helm(request, estate, now, &restores.said)
    {
        return Ok(plan);
    }
    // Helm tried, and what it was to take away brought images: those go back without it.
    if let Some((since, why)) = release::in_vain(estate)
        && last_change(estate).is_some_and(|at| at >= since)
        && let Ok(plan) = past_helm(request, estate, now, &why)
    {
        return Ok(plan);
    }
    let mut gates = vec![restores, release::runs(helm, &about, found.as_ref())];
    let paused = parts
        .iter()
        .filter_map(|(_, deployment)| paused(deployment));
    gates.extend(paused);
    let rolls: Vec<Safe> = release::rendered_of(estate, &parts, target);
    let locks: Vec<Safe> = rolls
        .iter()
        .map(|name| marks::lock_of_deployment(name))
        .collect();
    gates.extend(seized(estate, &locks, now));
    let to = found.as_ref().and_then(|it| it.back_to);
    let what = match to {
        Some(number) => format!("what revision {number} of {name} has"),
        None => format!("what the revision of {name} before has"),
    };
    let changes = gets(&parts, estate, &what);
    let draft = Draft {
        kind: OperationKind::Rollback,
        updates: Vec::new(),
        rolls,
        keeps: BTreeMap::new(),
        locks,
        gates,
        others: Vec::new(),
        images: changes,
        back: "a deploy, which upgrades it again".into(),
        release: found,
    };
    Ok(draft.finish(request, estate, None, None))
}

/// No helm is needed for a rollback (SAFETY, rule 9): where it does not answer, or has nothing to go back to, the images alone go
/// back, by the API.
fn past_helm(request: &Request, estate: &Estate, now: Now, why: &Safe) -> Result<Plan, Refusal> {
    let said = format!(
        "{why}; the images alone go back, past helm, which brings the newer ones again with its next upgrade"
    );
    let request = Request {
        how: How::Image,
        ..request.clone()
    };
    let worth = Gate::new("helm", Finding::Noted, said);
    images(&request, estate, now, Some(worth))
}

/// Who else knows a way back.
fn elsewhere(estate: &Estate) -> String {
    let mut owners = ours(estate).flat_map(|d| &d.owners);
    let release = owners.find_map(|owner| owner.strip_prefix("Helm release "));
    match release {
        Some(release) => format!("`helm rollback {release}` goes back a revision"),
        None => "`kubectl rollout undo` goes back a revision".to_owned(),
    }
}

fn update(estate: &Estate, back: &Back<'_>) -> Update {
    let deployment = back.deployment;
    let place = estate.deployment_group(deployment).workload;
    let workload = place.and_then(|place| estate.scope.workloads.get(place));
    let change = |(name, image): &(Safe, Image)| ContainerImage {
        name: name.clone(),
        from: image.name.clone(),
        to: back.images.get(name).unwrap_or(&image.name).clone(),
    };
    Update {
        deployment: deployment.name.clone(),
        uid: deployment.uid.clone(),
        workload: workload.map_or_else(|| "".into(), |w| w.name.clone()),
        revision: deployment.revision.clone(),
        containers: deployment.images.iter().map(change).collect(),
        replicas: deployment.desired,
        to_replicas: deployment.desired,
    }
}

fn paused(deployment: &Deployment) -> Option<Gate> {
    let said = || {
        let name = &deployment.name;
        format!("{name} is paused: `kubectl rollout resume` it, or nothing rolls")
    };
    deployment
        .paused
        .then(|| Gate::new("rollout", Finding::Noted, said()))
}
