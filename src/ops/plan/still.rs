//! Whether a patch of the plan may be sent at this instant, from fresh reads (I-4).

use super::gates::{matching, ready, taking};
use super::{Finding, Flip, Gate, Plan};
use crate::estate::{Estate, Safe, Service};

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
    if service.selector != flip.from {
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
    let mut gates = matching(estate, &[(name.clone(), flip.to.clone())], switch, place);
    if is_forward {
        gates.push(ready(estate, place));
    }
    let bad = |gate: &&Gate| matches!(gate.finding, Finding::Bad | Finding::Unknown);
    match gates.iter().find(bad) {
        Some(gate) => Err(format!("{}: {}", gate.name, gate.said).into()),
        None => Ok(service.clone()),
    }
}
