//! A container's log as it grows: the last 500 lines, then what comes.
//!
//! A connection that died in silence looks like a container that says nothing. So a log is cut with the watches, when the
//! line is back, and goes on where it stopped; and one that is quiet for long is opened anew, as its connection may have died
//! alone.

use std::pin::Pin;
use std::time::Duration;

use futures::io::{AsyncBufRead, AsyncBufReadExt as _};
use futures::stream::{self, BoxStream, StreamExt as _};
use k8s_openapi::api::core::v1::Pod;
use kube::Api;
use kube::api::LogParams;
use tokio::sync::watch::Receiver;
use tokio::time::{Instant, timeout};

use super::super::mask::Masks;
use super::single::check_name;
use super::{Cluster, fault};
use crate::estate::{Fault, FaultKind, LogChunk, LogTarget, Safe};
use place::Place;

mod place;

/// Lines from before.
const TAIL: i64 = 500;
/// Bytes kept of a line while it is read; `Safe` keeps less.
const LINE: usize = 16 << 10;
/// Lines told at once.
const CHUNK: usize = 256;

/// Follows the log. The stream ends after `LogChunk::Ended`; whoever wants more asks again.
pub fn logs(cluster: &Cluster, target: &LogTarget) -> BoxStream<'static, LogChunk> {
    let reading = Reading {
        cuts: cluster.line.cuts(),
        cluster: cluster.clone(),
        target: target.clone(),
        stage: Stage::Closed,
        place: Place::default(),
        masks: Masks::default(),
        line: Vec::new(),
    };
    stream::unfold(reading, Reading::next).boxed()
}

type Reader = Pin<Box<dyn AsyncBufRead + Send>>;

/// How far the reading is.
enum Stage {
    /// To be opened.
    Closed,
    /// Under way.
    Open(Reader),
    /// At its end, which is to be told, with what broke it off.
    Ended(Option<Fault>),
    /// The end was told.
    Over,
}

struct Reading {
    cluster: Cluster,
    target: LogTarget,
    /// Tells when what is open is cut.
    cuts: Receiver<u64>,
    stage: Stage,
    place: Place,
    masks: Masks,
    line: Vec<u8>,
}

impl Reading {
    async fn next(mut self) -> Option<(LogChunk, Self)> {
        loop {
            let told = match std::mem::replace(&mut self.stage, Stage::Over) {
                Stage::Closed => {
                    self.stage = self.open().await;
                    Vec::new()
                }
                Stage::Open(reader) => self.read(reader).await,
                Stage::Ended(why) => return Some((LogChunk::Ended(why), self)),
                Stage::Over => return None,
            };
            if !told.is_empty() {
                return Some((LogChunk::Lines(told), self));
            }
        }
    }

    /// Opens it: from its last lines, or from where it stopped.
    async fn open(&mut self) -> Stage {
        // The name goes into the path as it is.
        if let Err(why) = check_name(&self.target.pod) {
            return Stage::Ended(Some(why));
        }
        self.cuts.mark_unchanged();
        let cluster = &self.cluster;
        let api: Api<Pod> = Api::namespaced(cluster.client.clone(), &cluster.namespace);
        let since = self.place.resume();
        let wanted = LogParams {
            container: Some(self.target.container.to_string()),
            follow: !self.target.previous,
            previous: self.target.previous,
            tail_lines: since.is_none().then_some(TAIL),
            since_time: since,
            timestamps: true,
            ..LogParams::default()
        };
        let began = Instant::now();
        match api.log_stream(&self.target.pod, &wanted).await {
            Ok(reader) => Stage::Open(Box::pin(reader)),
            Err(e) => {
                let fault = fault::of(&cluster.host(), &e);
                // The kubelet sends not even the head of its answer before the first line. A gateway that says at once
                // that it is slow is asked no more.
                let limits = &cluster.line.limits;
                let is_unheard = fault.kind == FaultKind::Slow && began.elapsed() >= limits.head;
                if wanted.follow && is_unheard && cluster.pulse(limits.connect).await.is_ok() {
                    return Stage::Closed;
                }
                Stage::Ended(Some(match since {
                    Some(_) => broken(fault),
                    None => fault,
                }))
            }
        }
    }

