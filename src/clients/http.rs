//! The servers of monitoring: by URL, or through the API server's service proxy where a bastion cannot
//! resolve `alertmanager:9093`. One [`Site`] is one replica.

mod direct;
mod page;
mod refusal;

use std::path::PathBuf;
use std::time::Duration;

use http::Method;
use jiff::Timestamp;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::kubernetes::{Cluster, fault};
use crate::estate::{Fault, FaultKind, Safe};
use direct::Direct;

pub use page::page;
pub(super) use refusal::{is_no_route, partly, refusal};

/// Bytes of one answer: the rules of a large installation, with their alerts, are a few MiB.
pub(super) const BODY: usize = 32 << 20;

/// Where one replica is found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reach {
    /// Its address, with the path prefix where there is one.
    Url(String),
    /// A Service, through the API server of the environment.
    Service {
        /// Its namespace.
        namespace: String,
        /// Its name.
        name: String,
        /// The name or number of its port.
        port: String,
        /// The path prefix, such as `/alertmanager`, or nothing.
        prefix: String,
    },
}

/// One system of monitoring: its replicas, and how they are spoken to.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Target {
    /// The replicas; they say the same.
    pub replicas: Vec<Reach>,
    /// The authorities that are trusted in place of the system's, as PEM.
    pub ca_file: Option<PathBuf>,
    /// The bearer token, where URLs need one.
    pub bearer: Option<Bearer>,
}

impl Target {
    /// Whether a replica is reached through the API server.
    pub fn needs_cluster(&self) -> bool {
        let is_service = |reach: &Reach| matches!(reach, Reach::Service { .. });
        self.replicas.iter().any(is_service)
    }
}

/// Where a bearer token is read from, whenever it is needed: it may be renewed under way.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Bearer {
    /// An environment variable.
    Env(String),
    /// A file.
    File(PathBuf),
}

/// One replica.
#[derive(Debug)]
pub(super) struct Site {
    /// Host and port, or namespace, Service and port.
    pub(super) name: String,
    kind: Kind,
}

#[derive(Debug)]
enum Kind {
    Direct(Direct),
    Service { path: String },
}

/// An open way to a replica.
pub(super) enum Way<'a> {
    /// To this base address, by this client.
    Direct(reqwest::Client, &'a str),
    /// Through this cluster, below this path.
    Proxied(&'a Cluster, &'a str),
}

/// An answer, whatever its status.
pub(super) struct Reply {
    pub(super) status: u16,
    /// The server's clock, by the Date header.
    pub(super) server: Option<Timestamp>,
    pub(super) body: Vec<u8>,
}

/// The replicas of `target`.
pub(super) fn sites(target: &Target) -> Vec<Site> {
    let site = |reach: &Reach| match reach {
        Reach::Url(url) => {
            let direct = Direct::new(url, target);
            Site {
                name: direct.host(),
                kind: Kind::Direct(direct),
            }
        }
        Reach::Service {
            namespace,
            name,
            port,
            prefix,
        } => Site {
            name: format!("{namespace}/{name}:{port}"),
            kind: Kind::Service {
                path: format!(
                    "/api/v1/namespaces/{namespace}/services/{name}:{port}/proxy{prefix}"
                ),
            },
        },
    };
    target.replicas.iter().map(site).collect()
}

impl Site {
    /// The way to it, with the credential of the moment.
    pub(super) async fn way<'a>(&'a self, cluster: Option<&'a Cluster>) -> Result<Way<'a>, Fault> {
        match (&self.kind, cluster) {
            (Kind::Direct(direct), _) => Ok(Way::Direct(direct.client().await?, direct.base())),
            (Kind::Service { path }, Some(cluster)) => Ok(Way::Proxied(cluster, path)),
            (Kind::Service { .. }, None) => Err(fault::words(
                FaultKind::Unreachable,
                format_args!("{}: the cluster is not connected yet", self.name),
            )),
        }
    }

    /// Asks for `path` (with its query), once, and takes only a success.
    pub(super) async fn ask(
        &self,
        cluster: Option<&Cluster>,
        method: Method,
        path: &str,
        body: Vec<u8>,
        limit: Duration,
    ) -> Result<Reply, Fault> {
        let reply = match self.way(cluster).await? {
            Way::Direct(http, base) => {
                let mut request = http.request(method, format!("{base}{path}"));
                if !body.is_empty() {
                    request = request
                        .header(http::header::CONTENT_TYPE, "application/json")
                        .body(body);
                }
                direct::take(&self.name, limit, request.send()).await
            }
            Way::Proxied(cluster, prefix) => {
                self.proxied(cluster, method, &format!("{prefix}{path}"), body, limit)
                    .await
            }
        };
        self.accept(reply?)
    }

    /// Through the API server, which is named beside the Service.
    pub(super) async fn proxied(
        &self,
        cluster: &Cluster,
        method: Method,
        path: &str,
        body: Vec<u8>,
        limit: Duration,
    ) -> Result<Reply, Fault> {
        let answer = cluster.ask(method, path, body, limit).await;
        let answer = answer.map_err(|e| Fault {
            what: Safe::new(&format!("{} by the API server: {}", self.name, e.what)),
            ..e
        });
        answer.map_err(refusal::hint).map(|answer| Reply {
            status: answer.status,
            server: answer.server,
            body: answer.body,
        })
    }

    /// A success, or the refusal in words.
    pub(super) fn accept(&self, reply: Reply) -> Result<Reply, Fault> {
        match reply.status {
            200..300 => Ok(reply),
            status => Err(refusal(&self.name, status, &reply.body)),
        }
    }

    /// What stands in a reply's body.
    pub(super) fn read<T: DeserializeOwned>(&self, reply: &Reply) -> Result<T, Fault> {
        serde_json::from_slice(&reply.body).map_err(|e| {
            let start = reply.body.trim_ascii_start();
            match start.starts_with(b"<") {
                true => refusal::hint(fault::web_page(&self.name, reply.status)),
                false => fault::not_json(&self.name, &e),
            }
        })
    }
}

/// Takes what a client of another crate gets from this replica, within `limit`.
pub(super) async fn take<E: std::error::Error + 'static>(
    site: &Site,
    limit: Duration,
    sent: impl Future<Output = Result<reqwest::Response, E>>,
) -> Result<Reply, Fault> {
    direct::take(&site.name, limit, sent).await
}
