//! How an act is carried out: sent once or not at all, written down first, read back, UNKNOWN where it is.

use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use tokio::sync::mpsc;
use wheelhouse::app::{Access, Event};
use wheelhouse::clients::http::{Reach, Target};
use wheelhouse::estate::act::{Act, Doing, Outcome};
use wheelhouse::estate::silence::Draft;
use wheelhouse::estate::{Labels, Moment};
use wheelhouse::tui::act::{Order, carry_out};
use wheelhouse::tui::clock;

use super::server::{Answer, Asked, Server, json as said};

fn labels() -> Labels {
    [("alertname".into(), "X".into())].into_iter().collect()
}

fn order(server: &Server, journal: PathBuf) -> Order {
    let starts = jiff::Timestamp::from_second(1_800_000_000).unwrap();
    let act = Act::Silence(Draft {
        matchers: labels(),
        author: "ann@bastion".into(),
        comment: "release 42".into(),
        starts,
        ends: starts + jiff::SignedDuration::from_hours(1),
    });
    Order {
        doing: Doing {
            number: 1,
            environment: 0,
            alert: labels(),
            act,
            at: starts,
            outcome: None,
        },
        name: "production".into(),
        permit: Access::Open
            .permit(&"production".into(), Moment(0))
            .unwrap(),
        alertmanager: Some(Target {
            replicas: vec![Reach::Url(server.url.clone())],
            ..Target::default()
        }),
        shared: None,
        journal: Some(journal),
    }
}

async fn outcome(order: Order) -> Outcome {
    let (told, mut events) = mpsc::channel(16);
    carry_out(order, told).await;
    while let Some(event) = events.recv().await {
        if let Event::Acted(1, outcome) = event {
            return outcome;
        }
    }
    panic!("no outcome");
}

fn posts(server: &Server) -> usize {
    server.count(|asked| asked.method == "POST")
}

