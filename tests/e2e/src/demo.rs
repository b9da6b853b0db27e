//! `cargo demo`: the whole story on one machine. A sandbox Discord with one main and twelve children (one lacks a
//! permission, one is in monitor mode), a real daemon, staged traffic, and the console on it; leaving the console
//! stops everything, and so do a signal and the end of the terminal. Without a terminal it tells the same story line by
//! line and checks it.

mod stage;
mod story;
mod traffic;

use stage::Stage;
use std::io::IsTerminal;
use std::process::ExitCode;
use tokio::signal::unix::{Signal, SignalKind, signal};
use wayhaven_shared::{Fault, FaultKind};

/// `cargo demo`: 0 where everything happened that the story tells.
pub fn main() -> ExitCode {
    let runtime = match tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return failed(&Fault::internal(format!("no runtime: {error}"))),
    };
    let with_console = std::io::stdin().is_terminal() && std::io::stdout().is_terminal();
    let outcome = runtime.block_on(async {
        let mut signals = Signals::listen()?;
        let play = async {
            let stage = Stage::set().await?;
            if with_console { traffic::with_console(stage).await } else { story::tell(stage).await }
        };
        // What was started ends with the play, wherever that is left: a daemon and a directory are removed when they are
        // dropped.
        tokio::select! {
            played = play => played,
            name = signals.ending() => Err(Fault::new(FaultKind::Declined, format!("{name} has ended the demo"))),
        }
    });
    runtime.shutdown_background();
    match outcome.and_then(|()| crate::say::all_written().map_err(Fault::unavailable)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(fault) => failed(&fault),
    }
}

fn failed(fault: &Fault) -> ExitCode {
    complain!("error: {fault}");
    ExitCode::FAILURE
}

/// The signals that end the demo: its terminal is gone, or somebody wants it to end.
struct Signals {
    hangup: Signal,
    terminate: Signal,
    interrupt: Signal,
    quit: Signal,
}

impl Signals {
    fn listen() -> Result<Self, Fault> {
        let listen = |kind| signal(kind).map_err(|error| Fault::internal(format!("no signals: {error}")));
        Ok(Self {
            hangup: listen(SignalKind::hangup())?,
            terminate: listen(SignalKind::terminate())?,
            interrupt: listen(SignalKind::interrupt())?,
            quit: listen(SignalKind::quit())?,
        })
    }

    /// The name of the first that comes.
    async fn ending(&mut self) -> &'static str {
        tokio::select! {
            _ = self.hangup.recv() => "SIGHUP",
            _ = self.terminate.recv() => "SIGTERM",
            _ = self.interrupt.recv() => "SIGINT",
            _ = self.quit.recv() => "SIGQUIT",
        }
    }
}
