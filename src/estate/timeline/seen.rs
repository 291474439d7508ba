//! What changed, as far as the APIs still know it, in words.

use jiff::Timestamp;

use super::cause::Causes;
use super::{Happening, MOST, Source, Weight, newest};
use crate::estate::alerts::{Alerts, Standing};
use crate::estate::runs::{Conclusion, Progress, Repository, Run};
use crate::estate::spells::Spell;
use crate::estate::{Deployment, Estate, Event, Group, Labels, Pod, ReplicaSet, Safe, Turn, why};

pub(super) fn flips(estate: &Estate) -> Vec<Happening> {
    let Some(switch) = &estate.scope.traffic else {
        return Vec::new();
    };
    let happening = |turn: &Turn| {
        // One that manages more may have written anything: whether traffic moved then the API does not tell.
        let by = match turn.owns_spec {
            true => "written by",
            false => "by",
        };
        Happening {
            at: turn.at,
            weight: Weight::Traffic,
            what: Safe::new(&format!(
                "{} selects {}={}",
                turn.service, switch.key, turn.value
            )),
            note: Some(Safe::new(&format!("{by} {}", turn.manager))),
            after: None,
            source: Source::Service(turn.service.clone()),
        }
    };
    let now = estate.turns_now();
    now.iter().chain(&estate.turns).map(happening).collect()
}

pub(super) fn rollouts(estate: &Estate, left_out: &mut usize) -> Vec<Happening> {
    let mut dated = Vec::new();
    for set in estate.replica_sets.value.iter() {
        let Some(owner) = &set.owner else {
            continue;
        };
        let deployment = estate.deployments.value.get(owner);
        let back = deployment.and_then(|it| it.came_back(set));
        dated.extend(set.created.map(|at| (at, (set, owner, false))));
        dated.extend(back.map(|at| (at, (set, owner, true))));
    }
    let newest = newest(dated, left_out).into_iter();
    let happening = |(at, (set, owner, is_back)): (Timestamp, (&ReplicaSet, &Safe, bool))| {
        let tags: Vec<_> = set.images.iter().map(|(_, i)| i.short_tag()).collect();
        let word = if is_back { "goes back to" } else { "rolls to" };
        // It has the number that it got when its Deployment came back.
        let revision = (set.revision.as_ref()).filter(|_| is_back == set.is_reused);
        Happening {
            at,
            weight: Weight::Change,
            what: Safe::new(&format!("{owner} {word} {}", tags.join(" "))),
            note: revision.map(|r| Safe::new(&format!("revision {r}"))),
            after: None,
            source: Source::Deployment(owner.clone()),
        }
    };
    newest.map(happening).collect()
}

/// Pods in trouble, the last end of each of their containers, and what Events still tell of pods that
/// are well again, or gone.
pub(super) fn pods(estate: &Estate, causes: &Causes, left_out: &mut usize) -> Vec<Happening> {
    let troubled = estate.index.trouble();
    *left_out += troubled.saturating_sub(MOST);
    let mut all = Vec::new();
    let names = estate.index.ordered().take(troubled.min(MOST));
    for pod in names.filter_map(|name| estate.pods.value.get(name)) {
        let happening = |at, weight, what: &str, note: Safe| Happening {
            at,
            weight,
            what: Safe::new(&format!("{} {what}", called(estate, pod))),
            note: Some(note),
            after: causes.before(at),
            source: Source::Pod(pod.name.clone()),
        };
        let Some(why) = estate.why_not_ready(pod) else {
            continue;
        };
        if let Some(at) = why.since {
            // Only begun, or asked to end: nothing is wrong yet.
            let weight = match why.short.as_str() {
                "starting" | "terminating" => Weight::Change,
                _ => Weight::Bad,
            };
            all.push(happening(at, weight, &why.short, why.detail));
        }
        for container in &pod.containers {
            if let Some((last, at)) = container.last.as_ref().and_then(|l| Some((l, l.at?))) {
                let note = Safe::new(&match container.restarts {
                    1 => "1 restart".to_owned(),
                    n => format!("{n} restarts"),
                });
                all.push(happening(at, Weight::Bad, &why::exit(last), note));
            }
        }
    }
    all.extend(warnings(estate, causes, left_out));
    all
}

