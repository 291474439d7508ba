//! Debian's Prometheus and Alertmanager, started here on loopback: what our clients make of them. `.ci/full` has Prometheus 3
//! in the place of Debian's (`PROMETHEUS_IN`).

mod cockpit;

use crate::plane::part::{Guard, Part};
use jiff::{SignedDuration, Timestamp};
use std::fs;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::time::Duration;
use tokio::sync::mpsc;
use wheelhouse::clients::alertmanager::Alertmanager;
use wheelhouse::clients::http::{Reach, Target};
use wheelhouse::clients::prometheus::Prometheus;
use wheelhouse::estate::alerts::{Alert, AlertScope, Alerts, Standing};
use wheelhouse::estate::silence::Draft;
use wheelhouse::estate::{FaultKind, Labels, Moment, Verdict};
use wheelhouse::sources::alerts::{self, Observed};
use wheelhouse::sources::{Pace, kubernetes};

const LIMIT: Duration = Duration::from_secs(10);
/// For something to happen in servers that look once a second.
const PATIENCE: Duration = Duration::from_secs(60);
const BIN: &str = "/usr/bin";
const INSTALL: &str =
    "apt-get install -y --no-install-recommends prometheus prometheus-alertmanager";

const RULES: &str = r#"
groups:
- name: shop
  rules:
  - {alert: Watchdog, expr: vector(1)}
  - alert: TargetDown
    expr: up == 0
    labels: {severity: critical}
    annotations: {summary: 'gone: {{ $labels.instance }}', runbook_url: https://runbooks.example/TargetDown}
  - {alert: Lesser, expr: vector(1), labels: {severity: warning}}
  - {alert: Patient, expr: vector(1), for: 1h}
  - {alert: Ambiguous, expr: up * on () up}
"#;

const ROUTES: &str = r#"
route: {receiver: nobody}
receivers: [{name: nobody}]
inhibit_rules:
- {source_matchers: [alertname="TargetDown"], target_matchers: [alertname="Lesser"]}
"#;

/// Where Prometheus is: Debian's, or the one in the folder that `PROMETHEUS_IN` names.
fn prometheus_in() -> PathBuf {
    std::env::var_os("PROMETHEUS_IN").map_or_else(|| BIN.into(), PathBuf::from)
}

/// Both servers, in a folder that goes with them.
pub struct Monitoring {
    // In this order they end before the guard removes the folder.
    prometheus: Option<Part>,
    _alertmanager: Part,
    folder: PathBuf,
    ports: [u16; 2],
    _guard: Guard,
}

impl Monitoring {
    fn start() -> Self {
        Self::with(RULES, "")
    }

    /// With rules and scrapes of a test's own.
    pub fn with(rules: &str, scrapes: &str) -> Self {
        for program in [
            prometheus_in().join("prometheus"),
            Path::new(BIN).join("prometheus-alertmanager"),
        ] {
            assert!(program.exists(), "no {}: {INSTALL}", program.display());
        }
        let folder = tempfile::tempdir().unwrap().keep();
        let guard = Guard::over(&folder);
        let held = [(); 2].map(|()| TcpListener::bind("127.0.0.1:0").unwrap());
        let ports = held.map(|listener| listener.local_addr().unwrap().port());
        let settings = format!(
            "global: {{scrape_interval: 1s, evaluation_interval: 1s, external_labels: {{cluster: eu}}}}\n\
             rule_files: [rules.yml]\n\
             alerting: {{alertmanagers: [{{path_prefix: /alerts, static_configs: [{{targets: ['127.0.0.1:{}']}}]}}]}}\n\
             scrape_configs:\n\
             - {{job_name: itself, metrics_path: /prom/metrics, static_configs: [{{targets: ['127.0.0.1:{}']}}]}}\n\
             - {{job_name: gone, static_configs: [{{targets: ['127.0.0.1:1']}}]}}\n\
             {scrapes}",
            ports[1], ports[0]
        );
        fs::write(folder.join("prometheus.yml"), settings).unwrap();
        fs::write(folder.join("rules.yml"), rules).unwrap();
        fs::write(folder.join("alertmanager.yml"), ROUTES).unwrap();
        let args = [
            "--config.file=alertmanager.yml".to_owned(),
            "--storage.path=silences".to_owned(),
            "--cluster.listen-address=".to_owned(),
            "--web.route-prefix=/alerts".to_owned(),
            format!("--web.listen-address=127.0.0.1:{}", ports[1]),
        ];
        let alertmanager = Part::start("prometheus-alertmanager", Path::new(BIN), &folder, &args);
        let mut all = Self {
            prometheus: None,
            _alertmanager: alertmanager,
            folder,
            ports,
            _guard: guard,
        };
        all.start_prometheus();
        all
    }

    /// Where Prometheus and Alertmanager are.
    pub fn urls(&self) -> [String; 2] {
        let [prometheus, alertmanager] = self.ports;
        [
            format!("http://127.0.0.1:{prometheus}/prom"),
            format!("http://127.0.0.1:{alertmanager}/alerts"),
        ]
    }

    /// Ends Prometheus.
    pub fn kill_prometheus(&mut self) {
        self.prometheus = None;
    }

    pub fn start_prometheus(&mut self) {
        let args = [
            "--config.file=prometheus.yml".to_owned(),
            "--storage.tsdb.path=data".to_owned(),
            "--web.route-prefix=/prom".to_owned(),
            // Else an alert that met no Alertmanager yet is sent again after a minute.
            "--rules.alert.resend-delay=1s".to_owned(),
            format!("--web.listen-address=127.0.0.1:{}", self.ports[0]),
        ];
        let part = Part::start("prometheus", &prometheus_in(), &self.folder, &args);
        self.prometheus = Some(part);
    }

    fn to_prometheus(&self) -> Target {
        to(format!("http://127.0.0.1:{}/prom", self.ports[0]))
    }

    fn to_alertmanager(&self) -> Target {
        to(format!("http://127.0.0.1:{}/alerts/", self.ports[1]))
    }

    fn watch(&self) -> Watched {
        let target = alerts::Target {
            prometheus: Some(self.to_prometheus()),
            alertmanager: Some(self.to_alertmanager()),
            ..alerts::Target::default()
        };
        let pace = Pace {
            pulse: Duration::from_millis(200),
            pauses: [Duration::from_millis(50), Duration::from_millis(200)],
            ..Pace::default()
        };
        let (sender, out) = mpsc::channel(4);
        let shared = kubernetes::Shared::default();
        let run = alerts::run_at(pace, 0, target, shared, sender, kubernetes::boottime);
        let scope = AlertScope {
            watchdog: Some("Watchdog".into()),
            alertmanager: Some("here".into()),
            ..AlertScope::default()
        };
        Watched {
            out,
            task: tokio::spawn(run),
            alerts: Alerts::new(scope),
        }
    }
}

fn to(url: String) -> Target {
    Target {
        replicas: vec![Reach::Url(url)],
        ..Target::default()
    }
}

/// The source and what it told, folded.
struct Watched {
    out: mpsc::Receiver<Observed>,
    task: tokio::task::JoinHandle<()>,
    alerts: Alerts,
}

impl Drop for Watched {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Watched {
    async fn until(&mut self, what: &str, is: impl Fn(&Alerts) -> bool) {
        let waiting = async {
            while !is(&self.alerts) {
                let observed = self.out.recv().await.expect("the source ended");
                self.alerts.apply(observed.seen, Moment(1));
            }
        };
        let seen = tokio::time::timeout(PATIENCE, waiting).await;
        assert!(seen.is_ok(), "never: {what}\n{:#?}", self.alerts);
    }

    async fn until_stands(&mut self, name: &str, standing: Standing) {
        let what = format!("{name} {standing:?}");
        self.until(&what, |alerts| stands(alerts, name) == Some(standing))
            .await;
    }

    fn alert(&self, name: &str) -> Alert {
        let views = self.alerts.views();
        let view = views.iter().find(|v| v.rule.name.as_str() == name).unwrap();
        view.alert.clone()
    }
}

fn stands(alerts: &Alerts, name: &str) -> Option<Standing> {
    let views = alerts.views();
    views
        .iter()
        .find(|v| v.rule.name.as_str() == name)
        .map(|v| v.standing)
}

#[tokio::test]
async fn a_rule_fires_is_silenced_by_us_is_seen_so_and_fires_again() {
    let monitoring = Monitoring::start();
    let mut watched = monitoring.watch();
    watched.until_stands("TargetDown", Standing::Firing).await;
    watched.until_stands("Lesser", Standing::Inhibited).await;
    watched.until_stands("Patient", Standing::Pending).await;
    let now = watched.alerts.rules.value.server.unwrap();
    assert_eq!(watched.alerts.is_alive(now), Verdict::Ok);
    assert_eq!(stands(&watched.alerts, "Watchdog"), None);
    watched
        .until("an ambiguous rule that is ill", |alerts| {
            let mut rules = alerts.rules.value.rules.iter();
            rules.any(|r| {
                r.name.as_str() == "Ambiguous" && r.health.as_str() == "err" && r.error.is_some()
            })
        })
        .await;
    watched
        .until("one target up and one down", |alerts| {
            let targets = &alerts.targets.value;
            targets.up == 1 && matches!(&targets.down[..], [(job, ..)] if job.as_str() == "gone")
        })
        .await;

    let alertmanager = Alertmanager::new(&monitoring.to_alertmanager());
    let alert = watched.alert("TargetDown");
    assert_eq!(
        alert.links(),
        [("runbook", "https://runbooks.example/TargetDown")]
    );
    let draft = Draft::of(&alert, "ann", "release 42", Timestamp::now());
    let id = alertmanager.silence(None, &draft, LIMIT).await.unwrap();
    watched.until_stands("TargetDown", Standing::Silenced).await;
    watched
        .until("the silence itself", |alerts| {
            alerts.silences.iter().any(|s| s.id == id)
        })
        .await;
    let silence = watched.alerts.silences[0].clone();
    assert_eq!(
        (silence.author.as_str(), silence.matchers),
        ("ann", draft.words())
    );

    let ends = draft.ends + SignedDuration::from_hours(1);
    let extended = alertmanager
        .extend(None, &id, ends, ["bob", "longer"], LIMIT)
        .await;
    assert_eq!(extended.unwrap(), id, "it is still the same");
    watched
        .until("the later end", |alerts| {
            let silence = alerts.silences.iter().find(|s| s.id == id);
            silence.and_then(|s| s.ends).map(Timestamp::as_millisecond)
                == Some(ends.as_millisecond())
        })
        .await;

    alertmanager.expire(None, &id, LIMIT).await.unwrap();
    watched.until_stands("TargetDown", Standing::Firing).await;
    watched
        .until("no silence", |alerts| alerts.silences.is_empty())
        .await;
    alertmanager.expire(None, &id, LIMIT).await.unwrap();
    let over = alertmanager
        .extend(None, &id, ends, ["bob", "longer"], LIMIT)
        .await;
    assert!(over.unwrap_err().what.contains("has expired"));
}

#[tokio::test]
async fn a_killed_prometheus_is_a_fault_and_comes_back() {
    let mut monitoring = Monitoring::start();
    let mut watched = monitoring.watch();
    watched.until_stands("TargetDown", Standing::Firing).await;
    let now = watched.alerts.rules.value.server.unwrap();

    monitoring.prometheus.take();
    watched
        .until("the fault", |alerts| alerts.rules.fault.is_some())
        .await;
    let fault = watched.alerts.rules.fault.clone().unwrap();
    assert_eq!(fault.kind, FaultKind::Unreachable, "{}", fault.what);
    assert!(matches!(watched.alerts.is_alive(now), Verdict::Unknown(_)));
    assert_eq!(
        stands(&watched.alerts, "TargetDown"),
        Some(Standing::Firing),
        "what was seen stays"
    );

    monitoring.start_prometheus();
    watched
        .until("the rules again", |alerts| {
            alerts.is_alive(now) == Verdict::Ok
                && stands(alerts, "TargetDown") == Some(Standing::Firing)
        })
        .await;
}

#[tokio::test]
async fn the_history_of_alerts_is_what_prometheus_wrote_down_of_them() {
    let monitoring = Monitoring::start();
    let mut watched = monitoring.watch();
    watched.until_stands("TargetDown", Standing::Firing).await;
    let alert = watched.alert("TargetDown");
    let prometheus = Prometheus::new(&monitoring.to_prometheus());
    // Written with the evaluation that follows, a second later.
    let limit = tokio::time::Instant::now() + PATIENCE;
    let spells = loop {
        let spells = prometheus
            .spells(None, &Labels::default(), LIMIT)
            .await
            .unwrap();
        if spells.spells.iter().any(|s| s.labels == alert.labels) {
            break spells;
        }
        assert!(tokio::time::Instant::now() < limit, "never: {spells:?}");
    };
    let of = |name: &str| {
        (spells.spells.iter()).find(|s| s.labels.get("alertname") == Some(&name.into()))
    };
    let spell = of("TargetDown").unwrap();
    assert_eq!(Some(spell.to), spells.until, "it fires still");
    assert_eq!(spells.ended().count(), 0, "nothing that fires has ended");
    // What is only pending did not fire.
    assert!(of("Patient").is_none() && of("Lesser").is_some());
    // Prometheus narrows it down: what has another `job` is of others, and what has none is everybody's.
    let elsewhere = Labels::from_iter([("job".into(), "else.where|\"x\"".into())]);
    let spells = prometheus.spells(None, &elsewhere, LIMIT).await.unwrap();
    let is_there = |name: &str| {
        let mut all = spells.spells.iter();
        all.any(|spell| spell.labels.get("alertname") == Some(&name.into()))
    };
    assert!(is_there("Lesser") && !is_there("TargetDown"));
}

#[tokio::test]
async fn a_chart_has_what_queries_return_at_its_times() {
    let monitoring = Monitoring::start();
    let mut watched = monitoring.watch();
    watched.until_stands("TargetDown", Standing::Firing).await;
    let prometheus = Prometheus::new(&monitoring.to_prometheus());
    let hour = Duration::from_secs(3_600);

    // An expression whose value is its time: every point proves its place.
    let chart = prometheus
        .chart(None, "vector(time())", hour, LIMIT)
        .await
        .unwrap();
    let points: Vec<_> = chart.series[0]
        .points
        .iter()
        .map(|p| p.unwrap() as i64)
        .collect();
    let start = chart.start.as_second();
    assert_eq!(points, (0..=60).map(|n| start + n * 60).collect::<Vec<_>>());

    // Only its newest points can be there: the server is young, and may not have scraped both yet.
    let limit = tokio::time::Instant::now() + PATIENCE;
    let chart = loop {
        let chart = prometheus.chart(None, "up", hour, LIMIT).await.unwrap();
        let newest = chart.series.iter().filter_map(|s| *s.points.last()?);
        if newest.count() == 2 {
            break chart;
        }
        assert!(
            tokio::time::Instant::now() < limit,
            "never two series: {chart:?}"
        );
    };
    let measured = prometheus.query(None, "up", LIMIT).await.unwrap();
    assert_eq!((chart.series.len(), measured.samples.len()), (2, 2));
    for sample in measured.samples {
        let series = chart
            .series
            .iter()
            .find(|s| s.labels == sample.labels)
            .unwrap();
        assert_eq!(*series.points.last().unwrap(), sample.number);
        assert_eq!(series.points[0], None);
    }
    let alert = watched.alert("TargetDown");
    assert_eq!(
        chart.of(&alert.labels).unwrap().labels.get("job"),
        Some(&"gone".into())
    );
    for (expression, text) in [("0 / 0", "NaN"), ("1 / 0", "+Inf")] {
        let measured = prometheus.query(None, expression, LIMIT).await.unwrap();
        assert_eq!(
            (
                measured.samples[0].text.as_str(),
                measured.samples[0].number
            ),
            (text, None)
        );
    }
    assert!(
        prometheus
            .query(None, "absent_metric", LIMIT)
            .await
            .unwrap()
            .samples
            .is_empty()
    );
    let wrong = prometheus.query(None, "up{", LIMIT).await.unwrap_err();
    assert!(
        wrong.what.contains("bad_data") && wrong.what.contains("parse error"),
        "{}",
        wrong.what
    );
}

#[tokio::test]
async fn a_prefix_that_was_left_out_is_named_by_a_clear_sentence() {
    let monitoring = Monitoring::start();
    let mut watched = monitoring.watch();
    watched
        .until("both servers", |alerts| {
            alerts.rules.listed && alerts.handling.listed
        })
        .await;
    let [prometheus, alertmanager] = monitoring
        .ports
        .map(|port| to(format!("http://127.0.0.1:{port}")));
    let rules = Prometheus::new(&prometheus)
        .rules(None, LIMIT)
        .await
        .unwrap_err();
    let handling = Alertmanager::new(&alertmanager)
        .handling(None, LIMIT)
        .await
        .unwrap_err();
    for fault in [rules, handling] {
        assert!(fault.what.contains("path prefix"), "{}", fault.what);
    }
}

/// Debian's build knows no discovery in Kubernetes: a static target stands in, and the rest is checked.
fn without_discovery(settings: &str) -> String {
    let (head, tail) = settings.split_once("  kubernetes_sd_configs:").unwrap();
    let (_, tail) = tail.split_once("  relabel_configs:").unwrap();
    format!("{head}  static_configs: [{{targets: ['10.0.0.1:8000']}}]\n  relabel_configs:{tail}")
}

#[test]
fn the_shipped_rules_pass_their_cases_and_the_settings_are_valid() {
    let shipped = Path::new(env!("CARGO_MANIFEST_DIR")).join("assets/digital-wall/prometheus");
    let folder = tempfile::tempdir().unwrap();
    for name in ["rules.yml", "rules_test.yml", "prometheus.yml"] {
        let text = fs::read_to_string(shipped.join(name)).unwrap();
        let text = if name == "prometheus.yml" {
            without_discovery(&text)
        } else {
            text
        };
        fs::write(folder.path().join(name), text).unwrap();
    }
    for args in [
        &["check", "rules", "rules.yml"][..],
        &["test", "rules", "rules_test.yml"],
        &["check", "config", "--syntax-only", "prometheus.yml"],
    ] {
        let promtool = std::process::Command::new(Path::new(BIN).join("promtool"))
            .args(args)
            .current_dir(folder.path())
            .output();
        let out = promtool.expect(INSTALL);
        let said = [out.stdout, out.stderr].concat();
        assert!(
            out.status.success(),
            "{args:?}\n{}",
            String::from_utf8_lossy(&said)
        );
    }
}
