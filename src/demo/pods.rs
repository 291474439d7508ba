//! The scheduler and the kubelet: how a pod comes to life, fails, and ends.

use super::kind::Kind;
use super::queue::Task;
use super::random::hex_of;
use super::store::{Key, Object};
use super::tree;
use super::world::World;
use super::write::Door;
use serde_json::Value;
use std::sync::Arc;

/// Where in its life a pod is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stage {
    Unscheduled,
    Creating,
    Pulling,
    /// The pull failed; the kubelet waits to try again.
    PullFailed {
        is_backing_off: bool,
    },
    Running,
    /// The container just ended.
    Exited,
    /// The kubelet waits to start the container again.
    Crashed,
    Ending,
}

/// What an application's log talks about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Mood {
    Fine,
    /// Readiness fails: its database of sessions does not answer.
    RedisRefused,
}

/// One run of the containers.
#[derive(Debug, Clone)]
pub(super) struct Run {
    pub(super) number: u32,
    pub(super) started: i64,
    pub(super) ended: Option<i64>,
    pub(super) is_oom: bool,
    /// Since when the application is in which mood.
    pub(super) moods: Vec<(i64, Mood)>,
}

/// A pod as its kubelet knows it; the status that the API shows is derived from it.
#[derive(Debug, Clone)]
pub(super) struct Sim {
    pub(super) uid: String,
    pub(super) key: Key,
    /// The Deployment behind it, or its own name.
    pub(super) deployment: String,
    /// Name and image of each container.
    pub(super) containers: Vec<(String, String)>,
    pub(super) stage: Stage,
    pub(super) is_ready: bool,
    pub(super) crashes: u32,
    pub(super) restarts: u32,
    pub(super) run: Option<Run>,
    pub(super) last: Option<Run>,
    pub(super) bound: Option<i64>,
    pub(super) node: String,
    pub(super) address: String,
    /// Before this the kubelet does not try again.
    due: i64,
    pulls: u32,
    misses: u32,
    /// Readiness: first delay, period, failures until it counts; nothing where there is no probe.
    probe: Option<(i64, i64, u32)>,
}

impl Sim {
    pub(super) fn new(pod: &Object, deployment: String) -> Self {
        let value = pod.value();
        let containers = tree::list(&value, "/spec/containers");
        let probe = containers
            .iter()
            .find_map(|container| container.get("readinessProbe"))
            .map(|probe| {
                let number = |name, default| tree::number(probe, name).unwrap_or(default);
                let misses = u32::try_from(number("/failureThreshold", 3)).unwrap_or(3);
                (
                    number("/initialDelaySeconds", 0) * 1000,
                    number("/periodSeconds", 10) * 1000,
                    misses,
                )
            });
        let named = |container: &Value| {
            (
                tree::text(container, "/name").to_owned(),
                tree::text(container, "/image").to_owned(),
            )
        };
        Self {
            uid: pod.uid.clone(),
            key: pod.key(),
            deployment,
            containers: containers.iter().map(named).collect(),
            stage: Stage::Unscheduled,
            is_ready: false,
            crashes: 0,
            restarts: 0,
            run: None,
            last: None,
            bound: None,
            node: String::new(),
            address: String::new(),
            due: 0,
            pulls: 0,
            misses: 0,
            probe,
        }
    }

    /// The first container's image.
    pub(super) fn image(&self) -> &str {
        self.containers.first().map_or("", |(_, image)| image)
    }

    pub(super) fn container(&self) -> &str {
        self.containers.first().map_or("", |(name, _)| name)
    }

    pub(super) fn mood(&mut self, now: i64, mood: Mood) {
        if let Some(run) = &mut self.run
            && run.moods.last().map(|(_, mood)| *mood) != Some(mood)
        {
            run.moods.push((now, mood));
        }
    }
}

/// The digest that an image's tag resolves to.
pub(super) fn image_id(image: &str) -> String {
    let name = image.rsplit_once(':').map_or(image, |(name, _)| name);
    format!("{name}@sha256:{}", hex_of(image, 64))
}

impl World {
    /// Hands a new pod to the scheduler.
    pub(super) fn adopt_pod(&mut self, pod: &Object) {
        let set = pod.owners.iter().find_map(|uid| self.store.find(uid));
        let deployment = set.as_ref().map_or(pod.name.as_str(), |set| {
            let hash = set.label("pod-template-hash").unwrap_or_default();
            set.name.trim_end_matches(hash).trim_end_matches('-')
        });
        self.sims
            .insert(pod.uid.clone(), Sim::new(pod, deployment.to_owned()));
    }

    /// A pod was told to end: endpoints leave it at once, the containers some time later.
    pub(super) fn end_pod(&mut self, pod: &Arc<Object>) {
        let Some(sim) = self.sims.get_mut(&pod.uid) else {
            return;
        };
        sim.stage = Stage::Ending;
        let name = sim.container().to_owned();
        self.tell(
            pod,
            "Normal",
            "Killing",
            &format!("Stopping container {name}"),
            "kubelet",
        );
        let at = self.now + self.random.range(700, 2_600);
        self.later(at, Task::Pod(pod.uid.clone()));
    }

