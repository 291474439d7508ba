//! Pods counted as they come and go, so that a frame costs the same with 5 pods and with 50,000.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use serde::Serialize;

use super::{Image, Pod, Safe, Scope, Table, Turnover, WorkloadScope};

/// Which part of the application a pod is, and in which colour.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub struct Group {
    /// The workload's place in the scope; pods of none come last.
    pub workload: Option<usize>,
    /// The colour's place in the switch; none where there is no switch or the label names no colour.
    pub colour: Option<usize>,
}

/// What a group adds up to.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Tally {
    /// Pods that are not over: neither finished nor replaced.
    pub pods: u32,
    /// Those that are ready and not going.
    pub ready: u32,
    /// Restarts of all their containers.
    pub restarts: u64,
    /// Images of the main containers, with the number of pods that run each.
    #[serde(skip)]
    pub images: BTreeMap<Image, u32>,
}

/// In which order pods are listed: trouble first, last what is finished or was replaced.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Rank {
    Trouble,
    Fine,
    Over,
}

/// Counts and order over a table of pods, kept up to date one change at a time.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct PodIndex {
    tallies: BTreeMap<Group, Tally>,
    order: BTreeSet<(Rank, Group, Safe)>,
    entries: HashMap<Safe, Entry>,
    by_uid: HashMap<Safe, Safe>,
    trouble: usize,
}

/// What a pod added when it came, so that exactly that is taken away when it goes.
#[derive(Clone, Debug, PartialEq)]
struct Entry {
    rank: Rank,
    group: Group,
    ready: bool,
    restarts: u64,
    image: Option<Image>,
}

impl Entry {
    fn of(pod: &Pod, scope: &Scope) -> Self {
        let ready = pod.ready && pod.deleting.is_none();
        let rank = match () {
            () if pod.is_finished() || pod.is_replaced() => Rank::Over,
            () if ready => Rank::Fine,
            () => Rank::Trouble,
        };
        Self {
            rank,
            group: group_of(pod, scope),
            ready,
            restarts: u64::from(pod.restarts()),
            image: pod.main_container().map(|c| c.image.clone()),
        }
    }
}

/// Which part of the application `pod` is.
fn group_of(pod: &Pod, scope: &Scope) -> Group {
    let (traffic, deployment) = (scope.traffic.as_ref(), pod.deployment());
    let takes = |w: &WorkloadScope| w.takes(&pod.labels, deployment);
    Group {
        workload: scope.workloads.iter().position(takes),
        colour: traffic.and_then(|t| t.colour_of(&pod.labels)),
    }
}

impl PodIndex {
    /// Takes one change of `table` in.
    pub fn turn(&mut self, table: &Table<Pod>, turnover: &Turnover<Pod>, scope: &Scope) {
        if let Some(old) = &turnover.old {
            self.remove(old);
        }
        if let Some(new) = turnover.new.as_ref().and_then(|name| table.get(name)) {
            self.insert(new, scope);
        }
    }

    fn insert(&mut self, pod: &Pod, scope: &Scope) {
        let entry = Entry::of(pod, scope);
        if entry.rank != Rank::Over {
            let tally = self.tallies.entry(entry.group).or_default();
            tally.pods += 1;
            tally.ready += u32::from(entry.ready);
            tally.restarts += entry.restarts;
            if let Some(image) = &entry.image {
                *tally.images.entry(image.clone()).or_default() += 1;
            }
        }
        self.trouble += usize::from(entry.rank == Rank::Trouble);
        self.order
            .insert((entry.rank, entry.group, pod.name.clone()));
        self.by_uid.insert(pod.uid.clone(), pod.name.clone());
        self.entries.insert(pod.name.clone(), entry);
    }

    fn remove(&mut self, pod: &Pod) {
        let Some(entry) = self.entries.remove(&pod.name) else {
            return;
        };
        if self.by_uid.get(&pod.uid) == Some(&pod.name) {
            self.by_uid.remove(&pod.uid);
        }
        self.trouble -= usize::from(entry.rank == Rank::Trouble);
        self.order
            .remove(&(entry.rank, entry.group, pod.name.clone()));
        if entry.rank == Rank::Over {
            return;
        }
        let Some(tally) = self.tallies.get_mut(&entry.group) else {
            return;
        };
        tally.pods -= 1;
        tally.ready -= u32::from(entry.ready);
        tally.restarts -= entry.restarts;
        if let Some(image) = entry.image
            && let Some(count) = tally.images.get_mut(&image)
        {
            *count -= 1;
            if *count == 0 {
                tally.images.remove(&image);
            }
        }
        if tally.pods == 0 {
            self.tallies.remove(&entry.group);
        }
    }

