//! A small blue-green estate as plain observations, for tests of the pure halves.
#![allow(
    dead_code,
    missing_docs,
    reason = "shared by tests that use parts of it"
)]

use jiff::{SignedDuration, Timestamp};
use wheelhouse::app::{Event, Keymap, Look, Setup, State, settle, update};
use wheelhouse::estate::*;

pub const SIZES: [(u16, u16); 4] = [(60, 15), (80, 24), (120, 30), (200, 50)];

pub fn wall() -> Timestamp {
    "2026-11-23T14:02:00Z"
        .parse()
        .unwrap_or(Timestamp::UNIX_EPOCH)
}

pub fn now() -> Now {
    Now {
        wall: wall(),
        at: Moment(1_000_000),
    }
}

pub fn ago(seconds: i64) -> Option<Timestamp> {
    wall().checked_sub(SignedDuration::from_secs(seconds)).ok()
}

pub fn labels(pairs: &[(&str, &str)]) -> Labels {
    pairs
        .iter()
        .map(|(k, v)| ((*k).into(), (*v).into()))
        .collect()
}

pub fn scope(name: &str, tier: Tier) -> Scope {
    let workload = |name: &str| WorkloadScope {
        name: name.into(),
        labels: labels(&[("part", name)]),
        deployments: Vec::new(),
    };
    Scope {
        name: name.into(),
        tier,
        context: "prod-eu".into(),
        namespace: name.into(),
        workloads: vec![workload("frontend"), workload("backend")],
        traffic: (tier == Tier::Production).then(|| TrafficSwitch {
            key: "version".into(),
            colours: ["blue".into(), "green".into()],
            services: vec!["digital-wall-service".into(), "digital-wall-api".into()],
            keep_warm: None,
            clean_up: false,
        }),
        soak: Soak::default(),
        approval: Default::default(),
        needs_smoke: false,
        needs_ci: false,
        holds_returned: false,
    }
}

pub fn image(part: &str, tag: &str) -> Image {
    Image {
        name: format!("ghcr.io/acme/digitalwall-{part}:{tag}").into(),
        digest: Some(
            format!("sha256:{tag}{}", "0a1b2c3d4e5f".repeat(4))
                .as_str()
                .into(),
        ),
    }
}

pub fn pod(colour: &str, part: &str, suffix: &str, age: i64) -> Pod {
    let tag = if colour == "blue" {
        "4f2a91c"
    } else {
        "9b1e07d"
    };
    Pod {
        name: format!("digital-wall-{colour}-{part}-6b9f7c5d48-{suffix}").into(),
        uid: format!("uid-{colour}-{part}-{suffix}").into(),
        labels: labels(&[("part", part), ("version", colour)]),
        created: ago(age),
        deleting: None,
        node: Some("worker-2".into()),
        phase: "Running".into(),
        ready: true,
        ready_changed: ago(age - 20),
        reason: None,
        unschedulable: None,
        gates: Vec::new(),
        owner: Some(format!("digital-wall-{colour}-{part}-6b9f7c5d48").into()),
        containers: vec![Container {
            name: part.into(),
            init: false,
            sidecar: false,
            image: image(part, tag),
            ready: true,
            restarts: 0,
            state: ContainerState::Running {
                since: ago(age - 5),
            },
            last: None,
            probe: Some("GET /ready :8000 every 5s".into()),
        }],
        default_container: None,
        ports: [("http".into(), 8000)].into_iter().collect(),
    }
}

/// A backend whose probe fails since it ran out of memory.
pub fn ill_pod() -> Pod {
    let mut pod = pod("green", "backend", "x2k1m", 600);
    pod.ready = false;
    pod.ready_changed = ago(240);
    let container = &mut pod.containers[0];
    container.ready = false;
    container.restarts = 3;
    container.last = Some(Ended {
        reason: "OOMKilled".into(),
        exit_code: 137,
        at: ago(300),
        message: None,
    });
    pod
}

