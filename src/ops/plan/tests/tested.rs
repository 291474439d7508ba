//! A cutover that demands a smoke test: of what is there, and of nothing else.

use super::*;
use crate::estate::{Pod, Record};
use crate::ops::plan::tested::revisions;
use crate::ops::{Outcome, What, kept};

/// As if of another template.
fn roll(pod: &mut Pod, hash: &str) {
    pod.labels = pod.labels.with(&"pod-template-hash".into(), &hash.into());
}

/// Everybody's template and digest.
fn revised(mut parts: Parts) -> Parts {
    for pod in &mut parts.pods {
        let hash = format!("{}-1", pod.name);
        roll(pod, &hash);
        for container in &mut pod.containers {
            container.image.digest = Some("sha256:aa".into());
        }
    }
    parts
}

/// A smoke test of that colour, the `n`th, that ended so; of what is there.
fn smoked(n: u32, to: &str, outcome: Outcome, estate: &Estate) -> Record {
    smoked_behind("digital-wall-service", n, to, outcome, estate)
}

/// The same of the environment that this Service is of.
fn smoked_behind(
    service: &'static str,
    n: u32,
    to: &str,
    outcome: Outcome,
    estate: &Estate,
) -> Record {
    let place = estate.scope.traffic.as_ref().unwrap().colour(to);
    let mut plan = crate::ops::machine::tests::plan(OperationKind::Smoke, &[service]);
    plan.to = to.into();
    let entry = |what| crate::ops::Entry {
        at: now(AT).wall,
        by: "carol".into(),
        what,
    };
    let revisions = revisions(estate, place);
    let entries = [
        entry(What::Planned(Box::new(plan))),
        entry(What::Tested { revisions }),
        entry(What::Closed {
            outcome,
            reason: "so it ended".into(),
        }),
    ];
    let mut record = record(&entries);
    record.name = format!("wheelhouse-01jabcdefghjkmnpqrstvwxy{n:02}").into();
    let marks = record.labels.with(&kept::KIND.into(), &"smoke".into());
    record.labels = marks.with(&kept::NAMESPACE.into(), &estate.scope.namespace);
    record
}

/// That estate, which demands a test, with those records.
fn demanding(parts: Parts, records: Option<Vec<Record>>) -> Estate {
    let mut estate = parts.estate();
    estate.scope.needs_smoke = true;
    if let Some(records) = records {
        for delta in [Delta::Began, Delta::Page(records), Delta::Ended] {
            estate.apply(Seen::Records(delta), now(AT));
        }
    }
    estate
}

fn may(estate: &Estate) -> Result<Plan, (RefusalKind, String)> {
    let checked = check(&request(Cutover), estate, now(AT));
    checked.map_err(|refusal| (refusal.kind, refusal.why.to_string()))
}

/// Why not, of what is there by now, when GREEN was tested as `revised` has it.
fn after(change: impl Fn(&mut Vec<Pod>)) -> Result<Plan, (RefusalKind, String)> {
    let record = smoked(1, "green", Outcome::Done, &revised(parts()).estate());
    let mut changed = revised(parts());
    change(&mut changed.pods);
    may(&demanding(changed, Some(vec![record])))
}

fn green(pods: &mut [Pod]) -> &mut Pod {
    let is_it = |pod: &&mut Pod| pod.name.as_str() == "green-backend";
    pods.iter_mut().find(is_it).unwrap()
}

#[test]
fn i_13_a_smoke_test_stands_for_what_was_tested_and_for_nothing_else() {
    assert!(after(|_| {}).is_ok());
    // Another pod of the same template and digest is the same revision; what is live is not asked.
    assert!(
        after(|pods| {
            let mut more = green(pods).clone();
            (more.name, more.uid) = ("green-backend-2".into(), "other".into());
            pods.push(more);
            let blue = pods.iter_mut().find(|pod| pod.name.starts_with("blue"));
            roll(blue.unwrap(), "2");
        })
        .is_ok()
    );
    for change in [
        (|pods| roll(green(pods), "2")) as fn(&mut Vec<Pod>),
        |pods| green(pods).containers[0].image.digest = Some("sha256:bb".into()),
        |pods| green(pods).containers[0].image.digest = None,
    ] {
        let (kind, why) = after(change).unwrap_err();
        assert_eq!(kind, RefusalKind::Gate);
        assert!(
            why.starts_with("smoke: backend changed since the test"),
            "{why}"
        );
    }
}

#[test]
fn i_13_without_a_finished_test_of_that_colour_there_is_no_cutover() {
    let there = || revised(parts());
    let estate = there().estate();
    let test = |n, to: &str, outcome| smoked(n, to, outcome, &estate);
    let why = |records| may(&demanding(there(), records)).unwrap_err();
    assert_eq!(why(None).0, RefusalKind::Unknown, "no record was seen");
    let (kind, said) = why(Some(vec![test(1, "blue", Outcome::Done)]));
    assert_eq!(kind, RefusalKind::Gate);
    assert!(said.contains("GREEN was not tested: V, or"), "{said}");
    // The later one decides.
    let both = |first, second| Some(vec![test(1, "green", first), test(2, "green", second)]);
    let (_, said) = why(both(Outcome::Done, Outcome::Failed));
    assert!(said.contains("the last test, by carol, failed"), "{said}");
    let well = demanding(there(), both(Outcome::Failed, Outcome::Done));
    assert!(may(&well).is_ok());
    // One that cannot be read may be one that failed.
    let mut newer = test(2, "green", Outcome::Failed);
    newer.data = [("schema".into(), "99".into())].into();
    let (kind, said) = why(Some(vec![test(1, "green", Outcome::Done), newer]));
    assert_eq!(kind, RefusalKind::Unknown, "{said}");
    // Elsewhere nobody demands one, and a rollback is never asked.
    assert!(asked(Cutover, there()).is_ok());
    let back = check(
        &request(Rollback),
        &demanding(there(), Some(vec![])),
        now(AT),
    );
    assert!(back.is_ok());
}

#[test]
fn i_13_pods_that_change_between_the_plan_and_the_patch_void_the_test() {
    let plan = after(|_| {}).unwrap();
    let look = |change: fn(&mut Vec<Pod>)| {
        let mut changed = revised(parts());
        change(&mut changed.pods);
        still(&plan, &plan.flips[0], &changed.estate(), true).map(|_| ())
    };
    assert_eq!(look(|_| {}), Ok(()));
    let why = look(|pods| green(pods).containers[0].image.digest = Some("sha256:bb".into()));
    assert!(why.unwrap_err().contains("backend changed since the test"));
}

#[test]
fn i_13_a_test_of_another_environment_in_the_namespace_says_nothing_of_this_one() {
    let estate = revised(parts()).estate();
    let ours = smoked(1, "green", Outcome::Done, &estate);
    let theirs = smoked_behind("billing", 2, "green", Outcome::Failed, &estate);
    let both = demanding(revised(parts()), Some(vec![ours, theirs.clone()]));
    assert!(check(&request(Cutover), &both, now(AT)).is_ok());
    let alone = demanding(revised(parts()), Some(vec![theirs]));
    let refusal = check(&request(Cutover), &alone, now(AT)).unwrap_err();
    assert!(refusal.why.contains("was not tested"), "{}", refusal.why);
}
