//! Time, injected: stored times are wall-clock and come from here; waits are monotonic and come from tokio.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};
use wayhaven_shared::value::Timestamp;

/// The wall clock, which tests can set ahead or back without touching the machine's.
#[derive(Clone, Debug, Default)]
pub struct Clock {
    offset_ms: Arc<AtomicI64>,
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
}
