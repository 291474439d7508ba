//! A repository's workflow runs as the cockpit looks at them: runs, jobs, the needs graph, logs.
//!
//! octocrab is the transport, over one reqwest client (proxies, own CA, timeouts); its models, its
//! retries and its cache are not used: the models lose a page over one null, the others resend or
//! mix up what is not theirs. One [`Github`] is shared by everything that speaks to the repository,
//! so that all of it respects the same rate limits.

mod ask;
mod dispatch;
mod fault;
mod gate;
mod inspect;
mod known;
mod log;
mod needs;
mod review;
mod step;
mod token;
mod transport;
mod triggers;
mod wire;

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use http::HeaderValue;
use serde::{Deserialize, Serialize};

use crate::clients::kubernetes::Proxies;
use crate::estate::runs::{Budget, Jobs, Needs, Run};
use crate::estate::{Fault, FaultKind};
pub use dispatch::Undispatched;
use gate::Gate;
pub use inspect::{RepositorySaid, TokenSaid, WorkflowSaid};
pub use known::Known;
pub use log::{JobLog, job_log};
pub use triggers::InputSaid;

use ask::Got;

/// Which workflow of which repository, and how it is reached.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Target {
    /// The API: `https://api.github.com`, or `https://HOST/api/v3` of a GitHub Enterprise server.
    pub api: String,
    /// `owner/name`.
    pub repository: String,
    /// The workflow's file name, such as `digital-wall-ci-cd.yml`.
    pub workflow: String,
    /// Where the token is.
    pub token: TokenFrom,
    /// Certificates of authorities beside the system's, as PEM.
    pub ca_file: Option<PathBuf>,
    /// The branches that environments are deployed from: their newest runs are looked at, however many others there are.
    #[serde(default)]
    pub branches: Vec<String>,
    /// How many of the newest runs are asked for; more than 100 in whole hundreds.
    #[serde(default = "few")]
    pub runs: u32,
}

/// As many as fill a screen.
fn few() -> u32 {
    30
}

/// Where the token is. The token itself is nowhere but in the requests.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TokenFrom {
    /// In this variable of the environment.
    Env(String),
    /// In this file, which nobody else may read.
    File(PathBuf),
    /// With the gh CLI.
    GhCli,
    /// Nowhere: a public repository, 60 requests an hour.
    None,
}

/// What is borne before an answer counts as failed, and what is kept of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// To a connection, TLS included.
    pub connect: Duration,
    /// To the head of a response, and between two parts of its body.
    pub idle: Duration,
    /// For a whole answer that is no log.
    pub whole: Duration,
    /// For `gh auth token`.
    pub gh: Duration,
    /// Bytes of an answer that is no log.
    pub body: usize,
    /// Bytes that are kept of a log, from its end.
    pub log: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(10),
            idle: Duration::from_secs(30),
            whole: Duration::from_secs(60),
            gh: Duration::from_secs(10),
            body: 64 << 20,
            log: 1 << 20,
        }
    }
}

/// An answer to a question that was asked before.
#[derive(Clone, Debug, PartialEq)]
pub enum Answer<T> {
    /// Nothing changed since (304): it cost nothing of the hourly budget.
    Unchanged,
    /// What there is now.
    Changed(T),
}

/// A repository that can be asked.
#[derive(Clone)]
pub struct Github(Arc<Inner>);

struct Inner {
    target: Target,
    limits: Limits,
    /// Host and port of the API, for people.
    host: String,
    octocrab: octocrab::Octocrab,
    /// The same client without octocrab, for what lies on other hosts and must not see the token.
    http: reqwest::Client,
    credential: Mutex<Option<HeaderValue>>,
    gate: Mutex<Gate>,
}

impl std::fmt::Debug for Github {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Github({}, {})", self.0.host, self.0.target.repository)
    }
}

/// Reads the token and the certificates; the network is not touched.
///
/// # Errors
/// `Config` in words where the target cannot be used, `LoginNeeded` where there is no token.
pub async fn connect(target: &Target) -> Result<Github, Fault> {
    connect_within(target, Limits::default(), Proxies::from_environment()).await
}

