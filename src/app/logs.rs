//! A container's log on the screen: bounded, followed or held.

use std::collections::VecDeque;

use serde::Serialize;

use super::{State, View};
use crate::estate::{Fault, LogChunk, LogTarget, Safe};

/// The most lines that are kept; older ones are counted, not kept.
const LINES: usize = 5_000;
/// The most bytes that are kept.
const BYTES: usize = 4 << 20;
/// The most notes that are kept.
const NOTES: usize = 4;

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
    /// What holds for all of it, apart from the lines: what is not kept of them takes no note along.
    pub notes: Vec<Safe>,
    /// Its last lines, oldest first.
    #[serde(skip)]
    pub lines: VecDeque<Safe>,
    /// How many older lines were let go.
    pub dropped: usize,
    /// Whether it stays at the end as lines come.
    pub is_following: bool,
    /// Whether long lines go on below, instead of being cut.
    pub is_wrapped: bool,
    /// The line that is looked at, by its number from the log's beginning, when it does not follow: the last on the screen.
    foot: usize,
    /// The last line that the last frame showed, by its number: at an end of the log the page is full all the same.
    #[serde(skip)]
    shown: Option<usize>,
    /// Whether the stream ended, and why if not by itself.
    pub ended: Option<Option<Fault>>,
    bytes: usize,
}

impl LogView {
    /// An empty log, following.
    pub fn new(source: LogSource) -> Self {
        Self {
            source,
            notes: Vec::new(),
            lines: VecDeque::new(),
            dropped: 0,
            is_following: true,
            is_wrapped: false,
            foot: 0,
            shown: None,
            ended: None,
            bytes: 0,
        }
    }

    /// Takes part of the log in.
    pub fn take(&mut self, chunk: LogChunk) {
        match chunk {
            LogChunk::Ended(fault) => self.ended = Some(fault),
            LogChunk::Note(note) => {
                self.notes.push(note);
                self.notes.truncate(NOTES);
            }
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
        while self.lines.len() > LINES || self.bytes > BYTES {
            let Some(old) = self.lines.pop_front() else {
                return;
            };
            self.bytes -= old.len();
            self.dropped += 1;
        }
    }

    /// The lines that `filter` keeps, oldest first, with their numbers from the log's beginning.
    pub fn kept(&self, filter: &str) -> Vec<(usize, &Safe)> {
        let filter = filter.to_lowercase();
        (self.dropped..)
            .zip(&self.lines)
            .filter(|(_, line)| filter.is_empty() || line.to_lowercase().contains(&filter))
            .collect()
    }

    /// The place among `kept` of the line that is looked at, or of the last one before it.
    pub fn place(&self, kept: &[(usize, &Safe)]) -> usize {
        match self.is_following {
            true => kept.len().saturating_sub(1),
            false => before(kept, self.foot),
        }
    }

    /// A frame ended with this line.
    pub fn saw(&mut self, number: usize) {
        self.shown = Some(number);
    }

    /// Moves by `lines` of those that `filter` keeps, down if positive; reaching the end does not follow by itself.
    pub fn scroll(&mut self, lines: i64, filter: &str) {
        let kept = self.kept(filter);
        let place = match self.shown {
            Some(shown) => before(&kept, shown),
            None => self.place(&kept),
        };
        let last = i64::try_from(kept.len().saturating_sub(1)).unwrap_or(i64::MAX);
        let place = i64::try_from(place).unwrap_or(last);
        let place = usize::try_from(place.saturating_add(lines).clamp(0, last)).unwrap_or(0);
        let foot = kept.get(place).map_or(self.dropped, |(number, _)| *number);
        (self.foot, self.is_following, self.shown) = (foot, false, None);
    }

    /// Follows the end, or holds still.
    pub fn follow(&mut self, is_following: bool) {
        let end = self.dropped + self.lines.len();
        self.foot = self.shown.unwrap_or(end.saturating_sub(1));
        self.is_following = is_following;
        self.shown = None;
    }
}

/// The place of the last line of `kept` that is not behind the one with this number.
fn before(kept: &[(usize, &Safe)], number: usize) -> usize {
    kept.partition_point(|(n, _)| *n <= number)
        .saturating_sub(1)
}

/// A frame of the log that is open ended with this line.
pub fn saw(state: &mut State, number: usize) {
    if let Some(View::Log(log)) = state.levels.last_mut().map(|level| &mut level.view) {
        log.saw(number);
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
    fn what_holds_for_all_of_a_log_is_not_let_go_with_its_first_lines() {
        let mut log = log();
        let note = Safe::new("this is the whole job's log");
        log.take(LogChunk::Note(note.clone()));
        for _ in 0..100 {
            log.take(lines(LINES / 50, 1));
        }
        log.take(LogChunk::Ended(None));
        assert_eq!(log.notes, [note]);
        assert_eq!((log.lines.len(), log.dropped), (LINES, LINES));
        assert!(log.kept("").iter().all(|(_, line)| line.as_str() == "x"));
    }

    /// The line that is looked at among those that `filter` keeps.
    fn looked_at(log: &LogView, filter: &str) -> String {
        let kept = log.kept(filter);
        kept[log.place(&kept)].1.to_string()
    }

    fn named(names: impl IntoIterator<Item = String>) -> LogChunk {
        LogChunk::Lines(names.into_iter().map(Safe::from).collect())
    }

    #[test]
    fn a_held_log_stays_under_the_eye() {
        let mut log = log();
        log.take(named((0..100).map(|n| format!("line {n}"))));
        assert_eq!(looked_at(&log, ""), "line 99");
        log.scroll(-10, "");
        log.take(named((100..105).map(|n| format!("line {n}"))));
        assert_eq!(looked_at(&log, ""), "line 89");
        // Also while older lines are let go, for as long as it is kept itself.
        log.take(lines(LINES - 50, 1));
        assert_eq!((log.dropped, looked_at(&log, "").as_str()), (55, "line 89"));
        log.follow(true);
        assert_eq!(looked_at(&log, ""), "x");
    }

    #[test]
    fn a_held_log_stays_under_the_eye_while_lines_come_that_a_filter_leaves_out() {
        let mut log = log();
        log.take(named((0..100).map(|n| format!("line {n}"))));
        log.scroll(-3, "5");
        assert_eq!(looked_at(&log, "5"), "line 65");
        log.take(named((0..50).map(|_| "other".to_owned())));
        assert_eq!(looked_at(&log, "5"), "line 65");
        log.scroll(1, "5");
        assert_eq!(looked_at(&log, "5"), "line 75");
        assert_eq!(looked_at(&log, ""), "line 75", "without it, too");
    }

    #[test]
    fn what_a_page_shows_at_the_logs_beginning_is_where_it_goes_on_from() {
        let mut log = log();
        log.take(named((0..100).map(|n| format!("line {n}"))));
        log.scroll(i64::MIN / 2, "");
        assert_eq!(looked_at(&log, ""), "line 0");
        log.saw(19);
        log.scroll(1, "");
        assert_eq!(looked_at(&log, ""), "line 20");
        log.follow(false);
        assert_eq!(looked_at(&log, ""), "line 99", "nothing was seen since");
    }
}
