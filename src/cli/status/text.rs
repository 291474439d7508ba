//! The text of `status`: a few lines an environment, words only, nothing to decode.

use std::fmt::Write as _;

use jiff::Timestamp;

use super::approvals;
use super::look::{self, Looked};
use crate::app::Operations;
use crate::app::operations::{self, Hold};
use crate::cli::output::ascii;
use crate::estate::alerts::{self, AlertView};
use crate::estate::runs::{Conclusion, Progress, Repository, Run};
use crate::estate::timeline::{about, timeline, utc};
use crate::estate::{
    Check, ColourView, Estate, Fault, Kind, Live, Now, Safe, ServiceView, Standing, Verdict,
};
use crate::ops::Plan;
use crate::ops::after::follower;
use crate::ops::warm::{Warmth, warmth};

/// All of it.
pub(super) fn render(title: &Safe, looked: &Looked, now: Now) -> String {
    let mut out = String::new();
    let runs = looked.repository.as_ref();
    for estate in &looked.estates {
        environment(&mut out, title, estate, now);
        changes(&mut out, estate, runs);
        out.push('\n');
    }
    match runs {
        Some(runs) => repository(&mut out, runs, now),
        None => {
            out.pop();
        }
    }
    ascii(&out)
}

/// The newest of what changed; the whole of it is in the JSON.
fn changes(out: &mut String, estate: &Estate, runs: Option<&Repository>) {
    let timeline = timeline(estate, runs, Operations::of(estate).happenings(estate));
    let all = timeline.happenings.len() + timeline.left_out;
    if all > 0 {
        line(
            out,
            1,
            &format!("last changes ({} of {all}):", all.min(CHANGES)),
        );
    }
    for happening in timeline.happenings.iter().take(CHANGES) {
        let tail = happening
            .tail()
            .map_or_else(String::new, |t| format!(" ({t})"));
        let word = happening.weight.word();
        let said = format!("{} {word}: {}{tail}", utc(happening.at), happening.what);
        line(out, 2, &said);
    }
}

/// Changes that are printed.
const CHANGES: usize = 8;
/// Runs that are printed.
const RUNS: usize = 6;

/// The workflow's newest runs, what is wrong with them, and what is left of the budget.
fn repository(out: &mut String, repository: &Repository, now: Now) {
    let scope = &repository.scope;
    let verdict = repository.verdict(now.at);
    let budget = match repository.budget {
        Some(budget) => format!("{} of {} requests left", budget.remaining, budget.limit),
        None => "requests left: unknown".to_owned(),
    };
    let (name, workflow, word) = (&scope.name, &scope.workflow, verdict.word());
    line(
        out,
        0,
        &format!("runs of {workflow} in {name}: {word}, {budget}"),
    );
    if let Some(why) = verdict.why() {
        line(out, 1, &format!("{word} runs {name}: {why}"));
    }
    for run in repository.runs.value.iter().take(RUNS) {
        line(out, 1, &run_line(repository, run, now));
    }
    let more = repository.runs.value.len().saturating_sub(RUNS);
    if more > 0 {
        line(out, 1, &format!("and {more} older runs"));
    }
}

fn run_line(repository: &Repository, run: &Run, now: Now) -> String {
    let origin = run.origin();
    let sha = run.sha.get(..7).unwrap_or(&run.sha);
    let seconds = run.started.map(|at| now.wall.as_second() - at.as_second());
    let age = seconds.map_or_else(|| "-".to_owned(), crate::ui::age);
    let mut said = format!(
        "#{} {sha} {origin} {}, {age} ago: {}",
        run.number,
        run.progress.words(),
        run.title
    );
    if let Some(deploy) = repository.missing_deploy(run) {
        said.push_str(&format!("; green, but {} did not run", deploy.job));
    }
    if let Some(why) = repository
        .reviews_of(run.id)
        .and_then(|it| it.unseen.as_ref())
    {
        said.push_str(&format!("; what it waits for is not known: {why}"));
    }
    for it in repository.pending_of(run) {
        said.push_str(&format!(
            "; {} is to be reviewed by {}",
            it.environment,
            it.reviewers()
        ));
    }
    let jobs = repository.jobs_of(run).unwrap_or_default();
    let is_red = |p: &Progress| {
        matches!(
            p,
            Progress::Done(Conclusion::Failure | Conclusion::TimedOut)
        )
    };
    if let Some(job) = jobs.iter().find(|job| is_red(&job.progress)) {
        let step = job.failed_step().map(|s| format!(": {}", s.name));
        said.push_str(&format!(
            "; {} failed{}",
            job.name,
            step.unwrap_or_default()
        ));
    }
    said
}

