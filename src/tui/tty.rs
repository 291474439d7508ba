//! The terminal device, opened anew and never blocking.
//!
//! Own open file description: `O_NONBLOCK` on the one that the shell gave us would stay behind in
//! the shell and reach every child. Nothing here asks the terminal a question or waits for it to
//! drain, and whatever goes wrong with it is one thing: it has hung up.

use std::{
    fmt,
    fs::File,
    io,
    os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd},
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use ratatui::layout::Size;
use rustix::{
    event::{PollFd, PollFlags, Timespec, poll},
    fs::{Mode, OFlags, open},
    io::{Errno, retry_on_intr},
    process::getpgrp,
    termios::{self, OptionalActions, Termios},
};
use tokio::io::{Interest, unix::AsyncFd};

/// How often a write that waits is tried again without being told that there is room: the kernel
/// may swallow the wake-up of a pty whose reader takes little at a time.
const RETRY: Duration = Duration::from_millis(50);
/// The largest window that is believed: a liar's 65535×65535 would ask for gigabytes of cells.
const LARGEST: Size = Size {
    width: 1024,
    height: 512,
};

/// The terminal is gone: hung up, closed or failing. There is nothing to repair and nobody to tell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HangUp;

impl fmt::Display for HangUp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the terminal is gone")
    }
}

impl std::error::Error for HangUp {}

/// What a read brought.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Read {
    /// So many bytes, at least one.
    Bytes(usize),
    /// Nothing yet: wait for [`Tty::readable`].
    Later,
}

/// The device itself, shared with the guard and through it with the panic hook.
#[derive(Debug)]
pub(super) struct Device {
    fd: OwnedFd,
}

/// The terminal in the loop.
#[derive(Debug)]
pub struct Tty {
    io: AsyncFd<Arc<Device>>,
    /// Tells of room for more, while a write waits. Only then: every write that is drained would wake
    /// the process otherwise, twice a frame.
    room: Mutex<Option<Arc<AsyncFd<OwnedFd>>>>,
}

impl Tty {
    /// Opens the terminal of this process: the controlling one, or else the one behind standard
    /// input, output or error. Must be called inside a tokio runtime.
    ///
    /// # Errors
    /// When the process has no terminal, or it cannot be opened.
    pub fn open() -> io::Result<Self> {
        Self::of(open_device()?)
    }

    /// Opens the terminal at `path`: for tests, which have no terminal but make some. Must be
    /// called inside a tokio runtime.
    ///
    /// # Errors
    /// When it cannot be opened.
    pub fn open_at(path: &Path) -> io::Result<Self> {
        Self::of(open_path(path)?)
    }

    fn of(fd: OwnedFd) -> io::Result<Self> {
        let device = Arc::new(Device { fd });
        #[expect(
            deprecated,
            reason = "its successor is unsafe, which is forbidden here; what it asks for holds: \
                      Device owns its descriptor and never changes it, and lives as long as this"
        )]
        let io = AsyncFd::with_interest(device, Interest::READABLE)?;
        let room = Mutex::new(None);
        Ok(Self { io, room })
    }

    pub(super) fn device(&self) -> &Arc<Device> {
        self.io.get_ref()
    }

    /// Waits until there is something to read; a hang-up counts.
    ///
    /// # Errors
    /// [`HangUp`] when the runtime can no longer watch the device.
    pub async fn readable(&self) -> Result<(), HangUp> {
        self.io.readable().await.map(drop).map_err(|_| HangUp)
    }

    /// Waits until the terminal may take more bytes, and at most a moment.
    ///
    /// # Errors
    /// [`HangUp`] when the runtime can no longer watch the device.
    pub async fn writable(&self) -> Result<(), HangUp> {
        let room = self.room().map_err(|_| HangUp)?;
        match tokio::time::timeout(RETRY, room.writable()).await {
            Ok(ready) => ready.map(drop).map_err(|_| HangUp),
            Err(_) => Ok(()),
        }
    }

    fn room(&self) -> io::Result<Arc<AsyncFd<OwnedFd>>> {
        let mut room = self.room.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(room) = &*room {
            return Ok(room.clone());
        }
        let fd = rustix::io::fcntl_dupfd_cloexec(self.device(), 0)?;
        #[expect(
            deprecated,
            reason = "as above: the descriptor is owned by what is made of it"
        )]
        let made = Arc::new(AsyncFd::with_interest(fd, Interest::WRITABLE)?);
        *room = Some(made.clone());
        Ok(made)
    }

    /// Reads what is there into `buf`, which must not be empty.
    ///
    /// # Errors
    /// [`HangUp`] on end of file and on every error.
    pub fn read(&mut self, buf: &mut [u8]) -> Result<Read, HangUp> {
        let read = self.io.try_io(Interest::READABLE, |device| {
            retry(|| rustix::io::read(device, &mut *buf))
        });
        match read {
            Ok(0) => Err(HangUp),
            Ok(n) => Ok(Read::Bytes(n)),
            Err(e) if e.kind() == io::ErrorKind::WouldBlock => Ok(Read::Later),
            Err(_) => Err(HangUp),
        }
    }

    /// Writes what the terminal takes now; 0 when it takes nothing.
    ///
    /// # Errors
    /// [`HangUp`] on every error.
    pub fn write(&self, bytes: &[u8]) -> Result<usize, HangUp> {
        // Not through `try_io`: its memory of readiness would refuse the retry after RETRY.
        let written = self.device().write(bytes)?;
        let mut room = self.room.lock().unwrap_or_else(PoisonError::into_inner);
        if written == bytes.len() {
            *room = None;
        } else if let Some(room) = &*room {
            let full = || io::Error::from(io::ErrorKind::WouldBlock);
            let _ = room.try_io(Interest::WRITABLE, |_| Err::<(), _>(full()));
        }
        Ok(written)
    }

    /// The size of the window, as the kernel knows it; 0×0 when it has none.
    #[must_use]
    pub fn size(&self) -> Size {
        let size = termios::tcgetwinsize(self.device())
            .map_or(Size::ZERO, |w| Size::new(w.ws_col, w.ws_row));
        Size::new(
            size.width.min(LARGEST.width),
            size.height.min(LARGEST.height),
        )
    }

    /// Whether this process may use the terminal: in the background a write or a mode change would
    /// stop it, and scribble on the shell.
    #[must_use]
    pub fn is_foreground(&self) -> bool {
        self.device().is_foreground()
    }
}

