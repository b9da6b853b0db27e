//! `sync status`, `deliveries`, `retry`, `freeze`, `resume`, `import`, `export`: what is on its way, and what stops it.

mod export;
mod import;

pub use export::{Exported, ListFormat, ListSource, SyncExport};
pub use import::{ColumnRead, Example, Fate, Imported, ListColumns, Rows, SyncImport};

pub(super) use export::unreadable_entries;

use super::punishment::{Delivery, DeliveryCounts, DeliveryState};
use crate::operation::Reported;
use crate::report::{Cell, Report, Table, Text, Tone};
use crate::value::{DeliveryId, GuildId, HoldId, PageSize, PunishmentId, Timestamp, UserId};
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
    /// Only those of this punishment
    #[arg(long, value_name = "PUNISHMENT")]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub punishment: Option<PunishmentId>,
    /// Only those of this hold, also after it was decided
    #[arg(long, value_name = "HOLD")]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hold: Option<HoldId>,
    /// Only those that changed at this time or later, as 2026-01-02T03:04:05Z
    #[arg(long, value_name = "TIME")]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub since: Option<Timestamp>,
    /// Also count all matching deliveries by state
    #[arg(long)]
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub count: bool,
    /// How many at most, 1 to 500 (default 25)
    #[arg(long, value_name = "N")]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<PageSize>,
    /// Go on below this delivery, as the page before said
    #[arg(long, value_name = "DELIVERY")]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cursor: Option<DeliveryId>,
}

/// Try deliveries again now, whatever they wait for
///
/// Without an option: every delivery of this guild that is blocked, or waits after a failure, and what it has decided for
/// itself and could not do.
#[derive(Args, Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct SyncRetry {
    /// Only those to this child
    #[arg(long, value_name = "GUILD-ID")]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub child: Option<GuildId>,
    /// Only those for this user
    #[arg(long, value_name = "USER")]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user: Option<UserId>,
    /// Only those of this punishment
    #[arg(long, value_name = "PUNISHMENT")]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub punishment: Option<PunishmentId>,
    /// Also those that Discord has refused for good
    #[arg(long)]
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub failed: bool,
}

/// Stop all propagation of this main at once
///
/// Nothing is lost: what is decided meanwhile is held until "sync resume". What the main's own guild does in itself
/// goes on.
#[derive(Args, Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct SyncFreeze {
    /// Let through what takes back: unbans
    #[arg(long)]
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub except_reversals: bool,
}

/// End a freeze and send what was held
///
/// --dry-run counts it. It is confirmed: --confirm='sync resume', or a button on Discord.
#[derive(Args, Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct SyncResume {}

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
    /// Seconds for which nothing leaves, because Discord or the edge in front of it said so.
    #[serde(default)]
    pub paused_seconds: Option<u64>,
    /// Mains whose propagation is stopped.
    #[serde(default)]
    pub frozen: Vec<GuildId>,
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
                lane.guild_id.into(),
                lane.deliveries.open().to_string().into(),
                lane.deliveries.words().into(),
                Text::prose(lane.reason.as_deref().unwrap_or("—")).into(),
            ]);
        }
        let title = match self.deliveries.open() {
            1 => "1 delivery is open".to_owned(),
            open => format!("{open} deliveries are open"),
        };
        let mut report = Report::new(title, tone)
            .field("Deliveries", self.deliveries.words())
            .field("Request budget", format!("{} a second", self.requests_per_second));
        if let Some(seconds) = self.paused_seconds {
            let told = format!("for {seconds} s, because Discord said so");
            report = report.field("Paused", Cell::toned(told, Tone::Warning));
        }
        if !self.frozen.is_empty() {
            let mains = Text::list(self.frozen.iter().map(|main| Text::from(*main)));
            report = report.field("Frozen", Cell::toned(mains, Tone::Warning));
            report = report.hint("sync resume, asked for in the frozen main, sends what is held");
        }
        if self.deliveries.blocked > 0 {
            report =
                report.hint("what is blocked goes on once its cause is mended; sync retry tries it at once");
        }
        report.table(table)
    }
}

/// Deliveries that are tried again.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct DeliveriesRetried {
    /// The guild they come from: a main, or a child with what it has decided for itself.
    pub main_guild_id: GuildId,
    /// How they stood, counted.
    pub deliveries: DeliveryCounts,
    /// Whether the main's propagation is stopped, so that they are held instead.
    #[serde(default)]
    pub frozen: bool,
    /// Whether only the plan was asked for.
    pub dry_run: bool,
}

