//! A program on a pseudo-terminal: what it shows, what it writes and how it ends. Included by
//! `#[path]` where it is needed; Linux only, as it reads /proc.

#![allow(
    dead_code,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    missing_docs,
    reason = "a harness of tests: a failure is a panic, and not every test uses all of it"
)]

mod process;
mod reader;

use std::{
    fs,
    io::Write,
    os::{fd::OwnedFd, unix::fs::OpenOptionsExt},
    path::{Path, PathBuf},
    sync::{Arc, MutexGuard},
    thread::JoinHandle,
    time::{Duration, Instant},
};

use portable_pty::{Child, CommandBuilder, PtySize, native_pty_system};
use rustix::{
    event::PollFlags,
    process::{Pid, PidfdFlags, Signal, pidfd_open},
    termios::{LocalModes, Termios, Winsize},
};

pub use process::Process;
pub use reader::{Chunk, Extra, text_of};
use reader::{LOOK, Pace, Seen, Shared, at_least_one, await_fd, read_all};

/// The limit of a wait that ought to be short; generous, since the machine may be busy.
pub const SOON: Duration = Duration::from_secs(10);
/// How the program ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Exit {
    pub code: u32,
    pub signal: Option<String>,
}

/// A program on its own terminal. Dropping it kills the program.
pub struct Pty {
    master: Option<Arc<OwnedFd>>,
    slave: PathBuf,
    shared: Arc<Shared>,
    reader: Option<JoinHandle<()>>,
    child: Box<dyn Child + Send + Sync>,
    pid: Pid,
    exit: Option<Exit>,
}

impl Pty {
    /// Starts `program` on a terminal of `size` (columns, rows) with nothing in its environment
    /// but PATH, HOME, TERM and LANG, and `env`.
    pub fn spawn(program: &Path, args: &[&str], env: &[(&str, &str)], size: (u16, u16)) -> Self {
        let pair = native_pty_system().openpty(pty_size(size)).expect("a pty");
        let mut command = CommandBuilder::new(program);
        command.args(args);
        command.env_clear();
        for name in ["PATH", "HOME"] {
            command.env(name, std::env::var_os(name).unwrap_or_default());
        }
        command.env("TERM", "xterm-256color");
        command.env("LANG", "C.UTF-8");
        env.iter()
            .for_each(|(name, value)| command.env(name, value));
        let child = pair
            .slave
            .spawn_command(command)
            .expect("the program starts");
        let master = Arc::new(own_copy(pair.master.as_raw_fd().expect("a descriptor")));
        rustix::io::ioctl_fionbio(&master, true).expect("a master that does not block");
        let shared = Arc::new(Shared::new(size));
        let reader = std::thread::spawn({
            let (master, shared) = (Arc::clone(&master), Arc::clone(&shared));
            move || read_all(&master, &shared)
        });
        let pid = Pid::from_raw(child.process_id().expect("a pid").cast_signed()).expect("a pid");
        let slave = pair.master.tty_name().expect("a name");
        Self {
            master: Some(master),
            slave,
            shared,
            reader: Some(reader),
            child,
            pid,
            exit: None,
        }
    }

    /// Types `bytes`.
    pub fn send(&self, bytes: impl AsRef<[u8]>) {
        let master = self.master();
        let mut left = bytes.as_ref();
        let until = Instant::now() + SOON;
        while !left.is_empty() {
            assert!(
                Instant::now() < until,
                "the program does not read its input"
            );
            match rustix::io::write(master, left) {
                Ok(n) => left = &left[n..],
                Err(rustix::io::Errno::AGAIN) => await_fd(master, PollFlags::OUT, LOOK),
                Err(e) => panic!("typing: {e}"),
            }
        }
    }

    /// Changes the window; the kernel sends SIGWINCH.
    pub fn resize(&self, columns: u16, rows: u16) {
        let size = pty_size((columns, rows));
        let size = Winsize {
            ws_row: size.rows,
            ws_col: size.cols,
            ws_xpixel: 0,
            ws_ypixel: 0,
        };
        // The screen first: the program may answer before the lock is free again.
        self.lock()
            .parser
            .set_size(at_least_one(rows), at_least_one(columns));
        rustix::termios::tcsetwinsize(self.master(), size).expect("a new size");
    }

