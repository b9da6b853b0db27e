//! Which operator issued a punishment, by the number of their account.

use super::rows::{Sql, column};
use super::{StoreError, View};
use rusqlite::{OptionalExtension, params};
use wayhaven_shared::value::{GuildId, PunishmentId, Timestamp};

impl View<'_> {
    /// The operator who issued a punishment; nothing where it was somebody else, or a version before this was stored.
    ///
    /// # Errors
    /// Where the store fails.
    pub fn operator_of(&self, id: PunishmentId) -> Result<Option<u32>, StoreError> {
        let sql = "SELECT operator_uid FROM punishments WHERE event_id = ?1 AND operator_uid IS NOT NULL";
        Ok(self.connection.prepare_cached(sql)?.query_row([Sql(id)], |row| row.get(0)).optional()?)
    }

    /// What an operator punished in the guild since then, oldest first, without undos.
    ///
    /// # Errors
    /// Where the store fails.
    pub fn punished_by_operator(
        &self,
        guild: GuildId,
        uid: u32,
        since: Timestamp,
    ) -> Result<Vec<PunishmentId>, StoreError> {
        let sql = "SELECT event_id FROM punishments WHERE source_guild = ?1 AND operator_uid = ?2
               AND created_at >= ?3 AND action = measure ORDER BY event_id";
        let mut statement = self.connection.prepare_cached(sql)?;
        let values = params![Sql(guild), uid, since.millis()];
        Ok(statement.query_map(values, |row| column(row, "event_id"))?.collect::<Result<_, _>>()?)
    }
}
