//! What is left when the API is away: one local file an operation, append-only JSON lines.
//!
//! Each line carries a number and the hash of the line before, and is on the disk before the request that
//! it announces is sent. The record in the cluster is the truth; this is the evidence beside it.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::plan::digest;

/// The version of the lines' shape.
const SCHEMA: u32 = 1;

/// One line.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Line {
    /// The version of its shape.
    pub schema: u32,
    /// From 1.
    pub seq: u64,
    /// SHA-256 of the line before, hexadecimal; empty in the first.
    pub prev: String,
    /// When.
    pub at: Timestamp,
    /// `entry`, `sent` or `answered`.
    pub phase: String,
    /// The entry, the request, or the answer.
    pub what: Value,
}

/// The journal of one operation.
#[derive(Debug)]
pub struct Journal {
    file: Option<File>,
    path: Option<PathBuf>,
    seq: u64,
    prev: String,
    /// Whether the last line was written in part.
    is_torn: bool,
    /// Why one that was there is not gone on with.
    broken: Option<String>,
    /// Who writes it, where nobody may wait for the disk.
    beside: Option<Beside>,
}

/// A line that is not numbered yet.
type Said = (Timestamp, String, Value);

/// A thread that writes a journal at its own pace.
#[derive(Debug)]
struct Beside {
    lines: mpsc::Sender<Said>,
    done: mpsc::Receiver<()>,
}

impl Journal {
    /// None at all: for those who only look, and for a simulation.
    pub fn none() -> Self {
        Self {
            file: None,
            path: None,
            seq: 0,
            prev: String::new(),
            is_torn: false,
            broken: None,
            beside: None,
        }
    }

    /// The same as [`Self::open`] for a rollback, which waits for no disk (SAFETY, rule 9): a thread opens and writes it.
    pub fn beside(folder: &Path, id: &str) -> Self {
        let (lines, said) = mpsc::channel::<Said>();
        let (tell, done) = mpsc::channel();
        let (folder, id) = (folder.to_owned(), id.to_owned());
        let write = move || {
            // Dropped when all is written, or cannot be.
            let _tell: mpsc::Sender<()> = tell;
            let opened = Self::open(&folder, &id);
            let written = opened.and_then(|mut journal| {
                said.iter()
                    .try_for_each(|(at, phase, what)| journal.write(at, &phase, what))
            });
            if let Err(error) = written {
                tracing::warn!(%error, "the journal could not be written");
            }
        };
        let started = thread::Builder::new().name("journal".into()).spawn(write);
        Self {
            beside: started.ok().map(|_| Beside { lines, done }),
            ..Self::none()
        }
    }

    /// Waits until all is written, no longer than `limit`.
    pub fn settle(&mut self, limit: Duration) {
        if let Some(Beside { lines, done }) = self.beside.take() {
            drop(lines);
            let _ = done.recv_timeout(limit);
        }
    }

    /// The journal of operation `id` in `folder`, which is made (0700) where it is missing. One that is
    /// there is gone on with, behind its last whole line; one whose chain is broken, or that another process writes, is left as
    /// it is, and another one begun beside it.
    ///
    /// # Errors
    /// The disk's own.
    pub fn open(folder: &Path, id: &str) -> io::Result<Self> {
        let named = |e: io::Error| io::Error::new(e.kind(), format!("{}: {e}", folder.display()));
        Self::opened(folder, id).map_err(named)
    }