fn deployment(colour: &str, part: &str, desired: u32, ready: u32, age: i64) -> Deployment {
    let tag = if colour == "blue" {
        "4f2a91c"
    } else {
        "9b1e07d"
    };
    Deployment {
        name: format!("digital-wall-{colour}-{part}").into(),
        uid: format!("uid-{colour}-{part}").into(),
        resource_version: "4712".into(),
        marks: labels(&[]),
        has_annotations: true,
        match_labels: labels(&[("part", part), ("version", colour)]),
        template_labels: labels(&[("part", part), ("version", colour)]),
        created: ago(864_000),
        generation: 7,
        observed_generation: 7,
        desired,
        replicas: desired,
        updated: desired,
        ready,
        available: ready,
        paused: false,
        conditions: vec![Condition {
            kind: "Available".into(),
            status: if ready < desired { "False" } else { "True" }.into(),
            reason: Some("MinimumReplicasAvailable".into()),
            message: Some("Deployment has minimum availability.".into()),
            since: ago(age),
            updated: None,
        }],
        images: vec![(part.into(), image(part, tag))],
        revision: Some("3".into()),
        helm_release: Some(format!("digital-wall-{colour}").as_str().into()),
        owners: vec![format!("Helm release digital-wall-{colour}").into()],
    }
}

fn set(colour: &str, part: &str, desired: u32, ready: u32, age: i64) -> ReplicaSet {
    let tag = if colour == "blue" {
        "4f2a91c"
    } else {
        "9b1e07d"
    };
    ReplicaSet {
        name: format!("digital-wall-{colour}-{part}-6b9f7c5d48").into(),
        owner: Some(format!("digital-wall-{colour}-{part}").into()),
        revision: Some("3".into()),
        is_reused: false,
        desired,
        ready,
        available: ready,
        created: ago(age),
        images: vec![(part.into(), image(part, tag))],
    }
}

fn scaler(colour: &str, part: &str, range: (u32, u32), current: u32, use_: i32) -> Autoscaler {
    Autoscaler {
        name: format!("digital-wall-{colour}-{part}").into(),
        uid: format!("uid-hpa-{colour}-{part}").into(),
        resource_version: "4713".into(),
        marks: labels(&[]),
        has_annotations: false,
        target_kind: "Deployment".into(),
        target: format!("digital-wall-{colour}-{part}").into(),
        min: range.0,
        max: range.1,
        current,
        desired: current,
        metrics: vec![("cpu".into(), Some(use_), Some(70))],
        conditions: Vec::new(),
    }
}

pub fn service(name: &str, part: &str, colour: &str) -> Service {
    Service {
        name: name.into(),
        uid: format!("uid-{name}").into(),
        resource_version: "4711".into(),
        selector: labels(&[("part", part), ("version", colour)]),
        kind: "ClusterIP".into(),
        ports: vec!["http 80→http".into()],
        targets: vec![PortTarget {
            name: Some("http".into()),
            port: 80,
            target: TargetPort::Named("http".into()),
        }],
        marks: labels(&[]),
        has_annotations: false,
        owners: Vec::new(),
        created: ago(864_000),
        managers: vec![
            FieldManager {
                name: "helm".into(),
                operation: "Update".into(),
                at: ago(864_000),
                selector_keys: vec!["part".into()],
                owns_spec: true,
            },
            FieldManager {
                name: "kubectl-patch".into(),
                operation: "Update".into(),
                at: ago(172_800),
                selector_keys: vec!["version".into()],
                owns_spec: false,
            },
        ],
    }
}

pub fn slice(service: &str, pods: &[Pod]) -> Slice {
    Slice {
        name: format!("{service}-abcde").into(),
        service: service.into(),
        managed_by: Some("endpointslice-controller.k8s.io".into()),
        endpoints: (pods.iter().enumerate())
            .map(|(n, pod)| Endpoint {
                ready: pod.ready,
                serving: pod.ready,
                terminating: false,
                target: Some(pod.uid.clone()),
                address: format!("10.1.2.{n}").into(),
            })
            .collect(),
    }
}

pub fn unhealthy(pod: &Pod) -> wheelhouse::estate::Event {
    wheelhouse::estate::Event {
        name: format!("{}.17a", pod.name).into(),
        object_kind: "Pod".into(),
        object: pod.name.clone(),
        object_uid: pod.uid.clone(),
        is_warning: true,
        reason: "Unhealthy".into(),
        message: "Readiness probe failed: HTTP probe failed with statuscode: 503".into(),
        count: 48,
        last: ago(5),
    }
}

