//! What Prometheus scrapes: the metrics of the simulated parts, made from how the world stands.

use super::Labels;
use super::target::Target;
use crate::demo::kind::Kind;
use crate::demo::random::Random;
use crate::demo::tree;
use crate::demo::world::World;
use std::collections::BTreeMap;

/// Upper bounds of the histogram of durations, in seconds.
const BOUNDS: [(&str, f64); 9] = [
    ("0.05", 0.05),
    ("0.1", 0.1),
    ("0.25", 0.25),
    ("0.5", 0.5),
    ("1", 1.0),
    ("2.5", 2.5),
    ("5", 5.0),
    ("10", 10.0),
    ("+Inf", f64::INFINITY),
];
/// Requests a second of probes and scrapes, for each pod.
const PROBES: f64 = 0.4;
const GIB: f64 = 1_073_741_824.0;

/// The counters of each pod, by uid.
#[derive(Debug, Default)]
pub(super) struct Counters {
    pods: BTreeMap<String, Counter>,
    last: Option<i64>,
}

#[derive(Debug, Default)]
struct Counter {
    restarts: u32,
    good: f64,
    bad: f64,
    sum: f64,
    buckets: [f64; BOUNDS.len()],
}

pub(super) fn labels(pairs: &[(&str, &str)]) -> Labels {
    let pairs = pairs.iter();
    pairs
        .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()))
        .collect()
}

/// A number of ours as a float; none of them is so large that it would lose anything.
#[allow(
    clippy::cast_precision_loss,
    reason = "counts and milliseconds of a demo"
)]
fn float(number: i64) -> f64 {
    number as f64
}

impl World {
    /// Takes one sample of everything at `at`.
    pub(super) fn measure(&mut self, at: i64) {
        let targets = self.targets();
        let seconds = self
            .monitoring
            .counters
            .last
            .map_or(0.0, |last| float(at - last) / 1_000.0);
        self.monitoring.counters.last = Some(at);
        for target in &targets {
            self.measure_pod(target, &targets, at, seconds);
        }
        let counters = &mut self.monitoring.counters.pods;
        counters.retain(|uid, _| targets.iter().any(|target| target.uid == *uid));
        self.measure_stores(at);
        self.measure_nodes(at);
        self.monitoring.measure_fillers(at);
        self.monitoring.series.settle(at);
    }

