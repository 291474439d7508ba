//! The one act that moves traffic, its compensation, and how a lost reply is settled.

use std::borrow::Cow;

use serde_json::{Value, json};
use tokio::time::Instant;

use super::wait::{reverted, reverted_by};
use super::{Ended, Found, Run};
use crate::clients::kubernetes::Unwritten;
use crate::estate::alerts::Alerts;
use crate::estate::{
    Autoscaler, Deployment, Estate, Fault, FaultKind, Labels, Moment, Safe, Service,
};
use crate::ops::bastion::Planted;
use crate::ops::entry::{OperationKind, Step, What};
use crate::ops::marks::{self, Flipped};
use crate::ops::patch::{self, Draft, Must, Signed};
use crate::ops::plan::approval::approved;
use crate::ops::plan::{Flip, Plan, open, still};
use crate::ops::{monitoring, reads};

/// How often a read before the act is tried, and an act that the server put off.
const TRIES: u32 = 5;
/// How many refusals in a row are no passing fault.
const REFUSALS: u32 = 30;
/// How old a rollback's first read may be, in milliseconds; the patch tests what it says.
const JUST_MS: u64 = 1_000;
/// How long the reads before a forward act may take, in milliseconds.
const OLD_MS: u64 = 5_000;
/// How often a fence is tried against what moves meanwhile.
const FENCES: u32 = 10;

/// What is found where a patch was refused.
enum Stood {
    /// All that decides is as it was; in words.
    Still(Safe),
    /// It is done, or is not to be done any more.
    Settled(Vec<What>),
}

impl Run {
    /// Patches the selector of `service`, once.
    pub(super) async fn flip(&mut self, step: &Step, service: &Safe) -> Result<Vec<What>, Ended> {
        let Some(flip) = self.wanted(step, service) else {
            return Ok(vec![failed(step, "it is not in the plan")]);
        };
        let mut why = Safe::from("the API server did not answer");
        let is_back = matches!(step, Step::Undo(_)) || self.is_rollback();
        let (mut tries, mut refused, began) = (0, 0, Instant::now());
        // Forward the next person plans anew; on the way back an API that is away is waited for: nobody else goes back.
        // A look that began in time and hung is not the last one: the API may be back.
        let mut is_last = false;
        while !is_last {
            tries += 1;
            let is_in_time = is_back && began.elapsed() < self.bastion.timing.patience;
            is_last = tries >= TRIES && !is_in_time;
            let (read, looked) = match self.look(step, &flip).await {
                Ok(looked) => looked,
                Err(Look::No(why)) => return Ok(vec![failed(step, why)]),
                Err(Look::Away(fault)) => {
                    // No waiting brings a right; a server that has just come back may say so for a moment.
                    refused = match fault.kind {
                        FaultKind::Forbidden => refused + 1,
                        _ => 0,
                    };
                    why = fault.what;
                    if refused >= REFUSALS {
                        break;
                    }
                    if let Some(stopped) = self.breathe(step).await? {
                        return Ok(vec![stopped]);
                    }
                    continue;
                }
            };
            self.claim(&read);
            if self.is_later(&read) && !self.bastion.has(Planted::NoEpochTest) {
                return Err(Ended::Fenced("somebody with a later epoch".into()));
            }
            let is_there = self.is_there(&flip, &read);
            let draft = match is_there {
                true => self.stay_patch(&flip, &read),
                false => self.flip_patch(step, &flip, &read),
            };
            self.announce(service, "selector", patch::selector(&flip.to))?;
            // Health of any age is none (I-4): a disk that hung lies between.
            if !is_back && self.bastion.clock.boot().since(looked) > OLD_MS {
                why = "what was looked at grew old while the journal was written".into();
                self.note("unsent", json!({ "patch": service, "why": why }));
                continue;
            }
            match self.patched::<Service>(service, draft).await? {
                Ok(after) if is_there => {
                    let (at, version) = (words(&after.selector), &after.resource_version);
                    let said = format!(
                        "{at} already, and nothing of before moves it any more (resourceVersion {version})"
                    );
                    return Ok(vec![passed(step, said)]);
                }
                Ok(after) => {
                    let version = &after.resource_version;
                    let key = &self
                        .plan()
                        .map_or_else(|| Safe::from(""), |p| p.key.clone());
                    let words = format!(
                        "{} (resourceVersion {version})",
                        difference(&flip.from, &flip.to, key)
                    );
                    return Ok(vec![passed(step, words)]);
                }
                Err(Unwritten::Refused { status, fault }) => {
                    let has_moved = matches!(status, 409 | 422);
                    match self.read_back(step, &flip, &fault).await? {
                        Stood::Settled(results) => return Ok(results),
                        Stood::Still(_) if status == 429 => {
                            why = fault.what;
                            self.pause().await?;
                        }
                        Stood::Still(_) if !has_moved => {
                            return Ok(vec![failed(step, fault.what)]);
                        }
                        // On the way back somebody else's note, or a status, is no reason to leave traffic where it is: what
                        // it was refused for has moved, and it was not applied for sure.
                        Stood::Still(words) if is_back && refused < REFUSALS && !is_last => {
                            (refused, why) = (refused + 1, words);
                            if let Some(stopped) = self.breathe(step).await? {
                                return Ok(vec![stopped]);
                            }
                        }
                        Stood::Still(words) => return Ok(vec![failed(step, words)]),
                    }
                }
                Err(Unwritten::Unknown(_)) if self.bastion.has(Planted::BlindResend) => {}
                Err(Unwritten::Unknown(fault)) => {
                    return Ok(vec![What::Unknown {
                        step: step.clone(),
                        reason: fault.what,
                    }]);
                }
            }
        }
        Ok(vec![failed(step, format!("nothing was sent: {why}"))])
    }

