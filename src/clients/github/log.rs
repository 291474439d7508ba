//! A job's log: the part of one step where it can be told, else all of it, the end where it is long.

use std::collections::VecDeque;

use http::header::LOCATION;
use http::{HeaderMap, Uri};
use jiff::Timestamp;

use super::super::mask::Masks;
use super::ask::{Purpose, location};
use super::step::{Window, stamped};
use super::{Github, fault};
use crate::clients::kubernetes::fault as way;
use crate::estate::runs::RunLog;
use crate::estate::{Fault, FaultKind, Safe};

/// Bytes kept of a line while it is read; `Safe` keeps less.
const LINE: usize = 16 << 10;
/// Redirects that are followed.
const HOPS: usize = 3;

/// A job's log as it is shown.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct JobLog {
    /// What was left out before the lines, and that they are more than was asked for.
    pub notes: Vec<Safe>,
    /// The lines, oldest first, cleaned and with secrets masked.
    pub lines: Vec<Safe>,
}

/// The log of a job, or of one of its steps.
///
/// # Errors
/// `Missing` where GitHub has no log (any more, or yet), else as for every question.
pub async fn job_log(github: &Github, wanted: &RunLog) -> Result<JobLog, Fault> {
    let kept = github.0.limits.log;
    let mut whole = Tail::new(None, kept);
    let window = wanted.step.and_then(|step| Window::of(&wanted.job, step));
    let mut part = window.map(|window| Tail::new(Some(window), kept));
    let mut body = github.log_body(wanted.job.id).await?;
    let mut line = Vec::new();
    loop {
        let chunk = (body.chunk().await).map_err(|e| broken(github, e))?;
        let Some(chunk) = chunk else { break };
        split(&mut line, &chunk, |line| {
            if let Some(part) = &mut part {
                part.take(line);
            }
            whole.take(line);
        });
    }
    if !line.is_empty() {
        if let Some(part) = &mut part {
            part.take(&line);
        }
        whole.take(&line);
    }
    let part = part.map(Tail::told).unwrap_or_default();
    if !part.lines.is_empty() {
        return Ok(part);
    }
    let mut log = whole.told();
    if wanted.step.is_some() {
        let said = "the lines of this step cannot be told apart: this is the whole job's log";
        log.notes.insert(0, said.into());
    }
    Ok(log)
}

fn broken(github: &Github, error: reqwest::Error) -> Fault {
    let fault = github.broken(&error.without_url());
    let what = format!("the log broke off: {}", fault.what).into();
    Fault { what, ..fault }
}

/// Calls `each` with the whole lines; what is left of a line stays in `line`, bounded.
fn split(line: &mut Vec<u8>, bytes: &[u8], mut each: impl FnMut(&[u8])) {
    for piece in bytes.split_inclusive(|b| *b == b'\n') {
        let (text, is_whole) = match piece.strip_suffix(b"\n") {
            Some(text) => (text, true),
            None => (piece, false),
        };
        let room = (LINE + 1).saturating_sub(line.len());
        line.extend_from_slice(&text[..text.len().min(room)]);
        if is_whole {
            each(line.strip_suffix(b"\r").unwrap_or(line));
            line.clear();
        }
    }
}

type Line = (Option<Timestamp>, Vec<u8>);

/// The end of what is read, bounded.
struct Tail {
    window: Option<Window>,
    is_in: bool,
    lines: VecDeque<Line>,
    bytes: usize,
    most: usize,
    left_out: u64,
}

impl Tail {
    fn new(window: Option<Window>, most: usize) -> Self {
        Self {
            is_in: window.is_none(),
            window,
            lines: VecDeque::new(),
            bytes: 0,
            most,
            left_out: 0,
        }
    }

    fn take(&mut self, line: &[u8]) {
        let (time, text) = stamped(line);
        if let (Some(window), Some(time)) = (&self.window, time) {
            self.is_in = window.holds(time);
        }
        if !self.is_in {
            return;
        }
        self.bytes += text.len() + 1;
        self.lines.push_back((time, text.to_owned()));
        while self.bytes > self.most {
            let Some((_, gone)) = self.lines.pop_front() else {
                return;
            };
            self.bytes -= gone.len() + 1;
            self.left_out += gone.len() as u64 + 1;
        }
    }

