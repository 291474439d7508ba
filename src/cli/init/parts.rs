//! From the Deployments of a namespace to its workloads: which label tells the parts apart. Pure.

use std::collections::{BTreeMap, BTreeSet};

use super::colours::Switch;
use crate::clients::kubernetes::FoundDeployment;
use crate::estate::{Labels, Safe};

/// Labels that people tell parts apart by, the usual ones first.
const KEYS: [&str; 10] = [
    "app.kubernetes.io/component",
    "component",
    "part",
    "tier",
    "role",
    "app.kubernetes.io/name",
    "app",
    "k8s-app",
    "name",
    "service",
];

/// A workload.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Part {
    /// A name that the configuration takes.
    pub name: String,
    /// The label that finds its Deployments and pods.
    pub label: (Safe, Safe),
    /// Its Deployments.
    pub deployments: Vec<Safe>,
    /// Whether the label alone does not find them.
    pub is_named: bool,
}

/// The workloads of a namespace.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Parts {
    pub all: Vec<Part>,
    /// Deployments that are no part: without a colour, or without a label.
    pub left_out: Vec<Safe>,
}

/// The workloads, from the Deployments and, where there is one, the switch.
pub(super) fn find(deployments: &[&FoundDeployment], switch: Option<&Switch>) -> Parts {
    let has_colour = |d: &&FoundDeployment| match switch {
        Some(switch) => (d.pod_labels.get(&switch.key)).is_some_and(|v| switch.colours.contains(v)),
        None => true,
    };
    let (ours, others): (Vec<&FoundDeployment>, Vec<_>) =
        deployments.iter().copied().partition(has_colour);
    let mut parts = match key(&ours, switch) {
        Some(key) => by_label(&ours, key),
        None => by_name(&ours, switch),
    };
    parts.left_out.extend(others.iter().map(|d| d.name.clone()));
    distinct(&mut parts.all);
    parts
}

/// The label that tells most parts apart: each has at most one Deployment of each colour.
fn key(ours: &[&FoundDeployment], switch: Option<&Switch>) -> Option<&'static str> {
    let score = |key: &&'static str| -> Option<usize> {
        let mut groups: BTreeMap<&Safe, Vec<Option<&Safe>>> = BTreeMap::new();
        for deployment in ours {
            let colour = switch.and_then(|s| deployment.pod_labels.get(&s.key));
            groups
                .entry(deployment.pod_labels.get(key)?)
                .or_default()
                .push(colour);
        }
        let is_twice = |colours: &Vec<Option<&Safe>>| {
            colours.iter().collect::<BTreeSet<_>>().len() < colours.len()
        };
        if switch.is_some_and(|s| s.key.as_str() == *key) || groups.values().any(is_twice) {
            return None;
        }
        let wanted = if switch.is_some() { 2 } else { 1 };
        let whole = groups.values().filter(|colours| colours.len() == wanted);
        Some(whole.count()).filter(|count| *count > 0)
    };
    let mut best: Option<(&'static str, usize)> = None;
    for key in &KEYS {
        // Of equal ones the first, which is the more usual.
        if let Some(score) = score(key)
            && best.is_none_or(|(_, had)| score > had)
        {
            best = Some((key, score));
        }
    }
    best.map(|(key, _)| key)
}

fn by_label(ours: &[&FoundDeployment], key: &str) -> Parts {
    let mut groups: BTreeMap<Safe, Vec<Safe>> = BTreeMap::new();
    for deployment in ours {
        if let Some(value) = deployment.pod_labels.get(key) {
            groups
                .entry(value.clone())
                .or_default()
                .push(deployment.name.clone());
        }
    }
    let part = |(value, deployments): (Safe, Vec<Safe>)| Part {
        name: named(&value),
        label: (Safe::new(key), value),
        deployments,
        is_named: false,
    };
    Parts {
        all: groups.into_iter().map(part).collect(),
        left_out: Vec::new(),
    }
}

