//! wayhavend: the Discord bot, the sync engine, the store and the control socket.
//!
//! `ARCHITECTURE.md` maps the modules; [`daemon`] wires them together.

pub mod alerts;
pub mod audit;
pub mod clock;
mod commands;
pub mod control;
pub mod daemon;
pub mod direct;
pub mod discord;
mod disk;
pub mod doctor;
mod drill;
#[cfg(test)]
mod failpoint;
pub mod handlers;
mod health;
pub mod invocation;
pub mod jobs;
pub mod lists;
mod lock;
pub mod log;
pub mod names;
pub mod network;
pub mod notices;
pub mod operators;
pub mod pipeline;
pub mod reconcile;
pub mod reload;
mod restart;
pub mod schedule;
pub mod secrets;
pub mod settings;
mod startup;
pub mod store;
pub mod sync;
#[cfg(test)]
mod testing;

pub use commands::{command, main};
