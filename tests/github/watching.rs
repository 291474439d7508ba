//! The source's side of a test, in virtual time: it passes only when the test says so, although the
//! sockets are real.

use std::time::{Duration, Instant};

use tokio::sync::mpsc::{Receiver, channel};
use tokio::task::JoinHandle;
use wheelhouse::clients::github::Target;
use wheelhouse::estate::runs::RunsSeen;
use wheelhouse::estate::{Fault, Moment};
use wheelhouse::sources::github::{Shared, run};

use super::repository::Token;
use super::server::Server;

/// How long anything may take here, by the clock on the wall.
const LIMIT: Duration = Duration::from_secs(20);

pub struct Watching {
    pub seen: Vec<RunsSeen>,
    pub shared: Shared,
    pub token: Token,
    out: Receiver<(Moment, RunsSeen)>,
    task: JoinHandle<()>,
    /// While this exists a blocking task runs, and tokio does not move its clock by itself.
    _still: std::sync::mpsc::Sender<()>,
}

impl Drop for Watching {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Watching {
    /// Only in a test with `start_paused`.
    pub fn start(server: &Server) -> Self {
        let token = Token::new("test-token");
        Self::start_with(token, |token| token.target(&server.url))
    }

    pub fn start_with(token: Token, target: impl Fn(&Token) -> Target) -> Self {
        let (still, wait) = std::sync::mpsc::channel();
        tokio::task::spawn_blocking(move || wait.recv());
        let (sender, out) = channel(64);
        let shared = Shared::default();
        let task = tokio::spawn(run(target(&token), shared.clone(), sender, || Moment(7)));
        Self {
            seen: Vec::new(),
            shared,
            token,
            out,
            task,
            _still: still,
        }
    }

    /// Reads on until `is` holds of what was sent last.
    pub async fn until(&mut self, is: impl Fn(&RunsSeen) -> bool) -> RunsSeen {
        let began = Instant::now();
        loop {
            match self.out.try_recv() {
                Ok((_, seen)) => {
                    self.seen.push(seen.clone());
                    if is(&seen) {
                        return seen;
                    }
                }
                Err(_) => {
                    assert!(began.elapsed() < LIMIT, "only: {:#?}", self.seen);
                    tokio::task::yield_now().await;
                }
            }
        }
    }

    pub async fn fault(&mut self) -> Fault {
        match self.until(|seen| matches!(seen, RunsSeen::Failed(_))).await {
            RunsSeen::Failed(fault) => fault,
            _ => unreachable!(),
        }
    }

    /// The last fault that was sent.
    pub fn fault_seen(&self) -> Fault {
        let fault = self.seen.iter().rev().find_map(|seen| match seen {
            RunsSeen::Failed(fault) => Some(fault.clone()),
            _ => None,
        });
        fault.unwrap_or_else(|| panic!("{:#?}", self.seen))
    }

    pub async fn unchanged(&mut self) {
        self.until(|seen| *seen == RunsSeen::Unchanged).await;
    }

    /// Lets that much time pass, in steps, each with the answers to what it made the source ask.
    pub async fn pass(&mut self, seconds: u64, server: &Server) {
        for _ in 0..seconds {
            tokio::time::advance(Duration::from_secs(1)).await;
            self.settle(server).await;
        }
    }

    /// Until nothing is asked and nothing is sent any more.
    async fn settle(&mut self, server: &Server) {
        let mut still = 0;
        let mut before = (0, 0);
        while still < 200 {
            while let Ok((_, seen)) = self.out.try_recv() {
                self.seen.push(seen);
            }
            let now = (server.count(|_| true), self.seen.len());
            still = if now == before { still + 1 } else { 0 };
            before = now;
            tokio::task::yield_now().await;
        }
    }
}