    /// Takes a pod one step further.
    pub(super) fn step_pod(&mut self, uid: &str) {
        let (Some(mut sim), Some(pod)) = (self.sims.get(uid).cloned(), self.store.find(uid)) else {
            return;
        };
        if sim.stage == Stage::Ending {
            self.remove(Kind::Pod, &sim.key);
            return;
        }
        let next = match sim.stage {
            Stage::Unscheduled => self.schedule(&mut sim, &pod),
            Stage::Creating => self.pull(&mut sim, &pod),
            Stage::Pulling => self.pulled(&mut sim, &pod),
            Stage::PullFailed { is_backing_off } => self.pull_again(&mut sim, &pod, is_backing_off),
            Stage::Running => self.watch_container(&mut sim, &pod),
            Stage::Exited => self.back_off(&mut sim, &pod),
            Stage::Crashed if self.now < sim.due => Some(sim.due),
            Stage::Crashed => self.start(&mut sim, &pod),
            Stage::Ending => None,
        };
        self.show(&sim);
        self.sims.insert(uid.to_owned(), sim);
        if let Some(at) = next {
            self.later(at.max(self.now + 1), Task::Pod(uid.to_owned()));
        }
    }

    fn after(&mut self, low: i64, high: i64) -> Option<i64> {
        Some(self.now + self.random.range(low, high))
    }

    fn schedule(&mut self, sim: &mut Sim, pod: &Object) -> Option<i64> {
        let nodes: Vec<String> = self
            .store
            .list(Kind::Node, "")
            .map(|node| node.name.clone())
            .collect();
        if self.troubles.of(sim).unschedulable || nodes.is_empty() {
            let message = unschedulable(nodes.len());
            self.tell(
                pod,
                "Warning",
                "FailedScheduling",
                &message,
                "default-scheduler",
            );
            return self.after(20_000, 40_000);
        }
        let index = usize::try_from(self.random.next() % nodes.len() as u64).unwrap_or(0);
        sim.node.clone_from(&nodes[index]);
        sim.bound = Some(self.now);
        sim.stage = Stage::Creating;
        let node = sim.node.clone();
        self.modify(Kind::Pod, &sim.key, "kube-scheduler", Door::Main, |value| {
            tree::set(value, "/spec/nodeName", node)
        });
        let message = format!(
            "Successfully assigned {}/{} to {}",
            pod.namespace, pod.name, sim.node
        );
        self.tell(pod, "Normal", "Scheduled", &message, "default-scheduler");
        self.after(200, 700)
    }

    fn pull(&mut self, sim: &mut Sim, pod: &Object) -> Option<i64> {
        sim.address = self.address();
        sim.stage = Stage::Pulling;
        self.tell(
            pod,
            "Normal",
            "Pulling",
            &format!("Pulling image {:?}", sim.image()),
            "kubelet",
        );
        self.after(500, 2_200)
    }

    fn pulled(&mut self, sim: &mut Sim, pod: &Object) -> Option<i64> {
        if self.troubles.of(sim).pull {
            let message = format!(
                "Failed to pull image {:?}: {}",
                sim.image(),
                pull_error(sim.image())
            );
            self.tell(pod, "Warning", "Failed", &message, "kubelet");
            self.tell(pod, "Warning", "Failed", "Error: ErrImagePull", "kubelet");
            sim.stage = Stage::PullFailed {
                is_backing_off: false,
            };
            return self.after(2_000, 5_000);
        }
        let took = self.random.range(400, 2_000);
        let size = 80_000_000 + self.random.range(0, 40_000_000);
        let message = format!(
            "Successfully pulled image {:?} in {took}ms ({took}ms including waiting). Image size: {size} bytes.",
            sim.image()
        );
        self.tell(pod, "Normal", "Pulled", &message, "kubelet");
        self.start(sim, pod)
    }

    fn pull_again(&mut self, sim: &mut Sim, pod: &Object, is_backing_off: bool) -> Option<i64> {
        if !is_backing_off {
            sim.stage = Stage::PullFailed {
                is_backing_off: true,
            };
            sim.due = self.now + (10_000 << sim.pulls.min(5)).min(300_000);
            sim.pulls += 1;
            self.tell(
                pod,
                "Normal",
                "BackOff",
                &format!("Back-off pulling image {:?}", sim.image()),
                "kubelet",
            );
            self.tell(
                pod,
                "Warning",
                "Failed",
                "Error: ImagePullBackOff",
                "kubelet",
            );
            return Some(sim.due);
        }
        if self.now < sim.due {
            return Some(sim.due);
        }
        self.tell(
            pod,
            "Normal",
            "Pulling",
            &format!("Pulling image {:?}", sim.image()),
            "kubelet",
        );
        self.pulled(sim, pod)
    }

