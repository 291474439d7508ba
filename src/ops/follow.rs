//! The clean-up that follows a release or a cutover, when the colour that traffic left is kept no longer: an operation
//! of its own, with a plan, a record and Leases of its own, after all that any clean-up asks.
//!
//! Whoever waits for it holds nothing meanwhile, and an annotation on the first Service of the switch says who that is.
//! Anything that comes between ends the waiting: another operation, other templates of that colour, somebody who
//! scaled it to 0. Who gives up takes that annotation back. A process that is killed cleans nothing up and leaves it: it says
//! who waited until the colour is kept no longer, and nothing after that.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::Timestamp;
use serde_json::json;
use tokio::sync::watch;
use tokio::time::{Instant, sleep_until};

use super::after::{CLEANUP, Follower, newer};
use super::bastion::Bastion;
use super::engine::{self, Ended};
use super::entry::OperationKind;
use super::eyes::Eyes;
use super::marks;
use super::patch::{Draft as Patch, Must};
use super::plan::Request;
use super::policy::words;
use super::warm::{Warmth, last_operation, warmth};
use crate::estate::gates::Draining;
use crate::estate::{Estate, Kind, Now, Safe, Service};

/// The longest between two looks: a machine that slept does not oversleep.
const LOOKS: Duration = Duration::from_secs(30);
/// An API server that answers nothing for so long is not waited for: nobody would know why the pods went then.
const SILENCE_MS: u64 = 3_600_000;
/// A colour that still serves, or of which that is not known, is not waited for any longer (I-18): it is left to a person.
const DRAINS: Duration = Duration::from_secs(3_600);
/// Between two questions whether it still serves.
const DRAIN_LOOKS: Duration = Duration::from_secs(10);
/// After a refusal, such as endpoints that still drain, or a freeze; the longest after many.
const RETRY: [Duration; 2] = [Duration::from_secs(2), Duration::from_secs(60)];

/// What came of the waiting.
#[derive(Debug)]
pub enum Followed {
    /// An operation of its own.
    Cleaned(Ended),
    /// None; why.
    Not(Safe),
}

/// What is to be done at a moment.
#[derive(Debug, PartialEq)]
enum Due {
    Now,
    /// The colour is kept.
    Kept,
    /// Not all is known.
    Later,
    /// Never; why.
    Never(Safe),
}

/// Waits until the colour that operation `after` moved traffic away from is kept no longer, and cleans it up. `stop` ends
/// the waiting, and asks the operation to end at its next step.
pub async fn clean_up(bastion: &Bastion, after: &Safe, stop: watch::Receiver<bool>) -> Followed {
    let followed = wait(bastion, after, stop).await;
    if let Followed::Not(_) = followed {
        mark(bastion, after, &Says::Nothing).await;
    }
    followed
}

async fn wait(bastion: &Bastion, after: &Safe, stop: watch::Receiver<bool>) -> Followed {
    let mut eyes = Eyes::open(bastion);
    let (mut found, mut not_before) = (None, Instant::now());
    let (mut is_said, mut rest) = (false, RETRY[0]);
    let (mut drained, mut is_drain_said) = (None, false);
    let (began, mut asked) = (bastion.clock.boot(), stop.clone());
    loop {
        if *stop.borrow() {
            return Followed::Not("the worker was asked to end".into());
        }
        let now = bastion.clock.now();
        let answered = eyes.estate.cluster.answered.unwrap_or(began);
        if now.at.since(answered) > SILENCE_MS {
            return Followed::Not("the API server has not answered for an hour".into());
        }
        match due(&eyes.estate, after, &mut found, now) {
            Due::Never(why) => return Followed::Not(why),
            Due::Later | Due::Kept if !is_said && eyes.has_seen() => {
                is_said = mark(bastion, after, &Says::Waits(None)).await;
            }
            Due::Now if not_before <= Instant::now() => {
                match begin(bastion, &eyes.estate, after, stop.clone()).await {
                    Ok(ended) => return Followed::Cleaned(ended),
                    Err(Unready::Refused(why)) => {
                        tracing::info!(%why, "the clean-up that follows is refused for now");
                    }
                    Err(Unready::Drains(why)) => {
                        let until = *drained.get_or_insert_with(|| Instant::now() + DRAINS);
                        if until <= Instant::now() {
                            let said =
                                format!("{why}, for an hour: whether it goes is a person's to say");
                            return Followed::Not(said.into());
                        }
                        if !is_drain_said {
                            let until = bastion.clock.wall().checked_add(DRAINS).ok();
                            is_drain_said = mark(bastion, after, &Says::Waits(until)).await;
                        }
                    }
                }
                let longest = match drained {
                    Some(_) => DRAIN_LOOKS,
                    None => RETRY[1],
                };
                not_before = Instant::now() + rest.min(longest);
                rest = RETRY[1].min(2 * rest);
            }
            // The hour is of one wait for that.
            Due::Kept => (drained, is_drain_said) = (None, false),
            Due::Later | Due::Now => {}
        }
        let next = Instant::now() + LOOKS.min(soon(&eyes.estate, now)).min(rest);
        tokio::select! {
            () = eyes.next() => {}
            () = sleep_until(next) => {}
            _ = asked.changed() => {}
        }
    }
}

/// How long until the colour is kept no longer, as far as that is known.
fn soon(estate: &Estate, now: Now) -> Duration {
    let told = estate.told_time(now);
    let end = match warmth(estate, told) {
        Some(Warmth::Kept(Some(end), _)) => end,
        _ => return LOOKS,
    };
    let left = told.map(|told| end.duration_since(told));
    let left = left.and_then(|left| Duration::try_from(left).ok());
    left.unwrap_or(LOOKS).max(Duration::from_millis(100))
}

