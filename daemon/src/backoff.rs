//! How long to wait before something that failed is tried again.

use std::time::Duration;

/// The wait after so many failed attempts: 0.5 s after the first, doubled after each further one, 5 minutes at most.
pub(crate) fn backoff(attempts: u32) -> Duration {
    let longest = Duration::from_secs(300);
    Duration::from_millis(250)
        .checked_mul(2_u32.saturating_pow(attempts.min(16)))
        .unwrap_or(longest)
        .min(longest)
}
