use super::*;
use crate::estate::fold::tests::now;
use crate::estate::pods::tests::{labels, pod, scope};
use crate::estate::{Condition, Delta, Ended as Ending, Image, Labels, Seen};

/// One of two pods is ready, the other as `of` makes it.
fn rolling(of: impl Fn(&mut Pod), change: impl Fn(&mut Deployment)) -> Progress {
    let mut begun = Past {
        is_late: Some(false),
        ..Past::default()
    };
    since(&mut begun, of, change)
}

/// The same, with what was there before.
fn since(past: &mut Past, of: impl Fn(&mut Pod), change: impl Fn(&mut Deployment)) -> Progress {
    let mut estate = Estate::new(scope(), None);
    let mut ill = pod("ill", "frontend", "green", false);
    of(&mut ill);
    let well = pod("well", "frontend", "green", true);
    let image: Image = well.containers[0].image.clone();
    estate.apply(Seen::Pods(Delta::Page(vec![well, ill])), now(0));
    let mut deployment = Deployment {
        name: "green-frontend".into(),
        uid: "u".into(),
        resource_version: "1".into(),
        marks: Labels::default(),
        has_annotations: true,
        match_labels: labels(&[("part", "frontend"), ("version", "green")]),
        template_labels: labels(&[("part", "frontend"), ("version", "green")]),
        created: None,
        generation: 3,
        observed_generation: 3,
        desired: 2,
        replicas: 2,
        updated: 2,
        ready: 1,
        available: 1,
        paused: false,
        conditions: Vec::new(),
        images: vec![("frontend".into(), image)],
        revision: Some("2".into()),
        helm_release: None,
        owners: Vec::new(),
    };
    change(&mut deployment);
    progress(&estate, &deployment, past)
}

fn waiting(reason: &'static str, restarts: u32) -> impl Fn(&mut Pod) {
    move |pod| {
        let container = &mut pod.containers[0];
        container.restarts = restarts;
        container.state = ContainerState::Waiting {
            reason: reason.into(),
            message: Some("so it said".into()),
        };
        container.last = Some(Ending {
            reason: "Error".into(),
            exit_code: 1,
            at: None,
            message: None,
        });
    }
}

#[track_caller]
fn fails(progress: Progress) -> String {
    match progress {
        Progress::Failed(why) | Progress::Stuck { why, .. } => why.to_string(),
        Progress::Waits(why) => panic!("it waits: {why}"),
        Progress::Settled => panic!("it is done"),
    }
}

#[track_caller]
fn waits(progress: Progress) -> String {
    match progress {
        Progress::Waits(why) => why.to_string(),
        Progress::Failed(why) | Progress::Stuck { why, .. } => panic!("it failed: {why}"),
        Progress::Settled => panic!("it is done"),
    }
}

#[test]
fn i_2_a_rollout_is_done_when_the_generation_is_observed_and_saturated_and_not_before() {
    let whole = |d: &mut Deployment| (d.ready, d.available) = (2, 2);
    assert!(matches!(rolling(|_| (), whole), Progress::Settled));
    assert!(waits(rolling(|_| (), |_| ())).contains("ready 1/2"));
    // I-3: enough are available, but old ones, or of a generation that nobody looked at yet.
    let old = |d: &mut Deployment| (d.ready, d.available, d.replicas) = (2, 2, 3);
    assert!(waits(rolling(|_| (), old)).contains("1 old pods left"));
    let unseen = |d: &mut Deployment| (d.ready, d.available, d.generation) = (2, 2, 4);
    assert!(waits(rolling(|_| (), unseen)).contains("not observed yet"));
    // An autoscaler lets one go: it is counted until it went.
    let more = |d: &mut Deployment| {
        (d.ready, d.available, d.replicas, d.updated) = (3, 3, 3, 3);
    };
    assert!(waits(rolling(|_| (), more)).contains("3 of 2 pods"));
}

#[test]
fn what_cannot_get_well_by_itself_ends_it_early_in_words() {
    let pull = fails(rolling(waiting("ImagePullBackOff", 0), |_| ()));
    assert_eq!(pull, "ill: frontend ImagePullBackOff: so it said");
    let crash = fails(rolling(waiting("CrashLoopBackOff", 3), |_| ()));
    assert_eq!(
        crash,
        "ill: frontend CrashLoopBackOff: Error (exit 1), 3 restarts"
    );
    let condition = |kind: &'static str, reason: &'static str, message: &'static str| {
        move |d: &mut Deployment| {
            d.conditions.push(Condition {
                kind: kind.into(),
                status: "True".into(),
                reason: Some(reason.into()),
                message: Some(message.into()),
                since: None,
                updated: None,
            });
        }
    };
    let late = condition("Progressing", "ProgressDeadlineExceeded", "timed out");
    assert!(fails(rolling(|_| (), late)).contains("ProgressDeadlineExceeded: timed out"));
    let quota = condition("ReplicaFailure", "FailedCreate", "exceeded quota: pods=4");
    assert!(fails(rolling(|_| (), quota)).contains("refused: exceeded quota"));
}

#[test]
fn what_may_get_well_is_waited_for_with_its_reason() {
    assert!(waits(rolling(waiting("ErrImagePull", 0), |_| ())).contains("ErrImagePull"));
    assert!(waits(rolling(waiting("CrashLoopBackOff", 1), |_| ())).contains("ill"));
    // A pod of the old template says nothing about the new one.
    let other = |pod: &mut Pod| {
        waiting("ImagePullBackOff", 0)(pod);
        pod.containers[0].image.name = "another:1".into();
    };
    assert!(waits(rolling(other, |_| ())).contains("ready 1/2"));
}

#[test]
fn what_the_revision_before_left_says_nothing_of_this_one() {
    // The same images, and another template: only its ReplicaSet tells them apart.
    let stuck = |pod: &mut Pod| {
        waiting("CrashLoopBackOff", 3)(pod);
        pod.owner = Some("green-frontend-old".into());
    };
    let mut past = Past::default();
    let Progress::Stuck { set, .. } = since(&mut past, stuck, |_| ()) else {
        panic!("it is asked whose pod it is");
    };
    past.sets.extend(set);
    assert!(waits(since(&mut past, stuck, |_| ())).contains("ready 1/2"));
    // A deadline that was over before is no word about what it has now, until there is progress.
    let late = |d: &mut Deployment| {
        d.conditions.push(Condition {
            kind: "Progressing".into(),
            status: "False".into(),
            reason: Some("ProgressDeadlineExceeded".into()),
            message: Some("timed out".into()),
            since: None,
            updated: None,
        });
    };
    let mut past = Past::default();
    waits(since(&mut past, |_| (), late));
    waits(since(&mut past, |_| (), late));
    waits(since(&mut past, |_| (), |_| ()));
    assert!(fails(since(&mut past, |_| (), late)).contains("timed out"));
}
