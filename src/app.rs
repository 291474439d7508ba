//! What the cockpit is and how it answers: one owned state, one function that folds every event into
//! it, one table of keys and commands. Pure: no clock, no I/O, no terminal.

pub mod action;
pub mod acts;
pub mod approvals;
pub mod bell;
pub mod chart;
pub mod command;
pub mod confirm;
pub mod dialog;
pub mod edit;
pub mod event;
pub mod facts;
pub mod filter;
pub mod key;
pub mod keymap;
pub mod lists;
pub mod logs;
mod note;
pub mod operate;
pub mod operations;
pub mod palette;
pub mod plan;
pub mod reviews;
pub mod rows;
pub mod state;
pub mod update;
pub mod view;
pub mod write;

pub use action::Action;
pub use command::Command;
pub use confirm::{Ask, Confirm};
pub use dialog::{Dialog, Sheet};
pub use event::Event;
pub use facts::Facts;
pub use key::{Key, KeyCode};
pub use keymap::{Binding, Context, Keymap};
pub use note::{Gap, gaps};
pub use operations::Operations;
pub use plan::Plan;
pub use state::{Demo, Environment, Look, Notice, Overlay, Panel, Picks, Setup, State};
pub use update::{settle, update};
pub use view::{Item, Level, View};
pub use write::{Access, Permit};
