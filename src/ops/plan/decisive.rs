//! The facts that a confirmation is bound to, and their hash.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use serde::Serialize;
use sha2::{Digest as _, Sha256};

use super::approval::{REVIEW, is_of_approval};
use super::ci::{CI, CREDENTIAL};
use super::cleanup::DRAINING;
use super::deploy::{WAY_BACK, is_of_helm};
use super::gates::{AUTOSCALERS, RIGHTS};
use super::monitoring::is_of_monitoring;
use super::{Finding, Flip, Gate, Hold};
use crate::estate::{Estate, Labels, Safe};
use crate::ops::OperationKind;

/// Hexadecimal digits of a hash that are kept.
const DIGITS: usize = 16;

/// What decides (SAFETY, rule 7). Not among them: resourceVersions and the words of gates.
#[derive(Serialize)]
struct Decisive<'a> {
    kind: OperationKind,
    to: &'a Safe,
    flips: Vec<(&'a Safe, &'a Safe, &'a Labels, &'a Labels, Option<u64>)>,
    holds: Vec<(&'a Safe, u32)>,
    templates: BTreeSet<&'a Safe>,
    digests: BTreeSet<&'a Safe>,
    replicas: BTreeMap<&'a Safe, u32>,
    gates: Vec<(Safe, Finding)>,
    /// What the policy says; left out where it says nothing.
    #[serde(skip_serializing_if = "Option::is_none")]
    policy: Option<Safe>,
}

/// The hash of what decides.
pub(super) fn hash(
    kind: OperationKind,
    to: &Safe,
    flips: &[Flip],
    holds: &[Hold],
    gates: &[Gate],
    estate: &Estate,
) -> Safe {
    let (templates, digests) = match kind {
        OperationKind::Rollback => Default::default(),
        _ => running(flips, estate),
    };
    let deployments = estate.deployments.value.iter();
    let decisive = Decisive {
        kind,
        to,
        flips: (flips.iter())
            .map(|f| (&f.service, &f.uid, &f.from, &f.to, f.epoch))
            .collect(),
        holds: holds.iter().map(|h| (&h.autoscaler, h.to)).collect(),
        templates,
        digests,
        replicas: deployments
            .filter(|d| {
                kind != OperationKind::Rollback && estate.deployment_group(d).workload.is_some()
            })
            .map(|d| (&d.name, d.desired))
            .collect(),
        // Who holds the Leases and how old a feed is decide for themselves, each time anew; a rollback
        // hangs on its target alone.
        gates: (gates.iter())
            .filter(|gate| match kind {
                OperationKind::Rollback => gate.name.as_str() == "match",
                _ => decides(gate),
            })
            .map(|gate| (gate.id(), gate.finding))
            .collect(),
        policy: super::freeze::terms(kind, estate),
    };
    hash_of(&decisive)
}

/// The hash of what an approval is for: which Services go from where to where, at which epoch (so that one approval
/// is for one flip), and which templates and digests take traffic then (I-13). Not the gates, which are asked anew
/// each time (I-49); not the replicas and the holds, which an autoscaler moves and other gates judge.
pub(super) fn bound(to: &Safe, flips: &[Flip], estate: &Estate) -> Safe {
    if flips.is_empty() {
        return Safe::default();
    }
    let flipped: Vec<_> = (flips.iter())
        .map(|f| (&f.service, &f.uid, &f.from, &f.to, f.epoch))
        .collect();
    hash_of(&("approval", to, flipped, running(flips, estate)))
}

/// The templates and the digests of the ready pods that would take traffic.
fn running<'a>(flips: &[Flip], estate: &'a Estate) -> (BTreeSet<&'a Safe>, BTreeSet<&'a Safe>) {
    let taking = |labels: &Labels| flips.iter().any(|flip| flip.to.selects(labels));
    let pods = (estate.pods.value.iter())
        .filter(|pod| taking(&pod.labels) && pod.ready && pod.deleting.is_none());
    let (mut templates, mut digests) = (BTreeSet::new(), BTreeSet::new());
    for pod in pods {
        templates.extend(pod.labels.get("pod-template-hash"));
        digests.extend(
            pod.containers
                .iter()
                .filter_map(|c| c.image.digest.as_ref()),
        );
    }
    (templates, digests)
}

/// Whether the hash holds a gate's verdict: who holds the Leases, how old a feed is, who approved, and what helm, GitHub and
/// the credential say decide for themselves, each time anew: the screen asks none of them.
fn decides(gate: &Gate) -> bool {
    let asked = [
        "lock",
        "current",
        RIGHTS,
        AUTOSCALERS,
        CI,
        CREDENTIAL,
        DRAINING,
        REVIEW,
        WAY_BACK,
    ];
    !asked.contains(&gate.name.as_str()) && !is_of_approval(&gate.name) && !is_of_helm(&gate.name)
}

/// The hash of any facts.
pub(super) fn hash_of(facts: &impl Serialize) -> Safe {
    let text = serde_json::to_vec(facts).unwrap_or_default();
    digest(&text)[..DIGITS].into()
}

/// What decides of a deploy's gates: what monitoring says of one in place is asked anew each time, too.
pub(super) fn of_gates(gates: &[Gate]) -> Vec<(Safe, Finding)> {
    let is_asked = |gate: &&Gate| decides(gate) && !is_of_monitoring(&gate.name);
    let gates = gates.iter().filter(is_asked);
    gates.map(|gate| (gate.id(), gate.finding)).collect()
}

/// SHA-256 of `bytes`, hexadecimal.
pub(in crate::ops) fn digest(bytes: &[u8]) -> String {
    let mut hex = String::with_capacity(64);
    for byte in Sha256::digest(bytes) {
        // Writing to a String does not fail.
        let _ = write!(hex, "{byte:02x}");
    }
    hex
}
