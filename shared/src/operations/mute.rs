//! `mute` and `unmute`.

use crate::value::{Evidence, Span, Untrusted, UserId};
use clap::Args;
use serde::{Deserialize, Serialize};

/// Give somebody the mute role here and, from a main guild, in every linked child
///
/// Each guild names its own mute role with config muterole. Whoever leaves and joins again is muted again.
#[derive(Args, Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Mute {
    /// Whom to mute
    #[arg(value_name = "USER")]
    pub user: UserId,
    /// Take the role away by itself after that long, as 2h; for ever without
    #[arg(long = "for", id = "for", value_name = "SPAN")]
    #[serde(default, rename = "for", skip_serializing_if = "Option::is_none")]
    pub span: Option<Span>,
    /// Why, as it will stand in each guild's audit log
    #[arg(long, value_name = "TEXT")]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<Untrusted>,
    /// Where what led to it can be looked at: a web address
    #[arg(long, value_name = "URL")]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub evidence: Option<Evidence>,
}

/// Take the mute role away here and, from a main guild, where Wayhaven gave it
///
/// In a child only what Wayhaven did is undone: a role that the child's own staff gave stays.
#[derive(Args, Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Unmute {
    /// Whom to unmute
    #[arg(value_name = "USER")]
    pub user: UserId,
    /// Why, as it will stand in each guild's audit log
    #[arg(long, value_name = "TEXT")]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<Untrusted>,
}
