//! What is looked at on this machine: the configuration, the terminal, the place for logs and state.

use std::fs;
use std::io::Write as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use super::super::logging::state_dir;
use super::super::manners;
use super::finding::{Finding, Section};
use crate::config::{Config, Problem};

/// What became of the configuration: its file and warnings, or why there is none.
pub(super) type Read<'a> = Result<(&'a Path, &'a Config, &'a [Problem]), &'a str>;

/// This machine.
pub(super) fn section(read: Read<'_>, all: &super::super::Arguments) -> Section {
    let mut findings = configuration(read);
    let ui = read
        .map(|(_, config, _)| config.ui.clone())
        .unwrap_or_default();
    findings.push(terminal(manners::outlook(all, &ui)));
    findings.push(state(state_dir()));
    Section {
        place: "machine".into(),
        title: "this machine".into(),
        findings,
    }
}

fn configuration(read: Read<'_>) -> Vec<Finding> {
    const NAME: &str = "configuration";
    match read {
        Ok((file, config, warnings)) => {
            let found = match config.environments.len() {
                1 => format!("{}: 1 environment", file.display()),
                more => format!("{}: {more} environments", file.display()),
            };
            let warned = warnings
                .iter()
                .map(|warning| Finding::bad(NAME, "", &warning.to_string(), "mend it"));
            std::iter::once(Finding::ok(NAME, "", &found))
                .chain(warned)
                .collect()
        }
        Err(problems) => {
            const EXAMPLE: &str =
                "correct it: `wheelhouse init --example --print` explains every key";
            // Where there is no file, its second line is the way on.
            let way = problems.find("\n`wheelhouse ");
            let (problems, way) = way.map_or((problems, ""), |at| problems.split_at(at));
            let advice = if way.is_empty() { EXAMPLE } else { way.trim() };
            let lines = problems.lines().filter(|line| !line.is_empty());
            lines
                .map(|line| Finding::bad(NAME, "", line, advice))
                .collect()
        }
    }
}

fn terminal(outlook: Result<String, String>) -> Finding {
    let advice = "set TERM to what the terminal is; `wheelhouse status` works without a screen";
    match outlook {
        Ok(value) => Finding::ok("terminal", "", &value),
        Err(why) => Finding::bad("terminal", "", &why, advice),
    }
}

/// The place for logs: ours alone, and with room.
fn state(dir: Option<PathBuf>) -> Finding {
    const NAME: &str = "state";
    let Some(dir) = dir else {
        let why = "no home directory is known: nothing is logged";
        return Finding::bad(NAME, "", why, "set HOME, or XDG_STATE_HOME");
    };
    let shown = dir.display();
    let advice = format!("make it a directory of yours: `mkdir -p {shown} && chmod 700 {shown}`");
    match probe(&dir) {
        Ok(0o700) => Finding::ok(NAME, "", &format!("{shown}: writable, mode 0700")),
        Ok(mode) => {
            let why = format!("{shown}: others get in (mode {mode:04o})");
            Finding::bad(NAME, "", &why, &advice)
        }
        Err(e) => Finding::bad(NAME, "", &format!("{shown}: {e}"), &advice),
    }
}

/// The mode of the directory, after something was written there and removed again.
fn probe(dir: &Path) -> std::io::Result<u32> {
    let mode = fs::metadata(dir)?.permissions().mode() & 0o7777;
    let file = dir.join(format!(".doctor-{}", std::process::id()));
    let written = fs::File::create(&file).and_then(|mut out| out.write_all(b"room?\n"));
    // What could not be written whole is removed all the same.
    let removed = fs::remove_file(&file);
    written.and(removed).map(|()| mode)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use crate::estate::Verdict;

    #[test]
    fn p05_the_place_for_logs_is_ours_alone_and_can_be_written() {
        let home = tempfile::tempdir().unwrap();
        let dir = home.path().join("state");
        assert!(matches!(state(Some(dir.clone())).verdict, Verdict::Bad(_)));
        fs::create_dir(&dir).unwrap();
        for (mode, is_ok) in [(0o700, true), (0o755, false), (0o1777, false)] {
            fs::set_permissions(&dir, fs::Permissions::from_mode(mode)).unwrap();
            let finding = state(Some(dir.clone()));
            assert_eq!(finding.verdict.is_ok(), is_ok, "{mode:o} {finding:?}");
        }
        assert_eq!(fs::read_dir(&dir).unwrap().count(), 0, "nothing is left");
        fs::write(home.path().join("file"), "").unwrap();
        let finding = state(Some(home.path().join("file")));
        assert!(matches!(finding.verdict, Verdict::Bad(_)), "{finding:?}");
        assert!(matches!(state(None).verdict, Verdict::Bad(_)));
    }

    #[test]
    fn c01_each_problem_of_the_configuration_is_a_finding() {
        let findings = configuration(Err("c.toml:1:1: a\nc.toml:2:1: b\n"));
        assert_eq!(findings.len(), 2);
        assert!(
            findings
                .iter()
                .all(|f| matches!(f.verdict, Verdict::Bad(_)))
        );
    }
}
