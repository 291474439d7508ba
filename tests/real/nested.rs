//! T16: inside a real tmux with its own server, detached and attached at another size.

use std::process::Command;

use std::time::Duration;

use crate::{
    estate::{Served, program},
    pty::{Pty, SOON, text_of},
};

/// How long the world may take to come, on a machine that does other things too.
const LONG: Duration = Duration::from_secs(60);

fn wait_live(pty: &Pty) {
    pty.wait_for("the estate on the screen", LONG, |screen, _| {
        let text = text_of(screen);
        text.contains("k8s live") && text.contains("LIVE ")
    });
}

/// A tmux server of its own; ended when dropped.
struct Tmux<'e> {
    estate: &'e Served,
    socket: String,
}

impl<'e> Tmux<'e> {
    fn new(estate: &'e Served) -> Self {
        let version = Command::new("tmux").arg("-V").output();
        assert!(version.is_ok(), "no tmux here: apt-get install tmux");
        let socket = estate.home.path().join("tmux.socket");
        let socket = socket.display().to_string();
        estate.home.write(
            "tmux.conf",
            "set -g status off\nset -g allow-passthrough on\nset -s set-clipboard on\nset -s escape-time 10\n",
        );
        Self { estate, socket }
    }

    fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new("tmux");
        command
            .args(["-S", &self.socket])
            .args(args)
            .env_remove("TMUX");
        command
    }

    /// A client on a terminal of that size: of the session with the cockpit, made if need be.
    fn attach(&self, size: (u16, u16)) -> Pty {
        let conf = self
            .estate
            .home
            .path()
            .join("tmux.conf")
            .display()
            .to_string();
        let cockpit = format!(
            "{} --config {}",
            program().display(),
            self.estate.config.display()
        );
        let args = [
            "-S",
            &self.socket,
            "-f",
            &conf,
            "new-session",
            "-A",
            "-s",
            "w",
            &cockpit,
        ];
        let (name, home) = self.estate.home.env();
        Pty::spawn("tmux".as_ref(), &args, &[(name, &home)], size)
    }

    fn capture(&self) -> String {
        let out = self
            .command(&["capture-pane", "-p", "-t", "w"])
            .output()
            .unwrap();
        String::from_utf8(out.stdout).unwrap().trim_end().to_owned()
    }
}

impl Drop for Tmux<'_> {
    fn drop(&mut self) {
        let _ = self.command(&["kill-server"]).output();
    }
}

#[test]
fn t16_detached_and_attached_at_another_size_it_is_whole_again() {
    let estate = Served::start(&[]);
    let tmux = Tmux::new(&estate);
    let mut first = tmux.attach((120, 30));
    wait_live(&first);
    first.send("/green\r");
    first.wait_text("5/10 pods");
    first.send("\x02d");
    assert_eq!(first.wait_exit(SOON).code, 0);
    let second = tmux.attach((90, 26));
    wait_live(&second);
    second.wait_for("the same state in the new window", LONG, |screen, _| {
        let text = text_of(screen);
        let last = text.lines().last().unwrap_or_default();
        text.lines().count() == 26 && last.starts_with('╚') && last.contains("5/10 pods")
    });
    assert_eq!(
        tmux.capture(),
        second.text(),
        "tmux and its client show the same"
    );
    // A pane that is left inside a synchronized update would show no more.
    second.send("\x1b");
    second.wait_for("the end of the filter", LONG, |screen, _| {
        !text_of(screen).contains("5/10 pods")
    });
}

#[test]
fn t16_a_copy_inside_tmux_reaches_the_outer_clipboard() {
    let estate = Served::start(&[]);
    let tmux = Tmux::new(&estate);
    let pty = tmux.attach((120, 30));
    wait_live(&pty);
    pty.send("y");
    let name = base64("digital-wall-blue-frontend");
    pty.wait_for("the clipboard", LONG, |_, extra| {
        extra.clipboard.contains(&name)
    });
}

#[test]
fn t16_ctrl_z_under_tmux_without_a_shell_does_not_hang_the_pane() {
    let estate = Served::start(&[]);
    let tmux = Tmux::new(&estate);
    let pty = tmux.attach((120, 30));
    wait_live(&pty);
    pty.send("\x1a");
    pty.wait_text("not suspended");
    pty.send("?");
    pty.wait_text("Keys of this view");
}

fn base64(text: &str) -> String {
    use base64::Engine as _;
    base64::engine::general_purpose::STANDARD.encode(text)
}
