//! Why a key would be refused, before it is pressed: what help and palette grey, and what stands beside the idle colour.
//! The dialog that the key opens all the same says it whole.

use std::collections::BTreeMap;

use super::{
    Images, Lifted, Proposal, Wish, Worker, approval, busy, freeze, is_old, misplaced, permit,
    request, warm,
};
use crate::app::state::{Overlay, State};
use crate::app::{Action, acts, approvals};
use crate::estate::{Estate, Need, Safe, ServiceView, Standing};
use crate::ops::freeze::Wanted as PolicyWanted;
use crate::ops::marks;
use crate::ops::plan::{How, SAME};
use crate::ops::{Finding, Gate, OperationKind, Refusal, RefusalKind, Request, check};

/// Why something may not be done now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Barred {
    /// The reason, and the way on, as the dialog says it.
    pub why: Safe,
    /// The same in a few words, where there is little room.
    pub brief: Safe,
    /// In a word or two, where there is none.
    pub word: Safe,
    /// Whether a window for changes is all that it lacks.
    pub is_read_only: bool,
}

/// Why what `action` plans would be refused in the environment on the screen; none where it would not, or plans nothing.
pub fn barred(state: &State, action: Action) -> Option<Barred> {
    match action {
        Action::Cutover => barred_hint(state, OperationKind::Cutover),
        // Its worker looks for itself then.
        Action::Rollback if is_old(state, state.selected) => None,
        Action::Rollback => barred_hint(state, OperationKind::Rollback),
        Action::Repair => barred_hint(state, OperationKind::Repair),
        Action::Deploy => barred_hint(state, OperationKind::Deploy),
        Action::Smoke => barred_hint(state, OperationKind::Smoke),
        Action::Release => barred_hint(state, OperationKind::Release),
        Action::Cleanup => barred_hint(state, OperationKind::Cleanup),
        Action::BreakGlass => match state.estate().standing(state.now) {
            Standing::Free => Some(Barred::said("nothing is frozen here")),
            Standing::Frozen(_) | Standing::Wrong(_) | Standing::Unseen(_) => {
                let lifted = Lifted {
                    glass: true,
                    ..Lifted::default()
                };
                started(state, OperationKind::Cutover, &lifted)
            }
        },
        Action::Abort => about(state, Wish::Abort),
        Action::Adopt => about(state, Wish::Adopt),
        Action::Abandon => about(state, Wish::Abandon),
        Action::Freeze => {
            let wanted = PolicyWanted::Freeze(None);
            freeze::refused(state, &wanted).map_or_else(|| barred_here(state), whole)
        }
        Action::Thaw => {
            freeze::refused(state, &PolicyWanted::Thaw).map_or_else(|| barred_here(state), whole)
        }
        Action::Warm => warm::refused(state).map_or_else(|| barred_here(state), whole),
        Action::CloseGlass => match state.environment().operations.open_glass().is_empty() {
            true => Some(Barred::said("no glass is broken here")),
            false => barred_here(state),
        },
        Action::AskApproval if !approvals::is_asked_for(state.estate()) => {
            Some(Barred::said("nobody's approval is needed here"))
        }
        Action::AskApproval => {
            let refused = approval::refused(state);
            refused.map_or_else(|| barred_here(state), whole)
        }
        Action::Silence | Action::ExtendSilence => unsilenced(state, Need::Silences),
        Action::ExpireSilence => unsilenced(state, Need::Expires),
        _ => None,
    }
}

/// Why nothing can be done about a silence here.
fn unsilenced(state: &State, need: Need) -> Option<Barred> {
    let denied = || acts::denied(state.environment(), need);
    let no_right = |why| Barred::new(why, ["no right", "no right"]);
    barred_here(state).or_else(|| denied().map(no_right))
}

/// Why an operation of that kind may not be begun, with nothing overridden; of a large estate as [`hint`] found it.
pub fn barred_hint(state: &State, kind: OperationKind) -> Option<Barred> {
    let known = state.hints.of(place(state), kind).cloned();
    known.unwrap_or_else(|| started(state, kind, &Lifted::default()))
}

/// Finds out what the next frame says of operations. It is drawn all the time, so a large estate is asked once a second.
pub fn hint(state: &mut State) {
    let (place, is_large) = (place(state), is_large(state.estate()));
    if state.hints.place != place || !is_large {
        state.hints = Hints {
            place,
            known: Vec::new(),
        };
    }
    if !is_large {
        return;
    }
    for kind in drawn(state) {
        if state.hints.of(place, kind).is_none() {
            let barred = started(state, kind, &Lifted::default());
            state.hints.known.push((kind, barred));
        }
    }
}

