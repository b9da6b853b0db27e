//! `cargo demo`: the whole story on one machine. A sandbox Discord with one main and twelve children (one lacks a
//! permission, one is in monitor mode), a real daemon, staged traffic, and the console on it; leaving the console
//! stops everything. Without a terminal it tells the same story line by line and checks it.

mod stage;
mod story;
mod traffic;

use stage::Stage;
use std::io::IsTerminal;
use std::process::ExitCode;
use wayhaven_shared::Fault;

/// `cargo demo`: 0 where everything happened that the story tells.
pub fn main() -> ExitCode {
    let runtime = match tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return failed(&Fault::internal(format!("no runtime: {error}"))),
    };
    let with_console = std::io::stdin().is_terminal() && std::io::stdout().is_terminal();
    let outcome = runtime.block_on(async {
        let stage = Stage::set().await?;
        if with_console { traffic::with_console(stage).await } else { story::tell(stage).await }
    });
    runtime.shutdown_background();
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(fault) => failed(&fault),
    }
}

fn failed(fault: &Fault) -> ExitCode {
    eprintln!("error: {fault}");
    ExitCode::FAILURE
}
