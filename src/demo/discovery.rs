//! Discovery: which kinds there are, in the old form and in the aggregated one.

use super::kind::{Facts, Kind};
use serde_json::{Value, json};
use std::collections::BTreeSet;

const VERBS: [&str; 8] = [
    "create",
    "delete",
    "deletecollection",
    "get",
    "list",
    "patch",
    "update",
    "watch",
];

/// Reviews: kinds that can only be created.
pub(super) const REVIEWS: [(&str, &str, &str); 3] = [
    (
        "authorization.k8s.io",
        "selfsubjectaccessreviews",
        "SelfSubjectAccessReview",
    ),
    (
        "authorization.k8s.io",
        "selfsubjectrulesreviews",
        "SelfSubjectRulesReview",
    ),
    (
        "authentication.k8s.io",
        "selfsubjectreviews",
        "SelfSubjectReview",
    ),
];

/// `/version`.
pub(super) fn version() -> Value {
    json!({
        "major": "1", "minor": "33", "gitVersion": "v1.33.4", "gitCommit": "74cdb4273ee1a5b5d3c6c4ba0d7c2e2a5d5a1b1e",
        "gitTreeState": "clean", "buildDate": "2025-08-13T14:31:32Z", "goVersion": "go1.24.5", "compiler": "gc",
        "platform": "linux/amd64",
    })
}

/// The document at `path`, where it is one of discovery's.
pub(super) fn answer(path: &[&str], accept: &str) -> Option<Value> {
    let is_aggregated = accept
        .split(',')
        .next()
        .is_some_and(|media| media.contains("as=APIGroupDiscoveryList"));
    match path {
        ["api"] if is_aggregated => Some(aggregated(|group| group.is_empty())),
        ["apis"] if is_aggregated => Some(aggregated(|group| !group.is_empty())),
        ["api"] => Some(
            json!({"kind": "APIVersions", "versions": ["v1"], "serverAddressByClientCIDRs": []}),
        ),
        ["apis"] => {
            let groups: Vec<Value> = groups()
                .into_iter()
                .filter(|(name, _)| !name.is_empty())
                .map(group)
                .collect();
            Some(json!({"kind": "APIGroupList", "apiVersion": "v1", "groups": groups}))
        }
        ["apis", name] => {
            let (name, version) = groups().into_iter().find(|(group, _)| group == name)?;
            let mut document = group((name, version));
            document["kind"] = json!("APIGroup");
            document["apiVersion"] = json!("v1");
            Some(document)
        }
        ["api", version] => resources("", version),
        ["apis", group, version] => resources(group, version),
        _ => None,
    }
}

/// The content type of the aggregated form.
pub(super) const AGGREGATED: &str =
    "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList";

fn groups() -> BTreeSet<(&'static str, &'static str)> {
    let kinds = Kind::ALL
        .into_iter()
        .map(|kind| (kind.facts().group, kind.facts().version));
    kinds
        .chain(REVIEWS.into_iter().map(|(group, ..)| (group, "v1")))
        .collect()
}

fn group((name, version): (&str, &str)) -> Value {
    let entry = json!({"groupVersion": format!("{name}/{version}"), "version": version});
    json!({"name": name, "versions": [entry], "preferredVersion": entry})
}

fn kinds_of(group: &str, version: &str) -> Vec<Facts> {
    let facts = Kind::ALL.into_iter().map(Kind::facts);
    facts
        .filter(|facts| facts.group == group && facts.version == version)
        .collect()
}

fn resources(group: &str, version: &str) -> Option<Value> {
    if !groups().contains(&(group, version)) {
        return None;
    }
    let mut resources = Vec::new();
    for facts in kinds_of(group, version) {
        let entry = |name: String, kind: &str, verbs: &[&str]| {
            json!({"name": name, "singularName": facts.singular, "namespaced": facts.namespaced, "kind": kind,
                "verbs": verbs, "shortNames": facts.short})
        };
        resources.push(entry(facts.plural.to_owned(), facts.kind, &VERBS));
        for (name, kind, verbs) in subresources(facts) {
            resources.push(entry(format!("{}/{name}", facts.plural), kind, verbs));
        }
    }
    for (_, plural, kind) in REVIEWS.into_iter().filter(|(name, ..)| *name == group) {
        resources.push(json!({"name": plural, "singularName": "", "namespaced": false, "kind": kind, "verbs": ["create"]}));
    }
    let name = if group.is_empty() {
        version.to_owned()
    } else {
        format!("{group}/{version}")
    };
    Some(
        json!({"kind": "APIResourceList", "apiVersion": "v1", "groupVersion": name, "resources": resources}),
    )
}

fn subresources(facts: Facts) -> Vec<(&'static str, &'static str, &'static [&'static str])> {
    let mut all: Vec<(&str, &str, &[&str])> = Vec::new();
    if facts.status {
        all.push(("status", facts.kind, &["get", "patch", "update"]));
    }
    if facts.scale {
        all.push(("scale", "Scale", &["get", "patch", "update"]));
    }
    if facts.kind == "Pod" {
        all.push(("log", "Pod", &["get"]));
        all.push(("portforward", "PodPortForwardOptions", &["create", "get"]));
    }
    all
}

fn aggregated(wanted: impl Fn(&str) -> bool) -> Value {
    let items = groups().into_iter().filter(|(name, _)| wanted(name)).map(|(name, version)| {
        let kinds = kinds_of(name, version).into_iter().map(|facts| {
            let scope = if facts.namespaced { "Namespaced" } else { "Cluster" };
            let parts = subresources(facts).into_iter().map(|(part, kind, verbs)| {
                json!({"subresource": part, "verbs": verbs, "responseKind": {"group": name, "version": version, "kind": kind}})
            });
            json!({"resource": facts.plural, "singularResource": facts.singular, "scope": scope, "verbs": VERBS,
                "shortNames": facts.short, "subresources": parts.collect::<Vec<_>>(),
                "responseKind": {"group": name, "version": version, "kind": facts.kind}})
        });
        let reviews = REVIEWS.into_iter().filter(|(group, ..)| *group == name).map(|(_, plural, kind)| {
            json!({"resource": plural, "singularResource": "", "scope": "Cluster", "verbs": ["create"],
                "responseKind": {"group": name, "version": version, "kind": kind}})
        });
        let resources: Vec<Value> = kinds.chain(reviews).collect();
        json!({"metadata": {"name": name, "creationTimestamp": null},
            "versions": [{"version": version, "freshness": "Current", "resources": resources}]})
    });
    json!({"kind": "APIGroupDiscoveryList", "apiVersion": "apidiscovery.k8s.io/v2", "metadata": {},
        "items": items.collect::<Vec<_>>()})
}
