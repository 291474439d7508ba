//! How to behave on this terminal, decided once from options, configuration and environment.

use super::setup::Loaded;
use super::{Arguments, When};
use crate::app::Look;
use crate::config::{Switch, Time, Ui};
use crate::tui::run::Manners as Terminal;
use crate::tui::screen::Depth;

/// How to behave.
pub(super) struct Manners {
    /// How it looks.
    pub look: Look,
    /// What the terminal bears.
    pub terminal: Terminal,
}

/// What the environment says, so that the decision is a pure function.
#[derive(Clone, Debug, Default)]
struct Surroundings {
    term: String,
    locale: String,
    no_color: bool,
    clicolor_off: bool,
    clicolor_force: bool,
    is_remote: bool,
    in_tmux: bool,
}

impl Surroundings {
    fn of_this_process() -> Self {
        let text = |name| std::env::var(name).unwrap_or_default();
        let is_set = |name| std::env::var_os(name).is_some_and(|v| !v.is_empty());
        let locale = ["LC_ALL", "LC_CTYPE", "LANG"].map(text);
        Self {
            term: text("TERM"),
            locale: locale
                .into_iter()
                .find(|l| !l.is_empty())
                .unwrap_or_default(),
            no_color: is_set("NO_COLOR"),
            clicolor_off: text("CLICOLOR") == "0",
            clicolor_force: is_set("CLICOLOR_FORCE") && text("CLICOLOR_FORCE") != "0",
            is_remote: is_set("SSH_CONNECTION") || is_set("SSH_TTY"),
            in_tmux: is_set("TMUX"),
        }
    }

    fn is_utf8(&self) -> bool {
        let locale = self.locale.to_ascii_lowercase();
        locale.contains("utf-8") || locale.contains("utf8")
    }
}

/// Whether the locale that somebody set has none of our glyphs; a job without any has a log that takes them.
pub(super) fn lacks_glyphs() -> bool {
    let around = Surroundings::of_this_process();
    !around.locale.is_empty() && !around.is_utf8()
}

/// How to behave here.
///
/// # Errors
/// In words, when there is no terminal that a screen can be drawn on.
pub(super) fn of_this_process(arguments: &Arguments, loaded: &Loaded) -> Result<Manners, String> {
    let around = Surroundings::of_this_process();
    let is_terminal = rustix::termios::isatty(rustix::stdio::stdin())
        && rustix::termios::isatty(rustix::stdio::stdout());
    if !is_terminal {
        return Err("standard input and output are no terminal".to_owned());
    }
    decide(arguments, &loaded.ui, &around)
}

/// What this terminal would be shown, in words, for `doctor`; whether it is one that can show it.
pub(super) fn outlook(arguments: &Arguments, ui: &Ui) -> Result<String, String> {
    let is_there = [
        rustix::termios::isatty(rustix::stdio::stdin()),
        rustix::termios::isatty(rustix::stdio::stdout()),
        rustix::termios::isatty(rustix::stdio::stderr()),
    ];
    let around = Surroundings::of_this_process();
    if !is_there.contains(&true) {
        return Ok("none here (a pipe or a job): `status` prints lines".to_owned());
    }
    describe(arguments, ui, &around)
}

fn describe(arguments: &Arguments, ui: &Ui, around: &Surroundings) -> Result<String, String> {
    let manners = decide(arguments, ui, around)?;
    let glyphs = match manners.look.ascii {
        true => "ASCII",
        false => "UTF-8",
    };
    let colours = match manners.look.mono {
        true => "no colours",
        false => "16 colours",
    };
    Ok(format!("TERM={}, {glyphs}, {colours}", around.term))
}

