//! Which host ssh reaches by a name: its configuration has aliases, one for each account as a rule.

use std::io::Read as _;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::channel;
use std::time::Duration;

/// How long ssh may take to read its own files.
const PATIENCE: Duration = Duration::from_secs(2);

/// The host that ssh reaches by `name`; none where there is no ssh, or it does not say in time. The network is not touched.
pub(super) fn hostname(name: &str) -> Option<String> {
    let asked = Command::new("ssh")
        .args(["-G", "-o", "CanonicalizeHostname=no", "--", name])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn();
    let mut child = asked.ok()?;
    let said = said(&mut child);
    // It may have ended by itself just now.
    let _ = child.kill();
    let _ = child.wait();
    of(&said?)
}

/// What it prints, if that is all there in time.
fn said(child: &mut Child) -> Option<String> {
    let mut pipe = child.stdout.take()?;
    let (all, wait) = channel();
    std::thread::spawn(move || {
        let mut text = String::new();
        let read = pipe.read_to_string(&mut text);
        let _ = all.send(read.ok().map(|_| text));
    });
    wait.recv_timeout(PATIENCE).ok()?
}

/// The host in what `ssh -G` prints.
fn of(said: &str) -> Option<String> {
    let mut lines = said.lines();
    lines.find_map(|line| Some(line.strip_prefix("hostname ")?.trim().to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_host_is_the_line_that_begins_with_its_key() {
        let said = "host github.com-work\nuser git\nhostname github.com\nport 22\n";
        assert_eq!(of(said).as_deref(), Some("github.com"));
        assert_eq!(of("host x\n"), None);
    }
}
