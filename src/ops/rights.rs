//! What operations and silences need to be allowed, in Kubernetes' words (FAULTS.md, K02). A rollback asks nobody.

use super::plan::Probe;
use crate::clients::http::{Reach, Target};
use crate::clients::kubernetes::Right;
use crate::estate::{Estate, Need};

/// What forward moves do, and which of them: the patch of each Service, the Leases, the record, which is kept in the
/// namespace `records`.
pub fn wanted(estate: &Estate, probes: &[Probe], records: &str) -> Vec<(Need, Right)> {
    let here = estate.scope.namespace.as_str();
    let right = |verb, group, resource, name: &str, namespace: &str| Right {
        verb,
        group,
        resource,
        subresource: "",
        namespace: namespace.to_owned(),
        name: name.to_owned(),
    };
    let mut wanted: Vec<(Need, Right)> = (estate.scope.traffic.iter())
        .flat_map(|switch| &switch.services)
        .map(|service| (Need::Always, right("patch", "", "services", service, here)))
        .collect();
    wanted.push((
        Need::Deploys,
        right("patch", "apps", "deployments", "", here),
    ));
    let holdable = (estate.autoscalers.value.iter()).filter(|it| {
        let scaled = estate.deployments.value.get(&it.target);
        scaled.is_some_and(|d| estate.deployment_group(d).workload.is_some())
    });
    let resource = "horizontalpodautoscalers";
    let hold = |name: &str| right("patch", "autoscaling", resource, name, here);
    wanted.extend(holdable.map(|it| (Need::CutsOver, hold(&it.name))));
    if probes.iter().any(Probe::asks_pods) {
        let forward = right("get", "", "pods", "", here);
        let forward = Right {
            subresource: "portforward",
            ..forward
        };
        wanted.push((Need::Smokes, forward));
    }
    for verb in ["create", "update"] {
        let lease = right(verb, "coordination.k8s.io", "leases", "", here);
        let record = right(verb, "", "configmaps", "", records);
        wanted.extend([(Need::Always, lease), (Need::Always, record)]);
    }
    wanted
}

/// What setting, extending and expiring a silence do at an Alertmanager that stands behind a Service: a POST and a DELETE
/// through the API server, for each replica. One that has a URL asks no API server.
pub fn silencing(alertmanager: &Target) -> Vec<(Need, Right)> {
    let expires = proxied("delete", alertmanager).map(|right| (Need::Expires, right));
    proxied("create", alertmanager)
        .map(|right| (Need::Silences, right))
        .zip(expires)
        .flat_map(<[_; 2]>::from)
        .collect()
}

/// The way to each replica that stands behind a Service.
pub fn proxied(verb: &'static str, target: &Target) -> impl Iterator<Item = Right> {
    target.replicas.iter().filter_map(move |reach| match reach {
        Reach::Url(_) => None,
        Reach::Service {
            namespace,
            name,
            port,
            ..
        } => Some(Right {
            verb,
            group: "",
            resource: "services",
            subresource: "proxy",
            namespace: namespace.clone(),
            name: format!("{name}:{port}"),
        }),
    })
}
