//! The source as the loop meets it: what is sent, how often is asked, what an hour costs.

use serde_json::json;
use tokio::sync::mpsc::channel;
use wheelhouse::clients::github::Target;
use wheelhouse::estate::runs::{Conclusion, Progress, RunLog, RunsSeen};
use wheelhouse::estate::{FaultKind, LogChunk, Moment};
use wheelhouse::sources::github::{Shared, log};

use super::repository::{LIST, NOW, Repository, Token, budget, full, refused, run};
use super::server::{Answer, Asked, Server};
use super::watching::Watching;

fn is_jobs(seen: &RunsSeen) -> bool {
    matches!(seen, RunsSeen::Jobs(..))
}

#[tokio::test(start_paused = true)]
async fn the_list_comes_first_then_the_budget_the_graph_and_the_jobs() {
    let server = Repository::new().serve().await;
    let mut watching = Watching::start(&server);
    watching.until(is_jobs).await;
    watching.until(is_jobs).await;
    let names: Vec<&str> = (watching.seen.iter())
        .map(|seen| match seen {
            RunsSeen::Runs(_) => "runs",
            RunsSeen::Unchanged => "unchanged",
            RunsSeen::Jobs(2, _) => "jobs of 2",
            RunsSeen::Jobs(..) => "jobs of 1",
            RunsSeen::Reviews(..) => "reviews",
            RunsSeen::Needs(_) => "needs",
            RunsSeen::Budget(_) => "budget",
            RunsSeen::Failed(_) => "failed",
        })
        .collect();
    assert_eq!(names, ["runs", "budget", "needs", "jobs of 2", "jobs of 1"]);
}

#[tokio::test(start_paused = true)]
async fn g09_a_quiet_hour_costs_nothing_of_the_hourly_budget() {
    let repository = Repository::new();
    let server = repository.serve().await;
    let mut watching = Watching::start(&server);
    watching.until(is_jobs).await;
    watching.until(is_jobs).await;
    watching.pass(30, &server).await;
    let (before, left) = (server.asked().len(), repository.has().remaining);
    watching.pass(3_600, &server).await;
    let asked = server.asked().split_off(before);
    // Every 30 s for ten minutes, then every 60 s.
    assert!((65..=75).contains(&asked.len()), "{}", asked.len());
    assert!(
        asked
            .iter()
            .all(|a| a.path == LIST && a.header("if-none-match").is_some())
    );
    assert_eq!(repository.has().remaining, left, "304s only");
}

#[tokio::test(start_paused = true)]
async fn g09_connecting_anew_costs_nothing_of_the_hourly_budget_however_long_the_key_is_held() {
    let repository = Repository::new();
    let server = repository.serve().await;
    let mut watching = Watching::start(&server);
    watching.until(is_jobs).await;
    watching.until(is_jobs).await;
    watching.pass(5, &server).await;
    let (before, left) = (server.asked().len(), repository.has().remaining);
    for _ in 0..20 {
        watching.shared.connect_anew();
        watching.pass(1, &server).await;
    }
    let asked = server.asked().split_off(before);
    let is_free = |a: &Asked| a.path == LIST && a.header("if-none-match").is_some();
    assert!(asked.iter().all(is_free), "{asked:#?}");
    assert!((3..=6).contains(&asked.len()), "{}", asked.len());
    assert_eq!(repository.has().remaining, left, "304s only");
}

#[tokio::test(start_paused = true)]
async fn a_run_that_goes_on_is_asked_for_every_five_seconds_and_its_jobs_with_it() {
    let repository = Repository::new();
    repository.has().runs[0] = run(2, "in_progress");
    repository.has().jobs[1]["status"] = json!("in_progress");
    let server = repository.serve().await;
    let mut watching = Watching::start(&server);
    watching.until(is_jobs).await;
    watching.pass(60, &server).await;
    let lists = server.count(|a| a.path == LIST);
    assert!((11..=13).contains(&lists), "{lists}");
    let running = server.count(|a| a.path.contains("/runs/2/attempts/1/"));
    assert!((11..=13).contains(&running), "{running}");
    // The jobs of the whole list are the same here, so run 1 is asked for as well: its jobs are not over.
    repository.has().runs[0] = run(2, "completed");
    repository.has().jobs[1]["status"] = json!("completed");
    watching.pass(10, &server).await;
    let before = server.count(|a| a.path.ends_with("/jobs"));
    watching.pass(120, &server).await;
    assert_eq!(
        server.count(|a| a.path.ends_with("/jobs")),
        before,
        "once they have ended"
    );
}

