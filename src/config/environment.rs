//! Reads the environments: their traffic switch, their workloads, and what must be unique.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::path::PathBuf;

use super::grammar::{LABEL_KEY, LABEL_VALUE, LINE, NAME, OBJECT, PATH, SERVICE};
use super::problem::quoted;
use super::selector::{self, Requirement};
use super::walk::{Node, Walk};
use super::{Environment, Tier, Traffic, Workload};

const TIERS: [(&str, Tier); 3] = [
    ("development", Tier::Development),
    ("staging", Tier::Staging),
    ("production", Tier::Production),
];

const KEYS: [&str; 9] = [
    "name",
    "tier",
    "context",
    "kubeconfig",
    "namespace",
    "selector",
    "read_only",
    "traffic",
    "workload",
];

/// Reads every `[[environment]]`.
pub(super) fn all(walk: &mut Walk<'_>, node: &Node<'_>) -> Option<Vec<Environment>> {
    let items = walk.items(node, "[[environment]], in two brackets, for each one")?;
    if items.is_empty() {
        walk.mismatch(node, "at least one [[environment]]");
    }
    unique(
        walk,
        &items,
        "name",
        "another name: an environment above has this one",
    );
    let mut environments = Vec::new();
    for item in &items {
        let environment = environment(walk, item);
        if let Some(environment) = &environment {
            warn_of_twin(walk, item, environment, environments.iter().flatten());
        }
        environments.push(environment);
    }
    environments.into_iter().collect()
}

fn environment(walk: &mut Walk<'_>, node: &Node<'_>) -> Option<Environment> {
    let section = walk.section(node, "a table")?;
    section.only(walk, &KEYS);
    let name = section.required(walk, "name", "a name, such as \"staging\"", |walk, node| {
        walk.text(node, NAME)
    });
    let tier = section.required(
        walk,
        "tier",
        "one of development, staging, production",
        |walk, node| walk.choice(node, &TIERS),
    );
    let context = section.optional(walk, "context", |walk, node| walk.text(node, LINE));
    let kubeconfig = section.optional(walk, "kubeconfig", |walk, node| walk.text(node, PATH));
    let namespace = section.required(walk, "namespace", "the namespace", |walk, node| {
        walk.text(node, NAME)
    });
    let read_only = section.optional(walk, "read_only", |walk, node| walk.truth(node));
    let traffic = section.optional(walk, "traffic", traffic);
    let switch = traffic.as_ref().and_then(Option::as_ref);
    let selector = section.optional(walk, "selector", |walk, node| watched(walk, node, switch));
    let workloads = section.required(
        walk,
        "workload",
        "at least one [[environment.workload]]",
        |walk, node| workloads(walk, node, switch),
    );
    let tier = tier?;
    Some(Environment {
        name: name?,
        tier,
        context: context?,
        kubeconfig: kubeconfig?.map(PathBuf::from),
        namespace: namespace?,
        selector: selector?.unwrap_or_default(),
        read_only: read_only?.unwrap_or(tier == Tier::Production),
        traffic: traffic?,
        workloads: workloads?,
    })
}

/// The same target under two tiers would let the lesser one's confirmation change the greater one.
fn warn_of_twin<'e>(
    walk: &mut Walk<'_>,
    node: &Node<'_>,
    environment: &Environment,
    mut earlier: impl Iterator<Item = &'e Environment>,
) {
    let is_twin = |other: &&Environment| {
        other.context == environment.context
            && other.kubeconfig == environment.kubeconfig
            && other.namespace == environment.namespace
            && other.selector == environment.selector
    };
    if let Some(twin) = earlier.find(is_twin) {
        let found = format!(
            "has the context, namespace and selector of \"{}\": both show and change the same objects",
            twin.name
        );
        walk.warn(&node.path, &node.span, found);
    }
}

fn traffic(walk: &mut Walk<'_>, node: &Node<'_>) -> Option<Traffic> {
    let section = walk.section(node, "a table")?;
    section.only(walk, &["key", "colours", "services"]);
    let key = section.required(
        walk,
        "key",
        "the key of the selector that holds the colour",
        |walk, node| walk.text(node, LABEL_KEY),
    );
    let colours = section.required(walk, "colours", "two label values", colours);
    let services = section.required(
        walk,
        "services",
        "the Services to switch, in order",
        |walk, node| {
            let items = walk.items(node, "an array of Services")?;
            if items.is_empty() {
                walk.mismatch(node, "at least one Service");
            }
            unique(walk, &items, "", "each Service once");
            let names: Vec<_> = items.iter().map(|item| walk.text(item, SERVICE)).collect();
            names.into_iter().collect()
        },
    );
    Some(Traffic {
        key: key?,
        colours: colours?,
        services: services?,
    })
}

fn colours(walk: &mut Walk<'_>, node: &Node<'_>) -> Option<[String; 2]> {
    const EXPECTED: &str = "two different label values, such as [\"blue\", \"green\"]";
    let items = walk.items(node, EXPECTED)?;
    let values: Vec<_> = items
        .iter()
        .map(|item| walk.text(item, LABEL_VALUE))
        .collect();
    let values = values.into_iter().collect::<Option<Vec<_>>>()?;
    match <[String; 2]>::try_from(values) {
        // The screen shows them in capitals.
        Ok([first, second]) if !first.eq_ignore_ascii_case(&second) => Some([first, second]),
        Ok(_) | Err(_) => {
            walk.mismatch(node, EXPECTED);
            None
        }
    }
}

