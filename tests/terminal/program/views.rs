//! Down into Services, Deployments, pods and logs, and back.

use super::{Cockpit, LONG, SIZE, escape};
use crate::pty::{SOON, text_of};

#[test]
fn enter_goes_into_a_deployment_a_pod_and_its_log_and_escape_comes_back() {
    let cockpit = Cockpit::start();
    let pty = &cockpit.pty;
    pty.send("\r");
    pty.wait_text("─ Deployment  digital-wall-blue-frontend");
    pty.wait_text("Revisions");
    pty.send("\r");
    pty.wait_text("─ Pod  digital-wall-blue-frontend-");
    pty.wait_text("Containers");
    pty.send("\r");
    pty.wait_text("─ Log  digital-wall-blue-frontend-");
    for title in ["─ Pod  ", "─ Deployment  ", "─ 2 Pods "] {
        pty.send("\x1b");
        pty.wait_text(title);
    }
}

#[test]
fn enter_on_traffic_goes_into_the_service_with_its_endpoints_and_managers() {
    let cockpit = Cockpit::start();
    let pty = &cockpit.pty;
    pty.send("0j\r");
    pty.wait_text("─ Service  digital-wall-api");
    let text = pty.text();
    for part in [
        "Endpoints",
        "Field managers",
        "part=backend",
        "blue-backend-",
    ] {
        assert!(text.contains(part), "{part} in {text}");
    }
    pty.send("\r");
    pty.wait_text("─ Pod  digital-wall-blue-backend-");
}

#[test]
fn a_log_follows_is_held_and_follows_again() {
    let cockpit = Cockpit::start();
    let pty = &cockpit.pty;
    pty.send("0\r\ro");
    pty.wait_for("a log", LONG, |screen, _| {
        let text = text_of(screen);
        text.contains("─ Log  ") && text.contains("following") && text.contains(" 200 in ")
    });
    let followed = pty.text();
    pty.wait_for("it to go on", LONG, |screen, _| text_of(screen) != followed);
    pty.send("kkk");
    pty.wait_text("held, ");
    pty.wait_for("lines below the held ones", LONG, |screen, _| {
        let text = text_of(screen);
        let below = text
            .split("held, ")
            .nth(1)
            .and_then(|t| t.split(' ').next()?.parse::<u32>().ok());
        below.is_some_and(|n| n > 3)
    });
    pty.send("f");
    pty.wait_text("following");
    pty.send("/walls");
    pty.wait_for("only lines that match", LONG, |screen, _| {
        let text = text_of(screen);
        text.contains("/walls_") && !text.contains("/api/session") && text.contains("GET /walls/")
    });
    escape(pty);
    pty.send("q");
    pty.wait_text("─ Pod  ");
}

#[test]
fn p_shows_the_log_of_the_run_that_crashed() {
    let cockpit = Cockpit::start_with(&["--scenario", "crash-loop"], &[], SIZE);
    let pty = &cockpit.pty;
    pty.wait_for("a crash", LONG, |screen, _| {
        let text = text_of(screen);
        text.contains("CrashLoopBackOff") || text.contains("↺   1")
    });
    pty.send("/green-backend\r");
    pty.wait_text("2/10 pods");
    pty.send("Gp");
    // The lines and the end of a run that is over come one after the other.
    pty.wait_for("its log, to its end", SOON, |screen, _| {
        let text = text_of(screen);
        [
            "─ Log  digital-wall-green-backend-",
            "previous run",
            "ended",
        ]
        .iter()
        .all(|it| text.contains(it))
            && !text.contains("waiting for the first line")
    });
}

