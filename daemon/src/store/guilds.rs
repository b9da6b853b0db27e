//! `guild_settings`: the guilds we have heard of, and which are mains.

use super::rows::{Sql, column, optional};
use super::{Change, StoreError, View};
use rusqlite::{OptionalExtension, params};
use std::collections::HashMap;
use wayhaven_shared::event::Change as Changed;
use wayhaven_shared::value::{GuildId, Untrusted, UserId};

/// A guild as the store knows it.
#[derive(Clone, Debug)]
pub struct GuildSettings {
    /// The guild.
    pub guild_id: GuildId,
    /// Its name as last seen.
    pub name: Option<Untrusted>,
    /// Whether it is a main.
    pub is_main: bool,
}

impl View<'_> {
    /// A guild; nothing where we have never heard of it.
    ///
    /// # Errors
    /// Where the store fails.
    pub fn guild(&self, guild: GuildId) -> Result<Option<GuildSettings>, StoreError> {
        let sql = "SELECT guild_id, name, is_main FROM guild_settings WHERE guild_id = ?1";
        let row = self.connection.prepare_cached(sql)?.query_row([Sql(guild)], |row| {
            Ok(GuildSettings {
                guild_id: column(row, "guild_id")?,
                name: optional(row, "name")?,
                is_main: row.get("is_main")?,
            })
        });
        Ok(row.optional()?)
    }
}

impl View<'_> {
    /// Every guild that was heard of, with its name where that is known.
    pub fn named_guilds(&self) -> Result<Vec<(GuildId, Untrusted)>, StoreError> {
        let sql = "SELECT guild_id, name FROM guild_settings WHERE name IS NOT NULL";
        let mut statement = self.connection.prepare_cached(sql)?;
        let mut rows = statement.query([])?;
        let mut guilds = Vec::new();
        while let Some(row) = rows.next()? {
            guilds.push((column(row, "guild_id")?, column(row, "name")?));
        }
        Ok(guilds)
    }

    /// The owners of guilds, as Discord told last.
    ///
    /// # Errors
    /// Where the store fails.
    pub(super) fn owners(&self) -> Result<HashMap<GuildId, UserId>, StoreError> {
        let sql = "SELECT guild_id, owner_id FROM guild_settings WHERE owner_id IS NOT NULL";
        let mut statement = self.connection.prepare_cached(sql)?;
        let rows = statement.query_map([], |row| Ok((column(row, "guild_id")?, column(row, "owner_id")?)))?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    fn owner(&self, guild: GuildId) -> Result<Option<UserId>, StoreError> {
        let sql = "SELECT owner_id FROM guild_settings WHERE guild_id = ?1";
        let mut statement = self.connection.prepare_cached(sql)?;
        Ok(statement.query_row([Sql(guild)], |row| optional(row, "owner_id")).optional()?.flatten())
    }
}

impl Change<'_> {
    /// Remembers a guild's owner. Returns who owned it before, where that was somebody else.
    ///
    /// # Errors
    /// Where the store fails.
    pub fn note_owner(&self, guild: GuildId, owner: UserId) -> Result<Option<UserId>, StoreError> {
        let before = self.owner(guild)?;
        if before == Some(owner) {
            return Ok(None);
        }
        self.ensure_guild(guild)?;
        let sql = "UPDATE guild_settings SET owner_id = ?2 WHERE guild_id = ?1";
        self.connection().prepare_cached(sql)?.execute(params![Sql(guild), Sql(owner)])?;
        self.topology_changed();
        Ok(before)
    }

    /// Makes sure that the guild has a row.
    ///
    /// # Errors
    /// Where the store fails.
    pub fn ensure_guild(&self, guild: GuildId) -> Result<(), StoreError> {
        let sql = "INSERT INTO guild_settings (guild_id, updated_at) VALUES (?1, ?2) ON CONFLICT DO NOTHING";
        self.connection().prepare_cached(sql)?.execute(params![Sql(guild), self.now().millis()])?;
        Ok(())
    }

    /// Remembers a guild's name.
    ///
    /// # Errors
    /// Where the store fails.
    pub fn name_guild(&self, guild: GuildId, name: &Untrusted) -> Result<(), StoreError> {
        self.ensure_guild(guild)?;
        let sql = "UPDATE guild_settings SET name = ?2 WHERE guild_id = ?1 AND name IS NOT ?2";
        self.connection().prepare_cached(sql)?.execute(params![Sql(guild), name.raw()])?;
        Ok(())
    }

    /// Makes a guild a main. Returns whether it was one before.
    ///
    /// # Errors
    /// Where the store fails, or refuses because the guild is a child.
    pub fn make_main(&self, guild: GuildId) -> Result<bool, StoreError> {
        self.ensure_guild(guild)?;
        let sql =
            "UPDATE guild_settings SET is_main = 1, updated_at = ?2 WHERE guild_id = ?1 AND is_main = 0";
        let changed =
            self.connection().prepare_cached(sql)?.execute(params![Sql(guild), self.now().millis()])?;
        if changed > 0 {
            // What its own staff did before was no decision of a network.
            self.follow_audit_log_anew(guild)?;
            self.topology_changed();
            self.tell(&Changed::Network { link: None })?;
        }
        Ok(changed == 0)
    }
}
