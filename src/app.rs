//! What the screen knows and what a key means: pure data and one fold.

pub mod key;