fn is_runs(seen: &RunsSeen) -> bool {
    matches!(seen, RunsSeen::Runs(_))
}

/// The numbers of the runs that were told last, newest first.
fn numbers(seen: &RunsSeen) -> Vec<u64> {
    let RunsSeen::Runs(runs) = seen else {
        panic!("{seen:?}");
    };
    runs.iter().map(|run| run.id).collect()
}

#[tokio::test(start_paused = true)]
async fn g09_as_many_runs_as_are_wanted_come_page_by_page_and_what_does_not_change_costs_nothing() {
    let repository = Repository::new();
    repository.has().runs = (1..=250).rev().map(|id| run(id, "completed")).collect();
    let server = repository.serve().await;
    let mut watching = Watching::start_with(Token::new("test-token"), |token| Target {
        runs: 300,
        ..token.target(&server.url)
    });
    // The newest are on the screen before the others were asked for.
    let first = numbers(&watching.until(is_runs).await);
    assert_eq!(first, (151..=250).rev().collect::<Vec<_>>());
    let all = numbers(&watching.until(is_runs).await);
    assert_eq!(all, (1..=250).rev().collect::<Vec<_>>());
    watching.pass(60, &server).await;
    let (before, left) = (server.asked().len(), repository.has().remaining);
    watching.pass(600, &server).await;
    let asked = server.asked().split_off(before);
    let is_known = |a: &Asked| a.path == LIST && a.header("if-none-match").is_some();
    assert!(asked.iter().all(is_known), "{asked:#?}");
    let later = asked.iter().filter(|a| a.query.contains("page=3")).count();
    assert!((8..=11).contains(&later), "{later}");
    assert_eq!(repository.has().remaining, left, "304s only");
    // Another one moves all of them, and none is missing for a moment.
    let told = watching.seen.len();
    repository.has().runs.insert(0, run(251, "completed"));
    watching.pass(120, &server).await;
    let tellings = watching.seen[told..].iter().filter(|seen| is_runs(seen));
    let tellings: Vec<Vec<u64>> = tellings.map(numbers).collect();
    assert!(!tellings.is_empty());
    for told in tellings {
        assert_eq!(told, (1..=251).rev().collect::<Vec<_>>());
    }
    // Nor while a later page cannot be had: what is known of the others stays, and the newest are current.
    repository.has().instead =
        Some(|asked| (asked.query.contains("page=3")).then(|| refused(502, "", "Bad Gateway")));
    let told = watching.seen.len();
    for id in 252..=253 {
        repository.has().runs.insert(0, run(id, "completed"));
        watching.pass(120, &server).await;
    }
    for seen in &watching.seen[told..] {
        assert!(!matches!(seen, RunsSeen::Failed(_)), "{seen:?}");
        if is_runs(seen) {
            assert_eq!(numbers(seen).len(), numbers(seen)[0] as usize, "{seen:?}");
        }
    }
    repository.has().instead = None;
    // What was deleted is gone, wherever it stood.
    repository
        .has()
        .runs
        .retain(|it| it["id"].as_u64() != Some(120));
    watching.pass(120, &server).await;
    let last = watching.seen.iter().rev().find(|seen| is_runs(seen));
    assert!(!numbers(last.unwrap()).contains(&120));
    assert_eq!(numbers(last.unwrap()).len(), 252);
}

#[tokio::test(start_paused = true)]
async fn the_jobs_of_an_old_run_are_asked_for_when_its_page_is_opened_and_not_before() {
    let repository = Repository::new();
    repository.has().runs = (1..=30).rev().map(|id| run(id, "completed")).collect();
    let server = repository.serve().await;
    let mut watching = Watching::start(&server);
    watching.until(is_jobs).await;
    watching.pass(5, &server).await;
    let of_it = |asked: &Asked| asked.path.contains("/runs/3/attempts/1/jobs");
    assert_eq!(server.count(of_it), 0, "it is beyond the newest ten");

    watching.shared.open(Some(3));

    watching
        .until(|seen| matches!(seen, RunsSeen::Jobs(3, _)))
        .await;
    let asked = server.count(of_it);
    watching.pass(120, &server).await;
    assert_eq!(server.count(of_it), asked, "its jobs are over");
}

