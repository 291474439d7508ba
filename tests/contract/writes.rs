//! Writes: what is applied, what is refused, and how.

use std::sync::Arc;

use k8s_openapi::api::coordination::v1::Lease;
use k8s_openapi::api::core::v1::Service;
use kube::api::{DeleteParams, Patch, PatchParams, PostParams, Preconditions};
use kube::{Api, ResourceExt as _};
use serde_json::{Value, json};

use super::reads::config_map as made;
use super::{Estate, code, eventually};

fn operations(operations: Value) -> Patch<()> {
    Patch::Json(serde_json::from_value(operations).unwrap())
}

pub async fn config_map(estate: Arc<Estate>) {
    let (api, map) = made(&estate, "contract-merge").await;
    assert_eq!(
        code(
            api.create(&PostParams::default(), &bare(&map.name_any()))
                .await
        ),
        409
    );
    let merge = json!({"data": {"a": null, "b": "2"}, "metadata": {"annotations": {"x/y": "z"}}});
    let merged = api
        .patch(
            &map.name_any(),
            &PatchParams::default(),
            &Patch::Merge(merge),
        )
        .await
        .unwrap();
    let got = api.get(&map.name_any()).await.unwrap();
    assert_eq!(
        (got.uid(), got.resource_version()),
        (map.uid(), merged.resource_version())
    );
    assert_ne!(got.resource_version(), map.resource_version());
    assert_eq!(serde_json::to_value(&got.data).unwrap(), json!({"b": "2"}));
    assert_eq!(got.annotations()["x/y"], "z");
    api.delete(&map.name_any(), &DeleteParams::default())
        .await
        .unwrap();
}

fn bare(name: &str) -> k8s_openapi::api::core::v1::ConfigMap {
    serde_json::from_value(json!({"metadata": {"name": name}})).unwrap()
}

async fn patched(estate: &Estate, patch: Value) -> kube::Result<Value> {
    let (api, map) = made(estate, "contract-json").await;
    let params = PatchParams::default();
    let answer = api
        .patch(&map.name_any(), &params, &operations(patch))
        .await;
    let now = api.get(&map.name_any()).await.unwrap();
    api.delete(&map.name_any(), &DeleteParams::default())
        .await
        .unwrap();
    answer.map(|_| serde_json::to_value(now.data).unwrap())
}

pub async fn json_patch(estate: Arc<Estate>) {
    let estate = &*estate;
    let moved = json!([{"op": "test", "path": "/data/a", "value": "1"}, {"op": "replace", "path": "/data/a", "value": "2"},
        {"op": "add", "path": "/data/b", "value": "3"}, {"op": "test", "path": "/metadata/labels", "value": {"contract": "yes"}}]);
    assert_eq!(
        patched(estate, moved).await.unwrap(),
        json!({"a": "2", "b": "3"})
    );
    let refused = json!([{"op": "replace", "path": "/data/a", "value": "2"}, {"op": "test", "path": "/data/a", "value": "1"}]);
    assert_eq!(code(patched(estate, refused).await), 422);
    leaves_all_as_it_was(estate).await;
}

/// So a patch that replaces a key must test it first: `replace` alone does not ask whether it is there.
pub async fn replacement(estate: Arc<Estate>) {
    let missing = json!([{"op": "replace", "path": "/data/none", "value": "2"}]);
    let now = patched(&estate, missing).await.unwrap();
    assert_eq!(now, json!({"a": "1", "none": "2"}));
    let tested = json!([{"op": "test", "path": "/data/none", "value": "1"}, {"op": "replace", "path": "/data/none", "value": "2"}]);
    assert_eq!(code(patched(&estate, tested).await), 422);
}

async fn leaves_all_as_it_was(estate: &Estate) {
    let (api, map) = made(estate, "contract-untouched").await;
    let refused = json!([{"op": "replace", "path": "/data/a", "value": "2"}, {"op": "test", "path": "/metadata/uid", "value": "another"}]);
    let answer = api
        .patch(
            &map.name_any(),
            &PatchParams::default(),
            &operations(refused),
        )
        .await;
    assert_eq!(code(answer), 422);
    let now = api.get(&map.name_any()).await.unwrap();
    assert_eq!(now.resource_version(), map.resource_version());
    api.delete(&map.name_any(), &DeleteParams::default())
        .await
        .unwrap();
}

pub async fn conflict(estate: Arc<Estate>) {
    let (api, map) = made(&estate, "contract-conflict").await;
    let name = map.name_any();
    let with = |value: &str| json!({"metadata": {"resourceVersion": map.resource_version()}, "data": {"a": value}});
    let params = PatchParams::default();
    api.patch(&name, &params, &Patch::Merge(with("2")))
        .await
        .unwrap();
    assert_eq!(
        code(api.patch(&name, &params, &Patch::Merge(with("3"))).await),
        409
    );
    assert_eq!(
        code(api.replace(&name, &PostParams::default(), &map).await),
        409
    );
    let data = api.get(&name).await.unwrap().data.unwrap();
    assert_eq!(data["a"], "2");
    api.delete(&name, &DeleteParams::default()).await.unwrap();
}

