//! Reads which workflow's runs are shown, and which of its jobs deploys where.

use std::path::PathBuf;

use toml::de::DeValue;

use super::grammar::{Grammar, LINE, LINK, PATH};
use super::secret;
use super::walk::{Node, Section, Walk};
use super::{Deploy, Environment, Github, Token, gates};

/// Where github.com's own API is.
const API_DEFAULT: &str = "https://api.github.com";

/// Runs that are shown where nothing is said, and at most.
const RUNS: u32 = 30;
const MOST_RUNS: u32 = 500;

const TOKEN: &str = "{ env = \"NAME\" }, { file = \"/path\" } or { gh = true }";

const KEYS: [&str; 6] = ["repository", "workflow", "api", "token", "ca_file", "runs"];

const REPOSITORY: Grammar = Grammar {
    expected: "a repository as `owner/name`",
    accepts: |text| {
        let names = text.split_once('/');
        names.is_some_and(|(owner, name)| is_word(owner) && is_word(name))
    },
};

pub(super) const WORKFLOW: Grammar = Grammar {
    expected: "the file name of a workflow, such as `ci.yml`, without its folder",
    accepts: |text| {
        let is_yaml = |end: &&str| text.len() > end.len() && text.ends_with(*end);
        (LINE.accepts)(text) && !text.contains(['/', '\\']) && [".yml", ".yaml"].iter().any(is_yaml)
    },
};

/// Plain HTTP only on loopback: a token goes there.
const API: Grammar = Grammar {
    expected: "an https URL, such as `https://api.github.com` or `https://HOST/api/v3`",
    accepts: |text| {
        let start = text.find("://").map_or(0, |at| at + 3);
        let (origin, path) = match text.get(start..).and_then(|rest| rest.find('/')) {
            Some(slash) => text.split_at(start + slash),
            None => (text, ""),
        };
        let fits = |c: char| c.is_ascii_alphanumeric() || "/-_.".contains(c);
        let is_loopback = ["http://127.0.0.1", "http://localhost"]
            .iter()
            .filter_map(|lead| origin.strip_prefix(lead))
            .any(|rest| rest.is_empty() || rest.starts_with(':'));
        (LINK.accepts)(origin)
            && path.chars().all(fits)
            && !path.contains("..")
            && (origin.starts_with("https://") || is_loopback)
    },
};

const VARIABLE: Grammar = Grammar {
    expected: "the name of an environment variable: letters, digits and `_`",
    accepts: |text| {
        let fits = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
        (1..=253).contains(&text.len())
            && text.bytes().all(fits)
            && !text.starts_with(|first: char| first.is_ascii_digit())
    },
};

/// A name as GitHub has them for owners and repositories.
fn is_word(text: &str) -> bool {
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
    (1..=100).contains(&text.len()) && text.bytes().all(fits) && text != "." && text != ".."
}

/// Reads `[github]`.
pub(super) fn read(walk: &mut Walk<'_>, node: &Node<'_>) -> Option<Github> {
    let section = walk.section(node, "a table")?;
    // A secret in a key that is not known is the graver problem: it is told alone.
    let before = walk.problems.len();
    for (name, _, node) in section.entries() {
        if !KEYS.contains(&name) {
            secret::search_value(walk, &node);
        }
    }
    if walk.problems.len() > before {
        return None;
    }
    section.only(walk, &KEYS);
    let repository = section.required(
        walk,
        "repository",
        "the repository as `owner/name`",
        |walk, node| walk.text(node, REPOSITORY),
    );
    let workflow = section.required(
        walk,
        "workflow",
        "the file name of the workflow",
        |walk, node| walk.text(node, WORKFLOW),
    );
    let api = section.optional(walk, "api", |walk, node| walk.text(node, API));
    let token = section.optional(walk, "token", token);
    let ca_file = section.optional(walk, "ca_file", |walk, node| walk.text(node, PATH));
    let runs = section.optional(walk, "runs", |walk, node| walk.number(node, 1, MOST_RUNS));
    let api = api?.unwrap_or_else(|| API_DEFAULT.to_owned());
    Some(Github {
        repository: repository?,
        workflow: workflow?,
        api: api.trim_end_matches('/').to_owned(),
        token: token?,
        ca_file: ca_file?.map(PathBuf::from),
        runs: runs?.unwrap_or(RUNS),
    })
}

