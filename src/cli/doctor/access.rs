//! Whether one may do what the viewer's Role names, and reach what stands behind Services: what is asked,
//! and what the answers come to. Pure.

use super::cluster::on;
use super::finding::Finding;
use crate::clients::http::{Reach, Target as Monitored};
use crate::clients::kubernetes::{Right, Target};
use crate::estate::{Fault, FaultKind};

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

/// The Role's rights, the records of operations where they are, and the way to what stands behind a Service.
pub(super) fn rights(target: &Target, monitored: &[&Monitored]) -> Vec<Right> {
    let namespace = &target.namespace;
    let right = |verb, group, resource, subresource| Right {
        verb,
        group,
        resource,
        subresource,
        namespace: namespace.to_owned(),
        name: String::new(),
    };
    let of_role = ROLE
        .iter()
        .flat_map(|(group, resource, subresource, verbs)| {
            verbs
                .iter()
                .map(|verb| right(verb, group, resource, subresource))
        });
    let replicas = monitored.iter().flat_map(|target| &target.replicas);
    let proxied = replicas.filter_map(|reach| match reach {
        Reach::Url(_) => None,
        Reach::Service {
            namespace,
            name,
            port,
            ..
        } => Some(Right {
            namespace: namespace.clone(),
            name: format!("{name}:{port}"),
            ..right("get", "", "services", "proxy")
        }),
    });
    // Without a namespace of their own records are seen by whoever may see every ConfigMap of the product.
    let recorded = target.records.iter().flat_map(|records| {
        WATCHED.iter().map(move |verb| Right {
            namespace: records.clone(),
            ..right(verb, "", "configmaps", "")
        })
    });
    of_role.chain(recorded).chain(proxied).collect()
}

/// One finding a resource; each verb that is missing is named.
pub(super) fn access(
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
                Finding::bad("access", &of, &why, &grant(group[0].0))
            }
            (Some(fault), _) => {
                // A server that refuses reviews may still allow what they would be about.
                let fault = Fault {
                    kind: FaultKind::Server,
                    what: fault.what.clone(),
                };
                Finding::fault("access", &of, &fault, &on(&fault, target))
            }
            (None, _) => Finding::ok("access", &of, &verbs(Some(true))),
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

fn grant(right: &Right) -> String {
    let namespace = &right.namespace;
    match right.subresource {
        "proxy" => format!(
            "have a Role in {namespace} that allows get of services/proxy for {}, or configure its url",
            right.name
        ),
        _ if right.resource == "configmaps" => {
            "have it allowed: `kubectl apply -f records.yaml` (assets/kubernetes)".to_owned()
        }
        _ => format!(
            "have it allowed: `kubectl --namespace {namespace} apply -f viewer.yaml` (assets/kubernetes)"
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
        let text = include_str!("../../../assets/kubernetes/viewer.yaml");
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
                    allowed.insert(format!(
                        "{verb} {resource}.{}",
                        words(&rule["apiGroups"])[0]
                    ));
                }
            }
        }
        let asked = rights(&shop(), &[]);
        let asked: BTreeSet<_> = asked
            .iter()
            .filter(|right| right.namespace == "shop")
            .map(|right| format!("{} {}.{}", right.verb, resource(right), right.group))
            .collect();
        assert_eq!(asked, allowed);
    }

    #[test]
    fn k02_each_missing_verb_is_named_with_resource_and_namespace() {
        let rights = rights(&shop(), &[]);
        let denied = |right: &Right| right.resource == "events" && right.verb != "get";
        let may: Vec<_> = rights.iter().map(|right| Ok(!denied(right))).collect();
        let findings = access(&rights, &may, &Target::default());
        let bad: Vec<_> = findings.iter().filter(|f| !f.verdict.is_ok()).collect();
        let [events] = bad[..] else {
            unreachable!("{bad:?}")
        };
        assert_eq!(events.of.as_str(), "events");
        assert_eq!(events.found().as_str(), "may not list, watch in shop");
        assert!(events.advice.as_ref().unwrap().contains("viewer.yaml"));
    }
}
