//! The plan asked again, autoscalers held and given back, and what was verified written down.

use std::collections::BTreeSet;
use std::time::Duration;

use serde_json::json;
use tokio::time::Instant;

use super::flip::{failed, passed, text};
use super::wait::reverted_by;
use super::{Ended, Run};
use crate::clients::kubernetes::Unwritten;
use crate::estate::{Autoscaler, Deployment, Estate, Fault, FaultKind, Kind, Safe, Service};
use crate::ops::bastion::{Bastion, Planted};
use crate::ops::entry::{OperationKind, Step, What};
use crate::ops::marks::{self, Colour, Held, Verified};
use crate::ops::patch::{self, Draft};
use crate::ops::plan::{CAPACITY, Finding, Gate, Plan, Request, check, is_to_come};
use crate::ops::record::Unamended;
use crate::ops::{Kept, helm, outside, reads, record};

/// How often it is looked whether a colour bears what is live.
const LOOKS: Duration = Duration::from_secs(5);
/// How often an object that moves meanwhile is tried.
const TRIES: u32 = 4;

impl Run {
    /// Asks again, over fresh reads, whether it may be done.
    pub(super) async fn check(&mut self) -> Result<Vec<What>, Ended> {
        let Some(plan) = self.plan().cloned() else {
            return Ok(vec![failed(&Step::Check, "there is no plan")]);
        };
        let mut estate = match self.read_for(&plan).await {
            Ok(estate) => estate,
            Err(why) => return Ok(vec![failed(&Step::Check, why)]),
        };
        let request = Request {
            to: matches!(
                plan.kind,
                OperationKind::Cutover
                    | OperationKind::Deploy
                    | OperationKind::Smoke
                    | OperationKind::Cleanup
                    | OperationKind::Release
            )
            .then(|| plan.to.clone())
            .filter(|to| !to.is_empty()),
            reason: plan.reason.clone(),
            overrides: plan.overridden.clone(),
            break_glass: self.break_glass(),
            images: plan.wanted.clone(),
            how: plan.how.clone(),
            probes: plan.probes.clone(),
            ..Request::new(plan.kind)
        };
        helm::look(&self.bastion, &mut estate, &request).await;
        Ok(vec![
            match check(&request, &estate, self.bastion.clock.now()) {
                Ok(again) if again.hash == plan.hash => {
                    passed(&Step::Check, evidence(&again.gates))
                }
                Ok(again) => failed(
                    &Step::Check,
                    format!(
                        "the facts changed since the plan ({} is now {}): plan again",
                        plan.hash, again.hash
                    ),
                ),
                Err(refusal) => failed(&Step::Check, refusal.why),
            },
        ])
    }

    /// What `plan` is asked over, read now; the error is why it could not be.
    pub(super) async fn read_for(&self, plan: &Plan) -> Result<Estate, Safe> {
        let read = reads::for_plan(&self.bastion, plan.kind).await;
        let mut estate = read.map_err(|fault| fault.what)?;
        if plan.kind.cuts_over() {
            estate.alerts = self.eyes.estate.alerts.clone();
            estate.ci = self.runs.lock().ok().and_then(|runs| runs.clone());
            outside::look(&self.bastion, &mut estate, &plan.to).await;
            if let Ok(mut runs) = self.runs.lock() {
                runs.clone_from(&estate.ci);
            }
        }
        // The Leases are ours by now.
        estate.leases = Default::default();
        Ok(estate)
    }

