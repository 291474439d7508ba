//! The README says what the tables in the code say. `README_UPDATE=1 cargo test --test readme` writes it anew.
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

use std::fs;
use std::path::Path;

use wheelhouse::app::keymap::BINDINGS;
use wheelhouse::app::{Context, Keymap};
use wheelhouse::cli::exit;

fn keys() -> String {
    let map = Keymap::default();
    let mut out = String::from("| keys | where | what | command |\n| --- | --- | --- | --- |\n");
    for binding in BINDINGS {
        let keys: Vec<_> = map
            .keys_of(binding)
            .iter()
            .map(|k| format!("`{k}`"))
            .collect();
        let place = match binding.context {
            Context::Anywhere => "anywhere",
            Context::Home => "first screen",
            Context::Detail => "detail",
            Context::Log => "log",
            Context::Overlay => "menu",
            Context::Demo => "demo",
        };
        let name = binding.action.name();
        out.push_str(&format!(
            "| {} | {place} | {} | `{name}` |\n",
            keys.join(" "),
            binding.help
        ));
    }
    out
}

fn exits() -> String {
    let mut out = String::from("| code | meaning |\n| --- | --- |\n");
    for line in exit::TABLE.lines().skip(1) {
        let (code, meaning) = line.trim().split_once("  ").unwrap();
        out.push_str(&format!("| {code} | {meaning} |\n"));
    }
    out
}

#[test]
fn the_readme_has_the_keys_and_the_exit_codes_of_the_code() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("README.md");
    let text = fs::read_to_string(&file).unwrap();
    let mut wanted = text.clone();
    for (name, table) in [("keys", keys()), ("exits", exits())] {
        let start = wanted.find(&format!("<!-- {name}:")).unwrap();
        let start = start + wanted[start..].find("-->\n").unwrap() + 4;
        let end = wanted.find(&format!("<!-- /{name} -->")).unwrap();
        wanted.replace_range(start..end, &format!("\n{table}\n"));
    }
    if std::env::var_os("README_UPDATE").is_some() {
        fs::write(&file, &wanted).unwrap();
        return;
    }
    assert!(
        text == wanted,
        "README.md is not what the tables say; README_UPDATE=1 cargo test --test readme writes it"
    );
}
