//! The screen against a terminal emulator: what was drawn is what is shown, for the fewest bytes.

use std::num::NonZeroU16;

use proptest::prelude::*;
use ratatui::{
    buffer::Buffer,
    layout::Rect,
    style::{Color, Modifier, Style},
};
use wheelhouse::tui::screen::{Depth, Screen};

/// A screen and the terminal it is shown on.
struct Shown {
    screen: Screen,
    terminal: vt100::Parser,
    area: Rect,
}

impl Shown {
    fn new(depth: Depth, width: u16, height: u16) -> Self {
        let size = |n| NonZeroU16::new(n).unwrap();
        let terminal = vt100::Parser::new(size(height), size(width), 0);
        Self {
            screen: Screen::new(depth),
            terminal,
            area: Rect::new(0, 0, width, height),
        }
    }

    /// Draws, shows and returns the bytes that it took.
    fn frame(&mut self, draw: impl FnOnce(Rect, &mut Buffer)) -> String {
        let has_bytes = self.screen.frame(self.area, draw);
        let bytes = take(&mut self.screen);
        assert_eq!(has_bytes, !bytes.is_empty());
        self.terminal.process(bytes.as_bytes());
        bytes
    }
}

/// The pending bytes, as if the terminal had taken them.
fn take(screen: &mut Screen) -> String {
    let bytes = screen.pending().to_vec();
    screen.accept(bytes.len(), wheelhouse::tui::clock::Millis(0));
    String::from_utf8(bytes).unwrap()
}

fn text(s: &'static str) -> impl FnOnce(Rect, &mut Buffer) {
    move |_, buf| {
        buf.set_string(0, 0, s, Style::new());
    }
}

#[test]
fn an_unchanged_frame_costs_nothing() {
    let mut shown = Shown::new(Depth::Ansi16, 20, 3);
    assert_eq!(
        shown.frame(text("hello")),
        "\x1b[?2026h\x1b[0m\x1b[2J\x1b[Hhello\x1b[?2026l"
    );
    assert_eq!(shown.frame(text("hello")), "");
    assert_eq!(
        shown.frame(text("hallo")),
        "\x1b[?2026h\x1b[1;2Ha\x1b[?2026l"
    );
}

#[test]
fn while_bytes_wait_nothing_is_drawn_and_the_newest_state_wins() {
    let mut shown = Shown::new(Depth::Ansi16, 20, 3);
    shown.screen.frame(shown.area, text("one"));
    let waiting = shown.screen.pending().len();
    for _ in 0..1000 {
        assert!(
            !shown
                .screen
                .frame(shown.area, |_, _| panic!("drawn while bytes wait"))
        );
    }
    assert_eq!(shown.screen.pending().len(), waiting);
    let bytes = take(&mut shown.screen);
    shown.terminal.process(bytes.as_bytes());
    shown.frame(text("two"));
    assert_eq!(shown.terminal.screen().contents(), "two");
}

#[test]
fn an_invalidated_screen_is_painted_whole() {
    let mut shown = Shown::new(Depth::Ansi16, 20, 3);
    shown.frame(text("hello"));
    shown.terminal.process(b"\x1b[2;1Hstray");
    shown.screen.invalidate();
    assert!(shown.screen.needs_frame());
    shown.frame(text("hello"));
    assert_eq!(shown.terminal.screen().contents(), "hello");
    assert!(!shown.screen.needs_frame());
}

#[test]
fn a_stall_is_followed_by_one_whole_repaint_and_no_second() {
    use wheelhouse::tui::clock::Millis;
    let mut shown = Shown::new(Depth::Ansi16, 20, 3);
    shown.frame(text("hello"));
    shown.screen.frame(shown.area, text("world"));
    shown.screen.accept(1, Millis(0));
    shown.screen.accept(0, Millis(1000));
    shown.screen.accept(0, Millis(9000));
    let rest = shown.screen.pending().len();
    shown.screen.accept(rest, Millis(9001));
    assert!(
        shown.screen.needs_frame(),
        "a stalled terminal is not believed"
    );
    shown.screen.frame(shown.area, text("world"));
    assert!(
        shown
            .screen
            .pending()
            .windows(4)
            .any(|four| four == b"\x1b[2J")
    );
    shown.screen.accept(0, Millis(9002));
    shown.screen.accept(0, Millis(19_000));
    let rest = shown.screen.pending().len();
    shown.screen.accept(rest, Millis(19_001));
    assert!(
        !shown.screen.needs_frame(),
        "a slow reader would see repaints for ever"
    );
}

