//! Rows T01 to T17 as far as they are about the terminal itself: hang-ups, stalls, odd sizes.

use std::time::{Duration, Instant};

use ratatui::layout::Rect;
use rustix::process::Signal;
use wheelhouse::tui::{
    clock::Millis,
    guard::Guard,
    screen::{Depth, Screen},
    tty::{HangUp, Read, Tty},
};

use crate::{
    probe::{SIZE, path, start, start_in_shell},
    pty::{Pty, SOON, text_of, wait_until},
};

const SECOND: Duration = Duration::from_secs(1);

/// Whether the terminal is as the shell left it: what leaving has to achieve on every path.
pub fn assert_given_back(pty: &Pty) {
    pty.wait_for("the terminal given back", SOON, |screen, extra| {
        !screen.alternate_screen()
            && !screen.hide_cursor()
            && !screen.bracketed_paste()
            && extra.modes.is_empty()
    });
    assert!(pty.is_cooked(), "the line is still raw");
}

#[test]
fn entering_takes_the_terminal_and_leaving_gives_it_back() {
    let mut pty = start(&[]);
    assert!(!pty.is_cooked());
    pty.screen(|screen, extra| {
        assert!(screen.alternate_screen() && screen.hide_cursor() && screen.bracketed_paste());
        assert_eq!(extra.modes, [1004]);
        assert_eq!(extra.title, "probe ]evil");
        assert!(extra.queries.is_empty(), "{:?}", extra.queries);
    });
    pty.send("q");
    assert_eq!(pty.wait_exit(SOON).code, 0);
    assert_given_back(&pty);
    let raw = String::from_utf8(pty.raw()).unwrap();
    let order = [
        "\x1b[?2026l",
        "\x1b[?1000l",
        "\x1b[?1004l",
        "\x1b[?2004l",
        "\x1b[0m",
        "\x1b[?25h",
        "\x1b[?1049l",
        "\x1b[23;0t",
    ];
    assert!(raw.ends_with(&raw[raw.rfind(order[0]).unwrap()..]));
    let places: Vec<_> = order
        .iter()
        .map(|part| raw.rfind(part).expect(part))
        .collect();
    assert!(places.is_sorted(), "{places:?}");
    assert!(raw.contains("\x1b[22;0t"), "the title was pushed");
}

#[test]
fn the_first_frame_comes_with_the_prologue_in_one_write() {
    let pty = start(&[]);
    let first = pty.chunks()[0];
    assert_eq!(first.len, pty.written());
}

#[test]
fn t01_a_closed_terminal_ends_the_program_within_a_second() {
    let mut pty = start(&[]);
    let closed = Instant::now();
    pty.close();
    assert_eq!(pty.wait_exit(SOON).code, 129);
    assert!(closed.elapsed() < SECOND, "{:?}", closed.elapsed());
}

#[test]
fn t03_with_sighup_ignored_a_closed_terminal_is_noticed_without_a_spin() {
    let mut pty = start_in_shell("trap '' HUP; exec $PROBE");
    let closed = Instant::now();
    pty.close();
    assert_eq!(pty.wait_exit(SOON).code, 129);
    assert!(closed.elapsed() < SECOND, "{:?}", closed.elapsed());
}

#[test]
fn an_idle_program_writes_nothing_and_burns_nothing() {
    let pty = start(&[]);
    pty.send("x");
    pty.wait_text("key x");
    let (cpu, calls, written) = (
        pty.process().cpu(),
        pty.process().write_calls(),
        pty.written(),
    );
    let since = Instant::now();
    wait_until("a second to pass", SOON, || since.elapsed() > SECOND);
    assert_eq!(
        (pty.process().write_calls(), pty.written()),
        (calls, written)
    );
    assert!(pty.process().cpu() - cpu <= Duration::from_millis(20));
}

/// Waits until the kernel takes no more from the program: its 4 KiB are full and stay so.
fn wait_until_full(pty: &Pty) {
    let mut since = Instant::now();
    wait_until("the pipe to fill", SOON, || {
        if pty.backlog() < 4000 {
            since = Instant::now();
        }
        since.elapsed() > Duration::from_millis(500)
    });
}

#[test]
fn t04_a_terminal_that_nobody_reads_gets_the_newest_state_when_it_is_read_again() {
    let pty = start(&[]);
    pty.stall();
    pty.send("f");
    // Full of frames, and the program goes on making new states.
    wait_until_full(&pty);
    let memory = pty.process().resident();
    let full = Instant::now();
    wait_until("a hundred dropped frames", SOON, || full.elapsed() > SECOND);
    assert!(
        pty.process().resident() < memory + (1 << 20),
        "frames pile up"
    );
    pty.send("f");
    pty.send("X");
    // Nothing tells when it has read them but the queue being empty.
    wait_until("it to read its keys", SOON, || pty.unread() == 0);
    let resumed = Instant::now();
    pty.read_freely();
    pty.wait_for("the newest state", SOON, |screen, _| {
        text_of(screen).contains("\nkey X\nkey f\n")
    });
    assert!(
        resumed.elapsed() < Duration::from_millis(500),
        "{:?}",
        resumed.elapsed()
    );
}

