//! Standard output and standard error of every program, which may be gone: the reader has ended, the terminal is
//! closed, nobody reads the pipe. Nothing here panics, as `println!` and `eprintln!` do.

use std::fs::File;
use std::io::{self, ErrorKind, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{RecvTimeoutError, sync_channel};
use std::time::Duration;

/// Maximum time that a message on standard error is waited for.
const MAX_WAIT: Duration = Duration::from_secs(1);

/// Writes text to standard output. A reader that has ended, as in `| head`, is no failure.
///
/// # Errors
/// Standard output cannot be written, because a disk is full for example.
pub fn print(text: &str) -> io::Result<()> {
    let mut out = io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => Err(error),
        _ => Ok(()),
    }
}

/// Writes text to standard error, as well as that is possible within a second. Failures are ignored: there is nobody
/// left to hear about them.
pub fn print_error(text: &str) {
    static STUCK: AtomicBool = AtomicBool::new(false);
    let stderr = io::stderr();
    // A descriptor of its own: a write that never returns must not hold the lock of standard error.
    let Ok(stderr) = stderr.as_fd().try_clone_to_owned() else { return };
    if !STUCK.load(Ordering::Relaxed) && !write_within(stderr, text, MAX_WAIT) {
        STUCK.store(true, Ordering::Relaxed);
    }
}

/// Writes on a thread of its own; whether that ended in time. What is stuck ends with the process.
fn write_within(to: OwnedFd, text: &str, wait: Duration) -> bool {
    let (done, ended) = sync_channel(1);
    let text = text.to_owned();
    let write = move || {
        let _ = File::from(to).write_all(text.as_bytes());
        let _ = done.send(());
    };
    let started = std::thread::Builder::new().name("stderr".into()).spawn(write);
    started.is_err() || ended.recv_timeout(wait) != Err(RecvTimeoutError::Timeout)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Read;

    #[test]
    fn a_pipe_that_nobody_reads_is_given_up_and_one_without_a_reader_is_no_failure() {
        let (reader, writer) = io::pipe().unwrap();
        let longer_than_a_pipe = "x".repeat(2 << 20);
        assert!(!write_within(writer.into(), &longer_than_a_pipe, Duration::from_millis(1)));
        drop(reader);
        let (reader, writer) = io::pipe().unwrap();
        drop(reader);
        assert!(write_within(writer.into(), "nobody", MAX_WAIT));
        let (mut reader, writer) = io::pipe().unwrap();
        assert!(write_within(writer.into(), "somebody", MAX_WAIT));
        let mut read = String::new();
        reader.read_to_string(&mut read).unwrap();
        assert_eq!(read, "somebody");
    }
}
