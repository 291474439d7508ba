//! What a reply means to a write (SAFETY, "What a reply means to a mutation"), and single reads.

use std::time::Duration;

use serde_json::{Value, json};
use wheelhouse::clients::kubernetes::{Cluster, Unwritten};
use wheelhouse::estate::{FaultKind, Lease, Pod, Record, Service};

use super::cockpit::{Kubeconfig, LIMIT, TOKEN, connect};
use super::server::{Answer, Asked, Server, calm, json as said, list, refused};

/// What the server says, made anew for each request.
type Said = fn() -> Answer;

const NAME: &str = "shop";

fn flip() -> json_patch::Patch {
    let patch = json!([
        {"op": "test", "path": "/metadata/uid", "value": "u"},
        {"op": "add", "path": "/metadata/annotations/wheelhouse.dev~1epoch", "value": "7"},
    ]);
    serde_json::from_value(patch).unwrap()
}

fn service() -> Value {
    json!({"metadata": {"name": NAME, "uid": "u", "resourceVersion": "8"}, "spec": {"selector": {"version": "green"}}})
}

async fn patched(cluster: &Cluster, limit: Duration) -> Result<Service, Unwritten> {
    cluster.patch(NAME, &flip(), limit).await
}

/// What comes of a patch that is answered so, and how often the server saw it.
async fn answered(answer: Said, limit: Duration) -> (Result<Service, Unwritten>, usize) {
    let server = Server::start(move |asked| match asked.method.as_str() {
        "PATCH" => answer(),
        _ => calm(asked),
    })
    .await;
    let cluster = connect(&server.url).await;
    // The connection is one that was used before: the client may know it to be closed and try another.
    cluster.pulse(LIMIT).await.unwrap();
    let result = patched(&cluster, limit).await;
    (result, server.count(|a| a.method == "PATCH"))
}

fn cut(bytes: &str) -> Answer {
    Answer::Raw(bytes.as_bytes().to_vec())
}

#[tokio::test]
async fn a_patch_is_sent_as_it_is_in_our_name() {
    let server = Server::start(|asked| match asked.method.as_str() {
        "PATCH" => said(service()),
        _ => calm(asked),
    })
    .await;
    let cluster = connect(&server.url).await;
    let now = patched(&cluster, LIMIT).await.unwrap();
    assert_eq!(now.resource_version.as_str(), "8");
    let asked = server.asked().pop().unwrap();
    assert_eq!(asked.path, "/api/v1/namespaces/shop/services/shop");
    assert!(asked.query.contains("fieldManager=wheelhouse"), "{asked:?}");
    let content = asked.header("content-type");
    assert_eq!(content, Some("application/json-patch+json"));
    assert_eq!(
        serde_json::from_str::<Value>(&asked.body).unwrap(),
        serde_json::to_value(flip()).unwrap()
    );
}

#[tokio::test]
async fn what_a_server_refuses_was_not_applied() {
    let answers: [(u16, Said); 10] = [
        (400, || refused(400, "no")),
        (403, || refused(403, "no")),
        (404, || refused(404, "no")),
        (405, || refused(405, "no")),
        (409, || refused(409, "no")),
        (410, || refused(410, "no")),
        (413, || refused(413, "no")),
        (415, || refused(415, "no")),
        (422, || refused(422, "no")),
        (429, || refused(429, "no")),
    ];
    for (code, answer) in answers {
        match answered(answer, LIMIT).await {
            (Err(Unwritten::Refused { status, fault }), 1) => {
                assert_eq!(status, code);
                assert!(fault.what.contains("no"), "{}", fault.what);
            }
            other => panic!("{code}: {other:?}"),
        }
    }
}

#[tokio::test]
async fn i16_what_proves_nothing_is_unknown_and_is_not_sent_again() {
    let answers: [(&str, Said); 11] = [
        ("408", || refused(408, "no")),
        ("500", || refused(500, "no")),
        ("502", || {
            Answer::Full(502, "Content-Type: text/html\r\n", "<html>".into())
        }),
        ("503", || {
            Answer::Full(503, "Retry-After: 1\r\n", String::new())
        }),
        ("504", || refused(504, "no")),
        ("nothing, then the end", || cut("")),
        ("half a head", || cut("HTTP/1.1 200 OK\r\nContent-")),
        ("half a body", || {
            cut("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 99\r\n\r\n{")
        }),
        ("half a refusal", || {
            cut(
                "HTTP/1.1 409 Conflict\r\nContent-Type: application/json\r\nContent-Length: 99\r\n\r\n{",
            )
        }),
        ("200 that is no object", || said("[]")),
        ("200 that is a page", || {
            Answer::Full(200, "Content-Type: text/html\r\n", "<html>".into())
        }),
    ];
    for (what, answer) in answers {
        let answer = answered(answer, LIMIT).await;
        assert!(
            matches!(answer, (Err(Unwritten::Unknown(_)), 1)),
            "{what}: {answer:?}"
        );
    }
}

