//! From the cockpit, by keys, on the real Prometheus and Alertmanager: an alert fires, is silenced, is
//! seen so; the chart has what a query returns; Prometheus is killed and comes back.

use super::{LIMIT, Monitoring, PATIENCE};
use crate::estate::{Home, program};
use crate::pty::{Pty, text_of};
use std::time::Duration;
use wheelhouse::clients::alertmanager::Alertmanager;
use wheelhouse::clients::prometheus::Prometheus;

/// A cockpit on monitoring alone: its Kubernetes refuses connections, and that is no reason not to act.
struct Cockpit {
    pty: Pty,
    home: Home,
}

impl Cockpit {
    fn on(monitoring: &Monitoring) -> Self {
        let home = Home::new();
        let kubeconfig = home.write(
            "kubeconfig",
            "apiVersion: v1\nkind: Config\ncurrent-context: here\n\
             contexts: [{name: here, context: {cluster: c, user: u}}]\n\
             clusters: [{name: c, cluster: {server: 'http://127.0.0.1:1'}}]\nusers: [{name: u, user: {}}]\n",
        );
        let [prometheus, alertmanager] = monitoring.ports;
        let config = format!(
            "title = \"shop\"\n\
             [prometheus]\nurl = \"http://127.0.0.1:{prometheus}/prom\"\nwatchdog = \"Watchdog\"\n\
             [alertmanager]\nurl = \"http://127.0.0.1:{alertmanager}/alerts\"\n\
             [[environment]]\nname = \"staging\"\ntier = \"staging\"\nnamespace = \"shop\"\n\
             kubeconfig = {:?}\nselector = \"app=shop\"\n\
             [[environment.workload]]\nname = \"shop\"\nlabels = {{ part = \"shop\" }}\n",
            kubeconfig.display().to_string()
        );
        let config = home.write("config.toml", &config);
        let (name, value) = home.env();
        let args = ["--config", config.to_str().unwrap()];
        let pty = Pty::spawn(&program(), &args, &[(name, &value)], (120, 50));
        pty.send("3");
        Self { pty, home }
    }

    fn wait(&self, what: &str) {
        self.pty
            .wait_for(what, PATIENCE, |screen, _| text_of(screen).contains(what));
    }

    /// Goes to the alert that is the gravest.
    fn open_first(&self, alert: &str) {
        self.wait(alert);
        self.pty.send("\r");
        self.wait("Last hour");
    }
}

#[test]
fn an_alert_is_silenced_from_the_cockpit_by_keys_and_its_chart_is_what_a_query_returns() {
    let monitoring = Monitoring::start();
    let cockpit = Cockpit::on(&monitoring);
    let pty = &cockpit.pty;
    cockpit.open_first("✗ TargetDown");
    cockpit.wait("runbook       https://runbooks.example/TargetDown");
    cockpit.wait("gaps: ");
    let shown = gaps(&pty.text());
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let hour = Duration::from_secs(3_600);
    let prometheus = Prometheus::new(&monitoring.to_prometheus());
    let chart = prometheus.chart(None, "up == 0", hour, LIMIT);
    let chart = runtime.block_on(chart).unwrap();
    let points = &chart.series[0].points;
    let missing = points.iter().filter(|p| p.is_none()).count();
    assert!(shown.abs_diff(missing) <= 1, "{shown} {missing}");
    assert_eq!(points.last().unwrap(), &Some(0.0));
    // One flat line at the value, at the right end.
    assert!(pty.text().contains("        0 │"), "{}", pty.text());

    pty.send("S");
    cockpit.wait("one alert now: this one");
    // The external label, which only Alertmanager has, makes it as narrow as the alert.
    assert!(pty.text().contains("cluster=\"eu\""), "{}", pty.text());
    pty.send("release 42\r\r");
    cockpit.wait("y  set the silence      Enter  [Cancel]");
    pty.send("y");
    cockpit.wait("read back, act");
    cockpit.wait("z silenced");
    let alertmanager = Alertmanager::new(&monitoring.to_alertmanager());
    let known = runtime
        .block_on(alertmanager.handling(None, LIMIT))
        .unwrap();
    let [silence] = &known.silences[..] else {
        panic!("one silence: {:?}", known.silences);
    };
    assert!(silence.comment.starts_with("release 42 (wheelhouse "));
    assert!(silence.author.contains('@'), "{}", silence.author);
    assert!(silence.matchers.contains(&"cluster=\"eu\"".into()));

    pty.send("X");
    cockpit.wait("y  end the silence now");
    pty.send("y");
    cockpit.wait("✓ the end of the silence");
    cockpit.wait("✗ firing");
    let known = runtime
        .block_on(alertmanager.handling(None, LIMIT))
        .unwrap();
    assert!(known.silences.is_empty(), "{:?}", known.silences);
    let journal = cockpit
        .home
        .path()
        .join(".local/state/wheelhouse/acts.jsonl");
    assert_eq!(std::fs::read_to_string(journal).unwrap().lines().count(), 4);
}

/// How many points of the chart on the screen have no value.
fn gaps(text: &str) -> usize {
    let (_, tail) = text.split_once("gaps: ").unwrap();
    tail.split(' ').next().unwrap().parse().unwrap()
}

#[test]
fn a_killed_prometheus_ages_on_the_screen_says_why_and_recovers() {
    let mut monitoring = Monitoring::start();
    let cockpit = Cockpit::on(&monitoring);
    cockpit.open_first("✗ TargetDown");
    cockpit.wait("gaps: ");
    cockpit.pty.send("\x1b");
    cockpit.wait("─ 3 Alerts");
    monitoring.prometheus.take();
    cockpit.wait("? UNKNOWN, as of ");
    cockpit.wait("refuses connections");
    let text = cockpit.pty.text();
    assert!(text.contains("✗ TargetDown"), "nothing is lost:\n{text}");
    // What is not current is not acted upon.
    cockpit.pty.send("S");
    cockpit.wait("Refused: the alerts are not current");
    cockpit.pty.send("\x1b");
    cockpit
        .pty
        .wait_for("the end of the plan", PATIENCE, |screen, _| {
            !text_of(screen).contains("Refused: ")
        });
    // The page of the alert says so of its chart, too.
    cockpit.pty.send("\r");
    cockpit.wait("Last hour");
    cockpit.wait("ago: ");
    monitoring.start_prometheus();
    cockpit
        .pty
        .wait_for("the chart without its fault", PATIENCE, |screen, _| {
            let text = text_of(screen);
            text.contains("gaps: ") && !text.contains("ago: ")
        });
    cockpit.pty.send("\x1b");
    cockpit.pty.wait_for("live alerts", PATIENCE, |screen, _| {
        let text = text_of(screen);
        text.contains("✗ TargetDown") && !text.contains("UNKNOWN, as of")
    });
}
