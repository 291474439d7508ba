//! T07: windows of every size, and windows that change.

use std::time::{Duration, Instant};

use super::{Cockpit, LONG, SIZE, wait_heard, wait_live, watch};
use crate::pty::{Pty, SOON, text_of, wait_until};

/// Windows that get more than one line, up to absurd ones.
const ROOMY: [(u16, u16); 6] = [
    (60, 15),
    (80, 24),
    (120, 30),
    (160, 50),
    (200, 50),
    (500, 200),
];

/// Proves that it lives and hears: opens the help and closes it.
fn assert_alive(pty: &Pty) {
    pty.resize(SIZE.0, SIZE.1);
    wait_live(pty);
    pty.send("?");
    pty.wait_text("Keys of this view");
    pty.send("\x1b");
    super::wait_gone(pty, "Keys of this view");
}

#[test]
fn t07_every_size_says_who_is_live_and_none_is_too_odd() {
    let cockpit = Cockpit::start();
    let pty = &cockpit.pty;
    for (columns, rows) in ROOMY {
        pty.resize(columns, rows);
        pty.wait_for(&format!("{columns}x{rows}"), LONG, |screen, _| {
            let text = text_of(screen);
            let frame = text.matches("PROD").count() == 2 && text.contains('╝');
            let fills = text.lines().count() == usize::from(rows);
            frame && fills && text.contains("BLUE") && text.contains("LIVE ")
        });
    }
    for (columns, rows) in [(59, 15), (60, 14), (40, 5)] {
        pty.resize(columns, rows);
        pty.wait_for(
            &format!("one line of {columns}x{rows}"),
            LONG,
            |screen, _| {
                let text = text_of(screen);
                text.starts_with("PROD digital-wall: BLUE live") && text.lines().count() == 1
            },
        );
    }
    for (columns, rows) in [(20, 5), (1, 1), (0, 0), (3, 200), (500, 1), (2, 2)] {
        pty.resize(columns, rows);
        // Debounced: it is drawn some 50 ms later, and nothing tells when.
        let since = Instant::now();
        wait_until("it to be drawn", SOON, || {
            since.elapsed() > Duration::from_millis(120)
        });
        pty.send("j\x0c");
        wait_heard(pty);
    }
    assert_alive(pty);
}

#[test]
fn t07_a_window_without_a_size_gets_its_screen_when_it_has_one() {
    let cockpit = Cockpit::start();
    let pty = watch(&cockpit.estate, &[], (0, 0));
    pty.wait_for("the alternate screen", SOON, |screen, _| {
        screen.alternate_screen()
    });
    assert_alive(&pty);
}

#[test]
fn t07_a_hundred_resizes_a_second_are_drawn_when_they_end() {
    let cockpit = Cockpit::start();
    let pty = &cockpit.pty;
    let repaints = || {
        String::from_utf8_lossy(&pty.raw())
            .matches("\x1b[2J")
            .count()
    };
    let before = repaints();
    let since = Instant::now();
    for n in 1..=100u16 {
        pty.resize(80 + n % 50, 24 + n % 7);
        wait_until("the next of a hundred a second", SOON, || {
            since.elapsed() > Duration::from_millis(10) * u32::from(n)
        });
    }
    assert_alive(pty);
    let painted = repaints() - before;
    assert!(painted < 30, "{painted} whole repaints for 100 resizes");
}
