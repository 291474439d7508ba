//! `wheelhouse init`: what it finds on the embedded estate and in a git repository, and what it says
//! where there is nothing.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use wheelhouse::config::{Config, Deploy, Replica, Tier};

use crate::{complained, estate::Home, estate::Served, said};

const WORKFLOW: &str = include_str!("../../assets/scenarios/digital-wall-ci-cd.yml");
const EXAMPLE: &str = include_str!("../../config.example.toml");

/// A git repository with that remote and the reference system's workflow.
fn repository(home: &Home, remote: &str) -> PathBuf {
    home.write("wall/.github/workflows/ci.yml", WORKFLOW);
    home.write(
        "wall/.github/workflows/lint.yml",
        "on: push\njobs: {lint: {}}\n",
    );
    let dir = home.path().join("wall");
    for args in [
        &["init", "--quiet"][..],
        &["remote", "add", "origin", remote],
    ] {
        let done = Command::new("git").arg("-C").arg(&dir).args(args).output();
        assert!(done.unwrap().status.success(), "{args:?}");
    }
    dir
}

/// The kubeconfig of a served estate.
fn kubeconfig(estate: &Served) -> PathBuf {
    estate.config.with_file_name("kubeconfig.yaml")
}

fn init(home: &Home, dir: &Path, kubeconfig: &Path, args: &[&str]) -> Output {
    let mut command = home.command(&[&["init"], args].concat());
    command.current_dir(dir).env("KUBECONFIG", kubeconfig);
    command.output().unwrap()
}

fn parse(text: &str) -> Config {
    let (config, warnings) =
        Config::parse(text, "c.toml").unwrap_or_else(|e| panic!("{e}\n{text}"));
    assert_eq!(warnings, [], "{text}");
    config
}

#[test]
fn init_finds_the_estate_and_the_repository_and_status_works_with_what_it_wrote() {
    let (estate, home) = (Served::start(&[]), Home::new());
    let dir = repository(&home, "git@github.com:acme/digital-wall.git");
    let file = home.path().join("here/c.toml");
    let out = init(
        &home,
        &dir,
        &kubeconfig(&estate),
        &["--config", file.to_str().unwrap()],
    );
    assert_eq!(out.status.code(), Some(0), "{}", complained(&out));
    for part in [
        "context prod-eu: 7 namespaces",
        "git: the remote origin leads to acme/digital-wall on github.com, 2 workflows",
        "environment production: production, backend, frontend, version=blue|green of",
        "`wheelhouse doctor`",
    ] {
        assert!(said(&out).contains(part), "{part} in {}", said(&out));
    }
    let config = parse(&std::fs::read_to_string(&file).unwrap());
    let github = config.github.unwrap();
    assert_eq!(
        (github.repository.as_str(), github.workflow.as_str()),
        ("acme/digital-wall", "ci.yml")
    );
    let [development, staging, production] = &config.environments[..] else {
        panic!("{:?}", config.environments)
    };
    assert_eq!(
        (development.tier, staging.tier, production.tier),
        (Tier::Development, Tier::Staging, Tier::Production)
    );
    assert_eq!(development.context.as_deref(), Some("dev-eu"));
    assert!(production.read_only && !staging.read_only);
    let deploy = Deploy {
        job: "deploy-production".to_owned(),
        branch: "main".to_owned(),
    };
    assert_eq!(
        (&production.deploy, &development.deploy),
        (&Some(deploy), &None)
    );
    let traffic = production.traffic.as_ref().unwrap();
    assert_eq!(traffic.key, "version");
    assert_eq!(
        traffic.services,
        ["digital-wall-api", "digital-wall-service"]
    );
    assert!(staging.traffic.is_none());
    let prometheus = production.prometheus.as_ref().unwrap();
    assert_eq!(prometheus.watchdog.as_deref(), Some("Watchdog"));
    assert_eq!(prometheus.belongs["namespace"], "production");
    let Replica::Service { name, port, .. } = &prometheus.address.replicas[0] else {
        panic!("{prometheus:?}")
    };
    assert_eq!((name.as_str(), port.as_str()), ("prometheus", "9090"));

    let mut status = home.command(&["--config", file.to_str().unwrap(), "status"]);
    let status = status
        .env("KUBECONFIG", kubeconfig(&estate))
        .output()
        .unwrap();
    // GitHub is the world's, which a test does not reach: UNKNOWN is never OK.
    assert_eq!(status.status.code(), Some(3), "{}", said(&status));
    assert!(said(&status).contains("production: OK, BLUE live"));
    assert_eq!(
        said(&status).matches("    OK").count() + said(&status).matches("\n  OK").count(),
        3
    );
}

