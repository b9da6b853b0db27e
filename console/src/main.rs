//! The `wayhaven` binary. Everything is in the library, so that the whole-system tests can own a binary too.

use std::process::ExitCode;

fn main() -> ExitCode {
    wayhaven_console::main()
}
