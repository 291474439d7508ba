//! Operations by key, on a pseudo-terminal against the embedded estate: what is begun goes on without the
//! terminal, and whoever looks sees the same.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Resource, Rlimit, Signal, getrlimit, kill_process, prlimit};

use super::{LONG, SIZE, escape, run, wait_gone, wait_heard, wait_live};
use crate::{
    estate::{Served, within},
    pty::{Pty, SOON, text_of, wait_until},
};

/// A cutover that is watched for so many seconds, with a Lease that is soon anybody's.
fn configured(estate: &Served, watch: u32) -> PathBuf {
    let mut text = estate.config_text();
    for (slow, quick) in [
        ("\nlease = 60\n", "\nlease = 6\n".to_owned()),
        ("\nrenew = 10\n", "\nrenew = 1\n".to_owned()),
        ("\ngive_up = 40\n", "\ngive_up = 4\n".to_owned()),
        ("\nsoak = 120\n", format!("\nsoak = {watch}\n")),
    ] {
        assert!(text.contains(slow), "{slow:?} is not in the estate's file");
        text = text.replace(slow, &quick);
    }
    estate.home.write("quick.toml", &text)
}

fn cockpit(estate: &Served, config: &Path, args: &[&str]) -> Pty {
    let config = config.to_str().unwrap();
    let pty = run(
        &estate.home,
        &[&["--config", config], args].concat(),
        &[],
        SIZE,
    );
    wait_live(&pty);
    pty
}

/// Opens the plan of a cutover, gives the reason, and waits until the prompt listens.
fn plan(pty: &Pty) {
    pty.send("C");
    pty.wait_text("CUT OVER production to GREEN");
    // A gate that is read only now would void the plan.
    pty.wait_text("too little traffic to tell");
    pty.send("release 42\r");
    wait_prompt(pty);
}

fn wait_prompt(pty: &Pty) {
    pty.wait_for("the prompt", SOON, |screen, _| {
        let text = text_of(screen);
        text.contains("type  ") && !text.contains("then type  ")
    });
}

fn confirm(pty: &Pty) {
    pty.send("production/digital-wall-service\r");
}

/// Waits until the operation is in its watch; GREEN is live then.
fn wait_watch(pty: &Pty) {
    pty.wait_for("the watch", LONG, |screen, _| {
        text_of(screen).contains("  watched ")
    });
}

/// A cockpit in its own cutover, that is watched for so many seconds and is in that watch now.
pub(super) fn watched(seconds: u32) -> (Served, PathBuf, Pty) {
    let estate = Served::start(&[]);
    let config = configured(&estate, seconds);
    let pty = cockpit(&estate, &config, &["--write"]);
    plan(&pty);
    confirm(&pty);
    wait_watch(&pty);
    (estate, config, pty)
}

/// What `op list` says; nothing where there is none.
fn list(estate: &Served, config: &Path) -> String {
    let config = config.to_str().unwrap();
    let mut command = estate
        .home
        .command(&["--config", config, "op", "list", "production"]);
    let out = command.output().unwrap();
    let said = String::from_utf8_lossy(&out.stdout);
    said.replace("no operations\n", "")
}

/// The workers of this estate's home that run.
fn workers(estate: &Served) -> Vec<Pid> {
    let home = estate.home.env().1;
    let is_worker = |entry: &fs::DirEntry| {
        let read = |name: &str| fs::read(entry.path().join(name)).unwrap_or_default();
        let is_it = read("cmdline").split(|b| *b == 0).nth(1) == Some(b"worker");
        let wanted = format!("HOME={home}");
        is_it
            && read("environ")
                .split(|b| *b == 0)
                .any(|v| v == wanted.as_bytes())
    };
    let all = fs::read_dir("/proc").unwrap().flatten().filter(is_worker);
    let pids = all.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    pids.filter_map(Pid::from_raw).collect()
}

