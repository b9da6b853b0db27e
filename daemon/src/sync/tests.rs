//! The engine and the ingest against a sandbox Discord in the same process.

mod amend;
mod closing;
mod delivery;
mod freeze;
mod gap;
mod gateway;
mod histories;
mod order;
mod origins;
mod overrides;
mod revert;
mod seams;
mod trouble;
mod undo;
