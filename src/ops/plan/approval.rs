//! Whether one other person approved what would go live (I-11, I-13, I-48, I-49).
//!
//! The gate lifts itself alone: every other one is asked as if nobody had approved anything, and an approval passes
//! over nothing. It is asked with the plan, again on fresh reads when the operation starts, and once more before the
//! first flip, whoever carries it out by then.

use std::collections::BTreeMap;

use super::freeze::WAY_ON;
use super::gates::{AUTOSCALERS, RIGHTS};
use super::tested::{Revisions, changed, reviewed, revisions};
use super::{Finding, Flip, Gate, How, Plan, decisive};
use crate::estate::{Approver, Currency, Estate, Kind, Now, Record, Safe};
use crate::ops::approval::{Decision, Paper, Papers, clock, is_program};
use crate::ops::kept;
use crate::ops::{OperationKind, Step};

/// The gate that says BAD where nobody else approved it, or not any more.
pub(super) const APPROVAL: &str = "approval";
/// The gate that says BAD where somebody rejected it.
pub(super) const REJECTED: &str = "rejected";

/// The gate of a review by GitHub that the policy demands and that nobody here knows of.
pub(super) const REVIEW: &str = "review";

/// Whether a gate of that name is one of the first two.
pub(in crate::ops) fn is_of_approval(name: &str) -> bool {
    matches!(name, APPROVAL | REJECTED)
}

/// Whether it is approved that `flips` are done; none where nobody asks, or nothing moves. A policy that nobody could
/// read may ask for it (I-12).
/// `within`: the operation that this is a part of; `overrides`: what it passes over, which an approval must know of.
pub(super) fn approval(
    to: &Safe,
    flips: &[Flip],
    within: Option<&Safe>,
    overrides: &BTreeMap<Safe, Safe>,
    estate: &Estate,
    now: Now,
) -> Option<Gate> {
    if flips.is_empty() {
        return None;
    }
    match (estate.approver(), estate.unread(now)) {
        (Approver::Nobody | Approver::Github, Some(why)) => {
            let said = format!("whether the policy asks for one is not known: {why}; {WAY_ON}");
            Some(Gate::new(APPROVAL, Finding::Unknown, said))
        }
        (Approver::Nobody, None) => None,
        (Approver::Github, None) if demands_review(estate) => {
            Some(match review(estate, to, within, now) {
                Ok(said) => Gate::new(APPROVAL, Finding::Noted, said),
                Err(why) => {
                    let said = "the policy demands a review of GitHub's environment, and nothing here says that there was one";
                    Gate::new(REVIEW, Finding::Unknown, format!("{said}: {why}"))
                }
            })
        }
        (Approver::Github, None) => {
            let said = "GitHub's review of its environment is the approval here; none is asked for beside it";
            Some(Gate::new(APPROVAL, Finding::Noted, said))
        }
        (Approver::Other, _) => {
            let bound = decisive::bound(to, flips, estate);
            Some(judged(&bound, overrides, estate, now))
        }
    }
}

/// Whether it is the policy that makes GitHub's review the approval: whoever configures it themselves knows who reviews.
pub(in crate::ops) fn demands_review(estate: &Estate) -> bool {
    let is_said =
        matches!(estate.terms(), Some(Ok(terms)) if terms.approval == Some(Approver::Github));
    is_said && estate.approver() == Approver::Github
}