/// As [`connect`], with limits and proxies of the caller's.
///
/// # Errors
/// As [`connect`].
pub async fn connect_within(
    target: &Target,
    limits: Limits,
    proxies: Proxies,
) -> Result<Github, Fault> {
    let api = transport::api(target)?;
    let host = api.authority().map(ToString::to_string).unwrap_or_default();
    let http = transport::http(target, &api, &limits, proxies)?;
    let credential = token::credential(target, &limits).await?;
    let octocrab = (octocrab::Octocrab::builder().base_uri(api))
        .and_then(|builder| builder.build_with_reqwest(http.clone()))
        .map_err(fault::config)?;
    Ok(Github(Arc::new(Inner {
        target: target.clone(),
        limits,
        host,
        octocrab,
        http,
        credential: Mutex::new(credential),
        gate: Mutex::default(),
    })))
}

/// Runs that GitHub gives at once at the most.
pub const PAGE: u32 = 100;
/// Runs of a branch that are asked for at once.
pub const OF_BRANCH: usize = 10;
/// Jobs of a page, and the most pages (GitHub allows 256 jobs of a matrix).
const JOBS: u32 = 100;
const PAGES: u32 = 10;

impl Github {
    /// Host and port of the API, for people.
    pub fn host(&self) -> &str {
        &self.0.host
    }

    /// What is left of the hourly budget, by the last answer that said so.
    pub fn budget(&self) -> Option<Budget> {
        self.gate(|gate| gate.budget())
    }

    /// How long polls are to wait for a rate limit; none when there is none in the way.
    pub fn pause(&self) -> Option<Duration> {
        self.gate(|gate| gate.pause())
    }

    /// The workflow's newest runs, newest first.
    ///
    /// # Errors
    /// What is wrong with the way, the token, the names or the answer.
    pub async fn runs(&self, known: &mut Known) -> Result<Answer<Vec<Run>>, Fault> {
        let count = self.0.target.runs.clamp(1, PAGE);
        self.runs_by(&format!("per_page={count}"), known).await
    }

    /// The runs of a later page of [`PAGE`], newest first; the first that [`Github::runs`] does not give is 2.
    ///
    /// # Errors
    /// As [`Github::runs`].
    pub async fn older_runs(
        &self,
        page: u32,
        known: &mut Known,
    ) -> Result<Answer<Vec<Run>>, Fault> {
        let which = format!("per_page={PAGE}&page={page}");
        self.runs_by(&which, known).await
    }

    /// The workflow's newest runs of `branch`, newest first; none where there is no such branch.
    ///
    /// # Errors
    /// As [`Github::runs`].
    pub async fn runs_of_branch(
        &self,
        branch: &str,
        known: &mut Known,
    ) -> Result<Answer<Vec<Run>>, Fault> {
        let branch = transport::escaped(branch);
        let which = format!("branch={branch}&per_page={OF_BRANCH}");
        self.runs_by(&which, known).await
    }

    /// The workflow's newest runs among those that the parameters ask for.
    async fn runs_by(&self, which: &str, known: &mut Known) -> Result<Answer<Vec<Run>>, Fault> {
        let workflow = transport::escaped(&self.0.target.workflow);
        let path = self.path(&format!(
            "actions/workflows/{workflow}/runs?{which}&exclude_pull_requests=true"
        ));
        match self.ask(&path, Some(known)).await {
            Ok(Got::Unchanged) => Ok(Answer::Unchanged),
            Ok(Got::Body(body)) => {
                let runs = wire::runs(&body.bytes).map_err(|e| self.unreadable(&e))?;
                known.keep(&path, body.etag);
                Ok(Answer::Changed(runs))
            }
            Err(fault) if fault.kind == FaultKind::Missing => {
                Err(self.explain_missing(fault).await)
            }
            Err(fault) => Err(fault),
        }
    }

