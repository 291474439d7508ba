//! A run that a deploy started and that nobody wants any more, or waits for: cancelled once, and looked at until it has ended.
//!
//! GitHub takes a cancellation and does it later, or not at all where a job refuses to end: what it said is not what
//! came of it. Whatever the run left in the cluster takes no traffic, and the next deploy puts it right.

use serde_json::json;
use tokio::time::Instant;

use super::dispatch::{LOOKS, ended};
use super::{Ended, Run};
use crate::clients::github::{Github, Undispatched};
use crate::estate::Safe;
use crate::estate::runs::Progress;
use crate::ops::entry::What;
use crate::ops::machine::Operation;

/// What is written down before a run is cancelled.
fn intent(run: u64) -> Safe {
    format!("run {run} is to be cancelled at GitHub").into()
}

/// Whether somebody set about it.
pub(super) fn is_to_be_cancelled(operation: &Operation, run: u64) -> bool {
    operation.notes.contains(&intent(run))
}

impl Run {
    /// Cancels run `id`, however GitHub is reached; what came of it, to be noted.
    pub(super) async fn stop_run(&mut self, id: u64) -> Result<What, Ended> {
        match self.github().await {
            Ok(github) => self.cancel(id, &github).await,
            Err(why) => {
                self.write(vec![What::Noted { fact: intent(id) }]).await?;
                let fact = format!("run {id} goes on: cancel it at GitHub ({why})").into();
                Ok(What::Noted { fact })
            }
        }
    }

    /// Cancels run `id` if the operation is aborted; what came of it, to be noted. None where nobody asked to abort.
    pub(super) async fn cancelled(
        &mut self,
        id: u64,
        github: &Github,
    ) -> Result<Option<What>, Ended> {
        self.hear();
        match self.kept.operation.abort {
            Some(_) => self.cancel(id, github).await.map(Some),
            None => Ok(None),
        }
    }

    /// Cancels run `id`; what came of it, to be noted.
    pub(super) async fn cancel(&mut self, id: u64, github: &Github) -> Result<What, Ended> {
        let sent = match is_to_be_cancelled(&self.kept.operation, id) {
            // Whoever was here before may have sent it: it is looked at, and not sent again.
            true => Ok(()),
            false => {
                self.write(vec![What::Noted { fact: intent(id) }]).await?;
                self.believe()?;
                self.note("sent", json!({ "cancel": id }));
                github.cancel(id).await
            }
        };
        let (why, limit) = match sent {
            Ok(()) => {
                let limit = Instant::now() + self.bastion.timing.moved;
                (Safe::from("GitHub took it, and it did not end"), limit)
            }
            // It may be over, which is why it was refused: one look.
            Err(Undispatched::Refused(fault) | Undispatched::Unknown(fault)) => {
                (fault.what, Instant::now())
            }
        };
        let fact = match self.ended_by(id, github, limit).await? {
            Some(said) => said,
            None => format!("run {id} goes on: cancel it at GitHub ({why})").into(),
        };
        Ok(What::Noted { fact })
    }

    /// Cancels run `id` of `other`, which a rollback cut off: it would deploy on, where it can the very thing that was taken
    /// back. Nobody waits for what comes of it.
    pub(super) async fn cancel_of(&mut self, other: &Safe, id: u64) -> Safe {
        let answer = self.bastion.timing.answer;
        let asked = async {
            let github = self.github().await?;
            self.note("sent", json!({ "cancel": id }));
            let cancelled = github.cancel(id).await;
            cancelled
                .map_err(|(Undispatched::Refused(fault) | Undispatched::Unknown(fault))| fault.what)
        };
        match tokio::time::timeout(answer, asked).await {
            Ok(Ok(())) => {
                format!("run {id} of {other} is cancelled at GitHub: look there whether it ends")
            }
            Ok(Err(why)) => format!("run {id} of {other} goes on: cancel it at GitHub ({why})"),
            Err(_) => format!("run {id} of {other} goes on: cancel it at GitHub (no answer)"),
        }
        .into()
    }

    /// How run `id` ended, if it has by then.
    async fn ended_by(
        &mut self,
        id: u64,
        github: &Github,
        limit: Instant,
    ) -> Result<Option<Safe>, Ended> {
        let mut next = Instant::now();
        loop {
            let now = Instant::now();
            if next <= now || limit <= now {
                next = now + LOOKS;
                if let Ok(run) = github.run(id).await
                    && let Progress::Done(conclusion) = &run.progress
                {
                    let said = format!("run {id} ended {}: {}", ended(conclusion), run.url);
                    return Ok(Some(said.into()));
                }
            }
            if limit <= Instant::now() {
                return Ok(None);
            }
            self.wait(Some(limit)).await?;
        }
    }
}
