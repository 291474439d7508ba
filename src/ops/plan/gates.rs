//! What is checked before traffic moves forward, and what each check says.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;

use super::again::{as_meant, digests, goes_back, returned};
use super::approval::approval;
use super::ci::{ci, credential, runs};
use super::cleanup;
use super::freeze::freeze;
use super::left::is_left;
use super::monitoring::lasting_soak;
use super::overridden::overridden;
use super::smoke::verified;
use super::soaked::restarts_in;
use super::{
    Finding, Flip, Gate, Hold, ImageChange, Plan, Refusal, Request, colour, decisive, monitoring,
    tested,
};
use crate::estate::health::rollout;
use crate::estate::{
    Autoscaler, Currency, Deployment, Estate, FaultKind, Group, Kind, Labels, Live, Now, Pod, Safe,
    Service, TargetPort, TrafficSwitch, Verdict,
};
use crate::ops::OperationKind;
use crate::ops::kept::{self, Unread};
use crate::ops::marks;

/// The gate whose BAD means that somebody else is at it.
pub(super) const LOCK: &str = "lock";

/// Kinds without which a forward move is blind.
const VITAL: [Kind; 4] = [
    Kind::Services,
    Kind::EndpointSlices,
    Kind::Deployments,
    Kind::Pods,
];

/// A plan to move all Services of the switch to one colour.
pub(super) fn cutover(
    request: &Request,
    estate: &Estate,
    switch: &TrafficSwitch,
    now: Now,
) -> Result<Plan, Refusal> {
    let services = services(estate, switch)?;
    let live = estate.live_colour();
    let to = match (&request.to, live) {
        (Some(wanted), _) => colour(wanted, switch)?,
        (None, Some(live)) => 1 - live,
        (None, None) => {
            return Err(Refusal::invalid(
                "which colour? The Services do not agree on one that is live: name it with --to",
            ));
        }
    };
    let value = &switch.colours[to];
    let flips = flips(&services, |s| s.selector.with(&switch.key, value));
    let targets: Vec<(Safe, Labels)> = (services.iter())
        .map(|s| (s.name.clone(), s.selector.with(&switch.key, value)))
        .collect();
    let holds = holds(estate);
    let mut gates = vec![current(estate, now)];
    gates.extend(freeze(request, estate, now));
    gates.extend(selector(estate));
    gates.extend(matching(estate, &targets, switch, to));
    gates.push(ready(estate, to));
    gates.extend(ports(estate, &services, &targets));
    // Where nothing is flipped nobody is sent to what was not tested.
    let is_demanded = estate.needs_smoke() && !flips.is_empty();
    let (smoke, tested) = is_demanded
        .then(|| tested::smoke(estate, switch, to, now.at))
        .unzip();
    gates.extend(smoke);
    gates.push(capacity_to_come(estate, to));
    // Where nothing is flipped nobody depends on what is held.
    gates.extend(unheld(estate).filter(|_| !flips.is_empty()));
    gates.extend(held(&holds));
    gates.extend(monitoring::gates(estate, switch, to, now));
    if !flips.is_empty() {
        gates.extend(digests(estate, to));
        gates.extend(returned(estate, &services, switch, to));
        gates.extend(goes_back(estate, &services, switch, to));
        gates.extend(ci(estate, switch, to));
        gates.extend(credential(estate, now));
    }
    gates.extend(verified(request));
    if !flips.is_empty() {
        gates.extend(cleanup::follows(switch, to));
    }
    let within = request.within.as_ref().map(|within| &within.operation);
    let overrides = &request.overrides;
    gates.extend(approval(value, &flips, within, overrides, estate, now));
    gates.extend(lock(request, estate, &switch.services, now));
    gates.extend(rights(request.kind, estate));
    // Where nothing is flipped nobody sets anything back.
    let server = (!flips.is_empty()).then(|| estate.server_time(now));
    gates.extend(owners(&services, server));
    let plan = Draft {
        kind: OperationKind::Cutover,
        from: live.map(|c| switch.colours[c].clone()),
        to,
        flips,
        least: least(estate, &targets),
        holds,
        gates,
        back: back(estate, switch, live, to),
    };
    let plan = plan.finish(request, estate, switch)?;
    // Whether or not a test is demanded, what goes live is what was planned over.
    let is_bound = !plan.flips.is_empty();
    let there = || is_bound.then(|| tested::revisions(estate, Some(to)));
    Ok(Plan {
        tested: tested.flatten().or_else(there),
        runs: runs(estate, to),
        ..plan
    })
}

