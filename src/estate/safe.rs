//! Text from outside, made harmless once, at ingest, so that no view has to think of it again.
//!
//! Log lines, labels, commit messages and error bodies are written by strangers. A [`Safe`] holds
//! no escape sequence, no control, bidirectional or zero-width character and no long tail: what was
//! there is shown as `<U+202E>` or left out with a mark. Widgets take `Safe` only.

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Deserializer, Serialize};

/// The most bytes that one value keeps; what was cut is marked with `…`.
pub const LIMIT: usize = 4096;

/// More combining marks than this on one character are dropped (zalgo text).
const MARKS: usize = 2;

/// One line of cleaned text.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(transparent)]
pub struct Safe(Arc<str>);

impl Safe {
    /// Cleans `text`: escape sequences are dropped whole, line breaks and tabs become spaces.
    pub fn new(text: &str) -> Self {
        Self::long(text, LIMIT)
    }

    /// The same of up to `limit` bytes: for what a program reads on and nobody is shown as it is.
    pub fn long(text: &str, limit: usize) -> Self {
        if text.len() <= limit && text.bytes().all(|b| (0x20..0x7f).contains(&b)) {
            return Self(text.into());
        }
        Self(clean(text, limit).into())
    }

    /// As [`Safe::new`], but what is left out is marked: for what is repeated to whom it came from, such as the labels of an
    /// alert. One that is not `text` to the letter holds `<U+` or ends with `…`.
    pub fn exact(text: &str) -> Self {
        let clean = Self::new(text);
        if clean.as_str() == text {
            return clean;
        }
        use fmt::Write as _;
        let mut told = String::with_capacity(text.len());
        for c in text.chars() {
            match c.is_control() {
                true => drop(write!(told, "<U+{:04X}>", u32::from(c))),
                false => told.push(c),
            }
        }
        let told = Self::new(&told);
        match told.contains("<U+") || told.ends_with('…') {
            true => told,
            false => Self(format!("{told}…").into()),
        }
    }

    /// As [`Safe::new`], but of bytes that may not be UTF-8 (log lines).
    pub fn from_bytes(bytes: &[u8]) -> Self {
        // Four times the limit is enough to fill it after cleaning; the rest is not even decoded.
        let head = &bytes[..bytes.len().min(LIMIT * 4)];
        let text = String::from_utf8_lossy(head);
        if head.len() < bytes.len() {
            return Self(clean(&format!("{text}…"), LIMIT).into());
        }
        Self::new(&text)
    }

    /// The cleaned text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether nothing is left.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl Default for Safe {
    fn default() -> Self {
        Self("".into())
    }
}

impl std::ops::Deref for Safe {
    type Target = str;
    fn deref(&self) -> &str {
        &self.0
    }
}

