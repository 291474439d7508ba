//! The loop: keys, observations, time and signals in; frames and commands out. It awaits nothing but
//! its `select!`, and what can take a millisecond is a task.

use std::time::Duration;

use base64::Engine as _;
use ratatui::layout::Rect;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::mpsc::{self, Receiver};

use super::clock::{self, Millis};
use super::guard::{Guard, Resumed, Suspended};
use super::input::{Decoder, Input};
use super::pace::Pace;
use super::screen::{Depth, Screen};
use super::tasks::{Outside, Tasks};
use super::tty::{HangUp, Read, Tty};
use super::worker::Go;
use crate::app::{Command, Event, State, chart, logs, operate, settle, update};
use crate::estate::{Observation, Safe, Seen};
use crate::ui;

/// Observations that may wait: beyond it sources wait, and that is the whole of backpressure.
const QUEUE: usize = 64;
/// Observations folded in before keys are looked at again.
const BATCH: usize = 16;
/// How long a window must keep its size before it is drawn anew.
const RESIZE_MS: u64 = 50;
/// How often a background process looks whether it is in the foreground again.
const BACKGROUND_MS: u64 = 500;
/// What rings a terminal, or marks its tab or tmux window.
const BELL: &[u8] = b"\x07";

/// The number of SIGHUP.
const HANG_UP: i32 = 1;

/// How the cockpit ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// The person left.
    Quit,
    /// The terminal is gone.
    HungUp,
    /// By a signal, by its number.
    Signal(i32),
}

/// What the process brings along.
#[derive(Clone, Copy, Debug)]
pub struct Manners {
    /// Whether colours may leave.
    pub depth: Depth,
    /// Whether the terminal understands a title.
    pub has_title: bool,
    /// Whether a slow line is likely (SSH).
    pub is_remote: bool,
    /// Whether the terminal rings where a person is needed.
    pub has_bell: bool,
    /// Whether OSC 52 has to be passed through tmux.
    pub in_tmux: bool,
}

/// Runs the cockpit on this process's terminal until it ends, and says there what goes on without it.
///
/// # Errors
/// When there is no terminal, or signals cannot be caught.
pub async fn run(state: State, outside: Outside, manners: Manners) -> std::io::Result<Ending> {
    let tty = Tty::open()?;
    let signals = Signals::catch()?;
    let (out, observations) = mpsc::channel(QUEUE);
    let (told, events) = mpsc::channel(QUEUE);
    let mut cockpit = Cockpit {
        tasks: Tasks::new(outside, out, told),
        state,
        manners,
        decoder: Decoder::new(),
        screen: Screen::new(manners.depth),
        dirty: Some(Millis(0)),
        pace: Pace::new(manners.is_remote),
        resized: None,
        is_background: false,
    };
    Ok(cockpit.run(tty, signals, observations, events).await)
}

struct Cockpit {
    state: State,
    tasks: Tasks,
    manners: Manners,
    decoder: Decoder,
    screen: Screen,
    /// When the next frame is due, if one is.
    dirty: Option<Millis>,
    pace: Pace,
    resized: Option<Millis>,
    is_background: bool,
}

/// Why the loop goes on or ends.
enum Next {
    On,
    Suspend,
    End(Ending),
}

