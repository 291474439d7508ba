//! The real program on a pseudo-terminal, against the embedded estate in a process of its own.

use std::time::Duration;

use crate::{
    estate::{Home, Served, program},
    pty::{Pty, text_of},
};

mod acts;
mod demo;
mod hangup;
mod input;
mod jobs;
mod keys;
mod look;
mod operations;
mod sizes;
mod start;
mod views;

/// The window that the tests have when they do not care: all panels are on it.
const SIZE: (u16, u16) = (120, 30);
/// A window with tabs instead of panels.
const TABS: (u16, u16) = (90, 30);
/// How long the world may take to come, on a machine that does other things too.
const LONG: Duration = Duration::from_secs(60);

/// A cockpit and the estate that it watches.
struct Cockpit {
    pty: Pty,
    estate: Served,
}

impl Cockpit {
    /// On a calm estate, with everything on the screen.
    fn start() -> Self {
        Self::start_with(&[], &[], SIZE)
    }

    /// On an estate with `args`, and `env` for the cockpit.
    fn start_with(args: &[&str], env: &[(&str, &str)], size: (u16, u16)) -> Self {
        let estate = Served::start(args);
        let pty = watch(&estate, env, size);
        wait_live(&pty);
        Self { pty, estate }
    }
}

/// A cockpit on `estate`, just started.
fn watch(estate: &Served, env: &[(&str, &str)], size: (u16, u16)) -> Pty {
    let config = estate.config.to_str().unwrap();
    run(&estate.home, &["--config", config], env, size)
}

/// The program with `args` in that home, just started.
fn run(home: &Home, args: &[&str], env: &[(&str, &str)], size: (u16, u16)) -> Pty {
    let (name, value) = home.env();
    let mut all = vec![(name, value.as_str())];
    all.extend_from_slice(env);
    Pty::spawn(&program(), args, &all, size)
}

/// A script of the shell in which `$PROGRAM --config $CONFIG` is the cockpit.
fn run_in_shell(estate: &Served, script: &str, size: (u16, u16)) -> Pty {
    let program = program().display().to_string();
    let config = estate.config.display().to_string();
    let (_, home) = estate.home.env();
    let env = [
        ("PROGRAM", program.as_str()),
        ("CONFIG", &config),
        ("HOME", &home),
    ];
    Pty::spawn("/bin/sh".as_ref(), &["-c", script], &env, size)
}

/// Waits until every kind of object was listed and BLUE is live.
fn wait_live(pty: &Pty) {
    pty.wait_for("the estate on the screen", LONG, |screen, _| {
        is_live(&text_of(screen))
    });
}

/// Whether the screen shows the estate, every feed of it.
fn is_live(text: &str) -> bool {
    text.contains("k8s live") && text.contains("LIVE ")
}

/// How many rows of pods of a colour are on the screen.
fn rows_of(text: &str, colour: &str) -> usize {
    let is_row = |line: &&str| line.contains(colour) && line.contains(" ready  ");
    text.lines().filter(is_row).count()
}

/// Waits until the screen shows none of `text` any more.
fn wait_gone(pty: &Pty, text: &str) {
    pty.wait_for(&format!("the end of {text:?}"), LONG, |screen, _| {
        !text_of(screen).contains(text)
    });
}

/// Waits until the program has read all that was typed.
fn wait_heard(pty: &Pty) {
    crate::pty::wait_until("the keys to be heard", LONG, || pty.unread() == 0);
}

/// Whether the program ended, its state still there to be read.
fn is_zombie(process: crate::pty::Process) -> bool {
    let stat = process.file("stat");
    stat.rsplit_once(')')
        .is_some_and(|(_, rest)| rest.trim_start().starts_with('Z'))
}

/// Types Esc and waits until it is one: with a key close behind it, it would be that key with Alt.
fn escape(pty: &Pty) {
    pty.send("\x1b");
    wait_heard(pty);
    let since = std::time::Instant::now();
    crate::pty::wait_until("the escape to be one", LONG, || {
        since.elapsed() > Duration::from_millis(200)
    });
}