#[test]
fn a_pod_that_goes_while_it_is_looked_at_is_said_to_be_gone() {
    let cockpit = Cockpit::start();
    let pty = &cockpit.pty;
    pty.send("\r\r");
    pty.wait_text("─ Pod  digital-wall-blue-frontend-");
    let text = pty.text();
    let name = text
        .split("─ Pod  ")
        .nth(1)
        .and_then(|t| t.split(' ').next())
        .unwrap()
        .to_owned();
    cockpit.estate.act(r#"{"do": "delete-pod", "namespace": "production", "deployment": "digital-wall-blue-frontend", "count": 3}"#);
    pty.wait_for("its end", LONG, |screen, _| {
        let text = text_of(screen);
        text.contains(&name)
            && (text.contains("gone") || text.contains("no longer") || text.contains("not there"))
    });
    escape(pty);
    escape(pty);
    pty.wait_for("new pods", SOON, |screen, _| {
        text_of(screen).contains("─ 2 Pods")
    });
}

#[test]
fn a_flip_of_the_traffic_is_on_the_screen_at_once() {
    let cockpit = Cockpit::start();
    cockpit.estate.act(r#"{"do": "flip", "namespace": "production", "to": "green", "manager": "argocd-controller"}"#);
    cockpit.pty.wait_for("GREEN live", SOON, |screen, _| {
        let text = text_of(screen);
        let green = text
            .lines()
            .find(|line| line.contains(" GREEN "))
            .unwrap_or_default();
        green.contains("LIVE") && text.contains("argocd-controller")
    });
}

#[test]
fn g04_on_a_bad_day_of_github_the_runs_age_say_why_and_stay() {
    let cockpit = Cockpit::start_with(&["--scenario", "flaky-github"], &[], SIZE);
    let runs = |is_so: fn(&str) -> bool, what: &str| {
        cockpit.pty.wait_for(what, LONG, |screen, _| {
            let text = text_of(screen);
            // Whatever GitHub does, what is known of it stays, and the others are live.
            let is_there = text.contains("#1483") && text.contains("k8s live");
            is_there && is_so(&text)
        });
    };
    runs(|text| !text.contains("STALE"), "the runs");
    let is_told = |text: &str| text.contains("1 Runs  ? STALE") && text.contains("502");
    runs(is_told, "the 502 and the age");
    let is_well = |text: &str| !text.contains("STALE") && !text.contains("502");
    runs(is_well, "another answer");
    cockpit.pty.send("1");
    runs(|text| text.contains("#1485"), "what was pushed meanwhile");
}

#[test]
fn m01_while_prometheus_is_away_the_alerts_age_say_why_and_stay_and_come_back() {
    let cockpit = Cockpit::start_with(&["--scenario", "prometheus-away"], &[], SIZE);
    cockpit.pty.send("3");
    let alerts = |is_so: fn(&str) -> bool, what: &str| {
        cockpit.pty.wait_for(what, 3 * LONG, |screen, _| {
            let text = text_of(screen);
            // Whatever Prometheus does, the others are live.
            text.contains("k8s live") && is_so(&text)
        });
    };
    let is_unknown = |text: &str| {
        let is_told = text.contains("? UNKNOWN, as of ") && text.contains("(503)");
        is_told && !text.contains("no alerts;")
    };
    alerts(is_unknown, "that nothing is known, and why");
    let is_back = |text: &str| text.contains("✗ HighErrorRate") && !text.contains("UNKNOWN");
    alerts(is_back, "what fires by now");
    // As the scenario does it, for less long.
    let away = r#"{"do": "prometheus-away", "for": "25s"}"#;
    cockpit.estate.act(away);
    let is_kept = |text: &str| {
        let ages = ["10s", "20s", "30s"].map(|age| format!("? UNKNOWN, as of {age} ago: "));
        let is_old = ages.iter().any(|age| text.contains(age)) && text.contains("(503)");
        is_old && text.contains("✗ HighErrorRate")
    };
    alerts(is_kept, "its age, why, and what fired then");
    alerts(is_back, "another answer");
}

#[test]
fn m05_on_a_noisy_night_what_fires_stands_before_what_is_inhibited_and_what_is_pending() {
    let cockpit = Cockpit::start_with(&["--scenario", "noisy-alerts"], &[], (160, 60));
    cockpit.pty.send("3");
    let standings = |text: &str| -> Vec<char> {
        let names = [
            "HighErrorRate",
            "HighResponseTime",
            "Database",
            "Redis",
            "PodCrash",
        ];
        let mark = |line: &str| {
            let at = names
                .iter()
                .find_map(|name| line.find(&format!(" {name}")))?;
            let mark = line[..at].chars().next_back()?;
            ['✗', 'z', '…'].contains(&mark).then_some(mark)
        };
        text.lines().filter_map(mark).collect()
    };
    cockpit.pty.wait_for("all three", 2 * LONG, |screen, _| {
        let text = text_of(screen);
        let counted = [" firing", " pending", " inhibited"];
        let marks = standings(&text);
        let rank = |mark: &char| ['✗', 'z', '…'].iter().position(|it| it == mark);
        let is_all = ['✗', 'z', '…'].iter().all(|mark| marks.contains(mark));
        is_all && marks.is_sorted_by_key(rank) && counted.iter().all(|words| text.contains(words))
    });
}