    fn start(&mut self, sim: &mut Sim, pod: &Object) -> Option<i64> {
        if sim.last.is_some() || sim.run.is_some() {
            let message = format!(
                "Container image {:?} already present on machine",
                sim.image()
            );
            self.tell(pod, "Normal", "Pulled", &message, "kubelet");
            sim.restarts += 1;
        }
        if let Some(run) = sim.run.take() {
            sim.last = Some(run);
        }
        sim.stage = Stage::Running;
        sim.misses = 0;
        sim.is_ready = false;
        let number = sim.restarts;
        let moods = vec![(self.now, Mood::Fine)];
        sim.run = Some(Run {
            number,
            started: self.now,
            ended: None,
            is_oom: false,
            moods,
        });
        self.tell(
            pod,
            "Normal",
            "Created",
            &format!("Created container: {}", sim.container()),
            "kubelet",
        );
        self.tell(
            pod,
            "Normal",
            "Started",
            &format!("Started container {}", sim.container()),
            "kubelet",
        );
        self.watch_container(sim, pod)
    }

    /// Crashes and readiness of a container that runs; nothing more is due once it is well.
    fn watch_container(&mut self, sim: &mut Sim, pod: &Object) -> Option<i64> {
        let started = sim.run.as_ref().map_or(self.now, |run| run.started);
        let symptoms = self.troubles.of(sim);
        let crash = symptoms
            .crash
            .map(|(is_oom, after)| (is_oom, started + after));
        if let Some((is_oom, _)) = crash.filter(|(_, at)| *at <= self.now) {
            return self.exit(sim, is_oom);
        }
        let probe = self.probe(sim, pod, started, symptoms.unready);
        [probe, crash.map(|(_, at)| at)].into_iter().flatten().min()
    }

    /// The readiness probe, if it is time; answers when it is next wanted.
    fn probe(&mut self, sim: &mut Sim, pod: &Object, started: i64, fails: bool) -> Option<i64> {
        let (delay, period, threshold) = sim.probe.unwrap_or((0, 10_000, 1));
        let first = started + delay + (hex_of(&sim.uid, 1).as_bytes()[0] as i64 % 10) * 60;
        if self.now < first && sim.probe.is_some() {
            return Some(first);
        }
        if !fails {
            sim.misses = 0;
            sim.is_ready = true;
            sim.mood(self.now, Mood::Fine);
            return None;
        }
        sim.misses += 1;
        sim.mood(self.now, Mood::RedisRefused);
        let message = "Readiness probe failed: HTTP probe failed with statuscode: 503";
        self.tell(pod, "Warning", "Unhealthy", message, "kubelet");
        if sim.misses >= threshold {
            sim.is_ready = false;
        }
        Some(self.now + period)
    }

    fn exit(&mut self, sim: &mut Sim, is_oom: bool) -> Option<i64> {
        if let Some(run) = &mut sim.run {
            run.ended = Some(self.now);
            run.is_oom = is_oom;
            if self.now - run.started > 600_000 {
                sim.crashes = 0;
            }
        }
        sim.crashes += 1;
        sim.is_ready = false;
        sim.stage = Stage::Exited;
        self.after(600, 1_400)
    }

    fn back_off(&mut self, sim: &mut Sim, pod: &Object) -> Option<i64> {
        if sim.crashes <= 1 {
            return self.start(sim, pod);
        }
        sim.stage = Stage::Crashed;
        sim.due = self.now + back_off_seconds(sim.crashes) * 1_000;
        let message = format!(
            "Back-off restarting failed container {} in pod {}_{}({})",
            sim.container(),
            sim.key.1,
            sim.key.0,
            sim.uid
        );
        self.tell(pod, "Warning", "BackOff", &message, "kubelet");
        Some(sim.due)
    }

    fn show(&mut self, sim: &Sim) {
        let (time, epoch) = (self.time(), self.epoch);
        let at = |at: i64| super::clock::rfc3339(epoch, at);
        let nodes = self.store.list(Kind::Node, "").count();
        self.modify(Kind::Pod, &sim.key, "kubelet", Door::Status, |value| {
            let status = super::pod_status::status(sim, value, nodes, &time, &at);
            tree::set(value, "/status", status);
        });
    }
}

/// How long the kubelet waits after so many crashes.
pub(super) fn back_off_seconds(crashes: u32) -> i64 {
    (10_i64 << crashes.saturating_sub(2).min(5)).min(300)
}

pub(super) fn unschedulable(nodes: usize) -> String {
    format!(
        "0/{nodes} nodes are available: {nodes} Insufficient cpu. preemption: 0/{nodes} nodes are available: \
         {nodes} No preemption victims found for incoming pod."
    )
}

pub(super) fn pull_error(image: &str) -> String {
    format!(
        "rpc error: code = NotFound desc = failed to pull and unpack image {image:?}: failed to resolve reference \
         {image:?}: {image}: not found"
    )
}
