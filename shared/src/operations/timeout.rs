//! `timeout` and `untimeout`.

use crate::value::{Evidence, Span, Untrusted, UserId};
use clap::Args;
use serde::{Deserialize, Serialize};

/// Time somebody out here and, from a main guild, in every linked child
///
/// Discord takes at most 28 days at once: a longer one is renewed before it ends.
#[derive(Args, Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Timeout {
    /// Whom to time out
    #[arg(value_name = "USER")]
    pub user: UserId,
    /// For how long, as 10m or 7d
    #[arg(long = "for", id = "for", value_name = "SPAN")]
    #[serde(rename = "for")]
    pub span: Span,
    /// Why, as it will stand in each guild's audit log
    #[arg(long, value_name = "TEXT")]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<Untrusted>,
    /// Where what led to it can be looked at: a web address
    #[arg(long, value_name = "URL")]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub evidence: Option<Evidence>,
}

/// End a timeout here and, from a main guild, where Wayhaven made it
///
/// In a child only what Wayhaven did is undone: a timeout that the child's own staff made stays.
#[derive(Args, Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Untimeout {
    /// Whose timeout to end
    #[arg(value_name = "USER")]
    pub user: UserId,
    /// Why, as it will stand in each guild's audit log
    #[arg(long, value_name = "TEXT")]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<Untrusted>,
}
