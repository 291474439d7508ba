//! Every ready pod of the idle colour asked by itself, each question of the plan, and the user's own programs run.
//!
//! A test that is cut short is no pass: an abort, a pod that went, restarted or came meanwhile voids all of it, and it
//! begins from zero the next time (I-7). What passed names pods and digests, so that another revision voids it (I-13).

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::flip::{failed, passed};
use super::program::{Ran, noted, variable};
use super::{Ended, Found, Run};
use crate::clients::kubernetes::Said;
use crate::clients::mask::masked;
use crate::estate::{Estate, Pod, Safe};
use crate::ops::entry::{Step, What};
use crate::ops::plan::{Plan, Probe, Question, Trial, all, ill, pods, port, revisions};
use crate::ops::reads;

/// The most of a body that is shown.
const SHOWN: usize = 120;
/// What secrets are looked for in before it is cut: one that is cut in two is none any more.
const MASKED: usize = 2_000;
/// The most that a program which ended well leaves in the record, in bytes; one that did not leaves all of its tail.
const LEFT: usize = 1_000;

/// What was tried so far.
#[derive(Debug, Default)]
pub(super) struct Tried {
    /// Answers that were as they should be.
    answers: usize,
    /// Pages that were as they should be.
    pages: usize,
    /// Programs that ended well.
    programs: usize,
    /// The pods that answered.
    pods: BTreeSet<Safe>,
    /// What the programs printed.
    pub(super) notes: Vec<What>,
}

impl Run {
    /// Asks and runs all of it, once.
    pub(super) async fn smoke(&mut self, step: &Step) -> Result<Vec<What>, Ended> {
        let Some(plan) = self.plan().cloned() else {
            return Ok(vec![failed(step, "there is no plan")]);
        };
        // A record tells nobody what to run, or where to ask.
        let is_theirs = |probe: &Probe| probe.asks_pods() || probe.is_after();
        if !plan.probes.iter().all(is_theirs) && plan.probes != self.bastion.probes {
            let said = "its test is not the one that is configured here: it is not run";
            return Ok(vec![failed(step, said)]);
        }
        let before = match self.looked(step).await? {
            Ok(estate) => estate,
            Err(gone) => return Ok(vec![gone]),
        };
        let mut tried = Tried::default();
        let why = ill(&before, plan.place(&before));
        let mut result = why.map(|why| failed(step, format!("the colour is not whole: {why}")));
        for probe in plan.probes.iter().filter(|probe| !probe.is_after()) {
            if result.is_some() {
                break;
            }
            result = match probe {
                Probe::Ask(question) => {
                    self.question(step, &plan, question, &before, &mut tried)
                        .await?
                }
                Probe::Fetch(fetch) => {
                    let why = self.fetched(fetch).await.err();
                    tried.pages += usize::from(why.is_none());
                    why.map(|why| failed(step, why.words()))
                }
                Probe::Run(trial) => {
                    match self.trial(step, &plan, trial, &before, &mut tried).await? {
                        Ran::Well => None,
                        // A test that was cut short, or never began, is no pass.
                        Ran::Not(result) | Ran::Lost(result) => Some(result),
                    }
                }
            };
        }
        let result = match result {
            Some(result) => result,
            None => self.unchanged(step, &plan, &before, &mut tried).await?,
        };
        tried.notes.push(result);
        Ok(tried.notes)
    }

    /// Its worker is gone. A program of it may still run, and is not started beside itself.
    pub(super) async fn settle_smoke(&mut self, step: &Step) -> Result<Found, Ended> {
        match self.plan().is_some_and(runs) {
            false => Ok(Found::Known(self.smoke(step).await?)),
            true => {
                let said = "its worker is gone: a test that was cut short is no pass; a program of it may still run, test again \
                            when it is over";
                Ok(Found::Known(vec![failed(step, said)]))
            }
        }
    }