    /// The lines as they are shown, with what is left out of them.
    fn told(mut self) -> JobLog {
        let lines = self.lines.make_contiguous();
        let lines = match self.window {
            Some(window) => window.cut(lines),
            None => lines,
        };
        let (gone, kept) = (size(self.left_out), size(self.most as u64));
        let said = format!("{gone} before this are left out; these are the last {kept}");
        let is_whole = self.left_out == 0;
        JobLog {
            notes: (!is_whole).then(|| said.into()).into_iter().collect(),
            lines: Masks::all(lines.iter().map(|(_, text)| Safe::from_bytes(text))),
        }
    }
}

fn size(bytes: u64) -> String {
    let kib = bytes as f64 / 1024.0;
    match bytes {
        0..1024 => format!("{bytes} bytes"),
        1024..1_048_576 => format!("{kib:.1} KiB"),
        _ => format!("{:.1} MiB", kib / 1024.0),
    }
}

impl Github {
    /// The body of a job's log. GitHub redirects to another host, which gets no token.
    async fn log_body(&self, job: u64) -> Result<reqwest::Response, Fault> {
        let path = format!(
            "/repos/{}/actions/jobs/{job}/logs",
            self.0.target.repository
        );
        let opened = self.open(&path, None, Purpose::Asked).await;
        let head = opened.map_err(|fault| match fault.kind {
            FaultKind::Missing => fault::no_log(404),
            FaultKind::Expired => fault::no_log(410),
            _ => fault,
        })?;
        let mut place = self.next(head.headers(), head.status().as_u16())?;
        for _ in 0..HOPS {
            let sent = self.0.http.get(place.to_string()).send().await;
            let response = sent.map_err(|e| blob(&place, self, e))?;
            let status = response.status();
            if status.is_redirection() {
                place = self.next(response.headers(), status.as_u16())?;
            } else if status == 404 || status == 410 {
                return Err(fault::no_log(status.as_u16()));
            } else if !status.is_success() {
                return Err(way::by_status(&name(&place), status.as_u16(), "no log"));
            } else {
                return Ok(response);
            }
        }
        Err(way::by_status(
            self.host(),
            310,
            "too many redirects to the log",
        ))
    }

    /// Where the log lies. What is asked for over TLS is not fetched without.
    fn next(&self, headers: &HeaderMap, status: u16) -> Result<Uri, Fault> {
        let is_plain = self.0.target.api.starts_with("http://");
        let place = location(headers).filter(|to| match to.scheme_str() {
            Some("https") => true,
            Some("http") => is_plain,
            _ => false,
        });
        let what = match headers.contains_key(LOCATION) {
            true => "the log lies where it is not fetched from (not https)",
            false => "no log, and not where it is",
        };
        place.ok_or_else(|| way::by_status(self.host(), status, what))
    }
}

fn name(place: &Uri) -> String {
    place
        .authority()
        .map(ToString::to_string)
        .unwrap_or_default()
}

/// The error without the place: its query is a signature that lets anybody read the log.
fn blob(place: &Uri, github: &Github, error: reqwest::Error) -> Fault {
    let host = name(place);
    match error.is_timeout() {
        true => way::slow(&host, github.0.limits.idle),
        false => way::of_error(&host, &error.without_url()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_bounded_and_lines_survive_any_cut() {
        let mut all: Vec<Vec<u8>> = Vec::new();
        let mut line = Vec::new();
        for chunk in [&b"a\r\nb"[..], b"c\n\nd", b"e"] {
            split(&mut line, chunk, |l| all.push(l.to_owned()));
        }
        assert_eq!(all, [&b"a"[..], b"bc", b""]);
        assert_eq!(line, b"de");
        for _ in 0..100 {
            split(&mut line, &[b'x'; 4096], |_| {});
        }
        assert_eq!(line.len(), LINE + 1);
    }

    #[test]
    fn what_is_left_out_of_a_long_log_is_stated() {
        let mut tail = Tail::new(None, 1 << 10);
        for n in 0..1_000 {
            tail.take(format!("2026-11-23T20:00:00.1Z line {n:04}").as_bytes());
        }
        let told = tail.told();
        assert_eq!(
            told.notes,
            ["8.8 KiB before this are left out; these are the last 1.0 KiB".into()]
        );
        assert_eq!(told.lines.last().map(|l| l.as_str()), Some("line 0999"));
        assert!(told.lines.len() < 110);
    }
}
