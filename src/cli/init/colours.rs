//! Finds the switch of a namespace: Services whose selector has a key of which two sets of Deployments
//! carry two values. Pure.
//!
//! A key that merely tells parts apart (`app=web` and `app=api`) looks the same; the colours of a
//! product run the same images, its parts do not. Two shards run the same images too, but each has a
//! Service of its own, where a product's two colours share one.

use std::collections::{BTreeMap, BTreeSet};

use crate::clients::kubernetes::{FoundDeployment, FoundService};
use crate::estate::{Labels, Safe};

/// Values that people use for two colours, in the order in which they are said.
const KNOWN: [[&str; 2]; 8] = [
    ["blue", "green"],
    ["red", "black"],
    ["a", "b"],
    ["active", "standby"],
    ["primary", "secondary"],
    ["left", "right"],
    ["even", "odd"],
    ["one", "two"],
];

/// Words in the name of a Service that leads to the colour that is not live.
const PREVIEW: [&str; 7] = [
    "preview",
    "idle",
    "next",
    "test",
    "candidate",
    "standby",
    "staging",
];

/// The switch.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Switch {
    /// The selector's key.
    pub key: Safe,
    /// Its two values.
    pub colours: [Safe; 2],
    /// The Services, by name.
    pub services: Vec<Safe>,
    /// Whether the two values are a pair that people use, or were found by what they run.
    pub is_known: bool,
    /// Services that always lead to one colour, by their names.
    pub pinned: Vec<Safe>,
    /// Other keys that would do.
    pub others: Vec<Safe>,
}

struct Candidate<'s> {
    service: &'s FoundService,
    rest: Labels,
    value: Safe,
    is_known: bool,
}

/// The switch of one namespace, from its Services and Deployments.
pub(super) fn find(services: &[&FoundService], deployments: &[&FoundDeployment]) -> Option<Switch> {
    let mut groups: BTreeMap<(Safe, [Safe; 2]), Vec<Candidate<'_>>> = BTreeMap::new();
    for service in services {
        for (key, value) in service.selector.iter() {
            if let Some((colours, candidate)) = candidate(service, key, value, deployments) {
                groups
                    .entry((key.clone(), colours))
                    .or_default()
                    .push(candidate);
            }
        }
    }
    let mut switches: Vec<Switch> = groups
        .into_iter()
        .filter_map(|((key, colours), candidates)| switch(key, colours, &candidates))
        .collect();
    switches.sort_by_key(|s| {
        (
            !s.is_known,
            std::cmp::Reverse(s.services.len()),
            rank(&s.key),
        )
    });
    let mut switches = switches.into_iter();
    let best = switches.next()?;
    Some(Switch {
        others: switches.map(|other| other.key).collect(),
        ..best
    })
}

fn candidate<'s>(
    service: &'s FoundService,
    key: &Safe,
    value: &Safe,
    deployments: &[&FoundDeployment],
) -> Option<([Safe; 2], Candidate<'s>)> {
    let rest: Labels = service
        .selector
        .iter()
        .filter(|(k, _)| k != key)
        .cloned()
        .collect();
    let fits = |d: &&&FoundDeployment| rest.is_empty() || rest.selects(&d.pod_labels);
    let mut images: BTreeMap<&Safe, BTreeSet<String>> = BTreeMap::new();
    for deployment in deployments.iter().filter(fits) {
        if let Some(value) = deployment.pod_labels.get(key) {
            let repositories = deployment.images.iter().map(|image| repository(image));
            images.entry(value).or_default().extend(repositories);
        }
    }
    let known = KNOWN.iter().find(|pair| {
        let has = |word: &&str| images.keys().any(|value| value.as_str() == *word);
        pair.iter().all(has) && pair.contains(&value.as_str())
    });
    let values: Vec<Safe> = images.keys().map(|value| (*value).clone()).collect();
    let colours = match (known, &values[..]) {
        (Some([one, other]), _) => [Safe::new(one), Safe::new(other)],
        (None, [one, other]) if images[one] == images[other] && !images[one].is_empty() => {
            [one.clone(), other.clone()]
        }
        _ => return None,
    };
    // A selector of the colour alone is no sign where the colours are not named so.
    let is_told = colours.contains(value) && (known.is_some() || !rest.is_empty());
    is_told.then(|| {
        let candidate = Candidate {
            service,
            rest,
            value: value.clone(),
            is_known: known.is_some(),
        };
        (colours, candidate)
    })
}

/// An image without its tag and digest.
fn repository(image: &str) -> String {
    let bare = image.split('@').next().unwrap_or_default();
    let (head, tail) = bare.split_at(bare.rfind('/').unwrap_or(0));
    format!("{head}{}", tail.split(':').next().unwrap_or_default())
}

