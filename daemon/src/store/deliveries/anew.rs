//! Deliveries that are sent once more, or taken back in one guild alone.

use super::{First, OPEN, QUEUED, RETURNED, queued, released};
use crate::delivery::Scope;
use crate::store::rows::{Sql, column, word};
use crate::store::{Change, StoreError, View};
use rusqlite::{OptionalExtension, Row, params};
use wayhaven_shared::operations::punishment::{Action, DeliveryState, Punishment};
use wayhaven_shared::value::{DeliveryId, GuildId, LinkId, PunishmentId, Timestamp};

/// A delivery as what may become of it hangs on.
#[derive(Clone, Copy, Debug)]
pub struct Stand {
    /// Which.
    pub id: DeliveryId,
    /// How it stands.
    pub state: DeliveryState,
    /// Since when.
    pub since: Timestamp,
}

impl View<'_> {
    /// How a punishment's delivery of an action to a guild stands; nothing where there is none.
    ///
    /// # Errors
    /// Where the store fails.
    pub fn stand(
        &self,
        punishment: PunishmentId,
        guild: GuildId,
        action: Action,
    ) -> Result<Option<Stand>, StoreError> {
        let sql = "SELECT delivery_id, state, updated_at FROM deliveries
             WHERE punishment_id = ?1 AND guild_id = ?2 AND action = ?3";
        let read = |row: &Row<'_>| {
            Ok(Stand {
                id: column(row, "delivery_id")?,
                state: word(row, "state", DeliveryState::from_word)?,
                since: column(row, "updated_at")?,
            })
        };
        let values = params![Sql(punishment), Sql(guild), action.word()];
        Ok(self.connection.prepare_cached(sql)?.query_row(values, read).optional()?)
    }
}

