//! Deliveries that are done again: timeouts that last longer than Discord takes at once, and what somebody who left
//! and joined again has shaken off.

use super::held::NOT_APPROVED;
use super::protected::{is_kept_away, is_kept_from};
use super::provenance::done_by_staff;
use super::{APPLIED_AGAIN, OPEN, QUEUED, RETURNED, queued};
use crate::delivery::Scope;
use crate::network::{Refusal, permit_for};
use crate::store::rows::{Sql, column, optional, word};
use crate::store::{Change, Queued, StoreError, View};
use rusqlite::{OptionalExtension, params};
use std::time::Duration;
use wayhaven_shared::operations::punishment::{Action, DeliveryState, Punishment};
use wayhaven_shared::value::{DeliveryId, GuildId, Timestamp, UserId};

/// Why what can only be done to a member was skipped: whoever joins later gets it then.
pub const WHEN_THEY_JOIN: &str = "no member there: it is done when they join";

/// The longest timeout that Discord takes at once, less what the two clocks may differ: 28 days (FACTS A3).
pub const LONGEST_TIMEOUT: Duration = Duration::from_secs(28 * 86_400 - 60);

/// How long before Discord's end a timeout that lasts longer is renewed.
const RENEWED_BEFORE: Duration = Duration::from_secs(86_400);

/// How long a renewal that a gate stops for now waits for the next look at it.
const GATE_LOOKED_AT: i64 = 3_600_000;

/// That a delivery `d` of the punishment `p` is the last word in its guild: what it does stands, and is to stand. An undo
/// that was skipped has taken nothing back, and what was taken back by itself, or has ended, leaves what it stood beside.
/// Of several that are active the one that lasts longest counts.
const STANDS: &str = "NOT KEPT_AWAY AND d.action = d.measure AND d.let_go = 0
    AND p.status = 'active' AND (p.expires_at IS NULL OR p.expires_at > :now)
    AND NOT EXISTS (SELECT 1 FROM punishments later WHERE later.target_user = p.target_user
        AND later.source_guild = p.source_guild AND later.measure = p.measure AND later.action = later.measure
        AND (coalesce(later.expires_at, 9223372036854775807), later.event_id)
          > (coalesce(p.expires_at, 9223372036854775807), p.event_id)
        AND later.status = 'active' AND NOT KEPT_FROM_THE_GUILD
        AND NOT EXISTS (SELECT 1 FROM deliveries x JOIN holds ON holds.id = x.hold_id
            WHERE x.punishment_id = later.event_id AND x.guild_id = d.guild_id AND holds.decision IS NOT 'approved'))
    AND NOT EXISTS (SELECT 1 FROM deliveries later JOIN punishments theirs ON theirs.event_id = later.punishment_id
        WHERE later.guild_id = d.guild_id
        AND later.target_user = d.target_user AND later.measure = d.measure AND later.delivery_id > d.delivery_id
        AND iif(later.action = later.measure, theirs.status = 'active', later.state <> 'skipped')
        AND NOT (later.state = 'skipped' AND coalesce(later.reason, '') LIKE 'a longer punishment stands%')
        AND (later.scope = 'origin' OR theirs.source_guild = p.source_guild)";

/// The end of [`STANDS`]: also what is applied once more after an undo.
fn stands() -> String {
    let kept_back = NOT_APPROVED.replace("d.", "later.");
    let stands = STANDS
        .replace("KEPT_AWAY", &is_kept_away("d"))
        .replace("KEPT_FROM_THE_GUILD", &is_kept_from("later", "d.guild_id"));
    let later_kept_away = is_kept_away("later");
    format!(
        "{stands} AND NOT {APPLIED_AGAIN} AND NOT ({kept_back}) AND NOT (later.action = later.measure AND {later_kept_away}))"
    )
}

fn millis(span: Duration) -> i64 {
    i64::try_from(span.as_millis()).unwrap_or(i64::MAX)
}

impl View<'_> {
    /// Deliveries of timeouts that are to be renewed by now, the longest due first.
    ///
    /// # Errors
    /// Where the store fails.
    pub fn due_renewals(&self, now: Timestamp, limit: u16) -> Result<Vec<DeliveryId>, StoreError> {
        let sql = "SELECT delivery_id FROM deliveries WHERE renew_at IS NOT NULL AND renew_at <= ?1
             ORDER BY renew_at, delivery_id LIMIT ?2";
        let mut statement = self.connection.prepare_cached(sql)?;
        let rows = statement.query_map(params![now.millis(), limit], |row| column(row, "delivery_id"))?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// When the next one is to be renewed after `now`.
    ///
    /// # Errors
    /// Where the store fails.
    pub fn next_renewal(&self, now: Timestamp) -> Result<Option<Timestamp>, StoreError> {
        let sql = "SELECT min(renew_at) AS at FROM deliveries WHERE renew_at IS NOT NULL AND renew_at > ?1";
        let mut statement = self.connection.prepare_cached(sql)?;
        Ok(statement.query_row([now.millis()], |row| optional(row, "at"))?)
    }

    /// Whether a mute or a timeout of the user may have to be done again in the guild. One lookup by index for everybody
    /// who joins anywhere, and for nearly all of them the last.
    ///
    /// # Errors
    /// Where the store fails.
    pub fn may_be_held_to(&self, guild: GuildId, user: UserId) -> Result<bool, StoreError> {
        let sql =
            "SELECT EXISTS (SELECT 1 FROM deliveries d JOIN punishments p ON p.event_id = d.punishment_id
                    WHERE d.guild_id = ?1 AND d.target_user = ?2 AND d.measure IN ('mute', 'timeout')
                      AND d.action = d.measure AND p.status = 'active')
                OR EXISTS (SELECT 1 FROM punishments
                    WHERE target_user = ?2 AND source_guild = ?1 AND measure IN ('mute', 'timeout')
                      AND action = measure AND status = 'active')";
        let values = params![Sql(guild), Sql(user)];
        Ok(self.connection.prepare_cached(sql)?.query_row(values, |row| row.get(0))?)
    }
}

