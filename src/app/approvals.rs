//! What waits for an approval, in every environment that is watched, and whether it is still what would go live; and what
//! waits for a review at GitHub.

use serde::Serialize;

use super::operate::bare;
use super::reviews::{self, Waiting};
use super::state::{Overlay, State};
use crate::estate::timeline::{Happening, Source, Weight};
use crate::estate::{Approver, Estate, Kind, Now, Safe};
use crate::ops::approval::{Decision, Paper, Papers, Standing, clock};
use crate::ops::machine::is_review;
use crate::ops::plan::Plan;
use crate::ops::{OperationKind, Request, check};

/// A request that is not over.
#[derive(Clone, Debug, PartialEq)]
pub struct Listed {
    /// The environment's place in the configuration.
    pub environment: usize,
    /// The request.
    pub asked: Paper,
    /// How it stands.
    pub stands: Stands,
    /// The same in words.
    pub said: Safe,
}

/// How a request stands that is not over.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Stands {
    /// Somebody can decide on it still.
    Waits,
    /// Somebody approved it.
    Approved,
    /// What was asked for is not what would go live any more.
    Void,
}

/// The requests of all environments that are watched, those that wait first; none is dropped for being void.
pub fn listed(state: &State) -> Vec<Listed> {
    let mut all = Vec::new();
    for (place, environment) in state.environments.iter().enumerate() {
        all.extend(of(&environment.estate, place, state.now));
    }
    all.sort_by_key(|it| it.stands != Stands::Waits);
    all
}

/// The operations that wait for a review of a run at GitHub that is not among those of the panel, by environment: it is not
/// decided here.
pub fn reviews(state: &State) -> impl Iterator<Item = (&Safe, Safe)> {
    let listed = reviews::waiting(state);
    state.environments.iter().filter_map(move |environment| {
        let open = environment.operations.open()?;
        let why = open.operation.awaits().filter(|why| is_review(why))?;
        let is_listed = |it: &Waiting| why.contains(&format!("run {}:", it.run));
        let is_elsewhere = !listed.iter().any(is_listed);
        is_elsewhere.then(|| (&environment.estate.scope.name, why.into()))
    })
}

/// A row of the list.
#[derive(Clone, Debug, PartialEq)]
pub enum Row {
    /// A request of Wheelhouse's own.
    Asked(Listed),
    /// A run that waits for a review at GitHub.
    Review(Waiting),
}

impl Row {
    /// What tells it from the others.
    pub fn id(&self) -> Safe {
        match self {
            Self::Asked(listed) => listed.asked.id.clone(),
            Self::Review(waiting) => waiting.id(),
        }
    }
}

/// The rows of the list: the requests, then what waits at GitHub.
pub fn rows(state: &State) -> Vec<Row> {
    let reviews = reviews::waiting(state).into_iter().map(Row::Review);
    listed(state)
        .into_iter()
        .map(Row::Asked)
        .chain(reviews)
        .collect()
}

/// The requests of the environment at that place, those that wait first; none is dropped for being void.
pub fn of(estate: &Estate, environment: usize, now: Now) -> Vec<Listed> {
    let papers = Papers::in_estate(estate);
    let of = |asked: &Paper| {
        let (said, stands) = standing(asked, &papers, estate, now)?;
        Some(Listed {
            environment,
            asked: asked.clone(),
            stands,
            said: said.into(),
        })
    };
    let mut all: Vec<Listed> = papers.requests().filter_map(of).collect();
    all.sort_by_key(|it| it.stands != Stands::Waits);
    all
}

fn standing(asked: &Paper, papers: &Papers, estate: &Estate, now: Now) -> Option<(String, Stands)> {
    let lasts_s = estate.scope.approval.lasts_s;
    let (said, stands) = match papers.standing(asked, lasts_s, estate.server_time(now)) {
        Standing::Over | Standing::Rejected(_) => return None,
        Standing::Approved(yes) => {
            let until = clock(yes.ends(lasts_s));
            let said = format!("approved by {} until {until}", yes.author);
            (said, Stands::Approved)
        }
        Standing::Waits => {
            let said = format!("waits until {}", clock(asked.ends(lasts_s)));
            (said, Stands::Waits)
        }
    };
    Some(match void(asked, estate, now) {
        Some(why) => (format!("void: {why}"), Stands::Void),
        None => (said, stands),
    })
}

/// Those that wait in `estate`, whether or not they are void: that takes a plan.
pub fn waiting(estate: &Estate, now: Now) -> Vec<Paper> {
    let papers = Papers::in_estate(estate);
    let waiting = papers.waiting(estate.scope.approval.lasts_s, estate.server_time(now));
    waiting.into_iter().cloned().collect()
}

/// The row that the cursor of the list is on, by its identity: a list that grows under it retargets nothing.
pub fn chosen(state: &State, rows: &[Row]) -> Option<usize> {
    let Some(Overlay::Approvals(chosen)) = &state.overlay else {
        return None;
    };
    match chosen {
        Some(id) => rows.iter().position(|it| it.id() == *id),
        None => (!rows.is_empty()).then_some(0),
    }
}

/// The cutover that was asked for, as it would be planned now.
pub fn cutover(asked: &Paper) -> Request {
    Request {
        to: Some(asked.colour.clone()),
        ..bare(OperationKind::Cutover, &Default::default())
    }
}

/// The plan of what was asked for, as far as there is one.
pub fn planned(asked: &Paper, estate: &Estate, now: Now) -> Result<Plan, Safe> {
    match check(&cutover(asked), estate, now) {
        Ok(plan) => Ok(plan),
        Err(refusal) => match refusal.plan {
            Some(plan) => Ok(*plan),
            None => Err(refusal.why),
        },
    }
}

/// Why what was asked for is not what would go live any more; none while that was not seen, too.
pub fn void(asked: &Paper, estate: &Estate, now: Now) -> Option<Safe> {
    let mut kinds = [Kind::Services, Kind::Pods].into_iter();
    if !kinds.all(|kind| estate.is_listed(kind)) {
        return None;
    }
    match planned(asked, estate, now) {
        Ok(plan) if plan.bound == asked.plan => None,
        Ok(plan) if plan.bound.is_empty() => Some("it is live already".into()),
        Ok(_) => Some("another revision, or another flip, would be done now".into()),
        Err(why) => Some(why),
    }
}

/// Whether an approval is asked for in `estate`.
pub fn is_asked_for(estate: &Estate) -> bool {
    estate.approver() == Approver::Other
}

/// What was asked for and decided, for the timeline.
pub(super) fn told(estate: &Estate) -> impl Iterator<Item = Happening> {
    let papers = Papers::in_estate(estate).all.into_iter();
    papers.map(|paper| {
        let weight = match paper.decision {
            Decision::Asked | Decision::Rejected => Weight::Look,
            Decision::Approved => Weight::Good,
        };
        let to = Plan::colour_in_words(&paper.colour);
        let what = format!("cutover to {to} {}: {}", said(paper.decision), paper.reason);
        Happening {
            at: paper.since,
            weight,
            what: Safe::new(&what),
            note: Some(Safe::new(&format!("by {}", paper.author))),
            after: None,
            source: Source::Policy,
        }
    })
}

/// As the timeline tells it.
fn said(decision: Decision) -> &'static str {
    match decision {
        Decision::Asked => "waits for an approval",
        Decision::Approved => "approved",
        Decision::Rejected => "rejected",
    }
}
