//! Starts a run of a workflow, finds the one that was started, and cancels it: all that operations change at GitHub.
//!
//! A dispatch is sent once, and again only behind a refusal of its form, which proves that nothing was started. Whoever
//! does not know what became of it looks for the run (I-53).
//! <https://docs.github.com/rest/actions/workflows#create-a-workflow-dispatch-event>
//! <https://docs.github.com/rest/actions/workflow-runs#cancel-a-workflow-run>

use std::collections::BTreeMap;

use http::Request;
use http::header::{ACCEPT, AUTHORIZATION};
use serde_json::{Value, json};

use super::ask::{Document, JSON, Purpose, location};
use super::{Github, fault, transport, wire};
use crate::clients::kubernetes::fault as way;
use crate::estate::runs::Run;
use crate::estate::{Fault, Safe};

/// Runs that are looked through for one that was dispatched.
const RECENT: u32 = 50;
/// Runs of which one may be of a commit: a page of the largest size.
const MANY: u32 = 100;
/// Digits of a commit's hash.
const HASH: usize = 40;
/// Asks a dispatch which run it started. GitHub Enterprise Server to 3.20 refuses to be asked so.
const DETAILS: &str = "return_run_details";

/// Why a dispatch, the cancellation of a run, or a review is not known to be done.
#[derive(Clone, Debug, PartialEq)]
pub enum Undispatched {
    /// Not done, for sure.
    Refused(Fault),
    /// No answer, or one that proves nothing: look for the run, or at it.
    Unknown(Fault),
}

impl Github {
    /// Starts a run of `workflow` at `reference`; returns its id, where GitHub says it. A server that does not know the
    /// question is told to start it without.
    ///
    /// # Errors
    /// See [`Undispatched`].
    pub async fn dispatch(
        &self,
        workflow: &str,
        reference: &str,
        inputs: &BTreeMap<Safe, Safe>,
    ) -> Result<Option<u64>, Undispatched> {
        let name = transport::escaped(workflow);
        let path = self.path(&format!("actions/workflows/{name}/dispatches"));
        let plain = json!({ "ref": reference, "inputs": inputs });
        let mut asking = plain.clone();
        asking[DETAILS] = Value::Bool(true);
        self.in_time(async {
            match self.post(&path, Some(&asking)).await {
                Err(Undispatched::Refused(fault)) if fault.what.contains(DETAILS) => {
                    self.post(&path, Some(&plain)).await
                }
                other => other,
            }
        })
        .await
    }

    /// Has the run `id` cancelled. That GitHub took it (202) is not that the run has ended.
    ///
    /// # Errors
    /// See [`Undispatched`]; one that is over already is refused.
    pub async fn cancel(&self, id: u64) -> Result<(), Undispatched> {
        let path = self.path(&format!("actions/runs/{id}/cancel"));
        self.in_time(self.post(&path, None)).await.map(|_| ())
    }

    /// What came of `posting`; unknown where that takes too long.
    pub(super) async fn in_time(
        &self,
        posting: impl Future<Output = Result<Option<u64>, Undispatched>>,
    ) -> Result<Option<u64>, Undispatched> {
        let whole = self.0.limits.whole;
        let slow = |_| Err(Undispatched::Unknown(way::slow(self.host(), whole)));
        (tokio::time::timeout(whole, posting).await).unwrap_or_else(slow)
    }

    /// Has one thing done, by one request.
    pub(super) async fn post(
        &self,
        path: &str,
        body: Option<&Value>,
    ) -> Result<Option<u64>, Undispatched> {
        self.gate(|gate| gate.permit(Purpose::Asked))
            .map_err(Undispatched::Refused)?;
        let mut request = Request::post(path).header(ACCEPT, JSON);
        if let Some(credential) = self.credential() {
            request = request.header(AUTHORIZATION, credential);
        }
        let request = (self.0.octocrab.build_request(request, body))
            .map_err(|e| Undispatched::Refused(self.broken(&e)))?;
        let response = (self.0.octocrab.execute(request).await)
            .map_err(|e| Undispatched::Unknown(self.broken(&e)))?;
        self.gate(|gate| gate.take(response.headers()));
        match response.status().as_u16() {
            200..=299 => {
                // It is started, whatever can be read of the answer.
                let bytes = self.collect(response.into_body()).await.unwrap_or_default();
                Ok(wire::dispatched(&bytes))
            }
            // Nothing is done where it was sent, and it is not sent to where that leads.
            301 | 302 | 307 | 308 => {
                let to = location(response.headers());
                let fault = fault::moved(self.host(), &self.0.target.repository, to.as_ref());
                Err(Undispatched::Refused(fault))
            }
            400..=499 => Err(Undispatched::Refused(self.refusal(response).await)),
            _ => Err(Undispatched::Unknown(self.refusal(response).await)),
        }
    }

    /// What is there now, for an operation: the last of the budget is for it.
    async fn now(&self, path: &str) -> Result<Document, Fault> {
        let got = self.ask_as(Purpose::Asked, path, None).await?;
        got.body(self.host())
    }

    /// The run `id` as it is now.
    ///
    /// # Errors
    /// What is wrong with the way, the token, the id or the answer.
    pub async fn run(&self, id: u64) -> Result<Run, Fault> {
        let path = self.path(&format!("actions/runs/{id}"));
        let body = self.now(&path).await?;
        wire::run(&body.bytes).map_err(|e| self.unreadable(&e))
    }

    /// The workflow's newest runs of the commit whose hash begins so, newest first. GitHub knows whole hashes alone: for a
    /// part of one it is looked for among the newest runs of all.
    ///
    /// # Errors
    /// As [`Github::run`].
    pub async fn runs_of(&self, commit: &str) -> Result<Vec<Run>, Fault> {
        let name = transport::escaped(&self.0.target.workflow);
        let of = match commit.len() == HASH && commit.bytes().all(|b| b.is_ascii_hexdigit()) {
            true => format!("head_sha={commit}&"),
            false => String::new(),
        };
        let path = self.path(&format!(
            "actions/workflows/{name}/runs?{of}per_page={MANY}"
        ));
        let body = self.now(&path).await?;
        let mut runs = wire::runs(&body.bytes).map_err(|e| self.unreadable(&e))?;
        runs.retain(|run| run.sha.starts_with(commit));
        Ok(runs)
    }

    /// The newest dispatched run of `workflow` whose name holds `text`.
    ///
    /// # Errors
    /// As [`Github::run`].
    pub async fn dispatched(&self, workflow: &str, text: &str) -> Result<Option<Run>, Fault> {
        let name = transport::escaped(workflow);
        let path = self.path(&format!(
            "actions/workflows/{name}/runs?event=workflow_dispatch&per_page={RECENT}"
        ));
        let body = self.now(&path).await?;
        let runs = wire::runs(&body.bytes).map_err(|e| self.unreadable(&e))?;
        Ok(runs
            .into_iter()
            .find(|run| run.has_id() && run.title.contains(text)))
    }
}
