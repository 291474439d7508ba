//! N rows: what is on the way to the server.

use std::time::Duration;

use wheelhouse::clients::kubernetes::{Limits, Pulse};
use wheelhouse::estate::{FaultKind, Kind, Seen};

use super::cockpit::{Kubeconfig, TOKEN, Telling, connect};
use super::server::{Answer, Server, calm, json};

const SECOND: Duration = Duration::from_secs(1);

#[tokio::test]
async fn a_pulse_tells_the_servers_clock_and_version() {
    let server = Server::start(calm).await;
    let pulse = connect(&server.url).await.pulse(SECOND).await.unwrap();
    let expected = Pulse {
        server: "2026-11-23T20:00:00Z".parse().ok(),
        version: Some("v1.37.2".into()),
    };
    assert_eq!(pulse, expected);
    let bearer = server.asked()[0].header("authorization").map(str::to_owned);
    assert_eq!(bearer.as_deref(), Some("Bearer secret-token-of-the-test"));
}

#[tokio::test]
async fn n01_a_name_that_does_not_resolve_is_named() {
    // A label of more than 63 characters: no resolver is asked, whatever it would say of unknown names.
    let place = format!("{}.invalid:6443", "a".repeat(64));
    let cluster = connect(&format!("http://{place}")).await;
    let fault = cluster.pulse(10 * SECOND).await.unwrap_err();
    assert_eq!(fault.kind, FaultKind::Unreachable, "{}", fault.what);
    assert!(fault.what.contains(&place), "{}", fault.what);
}

#[tokio::test]
async fn n01_a_refused_connection_names_host_and_port() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let place = listener.local_addr().unwrap().to_string();
    drop(listener);
    let fault = connect(&format!("http://{place}"))
        .await
        .pulse(SECOND)
        .await
        .unwrap_err();
    assert_eq!(fault.kind, FaultKind::Unreachable);
    assert_eq!(fault.what.as_str(), format!("{place} refuses connections"));
}

#[tokio::test]
async fn n02_a_server_that_accepts_and_says_nothing_is_slow() {
    let server = Server::start(|_| Answer::Silence).await;
    let fault = connect(&server.url)
        .await
        .pulse(SECOND / 5)
        .await
        .unwrap_err();
    assert_eq!(fault.kind, FaultKind::Slow, "{}", fault.what);
}

#[tokio::test]
async fn n02_a_list_that_is_never_answered_ends_at_its_limit_and_is_asked_again() {
    let server = Server::start(|asked| match asked.lists("pods") && asked.count == 1 {
        true => Answer::Silence,
        false => calm(asked),
    })
    .await;
    let limits = Limits {
        head: SECOND / 5,
        ..Limits::default()
    };
    let cluster = Kubeconfig::new(&server.url, TOKEN)
        .connect_within(limits)
        .await
        .unwrap();
    let mut pods = Telling::of(&cluster, Kind::Pods);
    assert_eq!(pods.fault().await.kind, FaultKind::Slow);
    pods.opened().await;
}

