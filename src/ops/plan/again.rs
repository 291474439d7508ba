//! What speaks against the very images of a colour: that they were brought back from or left, and that a tag is two of them.

use std::collections::{BTreeMap, BTreeSet};

use super::gates::images;
use super::rollback::is_back;
use super::{Finding, Gate, Plan, all};
use crate::estate::{Estate, Image, Safe, Service, TrafficSwitch};
use crate::ops::marks::{self, Flipped};

/// The gate of what a rollback left.
pub(super) const RETURNED: &str = "returned";
/// The gate of what a cutover left.
pub(super) const BACK: &str = "back";
/// The gate of tags that moved.
pub(super) const DIGESTS: &str = "digests";

/// Traffic was brought back from these very images: automation does not bring them live again unasked (row 49). A note
/// unless a reason is demanded.
pub(super) fn returned(
    estate: &Estate,
    services: &[&Service],
    switch: &TrafficSwitch,
    to: usize,
) -> Option<Gate> {
    let last = brought_back(estate, services, switch, to)?;
    let why = last
        .why
        .as_ref()
        .map_or_else(String::new, |why| format!(": {why}"));
    let said = format!(
        "{} rolled back from {} at {:.0}{why}; it runs the same images",
        last.subject(),
        Plan::colour_in_words(&switch.colours[to]),
        last.at,
    );
    let finding = match estate.holds_returned() {
        true => Finding::Bad,
        false => Finding::Noted,
    };
    Some(Gate::new(RETURNED, finding, said))
}

/// The flip that brought traffic back from these very images of the colour, if that was the last one.
pub fn brought_back(
    estate: &Estate,
    services: &[&Service],
    switch: &TrafficSwitch,
    to: usize,
) -> Option<Flipped> {
    let last = last_flip(services)?;
    let is_from_there = is_back(&last) && last.from.as_ref() == Some(&switch.colours[to]);
    (is_from_there && is_as_left(estate, to, &last)).then_some(last)
}

/// Traffic left this colour by the flip that stands, and it is as it was: "the other colour", said twice, is a way back, and no
/// release.
pub(super) fn goes_back(
    estate: &Estate,
    services: &[&Service],
    switch: &TrafficSwitch,
    to: usize,
) -> Option<Gate> {
    let last = last_flip(services)?;
    let [there, live] = [to, 1 - to].map(|colour| &switch.colours[colour]);
    let stands = last.to == *live && estate.live_colour() == Some(1 - to);
    let is_from_there = stands && last.cut_over() && last.from.as_ref() == Some(there);
    if !is_from_there || !is_as_left(estate, to, &last) {
        return None;
    }
    let said = format!(
        "traffic left {} at {:.0} by {} {} of {}, and it runs the same images: this is a way back",
        Plan::colour_in_words(there),
        last.at,
        last.what,
        last.operation,
        last.by
    );
    Some(Gate::new(BACK, Finding::Noted, said))
}

/// What brought these Services where they are, as far as they say.
fn last_flip(services: &[&Service]) -> Option<Flipped> {
    let flips = services
        .iter()
        .filter_map(|service| marks::flipped(service));
    flips.max_by_key(|flip| flip.at)
}

/// Whether the colour runs what it ran when traffic left it.
fn is_as_left(estate: &Estate, to: usize, last: &Flipped) -> bool {
    let images = running(estate, to);
    let same = |image: &Image| {
        let is_it = |left: &Safe| match image.short_digest() {
            Some(digest) => left.ends_with(digest),
            None => left.as_str() == image.short_tag(),
        };
        last.left.iter().any(is_it)
    };
    !images.is_empty() && images.iter().all(|(_, image)| same(image))
}

