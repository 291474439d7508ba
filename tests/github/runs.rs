//! Runs, jobs and the needs graph: what is asked, and what is made of the answers.

use serde_json::json;
use wheelhouse::clients::github::{Answer, Known};
use wheelhouse::estate::runs::{Conclusion, Progress};
use wheelhouse::estate::{Fault, FaultKind};

use super::repository::{LIST, Repository, connect, job, run};
use super::server::{Answer as Said, Server, json as said};

fn changed<T>(answer: Result<Answer<T>, Fault>) -> T {
    match answer.unwrap() {
        Answer::Changed(value) => value,
        Answer::Unchanged => panic!("unchanged"),
    }
}

#[tokio::test]
async fn runs_come_newest_first_with_what_github_says_of_them() {
    let repository = Repository::new();
    repository.has().runs.reverse();
    let server = repository.serve().await;
    let github = connect(&server.url).await;
    let runs = changed(github.runs(&mut Known::default()).await);
    assert_eq!(runs.iter().map(|r| r.id).collect::<Vec<_>>(), [2, 1]);
    assert_eq!(runs[0].progress, Progress::Done(Conclusion::Success));
    assert_eq!(runs[0].actor, Some("ben".into()));
    let budget = github.budget().unwrap();
    assert_eq!((budget.limit, budget.remaining), (5_000, 3_999));
    let asked = &server.asked()[0];
    assert_eq!(asked.path, LIST);
    assert_eq!(asked.header("x-github-api-version"), Some("2022-11-28"));
    assert_eq!(
        asked.header("accept"),
        Some("application/vnd.github+json, application/json;q=0.9")
    );
}

#[tokio::test]
async fn what_did_not_change_is_not_sent_again_and_costs_nothing() {
    let repository = Repository::new();
    let server = repository.serve().await;
    let github = connect(&server.url).await;
    let mut known = Known::default();
    changed(github.runs(&mut known).await);
    changed(github.jobs(2, 1, &mut known).await);
    let left = repository.has().remaining;
    for _ in 0..3 {
        assert_eq!(github.runs(&mut known).await.unwrap(), Answer::Unchanged);
        assert_eq!(
            github.jobs(2, 1, &mut known).await.unwrap(),
            Answer::Unchanged
        );
    }
    assert_eq!(repository.has().remaining, left);
    repository.has().runs[0]["status"] = json!("in_progress");
    assert_eq!(
        changed(github.runs(&mut known).await)[0].progress,
        Progress::Running
    );
    // Another reader was told nothing yet.
    changed(github.runs(&mut Known::default()).await);
}

#[tokio::test]
async fn an_answer_that_was_not_understood_is_asked_for_in_full_again() {
    let server = Server::start(|asked| match asked.count {
        1 => Said::Full(200, "ETag: \"a\"\r\n", "{\"workflow_runs\": [{".into()),
        _ => Said::Full(
            200,
            "ETag: \"a\"\r\n",
            json!({"workflow_runs": [run(1, "queued")]}).to_string(),
        ),
    })
    .await;
    let github = connect(&server.url).await;
    let mut known = Known::default();
    let fault = github.runs(&mut known).await.unwrap_err();
    assert_eq!(fault.kind, FaultKind::Malformed);
    assert!(fault.what.contains("truncated JSON"), "{}", fault.what);
    assert_eq!(
        changed(github.runs(&mut known).await)[0].progress,
        Progress::Queued
    );
    assert_eq!(server.count(|a| a.header("if-none-match").is_some()), 0);
}

#[tokio::test]
async fn jobs_of_many_pages_are_one_list_and_a_change_on_any_page_is_seen() {
    let second = std::sync::Arc::new(std::sync::Mutex::new("queued"));
    let status = second.clone();
    let server = Server::start(move |asked| {
        let status = *status.lock().unwrap();
        let page = |from: u64, to: u64| {
            let jobs: Vec<_> = (from..to)
                .map(|id| job(id, &format!("build ({id})")))
                .collect();
            json!({"total_count": 150, "jobs": jobs})
        };
        let (mut body, tag) = match asked.query.contains("page=2") {
            true => (page(100, 150), status),
            false => (page(0, 100), "first"),
        };
        if asked.header("if-none-match") == Some(&format!("\"{tag}\"")) {
            return super::repository::full(304, "", "");
        }
        if asked.query.contains("page=2") {
            body["jobs"][0]["status"] = json!(status);
        }
        super::repository::full(200, &format!("ETag: \"{tag}\"\r\n"), &body.to_string())
    })
    .await;
    let github = connect(&server.url).await;
    let mut known = Known::default();
    let jobs = changed(github.jobs(7, 3, &mut known).await);
    assert_eq!((jobs.attempt, jobs.jobs.len()), (3, 150));
    assert!(server.asked()[0].path.ends_with("/runs/7/attempts/3/jobs"));
    assert_eq!(
        github.jobs(7, 3, &mut known).await.unwrap(),
        Answer::Unchanged
    );
    *second.lock().unwrap() = "in_progress";
    let jobs = changed(github.jobs(7, 3, &mut known).await).jobs;
    assert_eq!((jobs.len(), &jobs[100].progress), (150, &Progress::Running));
}

