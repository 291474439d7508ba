//! A plan laid over the screen: what would be done, what it stands on, fields to fill, and a prompt.
//!
//! What it is for is not its business. Whoever opens one keeps its subject beside it, makes the
//! [`Sheet`] and the [`Facts`] of the subject anew from the state whenever they are needed, and does what
//! [`Reply::Go`] asks for. The plan's facts are taken when the prompt gets the focus, and compared after
//! every observation and once more with the key that confirms: a plan whose facts moved is void (O03).

use serde::Serialize;

use super::confirm::{Answer, Ask, Confirm};
use super::edit::Edit;
use super::facts::Facts;
use super::{Key, KeyCode};
use crate::estate::{Moment, Safe, Verdict};
use crate::ops::{Finding, Gate};

/// What a dialog says, made anew for every frame.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Sheet {
    /// Its title: `CUT OVER production to GREEN`.
    pub title: String,
    /// What would change, in a line: where there is no room for more, it stands before what wants a look.
    pub head: Option<String>,
    /// What would change, the checks, the way back.
    pub lines: Vec<Line>,
    /// Why it may not be done now, and how to proceed; none: it may.
    pub refusal: Option<Safe>,
    /// What confirming does, as an imperative: `set the silence`.
    pub verb: &'static str,
    /// What stands for the plan in a few digits; none: the digits of its facts.
    pub tag: Option<String>,
    /// It is confirmed, and this is awaited.
    pub pending: Option<Safe>,
    /// What a key does about the refusal.
    pub way_on: Option<String>,
    /// Whether it is known what is sent.
    pub has_requests: bool,
    /// What is sent, word for word, with what is known when it starts in `<>`; none unless that is looked at.
    pub requests: Vec<Line>,
}

/// A line of it.
#[derive(Clone, Debug, PartialEq)]
pub enum Line {
    /// Nothing.
    Blank,
    /// Words, on as many lines as they need.
    Words(String),
    /// A name and its value.
    Fact(&'static str, String),
    /// A check, with its mark, and what it found.
    Check(&'static str, Verdict, String),
    /// A check of an operation's plan.
    Gate(Gate),
    /// Something to look at, with `!`.
    Look(&'static str, String),
}

impl Line {
    /// Whether it stands in the way, or wants a look.
    pub fn is_loud(&self) -> bool {
        match self {
            Self::Look(..) => true,
            Self::Check(_, verdict, _) => *verdict != Verdict::Ok,
            Self::Gate(gate) => gate.finding != Finding::Ok,
            Self::Blank | Self::Words(_) | Self::Fact(..) => false,
        }
    }
}

/// Something to fill in before the prompt.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Field {
    /// What it is called.
    pub name: &'static str,
    /// What is in it.
    pub input: Input,
    /// Whether the prompt is not reached while it is empty.
    pub is_required: bool,
}

/// What is filled in.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub enum Input {
    /// Text that is typed or pasted.
    Text(Edit),
    /// One of these, by left and right.
    Choice(Vec<&'static str>, usize),
}

impl Field {
    /// What it holds, without blanks around.
    pub fn value(&self) -> &str {
        match &self.input {
            Input::Text(edit) => edit.text().trim(),
            Input::Choice(options, at) => options.get(*at).copied().unwrap_or_default(),
        }
    }
}

/// The dialog's own state.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Dialog {
    /// What is filled in first, in order.
    pub fields: Vec<Field>,
    /// What has the focus: a field by its place, or, behind the last one, the prompt.
    pub focus: usize,
    /// The prompt.
    pub confirm: Confirm,
    /// What the plan stands on, since the prompt has the focus.
    pub facts: Facts,
    /// Why the plan is void.
    pub void: Option<Safe>,
    /// A field that is still empty.
    pub missing: Option<&'static str>,
    /// Lines scrolled down.
    pub scroll: usize,
    /// Whether it says what is sent, and not what is planned.
    pub shows_requests: bool,
}

/// What a key meant to the dialog.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reply {
    /// It is handled.
    Stay,
    /// The dialog is to be closed; nothing is done.
    Close,
    /// Confirmed: it is to be done, and the dialog to be closed.
    Go,
}

