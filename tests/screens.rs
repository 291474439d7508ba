//! The screen, drawn from plain observations: at the four sizes, in trouble, with hostile text.
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

#[path = "support/world.rs"]
mod world;

use proptest::prelude::*;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Color;
use wheelhouse::app::{Event, Look, State, settle, update};
use wheelhouse::estate::*;
use wheelhouse::ui;
use world::*;

fn drawn(state: &mut State, (columns, rows): (u16, u16)) -> Buffer {
    update(state, Event::Resized(columns, rows));
    settle(state);
    let area = Rect::new(0, 0, columns, rows);
    let mut buffer = Buffer::empty(area);
    if let Some(number) = ui::draw(state, area, &mut buffer) {
        wheelhouse::app::logs::saw(state, number);
    }
    buffer
}

fn rows(buffer: &Buffer) -> Vec<String> {
    let area = buffer.area;
    (area.y..area.bottom())
        .map(|y| {
            (area.x..area.right())
                .map(|x| buffer[(x, y)].symbol())
                .collect::<String>()
        })
        .collect()
}

fn text(state: &mut State, size: (u16, u16)) -> String {
    rows(&drawn(state, size)).join("\n")
}

macro_rules! seen {
    ($name:expr, $text:expr) => {
        insta::with_settings!({ omit_expression => true, prepend_module_to_snapshot => false }, {
            insta::assert_snapshot!($name, $text);
        });
    };
}

#[path = "screens/approval.rs"]
mod approval;
#[path = "screens/barred.rs"]
mod barred;
#[path = "screens/bell.rs"]
mod bell;
#[path = "screens/claims.rs"]
mod claims;
#[path = "screens/commands.rs"]
mod commands;
#[path = "screens/deploy.rs"]
mod deploy;
#[path = "screens/freeze.rs"]
mod freeze;
#[path = "screens/logs.rs"]
mod logs;
#[path = "screens/notices.rs"]
mod notices;
#[path = "screens/operations.rs"]
mod operations;
#[path = "support/reviews.rs"]
mod reviewing;
#[path = "screens/reviews.rs"]
mod reviews;
#[path = "screens/tabs.rs"]
mod tabs;

#[test]
fn production_at_the_four_sizes() {
    for (columns, rows) in SIZES {
        let mut state = cockpit(Look::default());
        seen!(
            format!("production-{columns}x{rows}"),
            text(&mut state, (columns, rows))
        );
    }
}

#[test]
fn who_is_live_and_the_badge_are_there_at_every_size() {
    for size in [
        (20, 1),
        (30, 5),
        (59, 14),
        (60, 15),
        (80, 24),
        (100, 24),
        (120, 30),
        (160, 50),
        (200, 50),
        (500, 200),
    ] {
        let mut state = cockpit(Look::default());
        let screen = text(&mut state, size);
        assert!(screen.contains("PROD"), "{size:?}\n{screen}");
        if size.0 >= 40 {
            assert!(
                screen.contains("BLUE") && screen.to_lowercase().contains("live"),
                "{size:?}\n{screen}"
            );
        }
    }
}

#[test]
fn traffic_says_everything_at_every_size_when_one_goes_to_it() {
    for size in SIZES {
        let mut state = full(Look::default());
        press(&mut state, "0");
        let screen = text(&mut state, size);
        for said in [
            "digital-wall-service",
            "part=frontend",
            "version=blue",
            "digital-wall-api",
            "part=backend",
            "2d ago by kubectl-patch",
            "LIVE",
            "ready 5/5",
            "endpoints 3+2",
            "4f2a91c 4f2a91c0a1b2",
            "ready 4/5",
            "endpoints 0+0",
            "9b1e07d 9b1e07d",
            "not ready",
        ] {
            assert!(screen.contains(said), "{size:?} lacks {said:?}\n{screen}");
        }
    }
    let mut state = full(Look::default());
    press(&mut state, "0");
    seen!("traffic-60x15", text(&mut state, (60, 15)));
}

#[test]
fn every_panel_at_the_four_sizes() {
    for (columns, rows) in SIZES {
        let mut state = full(Look::default());
        seen!(
            format!("full-{columns}x{rows}"),
            text(&mut state, (columns, rows))
        );
    }
    for (name, keys) in [
        ("runs", "1"),
        ("alerts", "3"),
        ("timeline", "4"),
        ("run", "1 j j enter"),
        ("alert", "3 enter"),
    ] {
        let mut state = full(Look::default());
        press(&mut state, keys);
        seen!(format!("{name}-80x24"), text(&mut state, (80, 24)));
    }
}

#[test]
fn a_green_run_whose_jobs_were_not_looked_at_says_so() {
    use wheelhouse::estate::runs::{Conclusion, Progress, RunsSeen};
    let mut state = full(Look::default());
    let mut seen = runs();
    if let RunsSeen::Runs(all) = &mut seen[0] {
        let mut older = all[0].clone();
        (older.id, older.number) = (7, 1_400);
        older.progress = Progress::Done(Conclusion::Success);
        all.push(older);
    }
    let at = state.now.at;
    update(&mut state, Event::Repository(at, seen.remove(0)));
    settle(&mut state);
    press(&mut state, "1");
    let screen = text(&mut state, (80, 40));
    assert!(screen.contains("its jobs were not looked at"), "{screen}");
}

