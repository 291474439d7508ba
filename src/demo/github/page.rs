//! Lists: what their parameters keep, page by page, with the links to the others.

use super::run::{Run, Standing};
use super::{Answer, Asked, missing, wire};
use jiff::Timestamp;
use serde_json::{Value, json};

/// The runs that the parameters ask for.
pub(super) fn runs(asked: &Asked) -> Answer {
    let world = &*asked.world;
    let kept: Vec<&Run> = world.runs().filter(|run| is_wanted(asked, run)).collect();
    let (range, link) = page(asked, kept.len());
    let shown: Vec<Value> = kept[range]
        .iter()
        .map(|run| wire::run(world, &asked.base, run))
        .collect();
    Answer::Page(
        json!({"total_count": kept.len(), "workflow_runs": shown}),
        link,
    )
}

fn is_wanted(asked: &Asked, run: &Run) -> bool {
    let fits = |key: &str, found: &str| {
        let wanted = asked.params.text(key);
        wanted.is_empty() || wanted == found
    };
    let standing = run.standing(asked.world.now);
    let wanted = asked.params.text("status");
    let has_status =
        wanted.is_empty() || wanted == standing.status() || standing.conclusion() == Some(wanted);
    let created = asked.world.time_at(run.created);
    fits("branch", run.branch.as_deref().unwrap_or_default())
        && fits("event", run.event)
        && fits("actor", run.actor)
        && fits("head_sha", &run.sha)
        && has_status
        && is_created(asked.params.text("created"), &created)
}

/// GitHub's search syntax for dates: `>=T`, `<T`, `A..B`, or a day.
fn is_created(wanted: &str, created: &str) -> bool {
    let at = created.parse::<Timestamp>().ok();
    let time = |text: &str| {
        let whole = if text.len() == 10 {
            format!("{text}T00:00:00Z")
        } else {
            text.to_owned()
        };
        whole.parse::<Timestamp>().ok()
    };
    let after = |text: &str| text == "*" || time(text).is_none_or(|from| at >= Some(from));
    let before = |text: &str| text == "*" || time(text).is_none_or(|to| at <= Some(to));
    match wanted {
        "" => true,
        _ if wanted.contains("..") => wanted
            .split_once("..")
            .is_none_or(|(from, to)| after(from) && before(to)),
        _ => match (wanted.strip_prefix(">="), wanted.strip_prefix("<=")) {
            (Some(from), _) => after(from),
            (_, Some(to)) => before(to),
            _ => match (wanted.strip_prefix('>'), wanted.strip_prefix('<')) {
                (Some(from), _) => time(from).is_none_or(|from| at > Some(from)),
                (_, Some(to)) => time(to).is_none_or(|to| at < Some(to)),
                _ => created.starts_with(wanted.get(..10).unwrap_or(wanted)),
            },
        },
    }
}

/// The part of a list that is asked for, and the links to the others.
fn page(asked: &Asked, total: usize) -> (std::ops::Range<usize>, Option<String>) {
    let number = |key: &str| {
        asked
            .params
            .number(key)
            .and_then(|number| usize::try_from(number).ok())
    };
    let size = number("per_page").unwrap_or(30).clamp(1, 100);
    let page = number("page").unwrap_or(1).max(1);
    let last = total.div_ceil(size).max(1);
    let begin = (page - 1).saturating_mul(size).min(total);
    let to = |page: usize, name: &str| {
        let others = asked
            .params
            .pairs()
            .filter(|(key, _)| !matches!(*key, "page" | "per_page"));
        let others: String = others
            .map(|(key, value)| format!("&{key}={}", escape(value)))
            .collect();
        format!(
            "<{}{}?per_page={size}&page={page}{others}>; rel=\"{name}\"",
            asked.base, asked.whole
        )
    };
    let mut links = Vec::new();
    if page > 1 {
        links.extend([to((page - 1).min(last), "prev"), to(1, "first")]);
    }
    if page < last {
        links.extend([to(page + 1, "next"), to(last, "last")]);
    }
    (
        begin..(begin + size).min(total),
        (!links.is_empty()).then(|| links.join(", ")),
    )
}

fn escape(text: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte);
    text.bytes()
        .map(|byte| {
            if plain(byte) {
                char::from(byte).to_string()
            } else {
                format!("%{byte:02X}")
            }
        })
        .collect()
}

