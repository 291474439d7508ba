//! T10 to T13 and T15: bytes that no person typed.

use std::time::{Duration, Instant};

use super::{Cockpit, SIZE, TABS, escape, wait_gone, wait_heard, wait_live, watch};
use crate::pty::{Pty, SOON, text_of, wait_until};

/// Nothing is open: the first screen, without filter and overlay.
fn is_home(text: &str) -> bool {
    text.contains("2 Pods") && !text.contains("Esc clears") && !text.contains("Esc closes")
}

fn assert_home_and_alive(pty: &Pty) {
    pty.send("?");
    pty.wait_text("Keys of this view");
    pty.send("\x1b");
    wait_gone(pty, "Keys of this view");
    assert!(is_home(&pty.text()), "{}", pty.text());
}

#[test]
fn t10_answers_to_queries_are_no_keys() {
    let cockpit = Cockpit::start();
    let pty = &cockpit.pty;
    assert!(has_focus(pty, "2 Pods"), "{}", pty.text());
    pty.send("\x1b[?2026;2$y\x1b]11;rgb:ffff/ffff/dddd\x1b\\\x1b[?62;22c\x1bP>|XTerm(390)\x1b\\\x1b[3;4R");
    wait_heard(pty);
    assert_home_and_alive(pty);
    // A digit or a Tab out of them would have gone to another panel.
    assert!(has_focus(pty, "2 Pods"), "{}", pty.text());
    pty.send("1");
    wait_until("Runs to have the focus", SOON, || has_focus(pty, "1 Runs"));
}

/// Whether the panel of that title has the focus: its title is underlined.
fn has_focus(pty: &Pty, title: &str) -> bool {
    let text = pty.text();
    let row = text.lines().position(|line| line.contains(title));
    let Some((row, line)) = row.and_then(|row| Some((row, text.lines().nth(row)?))) else {
        return false;
    };
    let column = line.split(title).next().unwrap_or_default().chars().count();
    let (row, column) = (u16::try_from(row).unwrap(), u16::try_from(column).unwrap());
    pty.screen(|screen, _| screen.cell(row, column).is_some_and(vt100::Cell::underline))
}

#[test]
fn t11_an_arrow_torn_at_its_escape_is_at_most_one_escape() {
    let cockpit = Cockpit::start();
    let pty = &cockpit.pty;
    for gap in [5, 30, 200] {
        pty.send("\r");
        pty.wait_text("Deployment  digital-wall-blue-frontend");
        pty.send("\r");
        pty.wait_text("Pod  digital-wall-blue-frontend");
        let typed = Instant::now();
        pty.send("\x1b");
        wait_until("the gap", SOON, || {
            typed.elapsed() >= Duration::from_millis(gap)
        });
        pty.send("[A");
        wait_heard(pty);
        // A machine that was elsewhere meanwhile made a longer pause of it.
        let was_long = typed.elapsed() > Duration::from_millis(50);
        // Still in the Pod, or one level back in the Deployment; never two, and nothing opened.
        let at = |title: &str| pty.text().contains(title);
        escape(pty);
        assert!(
            at("─ Deployment  ") || is_home(&pty.text()),
            "{gap} ms: {}",
            pty.text()
        );
        assert!(
            at("─ Deployment  ") || gap > 50 || was_long,
            "{gap} ms was no pause: {}",
            pty.text()
        );
        if !is_home(&pty.text()) {
            escape(pty);
        }
        pty.wait_for("the first screen", SOON, |screen, _| {
            is_home(&text_of(screen))
        });
    }
}

#[test]
fn t12_a_paste_into_the_list_is_ignored_with_a_notice() {
    let cockpit = Cockpit::start();
    let pty = &cockpit.pty;
    pty.send("\x1b[200~y\rq\n?delete prod\n\x1b[201~");
    pty.wait_text("pasted text is ignored here");
    assert_home_and_alive(pty);
    assert!(
        pty.screen(|_, extra| extra.clipboard.is_empty()),
        "`y` copied"
    );
}

#[test]
fn t12_a_paste_into_the_filter_is_text_and_ends_nothing() {
    let cockpit = Cockpit::start();
    let pty = &cockpit.pty;
    pty.send("/");
    pty.wait_text("Esc clears");
    pty.send("\x1b[200~gre\x1b[201~en");
    pty.wait_text("/green_  5/10 pods");
    pty.send("\x1b[200~\nq\x1b[201~");
    // Still typing: the newline was no Enter and `q` no command.
    pty.wait_for(
        "the text with its newline made visible",
        SOON,
        |screen, _| {
            let text = text_of(screen);
            text.contains("/green") && text.contains("q_ ") && text.contains("/10 pods")
        },
    );
}

