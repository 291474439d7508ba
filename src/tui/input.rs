//! Bytes of the terminal into keys, pastes and focus: a pure machine that no byte can wedge.
//!
//! Time is an argument and reads have no meaning: what counts is how long after each other bytes
//! come, so the same bytes give the same inputs however the kernel cut them. Three rules keep a
//! split sequence from turning into live keys: an ESC waits [`ESC_WAIT`] for company, a sequence
//! that lost its ESC is still taken for [`PATIENCE`], and everything unknown is swallowed whole.

mod paste;
mod sequence;

use std::mem;

use super::clock::Millis;
use crate::app::key::{Key, KeyCode};
use paste::Paste;
use sequence::Csi;

pub use paste::PASTE_LIMIT;

/// How long a lone ESC waits before it is the key Esc, in milliseconds.
pub const ESC_WAIT: u64 = 50;
/// How long an unfinished sequence, string or paste waits for its next byte, in milliseconds.
pub const PATIENCE: u64 = 1000;
/// The longest string (OSC, DCS and kin) that enjoys the whole patience.
const STRING_LIMIT: usize = 64 * 1024;
/// The patience with a string beyond its limit.
const LONG_STRING_WAIT: u64 = 100;

const ESC: u8 = 0x1b;
const CTRL_C: u8 = 0x03;

/// What a person did at the terminal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Input {
    /// A key was pressed.
    Key(Key),
    /// Text was pasted: as it came, at most [`PASTE_LIMIT`] bytes, not cleaned.
    Paste(String),
    /// The terminal gained (`true`) or lost the focus.
    Focus(bool),
}

/// Where in a sequence the machine stands.
#[derive(Clone, Debug)]
enum State {
    Ground,
    /// An ESC came; `twice`, after another one.
    Esc {
        twice: bool,
    },
    /// ESC O came.
    Ss3 {
        alt: bool,
        modifier: u8,
    },
    Csi {
        alt: bool,
        csi: Csi,
    },
    /// The rest of an old mouse report.
    Skip(u8),
    /// A string that is swallowed; `esc`, its last byte was ESC.
    Text {
        seen: usize,
        esc: bool,
    },
    Utf8 {
        alt: bool,
        bytes: [u8; 4],
        have: u8,
        need: u8,
    },
    Paste(Paste),
}

/// The decoder. Feed it what was read; when [`Decoder::deadline`] passes, call
/// [`Decoder::expire`].
#[derive(Clone, Debug)]
pub struct Decoder {
    state: State,
    last: Millis,
    /// Until when a sequence that lost its ESC is still taken.
    orphan_until: Option<Millis>,
}

impl Default for Decoder {
    fn default() -> Self {
        Self {
            state: State::Ground,
            last: Millis(0),
            orphan_until: None,
        }
    }
}

impl Decoder {
    /// A decoder between sequences.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Forgets an unfinished sequence: for the return from a suspension.
    pub fn reset(&mut self) {
        *self = Self {
            last: self.last,
            ..Self::default()
        };
    }

    /// Reads `bytes` that came at `now` and appends what they mean to `out`.
    pub fn feed(&mut self, bytes: &[u8], now: Millis, out: &mut Vec<Input>) {
        self.expire(now, out);
        for &byte in bytes {
            self.last = now;
            self.step(byte, now, out);
        }
    }

    /// When [`Decoder::expire`] has something to do, if nothing comes before.
    #[must_use]
    pub fn deadline(&self) -> Option<Millis> {
        let wait = match &self.state {
            // Half a character shows nothing and holds nothing back.
            State::Ground | State::Utf8 { .. } => return None,
            State::Esc { .. } => ESC_WAIT,
            State::Text { seen, .. } if *seen > STRING_LIMIT => LONG_STRING_WAIT,
            State::Ss3 { .. }
            | State::Csi { .. }
            | State::Skip(_)
            | State::Text { .. }
            | State::Paste(_) => PATIENCE,
        };
        Some(self.last.plus(wait))
    }

