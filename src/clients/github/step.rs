//! Which lines of a job's log belong to one of its steps. GitHub has no log for a step: there are the
//! lines' times, and the headers that the runner writes before each step.

use jiff::Timestamp;

use crate::estate::runs::{Job, Step};

/// What the runner writes before a step that runs something.
const RUN: &str = "##[group]Run ";
/// What it writes before a step that cleans up after an action.
const POST: &str = "Post job cleanup.";
const ERROR: &str = "##[error]";

/// A line's time and text; a line without a time goes on from the one before.
pub(super) fn stamped(line: &[u8]) -> (Option<Timestamp>, &[u8]) {
    let line = line.strip_prefix(b"\xef\xbb\xbf").unwrap_or(line);
    let Some(end) = line.iter().take(40).position(|b| *b == b' ') else {
        return (None, line);
    };
    let time = std::str::from_utf8(&line[..end]).ok();
    match time.and_then(|text| text.parse().ok()) {
        Some(time) => (Some(time), &line[end + 1..]),
        None => (None, line),
    }
}

/// The time of a step, in whole seconds, as GitHub tells them.
#[derive(Clone, Copy, Debug)]
pub(super) struct Window {
    from: i64,
    to: i64,
    /// Steps that began in the same second before it.
    before: usize,
    number: u64,
}

impl Window {
    /// The window of a step of `job`; none where GitHub does not tell its times.
    pub(super) fn of(job: &Job, number: u64) -> Option<Self> {
        let second = |time: Option<Timestamp>| time.map(Timestamp::as_second);
        let step = job.steps.iter().find(|step| step.number == number)?;
        let (from, to) = (second(step.started)?, second(step.completed)?);
        // Step 1 sets the job up: it has no header.
        let is_earlier =
            |s: &&Step| (2..number).contains(&s.number) && second(s.started) == Some(from);
        Some(Self {
            from,
            to,
            before: job.steps.iter().filter(is_earlier).count(),
            number,
        })
    }

    /// Whether a line of that time may be the step's.
    pub(super) fn holds(&self, time: Timestamp) -> bool {
        (self.from..=self.to).contains(&time.as_second())
    }

    /// Cuts off what the first and the last second have of the steps before and after.
    pub(super) fn cut<'l, T>(
        &self,
        lines: &'l [(Option<Timestamp>, T)],
    ) -> &'l [(Option<Timestamp>, T)]
    where
        T: AsRef<[u8]>,
    {
        let is_header = |text: &T| {
            let text = text.as_ref();
            text.starts_with(RUN.as_bytes()) || text.starts_with(POST.as_bytes())
        };
        let headers: Vec<usize> = (lines.iter().enumerate())
            .filter(|(_, (time, text))| {
                is_header(text) && time.is_some_and(|t| t.as_second() == self.from)
            })
            .map(|(place, _)| place)
            .collect();
        let wanted = self.before.min(headers.len().saturating_sub(1));
        let first = headers.get(wanted).copied().filter(|_| self.number > 1);
        let lines = &lines[first.unwrap_or(0)..];
        // The next step's header; after the error, as an action may write headers of its own.
        let error = lines
            .iter()
            .rposition(|(_, text)| text.as_ref().starts_with(ERROR.as_bytes()));
        let is_next = |(place, (time, text)): (usize, &(Option<Timestamp>, T))| {
            let is_last = time.is_some_and(|t| t.as_second() >= self.to);
            let is_after = place > error.unwrap_or(0);
            (is_last && is_after && is_header(text)).then_some(place)
        };
        let end = lines.iter().enumerate().find_map(is_next);
        &lines[..end.unwrap_or(lines.len())]
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use crate::estate::runs::{Conclusion, Progress};

    const LOG: &str = "\u{feff}2026-11-23T20:00:00.1000000Z Current runner version: '2.330.0'
2026-11-23T20:00:01.1000000Z ##[group]Run actions/checkout@v4
2026-11-23T20:00:01.2000000Z with:
2026-11-23T20:00:02.1000000Z ##[group]Run npm ci
2026-11-23T20:00:02.2000000Z added 900 packages
2026-11-23T20:00:02.3000000Z ##[group]Run npm test
2026-11-23T20:00:05.0000000Z 1 failing
  at cart.ts:7
2026-11-23T20:00:05.5000000Z ##[error]Process completed with exit code 1.
2026-11-23T20:00:05.6000000Z Post job cleanup.
2026-11-23T20:00:06.0000000Z bye";

    fn step(number: u64, from: i64, to: i64) -> Step {
        let at = |second: i64| {
            let base: Timestamp = "2026-11-23T20:00:00Z".parse().unwrap();
            Timestamp::from_second(base.as_second() + second).ok()
        };
        Step {
            number,
            name: "x".into(),
            progress: Progress::Done(Conclusion::Failure),
            started: at(from),
            completed: at(to),
        }
    }

    fn part(number: u64) -> Vec<String> {
        let job = Job {
            id: 1,
            name: "ci".into(),
            progress: Progress::Done(Conclusion::Failure),
            started: None,
            completed: None,
            steps: vec![
                step(1, 0, 1),
                step(2, 1, 2),
                step(3, 2, 2),
                step(4, 2, 5),
                step(5, 5, 6),
            ],
            url: "".into(),
        };
        let window = Window::of(&job, number).unwrap();
        let mut is_in = false;
        let mut lines = Vec::new();
        for line in LOG.lines() {
            let (time, text) = stamped(line.as_bytes());
            is_in = time.map_or(is_in, |time| window.holds(time));
            if is_in {
                lines.push((time, text));
            }
        }
        let text = |(_, text): &(_, &[u8])| String::from_utf8_lossy(text).into_owned();
        window.cut(&lines).iter().map(text).collect()
    }

    #[test]
    fn a_steps_lines_are_told_from_its_neighbours_of_the_same_second() {
        assert_eq!(part(3), ["##[group]Run npm ci", "added 900 packages"]);
        let failed = [
            "##[group]Run npm test",
            "1 failing",
            "  at cart.ts:7",
            "##[error]Process completed with exit code 1.",
        ];
        assert_eq!(part(4), failed);
        assert_eq!(part(5), ["Post job cleanup.", "bye"]);
        assert_eq!(part(1)[0], "Current runner version: '2.330.0'");
    }

    #[test]
    fn a_step_without_times_has_no_window() {
        let mut bare = step(1, 0, 1);
        bare.started = None;
        let job = Job {
            id: 1,
            name: "ci".into(),
            progress: Progress::Running,
            started: None,
            completed: None,
            steps: vec![bare],
            url: "".into(),
        };
        assert!(Window::of(&job, 1).is_none() && Window::of(&job, 9).is_none());
    }
}
