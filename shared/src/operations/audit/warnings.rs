//! `audit warnings`: the warnings that somebody was given.

use crate::operation::Reported;
use crate::operations::punishment::Punishment;
use crate::report::{Cell, Report, Table, Text, Tone};
use crate::value::{GuildId, PageSize, PunishmentId, UserId};
use clap::Args;
use serde::{Deserialize, Serialize};

/// The warnings that a user was given in this guild, newest first, and how many of them count
#[derive(Args, Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct AuditWarnings {
    /// Whose
    #[arg(value_name = "USER")]
    pub user: UserId,
    /// How many at most, 1 to 500 (default 25)
    #[arg(long, value_name = "N")]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<PageSize>,
    /// Go on below this warning, as the page before said
    #[arg(long, value_name = "PUNISHMENT")]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cursor: Option<PunishmentId>,
}

/// Warnings.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Warnings {
    /// The guild.
    pub guild_id: GuildId,
    /// Whose.
    pub user_id: UserId,
    /// How many count today: those that stand and are recent enough (`config warnings`).
    pub counting: u64,
    /// What follows the next one, where something does.
    #[serde(default)]
    pub next_leads_to: Option<String>,
    /// Newest first.
    pub warnings: Vec<Punishment>,
    /// Where the next page starts.
    #[serde(default)]
    pub next: Option<PunishmentId>,
}

impl Reported for Warnings {
    fn report(&self) -> Report {
        let mut table = Table::new(["id", "when (UTC)", "status", "by", "reason"], "none was given");
        for one in &self.warnings {
            table.push([
                one.id.to_string().into(),
                Text::short(one.created_at).into(),
                one.status.clone().into(),
                one.by().into(),
                Cell::from(one.reason.as_ref()),
            ]);
        }
        let counting = match self.counting {
            1 => "1 warning counts".to_owned(),
            several => format!("{several} warnings count"),
        };
        let tone = if self.counting == 0 { Tone::Plain } else { Tone::Warning };
        let title = Text::from(format!("{counting} against user ")) + self.user_id;
        let mut report = Report::new(title, tone).field("Guild", self.guild_id);
        if let Some(next) = &self.next_leads_to {
            report = report.field("Next one", next.clone());
        }
        report.table(table)
    }

    fn next_cursor(&self) -> Option<String> {
        self.next.map(|id| id.to_string())
    }
}
