//! The control of the demo's estate: what it can break, and please break it. Plain HTTP on loopback.

use std::time::Duration;

use serde_json::Value;

use crate::estate::{Fault, FaultKind, Safe};

/// How long the estate may take to answer.
const LIMIT: Duration = Duration::from_secs(5);

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

    /// What can be broken: names and descriptions.
    ///
    /// # Errors
    /// `Unreachable` when the estate does not answer, `Malformed` when it says something else.
    pub async fn faults(&self) -> Result<Vec<(Safe, Safe)>, Fault> {
        let value = self.get("/demo/faults").await?;
        let rows = value.as_array().or_else(|| value["faults"].as_array());
        let rows = rows.ok_or_else(|| fault(FaultKind::Malformed, "no list of faults"))?;
        let text = |row: &Value, key: &str| Safe::new(row[key].as_str().unwrap_or_default());
        Ok(rows
            .iter()
            .map(|row| (text(row, "name"), text(row, "description")))
            .collect())
    }

    /// The estate's own account of itself.
    ///
    /// # Errors
    /// As [`Control::faults`].
    pub async fn state(&self) -> Result<Value, Fault> {
        self.get("/demo/state").await
    }

    /// Breaks something, by its name among [`Control::faults`].
    ///
    /// # Errors
    /// The estate's own words where it refuses.
    pub async fn inject(&self, name: &str) -> Result<(), Fault> {
        let url = format!("{}/demo/fault", self.base);
        // The menu's example is the action as the estate reads it, every parameter filled in.
        let menu = self.get("/demo/faults").await?;
        let rows = menu.as_array().into_iter().flatten();
        let row = rows.into_iter().find(|row| row["name"] == name);
        let body = row.map(|row| &row["example"]).filter(|e| e.is_object());
        let body = body.ok_or_else(|| fault(FaultKind::Malformed, "no such fault in its menu"))?;
        let reply = self
            .http
            .post(url)
            .json(body)
            .send()
            .await
            .map_err(|e| unreachable(&e))?;
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