#[tokio::test(start_paused = true)]
async fn g09_a_run_that_drops_out_of_the_list_and_comes_back_is_told_whole_again() {
    let repository = Repository::new();
    {
        let mut has = repository.has();
        has.runs[0] = run(2, "waiting");
        has.jobs[1]["status"] = json!("waiting");
        has.pending = vec![json!({"environment": {"id": 7, "name": "production"}})];
    }
    let server = repository.serve().await;
    let mut watching = Watching::start(&server);
    let is_reviews = |seen: &RunsSeen| matches!(seen, RunsSeen::Reviews(2, _));
    watching.until(is_reviews).await;
    let waiting = repository.has().runs.remove(0);
    let is_list =
        |long| move |seen: &RunsSeen| matches!(seen, RunsSeen::Runs(runs) if runs.len() == long);
    watching.pass(60, &server).await;
    assert!(watching.seen.iter().any(is_list(1)));
    watching.seen.clear();
    repository.has().runs.insert(0, waiting);
    watching.pass(60, &server).await;
    let at = |of: &dyn Fn(&RunsSeen) -> bool| watching.seen.iter().position(of);
    let back = at(&is_list(2)).unwrap();
    let jobs = at(&|seen| matches!(seen, RunsSeen::Jobs(2, _)));
    assert!(jobs > Some(back), "{:#?}", watching.seen);
    assert!(at(&is_reviews) > jobs, "{:#?}", watching.seen);
}

#[tokio::test(start_paused = true)]
async fn row_9_what_a_run_waits_for_is_asked_while_it_waits_and_who_decided_once_more() {
    let repository = Repository::new();
    {
        let mut has = repository.has();
        // GitHub says that the run goes on while another of its jobs does.
        has.runs = vec![run(2, "in_progress")];
        has.jobs[1]["status"] = json!("waiting");
        has.pending = vec![json!({"environment": {"id": 7, "name": "production"}})];
    }
    let server = repository.serve().await;
    let mut watching = Watching::start(&server);
    let is_reviews = |seen: &RunsSeen| matches!(seen, RunsSeen::Reviews(2, _));
    let RunsSeen::Reviews(_, waits) = watching.until(is_reviews).await else {
        unreachable!()
    };
    assert_eq!(waits.pending[0].environment.as_str(), "production");
    watching.pass(30, &server).await;
    let left = repository.has().remaining;
    watching.pass(60, &server).await;
    assert_eq!(repository.has().remaining, left, "304s only");
    {
        let mut has = repository.has();
        has.jobs[1]["status"] = json!("in_progress");
        has.pending = Vec::new();
        let who = json!({"state": "approved", "user": {"login": "erin"}, "environments": [{"id": 7, "name": "production"}]});
        has.decided = vec![who];
    }
    watching.pass(20, &server).await;
    let mut told = watching.seen.iter().filter(|seen| is_reviews(seen));
    let Some(RunsSeen::Reviews(_, over)) = told.next_back() else {
        unreachable!()
    };
    assert!(over.pending.is_empty());
    assert_eq!(over.decided[0].words(), "production approved by erin");
    let of_reviews = |asked: &Asked| asked.path.ends_with("/pending_deployments");
    let asked = server.count(of_reviews);
    watching.pass(120, &server).await;
    assert_eq!(server.count(of_reviews), asked, "it waits no more");
}

#[tokio::test(start_paused = true)]
async fn a_token_that_may_not_see_reviews_costs_one_request_and_no_run() {
    let repository = Repository::new();
    {
        let mut has = repository.has();
        has.runs = vec![run(2, "waiting")];
        has.instead = Some(|asked| {
            let is_it = asked.path.ends_with("/pending_deployments");
            is_it.then(|| refused(403, "", "Resource not accessible by personal access token"))
        });
    }
    let server = repository.serve().await;
    let mut watching = Watching::start(&server);
    watching.until(is_jobs).await;
    watching.pass(120, &server).await;
    assert_eq!(
        server.count(|a| a.path.ends_with("/pending_deployments")),
        1
    );
    let is_failed = |seen: &RunsSeen| matches!(seen, RunsSeen::Failed(_));
    assert!(!watching.seen.iter().any(is_failed));
    let is_unseen =
        |seen: &RunsSeen| matches!(seen, RunsSeen::Reviews(2, it) if it.unseen.is_some());
    assert!(watching.seen.iter().any(is_unseen), "it is not nothing");
}

