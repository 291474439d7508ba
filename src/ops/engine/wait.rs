//! Waiting for the world: that traffic moved, and what may take it elsewhere meanwhile.

use std::time::Duration;

use tokio::time::{Instant, sleep_until};

use super::flip::{failed, passed, words};
use super::{Ended, Run};
use crate::estate::{Estate, Kind, Labels, Safe, Seen, Service, Slice};
use crate::ops::entry::{Step, What};
use crate::ops::lock::Belief;
use crate::ops::plan::{Flip, Plan};
use crate::ops::{marks, reads};

/// How often the watch counts the time that passed. A gap of more than twice as long was not watched.
pub(super) const TICK: Duration = Duration::from_secs(1);

/// What a wait was woken by.
pub(super) enum Woken {
    Seen,
    Ticked,
    Late,
}

impl Run {
    /// Waits until the EndpointSlices of `service` say that traffic is at the colour of the step (rule 10).
    pub(super) async fn moved(&mut self, step: &Step, service: &Safe) -> Result<Vec<What>, Ended> {
        let Some(plan) = self.plan().cloned() else {
            return Ok(vec![failed(step, "there is no plan")]);
        };
        let is_back = matches!(step, Step::Return(_));
        let (colour, least) = match (is_back, &plan.from) {
            (true, Some(from)) => (from.clone(), 1),
            (true, None) => return Ok(vec![passed(step, "there was no single colour before")]),
            (false, _) => (
                plan.to.clone(),
                plan.least.get(service).copied().unwrap_or(1).max(1),
            ),
        };
        let moved = self.bastion.timing.moved;
        let (mut limit, mut reverted_at) = (Instant::now() + moved, None);
        loop {
            self.announce_freeze().await?;
            // Forward nobody is fought, and a person has the time to put it right (rule 11).
            if !is_back && let Some(why) = self.sees_put_elsewhere(&plan, &self.eyes.estate) {
                let since = *reverted_at.get_or_insert_with(Instant::now);
                if let Some(stopped) = self.put_elsewhere_for(step, &plan, why, since).await? {
                    return Ok(vec![stopped]);
                }
                self.wait(None).await?;
                continue;
            }
            if reverted_at.take().is_some() {
                // EndpointSlices follow a selector that was put right, as they follow a flip.
                limit = Instant::now() + moved;
                self.write(vec![What::Resumed]).await?;
            }
            // What the watches said last may be older than the flip: a read made now decides.
            let mut seen = standing(&self.eyes.estate, service, &colour, least);
            if seen.is_ok() {
                seen = match self.looked_again().await {
                    Some(now) => standing(&now, service, &colour, least),
                    None => Err("EndpointSlices could not be read".into()),
                };
            }
            let why = match seen {
                // The watch after it judges by the Service that is seen here: one from before the flip would
                // be called reverted.
                Ok(evidence) if is_back || self.sees_flip(&plan, service) => {
                    return Ok(vec![passed(step, evidence)]);
                }
                Ok(_) => "the flip was not seen on the Service yet".into(),
                Err(why) => why,
            };
            if !is_back && let Some(stopped) = self.stopped(step) {
                return Ok(vec![stopped]);
            }
            if let Woken::Late = self.wait(Some(limit)).await? {
                let seconds = self.bastion.timing.moved.as_secs();
                // A watch may be dead: who it was is read now.
                let now = reads::least(&self.bastion).await.ok();
                let put_elsewhere = now.and_then(|now| self.sees_put_elsewhere(&plan, &now));
                let why = put_elsewhere.filter(|_| !is_back).unwrap_or(why);
                return Ok(vec![failed(step, format!("not within {seconds} s: {why}"))]);
            }
        }
    }

    /// Who changed the selector of a Service that this operation has flipped, by what was seen of it since.
    fn sees_put_elsewhere(&self, plan: &Plan, estate: &Estate) -> Option<Safe> {
        let has_flipped = |flip: &&Flip| {
            let step = Step::Flip(flip.service.clone());
            let seen = estate.services.value.get(&flip.service);
            let is_ours =
                |seen: &Service| marks::operation(&seen.marks).as_ref() == Some(self.id());
            let is_gone = seen.is_none() && self.eyes.has_seen();
            self.kept.operation.has_passed(&step) && (is_gone || seen.is_some_and(is_ours))
        };
        let mut flipped = plan.flips.iter().filter(has_flipped);
        flipped.find_map(|flip| reverted(estate, flip))
    }

