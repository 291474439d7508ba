//! The control of the demo's estate: what it can break, and please break it. Plain HTTP on loopback.

use std::path::Path;
use std::time::Duration;

use serde_json::Value;

use crate::estate::{Fault, FaultKind, Safe};

/// How long the estate may take to answer.
const LIMIT: Duration = Duration::from_secs(5);

/// Whether `file` is the kubeconfig that the demo publishes for its simulated estate: `…/demo/PORT/kubeconfig.yaml`.
pub fn is_kubeconfig(file: &Path) -> bool {
    let mut parts = file.iter().rev().map(|part| part.to_string_lossy());
    let is_named = parts.next().is_some_and(|it| it == "kubeconfig.yaml");
    let is_of_port = parts.next().is_some_and(|it| it.parse::<u16>().is_ok());
    is_named && is_of_port && parts.next().is_some_and(|it| it == "demo")
}

/// Before the name of a scenario.
const PLAY: &str = "play ";

/// The demo's estate, by its address.
#[derive(Clone, Debug)]
pub struct Control {
    base: String,
    http: reqwest::Client,
}

impl Control {
    /// The control at `base`, such as `http://127.0.0.1:4000`.
    ///
    /// # Errors
    /// `Config` when no HTTP client can be made.
    pub fn new(base: &str) -> Result<Self, Fault> {
        let _ = rustls::crypto::ring::default_provider().install_default();
        // Loopback never goes through a proxy, and plain HTTP needs no roots.
        let http = (reqwest::Client::builder().no_proxy().timeout(LIMIT))
            .tls_certs_only([])
            .build()
            .map_err(|e| fault(FaultKind::Config, &e.to_string()))?;
        Ok(Self {
            base: base.trim_end_matches('/').to_owned(),
            http,
        })
    }

    /// What can be broken, and what can be played: names and descriptions.
    ///
    /// # Errors
    /// `Unreachable` when the estate does not answer, `Malformed` when it says something else.
    pub async fn faults(&self) -> Result<Vec<(Safe, Safe)>, Fault> {
        let (menu, state) = (self.get("/demo/faults").await?, self.state().await?);
        let rows = |value: &Value, lead: &str| {
            let rows = value.as_array().cloned().unwrap_or_default();
            let text = |row: &Value, key: &str| row[key].as_str().unwrap_or_default().to_owned();
            let pair = |row: &Value| {
                let name = format!("{lead}{}", text(row, "name"));
                (Safe::new(&name), Safe::new(&text(row, "description")))
            };
            rows.iter().map(pair).collect::<Vec<_>>()
        };
        let mut all = rows(&state["scenarios"], PLAY);
        all.extend(rows(&menu, ""));
        match all.is_empty() {
            true => Err(fault(
                FaultKind::Malformed,
                "the estate names nothing to break",
            )),
            false => Ok(all),
        }
    }

    /// The estate's own account of itself.
    ///
    /// # Errors
    /// As [`Control::faults`].
    pub async fn state(&self) -> Result<Value, Fault> {
        self.get("/demo/state").await
    }

    /// Breaks or plays something, by its name among [`Control::faults`].
    ///
    /// # Errors
    /// The estate's own words where it refuses.
    pub async fn inject(&self, name: &str) -> Result<(), Fault> {
        if let Some(scenario) = name.strip_prefix(PLAY) {
            return self
                .post(&format!("/demo/scenario/{scenario}"), &Value::Null)
                .await;
        }
        let menu = self.get("/demo/faults").await?;
        let mut rows = menu.as_array().into_iter().flatten();
        let row = rows.find(|row| row["name"].as_str() == Some(name));
        let row = row.ok_or_else(|| fault(FaultKind::Missing, "the estate does not know that"))?;
        self.post("/demo/fault", &row["example"]).await
    }

    async fn post(&self, path: &str, body: &Value) -> Result<(), Fault> {
        let url = format!("{}{path}", self.base);
        let reply = self.http.post(url).json(body).send().await;
        let reply = reply.map_err(|e| unreachable(&e))?;
        if reply.status().is_success() {
            return Ok(());
        }
        let words = reply.text().await.unwrap_or_default();
        Err(fault(FaultKind::Server, &words))
    }

    async fn get(&self, path: &str) -> Result<Value, Fault> {
        let url = format!("{}{path}", self.base);
        let reply = self
            .http
            .get(url)
            .send()
            .await
            .map_err(|e| unreachable(&e))?;
        reply
            .json()
            .await
            .map_err(|e| fault(FaultKind::Malformed, &e.to_string()))
    }
}

fn unreachable(error: &reqwest::Error) -> Fault {
    fault(FaultKind::Unreachable, &error.to_string())
}

fn fault(kind: FaultKind, what: &str) -> Fault {
    Fault {
        kind,
        what: Safe::new(what),
    }
}