impl Dialog {
    /// A dialog with its first field in focus, or its prompt where it has no fields.
    pub fn new(fields: Vec<Field>, ask: Ask, facts: Facts, now: Moment) -> Self {
        Self {
            fields,
            focus: 0,
            confirm: Confirm::new(ask, now),
            facts,
            void: None,
            missing: None,
            scroll: 0,
            shows_requests: false,
        }
    }

    /// Whether the prompt has the focus.
    pub fn is_asking(&self) -> bool {
        self.focus >= self.fields.len()
    }

    /// When the dialog looks different by itself: the prompt begins to listen.
    pub fn wakes_at(&self) -> Option<Moment> {
        self.confirm.listens_at().filter(|_| self.is_asking())
    }

    /// The value of the field of that name.
    pub fn value(&self, name: &str) -> &str {
        let field = self.fields.iter().find(|f| f.name == name);
        field.map_or("", Field::value)
    }

    /// Voids the plan if the prompt waits and what it stands on is not so any more. The prompt is deaf
    /// again: the key that was on its way was meant for the plan as it was.
    pub fn compare(&mut self, facts: &Facts, now: Moment) {
        if self.is_asking() && self.void.is_none() {
            self.void = self.facts.changed(facts);
            if self.void.is_some() {
                self.shows_requests = false;
                self.confirm.reopen(now);
            }
        }
    }

    /// Takes a key that was typed at `now`, while the subject's facts are `facts` and `is_refused` says
    /// whether it may be done.
    pub fn key(&mut self, key: Key, now: Moment, facts: Facts, is_refused: bool) -> Reply {
        self.compare(&facts, now);
        match key.code {
            KeyCode::PageUp => self.scroll = self.scroll.saturating_sub(SCROLL),
            KeyCode::PageDown => self.scroll += SCROLL,
            _ if !self.is_asking() => {
                self.fill(key, now, facts);
                // What is filled in would not make it be done: why it is refused is what there is to say.
                self.missing = self.missing.filter(|_| !is_refused);
            }
            _ if self.void.is_some() => self.plan_again(key, now, facts),
            KeyCode::BackTab | KeyCode::Up if !self.fields.is_empty() => self.focus -= 1,
            _ => return self.ask(key, now, is_refused),
        }
        Reply::Stay
    }

    /// Takes pasted text: only ever into a field of text; says whether it did.
    pub fn paste(&mut self, text: &Safe) -> bool {
        match self.fields.get_mut(self.focus).map(|f| &mut f.input) {
            Some(Input::Text(edit)) => edit.paste(text),
            Some(Input::Choice(..)) | None => return false,
        }
        true
    }

    fn fill(&mut self, key: Key, now: Moment, facts: Facts) {
        let Some(field) = self.fields.get_mut(self.focus) else {
            return;
        };
        match (key.code, &mut field.input) {
            (KeyCode::Enter | KeyCode::Tab | KeyCode::Down, _) => {
                self.focus += 1;
                if self.is_asking() {
                    self.reach(now, facts);
                }
            }
            (KeyCode::BackTab | KeyCode::Up, _) => self.focus = self.focus.saturating_sub(1),
            (KeyCode::Left, Input::Choice(_, at)) => *at = at.saturating_sub(1),
            (KeyCode::Right, Input::Choice(options, at)) => {
                *at = (*at + 1).min(options.len().saturating_sub(1));
            }
            (_, Input::Choice(..)) => {}
            (_, Input::Text(edit)) => {
                edit.key(key);
                self.missing = None;
            }
        }
    }

    /// The prompt gets the focus, or the first field that is empty and must not be.
    fn reach(&mut self, now: Moment, facts: Facts) {
        let empty = |f: &Field| f.is_required && f.value().is_empty();
        match self.fields.iter().position(empty) {
            Some(place) => {
                self.focus = place;
                self.missing = self.fields.get(place).map(|f| f.name);
            }
            None => {
                self.missing = None;
                self.facts = facts;
                self.confirm.reopen(now);
            }
        }
    }

