//! Which gates may be overridden with a reason, and which were.

use std::collections::BTreeMap;

use super::again::{DIGESTS, RETURNED};
use super::approval::REVIEW;
use super::ci::{CI, CREDENTIAL};
use super::gates::{AUTOSCALERS, OWNER, RIGHTS};
use super::{Finding, Gate, Plan, Refusal, Request, monitoring};
use crate::estate::{Estate, Safe};

/// What may be overridden, in words.
pub const OVERRIDABLE: &str = "monitoring, alert:NAME, rule:NAME, query:NAME, capacity, autoscalers, returned, digests, ci, \
     credential, review, owner, rights";

impl Gate {
    /// Whether somebody may override it (SAFETY, rule 6): what monitoring says, how large a colour is and whether it stays so, what
    /// is known of its images, of their commit and of its review, how long our credential lasts, who may set the selector back, and
    /// whether a right that nobody could ask for is ours. Never what a flip itself stands on: pods behind the whole selector, ports,
    /// readiness, the lock.
    pub fn may_be_overridden(&self) -> bool {
        monitoring::is_of_monitoring(&self.name)
            || [
                "capacity",
                AUTOSCALERS,
                RETURNED,
                DIGESTS,
                CI,
                CREDENTIAL,
                REVIEW,
                OWNER,
            ]
            .contains(&self.name.as_str())
            // What is denied is denied, whatever somebody says.
            || (self.name.as_str() == RIGHTS && self.finding != Finding::Bad)
    }

    /// Whether what `refused` says is of one that somebody may override.
    pub fn may_be_lifted(refused: &Safe) -> bool {
        Self::new(name_of(refused), Finding::Unknown, "").may_be_overridden()
    }

    /// Whether it stands in the way of a forward move.
    pub fn is_closed(&self) -> bool {
        matches!(self.finding, Finding::Bad | Finding::Unknown)
    }
}

/// The name in a gate's id, or in what says that it refuses.
fn name_of(id: &Safe) -> &str {
    id.split(':').next().unwrap_or_default()
}

impl Plan {
    /// Whether each of `gates` is open, or was overridden.
    ///
    /// # Errors
    /// Which one is not, and why.
    pub(super) fn passes(&self, gates: &[Gate]) -> Result<(), Safe> {
        let is_closed = |gate: &&Gate| gate.is_closed() && !self.is_overridden(&gate.id());
        match gates.iter().find(is_closed) {
            Some(gate) => Err(format!("{}: {}", gate.id(), gate.said).into()),
            None => Ok(()),
        }
    }

    /// Whether the gate of that id was overridden.
    pub fn is_overridden(&self, id: &Safe) -> bool {
        self.overridden.contains_key(id)
    }

    /// The gates that stand in the way, if all of them may be overridden.
    pub fn overridable(&self) -> Option<Vec<Safe>> {
        let closed = || self.gates.iter().filter(|gate| gate.is_closed());
        let may =
            closed().next().is_some() && closed().all(Gate::may_be_overridden) && !self.is_strict;
        let ids: std::collections::BTreeSet<Safe> = closed().map(Gate::id).collect();
        may.then(|| ids.into_iter().collect())
    }
}

/// Why that gate is not overridden.
pub(super) fn strict(id: &Safe) -> Refusal {
    Refusal::invalid(format!(
        "{id} may not be overridden: the policy beside the target allows it of no gate (\"overrides\": false)"
    ))
}

/// The gates that `request` overrides, and why. A gate that stands in nobody's way needs no override.
///
/// # Errors
/// One of them may not be overridden.
pub(super) fn overridden(
    request: &Request,
    estate: &Estate,
    gates: &[Gate],
) -> Result<BTreeMap<Safe, Safe>, Refusal> {
    let mut overridden = BTreeMap::new();
    for gate in gates.iter().filter(|gate| gate.is_closed()) {
        let id = gate.id();
        let Some(reason) = request.overrides.get(&id) else {
            continue;
        };
        if !gate.may_be_overridden() {
            return Err(Refusal::invalid(format!(
                "{id} may not be overridden: {}",
                gate.said
            )));
        }
        if estate.demanded().is_strict {
            return Err(strict(&id));
        }
        overridden.insert(id, reason.clone());
    }
    // Where nothing of monitoring is known, what it will say of these counts no more: somebody said so already.
    if overridden.contains_key(&Gate::id_of(monitoring::MONITORING, None)) {
        let named = request.overrides.clone().into_iter();
        overridden.extend(named.filter(|(id, _)| monitoring::is_of_monitoring(name_of(id))));
    }
    Ok(overridden)
}
