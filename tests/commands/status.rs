//! `wheelhouse status`: words, JSON and the exit codes of verdicts.

use std::process::Output;

use serde_json::Value;

use crate::{
    complained,
    estate::{Served, request},
    observe, said,
};

/// Looks at the status until `is_so`; what it said then.
fn wait_status(
    estate: &Served,
    args: &[&str],
    what: &str,
    is_so: impl Fn(&Output) -> bool,
) -> Output {
    let until = std::time::Instant::now() + std::time::Duration::from_secs(60);
    loop {
        let out = observe(estate, args);
        if is_so(&out) {
            return out;
        }
        assert!(
            std::time::Instant::now() < until,
            "waited for {what}: {}",
            said(&out)
        );
    }
}

#[test]
fn status_says_in_words_who_is_live_and_ends_with_0() {
    let estate = Served::start(&[]);
    let out = observe(&estate, &[]);
    let text = said(&out);
    assert_eq!(out.status.code(), Some(0), "{text}{}", complained(&out));
    for part in [
        "development: OK, in place",
        "staging: OK, in place",
        "production: OK, BLUE live",
        "digital-wall-service: BLUE live, selector part=frontend,version=blue, endpoints BLUE 3 GREEN 0",
        "BLUE LIVE: ready 5/5",
        "GREEN idle: ready 5/5",
    ] {
        assert!(text.contains(part), "{part} in {text}");
    }
    assert!(text.is_ascii(), "words only: {text}");
    let one = observe(&estate, &["production"]);
    assert!(!said(&one).contains("staging:"), "{}", said(&one));
    let none = observe(&estate, &["prod"]);
    assert_eq!(none.status.code(), Some(2));
    assert!(
        complained(&none).contains("development, staging, production"),
        "{}",
        complained(&none)
    );
}

/// Whether a value is of some kind.
type Is = fn(&Value) -> bool;

/// Whether `value` has the field at `path`, of that kind.
fn assert_field(value: &Value, path: &str, is: Is) {
    let field = value.pointer(path);
    assert!(field.is_some_and(is), "{path} is {field:?} in {value:#}");
}

/// Whether an environment has every field of the schema that is no plain word, of its kind.
fn assert_fields(production: &Value) {
    let fields: [(&str, Is); 18] = [
        ("/why", Value::is_null),
        ("/cluster/version", Value::is_string),
        ("/cluster/clock_skew_ms", Value::is_i64),
        ("/cluster/fault", Value::is_null),
        ("/feeds/0/kind", Value::is_string),
        ("/feeds/0/currency", Value::is_string),
        ("/feeds/0/age_ms", Value::is_u64),
        ("/feeds/0/fault", Value::is_null),
        ("/services/0/name", Value::is_string),
        ("/services/0/uid", Value::is_string),
        ("/services/0/selector/version", Value::is_string),
        ("/services/0/endpoints/0/ready", Value::is_u64),
        ("/services/0/endpoints_of_no_colour", Value::is_u64),
        ("/services/0/changed/by", Value::is_string),
        ("/colours/0/images/0/digest", Value::is_string),
        ("/colours/0/restarts", Value::is_u64),
        ("/pods/not_ready", Value::is_array),
        ("/checks", Value::is_array),
    ];
    for (path, is) in fields {
        assert_field(production, path, is);
    }
}

#[test]
fn status_json_has_the_fields_of_its_schema() {
    let estate = Served::start(&[]);
    let out = observe(&estate, &["--json"]);
    assert_eq!(out.status.code(), Some(0), "{}", complained(&out));
    let all: Value = serde_json::from_str(&said(&out)).unwrap();
    assert_eq!(all["schema"], "wheelhouse.status/v1");
    assert!(
        all["at"]
            .as_str()
            .unwrap()
            .parse::<jiff::Timestamp>()
            .is_ok()
    );
    assert_eq!(
        (&all["title"], &all["verdict"]),
        (&"digital-wall".into(), &"OK".into())
    );
    let names: Vec<_> = all["environments"]
        .as_array()
        .unwrap()
        .iter()
        .map(|e| &e["name"])
        .collect();
    assert_eq!(names, ["development", "staging", "production"]);
    let production = &all["environments"][2];
    for (field, value) in [
        ("tier", "production"),
        ("context", "prod-eu"),
        ("namespace", "production"),
        ("live", "blue"),
        ("verdict", "OK"),
    ] {
        assert_eq!(production[field], value, "{field}");
    }
    assert_fields(production);
    assert_eq!(production["pods"]["total"], 10);
    let blue = &production["colours"][0];
    assert_eq!(
        (&blue["colour"], &blue["is_live"]),
        (&"blue".into(), &true.into())
    );
    assert_eq!((&blue["ready"], &blue["desired"]), (&5.into(), &5.into()));
    assert_eq!(production["colours"][1]["is_live"], false);
}

