//! The simulated world: objects, controllers and time, moved by one function, [`World::advance`].
//! Nothing in here waits or reads a clock: the same seed and requests make the same world.

use super::faults::Faults;
use super::fields::Author;
use super::kind::Kind;
use super::pods::Sim;
use super::queue::{Queue, Task};
use super::random::Random;
use super::scenario::Scenario;
use super::store::{Change, Key, Object, Store};
use super::trouble::Troubles;
use super::write::Door;
use super::{Fault, Options, clock, github, monitoring, tree};
use jiff::Timestamp;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::Arc;

/// How long events are kept, as the API server's `--event-ttl`.
const EVENT_LIFE: i64 = 3_600_000;

/// Everything that the estate knows. Times are milliseconds since its start; the past is negative.
#[derive(Debug)]
pub(super) struct World {
    pub(super) epoch: Timestamp,
    pub(super) now: i64,
    pub(super) random: Random,
    pub(super) store: Store,
    pub(super) queue: Queue,
    /// Simulated kubelets' knowledge of each pod, by uid.
    pub(super) sims: BTreeMap<String, Sim>,
    pub(super) troubles: Troubles,
    pub(super) faults: Faults,
    pub(super) github: github::Repository,
    pub(super) monitoring: monitoring::Monitoring,
    pub(super) scenario: Scenario,
    /// Counts the scenarios chosen: steps of an older choice are void.
    pub(super) chosen: u64,
    pub(super) scenario_began: i64,
    pub(super) churn: u32,
    /// The pods that churn touches.
    pub(super) fillers: Vec<Key>,
    /// How much more than usual goes through the live colour, in percent.
    pub(super) load: i64,
    /// When each autoscaler last saw reason for as many replicas as there are.
    pub(super) scaled: BTreeMap<Key, i64>,
    addresses: u32,
}

impl World {
    /// The world of `options` at its start, with a believable past; wall-clock time begins at `epoch`.
    pub(super) fn new(options: &Options, epoch: Timestamp) -> Result<Self, Fault> {
        let scenario = Scenario::choose(&options.scenario, options.scenario_file.as_deref())?;
        let mut world = Self {
            epoch,
            now: 0,
            random: Random::new(options.seed),
            store: Store::new(48_210_000),
            queue: Queue::default(),
            sims: BTreeMap::new(),
            troubles: Troubles::default(),
            faults: Faults::default(),
            github: github::Repository::new(options.seed),
            monitoring: monitoring::Monitoring::new(options.seed),
            scenario: scenario.clone(),
            chosen: 0,
            scenario_began: 0,
            churn: options.churn,
            fillers: Vec::new(),
            load: 100,
            scaled: BTreeMap::new(),
            addresses: 0,
        };
        world.seed_past();
        world.fill(options.pods);
        world.advance(0);
        world.github.remember();
        world.github.fill(options.runs);
        world.monitoring.fill(options.alerts);
        world.recall_metrics();
        world.play(scenario);
        if world.churn > 0 {
            world.later(world.now + 1_000, Task::Churn);
        }
        Ok(world)
    }

    /// A world that stands as this one does, with chance of its own from here on, and without the past
    /// and the future of GitHub and Prometheus: making a world costs much more.
    pub(super) fn twin(&self, seed: u64) -> Self {
        let mut queue = self.queue.clone();
        queue.retain(|task| !matches!(task, Task::Scrape | Task::Deploy(_) | Task::Switch));
        Self {
            epoch: self.epoch,
            now: self.now,
            random: Random::new(seed),
            store: self.store.twin(),
            queue,
            sims: self.sims.clone(),
            troubles: self.troubles.clone(),
            faults: Faults::default(),
            github: github::Repository::new(seed),
            monitoring: monitoring::Monitoring::new(seed),
            scenario: self.scenario.clone(),
            chosen: self.chosen,
            scenario_began: self.scenario_began,
            churn: self.churn,
            fillers: self.fillers.clone(),
            load: self.load,
            scaled: self.scaled.clone(),
            addresses: self.addresses,
        }
    }

    /// Does everything that is due until `now`.
    pub(super) fn advance(&mut self, now: i64) {
        while let Some((at, task)) = self.queue.pop(now) {
            self.now = self.now.max(at);
            self.perform(task);
        }
        self.now = self.now.max(now);
        self.faults.expire(self.now);
    }

    fn perform(&mut self, task: Task) {
        match task {
            Task::Deployment(key) => self.reconcile_deployment(&key),
            Task::ReplicaSet(key) => self.reconcile_replicas(&key),
            Task::Endpoints(key) => self.reconcile_endpoints(&key),
            Task::Pod(uid) => self.step_pod(&uid),
            Task::Collect(uid) => self.collect(&uid),
            Task::Traffic => self.move_traffic(),
            Task::Churn => self.churn_pods(),
            Task::Step(chosen, index) => self.play_step(chosen, index),
            Task::Leave(lasting) => self.leave(lasting),
            Task::Mend(number) => self.mend(number),
            Task::Deploy(run) => self.deploy(run),
            Task::Switch => self.flip("production", "green", "kubectl-patch"),
            Task::Scrape => self.scrape(),
        }
    }

    pub(super) fn later(&mut self, at: i64, task: Task) {
        self.queue.push(at, task);
    }

    /// Schedules `task` after a controller's usual delay.
    pub(super) fn soon(&mut self, task: Task) {
        let at = self.now + self.random.range(3, 25);
        self.queue.push(at, task);
    }

    /// The wall-clock time now, as `Time` fields carry it.
    pub(super) fn time(&self) -> String {
        self.time_at(self.now)
    }