    /// Waits until `is_so` of everything seen; panics with the screen when it never is.
    pub fn wait_for(
        &self,
        what: &str,
        limit: Duration,
        mut is_so: impl FnMut(&vt100::Screen, &Extra) -> bool,
    ) {
        let until = Instant::now() + limit;
        let mut seen = self.lock();
        while !is_so(seen.parser.screen(), seen.parser.callbacks()) {
            let left = until.saturating_duration_since(Instant::now());
            let text = || text_of(seen.parser.screen());
            assert!(
                !left.is_zero(),
                "waited {limit:?} for {what}; the screen says:\n{}",
                text()
            );
            seen = self
                .shared
                .changed
                .wait_timeout(seen, left)
                .expect("the lock")
                .0;
        }
    }

    /// Waits until the screen shows `text`.
    pub fn wait_text(&self, text: &str) {
        self.wait_for(text, SOON, |screen, _| text_of(screen).contains(text));
    }

    /// The text of the screen, lines without blanks at their ends.
    pub fn text(&self) -> String {
        text_of(self.lock().parser.screen())
    }

    /// How many bytes the program wrote that are ready to be read: while stalled, what fits.
    pub fn backlog(&self) -> u64 {
        rustix::io::ioctl_fionread(self.master()).expect("a count")
    }

    /// Looks at the screen: cells, attributes, modes.
    pub fn screen<R>(&self, look: impl FnOnce(&vt100::Screen, &Extra) -> R) -> R {
        let seen = self.lock();
        look(seen.parser.screen(), seen.parser.callbacks())
    }

    /// Everything the program wrote so far.
    pub fn raw(&self) -> Vec<u8> {
        self.lock().raw.clone()
    }

    /// How many bytes the program wrote so far.
    pub fn written(&self) -> usize {
        self.lock().raw.len()
    }

    /// Every read so far. The kernel may join writes; [`Process::write_calls`] counts the program's.
    pub fn chunks(&self) -> Vec<Chunk> {
        self.lock().chunks.clone()
    }

    /// How many typed bytes the program has not read yet.
    pub fn unread(&self) -> u64 {
        let nonblocking = rustix::fs::OFlags::NONBLOCK | rustix::fs::OFlags::NOCTTY;
        let flags = nonblocking | rustix::fs::OFlags::RDWR;
        let slave = rustix::fs::open(&self.slave, flags, rustix::fs::Mode::empty()).expect("slave");
        rustix::io::ioctl_fionread(&slave).expect("a count")
    }

    /// Stops reading, as a dead connection does.
    pub fn stall(&self) {
        self.set_pace(Pace::Stalled);
    }

    /// Reads at most so many bytes a second from now on.
    pub fn throttle(&self, bytes_per_second: usize) {
        self.set_pace(Pace::Slow(bytes_per_second));
    }

    /// Reads as fast as it can again.
    pub fn read_freely(&self) {
        self.set_pace(Pace::Free);
    }

    /// Writes to the screen past the program, as a stray process does.
    pub fn scribble(&self, bytes: &[u8]) {
        self.open().write_all(bytes).expect("a scribble");
    }

    /// Writes past the program until the terminal, which nobody reads, takes not a byte more.
    pub fn stuff(&self) {
        let mut tty = self.open();
        while tty.write(b" ").is_ok_and(|written| written > 0) {}
    }

    fn open(&self) -> fs::File {
        let nonblocking = (rustix::fs::OFlags::NONBLOCK | rustix::fs::OFlags::NOCTTY).bits();
        let mut options = fs::OpenOptions::new();
        options.write(true).custom_flags(nonblocking.cast_signed());
        options.open(&self.slave).expect("the terminal")
    }