    /// Raises `minReplicas` of both colours' autoscalers to what is needed.
    pub(super) async fn hold(&mut self) -> Result<Vec<What>, Ended> {
        let holds = self
            .plan()
            .map(|plan| plan.holds.clone())
            .unwrap_or_default();
        let holds = match self.bastion.has(Planted::NotHeld) {
            true => Vec::new(),
            false => holds,
        };
        let mut said = Vec::new();
        for hold in &holds {
            match self.raise(&hold.autoscaler, &hold.uid, hold.to).await? {
                Ok(()) => said.push(format!("{} at {}", hold.autoscaler, hold.to)),
                Err(why) => return Ok(vec![failed(&Step::Hold, why)]),
            }
        }
        if let Some(result) = self.until_it_bears().await? {
            return Ok(vec![result]);
        }
        let evidence = match said.is_empty() {
            true => "no autoscaler needs holding".to_owned(),
            false => format!("minReplicas {}", said.join(", ")),
        };
        Ok(vec![passed(&Step::Hold, evidence)])
    }

    /// Waits until what the held autoscalers bring up bears what is live; a result where it does not (SAFETY, rule 12).
    async fn until_it_bears(&mut self) -> Result<Option<What>, Ended> {
        let is_awaited = |plan: &Plan| {
            let mut gates = plan.gates.iter();
            let is_it = |gate: &Gate| gate.name.as_str() == CAPACITY;
            gates.any(|gate| is_it(gate) && gate.finding == Finding::Noted)
                && !plan.is_overridden(&CAPACITY.into())
        };
        if !self.plan().is_some_and(is_awaited) {
            return Ok(None);
        }
        let limit = Instant::now() + self.bastion.timing.rollout;
        let mut why = Safe::from("the autoscalers brought up too few to bear what is live");
        loop {
            // Whoever adopted it has no watch of autoscalers: what is read now decides.
            let is_to_come = match reads::fresh(&self.bastion).await {
                Ok(estate) => (self.plan())
                    .and_then(|plan| plan.place(&estate))
                    .is_some_and(|to| is_to_come(&estate, to)),
                Err(fault) => {
                    why = fault.what;
                    true
                }
            };
            if !is_to_come {
                // The flip asks once more.
                return Ok(None);
            }
            if limit <= Instant::now() {
                let seconds = self.bastion.timing.rollout.as_secs();
                let said = format!("not within {seconds} s: {why}");
                return Ok(Some(failed(&Step::Hold, said)));
            }
            // An abort is heard by the watches.
            let next = Instant::now() + LOOKS;
            while Instant::now() < next {
                self.wait(Some(next)).await?;
                if let Some(stopped) = self.stopped(&Step::Hold) {
                    return Ok(Some(stopped));
                }
            }
        }
    }

    async fn raise(&mut self, name: &Safe, uid: &Safe, to: u32) -> Result<Result<(), Safe>, Ended> {
        for _ in 0..TRIES {
            let answer = self.bastion.timing.answer;
            let read = match self.bastion.cluster.get::<Autoscaler>(name, answer).await {
                Ok(Some(read)) if read.uid == *uid => read,
                Ok(_) => return Ok(Err(format!("autoscaler {name} was deleted").into())),
                Err(_) => {
                    self.pause().await?;
                    continue;
                }
            };
            self.is_ours(&read)?;
            let held = held(&read);
            if read.min >= to && held.is_some() {
                return Ok(Ok(()));
            }
            let to = read.min.max(to);
            // What an operation before left held keeps the first value, unless somebody set another since: that is the one to
            // give back.
            let first = held.filter(|held| held.stands(read.min));
            let held = Held {
                min: first.map_or(read.min, |held| held.min),
                to: Some(to),
                operation: self.id().clone(),
            };
            let mut draft = self.autoscaler_patch(&read, to);
            draft.mark(marks::HELD, &text(json!(held)));
            let said = ("minReplicas", json!(to));
            match self.send::<Autoscaler>(name, draft, said).await? {
                Ok(_) => return Ok(Ok(())),
                Err(
                    Unwritten::Refused {
                        status: 409 | 422 | 429,
                        ..
                    }
                    | Unwritten::Unknown(_),
                ) => self.pause().await?,
                Err(Unwritten::Refused { fault, .. }) => return Ok(Err(fault.what)),
            }
        }
        Ok(Err(format!("autoscaler {name} could not be held").into()))
    }

