//! Reads the programs that are told of an environment's operations.

use super::deployment::program;
use super::walk::{Node, Walk};
use super::{Hook, HookOn};

/// Seconds after which one is killed, where nothing is said.
const TIMEOUT: u32 = 10;
const EXPECTED: &str = "of what it is told: one or more of start, approval, held, end";

/// Reads every `[[environment.hook]]`.
pub(super) fn all(walk: &mut Walk<'_>, node: &Node<'_>) -> Option<Vec<Hook>> {
    let expected = "[[environment.hook]], in two brackets, for each program";
    let items = walk.items(node, expected)?;
    let hooks: Vec<_> = items.iter().map(|item| one(walk, item)).collect();
    hooks.into_iter().collect()
}

fn one(walk: &mut Walk<'_>, node: &Node<'_>) -> Option<Hook> {
    let section = walk.section(node, "a table")?;
    section.only(walk, &["on", "command", "timeout"]);
    let on = section.required(walk, "on", EXPECTED, |walk, node| {
        let items = walk.items(node, EXPECTED)?;
        if items.is_empty() {
            walk.mismatch(node, EXPECTED);
        }
        let choices = [
            ("start", HookOn::Start),
            ("approval", HookOn::Approval),
            ("held", HookOn::Held),
            ("end", HookOn::End),
        ];
        let all: Vec<_> = items.iter().map(|it| walk.choice(it, &choices)).collect();
        all.into_iter().collect::<Option<Vec<_>>>()
    });
    let command = program(walk, &section, TIMEOUT);
    Some(Hook {
        on: on?,
        command: command?,
    })
}
