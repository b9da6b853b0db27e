//! The sandbox's clock: real time plus whatever was advanced, so that no test waits for a deadline.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use tokio::sync::Notify;

/// Real time by default; [`Clock::advance`] moves every deadline, window and budget of the sandbox at once.
/// It never goes back.
#[derive(Debug)]
pub struct Clock {
    started: Instant,
    started_unix_ms: u64,
    advanced_ns: AtomicU64,
    moved: Notify,
}

impl Clock {
    /// A clock that starts now.
    #[must_use]
    pub fn start() -> Self {
        let unix = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Self {
            started: Instant::now(),
            started_unix_ms: u64::try_from(unix.as_millis()).unwrap_or(u64::MAX),
            advanced_ns: AtomicU64::new(0),
            moved: Notify::new(),
        }
    }

    /// Time since the sandbox started, with what was advanced.
    #[must_use]
    pub fn now(&self) -> Duration {
        self.started.elapsed() + Duration::from_nanos(self.advanced_ns.load(Ordering::SeqCst))
    }

    /// The same moment as Unix milliseconds.
    #[must_use]
    pub fn unix_ms(&self) -> u64 {
        self.started_unix_ms + u64::try_from(self.now().as_millis()).unwrap_or(0)
    }

    /// Moves the clock forward and wakes everything that waits for a moment of it.
    pub fn advance(&self, by: Duration) {
        self.advanced_ns.fetch_add(u64::try_from(by.as_nanos()).unwrap_or(0), Ordering::SeqCst);
        self.moved.notify_waiters();
    }

    /// Waits until the clock shows that moment, by passing time or by [`Clock::advance`].
    pub async fn reach(&self, moment: Duration) {
        loop {
            let moved = self.moved.notified();
            tokio::pin!(moved);
            // Registered before the look at the clock, so that an advance in between is not missed.
            moved.as_mut().enable();
            let Some(left) = moment.checked_sub(self.now()).filter(|left| !left.is_zero()) else {
                return;
            };
            tokio::select! {
                () = tokio::time::sleep(left) => {}
                () = moved => {}
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn an_advance_ends_a_long_wait() {
        let clock = Clock::start();
        let wait = clock.reach(Duration::from_secs(900));
        tokio::join!(wait, async { clock.advance(Duration::from_secs(901)) });
        assert!(clock.now() >= Duration::from_secs(901));
    }
}
