//! What monitoring answers and does not mean: errors of expressions, what is no number, partial
//! answers, another path, nothing at all.

use serde_json::json;

use super::server::{Answer, json as said};
use super::world::{World, all_rules, at, rule, rules, success, told};

const RULES: &str = "/prom/api/v1/rules";
const QUERY: &str = "/prom/api/v1/query";

#[tokio::test]
async fn m03_an_expression_that_fails_or_gives_no_number_is_named_by_its_rule() {
    let told = told(at(RULES, || {
        rules(&[
            rule(
                "HighErrorRate",
                "err",
                "parse error: unexpected \u{1b}[31m)",
                "1",
            ),
            rule("Ratio", "ok", "", "NaN"),
            rule("Growth", "ok", "", "+Inf"),
        ])
    }))
    .await;
    told.check("production", "rules", "HighErrorRate")
        .says("BAD", &["parse error: unexpected )", "never fires"]);
    told.check("production", "rules", "Ratio").says(
        "UNKNOWN",
        &["gives NaN, which is no number", "division by zero"],
    );
    told.check("production", "rules", "Growth")
        .says("UNKNOWN", &["gives +Inf"]);
    told.check("production", "watchdog", "")
        .says("OK", &["Watchdog fires"]);
}

#[tokio::test]
async fn m03_a_rule_of_another_environment_that_fails_is_told_and_is_no_trouble() {
    let broken = |asked: &super::server::Asked| {
        let mut theirs = rule("Theirs", "err", "many-to-many", "1");
        theirs["labels"] = json!({"namespace": "billing"});
        (asked.path == RULES).then(|| rules(&[theirs]))
    };
    let world = World::new(broken).await;
    let ours = "[environment.prometheus]\nmatch = { namespace = \"shop\" }\n";
    let before = "[environment.traffic]";
    let told = world.doctor_with(|text| text.replace(before, &format!("{ours}{before}")));
    told.await.check("production", "rules", "").says(
        "OK",
        &["1 cannot be evaluated and belong elsewhere: Theirs"],
    );
}

#[tokio::test]
async fn m04_a_refused_expression_and_a_value_that_is_none_are_told() {
    let error =
        json!({"status": "error", "errorType": "bad_data", "error": "1:7: parse error: no"})
            .to_string();
    let refused =
        told(move |asked| (asked.path == QUERY).then(|| Answer::Full(400, "", error.clone())))
            .await;
    refused
        .check("production", "query", "")
        .says("BAD", &["bad_data: 1:7: parse error"]);
    let nan = told(at(QUERY, || {
        success(json!({"resultType": "scalar", "result": [1.0, "NaN"]}))
    }))
    .await;
    nan.check("production", "query", "")
        .says("UNKNOWN", &["NaN, which is no number"]);
}

#[tokio::test]
async fn m02_warnings_and_a_missing_replica_are_unknown() {
    let warned = told(at(RULES, || {
        let mut all = all_rules(&[]);
        all["warnings"] = json!(["store eu-2 did not answer"]);
        said(all)
    }))
    .await;
    warned
        .check("production", "rules", "")
        .says("UNKNOWN", &["store eu-2 did not answer", "partial"]);

    let world = World::new(|_| None).await;
    let url = format!("{}/prom", world.server.url);
    let told = world.doctor_with(|text| {
        let one = format!("url = \"{url}\"\n");
        text.replace(
            &one,
            &format!("urls = [\"{url}\", \"http://127.0.0.1:9\"]\n"),
        )
    });
    let told = told.await;
    told.check("production", "rules", "")
        .says("UNKNOWN", &["of 2 replicas 127.0.0.1:9 is missing"]);
    told.check("production", "prometheus", "127.0.0.1:9")
        .says("UNKNOWN", &["refuses connections"]);
    told.check("production", "watchdog", "")
        .says("OK", &["fires"]);
}

#[tokio::test]
async fn an_alertmanager_under_a_path_prefix_is_asked_for_it() {
    let world = World::new(|_| None).await;
    let told = world.doctor_with(|text| text.replace("/am\"", "\"")).await;
    let host = world.server.url.trim_start_matches("http://").to_owned();
    told.check("production", "alertmanager", &host)
        .says("BAD", &["path prefix", "[alertmanager]"]);
    told.check("production", "rules", "")
        .says("OK", &["1 alerting rules"]);
}

