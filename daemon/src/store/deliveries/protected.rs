//! What is not delivered because the user was protected when it would have been, and stays undelivered.
//!
//! Protection counts at the time of the delivery: losing a role, leaving a guild, a new owner and `protect remove` deliver
//! nothing later. Only a new punishment does. A main's protection is remembered with the punishment (`protection`), for all
//! children, also those that are linked later; a child's by the reason of its delivery. What had been delivered before is
//! not concerned: a repair of it that meets a protection is only put off.

use super::RETURNED;
use super::provenance::is_taken_back_along_its_link;
use crate::delivery::Scope;
use crate::network::Refusal;
use crate::store::rows::{Sql, column, word};
use crate::store::{Change, Settlement, StoreError, View};
use rusqlite::{OptionalExtension, Row, params};
use wayhaven_shared::operations::protect::Protected;
use wayhaven_shared::operations::punishment::{Action, DeliveryState};
use wayhaven_shared::value::{DeliveryId, GuildId, PunishmentId, UserId};

/// How the reason begins of what is not delivered because the user was protected.
pub const PROTECTED: &str = "protected when it was decided";

/// The reason of a delivery that `by` stops.
pub fn protected_by(by: impl std::fmt::Display) -> String {
    format!("{PROTECTED}: {by}")
}

/// That the delivery `d`, an alias, was not carried out because the user was protected, and stays so.
pub(super) fn is_kept_away(d: &str) -> String {
    format!(
        "({d}.scope = 'child' AND ({d}.state = 'skipped' AND coalesce({d}.reason, '') LIKE '{PROTECTED}%'
          OR {d}.delivered = 0 AND {d}.state NOT IN ('applied', 'sending', 'unknown', 'pending')
              AND EXISTS (SELECT 1 FROM punishments guarded
                  WHERE guarded.event_id = {d}.punishment_id AND guarded.protection IS NOT NULL)))"
    )
}

/// That the punishment `p`, an alias, is not delivered to a guild because the user was protected.
pub(super) fn is_kept_from(p: &str, guild: &str) -> String {
    format!(
        "(EXISTS (SELECT 1 FROM deliveries kept WHERE kept.punishment_id = {p}.event_id AND kept.guild_id = {guild}
              AND kept.action = {p}.action AND kept.scope = 'child' AND kept.state = 'skipped'
              AND kept.reason LIKE '{PROTECTED}%')
          OR ({p}.protection IS NOT NULL AND {p}.source_guild <> {guild} AND NOT EXISTS (SELECT 1 FROM deliveries came
              WHERE came.punishment_id = {p}.event_id AND came.guild_id = {guild} AND came.action = {p}.action
                AND (came.delivered = 1 OR came.state IN ('applied', 'sending', 'unknown', 'pending')))))"
    )
}

/// A delivery that a protection stops.
struct StoppedDelivery {
    punishment: PunishmentId,
    source: GuildId,
    guild: GuildId,
    user: UserId,
    action: Action,
    to_child: bool,
    delivered: bool,
}

