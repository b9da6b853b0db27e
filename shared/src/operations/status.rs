//! `status`: the daemon at a glance.

use super::punishment::DeliveryCounts;
use crate::operation::Reported;
use crate::report::{Cell, Report, Tone};
use clap::Args;
use serde::{Deserialize, Serialize};

/// The daemon at a glance
#[derive(Args, Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Status {}

/// Whether the daemon is attached to Discord.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ConnectionState {
    /// Not yet, or not at the moment; it is tried again for ever.
    Connecting,
    /// Attached.
    Ready,
    /// Given up until an operator does something.
    Stopped,
}

impl ConnectionState {
    /// The word for it, as in JSON.
    pub fn word(self) -> &'static str {
        match self {
            Self::Connecting => "connecting",
            Self::Ready => "ready",
            Self::Stopped => "stopped",
        }
    }
}

/// The connection to Discord.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Connection {
    /// Where it stands.
    pub state: ConnectionState,
    /// Why it is not ready, and what to do about it.
    pub reason: Option<String>,
}

impl Connection {
    /// How it stands.
    pub fn tone(&self) -> Tone {
        match self.state {
            ConnectionState::Ready => Tone::Good,
            ConnectionState::Connecting => Tone::Waiting,
            ConnectionState::Stopped => Tone::Bad,
        }
    }
}

/// The daemon at a glance.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct DaemonStatus {
    /// Its version.
    pub version: String,
    /// Its process.
    pub pid: u32,
    /// Since when it runs, in whole seconds.
    pub uptime_seconds: u64,
    /// The connection to Discord.
    pub discord: Connection,
    /// Guilds the bot sees now.
    pub guilds: u64,
    /// Every delivery in the store, by state.
    pub deliveries: DeliveryCounts,
    /// Security alerts that nobody resolved.
    pub alerts: u64,
    /// Rows in the audit chain.
    pub audit_rows: u64,
    /// The chain's head, in hexadecimal.
    pub audit_head: String,
}

impl Reported for DaemonStatus {
    fn report(&self) -> Report {
        let mut report =
            Report::new(format!("wayhavend {} (pid {})", self.version, self.pid), self.discord.tone())
                .field("Discord", Cell::toned(self.discord.state.word(), self.discord.tone()));
        if let Some(reason) = &self.discord.reason {
            report = report.field("Reason", reason.clone());
        }
        report
            .field("Guilds", self.guilds.to_string())
            .field("Deliveries", self.deliveries.words())
            .field("Alerts", self.alerts.to_string())
            .field("Audit rows", self.audit_rows.to_string())
            .field("Up for", format!("{} s", self.uptime_seconds))
    }
}
