//! Matchers of labels: in queries, in the filters of Alertmanager, and in its silences.

use super::Labels;
use super::pattern::Pattern;

/// One matcher.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Matcher {
    pub(super) name: String,
    pub(super) value: String,
    pub(super) is_equal: bool,
    pattern: Option<Pattern>,
}

impl Matcher {
    /// A matcher; nothing where its regular expression is none.
    pub(super) fn new(name: &str, value: &str, is_equal: bool, is_regex: bool) -> Option<Self> {
        let pattern = match is_regex {
            true => Some(Pattern::parse(value)?),
            false => None,
        };
        let (name, value) = (name.to_owned(), value.to_owned());
        Some(Self {
            name,
            value,
            is_equal,
            pattern,
        })
    }

    /// By the operator between name and value.
    pub(super) fn by(name: &str, operator: &str, value: &str) -> Option<Self> {
        Self::new(
            name,
            value,
            operator.starts_with('='),
            operator.ends_with('~'),
        )
    }

    /// Reads `name="value"`, `name=~"a|b"`, with or without the quotes.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let text = text.trim().trim_start_matches('{').trim_end_matches('}');
        let begin = text.find(['=', '!'])?;
        let (name, rest) = text.split_at(begin);
        let operator = ["=~", "!~", "!=", "="]
            .into_iter()
            .find(|one| rest.starts_with(one))?;
        let value = rest[operator.len()..].trim();
        let bare = value
            .strip_prefix('"')
            .and_then(|value| value.strip_suffix('"'));
        Self::by(name.trim(), operator, bare.unwrap_or(value))
    }

    pub(super) fn is_regex(&self) -> bool {
        self.pattern.is_some()
    }

    /// A label that is not there is empty.
    pub(super) fn fits(&self, labels: &Labels) -> bool {
        let found = labels.get(&self.name).map_or("", String::as_str);
        let is_same = self
            .pattern
            .as_ref()
            .map_or(found == self.value, |pattern| pattern.fits(found));
        is_same == self.is_equal
    }
}