    /// Between two tries. An abort of a rollback is heard by the watches: a result where there was one.
    pub(super) async fn breathe(&mut self, step: &Step) -> Result<Option<What>, Ended> {
        if !self.is_rollback() {
            self.pause().await?;
            return Ok(None);
        }
        self.wait(Some(Instant::now() + self.bastion.timing.pause))
            .await?;
        Ok(self.stopped(step))
    }

    /// The patch that the plan holds for a step, the way that the step goes.
    fn wanted(&self, step: &Step, service: &Safe) -> Option<Flip> {
        let flip = self.plan()?.flip(service)?.clone();
        Some(match step {
            Step::Undo(_) => Flip {
                from: flip.to,
                to: flip.from,
                ..flip
            },
            _ => flip,
        })
    }

    /// Health at this instant (I-4): the Service as it is now, where it may be patched, and when the reads began.
    async fn look(&self, step: &Step, flip: &Flip) -> Result<(Service, Moment), Look> {
        let is_forward = matches!(step, Step::Flip(_)) && !self.is_rollback();
        let is_first = self.attempts(step) <= 1;
        // What monitoring says later is for the soak, which goes back whole. It is asked before the reads: one that hangs
        // makes them no older.
        let alerts = match is_forward && !self.has_flipped() {
            true => self.asked_monitoring().await,
            false => None,
        };
        let began = self.bastion.clock.boot();
        let mut estate = match (is_forward, self.just_read().filter(|_| is_first)) {
            (false, Some(read)) => read,
            (true, _) => reads::fresh(&self.bastion).await.map_err(Look::Away)?,
            (false, None) => reads::least(&self.bastion).await.map_err(Look::Away)?,
        };
        let plan = self
            .plan()
            .ok_or_else(|| Look::No("there is no plan".into()))?;
        let unread = |what| {
            Look::Away(Fault {
                kind: FaultKind::Stopped,
                what,
            })
        };
        if is_forward && let Some(why) = self.frozen(&estate).map_err(unread)? {
            return Err(Look::No(why));
        }
        if is_forward && let Some(why) = self.put_elsewhere(plan, &estate) {
            return Err(Look::No(why));
        }
        if self.is_rollback() && self.lock.was_deploying {
            reads::deployed(&self.bastion, &mut estate).await;
            if let Some(name) = scaled_to_0(flip, &estate) {
                let environment = &self.bastion.scope.name;
                let said = format!(
                    "{name} was scaled to 0 a moment ago, and no pod of it will stay: `deploy {environment} --same` brings it up"
                );
                return Err(Look::No(said.into()));
            }
        }
        let service = still(self.tested(plan).as_ref(), flip, &estate, is_forward);
        let service = service.map_err(Look::No)?;
        if is_forward && !self.has_flipped() {
            let now = self.bastion.clock.now();
            if !self.bastion.has(Planted::ApprovalKept) {
                approved(plan, self.joined.map(|_| self.id()), &estate, now).map_err(Look::No)?;
            }
            estate.alerts = alerts;
            if plan.kind.cuts_over() {
                open(plan, &estate, now).map_err(Look::No)?;
            }
        }
        // One that hung made the others old (I-4): all are read again.
        let age = self.bastion.clock.boot().since(began);
        if is_forward && age > OLD_MS {
            return Err(unread(format!("the reads took {} s", age / 1_000).into()));
        }
        let is_undo = matches!(step, Step::Undo(_));
        if is_undo && marks::operation(&service.marks).as_ref() != Some(self.id()) {
            return Err(Look::No(
                format!("{} is no longer as this operation left it", flip.service).into(),
            ));
        }
        Ok((service, began))
    }

