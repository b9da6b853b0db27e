//! The log: one line per event, `2025-01-15 10:30:00 - wayhaven - INFO - …`, to a file and to standard error.
//!
//! Spans are left out: serenity's carry webhook and interaction tokens (FACTS D5). What looks like a secret in a line is
//! taken out, a panic's words included; nothing should have brought it there.

use crate::clock::Clock;
use crate::settings::LogLevel;
use std::fmt;
use std::fs::OpenOptions;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::sync::Arc;
use tracing::{Event, Level, Subscriber};
use tracing_appender::non_blocking::WorkerGuard;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::writer::MakeWriterExt;
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields};
use tracing_subscriber::registry::LookupSpan;
use wayhaven_shared::Fault;
use wayhaven_shared::redaction::redact;

/// The running log. What was logged is written out when it is dropped.
pub struct Log {
    levels: Levels,
    _guard: WorkerGuard,
}

impl Log {
    /// What sets from which level up lines are written.
    pub fn levels(&self) -> Levels {
        self.levels.clone()
    }
}

/// Sets from which level up lines are written; the default has no log to set it for.
#[derive(Clone, Default)]
pub struct Levels(Option<Arc<SetLevel>>);

type SetLevel = dyn Fn(LogLevel) -> Result<(), String> + Send + Sync;

impl Levels {
    /// Writes lines from this level up from now on.
    ///
    /// # Errors
    /// Where the log is gone.
    pub fn set(&self, level: LogLevel) -> Result<(), Fault> {
        let Some(set) = &self.0 else { return Ok(()) };
        set(level).map_err(|error| Fault::internal(format!("log.level: {error}")))
    }
}

/// Writes one line, in the format of all, once the log itself has ended.
pub fn last_line(directory: &Path, clock: &Clock, level: Level, text: &str) {
    let line = format!("{} - wayhaven - {level} - {text}\n", clock.now().short());
    let file = OpenOptions::new().append(true).create(true).mode(0o600).open(directory.join(FILE));
    // Whoever started the daemon is told by its last words in any case.
    let _ = file.and_then(|mut file| file.write_all(line.as_bytes()));
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

/// Starts the log.
pub fn start(directory: &Path, level: LogLevel, clock: Clock) -> Log {
    let file = tracing_appender::rolling::never(directory, FILE);
    let (file, guard) = tracing_appender::non_blocking(file);
    let subscriber = tracing_subscriber::fmt()
        .with_ansi(false)
        .event_format(Line { clock })
        .with_writer(file.and(std::io::stderr))
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
    let set_level = move |level| levels.reload(filter(level)).map_err(|error| error.to_string());
    Log { levels: Levels(Some(Arc::new(set_level))), _guard: guard }
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
