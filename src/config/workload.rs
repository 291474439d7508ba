//! Reads the workloads of an environment, which must not share objects.

use std::collections::BTreeMap;

use super::environment::unique;
use super::grammar::{LABEL_KEY, LABEL_VALUE, NAME, OBJECT};
use super::problem::quoted;
use super::walk::{Node, Walk};
use super::{Traffic, Workload};

/// Reads every `[[environment.workload]]`.
pub(super) fn all(
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
    let workloads: Vec<_> = items
        .iter()
        .map(|item| workload(walk, item, traffic))
        .collect();
    stand_apart(walk, &items, &workloads);
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
fn stand_apart(walk: &mut Walk<'_>, items: &[Node<'_>], workloads: &[Option<Workload>]) {
    let mut labels = BTreeMap::new();
    let mut bare = BTreeMap::new();
    let mut owners = BTreeMap::new();
    for (item, workload) in items.iter().zip(workloads) {
        let Some(one) = workload else { continue };
        // The same labels will do where each of the workloads names its Deployments.
        let is_bare = one.deployments.is_empty();
        let rivals = if is_bare { &labels } else { &bare };
        if let Some(other) = rivals.get(&one.labels) {
            let found = format!("the labels of the workload \"{other}\"");
            let expected = "labels that find other pods, or deployments in both";
            walk.wrong(&item.path, &item.span, found, expected);
        }
        labels.entry(&one.labels).or_insert(&one.name);
        if is_bare {
            bare.entry(&one.labels).or_insert(&one.name);
        }
        for name in &one.deployments {
            if let Some(other) = owners.insert(name, &one.name)
                && other != &one.name
            {
                let found = format!("the Deployment \"{name}\" of the workload \"{other}\"");
                walk.wrong(
                    &item.path,
                    &item.span,
                    found,
                    "each Deployment in one workload",
                );
            }
        }
    }
}
