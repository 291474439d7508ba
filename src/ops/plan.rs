//! *May I?*, answered in one place: a plan that says what will change, or a refusal that says why not.
//!
//! The screen asks it to grey keys and to fill the confirmation, `--plan` prints it, and the engine asks it
//! again over an estate of fresh reads. The plan's hash covers the decisive facts alone: what a status change
//! moves every few seconds does not void a confirmation, what would change the decision does.

mod decisive;
pub(in crate::ops) mod freeze;
mod gates;
mod left;
mod monitoring;
mod overridden;
mod rollback;
mod soaked;
mod still;

pub(in crate::ops) use decisive::digest;
pub use freeze::is_glass;
pub(in crate::ops) use left::left;
pub use soaked::{Soaked, soaked};
pub use still::{open, still};

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::entry::{OperationKind, Step};
use crate::estate::{Estate, Labels, Now, Safe, Soak, TrafficSwitch};

/// What somebody wants.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Request {
    /// What is to be done.
    pub kind: OperationKind,
    /// The colour that traffic is to go to, as the selector spells it; none: the other one.
    pub to: Option<Safe>,
    /// Why, for whoever reads the record.
    pub reason: Option<Safe>,
    /// The operation that is taken over or cut off by this one, if any.
    pub seize: bool,
    /// Gates that are overridden, by id, and why.
    #[serde(default)]
    pub overrides: BTreeMap<Safe, Safe>,
    /// Why a freeze is passed over, if it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub break_glass: Option<Safe>,
}

/// What will change, and what was found.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Plan {
    /// What is to be done.
    pub kind: OperationKind,
    /// The environment, as this configuration names it.
    pub environment: Safe,
    /// Where its Services are.
    pub namespace: Safe,
    /// The selector key that names the colour.
    pub key: Safe,
    /// The colour that traffic goes to now, where the Services agree on one.
    pub from: Option<Safe>,
    /// The colour that it will go to.
    pub to: Safe,
    /// The patches, in order.
    pub flips: Vec<Flip>,
    /// Every Service that is to serve `to` at the end, with the ready endpoints that it must have.
    pub least: BTreeMap<Safe, u32>,
    /// What runs, by workload.
    pub images: Vec<ImageChange>,
    /// The autoscalers that are held.
    pub holds: Vec<Hold>,
    /// The checks.
    pub gates: Vec<Gate>,
    /// Those of them that say BAD or UNKNOWN and were overridden, by id, and why.
    #[serde(default)]
    pub overridden: BTreeMap<Safe, Safe>,
    /// How a cutover is watched after the flip.
    #[serde(default)]
    pub soak: Soak,
    /// The alerts that fired already and would be gates, by a digest of what identifies each, and how grave each
    /// was; none where no Prometheus is configured, or it could not be asked.
    #[serde(default)]
    pub fired: Option<BTreeMap<Safe, u8>>,
    /// Who else acts on these objects, and who would revert it.
    pub others: Vec<Safe>,
    /// The way back.
    pub back: Safe,
    /// Why, as the request said.
    pub reason: Option<Safe>,
    /// Of the decisive facts, hexadecimal.
    pub hash: Safe,
}

/// A patch of one Service's selector.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Flip {
    /// The Service.
    pub service: Safe,
    /// Its uid.
    pub uid: Safe,
    /// The whole selector that it must have.
    pub from: Labels,
    /// The whole selector that it gets.
    pub to: Labels,
    /// The epoch that it carries; none where Wheelhouse never wrote to it.
    pub epoch: Option<u64>,
    /// Its resourceVersion, which stands in for the epoch where there is none.
    pub resource_version: Safe,
    /// Whether it has annotations: a JSON Patch must make the map first.
    pub has_annotations: bool,
}

/// What runs of a workload in the colour that traffic leaves, and in the one that it goes to.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ImageChange {
    /// The workload.
    pub workload: Safe,
    /// Tag and digest, one for each image.
    pub from: Vec<Safe>,
    /// Tag and digest, one for each image.
    pub to: Vec<Safe>,
}

