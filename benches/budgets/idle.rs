//! A minute in which nothing is done: what the terminal, the network and the processor pay for it.

use std::{
    collections::BTreeMap,
    ffi::OsString,
    path::PathBuf,
    thread,
    time::{Duration, Instant},
};

use crate::{cockpit, estate::Served, figure::Report, fleet, proxy::Proxy};

const MINUTE: Duration = Duration::from_secs(60);
/// What the first lists leave behind is not idleness.
const SETTLE: Duration = Duration::from_secs(5);

pub fn measure(report: &mut Report, pods: usize) {
    // Nothing happens there by itself, and no alerts are asked for: what is left is the watches' own.
    let still = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/still.json");
    let estate = Served::start(&["--pods", &pods.to_string(), "--scenario-file", still]);
    let proxy = Proxy::start(estate.addr);
    let config = through(&estate, &proxy);
    let pty = cockpit::start(&estate.home, &config);
    cockpit::wait_pods(&pty, fleet::pods(&estate));
    cockpit::wait_live(&pty);
    thread::sleep(SETTLE);
    let process = pty.process();
    let since = Instant::now();
    let before = (
        pty.written(),
        pty.chunks().len(),
        proxy.received(),
        process.cpu(),
        wakeups(&pty),
    );
    thread::sleep(MINUTE);
    let seconds = since.elapsed().as_secs_f64();
    let rate = |now: f64, then: f64| (now - then) / seconds;
    let of = |name: &str| format!("idle, {pods} pods: {name}");
    report.limit(
        &of("bytes to the terminal"),
        rate(pty.written() as f64, before.0 as f64),
        64.0,
        "B/s",
    );
    report.limit(
        &of("writes to the terminal"),
        rate(pty.chunks().len() as f64, before.1 as f64),
        1.0,
        "/s",
    );
    report.limit(
        &of("bytes from the API server"),
        rate(proxy.received() as f64, before.2 as f64),
        1024.0,
        "B/s",
    );
    let cpu = (process.cpu() - before.3).as_secs_f64() / seconds;
    report.limit(&of("processor"), cpu * 100.0, 1.0, "%");
    report.limit(
        &of("wakeups of all threads"),
        rate(since_then(&wakeups(&pty), &before.4) as f64, 0.0),
        2.0,
        "/s",
    );
    let resident = process.resident() as f64 / f64::from(1 << 20);
    report.limit(&of("resident"), resident, 100.0, "MiB");
    cockpit::quit(pty);
}

/// Without the sections of Prometheus and Alertmanager, which are behind the API server as well, and without
/// the gates that would ask them.
fn without_monitoring(config: &str) -> String {
    let mut is_kept = true;
    let kept = config.lines().filter(|line| {
        if line.starts_with('[') {
            let name = line.trim().trim_matches(['[', ']']);
            let of_them = ["prometheus", "alertmanager", "gates", "gates.query"];
            is_kept = !of_them.iter().any(|it| name.ends_with(it));
        }
        is_kept
    });
    kept.map(|line| format!("{line}\n")).collect()
}

/// The configuration of the estate, by way of the proxy.
pub fn through(estate: &Served, proxy: &Proxy) -> PathBuf {
    let kubeconfig = estate.config.with_file_name("kubeconfig.yaml");
    let text = std::fs::read_to_string(&kubeconfig).expect("a kubeconfig");
    let text = text.replace(&estate.addr.to_string(), &proxy.addr.to_string());
    let counted = estate.home.write("counted/kubeconfig.yaml", &text);
    let config = without_monitoring(&estate.config_text());
    let config = config.replace(
        kubeconfig.to_str().expect("a path of text"),
        counted.to_str().expect("a path of text"),
    );
    estate.home.write("counted/config.toml", &config)
}

/// How often each of its threads woke up by itself so far.
fn wakeups(pty: &crate::pty::Pty) -> BTreeMap<OsString, u64> {
    let pid = pty.pid().as_raw_nonzero();
    let tasks = std::fs::read_dir(format!("/proc/{pid}/task")).expect("its threads");
    let of = |dir: std::fs::DirEntry| {
        let text = std::fs::read_to_string(dir.path().join("status")).unwrap_or_default();
        let line = text
            .lines()
            .find_map(|l| l.strip_prefix("voluntary_ctxt_switches:"));
        let count = line.and_then(|n| n.trim().parse().ok()).unwrap_or(0);
        (dir.file_name(), count)
    };
    tasks.flatten().map(of).collect()
}

/// What came on top since; a thread that ended meanwhile takes its count with it.
fn since_then(now: &BTreeMap<OsString, u64>, then: &BTreeMap<OsString, u64>) -> u64 {
    now.iter()
        .map(|(thread, count)| count - then.get(thread).copied().unwrap_or(0))
        .sum()
}
