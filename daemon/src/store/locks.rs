//! What a guild has decided about its network: its lock, its security level, and that it is a main no more.

use super::rows::{Sql, column, odd};
use super::{Change, StoreError, View};
use rusqlite::{OptionalExtension, params};
use std::collections::HashSet;
use wayhaven_shared::event::Change as Changed;
use wayhaven_shared::operations::setup::SecurityLevel;
use wayhaven_shared::value::GuildId;

impl View<'_> {
    /// The guilds whose links are locked.
    ///
    /// # Errors
    /// Where the store fails.
    pub fn locked_guilds(&self) -> Result<HashSet<GuildId>, StoreError> {
        let sql = "SELECT guild_id FROM guild_settings WHERE relationship_lock_enabled = 1";
        let mut statement = self.connection.prepare_cached(sql)?;
        Ok(statement.query_map([], |row| column(row, "guild_id"))?.collect::<Result<_, _>>()?)
    }

    /// Whether a guild's links are locked.
    ///
    /// # Errors
    /// Where the store fails.
    pub fn is_locked(&self, guild: GuildId) -> Result<bool, StoreError> {
        let sql = "SELECT relationship_lock_enabled FROM guild_settings WHERE guild_id = ?1";
        let locked = self.connection.prepare_cached(sql)?.query_row([Sql(guild)], |row| row.get(0));
        Ok(locked.optional()?.unwrap_or(false))
    }

    /// A guild's security level; the least strict where it has set none.
    ///
    /// # Errors
    /// Where the store fails.
    pub fn security_level(&self, guild: GuildId) -> Result<SecurityLevel, StoreError> {
        let sql = "SELECT security_level FROM guild_settings WHERE guild_id = ?1";
        let mut statement = self.connection.prepare_cached(sql)?;
        let word: Option<String> = statement.query_row([Sql(guild)], |row| row.get(0)).optional()?;
        let read = |word: String| SecurityLevel::from_word(&word).ok_or_else(|| odd("security_level"));
        Ok(word.map(read).transpose()?.unwrap_or_default())
    }
}

impl Change<'_> {
    /// Locks a guild's links, or unlocks them. Whether that is new.
    ///
    /// # Errors
    /// Where the store fails.
    pub fn set_lock(&self, guild: GuildId, locked: bool) -> Result<bool, StoreError> {
        self.ensure_guild(guild)?;
        let sql = "UPDATE guild_settings SET relationship_lock_enabled = ?2, updated_at = ?3
             WHERE guild_id = ?1 AND relationship_lock_enabled <> ?2";
        let values = params![Sql(guild), locked, self.now().millis()];
        let changed = self.connection().prepare_cached(sql)?.execute(values)? > 0;
        if changed {
            self.tell(&Changed::Network { link: None })?;
        }
        Ok(changed)
    }

    /// Sets a guild's security level, with the consent of its children.
    ///
    /// # Errors
    /// Where the store fails, or the guild is locked.
    pub fn set_security_level(&self, guild: GuildId, level: SecurityLevel) -> Result<(), StoreError> {
        self.set_security_level_for(guild, level, None).map(drop)
    }

    /// Sets a guild's security level. Of its children those agree to it at once that are listed, or all where there is no
    /// list; the others, in which it does not hold yet.
    ///
    /// # Errors
    /// Where the store fails, or the guild is locked.
    pub fn set_security_level_for(
        &self,
        guild: GuildId,
        level: SecurityLevel,
        agrees: Option<&[GuildId]>,
    ) -> Result<Vec<GuildId>, StoreError> {
        self.ensure_guild(guild)?;
        let sql = "UPDATE guild_settings SET security_level = ?2, updated_at = ?3
             WHERE guild_id = ?1 AND security_level <> ?2";
        let values = params![Sql(guild), level.word(), self.now().millis()];
        if self.connection().prepare_cached(sql)?.execute(values)? > 0 {
            self.tell(&Changed::Network { link: None })?;
        }
        self.ask_for_level(guild, level, |child| agrees.is_none_or(|agreeing| agreeing.contains(&child)))
    }

    /// Makes a guild a main no more. Its links have to be closed before: the caller looks.
    ///
    /// # Errors
    /// Where the store fails, or the guild is locked.
    pub fn unmake_main(&self, guild: GuildId) -> Result<(), StoreError> {
        let sql =
            "UPDATE guild_settings SET is_main = 0, updated_at = ?2 WHERE guild_id = ?1 AND is_main = 1";
        if self.connection().prepare_cached(sql)?.execute(params![Sql(guild), self.now().millis()])? > 0 {
            self.topology_changed();
            self.tell(&Changed::Network { link: None })?;
        }
        Ok(())
    }
}
