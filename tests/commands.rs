//! The program without a terminal: its commands, what they print and how they end.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "tests: a failure is a panic"
)]

#[path = "support/estate.rs"]
mod estate;

use std::process::{Output, Stdio};

use estate::{Home, Served};
use serde_json::Value;

/// What it printed, to standard output.
fn said(out: &Output) -> String {
    String::from_utf8(out.stdout.clone()).unwrap()
}

/// What it complained of, to standard error.
fn complained(out: &Output) -> String {
    String::from_utf8(out.stderr.clone()).unwrap()
}

fn run(home: &Home, args: &[&str]) -> Output {
    home.command(args).output().unwrap()
}

fn status(estate: &Served, args: &[&str]) -> Output {
    let config = estate.config.to_str().unwrap();
    run(
        &estate.home,
        &[&["--config", config, "status"], args].concat(),
    )
}

/// Looks at the status until `is_so`; what it said then.
fn wait_status(
    estate: &Served,
    args: &[&str],
    what: &str,
    is_so: impl Fn(&Output) -> bool,
) -> Output {
    let until = std::time::Instant::now() + std::time::Duration::from_secs(60);
    loop {
        let out = status(estate, args);
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
fn help_has_every_command_and_the_table_of_exit_codes() {
    let out = run(&Home::new(), &["--help"]);
    let text = said(&out);
    assert_eq!(out.status.code(), Some(0));
    for part in [
        "Exit codes:",
        "  0  OK",
        "  1  BAD",
        "  2  wrong usage",
        "  3  UNKNOWN",
        "  8  rolled back",
        "128 + n",
    ] {
        assert!(text.contains(part), "{part} in {text}");
    }
    for command in [
        "  status", "  demo", "  init", "--config", "--plain", "--ascii",
    ] {
        assert!(text.contains(command), "{command} in {text}");
    }
    assert_eq!(complained(&out), "");
}

#[test]
fn version_is_the_packages() {
    let out = run(&Home::new(), &["--version"]);
    assert_eq!(out.status.code(), Some(0));
    assert_eq!(
        said(&out),
        format!("wheelhouse {}\n", env!("CARGO_PKG_VERSION"))
    );
}

#[test]
fn an_unknown_command_or_option_is_exit_code_2() {
    for args in [
        &["statsu"][..],
        &["--colr", "x"],
        &["status", "--jsn"],
        &["demo", "--port", "x"],
    ] {
        let out = run(&Home::new(), args);
        assert_eq!(out.status.code(), Some(2), "{args:?}");
        assert!(
            said(&out).is_empty() && complained(&out).contains("error:"),
            "{args:?}"
        );
    }
}

#[test]
fn without_a_configuration_the_way_on_is_named() {
    let home = Home::new();
    for args in [&[][..], &["status"]] {
        let out = run(&home, args);
        let words = complained(&out);
        assert_eq!(out.status.code(), Some(2), "{words}");
        let file = home
            .path()
            .join(".config/wheelhouse/config.toml")
            .display()
            .to_string();
        for part in [file.as_str(), "`wheelhouse init`", "`wheelhouse demo`"] {
            assert!(words.contains(part), "{part} in {words}");
        }
    }
    let named = home
        .command(&["status"])
        .env("WHEELHOUSE_CONFIG", "/nowhere/c.toml")
        .output()
        .unwrap();
    assert_eq!(named.status.code(), Some(2));
    assert!(
        complained(&named).contains("/nowhere/c.toml does not exist (named by WHEELHOUSE_CONFIG)")
    );
}

#[test]
fn status_says_in_words_who_is_live_and_ends_with_0() {
    let estate = Served::start(&[]);
    let out = status(&estate, &[]);
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
    let one = status(&estate, &["production"]);
    assert!(!said(&one).contains("staging:"), "{}", said(&one));
    let none = status(&estate, &["prod"]);
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

#[test]
fn status_json_has_the_fields_of_its_schema() {
    let estate = Served::start(&[]);
    let out = status(&estate, &["--json"]);
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
}

#[test]
fn an_estate_that_is_away_is_unknown_and_says_why() {
    let mut estate = Served::start(&[]);
    estate.end();
    let out = status(&estate, &["production", "--timeout", "5"]);
    let text = said(&out);
    assert_eq!(out.status.code(), Some(3), "{text}");
    assert!(
        text.contains("production: UNKNOWN") && text.contains("refuses connections"),
        "{text}"
    );
    let json = status(&estate, &["--json", "--timeout", "5"]);
    assert_eq!(json.status.code(), Some(3));
    let all: Value = serde_json::from_str(&said(&json)).unwrap();
    assert_eq!(all["verdict"], "UNKNOWN");
    assert_eq!(all["environments"][2]["live"], Value::Null);
}

#[test]
fn a_reader_that_went_away_is_no_panic() {
    let estate = Served::start(&[]);
    let config = estate.config.to_str().unwrap();
    for args in [
        &["--help"][..],
        &["--config", config, "status"],
        &["--config", config, "status", "--json"],
        &["init", "--print"],
    ] {
        let mut child = estate
            .home
            .command(args)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        drop(child.stdout.take());
        let out = child.wait_with_output().unwrap();
        assert_eq!(
            (out.status.code(), complained(&out).as_str()),
            (Some(0), ""),
            "{args:?}"
        );
    }
}

#[test]
fn init_writes_the_example_and_never_over_a_file() {
    let home = Home::new();
    let out = run(&home, &["init"]);
    let file = home.path().join(".config/wheelhouse/config.toml");
    assert_eq!(out.status.code(), Some(0), "{}", complained(&out));
    assert!(
        said(&out).contains(file.to_str().unwrap()),
        "{}",
        said(&out)
    );
    let example = include_str!("../config.example.toml");
    assert_eq!(std::fs::read_to_string(&file).unwrap(), example);
    std::fs::write(&file, "mine").unwrap();
    let again = run(&home, &["init"]);
    assert_eq!(again.status.code(), Some(2));
    assert!(
        complained(&again).contains(file.to_str().unwrap()),
        "{}",
        complained(&again)
    );
    assert_eq!(std::fs::read_to_string(&file).unwrap(), "mine");
    assert_eq!(said(&run(&home, &["init", "--print"])), example);
    let elsewhere = home.path().join("here/c.toml");
    assert_eq!(
        run(&home, &["init", "--config", elsewhere.to_str().unwrap()])
            .status
            .code(),
        Some(0)
    );
    assert!(elsewhere.exists());
}

#[test]
fn demo_lists_its_scenarios_and_refuses_others() {
    let home = Home::new();
    let out = run(&home, &["demo", "--scenario", "list"]);
    let text = said(&out);
    assert_eq!(out.status.code(), Some(0));
    for name in ["calm", "crash-loop", "api-down", "flapping", "bad-release"] {
        assert!(
            text.lines()
                .any(|line| line.starts_with(name) && line.len() > name.len() + 10),
            "{name} in {text}"
        );
    }
    let wrong = run(&home, &["demo", "--status", "--scenario", "clam"]);
    assert_eq!(wrong.status.code(), Some(2));
    assert!(
        complained(&wrong).contains("calm"),
        "{}",
        complained(&wrong)
    );
}

#[test]
fn demo_headless_prints_addresses_and_a_configuration_that_works_and_ends_on_ctrl_c() {
    let estate = Served::start(&["--seed", "7"]);
    let text = estate.config_text();
    assert!(text.matches("kubeconfig = ").count() >= 3, "{text}");
    assert_eq!(status(&estate, &[]).status.code(), Some(0));
    let folder = estate.config.parent().unwrap().to_owned();
    let pid = rustix::process::Pid::from_raw(estate.pid().cast_signed()).unwrap();
    rustix::process::kill_process(pid, rustix::process::Signal::INT).unwrap();
    let until = std::time::Instant::now() + std::time::Duration::from_secs(10);
    while folder.exists() {
        assert!(std::time::Instant::now() < until, "its files stay");
        std::thread::park_timeout(std::time::Duration::from_millis(5));
    }
}

#[test]
fn demo_status_needs_nothing() {
    let home = Home::new();
    let out = run(&home, &["demo", "--status"]);
    assert_eq!(out.status.code(), Some(0), "{}", complained(&out));
    assert!(
        said(&out).contains("production: OK, BLUE live"),
        "{}",
        said(&out)
    );
    let addr = home.demo().expect("its estate stays");
    run(&home, &["demo", "--status"]);
    assert_eq!(home.demo(), Some(addr), "the second one joins it");
}

#[test]
fn a_wrong_configuration_is_told_problem_by_problem() {
    let home = Home::new();
    let file = home.write(
        "c.toml",
        "title = 7\nhalp = 1\n[[environment]]\nname = \"x\"\ntier = \"prod\"\n",
    );
    let out = run(&home, &["--config", file.to_str().unwrap(), "status"]);
    let words = complained(&out);
    assert_eq!(
        (out.status.code(), said(&out).as_str()),
        (Some(2), ""),
        "{words}"
    );
    let lines: Vec<_> = words.lines().collect();
    assert!(lines.len() >= 4, "{words}");
    for line in lines {
        let place: Vec<_> = line
            .strip_prefix(file.to_str().unwrap())
            .expect("the file")
            .splitn(4, ':')
            .collect();
        assert!(
            place[1].parse::<u32>().is_ok() && place[2].parse::<u32>().is_ok(),
            "{line}"
        );
    }
}
