//! Who may what.

use std::sync::Arc;

use futures::StreamExt as _;

use k8s_openapi::api::authorization::v1::{SelfSubjectAccessReview, SelfSubjectRulesReview};
use k8s_openapi::api::core::v1::{ConfigMap, Pod, Service};
use kube::Api;
use kube::api::{DeleteParams, ListParams, Patch, PatchParams, PostParams};
use serde_json::json;
use wheelhouse::clients::kubernetes::{Target, Watch, connect, watch};
use wheelhouse::estate::{FaultKind, Kind, Seen};

use super::{Estate, LIMIT, code};

async fn may(client: &kube::Client, namespace: &str, verb: &str, resource: &str) -> bool {
    let review = json!({"spec": {"resourceAttributes": {"namespace": namespace, "verb": verb, "resource": resource}}});
    let api: Api<SelfSubjectAccessReview> = Api::all(client.clone());
    let review = serde_json::from_value(review).unwrap();
    let answer = api.create(&PostParams::default(), &review).await.unwrap();
    answer.status.unwrap().allowed
}

pub async fn reviews(estate: Arc<Estate>) {
    let (operator, viewer) = (estate.client().await, estate.viewer().await);
    for (verb, resource, viewer_may) in [
        ("list", "pods", true),
        ("watch", "services", true),
        ("patch", "services", false),
        ("create", "configmaps", false),
    ] {
        assert!(
            may(&operator, &estate.namespace, verb, resource).await,
            "operator: {verb} {resource}"
        );
        assert_eq!(
            may(&viewer, &estate.namespace, verb, resource).await,
            viewer_may,
            "viewer: {verb} {resource}"
        );
    }
    let api: Api<SelfSubjectRulesReview> = Api::all(operator);
    let review = serde_json::from_value(json!({"spec": {"namespace": estate.namespace}})).unwrap();
    let rules = api
        .create(&PostParams::default(), &review)
        .await
        .unwrap()
        .status
        .unwrap();
    assert!(
        rules
            .resource_rules
            .iter()
            .any(|rule| rule.verbs.iter().any(|v| v == "*" || v == "patch"))
    );
}

pub async fn sight(estate: Arc<Estate>) {
    let cluster = estate.viewing().await;
    cluster.pulse(LIMIT).await.unwrap();
    for kind in Kind::ALL {
        super::reads::told(&cluster, kind, |seen| *seen == Seen::Opened(kind)).await;
    }
    super::flow::logs_as(&estate, &cluster).await;
}

pub async fn viewer(estate: Arc<Estate>) {
    let client = estate.viewer().await;
    let services: Api<Service> = Api::namespaced(client.clone(), &estate.namespace);
    let before = services.get("digital-wall-service").await.unwrap();
    let pods: Api<Pod> = Api::namespaced(client.clone(), &estate.namespace);
    assert!(
        !pods
            .list(&ListParams::default())
            .await
            .unwrap()
            .items
            .is_empty()
    );
    let patch = Patch::Merge(json!({"metadata": {"annotations": {"contract": "viewer"}}}));
    let answer = services
        .patch("digital-wall-service", &PatchParams::default(), &patch)
        .await;
    let Err(kube::Error::Api(status)) = answer else {
        panic!("{answer:?}")
    };
    assert_eq!((status.code, status.reason.as_str()), (403, "Forbidden"));
    assert!(
        status.message.contains("patch") && status.message.contains("services"),
        "{}",
        status.message
    );
    assert_eq!(
        code(
            services
                .delete("digital-wall-service", &DeleteParams::default())
                .await
        ),
        403
    );
    let maps: Api<ConfigMap> = Api::namespaced(client, &estate.namespace);
    let map = serde_json::from_value(json!({"metadata": {"name": "contract-viewer"}})).unwrap();
    assert_eq!(code(maps.create(&PostParams::default(), &map).await), 403);
    let after = services.get("digital-wall-service").await.unwrap();
    assert_eq!(
        after.metadata.resource_version,
        before.metadata.resource_version
    );
}

pub async fn stranger(estate: Arc<Estate>) {
    let text = std::fs::read_to_string(&estate.operator).unwrap();
    let mut kubeconfig: serde_json::Value =
        serde_json::to_value(kube::config::Kubeconfig::from_yaml(&text).unwrap()).unwrap();
    for user in kubeconfig["users"].as_array_mut().unwrap() {
        user["user"] = json!({"token": "nobody"});
    }
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("config");
    std::fs::write(&path, kubeconfig.to_string()).unwrap();
    let target = Target {
        kubeconfig: Some(path),
        context: estate.context.clone(),
        namespace: estate.namespace.clone(),
        records: None,
    };
    let cluster = connect(&target).await.unwrap();
    let mut pods = watch(&cluster, Kind::Pods, &Watch::default());
    match tokio::time::timeout(LIMIT, pods.next())
        .await
        .unwrap()
        .unwrap()
    {
        Seen::Failed(_, fault) => assert_eq!(fault.kind, FaultKind::LoginNeeded, "{}", fault.what),
        other => panic!("{other:?}"),
    }
}
