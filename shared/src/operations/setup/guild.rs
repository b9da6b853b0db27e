//! `setup main-guild`, `unset-main`, `security-level`, `lock`, `unlock`: what a guild is in its network.

use crate::operation::Reported;
use crate::report::{Report, Text, Tone};
use crate::value::{GuildId, Untrusted};
use clap::{Args, ValueEnum};
use serde::{Deserialize, Serialize};

/// Make this guild a main, whose punishments reach its children
///
/// The guild must be listed in network.mains of the settings; MAIN_GUILD_ID adds one.
#[derive(Args, Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct SetupMainGuild {}

/// Make this guild a main no more
///
/// It must have no links any more, and be listed in network.mains of the settings. It is confirmed by name:
/// --confirm='setup unset-main', or a button on Discord.
#[derive(Args, Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct SetupUnsetMain {}

/// Set how strictly this main's punishments are kept in its children
///
/// It decides what happens when a child's staff take back what was delivered there. At standard that is respected, and an
/// exception says that it is not delivered there again until they do it themselves. At high and maximum it is applied
/// again, three times in 24 hours at most. An alert tells of it either way.
///
/// A child that accepted its link at standard has the last word until it accepts the higher level with setup accept. An operator,
/// and whoever administers the child too, accepts it at once.
#[derive(Args, Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SetupSecurityLevel {
    /// How strictly
    #[arg(value_name = "LEVEL", value_enum)]
    pub level: SecurityLevel,
}

/// Lock this guild's links: none is made, changed or closed
///
/// Whether it is a main, and its security level, are locked with them.
#[derive(Args, Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct SetupLock {}

/// Unlock this guild's links
#[derive(Args, Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct SetupUnlock {}

/// How strictly a main's punishments are kept in its children.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, ValueEnum)]
#[serde(rename_all = "snake_case")]
pub enum SecurityLevel {
    /// The children's staff have the last word in their own guild.
    #[default]
    Standard,
    /// The main has the last word in its children.
    High,
    /// The same, and for networks in which nobody is to decide alone.
    Maximum,
}

impl SecurityLevel {
    /// The word for it, as in the store and in JSON.
    pub fn word(self) -> &'static str {
        match self {
            Self::Standard => "standard",
            Self::High => "high",
            Self::Maximum => "maximum",
        }
    }

    /// The level with this word.
    pub fn from_word(word: &str) -> Option<Self> {
        [Self::Standard, Self::High, Self::Maximum].into_iter().find(|level| level.word() == word)
    }
}

/// A guild that is a main now, or none any more.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct GuildDesignated {
    /// The guild.
    pub guild_id: GuildId,
    /// Its name, where it is known.
    pub guild_name: Option<Untrusted>,
    /// Whether only the plan was asked for.
    pub dry_run: bool,
    /// Whether it was so before.
    pub already: bool,
    /// Whether it is a main now, or would be.
    #[serde(default = "yes")]
    pub is_main: bool,
}

/// What a daemon means that knows no other way.
fn yes() -> bool {
    true
}

impl Reported for GuildDesignated {
    fn report(&self) -> Report {
        let title = match (self.already, self.dry_run, self.is_main) {
            (true, ..) => "it is a main already: nothing changed",
            (false, true, true) => "nothing was changed: it would become a main",
            (false, true, false) => "nothing was changed: it would be a main no more",
            (false, false, true) => "it is a main now",
            (false, false, false) => "it is a main no more",
        };
        let report = Report::new(title, Tone::Good)
            .field("Guild", Text::guild(self.guild_id, self.guild_name.as_ref()));
        match self.is_main {
            true => report.hint("setup add-child GUILD-ID links a child"),
            false => report.hint("setup main-guild makes it one again"),
        }
    }
}

/// A guild whose links are locked now, or not any more.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LockChanged {
    /// The guild.
    pub guild_id: GuildId,
    /// Its name, where it is known.
    pub guild_name: Option<Untrusted>,
    /// Whether its links are locked now, or would be.
    pub locked: bool,
    /// Whether it was so before.
    pub already: bool,
    /// Whether only the plan was asked for.
    pub dry_run: bool,
    /// How many links it takes part in.
    pub links: u64,
}

impl Reported for LockChanged {
    fn report(&self) -> Report {
        let title = match (self.already, self.dry_run, self.locked) {
            (true, _, true) => "its links are locked already: nothing changed",
            (true, _, false) => "its links are not locked: nothing changed",
            (false, true, true) => "nothing was changed: its links would be locked",
            (false, true, false) => "nothing was changed: its links would be unlocked",
            (false, false, true) => "its links are locked",
            (false, false, false) => "its links are unlocked",
        };
        Report::new(title, Tone::Good)
            .field("Guild", Text::guild(self.guild_id, self.guild_name.as_ref()))
            .field("Links", self.links.to_string())
    }
}

/// A main's security level.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SecurityChanged {
    /// The main.
    pub main_guild_id: GuildId,
    /// The level it has now, or would have.
    pub level: SecurityLevel,
    /// The level it had.
    pub before: SecurityLevel,
    /// The children in which it does not hold before they accept it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub waiting: Vec<GuildId>,
    /// Whether only the plan was asked for.
    pub dry_run: bool,
}

impl Reported for SecurityChanged {
    fn report(&self) -> Report {
        let title = match (self.level == self.before, self.dry_run) {
            (_, true) if !self.waiting.is_empty() => {
                "nothing was changed: the level would be set, and children would be asked to accept it"
            }
            (_, false) if !self.waiting.is_empty() => {
                "the level is set, and does not hold yet in children that have not accepted it"
            }
            (true, _) => "it has that level already: nothing changed",
            (false, true) => "nothing was changed: the level would be set",
            (false, false) => "the level is set",
        };
        let tone = if self.waiting.is_empty() { Tone::Good } else { Tone::Waiting };
        let report = Report::new(title, tone)
            .field("Main", self.main_guild_id)
            .field("Level", self.level.word())
            .field("Before", self.before.word());
        let main = self.main_guild_id;
        let report = match self.waiting.as_slice() {
            [] => report,
            [first, ..] => report.field("Waits for children", self.waiting.len().to_string()).hint(format!(
                "in each of these children an administrator accepts the level, as with \
                 wayhaven setup accept {main} --guild {first}"
            )),
        };
        let report = match self.level {
            SecurityLevel::Maximum => report.hint(
                "what is decided reaches the children once another administrator approves it: sync holds",
            ),
            _ if self.before == SecurityLevel::Maximum => {
                report.hint("what was decided before waits for its approval still: sync holds")
            }
            _ => report,
        };
        report.hint(match self.level {
            SecurityLevel::Standard => "what a child's staff take back is respected",
            SecurityLevel::High | SecurityLevel::Maximum => {
                "what a child's staff take back is applied again, three times in 24 hours at most"
            }
        })
    }
}
