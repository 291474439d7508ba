//! Asking for an approval, approving and rejecting: one object, created once, its intent written down first.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use serde::Serialize;
use serde_json::json;

use super::approval::{Decision, LONG, PREFIX, Paper, Papers, Standing, clock, is_program, read};
use super::bastion::Bastion;
use super::engine::Refused;
use super::hook::{Event, Hooks};
use super::kept::NAMESPACE;
use super::plan::approval::is_of_approval;
use super::plan::{Plan, Refusal, RefusalKind, Request, Within, check, target};
use super::policy::{ask_clock, journaled, put, read as read_policy, refusal, words};
use super::reads::{fresh, tell};
use super::{OperationKind, kept_selector, marks, outside};
use crate::clients::kubernetes::Unwritten;
use crate::estate::{Approver, Estate, Kind, Now, Record, Safe, Seen, Tier};

/// The journal of what was asked for and decided.
const JOURNAL: &str = "approvals";
/// What is over stays to be looked at for so long.
const KEPT: SignedDuration = SignedDuration::from_hours(24);
/// The most that one writer cleans away.
const MOST: usize = 20;

/// What would be written.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Draft {
    /// It.
    pub paper: Paper,
    /// How much friction it deserves.
    pub tier: Tier,
    /// What it would let be done, by fresh reads; none for a rejection, which needs no plan.
    pub plan: Option<Box<Plan>>,
    /// Why nothing has to be written: it is so already.
    pub already: Option<Safe>,
}

impl Draft {
    /// What is to be done, in a line: `approve a cutover of production to GREEN`.
    pub fn title(&self) -> String {
        let word = match self.paper.decision {
            Decision::Asked => "ask for the approval of",
            Decision::Approved => "approve",
            Decision::Rejected => "reject",
        };
        let to = Plan::colour_in_words(&self.paper.colour);
        format!("{word} a cutover of {} to {to}", self.paper.environment)
    }
}

/// What somebody wants approved, and why.
#[derive(Clone, Debug, Default)]
pub struct Wanted {
    /// The colour; none: the other one.
    pub to: Option<Safe>,
    /// The hash of what would go live as somebody saw it ([`Plan::bound`]); none where nobody was shown any yet.
    pub bound: Option<Safe>,
    /// Gates that the cutover will override, by id, and why.
    pub overrides: BTreeMap<Safe, Safe>,
    /// Why.
    pub reason: Safe,
    /// The operation under whose Leases the cutover will be, if one asks for itself.
    pub within: Option<Safe>,
}

/// All that was asked for and decided here, and the server's time.
///
/// # Errors
/// The API's fault.
pub async fn look(bastion: &Bastion) -> Result<(Estate, Papers, Timestamp), Refused> {
    let mut estate = Estate::new(bastion.scope.clone(), None);
    let (ours, answer) = (kept_selector(bastion), bastion.timing.answer);
    let (records, policy) = futures::future::join(
        bastion.cluster.list::<Record>(&ours, answer),
        read_policy(bastion),
    )
    .await;
    tell(bastion, &mut estate, Kind::Records, Seen::Records, records?);
    put(bastion, &mut estate, policy).await;
    let server = server(bastion, &mut estate).await;
    Ok((estate.clone(), Papers::in_estate(&estate), server))
}

/// The server's time, asked for where it was not told yet.
async fn server(bastion: &Bastion, estate: &mut Estate) -> Timestamp {
    if estate.cluster.skew_ms.is_none() {
        ask_clock(bastion, estate).await;
    }
    estate.server_time(bastion.clock.now())
}

/// The plan of a cutover on fresh reads, whatever stands in its way.
///
/// # Errors
/// There is none at all; why.
async fn planned(bastion: &Bastion, request: &Request) -> Result<(Estate, Plan), Refused> {
    let mut estate = fresh(bastion).await?;
    if request.within.is_none() {
        // Whoever asks need not be whoever carries it out.
        estate.credential = None;
    }
    if let Some(colour) = target(request, &estate) {
        outside::look(bastion, &mut estate, &colour).await;
    }
    match check(request, &estate, bastion.clock.now()) {
        Ok(plan) => Ok((estate, plan)),
        Err(Refusal {
            plan: Some(plan), ..
        }) => Ok((estate, *plan)),
        Err(refusal) => Err(Refused::Refusal(refusal)),
    }
}