#[tokio::test]
async fn i16_no_answer_in_time_is_unknown() {
    let limit = Duration::from_millis(200);
    let silent: Said = || Answer::Silence;
    let stalled: Said =
        || Answer::Stalled(b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n{".to_vec());
    for answer in [silent, stalled] {
        match answered(answer, limit).await {
            (Err(Unwritten::Unknown(fault)), 1) => assert_eq!(fault.kind, FaultKind::Slow),
            other => panic!("{other:?}"),
        }
    }
}

#[tokio::test]
async fn a_connection_that_is_refused_is_unknown_too() {
    let cluster = connect("http://127.0.0.1:9").await;
    let unwritten = patched(&cluster, LIMIT).await.unwrap_err();
    assert!(matches!(&unwritten, Unwritten::Unknown(f) if f.kind == FaultKind::Unreachable));
}

#[tokio::test]
async fn k01_a_401_was_not_applied_so_the_write_is_sent_once_more_with_a_new_token() {
    let server = Server::start(|asked| match asked.header("authorization") {
        Some("Bearer token-1") => refused(401, "Unauthorized"),
        _ if asked.method == "PATCH" => said(service()),
        _ => calm(asked),
    })
    .await;
    let script = r#"echo x >> runs
printf '{"kind":"ExecCredential","status":{"token":"token-%s"}}' $(wc -l < runs)"#;
    let kubeconfig = Kubeconfig::with_plugin(&server.url, script);
    let cluster = kubeconfig.connect().await;
    patched(&cluster, LIMIT).await.unwrap();
    let patches: Vec<Asked> = server.asked();
    assert_eq!(patches.len(), 2, "{patches:#?}");
    assert_eq!(patches[0].body, patches[1].body);
}

#[tokio::test]
async fn k01_a_401_that_a_new_token_does_not_mend_is_a_refusal() {
    let server = Server::start(|_| refused(401, "Unauthorized")).await;
    let kubeconfig = Kubeconfig::new(&server.url, TOKEN);
    let cluster = kubeconfig.connect().await;
    let unwritten = patched(&cluster, LIMIT).await.unwrap_err();
    let is_so = |u: &Unwritten| matches!(u, Unwritten::Refused { status: 401, .. });
    assert!(is_so(&unwritten), "{unwritten:?}");
    let seen = server.count(|_| true);
    assert_eq!(seen, 2, "once more, with what the file says now");
    // A plugin that has no other one to give.
    let script = r#"echo x >> runs; [ $(wc -l < runs) = 1 ] || exit 1
printf '{"kind":"ExecCredential","status":{"token":"old"}}'"#;
    let kubeconfig = Kubeconfig::with_plugin(&server.url, script);
    let cluster = kubeconfig.connect().await;
    let unwritten = patched(&cluster, LIMIT).await.unwrap_err();
    assert!(is_so(&unwritten), "{unwritten:?}");
    assert_eq!(server.count(|_| true), seen + 1);
}

#[tokio::test]
async fn records_are_created_replaced_and_deleted_where_they_are_kept() {
    let server = Server::start(|asked| {
        let body: Value = serde_json::from_str(&asked.body).unwrap_or_default();
        match asked.method.as_str() {
            "DELETE" => said(json!({"kind": "Status", "status": "Success"})),
            "GET" => calm(asked),
            _ => said(json!({"metadata": body["metadata"], "data": body["data"]})),
        }
    })
    .await;
    let kubeconfig = Kubeconfig::new(&server.url, TOKEN);
    let target = wheelhouse::clients::kubernetes::Target {
        records: Some("ops".into()),
        ..kubeconfig.target()
    };
    let cluster = wheelhouse::clients::kubernetes::connect(&target)
        .await
        .unwrap();
    let body = |version: Option<&str>| json!({"metadata": {"name": "op-1", "resourceVersion": version}, "data": {"0": "x"}});
    let made: Record = cluster.create(body(None), LIMIT).await.unwrap();
    assert_eq!(&*made.data["0"], "x");
    let put = cluster
        .replace::<Record>("op-1", body(Some("4")), LIMIT)
        .await;
    assert_eq!(put.unwrap().resource_version.as_str(), "4");
    cluster
        .delete::<Record>("op-1", Some("u"), Some("4"), LIMIT)
        .await
        .unwrap();
    let asked = server.asked();
    let lines: Vec<_> = asked
        .iter()
        .map(|a| (a.method.as_str(), a.path.as_str()))
        .collect();
    let one = "/api/v1/namespaces/ops/configmaps/op-1";
    assert_eq!(
        lines,
        [
            ("POST", "/api/v1/namespaces/ops/configmaps"),
            ("PUT", one),
            ("DELETE", one)
        ]
    );
    let sent: Value = serde_json::from_str(&asked[0].body).unwrap();
    assert_eq!(
        (&sent["apiVersion"], &sent["kind"]),
        (&json!("v1"), &json!("ConfigMap"))
    );
    let sent: Value = serde_json::from_str(&asked[2].body).unwrap();
    assert_eq!(
        sent["preconditions"],
        json!({"uid": "u", "resourceVersion": "4"})
    );
}

#[tokio::test]
async fn what_makes_no_sense_is_never_sent() {
    let server = Server::start(calm).await;
    let cluster = connect(&server.url).await;
    let blind = json!({"metadata": {"name": "svc-shop"}});
    let errors = [
        cluster
            .replace::<Lease>("svc-shop", blind, LIMIT)
            .await
            .err(),
        cluster.create::<Lease>(json!([]), LIMIT).await.err(),
        cluster
            .create::<Lease>(json!({"metadata": {}}), LIMIT)
            .await
            .err(),
        cluster.patch::<Lease>("", &flip(), LIMIT).await.err(),
        cluster
            .delete::<Lease>("a/b", None, None, LIMIT)
            .await
            .err(),
    ];
    for error in errors {
        assert!(
            matches!(error, Some(Unwritten::Refused { status: 400, .. })),
            "{error:?}"
        );
    }
    assert_eq!(server.asked().len(), 0);
}

#[tokio::test]
async fn an_object_that_is_absent_is_none_and_a_path_that_is_absent_is_a_fault() {
    let status = json!({"kind": "Status", "status": "Failure", "code": 404, "reason": "NotFound", "message": "no",
        "details": {"name": NAME, "kind": "services"}});
    let server = Server::start(move |asked| match asked.path.contains("/services/") {
        true => Answer::Full(404, "", status.to_string()),
        false => Answer::Full(
            404,
            "Content-Type: text/plain\r\n",
            "404 page not found".into(),
        ),
    })
    .await;
    let cluster = connect(&server.url).await;
    assert_eq!(cluster.get::<Service>(NAME, LIMIT).await, Ok(None));
    let fault = cluster.get::<Lease>(NAME, LIMIT).await.unwrap_err();
    assert_eq!(fault.kind, FaultKind::Missing);
    let fault = cluster.get::<Service>("", LIMIT).await.unwrap_err();
    assert_eq!(fault.kind, FaultKind::Config);
}

#[tokio::test]
async fn a_list_is_read_page_by_page_within_one_limit() {
    let server = Server::start(|asked| match asked.query.contains("continue=more") {
        _ if asked.path.ends_with("/leases") => Answer::Silence,
        true => list("9", &[super::kinds::pod("b")]),
        false => said(json!({"metadata": {"continue": "more"}, "items": [super::kinds::pod("a")]})),
    })
    .await;
    let cluster = connect(&server.url).await;
    let pods = cluster
        .list::<Pod>("app=shop,version in (blue)", LIMIT)
        .await
        .unwrap();
    let names: Vec<_> = pods.iter().map(|p| p.name.as_str()).collect();
    assert_eq!(names, ["a", "b"]);
    let selector = "labelSelector=app%3Dshop%2Cversion+in+%28blue%29";
    assert!(
        server.asked().iter().all(|a| a.query.contains(selector)),
        "{:#?}",
        server.asked()
    );
    let limit = Duration::from_millis(200);
    let fault = cluster.list::<Lease>("", limit).await.unwrap_err();
    assert_eq!(fault.kind, FaultKind::Slow);
    assert!(
        server.asked()[2]
            .query
            .contains("wheelhouse.dev%2Flease%3Doperation")
    );
}

#[tokio::test]
async fn a_list_with_an_object_that_cannot_be_read_is_no_list() {
    let broken =
        json!({"metadata": {"name": "b", "resourceVersion": "5"}, "spec": {"containers": 7}});
    let server = Server::start(move |_| list("9", &[super::kinds::pod("a"), broken.clone()])).await;
    let fault = connect(&server.url)
        .await
        .list::<Pod>("", LIMIT)
        .await
        .unwrap_err();
    assert_eq!(fault.kind, FaultKind::Malformed);
    assert!(fault.what.contains("b: "), "{}", fault.what);
}
