//! Wheelhouse: a terminal cockpit for releases.

pub mod app;
pub mod demo;
pub mod tui;
