//! Reads what a smoke test asks every pod, and the programs that it runs.

use super::deployment::program;
use super::grammar::{LINE, NAME};
use super::problem::quoted;
use super::walk::{Node, Section, Walk};
use super::{Question, Smoke, Workload};

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

fn one(walk: &mut Walk<'_>, node: &Node<'_>, workloads: &[Workload]) -> Option<Smoke> {
    let section = walk.section(node, "a table")?;
    match section.entries().iter().any(|(key, ..)| *key == "command") {
        true => run(walk, &section),
        false => question(walk, &section, workloads).map(Smoke::Ask),
    }
}

fn run(walk: &mut Walk<'_>, section: &Section<'_>) -> Option<Smoke> {
    section.only(walk, &["command", "timeout", "url"]);
    let url = section.optional(walk, "url", |walk, node| {
        let url = walk.text(node, LINE)?;
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
    });
    Some(Smoke::Run {
        command: program(walk, section, TIMEOUT)?,
        url: url?,
    })
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
    let status = section.optional(walk, "status", |walk, node| walk.number(node, 100, 599));
    let within = section.optional(walk, "within", |walk, node| walk.number(node, 1, 60_000));
    let contains = section.optional(walk, "contains", |walk, node| {
        let items = walk.items(node, "an array of texts")?;
        let texts: Vec<_> = items.iter().map(|item| walk.text(item, LINE)).collect();
        texts.into_iter().collect::<Option<Vec<_>>>()
    });
    Some(Question {
        workload: workload?,
        port: port?,
        path: path?,
        status: u16::try_from(status?.unwrap_or(STATUS)).unwrap_or(200),
        within: within?.unwrap_or(WITHIN),
        contains: contains?.unwrap_or_default(),
    })
}

fn port(walk: &mut Walk<'_>, node: &Node<'_>) -> Option<String> {
    if node.value.as_str().is_some() {
        return walk.text(node, NAME);
    }
    walk.number(node, 1, 65_535)
        .map(|number| number.to_string())
}
