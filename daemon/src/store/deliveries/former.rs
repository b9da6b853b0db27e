//! What Discord has told of the end of what stood in a guild before: no entry older than that tells whose what stands now is.

use super::provenance::below;
use crate::store::rows::Sql;
use crate::store::{StoreError, View};
use rusqlite::params;
use wayhaven_shared::operations::punishment::Action;
use wayhaven_shared::value::{DeliveryId, GuildId, UserId};

impl View<'_> {
    /// The last entry of which is known that it took back what stood there by then, ours or the staff's own; 0 where none is.
    /// `undo` is the delivery that is to take back what stands now.
    ///
    /// # Errors
    /// Where the store fails.
    pub fn last_end(
        &self,
        guild: GuildId,
        user: UserId,
        measure: Action,
        undo: DeliveryId,
    ) -> Result<u64, StoreError> {
        // Which of several deliveries an entry is noted with says nothing of when it was made.
        let sql = "SELECT max(coalesce(max(iif(action <> measure, echo, NULL)), 0), coalesce(max(lifted), 0))
              FROM deliveries
             WHERE guild_id = ?1 AND target_user = ?2 AND measure = ?3 AND delivery_id < ?4";
        let values = params![Sql(guild), Sql(user), measure.measure().word(), below(Some(undo))];
        let last: i64 = self.connection.prepare_cached(sql)?.query_row(values, |row| row.get(0))?;
        Ok(last.cast_unsigned())
    }
}