#[test]
fn a_green_run_without_its_deploy_and_a_blocked_skip_are_called_out() {
    let mut state = full(Look::default());
    press(&mut state, "1");
    let screen = text(&mut state, (80, 24));
    assert!(
        screen.contains("green, but deploy-staging did not run"),
        "{screen}"
    );
    press(&mut state, "G enter");
    let screen = text(&mut state, (80, 24));
    assert!(
        screen.contains("skipped: its condition was not met"),
        "{screen}"
    );
    assert!(
        screen.contains("skipped: backend-ci did not succeed"),
        "{screen}"
    );
}

#[test]
fn runs_that_are_current_tell_their_age_from_half_a_minute_on_in_steps() {
    let mut state = full(Look::default());
    let mut title = |seconds| {
        pass(&mut state, seconds);
        text(&mut state, (160, 50))
    };
    assert!(!title(20).contains("Runs  20s ago"));
    let forty = title(20);
    assert!(forty.contains("Runs  40s ago"), "{forty}");
    assert!(title(9).contains("Runs  40s ago"), "a step of ten seconds");
}

#[test]
fn the_log_of_a_job_is_of_the_step_that_ended_it_however_it_ended() {
    use wheelhouse::app::Command;
    use wheelhouse::estate::runs::{Conclusion, Progress};
    for ended in [Conclusion::TimedOut, Conclusion::Cancelled] {
        let mut state = full(Look::default());
        let jobs = state
            .repository
            .as_mut()
            .and_then(|it| it.jobs.get_mut(&80));
        let job = &mut jobs.unwrap().jobs[2];
        job.progress = Progress::Done(ended.clone());
        job.steps[0].progress = Progress::Done(ended.clone());
        settle(&mut state);
        press(&mut state, "1 G enter");
        let wanted = (0..4).find_map(|_| {
            let asked = press(&mut state, "enter");
            let found = asked.into_iter().find_map(|command| match command {
                Command::OpenJobLog(log) => Some(log),
                _ => None,
            });
            press(&mut state, "esc j");
            found.filter(|log| log.job.name.as_str() == "backend-ci")
        });
        let step = wanted.and_then(|log| log.step);
        assert_eq!(step, Some(4), "{ended:?}");
    }
}

#[test]
fn m01_no_alerts_are_never_said_to_be_none_while_monitoring_is_not_alive() {
    use wheelhouse::estate::alerts::{AlertsSeen, RulesSeen};
    let mut state = full(Look::default());
    observe(
        &mut state,
        vec![Seen::Alerts(AlertsSeen::Rules(RulesSeen::default()))],
    );
    press(&mut state, "3");
    for size in SIZES {
        let screen = text(&mut state, size);
        assert!(
            screen.contains("UNKNOWN") && !screen.contains("no alerts;"),
            "{screen}"
        );
    }
}

#[test]
fn an_alert_that_fires_is_on_the_screen_from_every_panel() {
    let mut state = full(Look::default());
    for panel in ["1", "2", "4"] {
        press(&mut state, panel);
        let screen = text(&mut state, (80, 24));
        assert!(screen.contains("HighResponseTime"), "{screen}");
    }
}

#[test]
fn m02_targets_that_are_down_take_no_row_of_what_fires() {
    use wheelhouse::estate::alerts::{AlertsSeen, Targets};
    let mut state = full(Look::default());
    let why =
        "Get http://10.0.0.7:9100/metrics: dial tcp 10.0.0.7:9100: connect: connection refused";
    let down = |n: usize| ("node".into(), format!("10.0.0.{n}:9100").into(), why.into());
    let targets = Targets {
        up: 3,
        down: (0..4).map(down).collect(),
    };
    observe(&mut state, vec![Seen::Alerts(AlertsSeen::Targets(targets))]);
    for keys in ["2", "3"] {
        press(&mut state, keys);
        let screen = text(&mut state, (80, 24));
        for said in [
            "4 of 7 targets down",
            "✗ HighResponseTime",
            "p95 2.4 s > 2 s",
        ] {
            assert!(screen.contains(said), "{said}: {screen}");
        }
    }
}

#[test]
fn a_filter_without_a_hit_says_so_and_not_that_there_is_nothing() {
    for (panel, what) in [("1", "run"), ("2", "pod"), ("3", "alert")] {
        let mut state = full(Look::default());
        press(&mut state, &format!("{panel} / z z z"));
        let screen = text(&mut state, (80, 24));
        let said = format!("no {what} matches \"zzz\"");
        assert!(screen.contains(&said), "{screen}");
        assert!(
            !screen.contains("no runs of") && !screen.contains("no alerts;"),
            "{screen}"
        );
    }
}

