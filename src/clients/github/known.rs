//! What one reader of the API has seen: the ETag of each answer, so that it is asked for again only
//! if it changed. A 304 costs nothing of the hourly budget.

use std::collections::HashMap;

/// Answers that are remembered; the one that was longest not asked for is forgotten first.
const KEPT: usize = 256;

/// The ETags of one reader. Two readers must not share it: what one was told the other never saw.
#[derive(Debug, Default)]
pub struct Known {
    tags: HashMap<String, (String, u64)>,
    uses: u64,
}

impl Known {
    /// The ETag of the last answer from there.
    pub(super) fn tag(&mut self, path: &str) -> Option<&str> {
        self.uses += 1;
        let (tag, used) = self.tags.get_mut(path)?;
        *used = self.uses;
        Some(tag)
    }

    /// Whether there was an answer from there.
    pub(super) fn holds(&self, path: &str) -> bool {
        self.tags.contains_key(path)
    }

    /// Has whatever is of the run `id` asked for in full again.
    pub fn forget(&mut self, id: u64) {
        let of_it = format!("/runs/{id}/");
        self.tags.retain(|path, _| !path.contains(&of_it));
    }

    /// Remembers an answer that was understood; one without an ETag is asked for in full again.
    pub(super) fn keep(&mut self, path: &str, tag: Option<String>) {
        let Some(tag) = tag else {
            self.tags.remove(path);
            return;
        };
        self.uses += 1;
        self.tags.insert(path.to_owned(), (tag, self.uses));
        if self.tags.len() > KEPT {
            let oldest = self.tags.iter().min_by_key(|(_, (_, used))| *used);
            let oldest = oldest.map(|(path, _)| path.clone()).unwrap_or_default();
            self.tags.remove(&oldest);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_unused_is_forgotten_first() {
        let mut known = Known::default();
        for n in 0..KEPT {
            known.keep(&format!("/{n}"), Some(n.to_string()));
        }
        assert_eq!(known.tag("/0"), Some("0"));
        known.keep("/new", Some("x".into()));
        assert!(known.holds("/0") && !known.holds("/1") && known.holds("/new"));
        assert_eq!(known.tags.len(), KEPT);
    }

    #[test]
    fn an_answer_without_a_tag_is_asked_for_in_full() {
        let mut known = Known::default();
        known.keep("/a", Some("1".into()));
        known.keep("/a", None);
        assert_eq!(known.tag("/a"), None);
    }
}
