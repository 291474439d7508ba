//! Operations from the screen: what each would do and stands on, why it may not be done, and what its
//! worker says. The plan is [`crate::ops::check`]'s; the worker asks it again over fresh reads.

mod approval;
mod barred;
mod deploy;
mod freeze;
mod sheet;
mod warm;

pub use approval::{propose_decision, propose_request};
pub use barred::{Barred, Hints, barred, barred_here, barred_hint, beside, hint};
pub use deploy::{Images, refill};
pub use freeze::{propose_follow_up, propose_freeze, propose_glass};
pub use sheet::sheet;
pub use warm::propose_warm;

use std::collections::BTreeMap;

use serde::Serialize;

use super::dialog::{Dialog, Field, Input};
use super::edit::Edit;
use super::facts::Facts;
use super::operations::{self, Hold};
use super::plan::{self, Subject};
use super::state::{Environment, Overlay, State};
use super::{Action, Ask, Command, Keymap, Permit};
use crate::estate::{Currency, FaultKind, Freeze, Kind, Safe, Tier};
use crate::ops::approval::Decision;
use crate::ops::freeze::{Because, Wanted as PolicyWanted};
use crate::ops::plan::{How, target};
use crate::ops::warm::Wanted as WarmWanted;
use crate::ops::{Kept, OperationKind, Plan, Refusal, RefusalKind, Request, check};

/// What is proposed.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Proposal {
    /// Its number: what its worker says carries it.
    pub number: u64,
    /// The environment's place in the configuration.
    pub environment: usize,
    /// What is to be done.
    pub wish: Wish,
    /// What it passes over.
    pub lifted: Lifted,
    /// What a deploy is to bring.
    pub images: Images,
    /// Where a rollback goes, as it was shown first: what is live may change while it is read.
    pub to: Option<Safe>,
    /// How far its worker is.
    pub worker: Worker,
    /// What its worker planned over its own reads, which is shown and confirmed where the screen's view is not current.
    pub planned: Option<Box<Plan>>,
}

/// What is to be done.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub enum Wish {
    /// A new operation.
    Start(OperationKind),
    /// Stop this one, and undo it.
    Abort(Safe),
    /// Take this one over.
    Adopt(Safe),
    /// End this one as it stands.
    Abandon(Safe),
    /// Freeze the environment, or thaw it.
    Policy {
        /// Which.
        wanted: PolicyWanted,
        /// The freeze that the screen showed.
        before: Option<Freeze>,
    },
    /// Follow up the glass that this one broke.
    CloseGlass(Safe),
    /// Say how long the idle colour is kept warm.
    Warm {
        /// How long.
        wanted: WarmWanted,
        /// What the screen showed it to be about ([`crate::ops::warm::Draft::stands_on`]).
        shown: Safe,
    },
    /// Ask for another person's approval of a cutover.
    AskApproval {
        /// The colour that the screen showed.
        to: Safe,
        /// The hash of what would go live as the screen showed it ([`Plan::bound`]).
        bound: Safe,
    },
    /// Decide on what was asked for.
    Decide {
        /// The request.
        id: Safe,
        /// How.
        decision: Decision,
    },
}

impl Wish {
    /// In a word, or a few.
    fn word(&self) -> &'static str {
        match self {
            Self::Start(kind) => kind.word(),
            Self::Abort(_) => "abort",
            Self::Adopt(_) => "adopt",
            Self::Abandon(_) => "abandon",
            Self::Policy { wanted, .. } => wanted.word(),
            Self::CloseGlass(_) => "close-glass",
            Self::Warm { wanted, .. } => wanted.word(),
            Self::AskApproval { .. } | Self::Decide { .. } => "approval",
        }
    }
}

/// How far a proposal's worker is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub enum Worker {
    /// Not needed yet: the plan is refused, or nothing is to be prepared.
    Absent,
    /// Wanted: it connects and reads.
    Wanted,
    /// It waits for the confirmation.
    Ready,
    /// It was told to go.
    Sent,
    /// There will be no operation; why.
    Refused(Safe),
}

/// What a worker or a single write says.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub enum Heard {
    /// It waits for the confirmation of this plan.
    Ready(Box<Plan>),
    /// The operation's id: it is under way.
    Began(Safe),
    /// It is done, in words.
    Done(Safe),
    /// There will be none; why.
    Refused(Safe),
}

