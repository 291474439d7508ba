//! The estate's time: Tokio's clock, which tests may pause, counted from a fixed wall-clock time.

use jiff::{SignedDuration, Timestamp};
use tokio::time::{Duration, Instant};

/// Since when the estate runs.
#[derive(Debug, Clone, Copy)]
pub(super) struct Clock {
    started: Instant,
}

impl Clock {
    pub(super) fn start() -> Self {
        Self {
            started: Instant::now(),
        }
    }

    /// Milliseconds since the start.
    pub(super) fn now(&self) -> i64 {
        i64::try_from(self.started.elapsed().as_millis()).unwrap_or(i64::MAX)
    }

    /// The instant `at` milliseconds after the start.
    pub(super) fn instant(&self, at: i64) -> Instant {
        self.started + Duration::from_millis(u64::try_from(at).unwrap_or(0))
    }
}

/// `at` milliseconds after `epoch` as `Time` fields carry it.
pub(super) fn rfc3339(epoch: Timestamp, at: i64) -> String {
    wall(epoch, at).strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}

/// `at` milliseconds after `epoch`.
pub(super) fn wall(epoch: Timestamp, at: i64) -> Timestamp {
    epoch
        .checked_add(SignedDuration::from_millis(at))
        .unwrap_or(epoch)
}
