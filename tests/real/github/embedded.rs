//! Every answer of the embedded estate's GitHub, checked by prism against GitHub's own OpenAPI description.
//!
//! Left out: the log of a job, since prism follows its redirect itself and then misses the 302; what is not there, since
//! the description has no 404 for it; 304s, which it has not either. The estate takes no dispatch and no cancellation.

use reqwest::Method;
use serde_json::{Value, json};

use super::{DESCRIPTIONS, Prism};
use crate::estate::Served;

const TOKEN: &str = "demo-github";
const WORKFLOW: &str = "digital-wall-ci-cd.yml";
const REPOSITORY: &str = "/repos/acme/digital-wall";

/// The answer, which fits; and how often it says what the description ought to know.
async fn judged(prism: &Prism, place: &str) -> (Value, usize) {
    let asked = prism.ask(Method::GET, place).bearer_auth(TOKEN);
    let answer = asked.send().await.unwrap();
    assert_eq!(answer.status(), 200, "{place}");
    let told = answer.headers().get("sl-violations").cloned();
    let body: Value = answer.json().await.unwrap();
    let told: Vec<Value> = match &told {
        Some(told) => serde_json::from_slice(told.as_bytes()).unwrap(),
        None => Vec::new(),
    };
    for one in &told {
        assert!(is_githubs_own(one, &body), "{place}: {one}");
    }
    (body, told.len())
}

/// Whether it is what GitHub says and its description of the answer leaves out: null for the repository of a fork that is
/// gone, and a step that is pending, which the same description has where it is about webhooks.
fn is_githubs_own(told: &Value, body: &Value) -> bool {
    let location = told["location"].as_array().unwrap().iter();
    let words: Vec<&str> = location.filter_map(Value::as_str).collect();
    let ["response", "body", way @ ..] = words.as_slice() else {
        return false;
    };
    let pointer: String = way.iter().map(|word| format!("/{word}")).collect();
    match (way, body.pointer(&pointer)) {
        ([.., "head_repository"], Some(Value::Null)) => true,
        ([.., "steps", _, "status"], Some(status)) => status == "pending",
        _ => false,
    }
}

async fn every_run_fits(prism: &Prism) {
    let list = format!("{REPOSITORY}/actions/workflows/{WORKFLOW}/runs?per_page=100");
    let (all, forks) = judged(prism, &list).await;
    assert_eq!(
        forks, 1,
        "a fork that is gone: without it none of this could fail"
    );
    let runs = all["workflow_runs"].as_array().unwrap();
    assert!(runs.len() > 10, "{}", runs.len());
    for run in runs {
        let place = format!("{REPOSITORY}/actions/runs/{}", run["id"]);
        judged(prism, &place).await;
        judged(prism, &format!("{place}/pending_deployments")).await;
        judged(prism, &format!("{place}/approvals")).await;
        let sha = run["head_sha"].as_str().unwrap();
        judged(prism, &format!("{REPOSITORY}/commits/{sha}")).await;
        judged(prism, &format!("{list}&head_sha={sha}")).await;
        for attempt in 1..=run["run_attempt"].as_u64().unwrap() {
            let jobs = format!("{place}/attempts/{attempt}/jobs?per_page=100&page=1");
            let (jobs, _) = judged(prism, &jobs).await;
            for job in jobs["jobs"].as_array().unwrap() {
                judged(prism, &format!("{REPOSITORY}/actions/jobs/{}", job["id"])).await;
            }
        }
    }
}

/// What waits is approved, by the very request of our client; what is told of it afterwards fits, too.
async fn a_review_fits(prism: &Prism) {
    let list = format!("{REPOSITORY}/actions/workflows/{WORKFLOW}/runs?per_page=100");
    let (all, _) = judged(prism, &list).await;
    let mut runs = all["workflow_runs"].as_array().unwrap().iter();
    let Some(run) = runs.find(|run| run["status"] == "waiting") else {
        panic!("no run waits");
    };
    let place = format!("{REPOSITORY}/actions/runs/{}", run["id"]);
    let (pending, _) = judged(prism, &format!("{place}/pending_deployments")).await;
    let id = &pending[0]["environment"]["id"];
    let body = json!({"environment_ids": [id], "state": "approved", "comment": "v2 is due"});
    let asked = prism.ask(Method::POST, &format!("{place}/pending_deployments"));
    let answer = asked.bearer_auth(TOKEN).json(&body).send().await.unwrap();
    assert_eq!(answer.status(), 200);
    assert_eq!(answer.headers().get("sl-violations"), None);
    let (decided, _) = judged(prism, &format!("{place}/approvals")).await;
    assert_eq!(decided[0]["state"], "approved");
}

#[tokio::test]
async fn every_answer_of_the_embedded_estate_fits_githubs_own_description() {
    let estate = Served::start(&[]);
    let upstream = format!("http://{}/github", estate.addr);
    for description in DESCRIPTIONS {
        let prism = Prism::before(&upstream, description);
        for place in [
            "",
            "/actions/workflows",
            "/actions/workflows/digital-wall-ci-cd.yml",
            "/actions/workflows/digital-wall-ci-cd.yml/runs?event=workflow_dispatch&per_page=50",
            "/actions/runs?per_page=100",
            // prism cannot route the file's path with its slashes.
            "/contents/.github%2Fworkflows%2Fdigital-wall-ci-cd.yml?ref=main",
            "/commits?per_page=100",
            "/compare/develop...main",
        ] {
            judged(&prism, &format!("{REPOSITORY}{place}")).await;
        }
        judged(&prism, "/rate_limit").await;
        every_run_fits(&prism).await;
        if description == DESCRIPTIONS[0] {
            a_review_fits(&prism).await;
        }
    }
}
