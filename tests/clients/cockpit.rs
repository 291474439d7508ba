//! The client's side of a test: a kubeconfig, a cluster, a source and what it sent.

use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use futures::StreamExt as _;
use tempfile::TempDir;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use wheelhouse::clients::kubernetes::{Cluster, Limits, Target, Watch, connect_within, watch};
use wheelhouse::estate::{Fault, Kind, Moment, Observation, Seen};
use wheelhouse::sources::{Pace, Selectors, kubernetes};

/// How long anything may take here.
pub const LIMIT: Duration = Duration::from_secs(20);

pub const PAUSES: [Duration; 2] = [Duration::from_millis(5), Duration::from_millis(40)];

/// A kubeconfig in a folder of its own.
pub struct Kubeconfig {
    pub folder: TempDir,
}

impl Kubeconfig {
    /// With that server and the lines of a user.
    pub fn new(server: &str, user: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let text = format!(
            "apiVersion: v1\nkind: Config\ncurrent-context: here\n\
             contexts:\n- name: here\n  context: {{cluster: c, user: u}}\n- name: there\n  context: {{cluster: d, user: u}}\n\
             clusters:\n- name: c\n  cluster: {{server: \"{server}\"}}\n- name: d\n  cluster: {{server: \"http://127.0.0.1:9\"}}\n\
             users:\n- name: u\n  user: {user}\n"
        );
        std::fs::write(folder.path().join("config"), text).unwrap();
        Self { folder }
    }

    /// With a credential plugin: a shell script with that body.
    pub fn with_plugin(server: &str, script: &str) -> Self {
        let kubeconfig = Self::new(
            server,
            "{exec: {apiVersion: client.authentication.k8s.io/v1, command: ./plugin, interactiveMode: IfAvailable}}",
        );
        let (draft, path) = ("plugin.draft", "plugin");
        let [draft, path] = [draft, path].map(|name| kubeconfig.folder.path().join(name));
        let home = kubeconfig.folder.path().display();
        std::fs::write(&draft, format!("#!/bin/sh\ncd {home}\n{script}\n")).unwrap();
        // Copied by another process: what we had open for writing, a child that another test starts just then has open,
        // too, and so long it cannot be run.
        let copy = Command::new("install")
            .arg("-m755")
            .args([draft, path])
            .status();
        assert!(copy.unwrap().success());
        kubeconfig
    }

    pub fn path(&self) -> PathBuf {
        self.folder.path().join("config")
    }

    pub fn target(&self) -> Target {
        Target {
            kubeconfig: Some(self.path()),
            context: None,
            namespace: "shop".into(),
            records: None,
        }
    }

    pub async fn connect(&self) -> Cluster {
        self.connect_within(Limits::default()).await.unwrap()
    }

    pub async fn connect_within(&self, limits: Limits) -> Result<Cluster, Fault> {
        connect_within(&self.target(), limits).await
    }
}

pub const TOKEN: &str = "{token: secret-token-of-the-test}";

pub async fn connect(server: &str) -> Cluster {
    Kubeconfig::new(server, TOKEN).connect().await
}

/// Everything that a stream told.
pub struct Telling {
    stream: futures::stream::BoxStream<'static, Seen>,
    pub seen: Vec<Seen>,
}

impl Telling {
    pub fn of(cluster: &Cluster, kind: Kind) -> Self {
        Self::with(cluster, kind, "", 50)
    }

    pub fn with(cluster: &Cluster, kind: Kind, selector: &str, period: u32) -> Self {
        let how = Watch {
            selector: selector.into(),
            period,
            pauses: PAUSES,
            ..Watch::default()
        };
        Self {
            stream: watch(cluster, kind, &how),
            seen: Vec::new(),
        }
    }

    /// Reads on until `is` holds of what was told last.
    pub async fn until(&mut self, is: impl Fn(&Seen) -> bool) -> Seen {
        // Of the whole wait: what fails is tried and told again, and each time would begin it anew.
        let limit = tokio::time::Instant::now() + LIMIT;
        loop {
            let next = tokio::time::timeout_at(limit, self.stream.next()).await;
            let seen = next
                .unwrap_or_else(|_| panic!("only: {:#?}", self.seen))
                .unwrap();
            self.seen.push(seen.clone());
            if is(&seen) {
                return seen;
            }
        }
    }

    pub async fn fault(&mut self) -> Fault {
        match self.until(|s| matches!(s, Seen::Failed(..))).await {
            Seen::Failed(_, fault) => fault,
            _ => unreachable!(),
        }
    }

    pub async fn opened(&mut self) {
        self.until(|s| matches!(s, Seen::Opened(_))).await;
    }
}

/// A running source and what it sent.
pub struct Source {
    out: mpsc::Receiver<Observation>,
    task: JoinHandle<()>,
    pub seen: Vec<Seen>,
    _kubeconfig: Kubeconfig,
}

impl Drop for Source {
    fn drop(&mut self) {
        self.task.abort();
    }
}

pub const PACE: Pace = Pace {
    pulse: Duration::from_millis(60),
    answer: Duration::from_millis(500),
    pauses: PAUSES,
};

impl Source {
    pub fn start(kubeconfig: Kubeconfig) -> Self {
        Self::start_at(PACE, kubeconfig, kubernetes::boottime)
    }

    pub fn start_at(pace: Pace, kubeconfig: Kubeconfig, clock: fn() -> Moment) -> Self {
        let (sender, out) = mpsc::channel(64);
        let target = kubeconfig.target();
        let selectors = Selectors {
            workloads: "app=shop".into(),
            slices: "kubernetes.io/service-name in (shop)".into(),
        };
        let run = kubernetes::run_at(pace, 7, target, selectors, sender, clock);
        Self {
            out,
            task: tokio::spawn(run),
            seen: Vec::new(),
            _kubeconfig: kubeconfig,
        }
    }

    pub async fn until(&mut self, is: impl Fn(&Seen) -> bool) -> Seen {
        // Of the whole wait: pulses come all the time, and each would begin it anew.
        let limit = tokio::time::Instant::now() + LIMIT;
        loop {
            let next = tokio::time::timeout_at(limit, self.out.recv()).await;
            let next = next.unwrap_or_else(|_| panic!("only: {:#?}", self.seen));
            let observation = next.expect("the source ended");
            assert_eq!(observation.environment, 7);
            self.seen.push(observation.seen.clone());
            if is(&observation.seen) {
                return observation.seen;
            }
        }
    }

    pub async fn opened(&mut self, kind: Kind) {
        self.until(|s| *s == Seen::Opened(kind)).await;
    }

    pub async fn all_opened(&mut self) {
        let mut missing = Kind::ALL.to_vec();
        while !missing.is_empty() {
            let seen = self.until(|s| matches!(s, Seen::Opened(_))).await;
            missing.retain(|kind| seen != Seen::Opened(*kind));
        }
    }

    pub async fn pulse(&mut self) {
        self.until(|s| matches!(s, Seen::Pulse { .. })).await;
    }

    pub async fn no_pulse(&mut self) -> Fault {
        match self.until(|s| matches!(s, Seen::NoPulse(_))).await {
            Seen::NoPulse(fault) => fault,
            _ => unreachable!(),
        }
    }
}