impl Change<'_> {
    /// Hands a delivery to the engine with the commit. It takes the place of whatever came after it. One that waits for a
    /// direct message goes when that has settled.
    pub(super) fn queue(&self, id: DeliveryId) -> Result<(), StoreError> {
        let sql = format!(
            "SELECT (SELECT max(other.delivery_id) FROM deliveries other WHERE other.guild_id = d.guild_id
                        AND other.target_user = d.target_user AND other.measure = d.measure) AS newest,
                    {} AS released, {QUEUED}
             WHERE d.delivery_id = ?1",
            released()
        );
        let read = |row: &Row<'_>| Ok((column(row, "newest")?, row.get("released")?, queued(row)?));
        let (newest, released, mut queued) =
            self.connection().prepare_cached(&sql)?.query_row([Sql(id)], read)?;
        queued.instead_of = Some(newest).filter(|newest| *newest != id);
        if released {
            self.send_after_commit(queued);
        }
        Ok(())
    }

    /// Hands what is open of a punishment to the engine once more, with what the punishment says by now.
    pub(in crate::store) fn send_again(&self, punishment: PunishmentId) -> Result<(), StoreError> {
        let sql = format!(
            "SELECT delivery_id FROM deliveries WHERE punishment_id = ?1 AND state IN {OPEN} AND state <> 'held'
             ORDER BY delivery_id"
        );
        let mut statement = self.connection().prepare_cached(&sql)?;
        let rows = statement.query_map([Sql(punishment)], |row| column(row, "delivery_id"))?;
        let open: Vec<DeliveryId> = rows.collect::<Result<_, _>>()?;
        open.into_iter().try_for_each(|id| self.queue(id))
    }

    /// A guild's own undo that was decided before a main's punishment, and stands still, would take that back once it is
    /// mended: what was done later is the later word.
    pub(super) fn end_older_undo(&self, done: DeliveryId) -> Result<(), StoreError> {
        let sql = format!(
            "UPDATE deliveries SET state = 'superseded', reason = 'a newer punishment took its place', updated_at = ?2
             WHERE (guild_id, target_user, measure) = (SELECT guild_id, target_user, measure FROM deliveries
                     WHERE delivery_id = ?1 AND scope = 'child' AND action = measure)
               AND scope = 'origin' AND action <> measure AND delivery_id < ?1 AND state IN {OPEN}
             RETURNING {RETURNED}"
        );
        self.update_and_tell(&sql, params![Sql(done), self.now().millis()]).map(drop)
    }

    /// Opens a delivery that has ended once more, as its gates let it; whether it had ended.
    ///
    /// # Errors
    /// Where the store fails.
    pub fn apply_again(
        &self,
        id: DeliveryId,
        state: DeliveryState,
        reason: Option<&str>,
    ) -> Result<bool, StoreError> {
        let Some((state, reason, hold)) = self.start_again(id, state, reason)? else { return Ok(false) };
        let reason = self.remember_protection(id, state, reason.as_deref())?.or(reason);
        let sql = format!(
            "UPDATE deliveries SET state = ?2, reason = ?3, not_before = NULL, let_go = 0, gone = 0, updated_at = ?4,
                was_there = nullif(was_there, 1),
                hold_id = coalesce(hold_id, ?5)
             WHERE delivery_id = ?1 AND state NOT IN {OPEN} RETURNING {RETURNED}"
        );
        let values = params![Sql(id), state.word(), reason, self.now().millis(), Sql(hold)];
        let opened = !self.update_and_tell(&sql, values)?.is_empty();
        if opened && state == DeliveryState::Pending {
            self.queue(id)?;
        }
        Ok(opened)
    }

    /// Ends what is open of a punishment, in one guild or in all, because the punishment was taken back.
    ///
    /// # Errors
    /// Where the store fails.
    pub fn end_open(&self, punishment: PunishmentId, guild: Option<GuildId>) -> Result<(), StoreError> {
        let sql = format!(
            "UPDATE deliveries SET state = 'superseded', reason = 'the punishment was reverted', updated_at = ?3
             WHERE punishment_id = ?1 AND (?2 IS NULL OR guild_id = ?2) AND state IN {OPEN} RETURNING {RETURNED}"
        );
        self.update_and_tell(&sql, params![Sql(punishment), Sql(guild), self.now().millis()]).map(drop)
    }

    /// Takes a punishment back in one child alone, along its closing link: a second delivery of it, with the undo. Whether
    /// that is new: what was tried since the link closes is not tried again.
    ///
    /// # Errors
    /// Where the store fails, or wall 2 refuses it.
    pub fn take_back(
        &self,
        punishment: &Punishment,
        link: LinkId,
        guild: GuildId,
        closing_since: Timestamp,
    ) -> Result<bool, StoreError> {
        let Some(undo) = punishment.action.undo() else { return Ok(false) };
        match self.stand(punishment.id, guild, undo)? {
            None => {
                let pending = (DeliveryState::Pending, None);
                // What is still open of it there, as one whose answer was lost, the lane drops for this one.
                self.supersede(guild, punishment.user_id, punishment.guild_id, undo)?;
                let id = self.insert_action(punishment, undo, guild, Scope::Child(link), pending)?;
                self.queue(id)?;
                Ok(true)
            }
            // Of an earlier time when the link closed.
            Some(stand) if stand.since < closing_since => {
                self.apply_again(stand.id, DeliveryState::Pending, None)
            }
            Some(_) => Ok(false),
        }
    }

    /// Takes a punishment back in one child alone, along its link: a second delivery of it, with the undo, which may wait for
    /// approval. What is still open of it there ends.
    ///
    /// # Errors
    /// Where the store fails, or wall 2 refuses it.
    pub fn take_back_in_one(
        &self,
        punishment: &Punishment,
        undo: Action,
        first: First,
    ) -> Result<(), StoreError> {
        self.end_open(punishment.id, Some(first.guild))?;
        match self.stand(punishment.id, first.guild, undo)? {
            None => {
                let state = first.state;
                for id in self.insert_all(punishment, undo, &[first])? {
                    if state == DeliveryState::Pending {
                        self.queue(id)?;
                    }
                }
                Ok(())
            }
            // Of an exception that has ended since. Its row began without a hold and can have none.
            Some(stand) if first.hold.is_none() => {
                self.apply_again(stand.id, first.state, first.reason.as_deref()).map(drop)
            }
            Some(_) => Ok(()),
        }
    }

    /// A guild's own command does what it does not apply of others: its staff's exception ends.
    pub(super) fn own_hand_ends_exception(&self, id: DeliveryId) -> Result<(), StoreError> {
        if !self.topology_here()?.has_exceptions() {
            return Ok(());
        }
        let sql = "SELECT guild_id, target_user, action FROM deliveries
             WHERE delivery_id = ?1 AND scope = 'origin' AND action = measure";
        let read = |row: &Row<'_>| {
            Ok((
                column(row, "guild_id")?,
                column(row, "target_user")?,
                word(row, "action", Action::from_word)?,
            ))
        };
        let own = self.connection().prepare_cached(sql)?.query_row([Sql(id)], read).optional()?;
        own.map_or(Ok(()), |(guild, user, action)| self.end_override(guild, user, action))
    }
}
