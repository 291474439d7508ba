//! How far a log was read, by the times that the server puts before its lines: where it goes on after a connection was lost.

use jiff::Timestamp;

/// How far a log was read.
#[derive(Default)]
pub(super) struct Place {
    /// The time of the last line, and how many lines of that time were read one after another.
    last: Option<(Timestamp, usize)>,
    /// A line without a time was read, so that nobody knows where it stands.
    is_unsure: bool,
    /// After going on: lines of the last time that come once more; none when the place is passed.
    again: Option<usize>,
}

impl Place {
    /// Whether it is known where to go on; at the beginning it is.
    pub(super) fn is_known(&self) -> bool {
        self.last.is_some() || !self.is_unsure
    }

    /// From when on to ask for lines, to go on: by whole seconds, as the API has it. None at the beginning.
    pub(super) fn resume(&mut self) -> Option<Timestamp> {
        let (at, count) = self.last?;
        self.again = Some(count);
        Timestamp::from_second(at.as_second()).ok()
    }

    /// The line without its time; none if it was read before.
    pub(super) fn pass<'l>(&mut self, line: &'l [u8]) -> Option<&'l [u8]> {
        let Some((at, text)) = timed(line) else {
            self.is_unsure = true;
            return Some(line);
        };
        if let (Some(again), Some((last, _))) = (&mut self.again, self.last) {
            if at < last {
                return None;
            }
            if at == last && *again > 0 {
                *again -= 1;
                if *again == 0 {
                    self.again = None;
                }
                return None;
            }
            self.again = None;
        }
        self.last = match self.last {
            Some((last, count)) if last == at => Some((last, count + 1)),
            _ => Some((at, 1)),
        };
        Some(text)
    }
}

/// A line's time, and what stands behind it.
fn timed(line: &[u8]) -> Option<(Timestamp, &[u8])> {
    let space = line.iter().position(|byte| *byte == b' ')?;
    let time = std::str::from_utf8(&line[..space]).ok()?;
    Some((time.parse().ok()?, &line[space + 1..]))
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    fn passed(place: &mut Place, lines: &[&str]) -> Vec<String> {
        let passed = (lines.iter()).filter_map(|line| place.pass(line.as_bytes()));
        passed
            .map(|line| String::from_utf8_lossy(line).into_owned())
            .collect()
    }

    #[test]
    fn it_goes_on_behind_the_last_line_and_repeats_none_of_its_second() {
        let mut place = Place::default();
        let first = [
            "2026-11-23T20:00:01.1Z one",
            "2026-11-23T20:00:01.25Z two",
            "2026-11-23T20:00:01.25Z ",
        ];
        assert_eq!(place.resume(), None);
        assert_eq!(passed(&mut place, &first), ["one", "two", ""]);
        let since = place.resume().unwrap();
        assert_eq!(since.to_string(), "2026-11-23T20:00:01Z");
        let later = [
            "2026-11-23T20:00:01.25Z of the same time",
            "2026-11-23T20:00:02Z four",
            // A clock that was put back: it is no repetition.
            "2026-11-23T20:00:00Z five",
        ];
        let again = [&first[..], &later[..]].concat();
        assert_eq!(
            passed(&mut place, &again),
            ["of the same time", "four", "five"]
        );
    }

    #[test]
    fn a_line_that_was_written_a_moment_before_the_last_one_and_comes_after_it_is_not_lost() {
        let mut place = Place::default();
        let first = ["2026-11-23T20:00:01.1Z one", "2026-11-23T20:00:01.2Z two"];
        passed(&mut place, &first);
        place.resume();
        let again = [&first[..], &["2026-11-23T20:00:01.15Z new"]].concat();
        assert_eq!(passed(&mut place, &again), ["new"]);
    }

    #[test]
    fn a_log_without_times_is_shown_as_it_is_and_has_no_place() {
        let mut place = Place::default();
        assert!(place.is_known());
        assert_eq!(
            passed(&mut place, &["one two", "three"]),
            ["one two", "three"]
        );
        assert!(!place.is_known());
        assert_eq!(place.resume(), None);
    }
}