#[tokio::test(start_paused = true)]
async fn a_history_of_reviews_that_fails_once_is_asked_for_again_with_what_waits() {
    let repository = Repository::new();
    {
        let mut has = repository.has();
        has.runs = vec![run(2, "waiting")];
        has.pending = vec![json!({"environment": {"id": 7, "name": "production"}})];
        has.instead = Some(|asked| {
            let is_it = asked.path.ends_with("/approvals");
            is_it.then(|| full(200, "", "<html>busy</html>"))
        });
    }
    let server = repository.serve().await;
    let mut watching = Watching::start(&server);
    let is_unseen =
        |seen: &RunsSeen| matches!(seen, RunsSeen::Reviews(2, it) if it.unseen.is_some());
    watching.until(is_unseen).await;
    repository.has().instead = None;
    watching.pass(40, &server).await;
    let last = watching
        .seen
        .iter()
        .rfind(|seen| matches!(seen, RunsSeen::Reviews(..)));
    assert!(
        matches!(last, Some(RunsSeen::Reviews(2, it)) if it.unseen.is_none() && it.pending.len() == 1),
        "{last:?}"
    );
}

/// Forty runs of pull requests above one of main, which waits for an approval.
fn busy() -> Repository {
    let repository = Repository::new();
    let of_pull_request = |id| {
        let mut run = run(id, "completed");
        run["head_branch"] = json!("feat/cart");
        run["event"] = json!("pull_request");
        run
    };
    let mut runs: Vec<_> = (2..=41).rev().map(of_pull_request).collect();
    runs.push(run(1, "waiting"));
    repository.has().runs = runs;
    repository
}

fn watch_main(server: &Server) -> Watching {
    Watching::start_with(Token::new("test-token"), |token| Target {
        branches: vec!["main".into()],
        ..token.target(&server.url)
    })
}

fn of_main(asked: &Asked) -> bool {
    asked.path == LIST && asked.query.contains("branch=main&")
}

#[tokio::test(start_paused = true)]
async fn a_run_of_the_branch_that_is_deployed_is_shown_below_any_number_of_pull_requests() {
    let repository = busy();
    let server = repository.serve().await;
    let mut watching = watch_main(&server);
    let seen = watching.until(|s| matches!(s, RunsSeen::Runs(_))).await;
    let RunsSeen::Runs(runs) = seen else {
        unreachable!()
    };
    assert_eq!(runs.len(), 31);
    let last = runs.last().unwrap();
    assert_eq!((last.id, &last.progress), (1, &Progress::Waiting));
    // Its jobs tell what waits.
    let is_of_it = |s: &RunsSeen| matches!(s, RunsSeen::Jobs(1, _));
    watching.until(is_of_it).await;
    watching.pass(16, &server).await;
    let (before, left) = (server.asked().len(), repository.has().remaining);
    watching.pass(300, &server).await;
    let asked = server.asked().split_off(before);
    let lists = asked.iter().filter(|a| of_main(a)).count();
    assert!((19..=21).contains(&lists), "{lists}");
    assert!(asked.iter().all(|a| a.header("if-none-match").is_some()));
    assert_eq!(repository.has().remaining, left, "304s only");
    repository.has().runs[40] = run(1, "completed");
    let is_over = |s: &RunsSeen| matches!(s, RunsSeen::Runs(runs) if runs[30].progress == Progress::Done(Conclusion::Success));
    watching.pass(16, &server).await;
    assert!(watching.seen.iter().any(is_over));
}

#[tokio::test(start_paused = true)]
async fn a_branch_that_is_among_the_newest_often_enough_is_not_asked_for_by_itself() {
    let repository = Repository::new();
    repository.has().runs = (1..=30).rev().map(|id| run(id, "completed")).collect();
    let server = repository.serve().await;
    let mut watching = watch_main(&server);
    watching.until(is_jobs).await;
    watching.pass(60, &server).await;
    assert_eq!(server.count(of_main), 0);
}