    fn opened(folder: &Path, id: &str) -> io::Result<Self> {
        fs::DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(folder)?;
        let mut broken = None;
        let mut number = 1;
        let (path, mut file, known, read) = loop {
            let path = folder.join(name(id, number));
            let file = OpenOptions::new()
                .append(true)
                .create(true)
                .mode(0o600)
                .open(&path)?;
            // A worker that was cut off on this machine may write on until it notices. Where a disk knows no locks the
            // chain tells what became of it.
            if !matches!(file.try_lock(), Err(TryLockError::WouldBlock)) {
                let known = String::from_utf8_lossy(&fs::read(&path)?).into_owned();
                let read = read(&known);
                match &read.broken {
                    Some(why) => broken = Some(format!("{}: {why}", name(id, number))),
                    None => break (path, file, known, read),
                }
            }
            number += 1;
        };
        if !known.is_empty() && !known.ends_with('\n') {
            // A torn last line stays where it is; the chain goes on in a line of its own.
            file.write_all(b"\n")?;
        }
        let last = read.lines.last();
        Ok(Self {
            seq: last.map_or(0, |(line, _)| line.seq),
            prev: last.map_or_else(String::new, |(_, hash)| hash.clone()),
            file: Some(file),
            path: Some(path),
            is_torn: false,
            broken,
            beside: None,
        })
    }

    /// Which one that was there could not be gone on with, and why.
    pub fn broken(&self) -> Option<&str> {
        self.broken.as_deref()
    }

    /// Where it is.
    pub fn path(&self) -> Option<&Path> {
        self.path.as_deref()
    }

    /// Writes one line and flushes it to the disk.
    ///
    /// # Errors
    /// The disk's own: full, read-only, quota.
    pub fn write(&mut self, at: Timestamp, phase: &str, what: Value) -> io::Result<()> {
        if let Some(beside) = &self.beside {
            let _ = beside.lines.send((at, phase.to_owned(), what));
            return Ok(());
        }
        let Some(file) = &mut self.file else {
            return Ok(());
        };
        let line = Line {
            schema: SCHEMA,
            seq: self.seq + 1,
            prev: self.prev.clone(),
            at,
            phase: phase.to_owned(),
            what,
        };
        let mut bytes = serde_json::to_vec(&line).map_err(io::Error::other)?;
        let hash = digest(&bytes);
        bytes.push(b'\n');
        put(file, &mut self.is_torn, &bytes)?;
        (self.seq, self.prev) = (line.seq, hash);
        file.sync_data()
    }
}

/// The file of the `number`th journal of an operation.
fn name(id: &str, number: u32) -> String {
    match number {
        1 => format!("{id}.jsonl"),
        number => format!("{id}.{number}.jsonl"),
    }
}

/// The journals of operation `id` in `folder`, in their order, each as far as it can be believed.
///
/// # Errors
/// The disk's own.
pub fn all(folder: &Path, id: &str) -> io::Result<Vec<(PathBuf, Read)>> {
    let mut all = Vec::new();
    for number in 1.. {
        let path = folder.join(name(id, number));
        match fs::read(&path) {
            Ok(bytes) => all.push((path, read(&String::from_utf8_lossy(&bytes)))),
            Err(error) if error.kind() == io::ErrorKind::NotFound => break,
            Err(error) => return Err(error),
        }
    }
    Ok(all)
}

/// Writes a line. What a full disk left of the one before is made no line of, whatever is missing of it, and stays where it is.
fn put(file: &mut impl io::Write, is_torn: &mut bool, line: &[u8]) -> io::Result<()> {
    if *is_torn {
        file.write_all(b"!\n")?;
    }
    *is_torn = true;
    file.write_all(line)?;
    *is_torn = false;
    Ok(())
}

/// What a journal's text holds.
#[derive(Debug, Default, PartialEq)]
pub struct Read {
    /// The lines whose chain holds, each with its own hash.
    pub lines: Vec<(Line, String)>,
    /// Why it was not read to its end.
    pub broken: Option<String>,
}

