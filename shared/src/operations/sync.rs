//! `sync status` and `sync deliveries`: what is on its way.

use super::punishment::{Delivery, DeliveryCounts, DeliveryState};
use crate::operation::Reported;
use crate::report::{Cell, Report, Table, Tone};
use crate::value::{DeliveryId, GuildId, PageSize, UserId};
use clap::Args;
use serde::{Deserialize, Serialize};

/// How the sync engine stands
#[derive(Args, Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct SyncStatus {}

/// Deliveries, newest first
#[derive(Args, Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct SyncDeliveries {
    /// Only those in this state
    #[arg(long, value_name = "STATE", value_enum)]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub state: Option<DeliveryState>,
    /// Only those to this child
    #[arg(long, value_name = "GUILD-ID")]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub child: Option<GuildId>,
    /// Only those for this user
    #[arg(long, value_name = "USER")]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user: Option<UserId>,
    /// How many at most, 1 to 500 (default 25)
    #[arg(long, value_name = "N")]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<PageSize>,
    /// Go on below this delivery, as the page before said
    #[arg(long, value_name = "DELIVERY")]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cursor: Option<DeliveryId>,
}

/// A guild with open deliveries.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Lane {
    /// The guild.
    pub guild_id: GuildId,
    /// Its open deliveries by state.
    pub deliveries: DeliveryCounts,
    /// Why they do not move, where they do not.
    pub reason: Option<String>,
}

/// How the sync engine stands.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SyncState {
    /// Every delivery in the store, by state.
    pub deliveries: DeliveryCounts,
    /// What goes to Discord at most, a second.
    pub requests_per_second: u32,
    /// Guilds with open deliveries.
    pub lanes: Vec<Lane>,
}

impl Reported for SyncState {
    fn report(&self) -> Report {
        let tone = match (self.deliveries.attention(), self.deliveries.open()) {
            (0, 0) => Tone::Good,
            (0, _) => Tone::Waiting,
            _ => Tone::Warning,
        };
        let mut table = Table::new(["guild", "open", "deliveries", "why"], "nothing is on its way");
        for lane in &self.lanes {
            table.push([
                lane.guild_id.to_string().into(),
                lane.deliveries.open().to_string().into(),
                lane.deliveries.words().into(),
                lane.reason.clone().unwrap_or_else(|| "—".into()).into(),
            ]);
        }
        Report::new(format!("{} deliveries are open", self.deliveries.open()), tone)
            .field("Deliveries", self.deliveries.words())
            .field("Request budget", format!("{} a second", self.requests_per_second))
            .table(table)
    }
}

/// A page of deliveries.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Deliveries {
    /// Newest first.
    pub deliveries: Vec<Delivery>,
    /// Where the next page starts.
    pub next: Option<DeliveryId>,
}

impl Reported for Deliveries {
    fn report(&self) -> Report {
        let mut table = Table::new(
            ["state", "action", "user", "guild", "tries", "punishment", "why", "name"],
            "no deliveries match",
        );
        for one in &self.deliveries {
            table.push([
                one.state_cell(),
                one.action.word().into(),
                one.user_id.to_string().into(),
                one.guild_id.to_string().into(),
                one.attempts.to_string().into(),
                one.punishment_id.to_string().into(),
                one.reason.clone().unwrap_or_else(|| "—".into()).into(),
                Cell::from(one.guild_name.as_ref()),
            ]);
        }
        Report::new(format!("{} deliveries", self.deliveries.len()), Tone::Plain).table(table)
    }

    fn next_cursor(&self) -> Option<String> {
        self.next.map(|id| id.to_string())
    }
}
