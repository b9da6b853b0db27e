//! What the daemon and its front ends share: one definition of every operation, the values in them, the
//! faults and reports that come back, and the control protocol between the processes.
//!
//! Nothing in this crate knows serenity, rusqlite or ratatui. A new operation starts in [`mod@operations`].

pub mod client;
pub mod control;
pub mod event;
pub mod fault;
pub mod grammar;
pub mod names;
pub mod operation;
pub mod operations;
pub mod paths;
pub mod redaction;
pub mod report;
pub mod streams;
pub mod value;

pub use fault::{Fault, FaultKind};
pub use names::Names;
pub use operation::{Authority, Definition, Effect, Operation, Surfaces};
pub use operations::{Reply, Request};
pub use report::Report;