impl Change<'_> {
    /// Takes in that the user has joined the guild: mutes and timeouts of them that stand there are opened again, in
    /// their order and through the gates. Returns how many.
    ///
    /// # Errors
    /// Where the store fails.
    pub fn joined(&self, guild: GuildId, user: UserId) -> Result<usize, StoreError> {
        // What is on its way may have met no member, or one who left since: it is looked at when it has ended.
        let sql = "UPDATE deliveries SET joined = 1 WHERE guild_id = ?1 AND target_user = ?2
             AND measure IN ('mute', 'timeout') AND action = measure AND state IN ('pending', 'sending', 'unknown')";
        self.connection().prepare_cached(sql)?.execute(params![Sql(guild), Sql(user)])?;
        let sql = format!(
            "SELECT {QUEUED} WHERE d.guild_id = :guild AND d.target_user = :user AND d.measure IN ('mute', 'timeout')
                AND (d.state = 'applied' OR (d.state = 'skipped' AND d.reason = :absent)) AND {}
              ORDER BY d.delivery_id",
            stands()
        );
        let values = rusqlite::named_params! {
            ":guild": Sql(guild), ":user": Sql(user), ":absent": WHEN_THEY_JOIN, ":now": self.now().millis()
        };
        let mut statement = self.connection().prepare_cached(&sql)?;
        let found: Vec<Queued> = statement.query_map(values, queued)?.collect::<Result<_, _>>()?;
        let mut opened = 0;
        for delivery in found {
            match self.gate(&delivery)? {
                None => {
                    self.open_again(delivery.id)?;
                    opened += 1;
                }
                // What was never delivered there stays so.
                Some(refusal) if refusal.is_protection() && matches!(delivery.scope, Scope::Child(_)) => {
                    self.stop_for_protection(delivery.id, &refusal.to_string())?;
                }
                Some(_) => {}
            }
        }
        for measure in [Action::Mute, Action::Timeout] {
            opened += usize::from(self.open_by_hand(guild, user, measure)?);
        }
        Ok(opened)
    }

    /// What was done by hand where it was decided has no delivery there yet: it gets one, where it stands.
    fn open_by_hand(&self, guild: GuildId, user: UserId, measure: Action) -> Result<bool, StoreError> {
        let sql = "SELECT event_id AS id FROM punishments p
             WHERE target_user = ?2 AND source_guild = ?1 AND measure = ?3
               AND NOT EXISTS (SELECT 1 FROM punishments later WHERE later.target_user = ?2
                       AND later.source_guild = ?1 AND later.measure = ?3 AND later.action = later.measure
                       AND (coalesce(later.expires_at, 9223372036854775807), later.event_id)
                         > (coalesce(p.expires_at, 9223372036854775807), p.event_id)
                       AND later.status = 'active')
               AND action = measure AND status = 'active' AND (expires_at IS NULL OR expires_at > ?4)
               AND NOT EXISTS (SELECT 1 FROM deliveries WHERE punishment_id = p.event_id AND guild_id = ?1)";
        let values = params![Sql(guild), Sql(user), measure.word(), self.now().millis()];
        let mut statement = self.connection().prepare_cached(sql)?;
        let found = statement.query_map(values, |row| column(row, "id"))?;
        let Some(id) = found.collect::<Result<Vec<_>, _>>()?.pop() else { return Ok(false) };
        let Some(punishment) = self.punishment(id)? else { return Ok(false) };
        let id = self.insert_delivery(&punishment, guild, Scope::Origin, DeliveryState::Pending, None)?;
        self.send_after_commit(self.queued(id)?);
        Ok(true)
    }

    /// Renews a timeout that is due: opens its delivery again where it stands and the gates let it, looks at it again
    /// later where a gate is shut for now, and forgets it otherwise. Whether it was opened.
    ///
    /// # Errors
    /// Where the store fails.
    pub fn renew(&self, id: DeliveryId) -> Result<bool, StoreError> {
        if self.undoes_now(id)? {
            return Ok(true);
        }
        let sql = format!(
            "SELECT {QUEUED} WHERE d.delivery_id = :id AND d.renew_at <= :now AND d.state = 'applied' AND {}",
            stands()
        );
        let values = rusqlite::named_params! { ":id": Sql(id), ":now": self.now().millis() };
        let mut statement = self.connection().prepare_cached(&sql)?;
        let found = statement.query_map(values, queued)?.collect::<Result<Vec<_>, _>>()?.pop();
        let later = match &found {
            None => None,
            Some(delivery) => match self.gate(delivery)? {
                None => {
                    self.open_again(id)?;
                    return Ok(true);
                }
                Some(Refusal::Monitor | Refusal::ActionNotAllowed) => {
                    Some(self.now().millis() + GATE_LOOKED_AT)
                }
                Some(_) => None,
            },
        };
        let sql = "UPDATE deliveries SET renew_at = ?2 WHERE delivery_id = ?1 AND renew_at <= ?3";
        let values = params![Sql(id), later, self.now().millis()];
        self.connection().prepare_cached(sql)?.execute(values)?;
        Ok(false)
    }

    /// Opens an undo again that left a timeout to the guild's own staff, whose own has ended by
    /// now, where nothing newer of the main has taken its place. Whether it was opened.
    fn undoes_now(&self, id: DeliveryId) -> Result<bool, StoreError> {
        let sql = "UPDATE deliveries SET renew_at = NULL WHERE delivery_id = ?1 AND renew_at <= ?2
             AND action <> measure AND state = 'skipped' RETURNING EXISTS (
                SELECT 1 FROM deliveries later JOIN punishments of_later ON of_later.event_id = later.punishment_id
                 WHERE later.guild_id = deliveries.guild_id AND later.target_user = deliveries.target_user
                   AND later.measure = deliveries.measure AND later.delivery_id > deliveries.delivery_id
                   AND of_later.source_guild =
                       (SELECT source_guild FROM punishments WHERE event_id = deliveries.punishment_id)) AS overtaken";
        let values = params![Sql(id), self.now().millis()];
        let mut statement = self.connection().prepare_cached(sql)?;
        let overtaken = statement.query_row(values, |row| row.get::<_, bool>("overtaken")).optional()?;
        Ok(overtaken == Some(false) && self.apply_again(id, DeliveryState::Pending, None)?)
    }

    /// What follows from a delivery that has just ended so: a timeout that lasts on is renewed later, and where the user
    /// has joined meanwhile it is done once more.
    pub(super) fn ended_so(&self, id: DeliveryId, state: DeliveryState) -> Result<(), StoreError> {
        let sql = "SELECT joined, action, guild_id, target_user FROM deliveries WHERE delivery_id = ?1";
        let (joined, action, guild, user) =
            self.connection().prepare_cached(sql)?.query_row([Sql(id)], |row| {
                let (guild, user) = (column(row, "guild_id")?, column(row, "target_user")?);
                Ok((row.get::<_, bool>("joined")?, word(row, "action", Action::from_word)?, guild, user))
            })?;
        if joined && matches!(state, DeliveryState::Applied | DeliveryState::Skipped) {
            let sql = "UPDATE deliveries SET joined = 0 WHERE delivery_id = ?1";
            self.connection().prepare_cached(sql)?.execute([Sql(id)])?;
            self.joined(guild, user)?;
        } else if action == Action::Timeout && state == DeliveryState::Applied {
            let sql = "UPDATE deliveries SET renew_at = ?2 WHERE delivery_id = ?1
                 AND (SELECT expires_at FROM punishments WHERE event_id = punishment_id) > ?3";
            let now = self.now().millis();
            let ends = now.saturating_add(millis(LONGEST_TIMEOUT));
            let values = params![Sql(id), ends - millis(RENEWED_BEFORE), ends];
            self.connection().prepare_cached(sql)?.execute(values)?;
        } else if action == Action::Untimeout && state == DeliveryState::Skipped {
            // What is left to the staff ends with theirs, though ours may last longer there.
            let ends = self.standing_local_cause(guild, user, Action::Timeout)?.and_then(|cause| cause.until);
            if let Some(ends) = ends {
                let sql = "UPDATE deliveries SET renew_at = ?2 WHERE delivery_id = ?1 AND scope = 'child' AND reason = ?3";
                let values = params![Sql(id), ends.millis(), done_by_staff(Action::Timeout)];
                self.connection().prepare_cached(sql)?.execute(values)?;
            }
        }
        Ok(())
    }

    /// The guild's own staff have taken back what was delivered there: it is not done again by itself.
    ///
    /// # Errors
    /// Where the store fails.
    pub fn let_go(&self, guild: GuildId, user: UserId, measure: Action) -> Result<(), StoreError> {
        let sql = "UPDATE deliveries SET let_go = 1 WHERE guild_id = ?1 AND target_user = ?2 AND measure = ?3
             AND action = measure AND state = 'applied'";
        let values = params![Sql(guild), Sql(user), measure.measure().word()];
        self.connection().prepare_cached(sql)?.execute(values)?;
        Ok(())
    }

    /// Ends what is open of a punishment that has ended by itself.
    ///
    /// # Errors
    /// Where the store fails.
    pub fn end_by_itself(&self, of: &Punishment) -> Result<(), StoreError> {
        let sql = format!(
            "UPDATE deliveries SET state = 'skipped', reason = 'it has ended by now', updated_at = ?2
             WHERE punishment_id = ?1 AND action = measure AND state IN {OPEN} RETURNING {RETURNED}"
        );
        self.update_and_tell(&sql, params![Sql(of.id), self.now().millis()]).map(drop)
    }

    /// The gate that stops the delivery for now; a freeze does not, since what it meets is held.
    fn gate(&self, delivery: &Queued) -> Result<Option<Refusal>, StoreError> {
        let refusal = permit_for(&*self.topology_here()?, delivery).err();
        Ok(refusal.filter(|refusal| !refusal.is_waited_for()))
    }

    fn open_again(&self, id: DeliveryId) -> Result<(), StoreError> {
        let sql = format!(
            "UPDATE deliveries SET state = 'pending', reason = NULL, not_before = NULL, renew_at = NULL, gone = 0,
                was_there = nullif(was_there, 1),
                updated_at = ?2 WHERE delivery_id = ?1 RETURNING {RETURNED}"
        );
        self.update_and_tell(&sql, params![Sql(id), self.now().millis()])?;
        self.send_after_commit(self.queued(id)?);
        Ok(())
    }

    fn queued(&self, id: DeliveryId) -> Result<Queued, StoreError> {
        let sql = format!("SELECT {QUEUED} WHERE d.delivery_id = ?1");
        Ok(self.connection().prepare_cached(&sql)?.query_row([Sql(id)], queued)?)
    }
}
