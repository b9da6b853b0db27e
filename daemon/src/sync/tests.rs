//! The engine and the ingest against a sandbox Discord in the same process.

mod bulk;
mod delivery;
mod freeze;
mod gap;
mod gateway;
mod histories;
mod order;
mod origins;
mod seams;
mod trouble;
mod undo;