/// Warnings of Events about pods of ours that are not in trouble now: what is over is still told.
fn warnings(estate: &Estate, causes: &Causes, left_out: &mut usize) -> Vec<Happening> {
    let is_ours = |event: &&Event| {
        let is_known = || estate.pods.value.get(&event.object).is_some();
        let is_pod = event.object_kind.as_str() == "Pod";
        event.is_warning && is_pod && (is_known() || owner(estate, &event.object).is_some())
    };
    let is_over = |event: &&Event| {
        let pod = estate.pods.value.get(&event.object);
        let is_over = |pod: &Pod| pod.ready || pod.is_finished() || pod.is_replaced();
        pod.is_none_or(|pod| pod.uid != event.object_uid || is_over(pod))
    };
    let events = estate.events.value.iter().filter(is_ours).filter(is_over);
    let dated = events.filter_map(|event| Some((event.last?, event)));
    let newest = newest(dated.collect(), left_out).into_iter();
    let happening = |(at, event): (Timestamp, &Event)| {
        let pod = estate.pods.value.get(&event.object);
        let name = match (pod, owner(estate, &event.object)) {
            (Some(pod), _) => called(estate, pod),
            (None, Some(of)) => spoken(estate, estate.deployment_group(of), &event.object),
            (None, None) => event.object.to_string(),
        };
        let times = match event.count {
            ..=1 => String::new(),
            n => format!(" ×{n}"),
        };
        Happening {
            at,
            weight: Weight::Look,
            what: Safe::new(&format!("{name} {}{times}", event.reason)),
            note: Some(event.message.clone()),
            after: causes.before(at),
            source: Source::Pod(event.object.clone()),
        }
    };
    newest.map(happening).collect()
}

/// The Deployment that made the pod of that name, by the name: the pod itself may be gone.
fn owner<'a>(estate: &'a Estate, pod: &str) -> Option<&'a Deployment> {
    let is_of = |d: &&Deployment| {
        let rest = pod.strip_prefix(d.name.as_str());
        rest.is_some_and(|rest| rest.starts_with('-'))
    };
    let deployments = estate.deployments.value.iter().filter(is_of);
    deployments.max_by_key(|d| d.name.len())
}

/// A pod as people call it: its colour, its workload and the last part of its name.
fn called(estate: &Estate, pod: &Pod) -> String {
    match estate.index.group(&pod.name) {
        Some(group) => spoken(estate, group, &pod.name),
        None => pod.name.to_string(),
    }
}

fn spoken(estate: &Estate, group: Group, pod: &Safe) -> String {
    let Some(workload) = group.workload.and_then(|w| estate.scope.workloads.get(w)) else {
        return pod.to_string();
    };
    let colour = group.colour.zip(estate.scope.traffic.as_ref());
    let colour = colour.map(|(c, t)| format!("{} ", t.colours[c].to_uppercase()));
    let suffix = pod.rsplit('-').next().unwrap_or_default();
    format!("{}{} {suffix}", colour.unwrap_or_default(), workload.name)
}

/// What an alert is about, by the labels that tie it to a colour and a service: `GREEN backend`. Else
/// the alerts of one rule could not be told apart.
pub fn about(estate: &Estate, alerts: &Alerts, labels: &Labels) -> String {
    let value = |key: &Option<Safe>| key.as_ref().and_then(|key| labels.get(key));
    let switch = estate.scope.traffic.as_ref();
    let colour = value(&alerts.scope.colour_label)
        .filter(|colour| switch.is_some_and(|t| t.colour(colour).is_some()));
    let colour = colour.map(|colour| format!(" {}", colour.to_uppercase()));
    let service = value(&alerts.scope.service_label).map(|service| format!(" {service}"));
    colour.unwrap_or_default() + &service.unwrap_or_default()
}

/// Alerts that fire or are pending, and since when somebody keeps one quiet: it fired all the same, before or after.
pub(super) fn alerting(
    estate: &Estate,
    alerts: &Alerts,
    causes: &Causes,
    left_out: &mut usize,
) -> Vec<Happening> {
    let views = alerts.views();
    let dated = (views.iter()).filter_map(|view| Some((view.since()?, view)));
    let mut all = Vec::new();
    for (at, view) in newest(dated.collect(), left_out) {
        let happening = |at, weight, word: &str, note: Option<&str>, after| Happening {
            at,
            weight,
            what: Safe::new(&format!(
                "{} {word}{}",
                view.rule.name,
                about(estate, alerts, &view.alert.labels)
            )),
            note: note.map(Safe::new),
            after,
            source: Source::Alert(view.alert.labels.clone()),
        };
        let silenced = view.silence.filter(|_| view.standing == Standing::Silenced);
        let hushed = silenced.and_then(|silence| Some((silence, silence.starts?.max(at))));
        let (weight, word, note) = match view.standing {
            Standing::Firing => (Weight::Bad, "firing", None),
            Standing::Silenced if hushed.is_some() => (Weight::Bad, "firing", None),
            Standing::Silenced => (Weight::Look, "firing", Some("silenced now")),
            Standing::Inhibited => (Weight::Look, "firing", Some("inhibited by another now")),
            Standing::Pending => (Weight::Look, "pending", None),
        };
        all.push(happening(at, weight, word, note, causes.before(at)));
        if let Some((silence, from)) = hushed {
            let by = format!("by {}", silence.author);
            all.push(happening(from, Weight::Look, "silenced", Some(&by), None));
        }
    }
    all
}

