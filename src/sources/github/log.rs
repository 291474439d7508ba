//! A job's log, over the connection that the repository's source has.

use std::time::Duration;

use tokio::sync::mpsc::Sender;

use super::Shared;
use crate::clients::github::job_log;
use crate::estate::runs::RunLog;
use crate::estate::{Fault, FaultKind, LogChunk, Moment};

/// How long a log waits for the connection.
const PATIENCE: Duration = Duration::from_secs(15);
/// Lines told at once.
const CHUNK: usize = 256;

/// Gets the log and tells it, oldest line first. `Ended` is the last that is sent; a log does not grow
/// afterwards, as GitHub has it only when the job has ended.
pub async fn log(
    shared: Shared,
    wanted: RunLog,
    out: Sender<(Moment, LogChunk)>,
    clock: fn() -> Moment,
) {
    let send = async |chunk| out.send((clock(), chunk)).await;
    let Ok(Some(github)) = tokio::time::timeout(PATIENCE, shared.github()).await else {
        let fault = Fault {
            kind: FaultKind::Unreachable,
            what: "not connected yet".into(),
        };
        let _ = send(LogChunk::Ended(Some(fault))).await;
        return;
    };
    let mut ended = None;
    match job_log(&github, &wanted).await {
        Ok(log) => {
            let notes = log.notes.into_iter().map(LogChunk::Note);
            let lines = log
                .lines
                .chunks(CHUNK)
                .map(|it| LogChunk::Lines(it.to_vec()));
            for chunk in notes.chain(lines) {
                if send(chunk).await.is_err() {
                    return;
                }
            }
        }
        Err(fault) => ended = Some(fault),
    }
    let _ = send(LogChunk::Ended(ended)).await;
}