#[test]
fn a_program_ends_at_once_though_nobody_reads_its_terminal() {
    let mut pty = start(&[]);
    pty.stall();
    pty.send("f");
    wait_until_full(&pty);
    let asked = Instant::now();
    pty.signal(Signal::TERM);
    assert_eq!(pty.wait_exit(SOON).code, 143);
    assert!(asked.elapsed() < SECOND, "{:?}", asked.elapsed());
    assert!(pty.is_cooked());
}

#[test]
fn t05_a_slow_reader_sees_the_newest_state_and_keys_are_heard() {
    let pty = start(&[]);
    let memory = pty.process().resident();
    pty.throttle(1024);
    pty.send("f");
    wait_until_full(&pty);
    pty.send("f");
    pty.send("X");
    let asked = Instant::now();
    wait_until("the keys to be heard", SOON, || pty.unread() == 0);
    assert!(asked.elapsed() < SECOND, "{:?}", asked.elapsed());
    assert!(
        pty.process().resident() < memory + (1 << 20),
        "frames pile up"
    );
    // What the kernel holds, some 20 KiB, has to pass first: at 1 KiB/s a test would take long.
    pty.throttle(16 * 1024);
    pty.wait_for("the key", SOON, |screen, _| {
        text_of(screen).contains("\nkey X\nkey f\n")
    });
    let passed = pty.written();
    wait_until("the end of it", SOON, || pty.backlog() == 0);
    assert!(
        pty.written() - passed < 4096,
        "more than the newest state came after it"
    );
}

#[tokio::test]
async fn t06_a_failing_write_is_a_hang_up_and_so_is_a_failing_read() {
    let pair = portable_pty::native_pty_system()
        .openpty(portable_pty::PtySize::default())
        .unwrap();
    let mut tty = Tty::open_at(&pair.master.tty_name().unwrap()).unwrap();
    let mut buf = [0; 16];
    assert_eq!(tty.write(b"hello"), Ok(5));
    assert_eq!(tty.read(&mut buf), Ok(Read::Later));
    assert_eq!(tty.size(), ratatui::layout::Size::new(80, 24));
    drop(pair);
    assert_eq!(tty.write(b"hello"), Err(HangUp));
    tokio::time::timeout(SECOND, tty.readable())
        .await
        .expect("a hang-up wakes")
        .unwrap();
    assert_eq!(tty.read(&mut buf), Err(HangUp));
    let mut screen = Screen::new(Depth::Mono);
    screen.frame(Rect::new(0, 0, 5, 1), |_, _| {});
    assert_eq!(screen.flush(&tty, Millis(0)), Err(HangUp));
    assert!(
        Guard::enter(&tty, &mut screen, None).is_err(),
        "and nothing panics on the way out"
    );
}

#[test]
fn t07_no_size_is_too_odd_and_resizes_are_followed() {
    let mut pty = start(&[]);
    for (columns, rows) in [(1, 1), (20, 5), (500, 200), (0, 0), (60, 15)] {
        pty.resize(columns, rows);
    }
    pty.wait_text("size 60x15");
    for n in 1..=100 {
        pty.resize(40 + n, 15);
    }
    pty.wait_text("size 140x15");
    pty.resize(500, 200);
    pty.wait_text("size 500x200");
    pty.send("q");
    assert_eq!(pty.wait_exit(SOON).code, 0);
    let mut tiny = Pty::spawn(path(), &[], &[], (0, 0));
    tiny.wait_for("the alternate screen", SOON, |screen, _| {
        screen.alternate_screen()
    });
    tiny.send("q");
    assert_eq!(tiny.wait_exit(SOON).code, 0);
}

#[test]
fn t10_answers_to_queries_give_no_key() {
    let pty = start(&[]);
    pty.send("\x1b[?2026;2$y\x1b]11;rgb:ffff/ffff/dddd\x1b\\\x1b[?62;22c\x1bP>|XTerm(390)\x1b\\\x1b[3;4Rj");
    pty.wait_text("count 1 ");
    pty.wait_text("key j");
}

#[test]
fn t11_an_escape_split_on_the_way_gives_no_letters() {
    for gap in [5, 30, 200] {
        let pty = start(&[]);
        let typed = Instant::now();
        pty.send("\x1b");
        wait_until("the gap", SOON, || {
            typed.elapsed() >= Duration::from_millis(gap)
        });
        pty.send("[Ax");
        pty.wait_text("key x\nkey up");
        let text = pty.text();
        assert!(
            text.matches("key esc").count() <= 1 && !text.contains("key A"),
            "{gap}: {text}"
        );
    }
}

