//! The way back of an environment without colours: the images before the last deploy, as the Deployments
//! themselves remember them. It needs nothing but the Kubernetes API (SAFETY, rule 9).

use std::collections::BTreeMap;

use super::deploy::{Draft, changes, owned};
use super::{ContainerImage, Finding, Gate, Plan, Refusal, Request, Update};
use crate::estate::{Deployment, Estate, Now, Safe};
use crate::ops::OperationKind;
use crate::ops::marks::{self, Deployed};

pub(super) fn restore(request: &Request, estate: &Estate, now: Now) -> Result<Plan, Refusal> {
    if request.to.is_some() {
        return Err(Refusal::invalid(format!(
            "{} has no colours: it is rolled back to the images before, without --to",
            estate.scope.name
        )));
    }
    let known: Vec<(&Deployment, Deployed)> = (estate.deployments.value.iter())
        .filter(|d| estate.deployment_group(d).workload.is_some())
        .filter_map(|d| Some((d, marks::deployed(d)?)))
        .collect();
    let last = last(&known, estate)?;
    let mut gates = Vec::new();
    let mut updates = Vec::new();
    for (deployment, deployed) in known.iter().filter(|(_, d)| d.operation == last.operation) {
        gates.extend(worth(deployment, deployed));
        updates.push(update(estate, deployment, deployed));
    }
    let locks: Vec<Safe> = (updates.iter())
        .map(|u| marks::lock_of_deployment(&u.deployment))
        .collect();
    gates.extend(seized(estate, &locks, now));
    let rolls = updates.iter().map(|u| u.deployment.clone()).collect();
    let images = changes(&updates);
    updates.retain(|u| u.containers.iter().any(|c| c.from != c.to));
    if updates.is_empty() {
        return Err(Refusal::invalid(
            "nothing to roll back: every Deployment has the images from before the last deploy",
        ));
    }
    let draft = Draft {
        kind: OperationKind::Rollback,
        updates,
        rolls,
        keeps: BTreeMap::new(),
        locks,
        gates,
        others: vec![
            format!(
                "deployed by {} at {:.0}, operation {}",
                last.by, last.at, last.operation
            )
            .into(),
        ],
        images,
        back: "a deploy of the newer images, with all its checks".into(),
        release: None,
    };
    Ok(draft.finish(request, estate, None, None))
}

/// The last deploy that Wheelhouse did there.
fn last<'a>(
    known: &'a [(&Deployment, Deployed)],
    estate: &Estate,
) -> Result<&'a Deployed, Refusal> {
    let name = &estate.scope.name;
    let last = known.iter().map(|(_, deployed)| deployed);
    let Some(last) = last.max_by_key(|deployed| deployed.at) else {
        return Err(Refusal::invalid(format!(
            "what ran in {name} before is not known: Wheelhouse deployed nothing there by images; {}",
            elsewhere(estate)
        )));
    };
    // A second rollback by a tired hand would bring back what the first one took away (O06).
    match last.what.as_str() == OperationKind::Rollback.word() {
        true => Err(Refusal::invalid(format!(
            "{} rolled {name} back at {:.0}: that runs. To have the newer images all the same, deploy them",
            last.by, last.at
        ))),
        false => Ok(last),
    }
}

/// Who else knows a way back.
fn elsewhere(estate: &Estate) -> String {
    let ours =
        (estate.deployments.value.iter()).filter(|d| estate.deployment_group(d).workload.is_some());
    let mut owners = ours.flat_map(|d| &d.owners);
    let release = owners.find_map(|owner| owner.strip_prefix("Helm release "));
    match release {
        Some(release) => format!("`helm rollback {release}` goes back a revision"),
        None => "`kubectl rollout undo` goes back a revision".to_owned(),
    }
}

fn update(estate: &Estate, deployment: &Deployment, deployed: &Deployed) -> Update {
    let place = estate.deployment_group(deployment).workload;
    let workload = place.and_then(|place| estate.scope.workloads.get(place));
    let back = |(name, image): &(Safe, crate::estate::Image)| ContainerImage {
        name: name.clone(),
        from: image.name.clone(),
        to: deployed.from.get(name).unwrap_or(&image.name).clone(),
    };
    Update {
        deployment: deployment.name.clone(),
        uid: deployment.uid.clone(),
        workload: workload.map_or_else(|| "".into(), |w| w.name.clone()),
        revision: deployment.revision.clone(),
        containers: deployment.images.iter().map(back).collect(),
        replicas: deployment.desired,
        to_replicas: deployment.desired,
    }
}

/// What somebody should know, and what does not stand in the way.
fn worth(deployment: &Deployment, deployed: &Deployed) -> Vec<Gate> {
    let name = &deployment.name;
    let is_another = |(container, image): &(Safe, crate::estate::Image)| {
        deployed
            .to
            .get(container)
            .is_some_and(|to| *to != image.name)
    };
    let mut gates = Vec::new();
    if deployment.images.iter().any(is_another) {
        let said = format!("{name} was changed by somebody else since the deploy");
        gates.push(Gate::new("images", Finding::Noted, said));
    }
    // Rule 9: it is brought back past whoever owns it, who may not know.
    gates.extend(owned(deployment));
    if deployment.paused {
        let said = format!("{name} is paused: `kubectl rollout resume` it, or nothing rolls");
        gates.push(Gate::new("rollout", Finding::Noted, said));
    }
    gates
}

fn seized(estate: &Estate, locks: &[Safe], now: Now) -> Vec<Gate> {
    let server = estate.server_time(now);
    let said = |lock: &Safe| {
        let lease = estate.leases.value.get(marks::lease_name(lock).as_str())?;
        let holder = lease.holder.as_ref().filter(|holder| !holder.is_empty())?;
        let alive = match marks::is_alive(lease, server) {
            true => "is at it and will be cut off",
            false => "left it locked",
        };
        Some(Gate::new(
            "seizes",
            Finding::Noted,
            format!("{lock}: {holder} {alive}"),
        ))
    };
    locks.iter().filter_map(said).collect()
}