/// A worker that the screen wants prepared.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Wanted {
    /// The proposal's number.
    pub number: u64,
    /// The environment's place in the configuration.
    pub environment: usize,
    /// What it is asked for; the reasons come with the confirmation.
    pub request: Request,
}

/// What of the checks is passed over, each for a reason that comes with the confirmation.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Lifted {
    /// The gates that it overrides, by id: those that were closed when it was opened, if all of them may be.
    pub overrides: Vec<Safe>,
    /// Whether it passes over a freeze.
    pub glass: bool,
}

/// An operation that this cockpit began.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Begun {
    /// The environment's place in the configuration.
    pub environment: usize,
    /// The operation's id.
    pub id: Safe,
}

/// What was confirmed here and is not answered yet.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Sent {
    /// The proposal's number.
    pub number: u64,
    /// What, and of which environment.
    pub what: Safe,
}

/// Opens the plan of a new operation of the environment on the screen.
pub fn propose(state: &mut State, kind: OperationKind) {
    let scope = &state.estate().scope;
    let needs_colours = matches!(
        kind,
        OperationKind::Cutover
            | OperationKind::Repair
            | OperationKind::Cleanup
            | OperationKind::Release
    );
    if scope.traffic.is_none() && needs_colours {
        let said = format!(
            "{} has no traffic to move: no [environment.traffic]",
            scope.name
        );
        state.tell(&said);
        return;
    }
    let tier = state.estate().tier();
    let (ask, fields) = match kind {
        OperationKind::Rollback => (Ask::Word("rollback".into()), Vec::new()),
        // It changes nothing.
        OperationKind::Smoke => (Ask::Enter, Vec::new()),
        OperationKind::Deploy | OperationKind::Release => {
            let mut fields: Vec<Field> = deploy::field(state).into_iter().collect();
            fields.push(reason(tier));
            if !overridable(state, kind).is_empty() {
                fields.push(Field {
                    name: OVERRIDE,
                    is_required: true,
                    ..reason(tier)
                });
            }
            (Ask::of(tier, word(state)), fields)
        }
        OperationKind::Cutover | OperationKind::Repair | OperationKind::Cleanup => {
            let word = word(state);
            let mut fields = vec![reason(tier)];
            if !overridable(state, kind).is_empty() {
                fields.push(Field {
                    name: OVERRIDE,
                    is_required: true,
                    ..reason(tier)
                });
            }
            (Ask::of(tier, word), fields)
        }
    };
    open(state, Wish::Start(kind), ask, fields, false);
}

/// Opens the plan of what is to become of the operation on the screen.
pub fn propose_about(state: &mut State, wish: fn(Safe) -> Wish) {
    let environment = state.environment();
    let Some(id) = environment.operations.open().map(|kept| kept.id.clone()) else {
        let name = &environment.estate.scope.name;
        let said = format!("no operation of {name} is under way");
        state.tell(&said);
        return;
    };
    let wish = wish(id);
    let tier = environment.estate.tier();
    let fields = match &wish {
        Wish::Adopt(_) => Vec::new(),
        _ => vec![Field {
            is_required: true,
            ..reason(tier)
        }],
    };
    let ask = Ask::of(tier, wish.word().into());
    open(state, wish, ask, fields, false);
}

fn open(state: &mut State, wish: Wish, ask: Ask, fields: Vec<Field>, glass: bool) {
    state.proposals += 1;
    let overrides = match &wish {
        Wish::Start(kind) => overridable(state, *kind),
        Wish::Abort(_)
        | Wish::Adopt(_)
        | Wish::Abandon(_)
        | Wish::Policy { .. }
        | Wish::CloseGlass(_)
        | Wish::Warm { .. }
        | Wish::AskApproval { .. }
        | Wish::Decide { .. } => Vec::new(),
    };
    let mut proposal = Proposal {
        number: state.proposals,
        environment: state.selected,
        wish,
        lifted: Lifted { overrides, glass },
        images: Images::of(state.environment(), &fields, 0),
        to: None,
        worker: Worker::Absent,
        planned: None,
    };
    // An old view does not say where back is: then nothing is pinned, and its worker looks.
    if let Wish::Start(OperationKind::Rollback) = proposal.wish {
        let (plan, refused) = judged_of(state, &proposal, OperationKind::Rollback);
        let plan = plan.filter(|_| refused.is_none());
        proposal.to = plan.map(|plan| plan.to).filter(|to| !to.is_empty());
    }
    want(state, &mut proposal);
    plan::open(state, Subject::Operation(Box::new(proposal)), fields, ask);
}

