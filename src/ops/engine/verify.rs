//! What is asked when a soak is over, through whatever leads to the live colour: addresses and programs of the user's.
//!
//! An answer that is wrong is a soak that failed. No answer is UNKNOWN: the way from here may be what is broken, so it
//! holds, calls and asks again, and moves nothing. While pods come and go nothing is proved, and it is asked anew (I-28).

use std::time::Duration;

use tokio::time::Instant;

use super::program::Ran;
use super::smoke::{Tried, judged, tested};
use super::{Ended, Run};
use crate::clients::http;
use crate::estate::Safe;
use crate::ops::entry::{Step, What};
use crate::ops::plan::{Fetch, Plan, Probe, Soaked};

/// Between two tries at what gave no answer.
const AGAIN: Duration = Duration::from_secs(5);

/// What the questions at the end of a soak found so far.
#[derive(Debug)]
pub(super) enum End {
    /// They were not asked yet.
    Open,
    /// It is not known, why, and from when on they are asked again.
    Unknown(Safe, Instant),
    /// All is as it should be, in words.
    Well(String),
}

impl End {
    pub(super) fn unknown(why: Safe) -> Self {
        Self::Unknown(why, Instant::now() + AGAIN)
    }

    /// Why it is not known.
    pub(super) fn why(&self) -> Option<&Safe> {
        match self {
            Self::Unknown(why, _) => Some(why),
            Self::Open | Self::Well(_) => None,
        }
    }

    /// Whether what was not known is to be asked again.
    pub(super) fn is_due(&self) -> bool {
        matches!(self, Self::Unknown(_, next) if *next <= Instant::now())
    }

    /// What was seen, as far as this does not say otherwise.
    pub(super) fn over(&self, seen: Soaked) -> Soaked {
        match (self, seen) {
            (Self::Unknown(why, _), Soaked::Well(_)) => Soaked::Unknown(why.clone()),
            (_, seen) => seen,
        }
    }
}

/// What one round of the questions found.
pub(super) enum Verified {
    /// All is as it should be, in words; nothing where nothing is asked.
    Well(String),
    /// Something is not.
    No(Safe),
    /// It is not known.
    Unknown(Safe),
    /// Somebody wants it stopped.
    Ended(What),
}

/// Why an address did not say what it should.
pub(super) enum Unfetched {
    /// It answered something else.
    Wrong(Safe),
    /// It did not answer.
    Silent(Safe),
}

impl Unfetched {
    pub(super) fn words(self) -> Safe {
        match self {
            Self::Wrong(why) | Self::Silent(why) => why,
        }
    }
}

impl Run {
    /// Asks all of it, once; `known` is why nothing was known when it was asked last.
    pub(super) async fn verified(
        &mut self,
        step: &Step,
        plan: &Plan,
        known: Option<&Safe>,
    ) -> Result<Verified, Ended> {
        let probes: Vec<&Probe> = plan.probes.iter().filter(|p| p.is_after()).collect();
        if probes.is_empty() {
            return Ok(Verified::Well(String::new()));
        }
        // A record tells nobody what to run, or where to ask.
        if plan.probes != self.bastion.probes {
            let said = "what is asked at the end of its soak is not what is configured here: whoever began it goes on";
            return Ok(Verified::Unknown(said.into()));
        }
        let Ok(before) = self.looked(step).await? else {
            return Ok(Verified::Unknown("the pods could not be read".into()));
        };
        let mut tried = Tried::default();
        for probe in &probes {
            match probe {
                Probe::Ask(_) => {}
                Probe::Fetch(fetch) => match self.fetched(fetch).await {
                    Ok(()) => {}
                    Err(Unfetched::Wrong(why)) => return Ok(Verified::No(why)),
                    Err(Unfetched::Silent(why)) => return Ok(Verified::Unknown(why)),
                },
                Probe::Run(trial) => {
                    let ended = self.trial(step, plan, trial, &before, &mut tried).await?;
                    // One that is lost is asked again and again: what it says is told once.
                    if let Ran::Lost(What::Failed { reason, .. }) = &ended
                        && known == Some(reason)
                    {
                        tried.notes.clear();
                    }
                    if !tried.notes.is_empty() {
                        let notes = std::mem::take(&mut tried.notes);
                        self.write(notes).await?;
                    }
                    let is_aborted = self.kept.operation.abort.is_some();
                    return Ok(match ended {
                        Ran::Well => continue,
                        Ran::Not(What::Failed { reason, .. }) if !is_aborted => {
                            Verified::No(reason)
                        }
                        // It said nothing of the colour: what is broken may be this machine.
                        Ran::Lost(What::Failed { reason, .. }) if !is_aborted => {
                            Verified::Unknown(reason)
                        }
                        Ran::Not(result) | Ran::Lost(result) => Verified::Ended(result),
                    });
                }
            }
        }
        let Ok(after) = self.looked(step).await? else {
            return Ok(Verified::Unknown("the pods could not be read".into()));
        };
        if tested(plan, &before) != tested(plan, &after) {
            let said =
                "the pods changed while it was verified: what was asked is not what is there now";
            return Ok(Verified::Unknown(said.into()));
        }
        Ok(Verified::Well(format!(
            "; verified by {}",
            many(probes.len())
        )))
    }

    /// Gets an address and looks at its answer.
    pub(super) async fn fetched(&self, fetch: &Fetch) -> Result<(), Unfetched> {
        let url = self.filled(&fetch.url);
        let within = Duration::from_millis(u64::from(fetch.within_ms));
        let said = http::page(&url, within + self.bastion.timing.answer).await;
        let (said, is_whole) =
            said.map_err(|fault| Unfetched::Silent(format!("GET {url}: {}", fault.what).into()))?;
        let wanted = fetch
            .contains
            .iter()
            .map(|text| self.filled(text).to_string());
        let limits = (fetch.status, fetch.within_ms);
        judged(&said, limits, wanted).map_err(|why| {
            let why: Safe = format!("GET {url}: {why}").into();
            // What is missing at its beginning may stand behind it; another status and a late answer are what they are.
            let lacks_words = said.status == fetch.status && said.took <= within;
            match is_whole || !lacks_words {
                true => Unfetched::Wrong(why),
                false => Unfetched::Silent(format!("{why}, of which 1 MiB was read").into()),
            }
        })
    }
}

fn many(questions: usize) -> String {
    match questions {
        1 => "1 question".to_owned(),
        n => format!("{n} questions"),
    }
}