    /// A void plan: Enter makes it again, from the first field or with the prompt opened anew.
    fn plan_again(&mut self, key: Key, now: Moment, facts: Facts) {
        if !self.confirm.listens(now) {
            self.confirm.reopen(now);
        } else if key.code == KeyCode::Enter {
            self.restart(facts, now);
        }
    }

    /// The plan is made again, from its first field. What was filled in stays.
    pub fn restart(&mut self, facts: Facts, now: Moment) {
        self.void = None;
        self.focus = 0;
        self.shows_requests = false;
        self.facts = facts;
        self.confirm.reopen(now);
    }

    fn ask(&mut self, key: Key, now: Moment, is_refused: bool) -> Reply {
        match self.confirm.key(key, now) {
            Answer::Yes if is_refused => Reply::Stay,
            Answer::Yes => Reply::Go,
            Answer::No => Reply::Close,
            Answer::Waiting | Answer::Early => Reply::Stay,
        }
    }
}

/// Lines that a page key scrolls.
const SCROLL: usize = 5;

#[cfg(test)]
mod tests {
    use super::*;

    const ENTER: Key = Key::new(KeyCode::Enter);

    fn facts(state: &str) -> Facts {
        Facts::default().with("state", state)
    }

    fn dialog() -> Dialog {
        let comment = Field {
            name: "comment",
            input: Input::Text(Edit::default()),
            is_required: true,
        };
        let lasts = Field {
            name: "for",
            input: Input::Choice(vec!["30m", "1h"], 1),
            is_required: true,
        };
        Dialog::new(vec![comment, lasts], Ask::Enter, facts("a"), Moment(0))
    }

    fn asking() -> Dialog {
        let mut dialog = dialog();
        dialog.key(Key::char('x'), Moment(0), facts("a"), false);
        dialog.key(ENTER, Moment(0), facts("a"), false);
        dialog.key(ENTER, Moment(0), facts("a"), false);
        assert!(dialog.is_asking());
        dialog
    }

    #[test]
    fn an_empty_field_that_is_required_is_come_back_to() {
        let mut dialog = dialog();
        dialog.key(ENTER, Moment(0), facts("a"), false);
        dialog.key(Key::new(KeyCode::Left), Moment(0), facts("a"), false);
        dialog.key(ENTER, Moment(0), facts("a"), false);
        assert_eq!((dialog.focus, dialog.missing), (0, Some("comment")));
        assert_eq!(dialog.value("for"), "30m");
    }

    #[test]
    fn o01_the_enter_that_reached_the_prompt_does_not_confirm_when_it_is_doubled() {
        let mut dialog = asking();
        let early = dialog.key(ENTER, Moment(150), facts("a"), false);
        assert_eq!(early, Reply::Stay);
        let late = dialog.key(ENTER, Moment(600), facts("a"), false);
        assert_eq!(late, Reply::Go);
    }

    #[test]
    fn o03_facts_that_moved_void_the_plan_and_it_is_made_again() {
        let mut dialog = asking();
        dialog.compare(&facts("a"), Moment(0));
        assert_eq!(dialog.void, None, "churn elsewhere voids nothing");
        let reply = dialog.key(ENTER, Moment(1_000), facts("b"), false);
        assert_eq!(reply, Reply::Stay, "the key that confirms compares, too");
        assert_eq!(dialog.void.as_deref(), Some("state was a, is now b"));
        dialog.key(ENTER, Moment(2_000), facts("b"), false);
        assert_eq!((dialog.focus, &dialog.void), (0, &None));
        assert_eq!(dialog.value("comment"), "x", "what was typed stays");
    }

    #[test]
    fn t12_a_paste_reaches_a_field_and_never_the_prompt() {
        let mut dialog = asking();
        dialog.confirm.ask = Ask::Word("production".into());
        assert!(!dialog.paste(&"production".into()));
        assert_eq!(dialog.confirm.typed.text(), "");
        dialog.focus = 0;
        assert!(dialog.paste(&"y".into()));
        assert_eq!(dialog.value("comment"), "xy");
    }

    #[test]
    fn o07_what_is_refused_is_not_done_by_any_key() {
        let mut dialog = asking();
        for at in [1_000, 2_000] {
            assert_eq!(dialog.key(ENTER, Moment(at), facts("a"), true), Reply::Stay);
        }
    }
}
