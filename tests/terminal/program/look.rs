//! T08, T09 and T17: what the terminal is, and what the person asked for.

use super::{Cockpit, SIZE, escape, program, run, run_in_shell, wait_heard, watch};
use crate::{
    estate::Served,
    pty::{Pty, SOON, text_of},
};

/// The colour codes in the bytes: parameters 30–38, 40–48, 90–97, 100–107 of any SGR.
fn colour_codes(raw: &[u8]) -> Vec<String> {
    let raw = String::from_utf8_lossy(raw).into_owned();
    let sequences = raw.split("\x1b[").skip(1);
    let parameters = sequences.filter_map(|s| {
        let end = s.find(|c: char| c.is_ascii_alphabetic())?;
        (s.as_bytes()[end] == b'm').then(|| s[..end].to_owned())
    });
    let is_colour = |p: &str| matches!(p.parse(), Ok(30..=38u16 | 40..=48 | 90..=97 | 100..=107));
    parameters
        .filter(|all| all.split([';', ':']).any(is_colour))
        .collect()
}

fn assert_ascii(pty: &Pty) {
    pty.wait_for("the estate in ASCII", super::LONG, |screen, _| {
        let text = text_of(screen);
        text.contains("LIVE ") && text.contains("k8s live")
    });
    let raw = pty.raw();
    let text = String::from_utf8_lossy(&raw);
    let other: String = text.chars().filter(|c| !c.is_ascii()).collect();
    assert_eq!(other, "", "bytes beyond ASCII");
}

/// Opens what else there is to draw: help, palette, environments, a detail.
fn look_around(pty: &Pty) {
    for open in ["?", ":", "e"] {
        pty.send(open);
        escape(pty);
    }
    pty.send("0\r\r\r");
    pty.wait_text("Log  digital-wall");
}

#[test]
fn t08_a_dumb_or_unnamed_terminal_is_refused_in_one_line() {
    let estate = Served::start(&[]);
    for script in ["TERM=dumb", "unset TERM", "TERM="] {
        let script = format!("{script}; $PROGRAM --config $CONFIG; echo ended $?");
        let pty = run_in_shell(&estate, &script, SIZE);
        pty.wait_text("ended 2");
        let text = pty.text();
        let lines: Vec<_> = text.lines().collect();
        assert_eq!(lines.len(), 2, "{text}");
        assert!(lines[0].contains("wheelhouse status"), "{text}");
        assert!(!pty.raw().contains(&0x1b), "{text}");
    }
}

#[test]
fn t08_an_old_terminal_gets_ascii_and_screen_gets_the_whole_layout() {
    let estate = Served::start(&[]);
    for term in ["linux", "vt100"] {
        let pty = watch(&estate, &[("TERM", term)], SIZE);
        assert_ascii(&pty);
        look_around(&pty);
        assert_ascii_so_far(&pty);
        assert_eq!(
            colour_codes(&pty.raw()).is_empty(),
            term == "vt100",
            "{term}"
        );
        assert_eq!(pty.screen(|_, extra| extra.title.clone()), "", "{term}");
    }
    let pty = watch(&estate, &[("TERM", "screen")], SIZE);
    super::wait_live(&pty);
    assert!(pty.text().contains('╔') && !colour_codes(&pty.raw()).is_empty());
}

fn assert_ascii_so_far(pty: &Pty) {
    let raw = pty.raw();
    assert!(raw.is_ascii(), "bytes beyond ASCII in {}", pty.text());
}

#[test]
fn t09_no_color_lets_no_colour_code_out() {
    let cockpit = Cockpit::start_with(&[], &[("NO_COLOR", "1")], SIZE);
    look_around(&cockpit.pty);
    assert_eq!(colour_codes(&cockpit.pty.raw()), Vec::<String>::new());
    let coloured = watch(&cockpit.estate, &[], SIZE);
    super::wait_live(&coloured);
    assert!(
        !colour_codes(&coloured.raw()).is_empty(),
        "else this proves nothing"
    );
}

#[test]
fn t09_without_utf8_only_ascii_leaves() {
    let estate = Served::start(&[]);
    let pty = watch(&estate, &[("LANG", "C")], SIZE);
    assert_ascii(&pty);
    look_around(&pty);
    assert_ascii_so_far(&pty);
}

#[test]
fn t09_accessible_prints_plain_lines() {
    let estate = Served::start(&[]);
    let mut pty = watch(&estate, &[("ACCESSIBLE", "1")], (200, 50));
    assert_eq!(pty.wait_exit(SOON).code, 0);
    pty.wait_end_of_output();
    let text = pty.text();
    assert!(text.contains("production: OK, BLUE live"), "{text}");
    assert!(!pty.raw().contains(&0x1b) && pty.raw().is_ascii(), "{text}");
    let plain = run(
        &estate.home,
        &["--plain", "--config", estate.config.to_str().unwrap()],
        &[],
        (200, 60),
    );
    plain.wait_text("production: OK, BLUE live");
}

#[test]
fn t17_a_terminal_that_knows_no_sequence_shows_no_garbage_and_the_name_that_was_copied() {
    let cockpit = Cockpit::start_with(&[], &[], (80, 24));
    let pty = &cockpit.pty;
    pty.send("jjj");
    wait_heard(pty);
    pty.send("y");
    // Over two rows where one has no room for the whole name.
    pty.wait_for("the name", super::LONG, |screen, _| {
        let text = text_of(screen);
        text.contains("sent to the terminal's clipboard:") && text.contains("═ digital-wall-blue-")
    });
    let bare = strip(&pty.raw());
    for garbage in ["2026", "1004", "52;c", "1049", "]0;"] {
        assert!(!bare.contains(garbage), "{garbage} in {bare:?}");
    }
    assert!(bare.contains("LIVE"), "else this proves nothing: {bare:?}");
    assert!(
        pty.screen(|_, extra| extra.queries.is_empty()),
        "it asks nothing"
    );
}

/// The text that is left when whole CSI and OSC sequences are taken out.
fn strip(raw: &[u8]) -> String {
    let raw = String::from_utf8_lossy(raw).into_owned();
    let mut parts = raw.split('\x1b');
    let mut text = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let rest = match part.as_bytes().first() {
            Some(b'[') => part[1..]
                .trim_start_matches(|c: char| (' '..='?').contains(&c))
                .get(1..),
            _ => part.split_once('\x07').map(|(_, rest)| rest),
        };
        text.push_str(rest.unwrap_or_default());
    }
    text
}

#[test]
fn without_a_terminal_the_cockpit_is_refused_in_one_line() {
    let estate = Served::start(&[]);
    let config = estate.config.to_str().unwrap();
    let out = estate
        .home
        .command(&["--config", config])
        .env("TERM", "xterm")
        .output()
        .unwrap();
    let said = String::from_utf8(out.stderr).unwrap();
    assert_eq!(out.status.code(), Some(2), "{said}");
    assert!(
        said.contains("wheelhouse status") && said.lines().count() == 1,
        "{said}"
    );
    assert!(program().exists() && out.stdout.is_empty());
}
