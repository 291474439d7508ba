//! Reads what a smoke test asks every pod, and the programs that it runs.

use super::deployment::program;
use super::grammar::{LINE, NAME};
use super::problem::quoted;
use super::walk::{Node, Section, Walk};
use super::{Page, Question, Smoke, Workload};

/// The status, and the milliseconds, where nothing is said.
const STATUS: u32 = 200;
const WITHIN: u32 = 2_000;
/// Seconds after which a program is killed, where nothing is said.
const TIMEOUT: u32 = 600;

/// Reads every `[[environment.smoke]]`.
pub(super) fn all(
    walk: &mut Walk<'_>,
    node: &Node<'_>,
    workloads: &[Workload],
) -> Option<Vec<Smoke>> {
    let items = walk.items(
        node,
        "[[environment.smoke]], in two brackets, for each question",
    )?;
    let all: Vec<_> = items
        .iter()
        .map(|item| one(walk, item, workloads))
        .collect();
    all.into_iter().collect()
}

/// Reads every `[[environment.verify]]`: programs and addresses, as the pods were asked before.
pub(super) fn verify(walk: &mut Walk<'_>, node: &Node<'_>) -> Option<Vec<Smoke>> {
    let items = walk.items(
        node,
        "[[environment.verify]], in two brackets, for each question",
    )?;
    let one = |item: &Node<'_>| {
        let section = walk.section(item, "a table")?;
        match has(&section, "command") {
            true => run(walk, &section),
            false => page(walk, &section).map(Smoke::Fetch),
        }
    };
    let all: Vec<_> = items.iter().map(one).collect();
    all.into_iter().collect()
}

fn one(walk: &mut Walk<'_>, node: &Node<'_>, workloads: &[Workload]) -> Option<Smoke> {
    let section = walk.section(node, "a table")?;
    match (has(&section, "command"), has(&section, "url")) {
        (true, _) => run(walk, &section),
        (false, true) => page(walk, &section).map(Smoke::Fetch),
        (false, false) => question(walk, &section, workloads).map(Smoke::Ask),
    }
}

fn has(section: &Section<'_>, name: &str) -> bool {
    section.entries().iter().any(|(key, ..)| *key == name)
}

fn run(walk: &mut Walk<'_>, section: &Section<'_>) -> Option<Smoke> {
    section.only(walk, &["command", "timeout", "url"]);
    let url = section.optional(walk, "url", address);
    Some(Smoke::Run {
        command: program(walk, section, TIMEOUT)?,
        url: url?,
    })
}

fn page(walk: &mut Walk<'_>, section: &Section<'_>) -> Option<Page> {
    section.only(walk, &["url", "status", "within", "contains"]);
    let expected = "the address that is asked, or `command`, a program";
    let url = section.required(walk, "url", expected, address);
    let (status, within, contains) = answer(walk, section);
    Some(Page {
        url: url?,
        status: status?,
        within: within?,
        contains: contains?,
    })
}

fn address(walk: &mut Walk<'_>, node: &Node<'_>) -> Option<String> {
    let url = walk.shown(node, LINE)?;
    let fits = |c: char| c.is_ascii_graphic();
    let is_web = url.starts_with("https://") || url.starts_with("http://");
    if !is_web || !url.chars().all(fits) {
        walk.mismatch(
            node,
            "an address that begins with https:// or http://, without blanks",
        );
        return None;
    }
    Some(url)
}

/// What an answer must be: its status, the milliseconds that it may take, what it must hold.
fn answer(
    walk: &mut Walk<'_>,
    section: &Section<'_>,
) -> (Option<u16>, Option<u32>, Option<Vec<String>>) {
    let status = section.optional(walk, "status", |walk, node| walk.number(node, 100, 599));
    let within = section.optional(walk, "within", |walk, node| walk.number(node, 1, 60_000));
    let contains = section.optional(walk, "contains", |walk, node| {
        let items = walk.items(node, "an array of texts")?;
        let texts: Vec<_> = items.iter().map(|item| walk.text(item, LINE)).collect();
        texts.into_iter().collect::<Option<Vec<_>>>()
    });
    (
        status.map(|said| u16::try_from(said.unwrap_or(STATUS)).unwrap_or(200)),
        within.map(|said| said.unwrap_or(WITHIN)),
        contains.map(Option::unwrap_or_default),
    )
}

fn question(
    walk: &mut Walk<'_>,
    section: &Section<'_>,
    workloads: &[Workload],
) -> Option<Question> {
    section.only(
        walk,
        &["workload", "port", "path", "status", "within", "contains"],
    );
    let workload = section.required(
        walk,
        "workload",
        "the workload that is asked",
        |walk, node| {
            let name = walk.text(node, NAME)?;
            // Where the workloads themselves are wrong, that is told.
            if !workloads.is_empty() && !workloads.iter().any(|w| w.name == name) {
                let known: Vec<&str> = workloads.iter().map(|w| w.name.as_str()).collect();
                let expected = format!("one of {}", known.join(", "));
                walk.wrong(
                    &node.path,
                    &node.span,
                    format!("found {}", quoted(&name)),
                    &expected,
                );
                return None;
            }
            Some(name)
        },
    );
    let port = section.required(walk, "port", "a number, or the name of a port", port);
    let path = section.required(
        walk,
        "path",
        "the path, such as \"/ready\"",
        |walk, node| {
            let path = walk.text(node, LINE)?;
            let fits = |c: char| c.is_ascii_graphic();
            if !path.starts_with('/') || !path.chars().all(fits) {
                walk.mismatch(node, "a path that begins with /, without blanks");
                return None;
            }
            Some(path)
        },
    );
    let (status, within, contains) = answer(walk, section);
    Some(Question {
        workload: workload?,
        port: port?,
        path: path?,
        status: status?,
        within: within?,
        contains: contains?,
    })
}

fn port(walk: &mut Walk<'_>, node: &Node<'_>) -> Option<String> {
    if node.value.as_str().is_some() {
        return walk.text(node, NAME);
    }
    walk.number(node, 1, 65_535)
        .map(|number| number.to_string())
}
