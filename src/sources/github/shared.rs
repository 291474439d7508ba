//! What a source of runs shares: its connection with the logs, whether anybody looks, and at which run.

use std::sync::Arc;

use tokio::sync::{Notify, watch};

use crate::clients::github::Github;

/// The connection of a repository's source, and whether anybody looks at what it sends.
#[derive(Clone, Debug)]
pub struct Shared {
    github: Arc<watch::Sender<Option<Github>>>,
    is_looked_at: Arc<watch::Sender<bool>>,
    opened: Arc<watch::Sender<Option<u64>>>,
    anew: Arc<Notify>,
}

impl Default for Shared {
    fn default() -> Self {
        Self {
            github: Arc::new(watch::Sender::new(None)),
            is_looked_at: Arc::new(watch::Sender::new(true)),
            opened: Arc::new(watch::Sender::new(None)),
            anew: Arc::default(),
        }
    }
}

impl Shared {
    /// Says whether anybody looks: the terminal has the focus, the panel is shown.
    pub fn look(&self, is_looked_at: bool) {
        self.is_looked_at
            .send_if_modified(|is| std::mem::replace(is, is_looked_at) != is_looked_at);
    }

    /// Says which run's page is open: its jobs are asked for, too, however old it is.
    pub fn open(&self, run: Option<u64>) {
        self.opened
            .send_if_modified(|open| std::mem::replace(open, run) != run);
    }

    pub(super) fn opened(&self) -> Option<u64> {
        *self.opened.borrow()
    }

    /// Resolves when another run's page is opened.
    pub(super) async fn another_opened(&self) {
        comes(&self.opened, Option::is_some).await;
    }

    /// Has the source connect anew, with a token that is got anew. What it knows it keeps: what did not change costs
    /// nothing.
    pub fn connect_anew(&self) {
        self.anew.notify_one();
    }

    /// Resolves when that was asked for.
    pub(super) async fn asked_anew(&self) {
        self.anew.notified().await;
    }

    /// Says which connection there is.
    pub fn publish(&self, github: &Github) {
        self.github.send_replace(Some(github.clone()));
    }

    /// The connection, where there is one already.
    pub fn now(&self) -> Option<Github> {
        self.github.borrow().clone()
    }

    pub(super) async fn github(&self) -> Option<Github> {
        let mut slot = self.github.subscribe();
        let found = slot.wait_for(Option::is_some).await.ok()?;
        found.clone()
    }

    pub(super) fn is_looked_at(&self) -> bool {
        *self.is_looked_at.borrow()
    }

    /// Resolves when somebody comes to look who did not.
    pub(super) async fn looked_at(&self) {
        comes(&self.is_looked_at, |is_looked_at| *is_looked_at).await;
    }
}

/// Resolves when what `of` holds is changed to something that `is` so.
async fn comes<T>(of: &watch::Sender<T>, is: impl Fn(&T) -> bool) {
    let mut seen = of.subscribe();
    while seen.changed().await.is_ok() {
        if is(&seen.borrow_and_update()) {
            return;
        }
    }
    std::future::pending().await
}
