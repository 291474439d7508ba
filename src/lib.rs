//! Wheelhouse: a terminal cockpit for releases.

pub mod config;
pub mod demo;