/// Who of GitHub's reviewers let the last deploy to the colour go on, a run of the workflow that was followed to its end, or
/// that of which `within` is; what that deployed is still there.
///
/// # Errors
/// Why nothing says so.
fn review(estate: &Estate, to: &Safe, within: Option<&Safe>, now: Now) -> Result<String, String> {
    let word = Plan::colour_in_words(to);
    if estate.currency(Kind::Records, now.at) != Currency::Live {
        return Err("the records of operations are not seen".to_owned());
    }
    let kinds = [OperationKind::Deploy, OperationKind::Release].map(OperationKind::word);
    let deploys = |record: &&Record| {
        let is_here = kept::namespace(record) == Some(&estate.scope.namespace);
        let kind = record.labels.get(kept::KIND);
        is_here && kind.is_some_and(|kind| kinds.contains(&kind.as_str()))
    };
    let mut records: Vec<&Record> = estate.records.value.iter().filter(deploys).collect();
    // By the server's clock, the newest first.
    records.sort_by(|a, b| (b.created, &b.name).cmp(&(a.created, &a.name)));
    let unknown = || {
        Err(format!(
            "what {word} runs was not deployed by a run that Wheelhouse started"
        ))
    };
    let followed = |record: &Record| {
        // What one that cannot be read deployed nobody knows.
        let Ok(kept) = kept::read(record) else {
            return Some(unknown());
        };
        let operation = kept.operation;
        let is_it = |plan: &&Plan| plan.to == *to && plan.is_behind(&estate.scope);
        let plan = operation.plan.as_ref().filter(is_it)?;
        let acts = |step: &Step| matches!(step, Step::Update(_) | Step::Run | Step::Dispatch);
        operation.states.keys().any(acts).then_some(())?;
        let is_host = within == Some(&kept.id) && operation.open_step() == Some(&Step::Follow);
        let is_followed = is_host || operation.has_passed(&Step::Follow);
        if !(matches!(plan.how, How::Workflow(_)) && is_followed) {
            return Some(unknown());
        }
        let run = operation
            .run
            .map_or_else(String::new, |run| format!(" {run}"));
        let by = match &operation.reviewed {
            Some(by) if !by.is_empty() => by,
            Some(_) => {
                let said = format!("GitHub let run{run} go on without anybody's review");
                return Some(Err(said));
            }
            None => return Some(Err(format!("who reviewed run{run} is not recorded"))),
        };
        // What its job does is on its way.
        let place = plan.place(estate);
        let changed = changed(&operation.reviewed_revisions, &revisions(estate, place));
        Some(match changed.filter(|_| !is_host) {
            Some(workloads) => Err(format!(
                "{workloads} changed since run{run} was reviewed and deployed it, by template or digest"
            )),
            None => Ok(format!("{}, run{run}", reviewed(by, &Revisions::new()))),
        })
    };
    let found = records.into_iter().find_map(followed);
    found.unwrap_or_else(unknown)
}

/// Whether the approval that lets the first flip be sent holds at this instant. `within`: as in [`approval`].
///
/// # Errors
/// Why not.
pub(in crate::ops) fn approved(
    plan: &Plan,
    within: Option<&Safe>,
    estate: &Estate,
    now: Now,
) -> Result<(), Safe> {
    if !plan.kind.cuts_over() {
        return Ok(());
    }
    // Whoever adopts it may have another configuration: what the plan stood on is asked all the same.
    let is_asked = |gate: &Gate| gate.name.as_str() == APPROVAL && gate.finding == Finding::Ok;
    let gate = match plan.gates.iter().any(is_asked) {
        true => Some(judged(
            &decisive::bound(&plan.to, &plan.flips, estate),
            &plan.overridden,
            estate,
            now,
        )),
        false => approval(&plan.to, &plan.flips, within, &plan.overridden, estate, now),
    };
    match gate {
        Some(gate) if gate.is_closed() && !plan.is_overridden(&gate.id()) => {
            Err(format!("{}: {}", gate.name, gate.said).into())
        }
        Some(_) | None => Ok(()),
    }
}

impl Plan {
    /// Whether an approval is all that it lacks.
    pub fn lacks_approval_alone(&self) -> bool {
        let mut closed = (self.gates.iter())
            .filter(|gate| gate.is_closed() && !self.is_overridden(&gate.id()))
            .peekable();
        closed.peek().is_some() && closed.all(|gate| is_of_approval(&gate.name))
    }

    /// The same, but for what the cutover itself passes over: one whom nobody lets see autoscalers, or tells what they may do, may
    /// ask all the same.
    pub fn may_be_asked_for(&self) -> bool {
        let mut rest = self.clone();
        let is_own = |gate: &Gate| [AUTOSCALERS, RIGHTS].contains(&gate.name.as_str());
        rest.gates.retain(|gate| !is_own(gate));
        rest.lacks_approval_alone()
    }
}

fn judged(bound: &Safe, overrides: &BTreeMap<Safe, Safe>, estate: &Estate, now: Now) -> Gate {
    match judge(bound, overrides, estate, now) {
        Ok(Ok(gate)) => gate,
        Ok(Err(why)) => Gate::new(APPROVAL, Finding::Bad, why),
        Err(why) => Gate::new(APPROVAL, Finding::Unknown, why),
    }
}