/// A plan to make every selector what was meant.
pub(super) fn repair(
    request: &Request,
    estate: &Estate,
    switch: &TrafficSwitch,
    now: Now,
) -> Result<Plan, Refusal> {
    let services = services(estate, switch)?;
    let meant = |s: &Service| marks::meant(s).unwrap_or_else(|| s.selector.clone());
    let flips = flips(&services, meant);
    let Some(first) = flips.first() else {
        let unmarked: Vec<&str> = (services.iter())
            .filter(|s| marks::meant(s).is_none())
            .map(|s| s.name.as_str())
            .collect();
        return Err(Refusal::invalid(match unmarked.is_empty() {
            true => "nothing to repair: every selector is what was meant".to_owned(),
            false => format!(
                "nothing is known to be wrong: what was meant for {} was never written; cut over, or name the colour",
                unmarked.join(", ")
            ),
        }));
    };
    let colour = first
        .to
        .get(&switch.key)
        .and_then(|value| switch.colour(value));
    let Some(to) = colour else {
        return Err(Refusal::invalid(format!(
            "what was meant for {} names neither colour: cut over instead",
            first.service
        )));
    };
    let targets: Vec<(Safe, Labels)> = (services.iter())
        .map(|s| (s.name.clone(), meant(s)))
        .collect();
    // An operation that went only half back leaves this: either colour would be wrong for somebody.
    let elsewhere = |(_, to): &&(Safe, Labels)| to.get(&switch.key) != first.to.get(&switch.key);
    if let Some((other, _)) = targets.iter().find(elsewhere) {
        let word = Plan::colour_in_words(&switch.colours[to]);
        return Err(Refusal::invalid(format!(
            "{word} was meant for {} and another colour for {other}: cut over to the one that is to be live",
            first.service
        )));
    }
    let mut gates = vec![current(estate, now)];
    gates.extend(freeze(request, estate, now));
    gates.extend(matching(estate, &targets, switch, to));
    gates.push(ready(estate, to));
    gates.extend(ports(estate, &services, &targets));
    let colour = |labels: &Labels| labels.get(&switch.key).cloned();
    let other = &switch.colours[1 - to];
    let is_flipped = (flips.iter()).any(|f| colour(&f.from).as_ref() == Some(other));
    // A selector that lost other keys sends nobody to another revision.
    if flips.iter().any(|f| colour(&f.from) != colour(&f.to)) {
        gates.push(as_meant(estate, &services, switch, to, is_flipped));
    }
    if is_flipped {
        gates.push(capacity(estate, to));
    }
    gates.extend(lock(request, estate, &switch.services, now));
    gates.extend(rights(request.kind, estate));
    gates.extend(owners(&services, None));
    let plan = Draft {
        kind: OperationKind::Repair,
        from: estate.live_colour().map(|c| switch.colours[c].clone()),
        to,
        flips,
        least: least(estate, &targets),
        holds: Vec::new(),
        gates,
        back: "R, to the other colour, if it is ready".into(),
    };
    let plan = plan.finish(request, estate, switch)?;
    // One that sends traffic to the other colour sends it to what was there when somebody said so.
    Ok(Plan {
        tested: is_flipped.then(|| tested::revisions(estate, Some(to))),
        ..plan
    })
}

/// A plan without what follows from the rest.
pub(super) struct Draft {
    pub(super) kind: OperationKind,
    pub(super) from: Option<Safe>,
    pub(super) to: usize,
    pub(super) flips: Vec<Flip>,
    pub(super) least: BTreeMap<Safe, u32>,
    pub(super) holds: Vec<Hold>,
    pub(super) gates: Vec<Gate>,
    pub(super) back: Safe,
}