#[tokio::test(start_paused = true)]
async fn what_the_first_list_told_is_shown_although_that_of_the_branch_failed_for_once() {
    let repository = busy();
    let server = repository.serve().await;
    repository.has().instead = Some(|asked| of_main(asked).then(|| refused(502, "", "away")));
    let mut watching = watch_main(&server);
    watching.fault().await;
    repository.has().instead = None;
    watching.pass(10, &server).await;
    let is_whole = |s: &RunsSeen| matches!(s, RunsSeen::Runs(runs) if runs.len() == 31);
    assert!(watching.seen.iter().any(is_whole), "{:#?}", watching.seen);
}

#[tokio::test(start_paused = true)]
async fn a_run_that_waits_for_an_approval_is_asked_for_every_fifteen_seconds() {
    let repository = Repository::new();
    repository.has().runs[0] = run(2, "waiting");
    let server = repository.serve().await;
    let mut watching = Watching::start(&server);
    watching.until(is_jobs).await;
    watching.pass(60, &server).await;
    let lists = server.count(|a| a.path == LIST);
    assert!((4..=6).contains(&lists), "{lists}");
}

#[tokio::test(start_paused = true)]
async fn while_nobody_looks_it_is_asked_less_and_at_once_when_somebody_does() {
    let server = Repository::new().serve().await;
    let mut watching = Watching::start(&server);
    watching.shared.look(false);
    watching.until(is_jobs).await;
    watching.pass(240, &server).await;
    let lists = server.count(|a| a.path == LIST);
    assert!((4..=5).contains(&lists), "{lists}");
    watching.pass(45, &server).await;
    let before = server.count(|a| a.path == LIST);
    watching.shared.look(true);
    watching.unchanged().await;
    assert_eq!(server.count(|a| a.path == LIST), before + 1);
}

#[tokio::test(start_paused = true)]
async fn g07_a_new_attempt_is_asked_for_anew_and_an_earlier_success_is_not_its() {
    let repository = Repository::new();
    let server = repository.serve().await;
    let mut watching = Watching::start(&server);
    watching.until(|s| matches!(s, RunsSeen::Jobs(2, _))).await;
    let mut again = run(2, "in_progress");
    again["run_attempt"] = json!(2);
    again["conclusion"] = json!("success");
    repository.has().runs[0] = again;
    repository.has().jobs[1]["conclusion"] = json!("cancelled");
    watching.pass(31, &server).await;
    let is_second = |s: &&RunsSeen| matches!(s, RunsSeen::Jobs(2, jobs) if jobs.attempt == 2);
    let second = watching.seen.iter().find(is_second).unwrap();
    let RunsSeen::Jobs(_, jobs) = second else {
        unreachable!()
    };
    assert_eq!(jobs.jobs[1].progress, Progress::Done(Conclusion::Cancelled));
    let runs = watching.seen.iter().rev().find_map(|s| match s {
        RunsSeen::Runs(runs) => Some(runs),
        _ => None,
    });
    let newest = &runs.unwrap()[0];
    assert_eq!((newest.attempt, &newest.progress), (2, &Progress::Running));
}

#[tokio::test(start_paused = true)]
async fn g03_polls_stop_until_the_budget_is_renewed_and_go_on_by_themselves() {
    let repository = Repository::new();
    let server = repository.serve().await;
    repository.has().instead = Some(|_| {
        Some(refused(
            403,
            &budget(0, NOW + 600),
            "API rate limit exceeded",
        ))
    });
    let mut watching = Watching::start(&server);
    let fault = watching.fault().await;
    assert_eq!(
        fault.what.as_str(),
        "GitHub's hourly budget is used up; resets 20:10Z"
    );
    repository.has().instead = None;
    watching.pass(595, &server).await;
    assert_eq!(server.asked().len(), 1, "no request until then");
    assert_eq!(
        watching
            .seen
            .iter()
            .filter(|s| matches!(s, RunsSeen::Failed(_)))
            .count(),
        1
    );
    watching.pass(70, &server).await;
    assert!(watching.seen.iter().any(|s| matches!(s, RunsSeen::Runs(_))));
}

#[tokio::test(start_paused = true)]
async fn g04_a_secondary_limit_stops_the_polls_and_its_repetition_for_longer() {
    let repository = Repository::new();
    let server = repository.serve().await;
    repository.has().instead = Some(|_| Some(refused(429, "", "secondary rate limit")));
    let mut watching = Watching::start(&server);
    assert_eq!(watching.fault().await.kind, FaultKind::Busy);
    watching.pass(58, &server).await;
    assert_eq!(server.asked().len(), 1);
    watching.pass(62, &server).await;
    assert_eq!(server.asked().len(), 2);
    watching.pass(55, &server).await;
    assert_eq!(server.asked().len(), 2, "twice as long after the second");
}

