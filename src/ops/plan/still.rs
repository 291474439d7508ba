//! Whether a patch of the plan may be sent at this instant, from fresh reads (I-4).

use super::ci::credential;
use super::gates::{capacity, matching, portless, ready, taking};
use super::tested::untested;
use super::{Flip, Gate, Plan, monitoring};
use crate::estate::{Estate, Now, Safe, Service};
use crate::ops::OperationKind;

/// The Service as it is now, if `flip` may be done to it. Forward moves demand the colour's Deployments
/// saturated too; a way back demands no more than ready pods behind the whole selector (I-22).
///
/// # Errors
/// Why not.
pub fn still(plan: &Plan, flip: &Flip, estate: &Estate, is_forward: bool) -> Result<Service, Safe> {
    let name = &flip.service;
    let service = (estate.services.value.get(name))
        .ok_or_else(|| Safe::from(format!("Service {name} was deleted")))?;
    if service.uid != flip.uid {
        return Err(
            format!("Service {name} was deleted and made again: it is another object now").into(),
        );
    }
    // A way back finds it gone there already where whoever was cut off took it back, or never got so far.
    let is_back = plan.kind == OperationKind::Rollback && service.selector == flip.to;
    if service.selector != flip.from && !is_back {
        let words = |labels: &crate::estate::Labels| {
            let pairs: Vec<String> = labels.iter().map(|(k, v)| format!("{k}={v}")).collect();
            pairs.join(" ")
        };
        return Err(format!(
            "the selector of {name} is {} now and not {}: somebody changed it; look, and plan again",
            words(&service.selector),
            words(&flip.from)
        )
        .into());
    }
    let colour = flip.to.get(&plan.key);
    let switch = estate.scope.traffic.as_ref();
    let place = colour.and_then(|value| switch?.colour(value));
    let (Some(place), Some(switch)) = (place, switch) else {
        // Back to what was, whatever that was: it must serve somebody.
        return match taking(estate, &flip.to).next() {
            Some(_) => Ok(service.clone()),
            None => Err(format!("no ready pod matches what {name} selected before").into()),
        };
    };
    let target = [(name.clone(), flip.to.clone())];
    let mut gates = matching(estate, &target, switch, place);
    gates.extend(portless(estate, &[service], &target));
    // Where nobody answers any more that is why, and not that its pods are others than those that were planned over.
    gates.iter().try_for_each(open_now)?;
    if is_forward {
        if let Some(why) = untested(plan, estate, place) {
            return Err(why);
        }
        open_now(&ready(estate, place))?;
    }
    Ok(service.clone())
}

/// What a flip itself stands on nobody passes over.
fn open_now(gate: &Gate) -> Result<(), Safe> {
    match gate.is_closed() {
        true => Err(format!("{}: {}", gate.name, gate.said).into()),
        false => Ok(()),
    }
}

/// Whether what may change after the plan still lets traffic move: how large the colour is, how long our credential lasts,
/// and monitoring. Asked when the first Service is about to be flipped, which may be long after the check where another
/// worker went on (I-5, I-12).
///
/// # Errors
/// The gate that closed since.
pub fn open(plan: &Plan, estate: &Estate, now: Now) -> Result<(), Safe> {
    let switch = estate.scope.traffic.as_ref();
    let Some((switch, to)) = switch.and_then(|it| Some((it, it.colour(&plan.to)?))) else {
        return Ok(());
    };
    let mut gates = vec![capacity(estate, to)];
    gates.extend(credential(estate, now));
    if estate.alerts.is_none() && plan.fired.is_some() {
        let why = "monitoring: no Prometheus is configured on this bastion, and the plan had one";
        return Err(why.into());
    }
    gates.extend(monitoring::gates(estate, switch, to, now));
    plan.passes(&gates)
}
