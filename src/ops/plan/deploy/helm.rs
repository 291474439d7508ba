//! What helm found stands in the way of a deploy by it (I-51, I-52), and what it is told.
//!
//! The screen's own plan asks nothing of helm, a worker's does: what these gates find is no part of the plan's hash.

use std::collections::BTreeMap;

use jiff::Timestamp;

use super::{Target, part, parts, resolved};
use crate::estate::helm::{AskedHelm, ReleaseStatus, Rendered, RenderedKind, Revision};
use crate::estate::{Deployment, Estate, Group, Now, PortTarget, Safe, Service, TargetPort};
use crate::ops::plan::helm::{About, Helm, Release, tag};
use crate::ops::plan::{Finding, Gate, Plan, Refusal, Request};

/// The gate of the release.
const HELM: &str = "helm";
/// The gate of what the chart renders.
const RENDERS: &str = "renders";

/// Whether helm alone knows what a gate says.
pub(in crate::ops::plan) fn is_of_helm(name: &str) -> bool {
    matches!(name, HELM | RENDERS)
}

/// The whole references of the images that were asked for.
///
/// # Errors
/// Helm would not be told of one, or is to be told of one that nobody named.
pub(in crate::ops::plan) fn images(
    request: &Request,
    helm: &Helm,
    estate: &Estate,
    target: Target<'_>,
) -> Result<BTreeMap<Safe, Safe>, Refusal> {
    if helm.recovers {
        return match request.images.is_empty() {
            true => Ok(BTreeMap::new()),
            false => Err(Refusal::invalid(
                "a recovery goes back to a revision as it was: it takes no --image",
            )),
        };
    }
    let wanted = helm.wanted();
    if let Some(unheard) =
        (request.images.keys()).find(|of| !wanted.iter().any(|(named, _)| *named == of.as_str()))
    {
        return Err(Refusal::invalid(format!(
            "helm would not be told of {unheard}: no value of `set` holds {{tag:{unheard}}} or {{image:{unheard}}}"
        )));
    }
    let mut images = BTreeMap::new();
    for (of, is_tag) in wanted {
        let Some(reference) = request.images.get(of) else {
            return Err(Refusal::invalid(format!(
                "which image? `set` of helm names {of}: --image {of}=REFERENCE, or {of}=:TAG"
            )));
        };
        let whole = whole(of, reference, estate, target)?;
        if is_tag && tag(&whole).is_none() {
            return Err(Refusal::invalid(format!(
                "{whole} has no tag, and `set` of helm holds {{tag:{of}}}: name one, or have it hold {{image:{of}}}"
            )));
        }
        images.insert(Safe::from(of), whole);
    }
    Ok(images)
}

/// A reference with its repository: that of what is there, where only a tag or a digest was said.
fn whole(of: &str, reference: &Safe, estate: &Estate, target: Target<'_>) -> Result<Safe, Refusal> {
    if !reference.starts_with([':', '@']) {
        return Ok(reference.clone());
    }
    let (workload, container) = part(of);
    let place = (estate.scope.workloads.iter()).position(|it| it.name.as_str() == workload);
    let colours = [target.to, target.to.map(|to| 1 - to)];
    let there = colours.into_iter().flat_map(|colour| {
        estate.deployments_of(Group {
            workload: place,
            colour,
        })
    });
    let image = |deployment: &Deployment| {
        let mut named = deployment
            .images
            .iter()
            .filter(|(name, _)| match container {
                Some(container) => name.as_str() == container,
                None => deployment.images.len() == 1,
            });
        named.next().map(|(_, image)| image.name.clone())
    };
    match there.filter_map(image).next() {
        Some(image) if place.is_some() => Ok(resolved(&image, reference)),
        _ => Err(Refusal::invalid(format!(
            "{reference} of {of} is of no repository that is known: say the whole reference"
        ))),
    }
}

/// The colour that it goes to, as the selector spells it.
fn colour<'a>(target: Target<'a>) -> &'a str {
    match (target.switch, target.to) {
        (Some(switch), Some(to)) => switch.colours[to].as_str(),
        _ => "",
    }
}

