//! The engine and the ingest against a sandbox Discord in the same process.

mod actions;
mod amend;
mod bulk;
mod closing;
mod containment;
mod delivery;
mod exceptions;
mod freeze;
mod gap;
mod gateway;
mod hand;
mod histories;
mod kicks;
mod last_word;
mod order;
mod origins;
mod others;
mod overrides;
mod protected;
mod provenance;
mod rejoin;
mod relinked;
mod revert;
mod seams;
mod trouble;
mod undo;
