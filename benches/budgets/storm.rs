//! Hundreds of wide runs and thousands of alerts: keys, memory and what an idle minute costs the terminal.

use std::{
    thread,
    time::{Duration, Instant},
};

use crate::{cockpit, estate::Served, figure::Report, keys, pty::text_of};

/// How long a storm may take to be on the screen.
const LONG: Duration = Duration::from_secs(120);
const MINUTE: Duration = Duration::from_secs(60);

pub fn measure(report: &mut Report, runs: usize, alerts: usize) {
    let still = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/still.json");
    let (runs, alerts) = (runs.to_string(), alerts.to_string());
    let args = [
        "--runs",
        &runs,
        "--alerts",
        &alerts,
        "--scenario-file",
        still,
    ];
    let estate = Served::start(&args);
    // All of them are asked for.
    let few = "\nruns = 30\n";
    let config = estate.config_text();
    assert!(config.contains(few), "{config}");
    let config = config.replace(few, &format!("\nruns = {runs}\n"));
    let config = estate.home.write("storm/config.toml", &config);
    let pty = cockpit::start(&estate.home, &config);
    cockpit::wait_live(&pty);
    let fires = format!("{alerts} firing");
    pty.wait_for(&fires, LONG, |screen, _| {
        let text = text_of(screen);
        text.contains(&fires) && text.contains("requests left")
    });
    let of = |name: &str| format!("{runs} runs, {alerts} alerts: {name}");
    // The panels in turn: each is drawn from the whole list, and Timeline from all of them.
    for (panel, name) in [("1", "Runs"), ("3", "Alerts"), ("4", "Timeline")] {
        pty.send(panel);
        thread::sleep(Duration::from_secs(1));
        keys::times(report, &pty, &of(&format!("{name}, key to frame")));
    }
    thread::sleep(Duration::from_secs(5));
    let (since, written, writes) = (Instant::now(), pty.written(), pty.chunks().len());
    let cpu = pty.process().cpu();
    thread::sleep(MINUTE);
    let seconds = since.elapsed().as_secs_f64();
    let rate = |now: usize, then: usize| (now - then) as f64 / seconds;
    let bytes = rate(pty.written(), written);
    report.limit(&of("idle bytes to the terminal"), bytes, 64.0, "B/s");
    let writes = rate(pty.chunks().len(), writes);
    report.limit(&of("idle writes to the terminal"), writes, 1.0, "/s");
    let cpu = (pty.process().cpu() - cpu).as_secs_f64() / seconds;
    report.limit(&of("idle processor"), cpu * 100.0, 1.0, "%");
    let resident = pty.process().resident() as f64 / f64::from(1 << 20);
    report.limit(&of("resident"), resident, 100.0, "MiB");
    cockpit::quit(pty);
}
