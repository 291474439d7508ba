//! Wheelhouse: a terminal cockpit for releases.

pub mod app;
pub mod cli;
pub mod clients;
pub mod config;
pub mod demo;
pub mod estate;
pub mod sources;
pub mod tui;
pub mod ui;
