//! Whole systems on one machine: a sandbox Discord in this process, a real daemon and real `wayhaven`s as
//! processes of their own, below a temporary WAYHAVEN_HOME.

#[macro_use]
mod say;

pub mod demo;
mod dice;
pub mod fuzz;
mod home;
mod lifeline;
pub mod process;
pub mod simulation;

pub use home::Home;
pub use process::{DaemonProcess, Finished};

use std::path::Path;
use std::process::ExitCode;

/// Runs the program that this process was started as, where that is `wayhavend` or `wayhaven`: one binary plays
/// all parts, by its name.
pub fn called_as() -> Option<ExitCode> {
    let name = std::env::args_os().next()?;
    let part = Path::new(&name).file_name()?.to_str()?;
    if ["wayhavend", "wayhaven"].contains(&part) {
        lifeline::watch();
    }
    match part {
        "wayhavend" => Some(wayhaven_daemon::main()),
        "wayhaven" => Some(wayhaven_console::main()),
        _ => None,
    }
}