/// Production as SCREENS tells it: BLUE live, one backend of GREEN not ready.
pub fn production() -> Vec<Seen> {
    let mut pods = Vec::new();
    for (colour, age) in [("blue", 172_800), ("green", 600)] {
        for n in ["a1b2c", "d3e4f", "g5h6i"] {
            pods.push(pod(colour, "frontend", n, age));
        }
        pods.push(pod(colour, "backend", "j7k8l", age));
    }
    pods.push(pod("blue", "backend", "m9n0p", 172_800));
    pods.push(ill_pod());
    let front: Vec<Pod> = pods
        .iter()
        .filter(|p| p.name.contains("blue-frontend"))
        .cloned()
        .collect();
    let back: Vec<Pod> = pods
        .iter()
        .filter(|p| p.name.contains("blue-backend"))
        .cloned()
        .collect();
    let listed = [
        Seen::Services(Delta::Page(vec![
            service("digital-wall-service", "frontend", "blue"),
            service("digital-wall-api", "backend", "blue"),
        ])),
        Seen::Slices(Delta::Page(vec![
            slice("digital-wall-service", &front),
            slice("digital-wall-api", &back),
        ])),
        Seen::Deployments(Delta::Page(vec![
            deployment("blue", "frontend", 3, 3, 172_800),
            deployment("blue", "backend", 2, 2, 172_800),
            deployment("green", "frontend", 3, 3, 600),
            deployment("green", "backend", 2, 1, 600),
        ])),
        Seen::ReplicaSets(Delta::Page(vec![
            set("blue", "frontend", 3, 3, 172_800),
            set("blue", "backend", 2, 2, 172_800),
            set("green", "frontend", 3, 3, 600),
            set("green", "backend", 2, 1, 600),
        ])),
        Seen::Autoscalers(Delta::Page(vec![
            scaler("blue", "frontend", (3, 10), 3, 41),
            scaler("blue", "backend", (2, 8), 2, 38),
            scaler("green", "frontend", (3, 10), 3, 4),
            scaler("green", "backend", (2, 8), 2, 3),
        ])),
        Seen::Events(Delta::Page(vec![unhealthy(&ill_pod())])),
        Seen::Pods(Delta::Page(pods)),
    ];
    let mut seen = Vec::from(listed);
    seen.extend([
        Seen::Services(Delta::Ended),
        Seen::Slices(Delta::Ended),
        Seen::Deployments(Delta::Ended),
        Seen::ReplicaSets(Delta::Ended),
        Seen::Autoscalers(Delta::Ended),
        Seen::Events(Delta::Ended),
        Seen::Leases(Delta::Ended),
        Seen::Records(Delta::Ended),
        Seen::Policies(Delta::Ended),
        Seen::Pods(Delta::Ended),
    ]);
    seen.extend(Kind::ALL.map(Seen::Opened));
    seen.push(Seen::Version("v1.37.2".into()));
    seen
}

/// A cockpit over development, staging and production that has seen nothing yet.
pub fn empty(look: Look, is_demo: bool) -> State {
    let mut state = State::new(Setup {
        title: "digital-wall".into(),
        environments: vec![
            (scope("development", Tier::Development), false),
            (scope("staging", Tier::Staging), false),
            (scope("production", Tier::Production), true),
        ],
        alerts: Vec::new(),
        hows: Vec::new(),
        probes: Vec::new(),
        repository: None,
        keymap: Keymap::default(),
        look,
        zone: jiff::tz::TimeZone::UTC,
        is_demo,
        author: "ann@bastion".into(),
        pace: wheelhouse::app::operations::Pace {
            moved_s: 60,
            renew_s: 10,
        },
        ends_with_logout: false,
        warnings: Vec::new(),
    });
    update(&mut state, Event::Tick(now()));
    state
}

/// Has `state` see `seen` of the environment on its screen.
pub fn observe(state: &mut State, seen: Vec<Seen>) {
    let environment = state.selected;
    for seen in seen {
        let at = state.now.at;
        update(
            state,
            Event::Observed(Observation {
                environment,
                at,
                seen,
            }),
        );
    }
    settle(state);
}

