//! The plan that nothing but its own target's health may refuse (SAFETY, rule 9).

use jiff::Timestamp;

use super::gates::{Draft, flips, images, least, matching, portless, services};
use super::restore::replaced;
use super::{Finding, Gate, Hold, Plan, Refusal, Request, colour};
use crate::estate::{Deployment, Estate, Kind, Labels, Live, Now, Safe, Service, TrafficSwitch};
use crate::ops::OperationKind;
use crate::ops::kept;
use crate::ops::marks::{self, Flipped};

pub(super) fn rollback(
    request: &Request,
    estate: &Estate,
    switch: &TrafficSwitch,
    now: Now,
) -> Result<Plan, Refusal> {
    let services = there(estate, switch)?;
    let to = target(request, estate, switch, &services)?;
    let value = &switch.colours[to];
    let mut flips = flips(&services, |s| s.selector.with(&switch.key, value));
    flips.reverse();
    if flips.is_empty() {
        let word = Plan::colour_in_words(value);
        return Err(Refusal::invalid(format!(
            "nothing to roll back: {word} is live on every Service"
        )));
    }
    let targets: Vec<(Safe, Labels)> = (services.iter())
        .map(|s| (s.name.clone(), s.selector.with(&switch.key, value)))
        .collect();
    let mut gates = matching(estate, &targets, switch, to);
    for gate in gates.iter_mut().filter(|gate| gate.finding == Finding::Bad) {
        gate.said = lesser_evil(estate, switch, to, &gate.said);
    }
    gates.extend(absent(estate, switch));
    gates.extend(portless(estate, &services, &targets));
    gates.extend(unknown_since(estate, switch, &services, to));
    gates.extend(verified(&services, value));
    gates.extend(goes_on(estate, switch, &services, to));
    gates.extend(whole(estate, switch, to));
    gates.extend(seized(estate, services.iter().map(|s| &s.name), now));
    let live = live(&services, switch);
    let plan = Draft {
        kind: OperationKind::Rollback,
        from: live.map(|c| switch.colours[c].clone()),
        to,
        flips,
        least: least(estate, &targets),
        holds: Vec::<Hold>::new(),
        gates,
        back: "C, a cutover with all its checks".into(),
    };
    plan.finish(request, estate, switch)
}

/// The Services that are there: one that was deleted keeps the others from no way back (SAFETY, rule 9).
fn there<'a>(estate: &'a Estate, switch: &TrafficSwitch) -> Result<Vec<&'a Service>, Refusal> {
    let names = switch.services.iter();
    let there: Vec<&Service> = names
        .filter_map(|name| estate.services.value.get(name))
        .collect();
    match estate.is_listed(Kind::Services) && !there.is_empty() {
        true => Ok(there),
        false => services(estate, switch),
    }
}

fn absent(estate: &Estate, switch: &TrafficSwitch) -> Option<Gate> {
    let names = switch.services.iter().map(Safe::as_str);
    let absent: Vec<&str> = names
        .filter(|name| estate.services.value.get(name).is_none())
        .collect();
    let said = || {
        let place = &estate.scope.namespace;
        let names = absent.join(", ");
        format!("there is no Service {names} in {place}: it is left out, and not waited for")
    };
    (!absent.is_empty()).then(|| Gate::new("absent", Finding::Noted, said()))
}

/// The colour that those Services agree on.
fn live(services: &[&Service], switch: &TrafficSwitch) -> Option<usize> {
    let colour = |s: &&Service| switch.colour(s.selector.get(&switch.key)?);
    let mut colours = services.iter().map(colour);
    let first = colours.next()??;
    colours.all(|it| it == Some(first)).then_some(first)
}

/// I-30: the colour that was verified live before, not merely the other one, where that is known.
fn target(
    request: &Request,
    estate: &Estate,
    switch: &TrafficSwitch,
    services: &[&Service],
) -> Result<usize, Refusal> {
    if let Some(wanted) = &request.to {
        let to = colour(wanted, switch)?;
        let is_other = request.is_pinned && live(services, switch) == Some(1 - to);
        let refused = is_other.then(|| no_way_back(estate, switch, services, to));
        return refused.flatten().map_or(Ok(to), Err);
    }
    if let Some(live) = live(services, switch) {
        return match services
            .iter()
            .find_map(|s| returned(s, &switch.colours[live]))
        {
            Some(flipped) => Err(already_back(&flipped, estate, switch, live)),
            None => no_way_back(estate, switch, services, 1 - live).map_or(Ok(1 - live), Err),
        };
    }
    // A way back that got half-way is gone on with, whoever presses R again.
    let selected = |s: &Service| s.selector.get(&switch.key).cloned();
    let mut back = services
        .iter()
        .filter_map(|s| Some(returned(s, &selected(s)?)?.to));
    if let Some(half) = back.find_map(|value: Safe| switch.colour(&value)) {
        return Ok(half);
    }
    // Half-switched or repaired by hand: what all agreed on last.
    let known = services.iter().find_map(|s| marks::verified(s)?.colour());
    let known = known.and_then(|value| switch.colour(&value));
    let one = |view: crate::estate::ServiceView<'_>| match view.live {
        Live::Colour(colour) => Some(colour),
        _ => None,
    };
    // A flip that was left half-done: the first Service is the one that it moved, not the one to follow.
    let before = services.iter().find_map(|s| left(s, switch));
    known
        .or_else(|| before.and_then(|value| switch.colour(&value)))
        .or_else(|| estate.service_views().into_iter().find_map(one))
        .ok_or_else(|| {
            Refusal::invalid(
                "roll back to which colour? No Service names one, and none was verified: name it with --to",
            )
        })
}

