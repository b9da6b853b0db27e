//! `sync import`: a list of bans from elsewhere becomes bans of a main.

use super::export::unreadable_entries;
use crate::operation::Reported;
use crate::report::{Cell, Report, Table, Text, Tone};
use crate::value::{FileName, GuildId, HoldId, Untrusted};
use clap::Args;
use serde::{Deserialize, Serialize};

/// Take over a list of bans: CSV or JSON, ours, Discord's or another bot's
///
/// New users are banned in the main. The deliveries to the children are held until sync approve sends them. --dry-run shows
/// what an import would do with each row, and which columns are read and which are ignored. Warnings, kicks and bans that
/// were lifted or have ended are counted and not imported. A row that may be read in two ways is rejected with its line,
/// and its user is not banned by another row, unless that row has a later date. A file with a column that is not
/// understood and may say that a ban ends, was lifted or is none is refused: rename the column, or add --ignore-column.
#[derive(Args, Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SyncImport {
    /// The file: a user id on each line, a table with a column user_id, or a JSON list
    #[arg(value_name = "FILE")]
    pub file: FileName,
    /// Deliver to the children at once; operators only
    #[arg(long)]
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub apply: bool,
    /// Do not read this column, or key of a JSON object; may be given several times
    #[arg(long, value_name = "NAME", action = clap::ArgAction::Append)]
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub ignore_column: Vec<Untrusted>,
}

/// What becomes of a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Fate {
    /// It becomes a ban.
    New,
    /// The main has an active ban of the user.
    Already,
    /// The user is protected.
    Protected,
    /// The user is the bot, an owner, an administrator or other staff: their ban is rejected.
    Staff,
    /// Another row of the same user lasts at least as long.
    Duplicate,
    /// The ban has ended.
    Ended,
    /// The ban was lifted: a later row or the row's own status says so.
    Cancelled,
    /// It is no ban: a warning, a kick, an unban.
    OtherType,
    /// It names no user, or says something that is not understood.
    Invalid,
    /// There are more rows than an import takes.
    Over,
}

impl Fate {
    /// Every fate, in the order in which they are shown.
    pub const ALL: [Self; 10] = [
        Self::New,
        Self::Already,
        Self::Protected,
        Self::Staff,
        Self::Duplicate,
        Self::Ended,
        Self::Cancelled,
        Self::OtherType,
        Self::Invalid,
        Self::Over,
    ];

    /// The words for it.
    pub fn words(self) -> &'static str {
        match self {
            Self::New => "new",
            Self::Already => "already banned by this main",
            Self::Protected => "protected",
            Self::Staff => "rejected: our own staff or bot",
            Self::Duplicate => "named twice",
            Self::Ended => "ended",
            Self::Cancelled => "lifted",
            Self::OtherType => "no ban",
            Self::Invalid => "rejected: unusable",
            Self::Over => "beyond what one import takes",
        }
    }
}

/// How many rows there are of a fate, and the first of them.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Rows {
    /// Which.
    pub fate: Fate,
    /// How many.
    pub count: u64,
    /// The first twenty.
    pub first: Vec<Example>,
}

/// One row of the file.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Example {
    /// The line it begins on, from 1.
    pub line: u64,
    /// The user, or what stands there instead.
    pub value: Untrusted,
    /// Why, where the fate does not say it all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
}

/// A column of the list that is read.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ColumnRead {
    /// Its name in the file.
    pub name: Untrusted,
    /// Its meaning: `user`, `reason`, `end`, `length`, `date`, `type`, `status` and so on.
    pub meaning: String,
}

/// The columns of the list, or the keys of its JSON objects.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct ListColumns {
    /// Those that are read.
    pub read: Vec<ColumnRead>,
    /// Those that are ignored.
    pub ignored: Vec<Untrusted>,
    /// Those that are ignored because the request said so.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub ignored_on_request: Vec<Untrusted>,
}

impl ListColumns {
    fn report(&self, report: Report) -> Report {
        const SHOWN: usize = 12;
        let shown = |names: Vec<String>| {
            let more = names.len().saturating_sub(SHOWN);
            let mut text = names.into_iter().take(SHOWN).collect::<Vec<_>>().join(", ");
            if more > 0 {
                text.push_str(&format!(" and {more} more"));
            }
            if text.is_empty() { "none".to_owned() } else { text }
        };
        if self.read.is_empty() && self.ignored.is_empty() && self.ignored_on_request.is_empty() {
            return report;
        }
        let read = self.read.iter().map(|one| format!("{} ({})", one.name.line_within(30), one.meaning));
        let on_request =
            self.ignored_on_request.iter().map(|name| format!("{} (on request)", name.line_within(30)));
        let ignored = on_request.chain(self.ignored.iter().map(|name| name.line_within(30)));
        let read = shown(read.collect());
        let ignored = shown(ignored.collect());
        // Their names are from the file.
        let theirs = |text: String| Cell::from(Text::Theirs(Untrusted::clipped(&text)));
        report.field("Columns read", theirs(read)).field("Columns ignored", theirs(ignored))
    }
}

