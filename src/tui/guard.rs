//! Takes the terminal over and gives it back: on every path, once, and without waiting for it.
//!
//! The order of giving back is TERMINAL.md's: the end of a synchronized frame first, since a
//! terminal left inside one shows nothing more; the modes of the line last.

use std::{
    fs,
    panic::PanicHookInfo,
    process,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError, TryLockError, Weak,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    thread,
    time::Duration,
};

use rustix::{
    process::{Signal, kill_current_process_group},
    termios::{LocalModes, Termios, isatty},
};

use super::{
    screen::Screen,
    tty::{Device, HangUp, Tty},
};

/// How long giving the terminal back may take when it does not read.
const LEAVE_LIMIT: Duration = Duration::from_millis(200);
/// The longest title, in characters.
const TITLE_LIMIT: usize = 120;
const ENTER: &[u8] = b"\x1b[?1049h\x1b[?25l\x1b[?2004h\x1b[?1004h";
/// `?2026l` · mouse, focus and paste off · `0m` · cursor · alternate screen.
const LEAVE: &[u8] =
    b"\x1b[?2026l\x1b[?1006l\x1b[?1003l\x1b[?1002l\x1b[?1000l\x1b[?1004l\x1b[?2004l\x1b[0m\x1b[?25h\x1b[?1049l";
const PUSH_TITLE: &[u8] = b"\x1b[22;0t";
const POP_TITLE: &[u8] = b"\x1b[23;0t";

/// The terminal that the panic hook gives back.
static ENTERED: Mutex<Weak<Hold>> = Mutex::new(Weak::new());
static PANICS: AtomicUsize = AtomicUsize::new(0);

/// Holds the terminal; gives it back when dropped.
#[derive(Debug)]
pub struct Guard(Arc<Hold>);

#[derive(Debug)]
struct Hold {
    device: Arc<Device>,
    /// The title in its last words; none for terminals without one.
    title: Option<Mutex<String>>,
    /// The line modes to return to.
    cooked: Mutex<Option<Termios>>,
    is_entered: AtomicBool,
}

/// What became of an attempt to take the terminal again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Resumed {
    /// The terminal is ours: draw.
    Foreground,
    /// We run in the background: stay silent, neither read nor write, and try again later.
    Background,
}

/// What became of an attempt to stop.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Suspended {
    /// Stopped, or about to: go on at SIGCONT with [`Guard::resume`].
    Stopped,
    /// No shell would ever continue us, so we did not stop: [`Guard::resume`] now.
    Orphaned,
}

impl Guard {
    /// Takes the terminal: raw line modes now, and with the next frame of `screen` the alternate
    /// screen without a cursor, bracketed paste, focus reports and, if given, the title, of which
    /// only printable ASCII is used. None for terminals that would show a title as garbage.
    ///
    /// # Errors
    /// [`HangUp`] when the terminal is gone.
    pub fn enter(tty: &Tty, screen: &mut Screen, title: Option<&str>) -> Result<Self, HangUp> {
        let hold = Arc::new(Hold {
            device: Arc::clone(tty.device()),
            title: title.map(|text| Mutex::new(clean(text))),
            cooked: Mutex::new(None),
            is_entered: AtomicBool::new(false),
        });
        *lock(&ENTERED) = Arc::downgrade(&hold);
        let guard = Self(hold);
        guard.0.enter(screen)?;
        Ok(guard)
    }

    /// Gives the window other words where it has a title and `text` has others; nothing is written else.
    pub fn retitle(&self, screen: &mut Screen, text: &str) {
        let Some(title) = &self.0.title else { return };
        let (mut title, text) = (lock(title), clean(text));
        if *title != text {
            screen.send(&titled(&text));
            *title = text;
        }
    }

    /// Gives the terminal back. Does nothing the second time, never fails, and waits at most
    /// 200 ms for a terminal that does not read.
    pub fn leave(&self) {
        self.0.leave();
    }