    /// Whether nobody of a later epoch has been at it: a machine that was frozen believes its Lease.
    fn is_ours(&self, read: &Autoscaler) -> Result<(), Ended> {
        let ours = self.highest_epoch();
        match marks::epoch(&read.marks).is_some_and(|there| there > ours) {
            true => Err(Ended::Fenced("somebody with a later epoch".into())),
            false => Ok(()),
        }
    }

    fn autoscaler_patch(&self, read: &Autoscaler, min: u32) -> Draft {
        let of = (&read.uid, &read.resource_version);
        patch::hold(&self.must(of, &read.marks, read.has_annotations), min)
    }

    /// Gives autoscalers back what they had and writes down what was verified. What cannot be done is
    /// named: traffic is where it belongs by now, and that is not taken back for it.
    pub(super) async fn restore(&mut self) -> Result<Vec<What>, Ended> {
        let (mut said, mut left) = (Vec::new(), Vec::new());
        if self.is_rollback() {
            self.fence_the_rest().await?;
        }
        let list = self.autoscalers().await?.unwrap_or_else(|why| {
            left.push(format!("autoscalers, which could not be listed: {why}"));
            Vec::new()
        });
        // Another environment in the namespace has a switch, and operations, of its own.
        let ours = self.scaled_by_us().await?;
        let (list, others): (Vec<_>, Vec<_>) =
            (list.iter().filter(|a| held(a).is_some())).partition(|a| ours(a));
        if !self.eyes.estate.is_listed(Kind::Deployments) && !others.is_empty() {
            let names: Vec<&str> = others.iter().map(|a| a.name.as_str()).collect();
            left.push(format!(
                "minReplicas of {}: whose they are is not known, as the Deployments could not be listed",
                names.join(", ")
            ));
        }
        for autoscaler in list {
            match self.give_back(autoscaler).await? {
                Ok(min) => said.push(format!("{} back at {min}", autoscaler.name)),
                Err(why) => left.push(why.to_string()),
            }
        }
        // What takes traffic has its room back by now.
        if self.is_rollback()
            && let Some(why) = self.end_others().await?
        {
            left.push(format!("operations that it cut off are open still: {why}"));
        }
        if let Some(colour) = self.verified_colour() {
            for service in self.lock.epochs.keys().cloned().collect::<Vec<_>>() {
                if let Err(why) = self.mark_verified(&service, &colour).await? {
                    left.push(why.to_string());
                }
            }
            said.push(format!("{} verified live", colour.to_uppercase()));
        }
        let said = match said.is_empty() {
            true => "nothing to give back".to_owned(),
            false => said.join(", "),
        };
        // What was given back is said in either case.
        let mut results = match self.not_back().await? {
            None => vec![passed(&Step::Restore, said)],
            Some(why) => vec![failed(&Step::Restore, format!("{why}; {said}"))],
        };
        if !left.is_empty() {
            results.push(What::Noted {
                fact: format!("left as it is: {}", left.join("; ")).into(),
            });
        }
        Ok(results)
    }

    /// A Service of the switch that is not where it was before, though the way back is at its end: somebody else put it there,
    /// whom we do not fight (rule 11). That all is as before would not be true.
    async fn not_back(&mut self) -> Result<Option<Safe>, Ended> {
        let undoes = |step: &Step| matches!(step, Step::Undo(_));
        let operation = &self.kept.operation;
        let has_undone = (operation.states.keys()).any(|it| undoes(it) && operation.has_passed(it));
        let plan = self.plan().filter(|_| has_undone);
        let Some((from, plan)) = plan.and_then(|plan| Some((plan.from.clone()?, plan.clone())))
        else {
            return Ok(None);
        };
        for service in plan.least.keys() {
            let mut read = None;
            for _ in 0..TRIES {
                let answer = self.bastion.timing.answer;
                match self.bastion.cluster.get::<Service>(service, answer).await {
                    Ok(Some(now)) => {
                        read = Some(now);
                        break;
                    }
                    Ok(None) => return Ok(Some(format!("Service {service} was deleted").into())),
                    Err(_) => self.pause().await?,
                }
            }
            let Some(read) = read else {
                let said = format!("Service {service} could not be read: where it is is not known");
                return Ok(Some(said.into()));
            };
            // Somebody with a later epoch answers for it.
            let is_back = read.selector.get(&plan.key) == Some(&from) || self.is_later(&read);
            if !is_back {
                let to = read.selector.with(&plan.key, &from);
                return Ok(reverted_by(&read, &to));
            }
        }
        Ok(None)
    }

