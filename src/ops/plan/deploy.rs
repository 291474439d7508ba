//! The plan of a deploy by images: what each Deployment of the idle colour gets, and why it may not.
//!
//! Which colour is idle the Services say at that moment, and nobody else (I-6, I-35). Parts that are not named get
//! what is live: an older one would come back with the next cutover.

mod gates;
pub(super) mod helm;
mod images;

use std::collections::BTreeMap;

use serde::Serialize;

use super::approval::{REVIEW, demands_review};
use super::ci::ci_in_place;
use super::freeze::freeze;
use super::gates::{current, lock, rights, services};
use super::monitoring::{gates_in_place, lasting_soak};
use super::overridden::overridden;
use super::{
    Finding, Gate, How, ImageChange, Plan, Probe, Refusal, Release, Request, Update, colour,
    decisive,
};
use crate::estate::{Approver, Deployment, Estate, Group, Image, Labels, Now, Safe, TrafficSwitch};
use crate::ops::warm::{Warmth, warmth};
use crate::ops::{OperationKind, marks};
use gates::{dispatches, missing, noted, runs, scaled};
pub(super) use gates::{owned, unfit, unselected};
pub(super) use helm::is_of_helm;
pub use images::SAME;
pub(super) use images::part;
use images::{Wanted, resolved};

pub use images::asked;

/// Where a deploy goes.
#[derive(Clone, Copy)]
pub(super) struct Target<'a> {
    pub(super) switch: Option<&'a TrafficSwitch>,
    /// The idle colour; none where there are no colours.
    pub(super) to: Option<usize>,
}

/// The note that traffic could have gone back to what is deployed over.
pub(super) const WAY_BACK: &str = "way-back";

/// Traffic left that colour a while ago and it is kept for a rollback: what is deployed there is no way back (I-30).
fn way_back(estate: &Estate, target: Target<'_>, now: Now) -> Option<Gate> {
    let idle = target.switch?.colours.get(target.to?)?;
    let warmth = warmth(estate, Some(estate.server_time(now)))?;
    let said = match &warmth {
        Warmth::Kept(..) => warmth.words(),
        Warmth::Free(..) | Warmth::Unknown(_) => return None,
    };
    let idle = Plan::colour_in_words(idle);
    Some(Gate::new(
        WAY_BACK,
        Finding::Noted,
        format!(
            "{idle} is what a rollback goes back to, {said}: with another image it is not any more"
        ),
    ))
}

