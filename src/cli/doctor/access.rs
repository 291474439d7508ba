//! Whether one may do what the viewer's Role names, reach what stands behind Services, and, where one is to operate,
//! write what an operator's Roles name: what is asked, and what the answers come to. Pure.

use super::cluster::on;
use super::finding::Finding;
use crate::clients::http::Target as Monitored;
use crate::clients::kubernetes::{Right, Target};
use crate::estate::{Fault, FaultKind, Safe};
use crate::ops::rights::{proxied, silencing};

/// What the Role of assets/kubernetes/viewer.yaml allows: group, resource, subresource, verbs. A test
/// keeps the two the same.
const ROLE: [(&str, &str, &str, &[&str]); 9] = [
    ("", "pods", "", WATCHED),
    ("", "services", "", WATCHED),
    ("", "events", "", WATCHED),
    ("", "pods", "log", &["get"]),
    ("apps", "deployments", "", WATCHED),
    ("apps", "replicasets", "", WATCHED),
    ("discovery.k8s.io", "endpointslices", "", WATCHED),
    ("autoscaling", "horizontalpodautoscalers", "", WATCHED),
    ("coordination.k8s.io", "leases", "", WATCHED),
];
const WATCHED: &[&str] = &["get", "list", "watch"];

/// What the Role of assets/kubernetes/operator.yaml allows beyond. A test keeps the two the same.
const WRITES: [(&str, &str, &str, &[&str]); 5] = [
    ("", "services", "", &["patch"]),
    ("apps", "deployments", "", &["patch"]),
    ("", "pods", "portforward", &["get", "create"]),
    ("autoscaling", "horizontalpodautoscalers", "", &["patch"]),
    ("coordination.k8s.io", "leases", "", &["create", "update"]),
];

/// What an operator does in an environment.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Operates<'a> {
    /// A smoke test asks its pods.
    pub asks_pods: bool,
    /// The Services of the switch: a Role may name them.
    pub services: &'a [Safe],
    /// Where alerts are silenced.
    pub alertmanager: Option<&'a Monitored>,
}

/// What an operator's Roles allow beyond: the writes of operations, and their records.
pub(super) fn writes(target: &Target, operates: Operates<'_>) -> Vec<Right> {
    let namespace = &target.namespace;
    let (records, asks_pods) = (target.records.as_ref(), operates.asks_pods);
    let of_role = (WRITES.iter())
        .filter(|(_, _, part, _)| asks_pods || *part != "portforward")
        .flat_map(|(group, resource, part, verbs)| {
            let of = (*group, *resource, *part);
            verbs.iter().map(move |verb| right(verb, of, namespace))
        })
        .flat_map(|right| match right.resource {
            "services" => named(&right, operates.services),
            _ => vec![right],
        });
    let recorded = ["create", "update"]
        .map(|verb| right(verb, ("", "configmaps", ""), records.unwrap_or(namespace)));
    let silenced = operates.alertmanager.map_or_else(Vec::new, silencing);
    let silenced = silenced.into_iter().map(|(_, right)| right);
    of_role.chain(recorded).chain(silenced).collect()
}

/// The same of each of these.
fn named(right: &Right, names: &[Safe]) -> Vec<Right> {
    let of = |name: &Safe| Right {
        name: name.to_string(),
        ..right.clone()
    };
    names.iter().map(of).collect()
}

