//! What operations ask of the API through our own client: the fence, Leases, records, who we are.

use std::sync::Arc;

use futures::StreamExt as _;
use futures::stream::BoxStream;
use serde_json::{Value, json};
use wheelhouse::clients::kubernetes::{Cluster, Kept, Right, Unwritten, Watch, watch};
use wheelhouse::estate::{
    Autoscaler, Change, Delta, Deployment, Kind, Lease, Pod, Record, Seen, Service, Verdict, mark,
};

use super::{Estate, LIMIT, eventually};

const SWITCH: &str = "digital-wall-service";
const EPOCH: &str = "/metadata/annotations/wheelhouse.dev~1epoch";

fn patch(steps: Value) -> json_patch::Patch {
    serde_json::from_value(steps).unwrap()
}

fn test(path: &str, value: impl serde::Serialize) -> Value {
    json!({"op": "test", "path": path, "value": value})
}

fn add(path: &str, value: impl serde::Serialize) -> Value {
    json!({"op": "add", "path": path, "value": value})
}

#[track_caller]
fn refused<T: std::fmt::Debug>(answer: Result<T, Unwritten>) -> u16 {
    match answer {
        Err(Unwritten::Refused { status, .. }) => status,
        other => panic!("no refusal: {other:?}"),
    }
}

/// Deletes what an earlier run left, and waits until it is gone.
async fn without<P: Kept>(cluster: &Cluster, name: &str) {
    let _ = cluster.delete::<P>(name, None, None, LIMIT).await;
    eventually("it is gone", || async {
        cluster
            .get::<P>(name, LIMIT)
            .await
            .unwrap()
            .is_none()
            .then_some(())
    })
    .await;
}

pub async fn fence(estate: Arc<Estate>) {
    let (cluster, name) = (estate.cluster().await, "contract-fence");
    without::<Service>(&cluster, name).await;
    let body = json!({"metadata": {"name": name}, "spec": {"selector": {"app": "contract", "version": "blue"}, "ports": [{"port": 80}]}});
    let made: Service = cluster.create(body, LIMIT).await.unwrap();
    assert!(!made.has_annotations);
    let old = json!({"app": "contract", "version": "blue"});
    let new = json!({"app": "contract", "version": "green"});
    let flip = |uid: &str, epoch: Value, selector: &Value| {
        patch(json!([
            test("/metadata/uid", uid), epoch, test("/spec/selector", selector),
            {"op": "replace", "path": "/spec/selector", "value": new}, add(EPOCH, "2"),
        ]))
    };
    let on = |patch| {
        let cluster = cluster.clone();
        async move { cluster.patch::<Service>(name, &patch, LIMIT).await }
    };
    // Where there is no annotation, a key cannot be added, and a test of it fails.
    let uid = made.uid.as_str();
    assert_eq!(refused(on(flip(uid, test(EPOCH, "1"), &old)).await), 422);
    assert_eq!(refused(on(patch(json!([add(EPOCH, "1")]))).await), 422);
    let version = test("/metadata/resourceVersion", &made.resource_version);
    let first = patch(json!([
        version,
        add("/metadata/annotations", json!({})),
        add(EPOCH, "1")
    ]));
    let fenced = on(first.clone()).await.unwrap();
    assert_eq!(fenced.marks.get(mark::EPOCH).unwrap().as_str(), "1");
    assert!(fenced.has_annotations);
    assert_eq!(refused(on(first).await), 422, "it moved on");
    // Each of the three tests bites, and nothing is changed.
    let part = json!({"version": "blue"});
    let more = json!({"app": "contract", "version": "blue", "x": "y"});
    for wrong in [
        flip("another", test(EPOCH, "1"), &old),
        flip(uid, test(EPOCH, "0"), &old),
        flip(uid, test(EPOCH, "1"), &part),
        flip(uid, test(EPOCH, "1"), &more),
        flip(uid, test(EPOCH, "1"), &new),
    ] {
        assert_eq!(refused(on(wrong).await), 422);
    }
    let now: Service = cluster.get(name, LIMIT).await.unwrap().unwrap();
    assert_eq!(now, fenced);
    let flipped = on(flip(uid, test(EPOCH, "1"), &old)).await.unwrap();
    assert_eq!(flipped.selector.get("version").unwrap().as_str(), "green");
    assert_eq!(flipped.marks.get(mark::EPOCH).unwrap().as_str(), "2");
    let ours = flipped
        .managers
        .iter()
        .find(|m| m.name.as_str() == "wheelhouse");
    assert_eq!(
        ours.unwrap().selector_keys.len(),
        2,
        "{:?}",
        flipped.managers
    );
    cluster
        .delete::<Service>(name, Some(uid), None, LIMIT)
        .await
        .unwrap();
}

