//! Has said how long the idle colour is kept: reads the Services anew, and writes that on the first of them.

use jiff::Timestamp;
use serde_json::json;

use super::bastion::Bastion;
use super::engine::Refused;
use super::patch::{Draft as Patch, Must};
use super::plan::{Refusal, RefusalKind};
use super::warm::{Draft, WARM, Wanted, Word, check};
use super::{policy, reads};
use crate::clients::kubernetes::Unwritten;
use crate::estate::{Kind, Safe, Seen, Service};

/// The journal of what was said of warm colours.
const JOURNAL: &str = "warm";

/// Asks the Services as they are now whether `wanted`, of the server's clock, may be said.
///
/// # Errors
/// Why not.
pub async fn plan(
    bastion: &Bastion,
    wanted: impl FnOnce(Timestamp) -> Wanted,
    why: Safe,
) -> Result<Draft, Refusal> {
    let mut estate = policy::look(bastion).await;
    policy::ask_clock(bastion, &mut estate).await;
    if let Ok(services) = reads::services(bastion).await {
        reads::tell(
            bastion,
            &mut estate,
            Kind::Services,
            Seen::Services,
            services,
        );
    }
    let now = bastion.clock.now();
    let wanted = wanted(estate.server_time(now));
    check(wanted, &bastion.person.because(why), &estate, now)
}

/// Writes what `draft` says, if the Service is still as it was; tells what is so now.
///
/// # Errors
/// Why it was not done, or that nobody knows.
pub async fn carry_out(bastion: &Bastion, draft: &Draft) -> Result<Safe, Refused> {
    policy::journaled(bastion, JOURNAL, json!(draft), attempt(bastion, draft)).await
}

async fn attempt(bastion: &Bastion, draft: &Draft) -> Result<Safe, Refused> {
    let (uid, epoch, version, has_annotations) = &draft.must;
    let mut patch = Patch::of(&Must {
        uid,
        epoch: *epoch,
        version,
        is_strict: true,
        has_annotations: *has_annotations,
        is_careless: false,
    });
    patch.mark(WARM, &json!(draft.after).to_string());
    let (cluster, answer) = (&bastion.cluster, bastion.timing.answer);
    let patch = patch.finish();
    let sent = cluster.patch::<Service>(&draft.service, &patch, answer);
    match sent.await {
        Ok(_) => Ok(done(draft)),
        Err(Unwritten::Refused {
            status: 404 | 409 | 422,
            ..
        }) => Err(policy::refusal(
            RefusalKind::Held,
            format!(
                "{} was changed meanwhile, nothing was written: look, and plan again",
                draft.service
            ),
        )),
        Err(Unwritten::Refused { fault, .. }) => Err(Refused::Trouble(fault.what)),
        Err(Unwritten::Unknown(fault)) => {
            let read = cluster.get::<Service>(&draft.service, answer).await;
            let read = read.ok().flatten();
            let word = read.and_then(|s| serde_json::from_str::<Word>(s.marks.get(WARM)?).ok());
            match word.as_ref() == Some(&draft.after) {
                true => Ok(done(draft)),
                false => Err(policy::refusal(
                    RefusalKind::Unknown,
                    format!(
                        "UNKNOWN: {}; it is not seen there, nothing is sent again",
                        fault.what
                    ),
                )),
            }
        }
    }
}

fn done(draft: &Draft) -> Safe {
    format!(
        "{} of {} is {}",
        draft.colour.to_uppercase(),
        draft.environment,
        draft.then()
    )
    .into()
}
