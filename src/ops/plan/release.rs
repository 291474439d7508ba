//! The plan of a release: a deploy to the idle colour, its smoke test, and a cutover to it, as one.
//!
//! What the cutover hangs on is not there yet when it is planned: pods, digests, capacity, an approval. So the plan
//! says where traffic will go, and by which steps; the step `plan` makes the cutover's own plan over what was deployed
//! and tested, with every gate of a cutover, and that is what its flips are held to.

use std::collections::BTreeMap;

use super::approval::is_of_approval;
use super::gates::{flips, services};
use super::monitoring::is_of_monitoring;
use super::smoke::verified;
use super::{Finding, Gate, Plan, Refusal, RefusalKind, Request, deploy, monitoring};
use crate::estate::{Approver, Estate, Now, Safe, TrafficSwitch};

/// The gate that says what is asked later.
const LATER: &str = "cutover";

pub(super) fn release(
    request: &Request,
    estate: &Estate,
    switch: &TrafficSwitch,
    now: Now,
) -> Result<Plan, Refusal> {
    let mut plan = deploy::deploy(request, estate, Some(switch), now)?;
    let to = plan.to.clone();
    let services = services(estate, switch)?;
    plan.flips = flips(&services, |s| s.selector.with(&switch.key, &to));
    plan.gates.extend(verified(request));
    plan.gates.push(later(request, estate, switch, &to, now));
    plan.back = back(&plan);
    Ok(plan)
}

/// What the cutover will ask, and what of it would stand in its way at this moment.
fn later(request: &Request, estate: &Estate, switch: &TrafficSwitch, to: &Safe, now: Now) -> Gate {
    let mut asked = vec!["ready", "capacity"];
    if request.probes.iter().any(|probe| !probe.is_after()) {
        asked.push("the smoke test");
    }
    let place = switch.colour(to);
    let monitored = place.map_or_else(Vec::new, |to| monitoring::gates(estate, switch, to, now));
    if !monitored.is_empty() {
        asked.push("monitoring");
    }
    match estate.approver() {
        Approver::Nobody => {}
        Approver::Github => asked.push("GitHub's review"),
        Approver::Other => asked.push("one other person's approval, which is waited for"),
    }
    let mut said = format!("asked before the flip: {}", asked.join(", "));
    let closed = monitored.iter().filter(|gate| gate.is_closed());
    let closed: Vec<String> = closed.map(|g| format!("{}: {}", g.id(), g.said)).collect();
    if !closed.is_empty() {
        said = format!("{said}; at this moment in its way: {}", closed.join(", "));
    }
    Gate::new(LATER, Finding::Noted, said)
}

fn back(plan: &Plan) -> Safe {
    let live = (plan.from.as_ref()).map_or_else(
        || "the other colour".to_owned(),
        |c| Plan::colour_in_words(c),
    );
    let word = Plan::colour_in_words(&plan.to);
    format!(
        "until the flip none is needed, {live} stays live; after it R, one patch a Service, or by itself when the soak \
         fails; {word} keeps what was deployed"
    )
    .into()
}

/// What is to become of a release whose cutover may not be done at this moment.
#[derive(Clone, Debug, PartialEq)]
pub(in crate::ops) enum Stands {
    /// It may come to be allowed by itself, or by somebody: which gate, and why.
    Waits(Safe, Safe),
    /// Nothing but another person's approval is missing.
    Approval(Safe),
    /// It will not be.
    Never(Safe),
}

impl Stands {
    pub(in crate::ops) fn of(refusal: &Refusal) -> Self {
        let why = refusal.why.clone();
        let Some(plan) = &refusal.plan else {
            return match refusal.kind {
                RefusalKind::Unknown => Self::Waits("unknown".into(), why),
                _ => Self::Never(why),
            };
        };
        if refusal.kind == RefusalKind::Approval {
            return Self::Approval(why);
        }
        let closed = (plan.gates.iter()).filter(|g| g.is_closed() && !plan.is_overridden(&g.id()));
        // An approval is asked for when nothing else is in the way.
        let others: Vec<&Gate> = closed
            .filter(|gate| !is_of_approval(&gate.name) || gate.finding == Finding::Unknown)
            .collect();
        match (others.iter().find(|gate| !may_open(gate)), others.first()) {
            (Some(never), _) => Self::Never(format!("{}: {}", never.id(), never.said).into()),
            (None, Some(first)) => Self::Waits(first.id(), why),
            (None, None) => Self::Never(why),
        }
    }
}

/// Whether a closed gate may open without another deploy or test.
fn may_open(gate: &Gate) -> bool {
    let is_unknown = gate.finding == Finding::Unknown;
    let names = ["current", "ready", "match", "capacity", "freeze", "policy"];
    is_unknown || names.contains(&gate.name.as_str()) || is_of_monitoring(&gate.name)
}

impl Plan {
    /// Takes what the cutover of a release was planned with; nothing of it may be another's than this release's.
    pub(in crate::ops) fn go_on_with(&mut self, cutover: &Self) {
        if self.kind != crate::ops::OperationKind::Release || self.to != cutover.to {
            return;
        }
        self.flips.clone_from(&cutover.flips);
        self.least.clone_from(&cutover.least);
        self.holds.clone_from(&cutover.holds);
        self.gates.clone_from(&cutover.gates);
        self.overridden.clone_from(&cutover.overridden);
        self.fired.clone_from(&cutover.fired);
        self.tested.clone_from(&cutover.tested);
        self.images.clone_from(&cutover.images);
        self.others.clone_from(&cutover.others);
        self.back.clone_from(&cutover.back);
        self.bound.clone_from(&cutover.bound);
        self.soak = cutover.soak;
    }

    /// What each Service that a release will flip is to select, by name.
    pub(in crate::ops) fn turns(&self) -> BTreeMap<&Safe, &crate::estate::Labels> {
        self.flips.iter().map(|f| (&f.service, &f.to)).collect()
    }
}
