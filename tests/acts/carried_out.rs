//! How an act is carried out: sent once or not at all, written down first, read back, UNKNOWN where it is.

use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use tokio::sync::mpsc;
use wheelhouse::app::{Access, Event};
use wheelhouse::clients::github;
use wheelhouse::clients::http::{Reach, Target};
use wheelhouse::estate::act::{About, Act, Doing, Outcome, Silencing};
use wheelhouse::estate::review::Review;
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
    let act = Act::Silencing(Silencing::Silence(Draft {
        matchers: labels(),
        author: "ann@bastion".into(),
        comment: "release 42".into(),
        starts,
        ends: starts + jiff::SignedDuration::from_hours(1),
    }));
    Order {
        doing: Doing {
            number: 1,
            environment: 0,
            about: About::Alert(labels()),
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
        repository: wheelhouse::sources::github::Shared::default(),
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

/// An approval of production for run 82, of a GitHub that is `server`.
async fn approval(server: &Server, journal: PathBuf) -> Order {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let target = github::Target {
        api: server.url.clone(),
        repository: "acme/wall".into(),
        workflow: "ci.yml".into(),
        token: github::TokenFrom::None,
        ca_file: None,
        branches: Vec::new(),
        runs: 30,
    };
    let mut order = order(server, journal);
    let connected = github::connect(&target).await.unwrap();
    order.repository.publish(&connected);
    order.doing.about = About::Run(82);
    order.doing.act = Act::Review(Review {
        run: 82,
        attempt: 1,
        id: 7,
        environment: "production".into(),
        is_approved: true,
        comment: "due".into(),
    });
    order
}

fn run(attempt: u32) -> Value {
    json!({"id": 82, "run_number": 1482, "run_attempt": attempt, "status": "waiting"})
}

#[tokio::test]
async fn an_attempt_that_nobody_was_shown_is_not_reviewed() {
    let home = tempfile::tempdir().unwrap();
    let server = Server::start(|asked| match asked.path.rsplit('/').next() {
        Some("pending_deployments") => {
            said(json!([{"environment": {"id": 7, "name": "production"}}]))
        }
        Some("approvals") => said("[]"),
        _ => said(run(2)),
    })
    .await;
    let refused = outcome(approval(&server, home.path().join("acts.jsonl")).await).await;
    assert!(
        matches!(&refused, Outcome::NotDone(why) if why.contains("attempt 2 of the run began")),
        "{refused:?}"
    );
    assert_eq!(posts(&server), 0);
}

/// A GitHub on which production waits until somebody decides, and that answers the decision with `answer`; whether it is
/// heard, it keeps it.
fn reviewing(
    is_heard: bool,
    answer: impl Fn() -> Answer + Send + Sync,
) -> impl Fn(&Asked) -> Answer + Send + Sync {
    let kept = std::sync::Mutex::new(Vec::new());
    move |asked| {
        let mut kept = kept.lock().unwrap();
        let last = asked.path.rsplit('/').next().unwrap_or_default();
        match (asked.method.as_str(), last) {
            ("POST", "pending_deployments") => {
                let body: Value = serde_json::from_str(&asked.body).unwrap();
                assert_eq!(body["environment_ids"], json!([7]));
                if is_heard {
                    kept.push(json!({"state": body["state"], "comment": body["comment"], "user": {"login": "ann"},
                        "environments": [{"id": 7, "name": "production"}]}));
                }
                answer()
            }
            ("GET", "pending_deployments") if kept.is_empty() => said(json!([
                {"environment": {"id": 7, "name": "production"}, "current_user_can_approve": true, "reviewers": []}
            ])),
            ("GET", "pending_deployments") => said("[]"),
            ("GET", "approvals") => said(json!(*kept)),
            ("GET", "82") => said(run(1)),
            _ => said("{}"),
        }
    }
}

#[tokio::test]
async fn row_10_a_review_is_written_down_sent_once_and_read_back_by_its_id() {
    let home = tempfile::tempdir().unwrap();
    let journal = home.path().join("acts.jsonl");
    let server = Server::start(reviewing(true, || said("[]"))).await;
    let done = outcome(approval(&server, journal.clone()).await).await;
    assert!(
        matches!(&done, Outcome::Done(words) if words.contains("production is approved")),
        "{done:?}"
    );
    assert_eq!(posts(&server), 1);
    let lines = lines(&journal);
    let id = lines[0]["act"].as_str().unwrap();
    let intent = &lines[0]["what"]["intent"]["review"];
    assert_eq!(intent["comment"], format!("due (wheelhouse {id})"));
    assert_eq!(lines[1]["what"]["outcome"]["outcome"], "done");
}

#[tokio::test]
async fn a_review_whose_answer_is_lost_is_settled_by_githubs_history_and_never_sent_again() {
    let home = tempfile::tempdir().unwrap();
    let journal = home.path().join("acts.jsonl");
    let heard = Server::start(reviewing(true, || Answer::Raw(Vec::new()))).await;
    let done = outcome(approval(&heard, journal.clone()).await).await;
    assert!(matches!(done, Outcome::Done(_)), "{done:?}");
    let lost = Server::start(reviewing(false, || Answer::Full(502, "", "bad".into()))).await;
    let unknown = outcome(approval(&lost, journal.clone()).await).await;
    assert!(matches!(unknown, Outcome::Unknown(_)), "{unknown:?}");
    // Accepted, and it waits still: nobody knows why.
    let odd = Server::start(reviewing(false, || said("[]"))).await;
    let unknown = outcome(approval(&odd, journal).await).await;
    assert!(matches!(unknown, Outcome::Unknown(_)), "{unknown:?}");
    assert_eq!((posts(&heard), posts(&lost), posts(&odd)), (1, 1, 1));
}

#[tokio::test]
async fn g08_a_review_that_github_refuses_is_not_done_and_its_words_are_told() {
    let home = tempfile::tempdir().unwrap();
    let words = r#"{"message": "Current user cannot approve: prevent self-review"}"#;
    let server = Server::start(reviewing(false, move || {
        Answer::Full(422, "", words.into())
    }))
    .await;
    let refused = outcome(approval(&server, home.path().join("acts.jsonl")).await).await;
    assert!(
        matches!(&refused, Outcome::NotDone(why) if why.contains("prevent self-review")),
        "{refused:?}"
    );
}

#[tokio::test]
async fn x05_who_reviewed_it_since_the_last_look_is_named_and_nothing_is_sent() {
    let home = tempfile::tempdir().unwrap();
    let server = Server::start(|asked| match asked.path.rsplit('/').next() {
        Some("pending_deployments") => said("[]"),
        Some("approvals") => said(
            json!([{"state": "rejected", "comment": "not tonight", "user": {"login": "erin"},
            "environments": [{"id": 7, "name": "production"}]}]),
        ),
        Some("82") => said(run(1)),
        _ => said("{}"),
    })
    .await;
    let journal = home.path().join("acts.jsonl");
    let refused = outcome(approval(&server, journal.clone()).await).await;
    assert!(
        matches!(&refused, Outcome::NotDone(why) if why.contains("rejected by erin: not tonight")),
        "{refused:?}"
    );
    assert_eq!(posts(&server), 0);
    assert!(lines(&journal).is_empty());
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

#[tokio::test]
async fn x05_a_silence_that_somebody_extended_further_since_the_last_look_is_not_shortened() {
    let home = tempfile::tempdir().unwrap();
    let server = Server::start(|asked| match asked.path.as_str() {
        "/api/v2/alerts" => said("[]"),
        "/api/v2/silences" => said(json!([
            {"id": "s1", "status": {"state": "active"}, "createdBy": "bob", "comment": "mine", "matchers": [],
             "startsAt": "2027-01-15T08:00:00Z", "endsAt": "2027-01-16T08:00:00Z"}
        ])),
        _ => said("{}"),
    })
    .await;
    let mut order = order(&server, home.path().join("acts.jsonl"));
    order.doing.act = Act::Silencing(Silencing::Extend {
        silence: "s1".into(),
        until: "2027-01-15T10:00:00Z".parse().unwrap(),
        author: "ann@bastion".into(),
        comment: "two hours more".into(),
    });
    let outcome = outcome(order).await;
    let why = "bob has extended it meanwhile, until 2027-01-16T08:00:00Z";
    assert!(
        matches!(&outcome, Outcome::NotDone(words) if words.contains(why)),
        "{outcome:?}"
    );
    assert_eq!(posts(&server), 0);
}
