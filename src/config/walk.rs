//! Walks the parsed table by hand, so that every problem of a file is found at once.
//!
//! Readers return `None` where they reported a problem and carry on; what `None` spoiled is never
//! returned, because a file with problems yields no configuration.

use std::collections::BTreeSet;
use std::ops::Range;

use toml::Spanned;
use toml::de::{DeTable, DeValue, Error};

use super::grammar::Grammar;
use super::nearest::nearest;
use super::problem::{Lines, Place, Problem, quoted};
use super::secret;

/// The file under reading and what has been found wrong with it so far.
pub(super) struct Walk<'t> {
    file: &'t str,
    lines: Lines<'t>,
    /// The offsets of the errors of syntax, and their lines.
    broken: BTreeSet<usize>,
    broken_lines: BTreeSet<usize>,
    /// What makes an inline secret worse: who else can read the file, and the command against it.
    exposure: Option<&'t str>,
    pub(super) problems: Vec<Problem>,
    pub(super) warnings: Vec<Problem>,
}

/// A value with its path from the root and its place.
#[derive(Clone)]
pub(super) struct Node<'n> {
    pub(super) path: String,
    pub(super) span: Range<usize>,
    pub(super) value: &'n DeValue<'n>,
}

/// A table with its path and the place that stands for it: its header or opening brace.
pub(super) struct Section<'n> {
    pub(super) path: String,
    pub(super) span: Range<usize>,
    table: &'n DeTable<'n>,
}

impl<'t> Walk<'t> {
    pub(super) fn new(file: &'t str, text: &'t str, exposure: Option<&'t str>) -> Self {
        Self {
            file,
            lines: Lines::new(text),
            broken: BTreeSet::new(),
            broken_lines: BTreeSet::new(),
            exposure,
            problems: Vec::new(),
            warnings: Vec::new(),
        }
    }

    /// Reports the errors of syntax, the first of each line: the others follow from it.
    pub(super) fn syntax(&mut self, mut errors: Vec<Error>) {
        let start = |error: &Error| error.span().map_or(0, |span| span.start);
        errors.sort_by_key(start);
        for error in errors {
            self.broken.insert(start(&error));
            if !self.broken_lines.insert(self.lines.line(start(&error))) {
                continue;
            }
            let place = self.lines.place(start(&error));
            let (found, expected) = match error.message().split_once(", expected ") {
                Some((found, expected)) => (found, expected),
                // The parser has two messages for it, and gives its limit in neither.
                None if error.message().contains("recurs") => {
                    ("nested too deeply", "at most 80 levels")
                }
                None => (error.message(), ""),
            };
            let named = || quoted(error.span().map_or("", |span| self.lines.slice(&span)));
            let found = match found {
                "duplicate key" => format!("{found} {}", named()),
                found => found.to_owned(),
            };
            let advice = found
                .contains("array")
                .then(|| "is a `[` of an earlier line still open?".to_owned());
            self.problems.push(Problem {
                advice,
                ..self.problem_at(place, "", found, expected)
            });
        }
    }

    /// Reports a problem of meaning, unless an error of syntax has spoiled what it speaks of.
    pub(super) fn wrong(&mut self, path: &str, span: &Range<usize>, found: String, expected: &str) {
        self.wrong_with(path, span, found, expected, None);
    }

    pub(super) fn wrong_with(
        &mut self,
        path: &str,
        span: &Range<usize>,
        found: String,
        expected: &str,
        advice: Option<String>,
    ) {
        let is_spoilt = self
            .broken
            .range(span.start..=span.end.max(span.start))
            .next()
            .is_some();
        if is_spoilt || self.broken_lines.contains(&self.lines.line(span.start)) {
            return;
        }
        let place = self.lines.place(span.start);
        let problem = self.problem_at(place, path, found, expected);
        self.problems.push(Problem { advice, ..problem });
    }

    /// Reports that something is not there; after an error of syntax it may only have been lost.
    pub(super) fn missing(&mut self, path: &str, span: &Range<usize>, expected: &str) {
        if self.broken.is_empty() {
            self.wrong(path, span, "missing".to_owned(), expected);
        }
    }

    pub(super) fn warn(&mut self, path: &str, span: &Range<usize>, found: String) {
        let place = self.lines.place(span.start);
        let warning = self.problem_at(place, path, found, "");
        self.warnings.push(warning);
    }