impl Draft {
    /// # Errors
    /// The request overrides what may not be.
    pub(super) fn finish(
        self,
        request: &Request,
        estate: &Estate,
        switch: &TrafficSwitch,
    ) -> Result<Plan, Refusal> {
        let to = switch.colours[self.to].clone();
        let hash = decisive::hash(
            self.kind,
            &to,
            &self.flips,
            &self.holds,
            &self.gates,
            estate,
        );
        let is_cutover = self.kind == OperationKind::Cutover;
        let soak = lasting_soak(estate);
        let bound = match is_cutover {
            true => decisive::bound(&to, &self.flips, estate),
            false => Safe::default(),
        };
        // What was never seen is no baseline: then no alert is proof.
        let alerts = (estate.alerts.as_ref())
            .filter(|alerts| is_cutover && alerts.rules.listed && !alerts.scope.gates.is_empty());
        Ok(Plan {
            kind: self.kind,
            environment: estate.scope.name.clone(),
            namespace: estate.scope.namespace.clone(),
            key: switch.key.clone(),
            images: images(estate, self.to),
            others: others(estate, switch),
            from: self.from,
            to,
            flips: self.flips,
            least: self.least,
            holds: self.holds,
            overridden: overridden(request, estate, &self.gates)?,
            soak,
            fired: alerts.map(monitoring::fired),
            gates: self.gates,
            back: self.back,
            reason: request.reason.clone(),
            hash,
            bound,
            tested: None,
            runs: Vec::new(),
            how: super::How::Image,
            probes: match is_cutover {
                true => request.probes.clone(),
                false => Vec::new(),
            },
            release: None,
            demands: None,
            restarts: match (is_cutover, soak.restarts) {
                (true, Some(_)) => restarts_in(estate, self.to),
                _ => BTreeMap::new(),
            },
            is_strict: estate.demanded().is_strict,
            wanted: BTreeMap::new(),
            updates: Vec::new(),
            rolls: Vec::new(),
            keeps: BTreeMap::new(),
            locks: Vec::new(),
        })
    }
}

/// The Services of the switch, in order.
pub(super) fn services<'a>(
    estate: &'a Estate,
    switch: &TrafficSwitch,
) -> Result<Vec<&'a Service>, Refusal> {
    let find = |name: &Safe| {
        estate.services.value.get(name).ok_or_else(|| {
            let place = &estate.scope.namespace;
            match estate.is_listed(Kind::Services) {
                true => Refusal::invalid(format!(
                    "there is no Service {name} in {place}: create it, or mend `services` in the configuration"
                )),
                false => Refusal {
                    kind: super::RefusalKind::Unknown,
                    why: format!("Service {name} in {place} was not seen yet").into(),
                    plan: None,
                },
            }
        })
    };
    switch.services.iter().map(find).collect()
}

/// The patches of those Services that have not what they are to have.
pub(super) fn flips(services: &[&Service], to: impl Fn(&Service) -> Labels) -> Vec<Flip> {
    let flip = |service: &&Service| {
        let to = to(service);
        (to != service.selector).then(|| flip_of(service, to))
    };
    services.iter().filter_map(flip).collect()
}

/// The patch that brings `service`, as it was read, to the selector `to`.
pub(in crate::ops) fn flip_of(service: &Service, to: Labels) -> Flip {
    Flip {
        service: service.name.clone(),
        uid: service.uid.clone(),
        from: service.selector.clone(),
        to,
        epoch: marks::epoch(&service.marks),
        resource_version: service.resource_version.clone(),
        has_annotations: service.has_annotations,
        last: marks::operation(&service.marks),
    }
}

/// Pods that take traffic under the selector `to`.
pub(super) fn taking<'a>(estate: &'a Estate, to: &'a Labels) -> impl Iterator<Item = &'a Pod> {
    (estate.pods.value.iter())
        .filter(move |pod| to.selects(&pod.labels) && pod.ready && pod.deleting.is_none())
}