    /// Reads what has come, and takes whole lines off it.
    async fn read(&mut self, mut reader: Reader) -> Vec<Safe> {
        // What is over ends by itself; whose place is not known cannot be gone on with.
        let quiet = match !self.target.previous && self.place.is_known() {
            true => self.cluster.line.limits.quiet,
            false => Duration::MAX,
        };
        let Ok(read) = timeout(quiet, reader.fill_buf()).await else {
            self.line.clear();
            self.stage = Stage::Closed;
            return Vec::new();
        };
        let broken = match read {
            Ok([]) => None,
            Ok(bytes) => {
                let (lines, used) =
                    split(&mut self.line, bytes, (&mut self.place, &mut self.masks));
                reader.consume_unpin(used);
                self.stage = Stage::Open(reader);
                return lines;
            }
            Err(e) => {
                let host = self.cluster.host();
                Some(broken(fault::of(&host, &kube::Error::ReadEvents(e))))
            }
        };
        let is_cut = broken.is_none() && self.cuts.has_changed().unwrap_or(false);
        if is_cut {
            self.line.clear();
            self.stage = match self.place.is_known() {
                true => Stage::Closed,
                false => Stage::Ended(Some(lost(&self.cluster.host()))),
            };
            return Vec::new();
        }
        self.stage = Stage::Ended(broken);
        // The last line has no line break.
        let last = std::mem::take(&mut self.line);
        let last = (!last.is_empty()).then(|| self.place.pass(&last)).flatten();
        (last.map(|line| told(line, &mut self.masks)))
            .into_iter()
            .collect()
    }
}

/// Takes whole lines off `bytes`, up to [`CHUNK`]; what is left of a line stays in `line`, bounded.
fn split(
    line: &mut Vec<u8>,
    bytes: &[u8],
    (place, masks): (&mut Place, &mut Masks),
) -> (Vec<Safe>, usize) {
    let mut lines = Vec::new();
    let mut used = 0;
    while lines.len() < CHUNK && used < bytes.len() {
        let rest = &bytes[used..];
        let end = rest.iter().position(|b| *b == b'\n');
        let piece = &rest[..end.unwrap_or(rest.len())];
        let room = (LINE + 1).saturating_sub(line.len());
        line.extend_from_slice(&piece[..piece.len().min(room)]);
        used += piece.len() + usize::from(end.is_some());
        if end.is_some() {
            lines.extend(place.pass(line).map(|line| told(line, masks)));
            line.clear();
        }
    }
    (lines, used)
}

/// A line as it is shown.
fn told(line: &[u8], masks: &mut Masks) -> Safe {
    masks.line(&Safe::from_bytes(line.strip_suffix(b"\r").unwrap_or(line)))
}

/// What broke it off, in its words.
fn broken(fault: Fault) -> Fault {
    match fault.kind {
        FaultKind::Malformed => fault,
        _ => Fault {
            what: format!("the log broke off: {}", fault.what).into(),
            ..fault
        },
    }
}

/// The line was lost, and where the log stopped is not known.
fn lost(host: &str) -> Fault {
    let what = format!("the connection to {host} was lost; close the log and open it again");
    broken(fault::words(FaultKind::Unreachable, what))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_split_bounded_and_cleaned() {
        let mut line = Vec::new();
        let (lines, used) = split(
            &mut line,
            b"one\r\n\x1b[31mtwo\n\xff\xfe\nrest",
            (&mut Place::default(), &mut Masks::default()),
        );
        assert_eq!(used, 21);
        let texts: Vec<&str> = lines.iter().map(|l| l.as_str()).collect();
        assert_eq!(texts, ["one", "two", "\u{fffd}\u{fffd}"]);
        assert_eq!(line, b"rest");
        for _ in 0..100 {
            assert!(
                split(
                    &mut line,
                    &[b'x'; 4096],
                    (&mut Place::default(), &mut Masks::default())
                )
                .0
                .is_empty()
            );
        }
        assert!(line.len() <= LINE + 1);
        let (long, _) = split(
            &mut line,
            b"\n",
            (&mut Place::default(), &mut Masks::default()),
        );
        assert!(long[0].ends_with('…'));
    }

    #[test]
    fn a_flood_is_told_in_parts() {
        let (lines, used) = split(
            &mut Vec::new(),
            &b"x\n".repeat(CHUNK * 3),
            (&mut Place::default(), &mut Masks::default()),
        );
        assert_eq!((lines.len(), used), (CHUNK, CHUNK * 2));
    }
}
