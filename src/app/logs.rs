//! A container's log on the screen: bounded, followed or held.

use std::collections::VecDeque;

use serde::Serialize;

use crate::estate::{Fault, LogChunk, LogTarget, Safe};

/// The most lines that are kept; older ones are counted, not kept.
const LINES: usize = 5_000;
/// The most bytes that are kept.
const BYTES: usize = 4 << 20;

/// Whose log.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub enum LogSource {
    /// A container's.
    Container(LogTarget),
    /// A job's of a workflow run.
    Job {
        /// Its id.
        id: u64,
        /// Its run's number.
        run: u64,
        /// Its name.
        name: Safe,
    },
}

/// A log and how it is looked at.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct LogView {
    /// Which log.
    pub source: LogSource,
    /// Its last lines, oldest first.
    #[serde(skip)]
    pub lines: VecDeque<Safe>,
    /// How many older lines were let go.
    pub dropped: usize,
    /// Whether it stays at the end as lines come.
    pub is_following: bool,
    /// Whether long lines go on below, instead of being cut.
    pub is_wrapped: bool,
    /// Lines above the end, when it does not follow.
    pub above: usize,
    /// Whether the stream ended, and why if not by itself.
    pub ended: Option<Option<Fault>>,
    bytes: usize,
}

impl LogView {
    /// An empty log, following.
    pub fn new(source: LogSource) -> Self {
        Self {
            source,
            lines: VecDeque::new(),
            dropped: 0,
            is_following: true,
            is_wrapped: false,
            above: 0,
            ended: None,
            bytes: 0,
        }
    }

    /// Takes part of the log in.
    pub fn take(&mut self, chunk: LogChunk) {
        match chunk {
            LogChunk::Ended(fault) => self.ended = Some(fault),
            LogChunk::Lines(lines) => {
                self.ended = None;
                for line in lines {
                    self.push(line);
                }
            }
        }
    }

    fn push(&mut self, line: Safe) {
        self.bytes += line.len();
        self.lines.push_back(line);
        if !self.is_following {
            // What is looked at stays under the eye.
            self.above += 1;
        }
        while self.lines.len() > LINES || self.bytes > BYTES {
            let Some(old) = self.lines.pop_front() else {
                return;
            };
            self.bytes -= old.len();
            self.dropped += 1;
        }
    }

    /// Moves by `lines`, down if positive; reaching the end does not follow by itself.
    pub fn scroll(&mut self, lines: i64) {
        self.is_following = false;
        let most = i64::try_from(self.lines.len()).unwrap_or(i64::MAX);
        let above = i64::try_from(self.above).unwrap_or(most);
        let above = (above - lines).clamp(0, most);
        self.above = usize::try_from(above).unwrap_or(0);
    }

    /// Follows the end, or holds still.
    pub fn follow(&mut self, is_following: bool) {
        self.is_following = is_following;
        if is_following {
            self.above = 0;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn log() -> LogView {
        LogView::new(LogSource::Job {
            id: 1,
            run: 1,
            name: "j".into(),
        })
    }

    fn lines(n: usize, width: usize) -> LogChunk {
        LogChunk::Lines(vec![Safe::new(&"x".repeat(width)); n])
    }

    #[test]
    fn what_is_kept_is_bounded_and_what_was_dropped_is_counted() {
        let mut log = log();
        log.take(lines(LINES + 10, 1));
        assert_eq!((log.lines.len(), log.dropped), (LINES, 10));
        log.take(lines(3_000, 4_000));
        assert!(log.lines.iter().map(|l| l.len()).sum::<usize>() <= BYTES);
    }

    #[test]
    fn a_held_log_stays_under_the_eye() {
        let mut log = log();
        log.take(lines(100, 1));
        log.scroll(-10);
        log.take(lines(5, 1));
        assert_eq!((log.above, log.is_following), (15, false));
        log.follow(true);
        assert_eq!(log.above, 0);
    }
}