#[tokio::test(start_paused = true)]
async fn g05_a_revoked_token_is_told_and_the_runs_go_on_when_there_is_another() {
    let repository = Repository::new();
    let server = repository.serve().await;
    let mut watching = Watching::start(&server);
    watching.until(is_jobs).await;
    repository.has().token = "rotated".into();
    watching.pass(31, &server).await;
    assert_eq!(watching.fault_seen().kind, FaultKind::LoginNeeded);
    watching.seen.clear();
    watching.token.write("rotated");
    watching.pass(240, &server).await;
    let is_list = |s: &RunsSeen| matches!(s, RunsSeen::Runs(_) | RunsSeen::Unchanged);
    assert!(watching.seen.iter().any(is_list), "{:?}", watching.seen);
}

#[tokio::test(start_paused = true)]
async fn g09_new_tags_after_a_rotation_cost_one_round_and_no_more() {
    let repository = Repository::new();
    let server = repository.serve().await;
    let mut watching = Watching::start(&server);
    watching.until(is_jobs).await;
    watching.until(is_jobs).await;
    repository.has().token = "rotated".into();
    watching.token.write("rotated");
    let left = repository.has().remaining;
    watching.pass(300, &server).await;
    assert_eq!(
        repository.has().remaining,
        left - 1,
        "the list once in full, then 304s"
    );
}

#[tokio::test(start_paused = true)]
async fn g10_an_incident_is_told_once_and_asked_about_ever_more_rarely() {
    let repository = Repository::new();
    let server = repository.serve().await;
    repository.has().instead = Some(|_| Some(full(503, "", "{}")));
    let mut watching = Watching::start(&server);
    assert_eq!(watching.fault().await.kind, FaultKind::Server);
    watching.pass(600, &server).await;
    let asked = server.asked().len();
    assert!((6..=14).contains(&asked), "{asked}");
    let faults = watching
        .seen
        .iter()
        .filter(|s| matches!(s, RunsSeen::Failed(_)));
    assert_eq!(faults.count(), 1);
    repository.has().instead = None;
    watching.pass(200, &server).await;
    assert!(watching.seen.iter().any(|s| matches!(s, RunsSeen::Runs(_))));
}

#[tokio::test(start_paused = true)]
async fn jobs_that_fail_mark_the_feed_each_time_that_the_list_has_confirmed_it() {
    let repository = Repository::new();
    let server = repository.serve().await;
    let broken = |asked: &Asked| asked.path.ends_with("/jobs").then(|| full(500, "", "{}"));
    repository.has().instead = Some(broken);
    let mut watching = Watching::start(&server);
    watching.pass(60, &server).await;
    let last = watching.seen.last().unwrap();
    assert!(
        matches!(last, RunsSeen::Failed(fault) if fault.kind == FaultKind::Server),
        "{last:?}"
    );
    assert!(watching.seen.contains(&RunsSeen::Unchanged));
}

#[tokio::test(start_paused = true)]
async fn one_run_whose_jobs_cannot_be_read_hides_no_other_and_no_later_page() {
    let unreadable: [fn(&Asked) -> Option<Answer>; 3] = [
        |asked| {
            asked
                .path
                .contains("/runs/150/")
                .then(|| full(200, "", "{]"))
        },
        |asked| {
            asked
                .path
                .contains("/runs/150/")
                .then(|| full(502, "", "{}"))
        },
        |asked| {
            asked
                .path
                .contains("/runs/150/")
                .then(|| refused(403, "", "Forbidden"))
        },
    ];
    for instead in unreadable {
        let repository = Repository::new();
        let all = (1..=150).rev().map(|id| run(id, "completed"));
        repository.has().runs = all.collect();
        repository.has().instead = Some(instead);
        let server = repository.serve().await;
        let mut watching = Watching::start_with(Token::new("test-token"), |token| Target {
            runs: 200,
            ..token.target(&server.url)
        });
        watching.fault().await;
        let jobs = |of: u64| move |it: &RunsSeen| matches!(it, RunsSeen::Jobs(id, _) if *id == of);
        assert!(watching.seen.iter().any(jobs(149)), "{:?}", watching.seen);
        assert!(watching.seen.iter().any(jobs(141)), "{:?}", watching.seen);
        let is_all = |it: &RunsSeen| matches!(it, RunsSeen::Runs(runs) if runs.len() == 150);
        assert!(watching.seen.iter().any(is_all));
        assert!(!watching.seen.iter().any(jobs(150)));
    }
}