/// Alerts that are over: their beginning and their end.
pub(super) fn ended(
    estate: &Estate,
    alerts: &Alerts,
    causes: &Causes,
    left_out: &mut usize,
) -> Vec<Happening> {
    let watchdog = alerts.scope.watchdog.as_ref();
    let name = |labels: &Labels| labels.get("alertname").cloned();
    let spells = alerts.ended();
    let dated = (spells
        .filter(|(s, _)| watchdog.is_none() || name(&s.labels).as_ref() != watchdog))
    .map(|(spell, is_exact)| (spell.to, (spell, is_exact)));
    *left_out += alerts.spells.value.more;
    let mut all = Vec::new();
    for (to, (spell, is_exact)) in newest(dated.collect(), left_out) {
        let called = name(&spell.labels).unwrap_or_else(|| "an alert".into());
        let about = about(estate, alerts, &spell.labels);
        let happening = |at, weight, word: &str, note, after| Happening {
            at,
            weight,
            what: Safe::new(&format!("{called} {word}{about}")),
            note,
            after,
            source: Source::Alert(spell.labels.clone()),
        };
        let lasted = Safe::new(&lasted(spell, is_exact));
        all.push(happening(to, Weight::Good, "ended", Some(lasted), None));
        if let Some(from) = spell.from {
            let after = match is_exact {
                true => causes.before(from),
                false => causes.minutes_before(from),
            };
            all.push(happening(from, Weight::Bad, "fired", None, after));
        }
    }
    all
}

/// How long an alert fired; at least a minute, where nothing shorter is known.
fn lasted(spell: &Spell, is_exact: bool) -> String {
    let Some(from) = spell.from else {
        return "it had begun earlier".to_owned();
    };
    let seconds = spell.to.as_second() - from.as_second();
    if is_exact && seconds < 120 {
        return format!("after {} s", seconds.max(0));
    }
    match (seconds / 60).max(1) {
        minutes @ ..120 => format!("after {minutes} m"),
        minutes => format!("after {} h", minutes / 60),
    }
}

pub(super) fn runs(repository: &Repository, left_out: &mut usize) -> Vec<Happening> {
    let dated = repository.runs.value.iter().filter_map(|run| {
        let at = match run.progress {
            // It waits since then, and began long before.
            Progress::Done(_) | Progress::Waiting => run.updated.or(run.started),
            Progress::Queued | Progress::Running | Progress::Other(_) => run.started,
        };
        Some((at?, run))
    });
    let newest = newest(dated.collect(), left_out).into_iter();
    let happening = |(at, run): (Timestamp, &Run)| {
        let (weight, word) = ending(repository, run);
        let origin = run.origin();
        Happening {
            at,
            weight,
            what: Safe::new(&format!("run #{} {origin} {word}", run.number)),
            note: run.actor.as_ref().map(|a| Safe::new(&format!("by {a}"))),
            after: None,
            source: Source::Run(run.id),
        }
    };
    newest.map(happening).collect()
}

/// How a run ended or stands, and how much that matters.
pub fn ending(repository: &Repository, run: &Run) -> (Weight, String) {
    let weight = match &run.progress {
        Progress::Done(Conclusion::Success) => match repository.missing_deploy(run) {
            Some(_) => return (Weight::Look, "passed without its deploy".to_owned()),
            None => Weight::Good,
        },
        Progress::Done(conclusion) if conclusion.is_failure() => Weight::Bad,
        Progress::Done(_) | Progress::Waiting => Weight::Look,
        Progress::Queued | Progress::Running | Progress::Other(_) => {
            return (Weight::Change, "started".to_owned());
        }
    };
    (weight, run.progress.words())
}
