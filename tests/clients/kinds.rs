//! What is read of each kind, paging, selectors and coalescing.

use serde_json::{Value, json};
use wheelhouse::clients::kubernetes::{Target, connect as connect_to};
use wheelhouse::estate::{
    Autoscaler, Change, Container, ContainerState, Delta, Deployment, Endpoint, Event, Kind, Pod,
    PortTarget, ReplicaSet, Seen, Service, Slice, TargetPort, mark,
};
use wheelhouse::ops::marks;

use super::cockpit::{Kubeconfig, TOKEN, Telling, connect};
use super::server::{Answer, Asked, Server, calm, event, list};

/// A plain pod.
pub fn pod(name: &str) -> Value {
    json!({
        "metadata": {"name": name, "uid": format!("uid-{name}"), "resourceVersion": "99", "labels": {"app": "shop", "version": "blue"}},
        "spec": {"nodeName": "n1", "containers": [{"name": "web", "image": "ghcr.io/o/web:1"}]},
        "status": {"phase": "Running"},
    })
}

/// What the first listing of `kind` holds, if the server has `item`.
async fn listed(kind: Kind, item: Value) -> Seen {
    let server = Server::start(move |asked| match asked.lists(kind.plural()) {
        true => list("100", std::slice::from_ref(&item)),
        false => calm(asked),
    })
    .await;
    let mut telling = Telling::of(&connect(&server.url).await, kind);
    telling.opened().await;
    assert_eq!(telling.seen.len(), 4, "{:?}", telling.seen);
    telling.seen.swap_remove(1)
}

async fn one_pod(item: Value) -> Pod {
    match listed(Kind::Pods, item).await {
        Seen::Pods(Delta::Page(mut page)) => page.remove(0),
        other => panic!("{other:?}"),
    }
}

fn web(pod: &Pod) -> &Container {
    pod.main_container().unwrap()
}

#[tokio::test]
async fn a_pod_is_read_with_what_keeps_it_from_being_ready() {
    let pod = one_pod(json!({
        "apiVersion": "v1", "kind": "Pod",
        "metadata": {
            "name": "web-1", "uid": "u1", "resourceVersion": "5", "creationTimestamp": "2026-11-23T20:00:00Z",
            "labels": {"app": "web", "version": "green", "pod-template-hash": "6f"},
            "ownerReferences": [{"kind": "X", "name": "other"}, {"kind": "ReplicaSet", "name": "web-6f", "controller": true}],
        },
        "spec": {
            "nodeName": "n1",
            "initContainers": [{"name": "migrate", "image": "ghcr.io/o/web:2"}],
            "containers": [{"name": "web", "image": "ghcr.io/o/web:2",
                "ports": [{"name": "http", "containerPort": 8000, "protocol": "TCP"}, {"containerPort": 9}], "readinessProbe":
                {"httpGet": {"path": "/ready", "port": 8000, "scheme": "HTTP"}, "periodSeconds": 5}}],
            "readinessGates": [{"conditionType": "example.com/warm"}, {"conditionType": "example.com/known"}],
        },
        "status": {
            "phase": "Running",
            "conditions": [
                {"type": "Ready", "status": "False", "lastTransitionTime": "2026-11-23T20:01:00Z"},
                {"type": "example.com/known", "status": "True"},
            ],
            "initContainerStatuses": [{"name": "migrate", "ready": true, "restartCount": 0,
                "state": {"terminated": {"exitCode": 0, "reason": "Completed", "finishedAt": "2026-11-23T20:00:05Z"}}}],
            "containerStatuses": [{"name": "web", "ready": false, "restartCount": 3,
                "imageID": "ghcr.io/o/web@sha256:0123456789abcdef0123",
                "state": {"waiting": {"reason": "CrashLoopBackOff", "message": "back-off 40s"}},
                "lastState": {"terminated": {"exitCode": 137, "reason": "OOMKilled"}}}],
        },
    }))
    .await;
    assert_eq!((pod.name.as_str(), pod.uid.as_str()), ("web-1", "u1"));
    assert_eq!(pod.owner.as_deref(), Some("web-6f"));
    assert_eq!(pod.labels.get("version").unwrap().as_str(), "green");
    assert_eq!(
        (pod.ports.get("http"), pod.ports.iter().count()),
        (Some(8000), 1)
    );
    assert_eq!(pod.gates, ["example.com/warm".into()]);
    assert_eq!(
        (pod.ready, pod.restarts(), pod.containers.len()),
        (false, 3, 2)
    );
    assert_eq!(pod.ready_changed, "2026-11-23T20:01:00Z".parse().ok());
    assert_eq!(pod.template_hash().unwrap().as_str(), "6f");
    assert!(pod.containers[0].init);
    let web = web(&pod);
    assert_eq!(web.image.short_digest(), Some("0123456789ab"));
    assert_eq!(web.probe.as_deref(), Some("GET /ready :8000 every 5s"));
    assert_eq!(web.last.as_ref().unwrap().exit_code, 137);
    assert_eq!(
        web.state,
        ContainerState::Waiting {
            reason: "CrashLoopBackOff".into(),
            message: Some("back-off 40s".into())
        }
    );
}

