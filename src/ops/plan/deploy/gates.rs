//! What stands in the way of a deploy, and what somebody should know before it.

use super::{Target, Wanted, tags};
use crate::estate::health::rollout;
use crate::estate::{Deployment, Estate, Group, Safe, Verdict};
use crate::ops::plan::gates::selector;
use crate::ops::plan::{Command, Finding, Gate, Plan, Refusal, Request, Update, Workflow};

/// I-40: nothing that takes traffic is touched, be it that it drains.
pub(in crate::ops::plan) fn unselected(estate: &Estate, target: Target<'_>) -> Vec<Gate> {
    let (Some(switch), Some(to)) = (target.switch, target.to) else {
        return Vec::new();
    };
    let word = Plan::colour_in_words(&switch.colours[to]);
    let mut gates: Vec<Gate> = selector(estate);
    gates.retain(|gate| gate.finding != Finding::Ok);
    for view in estate.service_views() {
        if view.serving[to] > 0 {
            let said = format!(
                "{} endpoints of {word} still serve {}: wait until they are gone",
                view.serving[to], view.name
            );
            gates.push(Gate::new("idle", Finding::Bad, said));
        }
    }
    if gates.is_empty() {
        let said = format!("no Service of the switch selects {word}");
        gates.push(Gate::new("idle", Finding::Ok, said));
    }
    gates
}

/// The workloads that have no Deployment, those aside that helm `installs`.
pub(super) fn missing(
    estate: &Estate,
    target: Target<'_>,
    installs: &[(usize, Safe)],
) -> Vec<Gate> {
    let lacks = |(place, workload): (usize, &crate::estate::WorkloadScope)| {
        let group = Group {
            workload: Some(place),
            colour: target.to,
        };
        let is_there = estate.deployments_of(group).next().is_some();
        let of = match (target.switch, target.to) {
            (Some(switch), Some(to)) => {
                format!(" in {}", Plan::colour_in_words(&switch.colours[to]))
            }
            _ => String::new(),
        };
        let none = format!("there is no Deployment of {}{of}", workload.name);
        let mut new = installs.iter().filter(|(of, _)| *of == place);
        let gate = match new.next() {
            Some((_, name)) => {
                let said = format!("{none}: helm installs {name}");
                Gate::new("deployments", Finding::Noted, said)
            }
            None => {
                let said = format!("{none}: install it first");
                Gate::new("deployments", Finding::Bad, said)
            }
        };
        (!is_there).then_some(gate)
    };
    let workloads = estate.scope.workloads.iter().enumerate();
    workloads.filter_map(lacks).collect()
}

/// Why a Deployment would not roll.
pub(in crate::ops::plan) fn unfit(deployment: &Deployment, target: Target<'_>) -> Option<Gate> {
    let name = &deployment.name;
    let (finding, said) = match rollout(deployment) {
        _ if deployment.paused => (
            Finding::Bad,
            format!("{name} is paused: `kubectl rollout resume` it, or nothing rolls"),
        ),
        _ if deployment.observed_generation < deployment.generation => (
            Finding::Unknown,
            format!("{name} was changed just now and that is not observed yet: look again"),
        ),
        _ if target.to.is_none() && deployment.desired == 0 => (
            Finding::Bad,
            format!("{name} is scaled to 0: nothing would run; scale it first"),
        ),
        Verdict::Ok => return None,
        Verdict::Bad(_) if deployment.desired == 0 => return None,
        Verdict::Bad(why) | Verdict::Unknown(why) => {
            (Finding::Noted, format!("not whole before it: {why}"))
        }
    };
    Some(Gate::new("rollout", finding, said))
}

/// What of the images somebody should know.
pub(super) fn noted(updates: &[Update], wanted: &Wanted, target: Target<'_>) -> Vec<Gate> {
    let mut gates = Vec::new();
    for update in updates {
        let is_named = wanted.names(&update.workload);
        let is_same = update.containers.iter().all(|c| c.from == c.to);
        let (workload, deployment) = (&update.workload, &update.deployment);
        let said = match (is_named, is_same) {
            (true, false) => continue,
            // New pods pull it.
            (true, true) if update.replicas == 0 => continue,
            (true, true) => format!(
                "{deployment} has that image already: what its tag means by now is not pulled again"
            ),
            (false, false) => format!(
                "{workload} is not named: {deployment} gets what is live, {}",
                tags(update, true)
            ),
            (false, true) if target.to.is_some() => {
                format!("{workload} is not named: it has what is live")
            }
            (false, true) => format!("{workload} is not named: it stays as it is"),
        };
        gates.push(Gate::new("images", Finding::Noted, said));
    }
    gates
}

pub(super) fn scaled(updates: &[Update]) -> Option<Gate> {
    let words: Vec<String> = (updates.iter())
        .filter(|u| u.replicas != u.to_replicas)
        .map(|u| format!("{} {} → {}", u.deployment, u.replicas, u.to_replicas))
        .collect();
    let said = format!("as many as are live: {}", words.join(", "));
    (!words.is_empty()).then(|| Gate::new("replicas", Finding::Noted, said))
}

/// Who else would have it otherwise.
pub(in crate::ops::plan) fn owned(deployment: &Deployment) -> Option<Gate> {
    let owner = deployment.owners.first()?;
    let said = format!(
        "{owner} manages {}: its next sync or upgrade may put the image back",
        deployment.name
    );
    Some(Gate::new("owner", Finding::Noted, said))
}

/// What a program does is its own affair, and not fenced (SAFETY, rule 5).
pub(super) fn runs(command: &Command) -> Gate {
    let words: Vec<&str> = command.argv.iter().map(Safe::as_str).collect();
    let said = format!(
        "`{}` is run for at most {} s; it is not fenced: a takeover waits for that long",
        words.join(" "),
        command.timeout_s
    );
    Gate::new("command", Finding::Noted, said)
}

/// What a workflow does is its own affair, and not fenced (SAFETY, rule 5).
pub(super) fn dispatches(request: &Request, workflow: &Workflow) -> Result<Gate, Refusal> {
    if !request.images.is_empty() {
        return Err(Refusal::invalid(format!(
            "{} decides which images it deploys: its inputs are configured, and --image is for the strategy image",
            workflow.file
        )));
    }
    let inputs: Vec<String> = (workflow.inputs.iter())
        .map(|(name, value)| format!("{name}={value}"))
        .collect();
    let said = format!(
        "{} at {} is started with {}; it is not fenced: a takeover waits for its end",
        workflow.file,
        workflow.reference,
        inputs.join(", ")
    );
    Ok(Gate::new("workflow", Finding::Noted, said))
}
