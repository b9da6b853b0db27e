//! The fuzz targets by command, and under its own name the daemon that one of them speaks to.

use std::process::ExitCode;

fn main() -> ExitCode {
    wayhaven_e2e::called_as().unwrap_or_else(wayhaven_e2e::fuzz::main)
}