/// What is filled in before there is an operation.
pub(in crate::ops) fn about<'a>(
    estate: &'a Estate,
    target: Target<'a>,
    images: &'a BTreeMap<Safe, Safe>,
) -> About<'a> {
    About {
        operation: None,
        environment: &estate.scope.name,
        namespace: &estate.scope.namespace,
        colour: colour(target),
        images,
    }
}

/// The release as it was found; none where helm was not asked, or did not answer.
pub(in crate::ops::plan) fn release(
    helm: &Helm,
    estate: &Estate,
    images: BTreeMap<Safe, Safe>,
) -> Option<Release> {
    let Some(AskedHelm::Said(said)) = &estate.helm else {
        return None;
    };
    let back_to = said.good().filter(|_| helm.recovers);
    Some(Release {
        name: said.release.clone(),
        before: said.last().map(|it| it.number),
        back_to: back_to.map(|it| it.number),
        images,
    })
}

/// What helm found.
pub(super) fn gates(helm: &Helm, estate: &Estate, target: Target<'_>, now: Now) -> Vec<Gate> {
    let said = match &estate.helm {
        None => return vec![asked_later()],
        Some(AskedHelm::Unfit(why)) => return vec![Gate::new(HELM, Finding::Bad, why.clone())],
        Some(AskedHelm::Silent(why)) => {
            return vec![Gate::new(HELM, Finding::Unknown, why.clone())];
        }
        Some(AskedHelm::Said(said)) => said,
    };
    let of = format!("helm {}, {}", said.version, said.release);
    let good = said.good().map(|it| it.number);
    let (finding, words) = match (said.last(), helm.recovers) {
        (last, true) => recovery(last, good, now),
        (None, false) => (
            Finding::Noted,
            "is no release yet: it is installed".to_owned(),
        ),
        (Some(last), false) => standing(last, good, &estate.scope.name, now),
    };
    let mut gates = vec![Gate::new(HELM, finding, format!("{of} {words}"))];
    match &said.renders {
        // Nothing is done with it in that case.
        _ if finding == Finding::Bad => {}
        Ok(rendered) => gates.extend(renders(rendered, &said.release, estate, target)),
        Err(why) => gates.push(Gate::new(RENDERS, Finding::Unknown, why.clone())),
    }
    gates
}

/// Whether a release may be upgraded.
fn standing(last: &Revision, good: Option<u32>, environment: &Safe, now: Now) -> (Finding, String) {
    let said = format!("revision {} {}", last.number, last.status.word());
    let why = &last.description;
    match &last.status {
        ReleaseStatus::Deployed => (Finding::Ok, said),
        ReleaseStatus::Failed => (
            Finding::Noted,
            format!("{said} ({why}): it is upgraded over"),
        ),
        ReleaseStatus::Uninstalled => (Finding::Noted, format!("{said}: it is installed anew")),
        ReleaseStatus::Pending(_) => (
            Finding::Bad,
            format!(
                "{said}{}: another helm is at it, or one died at it. If one is at it wait for its end, else {}",
                since(last, now),
                way_out(good, environment)
            ),
        ),
        ReleaseStatus::Uninstalling => (
            Finding::Bad,
            format!("{said}{}: wait until it is gone", since(last, now)),
        ),
        ReleaseStatus::Superseded | ReleaseStatus::Other(_) => (
            Finding::Unknown,
            format!("{said}, which nothing is known of: look with `helm history`"),
        ),
    }
}

/// Whether a release may be brought back.
fn recovery(last: Option<&Revision>, good: Option<u32>, now: Now) -> (Finding, String) {
    let Some(last) = last else {
        return (Finding::Bad, "is no release: nothing to recover".to_owned());
    };
    let said = format!("revision {} {}", last.number, last.status.word());
    let is_stuck = matches!(
        last.status,
        ReleaseStatus::Pending(_) | ReleaseStatus::Failed
    );
    match (is_stuck, good) {
        (false, _) => (Finding::Bad, format!("{said}: nothing to recover")),
        (true, None) => (Finding::Bad, format!("{said}: {}", nowhere())),
        (true, Some(good)) => (
            Finding::Noted,
            format!(
                "{said}{}: it goes back to revision {good}. If another helm is at it, wait for its end instead",
                since(last, now)
            ),
        ),
    }
}