/// What the screen says why it may not be begun: what stands beside the idle colour, and all where keys or commands are
/// listed.
fn drawn(state: &State) -> Vec<OperationKind> {
    if let Some(Overlay::Help(_) | Overlay::Palette(_)) = state.overlay {
        return OperationKind::ALL.to_vec();
    }
    let switched = state.estate().live_colour().map(|live| beside(state, live));
    switched.into_iter().collect()
}

/// What the key beside the idle colour plans: the way back where a cutover left it for `live`, else the way on.
pub fn beside(state: &State, live: usize) -> OperationKind {
    let estate = state.estate();
    let to = (estate.scope.traffic.as_ref()).and_then(|switch| switch.colours.get(live));
    let left_it = |view: &ServiceView<'_>| {
        let flip = view.service.and_then(marks::flipped);
        flip.is_some_and(|flip| Some(&flip.to) == to && flip.cut_over())
    };
    match estate.service_views().iter().any(left_it) {
        true => OperationKind::Rollback,
        false => OperationKind::Cutover,
    }
}

/// The environment on the screen, and the second.
fn place(state: &State) -> (usize, u64) {
    (state.selected, state.now.at.0 / 1_000)
}

/// What was found of a large environment within a second.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Hints {
    place: (usize, u64),
    known: Vec<(OperationKind, Option<Barred>)>,
}

impl Hints {
    /// What was found of that kind there and then.
    fn of(&self, place: (usize, u64), kind: OperationKind) -> Option<&Option<Barred>> {
        let known = self.known.iter().filter(|_| self.place == place);
        known
            .into_iter()
            .find_map(|(of, barred)| (*of == kind).then_some(barred))
    }
}

/// Pods, and alerts, that cost a frame nothing worth mentioning.
const MANY: (usize, usize) = (500, 50);

fn is_large(estate: &Estate) -> bool {
    let rules = estate.alerts.iter().flat_map(|it| &it.rules.value.rules);
    let alerts: usize = rules.map(|rule| rule.alerts.len()).sum();
    estate.pods.value.len() > MANY.0 || alerts > MANY.1
}

fn started(state: &State, kind: OperationKind, lifted: &Lifted) -> Option<Barred> {
    let environment = state.environment();
    let estate = &environment.estate;
    let asked = asked(state, kind, lifted);
    match check(&asked, estate, state.now) {
        // What is still to be filled in is no reason.
        Err(Refusal {
            kind: RefusalKind::Invalid,
            plan: None,
            ..
        }) if kind_is_told(kind) && !environment.how.is_image() => {}
        Err(refusal) => return Some(Barred::refused(refusal, estate)),
        Ok(_) => {}
    }
    if let Some(Refusal { why, .. }) = busy(&state.keymap, environment.operations.open(), kind) {
        return Some(Barred::new(why, UNDER_WAY));
    }
    match kind {
        OperationKind::Rollback | OperationKind::Smoke => None,
        OperationKind::Cutover
        | OperationKind::Repair
        | OperationKind::Deploy
        | OperationKind::Cleanup
        | OperationKind::Release => barred_here(state),
    }
}

/// Whether images are filled in when it is planned.
fn kind_is_told(kind: OperationKind) -> bool {
    matches!(kind, OperationKind::Deploy | OperationKind::Release)
}

/// The request as far as it can be told before anything is filled in: with the images that are there.
pub(super) fn asked(state: &State, kind: OperationKind, lifted: &Lifted) -> Request {
    let environment = state.environment();
    let same = || {
        let workloads = environment.estate.scope.workloads.iter();
        workloads.map(|w| (w.name.clone(), SAME.into())).collect()
    };
    let images: BTreeMap<Safe, Safe> = match (&environment.how, kind_is_told(kind)) {
        (How::Image, true) => same(),
        _ => BTreeMap::new(),
    };
    request(environment, kind, lifted, &images)
}

/// Why nothing can become of the operation on the screen that way.
fn about(state: &State, wish: fn(Safe) -> Wish) -> Option<Barred> {
    let Some(open) = state.environment().operations.open() else {
        return Some(Barred::said("no operation is under way"));
    };
    let proposal = plain(state, wish(open.id.clone()));
    misplaced(state, &proposal).map_or_else(|| barred_here(state), whole)
}

