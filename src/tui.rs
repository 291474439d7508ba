//! The terminal: device, guard, input and screen; the only module that touches the tty.

pub mod clock;
pub mod guard;
pub mod input;
pub mod screen;
pub mod tty;
