//! The watch after a flip: that traffic stays where it was brought, and that nothing speaks against it there.
//!
//! A second counts only if it was really watched: the machine was awake, the feeds were current, monitoring
//! could be believed (I-25). What is not known holds and calls, and never moves traffic.

use std::time::Duration;

use tokio::time::Instant;

use super::flip::{failed, passed};
use super::verify::{End, Verified};
use super::wait::{TICK, starved, thin};
use super::{Ended, Run};
use crate::estate::{Moment, OnFailure, Safe};
use crate::ops::bastion::Planted;
use crate::ops::entry::{Step, What};
use crate::ops::lock::millis;
use crate::ops::machine::{HELD, UNSURE};
use crate::ops::plan::{Plan, Soaked, asks_nothing, restarted, soaked};

/// What lacks for so long is worth a word.
const TOLD: Duration = Duration::from_secs(5);

/// How far a soak has come.
struct Soak {
    /// Since when this worker watches: an answer from before says nothing of the colour under traffic.
    began: Moment,
    /// Milliseconds that were really watched, those of workers before included.
    watched: u64,
    /// Milliseconds behind the last sign of life of the API: they count when there is another, and else were blind.
    unproved: u64,
    last: Moment,
    reverted_at: Option<Instant>,
    /// EndpointSlices follow a selector that was put right, as they follow a flip.
    following: Option<Instant>,
    unsure_since: Option<Instant>,
    /// Fewer serve than did when traffic was moved; and so few that this is wrong when it lasts.
    thin_since: Option<Instant>,
    grave_since: Option<Instant>,
    is_thin_told: bool,
    /// Something went wrong, and a person is to decide.
    is_held: bool,
    /// It waits for monitoring, and said so.
    is_called: bool,
    /// What the questions at its end found.
    end: End,
}

impl Soak {
    /// Whether it would be long enough, if the API were there still.
    fn lacks_proof(&self, wanted: u64) -> bool {
        self.watched < wanted && self.watched + self.unproved >= wanted
    }
}

impl Run {
    /// Watches for as many seconds as the plan says.
    pub(super) async fn watch(&mut self) -> Result<Vec<What>, Ended> {
        let step = Step::Watch;
        let Some(plan) = self.plan().cloned() else {
            return Ok(vec![failed(&step, "there is no plan")]);
        };
        let mut soak = self.soak();
        loop {
            self.announce_freeze().await?;
            self.eyes.settle_gates();
            let seen = match self.eyes.unsettled() {
                Some(why) => Soaked::Unknown(why),
                None => soaked(&plan, &self.eyes.estate, self.bastion.clock.now()),
            };
            let is_due = matches!(seen, Soaked::Well(_)) && soak.end.is_due();
            let seen = soak.end.over(seen);
            let seen = self.thinned(&plan, &mut soak, seen).await?;
            self.count(&mut soak, matches!(seen, Soaked::Well(_)));
            let seen = self.answered(&plan, &soak, seen);
            let is_known = matches!(seen, Soaked::Well(_));
            if let Some(why) = self.moved_away(&plan, &mut soak).await? {
                return Ok(vec![failed(&step, why)]);
            }
            let mut wrong = self.serves_nobody(&plan, &mut soak).await;
            if wrong.is_none() {
                wrong = self.stays_grave(&plan, &soak).await;
            }
            if wrong.is_none() && self.eyes.has_seen() {
                wrong = restarted(&plan, &self.eyes.estate);
            }
            let said = match seen {
                Soaked::Well(said) => said,
                Soaked::Waiting(why) => self.unsure(&plan, &mut soak, why, true).await?,
                Soaked::Unknown(why) => self.unsure(&plan, &mut soak, why, false).await?,
                Soaked::Bad(why) => {
                    wrong.get_or_insert(why.clone());
                    why
                }
            };
            match (wrong, plan.soak.on_failure) {
                (Some(why), OnFailure::Return) => return Ok(vec![failed(&step, why)]),
                (Some(why), OnFailure::Hold) => self.hold_still(&mut soak, &why).await?,
                (None, _) if is_known => self.go_on_watching(&mut soak).await?,
                (None, _) => {}
            }
            if let Some(stopped) = self.stopped(&step) {
                return Ok(vec![stopped]);
            }
            if soak.lacks_proof(1_000 * plan.soak.watch_s) {
                self.eyes.prove().await;
                self.count(&mut soak, is_known);
            }
            if soak.watched >= 1_000 * plan.soak.watch_s && (is_due || self.is_well(&plan, &soak)) {
                let seconds = soak.watched / 1_000;
                if let End::Well(verified) = &soak.end {
                    let words = format!("watched for {seconds} s: it stayed; {said}{verified}");
                    return Ok(vec![passed(&step, words)]);
                }
                let verified = self.verified(&step, &plan, soak.end.why()).await?;
                soak.end = match (verified, plan.soak.on_failure) {
                    (Verified::Ended(result), _) => return Ok(vec![result]),
                    (Verified::No(why), OnFailure::Return) => return Ok(vec![failed(&step, why)]),
                    (Verified::No(why), OnFailure::Hold) => {
                        self.hold_still(&mut soak, &why).await?;
                        End::Open
                    }
                    (Verified::Unknown(why), _) => End::unknown(why),
                    (Verified::Well(words), _) => End::Well(words),
                };
                // What came meanwhile is looked at before it ends well.
                continue;
            }
            self.wait(None).await?;
        }
    }

