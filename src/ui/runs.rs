//! Runs: the workflow's newest runs, their jobs in order, and what a green one did not do.

use ratatui::layout::Rect;

use super::canvas::{Canvas, Text, column, fit, fit_end, right, wrapped_to};
use super::pairs;
use super::theme::{Mark, Role, Theme};
use super::words;
use crate::app::{Panel, State, lists};
use crate::estate::Currency;
use crate::estate::runs::{Conclusion, Job, Progress, Repository, Run, Skipped};

/// Seconds from which the age of what is current is told.
const AGED_S: i64 = 30;

/// `Runs  40s ago  ✗1 !1`, the budget, and how stale.
pub fn title(state: &State, theme: &Theme) -> Text {
    let mut text = Text::plain("Runs");
    let Some(repository) = &state.repository else {
        return text;
    };
    let age = (repository.runs.age(state.now.at)).map(|ms| i64::try_from(ms / 1_000).unwrap_or(0));
    match repository.runs.currency(state.now.at) {
        // GitHub is asked now and then: what is current may be of a while ago.
        Currency::Live => {
            let age = age.filter(|seconds| *seconds >= AGED_S);
            let said = age.map(|seconds| format!("  {} ago", words::age(seconds)));
            text.push(said.unwrap_or_default(), Role::Dim);
        }
        Currency::Waiting => text.push(
            format!("  {} waiting", theme.mark(Mark::Waiting)),
            Role::Dim,
        ),
        Currency::Stale => {
            let said = age.map_or("NO DATA".to_owned(), words::stale);
            text.push(
                format!("  {} {said}", theme.mark(Mark::Unknown)),
                Role::Warn,
            );
        }
    }
    let failed = repository
        .runs
        .value
        .iter()
        .filter(|r| mark(&r.progress) == Mark::Bad)
        .count();
    let odd = repository
        .runs
        .value
        .iter()
        .filter(|r| repository.missing_deploy(r).is_some())
        .count();
    for (count, kind) in [(failed, Mark::Bad), (odd, Mark::Look)] {
        if count > 0 {
            text.push(format!("  {}{count}", theme.mark(kind)), Theme::role(kind));
        }
    }
    if let Some(budget) = repository.budget {
        text.push(format!("  {} requests left", budget.remaining), Role::Dim);
    }
    text
}

/// Draws the list into `area`.
pub fn draw(state: &State, canvas: &mut Canvas<'_>, area: Rect) {
    let Some(repository) = &state.repository else {
        return;
    };
    let theme = canvas.theme;
    let mut area = area;
    if let Some(fault) = &repository.runs.fault {
        // The whole sentence: it says what to do, and that at its end.
        let said = format!("{} {}", theme.mark(Mark::Unknown), fault.what);
        let room = area.width.saturating_sub(3);
        let most = usize::from(area.height / 2).clamp(1, 4);
        for said in wrapped_to(&said, usize::from(room), most, &theme) {
            canvas.text(
                area.x + 2,
                area.y,
                room,
                &Text::default().add(said, Role::Warn),
            );
            area.y += 1;
            area.height = area.height.saturating_sub(1);
        }
    }
    let runs = lists::runs(state);
    if runs.is_empty() {
        let said = match (repository.runs.listed, lists::typed(state, Panel::Runs)) {
            (true, "") => format!("no runs of {}", repository.scope.workflow),
            (true, filter) => format!("no run matches {filter:?}"),
            (false, _) => "waiting for the first runs".to_owned(),
        };
        canvas.text(
            area.x + 2,
            area.y,
            area.width.saturating_sub(3),
            &Text::default().add(said, Role::Dim),
        );
        return;
    }
    pairs::draw(state, Panel::Runs, canvas, area, &runs, |run| {
        let head = line(state, repository, run, area.width, &theme);
        (head, below(repository, run, area.width, &theme))
    });
    if repository.runs.currency(state.now.at) == Currency::Stale {
        canvas.dim(area);
    }
}

/// `✓ #1482 9b1e07d main     Fix cart rounding         6m`
fn line(state: &State, repository: &Repository, run: &Run, width: u16, theme: &Theme) -> Text {
    let kind = match repository.missing_deploy(run) {
        Some(_) => Mark::Look,
        None => mark(&run.progress),
    };
    let age = words::age_of(run.started, state.estate(), state.now);
    let branch = run.branch.as_ref().map_or("-", |b| b.as_str());
    let sha = run.sha.get(..7).unwrap_or(&run.sha);
    let mut text = Text::default()
        .add(format!("{} ", theme.mark(kind)), Theme::role(kind))
        .add(column(&format!("#{}", run.number), 6, theme), Role::Plain)
        .add(format!(" {sha} "), Role::Dim)
        .add(column(branch, 10, theme), Role::Plain)
        .add(" ", Role::Plain);
    let room = usize::from(width).saturating_sub(3 + text.width() + 6);
    text.push(column(&run.title, room, theme), Role::Plain);
    text.add(right(&age, 6, theme), Role::Dim)
}

