//! The JSON of `status`, shape `wheelhouse.status/v1`.

use serde::Serialize;
use serde_json::{Value, json};

use super::approvals;
use super::look::{self, Looked};
use crate::app::Operations;
use crate::app::operations::{self, Hold};
use crate::cli::operate::text;
use crate::estate::runs::{Conclusion, Progress, Repository, Run};
use crate::estate::timeline::{Timeline, timeline};
use crate::estate::{Check, Estate, Kind, Live, Now, Safe, Standing};
use crate::ops::Kept;

/// The version of the shape.
pub(super) const SCHEMA: &str = "wheelhouse.status/v1";

/// All of it.
pub(super) fn render(title: &Safe, looked: &Looked, now: Now) -> String {
    let runs = looked.repository.as_ref();
    let environments = looked.estates.iter().map(|e| environment(e, runs, now));
    let value = json!({
        "schema": SCHEMA,
        "at": now.wall.to_string(),
        "title": title,
        "verdict": looked.verdict(now).word(),
        "environments": environments.collect::<Vec<_>>(),
        "repository": runs.map(|r| repository(r, now)),
    });
    format!("{value:#}\n")
}

fn environment(estate: &Estate, runs: Option<&Repository>, now: Now) -> Value {
    let scope = &estate.scope;
    let verdict = look::verdict(estate, now);
    let colours: &[Option<usize>] = if scope.traffic.is_some() {
        &[Some(0), Some(1)]
    } else {
        &[None]
    };
    json!({
        "name": scope.name,
        "tier": estate.tier(),
        "context": estate.context(),
        "namespace": scope.namespace,
        "verdict": verdict.word(),
        "why": verdict.why(),
        "cluster": {
            "version": estate.cluster.version,
            "clock_skew_ms": estate.cluster.skew_ms,
            "fault": estate.cluster.fault,
        },
        "feeds": Kind::ALL.map(|kind| feed(estate, kind, now)),
        "live": estate.live_colour().map(|c| colour_name(estate, Some(c))),
        "services": services(estate),
        "colours": colours.iter().map(|c| colour(estate, *c)).collect::<Vec<_>>(),
        "pods": {
            "total": seen(estate, Kind::Pods, estate.pods.value.len()),
            "not_ready": seen(estate, Kind::Pods, not_ready(estate)),
        },
        "alerts": alerts(estate),
        "timeline": story(&timeline(estate, runs, Operations::of(estate).happenings(estate))),
        "rollouts": seen(
            estate,
            Kind::Deployments,
            colours.iter().flat_map(|c| rollouts(estate, *c)).collect::<Vec<_>>(),
        ),
        "policy": policy(estate, now),
        "approvals": approvals::json(estate, now),
        "operations": seen(estate, Kind::Records, operations(estate, now)),
        "checks": look::checks(estate, now).iter().map(Check::to_json).collect::<Vec<_>>(),
    })
}

/// Null for what comes of a kind that was not seen: missing is not zero.
fn seen<T>(estate: &Estate, kind: Kind, value: T) -> Option<T> {
    estate.is_listed(kind).then_some(value)
}

fn feed(estate: &Estate, kind: Kind, now: Now) -> Value {
    json!({
        "kind": kind,
        "currency": estate.currency(kind, now.at),
        "age_ms": estate.age(kind, now.at),
        "fault": estate.fault(kind),
    })
}

fn colour_name(estate: &Estate, colour: Option<usize>) -> Option<&Safe> {
    Some(&estate.scope.traffic.as_ref()?.colours[colour?])
}