/// Why the colour that is not live is no way back, though it is the other one.
fn no_way_back(
    estate: &Estate,
    switch: &TrafficSwitch,
    services: &[&Service],
    to: usize,
) -> Option<Refusal> {
    unflipped(estate, switch, services).or_else(|| never_live(estate, switch, services, to))
}

/// A release that has not flipped anything: the other colour is what it deploys, and no way back (I-30).
fn unflipped(estate: &Estate, switch: &TrafficSwitch, services: &[&Service]) -> Option<Refusal> {
    let held = held_unflipped(estate, switch, services, OperationKind::Release)?;
    let live = live(services, switch)?;
    let word = |c: usize| Plan::colour_in_words(&switch.colours[c]);
    Some(Refusal::invalid(format!(
        "nothing is to be rolled back: release {held} has flipped nothing, and {} is live as before; abort it (B, or `op abort`), \
         and to bring traffic to {} all the same name it with --to",
        word(live),
        word(1 - live)
    )))
}

/// A cutover that has not flipped anything is stopped by its abort: this goes on where it was going, or back where it came from,
/// which is for a person to tell apart.
fn goes_on(
    estate: &Estate,
    switch: &TrafficSwitch,
    services: &[&Service],
    to: usize,
) -> Option<Gate> {
    let held = held_unflipped(estate, switch, services, OperationKind::Cutover)?;
    let word = Plan::colour_in_words(&switch.colours[to]);
    let said = format!(
        "cutover {held} has flipped nothing: an abort (B, or `op abort`) leaves traffic where it is, and this brings it to {word}"
    );
    Some(Gate::new("flipped", Finding::Noted, said))
}

/// The operation of that kind which holds the Services and has flipped none of them.
fn held_unflipped(
    estate: &Estate,
    switch: &TrafficSwitch,
    services: &[&Service],
    wanted: OperationKind,
) -> Option<Safe> {
    let held = switch.services.iter().find_map(|service| {
        let lease = (estate.leases.value).get(marks::lease_name(service).as_str())?;
        let is_held = lease
            .holder
            .as_ref()
            .is_some_and(|holder| !holder.is_empty());
        let kind = lease.marks.get(kept::KIND)?;
        let is_it = kind.as_str() == wanted.word();
        marks::operation(&lease.marks).filter(|_| is_held && is_it)
    })?;
    let has_flipped = |s: &&Service| marks::operation(&s.marks).as_ref() == Some(&held);
    (!services.iter().any(has_flipped)).then_some(held)
}

/// What would come live was deployed since traffic left that colour, or was never there (I-30): a new revision goes live by a
/// cutover, with its checks, and not by the key for the way back.
fn never_live(
    estate: &Estate,
    switch: &TrafficSwitch,
    services: &[&Service],
    to: usize,
) -> Option<Refusal> {
    let value = &switch.colours[to];
    let flips = known_flips(services, switch);
    let what = match flips.is_empty() {
        true => replaced_since(estate, switch, services, to),
        false => deployed_since_flips(estate, &flips, to, value),
    }?;
    let (word, live) = (
        Plan::colour_in_words(value),
        Plan::colour_in_words(&switch.colours[1 - to]),
    );
    Some(Refusal::invalid(format!(
        "{word} was never live as it is: {what}. {live} stays live; cut over with the checks, or bring traffic there all the same by {}",
        by_name(estate, value)
    )))
}

