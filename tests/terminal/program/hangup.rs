//! Terminals that go away, or that nobody reads, and the end by a signal.

use std::time::{Duration, Instant};

use rustix::process::Signal;

use super::operations::watched;
use super::{Cockpit, LONG, SIZE, is_zombie, rows_of, run_in_shell, wait_heard, wait_live};
use crate::{
    device::assert_given_back,
    estate::{Served, is_measured, program, within},
    pty::{Pty, SOON, text_of, wait_until},
};

const SECOND: Duration = Duration::from_secs(1);

#[test]
fn t01_a_closed_terminal_ends_the_idle_cockpit_within_a_second_without_a_spin() {
    let mut cockpit = Cockpit::start();
    let process = cockpit.pty.process();
    let before = process.cpu();
    let closed = Instant::now();
    cockpit.pty.close();
    wait_until("its end", SOON, || is_zombie(process));
    let (took, cpu) = (closed.elapsed(), process.cpu() - before);
    assert_eq!(cockpit.pty.wait_exit(SOON).code, 129);
    assert!(took < within(SECOND), "{took:?}");
    assert!(
        cpu < Duration::from_millis(200),
        "{cpu:?} of processor time"
    );
}

#[test]
fn t03_with_sighup_ignored_a_closed_terminal_is_noticed_all_the_same() {
    let estate = Served::start(&[]);
    // The kernel's SIGHUP goes to the leader of the session: the shell, which ignores it.
    let script = "trap '' HUP; $PROGRAM --config $CONFIG; exit $?";
    let mut pty = run_in_shell(&estate, script, SIZE);
    wait_live(&pty);
    let closed = Instant::now();
    pty.close();
    assert_eq!(pty.wait_exit(SOON).code, 129);
    assert!(
        closed.elapsed() < within(2 * SECOND),
        "{:?}",
        closed.elapsed()
    );
    assert!(
        !estate.home.log().contains("panic"),
        "{}",
        estate.home.log()
    );
}

/// Has the cockpit paint until the kernel takes no more, and waits until it stays so.
fn fill(pty: &Pty) {
    let mut since = Instant::now();
    pty.send([0x0c; 20]);
    wait_until("the pipe to fill", LONG, || {
        if pty.backlog() < 4000 {
            since = Instant::now();
        }
        since.elapsed() > Duration::from_millis(500)
    });
}

#[test]
fn t04_a_terminal_that_nobody_read_for_long_shows_the_newest_state_at_once() {
    let cockpit = Cockpit::start();
    let pty = &cockpit.pty;
    pty.stall();
    fill(pty);
    let (memory, full) = (pty.process().resident(), Instant::now());
    // Longer than the two seconds after which the screen is not believed any more.
    wait_until("a long stall", SOON, || {
        pty.send([0x0c]);
        full.elapsed() > 5 * SECOND / 2
    });
    assert!(
        pty.process().resident() < memory + (4 << 20),
        "frames pile up"
    );
    pty.send("/green");
    wait_heard(pty);
    let resumed = Instant::now();
    pty.read_freely();
    let is_newest = |text: &str| text.contains("/green_") && text.contains("5/10 pods");
    pty.wait_for("the newest state", SOON, |screen, _| {
        let text = text_of(screen);
        is_newest(&text) && rows_of(&text, "BLUE") == 0 && text.contains("LIVE ")
    });
    assert!(
        resumed.elapsed() < within(SECOND / 5),
        "{:?}",
        resumed.elapsed()
    );
    let shown = pty.text();
    pty.send([0x0c]);
    wait_heard(pty);
    pty.wait_for("the same after a repaint", SOON, |screen, _| {
        text_of(screen) == shown
    });
}

