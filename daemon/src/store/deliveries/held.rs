//! Deliveries that a hold keeps back: how they go on, or never do.

use super::{DISCARDED, OPEN, OriginStep, QUEUED, RETURNED, queued};
use crate::network::Refusal;
use crate::store::holds::{Decided, kept_by};
use crate::store::rows::{Sql, column};
use crate::store::{Change, Settlement, StoreError, View};
use rusqlite::{OptionalExtension, Row, params};
use wayhaven_shared::operations::punishment::{Action, DeliveryState, Punishment};
use wayhaven_shared::value::{DeliveryId, GuildId, HoldId, PunishmentId, UserId};

/// That the delivery `d` waits for an approval, or was refused it: nothing of it stands in its guild, or will by itself.
pub(super) const NOT_APPROVED: &str =
    "d.hold_id IS NOT NULL AND (SELECT decision FROM holds WHERE holds.id = d.hold_id) IS NOT 'approved'";

/// How a delivery begins: its state, why, and what it waits for.
pub(super) type Begins = (DeliveryState, Option<String>, Option<HoldId>);

impl View<'_> {
    /// How a delivery of an older punishment to a child begins that has none of it yet, where the gates let it begin so.
    /// What waits for approval elsewhere waits for the same here, what was discarded elsewhere is discarded, and what a main's
    /// protection kept from its children is kept from this one.
    ///
    /// # Errors
    /// Where the store fails.
    pub fn begins_late(
        &self,
        punishment: PunishmentId,
        state: DeliveryState,
        reason: Option<&str>,
    ) -> Result<Begins, StoreError> {
        let begins = (state, reason.map(ToOwned::to_owned), None);
        if state.is_final() {
            return Ok(begins);
        }
        if let Some(why) = self.protection_of(punishment)? {
            return Ok((DeliveryState::Skipped, Some(why), None));
        }
        Ok(match self.kept_back(punishment)? {
            Some((hold, None)) => (DeliveryState::Held, Some(Refusal::Held(hold).to_string()), Some(hold)),
            Some((_, Some(Decided::Discarded))) => {
                (DeliveryState::Skipped, Some(format!("{DISCARDED} for other guilds")), None)
            }
            Some((_, Some(Decided::Approved))) | None => begins,
        })
    }

    /// Whether a delivery that waits for nobody is of a punishment that was discarded for other guilds: a gate kept it from its
    /// guild when that began, and it comes there as little as to the others.
    ///
    /// # Errors
    /// Where the store fails.
    pub fn is_discarded_for_others(&self, id: DeliveryId) -> Result<bool, StoreError> {
        Ok(matches!(self.others_hold(id)?, Some((_, Some(Decided::Discarded)))))
    }

    /// Whether a delivery that waits for nobody is of a punishment that waits for approval in other guilds: opened again, it
    /// waits with them.
    ///
    /// # Errors
    /// Where the store fails.
    pub fn waits_with_others(&self, id: DeliveryId) -> Result<bool, StoreError> {
        Ok(matches!(self.others_hold(id)?, Some((_, None))))
    }

    /// What the same waits for in other guilds, or was discarded in: where a delivery waits for nobody, because a gate kept it
    /// from its guild when that began.
    fn others_hold(&self, id: DeliveryId) -> Result<Option<(HoldId, Option<Decided>)>, StoreError> {
        let sql = "SELECT h.id, h.decision FROM deliveries d JOIN deliveries other ON other.punishment_id = d.punishment_id
                JOIN holds h ON h.id = other.hold_id
              WHERE d.delivery_id = ?1 AND d.hold_id IS NULL AND d.scope = 'child' AND other.action = d.action
                AND h.decision IS NOT 'approved' LIMIT 1";
        Ok(self.connection.prepare_cached(sql)?.query_row([Sql(id)], kept_by).optional()?)
    }

    /// Whether the punishment waits for approval in the guild, or was refused it: it is no cause of anything there.
    ///
    /// # Errors
    /// Where the store fails.
    pub fn is_not_approved(
        &self,
        punishment: PunishmentId,
        guild: GuildId,
        action: Action,
    ) -> Result<bool, StoreError> {
        let sql = format!(
            "SELECT EXISTS (SELECT 1 FROM deliveries d
              WHERE d.punishment_id = ?1 AND d.guild_id = ?2 AND d.action = ?3 AND {NOT_APPROVED})"
        );
        let values = params![Sql(punishment), Sql(guild), action.word()];
        Ok(self.connection.prepare_cached(&sql)?.query_row(values, |row| row.get(0))?)
    }

    /// Whether a punishment was discarded: it stands where it was decided, and comes nowhere by itself.
    ///
    /// # Errors
    /// Where the store fails.
    pub fn is_discarded_elsewhere(&self, punishment: PunishmentId) -> Result<bool, StoreError> {
        Ok(matches!(self.kept_back(punishment)?, Some((_, Some(Decided::Discarded)))))
    }

    /// The hold in which a punishment has begun somewhere, and what was decided about it. All of its deliveries that are
    /// held wait in one.
    fn kept_back(&self, punishment: PunishmentId) -> Result<Option<(HoldId, Option<Decided>)>, StoreError> {
        let sql = "SELECT h.id, h.decision FROM deliveries d JOIN holds h ON h.id = d.hold_id
             WHERE d.punishment_id = ?1 AND d.hold_id IS NOT NULL LIMIT 1";
        Ok(self.connection.prepare_cached(sql)?.query_row([Sql(punishment)], kept_by).optional()?)
    }
}

