//! Every ready pod of the idle colour asked by itself, each question of the plan.
//!
//! A test that is cut short is no pass: an abort, a pod that went, restarted or came meanwhile voids all of it, and it
//! begins from zero the next time (I-7). What passed names pods and digests, so that another revision voids it (I-13).

use std::collections::BTreeMap;
use std::time::Duration;

use super::flip::{failed, passed};
use super::{Ended, Run};
use crate::estate::{Estate, Pod, Safe};
use crate::ops::entry::{Step, What};
use crate::ops::plan::{Plan, Probe, pods, port};
use crate::ops::reads;

/// The most of a body that is shown.
const SHOWN: usize = 120;

impl Run {
    /// Asks all of it, once.
    pub(super) async fn smoke(&mut self, step: &Step) -> Result<Vec<What>, Ended> {
        let Some(plan) = self.plan().cloned() else {
            return Ok(vec![failed(step, "there is no plan")]);
        };
        let before = match self.looked(step).await? {
            Ok(estate) => estate,
            Err(gone) => return Ok(vec![gone]),
        };
        let mut asked = 0;
        for probe in &plan.probes {
            let targets: Vec<Pod> = (pods(&before, colour(&plan, &before), &probe.workload))
                .into_iter()
                .cloned()
                .collect();
            for pod in targets {
                if let Some(stopped) = self.stopped(step) {
                    return Ok(vec![stopped]);
                }
                self.believe()?;
                self.boundary()?;
                if let Err(why) = self.ask(&plan, probe, &pod).await {
                    return Ok(vec![failed(step, why)]);
                }
                asked += 1;
            }
        }
        let after = match self.looked(step).await? {
            Ok(estate) => estate,
            Err(gone) => return Ok(vec![gone]),
        };
        let (was, is) = (tested(&plan, &before), tested(&plan, &after));
        if was.is_empty() || asked == 0 {
            return Ok(vec![failed(step, "no pod was there to be asked")]);
        }
        if was != is {
            let said =
                "the pods changed meanwhile: what was tested is not what is there now; test again";
            return Ok(vec![failed(step, said)]);
        }
        Ok(vec![passed(step, evidence(asked, &was))])
    }

    async fn looked(&mut self, step: &Step) -> Result<Result<Estate, What>, Ended> {
        for _ in 0..5 {
            match reads::fresh(&self.bastion).await {
                Ok(estate) => return Ok(Ok(estate)),
                Err(_) => self.pause().await?,
            }
        }
        Ok(Err(failed(step, "the pods could not be read")))
    }

    async fn ask(&self, plan: &Plan, probe: &Probe, pod: &Pod) -> Result<(), Safe> {
        let name = &pod.name;
        let what = format!("{name}: GET {}", probe.path);
        let Some(port) = port(pod, &probe.port) else {
            return Err(format!("{name} has no port named {}", probe.port).into());
        };
        let within = Duration::from_millis(u64::from(probe.within_ms));
        // The way there is not the pod's: what it costs is not its latency.
        let limit = within + self.bastion.timing.answer;
        let said = (self.bastion.cluster)
            .ask_pod(name, port, &probe.path, limit)
            .await;
        let said = said.map_err(|fault| Safe::from(format!("{what}: {}", fault.what)))?;
        if said.status != probe.status {
            let body: String = String::from_utf8_lossy(&said.body)
                .chars()
                .take(SHOWN)
                .collect();
            let wanted = probe.status;
            return Err(format!("{what}: {} in place of {wanted}: {body}", said.status).into());
        }
        if said.took > within {
            let took = said.took.as_millis();
            return Err(format!("{what}: {took} ms, more than {}", probe.within_ms).into());
        }
        let body = String::from_utf8_lossy(&said.body);
        for wanted in &probe.contains {
            let wanted = filled(wanted, plan, pod);
            if !body.contains(wanted.as_str()) {
                return Err(format!("{what}: {wanted} is not in its answer").into());
            }
        }
        Ok(())
    }
}

/// The colour's place in the switch.
fn colour(plan: &Plan, estate: &Estate) -> Option<usize> {
    estate.scope.traffic.as_ref()?.colour(&plan.to)
}

/// What a body must hold, with what is known of the pod.
fn filled(wanted: &Safe, plan: &Plan, pod: &Pod) -> String {
    let digest = pod.main_container().and_then(|c| c.image.digest.as_ref());
    let text = wanted.replace("{colour}", &plan.to);
    text.replace("{digest}", digest.map_or("no digest", |d| d.as_str()))
}

/// Every pod that is asked, as it was: its uid, its restarts, and what it runs.
fn tested(plan: &Plan, estate: &Estate) -> BTreeMap<Safe, (Safe, u32, Vec<Safe>)> {
    let of = |pod: &Pod| {
        let digests = pod.containers.iter().filter(|c| !c.init);
        let digests = digests.map(|c| match &c.image.digest {
            Some(digest) => digest.clone(),
            None => c.image.name.clone(),
        });
        (
            pod.name.clone(),
            (pod.uid.clone(), pod.restarts(), digests.collect()),
        )
    };
    let to = colour(plan, estate);
    let probes = plan.probes.iter();
    probes
        .flat_map(|probe| pods(estate, to, &probe.workload))
        .map(of)
        .collect()
}

/// `10 answers of 5 pods: a, b, …; sha256:…; not proved: Service, NetworkPolicy, Ingress`
fn evidence(asked: usize, tested: &BTreeMap<Safe, (Safe, u32, Vec<Safe>)>) -> String {
    let names: Vec<&str> = tested.keys().map(Safe::as_str).collect();
    let mut digests: Vec<&str> = (tested.values())
        .flat_map(|(_, _, digests)| digests.iter().map(Safe::as_str))
        .collect();
    digests.sort_unstable();
    digests.dedup();
    format!(
        "{asked} answers of {} pods: {}; {}; not proved: Service, NetworkPolicy, Ingress",
        names.len(),
        names.join(", "),
        digests.join(", ")
    )
}

#[cfg(test)]
mod tests;