    /// Gives up what has waited long enough at `now`.
    pub fn expire(&mut self, now: Millis, out: &mut Vec<Input>) {
        if self.deadline().is_some_and(|at| at <= now) {
            match mem::replace(&mut self.state, State::Ground) {
                State::Esc { twice } => {
                    let times = if twice { 2 } else { 1 };
                    out.extend((0..times).map(|_| bare(KeyCode::Esc)));
                    self.orphan_until = Some(self.last.plus(PATIENCE));
                }
                State::Paste(paste) => {
                    let ctrl_c = paste.has_ctrl_c();
                    out.push(Input::Paste(paste.into_text()));
                    if ctrl_c {
                        out.push(Input::Key(Key::ctrl('c')));
                    }
                }
                State::Ground
                | State::Ss3 { .. }
                | State::Csi { .. }
                | State::Skip(_)
                | State::Text { .. }
                | State::Utf8 { .. } => {}
            }
        }
        if self.orphan_until.is_some_and(|until| until <= now) {
            self.orphan_until = None;
        }
    }

    fn step(&mut self, byte: u8, now: Millis, out: &mut Vec<Input>) {
        match mem::replace(&mut self.state, State::Ground) {
            State::Ground => self.ground(byte, now, out),
            State::Esc { twice } => self.after_esc(byte, twice, now, out),
            State::Ss3 { alt, modifier } => self.ss3(byte, alt, modifier, out),
            State::Csi { alt, csi } => self.csi(byte, alt, csi, out),
            State::Skip(left) => self.skip(byte, left, out),
            State::Text { seen, esc } => self.text(byte, seen, esc, now, out),
            State::Utf8 {
                alt,
                bytes,
                have,
                need,
            } => self.utf8(byte, alt, (bytes, have, need), now, out),
            State::Paste(paste) => self.paste(byte, paste, out),
        }
    }

    fn ground(&mut self, byte: u8, now: Millis, out: &mut Vec<Input>) {
        if self.orphan_until.take().is_some_and(|until| now < until) && self.introduce(byte, false)
        {
            return;
        }
        match byte {
            ESC => self.state = State::Esc { twice: false },
            0x00..=0x1f | 0x7f => out.push(Input::Key(control(byte, false))),
            0x20..=0x7e => out.push(Input::Key(Key::char(char::from(byte)))),
            _ => self.start_utf8(byte, false),
        }
    }

    /// Enters the sequence that `byte` opens behind an ESC; false when it opens none.
    fn introduce(&mut self, byte: u8, alt: bool) -> bool {
        self.state = match byte {
            b'[' => State::Csi {
                alt,
                csi: Csi::default(),
            },
            b']' | b'P' | b'_' | b'^' => State::Text {
                seen: 0,
                esc: false,
            },
            _ => return false,
        };
        true
    }

    fn after_esc(&mut self, byte: u8, twice: bool, now: Millis, out: &mut Vec<Input>) {
        // rxvt says Alt-Up as ESC ESC [ A, so a second ESC may be the Alt of a sequence.
        if self.introduce(byte, twice) {
            return;
        }
        if twice && byte != b'O' {
            out.push(bare(KeyCode::Esc));
        }
        match byte {
            b'O' => {
                self.state = State::Ss3 {
                    alt: twice,
                    modifier: 1,
                }
            }
            b'X' => {
                self.state = State::Text {
                    seen: 0,
                    esc: false,
                }
            }
            ESC => self.state = State::Esc { twice: true },
            CTRL_C => {
                out.push(bare(KeyCode::Esc));
                self.ground(byte, now, out);
            }
            0x00..=0x1f | 0x7f => out.push(Input::Key(control(byte, true))),
            0x20..=0x7e => out.push(Input::Key(Key::char(char::from(byte)).with_alt())),
            _ => self.start_utf8(byte, true),
        }
    }

    fn ss3(&mut self, byte: u8, alt: bool, modifier: u8, out: &mut Vec<Input>) {
        match byte {
            ESC => self.state = State::Esc { twice: false },
            b'0'..=b'9' => {
                self.state = State::Ss3 {
                    alt,
                    modifier: byte - b'0',
                }
            }
            b';' => self.state = State::Ss3 { alt, modifier },
            0x00..=0x1f | 0x7f => out.push(Input::Key(control(byte, false))),
            _ => out.extend(sequence::ss3_key(byte, u16::from(modifier), alt).map(Input::Key)),
        }
    }

