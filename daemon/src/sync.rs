//! The sync engine: from a punishment to every child, durably.
//!
//! `plan` says what would be delivered where; `record` stores a punishment with its deliveries in one
//! transaction; `engine` keeps one `lane` per guild and sends; `attempt` is one request and what follows from its
//! answer; a `batch` is what leaves together in one request; `ingest` turns what people do in Discord's own UI into
//! punishments, and `gap` finds what it was not told; `revert` takes punishments back, `alone` what stood by itself in one child, `closing` what went along a link,
//! `overrides` decides when a child does, and `exceptions` what applies again when it does so no more; `desired` is what is
//! wanted of one user in one guild; `containment` holds what somebody has to approve.

pub mod alone;
pub mod attempt;
mod batch;
pub mod closing;
pub mod containment;
pub mod desired;
pub mod engine;
pub mod exceptions;
pub mod foresight;
pub mod gap;
pub mod holders;
pub mod ingest;
mod lane;
pub mod overrides;
pub mod plan;
pub mod record;
pub mod revert;
pub mod unread;

pub use engine::Engine;

#[cfg(test)]
mod tests;
