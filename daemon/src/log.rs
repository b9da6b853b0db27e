//! The log: one line per event, `2025-01-15 10:30:00 - wayhaven - INFO - …`, to a file and to standard error.
//!
//! The file is the record; standard error is best effort. Each has a thread of its own, so that neither a full disk nor a
//! pipe that nobody reads ends, blocks or slows the daemon (FAULTS 46, 47).
//!
//! Spans are left out: serenity's carry webhook and interaction tokens (FACTS D5). What looks like a secret in a line is
//! taken out, a panic's words included; nothing should have brought it there.

mod file;
mod sink;

use crate::clock::Clock;
use crate::settings::LogLevel;
use file::LogFile;
pub(crate) use sink::Problem;
use sink::{Destination, Ended, Sink};
use std::fmt;
use std::fs::File;
use std::io::{self, Write};
use std::os::fd::AsFd;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields, MakeWriter};
use tracing_subscriber::registry::LookupSpan;
use wayhaven_shared::Fault;
use wayhaven_shared::redaction::redact;
use wayhaven_shared::streams::print_error;

/// How many lines wait for the file, and how many for standard error. More are lost, and counted.
const MAX_LINES_FOR_FILE: usize = 16_384;
const MAX_LINES_FOR_ERROR: usize = 1_024;

/// Maximum time at the end for what waits to be written.
const MAX_END_OF_FILE: Duration = Duration::from_secs(2);
const MAX_END_OF_ERROR: Duration = Duration::from_secs(1);

/// Maximum time until the file is opened again.
const MAX_REOPEN: Duration = Duration::from_secs(1);

/// The running log. What was logged is written out when it is dropped.
pub struct Log {
    handle: LogHandle,
    lines: Lines,
    file_ended: Ended,
    error_ended: Ended,
    clock: Clock,
}

impl Log {
    /// What changes the running log.
    pub fn handle(&self) -> LogHandle {
        self.handle.clone()
    }
}

impl Drop for Log {
    fn drop(&mut self) {
        let missing = self.lines.error.end(&self.error_ended, MAX_END_OF_ERROR);
        if missing > 0 {
            let text = format!("standard error: {} missing there at the end", sink::lines(missing));
            self.lines.file.send(sink::line(&self.clock, Level::WARN, &text));
        }
        let missing = self.lines.file.end(&self.file_ended, MAX_END_OF_FILE);
        if missing > 0 {
            print_error(&format!("the log: {} missing at its end\n", sink::lines(missing)));
        }
    }
}

/// Changes the running log; the default has no log to change.
#[derive(Clone, Default)]
pub struct LogHandle(Option<Running>);

#[derive(Clone)]
struct Running {
    set_level: Arc<SetLevel>,
    file: Sink,
}

type SetLevel = dyn Fn(LogLevel) -> Result<(), String> + Send + Sync;

impl LogHandle {
    /// Writes lines from this level up from now on.
    ///
    /// # Errors
    /// Where the log is gone.
    pub fn set_level(&self, level: LogLevel) -> Result<(), Fault> {
        let Some(running) = &self.0 else { return Ok(()) };
        (running.set_level)(level).map_err(|error| Fault::internal(format!("log.level: {error}")))
    }

    /// Opens the file again, after somebody has moved it; the warning where lines do not go to the log afterwards.
    pub async fn reopen(&self) -> Option<String> {
        let running = self.0.as_ref()?;
        // A disk that does not answer delays nothing else.
        let _ = tokio::time::timeout(MAX_REOPEN, running.file.reopen()).await;
        self.problem().borrow().as_ref().map(|problem| problem.text().to_owned())
    }

    /// Looks whether the file is still the log, where no line is written that does the same.
    pub(crate) fn check(&self) {
        if let Some(running) = &self.0 {
            running.file.check();
        }
    }

    /// Follows what is wrong with the file.
    pub(crate) fn problem(&self) -> watch::Receiver<Option<Problem>> {
        match &self.0 {
            Some(running) => running.file.problem(),
            None => watch::Sender::new(None).subscribe(),
        }
    }
}

/// Writes one line, in the format of all, once the log itself has ended.
pub fn last_line(directory: &Path, clock: &Clock, level: Level, text: &str) {
    let line = format!("{} - wayhaven - {level} - {text}\n", clock.now().short());
    // Whoever started the daemon is told by its last words in any case.
    let _ = file::open(&directory.join(FILE)).and_then(|mut open| open.file.write_all(line.as_bytes()));
}

/// The file's name in its directory.
const FILE: &str = "wayhaven.log";

/// What libraries may say at most, whatever the level: their lines hold payloads, addresses and tokens.
const LIBRARIES: &str = "serenity=error,tarpc=error,tungstenite=error,tokio_tungstenite=error,hyper=warn,hyper_util=warn,reqwest=warn,rustls=warn,h2=warn";

