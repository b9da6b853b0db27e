//! The life of a daemon: when it started, whether it was asked to stop or to restart, and how it ends.

use crate::clock::Clock;
use crate::restart;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use tokio::sync::watch;
use wayhaven_shared::Fault;
use wayhaven_shared::value::Timestamp;

/// Something that happens once.
#[derive(Clone, Debug)]
pub struct Flag(watch::Receiver<bool>);

impl Flag {
    /// Waits until it has happened.
    pub async fn raised(&mut self) {
        // Where the daemon is gone, it has happened too.
        let _ = self.0.wait_for(|raised| *raised).await;
    }
}

/// What comes after a daemon's orderly end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum End {
    /// Nothing.
    Stop,
    /// This program, in the same process.
    Restart(PathBuf),
}

/// The life of one start of the daemon. Clones are of the same life.
#[derive(Clone, Debug)]
pub struct Lifecycle(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    started: Instant,
    started_at: Timestamp,
    start: String,
    program: Option<PathBuf>,
    end: Mutex<Option<End>>,
    stopping: watch::Sender<bool>,
    closing: watch::Sender<bool>,
    hang_ups: watch::Sender<()>,
}

impl Lifecycle {
    /// A life that begins now.
    pub fn begin(clock: &Clock) -> Self {
        Self(Arc::new(Inner {
            started: Instant::now(),
            started_at: clock.now(),
            start: name_of_start(),
            program: restart::program(),
            end: Mutex::default(),
            stopping: watch::Sender::new(false),
            closing: watch::Sender::new(false),
            hang_ups: watch::Sender::new(()),
        }))
    }

    /// How long it has been running.
    pub fn uptime(&self) -> Duration {
        self.0.started.elapsed()
    }

    /// When it started.
    pub fn started_at(&self) -> Timestamp {
        self.0.started_at
    }

    /// The id of this start: no other start has the same, of this process neither.
    pub fn start(&self) -> &str {
        &self.0.start
    }

    /// Where its program was when it started.
    pub fn program(&self) -> Option<&Path> {
        self.0.program.as_deref()
    }

    /// Asks the daemon to stop: nothing new is taken from Discord, and what has begun is finished. A restart that was
    /// asked for before does not happen.
    pub fn stop(&self) {
        *self.0.end.lock().unwrap_or_else(PoisonError::into_inner) = Some(End::Stop);
        self.0.stopping.send_replace(true);
    }

    /// Asks the daemon to stop in the same way, and to start this program then.
    ///
    /// # Errors
    /// It was asked to stop or restart already.
    pub fn restart(&self, program: PathBuf) -> Result<(), Fault> {
        let mut end = self.0.end.lock().unwrap_or_else(PoisonError::into_inner);
        match &*end {
            None => *end = Some(End::Restart(program)),
            Some(End::Restart(_)) => {
                return Err(Fault::conflict("the daemon is restarting already")
                    .hint("wayhaven daemon status tells when it is back"));
            }
            Some(End::Stop) => {
                return Err(
                    Fault::conflict("the daemon is stopping").hint("start it once it has: wayhavend run")
                );
            }
        }
        self.0.stopping.send_replace(true);
        Ok(())
    }

    /// How it ends.
    pub fn end(&self) -> End {
        let end = self.0.end.lock().unwrap_or_else(PoisonError::into_inner);
        end.clone().unwrap_or(End::Stop)
    }

    /// Whether it was asked to stop.
    pub fn is_stopping(&self) -> bool {
        *self.0.stopping.borrow()
    }

    /// Follows whether it was asked to stop.
    pub fn stopping(&self) -> Flag {
        Flag(self.0.stopping.subscribe())
    }

    /// Has the control socket close: what had begun is finished, or is left for the next start.
    pub fn close(&self) {
        self.0.closing.send_replace(true);
    }

    /// Follows whether the control socket closes.
    pub fn closing(&self) -> Flag {
        Flag(self.0.closing.subscribe())
    }

    /// Tells of a SIGHUP.
    pub fn hang_up(&self) {
        self.0.hang_ups.send_replace(());
    }

    /// Follows SIGHUPs.
    pub fn hang_ups(&self) -> watch::Receiver<()> {
        self.0.hang_ups.subscribe()
    }
}

/// A name that no other start has.
fn name_of_start() -> String {
    // Without chance the time is as good: nobody starts twice in a nanosecond.
    getrandom::u64().map_or_else(|_| format!("{:?}", Instant::now()), |number| format!("{number:016x}"))
}
