//! The engine and the ingest against a sandbox Discord in the same process.

mod delivery;
mod gap;
mod gateway;
mod order;
mod origins;
mod undo;
