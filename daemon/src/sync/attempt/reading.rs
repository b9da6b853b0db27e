//! How far a guild's audit log was read for an undo that waits: its route opens only now and then, and whoever began at
//! the first page each time would never come to the end of a long log.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use wayhaven_shared::value::{DeliveryId, UserId};

/// How many are kept. Those that ended otherwise are forgotten with all others, which only costs reading again.
const KEPT: usize = 1_000;

/// For which delivery, which kind of entries, by whom, and behind which entry the reading began.
pub(super) type Wanted = (DeliveryId, u64, Option<UserId>, u64);

/// How far it came.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Reading {
    /// Behind this entry it goes on.
    pub(super) after: u64,
    /// What was looked for and found so far.
    pub(super) found: Vec<u64>,
    /// Whether it came to the end, and only another reading for the same delivery waits.
    pub(super) whole: bool,
}

/// The readings that wait, and those that the delivery needs besides.
#[derive(Debug, Default)]
pub struct Readings(Mutex<HashMap<Wanted, Reading>>);

impl Readings {
    /// Goes on with a reading, or begins it.
    pub(super) fn take(&self, wanted: Wanted) -> Reading {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        kept.remove(&wanted).unwrap_or_else(|| Reading { after: wanted.3, ..Reading::default() })
    }

    /// Forgets what was read for a delivery: should it ask again, the log may say more by then.
    pub(super) fn forget(&self, delivery: DeliveryId) {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        kept.retain(|wanted, _| wanted.0 != delivery);
    }

    /// Keeps one that has to wait, or waits for another.
    pub(super) fn keep(&self, wanted: Wanted, reading: Reading) {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.len() >= KEPT {
            kept.clear();
        }
        kept.insert(wanted, reading);
    }
}
