use std::sync::atomic::{AtomicBool, Ordering::SeqCst};

use tokio::sync::mpsc::Receiver;

use super::*;
use crate::clients::http::{self, Reach};
use crate::clients::kubernetes::Target;

/// Where nobody listens: every source has something to tell at once, and asks the clock for it.
const NOBODY: &str = "http://127.0.0.1:9";

fn outside() -> Outside {
    let target = Target {
        kubeconfig: Some("/nowhere/kubeconfig".into()),
        ..Target::default()
    };
    let prometheus = http::Target {
        replicas: vec![Reach::Url(NOBODY.into())],
        ..http::Target::default()
    };
    Outside {
        wires: vec![Wire {
            target,
            selectors: Selectors::default(),
        }],
        control: None,
        github: Some(github::Target {
            api: NOBODY.into(),
            repository: "acme/wall".into(),
            workflow: "ci.yml".into(),
            token: github::TokenFrom::None,
            ca_file: None,
            branches: Vec::new(),
            runs: 30,
        }),
        monitoring: vec![alerts::Target {
            prometheus: Some(prometheus),
            ..alerts::Target::default()
        }],
        journal: None,
        places: Vec::new(),
    }
}

/// Tasks whose sources meet a defect at the first thing that they tell.
fn tasks(clock: fn() -> Moment) -> (Tasks, Receiver<Observation>, Receiver<Event>) {
    let ((out, observations), (told, events)) = (mpsc::channel(64), mpsc::channel(64));
    let mut tasks = Tasks::new(outside(), out, told);
    tasks.clock = clock;
    (tasks, observations, events)
}

/// A clock that panics once.
macro_rules! once {
    () => {{
        static BROKEN: AtomicBool = AtomicBool::new(true);
        || match BROKEN.swap(false, SeqCst) {
            true => panic!("a defect"),
            false => Moment(7),
        }
    }};
}

/// What the state is told of the source that stopped.
async fn stop(tasks: &mut Tasks) -> Event {
    let waiting = async {
        loop {
            if let Some(event) = tasks.ended().await {
                return event;
            }
        }
    };
    let limit = Duration::from_secs(600);
    tokio::time::timeout(limit, waiting).await.unwrap()
}

fn is_defect(fault: &Fault) -> bool {
    fault.kind == FaultKind::Stopped && fault.what.contains("a defect of Wheelhouse")
}

/// The next event: the source runs again, and tells of what is really wrong.
async fn next(events: &mut Receiver<Event>) -> Event {
    let limit = Duration::from_secs(600);
    tokio::time::timeout(limit, events.recv())
        .await
        .unwrap()
        .unwrap()
}

#[tokio::test(start_paused = true)]
async fn p04_a_panic_in_the_source_of_runs_is_told_and_the_source_starts_again() {
    let (mut tasks, _out, mut events) = tasks(once!());
    tasks.watch_repository(None);
    let told = stop(&mut tasks).await;
    assert!(matches!(told, Event::Repository(_, RunsSeen::Failed(f)) if is_defect(&f)));
    let again = next(&mut events).await;
    assert!(
        matches!(&again, Event::Repository(_, RunsSeen::Failed(f)) if f.what.contains("127.0.0.1:9")),
        "{again:?}"
    );
}

#[tokio::test(start_paused = true)]
async fn p04_a_panic_in_the_source_of_alerts_is_told_and_the_source_starts_again() {
    let (mut tasks, _out, mut events) = tasks(once!());
    tasks
        .shared
        .insert(0, sources::kubernetes::Shared::default());
    tasks.watch_alerts(0, None);
    let told = stop(&mut tasks).await;
    let Event::Observed(Observation { seen, .. }) = told else {
        panic!("{told:?}")
    };
    assert!(matches!(seen, Seen::Alerts(AlertsSeen::RulesFailed(f)) if is_defect(&f)));
    let again = next(&mut events).await;
    assert!(format!("{again:?}").contains("127.0.0.1:9"), "{again:?}");
}

#[tokio::test(start_paused = true)]
async fn p04_a_panic_in_the_source_of_objects_is_told_and_the_source_starts_again() {
    let (mut tasks, mut out, _events) = tasks(once!());
    tasks.outside.monitoring.clear();
    tasks.watch(0, None);
    let told = stop(&mut tasks).await;
    let Event::Observed(Observation { seen, .. }) = told else {
        panic!("{told:?}")
    };
    assert!(matches!(seen, Seen::NoPulse(f) if is_defect(&f)));
    let limit = Duration::from_secs(600);
    let again = tokio::time::timeout(limit, out.recv()).await.unwrap();
    let seen = again.map(|observation| observation.seen);
    assert!(
        matches!(&seen, Some(Seen::NoPulse(f)) if f.kind == FaultKind::Config),
        "{seen:?}"
    );
}

#[tokio::test]
async fn c03_i_47_a_key_acts_where_the_screen_looks_also_where_no_context_could_be_pinned_at_first()
{
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("config");
    let text = |name: &str| {
        format!(
            "current-context: {name}\ncontexts: [{{name: {name}, context: {{cluster: c}}}}]\nclusters: [{{name: c, cluster: {{server: '{NOBODY}'}}}}]"
        )
    };
    std::fs::write(&file, text("here")).unwrap();
    let (mut tasks, mut out, _events) = tasks(|| Moment(7));
    tasks.outside.monitoring.clear();
    tasks.outside.wires[0].target.kubeconfig = Some(file.clone());
    let place = serde_json::json!({
        "selector": "",
        "scope": {"name": "a", "tier": "production", "context": "", "namespace": "a", "workloads": []},
        "timing": crate::ops::bastion::Timing::default(),
    });
    tasks.outside.places = vec![serde_json::from_value(place).unwrap()];
    tasks.watch(0, None);
    let connected = async {
        while tasks.shared[&0].now().is_none() {
            out.recv().await.unwrap();
        }
    };
    (tokio::time::timeout(Duration::from_secs(60), connected).await).unwrap();
    std::fs::write(&file, text("there")).unwrap();
    assert_eq!(tasks.place(0).unwrap().context.as_deref(), Some("here"));
}

#[tokio::test(start_paused = true)]
async fn connecting_anew_asks_github_anew_too() {
    let (mut tasks, _out, mut events) = tasks(|| Moment(7));
    tasks.outside.monitoring.clear();
    tasks.watch_repository(None);
    for _ in 0..2 {
        // What is wrong is told once a connection.
        let told = next(&mut events).await;
        assert!(
            matches!(told, Event::Repository(_, RunsSeen::Failed(_))),
            "{told:?}"
        );
        tasks.reconnect(0);
    }
}