#[test]
fn t12_a_paste_into_the_palette_does_not_run() {
    let mut cockpit = Cockpit::start();
    let pty = &cockpit.pty;
    pty.send(":");
    pty.wait_text("Tab completes");
    pty.send("\x1b[200~quit\n\x1b[201~");
    pty.wait_text(":quit");
    wait_heard(pty);
    assert!(!cockpit.pty.is_over(), "the newline was an Enter");
    cockpit.pty.send("\x1b");
    wait_gone(&cockpit.pty, "Tab completes");
    assert_home_and_alive(&cockpit.pty);
}

#[test]
fn t13_after_a_paste_without_an_end_keys_work_within_a_second() {
    let mut cockpit = Cockpit::start();
    cockpit.pty.send("\x1b[200~abc");
    wait_heard(&cockpit.pty);
    // The second counts from when the program read it, a moment after it was sent.
    let since = Instant::now();
    wait_until("a second", SOON, || {
        since.elapsed() > Duration::from_millis(1_300)
    });
    cockpit.pty.send("?");
    cockpit.pty.wait_text("Keys of this view");
    cockpit.pty.send("\x1b[200~abc\x03");
    let since = Instant::now();
    // Ctrl-C closes the help first.
    wait_gone(&cockpit.pty, "Keys of this view");
    assert!(
        since.elapsed() < Duration::from_millis(1500),
        "{:?}",
        since.elapsed()
    );
    cockpit.pty.send("\x03");
    assert_eq!(cockpit.pty.wait_exit(SOON).code, 0);
}

#[test]
fn t15_ctrl_l_repairs_what_others_wrote_over_the_screen() {
    let cockpit = Cockpit::start_with(&[], &[], TABS);
    let pty = &cockpit.pty;
    let before = pty.text();
    pty.scribble(b"\x1b[3;1Hstray bytes of others\x1b[41m\x1b[7;1Hand more");
    pty.wait_text("stray bytes of others");
    pty.send("\x0c");
    wait_gone(pty, "stray bytes");
    wait_gone(pty, "and more");
    let lines = |text: &str| text.lines().take(6).map(str::to_owned).collect::<Vec<_>>();
    assert_eq!(lines(&pty.text())[2], lines(&before)[2]);
}

#[test]
fn t15_a_credential_plugin_cannot_write_on_the_screen_nor_read_the_keys() {
    let estate = crate::estate::Served::start(&[]);
    // It says what it was given, then tries the terminal behind our back.
    let plugin = estate.home.write(
        "plugin",
        "#!/bin/sh\ncd \"$(dirname \"$0\")\"\n\
         for fd in 0 1 2; do if [ -t $fd ]; then echo terminal; else echo none; fi; done >fds.new\n\
         mv fds.new fds\necho SPOOFED >/dev/tty\necho written >spoofed\n",
    );
    let mode = std::os::unix::fs::PermissionsExt::from_mode(0o755);
    std::fs::set_permissions(&plugin, mode).unwrap();
    let kubeconfig = estate.config.with_file_name("kubeconfig.yaml");
    let text = std::fs::read_to_string(&kubeconfig).unwrap();
    let (before, _) = text.split_once("    token:").unwrap();
    let user = format!(
        "    exec: {{apiVersion: client.authentication.k8s.io/v1, command: {}, interactiveMode: IfAvailable}}\n",
        plugin.display()
    );
    std::fs::write(&kubeconfig, format!("{before}{user}")).unwrap();
    let pty = watch(&estate, &[], SIZE);
    let has_run = |name: &str| estate.home.path().join(name).exists();
    wait_until("the plugin", super::LONG, || has_run("fds"));
    assert_eq!(
        std::fs::read_to_string(estate.home.path().join("fds")).unwrap(),
        "none\nnone\nnone\n"
    );
    // Its write stops it; the limit of credential plugins (15 s) then ends it.
    pty.wait_text_long("login needed");
    assert!(!has_run("spoofed"), "it wrote to the terminal");
    assert!(
        !String::from_utf8_lossy(&pty.raw()).contains("SPOOFED"),
        "{}",
        pty.text()
    );
}

trait Patient {
    fn wait_text_long(&self, text: &str);
}

impl Patient for Pty {
    fn wait_text_long(&self, text: &str) {
        self.wait_for(text, super::LONG, |screen, _| {
            text_of(screen).contains(text)
        });
    }
}

#[test]
fn focus_reports_and_unknown_sequences_change_nothing() {
    let cockpit = Cockpit::start();
    cockpit
        .pty
        .send("\x1b[I\x1b[O\x1b[<0;10;10M\x1b[<0;10;10m\x1b[99~\x1b[1;5Q\x1bOX");
    wait_heard(&cockpit.pty);
    assert_home_and_alive(&cockpit.pty);
    wait_live(&cockpit.pty);
}
