//! `status`: the daemon at a glance.

use super::punishment::DeliveryCounts;
use crate::fault::{Fault, FaultKind};
use crate::operation::Reported;
use crate::report::{Cell, Report, Table, Tone};
use crate::value::{Timestamp, Untrusted};
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
    /// How each part of it stands.
    #[serde(default)]
    pub components: Vec<Component>,
    /// Discord's clock minus this machine's, in milliseconds; nothing before Discord's first answer. Good to a second.
    #[serde(default)]
    pub clock_offset_ms: Option<i64>,
}

/// Beyond this difference from Discord's clock a person should look, in milliseconds.
pub const MAX_CLOCK_OFFSET_MS: i64 = 5_000;

/// How far this machine's clock is from Discord's, in words.
pub fn clock_words(offset_ms: i64) -> String {
    let seconds = offset_ms.unsigned_abs().saturating_add(500) / 1_000;
    match offset_ms {
        _ if seconds < 2 => "agrees with Discord's clock".to_owned(),
        ..0 => format!("{seconds} s ahead of Discord's clock"),
        _ => format!("{seconds} s behind Discord's clock"),
    }
}

/// How a part of the daemon stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Health {
    /// As it should.
    Healthy,
    /// A person should look.
    Warning,
    /// It does not do its work.
    Error,
    /// Somebody has been at it.
    SecurityBreach,
}

impl Health {
    /// Every state.
    pub const ALL: [Self; 4] = [Self::Healthy, Self::Warning, Self::Error, Self::SecurityBreach];

    /// The word for it, as in the store and in JSON.
    pub fn word(self) -> &'static str {
        match self {
            Self::Healthy => "healthy",
            Self::Warning => "warning",
            Self::Error => "error",
            Self::SecurityBreach => "security_breach",
        }
    }

    /// The state with this word.
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|health| health.word() == word)
    }

    /// `info`, `warning` or `critical`.
    pub fn severity(self) -> &'static str {
        match self {
            Self::Healthy => "info",
            Self::Warning => "warning",
            Self::Error | Self::SecurityBreach => "critical",
        }
    }

    /// How it stands.
    pub fn tone(self) -> Tone {
        match self {
            Self::Healthy => Tone::Good,
            Self::Warning => Tone::Warning,
            Self::Error | Self::SecurityBreach => Tone::Bad,
        }
    }
}

/// A part of the daemon.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Component {
    /// `discord`, `disk`, `deliveries`, `audit` or `log`.
    pub name: String,
    /// How it stands.
    pub health: Health,
    /// Why.
    #[serde(default)]
    pub details: Option<Untrusted>,
    /// Since when.
    pub since: Timestamp,
}

/// What is failing, as the fault that decides the exit code; nothing while every part does its work. A connection that
/// is being made counts once the daemon has been without one for a minute, and calls it an error.
pub(crate) fn failing(discord: &Connection, components: &[Component]) -> Option<Fault> {
    let mut parts = Vec::new();
    if discord.state == ConnectionState::Stopped {
        parts.push("discord (stopped)".to_owned());
    }
    for one in components {
        let is_counted = one.name == "discord" && !parts.is_empty();
        if !is_counted && matches!(one.health, Health::Error | Health::SecurityBreach) {
            parts.push(format!("{} ({})", one.name, one.health.word().replace('_', " ")));
        }
    }
    if parts.is_empty() {
        return None;
    }
    let fault = Fault::new(FaultKind::Verification, format!("Failing: {}", parts.join(", ")));
    Some(match &discord.reason {
        Some(reason) if discord.state == ConnectionState::Stopped => fault.hint(reason.clone()),
        _ => fault,
    })
}

impl Reported for DaemonStatus {
    fn verdict(&self) -> Option<Fault> {
        failing(&self.discord, &self.components)
    }

    fn report(&self) -> Report {
        let mut report =
            Report::new(format!("wayhavend {} (pid {})", self.version, self.pid), self.discord.tone())
                .field("Discord", Cell::toned(self.discord.state.word(), self.discord.tone()));
        if let Some(reason) = &self.discord.reason {
            report = report.field("Reason", reason.clone());
        }
        let mut components = Table::new(["part", "stands", "since (UTC)", "why"], "not looked at yet");
        for one in &self.components {
            components.push([
                one.name.clone().into(),
                Cell::toned(one.health.word().replace('_', " "), one.health.tone()),
                one.since.short().into(),
                Cell::from(one.details.as_ref()),
            ]);
        }
        if let Some(offset) = self.clock_offset_ms {
            let is_off = offset.abs() > MAX_CLOCK_OFFSET_MS;
            let words = clock_words(offset);
            report =
                report.field("Clock", if is_off { Cell::toned(words, Tone::Warning) } else { words.into() });
        }
        report
            .field("Guilds", self.guilds.to_string())
            .field("Deliveries", self.deliveries.words())
            .field("Alerts", self.alerts.to_string())
            .field("Audit rows", self.audit_rows.to_string())
            .field("Audit mark", format!("{}:{}", self.audit_rows, self.audit_head))
            .field("Up for", format!("{} s", self.uptime_seconds))
            .table(components)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn component(name: &str, health: Health) -> Component {
        Component { name: name.into(), health, details: None, since: Timestamp::from_millis(0) }
    }

    fn connection(state: ConnectionState) -> Connection {
        Connection { state, reason: Some("the token was refused".into()) }
    }

    #[test]
    fn only_a_part_that_does_not_work_ends_the_command_with_10() {
        let parts = |health| vec![component("discord", health), component("disk", Health::Healthy)];
        for (state, health) in [
            (ConnectionState::Ready, Health::Healthy),
            (ConnectionState::Ready, Health::Warning),
            (ConnectionState::Connecting, Health::Warning),
        ] {
            assert_eq!(failing(&connection(state), &parts(health)), None, "{state:?} {health:?}");
        }
        let stopped = failing(&connection(ConnectionState::Stopped), &parts(Health::Error)).unwrap();
        assert_eq!(stopped.kind.exit_code(), 10);
        assert_eq!(stopped.message, "Failing: discord (stopped)", "one part is named once");
        assert_eq!(stopped.hints, ["the token was refused"], "the reason says what to do");
        let cut = [component("audit", Health::SecurityBreach), component("disk", Health::Error)];
        let found = failing(&connection(ConnectionState::Ready), &cut).unwrap();
        assert_eq!(found.message, "Failing: audit (security breach), disk (error)");
        assert!(found.hints.is_empty(), "the reason of a healthy connection is no hint");
    }

    #[test]
    fn the_words_say_which_way_the_clock_is_off() {
        assert_eq!(clock_words(-120_400), "120 s ahead of Discord's clock");
        assert_eq!(clock_words(3_600_000), "3600 s behind Discord's clock");
        for small in [-1_400, 0, 1_499] {
            assert_eq!(clock_words(small), "agrees with Discord's clock");
        }
    }
}
