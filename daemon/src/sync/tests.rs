//! The engine and the ingest against a sandbox Discord in the same process.

mod delivery;
mod freeze;
mod gap;
mod gateway;
mod histories;
mod order;
mod origins;
mod rejoin;
mod seams;
mod trouble;
mod undo;
