//! wayhavend: the Discord bot, the sync engine, the store and the control socket.
//!
//! `ARCHITECTURE.md` maps the modules; [`systems`] wires them together.

pub mod alerts;
pub mod attachment;
pub mod audit;
mod authority;
mod backoff;
pub mod clock;
mod commands;
mod context;
pub mod delivery;
pub mod direct;
pub mod discord;
mod disk;
pub mod doctor;
#[cfg(test)]
mod failpoint;
pub mod handlers;
mod health;
pub mod invocation;
pub mod jobs;
pub mod lifecycle;
pub mod lists;
mod lock;
pub mod log;
pub mod names;
pub mod network;
pub mod notices;
pub mod operators;
mod pages;
pub mod pipeline;
pub mod reconcile;
pub mod reload;
mod restart;
pub mod secrets;
pub mod services;
pub mod settings;
mod startup;
pub mod store;
pub mod surfaces;
pub mod sync;
pub mod systems;
pub mod tasks;
#[cfg(test)]
mod testing;
pub mod uploads;

pub use commands::{command, main};
