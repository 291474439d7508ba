//! What Alertmanager says, and what is said to it.

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use wheelhouse::clients::alertmanager::Alertmanager;
use wheelhouse::estate::alerts::Alert;
use wheelhouse::estate::silence::Draft;
use wheelhouse::estate::{FaultKind, Labels, Safe};

use super::cockpit::connect;
use super::said::{LIMIT, at, behind, behind_both, handled, nobody, silence, to};
use super::server::{Answer, Asked, Server, json as said, refused};

fn draft() -> Draft {
    let labels = [("alertname", "X"), ("instance", "a:1 \"quoted\"")];
    let alert = Alert {
        labels: labels
            .map(|(k, v)| (k.into(), v.into()))
            .into_iter()
            .collect(),
        annotations: Labels::default(),
        is_firing: true,
        since: None,
        value: "1".into(),
    };
    Draft::of(
        &alert,
        "ann",
        "release 42",
        "2026-11-23T20:00:00Z".parse().unwrap(),
    )
}

/// Answers reads with nothing, and what `write` says to the rest.
fn with(write: impl Fn(&Asked) -> Answer + Send + Sync) -> impl Fn(&Asked) -> Answer + Send + Sync {
    move |asked| match (asked.method.as_str(), asked.path.as_str()) {
        ("GET", "/api/v2/status") => said("{}"),
        ("GET", "/api/v2/silences" | "/api/v2/alerts") => said("[]"),
        _ => write(asked),
    }
}

fn posts(server: &Server) -> Vec<Value> {
    let posted = server.asked().into_iter().filter(|a| a.method == "POST");
    posted
        .map(|a| serde_json::from_str(&a.body).unwrap())
        .collect()
}

#[tokio::test]
async fn alerts_come_with_who_keeps_them_quiet_and_silences_that_are_not_over() {
    let server = Server::start(|asked| match asked.path.as_str() {
        "/api/v2/alerts" => {
            assert!(asked.query.contains("silenced=true") && asked.query.contains("inhibited=true"));
            said(json!([handled("X", &["s1"], &[]), handled("Y", &[], &["f", "of-X"]), {"labels": {"alertname": "bare"}, "status": null}]))
        }
        _ => said(json!([silence("s1", "active"), silence("s2", "pending"), silence("s3", "expired"),
            {"id": "s4", "matchers": [{"name": "a", "value": "b.*", "isRegex": true}, {"name": "c", "value": "d", "isEqual": false}]}])),
    })
    .await;
    let all = Alertmanager::new(&at(&server))
        .handling(None, LIMIT)
        .await
        .unwrap();
    assert_eq!(all.handled.len(), 3);
    assert_eq!(all.handled[0].silenced_by, [Safe::new("s1")]);
    // By name, where it is told of.
    assert_eq!(
        all.handled[1].inhibited_by,
        ["f", "X cluster=eu severity=critical"].map(Safe::new)
    );
    let ids: Vec<_> = all.silences.iter().map(|s| s.id.as_str()).collect();
    assert_eq!(ids, ["s1", "s2", "s4"]);
    assert_eq!(all.silences[0].matchers, [Safe::new("alertname=\"X\"")]);
    assert_eq!(
        all.silences[2].matchers,
        [Safe::new("a=~\"b.*\""), Safe::new("c!=\"d\"")]
    );
    assert!(all.gaps.is_empty());
}

#[tokio::test]
async fn k14_hostile_text_in_every_field_of_alerts_and_silences_comes_out_clean_and_short() {
    let poison = format!("\u{1b}]0;evil\u{7}\u{202e}\u{9b}31m{}", "w".repeat(1 << 20));
    let server = Server::start(move |asked| {
        let bad = &poison;
        let labels = [("alertname", bad), (bad.as_str(), bad)];
        let labels: std::collections::BTreeMap<&str, &String> = labels.into_iter().collect();
        match asked.path.as_str() {
            "/api/v2/alerts" => said(
                json!([{"labels": labels, "annotations": {"summary": bad}, "fingerprint": bad,
                "receivers": [{"name": bad}],
                "status": {"state": bad, "silencedBy": [bad], "inhibitedBy": [bad]}}]),
            ),
            "/api/v2/silences" => said(
                json!([{"id": bad, "status": {"state": bad}, "comment": bad, "createdBy": bad,
                "matchers": [{"name": bad, "value": bad, "isRegex": true, "isEqual": false}]}]),
            ),
            _ => said(json!({"versionInfo": {"version": bad}})),
        }
    })
    .await;
    let alertmanager = Alertmanager::new(&at(&server));
    let all = alertmanager.handling(None, LIMIT).await.unwrap();
    let versions = alertmanager.versions(None, LIMIT).await;
    let version = versions[0].1.clone().unwrap();
    for shown in [
        serde_json::to_string(&all.handled).unwrap(),
        serde_json::to_string(&all.silences).unwrap(),
        serde_json::to_string(&version).unwrap(),
    ] {
        assert!(shown.contains("<U+202E>"), "hidden characters are shown");
        assert!(
            !shown.contains('\u{1b}') && !shown.contains("\\u001b") && !shown.contains("\\u009b")
        );
        assert!(shown.len() < 10 * 4096, "{} bytes", shown.len());
    }
}