    /// The groups and what they add up to.
    pub fn tallies(&self) -> impl Iterator<Item = (&Group, &Tally)> {
        self.tallies.iter()
    }

    /// What `group` adds up to.
    pub fn tally(&self, group: Group) -> Option<&Tally> {
        self.tallies.get(&group)
    }

    /// All pods by name: trouble first, then by workload, colour and name, last those that are over.
    pub fn ordered(&self) -> impl DoubleEndedIterator<Item = &Safe> {
        self.order.iter().map(|(_, _, name)| name)
    }

    /// How many of the first of them are in trouble.
    pub fn trouble(&self) -> usize {
        self.trouble
    }

    /// The group of the pod of that name.
    pub fn group(&self, name: &str) -> Option<Group> {
        self.entries.get(name).map(|e| e.group)
    }

    /// The name of the pod with that uid.
    pub fn name_of(&self, uid: &str) -> Option<&Safe> {
        self.by_uid.get(uid)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
pub(crate) mod tests {
    use super::*;
    use crate::estate::{Container, ContainerState, Delta, Labels, Tier, TrafficSwitch};
    use proptest::prelude::*;

    pub(crate) fn labels(pairs: &[(&str, &str)]) -> Labels {
        pairs
            .iter()
            .map(|(k, v)| ((*k).into(), (*v).into()))
            .collect()
    }

    pub(crate) fn scope() -> Scope {
        let workload = |name: &str| WorkloadScope {
            name: name.into(),
            labels: labels(&[("part", name)]),
            deployments: Vec::new(),
        };
        Scope {
            name: "production".into(),
            tier: Tier::Production,
            context: "prod-eu".into(),
            namespace: "production".into(),
            workloads: vec![workload("frontend"), workload("backend")],
            traffic: Some(TrafficSwitch {
                key: "version".into(),
                colours: ["blue".into(), "green".into()],
                services: vec!["digital-wall-service".into()],
                keep_warm: None,
                clean_up: false,
            }),
            soak: crate::estate::Soak::default(),
            approval: Default::default(),
            needs_smoke: false,
            needs_ci: false,
            holds_returned: false,
        }
    }

    pub(crate) fn pod(name: &str, part: &str, colour: &str, ready: bool) -> Pod {
        Pod {
            name: name.into(),
            uid: format!("uid-{name}").into(),
            labels: labels(&[("part", part), ("version", colour)]),
            created: None,
            deleting: None,
            node: None,
            phase: "Running".into(),
            ready,
            ready_changed: None,
            reason: None,
            unschedulable: None,
            gates: Vec::new(),
            owner: None,
            containers: vec![Container {
                name: part.into(),
                init: false,
                sidecar: false,
                image: Image {
                    name: format!("ghcr.io/acme/{part}:4f2a91c").into(),
                    digest: None,
                },
                ready,
                restarts: 1,
                state: ContainerState::Running { since: None },
                last: None,
                probe: None,
            }],
            default_container: None,
            ports: crate::estate::Ports::default(),
        }
    }

    proptest! {
        /// After any history the index equals one built from the table at once.
        #[test]
        fn counting_one_by_one_equals_counting_anew(
            steps in proptest::collection::vec((0u8..6, 0u8..3, 0u8..2, any::<bool>(), any::<bool>()), 0..60)
        ) {
            let scope = scope();
            let (mut table, mut index) = (Table::default(), PodIndex::default());
            for (n, part, colour, ready, delete) in steps {
                let name = format!("p{n}");
                let delta = if delete {
                    Delta::Changes(vec![crate::estate::Change::Deleted(name.as_str().into())])
                } else {
                    let part = ["frontend", "backend", "other"][usize::from(part)];
                    let colour = ["blue", "green"][usize::from(colour)];
                    Delta::Page(vec![pod(&name, part, colour, ready)])
                };
                table.apply(delta, |t, turn| index.turn(t, &turn, &scope));
            }
            let mut anew = PodIndex::default();
            for pod in table.iter() {
                anew.insert(pod, &scope);
            }
            prop_assert_eq!(&index, &anew);
            prop_assert_eq!(index.ordered().count(), table.len());
        }
    }

    #[test]
    fn trouble_comes_first() {
        let (mut table, mut index) = (Table::default(), PodIndex::default());
        let pods = vec![
            pod("a", "frontend", "blue", true),
            pod("z", "backend", "green", false),
        ];
        table.apply(Delta::Page(pods), |t, turn| index.turn(t, &turn, &scope()));
        let order: Vec<_> = index.ordered().map(Safe::as_str).collect();
        assert_eq!(order, ["z", "a"]);
        assert_eq!(index.trouble(), 1);
    }

    #[test]
    fn i_8_workloads_of_the_same_labels_have_the_pods_of_the_deployments_that_they_name() {
        let mut scope = scope();
        for (workload, name) in scope.workloads.iter_mut().zip(["web", "web-api"]) {
            workload.labels = labels(&[("team", "a")]);
            workload.deployments = vec![name.into()];
        }
        let of = |owner: Option<&str>, hash: Option<&str>| {
            let mut pod = pod("x", "any", "blue", true);
            pod.labels = labels(&[("team", "a"), ("version", "blue")]);
            pod.owner = owner.map(Into::into);
            if let Some(hash) = hash {
                pod.labels = pod.labels.with(&"pod-template-hash".into(), &hash.into());
            }
            let is_had: Vec<_> = scope.workloads.iter().map(|w| w.has(&pod)).collect();
            (group_of(&pod, &scope).workload, is_had)
        };
        let (first, second) = (vec![true, false], vec![false, true]);
        assert_eq!(of(Some("web-6f"), Some("6f")), (Some(0), first));
        assert_eq!(of(Some("web-api-7a"), Some("7a")), (Some(1), second));
        let neither = (None, vec![false, false]);
        assert_eq!(of(Some("worker-9c"), Some("9c")), neither);
        // Of which Deployment it is nobody knows: its labels are all that there is.
        let either = (Some(0), vec![true, true]);
        assert_eq!(of(None, None), either);
        assert_eq!(of(Some("web-6f"), None), either);
    }

    #[test]
    fn a_pod_that_was_evicted_and_replaced_is_listed_last_and_counts_nowhere() {
        let (mut table, mut index) = (Table::default(), PodIndex::default());
        let mut evicted = pod("a", "frontend", "blue", false);
        evicted.phase = "Failed".into();
        evicted.reason = Some("Evicted: low on memory".into());
        evicted.containers[0].image.name = "ghcr.io/acme/frontend:old".into();
        let mut job = evicted.clone();
        (job.name, job.uid) = ("c".into(), "uid-c".into());
        let hash = ("pod-template-hash".into(), "6f".into());
        evicted.labels = evicted.labels.with(&hash.0, &hash.1);
        // One that no kubelet admits is refused again and again.
        let mut unfit = evicted.clone();
        unfit.reason = Some("OutOfcpu: Node didn't have enough resource: cpu".into());
        assert!(evicted.is_replaced() && !unfit.is_replaced());
        let pods = vec![evicted, pod("b", "frontend", "blue", true)];
        table.apply(Delta::Page(pods), |t, turn| index.turn(t, &turn, &scope()));
        let order = |index: &PodIndex| -> Vec<String> {
            index.ordered().map(ToString::to_string).collect()
        };
        assert_eq!(
            (order(&index), index.trouble()),
            (vec!["b".into(), "a".into()], 0)
        );
        let blue = Group {
            workload: Some(0),
            colour: Some(0),
        };
        let tally = index.tally(blue).unwrap();
        assert_eq!((tally.pods, tally.ready, tally.images.len()), (1, 1, 1));
        // Nobody makes another of one that no ReplicaSet made.
        table.apply(Delta::Page(vec![job]), |t, turn| {
            index.turn(t, &turn, &scope())
        });
        assert_eq!((order(&index)[0].as_str(), index.trouble()), ("c", 1));
    }
}
