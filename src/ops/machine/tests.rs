//! Every prefix and every order: what the machine may never do, whatever is written.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;
use crate::estate::Labels;
use crate::ops::plan::{Flip, Update};

fn labels(colour: &str) -> Labels {
    [("version".into(), colour.into())].into_iter().collect()
}

pub(crate) fn plan(kind: OperationKind, services: &[&str]) -> Plan {
    let flip = |name: &&str| Flip {
        service: (*name).into(),
        uid: "u".into(),
        from: labels("blue"),
        to: labels("green"),
        epoch: Some(1),
        resource_version: "1".into(),
        has_annotations: true,
        last: None,
    };
    let update = |name: &&str| Update {
        deployment: (*name).into(),
        uid: "u".into(),
        workload: (*name).into(),
        revision: Some("1".into()),
        containers: Vec::new(),
        replicas: 0,
        to_replicas: 1,
    };
    let is_release = kind == OperationKind::Release;
    let is_deploy = kind == OperationKind::Deploy || is_release;
    let names = || services.iter().map(|s| Safe::from(*s));
    Plan {
        kind,
        environment: "production".into(),
        namespace: "production".into(),
        key: "version".into(),
        from: Some("blue".into()),
        to: "green".into(),
        flips: match is_deploy && !is_release {
            true => Vec::new(),
            false => services.iter().map(flip).collect(),
        },
        least: match is_deploy {
            true => BTreeMap::new(),
            false => names().map(|s| (s, 1)).collect(),
        },
        images: Vec::new(),
        holds: Vec::new(),
        gates: Vec::new(),
        overridden: Default::default(),
        soak: Default::default(),
        fired: None,
        others: Vec::new(),
        back: "R".into(),
        reason: None,
        tested: None,
        runs: Vec::new(),
        how: Default::default(),
        probes: Vec::new(),
        release: None,
        demands: None,
        restarts: BTreeMap::new(),
        is_strict: false,
        wanted: BTreeMap::new(),
        updates: match is_deploy {
            true => services.iter().map(update).collect(),
            false => Vec::new(),
        },
        rolls: match is_deploy {
            true => names().collect(),
            false => Vec::new(),
        },
        keeps: match is_deploy {
            true => names().map(|s| (s, labels("blue"))).collect(),
            false => BTreeMap::new(),
        },
        locks: names().filter(|_| is_deploy).collect(),
        hash: "0".into(),
        bound: "".into(),
    }
}

fn entry(what: What) -> Entry {
    Entry {
        at: "2026-11-26T14:02:00Z".parse().unwrap(),
        by: "alice".into(),
        what,
    }
}

/// What the world may answer to a step.
#[derive(Clone, Copy, Debug)]
enum Answer {
    Passes,
    Fails,
    Unknown,
    /// Not done, and tried once more.
    Again,
    Abort,
    Crash,
}

fn answers() -> impl Strategy<Value = Vec<Answer>> {
    let answer = prop_oneof![
        6 => Just(Answer::Passes),
        1 => Just(Answer::Fails),
        1 => Just(Answer::Unknown),
        1 => Just(Answer::Again),
        1 => Just(Answer::Abort),
        1 => Just(Answer::Crash),
    ];
    proptest::collection::vec(answer, 0..40)
}

/// What is played: a kind, how it deploys, and whether it has colours.
#[derive(Clone, Copy, Debug)]
struct Sort {
    kind: OperationKind,
    /// By images, by a program, by a workflow.
    how: u8,
    is_in_place: bool,
}

fn kinds() -> impl Strategy<Value = Sort> {
    let kind = prop_oneof![
        Just(OperationKind::Cutover),
        Just(OperationKind::Rollback),
        Just(OperationKind::Repair),
        Just(OperationKind::Deploy),
        Just(OperationKind::Smoke),
        Just(OperationKind::Cleanup),
        Just(OperationKind::Release),
    ];
    (kind, 0u8..3, any::<bool>()).prop_map(|(kind, how, is_in_place)| Sort {
        kind,
        how,
        is_in_place,
    })
}