#[tokio::test]
async fn the_application_is_told_from_the_proxy_that_a_mesh_put_before_it() {
    let mut meshed = pod("a");
    let proxy = json!({"name": "linkerd-proxy", "image": "cr.l5d.io/linkerd/proxy:2.14"});
    let containers = meshed["spec"]["containers"].as_array_mut().unwrap();
    containers.insert(0, proxy);
    let read = one_pod(meshed.clone()).await;
    assert_eq!(web(&read).image.tag(), "1");
    meshed["metadata"]["annotations"] = json!({"kubectl.kubernetes.io/default-container": "late"});
    let late = json!({"name": "late", "image": "o/late:7"});
    let containers = meshed["spec"]["containers"].as_array_mut().unwrap();
    containers.push(late);
    assert_eq!(web(&one_pod(meshed).await).image.tag(), "7");
}

#[tokio::test]
async fn an_init_container_that_goes_on_is_a_sidecar_and_its_ports_count() {
    let mut with = pod("a");
    with["spec"]["containers"][0]["ports"] = json!([{"name": "http", "containerPort": 8000}]);
    with["spec"]["initContainers"] = json!([
        {"name": "migrate", "image": "o/web:1", "ports": [{"name": "once", "containerPort": 1}]},
        {"name": "proxy", "image": "o/proxy:7", "restartPolicy": "Always",
            "ports": [{"name": "mesh", "containerPort": 4143}, {"name": "http", "containerPort": 9}]},
    ]);
    let read = one_pod(with).await;
    let kinds: Vec<_> = (read.containers.iter())
        .map(|c| (c.init, c.sidecar))
        .collect();
    assert_eq!(kinds, [(true, false), (true, true), (false, false)]);
    assert_eq!(web(&read).name.as_str(), "web");
    let port = |name: &str| read.ports.get(name);
    assert_eq!(
        (port("http"), port("mesh"), port("once")),
        (Some(8000), Some(4143), None)
    );
}

#[tokio::test]
async fn an_evicted_and_an_unschedulable_pod_say_why() {
    let mut evicted = pod("a");
    evicted["status"] = json!({"phase": "Failed", "reason": "Evicted", "message": "low on memory",
        "conditions": [{"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": "0/3 nodes"}]});
    let pod = one_pod(evicted).await;
    assert_eq!(pod.reason.as_deref(), Some("Evicted: low on memory"));
    assert_eq!(pod.unschedulable.as_deref(), Some("0/3 nodes"));
    assert_eq!(web(&pod).state, ContainerState::Unknown);
}

