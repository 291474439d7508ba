//! The plan of a release: a deploy to the idle colour, its smoke test, and a cutover to it, as one.
//!
//! What the cutover hangs on is not there yet when it is planned: pods, digests, capacity, an approval. So the plan
//! says where traffic will go, and by which steps; the step `plan` makes the cutover's own plan over what was deployed
//! and tested, with every gate of a cutover, and that is what its flips are held to.

use std::collections::BTreeMap;

use super::again::DIGESTS;
use super::approval::{APPROVAL, REVIEW, demands_review, is_of_approval};
use super::ci::{CI, credential};
use super::cleanup;
use super::gates::{OWNER, flips, owners, services, unheld};
use super::monitoring::is_of_monitoring;
use super::overridden::strict;
use super::smoke::verified;
use super::tested::{Revisions, revisions};
use super::{Finding, Gate, How, Plan, Refusal, RefusalKind, Request, SAME, deploy, monitoring};
use crate::estate::{Approver, Estate, Group, Image, Now, Safe, TrafficSwitch};
use serde::{Deserialize, Serialize};

/// The gate that says what is asked later.
const LATER: &str = "cutover";

pub(super) fn release(
    request: &Request,
    estate: &Estate,
    switch: &TrafficSwitch,
    now: Now,
) -> Result<Plan, Refusal> {
    if request.break_glass.is_some() {
        return Err(Refusal::invalid(
            "a release may wait for hours, and a freeze that comes meanwhile is another one: break the glass for a deploy, and \
             for the cutover when it is due",
        ));
    }
    let mut plan = deploy::deploy(request, estate, Some(switch), now)?;
    let to = plan.to.clone();
    let services = services(estate, switch)?;
    plan.flips = flips(&services, |s| s.selector.with(&switch.key, &to));
    plan.gates.extend(unheld(estate));
    plan.gates.extend(credential(estate, now));
    plan.gates.extend(verified(request));
    // Hours later nothing but a person's word would open it.
    let server = estate.server_time(now);
    plan.gates.extend(owners(&services, Some(server)));
    plan.gates.extend(
        switch
            .colour(&to)
            .and_then(|to| cleanup::follows(switch, to)),
    );
    plan.gates.push(later(request, estate, switch, &to, now));
    plan.overridden = promised(request, estate)?;
    plan.back = back(&plan);
    plan.demands = Some(Demands::of(&plan, estate));
    Ok(plan)
}

/// What is overridden, be it closed now or when the flip is due: the reasons go with the release.
fn promised(request: &Request, estate: &Estate) -> Result<BTreeMap<Safe, Safe>, Refusal> {
    if let Some(id) = request.overrides.keys().find(|id| !Gate::may_be_lifted(id)) {
        return Err(Refusal::invalid(format!("{id} may not be overridden")));
    }
    if let (Some(id), true) = (request.overrides.keys().next(), estate.demanded().is_strict) {
        return Err(strict(id));
    }
    Ok(request.overrides.clone())
}

/// What a release will ask before its flip, by the configuration and the policy that it began under, and what stood there.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Demands {
    /// One other person's approval.
    pub approval: bool,
    /// Monitoring.
    pub monitoring: bool,
    /// A green run of the commit.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub ci: bool,
    /// The revision of each Deployment, where what deploys is not told which images it gives them: one of them is to
    /// change (I-49).
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub revisions: BTreeMap<Safe, Safe>,
}

impl Demands {
    fn of(plan: &Plan, estate: &Estate) -> Self {
        let revision = |name: &Safe| {
            let deployment = estate.deployments.value.get(name)?;
            Some((name.clone(), deployment.revision.clone()?))
        };
        Self {
            approval: estate.approver() == Approver::Other,
            monitoring: estate.alerts.is_some(),
            ci: estate.needs_ci(),
            revisions: match plan.how.is_image() {
                true => BTreeMap::new(),
                false => plan.rolls.iter().filter_map(revision).collect(),
            },
        }
    }
}

