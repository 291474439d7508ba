//! The program without a terminal: its commands, what they print and how they end.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "tests: a failure is a panic"
)]

#[path = "commands/doctor.rs"]
mod doctor;
#[path = "support/estate.rs"]
mod estate;
#[path = "commands/init.rs"]
mod init;
#[path = "commands/status.rs"]
mod status;

use std::process::{Output, Stdio};

use estate::{Home, Served};

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

fn observe(estate: &Served, args: &[&str]) -> Output {
    let config = estate.config.to_str().unwrap();
    run(
        &estate.home,
        &[&["--config", config, "status"], args].concat(),
    )
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
        "  status", "  demo", "  init", "  doctor", "--config", "--plain", "--ascii",
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
fn a_reader_that_went_away_is_no_panic() {
    let estate = Served::start(&[]);
    let config = estate.config.to_str().unwrap();
    for args in [
        &["--help"][..],
        &["--config", config, "status"],
        &["--config", config, "status", "--json"],
        &["--config", config, "doctor"],
        &["init", "--print", "--example"],
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
fn help_offers_nothing_that_is_always_refused() {
    let home = Home::new();
    let help = |verb: &str| said(&run(&home, &[verb, "--help"]));
    for verb in ["rollback", "smoke", "cleanup"] {
        assert!(!help(verb).contains("--override"), "{}", help(verb));
    }
    let release = help("release");
    assert!(release.contains("--override") && release.contains("--same"));
    assert!(
        !release.contains("--recover") && !release.contains("--break-glass"),
        "{release}"
    );
    assert!(help("cutover").contains("--override"));
    assert!(help("deploy").contains("--recover"));
}

#[test]
fn plans_and_status_come_without_glyphs_where_there_are_none() {
    let estate = Served::start(&[]);
    let config = estate.config.to_str().unwrap();
    let plan = ["--config", config, "cutover", "production", "--plan"];
    let of = |args: &[&str], locale: &str| {
        let mut command = estate.home.command(args);
        let out = command.env("LC_ALL", locale).output().unwrap();
        said(&out)
    };
    assert!(of(&plan, "C.UTF-8").contains("blue → green"));
    let ascii = [&plan[..], &["--ascii"]].concat();
    for text in [of(&plan, "C"), of(&ascii, "C.UTF-8")] {
        assert!(text.contains("blue -> green") && text.is_ascii(), "{text}");
    }
    let status = of(&["--config", config, "status"], "C.UTF-8");
    assert!(status.is_ascii(), "{status}");
}

#[test]
fn what_a_full_disk_swallows_is_not_told() {
    let estate = Served::start(&[]);
    let config = estate.config.to_str().unwrap();
    let production = ["--config", config, "cutover", "production", "--plan"];
    for args in [
        &["--help"][..],
        &["--config", config, "status", "--json"],
        &["--config", config, "op", "list"],
        &production,
    ] {
        let full = std::fs::File::options()
            .write(true)
            .open("/dev/full")
            .unwrap();
        let out = estate.home.command(args).stdout(full).output().unwrap();
        let words = complained(&out);
        assert_eq!(out.status.code(), Some(1), "{args:?}: {words}");
        let part = "standard output could not be written: No space left on device";
        assert!(words.contains(part), "{args:?}: {words}");
    }
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
    assert_eq!(observe(&estate, &[]).status.code(), Some(0));
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
