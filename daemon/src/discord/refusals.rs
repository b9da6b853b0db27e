//! Refused requests, counted. Discord bans an address that has 10,000 requests refused with 401, 403 or 429 within
//! ten minutes (FACTS C1); long before that everything of ours stands still.

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;
use tokio::time::Instant;

/// What Discord counts over.
const WINDOW: Duration = Duration::from_secs(600);

/// How many refusals within ten minutes are enough: a fifth of what Discord bans for.
pub const ENOUGH: usize = 2_000;

/// Refusals of the last ten minutes, in spans of ten seconds: sixty numbers, however many there are.
#[derive(Debug, Default)]
pub struct Refusals {
    spans: Mutex<VecDeque<(Instant, usize)>>,
}

/// How fine the window is.
const SPAN: Duration = Duration::from_secs(10);

impl Refusals {
    /// Counts a refusal; where it is one too many, how long nothing may leave.
    pub fn count(&self) -> Option<Duration> {
        let now = Instant::now();
        let mut spans = self.spans.lock().unwrap_or_else(PoisonError::into_inner);
        while spans.front().is_some_and(|(began, _)| *began + WINDOW <= now) {
            spans.pop_front();
        }
        match spans.back_mut() {
            Some((began, count)) if *began + SPAN > now => *count += 1,
            _ => spans.push_back((now, 1)),
        }
        let all: usize = spans.iter().map(|(_, count)| count).sum();
        if all < ENOUGH {
            return None;
        }
        // Until half of them are out of the window.
        let mut left = all;
        let half = spans.iter().find(|(_, count)| {
            left -= count;
            left <= ENOUGH / 2
        });
        half.map(|(began, _)| *began + WINDOW - now)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn two_thousand_refusals_in_ten_minutes_are_enough() {
        let refusals = Refusals::default();
        // Three a second are too few for ever.
        for _ in 0..3_000 {
            assert_eq!(refusals.count(), None);
            tokio::time::advance(Duration::from_millis(334)).await;
        }
        let refusals = Refusals::default();
        for _ in 1..ENOUGH {
            assert_eq!(refusals.count(), None);
        }
        assert_eq!(refusals.count(), Some(WINDOW), "all came at once");
        tokio::time::advance(WINDOW).await;
        assert_eq!(refusals.count(), None);
    }
}
