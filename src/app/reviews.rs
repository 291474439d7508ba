//! Reviews of deployments at GitHub: what runs wait for, and the plan of a decision. Whose word counts is GitHub's to say.

use std::collections::BTreeSet;

use serde::Serialize;

use super::acts::begun;
use super::dialog::{Dialog, Field, Input, Line, Sheet};
use super::edit::Edit;
use super::facts::Facts;
use super::plan::{self, Subject};
use super::state::State;
use super::{Ask, Command};
use crate::estate::act::{About, Act, Doing};
use crate::estate::alerts::{Alerts, Standing as AlertStanding};
use crate::estate::review::{Pending, Review, Reviews};
use crate::estate::runs::{Conclusion, Progress, Repository, Run};
use crate::estate::{Approver, Currency, Estate, Safe, Standing};

/// Alerts that are named.
const NAMED: usize = 5;

/// An environment of GitHub's that a run waits for.
#[derive(Clone, Debug, PartialEq)]
pub struct Waiting {
    /// The run, by id.
    pub run: u64,
    /// The run as people know it: `#1482 main`.
    pub words: Safe,
    /// What it waits for.
    pub pending: Pending,
    /// The environment that is deployed there, by its place in the configuration.
    pub environment: Option<usize>,
}

impl Waiting {
    /// What tells it from the others.
    pub fn id(&self) -> Safe {
        format!("review {} {}", self.run, self.pending.id).into()
    }
}

/// What is proposed: a decision on what a run waits for.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Proposal {
    /// The environment that it is about, by its place in the configuration; where nobody here knows which, the one on the screen.
    pub environment: usize,
    /// Whether it is known which.
    pub is_placed: bool,
    /// The run, by id.
    pub run: u64,
    /// The environment's id at GitHub.
    pub id: u64,
    /// Its name there.
    pub name: Safe,
    /// Whether it is to be approved, or rejected.
    pub is_approved: bool,
}

/// What the runs wait for, those of the newest run first.
pub fn waiting(state: &State) -> Vec<Waiting> {
    let Some(repository) = &state.repository else {
        return Vec::new();
    };
    let runs = repository.runs.value.iter();
    let of = |run| {
        let pending = repository.pending_of(run).iter();
        pending.map(move |it| Waiting {
            run: run.id,
            words: run.words(),
            pending: it.clone(),
            environment: place(state, repository, run, it),
        })
    };
    runs.flat_map(of).collect()
}

/// The environment of the configuration that is deployed behind that review: the one of that name, else the one whose
/// deploy job waits, where it is the only one.
fn place(state: &State, repository: &Repository, run: &Run, it: &Pending) -> Option<usize> {
    let of_name = |name: &Safe| {
        let mut all = state.environments.iter();
        all.position(|e| e.estate.scope.name.eq_ignore_ascii_case(name))
    };
    if let Some(place) = of_name(&it.environment) {
        return Some(place);
    }
    let jobs = repository.jobs_of(run)?;
    let waiting: Vec<_> = (jobs.iter().filter(|j| j.progress == Progress::Waiting)).collect();
    let are_all = |job: &str| !waiting.is_empty() && waiting.iter().all(|j| j.is_of(job));
    let mut of_jobs = repository.scope.deploys.iter().filter(|d| are_all(&d.job));
    match (of_jobs.next(), of_jobs.next(), repository.pending_of(run)) {
        (Some(only), None, [_]) => of_name(&only.environment),
        _ => None,
    }
}

/// Opens the plan of a decision on what the run waits for: on that environment of GitHub's, else on the one on the screen,
/// else on the first on which whoever the token is of may decide.
pub fn propose(state: &mut State, run: u64, id: Option<u64>, is_approved: bool) {
    let waiting: Vec<Waiting> = waiting(state)
        .into_iter()
        .filter(|it| it.run == run)
        .collect();
    let is_here = |it: &&Waiting| it.environment == Some(state.selected);
    let may = |it: &&Waiting| it.pending.may != Some(false);
    let found = match id {
        Some(id) => waiting.iter().find(|it| it.pending.id == id),
        None => (waiting.iter().find(|it| is_here(it) && may(it)))
            .or_else(|| waiting.iter().find(may))
            .or(waiting.first()),
    };
    let Some(found) = found else {
        let said = match state.repository.as_ref().and_then(|it| it.reviews_of(run)) {
            Some(Reviews {
                unseen: Some(why), ..
            }) => format!("what this run waits for is not known: {why}"),
            Some(reviews) if !reviews.decided.is_empty() => {
                let words = reviews.decided.iter().map(|it| it.words());
                let words: Vec<String> = words.collect();
                format!("this run waits for no review: {}", words.join("; "))
            }
            _ => "this run waits for no review".to_owned(),
        };
        state.tell(&said);
        return;
    };
    let proposal = Proposal {
        environment: found.environment.unwrap_or(state.selected),
        is_placed: found.environment.is_some(),
        run,
        id: found.pending.id,
        name: found.pending.environment.clone(),
        is_approved,
    };
    let ask = match found
        .environment
        .and_then(|place| state.environments.get(place))
    {
        Some(it) => Ask::of(it.estate.tier(), it.estate.scope.name.clone()),
        // What is behind it nobody here knows: as production.
        None => Ask::Word(proposal.name.clone()),
    };
    let comment = Field {
        name: "comment",
        input: Input::Text(Edit::default()),
        is_required: true,
    };
    plan::open(state, Subject::Review(proposal), vec![comment], ask);
}