/// The jobs in order, or what needs a person.
fn below(repository: &Repository, run: &Run, width: u16, theme: &Theme) -> Text {
    if let Some(deploy) = repository.missing_deploy(run) {
        return Text::default().add(format!("green, but {} did not run", deploy.job), Role::Warn);
    }
    let Some(jobs) = repository.jobs_of(run) else {
        let is_green = run.progress == Progress::Done(Conclusion::Success);
        // Green is no word on whether its deploy ran.
        let said = match is_green && !repository.scope.deploys.is_empty() {
            true => format!("{}, its jobs were not looked at", run.progress.words()),
            false => run.progress.words(),
        };
        return Text::default().add(said, Role::Dim);
    };
    let failed = jobs.iter().find(|j| mark(&j.progress) == Mark::Bad);
    if let Some(job) = failed {
        let step = job.steps.iter().find(|s| mark(&s.progress) == Mark::Bad);
        let step = step.map(|s| format!(": {}", s.name)).unwrap_or_default();
        return Text::default().add(
            format!("{} {}{step}", job.name, theme.mark(Mark::Bad)),
            Role::Bad,
        );
    }
    // As much of each name as there is room for all of them.
    let room = usize::from(width).saturating_sub(5) / jobs.len().max(1);
    if room < LEGIBLE + 4 {
        return strip(repository, run, &jobs, theme);
    }
    let room = (room - 4).min(18);
    let names: Vec<String> = jobs.iter().map(|j| fit(&j.name, room, theme)).collect();
    let mut text = Text::default();
    for (job, name) in jobs.iter().zip(&names) {
        let (sign, role) = sign(repository, run, job, theme);
        // Names that differ at their end only are told by it: `…staging`, `…production`.
        let name = match names.iter().filter(|other| *other == name).count() {
            0 | 1 => name.clone(),
            _ => fit_end(&job.name, room, theme),
        };
        text.push(name, Role::Dim);
        text.push(format!(" {sign}  "), role);
    }
    text
}

/// A name shorter than this says nothing.
const LEGIBLE: usize = 7;

/// The jobs' marks in order, and the names of those that are under way or waited for.
fn strip(repository: &Repository, run: &Run, jobs: &[&Job], theme: &Theme) -> Text {
    let mut text = Text::default();
    for job in jobs {
        let (sign, role) = sign(repository, run, job, theme);
        text.push(format!("{sign} "), role);
    }
    let is_open = |job: &&&Job| matches!(job.progress, Progress::Running | Progress::Waiting);
    for job in jobs.iter().filter(is_open) {
        let said = format!("  {} {}", job.name, theme.mark(mark(&job.progress)));
        text.push(said, Role::Plain);
    }
    text
}

/// A job's mark: a skip by a condition is quiet, a skip because something failed is not.
fn sign(repository: &Repository, run: &Run, job: &Job, theme: &Theme) -> (&'static str, Role) {
    let kind = match &job.progress {
        Progress::Done(Conclusion::Skipped) => match repository.skipped_because(run, job) {
            Skipped::Blocked(_) => Mark::Look,
            Skipped::Unmet | Skipped::UnmetOrNeed | Skipped::Unknown => Mark::Dot,
        },
        other => mark(other),
    };
    (theme.mark(kind), Theme::role(kind))
}

/// The mark of how far something is.
pub fn mark(progress: &Progress) -> Mark {
    match progress {
        Progress::Queued => Mark::Waiting,
        Progress::Waiting => Mark::Approval,
        Progress::Running => Mark::Running,
        Progress::Other(_) => Mark::Unknown,
        Progress::Done(conclusion) => match conclusion {
            Conclusion::Success => Mark::Ok,
            Conclusion::Skipped | Conclusion::Neutral => Mark::Dot,
            Conclusion::Cancelled | Conclusion::Stale | Conclusion::ActionRequired => Mark::Look,
            Conclusion::Failure | Conclusion::TimedOut | Conclusion::StartupFailure => Mark::Bad,
            Conclusion::Other(_) => Mark::Unknown,
        },
    }
}
