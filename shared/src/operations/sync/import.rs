//! `sync import`: a list of bans from elsewhere becomes bans of a main.

use crate::operation::Reported;
use crate::report::{Cell, Report, Table, Tone};
use crate::value::{FileName, GuildId, HoldId, Untrusted};
use clap::Args;
use serde::{Deserialize, Serialize};

/// Take over a list of bans: CSV or JSON, ours, Discord's or another bot's
///
/// It is banned in the main, and what goes to the children is held until it is approved. --dry-run shows what would be
/// done: which rows are new, already so, protected, named twice, unusable.
#[derive(Args, Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SyncImport {
    /// The file: a user id on each line, a table with a column user_id, or a JSON list
    #[arg(value_name = "FILE")]
    pub file: FileName,
    /// Deliver to the children at once; operators only
    #[arg(long)]
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub apply: bool,
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
    /// A row before names the same user.
    Duplicate,
    /// It names no user, or says something that cannot be kept.
    Invalid,
    /// There are more rows than an import takes.
    Over,
}

impl Fate {
    /// Every fate, in the order in which they are shown.
    pub const ALL: [Self; 6] =
        [Self::New, Self::Already, Self::Protected, Self::Duplicate, Self::Invalid, Self::Over];

    /// The words for it.
    pub fn words(self) -> &'static str {
        match self {
            Self::New => "new",
            Self::Already => "already banned by this main",
            Self::Protected => "protected",
            Self::Duplicate => "named twice",
            Self::Invalid => "unusable",
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

/// What an import has done, or would do.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Imported {
    /// The main.
    pub main_guild_id: GuildId,
    /// The file's name.
    pub file: Untrusted,
    /// What it was: `CSV` or `JSON`.
    pub format: String,
    /// The rows by what becomes of them.
    pub rows: Vec<Rows>,
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
            (0, _) => ("nothing of this list is new".to_owned(), Tone::Quiet),
            (_, true) => (format!("nothing was changed: {} would be banned", users(new)), Tone::Plain),
            (_, false) => (format!("{} imported", users(new)), Tone::Good),
        };
        let mut report = Report::new(title, tone)
            .field("Main", self.main_guild_id)
            .field("File", format!("{} ({})", self.file.line_within(60), self.format));
        let mut table = Table::new(["what", "line", "row", "why"], "");
        for rows in &self.rows {
            let tone = match rows.fate {
                Fate::Invalid | Fate::Over => Tone::Warning,
                _ => Tone::Plain,
            };
            report = report.field(rows.fate.words(), Cell::toned(rows.count.to_string(), tone));
            for example in &rows.first {
                table.push([
                    rows.fate.words().into(),
                    example.line.to_string().into(),
                    example.value.line_within(60).into(),
                    example.why.clone().unwrap_or_else(|| "—".into()).into(),
                ]);
            }
        }
        if self.adopted > 0 {
            report = report.field("Banned there before", self.adopted.to_string());
        } else if self.dry_run && new > 0 && !self.adopted_known {
            report = report.field("Banned there before", "not known: the guild's ban list is long");
        }
        if new > 0 && self.children > 0 {
            let children =
                if self.children == 1 { "1 child".into() } else { format!("{} children", self.children) };
            report = report.field("Goes to", children);
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