    /// Says `text` on standard error once the terminal is given back. Waits at most 200 ms for a terminal that does not
    /// read, and says nothing on one that is somebody else's by now.
    pub fn tell(&self, text: &str) {
        if self.0.device.is_foreground() {
            self.0.tell(text);
        }
    }

    /// Whether the terminal is ours; when not, neither read it nor write to it.
    #[must_use]
    pub fn is_entered(&self) -> bool {
        self.0.is_entered.load(Ordering::Acquire)
    }

    /// Gives the terminal back and stops the process group: for Ctrl-Z and for SIGTSTP.
    #[must_use]
    pub fn suspend(&self) -> Suspended {
        self.leave();
        if is_orphaned() {
            return Suspended::Orphaned;
        }
        // SIGSTOP, not SIGTSTP: the loop catches SIGTSTP to come here first, and would hear its own.
        let _ = kill_current_process_group(Signal::STOP);
        Suspended::Stopped
    }

    /// Takes the terminal again, at SIGCONT or after [`Resumed::Background`]. A shell may have
    /// changed the line modes: they are the ones to return to now.
    ///
    /// # Errors
    /// [`HangUp`] when the terminal is gone.
    pub fn resume(&self, screen: &mut Screen) -> Result<Resumed, HangUp> {
        if !self.0.device.is_foreground() {
            // Stopped without leaving (SIGSTOP): what was entered is the shell's now.
            self.0.is_entered.store(false, Ordering::Release);
            return Ok(Resumed::Background);
        }
        self.0.enter(screen)?;
        Ok(Resumed::Foreground)
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        self.leave();
    }
}

impl Hold {
    fn enter(&self, screen: &mut Screen) -> Result<(), HangUp> {
        let found = self.device.modes()?;
        let mut raw = found.clone();
        raw.make_raw();
        // A credential plugin that opens the terminal behind our back is stopped, not shown (T15).
        raw.local_modes |= LocalModes::TOSTOP;
        let mut cooked = lock(&self.cooked);
        // Raw already: we were stopped without leaving, and what was found is our own doing.
        if cooked.is_none()
            || found
                .local_modes
                .intersects(LocalModes::ICANON | LocalModes::ECHO)
        {
            *cooked = Some(found);
        }
        drop(cooked);
        self.is_entered.store(true, Ordering::Release);
        self.device.set_modes(&raw)?;
        screen.restart(self.prologue());
        Ok(())
    }

    fn prologue(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        if let Some(title) = &self.title {
            bytes.extend_from_slice(PUSH_TITLE);
            bytes.extend_from_slice(&titled(&lock(title)));
        }
        bytes.extend_from_slice(ENTER);
        bytes
    }

    fn leave(&self) {
        if !self.is_entered.swap(false, Ordering::AcqRel) || !self.device.is_foreground() {
            return;
        }
        // A frame may be half sent; an ESC ends whatever sequence it was cut in.
        let mut bytes = LEAVE.to_vec();
        if self.title.is_some() {
            bytes.extend_from_slice(POP_TITLE);
        }
        let _ = self.device.write_within(&bytes, LEAVE_LIMIT);
        if let Some(cooked) = lock(&self.cooked).as_ref() {
            let _ = self.device.set_modes(cooked);
        }
    }

    /// To standard error. Where that is a terminal it is the shell's description, and a write to it may block for ever:
    /// what is written goes through the device, and the rest is dropped.
    fn tell(&self, text: &str) {
        if isatty(rustix::stdio::stderr()) {
            let _ = self.device.write_within(text.as_bytes(), LEAVE_LIMIT);
        } else {
            complain(text);
        }
    }
}

/// What of a title may reach a terminal.
fn clean(text: &str) -> String {
    let printable = text.chars().filter(|c| matches!(c, ' '..='~'));
    printable.take(TITLE_LIMIT).collect()
}