#[tokio::test]
async fn a_deployment_is_read() {
    let item = json!({
        "metadata": {"name": "web", "uid": "u", "resourceVersion": "5", "generation": 4, "annotations": {
            "deployment.kubernetes.io/revision": "12", "meta.helm.sh/release-name": "shop-blue", "big": "x".repeat(1 << 20),
            "wheelhouse.dev/epoch": "4"}},
        "spec": {"paused": true, "selector": {"matchLabels": {"app": "web"}}, "template": {"metadata": {"labels": {"app": "web"}},
            "spec": {"containers": [{"name": "web", "image": "o/web:3"}]}}},
        "status": {"observedGeneration": 3, "replicas": 5, "updatedReplicas": 4, "readyReplicas": 3, "availableReplicas": 2,
            "conditions": [{"type": "Progressing", "status": "False", "reason": "ProgressDeadlineExceeded", "message": "too slow"}]},
    });
    let Seen::Deployments(Delta::Page(page)) = listed(Kind::Deployments, item).await else {
        panic!()
    };
    let Deployment {
        generation,
        observed_generation,
        desired,
        replicas,
        updated,
        ready,
        available,
        ..
    } = page[0];
    assert_eq!((generation, observed_generation), (4, 3));
    assert_eq!(
        (desired, replicas, updated, ready, available),
        (1, 5, 4, 3, 2)
    );
    assert!(page[0].paused);
    assert_eq!(page[0].revision.as_deref(), Some("12"));
    assert_eq!(page[0].helm_release.as_deref(), Some("shop-blue"));
    assert_eq!(
        page[0].conditions[0].reason.as_deref(),
        Some("ProgressDeadlineExceeded")
    );
    assert_eq!(page[0].images[0].1.tag(), "3");
    assert_eq!(page[0].template_labels.get("app").unwrap().as_str(), "web");
    assert_eq!(page[0].match_labels, page[0].template_labels);
    assert_eq!(page[0].resource_version.as_str(), "5");
    assert_eq!(page[0].marks.get(mark::EPOCH).unwrap().as_str(), "4");
    assert!(page[0].has_annotations);
}

#[tokio::test]
async fn a_replica_set_is_read() {
    let item = json!({
        "metadata": {"name": "web-6f", "resourceVersion": "5", "annotations": {"deployment.kubernetes.io/revision": "7"},
            "ownerReferences": [{"name": "web", "controller": true}]},
        "spec": {"replicas": 0, "template": {"spec": {"containers": [{"name": "web", "image": "o/web:3"}]}}},
        "status": {"replicas": 0},
    });
    let Seen::ReplicaSets(Delta::Page(page)) = listed(Kind::ReplicaSets, item).await else {
        panic!()
    };
    let ReplicaSet { desired, ready, .. } = page[0];
    assert_eq!(
        (
            desired,
            ready,
            page[0].owner.as_deref(),
            page[0].revision.as_deref()
        ),
        (0, 0, Some("web"), Some("7"))
    );
}

#[tokio::test]
async fn a_service_tells_its_whole_selector_and_who_owns_its_keys() {
    let item = json!({
        "metadata": {"name": "shop", "uid": "u", "resourceVersion": "42",
            "labels": {"app.kubernetes.io/managed-by": "Helm"},
            "annotations": {"meta.helm.sh/release-name": "shop", "other.dev/x": "y", "wheelhouse.dev/operation": "op-1"},
            "managedFields": [
            {"manager": "helm", "operation": "Update", "time": "2026-11-23T19:00:00Z",
                "fieldsV1": {"f:spec": {"f:ports": {}, "f:selector": {".": {}, "f:app": {}}}}},
            {"manager": "kubectl-patch", "operation": "Update", "time": "2026-11-23T20:00:00Z",
                "fieldsV1": {"f:spec": {"f:selector": {"f:version": {}}}}},
        ]},
        "spec": {"type": "NodePort", "selector": {"app": "web", "version": "blue"},
            "ports": [{"name": "http", "port": 80, "targetPort": "http"}, {"port": 443, "targetPort": 8443}, {"port": 9000}]},
    });
    let Seen::Services(Delta::Page(page)) = listed(Kind::Services, item).await else {
        panic!()
    };
    let Service {
        selector,
        ports,
        managers,
        resource_version,
        kind,
        targets,
        marks,
        owners,
        ..
    } = &page[0];
    assert_eq!((marks.iter().count(), page[0].has_annotations), (1, true));
    assert_eq!(marks.get(mark::OPERATION).unwrap().as_str(), "op-1");
    assert_eq!(*owners, ["Helm release shop".into()]);
    let target = |name: Option<&str>, port, target| PortTarget {
        name: name.map(Into::into),
        port,
        target,
    };
    let wanted = [
        target(Some("http"), 80, TargetPort::Named("http".into())),
        target(None, 443, TargetPort::Number(8443)),
        target(None, 9000, TargetPort::Number(9000)),
    ];
    assert_eq!(*targets, wanted);
    assert_eq!(selector.iter().count(), 2);
    assert_eq!(
        (resource_version.as_str(), kind.as_str()),
        ("42", "NodePort")
    );
    assert_eq!(
        *ports,
        ["http 80→http".into(), "443→8443".into(), "9000".into()]
    );
    assert_eq!(
        (managers[0].owns_spec, &managers[0].selector_keys[..]),
        (true, &["app".into()][..])
    );
    assert_eq!(
        (managers[1].owns_spec, &managers[1].selector_keys[..]),
        (false, &["version".into()][..])
    );
}

