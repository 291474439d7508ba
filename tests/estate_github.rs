//! The embedded estate's GitHub over plain HTTP: what api.github.com would answer for one repository.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    missing_docs,
    reason = "tests"
)]

use axum::body::{Body, to_bytes};
use base64::Engine as _;
use jiff::Timestamp;
use reqwest::{Client, Response, StatusCode};
use serde_json::{Value, json};
use std::time::Duration;
use tokio::time::timeout;
use tower::ServiceExt;
use wheelhouse::demo::{self, Options, Serving, serve};

const REPO: &str = "/repos/acme/digital-wall";
const RUNS: &str = "/repos/acme/digital-wall/actions/runs";
const LIMIT: Duration = Duration::from_secs(40);

fn still() -> Options {
    Options {
        scenario_file: Some("tests/data/still.json".into()),
        ..Options::default()
    }
}

/// A served estate and a client of its GitHub.
struct Hub {
    serving: Serving,
    client: Client,
}

impl Drop for Hub {
    fn drop(&mut self) {
        self.serving.stop();
    }
}

impl Hub {
    async fn new() -> Self {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let client = Client::builder()
            .tls_certs_only([])
            .redirect(reqwest::redirect::Policy::none())
            .build()
            .unwrap();
        Self {
            serving: serve(still()).await.unwrap(),
            client,
        }
    }

    async fn send(&self, path: &str, token: Option<&str>, known: Option<&str>) -> Response {
        let url = match path.starts_with("http") {
            true => path.to_owned(),
            false => format!("{}{path}", self.serving.github_url()),
        };
        let mut request = self.client.get(url);
        if let Some(token) = token {
            request = request.bearer_auth(token);
        }
        if let Some(known) = known {
            request = request.header("if-none-match", known);
        }
        timeout(LIMIT, request.send()).await.unwrap().unwrap()
    }

    async fn get(&self, path: &str) -> Response {
        self.send(path, Some(self.serving.github_token()), None)
            .await
    }

    async fn post(&self, path: &str, body: &Value) -> u16 {
        let url = format!("{}{path}", self.serving.github_url());
        let request = self.client.post(url).body(body.to_string());
        let request = request.bearer_auth(self.serving.github_token());
        let response = timeout(LIMIT, request.send()).await.unwrap().unwrap();
        response.status().as_u16()
    }

    async fn json(&self, path: &str) -> Value {
        let response = self.get(path).await;
        assert_eq!(response.status(), 200, "{path}");
        response.json().await.unwrap()
    }

    async fn act(&self, action: Value) {
        let url = format!("http://{}/demo/fault", self.serving.addr);
        let response = self
            .client
            .post(url)
            .body(action.to_string())
            .send()
            .await
            .unwrap();
        assert_eq!(response.status(), 200);
    }

    /// The newest run that fits.
    async fn run(&self, fits: impl Fn(&Value) -> bool) -> Value {
        let page = self.json(&format!("{RUNS}?per_page=100")).await;
        let runs = page["workflow_runs"].as_array().unwrap();
        runs.iter().find(|run| fits(run)).unwrap().clone()
    }

    async fn jobs(&self, run: &Value) -> Vec<Value> {
        let page = self.json(&format!("{RUNS}/{}/jobs", run["id"])).await;
        page["jobs"].as_array().unwrap().clone()
    }
}

fn header<'a>(response: &'a Response, name: &str) -> &'a str {
    response
        .headers()
        .get(name)
        .unwrap_or_else(|| panic!("no {name}"))
        .to_str()
        .unwrap()
}

fn job<'a>(jobs: &'a [Value], name: &str) -> &'a Value {
    jobs.iter().find(|job| job["name"] == name).unwrap()
}

#[tokio::test]
async fn g05_a_wrong_token_is_401_none_is_404_and_so_is_another_repository() {
    let hub = Hub::new().await;
    let wrong = hub.send(REPO, Some("ghp_wrong"), None).await;
    assert_eq!(wrong.status(), 401);
    let body: Value = wrong.json().await.unwrap();
    assert_eq!(body["message"], "Bad credentials");
    assert_eq!(hub.send(REPO, None, None).await.status(), 404);
    let other = hub.get("/repos/acme/other").await;
    assert_eq!(other.status(), 404);
    assert_eq!(other.json::<Value>().await.unwrap()["message"], "Not Found");
    let repository = hub.json(REPO).await;
    assert_eq!(repository["full_name"], "acme/digital-wall");
    assert_eq!(repository["default_branch"], "main");
}

