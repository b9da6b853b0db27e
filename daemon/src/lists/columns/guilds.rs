//! The guilds that the bans of a list belong to.
//!
//! A list of one guild is that of the guild somebody moves from, whatever its id. Of a list of
//! several guilds only the bans of the main are imported: the others are decisions of guilds that
//! have nothing to do with this network.

use super::names::Field;
use super::{flag_value, shown};
use crate::lists::values;
use std::collections::{BTreeMap, BTreeSet};
use wayhaven_shared::Fault;
use wayhaven_shared::value::{GuildId, Untrusted};

/// How many guilds of one column are kept, and how many a refusal shows.
const MOST_KEPT: usize = 1_000;
const SHOWN_GUILDS: usize = 4;

/// The columns that name guilds, each with the guilds in it.
#[derive(Clone, Debug, Default)]
pub(super) struct Guilds {
    columns: BTreeMap<String, BTreeSet<String>>,
    /// The main, where the list holds bans of several guilds, and the columns that tell which.
    only: Option<(GuildId, Vec<String>)>,
    /// The guilds of lines that begin a part of the list.
    parts: BTreeSet<String>,
}

impl Guilds {
    /// Notes a column.
    pub(super) fn column(&mut self, name: &str, field: Field, tokens: &[&str], joined: &str) {
        if field != Field::Ignored && names_guild(tokens, joined) {
            self.columns.entry(name.to_owned()).or_default();
        }
    }

    /// Notes a value of a column.
    pub(super) fn value(&mut self, name: &str, value: &str) {
        let Some(guilds) = self.columns.get_mut(name) else { return };
        if let Some(guild) = guild(value).filter(|_| guilds.len() < MOST_KEPT) {
            guilds.insert(guild);
        }
    }

    /// Decides whose bans are read.
    ///
    /// # Errors
    /// Where the list holds bans of several guilds, and none of them is the main.
    pub(super) fn check(&mut self, main: GuildId) -> Result<(), Fault> {
        if self.parts.len() > 1 {
            let first: Vec<String> = self.parts.iter().take(SHOWN_GUILDS).map(|part| shown(part)).collect();
            return Err(Fault::usage(format!(
                "the list has parts for {} guilds ({})",
                self.parts.len(),
                first.join(", ")
            ))
            .hint("save the part of the guild whose bans you want as a file of its own"));
        }
        let is_id = |guild: &String| values::id_alone(guild).is_some();
        let has_ids = self.columns.values().any(|guilds| guilds.iter().any(is_id));
        // Beside ids a name decides nothing: guilds are renamed.
        let columns = self.columns.iter().filter(|(_, guilds)| !has_ids || guilds.iter().any(is_id));
        let several: Vec<_> = columns.filter(|(_, guilds)| guilds.len() > 1).collect();
        let own = main.to_string();
        if let Some((name, guilds)) = several.iter().find(|(_, guilds)| !guilds.contains(&own)) {
            let first: Vec<String> = guilds.iter().take(SHOWN_GUILDS).map(|guild| shown(guild)).collect();
            let count = match guilds.len() {
                MOST_KEPT => format!("{MOST_KEPT} guilds or more"),
                count => format!("{count} guilds"),
            };
            let more = if guilds.len() > first.len() { ", …" } else { "" };
            return Err(Fault::usage(format!(
                "the list holds records of {count}, by its column {:?} ({}{more}), and none of them is the main {main}",
                shown(name),
                first.join(", ")
            ))
            .hint("save the rows of the guild whose bans you want as a file of its own")
            .hint(format!("or add --ignore-column={} to import the bans of all these guilds", flag_value(name))));
        }
        let several: Vec<String> = several.into_iter().map(|(name, _)| name.clone()).collect();
        self.only = (!several.is_empty()).then_some((main, several));
        Ok(())
    }

    /// Whether rows of some guilds are left out.
    pub(super) fn are_chosen(&self) -> bool {
        self.only.is_some()
    }

    /// Why a row with this value is left out.
    pub(super) fn is_other(&self, name: &str, value: &str) -> Option<String> {
        let (main, _) = self.only.as_ref().filter(|(_, columns)| columns.iter().any(|one| one == name))?;
        let other = guild(value).filter(|guild| *guild != main.to_string())?;
        Some(format!(
            "its {} is {}, and of the several guilds in this list only the main's bans are imported",
            shown(name),
            shown(&other)
        ))
    }
}

/// A guild as a value names it.
fn guild(value: &str) -> Option<String> {
    if values::says_nothing(value) {
        return None;
    }
    let alone = values::id_alone(value).map(|id| id.to_string());
    Some(alone.unwrap_or_else(|| Untrusted::clipped(value.trim()).line_within(64).to_lowercase()))
}

/// Whether a column names the guild of its row.
fn names_guild(tokens: &[&str], joined: &str) -> bool {
    const GUILDS: [&str; 3] = ["guild", "server", "community"];
    const BESIDE: [&str; 16] = [
        "guild",
        "server",
        "id",
        "name",
        "discord",
        "the",
        "of",
        "origin",
        "source",
        "from",
        "snowflake",
        "in",
        "ban",
        "banned",
        "home",
        "community",
    ];
    (tokens.iter().any(|token| GUILDS.contains(token)) && tokens.iter().all(|token| BESIDE.contains(token)))
        || ["guildid", "serverid", "guildname", "servername", "guildsnowflake", "bannedin", "bannedfrom"]
            .contains(&joined)
}

impl super::Columns {
    /// Whether a column or an object of this name is about the guild of its row.
    pub(in super::super) fn is_of_guild(&self, name: &str) -> bool {
        self.guilds.columns.contains_key(name)
    }

    /// Notes the guild that an object stands for.
    pub(in super::super) fn guild(&mut self, name: &str, value: &str) {
        self.guilds.value(name, value);
    }

    /// Notes a line that begins the part of a guild.
    pub(in super::super) fn part_of_guild(&mut self, line: &str) {
        let id = values::ids_in(line.as_bytes()).next().map(|id| id.to_string());
        let part = id.unwrap_or_else(|| Untrusted::clipped(line).line_within(64).to_lowercase());
        if self.guilds.parts.len() < MOST_KEPT {
            self.guilds.parts.insert(part);
        }
    }

    /// Whether rows are left out by what other columns than those of the ban say.
    pub(in super::super) fn selects_rows(&self) -> bool {
        self.needs_proof() || self.guilds.are_chosen()
    }

    /// Why a row with this value is left out: it is of another guild.
    pub(in super::super) fn other_guild(&self, name: &str, value: &str) -> Option<String> {
        self.guilds.is_other(name, value)
    }
}
