//! The plan of a clean-up: the colour that traffic left is scaled to 0, when it is kept no longer.
//!
//! Which colour that is the Services say at that moment, and nobody's record (I-35). It is the end of the fast way
//! back, so the plan says what a rollback costs then.

use super::deploy::{Draft, keeps, parts, tags, target, unfit, unselected};
use super::freeze::freeze;
use super::gates::{current, lock, ready, rights};
use super::{ContainerImage, Finding, Gate, ImageChange, Plan, Refusal, Request, Update};
use crate::estate::{Deployment, Estate, Now, Safe, TrafficSwitch};
use crate::ops::OperationKind;
use crate::ops::after::follower;
use crate::ops::warm::{Warmth, warmth};

/// The note of the requests that still go there.
pub(in crate::ops) const DRAINING: &str = "draining";
/// The gate that says BAD while the colour is kept.
pub(in crate::ops) const WARM: &str = "warm";

pub(super) fn cleanup(
    request: &Request,
    estate: &Estate,
    switch: &TrafficSwitch,
    now: Now,
) -> Result<Plan, Refusal> {
    let target = target(request, estate, Some(switch))?;
    let Some(to) = target.to else {
        return Err(Refusal::invalid("which colour is idle is not known"));
    };
    let parts = parts(estate, target);
    let updates: Vec<Update> = (parts.iter())
        .filter(|(_, d)| d.desired > 0)
        .map(|(place, d)| scaled_down(&estate.scope.workloads[*place].name, d))
        .collect();
    let word = |c: usize| Plan::colour_in_words(&switch.colours[c]);
    if updates.is_empty() && estate.is_listed(crate::estate::Kind::Deployments) {
        return Err(Refusal::invalid(format!(
            "nothing to clean up: {} is at 0 already",
            word(to)
        )));
    }
    let mut gates = vec![current(estate, now)];
    gates.extend(unselected(estate, target));
    gates.push(kept(estate, now));
    let draining = estate.draining(now.at);
    gates.extend(draining.map(|it| Gate::new(DRAINING, Finding::Noted, it.to_string())));
    // While the live colour is ill the warm one is all that there is.
    gates.push(Gate {
        name: "live".into(),
        ..ready(estate, 1 - to)
    });
    gates.extend(parts.iter().filter_map(|(_, d)| unfit(d, target)));
    gates.extend(freeze(request, estate, now));
    gates.extend(lock(request, estate, &switch.services, now));
    gates.extend(rights(request.kind, estate));
    gates.extend(parts.iter().filter_map(|(_, d)| owned(d)));
    let draft = Draft {
        kind: OperationKind::Cleanup,
        images: updates.iter().map(pods).collect(),
        updates,
        rolls: Vec::new(),
        keeps: keeps(estate, Some(switch))?,
        locks: switch.services.clone(),
        gates,
        others: Vec::new(),
        back: cold(estate, to),
        release: None,
    };
    Ok(draft.finish(request, estate, target.switch, target.to))
}

/// The template stays as it is; an autoscaler does nothing at 0.
fn scaled_down(workload: &Safe, deployment: &Deployment) -> Update {
    let same = |(name, image): &(Safe, crate::estate::Image)| ContainerImage {
        name: name.clone(),
        from: image.name.clone(),
        to: image.name.clone(),
    };
    Update {
        deployment: deployment.name.clone(),
        uid: deployment.uid.clone(),
        workload: workload.clone(),
        revision: deployment.revision.clone(),
        containers: deployment.images.iter().map(same).collect(),
        replicas: deployment.desired,
        to_replicas: 0,
    }
}

fn pods(update: &Update) -> ImageChange {
    ImageChange {
        workload: update.workload.clone(),
        from: vec![format!("{} on {} pods", tags(update, false), update.replicas).into()],
        to: vec!["0 pods; it keeps its image".into()],
    }
}

/// What follows a flip, where the configuration says so.
pub(super) fn follows(switch: &TrafficSwitch, to: usize) -> Option<Gate> {
    let seconds = switch.keep_warm.filter(|_| switch.clean_up)?;
    let left = Plan::colour_in_words(&switch.colours[1 - to]);
    let said = format!(
        "when all went well and {left} was kept for {seconds} s, it is scaled to 0 by an operation of its own, unless \
         somebody holds it or anything else comes between"
    );
    Some(Gate::new("cleanup", Finding::Noted, said))
}

/// I-36, I-39: whether it is kept, since the last change of traffic.
pub(in crate::ops) fn kept(estate: &Estate, now: Now) -> Gate {
    let name = &estate.scope.name;
    let way =
        format!("`wheelhouse warm release {name} --write --reason …` lets it go (H on the screen)");
    match warmth(estate, estate.told_time(now)) {
        Some(Warmth::Unknown(why)) => Gate::new(WARM, Finding::Unknown, format!("{why}; {way}")),
        Some(warmth @ Warmth::Kept(..)) => {
            let follows = follower(estate).map_or_else(String::new, |it| {
                format!("; {} waits to clean it up then", it.by)
            });
            let said = format!("{}{follows}; {way}", warmth.words());
            Gate::new(WARM, Finding::Bad, said)
        }
        Some(warmth @ Warmth::Free(..)) => Gate::new(WARM, Finding::Ok, warmth.words()),
        None => Gate::new(WARM, Finding::Unknown, "which colour is idle is not known"),
    }
}

fn owned(deployment: &Deployment) -> Option<Gate> {
    let owner = deployment.owners.first()?;
    let said = format!(
        "{owner} manages {}: its next sync or upgrade may scale it up again",
        deployment.name
    );
    Some(Gate::new("owner", Finding::Noted, said))
}

/// What a rollback is once it is cold (I-29).
fn cold(estate: &Estate, to: usize) -> Safe {
    let word = estate
        .scope
        .traffic
        .as_ref()
        .map_or_else(String::new, |s| Plan::colour_in_words(&s.colours[to]));
    let lasts = match estate.starts_in(1 - to) {
        Some(seconds) => format!("about {seconds} s, as the live pods took"),
        None => "nobody knows how long".to_owned(),
    };
    format!(
        "{word} is cold then: `deploy {} --same` brings its pods up again ({lasts}), and only then there is a rollback",
        estate.scope.name
    )
    .into()
}
