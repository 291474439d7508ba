//! Reads how an environment is deployed by Wheelhouse itself.

use std::collections::BTreeMap;

use super::github::WORKFLOW;
use super::grammar::LINE;
use super::problem::quoted;
use super::walk::{Node, Section, Walk};
use super::{Command, Deployment, Workflow, Workload, helm};

/// Seconds after which a run is given up on, or a program killed, where nothing is said.
pub(super) const TIMEOUT: u32 = 1_800;
/// By this the run is found again when GitHub's answer got lost.
const OPERATION: &str = "{operation}";

#[derive(Clone, Copy, PartialEq)]
enum Strategy {
    Image,
    Command,
    Workflow,
    Helm,
}

/// Reads `[environment.deployment]` of an environment of those workloads, with two colours or without.
pub(super) fn read(
    walk: &mut Walk<'_>,
    node: &Node<'_>,
    workloads: &[Workload],
    has_colours: bool,
) -> Option<Deployment> {
    let section = walk.section(node, "a table")?;
    let choices = [
        ("image", Strategy::Image),
        ("command", Strategy::Command),
        ("workflow", Strategy::Workflow),
        ("helm", Strategy::Helm),
    ];
    let expected = "one of image, command, workflow, helm";
    let strategy = section.required(walk, "strategy", expected, |walk, node| {
        walk.choice(node, &choices)
    })?;
    match strategy {
        Strategy::Image => {
            section.only(walk, &["strategy"]);
            Some(Deployment::Image)
        }
        Strategy::Command => command(walk, &section),
        Strategy::Workflow => workflow(walk, &section),
        Strategy::Helm => helm::read(walk, &section, workloads, has_colours).map(Deployment::Helm),
    }
}

fn command(walk: &mut Walk<'_>, section: &Section<'_>) -> Option<Deployment> {
    section.only(walk, &["strategy", "command", "timeout"]);
    program(walk, section, TIMEOUT).map(Deployment::Command)
}

/// Reads `command` and `timeout`, which is `otherwise` where nothing is said.
pub(super) fn program(
    walk: &mut Walk<'_>,
    section: &Section<'_>,
    otherwise: u32,
) -> Option<Command> {
    const EXPECTED: &str =
        "a program and its words, such as [\"/usr/local/bin/deploy\", \"{colour}\"]";
    let argv = section.required(walk, "command", EXPECTED, |walk, node| {
        let items = walk.items(node, EXPECTED)?;
        if items.is_empty() {
            walk.mismatch(node, EXPECTED);
        }
        let words: Vec<_> = items.iter().map(|item| walk.shown(item, LINE)).collect();
        words.into_iter().collect::<Option<Vec<_>>>()
    });
    let timeout = section.optional(walk, "timeout", |walk, node| walk.number(node, 1, 86_400));
    Some(Command {
        argv: argv?,
        timeout: timeout?.unwrap_or(otherwise),
    })
}

fn workflow(walk: &mut Walk<'_>, section: &Section<'_>) -> Option<Deployment> {
    section.only(walk, &["strategy", "workflow", "ref", "inputs", "timeout"]);
    let file = section.required(
        walk,
        "workflow",
        "the file name of the workflow",
        |walk, node| walk.text(node, WORKFLOW),
    );
    let reference = section.required(
        walk,
        "ref",
        "the branch or tag to start it at",
        |walk, node| walk.text(node, LINE),
    );
    let inputs = section.required(
        walk,
        "inputs",
        "its inputs, one of them with {operation} in it",
        inputs,
    );
    let timeout = section.optional(walk, "timeout", |walk, node| walk.number(node, 1, 86_400));
    Some(Deployment::Workflow(Workflow {
        file: file?,
        reference: reference?,
        inputs: inputs?,
        timeout: timeout?.unwrap_or(TIMEOUT),
    }))
}

fn inputs(walk: &mut Walk<'_>, node: &Node<'_>) -> Option<BTreeMap<String, String>> {
    let section = walk.section(
        node,
        "a table of inputs, such as { operation = \"{operation}\" }",
    )?;
    let mut inputs = Vec::new();
    for (name, span, value) in section.entries() {
        if !(LINE.accepts)(name) {
            walk.wrong(
                &value.path,
                &span,
                format!("found {}", quoted(name)),
                LINE.expected,
            );
        }
        inputs.push(
            walk.shown(&value, LINE)
                .map(|value| (name.to_owned(), value)),
        );
    }
    let inputs: BTreeMap<String, String> = inputs.into_iter().collect::<Option<_>>()?;
    if !inputs.values().any(|value| value.contains(OPERATION)) {
        walk.mismatch(
            node,
            "an input that holds {operation}, for the name of the run (`run-name`)",
        );
        return None;
    }
    Some(inputs)
}