    /// Reports a value of the wrong shape: another type, or text that its grammar refuses.
    pub(super) fn mismatch(&mut self, node: &Node<'_>, expected: &str) {
        self.wrong(&node.path, &node.span, described(node.value), expected);
    }

    pub(super) fn inline_secret(&mut self, path: &str, span: &Range<usize>) {
        let expected = "a reference: { env = \"NAME\" } or { file = \"/path\" }";
        self.secret(path, span, expected);
    }

    /// A secret that is referred to in two ways.
    pub(super) fn two_references(&mut self, path: &str, span: &Range<usize>) {
        self.wrong(path, span, "two references".to_owned(), secret::ONE);
    }

    fn secret(&mut self, path: &str, span: &Range<usize>, expected: &str) {
        let advice = self.exposure.map(str::to_owned);
        let found = "an inline secret (not shown)".to_owned();
        self.wrong_with(path, span, found, expected, advice);
    }

    pub(super) fn place(&self, span: &Range<usize>) -> Place {
        self.lines.place(span.start)
    }

    /// The place inside a string value, if it stands in the file without escapes; else its start.
    pub(super) fn within(&self, node: &Node<'_>, text: &str, offset: usize) -> Range<usize> {
        let raw = self.lines.slice(&node.span);
        let plain = raw.len() == text.len() + 2 && raw.get(1..=text.len()) == Some(text);
        let start = node.span.start + if plain { 1 + offset } else { 0 };
        start..node.span.end
    }

    pub(super) fn section<'n>(&mut self, node: &Node<'n>, expected: &str) -> Option<Section<'n>> {
        match node.value {
            DeValue::Table(table) => Some(Section {
                path: node.path.clone(),
                span: node.span.clone(),
                table,
            }),
            _ => {
                self.mismatch(node, expected);
                None
            }
        }
    }

    pub(super) fn items<'n>(&mut self, node: &Node<'n>, expected: &str) -> Option<Vec<Node<'n>>> {
        let DeValue::Array(array) = node.value else {
            self.mismatch(node, expected);
            return None;
        };
        let item = |(index, value): (usize, &'n Spanned<DeValue<'n>>)| Node {
            path: format!("{}[{index}]", node.path),
            span: value.span(),
            value: value.get_ref(),
        };
        Some(array.iter().enumerate().map(item).collect())
    }

    pub(super) fn text(&mut self, node: &Node<'_>, grammar: Grammar) -> Option<String> {
        match node.value.as_str() {
            Some(text) if (grammar.accepts)(text) => Some(text.to_owned()),
            _ => {
                self.mismatch(node, grammar.expected);
                None
            }
        }
    }

    /// A text that a plan or a record shows to others: no URL in it carries a password.
    pub(super) fn shown(&mut self, node: &Node<'_>, grammar: Grammar) -> Option<String> {
        if node.value.as_str().is_some_and(secret::is_in_url) {
            let expected = "no password in an address: plans and records show it";
            self.secret(&node.path, &node.span, expected);
            return None;
        }
        self.text(node, grammar)
    }

    pub(super) fn truth(&mut self, node: &Node<'_>) -> Option<bool> {
        if let DeValue::Boolean(truth) = node.value {
            return Some(*truth);
        }
        self.mismatch(node, "true or false");
        None
    }

    /// A whole number within bounds.
    pub(super) fn number(&mut self, node: &Node<'_>, least: u32, most: u32) -> Option<u32> {
        let read = match &node.value {
            DeValue::Integer(number) => u32::from_str_radix(number.as_str(), number.radix()).ok(),
            _ => None,
        };
        let within = read.filter(|number| (least..=most).contains(number));
        if within.is_none() {
            self.mismatch(node, &format!("a whole number from {least} to {most}"));
        }
        within
    }

    /// One of a few words, each with what it means.
    pub(super) fn choice<T: Copy>(&mut self, node: &Node<'_>, choices: &[(&str, T)]) -> Option<T> {
        let text = node.value.as_str();
        if let Some((_, meant)) = choices.iter().find(|(word, _)| text == Some(word)) {
            return Some(*meant);
        }
        let words: Vec<&str> = choices.iter().map(|(word, _)| *word).collect();
        let advice = text
            .and_then(|text| nearest(text, &words))
            .map(|near| format!("did you mean \"{near}\"?"));
        let expected = format!("one of {}", words.join(", "));
        self.wrong_with(
            &node.path,
            &node.span,
            described(node.value),
            &expected,
            advice,
        );
        None
    }

    fn problem_at(&self, place: Place, key: &str, found: String, expected: &str) -> Problem {
        Problem {
            file: self.file.to_owned(),
            place,
            key: key.to_owned(),
            found,
            expected: expected.to_owned(),
            advice: None,
        }
    }
}