/// # Errors
/// It is not known, and why; within: it is not approved, and why.
fn judge(
    bound: &Safe,
    overrides: &BTreeMap<Safe, Safe>,
    estate: &Estate,
    now: Now,
) -> Result<Result<Gate, String>, String> {
    seen(estate, now)?;
    let papers = Papers::in_estate(estate);
    // One of a newer version may be a rejection.
    if let Some(unread) = papers.unread.iter().find(|it| it.plan == *bound) {
        return Err(format!("{}; delete it", unread.why));
    }
    let ended = papers.ended();
    let approvals = (papers.all.iter())
        .filter(|it| it.decision == Decision::Approved && it.plan == *bound)
        .filter(|it| !ended.contains(&it.request));
    let Some(server) = estate.told_time(now) else {
        return match approvals.count() {
            0 => Ok(Err(missing(&papers, bound))),
            _ => Err(
                "whether the approval still holds is not known: the server's clock is not"
                    .to_owned(),
            ),
        };
    };
    let lasts_s = estate.scope.approval.lasts_s;
    let (holding, over): (Vec<&Paper>, Vec<&Paper>) =
        approvals.partition(|it| server < it.ends(lasts_s));
    let mut why = None;
    for paper in holding.iter().rev() {
        if !papers.answers(paper) {
            let author = &paper.author;
            why = Some(format!(
                "the approval by {author} answers no request that is there: one that was asked for is needed"
            ));
            continue;
        }
        if let Some(id) = paper.lacks(overrides) {
            let author = &paper.author;
            why = Some(format!(
                "the approval by {author} passes over no {id}, which is overridden: ask anew, with that override"
            ));
            continue;
        }
        match counts(paper, estate.user.as_ref()) {
            Counts::Yes(finding) => {
                let until = clock(paper.ends(lasts_s));
                let said = format!("by {} until {until}: {}", paper.author, paper.reason);
                return Ok(Ok(Gate::new(APPROVAL, finding, said)));
            }
            Counts::No(said) => why = Some(said),
            Counts::Unknown(said) => return Err(said),
        }
    }
    if let Some(no) = rejection(&papers, bound) {
        let said = format!(
            "by {} at {}: {}; what is asked for anew is another request",
            no.author,
            clock(no.created),
            no.reason
        );
        return Ok(Ok(Gate::new(REJECTED, Finding::Bad, said)));
    }
    let over = over.last().map(|paper| {
        let since = clock(paper.ends(lasts_s));
        format!(
            "the approval by {} is over since {since}: ask for another",
            paper.author
        )
    });
    Ok(Err(why.or(over).unwrap_or_else(|| missing(&papers, bound))))
}

/// I-12: a gate that cannot be reached is closed.
fn seen(estate: &Estate, now: Now) -> Result<(), String> {
    let why = match estate.currency(Kind::Records, now.at) {
        Currency::Live => return Ok(()),
        Currency::Waiting => "approvals were not seen yet".into(),
        Currency::Stale => {
            let fault = estate.fault(Kind::Records).map(|fault| fault.what.clone());
            fault.unwrap_or_else(|| "no sign of life".into())
        }
    };
    Err(format!("whether it is approved is not known: {why}"))
}

enum Counts {
    Yes(Finding),
    No(String),
    Unknown(String),
}

/// I-48: whether `paper` is of another person than `user`, who would carry it out, and than whoever asked.
fn counts(paper: &Paper, user: Option<&Safe>) -> Counts {
    let author = &paper.author;
    match user {
        _ if is_program(author) => Counts::No(format!("{author} is a program and no other person")),
        _ if *author == paper.requester => Counts::No(format!(
            "{author} asked for it and may not approve it: one API user is one person"
        )),
        Some(user) if user.is_empty() => Counts::Unknown(format!(
            "the API does not say who you are (selfsubjectreviews), and so not whether {author} is another person"
        )),
        Some(user) if user == author => Counts::No(format!(
            "{author} approved it and may not carry it out: one API user is one person"
        )),
        Some(_) => Counts::Yes(Finding::Ok),
        // Who we are the worker asks, and this anew.
        None => Counts::Yes(Finding::Noted),
    }
}

/// The rejection of the newest request for it.
fn rejection<'a>(papers: &'a Papers, bound: &Safe) -> Option<&'a Paper> {
    let asked = papers.newest(Decision::Asked, bound);
    let no = papers.newest(Decision::Rejected, bound)?;
    asked
        .is_none_or(|asked| asked.id == no.request)
        .then_some(no)
}

/// Why there is none, and the way to one.
fn missing(papers: &Papers, bound: &Safe) -> String {
    if let Some(asked) = papers.newest(Decision::Asked, bound) {
        return format!("one other person's is waited for: {}", asked.words());
    }
    let other = (papers.all.iter()).rfind(|it| it.decision == Decision::Approved);
    match other {
        Some(other) => format!(
            "one other person's is needed; {} approved another revision or another flip ({}), which is void: ask anew",
            other.author, other.runs
        ),
        None => "one other person's is needed: ask for it".to_owned(),
    }
}
