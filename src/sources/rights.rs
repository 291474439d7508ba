//! What we may do in one environment, asked while it may be changed: keys of what the API server would refuse say so before
//! they are pressed.

use std::time::Duration;

use tokio::sync::mpsc::Sender;

use super::kubernetes::Shared;
use crate::clients::kubernetes::Right;
use crate::estate::{Moment, Need, Observation, Seen};

/// For the answer to one review.
const ANSWER: Duration = Duration::from_secs(5);
/// Roles change rarely, and each operation asks again by itself.
const RARE: Duration = Duration::from_secs(300);
/// What is lacking may be given at any time, by somebody who was asked for it just now.
const SOON: Duration = Duration::from_secs(30);

/// Asks until the receiver is gone or the task is aborted; over the connection that the environment has.
pub async fn run(
    environment: usize,
    shared: Shared,
    wanted: Vec<(Need, Right)>,
    out: Sender<Observation>,
    clock: fn() -> Moment,
) {
    let Some(cluster) = shared.cluster().await else {
        return;
    };
    loop {
        let rights = cluster.granted(&wanted, ANSWER).await;
        let pause = match rights.iter().all(|right| right.verdict.is_ok()) {
            true => RARE,
            false => SOON,
        };
        let observation = Observation {
            environment,
            at: clock(),
            seen: Seen::Rights(rights),
        };
        if out.send(observation).await.is_err() {
            return;
        }
        tokio::select! {
            () = tokio::time::sleep(pause) => {}
            () = out.closed() => return,
        }
    }
}
