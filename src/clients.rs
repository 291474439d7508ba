//! The only place that names the network crates: what is asked of the world, and what is understood.
//!
//! Values in, values out: no task is spawned here, nothing is retried but a refused credential, and
//! every error is a [`Fault`](crate::estate::Fault) in words.

pub mod alertmanager;
pub mod demo;
pub mod github;
pub mod helm;
pub mod http;
pub mod kubernetes;
#[cfg(test)]
mod made_up;
pub(crate) mod mask;
pub mod program;
pub mod prometheus;

mod secret;