/// A proposal that nothing was said about yet.
pub(super) fn plain(state: &State, wish: Wish) -> Proposal {
    Proposal {
        number: 0,
        environment: state.selected,
        wish,
        lifted: Lifted::default(),
        images: Images::of(state.environment(), &[], 0),
        to: None,
        worker: Worker::Absent,
        planned: None,
    }
}

/// Why nothing may be changed here; none where it may.
pub fn barred_here(state: &State) -> Option<Barred> {
    let write = Wish::Start(OperationKind::Cutover);
    let why = permit(state, &plain(state, write)).err()?;
    Some(Barred {
        is_read_only: true,
        ..Barred::new(why, ["read-only: :write 15m", "read-only"])
    })
}

fn whole(why: Safe) -> Option<Barred> {
    Some(Barred::said(&why))
}

impl Barred {
    fn new(why: Safe, [brief, word]: [&str; 2]) -> Self {
        Self {
            why,
            brief: brief.into(),
            word: word.into(),
            is_read_only: false,
        }
    }

    fn said(why: &str) -> Self {
        Self::new(why.into(), [why, "refused"])
    }

    fn refused(refusal: Refusal, estate: &Estate) -> Self {
        let Some(plan) = &refusal.plan else {
            return Self::said(&refusal.why);
        };
        let is_it = |gate: &&Gate| *refusal.why == *format!("{}: {}", gate.id(), gate.said);
        let to = (estate.scope.traffic.as_ref()).and_then(|switch| switch.colour(&plan.to));
        match plan.gates.iter().find(is_it) {
            Some(gate) => Self::by(gate, refusal.why.clone(), to, estate),
            None => Self::said(&refusal.why),
        }
    }

    /// By a closed gate, whose own words are many.
    fn by(gate: &Gate, why: Safe, to: Option<usize>, estate: &Estate) -> Self {
        let pods = to.map(|to| estate.colour_view(Some(to)));
        let pods = pods.filter(|view| view.ready < view.desired);
        let words = match (gate.name.as_str(), gate.finding) {
            ("ready" | "match", _) if pods.is_some() => {
                let (ready, desired) = pods.map_or((0, 0), |view| (view.ready, view.desired));
                return Self::new(why, [&format!("not ready {ready}/{desired}"), "not ready"]);
            }
            // All pods are ready, and yet it is not: a rollout that is not done, a selector that takes others too.
            ("ready" | "match", Finding::Bad) => {
                return Self::new(why, [&format!("not ready: {}", gate.said), "not ready"]);
            }
            ("alert", Finding::Bad) => {
                let name = gate.of.as_ref().map_or("an alert", |name| name.as_str());
                return Self::new(why, [&format!("{name} fires"), "alert fires"]);
            }
            ("freeze", _) => ["frozen", "frozen"],
            ("policy", _) => ["policy not known", "policy ?"],
            ("approval", Finding::Bad) => ["an approval is missing", "no approval"],
            ("approval", _) => ["approval not known", "approval ?"],
            ("rejected", _) => ["rejected", "rejected"],
            ("lock", _) => UNDER_WAY,
            ("monitoring", _) => ["monitoring not known", "monitoring ?"],
            ("current", _) => ["what is seen is not current", "not current"],
            (name, finding) => return Self::new(why.clone(), [&why, word(name, finding)]),
        };
        Self::new(why, words)
    }
}

/// Why a closed gate bars, in a word or two. Its bare name would read as the opposite: `C ready`.
fn word(name: &str, finding: Finding) -> &'static str {
    match (name, finding) {
        ("ready" | "match", _) => "ready ?",
        ("selector", Finding::Bad) => "selector wrong",
        ("selector", _) => "selector ?",
        ("capacity", Finding::Bad) => "too few pods",
        ("capacity", _) => "capacity ?",
        ("autoscalers", _) => "scalers ?",
        ("review", _) => "review ?",
        ("smoke", Finding::Bad) => "not tested",
        ("smoke", _) => "tested ?",
        ("ci", Finding::Bad) => "CI not green",
        ("ci", _) => "CI ?",
        ("query", Finding::Bad) => "measured bad",
        ("query" | "rule" | "alert" | "alerts", _) => "monitoring ?",
        ("rights", Finding::Bad) => "no right",
        ("rights", _) => "rights ?",
        ("idle", _) => "not idle",
        ("warm", Finding::Bad) => "kept warm",
        ("warm", _) => "warm ?",
        ("ports", _) => "port missing",
        _ => "refused",
    }
}

/// Somebody is at it already.
const UNDER_WAY: [&str; 2] = ["an operation is under way", "under way"];