#[tokio::test]
async fn n02_a_body_that_stops_half_way_ends_at_its_limit() {
    let half = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 9999\r\n\r\n{\"items\":[";
    let server = Server::start(|asked| match asked.lists("pods") && asked.count == 1 {
        true => Answer::Stalled(half.to_vec()),
        false => calm(asked),
    })
    .await;
    let limits = Limits {
        idle: SECOND / 5,
        ..Limits::default()
    };
    let cluster = Kubeconfig::new(&server.url, TOKEN)
        .connect_within(limits)
        .await
        .unwrap();
    let mut pods = Telling::of(&cluster, Kind::Pods);
    assert_eq!(pods.fault().await.kind, FaultKind::Slow);
    pods.opened().await;
}

/// Takes six seconds: kube waits five more than the period.
#[tokio::test]
async fn n02_a_watch_that_died_in_silence_is_opened_again_after_its_period() {
    let server = Server::start(calm).await;
    let cluster = connect(&server.url).await;
    let mut pods = Telling::with(&cluster, Kind::Pods, "", 1);
    pods.opened().await;
    pods.opened().await;
    assert_eq!(
        server.count(|a| a.lists("pods")),
        1,
        "it resumes, it does not list again"
    );
    assert!(!pods.seen.iter().any(|s| matches!(s, Seen::Failed(..))));
}

#[tokio::test]
async fn n05_truncated_json_is_told_and_asked_again() {
    let server = Server::start(|asked| match asked.lists("pods") && asked.count == 1 {
        true => json(r#"{"kind":"PodList","metadata":{"resourceVersion":"1"},"items":[{"metada"#),
        false => calm(asked),
    })
    .await;
    let mut pods = Telling::of(&connect(&server.url).await, Kind::Pods);
    let fault = pods.fault().await;
    assert_eq!(fault.kind, FaultKind::Malformed);
    assert!(fault.what.contains("truncated"), "{}", fault.what);
    pods.opened().await;
    let told: Vec<_> = pods.seen.iter().map(std::mem::discriminant).collect();
    assert_eq!(
        told.len(),
        4,
        "failed, began, ended, opened: {:?}",
        pods.seen
    );
}

#[tokio::test]
async fn n05_a_body_that_ends_too_early_is_a_broken_connection() {
    let server = Server::start(|asked| match asked.lists("pods") && asked.count == 1 {
        true => {
            Answer::Raw(b"HTTP/1.1 200 OK\r\nContent-Length: 9999\r\n\r\n{\"items\":[".to_vec())
        }
        false => calm(asked),
    })
    .await;
    let mut pods = Telling::of(&connect(&server.url).await, Kind::Pods);
    let fault = pods.fault().await;
    assert_eq!(fault.kind, FaultKind::Unreachable, "{}", fault.what);
    assert!(
        fault.what.contains("broke the connection"),
        "{}",
        fault.what
    );
    pods.opened().await;
}

#[tokio::test]
async fn n05_a_web_page_in_place_of_json_is_named_so() {
    for (status, words) in [(200, "200 with a web page"), (502, "502 with a web page")] {
        let page = "<!doctype html><title>\u{1b}]0;evil\u{7}Sign in</title>".to_owned();
        let server = Server::start(move |_| {
            Answer::Full(
                status,
                "Content-Type: text/html; charset=utf-8\r\n",
                page.clone(),
            )
        })
        .await;
        let cluster = connect(&server.url).await;
        for fault in [
            cluster.pulse(SECOND).await.unwrap_err(),
            Telling::of(&cluster, Kind::Pods).fault().await,
        ] {
            assert_eq!(fault.kind, FaultKind::Malformed, "{}", fault.what);
            assert!(fault.what.contains(words), "{}", fault.what);
        }
    }
}

#[tokio::test]
async fn n05_a_body_without_end_is_cut_off() {
    const HEAD: &str =
        "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 1073741824\r\n\r\n";
    let server = Server::start(|_| Answer::Endless(HEAD, vec![b' '; 1 << 16])).await;
    let limits = Limits {
        body: 1 << 20,
        ..Limits::default()
    };
    let cluster = Kubeconfig::new(&server.url, TOKEN)
        .connect_within(limits)
        .await
        .unwrap();
    for fault in [
        cluster.pulse(10 * SECOND).await.unwrap_err(),
        Telling::of(&cluster, Kind::Pods).fault().await,
    ] {
        assert_eq!(fault.kind, FaultKind::Malformed);
        assert!(fault.what.contains("more than 1.0 MiB"), "{}", fault.what);
    }
}

#[tokio::test]
async fn n05_a_watch_line_without_end_is_cut_off() {
    const HEAD: &str =
        "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 1073741824\r\n\r\n";
    let server = Server::start(|asked| match asked.is_watch() {
        true => Answer::Endless(HEAD, vec![b'x'; 1 << 16]),
        false => calm(asked),
    })
    .await;
    let limits = Limits {
        line: 1 << 20,
        ..Limits::default()
    };
    let cluster = Kubeconfig::new(&server.url, TOKEN)
        .connect_within(limits)
        .await
        .unwrap();
    let fault = Telling::of(&cluster, Kind::Pods).fault().await;
    assert!(fault.what.contains("more than 1.0 MiB"), "{}", fault.what);
}

#[tokio::test]
async fn n05_a_proxy_that_wants_a_login_is_told() {
    let proxy =
        Server::start(|_| Answer::Raw(b"HTTP/1.1 407 No\r\nContent-Length: 0\r\n\r\n".to_vec()))
            .await;
    let kubeconfig = Kubeconfig::new("https://api.shop.example:6443", TOKEN);
    let text = std::fs::read_to_string(kubeconfig.path()).unwrap();
    let with = format!(
        "server: \"https://api.shop.example:6443\", proxy-url: \"{}\"",
        proxy.url
    );
    let text = text.replace("server: \"https://api.shop.example:6443\"", &with);
    std::fs::write(kubeconfig.path(), text).unwrap();
    let fault = kubeconfig.connect().await.pulse(SECOND).await.unwrap_err();
    assert_eq!(fault.kind, FaultKind::Unreachable, "{}", fault.what);
    assert!(fault.what.contains("407"), "{}", fault.what);
    assert_eq!(proxy.asked()[0].method, "CONNECT");
}