/// OSC 0 with the words of [`clean`].
fn titled(text: &str) -> Vec<u8> {
    format!("\x1b]0;{text}\x07").into_bytes()
}

/// Whether nobody could continue us: no ancestor outside our process group shares our session, so
/// the kernel would ignore SIGTSTP too.
fn is_orphaned() -> bool {
    let Some(own) = Kin::of("self") else {
        return true;
    };
    let mut ancestor = own;
    while ancestor.group == own.group {
        // 0 is the parent of the first process, or one that this PID namespace does not see.
        match Kin::of(&ancestor.parent.to_string()) {
            Some(parent) if ancestor.parent != 0 => ancestor = parent,
            _ => return true,
        }
    }
    ancestor.session != own.session
}

/// What `/proc/PID/stat` says of a process's kin. A group or a session whose leader this PID namespace
/// does not see is 0, which `getsid` answers too and rustix's `Pid` cannot hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Kin {
    parent: u32,
    group: u32,
    session: u32,
}

impl Kin {
    fn of(pid: &str) -> Option<Self> {
        Self::read(&fs::read_to_string(format!("/proc/{pid}/stat")).ok()?)
    }

    fn read(stat: &str) -> Option<Self> {
        // pid (name) state ppid pgrp session; the name may hold anything.
        let (_, after) = stat.rsplit_once(')')?;
        let mut numbers = after
            .split_whitespace()
            .skip(1)
            .map(|word| word.parse().ok());
        Some(Self {
            parent: numbers.next()??,
            group: numbers.next()??,
            session: numbers.next()??,
        })
    }
}

/// How many tasks panicked so far, off the thread of the UI.
#[must_use]
pub fn background_panics() -> usize {
    PANICS.load(Ordering::Acquire)
}

/// Makes this thread the UI's. A panic here gives the terminal back and then shows `report`; a
/// panic elsewhere is logged and counted, and the screen stays.
pub fn install_panic_hook(report: impl Fn(&PanicHookInfo<'_>) -> String + Send + Sync + 'static) {
    let ui = thread::current().id();
    std::panic::set_hook(Box::new(move |info| {
        if thread::current().id() == ui {
            show(&report(info));
        } else {
            PANICS.fetch_add(1, Ordering::AcqRel);
            tracing::error!(panic = %info, thread = thread::current().name(), "a task panicked");
        }
    }));
}

fn show(report: &str) {
    // The panic may have come from under this very lock.
    let hold = match ENTERED.try_lock() {
        Ok(hold) => hold.upgrade(),
        Err(TryLockError::Poisoned(hold)) => hold.into_inner().upgrade(),
        Err(TryLockError::WouldBlock) => None,
    };
    if let Some(hold) = &hold {
        hold.leave();
    }
    let text = format!("{}\n", report.trim_end());
    match hold {
        Some(hold) => hold.tell(&text),
        None => complain(&text),
    }
}

/// To standard error, whatever it is.
fn complain(text: &str) {
    let _ = rustix::io::write(rustix::stdio::stderr(), text.as_bytes());
}

/// The report of a panic for those who have nothing better: what, where, and a backtrace if asked.
#[must_use]
pub fn plain_report(info: &PanicHookInfo<'_>) -> String {
    let trace = std::backtrace::Backtrace::capture();
    match trace.status() {
        std::backtrace::BacktraceStatus::Captured => {
            format!("wheelhouse[{}] {info}\n{trace}", process::id())
        }
        _ => format!("wheelhouse[{}] {info}", process::id()),
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::Kin;

    #[test]
    fn the_kin_of_a_process_whose_session_is_outside_the_pid_namespace_reads_as_zero() {
        let stat = "17 (a) b) S 0 0 0 34816 17 4194560 1 0";
        let kin = Kin {
            parent: 0,
            group: 0,
            session: 0,
        };
        assert_eq!(Kin::read(stat), Some(kin));
        assert_eq!(Kin::read("17 (a) S 1"), None);
    }
}
