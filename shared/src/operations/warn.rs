//! `warn`.

use crate::value::{Evidence, Untrusted, UserId};
use clap::Args;
use serde::{Deserialize, Serialize};

/// Warn somebody: it is recorded, and they are told by direct message
///
/// In a main guild it counts for the whole network. A guild may have warnings escalate: see config warnings.
#[derive(Args, Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Warn {
    /// Whom to warn
    #[arg(value_name = "USER")]
    pub user: UserId,
    /// Why, as they will read it
    #[arg(long, value_name = "TEXT")]
    pub reason: Untrusted,
    /// Where what led to it can be looked at: a web address
    #[arg(long, value_name = "URL")]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub evidence: Option<Evidence>,
}
