//! `setup main-guild`, `add-child`, `remove-child`, `dashboard`: mains, children and their links.

use super::punishment::{Action, DeliveryCounts};
use crate::operation::Reported;
use crate::report::{Cell, Report, Table, Tone};
use crate::value::{GuildId, LinkId, Timestamp, Untrusted};
use clap::{Args, ValueEnum};
use serde::{Deserialize, Serialize};

/// Make this guild a main, whose punishments reach its children
///
/// The guild must be listed in network.mains of the settings; MAIN_GUILD_ID adds one.
#[derive(Args, Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct SetupMainGuild {}

/// Link a child guild to this main
///
/// It is active at once if you are an administrator of the child too, or sit on the control socket.
#[derive(Args, Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SetupAddChild {
    /// The child; the bot must be in it
    #[arg(value_name = "GUILD-ID")]
    pub child: GuildId,
    /// Whether punishments are sent or only recorded
    #[arg(long, value_name = "MODE", value_enum)]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mode: Option<Mode>,
}

/// Unlink a child guild from this main
///
/// What was delivered stays; what is on its way stops.
#[derive(Args, Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SetupRemoveChild {
    /// The child
    #[arg(value_name = "GUILD-ID")]
    pub child: GuildId,
}

/// The network at a glance
#[derive(Args, Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct SetupDashboard {}

/// What a link does with a punishment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, ValueEnum)]
#[serde(rename_all = "snake_case")]
pub enum Mode {
    /// Punishments are sent.
    #[default]
    Active,
    /// Punishments are recorded and not sent.
    Monitor,
}

impl Mode {
    /// The word for it, as in the store (the seed's spelling) and in tables.
    pub fn word(self) -> &'static str {
        match self {
            Self::Active => "ACTIVE",
            Self::Monitor => "MONITOR",
        }
    }

    /// The mode with this word.
    pub fn from_word(word: &str) -> Option<Self> {
        [Self::Active, Self::Monitor].into_iter().find(|mode| mode.word() == word)
    }
}

/// A link from a main to a child.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Link {
    /// Its number.
    pub id: LinkId,
    /// The main.
    pub main_guild_id: GuildId,
    /// The child.
    pub child_guild_id: GuildId,
    /// The child's name, where it is known.
    pub child_name: Option<Untrusted>,
    /// Sent or only recorded.
    pub mode: Mode,
    /// `active` or `closed`.
    pub state: String,
    /// What may be delivered.
    pub allowed_actions: Vec<Action>,
    /// Since when it is so.
    pub updated_at: Timestamp,
}

/// A guild that is now a main.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct GuildDesignated {
    /// The guild.
    pub guild_id: GuildId,
    /// Its name, where it is known.
    pub guild_name: Option<Untrusted>,
    /// Whether only the plan was asked for.
    pub dry_run: bool,
    /// Whether it was one before.
    pub already: bool,
}

impl Reported for GuildDesignated {
    fn report(&self) -> Report {
        let title = match (self.already, self.dry_run) {
            (true, _) => "it is a main already: nothing changed",
            (false, true) => "nothing was changed: it would become a main",
            (false, false) => "it is a main now",
        };
        Report::new(title, Tone::Good)
            .field("Guild", self.guild_id.to_string())
            .field("Name", Cell::from(self.guild_name.as_ref()))
            .hint("setup add-child GUILD-ID links a child")
    }
}

/// A link that was made or closed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LinkChanged {
    /// The link; nothing where a dry run would make one.
    pub link: Option<Link>,
    /// The main.
    pub main_guild_id: GuildId,
    /// The child.
    pub child_guild_id: GuildId,
    /// The state it is in now, or would be.
    pub state: String,
    /// Whether only the plan was asked for.
    pub dry_run: bool,
    /// Open deliveries that stop with the link.
    pub stopped: u64,
}

impl Reported for LinkChanged {
    fn report(&self) -> Report {
        let title = match (self.dry_run, self.state.as_str()) {
            (true, "closed") => "nothing was changed: the link would be closed",
            (true, _) => "nothing was changed: the link would be made",
            (false, "closed") => "the link is closed",
            (false, _) => "the link is active",
        };
        let mut report = Report::new(title, Tone::Good)
            .field("Main", self.main_guild_id.to_string())
            .field("Child", self.child_guild_id.to_string());
        if let Some(link) = &self.link {
            report = report
                .field("Name", Cell::from(link.child_name.as_ref()))
                .field("Mode", link.mode.word())
                .field("Actions", actions(&link.allowed_actions));
        }
        if self.state == "closed" {
            report = report.field("Open deliveries stopped", self.stopped.to_string());
        }
        report
    }
}

fn actions(actions: &[Action]) -> String {
    actions.iter().map(|action| action.word()).collect::<Vec<_>>().join(", ")
}

/// A child in the dashboard.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Child {
    /// The link to it.
    pub link: Link,
    /// Whether the bot sees the guild now: `ok`, `unavailable`, `absent` or `unknown`.
    pub presence: String,
    /// Its open deliveries and those that failed, counted by state.
    pub deliveries: DeliveryCounts,
    /// Why deliveries are blocked there, where some are.
    pub reason: Option<String>,
}

impl Child {
    /// One word for how it stands, and its tone: never good where something is not known.
    pub fn health(&self) -> (&'static str, Tone) {
        match self.presence.as_str() {
            _ if self.deliveries.blocked > 0 => ("FAIL", Tone::Bad),
            "ok" if self.deliveries.attention() > 0 => ("WARN", Tone::Warning),
            "ok" => ("ok", Tone::Good),
            "unavailable" => ("outage", Tone::Warning),
            "absent" => ("absent", Tone::Bad),
            _ => ("unknown", Tone::Waiting),
        }
    }
}

/// A main with its children.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Network {
    /// The main.
    pub main_guild_id: GuildId,
    /// Its name, where it is known.
    pub main_name: Option<Untrusted>,
    /// As in [`Child::presence`].
    pub presence: String,
    /// Its children, those that need a person first.
    pub children: Vec<Child>,
}

/// The networks the caller may see.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Dashboard {
    /// One per main.
    pub networks: Vec<Network>,
    /// Security alerts that nobody resolved.
    pub alerts: u64,
}

impl Reported for Dashboard {
    fn report(&self) -> Report {
        let children: usize = self.networks.iter().map(|network| network.children.len()).sum();
        let mut report =
            Report::new(format!("networks: {}, children: {children}", self.networks.len()), Tone::Plain);
        for network in &self.networks {
            let mut table = Table::new(
                ["child", "mode", "health", "open", "why", "name"],
                "no child is linked to this main",
            );
            table.title = Some(format!("main {} ({})", network.main_guild_id, network.presence));
            for child in &network.children {
                let (health, tone) = child.health();
                table.push([
                    child.link.child_guild_id.to_string().into(),
                    child.link.mode.word().into(),
                    Cell::toned(health, tone),
                    child.deliveries.open().to_string().into(),
                    child.reason.clone().unwrap_or_else(|| "—".into()).into(),
                    Cell::from(child.link.child_name.as_ref()),
                ]);
            }
            report = report.table(table);
        }
        if self.networks.is_empty() {
            report = report.hint("setup main-guild makes a guild a main");
        }
        report
    }
}
