//! What a finished CSI or SS3 sequence means as a key, in the dialects of xterm, rxvt, the Linux
//! console and kitty. See <https://invisible-island.net/xterm/ctlseqs/ctlseqs.html> and
//! <https://sw.kovidgoyal.net/kitty/keyboard-protocol/>. What is not known is no key.

use crate::app::key::{Key, KeyCode};

/// The longest sequence whose text is kept; a longer one is swallowed to its end and means nothing.
const LIMIT: usize = 64;

/// The part of a CSI between `ESC [` and its final byte.
#[derive(Clone, Debug, Default)]
pub(super) struct Csi {
    text: String,
    too_long: bool,
}

impl Csi {
    pub(super) fn push(&mut self, byte: u8) {
        if self.text.len() < LIMIT {
            self.text.push(char::from(byte));
        } else {
            self.too_long = true;
        }
    }

    /// Parameters and intermediates.
    pub(super) fn text(&self) -> &str {
        &self.text
    }

    /// Whether `byte` ends the sequence.
    pub(super) fn is_final(&self, byte: u8) -> bool {
        match byte {
            // The Linux console says F1 to F5 as CSI [ A to E.
            b'[' => !self.text.is_empty(),
            // rxvt ends Shift-Delete with a dollar sign: CSI 3 $. Elsewhere it is an intermediate.
            b'$' => !self.text.is_empty() && self.text.bytes().all(|b| b.is_ascii_digit()),
            _ => (0x40..=0x7e).contains(&byte),
        }
    }

    /// The key that the sequence says with `last` as its final byte; none for answers to queries,
    /// mouse reports, key releases and what is unknown.
    pub(super) fn key(&self, last: u8, alt: bool) -> Option<Key> {
        if self.too_long {
            return None;
        }
        if self.text == "[" {
            return matches!(last, b'A'..=b'E').then(|| Key {
                alt,
                ..Key::new(KeyCode::F(last - b'@'))
            });
        }
        let params = Params::read(&self.text)?;
        let number = params.get(0);
        match last {
            b'u' => kitty(number, params.shifted(), params.modifier(1)?),
            b'~' if number == 27 => kitty(params.get(2), 0, params.modifier(1)?),
            b'~' => with_modifier(tilde(number)?, params.modifier(1)?),
            b'$' | b'^' | b'@' => with_modifier(tilde(number)?, rxvt_modifier(last)),
            b'a'..=b'd' if params.is_empty() => with_modifier(arrow(last)?, 2),
            // CSI R is F3 or the answer where the cursor is: an answer must be no key.
            b'R' => None,
            _ if number <= 1 => with_modifier(letter(last)?, params.modifier(1)?),
            _ => None,
        }
        .map(|key| Key {
            alt: key.alt || alt,
            ..key
        })
    }
}

/// The key of `ESC O` and `last`.
pub(super) fn ss3_key(last: u8, modifier: u16, alt: bool) -> Option<Key> {
    let code = match last {
        b'a'..=b'd' => return with_modifier(arrow(last)?, 5).map(|key| Key { alt, ..key }),
        b'R' => KeyCode::F(3),
        b'M' => KeyCode::Enter,
        b'I' => KeyCode::Tab,
        b'X' => KeyCode::Char('='),
        // The keypad in application mode: `j` is `*` and so on to `y`, the 9.
        b'j'..=b'y' => KeyCode::Char(char::from(last - 0x40)),
        _ => letter(last)?,
    };
    with_modifier(code, modifier).map(|key| Key {
        alt: key.alt || alt,
        ..key
    })
}

/// Numbers between `;`, each with its parts between `:`.
struct Params<'a>(&'a str);

impl<'a> Params<'a> {
    /// None when there are private marks or intermediates: no key has them.
    fn read(text: &'a str) -> Option<Self> {
        text.bytes()
            .all(|b| matches!(b, b'0'..=b'9' | b';' | b':'))
            .then_some(Self(text))
    }

    fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The part `part` of the parameter `index`; 0 when it is not there.
    fn part(&self, index: usize, part: usize) -> u32 {
        let param = self.0.split(';').nth(index).unwrap_or_default();
        param
            .split(':')
            .nth(part)
            .and_then(|n| n.parse().ok())
            .unwrap_or(0)
    }