/// The field for why closed gates do not count.
const OVERRIDE: &str = "override";

/// The gates that stand in the way, if all of them may be overridden and none merely was not asked yet.
fn overridable(state: &State, kind: OperationKind) -> Vec<Safe> {
    let estate = state.estate();
    let request = match kind {
        OperationKind::Deploy | OperationKind::Release => {
            barred::asked(state, kind, &Lifted::default())
        }
        _ => plain(state, kind),
    };
    if is_unasked(state, &request) {
        return Vec::new();
    }
    let refused = check(&request, estate, state.now).err();
    let plan = refused.and_then(|refusal| refusal.plan);
    plan.and_then(|plan| plan.overridable()).unwrap_or_default()
}

/// Whether monitoring, where there is one to ask about that, has not answered yet.
fn is_unasked(state: &State, request: &Request) -> bool {
    let estate = state.estate();
    let (Some(alerts), Some(colour)) = (&estate.alerts, target(request, estate)) else {
        return false;
    };
    // Without a colour the screen asks no query.
    let is_read = |query| colour.is_empty() || alerts.readings.of(query, &colour).is_some();
    let is_waiting = alerts.rules.currency(state.now.at) == Currency::Waiting;
    is_waiting || !alerts.scope.gates.queries.iter().all(is_read)
}

fn reason(tier: Tier) -> Field {
    Field {
        name: "reason",
        input: Input::Text(Edit::default()),
        is_required: tier == Tier::Production,
    }
}

/// Whoever sits here, as far as the screen knows: the API tells when it is done. The dialog itself asks why.
fn because(state: &State, why: &str) -> Because {
    Because {
        who: "".into(),
        seat: state.author.clone(),
        why: if why.is_empty() { "…" } else { why }.into(),
    }
}

/// What production types: the environment and the first Service of its configuration, for every act the same, and
/// whether or not a plan can be made yet.
fn word(state: &State) -> Safe {
    let scope = &state.estate().scope;
    let service = scope.traffic.as_ref().and_then(|t| t.services.first());
    service.map_or_else(
        || scope.name.clone(),
        |service| format!("{}/{service}", scope.name).into(),
    )
}

/// The plan of `proposal`, and why it is refused: of a rollback as its worker has it, where the screen's view is not current.
fn judged_of(
    state: &State,
    proposal: &Proposal,
    kind: OperationKind,
) -> (Option<Plan>, Option<Safe>) {
    let request = requested(state, proposal, kind);
    let (plan, why) = match &proposal.planned {
        // Its worker goes there, whatever is live by now.
        Some(planned) => {
            let request = request.map(|request| request.pinned_to(&planned.to));
            judged(state, proposal.environment, request)
        }
        None => judged(state, proposal.environment, request),
    };
    match &proposal.planned {
        _ if !is_blind(state, proposal) => (plan, why),
        Some(planned) => (Some((**planned).clone()), None),
        // Where back is, and what runs by now, its worker's plan tells: nobody confirms what an old view says.
        None => (
            plan,
            why.or_else(|| Some("what runs by now may be another".into())),
        ),
    }
}

/// What a rollback is judged by.
const DECIDING: [Kind; 5] = [
    Kind::Services,
    Kind::Pods,
    Kind::Deployments,
    Kind::ReplicaSets,
    Kind::Leases,
];

/// Whether it is a rollback, and the screen's view of what decides it was never listed or is stale: then its worker's fresh reads
/// decide, and nothing that is old stands in its way (SAFETY, rule 9; I-45). So is what helm keeps, which no screen asks.
fn is_blind(state: &State, proposal: &Proposal) -> bool {
    proposal.wish == Wish::Start(OperationKind::Rollback)
        && (is_old(state, proposal.environment) || is_of_helm(state, proposal.environment))
}