/// Where no label tells: by the Deployments' names without the colour, and those are written down.
fn by_name(ours: &[&FoundDeployment], switch: Option<&Switch>) -> Parts {
    let bare = |name: &str| match switch {
        Some(switch) => {
            let is_colour = |word: &&str| switch.colours.iter().any(|c| c.as_str() == *word);
            let words: Vec<_> = name.split('-').filter(|word| !is_colour(word)).collect();
            words.join("-")
        }
        None => name.to_owned(),
    };
    let mut groups: BTreeMap<String, Vec<&FoundDeployment>> = BTreeMap::new();
    for deployment in ours {
        groups
            .entry(bare(&deployment.name))
            .or_default()
            .push(deployment);
    }
    let mut parts = Parts::default();
    for (name, group) in groups {
        let names = group.iter().map(|d| d.name.clone()).collect();
        match common(&group, switch) {
            Some(label) => parts.all.push(Part {
                name: named(&name),
                label,
                deployments: names,
                is_named: true,
            }),
            None => parts.left_out.extend(names),
        }
    }
    parts
}

/// A label that all of them carry, which is not the colour.
fn common(group: &[&FoundDeployment], switch: Option<&Switch>) -> Option<(Safe, Safe)> {
    let first: &Labels = &group.first()?.pod_labels;
    let is_shared = |(key, value): &&(Safe, Safe)| {
        switch.is_none_or(|s| s.key != *key)
            && group.iter().all(|d| d.pod_labels.get(key) == Some(value))
    };
    first.iter().find(is_shared).cloned()
}

/// A name that the configuration takes: lower case, digits and `-`.
pub(super) fn named(text: &str) -> String {
    let plain = |c: char| match c.to_ascii_lowercase() {
        c if c.is_ascii_alphanumeric() => c,
        _ => '-',
    };
    let text: String = text.chars().map(plain).take(63).collect();
    match text.trim_matches('-') {
        "" => "unnamed".to_owned(),
        name => name.to_owned(),
    }
}

/// Names that were made the same are numbered.
fn distinct(parts: &mut [Part]) {
    let mut seen = BTreeSet::new();
    for part in parts {
        let (bare, mut number) = (part.name.clone(), 2);
        while !seen.insert(part.name.clone()) {
            part.name = format!("{bare}-{number}");
            number += 1;
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::super::colours::tests::deployment;
    use super::*;

    fn switch() -> Switch {
        Switch {
            key: "version".into(),
            colours: ["blue".into(), "green".into()],
            services: vec!["shop".into()],
            is_known: true,
            pinned: Vec::new(),
            others: Vec::new(),
        }
    }

    fn found(deployments: &[FoundDeployment], switch: Option<&Switch>) -> Parts {
        find(&deployments.iter().collect::<Vec<_>>(), switch)
    }

    fn names(parts: &Parts) -> Vec<(&str, String)> {
        let label = |part: &Part| format!("{}={}", part.label.0, part.label.1);
        parts
            .all
            .iter()
            .map(|p| (p.name.as_str(), label(p)))
            .collect()
    }

    #[test]
    fn the_label_that_both_colours_share_makes_the_parts() {
        let of = |colour: &str, part: &str| {
            let labels = format!("app=shop-{colour}-{part},part={part},version={colour}");
            deployment(&format!("{colour}-{part}"), &labels, "x:1")
        };
        let all = [
            of("blue", "web"),
            of("green", "web"),
            of("blue", "api"),
            of("green", "api"),
            deployment("redis", "app=redis,part=redis", "redis:7"),
        ];
        let parts = found(&all, Some(&switch()));
        let wanted = [
            ("api", "part=api".to_owned()),
            ("web", "part=web".to_owned()),
        ];
        assert_eq!(names(&parts), wanted);
        assert_eq!(parts.left_out, ["redis".into()]);
    }

    #[test]
    fn without_colours_each_deployment_is_a_part() {
        let all = [
            deployment("web", "app=Web_1,app.kubernetes.io/part-of=shop", "x:1"),
            deployment("api", "app=api,app.kubernetes.io/part-of=shop", "y:1"),
        ];
        let wanted = [
            ("web-1", "app=Web_1".to_owned()),
            ("api", "app=api".to_owned()),
        ];
        assert_eq!(names(&found(&all, None)), wanted);
    }

    #[test]
    fn where_no_label_tells_the_deployments_are_named() {
        let all = [
            deployment("blue-web", "team=a,version=blue", "x:1"),
            deployment("green-web", "team=a,version=green", "x:1"),
            deployment("blue-api", "team=a,version=blue", "x:1"),
            deployment("bare", "version=blue", "x:1"),
        ];
        let parts = found(&all, Some(&switch()));
        assert_eq!(
            names(&parts),
            [("api", "team=a".to_owned()), ("web", "team=a".to_owned())]
        );
        assert!(parts.all.iter().all(|p| p.is_named));
        assert_eq!(parts.left_out, ["bare".into()]);
    }
}
