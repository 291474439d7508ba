//! A cluster as one namespace of it is seen: connect, pulse, watch, logs; and asked or changed by single
//! requests, for operations.
//!
//! One [`Cluster`] is shared by everything that speaks to it. Its credential and its connections are
//! renewed underneath (`line`), so that watches survive a token's end without listing again.

pub(super) mod ask;
mod backoff;
mod body;
mod exec;
mod expiry;
pub(super) mod fault;
mod forward;
mod intern;
mod kubeconfig;
mod line;
mod logs;
mod peer;
mod proxy;
mod purpose;
mod recent;
mod review;
mod rights;
mod single;
mod survey;
mod watch;
mod wire;
mod write;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use kube::client::Body;
use tower::BoxError;

use crate::estate::{Fault, FaultKind, Kind, Safe};
pub use backoff::Backoff;
pub use forward::Said;
pub use kubeconfig::pinned;
pub use logs::logs;
pub use peer::certificate_end;
pub(in crate::clients) use proxy::for_reqwest;
pub use proxy::{Proxies, proxy_for};
pub use rights::{Credential, Right};
pub use single::Kept;
pub use survey::{Context, FoundDeployment, FoundService, Survey, contexts};
pub use watch::{Watch, watch};
pub(in crate::clients) use wire::targets;
pub use write::{MANAGER, Unwritten};

use line::Line;

/// Where to connect.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Target {
    /// The kubeconfig; none for `$KUBECONFIG`, `~/.kube/config` or, inside a pod, its service account.
    pub kubeconfig: Option<PathBuf>,
    /// The context; none for the current one.
    pub context: Option<String>,
    /// The namespace.
    pub namespace: String,
    /// The namespace that the records of operations are kept in; none for the same.
    pub records: Option<String>,
}

/// What is borne before an answer counts as failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// To a connection, TLS included.
    pub connect: Duration,
    /// To the head of a response.
    pub head: Duration,
    /// Between two parts of a body that is no stream.
    pub idle: Duration,
    /// Of a log that is followed, before it is opened anew: nothing else tells a quiet container from a dead connection.
    pub quiet: Duration,
    /// For an exec credential plugin.
    pub plugin: Duration,
    /// Bytes of a body that is no stream, after decompression.
    pub body: usize,
    /// Bytes of one line of a stream.
    pub line: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(10),
            head: Duration::from_secs(45),
            idle: Duration::from_secs(30),
            quiet: Duration::from_secs(60),
            plugin: Duration::from_secs(15),
            body: 64 << 20,
            line: 16 << 20,
        }
    }
}

/// A cluster that can be asked.
#[derive(Clone)]
pub struct Cluster {
    client: kube::Client,
    line: Arc<Line>,
    kubeconfig: Option<PathBuf>,
    context: Option<String>,
    namespace: String,
    records: String,
    told: Option<forward::Told>,
}

impl std::fmt::Debug for Cluster {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Cluster({}, {})", self.line.host(), self.namespace)
    }
}

/// A sign of life.
#[derive(Clone, Debug, PartialEq)]
pub struct Pulse {
    /// The server's clock, by the reply's Date header (whole seconds).
    pub server: Option<Timestamp>,
    /// The server's version, where it tells.
    pub version: Option<Safe>,
}

/// Reads the kubeconfig and gets a credential; the network is not touched but by a plugin.
///
/// # Errors
/// `Config` in words where the kubeconfig cannot be used, `LoginNeeded` where a plugin gives no credential.
pub async fn connect(target: &Target) -> Result<Cluster, Fault> {
    connect_within(target, Limits::default()).await
}

/// As [`connect`], with limits of the caller's.
///
/// # Errors
/// As [`connect`].
pub async fn connect_within(target: &Target, limits: Limits) -> Result<Cluster, Fault> {
    // Both TLS users of the tree find the same provider; whoever comes second is refused, which is fine.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let asked = target.clone();
    let pinned = tokio::task::spawn_blocking(move || pinned(&asked)).await;
    let target = pinned.unwrap_or_else(|_| target.clone());
    let line = Arc::new(Line::open(target.clone(), limits).await?);
    let records = target.records.as_deref();
    let mut cluster = Cluster::on(line, &target.namespace, records);
    cluster.kubeconfig = target.kubeconfig;
    cluster.context = target.context;
    Ok(cluster)
}

