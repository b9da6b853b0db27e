//! The engine and the ingest against a sandbox Discord in the same process.

mod actions;
mod bulk;
mod delivery;
mod freeze;
mod gap;
mod gateway;
mod histories;
mod kicks;
mod order;
mod origins;
mod protected;
mod rejoin;
mod seams;
mod trouble;
mod undo;