fn watched(walk: &mut Walk<'_>, node: &Node<'_>, traffic: Option<&Traffic>) -> Option<String> {
    let Some(text) = node.value.as_str() else {
        walk.mismatch(node, "a label selector, such as \"app=shop\"");
        return None;
    };
    match selector::parse(text) {
        Ok(requirements) => {
            keeps_colours(walk, node, &requirements, traffic);
            Some(text.to_owned())
        }
        Err(misread) => {
            let place = walk.within(node, text, misread.offset);
            walk.wrong(
                &node.path,
                &place,
                format!("found {}", quoted(text)),
                misread.expected,
            );
            None
        }
    }
}

/// A selector that names one colour would hide the other, and with it whether it may be switched to.
fn keeps_colours(
    walk: &mut Walk<'_>,
    node: &Node<'_>,
    requirements: &[Requirement],
    traffic: Option<&Traffic>,
) {
    let Some(traffic) = traffic else { return };
    for colour in &traffic.colours {
        let hides = |one: &Requirement| one.key == traffic.key && !one.admits(colour);
        if requirements.iter().any(hides) {
            let found = format!("a selector that hides the colour \"{colour}\"");
            walk.wrong(
                &node.path,
                &node.span,
                found,
                "one that selects both colours",
            );
        }
    }
}

fn workloads(
    walk: &mut Walk<'_>,
    node: &Node<'_>,
    traffic: Option<&Traffic>,
) -> Option<Vec<Workload>> {
    let items = walk.items(
        node,
        "[[environment.workload]], in two brackets, for each one",
    )?;
    if items.is_empty() {
        walk.mismatch(node, "at least one [[environment.workload]]");
    }
    unique(
        walk,
        &items,
        "name",
        "another name: a workload above has this one",
    );
    let mut workloads: Vec<Option<Workload>> = Vec::new();
    for item in &items {
        let workload = workload(walk, item, traffic);
        if let Some(workload) = &workload {
            stands_apart(walk, item, workload, workloads.iter().flatten());
        }
        workloads.push(workload);
    }
    workloads.into_iter().collect()
}

fn workload(walk: &mut Walk<'_>, node: &Node<'_>, traffic: Option<&Traffic>) -> Option<Workload> {
    let section = walk.section(node, "a table")?;
    section.only(walk, &["name", "labels", "deployments"]);
    let name = section.required(
        walk,
        "name",
        "a name, such as \"frontend\"",
        |walk, node| walk.text(node, NAME),
    );
    let labels = section.required(
        walk,
        "labels",
        "the labels of its pods, such as { part = \"frontend\" }",
        |walk, node| labels(walk, node, traffic),
    );
    let deployments = section.optional(walk, "deployments", |walk, node| {
        let items = walk.items(node, "an array of Deployments")?;
        unique(walk, &items, "", "each Deployment once");
        let names: Vec<_> = items.iter().map(|item| walk.text(item, OBJECT)).collect();
        names.into_iter().collect::<Option<Vec<_>>>()
    });
    Some(Workload {
        name: name?,
        labels: labels?,
        deployments: deployments?.unwrap_or_default(),
    })
}

fn labels(
    walk: &mut Walk<'_>,
    node: &Node<'_>,
    traffic: Option<&Traffic>,
) -> Option<BTreeMap<String, String>> {
    let section = walk.section(node, "a table of labels, such as { part = \"frontend\" }")?;
    let entries = section.entries();
    if entries.is_empty() {
        walk.mismatch(node, "at least one label");
    }
    let mut labels = Vec::new();
    for (key, span, value) in entries {
        if traffic.is_some_and(|traffic| traffic.key == key) {
            let found = "the key that holds the colour".to_owned();
            walk.wrong(&value.path, &span, found, "labels that both colours share");
        } else if !(LABEL_KEY.accepts)(key) {
            walk.wrong(
                &value.path,
                &span,
                format!("found {}", quoted(key)),
                LABEL_KEY.expected,
            );
        }
        labels.push(
            walk.text(&value, LABEL_VALUE)
                .map(|value| (key.to_owned(), value)),
        );
    }
    labels.into_iter().collect()
}

/// Two workloads that find the same objects would each be steered by the other's state.
fn stands_apart<'w>(
    walk: &mut Walk<'_>,
    node: &Node<'_>,
    workload: &Workload,
    earlier: impl Iterator<Item = &'w Workload>,
) {
    for other in earlier {
        if other.labels == workload.labels && workload.deployments.is_empty() {
            let found = format!("the labels of the workload \"{}\"", other.name);
            walk.wrong(&node.path, &node.span, found, "labels that find other pods");
        }
        let shared = |name: &&String| other.deployments.contains(name);
        if let Some(name) = workload.deployments.iter().find(shared) {
            let found = format!(
                "the Deployment \"{name}\" of the workload \"{}\"",
                other.name
            );
            walk.wrong(
                &node.path,
                &node.span,
                found,
                "each Deployment in one workload",
            );
        }
    }
}

/// Reports each string that stands twice: of the items themselves, or of their key `key`.
fn unique(walk: &mut Walk<'_>, items: &[Node<'_>], key: &str, expected: &str) {
    let mut seen: BTreeSet<String> = BTreeSet::new();
    for item in items {
        let Some((path, span, text)) = named(item, key) else {
            continue;
        };
        if !seen.insert(text.to_owned()) {
            walk.wrong(
                &path,
                &span,
                format!("found {} again", quoted(text)),
                expected,
            );
        }
    }
}

fn named<'n>(item: &Node<'n>, key: &str) -> Option<(String, Range<usize>, &'n str)> {
    if key.is_empty() {
        let text = item.value.as_str()?;
        return Some((item.path.clone(), item.span.clone(), text));
    }
    let value = item.value.as_table()?.get(key)?;
    let text = value.get_ref().as_str()?;
    Some((format!("{}.{key}", item.path), value.span(), text))
}
