//! Whose a ban is: what an undo may touch.

use crate::store::rows::{Sql, column};
use crate::store::{StoreError, View};
use rusqlite::{OptionalExtension, Row, params};
use wayhaven_shared::operations::punishment::Action;
use wayhaven_shared::value::{DeliveryId, GuildId, PunishmentId, Timestamp, UserId};

/// A delivery that the guild's own staff have taken back.
#[derive(Clone, Copy, Debug)]
pub struct Overridden {
    /// The delivery.
    pub delivery: DeliveryId,
    /// Its punishment.
    pub punishment: PunishmentId,
    /// The main that decided it.
    pub main: GuildId,
}

impl View<'_> {
    /// Provenance: why an undo of a measure that was decided in `source` takes nothing back in the child `guild`; nothing
    /// where it does. Only what Wayhaven did is undone, and only when no other cause remains. `undo` is the undo's own
    /// delivery, where it has one already.
    ///
    /// # Errors
    /// Where the store fails.
    pub fn why_not_undo(
        &self,
        guild: GuildId,
        user: UserId,
        source: GuildId,
        measure: Action,
        undo: Option<DeliveryId>,
    ) -> Result<Option<String>, StoreError> {
        let measure = measure.measure();
        Ok(if self.is_done_locally(guild, user, measure)? {
            Some(format!("{} there by its own staff", measure.past()))
        } else if self.exception(guild, user, measure)?.is_some() {
            Some("taken back there by its own staff".to_owned())
        } else if !self.is_ours(guild, user, measure, undo)? {
            Some(format!("Wayhaven has not {} them there", measure.past()))
        } else if self.has_other_cause(guild, user, source, measure)? {
            Some(format!("another network's {measure} remains"))
        } else {
            None
        })
    }

    /// What stands of the measure in the guild because a main's punishment of the user was delivered along a link that is
    /// active still, and nobody has taken it back: what the guild's staff override by lifting it. The newest first, one of
    /// each main. What has ended by itself at `now` is none.
    ///
    /// # Errors
    /// Where the store fails.
    pub fn overridden(
        &self,
        guild: GuildId,
        user: UserId,
        measure: Action,
        now: Timestamp,
    ) -> Result<Vec<Overridden>, StoreError> {
        let sql = "SELECT max(d.delivery_id) AS delivery, p.event_id, p.source_guild FROM deliveries d
              JOIN punishments p ON p.event_id = d.punishment_id AND p.status = 'active'
              JOIN guild_relationships r ON r.id = d.link_id AND r.state = 'active'
             WHERE d.guild_id = ?1 AND d.target_user = ?2 AND d.action = ?3 AND d.state = 'applied'
               AND (p.expires_at IS NULL OR p.expires_at > ?4)
             GROUP BY p.source_guild ORDER BY delivery DESC";
        let measure = measure.measure().word();
        let mut statement = self.connection.prepare_cached(sql)?;
        let read = |row: &Row<'_>| {
            Ok(Overridden {
                delivery: column(row, "delivery")?,
                punishment: column(row, "event_id")?,
                main: column(row, "source_guild")?,
            })
        };
        let rows = statement.query_map(params![Sql(guild), Sql(user), measure, now.millis()], read)?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// Whether the last that counts of the measure for the user in the guild is an undo of ours: nothing of ours is left.
    pub(in crate::store) fn is_taken_back(
        &self,
        guild: GuildId,
        user: UserId,
        measure: Action,
    ) -> Result<bool, StoreError> {
        let sql = "SELECT action <> measure FROM deliveries WHERE guild_id = ?1 AND target_user = ?2 AND measure = ?3
                AND (state = 'applied' OR (sent = 1 AND action = measure)) ORDER BY delivery_id DESC LIMIT 1";
        let values = params![Sql(guild), Sql(user), measure.measure().word()];
        Ok(self
            .connection
            .prepare_cached(sql)?
            .query_row(values, |row| row.get(0))
            .optional()?
            .unwrap_or(true))
    }

    /// Whether a main's punishment of the user is active and reaches the guild, beside what the guild decided itself.
    ///
    /// # Errors
    /// Where the store fails.
    pub fn has_mains_cause(&self, guild: GuildId, user: UserId, measure: Action) -> Result<bool, StoreError> {
        self.has_other_cause(guild, user, guild, measure.measure())
    }

    /// Whether what stands of the measure in the guild is Wayhaven's, or may be: the latest of our deliveries before
    /// `before` that counts is no undo. It counts where its request left, or may have; an undo only where it was done:
    /// one that was refused, or skipped after a restart, has taken nothing back.
    fn is_ours(
        &self,
        guild: GuildId,
        user: UserId,
        measure: Action,
        before: Option<DeliveryId>,
    ) -> Result<bool, StoreError> {
        let sql =
            "SELECT action FROM deliveries WHERE guild_id = ?1 AND target_user = ?2 AND measure = ?4 AND delivery_id < ?3
                AND (state = 'applied' OR (sent = 1 AND action = measure))
             ORDER BY delivery_id DESC LIMIT 1";
        let mut statement = self.connection.prepare_cached(sql)?;
        let before = before.map_or(i64::MAX, |id| id.get().cast_signed());
        let values = params![Sql(guild), Sql(user), before, measure.word()];
        let action: Option<String> = statement.query_row(values, |row| row.get(0)).optional()?;
        Ok(action.as_deref() == Some(measure.word()))
    }

    /// Whether another main's punishment of the user is active and reaches the guild.
    fn has_other_cause(
        &self,
        guild: GuildId,
        user: UserId,
        source: GuildId,
        measure: Action,
    ) -> Result<bool, StoreError> {
        let sql = "SELECT EXISTS (SELECT 1 FROM deliveries d JOIN punishments p ON p.event_id = d.punishment_id
             WHERE d.guild_id = ?1 AND d.target_user = ?2 AND p.source_guild <> ?3
               AND p.action = ?4 AND p.status = 'active' AND d.action = p.action AND d.state NOT IN ('skipped', 'failed', 'superseded'))";
        let values = params![Sql(guild), Sql(user), Sql(source), measure.word()];
        Ok(self.connection.prepare_cached(sql)?.query_row(values, |row| row.get(0))?)
    }
}