pub(super) fn deploy(
    request: &Request,
    estate: &Estate,
    switch: Option<&TrafficSwitch>,
    now: Now,
) -> Result<Plan, Refusal> {
    let target = target(request, estate, switch)?;
    let parts = parts(estate, target);
    let installs = match &request.how {
        How::Helm(_) => helm::installs(estate, target),
        How::Image | How::Command(_) | How::Workflow(_) => Vec::new(),
    };
    let mut updates = Vec::new();
    let mut gates = vec![current(estate, now)];
    let mut release = None;
    gates.extend(unselected(estate, target));
    gates.extend(missing(estate, target, &installs));
    gates.extend(parts.iter().filter_map(|(_, d)| unfit(d, target)));
    match &request.how {
        How::Image => {
            let wanted = Wanted::read(&request.images, estate)?;
            for (place, deployment) in &parts {
                updates.push(update(estate, target, *place, deployment, &wanted)?);
            }
            wanted.all_found(&updates)?;
            gates.extend(noted(&updates, &wanted, target));
            gates.extend(scaled(&updates));
        }
        How::Command(command) => {
            if !request.images.is_empty() {
                Wanted::read(&request.images, estate)?.none_is_same()?;
            }
            gates.push(runs(command));
        }
        How::Workflow(workflow) => gates.push(dispatches(request, workflow)?),
        How::Helm(by) => {
            if !request.images.is_empty() {
                Wanted::read(&request.images, estate)?.none_is_same()?;
            }
            let images = helm::images(request, by, estate, target)?;
            let words = helm::about(estate, target, &images);
            let found = helm::release(by, estate, images.clone());
            gates.push(helm::runs(by, &words, found.as_ref()));
            gates.extend(helm::gates(by, estate, target, now));
            release = found;
        }
    }
    if !request.how.is_image() {
        updates = parts
            .iter()
            .filter_map(|it| lift(estate, target, it))
            .collect();
        gates.extend(scaled(&updates));
    }
    let keeps = keeps(estate, switch)?;
    let locks = match switch {
        Some(switch) => switch.services.clone(),
        None => (parts.iter().map(|(_, d)| &d.name))
            .chain(installs.iter().map(|(_, name)| name))
            .map(|name| marks::lock_of_deployment(name))
            .collect(),
    };
    gates.extend(freeze(request, estate, now));
    gates.extend(lock(request, estate, &locks, now));
    gates.extend(rights(request.kind, estate));
    gates.extend(in_place(request, estate, now));
    gates.extend(way_back(estate, target, now));
    gates.extend(parts.iter().filter_map(|(_, d)| owned(d)));
    let rolls = (parts.iter().map(|(_, d)| d.name.clone()))
        .chain(installs.into_iter().map(|(_, name)| name))
        .collect();
    let others = parts.iter().filter_map(|(_, d)| before(d)).collect();
    let back = match &request.how {
        How::Helm(by) => helm::back(by, estate, target, release.as_ref()),
        How::Image => back(estate, target, &updates),
        How::Command(_) | How::Workflow(_) => past(estate, target),
    };
    let images = match &request.how {
        How::Image => changes(&updates),
        How::Command(command) => {
            let name = command.argv.first().map_or("", |name| name.as_str());
            decided_by(&parts, estate, name)
        }
        How::Workflow(workflow) => decided_by(&parts, estate, &workflow.file),
        How::Helm(by) => decided_by(&parts, estate, &by.chart),
    };
    updates.retain(changes_something);
    let draft = Draft {
        kind: request.kind,
        updates,
        rolls,
        keeps,
        locks,
        gates,
        others,
        images,
        back,
        release,
    };
    let plan = draft.finish(request, estate, target.switch, target.to);
    Ok(Plan {
        overridden: match target.switch {
            Some(_) => plan.overridden,
            None => overridden(request, estate, &plan.gates)?,
        },
        ..plan
    })
}

/// The images that a deploy in place brings; none where whatever deploys decides.
pub(in crate::ops) fn arriving(request: &Request, estate: &Estate) -> Option<Vec<Image>> {
    let target = Target {
        switch: None,
        to: None,
    };
    let names: Vec<Safe> = match &request.how {
        How::Image => {
            let wanted = Wanted::read(&request.images, estate).ok()?;
            let parts = parts(estate, target).into_iter();
            let updates = parts.filter_map(|(at, d)| update(estate, target, at, d, &wanted).ok());
            let containers = updates.flat_map(|update| update.containers);
            let changed = containers.filter(|it| it.from != it.to);
            changed.map(|it| it.to).collect()
        }
        How::Helm(by) => {
            let told = helm::images(request, by, estate, target).ok()?;
            (!told.is_empty()).then(|| told.into_values().collect())?
        }
        How::Command(_) | How::Workflow(_) => return None,
    };
    Some(names.into_iter().map(Image::named).collect())
}

/// What helm is asked about before `request` is planned: how, and the words that say it; none where it is not by helm, or
/// cannot be planned anyway.
pub(in crate::ops) fn told(request: &Request, estate: &Estate) -> Option<(Safe, Vec<Safe>)> {
    let How::Helm(by) = &request.how else {
        return None;
    };
    let target = target(request, estate, estate.scope.traffic.as_ref()).ok()?;
    let images = helm::images(request, by, estate, target).ok()?;
    let about = helm::about(estate, target, &images);
    Some((by.name(&about), by.template(&about)))
}

/// The idle colour, by the Services as they are.
pub(super) fn target<'a>(
    request: &Request,
    estate: &Estate,
    switch: Option<&'a TrafficSwitch>,
) -> Result<Target<'a>, Refusal> {
    let Some(switch) = switch else {
        return match &request.to {
            Some(_) => Err(Refusal::invalid(format!(
                "{} has no colours: it is deployed in place, without --to",
                estate.scope.name
            ))),
            None => Ok(Target {
                switch: None,
                to: None,
            }),
        };
    };
    services(estate, switch)?;
    let Some(live) = estate.live_colour() else {
        return Err(Refusal::invalid(
            "which colour is idle? The Services do not agree on one that is live: cut over, roll back or repair first",
        ));
    };
    let word = |c: usize| Plan::colour_in_words(&switch.colours[c]);
    if let Some(wanted) = &request.to
        && colour(wanted, switch)? == live
    {
        return Err(Refusal::invalid(format!(
            "{} is live: a {} goes to the idle colour, {}, and never to what takes traffic",
            word(live),
            request.kind.word(),
            word(1 - live)
        )));
    }
    Ok(Target {
        switch: Some(switch),
        to: Some(1 - live),
    })
}

