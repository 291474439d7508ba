//! `init`: looks around, and writes a configuration in which each choice has its reason. Where nothing
//! is found it writes the commented example. It only reads the clusters, and never writes over a file
//! unless it is told to.

mod colours;
mod draft;
mod git;
mod guess;
mod look;
mod monitors;
mod parts;
mod remote;
mod render;
mod ssh;
mod toml;
mod workflow;

use std::fmt::Write as _;
use std::fs::{self, OpenOptions};
use std::io::Write as _;
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::exit::Exit;
use super::output::{complain, say};
use super::runtime;
use crate::clients::kubernetes::contexts;
use crate::config::{self, Config};
use crate::estate::Safe;
use draft::{Draft, Seen, draft};
use git::Repository;
use look::{Looked, look};
use render::{TokenChoice, render};

/// The example, every key explained.
const EXAMPLE: &str = include_str!("../../config.example.toml");

#[derive(Clone, Debug, clap::Args)]
pub(super) struct Arguments {
    /// Print it instead of writing a file.
    #[arg(long)]
    print: bool,
    /// Write over a file that exists.
    #[arg(long)]
    force: bool,
    /// The commented example, without looking around.
    #[arg(long)]
    example: bool,
    /// Seconds to look at each context of the kubeconfig.
    #[arg(long, value_name = "SECONDS", default_value_t = 10, value_parser = clap::value_parser!(u64).range(1..))]
    timeout: u64,
}

/// Looks around and writes, where the configuration is looked for.
pub(super) fn run(explicit: Option<&Path>, arguments: &Arguments) -> Exit {
    let file = match place(explicit, arguments) {
        Ok(file) => file,
        Err(words) => {
            complain(&format!("wheelhouse: {words}\n"));
            return Exit::Usage;
        }
    };
    let mut report = String::new();
    let text = match arguments.example {
        true => EXAMPLE.to_owned(),
        false => match compose(arguments, &mut report) {
            Ok(text) => text,
            Err(exit) => {
                complain(&report);
                return exit;
            }
        },
    };
    match file {
        None => {
            complain(&report);
            say(&text);
            Exit::Ok
        }
        Some(file) => match write(&file, &text, arguments.force) {
            Ok(()) => {
                let next =
                    "next: read it, then `wheelhouse doctor` checks it against the real servers";
                say(&format!("{report}wrote {}\n{next}\n", file.display()));
                Exit::Ok
            }
            Err(error) => {
                complain(&format!(
                    "{report}wheelhouse: {}: {error}\n",
                    file.display()
                ));
                Exit::Usage
            }
        },
    }
}

/// Where it is to be written; none where it is to be printed. Asked first: nobody wants to wait for a
/// refusal.
fn place(explicit: Option<&Path>, arguments: &Arguments) -> Result<Option<PathBuf>, String> {
    if arguments.print {
        return Ok(None);
    }
    let variable = std::env::var_os("WHEELHOUSE_CONFIG").filter(|value| !value.is_empty());
    let named = explicit.map(Path::to_owned).or(variable.map(PathBuf::from));
    let file = named.or_else(config::standard);
    let file = file.ok_or("no home directory is known; say where with --config FILE")?;
    if !arguments.force && fs::symlink_metadata(&file).is_ok() {
        let shown = file.display();
        return Err(format!(
            "{shown} exists; --force writes over it, --print shows what would be written"
        ));
    }
    Ok(Some(file))
}

/// The text, and what is to be told of how it came about.
fn compose(arguments: &Arguments, report: &mut String) -> Result<String, Exit> {
    let here = std::env::current_dir().unwrap_or_default();
    let repository = git::look(&here);
    let clusters = clusters(arguments, report)?;
    tell_repository(&repository, report);
    let folder = here.file_name().unwrap_or_default().to_string_lossy();
    let folder = if folder.is_empty() {
        "releases".into()
    } else {
        folder
    };
    let draft = draft(&clusters, repository.ok(), &folder);
    if draft.environments.is_empty() {
        let _ = writeln!(
            report,
            "no environment was found: this is the commented example; put your own in, or mend what is missing and run `wheelhouse init --force`"
        );
        return Ok(EXAMPLE.to_owned());
    }
    tell_environments(&draft, report);
    let text = render(&draft, &token());
    // Ours must read what we write; names that do not fit are the cluster's.
    match Config::parse(&text, "what was found") {
        Ok(_) => Ok(text),
        Err(problems) => {
            let _ = writeln!(
                report,
                "wheelhouse: what was found makes no configuration:\n{problems}\n`wheelhouse init --example` writes the example"
            );
            Err(Exit::Bad)
        }
    }
}

