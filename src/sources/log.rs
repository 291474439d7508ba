//! A container's log, over the connection that its environment's source has.

use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt as _;
use tokio::sync::mpsc::Sender;
use tokio::sync::watch;

use crate::clients::kubernetes::{self, Cluster};
use crate::estate::{Fault, FaultKind, LogChunk, LogTarget, Moment, Observation, Seen};

/// The connection that a source shares with the logs of its environment.
#[derive(Clone, Debug)]
pub struct Shared(Arc<watch::Sender<Option<Cluster>>>);

impl Default for Shared {
    fn default() -> Self {
        Self(Arc::new(watch::Sender::new(None)))
    }
}

impl Shared {
    pub(super) fn publish(&self, cluster: &Cluster) {
        self.0.send_replace(Some(cluster.clone()));
    }

    /// The connection, where there is one yet.
    pub fn now(&self) -> Option<Cluster> {
        self.0.borrow().clone()
    }

    /// The connection, as soon as there is one.
    pub(super) async fn cluster(&self) -> Option<Cluster> {
        let mut slot = self.0.subscribe();
        let found = slot.wait_for(Option::is_some).await.ok()?;
        found.clone()
    }
}

/// How long a log waits for the connection.
const PATIENCE: Duration = Duration::from_secs(15);

/// Streams the log until it ends or the task is aborted.
pub async fn log(
    environment: usize,
    shared: Shared,
    target: LogTarget,
    out: Sender<Observation>,
    clock: fn() -> Moment,
) {
    let send = async |chunk| {
        let observation = Observation {
            environment,
            at: clock(),
            seen: Seen::Log(target.clone(), chunk),
        };
        out.send(observation).await
    };
    let Ok(Some(cluster)) = tokio::time::timeout(PATIENCE, shared.cluster()).await else {
        let fault = Fault {
            kind: FaultKind::Unreachable,
            what: "not connected yet".into(),
        };
        let _ = send(LogChunk::Ended(Some(fault))).await;
        return;
    };
    let mut chunks = kubernetes::logs(&cluster, &target);
    while let Some(chunk) = chunks.next().await {
        if send(chunk).await.is_err() {
            return;
        }
    }
}
