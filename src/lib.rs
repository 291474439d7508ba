//! Wheelhouse: a terminal cockpit for releases.

pub mod demo;
pub mod estate;