/// Whether the way back is a revision of helm's.
fn is_of_helm(state: &State, at: usize) -> bool {
    let environment = &state.environments[at];
    matches!(
        environment.how.back(&environment.estate.scope),
        How::Helm(_)
    )
}

fn is_old(state: &State, at: usize) -> bool {
    let estate = &state.environments[at].estate;
    // What may never be seen here its worker may not see either, and no later look makes it newer.
    let is_barred = |kind: &Kind| {
        let fault = estate.fault(*kind).map(|fault| fault.kind);
        matches!(kind, Kind::ReplicaSets | Kind::Leases)
            && matches!(fault, Some(FaultKind::Forbidden | FaultKind::Missing))
    };
    let is_old =
        |kind: &Kind| estate.currency(*kind, state.now.at) != Currency::Live && !is_barred(kind);
    DECIDING.iter().any(is_old)
}

/// Whether its worker's plan is awaited before anything can be confirmed.
fn is_awaited(state: &State, proposal: &Proposal) -> bool {
    let is_before = matches!(proposal.worker, Worker::Absent | Worker::Wanted);
    is_before && is_blind(state, proposal)
}

/// The plan as the screen's estate has it, and why it is refused.
fn judged(
    state: &State,
    at: usize,
    request: Result<Request, Safe>,
) -> (Option<Plan>, Option<Safe>) {
    let environment = &state.environments[at];
    let request = match request {
        Ok(request) => request,
        Err(why) => return (None, Some(why)),
    };
    match check(&request, &environment.estate, state.now) {
        Ok(plan) => match busy(&state.keymap, environment.operations.open(), request.kind) {
            None => (Some(plan), None),
            Some(Refusal { why, .. }) => (Some(plan), Some(why)),
        },
        Err(refusal) => (refusal.plan.map(|plan| *plan), Some(refusal.why)),
    }
}

/// The request of an operation that nothing was said about yet.
fn plain(state: &State, kind: OperationKind) -> Request {
    request(
        state.environment(),
        kind,
        &Lifted::default(),
        &BTreeMap::new(),
    )
}

/// The request of `proposal`, or why what was filled in makes none.
fn requested(state: &State, proposal: &Proposal, kind: OperationKind) -> Result<Request, Safe> {
    let environment = &state.environments[proposal.environment];
    let images = proposal.images.read.as_ref().map_err(Clone::clone)?;
    let request = request(environment, kind, &proposal.lifted, images);
    Ok(match &proposal.to {
        Some(to) => request.pinned_to(to),
        None => request,
    })
}

/// What a worker is asked for; the reasons come with the confirmation.
fn request(
    environment: &Environment,
    kind: OperationKind,
    lifted: &Lifted,
    images: &BTreeMap<Safe, Safe>,
) -> Request {
    Request {
        images: images.clone(),
        how: match kind {
            OperationKind::Deploy | OperationKind::Release => environment.how.of(images),
            OperationKind::Rollback => environment.how.back(&environment.estate.scope),
            _ => How::Image,
        },
        probes: match kind {
            OperationKind::Smoke | OperationKind::Release | OperationKind::Cutover => {
                environment.probes.clone()
            }
            _ => Vec::new(),
        },
        ..bare(kind, lifted)
    }
}

/// The same without what a deploy and a smoke test need.
pub(super) fn bare(kind: OperationKind, lifted: &Lifted) -> Request {
    Request {
        overrides: (lifted.overrides.iter())
            .map(|gate| (gate.clone(), "".into()))
            .collect(),
        break_glass: (lifted.glass).then(|| "for the reason below".into()),
        ..Request::new(kind)
    }
}

/// An operation that is not over stands in the way of all but a rollback.
fn busy(keymap: &Keymap, open: Option<&Kept>, kind: OperationKind) -> Option<Refusal> {
    let open = open.filter(|_| kind != OperationKind::Rollback)?;
    let by = open
        .operation
        .by
        .as_ref()
        .map_or("somebody", |by| operations::who(by));
    let what = open
        .operation
        .plan
        .as_ref()
        .map_or("an operation", |p| p.kind.word());
    let [abort, adopt, back] =
        [Action::Abort, Action::Adopt, Action::Rollback].map(|it| keymap.key_of(it));
    let why = format!(
        "{what} by {by} is not over: {abort} aborts it, {adopt} adopts it when its worker is gone, {back} rolls back"
    );
    Some(Refusal {
        kind: RefusalKind::Held,
        why: why.into(),
        plan: None,
    })
}