/// Whether what runs is a rollback already: a second one by a tired hand would bring back what the first one took away (O06).
pub(in crate::ops::plan) fn is_back(estate: &Estate) -> bool {
    let Some(AskedHelm::Said(said)) = &estate.helm else {
        return false;
    };
    let is_it = |last: &Revision| last.status == ReleaseStatus::Deployed && last.is_rollback();
    said.last().is_some_and(is_it)
}

/// Since when what helm was to take away and could not is there, and how its last rollback stands.
pub(in crate::ops::plan) fn in_vain(estate: &Estate) -> Option<(Timestamp, Safe)> {
    let Some(AskedHelm::Said(said)) = &estate.helm else {
        return None;
    };
    let (since, last) = (said.stays_at()?.updated?, said.last()?);
    let (name, number, status) = (&said.release, last.number, last.status.word());
    let words = format!("{name} revision {number} {status} ({})", last.description);
    Some((since, words.into()))
}

/// Whether a release may go back a revision, in an environment without colours.
pub(in crate::ops::plan) fn restores(estate: &Estate, name: &Safe, now: Now) -> Gate {
    let Some(AskedHelm::Said(said)) = &estate.helm else {
        return asked_later();
    };
    let of = format!("helm {}, {name}", said.version);
    let Some(last) = said.last() else {
        let words = format!("{of} is no release: there is nothing to go back to");
        return Gate::new(HELM, Finding::Bad, words);
    };
    let is = format!("{of} revision {} {}", last.number, last.status.word());
    let to = |number: u32| format!("it goes back to revision {number}");
    let (finding, words) = match (&last.status, said.good().map(|it| it.number)) {
        (ReleaseStatus::Deployed, _) if is_back(estate) => (
            Finding::Bad,
            format!(
                "is a rollback already ({}): that runs. To have the newer one all the same, deploy it",
                last.description
            ),
        ),
        (ReleaseStatus::Deployed | ReleaseStatus::Failed, Some(number)) => {
            (Finding::Noted, to(number))
        }
        (ReleaseStatus::Pending(_), Some(number)) => (
            Finding::Noted,
            format!(
                "{}: {}; a helm of Wheelhouse's that is at it is cut off and waited for, anybody else's is not",
                since(last, now).trim_start(),
                to(number)
            ),
        ),
        (ReleaseStatus::Deployed | ReleaseStatus::Failed | ReleaseStatus::Pending(_), None) => (
            Finding::Bad,
            "no revision before it was applied in full: there is none to go back to".to_owned(),
        ),
        (
            ReleaseStatus::Uninstalled
            | ReleaseStatus::Uninstalling
            | ReleaseStatus::Superseded
            | ReleaseStatus::Other(_),
            _,
        ) => (
            Finding::Bad,
            "it is none that can be gone back from: look with `helm history`".to_owned(),
        ),
    };
    Gate::new(HELM, finding, format!("{is}: {words}"))
}

/// The Deployments that are there when helm went back: those that the revision has, where it is known.
pub(in crate::ops::plan) fn rendered_of(
    estate: &Estate,
    parts: &[(usize, &Deployment)],
    target: Target<'_>,
) -> Vec<Safe> {
    let rendered = match &estate.helm {
        Some(AskedHelm::Said(said)) => said.renders.as_ref().ok(),
        _ => None,
    };
    let is_of = |name: &Safe| {
        let mut all = rendered.into_iter().flatten();
        all.any(|it| it.kind == RenderedKind::Deployment && it.name == *name)
    };
    let is_known = parts.iter().any(|(_, it)| is_of(&it.name));
    let stays = |deployment: &Deployment| !is_known || is_of(&deployment.name);
    (parts
        .iter()
        .filter(|(_, it)| stays(it))
        .map(|(_, it)| it.name.clone()))
    .chain(installs(estate, target).into_iter().map(|(_, name)| name))
    .collect()
}

fn asked_later() -> Gate {
    Gate::new(HELM, Finding::Noted, "helm is asked when it starts")
}

fn nowhere() -> &'static str {
    "no revision before it was applied in full, so there is none to go back to: `helm uninstall` it by hand, and deploy \
     again (Wheelhouse removes no release)"
}