impl Reported for DeliveriesRetried {
    fn report(&self) -> Report {
        let count = self.deliveries.total();
        let (title, tone) = match (count, self.dry_run) {
            (0, _) => ("no delivery waits or is blocked".to_owned(), Tone::Good),
            (1, true) => ("nothing was changed: 1 delivery would be tried again".to_owned(), Tone::Plain),
            (_, true) => {
                (format!("nothing was changed: {count} deliveries would be tried again"), Tone::Plain)
            }
            _ if self.frozen => ("what a freeze holds is tried again when it ends".to_owned(), Tone::Warning),
            (1, false) => ("1 delivery is tried again now".to_owned(), Tone::Good),
            (_, false) => (format!("{count} deliveries are tried again now"), Tone::Good),
        };
        let mut report = Report::new(title, tone).field("Main", self.main_guild_id);
        if count > 0 {
            report = report.field("They were", self.deliveries.words());
            if self.frozen {
                report = report.hint("this main is frozen: sync resume sends what is held");
            }
            report = report.hint("sync status shows what becomes of them");
        }
        report
    }
}

/// How a main's propagation stands now, or would.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct FreezeChanged {
    /// The main.
    pub main_guild_id: GuildId,
    /// Whether its propagation is stopped.
    pub frozen: bool,
    /// Whether what takes back is let through all the same.
    pub except_reversals: bool,
    /// Whether it was so before.
    pub already: bool,
    /// Deliveries that are held from now on, or that are sent now.
    pub deliveries: u64,
    /// Deliveries that a narrower freeze releases: undos that the one before held.
    #[serde(default)]
    pub released: u64,
    /// Whether only the plan was asked for.
    pub dry_run: bool,
}

impl Reported for FreezeChanged {
    fn report(&self) -> Report {
        let (title, tone) = match (self.already, self.dry_run, self.frozen) {
            (true, _, true) => ("it is frozen so already: nothing changed", Tone::Warning),
            (true, _, false) => ("it is not frozen: nothing changed", Tone::Good),
            (_, true, true) => ("nothing was changed: propagation would stop", Tone::Plain),
            (_, true, false) => ("nothing was changed: propagation would go on", Tone::Plain),
            (_, false, true) => ("propagation is stopped", Tone::Warning),
            (_, false, false) => ("propagation goes on", Tone::Good),
        };
        let mut report = Report::new(title, tone).field("Main", self.main_guild_id);
        if self.frozen {
            report = report
                .field("Unbans", if self.except_reversals { "let through" } else { "held too" })
                .field("Newly held", self.deliveries.to_string());
            if self.released > 0 {
                report = report.field("Released", self.released.to_string());
            }
            report = report.hint("sync resume ends it and sends what was held");
        } else {
            report = report.field("Held deliveries sent", self.deliveries.to_string());
        }
        report
    }
}

/// A page of deliveries.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Deliveries {
    /// Newest first.
    pub deliveries: Vec<Delivery>,
    /// Where the next page starts.
    pub next: Option<DeliveryId>,
    /// All deliveries that match, on every page, where a count was requested.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub counted: Option<Matching>,
}

/// All deliveries that match a filter, by state.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Matching {
    /// Those to children.
    pub children: DeliveryCounts,
    /// What guilds carry out in themselves.
    pub own: DeliveryCounts,
    /// Whether more deliveries are still to be stored or released: an approved hold is being sent, or a link is closing.
    #[serde(default)]
    pub more: bool,
}

impl Matching {
    /// Whether something still moves without anybody's help.
    pub fn is_moving(&self) -> bool {
        self.more || self.children.moving() + self.own.moving() > 0
    }
}

impl Reported for Deliveries {
    fn report(&self) -> Report {
        let mut table = Table::new(
            ["state", "action", "user", "guild", "tries", "punishment", "why"],
            "no deliveries match",
        );
        for one in &self.deliveries {
            table.push([
                one.state_cell(),
                one.action.word().into(),
                one.user_id.into(),
                Text::guild(one.guild_id, one.guild_name.as_ref()).into(),
                one.attempts.to_string().into(),
                one.punishment_id.to_string().into(),
                Text::prose(one.reason.as_deref().unwrap_or("—")).into(),
            ]);
        }
        let title = match self.deliveries.len() {
            1 => "1 delivery".to_owned(),
            several => format!("{several} deliveries"),
        };
        let mut report = Report::new(title, Tone::Plain);
        if let Some(counted) = &self.counted {
            report = report.field("All matching", counted.children.words());
            if counted.own.total() > 0 {
                report = report.field("In the guild itself", counted.own.words());
            }
        }
        report.table(table)
    }

    fn next_cursor(&self) -> Option<String> {
        self.next.map(|id| id.to_string())
    }
}
