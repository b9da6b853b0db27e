//! Bulk bans whose answer was lost: Discord's entries of them name nobody (FACTS B5), so that it is known of each when it
//! was on its way, and with which reason.

use super::provenance::{below, standing};
use crate::store::rows::{Sql, column};
use crate::store::{Change, StoreError, View};
use rusqlite::{named_params, params};
use wayhaven_shared::operations::punishment::Action;
use wayhaven_shared::value::{DeliveryId, GuildId, Timestamp, UserId};

/// A bulk ban that was on its way, and was not answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LostBulkBan {
    /// It left no earlier.
    pub left: Timestamp,
    /// By then it was given up.
    pub heard: Timestamp,
    /// The reason that it gave.
    pub reason: Option<String>,
}

impl View<'_> {
    /// The bulk bans without an answer that may have done what stands of the user in the guild, and of which nothing was
    /// found out yet. `undo` is the delivery that is to take it back.
    ///
    /// # Errors
    /// Where the store fails.
    pub fn lost_bulk_bans(
        &self,
        guild: GuildId,
        user: UserId,
        undo: DeliveryId,
    ) -> Result<Vec<LostBulkBan>, StoreError> {
        let sql = format!(
            "SELECT left_at, heard_at, reason FROM lost_bulk_bans WHERE delivery_id IN
                 (SELECT d.delivery_id FROM {} AND d.was_there IS NULL)",
            standing()
        );
        let values = named_params! {
            ":guild": Sql(guild), ":user": Sql(user), ":measure": Action::Ban.word(), ":before": below(Some(undo)),
            ":now": self.now().millis(),
        };
        let mut statement = self.connection.prepare_cached(&sql)?;
        let rows = statement.query_map(values, |row| {
            Ok(LostBulkBan {
                left: column(row, "left_at")?,
                heard: column(row, "heard_at")?,
                reason: row.get("reason")?,
            })
        })?;
        Ok(rows.collect::<Result<_, _>>()?)
    }
}

impl Change<'_> {
    /// Notes that a bulk ban which left then was not answered until now.
    ///
    /// # Errors
    /// Where the store fails.
    pub fn note_lost_bulk_ban(
        &self,
        deliveries: &[DeliveryId],
        left: Timestamp,
        reason: Option<&str>,
    ) -> Result<(), StoreError> {
        let sql =
            "INSERT INTO lost_bulk_bans (delivery_id, left_at, heard_at, reason) VALUES (?1, ?2, ?3, ?4)";
        let mut statement = self.connection().prepare_cached(sql)?;
        for id in deliveries {
            statement.execute(params![Sql(*id), left.millis(), self.now().millis(), reason])?;
        }
        Ok(())
    }
}