fn environment(out: &mut String, title: &Safe, estate: &Estate, now: Now) {
    let scope = &estate.scope;
    let verdict = look::verdict(estate, now);
    let live = match (&scope.traffic, estate.live_colour()) {
        (None, _) => "in place".to_owned(),
        (Some(_), None) if !estate.is_listed(Kind::Services) => "live colour unknown".to_owned(),
        (Some(t), Some(colour)) => format!("{} live", t.colours[colour].to_uppercase()),
        (Some(_), None) => "no one colour live".to_owned(),
    };
    let word = verdict.word();
    let (name, context, namespace) = (&scope.name, estate.context(), &scope.namespace);
    line(
        out,
        0,
        &format!("{name}: {word}, {live} ({title} @ {context}, namespace {namespace})"),
    );
    for view in estate.service_views() {
        line(out, 1, &service(estate, &view, now));
    }
    let colours: &[Option<usize>] = if scope.traffic.is_some() {
        &[Some(0), Some(1)]
    } else {
        &[None]
    };
    for colour in colours {
        line(out, 1, &colour_line(estate, *colour, now));
    }
    for name in estate.index.ordered().take(estate.index.trouble()).take(20) {
        if let Some(words) = trouble(estate, name, now) {
            line(out, 1, &words);
        }
    }
    if estate.index.trouble() > 20 {
        line(
            out,
            1,
            &format!("and {} more pods not ready", estate.index.trouble() - 20),
        );
    }
    for words in policy(estate, now) {
        line(out, 1, &words);
    }
    for words in approvals::lines(estate, now) {
        line(out, 1, &words);
    }
    for words in operations(estate, now) {
        line(out, 1, &words);
    }
    for words in told_alerts(estate, now) {
        line(out, 1, &words);
    }
    let common = common_fault(estate);
    if let Some(fault) = common {
        line(out, 1, &format!("UNKNOWN: {}", fault.what));
    }
    let is_told = |check: &Check| common.is_none() || matches!(check.verdict, Verdict::Bad(_));
    for check in look::checks(estate, now).iter().filter(|c| is_told(c)) {
        if let Some(why) = check.verdict.why() {
            line(
                out,
                1,
                &format!(
                    "{} {} {}: {why}",
                    check.verdict.word(),
                    check.name,
                    check.of
                ),
            );
        }
    }
    if verdict == Verdict::Ok {
        line(out, 1, "OK");
    }
}

/// A freeze, a policy that cannot be believed, and glass that was broken and not followed up.
fn policy(estate: &Estate, now: Now) -> Vec<String> {
    let mut said = match estate.standing(now) {
        Standing::Free | Standing::Unseen(_) => Vec::new(),
        Standing::Frozen(freeze) => {
            vec![format!(
                "FROZEN: {}; nothing moves forward, a rollback goes",
                freeze.words()
            )]
        }
        Standing::Wrong(why) => vec![format!("UNKNOWN policy, nothing moves forward: {why}")],
    };
    for kept in Operations::of(estate).open_glass() {
        if let Some(glass) = kept.operation.open_glass() {
            said.push(format!(
                "BREAK-GLASS by {} at {}: {}; `wheelhouse op close-glass {} --reason NOTE` when it is followed up",
                glass.by,
                utc(glass.at),
                glass.reason,
                kept.id
            ));
        }
    }
    said
}

/// What is under way, and whether anybody carries it out; else the last one. Records that cannot be read are said.
fn operations(estate: &Estate, now: Now) -> Vec<String> {
    let all = Operations::of(estate);
    let Some(kept) = all.open().or_else(|| all.last()) else {
        return all.unreadable().map(ToString::to_string).collect();
    };
    let (what, by) = (kept.operation.plan.as_ref(), kept.operation.by.as_ref());
    let what = what.map_or_else(|| "?".to_owned(), Plan::title);
    let by = by.map_or("?", |by| operations::who(by));
    use crate::cli::operate::text::{Carried, state};
    let state = state(kept, &Carried::Out);
    let worker = match operations::hold(estate, kept, now) {
        _ if kept.operation.closed.is_some() => String::new(),
        Hold::Alive { holder, beat } => format!(", its worker {holder} beat {beat}s ago"),
        Hold::Orphaned { .. } => {
            let id = &kept.id;
            format!(", ORPHANED: `wheelhouse op adopt {id} --write`, or roll back")
        }
        Hold::Unknown(why) => format!(", worker not known: {why}"),
    };
    let said = format!("operation {}: {what}, by {by}: {state}{worker}", kept.id);
    let unreadable = all.unreadable().map(ToString::to_string);
    std::iter::once(said).chain(unreadable).collect()
}

