//! The policy read now and changed: one ConfigMap, tested by its resourceVersion, written down first, read
//! back after.

use serde_json::{Value, json};

use super::bastion::{Bastion, Person};
use super::engine::Refused;
use super::entry::What;
use super::freeze::{Because, Draft, Wanted, check, own, seen};
use super::journal::Journal;
use super::kept::Kept;
use super::patch::Draft as Patch;
use super::plan::{Refusal, RefusalKind};
use super::reads::tell;
use super::record;
use crate::clients::kubernetes::Unwritten;
use crate::estate::policy::{LAST, NAME, SCHEMA, SCHEMA_KEY};
use crate::estate::{Estate, Fault, Kind, Policy, Safe, Seen, Terms};

/// How often a record that changes meanwhile is tried.
const TRIES: u32 = 5;
/// The journal of what was changed in policies.
const JOURNAL: &str = "policy";

/// What the policy says now, and the server's clock, and nothing else.
pub async fn look(bastion: &Bastion) -> Estate {
    let mut estate = Estate::new(bastion.scope.clone(), None);
    put(bastion, &mut estate, read(bastion).await).await;
    if estate.cluster.skew_ms.is_none() {
        ask_clock(bastion, &mut estate).await;
    }
    estate
}

/// The ConfigMap as it is now.
pub(super) async fn read(bastion: &Bastion) -> Result<Option<Policy>, Fault> {
    let answer = bastion.timing.answer;
    bastion.cluster.get::<Policy>(NAME, answer).await
}

/// Puts down in `estate` what was read. Where a freeze ends by itself the server's clock is asked for.
pub(super) async fn put(
    bastion: &Bastion,
    estate: &mut Estate,
    read: Result<Option<Policy>, Fault>,
) {
    match read {
        Ok(found) => {
            let found = found.into_iter().collect();
            tell(bastion, estate, Kind::Policy, Seen::Policies, found);
        }
        Err(fault) => {
            let now = bastion.clock.now();
            estate.apply(Seen::Failed(Kind::Policy, fault), now);
        }
    }
    let ends = |terms: &Terms| terms.freezes.iter().any(|freeze| freeze.until.is_some());
    if matches!(estate.terms(), Some(Ok(terms)) if ends(&terms)) {
        ask_clock(bastion, estate).await;
    }
}

pub(super) async fn ask_clock(bastion: &Bastion, estate: &mut Estate) {
    // Without an answer nobody knows what time it is, and a freeze that may be over is not.
    if let Ok(pulse) = bastion.cluster.pulse(bastion.timing.answer).await {
        let server = pulse.server;
        estate.apply(Seen::Pulse { server }, bastion.clock.now());
    }
}

impl Person {
    /// Who changes the policy, and why.
    pub fn because(&self, why: Safe) -> Because {
        Because {
            who: self.user.clone(),
            seat: self.seat.clone(),
            why,
        }
    }
}

/// Asks the policy as it is now whether `wanted` may be done.
///
/// # Errors
/// Why not.
pub async fn plan(bastion: &Bastion, wanted: &Wanted, why: Safe) -> Result<Draft, Refusal> {
    let estate = look(bastion).await;
    let because = bastion.person.because(why);
    check(wanted, &because, &estate, bastion.clock.now())
}

/// Does what `draft` says, if the ConfigMap is still as it was; tells what is so now.
///
/// # Errors
/// Why it was not done, or that nobody knows.
pub async fn carry_out(bastion: &Bastion, draft: &Draft) -> Result<Safe, Refused> {
    journaled(
        bastion,
        JOURNAL,
        json!(draft),
        attempt(bastion, draft.clone()),
    )
    .await
}

/// Does `act` with its intent written down before, and its outcome after, in the journal of that name.
///
/// # Errors
/// There is no room for it, or why it was not done.
pub(super) async fn journaled(
    bastion: &Bastion,
    name: &str,
    intent: Value,
    act: impl Future<Output = Result<Safe, Refused>>,
) -> Result<Safe, Refused> {
    let mut journal = match &bastion.journals {
        Some(folder) => Journal::open(folder, name),
        None => Ok(Journal::none()),
    }
    .map_err(no_room)?;
    let wall = || bastion.clock.wall();
    (journal.write(wall(), "intent", intent)).map_err(no_room)?;
    let outcome = act.await;
    let said = match &outcome {
        Ok(words) => json!({ "done": words }),
        Err(refused) => json!({ "refused": words(refused) }),
    };
    if let Err(error) = journal.write(wall(), "outcome", said) {
        tracing::warn!(%error, "the journal could not be written");
    }
    outcome
}

pub(super) fn refusal(kind: RefusalKind, why: impl Into<Safe>) -> Refused {
    let why = why.into();
    Refused::Refusal(Refusal {
        kind,
        why,
        plan: None,
    })
}

/// Why it was not done, in words.
pub fn words(refused: &Refused) -> Safe {
    match refused {
        Refused::Refusal(refusal) => refusal.why.clone(),
        Refused::Trouble(why) | Refused::Away(why) => why.clone(),
        Refused::Moved(_) => "the facts changed meanwhile".into(),
    }
}

fn no_room(error: std::io::Error) -> Refused {
    let said = format!("the journal cannot be written, so nothing was sent: {error}");
    Refused::Trouble(said.into())
}

