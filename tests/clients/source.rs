//! The source as the loop meets it: what is sent, in which order, and how it comes back from trouble.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use wheelhouse::estate::{Delta, FaultKind, Kind, Moment, Seen};
use wheelhouse::sources::Pace;

use super::cockpit::{Kubeconfig, PACE, Source, TOKEN};
use super::kinds::pod;
use super::server::{Answer, Asked, Server, calm, list, refused};

fn kubeconfig(server: &Server) -> Kubeconfig {
    Kubeconfig::new(&server.url, TOKEN)
}

fn position(source: &Source, is: impl Fn(&Seen) -> bool) -> usize {
    let place = source.seen.iter().position(is);
    place.unwrap_or_else(|| panic!("{:#?}", source.seen))
}

#[tokio::test]
async fn every_kind_is_listed_then_opened_then_confirmed() {
    let server = Server::start(calm).await;
    let mut source = Source::start(kubeconfig(&server));
    source.all_opened().await;
    source.pulse().await;
    assert!(source.seen.contains(&Seen::Version("v1.37.2".into())));
    let ended = position(&source, |s| *s == Seen::Pods(Delta::Ended));
    assert!(ended < position(&source, |s| *s == Seen::Opened(Kind::Pods)));
    for asked in server.asked().iter().filter(|a| a.path != "/version") {
        let is_ours = ["pods", "deployments", "replicasets"]
            .iter()
            .any(|kind| asked.path.ends_with(kind));
        assert_eq!(
            asked.query.contains("labelSelector=app%3Dshop"),
            is_ours,
            "{asked:?}"
        );
        let of_services = "labelSelector=kubernetes.io%2Fservice-name+in+%28shop%29";
        assert_eq!(
            asked.query.contains(of_services),
            asked.path.ends_with("endpointslices"),
            "{asked:?}"
        );
    }
}

#[tokio::test]
async fn a_pulse_confirms_what_opened_without_waiting_for_its_turn() {
    let server = Server::start(calm).await;
    let pace = Pace {
        pulse: Duration::from_secs(3_600),
        ..PACE
    };
    let mut source = Source::start_at(
        pace,
        kubeconfig(&server),
        wheelhouse::sources::kubernetes::boottime,
    );
    source.all_opened().await;
    source.pulse().await;
}

#[tokio::test]
async fn k15_one_kind_that_is_absent_or_forbidden_leaves_the_others_alone() {
    let server = Server::start(|asked| match asked.path.rsplit('/').next() {
        Some("horizontalpodautoscalers") => Answer::Full(
            404,
            "Content-Type: text/plain\r\n",
            "404 page not found\n".into(),
        ),
        Some("events") => refused(
            403,
            "events is forbidden: User \"viewer\" cannot list resource \"events\"",
        ),
        _ => calm(asked),
    })
    .await;
    let mut source = Source::start(kubeconfig(&server));
    let failed = |kind: Kind, of: FaultKind| move |s: &Seen| matches!(s, Seen::Failed(k, f) if *k == kind && f.kind == of);
    source
        .until(failed(Kind::HorizontalPodAutoscalers, FaultKind::Missing))
        .await;
    source
        .until(failed(Kind::Events, FaultKind::Forbidden))
        .await;
    for kind in Kind::ALL
        .into_iter()
        .filter(|k| *k < Kind::HorizontalPodAutoscalers)
    {
        if !source.seen.contains(&Seen::Opened(kind)) {
            source.opened(kind).await;
        }
    }
    source.pulse().await;
    assert!(!source.seen.iter().any(|s| matches!(s, Seen::NoPulse(_))));
}

/// A server that can fall silent: what is open stays open and says nothing, what is new is not answered.
fn silenceable() -> (Arc<AtomicBool>, impl Fn(&Asked) -> Answer) {
    let silent = Arc::new(AtomicBool::new(false));
    let is_silent = silent.clone();
    let script = move |asked: &Asked| match is_silent.load(Ordering::SeqCst) {
        true => Answer::Silence,
        false if asked.lists("pods") => list("100", &[pod("a")]),
        false => calm(asked),
    };
    (silent, script)
}

#[tokio::test]
async fn n02_a_silent_disconnect_fails_every_open_kind_and_resumes_without_a_list() {
    let (silent, script) = silenceable();
    let server = Server::start(script).await;
    let mut source = Source::start(kubeconfig(&server));
    source.all_opened().await;
    source.seen.clear();
    silent.store(true, Ordering::SeqCst);
    assert_eq!(source.no_pulse().await.kind, FaultKind::Slow);
    for _ in Kind::ALL {
        source
            .until(|s| matches!(s, Seen::Failed(_, f) if f.kind == FaultKind::Slow))
            .await;
    }
    let lists = server.count(|a| !a.is_watch() && a.path != "/version");
    source.seen.clear();
    silent.store(false, Ordering::SeqCst);
    source.all_opened().await;
    source.pulse().await;
    assert_eq!(
        server.count(|a| !a.is_watch() && a.path != "/version"),
        lists
    );
    let is_list = |s: &Seen| matches!(s, Seen::Pods(Delta::Began | Delta::Ended));
    assert!(!source.seen.iter().any(is_list), "{:?}", source.seen);
}

static HOURS: AtomicU64 = AtomicU64::new(0);

