//! The sandbox as a stranger sees it: raw HTTP and raw WebSocket, no client library.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stderr,
    reason = "the bare bot is test code too"
)]

mod answers;
mod bot;
mod commands;
mod conformance;
mod control;
mod faults;
mod forms;
mod gateway;
mod interactions;
mod limits;
mod moderation;
mod people;
mod sharding;
mod time;
mod troubles;