/// A reference to a token; the token itself is refused, and not repeated.
fn token(walk: &mut Walk<'_>, node: &Node<'_>) -> Option<Token> {
    let DeValue::Table(table) = node.value else {
        walk.inline_secret(&node.path, &node.span);
        return None;
    };
    let section = walk.section(node, TOKEN)?;
    if table.len() > 1 && secret::is_reference(node.value) {
        walk.two_references(&node.path, &node.span);
        return None;
    }
    if table.len() != 1 {
        walk.inline_secret(&node.path, &node.span);
        return None;
    }
    section.only(walk, &["env", "file", "gh"]);
    let env = section.optional(walk, "env", |walk, node| walk.text(node, VARIABLE));
    let file = section.optional(walk, "file", |walk, node| walk.text(node, PATH));
    let gh = section.optional(walk, "gh", |walk, node| {
        let is_on = walk.truth(node)?;
        if !is_on {
            walk.mismatch(node, "true");
        }
        Some(())
    });
    match (env?, file?, gh?) {
        (Some(name), _, _) => Some(Token::Env(name)),
        (_, Some(path), _) => Some(Token::File(path.into())),
        (_, _, Some(())) => Some(Token::Gh),
        (None, None, None) => None, // an unknown key: reported
    }
}

/// Reads an environment's `deploy`.
pub(super) fn deploy(walk: &mut Walk<'_>, node: &Node<'_>) -> Option<Deploy> {
    const EXPECTED: &str = "a job and a branch: { job = \"deploy\", branch = \"main\" }";
    let section = walk.section(node, EXPECTED)?;
    section.only(walk, &["job", "branch"]);
    let job = section.required(walk, "job", "the job that deploys", |walk, node| {
        walk.text(node, LINE)
    });
    let branch = section.required(
        walk,
        "branch",
        "the branch that it deploys",
        |walk, node| walk.text(node, LINE),
    );
    Some(Deploy {
        job: job?,
        branch: branch?,
    })
}

/// Reports gates that ask for runs, where there is no repository to have any.
pub(super) fn lacks_runs(walk: &mut Walk<'_>, root: &Section<'_>, all: &[Environment]) {
    of_each(
        walk,
        root,
        all,
        "gates",
        |one| one.gates.ci,
        gates::lacks_github,
    );
}

/// Without `[github]` nothing watches the jobs that deploy.
pub(super) fn warn_of_deploys(walk: &mut Walk<'_>, root: &Section<'_>, all: &[Environment]) {
    let is_deploying = |one: &Environment| one.deploy.is_some();
    of_each(walk, root, all, "deploy", is_deploying, |walk, node| {
        let found = "is not watched: there is no [github]".to_owned();
        walk.warn(&node.path, &node.span, found);
    });
}

/// Has `tell` told of what each of those environments that `is` so has under `key`.
fn of_each(
    walk: &mut Walk<'_>,
    root: &Section<'_>,
    all: &[Environment],
    key: &str,
    is: impl Fn(&Environment) -> bool,
    tell: impl Fn(&mut Walk<'_>, &Node<'_>),
) {
    let those = all.iter().enumerate().filter(|(_, one)| is(one));
    for (index, _) in those {
        let _ = root.optional(walk, "environment", |walk, node| {
            let items = walk.items(node, "")?;
            let section = walk.section(items.get(index)?, "")?;
            section.optional(walk, key, |walk, node| {
                tell(walk, node);
                Some(())
            })
        });
    }
}
