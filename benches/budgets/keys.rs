//! Key to frame while the world changes hundreds of times a second.

use std::{
    thread,
    time::{Duration, Instant},
};

use crate::{
    cockpit,
    estate::Served,
    figure::{Report, median, millis, quantile},
    fleet,
    pty::{Pty, SOON},
};

const KEYS: u32 = 500;

pub fn measure(report: &mut Report, pods: usize, churn: u32) {
    let estate = Served::start(&["--pods", &pods.to_string(), "--churn", &churn.to_string()]);
    let pty = cockpit::start(&estate.home, &estate.config);
    cockpit::wait_pods(&pty, fleet::pods(&estate));
    cockpit::wait_live(&pty);
    thread::sleep(Duration::from_secs(2));
    let before = (Instant::now(), pty.process().cpu(), pty.written());
    let of = |name: &str| format!("{pods} pods, {churn} events/s: {name}");
    times(report, &pty, &of("key to frame"));
    let seconds = before.0.elapsed().as_secs_f64();
    let cpu = (pty.process().cpu() - before.1).as_secs_f64() / seconds;
    report.note(&of("processor"), cpu * 100.0, "%");
    report.note(
        &of("bytes to the terminal"),
        (pty.written() - before.2) as f64 / seconds,
        "B/s",
    );
    let resident = pty.process().resident() as f64 / f64::from(1 << 20);
    report.limit(&of("resident"), resident, 100.0, "MiB");
    cockpit::quit(pty);
}

/// Presses keys at odd moments, and holds the times to their frames against the limits.
pub fn times(report: &mut Report, pty: &Pty, name: &str) {
    let mut chance = Chance(1);
    let times: Vec<_> = (0..KEYS)
        .map(|_| {
            // Not in step with the frames that the changes ask for.
            thread::sleep(Duration::from_millis(20 + chance.below(40)));
            press(pty)
        })
        .collect();
    let quantile = |share| millis(quantile(&times, share));
    report.limit(&format!("{name}, p50"), millis(median(&times)), 2.0, "ms");
    report.limit(&format!("{name}, p99"), quantile(0.99), 16.0, "ms");
    report.note(&format!("{name}, slowest"), quantile(1.0), "ms");
}

/// Presses `z` and takes the time until its frame is there: the one whose clock is of the other
/// kind, as frames that only data asked for come in between.
fn press(pty: &Pty) -> Duration {
    let is_utc = |screen: &vt100::Screen| {
        screen
            .rows(90, 30)
            .next()
            .is_some_and(|row| row.contains("Z "))
    };
    let before = pty.screen(|screen, _| is_utc(screen));
    let pressed = Instant::now();
    pty.send("z");
    pty.wait_for("the other clock", SOON, |screen, _| {
        is_utc(screen) != before
    });
    pressed.elapsed()
}

/// Chance that is the same every time.
struct Chance(u64);

impl Chance {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        (self.0 >> 33) % limit
    }
}