/// The Deployments that a deploy is about, each with its workload's place, in the order of the configuration.
pub(super) fn parts<'a>(estate: &'a Estate, target: Target<'_>) -> Vec<(usize, &'a Deployment)> {
    estate.deployments_in(target.to).collect()
}

/// What one Deployment gets; the same as it has where nothing is to be changed.
fn update(
    estate: &Estate,
    target: Target<'_>,
    place: usize,
    deployment: &Deployment,
    wanted: &Wanted,
) -> Result<Update, Refusal> {
    let of = |colour| {
        let group = Group {
            workload: Some(place),
            colour,
        };
        estate.deployments_of(group).collect::<Vec<_>>()
    };
    let live = target.to.map_or_else(Vec::new, |to| of(Some(1 - to)));
    let running = |container: &str| {
        let all = live.iter().flat_map(|d| &d.images);
        let mut named = all.filter(|(name, _)| name.as_str() == container);
        named.next().map(|(_, image)| image.name.clone())
    };
    let workload = &estate.scope.workloads[place].name;
    let containers = wanted.of(workload, deployment, running)?;
    let desired = live.iter().map(|d| d.desired).sum::<u32>();
    let many = u32::try_from(of(target.to).len()).unwrap_or(1).max(1);
    Ok(Update {
        deployment: deployment.name.clone(),
        uid: deployment.uid.clone(),
        workload: workload.clone(),
        revision: deployment.revision.clone(),
        containers,
        replicas: deployment.desired,
        // No autoscaler lifts what stands at 0, and fewer than are live could not bear the traffic (I-5).
        to_replicas: deployment.desired.max(desired.div_ceil(many)),
    })
}

/// What is deployed in place takes traffic at once, so it is asked what a cutover is asked that can be asked here (SAFETY, rule 13).
/// A part of an operation was asked with it, and a recovery is a way back.
fn in_place(request: &Request, estate: &Estate, now: Now) -> Vec<Gate> {
    let recovers = matches!(&request.how, How::Helm(helm) if helm.recovers);
    if estate.scope.traffic.is_some() || request.within.is_some() || recovers {
        return Vec::new();
    }
    let mut gates = gates_in_place(estate, now);
    gates.extend(ci_in_place(request, estate));
    gates.extend(unapproved(&request.how, estate));
    gates.extend(unwatched(estate));
    gates
}

/// Whether what was asked before a deploy in place still lets it begin: whoever adopts it may come hours later (I-12).
///
/// # Errors
/// The gate that closed since.
pub(in crate::ops) fn open_in_place(plan: &Plan, estate: &Estate, now: Now) -> Result<(), Safe> {
    let recovers = matches!(&plan.how, How::Helm(helm) if helm.recovers);
    if estate.scope.traffic.is_some() || plan.kind != OperationKind::Deploy || recovers {
        return Ok(());
    }
    let mut gates = gates_in_place(estate, now);
    gates.extend(unapproved(&plan.how, estate));
    plan.passes(&gates)
}

/// What is demanded before and after a flip, of which there is none here: whoever confirms it knows.
fn unwatched(estate: &Estate) -> Option<Gate> {
    let demanded = estate.demanded();
    let mut words = Vec::new();
    if estate.needs_smoke() {
        words.push("a smoke test before traffic comes".to_owned());
    }
    if demanded.soak_s > 0 {
        words.push(format!(
            "a soak of {} s that brings traffic back",
            demanded.soak_s
        ));
    }
    if estate.holds_returned() {
        words.push("a reason where traffic was brought back before".to_owned());
    }
    let said = format!(
        "{} is demanded, and a deploy in place has none of it: traffic is there at once, `smoke` can be asked behind it, and R takes the revision back",
        words.join(", ")
    );
    (!words.is_empty()).then(|| Gate::new("unwatched", Finding::Noted, said))
}

