//! What speaks against the very images of a colour: that they were brought back from, and that a tag is two of them.

use std::collections::BTreeMap;

use super::rollback::is_back;
use super::{Finding, Gate, Plan};
use crate::estate::{Estate, Image, Safe, Service, TrafficSwitch};
use crate::ops::marks;

/// The gate of what a rollback left.
pub(super) const RETURNED: &str = "returned";
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
    let flips = services
        .iter()
        .filter_map(|service| marks::flipped(service));
    let last = flips.max_by_key(|flip| flip.at)?;
    let is_from_there = is_back(&last) && last.from.as_ref() == Some(&switch.colours[to]);
    let view = estate.colour_view(Some(to));
    let images = view.images.iter().flat_map(|(_, images)| images);
    let same = |image: &Image| {
        let is_it = |left: &Safe| match image.short_digest() {
            Some(digest) => left.ends_with(digest),
            None => left.as_str() == image.short_tag(),
        };
        last.left.iter().any(is_it)
    };
    let mut images = images.map(|(image, _)| image).peekable();
    let is_same = images.peek().is_some() && images.all(same);
    if !is_from_there || !is_same {
        return None;
    }
    let why = last
        .why
        .as_ref()
        .map_or_else(String::new, |why| format!(": {why}"));
    let said = format!(
        "{} brought traffic back from {} at {:.0} ({}){why}; it runs the same images",
        last.by,
        Plan::colour_in_words(&switch.colours[to]),
        last.at,
        last.what
    );
    let finding = match estate.holds_returned() {
        true => Finding::Bad,
        false => Finding::Noted,
    };
    Some(Gate::new(RETURNED, finding, said))
}

/// One tag that is two digests moved while it was rolled out: nobody knows which of them was tested.
pub(super) fn digests(estate: &Estate, to: usize) -> Option<Gate> {
    for (workload, images) in &estate.colour_view(Some(to)).images {
        let mut by_name: BTreeMap<&Safe, Vec<&str>> = BTreeMap::new();
        for (image, _) in images {
            if let Some(digest) = image.short_digest() {
                by_name.entry(&image.name).or_default().push(digest);
            }
        }
        let moved = by_name.into_iter().find(|(_, digests)| digests.len() > 1);
        if let Some((_, digests)) = moved {
            let tag = images.first().map_or("", |(image, _)| image.short_tag());
            let said = format!(
                "{tag} of {workload} is {}: the tag moved while it was rolled out; deploy by digest",
                digests.join(" and ")
            );
            return Some(Gate::new(DIGESTS, Finding::Bad, said));
        }
    }
    None
}
