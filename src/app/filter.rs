//! Narrowing a list by typing: every word as it stands, smart-case, in the list's own order; and finding a command: fuzzy,
//! best match first.

use nucleo_matcher::pattern::{AtomKind, CaseMatching, Normalization, Pattern};
use nucleo_matcher::{Config, Matcher, Utf32Str};

/// Which of `names` have every word of `text`, in their own order. Letters that merely follow one another somewhere in a row
/// would narrow nothing.
pub fn matching<'a, T>(text: &str, names: impl Iterator<Item = (T, &'a str)>) -> Vec<T> {
    let (case, as_it_is) = (CaseMatching::Smart, Normalization::Smart);
    let pattern = Pattern::new(text, case, as_it_is, AtomKind::Substring);
    let mut matcher = Matcher::new(Config::DEFAULT);
    let mut buffer = Vec::new();
    names
        .filter(|(_, name)| {
            let haystack = Utf32Str::new(name, &mut buffer);
            pattern.score(haystack, &mut matcher).is_some()
        })
        .map(|(it, _)| it)
        .collect()
}

/// Which of `names` match `text`, the best match first.
pub fn ranked<'a, T>(text: &str, names: impl Iterator<Item = (T, &'a str)>) -> Vec<T> {
    let pattern = Pattern::parse(text, CaseMatching::Smart, Normalization::Smart);
    let mut matcher = Matcher::new(Config::DEFAULT);
    let mut buffer = Vec::new();
    let mut scored: Vec<(u32, T)> = names
        .filter_map(|(it, name)| {
            let score = pattern.score(Utf32Str::new(name, &mut buffer), &mut matcher)?;
            Some((score, it))
        })
        .collect();
    scored.sort_by_key(|(score, _)| std::cmp::Reverse(*score));
    scored.into_iter().map(|(_, it)| it).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const NAMES: [&str; 3] = ["frontend-6b9f", "backend-77aa", "backend-6b11"];

    #[test]
    fn every_word_stands_in_a_row_that_is_kept_and_the_lists_order_stays() {
        for (typed, wanted) in [
            ("6b", &["frontend-6b9f", "backend-6b11"][..]),
            ("end 77", &["backend-77aa"]),
            ("Back", &[]),
            ("bk6", &[]),
        ] {
            let kept = matching(typed, NAMES.iter().map(|n| (*n, *n)));
            assert_eq!(kept, wanted, "{typed}");
        }
        let kept = matching("end", NAMES.iter().map(|n| (*n, *n)));
        assert_eq!(kept, NAMES);
    }

    #[test]
    fn an_empty_filter_keeps_all() {
        assert_eq!(matching("", NAMES.iter().map(|n| (*n, *n))).len(), 3);
    }
}
