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
}

impl Edit {
    /// What was typed.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Replaces it.
    pub fn set(&mut self, text: &str) {
        self.text = text.chars().take(LIMIT).collect();
    }

    /// Takes a key in; says whether the key was one for typing.
    pub fn key(&mut self, key: Key) -> bool {
        match (key.code, key.ctrl, key.alt) {
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
        true
    }

    /// Takes pasted text in.
    pub fn paste(&mut self, text: &Safe) {
        let room = LIMIT.saturating_sub(self.text.len());
        self.text.extend(text.chars().take(room));
    }
}
