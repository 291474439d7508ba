//! What runs on a plane: Digital Wall in both colours (two Services, four Deployments, an autoscaler for
//! each), and crowds of pods.

use crate::plane::pods::Health;
use crate::plane::{Options, Plane, programs};
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::Pod;
use k8s_openapi::api::discovery::v1::EndpointSlice;
use kube::Client;
use kube::api::{Api, ListParams};
use std::collections::BTreeSet;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// What every object of the fleet is labelled with.
pub const PART_OF: &str = "app.kubernetes.io/part-of=digital-wall";

/// How long 5,000 pods may take on a busy machine; on a quiet one they take 50 s.
const MAKING_LIMIT: Duration = Duration::from_secs(600);

const COLOUR: &str = include_str!("fleet/colour.yaml");
const TRAFFIC: &str = include_str!("fleet/traffic.yaml");

/// Digital Wall in a new namespace: blue (tag `v1`) is live, green (tag `v2`) runs idle, and
/// `viewer` has the shipped viewer's Role.
pub fn digital_wall(plane: &Plane, namespace: &str) {
    plane.namespace(namespace);
    colour(plane, namespace, "blue", "v1");
    colour(plane, namespace, "green", "v2");
    traffic(plane, namespace);
    viewer_role(plane, namespace);
}

/// The two Services that traffic comes in by, at BLUE.
pub fn traffic(plane: &Plane, namespace: &str) {
    plane.apply_yaml(namespace, TRAFFIC);
}

/// One colour of it, with its Deployments, backend Service and autoscalers, at an image tag.
pub fn colour(plane: &Plane, namespace: &str, colour: &str, tag: &str) {
    let yaml = COLOUR.replace("COLOUR", colour).replace("TAG", tag);
    plane.apply_yaml(namespace, &yaml);
}

/// Waits until every Deployment of the namespace has what it asks for, at its newest revision.
pub fn wait_available(plane: &Plane, namespace: &str) {
    wait_available_within(plane, namespace, Duration::from_secs(120));
}

fn wait_available_within(plane: &Plane, namespace: &str, limit: Duration) {
    let deployments: Api<Deployment> = Api::namespaced(plane.client(), namespace);
    let what = format!("the Deployments of {namespace}");
    plane.until_within(limit, &what, || async {
        let all = deployments.list(&ListParams::default()).await.ok()?.items;
        (!all.is_empty() && all.iter().all(is_available)).then_some(())
    });
}

/// The names of the pods that a Service sends traffic to now, ready ones only.
pub async fn endpoints(
    client: &Client,
    namespace: &str,
    service: &str,
) -> Result<BTreeSet<String>, kube::Error> {
    let slices: Api<EndpointSlice> = Api::namespaced(client.clone(), namespace);
    let of = ListParams::default().labels(&format!("kubernetes.io/service-name={service}"));
    let found = slices.list(&of).await?.items.into_iter();
    Ok(found
        .flat_map(|slice| slice.endpoints)
        .filter(|it| it.conditions.as_ref().and_then(|it| it.ready) == Some(true))
        .filter_map(|it| it.target_ref?.name)
        .collect())
}

/// Waits until the frontends of one colour, all three and no others, get the traffic of
/// `digital-wall-service`.
pub fn await_traffic(plane: &Plane, namespace: &str, colour: &str) {
    await_traffic_of(plane, namespace, colour, 3);
}

/// Waits until both Services of a new Digital Wall have the endpoints of BLUE: a Deployment is available before its pods
/// are endpoints.
pub fn await_all_traffic(plane: &Plane, namespace: &str) {
    await_traffic(plane, namespace, "blue");
    let client = plane.client();
    plane.until("the API's endpoints", || async {
        let pods = endpoints(&client, namespace, "digital-wall-api")
            .await
            .ok()?;
        (pods.len() == 2).then_some(())
    });
}