    /// Hangs up: closes the master for good.
    pub fn close(&mut self) {
        self.set_pace(Pace::Closed);
        if let Some(reader) = self.reader.take() {
            reader.join().expect("the reader ends");
        }
        self.master = None;
    }

    /// The modes of the line.
    pub fn modes(&self) -> Termios {
        rustix::termios::tcgetattr(self.master()).expect("line modes")
    }

    /// Whether the line echoes and edits, as a shell wants it.
    pub fn is_cooked(&self) -> bool {
        self.modes()
            .local_modes
            .contains(LocalModes::ICANON | LocalModes::ECHO)
    }

    /// Sends a signal to the program.
    pub fn signal(&self, signal: Signal) {
        rustix::process::kill_process(self.pid, signal).expect("a signal");
    }

    /// The process id of the program.
    pub fn pid(&self) -> Pid {
        self.pid
    }

    /// Waits until the program ends.
    pub fn wait_exit(&mut self, limit: Duration) -> Exit {
        if let Some(exit) = &self.exit {
            return exit.clone();
        }
        let process = pidfd_open(self.pid, PidfdFlags::empty()).expect("a process");
        let until = Instant::now() + limit;
        while self.child.try_wait().expect("its state").is_none() {
            let left = until.saturating_duration_since(Instant::now());
            assert!(!left.is_zero(), "still running after {limit:?}");
            await_fd(&process, PollFlags::IN, left);
        }
        let status = self.child.wait().expect("its status");
        let exit = Exit {
            code: status.exit_code(),
            signal: status.signal().map(str::to_owned),
        };
        self.exit.insert(exit).clone()
    }

    /// Waits until everything the program wrote before it ended has been read.
    pub fn wait_end_of_output(&self) {
        let seen = self.lock();
        let waited = self
            .shared
            .changed
            .wait_timeout_while(seen, SOON, |seen| !seen.is_over);
        assert!(
            !waited.expect("the lock").1.timed_out(),
            "the output does not end"
        );
    }

    /// Whether the program has ended.
    pub fn is_over(&mut self) -> bool {
        self.exit.is_some() || self.child.try_wait().expect("its state").is_some()
    }

    /// The process of the program.
    pub fn process(&self) -> Process {
        Process(self.pid)
    }

    fn master(&self) -> &OwnedFd {
        self.master.as_ref().expect("the master is open")
    }

    fn lock(&self) -> MutexGuard<'_, Seen> {
        self.shared.seen.lock().expect("the lock")
    }

    fn set_pace(&self, pace: Pace) {
        self.lock().pace = pace;
        self.shared.changed.notify_all();
    }
}

impl Drop for Pty {
    fn drop(&mut self) {
        if matches!(self.child.try_wait(), Ok(None)) {
            let _ = rustix::process::kill_process(self.pid, Signal::KILL);
            let _ = self.child.wait();
        }
        // A panic may have poisoned the lock; the reader then ends by itself.
        if let Ok(mut seen) = self.shared.seen.lock() {
            seen.pace = Pace::Closed;
        }
        self.shared.changed.notify_all();
    }
}

/// A descriptor of our own for one that a library holds. Going through the process is the way
/// without `unsafe`.
fn own_copy(raw: i32) -> OwnedFd {
    use rustix::process::{PidfdGetfdFlags, getpid, pidfd_getfd};
    let me = pidfd_open(getpid(), PidfdFlags::empty()).expect("this process");
    pidfd_getfd(me, raw, PidfdGetfdFlags::empty()).expect("a copy of the descriptor")
}

/// Waits until `is_so`, looking every few milliseconds: for what no event tells.
pub fn wait_until(what: &str, limit: Duration, mut is_so: impl FnMut() -> bool) {
    let until = Instant::now() + limit;
    while !is_so() {
        assert!(Instant::now() < until, "waited {limit:?} for {what}");
        std::thread::park_timeout(Duration::from_millis(5));
    }
}

fn pty_size((cols, rows): (u16, u16)) -> PtySize {
    PtySize {
        rows,
        cols,
        pixel_width: 0,
        pixel_height: 0,
    }
}
