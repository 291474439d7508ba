//! The client over the embedded estate in process, in virtual time: what the simulation of operations
//! stands on. Nothing here waits for a real clock or a socket.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    dead_code,
    missing_docs,
    reason = "tests; the world offers what other tests use"
)]

#[path = "support/world.rs"]
mod world;

use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use futures::StreamExt as _;
use futures::stream::BoxStream;
use serde_json::json;
use tokio::time::Instant;
use tower::ServiceExt as _;
use wheelhouse::app::Look;
use wheelhouse::clients::http::{Reach, Target};
use wheelhouse::clients::kubernetes::{Cluster, Unwritten, Watch, watch};
use wheelhouse::clients::prometheus::Prometheus;
use wheelhouse::demo::{Estate, Options, router};
use wheelhouse::estate::alerts::AlertsSeen;
use wheelhouse::estate::{Change, Delta, FaultKind, Kind, Record, Seen, Service, Verdict, mark};

const SERVICE: &str = "digital-wall-service";
const LIMIT: Duration = Duration::from_secs(5);
const RECORDS: &str = "wheelhouse";

fn epoch() -> jiff::Timestamp {
    "2026-11-23T14:00:00Z".parse().unwrap()
}

fn estate() -> Estate {
    let estate = Estate::new(&Options::default(), epoch()).unwrap();
    tokio::spawn(estate.clone().drive());
    estate
}

fn how() -> Watch {
    Watch {
        jitter: false,
        ..Watch::default()
    }
}

/// Reads on until `is` holds of what was told last; virtual time passes as it has to.
async fn until(seen: &mut BoxStream<'static, Seen>, is: impl Fn(&Seen) -> bool) -> Seen {
    let found = async {
        loop {
            let next = seen.next().await.unwrap();
            if is(&next) {
                return next;
            }
        }
    };
    let minutes = Duration::from_secs(600);
    tokio::time::timeout(minutes, found)
        .await
        .expect("it is told")
}

fn has_epoch(seen: &Seen, epoch: &str) -> bool {
    let Seen::Services(Delta::Changes(changes)) = seen else {
        return false;
    };
    changes.iter().any(|change| match change {
        Change::Applied(s) => s
            .marks
            .get(mark::EPOCH)
            .is_some_and(|e| e.as_str() == epoch),
        Change::Deleted(_) => false,
    })
}

fn fenced(service: &Service, epoch: &str) -> json_patch::Patch {
    let mut patch = vec![
        json!({"op": "test", "path": "/metadata/uid", "value": service.uid}),
        json!({"op": "test", "path": "/metadata/resourceVersion", "value": service.resource_version}),
    ];
    if !service.has_annotations {
        patch.push(json!({"op": "add", "path": "/metadata/annotations", "value": {}}));
    }
    patch.push(
        json!({"op": "add", "path": "/metadata/annotations/wheelhouse.dev~1epoch", "value": epoch}),
    );
    serde_json::from_value(json!(patch)).unwrap()
}

#[tokio::test(start_paused = true)]
async fn a_service_is_listed_watched_and_patched_in_virtual_time() {
    let cluster = Cluster::over(router(&estate()), "production", Some(RECORDS));
    let mut seen = watch(&cluster, Kind::Services, &how());
    let page = until(&mut seen, |s| matches!(s, Seen::Services(Delta::Page(_)))).await;
    assert!(
        matches!(page, Seen::Services(Delta::Page(page)) if page.iter().any(|s| s.name.as_str() == SERVICE))
    );
    until(&mut seen, |s| *s == Seen::Opened(Kind::Services)).await;

    let before: Service = cluster.get(SERVICE, LIMIT).await.unwrap().unwrap();
    let patch = fenced(&before, "1");
    let after: Service = cluster.patch(SERVICE, &patch, LIMIT).await.unwrap();
    assert_ne!(after.resource_version, before.resource_version);
    until(&mut seen, |s| has_epoch(s, "1")).await;

    // The same again is refused: the resourceVersion that it tests is gone.
    let again = cluster.patch::<Service>(SERVICE, &patch, LIMIT).await;
    assert!(
        matches!(again, Err(Unwritten::Refused { status: 422, .. })),
        "{again:?}"
    );
}

#[tokio::test(start_paused = true)]
async fn records_are_watched_in_their_own_namespace() {
    let estate = estate();
    let cluster = Cluster::over(router(&estate), "production", Some(RECORDS));
    let mut seen = watch(&cluster, Kind::Records, &how());
    until(&mut seen, |s| *s == Seen::Opened(Kind::Records)).await;
    let body = |name: &str, labels: serde_json::Value| json!({"metadata": {"name": name, "labels": labels}, "data": {"0": "x"}});
    let record = body("op-1", json!({mark::RECORD: mark::OF_OPERATION}));
    // One that is no record is not told.
    cluster
        .create::<Record>(body("other", json!({})), LIMIT)
        .await
        .unwrap();
    let made: Record = cluster.create(record, LIMIT).await.unwrap();
    let told = until(&mut seen, |s| matches!(s, Seen::Records(Delta::Changes(_)))).await;
    assert_eq!(
        told,
        Seen::Records(Delta::Changes(vec![Change::Applied(made)]))
    );
    assert_eq!(cluster.list::<Record>("", LIMIT).await.unwrap().len(), 1);
    let own = Cluster::over(router(&estate), "production", None);
    assert_eq!(own.get::<Record>("op-1", LIMIT).await, Ok(None));
}