/// Why the proposal may not be done now.
fn refused(state: &State, proposal: &Proposal, screen: Option<Safe>) -> Option<Safe> {
    if let Worker::Refused(why) = &proposal.worker {
        return Some(why.clone());
    }
    screen.or_else(|| permit(state, proposal).err())
}

/// The right to change the environment; none where none is needed (SAFETY, rule 9).
fn permit(state: &State, proposal: &Proposal) -> Result<Option<Permit>, Safe> {
    // An abort only stops and brings back, and headless takes no window either.
    if let Wish::Start(OperationKind::Rollback | OperationKind::Smoke) | Wish::Abort(_) =
        proposal.wish
    {
        return Ok(None);
    }
    let environment = &state.environments[proposal.environment];
    let name = &environment.estate.scope.name;
    environment.access.permit(name, state.now.at).map(Some)
}

/// Why the operation itself is in no state for it.
fn misplaced(state: &State, proposal: &Proposal) -> Option<Safe> {
    let environment = &state.environments[proposal.environment];
    if let Wish::CloseGlass(id) = &proposal.wish {
        return freeze::closed(state, proposal, id);
    }
    let (Wish::Abort(id) | Wish::Adopt(id) | Wish::Abandon(id)) = &proposal.wish else {
        return approval::misplaced(state, proposal);
    };
    let Some(kept) = environment.operations.get(id) else {
        return Some("its record is gone".into());
    };
    if let Some((outcome, _)) = &kept.operation.closed {
        return Some(format!("it is over: {}", outcome.word()).into());
    }
    let key = |action| state.keymap.key_of(action);
    let back = || key(Action::Rollback);
    match (
        &proposal.wish,
        operations::hold(&environment.estate, kept, state.now),
    ) {
        (Wish::Abort(_), Hold::Orphaned { .. }) => Some(
            format!(
                "nobody would read it, its worker is gone: adopt it first ({}), or roll back ({})",
                key(Action::Adopt),
                back()
            )
            .into(),
        ),
        // The third way of a decision that it waits for: traffic stays.
        (Wish::Abandon(_), Hold::Alive { .. }) if kept.operation.is_for_a_person() => None,
        (Wish::Adopt(_) | Wish::Abandon(_), Hold::Alive { holder, .. }) => Some(
            format!(
                "{holder} carries it out: abort it ({}), or roll back ({}), which cuts it off",
                key(Action::Abort),
                back()
            )
            .into(),
        ),
        (Wish::Abort(_), _) if kept.operation.abort.is_some() => {
            Some("that is asked already: it stops at the next boundary".into())
        }
        _ => None,
    }
}

/// What the plan stands on. What moves by itself (ages, resourceVersions, heartbeats) stays out.
pub fn facts(state: &State, proposal: &Proposal) -> Facts {
    let environment = &state.environments[proposal.environment];
    let facts = Facts::default().with("environment", &environment.estate.scope.name);
    match &proposal.wish {
        Wish::Policy { .. } => freeze::facts(state, proposal, facts),
        Wish::Warm { .. } => warm::facts(state, proposal, facts),
        Wish::AskApproval { .. } | Wish::Decide { .. } => approval::facts(state, proposal, facts),
        Wish::Start(kind) => match judged_of(state, proposal, *kind) {
            (Some(plan), _) => decisive(facts, &plan),
            (None, why) => facts.with("the plan", why.unwrap_or_else(|| "".into())),
        },
        Wish::Abort(id) | Wish::Adopt(id) | Wish::Abandon(id) | Wish::CloseGlass(id) => {
            let kept = environment.operations.get(id);
            let state = match kept.map(|kept| &kept.operation.closed) {
                None => "gone",
                Some(None) => "under way",
                Some(Some((outcome, _))) => outcome.word(),
            };
            let holder = kept.and_then(|kept| kept.operation.holder.clone());
            (facts.with("the operation", id))
                .with("its state", state)
                .with("its worker", holder.unwrap_or_else(|| "nobody".into()))
        }
    }
}

