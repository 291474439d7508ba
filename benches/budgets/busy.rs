//! What is not idle and must stay cheap: a log that never rests, an operation in flight, and keys while every
//! request hangs.

use std::{
    thread,
    time::{Duration, Instant},
};

use crate::{cockpit, estate::Served, figure::Report, fleet, idle, keys, proxy::Proxy, pty::Pty};

/// Long enough that what was saved up by a calm while is spent.
const SETTLE: Duration = Duration::from_secs(5);
const LONG: Duration = Duration::from_secs(60);
const LINES: u64 = 200;

/// A log of 200 lines a second on its page, here and over SSH.
pub fn log(report: &mut Report) {
    let here = ("here", ("COLUMNS", ""), 30.0);
    let far = ("over SSH", ("SSH_TTY", "/dev/pts/0"), 10.0);
    for (place, env, frames) in [here, far] {
        let estate = Served::start(&[]);
        let proxy = Proxy::start(estate.addr);
        proxy.flood(LINES);
        let config = idle::through(&estate, &proxy);
        let pty = cockpit::start_with(&estate.home, &config, env);
        cockpit::wait_live(&pty);
        pty.send("2jjo");
        pty.wait_for("the log", LONG, |screen, _| newest(screen) > 0);
        let began = Instant::now();
        thread::sleep(SETTLE);
        let of = |name: &str| format!("a log of {LINES} lines/s {place}: {name}");
        let limits = (f64::from(16 << 10), frames);
        cost(report, &pty, &of, Duration::from_secs(20), limits);
        // It is followed, not only begun.
        let due = began.elapsed().as_secs() * LINES * 8 / 10;
        let shown = pty.screen(|screen, _| newest(screen));
        assert!(
            shown > due,
            "line {shown} is the newest on the screen, not {due}"
        );
        cockpit::quit_from_page(pty);
    }
}

/// The newest line of the log on the screen.
fn newest(screen: &vt100::Screen) -> u64 {
    let text = screen.contents();
    let numbers = text.split("INFO request ").skip(1);
    numbers
        .filter_map(|rest| rest.split(' ').next()?.parse().ok())
        .max()
        .unwrap_or(0)
}

/// A cutover that is being watched, and nothing else.
pub fn operation(report: &mut Report) {
    let still = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/still.json");
    let estate = Served::start(&["--scenario-file", still]);
    let config = estate.config.to_str().expect("a path of text").to_owned();
    let pty = cockpit::start(&estate.home, &estate.config);
    cockpit::wait_live(&pty);
    let begun = estate
        .home
        .command(&[
            "--config",
            &config,
            "cutover",
            "production",
            "--write",
            "--yes",
            "--reason",
            "release 42",
            "--detach",
        ])
        .output()
        .expect("a cutover");
    assert!(
        begun.status.success(),
        "{}",
        String::from_utf8_lossy(&begun.stderr)
    );
    pty.wait_for("the soak", LONG, |screen, _| {
        screen.contents().contains("watching that it stays")
    });
    thread::sleep(SETTLE);
    let of = |name: &str| format!("a cutover is watched: {name}");
    cost(report, &pty, &of, Duration::from_secs(60), (256.0, 2.0));
    cockpit::quit(pty);
}

/// Keys while nothing that the API server says arrives, for half a minute.
pub fn hang(report: &mut Report, pods: usize) {
    let estate = Served::start(&["--pods", &pods.to_string()]);
    let proxy = Proxy::start(estate.addr);
    let config = idle::through(&estate, &proxy);
    let pty = cockpit::start(&estate.home, &config);
    cockpit::wait_pods(&pty, fleet::pods(&estate));
    cockpit::wait_live(&pty);
    proxy.hang(true);
    let since = Instant::now();
    // A log that is asked for, and never comes.
    pty.send("2jjo");
    thread::sleep(Duration::from_millis(500));
    keys::times(report, &pty, "every request hangs: key to frame");
    thread::sleep(Duration::from_secs(30).saturating_sub(since.elapsed()));
    proxy.hang(false);
    cockpit::quit_from_page(pty);
}

/// Bytes and frames a second.
fn cost(
    report: &mut Report,
    pty: &Pty,
    of: &dyn Fn(&str) -> String,
    during: Duration,
    limits: (f64, f64),
) {
    let before = (Instant::now(), pty.written(), frames(pty));
    thread::sleep(during);
    let seconds = before.0.elapsed().as_secs_f64();
    let rate = |now: usize, then: usize| (now - then) as f64 / seconds;
    let bytes = rate(pty.written(), before.1);
    report.limit(&of("bytes to the terminal"), bytes, limits.0, "B/s");
    let frames = rate(frames(pty), before.2);
    report.limit(&of("frames"), frames, limits.1, "/s");
}

/// How many came so far; each begins a synchronized output, in one write.
fn frames(pty: &Pty) -> usize {
    let begin = b"\x1b[?2026h";
    pty.raw()
        .windows(begin.len())
        .filter(|it| it == begin)
        .count()
}
