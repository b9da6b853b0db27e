//! Places where tests let a defect happen. In a production build there are none: this module, and every line that
//! names it, is `#[cfg(test)]`.

use std::sync::{Mutex, PoisonError};
use wayhaven_shared::value::UserId;

/// Where.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Point {
    /// As it is looked at who asks, before anything is in the audit.
    Admit,
    /// As a ban event, or its audit entry, is taken from the gateway.
    Event,
    /// As a handler begins, after its intent was audited.
    Handler,
    /// In the transaction that stores a punishment, after its deliveries were stored.
    Record,
    /// In the transaction that stores an exception, or its end, after what follows was stored.
    Exception,
    /// In the transaction that stores what the scheduler asked for, after it was stored.
    Expiry,
}

/// Where a defect waits, and for which user's punishment: tests share the process, and each has users of its own.
static ARMED: Mutex<Vec<(Point, UserId)>> = Mutex::new(Vec::new());

/// Lets the next request that comes by panic.
pub(crate) fn arm(point: Point, user: UserId) {
    ARMED.lock().unwrap_or_else(PoisonError::into_inner).push((point, user));
}

/// Panics, once, where a test wants it.
pub(crate) fn reach(point: Point, user: Option<UserId>) {
    let mut armed = ARMED.lock().unwrap_or_else(PoisonError::into_inner);
    let found = armed.iter().position(|(at, whose)| *at == point && Some(*whose) == user);
    if let Some(index) = found {
        armed.swap_remove(index);
        drop(armed);
        panic!("a defect that a test placed at {point:?}");
    }
}
