//! `init` and `doctor` against the real control plane: as somebody who may do everything, and as
//! somebody who may see one namespace.

use crate::estate::Home;
use crate::fleet;
use crate::plane::Plane;
use crate::viewer::{ROLE, Watcher};
use serde_json::{Value, json};
use std::path::Path;
use std::process::Output;

/// The program, as whoever the kubeconfig names.
fn run(home: &Home, kubeconfig: &Path, args: &[&str]) -> Output {
    let mut command = home.command(args);
    command
        .current_dir(home.path())
        .env("KUBECONFIG", kubeconfig);
    command.output().unwrap()
}

fn said(out: &Output) -> String {
    let (said, complained) = (&out.stdout, &out.stderr);
    String::from_utf8_lossy(said).into_owned() + &String::from_utf8_lossy(complained)
}

/// The kubeconfig with a namespace of its own in its context.
fn placed(home: &Home, kubeconfig: &Path, namespace: &str) -> std::path::PathBuf {
    let file = kube::config::Kubeconfig::read_from(kubeconfig).unwrap();
    let mut file = serde_json::to_value(file).unwrap();
    file["contexts"][0]["context"]["namespace"] = json!(namespace);
    home.write("placed", &file.to_string())
}

/// What `doctor` says of an environment: verdict, name, of, value.
fn doctor(home: &Home, kubeconfig: &Path) -> Vec<[String; 4]> {
    let out = run(home, kubeconfig, &["doctor", "--json"]);
    let all: Value =
        serde_json::from_slice(&out.stdout).unwrap_or_else(|e| panic!("{e}: {}", said(&out)));
    let checks = all["checks"].as_array().unwrap().iter();
    checks
        .filter(|check| check["place"] != "machine")
        .map(|check| {
            ["verdict", "name", "of", "value"].map(|key| check[key].as_str().unwrap().to_owned())
        })
        .collect()
}

fn found<'c>(checks: &'c [[String; 4]], name: &str, of: &str) -> &'c [String; 4] {
    let found = checks
        .iter()
        .find(|check| check[1] == name && check[2] == of);
    found.unwrap_or_else(|| panic!("no {name} {of} in {checks:#?}"))
}

#[test]
fn init_finds_digital_wall_for_an_administrator_and_doctor_finds_it_well() {
    let (plane, home) = (Plane::shared(), Home::new());
    fleet::digital_wall(plane, "first-run-live");
    fleet::wait_available(plane, "first-run-live");
    fleet::await_all_traffic(plane, "first-run-live");
    let kubeconfig = placed(&home, &plane.kubeconfig_admin(), "first-run-live");
    let out = run(&home, &kubeconfig, &["init"]);
    assert_eq!(out.status.code(), Some(0), "{}", said(&out));
    assert!(
        said(&out).contains("version=blue|green of digital-wall-api, digital-wall-service"),
        "{}",
        said(&out)
    );
    let status = run(&home, &kubeconfig, &["status", "first-run-live"]);
    assert_eq!(status.status.code(), Some(0), "{}", said(&status));
    let checks = doctor(&home, &kubeconfig);
    let ours: Vec<_> = checks.iter().filter(|check| check[0] != "OK").collect();
    assert!(
        ours.iter()
            .all(|check| ["workload", "traffic"].contains(&check[1].as_str())),
        "other tests' namespaces come and go, but: {ours:#?}"
    );
    let credential = found(&checks, "credential", "");
    assert!(
        credential[3].starts_with("client certificate of "),
        "{credential:?}"
    );
    assert!(credential[3].contains("valid for"), "{credential:?}");
    assert!(
        found(&checks, "server", "")[3].contains("v1."),
        "{checks:#?}"
    );
    assert_eq!(found(&checks, "access", "pods/log")[3], "get");
    let certificate = found(&checks, "certificate", "");
    assert!(certificate[3].contains("valid for"), "{certificate:?}");
}

#[test]
fn somebody_of_one_namespace_is_asked_no_more_than_that() {
    let home = Home::new();
    let watcher = Watcher::new("first-run-one", ROLE);
    let kubeconfig = placed(&home, &watcher.kubeconfig, "first-run-one");
    let out = run(&home, &kubeconfig, &["init"]);
    assert_eq!(out.status.code(), Some(0), "{}", said(&out));
    for part in [
        "namespaces may not be listed: only first-run-one was looked at",
        "environment first-run-one: production",
    ] {
        assert!(said(&out).contains(part), "{part} in {}", said(&out));
    }
    let checks = doctor(&home, &kubeconfig);
    let troubled: Vec<_> = checks.iter().filter(|check| check[0] != "OK").collect();
    assert!(troubled.is_empty(), "{troubled:#?}");
    let credential = found(&checks, "credential", "");
    let name = "system:serviceaccount:first-run-one:watcher";
    assert!(
        credential[3].contains(name) && credential[3].contains("valid for"),
        "{credential:?}"
    );
}

#[test]
fn k02_a_role_that_lacks_a_verb_is_told_with_it() {
    let home = Home::new();
    let role = ROLE.replace("[pods, services, events]", "[pods, services]");
    let watcher = Watcher::new("first-run-less", &role);
    let kubeconfig = placed(&home, &watcher.kubeconfig, "first-run-less");
    assert_eq!(run(&home, &kubeconfig, &["init"]).status.code(), Some(0));
    let checks = doctor(&home, &kubeconfig);
    let [verdict, .., value] = found(&checks, "access", "events");
    assert_eq!(
        (verdict.as_str(), value.as_str()),
        ("BAD", "may not get, list, watch in first-run-less")
    );
    let troubled = checks.iter().filter(|check| check[0] != "OK").count();
    assert_eq!(troubled, 1, "{checks:#?}");
}
