//! A secret from standard input: as it is from a pipe, asked for and not shown at a terminal.

use crate::settings::text;
use rustix::termios::{LocalModes, OptionalActions, Termios, tcgetattr, tcsetattr};
use secrecy::zeroize::Zeroizing;
use std::fs::File;
use std::io::{self, IsTerminal, Read, Write};
use std::os::fd::{AsFd, OwnedFd};
use tokio::signal::unix::{SignalKind, signal};
use wayhaven_shared::streams::print_error;
use wayhaven_shared::{Fault, FaultKind};

/// A line at a terminal has no more, and no secret has.
const LONGEST: usize = 4096;

/// Reads one secret.
///
/// # Errors
/// Nothing comes, too much comes, or somebody interrupts it.
pub(super) fn secret(prompt: &str) -> Result<Zeroizing<String>, Fault> {
    let stdin = io::stdin();
    // A file of its own: the standard one keeps what it has read.
    let input = stdin.as_fd().try_clone_to_owned().map_err(|error| unread(&error))?;
    let bytes = match stdin.is_terminal() {
        true => ask(prompt, input)?,
        false => read(&mut File::from(input), false).map_err(|error| unread(&error))?,
    };
    if bytes.len() > LONGEST {
        return Err(Fault::usage(format!("what was given is longer than {LONGEST} bytes, and no token is")));
    }
    let start = text::start(&bytes).map_err(|why| Fault::usage(format!("what was given {why}")))?;
    let given = bytes.get(start..).and_then(|bytes| std::str::from_utf8(bytes).ok()).unwrap_or_default();
    let text = given.trim();
    if text.is_empty() {
        return Err(Fault::usage("nothing was given: type the token, or hand it over on standard input"));
    }
    Ok(Zeroizing::new(text.to_owned()))
}

fn ask(prompt: &str, input: OwnedFd) -> Result<Zeroizing<Vec<u8>>, Fault> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|error| Fault::internal(format!("no runtime: {error}")))?;
    let asked = runtime.block_on(async {
        let listen = |kind| signal(kind).map_err(|error| Fault::internal(format!("no signals: {error}")));
        // Before anything is hidden: none of these may end the process while it is.
        let mut interrupt = listen(SignalKind::interrupt())?;
        let mut quit = listen(SignalKind::quit())?;
        let mut terminate = listen(SignalKind::terminate())?;
        let mut hangup = listen(SignalKind::hangup())?;
        let hidden = Hidden::begin(&input).map_err(|error| unread(&error))?;
        let _ = write!(io::stderr(), "{prompt}");
        let _ = io::stderr().flush();
        let line = tokio::task::spawn_blocking(move || read(&mut File::from(input), true));
        let answer = tokio::select! {
            line = line => line.map_err(|_| Fault::internal("the terminal could not be read"))?
                .map_err(|error| unread(&error)),
            _ = interrupt.recv() => Err(interrupted()),
            _ = quit.recv() => Err(interrupted()),
            _ = terminate.recv() => Err(interrupted()),
            _ = hangup.recv() => Err(interrupted()),
        };
        drop(hidden);
        print_error("\n");
        answer
    });
    // The thread that reads may still wait for a line; it ends with the process.
    runtime.shutdown_background();
    asked
}

/// To the end, or of a terminal to the end of the line.
fn read(input: &mut File, line: bool) -> io::Result<Zeroizing<Vec<u8>>> {
    // Whole before it is filled, so that no smaller copy is left behind.
    let mut bytes = Zeroizing::new(Vec::with_capacity(2 * LONGEST + 2));
    let mut part = Zeroizing::new([0; LONGEST]);
    loop {
        let count = input.read(part.as_mut_slice())?;
        bytes.extend_from_slice(part.get(..count).unwrap_or_default());
        if count == 0 || bytes.len() > LONGEST || line && bytes.last() == Some(&b'\n') {
            return Ok(bytes);
        }
    }
}

fn interrupted() -> Fault {
    Fault::new(FaultKind::Declined, "interrupted: everything is as it was")
}

fn unread(error: &io::Error) -> Fault {
    Fault::unavailable(format!("standard input cannot be read: {error}"))
}

/// A terminal that does not show what is typed, until this is dropped.
struct Hidden {
    terminal: OwnedFd,
    before: Termios,
}

impl Hidden {
    fn begin(terminal: &OwnedFd) -> io::Result<Self> {
        let before = tcgetattr(terminal)?;
        let hidden = Self { terminal: terminal.try_clone()?, before: before.clone() };
        let mut silent = before;
        silent.local_modes.remove(LocalModes::ECHO);
        // With what was typed before the question, and showed.
        tcsetattr(terminal, OptionalActions::Flush, &silent)?;
        Ok(hidden)
    }
}

impl Drop for Hidden {
    fn drop(&mut self) {
        // Without what was typed and not read: it would show, and the shell would take it for a command.
        let _ = tcsetattr(&self.terminal, OptionalActions::Flush, &self.before);
    }
}