#[tokio::test]
async fn whoever_wrote_an_atomic_selector_last_owns_every_key_of_it() {
    let item = json!({
        "metadata": {"name": "shop", "resourceVersion": "42", "managedFields": [
            {"manager": "helm", "operation": "Update", "fieldsV1": {"f:spec": {"f:ports": {}}}},
            {"manager": "flux", "operation": "Apply", "fieldsV1": {"f:spec": {"f:selector": {}}}},
        ]},
        "spec": {"selector": {"app": "web", "version": "blue"}},
    });
    let Seen::Services(Delta::Page(page)) = listed(Kind::Services, item).await else {
        panic!()
    };
    let [helm, flux] = &page[0].managers[..] else {
        panic!()
    };
    assert!(helm.selector_keys.is_empty() && helm.owns_spec);
    assert_eq!(flux.selector_keys, ["app".into(), "version".into()]);
    assert!(!flux.owns_spec);
}

#[tokio::test]
async fn an_endpoint_without_conditions_counts_as_ready() {
    let item = json!({
        "metadata": {"name": "shop-x", "resourceVersion": "5", "labels": {"kubernetes.io/service-name": "shop",
            "endpointslice.kubernetes.io/managed-by": "endpointslice-controller.k8s.io"}},
        "endpoints": [
            {"addresses": ["10.0.0.1"], "targetRef": {"kind": "Pod", "uid": "u1"}},
            {"addresses": ["10.0.0.2"], "conditions": {"ready": false, "serving": true, "terminating": true}},
            {"addresses": ["10.0.0.3"], "conditions": {"ready": null, "serving": null}},
        ],
    });
    let Seen::Slices(Delta::Page(page)) = listed(Kind::EndpointSlices, item).await else {
        panic!()
    };
    let Slice {
        service, endpoints, ..
    } = &page[0];
    assert_eq!(service.as_str(), "shop");
    let states = |e: &Endpoint| (e.ready, e.serving, e.terminating);
    assert_eq!(
        endpoints.iter().map(states).collect::<Vec<_>>(),
        [
            (true, true, false),
            (false, true, true),
            (true, true, false)
        ]
    );
    assert_eq!(endpoints[0].target.as_deref(), Some("u1"));
}