/// How many endpoints each Service must have to be called live.
pub(super) fn least(estate: &Estate, targets: &[(Safe, Labels)]) -> BTreeMap<Safe, u32> {
    let count = |to: &Labels| u32::try_from(taking(estate, to).count()).unwrap_or(u32::MAX);
    targets
        .iter()
        .map(|(name, to)| (name.clone(), count(to)))
        .collect()
}

pub(super) fn current(estate: &Estate, now: Now) -> Gate {
    let stale: Vec<&str> = (VITAL.iter())
        .filter(|kind| estate.currency(**kind, now.at) != Currency::Live)
        .map(|kind| kind.plural())
        .collect();
    match stale.is_empty() {
        true => Gate::new(
            "current",
            Finding::Ok,
            "everything that it hangs on is current",
        ),
        false => {
            let said = format!(
                "{} are not current: reconnect (ctrl-r) and look again",
                stale.join(", ")
            );
            Gate::new("current", Finding::Unknown, said)
        }
    }
}

/// I-1: a selector that matches none or both is refused, and never overridden.
pub(super) fn selector(estate: &Estate) -> Vec<Gate> {
    let judge = |view: crate::estate::ServiceView<'_>| {
        let name = view.name;
        let (finding, said) = match &view.live {
            Live::Colour(_) => return None,
            Live::Foreign(value) => (
                Finding::Bad,
                format!("{name} selects {value}, which is neither colour: repair it first"),
            ),
            Live::NoKey => (
                Finding::Bad,
                format!(
                    "{name} selects both colours or none: its selector lacks the colour key; repair it first"
                ),
            ),
            Live::Absent => (Finding::Bad, format!("there is no Service {name}")),
            Live::Unknown => (Finding::Unknown, format!("Service {name} was not seen yet")),
        };
        Some(Gate::new("selector", finding, said))
    };
    let wrong: Vec<Gate> = estate
        .service_views()
        .into_iter()
        .filter_map(judge)
        .collect();
    match wrong.is_empty() {
        false => wrong,
        true if estate.live_colour().is_none() => vec![Gate::new(
            "selector",
            Finding::Noted,
            "the Services do not agree on a colour: a flip was left half-done",
        )],
        true => vec![Gate::new(
            "selector",
            Finding::Ok,
            "one colour in each Service",
        )],
    }
}

/// I-1: pods of that colour, and of no other, are ready behind the whole new selector.
pub(super) fn matching(
    estate: &Estate,
    targets: &[(Safe, Labels)],
    switch: &TrafficSwitch,
    to: usize,
) -> Vec<Gate> {
    let judge = |(name, selector): &(Safe, Labels)| {
        let (mut own, mut foreign) = (0u32, 0u32);
        for pod in taking(estate, selector) {
            match switch.colour_of(&pod.labels) == Some(to) {
                true => own += 1,
                false => foreign += 1,
            }
        }
        let word = Plan::colour_in_words(&switch.colours[to]);
        let (finding, said) = match (own, foreign) {
            (0, _) => (
                Finding::Bad,
                format!("no ready pod of {word} matches the whole selector of {name}"),
            ),
            (_, 1..) => (
                Finding::Bad,
                format!("{foreign} ready pods of another colour match the selector of {name}"),
            ),
            _ => (
                Finding::Ok,
                format!("{own} ready pods of {word} match {name}"),
            ),
        };
        Gate::new("match", finding, said)
    };
    targets.iter().map(judge).collect()
}

/// I-2: every Deployment of the colour is rolled out and saturated.
pub(super) fn ready(estate: &Estate, to: usize) -> Gate {
    let mut said = Vec::new();
    let mut worst = Verdict::Ok;
    let (mut ready, mut desired) = (0, 0);
    for (place, workload) in estate.scope.workloads.iter().enumerate() {
        let group = Group {
            workload: Some(place),
            colour: Some(to),
        };
        let mut deployments = estate.deployments_of(group).peekable();
        if deployments.peek().is_none() {
            let missing = format!("no Deployment of {}", workload.name);
            worst = worst.and(Verdict::Bad(missing.into()));
        }
        for deployment in deployments {
            worst = worst.and(rollout(deployment));
            (ready, desired) = (ready + deployment.ready, desired + deployment.desired);
            said.push(format!(
                "{} generation {}",
                deployment.name, deployment.observed_generation
            ));
        }
    }
    match worst {
        Verdict::Ok => Gate::new(
            "ready",
            Finding::Ok,
            format!("{ready}/{desired}, {} observed", said.join(", ")),
        ),
        Verdict::Bad(why) => Gate::new("ready", Finding::Bad, why),
        Verdict::Unknown(why) => Gate::new("ready", Finding::Unknown, why),
    }
}

