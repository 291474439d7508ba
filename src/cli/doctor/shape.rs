//! Whether what the configuration names is there: workloads, traffic Services, both colours. Pure: read
//! from an estate that was observed once.

use super::finding::Finding;
use crate::estate::{Estate, Group, Kind, Live, Safe, TrafficSwitch};

/// Every workload, then every Service of the switch.
pub(super) fn findings(estate: &Estate) -> Vec<Finding> {
    let mut findings = workloads(estate);
    if let Some(switch) = &estate.scope.traffic {
        findings.extend(services(estate, switch));
    }
    findings
}

fn workloads(estate: &Estate) -> Vec<Finding> {
    let scope = &estate.scope;
    let places = 0..scope.workloads.len();
    if !estate.is_listed(Kind::Deployments) {
        let why = unseen(estate, Kind::Deployments);
        return vec![Finding::unasked("workload", &why)];
    }
    places.map(|place| workload(estate, place)).collect()
}

fn workload(estate: &Estate, place: usize) -> Finding {
    const NAME: &str = "workload";
    let scope = &estate.scope;
    let of = &scope.workloads[place];
    let names = |colour: Option<usize>| -> Vec<Safe> {
        let group = Group {
            workload: Some(place),
            colour,
        };
        let names = estate.deployments_of(group).map(|d| d.name.clone());
        names.collect()
    };
    let colours: &[Option<usize>] = match scope.traffic {
        Some(_) => &[Some(0), Some(1)],
        None => &[None],
    };
    let found: Vec<Vec<Safe>> = colours.iter().map(|colour| names(*colour)).collect();
    let all = found.concat();
    let advice = format!(
        "correct the labels or deployments of the workload {} (`kubectl --namespace {} get deployments --show-labels`), or the environment's selector",
        of.name, scope.namespace
    );
    if all.is_empty() {
        return Finding::bad(NAME, &of.name, "no Deployment matches", &advice);
    }
    let missing = colours
        .iter()
        .zip(&found)
        .find(|(_, names)| names.is_empty());
    if let (Some((Some(colour), _)), Some(switch)) = (missing, &scope.traffic) {
        let (key, colour) = (&switch.key, &switch.colours[*colour]);
        let why = format!("no Deployment of it has pods with {key}={colour}");
        let advice = format!("deploy {colour} once, or correct traffic.colours; {advice}");
        return Finding::bad(NAME, &of.name, &why, &advice);
    }
    Finding::ok(NAME, &of.name, &all.join(", "))
}

fn services(estate: &Estate, switch: &TrafficSwitch) -> Vec<Finding> {
    let views = estate.service_views();
    let finding = |view: &crate::estate::ServiceView<'_>| {
        let namespace = &estate.scope.namespace;
        let (key, [one, other]) = (&switch.key, &switch.colours);
        let look =
            format!("`kubectl --namespace {namespace} get services --output wide` shows them");
        let bad = |why: &str, advice: &str| Finding::bad("traffic", view.name, why, advice);
        match &view.live {
            Live::Colour(colour) => {
                let value = format!("{key}={} is live", switch.colours[*colour]);
                Finding::ok("traffic", view.name, &value)
            }
            Live::Foreign(value) => bad(
                &format!("the selector has {key}={value}, which is neither {one} nor {other}"),
                "correct traffic.colours, or the Service's selector",
            ),
            Live::NoKey => bad(
                &format!("the selector has no key {key}"),
                &format!("correct traffic.key, or the Service: {look}"),
            ),
            Live::Absent => bad(
                &format!("there is no such Service in {namespace}"),
                &format!("correct traffic.services: {look}"),
            ),
            Live::Unknown => Finding::unknown(
                "traffic",
                view.name,
                &unseen(estate, Kind::Services),
                "see above",
            ),
        }
    };
    views.iter().map(finding).collect()
}

fn unseen(estate: &Estate, kind: Kind) -> String {
    let why = estate.fault(kind).map(|fault| fault.what.to_string());
    why.unwrap_or_else(|| format!("the {} were not listed in time", kind.plural()))
}
