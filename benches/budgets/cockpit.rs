//! A cockpit on a terminal of 120×30, as the budgets are meant.

use std::{path::Path, time::Duration};

use crate::{
    estate::{Home, program},
    pty::{Pty, text_of},
};

/// How long the world may take to come; beyond it something is broken, not slow.
const LONG: Duration = Duration::from_secs(180);

/// Starts one on that configuration.
pub fn start(home: &Home, config: &Path) -> Pty {
    let (name, path) = home.env();
    let args = ["--config", config.to_str().expect("a path of text")];
    Pty::spawn(
        &program(),
        &args,
        &[(name, &path), ("TZ", "UTC")],
        (120, 30),
    )
}

/// Waits until the first rows of pods are there.
pub fn wait_rows(pty: &Pty) {
    pty.wait_for("rows", LONG, |screen, _| {
        let text = text_of(screen);
        text.contains(" filler") || text.contains(" ready  ")
    });
}

/// Waits until so many pods and who is live are on the screen.
pub fn wait_pods(pty: &Pty, pods: usize) {
    let count = format!("  {pods} pods ");
    pty.wait_for(&format!("{pods} pods"), LONG, |screen, _| {
        let text = text_of(screen);
        text.contains(&count) && text.contains("LIVE ")
    });
}

/// Waits until every feed is confirmed to be current, too.
pub fn wait_live(pty: &Pty) {
    pty.wait_for("all feeds live", LONG, |screen, _| {
        text_of(screen).contains("k8s live")
    });
}

/// Ends it as a person does.
pub fn quit(mut pty: Pty) {
    pty.send("q");
    assert_eq!(pty.wait_exit(LONG).code, 0);
}
