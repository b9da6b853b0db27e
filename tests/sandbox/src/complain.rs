//! Standard error of the sandbox: lines are written by a thread of their own, so that a reader that has ended or does not
//! read neither ends nor blocks what is served.

use std::io::Write;
use std::sync::OnceLock;
use std::sync::mpsc::{SyncSender, sync_channel};
use std::time::Duration;

/// How many lines may wait; more are lost.
const MAX_LINES: usize = 256;

/// Maximum time at the end for the lines that wait.
const MAX_END: Duration = Duration::from_secs(1);

enum Message {
    Line(String),
    Flush(SyncSender<()>),
}

fn writer() -> &'static SyncSender<Message> {
    static WRITER: OnceLock<SyncSender<Message>> = OnceLock::new();
    WRITER.get_or_init(|| {
        let (writer, messages) = sync_channel(MAX_LINES);
        let write = move || {
            for message in messages {
                match message {
                    Message::Line(line) => drop(writeln!(std::io::stderr(), "wayhaven-sandbox: {line}")),
                    Message::Flush(done) => drop(done.send(())),
                }
            }
        };
        // Without a thread lines are lost.
        let _ = std::thread::Builder::new().name("stderr".into()).spawn(write);
        writer
    })
}

/// Writes a line, where somebody takes it.
pub(crate) fn complain(line: String) {
    let _ = writer().try_send(Message::Line(line));
}

/// Waits a moment until what waits is written: the process is about to end.
pub(crate) fn flush() {
    let (done, written) = sync_channel(1);
    if writer().try_send(Message::Flush(done)).is_ok() {
        let _ = written.recv_timeout(MAX_END);
    }
}