impl Cockpit {
    async fn run(
        &mut self,
        mut tty: Tty,
        mut signals: Signals,
        mut observations: Receiver<Observation>,
        mut events: Receiver<Event>,
    ) -> Ending {
        self.tick();
        self.measure(&tty);
        let title = self
            .manners
            .has_title
            .then(|| ui::window_title(&self.state));
        let Ok(guard) = Guard::enter(&tty, &mut self.screen, title.as_deref()) else {
            return hung_up();
        };
        // Paint before any I/O.
        if self.paint(&tty).is_err() {
            return hung_up();
        }
        let first = self.state.selected;
        self.state.environment_mut().is_watched = true;
        self.tasks.watch(first, None);
        self.tasks.watch_repository(None);
        self.tasks.ask_faults();
        let mut buffer = [0; 4096];
        let ending = loop {
            let until = self.deadline();
            let entered = guard.is_entered();
            let next = tokio::select! {
                biased;
                signal = signals.next() => self.on_signal(signal, &tty, &guard),
                ready = tty.readable(), if entered => match ready {
                    Ok(()) => self.read(&mut tty, &mut buffer),
                    Err(HangUp) => Next::End(Ending::HungUp),
                },
                ready = tty.writable(), if entered && self.screen.is_pending() => match ready {
                    Ok(()) => Next::On,
                    Err(HangUp) => Next::End(Ending::HungUp),
                },
                Some(event) = events.recv() => self.fold(event, false),
                Some(observation) = observations.recv() => self.observe(observation, &mut observations),
                ended = self.tasks.ended() => match ended {
                    Some(event) => self.fold(event, false),
                    None => Next::On,
                },
                () = tokio::time::sleep(until) => Next::On,
            };
            match next {
                Next::End(ending) => break ending,
                Next::Suspend => {
                    if guard.suspend() == Suspended::Orphaned {
                        self.fold(
                            Event::Told("nobody could bring it back with fg: not suspended".into()),
                            true,
                        );
                        if self.resume(&tty, &guard).is_err() {
                            break Ending::HungUp;
                        }
                    }
                }
                Next::On => {}
            }
            if self.turn(&tty, &guard).is_err() {
                break Ending::HungUp;
            }
        };
        self.tasks.abort();
        guard.leave();
        match ending {
            // The kernel's signal may come before the terminal says so itself.
            Ending::HungUp | Ending::Signal(HANG_UP) => super::tty::forget_stdio(),
            Ending::Quit | Ending::Signal(_) => self.bid_farewell(&guard),
        }
        ending
    }

    /// What goes on without it, a line each, on the terminal that is restored.
    fn bid_farewell(&self, guard: &Guard) {
        let lines = operate::farewell(&self.state);
        let text: String = lines.iter().map(|line| format!("{line}\n")).collect();
        if !text.is_empty() {
            guard.tell(&text);
        }
    }

    /// After every event: time, size, and a frame if one is due.
    fn turn(&mut self, tty: &Tty, guard: &Guard) -> Result<(), HangUp> {
        self.tick();
        self.tasks.chart(chart::wanted(&self.state));
        self.tasks.open_run(self.state.open_run());
        let mut unknown = Vec::new();
        for (place, environment) in self.state.environments.iter().enumerate() {
            if let Some(alerts) = &environment.estate.alerts {
                self.tasks.ask(place, &alerts.scope.gates);
            }
            let is_shown = place == self.state.selected;
            if self.tasks.rights(place, environment, is_shown) {
                unknown.push(place);
            }
        }
        for place in unknown {
            let observation = Observation {
                environment: place,
                at: self.state.now.at,
                seen: Seen::Rights(Vec::new()),
            };
            self.fold(Event::Observed(observation), false);
        }
        let now = self.now();
        if self.is_background {
            return self.resume(tty, guard);
        }
        if !guard.is_entered() {
            return Ok(());
        }
        let mut inputs = Vec::new();
        self.decoder.expire(now, &mut inputs);
        for input in inputs {
            if let Next::End(_) | Next::Suspend = self.input(input) {
                // Only Esc and torn pastes come late; neither ends anything.
                continue;
            }
        }
        if self.resized.is_some_and(|at| at <= now) {
            self.resized = None;
            self.measure(tty);
            // Also when it is back at the size it had: what was cut off in between is gone (T07).
            self.screen.invalidate();
        }
        if self.screen.is_pending() {
            self.screen.flush(tty, now)?;
        }
        if self.dirty.is_some_and(|due| due <= now) || self.screen.needs_frame() {
            guard.retitle(&mut self.screen, &ui::window_title(&self.state));
            self.paint(tty)?;
        }
        // Behind the frame: settling may have found that a plan is not refused any more.
        self.tasks.prepare(operate::wanted(&self.state));
        Ok(())
    }

    fn now(&self) -> Millis {
        Millis(self.state.now.at.0)
    }

    /// Tells the state the time, if it went on.
    fn tick(&mut self) {
        let now = clock::now();
        if now.at == self.state.now.at {
            return;
        }
        let wakes = self.state.wakes_at();
        if let Some(command) = update(&mut self.state, Event::Tick(now)) {
            // Time ends nothing: it rings at most.
            let _ = self.perform(command);
        }
        if now.at >= wakes {
            self.soon();
        }
    }

