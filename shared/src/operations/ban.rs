//! `ban` and `unban`.

use crate::value::{DeleteDays, Evidence, Span, Untrusted, UserId};
use clap::Args;
use serde::{Deserialize, Serialize};

/// Ban somebody here and, from a main guild, in every linked child
///
/// The decision is stored before the first request leaves, so that nothing is lost if the daemon dies. In a
/// child, or in a guild without a network, it acts there only, and the reply says so.
#[derive(Args, Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Ban {
    /// Whom to ban; they need not be a member
    #[arg(value_name = "USER")]
    pub user: UserId,
    /// Why, as it will stand in each guild's audit log
    #[arg(long, value_name = "TEXT")]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<Untrusted>,
    /// Delete their messages of that many days, 0 to 7
    #[arg(long, value_name = "DAYS")]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub delete_days: Option<DeleteDays>,
    /// Lift the ban by itself after that long, as 7d; for ever without
    #[arg(long = "for", id = "for", value_name = "SPAN")]
    #[serde(default, rename = "for", skip_serializing_if = "Option::is_none")]
    pub span: Option<Span>,
    /// Where what led to it can be looked at: a web address
    #[arg(long, value_name = "URL")]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub evidence: Option<Evidence>,
}

impl Ban {
    /// A ban for ever, without a reason.
    pub fn new(user: UserId) -> Self {
        Self { user, reason: None, delete_days: None, span: None, evidence: None }
    }
}

/// Lift a ban here and, from a main guild, where Wayhaven made it
///
/// In a child only what Wayhaven did is undone: a ban that the child's own staff made stays.
#[derive(Args, Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Unban {
    /// Whom to unban
    #[arg(value_name = "USER")]
    pub user: UserId,
    /// Why, as it will stand in each guild's audit log
    #[arg(long, value_name = "TEXT")]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<Untrusted>,
}
