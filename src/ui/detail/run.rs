//! A workflow run: its jobs in the workflow's order, each with its steps.

use super::{Page, Text};
use crate::app::{Action, Item, view};
use crate::estate::Safe;
use crate::estate::act::About;
use crate::estate::runs::{Conclusion, Job, Progress, Repository, Run, Skipped};
use crate::ui::canvas::{column, right};
use crate::ui::runs::mark;
use crate::ui::theme::{Mark, Role, Theme};
use crate::ui::words;

/// The page of the run `id`; returns its title.
pub(super) fn page(page: &mut Page<'_>, id: u64) -> Text {
    let Some((repository, run)) = view::run_of(page.state, id) else {
        return page.gone("Run", &Safe::new(&id.to_string()));
    };
    let branch = run.branch.as_ref().map_or("no branch", |b| b.as_str());
    let actor = run.actor.as_ref().map_or("unknown", |a| a.as_str());
    let state = mark(&run.progress);
    let said = format!("{} {}", page.theme.mark(state), run.progress.words());
    page.line(Text::default().add(said, Theme::role(state)));
    if let Some(deploy) = repository.missing_deploy(run) {
        let said = format!(
            "{} green, but {} did not run: nothing was deployed to {}",
            page.theme.mark(Mark::Look),
            deploy.job,
            deploy.environment
        );
        page.line(Text::default().add(said, Role::Warn));
    }
    reviews(page, repository, run);
    page.acts(&About::Run(run.id), "GitHub");
    page.line(Text::default());
    page.fact("title", run.title.to_string());
    page.fact("commit", run.sha.to_string());
    page.fact("branch", branch);
    page.fact("event", format!("{}, by {actor}", run.event));
    page.fact("attempt", run.attempt.to_string());
    page.fact("url", run.url.to_string());
    page.heading("Jobs (Enter: the failed step's log)");
    jobs(page, repository, run);
    let age = words::age_of(run.started, page.state.estate(), page.state.now);
    Text::default()
        .add(format!("Run  #{}", run.number), Role::Focus)
        .add(format!("  {age}"), Role::Dim)
}

/// What it waits for at GitHub, and what was decided.
fn reviews(page: &mut Page<'_>, repository: &Repository, run: &Run) {
    for it in repository.pending_of(run) {
        let (name, who) = (&it.environment, it.reviewers());
        let keys = match it.may {
            Some(false) => String::new(),
            Some(true) | None => {
                let keymap = &page.state.keymap;
                let [yes, no] = [Action::Approve, Action::Reject].map(|it| keymap.key_of(it));
                format!("; {yes} approves, {no} rejects")
            }
        };
        let mark = page.theme.mark(Mark::Approval);
        let said = format!("{mark} {name} is to be reviewed by {who}{keys}");
        page.wrapped(0, &said, Theme::role(Mark::Approval));
    }
    let unseen = repository
        .reviews_of(run.id)
        .and_then(|it| it.unseen.as_ref());
    if let Some(why) = unseen.filter(|_| !matches!(run.progress, Progress::Done(_))) {
        let mark = page.theme.mark(Mark::Unknown);
        let said = format!("{mark} what it waits for is not known: {why}");
        page.wrapped(0, &said, Role::Warn);
    }
    let decided = repository.reviews_of(run.id).map(|it| &it.decided);
    for it in decided.into_iter().flatten() {
        let kind = match it.word.as_str() {
            "approved" => Mark::Ok,
            "rejected" => Mark::Bad,
            _ => Mark::Unknown,
        };
        let said = format!("{} {}", page.theme.mark(kind), it.words());
        page.wrapped(0, &said, Theme::role(kind));
    }
}

fn jobs(page: &mut Page<'_>, repository: &Repository, run: &Run) {
    let Some(jobs) = repository.jobs_of(run) else {
        page.line(Text::default().add("not seen yet", Role::Dim));
        return;
    };
    let room = page.width.saturating_sub(2 + 26 + 8).min(48);
    for job in jobs {
        let state = mark(&job.progress);
        let text = Text::default()
            .add(format!("{} ", page.theme.mark(state)), Theme::role(state))
            .add(column(&job.name, 26, &page.theme), Role::Plain)
            .add(
                column(&told(repository, run, job), room, &page.theme),
                Theme::role(state),
            )
            .add(right(&lasted(job), 7, &page.theme), Role::Dim);
        page.items.push((Item::Job(job.id), page.lines.len()));
        page.line(text);
        let failed = |p: &Progress| matches!(p, Progress::Done(c) if !matches!(c, Conclusion::Success | Conclusion::Skipped));
        // Of a job that ended well nobody asks for the steps.
        let is_open = !matches!(
            job.progress,
            Progress::Done(Conclusion::Success | Conclusion::Skipped)
        );
        for step in &job.steps {
            if is_open || failed(&step.progress) {
                let state = mark(&step.progress);
                let said = format!("{} {} {}", page.theme.mark(state), step.number, step.name);
                page.line(Text::plain("    ").add(said, Theme::role(state)));
            }
        }
    }
}

/// The job's state in words; of a skipped one, why.
fn told(repository: &Repository, run: &Run, job: &Job) -> String {
    if job.progress != Progress::Done(Conclusion::Skipped) {
        return job.progress.words();
    }
    match repository.skipped_because(run, job) {
        Skipped::Unmet => "skipped: its condition was not met".to_owned(),
        Skipped::UnmetOrNeed => "skipped: condition, or a skipped need".to_owned(),
        Skipped::Blocked(by) => format!("skipped: {by} did not succeed"),
        Skipped::Unknown => "skipped".to_owned(),
    }
}

/// How long a job took.
fn lasted(job: &Job) -> String {
    let (Some(from), Some(to)) = (job.started, job.completed) else {
        return String::new();
    };
    match to.as_second() - from.as_second() {
        s @ ..60 => format!("{}s", s.max(0)),
        s => format!("{}m{:02}s", s / 60, s % 60),
    }
}