    /// Every ready pod of the workload, asked; what is wrong, if anything.
    async fn question(
        &mut self,
        step: &Step,
        plan: &Plan,
        question: &Question,
        before: &Estate,
        tried: &mut Tried,
    ) -> Result<Option<What>, Ended> {
        let targets: Vec<Pod> = (pods(before, plan.place(before), &question.workload))
            .into_iter()
            .cloned()
            .collect();
        if targets.is_empty() {
            let said = format!("no pod of {} was there to be asked", question.workload);
            return Ok(Some(failed(step, said)));
        }
        for pod in targets {
            if let Some(stopped) = self.stopped(step) {
                return Ok(Some(stopped));
            }
            self.believe()?;
            self.boundary()?;
            if let Err(why) = self.ask(plan, question, &pod).await {
                return Ok(Some(failed(step, why)));
            }
            tried.answers += 1;
            tried.pods.insert(pod.name.clone());
        }
        Ok(None)
    }

    /// A program, run to its end, and how that went; what went wrong is named after it.
    pub(super) async fn trial(
        &mut self,
        step: &Step,
        plan: &Plan,
        trial: &Trial,
        before: &Estate,
        tried: &mut Tried,
    ) -> Result<Ran, Ended> {
        let mut variables = self.about();
        variables.extend(images(plan, before));
        if let Some(url) = &trial.url {
            variables.push(("WHEELHOUSE_URL".to_owned(), self.filled(url)));
        }
        let (ran, tail) = self.run(step, &trial.command, &variables).await?;
        let name = trial.command.argv.first().map_or("", |name| name.as_str());
        let named = |result| match result {
            What::Failed { step, reason } if !reason.starts_with(name) => {
                failed(&step, format!("{name}: {reason}"))
            }
            other => other,
        };
        Ok(match ran {
            Ran::Well => {
                tried.notes.extend(noted(last(&tail)));
                tried.programs += 1;
                Ran::Well
            }
            Ran::Not(result) => {
                tried.notes.extend(noted(&tail));
                Ran::Not(named(result))
            }
            Ran::Lost(result) => {
                tried.notes.extend(noted(last(&tail)));
                Ran::Lost(named(result))
            }
        })
    }

    /// Whether the pods are those of before.
    async fn unchanged(
        &mut self,
        step: &Step,
        plan: &Plan,
        before: &Estate,
        tried: &mut Tried,
    ) -> Result<What, Ended> {
        let after = match self.looked(step).await? {
            Ok(estate) => estate,
            Err(gone) => return Ok(gone),
        };
        if let Some(why) = ill(&after, plan.place(&after)) {
            let said = format!("the colour is not whole any more: {why}; test again when it is");
            return Ok(failed(step, said));
        }
        let (was, is) = (tested(plan, before), tested(plan, &after));
        if was.is_empty() {
            return Ok(failed(step, "no pod was there to be tested"));
        }
        if was != is {
            let said =
                "the pods changed meanwhile: what was tested is not what is there now; test again";
            return Ok(failed(step, said));
        }
        // I-13: a cutover that demands a test compares this with what is there by then.
        let revisions = revisions(before, plan.place(before));
        tried.notes.push(What::Tested { revisions });
        Ok(passed(step, evidence(tried, &was)))
    }

    pub(super) async fn looked(&mut self, step: &Step) -> Result<Result<Estate, What>, Ended> {
        for _ in 0..5 {
            match reads::fresh(&self.bastion).await {
                Ok(estate) => return Ok(Ok(estate)),
                Err(_) => self.pause().await?,
            }
        }
        Ok(Err(failed(step, "the pods could not be read")))
    }

    async fn ask(&self, plan: &Plan, probe: &Question, pod: &Pod) -> Result<(), Safe> {
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
        let wanted = probe.contains.iter().map(|text| filled(text, plan, pod));
        let limits = (probe.status, probe.within_ms);
        judged(&said, limits, wanted).map_err(|why| format!("{what}: {why}").into())
    }
}