fn cutover(to: Option<Safe>, overrides: BTreeMap<Safe, Safe>) -> Request {
    Request {
        to,
        overrides,
        ..Request::new(OperationKind::Cutover)
    }
}

/// What would be asked for.
///
/// # Errors
/// Why not: nobody needs to approve it, or more stands in its way than that nobody did.
pub async fn ask(bastion: &Bastion, wanted: &Wanted) -> Result<Draft, Refused> {
    let author = author(bastion, &wanted.reason)?;
    let within = wanted.within.clone();
    let request = Request {
        within: within.map(|operation| Within { operation, run: 0 }),
        ..cutover(wanted.to.clone(), wanted.overrides.clone())
    };
    let (mut estate, plan) = planned(bastion, &request).await?;
    askable(&estate, &plan, bastion.clock.now())?;
    as_shown(wanted, &plan)?;
    let server = server(bastion, &mut estate).await;
    let lasts_s = estate.scope.approval.lasts_s;
    let papers = Papers::in_estate(&estate);
    let asked = papers.waiting(lasts_s, server);
    // A release asks for itself beside somebody else, who may not approve what they asked for: the two would wait for ever.
    let is_doubled = |it: &&&Paper| {
        it.plan == plan.bound
            && it.lacks(&wanted.overrides).is_none()
            && (wanted.within.is_none() || it.author == author)
    };
    if let Some(asked) = asked.iter().find(is_doubled) {
        let until = clock(asked.ends(lasts_s));
        let said = format!("it is {}; it waits until {until}", asked.words());
        return Err(refusal(RefusalKind::Approval, said));
    }
    let id = bastion.clock.operation_id();
    let paper = Paper {
        request: id.clone(),
        id,
        decision: Decision::Asked,
        requester: author.clone(),
        author,
        colour: plan.to.clone(),
        plan: plan.bound.clone(),
        runs: runs(&plan),
        overrides: told(&wanted.overrides)?,
        ..blank(bastion, &wanted.reason, (server, lasts_s))
    };
    Ok(Draft {
        paper,
        tier: estate.tier(),
        plan: Some(Box::new(plan)),
        already: None,
    })
}

/// What is passed over, for whoever decides to read.
fn told(overrides: &BTreeMap<Safe, Safe>) -> Result<BTreeMap<Safe, Safe>, Refused> {
    let passed = overrides.iter().filter(|(id, _)| !is_of_approval(id));
    let passed: BTreeMap<Safe, Safe> = passed.map(|(id, why)| (id.clone(), why.clone())).collect();
    let long = serde_json::to_string(&passed).map_or(0, |text| text.chars().count());
    if long > LONG {
        let said = format!(
            "the overrides and their reasons have {long} characters, at most {LONG} may be asked for: shorten the reasons"
        );
        return Err(Refused::Refusal(Refusal::invalid(said)));
    }
    Ok(passed)
}

/// What is asked for in somebody's name is what they saw (I-47).
fn as_shown(wanted: &Wanted, plan: &Plan) -> Result<(), Refused> {
    match &wanted.bound {
        Some(bound) if *bound != plan.bound => {
            let (name, to) = (&plan.environment, Plan::colour_in_words(&plan.to));
            let said = format!(
                "what would go live in {name} is not what was shown any more, now {to} with {}: look, and ask again",
                runs(plan)
            );
            Err(refusal(RefusalKind::Held, said))
        }
        Some(_) | None => Ok(()),
    }
}

