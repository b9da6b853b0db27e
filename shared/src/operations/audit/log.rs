//! `audit log`: who asked for what, and what came of it.

use crate::fault::Fault;
use crate::operation::Reported;
use crate::report::{Cell, Report, Table, Text, Tone};
use crate::value::{
    Account, AuditId, ChannelId, GuildId, PageSize, Timestamp, Untrusted, UserId, WindowDays,
};
use clap::Args;
use serde::{Deserialize, Serialize};

/// The audit, newest first: every request of every surface, refusals included
#[derive(Args, Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct AuditLog {
    /// Only what was done to this user
    #[arg(long, value_name = "USER")]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user: Option<UserId>,
    /// Only what this user asked for
    #[arg(long, value_name = "USER")]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<UserId>,
    /// Only requests of this account of the daemon's machine, by name or number
    #[arg(long, value_name = "ACCOUNT")]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub operator: Option<Account>,
    /// Only this operation, as in "setup add-child"
    #[arg(long, value_name = "NAME")]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub operation: Option<Untrusted>,
    /// Only what ended so
    #[arg(long, value_name = "RESULT", value_enum)]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub result: Option<AuditResult>,
    /// How far back, in days (default 30)
    #[arg(long, value_name = "DAYS")]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub days: Option<WindowDays>,
    /// How many at most, 1 to 500 (default 25)
    #[arg(long, value_name = "N")]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<PageSize>,
    /// Go on below this entry, as the page before said
    #[arg(long, value_name = "ENTRY")]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cursor: Option<AuditId>,
}

impl AuditLog {
    /// Whether the filters go together.
    ///
    /// # Errors
    /// Where two say who asked.
    pub fn check(&self) -> Result<(), Fault> {
        match (self.by, &self.operator) {
            (Some(_), Some(_)) => Err(Fault::usage("--by and --operator both say who asked")
                .hint("a member of a guild is named with --by, an account of the machine with --operator")),
            _ => Ok(()),
        }
    }
}

/// How a request ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "snake_case")]
pub enum AuditResult {
    /// It was done.
    Success,
    /// It was tried and failed.
    Error,
    /// The actor might not.
    Denied,
    /// It was begun, and the daemon died before it ended.
    Interrupted,
}

impl AuditResult {
    /// Every result.
    pub const ALL: [Self; 4] = [Self::Success, Self::Error, Self::Denied, Self::Interrupted];

    /// The word for it, as in the store and in JSON.
    pub fn word(self) -> &'static str {
        match self {
            Self::Success => "success",
            Self::Error => "error",
            Self::Denied => "denied",
            Self::Interrupted => "interrupted",
        }
    }

    /// How it stands.
    pub fn tone(self) -> Tone {
        match self {
            Self::Success => Tone::Good,
            Self::Denied => Tone::Warning,
            Self::Error | Self::Interrupted => Tone::Bad,
        }
    }

    /// The result with this word.
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|result| result.word() == word)
    }
}

/// One request in the audit.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct AuditEntry {
    /// The sequence number of its outcome.
    pub sequence: u64,
    /// When.
    pub at: Timestamp,
    /// The operation's words, or what was picked up from a guild's own UI.
    pub operation: String,
    /// `discord`, `console`, `cli`, `gateway` or `scheduler`.
    pub surface: String,
    /// Who: a member's id, an operator's account, or a part of the daemon. Nothing once erased.
    pub actor: Option<Untrusted>,
    /// Where.
    pub guild_id: Option<GuildId>,
    /// In which channel of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub channel_id: Option<ChannelId>,
    /// To whom. Nothing once erased.
    pub target: Option<UserId>,
    /// How it ended.
    pub result: AuditResult,
    /// The kind of fault, where there was one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fault: Option<String>,
    /// The fault's message, where there was one.
    pub message: Option<Untrusted>,
    /// What was asked for, with its `schema`. Nothing once erased, and for what was seen and not asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parameters: Option<serde_json::Value>,
    /// How long it took.
    pub duration_ms: Option<u64>,
    /// Whether only a plan was requested, so that nothing was changed. Not known once the parameters are erased.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub dry_run: bool,
}

impl AuditEntry {
    /// The operation's words, with a mark for a dry run.
    pub fn title(&self) -> String {
        match self.dry_run {
            true => format!("{} (dry run)", self.operation),
            false => self.operation.clone(),
        }
    }

    /// The result as a person reads it: a dry run that went well changed nothing, so it is no success.
    pub fn result_cell(&self) -> Cell {
        match (self.dry_run, self.result) {
            (true, AuditResult::Success) => Cell::toned("planned", Tone::Quiet),
            (_, result) => Cell::toned(result.word(), result.tone()),
        }
    }
}

/// A page of the audit.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct AuditEntries {
    /// Newest first.
    pub entries: Vec<AuditEntry>,
    /// Where the next page starts.
    #[serde(default)]
    pub next: Option<AuditId>,
}

impl Reported for AuditEntries {
    fn report(&self) -> Report {
        let mut table = Table::new(
            ["when (UTC)", "operation", "on", "by", "user", "result", "message"],
            "nothing matches",
        );
        for entry in &self.entries {
            table.push([
                Text::short(entry.at).into(),
                entry.title().into(),
                entry.surface.clone().into(),
                entry.actor.as_ref().map_or_else(|| Text::from("—"), Text::actor).into(),
                Text::from(entry.target.as_ref()).into(),
                entry.result_cell(),
                entry.message.clone().map_or_else(|| Text::from("—"), Text::Prose).into(),
            ]);
        }
        let title = match self.entries.len() {
            1 => "1 audit entry".to_owned(),
            several => format!("{several} audit entries"),
        };
        Report::new(title, Tone::Plain).table(table)
    }

    fn next_cursor(&self) -> Option<String> {
        self.next.map(|id| id.to_string())
    }
}
