//! The terminal layer without the cockpit: shows what the decoder says. For the tests of
//! `tests/terminal`, and for trying a new terminal by hand. `q` ends it.

use std::{process::ExitCode, time::Duration};

use ratatui::{
    buffer::Buffer,
    layout::Rect,
    style::{Color, Modifier, Style},
};
use tokio::signal::unix::{Signal, SignalKind, signal};
use wheelhouse::{
    app::key::Key,
    tui::{
        clock::Clock,
        guard::{self, Guard, Resumed, Suspended},
        input::{Decoder, Input},
        screen::{Depth, Screen},
        tty::{HangUp, Read, Tty, forget_stdio},
    },
};

/// How often a flood makes a new state.
const FLOOD: Duration = Duration::from_millis(10);
/// How often we look whether the shell has given the terminal back.
const BACKGROUND: Duration = Duration::from_millis(250);

/// What the screen shows.
#[derive(Default)]
struct State {
    count: u64,
    lines: Vec<String>,
    is_flooded: bool,
    is_over: bool,
    wants_repaint: bool,
    wants_stop: bool,
}

impl State {
    fn update(&mut self, input: Input) {
        let line = match input {
            Input::Key(key) => return self.press(key),
            Input::Paste(text) => format!("paste {} {:?}", text.len(), &text[..text.len().min(24)]),
            Input::Focus(is_gained) => format!("focus {is_gained}"),
        };
        self.say(line);
    }

    #[expect(clippy::panic, reason = "to see what a panic leaves behind")]
    fn press(&mut self, key: Key) {
        self.count += 1;
        match key.to_string().as_str() {
            "q" => self.is_over = true,
            "f" => self.is_flooded = !self.is_flooded,
            "p" => panic!("asked to panic"),
            "t" => drop(std::thread::spawn(|| panic!("a task panics"))),
            "c" => self.say(format!("child sees {}", child_terminals())),
            "ctrl-l" => self.wants_repaint = true,
            "ctrl-z" => self.wants_stop = true,
            _ => {}
        }
        self.say(format!("key {key}"));
    }

    fn say(&mut self, line: String) {
        self.lines.insert(0, line);
        self.lines.truncate(64);
    }
}

/// How many terminals a child of ours got, its standard descriptors being none.
fn child_terminals() -> String {
    let listed = std::process::Command::new("sh")
        .args(["-c", "for fd in /proc/$$/fd/*; do readlink $fd; done"])
        .stdin(std::process::Stdio::null())
        .output();
    let is_terminal = |path: &&str| path.starts_with("/dev/tty") || path.starts_with("/dev/pts/");
    match listed {
        Ok(out) if out.stdout.starts_with(b"/dev/null\n") => {
            let paths = String::from_utf8_lossy(&out.stdout);
            format!("{} terminals", paths.lines().filter(is_terminal).count())
        }
        other => format!("{other:?}"),
    }
}

fn draw(state: &State, area: Rect, buf: &mut Buffer) {
    let mut put = |y: u16, text: &str, style: Style| {
        if y < area.height {
            buf.set_stringn(0, y, text, usize::from(area.width), style);
        }
    };
    let bold = Style::new().add_modifier(Modifier::BOLD);
    put(
        0,
        &format!("count {} size {}x{}", state.count, area.width, area.height),
        bold,
    );
    put(1, "red", Style::new().fg(Color::Red));
    put(
        2,
        &format!("wide 漢字 é | panics {}", guard::background_panics()),
        Style::new(),
    );
    for (y, line) in (3..).zip(&state.lines) {
        put(y, line, Style::new());
    }
    if state.is_flooded {
        let row = state.count.to_string().repeat(usize::from(area.width));
        for y in 3..area.height {
            put(y, &row, Style::new());
        }
    }
}

struct Signals {
    hup: Signal,
    term: Signal,
    stop: Signal,
    go_on: Signal,
    resized: Signal,
}