impl<'n> Section<'n> {
    pub(super) fn root(table: &'n Spanned<DeTable<'n>>) -> Self {
        Self {
            path: String::new(),
            span: 0..0,
            table: table.get_ref(),
        }
    }

    /// The entries in the order of the file, each with the place of its key.
    pub(super) fn entries(&self) -> Vec<(&'n str, Range<usize>, Node<'n>)> {
        let mut entries: Vec<_> = self
            .table
            .iter()
            .map(|(key, value)| {
                let name: &'n str = key.get_ref();
                let node = Node {
                    path: join(&self.path, name),
                    span: value.span(),
                    value: value.get_ref(),
                };
                (name, key.span(), node)
            })
            .collect();
        entries.sort_by_key(|(_, span, _)| span.start);
        entries
    }

    /// Reports each key that this version does not know, with the known one that is nearest.
    pub(super) fn only(&self, walk: &mut Walk<'_>, known: &[&str]) {
        for (name, span, node) in self.entries() {
            if known.contains(&name) {
                continue;
            }
            if secret::is_inline(name, node.value) {
                walk.inline_secret(&node.path, &node.span);
                continue;
            }
            let expected = format!("one of {}", known.join(", "));
            let advice = nearest(name, known).map(|near| format!("did you mean `{near}`?"));
            walk.wrong_with(
                &node.path,
                &span,
                "unknown key".to_owned(),
                &expected,
                advice,
            );
        }
    }

    /// Reads a key that may be absent: `Some(None)` is absent, `None` is reported.
    pub(super) fn optional<T>(
        &self,
        walk: &mut Walk<'_>,
        key: &str,
        read: impl FnOnce(&mut Walk<'_>, &Node<'n>) -> Option<T>,
    ) -> Option<Option<T>> {
        match self.table.get(key) {
            None => Some(None),
            Some(value) => {
                let node = Node {
                    path: join(&self.path, key),
                    span: value.span(),
                    value: value.get_ref(),
                };
                read(walk, &node).map(Some)
            }
        }
    }

    /// Reads a key that must be there; `expected` says what for, should it be missing.
    pub(super) fn required<T>(
        &self,
        walk: &mut Walk<'_>,
        key: &str,
        expected: &str,
        read: impl FnOnce(&mut Walk<'_>, &Node<'n>) -> Option<T>,
    ) -> Option<T> {
        let value = self.optional(walk, key, read)?;
        if value.is_none() {
            walk.missing(&join(&self.path, key), &self.span, expected);
        }
        value
    }
}

/// A path with one more key, quoted where it would not stand bare.
fn join(path: &str, key: &str) -> String {
    let bare = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
    let key = if !key.is_empty() && key.bytes().all(bare) {
        key.to_owned()
    } else {
        quoted(key)
    };
    match path {
        "" => key,
        path => format!("{path}.{key}"),
    }
}

/// What stands in the file, in words; a string that holds a secret is not repeated.
fn described(value: &DeValue<'_>) -> String {
    match value {
        DeValue::String(text) if secret::is_in_url(text) => {
            "found a string with a password in it".to_owned()
        }
        DeValue::String(text) => format!("found {}", quoted(text)),
        DeValue::Integer(number) => format!("found the integer {}", quoted(&number.to_string())),
        DeValue::Float(number) => format!("found the number {}", quoted(number.as_str())),
        DeValue::Boolean(truth) => format!("found {truth}"),
        DeValue::Datetime(time) => format!("found the time {time}"),
        DeValue::Array(array) => format!("found an array of {}", array.len()),
        DeValue::Table(_) => "found a table".to_owned(),
    }
}