impl Cluster {
    /// A cluster whose requests go to `service` instead of a socket, without credentials: a simulation in
    /// process, with whatever faults stand before it. To be called in a Tokio runtime.
    pub fn over<S, B>(service: S, namespace: &str, records: Option<&str>) -> Self
    where
        S: tower::Service<http::Request<Body>, Response = http::Response<B>> + Send + 'static,
        S::Future: Send + 'static,
        S::Error: Into<BoxError>,
        B: http_body::Body<Data = <Body as http_body::Body>::Data> + Send + 'static,
        B::Error: Into<BoxError>,
    {
        let client = kube::Client::new(service, namespace);
        Self::on(Arc::new(Line::over(client)), namespace, records)
    }

    fn on(line: Arc<Line>, namespace: &str, records: Option<&str>) -> Self {
        Self {
            client: kube::Client::new(line::Carrier(line.clone()), namespace),
            line,
            kubeconfig: None,
            context: None,
            namespace: namespace.to_owned(),
            records: records.unwrap_or(namespace).to_owned(),
            told: None,
        }
    }

    /// Host and port of the server, for people.
    pub fn host(&self) -> String {
        self.line.host()
    }

    /// What people call it: its context or, inside a pod, its server.
    pub fn context(&self) -> String {
        self.context.clone().unwrap_or_else(|| self.host())
    }

    /// The kubeconfig and the context that lead there, as they were when it was connected: for programs that are to act on
    /// the same cluster. No context: inside a pod, where the kubeconfig is an empty one.
    pub fn way(&self) -> (Option<&Path>, Option<&str>) {
        (self.kubeconfig.as_deref(), self.context.as_deref())
    }

    /// The namespace that is looked at.
    pub fn namespace(&self) -> &str {
        &self.namespace
    }

    /// The namespace that records are kept in.
    pub fn records(&self) -> &str {
        &self.records
    }

    fn namespace_of(&self, kind: Kind) -> &str {
        match kind {
            Kind::Records | Kind::Policy => &self.records,
            Kind::Services
            | Kind::EndpointSlices
            | Kind::Deployments
            | Kind::Pods
            | Kind::ReplicaSets
            | Kind::HorizontalPodAutoscalers
            | Kind::Events
            | Kind::Leases => &self.namespace,
        }
    }

    /// Has no read wait from here on because the server asked for it: a rollback's do not.
    pub fn urge(&self) {
        self.line.urge();
    }

    /// Lets go of idle connections: the next request opens a new one.
    pub async fn drop_connections(&self) {
        self.line.drop_connections().await;
    }

    /// Ends the open watches and logs, which then resume on new connections, and every pause before a retry.
    pub fn resume_watches(&self) {
        self.line.cut();
    }

    /// Asks for the version, the cheapest question that needs the whole way there and back.
    ///
    /// # Errors
    /// What is wrong with the way, the credential or the answer. A 403 or 404 is a sign of life.
    pub async fn pulse(&self, limit: Duration) -> Result<Pulse, Fault> {
        // A plugin may take longer than a pulse; it is bounded by itself.
        self.line.ready().await?;
        let slow = || fault::slow(&self.line.host(), limit);
        (tokio::time::timeout(limit, self.ask_version()).await).unwrap_or_else(|_| Err(slow()))
    }

    async fn ask_version(&self) -> Result<Pulse, Fault> {
        let host = self.line.host();
        let request = (http::Request::get("/version").body(Body::empty()))
            .map_err(|e| fault::words(FaultKind::Config, e))?;
        let response = (self.client.send(request).await).map_err(|e| fault::of(&host, &e))?;
        let server = (response.headers().get(http::header::DATE))
            .and_then(|date| jiff::fmt::rfc2822::parse(date.to_str().ok()?).ok())
            .map(|date| date.timestamp());
        let status = response.status();
        let body =
            (response.into_body().collect_bytes().await).map_err(|e| fault::of(&host, &e))?;
        if !status.is_success() && ![403, 404].contains(&status.as_u16()) {
            return Err(fault::by_body(&host, status.as_u16(), &body));
        }
        let version = serde_json::from_slice::<Version>(&body);
        match version {
            Ok(version) => Ok(Pulse {
                server,
                version: version.git_version,
            }),
            Err(_) if !status.is_success() => Ok(Pulse {
                server,
                version: None,
            }),
            Err(e) => Err(fault::not_json(&host, &e)),
        }
    }
}

#[derive(serde::Deserialize)]
#[serde(rename_all = "camelCase")]
struct Version {
    git_version: Option<Safe>,
}
