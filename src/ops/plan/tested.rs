//! Whether the colour that is there is the one that passed its smoke test (I-13): by the record of that test, for
//! exactly the templates and digests that it names. A later test decides over an earlier one, whatever it says.

use std::collections::{BTreeMap, BTreeSet};

use super::{Finding, Gate, Plan, all};
use crate::estate::{Currency, Estate, Kind, Moment, Pod, Record, Safe, TrafficSwitch};
use crate::ops::kept::{self, Kept};
use crate::ops::machine::StepState;
use crate::ops::{OperationKind, Outcome, Step, What};

/// The gate.
const SMOKE: &str = "smoke";

/// What runs of each workload: its ready pods' template hashes, each with its digests.
pub type Revisions = BTreeMap<Safe, BTreeSet<Safe>>;

/// What runs of each workload of the colour, or where there are none, of the environment.
pub(in crate::ops) fn revisions(estate: &Estate, to: Option<usize>) -> Revisions {
    let mut revisions = Revisions::new();
    for (place, pod) in all(estate, to) {
        let workload = estate.scope.workloads[place].name.clone();
        revisions.entry(workload).or_default().insert(revision(pod));
    }
    revisions
}

/// `7499bc65c9 sha256:ab…`; an image that has no digest yet stands by its name, which is none of another pod's digest.
fn revision(pod: &Pod) -> Safe {
    let template = pod.labels.get("pod-template-hash");
    let mut words = vec![template.map_or("-", |hash| hash.as_str())];
    let containers = pod.containers.iter().filter(|c| !c.init);
    words.extend(containers.map(|c| match &c.image.digest {
        Some(digest) => digest.as_str(),
        None => c.image.name.as_str(),
    }));
    words.join(" ").into()
}

/// `backend 7499bc65c9, frontend 5d8f6c7b9`: by template.
pub fn in_words(revisions: &Revisions) -> String {
    let template = |revision: &Safe| revision.split(' ').next().unwrap_or_default().to_owned();
    let of = |(workload, all): (&Safe, &BTreeSet<Safe>)| {
        let templates: Vec<String> = all.iter().map(template).collect();
        format!("{workload} {}", templates.join(" and "))
    };
    revisions.iter().map(of).collect::<Vec<_>>().join(", ")
}

/// `reviewed at GitHub by erin: backend 7499bc65c9`
pub fn reviewed(by: &[Safe], revisions: &Revisions) -> String {
    let by: Vec<&str> = by.iter().map(Safe::as_str).collect();
    let of = match revisions.is_empty() {
        true => String::new(),
        false => format!(": {}", in_words(revisions)),
    };
    match by.as_slice() {
        [] => "GitHub let it go on without anybody's review".to_owned(),
        by => format!("reviewed at GitHub by {}{of}", by.join(" and ")),
    }
}

/// The gate, and the revisions that it is open for.
pub(super) fn smoke(
    estate: &Estate,
    switch: &TrafficSwitch,
    to: usize,
    at: Moment,
) -> (Gate, Option<Revisions>) {
    let colour = &switch.colours[to];
    let said = found(estate, colour, at).and_then(|kept| stands(&kept, estate, to));
    match said {
        Ok((revisions, said)) => (Gate::new(SMOKE, Finding::Ok, said), Some(revisions)),
        Err((finding, said)) => (Gate::new(SMOKE, finding, said), None),
    }
}

/// Why what is there now is not what was tested, or where no test was asked for, what it was planned over; none where it is.
pub(super) fn untested(plan: &Plan, estate: &Estate, to: usize) -> Option<Safe> {
    let was = plan.tested.as_ref()?;
    let workloads = changed(was, &revisions(estate, Some(to)))?;
    let is_tested = plan.gates.iter().any(|gate| gate.name.as_str() == SMOKE)
        || (plan.kind == OperationKind::Release && plan.probes.iter().any(|it| !it.is_after()));
    Some(match is_tested {
        true => format!("{SMOKE}: {}", since_its_test(&workloads)).into(),
        false => format!(
            "{workloads} changed since it was planned, by template or digest: look, and plan again"
        )
        .into(),
    })
}

fn since_its_test(workloads: &str) -> String {
    format!("{workloads} changed since the test, by template or digest: test again")
}

