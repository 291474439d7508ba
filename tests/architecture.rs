//! The walls of the house: which module may name which. Reads the source, so that the table stays true.
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// The pure half of `ops`: all of it that `app`, `ui` and these themselves may name.
const PURE_OPS: &[&str] = &[
    "after", "approval", "entry", "freeze", "kept", "machine", "marks", "patch", "plan", "warm",
];

/// What stands in `ops` itself and is no module.
const OWN: &[&str] = &["check", "lease_selector"];

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

/// A path that stands in a file: its line, whether it is imported, and the path from the crate's root.
type Named = (usize, bool, String);

/// The paths of an import, its groups written out: `a::{b, c::{self, D as E}}` is `a::b`, `a::c`, `a::c::D`.
fn imported(tree: &str) -> Vec<String> {
    let tree = tree.trim();
    let Some((head, group)) = tree.split_once('{') else {
        let path = tree.split(" as ").next().unwrap_or_default().trim();
        let path = path.strip_suffix("::self").unwrap_or(path);
        return Some(path.to_owned())
            .filter(|it| !it.is_empty())
            .into_iter()
            .collect();
    };
    let group = group.trim_end().strip_suffix('}').unwrap_or(group);
    let (mut parts, mut depth) = (vec![String::new()], 0);
    for c in group.chars() {
        depth += i32::from(c == '{') - i32::from(c == '}');
        match (c, depth) {
            (',', 0) => parts.push(String::new()),
            _ => parts.last_mut().unwrap().push(c),
        }
    }
    let whole = |part: &String| imported(&format!("{head}{}", part.trim()));
    let parts = parts.iter().filter(|part| !part.trim().is_empty());
    parts.flat_map(whole).collect()
}

/// The paths of a line that imports nothing.
fn mentioned(line: &str) -> Vec<String> {
    let is_part = |c: char| c.is_alphanumeric() || c == '_' || c == ':';
    let words = line.split(|c| !is_part(c));
    let paths = words.map(|word| word.trim_matches(':'));
    paths
        .filter(|word| word.contains("::"))
        .map(str::to_owned)
        .collect()
}

/// `path` as it is from the crate's root, where it stands in `module`.
fn rooted(path: &str, module: &[String]) -> String {
    let (mut at, mut rest) = (module.to_vec(), path);
    let is_relative = path.starts_with("super::") || path.starts_with("self::");
    while let Some((head, tail)) = rest.split_once("::") {
        match head {
            "self" => {}
            "super" => drop(at.pop()),
            _ => break,
        }
        rest = tail;
    }
    match is_relative {
        true => format!("crate::{}", [at, vec![rest.to_owned()]].concat().join("::")),
        false => path.to_owned(),
    }
}

/// What a line that begins an import imports, whoever may see it.
fn begun(line: &str) -> Option<&str> {
    let rest = line.strip_prefix("pub").unwrap_or(line);
    let rest = match rest.strip_prefix('(') {
        Some(rest) => rest.split_once(')')?.1,
        None => rest,
    };
    rest.trim_start().strip_prefix("use ")
}

/// Every path of that code, which is of `module`.
fn paths(code: &[(usize, String)], module: &[String]) -> Vec<Named> {
    let (mut named, mut import) = (Vec::new(), None::<(usize, String)>);
    for (number, line) in code {
        let line = line.trim();
        match (&mut import, begun(line)) {
            (Some((_, tree)), _) => tree.push_str(line),
            (None, Some(tree)) => import = Some((*number, tree.to_owned())),
            (None, None) => {
                let all = mentioned(line).into_iter();
                named.extend(all.map(|path| (*number, false, rooted(&path, module))));
            }
        }
        if let Some((number, tree)) = import.take_if(|(_, tree)| tree.contains(';')) {
            let all = imported(tree.split(';').next().unwrap_or_default()).into_iter();
            named.extend(all.map(|path| (number, true, rooted(&path, module))));
        }
    }
    named
}

/// Whether `path` is `name`, or leads through it.
fn leads_through(path: &str, name: &str) -> bool {
    let rest = path.strip_prefix(name.trim_end_matches("::"));
    rest.is_some_and(|rest| rest.is_empty() || rest.starts_with("::"))
}

/// Whether a path leads to what of `ops` is no pure half.
fn is_doing((_, is_import, path): &Named) -> bool {
    if path == "crate::ops" || path == "crate::ops::*" {
        return *is_import;
    }
    let Some(rest) = path.strip_prefix("crate::ops::") else {
        return false;
    };
    let head = rest.split("::").next().unwrap_or_default();
    let is_type = head.starts_with(char::is_uppercase);
    !is_type && !PURE_OPS.contains(&head) && !OWN.contains(&head)
}

