//! What keys do on the first screen, and how a person leaves (O04).

use super::{Cockpit, SIZE, TABS, escape, rows_of, wait_gone, wait_live, watch};
use crate::{
    device::assert_given_back,
    pty::{SOON, text_of},
};

#[test]
fn o04_q_quits_on_the_first_screen_and_gives_the_terminal_back() {
    let mut cockpit = Cockpit::start();
    cockpit.pty.send("q");
    assert_eq!(cockpit.pty.wait_exit(SOON).code, 0);
    assert_given_back(&cockpit.pty);
}

#[test]
fn o04_q_is_a_level_back_below_the_first_screen() {
    let mut cockpit = Cockpit::start();
    cockpit.pty.send("\r");
    cockpit
        .pty
        .wait_text("Deployment  digital-wall-blue-frontend");
    cockpit.pty.send("q");
    cockpit.pty.wait_text("2 Pods");
    assert!(!cockpit.pty.is_over());
}

#[test]
fn o04_escape_never_quits() {
    let mut cockpit = Cockpit::start();
    for _ in 0..5 {
        escape(&cockpit.pty);
    }
    cockpit.pty.send("\x1b\x1b\x1b");
    escape(&cockpit.pty);
    cockpit.pty.send("?");
    cockpit.pty.wait_text("Keys of this view");
    assert!(!cockpit.pty.is_over());
}

#[test]
fn o04_ctrl_c_closes_what_is_open_first_and_then_leaves() {
    let mut cockpit = Cockpit::start();
    for open in ["?", ":", "e"] {
        cockpit.pty.send(open);
        cockpit.pty.wait_for("something open", SOON, |screen, _| {
            let text = text_of(screen);
            ["Keys of this view", "Tab completes", "═ Environment"]
                .iter()
                .any(|t| text.contains(t))
        });
        cockpit.pty.send("\x03");
        for title in ["Keys of this view", "Tab completes", "═ Environment"] {
            wait_gone(&cockpit.pty, title);
        }
        assert!(!cockpit.pty.is_over(), "{open}");
    }
    cockpit.pty.send("\x03");
    assert_eq!(cockpit.pty.wait_exit(SOON).code, 0);
    assert_given_back(&cockpit.pty);
}

#[test]
fn tab_and_digits_go_from_panel_to_panel() {
    let cockpit = Cockpit::start_with(&[], &[], TABS);
    let steps = [
        ("1", "[1 Runs"),
        ("3", "[3 Alerts"),
        ("4", "[4 Time"),
        ("2", "[2 Pods"),
        ("\t", "[3 Alerts"),
        ("\t", "[4 Time"),
        ("\t\t", "[1 Runs"),
        ("\x1b[Z\x1b[Z", "[4 Time"),
    ];
    for (keys, focused) in steps {
        cockpit.pty.send(keys);
        cockpit.pty.wait_text(focused);
    }
}

#[test]
fn e_goes_to_another_environment_and_shows_its_estate() {
    let cockpit = Cockpit::start();
    cockpit.pty.send("e");
    cockpit.pty.wait_text("not watched yet");
    cockpit.pty.send("k\r");
    cockpit.pty.wait_for("staging", super::LONG, |screen, _| {
        let text = text_of(screen);
        text.matches("STAGING").count() == 2
            && text.contains("staging-eu")
            && text.contains("k8s live")
            && text.contains("digital-wall-staging-backend")
            && !text.contains("PROD")
    });
}

#[test]
fn the_filter_says_how_many_of_how_many_and_escape_clears_it() {
    let cockpit = Cockpit::start();
    let pty = &cockpit.pty;
    pty.send("/green");
    pty.wait_for("the pods of one colour", SOON, |screen, _| {
        let text = text_of(screen);
        text.contains("/green_  5/10 pods") && rows_of(&text, "BLUE") == 0
    });
    pty.send("\x15zzzz");
    pty.wait_text("/zzzz_  0/10 pods");
    pty.send("\x1b");
    wait_gone(pty, "Esc clears");
    pty.wait_for("the pods of both", SOON, |screen, _| {
        rows_of(&text_of(screen), "BLUE") > 2
    });
}