    /// Which autoscalers are this environment's: those of the plan, and those of its workloads' Deployments as the watch
    /// lists them. Whoever took over has just begun to look, and waits for that.
    async fn scaled_by_us(&mut self) -> Result<impl Fn(&Autoscaler) -> bool + use<>, Ended> {
        let until = Instant::now() + self.bastion.timing.moved;
        let is_awaited = |estate: &Estate| {
            let fault = estate.fault(Kind::Deployments).map(|fault| fault.kind);
            let never = matches!(fault, Some(FaultKind::Forbidden | FaultKind::Missing));
            !estate.is_listed(Kind::Deployments) && !never
        };
        while is_awaited(&self.eyes.estate) && Instant::now() < until {
            let next = Instant::now() + self.bastion.timing.pause;
            self.wait(Some(next.min(until))).await?;
        }
        let all = self.eyes.estate.deployments.value.iter();
        let deployments: BTreeSet<Safe> = all
            .filter(|d| self.is_ours_to_deploy(d))
            .map(|d| d.name.clone())
            .collect();
        let holds = self.plan().map(|plan| plan.holds.clone());
        let planned: BTreeSet<Safe> = (holds.unwrap_or_default().into_iter())
            .map(|hold| hold.autoscaler)
            .collect();
        Ok(move |it: &Autoscaler| planned.contains(&it.name) || deployments.contains(&it.target))
    }

    /// Whether a Deployment is of one of the environment's workloads, or of the plan: the labels that it is found by may be
    /// another environment's too.
    pub(super) fn is_ours_to_deploy(&self, deployment: &Deployment) -> bool {
        let is_planned = |plan: &Plan| {
            plan.rolls.contains(&deployment.name) || plan.update(&deployment.name).is_some()
        };
        let group = self.eyes.estate.deployment_group(deployment);
        group.workload.is_some() || self.plan().is_some_and(is_planned)
    }

    /// The flips of a rollback are the Services' fence; whoever it cut off may still mean to scale what takes traffic
    /// now. Traffic was flipped by then: nothing waits for it.
    pub(super) async fn fence_the_rest(&mut self) -> Result<(), Ended> {
        if self.is_rollback() && self.lock.was_seized && !self.is_fenced {
            let left = self.fence().await?;
            self.is_fenced = true;
            if let Some(why) = left {
                let fact = format!(
                    "whoever was cut off may still write, as the fence could not be written: {why}"
                );
                self.beforehand.push(What::Noted { fact: fact.into() });
            }
        }
        Ok(())
    }

    /// A deploy or a clean-up that is cut off may have a patch of a Deployment under way, of the very colour that traffic
    /// goes back to: that is voided before the first flip, and what stands there by then is read. Whoever cuts off
    /// anything else has no such round trip, and nobody waits for this one longer than for an answer.
    pub(super) async fn void_the_deploy(&mut self) {
        let answer = self.bastion.timing.answer;
        // What cannot be fenced in time is no reason to leave traffic where it is.
        let _ = tokio::time::timeout(answer, self.fence_the_rest()).await;
        self.read = None;
    }