/// What an import has done, or would do.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Imported {
    /// The main.
    pub main_guild_id: GuildId,
    /// The file's name.
    pub file: Untrusted,
    /// What it was: `CSV` or `JSON`.
    pub format: String,
    /// Which of its columns are read.
    #[serde(default)]
    pub columns: ListColumns,
    /// How many rows were read: each is counted once in `rows`.
    #[serde(default)]
    pub total: u64,
    /// The rows by what becomes of them.
    pub rows: Vec<Rows>,
    /// The guilds whose staff could not be read: there a row that names staff is not found.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub staff_unknown: Vec<GuildId>,
    /// How many of the new ones are bots, or may be because Discord did not tell: what their bans
    /// send to the children waits for an approval of its own.
    #[serde(default)]
    pub bots: u64,
    /// How many entries of the main's ban list at Discord were skipped, because Discord did not name their user.
    #[serde(default)]
    pub unreadable: u64,
    /// Of the new ones, those that the main's guild has banned by itself before: they are taken over without a request.
    #[serde(default)]
    pub adopted: u64,
    /// Whether that could be known: a plan does not read a long list of bans.
    #[serde(default)]
    pub adopted_known: bool,
    /// Whether what goes to the children is delivered without waiting for an approval.
    pub apply: bool,
    /// How many children it goes to.
    pub children: u64,
    /// The hold that what goes to the children came into, where something did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hold: Option<HoldId>,
    /// How many deliveries came into it.
    #[serde(default)]
    pub held: u64,
    /// Whether they wait for an approval, or would.
    #[serde(default)]
    pub waits: bool,
    /// Whether only the plan was asked for.
    pub dry_run: bool,
}

impl Imported {
    /// How many rows have this fate.
    pub fn count(&self, fate: Fate) -> u64 {
        self.rows.iter().find(|rows| rows.fate == fate).map_or(0, |rows| rows.count)
    }
}

impl Reported for Imported {
    fn report(&self) -> Report {
        let new = self.count(Fate::New);
        let users = |count: u64| if count == 1 { "1 user".to_owned() } else { format!("{count} users") };
        let (title, tone) = match (new, self.dry_run) {
            (0, _) if self.total > 0 && self.count(Fate::Invalid) == self.total => {
                let words = match self.total {
                    1 => "the only row of this list was rejected".to_owned(),
                    total => format!("all {total} rows of this list were rejected"),
                };
                (format!("Nobody is banned: {words}"), Tone::Bad)
            }
            (0, _) if self.count(Fate::Invalid) > 0 => {
                let rejected = self.count(Fate::Invalid);
                (
                    format!(
                        "Nobody is banned: {rejected} of {} rows were rejected, and no other is new",
                        self.total
                    ),
                    Tone::Warning,
                )
            }
            (0, _) => ("nothing of this list is new".to_owned(), Tone::Quiet),
            (_, true) => (format!("nothing was changed: {} would be banned", users(new)), Tone::Plain),
            (_, false) => (format!("{} imported", users(new)), Tone::Good),
        };
        let mut report = Report::new(title, tone)
            .field("Main", self.main_guild_id)
            .field("File", format!("{} ({})", self.file.line_within(60), self.format));
        report = self.columns.report(report).field("Rows", self.total.to_string());
        let mut table = Table::new(["what", "line", "row", "why"], "");
        for rows in &self.rows {
            let tone = match rows.fate {
                Fate::Invalid | Fate::Over | Fate::Staff => Tone::Warning,
                _ => Tone::Plain,
            };
            report = report.field(rows.fate.words(), Cell::toned(rows.count.to_string(), tone));
            for example in &rows.first {
                table.push([
                    rows.fate.words().into(),
                    example.line.to_string().into(),
                    example.value.line_within(60).into(),
                    // It may repeat what stands in the file.
                    Text::from(example.why.as_deref().map(Untrusted::clipped).as_ref()).into(),
                ]);
            }
        }
        if self.adopted > 0 {
            report = report.field("Banned there before", self.adopted.to_string());
        } else if self.dry_run && new > 0 && !self.adopted_known {
            report = report.field("Banned there before", "not known: the guild's ban list is long");
        }
        report = unreadable_entries(report, self.unreadable);
        if !self.staff_unknown.is_empty() && new > 0 {
            let guilds: Vec<String> = self.staff_unknown.iter().take(5).map(ToString::to_string).collect();
            let more = self.staff_unknown.len().saturating_sub(guilds.len());
            let mut guilds = guilds.join(", ");
            if more > 0 {
                guilds.push_str(&format!(" and {more} more"));
            }
            report = report.field("Staff not checked in", Cell::toned(guilds, Tone::Warning)).hint(
                "the list may name staff of these guilds: check its users before you approve what goes to the children",
            );
        }
        if new > 0 && self.children > 0 {
            let children =
                if self.children == 1 { "1 child".into() } else { format!("{} children", self.children) };
            report = report.field("Goes to", children);
        }
        if self.bots > 0 && self.children > 0 {
            let held = format!("{}: their bans need an approval of their own for the children", self.bots);
            report = report.field("Bots or unknown accounts", Cell::toned(held, Tone::Waiting));
        }
        report = match (self.hold, self.waits) {
            (Some(id), true) => {
                let held = match self.held {
                    1 => format!("1 delivery, in hold {id}"),
                    held => format!("{held} deliveries, in hold {id}"),
                };
                report
                    .field("Held", Cell::toned(held, Tone::Waiting))
                    .hint(format!("sync approve {id} sends it to the children; sync discard {id} never does"))
            }
            (Some(_), false) => report
                .field("On their way", self.held.to_string())
                .hint("sync status shows what becomes of the deliveries"),
            (None, true) if self.dry_run && new > 0 && self.children > 0 => {
                report.hint("what goes to the children would be held: sync approve sends it")
            }
            (None, _) => report,
        };
        if self.count(Fate::Over) > 0 {
            report = report
                .hint("raise network.import_cap in the settings, or import the rest as a file of its own");
        }
        report.table(table)
    }
}
