//! What is wrong with a configuration file, and where: values that print as one line each.

use std::fmt;
use std::ops::Range;

use serde::Serialize;

/// The most problems that are kept of one file; the rest are counted.
const KEPT: usize = 100;

/// The longest piece of the file that a problem quotes, in characters.
const QUOTED: usize = 80;

/// A place in the file; both count from 1, columns in characters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub struct Place {
    /// The line, from 1.
    pub line: usize,
    /// The column in characters, from 1.
    pub column: usize,
}

/// One thing that is wrong (or, as a warning, odd), with its place and what was expected there.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Problem {
    /// The file as the user named it.
    pub file: String,
    /// Where in the file.
    pub place: Place,
    /// The path of the key, such as `environment[0].tier`; empty where the whole file is meant.
    pub key: String,
    /// What stands there now.
    pub found: String,
    /// What should stand there; empty where nothing needs to change.
    pub expected: String,
    /// The next step, such as a command to run.
    pub advice: Option<String>,
}

impl fmt::Display for Problem {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Place { line, column } = self.place;
        write!(out, "{}:{line}:{column}: ", clean(&self.file))?;
        if !self.key.is_empty() {
            write!(out, "{}: ", clean(&self.key))?;
        }
        write!(out, "{}", clean(&self.found))?;
        if !self.expected.is_empty() {
            write!(out, ", expected {}", clean(&self.expected))?;
        }
        match &self.advice {
            Some(advice) => write!(out, "; {}", clean(advice)),
            None => Ok(()),
        }
    }
}

/// Every problem of one file, in the order of the file. The program ends with exit code 2.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Problems {
    /// The file as the user named it.
    pub file: String,
    /// The problems by place; never empty.
    pub problems: Vec<Problem>,
    /// How many more there were than are kept.
    pub more: usize,
}

impl Problems {
    /// Puts the problems in the order of the file, once each.
    pub(super) fn sorted(file: &str, mut problems: Vec<Problem>) -> Self {
        problems.sort_by(|a, b| (a.place, &a.key, &a.found).cmp(&(b.place, &b.key, &b.found)));
        problems.dedup();
        let more = problems.len().saturating_sub(KEPT);
        problems.truncate(KEPT);
        Self {
            file: file.to_owned(),
            problems,
            more,
        }
    }

    /// The one problem of a file whose text cannot be read at all.
    pub(super) fn of_file(file: &str, found: String, expected: &str) -> Self {
        let problem = Problem {
            file: file.to_owned(),
            place: Place { line: 1, column: 1 },
            key: String::new(),
            found,
            expected: expected.to_owned(),
            advice: None,
        };
        Self::sorted(file, vec![problem])
    }
}

impl fmt::Display for Problems {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, problem) in self.problems.iter().enumerate() {
            if index > 0 {
                writeln!(out)?;
            }
            write!(out, "{problem}")?;
        }
        if self.more > 0 {
            write!(out, "\n{}: and {} more", clean(&self.file), self.more)?;
        }
        Ok(())
    }
}

impl std::error::Error for Problems {}

/// Finds the place of a byte offset without counting from the top each time: a file may be one
/// long line with a hundred thousand problems.
#[derive(Debug)]
pub(super) struct Lines<'t> {
    text: &'t str,
    starts: Vec<usize>,
    /// How many characters begin before each block of [`BLOCK`] bytes.
    counts: Vec<usize>,
}

/// The bytes that are counted again for each place.
const BLOCK: usize = 256;

impl<'t> Lines<'t> {
    pub(super) fn new(text: &'t str) -> Self {
        // An editor hides a byte order mark, so column 1 is what follows it.
        let first = if text.starts_with('\u{feff}') { 3 } else { 0 };
        let breaks = text.match_indices('\n').map(|(at, _)| at + 1);
        let starts = std::iter::once(first).chain(breaks).collect();
        let mut counts = vec![0];
        let mut total = 0;
        for block in text.as_bytes().chunks(BLOCK) {
            total += beginnings(block);
            counts.push(total);
        }
        Self {
            text,
            starts,
            counts,
        }
    }

    pub(super) fn place(&self, offset: usize) -> Place {
        let line = self.line(offset);
        let start = self.starts.get(line - 1).copied().unwrap_or(0);
        let before = self.characters(offset.max(start)) - self.characters(start);
        Place {
            line,
            column: before + 1,
        }
    }

    pub(super) fn line(&self, offset: usize) -> usize {
        self.starts.partition_point(|start| *start <= offset).max(1)
    }

    /// How many characters begin before this offset.
    fn characters(&self, offset: usize) -> usize {
        let offset = offset.min(self.text.len());
        let block = offset / BLOCK;
        let rest = self.text.as_bytes().get(block * BLOCK..offset);
        self.counts.get(block).copied().unwrap_or(0) + rest.map_or(0, beginnings)
    }

    pub(super) fn slice(&self, span: &Range<usize>) -> &'t str {
        self.text.get(span.clone()).unwrap_or("")
    }
}

/// The bytes that begin a character of UTF-8.
fn beginnings(bytes: &[u8]) -> usize {
    let begins = |byte: &&u8| (**byte & 0b1100_0000) != 0b1000_0000;
    bytes.iter().filter(begins).count()
}

/// A piece of the file in quotes, shortened; cleaned again (to no effect) when it is printed.
pub(super) fn quoted(text: &str) -> String {
    let short: String = text.chars().take(QUOTED).collect();
    let dots = if short.len() < text.len() { "…" } else { "" };
    format!("\"{short}{dots}\"")
}

/// Makes what could fool or drive a terminal visible as `<U+XXXX>`, and caps the length.
pub(super) fn clean(text: &str) -> String {
    const LONGEST: usize = 4096;
    let mut cleaned = String::with_capacity(text.len().min(LONGEST));
    for (count, character) in text.chars().enumerate() {
        if count == LONGEST {
            cleaned.push('…');
            break;
        }
        if is_printable(character) {
            cleaned.push(character);
        } else {
            cleaned.push_str(&format!("<U+{:04X}>", u32::from(character)));
        }
    }
    cleaned
}

/// Whether a character shows as itself: no control, bidi override, zero width or tag character.
pub(super) fn is_printable(character: char) -> bool {
    !character.is_control()
        && !matches!(
            character,
            '\u{ad}'
                | '\u{61c}'
                | '\u{180e}'
                | '\u{200b}'..='\u{200f}'
                | '\u{2028}'..='\u{202e}'
                | '\u{2060}'..='\u{206f}'
                | '\u{feff}'
                | '\u{fff9}'..='\u{fffb}'
                | '\u{e0000}'..='\u{e007f}'
        )
}
