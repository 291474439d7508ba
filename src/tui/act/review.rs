//! A review of a deployment at GitHub, carried out: a fresh look, one request, the read-back.

use std::time::Duration;

use super::{Acting, LIMIT};
use crate::app::Event;
use crate::clients::github::{Github, Undispatched};
use crate::estate::act::Outcome;
use crate::estate::review::{Review, Reviews};
use crate::estate::runs::RunsSeen;
use crate::estate::{Fault, FaultKind, Safe};
use crate::tui::clock;

/// How often it is looked at what became of a review, and the pause between.
const LOOKS: u32 = 5;
const BETWEEN: Duration = Duration::from_secs(2);

impl Acting {
    pub(super) async fn review(&self, review: &Review) -> Outcome {
        let Some(github) = self.order.repository.now() else {
            return Outcome::NotDone("GitHub is not connected: its panel says why".into());
        };
        let (attempt, before) = match self.reviews(&github, review).await {
            Ok(before) => before,
            Err(fault) => {
                let what = fault.what;
                let said = format!("GitHub does not answer, so nothing was sent: {what}");
                return Outcome::NotDone(Safe::new(&said));
            }
        };
        if attempt != review.attempt {
            let said =
                format!("attempt {attempt} of the run began meanwhile: look, and decide anew");
            return Outcome::NotDone(Safe::new(&said));
        }
        if before.pending(review.id).is_none() {
            return Outcome::NotDone(over(&before, review));
        }
        if let Err(outcome) = self.intend().await {
            return outcome;
        }
        let outcome = match github.review(review).await {
            Ok(()) => self.settled(&github, review, None).await,
            Err(Undispatched::Refused(fault)) => Outcome::NotDone(fault.what),
            Err(Undispatched::Unknown(fault)) => self.settled(&github, review, Some(fault)).await,
        };
        self.ended(outcome).await
    }

    /// The run's attempt, what it waits for now and what was decided: for us and for the screen.
    async fn reviews(&self, github: &Github, review: &Review) -> Result<(u32, Reviews), Fault> {
        let slow = |_| {
            Err(Fault {
                kind: FaultKind::Unreachable,
                what: Safe::new(&format!("no answer within {} s", LIMIT.as_secs())),
            })
        };
        let asking = tokio::time::timeout(LIMIT, github.reviews_now(review.run));
        let (run, reviews) = asking.await.unwrap_or_else(slow)?;
        let seen = RunsSeen::Reviews(review.run, reviews.clone());
        let _ = self.told.send(Event::Repository(clock::boot(), seen)).await;
        Ok((run.attempt, reviews))
    }

    /// What became of what was sent: by our own id in the history, and by what waits no more. `fault`: no answer came.
    async fn settled(&self, github: &Github, review: &Review, fault: Option<Fault>) -> Outcome {
        let mut said = match &fault {
            Some(fault) => format!("{}; nothing is sent again", fault.what),
            None => "accepted".to_owned(),
        };
        // GitHub's own words about it may lag.
        for look in 0..LOOKS {
            if look > 0 {
                tokio::time::sleep(BETWEEN).await;
            }
            let after = match self.reviews(github, review).await {
                Ok((_, after)) => after,
                Err(unread) => {
                    if fault.is_none() {
                        let what = unread.what;
                        said = format!("accepted, but it could not be read back: {what}");
                    }
                    continue;
                }
            };
            let is_ours = (after.decided.iter())
                .any(|it| it.comment.contains(&self.id) && it.word.as_str() == review.word());
            let waits = after.pending(review.id).is_some();
            match &fault {
                _ if is_ours => return self.done(review),
                None if !waits => return self.done(review),
                None => said = "accepted, but GitHub shows that it waits still".to_owned(),
                Some(fault) => {
                    let what = &fault.what;
                    said = format!("{what}; GitHub does not show it, nothing is sent again");
                }
            }
        }
        Outcome::Unknown(Safe::new(&said))
    }

    fn done(&self, review: &Review) -> Outcome {
        let (environment, word) = (&review.environment, review.word());
        let said = format!(
            "{environment} is {word} at GitHub; read back, act {}",
            self.id
        );
        Outcome::Done(Safe::new(&said))
    }
}

/// Why there is nothing to decide any more.
fn over(reviews: &Reviews, review: &Review) -> Safe {
    match reviews.decided(&review.environment) {
        Some(decided) => format!("it was decided meanwhile: {}", decided.words()).into(),
        None => "the run does not wait for it any more".into(),
    }
}
