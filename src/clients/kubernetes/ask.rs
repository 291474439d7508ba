//! Asks what stands behind a Service, through the API server's proxy: for what a bastion cannot reach
//! otherwise. <https://kubernetes.io/docs/tasks/access-application-cluster/access-cluster-services/>

use std::time::Duration;

use http::{Method, Request, header};
use jiff::Timestamp;
use kube::client::Body;

use super::{Cluster, fault};
use crate::estate::{Fault, FaultKind};

/// An answer as it came, whatever its status.
pub(in crate::clients) struct Answer {
    pub(in crate::clients) status: u16,
    /// The server's clock, by the reply's Date header (whole seconds).
    pub(in crate::clients) server: Option<Timestamp>,
    pub(in crate::clients) body: Vec<u8>,
}

impl Cluster {
    /// Sends one request, once, and reads the whole answer.
    ///
    /// # Errors
    /// What is wrong with the way or the credential; a refusal is an answer.
    pub(in crate::clients) async fn ask(
        &self,
        method: Method,
        path: &str,
        body: Vec<u8>,
        limit: Duration,
    ) -> Result<Answer, Fault> {
        // A plugin may take longer than an answer; it is bounded by itself.
        self.line.ready().await?;
        let slow = || fault::slow(&self.host(), limit);
        (tokio::time::timeout(limit, self.send(method, path, body)).await)
            .unwrap_or_else(|_| Err(slow()))
    }

    async fn send(&self, method: Method, path: &str, body: Vec<u8>) -> Result<Answer, Fault> {
        let mut request = Request::builder().method(method).uri(path);
        if !body.is_empty() {
            request = request.header(header::CONTENT_TYPE, "application/json");
        }
        let request = (request.body(body)).map_err(|e| fault::words(FaultKind::Config, e))?;
        self.answer(request).await
    }

    /// Sends a request and reads the whole answer, for as long as the line bears.
    pub(super) async fn answer(&self, request: Request<Vec<u8>>) -> Result<Answer, Fault> {
        let host = self.host();
        let request = request.map(Body::from);
        let response = (self.client.send(request).await).map_err(|e| fault::of(&host, &e))?;
        let (status, server) = (response.status().as_u16(), date(response.headers()));
        let body =
            (response.into_body().collect_bytes().await).map_err(|e| fault::of(&host, &e))?;
        Ok(Answer {
            status,
            server,
            body: body.to_vec(),
        })
    }
}

/// The Date header.
pub(in crate::clients) fn date(headers: &http::HeaderMap) -> Option<Timestamp> {
    let text = headers.get(header::DATE)?.to_str().ok()?;
    Some(jiff::fmt::rfc2822::parse(text).ok()?.timestamp())
}