/// An approval lifts its own gate alone: what else is closed is opened first.
fn askable(estate: &Estate, plan: &Plan, now: Now) -> Result<(), Refused> {
    let name = &plan.environment;
    let invalid = |why: String| Err(Refused::Refusal(Refusal::invalid(why)));
    match (estate.approver(), estate.unread(now)) {
        (Approver::Nobody | Approver::Github, Some(why)) => {
            let said = format!("whether a cutover of {name} needs an approval is not known: {why}");
            return Err(refusal(RefusalKind::Unknown, said));
        }
        (Approver::Nobody, None) => {
            return invalid(format!(
                "a cutover of {name} needs nobody's approval: cut over"
            ));
        }
        (Approver::Github, None) => {
            return invalid(format!(
                "GitHub's review of its environment is the approval of {name}: ask there"
            ));
        }
        (Approver::Other, _) => {}
    }
    let to = Plan::colour_in_words(&plan.to);
    if plan.bound.is_empty() {
        return invalid(format!(
            "{to} is live in {name} already: nothing moves that could be approved"
        ));
    }
    let closed = |gate: &&super::Gate| gate.is_closed() && !plan.is_overridden(&gate.id());
    let other = |gate: &&super::Gate| !is_of_approval(&gate.name);
    match plan.gates.iter().filter(closed).find(other) {
        _ if plan.may_be_asked_for() => Ok(()),
        None => invalid(format!(
            "nothing stands in its way, it is approved: cut {name} over"
        )),
        Some(gate) => Err(Refused::Refusal(Refusal {
            kind: RefusalKind::Gate,
            why: format!(
                "{}: {}; an approval would lift no gate but its own",
                gate.id(),
                gate.said
            )
            .into(),
            plan: Some(Box::new(plan.clone())),
        })),
    }
}

/// What would be decided on the request `id`.
///
/// # Errors
/// Why not: it is over, it is one's own, or what would go live is not what was asked for.
pub async fn decide(
    bastion: &Bastion,
    id: &str,
    decision: Decision,
    reason: &Safe,
) -> Result<Draft, Refused> {
    let author = author(bastion, reason)?;
    let (estate, papers, server) = look(bastion).await?;
    let lasts_s = estate.scope.approval.lasts_s;
    let asked = papers.requests().find(|it| it.id.as_str() == id);
    let asked = asked.ok_or_else(|| {
        let said = format!("there is no request {id} in {}", bastion.scope.name);
        Refused::Refusal(Refusal::invalid(said))
    })?;
    let already = decidable(
        asked,
        &author,
        decision,
        papers.standing(asked, lasts_s, server),
    )?;
    let plan = match decision {
        Decision::Approved => Some(Box::new(same(bastion, asked).await?)),
        Decision::Asked | Decision::Rejected => None,
    };
    Ok(Draft {
        paper: Paper {
            id: bastion.clock.operation_id(),
            decision,
            request: asked.id.clone(),
            author,
            requester: asked.requester.clone(),
            colour: asked.colour.clone(),
            plan: asked.plan.clone(),
            runs: asked.runs.clone(),
            overrides: asked.overrides.clone(),
            ..blank(bastion, reason, (server, lasts_s))
        },
        tier: estate.tier(),
        plan,
        already,
    })
}

/// Whether `author` may decide on `asked`; what is so already, where that is what is wanted.
fn decidable(
    asked: &Paper,
    author: &Safe,
    decision: Decision,
    standing: Standing<'_>,
) -> Result<Option<Safe>, Refused> {
    let gate = |why: String| Err(refusal(RefusalKind::Gate, why));
    let is_approval = decision == Decision::Approved;
    match standing {
        _ if is_approval && *author == asked.requester => gate(format!(
            "{author} asked for it and may not approve it: one API user is one person"
        )),
        _ if is_approval && is_program(author) => {
            gate(format!("{author} is a program: a person approves"))
        }
        Standing::Rejected(no) if is_approval => {
            gate(format!("it was {}; have it asked for anew", no.words()))
        }
        Standing::Rejected(no) => Ok(Some(format!("it was {} already", no.words()).into())),
        Standing::Approved(yes) if is_approval => {
            Ok(Some(format!("it was {} already", yes.words()).into()))
        }
        Standing::Over => {
            let at = clock(asked.expires);
            gate(format!(
                "the request of {} is over since {at}: have it asked for anew",
                asked.author
            ))
        }
        Standing::Approved(_) | Standing::Waits => Ok(None),
    }
}