#[tokio::test]
async fn jobs_are_read_to_the_end_where_nothing_says_how_many_there_are() {
    for total in [json!(null), json!("many"), json!({})] {
        let server = Server::start(move |asked| {
            let ids = match asked.query.rsplit('=').next() {
                Some("1") => 0..100,
                Some("2") => 100..200,
                _ => 200..250,
            };
            let jobs: Vec<_> = ids.map(|id| job(id, &format!("build ({id})"))).collect();
            let body = json!({"total_count": total, "jobs": jobs}).to_string();
            super::repository::full(200, "", &body)
        })
        .await;
        let github = connect(&server.url).await;
        let jobs = changed(github.jobs(7, 3, &mut Known::default()).await).jobs;
        assert_eq!((jobs.len(), jobs[249].id), (250, 249));
        assert_eq!(server.asked().len(), 3);
    }
}

#[tokio::test]
async fn a_run_whose_title_was_cut_in_the_middle_of_a_character_is_read_by_itself_too() {
    let mut cut = run(7, "completed").to_string();
    let title = cut.find("\"display_title\":\"").unwrap() + "\"display_title\":\"".len();
    cut.insert_str(title, "\\ud83d");
    let server = Server::start(move |_| super::repository::full(200, "", &cut)).await;
    let read = connect(&server.url).await.run(7).await.unwrap();
    assert_eq!(read.id, 7);
    assert!(read.title.starts_with('\u{fffd}'), "{}", read.title);
}

#[tokio::test]
async fn the_needs_graph_is_read_from_the_workflows_file_at_a_commit() {
    let server = Repository::new().serve().await;
    let github = connect(&server.url).await;
    let needs = github.needs(Some("feat/cart")).await.unwrap();
    assert_eq!(needs.of["deploy-production"], ["detect".into()]);
    let asked = &server.asked()[0];
    assert_eq!(
        asked.path,
        "/repos/acme/wall/contents/.github/workflows/ci.yml"
    );
    assert_eq!(asked.query, "ref=feat%2Fcart");
}

#[tokio::test]
async fn g11_hostile_names_and_titles_are_shown_harmless_and_short() {
    let repository = Repository::new();
    {
        let mut has = repository.has();
        has.runs[0]["display_title"] = json!("x".repeat(1 << 20));
        has.runs[0]["head_branch"] = json!("a\u{202e}b\u{1b}]0;owned\u{7}");
        has.runs[0]["triggering_actor"]["login"] = json!("\u{1b}[2Jann\u{200d}\u{e0041}");
        has.jobs[0]["name"] = json!("line\nbreak\u{9b}31m");
    }
    let server = repository.serve().await;
    let github = connect(&server.url).await;
    let mut known = Known::default();
    let runs = changed(github.runs(&mut known).await);
    assert!(runs[0].title.len() <= 4_096 && runs[0].title.ends_with('…'));
    assert_eq!(runs[0].branch, Some("a<U+202E>b".into()));
    assert_eq!(
        runs[0].actor.as_ref().unwrap().as_str(),
        "ann<U+200D><U+E0041>"
    );
    let jobs = changed(github.jobs(2, 1, &mut known).await).jobs;
    assert_eq!(jobs[0].name.as_str(), "line break");
}

#[tokio::test]
async fn the_path_of_an_enterprise_server_is_kept_and_a_rename_is_followed_with_the_token() {
    let server = Server::start(|asked| match asked.path.as_str() {
        "/api/v3/repos/acme/wall/actions/workflows/ci.yml/runs" => {
            let host = asked.header("host").unwrap();
            let to = format!("Location: http://{host}/api/v3/repositories/7/runs?x=1\r\n");
            super::repository::full(301, &to, "{}")
        }
        "/api/v3/repositories/7/runs" => said(json!({"workflow_runs": [run(9, "queued")]})),
        other => panic!("{other}"),
    })
    .await;
    let github = connect(&format!("{}/api/v3", server.url)).await;
    let runs = changed(github.runs(&mut Known::default()).await);
    assert_eq!(runs[0].id, 9);
    assert_eq!(server.count(|a| a.header("authorization").is_some()), 2);
}

#[tokio::test]
async fn a_redirect_to_another_host_gets_neither_token_nor_request() {
    let elsewhere = Server::start(|_| said("{}")).await;
    let to = format!("Location: {}/x\r\n", elsewhere.url);
    let server = Server::start(move |_| super::repository::full(302, &to, "")).await;
    let github = connect(&server.url).await;
    let fault = github.runs(&mut Known::default()).await.unwrap_err();
    assert!(
        fault.what.contains("leads to another host"),
        "{}",
        fault.what
    );
    assert!(elsewhere.asked().is_empty());
}