fn plan_of(sort: Sort, services: &[&str]) -> Plan {
    let mut plan = plan(sort.kind, services);
    let is_back = sort.kind == OperationKind::Rollback && sort.is_in_place;
    if is_back || sort.kind == OperationKind::Cleanup {
        let deploy = self::plan(OperationKind::Deploy, services);
        (plan.updates, plan.locks) = (deploy.updates, deploy.locks);
        (plan.flips, plan.least) = (Vec::new(), BTreeMap::new());
        if is_back {
            plan.rolls = deploy.rolls;
        }
    }
    if sort.kind == OperationKind::Deploy || sort.kind == OperationKind::Release {
        use crate::ops::plan::{Command, How, Workflow};
        plan.how = match sort.how {
            0 => How::Image,
            1 => How::Command(Command {
                argv: vec!["deploy".into()],
                timeout_s: 60,
            }),
            _ => How::Workflow(Workflow {
                file: "deploy.yml".into(),
                reference: "main".into(),
                inputs: BTreeMap::new(),
                timeout_s: 60,
            }),
        };
    }
    plan
}

/// Plays a worker against `answers`, then against a world in which everything passes. Returns the
/// entries, or none if it did not end.
fn play(sort: Sort, services: &[&str], answers: &[Answer]) -> Option<Vec<Entry>> {
    let mut entries = vec![entry(What::Planned(Box::new(plan_of(sort, services))))];
    let mut operation = Operation::fold(&entries);
    let mut answers = answers.iter().copied();
    for _ in 0..400 {
        let answer = answers.next().unwrap_or(Answer::Passes);
        let mut written = Vec::new();
        let result = |step: &Step| match answer {
            Answer::Passes | Answer::Abort => What::Passed {
                step: step.clone(),
                evidence: "seen".into(),
            },
            Answer::Fails => What::Failed {
                step: step.clone(),
                reason: "so".into(),
            },
            Answer::Unknown | Answer::Crash => What::Unknown {
                step: step.clone(),
                reason: "lost".into(),
            },
            Answer::Again => What::Began {
                step: step.clone(),
                attempt: 2,
            },
        };
        match operation.next() {
            Next::Nothing => return Some(entries),
            Next::Begin(step) => {
                written.push(What::Began {
                    step: step.clone(),
                    attempt: 1,
                });
                if !matches!(answer, Answer::Crash | Answer::Again) {
                    written.push(result(&step));
                }
            }
            Next::Settle(step) => written.push(result(&step)),
            Next::Close(outcome, reason) => written.push(What::Closed { outcome, reason }),
        }
        if matches!(answer, Answer::Abort) {
            written.push(What::AbortAsked {
                reason: "enough".into(),
            });
        }
        // What was planned over what is there goes before its result.
        let is_planned = |what: &What| {
            matches!(
                what,
                What::Passed {
                    step: Step::Plan,
                    ..
                }
            )
        };
        if let Some(place) = written.iter().position(is_planned) {
            let cutover = Box::new(plan(OperationKind::Cutover, services));
            written.insert(place, What::Cutover(cutover));
        }
        for what in written {
            let entry = entry(what);
            operation.take(&entry);
            entries.push(entry);
        }
    }
    None
}