/// An approval is bound to a cutover's plan: nobody can be asked for one of a deploy in place.
fn unapproved(how: &How, estate: &Estate) -> Option<Gate> {
    if estate.approver() == Approver::Other {
        let said = "one other person's approval is demanded, and a deploy in place, which changes what takes traffic, can be asked \
                    none: give the environment colours ([environment.traffic]), or have whoever demands it demand none here";
        return Some(Gate::new("unapproved", Finding::Bad, said));
    }
    let is_unknown = demands_review(estate) && !matches!(how, How::Workflow(_));
    let said = "the policy demands a review of GitHub's environment, and no run of a workflow deploys here: nothing says that there \
                was one";
    is_unknown.then(|| Gate::new(REVIEW, Finding::Unknown, said))
}

/// What stands at 0 in the idle colour, brought up as it is (SAFETY, rule 12).
fn lift(
    estate: &Estate,
    target: Target<'_>,
    (place, deployment): &(usize, &Deployment),
) -> Option<Update> {
    let is_cold = target.to.is_some() && deployment.desired == 0;
    let wanted = Wanted::default();
    let as_it_is = || update(estate, target, *place, deployment, &wanted).ok();
    let mut lifted = is_cold.then(as_it_is).flatten()?;
    for container in &mut lifted.containers {
        container.to.clone_from(&container.from);
    }
    changes_something(&lifted).then_some(lifted)
}

/// What each Deployment has, and who decides what it gets.
fn decided_by(parts: &[(usize, &Deployment)], estate: &Estate, by: &str) -> Vec<ImageChange> {
    gets(parts, estate, &format!("what {by} gives it"))
}

/// What each Deployment has, and what it gets, in words.
pub(super) fn gets(
    parts: &[(usize, &Deployment)],
    estate: &Estate,
    what: &str,
) -> Vec<ImageChange> {
    let change = |(place, deployment): &(usize, &Deployment)| ImageChange {
        workload: estate.scope.workloads[*place].name.clone(),
        from: (deployment.images.iter())
            .map(|(_, image)| image.short_tag().into())
            .collect(),
        to: vec![what.into()],
    };
    parts.iter().map(change).collect()
}

fn changes_something(update: &Update) -> bool {
    update.replicas != update.to_replicas || update.containers.iter().any(|c| c.from != c.to)
}

/// Who deployed there last, where Wheelhouse did.
fn before(deployment: &Deployment) -> Option<Safe> {
    let last = marks::deployed(deployment)?;
    let (name, what, by, at) = (&deployment.name, &last.what, &last.by, last.at);
    Some(format!("{name} last changed by {by} at {at:.0} ({what})").into())
}

/// The selectors that must be as they are when it is over (I-52).
pub(super) fn keeps(
    estate: &Estate,
    switch: Option<&TrafficSwitch>,
) -> Result<BTreeMap<Safe, Labels>, Refusal> {
    let Some(switch) = switch else {
        return Ok(BTreeMap::new());
    };
    let services = services(estate, switch)?;
    Ok(services
        .into_iter()
        .map(|s| (s.name.clone(), s.selector.clone()))
        .collect())
}

/// The tags of one side of an update.
pub(super) fn tags(update: &Update, is_after: bool) -> String {
    let of = |c: &super::ContainerImage| short(if is_after { &c.to } else { &c.from });
    let words: Vec<String> = update.containers.iter().map(of).collect();
    words.join(", ")
}

/// The tag of an image as people say it, and the digest where it names both: that is what is pulled.
fn short(reference: &Safe) -> String {
    let image = Image::named(reference.clone());
    match image.parts() {
        (Some(_), Some(digest)) => format!("{}@{digest}", image.short_tag()),
        _ => image.short_tag().to_owned(),
    }
}

/// What each Deployment had and gets, by tag.
pub(super) fn changes(updates: &[Update]) -> Vec<ImageChange> {
    let change = |update: &Update| ImageChange {
        workload: update.workload.clone(),
        from: vec![tags(update, false).into()],
        to: vec![tags(update, true).into()],
    };
    updates.iter().map(change).collect()
}