    /// How long nothing has to be done.
    fn deadline(&self) -> Duration {
        let now = self.now();
        let mut at = Millis(self.state.sleeps_until().0);
        if let Some(due) = self.dirty.filter(|_| !self.screen.is_pending()) {
            at = at.min(due);
        }
        for other in [self.decoder.deadline(), self.resized]
            .into_iter()
            .flatten()
        {
            at = at.min(other);
        }
        if self.is_background {
            at = at.min(now.plus(BACKGROUND_MS));
        }
        // A millisecond more than is left, or the clock's last fraction would be waited for in turns.
        let left = at.since(now);
        Duration::from_millis(if left == 0 { 0 } else { left + 1 })
    }

    /// A frame as soon as data may ask for one.
    fn soon(&mut self) {
        let due = self.pace.due().max(self.now());
        self.dirty = Some(self.dirty.map_or(due, |already| already.min(due)));
    }

    /// A frame at once: somebody pressed a key.
    fn at_once(&mut self) {
        self.dirty = Some(Millis(0));
    }

    fn measure(&mut self, tty: &Tty) {
        let size = tty.size();
        update(&mut self.state, Event::Resized(size.width, size.height));
        self.at_once();
    }

    fn paint(&mut self, tty: &Tty) -> Result<(), HangUp> {
        let now = self.now();
        if self.screen.is_pending() && !self.screen.flush(tty, now)? {
            return Ok(());
        }
        settle(&mut self.state);
        let (columns, rows) = self.state.size;
        let state = &self.state;
        #[cfg(debug_assertions)]
        defect(state);
        let area = Rect::new(0, 0, columns, rows);
        let mut last = None;
        self.screen.frame(area, |area, buffer| {
            last = ui::draw(state, area, buffer);
        });
        if let Some(number) = last {
            logs::saw(&mut self.state, number);
        }
        self.dirty = None;
        self.pace.drew(now, self.screen.pending().len());
        self.screen.flush(tty, now).map(drop)
    }

    fn observe(&mut self, first: Observation, more: &mut Receiver<Observation>) -> Next {
        self.fold(Event::Observed(first), false);
        for _ in 1..BATCH {
            let Ok(observation) = more.try_recv() else {
                break;
            };
            self.fold(Event::Observed(observation), false);
        }
        Next::On
    }

    fn read(&mut self, tty: &mut Tty, buffer: &mut [u8]) -> Next {
        let count = match tty.read(buffer) {
            Ok(Read::Bytes(count)) => count,
            Ok(Read::Later) => return Next::On,
            Err(HangUp) => return Next::End(Ending::HungUp),
        };
        self.tick();
        let mut inputs = Vec::new();
        self.decoder.feed(&buffer[..count], self.now(), &mut inputs);
        for input in inputs {
            match self.input(input) {
                Next::On => {}
                other => return other,
            }
        }
        Next::On
    }

    fn input(&mut self, input: Input) -> Next {
        match input {
            Input::Key(key) => self.fold(Event::Key(key), true),
            Input::Paste(text) => self.fold(Event::Paste(Safe::new(&text)), true),
            Input::Focus(is_focused) => {
                self.tasks.look(is_focused);
                Next::On
            }
        }
    }

    /// Folds an event in and does what the state answers.
    fn fold(&mut self, event: Event, at_once: bool) -> Next {
        self.tick();
        let command = update(&mut self.state, event);
        match at_once {
            true => self.at_once(),
            false => self.soon(),
        }
        command.map_or(Next::On, |command| self.perform(command))
    }

