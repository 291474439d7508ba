//! Start to first paint, before any network: the estate does not answer.

use std::time::Instant;

use crate::{
    cockpit,
    estate::Served,
    figure::{Report, median, millis, quantile},
    pty::SOON,
};

pub fn measure(report: &mut Report) {
    let mut estate = Served::start(&[]);
    estate.end();
    let times: Vec<_> = (0..20)
        .map(|_| {
            let started = Instant::now();
            let pty = cockpit::start(&estate.home, &estate.config);
            pty.wait_for("the first frame", SOON, |screen, _| {
                screen.contents().contains("PROD")
            });
            let first = pty.chunks()[0].at - started;
            cockpit::quit(pty);
            first
        })
        .collect();
    report.limit(
        "first paint, no network, median",
        millis(median(&times)),
        50.0,
        "ms",
    );
    report.note(
        "first paint, slowest of 20",
        millis(quantile(&times, 1.0)),
        "ms",
    );
}
