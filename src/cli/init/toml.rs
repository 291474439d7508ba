//! TOML as it is written: strings and keys that read back as they were, comments that are wrapped.

use std::fmt::Write as _;

use crate::estate::Safe;

/// The widest comment.
const WIDTH: usize = 100;

/// A basic string of TOML: what JSON escapes, TOML escapes alike.
pub(super) fn quoted(text: &str) -> String {
    serde_json::to_string(text).unwrap_or_default()
}

/// A key, in quotes where it needs them.
pub(super) fn bare(key: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
    match !key.is_empty() && key.chars().all(is_plain) {
        true => key.to_owned(),
        false => quoted(key),
    }
}

/// Lines of TOML.
#[derive(Default)]
pub(super) struct Toml(String);

impl Toml {
    /// All of them.
    pub fn text(self) -> String {
        self.0
    }

    pub fn line(&mut self, text: &str) {
        let _ = writeln!(self.0, "{text}");
    }

    pub fn pair(&mut self, key: &str, value: &str) {
        self.line(&format!("{key} = {}", quoted(value)));
    }

    /// A comment, wrapped. Made harmless: names come from outside.
    pub fn note(&mut self, text: &str) {
        let text = Safe::new(text);
        let mut row = String::from("#");
        for word in text.split(' ').filter(|word| !word.is_empty()) {
            if row.chars().count() + word.chars().count() >= WIDTH && row.len() > 1 {
                self.line(&row);
                row = String::from("#");
            }
            let _ = write!(row, " {word}");
        }
        self.line(&row);
    }
}