fn clusters(arguments: &Arguments, report: &mut String) -> Result<Vec<Seen>, Exit> {
    let contexts = match contexts(None) {
        Ok(contexts) if contexts.is_empty() => {
            let _ = writeln!(
                report,
                "the kubeconfig ($KUBECONFIG, else ~/.kube/config) has no context"
            );
            return Ok(Vec::new());
        }
        Ok(contexts) => {
            let (fit, odd): (Vec<_>, Vec<_>) =
                contexts.into_iter().partition(|c| draft::is_plain(&c.name));
            for context in odd {
                let name = Safe::new(&context.name);
                let _ = writeln!(
                    report,
                    "context {name}: left out: its name cannot be written down"
                );
            }
            fit
        }
        Err(fault) => {
            let _ = writeln!(
                report,
                "no kubeconfig: looked at $KUBECONFIG, else ~/.kube/config: {}",
                fault.what
            );
            return Ok(Vec::new());
        }
    };
    let runtime = runtime(2)?;
    let looked = runtime.block_on(look(contexts, Duration::from_secs(arguments.timeout)));
    runtime.shutdown_timeout(Duration::from_millis(300));
    let mut clusters = Vec::new();
    for Looked { context, seen } in looked {
        let name = Safe::new(&context.name);
        match seen {
            Ok(seen) => {
                let survey = &seen.survey;
                let _ = writeln!(
                    report,
                    "context {name}: {} namespaces, {} Services, {} Deployments",
                    survey.namespaces.len(),
                    survey.services.len(),
                    survey.deployments.len()
                );
                for words in &survey.unseen {
                    let _ = writeln!(report, "  {words}");
                }
                clusters.push(seen);
            }
            Err(why) => {
                let _ = writeln!(report, "context {name}: left out: {why}");
            }
        }
    }
    Ok(clusters)
}

fn tell_repository(repository: &Result<Repository, String>, report: &mut String) {
    let _ = match repository {
        Ok(found) => {
            let workflows = match found.workflows.len() {
                0 => "no workflow".to_owned(),
                1 => "1 workflow".to_owned(),
                more => format!("{more} workflows"),
            };
            let (name, host) = (&found.origin.name, &found.origin.host);
            writeln!(
                report,
                "git: the remote {} leads to {name} on {host}, {workflows}",
                Safe::new(&found.remote)
            )
        }
        Err(why) => writeln!(report, "git: {}", Safe::new(why)),
    };
}

fn tell_environments(draft: &Draft, report: &mut String) {
    for place in &draft.environments {
        let switch = place.switch.as_ref().map(|switch| {
            let [one, other] = &switch.colours;
            format!(
                ", {}={one}|{other} of {}",
                switch.key,
                switch.services.join(", ")
            )
        });
        let names: Vec<_> = place
            .parts
            .all
            .iter()
            .map(|part| part.name.as_str())
            .collect();
        let _ = writeln!(
            report,
            "environment {}: {}, {}{}",
            place.name,
            look::words(place.tier),
            names.join(", "),
            switch.unwrap_or_default()
        );
    }
    for words in &draft.left_out {
        let _ = writeln!(report, "left out: {}", Safe::new(words));
    }
}

/// Where a token is here, without looking at it.
fn token() -> TokenChoice {
    let is_set = |name: &str| std::env::var_os(name).is_some_and(|value| !value.is_empty());
    let has_gh = std::env::var_os("PATH").is_some_and(|path| {
        std::env::split_paths(&path).any(|dir| {
            let found = fs::metadata(dir.join("gh"));
            found.is_ok_and(|gh| gh.is_file() && gh.permissions().mode() & 0o111 != 0)
        })
    });
    let (reference, why) = match () {
        () if is_set("GITHUB_TOKEN") => ("{ env = \"GITHUB_TOKEN\" }", "this variable is set here"),
        () if is_set("GH_TOKEN") => ("{ env = \"GH_TOKEN\" }", "this variable is set here"),
        () if has_gh => (
            "{ gh = true }",
            "the gh CLI is here, and keeps a token once `gh auth login` was done",
        ),
        () => (
            "{ env = \"GITHUB_TOKEN\" }",
            "no token was found here: put one into this variable",
        ),
    };
    TokenChoice { reference, why }
}

/// Whole or not at all: a file that is there is replaced by one that is written.
fn write(file: &Path, text: &str, is_forced: bool) -> std::io::Result<()> {
    if let Some(dir) = file.parent() {
        fs::create_dir_all(dir)?;
    }
    let mut open = OpenOptions::new();
    open.write(true).create_new(true).mode(0o600);
    if !is_forced {
        return open.open(file)?.write_all(text.as_bytes());
    }
    let new = file.with_extension(format!("new-{}", std::process::id()));
    open.open(&new)?.write_all(text.as_bytes())?;
    fs::rename(&new, file)
}