#[tokio::test]
async fn an_autoscaler_pairs_what_is_asked_with_what_is_measured() {
    let item = json!({
        "metadata": {"name": "web", "uid": "u", "resourceVersion": "5"},
        "spec": {"scaleTargetRef": {"kind": "Deployment", "name": "web"}, "maxReplicas": 9, "metrics": [
            {"type": "Resource", "resource": {"name": "cpu", "target": {"type": "Utilization", "averageUtilization": 70}}},
            {"type": "Pods", "pods": {}}]},
        "status": {"currentReplicas": 3, "desiredReplicas": 4, "currentMetrics": [
            {"type": "Resource", "resource": {"name": "cpu", "current": {"averageUtilization": 85, "averageValue": "1"}}}]},
    });
    let Seen::Autoscalers(Delta::Page(page)) = listed(Kind::HorizontalPodAutoscalers, item).await
    else {
        panic!()
    };
    assert_eq!(
        (page[0].uid.as_str(), page[0].resource_version.as_str()),
        ("u", "5")
    );
    assert!(page[0].marks.is_empty() && !page[0].has_annotations);
    let Autoscaler {
        min,
        max,
        current,
        desired,
        ref metrics,
        ..
    } = page[0];
    assert_eq!((min, max, current, desired), (1, 9, 3, 4));
    assert_eq!(*metrics, [("cpu".into(), Some(85), Some(70))]);
}

#[tokio::test]
async fn a_lease_is_read_and_one_without_a_holder_is_free() {
    let item = json!({
        "metadata": {"name": "svc-shop", "uid": "u", "resourceVersion": "5", "annotations": {"wheelhouse.dev/operation": "op-1"}},
        "spec": {"holderIdentity": "ann@b1", "leaseDurationSeconds": 60, "leaseTransitions": 3,
            "acquireTime": "2026-11-23T20:00:00.000000Z", "renewTime": "2026-11-23T20:00:10.123456Z"},
    });
    let Seen::Leases(Delta::Page(page)) = listed(Kind::Leases, item).await else {
        panic!()
    };
    let lease = &page[0];
    assert_eq!(
        (lease.holder.as_deref(), lease.duration_s),
        (Some("ann@b1"), 60)
    );
    assert_eq!(lease.renewed, "2026-11-23T20:00:10.123456Z".parse().ok());
    assert_eq!(lease.marks.get(mark::OPERATION).unwrap().as_str(), "op-1");
    assert_eq!(lease.transitions, 3);
    assert_eq!(lease.taken, None, "the server keeps no managed fields");
    let free = json!({"metadata": {"name": "svc-shop"}, "spec": {"holderIdentity": ""}});
    let Seen::Leases(Delta::Page(page)) = listed(Kind::Leases, free).await else {
        panic!()
    };
    assert_eq!((page[0].holder.clone(), page[0].transitions), (None, 0));
}

/// A holder whose clock runs an hour ahead would look alive for an hour after its death.
#[tokio::test]
async fn p11_a_lease_says_by_the_servers_clock_when_it_was_renewed() {
    let entry = |manager: &str, time: &str, spec: serde_json::Value| json!({"manager": manager, "operation": "Update", "time": time, "fieldsV1": {"f:spec": spec}});
    let item = json!({
        "metadata": {"name": "svc-shop", "uid": "u", "resourceVersion": "5", "annotations": {"wheelhouse.dev/operation": "op-1"},
            "managedFields": [
                entry("wheelhouse", "2026-11-23T20:00:10Z", json!({"f:renewTime": {}})),
                entry("older", "2026-11-23T19:00:10Z", json!({"f:renewTime": {}})),
                entry("kubectl", "2026-11-23T20:05:00Z", json!({"f:preferredHolder": {}})),
            ]},
        "spec": {"holderIdentity": "ann@b1", "leaseDurationSeconds": 60, "leaseTransitions": 3,
            "acquireTime": "2026-11-23T20:00:00.000000Z", "renewTime": "2026-11-23T21:00:10.123456Z"},
    });
    let Seen::Leases(Delta::Page(page)) = listed(Kind::Leases, item).await else {
        panic!()
    };
    let at = |text: &str| text.parse::<jiff::Timestamp>().unwrap();
    assert_eq!(page[0].taken, Some(at("2026-11-23T20:00:10Z")));
    assert_eq!(page[0].marks.get(mark::OPERATION).unwrap().as_str(), "op-1");
    assert!(marks::is_alive(&page[0], at("2026-11-23T20:01:09Z")));
    assert!(!marks::is_alive(&page[0], at("2026-11-23T20:01:11Z")));
}

