//! `wheelhouse doctor` on the embedded estate: all well, then something away.

use serde_json::Value;

use crate::{complained, estate::Home, estate::Served, run, said};

fn doctor(estate: &Served, args: &[&str]) -> std::process::Output {
    let config = estate.config.to_str().unwrap();
    run(
        &estate.home,
        &[&["--config", config, "doctor"], args].concat(),
    )
}

#[test]
fn doctor_says_ok_a_line_a_check_and_ends_with_0() {
    let estate = Served::start(&[]);
    let out = doctor(&estate, &[]);
    let text = said(&out);
    assert_eq!(out.status.code(), Some(0), "{text}{}", complained(&out));
    for part in [
        "this machine\n  OK       configuration: ",
        "  OK       state: ",
        "  OK       repository: acme/digital-wall",
        "  OK       deploy production: the job deploy-production in digital-wall-ci-cd.yml of main",
        "production: prod-eu, namespace production\n  OK       kubeconfig: prod-eu leads to ",
        "  OK       access pods, services, events: get, list, watch",
        "  OK       access services/proxy monitoring/prometheus:9090",
        "  OK       workload frontend: digital-wall-blue-frontend, digital-wall-green-frontend",
        "  OK       traffic digital-wall-service, digital-wall-api: version=blue is live",
        "  OK       watchdog: Watchdog fires",
        "  OK       label colour: on scraped series: blue, green",
        "  OK       alertmanager monitoring/alertmanager:9093: answers, 0.28.1",
        "\n0 BAD, 0 UNKNOWN, ",
    ] {
        assert!(text.contains(part), "{part} in {text}");
    }
    assert!(text.is_ascii(), "words only: {text}");
    let one = said(&doctor(&estate, &["staging"]));
    assert!(
        one.contains("staging: staging-eu") && !one.contains("prod-eu"),
        "{one}"
    );
    let none = doctor(&estate, &["prod"]);
    assert_eq!(none.status.code(), Some(2));
    assert!(complained(&none).contains("development, staging, production"));
}

#[test]
fn doctor_json_has_the_fields_of_its_schema() {
    let estate = Served::start(&[]);
    let out = doctor(&estate, &["production", "--json"]);
    let all: Value = serde_json::from_str(&said(&out)).unwrap();
    assert_eq!(
        (&all["schema"], &all["verdict"], out.status.code()),
        (&"wheelhouse.doctor/v1".into(), &"OK".into(), Some(0))
    );
    assert!(
        all["at"]
            .as_str()
            .unwrap()
            .parse::<jiff::Timestamp>()
            .is_ok()
    );
    let checks = all["checks"].as_array().unwrap();
    assert!(checks.len() > 25, "{}", checks.len());
    for check in checks {
        for field in ["place", "name", "of", "verdict", "value"] {
            assert!(check[field].is_string(), "{field} in {check:#}");
        }
        assert!(check["advice"].is_null(), "{check:#}");
    }
}

#[test]
fn an_estate_that_is_away_is_unknown_and_everything_else_is_told() {
    let mut estate = Served::start(&[]);
    estate.end();
    let out = doctor(&estate, &["production", "--timeout", "5"]);
    let text = said(&out);
    assert_eq!(out.status.code(), Some(3), "{text}");
    for part in [
        "  OK       configuration: ",
        "  UNKNOWN  token: ",
        "  UNKNOWN  server: ",
        "refuses connections",
        "  UNKNOWN  prometheus monitoring/prometheus:9090: ",
    ] {
        assert!(text.contains(part), "{part} in {text}");
    }
}

#[test]
fn c01_without_a_usable_configuration_this_machine_is_looked_at_all_the_same() {
    let home = Home::new();
    let out = run(&home, &["doctor"]);
    let text = said(&out);
    assert_eq!(out.status.code(), Some(2), "{text}");
    assert!(
        text.contains("  BAD      configuration: no configuration: ")
            && text.contains("`wheelhouse init` writes one")
            && text.matches("BAD      configuration: ").count() == 1
            && text.contains("  OK       state: "),
        "{text}"
    );
    let file = home.write("c.toml", "title = 7\nhalp = 1\n");
    let json = run(
        &home,
        &["--config", file.to_str().unwrap(), "doctor", "--json"],
    );
    assert_eq!(json.status.code(), Some(2));
    let all: Value = serde_json::from_str(&said(&json)).unwrap();
    assert_eq!(all["verdict"], "BAD");
    let bad = all["checks"].as_array().unwrap().iter();
    let bad = bad.filter(|check| check["verdict"] == "BAD").count();
    assert!(bad >= 3, "{all:#}");
}