impl std::borrow::Borrow<str> for Safe {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl From<&str> for Safe {
    fn from(text: &str) -> Self {
        Self::new(text)
    }
}

impl From<String> for Safe {
    fn from(text: String) -> Self {
        Self::new(&text)
    }
}

impl fmt::Display for Safe {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl fmt::Debug for Safe {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

impl<'de> Deserialize<'de> for Safe {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        String::deserialize(from).map(Self::from)
    }
}

/// Cleans `text` to at most `limit` bytes.
fn clean(text: &str, limit: usize) -> String {
    let mut out = String::with_capacity(text.len().min(limit));
    let mut rest = text.chars().peekable();
    let mut marks = 0;
    while let Some(c) = rest.next() {
        if out.len() + 12 > limit {
            out.push('…');
            break;
        }
        match c {
            '\u{1b}' => skip_escape(&mut rest),
            // The eight-bit forms of CSI, OSC, DCS, SOS, PM and APC.
            '\u{9b}' => skip_csi(&mut rest),
            '\u{90}' | '\u{98}' | '\u{9d}'..='\u{9f}' => skip_string(&mut rest),
            '\n' | '\t' | '\r' => {
                if !out.ends_with(' ') {
                    out.push(' ');
                }
            }
            c if is_mark(c) && !is_hidden(c) => {
                marks += 1;
                if marks <= MARKS && !out.is_empty() {
                    out.push(c);
                }
                continue;
            }
            c if is_hidden(c) => {
                use fmt::Write as _;
                let _ = write!(out, "<U+{:04X}>", u32::from(c));
            }
            c => out.push(c),
        }
        marks = 0;
    }
    let kept = out.trim_end().len();
    out.truncate(kept);
    out
}

type Rest<'a> = std::iter::Peekable<std::str::Chars<'a>>;

/// After ESC: the whole sequence goes, whatever its kind.
fn skip_escape(rest: &mut Rest<'_>) {
    match rest.peek() {
        Some('[') => {
            rest.next();
            skip_csi(rest);
        }
        Some(']' | 'P' | 'X' | '^' | '_') => {
            rest.next();
            skip_string(rest);
        }
        Some(' '..='/') => {
            while rest.next_if(|c| (' '..='/').contains(c)).is_some() {}
            rest.next_if(|c| ('0'..='~').contains(c));
        }
        Some('0'..='~') => {
            rest.next();
        }
        _ => {}
    }
}

/// Parameters and intermediates, then one final byte.
fn skip_csi(rest: &mut Rest<'_>) {
    while rest.next_if(|c| (' '..='?').contains(c)).is_some() {}
    rest.next_if(|c| ('@'..='~').contains(c));
}

/// To BEL or ST; an unterminated one ends at the line's end, so that it cannot eat a whole log.
fn skip_string(rest: &mut Rest<'_>) {
    while let Some(c) = rest.peek().copied() {
        if c == '\n' {
            return;
        }
        rest.next();
        match c {
            '\u{7}' | '\u{9c}' => return,
            '\u{1b}' => {
                rest.next_if_eq(&'\\');
                return;
            }
            _ => {}
        }
    }
}

/// Combining marks: the blocks that stack on a letter.
fn is_mark(c: char) -> bool {
    matches!(u32::from(c), 0x300..=0x36f | 0x483..=0x489 | 0x1ab0..=0x1aff | 0x1dc0..=0x1dff | 0x20d0..=0x20ff | 0xfe20..=0xfe2f)
}

/// Characters that a terminal obeys or hides instead of showing.
fn is_hidden(c: char) -> bool {
    c.is_control()
        || matches!(u32::from(c),
            0xad | 0x34f | 0x61c | 0x115f..=0x1160 | 0x17b4..=0x17b5 | 0x180b..=0x180f
            | 0x200b..=0x200f | 0x2028..=0x202e | 0x2060..=0x206f | 0x3164
            | 0xfe00..=0xfe0f | 0xfeff | 0xffa0 | 0xfff0..=0xfffb
            | 0xe000..=0xf8ff | 0xe0000..=0xe0fff | 0xf0000..=0x10ffff)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn what_is_repeated_is_marked_where_it_is_not_what_it_was() {
        for (dirty, exact) in [
            ("plain", "plain"),
            ("caf\u{e9}", "caf\u{e9}"),
            ("\u{1b}[31mgreen", "<U+001B>[31mgreen"),
            ("a\nb", "a<U+000A>b"),
            ("a\tb", "a<U+0009>b"),
            ("a\u{202e}b", "a<U+202E>b"),
            ("gr\u{fc}n ", "gr\u{fc}n…"),
            ("a\u{300}\u{300}\u{300}", "a\u{300}\u{300}…"),
        ] {
            assert_eq!(Safe::exact(dirty).as_str(), exact, "{dirty:?}");
        }
    }

    #[test]
    fn escape_sequences_are_dropped_whole() {
        for (dirty, clean) in [
            ("a\u{1b}[31mred\u{1b}[0m", "ared"),
            ("\u{1b}]0;evil title\u{7}ok", "ok"),
            ("\u{1b}]8;;https://x\u{1b}\\link\u{1b}]8;;\u{1b}\\", "link"),
            ("\u{1b}P1$r0m\u{1b}\\ok", "ok"),
            ("\u{9b}2Jok", "ok"),
            ("\u{1b}(Bok", "ok"),
            ("tail\u{1b}", "tail"),
        ] {
            assert_eq!(Safe::new(dirty).as_str(), clean, "{dirty:?}");
        }
    }

    #[test]
    fn hidden_characters_are_shown_by_number() {
        assert_eq!(Safe::new("a\u{202e}b").as_str(), "a<U+202E>b");
        assert_eq!(Safe::new("a\u{200d}b").as_str(), "a<U+200D>b");
        assert_eq!(Safe::new("a\u{7}b").as_str(), "a<U+0007>b");
        assert_eq!(Safe::new("a\u{e0041}b").as_str(), "a<U+E0041>b");
        assert_eq!(Safe::new("two\r\nlines").as_str(), "two lines");
    }

    #[test]
    fn a_mebibyte_is_cut_with_a_mark() {
        let long = Safe::new(&"x".repeat(1 << 20));
        assert!(long.len() <= LIMIT && long.ends_with('…'));
        let bytes = Safe::from_bytes(&vec![b'y'; 1 << 20]);
        assert!(bytes.len() <= LIMIT && bytes.ends_with('…'));
    }

    #[test]
    fn stacked_marks_are_limited() {
        let zalgo = format!("a{}", "\u{301}".repeat(50));
        assert_eq!(Safe::new(&zalgo).chars().count(), 1 + MARKS);
    }

    proptest! {
        #[test]
        fn nothing_that_a_terminal_obeys_survives(text in any::<String>()) {
            let safe = Safe::new(&text);
            prop_assert!(!safe.chars().any(is_hidden));
            prop_assert!(safe.len() <= LIMIT);
            prop_assert_eq!(Safe::new(&safe), safe.clone());
        }

        #[test]
        fn bytes_of_any_kind_are_cleaned(bytes in proptest::collection::vec(any::<u8>(), 0..512)) {
            prop_assert!(!Safe::from_bytes(&bytes).chars().any(is_hidden));
        }
    }
}