    /// A Service that was flipped already and that somebody put elsewhere since: the next one does not follow it (rule 11).
    fn put_elsewhere(&self, plan: &Plan, estate: &Estate) -> Option<Safe> {
        let passed = |flip: &&Flip| {
            let step = Step::Flip(flip.service.clone());
            self.kept.operation.has_passed(&step)
        };
        let mut flipped = plan.flips.iter().filter(passed);
        flipped.find_map(|flip| reverted(estate, flip))
    }

    /// The plan with what was tested, but for the simulation's bugs: an approval that is kept after a new digest would be
    /// caught by this, too.
    fn tested<'a>(&self, plan: &'a Plan) -> Cow<'a, Plan> {
        let is_kept = |bug| self.bastion.has(bug);
        match is_kept(Planted::SmokeKept) || is_kept(Planted::ApprovalKept) {
            true => Cow::Owned(Plan {
                tested: None,
                ..plan.clone()
            }),
            false => Cow::Borrowed(plan),
        }
    }

    /// What monitoring says at this instant; asked anew where the last answers are too old.
    async fn asked_monitoring(&self) -> Option<Alerts> {
        let plan = self.plan()?;
        let mut estate = Estate::new(self.bastion.scope.clone(), None);
        estate.policies = self.eyes.estate.policies.clone();
        estate.alerts = self.eyes.estate.alerts.clone();
        if plan.kind.cuts_over() {
            monitoring::look(&self.bastion, &mut estate, &plan.to).await;
        }
        estate.alerts
    }

    /// What a rollback read when it began, while that is as good as a read made now.
    fn just_read(&self) -> Option<Estate> {
        let (estate, at) = self.read.as_ref()?;
        let age = self.bastion.clock.boot().since(*at);
        (self.is_rollback() && age <= JUST_MS).then(|| estate.clone())
    }

    fn flip_patch(&self, step: &Step, flip: &Flip, read: &Service) -> Draft {
        // Where our epoch stands already (a seized start, an adoption) a fence of ours would not change it: then
        // the version is what a late patch fails by.
        let is_ours = marks::epoch(&read.marks) == Some(self.epoch(&flip.service));
        let must = Must {
            uid: &flip.uid,
            is_strict: is_ours || self.attempts(step) > 1,
            ..self.as_read(read)
        };
        let by = Signed {
            epoch: &self.epoch(&flip.service).to_string(),
            operation: self.id(),
            said: &text(json!(self.flipped(step, flip))),
        };
        patch::flip(&must, flip, by)
    }

    /// Who, from what to what, why, and what runs there: for whoever looks at the Service.
    fn flipped(&self, step: &Step, flip: &Flip) -> Flipped {
        let plan = self.plan();
        let key = plan.map_or("", |p| p.key.as_str());
        let what = match (step, plan.map(|p| p.kind)) {
            (Step::Undo(_), _) => marks::COMPENSATION,
            (_, Some(kind)) => kind.word(),
            (_, None) => OperationKind::Cutover.word(),
        };
        let is_back = matches!(step, Step::Undo(_));
        let images = plan.map(|p| p.images.as_slice()).unwrap_or_default();
        let why = match is_back {
            true => self
                .kept
                .operation
                .failure
                .as_ref()
                .map(|(_, why)| why.clone()),
            false => plan.and_then(|p| p.reason.clone()),
        };
        Flipped {
            at: self.bastion.clock.wall(),
            by: self.doer(),
            from: flip.from.get(key).cloned(),
            to: flip.to.get(key).cloned().unwrap_or_else(|| "".into()),
            what: what.into(),
            why: why.map(marks::brief),
            operation: self.id().clone(),
            images: (images.iter())
                .flat_map(|i| if is_back { &i.from } else { &i.to })
                .cloned()
                .collect(),
            left: (images.iter())
                .flat_map(|i| if is_back { &i.to } else { &i.from })
                .cloned()
                .collect(),
            runs: match is_back {
                // It was asked what the way forward brings.
                true => Vec::new(),
                false => plan.map(|p| p.runs.clone()).unwrap_or_default(),
            },
        }
    }

    /// The patch was refused, by whoever answers on the way: is it done all the same, or what stands there?
    async fn read_back(&mut self, step: &Step, flip: &Flip, fault: &Fault) -> Result<Stood, Ended> {
        for _ in 0..TRIES {
            let answer = self.bastion.timing.answer;
            match self
                .bastion
                .cluster
                .get::<Service>(&flip.service, answer)
                .await
            {
                Ok(Some(read)) if self.is_done(flip, &read) => {
                    let done = passed(step, "found done by reading it back");
                    return Ok(Stood::Settled(vec![done]));
                }
                Ok(Some(read)) => {
                    if self.is_later(&read) {
                        return Err(Ended::Fenced("somebody with a later epoch".into()));
                    }
                    if let Some(why) = self.taken_back(flip, &read) {
                        return Ok(Stood::Settled(vec![failed(step, why)]));
                    }
                    let words = self.stands(flip, &read, &fault.what);
                    let is_still = read.uid == flip.uid
                        && (read.selector == flip.from || self.is_there(flip, &read));
                    return Ok(match is_still {
                        true => Stood::Still(words),
                        false => Stood::Settled(vec![failed(step, words)]),
                    });
                }
                Ok(None) => {
                    let gone = format!("Service {} was deleted", flip.service);
                    return Ok(Stood::Settled(vec![failed(step, gone)]));
                }
                // Whoever may do neither any more was told so twice.
                Err(read) if is_denied(&read) && is_denied(fault) => {
                    return Ok(Stood::Still(fault.what.clone()));
                }
                Err(_) => self.pause().await?,
            }
        }
        Ok(Stood::Settled(vec![What::Unknown {
            step: step.clone(),
            reason: fault.what.clone(),
        }]))
    }

    /// The result of a flip whose reply was lost, by reading alone. Where it was not done, a fence makes
    /// sure that it never will be by the request that may still be under way.
    pub(super) async fn settle_flip(
        &mut self,
        step: &Step,
        service: &Safe,
    ) -> Result<Found, Ended> {
        let Some(flip) = self.wanted(step, service) else {
            return Ok(Found::Known(vec![failed(step, "it is not in the plan")]));
        };
        for _ in 0..FENCES {
            let answer = self.bastion.timing.answer;
            let read = match self.bastion.cluster.get::<Service>(service, answer).await {
                Ok(Some(read)) => read,
                Ok(None) => {
                    let gone = failed(step, format!("Service {service} was deleted"));
                    return Ok(Found::Known(vec![gone]));
                }
                Err(_) => {
                    self.pause().await?;
                    continue;
                }
            };
            if self.is_done(&flip, &read) {
                return Ok(Found::Known(vec![passed(
                    step,
                    "found done by reading it back",
                )]));
            }
            if self.is_later(&read) {
                return Err(Ended::Fenced("somebody with a later epoch".into()));
            }
            if let Some(why) = self.taken_back(&flip, &read) {
                return Ok(Found::Known(vec![failed(step, why)]));
            }
            let is_its = read.selector == flip.from || self.is_there(&flip, &read);
            if read.uid != flip.uid || !is_its {
                let why = self.stands(&flip, &read, "it was changed meanwhile");
                return Ok(Found::Known(vec![failed(step, why)]));
            }
            if self.fence_service(&read).await?.is_none() {
                return Ok(Found::NotDone);
            }
        }
        self.pause().await?;
        Ok(Found::Known(Vec::new()))
    }

    /// Whether `service` is as this operation's patch makes it.
    fn is_done(&self, flip: &Flip, service: &Service) -> bool {
        service.uid == flip.uid
            && service.selector == flip.to
            && marks::operation(&service.marks).as_ref() == Some(self.id())
    }

    /// Who took this very flip back, where it had landed: its mark, which the flip alone writes, is still there. It is not
    /// sent again (I-16, rule 11).
    fn taken_back(&self, flip: &Flip, service: &Service) -> Option<Safe> {
        let key = self.plan().map_or("", |plan| plan.key.as_str());
        let mark = marks::flipped(service).filter(|_| service.uid == flip.uid)?;
        let is_its = mark.operation == *self.id() && flip.to.get(key) == Some(&mark.to);
        reverted_by(service, &flip.to).filter(|_| is_its)
    }

    /// Whether a rollback finds `service` where it is to go, though this operation did not bring it there.
    fn is_there(&self, flip: &Flip, service: &Service) -> bool {
        self.is_rollback() && service.selector == flip.to
    }

    /// Keeps a Service where it is: whoever was cut off may have a patch of it under way, which this voids.
    fn stay_patch(&self, flip: &Flip, read: &Service) -> Draft {
        let epoch = self.epoch(&flip.service);
        let by = Signed {
            epoch: &epoch.to_string(),
            operation: self.id(),
            said: &self.fence_mark(epoch),
        };
        patch::stay(&self.as_read(read), flip, by)
    }

    /// What `read` must be for a write to count: what it was, to the letter.
    pub(super) fn as_read<'a>(&self, read: &'a Service) -> Must<'a> {
        let of = (&read.uid, &read.resource_version);
        self.must(of, &read.marks, read.has_annotations)
    }

    /// The same of any object, by its uid and resourceVersion.
    pub(super) fn must<'a>(
        &self,
        (uid, version): (&'a Safe, &'a Safe),
        marks: &Labels,
        has_annotations: bool,
    ) -> Must<'a> {
        Must {
            uid,
            epoch: marks::epoch(marks),
            version,
            is_strict: true,
            has_annotations,
            is_careless: self.bastion.has(Planted::NoEpochTest),
        }
    }

    /// A fence of that epoch, unlike any before.
    fn fence_mark(&self, epoch: u64) -> String {
        format!("{epoch}/{}", self.bastion.clock.nonce())
    }

    /// What is there in place of what was expected, and who wrote it.
    fn stands(&self, flip: &Flip, read: &Service, otherwise: &str) -> Safe {
        if read.uid != flip.uid {
            return format!(
                "Service {} was deleted and made again: it is another object now",
                flip.service
            )
            .into();
        }
        let key = self.plan().map_or("", |p| p.key.as_str());
        let writer = read.selector_writer().map_or_else(String::new, |m| {
            let at = m.at.map_or_else(String::new, |at| format!(" at {at:.0}"));
            format!(", last written by {}{at}", m.name)
        });
        match read.selector == flip.from {
            true => format!(
                "{otherwise}: the selector is still {}",
                words(&read.selector)
            )
            .into(),
            false => {
                let differs = difference(&flip.from, &read.selector, key);
                format!(
                    "the selector is {} and not {}{writer} ({differs})",
                    words(&read.selector),
                    words(&flip.from)
                )
                .into()
            }
        }
    }

    /// The epoch of this operation's writes to `service`.
    pub(super) fn epoch(&self, service: &str) -> u64 {
        self.lock.epochs.get(service).copied().unwrap_or(0)
    }

    /// Whether somebody with a later epoch than this operation's wrote to `service`.
    pub(super) fn is_later(&self, service: &Service) -> bool {
        marks::epoch(&service.marks).is_some_and(|there| there > self.epoch(&service.name))
    }

    /// A rollback does not wait for a Lease, so another one may have come to the same epoch: it goes beyond what
    /// somebody else wrote there, as two workers are never of one. The patch tests what was read: one is first.
    fn claim(&mut self, read: &Service) {
        let there = marks::epoch(&read.marks);
        let is_theirs = there == Some(self.epoch(&read.name))
            && marks::operation(&read.marks).as_ref() != Some(self.id());
        if self.is_rollback() && is_theirs {
            let epoch = self.epoch(&read.name) + 1;
            self.lock.epochs.insert(read.name.clone(), epoch);
            // The first one may not be written yet.
            let said = self.beforehand.iter().find_map(|what| match what {
                What::Locked { credential, .. } => *credential,
                _ => None,
            });
            self.beforehand.push(What::Locked {
                epochs: self.lock.epochs.clone(),
                holder: self.bastion.person.holder.clone(),
                credential: said.or(self.kept.operation.credential),
            });
        }
    }

    /// Voids whatever was sent to `read` before and has not arrived: changes what it tests. Why it could not, if so.
    async fn fence_service(&mut self, read: &Service) -> Result<Option<Safe>, Ended> {
        let mut draft = Draft::of(&self.as_read(read));
        let epoch = self.epoch(&read.name);
        draft.test("/spec/selector", patch::selector(&read.selector));
        draft.mark(marks::EPOCH, &epoch.to_string());
        draft.mark(marks::FENCE, &self.fence_mark(epoch));
        let said = ("fence", json!(epoch));
        match self.send::<Service>(&read.name, draft, said).await? {
            Ok(_) => Ok(None),
            Err(Unwritten::Refused { fault, .. } | Unwritten::Unknown(fault)) => {
                self.pause().await?;
                Ok(Some(fault.what))
            }
        }
    }

    /// Writes the epoch on every Service and Deployment that the operation may touch: whoever held the
    /// Lease before writes into the void from here on (SAFETY, rule 5). What could not be written on, and why, if so.
    pub(super) async fn fence(&mut self) -> Result<Option<Safe>, Ended> {
        let names: Vec<Safe> = self.lock.epochs.keys().cloned().collect();
        let mut left = Vec::new();
        for name in names
            .iter()
            .filter(|name| marks::locked_deployment(name).is_none())
        {
            left.extend(self.fence_named(name).await?);
        }
        let mut scaled = Vec::new();
        left.extend(self.fence_deployments(&mut scaled).await?);
        left.extend(self.fence_autoscalers(&scaled).await?);
        let words: Vec<&str> = left.iter().map(Safe::as_str).collect();
        Ok((!words.is_empty()).then(|| words.join("; ").into()))
    }

    async fn fence_named(&mut self, name: &Safe) -> Result<Option<Safe>, Ended> {
        let mut why = Safe::from("the API server did not answer");
        for _ in 0..FENCES {
            let answer = self.bastion.timing.answer;
            match self.bastion.cluster.get::<Service>(name, answer).await {
                Ok(Some(read)) if self.is_later(&read) => {
                    return Err(Ended::Fenced("somebody with a later epoch".into()));
                }
                Ok(Some(read)) => {
                    self.claim(&read);
                    match self.fence_service(&read).await? {
                        None => return Ok(None),
                        Some(refused) => why = refused,
                    }
                }
                Ok(None) => return Ok(None),
                Err(fault) => {
                    why = fault.what;
                    self.pause().await?;
                }
            }
        }
        Ok(Some(format!("Service {name}: {why}").into()))
    }

    /// Those of the environment, which are put down in `scaled`.
    async fn fence_deployments(&mut self, scaled: &mut Vec<Safe>) -> Result<Vec<Safe>, Ended> {
        let epoch = self.highest_epoch();
        // Where it changes none, a worker before has none under way.
        let may_change = self
            .plan()
            .is_some_and(|plan| !plan.updates.is_empty() || !plan.rolls.is_empty());
        let mut left = Vec::new();
        let mut why = Safe::from("the API server did not answer");
        // Their status moves all the time, and with it what the fence tests where there was no epoch yet.
        for _ in 0..FENCES {
            let answer = self.bastion.timing.answer;
            let list = (self.bastion.cluster)
                .list::<Deployment>(&self.bastion.selector, answer)
                .await;
            let mut open = match list {
                Ok(list) => (list.into_iter())
                    .filter(|d| self.is_ours_to_deploy(d))
                    .collect::<Vec<_>>(),
                // Those that cannot be listed cannot be written by us either.
                Err(fault) if matches!(fault.kind, FaultKind::Forbidden | FaultKind::Missing) => {
                    left.extend(may_change.then(|| format!("Deployments: {}", fault.what).into()));
                    return Ok(left);
                }
                Err(fault) => {
                    why = fault.what;
                    self.pause().await?;
                    continue;
                }
            };
            *scaled = open.iter().map(|d| d.name.clone()).collect();
            open.retain(|d| marks::epoch(&d.marks).is_none_or(|there| there < epoch));
            if open.is_empty() {
                return Ok(left);
            }
            let (mut is_forbidden, mut is_done, mut is_away) = (true, true, false);
            for deployment in open {
                match self.fence_deployment(&deployment, epoch, false).await? {
                    Ok(_) => is_forbidden = false,
                    // Who only moved meanwhile is looked at again at once: the Lease is running.
                    Err(Unwritten::Refused {
                        status: 409 | 422,
                        fault,
                    }) => {
                        (is_done, is_forbidden) = (false, false);
                        why = fault.what;
                    }
                    Err(Unwritten::Refused {
                        status: 401 | 403,
                        fault,
                    }) => {
                        (is_done, is_away) = (false, true);
                        why = fault.what;
                    }
                    Err(Unwritten::Refused { fault, .. } | Unwritten::Unknown(fault)) => {
                        (is_done, is_forbidden, is_away) = (false, false, true);
                        why = fault.what;
                    }
                }
            }
            if is_done || (is_forbidden && !may_change) {
                return Ok(left);
            }
            if is_forbidden {
                break;
            }
            if is_away {
                self.pause().await?;
            }
        }
        left.push(format!("Deployments: {why}").into());
        Ok(left)
    }

    /// Writes the epoch on one Deployment as it was read; where it `is_strict`, only if nothing else was written since.
    pub(super) async fn fence_deployment(
        &mut self,
        read: &Deployment,
        epoch: u64,
        is_strict: bool,
    ) -> Result<Result<Deployment, Unwritten>, Ended> {
        let of = (&read.uid, &read.resource_version);
        let must = Must {
            is_strict,
            ..self.must(of, &read.marks, read.has_annotations)
        };
        let mut draft = Draft::of(&must);
        draft.mark(marks::EPOCH, &epoch.to_string());
        draft.mark(marks::FENCE, &self.fence_mark(epoch));
        let said = ("fence", json!(epoch));
        self.send(&read.name, draft, said).await
    }
}