pub async fn dry_run(estate: Arc<Estate>) {
    let (api, map) = made(&estate, "contract-dry").await;
    let params = PatchParams {
        dry_run: true,
        ..PatchParams::default()
    };
    let patch = Patch::Merge(json!({"data": {"a": "dry"}}));
    let said = api.patch(&map.name_any(), &params, &patch).await.unwrap();
    assert_eq!(said.data.unwrap()["a"], "dry");
    let now = api.get(&map.name_any()).await.unwrap();
    assert_eq!(
        (
            now.data.unwrap()["a"].as_str(),
            now.metadata.resource_version
        ),
        ("1", map.metadata.resource_version.clone())
    );
    api.delete(&map.name_any(), &DeleteParams::default())
        .await
        .unwrap();
}

pub async fn preconditions(estate: Arc<Estate>) {
    let (api, map) = made(&estate, "contract-delete").await;
    let with = |uid: Option<String>| {
        DeleteParams::default().preconditions(Preconditions {
            uid,
            resource_version: None,
        })
    };
    let other = with(Some("00000000-0000-0000-0000-000000000000".into()));
    assert_eq!(code(api.delete(&map.name_any(), &other).await), 409);
    api.delete(&map.name_any(), &with(map.uid())).await.unwrap();
    eventually("it is gone", || async {
        api.get_opt(&map.name_any())
            .await
            .unwrap()
            .is_none()
            .then_some(())
    })
    .await;
}

pub async fn lease(estate: Arc<Estate>) {
    let api: Api<Lease> = Api::namespaced(estate.client().await, &estate.namespace);
    let name = "contract-lease";
    let _ = api.delete(name, &DeleteParams::default()).await;
    let lease = json!({"metadata": {"name": name}, "spec": {"holderIdentity": "a", "leaseDurationSeconds": 60,
        "leaseTransitions": 1, "renewTime": "2026-11-23T20:00:00.123456Z"}});
    let lease: Lease = serde_json::from_value(lease).unwrap();
    let held = api.create(&PostParams::default(), &lease).await.unwrap();
    assert_eq!(code(api.create(&PostParams::default(), &lease).await), 409);
    let taking = |holder: &str| {
        let mut lease = held.clone();
        lease.spec.as_mut().unwrap().holder_identity = Some(holder.into());
        lease
    };
    api.replace(name, &PostParams::default(), &taking("b"))
        .await
        .unwrap();
    assert_eq!(
        code(
            api.replace(name, &PostParams::default(), &taking("c"))
                .await
        ),
        409
    );
    let spec = api.get(name).await.unwrap().spec.unwrap();
    assert_eq!(
        (spec.holder_identity.as_deref(), spec.lease_transitions),
        (Some("b"), Some(1))
    );
    assert_eq!(
        spec.renew_time.unwrap().0.to_string(),
        "2026-11-23T20:00:00.123456Z"
    );
    api.delete(name, &DeleteParams::default()).await.unwrap();
}

pub async fn managers(estate: Arc<Estate>) {
    let api: Api<Service> = Api::namespaced(estate.client().await, &estate.namespace);
    let name = "contract-managers";
    let _ = api.delete(name, &DeleteParams::default()).await;
    let new = json!({"metadata": {"name": name}, "spec": {"selector": {"app": "x", "version": "blue"}, "ports": [{"port": 80}]}});
    let by = |manager: &str| PostParams {
        field_manager: Some(manager.into()),
        ..PostParams::default()
    };
    api.create(&by("first"), &serde_json::from_value(new).unwrap())
        .await
        .unwrap();
    let params = PatchParams {
        field_manager: Some("second".into()),
        ..PatchParams::default()
    };
    let flip =
        operations(json!([{"op": "replace", "path": "/spec/selector/version", "value": "green"}]));
    let flipped = api.patch(name, &params, &flip).await.unwrap();
    let owners: Vec<_> = (flipped.managed_fields().iter())
        .filter(|m| {
            m.fields_v1
                .as_ref()
                .is_some_and(|f| f.0.pointer("/f:spec/f:selector").is_some())
        })
        .map(|m| {
            (
                m.manager.as_deref(),
                m.operation.as_deref(),
                m.time.is_some(),
            )
        })
        .collect();
    // The selector is an atomic map: one owner, of all of it.
    assert_eq!(
        owners,
        [(Some("second"), Some("Update"), true)],
        "{:#?}",
        flipped.managed_fields()
    );
    api.delete(name, &DeleteParams::default()).await.unwrap();
}
