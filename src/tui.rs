//! The terminal and the loop: device, guard, input and screen, and the only place that performs a
//! [`Command`](crate::app::Command).

pub mod act;
pub mod clock;
pub mod guard;
pub mod input;
mod journal;
mod pace;
pub mod run;
pub mod screen;
pub mod tasks;
pub mod tty;
mod worker;

pub use run::{Ending, run};
pub use tasks::{Outside, Wire};
