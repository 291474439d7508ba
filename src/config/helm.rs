//! Reads how an environment is deployed by helm.

use std::collections::BTreeMap;
use std::path::PathBuf;

use super::deployment::TIMEOUT;
use super::grammar::{CHART, LINE, PATH, PROGRAM, RELEASE, VALUE_PATH};
use super::problem::quoted;
use super::walk::{Node, Section, Walk};
use super::{Helm, Workload};

const KEYS: [&str; 8] = [
    "strategy", "chart", "release", "version", "values", "set", "program", "timeout",
];

/// Reads the rest of `[environment.deployment]` with `strategy = "helm"`.
pub(super) fn read(
    walk: &mut Walk<'_>,
    section: &Section<'_>,
    workloads: &[Workload],
    has_colours: bool,
) -> Option<Helm> {
    section.only(walk, &KEYS);
    let chart = section.required(walk, "chart", CHART.expected, |walk, node| {
        walk.shown(node, CHART)
    });
    let release = section.required(walk, "release", RELEASE.expected, |walk, node| {
        release(walk, node, has_colours)
    });
    let version = section.optional(walk, "version", |walk, node| walk.text(node, LINE));
    let values = section.optional(walk, "values", |walk, node| {
        let items = walk.items(node, "a list of files of values, each an absolute path")?;
        let files: Vec<_> = items.iter().map(|item| walk.text(item, PATH)).collect();
        files.into_iter().collect::<Option<Vec<_>>>()
    });
    let set = section.optional(walk, "set", |walk, node| set(walk, node, workloads));
    let program = section.optional(walk, "program", |walk, node| walk.text(node, PROGRAM));
    let timeout = section.optional(walk, "timeout", |walk, node| walk.number(node, 1, 86_400));
    Some(Helm {
        program: program?.unwrap_or_else(|| "helm".to_owned()),
        chart: chart?,
        release: release?,
        version: version?,
        values: (values?.unwrap_or_default().into_iter())
            .map(PathBuf::from)
            .collect(),
        set: set?.unwrap_or_default(),
        timeout: timeout?.unwrap_or(TIMEOUT),
    })
}

fn release(walk: &mut Walk<'_>, node: &Node<'_>, has_colours: bool) -> Option<String> {
    let text = walk.text(node, RELEASE)?;
    if text.contains("{colour}") && !has_colours {
        walk.mismatch(
            node,
            "a name without {colour}: there is no [environment.traffic]",
        );
        return None;
    }
    Some(text)
}

fn set(
    walk: &mut Walk<'_>,
    node: &Node<'_>,
    workloads: &[Workload],
) -> Option<BTreeMap<String, String>> {
    let section = walk.section(
        node,
        "a table of values, such as { \"image.tag\" = \"{tag:frontend}\" }",
    )?;
    let mut set = Vec::new();
    for (path, span, value) in section.entries() {
        if !(VALUE_PATH.accepts)(path) {
            let found = format!("found {}", quoted(path));
            walk.wrong(&value.path, &span, found, VALUE_PATH.expected);
        }
        let text = walk.shown(&value, LINE);
        if let Some(stranger) = text.as_deref().and_then(|text| stranger(text, workloads)) {
            let known: Vec<&str> = workloads.iter().map(|it| it.name.as_str()).collect();
            let expected = format!("an image of one of {}", known.join(", "));
            let found = format!("found {}", quoted(stranger));
            walk.wrong(&value.path, &value.span, found, &expected);
        }
        set.push(text.map(|text| (path.to_owned(), text)));
    }
    set.into_iter().collect()
}

/// The workload of an image that is named and not there. (Where the workloads themselves are wrong, none is.)
fn stranger<'a>(text: &'a str, workloads: &[Workload]) -> Option<&'a str> {
    let words = text.split('{').skip(1);
    let mut named = words.filter_map(|part| {
        let (word, _) = part.split_once('}')?;
        let of = (word.strip_prefix("image:")).or_else(|| word.strip_prefix("tag:"))?;
        Some(of.split('/').next().unwrap_or(of))
    });
    let is_strange = |of: &&str| !workloads.iter().any(|it| it.name == *of);
    match workloads.is_empty() {
        true => None,
        false => named.find(is_strange),
    }
}