impl View<'_> {
    /// Why a punishment is delivered to no child where it was not before; nothing where it is.
    ///
    /// # Errors
    /// Where the store fails.
    pub fn protection_of(&self, of: PunishmentId) -> Result<Option<String>, StoreError> {
        let sql = "SELECT protection FROM punishments WHERE event_id = ?1";
        Ok(self.connection.prepare_cached(sql)?.query_row([Sql(of)], |row| row.get(0)).optional()?.flatten())
    }

    /// Whether a punishment is not delivered to the guild because the user was protected.
    ///
    /// # Errors
    /// Where the store fails.
    pub fn is_kept_from(&self, of: PunishmentId, guild: GuildId) -> Result<bool, StoreError> {
        let kept = is_kept_from("p", "?2");
        let sql = format!("SELECT EXISTS (SELECT 1 FROM punishments p WHERE p.event_id = ?1 AND {kept})");
        Ok(self
            .connection
            .prepare_cached(&sql)?
            .query_row([Sql(of).0.get().cast_signed(), guild.get().cast_signed()], |row| row.get(0))?)
    }

    /// Whether a delivery stays undelivered because the user was protected.
    ///
    /// # Errors
    /// Where the store fails.
    pub(super) fn is_kept_away(&self, id: DeliveryId) -> Result<bool, StoreError> {
        let sql = format!(
            "SELECT EXISTS (SELECT 1 FROM deliveries d WHERE d.delivery_id = ?1 AND d.action = d.measure AND {})",
            is_kept_away("d")
        );
        Ok(self.connection.prepare_cached(&sql)?.query_row([Sql(id)], |row| row.get(0))?)
    }

    /// How many punishments that are in force stay undelivered because of a line of the guild's list.
    ///
    /// # Errors
    /// Where the store fails.
    pub fn kept_away_by(&self, guild: GuildId, line: Protected) -> Result<u64, StoreError> {
        let reason = protected_by(crate::network::Shield::Listed { guild, line });
        let sql = "SELECT count(*) FROM punishments p WHERE p.status = 'active' AND p.action = p.measure
               AND (p.expires_at IS NULL OR p.expires_at > ?3) AND p.measure IN ('ban', 'mute', 'timeout')
               AND ((p.source_guild = ?1 AND p.protection = ?2)
                 OR p.event_id IN (SELECT d.punishment_id FROM deliveries d
                     WHERE d.guild_id = ?1 AND d.scope = 'child' AND d.state = 'skipped' AND d.reason = ?2))";
        let values = params![Sql(guild), reason, self.now().millis()];
        let count: i64 = self.connection.prepare_cached(sql)?.query_row(values, |row| row.get(0))?;
        Ok(count.cast_unsigned())
    }

    fn stopped(&self, id: DeliveryId) -> Result<Option<StoppedDelivery>, StoreError> {
        let sql = format!(
            "SELECT d.punishment_id, p.source_guild, d.guild_id, d.target_user, d.action, d.scope = 'child' AS to_child,
                    d.delivered = 1 AND NOT {} AS delivered
               FROM deliveries d JOIN punishments p ON p.event_id = d.punishment_id WHERE d.delivery_id = ?1",
            is_taken_back_along_its_link()
        );
        let read = |row: &Row<'_>| {
            Ok(StoppedDelivery {
                punishment: column(row, "punishment_id")?,
                source: column(row, "source_guild")?,
                guild: column(row, "guild_id")?,
                user: column(row, "target_user")?,
                action: word(row, "action", Action::from_word)?,
                to_child: row.get("to_child")?,
                delivered: row.get("delivered")?,
            })
        };
        Ok(self.connection.prepare_cached(&sql)?.query_row([Sql(id)], read).optional()?)
    }
}

