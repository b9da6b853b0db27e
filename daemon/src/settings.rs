//! What an operator wrote down before the start: `wayhaven.toml`, the `.env` beside it and the environment.
//!
//! The environment is stronger than `.env`, that than what was set at run time, that than the file, that than the
//! default. The token may also be a credential of systemd's, or sealed, where it stands in none of these (`places`).
//! Every refusal is one line
//! that names the setting, where it stands, its value and the way out; a secret's value is in none. What
//! operators change at run time lives in the store, and stands between `.env` and the file.

mod dotenv;
mod guess;
mod keys;
mod live;
mod machine;
mod places;
mod read;
mod reload;
mod sources;
mod stored;
pub(crate) mod text;
pub(crate) mod token;

pub use keys::{KEYS, Key};
pub use live::{LiveSettings, SettingsWriter};
pub use machine::{ControlSettings, Group, Principal};
pub use reload::{Difference, Reloaded};
pub use sources::Sources;
pub use stored::{Stored, key, without_place};

use crate::network::Budgets;
use secrecy::SecretString;
use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::time::Duration;
use wayhaven_shared::Fault;
use wayhaven_shared::value::{GuildId, Timestamp, Untrusted, UserId};

/// The settings, all checked.
#[derive(Clone, Debug)]
pub struct Settings {
    /// `discord.…`.
    pub discord: DiscordSettings,
    /// `network.…`.
    pub network: NetworkSettings,
    /// `moderation.…`.
    pub moderation: ModerationSettings,
    /// `control.…`.
    pub control: ControlSettings,
    /// Who may do everything, each once.
    pub owner_ids: Vec<UserId>,
    /// `log.…`.
    pub log: LogSettings,
    /// What is worth telling at the start: one line each, no secrets.
    pub warnings: Vec<String>,
    /// What was set at run time and is not understood: one line each.
    pub not_understood: Vec<String>,
    origins: Vec<Setting>,
    /// The settings file and the `.env`, where they were there.
    files: Vec<PathBuf>,
    /// Those of them in which a secret stands, whether it counts or not.
    secret_files: Vec<PathBuf>,
}

/// How to reach Discord.
#[derive(Clone, Debug)]
pub struct DiscordSettings {
    /// The bot's token. Its lack is no error here: the caller decides.
    pub token: Option<SecretString>,
    /// The file to read the token from, where `token` came from nowhere stronger.
    pub token_file: Option<PathBuf>,
    /// Scheme, host and port, without a slash at the end: `https://discord.com`.
    pub api_base: String,
    /// Requests a second at most.
    pub requests_per_second: u32,
    /// What has not been answered by then is given up, and tried again.
    pub request_timeout: Duration,
    /// Where commands for owners are registered.
    pub operations_guild: Option<GuildId>,
    /// The application's id, to be compared with what Discord says.
    pub application_id: Option<u64>,
    /// A guild for trying things out.
    pub test_guild: Option<GuildId>,
}

/// Which guilds may be mains, and who is listened to there.
#[derive(Clone, Debug)]
pub struct NetworkSettings {
    /// The one that MAIN_GUILD_ID names: it becomes a main by itself the first time.
    pub main_guild: Option<GuildId>,
    /// Each once.
    pub mains: Vec<GuildId>,
    /// The other bots whose word counts in a main, each once.
    pub bots: Vec<UserId>,
    /// The most users that one import takes.
    pub import_cap: u32,
    /// How many bans of non-members a backfill sends to one guild within 24 hours: moderators need some too (FACTS C2).
    pub nonmember_bans_per_day: u64,
    /// How often each child is compared with what its mains have decided.
    pub reconcile_every: Duration,
    /// How long a closing link retries undos.
    pub undo_limit: Duration,
    /// How much is propagated before somebody has to approve it.
    pub budgets: Budgets,
}

/// What holds for every punishment.
#[derive(Clone, Copy, Debug)]
pub struct ModerationSettings {
    /// Whether users are told of a ban, kick or warning by direct message before it.
    pub direct_messages: bool,
    /// How long a user's name is kept after it was seen last.
    pub keep_names: Duration,
}

/// What is logged.
#[derive(Clone, Copy, Debug)]
pub struct LogSettings {
    /// From here up.
    pub level: LogLevel,
}

/// How much is logged.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LogLevel {
    /// Everything.
    Trace,
    /// What helps to find a defect.
    Debug,
    /// What happens.
    #[default]
    Info,
    /// What a person should look at.
    Warn,
    /// What went wrong.
    Error,
}