    fn csi(&mut self, byte: u8, alt: bool, mut csi: Csi, out: &mut Vec<Input>) {
        match byte {
            ESC => self.state = State::Esc { twice: false },
            0x18 | 0x1a => {}
            0x00..=0x1f | 0x7f => out.push(Input::Key(control(byte, false))),
            0x80.. => self.start_utf8(byte, false),
            _ if csi.is_final(byte) => self.end_csi(byte, alt, &csi, out),
            _ => {
                csi.push(byte);
                self.state = State::Csi { alt, csi };
            }
        }
    }

    fn end_csi(&mut self, last: u8, alt: bool, csi: &Csi, out: &mut Vec<Input>) {
        match (csi.text(), last) {
            ("200", b'~') => self.state = State::Paste(Paste::default()),
            ("", b'M') => self.state = State::Skip(3),
            ("", b'I') => out.push(Input::Focus(true)),
            ("", b'O') => out.push(Input::Focus(false)),
            _ => out.extend(csi.key(last, alt).map(Input::Key)),
        }
    }

    fn skip(&mut self, byte: u8, left: u8, out: &mut Vec<Input>) {
        match byte {
            ESC => self.state = State::Esc { twice: false },
            CTRL_C => out.push(Input::Key(Key::ctrl('c'))),
            _ if left > 1 => self.state = State::Skip(left - 1),
            _ => {}
        }
    }

    fn text(&mut self, byte: u8, seen: usize, esc: bool, now: Millis, out: &mut Vec<Input>) {
        match byte {
            b'\\' if esc => {}
            0x07 | 0x18 | 0x1a => {}
            CTRL_C => out.push(Input::Key(Key::ctrl('c'))),
            ESC => self.state = State::Text { seen, esc: true },
            // ESC and anything else ends the string and opens the next sequence.
            _ if esc => self.after_esc(byte, false, now, out),
            _ => {
                self.state = State::Text {
                    seen: seen.saturating_add(1),
                    esc: false,
                }
            }
        }
    }

    fn start_utf8(&mut self, byte: u8, alt: bool) {
        let need = match byte {
            0xc2..=0xdf => 2,
            0xe0..=0xef => 3,
            0xf0..=0xf4 => 4,
            _ => return,
        };
        self.state = State::Utf8 {
            alt,
            bytes: [byte, 0, 0, 0],
            have: 1,
            need,
        };
    }

    fn utf8(
        &mut self,
        byte: u8,
        alt: bool,
        part: ([u8; 4], u8, u8),
        now: Millis,
        out: &mut Vec<Input>,
    ) {
        let (mut bytes, have, need) = part;
        if !(0x80..=0xbf).contains(&byte) {
            return self.ground(byte, now, out);
        }
        bytes[usize::from(have)] = byte;
        if have + 1 < need {
            self.state = State::Utf8 {
                alt,
                bytes,
                have: have + 1,
                need,
            };
            return;
        }
        let whole = std::str::from_utf8(&bytes[..usize::from(need)]).ok();
        let key = whole
            .and_then(|text| text.chars().next())
            .filter(|c| !c.is_control());
        out.extend(key.map(|c| {
            Input::Key(Key {
                alt,
                ..Key::char(c)
            })
        }));
    }

    fn paste(&mut self, byte: u8, mut paste: Paste, out: &mut Vec<Input>) {
        if paste.take(byte) {
            out.push(Input::Paste(paste.into_text()));
        } else {
            self.state = State::Paste(paste);
        }
    }
}

const fn bare(code: KeyCode) -> Input {
    Input::Key(Key::new(code))
}

/// The key of a control byte.
fn control(byte: u8, alt: bool) -> Key {
    let key = match byte {
        b'\r' => Key::new(KeyCode::Enter),
        b'\t' => Key::new(KeyCode::Tab),
        // Some terminals send ^H for Backspace; nothing of ours is bound to Control-H.
        0x08 | 0x7f => Key::new(KeyCode::Backspace),
        ESC => Key::new(KeyCode::Esc),
        0x00 => Key::ctrl(' '),
        // A line feed is Control-J, not Enter: the Enter key sends a return.
        _ => Key::ctrl(char::from(byte | 0x40).to_ascii_lowercase()),
    };
    Key { alt, ..key }
}
