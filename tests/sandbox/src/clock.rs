//! The sandbox's clock: real time, faster time or none, plus whatever was advanced, so that no test waits for a
//! deadline.

use std::future::pending;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use tokio::sync::Notify;

/// Real time by default; [`Clock::advance`] moves every deadline, window and budget of the sandbox at once.
/// It never goes back.
#[derive(Debug)]
pub struct Clock {
    started_unix_ms: u64,
    reckoning: Mutex<Reckoning>,
    moved: Notify,
}

/// What the clock showed at a real moment, and how fast it goes from there.
#[derive(Debug, Clone, Copy)]
struct Reckoning {
    since: Instant,
    shown: Duration,
    factor: u32,
}

impl Reckoning {
    fn now(&self) -> Duration {
        self.shown + self.since.elapsed().saturating_mul(self.factor)
    }
}

impl Clock {
    /// A clock that starts now and goes that many times as fast as time does: with 0 it only moves by
    /// [`Clock::advance`].
    #[must_use]
    pub fn start(factor: u32) -> Self {
        let unix = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Self {
            started_unix_ms: u64::try_from(unix.as_millis()).unwrap_or(u64::MAX),
            reckoning: Mutex::new(Reckoning { since: Instant::now(), shown: Duration::ZERO, factor }),
            moved: Notify::new(),
        }
    }

    fn reckoning(&self) -> MutexGuard<'_, Reckoning> {
        self.reckoning.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Time since the sandbox started, with what was advanced.
    #[must_use]
    pub fn now(&self) -> Duration {
        self.reckoning().now()
    }

    /// The same moment as Unix milliseconds.
    #[must_use]
    pub fn unix_ms(&self) -> u64 {
        self.started_unix_ms + u64::try_from(self.now().as_millis()).unwrap_or(0)
    }

    /// Moves the clock forward and wakes everything that waits for a moment of it.
    pub fn advance(&self, by: Duration) {
        self.reckoning().shown += by;
        self.moved.notify_waiters();
    }

    /// Goes that many times as fast as time does from now on.
    pub fn set_factor(&self, factor: u32) {
        {
            let mut reckoning = self.reckoning();
            *reckoning = Reckoning { since: Instant::now(), shown: reckoning.now(), factor };
        }
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
            let factor = self.reckoning().factor;
            let passed = async {
                match left.checked_div(factor) {
                    // Not less than a tick, so that the rest is not asked for again and again.
                    Some(real) => tokio::time::sleep(real.max(Duration::from_millis(1))).await,
                    None => pending().await,
                }
            };
            tokio::select! {
                () = passed => {}
                () = moved => {}
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::future::{Future, poll_fn};
    use std::task::Poll;

    use super::*;

    #[tokio::test]
    async fn an_advance_ends_a_long_wait() {
        let clock = Clock::start(1);
        let wait = clock.reach(Duration::from_secs(900));
        tokio::join!(wait, async { clock.advance(Duration::from_secs(901)) });
        assert!(clock.now() >= Duration::from_secs(901));
    }

    #[tokio::test]
    async fn a_clock_that_stands_only_moves_when_it_is_told_to() {
        let clock = Clock::start(0);
        let wait = clock.reach(Duration::from_secs(1));
        tokio::pin!(wait);
        let waits = poll_fn(|cx| Poll::Ready(wait.as_mut().poll(cx).is_pending())).await;
        assert!(waits);
        assert_eq!(clock.now(), Duration::ZERO);
        clock.advance(Duration::from_secs(1));
        wait.await;
        assert_eq!(clock.now(), Duration::from_secs(1));
    }

    #[tokio::test]
    async fn a_fast_clock_never_goes_back() {
        let clock = Clock::start(0);
        clock.set_factor(1_000_000);
        clock.reach(Duration::from_secs(900)).await;
        clock.set_factor(0);
        let stood = clock.now();
        assert!(stood >= Duration::from_secs(900));
        assert_eq!(clock.now(), stood);
    }
}