/// The parts of the hash that can be told, and the hash. A rollback stands on where it goes alone: the cutover that it is to cut
/// off may flip the next Service while the plan is read, and that is no reason to confirm anew.
fn decisive(facts: Facts, plan: &Plan) -> Facts {
    let facts = facts.with("the target", &plan.to);
    if plan.kind == OperationKind::Rollback {
        return facts.with("what it brings back", plan.brings_back());
    }
    let selectors: Vec<String> = (plan.flips.iter())
        .map(|f| {
            format!(
                "{} {}",
                f.service,
                f.from.get(&plan.key).map_or("unset", |v| v.as_str())
            )
        })
        .collect();
    let facts = facts.with("the selectors", selectors.join(", "));
    let checks: Vec<String> = (plan.gates.iter())
        .filter(|gate| !matches!(gate.name.as_str(), "lock" | "current" | "rights"))
        .map(|gate| format!("{} {:?}", gate.id(), gate.finding))
        .collect();
    let images: Vec<String> = (plan.images.iter())
        .map(|i| format!("{} {}", i.workload, words(&i.to)))
        .collect();
    (facts.with("the checks", checks.join(", ")))
        .with("what runs", images.join(", "))
        .with("the plan", &plan.hash)
}

fn words(images: &[Safe]) -> String {
    match images.is_empty() {
        true => "nothing".to_owned(),
        false => images
            .iter()
            .map(Safe::as_str)
            .collect::<Vec<_>>()
            .join(", "),
    }
}

/// Has a worker wanted as soon as the screen's own plan is not refused, or cannot tell.
pub fn want(state: &State, proposal: &mut Proposal) {
    if let (Wish::Start(kind), Worker::Absent) = (&proposal.wish, &proposal.worker)
        && !proposal.images.is_typed
        && (is_blind(state, proposal) || judged_of(state, proposal, *kind).1.is_none())
        && permit(state, proposal).is_ok()
    {
        proposal.worker = Worker::Wanted;
    }
}

/// The worker that the open plan wants prepared.
pub fn wanted(state: &State) -> Option<Wanted> {
    let proposal = proposal(state)?;
    let Wish::Start(kind) = proposal.wish else {
        return None;
    };
    let is_wanted = matches!(proposal.worker, Worker::Wanted | Worker::Ready);
    is_wanted.then_some(Wanted {
        number: proposal.number,
        environment: proposal.environment,
        request: requested(state, proposal, kind).ok()?,
    })
}

fn proposal(state: &State) -> Option<&Proposal> {
    let Some(Overlay::Plan(plan)) = &state.overlay else {
        return None;
    };
    match &plan.subject {
        Subject::Operation(proposal) => Some(proposal),
        Subject::Act(_) | Subject::Review(_) => None,
    }
}

fn proposal_mut(state: &mut State) -> Option<&mut Proposal> {
    let Some(Overlay::Plan(plan)) = &mut state.overlay else {
        return None;
    };
    match &mut plan.subject {
        Subject::Operation(proposal) => Some(proposal),
        Subject::Act(_) | Subject::Review(_) => None,
    }
}

/// A worker that refused is asked anew, by another worker.
pub fn again(state: &mut State, proposal: &mut Proposal) {
    renumber(state, proposal);
    want(state, proposal);
}

/// The worker that it had is none of its any more.
fn renumber(state: &mut State, proposal: &mut Proposal) {
    state.proposals += 1;
    proposal.number = state.proposals;
    proposal.worker = Worker::Absent;
    proposal.planned = None;
}