pub async fn capacity(estate: Arc<Estate>) {
    let (cluster, name) = (estate.cluster().await, "contract-capacity");
    without::<Autoscaler>(&cluster, name).await;
    let body = json!({"metadata": {"name": name}, "spec": {"maxReplicas": 9, "minReplicas": 2,
        "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "contract-none"}}});
    let made: Autoscaler = cluster.create(body, LIMIT).await.unwrap();
    assert_eq!((made.min, made.max), (2, 9));
    let held = |from: u32, to: u32| {
        patch(
            json!([test("/metadata/uid", &made.uid), test("/spec/minReplicas", from),
            {"op": "replace", "path": "/spec/minReplicas", "value": to},
            add("/metadata/annotations", json!({"wheelhouse.dev/operation": "op-1"}))]),
        )
    };
    let answer = cluster.patch::<Autoscaler>(name, &held(3, 5), LIMIT).await;
    assert_eq!(refused(answer), 422);
    let now: Autoscaler = cluster.patch(name, &held(2, 5), LIMIT).await.unwrap();
    assert_eq!(now.min, 5);
    assert_eq!(now.marks.get(mark::OPERATION).unwrap().as_str(), "op-1");
    cluster
        .delete::<Autoscaler>(name, Some(&made.uid), None, LIMIT)
        .await
        .unwrap();
}

pub async fn lease(estate: Arc<Estate>) {
    let (cluster, name) = (estate.cluster().await, "contract-hands");
    without::<Lease>(&cluster, name).await;
    let body = |version: Option<&str>, holder: Option<&str>, transitions: u32| {
        json!({"metadata": {"name": name, "resourceVersion": version, "labels": {mark::LEASE: mark::OF_OPERATION}},
            "spec": {"holderIdentity": holder, "leaseDurationSeconds": 60, "leaseTransitions": transitions,
                "renewTime": "2026-11-23T20:00:00.123456Z"}})
    };
    let held: Lease = cluster
        .create(body(None, Some("a"), 1), LIMIT)
        .await
        .unwrap();
    assert_eq!(
        (held.holder.as_deref(), held.transitions, held.duration_s),
        (Some("a"), 1, 60)
    );
    let again = cluster
        .create::<Lease>(body(None, Some("b"), 1), LIMIT)
        .await;
    assert_eq!(refused(again), 409);
    let version = Some(held.resource_version.as_str());
    let taken = body(version, Some("b"), 2);
    let taken: Lease = cluster.replace(name, taken, LIMIT).await.unwrap();
    assert_eq!((taken.holder.as_deref(), taken.transitions), (Some("b"), 2));
    let late = cluster
        .replace::<Lease>(name, body(version, Some("c"), 2), LIMIT)
        .await;
    assert_eq!(refused(late), 409);
    let version = Some(taken.resource_version.as_str());
    let freed: Lease = cluster
        .replace(name, body(version, None, 2), LIMIT)
        .await
        .unwrap();
    assert_eq!(
        (freed.holder.clone(), freed.uid.clone()),
        (None, held.uid.clone())
    );
    let all: Vec<Lease> = cluster.list("", LIMIT).await.unwrap();
    assert!(all.contains(&freed));
    let stale = cluster
        .delete::<Lease>(name, Some(&held.uid), version, LIMIT)
        .await;
    assert_eq!(refused(stale), 409);
    let version = Some(freed.resource_version.as_str());
    cluster
        .delete::<Lease>(name, Some(&held.uid), version, LIMIT)
        .await
        .unwrap();
    let gone = cluster.delete::<Lease>(name, None, None, LIMIT).await;
    assert_eq!(refused(gone), 404);
}

/// What the stream tells first of which `is` holds.
async fn told(stream: &mut BoxStream<'static, Seen>, is: impl Fn(&Seen) -> bool) -> Seen {
    loop {
        let next = tokio::time::timeout(LIMIT, stream.next()).await;
        let next = next.unwrap().unwrap();
        assert!(!matches!(next, Seen::Failed(..)), "{next:?}");
        if is(&next) {
            return next;
        }
    }
}

pub async fn record(estate: Arc<Estate>) {
    let (cluster, name) = (estate.cluster().await, "contract-record");
    without::<Record>(&cluster, name).await;
    let mut seen = watch(&cluster, Kind::Records, &Watch::default());
    told(&mut seen, |s| *s == Seen::Opened(Kind::Records)).await;
    let body = |version: Option<&str>, text: &str| {
        json!({"metadata": {"name": name, "resourceVersion": version, "labels": {mark::RECORD: mark::OF_OPERATION}},
            "data": {"entries": text}})
    };
    let made: Record = cluster.create(body(None, "one\n"), LIMIT).await.unwrap();
    let change = told(&mut seen, |s| matches!(s, Seen::Records(Delta::Changes(_)))).await;
    assert_eq!(
        change,
        Seen::Records(Delta::Changes(vec![Change::Applied(made.clone())]))
    );
    assert_eq!(
        refused(cluster.create::<Record>(body(None, "other"), LIMIT).await),
        409
    );
    let version = Some(made.resource_version.as_str());
    let more: Record = cluster
        .replace(name, body(version, "one\ntwo\n"), LIMIT)
        .await
        .unwrap();
    assert_eq!(&*more.data["entries"], "one\ntwo\n");
    let lost = cluster
        .replace::<Record>(name, body(version, "one\n2\n"), LIMIT)
        .await;
    assert_eq!(refused(lost), 409);
    assert_eq!(cluster.get(name, LIMIT).await, Ok(Some(more.clone())));
    let other = Some("00000000-0000-0000-0000-000000000000");
    assert_eq!(
        refused(cluster.delete::<Record>(name, other, None, LIMIT).await),
        409
    );
    cluster
        .delete::<Record>(name, Some(&more.uid), None, LIMIT)
        .await
        .unwrap();
    let gone = vec![Change::<Record>::Deleted(name.into())];
    told(&mut seen, |s| {
        *s == Seen::Records(Delta::Changes(gone.clone()))
    })
    .await;
}

pub async fn now(estate: Arc<Estate>) {
    let cluster = estate.cluster().await;
    let service: Service = cluster.get(SWITCH, LIMIT).await.unwrap().unwrap();
    let pairs: Vec<_> = service
        .selector
        .iter()
        .map(|(k, v)| format!("{k}={v}"))
        .collect();
    let pods: Vec<Pod> = cluster.list(&pairs.join(","), LIMIT).await.unwrap();
    assert!(!pods.is_empty() && pods.iter().all(|p| service.selector.selects(&p.labels)));
    assert!(pods.iter().all(|p| p.template_hash().is_some()));
    let deployments: Vec<Deployment> = cluster.list("", LIMIT).await.unwrap();
    let one: Deployment = cluster
        .get(&deployments[0].name, LIMIT)
        .await
        .unwrap()
        .unwrap();
    assert_eq!(one.uid, deployments[0].uid);
    assert!(!one.match_labels.is_empty() && !one.resource_version.is_empty());
    assert_eq!(
        cluster.get::<Service>("contract-none", LIMIT).await,
        Ok(None)
    );
}

pub async fn identity(estate: Arc<Estate>) {
    let (operator, viewer) = (estate.cluster().await, estate.viewing().await);
    let us = operator.whoami(LIMIT).await.unwrap();
    assert!(!us.is_empty() && viewer.whoami(LIMIT).await.unwrap() != us);
    let uid = operator.namespace_uid(LIMIT).await.unwrap();
    assert!(uid.is_some());
    // Who may not see namespaces knows no uid, and is not in trouble for it.
    let seen = viewer.namespace_uid(LIMIT).await.unwrap();
    assert!(seen.is_none() || seen == uid, "{seen:?}");
    let may = async |cluster: &Cluster, verb, group, resource: &'static str| {
        let (resource, subresource) = resource.split_once('/').unwrap_or((resource, ""));
        let right = Right {
            verb,
            group,
            resource,
            subresource,
            namespace: estate.namespace.clone(),
            name: SWITCH.to_owned(),
        };
        cluster.may(&right, LIMIT).await.unwrap()
    };
    for (verb, group, resource) in [
        ("patch", "", "services"),
        ("update", "apps", "deployments/scale"),
    ] {
        assert_eq!(may(&operator, verb, group, resource).await, Verdict::Ok);
        let denied = may(&viewer, verb, group, resource).await;
        let words = format!("forbidden: {verb} {resource} in {}", estate.namespace);
        assert!(
            matches!(&denied, Verdict::Bad(why) if why.starts_with(&words)),
            "{denied:?}"
        );
    }
    assert_eq!(may(&viewer, "get", "", "services").await, Verdict::Ok);
    let patch = patch(json!([add("/metadata/annotations", json!({}))]));
    let answer = viewer.patch::<Service>(SWITCH, &patch, LIMIT).await;
    assert!(
        answer
            .as_ref()
            .is_err_and(|e| e.fault().what.contains("patch services")),
        "{answer:?}"
    );
    assert_eq!(refused(answer), 403);
}
