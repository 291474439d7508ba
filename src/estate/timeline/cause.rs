//! What may have caused something: the flip or the rollout before it.

use jiff::Timestamp;

use super::{Happening, Source, Weight};
use crate::estate::Safe;

/// Something this many seconds after a flip or a rollout says so.
const NEAR_SECONDS: i64 = 3_600;
/// A flip this many seconds before is named beside a rollout that came in between.
const BESIDE_SECONDS: i64 = 900;

/// The moments at which traffic moved or a new revision was made.
pub(super) struct Causes {
    flips: Vec<Timestamp>,
    rollouts: Vec<Timestamp>,
}

impl Causes {
    /// Those among `happenings`.
    pub(super) fn of(happenings: &[Happening]) -> Self {
        let is_flip = |h: &&Happening| h.weight == Weight::Traffic;
        // An operation that was begun is new, too, and is no cause of anything yet.
        let is_rollout = |h: &&Happening| {
            h.weight == Weight::Change && !matches!(h.source, Source::Operation(_))
        };
        Self {
            flips: happenings.iter().filter(is_flip).map(|h| h.at).collect(),
            rollouts: (happenings.iter())
                .filter(is_rollout)
                .map(|h| h.at)
                .collect(),
        }
    }

    /// `41 s after the flip`, for the last flip or rollout before `at`; both, where a flip was near
    /// and a rollout came in between.
    pub(super) fn before(&self, at: Timestamp) -> Option<Safe> {
        self.said(at, &delta)
    }

    /// The same in whole minutes, where the moment is not known better.
    pub(super) fn minutes_before(&self, at: Timestamp) -> Option<Safe> {
        self.said(at, &|seconds| format!("{} m", (seconds + 30) / 60))
    }

    fn said(&self, at: Timestamp, delta: &dyn Fn(i64) -> String) -> Option<Safe> {
        let since = |causes: &[Timestamp]| {
            let before = causes.iter().filter(|cause| **cause <= at);
            let last = before.max()?;
            let seconds = at.as_second() - last.as_second();
            (seconds <= NEAR_SECONDS).then_some(seconds)
        };
        let flip = |seconds| format!("{} after the flip", delta(seconds));
        let rollout = |seconds| format!("{} after the rollout", delta(seconds));
        let said = match (since(&self.flips), since(&self.rollouts)) {
            (Some(f), Some(r)) if f <= r => flip(f),
            (Some(f), Some(r)) if f <= BESIDE_SECONDS => format!("{}, {}", rollout(r), flip(f)),
            (_, Some(r)) => rollout(r),
            (Some(f), None) => flip(f),
            (None, None) => return None,
        };
        Some(Safe::new(&said))
    }
}

/// Seconds up to two minutes, then whole minutes.
fn delta(seconds: i64) -> String {
    match seconds {
        ..120 => format!("{seconds} s"),
        _ => format!("{} m", seconds / 60),
    }
}
