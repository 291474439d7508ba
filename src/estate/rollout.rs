//! What a Deployment is about to run instead of what it runs: enough old pods may be ready while none
//! of the new revision ever will be.

use serde::Serialize;

use super::{Deployment, Estate, Group, Pod, ReplicaSet, Safe};

/// A rollout that is not finished.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Rollout {
    /// The workload's name.
    pub workload: Safe,
    /// The new revision's tag.
    pub tag: Safe,
    /// Its pods that are ready.
    pub ready: u32,
    /// How many there are to be.
    pub desired: u32,
    /// Whether something keeps its pods from being ready: they do not merely start.
    pub is_stuck: bool,
}

impl Estate {
    /// The unfinished rollouts of a colour; of all workloads in an environment of one colour.
    pub fn unfinished(&self, colour: Option<usize>) -> Vec<Rollout> {
        let workloads = self.scope.workloads.iter().enumerate();
        let of_one = |(place, workload): (usize, &super::WorkloadScope)| {
            let group = Group {
                workload: Some(place),
                colour,
            };
            let all = self.deployments_of(group);
            let unfinished: Vec<_> = all
                .filter_map(|d| self.rollout(d, &workload.name))
                .collect();
            unfinished
        };
        workloads.flat_map(of_one).collect()
    }

    /// The ReplicaSet of what `deployment` is to run now.
    pub fn revision_of(&self, deployment: &Deployment) -> Option<&ReplicaSet> {
        let is_new = |set: &&ReplicaSet| {
            set.owner.as_ref() == Some(&deployment.name)
                && set.revision.is_some()
                && set.revision == deployment.revision
        };
        self.replica_sets.value.iter().find(is_new)
    }

    fn rollout(&self, deployment: &Deployment, workload: &Safe) -> Option<Rollout> {
        let set = self.revision_of(deployment)?;
        let desired = deployment.desired;
        // Where no pod of an older revision is left the colour's own numbers tell all.
        let is_alone = deployment.updated >= desired && deployment.replicas <= deployment.updated;
        if is_alone || desired == 0 {
            return None;
        }
        Some(Rollout {
            workload: workload.clone(),
            tag: set.tag().into(),
            ready: set.ready,
            desired,
            is_stuck: is_late(deployment) || self.is_stuck(set),
        })
    }

    fn is_stuck(&self, set: &ReplicaSet) -> bool {
        let troubled = self.index.ordered().take(self.index.trouble());
        let pods = troubled.filter_map(|name| self.pods.value.get(name));
        let mut own = pods.filter(|pod| pod.owner.as_ref() == Some(&set.name));
        own.any(|pod| self.is_ill(pod))
    }

    /// Not ready, and not because it has just begun.
    fn is_ill(&self, pod: &Pod) -> bool {
        let why = self.why_not_ready(pod);
        why.is_some_and(|why| !matches!(why.short.as_str(), "starting" | "terminating"))
    }
}

impl ReplicaSet {
    /// The tag of its main container's image.
    pub fn tag(&self) -> &str {
        let main = self.images.first();
        main.map_or("?", |(_, image)| image.short_tag())
    }
}

fn is_late(deployment: &Deployment) -> bool {
    let late = Some("ProgressDeadlineExceeded");
    (deployment.conditions.iter()).any(|c| c.reason.as_deref() == late)
}