/// The plan of what was asked for, made afresh.
///
/// # Errors
/// What would go live now is not what was asked for.
async fn same(bastion: &Bastion, asked: &Paper) -> Result<Plan, Refused> {
    // What it passes over may be open by now, and decides nothing of what would go live.
    let request = cutover(Some(asked.colour.clone()), BTreeMap::new());
    let (_, plan) = planned(bastion, &request).await?;
    match plan.bound == asked.plan {
        true => Ok(plan),
        false => {
            let to = Plan::colour_in_words(&plan.to);
            let is_live = plan
                .bound
                .is_empty()
                .then(|| format!("{to} is live already"));
            let other = || {
                format!(
                    "{} asked for another revision or another flip than would be done now: {} was asked for, {} would go live; have it asked for anew",
                    asked.author,
                    asked.runs,
                    runs(&plan)
                )
            };
            Err(Refused::Refusal(Refusal {
                kind: RefusalKind::Gate,
                why: is_live.unwrap_or_else(other).into(),
                plan: Some(Box::new(plan)),
            }))
        }
    }
}

/// Why what `asked` asks for is not what would go live any more; none: it still is.
///
/// # Errors
/// That could not be found out.
pub async fn void(bastion: &Bastion, asked: &Paper) -> Result<Option<Safe>, Safe> {
    match same(bastion, asked).await {
        Ok(_) => Ok(None),
        Err(Refused::Refusal(refusal)) if refusal.kind != RefusalKind::Unknown => {
            Ok(Some(refusal.why))
        }
        Err(refused) => Err(words(&refused)),
    }
}

/// Who writes it.
fn author(bastion: &Bastion, reason: &Safe) -> Result<Safe, Refused> {
    // What is longer would be written, and read by nobody.
    if reason.chars().count() > LONG {
        let said = format!("the reason has more than {LONG} characters: shorten it");
        return Err(Refused::Refusal(Refusal::invalid(said)));
    }
    if reason.trim().is_empty() {
        let said = "it needs a reason: whoever decides, or is told, reads it";
        return Err(Refused::Refusal(Refusal::invalid(said)));
    }
    match bastion.person.user.is_empty() {
        false => Ok(bastion.person.user.clone()),
        true => Err(refusal(
            RefusalKind::Unknown,
            "the API does not say who you are (selfsubjectreviews): an approval without an author is none",
        )),
    }
}

/// What does not depend on what is written.
fn blank(bastion: &Bastion, reason: &Safe, (server, lasts_s): (Timestamp, u32)) -> Paper {
    let lasts = SignedDuration::from_secs(i64::from(lasts_s));
    Paper {
        id: Safe::default(),
        decision: Decision::Asked,
        request: Safe::default(),
        author: Safe::default(),
        seat: bastion.person.seat.clone(),
        requester: Safe::default(),
        environment: bastion.scope.name.clone(),
        namespace: bastion.scope.namespace.clone(),
        colour: Safe::default(),
        plan: Safe::default(),
        runs: Safe::default(),
        overrides: BTreeMap::new(),
        reason: reason.trim().into(),
        created: server,
        expires: server.checked_add(lasts).unwrap_or(server),
        version: Default::default(),
        since: server,
    }
}

/// `frontend v2 sha256:0a1b…, backend v2 sha256:2c3d…`
fn runs(plan: &Plan) -> Safe {
    let of = |change: &super::plan::ImageChange| {
        let words: Vec<&str> = change.to.iter().map(Safe::as_str).collect();
        format!("{} {}", change.workload, words.join(" "))
    };
    let all: Vec<String> = plan.images.iter().map(of).collect();
    match all.is_empty() {
        true => "nothing".into(),
        // For people; what it is bound to is the hash. A longer one would be read by nobody.
        false => all.join(", ").chars().take(LONG).collect::<String>().into(),
    }
}

/// Writes what `draft` says; tells what is so now. Whoever is to be told was told when this returns.
///
/// # Errors
/// Why it was not written, or that nobody knows.
pub async fn carry_out(bastion: &Bastion, draft: &Draft) -> Result<Safe, Refused> {
    let (said, hooks) = write(bastion, draft).await?;
    hooks.end().await;
    Ok(said)
}

