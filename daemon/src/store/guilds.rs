//! `guild_settings`: what each guild has set, and its name as last seen.

use super::rows::{Sql, column, optional};
use super::{Change, StoreError, View};
use rusqlite::{OptionalExtension, params};
use wayhaven_shared::event::Change as Changed;
use wayhaven_shared::value::{ChannelId, GuildId, RoleId, Untrusted};

/// What a guild has set.
#[derive(Clone, Debug)]
pub struct GuildSettings {
    /// The guild.
    pub guild_id: GuildId,
    /// Its name as last seen.
    pub name: Option<Untrusted>,
    /// Whether it is a main.
    pub is_main: bool,
    /// Where alerts and late results go.
    pub log_channel: Option<ChannelId>,
    /// The role that counts as staff.
    pub staff_role: Option<RoleId>,
}

impl View<'_> {
    /// A guild's settings; nothing where we have never heard of it.
    ///
    /// # Errors
    /// Where the store fails.
    pub fn guild(&self, guild: GuildId) -> Result<Option<GuildSettings>, StoreError> {
        let sql = "SELECT guild_id, name, is_main, log_channel_id, staff_role_id FROM guild_settings WHERE guild_id = ?1";
        let row = self.connection.prepare_cached(sql)?.query_row([Sql(guild)], |row| {
            Ok(GuildSettings {
                guild_id: column(row, "guild_id")?,
                name: optional(row, "name")?,
                is_main: row.get("is_main")?,
                log_channel: optional(row, "log_channel_id")?,
                staff_role: optional(row, "staff_role_id")?,
            })
        });
        Ok(row.optional()?)
    }
}

impl Change<'_> {
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

    /// Sets where a guild's alerts and late results go.
    ///
    /// # Errors
    /// Where the store fails.
    pub fn set_log_channel(&self, guild: GuildId, channel: ChannelId) -> Result<(), StoreError> {
        self.ensure_guild(guild)?;
        let sql = "UPDATE guild_settings SET log_channel_id = ?2, updated_at = ?3 WHERE guild_id = ?1";
        self.connection().prepare_cached(sql)?.execute(params![
            Sql(guild),
            Sql(channel),
            self.now().millis()
        ])?;
        Ok(())
    }
}
