//! Rate limits: no request while one holds, and never shown as a missing right.

use std::time::Duration;

use wheelhouse::clients::github::{Known, job_log};
use wheelhouse::estate::FaultKind;
use wheelhouse::estate::runs::{Conclusion, Job, Progress, RunLog};

use super::repository::{NOW, budget, connect, full, refused, run};
use super::server::{Server, json as said};

#[tokio::test]
async fn g03_a_budget_that_is_used_up_says_when_it_is_renewed_and_nothing_more_is_asked() {
    let spent = budget(0, NOW + 1_200);
    let server =
        Server::start(move |_| refused(403, &spent, "API rate limit exceeded for user 7.")).await;
    let github = connect(&server.url).await;
    for _ in 0..3 {
        let fault = github.runs(&mut Known::default()).await.unwrap_err();
        assert_eq!(fault.kind, FaultKind::Busy);
        assert_eq!(
            fault.what.as_str(),
            "GitHub's hourly budget is used up; resets 20:20Z"
        );
    }
    assert_eq!(server.asked().len(), 1);
    let pause = github.pause().unwrap().as_secs();
    assert!((1_195..=1_201).contains(&pause), "{pause}");
    assert_eq!(github.budget().unwrap().remaining, 0);
}

#[tokio::test]
async fn g03_the_last_requests_are_kept_for_what_people_do() {
    let low = budget(50, NOW + 600);
    let server = Server::start(move |asked| match asked.path.ends_with("/logs") {
        true => refused(404, &low, "Not Found"),
        false => full(200, &low, "{\"workflow_runs\": []}"),
    })
    .await;
    let github = connect(&server.url).await;
    github.runs(&mut Known::default()).await.unwrap();
    let fault = github.runs(&mut Known::default()).await.unwrap_err();
    assert_eq!(fault.kind, FaultKind::Busy);
    assert!(
        fault
            .what
            .contains("kept for what you do; polls go on 20:10Z"),
        "{}",
        fault.what
    );
    let job = Job {
        id: 1,
        name: "x".into(),
        progress: Progress::Queued,
        started: None,
        completed: None,
        steps: Vec::new(),
        url: "".into(),
    };
    let log = job_log(&github, &RunLog { job, step: None }).await;
    assert_eq!(
        log.unwrap_err().kind,
        FaultKind::Missing,
        "it was asked for"
    );
    assert_eq!(server.asked().len(), 2);
}

#[tokio::test]
async fn g03_i_56_the_last_requests_are_there_for_an_operation_and_its_gates() {
    let low = budget(50, NOW + 600);
    let server = Server::start(move |asked| match asked.path.ends_with("/runs") {
        true => full(200, &low, "{\"workflow_runs\": []}"),
        false => full(200, &low, &run(7, "completed").to_string()),
    })
    .await;
    let github = connect(&server.url).await;
    github.runs(&mut Known::default()).await.unwrap();
    github.runs(&mut Known::default()).await.unwrap_err();
    let followed = github.run(7).await.unwrap();
    assert_eq!(followed.progress, Progress::Done(Conclusion::Success));
    assert_eq!(github.dispatched("deploy.yml", "01J").await, Ok(None));
    assert_eq!(github.runs_of("abc").await, Ok(Vec::new()));
    assert!(github.pause().is_some(), "polls are shut out still");
    assert_eq!(server.asked().len(), 4);
}

#[tokio::test]
async fn g04_a_secondary_limit_waits_for_a_minute_or_longer_in_each_of_its_forms() {
    let words = "You have exceeded a secondary rate limit. Please wait a few minutes.";
    for (status, headers, said, least) in [
        (403, "", words, 60),
        (429, "", "", 60),
        (403, "Retry-After: 90\r\n", "Forbidden", 90),
        (429, "Retry-After: 5\r\n", words, 60),
        (
            403,
            "",
            "You have triggered an abuse detection mechanism",
            60,
        ),
    ] {
        let server = Server::start(move |_| refused(status, headers, said)).await;
        let github = connect(&server.url).await;
        let fault = github.runs(&mut Known::default()).await.unwrap_err();
        assert_eq!(fault.kind, FaultKind::Busy, "{status} {headers} {said}");
        assert!(
            fault.what.contains(&format!("waiting {least} s")),
            "{}",
            fault.what
        );
        github.runs(&mut Known::default()).await.unwrap_err();
        assert_eq!(server.asked().len(), 1, "{status} {headers} {said}");
        assert!(github.pause().unwrap() <= Duration::from_secs(least));
    }
}

#[tokio::test]
async fn a_server_without_limits_is_asked_as_it_likes() {
    let server = Server::start(|_| said("{\"workflow_runs\": []}")).await;
    let github = connect(&server.url).await;
    for _ in 0..3 {
        github.runs(&mut Known::default()).await.unwrap();
    }
    assert_eq!((github.budget(), github.pause()), (None, None));
}