#[test]
fn no_colour_leaves_in_mono_and_sixteen_at_most_else() {
    let colourful = |_: Rect, buf: &mut Buffer| {
        let colours = [
            Color::Red,
            Color::White,
            Color::Indexed(4),
            Color::Indexed(200),
            Color::Rgb(1, 2, 3),
        ];
        for (x, colour) in (0..).zip(colours) {
            let style = Style::new().fg(colour).bg(colour).underline_color(colour);
            buf.set_string(x, 0, "x", style.add_modifier(Modifier::BOLD));
        }
    };
    let mono = Shown::new(Depth::Mono, 20, 3).frame(colourful);
    assert_eq!(
        mono,
        "\x1b[?2026h\x1b[0m\x1b[2J\x1b[H\x1b[1mxxxxx\x1b[0m\x1b[?2026l"
    );
    let sixteen = Shown::new(Depth::Ansi16, 20, 3).frame(colourful);
    assert!(
        sixteen.contains("\x1b[1;31;41mx\x1b[97;107mx\x1b[34;44mx\x1b[39;49mxx\x1b[0m"),
        "{sixteen:?}"
    );
    for code in ["38;", "48;", "58;"] {
        assert!(!sixteen.contains(code));
    }
}

#[test]
fn a_cell_cannot_command_the_terminal() {
    let mut shown = Shown::new(Depth::Ansi16, 20, 3);
    let bytes = shown.frame(|_, buf| {
        for (x, evil) in (0..).zip(["\x1b]52;c;eQ==\x07", "\u{9b}2J", "\r\n", ""]) {
            buf[(x, 0)].set_symbol(evil);
        }
    });
    assert!(bytes.contains("????"), "{bytes:?}");
    assert!(!bytes.contains("52;") && !bytes.contains('\u{9b}') && !bytes.contains('\n'));
}

#[test]
fn t07_every_size_is_drawn_and_a_change_repaints_whole() {
    let mut screen = Screen::new(Depth::Ansi16);
    for (width, height) in [
        (0, 0),
        (1, 1),
        (20, 5),
        (500, 200),
        (0, 7),
        (7, 0),
        (80, 24),
    ] {
        let area = Rect::new(0, 0, width, height);
        screen.frame(area, |area, buf| {
            buf.set_style(area, Style::new().fg(Color::Red));
            for y in 0..height {
                buf.set_stringn(0, y, "漢字 wide", usize::from(width), Style::new());
            }
        });
        let bytes = take(&mut screen);
        assert!(
            bytes.contains("\x1b[2J") && bytes.ends_with("\x1b[?2026l"),
            "{width}x{height}"
        );
    }
}

/// What a frame puts where.
#[derive(Clone, Debug)]
struct Put {
    x: u16,
    y: u16,
    text: String,
    style: Style,
}

fn any_put() -> impl Strategy<Value = Put> {
    let colours = vec![
        Color::Reset,
        Color::Red,
        Color::LightBlue,
        Color::Indexed(3),
        Color::DarkGray,
    ];
    let colour = proptest::sample::select(colours);
    let texts = proptest::sample::select(vec![
        "a",
        "hello",
        "漢字",
        "é",
        "│─┐",
        "x漢",
        "   ",
        "e\u{301}",
        "ﾊ",
    ]);
    let bits = proptest::sample::select(vec![
        Modifier::empty(),
        Modifier::BOLD,
        Modifier::DIM,
        Modifier::REVERSED,
        Modifier::UNDERLINED,
    ]);
    (
        0..12_u16,
        0..4_u16,
        texts,
        colour.clone(),
        colour,
        bits.clone(),
        bits,
    )
        .prop_map(|(x, y, text, fg, bg, one, two)| {
            let style = Style::new().fg(fg).bg(bg).add_modifier(one | two);
            Put {
                x,
                y,
                text: text.to_owned(),
                style,
            }
        })
}

proptest! {
    #[test]
    fn what_was_drawn_is_what_is_shown(frames in proptest::collection::vec(proptest::collection::vec(any_put(), 0..8), 1..6)) {
        let mut shown = Shown::new(Depth::Ansi16, 12, 4);
        let draw = |puts: &[Put], buf: &mut Buffer| {
            for put in puts {
                buf.set_string(put.x, put.y, &put.text, put.style);
            }
        };
        for puts in &frames {
            shown.frame(|_, buf| draw(puts, buf));
        }
        // The last frame, painted alone on a new terminal, looks the same.
        let mut alone = Shown::new(Depth::Ansi16, 12, 4);
        alone.frame(|_, buf| draw(&frames[frames.len() - 1], buf));
        for (x, y) in (0..12).flat_map(|x| (0..4).map(move |y| (x, y))) {
            let (after, once) = (shown.terminal.screen().cell(y, x), alone.terminal.screen().cell(y, x));
            let look = |cell: Option<&vt100::Cell>| cell.map(|c| {
                let symbol = if c.has_contents() { c.contents().to_owned() } else { " ".to_owned() };
                (symbol, c.fgcolor(), c.bgcolor(), c.bold(), c.dim(), c.underline(), c.inverse(), c.is_wide())
            });
            prop_assert_eq!(look(after), look(once), "at {},{}", x, y);
        }
    }
}