impl Device {
    /// One write that does not wait; 0 when the terminal takes nothing.
    pub(super) fn write(&self, bytes: &[u8]) -> Result<usize, HangUp> {
        match retry(|| rustix::io::write(self, bytes)) {
            Ok(n) => Ok(n),
            Err(e) if e.kind() == io::ErrorKind::WouldBlock => Ok(0),
            Err(_) => Err(HangUp),
        }
    }

    /// Writes all of `bytes`, or what the terminal takes within `limit`.
    pub(super) fn write_within(&self, mut bytes: &[u8], limit: Duration) -> Result<(), HangUp> {
        let until = Instant::now() + limit;
        while !bytes.is_empty() {
            let written = self.write(bytes)?;
            bytes = &bytes[written..];
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                break;
            }
            if written == 0 {
                self.wait_for_room(left.min(RETRY));
            }
        }
        Ok(())
    }

    fn wait_for_room(&self, limit: Duration) {
        let limit = Timespec::try_from(limit).ok();
        // Whatever it says, the next write tells.
        let _ = poll(&mut [PollFd::new(self, PollFlags::OUT)], limit.as_ref());
    }

    pub(super) fn is_foreground(&self) -> bool {
        match termios::tcgetpgrp(self) {
            Ok(group) => group == getpgrp(),
            // Not our controlling terminal: no job control on it, nothing can stop us.
            Err(_) => true,
        }
    }

    pub(super) fn modes(&self) -> Result<Termios, HangUp> {
        termios::tcgetattr(self).map_err(|_| HangUp)
    }

    /// Sets the modes at once: the draining kinds would wait for a reader that may never read.
    pub(super) fn set_modes(&self, modes: &Termios) -> Result<(), HangUp> {
        retry_on_intr(|| termios::tcsetattr(self, OptionalActions::Now, modes)).map_err(|_| HangUp)
    }
}

impl AsFd for Device {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

impl AsRawFd for Device {
    fn as_raw_fd(&self) -> RawFd {
        self.fd.as_raw_fd()
    }
}

fn open_device() -> io::Result<OwnedFd> {
    let first = match open_path(Path::new("/dev/tty")) {
        Ok(fd) => return Ok(fd),
        Err(error) => error,
    };
    named_devices()
        .iter()
        .find_map(|path| open_path(path).ok())
        .ok_or(first)
}

fn open_path(path: &Path) -> io::Result<OwnedFd> {
    let flags = OFlags::RDWR | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
    Ok(open(path, flags, Mode::empty())?)
}

fn named_devices() -> Vec<PathBuf> {
    use std::os::unix::ffi::OsStringExt;
    let (input, output, error) = (
        rustix::stdio::stdin(),
        rustix::stdio::stdout(),
        rustix::stdio::stderr(),
    );
    [input, output, error]
        .iter()
        .filter_map(|fd| termios::ttyname(fd, Vec::new()).ok())
        .map(|name| std::ffi::OsString::from_vec(name.into_bytes()).into())
        .collect()
}

/// Points those of the standard descriptors that are terminals at /dev/null: after a hang-up a
/// stray write to them would fail, and the printing macros panic when it does.
pub fn forget_stdio() {
    let Ok(null) = File::options().read(true).write(true).open("/dev/null") else {
        return;
    };
    if termios::isatty(rustix::stdio::stdin()) {
        let _ = rustix::stdio::dup2_stdin(&null);
    }
    if termios::isatty(rustix::stdio::stdout()) {
        let _ = rustix::stdio::dup2_stdout(&null);
    }
    if termios::isatty(rustix::stdio::stderr()) {
        let _ = rustix::stdio::dup2_stderr(&null);
    }
}

/// Points standard output and error at /dev/null: their reader is gone, and the process is not.
pub fn forget_output() {
    let Ok(null) = File::options().read(true).write(true).open("/dev/null") else {
        return;
    };
    let _ = rustix::stdio::dup2_stdout(&null);
    let _ = rustix::stdio::dup2_stderr(&null);
}

fn retry(mut attempt: impl FnMut() -> rustix::io::Result<usize>) -> io::Result<usize> {
    loop {
        match attempt() {
            Err(Errno::INTR) => {}
            done => return Ok(done?),
        }
    }
}