#[test]
fn jobs_whose_names_differ_at_their_end_only_are_told_by_it() {
    use wheelhouse::estate::runs::{Job, Jobs, Progress, RunsSeen};
    let mut state = full(Look::default());
    let names = [
        "detect-changes",
        "deploy-environment-staging",
        "deploy-environment-production",
    ];
    let job = |(id, name): (u64, &str)| Job {
        id,
        name: name.into(),
        progress: Progress::Queued,
        started: None,
        completed: None,
        steps: Vec::new(),
        url: "".into(),
    };
    let jobs = Jobs {
        attempt: 1,
        jobs: (900..).zip(names).map(job).collect(),
    };
    let at = state.now.at;
    update(&mut state, Event::Repository(at, RunsSeen::Jobs(83, jobs)));
    settle(&mut state);
    press(&mut state, "1");
    let screen = text(&mut state, (60, 15));
    assert!(
        screen.contains("-staging …") && screen.contains("-production …"),
        "{screen}"
    );
}

#[test]
fn what_autoscalers_say_stands_beside_every_workload_or_beside_none() {
    for columns in (60..=160).step_by(4) {
        let screen = text(&mut cockpit(Look::default()), (columns, 30));
        let cells = screen.matches("HPA").count();
        assert!(cells == 0 || cells == hpas(), "{columns}: {screen}");
    }
}

/// How many Deployments have an autoscaler.
fn hpas() -> usize {
    cockpit(Look::default()).estate().autoscalers.value.len()
}

#[test]
fn a_run_without_a_branch_is_named_by_its_event() {
    use wheelhouse::estate::runs::RunsSeen;
    let mut state = full(Look::default());
    let mut all = state.repository.as_ref().unwrap().runs.value.clone();
    for run in &mut all {
        (run.branch, run.event) = (None, "pull_request".into());
    }
    let at = state.now.at;
    update(&mut state, Event::Repository(at, RunsSeen::Runs(all)));
    settle(&mut state);
    press(&mut state, "4");
    let screen = text(&mut state, (160, 50));
    assert!(screen.contains("run #1480 pull request failed"), "{screen}");
}

#[test]
fn details_at_80_columns() {
    for (name, keys) in [
        ("pod", "j j enter"),
        ("service", "0 enter"),
        ("deployment", "j l enter"),
        ("help", "?"),
        ("palette", ":"),
        ("environments", "e"),
    ] {
        let mut state = cockpit(Look::default());
        press(&mut state, keys);
        seen!(format!("{name}-80x24"), text(&mut state, (80, 24)));
    }
}

#[test]
fn a_log_follows_and_says_how_it_ended() {
    let mut state = cockpit(Look::default());
    press(&mut state, "j j o");
    let target = LogTarget {
        pod: ill_pod().name,
        container: "backend".into(),
        previous: false,
    };
    let lines = (0..40).map(|n| Safe::new(&format!("line {n}"))).collect();
    observe(
        &mut state,
        vec![Seen::Log(target.clone(), LogChunk::Lines(lines))],
    );
    let screen = text(&mut state, (80, 24));
    assert!(
        screen.contains("line 39") && screen.contains("following") && !screen.contains("line 2\n"),
        "{screen}"
    );
    press(&mut state, "g");
    let screen = text(&mut state, (80, 24));
    assert!(
        screen.contains("line 0") && screen.contains("held"),
        "{screen}"
    );
    observe(&mut state, vec![Seen::Log(target, LogChunk::Ended(None))]);
    assert!(text(&mut state, (80, 24)).contains("ended"));
}

#[test]
fn before_the_first_answer_nothing_is_said_to_be_absent() {
    let mut state = empty(Look::default(), false);
    for size in SIZES {
        let screen = text(&mut state, size);
        assert!(
            !screen.contains("no pods in") && !screen.contains("no such Service"),
            "{screen}"
        );
        assert!(screen.contains("waiting"), "{screen}");
    }
    seen!("waiting-80x24", text(&mut state, (80, 24)));
    press(&mut state, "0 enter");
    let page = text(&mut state, (80, 24));
    assert!(
        page.contains("was not seen yet") && !page.contains("gone"),
        "{page}"
    );
}

#[test]
fn an_api_server_that_is_away_ages_the_panels_and_says_why() {
    let mut state = cockpit(Look::default());
    let fault = Fault {
        kind: FaultKind::Unreachable,
        what: "prod-eu.example:6443: connection refused".into(),
    };
    let later = Now {
        wall: wall(),
        at: Moment(now().at.0 + 48_000),
    };
    update(&mut state, Event::Tick(later));
    observe(&mut state, vec![Seen::NoPulse(fault)]);
    for size in SIZES {
        let screen = text(&mut state, size);
        assert!(
            screen.contains("STALE 40s") && screen.contains("connection refused"),
            "{screen}"
        );
        assert!(
            screen.contains("3/3"),
            "the last good value stays\n{screen}"
        );
    }
    let screen = text(&mut state, (80, 24));
    assert!(
        screen.contains("? STALE 40s  10 pods  ✗ 1 not ready"),
        "the trouble is counted\n{screen}"
    );
    seen!("stale-80x24", text(&mut state, (80, 24)));
}