/// The last smoke test of `colour`, as its record has it.
fn found(estate: &Estate, colour: &Safe, at: Moment) -> Result<Kept, (Finding, String)> {
    if !estate.is_listed(Kind::Records) || estate.currency(Kind::Records, at) != Currency::Live {
        let said = "the records of operations are not seen: whether it was tested is not known";
        return Err((Finding::Unknown, said.to_owned()));
    }
    let kinds = [OperationKind::Smoke, OperationKind::Release].map(OperationKind::word);
    let is_smoke = |record: &&Record| {
        let kind = record.labels.get(kept::KIND).map(|kind| kind.as_str());
        let is_here = kept::namespace(record) == Some(&estate.scope.namespace);
        is_here && kind.is_some_and(|kind| kinds.contains(&kind))
    };
    let mut records: Vec<&Record> = estate.records.value.iter().filter(is_smoke).collect();
    // By the server's clock: an id begins with that of some bastion.
    records.sort_by(|a, b| (b.created, &b.name).cmp(&(a.created, &a.name)));
    for record in records {
        // It may be the one that failed.
        let kept = kept::read(record).map_err(|why| (Finding::Unknown, why.to_string()))?;
        let plan = kept.operation.plan.as_ref();
        // Another environment of this namespace tests what stands behind its own Services.
        let is_of = plan.is_some_and(|plan| plan.to == *colour && plan.is_behind(&estate.scope));
        if is_of && (!is_release(&kept) || began(&kept)) {
            return Ok(kept);
        }
    }
    let (name, word) = (&estate.scope.name, Plan::colour_in_words(colour));
    let said = format!("{word} was not tested: V, or `wheelhouse smoke {name}`, tests it");
    Err((Finding::Bad, said))
}

/// Whether the test passed, and for what is there.
fn stands(
    kept: &Kept,
    estate: &Estate,
    to: usize,
) -> Result<(Revisions, String), (Finding, String)> {
    let by = kept
        .operation
        .by
        .as_ref()
        .map_or("somebody", |by| by.as_str());
    let test = match is_release(kept) {
        true => &of_release(kept),
        false => &kept.operation.closed,
    };
    match test {
        Some((Outcome::Done, _)) => {}
        Some((outcome, why)) => {
            let word = outcome.word();
            return Err((
                Finding::Bad,
                format!("the last test, by {by}, {word}: {why}"),
            ));
        }
        None => {
            let said = format!("a test by {by} is not over: a test that was cut short is no pass");
            return Err((Finding::Bad, said));
        }
    }
    let tested = kept
        .entries
        .iter()
        .rev()
        .find_map(|entry| match &entry.what {
            What::Tested { revisions } => Some((entry.at, revisions)),
            _ => None,
        });
    let Some((at, revisions)) = tested.filter(|_| kept.torn == 0) else {
        let said = "its record does not say what was tested: test again";
        return Err((Finding::Unknown, said.to_owned()));
    };
    match changed(revisions, &self::revisions(estate, Some(to))) {
        None => {
            let said = format!("passed at {at:.0}, by {by}, for what is there");
            Ok((revisions.clone(), said))
        }
        Some(workloads) => Err((Finding::Bad, since_its_test(&workloads))),
    }
}

fn is_release(kept: &Kept) -> bool {
    let plan = kept.operation.plan.as_ref();
    plan.is_some_and(|plan| plan.kind == OperationKind::Release)
}

/// Whether the release came as far as its test.
fn began(kept: &Kept) -> bool {
    kept.operation.state(&Step::Smoke) != StepState::Waiting
}

/// How the test of a release ended, which may go on long after it; none while it is not over.
fn of_release(kept: &Kept) -> Option<(Outcome, Safe)> {
    match kept.operation.state(&Step::Smoke) {
        StepState::Passed { evidence, .. } => Some((Outcome::Done, evidence)),
        StepState::Failed { reason } => Some((Outcome::Failed, reason)),
        StepState::Waiting | StepState::Running { .. } | StepState::Unknown { .. } => None,
    }
}

/// Which of the workloads are not as they were, in words.
pub(super) fn changed(was: &Revisions, is: &Revisions) -> Option<String> {
    // Another bastion may call the same workloads otherwise.
    let all = |of: &Revisions| of.values().flatten().cloned().collect::<BTreeSet<_>>();
    if was.keys().ne(is.keys()) && all(was) == all(is) {
        return None;
    }
    let workloads = was.keys().chain(is.keys());
    let differs = |workload: &&Safe| was.get(*workload) != is.get(*workload);
    let workloads: BTreeSet<&str> = workloads.filter(differs).map(Safe::as_str).collect();
    (!workloads.is_empty()).then(|| {
        let words: Vec<&str> = workloads.into_iter().collect();
        words.join(" and ")
    })
}