#[test]
fn status_tells_the_runs_and_what_changed_last() {
    let estate = Served::start(&[]);
    let text = said(&observe(&estate, &["production"]));
    for part in [
        "last changes (8 of ",
        "ok: run #1483 main passed (by bob)",
        "runs of digital-wall-ci-cd.yml in acme/digital-wall: OK, ",
        " of 5000 requests left",
        "#1484 4a6e1d5 main waits for approval",
        "#1480 9d4be06 main failed",
        "integration-tests failed: End-to-end tests",
    ] {
        assert!(text.contains(part), "{part} in {text}");
    }
    let json = said(&observe(&estate, &["production", "--json"]));
    let all: Value = serde_json::from_str(&json).unwrap();
    for (path, is) in [
        ("/repository/name", Value::is_string as Is),
        ("/repository/fault", Value::is_null),
        ("/repository/budget/remaining", Value::is_u64),
        ("/environments/0/timeline/left_out", Value::is_u64),
        ("/environments/0/timeline/entries/0/at", Value::is_string),
        ("/environments/0/timeline/entries/0/topic", Value::is_string),
        ("/environments/0/rollouts", Value::is_array),
    ] {
        assert_field(&all, path, is);
    }
    let runs = all["repository"]["runs"].as_array().unwrap();
    let run = |number: u64| runs.iter().find(|run| run["number"] == number).unwrap();
    assert_eq!(run(1_484)["is_waiting_for_approval"], true);
    assert_eq!(run(1_480)["failed_step"], "End-to-end tests");
    assert_eq!(run(1_476)["missing_deploy"], "deploy-production");
}