#[tokio::test]
async fn m02_one_alertmanager_of_two_that_is_down_is_a_gap_and_no_fault() {
    let server = Server::start(|asked| match asked.path.as_str() {
        "/api/v2/alerts" => said(json!([handled("X", &["s1"], &[])])),
        _ => said("[]"),
    })
    .await;
    let all = Alertmanager::new(&to(&[&nobody(), &server.url, &server.url]))
        .handling(None, LIMIT)
        .await
        .unwrap();
    assert_eq!((all.handled.len(), all.gaps.len()), (1, 1));
    assert!(
        all.gaps[0].starts_with("of 3 replicas 127.0.0.1:"),
        "{:?}",
        all.gaps
    );
}

#[tokio::test]
async fn m02_one_alertmanager_of_two_behind_the_api_server_that_is_down_is_a_gap() {
    let server = Server::start(|asked| match asked.path.as_str() {
        path if !path.contains("/proxy/") => super::server::calm(asked),
        path if path.contains("/alertmanager-1:9093/") => refused(503, "no endpoints available"),
        path if path.ends_with("/alerts") => said(json!([handled("X", &["s1"], &[])])),
        _ => said("[]"),
    })
    .await;
    let cluster = connect(&server.url).await;
    let target = behind_both(["alertmanager-0", "alertmanager-1"], "9093");
    let all = Alertmanager::new(&target)
        .handling(Some(&cluster), LIMIT)
        .await
        .unwrap();
    assert_eq!((all.handled.len(), all.gaps.len()), (1, 1));
    assert!(
        all.gaps[0].starts_with("of 2 replicas monitoring/alertmanager-1:9093"),
        "{:?}",
        all.gaps
    );
}

