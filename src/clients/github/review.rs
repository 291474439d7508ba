//! Reviews of deployments to GitHub's environments: what waits, what was decided, and a decision of one's own.

use serde_json::json;

use super::ask::{Got, Purpose};
use super::dispatch::Undispatched;
use super::{Answer, Github, Known, wire};
use crate::estate::Fault;
use crate::estate::review::{Decided, Pending, Review, Reviews};
use crate::estate::runs::Run;

/// What waits, behind a run's route, and what was decided.
const PENDING: &str = "/pending_deployments";
const HISTORY: &str = "/approvals";

impl Github {
    fn of_run(&self, id: u64, part: &str) -> String {
        self.path(&format!("actions/runs/{id}{part}"))
    }

    /// The environments that the run `id` waits for.
    ///
    /// # Errors
    /// What is wrong with the way, the token, the id or the answer.
    pub async fn pending(&self, id: u64, known: &mut Known) -> Result<Answer<Vec<Pending>>, Fault> {
        let path = self.of_run(id, PENDING);
        match self.ask(&path, Some(known)).await? {
            Got::Unchanged => Ok(Answer::Unchanged),
            Got::Body(body) => {
                let pending = wire::pending(&body.bytes).map_err(|e| self.unreadable(&e))?;
                known.keep(&path, body.etag);
                Ok(Answer::Changed(pending))
            }
        }
    }

    /// What was decided about the run `id`, in GitHub's order.
    ///
    /// # Errors
    /// As [`Github::pending`].
    pub async fn decided(&self, id: u64) -> Result<Vec<Decided>, Fault> {
        let path = self.of_run(id, HISTORY);
        let body = self.ask(&path, None).await?.body(self.host())?;
        wire::decided(&body.bytes).map_err(|e| self.unreadable(&e))
    }

    /// Has the environments that the run `id` waits for asked for in full again.
    pub fn forget_pending(&self, id: u64, known: &mut Known) {
        let path = self.of_run(id, PENDING);
        known.keep(&path, None);
    }

    /// The run `id` and all of its reviews now, for somebody who is about to decide: the last of the budget is for that.
    ///
    /// # Errors
    /// As [`Github::pending`].
    pub async fn reviews_now(&self, id: u64) -> Result<(Run, Reviews), Fault> {
        let of = async |part: &str| {
            let got = self
                .ask_as(Purpose::Asked, &self.of_run(id, part), None)
                .await?;
            got.body(self.host())
        };
        let unreadable = |e: serde_json::Error| self.unreadable(&e);
        let run = wire::run(&of("").await?.bytes).map_err(unreadable)?;
        let pending = wire::pending(&of(PENDING).await?.bytes);
        let decided = wire::decided(&of(HISTORY).await?.bytes);
        let reviews = Reviews {
            pending: pending.map_err(unreadable)?,
            decided: decided.map_err(unreadable)?,
            unseen: None,
        };
        Ok((run, reviews))
    }

    /// Decides, by one request.
    /// <https://docs.github.com/rest/actions/workflow-runs#review-pending-deployments-for-a-workflow-run>
    ///
    /// # Errors
    /// See [`Undispatched`].
    pub async fn review(&self, review: &Review) -> Result<(), Undispatched> {
        let path = self.of_run(review.run, PENDING);
        let body = json!({
            "environment_ids": [review.id],
            "state": review.word(),
            "comment": review.comment,
        });
        self.in_time(self.post(&path, Some(&body)))
            .await
            .map(|_| ())
    }
}