/// The jobs of an attempt; those whose needs are not over do not exist yet.
pub(super) fn jobs(asked: &Asked, run: &Run, attempt: usize) -> Answer {
    let Some(jobs) = run.jobs_of(attempt) else {
        return missing();
    };
    let world = &*asked.world;
    let mut jobs: Vec<_> = jobs.iter().filter(|job| job.queued <= world.now).collect();
    if asked.params.text("filter") == "all" {
        let earlier = run.earlier.iter().flatten();
        jobs.extend(earlier.filter(|_| attempt == run.attempt()));
    }
    let (range, link) = page(asked, jobs.len());
    let attempt_of = |id: u64| {
        (1..=run.attempt()).find(|n| {
            run.jobs_of(*n)
                .is_some_and(|jobs| jobs.iter().any(|job| job.id == id))
        })
    };
    let shown: Vec<Value> = jobs[range]
        .iter()
        .map(|job| {
            wire::job(
                world,
                &asked.base,
                run,
                attempt_of(job.id).unwrap_or(attempt),
                job,
            )
        })
        .collect();
    Answer::Page(json!({"total_count": jobs.len(), "jobs": shown}), link)
}

/// One job by its id.
pub(super) fn job(asked: &Asked, id: &str) -> Answer {
    let world = &*asked.world;
    let found = id.parse().ok().and_then(|id| find(asked, id));
    match found {
        Some((run, attempt, job)) => Answer::Json(wire::job(world, &asked.base, run, attempt, job)),
        None => missing(),
    }
}

fn find<'a>(asked: &'a Asked, id: u64) -> Option<(&'a Run, usize, &'a super::run::Job)> {
    asked.world.runs().find_map(|run| {
        (1..=run.attempt()).find_map(|attempt| {
            let jobs = run.jobs_of(attempt)?;
            let job = jobs
                .iter()
                .find(|job| job.id == id && job.queued <= asked.world.now)?;
            Some((run, attempt, job))
        })
    })
}

/// The runs that stand for the commits of a branch, the newest first; a commit that reached a branch
/// after it was built on another is told once.
fn commits_of<'a>(asked: &'a Asked, branch: &str) -> Vec<&'a Run> {
    let mut seen = Vec::new();
    let is_of = |run: &&Run| run.branch.as_deref() == Some(branch);
    let runs = asked.world.runs().filter(is_of);
    for run in runs {
        if !seen.iter().any(|one: &&Run| one.sha == run.sha) {
            seen.push(run);
        }
    }
    seen
}

/// `GET /commits`.
pub(super) fn commits(asked: &Asked) -> Answer {
    let branch = asked.params.text("sha");
    let all = commits_of(asked, if branch.is_empty() { "main" } else { branch });
    let (range, link) = page(asked, all.len());
    let shown = range.map(|index| {
        let parent = all.get(index + 1).map(|run| run.sha.as_str());
        wire::commit(asked.world, &asked.base, all[index], parent)
    });
    Answer::Page(shown.collect(), link)
}

/// The run of a commit that a branch, a SHA or the beginning of one names.
fn named<'a>(asked: &'a Asked, name: &str) -> Option<&'a Run> {
    let head = commits_of(asked, name).first().copied();
    let by_sha = || {
        asked
            .world
            .runs()
            .find(|run| name.len() >= 7 && run.sha.starts_with(name))
    };
    head.or_else(by_sha)
}

/// `GET /commits/{ref}`.
pub(super) fn commit(asked: &Asked, name: &str) -> Answer {
    match named(asked, name) {
        Some(run) => Answer::Json(wire::commit(asked.world, &asked.base, run, None)),
        None => Answer::Refused(
            422,
            json!({"message": format!("No commit found for SHA: {name}"), "documentation_url": super::DOCS, "status": "422"}),
        ),
    }
}

/// `GET /compare/{base}...{head}`: commits are in a row by time.
pub(super) fn compare(asked: &Asked, span: &str) -> Answer {
    let Some((base, head)) = span.split_once("...") else {
        return missing();
    };
    let (Some(base), Some(head)) = (named(asked, base), named(asked, head)) else {
        return missing();
    };
    let between = |from: &Run, to: &Run| {
        let of = |run: &&Run| {
            run.branch == to.branch && run.created > from.created && run.created <= to.created
        };
        asked.world.runs().filter(of).count()
    };
    let (ahead, behind) = (between(base, head), between(head, base));
    let status = match (base.sha == head.sha, ahead, behind) {
        (true, ..) => "identical",
        (_, 0, _) => "behind",
        (_, _, 0) => "ahead",
        _ => "diverged",
    };
    let show = |run: &Run| wire::commit(asked.world, &asked.base, run, None);
    Answer::Json(json!({
        "status": status, "ahead_by": ahead, "behind_by": behind, "total_commits": ahead, "base_commit": show(base),
        "merge_base_commit": show(if base.created < head.created { base } else { head }), "commits": [], "files": [],
    }))
}

/// Whether a job is over, so that its log can be had.
pub(super) fn is_over(standing: Standing) -> bool {
    matches!(standing, Standing::Over(_))
}
