//! The shell around the program: suspension, the background, children, panics.

use std::time::{Duration, Instant};

use crate::{
    probe::{SIZE, path, start},
    pty::{Process, Pty, SOON, text_of, wait_until},
};

/// An interactive shell without anybody's settings, in which `$PROBE` is the probe.
fn shell() -> Pty {
    let probe = path().to_str().unwrap();
    let env = [("PROBE", probe), ("PS1", "ready> ")];
    let pty = Pty::spawn(
        "/bin/bash".as_ref(),
        &["--norc", "--noprofile", "-i"],
        &env,
        SIZE,
    );
    pty.wait_text("ready>");
    pty
}

/// The process that the shell runs as its job.
fn job(pty: &Pty) -> Process {
    wait_until("the job", SOON, || !pty.process().children().is_empty());
    Process(pty.process().children()[0])
}

/// Types a command and waits for the prompt behind what it prints.
fn run(pty: &Pty, command: &str, answer: &str) {
    pty.send(format!("{command}\r"));
    pty.wait_for(answer, SOON, |screen, _| {
        let text = text_of(screen);
        text.split_once(&format!("\n{answer}"))
            .is_some_and(|(_, after)| after.contains("ready>"))
    });
}

fn start_probe(pty: &Pty) -> Process {
    pty.send("$PROBE\r");
    pty.wait_text("count 0 size 80x24");
    job(pty)
}

fn stop(pty: &Pty, job: Process) {
    pty.send("\x1a");
    wait_until("the job to stop", SOON, || job.is_stopped());
    pty.wait_for("the shell's screen", SOON, |screen, extra| {
        !screen.alternate_screen() && !screen.hide_cursor() && !extra.modes.contains(&1004)
    });
}

#[test]
fn t14_ctrl_z_leaves_a_clean_shell_and_fg_paints_all_again() {
    let pty = shell();
    let probe = start_probe(&pty);
    pty.send("x");
    pty.wait_text("key x");
    stop(&pty, probe);
    // Dirtied on purpose: these modes are the shell's choice now.
    run(&pty, "stty -echoe; echo dirt$((1+1))ed", "dirt2ed");
    pty.send("fg\r");
    pty.wait_text("key x");
    pty.send("y");
    pty.wait_text("key y\nkey ctrl-z\nkey x");
    pty.send("q");
    pty.wait_for("the shell", SOON, |screen, _| !screen.alternate_screen());
    run(
        &pty,
        "stty -a | grep -o '.echoe' | sed s/^/has/",
        "has-echoe",
    );
    run(
        &pty,
        "stty -a | grep -ow '.icanon\\|icanon' | sed s/^/has/",
        "hasicanon",
    );
}

#[test]
fn t14_sigtstp_from_outside_leaves_a_clean_shell_too() {
    let pty = shell();
    let probe = start_probe(&pty);
    rustix::process::kill_process(probe.0, rustix::process::Signal::TSTP).unwrap();
    wait_until("the job to stop", SOON, || probe.is_stopped());
    run(&pty, "echo al$((1+1))ive", "al2ive");
    pty.send("fg\r");
    pty.wait_for("the probe", SOON, |screen, _| screen.alternate_screen());
    pty.send("q");
    pty.wait_for("the shell", SOON, |screen, _| !screen.alternate_screen());
}

#[test]
fn t14_continued_in_the_background_it_stays_silent_until_fg() {
    let pty = shell();
    let probe = start_probe(&pty);
    stop(&pty, probe);
    run(&pty, "echo be$((1+1))fore", "be2fore");
    let before = String::from_utf8(pty.raw()).unwrap().len();
    pty.send("bg\r");
    wait_until("the job to run", SOON, || !probe.is_stopped());
    let since = Instant::now();
    wait_until("it to have its chance", SOON, || {
        since.elapsed() > Duration::from_millis(700)
    });
    assert!(
        !probe.is_stopped(),
        "it touched the terminal and was stopped for it"
    );
    run(&pty, "echo af$((1+1))ter", "af2ter");
    let raw = String::from_utf8(pty.raw()).unwrap()[before..].to_owned();
    assert!(
        !raw.contains("count") && !raw.contains("\x1b[?1049"),
        "{raw:?}"
    );
    assert!(pty.screen(|screen, _| !screen.alternate_screen()));
    // The shell's fg of a running job sends no SIGCONT.
    pty.send("fg\r");
    pty.wait_text("count 1 size 80x24");
    pty.send("y");
    pty.wait_text("key y");
    pty.send("q");
    pty.wait_for("the shell", SOON, |screen, _| !screen.alternate_screen());
}

#[test]
fn ctrl_z_without_a_shell_to_come_back_from_only_repaints() {
    let pty = start(&[]);
    pty.send("\x1a");
    pty.wait_text("key ctrl-z");
    pty.send("x");
    pty.wait_text("key x");
    assert!(!pty.process().is_stopped());
    assert!(pty.screen(|screen, _| screen.alternate_screen()) && !pty.is_cooked());
}

#[test]
fn t15_children_do_not_inherit_the_terminal() {
    let pty = start(&[]);
    pty.send("c");
    pty.wait_text("child sees 0 terminals");
}

#[test]
fn the_shells_own_description_stays_blocking() {
    let pty = shell();
    start_probe(&pty);
    let flags = pty.process().file("fdinfo/0");
    let flags = flags
        .lines()
        .find_map(|line| line.strip_prefix("flags:"))
        .unwrap()
        .trim();
    let flags = u32::from_str_radix(flags, 8).unwrap();
    assert_eq!(flags & rustix::fs::OFlags::NONBLOCK.bits(), 0);
}

#[test]
fn a_panic_of_the_ui_gives_the_terminal_back_and_then_reports() {
    let mut pty = start(&[]);
    pty.send("p");
    assert_eq!(pty.wait_exit(SOON).code, 101);
    pty.wait_for("the report", SOON, |screen, _| {
        !screen.alternate_screen() && screen.contents().contains("asked to panic")
    });
    assert!(pty.is_cooked());
}

#[test]
fn a_panic_of_a_task_is_counted_and_the_screen_stays() {
    let pty = start(&[]);
    pty.send("t");
    pty.wait_text("key t");
    wait_until("the count of panics", SOON, || {
        pty.send("x");
        pty.text().contains("panics 1")
    });
    assert!(pty.screen(|screen, _| screen.alternate_screen()));
}
