//! What stands in a guild when a punishment that the guild decided itself has come to its end: whether Wayhaven lifts it.

use super::provenance::Judged;
use crate::store::rows::Sql;
use crate::store::{StoreError, View};
use rusqlite::params;
use wayhaven_shared::operations::punishment::{Action, Origin};
use wayhaven_shared::value::{DeliveryId, GuildId, PunishmentId, UserId};

impl View<'_> {
    /// Whether an undo is the end of a punishment that has come by itself; otherwise somebody has asked for it.
    ///
    /// # Errors
    /// Where the store fails.
    pub fn ends_by_itself(&self, undo: PunishmentId) -> Result<bool, StoreError> {
        Ok(self.punishment(undo)?.is_some_and(|one| one.origin == Origin::System && one.action.is_undo()))
    }

    /// What is to become of the end of a punishment in the guild that decided it. What stands is lifted where Wayhaven has
    /// done it, or where a decision of the guild that was made by hand was replaced or reverted. What somebody else has done
    /// there, as another bot, or before Wayhaven came, stays.
    ///
    /// # Errors
    /// Where the store fails.
    pub fn judge_end(
        &self,
        guild: GuildId,
        user: UserId,
        measure: Action,
        undo: DeliveryId,
    ) -> Result<Judged, StoreError> {
        let measure = measure.measure();
        if let Some(why) = self.why_it_stays(guild, user, measure)? {
            return Ok(Judged::Leave(why.to_owned()));
        }
        if self.decided_by_hand(guild, user, measure)? {
            return Ok(Judged::TakeBack);
        }
        let standing = self.standing(guild, user, measure, Some(undo))?;
        Ok(match standing.asked {
            _ if standing.ours > 0 => Judged::TakeBack,
            Some(asked) => Judged::Ask(asked),
            None => Judged::Leave(format!("they were {} there already, not by Wayhaven", measure.past())),
        })
    }

    /// Whether the guild has decided the measure by hand since it last lifted it: nothing of that is in force any more, or
    /// the end would not have come. A ban that an import has taken over counts where somebody has replaced or reverted it.
    fn decided_by_hand(&self, guild: GuildId, user: UserId, measure: Action) -> Result<bool, StoreError> {
        let sql = "SELECT EXISTS (SELECT 1 FROM punishments q
              WHERE q.target_user = ?2 AND q.source_guild = ?1 AND q.measure = ?3 AND q.action = q.measure
                AND (q.origin = 'guild' OR (q.origin = 'import' AND (q.replaced_by IS NOT NULL OR q.status = 'reversed')))
                AND NOT EXISTS (SELECT 1 FROM deliveries d WHERE d.punishment_id = q.event_id AND d.guild_id = ?1
                     AND d.action = q.action)
                AND NOT EXISTS (SELECT 1 FROM punishments undo
                     LEFT JOIN deliveries own ON own.punishment_id = undo.event_id AND own.scope = 'origin'
                      WHERE undo.target_user = ?2 AND undo.source_guild = ?1 AND undo.measure = ?3
                        AND undo.action <> undo.measure AND undo.event_id > q.event_id
                        AND (own.state = 'applied' OR own.delivery_id IS NULL)))";
        let values = params![Sql(guild), Sql(user), measure.word()];
        Ok(self.connection.prepare_cached(sql)?.query_row(values, |row| row.get(0))?)
    }
}