    fn soak(&self) -> Soak {
        let now = self.bastion.clock.boot();
        let paused = self.kept.operation.paused.as_ref();
        Soak {
            began: now,
            watched: 1_000 * *self.watched.borrow(),
            unproved: 0,
            last: now,
            reverted_at: None,
            following: None,
            unsure_since: None,
            thin_since: None,
            grave_since: None,
            is_thin_told: false,
            is_held: paused.is_some_and(|why| why.starts_with(HELD)),
            is_called: paused.is_some_and(|why| !why.starts_with(HELD)),
            end: End::Open,
        }
    }

    /// Counts the time since the last look, if it was watched.
    fn count(&mut self, soak: &mut Soak, is_known: bool) {
        let now = self.bastion.clock.boot();
        let passed_ms = now.since(soak.last);
        soak.last = now;
        let is_disturbed = soak.reverted_at.is_some() || soak.is_held;
        // A machine that slept or a feed that is stale watched nothing: such time does not count (I-25).
        let is_watched = passed_ms <= 2 * millis(TICK) && is_known && !is_disturbed;
        if self.bastion.has(Planted::SoakByWallClock) && !is_disturbed {
            soak.watched += passed_ms;
        } else if !self.eyes.is_current() {
            soak.unproved = 0;
        } else {
            if is_watched {
                soak.unproved += passed_ms;
            }
            let proved = soak.unproved.saturating_sub(self.eyes.silence());
            soak.unproved -= proved;
            soak.watched += proved;
        }
        self.watched.send_replace(soak.watched / 1_000);
    }

    /// Somebody else changed a selector (rule 11): it pauses, and is told why it failed when nobody puts it right.
    async fn moved_away(&mut self, plan: &Plan, soak: &mut Soak) -> Result<Option<Safe>, Ended> {
        // Missing is not empty: who took it over has seen nothing yet.
        if !self.eyes.has_seen() {
            return Ok(None);
        }
        if let Some(why) = self.reverted(plan) {
            // A later epoch is whoever took over or rolled back, and no stranger's hand.
            if self.is_overtaken(plan) {
                return Err(Ended::Fenced("somebody with a later epoch".into()));
            }
            let since = *soak.reverted_at.get_or_insert_with(Instant::now);
            let said = self.kept.operation.paused.as_ref();
            if said != Some(&why) && !soak.is_held {
                let reason = why.clone();
                self.write(vec![What::Paused { reason }]).await?;
            }
            let is_over = since.elapsed() >= self.bastion.timing.patience;
            return Ok(is_over.then_some(why));
        }
        if soak.reverted_at.take().is_some() {
            soak.following = Some(Instant::now() + self.bastion.timing.moved);
            if !soak.is_held {
                soak.is_called = false;
                self.write(vec![What::Resumed]).await?;
            }
        }
        Ok(None)
    }

    /// The colour has no ready endpoint left, which a read made now confirms.
    async fn serves_nobody(&self, plan: &Plan, soak: &mut Soak) -> Option<Safe> {
        let Some(why) = starved(&self.eyes.estate, plan) else {
            soak.following = None;
            return None;
        };
        if !self.eyes.has_seen() || soak.reverted_at.is_some() {
            return None;
        }
        let is_settled = soak.following.is_none_or(|until| until <= Instant::now());
        let now = self.looked_again().await;
        let is_so = is_settled && now.is_some_and(|now| starved(&now, plan).is_some());
        is_so.then_some(why)
    }