/// The same, and nothing waits for the programs that are told.
///
/// # Errors
/// As [`carry_out`].
pub(super) async fn write(bastion: &Bastion, draft: &Draft) -> Result<(Safe, Hooks), Refused> {
    if let Some(already) = &draft.already {
        return Ok((already.clone(), Hooks::default()));
    }
    let told = journaled(
        bastion,
        JOURNAL,
        json!(draft.paper),
        create(bastion, &draft.paper),
    )
    .await?;
    prune(bastion).await;
    let hooks = match draft.paper.decision {
        Decision::Asked => call(bastion, &draft.paper),
        Decision::Approved | Decision::Rejected => Hooks::default(),
    };
    Ok((told, hooks))
}

/// Tells whoever is to be told that somebody waits.
fn call(bastion: &Bastion, paper: &Paper) -> Hooks {
    let told = [
        ("OPERATION", &paper.id),
        ("ENVIRONMENT", &paper.environment),
        ("NAMESPACE", &paper.namespace),
        ("COLOUR", &paper.colour),
        ("BY", &paper.author),
        ("WORDS", &paper.reason),
    ];
    let kind = Safe::from(OperationKind::Cutover.word());
    let told = told.into_iter().chain([("KIND", &kind)]);
    let told: Vec<_> = told
        .map(|(name, value)| (format!("WHEELHOUSE_{name}"), value.clone()))
        .collect();
    let mut hooks = Hooks::default();
    hooks.tell(&bastion.hooks, Event::Approval, &told);
    hooks
}

async fn create(bastion: &Bastion, paper: &Paper) -> Result<Safe, Refused> {
    let (cluster, answer) = (&bastion.cluster, bastion.timing.answer);
    let name = format!("{PREFIX}{}", paper.id);
    let body = json!({
        "metadata": {
            "name": name,
            "labels": {
                marks::RECORD: marks::OF_APPROVAL,
                NAMESPACE: paper.namespace,
            },
        },
        "data": paper.data(),
    });
    let record = match cluster.create::<Record>(body, answer).await {
        Ok(record) => record,
        Err(Unwritten::Refused { fault, .. }) => return Err(Refused::Trouble(fault.what)),
        // Nobody else makes one of this name: if it is there, it is ours.
        Err(Unwritten::Unknown(fault)) => match cluster.get::<Record>(&name, answer).await {
            Ok(Some(record)) => record,
            Ok(None) | Err(_) => {
                let said = format!(
                    "UNKNOWN: {}; it is not seen there, nothing is sent again",
                    fault.what
                );
                return Err(refusal(RefusalKind::Unknown, said));
            }
        },
    };
    let there = read(&record).map_err(|unread| Refused::Trouble(unread.why))?;
    let (name, to) = (&there.environment, Plan::colour_in_words(&there.colour));
    let until = clock(there.expires);
    Ok(match there.decision {
        Decision::Asked => format!(
            "a cutover of {name} to {to} waits for one other person until {until}: `wheelhouse approval approve {} --write --reason …`",
            there.id
        ),
        Decision::Approved => format!("a cutover of {name} to {to} is approved until {until}"),
        Decision::Rejected => format!("a cutover of {name} to {to} is rejected"),
    }
    .into())
}

/// Deletes what is long over; a rejection only its author, as the admission policy has it. What cannot be deleted stays.
async fn prune(bastion: &Bastion) {
    let Ok((_, papers, server)) = look(bastion).await else {
        return;
    };
    let is_old = |it: &&Paper| {
        let is_ours = it.decision != Decision::Rejected || it.author == bastion.person.user;
        is_ours && server.duration_since(it.expires) > KEPT
    };
    for old in papers.all.iter().filter(is_old).take(MOST) {
        let (uid, version) = &old.version;
        let name = format!("{PREFIX}{}", old.id);
        let answer = bastion.timing.answer;
        let _ = (bastion.cluster)
            .delete::<Record>(&name, Some(uid), Some(version), answer)
            .await;
    }
}
