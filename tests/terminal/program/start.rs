//! The first run, wrong configurations, and an estate that is away.

use std::time::Instant;

use super::{Cockpit, LONG, SIZE, run, wait_live, watch};
use crate::{
    estate::{Home, Served, is_measured},
    pty::{SOON, text_of},
};

#[test]
fn the_first_run_names_the_file_and_the_two_ways_on() {
    let home = Home::new();
    let mut pty = run(&home, &[], &[], (200, 30));
    assert_eq!(pty.wait_exit(SOON).code, 2);
    pty.wait_end_of_output();
    let text = pty.text();
    for words in [
        ".config/wheelhouse/config.toml does not exist",
        "`wheelhouse init`",
        "`wheelhouse demo`",
    ] {
        assert!(text.contains(words), "{words} in {text}");
    }
    assert!(!pty.raw().contains(&0x1b), "no screen for a moment: {text}");
}

#[test]
fn c01_every_problem_of_the_configuration_is_told_with_its_place() {
    let home = Home::new();
    let file = home.write(
        "c.toml",
        "title = 7\nhalp = 1\n[[environment]]\nname = \"x\"\ntier = \"prod\"\n[keys]\nf6 = \"nothing\"\n\"ctrl-o\" = 7\nz = \"rollback\"\n",
    );
    let mut pty = run(&home, &["--config", file.to_str().unwrap()], &[], (250, 30));
    assert_eq!(pty.wait_exit(SOON).code, 2);
    pty.wait_end_of_output();
    let text = pty.text();
    for (place, about) in [
        ("c.toml:1:", "title"),
        ("c.toml:2:1", "halp"),
        ("c.toml:5:", "tier"),
        ("c.toml:3:", "namespace"),
        ("c.toml:7:1", "`nothing` is no command"),
        ("c.toml:8:", "ctrl-o"),
        ("c.toml:9:1", "may not be on the bare key"),
    ] {
        let told = text
            .lines()
            .any(|line| line.contains(place) && line.contains(about));
        assert!(told, "{place} {about} in {text}");
    }
    assert!(!pty.raw().contains(&0x1b), "no screen for a moment: {text}");
}

#[test]
fn the_screen_comes_though_the_estate_is_away_and_says_why() {
    let mut estate = Served::start(&[]);
    estate.end();
    let started = Instant::now();
    let mut pty = watch(&estate, &[], SIZE);
    pty.wait_text("PROD");
    assert!(started.elapsed().as_secs() < 5, "{:?}", started.elapsed());
    let port = estate.addr.port().to_string();
    pty.wait_for("the cause", LONG, |screen, _| {
        let text = text_of(screen);
        text.contains("refuses") && text.contains(&port) && text.contains("NO DATA")
    });
    assert!(!pty.text().contains("LIVE "), "{}", pty.text());
    assert!(!pty.is_over());
    estate.start_again();
    wait_live(&pty);
    pty.send("q");
    assert_eq!(pty.wait_exit(SOON).code, 0);
}

#[test]
fn an_estate_that_goes_is_stale_because_and_live_again_when_it_is_back() {
    let mut cockpit = Cockpit::start();
    cockpit.estate.end();
    cockpit.pty.wait_for("age and cause", LONG, |screen, _| {
        let text = text_of(screen);
        text.contains("STALE ") && text.contains("refuses") && text.contains("127.0.0.1")
    });
    let text = cockpit.pty.text();
    assert!(
        text.contains("LIVE   ready 5/5") && text.contains("BLUE   ready"),
        "what was seen stays: {text}"
    );
    cockpit.estate.start_again();
    wait_live(&cockpit.pty);
    cockpit.pty.wait_for("nothing stale", LONG, |screen, _| {
        let text = text_of(screen);
        !text.contains("STALE") && !text.contains("refuses")
    });
}

#[test]
fn keys_are_heard_while_the_api_hangs() {
    let cockpit = Cockpit::start();
    cockpit
        .estate
        .act(r#"{"do": "slow", "ms": 30000, "for": "60s"}"#);
    cockpit.pty.send("e");
    cockpit.pty.wait_text("not watched yet");
    cockpit.pty.send("k\r");
    cockpit.pty.wait_text("STAGING");
    let asked = Instant::now();
    cockpit.pty.send("?");
    cockpit.pty.wait_text("Keys of this view");
    let limit = if is_measured() { 500 } else { 5_000 };
    assert!(asked.elapsed().as_millis() < limit, "{:?}", asked.elapsed());
}
