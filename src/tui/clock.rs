//! Milliseconds as the terminal layer counts them: an argument, so that tests own the time.

use std::time::{Duration, Instant};

use crate::estate::Now;
pub use crate::sources::kubernetes::boottime as boot;

/// A moment, in milliseconds since some fixed start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Millis(pub u64);

impl Millis {
    /// The moment `millis` later.
    #[must_use]
    pub const fn plus(self, millis: u64) -> Self {
        Self(self.0.saturating_add(millis))
    }

    /// Milliseconds from `earlier` until this moment; 0 when it lies ahead.
    #[must_use]
    pub const fn since(self, earlier: Self) -> u64 {
        self.0.saturating_sub(earlier.0)
    }
}

/// The start that the loop counts its milliseconds from.
#[derive(Clone, Copy, Debug)]
pub struct Clock(Instant);

impl Clock {
    /// A clock that starts now.
    #[must_use]
    pub fn start() -> Self {
        Self(Instant::now())
    }

    /// Now.
    #[must_use]
    pub fn now(&self) -> Millis {
        Millis(u64::try_from(self.0.elapsed().as_millis()).unwrap_or(u64::MAX))
    }

    /// The instant of a moment, for `tokio::time::sleep_until`.
    #[must_use]
    pub fn instant(&self, at: Millis) -> Instant {
        self.0 + Duration::from_millis(at.0)
    }
}

/// The present by both clocks.
#[must_use]
pub fn now() -> Now {
    Now {
        wall: jiff::Timestamp::now(),
        at: boot(),
    }
}