fn services(estate: &Estate) -> Vec<Value> {
    let views = estate.service_views();
    let rows = views.iter().map(|view| {
        let pairs = view.service.map(|s| {
            s.selector
                .iter()
                .cloned()
                .collect::<std::collections::BTreeMap<_, _>>()
        });
        let live = match view.live {
            Live::Colour(colour) => colour_name(estate, Some(colour)),
            _ => None,
        };
        let counted = |count: u32| estate.knows_endpoints().then_some(count);
        let endpoints = (0..2).map(|c| {
            json!({
                "colour": colour_name(estate, Some(c)),
                "ready": counted(view.ready[c]),
                "serving": counted(view.serving[c]),
            })
        });
        json!({
            "name": view.name,
            "uid": view.service.map(|s| &s.uid),
            "selector": pairs,
            "live": live,
            "endpoints": endpoints.collect::<Vec<_>>(),
            "endpoints_of_no_colour": counted(view.foreign),
            "changed": view.changed.map(|m| json!({"by": m.name, "at": view.changed_at()})),
        })
    });
    rows.collect()
}

fn colour(estate: &Estate, colour: Option<usize>) -> Value {
    let view = estate.colour_view(colour);
    let images = view.images.iter().flat_map(|(workload, runs)| {
        runs.iter().map(move |(image, pods)| {
            json!({
                "workload": workload,
                "image": image.name,
                "tag": image.tag(),
                "digest": image.digest,
                "pods": pods,
            })
        })
    });
    json!({
        "colour": colour_name(estate, colour),
        "is_live": match colour {
            None => Some(true),
            Some(colour) => estate.live_colour().map(|live| live == colour),
        },
        "ready": seen(estate, Kind::Pods, view.ready),
        "desired": seen(estate, Kind::Deployments, view.desired),
        "restarts": seen(estate, Kind::Pods, view.restarts),
        "images": seen(estate, Kind::Pods, images.collect::<Vec<_>>()),
        "since": view.since,
    })
}

/// Rollouts that are not finished.
fn rollouts(estate: &Estate, colour: Option<usize>) -> Vec<Value> {
    let unfinished = estate.unfinished(colour).into_iter();
    let rows = unfinished.map(|rollout| {
        json!({
            "colour": colour_name(estate, colour),
            "workload": rollout.workload,
            "tag": rollout.tag,
            "ready": rollout.ready,
            "desired": rollout.desired,
            "is_stuck": rollout.is_stuck,
        })
    });
    rows.collect()
}

/// What changed, the newest first.
fn story(timeline: &Timeline) -> Value {
    let rows = timeline.happenings.iter().map(|h| {
        json!({
            "at": h.at,
            "topic": h.topic(),
            "weight": h.weight,
            "what": h.what,
            "note": h.note,
            "after": h.after,
        })
    });
    json!({ "entries": rows.collect::<Vec<_>>(), "left_out": timeline.left_out })
}

fn repository(repository: &Repository, now: Now) -> Value {
    let verdict = repository.verdict(now.at);
    let runs = repository.runs.value.iter();
    json!({
        "name": repository.scope.name,
        "workflow": repository.scope.workflow,
        "verdict": verdict.word(),
        "why": verdict.why(),
        "currency": repository.runs.currency(now.at),
        "age_ms": repository.runs.age(now.at),
        "fault": repository.runs.fault,
        "budget": repository.budget,
        "runs": (repository.runs.listed).then(|| runs.map(|r| run(repository, r)).collect::<Vec<_>>()),
    })
}

fn run(repository: &Repository, run: &Run) -> Value {
    let jobs = repository.jobs_of(run);
    let is_red = |p: &Progress| matches!(p, Progress::Done(c) if c.is_failure() || *c == Conclusion::Cancelled);
    let red = (jobs.iter().flatten()).find(|job| is_red(&job.progress));
    json!({
        "id": run.id,
        "number": run.number,
        "attempt": run.attempt,
        "title": run.title,
        "branch": run.branch,
        "sha": run.sha,
        "event": run.event,
        "actor": run.actor,
        "state": run.progress.words(),
        "is_waiting_for_approval": run.progress == Progress::Waiting,
        "are_jobs_known": jobs.is_some(),
        "failed_job": red.map(|job| &job.name),
        "failed_step": red.and_then(|job| job.failed_step()).map(|step| &step.name),
        "missing_deploy": repository.missing_deploy(run).map(|d| &d.job),
        "reviews": repository.reviews_of(run.id).filter(|it| it.unseen.is_none()).map(|reviews| json!({
            "pending": repository.pending_of(run),
            "decided": reviews.decided,
        })),
        "started": run.started,
        "updated": run.updated,
        "url": run.url,
    })
}