fn way_out(good: Option<u32>, environment: &Safe) -> String {
    match good {
        Some(good) => {
            format!(
                "`wheelhouse deploy {environment} --recover --write --reason …` goes back to revision {good}"
            )
        }
        None => nowhere().to_owned(),
    }
}

/// ` since 12:00:03 (4 min)`
fn since(revision: &Revision, now: Now) -> String {
    let Some(updated) = revision.updated else {
        return String::new();
    };
    let minutes = now.wall.duration_since(updated).as_secs().max(0) / 60;
    format!(" since {updated:.0} ({minutes} min)")
}

/// I-52, I-6: what would be applied leaves what takes traffic alone.
fn renders(
    rendered: &[Rendered],
    release: &Safe,
    estate: &Estate,
    target: Target<'_>,
) -> Vec<Gate> {
    let Some(switch) = target.switch else {
        return Vec::new();
    };
    let here =
        |it: &&Rendered| (it.namespace.as_ref()).is_none_or(|n| *n == estate.scope.namespace);
    let find = |kind, name: &Safe| {
        let mut all = rendered.iter().filter(here);
        all.find(move |it| it.kind == kind && it.name == *name)
    };
    let mut gates = Vec::new();
    for name in &switch.services {
        let Some(service) = estate.services.value.get(name) else {
            continue;
        };
        let bad = match find(RenderedKind::Service, name) {
            Some(it) => reselects(it, service, &switch.key).or_else(|| redirects(it, service)),
            None => removes(service, release),
        };
        gates.extend(bad.map(|said| Gate::new(RENDERS, Finding::Bad, said)));
    }
    let is_live = |it: &&Rendered| {
        it.kind == RenderedKind::Deployment
            && switch.colour_of(&it.labels).is_some()
            && switch.colour_of(&it.labels) != target.to
    };
    if let Some(live) = rendered.iter().filter(here).find(is_live) {
        let word = |colour: usize| Plan::colour_in_words(&switch.colours[colour]);
        let colour = target.to.map_or_else(String::new, |to| word(1 - to));
        let said = format!(
            "the chart renders Deployment {}, which is of {colour} and live: a release of its own for each colour leaves it alone",
            live.name
        );
        gates.push(Gate::new(RENDERS, Finding::Bad, said));
    }
    // Helm deletes what a release had and its chart renders no more, whatever it renders now.
    let ours = format!("Helm release {release}");
    let shared = (estate.deployments.value.iter()).find(|d| {
        let colour = estate.deployment_group(d).colour;
        let is_live = colour.is_some() && colour != target.to;
        is_live && d.owners.iter().any(|owner| owner.as_str() == ours)
    });
    if let Some(live) = shared {
        let said = format!(
            "Deployment {}, which is live, is of release {release} too: helm would change or delete it; each colour needs a release of its own",
            live.name
        );
        gates.push(Gate::new(RENDERS, Finding::Bad, said));
    }
    if gates.is_empty() {
        let said =
            "what it renders leaves the selectors and ports of the switch's Services as they are";
        gates.push(Gate::new(RENDERS, Finding::Ok, said));
    }
    gates
}

/// What of a Service's selector would be another one.
fn reselects(rendered: &Rendered, service: &Service, key: &Safe) -> Option<String> {
    let (name, now) = (&service.name, &service.selector);
    let value = |it: Option<&Safe>| it.map_or_else(|| "nothing".to_owned(), ToString::to_string);
    if rendered.labels.get(key) != now.get(key) {
        return Some(format!(
            "the chart renders Service {name} with {key}={}, and it has {key}={} now: helm would move its traffic",
            value(rendered.labels.get(key)),
            value(now.get(key))
        ));
    }
    (rendered.labels != *now).then(|| {
        format!("the chart renders Service {name} with another selector than it has now: helm would move its traffic")
    })
}

