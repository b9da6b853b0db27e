//! What each guild has set by `config`, in `guild_settings`.

use super::rows::{Sql, column, optional};
use super::{Change, StoreError, View};
use rusqlite::{OptionalExtension, params};
use wayhaven_shared::operations::config::GuildConfig;
use wayhaven_shared::value::{GuildId, RoleId, Timestamp, UserId};

/// That the guild's own staff have not given its mute role to the user of a punishment `p` themselves.
const NOT_LOCAL: &str = "NOT EXISTS (SELECT 1 FROM local_causes own
    WHERE own.guild_id = ?1 AND own.user_id = p.target_user AND own.measure = 'mute')";

impl View<'_> {
    /// What a guild has set; the defaults where we have never heard of it.
    ///
    /// # Errors
    /// Where the store fails.
    pub fn config(&self, guild: GuildId) -> Result<GuildConfig, StoreError> {
        let sql = "SELECT notification_channel_id, notifications_enabled, audit_posted, log_channel_id, staff_role_id,
                mute_role_id, warning_steps, warning_span
             FROM guild_settings WHERE guild_id = ?1";
        let row = self.connection.prepare_cached(sql)?.query_row([Sql(guild)], |row| {
            Ok(GuildConfig {
                notification_channel_id: optional(row, "notification_channel_id")?,
                notifications: row.get("notifications_enabled")?,
                audit: row.get("audit_posted")?,
                log_channel_id: optional(row, "log_channel_id")?,
                staff_role_id: optional(row, "staff_role_id")?,
                mute_role_id: optional(row, "mute_role_id")?,
                warnings: optional(row, "warning_steps")?.unwrap_or_default(),
                warnings_within: optional(row, "warning_span")?,
            })
        });
        Ok(row.optional()?.unwrap_or_default())
    }

    /// Roles with which the guild muted the user while they were its mute role.
    ///
    /// # Errors
    /// Where the store fails.
    pub fn former_mute_roles(&self, guild: GuildId, user: UserId) -> Result<Vec<RoleId>, StoreError> {
        let sql = "SELECT role_id FROM former_mute_roles WHERE guild_id = ?1 AND user_id = ?2";
        let mut statement = self.connection.prepare_cached(sql)?;
        let rows = statement.query_map(params![Sql(guild), Sql(user)], |row| column(row, "role_id"))?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// Whether a mute of ours, asked for and not seen, gave the user the guild's mute role, or may have.
    ///
    /// # Errors
    /// Where the store fails.
    pub fn was_muted_by_us(&self, guild: GuildId, user: UserId) -> Result<bool, StoreError> {
        let sql = "SELECT EXISTS (SELECT 1 FROM deliveries WHERE guild_id = ?1 AND target_user = ?2 AND measure = 'mute'
                AND action = 'mute' AND attempts > 0 AND (state = 'applied' OR sent = 1))";
        let mut statement = self.connection.prepare_cached(sql)?;
        Ok(statement.query_row(params![Sql(guild), Sql(user)], |row| row.get(0))?)
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
        if let Some(former) =
            self.config(guild)?.mute_role_id.filter(|role| config.mute_role_id != Some(*role))
        {
            self.keep_former_role(guild, former)?;
            self.end_local_mutes(guild)?;
        }
        let sql = "UPDATE guild_settings SET notification_channel_id = ?2, notifications_enabled = ?3, audit_posted = ?4,
                 log_channel_id = ?5, staff_role_id = ?6, mute_role_id = ?8, updated_at = ?7,
                 warning_steps = ?9, warning_span = ?10 WHERE guild_id = ?1";
        self.connection().prepare_cached(sql)?.execute(params![
            Sql(guild),
            Sql(config.notification_channel_id),
            config.notifications,
            config.audit,
            Sql(config.log_channel_id),
            Sql(config.staff_role_id),
            self.now().millis(),
            Sql(config.mute_role_id),
            (!config.warnings.is_off()).then(|| config.warnings.to_string()),
            config.warnings_within.map(|span| span.to_string()),
        ])?;
        Ok(())
    }

    /// Remembers for everybody whom a mute of ours may hold in the guild that they were given that role, which is its mute
    /// role no more. Whoever has it of the guild's own staff keeps it.
    fn keep_former_role(&self, guild: GuildId, role: RoleId) -> Result<(), StoreError> {
        let sql = format!(
            "INSERT OR IGNORE INTO former_mute_roles (guild_id, user_id, role_id)
             SELECT ?1, p.target_user, ?2 FROM punishments p
              WHERE p.source_guild = ?1 AND p.action = 'mute' AND p.status = 'active' AND {NOT_LOCAL}
              UNION SELECT ?1, d.target_user, ?2 FROM deliveries d JOIN punishments p ON p.event_id = d.punishment_id
              WHERE d.guild_id = ?1 AND d.action = 'mute' AND p.status = 'active'
                AND (d.state NOT IN ('skipped', 'failed', 'superseded') OR d.sent = 1) AND {NOT_LOCAL}"
        );
        self.connection().prepare_cached(&sql)?.execute(params![Sql(guild), Sql(role)])?;
        Ok(())
    }

    /// Forgets them, once they were taken from the user.
    ///
    /// # Errors
    /// Where the store fails.
    pub fn forget_former_mute_roles(&self, guild: GuildId, user: UserId) -> Result<(), StoreError> {
        let sql = "DELETE FROM former_mute_roles WHERE guild_id = ?1 AND user_id = ?2";
        self.connection().prepare_cached(sql)?.execute(params![Sql(guild), Sql(user)])?;
        Ok(())
    }

    /// Forgets those that the user does not have any more: whoever gives them one of these later does not mute them.
    ///
    /// # Errors
    /// Where the store fails.
    pub(super) fn keep_former_roles(
        &self,
        guild: GuildId,
        user: UserId,
        roles: &[RoleId],
    ) -> Result<(), StoreError> {
        let sql = "DELETE FROM former_mute_roles WHERE guild_id = ?1 AND user_id = ?2 AND role_id = ?3";
        for gone in self.former_mute_roles(guild, user)?.into_iter().filter(|role| !roles.contains(role)) {
            self.connection().prepare_cached(sql)?.execute(params![Sql(guild), Sql(user), Sql(gone)])?;
        }
        Ok(())
    }
}
