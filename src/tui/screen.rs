//! What the terminal shows: two buffers and the bytes between them.
//!
//! A frame is the difference to what was last sent, in one write. While the terminal has not taken
//! a frame there is no next one: frames are dropped, not queued, so that the newest state wins and
//! memory stays flat however slowly somebody reads.

mod encode;

use ratatui::{
    buffer::{Buffer, CellWidth},
    layout::Rect,
    style::Color,
};

use super::{
    clock::Millis,
    tty::{HangUp, Tty},
};

/// How long a terminal takes no byte, in milliseconds, before its screen is not believed.
const STALL: u64 = 2000;

/// Stands in `shown` for the covered half of a wide character; a private character of one column.
const HALF: &str = "\u{e000}";

/// How many colours may leave.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Depth {
    /// None: attributes only.
    Mono,
    /// The sixteen names.
    Ansi16,
}

/// The screen, and the bytes on their way to it.
#[derive(Debug)]
pub struct Screen {
    depth: Depth,
    /// What the terminal shows once it has taken everything pending.
    shown: Buffer,
    next: Buffer,
    /// The cells of `next` that wide characters cover, from the second on.
    halves: Vec<usize>,
    is_stale: bool,
    /// Leads the next frame: what switches the terminal over.
    prologue: Vec<u8>,
    pending: Vec<u8>,
    sent: usize,
    progress: Option<Millis>,
    has_stalled: bool,
    is_repair: bool,
}

impl Screen {
    /// A screen of which nothing is known; its first frame paints all.
    #[must_use]
    pub fn new(depth: Depth) -> Self {
        Self {
            depth,
            shown: Buffer::empty(Rect::ZERO),
            next: Buffer::empty(Rect::ZERO),
            halves: Vec::new(),
            is_stale: true,
            prologue: Vec::new(),
            pending: Vec::new(),
            sent: 0,
            progress: None,
            has_stalled: false,
            is_repair: false,
        }
    }

    /// Forgets what the terminal shows: the next frame paints all.
    pub fn invalidate(&mut self) {
        self.is_stale = true;
    }

    /// Whether the next frame has to be drawn even if the state did not change.
    #[must_use]
    pub const fn needs_frame(&self) -> bool {
        self.is_stale
    }

    /// Whether bytes wait for the terminal; then [`Screen::frame`] draws nothing.
    #[must_use]
    pub const fn is_pending(&self) -> bool {
        self.sent < self.pending.len()
    }

    /// Starts over on a terminal that was just entered: drops what waited, and sends `prologue`
    /// with the next frame.
    pub(super) fn restart(&mut self, prologue: Vec<u8>) {
        *self = Self {
            prologue,
            ..Self::new(self.depth)
        };
    }

    /// Draws a frame of `area` and makes its bytes pending. False when there was nothing to send,
    /// or when `draw` was not called because the last frame still waits: keep the state dirty.
    pub fn frame(&mut self, area: Rect, draw: impl FnOnce(Rect, &mut Buffer)) -> bool {
        if self.is_pending() {
            return false;
        }
        if area != self.next.area {
            self.shown = Buffer::empty(area);
            self.next = Buffer::empty(area);
            self.is_stale = true;
        }
        self.next.reset();
        draw(area, &mut self.next);
        self.filter();
        self.encode();
        self.is_pending()
    }

    /// Sends `bytes` that draw nothing (a clipboard's), behind what waits.
    pub fn send(&mut self, bytes: &[u8]) {
        self.pending.drain(..self.sent);
        self.sent = 0;
        self.pending.extend_from_slice(bytes);
    }

    /// Gives the terminal what waits, as much as it takes. True when nothing waits any more.
    ///
    /// # Errors
    /// [`HangUp`] when the terminal is gone.
    pub fn flush(&mut self, tty: &Tty, now: Millis) -> Result<bool, HangUp> {
        while self.is_pending() {
            let written = tty.write(self.pending())?;
            self.accept(written, now);
            if written == 0 {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Notes that the terminal took so many of the bytes that wait; 0 when it had no room.
    pub fn accept(&mut self, bytes: usize, now: Millis) {
        let waits_since = *self.progress.get_or_insert(now);
        if bytes == 0 {
            self.has_stalled |= now.since(waits_since) >= STALL;
            return;
        }
        self.progress = Some(now);
        self.sent = self.pending.len().min(self.sent.saturating_add(bytes));
        if !self.is_pending() {
            self.drained();
        }
    }

    /// The bytes that wait: what a frame costs.
    #[must_use]
    pub fn pending(&self) -> &[u8] {
        &self.pending[self.sent..]
    }

    fn drained(&mut self) {
        self.pending.clear();
        self.sent = 0;
        self.progress = None;
        // A repaint that stalls again is not repeated, or a very slow reader would never see its end.
        let repair = std::mem::take(&mut self.has_stalled) && !self.is_repair;
        self.is_stale |= repair;
        self.is_repair = repair;
    }

    /// The last filter, whatever a view asked for: no other colour leaves, nothing commands the
    /// terminal, and no wide character reaches over what was drawn on its second half.
    fn filter(&mut self) {
        let width = usize::from(self.next.area.width);
        self.halves.clear();
        for i in 0..self.next.content.len() {
            let cell = &mut self.next.content[i];
            cell.fg = self.depth.keep(cell.fg);
            cell.bg = self.depth.keep(cell.bg);
            cell.underline_color = Color::Reset;
            if let [b' '..=b'~'] = cell.symbol().as_bytes() {
                continue;
            }
            if cell.symbol().is_empty() || cell.symbol().chars().any(char::is_control) {
                cell.set_symbol("?");
            }
            let others = 1..usize::from(cell.cell_width());
            let is_whole = |half: usize| {
                i % width + half < width && self.next.content[i + half].symbol() == " "
            };
            if others.clone().all(is_whole) {
                self.halves.extend(others.map(|half| i + half));
            } else {
                self.next.content[i].set_symbol(" ");
            }
        }
    }

    fn encode(&mut self) {
        let whole = std::mem::take(&mut self.is_stale);
        if whole {
            self.shown.reset();
        }
        self.pending.clear();
        self.sent = 0;
        self.pending.append(&mut self.prologue);
        encode::frame(&mut self.pending, whole, self.shown.diff_iter(&self.next));
        std::mem::swap(&mut self.shown, &mut self.next);
        // What a terminal leaves on the other half of a wide character that it overwrites, each
        // decides by itself: equal to nothing, so that it is painted when it comes to light.
        for &half in &self.halves {
            self.shown.content[half].set_symbol(HALF);
        }
    }
}

impl Depth {
    const fn keep(self, colour: Color) -> Color {
        match (self, colour) {
            (Self::Mono, _) | (Self::Ansi16, Color::Rgb(..) | Color::Indexed(16..)) => Color::Reset,
            (Self::Ansi16, named) => named,
        }
    }
}
