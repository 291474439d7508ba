//! Reads `[environment.gates]`: whose approval a cutover needs, what of monitoring stops it, and what brings traffic
//! back in its soak.

use std::collections::BTreeMap;

use serde::Serialize;
use toml::de::DeValue;

use super::environment::unique;
use super::grammar::{EXPRESSION, LINE, METRIC_LABEL, NAME};
use super::problem::quoted;
use super::walk::{Node, Section, Walk};

/// The gates of an environment; what it does not say has a default.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Gates {
    /// Seconds that a cutover is watched; none: as `[operations]` says.
    pub soak: Option<u32>,
    /// Labels of the alerts that are gates, and the values that each may have; one set of them suffices. None:
    /// critical ones are.
    pub alerts: Option<Vec<BTreeMap<String, Vec<String>>>>,
    /// Seconds between two questions: 10.
    pub interval: Option<u32>,
    /// Seconds that a soak may be UNKNOWN before it holds and calls: 60.
    pub unknown: Option<u32>,
    /// Whether traffic stays when something goes wrong in the soak, and a person is called.
    pub holds: bool,
    /// Whether a cutover demands a smoke test of what is there.
    pub smoke: bool,
    /// Whether a cutover demands a green run of the workflow of [`super::GitHub`], of the commit that it brings live.
    pub ci: bool,
    /// Whether what traffic was brought back from goes live again only with a reason.
    pub returned: bool,
    /// How many restarts of the new colour's containers a soak bears.
    pub restarts: Option<u32>,
    /// Queries.
    pub queries: Vec<Query>,
    /// PromQL that gives the requests a second that `$colour` gets.
    pub draining: Option<String>,
    /// Whose approval a cutover needs.
    pub approval: Approval,
    /// Seconds that an approval holds: 3,600.
    pub approval_lasts: Option<u32>,
}

/// Whose approval a cutover needs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub enum Approval {
    /// Nobody's.
    #[default]
    None,
    /// GitHub's review of its environment is it.
    Github,
    /// One other person's.
    Other,
}

/// A query that is a gate.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Query {
    /// What people call it; unique in the environment.
    pub name: String,
    /// PromQL.
    pub query: String,
    /// The number must be below it.
    pub below: Option<f64>,
    /// The number must be above it.
    pub above: Option<f64>,
    /// PromQL that gives the number of requests, and the fewest that are enough.
    pub requests: Option<(String, f64)>,
    /// What less of them means.
    pub quiet: Quiet,
}

/// What too little traffic means to a query.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub enum Quiet {
    /// UNKNOWN.
    Hold,
    /// The soak waits for traffic.
    #[default]
    Extend,
    /// It is noted.
    Pass,
}

const KEYS: [&str; 13] = [
    "approval",
    "approval_lasts",
    "soak",
    "alerts",
    "interval",
    "unknown",
    "on_failure",
    "smoke",
    "ci",
    "returned",
    "restarts",
    "draining",
    "query",
];
const OF_QUERY: [&str; 7] = [
    "name",
    "query",
    "below",
    "above",
    "requests",
    "min_requests",
    "quiet",
];

