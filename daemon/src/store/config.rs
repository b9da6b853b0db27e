//! What each guild has set by `config`, in `guild_settings`.

use super::rows::{Sql, optional};
use super::{Change, StoreError, View};
use rusqlite::{OptionalExtension, params};
use wayhaven_shared::operations::config::GuildConfig;
use wayhaven_shared::value::{GuildId, Timestamp};

impl View<'_> {
    /// What a guild has set; the defaults where we have never heard of it.
    ///
    /// # Errors
    /// Where the store fails.
    pub fn config(&self, guild: GuildId) -> Result<GuildConfig, StoreError> {
        let sql = "SELECT notification_channel_id, notifications_enabled, audit_posted, log_channel_id, staff_role_id,
                mute_role_id
             FROM guild_settings WHERE guild_id = ?1";
        let row = self.connection.prepare_cached(sql)?.query_row([Sql(guild)], |row| {
            Ok(GuildConfig {
                notification_channel_id: optional(row, "notification_channel_id")?,
                notifications: row.get("notifications_enabled")?,
                audit: row.get("audit_posted")?,
                log_channel_id: optional(row, "log_channel_id")?,
                staff_role_id: optional(row, "staff_role_id")?,
                mute_role_id: optional(row, "mute_role_id")?,
            })
        });
        Ok(row.optional()?.unwrap_or_default())
    }

    /// When a guild last set something, where it ever did.
    ///
    /// # Errors
    /// Where the store fails.
    pub fn configured_at(&self, guild: GuildId) -> Result<Option<Timestamp>, StoreError> {
        let sql = "SELECT updated_at FROM guild_settings WHERE guild_id = ?1";
        let row =
            self.connection.prepare_cached(sql)?.query_row([Sql(guild)], |row| optional(row, "updated_at"));
        Ok(row.optional()?.flatten())
    }
}

impl Change<'_> {
    /// Sets everything a guild can set by `config`.
    ///
    /// # Errors
    /// Where the store fails, or refuses what is posted without a channel to post to.
    pub fn configure(&self, guild: GuildId, config: &GuildConfig) -> Result<(), StoreError> {
        self.ensure_guild(guild)?;
        let sql = "UPDATE guild_settings SET notification_channel_id = ?2, notifications_enabled = ?3, audit_posted = ?4,
                 log_channel_id = ?5, staff_role_id = ?6, mute_role_id = ?8, updated_at = ?7 WHERE guild_id = ?1";
        self.connection().prepare_cached(sql)?.execute(params![
            Sql(guild),
            Sql(config.notification_channel_id),
            config.notifications,
            config.audit,
            Sql(config.log_channel_id),
            Sql(config.staff_role_id),
            self.now().millis(),
            Sql(config.mute_role_id),
        ])?;
        Ok(())
    }
}
