//! `sync export`: the bans of a guild as a list.

use crate::operation::Reported;
use crate::report::{Cell, Report, Tone};
use crate::value::{GuildId, NewFile, UploadId};
use clap::{Args, ValueEnum};
use serde::{Deserialize, Serialize};

/// Write the bans of this guild as a list that sync import reads
///
/// Discord may show its own list a page of 1,000 a minute. The list is waited for as long as that takes; asked for again
/// meanwhile, the same one is joined.
#[derive(Args, Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct SyncExport {
    /// How it is written (default csv)
    #[arg(long, value_name = "FORMAT", value_enum)]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub format: Option<ListFormat>,
    /// Whose list: the bans decided here with Wayhaven, or Discord's own (default ours)
    #[arg(long, value_name = "SOURCE", value_enum)]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<ListSource>,
    /// The file it is written to, which must not be there yet (default -: standard output)
    #[arg(long, value_name = "FILE")]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub output: Option<NewFile>,
}

/// How a list is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ValueEnum)]
#[serde(rename_all = "snake_case")]
pub enum ListFormat {
    /// A table for spreadsheets and other bots.
    #[default]
    Csv,
    /// A JSON object with a list in it, for programs.
    Json,
}

impl ListFormat {
    /// The word for it, which is also what the file's name ends with.
    pub fn word(self) -> &'static str {
        match self {
            Self::Csv => "csv",
            Self::Json => "json",
        }
    }
}

/// Whose list it is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ValueEnum)]
#[serde(rename_all = "snake_case")]
pub enum ListSource {
    /// The active bans that were decided in this guild and are known to Wayhaven.
    #[default]
    Ours,
    /// The guild's ban list at Discord.
    Discord,
}

/// A list that was written.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Exported {
    /// The guild.
    pub guild_id: GuildId,
    /// How it is written.
    pub format: ListFormat,
    /// Whose list it is.
    pub source: ListSource,
    /// How many bans it has.
    pub bans: u64,
    /// Its length in bytes.
    pub bytes: u64,
    /// Where the daemon keeps it, an hour at most; nothing for a plan.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub file: Option<UploadId>,
    /// How many entries of Discord's list were skipped, because Discord did not name their user.
    #[serde(default)]
    pub unreadable: u64,
    /// Whether only the plan was asked for.
    pub dry_run: bool,
}

impl Reported for Exported {
    fn report(&self) -> Report {
        let bans = if self.bans == 1 { "1 ban".to_owned() } else { format!("{} bans", self.bans) };
        let title = match self.dry_run {
            true => format!("nothing was written: the list would have {bans}"),
            false => format!("a list of {bans}"),
        };
        let source = match self.source {
            ListSource::Ours => "decided here with Wayhaven",
            ListSource::Discord => "Discord's own list",
        };
        let tone = if self.unreadable > 0 { Tone::Warning } else { Tone::Good };
        let report = Report::new(title, tone)
            .field("Guild", self.guild_id)
            .field("Bans", source)
            .field("Format", self.format.word())
            .field("Bytes", self.bytes.to_string());
        unreadable_entries(report, self.unreadable)
    }
}

/// A report that also says how many entries of Discord's own list were skipped.
pub(in crate::operations) fn unreadable_entries(report: Report, count: u64) -> Report {
    match count {
        0 => report,
        _ => report.field("Skipped entries of Discord's list", Cell::toned(count.to_string(), Tone::Warning)),
    }
}