impl Signals {
    fn listen() -> std::io::Result<Self> {
        let number = |s: rustix::process::Signal| SignalKind::from_raw(s.as_raw());
        Ok(Self {
            hup: signal(SignalKind::hangup())?,
            term: signal(SignalKind::terminate())?,
            stop: signal(number(rustix::process::Signal::TSTP))?,
            go_on: signal(number(rustix::process::Signal::CONT))?,
            resized: signal(SignalKind::window_change())?,
        })
    }
}

async fn run(tty: &mut Tty, mut signals: Signals) -> Result<u8, HangUp> {
    let clock = Clock::start();
    let depth = if std::env::var_os("NO_COLOR").is_some() {
        Depth::Mono
    } else {
        Depth::Ansi16
    };
    let mut screen = Screen::new(depth);
    let guard = Guard::enter(tty, &mut screen, Some("probe \u{1b}]evil\u{7}"))?;
    let (mut decoder, mut state, mut inputs) = (Decoder::new(), State::default(), Vec::new());
    let mut area = Rect::from((ratatui::layout::Position::ORIGIN, tty.size()));
    let mut is_dirty = true;
    let mut buf = [0; 4096];
    loop {
        if guard.is_entered() {
            // First what waited, or a state that changed meanwhile would wait for the next event.
            screen.flush(tty, clock.now())?;
            while (is_dirty || screen.needs_frame()) && !screen.is_pending() {
                is_dirty = false;
                screen.frame(area, |area, buf| draw(&state, area, buf));
                screen.flush(tty, clock.now())?;
            }
        }
        let is_ours = guard.is_entered();
        let deadline = decoder.deadline().map(|at| clock.instant(at).into());
        let mut wants_resume = false;
        tokio::select! {
            biased;
            _ = signals.hup.recv() => return Ok(129),
            _ = signals.term.recv() => return Ok(143),
            _ = signals.stop.recv() => state.wants_stop = true,
            _ = signals.go_on.recv() => wants_resume = true,
            _ = signals.resized.recv() => is_dirty = true,
            ready = tty.readable(), if is_ours => {
                ready?;
                if let Read::Bytes(n) = tty.read(&mut buf)? {
                    decoder.feed(&buf[..n], clock.now(), &mut inputs);
                }
            }
            ready = tty.writable(), if is_ours && screen.is_pending() => ready?,
            () = tokio::time::sleep_until(deadline.unwrap_or_else(tokio::time::Instant::now)), if deadline.is_some() => {
                decoder.expire(clock.now(), &mut inputs);
            }
            () = tokio::time::sleep(BACKGROUND), if !is_ours => wants_resume = true,
            () = tokio::time::sleep(FLOOD), if state.is_flooded => {
                state.count += 1;
                is_dirty = true;
            }
        }
        for input in inputs.drain(..) {
            state.update(input);
            is_dirty = true;
        }
        if state.is_over {
            return Ok(0);
        }
        if std::mem::take(&mut state.wants_repaint) {
            screen.invalidate();
        }
        if std::mem::take(&mut state.wants_stop) && is_ours {
            wants_resume |= guard.suspend() == Suspended::Orphaned;
        }
        if wants_resume && guard.resume(&mut screen)? == Resumed::Foreground {
            decoder.reset();
            is_dirty = true;
        }
        area = Rect::from((ratatui::layout::Position::ORIGIN, tty.size()));
    }
}

fn main() -> ExitCode {
    guard::install_panic_hook(guard::plain_report);
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    let Ok(runtime) = runtime else {
        return ExitCode::FAILURE;
    };
    let ended = runtime.block_on(async {
        let signals = Signals::listen().map_err(|_| HangUp)?;
        let mut tty = Tty::open().map_err(|_| HangUp)?;
        run(&mut tty, signals).await
    });
    ExitCode::from(ended.unwrap_or_else(|HangUp| {
        forget_stdio();
        129
    }))
}