#[test]
fn the_palette_completes_with_tab_and_runs_with_enter() {
    let cockpit = Cockpit::start();
    let pty = &cockpit.pty;
    pty.send(":devel");
    pty.wait_text(":devel_");
    pty.send("\t");
    pty.wait_text(":environment development_");
    pty.send("\r");
    pty.wait_for("development", super::LONG, |screen, _| {
        let text = text_of(screen);
        text.contains("dev-eu") && text.contains("k8s live") && !text.contains("PROD")
    });
    pty.send(":nonsense");
    pty.wait_text("no such command");
    pty.send("\r");
    // It stays open, so that what was typed can be mended.
    pty.wait_text("no such command: nonsense");
    escape(pty);
    wait_gone(pty, "Tab completes");
    pty.send(":quit\r");
    let mut cockpit = cockpit;
    assert_eq!(cockpit.pty.wait_exit(SOON).code, 0);
}

#[test]
fn help_lists_the_keys_of_this_view_and_scrolls() {
    let cockpit = Cockpit::start_with(&[], &[], (80, 24));
    let pty = &cockpit.pty;
    pty.send("?");
    pty.wait_text("more below");
    assert!(pty.text().contains("next-panel") && !pty.text().contains("inject-fault"));
    pty.send("G");
    pty.wait_text(":interrupt");
    pty.send("\x1b");
    wait_gone(pty, "Keys of this view");
    pty.send("0\r\ro");
    pty.wait_text("Log  digital-wall");
    pty.send("?");
    pty.wait_text(":follow");
}

#[test]
fn y_copies_the_selected_name_by_osc_52() {
    let cockpit = Cockpit::start();
    cockpit.pty.send("y");
    let name = "digital-wall-blue-frontend";
    cockpit.pty.wait_for("the clipboard", SOON, |_, extra| {
        extra.clipboard == [base64(name)]
    });
    cockpit
        .pty
        .wait_text(&format!("sent to the terminal's clipboard: {name}"));
    let bare = format!("\x1b]52;c;{}\x07", base64(name));
    assert!(String::from_utf8_lossy(&cockpit.pty.raw()).contains(&bare));
    // Inside tmux it is handed through, every ESC doubled.
    let nested = watch(&cockpit.estate, &[("TMUX", "/tmp/none,1,0")], SIZE);
    wait_live(&nested);
    nested.send("y");
    nested.wait_text("sent to the terminal's clipboard");
    let wrapped = format!("\x1bPtmux;\x1b\x1b]52;c;{}\x07\x1b\\", base64(name));
    nested.wait_for("it wrapped", SOON, |_, _| true);
    assert!(String::from_utf8_lossy(&nested.raw()).contains(&wrapped));
}

#[test]
fn z_shows_local_time_and_utc_again() {
    let cockpit = Cockpit::start_with(&[], &[("TZ", "NPT-5:45")], SIZE);
    let pty = &cockpit.pty;
    let clock = |text: &str| {
        let line = text.lines().next().unwrap_or_default().to_owned();
        let at = line.rfind(':').expect("a clock");
        let (hours, minutes) = (&line[at - 2..at], &line[at + 1..at + 3]);
        let is_utc = line[at + 3..].starts_with('Z');
        (
            hours.parse::<i32>().unwrap() * 60 + minutes.parse::<i32>().unwrap(),
            is_utc,
        )
    };
    let (utc, is_utc) = clock(&pty.text());
    assert!(is_utc, "{}", pty.text());
    pty.send("z");
    pty.wait_for("local time", SOON, |screen, _| !clock(&text_of(screen)).1);
    let (local, _) = clock(&pty.text());
    let ahead = (local - utc).rem_euclid(24 * 60);
    assert!((345..=346).contains(&ahead), "{ahead} minutes ahead");
    pty.send("z");
    pty.wait_for("UTC", SOON, |screen, _| clock(&text_of(screen)).1);
}

fn base64(text: &str) -> String {
    use base64::Engine as _;
    base64::engine::general_purpose::STANDARD.encode(text)
}