impl Plan {
    /// Why `cutover`, planned over `estate`, is not what this release promised; none where it is (I-13, I-49).
    pub(in crate::ops) fn breaks_promise(
        &self,
        cutover: &Self,
        estate: &Estate,
        tested: Option<&Revisions>,
    ) -> Option<Safe> {
        if cutover.flips.is_empty() || self.turns() != cutover.turns() {
            let said = "the Services are not as they were when the release began: somebody moved traffic meanwhile";
            return Some(said.into());
        }
        if let Some(demands) = &self.demands {
            let has = |name: &str| cutover.gates.iter().any(|gate| gate.name.as_str() == name);
            if demands.approval && !has(APPROVAL) {
                let said = "one other person's approval was demanded when it began, and nothing here asks for it: whoever began it goes on, or cut over";
                return Some(said.into());
            }
            if demands.monitoring && estate.alerts.is_none() {
                let said = "monitoring was to be asked when it began, and none is configured here: whoever began it goes on, or cut over";
                return Some(said.into());
            }
            if demands.ci && !estate.needs_ci() {
                let said = "a green run of its commit was demanded when it began, and is not here: whoever began it goes on, or cut over";
                return Some(said.into());
            }
            let revision = |name: &Safe| estate.deployments.value.get(name)?.revision.clone();
            let is_same = |(name, was): (&Safe, &Safe)| revision(name).as_ref() == Some(was);
            if !demands.revisions.is_empty() && demands.revisions.iter().all(is_same) {
                let to = Self::colour_in_words(&self.to);
                let said = format!(
                    "its deploy changed nothing: {to} runs what it ran before; if that is what is meant, cut over"
                );
                return Some(said.into());
            }
        }
        if self.soak.is_stricter_than(&cutover.soak) {
            let said = "it would be watched less than it was to be when it began, by the configuration here: whoever began it goes on, or cut over";
            return Some(said.into());
        }
        if let Some(why) = self.unasked(estate).or_else(|| self.replaced(estate)) {
            return Some(why);
        }
        let place = self.place(estate);
        let changed = tested.is_some_and(|was| *was != revisions(estate, place));
        let is_tested = self.probes.iter().any(|probe| !probe.is_after());
        changed.then(|| match is_tested {
            true => "smoke: what is there changed since its test, by template or digest: release anew, or test and cut over".into(),
            false => "what is there changed since it was deployed, by template or digest: release anew, or look and cut over".into(),
        })
    }

    /// An image that this very release deployed, and that somebody put another one in the place of. What follows the
    /// last slash tells: a registry may be mirrored on the way.
    fn replaced(&self, estate: &Estate) -> Option<Safe> {
        // Whatever else deploys only has its Deployments brought up by us, as they were before.
        if !self.how.is_image() {
            return None;
        }
        let version = |name: &str| name.rsplit('/').next().map(str::to_owned);
        let parts = self.updates.iter().flat_map(|update| {
            let parts = update.containers.iter();
            parts.map(|part| (&update.deployment, part))
        });
        let mut replaced = parts.filter_map(|(name, part)| {
            let images = &estate.deployments.value.get(name)?.images;
            let (_, is) = images.iter().find(|(name, _)| *name == part.name)?;
            (version(&is.name) != version(&part.to)).then(|| {
                let (was, container) = (&part.to, &part.name);
                format!(
                    "{container} of {name} is {} by now, and not {was}, which was deployed: somebody deployed meanwhile; release anew",
                    is.name
                )
                .into()
            })
        });
        replaced.next()
    }