#[tokio::test]
async fn a_304_costs_nothing_and_every_answer_tells_the_budget() {
    let hub = Hub::new().await;
    let first = hub.get(RUNS).await;
    let (tag, used) = (
        header(&first, "etag").to_owned(),
        header(&first, "x-ratelimit-used").to_owned(),
    );
    assert_eq!(header(&first, "x-ratelimit-limit"), "5000");
    assert_eq!(header(&first, "x-ratelimit-resource"), "core");
    let reset: i64 = header(&first, "x-ratelimit-reset").parse().unwrap();
    let wait = reset - Timestamp::now().as_second();
    assert!((0..=3_600).contains(&wait), "{wait}");
    let again = hub
        .send(RUNS, Some("demo-github"), Some(tag.as_str()))
        .await;
    assert_eq!(again.status(), 304);
    assert_eq!(header(&again, "x-ratelimit-used"), used);
    assert_eq!(header(&again, "etag"), tag);
    assert!(again.bytes().await.unwrap().is_empty());
    let whole = hub.get(RUNS).await;
    assert_eq!(whole.status(), 200);
    let more: u64 = header(&whole, "x-ratelimit-used").parse().unwrap();
    assert_eq!(more, used.parse::<u64>().unwrap() + 1);
    let free = hub.json("/rate_limit").await;
    assert_eq!(free["resources"]["core"]["used"], more);
    hub.act(json!({"do": "push"})).await;
    let changed = hub
        .send(RUNS, Some("demo-github"), Some(tag.as_str()))
        .await;
    assert_eq!(changed.status(), 200, "a push is news");
}

#[tokio::test]
async fn pages_are_linked_and_no_run_is_told_twice() {
    let hub = Hub::new().await;
    let total = hub.json(RUNS).await["total_count"].as_u64().unwrap();
    let mut next = Some(format!("{RUNS}?per_page=4&branch=main"));
    let mut ids = Vec::new();
    let mut pages = 0;
    while let Some(path) = next.take() {
        let response = hub.get(&path).await;
        let link = response.headers().get("link");
        let link = link.map_or("", |link| link.to_str().unwrap()).to_owned();
        let part = link.split(", ").find(|part| part.contains("rel=\"next\""));
        next = part.map(|part| {
            let url = part.split(['<', '>']).nth(1).unwrap();
            assert!(url.contains("branch=main"), "{url}");
            url.to_owned()
        });
        let page: Value = response.json().await.unwrap();
        let runs = page["workflow_runs"].as_array().unwrap();
        assert!(runs.len() <= 4);
        assert!(runs.iter().all(|run| run["head_branch"] == "main"));
        ids.extend(runs.iter().map(|run| run["id"].as_u64().unwrap()));
        pages += 1;
    }
    assert!(pages >= 2);
    assert!(ids.len() as u64 <= total);
    let mut once = ids.clone();
    once.sort_unstable();
    once.dedup();
    assert_eq!(once.len(), ids.len());
}

#[tokio::test]
async fn runs_are_found_by_status_event_and_time() {
    let hub = Hub::new().await;
    let count = async |query: &str| {
        let page = hub.json(&format!("{RUNS}?per_page=100&{query}")).await;
        let runs = page["workflow_runs"].as_array().unwrap().clone();
        assert_eq!(page["total_count"], runs.len());
        runs
    };
    let failed = count("status=failure").await;
    assert!(!failed.is_empty() && failed.iter().all(|run| run["conclusion"] == "failure"));
    assert_eq!(count("status=waiting").await.len(), 1);
    assert_eq!(count("event=pull_request").await.len(), 1);
    let hour = Timestamp::now() - jiff::SignedDuration::from_hours(1);
    let recent = count(&format!(
        "created=%3E%3D{}",
        hour.strftime("%Y-%m-%dT%H:%M:%SZ")
    ))
    .await;
    let older = count(&format!(
        "created=%3C{}",
        hour.strftime("%Y-%m-%dT%H:%M:%SZ")
    ))
    .await;
    assert!(!recent.is_empty() && !older.is_empty());
    assert_eq!(recent.len() + older.len(), count("").await.len());
    let by_file = format!("{REPO}/actions/workflows/digital-wall-ci-cd.yml/runs?per_page=100");
    assert_eq!(
        hub.json(&by_file).await["total_count"],
        count("").await.len()
    );
    let unknown = format!("{REPO}/actions/workflows/other.yml/runs");
    assert_eq!(hub.get(&unknown).await.status(), 404);
}

