//! Lists, watches, selectors.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use futures::{StreamExt as _, TryStreamExt as _};
use k8s_openapi::api::core::v1::{ConfigMap, Pod, Service};
use kube::api::{
    DeleteParams, ListParams, Patch, PatchParams, PostParams, WatchEvent, WatchParams,
};
use kube::{Api, ResourceExt as _};
use serde_json::json;
use wheelhouse::clients::kubernetes::{Cluster, Watch, watch};
use wheelhouse::estate::{Change, Delta, Kind, Seen};

use super::{Estate, LIMIT, code};

pub async fn pulse(estate: Arc<Estate>) {
    let pulse = estate.cluster().await.pulse(LIMIT).await.unwrap();
    assert!(pulse.server.is_some(), "a Date header");
    assert!(pulse.version.unwrap().starts_with("v1."));
}

/// What `kind`'s stream tells until `is` holds.
pub async fn told(cluster: &Cluster, kind: Kind, is: impl Fn(&Seen) -> bool) -> Vec<Seen> {
    let mut stream = watch(cluster, kind, &Watch::default());
    let mut seen = Vec::new();
    loop {
        let next = tokio::time::timeout(LIMIT, stream.next()).await;
        let next = next.unwrap_or_else(|_| panic!("only {seen:?}")).unwrap();
        assert!(!matches!(next, Seen::Failed(..)), "{next:?}");
        let is_last = is(&next);
        seen.push(next);
        if is_last {
            return seen;
        }
    }
}

pub async fn kinds(estate: Arc<Estate>) {
    let cluster = estate.cluster().await;
    for kind in Kind::ALL {
        let seen = told(&cluster, kind, |s| *s == Seen::Opened(kind)).await;
        let count = seen.iter().map(|seen| match seen {
            Seen::Pods(Delta::Page(page)) => page.len(),
            Seen::Deployments(Delta::Page(page)) => page.len(),
            Seen::ReplicaSets(Delta::Page(page)) => page.len(),
            Seen::Services(Delta::Page(page)) => page.len(),
            Seen::Slices(Delta::Page(page)) => page.len(),
            Seen::Autoscalers(Delta::Page(page)) => page.len(),
            Seen::Events(Delta::Page(page)) => page.len(),
            Seen::Leases(Delta::Page(page)) => page.len(),
            Seen::Records(Delta::Page(page)) => page.len(),
            Seen::Policies(Delta::Page(page)) => page.len(),
            _ => 0,
        });
        // Events are forgotten after an hour, and nobody may have operated.
        let may_lack = [Kind::Events, Kind::Leases, Kind::Records, Kind::Policy].contains(&kind);
        assert!(count.sum::<usize>() > 0 || may_lack, "{kind:?}");
    }
}

pub async fn pages(estate: Arc<Estate>) {
    let api: Api<Pod> = Api::namespaced(estate.client().await, &estate.namespace);
    let names = |pods: &[Pod]| pods.iter().map(|p| p.name_any()).collect::<BTreeSet<_>>();
    let whole = api.list(&ListParams::default()).await.unwrap();
    assert!(whole.items.len() > 2 && whole.metadata.continue_.is_none());
    let mut met = BTreeSet::new();
    let mut params = ListParams::default().limit(2);
    loop {
        let page = api.list(&params).await.unwrap();
        assert!(page.items.len() <= 2);
        assert!(met.is_disjoint(&names(&page.items)));
        met.extend(names(&page.items));
        match page.metadata.continue_.filter(|token| !token.is_empty()) {
            Some(token) => params.continue_token = Some(token),
            None => break,
        }
    }
    assert_eq!(met, names(&whole.items));
}

pub async fn selectors(estate: Arc<Estate>) {
    let api: Api<Pod> = Api::namespaced(estate.client().await, &estate.namespace);
    let list = async |params: ListParams| api.list(&params).await.unwrap().items;
    let blue = list(ListParams::default().labels("version=blue")).await;
    assert!(!blue.is_empty() && blue.iter().all(|p| p.labels()["version"] == "blue"));
    let both = list(ListParams::default().labels("version in (blue,green)")).await;
    assert!(both.len() > blue.len());
    let other = list(ListParams::default().labels("version!=blue")).await;
    assert!(
        other
            .iter()
            .all(|p| p.labels().get("version").is_none_or(|v| v != "blue"))
    );
    assert!(
        list(ListParams::default().labels("version=mauve"))
            .await
            .is_empty()
    );
    let name = blue[0].name_any();
    let one = list(ListParams::default().fields(&format!("metadata.name={name}"))).await;
    assert_eq!(one.len(), 1);
    let running = list(ListParams::default().fields("status.phase=Running")).await;
    assert!(
        running
            .iter()
            .all(|p| p.status.as_ref().unwrap().phase.as_deref() == Some("Running"))
    );
    let wrong = api
        .list(&ListParams::default().labels("version in blue"))
        .await;
    assert_eq!(code(wrong), 400);
}

