//! The repository of the current directory: which one GitHub has, and its workflows.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

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

/// A repository on a host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Origin {
    pub host: String,
    /// `owner/name`.
    pub name: String,
}

impl Origin {
    /// The API of that host.
    pub fn api(&self) -> String {
        match self.host.as_str() {
            "github.com" => "https://api.github.com".to_owned(),
            host if host.ends_with(".ghe.com") => format!("https://api.{host}"),
            host => format!("https://{host}/api/v3"),
        }
    }

    fn shown(&self) -> String {
        format!("{}/{}", self.host, self.name)
    }

    /// Hosts of others than GitHub are known by their names.
    pub fn may_be_github(&self) -> bool {
        let others = [
            "gitlab",
            "bitbucket",
            "codeberg",
            "gitea",
            "dev.azure",
            "sr.ht",
        ];
        !others.iter().any(|other| self.host.contains(other))
    }
}

/// Looks at the repository around `dir`; in words why there is none.
pub(super) fn look(dir: &Path) -> Result<Repository, String> {
    let top = git(dir, &["rev-parse", "--show-toplevel"])
        .map_err(|why| format!("no git repository here: {why}"))?;
    let top = PathBuf::from(top.trim());
    let listed = git(&top, &["remote", "--verbose"]).unwrap_or_default();
    let remotes = remotes(&listed);
    let is = |name: &&str| remotes.iter().position(|(remote, _)| remote == name);
    let Some(place) = ["upstream", "origin"]
        .iter()
        .find_map(is)
        .or((!remotes.is_empty()).then_some(0))
    else {
        return Err("the git repository here has no remote that leads to a host".to_owned());
    };
    let (remote, origin) = remotes[place].clone();
    let others = remotes.iter().filter(|(_, other)| *other != origin);
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

/// Names and places of what is fetched from. A password in an address stays in there.
fn remotes(listed: &str) -> Vec<(String, Origin)> {
    let line = |line: &str| {
        let (name, rest) = line.split_once('\t')?;
        let url = rest.strip_suffix(" (fetch)")?;
        Some((name.to_owned(), origin(url)?))
    };
    listed.lines().filter_map(line).collect()
}

/// `git@host:owner/name.git`, `ssh://git@host:22/owner/name`, `https://user:secret@host/owner/name.git`.
fn origin(url: &str) -> Option<Origin> {
    let (authority, path) = match url.split_once("://") {
        Some(("https" | "http" | "ssh" | "git", rest)) => rest.split_once('/')?,
        Some(_) => return None,
        None => url.split_once(':')?,
    };
    let host = authority.rsplit('@').next()?;
    let host = host.split(':').next()?.to_lowercase();
    // What ssh over port 443 is reached by.
    let host = host.strip_prefix("ssh.").unwrap_or(&host).to_owned();
    let path = path.trim_matches('/');
    let path = path.strip_suffix(".git").unwrap_or(path);
    let (owner, name) = path.split_once('/')?;
    let is_host = host.contains('.')
        && host
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || ".-".contains(c));
    (is_host && is_word(owner) && is_word(name)).then(|| Origin {
        host,
        name: format!("{owner}/{name}"),
    })
}

/// A name as GitHub's owners, repositories and, as a rule, files have.
fn is_word(word: &str) -> bool {
    let fits = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
    !word.is_empty() && word.chars().all(fits) && word != "." && word != ".."
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_of_each_form_leads_to_host_owner_and_name_without_its_password() {
        for (url, host, api) in [
            (
                "git@github.com:acme/wall.git",
                "github.com",
                "https://api.github.com",
            ),
            (
                "https://github.com/acme/wall",
                "github.com",
                "https://api.github.com",
            ),
            (
                "https://me:ghp_secret@github.com/acme/wall.git",
                "github.com",
                "https://api.github.com",
            ),
            (
                "ssh://git@ssh.github.com:443/acme/wall.git",
                "github.com",
                "https://api.github.com",
            ),
            (
                "ssh://git@ghe.acme.example:22/acme/wall",
                "ghe.acme.example",
                "https://ghe.acme.example/api/v3",
            ),
            (
                "https://acme.ghe.com/acme/wall",
                "acme.ghe.com",
                "https://api.acme.ghe.com",
            ),
        ] {
            let found = origin(url);
            let wanted = Origin {
                host: host.to_owned(),
                name: "acme/wall".to_owned(),
            };
            assert_eq!(found.as_ref(), Some(&wanted), "{url}");
            assert_eq!(wanted.api(), api);
        }
        for url in [
            "/srv/git/wall.git",
            "file:///srv/wall",
            "wall",
            "../wall",
            "https://github.com/acme",
            "git@h:a/b/c d",
        ] {
            assert_eq!(origin(url), None, "{url}");
        }
    }

    #[test]
    fn only_what_is_fetched_from_counts() {
        let listed = "origin\tgit@github.com:me/wall.git (fetch)\norigin\tno-push (push)\nupstream\thttps://github.com/acme/wall (fetch)\n";
        let names: Vec<_> = remotes(listed).into_iter().map(|(name, _)| name).collect();
        assert_eq!(names, ["origin", "upstream"]);
    }
}
