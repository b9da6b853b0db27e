//! `punishment_amendments`: reasons that were corrected, with what stood there before.

use super::rows::{Sql, column, optional};
use super::{Change, StoreError, View};
use rusqlite::params;
use wayhaven_shared::operations::punishment::Amendment;
use wayhaven_shared::value::{PunishmentId, Untrusted, UserId};

impl View<'_> {
    /// How a punishment's reason was corrected, oldest first.
    ///
    /// # Errors
    /// Where the store fails.
    pub fn amendments_of(&self, punishment: PunishmentId) -> Result<Vec<Amendment>, StoreError> {
        let sql = "SELECT amended_at, amended_by, old_reason, new_reason FROM punishment_amendments
             WHERE punishment_id = ?1 ORDER BY id";
        let mut statement = self.connection.prepare_cached(sql)?;
        let rows = statement.query_map([Sql(punishment)], |row| {
            Ok(Amendment {
                at: column(row, "amended_at")?,
                by: optional(row, "amended_by")?,
                before: optional(row, "old_reason")?,
                after: column(row, "new_reason")?,
            })
        })?;
        Ok(rows.collect::<Result<_, _>>()?)
    }
}

impl Change<'_> {
    /// Corrects a punishment's reason and keeps the one before. What is still to be sent carries the new one.
    ///
    /// # Errors
    /// Where the store fails.
    pub fn amend(
        &self,
        punishment: PunishmentId,
        by: Option<UserId>,
        reason: &Untrusted,
    ) -> Result<(), StoreError> {
        let sql = "INSERT INTO punishment_amendments (punishment_id, amended_at, amended_by, old_reason, new_reason)
             SELECT event_id, ?2, ?3, reason, ?4 FROM punishments WHERE event_id = ?1";
        let values = params![Sql(punishment), self.now().millis(), Sql(by), reason.raw()];
        self.connection().prepare_cached(sql)?.execute(values)?;
        let sql = "UPDATE punishments SET reason = ?2 WHERE event_id = ?1";
        self.connection().prepare_cached(sql)?.execute(params![Sql(punishment), reason.raw()])?;
        self.send_again(punishment)
    }
}
