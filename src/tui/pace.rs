//! When a frame may come that only data asked for. Keys never wait.

use super::clock::Millis;

/// Between two such frames: 30 a second here, 10 over SSH.
const FRAME_MS: u64 = 33;
const FRAME_SSH_MS: u64 = 100;
/// Bytes a second that they may cost on and on: a log of hundreds of lines a second repaints its page each time.
const BYTES_A_SECOND: u64 = 15 << 10;
/// Saved up while little changes, in milliseconds of that: pages that were just opened fill at once.
const SAVED_MS: u64 = 2000;

/// What the last frames cost.
#[derive(Clone, Copy, Debug)]
pub(super) struct Pace {
    least: u64,
    drawn: Millis,
    /// When all bytes so far are paid for.
    paid: Millis,
}

impl Pace {
    /// Of a terminal here, or of one at the end of a slow line.
    pub(super) const fn new(is_remote: bool) -> Self {
        let least = if is_remote { FRAME_SSH_MS } else { FRAME_MS };
        let (drawn, paid) = (Millis(0), Millis(0));
        Self { least, drawn, paid }
    }

    /// When the next frame may come.
    pub(super) fn due(&self) -> Millis {
        let saved = Millis(self.paid.0.saturating_sub(SAVED_MS));
        self.drawn.plus(self.least).max(saved)
    }

    /// One was drawn, of so many bytes, whoever asked for it.
    pub(super) fn drew(&mut self, now: Millis, bytes: usize) {
        let bytes = u64::try_from(bytes).unwrap_or(u64::MAX);
        let cost = bytes.saturating_mul(1000) / BYTES_A_SECOND;
        // What keys and the largest windows cost beside is not paid for in minutes: data waits two seconds at the most.
        let paid = self.paid.max(now).plus(cost.min(SAVED_MS));
        self.paid = paid.min(now.plus(2 * SAVED_MS));
        self.drawn = now;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Frames of these sizes, each as soon as it may come: when, and how many bytes.
    fn busy(is_remote: bool, sizes: &[usize]) -> Vec<(u64, usize)> {
        let mut pace = Pace::new(is_remote);
        let mut now = Millis(1_000_000);
        let frames = sizes.iter().map(|&bytes| {
            now = now.max(pace.due());
            pace.drew(now, bytes);
            (now.0, bytes)
        });
        frames.collect()
    }

    #[test]
    fn small_frames_come_thirty_times_a_second_and_ten_times_over_ssh() {
        let frames = |is_remote| {
            let frames = busy(is_remote, &[100; 200]);
            (frames.len() as u64 - 1) * 10_000 / (frames[199].0 - frames[0].0)
        };
        assert_eq!((frames(false), frames(true)), (303, 100));
    }

    #[test]
    fn the_first_page_after_a_calm_while_fills_at_once() {
        let frames = busy(false, &[4_000, 3_000, 3_000, 3_000]);
        assert_eq!(frames[3].0 - frames[0].0, 3 * FRAME_MS);
    }

    #[test]
    fn data_waits_for_what_keys_cost_no_longer_than_two_seconds() {
        let mut pace = Pace::new(false);
        for frame in 0..300 {
            pace.drew(Millis(1_000_000 + frame * FRAME_MS), 5_000);
        }
        assert!(pace.due().since(pace.drawn) <= SAVED_MS);
    }

    proptest! {
        #[test]
        fn whatever_frames_cost_no_second_is_above_sixteen_kibibytes_but_for_what_was_saved(
            is_remote: bool,
            sizes in prop::collection::vec(0_usize..30_000, 1..200),
        ) {
            let frames = busy(is_remote, &sizes);
            for (first, (from, _)) in frames.iter().enumerate() {
                // Of a frame, the bytes that the pause behind it pays for.
                let mut bytes = 0;
                for (until, more) in &frames[first..] {
                    let allowed = (until - from + SAVED_MS) * (16 << 10) / 1000;
                    prop_assert!(bytes as u64 <= allowed, "{bytes} B in {} ms", until - from);
                    bytes += more;
                }
            }
        }
    }
}
