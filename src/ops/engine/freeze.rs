//! A freeze that comes while an operation runs: obeyed before the first flip, announced after it.
//!
//! Half of the Services at one colour and half at the other is worse than either (SAFETY, rule 10), and the way
//! back is not a freeze's to begin: whoever wants it aborts (I-32) or rolls back.

use super::{Ended, Run};
use crate::estate::{Estate, Safe, Standing};
use crate::ops::entry::{Step, What};
use crate::ops::plan::freeze::stopped;

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

    /// Why the first flip may not be sent.
    ///
    /// # Errors
    /// Whether it may could not be read.
    pub(super) fn frozen(&self, estate: &Estate) -> Result<Option<Safe>, Safe> {
        match self.has_flipped() {
            true => Ok(None),
            false => {
                let is_broken = self.break_glass().is_some();
                stopped(estate, is_broken, self.bastion.clock.now())
            }
        }
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
