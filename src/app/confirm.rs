//! Whether a person has said yes: the friction that the tier demands, and nothing that came early.
//!
//! TERMINAL.md, "Dangerous acts": development confirms by Enter, staging by `y` with Cancel focused,
//! production by a word typed exactly. A prompt is deaf until no key came for 400 ms: keys typed ahead,
//! a double Enter and auto-repeat are drained, not believed (O01).

use serde::Serialize;

use super::edit::Edit;
use super::{Key, KeyCode};
use crate::estate::{Moment, Safe, Tier};

/// How long no key may have come before a prompt listens.
pub const DEAD_MS: u64 = 400;

/// What says yes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub enum Ask {
    /// Enter.
    Enter,
    /// `y`; Enter is Cancel.
    Yes,
    /// This word, typed exactly, and Enter.
    Word(Safe),
}

impl Ask {
    /// As the tier demands; `word` is what production types.
    pub fn of(tier: Tier, word: Safe) -> Self {
        match tier {
            Tier::Development => Self::Enter,
            Tier::Staging => Self::Yes,
            Tier::Production => Self::Word(word),
        }
    }
}

/// A prompt that waits for a yes.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Confirm {
    /// What says yes.
    pub ask: Ask,
    /// What was typed of the word.
    pub typed: Edit,
    /// Whether another word was entered.
    pub is_wrong: bool,
    /// Since when no key came.
    quiet: Moment,
    /// Whether it listens: once it does, it does so until it is opened anew.
    listens: bool,
}

/// What a key meant to a prompt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    /// Nothing yet.
    Waiting,
    /// It came too early, and is forgotten.
    Early,
    /// No.
    No,
    /// Yes.
    Yes,
}

impl Confirm {
    /// A prompt that is opened now.
    pub fn new(ask: Ask, now: Moment) -> Self {
        Self {
            ask,
            typed: Edit::default(),
            is_wrong: false,
            quiet: now,
            listens: false,
        }
    }

    /// The same prompt, opened anew: nothing typed, and deaf again.
    pub fn reopen(&mut self, now: Moment) {
        *self = Self::new(self.ask.clone(), now);
    }

    /// When it listens, if no key comes before; none: it does already.
    pub fn listens_at(&self) -> Option<Moment> {
        (!self.listens).then_some(Moment(self.quiet.0.saturating_add(DEAD_MS)))
    }

    /// Whether a key would be believed.
    pub fn listens(&self, now: Moment) -> bool {
        self.listens_at().is_none_or(|at| at <= now)
    }

    /// Takes a key that was typed at `now`.
    pub fn key(&mut self, key: Key, now: Moment) -> Answer {
        if !self.listens(now) {
            self.quiet = now;
            return Answer::Early;
        }
        self.listens = true;
        let is_bare = !key.ctrl && !key.alt;
        match &self.ask {
            Ask::Enter if key == Key::new(KeyCode::Enter) => Answer::Yes,
            Ask::Enter => Answer::Waiting,
            Ask::Yes => match key.code {
                KeyCode::Char('y') if is_bare => Answer::Yes,
                KeyCode::Char('n') | KeyCode::Enter if is_bare => Answer::No,
                _ => Answer::Waiting,
            },
            Ask::Word(word) if key == Key::new(KeyCode::Enter) => {
                self.is_wrong = self.typed.text() != word.as_str();
                match self.is_wrong {
                    true => Answer::Waiting,
                    false => Answer::Yes,
                }
            }
            Ask::Word(_) => {
                if self.typed.key(key) {
                    self.is_wrong = false;
                }
                Answer::Waiting
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ENTER: Key = Key::new(KeyCode::Enter);

    fn typed(confirm: &mut Confirm, text: &str, at: u64) -> Answer {
        for c in text.chars() {
            assert_eq!(confirm.key(Key::char(c), Moment(at)), Answer::Waiting);
        }
        confirm.key(ENTER, Moment(at))
    }

    #[test]
    fn o01_a_key_that_came_early_is_forgotten_and_a_held_one_never_confirms() {
        let mut confirm = Confirm::new(Ask::Enter, Moment(1_000));
        assert_eq!(confirm.key(ENTER, Moment(1_000)), Answer::Early);
        // A held key, thirty times a second, for five seconds.
        for n in 1..150 {
            assert_eq!(confirm.key(ENTER, Moment(1_000 + n * 33)), Answer::Early);
        }
        let last = 1_000 + 149 * 33;
        assert_eq!(confirm.listens_at(), Some(Moment(last + 400)));
        assert!(!confirm.listens(Moment(last + 399)));
        assert_eq!(confirm.key(ENTER, Moment(last + 400)), Answer::Yes);
    }

    #[test]
    fn o02_only_the_exact_word_is_a_yes() {
        let word = || Confirm::new(Ask::of(Tier::Production, "production".into()), Moment(0));
        for wrong in [
            "",
            "prod",
            "production ",
            " production",
            "Production",
            "staging",
        ] {
            let mut confirm = word();
            assert_eq!(
                typed(&mut confirm, wrong, 500),
                Answer::Waiting,
                "{wrong:?}"
            );
            assert!(confirm.is_wrong, "{wrong:?}");
        }
        assert_eq!(typed(&mut word(), "production", 500), Answer::Yes);
        // The first letters came too early: what is left is another word.
        let mut confirm = word();
        assert_eq!(confirm.key(Key::char('p'), Moment(100)), Answer::Early);
        assert_eq!(typed(&mut confirm, "roduction", 600), Answer::Waiting);
    }

    #[test]
    fn staging_has_cancel_in_focus_and_development_takes_enter() {
        let ask = |tier| Confirm::new(Ask::of(tier, "x".into()), Moment(0));
        let mut staging = ask(Tier::Staging);
        assert_eq!(staging.key(Key::char('Y'), Moment(400)), Answer::Waiting);
        assert_eq!(staging.key(ENTER, Moment(400)), Answer::No);
        assert_eq!(staging.key(Key::char('n'), Moment(400)), Answer::No);
        assert_eq!(staging.key(Key::ctrl('y'), Moment(400)), Answer::Waiting);
        assert_eq!(staging.key(Key::char('y'), Moment(400)), Answer::Yes);
        let mut development = ask(Tier::Development);
        assert_eq!(
            development.key(Key::char('y'), Moment(400)),
            Answer::Waiting
        );
        assert_eq!(development.key(ENTER, Moment(400)), Answer::Yes);
    }

    #[test]
    fn a_prompt_that_is_opened_anew_is_deaf_and_empty_again() {
        let mut confirm = Confirm::new(Ask::Word("w".into()), Moment(0));
        confirm.key(Key::char('w'), Moment(400));
        confirm.reopen(Moment(500));
        assert_eq!(confirm.typed.text(), "");
        assert_eq!(confirm.key(ENTER, Moment(800)), Answer::Early);
    }
}