/// Reads an `[environment.gates]`.
pub(super) fn read(walk: &mut Walk<'_>, node: &Node<'_>) -> Option<Gates> {
    let section = walk.section(node, "a table")?;
    section.only(walk, &KEYS);
    let mut seconds =
        |key, least, most| section.optional(walk, key, |walk, node| walk.number(node, least, most));
    let (soak, interval) = (seconds("soak", 0, 86_400), seconds("interval", 1, 600));
    let unknown = seconds("unknown", 1, 86_400);
    let lasts = seconds("approval_lasts", 60, 86_400);
    let holds = section.optional(walk, "on_failure", |walk, node| {
        walk.choice(node, &[("return", false), ("hold", true)])
    });
    let approval = section.optional(walk, "approval", |walk, node| {
        let choices = [
            ("none", Approval::None),
            ("github review", Approval::Github),
            ("one other person", Approval::Other),
        ];
        walk.choice(node, &choices)
    });
    let smoke = section.optional(walk, "smoke", |walk, node| walk.truth(node));
    let ci = section.optional(walk, "ci", |walk, node| walk.truth(node));
    let returned = section.optional(walk, "returned", |walk, node| walk.truth(node));
    let restarts = section.optional(walk, "restarts", |walk, node| walk.number(node, 0, 1_000));
    let alerts = section.optional(walk, "alerts", alerts);
    let queries = section.optional(walk, "query", queries);
    let draining = section.optional(walk, "draining", |walk, node| {
        let text = expression(walk, node)?;
        if !text.contains("$colour") {
            walk.mismatch(
                node,
                "PromQL that asks about one colour: $colour stands for it",
            );
            return None;
        }
        Some(text)
    });
    Some(Gates {
        soak: soak?,
        alerts: alerts?,
        interval: interval?,
        unknown: unknown?,
        holds: holds?.unwrap_or_default(),
        smoke: smoke?.unwrap_or_default(),
        ci: ci?.unwrap_or_default(),
        returned: returned?.unwrap_or_default(),
        restarts: restarts?,
        queries: queries?.unwrap_or_default(),
        draining: draining?,
        approval: approval?.unwrap_or_default(),
        approval_lasts: lasts?,
    })
}

/// What of it asks a Prometheus that there is not.
pub(super) fn lacks_prometheus(walk: &mut Walk<'_>, node: &Node<'_>) {
    let keys = ["alerts", "query", "interval", "unknown", "draining"];
    let found = "of no use without a Prometheus";
    useless(walk, node, &keys, found, "[prometheus], which it asks");
}

/// What of it demands a smoke test that there is not.
pub(super) fn lacks_smoke(walk: &mut Walk<'_>, node: &Node<'_>) {
    let (found, expected) = (
        "a demand that nothing fulfils",
        "[[environment.smoke]], the test",
    );
    useless(walk, node, &["smoke"], found, expected);
}

/// What of it is asked by nobody: without a switch nothing is cut over, and GitHub reviews what a workflow deploys.
pub(super) fn void(
    walk: &mut Walk<'_>,
    node: &Node<'_>,
    gates: &Gates,
    has_switch: bool,
    is_dispatched: bool,
) {
    let found = match (has_switch, gates.approval) {
        (false, Approval::Other) => {
            "\"one other person\", and without [environment.traffic] nothing is cut over that could be approved: every deploy in place is refused"
        }
        (false, _) => {
            "gates of cutovers, and without [environment.traffic] nothing is cut over: a deploy in place asks alerts, queries and `ci` of them"
        }
        (true, Approval::Github) if !is_dispatched => {
            "\"github review\", and no workflow deploys here ([environment.deployment] strategy = \"workflow\"): nobody reviews what goes live"
        }
        _ => return,
    };
    walk.warn(&node.path, &node.span, found.to_owned());
}

/// What of it asks a repository that there is not.
pub(super) fn lacks_github(walk: &mut Walk<'_>, node: &Node<'_>) {
    let (found, expected) = (
        "a demand that nothing fulfils",
        "[github], whose workflow's runs are asked",
    );
    useless(walk, node, &["ci"], found, expected);
}

fn useless(walk: &mut Walk<'_>, node: &Node<'_>, keys: &[&str], found: &str, expected: &str) {
    let Some(section) = walk.section(node, "a table") else {
        return;
    };
    for (key, span, value) in section.entries() {
        if keys.contains(&key) {
            walk.wrong(&value.path, &span, found.to_owned(), expected);
        }
    }
}

fn alerts(walk: &mut Walk<'_>, node: &Node<'_>) -> Option<Vec<BTreeMap<String, Vec<String>>>> {
    let expected = "an array of labels, such as [{ severity = \"critical\" }]";
    let items = walk.items(node, expected)?;
    let fits: Vec<_> = items.iter().map(|item| fit(walk, item)).collect();
    fits.into_iter().collect()
}

fn fit(walk: &mut Walk<'_>, node: &Node<'_>) -> Option<BTreeMap<String, Vec<String>>> {
    let section = walk.section(node, "labels, such as { severity = \"critical\" }")?;
    let mut labels = Vec::new();
    for (key, span, value) in section.entries() {
        if !(METRIC_LABEL.accepts)(key) {
            let found = format!("found {}", quoted(key));
            walk.wrong(&value.path, &span, found, METRIC_LABEL.expected);
        }
        labels.push(values(walk, &value).map(|values| (key.to_owned(), values)));
    }
    if labels.is_empty() {
        walk.mismatch(node, "at least one label: every alert would be a gate");
        return None;
    }
    labels.into_iter().collect()
}