#[tokio::test]
async fn a_record_keeps_its_data_as_they_came() {
    let item = json!({
        "metadata": {"name": "op-1", "uid": "u", "resourceVersion": "5", "creationTimestamp": "2026-11-23T20:00:00Z",
            "labels": {"wheelhouse.dev/record": "operation"}},
        "data": {"entries": "{\"text\": \"caf\u{e9}\u{202e}\"}\n"},
    });
    let Seen::Records(Delta::Page(page)) = listed(Kind::Records, item).await else {
        panic!()
    };
    assert_eq!(
        &*page[0].data["entries"],
        "{\"text\": \"caf\u{e9}\u{202e}\"}\n"
    );
    assert_eq!(
        page[0].labels.get(mark::RECORD).unwrap().as_str(),
        "operation"
    );
    assert_eq!(page[0].created, "2026-11-23T20:00:00Z".parse().ok());
}

#[tokio::test]
async fn only_what_is_of_operations_is_asked_for_and_records_where_they_are_kept() {
    let server = Server::start(calm).await;
    let kubeconfig = Kubeconfig::new(&server.url, TOKEN);
    let target = Target {
        records: Some("ops".into()),
        ..kubeconfig.target()
    };
    let cluster = connect_to(&target).await.unwrap();
    for (kind, path, label) in [
        (
            Kind::Leases,
            "/apis/coordination.k8s.io/v1/namespaces/shop/leases",
            "lease%3Doperation",
        ),
        (
            Kind::Records,
            "/api/v1/namespaces/ops/configmaps",
            "record+in+%28approval%2Coperation%29",
        ),
    ] {
        Telling::of(&cluster, kind).opened().await;
        let query = format!("labelSelector=wheelhouse.dev%2F{label}");
        let asked = |a: &Asked| a.path == path && a.query.contains(&query);
        assert_eq!(server.count(asked), 2, "{:#?}", server.asked());
    }
}

fn event_of(kind: &str, n: u32) -> Value {
    json!({"metadata": {"name": format!("e{n}"), "resourceVersion": "5"}, "type": "Warning", "reason": "BackOff",
        "message": "again", "involvedObject": {"kind": kind, "name": "web-1", "uid": format!("u{n}")},
        "count": 2, "lastTimestamp": "2026-11-23T20:00:00Z", "eventTime": null,
        "series": {"count": 7, "lastObservedTime": "2026-11-23T20:05:00.123456Z"}})
}

#[tokio::test]
async fn only_events_of_our_kinds_and_the_newest_are_kept() {
    let items: Vec<_> = (0..1_200)
        .map(|n| {
            let mut event = event_of(if n % 2 == 0 { "Pod" } else { "Node" }, n);
            event["series"]["lastObservedTime"] =
                json!(format!("2026-11-23T20:{:02}:{:02}Z", n / 60, n % 60));
            event
        })
        .collect();
    let server = Server::start(move |asked| match asked.lists("events") {
        true => list("100", &items),
        false => calm(asked),
    })
    .await;
    let mut events = Telling::of(&connect(&server.url).await, Kind::Events);
    events.opened().await;
    let Seen::Events(Delta::Page(page)) = &events.seen[1] else {
        panic!("{:?}", events.seen)
    };
    assert_eq!((page.len(), events.seen.len()), (500, 4));
    let oldest = page.iter().filter_map(|e| e.last).min();
    assert_eq!(
        oldest,
        "2026-11-23T20:03:20Z".parse().ok(),
        "600 of pods, less the first 100"
    );
    let Event {
        count, is_warning, ..
    } = page[0];
    assert_eq!((count, is_warning), (7, true));
}

