//! The operator console.
//!
//! [`app::App`] is the whole state and does no input or output: [`session`] feeds it keys, time and what
//! [`feed`] brings from the daemon, carries out its orders, and has [`view`] draw it. [`terminal`] owns the
//! terminal and gives it back on every way out.

mod app;
mod dialog;
mod editor;
mod feed;
mod input;
mod keymap;
mod list;
mod messages;
mod model;
#[cfg(test)]
mod operator;
mod palette;
mod pane;
#[cfg(test)]
mod samples;
mod screens;
mod session;
mod terminal;
mod theme;
mod view;

pub use session::DEMO_VARIABLE;
pub(crate) use session::main;
