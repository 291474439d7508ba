//! K rows: what a server refuses, and what is made of it.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use serde_json::json;
use wheelhouse::estate::{Change, Delta, FaultKind, Kind, Pod, Seen};

use super::cockpit::{Telling, connect};
use super::kinds::pod;
use super::server::{Answer, Server, calm, event, list, refused};

#[tokio::test]
async fn every_refusal_of_a_list_has_its_kind_and_heals() {
    for (code, kind) in [
        (403, FaultKind::Forbidden),
        (404, FaultKind::Missing),
        (410, FaultKind::Expired),
        (429, FaultKind::Busy),
        (500, FaultKind::Server),
        (503, FaultKind::Server),
        (504, FaultKind::Slow),
    ] {
        let server = Server::start(move |asked| match asked.lists("pods") && asked.count == 1 {
            true => refused(code, "pods is \u{1b}[31mforbidden\u{1b}[0m: no"),
            false => calm(asked),
        })
        .await;
        let mut pods = Telling::of(&connect(&server.url).await, Kind::Pods);
        let fault = pods.fault().await;
        assert_eq!(fault.kind, kind, "{code}: {}", fault.what);
        assert!(
            fault.what.contains("pods is forbidden: no"),
            "{}",
            fault.what
        );
        pods.opened().await;
        assert_eq!(
            pods.seen.len(),
            4,
            "failed, began, ended, opened: {:?}",
            pods.seen
        );
    }
}

#[tokio::test]
async fn k06_one_failure_is_one_request() {
    let server = Server::start(|asked| match asked.lists("pods") && asked.count <= 3 {
        true => refused(503, "busy"),
        false => calm(asked),
    })
    .await;
    let mut pods = Telling::of(&connect(&server.url).await, Kind::Pods);
    for n in 1..=3 {
        pods.fault().await;
        assert_eq!(
            server.count(|a| a.lists("pods")),
            n,
            "nothing is retried behind our back"
        );
    }
    pods.opened().await;
}

#[tokio::test]
async fn k04_history_lost_on_a_watch_lists_again_and_only_then_removes() {
    let server = Server::start(|asked| {
        if asked.lists("pods") {
            let names: &[&str] = if asked.count == 1 { &["a", "b"] } else { &["b"] };
            let pods: Vec<_> = names.iter().map(|name| pod(name)).collect();
            return list("100", &pods);
        }
        if asked.watches("pods") && asked.count == 1 {
            let gone = json!({"kind": "Status", "code": 410, "reason": "Expired", "message": "too old resource version"});
            return Answer::Lines(vec![event("ERROR", &gone)]);
        }
        calm(asked)
    })
    .await;
    let mut pods = Telling::of(&connect(&server.url).await, Kind::Pods);
    pods.opened().await;
    assert_eq!(pods.fault().await.kind, FaultKind::Expired);
    pods.seen.clear();
    pods.opened().await;
    match &pods.seen[..] {
        [
            Seen::Pods(Delta::Began),
            Seen::Pods(Delta::Page(page)),
            Seen::Pods(Delta::Ended),
            Seen::Opened(Kind::Pods),
        ] => {
            assert_eq!(
                page.iter().map(|p| p.name.as_str()).collect::<Vec<_>>(),
                ["b"]
            );
        }
        other => panic!("{other:#?}"),
    }
}

#[tokio::test]
async fn k04_a_watch_that_is_refused_with_410_lists_again_and_does_not_ask_for_the_same_for_ever() {
    let server = Server::start(|asked| {
        if asked.lists("pods") {
            let version = if asked.count == 1 { "100" } else { "200" };
            return list(version, &[pod("a")]);
        }
        match asked.watches("pods") && asked.query.contains("resourceVersion=100") {
            true => refused(410, "too old resource version"),
            false => calm(asked),
        }
    })
    .await;
    let mut pods = Telling::of(&connect(&server.url).await, Kind::Pods);
    assert_eq!(pods.fault().await.kind, FaultKind::Expired);
    pods.seen.clear();
    pods.opened().await;
    assert!(matches!(
        &pods.seen[..],
        [
            Seen::Pods(Delta::Began),
            Seen::Pods(Delta::Page(_)),
            Seen::Pods(Delta::Ended),
            Seen::Opened(Kind::Pods),
        ]
    ));
}

