//! The catalogue of actions, for the menu and for whoever writes a scenario.

use super::tree;
use serde_json::{Value, json};

/// Name, what it does, and an example whose keys are those allowed.
type Row = (&'static str, &'static str, &'static str);

/// What happens in the cluster, and to its API.
const CLUSTER: [Row; 18] = [
    (
        "set-image",
        "Rolls a Deployment to another image; a new one where none is named",
        r#"{"namespace": "production", "deployment": "digital-wall-green-backend", "image": "", "manager": "helm"}"#,
    ),
    (
        "scale",
        "Sets the replicas of a Deployment",
        r#"{"namespace": "production", "deployment": "digital-wall-green-frontend", "replicas": 5}"#,
    ),
    (
        "flip",
        "Puts the live Services to a colour, the other one where none is named, as a given manager",
        r#"{"namespace": "production", "to": "", "manager": "argocd-controller"}"#,
    ),
    (
        "delete-pod",
        "Deletes pods of a Deployment",
        r#"{"namespace": "production", "deployment": "digital-wall-blue-frontend", "count": 1}"#,
    ),
    (
        "load",
        "Sets the traffic to a percentage of the usual",
        r#"{"percent": 250}"#,
    ),
    (
        "crash",
        "Ends containers soon after they start: reason error or oom",
        r#"{"namespace": "production", "deployment": "digital-wall-green-backend", "image": "", "count": 1, "reason": "error", "after": "4s", "times": 3, "for": "5m"}"#,
    ),
    (
        "image-pull-failure",
        "Makes pulls of the image fail",
        r#"{"namespace": "production", "deployment": "digital-wall-green-frontend", "image": "", "count": 1, "for": "5m"}"#,
    ),
    (
        "readiness-failure",
        "Answers readiness probes with 503",
        r#"{"namespace": "production", "deployment": "digital-wall-green-backend", "image": "", "count": 1, "for": "5m"}"#,
    ),
    (
        "unschedulable",
        "Leaves new pods pending for want of CPU",
        r#"{"namespace": "production", "deployment": "digital-wall-green-frontend", "image": "", "count": 1, "for": "5m"}"#,
    ),
    (
        "heal",
        "Ends what ails the pods of a Deployment, or of all; and the faults of the API",
        r#"{"namespace": "", "deployment": ""}"#,
    ),
    (
        "away",
        "Refuses every connection to the API",
        r#"{"for": "30s"}"#,
    ),
    (
        "status",
        "Answers with a status, after applying the request or without",
        r#"{"code": 503, "verbs": ["patch"], "resource": "services", "times": 1, "retry-after": 2, "applied": false, "for": "30s"}"#,
    ),
    (
        "slow",
        "Answers late",
        r#"{"ms": 3000, "verbs": [], "resource": "", "times": 100, "for": "30s"}"#,
    ),
    (
        "html",
        "Answers 200 with an HTML page",
        r#"{"verbs": ["list"], "resource": "", "times": 100, "for": "30s"}"#,
    ),
    (
        "truncate",
        "Cuts the answer's body in half",
        r#"{"verbs": ["list"], "resource": "", "times": 100, "for": "30s"}"#,
    ),
    (
        "cut",
        "Ends the connection without an answer, after applying the request or without",
        r#"{"verbs": ["patch"], "resource": "services", "times": 1, "applied": true, "for": "30s"}"#,
    ),
    (
        "expire-watches",
        "Forgets history: watches and pages are answered 410",
        "{}",
    ),
    ("drop-watches", "Leaves the open watches silent", "{}"),
];

/// What the other APIs suffer, and what happens there.
const OUTSIDE: [Row; 14] = [
    ("close-watches", "Ends the open watches", "{}"),
    (
        "push",
        "Pushes a commit: the pipeline runs, and on develop it deploys to staging",
        r#"{"branch": "develop", "title": "", "changes": ["frontend", "backend"], "fails": ""}"#,
    ),
    (
        "metric",
        "Raises what Prometheus measures: errors (percent), strain (percent that fails of what users ask for), latency (ms), database (connections), redis, disk (percent)",
        r#"{"name": "errors", "namespace": "production", "colour": "green", "part": "", "value": 40, "for": "3m"}"#,
    ),
    (
        "github-status",
        "GitHub answers with a status",
        r#"{"code": 502, "verbs": [], "resource": "", "times": 100, "retry-after": 2, "applied": false, "for": "30s"}"#,
    ),
    (
        "github-slow",
        "GitHub answers late",
        r#"{"ms": 4000, "verbs": [], "resource": "", "times": 100, "for": "30s"}"#,
    ),
    (
        "github-html",
        "GitHub answers 200 with an HTML page",
        r#"{"resource": "", "times": 100, "for": "30s"}"#,
    ),
    (
        "github-cut",
        "GitHub ends the connection without an answer",
        r#"{"resource": "", "times": 100, "for": "30s"}"#,
    ),
    (
        "github-primary-limit",
        "GitHub's limit of the hour is used up",
        r#"{"times": 100, "for": "60s"}"#,
    ),
    (
        "github-secondary-limit",
        "GitHub's secondary limit: 403, with or without (0) the seconds to wait",
        r#"{"retry-after": 60, "times": 100, "for": "60s"}"#,
    ),
    (
        "prometheus-away",
        "Prometheus does not answer",
        r#"{"times": 1000, "for": "60s"}"#,
    ),
    (
        "prometheus-status",
        "Prometheus answers with a status",
        r#"{"code": 503, "resource": "", "times": 100, "for": "30s"}"#,
    ),
    (
        "prometheus-slow",
        "Prometheus answers late",
        r#"{"ms": 5000, "resource": "", "times": 100, "for": "30s"}"#,
    ),
    (
        "prometheus-stall",
        "Prometheus answers, and neither scrapes nor evaluates its rules",
        r#"{"for": "2m"}"#,
    ),
    (
        "alertmanager-away",
        "Alertmanager does not answer",
        r#"{"times": 1000, "for": "60s"}"#,
    ),
];

pub(super) fn catalogue() -> impl Iterator<Item = Row> {
    CLUSTER.into_iter().chain(OUTSIDE)
}

/// The menu: each action with its description and an example to send.
pub(super) fn menu() -> Value {
    let items = catalogue().map(|(name, description, example)| {
        let mut example: Value = serde_json::from_str(example).unwrap_or_else(|_| json!({}));
        tree::set(&mut example, "/do", name);
        json!({"name": name, "description": description, "example": example})
    });
    Value::Array(items.collect())
}