#[tokio::test]
async fn a_silence_is_sent_exactly_as_it_is_shown() {
    let server = Server::start(with(|_| said(r#"{"silenceID":"new"}"#))).await;
    let id = Alertmanager::new(&to(&[&nobody(), &server.url]))
        .silence(None, &draft(), LIMIT)
        .await;
    assert_eq!(id.unwrap().as_str(), "new");
    assert_eq!(
        posts(&server),
        [json!({
            "matchers": [
                {"name": "alertname", "value": "X", "isRegex": false, "isEqual": true},
                {"name": "instance", "value": "a:1 \"quoted\"", "isRegex": false, "isEqual": true}
            ],
            "createdBy": "ann", "comment": "release 42",
            "startsAt": "2026-11-23T20:00:00Z", "endsAt": "2026-11-23T21:00:00Z"
        })]
    );
}

#[tokio::test]
async fn a_draft_that_lacks_something_is_never_sent() {
    let server = Server::start(with(|_| said(r#"{"silenceID":"new"}"#))).await;
    let wrong = Draft {
        comment: "".into(),
        ..draft()
    };
    let fault = Alertmanager::new(&at(&server))
        .silence(None, &wrong, LIMIT)
        .await
        .unwrap_err();
    assert_eq!(
        (fault.kind, fault.what.as_str()),
        (FaultKind::Config, "a silence needs a comment")
    );
    assert!(server.asked().is_empty());
}

#[tokio::test]
async fn a_refused_silence_is_told_in_alertmanagers_words_and_sent_once() {
    for (status, body, words) in [
        (
            400,
            r#""silence invalid: end time can't be in the past""#,
            "end time can't be in the past",
        ),
        (
            422,
            r#"{"code":602,"message":"comment in body is required"}"#,
            "comment in body is required",
        ),
    ] {
        let server = Server::start(with(move |_| Answer::Full(status, "", body.into()))).await;
        let fault = Alertmanager::new(&at(&server))
            .silence(None, &draft(), LIMIT)
            .await
            .unwrap_err();
        assert!(fault.what.ends_with(words), "{}", fault.what);
        assert_eq!(posts(&server).len(), 1);
    }
}

#[tokio::test]
async fn a_silence_whose_reply_is_lost_is_read_back_and_not_sent_again() {
    let server = Server::start(|asked| match (asked.method.as_str(), asked.path.as_str()) {
        ("POST", _) => Answer::Raw(Vec::new()),
        (_, "/api/v2/silences") => said(json!([silence("other", "active"), {
            "id": "made", "status": {"state": "active"}, "comment": "release 42", "createdBy": "ann",
            "startsAt": "2026-11-23T20:00:00.000Z", "endsAt": "2026-11-23T21:00:00.000Z",
            "matchers": [
                {"name": "instance", "value": "a:1 \"quoted\"", "isRegex": false, "isEqual": true},
                {"name": "alertname", "value": "X", "isRegex": false, "isEqual": true}
            ]
        }])),
        _ => said("{}"),
    })
    .await;
    let id = Alertmanager::new(&at(&server))
        .silence(None, &draft(), LIMIT)
        .await
        .unwrap();
    assert_eq!(id.as_str(), "made");
    assert_eq!(posts(&server).len(), 1);
    let lost = Server::start(with(|_| Answer::Raw(Vec::new()))).await;
    let fault = Alertmanager::new(&at(&lost))
        .silence(None, &draft(), LIMIT)
        .await
        .unwrap_err();
    assert_eq!(fault.kind, FaultKind::Unreachable, "{}", fault.what);
    assert_eq!(posts(&lost).len(), 1);
}

#[tokio::test]
async fn a_silence_that_can_be_neither_set_nor_read_back_is_not_known() {
    let server = Server::start(|asked| match (asked.method.as_str(), asked.path.as_str()) {
        ("GET", "/api/v2/status") => said("{}"),
        _ => Answer::Full(502, "", "bad gateway".into()),
    })
    .await;
    let fault = Alertmanager::new(&at(&server))
        .silence(None, &draft(), LIMIT)
        .await
        .unwrap_err();
    assert!(
        fault
            .what
            .starts_with("it is not known whether that was done"),
        "{}",
        fault.what
    );
}

#[tokio::test]
async fn an_extended_silence_keeps_its_matchers_start_and_id() {
    let server = Server::start(with(|asked| match asked.method.as_str() {
        "GET" => said(silence("s1", "active")),
        _ => said(r#"{"silenceID":"s1"}"#),
    }))
    .await;
    let ends: Timestamp = "2026-11-23T22:00:00Z".parse().unwrap();
    let id = Alertmanager::new(&at(&server))
        .extend(None, "s1", ends, ["bob", "longer"], LIMIT)
        .await;
    assert_eq!(id.unwrap().as_str(), "s1");
    let mut expected = silence("s1", "active");
    expected["endsAt"] = "2026-11-23T22:00:00Z".into();
    expected["createdBy"] = "bob".into();
    expected["comment"] = "longer".into();
    for key in ["status", "updatedAt"] {
        expected.as_object_mut().unwrap().remove(key);
    }
    assert_eq!(posts(&server), [expected]);
}

#[tokio::test]
async fn a_silence_that_is_over_or_unknown_is_not_extended() {
    let server = Server::start(with(|asked| match asked.path.as_str() {
        "/api/v2/silence/over" => said(silence("over", "expired")),
        _ => Answer::Full(404, "", String::new()),
    }))
    .await;
    let alertmanager = Alertmanager::new(&at(&server));
    let ends = Timestamp::UNIX_EPOCH + SignedDuration::from_hours(1);
    for (id, words) in [
        ("over", "has expired: set a new one"),
        ("none", "there is no silence none"),
        ("../alerts", "is no id of a silence"),
    ] {
        let fault = alertmanager
            .extend(None, id, ends, ["a", "b"], LIMIT)
            .await
            .unwrap_err();
        assert!(fault.what.contains(words), "{}", fault.what);
    }
    assert!(posts(&server).is_empty());
}

#[tokio::test]
async fn expiring_is_done_when_the_silence_is_over_whatever_the_reply_was() {
    let server = Server::start(with(|asked| match asked.path.as_str() {
        "/api/v2/silence/s1" => Answer::Full(200, "", String::new()),
        // As Alertmanager 0.25 says of one that is over.
        "/api/v2/silence/over" => Answer::Full(500, "", r#""silence already expired""#.into()),
        _ => Answer::Full(404, "", String::new()),
    }))
    .await;
    let alertmanager = Alertmanager::new(&at(&server));
    alertmanager.expire(None, "s1", LIMIT).await.unwrap();
    alertmanager.expire(None, "over", LIMIT).await.unwrap();
    let fault = alertmanager.expire(None, "none", LIMIT).await.unwrap_err();
    assert_eq!(
        (fault.kind, fault.what.as_str()),
        (FaultKind::Missing, "there is no silence none")
    );
    assert!(
        server
            .asked()
            .iter()
            .any(|a| a.method == "DELETE" && a.path == "/api/v2/silence/s1")
    );
}

#[tokio::test]
async fn a_silence_goes_through_the_api_server_with_its_prefix_and_is_refused_in_its_words() {
    let server = Server::start(|asked| match asked.method.as_str() {
        "POST" => refused(403, "User \"v\" cannot create resource \"services/proxy\""),
        _ => said("{}"),
    })
    .await;
    let cluster = connect(&server.url).await;
    let alertmanager = Alertmanager::new(&behind("alertmanager", "9093", "/alerts"));
    let fault = alertmanager
        .silence(Some(&cluster), &draft(), LIMIT)
        .await
        .unwrap_err();
    assert_eq!(fault.kind, FaultKind::Forbidden);
    let asked = server.asked();
    let posted = asked.iter().find(|a| a.method == "POST").unwrap();
    assert_eq!(
        posted.path,
        "/api/v1/namespaces/monitoring/services/alertmanager:9093/proxy/alerts/api/v2/silences"
    );
    assert_eq!(posted.header("content-type"), Some("application/json"));
    assert_eq!(posts(&server).len(), 1);
}