/// What of these lines, which are of a file of `module`, `forbidden` says that they must not name; and what of `ops`, where
/// only its pure half may be.
fn told_of(
    code: &[(usize, String)],
    module: &[String],
    forbidden: &[&str],
    is_pure: bool,
) -> BTreeSet<(usize, String)> {
    let mut told = BTreeSet::new();
    for (number, line) in code {
        let of = forbidden.iter().filter(|name| names(line, name));
        told.extend(of.map(|name| (*number, (*name).to_owned())));
    }
    for named in paths(code, module) {
        let of = forbidden
            .iter()
            .filter(|name| leads_through(&named.2, name));
        told.extend(of.map(|name| (named.0, (*name).to_owned())));
        if is_pure && is_doing(&named) {
            told.insert((named.0, named.2));
        }
    }
    told
}

fn breaches(module: &str, forbidden: &[&str]) -> Vec<String> {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut found = vec![src.join(format!("{module}.rs"))];
    files(&src.join(module), &mut found);
    let is_pure = matches!(module, "app" | "ui") || module.starts_with("ops/");
    let mut told = Vec::new();
    for path in found {
        let shown = path.strip_prefix(&src).unwrap();
        let place = shown.with_extension("");
        let place: Vec<String> = (place.components())
            .map(|part| part.as_os_str().to_string_lossy().into_owned())
            .collect();
        let code = code(&path);
        for (number, name) in told_of(&code, &place, forbidden, is_pure) {
            let shown = shown.display();
            told.push(format!("{shown}:{number}: {module} must not name {name}"));
        }
    }
    told
}

#[test]
fn the_walls_stand() {
    let pure: Vec<String> = PURE_OPS.iter().map(|name| format!("ops/{name}")).collect();
    let walls = WALLS
        .iter()
        .map(|(module, forbidden)| (*module, *forbidden));
    let walls = walls.chain(pure.iter().map(|module| (module.as_str(), PURE)));
    let told: Vec<_> = walls
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
fn a_breach_would_be_seen_however_it_is_spelled() {
    let told = |module: &str, text: &str| -> Vec<String> {
        let lines = (1..)
            .zip(text.lines().map(str::to_owned))
            .collect::<Vec<_>>();
        let module: Vec<String> = module.split('/').map(str::to_owned).collect();
        let told = told_of(&lines, &module, &["crate::clients", "tokio"], true);
        told.into_iter()
            .map(|(n, name)| format!("{n} {name}"))
            .collect()
    };
    for text in [
        "use crate::ops::engine;",
        "use crate::ops::{Plan, engine};",
        "pub use crate::{estate::Safe, ops::{Plan, engine as e}};",
        "use crate::ops::{\n    Plan,\n    engine,\n};",
        "let x = crate::ops::engine;",
        "use crate::{\n    ops::{self, Plan},\n};",
    ] {
        let said = told("app/operate", text);
        assert_eq!(said.len(), 1, "{text}: {said:?}");
    }
    for (module, text) in [
        ("ops/plan/deploy", "use super::super::engine::{Ended};"),
        ("ops/plan", "use super::{Kept, engine::Ended};"),
        ("ops/plan", "pub(in crate::ops) use super::engine; // so"),
        (
            "ops/warm",
            "pub(super) use super::{\n    marks,\n    outside,\n};",
        ),
        ("ops/warm", "    super::reads::services(bastion)"),
        (
            "ops/warm",
            "use crate::{clients::kubernetes::Unwritten, estate::Safe};",
        ),
        ("ops/warm", "use {tokio::time::Instant, jiff::Timestamp};"),
    ] {
        let said = told(module, text);
        assert_eq!(said.len(), 1, "{text}: {said:?}");
    }
    for (module, text) in [
        ("app/operate", "use crate::ops::warm::{self, Wanted};"),
        ("app/operate", "use crate::ops::{Kept, Plan, check, marks};"),
        ("app/operate", "use super::{engine, Safe};"),
        ("ops/plan/deploy", "use super::gates::{current, lock};"),
        (
            "ops/plan",
            "pub(in crate::ops) fn worker(of: &super::marks::Flipped) {}",
        ),
    ] {
        assert_eq!(told(module, text), [""; 0], "{text}");
    }
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
