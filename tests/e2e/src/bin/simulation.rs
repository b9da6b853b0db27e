//! The simulation by command, and under its own name the daemon that it starts.

use std::process::ExitCode;

fn main() -> ExitCode {
    wayhaven_e2e::called_as().unwrap_or_else(wayhaven_e2e::simulation::main)
}