/// Alerts, a line each: how they stand, how grave, since when.
fn told_alerts(estate: &Estate, now: Now) -> Vec<String> {
    let Some(alerts) = &estate.alerts else {
        return Vec::new();
    };
    let clock = estate.monitoring_time(alerts, now).as_second();
    let views = alerts.views();
    let said = views.iter().map(|view| {
        let severity = view
            .alert
            .labels
            .get("severity")
            .map_or("-", |s| s.as_str());
        let since = view.since().map(|at| (clock - at.as_second()).max(0));
        let since = since.map_or_else(|| "-".to_owned(), crate::ui::age);
        let (word, quiet) = standing(view, estate.monitoring_time(alerts, now));
        format!(
            "alert {} {severity}{}: {word} for {since}{quiet}",
            view.rule.name,
            about(estate, alerts, &view.alert.labels)
        )
    });
    let skew = estate.monitoring_skew(alerts, now);
    said.chain(skew.map(|it| it.to_string())).collect()
}

/// Whether an alert fires, and what keeps it quiet: since when it does is no word of the silence.
fn standing(view: &AlertView<'_>, clock: Timestamp) -> (&'static str, String) {
    let quiet = match (view.standing, view.silence) {
        (alerts::Standing::Silenced, Some(silence)) => {
            let until = (silence.ends).map_or_else(|| "?".to_owned(), |at| soon(at, clock));
            let (author, comment) = (&silence.author, &silence.comment);
            format!(", silenced by {author} until {until}: {comment}")
        }
        (alerts::Standing::Silenced, None) => ", silenced, it is not known by whom".to_owned(),
        (alerts::Standing::Inhibited, _) => {
            let by: Vec<&str> = view.inhibited_by.iter().map(Safe::as_str).collect();
            format!(", inhibited by {}", by.join(", "))
        }
        _ if view.is_disputed => ", only some that may be it are quiet".to_owned(),
        _ => String::new(),
    };
    match view.standing {
        alerts::Standing::Pending => ("pending", quiet),
        _ => ("firing", quiet),
    }
}

/// `16:00Z`, on another day `Nov 30 06:00Z`.
fn soon(at: Timestamp, clock: Timestamp) -> String {
    let day = |at: Timestamp| at.strftime("%b %-d").to_string();
    let hour = at.strftime("%H:%MZ");
    match day(at) == day(clock) {
        true => hour.to_string(),
        false => format!("{} {hour}", day(at)),
    }
}

/// What is wrong with all feeds alike (the API server is away): one line instead of one a check.
fn common_fault(estate: &Estate) -> Option<&Fault> {
    let fault = estate.fault(Kind::Pods)?;
    let is_same = |kind: &Kind| estate.fault(*kind) == Some(fault);
    Kind::ALL.iter().all(is_same).then_some(fault)
}

fn line(out: &mut String, depth: usize, words: &str) {
    let _ = writeln!(out, "{:1$}{words}", "", depth * 2);
}

/// An age in the words of the screen; a dash where it is not known.
fn age(at: Option<Timestamp>, estate: &Estate, now: Now) -> String {
    let seconds = at.map(|at| (estate.server_time(now).as_second() - at.as_second()).max(0));
    seconds.map_or_else(|| "-".to_owned(), crate::ui::age)
}