/// One value, or an array of them.
fn values(walk: &mut Walk<'_>, node: &Node<'_>) -> Option<Vec<String>> {
    let DeValue::Array(_) = node.value else {
        return Some(vec![walk.text(node, LINE)?]);
    };
    let items = walk.items(node, "an array of values")?;
    if items.is_empty() {
        walk.mismatch(node, "at least one value");
        return None;
    }
    let values: Vec<_> = items.iter().map(|item| walk.text(item, LINE)).collect();
    values.into_iter().collect()
}

fn queries(walk: &mut Walk<'_>, node: &Node<'_>) -> Option<Vec<Query>> {
    let expected = "[[environment.gates.query]], in two brackets, for each one";
    let items = walk.items(node, expected)?;
    let other = "another name: a query above has this one";
    unique(walk, &items, "name", other);
    let queries: Vec<_> = items.iter().map(|item| query(walk, item)).collect();
    queries.into_iter().collect()
}

fn query(walk: &mut Walk<'_>, node: &Node<'_>) -> Option<Query> {
    let section = walk.section(node, "a table")?;
    section.only(walk, &OF_QUERY);
    let name = section.required(walk, "name", "a name, such as \"errors\"", |walk, node| {
        walk.text(node, NAME)
    });
    let text = section.required(walk, "query", "PromQL that gives one number", expression);
    let below = section.optional(walk, "below", number);
    let above = section.optional(walk, "above", number);
    let requests = section.optional(walk, "requests", expression);
    let least = section.optional(walk, "min_requests", number);
    let quiet = section.optional(walk, "quiet", |walk, node| {
        let choices = [
            ("hold", Quiet::Hold),
            ("extend", Quiet::Extend),
            ("pass", Quiet::Pass),
        ];
        walk.choice(node, &choices)
    });
    let (below, above) = (below?, above?);
    if below.is_none() && above.is_none() {
        let path = format!("{}.below", section.path);
        walk.missing(
            &path,
            &section.span,
            "below or above: the bound of the number",
        );
        return None;
    }
    let requests = traffic(walk, &section, requests?, least?)?;
    let quiet = quiet?;
    if quiet.is_some() && requests.is_none() {
        let path = format!("{}.requests", section.path);
        walk.missing(&path, &section.span, "requests and min_requests, for quiet");
        return None;
    }
    Some(Query {
        name: name?,
        query: text?,
        below,
        above,
        requests,
        quiet: quiet.unwrap_or_default(),
    })
}

/// Both of what says how much traffic is needed, or none.
fn traffic(
    walk: &mut Walk<'_>,
    section: &Section<'_>,
    requests: Option<String>,
    least: Option<f64>,
) -> Option<Option<(String, f64)>> {
    let (key, expected) = match (requests, least) {
        (None, None) => return Some(None),
        (Some(requests), Some(least)) => return Some(Some((requests, least))),
        (Some(_), None) => ("min_requests", "the fewest requests that are enough"),
        (None, Some(_)) => ("requests", "PromQL that gives the number of requests"),
    };
    walk.missing(&format!("{}.{key}", section.path), &section.span, expected);
    None
}

fn expression(walk: &mut Walk<'_>, node: &Node<'_>) -> Option<String> {
    let text = walk.text(node, EXPRESSION)?;
    Some(text.split_whitespace().collect::<Vec<_>>().join(" "))
}

/// A number, whole or not.
fn number(walk: &mut Walk<'_>, node: &Node<'_>) -> Option<f64> {
    let read = match &node.value {
        DeValue::Integer(number) => i32::from_str_radix(number.as_str(), number.radix())
            .ok()
            .map(f64::from),
        DeValue::Float(number) => number.as_str().parse().ok(),
        _ => None,
    };
    let finite = read.filter(|number: &f64| number.is_finite());
    if finite.is_none() {
        walk.mismatch(node, "a number, such as 0.05");
    }
    finite
}