#[tokio::test]
async fn the_commits_that_the_cluster_runs_are_those_of_runs() {
    let hub = Hub::new().await;
    for (namespace, branch) in [("production", "main"), ("staging", "develop")] {
        let url = format!(
            "http://{}/apis/apps/v1/namespaces/{namespace}/deployments",
            hub.serving.addr
        );
        let list: Value = hub
            .client
            .get(url)
            .send()
            .await
            .unwrap()
            .json()
            .await
            .unwrap();
        let items = list["items"].as_array().unwrap();
        assert!(!items.is_empty());
        for item in items {
            let image = item["spec"]["template"]["spec"]["containers"][0]["image"]
                .as_str()
                .unwrap();
            let tag = image.rsplit_once(':').unwrap().1;
            let page = hub
                .json(&format!("{RUNS}?head_sha={tag}&branch={branch}"))
                .await;
            assert_eq!(page["total_count"], 1, "{namespace}: {image}");
            let jobs = hub.jobs(&page["workflow_runs"][0]).await;
            let deploy = job(
                &jobs,
                if branch == "main" {
                    "deploy-production"
                } else {
                    "deploy-staging"
                },
            );
            assert_eq!(deploy["conclusion"], "success");
        }
    }
}

#[tokio::test]
async fn i_54_a_frontend_only_commit_is_green_and_was_not_deployed() {
    let hub = Hub::new().await;
    let run = hub
        .run(|run| run["head_sha"].as_str().unwrap().starts_with("c41f0b7"))
        .await;
    assert_eq!(
        (&run["conclusion"], &run["head_branch"]),
        (&json!("success"), &json!("main"))
    );
    let jobs = hub.jobs(&run).await;
    let ends: Vec<_> = [
        "frontend-ci",
        "backend-ci",
        "integration-tests",
        "deploy-production",
    ]
    .map(|name| job(&jobs, name)["conclusion"].as_str().unwrap())
    .to_vec();
    assert_eq!(ends, ["success", "skipped", "success", "skipped"]);
    let skipped = job(&jobs, "deploy-production");
    assert_eq!(skipped["steps"], json!([]));
    assert_eq!(skipped["runner_id"], Value::Null);
}

#[tokio::test]
async fn the_failed_run_says_two_failed_in_its_log_which_a_ticket_opens_once() {
    let hub = Hub::new().await;
    let run = hub
        .run(|run| run["head_sha"].as_str().unwrap().starts_with("f3c98e1"))
        .await;
    assert_eq!(run["conclusion"], "failure");
    let jobs = hub.jobs(&run).await;
    assert_eq!(job(&jobs, "deploy-staging")["conclusion"], "skipped");
    let failed = job(&jobs, "backend-ci");
    let step = failed["steps"]
        .as_array()
        .unwrap()
        .iter()
        .find(|step| step["conclusion"] == "failure")
        .unwrap();
    assert_eq!(step["name"], "Unit tests");
    let sent = hub
        .get(&format!("{REPO}/actions/jobs/{}/logs", failed["id"]))
        .await;
    assert_eq!(sent.status(), StatusCode::FOUND);
    let to = header(&sent, "location").to_owned();
    assert!(to.starts_with(&hub.serving.github_url()), "{to}");
    let log = hub.send(&to, None, None).await;
    assert_eq!(log.status(), 200);
    let text = log.text().await.unwrap();
    assert!(text.contains("2 failed") && text.contains("##[group]Run poetry run pytest"));
    assert!(
        text.contains("\u{1b}[31m")
            && text.contains("##[error]Process completed with exit code 1.")
    );
    let first = text
        .trim_start_matches('\u{feff}')
        .split(' ')
        .next()
        .unwrap();
    assert!(first.parse::<Timestamp>().is_ok(), "{first}");
    assert_eq!(
        hub.send(&to, None, None).await.status(),
        403,
        "the ticket is used"
    );
}