#[test]
fn t02_a_terminal_closed_in_mid_cutover_leaves_it_to_its_worker_and_the_next_one_shows_the_same() {
    let (estate, config, mut first) = watched(20);
    let id = list(&estate, &config).split(' ').next().unwrap().to_owned();
    let worker = workers(&estate)[0];
    let stat = fs::read_to_string(format!("/proc/{}/stat", worker.as_raw_nonzero())).unwrap();
    let session = stat
        .rsplit_once(')')
        .unwrap()
        .1
        .split_whitespace()
        .nth(3)
        .unwrap();
    assert_eq!(
        session,
        worker.as_raw_nonzero().to_string(),
        "a session of its own"
    );
    first.close();
    assert_eq!(first.wait_exit(SOON).code, 129);
    let second = cockpit(&estate, &config, &[]);
    second.wait_for("the same operation", LONG, |screen, _| {
        let text = text_of(screen);
        text.contains("Operation  cutover to GREEN by") && text.contains("elapsed")
    });
    second.send("5");
    second.wait_text(&id);
    escape(&second);
    second.wait_for("its end", LONG, |screen, _| {
        text_of(screen).contains("✓ done: GREEN is live")
    });
    assert_eq!(list(&estate, &config).lines().count(), 1, "one operation");
}

/// When the cockpit is killed.
enum Moment {
    /// The worker waits for its confirmation.
    Asked,
    /// There is a record; nothing may have been flipped yet.
    Recorded,
    /// GREEN is live and watched.
    Watched,
}

/// Kills a cockpit with its operation under way; the estate, its configuration and the worker that was left.
fn killed_at(moment: Moment) -> (Served, PathBuf, Pid) {
    let estate = Served::start(&[]);
    let config = configured(&estate, 20);
    let mut pty = cockpit(&estate, &config, &["--write"]);
    plan(&pty);
    let worker = workers(&estate)[0];
    match moment {
        Moment::Asked => {}
        Moment::Recorded => {
            confirm(&pty);
            wait_until("the record", LONG, || !list(&estate, &config).is_empty());
        }
        Moment::Watched => {
            confirm(&pty);
            wait_watch(&pty);
        }
    }
    pty.signal(Signal::KILL);
    assert!(pty.wait_exit(SOON).signal.is_some());
    (estate, config, worker)
}

/// Kills it at that moment, and looks whether its worker and nobody else brings the operation to its end.
fn goes_on_when_killed(moment: Moment) {
    let (estate, config, worker) = killed_at(moment);
    assert_eq!(workers(&estate), [worker]);
    wait_until("its end", LONG, || {
        list(&estate, &config).contains("done: GREEN is live")
    });
    wait_until("the end of its worker", LONG, || {
        workers(&estate).is_empty()
    });
    let second = cockpit(&estate, &config, &[]);
    second.wait_for("the operation and what it did", LONG, |screen, _| {
        let text = text_of(screen);
        text.contains("✓ done: GREEN is live") && text.contains("GREEN  ● LIVE")
    });
    assert_eq!(list(&estate, &config).lines().count(), 1, "one operation");
}

#[test]
fn p01_a_cockpit_that_is_killed_when_there_is_a_record_leaves_its_operation_to_the_worker() {
    goes_on_when_killed(Moment::Recorded);
}

#[test]
fn p01_a_cockpit_that_is_killed_in_the_watch_leaves_its_operation_to_the_worker() {
    goes_on_when_killed(Moment::Watched);
}

#[test]
fn p01_a_cockpit_that_is_killed_before_the_confirmation_leaves_no_worker_and_no_operation() {
    let (estate, config, _) = killed_at(Moment::Asked);
    wait_until("the end of its worker", LONG, || {
        workers(&estate).is_empty()
    });
    assert_eq!(list(&estate, &config), "");
    let second = cockpit(&estate, &config, &[]);
    second.wait_for("BLUE", LONG, |screen, _| {
        text_of(screen).contains("BLUE   ● LIVE")
    });
}

