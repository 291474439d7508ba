//! Workers of operations as the cockpit sees them: one is started with the dialog, connected and waiting; it
//! is told to go, or ends with the dialog. From its first word about an operation the record says the rest.

use tokio::sync::mpsc::Sender;
use tokio::sync::oneshot;

use super::clock;
use crate::app::operate::{Heard, Wish};
use crate::app::{Event, Permit, operate};
use crate::estate::{Freeze, Safe};
use crate::ops::approval::Decision;
use crate::ops::bastion::{Bastion, Place};
use crate::ops::worker::{self, Job, Said, Wanted};
use crate::ops::{What, approve, engine, freeze, keep, placement, policy, record, warm};

/// The plan that was confirmed, and why.
pub(super) struct Go {
    pub(super) hash: Safe,
    pub(super) reason: Option<Safe>,
    /// Why the gates that are closed do not count.
    pub(super) overridden: Option<Safe>,
}

/// Which proposal is served, and who is told.
#[derive(Clone)]
pub(super) struct Desk {
    pub(super) number: u64,
    pub(super) environment: usize,
    pub(super) told: Sender<Event>,
}

impl Desk {
    pub(super) async fn say(&self, heard: Heard) {
        let event = Event::Heard(self.number, self.environment, heard);
        let _ = self.told.send(event).await;
    }

    async fn refuse(&self, why: impl Into<Safe>) {
        self.say(Heard::Refused(why.into())).await;
    }
}

/// Why nothing is sent any more; none: it may be.
pub(super) fn lapsed(permit: Option<&Permit>, environment: &str) -> Option<Safe> {
    let permit = permit?;
    let is_open = permit.holds(environment, clock::boot());
    (!is_open).then(|| format!("the write window of {environment} is closed").into())
}

/// Starts a worker for a new operation and hands it the confirmation. Whoever drops the other end of `go`
/// ends it, unless it was told to go.
pub(super) async fn prepare(
    desk: Desk,
    place: Place,
    of: operate::Wanted,
    mut go: oneshot::Receiver<Go>,
) {
    let wanted = Wanted::Start(Box::new(of.request));
    let mut worker = match spawn(place, wanted).await {
        Ok(worker) => worker,
        Err(why) => return desk.refuse(why).await,
    };
    let (mut is_ready, mut confirmed, mut is_asked) = (false, None, false);
    loop {
        tokio::select! {
            said = worker.listen() => match said {
                Said::Up => {}
                Said::Ready(plan) => {
                    is_ready = true;
                    desk.say(Heard::Ready(plan)).await;
                }
                Said::Began(id) => return desk.say(Heard::Began(id)).await,
                Said::Refused { why, .. } => return desk.refuse(why).await,
            },
            told = &mut go, if !is_asked => match told {
                Ok(told) => (confirmed, is_asked) = (Some(told), true),
                // The dialog was closed.
                Err(_) => return,
            },
        }
        if is_ready
            && let Some(go) = confirmed.take()
            && let Err(error) = worker.go(&go.hash, go.reason, go.overridden).await
        {
            return desk.refuse(format!("the worker is gone: {error}")).await;
        }
    }
}

/// Does what was wished for an operation that is under way.
pub(super) async fn settle(desk: Desk, place: Place, wish: Wish, reason: Safe) {
    let heard = match wish {
        Wish::Adopt(id) => adopt(place, id).await,
        Wish::Abort(id) => abort(&place, &id, reason).await,
        Wish::Abandon(id) => abandon(&place, &id, reason).await,
        Wish::Policy { wanted, before } => change_policy(&place, &wanted, before, reason).await,
        Wish::CloseGlass(id) => close_glass(&place, &id, reason).await,
        Wish::Warm { wanted, shown } => keep_warm(&place, wanted, &shown, reason).await,
        Wish::AskApproval { to, bound } => ask_approval(&place, (to, bound), reason).await,
        Wish::Decide { id, decision } => decide(&place, (id, decision), reason).await,
        Wish::Start(_) => Err("it is prepared, not settled".into()),
    };
    desk.say(heard.unwrap_or_else(Heard::Refused)).await;
}

async fn adopt(place: Place, id: Safe) -> Result<Heard, Safe> {
    let mut worker = spawn(place, Wanted::Adopt(id)).await?;
    loop {
        match worker.listen().await {
            Said::Up | Said::Ready(_) => {}
            Said::Began(id) => return Ok(Heard::Began(id)),
            Said::Refused { why, .. } => return Err(why),
        }
    }
}

