//! `setup dashboard`: the networks that the caller may see.

use super::{Link, SecurityLevel};
use crate::operation::Reported;
use crate::operations::job::Job;
use crate::operations::punishment::DeliveryCounts;
use crate::report::{Cell, Report, Table, Text, Tone};
use crate::value::{GuildId, Untrusted};
use clap::Args;
use serde::{Deserialize, Serialize};

/// The network at a glance
#[derive(Args, Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct SetupDashboard {}

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
    /// Whether the child's links are locked.
    #[serde(default)]
    pub locked: bool,
    /// The backfill or comparison that goes on there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub job: Option<Box<Job>>,
}

impl Child {
    /// What goes on there in the background: how far it has come, and what it waits for.
    pub fn job_words(&self) -> Option<Untrusted> {
        let job = self.job.as_ref()?;
        let so_far = format!("{} {}: {}", job.kind.word(), job.id, job.come());
        Some(match &job.note {
            Some(note) => Untrusted::clipped(&format!("{so_far}; {}", note.raw())),
            None => Untrusted::clipped(&so_far),
        })
    }

    /// Why deliveries are blocked there, or else what goes on there in the background.
    pub fn why(&self) -> Cell {
        match &self.reason {
            Some(reason) => Text::prose(reason).into(),
            None => self.job_words().map_or_else(|| Text::from("—"), Text::Prose).into(),
        }
    }

    /// The link's state, while it is closing with how many are left to take back, and whether it is locked there.
    pub fn state_word(&self) -> String {
        let left = match self.link.state.as_str() {
            "closing" => format!("closing ({} left)", self.deliveries.open()),
            state if self.link.asked_of_child().is_some() => format!("{state} (change proposed)"),
            state => state.to_owned(),
        };
        if self.locked { format!("{left} (locked)") } else { left }
    }

    /// One word for how it stands, and its tone: never good where something is not known.
    pub fn health(&self) -> (&'static str, Tone) {
        match self.presence.as_str() {
            _ if self.link.state == "proposed" => ("proposed", Tone::Waiting),
            _ if self.link.state == "closing" => ("closing", Tone::Waiting),
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
    /// Whether its links are locked.
    #[serde(default)]
    pub locked: bool,
    /// Whether its propagation is stopped with `sync freeze`.
    #[serde(default)]
    pub frozen: bool,
    /// Whether what takes back is let through all the same.
    #[serde(default)]
    pub except_reversals: bool,
    /// What it has set with `setup security-level`.
    #[serde(default)]
    pub security_level: SecurityLevel,
    /// How many holds wait for somebody's approval.
    #[serde(default)]
    pub holds: u64,
    /// Why Discord refuses what the main does in itself, although the bot has the permission.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refused: Option<String>,
    /// Its children, those that need a person first.
    pub children: Vec<Child>,
}

impl Network {
    /// What a freeze stops, in a word; nothing where there is none.
    pub fn freeze_word(&self) -> Option<&'static str> {
        match (self.frozen, self.except_reversals) {
            (false, _) => None,
            (true, false) => Some("frozen"),
            (true, true) => Some("frozen but for unbans"),
        }
    }

    /// What waits for somebody's approval, in words; nothing where nothing does.
    pub fn holds_words(&self) -> Option<String> {
        match self.holds {
            0 => None,
            1 => Some("1 hold waits".to_owned()),
            several => Some(format!("{several} holds wait")),
        }
    }
}

/// The networks the caller may see.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Dashboard {
    /// One per main.
    pub networks: Vec<Network>,
    /// Security alerts that nobody resolved.
    pub alerts: u64,
    /// The mains whose proposals wait for the answer of the guild in which it was asked.
    #[serde(default)]
    pub proposals: Vec<GuildId>,
}

impl Reported for Dashboard {
    fn report(&self) -> Report {
        let children: usize = self.networks.iter().map(|network| network.children.len()).sum();
        let mut report =
            Report::new(format!("networks: {}, children: {children}", self.networks.len()), Tone::Plain);
        for network in &self.networks {
            let mut table = Table::new(
                ["child", "state", "mode", "health", "open", "why"],
                "no child is linked to this main",
            );
            let locked = if network.locked { ", locked" } else { "" };
            let frozen = network.freeze_word().map_or_else(String::new, |word| format!(", {word}"));
            let held = network.holds_words().map_or_else(String::new, |words| format!(", {words}"));
            let (main, presence) = (network.main_guild_id, &network.presence);
            let level = network.security_level.word();
            let main = Text::guild(main, network.main_name.as_ref());
            let state = format!(" ({presence}{frozen}{held}{locked}, security level {level})");
            table.title = Some(Text::from("main ") + main + state);
            for child in &network.children {
                let (health, tone) = child.health();
                table.push([
                    Text::guild(child.link.child_guild_id, child.link.child_name.as_ref()).into(),
                    child.state_word().into(),
                    child.link.mode.word().into(),
                    Cell::toned(health, tone),
                    child.deliveries.open().to_string().into(),
                    child.why(),
                ]);
            }
            report = report.table(table);
        }
        for network in self.networks.iter().filter(|network| network.frozen) {
            let main = network.main_guild_id;
            report = report
                .hint(format!("guild {main} is frozen: sync resume, asked for there, sends what is held"));
        }
        for network in &self.networks {
            let main = network.main_guild_id;
            if let Some(reason) = &network.refused {
                report =
                    report.hint(format!("main {main}: {reason}; wayhaven setup doctor {main} shows more"));
            }
        }
        for network in self.networks.iter().filter(|network| network.holds > 0) {
            let main = network.main_guild_id;
            report =
                report.hint(format!("sync holds, asked for in guild {main}, shows what waits for approval"));
        }
        for main in &self.proposals {
            let networks = self.networks.iter().filter(|network| network.main_guild_id == *main);
            let mut links = networks.flat_map(|network| &network.children).map(|child| &child.link);
            if let Some(asked) = links.find_map(Link::asked_of_child) {
                report = report.hint(format!(
                    "main {main} asks this guild to accept {asked}: /setup accept {main} accepts it, /setup decline {main} declines it"
                ));
                continue;
            }
            report = report.hint(format!(
                "main {main} proposes a link to this guild: /setup accept {main} accepts it, /setup decline {main} declines it"
            ));
        }
        if self.networks.is_empty() {
            report = report.hint("setup main-guild makes a guild a main");
        }
        report
    }
}