fn switch(key: Safe, colours: [Safe; 2], candidates: &[Candidate<'_>]) -> Option<Switch> {
    let is_known = candidates.iter().any(|c| c.is_known);
    let has_word = |name: &str, words: &[&str]| name.split('-').any(|part| words.contains(&part));
    let names = [colours[0].as_str(), colours[1].as_str()];
    let is_pinned = |c: &Candidate<'_>| {
        let name = c.service.name.as_str();
        let has_twin = candidates
            .iter()
            .any(|o| o.rest == c.rest && o.service != c.service);
        has_word(name, &names) || has_twin && has_word(name, &PREVIEW)
    };
    let (pinned, traffic): (Vec<_>, Vec<_>) = candidates.iter().partition(|c| is_pinned(c));
    // Each value has a Service of its own: two shards, not two colours.
    let is_shard = |c: &&Candidate<'_>| {
        let other = |o: &&Candidate<'_>| o.rest == c.rest && o.value != c.value;
        !is_known && traffic.iter().any(other)
    };
    let name = |c: &&Candidate<'_>| c.service.name.clone();
    let services: BTreeSet<Safe> = traffic.iter().filter(|c| !is_shard(c)).map(name).collect();
    let pinned: BTreeSet<Safe> = pinned.iter().map(name).collect();
    (!services.is_empty()).then(|| Switch {
        key,
        colours,
        services: services.into_iter().collect(),
        is_known,
        pinned: pinned.into_iter().collect(),
        others: Vec::new(),
    })
}

/// Names of keys that people use for colours come first.
fn rank(key: &str) -> usize {
    let usual = ["colour", "color", "version", "slot", "track"];
    let bare = key.rsplit('/').next().unwrap_or_default();
    usual
        .iter()
        .position(|word| *word == bare)
        .unwrap_or(usual.len())
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
pub(super) mod tests {
    use super::*;

    fn labels(text: &str) -> Labels {
        let pair = |pair: &str| {
            let (key, value) = pair.split_once('=').unwrap();
            (key.into(), value.into())
        };
        text.split(',')
            .filter(|p| !p.is_empty())
            .map(pair)
            .collect()
    }

    pub(in crate::cli::init) fn service(name: &str, selector: &str) -> FoundService {
        FoundService {
            namespace: "shop".into(),
            name: name.into(),
            selector: labels(selector),
            ..FoundService::default()
        }
    }

    pub(in crate::cli::init) fn deployment(name: &str, pods: &str, image: &str) -> FoundDeployment {
        FoundDeployment {
            namespace: "shop".into(),
            name: name.into(),
            pod_labels: labels(pods),
            images: vec![image.into()],
        }
    }

    fn found(services: &[FoundService], deployments: &[FoundDeployment]) -> Option<Switch> {
        find(
            &services.iter().collect::<Vec<_>>(),
            &deployments.iter().collect::<Vec<_>>(),
        )
    }

    fn web_and_api(key: &str, [one, other]: [&str; 2]) -> Vec<FoundDeployment> {
        let of = |part: &str, colour: &str| {
            let image = format!("ghcr.io:443/acme/{part}:{colour}1");
            let name = format!("{colour}-{part}");
            deployment(&name, &format!("part={part},{key}={colour}"), &image)
        };
        [("web", one), ("web", other), ("api", one), ("api", other)]
            .map(|(part, colour)| of(part, colour))
            .to_vec()
    }

    #[test]
    fn blue_and_green_are_found_and_parts_are_not_taken_for_colours() {
        let services = [
            service("shop-web", "part=web,version=blue"),
            service("shop-api", "part=api,version=blue"),
            service("shop-blue-api", "part=api,version=blue"),
            service("shop-green-api", "part=api,version=green"),
            service("shop-any", "part=api"),
        ];
        let switch = found(&services, &web_and_api("version", ["blue", "green"])).unwrap();
        assert_eq!(switch.key.as_str(), "version");
        assert_eq!(switch.colours, ["blue".into(), "green".into()]);
        assert_eq!(switch.services, ["shop-api".into(), "shop-web".into()]);
        assert_eq!(
            switch.pinned,
            ["shop-blue-api".into(), "shop-green-api".into()]
        );
        assert!(switch.is_known);
    }

    #[test]
    fn any_two_values_of_one_key_are_found_by_what_they_run() {
        let services = [
            service("web-active", "part=web,slot=x7"),
            service("web-preview", "part=web,slot=k2"),
        ];
        let switch = found(&services, &web_and_api("slot", ["x7", "k2"])).unwrap();
        assert_eq!(switch.colours, ["k2".into(), "x7".into()]);
        assert_eq!(switch.services, ["web-active".into()]);
        assert_eq!(switch.pinned, ["web-preview".into()]);
        assert!(!switch.is_known);
    }

    #[test]
    fn parts_shards_and_lone_deployments_are_no_colours() {
        let parts = [
            service("web", "app=shop,component=web"),
            service("api", "app=shop,component=api"),
        ];
        let deployments = [
            deployment("web", "app=shop,component=web", "web:1"),
            deployment("api", "app=shop,component=api", "api:1"),
        ];
        assert_eq!(found(&parts, &deployments), None);
        let shards = [
            service("db-0", "app=db,shard=s0"),
            service("db-1", "app=db,shard=s1"),
        ];
        let deployments = [
            deployment("db-0", "app=db,shard=s0", "db:1"),
            deployment("db-1", "app=db,shard=s1", "db:1"),
        ];
        assert_eq!(found(&shards, &deployments), None);
        let lone = [service("web", "app=web,version=blue")];
        let blue = [deployment("web-blue", "app=web,version=blue", "web:1")];
        assert_eq!(found(&lone, &blue), None);
        assert_eq!(found(&[service("any", "")], &blue), None);
    }

    #[test]
    fn an_image_is_compared_without_tag_and_digest() {
        for image in ["r:5000/a/web:1", "r:5000/a/web@sha256:0", "r:5000/a/web"] {
            assert_eq!(repository(image), "r:5000/a/web");
        }
        assert_eq!(repository("web:1"), "web");
    }
}
