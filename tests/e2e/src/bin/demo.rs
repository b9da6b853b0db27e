//! `cargo demo`, and under their own names the daemon and the console that it starts.

use std::process::ExitCode;

fn main() -> ExitCode {
    wayhaven_e2e::called_as().unwrap_or_else(wayhaven_e2e::demo::main)
}