/// Null where no Prometheus is configured, or none told its rules.
fn alerts(estate: &Estate) -> Value {
    let Some(alerts) = estate.alerts.as_ref().filter(|it| it.rules.listed) else {
        return Value::Null;
    };
    let rows = alerts.views().into_iter().map(|view| {
        let labels: std::collections::BTreeMap<_, _> = view.alert.labels.iter().cloned().collect();
        let silence = view.silence.map(|silence| {
            json!({
                "author": silence.author,
                "until": silence.ends,
                "comment": silence.comment,
            })
        });
        json!({
            "name": view.rule.name,
            "standing": view.standing,
            "since": view.since(),
            "silence": silence,
            "inhibited_by": view.inhibited_by,
            "disputed": view.is_disputed,
            "value": view.alert.value,
            "labels": labels,
        })
    });
    rows.collect()
}

/// The newest first; `alive` is null where nobody knows, or where it is over.
fn operations(estate: &Estate, now: Now) -> Vec<Value> {
    let all = Operations::of(estate);
    let row = |kept: &Kept| {
        let operation = &kept.operation;
        let plan = operation.plan.as_ref();
        let closed = operation.closed.as_ref();
        let alive = match operations::hold(estate, kept, now) {
            _ if closed.is_some() => None,
            Hold::Alive { .. } => Some(true),
            Hold::Orphaned { .. } => Some(false),
            Hold::Unknown(_) => None,
        };
        let carried = match alive {
            Some(false) => text::Carried::Orphaned,
            _ => text::Carried::Out,
        };
        json!({
            "id": kept.id,
            "kind": plan.map(|plan| plan.kind.word()),
            "to": plan.map(|plan| &plan.to),
            "by": operation.by,
            "reason": plan.and_then(|plan| plan.reason.as_ref()),
            "since": operation.since,
            "state": text::state(kept, &carried),
            "outcome": closed.map(|(outcome, _)| outcome),
            "holder": operation.holder,
            "alive": alive,
            "glass": operation.glass,
        })
    };
    all.all().map(row).collect()
}

/// What the policy beside the target says; `standing` is one of free, frozen, wrong, unseen.
fn policy(estate: &Estate, now: Now) -> Value {
    let (standing, why, freeze) = match estate.standing(now) {
        Standing::Free => ("free", None, None),
        Standing::Frozen(freeze) => ("frozen", Some(freeze.words().into()), Some(freeze)),
        Standing::Wrong(why) => ("wrong", Some(why), None),
        Standing::Unseen(why) => ("unseen", Some(why), None),
    };
    let terms = estate.terms().and_then(Result::ok).unwrap_or_default();
    json!({
        "standing": standing,
        "why": why,
        "freeze": freeze,
        "tier": terms.tier,
        "last": terms.last,
    })
}

fn not_ready(estate: &Estate) -> Vec<Value> {
    let names = estate.index.ordered().take(estate.index.trouble());
    let rows = names.filter_map(|name| {
        let pod = estate.pods.value.get(name)?;
        let why = estate.why_not_ready(pod)?;
        Some(json!({
            "name": name,
            "colour": colour_name(estate, estate.index.group(name)?.colour),
            "reason": why.short,
            "detail": why.detail,
            "since": why.since,
        }))
    });
    rows.collect()
}

trait ToJson {
    fn to_json(&self) -> Value;
}

impl<T: Serialize> ToJson for T {
    fn to_json(&self) -> Value {
        serde_json::to_value(self).unwrap_or(Value::Null)
    }
}
