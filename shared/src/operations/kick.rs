//! `kick`.

use crate::value::{Evidence, Untrusted, UserId};
use clap::Args;
use serde::{Deserialize, Serialize};

/// Kick somebody here and, from a main guild, out of every linked child
///
/// Where they are no member nothing is done. A kick cannot be taken back: they may join again.
#[derive(Args, Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Kick {
    /// Whom to kick
    #[arg(value_name = "USER")]
    pub user: UserId,
    /// Why, as it will stand in each guild's audit log
    #[arg(long, value_name = "TEXT")]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<Untrusted>,
    /// Where what led to it can be looked at: a web address
    #[arg(long, value_name = "URL")]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub evidence: Option<Evidence>,
}