/// A cockpit on [`production`].
pub fn cockpit(look: Look) -> State {
    let mut state = empty(look, false);
    observe(&mut state, production());
    state
}

/// Presses keys, as the configuration spells them.
pub fn press(state: &mut State, keys: &str) -> Vec<wheelhouse::app::Command> {
    let mut commands = Vec::new();
    for key in keys.split(' ') {
        let Ok(key) = key.parse() else {
            unreachable!("{key:?} is no key");
        };
        commands.extend(update(state, Event::Key(key)));
        settle(state);
    }
    commands
}

/// The runs that SCREENS tells of.
pub fn runs() -> Vec<wheelhouse::estate::runs::RunsSeen> {
    use wheelhouse::estate::runs::*;
    let done = |conclusion| Progress::Done(conclusion);
    let run = |id: u64, number, branch: &str, title: &str, progress, age| Run {
        id,
        number,
        attempt: 1,
        title: title.into(),
        branch: Some(branch.into()),
        sha: "9b1e07d5b26c1f3e8a7d4c5b6a7980123456789a".into(),
        event: "push".into(),
        actor: Some("erin".into()),
        progress,
        started: ago(age),
        updated: ago(age - 60),
        url: format!("https://github.com/acme/digital-wall/actions/runs/{id}").into(),
    };
    let job = |id, name: &str, progress| Job {
        id,
        name: name.into(),
        progress,
        started: ago(500),
        completed: ago(400),
        steps: vec![Step {
            number: 4,
            name: "pytest".into(),
            progress: done(Conclusion::Failure),
            started: None,
            completed: None,
        }],
        url: "".into(),
    };
    let jobs = |run: u64, states: [Progress; 4]| {
        let names = [
            "detect-changes",
            "frontend-ci",
            "backend-ci",
            "deploy-staging",
        ];
        let jobs = names.into_iter().zip(states).enumerate();
        let jobs = jobs.map(|(n, (name, state))| {
            let mut job = job(run * 10 + n as u64, name, state);
            if job.progress != done(Conclusion::Failure) {
                job.steps.clear();
            }
            job
        });
        RunsSeen::Jobs(
            run,
            Jobs {
                attempt: 1,
                jobs: jobs.collect(),
            },
        )
    };
    let needs = |pairs: &[(&str, &[&str])]| Needs {
        of: pairs
            .iter()
            .map(|(k, v)| ((*k).into(), v.iter().map(|n| (*n).into()).collect()))
            .collect(),
        order: pairs.iter().map(|(k, _)| (*k).into()).collect(),
    };
    let success = || done(Conclusion::Success);
    let skipped = || done(Conclusion::Skipped);
    vec![
        RunsSeen::Runs(vec![
            run(
                83,
                1483,
                "develop",
                "Search filters",
                Progress::Running,
                120,
            ),
            run(
                82,
                1482,
                "main",
                "Fix cart rounding",
                Progress::Waiting,
                360,
            ),
            run(81, 1481, "develop", "Bump httpx", success(), 540),
            run(
                80,
                1480,
                "feat/q",
                "Queue retries",
                done(Conclusion::Failure),
                2_460,
            ),
        ]),
        RunsSeen::Needs(needs(&[
            ("detect-changes", &[]),
            ("frontend-ci", &["detect-changes"]),
            ("backend-ci", &["detect-changes"]),
            ("deploy-staging", &["frontend-ci", "backend-ci"]),
        ])),
        jobs(
            83,
            [success(), Progress::Running, skipped(), Progress::Queued],
        ),
        jobs(82, [success(), success(), success(), Progress::Waiting]),
        jobs(81, [success(), success(), skipped(), skipped()]),
        jobs(
            80,
            [success(), skipped(), done(Conclusion::Failure), skipped()],
        ),
        RunsSeen::Budget(Budget {
            limit: 5_000,
            remaining: 4_988,
            reset: None,
        }),
    ]
}

