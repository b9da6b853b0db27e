//! What lists of bans are made from, and what they are held up by.

use super::rows::{Sql, column, optional};
use super::{StoreError, View};
use rusqlite::params;
use serde::Serialize;
use wayhaven_shared::value::{GuildId, PunishmentId, Timestamp, Untrusted, UserId};

/// A ban as a list names it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Entry {
    /// Whom.
    pub user_id: UserId,
    /// Why.
    pub reason: Option<Untrusted>,
    /// When it ends by itself.
    pub expires_at: Option<Timestamp>,
    /// Who decided it, where it was a member and is known.
    pub moderator_id: Option<UserId>,
    /// When it was decided, where that is known.
    pub created_at: Option<Timestamp>,
}

impl View<'_> {
    /// The bans that were decided in the guild and stand, each user once, in the order in which they were decided, behind
    /// `after`; with the number of each.
    ///
    /// # Errors
    /// Where the store fails.
    pub fn standing_bans(
        &self,
        guild: GuildId,
        after: Option<PunishmentId>,
        now: Timestamp,
        limit: u16,
    ) -> Result<Vec<(PunishmentId, Entry)>, StoreError> {
        let sql = "SELECT p.event_id, p.target_user, p.reason, p.expires_at, p.moderator_id, p.created_at
              FROM punishments p
             WHERE p.source_guild = ?1 AND p.event_id > ?2 AND p.action = 'ban' AND p.status = 'active'
               AND (p.expires_at IS NULL OR p.expires_at > ?3)
               AND NOT EXISTS (SELECT 1 FROM punishments later
                   WHERE later.target_user = p.target_user AND later.source_guild = ?1 AND later.measure = 'ban'
                     AND (coalesce(later.expires_at, 9223372036854775807), later.event_id)
                       > (coalesce(p.expires_at, 9223372036854775807), p.event_id)
                     AND later.action = 'ban' AND later.status = 'active')
             ORDER BY p.event_id LIMIT ?4";
        let mut statement = self.connection.prepare_cached(sql)?;
        let after = after.map_or(0, |id| id.get().cast_signed());
        let rows = statement.query_map(params![Sql(guild), after, now.millis(), limit], |row| {
            let entry = Entry {
                user_id: column(row, "target_user")?,
                reason: optional(row, "reason")?,
                expires_at: optional(row, "expires_at")?,
                moderator_id: optional(row, "moderator_id")?,
                created_at: Some(column(row, "created_at")?),
            };
            Ok((column(row, "event_id")?, entry))
        })?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// How many requests are under way, or next: not what waits for hours, is held, or for a person.
    ///
    /// # Errors
    /// Where the store fails.
    pub fn under_way(&self) -> Result<u64, StoreError> {
        let sql = "SELECT count(*) FROM deliveries WHERE state IN ('pending', 'sending', 'unknown') AND not_before IS NULL";
        let count: i64 = self.connection.prepare_cached(sql)?.query_row([], |row| row.get(0))?;
        Ok(count.cast_unsigned())
    }
}
