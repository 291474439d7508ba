//! The chart of one expression over the last hour, asked every 30 s while somebody looks at it; after a
//! failure sooner.

use std::time::Duration;

use tokio::sync::mpsc::Sender;

use super::Pace;
use super::log::Shared;
use crate::clients::http::Target;
use crate::clients::prometheus::Prometheus;
use crate::estate::chart::Chart;
use crate::estate::{Fault, Moment};

/// What a chart shows.
const SPAN: Duration = Duration::from_secs(3_600);
/// Between two charts: half a step of its grid.
const PAUSE: Duration = Duration::from_secs(30);
/// After a failure.
const AGAIN: Duration = Duration::from_secs(10);

/// Asks until the receiver is gone or the task is aborted.
pub async fn run(
    target: Target,
    shared: Shared,
    expression: String,
    out: Sender<(Moment, Result<Chart, Fault>)>,
    clock: fn() -> Moment,
) {
    let limit = Pace::default().answer;
    if target.needs_cluster() {
        // Connecting is no fault yet.
        let _ = tokio::time::timeout(limit, shared.cluster()).await;
    }
    let prometheus = Prometheus::new(&target);
    loop {
        let (at, cluster) = (clock(), shared.now());
        let answer = prometheus
            .chart(cluster.as_ref(), &expression, SPAN, limit)
            .await;
        let pause = if answer.is_ok() { PAUSE } else { AGAIN };
        if out.send((at, answer)).await.is_err() {
            return;
        }
        tokio::time::sleep(pause).await;
    }
}
