//! Every request of the GitHub client, checked by prism against GitHub's own OpenAPI description, and
//! GitHub's own examples read by the client. What the description cannot know (304s, limits, nulls,
//! redirects) is in tests/github.

mod embedded;

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader};
use std::net::TcpListener;
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::channel;
use std::time::Duration;

use reqwest::{Method, RequestBuilder};
use serde_json::{Value, json};
use wheelhouse::clients::github::{
    Answer, Github, Known, Limits, Target, TokenFrom, connect_within, job_log,
};
use wheelhouse::clients::kubernetes::Proxies;
use wheelhouse::estate::FaultKind;
use wheelhouse::estate::review::Review;
use wheelhouse::estate::runs::{Job, Progress, RunLog};

use crate::server::{self, Answer as Said, Asked, Server};

const INSTALL: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/real/github/install");
/// Reading 13 MB of description takes prism half a minute on a busy machine.
const LIMIT: Duration = Duration::from_secs(180);
/// GitHub's own, and that of the Enterprise server.
const DESCRIPTIONS: [&str; 2] = ["api.github.com.json", "ghes-3.17.json"];

/// Ends prism when its own stdin closes: however the tests end, even by SIGKILL.
const GUARD: &str = r#""$@" </dev/null & read -r _; kill $!"#;

/// prism, answering for GitHub, or looking at what is said between a client and a server.
struct Prism {
    shell: Child,
    url: String,
}

impl Drop for Prism {
    fn drop(&mut self) {
        self.shell.stdin.take();
        let _ = self.shell.wait();
    }
}

/// The folder with prism and the descriptions. To install takes minutes, so that is never done behind
/// your back.
fn installed() -> PathBuf {
    let found = Command::new(INSTALL).arg("--find").output().unwrap();
    assert!(
        found.status.success(),
        "prism and GitHub's description are not installed; install them with:\n\n    tests/real/github/install\n"
    );
    PathBuf::from(String::from_utf8(found.stdout).unwrap().trim_end())
}

impl Prism {
    /// Answers by itself.
    fn start(description: &str) -> Self {
        Self::run("mock", &[description])
    }

    /// Passes on what it is asked, and tells in a header what does not fit, of question and answer.
    fn before(upstream: &str, description: &str) -> Self {
        Self::run("proxy", &[description, upstream])
    }

    fn run(command: &str, about: &[&str]) -> Self {
        let folder = installed();
        let free = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = free.local_addr().unwrap().port().to_string();
        drop(free);
        let mut shell = Command::new("sh")
            .args(["-c", GUARD, "guard", "node", "node_modules/.bin/prism"])
            .args([command, "-h", "127.0.0.1", "-p", &port])
            .args(about)
            .current_dir(folder)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .process_group(0)
            .spawn()
            .unwrap();
        let said = BufReader::new(shell.stdout.take().unwrap());
        let (ready, wait) = channel();
        // To the end, so that prism is never kept waiting by a full pipe.
        std::thread::spawn(move || {
            for line in said.lines().map_while(Result::ok) {
                if line.contains("is listening on") {
                    let _ = ready.send(());
                }
            }
        });
        wait.recv_timeout(LIMIT).expect("prism does not start");
        Self {
            shell,
            url: format!("http://127.0.0.1:{port}"),
        }
    }

    fn ask(&self, method: Method, place: &str) -> RequestBuilder {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let http = reqwest::Client::builder().no_proxy().tls_certs_only([]);
        let asked = http.build().unwrap();
        (asked.request(method, format!("{}{place}", self.url))).header("accept", "application/json")
    }

    async fn get(&self, place: &str) -> u16 {
        let answer = self.ask(Method::GET, place).send().await.unwrap();
        answer.status().as_u16()
    }

    async fn post(&self, place: &str, body: &Value) -> u16 {
        let asked = self.ask(Method::POST, place).json(body);
        asked.send().await.unwrap().status().as_u16()
    }

    async fn connect(&self) -> Github {
        self.connect_to(&self.url).await
    }

    async fn connect_to(&self, api: &str) -> Github {
        let target = Target {
            api: api.into(),
            repository: "octocat/Hello-World".into(),
            workflow: "ci.yml".into(),
            token: TokenFrom::None,
            ca_file: None,
            branches: Vec::new(),
            runs: 30,
        };
        // What leads to the internet ends at a proxy that is not there.
        let proxies = Proxies {
            https: Some("http://127.0.0.1:9".into()),
            ..Proxies::default()
        };
        let limits = Limits::default();
        connect_within(&target, limits, proxies).await.unwrap()
    }
}

