//! A line of text being typed.

use serde::Serialize;

use super::{Key, KeyCode};
use crate::estate::Safe;

/// More than this is not a filter or a command any more.
const LIMIT: usize = 256;

/// A line of text being typed; the cursor is always at its end.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Edit {
    text: String,
    /// Whether it was put there for whoever types: then what is typed first takes its place.
    is_suggested: bool,
}

impl Edit {
    /// What was typed.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Replaces it.
    pub fn set(&mut self, text: &str) {
        self.text = text.chars().take(LIMIT).collect();
        self.is_suggested = false;
    }

    /// Replaces it by what may do: what is typed first takes its place, what is deleted is deleted from it.
    pub fn suggest(&mut self, text: &str) {
        self.set(text);
        self.is_suggested = !text.is_empty();
    }

    /// Takes a key in; says whether the key was one for typing.
    pub fn key(&mut self, key: Key) -> bool {
        match (key.code, key.ctrl, key.alt) {
            (KeyCode::Char(c), false, false) if self.is_suggested && !c.is_control() => {
                self.set(c.encode_utf8(&mut [0; 4]));
            }
            (KeyCode::Char(c), false, false) if self.text.len() < LIMIT && !c.is_control() => {
                self.text.push(c)
            }
            (KeyCode::Backspace, false, false) => {
                self.text.pop();
            }
            (KeyCode::Char('u'), true, false) => self.text.clear(),
            (KeyCode::Char('w'), true, false) => {
                let kept = self.text.trim_end().rfind(' ').map_or(0, |space| space + 1);
                self.text.truncate(kept);
            }
            _ => return false,
        }
        self.is_suggested = false;
        true
    }

    /// Takes pasted text in.
    pub fn paste(&mut self, text: &Safe) {
        if std::mem::take(&mut self.is_suggested) {
            self.text.clear();
        }
        let room = LIMIT.saturating_sub(self.text.len());
        self.text.extend(text.chars().take(room));
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    fn typed(edit: &mut Edit, c: char) {
        edit.key(c.to_string().parse().unwrap());
    }

    #[test]
    fn what_is_typed_first_takes_the_place_of_what_was_suggested() {
        let mut edit = Edit::default();
        edit.suggest(":e4d909c");
        ":v42".chars().for_each(|c| typed(&mut edit, c));
        assert_eq!(edit.text(), ":v42");
        edit.suggest(":e4d909c");
        edit.key("backspace".parse().unwrap());
        typed(&mut edit, 'd');
        assert_eq!(edit.text(), ":e4d909d");
        edit.suggest(":e4d909c");
        edit.paste(&":v43".into());
        assert_eq!(edit.text(), ":v43");
    }
}
