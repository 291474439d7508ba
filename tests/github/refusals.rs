//! What GitHub refuses: each in a sentence that says whose turn it is.

use std::time::Duration;

use serde_json::json;
use wheelhouse::clients::github::{Known, Limits, Target, TokenFrom, connect_within};
use wheelhouse::clients::kubernetes::Proxies;
use wheelhouse::estate::{Fault, FaultKind};

use super::repository::{LIST, Repository, Token, connect, connect_with, full, refused};
use super::server::{Answer, Server, json as said};

async fn fault(answer: impl Fn() -> Answer + Send + Sync + 'static) -> Fault {
    let server = Server::start(move |_| answer()).await;
    let github = connect(&server.url).await;
    github.runs(&mut Known::default()).await.unwrap_err()
}

#[tokio::test]
async fn g05_a_wrong_or_expired_token_is_named_by_where_it_comes_from() {
    let fault = fault(|| refused(401, "", "Bad credentials")).await;
    assert_eq!(fault.kind, FaultKind::LoginNeeded);
    for word in [
        "does not accept the token of /",
        "Bad credentials",
        "expired",
    ] {
        assert!(fault.what.contains(word), "{}", fault.what);
    }
    assert!(!fault.what.contains("test-token"), "{}", fault.what);
}

#[tokio::test]
async fn g05_single_sign_on_says_where_the_token_is_authorised() {
    let sso =
        "X-GitHub-SSO: required; url=https://github.com/orgs/acme/sso?authorization_request=A1\r\n";
    let said = "Resource protected by organization SAML enforcement.";
    let fault = fault(move || refused(403, sso, said)).await;
    assert_eq!(fault.kind, FaultKind::LoginNeeded);
    assert!(fault.what.contains("single sign-on"), "{}", fault.what);
    let url = "https://github.com/orgs/acme/sso?authorization_request=A1";
    assert!(fault.what.contains(url), "{}", fault.what);
}

#[tokio::test]
async fn a_right_that_the_token_lacks_is_named() {
    let said = "Resource not accessible by personal access token";
    let fine =
        fault(move || refused(403, "X-Accepted-GitHub-Permissions: actions=read\r\n", said)).await;
    assert_eq!(fine.kind, FaultKind::Forbidden);
    assert!(
        fine.what.contains(said) && fine.what.ends_with("needs the permission actions=read"),
        "{}",
        fine.what
    );
    let scopes = "X-Accepted-OAuth-Scopes: repo\r\nX-OAuth-Scopes: gist\r\n";
    let classic = fault(move || refused(403, scopes, "Must have admin rights")).await;
    assert!(
        classic
            .what
            .ends_with("needs one of the scopes repo and has gist"),
        "{}",
        classic.what
    );
}

#[tokio::test]
async fn a_repository_that_does_not_exist_is_told_from_a_workflow_that_does_not() {
    let none = fault(|| refused(404, "", "Not Found")).await;
    assert_eq!(none.kind, FaultKind::Missing);
    assert!(
        none.what.contains("no repository acme/wall"),
        "{}",
        none.what
    );
    assert!(
        none.what.contains("hidden from the token of"),
        "{}",
        none.what
    );
    let server = Server::start(|asked| match asked.path.as_str() {
        LIST => refused(404, "", "Not Found"),
        "/repos/acme/wall" => said(json!({"id": 7})),
        "/repos/acme/wall/actions/workflows" => said(json!({"total_count": 2, "workflows": [
            {"id": 1, "path": ".github/workflows/build.yml"}, {"path": null}, {"id": 2, "path": ".github/workflows/de\u{1b}[2Jploy.yml"}]})),
        other => panic!("{other}"),
    })
    .await;
    let github = connect(&server.url).await;
    let renamed = github.runs(&mut Known::default()).await.unwrap_err();
    assert_eq!(renamed.kind, FaultKind::Missing);
    assert_eq!(
        renamed.what.as_str(),
        "acme/wall has no workflow ci.yml (renamed?): it has build.yml, deploy.yml"
    );
}