#[tokio::test]
async fn a_second_attempt_leaves_the_first_one_readable() {
    let hub = Hub::new().await;
    let run = hub.run(|run| run["run_attempt"] == 2).await;
    let id = &run["id"];
    let first = hub.json(&format!("{RUNS}/{id}/attempts/1/jobs")).await;
    let second = hub.json(&format!("{RUNS}/{id}/attempts/2/jobs")).await;
    assert!(
        first["jobs"]
            .as_array()
            .unwrap()
            .iter()
            .all(|job| job["run_attempt"] == 1)
    );
    assert!(
        second["jobs"]
            .as_array()
            .unwrap()
            .iter()
            .all(|job| job["run_attempt"] == 2)
    );
    assert_ne!(first["jobs"][0]["id"], second["jobs"][0]["id"]);
    assert_eq!(
        hub.json(&format!("{RUNS}/{id}/jobs")).await["jobs"],
        second["jobs"]
    );
    let all = hub.json(&format!("{RUNS}/{id}/jobs?filter=all")).await;
    assert_eq!(all["total_count"], 14);
    assert_eq!(
        hub.get(&format!("{RUNS}/{id}/attempts/3/jobs"))
            .await
            .status(),
        404
    );
}

#[tokio::test]
async fn one_run_waits_for_the_approval_of_production() {
    let hub = Hub::new().await;
    let run = hub.run(|run| run["status"] == "waiting").await;
    assert_eq!(
        (&run["head_branch"], &run["conclusion"]),
        (&json!("main"), &Value::Null)
    );
    let pending = hub
        .json(&format!("{RUNS}/{}/pending_deployments", run["id"]))
        .await;
    assert_eq!(pending[0]["environment"]["name"], "production");
    assert_eq!(pending[0]["current_user_can_approve"], true);
    let jobs = hub.jobs(&run).await;
    let deploy = job(&jobs, "deploy-production");
    assert_eq!(
        (&deploy["status"], &deploy["completed_at"]),
        (&json!("waiting"), &Value::Null)
    );
    let over = hub.run(|run| run["conclusion"] == "success").await;
    assert_eq!(
        hub.json(&format!("{RUNS}/{}/pending_deployments", over["id"]))
            .await,
        json!([])
    );
}