#[tokio::test(start_paused = true)]
async fn a_watch_lives_through_silence_and_an_outage_by_the_same_pauses_each_time() {
    let mut elapsed = Vec::new();
    for _ in 0..2 {
        let (router, away) = (router(&estate()), Arc::new(AtomicBool::new(false)));
        let is_away = away.clone();
        let service = tower::service_fn(move |request: http::Request<_>| {
            let (router, away) = (router.clone(), is_away.clone());
            async move {
                match away.load(Ordering::SeqCst) {
                    true => Err(std::io::Error::from(std::io::ErrorKind::ConnectionRefused)),
                    false => router
                        .oneshot(request)
                        .await
                        .map_err(|e: Infallible| match e {}),
                }
            }
        });
        let cluster = Cluster::over(service, "production", None);
        let (began, mut seen) = (Instant::now(), watch(&cluster, Kind::Services, &how()));
        // Minutes pass in which nothing happens but re-openings.
        for _ in 0..5 {
            until(&mut seen, |s| *s == Seen::Opened(Kind::Services)).await;
        }
        assert!(began.elapsed() > Duration::from_secs(180));
        away.store(true, Ordering::SeqCst);
        for _ in 0..8 {
            let failed = until(&mut seen, |s| matches!(s, Seen::Failed(..))).await;
            assert!(matches!(failed, Seen::Failed(_, f) if f.kind == FaultKind::Unreachable));
        }
        away.store(false, Ordering::SeqCst);
        until(&mut seen, |s| *s == Seen::Opened(Kind::Services)).await;
        elapsed.push(began.elapsed());
    }
    assert_eq!(elapsed[0], elapsed[1], "chance has no part in it");
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_does_not_come_costs_its_limit_of_virtual_time() {
    let silent = tower::service_fn(|_: http::Request<kube::client::Body>| {
        std::future::pending::<Result<http::Response<kube::client::Body>, Infallible>>()
    });
    let cluster = Cluster::over(silent, "production", None);
    let began = Instant::now();
    let unwritten = cluster
        .patch::<Service>(SERVICE, &serde_json::from_value(json!([])).unwrap(), LIMIT)
        .await;
    assert!(matches!(unwritten, Err(Unwritten::Unknown(f)) if f.kind == FaultKind::Slow));
    assert_eq!(began.elapsed().as_secs(), LIMIT.as_secs());
}

#[tokio::test(start_paused = true)]
async fn m01_a_prometheus_that_stalls_is_unknown_while_its_watchdog_fires_on() {
    let estate = estate();
    let (began, mut cockpit) = (Instant::now(), world::full(Look::default()));
    let cluster = Cluster::over(router(&estate), "production", None);
    let service = Reach::Service {
        namespace: "monitoring".into(),
        name: "prometheus".into(),
        port: "9090".into(),
        prefix: String::new(),
    };
    let prometheus = Prometheus::new(&Target {
        replicas: vec![service],
        ..Target::default()
    });
    let mut verdict = async || {
        let mut rules = prometheus.rules(Some(&cluster), LIMIT).await.unwrap();
        let watchdog = |name: &str| name == "Watchdog";
        assert!(
            (rules.rules.iter()).any(|r| watchdog(&r.name) && r.alerts.iter().any(|a| a.is_firing))
        );
        // In process there is no Date header.
        rules.server = epoch().checked_add(began.elapsed()).ok();
        world::observe(&mut cockpit, vec![Seen::Alerts(AlertsSeen::Rules(rules))]);
        let estate = cockpit.estate();
        let alerts = estate.alerts.as_ref().unwrap();
        estate.monitoring_verdict(alerts, cockpit.now)
    };
    assert_eq!(verdict().await, Verdict::Ok);
    let stall = json!({"do": "prometheus-stall", "for": "2m"}).to_string();
    let stall = http::Request::post("/demo/fault").body(axum::body::Body::from(stall));
    let answer = router(&estate).oneshot(stall.unwrap()).await.unwrap();
    assert_eq!(answer.status(), 200);
    tokio::time::sleep(Duration::from_secs(40)).await;
    assert_eq!(verdict().await, Verdict::Ok, "within three intervals");
    tokio::time::sleep(Duration::from_secs(30)).await;
    let stalled = verdict().await;
    assert!(
        matches!(&stalled, Verdict::Unknown(why) if why.contains("was last evaluated 70 s ago")),
        "{stalled:?}"
    );
    tokio::time::sleep(Duration::from_secs(70)).await;
    assert_eq!(verdict().await, Verdict::Ok, "it evaluates again");
}
