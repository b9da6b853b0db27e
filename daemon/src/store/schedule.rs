//! Punishments that end by themselves.

use super::punishments::{COLUMNS, punishment};
use super::rows::{Sql, optional};
use super::{Change, StoreError, View};
use rusqlite::params;
use wayhaven_shared::operations::punishment::{Action, Punishment};
use wayhaven_shared::value::{GuildId, PunishmentId, Timestamp, UserId};

/// A place in the order in which punishments end.
pub type Ending = (Timestamp, PunishmentId);

impl View<'_> {
    /// Active punishments whose end has come, the earliest end first, after that one.
    ///
    /// # Errors
    /// Where the store fails.
    pub fn ended(
        &self,
        now: Timestamp,
        after: Option<Ending>,
        limit: u16,
    ) -> Result<Vec<Punishment>, StoreError> {
        let sql = format!(
            "SELECT {COLUMNS} WHERE status = 'active' AND expires_at IS NOT NULL AND expires_at <= ?1
                AND (?2 IS NULL OR (expires_at, event_id) > (?2, ?3)) ORDER BY expires_at, event_id LIMIT ?4"
        );
        let (at, id) = after.unzip();
        let values = params![now.millis(), at.map(Timestamp::millis), Sql(id), limit];
        let mut statement = self.connection.prepare_cached(&sql)?;
        Ok(statement.query_map(values, punishment)?.collect::<Result<_, _>>()?)
    }

    /// When the next one ends after `now`.
    ///
    /// # Errors
    /// Where the store fails.
    pub fn next_end(&self, now: Timestamp) -> Result<Option<Timestamp>, StoreError> {
        let sql = "SELECT min(expires_at) AS at FROM punishments
             WHERE status = 'active' AND expires_at IS NOT NULL AND expires_at > ?1";
        let mut statement = self.connection.prepare_cached(sql)?;
        Ok(statement.query_row([now.millis()], |row| optional(row, "at"))?)
    }
}

impl Change<'_> {
    /// Marks a punishment as ended by itself.
    ///
    /// # Errors
    /// Where the store fails.
    pub fn mark_expired(&self, id: PunishmentId) -> Result<(), StoreError> {
        let sql = "UPDATE punishments SET status = 'expired' WHERE event_id = ?1 AND status = 'active'";
        self.connection().prepare_cached(sql)?.execute([Sql(id)])?;
        Ok(())
    }

    /// Marks all active punishments of a measure that the guild has decided about the user as ended by themselves.
    ///
    /// # Errors
    /// Where the store fails.
    pub fn mark_all_expired(&self, guild: GuildId, user: UserId, measure: Action) -> Result<(), StoreError> {
        let sql = "UPDATE punishments SET status = 'expired'
             WHERE target_user = ?2 AND source_guild = ?1 AND measure = ?3 AND action = measure
               AND (status = 'active' OR (status = 'superseded' AND replaced_by IS NOT NULL))";
        let values = params![Sql(guild), Sql(user), measure.measure().word()];
        self.connection().prepare_cached(sql)?.execute(values)?;
        Ok(())
    }
}