/// One alert fires for GREEN, one is pending, one is silenced; the Watchdog fires as it should.
pub fn alerts() -> Vec<Seen> {
    use wheelhouse::estate::alerts::*;
    let alert = |name: &str, severity: &str, is_firing, age| Alert {
        labels: labels(&[
            ("alertname", name),
            ("severity", severity),
            ("colour", "green"),
            ("service", "backend"),
        ]),
        annotations: labels(&[
            ("summary", "p95 2.4 s > 2 s"),
            ("runbook_url", "https://runbooks.example/latency"),
        ]),
        is_firing,
        // It was pending for as long as its rule holds it.
        since: ago(if is_firing { age + 300 } else { age }),
        value: "2.4".into(),
    };
    let rule = |name: &str, severity: &str, is_firing, age| Rule {
        name: name.into(),
        group: "digital-wall".into(),
        health: "ok".into(),
        error: None,
        evaluated: ago(12),
        interval: 15.0,
        expression: "histogram_quantile(0.95, x) > 2".into(),
        hold: 300.0,
        labels: labels(&[("severity", severity)]),
        alerts: vec![alert(name, severity, is_firing, age)],
    };
    let silenced = rule("RedisMemoryUsageHigh", "warning", true, 7_200);
    let handled = Handled {
        labels: silenced.alerts[0].labels.clone(),
        silenced_by: vec!["s1".into()],
        inhibited_by: Vec::new(),
    };
    let silence = Silence {
        id: "s1".into(),
        matchers: vec!["alertname=\"RedisMemoryUsageHigh\"".into()],
        author: "bob".into(),
        comment: "known, ticket 12".into(),
        starts: ago(600),
        ends: ago(-7_080),
    };
    let rules = RulesSeen {
        rules: vec![
            rule("Watchdog", "none", true, 864_000),
            rule("HighResponseTime", "warning", true, 240),
            rule("DatabaseConnectionsHigh", "warning", false, 120),
            silenced,
        ],
        ..RulesSeen::default()
    };
    [
        AlertsSeen::Rules(rules),
        AlertsSeen::Handling(vec![handled], vec![silence]),
    ]
    .into_iter()
    .map(Seen::Alerts)
    .collect()
}

/// How [`alerts`] are read.
pub fn alert_scope() -> wheelhouse::estate::alerts::AlertScope {
    wheelhouse::estate::alerts::AlertScope {
        watchdog: Some("Watchdog".into()),
        colour_label: Some("colour".into()),
        service_label: Some("service".into()),
        alertmanager: Some("monitoring/alertmanager:9093".into()),
        belongs: Labels::default(),
        gates: wheelhouse::estate::gates::GateScope::default(),
    }
}

/// Which workflow [`runs`] are of.
pub fn repository_scope() -> wheelhouse::estate::runs::RepositoryScope {
    use wheelhouse::estate::runs::{Deploys, RepositoryScope};
    RepositoryScope {
        name: "acme/digital-wall".into(),
        workflow: "digital-wall-ci-cd.yml".into(),
        deploys: vec![Deploys {
            environment: "staging".into(),
            job: "deploy-staging".into(),
            branch: "develop".into(),
        }],
    }
}

/// A cockpit with every source: the moment that SCREENS tells of.
pub fn full(look: Look) -> State {
    let mut state = empty(look, false);
    state.repository = Some(wheelhouse::estate::runs::Repository::new(repository_scope()));
    let production = state.selected;
    state.environments[production].estate.alerts =
        Some(wheelhouse::estate::alerts::Alerts::new(alert_scope()));
    observe(&mut state, production_and_alerts());
    let at = state.now.at;
    for seen in runs() {
        update(&mut state, Event::Repository(at, seen));
    }
    settle(&mut state);
    state
}

fn production_and_alerts() -> Vec<Seen> {
    let mut seen = production();
    seen.extend(alerts());
    seen
}

/// So many seconds pass.
pub fn pass(state: &mut State, seconds: u64) {
    let now = state.now;
    let lasts = SignedDuration::from_secs(i64::try_from(seconds).unwrap_or(0));
    let later = Now {
        wall: now.wall.checked_add(lasts).unwrap_or(now.wall),
        at: Moment(now.at.0 + seconds * 1_000),
    };
    update(state, Event::Tick(later));
    settle(state);
}