impl Change<'_> {
    /// The same, where what has to be approved first is put into its hold.
    pub(super) fn begins_later(
        &self,
        punishment: &Punishment,
        state: DeliveryState,
        reason: Option<&str>,
    ) -> Result<Begins, StoreError> {
        let begins = self.begins_late(punishment.id, state, reason)?;
        if begins.0.is_final() || begins.2.is_some() {
            return Ok(begins);
        }
        Ok(match self.hold_late(punishment)? {
            Some(hold) => (DeliveryState::Held, Some(Refusal::Held(hold).to_string()), Some(hold)),
            None => begins,
        })
    }

    /// Ends what is open of a measure for the user in the guild and contradicts something that is held there, or is held
    /// for approval too. What does the same already goes on: were the newer discarded, nothing would be left of it.
    ///
    /// # Errors
    /// Where the store fails.
    pub fn supersede_for_held(
        &self,
        guild: GuildId,
        user: UserId,
        source: GuildId,
        action: Action,
    ) -> Result<(), StoreError> {
        let sql = format!(
            "UPDATE deliveries SET state = 'superseded', reason = 'a newer punishment took its place', updated_at = ?3
             WHERE guild_id = ?1 AND target_user = ?2 AND measure = ?5 AND state IN {OPEN}
               AND (action <> ?6 OR (state = 'held' AND {}))
               AND (SELECT source_guild FROM punishments WHERE event_id = punishment_id) = ?4
             RETURNING {RETURNED}",
            NOT_APPROVED.replace("d.", "deliveries.")
        );
        let (measure, word) = (action.measure().word(), action.word());
        let values = params![Sql(guild), Sql(user), self.now().millis(), Sql(source), measure, word];
        self.update_and_tell(&sql, values).map(drop)
    }

    /// Opens again what was held. What something newer has taken the place of meanwhile, and was not sent itself, ends:
    /// nothing else would open it.
    pub(in crate::store) fn release(&self, id: DeliveryId) -> Result<(), StoreError> {
        if self.reopen(id)? {
            return Ok(());
        }
        let sql = format!(
            "UPDATE deliveries SET state = 'superseded', reason = 'a newer punishment took its place', updated_at = ?2
             WHERE delivery_id = ?1 AND state = 'held' RETURNING {RETURNED}"
        );
        self.update_and_tell(&sql, params![Sql(id), self.now().millis()]).map(drop)
    }

    /// What somebody has approved goes on, through the gates. What has ended by itself meanwhile is not sent, and a freeze
    /// still holds it.
    pub(in crate::store) fn let_go_on(&self, id: DeliveryId) -> Result<(), StoreError> {
        let sql = format!("SELECT {QUEUED} WHERE d.delivery_id = ?1");
        let delivery = self.connection().prepare_cached(&sql)?.query_row([Sql(id)], queued)?;
        let end = |state, reason: &str| {
            let reason = Some(reason.to_owned());
            let settlement =
                Settlement { state, reason, attempts: delivery.attempts, wait: None, was_there: None };
            self.settle(id, &settlement).map(drop)
        };
        if delivery.until.is_some_and(|until| until <= self.now()) && !delivery.action.is_undo() {
            return end(DeliveryState::Skipped, "it has ended by now");
        }
        if !delivery.action.is_undo()
            && self.origin_step(delivery.punishment)? == Some(OriginStep::Refused)
            && let Some(punishment) = self.punishment(delivery.punishment)?
        {
            // This was approved before, or without knowing, that the main could not do it itself.
            return self.hold_refused(&punishment, &[id]).map(drop);
        }
        if self.topology_here()?.holds(delivery.source, delivery.action) {
            return end(DeliveryState::Held, &Refusal::Frozen.to_string());
        }
        // What does the same, and was not superseded when this was stored, makes room now.
        let sql = format!(
            "UPDATE deliveries SET state = 'superseded', reason = 'a newer punishment took its place', updated_at = ?5
             WHERE guild_id = ?1 AND target_user = ?2 AND measure = ?3 AND delivery_id < ?4 AND state IN {OPEN}
               AND (SELECT source_guild FROM punishments WHERE event_id = punishment_id) = ?6 RETURNING {RETURNED}"
        );
        let measure = delivery.action.measure().word();
        let (guild, user, now) = (Sql(delivery.guild), Sql(delivery.user), self.now().millis());
        self.update_and_tell(&sql, params![guild, user, measure, Sql(id), now, Sql(delivery.source)])?;
        if !self.reopen(id)? {
            return end(DeliveryState::Superseded, "a newer punishment took its place");
        }
        Ok(())
    }

    /// What somebody has discarded is never sent.
    pub(in crate::store) fn discard(&self, id: DeliveryId, by: Option<UserId>) -> Result<(), StoreError> {
        let by = by.map_or_else(|| "an operator".to_owned(), |user| format!("user {user}"));
        let sql = format!(
            "UPDATE deliveries SET state = 'skipped', reason = ?2, updated_at = ?3
             WHERE delivery_id = ?1 AND state = 'held' RETURNING {RETURNED}"
        );
        let values = params![Sql(id), format!("discarded by {by}"), self.now().millis()];
        self.update_and_tell(&sql, values).map(drop)
    }

    /// Where a delivery that is to be opened again starts: what is held for approval stays so, and what was discarded is
    /// not opened any more, which is nothing; nor is what a protection has kept away. What has to be approved first is put into its hold, and what waits elsewhere into
    /// the same.
    pub(super) fn start_again(
        &self,
        id: DeliveryId,
        state: DeliveryState,
        reason: Option<&str>,
    ) -> Result<Option<Begins>, StoreError> {
        if self.is_kept_away(id)? {
            return Ok(None);
        }
        let held = |hold: HoldId| (DeliveryState::Held, Some(Refusal::Held(hold).to_string()), Some(hold));
        let begins = (state, reason.map(ToOwned::to_owned), None);
        let own = self.hold_of(id)?;
        let kept = if own.is_none() { self.others_hold(id)? } else { own };
        Ok(match kept {
            Some((_, Some(Decided::Discarded))) => None,
            Some((hold, None)) if !state.is_final() => Some(held(hold)),
            None if !state.is_final() => Some(self.late_hold_of(id)?.map_or(begins, held)),
            _ => Some(begins),
        })
    }

    /// The hold in which the decision of a delivery to a child waits that has to be approved first.
    fn late_hold_of(&self, id: DeliveryId) -> Result<Option<HoldId>, StoreError> {
        // What takes a ban back in one guild has its ban's punishment, and asks for nothing new.
        let sql =
            "SELECT d.punishment_id FROM deliveries d JOIN punishments p ON p.event_id = d.punishment_id
             WHERE d.delivery_id = ?1 AND d.scope = 'child' AND d.action = p.action";
        let read = |row: &Row<'_>| column(row, "punishment_id");
        let of: Option<PunishmentId> =
            self.connection().prepare_cached(sql)?.query_row([Sql(id)], read).optional()?;
        let decision = of.map(|of| self.punishment(of)).transpose()?.flatten();
        Ok(decision.map(|decision| self.hold_late(&decision)).transpose()?.flatten())
    }
}