#[test]
fn t05_a_slow_reader_is_shown_the_newest_state_and_keys_are_heard() {
    let cockpit = Cockpit::start_with(&["--pods", "300", "--churn", "50"], &[], SIZE);
    let pty = &cockpit.pty;
    let memory = pty.process().resident();
    pty.throttle(1024);
    fill(pty);
    let asked = Instant::now();
    pty.send("/zzzz");
    wait_heard(pty);
    assert!(asked.elapsed() < within(SECOND), "{:?}", asked.elapsed());
    assert!(
        pty.process().resident() < memory + (8 << 20),
        "frames pile up"
    );
    // What the kernel holds has to pass first: at 1 KiB/s a test would take long.
    pty.throttle(32 * 1024);
    pty.wait_for("the newest state", LONG, |screen, _| {
        text_of(screen).contains("/zzzz_  0/")
    });
}

#[test]
fn t06_a_terminal_that_goes_in_the_middle_of_a_frame_ends_it_without_a_panic() {
    let mut cockpit = Cockpit::start();
    cockpit.pty.stall();
    fill(&cockpit.pty);
    let closed = Instant::now();
    cockpit.pty.close();
    assert_eq!(cockpit.pty.wait_exit(SOON).code, 129);
    assert!(closed.elapsed() < within(SECOND), "{:?}", closed.elapsed());
    let log = cockpit.estate.home.log();
    assert!(!log.contains("panic"), "{log}");
}

#[test]
fn p04_a_panic_in_a_frame_of_the_program_gives_the_terminal_back_and_reports() {
    let mut cockpit = Cockpit::start_with(&[], &[("WHEELHOUSE_DEFECT", "boom")], SIZE);
    cockpit.pty.send("/boom");
    // A release build does not contain the way in: there the keys are a filter like any other.
    if is_measured() {
        cockpit.pty.wait_for("the filter", LONG, |screen, _| {
            text_of(screen).contains("/boom_")
        });
        assert!(
            !std::fs::read(program())
                .unwrap()
                .windows(17)
                .any(|w| w == b"WHEELHOUSE_DEFECT")
        );
        return;
    }
    assert_eq!(cockpit.pty.wait_exit(SOON).code, 101);
    assert_given_back(&cockpit.pty);
    let said = cockpit.pty.text();
    assert!(said.contains("asked for a defect"), "{said}");
}

#[test]
fn p03_sigterm_gives_the_terminal_back_and_says_so_in_the_exit_code() {
    let mut cockpit = Cockpit::start();
    cockpit.pty.signal(Signal::TERM);
    assert_eq!(cockpit.pty.wait_exit(SOON).code, 143);
    assert_given_back(&cockpit.pty);
}

#[test]
fn p03_sigterm_is_obeyed_though_nobody_reads_the_terminal() {
    let mut cockpit = Cockpit::start();
    cockpit.pty.stall();
    fill(&cockpit.pty);
    let asked = Instant::now();
    cockpit.pty.signal(Signal::TERM);
    assert_eq!(cockpit.pty.wait_exit(SOON).code, 143);
    assert!(asked.elapsed() < within(SECOND), "{:?}", asked.elapsed());
    assert!(cockpit.pty.is_cooked());
}

#[test]
fn p03_sigterm_is_obeyed_though_nobody_reads_what_is_said_of_an_operation_that_goes_on() {
    let (_estate, _, mut pty) = watched(20);
    pty.stall();
    fill(&pty);
    pty.stuff();
    let asked = Instant::now();
    pty.signal(Signal::TERM);
    assert_eq!(pty.wait_exit(SOON).code, 143);
    assert!(asked.elapsed() < within(SECOND), "{:?}", asked.elapsed());
    assert!(pty.is_cooked());
}

#[test]
fn t02_a_hang_up_is_quiet_also_of_an_operation_that_goes_on() {
    let (_estate, _, mut pty) = watched(20);
    pty.signal(Signal::HUP);
    assert_eq!(pty.wait_exit(SOON).code, 129);
    pty.wait_end_of_output();
    let raw = String::from_utf8_lossy(&pty.raw()).into_owned();
    assert!(raw.ends_with("\x1b[?1049l\x1b[23;0t"), "something is said");
}
