//! One HTTP question to one pod, through the API server's port-forward: for what a bastion cannot reach otherwise,
//! and past every Service. <https://kubernetes.io/docs/tasks/access-application-cluster/port-forward-access-application-cluster/>

use std::sync::Arc;
use std::time::{Duration, Instant};

use futures::FutureExt as _;
use futures::future::BoxFuture;
use http::{Request, header};
use http_body::Body as _;
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use k8s_openapi::api::core::v1::Pod;
use kube::Api;
use kube::client::Body;

use super::single::check_name;
use super::{Cluster, fault};
use crate::estate::{Fault, FaultKind};

/// Bytes that are read of an answer.
const MOST: usize = 64 << 10;
/// How long a connection that was closed is asked for its reason.
const WORD_OF_IT: Duration = Duration::from_secs(1);

/// What a pod answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Said {
    /// The HTTP status.
    pub status: u16,
    /// The first 64 KiB of the body, as they came.
    pub body: Vec<u8>,
    /// From the request to the end of the body.
    pub took: Duration,
}

/// Answers of the caller's, by pod, port and path: a simulation has values, and no connection to be upgraded.
pub(super) type Told =
    Arc<dyn Fn(&str, u16, &str) -> BoxFuture<'static, Result<Said, Fault>> + Send + Sync>;

impl Cluster {
    /// The same, whose pods answer so instead of through the API server.
    #[must_use]
    pub fn told(
        self,
        answer: impl Fn(&str, u16, &str) -> BoxFuture<'static, Result<Said, Fault>>
        + Send
        + Sync
        + 'static,
    ) -> Self {
        Self {
            told: Some(Arc::new(answer)),
            ..self
        }
    }

    /// Asks the pod `pod` for `path` at `port`, once.
    ///
    /// # Errors
    /// What is wrong with the way, the credential or the pod; any status is an answer.
    pub async fn ask_pod(
        &self,
        pod: &str,
        port: u16,
        path: &str,
        limit: Duration,
    ) -> Result<Said, Fault> {
        check_name(pod)?;
        self.line.ready().await?;
        let slow = || fault::slow(&format!("{pod}:{port}"), limit);
        let asked = match &self.told {
            Some(answer) => answer(pod, port, path),
            None => self.forwarded(pod, port, path).boxed(),
        };
        (tokio::time::timeout(limit, asked).await).unwrap_or_else(|_| Err(slow()))
    }

    async fn forwarded(&self, pod: &str, port: u16, path: &str) -> Result<Said, Fault> {
        let host = self.host();
        let pods: Api<Pod> = Api::namespaced(self.client.clone(), &self.namespace);
        let mut way = (pods.portforward(pod, &[port]).await).map_err(|e| fault::of(&host, &e))?;
        let broken = |e: &dyn std::fmt::Display| {
            fault::words(FaultKind::Unreachable, format!("{pod}:{port}: {e}"))
        };
        let stream = way.take_stream(port).ok_or_else(|| broken(&"no stream"))?;
        let refused = way.take_error(port);
        let began = Instant::now();
        let (mut sender, connection) =
            (http1::handshake(TokioIo::new(stream)).await).map_err(|e| broken(&e))?;
        let request = Request::get(path)
            .header(header::HOST, format!("{pod}:{port}"))
            .header(header::USER_AGENT, "wheelhouse")
            .header(header::CONNECTION, "close")
            .body(Body::empty())
            .map_err(|e| broken(&e))?;
        let asked = async {
            let response = sender.send_request(request).await?;
            let status = response.status().as_u16();
            let mut body = std::pin::pin!(response.into_body());
            let mut bytes = Vec::new();
            while let Some(frame) = std::future::poll_fn(|cx| body.as_mut().poll_frame(cx)).await {
                if let Ok(data) = frame?.into_data() {
                    bytes.extend_from_slice(&data);
                }
                if bytes.len() > MOST {
                    bytes.truncate(MOST);
                    break;
                }
            }
            Ok::<_, hyper::Error>((status, bytes))
        };
        // Once it was answered it is never asked again: `fuse`.
        let mut refused = std::pin::pin!(
            async {
                match refused {
                    Some(refused) => refused.await,
                    None => std::future::pending().await,
                }
            }
            .fuse()
        );
        // The connection is driven beside the question: no task of its own, and none is left behind.
        let answer = tokio::select! {
            answer = asked => answer,
            Some(why) = &mut refused => return Err(broken(&why)),
            Err(e) = connection => Err(e),
        };
        let (status, bytes) = match answer {
            Ok(answer) => answer,
            // Why the kubelet closed it comes by another channel, which may be read a moment later.
            Err(e) => {
                let why = tokio::time::timeout(WORD_OF_IT, refused).await;
                return Err((why.ok().flatten()).map_or_else(|| broken(&e), |why| broken(&why)));
            }
        };
        Ok(Said {
            status,
            body: bytes,
            took: began.elapsed(),
        })
    }
}