#[tokio::test]
async fn row_10_a_run_goes_on_when_its_deployment_is_approved_and_ends_when_it_is_rejected() {
    for (word, ends) in [("approved", "success"), ("rejected", "failure")] {
        let hub = Hub::new().await;
        let waits = hub.run(|run| run["status"] == "waiting").await;
        let place = format!("{RUNS}/{}/pending_deployments", waits["id"]);
        let pending = hub.json(&place).await;
        let id = &pending[0]["environment"]["id"];
        let review = json!({"environment_ids": [id], "state": word, "comment": "v2 is due"});
        for (body, status) in [
            (
                json!({"environment_ids": [1], "state": word, "comment": ""}),
                422,
            ),
            (
                json!({"environment_ids": [id], "state": "maybe", "comment": ""}),
                422,
            ),
            (review.clone(), 200),
            (review, 422),
        ] {
            assert_eq!(hub.post(&place, &body).await, status, "{body}");
        }
        assert_eq!(hub.json(&place).await, json!([]));
        let history = hub.json(&format!("{RUNS}/{}/approvals", waits["id"])).await;
        assert_eq!(
            (&history[0]["state"], &history[0]["comment"]),
            (&json!(word), &json!("v2 is due"))
        );
        let over = timeout(LIMIT, async {
            loop {
                let run = hub.run(|run| run["id"] == waits["id"]).await;
                if run["status"] == "completed" {
                    return run;
                }
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        });
        assert_eq!(over.await.unwrap()["conclusion"], ends);
    }
}

#[tokio::test]
async fn a_run_of_a_fork_that_is_gone_has_no_branch() {
    let hub = Hub::new().await;
    let run = hub.run(|run| run["event"] == "pull_request").await;
    assert_eq!(
        (&run["head_branch"], &run["head_repository"]),
        (&Value::Null, &Value::Null)
    );
    assert_eq!(hub.jobs(&run).await[0]["head_branch"], Value::Null);
}

#[tokio::test]
async fn the_workflow_file_names_the_jobs_that_runs_have_and_what_they_need() {
    let hub = Hub::new().await;
    let path = format!("{REPO}/contents/.github/workflows/digital-wall-ci-cd.yml?ref=main");
    let file = hub.json(&path).await;
    assert_eq!(
        (&file["encoding"], &file["type"]),
        (&json!("base64"), &json!("file"))
    );
    let content = file["content"].as_str().unwrap();
    assert!(content.contains('\n'), "GitHub breaks the lines");
    let bytes = base64::engine::general_purpose::STANDARD
        .decode(content.replace('\n', ""))
        .unwrap();
    let text = String::from_utf8(bytes).unwrap();
    assert_eq!(file["size"], text.len());
    let run = hub
        .run(|run| run["conclusion"] == "success" && run["head_branch"] == "main")
        .await;
    for job in hub.jobs(&run).await {
        let name = job["name"].as_str().unwrap();
        assert!(text.contains(&format!("\n  {name}:\n")), "{name}");
    }
    assert!(text.contains("needs: [frontend-ci, backend-ci, integration-tests]"));
}

#[tokio::test]
async fn commits_are_told_with_their_parents_and_compared() {
    let hub = Hub::new().await;
    let commits = hub.json(&format!("{REPO}/commits?sha=main")).await;
    let commits = commits.as_array().unwrap();
    assert_eq!(commits[0]["parents"][0]["sha"], commits[1]["sha"]);
    let head = hub.json(&format!("{REPO}/commits/main")).await;
    assert_eq!(head["sha"], commits[0]["sha"]);
    let span = format!(
        "{}...{}",
        commits[2]["sha"].as_str().unwrap(),
        commits[0]["sha"].as_str().unwrap()
    );
    let compared = hub.json(&format!("{REPO}/compare/{span}")).await;
    assert_eq!(
        (&compared["status"], &compared["ahead_by"]),
        (&json!("ahead"), &json!(2))
    );
}

#[tokio::test]
async fn g03_and_g04_limits_have_the_shapes_of_githubs() {
    let hub = Hub::new().await;
    hub.act(json!({"do": "github-primary-limit", "times": 1}))
        .await;
    let limited = hub.get(RUNS).await;
    assert_eq!(limited.status(), 403);
    assert_eq!(header(&limited, "x-ratelimit-remaining"), "0");
    assert!(
        limited
            .text()
            .await
            .unwrap()
            .contains("API rate limit exceeded")
    );
    hub.act(json!({"do": "github-secondary-limit", "retry-after": 60, "times": 1}))
        .await;
    let limited = hub.get(RUNS).await;
    assert_eq!(
        (limited.status().as_u16(), header(&limited, "retry-after")),
        (403, "60")
    );
    assert!(
        limited
            .text()
            .await
            .unwrap()
            .contains("secondary rate limit")
    );
    hub.act(json!({"do": "github-secondary-limit", "retry-after": 0, "times": 1}))
        .await;
    let limited = hub.get(RUNS).await;
    assert_eq!(limited.headers().get("retry-after"), None);
    assert_eq!(hub.get(RUNS).await.status(), 200);
}

#[tokio::test]
async fn g10_github_fails_while_the_cluster_answers() {
    let hub = Hub::new().await;
    hub.act(json!({"do": "github-status:502", "times": 1, "resource": "jobs"}))
        .await;
    let run = hub.run(|_| true).await;
    let failed = hub.get(&format!("{RUNS}/{}/jobs", run["id"])).await;
    assert_eq!(failed.status(), 502);
    hub.act(json!({"do": "github-cut", "times": 1})).await;
    let url = format!("{}{RUNS}", hub.serving.github_url());
    assert!(hub.client.get(url).send().await.is_err());
    hub.act(json!({"do": "github-html", "times": 1})).await;
    assert!(header(&hub.get(RUNS).await, "content-type").starts_with("text/html"));
    let pods = format!(
        "http://{}/api/v1/namespaces/production/pods",
        hub.serving.addr
    );
    assert_eq!(hub.client.get(pods).send().await.unwrap().status(), 200);
}

/// An estate in process and in paused time.
struct Paused {
    router: axum::Router,
}

impl Paused {
    fn new(options: &Options) -> Self {
        let estate = demo::Estate::new(options, "2026-11-23T12:00:00Z".parse().unwrap()).unwrap();
        tokio::spawn(estate.clone().drive());
        Self {
            router: demo::router(&estate),
        }
    }

    async fn ask(&self, method: &str, path: &str, body: &Value) -> Value {
        let request = http::Request::builder()
            .method(method)
            .uri(path)
            .body(Body::from(body.to_string()))
            .unwrap();
        let mut request = request;
        if path.starts_with("/github") {
            let token = "Bearer demo-github".parse().unwrap();
            request.headers_mut().insert("authorization", token);
        }
        let answer = self.router.clone().oneshot(request).await.unwrap();
        let bytes = to_bytes(answer.into_body(), usize::MAX).await.unwrap();
        serde_json::from_slice(&bytes).unwrap()
    }

    async fn get(&self, path: &str) -> Value {
        self.ask("GET", path, &Value::Null).await
    }

    /// The newest run on a branch, and its jobs by name with their status.
    async fn newest(&self, branch: &str) -> (Value, Vec<(String, String)>) {
        let page = self
            .get(&format!("/github{RUNS}?branch={branch}&per_page=1"))
            .await;
        let run = page["workflow_runs"][0].clone();
        let jobs = self.get(&format!("/github{RUNS}/{}/jobs", run["id"])).await;
        let jobs = jobs["jobs"].as_array().unwrap().iter();
        let text = |job: &Value, key: &str| job[key].as_str().unwrap_or("-").to_owned();
        let jobs = jobs.map(|job| (text(job, "name"), text(job, "status")));
        (run, jobs.collect())
    }
}

#[tokio::test(start_paused = true)]
async fn a_push_runs_the_jobs_in_the_order_of_their_needs_and_staging_gets_the_image() {
    let hub = Paused::new(&still());
    let (before, _) = hub.newest("develop").await;
    hub.ask("POST", "/demo/fault", &json!({"do": "push"})).await;
    let (run, jobs) = hub.newest("develop").await;
    assert_ne!(run["id"], before["id"]);
    assert_eq!((&run["status"], jobs.len()), (&json!("queued"), 0));
    let sha = run["head_sha"].as_str().unwrap().to_owned();
    let mut seen: Vec<String> = Vec::new();
    let mut statuses: Vec<String> = Vec::new();
    for _ in 0..200 {
        tokio::time::sleep(Duration::from_millis(500)).await;
        let (run, jobs) = hub.newest("develop").await;
        let status = run["status"].as_str().unwrap().to_owned();
        if statuses.last() != Some(&status) {
            statuses.push(status);
        }
        for (name, status) in jobs {
            if status == "in_progress" && !seen.contains(&name) {
                seen.push(name);
            }
        }
        if run["status"] == "completed" {
            break;
        }
    }
    assert_eq!(statuses, ["queued", "in_progress", "completed"]);
    let place = |name: &str| {
        seen.iter()
            .position(|job| job == name)
            .unwrap_or(usize::MAX)
    };
    assert!(
        place("detect-changes") < place("frontend-ci").min(place("backend-ci")),
        "{seen:?}"
    );
    assert!(place("backend-ci") < place("integration-tests"), "{seen:?}");
    assert!(
        place("integration-tests") < place("deploy-staging"),
        "{seen:?}"
    );
    assert!(
        !seen.contains(&"mobile-ci".to_owned()),
        "nothing changed there"
    );
    let (run, _) = hub.newest("develop").await;
    assert_eq!(run["conclusion"], "success");
    let path = "/apis/apps/v1/namespaces/staging/deployments/digital-wall-staging-backend";
    let deployment = hub.get(path).await;
    let image = deployment["spec"]["template"]["spec"]["containers"][0]["image"]
        .as_str()
        .unwrap();
    assert!(image.ends_with(&sha), "{image}");
}

#[tokio::test(start_paused = true)]
async fn a_push_that_fails_its_tests_deploys_nothing() {
    let hub = Paused::new(&still());
    let path = "/apis/apps/v1/namespaces/staging/deployments/digital-wall-staging-backend";
    let before = hub.get(path).await["spec"].clone();
    hub.ask(
        "POST",
        "/demo/fault",
        &json!({"do": "push", "fails": "backend-ci"}),
    )
    .await;
    tokio::time::sleep(Duration::from_secs(120)).await;
    let (run, _) = hub.newest("develop").await;
    assert_eq!(run["conclusion"], "failure");
    assert_eq!(hub.get(path).await["spec"], before);
}

#[tokio::test(start_paused = true)]
async fn the_calm_story_pushes_every_ninety_seconds_and_every_run_is_green() {
    let hub = Paused::new(&Options::default());
    let before = hub.get(&format!("/github{RUNS}?branch=develop")).await["total_count"]
        .as_u64()
        .unwrap();
    tokio::time::sleep(Duration::from_secs(450)).await;
    let page = hub.get(&format!("/github{RUNS}?branch=develop")).await;
    assert_eq!(page["total_count"].as_u64().unwrap(), before + 5);
    let runs = page["workflow_runs"].as_array().unwrap();
    let young = runs[..5]
        .iter()
        .map(|run| run["conclusion"].as_str().unwrap_or("-"));
    assert!(
        young.clone().filter(|end| *end == "success").count() >= 4,
        "{:?}",
        young.collect::<Vec<_>>()
    );
}

#[tokio::test]
async fn the_cockpits_own_client_reads_runs_jobs_needs_and_the_failed_step_of_it() {
    use wheelhouse::clients::github::{Answer, Known, Target, TokenFrom, connect, job_log};
    use wheelhouse::estate::runs::RunLog;
    let hub = Hub::new().await;
    let folder = tempfile::tempdir().unwrap();
    let token = folder.path().join("token");
    std::fs::write(&token, hub.serving.github_token()).unwrap();
    let private = std::os::unix::fs::PermissionsExt::from_mode(0o600);
    std::fs::set_permissions(&token, private).unwrap();
    let target = Target {
        api: hub.serving.github_url(),
        repository: "acme/digital-wall".to_owned(),
        workflow: "digital-wall-ci-cd.yml".to_owned(),
        token: TokenFrom::File(token),
        ca_file: None,
        branches: Vec::new(),
        runs: 30,
    };
    let github = connect(&target).await.unwrap();
    let mut known = Known::default();
    let Answer::Changed(runs) = github.runs(&mut known).await.unwrap() else {
        panic!("the first answer is news");
    };
    assert_eq!(github.runs(&mut known).await.unwrap(), Answer::Unchanged);
    let run = runs
        .iter()
        .find(|run| run.sha.as_str().starts_with("f3c98e1"))
        .unwrap();
    let Answer::Changed(jobs) = github.jobs(run.id, 1, &mut known).await.unwrap() else {
        panic!("the first answer is news");
    };
    let job = jobs
        .jobs
        .iter()
        .find(|job| job.name.as_str() == "backend-ci")
        .unwrap();
    let step = job.failed_step().unwrap();
    assert_eq!(step.name.as_str(), "Unit tests");
    let needs = github.needs(None).await.unwrap();
    assert!(format!("{needs:?}").contains("deploy-production"));
    let wanted = RunLog {
        job: job.clone(),
        step: Some(step.number),
    };
    let log = job_log(&github, &wanted).await.unwrap();
    let text: Vec<&str> = log.lines.iter().map(|line| line.as_str()).collect();
    let text = text.join("\n");
    assert!(text.contains("2 failed"), "{text}");
    assert!(!text.contains("npm"), "only the step: {text}");
    assert!(!text.contains("mypy"), "only the step: {text}");
}