/// Writes it. The object may be of several environments: one that moved for another's sake is tried again.
async fn attempt(bastion: &Bastion, mut draft: Draft) -> Result<Safe, Refused> {
    for _ in 0..TRIES {
        match write(bastion, &draft).await {
            Ok(()) => return read_back(bastion, &draft, None).await,
            Err(Unwritten::Refused {
                status: 404 | 409 | 422,
                fault,
            }) => {
                let estate = look(bastion).await;
                let now = estate.policy().map(policy_version);
                let is_same = estate.is_listed(Kind::Policy) && seen(&estate) == draft.seen;
                if now == draft.version {
                    return Err(Refused::Trouble(fault.what));
                }
                if !is_same {
                    return Err(meanwhile(&estate, &draft));
                }
                draft.version = now;
            }
            Err(Unwritten::Refused { fault, .. }) => {
                return Err(Refused::Trouble(fault.what));
            }
            Err(Unwritten::Unknown(fault)) => return read_back(bastion, &draft, Some(fault)).await,
        }
    }
    let said = "the policy changes faster than it can be written: nothing was written";
    Err(refusal(RefusalKind::Held, said))
}

fn policy_version(policy: &Policy) -> (Safe, Safe) {
    (policy.uid.clone(), policy.resource_version.clone())
}

async fn write(bastion: &Bastion, draft: &Draft) -> Result<(), Unwritten> {
    let (cluster, answer) = (&bastion.cluster, bastion.timing.answer);
    let last = format!("{LAST}.{}", bastion.scope.namespace);
    let by = json!(json!(draft.last).to_string());
    let frozen = draft.after.as_ref().map(|after| json!(after).to_string());
    let Some((uid, version)) = &draft.version else {
        let mut data = serde_json::Map::new();
        data.insert(SCHEMA_KEY.to_owned(), json!(SCHEMA.to_string()));
        data.insert(last, by);
        data.extend(frozen.map(|text| (draft.key.to_string(), json!(text))));
        let body = json!({ "metadata": { "name": NAME }, "data": data });
        return cluster.create::<Policy>(body, answer).await.map(|_| ());
    };
    // One key of many: what else stands there, and whose it is, is not touched.
    let mut patch = Patch::default();
    patch.test("/metadata/uid", json!(uid));
    patch.test("/metadata/resourceVersion", json!(version));
    match frozen {
        Some(text) => patch.add(&format!("/data/{}", draft.key), json!(text)),
        None => patch.remove(&format!("/data/{}", draft.key)),
    }
    patch.add(&format!("/data/{last}"), by);
    let sent = cluster.patch::<Policy>(NAME, &patch.finish(), answer).await;
    sent.map(|_| ())
}

/// What stands there now that it was sent; `lost` where no answer came.
async fn read_back(bastion: &Bastion, draft: &Draft, lost: Option<Fault>) -> Result<Safe, Refused> {
    let estate = look(bastion).await;
    let is_so = estate.is_listed(Kind::Policy)
        && own(&estate) == draft.after.as_ref()
        && matches!(estate.terms(), Some(Ok(terms)) if terms.last.as_ref() == Some(&draft.last));
    let name = &draft.environment;
    match (is_so, lost) {
        (true, _) => Ok(match &draft.after {
            Some(freeze) => format!("{name} is {}; read back", freeze.words()).into(),
            None => format!("{name} is thawed; read back").into(),
        }),
        (false, Some(fault)) => {
            let said = format!(
                "UNKNOWN: {}; it is not seen there, nothing is sent again",
                fault.what
            );
            Err(refusal(RefusalKind::Unknown, said))
        }
        (false, None) => {
            let said = "UNKNOWN: accepted, but what is read back is not what was sent";
            Err(refusal(RefusalKind::Unknown, said))
        }
    }
}

/// Somebody changed it between the plan and the write: what stands there now.
fn meanwhile(estate: &Estate, draft: &Draft) -> Refused {
    let now = match (seen(estate).first(), estate.terms()) {
        (Some(freeze), _) => freeze.words(),
        (None, Some(Err(why))) => why.to_string(),
        (None, Some(Ok(_)) | None) => "not frozen".to_owned(),
    };
    let said = format!(
        "the policy was changed meanwhile, nothing was written: {} is {now}; look, and plan again",
        draft.environment
    );
    refusal(RefusalKind::Held, said)
}

/// Closes the broken glass of operation `id` with a note: the only entry that comes after its end.
///
/// # Errors
/// There is no such operation, no glass of its is broken, or the API's fault.
pub async fn close_glass(bastion: &Bastion, id: &str, note: Safe) -> Result<Kept, Safe> {
    if note.trim().is_empty() {
        return Err("it needs a note: what was followed up".into());
    }
    let may = |kept: &Kept| match &kept.operation.glass {
        None => Err(format!("operation {} broke no glass", kept.id).into()),
        Some(glass) => match &glass.closed {
            Some((by, note)) => Err(format!("{by} closed it already: {note}").into()),
            None => Ok(()),
        },
    };
    let closed = vec![What::GlassClosed { note }];
    let amended = record::amend(bastion, id, TRIES, closed, may).await;
    amended.map_err(Safe::from)
}
