//! Acts by keys: an alert is silenced, its silence extended and ended, and what must not do it does not.

use std::os::unix::fs::PermissionsExt as _;
use std::time::{Duration, Instant};

use super::{Cockpit, LONG, SIZE, run, wait_gone, wait_heard, wait_live};
use crate::{
    estate::{Served, post},
    pty::{Pty, SOON, text_of, wait_until},
};

/// What the rule holds before it fires, and then some.
const FIRES: Duration = Duration::from_secs(180);

/// A cockpit whose alerts have the focus, with one that fires.
fn firing(args: &[&str]) -> Cockpit {
    let estate = Served::start(&[]);
    estate.act(r#"{"do":"metric","name":"errors","colour":"green","value":35}"#);
    let config = estate.config.to_str().unwrap();
    let pty = run(
        &estate.home,
        &[&["--config", config], args].concat(),
        &[],
        SIZE,
    );
    wait_live(&pty);
    pty.send("3");
    pty.wait_for("an alert that fires", FIRES, |screen, _| {
        text_of(screen).contains("✗ HighErrorRate")
    });
    Cockpit { pty, estate }
}

/// Types what is needed up to the prompt, and waits until it listens.
fn plan(pty: &Pty, key: &str, comment: &str) {
    pty.send(key);
    pty.wait_text("> comment");
    if key == "S" {
        // An alert takes a while to Alertmanager, which alone knows its external labels.
        pty.wait_for("the alert in Alertmanager", LONG, |screen, _| {
            text_of(screen).contains("one alert now: this one")
        });
    }
    pty.send(comment);
    pty.send("\r\r");
    wait_prompt(pty);
}

/// Waits until the prompt listens: what is typed before is forgotten.
fn wait_prompt(pty: &Pty) {
    pty.wait_for("the prompt", SOON, |screen, _| {
        let text = text_of(screen);
        text.lines()
            .any(|line| line.contains("type  production  to") && line.contains(": _"))
    });
}

/// The lines of the journal of acts.
fn journal(cockpit: &Cockpit) -> Vec<serde_json::Value> {
    let file = cockpit
        .estate
        .home
        .path()
        .join(".local/state/wheelhouse/acts.jsonl");
    let Ok(text) = std::fs::read_to_string(&file) else {
        return Vec::new();
    };
    let mode = std::fs::metadata(&file).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    text.lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

/// Sets a silence in the estate's Alertmanager past the cockpit, as a colleague would.
fn silence_by_bob(estate: &Served) {
    let now = jiff::Timestamp::now();
    let ends = now + jiff::SignedDuration::from_hours(1);
    let body = serde_json::json!({
        "matchers": [{"name": "alertname", "value": "HighErrorRate", "isRegex": false, "isEqual": true}],
        "createdBy": "bob", "comment": "mine", "startsAt": now.to_string(), "endsAt": ends.to_string(),
    });
    let path = "/api/v1/namespaces/monitoring/services/alertmanager:9093/proxy/api/v2/silences";
    let answer = post(estate.addr, path, &body.to_string()).unwrap();
    assert!(answer.contains("silenceID"), "{answer}");
}

#[test]
fn an_alert_is_silenced_its_silence_extended_and_ended_by_keys_and_all_of_it_written_down() {
    let cockpit = firing(&["--write"]);
    let pty = &cockpit.pty;
    pty.wait_text("WRITE ");
    plan(pty, "S", "release 42");
    let plan_text = pty.text();
    for shown in [
        "monitoring/alertmanager:9093",
        "alertname=\"HighErrorRate\"",
        "colour=\"green\"",
        "one alert now: this one",
        "[1h]",
    ] {
        assert!(plan_text.contains(shown), "{shown}\n{plan_text}");
    }
    pty.send("production\r");
    pty.wait_text("read back, act");
    pty.wait_text("z HighErrorRate");
    pty.wait_text("release 42 (wheelh");

    pty.send("E");
    pty.wait_text("> comment       release 42_");
    pty.send("\t\x1b[C\r");
    wait_prompt(pty);
    pty.send("production\r");
    wait_gone(pty, "type  production");
    pty.send("\r");
    pty.wait_text("✓ the longer silence");

    pty.send("X");
    pty.wait_text("EXPIRE the silence of HighErrorRate in production");
    wait_prompt(pty);
    pty.send("production\r");
    pty.wait_text("✓ the end of the silence");
    pty.wait_text("✗ firing");

    let lines = journal(&cockpit);
    let said: Vec<_> = lines
        .iter()
        .map(|line| line["what"].as_object().unwrap())
        .collect();
    assert_eq!(said.len(), 6, "{lines:?}");
    for (pair, kind) in said.chunks(2).zip(["silence", "extend", "expire"]) {
        assert!(pair[0]["intent"].get(kind).is_some(), "{pair:?}");
        assert_eq!(pair[1]["outcome"]["outcome"], "done", "{pair:?}");
    }
    assert_eq!(lines[0]["act"], lines[1]["act"]);
}

#[test]
fn o07_a_read_only_production_refuses_a_silence_until_a_window_is_opened() {
    let cockpit = firing(&[]);
    let pty = &cockpit.pty;
    pty.send("S");
    pty.wait_text("Refused: production is read-only: `:write 15m` opens a window");
    // What is typed next is the plan's, and no key of the screen.
    pty.send("e");
    pty.send("\x1b");
    wait_gone(pty, "SILENCE HighErrorRate");
    assert!(!pty.text().contains("development"), "{}", pty.text());
    pty.send(":write 20m\r");
    pty.wait_text("WRITE ");
    pty.send("S");
    pty.wait_text("SILENCE HighErrorRate in production");
    pty.send("\x1b");
    wait_gone(pty, "SILENCE HighErrorRate");
    pty.send(":write off\r");
    pty.wait_text("READ-ONLY");
    pty.send("S");
    pty.wait_text("Refused: production is read-only");
    assert!(journal(&cockpit).is_empty());
}

#[test]
fn o01_o02_t12_only_the_name_typed_exactly_and_not_too_early_confirms() {
    let cockpit = firing(&["--write=1h"]);
    let pty = &cockpit.pty;
    // Alertmanager hears of it after Prometheus: a plan from before that would be void in the middle.
    pty.send("S");
    pty.wait_for("the alert in Alertmanager", LONG, |screen, _| {
        text_of(screen).contains("one alert now")
    });
    pty.send("\x1b");
    wait_gone(pty, "SILENCE HighErrorRate");
    // All at once, as type-ahead and a torn paste come: the prompt is deaf to it.
    pty.send("Sx\r\rproduction\r");
    pty.wait_text("type  production  to set the silence: _");
    for wrong in ["Production", "production ", "prod"] {
        pty.send(format!("{wrong}\r"));
        pty.wait_text("letter by letter: nothing was done");
        pty.send([0x15]);
        wait_gone(pty, "letter by letter");
    }
    pty.send("\x1b[200~production\r\x1b[201~");
    pty.wait_text("pasted text is ignored here");
    pty.send("\r");
    pty.wait_text("letter by letter: nothing was done");
    assert!(journal(&cockpit).is_empty());
    pty.send("production\r\r\r");
    pty.wait_text("read back, act");
    wait_heard(pty);
    assert_eq!(journal(&cockpit).len(), 2, "one act, intent and outcome");
}

#[test]
fn o03_a_silence_that_a_colleague_sets_meanwhile_voids_the_plan() {
    let cockpit = firing(&["--write"]);
    let pty = &cockpit.pty;
    plan(pty, "S", "mine, too");
    // Evaluations and values move meanwhile: churn voids nothing.
    let since = Instant::now();
    wait_until("two answers of Prometheus", LONG, || {
        since.elapsed() > Duration::from_secs(21)
    });
    assert!(!pty.text().contains("Void"), "{}", pty.text());
    silence_by_bob(&cockpit.estate);
    pty.wait_for("the void plan", LONG, |screen, _| {
        let text = text_of(screen);
        text.contains("silenced already") || text.contains("Void")
    });
    pty.send("production\r");
    wait_heard(pty);
    pty.send("\x1b");
    wait_gone(pty, "SILENCE HighErrorRate");
    assert!(journal(&cockpit).is_empty());
    pty.wait_for("bob's silence", SOON, |screen, _| {
        text_of(screen).contains("silenced by bob")
    });
}

#[test]
fn an_alertmanager_that_is_away_leaves_nothing_half_done() {
    let mut cockpit = firing(&["--write"]);
    plan(&cockpit.pty, "S", "x");
    cockpit.estate.end();
    cockpit.pty.send("production\r");
    cockpit.pty.wait_for("the refusal", LONG, |screen, _| {
        let text = text_of(screen);
        text.contains("not done: Alertmanager does not answer, so nothing was sent")
    });
    assert!(journal(&cockpit).is_empty());
}