    pub(super) fn time_at(&self, at: i64) -> String {
        clock::rfc3339(self.epoch, at)
    }

    /// A pod's address, never given twice.
    pub(super) fn address(&mut self) -> String {
        self.addresses += 1;
        let number = self.addresses;
        format!(
            "10.{}.{}.{}",
            244 + (number / 62_500) % 8,
            (number / 250) % 250,
            number % 250 + 4
        )
    }

    /// Controllers' own writes: read, change, write. Nothing happens where the object is gone.
    pub(super) fn modify(
        &mut self,
        kind: Kind,
        key: &Key,
        manager: &str,
        door: Door,
        change: impl FnOnce(&mut Value),
    ) {
        if let Some(object) = self.store.get(kind, &key.0, &key.1) {
            let mut value = object.value();
            change(&mut value);
            // A controller's write that validation refuses has no effect, as in a real cluster.
            let _ = self.put(&object, value, door, &Author::named(manager));
        }
    }

    /// Lets the controllers see a change.
    pub(super) fn react(&mut self, kind: Kind, change: &Change) {
        let (before, after) = (change.before.as_deref(), change.after.as_deref());
        let Some(object) = after.or(before) else {
            return;
        };
        let key = object.key();
        match kind {
            Kind::Pod => self.react_to_pod(before, after),
            Kind::Deployment if after.is_some() => self.soon(Task::Deployment(key)),
            Kind::ReplicaSet => {
                if after.is_some() {
                    self.soon(Task::ReplicaSet(key));
                }
                self.wake_owner(object);
            }
            Kind::Service if after.is_some() => self.soon(Task::Endpoints(key)),
            _ => {}
        }
        if after.is_none() {
            self.later(self.now + 40, Task::Collect(object.uid.clone()));
        }
    }

    fn react_to_pod(&mut self, before: Option<&Object>, after: Option<&Object>) {
        let Some(object) = after.or(before) else {
            return;
        };
        let seen = |object: &Object| {
            let phase = object.field("status.phase").to_owned();
            (
                phase,
                object.field("status.podIP").to_owned(),
                object.is_ready,
                object.is_deleting,
                object.labels.clone(),
            )
        };
        if before.map(seen) == after.map(seen) {
            return;
        }
        self.wake_owner(object);
        let services: Vec<Key> = self
            .store
            .list(Kind::Service, &object.namespace)
            .filter(|service| {
                let selector = tree::strings(&service.value(), "/spec/selector");
                let picks = |pod: Option<&Object>| pod.is_some_and(|pod| pod.carries(&selector));
                !selector.is_empty() && (picks(before) || picks(after))
            })
            .map(|service| service.key())
            .collect();
        for service in services {
            self.soon(Task::Endpoints(service));
        }
        if before.is_none() {
            let at = self.now + self.random.range(30, 250);
            self.adopt_pod(object);
            self.later(at, Task::Pod(object.uid.clone()));
        }
        if after.is_none() {
            self.sims.remove(&object.uid);
        }
    }

    fn wake_owner(&mut self, object: &Object) {
        for owner in object
            .owners
            .iter()
            .filter_map(|uid| self.store.find(uid))
            .collect::<Vec<_>>()
        {
            match owner.kind {
                Kind::ReplicaSet => self.soon(Task::ReplicaSet(owner.key())),
                Kind::Deployment => self.soon(Task::Deployment(owner.key())),
                _ => {}
            }
        }
    }

    /// Writes an event about `object`, or counts a like one up.
    pub(super) fn tell(
        &mut self,
        object: &Object,
        kind: &str,
        reason: &str,
        message: &str,
        source: &str,
    ) {
        let time = self.time();
        let text = format!("{}{reason}{message}", object.uid);
        let suffix = super::random::hex_of(&text, 16);
        let key = (
            object.namespace.clone(),
            format!("{}.{suffix}", object.name),
        );
        if self.store.get(Kind::Event, &key.0, &key.1).is_some() {
            self.modify(Kind::Event, &key, source, Door::Main, |event| {
                let count = tree::number(event, "/count").unwrap_or(1);
                tree::set(event, "/count", count + 1);
                tree::set(event, "/lastTimestamp", time);
            });
            return;
        }
        let event = json!({
            "metadata": {"name": key.1},
            "involvedObject": {
                "kind": object.kind.facts().kind, "namespace": object.namespace, "name": object.name,
                "uid": object.uid, "apiVersion": object.kind.api_version(), "resourceVersion": object.version.to_string(),
            },
            "reason": reason, "message": message, "type": kind, "count": 1, "eventTime": null,
            "source": {"component": source}, "firstTimestamp": time, "lastTimestamp": time,
            "reportingComponent": source, "reportingInstance": "",
        });
        let _ = self.create(
            Kind::Event,
            &object.namespace,
            event,
            &Author::named(source),
        );
        self.drop_old_events();
    }

    /// Forgets the events that outlived [`EVENT_LIFE`]: some at each new event, so none costs much.
    fn drop_old_events(&mut self) {
        let oldest = self.time_at(self.now - EVENT_LIFE);
        let is_old =
            |event: &&Arc<Object>| tree::text(&event.value(), "/lastTimestamp") < oldest.as_str();
        let step = usize::try_from(self.random.range(0, 64)).unwrap_or(0);
        let old: Vec<Key> = self
            .store
            .list(Kind::Event, "")
            .skip(step)
            .step_by(64)
            .filter(is_old)
            .map(|event| event.key())
            .collect();
        for key in old {
            self.remove(Kind::Event, &key);
        }
    }
}