/// The seed's line.
struct Line {
    clock: Clock,
}

impl<S, N> FormatEvent<S, N> for Line
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(&self, cx: &FmtContext<'_, S, N>, mut out: Writer<'_>, event: &Event<'_>) -> fmt::Result {
        let level = event.metadata().level();
        write!(out, "{} - wayhaven - {level} - ", self.clock.now().short())?;
        let mut fields = String::new();
        cx.format_fields(Writer::new(&mut fields), event)?;
        writeln!(out, "{}", redact(&fields))
    }
}

/// The lines of this level and above, ours and, of libraries, the harmless ones.
fn filter(level: LogLevel) -> EnvFilter {
    EnvFilter::new(format!("{},{LIBRARIES}", level.word()))
}

/// Both destinations of a line.
#[derive(Clone)]
struct Lines {
    file: Sink,
    error: Sink,
}

impl<'a> MakeWriter<'a> for Lines {
    type Writer = &'a Lines;

    fn make_writer(&'a self) -> Self::Writer {
        self
    }
}

impl Write for &Lines {
    /// Takes a whole line, as the subscriber writes it. This never fails: what becomes of the line is seen to elsewhere.
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        let shared: sink::Line = line.into();
        self.file.send(Arc::clone(&shared));
        self.error.send(shared);
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Standard error, without the lock that every other user of it takes: a write to it may never return.
struct StandardError(Option<File>);

impl Destination for StandardError {
    fn write(&mut self, line: &[u8]) -> io::Result<()> {
        // Without one, as where no more files can be opened, nobody has asked for it.
        self.0.as_mut().map_or(Ok(()), |file| file.write_all(line))
    }
}

/// Starts the log. It never fails: what cannot be written is counted, and reported in the destination that can.
pub fn start(directory: &Path, level: LogLevel, clock: Clock) -> Log {
    let path = directory.join(FILE);
    let name = format!("the log {}", path.display());
    let (file, warnings) = LogFile::open(path);
    let (file, file_ended) = Sink::start(name, file, MAX_LINES_FOR_FILE, clock.clone());
    let error = io::stderr().as_fd().try_clone_to_owned().ok().map(File::from);
    let (error, error_ended) =
        Sink::start("standard error".into(), StandardError(error), MAX_LINES_FOR_ERROR, clock.clone());
    file.report_to(&error);
    error.report_to(&file);
    let lines = Lines { file, error };
    let subscriber = tracing_subscriber::fmt()
        .with_ansi(false)
        // Its own errors it would print with `eprintln!`, which panics where standard error is gone.
        .log_internal_errors(false)
        .event_format(Line { clock: clock.clone() })
        .with_writer(lines.clone())
        .with_env_filter(filter(level))
        .with_filter_reloading();
    let levels = subscriber.reload_handle();
    let subscriber = subscriber.finish();
    // A second daemon in the same process, as in tests, logs to the first one's file.
    let _ = tracing::subscriber::set_global_default(subscriber);
    std::panic::set_hook(Box::new(|panic| {
        let backtrace = std::backtrace::Backtrace::force_capture();
        tracing::error!("a panic, and the daemon goes on: {panic}\n{backtrace}");
    }));
    for warning in warnings {
        tracing::warn!("{warning}");
    }
    let set_level = move |level| levels.reload(filter(level)).map_err(|error| error.to_string());
    let running = Running { set_level: Arc::new(set_level), file: lines.file.clone() };
    Log { handle: LogHandle(Some(running)), lines, file_ended, error_ended, clock }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::{self, Write};
    use std::sync::{Arc, Mutex};

    #[derive(Clone, Default)]
    struct Paper(Arc<Mutex<Vec<u8>>>);

    impl Write for Paper {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn fault_33_a_secret_that_came_into_a_line_is_taken_out_of_it() {
        let paper = Paper::default();
        let writer = paper.clone();
        let subscriber = tracing_subscriber::fmt()
            .event_format(Line { clock: Clock::default() })
            .with_writer(move || writer.clone())
            .finish();
        tracing::subscriber::with_default(subscriber, || {
            let path = "/webhooks/1/s3cr3t-s3cr3t-s3cr3t";
            tracing::info!(path, "sent with MTIzNDU2Nzg5MDEyMzQ1Njc4.GGGGGG.s3cr3t-s3cr3t-s3cr3t-s3cr3t-s3c");
        });
        let said = String::from_utf8(paper.0.lock().unwrap().clone()).unwrap();
        assert!(
            said.contains(" - wayhaven - INFO - sent with [redacted] path=\"/webhooks/1/[redacted]\""),
            "{said}"
        );
        assert!(!said.contains("s3cr3t"), "{said}");
    }
}