impl Change<'_> {
    /// The main protects the user: the punishment is delivered to no child, now or later. What waits for a child ends.
    ///
    /// # Errors
    /// Where the store fails.
    pub fn keep_from_children(&self, of: PunishmentId, reason: &str) -> Result<(), StoreError> {
        let sql = "UPDATE punishments SET protection = ?2 WHERE event_id = ?1 AND protection IS NULL";
        if self.connection().prepare_cached(sql)?.execute(params![Sql(of), reason])? == 0 {
            return Ok(());
        }
        let sql = "SELECT d.delivery_id, d.attempts FROM deliveries d JOIN punishments p ON p.event_id = d.punishment_id
             WHERE d.punishment_id = ?1 AND d.scope = 'child' AND d.action = d.measure AND d.delivered = 0
               AND (d.state IN ('held', 'blocked') OR (d.state = 'pending' AND p.origin_step = 'awaited'))";
        let mut statement = self.connection().prepare_cached(sql)?;
        let rows =
            statement.query_map([Sql(of)], |row| Ok((column(row, "delivery_id")?, row.get("attempts")?)))?;
        let waiting: Vec<(DeliveryId, u32)> = rows.collect::<Result<_, _>>()?;
        for (id, attempts) in waiting {
            let (state, reason) = (DeliveryState::Skipped, Some(reason.to_owned()));
            self.settle(id, &Settlement { state, reason, attempts, wait: None, was_there: None })?;
        }
        Ok(())
    }

    /// The reason to store where `reason` says that a protection stops the delivery, which is remembered then. Nothing where
    /// the reason stays as it is: it is another one, or the delivery had been carried out before.
    pub(super) fn remember_protection(
        &self,
        id: DeliveryId,
        state: DeliveryState,
        reason: Option<&str>,
    ) -> Result<Option<String>, StoreError> {
        let Some(reason) = reason.filter(|_| state == DeliveryState::Skipped) else { return Ok(None) };
        if !reason.starts_with(PROTECTED) && Refusal::of_protection(reason).is_none() {
            return Ok(None);
        }
        let Some(stopped) = self.stopped(id)?.filter(|stopped| !stopped.action.is_undo()) else {
            return Ok(None);
        };
        if !stopped.to_child {
            // The main's own step is stopped by the main's own protection.
            let why = self.reason_of_protection(&stopped, reason)?;
            self.keep_from_children(stopped.punishment, &why)?;
            return Ok(None);
        }
        if stopped.delivered {
            return Ok(None);
        }
        self.reason_of_protection(&stopped, reason).map(Some)
    }

    /// The same for a delivery that begins. `late` is whether it was decided before. What is decided just now about the main's
    /// owner was done by hand, which Discord lets nobody do: the change of the owner is only told later, and is waited for.
    pub(super) fn protection_at_begin(
        &self,
        (punishment, source): (PunishmentId, GuildId),
        (guild, user, action, scope): (GuildId, UserId, Action, Scope),
        (state, reason): (DeliveryState, Option<&str>),
        late: bool,
    ) -> Result<Option<String>, StoreError> {
        let Some(reason) = reason.filter(|_| state == DeliveryState::Skipped && !action.is_undo()) else {
            return Ok(None);
        };
        let refusal = Refusal::of_protection(reason);
        if scope == Scope::Origin || refusal.is_none() || (refusal == Some(Refusal::OwnsMain) && !late) {
            return Ok(None);
        }
        let stopped =
            StoppedDelivery { punishment, source, guild, user, action, to_child: true, delivered: false };
        self.reason_of_protection(&stopped, reason).map(Some)
    }

    /// The stored reason; what a main protects from is remembered with the punishment.
    fn reason_of_protection(&self, stopped: &StoppedDelivery, reason: &str) -> Result<String, StoreError> {
        let Some(refusal) = Refusal::of_protection(reason) else { return Ok(reason.to_owned()) };
        let topology = self.topology_here()?;
        let shield = topology.protection().shield(stopped.source, stopped.guild, stopped.user);
        let why = shield.map_or_else(|| protected_by(refusal), protected_by);
        if refusal.is_of_main() {
            self.keep_from_children(stopped.punishment, &why)?;
        }
        Ok(why)
    }

    /// A delivery that had ended, or waited for the user to join, is not carried out because the user is protected now.
    ///
    /// # Errors
    /// Where the store fails.
    pub fn stop_for_protection(&self, id: DeliveryId, reason: &str) -> Result<(), StoreError> {
        let reason = self.remember_protection(id, DeliveryState::Skipped, Some(reason))?;
        let Some(reason) = reason else { return Ok(()) };
        let sql = format!(
            "UPDATE deliveries SET state = 'skipped', reason = ?2, updated_at = ?3
             WHERE delivery_id = ?1 AND reason IS NOT ?2 RETURNING {RETURNED}"
        );
        self.update_and_tell(&sql, params![Sql(id), reason, self.now().millis()]).map(drop)
    }
}
