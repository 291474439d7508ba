//! The repository of the current directory: which one GitHub has, and its workflows.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::remote::{Origin, is_word, remotes};
use super::ssh;
use super::workflow::{self, Workflow};

/// The most bytes of a workflow's file, and the most files.
const LONGEST: u64 = 1 << 20;
const FILES: usize = 100;

/// What the current directory's repository tells.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Repository {
    /// The remote that was taken, such as `origin`.
    pub remote: String,
    /// What it leads to.
    pub origin: Origin,
    /// Other remotes that lead elsewhere, as `name: host/owner/name`.
    pub others: Vec<String>,
    /// Its workflows, the likeliest first.
    pub workflows: Vec<Workflow>,
    /// The default branch, where git knows it.
    pub branch: Option<String>,
}

/// Looks at the repository around `dir`; in words why there is none.
pub(super) fn look(dir: &Path) -> Result<Repository, String> {
    let top = git(dir, &["rev-parse", "--show-toplevel"])
        .map_err(|why| format!("no git repository here: {why}"))?;
    let top = PathBuf::from(top.trim());
    let listed = git(&top, &["remote", "--verbose"]).unwrap_or_default();
    let remotes = remotes(&listed, &ssh::hostname);
    let is = |name: &&str| remotes.iter().position(|(remote, _)| remote == name);
    let Some(place) = ["upstream", "origin"]
        .iter()
        .find_map(is)
        .or((!remotes.is_empty()).then_some(0))
    else {
        return Err("the git repository here has no remote that leads to a host".to_owned());
    };
    let (remote, origin) = remotes[place].clone();
    let others = remotes
        .iter()
        .filter(|(_, other)| other.shown() != origin.shown());
    let others = others.map(|(name, other)| format!("{name}: {}", other.shown()));
    let head = format!("refs/remotes/{remote}/HEAD");
    let branch = git(&top, &["symbolic-ref", "--short", &head]).ok();
    let branch = branch.and_then(|b| Some(b.trim().split_once('/')?.1.to_owned()));
    Ok(Repository {
        others: others.collect(),
        workflows: workflows(&top.join(".github/workflows")),
        branch,
        remote,
        origin,
    })
}

fn git(dir: &Path, args: &[&str]) -> Result<String, String> {
    let out = Command::new("git")
        .arg("-C")
        .arg(dir)
        .args(args)
        .env("GIT_TERMINAL_PROMPT", "0")
        .env("LC_ALL", "C")
        .stdin(Stdio::null())
        .output()
        .map_err(|e| format!("git cannot be run: {e}"))?;
    match out.status.success() {
        true => Ok(String::from_utf8_lossy(&out.stdout).into_owned()),
        false => Err(String::from_utf8_lossy(&out.stderr).trim().to_owned()),
    }
}

/// The workflows, the likeliest first; then by name.
fn workflows(dir: &Path) -> Vec<Workflow> {
    let files = fs::read_dir(dir).into_iter().flatten().flatten();
    let mut names: Vec<String> = files
        .filter_map(|file| file.file_name().into_string().ok())
        .filter(|name| name.ends_with(".yml") || name.ends_with(".yaml"))
        .filter(|name| is_word(name))
        .collect();
    names.sort();
    let read = |name: &String| {
        let path = dir.join(name);
        let metadata = fs::metadata(&path).ok()?;
        let fits = metadata.is_file() && metadata.len() <= LONGEST;
        workflow::read(name, &fs::read_to_string(&path).ok().filter(|_| fits)?)
    };
    let mut all: Vec<Workflow> = names.iter().take(FILES).filter_map(read).collect();
    all.sort_by_key(|workflow| std::cmp::Reverse(workflow.score()));
    all
}