/// The longest prefix of `text` whose chain holds. Torn lines are passed over; a hash that does not fit, a
/// line out of order or a newer version end it.
pub fn read(text: &str) -> Read {
    let mut read = Read::default();
    for (place, raw) in text.lines().enumerate() {
        let Ok(line) = serde_json::from_str::<Line>(raw) else {
            continue;
        };
        let (seq, prev) =
            (read.lines.last()).map_or((0, ""), |(line, hash)| (line.seq, hash.as_str()));
        let wrong = match () {
            () if line.schema > SCHEMA => {
                Some(format!("a newer version ({}) wrote it", line.schema))
            }
            () if line.seq != seq + 1 => Some(format!("number {} follows {seq}", line.seq)),
            () if line.prev != prev => Some("it does not fit the line before".to_owned()),
            () => None,
        };
        if let Some(why) = wrong {
            read.broken = Some(format!("line {}: {why}", place + 1));
            return read;
        }
        read.lines.push((line, digest(raw.as_bytes())));
    }
    read
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use serde_json::json;
    use std::os::unix::fs::PermissionsExt as _;

    fn now() -> Timestamp {
        "2026-11-26T14:02:00Z".parse().unwrap()
    }

    fn written(folder: &Path, count: u64) -> String {
        let mut journal = Journal::open(folder, "op").unwrap();
        for n in 0..count {
            journal.write(now(), "entry", json!({ "n": n })).unwrap();
        }
        fs::read_to_string(folder.join("op.jsonl")).unwrap()
    }

    #[test]
    fn lines_are_chained_and_private() {
        let folder = tempfile::tempdir().unwrap();
        let place = folder.path().join("state");
        let text = written(&place, 3);
        let read = read(&text);
        assert_eq!((read.lines.len(), read.broken), (3, None));
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!(
            (mode(&place), mode(&place.join("op.jsonl"))),
            (0o700, 0o600)
        );
    }

    #[test]
    fn i_24_a_journal_beside_a_rollback_waits_for_no_disk_and_is_whole() {
        let folder = tempfile::tempdir().unwrap();
        // Whoever opens a pipe that nobody reads waits for ever.
        let pipe = folder.path().join("hung.jsonl");
        rustix::fs::mknodat(
            rustix::fs::CWD,
            &pipe,
            rustix::fs::FileType::Fifo,
            rustix::fs::Mode::from_raw_mode(0o600),
            0,
        )
        .unwrap();
        let began = std::time::Instant::now();
        let mut hung = Journal::beside(folder.path(), "hung");
        hung.write(now(), "sent", json!({})).unwrap();
        hung.settle(Duration::from_millis(50));
        assert!(began.elapsed() < Duration::from_secs(5));

        let mut journal = Journal::beside(folder.path(), "op");
        for n in 0..3 {
            journal.write(now(), "sent", json!({ "n": n })).unwrap();
        }
        journal.settle(Duration::from_secs(30));
        let text = fs::read_to_string(folder.path().join("op.jsonl")).unwrap();
        assert_eq!(read(&text).lines.len(), 3);
    }

    #[test]
    fn rule_8_two_processes_at_one_operation_break_neithers_chain() {
        let folder = tempfile::tempdir().unwrap();
        let mut cut_off = Journal::open(folder.path(), "op").unwrap();
        cut_off.write(now(), "entry", json!("before")).unwrap();
        let mut taken_over = Journal::open(folder.path(), "op").unwrap();
        taken_over.write(now(), "entry", json!("adopted")).unwrap();
        // Until it notices.
        cut_off.write(now(), "entry", json!("late")).unwrap();
        taken_over.write(now(), "sent", json!("flip")).unwrap();
        let all = all(folder.path(), "op").unwrap();
        let told: Vec<_> = (all.iter())
            .map(|(_, read)| (read.lines.len(), &read.broken))
            .collect();
        assert_eq!(told, [(2, &None), (2, &None)]);
        // It is no break: nothing is said of it.
        assert_eq!(taken_over.broken(), None);
        drop((cut_off, taken_over));
        let again = Journal::open(folder.path(), "op").unwrap();
        assert!(again.path().unwrap().ends_with("op.jsonl"));
    }

    #[test]
    fn p06_a_torn_last_line_is_passed_over_and_the_chain_goes_on() {
        let folder = tempfile::tempdir().unwrap();
        let text = written(folder.path(), 2);
        fs::write(folder.path().join("op.jsonl"), &text[..text.len() - 9]).unwrap();
        let read = read(&written(folder.path(), 2));
        let numbers: Vec<u64> = read.lines.iter().map(|(line, _)| line.seq).collect();
        assert_eq!((numbers, read.broken), (vec![1, 2, 3], None));
    }

    #[test]
    fn p06_a_changed_line_ends_what_is_believed() {
        let folder = tempfile::tempdir().unwrap();
        let text = written(folder.path(), 3).replace("\"n\":1", "\"n\":7");
        let read = read(&text);
        assert_eq!(read.lines.len(), 2);
        assert!(read.broken.unwrap().contains("line 3"));
    }

    #[test]
    fn p06_a_newer_version_is_not_read() {
        let folder = tempfile::tempdir().unwrap();
        let text = written(folder.path(), 1).replace("\"schema\":1", "\"schema\":2");
        assert!(read(&text).broken.unwrap().contains("newer"));
    }

    #[test]
    fn p06_a_journal_that_cannot_be_believed_is_left_as_it_is_and_another_one_begun() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("op.jsonl");
        let changed = written(folder.path(), 3).replace("\"n\":1", "\"n\":7");
        fs::write(&file, &changed).unwrap();
        let mut journal = Journal::open(folder.path(), "op").unwrap();
        let why = journal.broken().unwrap().to_owned();
        assert!(why.starts_with("op.jsonl: line 3: "), "{why}");
        journal.write(now(), "entry", json!({})).unwrap();
        assert_eq!(fs::read_to_string(&file).unwrap(), changed);
        let all = all(folder.path(), "op").unwrap();
        let lines: Vec<usize> = all.iter().map(|(_, read)| read.lines.len()).collect();
        assert_eq!(lines, [2, 1]);
        drop(journal);
        // The second one is gone on with, and bytes that are no text are a torn line.
        fs::write(folder.path().join("other.jsonl"), b"\xff\xfe\n").unwrap();
        for id in ["op", "other"] {
            let mut journal = Journal::open(folder.path(), id).unwrap();
            journal.write(now(), "entry", json!({})).unwrap();
        }
        let last = |id| super::all(folder.path(), id).unwrap().pop().unwrap().1;
        assert_eq!((last("op").lines.len(), last("other").lines.len()), (2, 1));
    }

    /// A disk that has room for so many bytes more.
    struct Short(Vec<u8>, usize);

    impl io::Write for Short {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            let many = bytes.len().min(self.1);
            self.1 -= many;
            self.0.extend(&bytes[..many]);
            match many {
                0 => Err(io::ErrorKind::StorageFull.into()),
                many => Ok(many),
            }
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn p05_a_disk_that_was_full_for_a_moment_leaves_the_chain_whole() {
        let folder = tempfile::tempdir().unwrap();
        let text = written(folder.path(), 3);
        let lines: Vec<&str> = text.split_inclusive('\n').collect();
        // Torn within the second line, behind all of it but its end, and before any of it.
        for room in [9, lines[1].len() - 1, 0] {
            let (mut disk, mut is_torn) = (Short(Vec::new(), lines[0].len() + room), false);
            put(&mut disk, &mut is_torn, lines[0].as_bytes()).unwrap();
            put(&mut disk, &mut is_torn, lines[1].as_bytes()).unwrap_err();
            disk.1 = usize::MAX;
            put(&mut disk, &mut is_torn, lines[1].as_bytes()).unwrap();
            put(&mut disk, &mut is_torn, lines[2].as_bytes()).unwrap();
            let read = read(&String::from_utf8(disk.0).unwrap());
            assert_eq!((read.lines.len(), read.broken), (3, None), "{room}");
        }
    }

    #[test]
    fn p05_a_disk_that_is_full_says_so() {
        let mut journal = Journal {
            file: Some(OpenOptions::new().write(true).open("/dev/full").unwrap()),
            ..Journal::none()
        };
        let error = journal.write(now(), "entry", json!({})).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::StorageFull);
    }
}
