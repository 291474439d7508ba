//! A job's log: where it lies, what is kept of it, what is left out and said to be.

use serde_json::json;
use wheelhouse::clients::github::{JobLog, Limits, job_log};
use wheelhouse::estate::runs::{Conclusion, Job, Progress, RunLog, Step};
use wheelhouse::estate::{FaultKind, Safe};

use super::repository::{connect, connect_with, full, refused};
use super::server::{Answer, Server};

const LOG: &str = "\u{feff}2026-11-23T20:00:00.1Z Current runner version
2026-11-23T20:00:01.1Z ##[group]Run npm ci
2026-11-23T20:00:01.2Z added 900 packages
2026-11-23T20:00:02.1Z ##[group]Run npm test
2026-11-23T20:00:02.2Z token ghp_a1B2a1B2a1B2a1B2a1B2a1B2a1B2 and ***
2026-11-23T20:00:03.5Z \u{1b}[31m1 failing\u{1b}[0m \u{202e}
2026-11-23T20:00:03.6Z ##[error]Process completed with exit code 1.
2026-11-23T20:00:04.1Z Post job cleanup.
";

fn step(number: u64, from: &str, to: &str) -> Step {
    Step {
        number,
        name: "step".into(),
        progress: Progress::Done(Conclusion::Failure),
        started: format!("2026-11-23T20:00:{from}Z").parse().ok(),
        completed: format!("2026-11-23T20:00:{to}Z").parse().ok(),
    }
}

fn wanted(step_number: Option<u64>) -> RunLog {
    let job = Job {
        id: 21,
        name: "frontend-ci".into(),
        progress: Progress::Done(Conclusion::Failure),
        started: None,
        completed: None,
        steps: vec![
            step(1, "00", "01"),
            step(2, "01", "02"),
            step(3, "02", "03"),
            step(4, "40", "50"),
        ],
        url: "".into(),
    };
    RunLog {
        job,
        step: step_number,
    }
}

/// The API, which redirects, and the host of the logs.
async fn serve(log: impl Fn() -> Answer + Send + Sync + 'static) -> (Server, Server) {
    let blobs = Server::start(move |_| log()).await;
    let to = format!("Location: {}/blob?sig=s3cret\r\n", blobs.url);
    let api = Server::start(move |_| full(302, &to, "")).await;
    (api, blobs)
}

fn texts(lines: &[Safe]) -> Vec<&str> {
    lines.iter().map(Safe::as_str).collect()
}

#[tokio::test]
async fn the_log_is_fetched_from_the_host_that_it_lies_on_without_the_token() {
    let (api, blobs) = serve(|| full(200, "Content-Type: text/plain\r\n", LOG)).await;
    let lines = job_log(&connect(&api.url).await, &wanted(None))
        .await
        .unwrap()
        .lines;
    assert_eq!(lines.len(), 8);
    assert_eq!(lines[0].as_str(), "Current runner version");
    assert_eq!(api.asked()[0].path, "/repos/acme/wall/actions/jobs/21/logs");
    let asked = &blobs.asked()[0];
    assert_eq!(
        (asked.path.as_str(), asked.query.as_str()),
        ("/blob", "sig=s3cret")
    );
    assert!(!asked.head.contains("test-token"), "{}", asked.head);
}

#[tokio::test]
async fn a_failed_steps_lines_are_cut_out_cleaned_and_masked() {
    let (api, _blobs) = serve(|| full(200, "", LOG)).await;
    let JobLog { notes, lines } = job_log(&connect(&api.url).await, &wanted(Some(3)))
        .await
        .unwrap();
    assert!(notes.is_empty(), "{notes:?}");
    let expected = [
        "##[group]Run npm test",
        "token *** and ***",
        "1 failing <U+202E>",
        "##[error]Process completed with exit code 1.",
    ];
    assert_eq!(texts(&lines), expected);
}

#[tokio::test]
async fn a_step_that_cannot_be_told_apart_is_shown_as_the_whole_jobs_log() {
    let (api, _blobs) = serve(|| full(200, "", LOG)).await;
    let github = connect(&api.url).await;
    for number in [4, 99] {
        let log = job_log(&github, &wanted(Some(number))).await.unwrap();
        assert_eq!((log.lines.len(), log.notes.len()), (8, 1));
        assert!(log.notes[0].contains("the whole job's log"), "{log:?}");
    }
}

#[tokio::test]
async fn a_log_of_100_mib_is_read_to_its_end_and_what_is_left_out_is_said() {
    let line = format!("2026-11-23T20:00:02.5Z {}\n", "x".repeat(1000));
    let count = (100 << 20) / line.len();
    let body = format!("{}2026-11-23T20:00:03.0Z the end\n", line.repeat(count));
    let (api, _blobs) = serve(move || full(200, "", &body)).await;
    let github = connect(&api.url).await;
    for step in [None, Some(3)] {
        let JobLog { notes, lines } = job_log(&github, &wanted(step)).await.unwrap();
        assert!(
            notes[0].contains("MiB before this are left out"),
            "{notes:?}"
        );
        assert_eq!(lines.last().unwrap().as_str(), "the end");
        let kept: usize = lines.iter().map(|line| line.len() + 1).sum();
        assert!(kept <= (1 << 20) + 200, "{kept}");
    }
}

#[tokio::test]
async fn g11_a_line_of_a_mebibyte_is_shortened() {
    let body = format!("{}\nend\n", "y".repeat(1 << 20));
    let (api, _blobs) = serve(move || full(200, "", &body)).await;
    let lines = job_log(&connect(&api.url).await, &wanted(None))
        .await
        .unwrap()
        .lines;
    assert_eq!(lines.len(), 2);
    assert!(lines[0].len() <= 4_096 && lines[0].ends_with('…'));
}

#[tokio::test]
async fn a_log_that_is_not_there_is_told_without_the_address_that_opens_it() {
    for status in [404, 410] {
        let api = Server::start(move |_| refused(status, "", "Not Found")).await;
        let fault = job_log(&connect(&api.url).await, &wanted(None))
            .await
            .unwrap_err();
        assert_eq!(fault.kind, FaultKind::Missing);
        assert!(
            fault.what.starts_with("the log of this job"),
            "{}",
            fault.what
        );
    }
    let (api, _blobs) = serve(|| full(404, "", "<Error>BlobNotFound</Error>")).await;
    let fault = job_log(&connect(&api.url).await, &wanted(None))
        .await
        .unwrap_err();
    assert_eq!(fault.kind, FaultKind::Missing);
    let api =
        Server::start(|_| full(302, "Location: http://127.0.0.1:9/x?sig=s3cret\r\n", "")).await;
    let fault = job_log(&connect(&api.url).await, &wanted(None))
        .await
        .unwrap_err();
    assert_eq!(fault.kind, FaultKind::Unreachable);
    assert!(
        fault.what.contains("127.0.0.1:9") && !fault.what.contains("s3cret"),
        "{}",
        fault.what
    );
}

#[tokio::test]
async fn a_log_that_breaks_off_is_a_fault_and_not_a_short_log() {
    let cut = b"HTTP/1.1 200 OK\r\nContent-Length: 999\r\n\r\n2026-11-23T20:00:00.1Z first\n";
    let (api, _blobs) = serve(move || Answer::Raw(cut.to_vec())).await;
    let fault = job_log(&connect(&api.url).await, &wanted(None))
        .await
        .unwrap_err();
    assert!(
        fault.what.starts_with("the log broke off"),
        "{}",
        fault.what
    );
    let limits = Limits {
        idle: std::time::Duration::from_millis(100),
        ..Limits::default()
    };
    let head = b"HTTP/1.1 200 OK\r\nContent-Length: 999\r\n\r\nhalf";
    let (api, _blobs) = serve(move || Answer::Stalled(head.to_vec())).await;
    let github = connect_with(&api.url, limits).await.unwrap();
    let fault = job_log(&github, &wanted(None)).await.unwrap_err();
    assert_eq!(fault.kind, FaultKind::Slow, "{}", json!(fault.what));
}
