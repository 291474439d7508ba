//! The walls of the house: which module may name which. Reads the source, so that the table stays true.
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// What the pure half of `ops` must not name.
const PURE: &[&str] = &[
    "crate::app",
    "crate::cli",
    "crate::clients",
    "crate::config",
    "crate::demo",
    "crate::sources",
    "crate::tui",
    "crate::ui",
    "tokio",
    "kube",
    "reqwest",
    "std::fs",
    "std::net",
    "std::time::Instant",
    "std::time::SystemTime",
    "Timestamp::now",
];

/// A module, and what it must not name: crates, or modules of ours as `crate::name`.
const WALLS: &[(&str, &[&str])] = &[
    (
        "estate",
        &[
            "crate::ops",
            "crate::app",
            "crate::cli",
            "crate::clients",
            "crate::config",
            "crate::demo",
            "crate::sources",
            "crate::tui",
            "crate::ui",
            "ratatui",
            "crossterm",
            "tokio",
            "kube",
            "k8s_openapi",
            "reqwest",
            "std::fs",
            "std::net",
            "std::time::Instant",
            "std::time::SystemTime",
            "Timestamp::now",
        ],
    ),
    (
        "config",
        &[
            "crate::ops",
            "crate::app",
            "crate::cli",
            "crate::clients",
            "crate::demo",
            "crate::sources",
            "crate::tui",
            "crate::ui",
            "ratatui",
            "crossterm",
            "tokio",
            "kube",
            "k8s_openapi",
            "reqwest",
        ],
    ),
    (
        "clients",
        &[
            "crate::ops",
            "crate::app",
            "crate::cli",
            "crate::config",
            "crate::demo",
            "crate::sources",
            "crate::tui",
            "crate::ui",
            "ratatui",
            "crossterm",
            "tokio::spawn",
            "tokio::task::spawn(",
        ],
    ),
    (
        "sources",
        &[
            "crate::ops",
            "crate::app",
            "crate::cli",
            "crate::config",
            "crate::demo",
            "crate::tui",
            "crate::ui",
            "ratatui",
            "crossterm",
            "kube::",
            "k8s_openapi",
            "reqwest",
        ],
    ),
    (
        "app",
        &[
            "crate::ops::approve",
            "crate::ops::bastion",
            "crate::ops::engine",
            "crate::ops::eyes",
            "crate::ops::helm",
            "crate::ops::journal",
            "crate::ops::lock",
            "crate::ops::policy",
            "crate::ops::record",
            "crate::ops::worker",
            "crate::cli",
            "crate::clients",
            "crate::config",
            "crate::demo",
            "crate::sources",
            "crate::tui",
            "crate::ui",
            "ratatui",
            "crossterm",
            "tokio",
            "kube::",
            "reqwest",
            "std::fs",
            "std::net",
            "std::time::Instant",
            "std::time::SystemTime",
            "Timestamp::now",
        ],
    ),
    (
        "ui",
        &[
            "crate::ops::approve",
            "crate::ops::bastion",
            "crate::ops::engine",
            "crate::ops::eyes",
            "crate::ops::helm",
            "crate::ops::journal",
            "crate::ops::lock",
            "crate::ops::policy",
            "crate::ops::record",
            "crate::ops::worker",
            "crate::cli",
            "crate::clients",
            "crate::config",
            "crate::demo",
            "crate::sources",
            "crate::tui",
            "tokio",
            "kube::",
            "reqwest",
            "std::fs",
            "std::net",
            "std::time::Instant",
            "std::time::SystemTime",
            "Timestamp::now",
        ],
    ),
    (
        "tui",
        &[
            "crate::cli",
            "crate::config",
            "crate::demo",
            "kube::",
            "k8s_openapi",
            "reqwest",
        ],
    ),
    (
        "demo",
        &[
            "crate::ops",
            "crate::app",
            "crate::cli",
            "crate::clients",
            "crate::config",
            "crate::estate",
            "crate::sources",
            "crate::tui",
            "crate::ui",
            "kube",
            "k8s_openapi",
            "octocrab",
            "reqwest",
            "ratatui",
        ],
    ),
    (
        "ops",
        &[
            "crate::app",
            "crate::cli",
            "crate::config",
            "crate::demo",
            "crate::sources",
            "crate::tui",
            "crate::ui",
            "kube",
            "k8s_openapi",
            "reqwest",
            "ratatui",
            "crossterm",
        ],
    ),
    ("ops/entry", PURE),
    ("ops/approval", PURE),
    ("ops/freeze", PURE),
    ("ops/plan", PURE),
    ("ops/machine", PURE),
    ("ops/marks", PURE),
    ("ops/kept", PURE),
    ("ops/patch", PURE),
];

fn files(dir: &Path, found: &mut Vec<PathBuf>) {
    let Ok(entries) = fs::read_dir(dir) else {
        return;
    };
    for entry in entries {
        let path = entry.unwrap().path();
        match path.is_dir() {
            true => files(&path, found),
            false => found.push(path),
        }
    }
}