#[test]
fn o04_quitting_says_that_it_goes_on_and_how_to_look_at_it() {
    let (_estate, _, mut pty) = watched(20);
    pty.send([0x03]);
    let exit = pty.wait_exit(SOON);
    assert_eq!(exit.code, 0);
    pty.wait_end_of_output();
    let raw = String::from_utf8_lossy(&pty.raw()).into_owned();
    let end = raw.rsplit("\x1b[?1049l").next().unwrap();
    assert!(
        end.contains("goes on in its worker; `wheelhouse op watch "),
        "{end:?}"
    );
}

#[test]
fn o04_what_is_not_answered_is_left_only_when_quitting_is_asked_for_twice_and_is_named() {
    let estate = Served::start(&[]);
    let config = configured(&estate, 2);
    let mut pty = cockpit(&estate, &config, &["--write"]);
    pty.send("Z");
    pty.wait_text("FREEZE production");
    pty.send("sale\r\r");
    wait_prompt(&pty);
    estate.act(r#"{"do": "slow", "ms": 60000, "times": 1000, "for": "5m"}"#);
    pty.send("production\r");
    pty.wait_text("stay until it is answered");
    escape(&pty);
    pty.send("q");
    pty.wait_text("not answered yet");
    pty.send("q");
    assert_eq!(pty.wait_exit(SOON).code, 0);
    pty.wait_end_of_output();
    let raw = String::from_utf8_lossy(&pty.raw()).into_owned();
    let end = raw.rsplit("\x1b[?1049l").next().unwrap();
    assert!(
        end.contains("freeze of production: just confirmed"),
        "{end:?}"
    );
}

#[test]
fn i_47_a_warm_colour_that_is_another_by_now_is_not_spoken_of() {
    let estate = Served::start(&[]);
    let config = configured(&estate, 2);
    let back = |to| {
        let config = config.to_str().unwrap();
        let args = ["--config", config, "rollback", "production", "--yes"];
        let mut command = estate.home.command(&[&args[..], &["--to", to]].concat());
        let out = command.output().unwrap();
        assert!(out.status.success(), "{out:?}");
    };
    let pty = cockpit(&estate, &config, &["--write"]);
    back("green");
    pty.wait_for("GREEN live", LONG, |screen, _| {
        text_of(screen).contains("GREEN  ● LIVE")
    });
    pty.send("H");
    pty.wait_text("HOLD BLUE OF PRODUCTION");
    pty.send("a demo\r\r");
    wait_prompt(&pty);
    // The screen hears nothing of it.
    estate.act(r#"{"do": "drop-watches"}"#);
    back("blue");
    pty.send("production\r");
    pty.wait_text("Refused: that was changed meanwhile: now it is GREEN");
}

#[test]
fn p09_a_second_cockpit_sees_the_operation_and_starts_no_second_worker() {
    let estate = Served::start(&[]);
    let config = configured(&estate, 20);
    let first = cockpit(&estate, &config, &["--write"]);
    let second = cockpit(&estate, &config, &["--write"]);
    plan(&first);
    confirm(&first);
    second.wait_text("Operation  cutover to GREEN by");
    second.send("C");
    second.wait_text("Refused: ");
    assert_eq!(workers(&estate).len(), 1);
    escape(&second);
    wait_watch(&second);
    second.send("B");
    second.wait_text("ABORT the cutover of production");
    second.send("wrong release\r");
    wait_prompt(&second);
    second.send("abort\r");
    for pty in [&first, &second] {
        pty.wait_for("the end", LONG, |screen, _| {
            text_of(screen).contains("! rolled back")
        });
        pty.wait_for("BLUE", LONG, |screen, _| {
            text_of(screen).lines().any(|l| l.contains("BLUE   ● LIVE"))
        });
    }
}

#[test]
fn o01_o02_typing_ahead_and_wrong_words_begin_nothing() {
    let estate = Served::start(&[]);
    let config = configured(&estate, 2);
    let pty = cockpit(&estate, &config, &["--write"]);
    // A gate that is read only now would void the plan.
    pty.send("C");
    pty.wait_text("too little traffic to tell");
    escape(&pty);
    pty.send("Crelease 42\r\rproduction/digital-wall-service\r");
    wait_prompt(&pty);
    for wrong in [
        "production",
        "production/digital-wall-service ",
        "Production/digital-wall-service",
    ] {
        pty.send(format!("{wrong}\r"));
        pty.wait_text("letter by letter: nothing was done");
        pty.send([0x15]);
        wait_gone(&pty, "letter by letter");
    }
    assert_eq!(list(&estate, &config), "");
    pty.send("production/digital-wall-service\r\r\r");
    pty.wait_for("its end", LONG, |screen, _| {
        text_of(screen).contains("✓ done: GREEN")
    });
    wait_heard(&pty);
    assert_eq!(list(&estate, &config).lines().count(), 1, "one act");
}

#[test]
fn o03_a_selector_that_a_colleague_changes_meanwhile_voids_the_plan() {
    let estate = Served::start(&[]);
    let config = configured(&estate, 2);
    let pty = cockpit(&estate, &config, &["--write"]);
    plan(&pty);
    let kubeconfig = estate.config.with_file_name("kubeconfig.yaml");
    assert!(kubeconfig.exists());
    estate.act(r#"{"do":"flip","to":"green"}"#);
    pty.wait_for("the void plan", LONG, |screen, _| {
        text_of(screen).contains("Void: ")
    });
    confirm(&pty);
    wait_heard(&pty);
    assert_eq!(list(&estate, &config), "");
}

#[test]
fn o07_read_only_refuses_a_cutover_and_lets_a_rollback_through() {
    let estate = Served::start(&[]);
    let config = configured(&estate, 2);
    let pty = cockpit(&estate, &config, &[]);
    pty.send("C");
    pty.wait_text("Refused: production is read-only");
    assert!(workers(&estate).is_empty(), "none for what is refused");
    escape(&pty);
    // The images of GREEN came when BLUE was live already: that is no way back.
    pty.send("R");
    pty.wait_text("Refused: GREEN was never live as it is");
    escape(&pty);
    estate.act(
        r#"{"do": "flip", "namespace": "production", "to": "green", "manager": "kubectl-edit"}"#,
    );
    let is_live = |colour: &'static str| {
        move |screen: &vt100::Screen, _: &_| {
            let text = text_of(screen);
            let mut lines = text.lines();
            lines.any(|line| line.contains(colour) && line.contains("● LIVE"))
        }
    };
    pty.wait_for("GREEN live", LONG, is_live("GREEN"));
    pty.send("R");
    pty.wait_text("ROLL BACK production to BLUE");
    wait_prompt(&pty);
    let sent = Instant::now();
    pty.send("rollback\r");
    pty.wait_for("BLUE live", LONG, is_live("BLUE"));
    assert!(
        sent.elapsed() < within(Duration::from_secs(5)),
        "{:?}",
        sent.elapsed()
    );
    pty.wait_text("rollback to BLUE by");
    pty.send("R");
    pty.wait_text("Refused: ");
}

#[test]
fn o05_p03_an_orphan_is_said_and_adopted_by_key() {
    let (estate, config, pty) = watched(25);
    for worker in workers(&estate) {
        kill_process(worker, Signal::KILL).unwrap();
    }
    pty.wait_for("the orphan", LONG, |screen, _| {
        text_of(screen).contains("ORPHANED")
    });
    pty.send("A");
    pty.wait_text("ADOPT the cutover of production");
    wait_prompt(&pty);
    pty.send("adopt\r");
    pty.wait_for("its end", LONG, |screen, _| {
        text_of(screen).contains("✓ done: GREEN")
    });
    assert_eq!(list(&estate, &config).lines().count(), 1);
}

#[test]
fn x08_somebody_who_goes_round_is_named_and_p_repairs() {
    let estate = Served::start(&[]);
    let config = configured(&estate, 2);
    let pty = cockpit(&estate, &config, &["--write"]);
    plan(&pty);
    confirm(&pty);
    pty.wait_for("its end", LONG, |screen, _| {
        text_of(screen).contains("✓ done: GREEN")
    });
    estate.act(r#"{"do":"flip","to":"blue","manager":"helm"}"#);
    pty.wait_text("REVERTED by helm");
    pty.wait_text("P repairs");
    pty.send("P");
    pty.wait_text("REPAIR the selectors of production");
    pty.send("helm upgrade set it back\r");
    wait_prompt(&pty);
    confirm(&pty);
    pty.wait_for("its end", LONG, |screen, _| {
        text_of(screen).contains("repair by") && text_of(screen).contains("✓ done: GREEN")
    });
    wait_gone(&pty, "REVERTED");
}

#[test]
fn the_bell_rings_once_when_somebody_goes_round_and_not_where_the_configuration_says_so() {
    let estate = Served::start(&[]);
    let config = configured(&estate, 2);
    let text = fs::read_to_string(&config).unwrap();
    let quiet = estate.home.write(
        "quiet.toml",
        &text.replacen("bell = true", "bell = false", 1),
    );
    assert_ne!(text, fs::read_to_string(&quiet).unwrap());
    let pty = cockpit(&estate, &config, &["--write"]);
    let other = cockpit(&estate, &quiet, &[]);
    plan(&pty);
    confirm(&pty);
    for pty in [&pty, &other] {
        pty.wait_for("its end", LONG, |screen, _| {
            text_of(screen).contains("✓ done: GREEN")
        });
        assert_eq!(pty.screen(|_, extra| extra.bells), 0, "it went well");
    }
    estate.act(r#"{"do":"flip","to":"blue","manager":"helm"}"#);
    pty.wait_for("the bell", LONG, |_, extra| extra.bells > 0);
    for pty in [&pty, &other] {
        pty.wait_text("REVERTED by helm");
        pty.send("4");
        pty.wait_for("both", LONG, |screen, _| {
            text_of(screen).contains("P repairs")
        });
    }
    assert_eq!(pty.screen(|_, extra| extra.bells), 1);
    assert_eq!(other.screen(|_, extra| extra.bells), 0);
    // What was so already rings nothing at the next one's start.
    let next = cockpit(&estate, &config, &[]);
    next.wait_text("REVERTED by helm");
    wait_heard(&next);
    assert_eq!(next.screen(|_, extra| extra.bells), 0);
}

/// Waits until the prompt for that word listens, and types it.
fn type_word(pty: &Pty, word: &str) {
    wait_prompt(pty);
    pty.send(format!("{word}\r"));
}

#[test]
fn i_44_a_freeze_by_key_stops_a_cutover_until_the_glass_is_broken_and_stands_at_a_second_cockpit() {
    let estate = Served::start(&[]);
    let config = configured(&estate, 2);
    let first = cockpit(&estate, &config, &["--write"]);
    let second = cockpit(&estate, &config, &["--write"]);
    first.send("Z");
    first.wait_text("FREEZE production");
    first.send("Black Friday\r\r");
    type_word(&first, "production");
    for pty in [&first, &second] {
        pty.wait_text("FROZEN by ");
        pty.wait_text("C cut over: frozen");
    }
    second.send("C");
    second.wait_text("Refused: freeze: frozen by ");
    assert!(
        workers(&estate).is_empty(),
        "none is started for what is refused"
    );
    escape(&second);
    wait_gone(&second, "Refused");
    second.send("\x07");
    second.wait_text("BREAK GLASS: CUT OVER production to GREEN");
    second.send("the till is down\r");
    type_word(&second, "break-glass");
    for pty in [&first, &second] {
        pty.wait_for("the red line", LONG, |screen, _| {
            text_of(screen).contains("✗ BREAK-GLASS by ")
        });
    }
    // A cockpit that starts now knows it from the record.
    drop(second);
    let third = cockpit(&estate, &config, &["--write"]);
    third.wait_text("✗ BREAK-GLASS by ");
    third.wait_for("its end", LONG, |screen, _| {
        text_of(screen).contains("✓ done: GREEN is live")
    });
    third.send("K");
    third.wait_text("CLOSE the broken glass of production");
    third.send("reviewed\r");
    type_word(&third, "close-glass");
    wait_gone(&first, "✗ BREAK-GLASS by ");
    first.send("T");
    first.wait_text("THAW production");
    first.send("over\r");
    type_word(&first, "production");
    wait_gone(&third, "FROZEN by ");
}

#[test]
fn p07_without_a_file_left_to_open_the_plan_says_so_and_the_screen_lives() {
    let estate = Served::start(&[]);
    let config = configured(&estate, 2);
    let pty = cockpit(&estate, &config, &["--write"]);
    let open = fs::read_dir(format!("/proc/{}/fd", pty.pid().as_raw_nonzero()));
    let open = u64::try_from(open.unwrap().count()).unwrap();
    let limited = |current| {
        let limit = Rlimit {
            current,
            ..getrlimit(Resource::Nofile)
        };
        prlimit(Some(pty.pid()), Resource::Nofile, limit).unwrap()
    };
    let before = limited(Some(open));
    pty.send("C");
    pty.wait_text("the worker cannot be started");
    limited(before.current);
    escape(&pty);
    plan(&pty);
    confirm(&pty);
    pty.wait_for("its end", LONG, |screen, _| {
        text_of(screen).contains("✓ done: GREEN")
    });
}

#[test]
fn a_deploy_a_smoke_test_and_a_cutover_by_keys_alone() {
    let estate = Served::start(&[]);
    let config = configured(&estate, 2);
    let pty = cockpit(&estate, &config, &["--write"]);
    // The dialog begins with the newest green run, where there are runs by then.
    pty.wait_text("#1483");
    pty.send("N");
    pty.wait_text("#1483 main passed");
    // Ctrl-U: other images than those of the newest green run.
    pty.send("\u{15}:v42\rrelease 42\r");
    wait_prompt(&pty);
    pty.send("production/digital-wall-service\r");
    pty.wait_for("the end of the deploy", LONG, |screen, _| {
        text_of(screen).contains("done: GREEN runs frontend v42")
    });
    // A pod of before that goes meanwhile would void the plan: it names what runs.
    pty.wait_for("the old pods to be gone", LONG, |screen, _| {
        text_of(screen).contains("2 Pods  10 pods ")
    });
    pty.send("V");
    pty.wait_text("SMOKE TEST GREEN of production");
    pty.wait_text("Enter  smoke test");
    pty.send("\r");
    pty.wait_for("the end of the smoke test", LONG, |screen, _| {
        text_of(screen).contains("done: every ready pod of GREEN")
    });
    plan(&pty);
    confirm(&pty);
    pty.wait_for("the end of the cutover", LONG, |screen, _| {
        text_of(screen).contains("done: GREEN is live")
    });
}

#[test]
fn a_release_by_key_alone() {
    let estate = Served::start(&[]);
    let config = configured(&estate, 2);
    let pty = cockpit(&estate, &config, &["--write"]);
    // The dialog begins with the newest green run, where there are runs by then.
    pty.wait_text("#1483");
    pty.send("U");
    pty.wait_text("RELEASE production");
    pty.wait_text("#1483 main passed");
    pty.send("\u{15}:v42\rrelease 42\r");
    wait_prompt(&pty);
    pty.send("production/digital-wall-service\r");
    pty.wait_for("the end of the release", LONG, |screen, _| {
        text_of(screen).contains("done: GREEN is live")
    });
}

#[test]
fn row_72_a_cutover_by_key_is_carried_out_where_a_green_run_is_demanded() {
    let estate = Served::start(&[]);
    let config = configured(&estate, 2);
    let text = fs::read_to_string(&config).unwrap();
    assert!(text.contains("\nci = false\n"), "{text}");
    fs::write(&config, text.replace("\nci = false\n", "\nci = true\n")).unwrap();
    let pty = cockpit(&estate, &config, &["--write"]);
    plan(&pty);
    confirm(&pty);
    pty.wait_for("the end of the cutover", LONG, |screen, _| {
        text_of(screen).contains("done: GREEN is live")
    });
    let said = estate
        .home
        .command(&[
            "--config",
            config.to_str().unwrap(),
            "op",
            "list",
            "production",
            "--json",
        ])
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&said.stdout);
    assert!(said.contains("ci e4d909c #"), "{said}");
}