/// Named ports that the ready pods do not have would leave the Service without endpoints.
fn ports(estate: &Estate, services: &[&Service], targets: &[(Safe, Labels)]) -> Vec<Gate> {
    let mut gates = Vec::new();
    for service in services {
        let Some((_, to)) = targets.iter().find(|(name, _)| *name == service.name) else {
            continue;
        };
        for target in &service.targets {
            let TargetPort::Named(port) = &target.target else {
                continue;
            };
            let lacks = |pod: &&Pod| pod.ports.get(port).is_none();
            let lacking = taking(estate, to).filter(lacks).count();
            if lacking > 0 {
                let said = format!(
                    "{lacking} ready pods for {} have no port named {port}",
                    service.name
                );
                gates.push(Gate::new("ports", Finding::Bad, said));
            }
        }
    }
    gates
}

/// Named ports that no ready pod has: Kubernetes leaves these out. A Service of which none is left would be without
/// endpoints, whichever way it is patched.
pub(super) fn portless(
    estate: &Estate,
    services: &[&Service],
    targets: &[(Safe, Labels)],
) -> Vec<Gate> {
    let gate = |service: &&Service| {
        let (_, to) = targets.iter().find(|(name, _)| *name == service.name)?;
        let lacks = |port: &Safe| {
            let mut taken = taking(estate, to).peekable();
            taken.peek().is_some() && taken.all(|pod| pod.ports.get(port).is_none())
        };
        let lacking = service.targets.iter().filter_map(|it| match &it.target {
            TargetPort::Named(port) if lacks(port) => Some(port.as_str()),
            _ => None,
        });
        let lacking: Vec<&str> = lacking.collect();
        let finding = match lacking.len() {
            0 => return None,
            many if many == service.targets.len() => Finding::Bad,
            _ => Finding::Noted,
        };
        let said = format!(
            "no ready pod for {} has a port named {}",
            service.name,
            lacking.join(", ")
        );
        Some(Gate::new("ports", finding, said))
    };
    services.iter().filter_map(gate).collect()
}

/// The gate of what the colour bears.
pub(in crate::ops) const CAPACITY: &str = "capacity";

/// I-5: the colour bears what the live one bears now.
pub(super) fn capacity(estate: &Estate, to: usize) -> Gate {
    bears(estate, to, |_| false)
}

/// The same before anything is held: what an autoscaler brings up once it is held is awaited there (SAFETY, rule 12).
pub(super) fn capacity_to_come(estate: &Estate, to: usize) -> Gate {
    bears(estate, to, |place| comes(estate, to, place))
}

/// Whether a colour that bears too little will bear enough when its autoscalers are held.
pub(in crate::ops) fn is_to_come(estate: &Estate, to: usize) -> bool {
    capacity_to_come(estate, to).finding == Finding::Noted
}

fn ready_of(estate: &Estate, place: usize, colour: usize) -> u32 {
    let group = Group {
        workload: Some(place),
        colour: Some(colour),
    };
    estate.deployments_of(group).map(|d| d.ready).sum()
}

/// How many a colour is to run now: what is being started, or has just fallen ill, bears load too, or will (I-5).
fn wanted_of(estate: &Estate, place: usize, colour: usize) -> u32 {
    let group = Group {
        workload: Some(place),
        colour: Some(colour),
    };
    estate.deployments_of(group).map(|d| d.desired).sum()
}

