//! Wheelhouse: a terminal cockpit for releases.

pub mod clients;
pub mod demo;
pub mod estate;
pub mod sources;