#[tokio::test]
async fn m01_a_watchdog_of_any_namespace_counts_and_one_of_another_cluster_does_not() {
    for (label, verdict) in [("namespace", "OK"), ("cluster", "UNKNOWN")] {
        let elsewhere = move |asked: &super::server::Asked| {
            let mut all = all_rules(&[]);
            let alerts = &mut all["data"]["groups"][0]["rules"][0]["alerts"];
            alerts[0]["labels"][label] = json!("elsewhere");
            (asked.path == RULES).then(|| said(all))
        };
        let world = World::new(elsewhere).await;
        let ours = "[environment.prometheus]\nmatch = { namespace = \"shop\", cluster = \"eu\" }\n";
        let before = "[environment.traffic]";
        let told = world.doctor_with(|text| text.replace(before, &format!("{ours}{before}")));
        told.await
            .check("production", "watchdog", "")
            .says(verdict, &[]);
    }
}

#[tokio::test]
async fn m01_a_watchdog_that_does_not_fire_and_rules_that_are_none_are_unknown() {
    let told = told(at(RULES, || success(json!({"groups": []})))).await;
    told.check("production", "watchdog", "")
        .says("UNKNOWN", &["Watchdog does not fire", "add its rule"]);
    told.check("production", "rules", "")
        .says("UNKNOWN", &["no alerting rule"]);
}

#[tokio::test]
async fn m01_a_watchdog_and_a_rule_that_stand_still_are_unknown() {
    let stands_still = async |place: usize| {
        told(move |asked| {
            let mut all = all_rules(&[rule("Late", "ok", "", "1")]);
            all["data"]["groups"][0]["rules"][place]["lastEvaluation"] =
                json!("2026-11-23T19:59:00Z");
            (asked.path == RULES).then(|| said(all))
        })
        .await
    };
    stands_still(0)
        .await
        .check("production", "watchdog", "")
        .says("UNKNOWN", &["was last evaluated 60 s ago", "is stuck"]);
    let told = stands_still(1).await;
    told.check("production", "rules", "Late")
        .says("UNKNOWN", &["was not evaluated for 50 s", "its interval"]);
    told.check("production", "watchdog", "").says("OK", &[]);
}

#[tokio::test]
async fn a_label_that_nothing_carries_is_unknown() {
    let told = told(|asked| {
        let is_count = asked.path == QUERY && asked.query.contains("count");
        is_count.then(|| success(json!({"resultType": "vector", "result": []})))
    })
    .await;
    told.check("production", "label", "colour")
        .says("UNKNOWN", &["cannot be told apart", "colour_label"]);
}

#[tokio::test]
async fn monitoring_that_is_away_is_unknown_and_the_rest_is_told() {
    let world = World::new(|_| None).await;
    let told = world
        .doctor_with(|text| {
            text.replace("/prom\"", ":9/prom\"")
                .replace(&world.server.url, "http://127.0.0.1")
        })
        .await;
    assert_eq!(
        told.code, 1,
        "GitHub's address is wrong too: {:#}",
        told.all
    );
    told.check("production", "server", "")
        .says("OK", &["v1.37.2"]);
    let silent = super::world::told(at("/am/api/v2/status", || Answer::Silence)).await;
    let away = silent
        .checks()
        .find(|check| check["name"] == "alertmanager")
        .unwrap();
    assert_eq!(away["verdict"], "UNKNOWN", "{away:#}");
    silent
        .check("production", "watchdog", "")
        .says("OK", &["fires"]);
}

/// Alertmanager behind TLS whose certificate ends in two weeks: its own questions do not tell, whoever trusts it or not.
#[tokio::test]
async fn n04_the_end_of_the_certificate_of_a_url_is_told() {
    let key = rcgen::KeyPair::generate().unwrap();
    let mut params = rcgen::CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
    params.not_after = rcgen::date_time_ymd(2020, 1, 2);
    let certificate = params.self_signed(&key).unwrap();
    let key = rustls::pki_types::PrivatePkcs8KeyDer::from(key.serialize_der());
    let provider = std::sync::Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate.der().clone()], key.into())
        .unwrap();
    let config = std::sync::Arc::new(config);
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!(
        "https://localhost:{}",
        listener.local_addr().unwrap().port()
    );
    std::thread::spawn(move || {
        for mut tcp in listener.incoming().flatten() {
            let mut session = rustls::ServerConnection::new(config.clone()).unwrap();
            let _ = session.complete_io(&mut tcp);
        }
    });
    let world = World::new(|_: &super::server::Asked| None).await;
    let ours = format!("[environment.alertmanager]\nurl = \"{url}\"\n");
    let before = "[environment.traffic]";
    let told = world.doctor_with(|text| text.replace(before, &format!("{ours}{before}")));
    told.await
        .check("production", "certificate", "")
        .says("BAD", &["the certificate of localhost ended", "2020-01-02"]);
}
