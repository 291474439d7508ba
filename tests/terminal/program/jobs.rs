//! T14: suspended and continued by a shell.

use super::{SIZE, escape, program, wait_live};
use crate::{
    estate::Served,
    pty::{Process, Pty, SOON, text_of, wait_until},
};

/// An interactive shell without anybody's settings, in which `$PROGRAM --config $CONFIG` is the cockpit.
fn shell(estate: &Served) -> Pty {
    let (program, config) = (
        program().display().to_string(),
        estate.config.display().to_string(),
    );
    let (_, home) = estate.home.env();
    let env = [
        ("PROGRAM", program.as_str()),
        ("CONFIG", &config),
        ("HOME", &home),
        ("PS1", "ready> "),
    ];
    let pty = Pty::spawn(
        "/bin/bash".as_ref(),
        &["--norc", "--noprofile", "-i"],
        &env,
        SIZE,
    );
    pty.wait_text("ready>");
    pty
}

/// Types a command and waits for the prompt behind what it prints.
fn run(pty: &Pty, command: &str, answer: &str) {
    pty.send(format!("{command}\r"));
    pty.wait_for(answer, SOON, |screen, _| {
        let text = text_of(screen);
        text.split_once(&format!("\n{answer}"))
            .is_some_and(|(_, after)| after.contains("ready>"))
    });
}

fn start(pty: &Pty) -> Process {
    pty.send("$PROGRAM --config $CONFIG\r");
    wait_live(pty);
    Process(pty.process().children()[0])
}

fn wait_for_the_shell(pty: &Pty) {
    pty.wait_for("the shell's screen", SOON, |screen, extra| {
        !screen.alternate_screen() && !screen.hide_cursor() && extra.modes.is_empty()
    });
}

#[test]
fn t14_ctrl_z_leaves_a_clean_shell_and_fg_paints_all_again() {
    let estate = Served::start(&[]);
    let pty = shell(&estate);
    let cockpit = start(&pty);
    pty.send("/green\r");
    pty.wait_text("5/10 pods");
    pty.send("\x1a");
    wait_until("the job to stop", SOON, || cockpit.is_stopped());
    wait_for_the_shell(&pty);
    // Dirtied on purpose: these modes are the shell's choice now. And another size meanwhile.
    run(&pty, "stty -echoe; echo dirt$((1+1))ed", "dirt2ed");
    pty.resize(100, 28);
    pty.send("fg\r");
    wait_live(&pty);
    pty.wait_for("where it was, in the new window", SOON, |screen, _| {
        let text = text_of(screen);
        text.contains("5/10 pods") && text.lines().count() == 28 && !text.contains("dirt")
    });
    escape(&pty);
    pty.send("q");
    wait_for_the_shell(&pty);
    run(
        &pty,
        "stty -a | grep -o '.echoe' | sed s/^/has/",
        "has-echoe",
    );
    run(
        &pty,
        "stty -a | grep -ow '.icanon\\|icanon' | sed s/^/has/",
        "hasicanon",
    );
}

#[test]
fn t14_continued_in_the_background_it_is_silent_until_fg() {
    let estate = Served::start(&["--churn", "20", "--pods", "100"]);
    let pty = shell(&estate);
    let cockpit = start(&pty);
    pty.send("\x1a");
    wait_until("the job to stop", SOON, || cockpit.is_stopped());
    wait_for_the_shell(&pty);
    run(&pty, "echo be$((1+1))fore", "be2fore");
    let before = pty.raw().len();
    pty.send("bg\r");
    wait_until("the job to run", SOON, || !cockpit.is_stopped());
    let since = std::time::Instant::now();
    wait_until("it to have its chance", SOON, || {
        since.elapsed().as_millis() > 1500
    });
    assert!(
        !cockpit.is_stopped(),
        "it touched the terminal and was stopped for it"
    );
    run(&pty, "echo af$((1+1))ter", "af2ter");
    let raw = String::from_utf8_lossy(&pty.raw()[before..]).into_owned();
    assert!(
        !raw.contains("PROD") && !raw.contains("\x1b[?1049"),
        "{raw:?}"
    );
    pty.send("fg\r");
    wait_live(&pty);
    pty.send("q");
    wait_for_the_shell(&pty);
}
