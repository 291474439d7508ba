//! A freeze that comes while an operation runs: obeyed before the first flip, announced after it.
//!
//! Half of the Services at one colour and half at the other is worse than either (SAFETY, rule 10), and the way
//! back is not a freeze's to begin: whoever wants it aborts (I-32) or rolls back.

use super::flip::failed;
use super::{Ended, Run};
use crate::estate::{Estate, Safe, Standing};
use crate::ops::entry::{Step, What};
use crate::ops::plan::freeze::stopped;
use crate::ops::plan::{Gate, Plan, open_in_place};
use crate::ops::{monitoring, policy, reads};

/// How often a policy is read that does not answer.
const LOOKS: u32 = 5;

impl Run {
    /// Whether any Service was flipped forward.
    pub(super) fn has_flipped(&self) -> bool {
        let operation = &self.kept.operation;
        let mut states = operation.states.keys();
        states.any(|step| matches!(step, Step::Flip(_)) && operation.has_passed(step))
    }

    /// The reason for which the glass was broken, if it was.
    pub(super) fn break_glass(&self) -> Option<Safe> {
        let glass = self.kept.operation.glass.as_ref();
        glass.map(|glass| glass.reason.clone())
    }

    /// The gates of the plan, where the glass was broken for one of them.
    fn glass_gates(&self) -> Option<&[Gate]> {
        let plan = self.plan().filter(|_| self.break_glass().is_some())?;
        Some(&plan.gates)
    }

    /// Why the first flip may not be sent.
    ///
    /// # Errors
    /// Whether it may could not be read.
    pub(super) fn frozen(&self, estate: &Estate) -> Result<Option<Safe>, Safe> {
        match self.has_flipped() {
            true => Ok(None),
            false => stopped(estate, self.glass_gates(), self.bastion.clock.now()),
        }
    }

    /// Why a step that changes Deployments may not be done by whoever took the operation over: the freeze came while nobody
    /// carried it out, or, where there is no flip behind it, a gate closed. Where what takes traffic was changed in part already, it
    /// goes on, as after a flip.
    pub(super) async fn frozen_meanwhile(&mut self, step: &Step) -> Result<Option<What>, Ended> {
        let changes = |step: &Step| matches!(step, Step::Update(_) | Step::Run | Step::Dispatch);
        let operation = &self.kept.operation;
        let is_half = self.plan().is_some_and(Plan::is_in_place)
            && (operation.states.keys()).any(|step| changes(step) && operation.has_passed(step));
        if !self.kept.is_resumed()
            || !changes(step)
            || self.is_rollback()
            || self.joined.is_some()
            || is_half
        {
            return Ok(None);
        }
        let mut why = Safe::from("the policy could not be read");
        for _ in 0..LOOKS {
            let mut estate = Estate::new(self.bastion.scope.clone(), None);
            let read = policy::read(&self.bastion).await;
            policy::put(&self.bastion, &mut estate, read).await;
            match stopped(&estate, self.glass_gates(), self.bastion.clock.now()) {
                Ok(None) => match self.closed_in_place().await {
                    Ok(closed) => return Ok(closed.map(|why| failed(step, why))),
                    Err(unread) => why = unread,
                },
                Ok(Some(why)) => return Ok(Some(failed(step, why))),
                Err(unread) => why = unread,
            }
            self.pause().await?;
        }
        Ok(Some(failed(step, why)))
    }

    /// Why what changes the Deployments that take traffic may not begin any more; none where it may, or where traffic is
    /// moved by a flip, which is asked by itself.
    async fn closed_in_place(&self) -> Result<Option<Safe>, Safe> {
        let Some(plan) = self.plan().filter(|plan| plan.is_in_place()) else {
            return Ok(None);
        };
        let estate = reads::for_plan(&self.bastion, plan.kind).await;
        let mut estate = estate.map_err(|fault| fault.what)?;
        monitoring::look(&self.bastion, &mut estate, &plan.to).await;
        Ok(open_in_place(plan, &estate, self.bastion.clock.now()).err())
    }

    /// Tells once, in the record, of a freeze that came when traffic had moved.
    pub(super) async fn announce_freeze(&mut self) -> Result<(), Ended> {
        if self.is_rollback() || !self.has_flipped() || self.break_glass().is_some() {
            return Ok(());
        }
        let standing = self.eyes.estate.standing(self.bastion.clock.now());
        let Standing::Frozen(freeze) = standing else {
            return Ok(());
        };
        let said = "traffic had moved already, so this goes on to its end; abort it to go back";
        let fact: Safe = format!("{}: {said}", freeze.words()).into();
        match self.kept.operation.notes.contains(&fact) {
            true => Ok(()),
            false => self.write(vec![What::Noted { fact }]).await,
        }
    }
}