    fn get(&self, index: usize) -> u32 {
        self.part(index, 0)
    }

    /// What kitty says the key gives with Shift.
    fn shifted(&self) -> u32 {
        self.part(0, 1)
    }

    /// The modifier in the parameter `index`; none when the event is a release.
    fn modifier(&self, index: usize) -> Option<u16> {
        const RELEASE: u32 = 3;
        let modifier = u16::try_from(self.get(index)).unwrap_or(u16::MAX);
        (self.part(index, 1) != RELEASE).then_some(modifier)
    }
}

/// xterm's modifier is one more than the bits Shift, Alt, Control; with any further one (Super,
/// Hyper, Meta) it is a key of the desktop, not ours. Caps and Num lock (64, 128) are no matter.
fn with_modifier(code: KeyCode, modifier: u16) -> Option<Key> {
    let bits = modifier.saturating_sub(1);
    if bits & !(1 | 2 | 4 | 64 | 128) != 0 {
        return None;
    }
    let key = Key {
        code,
        shift: bits & 1 != 0,
        alt: bits & 2 != 0,
        ctrl: bits & 4 != 0,
    };
    Some(key.canonical())
}

const fn rxvt_modifier(last: u8) -> u16 {
    match last {
        b'$' => 2,
        b'^' => 5,
        _ => 6,
    }
}

fn arrow(last: u8) -> Option<KeyCode> {
    letter(last.to_ascii_uppercase())
}

const fn letter(last: u8) -> Option<KeyCode> {
    Some(match last {
        b'A' => KeyCode::Up,
        b'B' => KeyCode::Down,
        b'C' => KeyCode::Right,
        b'D' => KeyCode::Left,
        b'F' => KeyCode::End,
        b'H' => KeyCode::Home,
        b'P' => KeyCode::F(1),
        b'Q' => KeyCode::F(2),
        b'S' => KeyCode::F(4),
        b'Z' => KeyCode::BackTab,
        _ => return None,
    })
}

const fn tilde(number: u32) -> Option<KeyCode> {
    Some(match number {
        1 | 7 => KeyCode::Home,
        2 => KeyCode::Insert,
        3 => KeyCode::Delete,
        4 | 8 => KeyCode::End,
        5 => KeyCode::PageUp,
        6 => KeyCode::PageDown,
        // The numbers have gaps where the VT220 keyboard had none.
        11..=15 => KeyCode::F((number - 10) as u8),
        17..=21 => KeyCode::F((number - 11) as u8),
        23..=26 => KeyCode::F((number - 12) as u8),
        28 | 29 => KeyCode::F((number - 13) as u8),
        31..=34 => KeyCode::F((number - 14) as u8),
        _ => return None,
    })
}

/// A key by its code point, as kitty and xterm's modifyOtherKeys say it.
fn kitty(code: u32, shifted: u32, modifier: u16) -> Option<Key> {
    let code = match code {
        9 => KeyCode::Tab,
        13 | 57414 => KeyCode::Enter,
        27 => KeyCode::Esc,
        8 | 127 => KeyCode::Backspace,
        57399..=57408 => KeyCode::Char(char::from_digit(code - 57399, 10)?),
        57417 => KeyCode::Left,
        57418 => KeyCode::Right,
        57419 => KeyCode::Up,
        57420 => KeyCode::Down,
        57421 => KeyCode::PageUp,
        57422 => KeyCode::PageDown,
        57423 => KeyCode::Home,
        57424 => KeyCode::End,
        57425 => KeyCode::Insert,
        57426 => KeyCode::Delete,
        // The rest of the private range: lock keys, media keys, modifiers alone.
        57344..=63743 => return None,
        _ => KeyCode::Char(char::from_u32(code).filter(|c| !c.is_control())?),
    };
    let key = with_modifier(code, modifier)?;
    match char::from_u32(shifted) {
        Some(c) if shifted != 0 && key.shift && !key.ctrl && !c.is_control() => Some(Key {
            code: KeyCode::Char(c),
            shift: false,
            ..key
        }),
        _ => Some(key),
    }
}
