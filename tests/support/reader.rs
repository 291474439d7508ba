//! The reading side of a pty: at which pace, and what an emulator makes of it.

use std::{
    num::NonZeroU16,
    os::fd::{AsFd, OwnedFd},
    sync::{Condvar, Mutex},
    time::{Duration, Instant},
};

use rustix::event::{PollFd, PollFlags, Timespec, poll};

/// How long the reader sleeps at most before it looks at its orders again.
pub(super) const LOOK: Duration = Duration::from_millis(10);

/// One read of the terminal: when, and how many bytes.
#[derive(Clone, Copy, Debug)]
pub struct Chunk {
    pub at: Instant,
    pub len: usize,
}

/// What vt100 does not model but a test may ask about.
#[derive(Default)]
pub struct Extra {
    pub title: String,
    pub clipboard: Vec<String>,
    /// The private modes that are on, 2026 and 1004 among them.
    pub modes: Vec<u16>,
    /// Queries that the program sent, as `n`, `c`, `t`, `$p`: it must send none.
    pub queries: Vec<String>,
    /// How often it rang.
    pub bells: usize,
}

impl vt100::Callbacks for Extra {
    fn set_window_title(&mut self, _: &mut vt100::Screen, title: &[u8]) {
        self.title = String::from_utf8_lossy(title).into_owned();
    }

    fn audible_bell(&mut self, _: &mut vt100::Screen) {
        self.bells += 1;
    }

    fn copy_to_clipboard(&mut self, _: &mut vt100::Screen, _: &[u8], data: &[u8]) {
        self.clipboard
            .push(String::from_utf8_lossy(data).into_owned());
    }

    fn unhandled_csi(
        &mut self,
        _: &mut vt100::Screen,
        i1: Option<u8>,
        i2: Option<u8>,
        params: &[&[u16]],
        last: char,
    ) {
        let numbers = params.iter().filter_map(|p| p.first().copied());
        match (i1, last) {
            (Some(b'?'), 'h') => self.modes.extend(numbers),
            (Some(b'?'), 'l') => numbers.for_each(|n| self.modes.retain(|on| *on != n)),
            (_, 'n' | 'c' | 'p' | 'q') => self.queries.push(format!("{i1:?}{i2:?}{last}")),
            _ => {}
        }
    }
}

/// How the reader reads.
#[derive(Clone, Copy, PartialEq)]
pub(super) enum Pace {
    Free,
    /// So many bytes a second.
    Slow(usize),
    Stalled,
    /// The master is to be closed.
    Closed,
}

pub(super) struct Seen {
    pub(super) parser: vt100::Parser<Extra>,
    pub(super) raw: Vec<u8>,
    pub(super) chunks: Vec<Chunk>,
    pub(super) pace: Pace,
    pub(super) is_over: bool,
}

pub(super) struct Shared {
    pub(super) seen: Mutex<Seen>,
    pub(super) changed: Condvar,
}

impl Shared {
    pub(super) fn new((columns, rows): (u16, u16)) -> Self {
        let (columns, rows) = (at_least_one(columns), at_least_one(rows));
        let parser = vt100::Parser::new_with_callbacks(rows, columns, 0, Extra::default());
        let seen = Seen {
            parser,
            raw: Vec::new(),
            chunks: Vec::new(),
            pace: Pace::Free,
            is_over: false,
        };
        Self {
            seen: Mutex::new(seen),
            changed: Condvar::new(),
        }
    }

    /// Waits for the turn to read and says how many bytes; none when it is over.
    fn turn(&self) -> Option<usize> {
        let mut seen = self.seen.lock().ok()?;
        loop {
            match seen.pace {
                Pace::Closed => return None,
                Pace::Free => return Some(64 * 1024),
                Pace::Stalled => seen = self.changed.wait(seen).ok()?,
                Pace::Slow(rate) => {
                    const STEPS: u32 = 20;
                    let step = Duration::from_secs(1) / STEPS;
                    let pace = seen.pace;
                    let waited = self
                        .changed
                        .wait_timeout_while(seen, step, |s| s.pace == pace);
                    seen = waited.ok()?.0;
                    if seen.pace == pace {
                        return Some((rate / 20).max(1));
                    }
                }
            }
        }
    }

    fn note(&self, bytes: &[u8]) {
        let Ok(mut seen) = self.seen.lock() else {
            return;
        };
        seen.chunks.push(Chunk {
            at: Instant::now(),
            len: bytes.len(),
        });
        seen.raw.extend_from_slice(bytes);
        seen.parser.process(bytes);
        drop(seen);
        self.changed.notify_all();
    }
}

pub(super) fn read_all(master: &OwnedFd, shared: &Shared) {
    let mut buf = vec![0; 64 * 1024];
    while let Some(most) = shared.turn() {
        match rustix::io::read(master, &mut buf[..most]) {
            Ok(n) if n > 0 => shared.note(&buf[..n]),
            Err(rustix::io::Errno::AGAIN | rustix::io::Errno::INTR) => {
                await_fd(master, PollFlags::IN, LOOK);
            }
            // EIO: the last one on the other side is gone.
            _ => break,
        }
    }
    if let Ok(mut seen) = shared.seen.lock() {
        seen.is_over = true;
    }
    shared.changed.notify_all();
}

/// The text of a screen, lines without blanks at their ends.
pub fn text_of(screen: &vt100::Screen) -> String {
    let text = screen.contents();
    text.lines()
        .map(str::trim_end)
        .collect::<Vec<_>>()
        .join("\n")
}

pub(super) fn await_fd(fd: &impl AsFd, what: PollFlags, limit: Duration) {
    let limit = Timespec::try_from(limit).ok();
    let _ = poll(&mut [PollFd::new(fd, what)], limit.as_ref());
}

pub(super) fn at_least_one(n: u16) -> NonZeroU16 {
    NonZeroU16::new(n).unwrap_or(NonZeroU16::MIN)
}
