//! How many direct messages are begun: a bot that writes to many users at once is flagged for it (FACTS A6).

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::time::{Instant, sleep_until};

/// One message in so long, in the long run.
const EVERY: Duration = Duration::from_secs(1);

/// So many at once after a rest.
const BURST: u32 = 5;

/// What those that can wait leave to those that cannot.
const KEPT: u32 = 2;

/// The pace of direct messages.
#[derive(Debug, Default)]
pub struct Pace {
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// When the whole burst is there again.
    full_at: Option<Instant>,
    /// Discord wants none before then.
    shut_until: Option<Instant>,
}

impl State {
    /// When a message may begin that leaves so many others their turn; nothing where it may now.
    fn opens_at(&self, now: Instant, kept: u32) -> Option<Instant> {
        let turn = self.full_at.map(|full| full.checked_sub(EVERY * (BURST - 1 - kept)).unwrap_or(now));
        turn.max(self.shut_until).filter(|at| *at > now)
    }

    fn take(&mut self, now: Instant) {
        self.full_at = Some(self.full_at.map_or(now, |full| full.max(now)) + EVERY);
    }
}

impl Pace {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether a message that cannot wait would have a turn now.
    pub fn would_admit(&self) -> bool {
        self.state().opens_at(Instant::now(), 0).is_none()
    }

    /// Takes a turn for a message that cannot wait, where there is one now.
    pub fn admit(&self) -> bool {
        let (mut state, now) = (self.state(), Instant::now());
        let admitted = state.opens_at(now, 0).is_none();
        if admitted {
            state.take(now);
        }
        admitted
    }

    /// Waits for a turn.
    pub async fn turn(&self) {
        while let Some(at) = self.take_or_wait() {
            sleep_until(at).await;
        }
    }

    fn take_or_wait(&self) -> Option<Instant> {
        let (mut state, now) = (self.state(), Instant::now());
        let opens = state.opens_at(now, KEPT);
        if opens.is_none() {
            state.take(now);
        }
        opens
    }

    /// Lets none begin for so long. A longer pause that is already on stays.
    pub fn pause(&self, span: Duration) {
        let mut state = self.state();
        state.shut_until = state.shut_until.max(Some(Instant::now() + span));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn five_begin_at_once_and_then_one_a_second() {
        let pace = Pace::default();
        let admitted = (0..20).filter(|_| pace.admit()).count();
        assert_eq!(admitted, 5);
        assert!(!pace.would_admit());
        tokio::time::advance(Duration::from_millis(1_001)).await;
        assert!(pace.would_admit() && pace.admit() && !pace.admit());
        tokio::time::advance(Duration::from_secs(60)).await;
        assert_eq!((0..20).filter(|_| pace.admit()).count(), 5, "no more than a burst is saved up");
    }

    #[tokio::test(start_paused = true)]
    async fn what_can_wait_leaves_turns_to_what_cannot() {
        let pace = Pace::default();
        let start = Instant::now();
        for _ in 0..3 {
            pace.turn().await;
        }
        assert_eq!(start.elapsed(), Duration::ZERO);
        assert!(pace.admit() && pace.admit(), "two are kept");
        pace.turn().await;
        assert!(start.elapsed() >= Duration::from_secs(2), "{:?}", start.elapsed());
    }

    #[tokio::test(start_paused = true)]
    async fn a_pause_holds_both_and_the_longer_one_counts() {
        let pace = Pace::default();
        let start = Instant::now();
        pace.pause(Duration::from_secs(60));
        pace.pause(Duration::from_secs(1));
        assert!(!pace.admit());
        pace.turn().await;
        assert!(start.elapsed() >= Duration::from_secs(60));
    }
}
