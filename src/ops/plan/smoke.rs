//! The plan of a smoke test: what every ready pod of the idle colour is asked, and what it must answer.
//!
//! The pods are asked by themselves, past every Service (I-8). What that does not prove is said: the Service, the
//! NetworkPolicy and the Ingress between a user and the pod.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::deploy::{Draft, Target, target};
use super::gates::{current, lock, ready, rights};
use super::{Command, Finding, Gate, ImageChange, Plan, Refusal, Request};
use crate::estate::health::rollout;
use crate::estate::{Estate, Now, Pod, Safe, TrafficSwitch, Verdict};
use crate::ops::{OperationKind, marks};

/// A part of a smoke test.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Probe {
    /// A question to every pod of a workload.
    Ask(Question),
    /// A question to an address.
    Fetch(Fetch),
    /// A program.
    Run(Trial),
}

/// A question to an address, asked once, from where the worker is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fetch {
    /// The address; `{colour}` and the like are filled in.
    pub url: Safe,
    /// The status that it must have.
    pub status: u16,
    /// Milliseconds that it may take.
    pub within_ms: u32,
    /// What its body must hold; `{colour}` is filled in.
    pub contains: Vec<Safe>,
    /// Whether it is asked at the end of a soak, and not before traffic goes there.
    #[serde(default)]
    pub after: bool,
}

impl Probe {
    /// Whether it asks the pods themselves, through the API server.
    pub fn asks_pods(&self) -> bool {
        matches!(self, Self::Ask(_))
    }

    /// Whether it is of the end of a soak, and not of the test before traffic goes there.
    pub fn is_after(&self) -> bool {
        match self {
            Self::Ask(_) => false,
            Self::Fetch(fetch) => fetch.after,
            Self::Run(trial) => trial.after,
        }
    }
}

/// A program that tests.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Trial {
    /// Which, and for how long.
    #[serde(flatten)]
    pub command: Command,
    /// The address that it is told; `{colour}` and the like are filled in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub url: Option<Safe>,
    /// Whether it is run at the end of a soak, and not before traffic goes there.
    #[serde(default)]
    pub after: bool,
}

/// A question to every pod of a workload.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Question {
    /// The workload.
    pub workload: Safe,
    /// The port: a number, or the name of one.
    pub port: Safe,
    /// The path.
    pub path: Safe,
    /// The status that it must have.
    pub status: u16,
    /// Milliseconds that it may take.
    pub within_ms: u32,
    /// What its body must hold; `{colour}` and `{digest}` are filled in.
    pub contains: Vec<Safe>,
}

pub(super) fn smoke(
    request: &Request,
    estate: &Estate,
    switch: Option<&TrafficSwitch>,
    now: Now,
) -> Result<Plan, Refusal> {
    let probes = || request.probes.iter().filter(|probe| !probe.is_after());
    if probes().next().is_none() {
        return Err(Refusal::invalid(format!(
            "nothing to ask: {} has no [[environment.smoke]]",
            estate.scope.name
        )));
    }
    let target = target(request, estate, switch)?;
    let mut gates = vec![current(estate, now)];
    gates.extend(whole(estate, target.to));
    gates.extend(probes().map(|probe| match probe {
        Probe::Ask(question) => asked(estate, target, question),
        Probe::Fetch(fetch) => fetched("asks", fetch),
        Probe::Run(trial) => runs(trial),
    }));
    let proves = match probes().all(Probe::asks_pods) {
        true => "it does not prove the Service, the NetworkPolicy or the Ingress",
        false => {
            "of the Service, the NetworkPolicy and the Ingress it proves what its programs and addresses ask of them"
        }
    };
    gates.push(Gate::new("proves", Finding::Noted, proves));
    let locks = match switch {
        Some(switch) => switch.services.clone(),
        None => (estate.deployments.value.iter())
            .filter(|d| estate.deployment_group(d).workload.is_some())
            .map(|d| marks::lock_of_deployment(&d.name))
            .collect(),
    };
    gates.extend(lock(request, estate, &locks, now));
    gates.extend(rights(request.kind, estate));
    let draft = Draft {
        kind: OperationKind::Smoke,
        updates: Vec::new(),
        rolls: Vec::new(),
        keeps: BTreeMap::new(),
        locks,
        gates,
        others: Vec::new(),
        images: running(estate, target),
        back: "nothing is changed".into(),
        release: None,
    };
    Ok(draft.finish(request, estate, target.switch, target.to))
}

