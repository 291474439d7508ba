//! The ways to the servers of monitoring, and what stands in them.

use std::os::unix::fs::PermissionsExt;

use serde_json::json;
use wheelhouse::clients::alertmanager::Alertmanager;
use wheelhouse::clients::http::{Bearer, Target};
use wheelhouse::clients::prometheus::Prometheus;
use wheelhouse::estate::{Fault, FaultKind};

use super::cockpit::connect;
use super::said::{LIMIT, at, behind, rule, rules, to};
use super::server::{Answer, Server, json as said, refused};

async fn fault_of(target: &Target) -> Fault {
    Prometheus::new(target)
        .rules(None, LIMIT)
        .await
        .unwrap_err()
}

async fn fault_at(answer: fn() -> Answer) -> Fault {
    let server = Server::start(move |_| answer()).await;
    fault_of(&at(&server)).await
}

#[tokio::test]
async fn a_path_prefix_is_kept_and_its_slash_does_not_matter() {
    let server = Server::start(|_| rules(&[])).await;
    for url in [
        format!("{}/prom", server.url),
        format!("{}/prom/", server.url),
    ] {
        let prometheus = Prometheus::new(&to(&[&url]));
        prometheus.rules(None, LIMIT).await.unwrap();
        prometheus.targets(None, |_| true, LIMIT).await.unwrap();
    }
    let paths: Vec<_> = server.asked().into_iter().map(|a| a.path).collect();
    assert_eq!(
        paths,
        ["/prom/api/v1/rules", "/prom/api/v1/targets"].repeat(2)
    );
}

#[tokio::test]
async fn a_prefix_that_was_left_out_is_asked_for() {
    let missing = fault_at(|| {
        Answer::Full(
            404,
            "Content-Type: text/plain\r\n",
            "404 page not found\n".into(),
        )
    })
    .await;
    assert_eq!(missing.kind, FaultKind::Missing);
    assert!(
        missing.what.contains("is it under a path prefix?"),
        "{}",
        missing.what
    );
    let page = fault_at(|| {
        Answer::Full(
            200,
            "Content-Type: text/html\r\n",
            "<html>Alertmanager</html>".into(),
        )
    })
    .await;
    assert_eq!(page.kind, FaultKind::Malformed);
    assert!(
        page.what.contains("web page") && page.what.contains("path prefix"),
        "{}",
        page.what
    );
}

#[tokio::test]
async fn a_login_elsewhere_is_not_followed() {
    let login = fault_at(|| {
        Answer::Full(
            302,
            "Location: https://sso.example/login\r\n",
            String::new(),
        )
    })
    .await;
    assert_eq!(login.kind, FaultKind::Malformed);
    assert!(
        login.what.contains("leads to https://sso.example/login"),
        "{}",
        login.what
    );
}

#[tokio::test]
async fn a_name_that_only_the_cluster_knows_leads_to_the_key_service() {
    let fault = fault_of(&to(&["http://alertmanager.invalid:9093"])).await;
    assert_eq!(fault.kind, FaultKind::Unreachable);
    assert!(
        fault
            .what
            .contains("cannot resolve alertmanager.invalid:9093"),
        "{}",
        fault.what
    );
    assert!(fault.what.contains("configure service ="), "{}", fault.what);
}

#[tokio::test]
async fn truncated_and_endless_answers_are_named_so() {
    let cut = fault_at(|| said("{\"status\":\"succ")).await;
    assert!(cut.what.contains("truncated JSON"), "{}", cut.what);
    const HEAD: &str =
        "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 1073741824\r\n\r\n";
    let endless = fault_at(|| Answer::Endless(HEAD, vec![b' '; 1 << 16])).await;
    assert!(
        endless.what.contains("more than 32.0 MiB"),
        "{}",
        endless.what
    );
}

#[tokio::test]
async fn a_token_is_read_anew_and_never_told() {
    let server = Server::start(|asked| match asked.header("authorization") {
        Some("Bearer second-token-of-the-test") => rules(&[]),
        other => Answer::Full(401, "", format!("bad {}", other.unwrap_or("nothing"))),
    })
    .await;
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("token");
    std::fs::write(&file, "first-token-of-the-test\n").unwrap();
    let mode = |mode| std::fs::set_permissions(&file, PermissionsExt::from_mode(mode)).unwrap();
    mode(0o640);
    let target = Target {
        bearer: Some(Bearer::File(file.clone())),
        ..at(&server)
    };
    let prometheus = Prometheus::new(&target);
    let open = prometheus.rules(None, LIMIT).await.unwrap_err();
    assert_eq!(open.kind, FaultKind::Config);
    assert!(
        open.what.contains("others may read the token"),
        "{}",
        open.what
    );
    mode(0o600);
    let fault = prometheus.rules(None, LIMIT).await.unwrap_err();
    assert_eq!(fault.kind, FaultKind::LoginNeeded);
    assert!(!fault.what.contains("first-token"), "{}", fault.what);
    std::fs::write(&file, "second-token-of-the-test\n").unwrap();
    prometheus.rules(None, LIMIT).await.unwrap();
    std::fs::write(&file, "\n").unwrap();
    let empty = prometheus.rules(None, LIMIT).await.unwrap_err();
    assert_eq!(
        (empty.kind, empty.what.as_str()),
        (FaultKind::Config, "the token is empty")
    );
    let unset = Target {
        bearer: Some(Bearer::Env("WHEELHOUSE_TEST_UNSET".into())),
        ..at(&server)
    };
    assert_eq!(
        fault_of(&unset).await.what.as_str(),
        "the token's variable WHEELHOUSE_TEST_UNSET is not set"
    );
    let unread = Target {
        ca_file: Some("/nowhere/ca.pem".into()),
        ..at(&server)
    };
    assert_eq!(fault_of(&unread).await.kind, FaultKind::Config);
}