/// Which of a Service's ports would be missing, or lead elsewhere in the pods that take traffic now; one more harms nobody.
fn redirects(rendered: &Rendered, service: &Service) -> Option<String> {
    let same = |a: &PortTarget, b: &PortTarget| a.port == b.port && a.target == b.target;
    let mut now = service.targets.iter();
    let lost = now.find(|it| !rendered.targets.iter().any(|new| same(new, it)))?;
    let (name, port, had) = (&service.name, lost.port, word(lost));
    let mut new = rendered.targets.iter().filter(|it| it.port == port);
    let has = new
        .next()
        .map_or_else(|| "nowhere".to_owned(), |new| format!("to {}", word(new)));
    Some(format!(
        "the chart renders Service {name} with port {port} leading {has}, and it leads to {had} now: helm would cut its traffic off"
    ))
}

fn word(port: &PortTarget) -> String {
    match &port.target {
        TargetPort::Number(number) => number.to_string(),
        TargetPort::Named(name) => name.to_string(),
    }
}

/// Whether helm would remove a Service: it is of the release, and not of what is rendered.
fn removes(service: &Service, release: &Safe) -> Option<String> {
    let ours = format!("Helm release {release}");
    let is_ours = service.owners.iter().any(|owner| owner.as_str() == ours);
    is_ours.then(|| {
        format!(
            "Service {} is of release {release}, and the chart does not render it: helm would delete it",
            service.name
        )
    })
}

/// The Deployments that helm installs: rendered for a workload of the colour, and not there yet; by the workload's place.
pub(super) fn installs(estate: &Estate, target: Target<'_>) -> Vec<(usize, Safe)> {
    let Some(AskedHelm::Said(said)) = &estate.helm else {
        return Vec::new();
    };
    let Ok(rendered) = &said.renders else {
        return Vec::new();
    };
    let there = parts(estate, target);
    let scope = &estate.scope;
    let place = |it: &Rendered| {
        let is_here = (it.namespace.as_ref()).is_none_or(|n| *n == scope.namespace);
        let colour = (scope.traffic.as_ref()).and_then(|t| t.colour_of(&it.labels));
        let mut workloads = scope.workloads.iter();
        let place = workloads.position(|w| w.takes(&it.labels, Some(&it.name)));
        place.filter(|_| {
            it.kind == RenderedKind::Deployment
                && is_here
                && colour == target.to
                && !there.iter().any(|(_, d)| d.name == it.name)
        })
    };
    (rendered.iter())
        .filter_map(|it| Some((place(it)?, it.name.clone())))
        .collect()
}

/// What helm does is its own affair, and not fenced (SAFETY, rule 5).
pub(in crate::ops::plan) fn runs(
    helm: &Helm,
    about: &About<'_>,
    release: Option<&Release>,
) -> Gate {
    let words = match (helm.recovers, release.and_then(|it| it.back_to)) {
        (true, Some(revision)) => helm.rollback(&helm.name(about), revision),
        (true, None) => vec!["rollback".into(), helm.name(about)],
        (false, _) => helm.upgrade(about),
    };
    let words: Vec<&str> = words.iter().map(Safe::as_str).collect();
    let said = format!(
        "`{} {}` is run for at most {} s; it is not fenced: a takeover waits for its end",
        helm.program,
        words.join(" "),
        helm.timeout_s
    );
    Gate::new("command", Finding::Noted, said)
}

/// The way back of a deploy by helm.
pub(super) fn back(
    helm: &Helm,
    estate: &Estate,
    target: Target<'_>,
    release: Option<&Release>,
) -> Safe {
    if helm.recovers {
        return "a deploy, which upgrades it again".into();
    }
    let before = release.and_then(|it| Some((it.name.as_str(), it.before?)));
    match (target.switch, target.to) {
        (Some(switch), Some(to)) => {
            let live = Plan::colour_in_words(&switch.colours[1 - to]);
            let before = before.map_or_else(
                || "`helm rollback`".to_owned(),
                |(name, number)| format!("`helm rollback {name} {number}`"),
            );
            format!(
                "no way back is needed, {live} stays live; to have the old revision again: {before}"
            )
        }
        _ => {
            let before = before.map_or_else(
                || "the revision before".to_owned(),
                |(name, number)| format!("revision {number} of {name} again"),
            );
            format!("R, or `rollback {}`: {before}, by helm", estate.scope.name)
        }
    }
    .into()
}