/// The run, if it is there still.
fn run_of<'a>(state: &'a State, proposal: &Proposal) -> Option<(&'a Repository, &'a Run)> {
    super::view::run_of(state, proposal.run)
}

fn pending_of<'a>(state: &'a State, proposal: &Proposal) -> Option<&'a Pending> {
    let (repository, run) = run_of(state, proposal)?;
    let mut all = repository.pending_of(run).iter();
    all.find(|it| it.id == proposal.id)
}

/// How the review stands, in words.
fn stands(state: &State, proposal: &Proposal) -> String {
    if pending_of(state, proposal).is_some() {
        return "awaited".to_owned();
    }
    let reviews = state
        .repository
        .as_ref()
        .and_then(|it| it.reviews_of(proposal.run));
    match reviews.and_then(|it| it.decided(&proposal.name)) {
        Some(decided) => format!("decided: {}", decided.words()),
        None => "over".to_owned(),
    }
}

fn estate<'a>(state: &'a State, proposal: &Proposal) -> &'a Estate {
    &state.environments[proposal.environment].estate
}

/// The environments that it may be about.
fn places(state: &State, proposal: &Proposal) -> std::ops::Range<usize> {
    match proposal.is_placed {
        true => proposal.environment..proposal.environment + 1,
        false => 0..state.environments.len(),
    }
}

/// Why nothing moves forward there now.
fn stopped(state: &State, proposal: &Proposal) -> Option<String> {
    let mut all = places(state, proposal).filter_map(|place| state.environments.get(place));
    all.find_map(|it| {
        let name = &it.estate.scope.name;
        match it.estate.standing(state.now) {
            Standing::Free => None,
            Standing::Frozen(freeze) => Some(format!("{name}: {}", freeze.words())),
            Standing::Wrong(why) => Some(format!("{name}: the policy cannot be read: {why}")),
            // One that nobody watches was never asked.
            Standing::Unseen(_) if !proposal.is_placed && !it.is_watched => None,
            Standing::Unseen(why) => {
                Some(format!("{name}: whether it is frozen is not known: {why}"))
            }
        }
    })
}

/// What the plan stands on.
pub fn facts(state: &State, proposal: &Proposal) -> Facts {
    let run = run_of(state, proposal).map(|(_, run)| run);
    let run = run.map_or("gone".to_owned(), |run| {
        format!("#{} attempt {} of {}", run.number, run.attempt, run.sha)
    });
    let facts = Facts::default()
        .with("environment", &estate(state, proposal).scope.name)
        .with("the run", run)
        .with("the review", stands(state, proposal));
    match proposal.is_approved {
        true => {
            let freeze = stopped(state, proposal);
            facts.with("the freeze", freeze.as_deref().unwrap_or("none"))
        }
        false => facts,
    }
}

/// Why it may not be decided now.
fn refused(state: &State, proposal: &Proposal) -> Option<Safe> {
    for environment in &state.environments[places(state, proposal)] {
        let name = &environment.estate.scope.name;
        if let Err(why) = environment.access.permit(name, state.now.at) {
            return Some(why);
        }
    }
    let repository = state.repository.as_ref();
    if repository.map(|it| it.runs.currency(state.now.at)) != Some(Currency::Live) {
        let key = state.keymap.key_of(super::Action::Reconnect);
        return Some(format!("the runs are not current: wait until they are, or {key}").into());
    }
    let Some(pending) = pending_of(state, proposal) else {
        return Some(format!("the review is {}", stands(state, proposal)).into());
    };
    if pending.may == Some(false) {
        let who = pending.reviewers();
        let said = format!("GitHub lets others decide, and not whoever the token is of: {who}");
        return Some(said.into());
    }
    let is_it = |it: &Review| (it.run, it.id) == (proposal.run, proposal.id);
    let is_under_way = |doing: &Doing| {
        doing.outcome.is_none() && matches!(&doing.act, Act::Review(review) if is_it(review))
    };
    if state.acts.iter().any(is_under_way) {
        return Some("a decision about it is under way".into());
    }
    let stopped = stopped(state, proposal).filter(|_| proposal.is_approved)?;
    Some(stopped.into())
}