/// An autoscaler that must not shrink a colour meanwhile.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Hold {
    /// The HorizontalPodAutoscaler.
    pub autoscaler: Safe,
    /// Its uid.
    pub uid: Safe,
    /// `minReplicas` before.
    pub from: u32,
    /// `minReplicas` meanwhile.
    pub to: u32,
}

/// Three values, as everywhere.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum Finding {
    /// As it should be.
    Ok,
    /// As it should be, but somebody should know.
    Noted,
    /// Wrong.
    Bad,
    /// Not known.
    Unknown,
}

/// One check.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Gate {
    /// A stable name, such as `ready`.
    pub name: Safe,
    /// What of several it is about: the alert, the query.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub of: Option<Safe>,
    /// What was found.
    pub finding: Finding,
    /// The value, in words.
    pub said: Safe,
}

/// Why it is refused; the exit code follows from it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RefusalKind {
    /// It cannot be meant: no such colour, no switch, nothing to do.
    Invalid,
    /// A gate says BAD.
    Gate,
    /// A gate says UNKNOWN.
    Unknown,
    /// Somebody else is at it.
    Held,
}

/// Why it may not be done now.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Refusal {
    /// What kind of reason.
    pub kind: RefusalKind,
    /// The reason, and the way on.
    pub why: Safe,
    /// What could be planned all the same, to be shown.
    pub plan: Option<Box<Plan>>,
}

impl Refusal {
    pub(in crate::ops) fn invalid(why: impl Into<Safe>) -> Self {
        Self {
            kind: RefusalKind::Invalid,
            why: why.into(),
            plan: None,
        }
    }
}

/// Whether `request` may be done to `estate`, and how.
///
/// # Errors
/// Why not, with the plan as far as there is one.
pub fn check(request: &Request, estate: &Estate, now: Now) -> Result<Plan, Refusal> {
    let Some(switch) = &estate.scope.traffic else {
        let name = &estate.scope.name;
        return Err(Refusal::invalid(format!(
            "{name} has no [environment.traffic]: there is no traffic to move"
        )));
    };
    let plan = match request.kind {
        OperationKind::Cutover => gates::cutover(request, estate, switch, now),
        OperationKind::Rollback => rollback::rollback(request, estate, switch, now),
        OperationKind::Repair => gates::repair(request, estate, switch, now),
    }?;
    plan.verdict()
}

/// The colour that a cutover would bring traffic to, which is what monitoring is asked about.
pub fn target(request: &Request, estate: &Estate) -> Option<Safe> {
    let switch = estate.scope.traffic.as_ref()?;
    let to = match (request.kind, &request.to) {
        (OperationKind::Cutover, Some(wanted)) => colour(wanted, switch).ok()?,
        (OperationKind::Cutover, None) => 1 - estate.live_colour()?,
        (OperationKind::Rollback | OperationKind::Repair, _) => return None,
    };
    Some(switch.colours[to].clone())
}

/// The colour that `wanted` names.
fn colour(wanted: &Safe, switch: &TrafficSwitch) -> Result<usize, Refusal> {
    let found = (switch.colours.iter()).position(|c| c.eq_ignore_ascii_case(wanted));
    found.ok_or_else(|| {
        let [a, b] = &switch.colours;
        Refusal::invalid(format!(
            "there is no colour {wanted}; there are {a} and {b}"
        ))
    })
}

impl Plan {
    /// The steps on the way forward, in order.
    pub fn steps(&self) -> Vec<Step> {
        let flips = self.flips.iter().map(|flip| flip.service.clone());
        let serves = self.least.keys().cloned();
        match self.kind {
            OperationKind::Cutover => {
                let mut steps = vec![Step::Check, Step::Hold];
                for service in flips {
                    steps.extend([Step::Flip(service.clone()), Step::Move(service)]);
                }
                let moved = |s: &Safe| self.flips.iter().any(|f| f.service == *s);
                steps.extend(serves.filter(|s| !moved(s)).map(Step::Move));
                steps.extend([Step::Watch, Step::Restore]);
                steps
            }
            OperationKind::Rollback => {
                let mut steps: Vec<Step> = flips.map(Step::Flip).collect();
                steps.extend(serves.map(Step::Move));
                steps.push(Step::Restore);
                steps
            }
            OperationKind::Repair => {
                let mut steps = vec![Step::Check];
                for service in flips {
                    steps.extend([Step::Flip(service.clone()), Step::Move(service)]);
                }
                steps
            }
        }
    }

