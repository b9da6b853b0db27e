//! Time, injected: stored times are this machine's wall clock and come from here; waits are monotonic and come from
//! tokio. Times of Discord's clock are converted with [`Clock::skew`], where they come from Discord or go there.

mod skew;

pub use skew::{RoundTrip, SAME_END_MS, Skew};

use skew::Samples;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};
use wayhaven_shared::value::Timestamp;

/// The wall clock, which tests can set ahead or back without touching the machine's.
#[derive(Clone, Debug, Default)]
pub struct Clock {
    offset_ms: Arc<AtomicI64>,
    samples: Arc<Mutex<Samples>>,
    /// What is corrected, in milliseconds.
    skew_ms: Arc<AtomicI64>,
}

impl Clock {
    /// Now.
    pub fn now(&self) -> Timestamp {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let millis = i64::try_from(since.as_millis()).unwrap_or(i64::MAX);
        Timestamp::from_millis(millis.saturating_add(self.offset_ms.load(Ordering::Relaxed)))
    }

    /// Sets the clock ahead by that many milliseconds, or back.
    pub fn shift(&self, millis: i64) {
        self.offset_ms.fetch_add(millis, Ordering::Relaxed);
    }

    /// Learns from an answer of Discord's, which says when it was made.
    pub fn learn(&self, trip: RoundTrip, date: Timestamp) {
        let mut samples = self.samples.lock().unwrap_or_else(PoisonError::into_inner);
        samples.learn(trip, date);
        self.skew_ms.store(samples.corrected().millis(), Ordering::Relaxed);
    }

    /// How far Discord's clock is from this one, as far as it is corrected: small differences are not.
    pub fn skew(&self) -> Skew {
        Skew::from_millis(self.skew_ms.load(Ordering::Relaxed))
    }

    /// Discord's time by the answer that came last, to the second; nothing before its first answer. An answer that has just
    /// come is judged by it: the measured difference may be of before somebody's clock was set.
    pub fn discord_said(&self) -> Option<Timestamp> {
        self.samples.lock().unwrap_or_else(PoisonError::into_inner).said()
    }

    /// How far Discord's clock is from this one, as it was measured; nothing before Discord's first answer.
    pub fn measured_skew(&self) -> Option<Skew> {
        self.samples.lock().unwrap_or_else(PoisonError::into_inner).measured()
    }
}