impl Run {
    /// The epoch on the autoscalers of `deployments` too: a worker that was frozen would hold them for ever.
    async fn fence_autoscalers(&mut self, deployments: &[Safe]) -> Result<Option<Safe>, Ended> {
        let epoch = self.highest_epoch();
        let mut why = Safe::from("they move too fast");
        for _ in 0..FENCES {
            let answer = self.bastion.timing.answer;
            let list = self.bastion.cluster.list::<Autoscaler>("", answer).await;
            let mut open = match list {
                Ok(list) => list,
                // Whoever may not see them holds none; whether another did is not known here.
                Err(fault) if matches!(fault.kind, FaultKind::Forbidden | FaultKind::Missing) => {
                    return Ok(None);
                }
                Err(fault) => {
                    why = fault.what;
                    self.pause().await?;
                    continue;
                }
            };
            open.retain(|a| {
                deployments.contains(&a.target)
                    && marks::epoch(&a.marks).is_none_or(|there| there < epoch)
            });
            if open.is_empty() {
                return Ok(None);
            }
            let mut is_forbidden = true;
            for autoscaler in open {
                let of = (&autoscaler.uid, &autoscaler.resource_version);
                let must = self.must(of, &autoscaler.marks, autoscaler.has_annotations);
                let mut draft = Draft::of(&must);
                draft.mark(marks::EPOCH, &epoch.to_string());
                let said = ("fence", json!(epoch));
                match self
                    .send::<Autoscaler>(&autoscaler.name, draft, said)
                    .await?
                {
                    Ok(_) => is_forbidden = false,
                    Err(Unwritten::Refused { status, fault }) => {
                        is_forbidden &= status == 403;
                        why = fault.what;
                    }
                    Err(Unwritten::Unknown(fault)) => {
                        is_forbidden = false;
                        why = fault.what;
                    }
                }
            }
            // As with the Deployments: whoever may not has none to give back.
            if is_forbidden {
                return Ok(None);
            }
        }
        Ok(Some(format!("autoscalers: {why}").into()))
    }
}