/// The pods that a probe is for: all that are ready.
pub(in crate::ops) fn pods<'a>(
    estate: &'a Estate,
    to: Option<usize>,
    workload: &str,
) -> Vec<&'a Pod> {
    let scope = &estate.scope;
    let place = scope
        .workloads
        .iter()
        .position(|w| w.name.as_str() == workload);
    let is_of = |pod: &&Pod| {
        let colour = scope
            .traffic
            .as_ref()
            .and_then(|t| t.colour_of(&pod.labels));
        let is_workload = place.is_some_and(|p| scope.workloads[p].has(pod));
        is_workload && colour == to && pod.ready && pod.deleting.is_none()
    };
    estate.pods.value.iter().filter(is_of).collect()
}

/// Every ready pod of the colour, each with its workload's place in the configuration.
pub(in crate::ops) fn all(estate: &Estate, to: Option<usize>) -> Vec<(usize, &Pod)> {
    let workloads = estate.scope.workloads.iter().enumerate();
    let of = |(place, workload): (usize, &crate::estate::WorkloadScope)| {
        let pods = pods(estate, to, &workload.name).into_iter();
        pods.map(move |pod| (place, pod)).collect::<Vec<_>>()
    };
    workloads.flat_map(of).collect()
}

/// The number of a probe's port in a pod.
pub(in crate::ops) fn port(pod: &Pod, port: &str) -> Option<u16> {
    port.parse().ok().or_else(|| pod.ports.get(port))
}

/// What a program asks is its own affair; that it comes to its end is not.
fn runs(trial: &Trial) -> Gate {
    let words: Vec<&str> = trial.command.argv.iter().map(Safe::as_str).collect();
    let said = format!(
        "`{}` is run for at most {} s; cut short it is no pass",
        words.join(" "),
        trial.command.timeout_s
    );
    Gate::new("runs", Finding::Noted, said)
}

fn fetched(name: &str, fetch: &Fetch) -> Gate {
    let said = format!(
        "GET {} once, {} within {} ms, from where the worker is",
        fetch.url, fetch.status, fetch.within_ms
    );
    Gate::new(name, Finding::Noted, said)
}

/// What is asked when the soak is over, before it is called done (I-28).
pub(super) fn verified(request: &Request) -> Vec<Gate> {
    let probes = request.probes.iter().filter(|probe| probe.is_after());
    let gates = probes.filter_map(|probe| match probe {
        Probe::Ask(_) => None,
        Probe::Fetch(fetch) => Some(fetched("verify", fetch)),
        Probe::Run(trial) => Some(Gate {
            name: "verify".into(),
            ..runs(trial)
        }),
    });
    gates.collect()
}

fn asked(estate: &Estate, target: Target<'_>, probe: &Question) -> Gate {
    let pods = pods(estate, target.to, &probe.workload);
    let (workload, path) = (&probe.workload, &probe.path);
    let without = pods
        .iter()
        .filter(|pod| port(pod, &probe.port).is_none())
        .count();
    let (finding, said) = match (pods.len(), without) {
        (0, _) => (
            Finding::Bad,
            format!("no ready pod of {workload} is there to be asked"),
        ),
        (_, 1..) => (
            Finding::Bad,
            format!(
                "{without} pods of {workload} have no port named {}",
                probe.port
            ),
        ),
        (many, 0) => (
            Finding::Ok,
            format!(
                "{workload}: GET {path} of {many} pods, {} within {} ms",
                probe.status, probe.within_ms
            ),
        ),
    };
    Gate::new("asks", finding, said)
}

/// Why the colour is not whole, if it is not.
pub(in crate::ops) fn ill(estate: &Estate, to: Option<usize>) -> Option<Safe> {
    let is_ill = |gate: &Gate| matches!(gate.finding, Finding::Bad | Finding::Unknown);
    let gate = whole(estate, to).into_iter().find(is_ill)?;
    Some(gate.said)
}

/// I-2: half of a colour would be tested, and the other half go live.
fn whole(estate: &Estate, to: Option<usize>) -> Vec<Gate> {
    if let Some(to) = to {
        return vec![ready(estate, to)];
    }
    let ill = |(_, d)| match rollout(d) {
        Verdict::Ok => None,
        Verdict::Bad(why) => Some(Gate::new("ready", Finding::Bad, why)),
        Verdict::Unknown(why) => Some(Gate::new("ready", Finding::Unknown, why)),
    };
    estate.deployments_in(None).filter_map(ill).collect()
}

/// What is tested, by tag and digest.
fn running(estate: &Estate, target: Target<'_>) -> Vec<ImageChange> {
    let view = estate.colour_view(target.to);
    let words = |(image, _): &(crate::estate::Image, u32)| -> Safe {
        let digest = image.short_digest().unwrap_or("digest not known");
        format!("{} {digest}", image.short_tag()).into()
    };
    let of = |(workload, images): &(Safe, Vec<(crate::estate::Image, u32)>)| {
        let images: Vec<Safe> = images.iter().map(words).collect();
        ImageChange {
            workload: workload.clone(),
            from: images.clone(),
            to: images,
        }
    };
    view.images.iter().map(of).collect()
}
