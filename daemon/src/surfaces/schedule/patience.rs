//! What could not be done, and when it is tried again.

use super::due::Key;
use crate::backoff::backoff;
use std::collections::HashMap;
use std::time::Duration;
use tokio::time::Instant;

/// After so many failures in a row an operator is told.
const TOLD: u32 = 5;

struct Failing {
    failures: u32,
    again: Instant,
    /// Whether it was due in this round.
    seen: bool,
}

/// What has failed, each with when it is tried again.
#[derive(Default)]
pub(super) struct Patience(HashMap<Key, Failing>);

impl Patience {
    /// A round begins: nothing was seen in it.
    pub(super) fn begin(&mut self) {
        self.0.values_mut().for_each(|failing| failing.seen = false);
    }

    /// Whether it may be tried now.
    pub(super) fn allows(&mut self, key: Key) -> bool {
        self.0.get_mut(&key).is_none_or(|failing| {
            failing.seen = true;
            failing.again <= Instant::now()
        })
    }

    /// It was tried and failed; whether an operator is to hear of it.
    pub(super) fn failed(&mut self, key: Key) -> bool {
        let failing = self.0.entry(key).or_insert(Failing { failures: 0, again: Instant::now(), seen: true });
        failing.failures += 1;
        failing.again = Instant::now() + backoff(failing.failures);
        failing.failures == TOLD
    }

    /// The round has seen all that is due: what else has failed before is due no more.
    pub(super) fn forget_others(&mut self) {
        self.0.retain(|_, failing| failing.seen);
    }

    /// How long until the first of them is tried again.
    pub(super) fn next(&self) -> Option<Duration> {
        let next = self.0.values().map(|failing| failing.again).min();
        next.map(|at| at.saturating_duration_since(Instant::now()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use wayhaven_shared::value::PunishmentId;

    fn key(id: u64) -> Key {
        Key::End(PunishmentId::new(id).unwrap())
    }

    #[tokio::test(start_paused = true)]
    async fn what_fails_is_tried_again_later_and_later_and_told_once_and_others_at_once() {
        let mut patience = Patience::default();
        let mut waits = Vec::new();
        for failures in 1..=12 {
            patience.begin();
            assert!(patience.allows(key(1)) && patience.allows(key(2)));
            assert_eq!(patience.failed(key(1)), failures == TOLD);
            assert!(!patience.allows(key(1)));
            waits.push(patience.next().unwrap());
            tokio::time::advance(*waits.last().unwrap()).await;
        }
        assert!(waits.is_sorted() && waits[0] < Duration::from_secs(1), "{waits:?}");
        assert_eq!(waits.last(), Some(&Duration::from_secs(300)));
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_due_no_more_is_forgotten() {
        let mut patience = Patience::default();
        patience.failed(key(1));
        patience.failed(key(2));
        patience.begin();
        assert!(!patience.allows(key(1)));
        patience.forget_others();
        assert!(patience.allows(key(2)) && !patience.allows(key(1)));
    }
}
