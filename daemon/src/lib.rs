//! wayhavend: the Discord bot, the sync engine, the store and the control socket.
//!
//! `ARCHITECTURE.md` maps the modules; [`daemon`] wires them together.

pub mod clock;
pub mod control;
pub mod daemon;
pub mod direct;
pub mod discord;
pub mod doctor;
#[cfg(test)]
mod failpoint;
pub mod handlers;
pub mod invocation;
pub mod jobs;
pub mod lists;
mod lock;
pub mod log;
pub mod network;
pub mod notices;
pub mod pipeline;
pub mod reconcile;
pub mod reload;
mod restart;
pub mod schedule;
pub mod settings;
pub mod startup;
pub mod store;
pub mod sync;
#[cfg(test)]
mod testing;

pub use startup::main;