#[test]
fn t12_a_paste_arrives_as_a_paste_only() {
    let pty = start(&[]);
    pty.send("\x1b[200~y\ndelete prod\n\x1b[201~");
    pty.wait_text("paste 14 \"y\\ndelete prod\\n\"");
    pty.wait_text("count 0 ");
}

#[test]
fn t13_after_a_paste_without_end_the_keyboard_works_again() {
    let pty = start(&[]);
    pty.send("\x1b[200~abc\x03");
    let sent = Instant::now();
    pty.wait_text("key ctrl-c");
    assert!(
        sent.elapsed() < Duration::from_millis(1500),
        "{:?}",
        sent.elapsed()
    );
    pty.send("x");
    pty.wait_text("key x\nkey ctrl-c\npaste 4");
}

#[test]
fn t15_ctrl_l_repairs_a_scribbled_screen() {
    let pty = start(&[]);
    pty.scribble(b"\x1b[2;1Hstray bytes\x1b[41m");
    pty.wait_text("stray bytes");
    pty.send("\x0c");
    pty.wait_for("a repaired screen", SOON, |screen, _| {
        let text = text_of(screen);
        text.contains("key ctrl-l") && !text.contains("stray") && text.contains("\nred\n")
    });
}

#[test]
fn t16_every_frame_ends_its_synchronized_update() {
    let pty = start(&[]);
    pty.send("f");
    pty.wait_for("a flood", SOON, |screen, _| {
        text_of(screen).lines().count() == 24
    });
    pty.send("f");
    pty.send("X");
    pty.wait_text("key X\nkey f");
    pty.wait_for("2026 off", SOON, |_, extra| !extra.modes.contains(&2026));
    let raw = String::from_utf8(pty.raw()).unwrap();
    let (begun, ended) = (
        raw.matches("\x1b[?2026h").count(),
        raw.matches("\x1b[?2026l").count(),
    );
    assert!(begun > 2 && begun == ended, "{begun} begun, {ended} ended");
}

#[test]
fn t16_an_attach_at_another_size_is_one_whole_repaint() {
    let pty = start(&[]);
    let before = pty.raw().len();
    pty.resize(100, 30);
    pty.wait_text("size 100x30");
    pty.send("x");
    pty.wait_text("key x");
    let raw = pty.raw()[before..].to_vec();
    assert_eq!(
        String::from_utf8(raw).unwrap().matches("\x1b[2J").count(),
        1
    );
}

#[test]
fn t17_a_terminal_that_ignores_every_mode_shows_no_garbage() {
    let pty = start(&[]);
    pty.send("x");
    pty.wait_text("key x");
    // An emulator that knows none of them shows the text alone: all are private modes and strings.
    let bare: String = strip(&pty.raw());
    assert!(
        !bare.contains("2026") && !bare.contains("1004") && !bare.contains(';'),
        "{bare:?}"
    );
}

/// The text that is left when whole CSI and OSC sequences are taken out.
fn strip(raw: &[u8]) -> String {
    let raw = String::from_utf8(raw.to_vec()).unwrap();
    let mut parts = raw.split('\x1b');
    let mut text = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let rest = match part.as_bytes()[0] {
            b'[' => part[1..]
                .trim_start_matches(|c: char| c.is_ascii() && (' '..='?').contains(&c))
                .get(1..),
            _ => part.split_once('\x07').map(|(_, rest)| rest),
        };
        text.push_str(rest.unwrap_or_default());
    }
    text
}

#[test]
fn no_colour_code_leaves_when_there_is_to_be_none() {
    let pty = start(&[("NO_COLOR", "1")]);
    pty.screen(|screen, _| {
        assert_eq!(screen.cell(1, 0).unwrap().fgcolor(), vt100::Color::Default);
        assert!(screen.cell(0, 0).unwrap().bold(), "attributes stay");
    });
    let red = start(&[]);
    red.screen(|screen, _| assert_eq!(screen.cell(1, 0).unwrap().fgcolor(), vt100::Color::Idx(1)));
}

#[test]
fn a_signal_gives_the_terminal_back_first() {
    let mut pty = start(&[]);
    pty.signal(Signal::TERM);
    assert_eq!(pty.wait_exit(SOON).code, 143);
    assert_given_back(&pty);
}

#[test]
fn without_a_terminal_there_is_an_error_and_no_panic() {
    let script = format!(
        "setsid -w {} </dev/null >/dev/null 2>&1; echo ended $?",
        path().display()
    );
    let pty = Pty::spawn("/bin/sh".as_ref(), &["-c", &script], &[], SIZE);
    pty.wait_text("ended 129");
}
