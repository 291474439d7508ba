//! A value with its age: when it was last known to be current, and what is wrong since.

use jiff::Timestamp;
use serde::Serialize;

use super::Safe;

/// Milliseconds of a clock that counts suspend (CLOCK_BOOTTIME): ages are honest after a sleep.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub struct Moment(pub u64);

impl Moment {
    /// Milliseconds from `earlier` to here, never negative.
    pub fn since(self, earlier: Self) -> u64 {
        self.0.saturating_sub(earlier.0)
    }
}

/// The present, as the loop hands it to pure code.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Now {
    /// The bastion's wall clock.
    pub wall: Timestamp,
    /// The clock that ages are counted by.
    pub at: Moment,
}

/// What kind of trouble a feed has; the words on the screen follow from it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum FaultKind {
    /// No connection: DNS, refused, reset, proxy.
    Unreachable,
    /// Connected, but no answer in time.
    Slow,
    /// The TLS handshake failed.
    Tls,
    /// 401: the credential is missing, wrong or expired.
    LoginNeeded,
    /// 403: not allowed.
    Forbidden,
    /// 404: no such resource; the API is absent or the name is wrong.
    Missing,
    /// 410: history lost; a new list is under way.
    Expired,
    /// 429: the server asks to slow down.
    Busy,
    /// 5xx.
    Server,
    /// An answer that could not be understood.
    Malformed,
    /// Our own configuration or kubeconfig cannot be used.
    Config,
    /// The source itself stopped (a defect of ours); it is restarted.
    Stopped,
}

/// Why a feed is not live.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Fault {
    /// The kind.
    pub kind: FaultKind,
    /// In words, with the server's own where they help.
    pub what: Safe,
}

/// How current a feed is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Currency {
    /// Nothing was ever seen, and nothing is known to be wrong.
    Waiting,
    /// Known to be current.
    Live,
    /// Seen once, not current now (or never seen, and failing).
    Stale,
}

/// How often the API server is asked for a sign of life; a feed twice as old is stale.
pub const PULSE_MS: u64 = 10_000;

/// A value that ages.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Feed<T> {
    /// The last good value.
    pub value: T,
    /// Whether a whole listing was seen: before that, missing is not known to be empty.
    pub listed: bool,
    /// When the value was last known to be current.
    pub seen: Option<Moment>,
    /// What is wrong since.
    pub fault: Option<Fault>,
    /// How often it is confirmed, in milliseconds; 0: as often as the pulse.
    pub pace_ms: u64,
}

impl<T: Default> Feed<T> {
    /// A feed that is confirmed every `pace_ms` milliseconds.
    pub fn every(pace_ms: u64) -> Self {
        Self {
            pace_ms,
            ..Self::default()
        }
    }
}

impl<T> Feed<T> {
    /// The watch is known to be open at `at`.
    pub fn confirm(&mut self, at: Moment) {
        if self.listed {
            self.seen = Some(self.seen.map_or(at, |s| s.max(at)));
            self.fault = None;
        }
    }

    /// Something is wrong; the value stays and ages.
    pub fn fail(&mut self, fault: Fault) {
        self.fault = Some(fault);
    }

    /// How current the value is at `now`.
    pub fn currency(&self, now: Moment) -> Currency {
        match (self.listed, &self.fault) {
            (false, None) => Currency::Waiting,
            (_, Some(_)) => Currency::Stale,
            (true, None) => match self.seen {
                Some(seen) if now.since(seen) <= 2 * self.pace() => Currency::Live,
                _ => Currency::Stale,
            },
        }
    }

    fn pace(&self) -> u64 {
        if self.pace_ms == 0 {
            PULSE_MS
        } else {
            self.pace_ms
        }
    }

    /// Milliseconds since the value was current; none if it never was.
    pub fn age(&self, now: Moment) -> Option<u64> {
        self.seen.map(|seen| now.since(seen))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fault() -> Fault {
        Fault {
            kind: FaultKind::Unreachable,
            what: "refused".into(),
        }
    }

    #[test]
    fn a_feed_that_never_listed_is_waiting_and_never_live() {
        let mut feed = Feed::<()>::default();
        feed.confirm(Moment(5));
        assert_eq!(feed.currency(Moment(6)), Currency::Waiting);
        feed.fail(fault());
        assert_eq!(feed.currency(Moment(6)), Currency::Stale);
        assert_eq!(feed.age(Moment(6)), None);
    }

    #[test]
    fn silence_for_two_pulses_is_stale_without_any_error() {
        let mut feed = Feed::<()> {
            listed: true,
            ..Feed::default()
        };
        feed.confirm(Moment(1_000));
        assert_eq!(feed.currency(Moment(1_000 + 2 * PULSE_MS)), Currency::Live);
        assert_eq!(feed.currency(Moment(1_001 + 2 * PULSE_MS)), Currency::Stale);
    }

    #[test]
    fn a_fault_keeps_the_value_and_its_age() {
        let mut feed = Feed {
            value: 7,
            listed: true,
            ..Feed::default()
        };
        feed.confirm(Moment(1_000));
        feed.fail(fault());
        assert_eq!((feed.value, feed.age(Moment(4_000))), (7, Some(3_000)));
        assert_eq!(feed.currency(Moment(1_001)), Currency::Stale);
    }
}