/// By our own flips: what it runs otherwise than when traffic left it, or what came where traffic never was.
fn deployed_since_flips(
    estate: &Estate,
    flips: &[Flipped],
    to: usize,
    value: &Safe,
) -> Option<String> {
    let last = flips.iter().map(|flip| flip.at).max()?;
    let left = flips
        .iter()
        .filter(|flip| flip.from.as_ref() == Some(value) && !flip.left.is_empty())
        .max_by_key(|flip| flip.at);
    match left {
        Some(flip) => runs_another(estate, to, &flip.left).map(|it| {
            let left = flip.left.join(", ");
            format!("{it}, and ran {left} when traffic left it")
        }),
        None => deployed_since(estate, to, Some(last))
            .map(|it| format!("{it}, and no traffic was there since")),
    }
}

/// Where nobody flipped by Wheelhouse, by the last writer of the selectors: images that came when traffic was elsewhere already.
/// What cannot be told so is no reason to refuse.
fn replaced_since(
    estate: &Estate,
    switch: &TrafficSwitch,
    services: &[&Service],
    to: usize,
) -> Option<String> {
    let written = |s: &&Service| s.owner_of(&switch.key)?.at;
    let all: Option<Vec<Timestamp>> = services.iter().map(written).collect();
    let moved = all?.into_iter().max()?;
    let all = estate.deployments_in(Some(to));
    let replaced = all.filter_map(|(_, deployment)| {
        let at = replaced(estate, deployment)?;
        (at > moved).then_some((at, deployment))
    });
    let (at, deployment) = replaced.max_by_key(|(at, _)| *at)?;
    Some(format!(
        "{} has other images since {at:.0}, and traffic was moved last at {moved:.0}",
        deployment.name
    ))
}

/// The last flips, as far as nobody moved the colour past Wheelhouse since.
fn known_flips(services: &[&Service], switch: &TrafficSwitch) -> Vec<Flipped> {
    let known = |service: &&Service| {
        let flip = marks::flipped(service)?;
        let owner = service.owner_of(&switch.key);
        let is_past_us = owner.is_some_and(|owner| marks::is_unmanaged(&flip, owner));
        (!is_past_us).then_some(flip)
    };
    services.iter().filter_map(known).collect()
}

/// What of a colour has a tag that none of `left` has. Another digest of the same tag is no reason to leave traffic where it is.
fn runs_another(estate: &Estate, to: usize, left: &[Safe]) -> Option<String> {
    let tag = |words: &Safe| words.split(' ').next().unwrap_or_default().to_owned();
    let mut runs = images(estate, to).into_iter().flat_map(|change| change.to);
    let other = runs.find(|it| !left.iter().any(|left| tag(left) == tag(it)))?;
    Some(format!("it runs {other}"))
}

/// Who gave the colour other images, after `last` where that is known.
fn deployed_since(estate: &Estate, to: usize, last: Option<Timestamp>) -> Option<String> {
    let all = estate.deployments_in(Some(to));
    let is_new = |(deployment, it): &(&Deployment, marks::Deployed)| {
        let is_ours = OperationKind::of(&it.what).is_some_and(OperationKind::deploys);
        is_ours
            && it.what.as_str() != OperationKind::Cleanup.word()
            && it.from != it.to
            && it.stands(deployment)
            && last.is_none_or(|last| it.at > last)
    };
    let deployed = all.filter_map(|(_, d)| Some((d, marks::deployed(d)?)));
    let (deployment, it) = deployed.filter(is_new).max_by_key(|(_, it)| it.at)?;
    Some(format!(
        "{} was deployed by {} at {:.0}",
        deployment.name, it.by, it.at
    ))
}

/// Whether traffic was there since is not known where nobody flipped by Wheelhouse: that is said.
fn unknown_since(
    estate: &Estate,
    switch: &TrafficSwitch,
    services: &[&Service],
    to: usize,
) -> Option<Gate> {
    if !known_flips(services, switch).is_empty() {
        return None;
    }
    let said = deployed_since(estate, to, None)?;
    let said = format!("{said}; whether traffic was there since is not known");
    Some(Gate::new("images", Finding::Noted, said))
}

/// Where our last flip of a Service says that back is, while it stands as that flip left it.
fn left(service: &Service, switch: &TrafficSwitch) -> Option<Safe> {
    let flipped = marks::flipped(service)?;
    if service.selector.get(&switch.key) != Some(&flipped.to) {
        return None;
    }
    match is_back(&flipped) {
        true => Some(flipped.to),
        false => flipped.from,
    }
}

pub(super) fn is_back(flipped: &Flipped) -> bool {
    flipped.is_compensation() || flipped.what.as_str() == OperationKind::Rollback.word()
}

/// The last flip of a Service, if it was a way back to the colour that is live.
fn returned(service: &Service, live: &Safe) -> Option<Flipped> {
    let flipped = marks::flipped(service)?;
    (is_back(&flipped) && flipped.to == *live).then_some(flipped)
}