    /// Where fewer serve than did when traffic was moved no second counts, and that is told once.
    async fn thinned(
        &mut self,
        plan: &Plan,
        soak: &mut Soak,
        seen: Soaked,
    ) -> Result<Soaked, Ended> {
        let is_seen = self.eyes.has_seen() && soak.reverted_at.is_none();
        let Some(thin) = thin(&self.eyes.estate, plan).filter(|_| is_seen) else {
            (soak.thin_since, soak.grave_since) = (None, None);
            return Ok(seen);
        };
        let now = Instant::now();
        soak.grave_since = (thin.is_grave).then(|| soak.grave_since.unwrap_or(now));
        let since = *soak.thin_since.get_or_insert(now);
        if since.elapsed() >= TOLD && !soak.is_thin_told {
            soak.is_thin_told = true;
            let fact = format!("no second counts: {}", thin.said).into();
            self.write(vec![What::Noted { fact }]).await?;
        }
        Ok(match seen {
            Soaked::Well(_) => Soaked::Waiting(thin.said),
            seen => seen,
        })
    }

    /// Too few to bear what is live for as long as traffic may take to move, which a read made now confirms.
    async fn stays_grave(&mut self, plan: &Plan, soak: &Soak) -> Option<Safe> {
        let lasts = self.bastion.timing.moved;
        let since = soak.grave_since.filter(|since| since.elapsed() >= lasts)?;
        let now = thin(&self.looked_again().await?, plan).filter(|thin| thin.is_grave)?;
        let seconds = since.elapsed().as_secs();
        Some(format!("{}, for {seconds} s", now.said).into())
    }

    /// It is not known whether all is well: beyond its limit that pauses and calls, and moves nothing.
    async fn unsure(
        &mut self,
        plan: &Plan,
        soak: &mut Soak,
        why: Safe,
        is_waiting: bool,
    ) -> Result<Safe, Ended> {
        let since = *soak.unsure_since.get_or_insert_with(Instant::now);
        let monitoring = self.bastion.monitoring.as_ref();
        let limit = match (is_waiting, monitoring) {
            // Traffic comes when it comes; but not for ever.
            (true, _) => self.bastion.timing.patience,
            (false, Some(it)) => Duration::from_secs(it.scope.gates.unknown_s),
            (false, None) => Duration::ZERO,
        };
        if since.elapsed() >= limit && self.kept.operation.paused.is_none() {
            soak.is_called = true;
            let to = Plan::colour_in_words(&plan.to);
            let seconds = since.elapsed().as_secs();
            let reason = format!(
                "{UNSURE}for {seconds} s, {why}: traffic stays on {to} and no second counts until that is known; or abort it, or roll back"
            );
            self.write(vec![What::Paused {
                reason: reason.into(),
            }])
            .await?;
        }
        Ok(why)
    }

    /// Something is wrong, and traffic stays all the same: a person decides (I-34).
    async fn hold_still(&mut self, soak: &mut Soak, why: &Safe) -> Result<(), Ended> {
        if soak.is_held {
            return Ok(());
        }
        (soak.is_held, soak.is_called) = (true, false);
        let reason = format!(
            "{HELD}{why}; traffic stays until a person decides: abort, roll back, or abandon"
        );
        self.write(vec![What::Paused {
            reason: reason.into(),
        }])
        .await
    }

    /// Nothing is wrong: a pause for want of knowledge ends with that.
    async fn go_on_watching(&mut self, soak: &mut Soak) -> Result<(), Ended> {
        soak.unsure_since = None;
        if soak.is_called && soak.reverted_at.is_none() && self.eyes.has_seen() {
            soak.is_called = false;
            self.write(vec![What::Resumed]).await?;
        }
        Ok(())
    }

    /// What is seen once all is watched: monitoring that was passed over by an override and has not answered since is no proof
    /// that all is well, and nobody waits for it unawares.
    fn answered(&self, plan: &Plan, soak: &Soak, seen: Soaked) -> Soaked {
        let is_over = soak.watched >= 1_000 * plan.soak.watch_s;
        match seen {
            Soaked::Well(_) if is_over && !self.has_answered(plan, soak) => {
                Soaked::Unknown("monitoring has not answered since it is watched".into())
            }
            seen => seen,
        }
    }

    /// Whether monitoring answered since the flip, where anything of it is a gate.
    fn has_answered(&self, plan: &Plan, soak: &Soak) -> bool {
        let alerts = self.eyes.estate.alerts.as_ref();
        alerts.is_none_or(|alerts| {
            let is_heard = alerts.rules.seen.is_some_and(|seen| seen >= soak.began);
            is_heard || asks_nothing(plan, alerts)
        })
    }

    /// Whether it may end well now: monitoring was heard, and nothing is paused.
    fn is_well(&self, plan: &Plan, soak: &Soak) -> bool {
        let is_quiet = soak.unsure_since.is_none() && soak.reverted_at.is_none();
        self.has_answered(plan, soak) && is_quiet && !soak.is_held && !soak.is_called
    }
}