pub async fn gone(estate: Arc<Estate>) {
    let api: Api<Pod> = Api::namespaced(estate.client().await, &estate.namespace);
    // Some servers answer 410, some say it in the stream.
    let code = match api.watch(&WatchParams::default(), "1").await {
        Err(kube::Error::Api(status)) => status.code,
        Err(other) => panic!("{other}"),
        Ok(stream) => match tokio::time::timeout(LIMIT, stream.boxed().try_next())
            .await
            .unwrap()
        {
            Ok(Some(WatchEvent::Error(status))) => status.code,
            Err(kube::Error::Api(status)) => status.code,
            other => panic!("{other:?}"),
        },
    };
    assert_eq!(code, 410);
}

pub async fn bookmarks(estate: Arc<Estate>) {
    let (api, other) = config_map(&estate, "contract-bookmark").await;
    let list = api.list(&ListParams::default()).await.unwrap();
    let version = list.metadata.resource_version.unwrap();
    let params = WatchParams::default().labels("no=such").timeout(6);
    let mut stream = api.watch(&params, &version).await.unwrap().boxed();
    // What the watch does not show moves the history on all the same.
    api.delete(&other.name_any(), &DeleteParams::default())
        .await
        .unwrap();
    let mut bookmark = None;
    while let Some(event) = tokio::time::timeout(LIMIT, stream.try_next())
        .await
        .unwrap()
        .unwrap()
    {
        if let WatchEvent::Bookmark(found) = event {
            bookmark = Some(found.metadata.resource_version);
        }
    }
    assert_ne!(
        bookmark.expect("before the server ended the watch"),
        version
    );
}

pub async fn absent(estate: Arc<Estate>) {
    let client = estate.client().await;
    let api: Api<Service> = Api::namespaced(client.clone(), &estate.namespace);
    assert_eq!(code(api.get("no-such-service").await), 404);
    let path = "/apis/no.such.group/v1/namespaces/default/things";
    let request = http::Request::get(path).body(Vec::new()).unwrap();
    assert_eq!(
        code(client.request::<serde_json::Value>(request).await),
        404
    );
}

pub async fn changes(estate: Arc<Estate>) {
    let api: Api<Service> = Api::namespaced(estate.client().await, &estate.namespace);
    let name = "contract-changes";
    // One that an earlier run left behind.
    let _ = api.delete(name, &DeleteParams::default()).await;
    let cluster = estate.cluster().await;
    let mut stream = watch(&cluster, Kind::Services, &Watch::default());
    let service = |colour: &str| json!({"metadata": {"name": name}, "spec": {"selector": {"version": colour}, "ports": [{"port": 80}]}});
    let mut steps = Vec::new();
    while steps.len() < 3 {
        let seen = tokio::time::timeout(LIMIT, stream.next())
            .await
            .expect("a change")
            .unwrap();
        match seen {
            Seen::Opened(_) => {
                let new = serde_json::from_value(service("blue")).unwrap();
                api.create(&PostParams::default(), &new).await.unwrap();
            }
            Seen::Services(Delta::Changes(changes)) => {
                for change in changes {
                    match change {
                        Change::Applied(s) if s.name.as_str() == name => {
                            let colour = s.selector.get("version").unwrap().to_string();
                            if steps.last() != Some(&colour) {
                                steps.push(colour.clone());
                                let green = Patch::Merge(service("green"));
                                match colour.as_str() {
                                    "blue" => drop(
                                        api.patch(name, &PatchParams::default(), &green)
                                            .await
                                            .unwrap(),
                                    ),
                                    _ => drop(
                                        api.delete(name, &DeleteParams::default()).await.unwrap(),
                                    ),
                                }
                            }
                        }
                        Change::Deleted(gone) if gone.as_str() == name => steps.push("gone".into()),
                        Change::Applied(_) | Change::Deleted(_) => {}
                    }
                }
            }
            Seen::Failed(_, fault) => panic!("{}", fault.what),
            _ => {}
        }
    }
    assert_eq!(steps, ["blue", "green", "gone"]);
}

/// A ConfigMap of a check's own, made anew.
pub async fn config_map(estate: &Estate, name: &str) -> (Api<ConfigMap>, ConfigMap) {
    let api: Api<ConfigMap> = Api::namespaced(estate.client().await, &estate.namespace);
    let _ = api.delete(name, &DeleteParams::default()).await;
    let new =
        json!({"metadata": {"name": name, "labels": {"contract": "yes"}}, "data": {"a": "1"}});
    let new = serde_json::from_value(new).unwrap();
    let made = tokio::time::timeout(
        Duration::from_secs(10),
        api.create(&PostParams::default(), &new),
    )
    .await;
    (api, made.unwrap().unwrap())
}
