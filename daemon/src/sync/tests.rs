//! The engine and the ingest against a sandbox Discord in the same process.

mod delivery;
mod gateway;
mod histories;
mod origins;
mod undo;