proptest! {
    #[test]
    fn i_32_every_state_has_an_end(sort in kinds(), two in any::<bool>(), answers in answers()) {
        let services: &[&str] = if two { &["a", "b"] } else { &["a"] };
        let entries = play(sort, services, &answers);
        prop_assert!(entries.is_some(), "it never ends");
        let operation = Operation::fold(&entries.unwrap());
        prop_assert!(operation.closed.is_some());
        // What is said to be done or rolled back is so.
        let flipped = |s: &str| operation.has_passed(&Step::Flip(s.into()));
        let undone = |s: &str| operation.has_passed(&Step::Undo(s.into()));
        let kind = sort.kind;
        let steps = plan_of(sort, services).steps();
        let mut before = steps.iter().take_while(|step| **step != Step::Plan);
        let is_whole = before.all(|step| operation.has_passed(step));
        if kind == OperationKind::Smoke {
            // I-7: what was cut short did not pass.
            let (outcome, _) = operation.closed.clone().unwrap();
            prop_assert!(outcome != Outcome::Done || operation.has_passed(&Step::Smoke));
            return Ok(());
        }
        // What moves no traffic: a deploy, a clean-up, a way back without colours.
        if !steps.iter().any(|step| matches!(step, Step::Flip(_))) {
            let (outcome, _) = operation.closed.clone().unwrap();
            prop_assert!(outcome != Outcome::Done || is_whole, "half of it is not done");
            // I-40: whatever became of it, no selector was touched.
            let moves = |s: &Step| matches!(s, Step::Flip(_) | Step::Undo(_));
            prop_assert!(!operation.states.keys().any(moves));
            return Ok(());
        }
        if kind == OperationKind::Release {
            // Nothing is flipped before all of it is deployed, and its cutover planned over that.
            let is_planned = operation.has_passed(&Step::Plan) && is_whole;
            let has_begun = services.iter().any(|s| flipped(s) || undone(s));
            prop_assert!(!has_begun || is_planned);
        }
        match operation.closed.clone().unwrap().0 {
            Outcome::Done => for s in services {
                prop_assert!(flipped(s) && !undone(s));
            },
            Outcome::Aborted => for s in services {
                prop_assert!(!flipped(s));
            },
            Outcome::RolledBack => for s in services {
                prop_assert_eq!(flipped(s), undone(s));
            },
            Outcome::Failed | Outcome::Abandoned => {}
        }
    }

    #[test]
    fn no_step_that_passed_is_begun_again(sort in kinds(), answers in answers()) {
        let entries = play(sort, &["a", "b"], &answers).unwrap();
        let mut over: Vec<Step> = Vec::new();
        let mut open: Option<Step> = None;
        for entry in &entries {
            match &entry.what {
                What::Began { step, .. } => {
                    prop_assert!(!over.contains(step), "{step} again");
                    prop_assert!(open.is_none() || open.as_ref() == Some(step), "{step} while {open:?} is open");
                    open = Some(step.clone());
                }
                What::Passed { step, .. } | What::Failed { step, .. } => {
                    over.push(step.clone());
                    open = None;
                }
                _ => {}
            }
        }
    }

    #[test]
    fn closed_stays_closed(sort in kinds(), answers in answers(), late in 0usize..6) {
        let mut entries = play(sort, &["a", "b"], &answers).unwrap();
        let before = Operation::fold(&entries);
        let step = Step::Flip("a".into());
        entries.push(entry(match late {
            0 => What::Began { step, attempt: 9 },
            1 => What::Passed { step, evidence: "late".into() },
            2 => What::AbortAsked { reason: "late".into() },
            3 => What::Closed { outcome: Outcome::Done, reason: "late".into() },
            4 => What::Adopted { epochs: BTreeMap::new(), holder: "late".into(), credential: None },
            _ => What::Failed { step, reason: "late".into() },
        }));
        let after = Operation::fold(&entries);
        prop_assert_eq!(&after, &before);
        prop_assert_eq!(after.next(), Next::Nothing);
    }

    /// Abort is reachable everywhere, and after it nothing but the way back is begun.
    #[test]
    fn i_32_abort_is_heard_in_every_state(sort in kinds(), answers in answers(), cut in 0usize..60) {
        let entries = play(sort, &["a", "b"], &answers).unwrap();
        let prefix = &entries[..entries.len().min(cut.max(1))];
        let mut operation = Operation::fold(prefix);
        if operation.closed.is_some() {
            return Ok(());
        }
        operation.take(&entry(What::AbortAsked { reason: "enough".into() }));
        match operation.next() {
            Next::Begin(step) => prop_assert!(matches!(step, Step::Undo(_) | Step::Return(_) | Step::Restore), "{step}"),
            Next::Settle(step) => prop_assert_eq!(Some(&step), operation.open_step()),
            Next::Close(..) => {}
            Next::Nothing => prop_assert!(false, "not closed, and nothing to do"),
        }
    }

    /// The fold of a prefix followed by the rest is the fold of the whole.
    #[test]
    fn a_resumed_operation_is_the_same(sort in kinds(), answers in answers(), cut in 0usize..60) {
        let entries = play(sort, &["a", "b"], &answers).unwrap();
        let (head, tail) = entries.split_at(cut.min(entries.len()));
        let mut operation = Operation::fold(head);
        for entry in tail {
            operation.take(entry);
        }
        prop_assert_eq!(operation, Operation::fold(&entries));
    }
}

fn passed(step: Step) -> [What; 2] {
    [
        What::Began {
            step: step.clone(),
            attempt: 1,
        },
        What::Passed {
            step,
            evidence: "seen".into(),
        },
    ]
}