#[tokio::test]
async fn g10_an_incident_is_a_servers_fault_and_a_web_page_is_named_so() {
    let down = fault(|| refused(502, "", "Server Error")).await;
    assert_eq!(down.kind, FaultKind::Server);
    let page = "<!DOCTYPE html><title>Unicorn!\u{1b}]0;x\u{7}</title>";
    for status in [200, 403, 503] {
        let html = fault(move || full(status, "Content-Type: text/html\r\n", page)).await;
        assert_eq!(html.kind, FaultKind::Malformed, "{status}");
        assert!(html.what.contains("web page"), "{}", html.what);
    }
}

#[tokio::test]
async fn an_answer_that_is_no_list_is_malformed_and_not_empty() {
    for body in ["{}", "[]", "null", "7", "{\"workflow_runs\": 7}"] {
        let fault = fault(move || said(body)).await;
        assert_eq!(fault.kind, FaultKind::Malformed, "{body}");
    }
}

#[tokio::test]
async fn an_answer_that_does_not_end_or_does_not_come_is_cut_off() {
    let head = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n[";
    let server = Server::start(move |_| Answer::Endless(head, vec![b' '; 4096])).await;
    let limits = Limits {
        body: 1 << 20,
        ..Limits::default()
    };
    let github = connect_with(&server.url, limits).await.unwrap();
    let fault = github.runs(&mut Known::default()).await.unwrap_err();
    assert!(fault.what.contains("more than 1.0 MiB"), "{}", fault.what);

    let server = Server::start(|_| Answer::Silence).await;
    let limits = Limits {
        idle: Duration::from_millis(100),
        ..Limits::default()
    };
    let github = connect_with(&server.url, limits).await.unwrap();
    let fault = github.runs(&mut Known::default()).await.unwrap_err();
    assert_eq!(fault.kind, FaultKind::Slow);
}

#[tokio::test]
async fn a_host_that_refuses_connections_is_unreachable() {
    let github = connect("http://127.0.0.1:9").await;
    let fault = github.runs(&mut Known::default()).await.unwrap_err();
    assert_eq!(fault.kind, FaultKind::Unreachable);
    assert_eq!(fault.what.as_str(), "127.0.0.1:9 refuses connections");
}

#[tokio::test]
async fn g05_a_token_that_was_replaced_is_read_anew_without_losing_what_was_seen() {
    let repository = Repository::new();
    let server = repository.serve().await;
    let token = Token::new("test-token");
    let target = token.target(&server.url);
    let github = connect_within(&target, Limits::default(), Proxies::default())
        .await
        .unwrap();
    let mut known = Known::default();
    github.runs(&mut known).await.unwrap();
    repository.has().token = "rotated".into();
    let refused = github.runs(&mut known).await.unwrap_err();
    assert_eq!(refused.kind, FaultKind::LoginNeeded);
    token.write("rotated");
    github.runs(&mut known).await.unwrap();
    let asked = server.asked();
    assert_eq!(
        asked.last().unwrap().header("authorization"),
        Some("Bearer rotated")
    );
    // One with the old token, one more with the new: not a third.
    assert_eq!(asked.len(), 4);
}

#[tokio::test]
async fn nothing_is_connected_to_what_cannot_be_used() {
    let good = Token::new("test-token");
    let target = good.target("http://127.0.0.1:9");
    let refused = async |target: Target| {
        connect_within(&target, Limits::default(), Proxies::default())
            .await
            .unwrap_err()
    };
    let none = Target {
        token: TokenFrom::Env("WHEELHOUSE_TEST_NO_SUCH_VARIABLE".into()),
        ..target.clone()
    };
    let fault = refused(none).await;
    assert_eq!(fault.kind, FaultKind::LoginNeeded);
    assert!(
        fault
            .what
            .contains("$WHEELHOUSE_TEST_NO_SUCH_VARIABLE is not set"),
        "{}",
        fault.what
    );
    let ca = Target {
        ca_file: Some(good.path()),
        ..target.clone()
    };
    let fault = refused(ca).await;
    assert_eq!(fault.kind, FaultKind::Config);
    assert!(
        fault.what.contains("holds no certificate"),
        "{}",
        fault.what
    );
    let plain = Target {
        api: "http://ghe.acme.example/api/v3".into(),
        ..target
    };
    assert!(refused(plain).await.what.contains("not an https URL"));
}
