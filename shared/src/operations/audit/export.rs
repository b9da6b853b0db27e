//! `audit export`: the audit as a file.

use crate::operation::Reported;
use crate::operations::sync::ListFormat;
use crate::report::{Report, Text, Tone};
use crate::value::{GuildId, NewFile, UploadId, UserId, WindowDays};
use clap::Args;
use serde::{Deserialize, Serialize};

/// Write the audit as a file, oldest first: what was asked for, by whom, and what came of it
///
/// On Discord, and with --guild, what was asked for in that guild; otherwise all there is.
#[derive(Args, Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct AuditExport {
    /// How it is written (default json)
    #[arg(long, value_name = "FORMAT", value_enum)]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub format: Option<ListFormat>,
    /// How far back, in days (default all)
    #[arg(long, value_name = "DAYS")]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub days: Option<WindowDays>,
    /// Only what was done to this user, or asked for by them
    #[arg(long, value_name = "USER")]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user: Option<UserId>,
    /// The file it is written to, which must not be there yet (default -: standard output)
    #[arg(long, value_name = "FILE")]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub output: Option<NewFile>,
}

/// An audit that was written.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct AuditExported {
    /// The guild that it is about; nothing for all of them.
    #[serde(default)]
    pub guild_id: Option<GuildId>,
    /// How it is written.
    pub format: ListFormat,
    /// How many entries it has.
    pub entries: u64,
    /// Its length in bytes.
    pub bytes: u64,
    /// Where the daemon keeps it, an hour at most; nothing for a plan.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub file: Option<UploadId>,
    /// Whether only the plan was asked for.
    pub dry_run: bool,
}

impl Reported for AuditExported {
    fn report(&self) -> Report {
        let entries =
            if self.entries == 1 { "1 entry".to_owned() } else { format!("{} entries", self.entries) };
        let title = match self.dry_run {
            true => format!("nothing was written: it would have {entries}"),
            false => format!("the audit, {entries}"),
        };
        Report::new(title, Tone::Good)
            .field("Guild", self.guild_id.map_or_else(|| Text::from("all"), Text::from))
            .field("Format", self.format.word())
            .field("Bytes", self.bytes.to_string())
    }
}