/// A pipeline goes there and back again: the API knows the last flip of each Service alone.
#[test]
fn each_flip_by_somebody_else_that_was_seen_stays_in_the_timeline() {
    let mut state = empty(Look::default(), false);
    observe(&mut state, production());
    for (colour, seconds) in [("green", 240), ("blue", 60)] {
        let service = state.estate().services.value.get("digital-wall-service");
        let mut service = service.unwrap().clone();
        service.selector = service.selector.with(&"version".into(), &colour.into());
        service.managers[1].at = ago(seconds);
        let changed = Delta::Changes(vec![Change::Applied(service)]);
        observe(&mut state, vec![Seen::Services(changed)]);
    }
    press(&mut state, "4");
    let screen = text(&mut state, (160, 50));
    for words in [
        "13:58  ● digital-wall-service selects version=green",
        "14:01  ● digital-wall-service selects version=blue",
    ] {
        assert!(screen.contains(words), "{words}\n{screen}");
    }
}

#[test]
fn m07_a_prometheus_whose_clock_is_off_says_so_on_the_screen() {
    use wheelhouse::estate::alerts::AlertsSeen;
    let mut state = full(Look::default());
    let said = |state: &mut State| {
        press(state, "3");
        let screen = text(state, (160, 50));
        screen.contains("Prometheus' clock is 120 s behind the API server's")
    };
    let mut all = alerts();
    let mut told = |seconds: i64| {
        for seen in &mut all {
            if let Seen::Alerts(AlertsSeen::Rules(rules)) = seen {
                rules.server = ago(seconds);
            }
        }
        all.clone()
    };
    observe(&mut state, told(2));
    assert!(!said(&mut state));
    observe(&mut state, told(120));
    assert!(said(&mut state));
}

#[test]
fn a_kind_beside_traffic_that_is_stale_says_so_in_words() {
    let mut state = empty(Look::default(), false);
    observe(&mut state, production());
    let fault = Fault {
        kind: FaultKind::Server,
        what: "prod-eu: 503 from the metrics of autoscalers".into(),
    };
    let kind = Kind::HorizontalPodAutoscalers;
    observe(&mut state, vec![Seen::Failed(kind, fault)]);
    for size in [(80, 24), (160, 50)] {
        let screen = text(&mut state, size);
        assert!(screen.contains("k8s ? STALE"), "{screen}");
        assert!(screen.contains("503 from the metrics"), "{screen}");
    }
}

/// Production for somebody who may not see `kind`, whose observations are those that `gone` accepts.
fn without(gone: fn(&Seen) -> bool, kind: Kind, what: &str) -> State {
    let mut state = empty(Look::default(), false);
    let mut seen = production();
    seen.retain(|s| !gone(s) && *s != Seen::Opened(kind));
    seen.push(Seen::Failed(kind, forbidden(what)));
    observe(&mut state, seen);
    state
}

fn forbidden(what: &str) -> Fault {
    Fault {
        kind: FaultKind::Forbidden,
        what: what.into(),
    }
}

#[test]
fn a_page_says_of_what_may_not_be_seen_that_it_is_not_known_and_why() {
    let is_pod = |s: &Seen| matches!(s, Seen::Pods(_));
    let is_slice = |s: &Seen| matches!(s, Seen::Slices(_));
    let is_set = |s: &Seen| matches!(s, Seen::ReplicaSets(_));
    let heading = |screen: &str, words: &str| -> String {
        let lines = screen.lines().skip_while(|line| !line.contains(words));
        lines.take(2).collect::<Vec<_>>().join("\n")
    };
    let page = |state: &mut State, view: wheelhouse::app::View| {
        state.levels = vec![wheelhouse::app::Level::new(view)];
        text(state, (120, 60))
    };
    let deployment = || wheelhouse::app::View::Deployment("digital-wall-green-backend".into());
    let service = || wheelhouse::app::View::Service("digital-wall-service".into());

    let mut state = without(is_pod, Kind::Pods, "forbidden: list pods in shop");
    let screen = page(&mut state, deployment());
    let said = heading(&screen, "║  Pods");
    assert!(said.contains("forbidden: list pods"), "{screen}");
    let screen = page(&mut state, service());
    assert!(screen.contains("pod not known"), "{screen}");
    assert!(!screen.contains("no pod of this environment"), "{screen}");

    let what = "forbidden: list endpointslices in shop";
    let screen = page(
        &mut without(is_slice, Kind::EndpointSlices, what),
        service(),
    );
    assert!(heading(&screen, "Endpoints").contains(what), "{screen}");

    let what = "forbidden: list replicasets in shop";
    let screen = page(&mut without(is_set, Kind::ReplicaSets, what), deployment());
    assert!(heading(&screen, "Revisions").contains(what), "{screen}");

    let mut early = empty(Look::default(), false);
    let mut seen = production();
    seen.retain(|s| !is_pod(s) && !is_slice(s) && !is_set(s));
    observe(&mut early, seen);
    let screen = page(&mut early, deployment());
    for words in ["║  Pods", "Revisions"] {
        let said = heading(&screen, words);
        assert!(said.contains("not seen yet"), "{words} in\n{screen}");
    }
    let screen = page(&mut early, service());
    let said = heading(&screen, "Endpoints");
    assert!(said.contains("not seen yet"), "{screen}");
}

