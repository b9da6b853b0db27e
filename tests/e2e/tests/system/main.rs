//! Whole systems: real processes against the sandbox Discord. Each test has a sandbox and a daemon of its own.

// Clippy takes only functions marked as tests for tests, and not what they stand on.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stdout, clippy::print_stderr)]

mod backfill;
mod canary;
mod ci;
mod consoles;
mod contract;
mod crash;
mod demo;
mod disk;
mod fuzz;
mod interactions;
mod kills;
mod leak;
mod lists;
mod log_file;
mod once;
mod operators;
mod origins;
mod restarts;
mod room;
mod sealed;
mod setting;
mod signals;
mod simulation;
mod socket;
mod socket_gone;
mod ssh;
mod startup;
mod streams;
mod surfaces;
mod terminal;
mod typed;
mod waits;
