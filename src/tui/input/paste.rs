//! The text between the marks of a bracketed paste, and the search for its end.

use std::mem;

use super::{CTRL_C, ESC};

/// The most bytes of a paste that are kept; the rest is swallowed.
pub const PASTE_LIMIT: usize = 64 * 1024;
const END: &[u8] = b"\x1b[201~";

/// A paste that has begun.
#[derive(Clone, Debug, Default)]
pub(super) struct Paste {
    bytes: Vec<u8>,
    /// How much of [`END`] the last bytes match.
    matched: usize,
    ctrl_c: bool,
}

impl Paste {
    /// Takes a byte; true when it completed the end mark.
    pub(super) fn take(&mut self, byte: u8) -> bool {
        if byte == END[self.matched] {
            self.matched += 1;
            return self.matched == END.len();
        }
        // What looked like the end mark was text. Only its first byte is an ESC, so no shorter
        // match can hide in it but one that starts with this very byte.
        let matched = mem::take(&mut self.matched);
        END[..matched].iter().for_each(|&b| self.keep(b));
        if byte == ESC {
            self.matched = 1;
        } else {
            self.keep(byte);
        }
        false
    }

    /// Whether a Ctrl-C is in it: not heard, unless the paste never ends.
    pub(super) const fn has_ctrl_c(&self) -> bool {
        self.ctrl_c
    }

    fn keep(&mut self, byte: u8) {
        self.ctrl_c |= byte == CTRL_C;
        if self.bytes.len() < PASTE_LIMIT {
            self.bytes.push(byte);
        }
    }

    pub(super) fn into_text(self) -> String {
        self.bytes
            .utf8_chunks()
            .map(|chunk| chunk.valid())
            .collect()
    }
}