#[test]
fn a_github_and_a_prometheus_that_fail_are_unknown_with_the_reason() {
    let estate = Served::start(&[]);
    estate.act(r#"{"do": "github-status", "code": 502, "times": 1000, "for": "5m"}"#);
    let out = wait_status(&estate, &["production"], "exit code 3", |out| {
        out.status.code() == Some(3)
    });
    let text = said(&out);
    assert!(text.contains("UNKNOWN runs acme/digital-wall: "), "{text}");
    assert!(text.contains("production: OK, BLUE live"), "{text}");
    estate.act(r#"{"do": "prometheus-away", "times": 1000, "for": "5m"}"#);
    let out = wait_status(&estate, &["production"], "monitoring unknown", |out| {
        said(out).contains("UNKNOWN monitoring production: ")
    });
    assert_eq!(out.status.code(), Some(3));
    let json = said(&observe(&estate, &["production", "--json"]));
    let all: Value = serde_json::from_str(&json).unwrap();
    assert_eq!(all["verdict"], "UNKNOWN");
    assert_field(&all, "/repository/fault/what", Value::is_string);
}

#[test]
fn a_rollout_that_is_stuck_is_told_beside_the_ready_pods_of_the_old_revision() {
    let estate = Served::start(&["--scenario", "bad-release"]);
    wait_status(&estate, &["production"], "a stuck rollout", |out| {
        said(out).contains("GREEN idle: ready 5/5, rollout of backend bad5eed not ready 0/2")
    });
}

#[test]
fn pods_of_the_live_colour_that_crash_are_bad_and_told() {
    let estate = Served::start(&[]);
    estate.act(r#"{"do": "crash", "namespace": "production", "deployment": "digital-wall-blue-backend", "count": 2, "reason": "error", "after": "1s", "times": 50, "for": "10m"}"#);
    estate.act(r#"{"do": "delete-pod", "namespace": "production", "deployment": "digital-wall-blue-backend", "count": 2}"#);
    let out = wait_status(&estate, &["production"], "exit code 1", |out| {
        out.status.code() == Some(1)
    });
    let text = said(&out);
    assert!(
        text.contains("production: BAD") && text.contains("pod digital-wall-blue-backend-"),
        "{text}"
    );
    let json = ["production", "--json"];
    let out = wait_status(&estate, &json, "exit code 1", |out| {
        out.status.code() == Some(1)
    });
    let all: Value = serde_json::from_str(&said(&out)).unwrap();
    assert_eq!(all["verdict"], "BAD");
    assert_field(&all["environments"][0], "/why", Value::is_string);
    assert_field(
        &all["environments"][0],
        "/pods/not_ready/0/reason",
        Value::is_string,
    );
}

#[test]
fn a_service_that_selects_neither_colour_is_bad() {
    let estate = Served::start(&[]);
    estate.act(
        r#"{"do": "flip", "namespace": "production", "to": "purple", "manager": "kubectl-edit"}"#,
    );
    let out = wait_status(&estate, &["production"], "a broken selector", |out| {
        out.status.code() == Some(1)
    });
    let text = said(&out);
    assert!(
        text.contains("names neither colour: purple") && text.contains("kubectl-edit"),
        "{text}"
    );
    // What takes traffic is not known of either: no word calls a colour idle.
    for part in [
        "BLUE unknown whether live: ready",
        "GREEN unknown whether live: ready",
    ] {
        assert!(text.contains(part), "{part} in {text}");
    }
    let json = said(&observe(&estate, &["production", "--json"]));
    let all: Value = serde_json::from_str(&json).unwrap();
    for path in ["/colours/0/is_live", "/colours/1/is_live"] {
        assert_field(&all["environments"][0], path, Value::is_null);
    }
}

#[test]
fn an_estate_that_is_away_is_unknown_and_says_why() {
    let mut estate = Served::start(&[]);
    estate.end();
    let out = observe(&estate, &["production", "--timeout", "5"]);
    let text = said(&out);
    assert_eq!(out.status.code(), Some(3), "{text}");
    assert!(
        text.contains("production: UNKNOWN") && text.contains("refuses connections"),
        "{text}"
    );
    let json = observe(&estate, &["--json", "--timeout", "5"]);
    assert_eq!(json.status.code(), Some(3));
    let all: Value = serde_json::from_str(&said(&json)).unwrap();
    assert_eq!(all["verdict"], "UNKNOWN");
    assert_eq!(all["environments"][2]["live"], Value::Null);
    for path in ["/colours/0/desired", "/rollouts", "/operations", "/alerts"] {
        assert_field(&all["environments"][2], path, Value::is_null);
    }
}

#[test]
fn what_may_not_be_seen_is_null_and_a_question_mark_and_never_zero() {
    let estate = Served::start(&[]);
    let unseen = r#"{"do": "status", "code": 403, "resource": "pods", "times": 1000, "for": "5m"}"#;
    estate.act(unseen);
    let out = observe(&estate, &["production"]);
    let text = said(&out);
    assert_eq!(out.status.code(), Some(3), "{text}");
    for part in ["endpoints BLUE ? GREEN ?", "BLUE: not seen"] {
        assert!(text.contains(part), "{part} in {text}");
    }
    let json = said(&observe(&estate, &["production", "--json"]));
    let all: Value = serde_json::from_str(&json).unwrap();
    let production = &all["environments"][0];
    for path in [
        "/pods/total",
        "/pods/not_ready",
        "/colours/0/ready",
        "/colours/0/restarts",
        "/colours/0/images",
        "/services/0/endpoints/0/ready",
        "/services/0/endpoints/0/serving",
        "/services/0/endpoints_of_no_colour",
    ] {
        assert_field(production, path, Value::is_null);
    }
    assert_field(production, "/colours/0/desired", Value::is_u64);
    assert_field(production, "/rollouts", Value::is_array);
    assert_eq!(production["live"], "blue", "the Services tell that");
}

#[test]
fn an_alert_that_is_quiet_is_said_to_fire_and_who_silenced_it_until_when_and_why() {
    let estate = Served::start(&[]);
    for (name, value) in [("errors", 50), ("latency", 4_000)] {
        estate.act(&format!(
            r#"{{"do": "metric", "name": "{name}", "colour": "blue", "part": "frontend", "value": {value}}}"#
        ));
    }
    let ends = jiff::Timestamp::now() + jiff::SignedDuration::from_hours(1);
    let silence = format!(
        r#"{{"matchers": [{{"name": "alertname", "value": "HighErrorRate", "isRegex": false}}], "createdBy": "bob",
            "comment": "known, ticket 12", "startsAt": "{}", "endsAt": "{ends}"}}"#,
        jiff::Timestamp::now()
    );
    let path = "/alertmanager/api/v2/silences";
    let made = request(estate.addr, "POST", path, "application/json", &silence).unwrap();
    assert!(made.contains("silenceID"), "{made}");
    let until = ends.strftime("%H:%MZ");
    wait_status(&estate, &["production"], "the silence", |out| {
        said(out).lines().any(|line| {
            line.contains("alert HighErrorRate critical")
                && line.contains(": firing for ")
                && line.contains(", silenced by bob until ")
                && line.ends_with(&format!("{until}: known, ticket 12"))
        })
    });
    let out = wait_status(&estate, &["production"], "the inhibition", |out| {
        said(out).lines().any(|line| {
            line.contains("alert HighResponseTime warning")
                && line.contains(": firing for ")
                && line.contains(", inhibited by HighErrorRate ")
                && line.contains(" colour=blue ")
        })
    });
    assert!(!said(&out).contains("silenced for"), "{}", said(&out));
    let out = observe(&estate, &["production", "--json"]);
    let all: Value = serde_json::from_str(&said(&out)).unwrap();
    let alerts = all["environments"][0]["alerts"].as_array().unwrap();
    let of = |name: &str| alerts.iter().find(|alert| alert["name"] == name).unwrap();
    let silenced = of("HighErrorRate");
    assert_eq!(silenced["standing"], "silenced", "{silenced}");
    assert_eq!(silenced["silence"]["author"], "bob", "{silenced}");
    assert_eq!(
        silenced["silence"]["comment"], "known, ticket 12",
        "{silenced}"
    );
    assert_field(silenced, "/silence/until", Value::is_string);
    assert_eq!(silenced["disputed"], false, "{silenced}");
    let inhibited = of("HighResponseTime");
    assert!(inhibited["silence"].is_null(), "{inhibited}");
    assert_field(inhibited, "/inhibited_by/0", Value::is_string);
}

#[test]
fn x08_status_tells_the_operation_and_a_selector_that_is_not_what_was_meant_is_bad() {
    let estate = Served::start(&[]);
    let config = estate.config.to_str().unwrap();
    // GREEN has new images, which no traffic ever reached: whoever means it says so (I-30).
    let args = ["--config", config, "rollback", "production", "--yes"];
    let refused = crate::run(&estate.home, &args);
    assert_eq!(refused.status.code(), Some(2));
    let why = complained(&refused);
    assert!(why.contains("GREEN was never live as it is"), "{why}");
    let done = crate::run(&estate.home, &[&args[..], &["--to", "green"]].concat());
    assert_eq!(done.status.code(), Some(0), "{}", complained(&done));
    let text = said(&observe(&estate, &["production"]));
    assert!(text.contains("roll back production to GREEN, by"), "{text}");
    let read = |out: &Output| -> Value { serde_json::from_str(&said(out)).unwrap() };
    let all = read(&observe(&estate, &["production", "--json"]));
    let operation = &all["environments"][0]["operations"][0];
    assert_eq!(operation["kind"], "rollback", "{operation}");
    assert_eq!(operation["outcome"], "done", "{operation}");
    assert!(
        operation["alive"].is_null() && operation["id"].is_string(),
        "{operation}"
    );
    estate.act(r#"{"do":"flip","to":"blue","manager":"helm"}"#);
    let bad = wait_status(&estate, &["production"], "the alarm", |out| {
        said(out).contains("REVERTED by helm")
    });
    assert_eq!(bad.status.code(), Some(1));
    assert!(
        said(&bad).contains("BAD selector digital-wall-service: REVERTED by helm"),
        "{}",
        said(&bad)
    );
}

/// The timeline of production as one process of `status --json` told it, and when that looked.
fn timeline(out: &Output) -> (jiff::Timestamp, Vec<Value>) {
    let all: Value = serde_json::from_str(&said(out)).unwrap();
    let at = all["at"].as_str().unwrap().parse().unwrap();
    let entries = &all["environments"][0]["timeline"]["entries"];
    (at, entries.as_array().unwrap().clone())
}

/// What two processes must tell alike of what the first one saw. They may differ in what the time between them brought:
/// - what happened since the first one looked, or in the two seconds before, since objects' times are whole seconds;
/// - a state that has not ended, whose row becomes that of the next one: an alert that is pending, a run that is under way
///   or waits, and a pod's trouble, whose restarts are counted;
/// - what a run's jobs say (`without its deploy`), which are asked for behind its list: of a run its number and its time count.
fn lasting(entries: &[Value], looked: jiff::Timestamp) -> Vec<Value> {
    let until = looked - jiff::SignedDuration::from_secs(2);
    let text = |row: &Value, of: &str| row[of].as_str().unwrap_or_default().to_owned();
    let is_lasting = |row: &&Value| {
        let (what, at) = (text(row, "what"), text(row, "at"));
        let passes = [" pending", " started", " queued", " waits"];
        let is_state = passes.iter().any(|state| what.contains(state)) || row["topic"] == "pods";
        !is_state && at.parse::<jiff::Timestamp>().unwrap() < until
    };
    let told = |row: &Value| match row["topic"] == "runs" {
        true => {
            let what = text(row, "what");
            let run = what.split(' ').nth(1).unwrap_or_default();
            serde_json::json!({"run": run, "at": row["at"]})
        }
        false => row.clone(),
    };
    entries.iter().filter(is_lasting).map(told).collect()
}

#[test]
fn what_changed_is_told_alike_by_every_process_whenever_it_was_started() {
    let estate = Served::start(&["--scenario", "calm"]);
    let image = format!(
        "ghcr.io/acme/digitalwall-backend:{}",
        "c0ffee1c01".repeat(4)
    );
    estate.act(r#"{"do":"flip","to":"green","manager":"helm"}"#);
    estate.act(&format!(
        r#"{{"do":"set-image","deployment":"digital-wall-blue-backend","image":"{image}"}}"#
    ));
    estate.act(r#"{"do":"metric","name":"errors","colour":"green","value":35}"#);
    let status = ["production", "--json"];
    let says = |words: &'static str| move |out: &Output| said(out).contains(words);
    wait_status(&estate, &status, "it pending", says("HighErrorRate "));
    let firing = says("HighErrorRate firing GREEN backend");
    // The alert is old enough to count.
    let counts = |out: &Output| {
        let (at, entries) = timeline(out);
        let is_it = |row: &Value| row["what"] == "HighErrorRate firing GREEN backend";
        firing(out) && lasting(&entries, at).iter().any(is_it)
    };
    let (looked, first) = timeline(&wait_status(&estate, &status, "the alert", counts));
    let (_, second) = timeline(&observe(&estate, &status));
    let told = lasting(&first, looked);
    assert_eq!(told, lasting(&second, looked));
    for (topic, what) in [
        ("traffic", "digital-wall-service selects version=green"),
        ("traffic", "digital-wall-api selects version=green"),
        ("rollouts", "digital-wall-blue-backend rolls to c0ffee1"),
        ("alerts", "HighErrorRate firing GREEN backend"),
    ] {
        let is_it = |row: &&Value| row["topic"] == topic && row["what"] == what;
        let row = told.iter().find(is_it);
        let row = row.unwrap_or_else(|| panic!("{what} is not in {told:#?}"));
        let by = if topic == "traffic" {
            "written by helm"
        } else {
            ""
        };
        assert!(
            row["note"].as_str().unwrap_or_default().contains(by),
            "{row}"
        );
    }
}