#[test]
fn a_clock_that_is_off_and_a_kind_that_may_not_be_seen_are_told_at_every_size_and_tier() {
    for (selected, skew) in [(0, 75_000), (1, -75_000), (2, 75_000)] {
        let mut state = empty(Look::default(), false);
        state.selected = selected;
        state.environments[selected].estate.cluster.skew_ms = Some(skew);
        let mut seen = production();
        seen.retain(|s| !matches!(s, Seen::Events(_)) && *s != Seen::Opened(Kind::Events));
        observe(&mut state, seen);
        for size in SIZES {
            let screen = text(&mut state, size);
            assert!(screen.contains("75 s"), "{screen}");
        }
        let fault = forbidden("forbidden: list events in shop");
        observe(&mut state, vec![Seen::Failed(Kind::Events, fault)]);
        for size in SIZES {
            let screen = text(&mut state, size);
            let header = screen.lines().next().unwrap();
            assert!(size.0 == 60 || header.contains("k8s live"), "{screen}");
            assert!(screen.contains("75 s"), "{screen}");
            assert!(screen.contains("unseen"), "{screen}");
        }
    }
}

#[test]
fn what_may_not_be_seen_is_named_and_is_neither_zero_nor_an_alarm() {
    let is_event = |s: &Seen| matches!(s, Seen::Events(_));
    let mut state = without(is_event, Kind::Events, "forbidden: list events in shop");
    let screen = text(&mut state, (80, 24));
    assert!(screen.contains("k8s live ? events unseen"), "{screen}");
    assert!(!screen.contains("NO DATA"), "{screen}");
    press(&mut state, "enter");
    let screen = text(&mut state, (80, 40));
    assert!(screen.contains("forbidden: list events"), "{screen}");

    let is_pod = |s: &Seen| matches!(s, Seen::Pods(_));
    let mut state = without(is_pod, Kind::Pods, "forbidden: list pods in shop");
    for size in [(80, 24), (120, 30)] {
        let screen = text(&mut state, size);
        for words in [
            "forbidden: list pods",
            "? pods unseen",
            "ready ?/5",
            "endpoints ?",
            "frontend  ?/3",
        ] {
            assert!(screen.contains(words), "{words} in\n{screen}");
        }
        assert!(!screen.contains("no ready endpoint"), "{screen}");
    }
    assert!(text(&mut state, (120, 30)).contains("↺ ?"), "restarts");
    // In one line alike, also before anything but the Services was seen.
    let mut early = empty(Look::default(), false);
    let is_service = |s: &Seen| matches!(s, Seen::Services(_) | Seen::Opened(Kind::Services));
    observe(
        &mut early,
        production().into_iter().filter(is_service).collect(),
    );
    for (state, ready) in [(&mut state, "LIVE ?/5"), (&mut early, "LIVE ?/?")] {
        let screen = text(state, (60, 15));
        assert!(screen.contains(ready), "{ready} in\n{screen}");
        assert!(!screen.contains("0/"), "{screen}");
    }
    let verdict = state.estate().verdict(now());
    assert!(matches!(verdict, Verdict::Unknown(_)), "{verdict:?}");
}

#[test]
fn services_that_disagree_are_an_alarm() {
    let mut state = cockpit(Look::default());
    let change = Change::Applied(service("digital-wall-api", "backend", "green"));
    observe(
        &mut state,
        vec![Seen::Services(Delta::Changes(vec![change]))],
    );
    let screen = text(&mut state, (80, 24));
    assert!(screen.contains("do not agree"), "{screen}");
    assert!(
        !screen.contains("LIVE"),
        "no colour is live when they disagree\n{screen}"
    );
}

