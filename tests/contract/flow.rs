//! Traffic, logs, ports.

use std::collections::BTreeSet;
use std::sync::Arc;

use futures::StreamExt as _;
use k8s_openapi::api::core::v1::{Pod, Service};
use k8s_openapi::api::discovery::v1::EndpointSlice;
use kube::api::{ListParams, Patch, PatchParams};
use kube::{Api, ResourceExt as _};
use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use wheelhouse::clients::kubernetes::{Cluster, logs as follow};
use wheelhouse::estate::{LogChunk, LogTarget};

use super::{Estate, LIMIT, eventually};

const SWITCH: &str = "digital-wall-service";

async fn uids_of(pods: &Api<Pod>, selector: &str) -> BTreeSet<String> {
    let pods = pods
        .list(&ListParams::default().labels(selector))
        .await
        .unwrap();
    let is_ready = |pod: &Pod| {
        let conditions = pod
            .status
            .iter()
            .flat_map(|s| s.conditions.iter().flatten());
        conditions
            .into_iter()
            .any(|c| c.type_ == "Ready" && c.status == "True")
    };
    pods.items
        .iter()
        .filter(|p| is_ready(p))
        .filter_map(|p| p.uid())
        .collect()
}

/// The pods that get the Service's traffic, by uid.
async fn targets(slices: &Api<EndpointSlice>) -> BTreeSet<String> {
    let of_service = format!("kubernetes.io/service-name={SWITCH}");
    let slices = slices
        .list(&ListParams::default().labels(&of_service))
        .await
        .unwrap();
    let endpoints = slices
        .items
        .into_iter()
        .flat_map(|s| Some(s.endpoints).into_iter().flatten());
    endpoints
        .filter(|e| e.conditions.as_ref().and_then(|c| c.ready).unwrap_or(true))
        .filter_map(|e| e.target_ref?.uid)
        .collect()
}

pub async fn flip(estate: Arc<Estate>) {
    let client = estate.client().await;
    let services: Api<Service> = Api::namespaced(client.clone(), &estate.namespace);
    let slices: Api<EndpointSlice> = Api::namespaced(client.clone(), &estate.namespace);
    let pods: Api<Pod> = Api::namespaced(client, &estate.namespace);
    let before = services.get(SWITCH).await.unwrap();
    let old = before.spec.as_ref().unwrap().selector.clone().unwrap();
    let colour = if old["version"] == "blue" {
        "green"
    } else {
        "blue"
    };
    let mut new = old.clone();
    new.insert("version".into(), colour.into());
    for (from, to) in [(&old, &new), (&new, &old)] {
        let patch = json!([
            {"op": "test", "path": "/metadata/uid", "value": before.uid()},
            {"op": "test", "path": "/spec/selector", "value": from},
            {"op": "replace", "path": "/spec/selector", "value": to},
        ]);
        let patch: Patch<()> = Patch::Json(serde_json::from_value(patch).unwrap());
        services
            .patch(SWITCH, &PatchParams::default(), &patch)
            .await
            .unwrap();
        let selector: Vec<_> = to.iter().map(|(k, v)| format!("{k}={v}")).collect();
        let selector = selector.join(",");
        eventually("the endpoints are the selected pods", || async {
            let wanted = uids_of(&pods, &selector).await;
            (!wanted.is_empty() && targets(&slices).await == wanted).then_some(())
        })
        .await;
    }
}

async fn frontend(estate: &Estate) -> (Api<Pod>, Pod) {
    let api: Api<Pod> = Api::namespaced(estate.client().await, &estate.namespace);
    let params = ListParams::default()
        .fields("status.phase=Running")
        .labels("part=frontend");
    let mut pods = api.list(&params).await.unwrap().items;
    assert!(!pods.is_empty(), "a running frontend");
    (api, pods.swap_remove(0))
}

fn target(pod: &Pod, previous: bool) -> LogTarget {
    let container = &pod.spec.as_ref().unwrap().containers[0];
    LogTarget {
        pod: pod.name_any().into(),
        container: container.name.as_str().into(),
        previous,
    }
}

pub async fn logs(estate: Arc<Estate>) {
    logs_as(&estate, &estate.cluster().await).await;
}

pub async fn logs_as(estate: &Estate, cluster: &Cluster) {
    let (_, pod) = frontend(estate).await;
    let mut chunks = follow(cluster, &target(&pod, false));
    let chunk = tokio::time::timeout(LIMIT, chunks.next())
        .await
        .unwrap()
        .unwrap();
    assert!(
        matches!(&chunk, LogChunk::Lines(lines) if !lines.is_empty()),
        "{chunk:?}"
    );
}

async fn is_refused(estate: &Estate, wrong: &LogTarget) {
    let mut chunks = follow(&estate.cluster().await, wrong);
    let chunk = tokio::time::timeout(LIMIT, chunks.next())
        .await
        .unwrap()
        .unwrap();
    assert!(
        matches!(&chunk, LogChunk::Ended(Some(_))),
        "{wrong:?}: {chunk:?}"
    );
}

pub async fn no_container(estate: Arc<Estate>) {
    let (_, pod) = frontend(&estate).await;
    let container = "no-such-container".into();
    let wrong = LogTarget {
        container,
        ..target(&pod, false)
    };
    is_refused(&estate, &wrong).await;
}

pub async fn no_previous(estate: Arc<Estate>) {
    let (_, pod) = frontend(&estate).await;
    is_refused(&estate, &target(&pod, true)).await;
}

/// The head of what port 3000 answers, or what was in the way.
async fn answer(api: &Api<Pod>, pod: &str) -> Result<String, String> {
    let words = |e: &dyn std::fmt::Display| e.to_string();
    let mut forwarder = api.portforward(pod, &[3000]).await.map_err(|e| words(&e))?;
    let mut stream = forwarder.take_stream(3000).ok_or("no stream")?;
    let question = b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
    stream.write_all(question).await.map_err(|e| words(&e))?;
    let mut head = Vec::new();
    while !head.windows(4).any(|w| w == b"\r\n\r\n") {
        let read = tokio::time::timeout(LIMIT / 10, stream.read_buf(&mut head)).await;
        let read = read.map_err(|_| format!("silence after {head:?}"))?;
        if read.map_err(|e| words(&e))? == 0 {
            return Err(format!("an end after {head:?}"));
        }
    }
    Ok(String::from_utf8_lossy(&head).into_owned())
}

pub async fn forward(estate: Arc<Estate>) {
    let (api, pod) = frontend(&estate).await;
    let name = pod.name_any();
    eventually("200 from the frontend", || async {
        let said = answer(&api, &name).await.ok()?;
        said.starts_with("HTTP/1.1 200").then_some(())
    })
    .await;
}