fn service(estate: &Estate, view: &ServiceView<'_>, now: Now) -> String {
    let Some(switch) = &estate.scope.traffic else {
        return view.name.to_string();
    };
    if view.live == Live::Unknown {
        return format!("{}: not seen", view.name);
    }
    let selector = view.service.map(|s| {
        let pairs: Vec<_> = s.selector.iter().map(|(k, v)| format!("{k}={v}")).collect();
        pairs.join(",")
    });
    let live = match &view.live {
        Live::Colour(colour) => format!("{} live", switch.colours[*colour].to_uppercase()),
        Live::Foreign(value) => format!("names neither colour: {value}"),
        Live::NoKey => format!("no {} in the selector", switch.key),
        Live::Absent => "there is no such Service".to_owned(),
        Live::Unknown => "not seen".to_owned(),
    };
    let ready = |c: usize| match estate.knows_endpoints() {
        true => view.ready[c].to_string(),
        false => "?".to_owned(),
    };
    let endpoints: Vec<_> = (0..2)
        .map(|c| format!("{} {}", switch.colours[c].to_uppercase(), ready(c)))
        .collect();
    let changed = view.changed.map(|m| {
        format!(
            ", {} {} ago by {}",
            m.did(),
            age(view.changed_at(), estate, now),
            m.name
        )
    });
    format!(
        "{}: {live}, selector {}, endpoints {}{}",
        view.name,
        selector.unwrap_or_else(|| "unknown".to_owned()),
        endpoints.join(" "),
        changed.unwrap_or_default()
    )
}

fn colour_line(estate: &Estate, colour: Option<usize>, now: Now) -> String {
    let view: ColourView = estate.colour_view(colour);
    let name = match (colour, &estate.scope.traffic) {
        (Some(colour), Some(switch)) => {
            let word = match estate.live_colour() {
                Some(live) if live == colour => "LIVE",
                Some(_) => "idle",
                None => "unknown whether live",
            };
            format!("{} {word}", switch.colours[colour].to_uppercase())
        }
        _ => "in-place".to_owned(),
    };
    if !estate.is_listed(Kind::Deployments) || !estate.is_listed(Kind::Pods) {
        let colour = name.split(' ').next().unwrap_or_default();
        return format!("{colour}: not seen");
    }
    let mut images = Vec::new();
    for (workload, runs) in &view.images {
        for (image, pods) in runs {
            let digest = image
                .short_digest()
                .map(|d| format!(" ({d})"))
                .unwrap_or_default();
            images.push(format!(
                "{workload} {}{digest} on {pods}",
                image.short_tag()
            ));
        }
    }
    let (ready, desired, restarts) = (view.ready, view.desired, view.restarts);
    let since = age(view.since, estate, now);
    let images = images.join(", ");
    let mut said = format!("{name}: ready {ready}/{desired}");
    for rollout in estate.unfinished(colour) {
        let word = if rollout.is_stuck {
            "not ready"
        } else {
            "under way"
        };
        let (tag, ready, desired) = (&rollout.tag, rollout.ready, rollout.desired);
        let _ = write!(
            said,
            ", rollout of {} {tag} {word} {ready}/{desired}",
            rollout.workload
        );
    }
    let kept = warmth(estate, Some(estate.server_time(now)));
    let is_idle = colour.is_some()
        && estate
            .live_colour()
            .is_some_and(|live| colour != Some(live));
    let kept = kept.filter(|_| is_idle);
    let follows = match (follower(estate), &kept) {
        (Some(it), Some(Warmth::Kept(..))) => format!(", then cleaned up by {}", it.by),
        (Some(it), Some(Warmth::Free(..))) if it.is_draining(estate.server_time(now)) => {
            format!(", cleaned up by {} when it is drained", it.by)
        }
        _ => String::new(),
    };
    let kept = kept.map_or_else(String::new, |warmth| {
        format!("; {}{follows}", warmth.words())
    });
    let drains = (estate.draining(now.at)).filter(|_| is_idle);
    let drains = drains.map_or_else(String::new, |it| format!("; {it}"));
    said + &format!(", restarts {restarts}, {images}, since {since}{drains}{kept}")
}

fn trouble(estate: &Estate, name: &Safe, now: Now) -> Option<String> {
    let pod = estate.pods.value.get(name)?;
    let why = estate.why_not_ready(pod)?;
    let colour = (estate.index.group(name)?.colour).zip(estate.scope.traffic.as_ref());
    let colour = colour
        .map(|(c, t)| format!(" {}", t.colours[c].to_uppercase()))
        .unwrap_or_default();
    Some(format!(
        "pod {name}{colour}: {} for {}: {}",
        why.short,
        age(why.since, estate, now),
        why.detail
    ))
}