    /// Somebody did: it pauses and names who, and fails where nobody puts it right in time, or somebody aborts it. A
    /// rollback waits for nobody: whoever flips against it is named at once.
    async fn put_elsewhere_for(
        &mut self,
        step: &Step,
        plan: &Plan,
        why: Safe,
        since: Instant,
    ) -> Result<Option<What>, Ended> {
        if self.is_overtaken(plan) {
            return Err(Ended::Fenced("somebody with a later epoch".into()));
        }
        if self.is_rollback() || since.elapsed() >= self.bastion.timing.patience {
            return Ok(Some(failed(step, why)));
        }
        if self.kept.operation.paused.as_ref() != Some(&why) {
            self.write(vec![What::Paused { reason: why }]).await?;
        }
        Ok(self.stopped(step))
    }

    /// Whether the watched Service is one that this operation flipped, as far as it flips it.
    fn sees_flip(&self, plan: &Plan, service: &Safe) -> bool {
        let seen = self.eyes.estate.services.value.get(service);
        plan.flip(service).is_none()
            || seen.is_some_and(|seen| marks::operation(&seen.marks).as_ref() == Some(self.id()))
    }

    /// What the eyes saw, with EndpointSlices as they are now; none where they cannot be read.
    pub(super) async fn looked_again(&self) -> Option<Estate> {
        let answer = self.bastion.timing.answer;
        let (cluster, selector) = (&self.bastion.cluster, self.bastion.scope.slices());
        let slices = cluster.list::<Slice>(&selector, answer).await.ok()?;
        let mut estate = self.eyes.estate.clone();
        let kind = Kind::EndpointSlices;
        reads::tell(&self.bastion, &mut estate, kind, Seen::Slices, slices);
        Some(estate)
    }

    /// The result of a step during which somebody asked to abort.
    pub(super) fn stopped(&mut self, step: &Step) -> Option<What> {
        self.hear();
        let (by, why) = self.kept.operation.abort.as_ref()?;
        Some(failed(step, format!("aborted by {by}: {why}")))
    }

    /// The Services whose selector is not what this operation meant any more, and who did it (rule 11).
    pub(super) fn reverted(&self, plan: &Plan) -> Option<Safe> {
        let estate = &self.eyes.estate;
        plan.flips.iter().find_map(|flip| reverted(estate, flip))
    }

    /// Whether somebody with a later epoch wrote to a Service of `plan`, by what was seen.
    pub(super) fn is_overtaken(&self, plan: &Plan) -> bool {
        let services = &self.eyes.estate.services.value;
        let mut seen = (plan.flips.iter()).filter_map(|flip| services.get(&flip.service));
        seen.any(|service| self.is_later(service))
    }

    /// Waits for something to see or the next tick; ends with the Lease.
    pub(super) async fn wait(&mut self, limit: Option<Instant>) -> Result<Woken, Ended> {
        self.believe()?;
        self.boundary()?;
        let tick = Instant::now() + TICK;
        let until = limit.map_or(tick, |limit| limit.min(tick));
        let mut changes = self.lock.changes();
        // A rollback goes on without its Lease: that it is gone wakes it once, and not at every turn.
        let is_held = self.lock.belief() == Belief::Held;
        let woken = tokio::select! {
            () = self.eyes.next() => Woken::Seen,
            _ = changes.wait_for(|belief| *belief != Belief::Held), if is_held => Woken::Ticked,
            () = sleep_until(until) => match limit {
                Some(limit) if limit <= Instant::now() => Woken::Late,
                _ => Woken::Ticked,
            },
        };
        self.believe()?;
        Ok(woken)
    }
}

/// Whose hand it was, where the Service of `flip` is not as the flip left it.
pub(super) fn reverted(estate: &Estate, flip: &Flip) -> Option<Safe> {
    let Some(service) = estate.services.value.get(&flip.service) else {
        return Some(format!("Service {} was deleted", flip.service).into());
    };
    reverted_by(service, &flip.to)
}

/// Whose hand it was, where `service` does not select what was `meant`.
pub(super) fn reverted_by(service: &Service, meant: &Labels) -> Option<Safe> {
    if service.selector == *meant {
        return None;
    }
    let who = service.selector_writer().map_or_else(
        || "somebody".to_owned(),
        |m| match m.at {
            Some(at) => format!("{} at {at:.0}", m.name),
            None => m.name.to_string(),
        },
    );
    let is = words(&service.selector);
    Some(format!("REVERTED: {} selects {is}, by {who}", service.name).into())
}