fn is_denied(fault: &Fault) -> bool {
    matches!(fault.kind, FaultKind::Forbidden | FaultKind::LoginNeeded)
}

/// A Deployment whose pods `flip` would send traffic to, and that is to have none.
fn scaled_to_0<'a>(flip: &Flip, estate: &'a Estate) -> Option<&'a Safe> {
    let taking = |d: &&Deployment| d.desired == 0 && flip.to.selects(&d.template_labels);
    let mut all = estate.deployments.value.iter().filter(taking);
    all.next().map(|d| &d.name)
}

/// Why there is nothing to patch.
enum Look {
    /// It may not be done.
    No(Safe),
    /// It could not be looked.
    Away(Fault),
}

pub(super) fn passed(step: &Step, evidence: impl Into<Safe>) -> What {
    What::Passed {
        step: step.clone(),
        evidence: evidence.into(),
    }
}

pub(super) fn failed(step: &Step, reason: impl Into<Safe>) -> What {
    What::Failed {
        step: step.clone(),
        reason: reason.into(),
    }
}

/// JSON without spaces, as annotations hold it.
pub(super) fn text(value: Value) -> String {
    value.to_string()
}

/// `part=frontend version=blue`
pub(super) fn words(labels: &Labels) -> String {
    let pairs: Vec<String> = labels.iter().map(|(k, v)| format!("{k}={v}")).collect();
    match pairs.is_empty() {
        true => "empty".to_owned(),
        false => pairs.join(" "),
    }
}

/// What differs between two selectors: `version blue → green`, or every key that is another.
fn difference(from: &Labels, to: &Labels, key: &str) -> String {
    let keys: std::collections::BTreeSet<&Safe> =
        from.iter().chain(to.iter()).map(|(k, _)| k).collect();
    let mut words: Vec<String> = Vec::new();
    for name in keys {
        let of = |labels: &Labels| {
            labels
                .get(name)
                .map_or_else(|| "unset".to_owned(), Safe::to_string)
        };
        let (old, new) = (of(from), of(to));
        if old != new {
            words.push(format!("{name} {old} → {new}"));
        }
    }
    match words.is_empty() {
        true => format!("{key} as it was"),
        false => words.join(", "),
    }
}