#[test]
fn a_pod_with_an_address_of_each_family_is_one_endpoint_and_one_item() {
    let mut state = cockpit(Look::default());
    let counts = |state: &State| {
        let views = state.estate().service_views();
        let counts = views.iter().map(|v| (v.ready, v.serving, v.foreign));
        let counts: Vec<_> = counts.collect();
        let items = |name: &Safe| {
            let view = wheelhouse::app::View::Service(name.clone());
            wheelhouse::app::view::items(state, &view)
        };
        let items: Vec<_> = views.iter().map(|v| items(v.name)).collect();
        (counts, items)
    };
    let single = counts(&state);
    assert_eq!((single.0[0].0, single.1[0].len()), ([3, 0], 3));
    let fourth: Vec<Slice> = state.estate().slices.value.iter().cloned().collect();
    let sixth = |slice: &Slice| {
        let mut sixth = slice.clone();
        sixth.name = format!("{}-v6", slice.name).into();
        for (n, endpoint) in sixth.endpoints.iter_mut().enumerate() {
            endpoint.address = format!("fd00::{n:x}").into();
        }
        sixth
    };
    let mut sixth: Vec<Slice> = fourth.iter().map(sixth).collect();
    let told = |state: &mut State, slices: &[Slice]| {
        let changes = slices.iter().cloned().map(Change::Applied).collect();
        observe(state, vec![Seen::Slices(Delta::Changes(changes))]);
    };
    told(&mut state, &sixth);
    assert_eq!(counts(&state), single);
    // It takes traffic while one of its addresses does, and is ready when both are.
    for slice in &mut sixth {
        let endpoint = &mut slice.endpoints[0];
        (endpoint.ready, endpoint.serving) = (false, false);
    }
    told(&mut state, &sixth);
    let view = &state.estate().service_views()[0];
    assert_eq!((view.ready, view.serving), ([2, 0], [3, 0]));
}

#[test]
fn a_selector_of_neither_colour_is_an_alarm() {
    let mut state = cockpit(Look::default());
    let change = Change::Applied(service("digital-wall-service", "frontend", "red"));
    observe(
        &mut state,
        vec![Seen::Services(Delta::Changes(vec![change]))],
    );
    assert!(text(&mut state, (120, 30)).contains("neither colour"));
}

#[test]
fn a_pod_in_trouble_says_why_beside_its_name() {
    let screen = text(&mut cockpit(Look::default()), (120, 30));
    let at = screen.find("6b9f7c5d48-x2k1m").unwrap();
    assert!(
        screen[at..].contains("GET /ready :8000 every 5s · HTTP probe failed with statuscode: 503"),
        "{screen}"
    );
}

#[test]
fn the_demo_is_named_at_every_size() {
    let mut state = empty(Look::default(), true);
    observe(&mut state, production());
    for size in [(30, 5), (60, 15), (80, 24), (120, 30), (200, 50)] {
        assert!(text(&mut state, size).contains("DEMO"), "{size:?}");
    }
}

#[test]
fn t09_without_colour_the_status_is_still_said_and_no_colour_leaves() {
    let look = Look {
        mono: true,
        ..Look::default()
    };
    for keys in ["", "?", "e", "j j enter", "0 enter"] {
        let mut state = cockpit(look);
        if !keys.is_empty() {
            press(&mut state, keys);
        }
        let buffer = drawn(&mut state, (120, 30));
        for cell in &buffer.content {
            assert_eq!((cell.fg, cell.bg), (Color::Reset, Color::Reset));
        }
        let screen = rows(&buffer).join("\n");
        assert!(
            screen.contains("LIVE") && screen.contains("READ-ONLY"),
            "{screen}"
        );
    }
}

#[test]
fn t08_an_ascii_terminal_gets_ascii_only() {
    let look = Look {
        ascii: true,
        ..Look::default()
    };
    for (keys, size) in [
        ("", (120, 30)),
        ("", (60, 15)),
        ("?", (80, 24)),
        ("j j enter", (80, 24)),
        ("0 enter", (80, 24)),
    ] {
        let mut state = cockpit(look);
        if !keys.is_empty() {
            press(&mut state, keys);
        }
        let screen = text(&mut state, size);
        assert!(
            screen
                .chars()
                .all(|c| c == '\n' || (' '..='~').contains(&c)),
            "{screen}"
        );
    }
    seen!("ascii-80x24", text(&mut cockpit(look), (80, 24)));
}

/// Escapes, bidi, zero-width, combining marks, newlines and a mebibyte.
fn hostile() -> String {
    let mut text = "\u{1b}[2J\u{1b}]0;owned\u{7}\u{202e}evil\u{200d}\u{9b}31m\r\nz\u{301}\u{301}\u{301}\u{301}".to_owned();
    text.push_str(&"A".repeat(1 << 20));
    text
}