/// A second rollback by a tired hand would bring back what the first one took away (O06).
fn already_back(
    flipped: &Flipped,
    estate: &Estate,
    switch: &TrafficSwitch,
    live: usize,
) -> Refusal {
    let word = |place: usize| Plan::colour_in_words(&switch.colours[place]);
    let (back, gone) = (word(live), word(1 - live));
    Refusal::invalid(format!(
        "{} rolled back to {back} at {:.0}: that is live. To go to {gone} all the same, cut over with its checks, or {}",
        flipped.subject(),
        flipped.at,
        by_name(estate, &switch.colours[1 - live])
    ))
}

/// The command that goes back to a colour because it is named: no key does.
fn by_name(estate: &Estate, colour: &Safe) -> String {
    format!("`wheelhouse rollback {} --to {colour}`", estate.scope.name)
}

/// I-22: the target is ill: where traffic would be the least worse off.
fn lesser_evil(estate: &Estate, switch: &TrafficSwitch, to: usize, said: &str) -> Safe {
    let other = estate.colour_view(Some(1 - to));
    let word = |c: usize| Plan::colour_in_words(&switch.colours[c]);
    let stay = match other.ready {
        0 => format!("{} has no ready pod either", word(1 - to)),
        // A rollback does not read the Deployments: how many are wanted is not known then.
        ready if other.desired == 0 => format!(
            "staying on {} ({ready} ready) is the lesser evil",
            word(1 - to)
        ),
        ready => format!(
            "staying on {} ({ready}/{} ready) is the lesser evil",
            word(1 - to),
            other.desired
        ),
    };
    match cold(estate, to) {
        Some(cold) => format!("{} {cold}; {stay}", word(to)).into(),
        None => format!("{said}; {stay}: bring {} up first", word(to)).into(),
    }
}

/// I-29: what brings a colour back that was cleaned up, and how long that takes; none where it is not at 0.
fn cold(estate: &Estate, to: usize) -> Option<String> {
    let all = estate.deployments_in(Some(to));
    let all: Vec<&Deployment> = all.map(|(_, deployment)| deployment).collect();
    if all.is_empty() || all.iter().any(|d| d.desired > 0) {
        return None;
    }
    let who = all.iter().find_map(|d| marks::deployed(d));
    let who = who.filter(|last| last.what.as_str() == OperationKind::Cleanup.word());
    let who = who.map_or_else(String::new, |last| {
        format!(", cleaned up by {} at {:.0}", last.by, last.at)
    });
    let images: Vec<&str> = (all.iter())
        .flat_map(|d| d.images.iter().map(|(_, image)| image.short_tag()))
        .collect();
    let lasts = estate.starts_in(1 - to).map_or_else(
        || "nobody knows how long it takes".to_owned(),
        |seconds| format!("about {seconds} s, if their images can be pulled"),
    );
    Some(format!(
        "is cold, at 0{who}: `deploy {} --same` brings {} up again ({lasts}), then roll back",
        estate.scope.name,
        images.join(", ")
    ))
}

fn verified(services: &[&Service], value: &Safe) -> Option<Gate> {
    let never = |s: &&&Service| marks::verified(s).is_none_or(|v| !v.knows(value));
    let unknown = services.iter().filter(never).count();
    (unknown > 0).then(|| {
        let word = Plan::colour_in_words(value);
        let of = match unknown == services.len() {
            true => String::new(),
            false => format!(" on {unknown} of the {} Services", services.len()),
        };
        let said = format!("{word} was never verified live by Wheelhouse{of}");
        Gate::new("verified", Finding::Noted, said)
    })
}

/// Fewer than desired are worth a word and nothing more.
fn whole(estate: &Estate, switch: &TrafficSwitch, to: usize) -> Option<Gate> {
    let view = estate.colour_view(Some(to));
    let word = Plan::colour_in_words(&switch.colours[to]);
    (view.ready < view.desired).then(|| {
        Gate::new(
            "ready",
            Finding::Noted,
            format!("{word} is not whole: ready {}/{}", view.ready, view.desired),
        )
    })
}

/// Whose Leases it takes away. The lock of a Service is its name.
pub(super) fn seized<'a>(
    estate: &Estate,
    locks: impl IntoIterator<Item = &'a Safe>,
    now: Now,
) -> Vec<Gate> {
    let server = estate.server_time(now);
    let said = |lock: &Safe| {
        let lease = estate.leases.value.get(marks::lease_name(lock).as_str())?;
        let holder = lease.holder.as_ref().filter(|holder| !holder.is_empty())?;
        let alive = match marks::is_alive(lease, server) {
            true => "is at it and will be cut off",
            false => "left it locked",
        };
        let words = format!("{lock}: {holder} {alive}");
        Some(Gate::new("seizes", Finding::Noted, words))
    };
    locks.into_iter().filter_map(said).collect()
}
