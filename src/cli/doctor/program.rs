//! Whether the programs that the configuration names are on this machine: a deploy, a test and a hook find out too late.

use std::ffi::OsString;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use super::finding::Finding;
use crate::ops::bastion::Place;
use crate::ops::plan::{Command, How, Probe};

const NAME: &str = "program";

/// Of the deployment, of the smoke tests and of the hooks, each once.
pub(super) fn findings(place: &Place) -> Vec<Finding> {
    let deployment = match &place.how {
        How::Command(command) => Some((command, "deployment")),
        How::Image | How::Workflow(_) | How::Helm(_) => None,
    };
    let probes = place.probes.iter().filter_map(|probe| match probe {
        Probe::Run(trial) if trial.after => Some((&trial.command, "verify")),
        Probe::Run(trial) => Some((&trial.command, "smoke")),
        Probe::Ask(_) | Probe::Fetch(_) => None,
    });
    let hooks = place.hooks.iter().map(|hook| (&hook.command, "hook"));
    let all = deployment.into_iter().chain(probes).chain(hooks);
    let mut findings: Vec<Finding> = all.filter_map(|(it, of)| finding(it, of)).collect();
    findings.dedup();
    findings
}

/// One whose name is to be filled in is not looked for.
fn finding(command: &Command, of: &str) -> Option<Finding> {
    let name = command.argv.first().filter(|name| !name.contains('{'))?;
    Some(match found(name) {
        Some(file) => Finding::ok(NAME, name, &file.display().to_string()),
        None => {
            let place = if name.contains('/') {
                "there"
            } else {
                "in PATH"
            };
            let why = format!("is no program {place}, and {of} runs it");
            let advice = format!("install it, or correct `command` of the environment's {of}");
            Finding::bad(NAME, name, &why, &advice)
        }
    })
}

/// Where a program of that name is.
fn found(name: &str) -> Option<PathBuf> {
    let is_program = |file: &PathBuf| {
        let meta = fs::metadata(file);
        meta.is_ok_and(|it| it.is_file() && it.permissions().mode() & 0o111 != 0)
    };
    if name.contains('/') {
        return Some(PathBuf::from(name)).filter(is_program);
    }
    let path = std::env::var_os("PATH").unwrap_or_else(|| OsString::from("/bin:/usr/bin"));
    let mut files = std::env::split_paths(&path).map(|dir: PathBuf| dir.join(Path::new(name)));
    files.find(is_program)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::estate::Verdict;

    #[test]
    fn a_program_that_is_not_there_is_said_by_what_runs_it() {
        let of = |name: &str| {
            let command = Command {
                argv: vec![name.into(), "production".into()],
                timeout_s: 60,
            };
            finding(&command, "deployment")
        };
        assert!(of("sh").is_some_and(|it| it.verdict.is_ok()));
        assert!(of("/bin/sh").is_some_and(|it| it.verdict.is_ok()));
        for (name, part) in [("nope-prog", "in PATH"), ("/etc/hostname/x", "there")] {
            let it = of(name).map(|it| it.verdict);
            let Some(Verdict::Bad(why)) = it else {
                unreachable!("{it:?}");
            };
            assert!(
                why.contains(part) && why.contains("deployment runs it"),
                "{why}"
            );
        }
        // A directory is none, and what is filled in is not known.
        assert!(of("/etc").is_some_and(|it| !it.verdict.is_ok()));
        assert!(of("/opt/{environment}").is_none());
    }
}