/// What a deploy by a workflow or a program does, in order, and that a lost dispatch is settled and not repeated.
#[test]
fn i_53_an_intent_to_dispatch_without_a_result_is_settled_and_not_repeated() {
    let mut by_workflow = plan(OperationKind::Deploy, &["a"]);
    by_workflow.updates.clear();
    by_workflow.how = crate::ops::plan::How::Workflow(crate::ops::plan::Workflow {
        file: "deploy.yml".into(),
        reference: "main".into(),
        inputs: BTreeMap::new(),
        timeout_s: 60,
    });
    let steps: Vec<String> = by_workflow
        .steps()
        .iter()
        .map(ToString::to_string)
        .collect();
    assert_eq!(
        steps,
        ["check", "dispatch", "follow", "roll out a", "verify"]
    );
    let mut entries = vec![entry(What::Planned(Box::new(by_workflow)))];
    entries.extend(passed(Step::Check).map(entry));
    entries.push(entry(What::Began {
        step: Step::Dispatch,
        attempt: 1,
    }));
    assert_eq!(
        Operation::fold(&entries).next(),
        Next::Settle(Step::Dispatch)
    );
    entries.push(entry(What::Dispatched { run: 77 }));
    entries.push(entry(passed(Step::Dispatch)[1].clone()));
    let operation = Operation::fold(&entries);
    assert_eq!(
        (operation.run, operation.next()),
        (Some(77), Next::Begin(Step::Follow))
    );
}

fn folded(kind: OperationKind, entries: impl IntoIterator<Item = What>) -> Operation {
    let planned = entry(What::Planned(Box::new(plan(kind, &["a", "b"]))));
    let entries: Vec<_> = [planned]
        .into_iter()
        .chain(entries.into_iter().map(entry))
        .collect();
    Operation::fold(&entries)
}

#[test]
fn several_services_are_flipped_in_order_and_undone_together_in_the_opposite_one() {
    let steps = [
        Step::Check,
        Step::Hold,
        Step::Flip("a".into()),
        Step::Move("a".into()),
        Step::Flip("b".into()),
    ];
    let failed = What::Failed {
        step: Step::Move("b".into()),
        reason: "no endpoints".into(),
    };
    let entries = steps.into_iter().flat_map(passed);
    let began = What::Began {
        step: Step::Move("b".into()),
        attempt: 1,
    };
    let mut operation = folded(OperationKind::Cutover, entries.chain([began, failed]));
    let mut order = Vec::new();
    while let Next::Begin(step) = operation.next() {
        for what in passed(step.clone()) {
            operation.take(&entry(what));
        }
        order.push(step.to_string());
    }
    assert_eq!(
        order,
        ["undo b", "undo a", "return b", "return a", "restore"]
    );
    assert!(
        matches!(operation.next(), Next::Close(Outcome::RolledBack, why) if why.contains("no endpoints"))
    );
}

#[test]
fn i_24_a_rollback_goes_on_with_the_other_services_when_one_fails() {
    let failed = [
        What::Began {
            step: Step::Flip("a".into()),
            attempt: 1,
        },
        What::Failed {
            step: Step::Flip("a".into()),
            reason: "deleted".into(),
        },
    ];
    let operation = folded(OperationKind::Rollback, failed);
    assert_eq!(operation.next(), Next::Begin(Step::Flip("b".into())));
    assert!(!operation.steps().contains(&Step::Move("a".into())));
}

#[test]
fn i_16_an_intent_without_a_result_is_settled_and_not_repeated() {
    let began = What::Began {
        step: Step::Flip("a".into()),
        attempt: 1,
    };
    let operation = folded(OperationKind::Rollback, [began]);
    assert_eq!(operation.next(), Next::Settle(Step::Flip("a".into())));
}

#[test]
fn broken_glass_is_followed_up_after_the_end_and_once() {
    let at = |what: What| Entry {
        at: "2026-11-26T14:02:00Z".parse().unwrap(),
        by: "alice".into(),
        what,
    };
    let note = |note: &str| at(What::GlassClosed { note: note.into() });
    let mut operation = Operation::fold(&[
        note("of nothing"),
        at(What::Overridden {
            gate: "alerts".into(),
            reason: "known".into(),
        }),
    ]);
    assert_eq!(operation.glass, None, "another gate is no glass");
    operation.take(&at(What::Overridden {
        gate: "freeze".into(),
        reason: "the till".into(),
    }));
    operation.take(&at(What::Closed {
        outcome: Outcome::Done,
        reason: "done".into(),
    }));
    assert!(
        operation.open_glass().is_some(),
        "the end does not close it"
    );
    let last = operation.last;
    operation.take(&note("reviewed"));
    operation.take(&note("again"));
    assert!(operation.open_glass().is_none());
    let closed = operation.glass.unwrap().closed.unwrap();
    assert_eq!(closed, ("alice".into(), "reviewed".into()));
    assert_eq!(operation.last, last, "it ended when it ended");
}