    /// Whether a freeze is passed over.
    pub fn breaks_glass(&self) -> bool {
        let is_passed = |gate: &Gate| is_glass(&gate.name) && gate.finding == Finding::Noted;
        self.gates.iter().any(is_passed)
    }

    /// Whether it is a freeze that stands in its way, and nothing before it.
    pub fn is_frozen(&self) -> bool {
        let stops = |gate: &&Gate| gate.finding == Finding::Bad;
        let first = self.gates.iter().find(stops);
        first.is_some_and(|gate| gate.name.as_str() == freeze::FREEZE)
    }

    /// Whether nothing is to be patched: it is verified only.
    pub fn is_only_verified(&self) -> bool {
        self.flips.is_empty()
    }

    /// The patch of `service`.
    pub fn flip(&self, service: &str) -> Option<&Flip> {
        self.flips
            .iter()
            .find(|flip| flip.service.as_str() == service)
    }

    /// The colour as people see it.
    pub fn colour_in_words(colour: &str) -> String {
        colour.to_uppercase()
    }

    /// What is to be done, in a line.
    pub fn title(&self) -> String {
        let (name, to) = (&self.environment, Self::colour_in_words(&self.to));
        match self.kind {
            OperationKind::Cutover => format!("cut over {name} to {to}"),
            OperationKind::Rollback => format!("roll back {name} to {to}"),
            OperationKind::Repair => format!("repair the selectors of {name}"),
        }
    }

    /// What is so when all steps passed.
    pub fn done_in_words(&self) -> String {
        let services: Vec<&str> = self.least.keys().map(Safe::as_str).collect();
        let (to, services) = (Self::colour_in_words(&self.to), services.join(", "));
        match self.is_only_verified() {
            true => format!("{to} was live on {services} already, and is verified"),
            false => format!("{to} is live on {services}"),
        }
    }

    /// The plan, unless a gate stands in the way.
    fn verdict(self) -> Result<Self, Refusal> {
        let counts = |gate: &&Gate| !self.overridden.contains_key(&gate.id());
        let first = |finding| {
            let mut gates = self.gates.iter().filter(counts);
            gates.find(move |gate| gate.finding == finding)
        };
        let lock = (self.gates.iter())
            .find(|gate| gate.name.as_str() == gates::LOCK && gate.finding == Finding::Bad);
        let (kind, gate) = match (lock, first(Finding::Bad), first(Finding::Unknown)) {
            (Some(lock), ..) => (RefusalKind::Held, lock),
            (None, Some(bad), _) => (RefusalKind::Gate, bad),
            // What is not known does not stop a rollback: its own reads decide.
            (None, None, Some(unknown)) if self.kind != OperationKind::Rollback => {
                (RefusalKind::Unknown, unknown)
            }
            _ => return Ok(self),
        };
        Err(Refusal {
            kind,
            why: format!("{}: {}", gate.id(), gate.said).into(),
            plan: Some(Box::new(self)),
        })
    }
}

impl Gate {
    pub(super) fn new(name: &str, finding: Finding, said: impl Into<Safe>) -> Self {
        Self {
            name: name.into(),
            of: None,
            finding,
            said: said.into(),
        }
    }

    fn of(name: &str, of: &Safe, finding: Finding, said: impl Into<Safe>) -> Self {
        Self {
            of: Some(of.clone()),
            ..Self::new(name, finding, said)
        }
    }

    /// What it is overridden by: `monitoring`, `alert:HighErrorRate`.
    pub fn id(&self) -> Safe {
        Self::id_of(&self.name, self.of.as_ref())
    }

    fn id_of(name: &str, of: Option<&Safe>) -> Safe {
        match of {
            Some(of) => format!("{name}:{of}").into(),
            None => name.into(),
        }
    }
}

#[cfg(test)]
#[allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "tests"
)]
mod tests;