/// The code of a module: its lines without comments, and without its tests, wherever they stand in it.
fn code(path: &Path) -> Vec<(usize, String)> {
    let text = fs::read_to_string(path).unwrap();
    let (mut code, mut is_test) = (Vec::new(), false);
    for (n, line) in (1..).zip(text.lines()) {
        is_test |= line.starts_with("#[cfg(test)]");
        if !is_test && !line.trim_start().starts_with("//") {
            code.push((n, line.to_owned()));
        }
        // An item of tests ends with its declaration, or with the brace in the first column.
        let is_attribute = line.starts_with("#[") || line.starts_with("    ");
        let is_end = line.starts_with('}') || (line.ends_with(';') && !is_attribute);
        is_test &= !is_end;
    }
    code
}

#[test]
fn code_behind_an_item_of_tests_is_looked_at() {
    let file = tempfile::NamedTempFile::new().unwrap();
    let text = "use a::b;\n#[cfg(test)]\n#[allow(x)]\nmod tests;\nfn c() {}\n#[cfg(test)]\nmod more {\n    use d;\n}\nfn e() {}\n";
    fs::write(file.path(), text).unwrap();
    let lines: Vec<usize> = code(file.path()).into_iter().map(|(n, _)| n).collect();
    assert_eq!(lines, [1, 5, 10]);
}

/// Whether `name` stands in `line` as a path of its own, not as the tail of another word.
fn names(line: &str, name: &str) -> bool {
    let is_word = |c: char| c.is_alphanumeric() || c == '_';
    line.match_indices(name).any(|(at, _)| {
        let before = line[..at].chars().next_back();
        let after = line[at + name.len()..].chars().next();
        let starts = before.is_none_or(|c| {
            !is_word(c) && c != ':' && c != '"' && c != '/' && c != '.' && c != '-'
        });
        let ends = name.ends_with("::") || after.is_none_or(|c| !is_word(c));
        let is_path = name.contains("::")
            || name.contains('(')
            || after == Some(':')
            || line.trim_start().starts_with("use ");
        starts && ends && is_path
    })
}

fn breaches(module: &str, forbidden: &[&str]) -> Vec<String> {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut found = vec![src.join(format!("{module}.rs"))];
    files(&src.join(module), &mut found);
    let mut told = Vec::new();
    for path in found {
        for (number, line) in code(&path) {
            for name in forbidden.iter().filter(|name| names(&line, name)) {
                let shown = path.strip_prefix(&src).unwrap().display();
                told.push(format!(
                    "{shown}:{number}: {module} must not name {name}: {}",
                    line.trim()
                ));
            }
        }
    }
    told
}

#[test]
fn the_walls_stand() {
    let told: Vec<_> = WALLS
        .iter()
        .flat_map(|(module, forbidden)| breaches(module, forbidden))
        .collect();
    assert!(told.is_empty(), "\n{}", told.join("\n"));
}

/// What changes behind a shared reference.
const MUTABLE: &[&str] = &[
    "RefCell",
    "Cell<",
    "Cell::",
    "OnceCell",
    "OnceLock",
    "LazyLock",
    "Mutex",
    "RwLock",
    "Atomic",
    "thread_local",
];

/// Lines of `module` in which something of [`MUTABLE`] stands.
fn mutable(module: &str) -> Vec<String> {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut found = vec![src.join(format!("{module}.rs"))];
    files(&src.join(module), &mut found);
    let lines = found.iter().flat_map(|path| {
        let shown = path.strip_prefix(&src).unwrap().display().to_string();
        let code = code(path).into_iter();
        code.map(move |(number, line)| format!("{shown}:{number}: {}", line.trim()))
    });
    let is_mutable = |line: &String| MUTABLE.iter().any(|name| line.contains(name));
    lines.filter(is_mutable).collect()
}

#[test]
fn what_is_drawn_changes_behind_nobodys_back() {
    for module in ["app", "ui", "estate"] {
        let told = mutable(module);
        assert!(told.is_empty(), "\n{}", told.join("\n"));
    }
    assert!(!mutable("tui").is_empty(), "the shell has some");
}

#[test]
fn a_breach_would_be_seen() {
    assert!(names("use kube::Client;", "kube"));
    assert!(names("    let x = kube::Client::new();", "kube::"));
    assert!(names("use crate::demo::{self, Options};", "crate::demo"));
    assert!(!names("use crate::clients::kubernetes::Target;", "kube"));
    assert!(!names("let kube_context = 1;", "kube"));
    assert!(
        !breaches("cli", &["crate::demo"]).is_empty(),
        "cli is where the demo is named"
    );
}

#[test]
fn every_module_has_its_wall_or_may_name_everything() {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let modules: BTreeSet<String> = (fs::read_dir(src).unwrap())
        .map(|e| e.unwrap().path())
        .filter(|p| p.extension().is_some_and(|e| e == "rs"))
        .map(|p| p.file_stem().unwrap().to_string_lossy().into_owned())
        .collect();
    let mut known: BTreeSet<String> = WALLS
        .iter()
        .map(|(module, _)| (*module).to_owned())
        .filter(|module| !module.contains('/'))
        .collect();
    known.extend(["main", "lib", "cli"].map(str::to_owned));
    assert_eq!(modules, known);
}

#[test]
fn one_tls_stack_with_one_provider() {
    let lock =
        fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("Cargo.lock")).unwrap();
    for (name, why) in [
        ("aws-lc-rs", "a second provider makes rustls panic"),
        ("openssl", "a second TLS stack"),
        ("native-tls", "a second TLS stack"),
    ] {
        assert!(
            !lock.contains(&format!("name = \"{name}\"\n")),
            "{name} is in the tree: {why}"
        );
    }
}
