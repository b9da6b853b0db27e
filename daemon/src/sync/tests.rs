//! The engine and the ingest against a sandbox Discord in the same process.

mod delivery;
mod freeze;
mod gap;
mod gateway;
mod hand;
mod histories;
mod order;
mod origins;
mod others;
mod provenance;
mod seams;
mod trouble;
mod undo;