fn right(
    verb: &'static str,
    (group, resource, subresource): (&'static str, &'static str, &'static str),
    namespace: &str,
) -> Right {
    Right {
        verb,
        group,
        resource,
        subresource,
        namespace: namespace.to_owned(),
        name: String::new(),
    }
}

/// The Role's rights, the records of operations where they are, and the way to what stands behind a Service.
pub(super) fn rights(target: &Target, monitored: &[&Monitored]) -> Vec<Right> {
    let namespace = &target.namespace;
    let of_role = ROLE.iter().flat_map(|(group, resource, part, verbs)| {
        let of = (*group, *resource, *part);
        verbs.iter().map(move |verb| right(verb, of, namespace))
    });
    let proxied = monitored.iter().flat_map(|target| proxied("get", target));
    // Without a namespace of their own records are seen by whoever may see every ConfigMap of the product.
    let recorded = target.records.iter().flat_map(|records| {
        let of = ("", "configmaps", "");
        WATCHED.iter().map(move |verb| right(verb, of, records))
    });
    of_role.chain(recorded).chain(proxied).collect()
}

/// One finding a resource; each verb that is missing is named. `name` is that of the Role.
pub(super) fn access(
    name: &'static str,
    rights: &[Right],
    may: &[Result<bool, Fault>],
    target: &Target,
) -> Vec<Finding> {
    let mut findings = Vec::new();
    let all: Vec<_> = rights.iter().zip(may).collect();
    for group in all.chunk_by(|(a, _), (b, _)| resource(a) == resource(b)) {
        let of = resource(group[0].0);
        let verbs = |wanted: Option<bool>| {
            let fits = group
                .iter()
                .filter(|(_, may)| may.as_ref().ok().copied() == wanted);
            fits.map(|(right, _)| right.verb)
                .collect::<Vec<_>>()
                .join(", ")
        };
        let fault = group.iter().find_map(|(_, may)| may.as_ref().err());
        findings.push(match (fault, verbs(Some(false))) {
            (_, denied) if !denied.is_empty() => {
                let namespace = &group[0].0.namespace;
                let why = format!("may not {denied} in {namespace}");
                Finding::bad(name, &of, &why, &grant(name, group[0].0, &denied))
            }
            (Some(fault), _) => {
                // A server that refuses reviews may still allow what they would be about.
                let fault = Fault {
                    kind: FaultKind::Server,
                    what: fault.what.clone(),
                };
                Finding::fault(name, &of, &fault, &on(&fault, target))
            }
            (None, _) => Finding::ok(name, &of, &verbs(Some(true))),
        });
    }
    findings
}

/// `pods/log`; the object too, where one is meant.
fn resource(right: &Right) -> String {
    let (resource, part) = (right.resource, right.subresource);
    match (part, right.name.as_str()) {
        ("", _) => resource.to_owned(),
        (_, "") => format!("{resource}/{part}"),
        (_, name) => format!("{resource}/{part} {}/{name}", right.namespace),
    }
}

/// The names of the checks: of what a viewer needs, and of what an operator needs beyond.
pub(super) const VIEWER: &str = "access";
pub(super) const OPERATOR: &str = "operator";

/// Who allows the verbs that are `denied`.
fn grant(name: &str, right: &Right, denied: &str) -> String {
    let namespace = &right.namespace;
    let file = match name {
        OPERATOR => "operator.yaml",
        _ => "viewer.yaml",
    };
    match right.subresource {
        "proxy" => format!(
            "have a Role in {namespace} that allows {denied} of services/proxy for {}, or configure its url",
            right.name
        ),
        _ if right.resource == "configmaps" => {
            "have it allowed: `kubectl apply -f records.yaml` (assets/kubernetes)".to_owned()
        }
        _ => format!(
            "have it allowed: `kubectl --namespace {namespace} apply -f {file}` (assets/kubernetes)"
        ),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use serde_json::Value;
    use std::collections::BTreeSet;

    fn shop() -> Target {
        Target {
            namespace: "shop".to_owned(),
            records: Some("wheelhouse".to_owned()),
            ..Target::default()
        }
    }

    #[test]
    fn what_is_asked_is_what_the_shipped_role_allows() {
        let allowed = role(include_str!("../../../assets/kubernetes/viewer.yaml"));
        assert_eq!(words(&rights(&shop(), &[])), allowed);
    }

    #[test]
    fn what_an_operator_is_asked_for_is_what_the_shipped_role_allows_beyond() {
        let operates = Operates {
            asks_pods: true,
            services: &["web".into(), "api".into()],
            alertmanager: None,
        };
        let viewer = role(include_str!("../../../assets/kubernetes/viewer.yaml"));
        let operator = role(include_str!("../../../assets/kubernetes/operator.yaml"));
        let beyond: BTreeSet<_> = operator.difference(&viewer).cloned().collect();
        assert_eq!(words(&writes(&shop(), operates)), beyond);
        let without = words(&writes(&shop(), Operates::default()));
        assert!(!without.contains("create pods/portforward."), "{without:?}");
    }

    /// What the first Role of a file allows: `patch services.`.
    fn role(text: &str) -> BTreeSet<String> {
        let role = text.split("\n---").next().unwrap();
        let role: Value = serde_saphyr::from_str(role).unwrap();
        let words = |value: &Value| -> Vec<String> {
            let all = value.as_array().unwrap().iter();
            all.map(|v| v.as_str().unwrap().to_owned()).collect()
        };
        let mut allowed = BTreeSet::new();
        for rule in role["rules"].as_array().unwrap() {
            for resource in words(&rule["resources"]) {
                for verb in words(&rule["verbs"]) {
                    let group = &words(&rule["apiGroups"])[0];
                    allowed.insert(format!("{verb} {resource}.{group}"));
                }
            }
        }
        allowed
    }

    /// The same of what is asked in the namespace of the product.
    fn words(asked: &[Right]) -> BTreeSet<String> {
        (asked.iter())
            .filter(|right| right.namespace == "shop")
            .map(|right| format!("{} {}.{}", right.verb, resource(right), right.group))
            .collect()
    }

    #[test]
    fn k02_each_missing_verb_is_named_with_resource_and_namespace() {
        let rights = rights(&shop(), &[]);
        let denied = |right: &Right| right.resource == "events" && right.verb != "get";
        let may: Vec<_> = rights.iter().map(|right| Ok(!denied(right))).collect();
        let findings = access(VIEWER, &rights, &may, &Target::default());
        let bad: Vec<_> = findings.iter().filter(|f| !f.verdict.is_ok()).collect();
        let [events] = bad[..] else {
            unreachable!("{bad:?}")
        };
        assert_eq!(events.of.as_str(), "events");
        assert_eq!(events.found().as_str(), "may not list, watch in shop");
        assert!(events.advice.as_ref().unwrap().contains("viewer.yaml"));
    }
}
