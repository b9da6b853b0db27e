//! `wayhaven`: one binary with two faces. With arguments it is a scriptable command line, without any and on a
//! terminal the operator console. Both speak to the daemon over its control socket and to nothing else.
//!
//! Neither knows any operation: the grammar, the replies and what they look like come from `wayhaven-shared`,
//! and [`cli`] and `tui` only carry, show and refuse.

mod cli;
mod confirm;
mod render;
#[cfg(test)]
mod scripted_daemon;
mod tui;

pub use cli::command;

use std::process::ExitCode;

/// What the binary does: reads the process's arguments, runs, and says how it went in the exit code.
pub fn main() -> ExitCode {
    cli::main(std::env::args_os().collect())
}