fn bears(estate: &Estate, to: usize, comes: impl Fn(usize) -> bool) -> Gate {
    let (mut said, mut short, mut soon) = (Vec::new(), Vec::new(), Vec::new());
    for (place, workload) in estate.scope.workloads.iter().enumerate() {
        let (new, old) = (
            ready_of(estate, place, to),
            wanted_of(estate, place, 1 - to),
        );
        let words = format!("{} {new} for {old}", workload.name);
        match new < old {
            true if comes(place) => soon.push(words),
            true => short.push(words),
            false => said.push(words),
        }
    }
    let (finding, said) = match (short.is_empty(), soon.is_empty()) {
        (false, _) => (
            Finding::Bad,
            format!("too few to bear what is live: {}", short.join(", ")),
        ),
        (true, false) => (
            Finding::Noted,
            format!(
                "{}: held autoscalers bring up the rest before the flip",
                soon.join(", ")
            ),
        ),
        (true, true) => (Finding::Ok, said.join(", ")),
    };
    Gate::new(CAPACITY, finding, said)
}

/// Whether the workload's only Deployment of that colour has an autoscaler that may bring up as many as are live. One at 0
/// no autoscaler lifts.
fn comes(estate: &Estate, to: usize, place: usize) -> bool {
    let group = Group {
        workload: Some(place),
        colour: Some(to),
    };
    let mut of = estate.deployments_of(group);
    let (Some(deployment), None) = (of.next(), of.next()) else {
        return false;
    };
    let needed = wanted_of(estate, place, 1 - to);
    deployment.desired > 0 && scaler(estate, deployment).is_some_and(|it| it.max >= needed)
}

fn scaler<'a>(estate: &'a Estate, deployment: &Deployment) -> Option<&'a Autoscaler> {
    let mut all = estate.autoscalers.value.iter();
    all.find(|a| a.target_kind.as_str() == "Deployment" && a.target == deployment.name)
}

fn held(holds: &[Hold]) -> Option<Gate> {
    if holds.is_empty() {
        return None;
    }
    let words: Vec<String> = (holds.iter())
        .map(|h| format!("{} at {} (was {})", h.autoscaler, h.to, h.from))
        .collect();
    let said = format!("minReplicas held meanwhile: {}", words.join(", "));
    Some(Gate::new(AUTOSCALERS, Finding::Noted, said))
}

/// The gate of what is held meanwhile.
pub(super) const AUTOSCALERS: &str = "autoscalers";

/// Whoever may not see autoscalers holds none, and there may be some; an API server that does not know them has none (K15).
pub(super) fn unheld(estate: &Estate) -> Option<Gate> {
    let fault = estate.autoscalers.fault.as_ref()?;
    let why = &fault.what;
    let (finding, said) = match fault.kind {
        FaultKind::Missing => (
            Finding::Noted,
            format!("the API server has no autoscalers ({why}): none is held"),
        ),
        _ => (
            Finding::Unknown,
            format!("cannot be seen ({why}): none is held, and one may shrink a colour meanwhile"),
        ),
    };
    Some(Gate::new(AUTOSCALERS, finding, said))
}

/// Both colours' autoscalers are kept at what the larger colour runs now (SAFETY, rule 12).
fn holds(estate: &Estate) -> Vec<Hold> {
    let mut holds = Vec::new();
    for place in 0..estate.scope.workloads.len() {
        let of = |colour| {
            let group = Group {
                workload: Some(place),
                colour: Some(colour),
            };
            estate.deployments_of(group).collect::<Vec<_>>()
        };
        let both = [of(0), of(1)];
        let needed = (both.iter())
            .map(|side| side.iter().map(|d| d.desired).sum::<u32>())
            .max()
            .unwrap_or(0);
        for deployment in both.iter().flatten() {
            let found = scaler(estate, deployment);
            holds.extend(found.and_then(|autoscaler| hold(autoscaler, needed)));
        }
    }
    holds
}

fn hold(autoscaler: &Autoscaler, needed: u32) -> Option<Hold> {
    let to = needed.min(autoscaler.max);
    (autoscaler.min < to).then(|| Hold {
        autoscaler: autoscaler.name.clone(),
        uid: autoscaler.uid.clone(),
        from: autoscaler.min,
        to,
    })
}