#[tokio::test(start_paused = true)]
async fn g07_a_run_that_another_took_the_place_of_ends_as_cancelled_and_not_as_passed() {
    let repository = Repository::new();
    let mut superseded = run(2, "pending");
    superseded["conclusion"] = json!(null);
    repository.has().runs[0] = superseded;
    let server = repository.serve().await;
    let mut watching = Watching::start(&server);
    watching.until(is_jobs).await;
    let mut ended = run(2, "completed");
    ended["conclusion"] = json!("cancelled");
    repository.has().runs = vec![run(3, "in_progress"), ended, run(1, "completed")];
    watching.pass(61, &server).await;
    let runs = watching.seen.iter().rev().find_map(|s| match s {
        RunsSeen::Runs(runs) => Some(runs),
        _ => None,
    });
    let progress: Vec<_> = runs.unwrap().iter().map(|run| &run.progress).collect();
    assert_eq!(progress[1], &Progress::Done(Conclusion::Cancelled));
    assert_eq!(progress[0], &Progress::Running);
}

#[tokio::test(start_paused = true)]
async fn a_graph_that_may_not_be_read_is_no_fault_of_the_runs() {
    let repository = Repository::new();
    let server = repository.serve().await;
    let forbidden = |asked: &Asked| {
        let said = "Resource not accessible by personal access token";
        asked
            .path
            .ends_with("ci.yml")
            .then(|| refused(403, "", said))
    };
    repository.has().instead = Some(forbidden);
    let mut watching = Watching::start(&server);
    watching.until(is_jobs).await;
    watching.pass(120, &server).await;
    assert!(
        !watching
            .seen
            .iter()
            .any(|s| matches!(s, RunsSeen::Failed(_)))
    );
    assert_eq!(
        server.count(|a| a.path.ends_with("ci.yml")),
        1,
        "asked once a commit"
    );
}

#[tokio::test(start_paused = true)]
async fn a_jobs_log_comes_over_the_sources_connection_in_lines_then_the_end() {
    let repository = Repository::new();
    let server = repository.serve().await;
    let mut watching = Watching::start(&server);
    let jobs = watching.until(is_jobs).await;
    let RunsSeen::Jobs(_, jobs) = jobs else {
        unreachable!()
    };
    let wanted = RunLog {
        job: jobs.jobs[0].clone(),
        step: None,
    };
    let blobs =
        Server::start(|_| full(200, "", &"2026-11-23T20:00:00.1Z line\n".repeat(300))).await;
    BLOBS.set(blobs.url.clone()).unwrap();
    let redirect = |asked: &Asked| {
        let to = || format!("Location: {}/x\r\n", BLOBS.get().unwrap());
        asked.path.ends_with("/logs").then(|| full(302, &to(), ""))
    };
    repository.has().instead = Some(redirect);
    let (sender, mut out) = channel(64);
    log(watching.shared.clone(), wanted, sender, || Moment(1)).await;
    let mut lines = 0;
    while let Some((_, chunk)) = out.recv().await {
        match chunk {
            LogChunk::Lines(some) => lines += some.len(),
            LogChunk::Note(note) => panic!("nothing is left out: {note}"),
            LogChunk::Ended(fault) => assert_eq!((lines, fault), (300, None)),
        }
    }
    assert_eq!(lines, 300);
}

static BLOBS: std::sync::OnceLock<String> = std::sync::OnceLock::new();

#[tokio::test(start_paused = true)]
async fn a_log_without_a_connection_says_so() {
    let (sender, mut out) = channel(64);
    let job = wheelhouse::estate::runs::Job {
        id: 1,
        name: "x".into(),
        progress: Progress::Queued,
        started: None,
        completed: None,
        steps: Vec::new(),
        url: "".into(),
    };
    log(
        Shared::default(),
        RunLog { job, step: None },
        sender,
        || Moment(1),
    )
    .await;
    let (_, ended) = out.recv().await.unwrap();
    assert!(matches!(ended, LogChunk::Ended(Some(fault)) if fault.what.contains("not connected")));
}