#[tokio::test]
async fn k04_history_lost_between_two_pages_starts_the_list_again() {
    let server = Server::start(|asked| {
        if asked.lists("pods") {
            return match (asked.query.contains("continue=next"), asked.count) {
                (true, 2) => refused(410, "the continue token is too old"),
                (true, _) => list("100", &[pod("b")]),
                (false, _) => super::server::json(json!({"metadata": {"resourceVersion": "1", "continue": "next"}, "items": [pod("a")]})),
            };
        }
        calm(asked)
    })
    .await;
    let mut pods = Telling::of(&connect(&server.url).await, Kind::Pods);
    assert_eq!(pods.fault().await.kind, FaultKind::Expired);
    assert!(
        !pods.seen.contains(&Seen::Pods(Delta::Ended)),
        "half a list has no end"
    );
    pods.seen.clear();
    pods.opened().await;
    let pages = pods
        .seen
        .iter()
        .filter(|s| matches!(s, Seen::Pods(Delta::Page(_))));
    assert_eq!(pages.count(), 2);
}

#[tokio::test]
async fn k05_retry_after_is_obeyed_by_every_read_but_the_pulse() {
    let server = Server::start(|asked| match asked.lists("pods") && asked.count == 1 {
        true => Answer::Full(429, "Retry-After: 1\r\n", "{}".into()),
        false => calm(asked),
    })
    .await;
    let cluster = connect(&server.url).await;
    let mut pods = Telling::of(&cluster, Kind::Pods);
    assert_eq!(pods.fault().await.kind, FaultKind::Busy);
    let started = Instant::now();
    cluster.pulse(Duration::from_millis(700)).await.unwrap();
    Telling::of(&cluster, Kind::Services).opened().await;
    assert!(
        started.elapsed() > Duration::from_millis(700),
        "{:?}",
        started.elapsed()
    );
    pods.opened().await;
}

#[tokio::test]
async fn k05_a_read_that_may_not_wait_so_long_is_not_sent_and_says_why_but_for_a_rollbacks() {
    let server = Server::start(|asked| match asked.lists("pods") && asked.count == 1 {
        true => Answer::Full(429, "Retry-After: 60\r\n", "{}".into()),
        false => calm(asked),
    })
    .await;
    let cluster = connect(&server.url).await;
    let limit = Duration::from_secs(5);
    let asked = async || cluster.list::<Pod>("", limit).await;
    assert_eq!(asked().await.unwrap_err().kind, FaultKind::Busy);
    let started = Instant::now();
    for fault in [
        asked().await.unwrap_err(),
        cluster.get::<Pod>("a", limit).await.unwrap_err(),
    ] {
        assert_eq!(fault.kind, FaultKind::Busy);
        assert!(fault.what.contains("asked to wait: 5"), "{}", fault.what);
    }
    assert!(started.elapsed() < limit);
    assert_eq!(server.asked().len(), 1);
    // SAFETY, rule 9: a rollback is never in the way of itself.
    cluster.urge();
    asked().await.unwrap();
}

#[tokio::test]
async fn a_broken_watch_resumes_where_it_was_and_loses_no_deletion() {
    let server = Server::start(|asked| {
        if asked.lists("pods") {
            return list("100", &[pod("a"), pod("b")]);
        }
        match (asked.watches("pods"), asked.count) {
            (true, 1) => {
                let mut bytes = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n".to_vec();
                let mut changed = pod("a");
                changed["metadata"]["resourceVersion"] = json!("107");
                let line = event("MODIFIED", &changed);
                bytes.extend(
                    format!("{:x}\r\n{line}\r\n7f\r\n{{\"type\":\"DEL", line.len()).bytes(),
                );
                Answer::Raw(bytes)
            }
            (true, 2) if asked.query.contains("resourceVersion=107") => {
                let mut gone = pod("b");
                gone["metadata"]["resourceVersion"] = json!("108");
                Answer::Lines(vec![event("DELETED", &gone)])
            }
            _ => calm(asked),
        }
    })
    .await;
    let mut pods = Telling::of(&connect(&server.url).await, Kind::Pods);
    pods.until(|s| *s == Seen::Pods(Delta::Changes(vec![Change::Deleted("b".into())])))
        .await;
    assert_eq!(server.count(|a| a.lists("pods")), 1);
}

#[tokio::test]
async fn a_line_that_cannot_be_read_costs_a_new_list_not_a_lost_change() {
    static BROKEN: AtomicBool = AtomicBool::new(false);
    let server = Server::start(|asked| {
        if asked.watches("pods") && !BROKEN.swap(true, Ordering::SeqCst) {
            return Answer::Lines(vec!["{\"type\":\"DELETED\",\"object\":{{}\n".into()]);
        }
        calm(asked)
    })
    .await;
    let mut pods = Telling::of(&connect(&server.url).await, Kind::Pods);
    assert_eq!(pods.fault().await.kind, FaultKind::Malformed);
    pods.opened().await;
    assert_eq!(server.count(|a| a.lists("pods")), 2);
}