fn back(estate: &Estate, target: Target<'_>, updates: &[Update]) -> Safe {
    let had: Vec<String> = (updates.iter())
        .map(|u| format!("{} {}", u.workload, tags(u, false)))
        .collect();
    match (target.switch, target.to) {
        (Some(switch), Some(to)) => {
            let live = Plan::colour_in_words(&switch.colours[1 - to]);
            format!(
                "no way back is needed, {live} stays live; to have the old images again, deploy them: {}",
                had.join(", ")
            )
        }
        _ => format!(
            "R, or `rollback {}`: the images before, {}",
            estate.scope.name,
            had.join(", ")
        ),
    }
    .into()
}

/// The way back of what a program or a workflow deploys.
fn past(estate: &Estate, target: Target<'_>) -> Safe {
    match (target.switch, target.to) {
        (Some(switch), Some(to)) => {
            let live = Plan::colour_in_words(&switch.colours[1 - to]);
            format!("no way back is needed, {live} stays live")
        }
        _ => format!(
            "R, or `rollback {}`: the images before; whatever else it changes stays",
            estate.scope.name
        ),
    }
    .into()
}

/// A plan without what follows from the rest.
pub(super) struct Draft {
    pub(super) kind: OperationKind,
    pub(super) updates: Vec<Update>,
    pub(super) rolls: Vec<Safe>,
    pub(super) keeps: BTreeMap<Safe, Labels>,
    pub(super) locks: Vec<Safe>,
    pub(super) gates: Vec<Gate>,
    pub(super) others: Vec<Safe>,
    pub(super) images: Vec<ImageChange>,
    pub(super) back: Safe,
    pub(super) release: Option<Release>,
}

/// What decides (SAFETY, rule 7).
#[derive(Serialize)]
struct Decisive<'a> {
    kind: OperationKind,
    to: &'a Safe,
    updates: &'a [Update],
    rolls: &'a [Safe],
    keeps: &'a BTreeMap<Safe, Labels>,
    how: &'a How,
    probes: &'a [Probe],
    images: &'a [ImageChange],
    gates: Vec<(Safe, Finding)>,
    /// Which revision a recovery goes back to.
    #[serde(skip_serializing_if = "Option::is_none")]
    back_to: Option<u32>,
    /// What the policy says; left out where it says nothing.
    #[serde(skip_serializing_if = "Option::is_none")]
    policy: Option<Safe>,
}

impl Draft {
    pub(super) fn finish(
        self,
        request: &Request,
        estate: &Estate,
        switch: Option<&TrafficSwitch>,
        to: Option<usize>,
    ) -> Plan {
        let value = |c: usize| switch.map(|switch| switch.colours[c].clone());
        let named = to.and_then(value).unwrap_or_else(|| "".into());
        let decides = match self.kind {
            OperationKind::Rollback => Vec::new(),
            _ => decisive::of_gates(&self.gates),
        };
        let hash = decisive::hash_of(&Decisive {
            kind: self.kind,
            to: &named,
            updates: &self.updates,
            rolls: &self.rolls,
            keeps: &self.keeps,
            how: &request.how,
            probes: &request.probes,
            images: match self.kind {
                OperationKind::Smoke => &self.images,
                _ => &[],
            },
            gates: decides,
            back_to: self.release.as_ref().and_then(|it| it.back_to),
            policy: match self.kind {
                OperationKind::Smoke => None,
                kind => super::freeze::terms(kind, estate),
            },
        });
        Plan {
            kind: self.kind,
            environment: estate.scope.name.clone(),
            namespace: estate.scope.namespace.clone(),
            key: switch.map_or_else(|| "".into(), |switch| switch.key.clone()),
            from: to.and_then(|to| value(1 - to)),
            to: named,
            flips: Vec::new(),
            least: BTreeMap::new(),
            images: self.images,
            holds: Vec::new(),
            gates: self.gates,
            others: self.others,
            back: self.back,
            reason: request.reason.clone(),
            tested: None,
            runs: Vec::new(),
            how: request.how.clone(),
            probes: request.probes.clone(),
            release: self.release,
            demands: None,
            restarts: BTreeMap::new(),
            is_strict: estate.demanded().is_strict,
            wanted: request.images.clone(),
            updates: self.updates,
            rolls: self.rolls,
            keeps: self.keeps,
            locks: self.locks,
            overridden: BTreeMap::new(),
            soak: lasting_soak(estate),
            fired: None,
            hash,
            bound: Safe::default(),
        }
    }
}
