//! The engine and the ingest against a sandbox Discord in the same process.

mod delivery;
mod freeze;
mod gateway;
mod histories;
mod origins;
mod trouble;
mod undo;