    /// The jobs of one attempt of a run, in GitHub's order.
    ///
    /// # Errors
    /// As [`Github::runs`].
    pub async fn jobs(
        &self,
        run: u64,
        attempt: u32,
        known: &mut Known,
    ) -> Result<Answer<Jobs>, Fault> {
        let page = |page: u32| {
            let part = format!("actions/runs/{run}/attempts/{attempt}/jobs");
            self.path(&format!("{part}?per_page={JOBS}&page={page}"))
        };
        let first = match self.ask(&page(1), Some(known)).await? {
            Got::Body(body) => body,
            Got::Unchanged if !self.later_pages_changed(page, known).await? => {
                return Ok(Answer::Unchanged);
            }
            Got::Unchanged => self.ask(&page(1), None).await?.body(self.host())?,
        };
        let read = |page: &ask::Document, number| {
            let read = wire::jobs(&page.bytes, number, JOBS);
            read.map_err(|e| self.unreadable(&e))
        };
        let (mut jobs, mut goes_on) = read(&first, 1)?;
        let mut tags = vec![first.etag];
        for number in 2..=PAGES {
            if !goes_on {
                break;
            }
            let next = self.ask(&page(number), None).await?.body(self.host())?;
            let (more, is_more) = read(&next, number)?;
            jobs.extend(more);
            goes_on = is_more;
            tags.push(next.etag);
        }
        // Only now: half of the pages must not be taken for all of them in the next round.
        for (number, etag) in (1..).zip(tags) {
            known.keep(&page(number), etag);
        }
        Ok(Answer::Changed(Jobs { attempt, jobs }))
    }

    /// Whether one of the pages after the first is not as it was.
    async fn later_pages_changed(
        &self,
        page: impl Fn(u32) -> String,
        known: &mut Known,
    ) -> Result<bool, Fault> {
        for number in 2..=PAGES {
            if !known.holds(&page(number)) {
                return Ok(false);
            }
            if let Got::Body(_) = self.ask(&page(number), Some(known)).await? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Which job needs which, by the workflow's file as of `reference` (a commit or a branch; none
    /// for the default branch).
    ///
    /// # Errors
    /// As [`Github::runs`]; `Malformed` where the file is no workflow.
    pub async fn needs(&self, reference: Option<&str>) -> Result<Needs, Fault> {
        let workflow = &self.0.target.workflow;
        let text = self.workflow_file(workflow, reference).await?;
        needs::needs(&text).map_err(|words| fault::workflow(workflow, &words))
    }

    /// The inputs of the workflow whose file is called so, as of `reference` (a branch or a tag); none where nobody may
    /// start it by hand.
    ///
    /// # Errors
    /// As [`Github::needs`].
    pub async fn inputs(
        &self,
        workflow: &str,
        reference: &str,
    ) -> Result<Option<Vec<InputSaid>>, Fault> {
        let text = self.workflow_file(workflow, Some(reference)).await?;
        triggers::inputs(&text).map_err(|words| fault::workflow(workflow, &words))
    }

    async fn workflow_file(&self, name: &str, reference: Option<&str>) -> Result<String, Fault> {
        let name = transport::escaped(name);
        let mut path = self.path(&format!("contents/.github/workflows/{name}"));
        if let Some(reference) = reference {
            path = format!("{path}?ref={}", transport::escaped(reference));
        }
        let body = self.ask(&path, None).await?.body(self.host())?;
        wire::content(&body.bytes).map_err(|e| self.unreadable(&e))
    }

    /// A route below the repository.
    fn path(&self, part: &str) -> String {
        format!("/repos/{}/{part}", self.0.target.repository)
    }

    fn unreadable(&self, error: &serde_json::Error) -> Fault {
        super::kubernetes::fault::not_json(self.host(), error)
    }

    /// GitHub says 404 for a repository, a workflow and a missing right alike: which is it?
    async fn explain_missing(&self, fault: Fault) -> Fault {
        let target = &self.0.target;
        match self
            .ask(&format!("/repos/{}", target.repository), None)
            .await
        {
            Err(none) if none.kind == FaultKind::Missing => {
                return fault::no_repository(self.host(), target);
            }
            Err(other) => return other,
            Ok(_) => {}
        }
        let path = self.path("actions/workflows?per_page=100");
        let Ok(Got::Body(body)) = self.ask(&path, None).await else {
            return fault;
        };
        match wire::workflows(&body.bytes) {
            Ok(names) => fault::no_workflow(target, &names),
            Err(_) => fault,
        }
    }

    fn gate<T>(&self, with: impl FnOnce(&mut Gate) -> T) -> T {
        with(&mut self.0.gate.lock().unwrap_or_else(PoisonError::into_inner))
    }
}
