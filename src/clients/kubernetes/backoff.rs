//! How long to wait before the next try: doubling, with jitter, so that many cockpits do not knock at once.

use std::hash::{BuildHasher, Hasher};
use std::time::Duration;

use tokio::time::Instant;

/// The pauses of one thing that is tried again.
#[derive(Clone, Debug)]
pub struct Backoff {
    first: Duration,
    longest: Duration,
    next: Duration,
    last: Option<Instant>,
    jitter: bool,
}

impl Backoff {
    /// Starts with `first` and doubles up to `longest`.
    pub fn new(first: Duration, longest: Duration) -> Self {
        Self {
            first,
            longest,
            next: first,
            last: None,
            jitter: true,
        }
    }

    /// The same, with or without chance.
    pub fn with_jitter(self, jitter: bool) -> Self {
        Self { jitter, ..self }
    }

    /// The pause before the next try, with up to half of it added by chance. What went well for twice
    /// the longest pause starts anew.
    pub fn pause(&mut self) -> Duration {
        self.pause_at(Instant::now())
    }

    /// What failed before does not count any more.
    pub fn restart(&mut self) {
        self.next = self.first;
    }

    fn pause_at(&mut self, now: Instant) -> Duration {
        if (self.last).is_some_and(|last| now - last > self.longest * 2 + self.next) {
            self.next = self.first;
        }
        self.last = Some(now);
        let pause = self.next;
        self.next = (self.next * 2).min(self.longest);
        match self.jitter {
            true => pause + pause.mul_f64(chance() / 2.0),
            false => pause,
        }
    }
}

/// A number in 0..1. The hasher's keys are random for each instance; no crate is needed for jitter.
fn chance() -> f64 {
    let bits = std::hash::RandomState::new().build_hasher().finish();
    f64::from((bits >> 32) as u32) / f64::from(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_to_the_longest_and_start_anew_after_quiet() {
        let mut backoff = Backoff::new(Duration::from_secs(1), Duration::from_secs(8));
        let now = Instant::now();
        for floor in [1, 2, 4, 8, 8, 8] {
            let pause = backoff.pause_at(now);
            let floor = Duration::from_secs(floor);
            assert!(pause >= floor && pause <= floor.mul_f64(1.5), "{pause:?}");
        }
        let later = now + Duration::from_secs(60);
        assert!(backoff.pause_at(later) < Duration::from_secs(2));
    }
}
