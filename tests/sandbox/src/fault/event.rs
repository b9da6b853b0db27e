//! What happens to events on their way.

use std::time::Duration;

use serde::Deserialize;

use crate::wire;

/// What happens to an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EventFate {
    /// Nothing.
    Pass,
    /// It never arrives.
    Drop,
    /// It arrives twice.
    Twice,
    /// It arrives that much later (milliseconds in JSON).
    #[serde(deserialize_with = "wire::millis")]
    After(Duration),
}