/// Sends what was confirmed. The plan stays open until the worker says what became of it.
///
/// # Errors
/// Why not, and how to proceed.
pub fn begin(state: &mut State, proposal: &mut Proposal, dialog: &Dialog) -> Result<Command, Safe> {
    let permit = permit(state, proposal)?;
    if let Some(why) = misplaced(state, proposal) {
        return Err(why);
    }
    let name = state.environments[proposal.environment]
        .estate
        .scope
        .name
        .clone();
    let field = match proposal.wish {
        Wish::CloseGlass(_) => "note",
        _ => "reason",
    };
    let reason = Some(dialog.value(field))
        .filter(|why| !why.is_empty())
        .map(Safe::new);
    let (number, environment, of) = (proposal.number, proposal.environment, name.clone());
    let command = match &proposal.wish {
        Wish::Start(kind) => {
            let (Some(plan), None) = judged_of(state, proposal, *kind) else {
                return Err("the facts changed: look, and plan again".into());
            };
            // The hash that the person saw: the worker compares it with its own fresh reads.
            Command::Go {
                number,
                environment,
                name,
                hash: plan.hash,
                reason,
                overridden: (Some(dialog.value(OVERRIDE)))
                    .filter(|why| !why.is_empty())
                    .map(Safe::new),
                permit,
            }
        }
        wish => Command::Operate {
            number,
            environment,
            name,
            wish: match wish {
                Wish::Policy { wanted, before } => {
                    freeze::begin(state, proposal, wanted, before.as_ref(), dialog)?
                }
                Wish::Warm { .. } => warm::begin(state, proposal, dialog)?,
                wish => wish.clone(),
            },
            reason: reason.unwrap_or_else(|| "".into()),
            permit,
        },
    };
    let what = format!("{} of {of}", proposal.wish.word()).into();
    state.sent.push(Sent { number, what });
    proposal.worker = Worker::Sent;
    Ok(command)
}

/// Takes what a worker or a write says of proposal `number`.
pub fn hear(state: &mut State, number: u64, environment: usize, heard: Heard) {
    let is_open = proposal(state).is_some_and(|p| p.number == number);
    let is_answer = !matches!(heard, Heard::Ready(_));
    (state.sent).retain(|sent| !(is_answer && sent.number == number));
    match heard {
        Heard::Ready(plan) => ready(state, number, plan),
        Heard::Began(id) => {
            if is_open {
                state.overlay = None;
            }
            state.tell(&begun(&id));
            state.begun.push(Begun { environment, id });
        }
        Heard::Done(words) => {
            if is_open {
                state.overlay = None;
            }
            state.tell(&words);
        }
        Heard::Refused(why) => match proposal_mut(state).filter(|p| p.number == number) {
            Some(proposal) => proposal.worker = Worker::Refused(why),
            None => state.tell(&format!("refused: {why}")),
        },
    }
}

/// What is said of an operation that began: short, for it stands over the operation itself in a small window.
fn begun(id: &Safe) -> String {
    format!("begun: {id}")
}

/// That an operation began is not said any more when it is over.
pub fn ended(state: &mut State) {
    let is_over = |it: &&Begun| {
        let kept = state.environments[it.environment].operations.get(&it.id);
        kept.is_some_and(|kept| kept.operation.closed.is_some())
    };
    let mut over = state.begun.iter().filter(is_over);
    let is_said = |n: &super::Notice| over.any(|it| *n.text == *begun(&it.id));
    if state.notice.as_ref().is_some_and(is_said) {
        state.notice = None;
    }
}

/// The worker of proposal `number` has its plan. A dialog that waited for it begins anew with it: what was typed before was meant
/// for nothing that could be seen.
fn ready(state: &mut State, number: u64, planned: Box<Plan>) {
    let Some(Overlay::Plan(mut open)) = state.overlay.take_if(|o| matches!(o, Overlay::Plan(_)))
    else {
        return;
    };
    if let Subject::Operation(proposal) = &mut open.subject
        && (proposal.number, &proposal.worker) == (number, &Worker::Wanted)
    {
        let was_awaited = is_awaited(state, proposal);
        proposal.worker = Worker::Ready;
        proposal.planned = Some(planned);
        if was_awaited {
            open.dialog.restart(facts(state, proposal), state.now.at);
        }
    }
    state.overlay = Some(Overlay::Plan(open));
}

/// What goes on when the cockpit ends: a line for each operation that it began and that is not over; and what nobody
/// answered yet.
pub fn farewell(state: &State) -> Vec<Safe> {
    let mut lines: Vec<Safe> = (state.begun.iter())
        .filter(|begun| {
            let kept = state.environments[begun.environment]
                .operations
                .get(&begun.id);
            kept.is_none_or(|kept| kept.operation.closed.is_none())
        })
        .map(|begun| {
            let id = &begun.id;
            format!("operation {id} goes on in its worker; `wheelhouse op watch {id}`").into()
        })
        .collect();
    lines.extend(state.sent.iter().map(|Sent { what, .. }| {
        format!("{what}: just confirmed, and not answered; `wheelhouse op list` and `wheelhouse status` say what became of it").into()
    }));
    lines
}