#[tokio::test]
async fn a_service_is_asked_through_the_api_server_with_the_kubeconfigs_credential() {
    let server = Server::start(|asked| match asked.path.ends_with("/rules") {
        true => rules(&[rule("X", &[])]),
        false => said(json!({"status": "success", "data": {"resultType": "vector", "result": []}})),
    })
    .await;
    let cluster = connect(&server.url).await;
    let prometheus = Prometheus::new(&behind("prometheus", "9090", "/prom"));
    let seen = prometheus.rules(Some(&cluster), LIMIT).await.unwrap();
    assert_eq!(seen.rules.len(), 1);
    assert!(seen.server.is_some());
    prometheus
        .query(Some(&cluster), "up{a=\"b\"} + 1", LIMIT)
        .await
        .unwrap();
    let asked = server.asked();
    let base = "/api/v1/namespaces/monitoring/services/prometheus:9090/proxy/prom/api/v1";
    assert_eq!(
        (asked[0].path.clone(), asked[0].query.as_str()),
        (format!("{base}/rules"), "type=alert")
    );
    assert_eq!(
        asked[0].header("authorization"),
        Some("Bearer secret-token-of-the-test")
    );
    assert_eq!(
        (asked[1].method.as_str(), asked[1].query.as_str()),
        ("GET", "query=up%7Ba%3D%22b%22%7D+%2B+1")
    );
}

#[tokio::test]
async fn what_the_api_server_says_of_a_service_is_told_with_both_names() {
    for (answer, kind, words) in [
        (
            (|| refused(503, "no endpoints available for service \"prometheus\""))
                as fn() -> Answer,
            FaultKind::Server,
            "no endpoints available for service",
        ),
        (
            || {
                refused(
                    403,
                    "services \"prometheus:9090\" is forbidden: User \"v\" cannot get resource \"services/proxy\"",
                )
            },
            FaultKind::Forbidden,
            "forbidden: get services/proxy",
        ),
        (
            || {
                Answer::Full(
                    400,
                    "",
                    json!({"status": "error", "errorType": "bad_data", "error": "parse error"})
                        .to_string(),
                )
            },
            FaultKind::Malformed,
            "bad_data: parse error",
        ),
        (
            || Answer::Silence,
            FaultKind::Slow,
            "by the API server: no answer from",
        ),
    ] {
        let server = Server::start(move |_| answer()).await;
        let cluster = connect(&server.url).await;
        let prometheus = Prometheus::new(&behind("prometheus", "9090", ""));
        let fault = prometheus
            .rules(Some(&cluster), LIMIT / 20)
            .await
            .unwrap_err();
        assert_eq!(fault.kind, kind, "{}", fault.what);
        assert!(
            fault.what.contains("monitoring/prometheus:9090") && fault.what.contains(words),
            "{}",
            fault.what
        );
    }
}

#[tokio::test]
async fn a_busy_prometheus_behind_the_api_server_does_not_hold_the_cluster_back() {
    let server = Server::start(|asked| match asked.path.contains("/proxy/") {
        true => Answer::Full(503, "Retry-After: 100\r\n", "starting up".into()),
        false => super::server::list("1", &[]),
    })
    .await;
    let cluster = connect(&server.url).await;
    let prometheus = Prometheus::new(&behind("prometheus", "9090", ""));
    prometheus.rules(Some(&cluster), LIMIT).await.unwrap_err();
    // A watch's list would wait for the Retry-After.
    let kind = wheelhouse::estate::Kind::Pods;
    let mut pods = super::cockpit::Telling::of(&cluster, kind);
    pods.until(|seen| matches!(seen, wheelhouse::estate::Seen::Pods(_)))
        .await;
}

#[tokio::test]
async fn a_service_without_a_cluster_is_unreachable_for_now() {
    let alertmanager = Alertmanager::new(&behind("alertmanager", "9093", ""));
    let fault = alertmanager.handling(None, LIMIT).await.unwrap_err();
    assert_eq!(fault.kind, FaultKind::Unreachable);
    assert!(fault.what.contains("not connected yet"), "{}", fault.what);
}