impl LogLevel {
    /// The word for it, as filters read it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Trace => "trace",
            Self::Debug => "debug",
            Self::Info => "info",
            Self::Warn => "warn",
            Self::Error => "error",
        }
    }
}

impl FromStr for LogLevel {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        match text.to_lowercase().as_str() {
            "trace" => Ok(Self::Trace),
            "debug" => Ok(Self::Debug),
            "info" => Ok(Self::Info),
            // The seed's LOG_LEVEL takes Python's words.
            "warn" | "warning" => Ok(Self::Warn),
            "error" | "critical" => Ok(Self::Error),
            _ => Err(()),
        }
    }
}

/// A setting as it holds now, for `settings show`.
#[derive(Clone, Debug, PartialEq)]
pub struct Setting {
    /// Which.
    pub key: &'static Key,
    /// Its value for people; *set* for a secret.
    pub value: String,
    /// Where it comes from, several for a list that is added to.
    pub origins: Vec<Origin>,
}

/// Where a value comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    /// Nobody set it.
    Default,
    /// The settings file, at this line.
    File {
        /// The file.
        path: PathBuf,
        /// Counted from 1.
        line: usize,
    },
    /// An operator, while the daemon ran.
    RunTime {
        /// Who, as the audit names them.
        by: String,
        /// When.
        at: Timestamp,
    },
    /// The `.env` beside it.
    Dotenv {
        /// The file.
        path: PathBuf,
        /// The variable.
        variable: String,
    },
    /// The process's environment.
    Environment {
        /// The variable.
        variable: String,
    },
    /// A credential that systemd hands to the service.
    Credential {
        /// The file.
        path: PathBuf,
    },
    /// Sealed by `wayhavend token set`.
    Sealed {
        /// The file.
        path: PathBuf,
    },
}

impl Origin {
    /// Which of two wins: the greater.
    fn strength(&self) -> u8 {
        match self {
            // The last two are looked for where nothing else was set, and compared with nothing.
            Self::Default | Self::Credential { .. } | Self::Sealed { .. } => 0,
            Self::File { .. } => 1,
            Self::RunTime { .. } => 2,
            Self::Dotenv { .. } => 3,
            Self::Environment { .. } => 4,
        }
    }

    /// The word for it, in JSON.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Default => "default",
            Self::File { .. } => "file",
            Self::RunTime { .. } => "run_time",
            Self::Dotenv { .. } => "dotenv",
            Self::Environment { .. } => "environment",
            Self::Credential { .. } => "credential",
            Self::Sealed { .. } => "sealed",
        }
    }

    /// Where, without the variable's name, for messages that have already said it.
    fn place(&self) -> String {
        match self {
            Self::Environment { .. } => "in the environment".to_owned(),
            Self::Dotenv { path, .. } => format!("in {}", path.display()),
            other => other.to_string(),
        }
    }

    /// The directory that a relative path is meant from.
    fn directory(&self) -> Option<&Path> {
        match self {
            Self::File { path, .. } | Self::Dotenv { path, .. } => path.parent(),
            _ => None,
        }
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => out.write_str("by default"),
            Self::File { path, line } => write!(out, "in {} line {line}", path.display()),
            Self::RunTime { by, at } => write!(out, "set by {by} at {}", at.short()),
            Self::Dotenv { path, variable } => write!(out, "in {} ({variable})", path.display()),
            Self::Environment { variable } => write!(out, "in the environment ({variable})"),
            Self::Credential { path } => write!(out, "in the credential {}", path.display()),
            Self::Sealed { path } => write!(out, "sealed in {}", path.display()),
        }
    }
}

impl Settings {
    /// The settings in these sources. Nothing is read here; `discord.token_file` is only named.
    ///
    /// # Errors
    /// The first setting that is unknown or malformed.
    pub fn load(sources: &Sources) -> Result<Self, Fault> {
        read::settings(sources)
    }

    /// Every setting with its value and where it comes from, in the order of [`KEYS`].
    pub fn origins(&self) -> &[Setting] {
        &self.origins
    }

    /// The settings file and the `.env`, where they were there.
    pub fn files(&self) -> &[PathBuf] {
        &self.files
    }
}

/// Somebody's text inside a message of ours: one short line.
fn one_line(text: &str) -> String {
    Untrusted::clipped(text).line_within(80)
}

#[cfg(test)]
mod tests;