async fn every_request_fits(prism: &Prism) {
    let github = prism.connect().await;
    let mut known = Known::default();
    let runs = github.runs(&mut known).await.unwrap();
    let Answer::Changed(runs) = runs else {
        panic!("{runs:?}")
    };
    assert!(!runs.is_empty() && runs[0].id > 0, "GitHub's own example");
    let older = github.older_runs(2, &mut known).await;
    assert!(matches!(older, Ok(Answer::Changed(_))), "{older:?}");
    let of_branch = github.runs_of_branch("release/1.x", &mut known).await;
    assert!(matches!(of_branch, Ok(Answer::Changed(_))), "{of_branch:?}");
    let jobs = github.jobs(runs[0].id, 1, &mut known).await.unwrap();
    let Answer::Changed(jobs) = jobs else {
        panic!("{jobs:?}")
    };
    let job = &jobs.jobs[0];
    assert!(!job.steps.is_empty(), "{job:?}");
    assert!(job.failed_step().is_none() && job.completed.is_some());
    // What operations ask and do.
    let run = github.run(runs[0].id).await.unwrap();
    assert_eq!(run.id, runs[0].id);
    let commit = "009b8a3a9ccbb128af87f9b1c0f4c62e8a304f6d";
    for part in [commit, &commit[..7]] {
        let of_it = github.runs_of(part).await.unwrap();
        assert!(of_it.iter().all(|run| run.sha.starts_with(part)));
    }
    assert_eq!(github.dispatched("ci.yml", "no such name").await, Ok(None));
    // What a run waits for, and who decided.
    let pending = github.pending(runs[0].id, &mut known).await.unwrap();
    let Answer::Changed(pending) = pending else {
        panic!("{pending:?}")
    };
    assert!(!pending[0].environment.is_empty() && !pending[0].reviewers.is_empty());
    let decided = github.decided(runs[0].id).await.unwrap();
    assert!(decided[0].word.as_str() == "approved" && !decided[0].who.is_empty());
}

/// Of the two only GitHub's own says which run was started.
async fn what_operations_send_fits(prism: &Prism, is_told: bool) {
    let github = prism.connect().await;
    let inputs = BTreeMap::from([("colour".into(), "green".into())]);
    let started = github.dispatch("ci.yml", "main", &inputs).await.unwrap();
    assert_eq!(started.is_some(), is_told, "{started:?}");
    github.cancel(30_433_642).await.unwrap();
    let review = Review {
        run: 30_433_642,
        attempt: 1,
        id: 161_171_787,
        environment: "production".into(),
        is_approved: true,
        comment: "v2 is due".into(),
    };
    github.review(&review).await.unwrap();
}

async fn what_the_doctor_asks_fits(prism: &Prism) {
    let github = prism.connect().await;
    github.token().await.unwrap();
    let repository = github.repository().await.unwrap();
    assert!(!repository.name.is_empty() && !repository.is_archived);
    assert_eq!(github.workflow().await.unwrap().state, "active".into());
}

async fn the_log_is_asked_for_where_it_is(prism: &Prism) {
    let job = Job {
        id: 399_444_496,
        name: "build".into(),
        progress: Progress::Queued,
        started: None,
        completed: None,
        steps: Vec::new(),
        url: "".into(),
    };
    let wanted = RunLog { job, step: None };
    let fault = job_log(&prism.connect().await, &wanted).await.unwrap_err();
    assert_eq!(fault.kind, FaultKind::Unreachable, "{}", fault.what);
    assert!(!fault.what.contains("127.0.0.1:4"), "{}", fault.what);
}

/// Otherwise none of this could fail.
async fn prism_refuses_what_does_not_fit(prism: &Prism) {
    let jobs = "/repos/o/r/actions/runs/1/attempts/1/jobs";
    assert_eq!(prism.get(&format!("{jobs}?per_page=100&page=1")).await, 200);
    assert_eq!(prism.get(&format!("{jobs}?per_page=many")).await, 422);
    assert_eq!(
        prism.get("/repos/o/r/actions/runs/1/tries/1/jobs").await,
        404
    );
    let dispatches = "/repos/o/r/actions/workflows/ci.yml/dispatches";
    assert_eq!(prism.post(dispatches, &json!({"inputs": {}})).await, 422);
    let cancel = "/repos/o/r/actions/runs/1/cancel";
    assert_eq!(prism.post(cancel, &json!({"force": true})).await, 415);
}

/// prism never says that something is missing, and cannot route a file's path with its slashes. So a
/// server of ours takes what the client asks then, and prism is asked the same, with slashes escaped.
async fn what_prism_cannot_answer_fits_as_well(prism: &Prism) {
    let script = |asked: &Asked| match asked.path.ends_with("/runs") {
        true => Said::Full(404, "", "{\"message\": \"Not Found\"}".into()),
        false => server::json("{\"workflows\": []}"),
    };
    let server = Server::start(script).await;
    let github = prism.connect_to(&server.url).await;
    let fault = github.runs(&mut Known::default()).await.unwrap_err();
    assert_eq!(fault.kind, FaultKind::Missing);
    github.needs(Some("feat/cart")).await.unwrap_err();
    github.needs(None).await.unwrap_err();
    let asked = server.asked();
    assert_eq!(asked.len(), 5);
    for asked in asked {
        let path = match asked.path.split_once("/contents/") {
            Some((head, file)) => format!("{head}/contents/{}", file.replace('/', "%2F")),
            None => asked.path,
        };
        let place = format!("{path}?{}", asked.query);
        assert_eq!(prism.get(&place).await, 200, "{place}");
    }
}

#[tokio::test]
async fn every_request_of_the_client_fits_githubs_own_description() {
    for description in DESCRIPTIONS {
        let prism = Prism::start(description);
        prism_refuses_what_does_not_fit(&prism).await;
        every_request_fits(&prism).await;
        what_operations_send_fits(&prism, description == DESCRIPTIONS[0]).await;
        what_the_doctor_asks_fits(&prism).await;
        the_log_is_asked_for_where_it_is(&prism).await;
        what_prism_cannot_answer_fits_as_well(&prism).await;
    }
}