/// One tag that is two digests moved while it was rolled out: nobody knows which of them was tested.
pub(super) fn digests(estate: &Estate, to: usize) -> Option<Gate> {
    let running = running(estate, to);
    let mut by_name: BTreeMap<(&Safe, &Safe), BTreeSet<&str>> = BTreeMap::new();
    for (workload, image) in &running {
        if let Some(digest) = image.short_digest() {
            let of = by_name.entry((workload, &image.name)).or_default();
            of.insert(digest);
        }
    }
    let moved = by_name.into_iter().find(|(_, digests)| digests.len() > 1);
    let Some(((workload, name), digests)) = moved else {
        return reused(estate, to, &running);
    };
    let image = Image::named(name.clone());
    let digests: Vec<&str> = digests.into_iter().collect();
    let said = format!(
        "{} of {workload} is {}: the tag moved while it was rolled out; deploy by digest",
        image.short_tag(),
        digests.join(" and ")
    );
    Some(Gate::new(DIGESTS, Finding::Bad, said))
}

/// A tag that is another digest in the other colour names two revisions: which of them a person means by it nobody can tell.
fn reused(estate: &Estate, to: usize, running: &[(Safe, Image)]) -> Option<Gate> {
    let other = self::running(estate, 1 - to);
    let (workload, image, digest, there) = running.iter().find_map(|(workload, image)| {
        let digest = image.short_digest()?;
        let mut same = other
            .iter()
            .filter(|(of, it)| of == workload && it.name == image.name);
        let there = same.find_map(|(_, it)| it.short_digest().filter(|it| *it != digest))?;
        Some((workload, image, digest, there))
    })?;
    let said = format!(
        "{} of {workload} is {digest} here and {there} in the other colour: the tag moved between the two deploys; deploy by digest",
        image.short_tag()
    );
    Some(Gate::new(DIGESTS, Finding::Noted, said))
}

/// What was meant is a revision, too, and not whatever was deployed to that colour since: another one goes live by a cutover, with
/// its checks (I-13). A note where the other colour is not live: no cutover begins from a selector of neither.
pub(super) fn as_meant(
    estate: &Estate,
    services: &[&Service],
    switch: &TrafficSwitch,
    to: usize,
    is_flipped: bool,
) -> Gate {
    let (bad, unknown, way) = match is_flipped {
        true => (
            Finding::Bad,
            Finding::Unknown,
            "cut over instead, with the checks",
        ),
        false => (
            Finding::Noted,
            Finding::Noted,
            "look at it first; no cutover begins from a selector of neither colour",
        ),
    };
    let value = &switch.colours[to];
    let word = Plan::colour_in_words(value);
    let flips = services
        .iter()
        .filter_map(|service| marks::flipped(service));
    let there = flips.filter(|flip| flip.to == *value && !flip.images.is_empty());
    let Some(last) = there.max_by_key(|flip| flip.at) else {
        let said = format!(
            "what {word} ran when it was meant was not written down, and may be another revision by now: {way}"
        );
        return Gate::new(DIGESTS, unknown, said);
    };
    let mut runs = images(estate, to).into_iter().flat_map(|change| change.to);
    match runs.find(|it| !last.images.iter().any(|was| is_same(it, was))) {
        Some(other) => {
            let was = last.images.join(", ");
            let said = format!("{word} runs {other}, and ran {was} when it was meant: {way}");
            Gate::new("images", bad, said)
        }
        None => Gate::new(
            "images",
            Finding::Ok,
            format!("{word} runs what it ran when it was meant"),
        ),
    }
}

/// Whether `TAG DIGEST` is the same twice, as far as both tell the digest.
fn is_same(a: &str, b: &str) -> bool {
    match (a.split_once(' '), b.split_once(' ')) {
        (Some(_), Some(_)) | (None, None) => a == b,
        (Some((tag, _)), None) => tag == b,
        (None, Some((tag, _))) => tag == a,
    }
}

/// What the ready pods of a colour run, by workload: what goes, or was evicted long ago, gets no traffic.
pub(in crate::ops) fn running(estate: &Estate, to: usize) -> Vec<(Safe, Image)> {
    let mut running: Vec<(Safe, Image)> = Vec::new();
    for (place, pod) in all(estate, Some(to)) {
        let workload = &estate.scope.workloads[place].name;
        if let Some(container) = pod.main_container() {
            let one = (workload.clone(), container.image.clone());
            if !running.contains(&one) {
                running.push(one);
            }
        }
    }
    running
}