fn lines(file: &Path) -> Vec<Value> {
    let text = std::fs::read_to_string(file).unwrap_or_default();
    text.lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

/// An Alertmanager that keeps what is posted, and answers the post with `answer`.
fn keeping(answer: impl Fn() -> Answer + Send + Sync) -> impl Fn(&Asked) -> Answer + Send + Sync {
    let kept = std::sync::Mutex::new(Vec::new());
    move |asked| match (asked.method.as_str(), asked.path.as_str()) {
        ("POST", _) => {
            let mut silence: Value = serde_json::from_str(&asked.body).unwrap();
            silence["id"] = "made".into();
            silence["status"] = json!({"state": "active"});
            kept.lock().unwrap().push(silence);
            answer()
        }
        ("GET", "/api/v2/silences") => said(json!(*kept.lock().unwrap())),
        ("GET", "/api/v2/alerts") => said(json!([])),
        _ => said("{}"),
    }
}

#[tokio::test]
async fn an_act_is_written_down_sent_once_and_read_back() {
    let home = tempfile::tempdir().unwrap();
    let journal = home.path().join("state/acts.jsonl");
    let server = Server::start(keeping(|| said(r#"{"silenceID":"made"}"#))).await;
    let done = outcome(order(&server, journal.clone())).await;
    assert!(
        matches!(&done, Outcome::Done(words) if words.contains("read back")),
        "{done:?}"
    );
    assert_eq!(posts(&server), 1);
    let lines = lines(&journal);
    let id = lines[0]["act"].as_str().unwrap();
    assert_eq!(
        lines[0]["what"]["intent"]["silence"]["comment"],
        format!("release 42 (wheelhouse {id})")
    );
    assert_eq!(lines[1]["what"]["outcome"]["outcome"], "done");
    let posted = server
        .asked()
        .into_iter()
        .find(|a| a.method == "POST")
        .unwrap();
    assert!(posted.body.contains(id), "the act is found again by its id");
}

#[tokio::test]
async fn a_5xx_is_settled_by_what_the_silences_show_and_never_sent_again() {
    let home = tempfile::tempdir().unwrap();
    let journal = home.path().join("acts.jsonl");
    let kept = Server::start(keeping(|| Answer::Full(502, "", "bad gateway".into()))).await;
    let done = outcome(order(&kept, journal.clone())).await;
    assert!(matches!(done, Outcome::Done(_)), "{done:?}");
    let lost = Server::start(|asked| match (asked.method.as_str(), asked.path.as_str()) {
        ("POST", _) => Answer::Full(504, "", "timed out".into()),
        ("GET", "/api/v2/silences" | "/api/v2/alerts") => said("[]"),
        _ => said("{}"),
    })
    .await;
    let unknown = outcome(order(&lost, journal.clone())).await;
    assert!(matches!(unknown, Outcome::Unknown(_)), "{unknown:?}");
    assert_eq!((posts(&kept), posts(&lost)), (1, 1));
    assert_eq!(lines(&journal)[3]["what"]["outcome"]["outcome"], "unknown");
}

#[tokio::test]
async fn a_refusal_of_the_read_back_does_not_make_unknown_a_no() {
    let home = tempfile::tempdir().unwrap();
    let server =
        Server::start(
            |asked| match (asked.method.as_str(), asked.path.as_str(), asked.count) {
                ("POST", ..) => Answer::Raw(Vec::new()),
                ("GET", "/api/v2/silences", 1) | ("GET", "/api/v2/alerts", _) => said("[]"),
                ("GET", "/api/v2/silences", _) => Answer::Full(403, "", "no".into()),
                _ => said("{}"),
            },
        )
        .await;
    let unknown = outcome(order(&server, home.path().join("acts.jsonl"))).await;
    assert!(matches!(unknown, Outcome::Unknown(_)), "{unknown:?}");
}

#[tokio::test]
async fn without_a_permit_a_journal_or_a_fresh_look_nothing_is_sent() {
    let home = tempfile::tempdir().unwrap();
    let journal = home.path().join("acts.jsonl");
    let server = Server::start(keeping(|| said(r#"{"silenceID":"made"}"#))).await;
    let mut over = order(&server, journal.clone());
    let now = clock::boot();
    let window = Access::Window(Moment(now.0 + 1));
    over.permit = window.permit(&"production".into(), now).unwrap();
    while clock::boot().0 <= now.0 + 1 {
        tokio::task::yield_now().await;
    }
    let mut other = order(&server, journal.clone());
    other.permit = Access::Open.permit(&"staging".into(), now).unwrap();
    let unwritable = order(&server, PathBuf::from("/dev/null/acts.jsonl"));
    let nowhere = Order {
        journal: None,
        ..order(&server, journal.clone())
    };
    for (refused, why) in [
        (over, "window of production is closed"),
        (other, "window of production is closed"),
        (unwritable, "nothing was sent"),
        (nowhere, "nothing was sent"),
    ] {
        let outcome = outcome(refused).await;
        assert!(
            matches!(&outcome, Outcome::NotDone(words) if words.contains(why)),
            "{outcome:?}"
        );
    }
    assert_eq!(posts(&server), 0);
    assert!(lines(&journal).is_empty());
}

#[tokio::test]
async fn x05_who_silenced_it_since_the_last_look_is_named_and_nothing_is_sent() {
    let home = tempfile::tempdir().unwrap();
    let server = Server::start(|asked| match asked.path.as_str() {
        "/api/v2/alerts" => said(json!([
            {"labels": {"alertname": "X"}, "status": {"state": "suppressed", "silencedBy": ["s1"], "inhibitedBy": []}}
        ])),
        "/api/v2/silences" => said(json!([
            {"id": "s1", "status": {"state": "active"}, "createdBy": "bob", "comment": "mine", "matchers": []}
        ])),
        _ => said("{}"),
    })
    .await;
    let outcome = outcome(order(&server, home.path().join("acts.jsonl"))).await;
    assert!(
        matches!(&outcome, Outcome::NotDone(words) if words.contains("bob has silenced it meanwhile")),
        "{outcome:?}"
    );
    assert_eq!(posts(&server), 0);
}