/// What the dialog says.
pub fn sheet(state: &State, proposal: &Proposal) -> Sheet {
    let (word, verb) = match proposal.is_approved {
        true => ("APPROVE", "approve it at GitHub"),
        false => ("REJECT", "reject it at GitHub"),
    };
    let mut sheet = Sheet {
        title: format!("{word} the deployment to {} at GitHub", proposal.name),
        refusal: refused(state, proposal),
        verb,
        ..Sheet::default()
    };
    let Some((repository, run)) = run_of(state, proposal) else {
        return sheet;
    };
    let actor = run.actor.as_ref().map_or("somebody", Safe::as_str);
    let sha = run.sha.get(..7).unwrap_or(&run.sha);
    sheet.lines.extend([
        Line::Fact("run", format!("{}  {sha}  by {actor}", run.words())),
        Line::Fact("commit", run.title.to_string()),
    ]);
    if let Some(jobs) = jobs(repository, run) {
        sheet.lines.push(Line::Fact("jobs", jobs));
    }
    if let Some(pending) = pending_of(state, proposal) {
        sheet
            .lines
            .push(Line::Fact("reviewers", pending.reviewers()));
        if pending.timer_min > 0 {
            let said = format!("{} min, whoever approves", pending.timer_min);
            sheet.lines.push(Line::Look("timer", said));
        }
    }
    if proposal.is_approved {
        looks(&mut sheet, state, proposal, (repository, run));
    }
    sheet.lines.push(Line::Blank);
    sheet.lines.push(Line::Words(match proposal.is_approved {
        true => "GitHub then goes on with the run at once, and what its jobs do is theirs: no gate of Wheelhouse stands in their way, unless they join by --within.".to_owned(),
        false => "GitHub then ends the job as failed. A new attempt of the run asks again.".to_owned(),
    }));
    sheet
}

/// `5 passed, 2 skipped, deploy-production waits for approval`
fn jobs(repository: &Repository, run: &Run) -> Option<String> {
    let jobs = repository.jobs_of(run)?;
    let count = |of: Conclusion| {
        let progress = Progress::Done(of);
        jobs.iter().filter(|job| job.progress == progress).count()
    };
    let mut said = vec![format!("{} passed", count(Conclusion::Success))];
    match count(Conclusion::Skipped) {
        0 => {}
        skipped => said.push(format!("{skipped} skipped")),
    }
    let is_told = |p: &Progress| {
        let done = |of| *p == Progress::Done(of);
        done(Conclusion::Success) || done(Conclusion::Skipped)
    };
    let others = jobs.iter().filter(|job| !is_told(&job.progress));
    said.extend(others.map(|job| format!("{} {}", job.name, job.progress.words())));
    Some(said.join(", "))
}

/// What whoever approves should look at.
fn looks(sheet: &mut Sheet, state: &State, proposal: &Proposal, of: (&Repository, &Run)) {
    let (repository, run) = of;
    let estate = estate(state, proposal);
    let name = &estate.scope.name;
    let mut runs = repository.runs.value.iter();
    if let Some(newer) = runs.find(|it| it.branch == run.branch && it.number > run.number) {
        let said = format!("{} is newer: {}", newer.words(), newer.title);
        sheet.lines.push(Line::Look("newer", said));
    }
    if !proposal.is_placed {
        let said = "which environment here that is, is not known: its alerts are not looked at";
        sheet.lines.push(Line::Look("place", said.to_owned()));
        return;
    }
    if let Some(alerts) = &estate.alerts {
        let said = match alerts.rules.currency(state.now.at) {
            Currency::Live => firing(alerts, name),
            Currency::Waiting | Currency::Stale => {
                Some("not current: what fires is not known".into())
            }
        };
        sheet
            .lines
            .extend(said.map(|said| Line::Look("alerts", said)));
    }
    if estate.approver() == Approver::Other {
        let said = format!("a cutover of {name} by Wheelhouse needs one other person besides");
        sheet.lines.push(Line::Look("approval", said));
    }
}

/// `HighErrorRate, PodsNotReady fire in production`
fn firing(alerts: &Alerts, name: &str) -> Option<String> {
    let views = alerts.views();
    let firing = views
        .iter()
        .filter(|view| view.standing == AlertStanding::Firing);
    let names = firing.filter_map(|view| view.alert.labels.get("alertname"));
    let names: BTreeSet<&str> = names.map(Safe::as_str).collect();
    let shown: Vec<&str> = names.iter().copied().take(NAMED).collect();
    let more = match names.len().saturating_sub(NAMED) {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    let verb = if names.len() == 1 { "fires" } else { "fire" };
    (!names.is_empty()).then(|| format!("{}{more} {verb} in {name}", shown.join(", ")))
}

/// Begins what was confirmed.
///
/// # Errors
/// Why not, and how to proceed.
pub fn begin(state: &mut State, proposal: &Proposal, dialog: &Dialog) -> Result<Command, Safe> {
    if let Some(refusal) = refused(state, proposal) {
        return Err(refusal);
    }
    let (_, run) = run_of(state, proposal).ok_or_else(|| Safe::new("the run is gone"))?;
    let review = Review {
        run: proposal.run,
        attempt: run.attempt,
        id: proposal.id,
        environment: proposal.name.clone(),
        is_approved: proposal.is_approved,
        comment: format!("{}: {}", state.author, dialog.value("comment")).into(),
    };
    let about = About::Run(proposal.run);
    begun(state, proposal.environment, about, Act::Review(review))
}