#[tokio::test]
async fn pages_are_told_as_they_come() {
    let server = Server::start(|asked| {
        if !asked.lists("pods") {
            return calm(asked);
        }
        assert!(asked.query.contains("limit=500"), "{}", asked.query);
        let page = |name: &str, next: &str| {
            super::server::json(json!({"metadata": {"resourceVersion": "9", "continue": next}, "items": [pod(name)]}))
        };
        match asked.query.split("continue=").nth(1) {
            None => page("a", "two"),
            Some("two") => page("b", "three"),
            Some(_) => page("c", ""),
        }
    })
    .await;
    let mut pods = Telling::of(&connect(&server.url).await, Kind::Pods);
    pods.opened().await;
    let names: Vec<_> = (pods.seen.iter())
        .map(|seen| match seen {
            Seen::Pods(Delta::Began) => "began",
            Seen::Pods(Delta::Page(page)) => page[0].name.as_str(),
            Seen::Pods(Delta::Ended) => "ended",
            Seen::Opened(Kind::Pods) => "opened",
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(names, ["began", "a", "b", "c", "ended", "opened"]);
}

#[tokio::test]
async fn a_flood_of_changes_is_told_by_the_last_state_of_each_object() {
    let server = Server::start(|asked| {
        if !asked.watches("pods") || asked.count > 1 {
            return calm(asked);
        }
        let lines = (0..3_000).map(|n| {
            let mut changed = pod(&format!("p{}", n % 3));
            changed["metadata"]["resourceVersion"] = json!((1_000 + n).to_string());
            changed["status"]["phase"] = json!(format!("Phase{n}"));
            event("MODIFIED", &changed)
        });
        Answer::Lines(vec![lines.collect()])
    })
    .await;
    let mut pods = Telling::of(&connect(&server.url).await, Kind::Pods);
    let is_last = |change: &Change<Pod>| matches!(change, Change::Applied(p) if p.phase.as_str() == "Phase2999");
    pods.until(|s| matches!(s, Seen::Pods(Delta::Changes(c)) if c.iter().any(is_last)))
        .await;
    let told = pods.seen.iter().map(|s| match s {
        Seen::Pods(Delta::Changes(changes)) => changes.len(),
        _ => 0,
    });
    assert!(told.sum::<usize>() < 300, "coalesced");
}

#[tokio::test]
async fn the_selector_and_the_namespace_are_asked_for() {
    let server = Server::start(calm).await;
    let cluster = connect(&server.url).await;
    let mut pods = Telling::with(&cluster, Kind::Pods, "app in (web,api),tier=x", 33);
    pods.opened().await;
    for asked in server.asked() {
        assert_eq!(asked.path, "/api/v1/namespaces/shop/pods");
        assert!(
            asked
                .query
                .contains("labelSelector=app+in+%28web%2Capi%29%2Ctier%3Dx"),
            "{}",
            asked.query
        );
    }
    let watch = server.asked().into_iter().find(|a| a.is_watch()).unwrap();
    assert!(watch.query.contains("timeoutSeconds=33"), "{}", watch.query);
    assert!(
        watch.query.contains("allowWatchBookmarks=true"),
        "{}",
        watch.query
    );
}

#[tokio::test]
async fn every_kind_is_asked_for_where_the_api_has_it() {
    let server = Server::start(calm).await;
    let cluster = connect(&server.url).await;
    for (kind, path) in [
        (Kind::Services, "/api/v1/namespaces/shop/services"),
        (
            Kind::EndpointSlices,
            "/apis/discovery.k8s.io/v1/namespaces/shop/endpointslices",
        ),
        (
            Kind::Deployments,
            "/apis/apps/v1/namespaces/shop/deployments",
        ),
        (Kind::Pods, "/api/v1/namespaces/shop/pods"),
        (
            Kind::ReplicaSets,
            "/apis/apps/v1/namespaces/shop/replicasets",
        ),
        (
            Kind::HorizontalPodAutoscalers,
            "/apis/autoscaling/v2/namespaces/shop/horizontalpodautoscalers",
        ),
        (Kind::Events, "/api/v1/namespaces/shop/events"),
        (
            Kind::Leases,
            "/apis/coordination.k8s.io/v1/namespaces/shop/leases",
        ),
        (Kind::Records, "/api/v1/namespaces/shop/configmaps"),
    ] {
        Telling::of(&cluster, kind).opened().await;
        assert_eq!(server.count(|a| a.path == path), 2, "{path}");
    }
}