    /// An image that was asked for and does not run, where somebody else's program was told of it.
    fn unasked(&self, estate: &Estate) -> Option<Safe> {
        let is_told = matches!(self.how, How::Helm(_) | How::Command(_));
        let place = self.place(estate);
        for (of, wanted) in self.wanted.iter().filter(|_| is_told) {
            let (workload, container) = deploy::part(of);
            let mut workloads = estate.scope.workloads.iter();
            let group = Group {
                workload: workloads.position(|w| w.name.as_str() == workload),
                colour: place,
            };
            let deployments = estate.deployments_of(group);
            let mut images = deployments
                .flat_map(|d| &d.images)
                .filter(|(name, _)| container.is_none_or(|c| name.as_str() == c));
            let is_it = |name: &str| match wanted.starts_with([':', '@']) {
                true => name.ends_with(wanted.as_str()),
                false => name == wanted.as_str(),
            };
            if !images.any(|(_, image)| is_it(&image.name)) {
                let said = format!(
                    "{of} does not run {wanted}, which was asked for: whatever deploys it was not told, or did not listen"
                );
                return Some(said.into());
            }
        }
        None
    }
}

/// What the cutover will ask, and what of it would stand in its way at this moment.
fn later(request: &Request, estate: &Estate, switch: &TrafficSwitch, to: &Safe, now: Now) -> Gate {
    let mut asked = vec!["ready", "capacity"];
    let is_tested = request.probes.iter().any(|probe| !probe.is_after());
    if estate.needs_smoke() && !is_tested {
        let said = "a smoke test is demanded, and no [[environment.smoke]] is configured here: its flip would never be allowed";
        return Gate::new(LATER, Finding::Bad, said);
    }
    if estate.needs_ci() {
        let named = |image: &&Safe| {
            let image = Image::named((*image).clone());
            image.name.as_str() == SAME || image.commit().is_some()
        };
        let is_lifted = request.overrides.contains_key(&Safe::from(CI));
        if let (Some(image), false) = (request.images.values().find(|it| !named(it)), is_lifted) {
            let said = format!(
                "a green run of the commit is demanded, and {image} names no commit: its flip would never be allowed; \
                 --override {CI}=REASON goes ahead all the same"
            );
            return Gate::new(LATER, Finding::Bad, said);
        }
        asked.push("a green run of the commit");
    }
    let is_dispatched = matches!(request.how, How::Workflow(_));
    let is_lifted = request.overrides.contains_key(&Safe::from(REVIEW));
    if demands_review(estate) && !is_dispatched && !is_lifted {
        let said = format!(
            "the policy demands a review of GitHub's environment, and no workflow deploys here: its flip would never be allowed; \
             --override {REVIEW}=REASON goes ahead all the same"
        );
        return Gate::new(LATER, Finding::Bad, said);
    }
    if is_tested {
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
    /// Nothing but another person's approval of this hash is missing.
    Approval(Safe, Safe),
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
            return Self::Approval(plan.bound.clone(), why);
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

impl Refusal {
    /// Whether it is about what runs there as it is, and not about what is still on its way: all its pods are there.
    pub(in crate::ops) fn is_settled(&self) -> bool {
        let is_unsettled = |gate: &Gate| gate.is_closed() && OF_PODS.contains(&gate.name.as_str());
        (self.plan.as_ref()).is_some_and(|plan| !plan.gates.iter().any(is_unsettled))
    }
}

/// The gates that pods which are on their way close.
const OF_PODS: [&str; 4] = ["current", "ready", "match", DIGESTS];

/// Whether a closed gate may open without another deploy or test.
fn may_open(gate: &Gate) -> bool {
    let is_unknown = gate.finding == Finding::Unknown && gate.name.as_str() != OWNER;
    let names = [&OF_PODS[..], &["capacity", "freeze", "policy"]].concat();
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
        self.runs.clone_from(&cutover.runs);
        self.images.clone_from(&cutover.images);
        self.others.clone_from(&cutover.others);
        self.back.clone_from(&cutover.back);
        self.bound.clone_from(&cutover.bound);
        self.soak = cutover.soak;
        self.restarts.clone_from(&cutover.restarts);
    }

    /// What each Service that a release will flip is to select, by name.
    pub(in crate::ops) fn turns(&self) -> BTreeMap<&Safe, &crate::estate::Labels> {
        self.flips.iter().map(|f| (&f.service, &f.to)).collect()
    }
}