/// Somebody else's Lease, alive or left behind.
pub(super) fn lock(request: &Request, estate: &Estate, locks: &[Safe], now: Now) -> Vec<Gate> {
    let server = estate.server_time(now);
    let mut gates = Vec::new();
    for service in locks {
        let name = marks::lease_name(service);
        let Some(lease) = estate.leases.value.get(name.as_str()) else {
            continue;
        };
        let Some(holder) = lease.holder.as_ref().filter(|holder| !holder.is_empty()) else {
            continue;
        };
        let what = marks::operation(&lease.marks)
            .map_or_else(String::new, |id| format!(", operation {id}"));
        let is_host = request.within.as_ref().is_some_and(|within| {
            marks::operation(&lease.marks).as_ref() == Some(&within.operation)
        });
        let (finding, said) = match (marks::is_alive(lease, server), request.seize) {
            (true, _) if is_host => (
                Finding::Noted,
                format!("{service} is held by {holder}{what}, of which this is a part"),
            ),
            (_, true) => (
                Finding::Noted,
                format!("{service} is taken from {holder}{what}"),
            ),
            (false, false) if is_left(lease, estate, now) => (
                Finding::Noted,
                format!(
                    "{service} was left locked by {holder}{what}, which never began or is over: it is taken over"
                ),
            ),
            (true, false) => (
                Finding::Bad,
                format!("{service} is held by {holder}{what}: watch it, or wait for its end"),
            ),
            (false, false) => (
                Finding::Bad,
                match unread(lease, estate) {
                    None => format!(
                        "{service} was left locked by {holder}{what}: adopt it, abandon it, or roll back"
                    ),
                    Some(unread) => {
                        format!(
                            "{service} was left locked by {holder}{what}: {}",
                            unread.why
                        )
                    }
                },
            ),
        };
        gates.push(Gate::new(LOCK, finding, said));
    }
    gates
}

/// Why the record of whoever holds `lease` cannot be read, where it is there and cannot.
fn unread(lease: &crate::estate::Lease, estate: &Estate) -> Option<Unread> {
    let id = marks::operation(&lease.marks)?;
    let record = (estate.records.value).get(marks::record_name(&id).as_str())?;
    Some(Unread::of(record, kept::read(record).err()?))
}

/// The gate of what we may do.
pub(super) const RIGHTS: &str = "rights";

/// K02: what the API server would refuse is refused here, by verb and resource; what nobody could say is UNKNOWN where traffic
/// moves, and whoever knows better says so.
pub(super) fn rights(kind: OperationKind, estate: &Estate) -> Option<Gate> {
    let needed = || estate.rights.iter().filter(|it| kind.needs(it.need));
    if let Some(check) = needed().find(|it| matches!(it.verdict, Verdict::Bad(_))) {
        let why = check.verdict.why().map_or("", |why| why.as_str());
        let said = format!(
            "you may not {}: {why}; the Role in assets/kubernetes/operator.yaml allows it",
            check.of
        );
        return Some(Gate::new(RIGHTS, Finding::Bad, said));
    }
    let unknown = needed().find(|it| !it.verdict.is_ok())?;
    let why = unknown.verdict.why().map_or("", |why| why.as_str());
    // What moves traffic may lack the right in the middle. A deploy, a test or a clean-up that lacks it leaves traffic where it is,
    // and nobody could pass over this.
    let finding = match kind {
        OperationKind::Cutover | OperationKind::Release | OperationKind::Repair => Finding::Unknown,
        _ => Finding::Noted,
    };
    Some(Gate::new(
        RIGHTS,
        finding,
        format!("whether you may {} could not be asked: {why}", unknown.of),
    ))
}

/// The gate of who would set a selector back.
pub(super) const OWNER: &str = "owner";
/// Seconds that a flip of ours stood for to show that GitOps leaves the selector alone: Argo CD looks every 3 minutes, Flux as a
/// rule every 10.
const STOOD_S: i64 = 900;

