//! Wheelhouse: a terminal cockpit for releases.

pub mod app;
pub mod config;
pub mod demo;
pub mod estate;
pub mod tui;
pub mod ui;