/// Whether the slices of `service` serve `colour` alone, with at least so many ready endpoints.
fn standing(estate: &Estate, service: &Safe, colour: &Safe, least: u32) -> Result<Safe, Safe> {
    let Some(switch) = &estate.scope.traffic else {
        return Err("there is no switch".into());
    };
    let Some(place) = switch.colour(colour) else {
        return Err(format!("{colour} is no colour of the switch").into());
    };
    let views = estate.service_views();
    let Some(view) = views.iter().find(|view| view.name == service) else {
        return Err(format!("{service} is not of the switch").into());
    };
    let (ready, other, foreign) = (view.ready[place], view.serving[1 - place], view.foreign);
    let said = format!(
        "{ready} ready endpoints of {}, {other} still serving of {}, {foreign} of no colour",
        colour.to_uppercase(),
        switch.colours[1 - place].to_uppercase()
    );
    match ready >= least && other == 0 && foreign == 0 {
        true => Ok(said.into()),
        false => Err(format!("{said}; at least {least} and nothing else are wanted").into()),
    }
}

/// A Service of the plan whose colour has no ready endpoint left.
pub(super) fn starved(estate: &Estate, plan: &Plan) -> Option<Safe> {
    let switch = estate.scope.traffic.as_ref()?;
    let place = switch.colour(&plan.to)?;
    // Endpoints alone may be gone because somebody changed the selector, which is seen a moment later.
    let has_pods = |service: &crate::estate::Service| {
        let to = service.selector.with(&switch.key, &plan.to);
        let takes = |pod: &crate::estate::Pod| {
            pod.ready && pod.deleting.is_none() && to.selects(&pod.labels)
        };
        estate.pods.value.iter().any(takes)
    };
    let bare = |view: &crate::estate::ServiceView<'_>| {
        plan.least.contains_key(view.name)
            && view.service.is_some_and(|service| !has_pods(service))
            && view.ready[place] == 0
    };
    let views = estate.service_views();
    let view = views.iter().find(|view| bare(view))?;
    Some(
        format!(
            "{} has no ready endpoint of {} left",
            view.name,
            plan.to.to_uppercase()
        )
        .into(),
    )
}

/// A Service with fewer ready endpoints of its new colour than when traffic was moved.
pub(super) struct Thin {
    /// In words.
    pub(super) said: Safe,
    /// More lack than a node that is drained, or a pod that is put elsewhere, takes away.
    pub(super) is_grave: bool,
}

/// The worst of them, if there is one. What an autoscaler or somebody wants no more does not lack.
pub(super) fn thin(estate: &Estate, plan: &Plan) -> Option<Thin> {
    let switch = estate.scope.traffic.as_ref()?;
    let place = switch.colour(&plan.to)?;
    let of = |view: crate::estate::ServiceView<'_>| {
        let to = view.service?.selector.with(&switch.key, &plan.to);
        let behind = estate.deployments.value.iter();
        let behind = behind.filter(|d| to.selects(&d.template_labels));
        let wanted: u32 = behind.map(|d| d.desired).sum();
        let least = plan.least.get(view.name).copied()?;
        let least = if wanted > 0 { least.min(wanted) } else { least };
        let ready = view.ready[place];
        let lacking = least.saturating_sub(ready);
        (lacking > 0).then(|| Thin {
            said: format!(
                "{} has {ready} of {least} ready endpoints of {}",
                view.name,
                plan.to.to_uppercase()
            )
            .into(),
            is_grave: is_grave(lacking, least),
        })
    };
    let all = estate.service_views().into_iter().filter_map(of);
    all.max_by_key(|thin| thin.is_grave)
}

/// Whether more than half of them are gone: a node that is drained takes two of four with it.
fn is_grave(lacking: u32, least: u32) -> bool {
    lacking > least / 2
}

/// Seconds that an operation's watch had lasted, by the mark on its Lease.
pub(super) fn watched(lease: &crate::estate::Lease, operation: &str) -> u64 {
    let is_of = marks::operation(&lease.marks).is_some_and(|id| id.as_str() == operation);
    let seconds = lease
        .marks
        .get(marks::WATCHED)
        .and_then(|text| text.parse().ok());
    seconds.filter(|_| is_of).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::is_grave;

    #[test]
    fn i_5_a_node_that_is_drained_is_not_grave_and_more_than_half_that_are_gone_are() {
        for (lacking, least, expected) in [
            (1, 1, true),
            (1, 2, false),
            (2, 2, true),
            (1, 3, false),
            (2, 3, true),
            (2, 4, false),
            (3, 4, true),
            (5, 10, false),
            (6, 10, true),
        ] {
            assert_eq!(is_grave(lacking, least), expected, "{lacking} of {least}");
        }
    }
}