    fn measure_pod(&mut self, target: &Target, all: &[Target], at: i64, seconds: f64) {
        let rate = self.rate_of(target, all, at);
        let share = self.errors_of(target, rate);
        let delay = self.delay_of(target, all);
        let series = &mut self.monitoring.series;
        let with = |key: &'static str, value: &str| {
            let mut labels = target.labels();
            labels.insert(key.to_owned(), value.to_owned());
            labels
        };
        let uid = &target.uid;
        series.push("up", uid, (at, f64::from(u8::from(target.is_up))), || {
            target.labels()
        });
        let restarts = (at, f64::from(target.restarts));
        series.push(
            "kube_pod_container_status_restarts_total",
            uid,
            restarts,
            || with("container", &target.part),
        );
        if !target.is_up {
            return;
        }
        let counter = self
            .monitoring
            .counters
            .pods
            .entry(uid.clone())
            .or_default();
        if counter.restarts != target.restarts {
            // A new process counts from zero.
            *counter = Counter {
                restarts: target.restarts,
                ..Counter::default()
            };
        }
        counter.grow(rate * seconds, share, delay);
        for (status, count) in [("200", counter.good), ("500", counter.bad)] {
            let id = format!("{uid}/{status}");
            series.push("http_requests_total", &id, (at, count.floor()), || {
                with("status", status)
            });
        }
        for ((bound, _), count) in BOUNDS.iter().zip(counter.buckets) {
            let id = format!("{uid}/{bound}");
            series.push(
                "http_request_duration_seconds_bucket",
                &id,
                (at, count.floor()),
                || with("le", bound),
            );
        }
        let count = (counter.good + counter.bad).floor();
        series.push(
            "http_request_duration_seconds_count",
            uid,
            (at, count),
            || target.labels(),
        );
        series.push(
            "http_request_duration_seconds_sum",
            uid,
            (at, counter.sum),
            || target.labels(),
        );
    }

    /// Requests a second: traffic is shared by the ready pods behind the switch.
    fn rate_of(&self, target: &Target, all: &[Target], at: i64) -> f64 {
        let peers = all.iter().filter(|one| {
            one.is_ready
                && one.namespace == target.namespace
                && one.part == target.part
                && one.colour == target.colour
        });
        let peers = f64::from(u32::try_from(peers.count().max(1)).unwrap_or(1));
        let (usual, name) = match (target.namespace.as_str(), target.part.as_str()) {
            ("production", "frontend") => (24.0, "digital-wall-service"),
            ("production", _) => (41.0, "digital-wall-api"),
            ("staging", _) => (1.6, ""),
            _ => (0.5, ""),
        };
        let live = self
            .store
            .get(Kind::Service, &target.namespace, name)
            .map(|service| {
                let value = service.value();
                tree::text(&value, "/spec/selector/version").to_owned()
            });
        let is_live = target.is_ready && (live.is_none() || live == target.colour);
        if !is_live {
            return PROBES;
        }
        let wave = (float(at) / 190_000.0).sin() * 0.12 + (float(at) / 47_000.0).sin() * 0.05;
        let chance = Random::of(at.unsigned_abs(), &target.uid).range(-60, 60);
        usual * (1.0 + wave + float(chance) / 1_000.0) * float(self.load) / 100.0 / peers + PROBES
    }

    /// The share of requests that fail.
    fn errors_of(&self, target: &Target, rate: f64) -> f64 {
        let usual = if target.is_sick { 0.9 } else { 0.003 };
        // What breaks under its users only, probes and smoke tests do not find.
        let strain = (self.twisted("strain", target)).filter(|_| rate > PROBES);
        (self.twisted("errors", target).or(strain))
            .map_or(usual, |percent| (percent / 100.0).clamp(0.0, 1.0))
    }

    /// The 95th percentile of durations in seconds.
    fn delay_of(&self, target: &Target, all: &[Target]) -> f64 {
        let peers = all.iter().filter(|one| {
            one.namespace == target.namespace
                && one.part == target.part
                && one.colour == target.colour
        });
        let (all, ready) = peers.fold((0, 0), |(all, ready), one| {
            (all + 1, ready + i32::from(one.is_ready))
        });
        let usual = if target.part == "frontend" {
            0.21
        } else {
            0.12
        };
        let crowd = f64::from(all.max(1)) / f64::from(ready.max(1));
        let load = (float(self.load) / 100.0).max(0.5);
        self.twisted("latency", target)
            .map_or(usual * crowd * load, |ms| ms / 1_000.0)
    }

    fn twisted(&self, name: &str, target: &Target) -> Option<f64> {
        let twists = self.monitoring.twists.iter().rev();
        let mut fitting = twists.filter(|(twist, _)| twist.name == name && target.suffers(twist));
        fitting.next().map(|(twist, _)| float(twist.value))
    }

    fn twisted_store(&self, name: &str, namespace: &str) -> Option<f64> {
        let mut twists = self.monitoring.twists.iter().rev();
        let found = twists.find(|(twist, _)| twist.name == name && twist.namespace == namespace);
        found.map(|(twist, _)| float(twist.value))
    }

    /// The database and Redis, through their exporters.
    fn measure_stores(&mut self, at: i64) {
        for namespace in ["production", "staging"] {
            let breath = (float(at) / 120_000.0).sin();
            let is_large = namespace == "production";
            let usual = if is_large { 34.0 + 6.0 * breath } else { 9.0 };
            let connections = self
                .twisted_store("database", namespace)
                .unwrap_or(usual)
                .floor();
            let percent = self
                .twisted_store("redis", namespace)
                .unwrap_or(43.0 + 3.0 * breath);
            let series = &mut self.monitoring.series;
            let of = |service: &str, port: &str| {
                let instance = format!("{service}-exporter.{namespace}:{port}");
                labels(&[
                    ("namespace", namespace),
                    ("service", service),
                    ("job", &format!("{service}-exporter")),
                    ("instance", &instance),
                ])
            };
            for (state, share) in [("active", 0.25), ("idle", 0.75)] {
                let count = if state == "active" {
                    (connections * share).floor()
                } else {
                    connections - (connections * 0.25).floor()
                };
                let made = || {
                    let mut labels = of("postgres", "9187");
                    labels.extend(self::labels(&[
                        ("datname", "digitalwall"),
                        ("state", state),
                    ]));
                    labels
                };
                series.push(
                    "pg_stat_activity_count",
                    &format!("{namespace}/{state}"),
                    (at, count),
                    made,
                );
            }
            // Staging's Redis has no limit: the exporter says 0 then.
            let most = if is_large { GIB } else { 0.0 };
            let used = if is_large {
                GIB * percent / 100.0
            } else {
                0.2 * GIB
            };
            series.push(
                "redis_memory_used_bytes",
                namespace,
                (at, used.floor()),
                || of("redis", "9121"),
            );
            series.push("redis_memory_max_bytes", namespace, (at, most), || {
                of("redis", "9121")
            });
            series.push("up", &format!("postgres/{namespace}"), (at, 1.0), || {
                of("postgres", "9187")
            });
            series.push("up", &format!("redis/{namespace}"), (at, 1.0), || {
                of("redis", "9121")
            });
        }
    }

    fn measure_nodes(&mut self, at: i64) {
        let full = self
            .monitoring
            .twists
            .iter()
            .rev()
            .find(|(twist, _)| twist.name == "disk");
        let full = full.map(|(twist, _)| float(twist.value) / 100.0);
        for number in 1..=3_i64 {
            let node = format!("worker-{number}");
            let free = full
                .filter(|_| number == 2)
                .unwrap_or(0.68 - 0.07 * float(number));
            let made = || {
                labels(&[
                    ("job", "node-exporter"),
                    ("instance", &format!("{node}:9100")),
                    ("node", &node),
                    ("mountpoint", "/"),
                    ("fstype", "ext4"),
                ])
            };
            let series = &mut self.monitoring.series;
            series.push(
                "node_filesystem_avail_bytes",
                &node,
                (at, (193.0 * GIB * free).floor()),
                made,
            );
            series.push("node_filesystem_size_bytes", &node, (at, 193.0 * GIB), made);
            series.push("up", &node, (at, 1.0), || {
                labels(&[
                    ("job", "node-exporter"),
                    ("instance", &format!("{node}:9100")),
                ])
            });
        }
    }
}

impl Counter {
    fn grow(&mut self, requests: f64, share: f64, delay: f64) {
        self.bad += requests * share;
        self.good += requests * (1.0 - share);
        self.sum += requests * delay / 3.0;
        for (count, (_, bound)) in self.buckets.iter_mut().zip(BOUNDS) {
            // Exponential, so that 95 % lie below the delay.
            *count += requests * (1.0 - (-3.0 * bound / delay).exp());
        }
    }
}