    fn perform(&mut self, command: Command) -> Next {
        match command {
            Command::Quit => return Next::End(Ending::Quit),
            Command::Suspend => return Next::Suspend,
            Command::Repaint => self.screen.invalidate(),
            Command::Watch { environment } => {
                self.tasks.close_log();
                self.tasks.watch(environment, None);
            }
            Command::Reconnect { environment } => self.tasks.reconnect(environment),
            Command::OpenLog {
                environment,
                target,
            } => self.tasks.open_log(environment, target),
            Command::OpenJobLog(wanted) => self.tasks.open_job_log(wanted),
            Command::CloseLog => self.tasks.close_log(),
            Command::Copy(text) => self.screen.send(&clipboard(&text, self.manners.in_tmux)),
            Command::Act {
                doing,
                name,
                permit,
            } => self.tasks.act(doing, name, permit),
            Command::Go {
                number,
                environment,
                name,
                hash,
                reason,
                overridden,
                permit,
            } => {
                let go = Go {
                    hash,
                    reason,
                    overridden,
                };
                self.tasks
                    .go((number, environment), &name, go, permit.as_ref());
            }
            Command::Operate {
                number,
                environment,
                name,
                wish,
                reason,
                permit,
            } => {
                let what = (wish, reason);
                self.tasks
                    .operate((number, environment), &name, what, permit.as_ref());
            }
            Command::Ring if self.manners.has_bell => self.screen.send(BELL),
            Command::Ring => {}
            Command::Inject(name) => self.tasks.inject(name),
        }
        Next::On
    }

    fn on_signal(&mut self, signal: Caught, tty: &Tty, guard: &Guard) -> Next {
        match signal {
            Caught::End(number) => Next::End(Ending::Signal(number)),
            Caught::Stop => Next::Suspend,
            Caught::Continue => match self.resume(tty, guard) {
                Ok(()) => Next::On,
                Err(HangUp) => Next::End(Ending::HungUp),
            },
            Caught::Resized => {
                self.resized = Some(self.now().plus(RESIZE_MS));
                Next::On
            }
        }
    }

    /// Takes the terminal again, if it is ours to take.
    fn resume(&mut self, tty: &Tty, guard: &Guard) -> Result<(), HangUp> {
        match guard.resume(&mut self.screen)? {
            Resumed::Background => self.is_background = true,
            Resumed::Foreground => {
                self.is_background = false;
                self.decoder.reset();
                self.measure(tty);
            }
        }
        Ok(())
    }
}

/// A panic on purpose, for P04's test; release builds do not contain it, which the test checks on them.
#[cfg(debug_assertions)]
#[expect(clippy::panic, reason = "the test wants one")]
fn defect(state: &State) {
    let wanted = std::env::var("WHEELHOUSE_DEFECT").unwrap_or_default();
    if !wanted.is_empty() && state.filter.text() == wanted {
        panic!("asked for a defect in the frame");
    }
}

/// Nothing may be written to a terminal that is gone: a stray line would panic.
fn hung_up() -> Ending {
    super::tty::forget_stdio();
    Ending::HungUp
}

/// OSC 52: the text to the terminal's clipboard, through tmux where one is in between.
fn clipboard(text: &str, in_tmux: bool) -> Vec<u8> {
    let encoded = base64::engine::general_purpose::STANDARD.encode(text);
    let osc = format!("\x1b]52;c;{encoded}\x07");
    if in_tmux {
        return format!("\x1bPtmux;{}\x1b\\", osc.replace('\x1b', "\x1b\x1b")).into_bytes();
    }
    osc.into_bytes()
}

/// A signal, as far as the loop tells them apart.
enum Caught {
    End(i32),
    Stop,
    Continue,
    Resized,
}

struct Signals {
    terminate: Signal,
    hang_up: Signal,
    interrupt: Signal,
    quit: Signal,
    stop: Signal,
    go_on: Signal,
    window: Signal,
}

impl Signals {
    fn catch() -> std::io::Result<Self> {
        use rustix::process::Signal as Number;
        let raw = |number: Number| signal(SignalKind::from_raw(number.as_raw()));
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            hang_up: signal(SignalKind::hangup())?,
            interrupt: signal(SignalKind::interrupt())?,
            quit: signal(SignalKind::quit())?,
            stop: raw(Number::TSTP)?,
            go_on: raw(Number::CONT)?,
            window: signal(SignalKind::window_change())?,
        })
    }

    async fn next(&mut self) -> Caught {
        tokio::select! {
            Some(()) = self.hang_up.recv() => Caught::End(HANG_UP),
            Some(()) = self.interrupt.recv() => Caught::End(2),
            Some(()) = self.quit.recv() => Caught::End(3),
            Some(()) = self.terminate.recv() => Caught::End(15),
            Some(()) = self.stop.recv() => Caught::Stop,
            Some(()) = self.go_on.recv() => Caught::Continue,
            Some(()) = self.window.recv() => Caught::Resized,
            else => std::future::pending().await,
        }
    }
}