async fn abort(place: &Place, id: &Safe, reason: Safe) -> Result<Heard, Safe> {
    let bastion = Bastion::connect(place).await.map_err(|fault| fault.what)?;
    record::add(&bastion, id, What::AbortAsked { reason }).await?;
    let said = "abort asked: its worker stops at the next boundary and undoes what it flipped";
    Ok(Heard::Done(said.into()))
}

async fn abandon(place: &Place, id: &Safe, reason: Safe) -> Result<Heard, Safe> {
    let bastion = Bastion::connect(place).await.map_err(|fault| fault.what)?;
    let (left, hooks) = engine::abandon(&bastion, id, reason).await?;
    tokio::spawn(hooks.end());
    Ok(Heard::Done(
        format!("abandoned as it stands; {left}").into(),
    ))
}

/// Freezes or thaws, if what stands there is what the screen showed.
async fn change_policy(
    place: &Place,
    wanted: &freeze::Wanted,
    before: Option<Freeze>,
    reason: Safe,
) -> Result<Heard, Safe> {
    let bastion = Bastion::connect(place).await.map_err(|fault| fault.what)?;
    let draft = policy::plan(&bastion, wanted, reason).await;
    let draft = draft.map_err(|refusal| refusal.why)?;
    if draft.before != before {
        let (now, _) = draft.change();
        return Err(
            format!("the policy was changed meanwhile: {now}; look, and plan again").into(),
        );
    }
    let done = policy::carry_out(&bastion, &draft).await;
    (done.map(Heard::Done)).map_err(|refused| policy::words(&refused))
}

/// Says how long the idle colour is kept, if it is the one that the screen showed.
async fn keep_warm(
    place: &Place,
    wanted: warm::Wanted,
    shown: &Safe,
    reason: Safe,
) -> Result<Heard, Safe> {
    let bastion = Bastion::connect(place).await.map_err(|fault| fault.what)?;
    let draft = keep::plan(&bastion, |_| wanted, reason).await;
    let draft = draft.map_err(|refusal| refusal.why)?.as_shown(shown)?;
    let done = keep::carry_out(&bastion, &draft).await;
    (done.map(Heard::Done)).map_err(|refused| policy::words(&refused))
}

/// Asks for an approval on fresh reads, if what would go live is what the screen showed.
async fn ask_approval(
    place: &Place,
    (to, bound): (Safe, Safe),
    reason: Safe,
) -> Result<Heard, Safe> {
    let bastion = Bastion::connect(place).await.map_err(|fault| fault.what)?;
    let wanted = approve::Wanted {
        to: Some(to),
        bound: Some(bound),
        overrides: Default::default(),
        reason,
        within: None,
    };
    let draft = approve::ask(&bastion, &wanted).await;
    write_down(&bastion, draft).await
}

/// Decides on a request, on fresh reads.
async fn decide(
    place: &Place,
    (id, decision): (Safe, Decision),
    reason: Safe,
) -> Result<Heard, Safe> {
    let bastion = Bastion::connect(place).await.map_err(|fault| fault.what)?;
    let draft = approve::decide(&bastion, &id, decision, &reason).await;
    write_down(&bastion, draft).await
}

async fn write_down(
    bastion: &Bastion,
    draft: Result<approve::Draft, engine::Refused>,
) -> Result<Heard, Safe> {
    let words = |refused| policy::words(&refused);
    let draft = draft.map_err(words)?;
    let done = approve::carry_out(bastion, &draft).await;
    done.map(Heard::Done).map_err(words)
}

async fn close_glass(place: &Place, id: &Safe, note: Safe) -> Result<Heard, Safe> {
    let bastion = Bastion::connect(place).await.map_err(|fault| fault.what)?;
    policy::close_glass(&bastion, id, note).await?;
    let said = "the broken glass is followed up; the note stands in the record";
    Ok(Heard::Done(said.into()))
}

async fn spawn(place: Place, wanted: Wanted) -> Result<worker::Spawned, Safe> {
    let program = worker::program()
        .map_err(|error| Safe::from(format!("cannot tell where this program is: {error}")))?;
    let job = Job { place, wanted };
    let spawned = worker::spawn(&program, placement::here(), &job).await;
    spawned.map_err(|error| format!("the worker cannot be started: {error}").into())
}