    /// Operations of these Services that were cut off say so: nobody is to go on with them. Nothing waits for this any more,
    /// so an API that is away is waited for; why it could not be done, where it could not.
    async fn end_others(&mut self) -> Result<Option<Safe>, Ended> {
        let until = Instant::now() + self.bastion.timing.moved;
        loop {
            let why = match self.end_each().await {
                Ok(left) => return Ok(left),
                Err(fault) if matches!(fault.kind, FaultKind::Forbidden | FaultKind::Missing) => {
                    return Ok(Some(fault.what));
                }
                Err(fault) => fault.what,
            };
            if until <= Instant::now() {
                return Ok(Some(why));
            }
            self.pause().await?;
        }
    }

    /// The same, once. What is left, and why; the error is that they could not be listed.
    async fn end_each(&mut self) -> Result<Option<Safe>, Fault> {
        let (records, _) = record::list(&self.bastion).await?;
        let is_cut_off = |kept: &Kept| {
            let plan = kept.operation.plan.as_ref();
            let touches = |s: &Safe| self.lock.epochs.contains_key(s);
            kept.operation.closed.is_none()
                && kept.id != *self.id()
                && plan.is_some_and(|plan| plan.locks().iter().any(touches))
        };
        let others: Vec<Kept> = records.into_iter().filter(is_cut_off).collect();
        let mut left = None;
        for other in others {
            let reason: Safe = format!("cut off by rollback {}", self.id()).into();
            for tried in 1..=TRIES {
                match record::abandon(&self.bastion, &other.id, reason.clone()).await {
                    Ok((ended, hooks)) => {
                        self.hooks.and(hooks);
                        if let Some(run) = ended.operation.followed() {
                            let fact = self.cancel_of(&other.id, run).await;
                            self.beforehand.push(What::Noted { fact });
                        }
                    }
                    Err(Unamended::Absent(_)) => {}
                    Err(Unamended::Failed(_)) if tried < TRIES => {
                        tokio::time::sleep(self.bastion.timing.pause).await;
                        continue;
                    }
                    Err(Unamended::Failed(why)) => left = Some(why),
                    Err(Unamended::Forbidden(why)) => {
                        let now = record::read(&self.bastion, &other.id).await;
                        let is_over =
                            matches!(now, Ok(Some(now)) if now.operation.closed.is_some());
                        left = left.or((!is_over).then_some(why));
                    }
                }
                break;
            }
        }
        Ok(left)
    }

    /// All autoscalers. Nothing waits for this any more, so an API that is away is waited for.
    async fn autoscalers(&mut self) -> Result<Result<Vec<Autoscaler>, Safe>, Ended> {
        let has_held = self.plan().is_some_and(|plan| !plan.holds.is_empty());
        let timing = &self.bastion.timing;
        let until = Instant::now() + timing.moved.max(timing.patience);
        loop {
            // A question that began in time and hung is not the last one: the API may be back.
            let is_last = until <= Instant::now();
            let answer = self.bastion.timing.answer;
            match self.bastion.cluster.list::<Autoscaler>("", answer).await {
                Ok(list) => return Ok(Ok(list)),
                Err(fault) if matches!(fault.kind, FaultKind::Forbidden | FaultKind::Missing) => {
                    // Who may not see them has held none.
                    return Ok(match has_held {
                        true => Err(fault.what),
                        false => Ok(Vec::new()),
                    });
                }
                Err(fault) if is_last => return Ok(Err(fault.what)),
                Err(_) => self.pause().await?,
            }
        }
    }

