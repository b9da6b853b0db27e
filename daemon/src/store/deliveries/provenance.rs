//! Whose a ban is: what an undo may touch.

use crate::store::rows::{Sql, column};
use crate::store::{StoreError, View};
use rusqlite::{OptionalExtension, Row, params};
use wayhaven_shared::operations::punishment::Action;
use wayhaven_shared::value::{DeliveryId, GuildId, PunishmentId, UserId};

impl View<'_> {
    /// Provenance: why an unban decided in `source` lifts nothing in the child `guild`; nothing where it does. Only
    /// what Wayhaven did is undone, and only when no other cause remains. `unban` is the unban's own delivery,
    /// where it has one already.
    ///
    /// # Errors
    /// Where the store fails.
    pub fn why_not_lift(
        &self,
        guild: GuildId,
        user: UserId,
        source: GuildId,
        unban: Option<DeliveryId>,
    ) -> Result<Option<&'static str>, StoreError> {
        Ok(if self.is_banned_locally(guild, user)? {
            Some("banned there by its own staff")
        } else if !self.is_our_ban(guild, user, unban)? {
            Some("Wayhaven has not banned them there")
        } else if self.has_other_cause(guild, user, source)? {
            Some("another network's ban remains")
        } else {
            None
        })
    }

    /// The main whose ban of the user was delivered to the guild along a link that is active still, and that nobody
    /// has taken back: what the guild's staff override by lifting it.
    ///
    /// # Errors
    /// Where the store fails.
    pub fn overridden(
        &self,
        guild: GuildId,
        user: UserId,
    ) -> Result<Option<(PunishmentId, GuildId)>, StoreError> {
        let sql = "SELECT p.event_id, p.source_guild FROM deliveries d
              JOIN punishments p ON p.event_id = d.punishment_id AND p.status = 'active'
              JOIN guild_relationships r ON r.id = d.link_id AND r.state = 'active'
             WHERE d.guild_id = ?1 AND d.target_user = ?2 AND d.action = 'ban' AND d.state = 'applied'
             ORDER BY d.delivery_id DESC LIMIT 1";
        let mut statement = self.connection.prepare_cached(sql)?;
        let read = |row: &Row<'_>| Ok((column(row, "event_id")?, column(row, "source_guild")?));
        Ok(statement.query_row(params![Sql(guild), Sql(user)], read).optional()?)
    }

    /// Whether a ban of the user by Wayhaven stands in the guild, or may: the latest of our deliveries before
    /// `before` that counts is a ban. A ban counts where its request left, or may have; an unban only where it was
    /// done: one that was refused, or skipped after a restart, has lifted nothing.
    fn is_our_ban(
        &self,
        guild: GuildId,
        user: UserId,
        before: Option<DeliveryId>,
    ) -> Result<bool, StoreError> {
        let sql =
            "SELECT action FROM deliveries WHERE guild_id = ?1 AND target_user = ?2 AND delivery_id < ?3
                AND (state = 'applied' OR (sent = 1 AND action = 'ban'))
             ORDER BY delivery_id DESC LIMIT 1";
        let mut statement = self.connection.prepare_cached(sql)?;
        let before = before.map_or(i64::MAX, |id| id.get().cast_signed());
        let action: Option<String> =
            statement.query_row(params![Sql(guild), Sql(user), before], |row| row.get(0)).optional()?;
        Ok(action.as_deref() == Some(Action::Ban.word()))
    }

    /// Whether another main's ban of the user is active and reaches the guild.
    fn has_other_cause(&self, guild: GuildId, user: UserId, source: GuildId) -> Result<bool, StoreError> {
        let sql = "SELECT EXISTS (SELECT 1 FROM deliveries d JOIN punishments p ON p.event_id = d.punishment_id
             WHERE d.guild_id = ?1 AND d.target_user = ?2 AND p.source_guild <> ?3
               AND p.action = 'ban' AND p.status = 'active' AND d.state NOT IN ('skipped', 'failed', 'superseded'))";
        let values = params![Sql(guild), Sql(user), Sql(source)];
        Ok(self.connection.prepare_cached(sql)?.query_row(values, |row| row.get(0))?)
    }
}
