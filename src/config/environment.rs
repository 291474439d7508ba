//! Reads the environments, and finds what must be unique and is not.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::path::PathBuf;

use super::grammar::{LINE, NAME, PATH};
use super::monitoring::{self, General};
use super::problem::quoted;
use super::selector::{self, Requirement};
use super::walk::{Node, Walk};
use super::{
    Environment, Tier, Traffic, deployment, gates, github, hook, smoke, traffic, workload,
};

const TIERS: [(&str, Tier); 3] = [
    ("development", Tier::Development),
    ("staging", Tier::Staging),
    ("production", Tier::Production),
];

const ONE_TIER: &str = "one of development, staging, production";

const KEYS: [&str; 18] = [
    "name",
    "tier",
    "context",
    "kubeconfig",
    "namespace",
    "records",
    "selector",
    "read_only",
    "deploy",
    "deployment",
    "smoke",
    "verify",
    "hook",
    "traffic",
    "workload",
    "prometheus",
    "alertmanager",
    "gates",
];

/// Reads every `[[environment]]`.
pub(super) fn all(
    walk: &mut Walk<'_>,
    node: &Node<'_>,
    general: &General,
) -> Option<Vec<Environment>> {
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
    let environments: Vec<_> = items
        .iter()
        .map(|item| environment(walk, item, general))
        .collect();
    warn_of_twins(walk, &items, &environments);
    environments.into_iter().collect()
}

fn environment(walk: &mut Walk<'_>, node: &Node<'_>, general: &General) -> Option<Environment> {
    let section = walk.section(node, "a table")?;
    section.only(walk, &KEYS);
    let name = section.required(walk, "name", "a name, such as \"staging\"", |walk, node| {
        walk.text(node, NAME)
    });
    let tier = section.required(walk, "tier", ONE_TIER, |walk, node| {
        walk.choice(node, &TIERS)
    });
    let context = section.optional(walk, "context", |walk, node| walk.text(node, LINE));
    let kubeconfig = section.optional(walk, "kubeconfig", |walk, node| walk.text(node, PATH));
    let namespace = section.required(walk, "namespace", "the namespace", |walk, node| {
        walk.text(node, NAME)
    });
    let records = section.optional(walk, "records", |walk, node| walk.text(node, NAME));
    let read_only = section.optional(walk, "read_only", |walk, node| walk.truth(node));
    let deploy = section.optional(walk, "deploy", github::deploy);
    let traffic = section.optional(walk, "traffic", traffic::read);
    let switch = traffic.as_ref().and_then(Option::as_ref);
    let selector = section.optional(walk, "selector", |walk, node| watched(walk, node, switch));
    let workloads = section.required(
        walk,
        "workload",
        "at least one [[environment.workload]]",
        |walk, node| workload::all(walk, node, switch),
    );
    let known = workloads.as_deref().unwrap_or_default();
    let deployment = section.optional(walk, "deployment", |walk, node| {
        deployment::read(walk, node, known, switch.is_some())
    });
    let smoke = section.optional(walk, "smoke", |walk, node| smoke::all(walk, node, known));
    let verify = section.optional(walk, "verify", smoke::verify);
    let hooks = section.optional(walk, "hook", hook::all);
    let prometheus = section.optional(walk, "prometheus", |walk, node| {
        monitoring::of_environment(walk, node, general)
    });
    let alertmanager = section.optional(walk, "alertmanager", monitoring::alertmanager);
    let gates = section.optional(walk, "gates", |walk, node| {
        Some((node.clone(), gates::read(walk, node)?))
    });
    let prometheus = prometheus?.flatten().or_else(|| general.prometheus());
    // One that is there and wrong is told of once.
    if prometheus.is_none()
        && general.is_whole
        && let Some(Some((node, _))) = &gates
    {
        gates::lacks_prometheus(walk, node);
    }
    if let Some(Some((node, read))) = &gates
        && let (true, Some(None)) = (read.smoke, &smoke)
    {
        gates::lacks_smoke(walk, node);
    }
    if let Some(Some((node, read))) = &gates {
        // GitHub's own job, too, may go through an environment that is reviewed.
        let is_dispatched = matches!(&deployment, Some(Some(super::Deployment::Workflow(_))))
            || matches!(&deploy, Some(Some(_)));
        gates::void(walk, node, read, switch.is_some(), is_dispatched);
    }
    let tier = tier?;
    Some(Environment {
        name: name?,
        tier,
        context: context?,
        kubeconfig: kubeconfig?.map(PathBuf::from),
        namespace: namespace?,
        records: records?,
        selector: selector?.unwrap_or_default(),
        read_only: read_only?.unwrap_or(tier == Tier::Production),
        deploy: deploy?,
        deployment: deployment?,
        smoke: smoke?.unwrap_or_default(),
        verify: verify?.unwrap_or_default(),
        hooks: hooks?.unwrap_or_default(),
        traffic: traffic?,
        workloads: workloads?,
        prometheus,
        alertmanager: alertmanager?.or_else(|| general.alertmanager.clone()),
        gates: gates?.map(|(_, gates)| gates).unwrap_or_default(),
    })
}

/// The same target under two tiers would let the lesser one's confirmation change the greater one.
fn warn_of_twins(walk: &mut Walk<'_>, items: &[Node<'_>], environments: &[Option<Environment>]) {
    let mut seen = BTreeMap::new();
    for (item, environment) in items.iter().zip(environments) {
        let Some(one) = environment else { continue };
        let target = (&one.context, &one.kubeconfig, &one.namespace, &one.selector);
        if let Some(twin) = seen.get(&target) {
            let found = format!(
                "has the context, namespace and selector of \"{twin}\": both show and change the same objects"
            );
            walk.warn(&item.path, &item.span, found);
        }
        seen.entry(target).or_insert(&one.name);
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

/// Reports each string that stands twice: of the items themselves, or of their key `key`.
pub(super) fn unique(walk: &mut Walk<'_>, items: &[Node<'_>], key: &str, expected: &str) {
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
