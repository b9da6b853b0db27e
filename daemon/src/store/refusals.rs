//! `guild_refusals`: what Discord refuses in a guild although the bot has the permission.

use super::rows::{Sql, column, word};
use super::{Change, StoreError, View};
use rusqlite::{Row, params};
use wayhaven_shared::operations::punishment::Action;
use wayhaven_shared::value::{GuildId, Timestamp};

/// An action that Discord refuses in a guild.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GuildRefusal {
    /// The guild.
    pub guild: GuildId,
    /// The action whose requests are refused.
    pub action: Action,
    /// The likely cause, as the blocked deliveries show it.
    pub reason: String,
    /// What the bot was allowed there when Discord refused.
    pub footing: Option<String>,
    /// Whether deliveries of the action wait. Otherwise one was refused, and others still go.
    pub bars: bool,
    /// How often it was tried again in vain.
    pub probes: u32,
    /// Since when.
    pub since: Timestamp,
    /// When one delivery is tried again.
    pub probe_at: Timestamp,
}

const COLUMNS: &str =
    "SELECT guild_id, action, reason, footing, bars, probes, since, probe_at FROM guild_refusals";

fn refusal(row: &Row<'_>) -> rusqlite::Result<GuildRefusal> {
    Ok(GuildRefusal {
        guild: column(row, "guild_id")?,
        action: word(row, "action", Action::from_word)?,
        reason: row.get("reason")?,
        footing: row.get("footing")?,
        bars: row.get("bars")?,
        probes: row.get("probes")?,
        since: column(row, "since")?,
        probe_at: column(row, "probe_at")?,
    })
}

impl View<'_> {
    /// What Discord refuses: in one guild, or in all.
    ///
    /// # Errors
    /// Where the store fails.
    pub fn refusals(&self, guild: Option<GuildId>) -> Result<Vec<GuildRefusal>, StoreError> {
        let sql = format!("{COLUMNS} WHERE ?1 IS NULL OR guild_id = ?1 ORDER BY guild_id, since, action");
        let mut statement = self.connection.prepare_cached(&sql)?;
        Ok(statement.query_map([Sql(guild)], refusal)?.collect::<Result<_, _>>()?)
    }

    /// Why deliveries of an action wait in the guild; nothing where Discord takes them.
    ///
    /// # Errors
    /// Where the store fails.
    pub fn why_refused(&self, guild: GuildId, action: Action) -> Result<Option<String>, StoreError> {
        let all = self.refusals(Some(guild))?;
        Ok(all.into_iter().find(|one| one.bars && one.action == action).map(|one| one.reason))
    }
}

impl Change<'_> {
    /// Stores what Discord refuses in the guild now, in place of what was stored. What was refused before keeps its beginning.
    ///
    /// # Errors
    /// Where the store fails.
    pub fn replace_refusals(&self, guild: GuildId, now: &[GuildRefusal]) -> Result<(), StoreError> {
        let before = self.refusals(Some(guild))?;
        let sql = "DELETE FROM guild_refusals WHERE guild_id = ?1";
        self.connection().prepare_cached(sql)?.execute([Sql(guild)])?;
        let sql =
            "INSERT INTO guild_refusals (guild_id, action, reason, footing, bars, probes, since, probe_at)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)";
        let mut statement = self.connection().prepare_cached(sql)?;
        for one in now {
            let known = before.iter().find(|known| known.action == one.action);
            let since = known.map_or(one.since, |known| known.since);
            statement.execute(params![
                Sql(guild),
                one.action.word(),
                one.reason,
                one.footing,
                one.bars,
                one.probes,
                since.millis(),
                one.probe_at.millis()
            ])?;
        }
        Ok(())
    }
}