fn decide(arguments: &Arguments, ui: &Ui, around: &Surroundings) -> Result<Manners, String> {
    if matches!(around.term.as_str(), "" | "dumb") {
        return Err(format!("TERM={} cannot show a screen", around.term));
    }
    let is_plain_terminal = matches!(
        around.term.as_str(),
        "linux" | "vt100" | "vt102" | "vt220" | "ansi" | "cons25"
    );
    let is_utf8 = around.is_utf8();
    let ascii = match ui.ascii {
        _ if arguments.ascii => true,
        Switch::Always => true,
        Switch::Never => false,
        Switch::Auto => is_plain_terminal || !is_utf8,
    };
    let colours = match (arguments.color, ui.colour) {
        (When::Always, _) => true,
        (When::Never, _) => false,
        (When::Auto, Switch::Always) => true,
        (When::Auto, Switch::Never) => false,
        (When::Auto, Switch::Auto) if around.clicolor_force => true,
        (When::Auto, Switch::Auto) => {
            !around.no_color && !around.clicolor_off && !around.term.starts_with("vt")
        }
    };
    Ok(Manners {
        look: Look {
            ascii,
            mono: !colours,
            local_time: ui.time == Time::Local,
        },
        terminal: Terminal {
            depth: if colours { Depth::Ansi16 } else { Depth::Mono },
            has_title: !is_plain_terminal,
            is_remote: around.is_remote,
            has_bell: ui.bell,
            in_tmux: around.in_tmux,
        },
    })
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use clap::Parser as _;

    fn decided(line: &str, change: impl FnOnce(&mut Surroundings)) -> Result<Manners, String> {
        let mut around = Surroundings {
            term: "xterm-256color".to_owned(),
            locale: "en_US.UTF-8".to_owned(),
            ..Surroundings::default()
        };
        change(&mut around);
        let arguments = Arguments::try_parse_from(line.split(' ')).unwrap();
        decide(
            &arguments,
            &super::super::setup::tests::example().ui,
            &around,
        )
    }

    #[test]
    fn t08_a_dumb_terminal_is_refused_and_an_old_one_gets_ascii() {
        assert!(decided("w", |a| a.term = "dumb".to_owned()).is_err());
        assert!(decided("w", |a| a.term = String::new()).is_err());
        for term in ["linux", "vt100"] {
            let manners = decided("w", |a| a.term = term.to_owned()).unwrap();
            assert!(manners.look.ascii && !manners.terminal.has_title, "{term}");
        }
        assert!(!decided("w", |_| ()).unwrap().look.ascii);
        assert!(
            !decided("w", |a| a.term = "screen".to_owned())
                .unwrap()
                .look
                .ascii
        );
    }

    #[test]
    fn t08_doctor_says_what_the_terminal_would_be_shown() {
        let said = |term: &str, locale: &str| {
            let around = Surroundings {
                term: term.to_owned(),
                locale: locale.to_owned(),
                ..Surroundings::default()
            };
            let arguments = Arguments::try_parse_from(["w"]).unwrap();
            describe(&arguments, &Ui::default(), &around)
        };
        let wanted = "TERM=tmux-256color, UTF-8, 16 colours";
        assert_eq!(said("tmux-256color", "C.UTF-8").as_deref(), Ok(wanted));
        assert_eq!(
            said("vt100", "C").as_deref(),
            Ok("TERM=vt100, ASCII, no colours")
        );
        assert!(said("dumb", "C.UTF-8").is_err());
    }

    #[test]
    fn t09_colours_follow_option_then_variables() {
        let mono =
            |line: &str, change: fn(&mut Surroundings)| decided(line, change).unwrap().look.mono;
        assert!(mono("w", |a| a.no_color = true));
        assert!(mono("w", |a| a.clicolor_off = true));
        assert!(!mono("w", |a| {
            a.no_color = true;
            a.clicolor_force = true;
        }));
        assert!(!mono("w --color always", |a| a.no_color = true));
        assert!(mono("w --color never", |_| ()));
        assert!(
            decided("w", |a| a.locale = "C".to_owned())
                .unwrap()
                .look
                .ascii
        );
    }
}