/// Whether an answer has that status, came within so many milliseconds, and holds all that is `wanted`.
///
/// # Errors
/// What of it is otherwise.
pub(super) fn judged(
    said: &Said,
    (status, within_ms): (u16, u32),
    wanted: impl Iterator<Item = String>,
) -> Result<(), String> {
    let body = String::from_utf8_lossy(&said.body);
    if said.status != status {
        // It goes into the record, to chat and pagers: whatever an application tells of itself.
        let beginning: String = body.chars().take(MASKED).collect();
        let body: String = masked(&Safe::new(&beginning)).chars().take(SHOWN).collect();
        return Err(format!("{} in place of {status}: {body}", said.status));
    }
    if said.took > Duration::from_millis(u64::from(within_ms)) {
        let took = said.took.as_millis();
        return Err(format!("{took} ms, more than {within_ms}"));
    }
    let mut wanted = wanted.filter(|wanted| !body.contains(wanted));
    match wanted.next() {
        Some(wanted) => Err(format!("{wanted} is not in its answer")),
        None => Ok(()),
    }
}

/// What a body must hold, with what is known of the pod.
fn filled(wanted: &Safe, plan: &Plan, pod: &Pod) -> String {
    let digest = pod.main_container().and_then(|c| c.image.digest.as_ref());
    let text = wanted.replace("{colour}", &plan.to);
    text.replace("{digest}", digest.map_or("no digest", |d| d.as_str()))
}

/// Every ready pod of the colour, as it was: its uid, its restarts, and what it runs.
pub(super) fn tested(plan: &Plan, estate: &Estate) -> BTreeMap<Safe, (Safe, u32, Vec<Safe>)> {
    let of = |(_, pod): (usize, &Pod)| {
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
    let pods = all(estate, plan.place(estate)).into_iter();
    pods.map(of).collect()
}

/// Whether programs are a part of it.
fn runs(plan: &Plan) -> bool {
    let is_run = |probe: &Probe| matches!(probe, Probe::Run(trial) if !trial.after);
    plan.probes.iter().any(is_run)
}

/// What runs there, for programs: `WHEELHOUSE_IMAGE_FRONTEND` and `WHEELHOUSE_DIGEST_FRONTEND`.
fn images(plan: &Plan, estate: &Estate) -> BTreeMap<String, Safe> {
    let pods = all(estate, plan.place(estate)).into_iter();
    let of = |(place, pod): (usize, &Pod)| {
        let workload = &estate.scope.workloads[place].name;
        let image = pod.main_container().map(|container| &container.image);
        let name = image.map(|image| variable("IMAGE", workload, &image.name));
        let digest = image.and_then(|image| image.digest.as_ref());
        let digest = digest.map(|digest| variable("DIGEST", workload, digest));
        name.into_iter().chain(digest).collect::<Vec<_>>()
    };
    pods.flat_map(of).collect()
}

/// The last lines, as many as may be left of a program that ended well.
fn last(lines: &[Safe]) -> &[Safe] {
    let mut room = LEFT;
    let fits = |line: &&Safe| {
        let is_room = line.len() <= room;
        room = room.saturating_sub(line.len());
        is_room
    };
    let many = lines.iter().rev().take_while(fits).count();
    &lines[lines.len() - many..]
}

/// `10 answers of 5 pods: a, b, …; sha256:…; not proved: Service, NetworkPolicy, Ingress`
fn evidence(tried: &Tried, tested: &BTreeMap<Safe, (Safe, u32, Vec<Safe>)>) -> String {
    let mut words = Vec::new();
    if tried.answers > 0 {
        let names: Vec<&str> = tried.pods.iter().map(Safe::as_str).collect();
        let (answers, pods) = (tried.answers, names.len());
        words.push(format!(
            "{answers} answers of {pods} pods: {}",
            names.join(", ")
        ));
    }
    if tried.programs > 0 {
        let (programs, pods) = (tried.programs, tested.len());
        let many = if programs == 1 { "" } else { "s" };
        words.push(format!(
            "{programs} program{many} ended well beside {pods} pods"
        ));
    }
    if tried.pages > 0 {
        let pages = tried.pages;
        let many = if pages == 1 { "" } else { "es" };
        words.push(format!("{pages} address{many} answered"));
    }
    let digests: BTreeSet<&str> = (tested.values())
        .flat_map(|(_, _, digests)| digests.iter().map(Safe::as_str))
        .collect();
    words.push(digests.into_iter().collect::<Vec<_>>().join(", "));
    if tried.programs == 0 && tried.pages == 0 {
        words.push("not proved: Service, NetworkPolicy, Ingress".to_owned());
    }
    words.join("; ")
}

#[cfg(test)]
mod tests;