/// Helm and GitOps write the selector again one day. Helm does at its next upgrade; GitOps by itself, within minutes, unless it is told
/// to leave the selector alone, which only a flip that stood shows.
pub(super) fn owners(services: &[&Service], server: Option<Timestamp>) -> Vec<Gate> {
    let said = |service: &&Service| {
        let is_gitops = |owner: &&Safe| owner.starts_with("Argo CD") || owner.starts_with("Flux");
        let gitops = service.owners.iter().find(is_gitops);
        let owner = gitops.or(service.owners.first())?;
        let (name, stood) = (&service.name, stood(service));
        let is_proved = |at: Timestamp| {
            server.is_none_or(|server| server.duration_since(at).as_secs() >= STOOD_S)
        };
        let (finding, said) = match (gitops, server, stood.filter(|at| is_proved(*at))) {
            (None, ..) | (_, None, _) => (
                Finding::Noted,
                format!(
                    "{owner} manages {name}: its next sync or upgrade may set the selector back"
                ),
            ),
            (Some(_), _, Some(at)) => (
                Finding::Noted,
                format!("{owner} manages {name}, and has left its selector alone since {at:.0}"),
            ),
            (Some(_), _, None) => (
                Finding::Unknown,
                format!(
                    "{owner} manages {name}, and whether it leaves the selector alone is not known: have it ignore spec.selector (Argo CD: \
                     ignoreDifferences; Flux: the field's own manager), and override this the first time"
                ),
            ),
        };
        Some(Gate::new(OWNER, finding, said))
    };
    services.iter().filter_map(said).collect()
}

/// Since when the selector is as the last flip of ours left it.
fn stood(service: &Service) -> Option<Timestamp> {
    let flip = marks::flipped(service)?;
    (marks::meant(service).as_ref() == Some(&service.selector)).then_some(flip.at)
}

/// Who wrote the selectors last.
fn others(estate: &Estate, switch: &TrafficSwitch) -> Vec<Safe> {
    let mut words = Vec::new();
    for view in estate.service_views() {
        if let Some(manager) = view.changed {
            let at = (view.changed_at()).map_or_else(String::new, |at| format!(" at {at:.0}"));
            words.push(
                format!(
                    "{} · {} last written by {}{at}",
                    view.name, switch.key, manager.name
                )
                .into(),
            );
        }
    }
    words
}

/// What runs in each colour; a pod that goes just now does not count, nor one that is dead.
pub(super) fn images(estate: &Estate, to: usize) -> Vec<ImageChange> {
    let switch = estate.scope.traffic.as_ref();
    let words = |workload: &crate::estate::WorkloadScope, colour: usize| {
        let is_of = |pod: &&Pod| {
            let there = switch.and_then(|switch| switch.colour_of(&pod.labels));
            let is_there = workload.has(pod) && there == Some(colour);
            is_there && pod.deleting.is_none() && !pod.is_dead()
        };
        let pods = estate.pods.value.iter().filter(is_of);
        let one = |pod: &Pod| {
            let image = &pod.main_container()?.image;
            let digest = image
                .short_digest()
                .map_or_else(String::new, |d| format!(" {d}"));
            Some(Safe::from(format!("{}{digest}", image.short_tag())))
        };
        let all: BTreeSet<Safe> = pods.filter_map(one).collect();
        all.into_iter().collect()
    };
    let change = |workload: &crate::estate::WorkloadScope| ImageChange {
        workload: workload.name.clone(),
        from: words(workload, 1 - to),
        to: words(workload, to),
    };
    estate.scope.workloads.iter().map(change).collect()
}

/// The way back, as it is now.
fn back(estate: &Estate, switch: &TrafficSwitch, live: Option<usize>, to: usize) -> Safe {
    let Some(live) = live.filter(|live| *live != to) else {
        return "R, to the other colour, if it is ready".into();
    };
    let view = estate.colour_view(Some(live));
    let word = Plan::colour_in_words(&switch.colours[live]);
    format!(
        "R, one patch a Service: {word} stays as it is, ready {}/{}",
        view.ready, view.desired
    )
    .into()
}