/// The same with so many pods.
pub fn await_traffic_of(plane: &Plane, namespace: &str, colour: &str, many: usize) {
    let start = format!("digital-wall-{colour}-frontend-");
    let client = plane.client();
    plane.until(&format!("traffic to {colour}"), || async {
        let pods = endpoints(&client, namespace, "digital-wall-service").await;
        let pods = pods.ok()?;
        (pods.len() == many && pods.iter().all(|name| name.starts_with(&start))).then_some(())
    });
}

/// Lets every pod of a colour fare so from now on; those that come later start well.
pub fn colour_is(plane: &Plane, namespace: &str, colour: &str, health: Health) {
    let pods: Api<Pod> = Api::namespaced(plane.client(), namespace);
    let of = ListParams::default().labels(&format!("version={colour}"));
    let found = plane.run(async { pods.list(&of).await }).unwrap().items;
    assert!(!found.is_empty(), "no pod is {colour}");
    for pod in found {
        plane.pod_is(namespace, &pod.metadata.name.unwrap(), health);
    }
}

/// At least `count` more pods of Digital Wall, in Deployments of 100; returns when all run.
pub fn many_pods(plane: &Plane, namespace: &str, count: usize) {
    plane.namespace(namespace);
    let crowds = count.div_ceil(100);
    let yaml: String = (0..crowds).map(crowd).collect();
    plane.apply_yaml(namespace, &yaml);
    wait_available_within(plane, namespace, MAKING_LIMIT);
}

/// A plane of one's own on which at least `count` pods run in `namespace`, beside Digital Wall in
/// `production`. The first time they are made (about a minute for 5,000); their packed data is
/// kept beside the programs, so that the next time takes seconds.
pub fn plane_with_pods(namespace: &str, count: usize) -> Plane {
    let data = packed(namespace, count);
    if !data.exists() {
        let plane = Plane::start_with(&nodes_for(count, None));
        digital_wall(&plane, "production");
        wait_available(&plane, "production");
        many_pods(&plane, namespace, count);
        plane.pack(&data);
    }
    let plane = Plane::start_with(&nodes_for(count, Some(data)));
    wait_available(&plane, namespace);
    plane
}

/// In the programs' folder, so that another Kubernetes has other data; named after the manifests.
fn packed(namespace: &str, count: usize) -> PathBuf {
    let mut manifests = DefaultHasher::new();
    (COLOUR, TRAFFIC, crowd(0)).hash(&mut manifests);
    let name = format!("{namespace}-{count}-{:016x}.tar.gz", manifests.finish());
    programs().join(name)
}

fn nodes_for(pods: usize, data: Option<PathBuf>) -> Options {
    Options {
        nodes: pods.div_ceil(2_500).max(3),
        data,
    }
}

fn crowd(number: usize) -> String {
    COLOUR
        .split("\n---\n")
        .next()
        .unwrap_or_default()
        .replace("digital-wall-COLOUR-frontend", &format!("crowd-{number}"))
        .replace("part: frontend", &format!("part: crowd-{number}"))
        .replace("replicas: 3", "replicas: 100")
        .replace("COLOUR", "blue")
        .replace("TAG", "v1")
        + "\n---\n"
}

/// The shipped Role, bound to the shipped group: `viewer` is of it.
fn viewer_role(plane: &Plane, namespace: &str) {
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/assets/kubernetes/viewer.yaml");
    plane.apply_file(namespace, Path::new(file));
}

fn is_available(deployment: &Deployment) -> bool {
    let wanted = deployment.spec.as_ref().and_then(|it| it.replicas);
    deployment.status.as_ref().is_some_and(|it| {
        it.observed_generation >= deployment.metadata.generation
            && it.available_replicas.unwrap_or(0) == wanted.unwrap_or(1)
            && it.updated_replicas == it.replicas
            && it.replicas.unwrap_or(0) == wanted.unwrap_or(1)
    })
}