    async fn give_back(&mut self, autoscaler: &Autoscaler) -> Result<Result<u32, Safe>, Ended> {
        let mut read = autoscaler.clone();
        let answer = self.bastion.timing.answer;
        for _ in 0..TRIES {
            let Some(held) = held(&read) else {
                return Ok(Ok(read.min));
            };
            self.is_ours(&read)?;
            // Somebody set it meanwhile: theirs stays.
            let is_left = !held.stands(read.min);
            let min = if is_left { read.min } else { held.min };
            let mut draft = self.autoscaler_patch(&read, min);
            draft.unmark(marks::HELD);
            let given = ("minReplicas", json!(min));
            match self.send::<Autoscaler>(&read.name, draft, given).await? {
                Ok(after) if is_left => {
                    return Ok(Err(format!(
                        "minReplicas of {} at {}, as somebody set it meanwhile (it had {})",
                        after.name, after.min, held.min
                    )
                    .into()));
                }
                Ok(after) => return Ok(Ok(after.min)),
                Err(
                    Unwritten::Refused {
                        status: 409 | 422 | 429,
                        ..
                    }
                    | Unwritten::Unknown(_),
                ) => self.pause().await?,
                Err(Unwritten::Refused { fault, .. }) => return Ok(Err(fault.what)),
            }
            match self
                .bastion
                .cluster
                .get::<Autoscaler>(&read.name, answer)
                .await
            {
                Ok(Some(again)) => read = again,
                Ok(None) => return Ok(Ok(held.min)),
                Err(_) => {}
            }
        }
        Ok(Err(format!(
            "minReplicas of {} (it had {:?})",
            read.name,
            held(&read).map(|h| h.min)
        )
        .into()))
    }

    /// The colour that the steps have shown to be live, where they have.
    fn verified_colour(&self) -> Option<Safe> {
        let plan = self.plan().filter(|plan| !plan.least.is_empty())?;
        let operation = &self.kept.operation;
        let passed = |step: fn(Safe) -> Step| {
            plan.least
                .keys()
                .all(|service| operation.has_passed(&step(service.clone())))
        };
        match operation.is_going_back() {
            true if passed(Step::Return) => plan.from.clone(),
            true => None,
            false if passed(Step::Move) => Some(plan.to.clone()),
            false => None,
        }
    }

    async fn mark_verified(
        &mut self,
        service: &Safe,
        colour: &Safe,
    ) -> Result<Result<(), Safe>, Ended> {
        let answer = self.bastion.timing.answer;
        for _ in 0..TRIES {
            let read = match self.bastion.cluster.get::<Service>(service, answer).await {
                Ok(Some(read)) => read,
                Ok(None) => return Ok(Err(format!("{service} was deleted").into())),
                Err(_) => {
                    self.pause().await?;
                    continue;
                }
            };
            if marks::epoch(&read.marks).is_some_and(|there| there > self.epoch(service)) {
                return Err(Ended::Fenced("somebody with a later epoch".into()));
            }
            let known: Verified = marks::verified(&read).unwrap_or_default();
            let verified = known.followed_by(Colour {
                colour: colour.clone(),
                at: self.bastion.clock.wall(),
                operation: self.id().clone(),
            });
            let mut draft = Draft::of(&self.as_read(&read));
            draft.mark(marks::VERIFIED, &text(json!(verified)));
            let said = ("verified", json!(colour));
            match self.send::<Service>(service, draft, said).await? {
                Ok(_) => return Ok(Ok(())),
                Err(
                    Unwritten::Refused {
                        status: 409 | 422 | 429,
                        ..
                    }
                    | Unwritten::Unknown(_),
                ) => self.pause().await?,
                Err(Unwritten::Refused { fault, .. }) => return Ok(Err(fault.what)),
            }
        }
        Ok(Err(format!(
            "what was verified on {service} could not be written"
        )
        .into()))
    }
}

/// The autoscalers that are held, by whichever operation.
pub(super) async fn all_held(bastion: &Bastion) -> Vec<String> {
    let answer = bastion.timing.answer;
    let list = bastion.cluster.list::<Autoscaler>("", answer).await;
    let list = list.unwrap_or_default().into_iter();
    list.filter(|a| held(a).is_some())
        .map(|a| a.name.to_string())
        .collect()
}

fn held(autoscaler: &Autoscaler) -> Option<Held> {
    serde_json::from_str(autoscaler.marks.get(marks::HELD)?).ok()
}

/// The gates, in a line.
pub(super) fn evidence(gates: &[crate::ops::plan::Gate]) -> String {
    let words: Vec<String> = gates
        .iter()
        .map(|gate| format!("{} {}", gate.id(), gate.said))
        .collect();
    words.join("; ")
}
