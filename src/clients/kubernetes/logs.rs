//! A container's log as it grows: the last 500 lines, then what comes.

use futures::io::{AsyncBufRead, AsyncBufReadExt as _};
use futures::stream::{self, BoxStream, StreamExt as _};
use k8s_openapi::api::core::v1::Pod;
use kube::Api;
use kube::api::LogParams;

use super::super::mask::masked;
use super::{Cluster, fault};
use crate::estate::{Fault, FaultKind, LogChunk, LogTarget, Safe};

/// Lines from before.
const TAIL: i64 = 500;
/// Bytes kept of a line while it is read; `Safe` keeps less.
const LINE: usize = 16 << 10;
/// Lines told at once.
const CHUNK: usize = 256;

/// Follows the log. The stream ends after `LogChunk::Ended`; whoever wants more asks again.
pub fn logs(cluster: &Cluster, target: &LogTarget) -> BoxStream<'static, LogChunk> {
    let (cluster, target) = (cluster.clone(), target.clone());
    stream::once(async move { open(&cluster, &target).await })
        .flat_map(|opened| match opened {
            Ok(chunks) => chunks,
            Err(fault) => stream::iter([LogChunk::Ended(Some(fault))]).boxed(),
        })
        .boxed()
}

async fn open(
    cluster: &Cluster,
    target: &LogTarget,
) -> Result<BoxStream<'static, LogChunk>, Fault> {
    let api: Api<Pod> = Api::namespaced(cluster.client.clone(), &cluster.namespace);
    let wanted = LogParams {
        container: Some(target.container.to_string()),
        follow: !target.previous,
        previous: target.previous,
        tail_lines: Some(TAIL),
        ..LogParams::default()
    };
    let host = cluster.host();
    let reader = (api.log_stream(&target.pod, &wanted).await).map_err(|e| fault::of(&host, &e))?;
    Ok(chunks(Box::pin(reader), host))
}

struct Reading<R> {
    /// None once the end was met.
    reader: Option<R>,
    /// What broke it off, until it is told.
    broken: Option<Fault>,
    /// The end was told.
    is_over: bool,
    line: Vec<u8>,
    host: String,
}

fn chunks<R: AsyncBufRead + Unpin + Send + 'static>(
    reader: R,
    host: String,
) -> BoxStream<'static, LogChunk> {
    let reading = Reading {
        reader: Some(reader),
        broken: None,
        is_over: false,
        line: Vec::new(),
        host,
    };
    stream::unfold(reading, next).boxed()
}

async fn next<R: AsyncBufRead + Unpin>(mut reading: Reading<R>) -> Option<(LogChunk, Reading<R>)> {
    while let Some(mut reader) = reading.reader.take() {
        match reader.fill_buf().await {
            Ok([]) => {}
            Ok(bytes) => {
                let (lines, used) = split(&mut reading.line, bytes);
                reader.consume_unpin(used);
                reading.reader = Some(reader);
                if !lines.is_empty() {
                    return Some((LogChunk::Lines(lines), reading));
                }
            }
            Err(e) => reading.broken = Some(broken(&reading.host, e)),
        }
    }
    if !reading.line.is_empty() {
        // The last line has no line break.
        let last = masked(&Safe::from_bytes(&std::mem::take(&mut reading.line)));
        return Some((LogChunk::Lines(vec![last]), reading));
    }
    if std::mem::replace(&mut reading.is_over, true) {
        return None;
    }
    Some((LogChunk::Ended(reading.broken.take()), reading))
}

/// Takes whole lines off `bytes`, up to [`CHUNK`]; what is left of a line stays in `line`, bounded.
fn split(line: &mut Vec<u8>, bytes: &[u8]) -> (Vec<Safe>, usize) {
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
            lines.push(masked(&Safe::from_bytes(
                line.strip_suffix(b"\r").unwrap_or(line),
            )));
            line.clear();
        }
    }
    (lines, used)
}

fn broken(host: &str, error: std::io::Error) -> Fault {
    match fault::of(host, &kube::Error::ReadEvents(error)) {
        fault if fault.kind == FaultKind::Malformed => fault,
        fault => Fault {
            what: format!("the log broke off: {}", fault.what).into(),
            ..fault
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_split_bounded_and_cleaned() {
        let mut line = Vec::new();
        let (lines, used) = split(&mut line, b"one\r\n\x1b[31mtwo\n\xff\xfe\nrest");
        assert_eq!(used, 21);
        let texts: Vec<&str> = lines.iter().map(|l| l.as_str()).collect();
        assert_eq!(texts, ["one", "two", "\u{fffd}\u{fffd}"]);
        assert_eq!(line, b"rest");
        for _ in 0..100 {
            assert!(split(&mut line, &[b'x'; 4096]).0.is_empty());
        }
        assert!(line.len() <= LINE + 1);
        let (long, _) = split(&mut line, b"\n");
        assert!(long[0].ends_with('…'));
    }

    #[test]
    fn a_flood_is_told_in_parts() {
        let (lines, used) = split(&mut Vec::new(), &b"x\n".repeat(CHUNK * 3));
        assert_eq!((lines.len(), used), (CHUNK, CHUNK * 2));
    }
}
