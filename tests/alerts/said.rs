//! What the two servers say, and how they are reached.

use std::time::Duration;

use serde_json::{Value, json};
use wheelhouse::clients::http::{Reach, Target};

use super::server::{Answer, Server, json as said};

pub const LIMIT: Duration = Duration::from_secs(10);

/// A port of loopback that refuses.
pub fn nobody() -> String {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    format!("http://{}", listener.local_addr().unwrap())
}

pub fn to(urls: &[&str]) -> Target {
    Target {
        replicas: urls.iter().map(|url| Reach::Url((*url).into())).collect(),
        ..Target::default()
    }
}

pub fn at(server: &Server) -> Target {
    to(&[&server.url])
}

/// Through an API server.
pub fn behind(name: &str, port: &str, prefix: &str) -> Target {
    let service = Reach::Service {
        namespace: "monitoring".into(),
        name: name.into(),
        port: port.into(),
        prefix: prefix.into(),
    };
    Target {
        replicas: vec![service],
        ..Target::default()
    }
}

/// Two replicas through an API server.
pub fn behind_both(names: [&str; 2], port: &str) -> Target {
    let replicas = names.map(|name| behind(name, port, "").replicas);
    Target {
        replicas: replicas.concat(),
        ..Target::default()
    }
}

/// A rule of one group, as Prometheus 2.42 sends it.
pub fn rule(name: &str, alerts: &[Value]) -> Value {
    json!({
        "name": name, "query": "rate(x[5m]) > 0.1", "duration": 300, "keepFiringFor": 0,
        "labels": {"severity": "critical"}, "annotations": {"summary": "s"}, "alerts": alerts,
        "health": "ok", "evaluationTime": 0.001, "lastEvaluation": "2026-11-23T19:59:50.123456789Z",
        "state": "firing", "type": "alerting"
    })
}

pub fn alert(name: &str, state: &str, more: &Value) -> Value {
    let mut labels = json!({"alertname": name, "severity": "critical"});
    for (key, value) in more.as_object().into_iter().flatten() {
        labels[key] = value.clone();
    }
    json!({
        "labels": labels, "annotations": {"summary": "s"}, "state": state,
        "activeAt": "2026-11-23T19:50:00Z", "value": "1e+00"
    })
}

pub fn success(data: &Value) -> Answer {
    said(json!({"status": "success", "data": data}))
}

pub fn rules(rules: &[Value]) -> Answer {
    success(&json!({"groups": [{"name": "g", "file": "f", "interval": 15, "rules": rules}]}))
}

/// An alert as Alertmanager 0.25 sends it.
pub fn handled(name: &str, silenced: &[&str], inhibited: &[&str]) -> Value {
    json!({
        "annotations": {}, "endsAt": "2026-11-23T20:03:00.000Z", "fingerprint": format!("of-{name}"),
        "receivers": [{"name": "x"}], "startsAt": "2026-11-23T19:50:00.000Z",
        "status": {"inhibitedBy": inhibited, "silencedBy": silenced, "state": "active"},
        "labels": {"alertname": name, "severity": "critical", "cluster": "eu"}
    })
}

pub fn silence(id: &str, state: &str) -> Value {
    json!({
        "id": id, "status": {"state": state}, "comment": "release", "createdBy": "ann",
        "startsAt": "2026-11-23T19:00:00.000Z", "endsAt": "2026-11-23T21:00:00.000Z",
        "updatedAt": "2026-11-23T19:00:00.000Z",
        "matchers": [{"name": "alertname", "value": "X", "isRegex": false, "isEqual": true}]
    })
}
