//! `wayhaven`: one binary with two faces. With arguments it is a scriptable command line, without any and on a
//! terminal the operator console. Both speak to the daemon over its control socket and to nothing else.
//!
//! The grammar, the replies and what they look like come from `wayhaven-shared`; `cli` and `tui` only carry, show
//! and refuse. The screens know the few operations they are made of, and no other.

mod cli;
mod files;
mod link;
mod render;
#[cfg(test)]
mod scripted_daemon;
mod terminal_size;
mod tui;

pub use cli::command;
pub use tui::DEMO_VARIABLE;

use std::process::ExitCode;

/// What the binary does: reads the process's arguments, runs, and says how it went in the exit code.
pub fn main() -> ExitCode {
    cli::main(std::env::args_os().collect())
}
