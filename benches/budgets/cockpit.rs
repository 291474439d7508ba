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
    start_with(home, config, ("TZ", "UTC"))
}

/// Starts one with one more variable in its environment.
pub fn start_with(home: &Home, config: &Path, more: (&str, &str)) -> Pty {
    let (name, path) = home.env();
    let args = ["--config", config.to_str().expect("a path of text")];
    let env = [(name, path.as_str()), ("TZ", "UTC"), more];
    Pty::spawn(&program(), &args, &env, (120, 30))
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

/// The same from a page that lies over the panels.
pub fn quit_from_page(pty: Pty) {
    pty.send("q");
    // The page closes; a second `q` in the same piece would be one, too, but is no person's.
    std::thread::sleep(Duration::from_millis(300));
    quit(pty);
}
