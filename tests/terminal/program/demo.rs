//! `wheelhouse demo`: the estate starts with it, outlives it, and breaks on demand.

use super::{LONG, SIZE, run, wait_gone, wait_live};
use crate::{
    estate::Home,
    pty::{Pty, SOON, text_of, wait_until},
};

fn demo(home: &Home, args: &[&str]) -> Pty {
    let pty = run(home, &[&["demo"], args].concat(), &[], SIZE);
    wait_live(&pty);
    pty
}

#[test]
fn the_demo_needs_nothing_and_says_that_it_is_one() {
    let home = Home::new();
    // A configuration and a kubeconfig of the user's are not looked at.
    home.write(".config/wheelhouse/config.toml", "title = 7\n");
    home.write(".kube/config", "nonsense: [\n");
    let (config, kubeconfig) = ("title = 8\n", "nonsense: {\n");
    let named = [
        ("WHEELHOUSE_CONFIG", home.write("named/config.toml", config)),
        ("KUBECONFIG", home.write("named/kubeconfig", kubeconfig)),
    ];
    let named = named
        .each_ref()
        .map(|(name, file)| (*name, file.to_str().unwrap()));
    let mut pty = run(&home, &["demo"], &named, SIZE);
    wait_live(&pty);
    assert!(pty.text().contains("DEMO"), "{}", pty.text());
    // It was written before anything was seen, follows what is, and is written again only with other words.
    let is_live = |title: &str| {
        let colours = ["BLUE live", "GREEN live"];
        title.contains("DEMO") && colours.iter().any(|it| title.contains(it))
    };
    wait_until("the title", SOON, || {
        pty.screen(|_, extra| is_live(&extra.title))
    });
    pty.send("q");
    assert_eq!(pty.wait_exit(SOON).code, 0);
    let raw = String::from_utf8_lossy(&pty.raw()).into_owned();
    assert_eq!(raw.matches("\x1b]0;").count(), 2, "{raw:?}");
}

#[test]
fn the_estate_outlives_its_terminal_and_the_next_demo_joins_it() {
    let home = Home::new();
    let mut first = demo(&home, &[]);
    let addr = home.demo().expect("a running estate");
    let _quit = Quit(addr);
    first.close();
    assert_eq!(first.wait_exit(SOON).code, 129);
    let second = demo(&home, &[]);
    assert_eq!(home.demo(), Some(addr));
    drop(second);
    let third = demo(&home, &["--fresh"]);
    let fresh = home.demo().expect("another one");
    assert_ne!(fresh, addr);
    drop(third);
    std::net::TcpStream::connect(addr).expect("the first is there still");
}

/// Ends an estate that its home does not know any more.
struct Quit(std::net::SocketAddr);

impl Drop for Quit {
    fn drop(&mut self) {
        let _ = crate::estate::post(self.0, "/demo/quit", "");
    }
}

#[test]
fn capital_f_breaks_what_is_chosen() {
    let home = Home::new();
    let pty = demo(&home, &[]);
    wait_until("the menu", LONG, || {
        pty.send("F");
        let until = std::time::Instant::now();
        wait_until("an answer", SOON, || {
            pty.text().contains("break what?") || until.elapsed().as_secs() > 5
        });
        pty.text().contains("break what?")
    });
    pty.wait_text(" flip ");
    let flip = pty
        .text()
        .lines()
        .position(|line| line.contains(" flip "))
        .expect("flip");
    let first = pty
        .text()
        .lines()
        .position(|line| line.contains("break what?"))
        .unwrap()
        + 1;
    pty.send("j".repeat(flip - first));
    pty.send("\r");
    pty.wait_text("the demo's estate was told: flip");
    wait_gone(&pty, "break what?");
    pty.wait_for("GREEN live", LONG, |screen, _| {
        let text = text_of(screen);
        text.lines()
            .any(|line| line.contains("GREEN") && line.contains("LIVE "))
    });
}

#[test]
fn an_unknown_scenario_is_refused_with_those_there_are() {
    let home = Home::new();
    let mut pty = run(&home, &["demo", "--scenario", "clam"], &[], (200, 30));
    assert_eq!(pty.wait_exit(SOON).code, 2);
    pty.wait_for("the names", SOON, |screen, _| {
        let text = text_of(screen);
        text.contains("clam") && text.contains("calm") && text.contains("crash-loop")
    });
    assert!(home.demo().is_none());
}