#[test]
fn init_never_writes_over_a_file_unless_it_is_forced() {
    let (estate, home) = (Served::start(&[]), Home::new());
    let file = home.write(".config/wheelhouse/config.toml", "mine");
    let config = kubeconfig(&estate);
    let out = init(&home, home.path(), &config, &[]);
    assert_eq!(out.status.code(), Some(2));
    for part in [file.to_str().unwrap(), "--force", "--print"] {
        assert!(complained(&out).contains(part), "{}", complained(&out));
    }
    assert_eq!(std::fs::read_to_string(&file).unwrap(), "mine");
    let printed = init(&home, home.path(), &config, &["--print"]);
    assert_eq!(printed.status.code(), Some(0));
    assert_eq!(parse(&said(&printed)).environments.len(), 3);
    let forced = init(&home, home.path(), &config, &["--force"]);
    assert_eq!(forced.status.code(), Some(0), "{}", complained(&forced));
    assert_eq!(std::fs::read_to_string(&file).unwrap(), said(&printed));
    let mode =
        std::os::unix::fs::PermissionsExt::mode(&std::fs::metadata(&file).unwrap().permissions());
    assert_eq!(mode & 0o777, 0o600);
    let folder = std::fs::read_dir(file.parent().unwrap()).unwrap();
    assert_eq!(folder.count(), 1, "nothing else is left there");
}

#[test]
fn contexts_that_are_away_are_named_and_the_rest_is_written() {
    let (estate, home) = (Served::start(&[]), Home::new());
    let text = std::fs::read_to_string(kubeconfig(&estate)).unwrap();
    let away = text
        .replacen(
            "clusters:\n",
            "clusters:\n- name: old\n  cluster:\n    server: http://127.0.0.1:9\n",
            1,
        )
        .replacen(
            "contexts:\n",
            "contexts:\n- name: old-eu\n  context: {cluster: old, user: nobody}\n- name: \"odd-\u{202e}eu\"\n  context: {cluster: old, user: nobody}\n",
            1,
        );
    let file = home.write("kubeconfig", &away);
    let out = init(&home, home.path(), &file, &["--print"]);
    assert_eq!(out.status.code(), Some(0));
    let words = complained(&out);
    for part in [
        "context old-eu: left out: 127.0.0.1:9 refuses connections",
        "context odd-<U+202E>eu: left out: its name cannot be written down",
    ] {
        assert!(words.contains(part), "{part} in {words}");
    }
    assert_eq!(parse(&said(&out)).environments.len(), 3);
}

#[test]
fn an_enterprise_server_is_told_from_github_and_a_password_in_the_remote_is_not_told() {
    let (estate, home) = (Served::start(&[]), Home::new());
    let dir = repository(
        &home,
        "https://me:ghp_secret@ghe.acme.example/acme/wall.git",
    );
    let out = init(&home, &dir, &kubeconfig(&estate), &["--print"]);
    let text = said(&out);
    assert_eq!(
        parse(&text).github.unwrap().api,
        "https://ghe.acme.example/api/v3"
    );
    assert!(!text.contains("ghp_secret") && !complained(&out).contains("ghp_secret"));
}

#[test]
fn where_nothing_is_found_the_example_is_written_and_what_was_looked_for_is_said() {
    let home = Home::new();
    let run = |args: &[&str]| {
        let mut command = home.command(args);
        command.current_dir(home.path()).output().unwrap()
    };
    let out = run(&["init"]);
    let file = home.path().join(".config/wheelhouse/config.toml");
    assert_eq!(out.status.code(), Some(0), "{}", complained(&out));
    for part in [
        "no kubeconfig: looked at $KUBECONFIG, else ~/.kube/config",
        "git: no git repository here",
        "this is the commented example",
        file.to_str().unwrap(),
    ] {
        assert!(said(&out).contains(part), "{part} in {}", said(&out));
    }
    assert_eq!(std::fs::read_to_string(&file).unwrap(), EXAMPLE);
    let printed = run(&["init", "--print"]);
    assert_eq!(said(&printed), EXAMPLE);
    assert!(complained(&printed).contains("no kubeconfig"));
    let named = home.path().join("named.toml");
    let mut command = home.command(&["init", "--example"]);
    let out = command.env("WHEELHOUSE_CONFIG", &named).output().unwrap();
    assert_eq!(out.status.code(), Some(0), "{}", complained(&out));
    assert_eq!(std::fs::read_to_string(&named).unwrap(), EXAMPLE);
    let example = run(&["init", "--print", "--example"]);
    assert_eq!(
        (said(&example).as_str(), complained(&example).as_str()),
        (EXAMPLE, "")
    );
}