/// `found` is what ran there when it was first seen, by Deployment.
fn due(estate: &Estate, after: &Safe, found: &mut Option<BTreeMap<Safe, Safe>>, now: Now) -> Due {
    let kinds = [Kind::Services, Kind::Deployments, Kind::Records];
    if !kinds.iter().all(|kind| estate.is_listed(*kind)) {
        return Due::Later;
    }
    let (Some(switch), Some(live)) = (&estate.scope.traffic, estate.live_colour()) else {
        return Due::Never("the Services do not agree on one colour any more".into());
    };
    if last_operation(estate).as_ref() != Some(after) {
        return Due::Never("traffic was moved since".into());
    }
    if let Some(newer) = newer(estate, after) {
        return Due::Never(format!("{newer} came since: whoever runs that decides").into());
    }
    let all: Vec<_> = (estate.deployments_in(Some(1 - live)))
        .map(|(_, deployment)| deployment)
        .collect();
    let word = switch.colours[1 - live].to_uppercase();
    if all.iter().all(|deployment| deployment.desired == 0) {
        return Due::Never(format!("{word} is at 0 already").into());
    }
    let there: BTreeMap<Safe, Safe> = (all.iter())
        .map(|it| (it.name.clone(), it.revision.clone().unwrap_or_default()))
        .collect();
    if *found.get_or_insert_with(|| there.clone()) != there {
        return Due::Never(format!("{word} was deployed to since").into());
    }
    match warmth(estate, estate.told_time(now)) {
        Some(Warmth::Free(..)) => Due::Now,
        Some(Warmth::Kept(..)) => Due::Kept,
        Some(Warmth::Unknown(_)) | None => Due::Later,
    }
}

/// Why it is not begun yet.
enum Unready {
    /// A check refuses it, or it cannot be known.
    Refused(Safe),
    /// Requests still go there, or whether they do is not known (I-18).
    Drains(Safe),
}

impl From<Safe> for Unready {
    fn from(why: Safe) -> Self {
        Self::Refused(why)
    }
}

/// Why it is too early to scale the colour down, by the query of the requests that go there, where there is one.
fn drains(estate: &Estate, now: Now) -> Result<(), Unready> {
    match estate.draining(now.at) {
        None | Some(Draining::Drained) => Ok(()),
        Some(other) => Err(Unready::Drains(other.to_string().into())),
    }
}

async fn begin(
    bastion: &Bastion,
    seen: &Estate,
    after: &Safe,
    stop: watch::Receiver<bool>,
) -> Result<Ended, Unready> {
    let idle = seen.live_colour().map(|live| 1 - live);
    let switch = seen.scope.traffic.as_ref();
    let request = Request {
        // The colour that it saw: by the time that it reads anew that may be another one.
        to: switch.zip(idle).map(|(it, idle)| it.colours[idle].clone()),
        reason: Some(format!("follows {after}: the colour that it left is kept no longer").into()),
        ..Request::new(OperationKind::Cleanup)
    };
    let prepared = engine::prepare(bastion, request).await;
    let prepared = prepared.map_err(|refused| words(&refused))?;
    if let Err(refusal) = prepared.plan() {
        return Err(refusal.why.clone().into());
    }
    let now = prepared.estate();
    if last_operation(now).as_ref() != Some(after) || newer(now, after).is_some() {
        let said = Safe::from("traffic was moved since, or another operation came");
        return Err(said.into());
    }
    drains(now, bastion.clock.now())?;
    let run = prepared.start(None, stop).await;
    let run = run.map_err(|refused| words(&refused))?;
    Ok(run.carry_out().await)
}

/// What the first Service is to say.
enum Says {
    /// Who waits; until when at most, where it is for the last requests.
    Waits(Option<Timestamp>),
    /// Nobody does any more.
    Nothing,
}

/// Says on the first Service who waits, or takes that back; whether it was written. Where it cannot be, nobody reads it, and
/// nothing else follows.
async fn mark(bastion: &Bastion, after: &Safe, says: &Says) -> bool {
    let Some(name) = (bastion.scope.traffic.as_ref()).and_then(|switch| switch.services.first())
    else {
        return true;
    };
    let (cluster, answer) = (&bastion.cluster, bastion.timing.answer);
    let Ok(Some(service)) = cluster.get::<Service>(name, answer).await else {
        return false;
    };
    let ours = service.marks.get(CLEANUP);
    let ours = ours.and_then(|text| serde_json::from_str::<Follower>(text).ok());
    let is_ours = ours.is_some_and(|it| it.operation == *after && it.by == bastion.person.seat);
    if matches!(says, Says::Nothing) && !is_ours {
        return true;
    }
    let mut patch = Patch::of(&Must {
        uid: &service.uid,
        epoch: marks::epoch(&service.marks),
        version: &service.resource_version,
        is_strict: true,
        has_annotations: service.has_annotations,
        is_careless: false,
    });
    let follower = |drains| Follower {
        operation: after.clone(),
        by: bastion.person.seat.clone(),
        since: bastion.clock.wall(),
        drains,
    };
    let said = match says {
        Says::Waits(drains) => json!(follower(*drains)).to_string(),
        Says::Nothing => String::new(),
    };
    patch.mark(CLEANUP, &said);
    let sent = cluster
        .patch::<Service>(name, &patch.finish(), answer)
        .await;
    if let Err(why) = &sent {
        tracing::info!(why = %why.fault().what, "who waits to clean up could not be written");
    }
    sent.is_ok()
}