fn leaping() -> Moment {
    let now = wheelhouse::sources::kubernetes::boottime();
    Moment(now.0 + HOURS.load(Ordering::SeqCst) * 3_600_000)
}

#[tokio::test]
async fn a_suspend_of_hours_opens_every_watch_anew() {
    let server = Server::start(calm).await;
    let mut source = Source::start_at(PACE, kubeconfig(&server), leaping);
    source.all_opened().await;
    source.pulse().await;
    source.seen.clear();
    HOURS.store(8, Ordering::SeqCst);
    source.all_opened().await;
    assert_eq!(server.count(|a| a.watches("pods")), 2);
    assert_eq!(server.count(|a| a.lists("pods")), 1);
}

#[tokio::test]
async fn n06_a_server_that_comes_and_goes_is_met_again_each_time() {
    let (silent, script) = silenceable();
    let server = Server::start(script).await;
    let pace = Pace {
        answer: Duration::from_millis(100),
        ..PACE
    };
    let mut source = Source::start_at(
        pace,
        kubeconfig(&server),
        wheelhouse::sources::kubernetes::boottime,
    );
    source.all_opened().await;
    for _ in 0..5 {
        silent.store(true, Ordering::SeqCst);
        source.no_pulse().await;
        silent.store(false, Ordering::SeqCst);
        source.all_opened().await;
    }
    assert_eq!(server.count(|a| a.lists("pods")), 1);
}

/// What an API server says in its first second: it answers, and its caches are empty still.
#[tokio::test]
async fn a_server_that_is_back_but_not_ready_is_asked_again_soon() {
    let is_back = Arc::new(AtomicBool::new(false));
    let answers = is_back.clone();
    let refusals = std::sync::Mutex::new(std::collections::BTreeSet::new());
    let server = Server::start(move |asked| {
        let is_first = || refusals.lock().unwrap().insert(asked.path.clone());
        match answers.load(Ordering::SeqCst) {
            false => refused(503, "away"),
            true if asked.path != "/version" && is_first() => {
                refused(429, "storage is (re)initializing")
            }
            true => calm(asked),
        }
    })
    .await;
    let pace = Pace {
        pauses: [Duration::from_millis(10), Duration::from_secs(3_600)],
        ..PACE
    };
    let clock = wheelhouse::sources::kubernetes::boottime;
    let mut source = Source::start_at(pace, kubeconfig(&server), clock);
    // Then the next pause is 2.5 s at least, and doubles.
    for _ in 0..8 * Kind::ALL.len() {
        source.until(|s| matches!(s, Seen::Failed(..))).await;
    }
    source.seen.clear();
    is_back.store(true, Ordering::SeqCst);
    let back = std::time::Instant::now();
    source.all_opened().await;
    assert!(back.elapsed().as_secs() < 2, "{:?}", back.elapsed());
}

#[tokio::test]
async fn a_kubeconfig_that_appears_later_is_found() {
    let server = Server::start(calm).await;
    let kubeconfig = kubeconfig(&server);
    let (path, hidden) = (kubeconfig.path(), kubeconfig.folder.path().join("hidden"));
    std::fs::rename(&path, &hidden).unwrap();
    let mut source = Source::start(kubeconfig);
    assert_eq!(source.no_pulse().await.kind, FaultKind::Config);
    std::fs::rename(&hidden, &path).unwrap();
    source.all_opened().await;
}

#[tokio::test]
async fn k01_login_needed_keeps_what_was_seen_and_heals_by_itself() {
    let refusing = Arc::new(AtomicBool::new(false));
    let is_refusing = refusing.clone();
    let server = Server::start(move |asked| match is_refusing.load(Ordering::SeqCst) {
        true => refused(401, "Unauthorized"),
        false if asked.lists("pods") => list("100", &[pod("a")]),
        false => calm(asked),
    })
    .await;
    let mut source = Source::start(kubeconfig(&server));
    source.all_opened().await;
    refusing.store(true, Ordering::SeqCst);
    assert_eq!(source.no_pulse().await.kind, FaultKind::LoginNeeded);
    source.seen.clear();
    refusing.store(false, Ordering::SeqCst);
    source.all_opened().await;
    assert!(
        !source.seen.iter().any(|s| matches!(s, Seen::Pods(_))),
        "the pods are as they were"
    );
}

#[tokio::test]
async fn while_nobody_takes_nothing_is_fetched() {
    let server = Server::start(|asked| match asked.lists("pods") {
        true => super::server::json(serde_json::json!({
            "metadata": {"resourceVersion": "9", "continue": asked.count.to_string()}, "items": [pod("a")]})),
        false => calm(asked),
    })
    .await;
    let pace = Pace {
        pulse: Duration::from_secs(3_600),
        ..PACE
    };
    let mut source = Source::start_at(
        pace,
        kubeconfig(&server),
        wheelhouse::sources::kubernetes::boottime,
    );
    // The list never ends, and the channel has 64 places.
    let lists = || server.count(|a| a.lists("pods"));
    let flood = super::server::eventually("more pages than places", || lists() > 70);
    let waited = tokio::time::timeout(Duration::from_millis(500), flood).await;
    assert!(waited.is_err(), "{} pages for 64 places", lists());
    while lists() <= 70 {
        source
            .until(|s| matches!(s, Seen::Pods(Delta::Page(_))))
            .await;
    }
}
