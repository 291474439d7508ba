//! The hidden `worker`: a process without a terminal that carries one operation out.

use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;

use super::exit::Exit;
use super::operate::exit_of_outcome;
use super::runtime;
use crate::ops::engine::Ended;
use crate::ops::worker;

/// Runs it. A hang-up is ignored, the first SIGTERM asks for the next step boundary, the second ends.
pub(super) fn run() -> Exit {
    let runtime = match runtime(2) {
        Ok(runtime) => runtime,
        Err(exit) => return exit,
    };
    let ended = runtime.block_on(async {
        let (asked, stop) = watch::channel(false);
        tokio::select! {
            ended = worker::serve(stop) => Ok(ended),
            number = asked_to_end(asked) => Err(number),
        }
    });
    match ended {
        Err(number) => Exit::Signal(number),
        Ok(None) => Exit::Bad,
        Ok(Some(Ended::Closed(outcome, _))) => exit_of_outcome(outcome),
        Ok(Some(Ended::Interrupted(why))) => {
            tracing::warn!(%why, "the worker stopped; its operation is resumable");
            Exit::Interrupted
        }
        Ok(Some(Ended::Fenced(holder))) => {
            tracing::warn!(%holder, "the worker was fenced");
            Exit::Held
        }
    }
}

async fn asked_to_end(asked: watch::Sender<bool>) -> i32 {
    let (Ok(mut terminate), Ok(mut hang_up), Ok(mut interrupt)) = (
        signal(SignalKind::terminate()),
        signal(SignalKind::hangup()),
        signal(SignalKind::interrupt()),
    ) else {
        return std::future::pending().await;
    };
    loop {
        tokio::select! {
            _ = hang_up.recv() => {}
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {
                if asked.send_replace(true) {
                    return 15;
                }
            }
        }
    }
}
