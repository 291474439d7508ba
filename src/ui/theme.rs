//! Marks, borders and styles. Status is mark + word + colour, never colour alone; loud is rare.

use ratatui::style::{Color, Modifier, Style};

use crate::app::{Look, State};
use crate::estate::Tier;

/// What a stretch of text is, for the eye.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// As it comes.
    Plain,
    /// Ages, borders, what is stale.
    Dim,
    /// A title.
    Title,
    /// The focused panel's title.
    Focus,
    /// The first colour of the switch.
    First,
    /// The second.
    Second,
    /// What needs a person.
    Bad,
    /// What may need one soon.
    Warn,
    /// A badge: PROD, DEMO.
    Badge,
}

/// A mark and what it stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mark {
    /// OK.
    Ok,
    /// BAD.
    Bad,
    /// Look here.
    Look,
    /// UNKNOWN or stale.
    Unknown,
    /// Waiting or pending.
    Waiting,
    /// Live.
    Live,
    /// Idle.
    Idle,
    /// Restarts.
    Restarts,
    /// Cut off.
    More,
    /// Between two things of a list; skipped because unchanged.
    Dot,
    /// Under way.
    Running,
    /// Waits for approval.
    Approval,
    /// Silenced.
    Silenced,
}

/// Where lines of a border meet.
#[derive(Clone, Copy, Debug)]
pub struct Borders {
    /// Corners: top left, top right, bottom left, bottom right.
    pub corners: [&'static str; 4],
    /// The outer lines: across, down.
    pub outer: [&'static str; 2],
    /// The inner lines: across, down.
    pub inner: [&'static str; 2],
    /// An inner line meets the frame: left, right.
    pub sides: [&'static str; 2],
    /// An inner line down begins, ends.
    pub tees: [&'static str; 2],
    /// An inner line across leaves an inner line down: to the right, to the left.
    pub joins: [&'static str; 2],
    /// Both.
    pub cross: &'static str,
}

/// How things look for this state.
#[derive(Clone, Copy, Debug)]
pub struct Theme {
    look: Look,
    tier: Tier,
}

impl Theme {
    /// The theme of the environment on the screen.
    pub fn of(state: &State) -> Self {
        Self {
            look: state.look,
            tier: state.estate().tier(),
        }
    }

    /// The style of `role`: 16 ANSI names on the terminal's own background.
    pub fn style(&self, role: Role) -> Style {
        let plain = Style::new();
        let bold = plain.add_modifier(Modifier::BOLD);
        let coloured = |colour| {
            if self.look.mono {
                bold
            } else {
                bold.fg(colour)
            }
        };
        match role {
            Role::Plain => plain,
            Role::Dim => plain.add_modifier(Modifier::DIM),
            Role::Title => plain,
            Role::Focus => bold.add_modifier(Modifier::UNDERLINED),
            Role::First => coloured(Color::LightBlue),
            Role::Second => coloured(Color::LightGreen),
            Role::Bad => coloured(Color::LightRed),
            Role::Warn => coloured(Color::Yellow),
            Role::Badge => coloured(Color::LightRed).add_modifier(Modifier::REVERSED),
        }
    }

    /// Whether only ASCII may be drawn.
    pub fn is_ascii(&self) -> bool {
        self.look.ascii
    }

    /// The mark as this terminal can draw it.
    pub fn mark(&self, mark: Mark) -> &'static str {
        let [glyph, ascii] = match mark {
            Mark::Ok => ["✓", "+"],
            Mark::Bad => ["✗", "x"],
            Mark::Look => ["!", "!"],
            Mark::Unknown => ["?", "?"],
            Mark::Waiting => ["…", "."],
            Mark::Live => ["●", "*"],
            Mark::Idle => ["○", "o"],
            Mark::Restarts => ["↺", "r"],
            Mark::More => ["…", "~"],
            Mark::Dot => ["·", "-"],
            Mark::Running => ["▶", ">"],
            Mark::Approval => ["‖", "|"],
            Mark::Silenced => ["z", "z"],
        };
        if self.look.ascii { ascii } else { glyph }
    }

    /// The role of a mark.
    pub fn role(mark: Mark) -> Role {
        match mark {
            Mark::Bad => Role::Bad,
            Mark::Look | Mark::Unknown => Role::Warn,
            _ => Role::Plain,
        }
    }

    /// The frame: double in production, so that it is unmistakable without colour.
    pub fn borders(&self) -> Borders {
        match (self.look.ascii, self.tier) {
            (false, Tier::Production) => Borders {
                corners: ["╔", "╗", "╚", "╝"],
                outer: ["═", "║"],
                inner: ["─", "│"],
                sides: ["╟", "╢"],
                tees: ["┬", "┴"],
                joins: ["├", "┤"],
                cross: "┼",
            },
            (false, _) => Borders {
                corners: ["┌", "┐", "└", "┘"],
                outer: ["─", "│"],
                inner: ["─", "│"],
                sides: ["├", "┤"],
                tees: ["┬", "┴"],
                joins: ["├", "┤"],
                cross: "┼",
            },
            (true, Tier::Production) => Borders {
                corners: ["#", "#", "#", "#"],
                outer: ["=", "#"],
                inner: ["-", "|"],
                sides: ["#", "#"],
                tees: ["+", "+"],
                joins: ["+", "+"],
                cross: "+",
            },
            (true, _) => Borders {
                corners: ["+", "+", "+", "+"],
                outer: ["-", "|"],
                inner: ["-", "|"],
                sides: ["+", "+"],
                tees: ["+", "+"],
                joins: ["+", "+"],
                cross: "+",
            },
        }
    }
}

/// The role of a colour's name, by its place in the switch.
pub fn colour_role(colour: usize) -> Role {
    if colour == 0 {
        Role::First
    } else {
        Role::Second
    }
}