#[test]
fn k14_g11_hostile_text_in_every_field_stays_text() {
    let evil = || Safe::new(&hostile());
    let mut bad = ill_pod();
    bad.name = evil();
    bad.node = Some(evil());
    bad.phase = evil();
    bad.unschedulable = Some(evil());
    bad.owner = Some(evil());
    bad.labels = [
        (evil(), evil()),
        ("part".into(), "backend".into()),
        ("version".into(), "green".into()),
    ]
    .into_iter()
    .collect();
    bad.containers[0].name = evil();
    bad.containers[0].image.name = evil();
    bad.containers[0].image.digest = Some(evil());
    bad.containers[0].probe = Some(evil());
    bad.containers[0].state = ContainerState::Waiting {
        reason: evil(),
        message: Some(evil()),
    };
    let mut service = service("digital-wall-service", "frontend", "blue");
    service.selector = [(evil(), evil()), ("version".into(), evil())]
        .into_iter()
        .collect();
    service.managers[0].name = evil();
    service.ports = vec![evil()];
    let mut event = unhealthy(&bad);
    event.message = evil();
    event.reason = evil();
    for keys in ["", "j j enter", "0 enter", "G enter o"] {
        let mut state = cockpit(Look::default());
        observe(
            &mut state,
            vec![
                Seen::Pods(Delta::Changes(vec![Change::Applied(bad.clone())])),
                Seen::Services(Delta::Changes(vec![Change::Applied(service.clone())])),
                Seen::Events(Delta::Changes(vec![Change::Applied(event.clone())])),
            ],
        );
        if !keys.is_empty() {
            press(&mut state, keys);
        }
        let fault = Fault {
            kind: FaultKind::Malformed,
            what: evil(),
        };
        observe(&mut state, vec![Seen::Failed(Kind::Pods, fault)]);
        for size in SIZES {
            let screen = text(&mut state, size);
            let obeyed = |c: char| {
                c != '\n'
                    && (c.is_control() || ('\u{202a}'..='\u{202e}').contains(&c) || c == '\u{200d}')
            };
            assert!(!screen.chars().any(obeyed), "{screen}");
            assert!(screen.contains("PROD"), "the frame stands\n{screen}");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    /// T07: from 0×0 to 500×200, whatever is open.
    #[test]
    fn t07_no_size_panics(columns in 0u16..=500, rows in 0u16..=200, open in 0usize..8, ascii in any::<bool>()) {
        let keys = ["tab", "?", ":", "3 enter", "1 enter", "0 enter", "j l enter", "j j o"][open];
        let mut state = full(Look { ascii, ..Look::default() });
        press(&mut state, keys);
        let buffer = drawn(&mut state, (columns, rows));
        prop_assert_eq!(buffer.area, Rect::new(0, 0, columns, rows));
    }

    /// Any keys in any order never panic, and the cursor stays inside of the list.
    #[test]
    fn any_keys_in_any_order(keys in proptest::collection::vec(0usize..24, 0..40)) {
        let known = ["j", "k", "h", "l", "g", "G", "enter", "esc", "tab", "shift-tab", "/", ":", "?", "e", "o", "p",
            "0", "1", "3", "pgdn", "pgup", "f", "y", "x"];
        let mut state = full(Look::default());
        for key in keys {
            press(&mut state, known[key]);
            drawn(&mut state, (80, 24));
            let environment = state.environment();
            prop_assert!(environment.cursor.index <= environment.row_count());
        }
    }
}

#[test]
fn o01_keys_typed_ahead_of_the_frame_find_the_narrowed_list() {
    let mut state = cockpit(Look::default());
    // No frame, and so no settling, between these keys.
    for key in ["/", "g", "5", "h", "6", "i", "enter", "G", "enter"] {
        update(&mut state, Event::Key(key.parse().unwrap()));
    }
    let screen = text(&mut state, (80, 24));
    assert!(
        screen.contains("Pod  digital-wall-green-frontend-6b9f7c5d48-g5h6i"),
        "{screen}"
    );
}

/// Opens the plan of a silence for the first alert, in an environment whose window is open.
fn silencing() -> State {
    let mut state = full(Look::default());
    press(&mut state, "3 : w r i t e space 1 5 m enter S");
    assert!(
        matches!(state.overlay, Some(wheelhouse::app::Overlay::Plan(_))),
        "{:?}",
        state.notice
    );
    state
}

#[test]
fn the_plan_of_a_silence_says_what_it_would_do() {
    let mut state = silencing();
    seen!("silence-80x24", text(&mut state, (80, 24)));
    press(&mut state, "r e l e a s e space 4 2 enter enter");
    pass(&mut state, 1);
    seen!("silence-prompt-120x30", text(&mut state, (120, 30)));
}

/// The chart of the alert whose page is open, as it would come.
fn charted(state: &mut State, answer: Result<wheelhouse::estate::chart::Chart, Fault>) {
    let wanted = wheelhouse::app::chart::wanted(state).unwrap();
    let at = state.now.at;
    update(state, Event::Charted(wanted, at, answer));
}

fn hour() -> wheelhouse::estate::chart::Chart {
    use wheelhouse::estate::chart::{Chart, Series};
    let points = |lead: f64| {
        let point = |n: i32| (!(20..26).contains(&n)).then(|| lead + f64::from(n * n) / 1_500.0);
        (0..=60).map(point).collect()
    };
    let series = |colour: &str, lead| Series {
        labels: labels(&[("colour", colour), ("service", "backend")]),
        points: points(lead),
    };
    Chart {
        start: ago(3_600).unwrap(),
        step: 60,
        series: vec![series("blue", 9.0), series("green", 0.2)],
        more: 3,
        warnings: Vec::new(),
    }
}

#[test]
fn the_alerts_page_shows_its_own_series_over_the_last_hour_with_its_gaps() {
    let mut state = full(Look::default());
    press(&mut state, "3 enter");
    assert!(text(&mut state, (80, 24)).contains("asked for"));
    charted(&mut state, Ok(hour()));
    seen!("chart-80x24", text(&mut state, (80, 24)));
    seen!("chart-120x30", text(&mut state, (120, 30)));
    state.look.ascii = true;
    seen!("chart-ascii-80x24", text(&mut state, (80, 24)));
    press(&mut state, "esc");
    assert_eq!(wheelhouse::app::chart::wanted(&state), None, "nobody looks");
}

#[test]
fn m03_m04_what_is_wrong_with_a_chart_is_said_in_its_place_and_what_was_seen_stays() {
    let mut state = full(Look::default());
    press(&mut state, "3 enter");
    let failed = |what: &str| Fault {
        kind: FaultKind::Malformed,
        what: what.into(),
    };
    charted(&mut state, Err(failed("prometheus: bad_data: parse error")));
    let screen = text(&mut state, (80, 24));
    assert!(
        screen.contains("no chart: prometheus: bad_data: parse error"),
        "{screen}"
    );
    let mut empty = hour();
    empty.series.clear();
    charted(&mut state, Ok(empty));
    let screen = text(&mut state, (80, 24));
    assert!(
        screen.contains("returned nothing in the last hour"),
        "{screen}"
    );
    let mut nan = hour();
    nan.series[1].points.fill(None);
    nan.warnings = vec!["prometheus-1 did not answer".into()];
    charted(&mut state, Ok(nan));
    let screen = text(&mut state, (80, 24));
    assert!(screen.contains("none that is a number"), "{screen}");
    assert!(
        screen.contains("? partial: prometheus-1 did not answer"),
        "{screen}"
    );
    charted(&mut state, Ok(hour()));
    pass(&mut state, 70);
    charted(&mut state, Err(failed("no answer within 5 s")));
    let screen = text(&mut state, (80, 24));
    assert!(
        screen.contains("? as of 1m ago: no answer within 5 s"),
        "{screen}"
    );
    assert!(screen.contains("gaps: 6 of 61 points"), "{screen}");
}

#[test]
fn m02_what_is_missing_from_an_answer_is_said_on_the_panel_in_whole_sentences() {
    use wheelhouse::estate::alerts::AlertsSeen;
    let mut state = full(Look::default());
    let gap = "of 2 replicas 10.0.0.7:9093 is missing: it refuses connections, its last word";
    let seen = AlertsSeen::HandlingGaps(vec![gap.into()]);
    observe(&mut state, vec![Seen::Alerts(seen)]);
    let screen = text(&mut state, (120, 30));
    assert!(screen.contains("? partial: of 2 replicas"), "{screen}");
    assert!(screen.contains("last word"), "cut off:\n{screen}");
    assert!(screen.contains("✗ HighResponseTime"), "{screen}");
}

#[test]
fn the_page_of_an_inhibited_alert_says_what_inhibits_it() {
    use wheelhouse::estate::alerts::{AlertsSeen, Handled};
    let mut state = full(Look::default());
    let views = state.estate().alerts.as_ref().unwrap().views();
    let slow = views
        .iter()
        .find(|v| v.rule.name.contains("HighResponseTime"));
    let handled = Handled {
        labels: slow.unwrap().alert.labels.clone(),
        silenced_by: Vec::new(),
        inhibited_by: vec!["HighErrorRate colour=green severity=critical".into()],
    };
    let handling = AlertsSeen::Handling(vec![handled], Vec::new());
    observe(&mut state, vec![Seen::Alerts(handling)]);
    press(&mut state, "3");
    let screen = text(&mut state, (120, 30));
    assert!(screen.contains("inhibited"), "{screen}");
    press(&mut state, "/ H i g h R enter enter");
    let screen = text(&mut state, (80, 24));
    assert!(
        screen.contains("inhibited by HighErrorRate colour=green severity=critical"),
        "{screen}"
    );
}

#[test]
fn m06_an_annotation_that_is_no_address_of_the_web_is_text_and_no_link() {
    use wheelhouse::estate::alerts::AlertsSeen;
    let mut state = full(Look::default());
    let mut rules = state.estate().alerts.as_ref().unwrap().rules.value.clone();
    let hostile = labels(&[
        ("runbook_url", "javascript:alert(1)"),
        ("dashboard", "https://grafana.example/d/1"),
    ]);
    for rule in &mut rules.rules {
        for alert in &mut rule.alerts {
            alert.annotations = hostile.clone();
        }
    }
    observe(&mut state, vec![Seen::Alerts(AlertsSeen::Rules(rules))]);
    press(&mut state, "3 enter");
    let screen = text(&mut state, (120, 40));
    assert!(
        screen.contains("dashboard     https://grafana.example/d/1"),
        "{screen}"
    );
    assert!(
        screen.contains("runbook_url        javascript:alert(1)"),
        "{screen}"
    );
    assert!(!screen.contains("runbook       "), "{screen}");
}
